//! Every state that a stack can be in, in one table: has it settled, is it good, and what `up` does about it.

use crate::settings::Invocation;
use serde::{Serialize, Serializer};
use std::fmt;

/// The state of a stack, as CloudFormation's API reference lists them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StackStatus {
    /// One of the states that are known.
    Known(Known),
    /// A state that AWS added later. It is waited for like an operation in progress where its name says so.
    Unknown(String),
}

/// What `up` does when it finds a stack in some state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WayOut {
    /// A change set of type UPDATE.
    Update,
    /// A change set of type CREATE: there is no stack yet, only its name.
    Create,
    /// The stack holds nothing and can only be deleted: delete it, then create.
    DeleteFirst,
    /// The same for a stack that may still hold rows: only where there are none, or where their loss is agreed to.
    DeleteIfEmpty,
    /// An update that failed and was left as it is: RollbackStack, then update.
    Rollback,
    /// A roll-back that failed: ContinueUpdateRollback, skipping what fails again, then update.
    ContinueRollback,
    /// Somebody's operation is under way: watch it to its end, then look again.
    Wait,
    /// Needs a person; the text says what to do, and `{up}` and `{down}` stand for our own commands.
    Explain(&'static str),
}

impl WayOut {
    /// What `up` does, in one sentence, for people whose stack is in that state and for the table of states.
    pub fn explained(self, invocation: &Invocation) -> String {
        let (up, down) = (invocation.command("up"), invocation.command("down"));
        match self {
            WayOut::Update => format!("`{up}` updates it."),
            WayOut::Create => format!("`{up}` creates it: nothing is there but, at most, its name."),
            WayOut::DeleteFirst => format!("`{up}` deletes it, since it holds nothing, and creates it anew."),
            WayOut::DeleteIfEmpty => {
                format!("`{up}` deletes it and creates it anew, asking first where its bucket holds rows.")
            }
            WayOut::Rollback => format!("`{up}` rolls it back to how it last worked, then updates it."),
            WayOut::ContinueRollback => format!(
                "`{up}` goes on with the roll-back, the second time without the resources that failed, then \
                 updates it."
            ),
            WayOut::Wait => format!("`{up}` watches the operation to its end, then goes on."),
            WayOut::Explain(what) => {
                let text = what.replace("{down}", &down).replace("{up}", &up);
                let mut letters = text.chars();
                let first =
                    letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
                format!("{first}{}.", letters.as_str())
            }
        }
    }
}

/// The table of states, as the documentation shows it.
pub fn table() -> String {
    let mut text = "| state | settled | what `up` does |\n|---|---|---|\n".to_owned();
    for known in Known::ALL {
        let status = StackStatus::Known(*known);
        let settled = if status.settled() { "yes" } else { "no" };
        let way_out = status.way_out().explained(&Invocation::default());
        text.push_str(&format!("| `{status}` | {settled} | {way_out} |\n"));
    }
    text
}

macro_rules! table {
    ($($variant:ident $name:literal $settled:literal $good:literal $way_out:expr;)*) => {
        /// The states that are known.
        #[allow(missing_docs)] // the names are CloudFormation's own
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Known { $($variant),* }

        impl Known {
            /// All of them, in the order of the table.
            pub const ALL: &[Known] = &[$(Known::$variant),*];

            const fn row(self) -> (&'static str, bool, bool, WayOut) {
                match self { $(Known::$variant => ($name, $settled, $good, $way_out)),* }
            }
        }
    };
}

use WayOut::{ContinueRollback, Create, DeleteFirst, DeleteIfEmpty, Explain, Rollback, Update, Wait};

const CONTINUE: &str = "mend what kept it from rolling back (see its events), run `aws cloudformation continue-update-rollback`, then `{up}` again";

