//! How fast a stream is fed: as fast as it takes records, and hardly faster. Pure: the clock is handed in.
//!
//! Two things bound the calls. The window, how many are under way at once, grows by one with each answer that comes
//! quickly, and shrinks by half with one that comes late or refuses most. And once a stream refuses records, calls
//! leave at a twentieth above the pace at which it has been taking them: always a little is refused, so that a stream
//! that could take more is soon found out, and never much.

use super::super::backoff::Backoff;
use super::batch::RECORDS_PER_CALL;
use std::collections::VecDeque;
use std::time::Duration;

/// At most so many calls are under way at a time.
const MOST_CALLS: usize = 32;
/// A call that took longer shows that the stream is saturated.
const QUICK: Duration = Duration::from_secs(1);
/// The pace is that of the last so many answers, or of all within so long, whichever is slower: after a burst that a
/// stream took at once it is soon found out how much it takes for good, and what it takes after a pause doesn't count
/// as if it went on like that.
const ANSWERS: usize = 12;
const SPAN: Duration = Duration::from_secs(1);
/// But never of fewer.
const LEAST_ANSWERS: usize = 3;
/// No call waits longer for the pace: a stream that has taken little is asked again all the same.
const LONGEST: Duration = Duration::from_secs(1);
/// How much faster than the stream took records they leave.
const ABOVE: f64 = 1.05;
/// How much more is tried a second while all is taken, as a share of it, and once that has lasted for a second.
const MORE: f64 = 0.1;
const MUCH_MORE: f64 = 1.0;
/// How much slower it gets at most with one answer.
const LEAST: f64 = 0.5;

#[derive(Debug)]
pub(super) struct Flow {
    window: usize,
    /// Records a second, once something was refused.
    limit: Option<f64>,
    /// When something was refused last.
    refused: Duration,
    /// When the next call may leave.
    next: Duration,
    /// Until when nothing is sent, since nothing was taken.
    paused: Duration,
    /// What was taken lately, by the time of its answer.
    taken: VecDeque<(Duration, u64)>,
    backoff: Backoff,
}

/// How a call went.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outcome {
    pub(super) taken: u64,
    pub(super) refused: u64,
    pub(super) took: Duration,
}

impl Flow {
    pub(super) fn new() -> Self {
        Flow {
            window: 1,
            limit: None,
            refused: Duration::ZERO,
            next: Duration::ZERO,
            paused: Duration::ZERO,
            taken: VecDeque::new(),
            backoff: Backoff::new(Duration::from_millis(100), Duration::from_secs(5)),
        }
    }

    /// Whether another call may be under way beside so many.
    pub(super) fn has_room(&self, under_way: usize) -> bool {
        under_way < self.window
    }

    /// When the next call may leave.
    pub(super) fn next(&self) -> Duration {
        self.next
    }

    /// A call with so many records leaves now.
    pub(super) fn sent(&mut self, now: Duration, records: usize) {
        if let Some(limit) = self.limit {
            let wait = Duration::from_secs_f64((records as f64 / limit).min(LONGEST.as_secs_f64()));
            self.next = self.next.max(now.saturating_sub(wait)) + wait;
        }
    }

    /// An answer came.
    pub(super) fn answered(&mut self, now: Duration, outcome: Outcome) {
        let Outcome { taken, refused, took } = outcome;
        self.taken.push_back((now, taken));
        while self.taken.len() > LEAST_ANSWERS && self.taken[0].0 + SPAN < now {
            self.taken.pop_front();
        }
        if took < QUICK && refused <= taken {
            self.window = (self.window + 1).min(MOST_CALLS);
        } else {
            self.window = (self.window / 2).max(1);
        }
        if taken > 0 {
            self.backoff.reset();
        }
        if refused == 0 {
            let more = if now > self.refused + SPAN { MUCH_MORE } else { MORE };
            self.limit = self.limit.map(|limit| limit + more * taken as f64);
            return;
        }
        self.refused = now;
        if taken > 0 {
            let least = self.limit.unwrap_or_default() * LEAST;
            self.limit = Some((self.pace(now) * ABOVE).max(least));
        } else if now >= self.paused {
            // What was under way when the pause began says nothing new.
            self.paused = now + self.backoff.equal_jitter();
            self.next = self.next.max(self.paused);
        }
    }

