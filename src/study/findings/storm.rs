//! Retry storms: callers who try again make so much work that nothing is answered.

use super::scene::{Scene, Worker};
use super::words::{advised, count, finding, set, stretch};
use crate::metrics::numbers::{percent, trimmed};
use crate::metrics::{Finding, Severity};

/// Attempts per call from which on retries are a load of their own.
const ATTEMPTS: f64 = 1.5;
/// Goodput below this share of its best is a collapse.
const COLLAPSE: f64 = 0.5;
/// Callers who get this share of their answers ride out what is wrong.
const ANSWERED: f64 = 0.8;
/// How long goodput is averaged, seconds.
const MEAN_S: f64 = 10.0;

pub(super) fn of(scene: Scene<'_>, worker: Worker<'_>) -> Option<Finding> {
    let figures = worker.figures;
    let attempts = figures.attempts_per_call.value;
    let (calls, answered) = (figures.calls.value, figures.calls_answered.value);
    if !(calls > 0.0 && attempts >= ATTEMPTS && answered / calls < ANSWERED) {
        return None;
    }
    let width = scene.bins(MEAN_S).min(worker.rows.len().max(1));
    let goodput: Vec<f64> = worker
        .rows
        .windows(width)
        .map(|rows| {
            rows.iter().map(|row| row.answered as f64).sum::<f64>() / (width as f64 * scene.bin_s)
        })
        .collect();
    let tries: Vec<f64> = worker
        .rows
        .windows(width)
        .map(|rows| {
            let sum: u64 = rows.iter().map(|row| row.calls + row.client_retries).sum();
            sum as f64 / (width as f64 * scene.bin_s)
        })
        .collect();
    let best = goodput.iter().copied().fold(0.0, f64::max);
    // Callers are at work, and what they get has collapsed.
    let collapsed = goodput
        .iter()
        .zip(&tries)
        .map(|(good, tried)| *good < COLLAPSE * best && *tried >= best);
    let (first, last) = stretch(collapsed)?;
    let low: f64 = goodput[first..=last].iter().sum::<f64>() / (last + 1 - first) as f64;
    let sentence = format!(
        "Callers made {} attempts for each of {} calls, and {} of the calls were answered; from {} on for {} goodput was {} a second, where it had been up to {}, while they tried {} times a second and {} requests were refused.",
        trimmed(attempts, 2),
        count(calls),
        percent(answered / calls),
        scene.clock(first + width - 1),
        scene.length(last + 1 - first),
        count(low),
        count(best),
        count(tries[first..=last].iter().sum::<f64>() / (last + 1 - first) as f64),
        count(figures.throttles.value)
    );
    let found = finding(
        Severity::Problem,
        "retry-storm",
        worker.name(),
        worker.measure("CallsAnswered.Sum"),
        sentence,
    );
    let callers = scene.scenario.traffic.iter().enumerate();
    let retry = callers
        .filter(|(_, one)| one.calls(worker.index))
        .find_map(|(index, one)| Some((index, one.retry?)));
    let Some((index, retry)) = retry else {
        return Some(found);
    };
    let first_wait = retry
        .backoff_first
        .as_millis()
        .saturating_mul(10)
        .clamp(100, 5_000);
    let waits = format!("\"{first_wait}ms..20s\"");
    let path = |key: &str| format!("traffic.{index}.retry.{key}");
    let text = format!(
        "Make callers wait longer and at random: a backoff of {waits} ({}) with full jitter ({}), or refuse early with a reserved concurrency ({}) that what is behind the function can serve in time.",
        path("backoff"),
        path("jitter"),
        worker.path("reserved_concurrency")
    );
    let changes = vec![set(path("backoff"), waits), set(path("jitter"), "\"full\"")];
    Some(advised(found, text, changes))
}
