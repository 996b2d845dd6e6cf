//! The poller on a real RabbitMQ, through a real function process.

mod events;
mod faults;
mod poll;

use crate::support::poller::Invocation;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::collections::BTreeMap;

fn bodies(count: usize) -> Vec<String> {
    (0..count)
        .map(|number| format!("message-{number}"))
        .collect()
}

fn body(message: &Value) -> String {
    let bytes = STANDARD
        .decode(message["data"].as_str().expect("data"))
        .expect("base64");
    String::from_utf8(bytes).expect("text")
}

fn messages(invocations: &[Invocation]) -> impl Iterator<Item = &Value> {
    invocations
        .iter()
        .flat_map(|invocation| &invocation.records)
}

/// How often each body was delivered.
fn deliveries(invocations: &[Invocation]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for message in messages(invocations) {
        *counts.entry(body(message)).or_default() += 1;
    }
    counts
}
