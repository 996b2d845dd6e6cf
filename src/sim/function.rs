//! Modelled functions: how long an invocation takes and whether it fails.

use super::dist::Sampler;
use super::services::identity;
use crate::engine::lambda::{Fate, Start};
use crate::engine::{Ratio, Record, Rng, Span, mix};
use crate::scenario;

/// A function's behaviour. Each property has a random stream of its own.
#[derive(Debug)]
pub(super) struct FunctionModel {
    timeout: Span,
    per_record: Span,
    duration: Sampler,
    cold_duration: Option<Sampler>,
    init: Sampler,
    error_rate: Ratio,
    poison: Ratio,
    durations: Rng,
    inits: Rng,
    errors: Rng,
    faults: Rng,
    /// Faults in force: chance of an extra error, and how many times as long everything takes.
    pub(super) fault_error_rate: Ratio,
    pub(super) slow_factor: f64,
}

/// How an invocation goes, decided when it begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Course {
    /// Time of the handler, with the timeout applied.
    pub(super) duration: Span,
    /// Time of the initialisation before it; none on a warm start.
    pub(super) init: Option<Span>,
    pub(super) failed: bool,
    pub(super) timed_out: bool,
}

impl Course {
    /// How long the environment is busy.
    pub(super) fn busy(&self) -> Span {
        self.duration + self.init.unwrap_or(Span::ZERO)
    }

    /// Rule `timeout-resets-environment`.
    pub(super) const fn fate(&self) -> Fate {
        if self.timed_out {
            Fate::Reset
        } else {
            Fate::Keep
        }
    }
}

/// Keeps the choice of poison records apart from every other use of their hashes.
const POISON_SALT: u64 = 0x706f_6973_6f6e;

impl FunctionModel {
    pub(super) fn new(function: &scenario::Function, seed: u64) -> Self {
        let rng = |what| Rng::stream(seed, &format!("function/{}/{what}", function.name));
        Self {
            timeout: function.timeout,
            per_record: function.per_record,
            duration: Sampler::new(&function.duration),
            cold_duration: function.cold_duration.as_ref().map(Sampler::new),
            init: Sampler::new(&function.init),
            error_rate: function.error_rate,
            poison: function.poison,
            durations: rng("duration"),
            inits: rng("init"),
            errors: rng("errors"),
            faults: rng("faults"),
            fault_error_rate: Ratio::ZERO,
            slow_factor: 1.0,
        }
    }

    /// The course of an invocation with `records` (none for a direct call).
    #[inline]
    pub(super) fn course(&mut self, start: Start, records: &[Record<()>]) -> Course {
        let mut duration = Span::from_nanos(self.duration.draw(&mut self.durations));
        let mut init = None;
        match start {
            Start::Warm => {}
            Start::Cold => {
                if let Some(cold) = &self.cold_duration {
                    duration = Span::from_nanos(cold.draw(&mut self.durations));
                }
                init = Some(Span::from_nanos(self.init.draw(&mut self.inits)));
            }
            // A suppressed init is part of the invocation and counts against its timeout.
            Start::Reset => duration += Span::from_nanos(self.init.draw(&mut self.inits)),
        }
        if !records.is_empty() {
            duration += self.per_record.times(records.len() as u64);
        }
        if self.slow_factor != 1.0 {
            duration = Span::from_nanos((duration.as_nanos() as f64 * self.slow_factor) as u64);
        }
        let timed_out = duration > self.timeout;
        Course {
            duration: duration.min(self.timeout),
            init,
            failed: timed_out || self.fails(records),
            timed_out,
        }
    }

    #[inline]
    fn fails(&mut self, records: &[Record<()>]) -> bool {
        let by_itself = self.errors.chance(self.error_rate);
        let by_fault = self.faults.chance(self.fault_error_rate);
        let poisoned = !self.poison.is_zero()
            && records
                .iter()
                .any(|record| self.poison.picks(mix(identity(&record.meta) ^ POISON_SALT)));
        by_itself || by_fault || poisoned
    }
}
