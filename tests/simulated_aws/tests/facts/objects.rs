//! S3's objects: how they are listed and read.

use crate::bench::{Bench, refusal, wait};
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::types::{ChecksumMode, Delete, EncodingType, ObjectIdentifier};
use simulated_aws::Version;

const ROWS: &str = "rows";

fn bench(keys: &[&str]) -> Bench {
    let bench = Bench::new();
    bench.account().make("AWS::S3::Bucket", ROWS);
    for key in keys {
        bench.account().put(ROWS, key, Version::of(key.as_bytes()));
    }
    bench
}

#[tokio::test(start_paused = true)]
async fn a_list_has_the_newest_of_each_key_that_is_not_deleted() {
    let bench = bench(&["a", "b", "b", "c"]);
    bench.account().put(ROWS, "c", Version { marker: true, ..Version::default() });
    let answer = bench.s3.list_objects_v2().bucket(ROWS).send().await.unwrap();
    let keys: Vec<_> = answer.contents().iter().filter_map(|it| Some((it.key()?, it.size()?))).collect();
    assert_eq!((keys, answer.key_count()), (vec![("a", 1), ("b", 1)], Some(2)));
    // The MD5 of `a`.
    assert_eq!(answer.contents()[0].e_tag(), Some("\"0cc175b9c0f1b6a831c399e269772661\""));
    let versions = bench.s3.list_object_versions().bucket(ROWS).send().await.unwrap();
    let latest: Vec<_> =
        versions.versions().iter().map(|it| (it.key().unwrap(), it.is_latest().unwrap())).collect();
    assert_eq!(latest, [("a", true), ("b", true), ("b", false), ("c", false)]);
    assert_eq!(versions.delete_markers()[0].is_latest(), Some(true));
}

#[tokio::test(start_paused = true)]
async fn a_prefix_narrows_a_delimiter_rolls_up_and_pages_go_on_where_they_ended() {
    let bench = bench(&["errors/1", "rows/01/a", "rows/01/b", "rows/02/a", "rows/top", "rows/zz/a"]);
    for keys in 1..5 {
        let list = bench.s3.list_objects_v2().bucket(ROWS).prefix("rows/").delimiter("/").max_keys(keys);
        let (mut found, mut token) = (Vec::new(), None);
        loop {
            let answer = list.clone().set_continuation_token(token.take()).send().await.unwrap();
            found.extend(answer.common_prefixes().iter().map(|it| it.prefix().unwrap().to_owned()));
            found.extend(answer.contents().iter().map(|it| it.key().unwrap().to_owned()));
            token = answer.next_continuation_token().map(str::to_owned);
            if token.is_none() {
                break;
            }
            assert_eq!(answer.key_count(), Some(keys));
        }
        found.sort();
        assert_eq!(found, ["rows/01/", "rows/02/", "rows/top", "rows/zz/"], "{keys}");
        let list = bench.s3.list_object_versions().bucket(ROWS).prefix("rows/").delimiter("/").max_keys(keys);
        let (mut found, mut next) = (Vec::new(), (None, None));
        loop {
            let (key, id) = std::mem::take(&mut next);
            let list = list.clone().set_key_marker(key).set_version_id_marker(id);
            let answer = list.send().await.unwrap();
            found.extend(answer.common_prefixes().iter().map(|it| it.prefix().unwrap().to_owned()));
            found.extend(answer.versions().iter().map(|it| it.key().unwrap().to_owned()));
            if answer.is_truncated() != Some(true) {
                break;
            }
            let of = |marker: Option<&str>| marker.map(str::to_owned);
            next = (of(answer.next_key_marker()), of(answer.next_version_id_marker()));
        }
        found.sort();
        assert_eq!(found, ["rows/01/", "rows/02/", "rows/top", "rows/zz/"], "{keys}");
    }
}

#[tokio::test(start_paused = true)]
async fn versions_go_on_behind_a_version_or_behind_all_of_a_key_newest_first() {
    let bench = bench(&["a", "b", "b", "b", "c"]);
    let list = bench.s3.list_object_versions().bucket(ROWS);
    let page = list.clone().max_keys(2).send().await.unwrap();
    assert_eq!(page.next_key_marker(), Some("b"));
    let rest = list.clone().key_marker("b").version_id_marker(page.next_version_id_marker().unwrap());
    let keys = |it: &[aws_sdk_s3::types::ObjectVersion]| -> Vec<String> {
        it.iter().map(|it| it.key().unwrap().to_owned()).collect()
    };
    assert_eq!(keys(rest.send().await.unwrap().versions()), ["b", "b", "c"]);
    assert_eq!(keys(list.clone().key_marker("b").send().await.unwrap().versions()), ["c"]);
    assert_eq!(refusal(list.version_id_marker("x").send().await).0, "InvalidArgument");
}

#[tokio::test(start_paused = true)]
async fn keys_are_told_percent_encoded_where_that_is_asked_for() {
    let bench = bench(&["rows/hour=1 & more"]);
    let list = bench.s3.list_object_versions().bucket(ROWS).encoding_type(EncodingType::Url);
    let answer = list.send().await.unwrap();
    assert_eq!(answer.versions()[0].key(), Some("rows/hour%3D1%20%26%20more"));
}

