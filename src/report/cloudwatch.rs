//! `metrics.csv`: one-minute points under CloudWatch's names, units and statistics.
//!
//! A point has the timestamp of the minute's beginning. Minutes in which a function was neither called nor busy have no
//! point, as at AWS; `Errors` belong to the minute in which their invocation began.

use std::fmt::Write as _;

use crate::engine::Span;
use crate::metrics::{
    AccountRow, AsyncRow, FunctionRow, FunctionSeries, KafkaRow, MappingRow, MappingSeries, Series,
};

const HEADING: &str = "timestamp,namespace,metric,dimensions,unit,statistic,value\n";
const MINUTE: Span = Span::from_secs(60);

/// The whole file: functions, the account, mappings.
pub(super) fn render(series: &Series) -> String {
    let mut file = File {
        text: HEADING.to_owned(),
        start: series.start,
    };
    // Bins are seconds or minutes, so that none belongs to two minutes.
    let bins = (MINUTE.as_nanos() / series.bin.as_nanos().max(1)).max(1) as usize;
    for one in &series.functions {
        let dimensions = format!("FunctionName={}", one.name);
        for (minute, rows) in one.rows.chunks(bins).enumerate() {
            function(&mut file.at(minute, &dimensions), rows, one, minute);
        }
        for (minute, rows) in one.asynchronous.chunks(bins).enumerate() {
            asynchronous(&mut file.at(minute, &dimensions), rows);
        }
    }
    for (minute, rows) in series.account.chunks(bins).enumerate() {
        account(&mut file.at(minute, ""), rows);
    }
    for one in &series.mappings {
        let by_mapping = format!("EventSourceMappingUUID={}", one.name);
        let by_function = format!("FunctionName={}", one.function);
        for (minute, rows) in one.rows.chunks(bins).enumerate() {
            mapping(&mut file.at(minute, &by_mapping), rows, one);
            of_its_function(&mut file.at(minute, &by_function), rows, one);
        }
    }
    file.text
}

struct File {
    text: String,
    start: Span,
}

impl File {
    fn at<'f>(&'f mut self, minute: usize, dimensions: &'f str) -> Points<'f> {
        let at = self.start + MINUTE.times(minute as u64);
        Points {
            timestamp: timestamp(at.as_nanos() / 1_000_000_000),
            text: &mut self.text,
            dimensions,
        }
    }
}

/// The points of one subject and minute.
struct Points<'f> {
    text: &'f mut String,
    timestamp: String,
    dimensions: &'f str,
}

impl Points<'_> {
    fn put(&mut self, metric: &str, unit: &str, statistic: &str, value: f64) {
        let Self {
            text,
            timestamp,
            dimensions,
        } = self;
        let _ = write!(
            text,
            "{timestamp},AWS/Lambda,{metric},{dimensions},{unit},{statistic},"
        );
        // Counts are whole; other values have as many digits as the series.
        let _ = if value.fract() == 0.0 {
            writeln!(text, "{value:.0}")
        } else {
            writeln!(text, "{value:.4}")
        };
    }

    fn sum(&mut self, metric: &str, value: u64) {
        self.put(metric, "Count", "Sum", value as f64);
    }

    fn largest(&mut self, metric: &str, value: u32) {
        if value > 0 {
            self.put(metric, "Count", "Maximum", f64::from(value));
        }
    }
}

fn function(points: &mut Points<'_>, rows: &[FunctionRow], series: &FunctionSeries, minute: usize) {
    let sum = |of: fn(&FunctionRow) -> u64| rows.iter().map(of).sum::<u64>();
    let largest = |of: fn(&FunctionRow) -> u32| rows.iter().map(of).max().unwrap_or(0);
    let invocations = sum(|row| row.invocations);
    let throttles = sum(|row| row.throttles.iter().sum());
    if invocations + throttles > 0 {
        points.sum("Invocations", invocations);
        points.sum("Errors", sum(|row| row.errors));
        points.sum("Throttles", throttles);
    }
    if let Some(duration) = series.minutes.get(minute).filter(|one| one.max.is_finite()) {
        for (statistic, value) in [
            ("Average", duration.mean),
            ("Maximum", duration.max),
            ("p50", duration.p50),
            ("p99", duration.p99),
        ] {
            points.put("Duration", "Milliseconds", statistic, value);
        }
    }
    points.largest("ConcurrentExecutions", largest(|row| row.concurrency_max));
    if rows.iter().any(|row| row.allocated_mean > 0.0) {
        points.largest(
            "ProvisionedConcurrentExecutions",
            largest(|row| row.provisioned_max),
        );
        let utilization = rows
            .iter()
            .map(|row| row.utilization_max)
            .fold(0.0, f64::max);
        if utilization > 0.0 {
            points.put(
                "ProvisionedConcurrencyUtilization",
                "None",
                "Maximum",
                utilization,
            );
        }
        points.sum(
            "ProvisionedConcurrencyInvocations",
            sum(|row| row.provisioned_invocations),
        );
        points.sum(
            "ProvisionedConcurrencySpilloverInvocations",
            sum(|row| row.spillover_invocations),
        );
    }
}

