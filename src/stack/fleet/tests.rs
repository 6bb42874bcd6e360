use super::*;

fn now() -> Timestamp {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

fn stack(name: &str, status: &str, tags: &[(&str, &str)]) -> Stack {
    Stack {
        name: format!("kinesis-stack-{name}"),
        id: format!("arn:aws:cloudformation:us-east-1:123456789012:stack/kinesis-stack-{name}/1"),
        status: StackStatus::parse(status),
        description: None,
        reason: None,
        tags: tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        parameters: Vec::new(),
        outputs: BTreeMap::new(),
        created: Some("2026-11-23T12:00:00Z".to_owned()),
        updated: None,
        ephemeral: false,
        protected: false,
        role_arn: None,
    }
}

fn ours(name: &str, status: &str, expires: Option<&str>) -> Stack {
    let expires = expires.map(|expires| (TAG_EXPIRES, expires));
    let tags: Vec<_> = [(TAG_ENVIRONMENT, name), ("team", "blue")].into_iter().chain(expires).collect();
    stack(name, status, &tags)
}

fn seen(stack: Stack) -> Seen {
    listed(stack, "us-east-1").unwrap().at(now())
}

#[test]
fn what_to_look_at_first_comes_first() {
    let protected = |stack| Stack { protected: true, ..stack };
    let older = |stack| Stack { created: Some("2026-10-01T00:00:00Z".to_owned()), ..stack };
    let mut all = [
        protected(ours("prod", "UPDATE_COMPLETE", None)),
        ours("young", "CREATE_COMPLETE", None),
        older(ours("old", "UPDATE_ROLLBACK_COMPLETE", Some("2026-12-24T00:00:00Z"))),
        ours("soon", "CREATE_COMPLETE", Some("2026-11-24T12:30:00Z")),
        ours("busy", "UPDATE_IN_PROGRESS", None),
        protected(ours("stuck", "UPDATE_ROLLBACK_FAILED", None)),
        ours("over", "CREATE_COMPLETE", Some("2026-11-24T11:59:59Z")),
        ours("long-over", "DELETE_FAILED", Some("2026-11-23T00:00:00Z")),
        ours("just-over", "CREATE_COMPLETE", Some("2026-11-24T12:00:00Z")),
    ]
    .map(seen);
    all.sort_by_cached_key(|it| it.urgency(now()));
    let names = all.map(|it| it.listed.env);
    let wanted = ["long-over", "over", "just-over", "stuck", "busy", "soon", "old", "young", "prod"];
    assert_eq!(names, wanted);
}

#[test]
fn what_is_expired_but_protected_is_not_what_to_look_at_first() {
    let it = seen(Stack { protected: true, ..ours("prod", "CREATE_COMPLETE", Some("2026-11-01T00:00:00Z")) });
    assert!(it.expired && it.rank(now()) == Rank::Protected);
}

#[test]
fn a_stack_is_ours_by_its_tag_and_a_mere_name_by_its_name() {
    let region = "us-east-1";
    assert_eq!(listed(ours("dev", "CREATE_COMPLETE", None), region).unwrap().env, "dev");
    assert_eq!(listed(stack("dev", "REVIEW_IN_PROGRESS", &[]), region).unwrap().env, "dev");
    assert_eq!(listed(stack("dev", "CREATE_COMPLETE", &[]), region), None);
    assert_eq!(listed(stack("Not-A-Name", "REVIEW_IN_PROGRESS", &[]), region), None);
    assert_eq!(listed(ours("dev", "DELETE_COMPLETE", None), region), None);
}

#[test]
fn cost_is_known_where_the_stack_tells_how_large_its_stream_is() {
    let described = |status: &str, text: Option<&str>| {
        let description = text.map(str::to_owned);
        let it = seen(Stack { description, ..ours("dev", status, None) });
        (it.listed.cost_per_day, it.cost_so_far)
    };
    let told = Some("Environment dev of kinesis-stack: Kinesis Data Streams (2 shards, 24 h), Firehose");
    assert_eq!(described("CREATE_COMPLETE", told), (Some(0.72), Some(0.72)));
    assert_eq!(described("CREATE_COMPLETE", Some("An older version's")), (None, None));
    assert_eq!(described("CREATE_COMPLETE", None), (None, None));
    assert_eq!(described("ROLLBACK_COMPLETE", told), (Some(0.0), Some(0.0)));
}

#[test]
fn a_choice_is_of_names_and_of_all_tags_that_are_given() {
    let it = listed(ours("pr-42", "CREATE_COMPLETE", None), "us-east-1").unwrap();
    let choice = |name: Option<&str>, tags: &[(&str, &str)]| Choice {
        name: name.map(|name| name.parse().unwrap()),
        tags: tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
    };
    assert!(fits(&it, &Choice::default()));
    assert!(fits(&it, &choice(Some("pr-*"), &[("team", "blue")])));
    assert!(!fits(&it, &choice(Some("dev"), &[])));
    assert!(!fits(&it, &choice(None, &[("team", "blue"), ("team", "red")])));
    assert!(!fits(&it, &choice(None, &[("other", "")])));
}

#[test]
fn a_bucket_without_a_stack_is_a_leftover_or_was_kept_unless_it_is_named_otherwise() {
    let tags = |more: &[(&str, &str)]| -> BTreeMap<String, String> {
        let all = [(TAG_ENVIRONMENT, "dev")].into_iter().chain(more.iter().copied());
        all.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    };
    let bucket = "kinesis-stack-123456789012-dev-us-east-1";
    let expired = tags(&[(TAG_EXPIRES, "2026-11-24T11:00:00Z")]);
    let it = left(bucket, expired.clone(), "us-east-1").unwrap().at(now());
    assert!(it.expired && it.listed.left_bucket.as_deref() == Some(bucket));
    assert!(!left(bucket, tags(&[]), "us-east-1").unwrap().at(now()).expired);
    assert_eq!(left(bucket, expired.clone(), "eu-west-1"), None);
    assert_eq!(left("kinesis-stack-artifacts-123456789012-us-east-1", expired, "us-east-1"), None);
    let kept = tags(&[(TAG_KEPT, "true"), (TAG_EXPIRES, "2026-11-24T11:00:00Z")]);
    let kept = left(bucket, kept, "us-east-1").unwrap().at(now());
    assert!(kept.listed.kept && !kept.expired && kept.rank(now()) == Rank::Kept);
}
