//! Looks for the marked records in the bucket: as rows, and under the error prefix.

use super::Pipeline;
use super::course::Seen;
use super::denied::Denied;
use super::record::{Marked, number_in, numbers_in};
use super::report::Leg;
use crate::cloud::{bucket, fault};
use crate::data::objects::{FETCHES, Failure, ResultsQuery, fetch};
use crate::data::rows::{BEGINNING, Fields, Piece};
use crate::error::{Error, Kind};
use anyhow::Result;
use aws_sdk_s3::Client;
use futures_util::{StreamExt, stream};
use jiff::{Timestamp, ToSpan};
use serde_json::Value;
use std::collections::BTreeMap;

/// What Firehose puts for the kind of failure where the processor is its cause.
const FAILED: &str = "processing-failed";
/// So that Firehose evaluates it.
const ERROR_TYPE: &str = "!{firehose:error-output-type}";
/// How Firehose is told to put the hour, where it doesn't by itself.
const HOUR: &str = "!{timestamp:yyyy/MM/dd/HH}";

/// Where keys begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    prefix: String,
    /// Whether the hour follows, so that keys are in the order of time.
    is_dated: bool,
}

impl Place {
    /// As the delivery stream has it; else as the stack does.
    pub(super) fn new(told: Option<&str>, usual: &str) -> Self {
        let Some(told) = told else { return Place { prefix: usual.to_owned(), is_dated: false } };
        let told = told.replace(ERROR_TYPE, FAILED);
        match told.split_once("!{") {
            // Without an expression of time the hour is appended.
            None => Place { prefix: told, is_dated: true },
            Some((before, _)) => {
                Place { prefix: before.to_owned(), is_dated: told[before.len()..].starts_with(HOUR) }
            }
        }
    }

    /// What the keys of before a moment all come before. An hour earlier, since a batch is named for the hour of its
    /// first record, and clocks differ.
    fn after(&self, moment: Timestamp) -> Option<String> {
        let hour = moment.checked_sub(1.hour()).ok()?.strftime("%Y/%m/%d/%H");
        self.is_dated.then(|| format!("{}{hour}", self.prefix))
    }
}

/// An object in which records of this test lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) key: String,
    pub(super) etag: String,
    pub(super) bucket: String,
    ours: usize,
    others: usize,
}

impl Object {
    /// Whether it holds nothing else.
    pub(super) fn is_ours_alone(&self) -> bool {
        self.others == 0
    }

    /// That it stays, and why.
    pub(super) fn says(&self, because: &str) -> String {
        let records = super::course::count(self.ours, "record");
        format!("{records} of this test in s3://{}/{}: {because}", self.bucket, self.key)
    }
}

/// Why nothing is seen.
#[derive(Debug)]
pub(super) enum Blind {
    /// It may pass: what was said.
    ForNow(String),
    /// The bucket is gone, or the caller may not look.
    Broken(Seen),
    /// Something else.
    Failed(anyhow::Error),
}

impl Blind {
    /// What is seen instead.
    pub(super) fn or_error(self) -> Result<Seen> {
        match self {
            Blind::ForNow(said) => Ok(Seen::Broken { leg: Leg::Bucket, said, kind: Kind::Failed }),
            Blind::Broken(seen) => Ok(seen),
            Blind::Failed(error) => Err(error),
        }
    }
}

impl Blind {
    /// Why a call failed that looks at what a leg owes, for which this action has to be allowed.
    fn of(failure: Failure, leg: Leg, action: &str, resource: &str) -> Self {
        let told = Error::of(&failure.error);
        match () {
            () if failure.transient => Blind::ForNow(told.to_string()),
            () if told.kind == Kind::Credentials => {
                Blind::Broken(Denied::of(leg, &told, action, resource).into())
            }
            () => Blind::Failed(failure.error),
        }
    }
}

/// Looks at what is new.
pub(super) struct Look {
    s3: Client,
    query: ResultsQuery,
    places: Vec<Place>,
    began: Timestamp,
    /// The etag of each object that was there before, or was looked at, by key.
    known: BTreeMap<String, String>,
    ours: BTreeMap<String, Object>,
}

impl Look {
    pub(super) fn new(s3: &Client, pipeline: &Pipeline) -> Self {
        let query = ResultsQuery {
            bucket: pipeline.bucket.clone(),
            account: pipeline.account.clone(),
            prefix: pipeline.rows_prefix.clone(),
        };
        Look {
            s3: s3.clone(),
            query,
            places: Vec::new(),
            began: Timestamp::default(),
            known: BTreeMap::new(),
            ours: BTreeMap::new(),
        }
    }

