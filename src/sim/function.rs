//! Modelled functions: how long an invocation takes and whether it fails.

use super::dist::Sampler;
use super::lifecycle::{Lifecycle, Phase};
use super::services::identity;
use crate::engine::lambda::{Fate, Lease, Start};
use crate::engine::{Outcome, Ratio, Record, Rng, Span, limits, mix};
use crate::metrics::{Extraordinary, Started};
use crate::scenario;

/// A function's behaviour, or that of one of its versions. Each property has a random stream of its own.
///
/// With a thousand functions, one is seldom in the processor's nearest caches: what a plain call touches comes first, within
/// two cache lines.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct FunctionModel {
    duration: Sampler,
    durations: Rng,
    timeout: Span,
    slow_factor: f64,
    /// How many times as long the next invocation takes because of the others.
    crowd_factor: f64,
    /// Invocations that a dependency works on at full speed.
    dependency: Option<u32>,
    /// What most functions never do.
    lifecycle: Option<Box<Lifecycle>>,
    /// Neither does it fail by itself, nor does a fault make it.
    is_sound: bool,
    /// On managed instances the timeout ends the call, not the code.
    outlives_timeout: bool,
    error_rate: Ratio,
    /// Faults in force: chance of an extra error. How many times as long everything takes is `slow_factor`.
    fault_error_rate: Ratio,
    errors: Rng,
    faults: Rng,
    per_record: Span,
    poison: Ratio,
    cold_duration: Option<Sampler>,
    init: Sampler,
    inits: Rng,
    /// Its published versions.
    versions: Vec<Self>,
}

/// How an invocation goes, decided when it begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Course {
    /// Time of the handler, with the timeout applied.
    pub(super) duration: Span,
    /// Time of the initialisation before it; none on a warm start.
    pub(super) init: Option<Span>,
    /// The initialisation was the restore of a snapshot.
    pub(super) is_restore: bool,
    /// AWS_LAMBDA_INITIALIZATION_TYPE is `snap-start`.
    pub(super) is_snap_start: bool,
    /// Time of extensions after the response.
    pub(super) post_runtime: Span,
    /// How long the environment stays taken after all that.
    shutdown: Span,
    /// The timeout came while extensions were at work.
    cut_off: bool,
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
    /// Its process ended (Runtime.ExitError).
    Crash,
    /// The initialisation inside of it failed.
    InitError,
    /// Its snapshot could not be restored in time (SnapStartTimeoutException).
    RestoreTimeout,
}

impl End {
    /// What a mapping gets to see.
    pub(super) const fn outcome(self) -> Outcome {
        match self {
            Self::Success => Outcome::Success,
            Self::Reported(first_failed) => Outcome::Partial { first_failed },
            _ => Outcome::FunctionError,
        }
    }

    /// Whether it counts as an error of the function: one that reports its failures has returned.
    pub(super) const fn is_error(self) -> bool {
        !matches!(self, Self::Success | Self::Reported(_))
    }
}

impl Course {
    /// Lets extensions work for `time` after the response, until the timeout at the latest.
    pub(super) fn extend(&mut self, time: Span, timeout: Span) {
        let left = timeout - self.duration;
        self.post_runtime = time.min(left);
        self.cut_off = time > left;
    }

    /// Lets a torn down environment take this long to shut down.
    pub(super) const fn shut_down(&mut self, time: Span) {
        self.shutdown = time;
    }

    /// How long the caller waits for the answer.
    #[inline]
    pub(super) fn busy(&self) -> Span {
        self.duration + self.init.unwrap_or(Span::ZERO)
    }

    /// How long the environment stays taken after the answer. Rule `post-runtime-extensions`, and for what is torn down
    /// rule `shutdown-occupies-environment`.
    #[inline]
    pub(super) fn lingers(&self) -> Span {
        self.post_runtime + self.shutdown
    }

