//! Events in words. The same words stand on a terminal and in a log.

mod data;

use super::fit::{Page, middle};
use super::{Paint, Table, plan, reaper, resource, smoke};
use crate::cloud::fault;
use crate::data::Statistics;
use crate::error::Error;
use crate::event::{Consumed, DataFound, Due, Event, Exported, Percentiles, Produced, Recovery, Removed};
use crate::stack::plan::Operation;

/// The lines that an event is worth, without a final newline. `None` where it is worth none.
pub fn line(event: &Event, page: Page) -> Option<String> {
    let paint = page.paint;
    Some(match event {
        Event::Command { line } => format!("\n{} {}", paint.dim("$"), paint.strong(line)),
        Event::DemoEnded { command } => format!(
            "\nBuilt on this machine: a data stream, a delivery stream that has a Rust function\n\
             transform each record, a bucket with the rows, and their roles and logs, all in one\n\
             CloudFormation stack. This takes it down again:\n  {}",
            paint.strong(command)
        ),
        Event::LocalInstalling { version } => {
            format!("Installing the local cloud (MiniStack {version}) into the cache, once")
        }
        Event::LocalStarting { version } => format!("Starting the local cloud (MiniStack {version})"),
        Event::LocalReady { endpoint, started: true, .. } => format!("The local cloud answers at {endpoint}"),
        Event::LocalReady { started: false, .. } => return None,
        Event::LocalStopped => "The local cloud has ended".to_owned(),
        Event::ProcessorBuilding { architecture } => {
            format!("Compiling the processor for {architecture}, once")
        }
        Event::ProcessorReady { sha256, bytes, built, seconds } => {
            let how = if *built { format!(", built in {}", time(*seconds)) } else { String::new() };
            format!("Processor {} ({}{how})", short(sha256), size(*bytes))
        }
        Event::ArtifactBucketCreated { bucket } => format!("Created the artifact bucket {bucket}"),
        Event::ArtifactReady { bucket, uploaded: true, .. } => format!("Uploaded the processor to {bucket}"),
        Event::ArtifactReady { uploaded: false, .. } => return None,
        Event::Plan(plan) => plan::plan(plan, page).trim_end().to_owned(),
        Event::Unchanged { stack } => format!("{} {stack}: no changes", paint.good("✓")),
        Event::OperationInProgress { stack, status } => {
            format!("{stack} is {status}: watching that operation to its end first")
        }
        Event::Retagging { .. } => return None,
        Event::OperationStarted { operation, stack, .. } => format!("{} {stack}", verb(*operation)),
        Event::Resource(resource) => resource::line(resource, page),
        Event::PollFailed { reason, retry_seconds } => {
            paint.warn(&format!("  could not look ({reason}); again in {}", time(*retry_seconds)))
        }
        Event::ObjectDamaged { object, reason } => paint.warn(&format!(
            "not readable to the end: {}",
            fault::in_one_line(&format!("{object}: {reason}"))
        )),
        Event::CredentialsRenewed => "The credentials had expired and were read anew".to_owned(),
        Event::Slept { seconds } => format!("This machine slept for {}; looking again", time(*seconds)),
        Event::Waiting { resources } => resource::waiting(resources, page),
        Event::CriticalPath { steps, .. } if steps.is_empty() => return None,
        Event::CriticalPath { steps, seconds } => resource::critical_path(steps, *seconds, page),
        Event::Diagnosed(_) => return None,
        Event::Recovering { stack, status, by, skipping } => recovering(stack, status.name(), *by, skipping),
        Event::Retrying { because } => format!("{} Trying once more.", paint.warn(because)),
        Event::Cancelling { operation, stack } => {
            let how = match operation {
                Operation::Create => format!("Stopping: asked CloudFormation to delete {stack} again"),
                Operation::Update => {
                    format!("Stopping: asked CloudFormation to cancel the update of {stack} and roll it back")
                }
                Operation::Delete => format!("Stopping: the deletion of {stack} can't be cancelled"),
            };
            format!("{}. Ctrl-C once more leaves it to itself.", paint.warn(&how))
        }
        Event::Withdrawing { stack } => format!("Stopping: {stack} is left as it was"),
        Event::Protected { stack, protected: true } => {
            format!("{stack} is protected: it can't be deleted, nor its stream and bucket be replaced")
        }
        Event::Protected { stack, protected: false } => format!("{stack} is no longer protected"),
        Event::CodeUpdated { function, sha256, seconds } => format!(
            "{} {function} runs {} now, changed in {} past CloudFormation (the next full `up` settles the stack)",
            paint.good("✓"),
            short(sha256),
            time(*seconds)
        ),
        Event::LegReady { leg, name, seconds } => {
            format!("  {} {leg} {name} is ready  {}", paint.good("✓"), time(*seconds))
        }
        Event::Removal { stack, resources, bucket, data } => {
            let mut text = match resources.is_empty() {
                true => format!("{stack} will be deleted; it holds no resource.\n"),
                false => format!("{stack} will be deleted:\n{}", removed(resources, page)),
            };
            if let (Some(bucket), Some(data)) = (bucket, data) {
                text.push_str(&holds(bucket, data, paint));
            }
            text.trim_end().to_owned()
        }
        Event::Emptying { bucket, versions, bytes, total, versions_per_second, seconds_left, .. } => {
            let bucket = if page.is_narrow() { middle(bucket, 24) } else { bucket.clone() };
            let objects = match total.filter(|total| total >= versions) {
                Some(total) => format!("{versions} of {}", count(total, "object")),
                None => count(*versions, "object"),
            };
            let left = seconds_left.map(|seconds| format!(", {} left", time(seconds))).unwrap_or_default();
            // Of what doesn't fit, the time that is left is missed most.
            let rate = versions_per_second.map(|rate| format!(" ({}), {rate:.0} a second", size(*bytes)));
            let rate = rate.filter(|_| !page.is_narrow()).unwrap_or_default();
            format!("Emptying {bucket}: {objects}{rate}{left}")
        }
        Event::BucketRemoved { bucket } => format!("Removed the bucket {bucket}"),
        Event::Emptied { versions: 0, .. } => return None,
        Event::Emptied { bucket, versions, bytes, seconds } => {
            format!(
                "Emptied {bucket}: {} ({}) in {}",
                count(*versions, "object"),
                size(*bytes),
                time(*seconds)
            )
        }
        Event::EmptyingAgain { bucket, attempt } => {
            format!("{bucket} got new objects meanwhile: emptying it again ({attempt})")
        }
        Event::Checked { service, name, left: true } => {
            format!("  {} {service} {name} is left", paint.bad("✗"))
        }
        Event::Checked { left: false, .. } => return None,
        Event::Exporting { bucket, objects, bytes, .. } => {
            let bucket = if page.is_narrow() { middle(bucket, 24) } else { bucket.clone() };
            format!("Downloading {bucket}: {} ({})", count(*objects, "object"), size(*bytes))
        }
        Event::ExportUnsettled { bucket, directory, rounds } => paint.warn(&format!(
            "After {rounds} rounds objects still came into {bucket}: what comes now isn't in {directory}"
        )),
        Event::Exported(exported) => exported_so(exported, paint),
        Event::LeftoverRemoved { service, name } => {
            format!("Removed the {service} {name}, which was left behind")
        }
        Event::NotOurs { service, name, because } => {
            paint.warn(&format!("The {service} {name} is left alone: {because}"))
        }
        Event::NothingToKeep { bucket, is_there: false } => {
            paint.warn(&format!("There is no data to keep: there is no bucket {bucket}"))
        }
        Event::NothingToKeep { bucket, is_there: true } => paint.warn(&format!(
            "The bucket {bucket} is kept, and nothing is in it: whoever deletes the environment may have emptied it before"
        )),
        Event::LastLines { group, seconds } => {
            format!("Waiting {seconds:.0}s for the function's last log lines: they can make {group} again")
        }
        Event::BroughtUpAgain { stack, .. } => {
            paint.warn(&format!("Somebody brought {stack} up again meanwhile: that is left alone"))
        }
        Event::ArtifactsRemoved { bucket, bucket_removed: true, .. } => {
            format!("Removed the artifact bucket {bucket}, with the last environment")
        }
        Event::ArtifactsRemoved { bucket, zips, .. } => {
            format!("Removed {} from {bucket} that no environment uses", count(*zips, "zip"))
        }
        Event::Producing(produced) => produced_so_far(produced),
        Event::RecordsRefused { stream, reason, seconds } => paint.warn(&format!(
            "{stream} has taken no record for {}, going on: {}",
            time(*seconds),
            fault::in_one_line(reason)
        )),
        Event::Consuming(consumed) => consuming(consumed),
        Event::ReadsFailing { what, reason, seconds } => paint.warn(&format!(
            "No read of {what} has worked for {}, going on: {}",
            time(*seconds),
            fault::in_one_line(reason)
        )),
        Event::ReadsWork { what } => format!("Reads of {what} work again"),
        Event::Counted(statistics) => counted(statistics, usize::MAX, paint),
        Event::ShardEnded { shard, children } if children.is_empty() => {
            format!("{shard} has come to its end")
        }
        Event::ShardEnded { shard, children } => {
            format!("{shard} has come to its end: going on with {}", children.join(" and "))
        }
        Event::ConsumerReady { name, seconds } => {
            format!("Reading as the consumer {name}, ready in {}", time(*seconds))
        }
        Event::ConsumerRemoved { name } => format!("Removed the consumer {name}"),
        Event::ConsumerLeft { name, since, command } => {
            let since = since.as_ref().map(|since| format!(" since {}", at(since))).unwrap_or_default();
            paint.warn(&format!(
                "The consumer {name} is registered{since}. If no `consume` uses it any more, remove it:\n  {command}"
            ))
        }
        Event::WaitingForRows { rows, wanted } => format!("{rows} of {wanted} rows have landed"),
        Event::SmokeNotReady { leg, name, status } => {
            format!("Waiting until the {leg} {name} is ready: {status}")
        }
        Event::SmokeSent(sent) => smoke::sent(sent, page),
        Event::SmokeWaiting { landed, wanted, seconds, due_seconds } => {
            smoke::waiting(*landed, *wanted, *seconds, *due_seconds)
        }
        Event::SmokeLeg(leg) => smoke::leg(leg, page),
        Event::SmokeEnded(report) => return smoke::ended(report, page),
        Event::RowsRead(read) => data::rows_read(read, paint),
        Event::FailuresRead(read) => data::failures_read(read, page),
        Event::LogsRead { lines, since } => data::logs_read(*lines, since),
        Event::LogGroupMissing { group } => {
            paint.warn(&format!("The log group {group} is not there: nothing was logged to it"))
        }
        Event::LogsFollowed { live_tail: true, .. } => {
            "Following by live tail, which costs $0.01 a minute; Ctrl-C ends it".to_owned()
        }
        Event::LogsFollowed { live_tail: false, because } => {
            let because = because.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
            format!("Following by polling{because}; Ctrl-C ends it")
        }
        Event::MarksYielded { stack, marks } => paint.warn(&format!(
            "{stack} is protected: the settings file's {} doesn't apply as long as it is",
            marks.join(" and ")
        )),
        Event::Expired { stack, expires } => paint
            .warn(&format!("The time of {stack} was over at {}: the next `reap` takes it down", at(expires))),
        Event::Extended { stack, before, expires } => {
            extended(stack, before.as_deref(), expires.as_deref(), paint)
        }
        Event::RegionUnread { region, error } => {
            paint.warn(&format!("{region} could not be looked at: {}", in_one_line(error)))
        }
        Event::Due { environments } => due(environments, page),
        Event::Reaping { env, region, expires } => {
            format!("Tearing down {env} in {region}, whose time was over at {}", at(expires))
        }
        Event::Reaped { env, region, seconds } => {
            format!("{} {env} in {region} is gone  {}", paint.good("✓"), time(*seconds))
        }
        Event::NotReaped { env, region, error } => {
            format!("{} {env} in {region}: {}", paint.bad("✗"), in_one_line(error))
        }
        Event::LeftAlone { env, region, because } => format!("- {env} in {region} stays: {because}"),
        Event::BucketKept { env, region, bucket } => {
            format!("- {env} in {region} is gone, and its bucket {bucket} is kept on purpose")
        }
        Event::ProcessorWritten { directory, files, setting } => {
            let written = format!("{} {files} files in {directory}", paint.good("✓"));
            let setting = setting
                .as_ref()
                .map(|line| format!("\nWith `{line}` in kinesis-stack.yaml, `up` builds it."));
            written + &setting.unwrap_or_default()
        }
        Event::ProcessorTested { records, rows, dropped, failed, seconds, .. } => {
            let mark = if *failed == 0 { paint.good("✓") } else { paint.bad("✗") };
            let rate = if *seconds > 0.0 { *records as f64 / *seconds } else { 0.0 };
            format!(
                "{mark} {records} records: {rows} rows, {dropped} dropped, {failed} failed; {} in the processor, {rate:.0} records/s",
                time(*seconds)
            )
        }
        Event::ReaperReady { sha256, bytes, architecture } => {
            format!("Reaper {} ({}, for {architecture})", short(sha256), size(*bytes))
        }
        Event::ReaperRan { reaped, failed, error, seconds, .. } => match error {
            Some(error) => paint.bad(&format!("the reaper failed: {error}")),
            None => format!("The reaper took {}: {}", time(*seconds), reaper::came_to(reaped, failed)),
        },
        Event::Call { service, operation, attempt, outcome, milliseconds } => {
            let again = if *attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
            paint.dim(&format!("  {service} {operation}: {outcome}, {milliseconds} ms{again}"))
        }
        Event::Done(_) => return None,
    })
}

