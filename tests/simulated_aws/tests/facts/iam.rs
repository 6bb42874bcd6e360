//! IAM: what lags behind a role's making.

use crate::bench::{Bench, TEMPLATE, refusal, wait};

const MESSAGES: [&str; 4] = [
    "Firehose is unable to assume role",
    "is not authorized to perform: kinesis:DescribeStream",
    "The security token included in the request is invalid",
    "The role defined for the function cannot be assumed by Lambda",
];

#[tokio::test(start_paused = true)]
async fn right_after_a_role_was_made_a_creation_can_fail_in_four_ways_and_later_it_succeeds() {
    let mut seen = std::collections::BTreeSet::new();
    // Without the function the delivery stream is what is too early.
    let (start, end) = (TEMPLATE.find("  Processor:").unwrap(), TEMPLATE.find("  Delivery:").unwrap());
    let without = format!("{}{}", &TEMPLATE[..start], &TEMPLATE[end..]);
    for (template, logical_id) in [(TEMPLATE, "Processor"), (without.as_str(), "Delivery")] {
        let bench = Bench::new();
        for _ in 0..12 {
            bench.account().script.iam_lag_seconds = 60.0;
            bench.deploy(template).await;
            assert_eq!(bench.status(), "ROLLBACK_COMPLETE");
            let said = bench.said_of(logical_id).await;
            let failed = said.iter().find(|(status, _)| status == "CREATE_FAILED").unwrap();
            let place = MESSAGES.iter().position(|message| failed.1.contains(message));
            seen.insert(place.unwrap_or_else(|| panic!("{failed:?}")));
            bench.delete().await;
            wait(60).await;
        }
        bench.account().script.iam_lag_seconds = 0.0;
        bench.deploy(template).await;
        assert_eq!(bench.status(), "CREATE_COMPLETE");
    }
    assert_eq!(seen.len(), 4, "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn a_role_that_is_not_there_is_no_such_entity() {
    let bench = Bench::deployed().await;
    assert!(bench.iam.get_role().role_name("pipeline").send().await.is_ok());
    assert_eq!(refusal(bench.iam.get_role().role_name("nobody").send().await).0, "NoSuchEntity");
}
