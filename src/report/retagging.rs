//! An update that changes tags and nothing else: in a log its resources are one line.

use super::{Paint, words};
use crate::event::{Progress, ResourceEvent};
use crate::stack::plan::{Action, Plan};

/// Whether a plan is such an update.
pub fn changes_tags_alone(plan: &Plan) -> bool {
    let mut changes = plan.changes.iter().filter(|change| !change.only_follows).peekable();
    changes.peek().is_some()
        && changes.all(|change| {
            let mut names = change.properties.iter().map(|property| property.name.as_str()).peekable();
            change.action == Action::Modify && names.peek().is_some() && names.all(is_tags)
        })
}

fn is_tags(property: &str) -> bool {
    property.split(['.', '/', '[']).next() == Some("Tags")
}

/// What such an update has come to.
#[derive(Debug, Default)]
pub struct Retagging {
    resources: u64,
}

/// What becomes of a resource's own line.
#[derive(Debug, PartialEq, Eq)]
pub enum Own {
    /// It is one of many.
    Left,
    /// It stays.
    Shown,
    /// It stays, below the line of all others: the update is over.
    Last(String),
}

impl Retagging {
    /// Takes a state in.
    pub fn hear(&mut self, resource: &ResourceEvent, paint: Paint) -> Own {
        let is_stack = resource.resource_type == "AWS::CloudFormation::Stack";
        match resource.progress {
            // Whatever goes wrong is seen.
            Progress::Failed => Own::Shown,
            Progress::Working if is_stack => Own::Shown,
            Progress::Working => Own::Left,
            Progress::Complete if is_stack && self.resources > 0 => {
                let resources = words::count(std::mem::take(&mut self.resources), "resource");
                Own::Last(format!("  {} {resources} got the new tags", paint.good("✓")))
            }
            Progress::Complete if is_stack => Own::Shown,
            Progress::Complete => {
                self.resources += 1;
                Own::Left
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::plan::Change;
    use crate::stack::plan::testing::{change, plan, property};

    #[test]
    fn a_plan_changes_tags_alone_where_nothing_else_changes_at_all() {
        let of = |names: &[&str]| Change {
            properties: names.iter().map(|name| property(name, "a", "b")).collect(),
            ..change(Action::Modify, "Stream", "AWS::Kinesis::Stream")
        };
        let follows = Change { only_follows: true, ..of(&[]) };
        assert!(changes_tags_alone(&plan(vec![of(&["Tags"]), follows.clone()])));
        for other in [
            vec![],
            vec![follows],
            vec![of(&["Tags"]), of(&["Tags", "ShardCount"])],
            vec![of(&["Tags"]), of(&[])],
            vec![change(Action::Add, "Bucket", "AWS::S3::Bucket")],
        ] {
            assert!(!changes_tags_alone(&plan(other)));
        }
    }
}
