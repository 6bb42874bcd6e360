//! How a smoke test goes: what is seen goes in, how each leg stands comes out. No clients, no clock.

mod hang;

use super::cause::{Cause, cause};
use super::denied::Denied;
use super::record::Marked;
use super::report::{Leg, LegReport, LegState};
use crate::error::Kind;
use crate::settings::Invocation;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// A delivery stream that began to read less than so many seconds before the sending may not have read yet: it starts
/// at LATEST, and nobody tells when it has its place on each shard.
const YOUNG: f64 = 600.0;
/// What shows that a leg works, where one after it doesn't.
const CAME: &str = "records of this test came through";
/// So much of what was said is shown of a broken leg.
const SHOWN: usize = 4;

/// How long the buffers take: seconds after the sending.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Due {
    /// The records have been read, gathered, and handed to the processor.
    pub(super) transformed: f64,
    /// The rows have landed.
    pub(super) landed: f64,
}

/// What the course of a test depends on.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    /// What each leg is called in the account, in the order of [`Leg::ALL`].
    pub(super) names: [String; 5],
    pub(super) bucket: String,
    pub(super) shards: Vec<String>,
    pub(super) due: Due,
    /// Each row has to be what the built-in transform makes, and each bad record has to be refused: the function is
    /// known to run it.
    pub(super) strict: bool,
    /// For how long the delivery stream had been reading when the records were sent, where it tells that.
    pub(super) reading_for: Option<f64>,
    pub(super) invocation: Invocation,
}

/// Something that was seen.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Seen {
    /// The stream took all records.
    Accepted,
    /// A row that bears the marker of this record.
    Row { number: usize, key: String, row: Map<String, Value> },
    /// This record under the error prefix, and whether its data is what was sent.
    Failed { number: usize, key: String, code: String, message: String, intact: bool },
    /// Somebody says that a leg doesn't work. It may pass: rights take a while to be known everywhere.
    Complaint { leg: Leg, said: String },
    /// What a service says of a leg beside: it is shown where that leg is broken.
    Note { leg: Leg, said: String },
    /// Records got on from a leg, but anybody's: a hint at where the test's own hang, and no proof.
    Passed { leg: Leg, said: String },
    /// The caller may not do what it takes to test a leg.
    Denied(Denied),
    /// A leg doesn't work, and won't by itself.
    Broken { leg: Leg, said: String, kind: Kind },
}

/// What there is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Look again.
    Wait,
    /// Send what didn't turn up once more: the delivery stream may not have read yet.
    SendAgain,
    /// All legs work.
    Passed,
    /// This one doesn't.
    Broken(Leg, Kind),
}

/// What became of a record.
#[derive(Debug, Clone, PartialEq)]
enum Fate {
    Row { key: String, equal: bool },
    Failed { key: String, code: String, message: String, intact: bool },
}

impl Fate {
    fn key(&self) -> &str {
        match self {
            Fate::Row { key, .. } | Fate::Failed { key, .. } => key,
        }
    }
}

/// A smoke test under way.
#[derive(Debug, Clone)]
pub(super) struct Course {
    terms: Terms,
    records: Vec<Marked>,
    fates: Vec<Option<Fate>>,
    said: Vec<(Leg, String, Weight)>,
    sent_at: f64,
    again: bool,
    legs: Vec<LegReport>,
    broken: Option<(Leg, Kind)>,
    told: Vec<LegReport>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    Complaint,
    Note,
    Passed,
}

impl Course {
    pub(super) fn new(terms: Terms, records: Vec<Marked>) -> Self {
        let legs: Vec<LegReport> = Leg::ALL
            .into_iter()
            .zip(terms.names.clone())
            .map(|(leg, name)| LegReport {
                leg,
                name,
                state: LegState::Waiting,
                seconds: None,
                seen: Vec::new(),
                denied: None,
                meaning: None,
                remedies: Vec::new(),
            })
            .collect();
        let fates = vec![None; records.len()];
        let (told, said) = (legs.clone(), Vec::new());
        Course { terms, records, fates, said, sent_at: 0.0, again: false, legs, broken: None, told }
    }

    pub(super) fn records(&self) -> &[Marked] {
        &self.records
    }

    /// Records that haven't turned up anywhere, by their numbers.
    pub(super) fn missing(&self) -> Vec<usize> {
        (0..self.fates.len()).filter(|number| self.fates[*number].is_none()).collect()
    }

