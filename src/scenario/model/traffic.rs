//! Callers, and when things arrive.

use super::{Dist, Keys};
use crate::engine::Span;
use std::path::PathBuf;
use std::sync::Arc;

/// A caller that invokes a function directly.
#[derive(Clone, Debug)]
pub struct Traffic {
    /// Index into [`Scenario::functions`](super::Scenario::functions).
    pub function: usize,
    /// Calls go to this many functions from `function` on, evenly; 1 for a function by itself.
    pub spread: u32,
    /// Index into the function's aliases; `None` for the function itself.
    pub alias: Option<usize>,
    /// Whose calls they are, for a function that isolates its tenants; keys stand for tenants.
    pub tenants: Option<Keys>,
    /// Whether it waits for the answer.
    pub invocation: Invocation,
    /// When calls are made; in a closed loop, when clients may come.
    pub arrivals: Arrivals,
    /// A closed loop: clients that wait for each answer before they call again.
    pub clients: Option<Clients>,
    /// How long a caller waits for the answer to an attempt; `None` for ever.
    pub timeout: Option<Span>,
    /// Retries after a throttle, a function error or a timeout of the caller.
    pub retry: Option<Retry>,
}

impl Traffic {
    /// Whether it calls this function.
    pub fn calls(&self, function: usize) -> bool {
        (self.function..self.function + self.spread as usize).contains(&function)
    }
}

/// Clients of a closed loop.
#[derive(Clone, Debug)]
pub struct Clients {
    /// From an answer to the next call; at least 1 ms is taken.
    pub think: Dist,
    /// How many there are, in order of `at` and without overlap; none before the first.
    pub steps: Vec<ClientStep>,
}

/// From `at` the number of clients moves evenly to `count` within `over`, and stays there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientStep {
    /// When the change begins.
    pub at: Span,
    /// The new number.
    pub count: u32,
    /// How long the change takes; zero for a step.
    pub over: Span,
}

impl Clients {
    /// How many clients there should be at a moment since the beginning.
    pub fn present(&self, at: Span) -> u32 {
        let begun = self.steps.partition_point(|step| step.at <= at);
        let Some(step) = begun.checked_sub(1).map(|last| self.steps[last]) else {
            return 0;
        };
        let passed = at - step.at;
        if passed >= step.over {
            return step.count;
        }
        let from = begun
            .checked_sub(2)
            .map_or(0, |index| self.steps[index].count);
        let part = |count: u32| {
            let moved = u128::from(count) * u128::from(passed.as_nanos());
            (moved / u128::from(step.over.as_nanos())) as u32
        };
        if step.count >= from {
            from + part(step.count - from)
        } else {
            from - part(from - step.count)
        }
    }

    /// When clients come, if all who should have left by then have.
    pub fn joins(&self) -> Vec<(Span, u32)> {
        let mut joins = Vec::new();
        let mut from = 0;
        for step in &self.steps {
            let more = step.count.saturating_sub(from);
            if step.over == Span::ZERO && more > 0 {
                joins.push((step.at, more));
            } else {
                // The moment at which `present` counts the client.
                let after = |nth: u32| {
                    let nanos = u128::from(step.over.as_nanos()) * u128::from(nth);
                    Span::from_nanos(nanos.div_ceil(u128::from(more)) as u64)
                };
                joins.extend((1..=more).map(|nth| (step.at + after(nth), 1)));
            }
            from = step.count;
        }
        joins
    }
}

/// How the waits between a caller's attempts are drawn, after the names that M. Brooker gave them ("Exponential Backoff
/// And Jitter", 2015).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Jitter {
    /// Evenly between nothing and the wait.
    Full,
    /// Evenly from the upper half of the wait.
    #[default]
    Equal,
    /// The wait itself: callers that failed together return together.
    None,
    /// Evenly between the first wait and three times the one before.
    Decorrelated,
}

/// AWS's InvocationType.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Invocation {
    /// The caller waits for the answer.
    #[default]
    RequestResponse,
    /// The event is queued, and the caller waits for nothing.
    Event,
}

/// Client retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Further attempts after the first, 1 to 100.
    pub attempts: u32,
    /// First wait; doubles up to `backoff_max`.
    pub backoff_first: Span,
    /// Longest wait.
    pub backoff_max: Span,
    /// How the actual wait is drawn.
    pub jitter: Jitter,
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
