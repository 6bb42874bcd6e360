//! What becomes of the environments that `reap` is about.

use super::super::words::{at, time};
use crate::event::Event;

/// One after the other, as they were first told of.
#[derive(Debug, Default)]
pub struct Fates(Vec<Fate>);

#[derive(Debug)]
struct Fate {
    /// Empty: a whole region.
    env: String,
    region: String,
    became: Became,
}

/// What became of it so far.
#[derive(Debug, Clone, PartialEq)]
enum Became {
    Due { expires: String },
    Begun,
    Gone { seconds: f64 },
    LeftAlone { because: String },
    Failed { error: String },
    BucketKept { bucket: String },
}

/// How many ended in which way.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// They are gone.
    pub reaped: usize,
    /// They could not be torn down, or could not be looked for.
    pub failed: usize,
    /// Their time is over, and they stay.
    pub left_alone: usize,
}

impl Fates {
    /// Takes an event in.
    pub fn hear(&mut self, event: &Event) {
        match event.clone() {
            Event::Due { environments } => {
                for it in environments {
                    self.note(it.env, it.region, Became::Due { expires: it.expires });
                }
            }
            Event::Reaping { env, region, .. } => self.note(env, region, Became::Begun),
            Event::Reaped { env, region, seconds } => self.note(env, region, Became::Gone { seconds }),
            Event::LeftAlone { env, region, because } => {
                self.note(env, region, Became::LeftAlone { because });
            }
            Event::NotReaped { env, region, error } => {
                self.note(env, region, Became::Failed { error: error.to_string() });
            }
            Event::RegionUnread { region, error } => {
                self.note(String::new(), region, Became::Failed { error: error.to_string() });
            }
            Event::BucketKept { env, region, bucket } => {
                self.note(env, region, Became::BucketKept { bucket });
            }
            _ => {}
        }
    }

    fn note(&mut self, env: String, region: String, became: Became) {
        match self.0.iter_mut().find(|fate| fate.env == env && fate.region == region) {
            Some(fate) => fate.became = became,
            None => self.0.push(Fate { env, region, became }),
        }
    }

    /// How many ended in which way.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for fate in &self.0 {
            match fate.became {
                Became::Gone { .. } => counts.reaped += 1,
                Became::Failed { .. } => counts.failed += 1,
                Became::LeftAlone { .. } => counts.left_alone += 1,
                Became::Due { .. } | Became::Begun | Became::BucketKept { .. } => {}
            }
        }
        counts
    }

    /// Environment, region, and what became of it.
    pub fn rows(&self) -> Vec<[String; 3]> {
        let row = |fate: &Fate| [fate.env.clone(), fate.region.clone(), fate.became.told()];
        self.0.iter().map(row).collect()
    }
}

impl Became {
    fn told(&self) -> String {
        match self {
            Became::Due { expires } => format!("⏳ its time was over at {}; not begun", at(expires)),
            Became::Begun => "⏳ begun: what was asked for goes on".to_owned(),
            Became::Gone { seconds } => format!("✅ gone in {}", time(*seconds)),
            Became::LeftAlone { because } => format!("➖ stays: {because}"),
            Became::Failed { error } => format!("❌ {error}"),
            Became::BucketKept { bucket } => format!("⏸️ gone; its bucket {bucket} is kept on purpose"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Due;

    #[test]
    fn one_that_was_due_is_one_row_whatever_becomes_of_it_and_the_same_name_elsewhere_is_another() {
        let mut fates = Fates::default();
        let due = |region: &str| Due {
            env: "pr-1".to_owned(),
            region: region.to_owned(),
            expires: "2026-11-24T16:00:00Z".to_owned(),
            owner: None,
        };
        fates.hear(&Event::Due { environments: vec![due("us-east-1"), due("eu-west-1")] });
        let (env, region) = ("pr-1".to_owned(), "eu-west-1".to_owned());
        fates.hear(&Event::Reaping { env: env.clone(), region: region.clone(), expires: String::new() });
        assert_eq!(fates.counts(), Counts::default());
        fates.hear(&Event::Reaped { env, region, seconds: 61.0 });
        assert_eq!(fates.counts(), Counts { reaped: 1, ..Counts::default() });
        let rows = fates.rows();
        assert_eq!(rows.len(), 2);
        assert!(rows[0][2].ends_with("not begun") && rows[1][2].starts_with("✅ gone"), "{rows:?}");
    }
}
