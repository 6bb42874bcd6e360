//! Which shards are read when. Pure.
//!
//! A shard that is split or merged is closed, and what comes then goes to its children. A child is read once its
//! parents have been read to their ends: so the order within a key holds, and nothing is missed or read twice.

use super::place::Position;
use std::collections::{BTreeMap, BTreeSet};

/// A shard, as the stream tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) id: String,
    /// One, or two where they were merged. A parent that is no longer kept may still be named.
    pub(super) parents: Vec<String>,
    /// Whether it still takes records.
    pub(super) open: bool,
}

/// The shards of a stream, as far as they matter.
#[derive(Debug, Default)]
pub(super) struct Shards {
    known: BTreeMap<String, Shard>,
    /// Those that were there in the beginning and aren't read.
    ignored: BTreeSet<String>,
}

#[derive(Debug)]
struct Shard {
    /// Those that have to be read first.
    parents: Vec<String>,
    position: Position,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// For its parents.
    Waiting,
    Reading,
    Done,
}

impl Shards {
    /// The shards of a stream. `position` is where one begins; what it has no position for isn't read.
    pub(super) fn new(told: &[Told], position: impl Fn(&Told) -> Option<Position>) -> Self {
        let mut shards = Shards::default();
        for it in told {
            match position(it) {
                Some(position) => shards.add(it, position),
                None => _ = shards.ignored.insert(it.id.clone()),
            }
        }
        // A parent that isn't told is no longer kept.
        let read: BTreeSet<String> = shards.known.keys().cloned().collect();
        shards.known.values_mut().for_each(|shard| shard.parents.retain(|parent| read.contains(parent)));
        shards
    }

    /// A parent that isn't known yet descends from one that is, and will be.
    fn add(&mut self, told: &Told, position: Position) {
        let parents = told.parents.iter().filter(|parent| !self.ignored.contains(*parent)).cloned().collect();
        let shard = Shard { parents, position, state: State::Waiting };
        self.known.entry(told.id.clone()).or_insert(shard);
    }

    /// A shard was read to its end, and these are its children, as far as they are told. A child that wasn't known yet
    /// is read from its beginning.
    pub(super) fn ended(&mut self, id: &str, children: &[Told]) {
        if let Some(shard) = self.known.get_mut(id) {
            shard.state = State::Done;
        }
        children.iter().for_each(|child| self.add(child, Position::TrimHorizon));
    }

    /// The shards that can be read from now on: their parents have been, or aren't read at all.
    pub(super) fn ready(&mut self) -> Vec<(String, Position)> {
        let is_done = |(id, shard): (&String, &Shard)| (shard.state == State::Done).then(|| id.clone());
        let done: BTreeSet<String> = self.known.iter().filter_map(is_done).collect();
        let mut ready = Vec::new();
        for (id, shard) in &mut self.known {
            let is_free = shard.parents.iter().all(|parent| done.contains(parent));
            if shard.state == State::Waiting && is_free {
                shard.state = State::Reading;
                ready.push((id.clone(), shard.position.clone()));
            }
        }
        ready
    }

    /// Those of the children that are known already.
    pub(super) fn children(&self, id: &str) -> Vec<String> {
        let is_child = |shard: &Shard| shard.parents.iter().any(|parent| parent == id);
        self.known.iter().filter(|(_, shard)| is_child(shard)).map(|(id, _)| id.clone()).collect()
    }
}

/// The shards of which this one is a parent.
pub(super) fn children_of(id: &str, told: &[Told]) -> Vec<Told> {
    told.iter().filter(|it| it.parents.iter().any(|parent| parent == id)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(id: &str, parents: &[&str], open: bool) -> Told {
        let parents = parents.iter().map(|parent| (*parent).to_owned()).collect();
        Told { id: id.to_owned(), parents, open }
    }

    fn names(ready: Vec<(String, Position)>) -> Vec<String> {
        ready.into_iter().map(|(id, _)| id).collect()
    }

    #[test]
    fn children_wait_for_their_parents() {
        let all = [
            told("a", &[], false),
            told("b", &["a"], false),
            told("c", &["a"], true),
            told("d", &["b"], true),
        ];
        let mut shards = Shards::new(&all, |_| Some(Position::TrimHorizon));
        assert_eq!(names(shards.ready()), ["a"]);
        assert_eq!(names(shards.ready()), [""; 0]);
        shards.ended("a", &all[1..3]);
        assert_eq!(names(shards.ready()), ["b", "c"]);
        shards.ended("b", &all[3..]);
        assert_eq!(names(shards.ready()), ["d"]);
    }

    #[test]
    fn a_merged_shard_waits_for_both_of_its_parents_and_is_read_once() {
        let merged = told("c", &["a", "b"], true);
        let mut shards =
            Shards::new(&[told("a", &[], true), told("b", &[], true)], |_| Some(Position::Latest));
        assert_eq!(names(shards.ready()), ["a", "b"]);
        shards.ended("a", std::slice::from_ref(&merged));
        assert_eq!(names(shards.ready()), [""; 0]);
        shards.ended("b", std::slice::from_ref(&merged));
        assert_eq!(shards.ready(), [("c".to_owned(), Position::TrimHorizon)]);
    }

    #[test]
    fn a_parent_that_is_no_longer_kept_or_not_read_is_not_waited_for() {
        let all = [told("a", &["long gone"], false), told("b", &["a"], true)];
        let mut shards = Shards::new(&all, |it| it.open.then_some(Position::Latest));
        assert_eq!(shards.ready(), [("b".to_owned(), Position::Latest)]);
    }

    proptest! {
        /// Shards come to be by splits and merges, told of at any moment after their parents ended.
        #[test]
        fn every_shard_is_read_once_and_after_its_parents(steps in prop::collection::vec((any::<bool>(), 0_usize..8), 0..20)) {
            let mut open = vec![told("00", &[], true), told("01", &[], true)];
            let mut all = open.clone();
            for (split, place) in steps {
                let place = place % open.len();
                let first = open.remove(place);
                let mut parents = vec![first.id.as_str()];
                let second = (!split && !open.is_empty()).then(|| open.remove(0));
                parents.extend(second.as_ref().map(|it| it.id.as_str()));
                for _ in 0..if second.is_some() { 1 } else { 2 } {
                    let child = told(&format!("{:02}", all.len()), &parents, true);
                    open.push(child.clone());
                    all.push(child);
                }
            }
            let mut shards = Shards::new(&all[..2], |_| Some(Position::TrimHorizon));
            let (mut order, mut next) = (Vec::new(), names(shards.ready()));
            while let Some(id) = next.pop() {
                prop_assert!(!order.contains(&id), "{} twice", id);
                let shard = all.iter().find(|it| it.id == id).unwrap();
                prop_assert!(shard.parents.iter().all(|parent| order.contains(parent)), "{} before its parents", id);
                order.push(id.clone());
                shards.ended(&id, &children_of(&id, &all));
                next.extend(names(shards.ready()));
            }
            prop_assert_eq!(order.len(), all.len());
        }
    }
}
