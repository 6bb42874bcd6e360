//! As strict as AWS: the built binary against the local cloud behind a double that refuses to remove a bucket that
//! isn't empty, and lets rows land after the emptying. The local cloud alone would delete it with all its data.

mod double;
mod rewrite;

use crate::sandbox::{Run, Sandbox};
use crate::schema::assert_events;
use crate::services::{clients_at, endpoint, left};
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use aws_smithy_types::byte_stream::ByteStream;
use double::{Double, Trouble};
use kinesis_stack::cloud::Clients;
use kinesis_stack::environment::Environment;
use std::process::{Command, Stdio};

const BUCKET: &str = "kinesis-stack-000000000000-pr-1-us-east-1";
/// More than one DeleteObjects call takes.
const OBJECTS: usize = 1_050;

/// The binary on what it takes for AWS.
fn command(sandbox: &Sandbox, double: &Double, line: &str) -> Command {
    let mut command = sandbox.command(line);
    command
        .env("AWS_ENDPOINT_URL", &double.endpoint)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_REGION", "us-east-1")
        // A proxy of this machine's has no say here.
        .env_remove("no_proxy")
        .env("NO_PROXY", "127.0.0.1");
    command
}

/// A run that has to end well.
fn ok(sandbox: &Sandbox, double: &Double, line: &str) -> Run {
    let run = Run::of(command(sandbox, double, line).output().unwrap());
    assert_eq!(run.code, 0, "{line}: {run:?}");
    run
}

/// All kinds of things that have to go before a bucket can: versions, delete markers, an unfinished upload.
async fn fill(clients: &Clients) {
    let s3 = &clients.s3;
    let versioned = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    s3.put_bucket_versioning().bucket(BUCKET).versioning_configuration(versioned).send().await.unwrap();
    for number in 0..OBJECTS {
        // Some keys again and again.
        let key = format!("rows/2026/11/26/{}", number % (OBJECTS / 2));
        let body = ByteStream::from_static(b"{}\n");
        s3.put_object().bucket(BUCKET).key(key).body(body).send().await.unwrap();
    }
    for number in 0..10 {
        s3.delete_object().bucket(BUCKET).key(format!("rows/2026/11/26/{number}")).send().await.unwrap();
    }
    let upload = s3.create_multipart_upload().bucket(BUCKET).key("errors/half").send().await.unwrap();
    let part = s3.upload_part().bucket(BUCKET).key("errors/half").upload_id(upload.upload_id().unwrap());
    part.part_number(1).body(ByteStream::from_static(b"half")).send().await.unwrap();
}

#[tokio::test]
async fn a_full_bucket_in_which_rows_land_late_goes_with_all_its_versions_on_a_strict_cloud() {
    let sandbox = Sandbox::new();
    // A second environment keeps the local cloud alive, so that it can be asked after the first is gone.
    sandbox.ok("up --local --env other --yes");
    let behind = endpoint(&sandbox);
    let clients = clients_at(&behind).await;
    let trouble = Trouble {
        bucket: BUCKET.to_owned(),
        late_after_emptying: 2,
        late_at_removal: 1,
        refused_keys: 1,
        slow_down_every: Some(7),
        unanswered_deletions: 0,
    };
    let double = Double::new(&behind, trouble);
    ok(&sandbox, &double, "up --env pr-1 --yes");
    ok(&sandbox, &double, "produce --env pr-1 --records 20");
    ok(&sandbox, &double, "results --env pr-1 --wait 20 --timeout 2m");
    fill(&clients).await;

    let environment = Environment::new("pr-1".parse().unwrap());
    assert_eq!(left(&clients, &environment).await.len(), 8, "all of it is there, and the questions find it");
    let down = ok(&sandbox, &double, "down --env pr-1 --yes --output json");
    assert_events(&down);
    assert_eq!(left(&clients, &environment).await, [""; 0]);

    let deeds = double.deeds();
    assert_eq!(deeds.late_objects, 3, "rows landed late, and were taken along: {deeds:?}");
    assert!(deeds.refused_buckets > 0, "the bucket was refused while it held something: {deeds:?}");
    assert_eq!(deeds.refused_keys, 1, "a key was refused in a good answer: {deeds:?}");
    assert!(deeds.slowed_down > 0, "S3 throttled: {deeds:?}");
    assert!(deeds.refused_stacks.is_empty(), "CloudFormation never had to delete the bucket: {deeds:?}");
    let again = ok(&sandbox, &double, "down --env pr-1 --yes --output json");
    assert_eq!(again.end()["changed"], false);
    let other = Environment::new("other".parse().unwrap());
    assert_eq!(left(&clients, &other).await.len(), 8, "the other one stays");
}