    /// Rules `timeout-resets-environment` and `crash-resets-environment`.
    #[inline]
    pub(super) const fn fate(&self) -> Fate {
        match self.end {
            End::Timeout | End::Crash | End::InitError => Fate::Reset,
            End::RestoreTimeout => Fate::Destroy,
            End::Success | End::Reported(_) | End::Error if self.cut_off => Fate::Reset,
            End::Success | End::Reported(_) | End::Error => Fate::Keep,
        }
    }

    /// Whether there is more to tell than most invocations have.
    #[inline]
    pub(super) fn is_out_of_the_ordinary(&self) -> bool {
        self.is_snap_start
            || self.post_runtime > Span::ZERO
            || matches!(self.end, End::Crash | End::InitError | End::RestoreTimeout)
    }

    /// What there is to tell then.
    pub(super) fn extraordinary(&self) -> Extraordinary {
        Extraordinary {
            is_snap_start: self.is_snap_start,
            post_runtime: self.post_runtime,
            crashed: self.end == End::Crash,
            init_failed: matches!(self.end, End::InitError | End::RestoreTimeout),
        }
    }

    /// As recorders see it, `waited` after the caller's first attempt.
    #[inline]
    pub(super) fn started(&self, waited: Span, lease: &Lease) -> Started {
        Started {
            duration: self.duration,
            init: self.init,
            is_restore: self.is_restore,
            post_runtime: self.post_runtime,
            waited,
            failed: self.end.is_error(),
            timed_out: self.end == End::Timeout,
            is_provisioned: lease.is_provisioned,
        }
    }
}

/// Keeps the choice of poison records apart from every other use of their hashes.
const POISON_SALT: u64 = 0x706f_6973_6f6e;

