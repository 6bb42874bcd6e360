//! States in which a stack is stuck, and the ways out; cancelling; roll-back off; stack policies.

use crate::bench::{BUCKET, Bench, STACK, TEMPLATE, refusal, wait};
use aws_sdk_cloudformation::types as cfn;

fn more() -> String {
    TEMPLATE.replace("ShardCount: 1", "ShardCount: 2").replace("RetentionInDays: 7", "RetentionInDays: 9")
}

fn fails(bench: &Bench, logical_id: &str) {
    bench.account().script.failing.insert(logical_id.to_owned(), "no".to_owned());
}

#[tokio::test(start_paused = true)]
async fn rollback_complete_can_only_be_deleted() {
    let bench = Bench::new();
    fails(&bench, "Delivery");
    bench.deploy(TEMPLATE).await;
    assert_eq!(bench.status(), "ROLLBACK_COMPLETE");
    let update = bench.change_set(&more()).send().await;
    assert!(refusal(update).1.contains("is in ROLLBACK_COMPLETE state and can not be updated"));
    bench.delete().await;
    wait(60).await;
    assert_eq!(bench.status(), "DELETE_COMPLETE");
}

#[tokio::test(start_paused = true)]
async fn a_failed_update_returns_to_what_was_and_deletes_what_it_made() {
    let bench = Bench::deployed().await;
    fails(&bench, "Delivery");
    let template = more()
        .replace("Prefix: rows/", "Prefix: x/")
        .replace("LogGroupName: /pipeline", "LogGroupName: /other");
    let template = template.replace(
        "Resources:",
        "Resources:\n  New:\n    Type: AWS::Kinesis::Stream\n    Properties: {Name: new}",
    );
    bench.deploy(&template).await;
    assert_eq!(bench.status(), "UPDATE_ROLLBACK_COMPLETE");
    let mut account = bench.account();
    for gone in [("AWS::Kinesis::Stream", "new"), ("AWS::Logs::LogGroup", "/other/processor")] {
        assert!(!account.exists(gone.0, gone.1), "{gone:?}");
    }
    assert!(account.exists("AWS::Logs::LogGroup", "/pipeline/processor"));
    let stack = account.stack(STACK).unwrap();
    assert_eq!(stack.deployed.template, TEMPLATE);
    let group = stack.resources.iter().find(|it| it.logical_id == "Group").unwrap();
    assert_eq!(group.physical_id, "/pipeline/processor");
}

#[tokio::test(start_paused = true)]
async fn with_rollback_off_a_failed_creation_stays_and_rollback_stack_takes_it_back() {
    let bench = Bench::new();
    fails(&bench, "Processor");
    let change_set = bench.plan(TEMPLATE).await;
    bench.execute_and_keep(&change_set).await;
    wait(300).await;
    assert_eq!(bench.status(), "CREATE_FAILED");
    assert!(bench.account().exists("AWS::S3::Bucket", BUCKET));
    assert_eq!(bench.stack().await.disable_rollback(), Some(true));
    let answer = bench.cloudformation.rollback_stack().stack_name(STACK).send().await.unwrap();
    assert!(answer.operation_id().is_some());
    assert_eq!(bench.status(), "ROLLBACK_IN_PROGRESS");
    wait(300).await;
    assert_eq!(bench.status(), "ROLLBACK_COMPLETE");
    assert!(!bench.account().exists("AWS::S3::Bucket", BUCKET));
}

#[tokio::test(start_paused = true)]
async fn with_rollback_off_a_failed_update_stays_and_demands_that_it_stays_off() {
    let bench = Bench::deployed().await;
    fails(&bench, "Stream");
    let change_set = bench.plan(&more()).await;
    bench.execute_and_keep(&change_set).await;
    wait(300).await;
    assert_eq!(bench.status(), "UPDATE_FAILED");
    bench.account().script.failing.clear();

    let change_set = bench.plan(&more()).await;
    let request =
        bench.cloudformation.execute_change_set().change_set_name(change_set.change_set_id().unwrap());
    let normal = request.disable_rollback(false).send().await;
    assert!(refusal(normal).1.contains("non-terminal [UPDATE_FAILED] state"));
    bench.execute_and_keep(&change_set).await;
    wait(300).await;
    assert_eq!(bench.status(), "UPDATE_COMPLETE");
}

