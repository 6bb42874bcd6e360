//! Kinesis: how shards are told and changed.

use crate::bench::{Bench, refusal, wait};
use crate::records::{FIRST, SECOND, STREAM, get, iterator, numbers, put, with_stream};
use aws_sdk_kinesis::types::{
    ScalingType, Shard, ShardFilter, ShardFilterType, ShardIteratorType, StreamStatus,
};
use simulated_aws::Reshard;

async fn shards(bench: &Bench) -> Vec<Shard> {
    bench.kinesis.list_shards().stream_name(STREAM).send().await.unwrap().shards().to_vec()
}

async fn state(bench: &Bench) -> (StreamStatus, i32) {
    let told = bench.kinesis.describe_stream_summary().stream_name(STREAM).send().await.unwrap();
    let told = told.stream_description_summary.unwrap();
    (told.stream_status, told.open_shard_count)
}

fn ids(shards: &[Shard]) -> Vec<&str> {
    shards.iter().map(|shard| &shard.shard_id()[18..]).collect()
}

#[tokio::test(start_paused = true)]
async fn a_split_closes_the_parent_and_opens_children_after_a_while() {
    let bench = with_stream(1);
    put(&bench, "b", 0, 3).await;
    let half = (u128::MAX / 2 + 1).to_string();
    let split =
        bench.kinesis.split_shard().stream_name(STREAM).shard_to_split(FIRST).new_starting_hash_key(half);
    split.clone().send().await.unwrap();
    assert_eq!(state(&bench).await, (StreamStatus::Updating, 1));
    assert_eq!(refusal(split.clone().send().await).0, "ResourceInUseException");
    // Meanwhile it goes on.
    put(&bench, "b", 3, 1).await;
    wait(40).await;
    assert_eq!(state(&bench).await, (StreamStatus::Active, 2));
    put(&bench, "b", 4, 2).await;
    let told = shards(&bench).await;
    assert_eq!(ids(&told), ["00", "01", "02"]);
    assert!(told[0].sequence_number_range().unwrap().ending_sequence_number().is_some());
    assert!(told[1].sequence_number_range().unwrap().ending_sequence_number().is_none());
    assert_eq!((told[1].parent_shard_id(), told[2].parent_shard_id()), (Some(FIRST), Some(FIRST)));
    assert_eq!(told[2].hash_key_range().unwrap().ending_hash_key(), u128::MAX.to_string());
    assert_eq!(refusal(split.send().await).0, "InvalidArgumentException", "it is closed");
    // At the end of a closed shard there is no next iterator, and its children are told.
    let from = iterator(&bench, FIRST, ShardIteratorType::TrimHorizon).await;
    let page = bench.kinesis.get_records().shard_iterator(from).limit(2).send().await.unwrap();
    assert!(page.child_shards().is_empty());
    let end = get(&bench, page.next_shard_iterator().unwrap()).await;
    assert_eq!((numbers(&end), end.next_shard_iterator()), (vec![2, 3], None));
    assert_eq!(end.child_shards().len(), 2);
    assert_eq!(end.child_shards()[1].parent_shards(), [FIRST]);
    let child = iterator(&bench, told[2].shard_id(), ShardIteratorType::TrimHorizon).await;
    assert_eq!(numbers(&get(&bench, &child).await), [4, 5]);
    // A closed shard's tip is its end.
    let tip = iterator(&bench, FIRST, ShardIteratorType::Latest).await;
    assert_eq!(get(&bench, &tip).await.next_shard_iterator(), None);
}

#[tokio::test(start_paused = true)]
async fn a_merge_gives_a_child_of_two_parents() {
    let bench = with_stream(2);
    let merge = bench.kinesis.merge_shards().stream_name(STREAM);
    merge.shard_to_merge(FIRST).adjacent_shard_to_merge(SECOND).send().await.unwrap();
    wait(40).await;
    let told = shards(&bench).await;
    assert_eq!(told.len(), 3);
    assert_eq!((told[2].parent_shard_id(), told[2].adjacent_parent_shard_id()), (Some(FIRST), Some(SECOND)));
    let from = iterator(&bench, SECOND, ShardIteratorType::TrimHorizon).await;
    assert_eq!(get(&bench, &from).await.child_shards()[0].parent_shards(), [FIRST, SECOND]);
}

#[tokio::test(start_paused = true)]
async fn update_shard_count_at_most_doubles_and_leaves_shards_of_one_width() {
    let bench = with_stream(2);
    let update =
        bench.kinesis.update_shard_count().stream_name(STREAM).scaling_type(ScalingType::UniformScaling);
    assert_eq!(refusal(update.clone().target_shard_count(5).send().await).0, "LimitExceededException");
    let told = update.target_shard_count(3).send().await.unwrap();
    assert_eq!((told.current_shard_count(), told.target_shard_count()), (Some(2), Some(3)));
    wait(40).await;
    let told = shards(&bench).await;
    let open = |it: &&Shard| it.sequence_number_range().unwrap().ending_sequence_number().is_none();
    let mut starts: Vec<u128> = told
        .iter()
        .filter(open)
        .map(|it| it.hash_key_range().unwrap().starting_hash_key().parse().unwrap())
        .collect();
    starts.sort_unstable();
    assert_eq!(starts, [0, u128::MAX / 3 + 1, u128::MAX / 3 * 2 + 1]);
    bench.account().somebody_reshards(STREAM, Reshard::Scale(1));
    wait(40).await;
    assert_eq!(state(&bench).await, (StreamStatus::Active, 1));
}

#[tokio::test(start_paused = true)]
async fn shards_are_told_in_pages_and_through_a_filter() {
    let bench = with_stream(4);
    let list = bench.kinesis.list_shards().stream_name(STREAM).max_results(3);
    let page = list.send().await.unwrap();
    assert_eq!(page.shards().len(), 3);
    let rest = bench.kinesis.list_shards().next_token(page.next_token().unwrap()).send().await.unwrap();
    assert_eq!((ids(rest.shards()), rest.next_token()), (vec!["03"], None));
    bench.account().somebody_reshards(STREAM, Reshard::Split(0));
    wait(40).await;
    let list = bench.kinesis.list_shards().stream_name(STREAM);
    for (kind, expected) in [
        (ShardFilterType::AtLatest, vec!["01", "02", "03", "04", "05"]),
        (ShardFilterType::AtTrimHorizon, vec!["00", "01", "02", "03"]),
        (ShardFilterType::FromTrimHorizon, vec!["00", "01", "02", "03", "04", "05"]),
    ] {
        let filter = ShardFilter::builder().r#type(kind).build().unwrap();
        assert_eq!(ids(list.clone().shard_filter(filter).send().await.unwrap().shards()), expected);
    }
    let after = list.exclusive_start_shard_id("shardId-000000000003").send().await.unwrap();
    assert_eq!(ids(after.shards()), ["04", "05"]);
}

#[tokio::test(start_paused = true)]
async fn closed_shards_are_told_until_their_records_are_gone() {
    let bench = with_stream(1);
    bench.account().somebody_reshards(STREAM, Reshard::Split(0));
    wait(23 * 3_600).await;
    assert_eq!(shards(&bench).await.len(), 3);
    wait(2 * 3_600).await;
    assert_eq!(ids(&shards(&bench).await), ["01", "02"]);
}
