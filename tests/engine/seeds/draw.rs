//! Draws a story from its seed. Whatever is drawn later leaves what was drawn before as it was.

use super::story::{Beside, Chapter, Mishap, OTHERS, Other, Story, Untold, Verb, Wish};
use fastrand::Rng;
use kinesis_stack::error::Kind;
use std::time::Duration;

/// What can be left without a stack.
const LEFTOVERS: &[(&str, &str)] = &[
    ("AWS::Kinesis::Stream", "kinesis-stack-dev"),
    ("AWS::KinesisFirehose::DeliveryStream", "kinesis-stack-dev"),
    ("AWS::Lambda::Function", "kinesis-stack-dev-processor"),
    ("AWS::IAM::Role", "kinesis-stack-dev-delivery-us-east-1"),
    ("AWS::Logs::LogGroup", "/aws/lambda/kinesis-stack-dev-processor"),
    // By its tag alone it can be found.
    ("AWS::Kinesis::Stream", "renamed"),
];

/// Actions without which `up` can't do its work.
const NEEDED_BY_UP: &[&str] = &[
    "cloudformation:CreateChangeSet",
    "cloudformation:DescribeChangeSet",
    "cloudformation:DescribeStackEvents",
    "cloudformation:DescribeStacks",
    "cloudformation:ExecuteChangeSet",
    "s3:CreateBucket",
    "s3:PutObject",
    "sts:GetCallerIdentity",
];
/// The same for `down`.
const NEEDED_BY_DOWN: &[&str] = &[
    "cloudformation:DeleteStack",
    "cloudformation:DescribeStackEvents",
    "cloudformation:ListStackResources",
    "firehose:DescribeDeliveryStream",
    "iam:GetRole",
    "kinesis:DescribeStreamSummary",
    "logs:DescribeLogGroups",
    "s3:DeleteBucket",
    "s3:DeleteObjectVersion",
    "s3:ListBucketMultipartUploads",
    "s3:ListBucketVersions",
];
/// The same for `extend` and `reap`.
const NEEDED_BY_EXTEND: &[&str] = &["cloudformation:UpdateStack", "cloudformation:DescribeStacks"];
const NEEDED_BY_REAP: &[&str] = &[
    "cloudformation:DeleteStack",
    "cloudformation:DescribeStacks",
    "logs:DescribeLogGroups",
    "s3:DeleteBucket",
    "s3:GetBucketTagging",
    "sts:GetCallerIdentity",
];
/// All that `down` needs of one service.
const SERVICES: &[&[&str]] = &[
    &[
        "firehose:DescribeDeliveryStream",
        "firehose:DeleteDeliveryStream",
        "firehose:ListTagsForDeliveryStream",
    ],
    &["kinesis:DescribeStreamSummary", "kinesis:DeleteStream", "kinesis:ListTagsForStream"],
    &["lambda:GetFunctionConfiguration", "lambda:DeleteFunction", "lambda:ListTags"],
    &["iam:GetRole", "iam:DeleteRole", "iam:ListRolePolicies", "iam:ListAttachedRolePolicies"],
    &["logs:DescribeLogGroups", "logs:DeleteLogGroup", "logs:ListTagsForResource"],
    &["s3:ListBucket", "s3:ListBucketVersions", "s3:DeleteBucket", "s3:GetBucketTagging"],
];

