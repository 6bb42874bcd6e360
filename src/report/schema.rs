//! The published schemas (`schema/`) are what the types say, and every line that is printed keeps to them.

use super::Look;
use super::json::JsonLines;
use super::testing::{Buffer, samples};
use crate::cli::{Ci, Color, Output};
use crate::error::{Error, Kind};
use crate::event::{Event, Reporter};
use crate::stack::plan::{Operation, Plan};
use crate::stack::residue::Proof;
use crate::stack::status::StackStatus;
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::BTreeSet;

impl JsonSchema for StackStatus {
    fn schema_name() -> Cow<'static, str> {
        "StackStatus".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "CloudFormation's own word for the stack's state."
        })
    }
}

fn of<T: JsonSchema>() -> Map<String, Value> {
    let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let Value::Object(schema) = generator.into_root_schema_for::<T>().to_value() else { panic!("no object") };
    schema
}

/// One line of `--output json`: an event, or the failure that a command ended with.
fn events() -> Value {
    let mut event = of::<Event>();
    let mut failed = of::<Error>();
    let mut definitions = event.remove("$defs").unwrap();
    for (name, schema) in failed.remove("$defs").unwrap().as_object().unwrap() {
        definitions[name] = schema.clone();
    }
    let mut variants = event.remove("oneOf").unwrap();
    variants.as_array_mut().unwrap().push(failure(failed));
    let codes: Vec<&Value> =
        variants.as_array().unwrap().iter().map(|it| &it["properties"]["code"]["const"]).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:kinesis-stack:schema:events",
        "title": "A line of kinesis-stack --output json",
        "description": "What up, down, reap, produce and the like print, one object a line; the last line is done or failed. \
                        Lines with new codes, and new fields, may be added: pass over what you don't know.",
        "type": "object",
        "required": ["time", "code", "env"],
        "properties": {
            "time": { "type": "string", "format": "date-time", "description": "When it was said." },
            "code": { "enum": codes, "description": "What happened." },
            "env": {
                "type": ["string", "null"],
                "description": "The name of the environment that the line is about; null where it is about none, or about many."
            }
        },
        "oneOf": variants,
        "$defs": definitions,
    })
}

fn failure(mut failed: Map<String, Value>) -> Value {
    let mut properties = json!({
        "code": { "type": "string", "const": "failed" },
        "exit": { "type": "integer", "description": "The exit code." },
        "stack": { "type": "string", "description": "The stack that was acted on." },
        "stack_id": { "type": "string", "description": "Its ARN." }
    });
    for (name, schema) in failed.remove("properties").unwrap().as_object().unwrap() {
        properties[name] = schema.clone();
    }
    let mut required = vec![json!("code"), json!("exit")];
    required.extend(failed.remove("required").unwrap().as_array().unwrap().clone());
    json!({
        "description": "The command failed. Always the last line of a command that did. It is also the document of a \
                        command that prints one.",
        "type": "object",
        "properties": properties,
        "required": required,
    })
}

/// The document of `plan --output json`.
fn plan() -> Value {
    let mut plan = of::<Plan>();
    plan.insert("$id".to_owned(), json!("urn:kinesis-stack:schema:plan"));
    plan.insert("title".to_owned(), json!("The document of kinesis-stack plan --output json"));
    Value::Object(plan)
}

/// The file of `down --proof`.
fn proof() -> Value {
    let mut proof = of::<Proof>();
    proof.insert("$id".to_owned(), json!("urn:kinesis-stack:schema:proof"));
    proof.insert("title".to_owned(), json!("The file of kinesis-stack down --proof"));
    Value::Object(proof)
}

/// Compares with what is published. `INSTA_UPDATE=always` writes it anew.
fn assert_published(name: &str, schema: &Value) {
    let path = format!("{}/schema/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = serde_json::to_string_pretty(schema).unwrap() + "\n";
    if std::env::var("INSTA_UPDATE").is_ok_and(|value| value == "always") {
        std::fs::write(&path, &text).unwrap();
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        published == text,
        "{path} is not what the types say: run INSTA_UPDATE=always cargo test, and read the diff"
    );
}

/// The broken rules, or nothing.
fn check(schema: &Value, value: &Value) -> Result<(), String> {
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    compiler.enable_format_assertions();
    compiler.add_resource("urn:schema", schema.clone()).unwrap();
    let index = compiler.compile("urn:schema", &mut schemas).unwrap();
    schemas.validate(value, index).map_err(|error| format!("{value}\n{error:#}"))
}

/// The lines that these events are, and a failure at the end.
fn lines(events: &[Event], error: &Error) -> Vec<Value> {
    lines_of("dev", events, error)
}

/// The same of an environment, or of none.
fn lines_of(env: &str, events: &[Event], error: &Error) -> Vec<Value> {
    let buffer = Buffer::default();
    let look = Look::new(Output::Json, Color::Never, false, true, Ci::Off);
    let lines = JsonLines::new(&look, env, Box::new(buffer.clone()));
    events.iter().for_each(|event| lines.tell(event));
    lines.failure(error);
    buffer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_published_schemas_are_what_the_types_say() {
    assert_published("events.schema.json", &events());
    assert_published("plan.schema.json", &plan());
    assert_published("proof.schema.json", &proof());
}

#[test]
fn every_line_keeps_to_the_schema_and_every_code_was_tried() {
    let schema = events();
    let error = Error::new(Kind::DeploymentFailed, "no").because("cause").meaning("meaning").remedy("do");
    let mut tried = BTreeSet::new();
    for line in lines(&samples(), &error) {
        check(&schema, &line).unwrap();
        tried.insert(line["code"].as_str().unwrap().to_owned());
    }
    for line in lines_of("", &[Event::LocalStopped], &Error::new(Kind::Failed, "no more than a message")) {
        check(&schema, &line).unwrap();
    }
    let codes = schema["properties"]["code"]["enum"].as_array().unwrap().iter();
    assert_eq!(tried, codes.map(|code| code.as_str().unwrap().to_owned()).collect());
}

#[test]
fn a_plan_keeps_to_its_schema() {
    for event in samples() {
        if let Event::Plan(it) = event {
            check(&plan(), &serde_json::to_value(it).unwrap()).unwrap();
        }
    }
}

#[test]
fn the_schema_refuses_unknown_codes_missing_fields_and_wrong_types_and_lets_new_fields_pass() {
    let schema = events();
    let started = Event::OperationStarted {
        operation: Operation::Create,
        stack: "kinesis-stack-dev".to_owned(),
        stack_id: "arn:1".to_owned(),
    };
    let good = lines(&[started], &Error::new(Kind::Failed, "no")).remove(0);
    check(&schema, &good).unwrap();
    let with = |name: &str, value: Option<Value>| {
        let mut line = good.clone();
        match value {
            Some(value) => line[name] = value,
            None => drop(line.as_object_mut().unwrap().remove(name)),
        }
        check(&schema, &line)
    };
    with("added_later", Some(json!(1))).unwrap();
    for (name, value) in [
        ("code", Some(json!("nonsense"))),
        ("code", None),
        ("time", None),
        ("time", Some(json!("yesterday"))),
        ("env", None),
        ("stack_id", None),
        ("stack", Some(json!(7))),
        ("operation", Some(json!("explode"))),
    ] {
        assert!(with(name, value.clone()).is_err(), "{name}: {value:?}");
    }
}
