//! Events as JSON lines. Questions still go to the person at the terminal.

use super::{Look, Verbosity, human};
use crate::data::spell_controls;
use crate::error::Error;
use crate::event::{Event, Question, Reporter};
use serde_json::{Map, Value, json};
use std::io::{ErrorKind, Write};
use std::sync::{Mutex, PoisonError};

/// Writes one JSON object a line.
pub struct JsonLines {
    /// `None` where a command is about none, or about many.
    env: Option<String>,
    verbosity: Verbosity,
    interactive: bool,
    state: Mutex<State>,
}

struct State {
    out: Box<dyn Write + Send>,
    /// The stack that was last acted on: a failure names it.
    stack: Option<(String, String)>,
    /// Why lines were lost, where some were.
    lost: Option<String>,
}

impl JsonLines {
    /// Writes to `out`. `env`: the environment that the command is about; empty where that is none, or many.
    pub fn new(look: &Look, env: &str, out: Box<dyn Write + Send>) -> Self {
        JsonLines {
            env: (!env.is_empty()).then(|| env.to_owned()),
            verbosity: look.verbosity,
            interactive: look.interactive,
            state: Mutex::new(State { out, stack: None, lost: None }),
        }
    }

    /// The last line of a command that failed.
    pub fn failure(&self, error: &Error) {
        let mut fields = Map::new();
        fields.insert("code".to_owned(), json!("failed"));
        fields.insert("exit".to_owned(), json!(error.kind.exit_code()));
        if let Some((stack, stack_id)) = &self.lock().stack {
            fields.insert("stack".to_owned(), json!(stack));
            fields.insert("stack_id".to_owned(), json!(stack_id));
        }
        if let Ok(Value::Object(error)) = serde_json::to_value(error) {
            fields.extend(error);
        }
        self.write(fields);
    }

    fn write(&self, fields: Map<String, Value>) {
        let mut line = Map::new();
        line.insert("time".to_owned(), json!(now()));
        let code = fields.get("code").cloned().unwrap_or_default();
        line.insert("code".to_owned(), code);
        line.insert("env".to_owned(), json!(self.env));
        line.extend(fields.into_iter().filter(|(name, _)| name != "code"));
        let mut state = self.lock();
        // Neither a reader that went away nor a full disk may stop a deployment half-way; the latter is told at the end.
        let written = writeln!(state.out, "{}", spell_controls(&Value::Object(line).to_string()))
            .and_then(|()| state.out.flush());
        if let Err(error) = written
            && error.kind() != ErrorKind::BrokenPipe
        {
            state.lost = Some(error.to_string());
        }
    }

    /// Why lines were lost, where some were: whoever reads the rest mustn't take it for the whole.
    pub fn lost(&self) -> Option<String> {
        self.lock().lost.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn now() -> String {
    let now = jiff::Timestamp::now();
    now.round(jiff::Unit::Millisecond).unwrap_or(now).to_string()
}

impl Reporter for JsonLines {
    fn tell(&self, event: &Event) {
        match event {
            Event::Call { .. } if self.verbosity < Verbosity::Verbose => return,
            // The last line counts; -q leaves out all before it.
            Event::Done(_) => {}
            _ if self.verbosity == Verbosity::Quiet => return,
            Event::OperationStarted { stack, stack_id, .. } => {
                self.lock().stack = Some((stack.clone(), stack_id.clone()));
            }
            _ => {}
        }
        if let Ok(Value::Object(fields)) = serde_json::to_value(event) {
            self.write(fields);
        }
    }

    fn tell_of(&self, env: &str, event: &Event) {
        let is_call = matches!(event, Event::Call { .. });
        if self.verbosity == Verbosity::Quiet || is_call && self.verbosity < Verbosity::Verbose {
            return;
        }
        if let Ok(Value::Object(mut fields)) = serde_json::to_value(event) {
            fields.insert("env".to_owned(), json!(env));
            self.write(fields);
        }
    }

    fn ask(&self, question: &Question) -> Option<bool> {
        self.interactive.then(|| human::ask_at_terminal(question))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Ci, Color, Output};
    use crate::error::Kind;
    use crate::event::Done;
    use crate::stack::plan::Operation;
    use std::sync::Arc;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    struct Full(ErrorKind);

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_that_a_full_disk_swallowed_are_known_and_a_reader_that_left_misses_none() {
        let look = Look::new(Output::Json, Color::Never, false, false, Ci::Off);
        for (kind, is_lost) in [(ErrorKind::StorageFull, true), (ErrorKind::BrokenPipe, false)] {
            let lines = JsonLines::new(&look, "dev", Box::new(Full(kind)));
            lines.tell(&Event::LocalStopped);
            assert_eq!(lines.lost().is_some(), is_lost, "{kind}");
        }
    }

    #[test]
    fn a_line_bears_the_environment_that_it_is_about_and_none_where_the_command_is_about_many() {
        let buffer = Buffer::default();
        let look = Look::new(Output::Json, Color::Never, false, false, Ci::Off);
        let lines = JsonLines::new(&look, "", Box::new(buffer.clone()));
        let (env, region, expires) = ("pr-1".to_owned(), "eu-west-1".to_owned(), String::new());
        lines.tell(&Event::LocalStopped);
        lines.tell(&Event::Reaping { env, region, expires });
        lines.tell_of("pr-2", &Event::LocalStopped);
        lines.failure(&Error::new(Kind::Failed, "no"));
        let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        let told = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["env"].clone());
        assert_eq!(told.collect::<Vec<_>>(), [json!(null), json!("pr-1"), json!("pr-2"), json!(null)]);
    }

    #[test]
    fn each_line_has_time_code_and_env_first_and_a_failure_names_the_stack() {
        let buffer = Buffer::default();
        let look = Look::new(Output::Json, Color::Never, false, false, Ci::Off);
        let lines = JsonLines::new(&look, "dev", Box::new(buffer.clone()));
        lines.tell(&Event::OperationStarted {
            operation: Operation::Create,
            stack: "kinesis-stack-dev".to_owned(),
            stack_id: "arn:1".to_owned(),
        });
        lines.tell(&Event::Call {
            service: "S3".to_owned(),
            operation: "HeadBucket".to_owned(),
            attempt: 1,
            outcome: "200".to_owned(),
            milliseconds: 1,
        });
        lines.tell(&Event::Done(Box::new(Done { command: "up".to_owned(), ..Done::default() })));
        lines.failure(&Error::new(Kind::DeploymentFailed, "no").because("cause").remedy("do"));
        let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        let objects: Vec<Map<String, Value>> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(objects.len(), 3, "{text}");
        for object in &objects {
            assert_eq!(object.keys().take(3).collect::<Vec<_>>(), ["time", "code", "env"]);
        }
        assert_eq!(objects[1]["code"], "done");
        let failed = &objects[2];
        assert_eq!((failed["code"].as_str(), failed["exit"].as_u64()), (Some("failed"), Some(4)));
        assert_eq!(failed["kind"], "deployment-failed");
        assert_eq!((&failed["stack_id"], &failed["cause"]), (&json!("arn:1"), &json!("cause")));
        assert_eq!(failed["remedies"], json!(["do"]));
    }
}
