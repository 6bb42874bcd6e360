//! What the reaper's template promises.

use super::*;
use crate::environment::Environment;
use crate::reaper;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

fn shape() -> Shape {
    let every = Every::new(Duration::from_secs(900)).unwrap();
    Shape { architecture: Architecture::X86_64, every, endpoint: None }
}

/// The statements of the role: what is allowed or denied, and on what.
fn statements() -> Vec<(String, BTreeSet<String>, Vec<String>)> {
    let document: Value = serde_yaml::from_str(&render(&shape()).unwrap()).unwrap();
    let policies = document["Resources"]["Role"]["Properties"]["Policies"].as_sequence().unwrap();
    let statements = policies.iter().flat_map(|it| it["PolicyDocument"]["Statement"].as_sequence().unwrap());
    let text = |value: &Value| match value {
        Value::Tagged(tagged) => tagged.value.as_str().unwrap().to_owned(),
        plain => plain.as_str().unwrap().to_owned(),
    };
    let texts = |value: &Value| -> Vec<String> {
        value.as_sequence().map_or_else(|| vec![text(value)], |items| items.iter().map(text).collect())
    };
    let read = |it: &Value| {
        (text(&it["Effect"]), texts(&it["Action"]).into_iter().collect(), texts(&it["Resource"]))
    };
    statements.map(read).collect()
}

/// Whether the role may do something with a thing.
fn may(action: &str, arn: &str) -> bool {
    let arn_of = |pattern: &str| {
        let filled = [
            ("${AWS::Partition}", "aws"),
            ("${AWS::Region}", "us-east-1"),
            ("${AWS::AccountId}", "123456789012"),
        ];
        filled.iter().fold(pattern.to_owned(), |text, (name, value)| text.replace(name, value))
    };
    let hits = |effect: &str| {
        statements().iter().any(|(is, actions, resources)| {
            is == effect
                && actions.contains(action)
                && resources.iter().any(|pattern| is_like(arn, &arn_of(pattern)))
        })
    };
    hits("Allow") && !hits("Deny")
}

/// As IAM compares: `*` stands for any characters.
fn is_like(text: &str, pattern: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return text == pattern };
    let Some(text) = text.strip_prefix(first) else { return false };
    (0..=text.len()).any(|at| text.is_char_boundary(at) && is_like(&text[at..], rest))
}

#[test]
fn the_template_is_what_was_reviewed() {
    let endpoint = Some("http://127.0.0.1:4566".to_owned());
    insta::assert_snapshot!("reaper", render(&Shape { endpoint, ..shape() }).unwrap());
    assert!(!render(&shape()).unwrap().contains("AWS_ENDPOINT_URL"));
}

#[test]
fn it_fits_inline_and_its_policy_fits_a_role() {
    let text = render(&shape()).unwrap();
    assert!(text.len() < 51_200);
    // 10,240 characters for all inline policies of a role, white space not counted:
    // <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>.
    let document: Value = serde_yaml::from_str(&text).unwrap();
    let policies = serde_yaml::to_string(&document["Resources"]["Role"]["Properties"]["Policies"]).unwrap();
    let characters = policies.chars().filter(|c| !c.is_whitespace()).count();
    assert!(characters < 10_240, "{characters}");
}

#[test]
fn each_statement_names_its_resources_but_where_the_service_knows_none() {
    let mut everywhere = BTreeSet::new();
    for (_, actions, resources) in statements() {
        assert!(actions.iter().all(|action| !action.contains('*')), "{actions:?}");
        let is_ours = |arn: &String| arn.contains("kinesis-stack") || arn.ends_with(":log-group:*");
        if !resources.iter().all(is_ours) {
            everywhere.extend(actions);
        }
    }
    let known = ["cloudformation:DescribeStacks", "ec2:DescribeNetworkInterfaces", "tag:GetResources"];
    assert_eq!(everywhere, known.map(str::to_owned).into());
}