impl Story {
    pub fn from_seed(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed ^ 0x0057_0121);
        let key_errors = if rng.u8(..6) == 0 { rng.u32(1..5) } else { 0 };
        // Each look takes time to simulate, so long stories are seldom, and so are small pages.
        let pace = [1.0, 0.3, 0.1, 0.05, 0.02, 0.01][rng.usize(..6)];
        let page = [3, 7, 10, 10, 10, 10, 10, 100][rng.usize(..8)];
        let mut chapters: Vec<Chapter> = Vec::new();
        // Drawn apart: all else stays as it was.
        let mut more = Rng::with_seed(seed ^ 0x0005_1eff);
        let mut wish = Wish::first(&mut rng);
        let lives = if rng.u8(..12) == 0 { 2 } else { 1 };
        for life in 0..lives {
            let began = chapters.len();
            chapters.push(Chapter::draw(&mut rng, Verb::Up(wish.clone())));
            for _ in 0..[0, 0, 1, 1, 2][rng.usize(..5)] {
                wish = wish.changed(&mut rng);
                chapters.push(Chapter::draw(&mut rng, Verb::Up(wish.clone())));
            }
            if rng.u8(..3) == 0 {
                chapters.push(Chapter::draw(&mut rng, Verb::Status));
            }
            let mut down = Chapter::draw(&mut rng, Verb::Down);
            down.rows = if rng.bool() { rng.u32(1..9) } else { 0 };
            chapters.push(down);
            wish.protection = None;
            if more.u8(..4) == 0 {
                let keeping = Chapter::draw(&mut more, Verb::DownKeeping);
                let place = chapters.len() - 1;
                chapters.insert(place, keeping);
            }
            let first = chapters.iter().rposition(|it| !it.verb.is_down()).map_or(0, |last| last + 1);
            chapters[first].by_hand = more.u8(..6) == 0;
            // Beside a stack that is there, such a name is taken.
            let free = |kind: &(&str, &str)| kind.1.starts_with("/aws/") || kind.1 == "renamed";
            let only_down = chapters.len() - first;
            let last = chapters.last_mut().unwrap();
            if more.u8(..4) == 0 {
                let stackless = only_down > 1;
                last.leftovers = LEFTOVERS.iter().copied().filter(|it| stackless || free(it)).collect();
                last.leftovers.retain(|_| more.bool());
            }
            let is_last = life + 1 == lives;
            complicate(&mut chapters[began..], is_last, &mut Rng::with_seed(seed ^ life ^ 0x000b_e51d));
            lifetimes(&mut chapters, began, is_last, &mut Rng::with_seed(seed ^ life ^ 0x0000_77e1));
        }
        Story { seed, pace, page, key_errors, chapters }
    }
}

/// What stands in the way of one life's end, and who else is at it.
fn complicate(life: &mut [Chapter], is_last: bool, rng: &mut Rng) {
    let wish = life.iter().rev().find_map(|chapter| match &chapter.verb {
        Verb::Up(wish) => Some(Wish { protection: None, ..wish.clone() }),
        _ => None,
    });
    if let Some(first) = life.first_mut() {
        first.taken = rng.u8(..24) == 0;
    }
    for down in life.iter_mut().filter(|chapter| chapter.verb.is_down()) {
        if rng.u8(..12) == 0 {
            down.denied = SERVICES[rng.usize(..SERVICES.len())].to_vec();
        }
        if rng.u8(..6) == 0 {
            down.untold = Some(if rng.bool() { Untold::Denied } else { Untold::Throttled });
        }
    }
    let Some(last) = life.last_mut() else { return };
    last.taken = is_last && rng.u8(..16) == 0;
    if rng.u8(..8) == 0 {
        last.locked = rng.u32(1..4);
    }
    let latest = [500, 5_000, 60_000, 200_000][rng.usize(..4)];
    let after = Duration::from_millis(rng.u64(..latest));
    let verb = match (rng.u8(..10), wish) {
        (0 | 1, _) => Verb::Down,
        (2 | 3, Some(wish)) => Verb::Up(wish),
        (4, _) => Verb::Reap(2),
        _ => return,
    };
    last.beside = Some(Beside { after, verb });
}

