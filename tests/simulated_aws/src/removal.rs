//! How things go: at once or after a while, and what they do on their way out. It is the same way whether a stack's
//! deletion leads there or a call of the thing's own service.

use crate::Account;
use crate::things::Coming;
use std::time::Duration;
use tokio::time::Instant;

/// How long a function takes to write its last log line, after it is gone.
const LAST_LINE: Duration = Duration::from_secs(20);

impl Account {
    /// Lets one vanish by itself.
    pub fn vanishes(&mut self, kind: &str, name: &str, at: Instant) {
        match self.things.get_mut(&(kind.to_owned(), name.to_owned())) {
            Some(thing) => (thing.dying, thing.gone) = (true, Some(at)),
            None => self.unmake(kind, name),
        }
    }

    /// Deletes one outside CloudFormation, at once and without a word.
    pub fn unmake(&mut self, kind: &str, name: &str) {
        if kind == "AWS::S3::Bucket" {
            if let Some(bucket) = self.buckets.remove(name) {
                let lag = Duration::from_secs_f64(self.script.bucket_name_seconds);
                self.freed.insert(name.to_owned(), self.present() + lag);
                self.was_tagged(kind, name, bucket.tags);
            }
        } else if let Some(thing) = self.things.remove(&(kind.to_owned(), name.to_owned())) {
            self.was_tagged(kind, name, thing.tags);
            match kind {
                "AWS::Kinesis::Stream" => drop(self.streams.remove(name)),
                "AWS::Logs::LogGroup" => drop(self.log_groups.remove(name)),
                _ => {}
            }
        }
    }

    /// It is on its way out.
    pub(crate) fn dies(&mut self, kind: &str, name: &str) {
        if let Some(thing) = self.things.get_mut(&(kind.to_owned(), name.to_owned())) {
            thing.dying = true;
        }
    }

    /// Begins to delete one that its own service was asked to delete.
    pub(crate) fn remove(&mut self, kind: &str, name: &str) {
        let (now, takes) = (self.clock.now(), self.takes_to_delete(kind));
        let Some(thing) = self.things.get_mut(&(kind.to_owned(), name.to_owned())) else { return };
        thing.dying = true;
        let end = Coming::End(kind.to_owned(), name.to_owned(), thing.made);
        self.coming.push((now + takes, end));
    }

    /// It goes now, and does what such things do on their way out.
    pub(crate) fn goes(&mut self, kind: &str, name: &str, at: Instant) {
        self.leaves(kind, name, at);
        self.unmake(kind, name);
    }

    /// What a thing does on its way out.
    pub(crate) fn leaves(&mut self, kind: &str, name: &str, at: Instant) {
        let Some(facts) = self.thing(kind, name).map(|thing| thing.facts.clone()) else { return };
        if kind == crate::firehose::DELIVERY && self.deliveries.contains_key(name) {
            self.delivers_the_rest(name, at);
        }
        match kind {
            // Fact: a dying delivery stream may still deliver.
            "AWS::KinesisFirehose::DeliveryStream" if self.script.flushes > 0 => {
                self.script.flushes -= 1;
                if let Some(bucket) = facts.get("Bucket") {
                    self.put_row(bucket, "flushed");
                }
            }
            "AWS::Lambda::Function" => {
                // One whose making didn't come to its end never ran.
                if let Some(group) = facts.get("LogGroup").and_then(|group| {
                    let role = facts.get("Role").map(String::as_str).unwrap_or_default();
                    self.made_by_last_line(name, group, role)
                }) {
                    self.coming.push((at + LAST_LINE.mul_f64(self.script.pace), Coming::LogLine(group)));
                }
            }
            _ => {}
        }
    }

    /// The log group that a function's last line makes again, where it makes one.
    ///
    /// Fact: a function that logs after its group was deleted makes it again, never expiring and without tags, but
    /// only the group named for it: one that LoggingConfig names elsewhere it makes only where its role may.
    fn made_by_last_line(&self, function: &str, group: &str, role: &str) -> Option<String> {
        let usual = format!("/aws/lambda/{function}");
        match self.script.late_logs {
            _ if self.script.late_log_group => Some(usual),
            true if self.may_make_group(function, group, role) => Some(group.to_owned()),
            _ => None,
        }
    }

    /// Whether a function that logs makes the log group that isn't there.
    pub(crate) fn may_make_group(&self, function: &str, group: &str, role: &str) -> bool {
        let may = self.thing("AWS::IAM::Role", role).is_some_and(|role| {
            role.policies
                .values()
                .any(|policy| policy.contains("logs:CreateLogGroup") || policy.contains("logs:*"))
        });
        may || group == format!("/aws/lambda/{function}")
    }
}