/// What `down` removes. On a narrow page types are shortened, and names in their middle.
fn removed(resources: &[Removed], page: Page) -> String {
    let shortened = |it: &Removed| {
        if page.is_narrow() { resource::last(kind(&it.resource_type)) } else { kind(&it.resource_type) }
            .to_owned()
    };
    let widest = |column: fn(&Removed) -> usize| resources.iter().map(column).max().unwrap_or_default();
    let kinds = resources.iter().map(|it| shortened(it).len()).max().unwrap_or_default();
    let taken = "  -  ".len() + widest(|it| it.logical_id.len()) + "  ".len() + kinds + "  ".len();
    let room = page.width.map_or(usize::MAX, |width| width.saturating_sub(taken).max(16));
    let mut table = Table::new(2);
    for it in resources {
        let name = middle(&shown(&it.physical_id), room);
        table.row([page.paint.bad("-"), it.logical_id.clone(), shortened(it), name]);
    }
    table.render()
}

fn recovering(stack: &str, status: &str, by: Recovery, skipping: &[String]) -> String {
    let how = match by {
        Recovery::Delete => "deleting it, to create it anew".to_owned(),
        Recovery::Rollback => "rolling it back to how it last worked".to_owned(),
        Recovery::ContinueRollback if skipping.is_empty() => "going on with its roll-back".to_owned(),
        Recovery::ContinueRollback => {
            format!("going on with its roll-back, leaving {} as it is", skipping.join(", "))
        }
    };
    format!("{stack} is {status}: {how}")
}

