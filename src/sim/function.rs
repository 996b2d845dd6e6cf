//! Modelled functions: how long an invocation takes and whether it fails.

use super::dist::Sampler;
use super::services::identity;
use crate::engine::lambda::{Fate, Start};
use crate::engine::{Outcome, Ratio, Record, Rng, Span, mix};
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
    /// Invocations that a dependency works on at full speed.
    dependency: Option<u32>,
    /// How many times as long the next invocation takes because of the others.
    crowd_factor: f64,
}

/// How an invocation goes, decided when it begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Course {
    /// Time of the handler, with the timeout applied.
    pub(super) duration: Span,
    /// Time of the initialisation before it; none on a warm start.
    pub(super) init: Option<Span>,
    pub(super) end: End,
}

/// What comes of an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Success,
    /// It returned, and reported this record of its batch as the first that failed.
    Reported(u32),
    /// It threw.
    Error,
    /// It was cut off.
    Timeout,
}

impl End {
    /// What a mapping gets to see.
    pub(super) const fn outcome(self) -> Outcome {
        match self {
            Self::Success => Outcome::Success,
            Self::Reported(first_failed) => Outcome::Partial { first_failed },
            Self::Error | Self::Timeout => Outcome::FunctionError,
        }
    }

    /// Whether it counts as an error of the function: one that reports its failures has returned.
    pub(super) const fn is_error(self) -> bool {
        matches!(self, Self::Error | Self::Timeout)
    }
}

impl Course {
    /// How long the environment is busy.
    pub(super) fn busy(&self) -> Span {
        self.duration + self.init.unwrap_or(Span::ZERO)
    }

    /// Rule `timeout-resets-environment`.
    pub(super) const fn fate(&self) -> Fate {
        match self.end {
            End::Timeout => Fate::Reset,
            End::Success | End::Reported(_) | End::Error => Fate::Keep,
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
            dependency: function.dependency_concurrency,
            crowd_factor: 1.0,
        }
    }

    /// So many invocations run, the one that begins now among them.
    ///
    /// Rule `dependency-shares-its-speed`.
    #[inline]
    pub(super) fn crowd(&mut self, running: impl FnOnce() -> u32) {
        if let Some(dependency) = self.dependency {
            self.crowd_factor = (f64::from(running()) / f64::from(dependency)).max(1.0);
        }
    }

    /// The course of an invocation with `records` (none for a direct call). Where failures are `reported`, a function
    /// that meets a poison record still works on its whole batch, and on success or failure alike takes as long.
    #[inline]
    pub(super) fn course(
        &mut self,
        start: Start,
        records: &[Record<()>],
        reported: bool,
    ) -> Course {
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
        let factor = self.slow_factor * self.crowd_factor;
        if factor != 1.0 {
            duration = Span::from_nanos((duration.as_nanos() as f64 * factor) as u64);
        }
        let end = if duration > self.timeout {
            End::Timeout
        } else {
            self.end(records, reported)
        };
        Course {
            duration: duration.min(self.timeout),
            init,
            end,
        }
    }

    #[inline]
    fn end(&mut self, records: &[Record<()>], reported: bool) -> End {
        let by_itself = self.errors.chance(self.error_rate);
        let by_fault = self.faults.chance(self.fault_error_rate);
        if by_itself || by_fault {
            return End::Error;
        }
        match self.first_poison(records) {
            None => End::Success,
            Some(index) if reported => End::Reported(index),
            Some(_) => End::Error,
        }
    }

    #[inline]
    fn first_poison(&self, records: &[Record<()>]) -> Option<u32> {
        if self.poison.is_zero() {
            return None;
        }
        let index = records.iter().position(|record| self.is_poison(record))?;
        Some(index as u32)
    }

    /// Whether the function fails at this record, whenever and with whatever others it is delivered.
    #[inline]
    pub(super) fn is_poison(&self, record: &Record<()>) -> bool {
        self.poison.picks(mix(identity(&record.meta) ^ POISON_SALT))
    }
}