fn asynchronous(points: &mut Points<'_>, rows: &[AsyncRow]) {
    let sum = |of: fn(&AsyncRow) -> u64| rows.iter().map(of).sum::<u64>();
    points_above_zero(points, "AsyncEventsReceived", sum(|row| row.received));
    points_above_zero(points, "AsyncEventsDropped", sum(|row| row.dropped));
    let invoked = sum(|row| row.invoked);
    if invoked > 0 {
        let with_age = rows.iter().filter(|row| row.invoked > 0);
        let ages = with_age
            .clone()
            .map(|row| row.age_mean * row.invoked as f64);
        let average = ages.sum::<f64>() / invoked as f64;
        let largest = with_age.map(|row| row.age_max).fold(0.0, f64::max);
        points.put("AsyncEventAge", "Milliseconds", "Average", average);
        points.put("AsyncEventAge", "Milliseconds", "Maximum", largest);
    }
    points_above_zero(
        points,
        "DeadLetterErrors",
        sum(|row| row.dead_letter_errors),
    );
    let refused = sum(|row| row.delivery_failures);
    points_above_zero(points, "DestinationDeliveryFailures", refused);
}

fn account(points: &mut Points<'_>, rows: &[AccountRow]) {
    let row = rows
        .iter()
        .copied()
        .fold(AccountRow::default(), AccountRow::or);
    points.largest("ConcurrentExecutions", row.concurrent_max);
    points.largest("UnreservedConcurrentExecutions", row.unreserved_max);
    points.largest("ClaimedAccountConcurrency", row.claimed_max);
}

fn mapping(points: &mut Points<'_>, rows: &[MappingRow], series: &MappingSeries) {
    let sum = |of: fn(&MappingRow) -> u64| rows.iter().map(of).sum::<u64>();
    // An empty poll gives a point of zero; no poll gives none.
    if sum(|row| row.reads + row.polled) > 0 {
        points.sum("PolledEventCount", sum(|row| row.polled));
        points.sum("FilteredOutEventCount", sum(|row| row.filtered));
    }
    let invoked = sum(|row| row.invoked);
    let failed = sum(|row| row.failed);
    if invoked + failed > 0 {
        points.sum("InvokedEventCount", invoked);
        points.sum("FailedInvokeEventCount", failed);
    }
    if series.kafka {
        kafka(points, rows);
    }
    if series.stream || series.kafka {
        points_above_zero(points, "DroppedEventCount", sum(|row| row.dropped));
        let diverted = sum(|row| row.diverted);
        points_above_zero(points, "OnFailureDestinationDeliveredEventCount", diverted);
    } else {
        points_above_zero(points, "DeletedEventCount", sum(|row| row.deleted));
    }
}

/// Figures of consumer groups; lags are read at the ends of bins.
fn kafka(points: &mut Points<'_>, rows: &[MappingRow]) {
    let sum = |of: fn(&KafkaRow) -> u64| rows.iter().map(|row| of(&row.kafka)).sum::<u64>();
    let largest = |of: fn(&KafkaRow) -> u64| {
        let values = rows.iter().map(|row| of(&row.kafka));
        values.max().unwrap_or(0) as f64
    };
    points_above_zero(points, "CommittedEventCount", sum(|row| row.committed));
    points_above_zero(points, "PollingErrorCount", sum(|row| row.polling_errors));
    points_above_zero(points, "InvokeErrorCount", sum(|row| row.invoke_errors));
    points_above_zero(points, "CommitErrorCount", sum(|row| row.commit_errors));
    let refused = sum(|row| row.delivery_errors);
    points_above_zero(points, "OnFailureDestinationDeliveryErrorCount", refused);
    points.put(
        "MaxOffsetLag",
        "Count",
        "Maximum",
        largest(|row| row.max_lag),
    );
    points.put(
        "SumOffsetLag",
        "Count",
        "Maximum",
        largest(|row| row.sum_lag),
    );
}

/// What a mapping adds to the metrics of its function.
fn of_its_function(points: &mut Points<'_>, rows: &[MappingRow], series: &MappingSeries) {
    let ages = rows.iter().map(|row| row.age_max);
    let oldest = ages
        .filter(|age| age.is_finite())
        .fold(f64::NEG_INFINITY, f64::max);
    if series.stream && oldest.is_finite() {
        points.put("IteratorAge", "Milliseconds", "Maximum", oldest);
    }
    let sum = |of: fn(&MappingRow) -> u64| rows.iter().map(of).sum::<u64>();
    points_above_zero(
        points,
        "DestinationDeliveryFailures",
        sum(|row| row.destination_failures),
    );
    points_above_zero(points, "OversizedRecordCount", sum(|row| row.oversized));
}

fn points_above_zero(points: &mut Points<'_>, metric: &str, value: u64) {
    if value > 0 {
        points.sum(metric, value);
    }
}

/// Seconds since 1970 as `2026-01-05T00:01:00Z`.
fn timestamp(seconds: u64) -> String {
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Days since 1970 as year, month and day.
fn civil(days: u64) -> (u64, u64, u64) {
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let mut left = days;
    let mut year = 1970;
    loop {
        let length = if is_leap(year) { 366 } else { 365 };
        if left < length {
            break;
        }
        left -= length;
        year += 1;
    }
    let february = if is_leap(year) { 29 } else { 28 };
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 1;
    for length in lengths {
        if left < length {
            break;
        }
        left -= length;
        month += 1;
    }
    (year, month, left + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_dates() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_767_571_261, "2026-01-05T00:01:01Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(timestamp(seconds), expected);
        }
    }
}