/// What became of an environment's time.
fn extended(stack: &str, before: Option<&str>, expires: Option<&str>, paint: Paint) -> String {
    let good = paint.good("✓");
    match (before, expires) {
        (Some(before), Some(expires)) => {
            format!("{good} {stack} lives until {}, not only until {}", at(expires), at(before))
        }
        (None, Some(expires)) => format!("{good} {stack} lives until {}", at(expires)),
        (Some(_), None) => format!("{good} {stack} no longer ends by itself"),
        (None, None) => format!("{good} {stack} doesn't end by itself"),
    }
}

/// What `reap` is about to tear down.
fn due(environments: &[Due], page: Page) -> String {
    let mut table = Table::new(2);
    for it in environments {
        let owner = it.owner.as_deref().map(|owner| owner.rsplit([':', '/']).next().unwrap_or(owner));
        table.row([
            page.paint.bad("-"),
            it.env.clone(),
            it.region.clone(),
            at(&it.expires),
            middle(owner.unwrap_or_default(), 20),
        ]);
    }
    let what = match environments.len() {
        1 => "The time of 1 environment is over".to_owned(),
        many => format!("The time of {many} environments is over"),
    };
    format!("{what}:\n{}", table.render().trim_end())
}

/// An error where there is room for one line.
fn in_one_line(error: &Error) -> String {
    error.to_string().lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

/// A moment, as people say it, in UTC.
pub fn at(moment: &str) -> String {
    let Some((date, time)) = moment.split_once('T') else { return moment.to_owned() };
    format!("{date} {} UTC", time.get(..5).unwrap_or(time))
}

fn verb(operation: Operation) -> &'static str {
    match operation {
        Operation::Create => "Creating",
        Operation::Update => "Updating",
        Operation::Delete => "Deleting",
    }
}

