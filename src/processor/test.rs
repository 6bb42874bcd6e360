//! A processor on one's own records: each line of a file is a record, and what becomes of it is told in its order.

use super::api::{Api, Posted};
use super::firehose::{Becomes, Gathered, Record, event, judge};
use super::function::Function;
use crate::artifact::Artifact;
use crate::error::{Error, Kind};
use anyhow::{Result, bail};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::HashMap;
use std::io::{self, BufRead, Read};
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// What Lambda lets an invocation take, as `templates/processor.yaml` says.
const TIMEOUT: Duration = Duration::from_secs(180);

/// The longest record that Kinesis takes, in bytes.
const LONGEST: u64 = 10 * 1024 * 1024;

/// What a test came to.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Tested {
    /// Records that were sent to the function.
    pub records: u64,
    /// Those that became rows.
    pub rows: u64,
    /// Those that were left out on purpose.
    pub dropped: u64,
    /// Those that failed.
    pub failed: u64,
    /// Invocations.
    pub batches: u64,
    /// How long the function took for them.
    pub seconds: f64,
}

/// Sends each line that isn't empty to the function, and tells what becomes of it: its number, and what.
///
/// # Errors
/// Where the function ends, or takes longer than Lambda lets it.
pub async fn test(
    artifact: &Artifact,
    cache: &Path,
    lines: impl BufRead + Send + 'static,
    mut tell: impl FnMut(usize, Becomes) -> Result<()>,
) -> Result<Tested> {
    let mut api = Api::listen().await?;
    let mut function = Function::start(artifact, cache, &api)?;
    let (mut tested, mut gathered) = (Tested::default(), Gathered::default());
    let mut records = read(lines);
    while let Some(record) = records.recv().await {
        if let Some(batch) = gathered.add(record.map_err(unreadable)?) {
            run(&batch, &mut api, &mut function, &mut tested, &mut tell).await?;
        }
    }
    let rest = gathered.take();
    if !rest.is_empty() {
        run(&rest, &mut api, &mut function, &mut tested, &mut tell).await?;
    }
    function.end().await?;
    Ok(tested)
}

/// Reads lines on a thread of its own, which may wait for whoever types them.
fn read(mut lines: impl BufRead + Send + 'static) -> mpsc::Receiver<io::Result<Record>> {
    let (sender, receiver) = mpsc::channel(1024);
    std::thread::spawn(move || {
        for line in 1.. {
            let mut data = Vec::new();
            let record = match lines.by_ref().take(LONGEST + 1).read_until(b'\n', &mut data) {
                Ok(0) => return,
                Err(error) => Err(error),
                Ok(read) if read as u64 > LONGEST && !data.ends_with(b"\n") => Err(too_long(line)),
                Ok(_) => {
                    let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
                    let end = data.iter().rposition(|byte| !is_end(byte)).map_or(0, |last| last + 1);
                    data.truncate(end);
                    Ok(Record { line, data })
                }
            };
            let is_empty = record.as_ref().is_ok_and(|record| record.data.is_empty());
            let is_last = record.is_err();
            if !is_empty && sender.blocking_send(record).is_err() || is_last {
                return;
            }
        }
    });
    receiver
}

fn too_long(line: usize) -> io::Error {
    let message = format!("line {line} is longer than 10 MiB, and Kinesis takes no such record");
    io::Error::new(io::ErrorKind::InvalidData, message)
}

fn unreadable(error: io::Error) -> Error {
    let kind = if error.kind() == io::ErrorKind::InvalidData { Kind::BadInput } else { Kind::Failed };
    Error::new(kind, "cannot read the records").because(error.to_string())
}

async fn run(
    batch: &[Record],
    api: &mut Api,
    function: &mut Function,
    tested: &mut Tested,
    tell: &mut impl FnMut(usize, Becomes) -> Result<()>,
) -> Result<()> {
    let all = |reason: &str| batch.iter().map(|_| Becomes::Failed(reason.to_owned())).collect::<Vec<_>>();
    let became = match event(batch, Timestamp::now()) {
        None => all("too large: Lambda takes events of 6 MiB, base64 included"),
        Some(event) => {
            tested.batches += 1;
            let began = Instant::now();
            let id = format!("test-{}", tested.batches);
            let posted = tokio::select! {
                biased;
                posted = api.invoke(&id, event) => posted?,
                status = function.ended() => {
                    let status = status?;
                    return Err(ended(batch, &status.to_string(), function));
                }
                () = tokio::time::sleep(TIMEOUT) => return Err(slow(batch)),
            };
            tested.seconds += began.elapsed().as_secs_f64();
            let mut reasons = reasons(&function.logged()?);
            explain_panics(batch, &mut reasons, &function.complained()?);
            match posted {
                Posted::Answer(answer) => judge(batch, &answer, &reasons),
                Posted::Error(error) => all(&format!("the function failed: {}", message(&error))),
                Posted::InitError(error) => bail!("the function could not begin: {}", message(&error)),
            }
        }
    };
    for (record, becomes) in batch.iter().zip(became) {
        tested.records += 1;
        match becomes {
            Becomes::Row(_) => tested.rows += 1,
            Becomes::Dropped => tested.dropped += 1,
            Becomes::Failed(_) => tested.failed += 1,
        }
        tell(record.line, becomes)?;
    }
    Ok(())
}

