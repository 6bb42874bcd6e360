//! Updates of a stack that is there, and small stacks of other shapes.

use crate::bench::{Bench, CODE, SHA256, STACK, refusal, wait};
use aws_sdk_cloudformation::types as cfn;
use simulated_aws::Version;

fn tags(pairs: &[(&str, &str)]) -> Vec<cfn::Tag> {
    pairs.iter().map(|(key, value)| cfn::Tag::builder().key(*key).value(*value).build()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_change_of_tags_alone_updates_all_that_takes_tags_within_seconds() {
    let bench = Bench::deployed().await;
    let update = bench.cloudformation.update_stack().stack_name(STACK).use_previous_template(true);
    let update = update.capabilities(cfn::Capability::CapabilityNamedIam);
    update.clone().set_tags(Some(tags(&[("team", "rows")]))).send().await.unwrap();
    assert_eq!(bench.status(), "UPDATE_IN_PROGRESS");
    wait(20).await;
    assert_eq!(bench.status(), "UPDATE_COMPLETE");
    for logical_id in ["Stream", "Bucket", "Group", "Role", "Processor", "Delivery"] {
        let said = bench.said_of(logical_id).await;
        assert!(said.iter().any(|(status, _)| status == "UPDATE_COMPLETE"), "{logical_id}: {said:?}");
    }
    {
        let account = bench.account();
        let stream = account.thing("AWS::Kinesis::Stream", "trades").unwrap();
        assert_eq!(stream.tags.get("team").map(String::as_str), Some("rows"));
    }
    // Tags that aren't sent stay.
    let (code, message) = refusal(update.clone().send().await);
    assert_eq!((code.as_str(), message.as_str()), ("ValidationError", "No updates are to be performed."));
    let same = update.set_tags(Some(tags(&[("team", "rows")]))).send().await;
    assert_eq!(refusal(same).1, "No updates are to be performed.");
}

const SMALL: &str = r#"
Parameters:
  Code: {Type: String}
  Key: {Type: String}
Resources:
  Caller:
    Type: AWS::IAM::Role
    Properties: {RoleName: caller}
  Log:
    Type: AWS::Logs::LogGroup
    Properties: {LogGroupName: /small/log}
  Program:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: small
      Role: !GetAtt Caller.Arn
      Code: {S3Bucket: !Ref Code, S3Key: !Ref Key}
      LoggingConfig: {LogGroup: !Ref Log}
  Clock:
    Type: AWS::Events::Rule
    Properties:
      Name: small-clock
      ScheduleExpression: rate(15 minutes)
      Targets: [{Id: program, Arn: !GetAtt Program.Arn}]
  Permission:
    Type: AWS::Lambda::Permission
    Properties:
      Action: lambda:InvokeFunction
      FunctionName: !Ref Program
      Principal: events.amazonaws.com
      SourceArn: !GetAtt Clock.Arn
Outputs:
  Clock: {Value: !GetAtt Clock.Arn}
"#;

#[tokio::test(start_paused = true)]
async fn a_function_that_a_rule_calls_is_made_changed_with_previous_values_and_deleted() {
    let bench = Bench::new();
    let parameter = |key: &str| cfn::Parameter::builder().parameter_key(key);
    let key = format!("processor/{SHA256}.zip");
    let made = bench.change_set(SMALL).parameters(parameter("Code").parameter_value(CODE).build());
    let made = made.parameters(parameter("Key").parameter_value(&key).build()).send().await.unwrap();
    let change_set = bench.ready(&made).await;
    bench.execute(&change_set).await;
    wait(120).await;
    let stack = bench.stack().await;
    assert_eq!(stack.stack_status(), Some(&cfn::StackStatus::CreateComplete));
    let clock = "arn:aws:events:us-east-1:123456789012:rule/small-clock";
    assert_eq!(stack.outputs()[0].output_value(), Some(clock));
    assert!(bench.account().exists("AWS::Events::Rule", "small-clock"));
    let look = bench.lambda.get_function_configuration().function_name("small");
    let before = look.clone().send().await.unwrap();

    let other = format!("processor/{}.zip", SHA256.replace('e', "f"));
    bench.account().put(CODE, &other, Version::default());
    let update = bench.cloudformation.update_stack().stack_name(STACK).use_previous_template(true);
    let update = update.capabilities(cfn::Capability::CapabilityNamedIam);
    let update = update.parameters(parameter("Code").use_previous_value(true).build());
    update.parameters(parameter("Key").parameter_value(&other).build()).send().await.unwrap();
    wait(60).await;
    assert_eq!(bench.status(), "UPDATE_COMPLETE");
    assert_ne!(look.send().await.unwrap().code_sha256(), before.code_sha256());

    bench.delete().await;
    wait(60).await;
    assert_eq!(bench.status(), "DELETE_COMPLETE");
    assert!(bench.account().things.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_is_only_planned_tells_neither_tags_nor_parameters() {
    let bench = Bench::new();
    let made = bench.change_set(crate::bench::TEMPLATE).set_tags(Some(tags(&[("team", "rows")])));
    made.send().await.unwrap();
    let stack = bench.stack().await;
    assert_eq!(stack.stack_status(), Some(&cfn::StackStatus::ReviewInProgress));
    assert_eq!((stack.tags().len(), stack.parameters().len()), (0, 0));
}