    /// Notes what is there already: it is never read.
    pub(super) async fn begin(&mut self, began: Timestamp, places: [Place; 2]) -> Result<(), Blind> {
        self.began = began;
        self.places = places.into();
        self.known = self.list().await?;
        Ok(())
    }

    /// The records of this test in what has come since the last look.
    pub(super) async fn look(&mut self, marker: &str, records: &[Marked]) -> Result<Vec<Seen>, Blind> {
        let found = self.list().await?;
        let fresh: Vec<(String, String)> =
            found.into_iter().filter(|(key, etag)| self.known.get(key) != Some(etag)).collect();
        let (s3, query) = (&self.s3, &self.query);
        let reads = fresh.into_iter().map(|(key, etag)| async move {
            let read = read(s3, query, &key, marker, records).await;
            (key, etag, read)
        });
        let mut reads = stream::iter(reads).buffer_unordered(FETCHES);
        let (mut all, mut objects, mut failed) = (Vec::new(), Vec::new(), None);
        while let Some((key, etag, read)) = reads.next().await {
            match read {
                Ok((seen, others)) => {
                    objects.push((key, etag, seen.len(), others));
                    all.extend(seen);
                }
                // Somebody's object that is damaged says nothing of this test.
                Err(failure) if Error::of(&failure.error).kind == Kind::Credentials => {
                    failed = Some((failure, self.leg_of(&key)));
                }
                Err(_) => {}
            }
        }
        drop(reads);
        for (key, etag, ours, others) in objects {
            self.known.insert(key.clone(), etag.clone());
            if ours > 0 {
                let bucket = self.query.bucket.clone();
                self.ours.insert(key.clone(), Object { key, etag, bucket, ours, others });
            }
        }
        // What was found counts also where something else could not be read.
        match failed {
            Some((failure, leg)) if all.is_empty() => {
                let objects = format!("{}/*", self.query.bucket);
                Err(Blind::of(failure, leg, "s3:GetObject", &objects))
            }
            _ => Ok(all),
        }
    }

    /// The leg that owes an object.
    fn leg_of(&self, key: &str) -> Leg {
        let is_error = self.places.get(1).is_some_and(|errors| key.starts_with(&errors.prefix));
        if is_error { Leg::Errors } else { Leg::Bucket }
    }

    /// The objects with records of this test.
    pub(super) fn ours(&self) -> Vec<Object> {
        self.ours.values().cloned().collect()
    }

    /// It was seen to.
    pub(super) fn forget(&mut self, key: &str) {
        self.ours.remove(key);
    }

    /// The etags of all that may be new, by key.
    async fn list(&self) -> Result<BTreeMap<String, String>, Blind> {
        let ResultsQuery { bucket, account, .. } = &self.query;
        let mut found = BTreeMap::new();
        for place in &self.places {
            let call = bucket::listing(&self.s3, bucket, account);
            let call = call.prefix(&place.prefix).set_start_after(place.after(self.began));
            let mut pages = call.into_paginator().send();
            while let Some(page) = pages.next().await {
                let page = match page {
                    Ok(page) => page,
                    Err(error) if fault::is_missing(&error) => {
                        let said = format!("NoSuchBucket: {bucket} is not there");
                        let gone = Seen::Broken { leg: Leg::Bucket, said, kind: Kind::Failed };
                        return Err(Blind::Broken(gone));
                    }
                    Err(error) => {
                        let transient = fault::is_transient(&error);
                        let error = fault::explain(error, &format!("look at s3://{bucket}/{}", place.prefix));
                        let (failure, leg) = (Failure { transient, error }, self.leg_of(&place.prefix));
                        return Err(Blind::of(failure, leg, "s3:ListBucket", bucket));
                    }
                };
                let encoding = page.encoding_type;
                let objects = page.contents.unwrap_or_default().into_iter();
                found.extend(objects.map(|it| {
                    (bucket::key(it.key.as_deref(), encoding.as_ref()), it.e_tag.unwrap_or_default())
                }));
            }
        }
        Ok(found)
    }
}

/// The records of this test in an object, and how many pieces of others' it holds.
async fn read(
    s3: &Client,
    query: &ResultsQuery,
    key: &str,
    marker: &str,
    records: &[Marked],
) -> Result<(Vec<Seen>, usize), Failure> {
    let (mut seen, mut others) = (Vec::new(), 0);
    if let Some(body) = fetch(s3, query, key).await? {
        let each = |piece: Piece<'_>| {
            let (ours, is_ours_alone) = match piece {
                Piece::Row(text, fields) => (Vec::from_iter(of_us(text, fields, key, marker, records)), true),
                Piece::NotARow(line) => line_of_us(line, key, marker),
                Piece::Broken(_) => (Vec::new(), false),
            };
            others += usize::from(ours.is_empty() || !is_ours_alone);
            seen.extend(ours);
            Ok(())
        };
        body.read(each).await?;
    }
    Ok((seen, others))
}

