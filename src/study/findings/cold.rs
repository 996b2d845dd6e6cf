//! Cold starts: how many, what causes them, and what provisioned concurrency would cover.

use super::scene::{Scene, Worker};
use super::words::{advised, count, finding, quantile, set};
use crate::metrics::numbers::{millis, percent};
use crate::metrics::{Finding, Setting, Severity};

/// Below this share of invocations they decide no percentile that people look at.
const SHARE_MIN: f64 = 0.01;
/// And so few are chance.
const COUNT_MIN: f64 = 10.0;

pub(super) fn of(scene: Scene<'_>, worker: Worker<'_>) -> Option<Finding> {
    let figures = worker.figures;
    let (cold, share) = (figures.cold_starts.value, figures.cold_start_share.value);
    if !(cold >= COUNT_MIN && share >= SHARE_MIN) || worker.config.managed.is_some() {
        return None;
    }
    let (climbing, returning) = causes(scene, worker);
    let seen = climbing + returning;
    let keep_alive = crate::metrics::numbers::seconds(worker.config.keep_alive.as_secs_f64());
    let cause = if climbing >= returning {
        format!(
            "{} of them came while concurrency rose higher than it had been, to {}",
            percent(climbing / seen),
            count(figures.concurrent_executions.max.value)
        )
    } else {
        format!(
            "{} of them replaced environments that had been there before and went away after {keep_alive} without work",
            percent(returning / seen)
        )
    };
    let covered = quantile(
        worker.rows.iter().map(|row| f64::from(row.concurrency_max)),
        0.99,
    );
    let init = if figures.restores.value > 0.0 {
        figures.restore_duration.p50.value
    } else {
        figures.init_duration.p50.value
    };
    let sentence = format!(
        "{} of {} invocations ({}) were cold starts of {} at p50, which makes latency {} at p99 where the handler takes {}; {cause}.",
        count(cold),
        count(figures.invocations.value),
        percent(share),
        millis(init),
        millis(figures.latency.p99.value),
        millis(figures.duration.p99.value)
    );
    let matters = figures.latency.p99.value > figures.duration.p99.value + init / 2.0;
    let severity = if matters {
        Severity::Warning
    } else {
        Severity::Note
    };
    let found = finding(
        severity,
        "cold-starts",
        worker.name(),
        worker.measure("ColdStarts.Sum"),
        sentence,
    );
    if worker
        .config
        .reserved_concurrency
        .is_some_and(|limit| f64::from(limit) < covered)
    {
        return Some(found);
    }
    let value = covered as u32;
    let (path, changes) = provision(scene, worker, value);
    let text = format!(
        "Provisioned concurrency of {} ({path}) would have covered 99% of the time.",
        count(covered)
    );
    Some(advised(found, text, changes))
}

/// Cold starts of a new height of concurrency, and those below one that had been reached.
fn causes(scene: Scene<'_>, worker: Worker<'_>) -> (f64, f64) {
    let all = scene.series.functions.get(worker.index);
    let before = all.map_or(&[][..], |one| {
        one.rows.get(..scene.skip).unwrap_or_default()
    });
    let mut height = before
        .iter()
        .map(|row| row.concurrency_max)
        .max()
        .unwrap_or(0);
    let (mut climbing, mut returning) = (0.0, 0.0);
    for row in worker.rows {
        let rise = f64::from(row.concurrency_max.saturating_sub(height));
        let cold = row.cold_starts as f64;
        climbing += cold.min(rise);
        returning += cold - cold.min(rise);
        height = height.max(row.concurrency_max);
    }
    (climbing, returning)
}

/// Where to write it, and what makes the callers use it. A function by itself has none: it needs an alias.
pub(super) fn provision(
    scene: Scene<'_>,
    worker: Worker<'_>,
    value: u32,
) -> (String, Vec<Setting>) {
    if let Some(alias) = worker.config.aliases.first() {
        let path = worker.path(&format!("alias.{}.provisioned_concurrency", alias.name));
        let scaled = alias.autoscaling.is_some() || alias.provisioned_concurrency > 0;
        let changes = if scaled {
            Vec::new()
        } else {
            vec![set(path.clone(), value)]
        };
        return (path, changes);
    }
    let path = worker.path("alias");
    if worker.config.template.is_some() || !worker.config.versions.is_empty() {
        return (path, Vec::new());
    }
    let alias = format!("[{{ name = \"live\", provisioned_concurrency = {value} }}]");
    let called = format!("\"{}:live\"", worker.name());
    let mut changes = vec![set(path.clone(), alias)];
    for (index, one) in scene.scenario.traffic.iter().enumerate() {
        if one.calls(worker.index) {
            changes.push(set(format!("traffic.{index}.function"), &called));
        }
    }
    for route in scene
        .routes()
        .filter(|route| route.worker.index == worker.index)
    {
        changes.push(set(route.path("FunctionName"), &called));
    }
    (path, changes)
}