/// What makes one life's environment end by itself, and others beside it.
fn lifetimes(chapters: &mut Vec<Chapter>, began: usize, is_last: bool, rng: &mut Rng) {
    if rng.u8(..3) == 0 {
        let ttl = rng.u64(60..1_200);
        for chapter in &mut chapters[began..] {
            if let Verb::Up(wish) = &mut chapter.verb {
                wish.ttl = (rng.u8(..4) > 0).then_some(ttl);
            }
        }
    }
    let first_down =
        |chapters: &[Chapter]| chapters.iter().rposition(|it| !it.verb.is_down()).map_or(0, |last| last + 1);
    if rng.u8(..4) == 0 {
        let by = rng.u64(60..1_800);
        let extend = Chapter::draw(rng, Verb::Extend(by));
        chapters.insert(first_down(chapters), extend);
    }
    if rng.u8(..4) > 0 {
        return;
    }
    let at_once = rng.usize(1..4);
    let mut reap = Chapter::draw(rng, Verb::Reap(at_once));
    reap.pause = Duration::from_secs(rng.u64(..900));
    if is_last && rng.bool() {
        let other =
            |name: &&'static str| Other { name, expires: rng.i64(-600..600), protected: rng.u8(..4) == 0 };
        reap.others = OTHERS.iter().map(other).collect();
        let all = Chapter { all_over: true, ..Chapter::draw(rng, Verb::Reap(3)) };
        chapters.insert(first_down(chapters), reap);
        chapters.insert(first_down(chapters), all);
    } else {
        chapters.insert(first_down(chapters), reap);
    }
}

impl Wish {
    fn first(rng: &mut Rng) -> Self {
        Wish {
            code: 0,
            shards: rng.u32(1..3),
            retention_hours: [24, 48][rng.usize(..2)],
            ephemeral: rng.u8(..5) == 0,
            express: rng.u8(..6) == 0,
            adopt: false,
            protection: (rng.u8(..8) == 0).then_some(true),
            ttl: None,
        }
    }

    /// Something else is wished for, or at times the same once more.
    fn changed(&self, rng: &mut Rng) -> Self {
        let mut wish = self.clone();
        match rng.u8(..8) {
            0 | 1 => wish.code += 1,
            2 => wish.shards = 3 - wish.shards,
            3 => wish.retention_hours = 72 - wish.retention_hours,
            4 => (wish.code, wish.shards) = (wish.code + 1, 3 - wish.shards),
            5 => wish.ephemeral = !wish.ephemeral,
            6 => wish.express = !wish.express,
            _ => {}
        }
        if rng.u8(..10) == 0 {
            wish.protection = Some(rng.bool());
        }
        wish
    }
}

impl Chapter {
    fn draw(rng: &mut Rng, verb: Verb) -> Self {
        let needed = match &verb {
            Verb::Up(_) => NEEDED_BY_UP,
            Verb::Down | Verb::DownKeeping => NEEDED_BY_DOWN,
            Verb::Status => &["cloudformation:ListStackResources"],
            Verb::Extend(_) => NEEDED_BY_EXTEND,
            Verb::Reap(_) => NEEDED_BY_REAP,
        };
        let denied = (rng.u8(..10) == 0).then(|| needed[rng.usize(..needed.len())]).into_iter().collect();
        let mishaps = match (&verb, rng.u8(..5)) {
            (Verb::Status, _) | (_, 0 | 1) => Vec::new(),
            (_, 2 | 3) => vec![Mishap::draw(rng)],
            _ => vec![Mishap::draw(rng), Mishap::draw(rng)],
        };
        let pause = if rng.bool() { Duration::ZERO } else { Duration::from_secs(rng.u64(..200)) };
        Chapter { yes: rng.u8(..3) > 0, mishaps, denied, pause, ..Chapter::of(verb) }
    }
}

impl Mishap {
    fn draw(rng: &mut Rng) -> Self {
        let early = rng.usize(..3);
        match rng.u8(..10) {
            0 => Mishap::Nothing,
            1..6 => Mishap::Killed { at: rng.usize(..[5, 20, 60][early]), after_effect: rng.bool() },
            6..9 => Mishap::ToldToStop {
                after: Duration::from_millis(rng.u64(..[1_000, 20_000, 150_000][early])),
                with: if rng.bool() { Kind::Terminated } else { Kind::Interrupted },
            },
            _ => Mishap::ShortOfTime(Duration::from_secs(rng.u64(5..60))),
        }
    }
}
