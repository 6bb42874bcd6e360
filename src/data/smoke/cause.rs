//! Why a leg is likely broken, and what to do: from what was said there, in the services' own words.

use super::report::Leg;
use crate::data::causes as codes;
use crate::settings::Invocation;

/// A likely cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cause {
    pub(super) meaning: String,
    pub(super) remedies: Vec<String>,
}

/// Words of which one has to be there, what they mean, and what to do. `{…}` are names and commands.
type Known = (&'static [&'static str], &'static str, &'static [&'static str]);

const STREAM: &[Known] = &[
    (
        &["KMS", "kms"],
        "The data stream {stream} is encrypted with a key that can't be used for it.",
        &["Grant kms:GenerateDataKey on the key, and look whether it is enabled."],
    ),
    (
        &["ThroughputExceeded", "Rate exceeded", "LimitExceeded"],
        "Other producers fill the shards of {stream}: a shard takes 1 MB and 1,000 records a second.",
        &["Send less, or give it more shards: `{up --shards N}`."],
    ),
    DELETED,
];

const DELIVERY: &[Known] = &[
    DELETED,
    (
        &[],
        "Nothing tells that the delivery stream {delivery} has read what {stream} took: its role may no longer be allowed to, or it began to read only afterwards.",
        &["See what was changed of its role: `{status --drift}`; `{up --heal}` sets it back.", LOGS],
    ),
];

const TRANSFORM: &[Known] = &[
    (
        &["became a row"],
        "The processor takes for a trade what is none.",
        &["Deploy the processor that comes with this tool again: `{up}`."],
    ),
    (
        &["is another one"],
        "The processor makes another row of a trade than the transform that it was built from.",
        &["Deploy it again: `{up}`.", "Look at the row, which stays where it is: `{results}`."],
    ),
    DELETED,
    (
        &["Throttles"],
        "Lambda throttles the processor {transform}: its reserved concurrency is used up or 0, or the account's is.",
        &[CONCURRENCY, "A new account may have no more than 10 executions at once: ask AWS for more."],
    ),
    (
        &["metric Errors", "has failed", "says"],
        "The processor {transform} fails on each batch.",
        &[LOGS, "Try it here: `{processor test FILE}`."],
    ),
    (
        &[],
        "The delivery stream has read the records, but nothing tells that the processor {transform} has transformed them.",
        &[LOGS, "See whether anything was changed: `{status --drift}`."],
    ),
];

const BUCKET: &[Known] = &[
    (
        &["another account"],
        "The bucket's name was given up, and somebody else has taken it.",
        &["Tear it down with `{down}` and bring it up under another name: `--env`."],
    ),
    DELETED,
    (
        &[],
        "The rows were made, but nothing landed in the bucket {bucket} in the time that the buffers take.",
        &[LOGS, "See what was changed of role and bucket: `{status --drift}`; `{up --heal}` sets it back."],
    ),
];

const ERRORS: &[Known] = &[
    (
        &["is not what was sent"],
        "The record itself is lost: what lies under the error prefix is something else.",
        &[
            "Let the processor answer ProcessingFailed with the data as it came: `{processor test FILE}` shows its answers.",
        ],
    ),
    (
        &[],
        "Records that the processor refuses turn up nowhere: whatever it can't transform is lost.",
        &["See whether the error prefix of the delivery stream was changed: `{status --drift}`.", LOGS],
    ),
];

const DELETED: Known = (
    &["is not there", "is DELETING", "NoSuchBucket", "ResourceNotFound"],
    "It was deleted behind CloudFormation's back.",
    &[
        "See what else is gone: `{status --drift}`.",
        "Tear it down with `{down}` and bring it up anew with `{up}`.",
    ],
);
const LOGS: &str = "See what was logged: `{logs --errors}`.";
const CONCURRENCY: &str =
    "See what is reserved for it: `aws lambda get-function-concurrency --function-name {transform}`.";

/// Commands that the words of codes name.
const COMMANDS: &[&str] = &["logs --errors", "status --drift"];
/// What to do on top of what a code's own words say.
const BESIDES: &[(&str, &str)] = &[
    ("AccessDenied", "`{up --heal}` sets back what was changed of roles and policies."),
    ("InvokeLimitExceeded", CONCURRENCY),
    ("ProcessingFailedStatus", "See what it said of the record: `{results --errors}`."),
    ("Lambda.", "Try the processor here: `{processor test FILE}`."),
];

/// Why a leg of which this was seen is likely broken. `is_early`: there was not even the time that the buffers take.
/// `names`: what each leg is called in the account, in their order.
pub(super) fn cause(
    leg: Leg,
    seen: &[String],
    is_early: bool,
    names: &[String; 5],
    invocation: &Invocation,
) -> Cause {
    let told = |text: &&str| filled(text, names, invocation);
    let words = |meaning: &str, remedies: &[&str]| Cause {
        meaning: told(&meaning),
        remedies: remedies.iter().map(told).collect(),
    };
    if is_early {
        return words(
            "Time ran out before the buffers' time was over, so nothing is known to be wrong.",
            &["Give it more time: a longer --timeout, or none at all."],
        );
    }
    // What the delivery stream itself says is known by its code.
    let code = |it: &String| {
        it.split_once(": ").map(|(code, _)| code.to_owned()).filter(|code| leg_of(code).is_some())
    };
    let known = seen.iter().filter_map(code).find_map(|code| codes::cause(&code).map(|known| (code, known)));
    if let Some((code, known)) = known {
        let besides = BESIDES.iter().filter(|(part, _)| code.contains(part)).map(|(_, remedy)| *remedy);
        let remedy = COMMANDS.iter().fold(known.remedy.to_owned(), |text, command| {
            text.replace(&format!("`{command}`"), &format!("`{{{command}}}`"))
        });
        return words(known.meaning, &[remedy.as_str()].into_iter().chain(besides).collect::<Vec<_>>());
    }
    let known = match leg {
        Leg::Stream => STREAM,
        Leg::Delivery => DELIVERY,
        Leg::Transform => TRANSFORM,
        Leg::Bucket => BUCKET,
        Leg::Errors => ERRORS,
    };
    let said =
        |parts: &[&str]| parts.is_empty() || parts.iter().any(|part| seen.iter().any(|it| it.contains(part)));
    match known.iter().find(|(parts, ..)| said(parts)) {
        Some((_, meaning, remedies)) => words(meaning, remedies),
        None => words("It doesn't work, and what was said of it is no cause that is known here.", &[LOGS]),
    }
}

/// A text with its names and commands.
fn filled(text: &str, names: &[String; 5], invocation: &Invocation) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let Some((slot, behind)) = after.split_once('}') else { break };
        let leg = Leg::ALL.into_iter().zip(names).find(|(leg, _)| leg.name() == slot);
        filled.push_str(&leg.map_or_else(|| invocation.command(slot), |(_, name)| name.clone()));
        rest = behind;
    }
    filled.push_str(rest);
    filled
}