/// Why records failed, by their ids, as a processor that is made of ours logs it.
fn reasons(log: &str) -> HashMap<String, String> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let reason = |line: Value| {
        let text = |name: &str| line[name].as_str().map(str::to_owned);
        Some((text("recordId")?, text("reason")?))
    };
    lines.filter_map(reason).collect()
}

/// What a processor that is made of ours says of a record whose transform panicked.
const PANICKED: &str = "the transform panicked";

/// Adds to the reason of each record whose transform panicked where that was, and with which words: Rust has written
/// both to stderr, in the order of the records.
fn explain_panics(batch: &[Record], reasons: &mut HashMap<String, String>, stderr: &str) {
    let is_panic = |id: &String| reasons.get(id).is_some_and(|reason| reason == PANICKED);
    let ids: Vec<_> = batch.iter().map(Record::id).filter(is_panic).collect();
    // A batch whose answer doesn't fit at once is gone through again, and its last time is what counts.
    for (id, panic) in ids.iter().rev().zip(panics(stderr).iter().rev()) {
        reasons.insert(id.clone(), format!("{PANICKED} at {panic}"));
    }
}

/// Each panic, as `FILE:LINE:COLUMN: MESSAGE`.
fn panics(stderr: &str) -> Vec<String> {
    let mut lines = stderr.lines().peekable();
    let mut panics = Vec::new();
    while let Some(line) = lines.next() {
        let Some((_, place)) = line.split_once(" panicked at ").filter(|_| line.starts_with("thread '"))
        else {
            continue;
        };
        let mut panic = format!("{place} {}", lines.next().unwrap_or_default());
        // `assert_eq!` shows both sides below, further in.
        while let Some(more) = lines.next_if(|line| line.starts_with(' ')) {
            panic.push_str(&format!(", {}", more.trim()));
        }
        panics.push(panic);
    }
    panics
}

fn message(error: &[u8]) -> String {
    let parsed: Value = serde_json::from_slice(error).unwrap_or_default();
    match parsed["errorMessage"].as_str() {
        Some(message) => message.to_owned(),
        None => String::from_utf8_lossy(error).into_owned(),
    }
}

/// The lines of a batch, for people.
fn lines(batch: &[Record]) -> String {
    let line = |record: Option<&Record>| record.map_or(0, |record| record.line);
    format!("lines {} to {}", line(batch.first()), line(batch.last()))
}

fn ended(batch: &[Record], status: &str, function: &mut Function) -> anyhow::Error {
    let said = function.complained().unwrap_or_default();
    let error =
        Error::new(Kind::Failed, format!("the processor ended ({status}) while it had {}", lines(batch)));
    let error = match said.trim_end() {
        "" => error.because("it wrote nothing to stderr"),
        said => error.because(format!("its stderr:\n{said}")),
    };
    error.remedy("On AWS, Firehose would try the batch three more times, and then put all of it under the error prefix.").into()
}

