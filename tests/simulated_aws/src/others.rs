//! Somebody else at work in the same account.

use crate::Account;
use crate::cloudformation::{Deletion, Deployment, Difference, Order, Stack, Terms, changes};
use crate::weather::Act;

impl Account {
    /// The stack of this id, or the one of this name that is not deleted.
    pub fn stack(&mut self, name: &str) -> Option<&mut Stack> {
        self.stacks.iter_mut().find(|stack| stack.id == name || stack.name == name && !stack.is_gone())
    }

    /// Somebody else begins to change the stack's tags, which takes a while.
    pub fn somebody_updates(&mut self, name: &str) {
        let Some(mut deployment) = self.stack(name).map(|stack| stack.deployed.clone()) else { return };
        deployment.tags.insert("somebody".to_owned(), "else".to_owned());
        self.somebody_deploys(name, deployment);
    }

    /// Somebody else begins to delete the stack.
    pub fn somebody_deletes(&mut self, name: &str) {
        let now = self.clock.now();
        let deletion = Deletion { token: "somebody".to_owned(), ..Deletion::default() };
        self.with_stack(name, |account, stack| account.delete(stack, now, deletion));
    }

    /// Somebody else begins to deploy this, as an update where the stack is there.
    pub fn somebody_deploys(&mut self, name: &str, deployment: Deployment) {
        let now = self.clock.now();
        if self.stack(name).is_none() {
            self.name_stack(name, now);
        }
        self.with_stack(name, |account, stack| {
            let changes = changes(stack, &deployment, &account.region);
            let (terms, token) = (Terms::default(), "somebody".to_owned());
            account.deploy(stack, Order { deployment, changes, terms, token }, now);
        });
    }

    /// Somebody else changes a property outside CloudFormation, at a path such as `/RetentionPeriodHours`.
    pub fn somebody_drifts(&mut self, stack: &str, logical_id: &str, path: &str, value: &str) {
        if let Some(stack) = self.stack(stack) {
            let changed = stack.drifted.entry(logical_id.to_owned()).or_default();
            changed.insert(path.to_owned(), value.to_owned());
        }
    }

    /// Somebody else does this to the first stack that is at rest, where there is one.
    pub(crate) fn somebody(&mut self, act: Act) {
        let settled =
            |stack: &&Stack| !stack.is_gone() && !stack.is_busy() && stack.status.ends_with("_COMPLETE");
        let usable = self.stacks.iter().find(settled).filter(|stack| stack.status != "ROLLBACK_COMPLETE");
        match (act, usable.map(|stack| stack.name.clone())) {
            (Act::Updates, Some(name)) => self.somebody_updates(&name),
            (Act::Deletes, Some(name)) => self.somebody_deletes(&name),
            (Act::Deploys, None) => {
                // What was deployed once is deployed again.
                let last = self.stacks.iter().rev().find(|stack| !stack.deployed.template.is_empty());
                let last =
                    last.filter(|stack| stack.is_gone()).map(|it| (it.name.clone(), it.deployed.clone()));
                if let Some((name, deployment)) =
                    last.filter(|(name, _)| self.stacks.iter().all(|it| it.name != *name || it.is_gone()))
                {
                    self.somebody_deploys(&name, deployment);
                }
            }
            _ => {}
        }
    }

    pub(crate) fn with_stack<T>(
        &mut self,
        name: &str,
        act: impl FnOnce(&mut Account, &mut Stack) -> T,
    ) -> Option<T> {
        let id = self.stack(name)?.id.clone();
        let place = self.stacks.iter().position(|stack| stack.id == id)?;
        let mut stack = self.stacks.remove(place);
        let done = act(self, &mut stack);
        self.stacks.insert(place, stack);
        Some(done)
    }

    /// Where each property of a resource isn't as it should be.
    pub(crate) fn differences(&self, stack: &Stack, logical_id: &str) -> Vec<Difference> {
        let properties =
            crate::cloudformation::Template::new(&stack.deployed, &self.region).properties(logical_id);
        let changed = stack.drifted.get(logical_id).into_iter().flatten();
        changed
            .map(|(path, actual)| {
                let name = path.trim_start_matches('/');
                let expected = properties.get(name).map(|it| serde_yaml::to_string(it).unwrap_or_default());
                let expected = expected.unwrap_or_default().trim().to_owned();
                Difference { path: path.clone(), expected, actual: actual.clone() }
            })
            .filter(|difference| difference.expected != difference.actual)
            .collect()
    }
}
