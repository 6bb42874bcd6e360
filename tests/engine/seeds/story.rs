//! What a seed makes happen: commands one after the other, and what befalls each of them.

use fastrand::Rng;
use kinesis_stack::error::Kind;
use std::time::Duration;

/// A story: all of it drawn from its seed.
#[derive(Debug, Clone)]
pub struct Story {
    pub seed: u64,
    /// Multiplies how long CloudFormation takes for a resource.
    pub pace: f64,
    /// Entries a page, of events and the like.
    pub page: usize,
    /// How many keys DeleteObjects refuses with an error of their own.
    pub key_errors: u32,
    pub chapters: Vec<Chapter>,
}

/// One command, run until it comes to its end.
#[derive(Debug, Clone)]
pub struct Chapter {
    pub verb: Verb,
    /// Whether it is run with `--yes`.
    pub yes: bool,
    /// What befalls its first attempts, one each.
    pub mishaps: Vec<Mishap>,
    /// An IAM action that the caller lacks until it is told of it.
    pub denied: Option<&'static str>,
    /// Rows that land in the bucket before.
    pub rows: u32,
    /// What passes before.
    pub pause: Duration,
    /// Whether somebody deletes the stack by hand before.
    pub by_hand: bool,
    /// What somebody makes before without a stack, with the environment's tag.
    pub leftovers: Vec<(&'static str, &'static str)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verb {
    Up(Wish),
    Status,
    Down,
    /// `down --keep-data`.
    DownKeeping,
}

impl Verb {
    pub fn is_down(&self) -> bool {
        matches!(self, Verb::Down | Verb::DownKeeping)
    }
}

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

/// What `up` is to bring up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    pub code: u8,
    pub shards: u32,
    pub retention_hours: u32,
    pub ephemeral: bool,
    pub express: bool,
    pub adopt: bool,
    pub protection: Option<bool>,
}

/// What befalls one attempt.
#[derive(Debug, Clone, Copy)]
pub enum Mishap {
    Nothing,
    /// It is killed at so many calls from its beginning.
    Killed {
        at: usize,
        after_effect: bool,
    },
    /// It is told to stop after so long.
    ToldToStop {
        after: Duration,
        with: Kind,
    },
    /// Its `--timeout` is short.
    ShortOfTime(Duration),
}

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
        for _ in 0..lives {
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
        }
        Story { seed, pace, page, key_errors, chapters }
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

    pub fn script(&self) -> String {
        format!("#!/bin/sh\nexit {}\n", self.code)
    }
}

impl Chapter {
    pub fn of(verb: Verb) -> Self {
        let (mishaps, pause) = (Vec::new(), Duration::ZERO);
        Chapter {
            verb,
            yes: false,
            mishaps,
            denied: None,
            rows: 0,
            pause,
            by_hand: false,
            leftovers: Vec::new(),
        }
    }

    fn draw(rng: &mut Rng, verb: Verb) -> Self {
        let needed = match &verb {
            Verb::Up(_) => NEEDED_BY_UP,
            Verb::Down | Verb::DownKeeping => NEEDED_BY_DOWN,
            Verb::Status => &["cloudformation:ListStackResources"],
        };
        let denied = (rng.u8(..10) == 0).then(|| needed[rng.usize(..needed.len())]);
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