/// What a line of an object says of a record of this test: its row, or that it failed.
fn of_us(text: &str, fields: Fields, key: &str, marker: &str, records: &[Marked]) -> Option<Seen> {
    let key = key.to_owned();
    if let Some(data) = field(&fields, "rawData") {
        let data = aws_smithy_types::base64::decode(data).ok()?;
        let number = number_in(&String::from_utf8_lossy(&data), marker)?;
        let intact = records.get(number).is_some_and(|record| record.data == data);
        let told = |name| field(&fields, name).unwrap_or_default().to_owned();
        let (code, message) = (told("errorCode"), told("errorMessage"));
        return Some(Seen::Failed { number, key, code, message, intact });
    }
    Some(Seen::Row { number: number_in(text, marker)?, key, row: fields })
}

/// What a line that is no JSON object says of records of this test, and whether it holds nothing else for sure: not
/// where a row may begin in it, nor where its end was cut. A processor of one's own may make such a line of a record.
fn line_of_us(line: &[u8], key: &str, marker: &str) -> (Vec<Seen>, bool) {
    let numbers = numbers_in(&String::from_utf8_lossy(line), marker);
    let row = |number| Seen::Row { number, key: key.to_owned(), row: Fields::new() };
    (numbers.into_iter().map(row).collect(), !line.contains(&b'{') && line.len() < BEGINNING)
}

fn field<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    fields.get(name).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(told: Option<&str>, usual: &str) -> (String, Option<String>) {
        let place = Place::new(told, usual);
        (place.prefix.clone(), place.after("2026-11-26T00:30:00Z".parse().unwrap()))
    }

    #[test]
    fn only_keys_of_the_last_hours_are_listed_where_keys_are_in_the_order_of_time() {
        let of = |prefix: &str, after: Option<&str>| (prefix.to_owned(), after.map(str::to_owned));
        assert_eq!(after(Some("rows/"), "x/"), of("rows/", Some("rows/2026/11/25/23")));
        assert_eq!(
            after(Some("errors/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd/HH}/"), "x/"),
            of("errors/processing-failed/", Some("errors/processing-failed/2026/11/25/23"))
        );
        assert_eq!(after(Some("by/!{timestamp:dd}/"), "x/"), of("by/", None));
        assert_eq!(after(None, "rows/"), of("rows/", None));
    }

    #[test]
    fn a_line_is_a_row_of_ours_a_failure_of_ours_or_somebody_elses() {
        let records = super::super::record::marked("smoke-00c0ffee1234", 1, true);
        let told = |text: &str| {
            let fields = serde_json::from_str(text).unwrap();
            of_us(text, fields, "k", "smoke-00c0ffee1234", &records)
        };
        assert_eq!(told("{\"id\": 1}"), None);
        let Some(Seen::Row { number: 1, .. }) = told("{\"stockId\": \"smoke-00c0ffee1234-1\"}") else {
            panic!()
        };
        let line = |text: &str| line_of_us(text.as_bytes(), "k", "smoke-00c0ffee1234");
        let row = |number| Seen::Row { number, key: "k".to_owned(), row: Fields::new() };
        assert_eq!(line("this is not JSON: smoke-00c0ffee1234-3"), (vec![row(3)], true));
        assert_eq!(line("[\"smoke-00c0ffee1234-4\"]smoke-00c0ffee1234-0"), (vec![row(4), row(0)], true));
        assert_eq!(line("smoke-00c0ffee1234-4 {\"id\": 1}"), (vec![row(4)], false), "others' may follow");
        assert_eq!(line("smoke-00c0ffee1235-4").0, []);
        let raw = |data: &[u8]| {
            let data = aws_smithy_types::base64::encode(data);
            told(&format!("{{\"errorCode\": \"c\", \"errorMessage\": \"m\", \"rawData\": \"{data}\"}}"))
        };
        assert_eq!(raw(b"somebody's"), None);
        let failed = |intact| {
            let (key, code, message) = ("k".to_owned(), "c".to_owned(), "m".to_owned());
            Some(Seen::Failed { number: 3, key, code, message, intact })
        };
        assert_eq!(raw(&records[3].data), failed(true));
        assert_eq!(raw(b"smoke-00c0ffee1234-3"), failed(false));
    }
}
