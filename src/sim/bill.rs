//! What a run used of everything that has a price.

use super::world::Inner;
use crate::cost::{LineKind, Used, bill};
use crate::engine::{SourceKind, Span};
use crate::metrics::{Billed, CostSummary, MappingRow, MappingSummary, Series};
use crate::scenario::{Architecture, Function, Mapping, SourceModel, Stream, StreamService};

/// Invocations at once for which a provisioned poller of SQS is good (rule `sqs-provisioned-pollers`).
const BY_SQS_POLLER: u32 = 10;
/// Pollers of Kafka that one event poller unit pays for, unless a mapping groups them otherwise.
const KAFKA_POLLERS_BY_UNIT: u32 = 10;

/// The bill of the measured part of a run, which follows the warm-up.
pub(super) fn cost(
    inner: &Inner<'_>,
    (warm_up, measured): (Span, Span),
    mappings: &[(String, MappingSummary)],
    series: &Series,
) -> CostSummary {
    let scenario = inner.scenario;
    let mut used = Vec::new();
    for (function, recorder) in scenario.functions.iter().zip(&inner.recorders) {
        let bills_init = scenario.profile.bills_init();
        of_function(&mut used, function, recorder.billed(), bills_init);
    }
    for (index, mapping) in scenario.mappings.iter().enumerate() {
        let (_, figures) = &mappings[index];
        of_mapping(&mut used, mapping, figures);
        if mapping.config.provisioned_pollers.is_some() {
            let nanos = poller_nanos(mapping.config.source, series, index);
            used.extend(nanos.map(|(kind, quantity)| Used {
                subject: mapping.config.name.clone(),
                kind,
                quantity,
            }));
        }
    }
    for (index, source) in scenario.sources.iter().enumerate() {
        let mut add = |kind, quantity| {
            used.push(Used {
                subject: source.name.clone(),
                kind,
                quantity,
            });
        };
        // Every mapping of a source sees all that arrived.
        let readers = || scenario.mappings.iter().zip(mappings);
        let incoming = readers()
            .find(|(mapping, _)| mapping.source == index)
            .map_or(0, |(_, (_, figures))| {
                figures.incoming_records.value as u128
            });
        match &source.kind {
            SourceModel::Sqs { is_fifo: false, .. } => add(LineKind::SqsSends, incoming),
            SourceModel::Sqs { is_fifo: true, .. } => add(LineKind::SqsFifoSends, incoming),
            SourceModel::Stream(stream) if stream.service == StreamService::Kinesis => {
                let open = open_nanos(stream, warm_up, warm_up + measured);
                add(LineKind::KinesisShards, open);
                add(LineKind::KinesisPuts, incoming);
                let consumers =
                    readers().filter(|(mapping, _)| mapping.source == index && mapping.fan_out);
                let consumers = consumers.count() as u128;
                if consumers > 0 {
                    add(LineKind::KinesisFanOut, open * consumers);
                }
            }
            // Brokers and clusters are paid for by the hour of machines that are not modelled.
            SourceModel::Stream(_) | SourceModel::Broker(_) | SourceModel::Kafka(_) => {}
        }
    }
    bill(
        &scenario.costs.prices,
        &used,
        measured,
        scenario.costs.free_tier,
    )
}

fn of_function(used: &mut Vec<Used>, function: &Function, billed: Billed, bills_init: bool) {
    let is_x86 = function.architecture == Architecture::X86;
    let memory = u128::from(function.memory_mb);
    let mut add = |x86, arm, quantity| {
        used.push(Used {
            subject: function.name.clone(),
            kind: if is_x86 { x86 } else { arm },
            quantity,
        });
    };
    let time = |ms: u64| u128::from(ms) * memory;
    use LineKind as L;
    add(L::Requests, L::Requests, u128::from(billed.invocations));
    add(L::DurationX86, L::DurationArm, time(billed.on_demand_ms));
    if bills_init {
        // Rule `init-billed-since-2025`.
        add(L::InitX86, L::InitArm, time(billed.init_ms));
    }
    if !function.aliases.is_empty() {
        let held = billed.allocated_nanos * memory / 1_000_000;
        add(L::ProvisionedHeldX86, L::ProvisionedHeldArm, held);
        let ran = time(billed.provisioned_ms);
        add(L::ProvisionedDurationX86, L::ProvisionedDurationArm, ran);
    }
}

/// The calls that pollers make of a queue.
fn of_mapping(used: &mut Vec<Used>, mapping: &Mapping, figures: &MappingSummary) {
    let (receives, deletes) = match mapping.config.source {
        SourceKind::Sqs => (LineKind::SqsReceives, LineKind::SqsDeletes),
        SourceKind::SqsFifo => (LineKind::SqsFifoReceives, LineKind::SqsFifoDeletes),
        // Polling a stream is in the price of its shards, and brokers have no price by call.
        _ => return,
    };
    for (kind, calls) in [(receives, figures.reads), (deletes, figures.delete_calls)] {
        used.push(Used {
            subject: mapping.config.name.clone(),
            kind,
            quantity: calls.value as u128,
        });
    }
}

/// Unit-nanoseconds of a mapping with provisioned pollers in the measured part, from its pollers at the ends of bins.
fn poller_nanos(source: SourceKind, series: &Series, mapping: usize) -> Option<(LineKind, u128)> {
    let (kind, units): (_, fn(&MappingRow) -> u32) = match source {
        SourceKind::Sqs | SourceKind::SqsFifo => (LineKind::SqsPollers, |row| {
            row.concurrency_limit.div_ceil(BY_SQS_POLLER)
        }),
        SourceKind::Msk | SourceKind::SelfManagedKafka => (LineKind::KafkaPollers, |row| {
            row.kafka.consumers.div_ceil(KAFKA_POLLERS_BY_UNIT)
        }),
        _ => return None,
    };
    let bin = series.bin.as_nanos();
    let warm = (series.warm_up.as_nanos() / bin.max(1)) as usize;
    let rows = series.mappings[mapping].rows.iter().skip(warm);
    let units: u128 = rows.map(|row| u128::from(units(row))).sum();
    Some((kind, units * u128::from(bin)))
}

/// Shard-nanoseconds of the shards that are open between two moments.
fn open_nanos(stream: &Stream, from: Span, to: Span) -> u128 {
    let open = stream.shards.iter().map(|shard| {
        let begin = shard.opens.max(from);
        let end = shard.closes.unwrap_or(to).min(to);
        u128::from(end.as_nanos().saturating_sub(begin.as_nanos()))
    });
    open.sum()
}