    /// Records a second that were taken lately.
    pub(super) fn pace(&self, now: Duration) -> f64 {
        let lately = self.taken.len().saturating_sub(ANSWERS);
        self.pace_since(0, now).min(self.pace_since(lately, now))
    }

    fn pace_since(&self, answer: usize, now: Duration) -> f64 {
        let mut answers = self.taken.range(answer..);
        let Some((first, alone)) = answers.next() else { return 0.0 };
        // What came with the first had been taken before the time that is looked at.
        match answers.map(|(_, taken)| taken).sum::<u64>() {
            0 => *alone as f64 / SPAN.as_secs_f64(),
            taken => taken as f64 / (now - *first).as_secs_f64().max(0.01),
        }
    }

    /// How many records may wait to be sent again before new ones have to.
    pub(super) fn most_refused(&self) -> usize {
        RECORDS_PER_CALL * 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUND_TRIP: Duration = Duration::from_millis(25);

    /// A stream of shards that each take a thousand a second, with a second's worth at once, fed for so long. Returns
    /// how much it took a second in the second half, and which share of what was sent it refused there.
    fn feed(shards: f64, seconds: f64) -> (f64, f64) {
        let limit = shards * 1_000.0;
        let (mut flow, mut now, mut room, mut waiting) =
            (Flow::new(), Duration::ZERO, limit, VecDeque::new());
        let (mut taken_late, mut refused_late) = (0, 0);
        let (end, step) = (Duration::from_secs_f64(seconds), Duration::from_millis(1));
        while now < end {
            room = (room + limit * step.as_secs_f64()).min(limit);
            while flow.has_room(waiting.len()) && flow.next() <= now {
                flow.sent(now, RECORDS_PER_CALL);
                let taken = (room as u64).min(RECORDS_PER_CALL as u64);
                room -= taken as f64;
                waiting.push_back((now + ROUND_TRIP, taken));
            }
            while waiting.front().is_some_and(|(at, _)| *at <= now) {
                let (_, taken) = waiting.pop_front().unwrap();
                let refused = RECORDS_PER_CALL as u64 - taken;
                flow.answered(now, Outcome { taken, refused, took: ROUND_TRIP });
                if now > end / 2 {
                    (taken_late, refused_late) = (taken_late + taken, refused_late + refused);
                }
            }
            now += step;
        }
        (taken_late as f64 / (seconds / 2.0), refused_late as f64 / (taken_late + refused_late) as f64)
    }

    #[test]
    fn a_stream_is_fed_what_its_shards_take_and_hardly_more() {
        fastrand::seed(1);
        for shards in [1.0, 4.0, 40.0] {
            let (pace, refused) = feed(shards, 20.0);
            assert!(pace >= 0.97 * shards * 1_000.0, "{shards} shards: {pace} a second");
            assert!(refused < 0.15, "{shards} shards: {refused} refused");
        }
    }

    #[test]
    fn a_stream_that_takes_nothing_is_asked_ever_less_often() {
        let (mut flow, mut now, mut asked) = (Flow::new(), Duration::ZERO, 0);
        while now < Duration::from_mins(5) {
            now = now.max(flow.next());
            flow.sent(now, 500);
            now += ROUND_TRIP;
            flow.answered(now, Outcome { taken: 0, refused: 500, took: ROUND_TRIP });
            asked += 1;
        }
        assert!((60..=130).contains(&asked), "{asked} calls in 5 minutes");
    }

    #[test]
    fn a_stream_that_takes_records_again_is_soon_fed_as_before() {
        let (mut flow, mut now) = (Flow::new(), Duration::ZERO);
        let mut call = |taken: u64| {
            now = now.max(flow.next());
            flow.sent(now, RECORDS_PER_CALL);
            now += ROUND_TRIP;
            flow.answered(now, Outcome { taken, refused: 500 - taken, took: ROUND_TRIP });
            (now, flow.pace(now))
        };
        while call(0).0 < Duration::from_mins(1) {}
        let again = call(500).0;
        while call(500).1 < 10_000.0 {}
        let soon = call(500).0 - again;
        assert!(soon < Duration::from_secs(15), "{soon:?}");
    }

    #[test]
    fn a_slow_stream_is_not_flooded() {
        let mut flow = Flow::new();
        for _ in 0..100 {
            flow.answered(Duration::ZERO, Outcome { taken: 500, refused: 0, took: Duration::from_secs(4) });
            assert!(flow.has_room(0) && !flow.has_room(1));
        }
    }
}