table! {
//  variant                            name                                           settled good  way out
    CreateInProgress                   "CREATE_IN_PROGRESS"                           false   true  Wait;
    CreateComplete                     "CREATE_COMPLETE"                              true    true  Update;
    CreateFailed                       "CREATE_FAILED"                                true    false DeleteIfEmpty;
    RollbackInProgress                 "ROLLBACK_IN_PROGRESS"                         false   false Wait;
    RollbackComplete                   "ROLLBACK_COMPLETE"                            true    false DeleteFirst;
    RollbackFailed                     "ROLLBACK_FAILED"                              true    false DeleteIfEmpty;
    ReviewInProgress                   "REVIEW_IN_PROGRESS"                           true    true  Create;
    UpdateInProgress                   "UPDATE_IN_PROGRESS"                           false   true  Wait;
    UpdateCompleteCleanupInProgress    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"          false   true  Wait;
    UpdateComplete                     "UPDATE_COMPLETE"                              true    true  Update;
    UpdateFailed                       "UPDATE_FAILED"                                true    false Rollback;
    UpdateRollbackInProgress           "UPDATE_ROLLBACK_IN_PROGRESS"                  false   false Wait;
    UpdateRollbackCompleteCleanup      "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS" false   false Wait;
    UpdateRollbackComplete             "UPDATE_ROLLBACK_COMPLETE"                     true    false Update;
    UpdateRollbackFailed               "UPDATE_ROLLBACK_FAILED"                       true    false ContinueRollback;
    ImportInProgress                   "IMPORT_IN_PROGRESS"                           false   true  Wait;
    ImportComplete                     "IMPORT_COMPLETE"                              true    true  Update;
    ImportRollbackInProgress           "IMPORT_ROLLBACK_IN_PROGRESS"                  false   false Wait;
    ImportRollbackComplete             "IMPORT_ROLLBACK_COMPLETE"                     true    false Update;
    ImportRollbackFailed               "IMPORT_ROLLBACK_FAILED"                       true    false Explain(CONTINUE);
    DeleteInProgress                   "DELETE_IN_PROGRESS"                           false   true  Wait;
    DeleteComplete                     "DELETE_COMPLETE"                              true    true  Create;
    DeleteFailed                       "DELETE_FAILED"                                true    false DeleteIfEmpty;
}

impl StackStatus {
    /// The state of this name.
    pub fn parse(name: &str) -> Self {
        let known = Known::ALL.iter().find(|known| known.row().0 == name);
        known.map_or_else(|| StackStatus::Unknown(name.to_owned()), |known| StackStatus::Known(*known))
    }

    /// CloudFormation's own word.
    pub fn name(&self) -> &str {
        match self {
            StackStatus::Known(known) => known.row().0,
            StackStatus::Unknown(name) => name,
        }
    }

    /// No operation is under way: it stays so until somebody acts.
    pub fn settled(&self) -> bool {
        match self {
            StackStatus::Known(known) => known.row().1,
            StackStatus::Unknown(name) => !name.ends_with("_IN_PROGRESS"),
        }
    }

    /// It is, or is on its way to, what somebody asked for: not failed, not rolled back.
    pub fn good(&self) -> bool {
        match self {
            StackStatus::Known(known) => known.row().2,
            StackStatus::Unknown(_) => false,
        }
    }

    /// What `up` does about it.
    pub fn way_out(&self) -> WayOut {
        match self {
            StackStatus::Known(known) => known.row().3,
            StackStatus::Unknown(_) if !self.settled() => Wait,
            StackStatus::Unknown(_) => {
                Explain("this version of kinesis-stack doesn't know that state; look at the stack's events")
            }
        }
    }

    /// Whether it is this one.
    pub fn is(&self, known: Known) -> bool {
        *self == StackStatus::Known(known)
    }
}

impl fmt::Display for StackStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for StackStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_in_the_docs_is_made_from_this_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/states.md");
        let page = format!(
            "# States of a stack\n\nWhat `up` does about the state in which it finds the stack. This page is made \
             from `src/stack/status.rs`.\n\n{}",
            table()
        );
        if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
            std::fs::write(path, &page).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), page, "INSTA_UPDATE=always makes it anew");
    }

    #[test]
    fn the_table_knows_every_state_of_the_sdk() {
        for name in aws_sdk_cloudformation::types::StackStatus::values() {
            assert!(matches!(StackStatus::parse(name), StackStatus::Known(_)), "{name} is missing");
        }
        assert_eq!(Known::ALL.len(), aws_sdk_cloudformation::types::StackStatus::values().len());
    }

    #[test]
    fn what_is_in_progress_is_waited_for_and_nothing_else() {
        for known in Known::ALL {
            let status = StackStatus::Known(*known);
            let in_progress = status.name().ends_with("_IN_PROGRESS") && !status.is(Known::ReviewInProgress);
            assert_eq!(!status.settled(), in_progress, "{status}");
            assert_eq!(status.way_out() == WayOut::Wait, in_progress, "{status}");
        }
    }

    #[test]
    fn every_state_but_one_has_a_way_out_that_is_taken_without_a_person() {
        let explained = |known: &&Known| matches!(StackStatus::Known(**known).way_out(), WayOut::Explain(_));
        let explained: Vec<&Known> = Known::ALL.iter().filter(explained).collect();
        assert_eq!(explained, [&Known::ImportRollbackFailed]);
    }

    #[test]
    fn a_failed_or_rolled_back_stack_is_never_good() {
        for known in Known::ALL {
            let status = StackStatus::Known(*known);
            if status.name().contains("FAILED") || status.name().contains("ROLLBACK") {
                assert!(!status.good(), "{status}");
            }
        }
    }

    #[test]
    fn a_state_that_aws_adds_later_is_kept_by_name() {
        assert_eq!(StackStatus::parse("MELTING").name(), "MELTING");
        assert_eq!(StackStatus::parse("MELT_IN_PROGRESS").way_out(), WayOut::Wait);
    }
}
