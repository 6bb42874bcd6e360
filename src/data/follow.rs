//! Rows as they land, until somebody has seen enough.
//!
//! S3 tells nobody of new objects, so that they are looked for. Their keys are in the order of time: Firehose puts the
//! hour of an object's oldest record first, and no buffer holds a record for more than half an hour. So most looks list
//! only the keys of the last hours. A delivery that was held up (a bucket that refused for a day) lands under older
//! keys: all of them are listed once in a while.

use super::backoff::Backoff;
use super::objects::{Failure, list_after};
use super::results::RowReader;
use crate::event::Event;
use crate::stack::Context;
use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use std::collections::HashSet;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Objects of so many hours are looked for each time.
const RECENT: SignedDuration = SignedDuration::from_hours(2);
/// All objects are looked for so often.
const ALL: Duration = Duration::from_secs(5 * 60);

/// Reads what is there, and goes on with what lands. Ends only where it fails. The keys of all objects are kept in
/// memory, so that each is read once.
pub(super) async fn follow(context: &Context, reader: &mut RowReader<'_>) -> Result<()> {
    let (mut seen, mut all_at) = (HashSet::new(), None::<Instant>);
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    loop {
        let is_all = all_at.is_none_or(|at| at.elapsed() >= ALL);
        // What failed is few, and its keys have another part before the hour.
        let after = (!is_all && !reader.view.failures)
            .then(|| recent(&reader.query.prefix, context.clock.now()))
            .flatten();
        let before = seen.len();
        let looked = look(context, reader, after, &mut seen).await;
        reader.catch_up()?;
        for (object, reason) in reader.damaged.drain(..) {
            context.reporter.tell(&Event::ObjectDamaged { object, reason });
        }
        if seen.len() > before {
            // Objects come in bursts: the next are likely to be near.
            backoff.reset();
        }
        let pause = backoff.equal_jitter();
        match looked {
            Ok(()) if is_all => all_at = Some(Instant::now()),
            Ok(()) => {}
            Err(failure) if failure.transient => context.reporter.tell(&Event::PollFailed {
                reason: crate::error::Error::of(&failure.error).to_string(),
                retry_seconds: pause.as_secs_f64(),
            }),
            Err(failure) => return Err(failure.error),
        }
        sleep(pause).await;
    }
}

/// Reads the objects that weren't seen yet.
async fn look(
    context: &Context,
    reader: &mut RowReader<'_>,
    after: Option<String>,
    seen: &mut HashSet<String>,
) -> Result<(), Failure> {
    let mut objects = list_after(&context.clients.s3, reader.query, after).await?;
    objects.retain(|object| !seen.contains(&object.key));
    let (done, read) = reader.read(&objects).await;
    seen.extend(objects.drain(..done).map(|object| object.key));
    read
}

/// What the keys of recent rows come behind.
fn recent(prefix: &str, now: Timestamp) -> Option<String> {
    let hour = now.checked_sub(RECENT).ok()?;
    Some(format!("{prefix}{}", hour.strftime("%Y/%m/%d/%H")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recent_keys_are_those_of_the_last_two_hours_and_the_one_that_has_begun() {
        let now: Timestamp = "2026-03-01T01:30:00Z".parse().unwrap();
        let recent = recent("rows/", now).unwrap();
        assert_eq!(recent, "rows/2026/02/28/23");
        assert!("rows/2026/02/28/23/kinesis-stack-dev-1-2026-02-28-23-59-59-x" > recent.as_str());
        assert!("rows/2026/03/01/00/x" > recent.as_str());
        assert!("rows/2026/02/28/22/x" < recent.as_str());
    }
}
