//! What a change loses, where it does: the bucket and the data stream hold data, and the delivery stream holds
//! what it gathers.

use super::{Action, PropertyChange};

/// What data is lost, in words.
pub fn loss(
    action: Action,
    resource_type: &str,
    retained: bool,
    properties: &[PropertyChange],
) -> Option<&'static str> {
    let gone = action.ends_the_resource() && !retained;
    match resource_type {
        "AWS::S3::Bucket" if gone => Some("the bucket's rows are deleted"),
        "AWS::Kinesis::Stream" if gone => Some("records that are not delivered yet are deleted"),
        "AWS::Kinesis::Stream" if lowers_retention(properties) => {
            Some("records older than the new retention, if it is shorter, are deleted")
        }
        _ => None,
    }
}

/// Which records are dropped, in words. Fewer shards drop none: closed shards are read to their end.
pub fn drops(action: Action, resource_type: &str) -> Option<&'static str> {
    match (resource_type, action) {
        // A delivery stream begins to read at the newest record, whatever an earlier one had not read yet.
        ("AWS::KinesisFirehose::DeliveryStream", Action::Remove) => Some(
            "what the delivery stream still gathers, and whatever is sent from now on, is never delivered",
        ),
        ("AWS::KinesisFirehose::DeliveryStream", action) if action.ends_the_resource() => Some(
            "what the delivery stream still gathers, and what is sent until the new one reads, is never delivered",
        ),
        ("AWS::Kinesis::Stream", Action::Replace | Action::MayReplace | Action::Other) => {
            Some("what is sent until the new stream is there and is read from is refused or never delivered")
        }
        _ => None,
    }
}

/// A retention whose values CloudFormation doesn't tell counts as lowered: better asked than lost.
fn lowers_retention(properties: &[PropertyChange]) -> bool {
    let hours = |value: &Option<String>| value.as_deref().and_then(|text| text.parse::<u32>().ok());
    properties.iter().filter(|property| property.name == "RetentionPeriodHours").any(|property| {
        match (hours(&property.before), hours(&property.after)) {
            (Some(before), Some(after)) => after < before,
            _ => true,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::plan::testing::property;

    const BUCKET: &str = "AWS::S3::Bucket";
    const STREAM: &str = "AWS::Kinesis::Stream";
    const DELIVERY: &str = "AWS::KinesisFirehose::DeliveryStream";

    #[test]
    fn replacing_or_removing_what_holds_data_loses_data() {
        for resource_type in [BUCKET, STREAM] {
            for action in [Action::Remove, Action::Replace, Action::MayReplace, Action::Other] {
                assert!(loss(action, resource_type, false, &[]).is_some(), "{action:?}");
                assert!(loss(action, resource_type, true, &[]).is_none(), "the old one stays: {action:?}");
            }
            for action in [Action::Add, Action::Modify, Action::Import, Action::Sync] {
                assert!(loss(action, resource_type, false, &[]).is_none(), "{action:?}");
            }
        }
        assert!(loss(Action::Replace, "AWS::Lambda::Function", false, &[]).is_none());
    }

    #[test]
    fn a_lowered_retention_loses_data_and_an_unknown_one_counts_as_lowered() {
        let loses = |before: &str, after: &str| {
            let properties = [property("RetentionPeriodHours", before, after)];
            loss(Action::Modify, STREAM, false, &properties).is_some()
        };
        assert!(loses("48", "24"));
        assert!(!loses("24", "48"));
        assert!(loses("", ""));
    }

    #[test]
    fn records_are_dropped_where_what_delivers_them_is_made_anew_but_not_by_fewer_shards() {
        for action in [Action::Remove, Action::Replace, Action::MayReplace] {
            assert!(drops(action, DELIVERY).is_some(), "{action:?}");
        }
        assert!(drops(Action::Replace, STREAM).is_some());
        for action in [Action::Add, Action::Modify, Action::Import] {
            assert!(drops(action, DELIVERY).is_none() && drops(action, STREAM).is_none(), "{action:?}");
        }
        let fewer = [property("ShardCount", "4", "1")];
        assert!(loss(Action::Modify, STREAM, false, &fewer).is_none());
        assert!(drops(Action::Replace, BUCKET).is_none(), "rows that were delivered are lost, not dropped");
    }
}