#[tokio::test(start_paused = true)]
async fn a_failed_update_that_stays_is_rolled_back_to_the_last_good_state() {
    let bench = Bench::deployed().await;
    fails(&bench, "Stream");
    let change_set = bench.plan(&more()).await;
    bench.execute_and_keep(&change_set).await;
    wait(300).await;
    bench.cloudformation.rollback_stack().stack_name(STACK).send().await.unwrap();
    wait(300).await;
    assert_eq!(bench.status(), "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(bench.account().stack(STACK).unwrap().deployed.template, TEMPLATE);
}

#[tokio::test(start_paused = true)]
async fn with_rollback_off_replacements_are_refused() {
    let bench = Bench::deployed().await;
    let change_set = bench.plan(&TEMPLATE.replace("Name: trades", "Name: other")).await;
    bench.execute_and_keep(&change_set).await;
    wait(300).await;
    assert_eq!(bench.status(), "UPDATE_FAILED");
    let said = bench.said_of("Stream").await;
    assert!(
        said.last()
            .unwrap()
            .1
            .contains("Replacement type updates not supported on stack with disable-rollback")
    );
    assert!(bench.account().exists("AWS::Kinesis::Stream", "trades"));
}

#[tokio::test(start_paused = true)]
async fn update_rollback_failed_is_left_with_continue_update_rollback_which_can_skip() {
    for skip in [false, true] {
        let bench = Bench::deployed().await;
        fails(&bench, "Delivery");
        bench.account().script.stuck.insert("Stream".to_owned(), "stuck".to_owned());
        bench.deploy(&more().replace("Prefix: rows/", "Prefix: x/")).await;
        assert_eq!(bench.status(), "UPDATE_ROLLBACK_FAILED");
        let request = bench.cloudformation.continue_update_rollback().stack_name(STACK);
        if !skip {
            request.clone().send().await.unwrap();
            wait(300).await;
            assert_eq!(bench.status(), "UPDATE_ROLLBACK_FAILED");
            bench.account().script.stuck.clear();
        }
        let request = if skip { request.resources_to_skip("Stream") } else { request };
        request.clone().send().await.unwrap();
        wait(300).await;
        assert_eq!(bench.status(), "UPDATE_ROLLBACK_COMPLETE");
        assert!(refusal(request.send().await).1.contains("UPDATE_ROLLBACK_COMPLETE"));
    }
}

#[tokio::test(start_paused = true)]
async fn cancel_update_stack_only_in_update_in_progress() {
    let bench = Bench::deployed().await;
    let cancel = bench.cloudformation.cancel_update_stack().stack_name(STACK);
    assert_eq!(refusal(cancel.clone().send().await).0, "ValidationError");
    let change_set = bench.plan(&more()).await;
    bench.execute(&change_set).await;
    wait(5).await;
    cancel.client_request_token("cancel").send().await.unwrap();
    assert_eq!(bench.status(), "UPDATE_ROLLBACK_IN_PROGRESS");
    assert_eq!(bench.said_of("Stream").await.last().unwrap().1, "Resource update cancelled");
    wait(300).await;
    assert_eq!(bench.status(), "UPDATE_ROLLBACK_COMPLETE");
}

#[tokio::test(start_paused = true)]
async fn on_stack_failure_deletes_or_does_nothing_and_excludes_disable_rollback() {
    for (on_failure, end) in [
        (cfn::OnStackFailure::Delete, "DELETE_COMPLETE"),
        (cfn::OnStackFailure::DoNothing, "CREATE_FAILED"),
        (cfn::OnStackFailure::Rollback, "ROLLBACK_COMPLETE"),
    ] {
        let bench = Bench::new();
        fails(&bench, "Delivery");
        let made = bench.change_set(TEMPLATE).on_stack_failure(on_failure.clone()).send().await.unwrap();
        let change_set = bench.ready(&made).await;
        let execute =
            bench.cloudformation.execute_change_set().change_set_name(change_set.change_set_id().unwrap());
        assert_eq!(refusal(execute.disable_rollback(false).send().await).0, "ValidationError");
        bench.execute(&change_set).await;
        wait(400).await;
        assert_eq!(bench.status(), end);
    }
    let bench = Bench::deployed().await;
    let update = bench.change_set(&more()).on_stack_failure(cfn::OnStackFailure::Delete).send().await;
    assert!(refusal(update).1.contains("CREATE change sets"));
}

#[tokio::test(start_paused = true)]
async fn a_stack_policy_that_denies_a_replacement_makes_such_an_update_fail() {
    let bench = Bench::deployed().await;
    let policy = r#"{"Statement": [
        {"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": ["Update:Replace", "Update:Delete"], "Principal": "*",
         "Resource": "LogicalResourceId/Stream"}]}"#;
    bench.cloudformation.set_stack_policy().stack_name(STACK).stack_policy_body(policy).send().await.unwrap();
    let read = bench.cloudformation.get_stack_policy().stack_name(STACK).send().await.unwrap();
    assert_eq!(read.stack_policy_body(), Some(policy));
    bench.deploy(&more()).await;
    assert_eq!(bench.status(), "UPDATE_COMPLETE");
    bench.deploy(&TEMPLATE.replace("Name: trades", "Name: other")).await;
    assert_eq!(bench.status(), "UPDATE_ROLLBACK_COMPLETE");
    let said = bench.said_of("Stream").await;
    let denied = "Action denied by stack policy: Statement [#2] does not allow [Update:Replace] for resource [Stream];";
    assert!(said.contains(&("UPDATE_FAILED".to_owned(), denied.to_owned())), "{said:?}");
}

