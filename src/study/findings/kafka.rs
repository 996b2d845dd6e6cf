//! Kafka: consumers that come late, partitions that allow no more of them, and rebalances.

use super::bound::Bound;
use super::scene::{Route, Scene};
use super::words::{count, finding, set};
use crate::metrics::numbers::seconds;
use crate::metrics::{Finding, Severity};
use crate::scenario::{Dist, SourceModel};

/// The share of the time in which a rebalance may keep partitions unread before it is worth a word.
const PAUSED: f64 = 0.02;

/// Why consumers were full: there cannot be more than partitions, or they came late. `waiting` is the first bin in which records
/// waited, `load` the mean number of consumers meanwhile and how many the peak takes.
pub(super) fn consumers(
    scene: Scene<'_>,
    route: Route<'_>,
    (first, partitions): (usize, u32),
    (present, needed): (f64, f64),
) -> Bound {
    let rows = &route.rows[first..];
    let before = rows.first().map_or(0, |row| row.kafka.consumers);
    let wanted = (needed / 0.8).ceil().clamp(1.0, f64::from(partitions));
    if f64::from(before) >= f64::from(partitions) {
        let why = format!(
            "there is a consumer for each of the {partitions} partitions, all were busy, and the peak takes {}",
            count(needed.ceil())
        );
        let (partitions, size) = (route.source_path("partitions"), route.path("BatchSize"));
        let text = format!(
            "More partitions ({partitions}) allow more consumers; larger batches ({size}) or a faster function do without."
        );
        return ("partitions-full", why, text, Vec::new());
    }
    let late = rows.iter().position(|row| row.kafka.consumers > before);
    let late = match late {
        Some(bins) => format!(
            "the first further one came {} after records began to wait",
            scene.length(bins)
        ),
        None => "none was added until the end".to_owned(),
    };
    let why = format!(
        "{} consumers of {partitions} possible read on average while they waited, {late}, and the peak takes {}",
        count(present),
        count(needed.ceil())
    );
    let path = route.path("ProvisionedPollerConfig");
    let text = format!(
        "Keep pollers ready (ProvisionedPollerConfig.MinimumPollers, {path}): Lambda adds consumers for a lag that it has seen, and looks at it only from time to time."
    );
    let changes = match route.mapping.config.provisioned_pollers {
        None => vec![set(path, format!("{{ MinimumPollers = {wanted} }}"))],
        Some(_) => vec![set(
            route.path("ProvisionedPollerConfig.MinimumPollers"),
            wanted,
        )],
    };
    ("consumers-late", why, text, changes)
}

/// Rebalances that kept partitions unread for long.
pub(super) fn rebalances(scene: Scene<'_>, route: Route<'_>) -> Option<Finding> {
    let SourceModel::Kafka(topic) = &route.source.kind else {
        return None;
    };
    let figures = route.figures.kafka?;
    let pause_s = match &topic.rebalance {
        Dist::Constant(nanos) | Dist::Exponential { mean: nanos } => nanos / 1e9,
        _ => return None,
    };
    let (times, moved) = (figures.rebalances.value, figures.partitions_moved.value);
    let paused = times * pause_s;
    if !(moved >= 1.0 && paused >= PAUSED * scene.summary.measured_s) {
        return None;
    }
    let sentence = format!(
        "The group shared its partitions out {} times and moved {} of them, each of which nobody read for about {}; {} records were read and given back.",
        count(times),
        count(moved),
        seconds(pause_s),
        count(figures.returned_event_count.value)
    );
    let found = finding(
        Severity::Warning,
        "rebalances",
        route.name(),
        route.measure("Rebalances.Sum"),
        sentence,
    );
    let text = format!(
        "A fixed number of pollers ({}) keeps partitions where they are.",
        route.path("ProvisionedPollerConfig")
    );
    Some(super::words::advised(found, text, Vec::new()))
}