#[tokio::test(start_paused = true)]
async fn an_object_is_told_with_its_md5_its_checksum_and_its_time() {
    let bench = bench(&["123456789"]);
    let get = bench.s3.get_object().bucket(ROWS).key("123456789").checksum_mode(ChecksumMode::Enabled);
    let object = get.clone().send().await.unwrap();
    // The check values of MD5 and of CRC-64/NVME.
    assert_eq!(object.e_tag(), Some("\"25f9e794323b453885f5181f1b624d0b\""));
    assert_eq!(object.checksum_crc64_nvme(), Some("rosUhgp5mIg="));
    assert!(object.last_modified().is_some());
    // The SDK compares content and checksum while it reads.
    assert_eq!(&object.body.collect().await.unwrap().into_bytes()[..], b"123456789");
    let head = bench.s3.head_object().bucket(ROWS).key("123456789").send().await.unwrap();
    assert_eq!(
        (head.content_length(), head.e_tag()),
        (Some(9), Some("\"25f9e794323b453885f5181f1b624d0b\""))
    );
    let missing = bench.s3.get_object().bucket(ROWS).key("nothing").send().await;
    assert_eq!(missing.unwrap_err().code(), Some("NoSuchKey"));
    let other = get.if_match("\"0cc175b9c0f1b6a831c399e269772661\"").send().await;
    assert_eq!(other.unwrap_err().code(), Some("PreconditionFailed"));
}

#[tokio::test(start_paused = true)]
async fn a_part_is_told_without_a_checksum_and_none_behind_the_end() {
    let bench = bench(&["123456789"]);
    let get = bench.s3.get_object().bucket(ROWS).key("123456789");
    for (range, part) in
        [("bytes=2-4", "345"), ("bytes=7-", "89"), ("bytes=-3", "789"), ("bytes=5-99", "6789")]
    {
        let object = get.clone().range(range).send().await.unwrap();
        assert!(object.content_range().unwrap().ends_with("/9"));
        assert_eq!(object.checksum_crc64_nvme(), None);
        assert_eq!(object.body.collect().await.unwrap().into_bytes(), part);
    }
    assert_eq!(get.range("bytes=9-").send().await.unwrap_err().code(), Some("InvalidRange"));
}

#[tokio::test(start_paused = true)]
async fn what_was_put_in_parts_has_no_md5() {
    let bench = bench(&[]);
    bench.account().put(ROWS, "large", Version { multipart: true, ..Version::of(*b"large") });
    let head = bench.s3.head_object().bucket(ROWS).key("large").send().await.unwrap();
    assert!(head.e_tag().unwrap().ends_with("-2\""));
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_is_asked_too_much_says_slow_down_and_each_deleted_key_counts() {
    let bench = bench(&[]);
    bench.account().fill(ROWS, 300);
    bench.account().script.bucket_calls_per_second = Some(3);
    for _ in 0..3 {
        bench.s3.head_bucket().bucket(ROWS).send().await.unwrap();
    }
    let list = bench.s3.list_object_versions().bucket(ROWS);
    assert_eq!(refusal(list.clone().send().await).0, "SlowDown");
    wait(1).await;
    let found = list.send().await.unwrap();
    assert_eq!((found.versions().len(), found.delete_markers().len()), (225, 75));
    bench.account().script.bucket_calls_per_second = None;
    bench.account().script.bucket_deletions_per_second = Some(150);
    let objects: Vec<_> = found.versions()[..100]
        .iter()
        .map(|it| {
            ObjectIdentifier::builder()
                .key(it.key().unwrap())
                .set_version_id(it.version_id().map(str::to_owned))
        })
        .map(|it| it.build().unwrap())
        .collect();
    let delete = Delete::builder().set_objects(Some(objects)).build().unwrap();
    let delete = bench.s3.delete_objects().bucket(ROWS).delete(delete);
    assert_eq!(delete.clone().send().await.unwrap().deleted().len(), 100);
    assert_eq!(refusal(delete.clone().send().await).0, "SlowDown");
    wait(1).await;
    delete.send().await.unwrap();
    assert_eq!(bench.account().buckets[ROWS].versions.len(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_locked_version_is_denied_inside_a_200() {
    let bench = bench(&["free"]);
    bench.account().put(ROWS, "locked", Version { locked: true, ..Version::of(*b"row") });
    let versions = bench.s3.list_object_versions().bucket(ROWS).send().await.unwrap();
    let objects: Vec<_> = versions
        .versions()
        .iter()
        .map(|it| {
            ObjectIdentifier::builder()
                .key(it.key().unwrap())
                .set_version_id(it.version_id().map(str::to_owned))
        })
        .map(|it| it.build().unwrap())
        .collect();
    let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build().unwrap();
    let answer = bench.s3.delete_objects().bucket(ROWS).delete(delete).send().await.unwrap();
    assert_eq!((answer.errors().len(), answer.deleted().len()), (1, 0));
    assert_eq!((answer.errors()[0].key(), answer.errors()[0].code()), (Some("locked"), Some("AccessDenied")));
    assert!(!bench.account().buckets[ROWS].holds("free"));
}

#[tokio::test(start_paused = true)]
async fn a_great_many_versions_are_there_at_once_and_a_page_of_them_too() {
    let bench = bench(&[]);
    bench.account().fill(ROWS, 100_000);
    let (mut pages, mut found, mut next) = (0, 0, (None, None));
    loop {
        let (key, id) = std::mem::take(&mut next);
        let list = bench.s3.list_object_versions().bucket(ROWS).set_key_marker(key).set_version_id_marker(id);
        let answer = list.send().await.unwrap();
        (pages, found) = (pages + 1, found + answer.versions().len() + answer.delete_markers().len());
        if answer.is_truncated() != Some(true) {
            break;
        }
        let of = |marker: Option<&str>| marker.map(str::to_owned);
        next = (of(answer.next_key_marker()), of(answer.next_version_id_marker()));
    }
    assert_eq!((pages, found), (100, 100_000));
}