#[tokio::test(start_paused = true)]
async fn update_stack_tells_its_operation_and_that_nothing_is_to_be_done() {
    let bench = Bench::deployed().await;
    let update = bench.cloudformation.update_stack().stack_name(STACK);
    let update = update.capabilities(cfn::Capability::CapabilityNamedIam);
    let same = update.clone().use_previous_template(true).send().await;
    assert_eq!(refusal(same).1, "No updates are to be performed.");
    let answer = update.template_body(more()).send().await.unwrap();
    let stack = bench.stack().await;
    assert_eq!(answer.operation_id(), stack.last_operations()[0].operation_id());
    wait(300).await;
    assert_eq!(bench.status(), "UPDATE_COMPLETE");
}

#[tokio::test(start_paused = true)]
async fn somebody_elses_operation_refuses_ours() {
    let bench = Bench::deployed().await;
    bench.account().somebody_updates(STACK);
    let ours = bench.change_set(&more()).send().await;
    assert!(refusal(ours).1.contains("is in UPDATE_IN_PROGRESS state and can not be updated"));
}

#[tokio::test(start_paused = true)]
async fn what_has_a_name_of_its_own_cannot_be_replaced_without_another_name() {
    let bench = Bench::deployed().await;
    bench
        .deploy(
            &TEMPLATE.replace("DeliveryStreamType: KinesisStreamAsSource", "DeliveryStreamType: DirectPut"),
        )
        .await;
    assert_eq!(bench.status(), "UPDATE_ROLLBACK_COMPLETE");
    let said = bench.said_of("Delivery").await;
    assert!(
        said.iter().any(|(_, reason)| reason.contains("Rename delivery and update the stack again")),
        "{said:?}"
    );
}