    /// How many trades have become rows, of how many.
    pub(super) fn landed(&self) -> (usize, usize) {
        let rows = self.good().filter(|(_, fate)| matches!(fate, Some(Fate::Row { .. })));
        (rows.count(), self.good().count())
    }

    /// Seconds since the records were sent.
    pub(super) fn since_sent(&self, now: f64) -> f64 {
        (now - self.sent_at).max(0.0)
    }

    /// The records are on their way, from now on.
    pub(super) fn sent(&mut self, now: f64, again: bool) {
        self.sent_at = now;
        self.again |= again;
    }

    /// Takes in what was seen.
    pub(super) fn see(&mut self, now: f64, seen: Seen) {
        match seen {
            Seen::Accepted => {
                let (records, shards) = (self.records.len(), self.terms.shards.len());
                let said = format!("took {} on {}", count(records, "record"), count(shards, "shard"));
                self.settle(now, Leg::Stream, LegState::Good, vec![said]);
            }
            Seen::Row { number, key, row } => {
                let Some(record) = self.records.get(number) else { return };
                let fate = Fate::Row { key, equal: record.becomes(&row) };
                self.note(number, fate);
            }
            Seen::Failed { number, key, code, message, intact } => {
                self.note(number, Fate::Failed { key, code, message, intact });
            }
            Seen::Complaint { leg, said } => self.hear(leg, said, Weight::Complaint),
            Seen::Note { leg, said } => self.hear(leg, said, Weight::Note),
            Seen::Passed { leg, said } => self.hear(leg, said, Weight::Passed),
            Seen::Denied(denied) => self.is_denied(now, denied),
            Seen::Broken { leg, said, kind } => self.breaks(now, leg, vec![said], kind),
        }
    }

    /// What comes twice is a copy: the stream and the delivery are at least once. A copy that is wrong counts.
    fn note(&mut self, number: usize, fate: Fate) {
        let Some(known) = self.fates.get_mut(number) else { return };
        let is_wrong = matches!(fate, Fate::Row { equal: false, .. } | Fate::Failed { intact: false, .. });
        if known.is_none() || is_wrong {
            *known = Some(fate);
        }
    }

    /// The newest word on something replaces what was said of it before: it begins alike.
    fn hear(&mut self, leg: Leg, said: String, weight: Weight) {
        let subject = |text: &str| text.split_once(": ").map_or(text, |(subject, _)| subject).to_owned();
        self.said.retain(|(of, text, w)| (*of, *w, subject(text)) != (leg, weight, subject(&said)));
        self.said.push((leg, said, weight));
    }

    /// How it stands now. `is_over`: there is no time left.
    pub(super) fn judge(&mut self, now: f64, is_over: bool) -> Next {
        if self.broken.is_none() {
            self.weigh(now);
        }
        if let Some((leg, kind)) = self.broken {
            return Next::Broken(leg, kind);
        }
        if self.legs.iter().all(|leg| matches!(leg.state, LegState::Good | LegState::NotTested)) {
            return Next::Passed;
        }
        let since = self.since_sent(now);
        if is_over {
            let leg = self.suspect(since);
            let seen = self.evidence(leg, since);
            self.breaks(now, leg, seen, Kind::TimedOut);
            return Next::Broken(leg, Kind::TimedOut);
        }
        if since < self.terms.due.landed {
            return Next::Wait;
        }
        if self.may_send_again() {
            return Next::SendAgain;
        }
        let leg = self.suspect(since);
        let seen = self.evidence(leg, since);
        for report in &mut self.legs {
            if report.state == LegState::Late && report.leg != leg {
                report.state = LegState::Waiting;
                report.seen.clear();
            }
            if report.leg == leg {
                report.state = LegState::Late;
                report.seconds.get_or_insert(since);
                report.seen.clone_from(&seen);
            }
        }
        Next::Wait
    }

