//! Each event once, though it is told several times: by looks that overlap, and by live tail.
//!
//! Live tail doesn't tell the ids of events, so that an event is known by where, when and what it is. The same line can
//! be logged twice in a millisecond: therefore it is counted how often each source tells it.

use super::entry::Raw;
use std::collections::HashMap;

#[derive(Debug, Default)]
pub(super) struct Seen {
    counts: HashMap<Key, Counts>,
}

type Key = (String, String, i64, String);

#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    /// How often the look that is under way has told it.
    now: u32,
    /// How often a look has told it at most.
    looked: u32,
    /// How often live tail has told it.
    live: u32,
}

impl Counts {
    fn shown(self) -> u32 {
        self.looked.max(self.live)
    }
}

impl Seen {
    /// A look begins, which tells again what looks before told of the same time.
    pub(super) fn begin(&mut self) {
        self.counts.values_mut().for_each(|counts| counts.now = 0);
    }

    /// Whether what the look tells is new.
    pub(super) fn looked(&mut self, event: &Raw) -> bool {
        self.told(event, |counts| {
            counts.now += 1;
            counts.looked = counts.looked.max(counts.now);
        })
    }

    /// Whether what live tail tells is new.
    pub(super) fn live(&mut self, event: &Raw) -> bool {
        self.told(event, |counts| counts.live += 1)
    }

    /// Forgets what is older: no look asks for it again.
    pub(super) fn forget(&mut self, before: i64) {
        self.counts.retain(|(_, _, time, _), _| *time >= before);
    }

    fn told(&mut self, event: &Raw, count: impl FnOnce(&mut Counts)) -> bool {
        let key = (event.group.clone(), event.stream.clone(), event.time, event.message.clone());
        let counts = self.counts.entry(key).or_default();
        let before = counts.shown();
        count(counts);
        counts.shown() > before
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::Source;
    use super::*;

    fn event(time: i64, message: &str) -> Raw {
        Raw {
            source: Source::Processor,
            group: "g".to_owned(),
            stream: "s".to_owned(),
            id: None,
            time,
            message: message.to_owned(),
        }
    }

    #[test]
    fn looks_that_overlap_and_live_tail_show_each_event_once_also_where_two_are_the_same() {
        let mut seen = Seen::default();
        seen.begin();
        assert!(seen.looked(&event(1, "a")) && seen.looked(&event(1, "a")), "two that are the same");
        seen.begin();
        assert!(!seen.looked(&event(1, "a")) && !seen.looked(&event(1, "a")));
        assert!(seen.looked(&event(1, "a")), "a third, which came late");
        assert!(!seen.live(&event(1, "a")), "live tail tells one of them too");
        assert!(seen.live(&event(2, "b")) && seen.live(&event(2, "b")));
        seen.begin();
        assert!(!seen.looked(&event(2, "b")) && !seen.looked(&event(2, "b")));
        assert!(seen.looked(&event(2, "b")), "what live tail left out");
    }

    #[test]
    fn what_is_old_is_forgotten() {
        let mut seen = Seen::default();
        seen.looked(&event(1, "a"));
        seen.looked(&event(5, "b"));
        seen.forget(5);
        assert_eq!(seen.counts.len(), 1);
    }
}
