//! What templates `up` renders: a handful in all, each rendered once.

use kinesis_stack::environment::Environment;
use kinesis_stack::template::{self, Shape};
use std::collections::BTreeMap;
use std::sync::Mutex;

static RENDERED: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

pub fn rendered(environment: &Environment, shape: &Shape) -> String {
    let mut rendered = RENDERED.lock().unwrap();
    let text = rendered.entry(format!("{shape:?}"));
    text.or_insert_with(|| template::render(environment, shape).unwrap()).clone()
}