#[tokio::test]
async fn killed_while_it_empties_the_same_command_again_ends_it() {
    let sandbox = Sandbox::new();
    sandbox.ok("up --local --env other --yes");
    sandbox.ok("up --local --env pr-1 --yes");
    let behind = endpoint(&sandbox);
    let clients = clients_at(&behind).await;
    fill(&clients).await;
    let trouble = Trouble { bucket: BUCKET.to_owned(), unanswered_deletions: 1, ..Trouble::default() };
    let silent = Double::new(&behind, trouble);
    let mut down = tokio::process::Command::from(command(&sandbox, &silent, "down --env pr-1 --yes"));
    let mut down = down.stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn().unwrap();
    silent.until_silent();
    down.kill().await.unwrap();
    let environment = Environment::new("pr-1".parse().unwrap());
    assert!(left(&clients, &environment).await.contains(&"bucket"), "the bucket isn't gone yet");

    let trouble = Trouble { bucket: BUCKET.to_owned(), late_after_emptying: 1, ..Trouble::default() };
    let double = Double::new(&behind, trouble);
    ok(&sandbox, &double, "down --env pr-1 --yes");
    assert_eq!(left(&clients, &environment).await, [""; 0]);
    assert_eq!(double.deeds().late_objects, 1);
}

#[tokio::test]
async fn a_bucket_that_something_keeps_writing_to_is_named_and_goes_once_that_has_ended() {
    let sandbox = Sandbox::new();
    sandbox.ok("up --local --env other --yes");
    sandbox.ok("up --local --env pr-1 --yes");
    let behind = endpoint(&sandbox);
    let clients = clients_at(&behind).await;
    let trouble = Trouble { bucket: BUCKET.to_owned(), late_at_removal: u32::MAX, ..Trouble::default() };
    let written_to = Double::new(&behind, trouble);
    let run = Run::of(command(&sandbox, &written_to, "down --env pr-1 --yes").output().unwrap());
    assert_eq!(run.code, 8, "{run:?}");
    assert!(run.stderr.contains(BUCKET), "{run:?}");
    let environment = Environment::new("pr-1".parse().unwrap());
    assert_eq!(left(&clients, &environment).await, ["bucket"], "all else is gone");

    let quiet = Double::new(&behind, Trouble::default());
    ok(&sandbox, &quiet, "down --env pr-1 --yes");
    assert_eq!(left(&clients, &environment).await, [""; 0]);
}

const TEMPLATE: &str =
    "Resources:\n  Bucket:\n    Type: AWS::S3::Bucket\n    Properties:\n      BucketName: full\n";

#[tokio::test]
async fn the_double_refuses_what_the_local_cloud_would_delete_with_its_data() {
    let sandbox = Sandbox::new();
    sandbox.ok("up --local --env other --yes");
    let behind = endpoint(&sandbox);
    let double = Double::new(&behind, Trouble::default());
    let (lenient, strict) = (clients_at(&behind).await, clients_at(&double.endpoint).await);
    let make = || async {
        let template = TEMPLATE.to_owned();
        strict.cloudformation.create_stack().stack_name("full").template_body(template).send().await.unwrap();
        let body = ByteStream::from_static(b"{}\n");
        strict.s3.put_object().bucket("full").key("row").body(body).send().await.unwrap();
    };

    make().await;
    let refused = strict.s3.delete_bucket().bucket("full").send().await.unwrap_err().into_service_error();
    assert_eq!(refused.meta().code(), Some("BucketNotEmpty"));
    let refused = strict.cloudformation.delete_stack().stack_name("full").send().await;
    assert!(format!("{refused:?}").contains("The bucket you tried to delete is not empty"), "{refused:?}");
    assert!(lenient.s3.head_object().bucket("full").key("row").send().await.is_ok(), "nothing was deleted");
    strict.s3.delete_object().bucket("full").key("row").send().await.unwrap();
    strict.cloudformation.delete_stack().stack_name("full").send().await.unwrap();
    assert!(
        lenient.s3.head_bucket().bucket("full").send().await.is_err(),
        "an empty one goes with its stack"
    );
    let deeds = double.deeds();
    assert_eq!((deeds.refused_buckets, deeds.refused_stacks), (1, vec!["full".to_owned()]));

    make().await;
    lenient.cloudformation.delete_stack().stack_name("full").send().await.unwrap();
    assert!(
        lenient.s3.head_bucket().bucket("full").send().await.is_err(),
        "without the double data goes unasked"
    );
}