fn holds(bucket: &str, data: &DataFound, paint: Paint) -> String {
    if data.objects == 0 {
        return format!("  {bucket} is empty\n");
    }
    let more = if data.complete { "" } else { "more than " };
    let newest = data.newest.as_ref().map(|newest| format!(", the newest of {newest}")).unwrap_or_default();
    let text =
        format!("{bucket} holds {more}{} ({}){newest}", count(data.objects, "object"), size(data.bytes));
    format!("  {}\n", paint.bad(&text))
}

/// What was downloaded, and what of it is to be known.
fn exported_so(exported: &Exported, paint: Paint) -> String {
    let Exported { bucket, directory, objects, bytes, present, by_size_alone, gone, renamed, seconds } =
        exported;
    let there = if *present > 0 { format!(", {present} of them were there") } else { String::new() };
    let mut lines = vec![format!(
        "Downloaded {bucket} to {directory}: {} ({}{there}) in {}",
        count(*objects, "object"),
        size(*bytes),
        time(*seconds)
    )];
    if *by_size_alone > 0 {
        lines.push(paint.warn(&format!("{} compared by size alone", count(*by_size_alone, "object"))));
    }
    if *gone > 0 {
        lines.push(paint.warn(&format!("{} deleted meanwhile", count(*gone, "object"))));
    }
    if *renamed > 0 {
        lines.push(paint.warn(&format!(
            "{} named otherwise, since their keys can't be names of files: see the manifest",
            count(*renamed, "object")
        )));
    }
    lines.join("\n")
}

