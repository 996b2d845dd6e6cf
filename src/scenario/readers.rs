//! How mappings of a scenario read their streams: enhanced fan-out, and how many of them one stream bears.

use super::convert::boolean;
use super::diagnostic::Diagnostic;
use super::read::{Cx, Table};
use super::sources::SourceInfo;
use crate::engine::{SourceKind, limits};
use std::ops::Range;

/// The key `fan_out` of a mapping that reads a source of the kind `kind`.
pub(crate) fn fan_out(table: &mut Table<'_>, cx: &mut Cx, kind: Option<SourceKind>) -> bool {
    let is_on = table.opt(cx, "fan_out", boolean) == Some(true);
    if !is_on {
        return false;
    }
    if let (Some(kind), Some(entry)) = (kind, table.peek("fan_out"))
        && kind != SourceKind::Kinesis
    {
        cx.push(
            Diagnostic::new(
                "conflicting-keys",
                "only Kinesis streams have enhanced fan-out",
            )
            .at(&entry.node.span)
            .label(format!("the source is of type {kind}"))
            .help("remove `fan_out`"),
        );
    }
    for key in [
        "poll_interval",
        "shard_reads_per_second",
        "shard_read_bytes_per_second",
    ] {
        if let Some(entry) = table.peek(key) {
            cx.push(
                Diagnostic::new(
                    "conflicting-keys",
                    format!("`fan_out` and `{key}` exclude each other"),
                )
                .at(&entry.key_span)
                .label("nothing is polled")
                .help("remove one of them: with enhanced fan-out the stream pushes its records"),
            );
        }
    }
    true
}

/// The mappings that read from sources: the source, whether with enhanced fan-out, and where that is written.
#[derive(Debug, Default)]
pub(crate) struct Readers(Vec<(usize, bool, Range<usize>)>);

impl Readers {
    pub(crate) fn add(&mut self, source: usize, fan_out: bool, place: Range<usize>) {
        self.0.push((source, fan_out, place));
    }

    /// Reports streams with more readers than AWS allows or advises.
    pub(crate) fn check(&self, sources: &[SourceInfo], cx: &mut Cx) {
        for (index, info) in sources.iter().enumerate() {
            let readers = self.0.iter().filter(|(source, ..)| *source == index);
            let name = &info.named.name;
            match info.kind {
                Some(SourceKind::DynamoDb) => {
                    let max = limits::DYNAMODB_READERS_MAX;
                    if let Some((.., place)) = readers.clone().nth(max) {
                        let message = format!("more than {max} mappings read `{name}`");
                        cx.push(too_many(message, place, readers.count(), max).warning());
                    }
                }
                Some(SourceKind::Kinesis) => {
                    let max = limits::KINESIS_FAN_OUT_CONSUMERS_MAX;
                    let consumers = readers.filter(|(_, fan_out, _)| *fan_out);
                    if let Some((.., place)) = consumers.clone().nth(max) {
                        let message =
                            format!("`{name}` has too many consumers with enhanced fan-out");
                        cx.push(too_many(message, place, consumers.count(), max));
                    }
                }
                _ => {}
            }
        }
    }
}

fn too_many(message: String, place: &Range<usize>, count: usize, max: usize) -> Diagnostic {
    Diagnostic::new("too-many-readers", message)
        .at(place)
        .label(format!("{count} in all"))
        .allowed(format!("up to {max}"))
        .help("let one function pass the records on")
}