    /// What the records' fates and complaints say.
    fn weigh(&mut self, now: f64) {
        let (landed, wanted) = self.landed();
        if let Some((leg, seen)) = self.wrong() {
            if leg == Leg::Errors && landed == wanted {
                self.all_landed(now);
            }
            return self.breaks(now, leg, seen, Kind::Failed);
        }
        if landed == wanted && wanted > 0 {
            self.all_landed(now);
        }
        self.weigh_bad(now, landed == wanted);
        let since = self.since_sent(now);
        let due = |leg: Leg| match leg {
            Leg::Stream | Leg::Delivery => self.terms.due.transformed,
            _ => self.terms.due.landed,
        };
        let complained = |leg: &Leg| {
            self.state(*leg) != LegState::Good
                && self.said.iter().any(|(of, _, weight)| of == leg && *weight == Weight::Complaint)
        };
        if let Some(leg) = Leg::ALL.into_iter().find(complained)
            && since >= due(leg)
        {
            let seen = self.evidence(leg, since);
            self.breaks(now, leg, seen, Kind::Failed);
        }
    }

    /// What can't be right whatever comes after it.
    fn wrong(&self) -> Option<(Leg, Vec<String>)> {
        for (record, fate) in self.good() {
            match fate {
                Some(Fate::Failed { key, code, message, .. }) => {
                    let leg = if key.contains("processing-failed") { Leg::Transform } else { Leg::Bucket };
                    let seen = vec![
                        format!("{code}: {message}"),
                        format!("the marked trade {} lies in {}", record.marker, self.place(key)),
                    ];
                    return Some((leg, seen));
                }
                Some(Fate::Row { key, equal: false }) if self.terms.strict => {
                    let seen = format!("the row of {} in {} is another one", record.marker, self.place(key));
                    return Some((Leg::Transform, vec![seen]));
                }
                _ => {}
            }
        }
        for (record, fate) in self.bad() {
            match fate {
                Some(Fate::Row { key, .. }) if self.terms.strict => {
                    let seen =
                        format!("{}, which is no trade, became a row in {}", record.marker, self.place(key));
                    return Some((Leg::Transform, vec![seen]));
                }
                Some(Fate::Failed { key, intact: false, .. }) => {
                    let seen =
                        format!("the data of {} in {} is not what was sent", record.marker, self.place(key));
                    return Some((Leg::Errors, vec![seen]));
                }
                _ => {}
            }
        }
        None
    }

    /// Every trade has its row: the three legs to there work.
    fn all_landed(&mut self, now: f64) {
        let rows = || self.good().filter_map(|(_, fate)| fate.as_ref());
        let keys: BTreeSet<&str> = rows().map(Fate::key).collect();
        let different = rows().filter(|fate| matches!(fate, Fate::Row { equal: false, .. })).count();
        let number = rows().count();
        let transformed = match different {
            0 => format!("{}, each what the built-in transform makes of its trade", count(number, "row")),
            _ => format!(
                "{} with their markers; {different} of them differ from what the built-in transform makes",
                count(number, "row")
            ),
        };
        let below = keys.first().and_then(|key| key.rsplit_once('/')).map_or("", |(below, _)| below);
        let bucket = format!("{} in {} below {below}/", count(number, "row"), count(keys.len(), "object"));
        let read = format!("read the records of {}", every(self.terms.shards.len(), "shard"));
        self.settle(now, Leg::Delivery, LegState::Good, vec![read]);
        self.settle(now, Leg::Transform, LegState::Good, vec![transformed]);
        self.settle(now, Leg::Bucket, LegState::Good, vec![bucket]);
    }

    fn weigh_bad(&mut self, now: f64, have_trades_landed: bool) {
        let number = self.bad().count();
        let refused = self.bad().filter(|(_, fate)| matches!(fate, Some(Fate::Failed { .. }))).count();
        let rows = self.bad().filter(|(_, fate)| matches!(fate, Some(Fate::Row { .. }))).count();
        let is_due = have_trades_landed && self.since_sent(now) >= self.terms.due.landed;
        if number == 0 {
            if !have_trades_landed {
                return;
            }
            let said = "no record was sent that can't be transformed: this cloud loses them".to_owned();
            self.settle(now, Leg::Errors, LegState::NotTested, vec![said]);
        } else if refused == number {
            let key = self.bad().find_map(|(_, fate)| fate.as_ref().map(Fate::key));
            let below = key.and_then(|key| key.rsplit_once('/')).map_or("", |(below, _)| below);
            let said = format!("{} as they were sent, below {below}/", count(number, "bad record"));
            self.settle(now, Leg::Errors, LegState::Good, vec![said]);
        } else if !self.terms.strict && (refused + rows == number || is_due) {
            let said = format!(
                "of {}, {refused} landed under the error prefix and {rows} became rows: the processor is one of your own",
                count(number, "bad record")
            );
            self.settle(now, Leg::Errors, LegState::NotTested, vec![said]);
        }
    }

