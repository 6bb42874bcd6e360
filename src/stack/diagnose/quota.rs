//! What is known of the quotas that our pipeline can run into.

use super::Facts;
use super::parts::aws;
use crate::cloud::reason::Limit;

/// A quota, as the Service Quotas console lists it.
struct Quota {
    service: &'static str,
    console: &'static str,
    name: &'static str,
    /// Where it is surely known.
    code: Option<&'static str>,
    default: &'static str,
    free: &'static str,
}

const fn quota(limit: Limit) -> Option<Quota> {
    Some(match limit {
        Limit::Shards => Quota {
            service: "kinesis",
            console: "Amazon Kinesis Data Streams",
            name: "Shards per Region",
            code: None,
            default: "AWS gives 20,000 in its largest regions, fewer in the others and in new accounts",
            free: "Take fewer shards with `--shards`, or end an environment that nobody needs",
        },
        Limit::DeliveryStreams => Quota {
            service: "firehose",
            console: "Amazon Data Firehose",
            name: "Delivery streams",
            code: None,
            default: "AWS gives 5,000 a region, fewer to some accounts",
            free: "End an environment that nobody needs",
        },
        Limit::Roles => Quota {
            service: "iam",
            console: "AWS Identity and Access Management (IAM)",
            name: "Roles per account",
            code: Some("L-FE177D64"),
            default: "AWS gives 1,000 an account, and up to 5,000 on request",
            free: "Delete roles that nobody uses, or end an environment that nobody needs (each has two)",
        },
        Limit::Buckets => Quota {
            service: "s3",
            console: "Amazon Simple Storage Service (Amazon S3)",
            name: "General purpose buckets",
            code: Some("L-DC2B2D3D"),
            default: "AWS gives 10,000 an account; it was 100 for long, and still is where somebody set it so",
            free: "Delete buckets that nobody uses, or end an environment that nobody needs (each has one)",
        },
        Limit::CodeStorage => Quota {
            service: "lambda",
            console: "AWS Lambda",
            name: "Function and layer storage",
            code: Some("L-2ACBD22F"),
            default: "AWS gives 75 GB a region, for all functions and layers with all their versions",
            free: "Delete old versions of other functions (the processor itself takes a few megabytes)",
        },
        Limit::LogGroups => Quota {
            service: "logs",
            console: "Amazon CloudWatch Logs",
            name: "Log groups",
            code: Some("L-D2832119"),
            default: "AWS gives 1,000,000 a region",
            free: "Delete log groups that nobody reads",
        },
        Limit::ShardChanges | Limit::Other => return None,
    })
}

/// The property of the template that uses it up.
pub(super) fn property(limit: Limit) -> Option<String> {
    matches!(limit, Limit::Shards | Limit::ShardChanges).then(|| "ShardCount".to_owned())
}

/// Which quota, and how large it is.
pub fn meaning(limit: Limit, value: Option<u64>, facts: &Facts) -> String {
    let here = match (limit, facts.account) {
        (Limit::Roles | Limit::Buckets, Some(account)) => format!("account {account}"),
        (Limit::Roles | Limit::Buckets, None) => "this account".to_owned(),
        (_, Some(account)) => format!("account {account} in {}", facts.region),
        (_, None) => format!("this account in {}", facts.region),
    };
    let Some(quota) = quota(limit) else {
        return match limit {
            Limit::ShardChanges => {
                "Kinesis changes the number of a stream's shards only a few times in 24 hours.".to_owned()
            }
            _ => format!("A quota of {here} is reached; AWS' sentence is all that is known of it."),
        };
    };
    let value = value.map(|value| format!(" ({value} here)")).unwrap_or_default();
    format!("The quota \"{}\" of {here} is reached{value}. {}.", quota.name, quota.default)
}

/// How to get more, or to need less.
pub fn remedies(limit: Limit, facts: &Facts, again: String) -> Vec<String> {
    if limit == Limit::ShardChanges {
        return vec![format!("Wait until 24 hours after the first of today's changes, then {again}.")];
    }
    let Some(quota) = quota(limit) else {
        return vec![format!(
            "Look the quota up in the Service Quotas console, ask for more there or free some of it, then {again}."
        )];
    };
    // IAM's quotas are kept in one region.
    let region = if limit == Limit::Roles { "us-east-1" } else { facts.region };
    let facts = Facts { region, ..*facts };
    let ask = match quota.code {
        Some(code) => {
            let (service, arguments) = (quota.service, "--desired-value");
            let command = format!(
                "service-quotas request-service-quota-increase --service-code {service} --quota-code {code} {arguments} NUMBER"
            );
            format!(" (quota code {code}), for instance with {}", aws(&facts, &command))
        }
        None => String::new(),
    };
    vec![
        format!("{}, then {again}.", quota.free),
        format!(
            "Or ask for more in the Service Quotas console under {}, \"{}\"{ask}.",
            quota.console, quota.name
        ),
    ]
}
