//! A world in words.

use super::world::{Incident, Part, START, Trouble, World};
use crate::engine::{MappingConfig, Time};
use std::fmt::Write;

/// Milliseconds since mappings were made; negative for what was there before.
fn ms(at: Time) -> i64 {
    at.as_millis() as i64 - START.as_millis() as i64
}

impl World {
    /// Everything that is there and will happen, as text. Times are milliseconds after mappings are made.
    pub fn words(&self) -> String {
        let mut text = String::new();
        let calm = ms(self.calm);
        let _ = writeln!(
            text,
            "account: {} concurrent executions; nothing fails after {calm} ms",
            self.account
        );
        for (index, function) in self.functions.iter().enumerate() {
            if self.parts.iter().any(|part| part.function == index) {
                let _ = writeln!(text, "function {index}: {function:?}");
            }
        }
        if let Some(fleet) = self.fleet {
            let _ = writeln!(text, "all parts share one stream: {fleet:?}");
        }
        for (index, part) in self.parts.iter().enumerate() {
            part.words(index, &mut text);
        }
        if let Some(annex) = &self.annex {
            let _ = write!(text, "beside it, a world of its own:\n{}", annex.words());
        }
        text
    }
}

impl Part {
    fn words(&self, index: usize, text: &mut String) {
        let _ = writeln!(
            text,
            "part {index}: {} for function {}: {}",
            self.kind,
            self.function,
            options(&self.config())
        );
        let _ = writeln!(text, "  {:?}, begins at {}", self.service, ms(self.begins));
        for (number, shard) in self.shards.iter().enumerate() {
            if shard.closes.is_some() || !shard.parents.is_empty() {
                let closes = shard.closes.map(ms);
                let (opens, parents) = (ms(shard.opens), &shard.parents);
                let _ = writeln!(
                    text,
                    "  shard {number}: opens {opens}, closes {closes:?}, parents {parents:?}"
                );
            }
        }
        for (number, record) in self.records.iter().enumerate() {
            let (at, shard, bytes) = (ms(record.at), record.shard, record.bytes);
            let key = record.key % 10_000;
            let _ = write!(
                text,
                "  record {number}: at {at}, shard {shard}, key ..{key}, {bytes} bytes"
            );
            if record.filtered {
                let _ = write!(text, ", left out by filters");
            }
            if record.glued {
                let _ = write!(text, ", with the number of the one before");
            }
            if let Some(poison) = record.poison {
                let _ = write!(text, ", {poison:?}");
            }
            let _ = writeln!(text);
        }
        for fault in &self.faults {
            let what = Trouble::name(fault.what);
            let (from, to, percent) = (ms(fault.from), ms(fault.to), fault.percent);
            let _ = writeln!(text, "  from {from} to {to}: {what}, {percent} of 100");
        }
        for event in &self.events {
            let at = ms(event.at);
            let _ = match &event.what {
                Incident::Update(parameters) => {
                    let config = self.checked(parameters);
                    writeln!(text, "  at {at}: update to {}", options(&config))
                }
                other => writeln!(text, "  at {at}: {other:?}"),
            };
        }
    }
}

/// What of a configuration is not as it would be by itself.
fn options(config: &MappingConfig) -> String {
    let plain = MappingConfig::new(&config.name, config.source);
    let mut list = Vec::new();
    let mut add = |name: &str, differs: bool, value: String| {
        if differs {
            list.push(format!("{name} {value}"));
        }
    };
    let c = config;
    add("BatchSize", true, c.batch_size.to_string());
    add(
        "window",
        c.window != plain.window,
        format!("{:?}", c.window),
    );
    add(
        "start",
        c.starting_position != plain.starting_position,
        format!("{:?}", c.starting_position),
    );
    add(
        "ParallelizationFactor",
        c.parallelization_factor != 1,
        c.parallelization_factor.to_string(),
    );
    let some = |value: &dyn std::fmt::Debug| format!("{value:?}");
    add(
        "age",
        c.maximum_record_age.is_some(),
        some(&c.maximum_record_age),
    );
    add(
        "retries",
        c.maximum_retry_attempts.is_some(),
        some(&c.maximum_retry_attempts),
    );
    add("bisect", c.bisect_batch_on_function_error, "on".to_owned());
    add("reports", c.report_batch_item_failures, "on".to_owned());
    add(
        "tumbling",
        c.tumbling_window.is_some(),
        some(&c.tumbling_window),
    );
    add(
        "MaximumConcurrency",
        c.maximum_concurrency.is_some(),
        some(&c.maximum_concurrency),
    );
    add(
        "pollers",
        c.provisioned_pollers.is_some(),
        some(&c.provisioned_pollers),
    );
    add("destination", c.on_failure.is_some(), "set".to_owned());
    add("filters", !c.filters.is_empty(), "on".to_owned());
    list.join(", ")
}
