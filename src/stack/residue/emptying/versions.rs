//! What to list and what to delete next. No clients, no clocks: pages and answers in, tasks out.
//!
//! The keys of a bucket are listed in ranges that cover all of them. In the beginning there is one; as pages come in,
//! the longest is cut in two where a call is to spare, so that listing isn't one page after the other. What was listed
//! is deleted before more is listed, so that there is never more of it than the calls in flight can bring.

use super::range::{Marker, Page, Range, Version};
use super::refused::{KeyError, Refused};
use std::collections::{HashSet, VecDeque};

/// Fact: DeleteObjects takes 1,000 keys.
const BATCH: usize = 1_000;
/// How often S3 may stumble over a key.
const MOST_TRIES: u32 = 10;

/// Keys to delete in one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// At most 1,000.
    pub versions: Vec<Version>,
    /// Counts from 1.
    pub tries: u32,
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// List a page of a range, behind this.
    List(u64, Marker),
    /// Delete these.
    Delete(Batch),
}

/// The work on a bucket's versions.
#[derive(Debug)]
pub struct Versions {
    ranges: Vec<Range>,
    /// Whether ranges may be cut.
    divides: bool,
    /// Counts ranges.
    made: u64,
    /// Counts pages that weren't the last.
    full_pages: usize,
    found: VecDeque<Version>,
    again: VecDeque<Batch>,
    /// What can't be deleted.
    pub refused: Refused,
}

impl Versions {
    /// All keys. Where they aren't divided, they are listed one page after the other.
    pub fn new(divides: bool) -> Self {
        Versions {
            ranges: vec![Range::all(0)],
            divides,
            made: 1,
            full_pages: 0,
            found: VecDeque::new(),
            again: VecDeque::new(),
            refused: Refused::default(),
        }
    }

    /// What to do with a call that is to spare. None where there is nothing at the moment.
    pub fn next(&mut self) -> Option<Task> {
        if let Some(batch) = self.again.pop_front() {
            return Some(Task::Delete(batch));
        }
        // Calls are filled, as long as more is to come.
        if self.found.len() >= BATCH || self.ranges.is_empty() && !self.found.is_empty() {
            let versions = self.found.drain(..self.found.len().min(BATCH)).collect();
            return Some(Task::Delete(Batch { versions, tries: 1 }));
        }
        if self.ranges.iter().all(|range| range.asked) {
            self.divide();
        }
        let range = self.ranges.iter_mut().find(|range| !range.asked)?;
        range.asked = true;
        Some(Task::List(range.id, range.after.clone()))
    }

    /// Cuts the longest range. The more pages there were, the more may be wrongly guessed at.
    fn divide(&mut self) {
        if !self.divides || self.ranges.len() >= 2 * self.full_pages {
            return;
        }
        let pages = |range: &Range| range.pages().unwrap_or_default();
        let longest = self.ranges.iter_mut().max_by(|one, other| pages(one).total_cmp(&pages(other)));
        if let Some(further) = longest.and_then(|range| range.divide(self.made)) {
            self.made += 1;
            self.ranges.push(further);
        }
    }

    /// Takes in a page of a range, and returns what of it was not listed before.
    pub fn listed(&mut self, id: u64, mut page: Page) -> Vec<Version> {
        // A range that was given up since is listed anew.
        let Some(place) = self.ranges.iter().position(|range| range.id == id) else { return Vec::new() };
        if self.divides && self.ranges[place].is_mistaken(&page) {
            // Whoever answers doesn't know what a marker is: one page after the other, from the beginning.
            self.divides = false;
            self.ranges = vec![Range::all(self.made)];
            self.made += 1;
            return Vec::new();
        }
        self.full_pages += usize::from(page.next.is_some());
        if !self.ranges[place].take(&mut page) {
            self.ranges.swap_remove(place);
        }
        page.versions
    }

    /// Whether all keys are listed.
    pub fn is_listed(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Lists and deletes no more. False where nothing is left to be listed anyway.
    pub fn give_up(&mut self) -> bool {
        self.found.clear();
        self.again.clear();
        let left = !self.ranges.is_empty();
        self.ranges.clear();
        left
    }

    /// Has these deleted.
    pub fn delete(&mut self, versions: Vec<Version>) {
        self.found.extend(versions);
    }

    /// Takes in which keys of a batch stay, and returns how many versions and bytes are gone. What S3 stumbled over is
    /// tried again.
    pub fn deleted(&mut self, batch: Batch, errors: Vec<KeyError>) -> (u64, u64) {
        let (mut again, tries) = (HashSet::new(), batch.tries);
        let mut stay = HashSet::new();
        for error in errors {
            let place = (error.key.clone(), error.id.clone());
            if error.may_pass() && tries < MOST_TRIES {
                again.insert(place);
            } else if stay.insert(place) {
                self.refused.add(error);
            }
        }
        let (mut gone, mut stumbled) = ((0, 0), Vec::new());
        for version in batch.versions {
            let place = (version.key, version.id);
            if again.contains(&place) {
                let (key, id) = place;
                stumbled.push(Version { key, id, ..version });
            } else if !stay.contains(&place) {
                gone = (gone.0 + 1, gone.1 + version.bytes);
            }
        }
        if !stumbled.is_empty() {
            self.again.push_back(Batch { versions: stumbled, tries: tries + 1 });
        }
        gone
    }
}

#[cfg(test)]
mod tests;
