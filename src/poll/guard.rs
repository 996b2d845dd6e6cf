//! What a log may tell the engine: everything else would be an error of the driver, which the engine answers with a panic.

use crate::engine::{BatchId, Mapping, MappingConfig, SourceKind, Span, Tuning};
use crate::poll::log::{LogAction, LogEvent, LogOutcome, LogShard};
use crate::poll::store::position_from_text;
use std::collections::BTreeSet;

/// Lanes of a shard and pollers of a mapping are few; a log that was damaged may say anything.
const MANY: u32 = 10_000;
/// Shards and partitions of one mapping.
const SHARDS_MAX: u32 = 100_000;

/// The shards that a mapping was told of.
#[derive(Debug, Default)]
pub(super) struct Guard {
    /// As many as were listed or assigned so far, without gaps.
    known: u32,
    /// Those that it has.
    held: BTreeSet<u32>,
}

/// Whether the parameters are in the ranges that `engine::config` keeps: the engine relies on it.
pub(super) fn check_config(config: &MappingConfig, tuning: &Tuning) -> Result<(), &'static str> {
    let within = |value: u32, least: u32| (least..=MANY).contains(&value);
    let pollers = config.provisioned_pollers.unwrap_or((1, 1));
    let checks = [
        (within(config.batch_size, 1), "batch_size"),
        (
            (1..=10).contains(&config.parallelization_factor),
            "parallelization_factor",
        ),
        (
            config.tumbling_window != Some(Span::ZERO),
            "tumbling_window",
        ),
        (
            within(config.maximum_concurrency.unwrap_or(1), 1),
            "maximum_concurrency",
        ),
        (
            within(pollers.0, 1) && within(pollers.1, pollers.0),
            "provisioned_pollers",
        ),
        (within(tuning.consumers, 1), "consumers"),
        (within(tuning.reads_per_sec_max, 1), "reads_per_sec_max"),
        (tuning.read_bytes_per_sec_max > 0, "read_bytes_per_sec_max"),
        (within(tuning.page_records_max, 1), "page_records_max"),
        (tuning.envelope_len <= MANY, "envelope_len"),
        (tuning.partition_len <= MANY, "partition_len"),
    ];
    let broken = checks.iter().find(|(holds, _)| !holds);
    broken.map_or(Ok(()), |(_, field)| Err(*field))
}

impl Guard {
    /// Whether `event` can be told to `mapping`, of which it answers `action`.
    pub(super) fn admit(
        &mut self,
        mapping: &Mapping<()>,
        action: Option<&LogAction>,
        event: &LogEvent,
    ) -> Result<(), &'static str> {
        let source = mapping.config().source;
        match event {
            LogEvent::Invoked { outcome, .. } => invoked(mapping, action, *outcome),
            LogEvent::InvokedPartly { failed, .. } => partly(mapping, action, failed),
            LogEvent::Shards(shards) if source.is_stream() => {
                let fresh: Vec<_> = shards
                    .iter()
                    .filter(|shard| shard.0 >= self.known)
                    .collect();
                self.take_on(source, fresh)
            }
            LogEvent::Assigned(poller, shards) if takes_assignments(source) => {
                if *poller > MANY {
                    return Err("there is no such consumer");
                }
                self.take_on(source, shards.iter().collect())
            }
            LogEvent::Revoked(_, shards) | LogEvent::Lost(_, shards)
                if takes_assignments(source) =>
            {
                let all_known = shards.iter().all(|shard| *shard < self.known);
                shards.iter().for_each(|shard| {
                    self.held.remove(shard);
                });
                all_known.then_some(()).ok_or("a shard was never there")
            }
            LogEvent::Shards(_)
            | LogEvent::Assigned(..)
            | LogEvent::Revoked(..)
            | LogEvent::Lost(..) => Err("the source has no such shards"),
            LogEvent::Update(parameters) => {
                let config = parameters.restore()?;
                if config.source != source || config.name != mapping.name() {
                    return Err("an update changes what a mapping is");
                }
                let tuning = Tuning::for_source(crate::engine::Profile::Current, source);
                check_config(&config, &tuning)
            }
            LogEvent::Fetched { .. }
            | LogEvent::Done { .. }
            | LogEvent::Failed { .. }
            | LogEvent::Measured { .. }
            | LogEvent::Drain
            | LogEvent::Disable
            | LogEvent::Enable => Ok(()),
        }
    }

    fn take_on(&mut self, source: SourceKind, shards: Vec<&LogShard>) -> Result<(), &'static str> {
        for (id, from, ..) in shards {
            if *id > self.known && !source.is_kafka() || *id >= SHARDS_MAX {
                return Err("shard indices have a gap");
            }
            if !self.held.insert(*id) {
                return Err("a shard is there already");
            }
            let position = position_from_text(from);
            if source.is_kafka() && position.and_then(|position| position.offset()).is_none() {
                return Err("a partition starts at no offset");
            }
            self.known = self.known.max(*id + 1);
        }
        Ok(())
    }
}

const fn takes_assignments(source: SourceKind) -> bool {
    source.is_stream() || source.is_kafka()
}

/// The records of the batch that an invocation has.
fn length(mapping: &Mapping<()>, action: Option<&LogAction>) -> u32 {
    match action {
        Some(LogAction::Invoke { batch, .. }) => mapping.batch(BatchId(*batch)).len() as u32,
        _ => 0,
    }
}

fn invoked(
    mapping: &Mapping<()>,
    action: Option<&LogAction>,
    outcome: LogOutcome,
) -> Result<(), &'static str> {
    let LogOutcome::Partial(first_failed) = outcome else {
        return Ok(());
    };
    if !mapping.config().source.is_stream() {
        return Err("only streams have a lowest failed record");
    }
    let inside = first_failed < length(mapping, action);
    inside
        .then_some(())
        .ok_or("a record failed that was not sent")
}

fn partly(
    mapping: &Mapping<()>,
    action: Option<&LogAction>,
    failed: &[u32],
) -> Result<(), &'static str> {
    let source = mapping.config().source;
    if !(source.is_queue() || source.is_kafka()) {
        return Err("the source takes no partial results");
    }
    let ascends = failed.windows(2).all(|pair| pair[0] < pair[1]);
    let inside = failed
        .last()
        .is_some_and(|last| *last < length(mapping, action));
    (ascends && inside)
        .then_some(())
        .ok_or("a record failed that was not sent")
}
