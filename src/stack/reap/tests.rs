use super::*;
use crate::stack::fleet::Listed;
use crate::stack::status::StackStatus;
use std::collections::BTreeMap;

fn now() -> Timestamp {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

const OVER: &str = "2026-11-24T11:00:00Z";
const LATER: &str = "2026-11-24T13:00:00Z";

fn stack(tags: &[(&str, &str)]) -> Stack {
    Stack {
        name: "kinesis-stack-pr-1".to_owned(),
        id: "arn:1".to_owned(),
        status: StackStatus::parse("CREATE_COMPLETE"),
        description: None,
        reason: None,
        tags: tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        parameters: Vec::new(),
        outputs: BTreeMap::new(),
        created: None,
        updated: None,
        ephemeral: false,
        protected: false,
        role_arn: None,
    }
}

fn seen(status: &str) -> Seen {
    let listed = Listed {
        env: "pr-1".to_owned(),
        region: "us-east-1".to_owned(),
        stack: "kinesis-stack-pr-1".to_owned(),
        stack_id: "arn:1".to_owned(),
        status: StackStatus::parse(status),
        reason: None,
        created: None,
        updated: None,
        expires: Some(OVER.to_owned()),
        owner: None,
        version: None,
        pull_request: None,
        protected: false,
        ephemeral: false,
        cost_per_day: None,
        left_bucket: None,
        kept: false,
        tags: BTreeMap::new(),
    };
    listed.at(now())
}

#[test]
fn what_somebody_is_at_work_on_stays_but_a_deletion_is_joined() {
    assert_eq!(stays(&seen("CREATE_COMPLETE")), None);
    assert_eq!(stays(&seen("UPDATE_ROLLBACK_FAILED")), None);
    assert_eq!(stays(&seen("DELETE_IN_PROGRESS")), None);
    assert!(stays(&seen("UPDATE_IN_PROGRESS")).is_some_and(|because| because.contains("at work")));
    let mut protected = seen("CREATE_COMPLETE");
    protected.listed.protected = true;
    assert!(stays(&protected).is_some());
}

#[test]
fn only_the_very_stack_whose_time_is_still_over_is_deleted() {
    let listed = seen("CREATE_COMPLETE");
    let ours = (TAG_ENVIRONMENT, "pr-1");
    let objection = |stack: &Stack| objection(stack, &listed, now());
    assert_eq!(objection(&stack(&[ours, (TAG_EXPIRES, OVER)])), None);
    let told = |stack: &Stack| objection(stack).unwrap_or_default();
    assert!(told(&stack(&[ours, (TAG_EXPIRES, LATER)])).contains("extended"));
    assert!(told(&stack(&[ours])).contains("no longer ends"));
    assert!(told(&stack(&[ours, (TAG_EXPIRES, "soon")])).contains("no longer ends"));
    assert!(told(&stack(&[(TAG_EXPIRES, OVER)])).contains("isn't ours"));
    assert!(told(&stack(&[(TAG_ENVIRONMENT, "pr-2"), (TAG_EXPIRES, OVER)])).contains("isn't ours"));
    let protected = Stack { protected: true, ..stack(&[ours, (TAG_EXPIRES, OVER)]) };
    assert!(told(&protected).contains("protected"));
    let anew = Stack { id: "arn:2".to_owned(), ..stack(&[ours, (TAG_EXPIRES, OVER)]) };
    assert_eq!(told(&anew), AGAIN);
}

fn failed(env: &str, kind: Kind) -> (Named, Error) {
    let named = Named { env: env.to_owned(), region: "us-east-1".to_owned() };
    (named, Error::new(kind, "no").because("that's why"))
}

#[test]
fn the_end_is_of_the_kind_that_all_failures_are_of() {
    let error = |failures: &[(Named, Error)]| {
        let due = vec![seen("CREATE_COMPLETE"), seen("CREATE_COMPLETE")];
        Reaped { due, failed: failures.to_vec(), ..Reaped::default() }.error()
    };
    assert_eq!(error(&[]), None);
    let one = error(&[failed("pr-1", Kind::Leftovers)]).unwrap();
    assert_eq!((one.kind, one.message.as_str()), (Kind::Leftovers, "1 of 2 could not be reaped"));
    assert_eq!(one.cause.as_deref(), Some("pr-1 in us-east-1: no: that's why"));
    let same = [failed("pr-1", Kind::TimedOut), failed("pr-2", Kind::TimedOut)];
    assert_eq!(error(&same).unwrap().kind, Kind::TimedOut);
    let mixed = [failed("pr-1", Kind::Leftovers), failed("", Kind::Credentials)];
    let mixed = error(&mixed).unwrap();
    assert_eq!((mixed.kind, mixed.message.as_str()), (Kind::Failed, "2 of 3 could not be reaped"));
    assert!(mixed.cause.unwrap().ends_with("\nus-east-1: no: that's why"));
}

#[test]
fn told_to_stop_it_says_what_goes_on() {
    let interrupted = vec![failed("pr-1", Kind::Failed).0];
    let reaped = Reaped { interrupted, signal: Some(Kind::Terminated), ..Reaped::default() };
    let error = reaped.error().unwrap();
    assert_eq!(error.kind, Kind::Terminated);
    assert!(error.message.ends_with(": pr-1 in us-east-1"), "{error}");
}
