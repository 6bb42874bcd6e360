//! Change sets.

use crate::bench::{Bench, CODE, STACK, TEMPLATE, refusal, wait};
use aws_sdk_cloudformation::types as cfn;
use simulated_aws::Version;

#[tokio::test(start_paused = true)]
async fn a_change_set_is_pending_then_in_progress_then_complete() {
    let bench = Bench::new();
    bench.account().script.change_set_seconds = 10.0;
    let made = bench.change_set(TEMPLATE).send().await.unwrap();
    let mut seen = Vec::new();
    for _ in 0..4 {
        let request = bench.cloudformation.describe_change_set().change_set_name(made.id().unwrap());
        seen.push(request.send().await.unwrap().status().unwrap().as_str().to_owned());
        wait(4).await;
    }
    assert_eq!(seen, ["CREATE_PENDING", "CREATE_PENDING", "CREATE_IN_PROGRESS", "CREATE_COMPLETE"]);
}

#[tokio::test(start_paused = true)]
async fn a_no_changes_change_set_is_failed_with_didnt_contain_changes() {
    let bench = Bench::deployed().await;
    let change_set = bench.plan(TEMPLATE).await;
    assert_eq!(change_set.status(), Some(&cfn::ChangeSetStatus::Failed));
    assert!(change_set.status_reason().unwrap().contains("didn't contain changes"));
    let change_set = bench.plan(&format!("# another text\n{TEMPLATE}")).await;
    assert_eq!(change_set.status_reason(), Some("No updates are to be performed."));
}