impl FunctionModel {
    pub(super) fn new(function: &scenario::Function, seed: u64) -> Self {
        let rng = |what| Rng::stream(seed, &format!("function/{}/{what}", function.name));
        let versions = function.versions.iter();
        Self {
            outlives_timeout: function.managed.is_some(),
            lifecycle: Lifecycle::new(function, seed).map(Box::new),
            versions: versions
                .map(|version| Self::new(&version.code, seed))
                .collect(),
            timeout: function.timeout,
            per_record: function.per_record,
            duration: Sampler::new(&function.duration),
            cold_duration: function.cold_duration.as_ref().map(Sampler::new),
            init: Sampler::new(&function.init),
            error_rate: function.error_rate,
            poison: function.poison,
            is_sound: function.error_rate.is_zero(),
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

    /// Reads of both cache lines that a plain call needs.
    #[inline]
    pub(super) fn glance(&self) -> (u64, bool) {
        (self.duration.glance(), self.is_sound)
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

    /// Sets the faults that are in force for the function and all of its versions.
    pub(super) fn fault(&mut self, error_rate: Option<Ratio>, slower_by: f64) {
        if let Some(rate) = error_rate {
            self.fault_error_rate = rate;
            self.is_sound = self.error_rate.is_zero() && rate.is_zero();
        }
        self.slow_factor *= slower_by;
        let versions = self.versions.iter_mut();
        versions.for_each(|version| version.fault(error_rate, slower_by));
    }

    /// No fault is in force.
    pub(super) fn no_fault(&mut self) {
        (self.fault_error_rate, self.slow_factor) = (Ratio::ZERO, 1.0);
        self.is_sound = self.error_rate.is_zero();
        self.versions.iter_mut().for_each(Self::no_fault);
    }

    /// The course of an invocation with `records` (none for a direct call). Where failures are `reported`, a function
    /// that meets a poison record still works on its whole batch, and on success or failure alike takes as long.
    #[inline(always)]
    pub(super) fn course(
        &mut self,
        lease: &Lease,
        records: &[Record<()>],
        reported: bool,
    ) -> Course {
        match lease.version() {
            None => self.own_course(lease.start, records, reported),
            Some(version) => {
                let crowd_factor = self.crowd_factor;
                let version = &mut self.versions[usize::from(version.0)];
                version.crowd_factor = crowd_factor;
                version.own_course(lease.start, records, reported)
            }
        }
    }

    #[inline(always)]
    fn own_course(&mut self, start: Start, records: &[Record<()>], reported: bool) -> Course {
        let mut duration = Span::from_nanos(self.duration.draw(&mut self.durations));
        let mut phase = Phase::default();
        match start {
            Start::Warm => {}
            Start::Cold => {
                if let Some(cold) = &self.cold_duration {
                    duration = Span::from_nanos(cold.draw(&mut self.durations));
                }
                phase = self.cold_start();
            }
            // A suppressed init is part of the invocation and counts against its timeout.
            Start::Reset => phase.inside = Some(self.init_inside()),
        }
        if !records.is_empty() {
            duration += self.per_record.times(records.len() as u64);
        }
        let mut failed = phase.end;
        if let Some((init, error)) = phase.inside {
            failed = failed.or(error);
            duration = if error.is_some() {
                init
            } else {
                duration + init
            };
        } else if failed.is_some() {
            duration = Span::ZERO;
        }
        let factor = self.slow_factor * self.crowd_factor;
        if factor != 1.0 {
            duration = Span::from_nanos((duration.as_nanos() as f64 * factor) as u64);
        }
        let end = match failed {
            _ if duration > self.timeout => End::Timeout,
            Some(end) => end,
            None => self.end(records, reported),
        };
        let mut course = Course {
            duration: duration.min(self.timeout),
            init: phase.before,
            is_restore: phase.is_restore,
            is_snap_start: false,
            post_runtime: Span::ZERO,
            shutdown: Span::ZERO,
            cut_off: false,
            end,
        };
        if let Some(lifecycle) = &mut self.lifecycle {
            lifecycle.after(&mut course, self.timeout);
        }
        // Rule `managed-timeout-leaves-code`.
        if self.outlives_timeout {
            course.shut_down(duration - self.timeout);
        }
        course
    }

    /// The initialisation of a new environment, before the invocation.
    ///
    /// Rules `init-limit-on-demand`, `init-error-runs-again` and `snap-start-restores`.
    fn cold_start(&mut self) -> Phase {
        if let Some(phase) = self.lifecycle.as_mut().and_then(|one| one.restore()) {
            return phase;
        }
        let init = Span::from_nanos(self.init.draw(&mut self.inits));
        let fails = self.lifecycle.as_mut().is_some_and(|one| one.init_fails());
        let is_killed = init > limits::INIT_MAX;
        Phase {
            before: Some(init.min(limits::INIT_MAX)),
            inside: (fails || is_killed).then(|| self.init_inside()),
            ..Phase::default()
        }
    }

    /// An initialisation within an invocation: how long it takes, and what it ends the invocation with if it fails.
    fn init_inside(&mut self) -> (Span, Option<End>) {
        if let Some(again) = self.lifecycle.as_mut().and_then(|one| one.restore_again()) {
            return (again, None);
        }
        let init = Span::from_nanos(self.init.draw(&mut self.inits));
        let fails = self.lifecycle.as_mut().is_some_and(|one| one.init_fails());
        (init, fails.then_some(End::InitError))
    }

    #[inline]
    fn end(&mut self, records: &[Record<()>], reported: bool) -> End {
        if !self.is_sound {
            let by_itself = self.errors.chance(self.error_rate);
            let by_fault = self.faults.chance(self.fault_error_rate);
            if by_itself || by_fault {
                return End::Error;
            }
        }
        if self.lifecycle.as_mut().is_some_and(|one| one.crashes()) {
            return End::Crash;
        }
        match self.first_poison(records) {
            None => End::Success,
            Some(index) if reported => End::Reported(index),
            Some(_) => End::Error,
        }
    }

    #[inline]
    fn first_poison(&self, records: &[Record<()>]) -> Option<u32> {
        if records.is_empty() || self.poison.is_zero() {
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
