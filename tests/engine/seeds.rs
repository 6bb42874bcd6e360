//! Stories, each drawn from a seed: latencies, faults, other people, kills and signals over `up`, a changed `up`,
//! `status` and `down`. Whatever happens, each command that is run again as a pipeline would run it comes to its
//! right end or to the right error, within bounded calls and time, with nothing lost and nothing left.
//!
//! `SEED=17` replays one and prints all that happened; `SEEDS=100000` runs more, from `FIRST_SEED` on, for which there
//! is a profile: see CONTRIBUTING.md.

mod draw;
mod left;
mod reached;
mod reaping;
mod run;
mod seen;
mod shown;
mod story;
mod templates;
mod verdict;

use crate::bench::{BUCKET, STACK, clock};
use jiff::SignedDuration;
use kinesis_stack::environment::{TAG_ENVIRONMENT, TAG_EXPIRES, expiry_tag};
use run::{Attempt, REGION, attempt};
use seen::{Seen, row};
use simulated_aws::{ACCOUNT, Aws, Fault, Refusal, Version, Weather, When};
use std::fmt::Write as _;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use story::{Chapter, Mishap, OTHERS, Other, Story, Untold, Verb};
use verdict::{Around, Deed, Next, next};

/// Seeds that have once shown a bug: they are always run. `shown` has each of those bugs by itself.
const REGRESSIONS: &[u64] = &[
    35, 105, 118, 133, 136, 146, 170, 174, 191, 237, 279, 289, 322, 362, 444, 605, 2850, 4441, 4455, 4609,
    5119, 7110, 9259, 12738, 15326, 18362, 23069, 25711, 25761, 28554, 31187, 31577, 35996, 37718, 41678,
    49018, 53575, 84413, 91517,
];

/// How many seeds are run where nothing else is said.
const SEEDS: u64 = 2_000;
/// How often a pipeline runs a command again.
const ATTEMPTS: usize = 16;
const MOST_CALLS: usize = 3_000;
const MOST_TIME: Duration = Duration::from_secs(4 * 3_600);
/// How many failing seeds are told.
const TOLD: usize = 20;

/// How a story went.
#[derive(Debug, Default)]
struct Course {
    calls: usize,
    attempts: usize,
    took: Duration,
}

async fn tell(story: &Story, directory: &Path, loud: bool) -> Result<Course, String> {
    let began = tokio::time::Instant::now();
    let aws = Aws::new(REGION).with_weather(story.seed);
    {
        let script = &mut aws.now().script;
        (script.pace, script.key_errors, script.page) = (story.pace, story.key_errors, story.page);
        // Looking on while one is pending shows nothing new.
        script.change_set_seconds = script.change_set_seconds.min(4.0);
    }
    let weather = Weather::from_seed(story.seed);
    if loud {
        println!("{story:#?}\n{weather:#?}\n{:#?}", aws.now().script);
    }
    let loud = loud.then_some(began);
    let mut attempts = 0;
    for (number, chapter) in story.chapters.iter().enumerate() {
        tokio::time::sleep(chapter.pause).await;
        live(&aws, (story, number), &weather, directory, &mut attempts, loud).await?;
    }
    let mut account = aws.now();
    let late = |name: &String| name.starts_with("/aws/lambda/");
    // What somebody updates or brings up again is no command's to take before the next `reap`: each is held to its own.
    let stays =
        |it: &seen::SeenOther| it.somebody == 0 && (it.status.is_some() || !it.holds.iter().all(late));
    if let Some((name, other)) = Seen::of(&mut account).others.iter().find(|(_, it)| stays(it)) {
        return Err(format!("of {name} there remain: {other:?}"));
    }
    let course = Course { calls: account.calls.len(), attempts, took: account.age() };
    if course.calls > MOST_CALLS || course.took > MOST_TIME {
        return Err(format!("it took {} calls and {:?}", course.calls, course.took));
    }
    Ok(course)
}

