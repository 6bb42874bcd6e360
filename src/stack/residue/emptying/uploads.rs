//! Which unfinished uploads to look for and to abort next. They are no objects, but they are billed, and on some
//! buckets they are in the way. No clients, no clocks.

use std::collections::VecDeque;

/// Behind which key and upload a page begins; neither in the beginning.
pub type UploadMarker = (Option<String>, Option<String>);

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// List a page behind this.
    List(UploadMarker),
    /// Abort this upload of this key.
    Abort(String, String),
}

/// The work on a bucket's unfinished uploads.
#[derive(Debug)]
pub struct Uploads {
    found: VecDeque<(String, String)>,
    /// Where the next page begins, where there is one.
    next: Option<UploadMarker>,
}

impl Default for Uploads {
    fn default() -> Self {
        Uploads { found: VecDeque::new(), next: Some((None, None)) }
    }
}

impl Uploads {
    /// What to do with a call that is to spare: no page before the last one's are being aborted.
    pub fn next(&mut self) -> Option<Task> {
        match self.found.pop_front() {
            Some((key, id)) => Some(Task::Abort(key, id)),
            None => self.next.take().map(Task::List),
        }
    }

    /// Takes in a page, and where the next one begins.
    pub fn listed(&mut self, uploads: Vec<(String, String)>, next: Option<UploadMarker>) {
        self.found.extend(uploads);
        self.next = next;
    }

    /// Lets them be.
    pub fn give_up(&mut self) {
        self.found.clear();
        self.next = None;
    }
}
