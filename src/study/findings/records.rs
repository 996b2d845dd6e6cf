//! Batches that are hardly filled, filters that leave most out, and reads that the source refused.

use super::scene::{Route, Scene};
use super::words::{advised, count, finding, set};
use crate::metrics::numbers::percent;
use crate::metrics::{Finding, Severity};

/// Batches this full on average have too much room.
const FILLED: f64 = 0.1;
/// Only who is invoked this often saves anything by larger batches, invocations per second.
const OFTEN: f64 = 5.0;
/// Filters that leave out this share decide what the function sees.
const FILTERED: f64 = 0.5;

pub(super) fn of(scene: Scene<'_>, route: Route<'_>) -> Vec<Finding> {
    let list = [
        refused_reads(route),
        hardly_filled(scene, route),
        filtered(route),
    ];
    list.into_iter().flatten().collect()
}

fn refused_reads(route: Route<'_>) -> Option<Finding> {
    let figures = route.figures;
    let (refused, reads) = (figures.read_throttles.value, figures.reads.value);
    if !(refused >= 10.0 && refused / (reads + refused) >= 0.01) {
        return None;
    }
    let sentence = format!(
        "The source refused {} of {} reads ({}): a shard allows 5 reads and 2 MiB a second for all of its readers together.",
        count(refused),
        count(refused + reads),
        percent(refused / (reads + refused))
    );
    let found = finding(
        Severity::Warning,
        "reads-refused",
        route.name(),
        route.measure("ReadThrottles.Sum"),
        sentence,
    );
    let path = route.path("fan_out");
    if route.mapping.fan_out || !route.is_stream() {
        return Some(found);
    }
    let text = format!(
        "Give the mapping a consumer of its own with enhanced fan-out ({path}), or read with fewer mappings."
    );
    Some(advised(found, text, vec![set(path, true)]))
}

fn hardly_filled(scene: Scene<'_>, route: Route<'_>) -> Option<Finding> {
    let config = &route.mapping.config;
    let figures = route.figures;
    let mean = figures.batch_records.mean.value;
    let batches = figures.batches.value;
    let per_sec = batches / scene.summary.measured_s;
    let bound = mean >= FILLED * f64::from(config.batch_size);
    let can_wait =
        !config.source.is_broker() && config.source != crate::engine::SourceKind::SqsFifo;
    if bound || per_sec < OFTEN || !can_wait || config.window.as_millis() >= 1_000 {
        return None;
    }
    let sentence = format!(
        "Batches hold {} records on average of the {} that BatchSize allows, in {} invocations.",
        count(mean),
        config.batch_size,
        count(batches)
    );
    let found = finding(
        Severity::Note,
        "batches-hardly-filled",
        route.name(),
        route.measure("Batches.Sum"),
        sentence,
    );
    let path = route.path("MaximumBatchingWindowInSeconds");
    let text = format!(
        "If records can wait for a second, a batching window of 1 s ({path}) saves invocations."
    );
    Some(advised(found, text, vec![set(path, 1)]))
}

fn filtered(route: Route<'_>) -> Option<Finding> {
    let figures = route.figures;
    let (out, read) = (
        figures.filtered_out_event_count.value,
        figures.polled_event_count.value,
    );
    if !(out > 0.0 && out / read >= FILTERED) {
        return None;
    }
    let sentence = format!(
        "The filters left out {} of {} records ({}): batches are made of the rest.",
        count(out),
        count(read),
        percent(out / read)
    );
    Some(finding(
        Severity::Note,
        "filters-leave-most-out",
        route.name(),
        route.measure("FilteredOutEventCount.Sum"),
        sentence,
    ))
}