fn slow(batch: &[Record]) -> anyhow::Error {
    let seconds = TIMEOUT.as_secs();
    Error::new(Kind::Failed, format!("the processor had {} for more than {seconds} s", lines(batch)))
        .because("that is when Lambda ends it")
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A processor that is a script, as Lambda takes one as well. It needs what every machine has.
    fn script(text: &str) -> Artifact {
        Artifact::pack(format!("#!/bin/sh\n{text}").as_bytes()).unwrap()
    }

    #[tokio::test]
    async fn a_processor_that_ends_is_told_with_its_stderr_and_leaves_nothing() {
        let cache = tempfile::tempdir().unwrap();
        let artifact = script("echo 'thread main panicked' >&2; exit 3");
        let tested = test(&artifact, cache.path(), &b"{}\n"[..], |_, _| Ok(())).await;
        let error = Error::of(&tested.unwrap_err());
        assert!(error.to_string().contains("exit status: 3"), "{error}");
        assert!(format!("{error:?}").contains("thread main panicked"), "{error:?}");
        let run = cache.path().join("processor/run");
        assert_eq!(std::fs::read_dir(run).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn nothing_that_a_processor_started_outlives_the_test() {
        let cache = tempfile::tempdir().unwrap();
        let said = cache.path().join("pid");
        let artifact =
            script(&format!("sleep 300 & echo $! > {0}.new; mv {0}.new {0}; wait", said.display()));
        let directory = cache.path().to_owned();
        let testing = test(&artifact, &directory, &b"{}\n"[..], |_, _| Ok(()));
        let started = async {
            loop {
                match std::fs::read_to_string(&said) {
                    Ok(pid) => break pid.trim().parse().unwrap(),
                    Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            }
        };
        // As where somebody presses Ctrl-C: the future is dropped.
        let pid: i32 = tokio::select! {
            tested = testing => panic!("{tested:?}"),
            pid = started => pid,
        };
        // It is gone, or a corpse that nobody has buried yet.
        let stat = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let is_alive = || stat().rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with(['Z', 'X']));
        let until = Instant::now() + Duration::from_secs(10);
        while is_alive() {
            assert!(Instant::now() < until, "the sleep lives on: {}", stat());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(std::fs::read_dir(cache.path().join("processor/run")).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn what_a_test_left_that_was_killed_is_removed_by_the_next_one() {
        let cache = tempfile::tempdir().unwrap();
        let run = cache.path().join("processor/run");
        let mut gone = std::process::Command::new("true").spawn().unwrap();
        let killed = run.join(gone.id().to_string());
        gone.wait().unwrap();
        let others = run.join(std::os::unix::process::parent_id().to_string());
        for directory in [&killed, &others] {
            std::fs::create_dir_all(directory.join("task")).unwrap();
        }
        let tested = test(&script("exit 3"), cache.path(), &b"{}\n"[..], |_, _| Ok(())).await;
        assert!(tested.is_err());
        assert!(!killed.exists() && others.exists(), "those of processes that run stay");
    }

    #[tokio::test]
    async fn a_line_that_never_ends_is_bad_input() {
        let endless = io::BufReader::new(std::fs::File::open("/dev/zero").unwrap());
        let error = read(endless).recv().await.unwrap().map_err(unreadable).err().unwrap();
        assert_eq!(error.kind, Kind::BadInput);
        assert!(error.to_string().contains("line 1 is longer than 10 MiB"), "{error}");
    }

    #[test]
    fn reasons_are_found_among_other_lines() {
        let log = "no JSON\n{\"recordId\": \"a\", \"reason\": \"not JSON\"}\n{\"reason\": \"of all\"}\n";
        assert_eq!(reasons(log), HashMap::from([("a".to_owned(), "not JSON".to_owned())]));
    }

    #[test]
    fn a_panic_is_told_with_its_place_and_its_words_at_the_record_that_made_it() {
        let batch = [1, 2, 3].map(|line| Record { line, data: Vec::new() });
        let [first, second, third] = [0, 1, 2].map(|place: usize| batch[place].id());
        let mut reasons = HashMap::from([
            (first.clone(), PANICKED.to_owned()),
            (second.clone(), "not JSON".to_owned()),
            (third.clone(), PANICKED.to_owned()),
        ]);
        let stderr = "\nthread 'main' (7) panicked at src/transform.rs:9:5:\na bug\nnote: run with `RUST_BACKTRACE=1`\n\
            mine\n\nthread 'main' (7) panicked at src/transform.rs:12:5:\nassertion failed\n  left: 1\n right: 2\n";
        explain_panics(&batch, &mut reasons, &stderr.repeat(2));
        assert_eq!(reasons[&first], "the transform panicked at src/transform.rs:9:5: a bug");
        assert_eq!(reasons[&second], "not JSON");
        assert_eq!(
            reasons[&third],
            "the transform panicked at src/transform.rs:12:5: assertion failed, left: 1, right: 2"
        );
        // A function that says nothing leaves it at that.
        let mut reasons = HashMap::from([(first.clone(), PANICKED.to_owned())]);
        explain_panics(&batch, &mut reasons, "");
        assert_eq!(reasons[&first], PANICKED);
    }

    #[test]
    fn an_error_is_told_by_its_message() {
        assert_eq!(message(br#"{"errorType": "x", "errorMessage": "no"}"#), "no");
        assert_eq!(message(b"no JSON"), "no JSON");
    }
}
