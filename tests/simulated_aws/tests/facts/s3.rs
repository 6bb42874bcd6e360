//! S3.

use crate::bench::{Bench, refusal, wait};
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration, Delete, ObjectIdentifier};
use simulated_aws::{ACCOUNT, Bucket, Fault, Refusal, STRANGER, Version, When};

fn objects(keys: impl Iterator<Item = (String, Option<String>)>) -> Delete {
    let object = |(key, version): (String, Option<String>)| {
        ObjectIdentifier::builder().key(key).set_version_id(version).build().unwrap()
    };
    Delete::builder().set_objects(Some(keys.map(object).collect())).quiet(true).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn delete_objects_takes_1000_keys_and_tells_errors_a_key_inside_a_200() {
    let bench = Bench::new();
    bench.account().make("AWS::S3::Bucket", "rows");
    let request = bench.s3.delete_objects().bucket("rows");
    let many = |n: usize| objects((0..n).map(|n| (n.to_string(), Some("v".to_owned()))));
    assert_eq!(refusal(request.clone().delete(many(1_001)).send().await).0, "MalformedXML");
    bench.account().script.key_errors = 2;
    let answer = request.delete(many(1_000)).send().await.unwrap();
    assert_eq!(answer.errors().len(), 2);
    assert_eq!(answer.errors()[0].code(), Some("InternalError"));
}

#[tokio::test(start_paused = true)]
async fn throttling_is_503_slow_down() {
    let bench = Bench::new();
    let refused = Refusal::throttled("s3");
    bench.account().faults.push(Fault { operation: "PutObject", when: When::Times(1), refusal: refused });
    let put = || bench.s3.put_object().bucket(crate::bench::CODE).key("x").body(b"x".to_vec().into());
    let error = put().send().await.unwrap_err();
    assert_eq!(error.raw_response().unwrap().status().as_u16(), 503);
    assert_eq!(refusal::<(), _, _>(Err(error)).0, "SlowDown");
    put().send().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_versioned_bucket_is_empty_only_without_versions_and_markers() {
    let bench = Bench::new();
    bench.account().make("AWS::S3::Bucket", "rows");
    bench.account().put("rows", "a", Version::default());
    let request = bench.s3.delete_objects().bucket("rows");
    request.delete(objects([("a".to_owned(), None)].into_iter())).send().await.unwrap();
    let left = bench.s3.list_object_versions().bucket("rows").send().await.unwrap();
    assert_eq!((left.versions().len(), left.delete_markers().len()), (1, 1));
    assert_eq!(refusal(bench.s3.delete_bucket().bucket("rows").send().await).0, "BucketNotEmpty");
    let versions = left.versions().iter().map(|it| it.version_id());
    let all = versions.chain(left.delete_markers().iter().map(|it| it.version_id()));
    let all: Vec<_> = all.map(|id| ("a".to_owned(), id.map(str::to_owned))).collect();
    bench.s3.delete_objects().bucket("rows").delete(objects(all.into_iter())).send().await.unwrap();
    // Unfinished uploads are in nobody's way.
    bench.account().buckets.get_mut("rows").unwrap().uploads.insert(("a".to_owned(), "1".to_owned()));
    bench.s3.delete_bucket().bucket("rows").send().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn another_owner_than_expected_is_a_403() {
    let bench = Bench::new();
    bench.account().make("AWS::S3::Bucket", "ours");
    bench.account().buckets.insert("theirs".to_owned(), Bucket::of(STRANGER));
    for (bucket, owner, refused) in
        [("ours", ACCOUNT, false), ("ours", STRANGER, true), ("theirs", ACCOUNT, true)]
    {
        let head = bench.s3.head_bucket().bucket(bucket).expected_bucket_owner(owner).send().await;
        let status = head.err().map(|error| error.raw_response().unwrap().status().as_u16());
        assert_eq!(status, refused.then_some(403), "{bucket} {owner}");
    }
}

#[tokio::test(start_paused = true)]
async fn creating_ones_own_bucket_again_is_a_200_that_resets_acls_in_us_east_1_and_refused_elsewhere() {
    let bench = Bench::new();
    bench.s3.create_bucket().bucket("rows").send().await.unwrap();
    bench.account().buckets.get_mut("rows").unwrap().acl = Some("public-read".to_owned());
    bench.s3.create_bucket().bucket("rows").send().await.unwrap();
    assert_eq!(bench.account().buckets["rows"].acl, None);

    let bench = Bench::in_region("eu-central-1");
    let here = CreateBucketConfiguration::builder()
        .location_constraint(BucketLocationConstraint::EuCentral1)
        .build();
    let create = bench.s3.create_bucket().create_bucket_configuration(here);
    create.clone().bucket("rows").send().await.unwrap();
    assert_eq!(refusal(create.clone().bucket("rows").send().await).0, "BucketAlreadyOwnedByYou");
    bench.account().buckets.insert("theirs".to_owned(), Bucket::of(STRANGER));
    assert_eq!(refusal(create.bucket("theirs").send().await).0, "BucketAlreadyExists");
}

#[tokio::test(start_paused = true)]
async fn us_east_1_is_no_location_constraint_and_all_other_regions_need_one() {
    let bench = Bench::new();
    let first = CreateBucketConfiguration::builder().location_constraint("us-east-1".into()).build();
    let create = bench.s3.create_bucket().bucket("rows").create_bucket_configuration(first);
    assert_eq!(refusal(create.send().await).0, "InvalidLocationConstraint");
    let bench = Bench::in_region("eu-central-1");
    let create = bench.s3.create_bucket().bucket("rows");
    assert_eq!(refusal(create.send().await).0, "InvalidLocationConstraint");
}

#[tokio::test(start_paused = true)]
async fn a_deleted_name_gives_operation_aborted_for_a_while() {
    let bench = Bench::new();
    bench.account().script.bucket_name_seconds = 60.0;
    bench.s3.create_bucket().bucket("rows").send().await.unwrap();
    bench.s3.delete_bucket().bucket("rows").send().await.unwrap();
    assert_eq!(refusal(bench.s3.create_bucket().bucket("rows").send().await).0, "OperationAborted");
    wait(60).await;
    bench.s3.create_bucket().bucket("rows").send().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_bucket_without_tags_has_no_tag_set() {
    let bench = Bench::new();
    bench.account().make("AWS::S3::Bucket", "rows");
    assert_eq!(refusal(bench.s3.get_bucket_tagging().bucket("rows").send().await).0, "NoSuchTagSet");
}