/// Runs one chapter's command until it has reached its end.
async fn live(
    aws: &Aws,
    (story, number): (&Story, usize),
    weather: &Weather,
    directory: &Path,
    attempts: &mut usize,
    loud: Option<tokio::time::Instant>,
) -> Result<(), String> {
    let mut chapter: Chapter = story.chapters[number].clone();
    {
        let account = &mut *aws.now();
        account.script.denied = chapter.denied.iter().map(ToString::to_string).collect();
        if chapter.taken {
            account.buckets.remove(BUCKET);
            account.somebody_takes(BUCKET);
        }
        if account.buckets.get(BUCKET).is_some_and(|bucket| bucket.owner == ACCOUNT) {
            for number in 0..chapter.rows + chapter.locked {
                let locked = number >= chapter.rows;
                account.put(BUCKET, &row(number), Version { bytes: 93, locked, ..Version::default() });
            }
        }
    }
    make_others(aws, &chapter);
    silence_index(aws, chapter.untold);
    if chapter.by_hand && somebody_deletes(aws) {
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    {
        let account = &mut *aws.now();
        for (kind, name) in &chapter.leftovers {
            if account.thing(kind, name).is_none() {
                account.somebody_makes(kind, name, &[(TAG_ENVIRONMENT, "dev")]);
            }
        }
    }
    let mut mishaps = chapter.mishaps.clone().into_iter();
    let mut beside = chapter.beside.take();
    let mut unprotecting = false;
    let mut wait = 10;
    let mut last = String::new();
    for _ in 0..ATTEMPTS {
        *attempts += 1;
        // Tokens and names are drawn from it: each process has its own, and each replay the same.
        fastrand::seed(story.seed.wrapping_mul(1_000).wrapping_add(*attempts as u64));
        let mishap = mishaps.next().unwrap_or(Mishap::Nothing);
        let last_wish = story.chapters[..number].iter().rev().find_map(|chapter| match &chapter.verb {
            Verb::Up(wish) => Some(wish.clone()),
            _ => None,
        });
        let verb = match last_wish.filter(|_| unprotecting) {
            Some(wish) => Verb::Up(story::Wish { protection: Some(false), ..wish }),
            None => chapter.verb.clone(),
        };
        if loud.is_some() {
            println!("\n=== {verb:?} yes={} {mishap:?} denied={:?}", chapter.yes, chapter.denied);
        }
        let beside = beside.take().filter(|_| !unprotecting);
        if loud.is_some() {
            println!("    beside {beside:?}");
        }
        let tried = attempt(aws, directory, (&verb, chapter.yes), mishap, beside.as_ref(), loud).await;
        let (script, somebody_ever) = {
            let account = aws.now();
            (account.script.clone(), tried.after.somebody > 0)
        };
        let (denied, untold) = (chapter.denied.as_slice(), chapter.untold);
        let around = Around { weather, script: &script, denied, untold, somebody_ever };
        let next = next(&tried, &around);
        if loud.is_some() {
            println!("--- {next:?}: {}\n    {:?}", how_it_ended(&tried), tried.after.remains());
        }
        last = format!("{next:?}: {}", how_it_ended(&tried));
        match next {
            Next::Reached if unprotecting => unprotecting = false,
            Next::Reached => return Ok(()),
            Next::Wrong(sentence) => {
                return Err(format!("{} ({mishap:?}): {sentence}", told(&verb)));
            }
            Next::Person(deed) => match deed {
                Deed::Agrees => chapter.yes = true,
                Deed::RemovesBucket => drop(aws.now().buckets.remove(BUCKET)),
                Deed::GivesPermission => {
                    aws.now().script.denied.clear();
                    chapter.denied.clear();
                }
                Deed::HealsIndex => {
                    silence_index(aws, None);
                    chapter.untold = None;
                }
                Deed::FreesName => drop(aws.now().buckets.remove(BUCKET)),
                Deed::MakesBucket => {
                    aws.now().somebody_makes("AWS::S3::Bucket", BUCKET, &[(TAG_ENVIRONMENT, "dev")]);
                }
                Deed::EndsLocks => {
                    let account = &mut *aws.now();
                    let versions = account.buckets.get_mut(BUCKET).map(|it| it.versions.values_mut());
                    versions.into_iter().flatten().for_each(|version| version.locked = false);
                }
                Deed::TakesProtectionOff => match &mut chapter.verb {
                    Verb::Up(wish) => wish.protection = Some(false),
                    _ => unprotecting = true,
                },
                Deed::Adopts => match &mut chapter.verb {
                    Verb::Up(wish) => wish.adopt = true,
                    // Somebody deleted the stack, and its protection with it: what it was taken off for can go on.
                    _ if unprotecting => unprotecting = false,
                    _ => return Err(format!("{} can't adopt", told(&verb))),
                },
            },
            Next::Again(_) => {
                tokio::time::sleep(Duration::from_secs(wait)).await;
                wait = (wait * 2).min(400);
            }
        }
    }
    Err(format!("{} never came to an end; the last time: {last}", told(&chapter.verb)))
}

/// Somebody makes other environments like this one, where it is there; or the time of all is over.
fn make_others(aws: &Aws, chapter: &Chapter) {
    let now = clock(aws).now();
    let account = &mut *aws.now();
    let is_up = account.stack(STACK).is_some_and(|stack| stack.status.ends_with("_COMPLETE"));
    for Other { name, expires, protected } in chapter.others.iter().filter(|_| is_up) {
        let expires = expiry_tag(now + SignedDuration::from_secs(*expires));
        account.settled_like(STACK, &[("dev", name)], &[(TAG_EXPIRES, &expires)]);
        if let Some(stack) = account.stack(&STACK.replace("dev", name)) {
            stack.protected = *protected;
        }
    }
    if chapter.all_over {
        let over = expiry_tag(now - SignedDuration::from_secs(1));
        let is_other = |name: &str| OTHERS.iter().any(|other| name.contains(other));
        for stack in account.stacks.iter_mut().filter(|stack| is_other(&stack.name)) {
            stack.protected = false;
            stack.deployed.tags.insert(TAG_EXPIRES.to_owned(), over.clone());
        }
        for (_, bucket) in account.buckets.iter_mut().filter(|(name, _)| is_other(name)) {
            bucket.tags.insert(TAG_EXPIRES.to_owned(), over.clone());
        }
    }
}

/// The index of tags tells nothing, or does again.
fn silence_index(aws: &Aws, untold: Option<Untold>) {
    let account = &mut *aws.now();
    account.faults.retain(|fault| fault.operation != "GetResources");
    let refusal = match untold {
        None => return,
        Some(Untold::Denied) => Refusal::denied(&account.caller, "tag:GetResources", "*"),
        Some(Untold::Throttled) => Refusal::throttled("tagging"),
    };
    account.faults.push(Fault { operation: "GetResources", when: When::Always, refusal });
}

/// Somebody deletes the stack by hand, where there is one that can be.
fn somebody_deletes(aws: &Aws) -> bool {
    let account = &mut *aws.now();
    let can_be = account.stack(STACK).is_some_and(|stack| !stack.protected);
    if can_be {
        account.somebody_deletes(STACK);
    }
    can_be
}

fn told(verb: &Verb) -> &'static str {
    match verb {
        Verb::Up(_) => "up",
        Verb::Status => "status",
        Verb::Extend(_) => "extend",
        Verb::Reap(_) => "reap",
        Verb::Down => "down",
        Verb::DownKeeping => "down --keep-data",
    }
}

