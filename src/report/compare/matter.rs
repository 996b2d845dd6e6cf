//! What a figure means: its unit, whether more of it is worse, and how much it matters.

use super::super::numbers;
use crate::metrics::{Compared, Difference, Verdict};

/// How a value is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Count,
    Millis,
    Seconds,
    Share,
    Usd,
}

impl Unit {
    pub(super) fn of(of: &Compared) -> Self {
        let metric = of.metric.as_str();
        if of.section == "cost" {
            Self::Usd
        } else if metric.ends_with("LifespanS") {
            Self::Seconds
        } else if metric.ends_with("Share") || metric.ends_with("Utilization") {
            Self::Share
        } else if ["Duration", "Latency", "Age", "OldestMessage"]
            .iter()
            .any(|end| metric.ends_with(end))
        {
            Self::Millis
        } else {
            Self::Count
        }
    }

    /// Its name in documents.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Millis => "ms",
            Self::Seconds => "s",
            Self::Share => "share",
            Self::Usd => "USD",
        }
    }

    pub(super) fn show(self, value: f64) -> String {
        match self {
            Self::Count => numbers::trimmed(value, if value.abs() < 1_000.0 { 2 } else { 0 }),
            Self::Millis => numbers::millis(value),
            Self::Seconds => numbers::seconds(value),
            Self::Share => numbers::percent(value),
            Self::Usd => numbers::grouped(
                value,
                if value.abs() >= 1.0 || value == 0.0 {
                    2
                } else {
                    6
                },
            ),
        }
    }

    /// With its sign; differences of shares are percentage points.
    pub(super) fn signed(self, value: f64) -> String {
        let size = self.show(value.abs());
        let size = match self {
            Self::Share => size.replace('%', " pp"),
            _ => size,
        };
        if !value.is_finite() {
            return size;
        }
        match value {
            0.0 => size,
            ..0.0 => format!("-{size}"),
            _ => format!("+{size}"),
        }
    }
}

/// `+5.2%`; nothing for a change from zero.
pub(super) fn relative(difference: &Difference) -> String {
    match difference.relative() {
        None => String::new(),
        Some(change) if change > 9.995 => format!("×{}", numbers::compact(1.0 + change)),
        Some(change) => {
            let sign = if change < 0.0 { "-" } else { "+" };
            match numbers::percent(change.abs()).as_str() {
                "0%" => "0%".to_owned(),
                size => format!("{sign}{size}"),
            }
        }
    }
}

/// Whether more of it is bad, good, or neither.
pub(super) fn more_is_bad(of: &Compared) -> Option<bool> {
    const BAD: &[&str] = &[
        "Errors",
        "Timeouts",
        "Throttle",
        "ColdStart",
        "Retries",
        "Abandoned",
        "Crashes",
        "Latency",
        "Duration",
        "Age",
        "Backlog",
        "Dropped",
        "Lost",
        "DeadLetter",
        "Failed",
        "Failures",
        "Refused",
        "VisibleTooEarly",
        "Redelivered",
        "Oversized",
        "Trimmed",
        "Lag",
        "ErrorCount",
        "ErrorShare",
        "OverLimit",
        "Spillover",
        "RetriesExhausted",
        "TerminatedEarly",
    ];
    const GOOD: &[&str] = &["Answered", "Succeeded", "Success"];
    if of.section == "cost" {
        return Some(true);
    }
    let has = |words: &[&str]| words.iter().any(|word| of.metric.contains(word));
    match (has(GOOD), has(BAD)) {
        (true, _) => Some(false),
        (_, true) => Some(true),
        _ => None,
    }
}

/// What people look at first has the smallest number.
fn tier(of: &Compared) -> u8 {
    const FIRST: &[(&str, &str)] = &[
        ("total_usd_per_month", "Sum"),
        ("Throttles", "Sum"),
        ("Errors", "Sum"),
        ("CallsAbandoned", "Sum"),
        ("CallsAnsweredShare", "Average"),
        ("DroppedEventCount", "Sum"),
        ("DeadLettered", "Sum"),
        ("AsyncEventsDropped", "Sum"),
        ("AsyncEventsLost", "Sum"),
        ("Latency", "p99"),
        ("IteratorAge", "p99"),
        ("RecordLatency", "p99"),
        ("AsyncEventAge", "p99"),
        ("Backlog", "End"),
        ("ApproximateAgeOfOldestMessage", "Maximum"),
        ("MaxOffsetLag", "Maximum"),
    ];
    const SECOND: &[&str] = &[
        "Latency",
        "IteratorAge",
        "RecordLatency",
        "ColdStarts",
        "ConcurrentExecutions",
        "Backlog",
        "Invocations",
        "SucceededEventCount",
    ];
    let is =
        |(metric, statistic): &(&str, &str)| *metric == of.metric && *statistic == of.statistic;
    if FIRST.iter().any(is) {
        0
    } else if SECOND.contains(&of.metric.as_str()) {
        1
    } else {
        2
    }
}

/// Differences, those that are some first, then by how much they matter and by how large they are.
pub(super) fn sorted(differences: &[Difference]) -> Vec<&Difference> {
    let mut sorted: Vec<&Difference> = differences.iter().collect();
    let certain = |one: &Difference| match one.verdict {
        Verdict::Differs | Verdict::Unknown => 0,
        Verdict::NotDetectable => 1,
        Verdict::Same => 2,
    };
    let size = |one: &Difference| one.relative().map_or(f64::INFINITY, f64::abs);
    sorted.sort_by(|one, other| {
        certain(one)
            .cmp(&certain(other))
            .then(tier(&one.of).cmp(&tier(&other.of)))
            .then(size(other).total_cmp(&size(one)))
    });
    sorted
}
