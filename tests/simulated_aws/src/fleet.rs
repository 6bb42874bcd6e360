//! Many stacks at once, made like one that is there, without driving each through its making.

use crate::Account;
use crate::cloudformation::{Resource, Stack};
use crate::s3::Bucket;
use crate::things::Thing;
use std::collections::BTreeMap;

/// What is replaced in names, and by what; in this order.
type Names<'a> = &'a [(&'a str, &'a str)];

impl Account {
    /// A settled stack like one that is there, with all that it holds and with its rows: in every name, tag and
    /// parameter, and in the template, these texts are replaced. Then it bears these tags, too, and its resources do.
    /// It is as old as the one that it is like. Nothing happens where there is no such stack.
    pub fn settled_like(&mut self, stack: &str, names: Names, tags: &[(&str, &str)]) {
        let Some(like) = self.stack(stack).cloned() else { return };
        let name = renamed(&like.name, names);
        let number = self.number();
        let id = self.arn("cloudformation", &format!("stack/{name}/{number}"));
        let mut stack = Stack::new(id.clone(), name, like.made);
        stack.deployed.template = renamed(&like.deployed.template, names);
        stack.deployed.parameters = pairs(&like.deployed.parameters, names);
        stack.deployed.tags = pairs(&like.deployed.tags, names);
        let added = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        stack.deployed.tags.extend(added.clone());
        let added: Vec<(String, String)> = added.collect();
        (stack.updated, stack.terms) = (like.updated, like.terms.clone());
        for resource in &like.resources {
            self.another(resource, names, &added, (&like.id, &id));
            let physical_id = renamed(&resource.physical_id, names);
            stack.resources.push(Resource { physical_id, ..resource.clone() });
        }
        self.operate(&mut stack, "CREATE_STACK", "somebody");
        let status = like.status.clone();
        self.enter(&mut stack, like.made, &status, "");
        self.stacks.push(stack);
    }

    /// What a resource is, once more.
    fn another(&mut self, resource: &Resource, names: Names, tags: &[(String, String)], ids: (&str, &str)) {
        let key = (resource.kind.clone(), resource.physical_id.clone());
        let name = renamed(&resource.physical_id, names);
        let tags = |of: &BTreeMap<String, String>| {
            let mut all = pairs(of, names);
            let old = renamed(ids.0, names);
            all.values_mut().filter(|value| **value == old).for_each(|value| ids.1.clone_into(value));
            all.extend(tags.iter().cloned());
            all
        };
        if let Some(bucket) = self.buckets.get(&key.1).filter(|_| key.0 == "AWS::S3::Bucket") {
            let bucket = Bucket { tags: tags(&bucket.tags), ..bucket.clone() };
            self.buckets.insert(name, bucket);
        } else if let Some(thing) = self.things.get(&key) {
            let facts = thing.facts.iter().map(|(key, value)| (*key, renamed(value, names))).collect();
            let thing = Thing { tags: tags(&thing.tags), facts, ..thing.clone() };
            self.things.insert((key.0, name), thing);
        }
    }
}

fn renamed(text: &str, names: Names) -> String {
    names.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

fn pairs(of: &BTreeMap<String, String>, names: Names) -> BTreeMap<String, String> {
    of.iter().map(|(key, value)| (key.clone(), renamed(value, names))).collect()
}
