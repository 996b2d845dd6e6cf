//! The lines that a bill can have: one row each.

use super::Item;

/// What a line is about. Functions of both architectures have lines of their own, because they have prices of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "LINES has words for each")]
pub enum LineKind {
    Requests,
    DurationX86,
    DurationArm,
    InitX86,
    InitArm,
    ProvisionedHeldX86,
    ProvisionedHeldArm,
    ProvisionedDurationX86,
    ProvisionedDurationArm,
    SqsPollers,
    KafkaPollers,
    SqsReceives,
    SqsDeletes,
    SqsSends,
    SqsFifoReceives,
    SqsFifoDeletes,
    SqsFifoSends,
    KinesisShards,
    KinesisPuts,
    KinesisFanOut,
}

/// A line of a bill: what is counted, and which price applies.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// Which one.
    pub kind: LineKind,
    /// What it is called.
    pub title: &'static str,
    /// Whose price it has.
    pub item: Item,
    /// What one unit is called.
    pub unit: &'static str,
    /// How many counted things are one unit.
    pub per: u128,
    /// How the quantity comes about.
    pub explanation: &'static str,
}

const MILLION: u128 = 1_000_000;
/// MB-milliseconds.
const GB_SECOND: u128 = 1_024 * 1_000;
/// Nanoseconds.
const HOUR: u128 = 3_600 * 1_000_000_000;

const fn line(
    kind: LineKind,
    title: &'static str,
    item: Item,
    (unit, per): (&'static str, u128),
    explanation: &'static str,
) -> Line {
    Line {
        kind,
        title,
        item,
        unit,
        per,
        explanation,
    }
}

const REQUESTS: (&str, u128) = ("million requests", MILLION);
const GB_SECONDS: (&str, u128) = ("GB-s", GB_SECOND);
const HANDLER: &str =
    "handler time on demand, each invocation rounded up to 1 ms, times the memory";
const INIT: &str = "what cold starts add to the billed milliseconds, times the memory";
const HELD: &str = "allocated environments over time, busy or not, times the memory";
const ON_PROVISIONED: &str =
    "handler time on provisioned concurrency, each invocation rounded up to 1 ms, times the memory";
const RECEIVES: &str = "ReceiveMessage calls of the pollers, empty ones included";
const DELETES: &str = "DeleteMessageBatch calls of the pollers, up to 10 messages each";
const SENDS: &str = "messages of producers, one request each";
const POLLERS: &str = "event poller units over time, as of the ends of bins";

/// Every line, in the order of a bill.
pub const LINES: [Line; 20] = [
    line(
        LineKind::Requests,
        "Requests",
        Item::Requests,
        REQUESTS,
        "invocations, function errors included",
    ),
    line(
        LineKind::DurationX86,
        "Duration",
        Item::DurationX86,
        GB_SECONDS,
        HANDLER,
    ),
    line(
        LineKind::DurationArm,
        "Duration, arm64",
        Item::DurationArm,
        GB_SECONDS,
        HANDLER,
    ),
    line(
        LineKind::InitX86,
        "Initialisation",
        Item::DurationX86,
        GB_SECONDS,
        INIT,
    ),
    line(
        LineKind::InitArm,
        "Initialisation, arm64",
        Item::DurationArm,
        GB_SECONDS,
        INIT,
    ),
    line(
        LineKind::ProvisionedHeldX86,
        "Provisioned concurrency",
        Item::ProvisionedHeldX86,
        GB_SECONDS,
        HELD,
    ),
    line(
        LineKind::ProvisionedHeldArm,
        "Provisioned concurrency, arm64",
        Item::ProvisionedHeldArm,
        GB_SECONDS,
        HELD,
    ),
    line(
        LineKind::ProvisionedDurationX86,
        "Duration on provisioned",
        Item::ProvisionedDurationX86,
        GB_SECONDS,
        ON_PROVISIONED,
    ),
    line(
        LineKind::ProvisionedDurationArm,
        "Duration on provisioned, arm64",
        Item::ProvisionedDurationArm,
        GB_SECONDS,
        ON_PROVISIONED,
    ),
    line(
        LineKind::SqsPollers,
        "Provisioned pollers, SQS",
        Item::SqsPollerHours,
        ("EPU-hour", HOUR),
        POLLERS,
    ),
    line(
        LineKind::KafkaPollers,
        "Provisioned pollers, Kafka",
        Item::KafkaPollerHours,
        ("EPU-hour", HOUR),
        POLLERS,
    ),
    line(
        LineKind::SqsReceives,
        "SQS receives",
        Item::SqsRequests,
        REQUESTS,
        RECEIVES,
    ),
    line(
        LineKind::SqsDeletes,
        "SQS deletions",
        Item::SqsRequests,
        REQUESTS,
        DELETES,
    ),
    line(
        LineKind::SqsSends,
        "SQS sends",
        Item::SqsRequests,
        REQUESTS,
        SENDS,
    ),
    line(
        LineKind::SqsFifoReceives,
        "SQS FIFO receives",
        Item::SqsFifoRequests,
        REQUESTS,
        RECEIVES,
    ),
    line(
        LineKind::SqsFifoDeletes,
        "SQS FIFO deletions",
        Item::SqsFifoRequests,
        REQUESTS,
        DELETES,
    ),
    line(
        LineKind::SqsFifoSends,
        "SQS FIFO sends",
        Item::SqsFifoRequests,
        REQUESTS,
        SENDS,
    ),
    line(
        LineKind::KinesisShards,
        "Kinesis shards",
        Item::KinesisShardHours,
        ("shard-hour", HOUR),
        "open shards over time",
    ),
    line(
        LineKind::KinesisPuts,
        "Kinesis records",
        Item::KinesisPutUnits,
        ("million PUT units", MILLION),
        "records written, one unit of 25 KB each",
    ),
    line(
        LineKind::KinesisFanOut,
        "Kinesis fan-out",
        Item::KinesisFanOutHours,
        ("shard-hour", HOUR),
        "open shards over time for a consumer with enhanced fan-out; the bytes it retrieves are not counted",
    ),
];

impl LineKind {
    /// Its row.
    pub fn line(self) -> &'static Line {
        &LINES[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_listed_in_their_order() {
        for (index, line) in LINES.iter().enumerate() {
            assert_eq!(line.kind as usize, index);
        }
    }
}
