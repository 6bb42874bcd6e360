//! What landed in the bucket: rows, and what could not become one.

use super::follow::{Follower, Object, Place, below, ends};
use super::look::{Look, Told};
use super::source::{Landing, News, Row, Source, Trouble};
use crate::data::FailedRecord;
use crate::data::rows::Fields;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Objects with rows.
pub(super) struct Rows {
    place: Place,
    follower: Follower,
    /// Why the last objects that landed could not be read.
    unread: Option<Trouble>,
}

impl Rows {
    pub(super) fn new(place: Place, prefix: &str) -> Self {
        Rows { place, follower: Follower::new(prefix), unread: None }
    }
}

impl Look for Rows {
    async fn look(&mut self, now: Timestamp) -> Told {
        let mut objects = Vec::new();
        loop {
            match self.follower.look(&self.place, now).await {
                Ok(found) => {
                    objects.extend(found.objects);
                    if !found.more {
                        break;
                    }
                }
                // What was found before it is told; that the rest wasn't is for the next look to tell.
                Err(_) if !objects.is_empty() => break,
                Err(trouble) => return vec![(Source::Objects, Err(trouble))],
            }
        }
        let ends = ends(&self.place, &objects, |text, _| text.to_owned()).await;
        let count = |key: &str| ends.as_ref().ok().and_then(|ends| ends.get(key)?.count);
        let landing = |object: &Object| Landing {
            key: object.key.clone(),
            at: object.modified,
            bytes: object.bytes,
            rows: count(&object.key),
        };
        let landings = objects.iter().map(landing).collect();
        if !objects.is_empty() {
            self.unread = ends.as_ref().err().cloned();
        }
        let rows = match (&ends, &self.unread) {
            // Where nothing landed since, what could not be read still can't, as far as is known.
            (_, Some(trouble)) => Err(trouble.clone()),
            (ends, None) => {
                let ends = objects.iter().filter_map(|object| ends.as_ref().ok()?.get(&object.key));
                Ok(News::Rows(ends.flat_map(|end| end.rows.iter().cloned()).collect()))
            }
        };
        vec![(Source::Objects, Ok(News::Landed(landings))), (Source::Rows, rows)]
    }
}

/// What lies under the error prefix, one prefix a kind of failure.
pub(super) struct Errors {
    place: Place,
    prefix: String,
    followers: BTreeMap<String, Follower>,
}

impl Errors {
    pub(super) fn new(place: Place, prefix: &str) -> Self {
        Errors { place, prefix: prefix.to_owned(), followers: BTreeMap::new() }
    }
}

impl Look for Errors {
    async fn look(&mut self, now: Timestamp) -> Told {
        vec![(Source::Errors, self.ask(now).await.map(News::Errors))]
    }
}

impl Errors {
    async fn ask(&mut self, now: Timestamp) -> Result<Vec<Row>, Trouble> {
        let mut failures = Vec::new();
        for prefix in below(&self.place, &self.prefix).await? {
            match self.ask_below(prefix, now).await {
                Ok(found) => failures.extend(found),
                // What was found before it is told; that the rest wasn't is for the next look to tell.
                Err(_) if !failures.is_empty() => break,
                Err(trouble) => return Err(trouble),
            }
        }
        Ok(failures)
    }

    async fn ask_below(&mut self, prefix: String, now: Timestamp) -> Result<Vec<Row>, Trouble> {
        let follower = self.followers.entry(prefix.clone()).or_insert_with(|| Follower::new(&prefix));
        let found = follower.look(&self.place, now).await?;
        let mut ends = ends(&self.place, &found.objects, spell).await?;
        let ends = found.objects.iter().filter_map(|object| ends.remove(&object.key));
        Ok(ends.flat_map(|end| end.rows).collect())
    }
}

/// Why a record failed.
fn spell(_: &str, fields: &Fields) -> String {
    let failed = FailedRecord::of(fields, "", "");
    match failed.code.as_str() {
        "" => failed.why(),
        code => format!("{code}: {}", failed.why()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_record_is_told_by_its_code_and_why() {
        let text =
            r#"{"attemptsMade":4,"errorCode":"Other.Code","errorMessage":"It failed.","rawData":"e30="}"#;
        let told = spell(text, &serde_json::from_str::<Fields>(text).unwrap());
        assert_eq!(told, "Other.Code: It failed.");
    }
}