fn how_it_ended(attempt: &Attempt) -> String {
    match &attempt.result {
        None => "killed".to_owned(),
        Some(Ok(told)) => format!("ended well: {told:?}"),
        Some(Err(error)) => format!("{:?}: {error}", error.kind),
    }
}

/// Runs one seed on a runtime of its own, whose time is paused.
fn play(seed: u64, directory: &Path, loud: bool) -> Result<Course, String> {
    let story = Story::from_seed(seed);
    let played = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(tell(&story, directory, loud))
    }));
    played.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        Err(format!("a panic: {}", text.unwrap_or_default()))
    })
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

/// Runs seeds on all cores. Returns those that failed, with why, and what they took.
fn play_all(seeds: &[u64], loud: bool) -> (Vec<(u64, String)>, String) {
    let (place, calls, attempts) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let (most_calls, most_seconds) = (AtomicUsize::new(0), AtomicU64::new(0));
    let failed = Mutex::new(Vec::new());
    let began = Instant::now();
    std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(2, usize::from).min(seeds.len());
        for _ in 0..threads {
            // The futures of a whole command are big, in a debug build.
            let thread = std::thread::Builder::new().stack_size(16 << 20);
            let work = || {
                let directory = tempfile::tempdir().unwrap();
                while let Some(seed) = seeds.get(place.fetch_add(1, Ordering::Relaxed)) {
                    match play(*seed, directory.path(), loud) {
                        Ok(course) => {
                            calls.fetch_add(course.calls, Ordering::Relaxed);
                            attempts.fetch_add(course.attempts, Ordering::Relaxed);
                            most_calls.fetch_max(course.calls, Ordering::Relaxed);
                            most_seconds.fetch_max(course.took.as_secs(), Ordering::Relaxed);
                        }
                        Err(why) => {
                            // Nobody waits an hour for the first one.
                            eprintln!("seed {seed}: {why}");
                            failed.lock().unwrap().push((*seed, why));
                        }
                    }
                }
            };
            thread.spawn_scoped(scope, work).unwrap();
        }
    });
    let mut failed = failed.into_inner().unwrap();
    failed.sort();
    let took = format!(
        "{} seeds, {} attempts, {} calls in {:.1} s; at most {} calls and {} s of the account's time a story",
        seeds.len(),
        attempts.into_inner(),
        calls.into_inner(),
        began.elapsed().as_secs_f64(),
        most_calls.into_inner(),
        most_seconds.into_inner(),
    );
    (failed, took)
}

#[test]
fn every_seed_comes_to_its_right_end() {
    let one = number("SEED");
    let first = number("FIRST_SEED").unwrap_or(0);
    let seeds: Vec<u64> = match one {
        Some(seed) => vec![seed],
        None => {
            let drawn = first..first + number("SEEDS").unwrap_or(SEEDS);
            REGRESSIONS.iter().copied().chain(drawn).collect()
        }
    };
    let (failed, took) = play_all(&seeds, one.is_some());
    println!("{took}");
    let mut text = format!("{} of {} seeds failed\n", failed.len(), seeds.len());
    for (seed, why) in failed.iter().take(TOLD) {
        let _ = writeln!(text, "{why}\n    SEED={seed} cargo test --test engine every_seed -- --nocapture");
    }
    assert!(failed.is_empty(), "{text}");
}
