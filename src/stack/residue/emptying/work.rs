//! The two things that are done to a bucket: its versions are counted, or all that is in it is deleted. No clients, no
//! clocks: answers in, tasks out.

use super::progress::Progress;
use super::range::Page;
use super::refused::{KeyError, Refused};
use super::uploads::{self, UploadMarker, Uploads};
use super::versions::{self, Versions};
use crate::event::DataFound;

/// Pages of 1,000 that are counted before a question: more is told as "more than".
const PAGES_COUNTED: usize = 200;

/// A call to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    Versions(versions::Task),
    Uploads(uploads::Task),
}

/// What a bucket says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A page of a range.
    Listed(u64, Page),
    /// These of the keys stay.
    Deleted(Vec<KeyError>),
    /// A page of unfinished uploads, and where it goes on.
    Uploads(Vec<(String, String)>, Option<UploadMarker>),
    /// An upload is gone.
    Aborted,
    /// Uploads are nobody's business.
    NoUploads,
    /// There is no such bucket.
    NoBucket,
}

impl Answer {
    /// Whether some of it was too much for S3.
    pub fn is_throttle(&self) -> bool {
        matches!(self, Answer::Deleted(errors) if errors.iter().any(KeyError::is_throttle))
    }
}

/// Something that is done call by call.
pub trait Work: Send {
    /// What to do with a call that is to spare. None where there is nothing at the moment.
    fn next(&mut self) -> Option<Task>;
    /// Takes in the answer to a task.
    fn take(&mut self, task: Task, answer: Answer);
}

/// Counting.
pub struct Counting {
    versions: Versions,
    /// What was found so far.
    pub found: DataFound,
    /// When the newest of it was written, in seconds since 1970.
    pub newest: Option<i64>,
    pages: usize,
}

impl Counting {
    pub fn new() -> Self {
        let found = DataFound { complete: true, ..DataFound::default() };
        Counting { versions: Versions::new(true), found, newest: None, pages: 0 }
    }
}

impl Work for Counting {
    fn next(&mut self) -> Option<Task> {
        self.versions.next().map(Task::Versions)
    }

    fn take(&mut self, _: Task, answer: Answer) {
        if let Answer::Listed(range, page) = answer {
            let versions = self.versions.listed(range, page);
            self.found.objects += versions.len() as u64;
            self.found.bytes += versions.iter().map(|version| version.bytes).sum::<u64>();
            self.newest = self.newest.max(versions.iter().filter_map(|version| version.modified).max());
            self.pages += 1;
            if self.pages == PAGES_COUNTED {
                self.found.complete = !self.versions.give_up();
            }
        } else {
            self.versions.give_up();
        }
    }
}

/// Deleting.
pub struct Deleting {
    versions: Versions,
    uploads: Uploads,
    /// How much is gone.
    pub progress: Progress,
}

impl Deleting {
    /// So many versions, where that is known. With `divides`, keys are listed in several ranges at once.
    pub fn new(total: Option<u64>, divides: bool) -> Self {
        let (versions, uploads) = (Versions::new(divides), Uploads::default());
        Deleting { versions, uploads, progress: Progress::of(total) }
    }

    /// What can't be deleted.
    pub fn refused(&self) -> &Refused {
        &self.versions.refused
    }
}

impl Work for Deleting {
    fn next(&mut self) -> Option<Task> {
        let task = self.versions.next().map(Task::Versions);
        task.or_else(|| {
            let uploads = if self.versions.is_listed() { self.uploads.next() } else { None };
            uploads.map(Task::Uploads)
        })
    }

    fn take(&mut self, task: Task, answer: Answer) {
        match (task, answer) {
            (_, Answer::Listed(range, page)) => {
                let versions = self.versions.listed(range, page);
                self.versions.delete(versions);
            }
            (Task::Versions(versions::Task::Delete(batch)), Answer::Deleted(errors)) => {
                let (versions, bytes) = self.versions.deleted(batch, errors);
                self.progress.add(versions, bytes);
            }
            (_, Answer::Uploads(uploads, next)) => self.uploads.listed(uploads, next),
            (_, Answer::NoUploads) => self.uploads.give_up(),
            (_, Answer::NoBucket) => {
                self.versions.give_up();
                self.uploads.give_up();
            }
            (_, Answer::Deleted(_) | Answer::Aborted) => {}
        }
    }
}
