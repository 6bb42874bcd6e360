//! What the binary prints keeps to the schemas that are published with it.

use crate::sandbox::Run;
use serde_json::Value;

/// Each line on stdout is an event, and there is at least one.
pub fn assert_events(run: &Run) {
    let lines = run.lines();
    assert!(!lines.is_empty(), "{run:?}");
    lines.iter().for_each(|line| assert_valid("events", line));
}

/// Stdout is the document of `plan`.
pub fn assert_plan(run: &Run) {
    assert_valid("plan", &serde_json::from_str(&run.stdout).unwrap());
}

fn assert_valid(name: &str, value: &Value) {
    let path = format!("{}/schema/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    compiler.enable_format_assertions();
    compiler.add_resource("urn:schema", schema).unwrap();
    let index = compiler.compile("urn:schema", &mut schemas).unwrap();
    if let Err(error) = schemas.validate(value, index) {
        panic!("{value}\n{error:#}");
    }
}