#[tokio::test(start_paused = true)]
async fn an_output_alone_is_a_change() {
    let bench = Bench::deployed().await;
    let change_set = bench.plan(&format!("{TEMPLATE}  Another: {{Value: one}}\n")).await;
    assert_eq!(change_set.status(), Some(&cfn::ChangeSetStatus::CreateComplete));
    assert_eq!(change_set.changes().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_create_change_set_leaves_review_in_progress_in_which_update_is_refused_and_create_is_not() {
    let bench = Bench::new();
    bench.plan(TEMPLATE).await;
    assert_eq!(bench.status(), "REVIEW_IN_PROGRESS");
    let update = bench.change_set(TEMPLATE).change_set_type(cfn::ChangeSetType::Update).send().await;
    assert!(refusal(update).1.contains("is in REVIEW_IN_PROGRESS state and can not be updated"));
    bench.change_set(TEMPLATE).send().await.unwrap();
    bench.delete().await;
    assert_eq!(bench.status(), "DELETE_COMPLETE");
}

#[tokio::test(start_paused = true)]
async fn a_look_after_an_execution_can_still_say_review_in_progress() {
    let bench = Bench::new();
    bench.account().script.stale_seconds = 20.0;
    let change_set = bench.plan(TEMPLATE).await;
    bench.execute(&change_set).await;
    assert_eq!(bench.stack().await.stack_status(), Some(&cfn::StackStatus::ReviewInProgress));
    wait(20).await;
    assert_eq!(bench.stack().await.stack_status(), Some(&cfn::StackStatus::CreateInProgress));
}

#[tokio::test(start_paused = true)]
async fn describe_change_set_pages_and_tells_values_only_where_asked() {
    let bench = Bench::deployed().await;
    bench.account().script.page = 1;
    let changed = TEMPLATE
        .replace("ShardCount: 1", "ShardCount: 2")
        .replace("RetentionInDays: 7", "RetentionInDays: 9");
    let change_set = bench.plan(&changed).await;
    assert_eq!((change_set.changes().len(), change_set.next_token().is_some()), (1, true));
    let target =
        |answer: &[cfn::Change]| answer[0].resource_change().unwrap().details()[0].target().cloned().unwrap();
    let first = target(change_set.changes());
    assert_eq!((first.before_value(), first.after_value()), (Some("1"), Some("2")));

    let request =
        bench.cloudformation.describe_change_set().change_set_name(change_set.change_set_id().unwrap());
    let second = request.clone().next_token(change_set.next_token().unwrap()).send().await.unwrap();
    assert_eq!((second.changes().len(), second.next_token()), (1, None));
    assert_eq!(target(request.send().await.unwrap().changes()).before_value(), None);
}

#[tokio::test(start_paused = true)]
async fn replacing_are_names_the_source_and_a_roles_path_and_not_the_destination() {
    let bench = Bench::deployed().await;
    for (from, to, replaces) in [
        ("Name: trades", "Name: other", true),
        ("RoleName: pipeline", "RoleName: pipeline, Path: /x/", true),
        ("DeliveryStreamType: KinesisStreamAsSource", "DeliveryStreamType: DirectPut", true),
        ("Prefix: rows/", "Prefix: lines/", false),
        ("ShardCount: 1", "ShardCount: 2", false),
    ] {
        let change_set = bench.plan(&TEMPLATE.replace(from, to)).await;
        let change = change_set.changes()[0].resource_change().unwrap();
        let replaced = change.replacement() == Some(&cfn::Replacement::True);
        assert_eq!(replaced, replaces, "{to}");
        assert_eq!(change.policy_action().is_some(), replaces, "{to}");
    }
}

#[tokio::test(start_paused = true)]
async fn executing_one_deletes_the_other_change_sets() {
    let bench = Bench::deployed().await;
    let first = bench.plan(&TEMPLATE.replace("ShardCount: 1", "ShardCount: 2")).await;
    let second = bench.plan(&TEMPLATE.replace("ShardCount: 1", "ShardCount: 3")).await;
    bench.execute(&second).await;
    wait(300).await;
    let request = bench.cloudformation.execute_change_set().change_set_name(first.change_set_id().unwrap());
    assert_eq!(refusal(request.send().await).0, "ChangeSetNotFound");
    let left = bench.cloudformation.list_change_sets().stack_name(STACK).send().await.unwrap();
    assert_eq!(left.summaries().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_same_request_once_more_is_the_same_change_set_and_the_same_execution() {
    let bench = Bench::new();
    let request = bench.change_set(TEMPLATE).client_token("token");
    let (first, again) = (request.clone().send().await.unwrap(), request.send().await.unwrap());
    assert_eq!(first.id(), again.id());
    bench.ready(&first).await;
    let execute = bench.cloudformation.execute_change_set().change_set_name(first.id().unwrap());
    let execute = execute.client_request_token("execution");
    execute.clone().send().await.unwrap();
    execute.send().await.unwrap();
    let other = bench.cloudformation.execute_change_set().change_set_name(first.id().unwrap());
    assert_eq!(refusal(other.send().await).0, "InvalidChangeSetStatus");
    assert_eq!(bench.stack().await.last_operations().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_role_once_given_sticks() {
    let bench = Bench::new();
    let role = "arn:aws:iam::123456789012:role/deployer";
    let made = bench.change_set(TEMPLATE).role_arn(role).send().await.unwrap();
    let change_set = bench.ready(&made).await;
    bench.execute(&change_set).await;
    wait(300).await;
    bench.deploy(&TEMPLATE.replace("ShardCount: 1", "ShardCount: 2")).await;
    assert_eq!(bench.stack().await.role_arn(), Some(role));
}

#[tokio::test(start_paused = true)]
async fn import_existing_resources_adopts_only_static_names_that_are_retained_and_in_no_other_stack() {
    let kept = TEMPLATE.replace("DeletionPolicy: Delete", "DeletionPolicy: RetainExceptOnCreate");
    let by_function =
        kept.replace("BucketName: rows-of-the-pipeline", "BucketName: !Sub rows-of-the-pipeline");
    for (template, adopted) in [(kept.as_str(), true), (TEMPLATE, false), (&by_function, false)] {
        let bench = Bench::new();
        bench.account().make("AWS::S3::Bucket", "rows-of-the-pipeline");
        bench.account().put("rows-of-the-pipeline", "rows/1", Version::default());
        let made = bench.change_set(template).import_existing_resources(true).send().await.unwrap();
        let change_set = bench.ready(&made).await;
        assert_eq!(change_set.status() == Some(&cfn::ChangeSetStatus::CreateComplete), adopted);
        if adopted {
            let imports = change_set.changes().iter().filter_map(|change| change.resource_change());
            let imports = imports.filter(|it| it.action() == Some(&cfn::ChangeAction::Import));
            assert_eq!(imports.count(), 1);
            bench.execute(&change_set).await;
            wait(300).await;
            assert_eq!(bench.said_of("Bucket").await.last().unwrap().0, "IMPORT_COMPLETE");
            assert!(bench.account().buckets["rows-of-the-pipeline"].holds("rows/1"));
        }
    }
    let bench = Bench::deployed().await;
    let made = bench.change_set(&kept).stack_name("another").change_set_type(cfn::ChangeSetType::Create);
    let made = made.import_existing_resources(true).send().await.unwrap();
    assert_eq!(bench.ready(&made).await.status(), Some(&cfn::ChangeSetStatus::Failed));
}

#[tokio::test(start_paused = true)]
async fn an_inline_template_has_at_most_51200_bytes_and_one_by_url_a_mebibyte() {
    let bench = Bench::new();
    let long = format!("# {}\n{TEMPLATE}", "x".repeat(51_200));
    assert!(refusal(bench.change_set(&long).send().await).1.contains("51200"));
    bench.s3.put_object().bucket(CODE).key("template").body(long.into_bytes().into()).send().await.unwrap();
    let url = format!("https://{CODE}.s3.us-east-1.amazonaws.com/template");
    let request = bench.change_set("").set_template_body(None).template_url(url);
    let change_set = bench.ready(&request.send().await.unwrap()).await;
    assert_eq!(change_set.status(), Some(&cfn::ChangeSetStatus::CreateComplete));
}

#[tokio::test(start_paused = true)]
async fn named_roles_need_a_capability_names_a_limit_and_tags_another() {
    let bench = Bench::new();
    let without = bench.change_set(TEMPLATE).set_capabilities(None).send().await;
    assert_eq!(refusal(without).0, "InsufficientCapabilitiesException");
    assert_eq!(
        refusal(bench.change_set(TEMPLATE).stack_name("x".repeat(129)).send().await).0,
        "ValidationError"
    );
    let tags = (0..51).map(|n| cfn::Tag::builder().key(n.to_string()).value("x").build()).collect();
    assert_eq!(refusal(bench.change_set(TEMPLATE).set_tags(Some(tags)).send().await).0, "ValidationError");
}

#[tokio::test(start_paused = true)]
async fn what_was_adopted_is_left_alone_when_the_creation_or_update_is_rolled_back() {
    let kept = TEMPLATE.replace("DeletionPolicy: Delete", "DeletionPolicy: RetainExceptOnCreate");
    let another =
        kept.replace("BucketName: rows", "BucketName: more-rows").replace("  Bucket:\n", "  More:\n");
    let more = another[another.find("  More:").unwrap()..another.find("  Group:").unwrap()].to_owned();
    let both =
        kept.replace("  Group:\n", &format!("{more}  Group:\n")).replace("Prefix: rows/", "Prefix: x/");
    for (template, bucket, end) in [
        (&kept, "rows-of-the-pipeline", "ROLLBACK_COMPLETE"),
        (&both, "more-rows-of-the-pipeline", "UPDATE_ROLLBACK_COMPLETE"),
    ] {
        let bench = if end == "ROLLBACK_COMPLETE" { Bench::new() } else { Bench::deployed().await };
        bench.account().make("AWS::S3::Bucket", bucket);
        bench.account().put(bucket, "rows/1", Version::default());
        bench.account().script.failing.insert("Delivery".to_owned(), "no".to_owned());
        let made = bench.change_set(template).import_existing_resources(true).send().await.unwrap();
        let change_set = bench.ready(&made).await;
        bench.execute(&change_set).await;
        wait(600).await;
        assert_eq!(bench.status(), end);
        assert!(bench.account().buckets[bucket].holds("rows/1"));
        let live = bench.account().stack(STACK).unwrap().resources.clone();
        let held = live.iter().any(|it| it.physical_id == bucket && it.status != "DELETE_SKIPPED");
        assert!(!held, "{live:?}");
    }
}