/// `handlers.delete.permissions` of the schemas of the types that an environment consists of, as cfn-lint 1.58.0
/// brings them (us-east-1), but for keys of the customer's (KMS), which an environment has none of.
#[test]
fn it_may_do_all_that_cloudformation_does_in_its_name_when_it_deletes_an_environment() {
    let environment = Environment::new("pr-42".parse().unwrap());
    let (region, account) = ("us-east-1", "123456789012");
    let arn = |service: &str, resource: &str| format!("arn:aws:{service}:{region}:{account}:{resource}");
    let roles = [environment.processor_role(region), environment.delivery_role(region)];
    let roles = roles.map(|role| format!("arn:aws:iam::{account}:role/{role}"));
    let bucket = format!("arn:aws:s3:::{}", environment.bucket(account, region));
    let groups = [environment.processor_log_group(), environment.delivery_log_group()];
    let groups = groups.map(|group| arn("logs", &format!("log-group:{group}:*")));
    let streams =
        [arn("logs", &format!("log-group:{}:log-stream:S3Delivery", environment.delivery_log_group()))];
    type Row<'a> = (&'a str, &'a [&'a str], Vec<String>);
    let table: [Row<'_>; 8] = [
        (
            "AWS::Kinesis::Stream",
            &[
                "kinesis:DescribeStreamSummary",
                "kinesis:DeleteStream",
                "kinesis:RemoveTagsFromStream",
                "kinesis:UntagResource",
            ],
            vec![arn("kinesis", &format!("stream/{}", environment.stream()))],
        ),
        (
            "AWS::KinesisFirehose::DeliveryStream",
            &["firehose:DeleteDeliveryStream", "firehose:DescribeDeliveryStream"],
            vec![arn("firehose", &format!("deliverystream/{}", environment.delivery_stream()))],
        ),
        (
            "AWS::Lambda::Function",
            &["lambda:DeleteFunction", "lambda:GetFunction", "ec2:DescribeNetworkInterfaces"],
            vec![arn("lambda", &format!("function:{}", environment.processor()))],
        ),
        (
            "AWS::IAM::Role",
            &[
                "iam:DeleteRole",
                "iam:DetachRolePolicy",
                "iam:DeleteRolePolicy",
                "iam:GetRole",
                "iam:ListAttachedRolePolicies",
                "iam:ListRolePolicies",
                "iam:TagRole",
                "iam:UntagRole",
            ],
            roles.into(),
        ),
        (
            "AWS::Logs::LogGroup",
            &["logs:DescribeLogGroups", "logs:DeleteLogGroup", "logs:DeleteDataProtectionPolicy"],
            groups.into(),
        ),
        ("AWS::Logs::LogStream", &["logs:DeleteLogStream"], streams.into()),
        ("AWS::S3::Bucket", &["s3:DeleteBucket", "s3:ListBucket"], vec![bucket.clone()]),
        ("AWS::S3::BucketPolicy", &["s3:GetBucketPolicy", "s3:DeleteBucketPolicy"], vec![bucket]),
    ];
    // A resource of a new type needs a row of its own here.
    let document: Value = serde_yaml::from_str(
        &crate::template::render(&environment, &crate::template::tests::shape()).unwrap(),
    )
    .unwrap();
    let types = document["Resources"].as_mapping().unwrap().values().map(|it| it["Type"].as_str().unwrap());
    let listed: BTreeMap<&str, _> = table.iter().map(|(kind, ..)| (*kind, ())).collect();
    assert_eq!(types.collect::<BTreeSet<_>>(), listed.into_keys().collect());
    for (kind, actions, arns) in table {
        for (action, arn) in actions.iter().flat_map(|action| arns.iter().map(move |arn| (action, arn))) {
            assert!(may(action, arn), "{kind}: {action} on {arn}");
        }
    }
}

#[test]
fn it_can_neither_delete_itself_nor_anything_that_is_not_an_environments() {
    for (action, arn) in [
        (
            "cloudformation:DeleteStack",
            format!("arn:aws:cloudformation:us-east-1:123456789012:stack/{STACK}/1"),
        ),
        (
            "cloudformation:DeleteStack",
            "arn:aws:cloudformation:us-east-1:123456789012:stack/other/1".to_owned(),
        ),
        ("lambda:DeleteFunction", format!("arn:aws:lambda:us-east-1:123456789012:function:{FUNCTION}")),
        ("iam:DeleteRole", format!("arn:aws:iam::123456789012:role/{}", reaper::role("us-east-1"))),
        ("iam:DeleteRole", "arn:aws:iam::123456789012:role/kinesis-stack-dev-delivery-eu-west-1".to_owned()),
        ("logs:DeleteLogGroup", format!("arn:aws:logs:us-east-1:123456789012:log-group:{LOG_GROUP}:*")),
        ("s3:DeleteBucket", "arn:aws:s3:::kinesis-stack-123456789012-dev-eu-west-1".to_owned()),
        ("s3:DeleteObject", "arn:aws:s3:::other/key".to_owned()),
    ] {
        assert!(!may(action, &arn), "{action} on {arn}");
    }
    for (action, arn) in [
        (
            "cloudformation:DeleteStack",
            "arn:aws:cloudformation:us-east-1:123456789012:stack/kinesis-stack-reaper-2/1",
        ),
        ("s3:DeleteObjectVersion", "arn:aws:s3:::kinesis-stack-123456789012-dev-us-east-1/rows/1"),
        ("s3:DeleteBucket", "arn:aws:s3:::kinesis-stack-artifacts-123456789012-us-east-1"),
    ] {
        assert!(may(action, arn), "{action} on {arn}");
    }
}

#[test]
fn a_late_log_line_cannot_bring_a_log_group_back() {
    assert!(!render(&shape()).unwrap().contains("CreateLogGroup"));
}

#[test]
fn its_names_are_none_of_an_environments_but_its_stacks() {
    for name in ["reaper", "a", "dev"] {
        let environment = Environment::new(name.parse().unwrap());
        assert_ne!(environment.processor(), FUNCTION);
        assert!(!LOG_GROUP.starts_with(&environment.log_group_prefix()));
        for role in [environment.processor_role("us-east-1"), environment.delivery_role("us-east-1")] {
            assert_ne!(role, reaper::role("us-east-1"));
        }
    }
    assert_eq!(Environment::new("reaper".parse().unwrap()).stack(), STACK);
}
