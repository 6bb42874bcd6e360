//! What many environments tell at once: their ends in the words of all, the rest under the name of each.

use crate::event::{Event, Question, Reporter};
use std::sync::Arc;

/// Tells of one environment of many.
pub struct Watched {
    /// Its name.
    pub env: String,
    /// Whom to tell.
    pub reporter: Arc<dyn Reporter>,
}

impl Reporter for Watched {
    fn tell(&self, event: &Event) {
        match event {
            Event::Reaping { .. } => self.reporter.tell(event),
            event => self.reporter.tell_of(&self.env, event),
        }
    }

    fn ask(&self, _: &Question) -> Option<bool> {
        // What is torn down was agreed to as a whole.
        None
    }
}