    fn breaks(&mut self, now: f64, leg: Leg, seen: Vec<String>, kind: Kind) {
        let is_early = kind == Kind::TimedOut && self.since_sent(now) < self.terms.due.landed;
        let cause = cause(leg, &seen, is_early, &self.terms.names, &self.terms.invocation);
        let state = if is_early { LegState::OutOfTime } else { LegState::Broken };
        self.ends_at(now, leg, (state, kind), seen, cause);
    }

    fn is_denied(&mut self, now: f64, denied: Denied) {
        let Denied { leg, what, said, cause } = denied;
        self.ends_at(now, leg, (LegState::Denied, Kind::Credentials), vec![said], cause);
        if let Some(report) = self.legs.iter_mut().find(|report| report.leg == leg) {
            report.denied = what;
        }
    }

    /// The test ends at this leg, which stands so.
    fn ends_at(
        &mut self,
        now: f64,
        leg: Leg,
        (state, kind): (LegState, Kind),
        seen: Vec<String>,
        why: Cause,
    ) {
        let since = self.since_sent(now);
        self.broken = Some((leg, kind));
        let proven = self.proven(leg);
        for report in &mut self.legs {
            if report.leg == leg {
                report.state = state;
                report.seconds = Some(since);
                report.seen.clone_from(&seen);
                report.meaning = Some(why.meaning.clone());
                report.remedies.clone_from(&why.remedies);
            } else if report.state != LegState::Good && report.state != LegState::NotTested {
                let is_proven = proven.contains(&report.leg);
                report.state = match report.leg > leg {
                    _ if is_proven => LegState::Good,
                    true => LegState::NotReached,
                    false => LegState::Waiting,
                };
                report.seconds = is_proven.then_some(since);
                report.seen = is_proven.then(|| CAME.to_owned()).into_iter().collect();
            }
        }
    }

    fn settle(&mut self, now: f64, leg: Leg, state: LegState, seen: Vec<String>) {
        let since = self.since_sent(now);
        let Some(report) = self.legs.iter_mut().find(|report| report.leg == leg) else { return };
        if report.state != state {
            let seconds = (state != LegState::NotTested).then_some(since);
            (report.state, report.seconds, report.seen) = (state, seconds, seen);
        }
    }

    /// The legs that stand otherwise than when this was last asked.
    pub(super) fn news(&mut self) -> Vec<LegReport> {
        let news = self.legs.iter().zip(&self.told).filter(|(now, before)| now.state != before.state);
        let news = news.map(|(now, _)| now.clone()).filter(|leg| leg.state != LegState::Waiting).collect();
        self.told.clone_from(&self.legs);
        news
    }

    /// Each leg.
    pub(super) fn legs(&self) -> &[LegReport] {
        &self.legs
    }

    /// The first leg that doesn't work.
    pub(super) fn broken(&self) -> Option<(Leg, Kind)> {
        self.broken
    }

    /// Whether an object is named as what was seen of a broken leg: it stays.
    pub(super) fn is_evidence(&self, key: &str) -> bool {
        let Some((leg, _)) = self.broken else { return false };
        let place = self.place(key);
        let seen = self.legs.iter().filter(|report| report.leg == leg).flat_map(|report| &report.seen);
        seen.into_iter().any(|said| said.contains(&place))
    }

    fn state(&self, leg: Leg) -> LegState {
        self.legs.iter().find(|report| report.leg == leg).map_or(LegState::Waiting, |report| report.state)
    }

    fn place(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.terms.bucket)
    }

    fn good(&self) -> impl Iterator<Item = (&Marked, &Option<Fate>)> {
        self.records.iter().zip(&self.fates).filter(|(record, _)| record.is_good())
    }

    fn bad(&self) -> impl Iterator<Item = (&Marked, &Option<Fate>)> {
        self.records.iter().zip(&self.fates).filter(|(record, _)| !record.is_good())
    }
}

/// A count with its noun.
pub(super) fn count(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

fn every(n: usize, noun: &str) -> String {
    if n == 1 { format!("the {noun}") } else { format!("all {n} {noun}s") }
}

#[cfg(test)]
mod tests;
