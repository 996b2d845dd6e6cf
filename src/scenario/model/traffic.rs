//! Callers, and when things arrive.

use super::Keys;
use crate::engine::Span;
use std::path::PathBuf;
use std::sync::Arc;

/// A caller that invokes a function directly.
#[derive(Clone, Debug)]
pub struct Traffic {
    /// Index into [`Scenario::functions`].
    pub function: usize,
    /// Index into the function's aliases; `None` for the function itself.
    pub alias: Option<usize>,
    /// Whose calls they are, for a function that isolates its tenants; keys stand for tenants.
    pub tenants: Option<Keys>,
    /// When calls arrive.
    pub arrivals: Arrivals,
    /// Retries after a throttle or a function error.
    pub retry: Option<Retry>,
}

/// Client retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Further attempts after the first, 1 to 100.
    pub attempts: u32,
    /// First wait; doubles up to `backoff_max`. The actual wait is drawn evenly from the upper half.
    pub backoff_first: Span,
    /// Longest wait.
    pub backoff_max: Span,
}

/// When things arrive.
#[derive(Clone, Debug)]
pub enum Arrivals {
    /// Evenly spaced at the momentary rate.
    Constant(Rate),
    /// A Poisson process with the momentary rate.
    Poisson(Rate),
    /// Instants read from a file.
    Trace(Arc<Trace>),
}

/// A rate over time: steps and linear ramps.
#[derive(Clone, Debug, PartialEq)]
pub struct Rate {
    /// In order of `at`, without overlap; the rate before the first is zero.
    pub steps: Vec<RateStep>,
}

/// From `at` the rate moves linearly to `per_sec` within `over`, and stays there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateStep {
    /// When the change begins.
    pub at: Span,
    /// The new rate, at least 0.
    pub per_sec: f64,
    /// How long the ramp takes; zero for a step.
    pub over: Span,
}

/// Recorded arrivals: instants with how many arrive at each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The file, for messages.
    pub path: PathBuf,
    /// In order of time since the scenario's start.
    pub points: Vec<(Span, u32)>,
}