/// The producer's account so far, for a line that has a clock of its own.
fn produced_so_far(produced: &Produced) -> String {
    produced_within(produced, "")
}

fn produced_within(produced: &Produced, within: &str) -> String {
    let mean = if produced.seconds > 0.0 { produced.sent as f64 / produced.seconds } else { 0.0 };
    let rate = produced.records_per_second.unwrap_or(mean);
    let mut text =
        format!("{} sent ({}){within}, {rate:.0}/s", count(produced.sent, "record"), size(produced.bytes));
    if produced.resent > 0 {
        text.push_str(&format!(", {} refused and sent again", produced.resent));
    }
    if produced.lost > 0 {
        text.push_str(&format!(", {} lost", produced.lost));
    }
    text
}

/// The producer's account at its end.
pub fn produced_in_all(produced: &Produced) -> String {
    let mut text = produced_within(produced, &format!(" in {}", time(produced.seconds)));
    if let Some(Percentiles { p50, p99, max }) = produced.call_milliseconds {
        let [p50, p99, max] = [p50, p99, max].map(short_time);
        text.push_str(&match produced.calls {
            1 => format!("\n  its one call took {max}"),
            // Of a handful, shares say nothing.
            calls @ ..10 => format!("\n  the longest of {calls} calls took {max}"),
            _ => format!("\n  a call took {p50}, 99 of 100 at most {p99}, the longest {max}"),
        });
    }
    text
}

/// Milliseconds, as people say them.
fn short_time(milliseconds: f64) -> String {
    match milliseconds {
        ..10.0 => format!("{milliseconds:.1} ms"),
        10.0..1_000.0 => format!("{milliseconds:.0} ms"),
        _ => time(milliseconds / 1_000.0),
    }
}

/// How far the consumer is.
pub fn consumed_so_far(consumed: &Consumed) -> String {
    consumed_within(consumed, &format!(" in {}", time(consumed.seconds)))
}

/// The same for a line that has a clock of its own.
pub fn consuming(consumed: &Consumed) -> String {
    consumed_within(consumed, "")
}

fn consumed_within(consumed: &Consumed, within: &str) -> String {
    let Consumed { records, bytes, shards, behind_milliseconds, .. } = consumed;
    let behind = match behind_milliseconds {
        None => String::new(),
        Some(0) => ", up to date".to_owned(),
        Some(behind) => format!(", {} behind", time(*behind as f64 / 1_000.0)),
    };
    let shards = count(*shards as u64, "shard");
    if *records == 0 {
        return format!("No record yet from {shards}{behind}");
    }
    format!("{} ({}){within} from {shards}{behind}", count(*records, "record"), size(*bytes))
}