/// The leg that one of Firehose's error codes is about, in its log and under the error prefix:
/// <https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-logs.html>.
pub(super) fn leg_of(code: &str) -> Option<Leg> {
    let is = |start: &str| code.get(..start.len()).is_some_and(|it| it.eq_ignore_ascii_case(start));
    match code {
        _ if is("Kinesis") || is("Source") => Some(Leg::Delivery),
        _ if is("Lambda") || is("Processing") => Some(Leg::Transform),
        _ if is("S3") || is("KMS") || is("DataFormat") => Some(Leg::Bucket),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> [String; 5] {
        ["s", "d", "p", "b", "b"].map(str::to_owned)
    }

    fn of(leg: Leg, seen: &str) -> Cause {
        cause(leg, &[seen.to_owned()], false, &names(), &Invocation::default())
    }

    #[test]
    fn what_was_said_tells_the_likely_cause() {
        for (leg, seen, meaning) in [
            (Leg::Stream, "ProvisionedThroughputExceededException: Rate exceeded", "fill the shards of s"),
            (Leg::Stream, "KMSAccessDeniedException: no", "encrypted"),
            (Leg::Stream, "s is not there", "deleted behind CloudFormation's back"),
            (Leg::Delivery, "Kinesis.AccessDenied: no", "may not read the data stream"),
            (
                Leg::Delivery,
                "0 of 3 trades have their rows",
                "Nothing tells that the delivery stream d has read",
            ),
            (Leg::Transform, "Lambda.InvokeAccessDenied: no", "may not call the processor"),
            (Leg::Transform, "Lambda.FunctionError: no", "ended with an error"),
            (Leg::Transform, "Lambda.FunctionTimedOut: no", "longer than its timeout"),
            (Leg::Transform, "metric Throttles: 4", "throttles the processor p"),
            (Leg::Transform, "the row of x in y is another one", "another row"),
            (Leg::Bucket, "S3.AccessDenied: no", "may not write to the bucket"),
            (Leg::Bucket, "S3.NoSuchBucket: no", "The bucket is not there"),
            (Leg::Bucket, "NoSuchBucket: b is not there", "deleted behind CloudFormation's back"),
            (Leg::Bucket, "S3.KMS.AccessDeniedException: no", "KMS key"),
            (Leg::Errors, "the data of x in y is not what was sent", "The record itself is lost"),
        ] {
            let cause = of(leg, seen);
            assert!(cause.meaning.contains(meaning), "{leg} {seen}: {cause:?}");
            assert!(!cause.remedies.is_empty());
        }
        let limit = of(Leg::Transform, "Lambda.InvokeLimitExceeded: no").remedies;
        assert!(
            limit.iter().any(|remedy| remedy.contains("get-function-concurrency --function-name p")),
            "{limit:?}"
        );
    }

    #[test]
    fn every_text_is_filled_with_names_and_commands() {
        for known in [STREAM, DELIVERY, TRANSFORM, BUCKET, ERRORS] {
            for (_, meaning, remedies) in known {
                let besides = BESIDES.iter().map(|(_, remedy)| remedy);
                for text in remedies.iter().chain([meaning]).chain(besides) {
                    let filled = filled(text, &names(), &Invocation::default());
                    assert!(!filled.contains(['{', '}']), "{filled}");
                }
            }
        }
        assert!(of(Leg::Stream, "Rate exceeded").remedies[0].contains("`kinesis-stack up --shards N`"));
    }

    #[test]
    fn each_code_of_firehose_is_about_one_leg() {
        for (code, leg) in [
            ("Kinesis.AccessDenied", Some(Leg::Delivery)),
            ("Lambda.FunctionError", Some(Leg::Transform)),
            ("S3.NoSuchBucket", Some(Leg::Bucket)),
            ("KMS.DisabledException", Some(Leg::Bucket)),
            ("Splunk.InvalidToken", None),
            ("", None),
        ] {
            assert_eq!(leg_of(code), leg, "{code}");
        }
    }

    #[test]
    fn without_the_time_that_buffers_take_nothing_is_blamed() {
        let early = cause(Leg::Delivery, &[], true, &names(), &Invocation::default());
        assert!(early.meaning.contains("before the buffers' time"));
    }
}
