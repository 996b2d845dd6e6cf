//! One function's requests refused because another has what they share.

use super::scene::{Scene, Worker};
use super::words::{advised, count, finding, set, stretch};
use crate::metrics::numbers::percent;
use crate::metrics::{Finding, Severity};

/// Somebody else takes at least this share of the shared pool while requests are refused.
const TAKES: f64 = 0.5;

/// The refusals of `worker` as another function's doing; `None` if nobody else stands out.
pub(super) fn of(scene: Scene<'_>, worker: Worker<'_>, share: f64) -> Option<Finding> {
    let refused = |row: &crate::metrics::FunctionRow| row.throttles[0] > 0;
    let bins: Vec<usize> = (0..worker.rows.len())
        .filter(|bin| refused(&worker.rows[*bin]))
        .collect();
    let mean = |other: Worker<'_>| {
        let busy = bins.iter().filter_map(|bin| other.rows.get(*bin));
        busy.map(|row| row.concurrency_mean).sum::<f64>() / bins.len() as f64
    };
    let unreserved = scene
        .workers()
        .filter(|one| one.config.reserved_concurrency.is_none());
    let mut taker: Option<(Worker<'_>, f64)> = None;
    for (other, busy) in unreserved.map(|one| (one, mean(one))) {
        if taker.is_none_or(|(_, most)| busy > most) {
            taker = Some((other, busy));
        }
    }
    let (taker, busy) = taker?;
    let pool = f64::from(worker.limit);
    if taker.index == worker.index || busy < TAKES * pool {
        return None;
    }
    let (first, last) = stretch(worker.rows.iter().map(refused))?;
    let sentence = format!(
        "{} of {} requests ({}) were refused, the first at {} and the last {} later, while {} kept {} of the {} units of concurrency busy that functions without a reservation share; {} itself had {}.",
        count(worker.figures.throttles.value),
        count(worker.requests()),
        percent(share),
        scene.clock(first),
        scene.length(last - first),
        taker.name(),
        count(busy.round()),
        count(pool),
        worker.name(),
        count(mean(worker).round())
    );
    let found = finding(
        Severity::Problem,
        "starved",
        worker.name(),
        worker.measure("Throttles.Sum"),
        sentence,
    );
    let path = worker.path("reserved_concurrency");
    let Some(demand) = scene.demand(worker) else {
        let text = format!("Give it a reserved concurrency of its own ({path}).");
        return Some(advised(found, text, Vec::new()));
    };
    let enough = demand.enough();
    let text = format!(
        "Give it a reserved concurrency of {enough} ({path}): {}. A reservation for {} ({}) would be a ceiling for that one.",
        demand.shown(),
        taker.name(),
        taker.path("reserved_concurrency")
    );
    Some(advised(found, text, vec![set(path, enough)]))
}