/// Statistics of trades, with no more tickers than that: those with most trades come first.
pub fn counted(statistics: &Statistics, tickers: usize, paint: Paint) -> String {
    let Statistics { records, trades: _, others, buys, sells } = statistics;
    let mut all: Vec<(&String, u64, u64)> = Vec::new();
    for name in buys.tickers.keys().chain(sells.tickers.keys().filter(|it| !buys.tickers.contains_key(*it))) {
        let of = |side: &crate::data::Side| side.tickers.get(name).copied().unwrap_or_default();
        all.push((name, of(buys), of(sells)));
    }
    all.sort_by_key(|(name, bought, sold)| (std::cmp::Reverse(bought + sold), *name));
    let mut table = Table::new(0);
    let right = |number: u64| format!("{number:>6}");
    table.row([paint.strong("ticker"), paint.strong("  buys"), paint.strong(" sells")]);
    for (name, bought, sold) in all.iter().take(tickers) {
        table.row([crate::cloud::fault::in_one_line(name), right(*bought), right(*sold)]);
    }
    let mut text = if all.is_empty() { String::new() } else { table.render() };
    if all.len() > tickers {
        text.push_str(&paint.dim(&format!("and {} more\n", all.len() - tickers)));
    }
    for (side, doing, noun) in [(buys, "bought", "buy"), (sells, "sold", "sell")] {
        if let Some(popular) = &side.popular {
            text.push_str(&format!(
                "Most popular stock being {doing}: {}, {}.\n",
                crate::cloud::fault::in_one_line(popular),
                count(side.most(), noun)
            ));
        }
    }
    for (side, noun) in [(buys, "buy"), (sells, "sell")] {
        if side.trades > 0 {
            let shares = format!("{:.0} shares for ${:.2}", side.quantity, side.value);
            text.push_str(&format!("{}: {shares}\n", count(side.trades, noun)));
        }
    }
    let others = if *others > 0 { format!(", {others} of them no trades") } else { String::new() };
    text.push_str(&format!("{}{others}", count(*records, "record")));
    text
}

/// A count with its noun.
pub fn count(n: u64, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// Seconds, as people say them.
pub fn time(seconds: f64) -> String {
    // Rounded before it is split, or 59.96 s would be told as 60.0 s.
    let tenths = (seconds * 10.0).round().max(0.0);
    if tenths < 600.0 {
        return format!("{:.1}s", tenths / 10.0);
    }
    let whole = seconds.round() as u64;
    match whole {
        0..3_600 => format!("{}m {:02}s", whole / 60, whole % 60),
        3_600..86_400 => format!("{}h {:02}m", whole / 3_600, whole % 3_600 / 60),
        _ => format!("{}d {:02}h", whole / 86_400, whole % 86_400 / 3_600),
    }
}

/// Bytes, as people say them.
pub fn size(bytes: u64) -> String {
    indicatif::HumanBytes(bytes).to_string()
}

/// Enough of a hash to tell it from another.
pub fn short(sha256: &str) -> &str {
    sha256.get(..12).unwrap_or(sha256)
}

/// A resource type as short as it stays clear, so that a line fits 80 columns.
pub fn kind(resource_type: &str) -> &str {
    resource_type.strip_prefix("AWS::").unwrap_or(resource_type)
}

/// The last part of an ARN that is a name; anything else as it is.
fn shown(physical_id: &str) -> String {
    if physical_id.starts_with("arn:") {
        physical_id.rsplit([':', '/']).next().unwrap_or(physical_id).to_owned()
    } else {
        physical_id.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_nothing_is_removed_without_a_list() {
        let removal =
            Event::Removal { stack: "s".to_owned(), resources: Vec::new(), bucket: None, data: None };
        let told = line(&removal, Page::endless(Paint(false)));
        assert_eq!(told.as_deref(), Some("s will be deleted; it holds no resource."));
    }

    #[test]
    fn times_read_as_people_say_them() {
        let told: Vec<String> = [0.04, 31.24, 59.96, 61.0, 3_725.0, 90_000.0].map(time).into();
        assert_eq!(told, ["0.0s", "31.2s", "1m 00s", "1m 01s", "1h 02m", "1d 01h"]);
    }
}
