//! Folds what happens to one function into its series and its summary.

mod distribution;

use super::billed::billed_ms;
use super::gauge::{Gauge, Level, LevelTotal};
use super::histogram::Histogram;
use super::samples::Samples;
use super::{
    Billed, DurationMinute, Figure, FunctionRow, FunctionSummary, MeanMax, Percentiles,
    ThrottleReasons,
};
use crate::engine::lambda::{ManagedThrottles, ThrottleReason};
use crate::engine::{Span, Time};

/// Counts and times of one function. Bins are rolled by whoever owns the clock.
///
/// With a thousand functions, a recorder is seldom in the processor's nearest caches. What a plain invocation touches comes
/// first, within three cache lines.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct FunctionRecorder {
    plain_bin: PlainCounts,
    running: Level,
    /// Sum of the ends of leases minus that of their beginnings, in nanoseconds and modulo 2^64.
    leased: u64,
    /// Durations of invocations whose latency is their duration: nearly all of them, so that an ordinary invocation costs
    /// one entry.
    plain: Samples,
    bin: RareCounts,
    /// Latencies of the bin's other invocations (cold starts, retried calls).
    other: Histogram,
    total: Totals,
    rows: Vec<FunctionRow>,
    running_total: LevelTotal,
    provisioned: Gauge,
    allocated: Gauge,
    /// Something is or was provisioned.
    has_provisioned: bool,
    /// Provisioned environments replaced until the last bin's end.
    recycled_before: u64,
    managed_before: ManagedThrottles,
    /// Its environments run many requests at once.
    shares_environments: bool,
    utilization: Utilization,
    minute: Minute,
    minutes: Vec<DurationMinute>,
}

/// Counts of a bin that every call raises.
#[derive(Debug, Default)]
struct PlainCounts {
    calls: u64,
    answered: u64,
    invocations: u64,
    /// Billed time of warm invocations on demand, ms.
    on_demand_ms: u64,
}

/// Counts of a bin that few calls raise: see [`FunctionRow`].
#[derive(Debug, Default)]
struct RareCounts {
    errors: u64,
    cold_starts: u64,
    throttles: [u64; 5],
    provisioned_invocations: u64,
    spillover_invocations: u64,
    abandoned: u64,
    client_retries: u64,
}

/// The largest share of provisioned concurrency that was in use.
#[derive(Clone, Copy, Debug, Default)]
struct Utilization {
    /// In the bin.
    bin: Provisioned,
    /// Over the measured part, 0 to 1.
    max: f64,
}

/// Durations of the present minute. They join the totals when it is over, so that a bin is merged once.
#[derive(Debug, Default)]
struct Minute {
    /// Of invocations whose latency is their duration.
    plain: Histogram,
    /// Of all others.
    late: Histogram,
    /// Of invocations before the end of the warm-up, where that came within the minute.
    warm_up: Histogram,
}

/// Provisioned concurrency of a function over all of its aliases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Provisioned {
    /// Environments at work.
    pub used: u32,
    /// Environments that serve requests.
    pub allocated: u32,
}

#[derive(Debug, Default)]
struct Totals {
    invocations: u64,
    errors: u64,
    timeouts: u64,
    throttles: [u64; 5],
    cold_starts: u64,
    snap_start: u64,
    crashes: u64,
    init_errors: u64,
    recycled: u64,
    managed: ManagedThrottles,
    client_retries: u64,
    calls: u64,
    answered: u64,
    abandoned: u64,
    client_timeouts: u64,
    billed: Billed,
    provisioned: u64,
    spillover: u64,
    scalings_refused: u64,
    /// The most environments at the end of a bin.
    environments: u32,
    /// Durations of invocations whose latency is their duration, and of the others; latencies of the others.
    plain: Histogram,
    late: Histogram,
    latency: Histogram,
    init: Histogram,
    restore: Histogram,
    post_runtime: Histogram,
}

/// What few invocations have, beside [`Started`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Extraordinary {
    /// It runs on an environment that was restored.
    pub is_snap_start: bool,
    /// Time of extensions after the response.
    pub post_runtime: Span,
    /// Its process ended.
    pub crashed: bool,
    /// Its initialisation or restore failed, and so did it.
    pub init_failed: bool,
}

/// An invocation as it begins; its end is known already.
#[derive(Clone, Copy, Debug)]
pub struct Started {
    /// Time of the handler.
    pub duration: Span,
    /// Time of the initialisation before it, for cold starts.
    pub init: Option<Span>,
    /// The initialisation was the restore of a snapshot.
    pub is_restore: bool,
    /// Time of extensions after the response.
    pub post_runtime: Span,
    /// From the caller's first attempt to the beginning of this invocation.
    pub waited: Span,
    /// Whether it ends in a function error.
    pub failed: bool,
    /// Whether it is cut off by the timeout.
    pub timed_out: bool,
    /// Whether it runs on provisioned concurrency.
    pub is_provisioned: bool,
}

impl Utilization {
    /// The larger of two shares of what is allocated, without dividing.
    fn raise(&mut self, level: Provisioned) {
        let product = |used: u32, allocated: u32| u64::from(used) * u64::from(allocated);
        let grows =
            product(level.used, self.bin.allocated) > product(self.bin.used, level.allocated);
        if level.allocated > 0 && (grows || self.bin.allocated == 0) {
            self.bin = level;
        }
    }

    /// The largest share of the bin; the next one begins with `used` of `allocated`.
    fn roll(&mut self, used: u32, allocated: u32) -> f64 {
        let Provisioned {
            used: most,
            allocated: of,
        } = self.bin;
        self.bin = Provisioned { used, allocated };
        // More are in use than allocated while a decrease waits for those at work.
        let share = if of > 0 {
            (f64::from(most) / f64::from(of)).min(1.0)
        } else {
            0.0
        };
        self.max = self.max.max(share);
        share
    }
}

impl FunctionRecorder {
    /// A recorder of a function whose environments run many requests at once, or one at a time.
    pub fn new(shares_environments: bool) -> Self {
        Self {
            shares_environments,
            ..Self::default()
        }
    }

    /// So many bins will follow.
    pub fn expect_bins(&mut self, bins: usize) {
        self.rows.reserve_exact(bins);
    }

    /// Reads of the cache lines that a plain invocation needs.
    #[inline]
    pub fn glance(&self) -> (u64, usize) {
        (self.plain_bin.calls, self.plain.glance())
    }

    /// An invocation begins.
    #[inline]
    pub fn started(&mut self, started: &Started) {
        self.plain_bin.invocations += 1;
        if started.failed {
            self.failed(started);
        }
        if started.init.is_some() || started.is_provisioned {
            self.started_elsewhere(started);
        } else {
            self.plain_bin.on_demand_ms += billed_ms(started);
        }
        if started.init.is_none() && started.waited == Span::ZERO {
            self.plain.record(started.duration.as_nanos());
        } else {
            let init = started.init.unwrap_or(Span::ZERO);
            self.started_late(started, started.waited + init + started.duration);
        }
    }

    fn failed(&mut self, started: &Started) {
        self.bin.errors += 1;
        self.total.timeouts += u64::from(started.timed_out);
    }

    /// On a new environment, or on provisioned concurrency.
    fn started_elsewhere(&mut self, started: &Started) {
        self.bin.provisioned_invocations += u64::from(started.is_provisioned);
        self.total.billed.add(started);
    }

    /// An invocation begins whose caller will stop waiting for it after `patience`.
    #[cold]
    pub fn started_in_vain(&mut self, started: &Started, patience: Span) {
        self.plain_bin.invocations += 1;
        if started.failed {
            self.failed(started);
        }
        self.started_elsewhere(started);
        self.total.client_timeouts += 1;
        self.started_late(started, started.waited + patience);
    }

    #[cold]
    fn started_late(&mut self, started: &Started, latency: Span) {
        if let Some(init) = started.init {
            self.bin.cold_starts += 1;
            let total = &mut self.total;
            let kind = if started.is_restore {
                &mut total.restore
            } else {
                &mut total.init
            };
            kind.record(init.as_nanos());
        }
        self.minute.late.record(started.duration.as_nanos());
        self.other.record(latency.as_nanos());
    }

    /// An invocation that just [`started`](Self::started) has more to tell.
    #[cold]
    pub fn extraordinary(&mut self, told: &Extraordinary) {
        self.total.snap_start += u64::from(told.is_snap_start);
        self.total.crashes += u64::from(told.crashed);
        self.total.init_errors += u64::from(told.init_failed);
        if told.post_runtime > Span::ZERO {
            self.total.post_runtime.record(told.post_runtime.as_nanos());
        }
    }

    /// So many provisioned environments were replaced since the beginning of the run.
    pub fn recycled(&mut self, since_start: u64) {
        self.total.recycled += since_start - self.recycled_before;
        self.recycled_before = since_start;
    }

    /// So many requests were refused for want of managed capacity since the beginning of the run.
    pub fn managed_throttles(&mut self, since_start: ManagedThrottles) {
        let before = std::mem::replace(&mut self.managed_before, since_start);
        self.total.managed.concurrency += since_start.concurrency - before.concurrency;
        self.total.managed.cpu += since_start.cpu - before.cpu;
    }

    /// A caller makes a call's first attempt, or a further one.
    #[inline]
    pub fn attempted(&mut self, is_first: bool) {
        self.plain_bin.calls += u64::from(is_first);
    }

    /// A call is answered in time and without an error.
    #[inline]
    pub fn answered(&mut self) {
        self.plain_bin.answered += 1;
    }

    /// A caller gives a call up.
    pub fn abandoned(&mut self) {
        self.bin.abandoned += 1;
    }

    /// A request was refused.
    #[inline]
    pub fn throttled(&mut self, reason: ThrottleReason) {
        self.bin.throttles[reason as usize] += 1;
    }

    /// A caller tries again.
    pub fn client_retry(&mut self) {
        self.bin.client_retries += 1;
    }

    /// A request to an alias found its provisioned concurrency busy, and runs without it.
    pub fn spilled_over(&mut self) {
        self.bin.spillover_invocations += 1;
    }

    /// Autoscaling asked for more provisioned concurrency than there is.
    pub fn scaling_refused(&mut self) {
        self.total.scalings_refused += 1;
    }

    /// Provisioned concurrency became busy, free, ready or was taken away.
    pub fn provisioned(&mut self, now: Time, level: Provisioned) {
        self.has_provisioned = true;
        self.provisioned.level.set(now, level.used);
        self.allocated.level.set(now, level.allocated);
        self.utilization.raise(level);
    }

    /// A lease begins, after which `running` environments are busy.
    #[inline]
    pub fn occupied(&mut self, now: Time, running: u32) {
        self.leased = self.leased.wrapping_sub(now.as_nanos());
        self.running.set(now, running);
    }

    /// A lease ends, after which `running` environments are busy.
    #[inline]
    pub fn freed(&mut self, now: Time, running: u32) {
        self.leased = self.leased.wrapping_add(now.as_nanos());
        self.running.set(now, running);
    }

    /// Little's law without its averages: the area under the curve of busy environments is the sum of the times for
    /// which leases lasted, those that last at `now` included. Call it right after a roll.
    ///
    /// # Panics
    /// When it is not, to the nanosecond: then some environment was counted busy that was not, or the other way round.
    pub fn check_little(&self, now: Time) {
        let area = (self.running_total.before + self.running_total.area) as u64;
        let last = u64::from(self.running.value).wrapping_mul(now.as_nanos());
        let leased = self.leased.wrapping_add(last);
        assert_eq!(
            area, leased,
            "the area under the busy environments is not the leases' time"
        );
    }

    /// Closes the bin that began `length` before `now`; `environments` are alive at its end.
    pub fn roll(&mut self, now: Time, length: Span, environments: u32) {
        let (area, max) = self.running.roll(now, &mut self.running_total);
        let nanos = length.as_nanos().max(1);
        let latencies = self.plain.quantiles(&self.other, [0.5, 0.95, 0.99]);
        let [latency_p50, latency_p95, latency_p99] = latencies.map_or([f64::NAN; 3], |values| {
            values.map(|nanos| nanos as f64 / 1e6)
        });
        let plain = std::mem::take(&mut self.plain_bin);
        let rare = std::mem::take(&mut self.bin);
        let mut row = FunctionRow {
            invocations: plain.invocations,
            calls: plain.calls,
            answered: plain.answered,
            errors: rare.errors,
            cold_starts: rare.cold_starts,
            throttles: rare.throttles,
            provisioned_invocations: rare.provisioned_invocations,
            spillover_invocations: rare.spillover_invocations,
            abandoned: rare.abandoned,
            client_retries: rare.client_retries,
            concurrency_mean: area as f64 / nanos as f64,
            concurrency_max: max,
            environments,
            latency_p50,
            latency_p95,
            latency_p99,
            ..FunctionRow::default()
        };
        if self.has_provisioned {
            let (provisioned, most) = self.provisioned.roll(now);
            let (allocated, _) = self.allocated.roll(now);
            row.provisioned_mean = provisioned as f64 / nanos as f64;
            row.provisioned_max = most;
            row.allocated_mean = allocated as f64 / nanos as f64;
            let (used, allocated) = (self.provisioned.level.value, self.allocated.level.value);
            row.utilization_max = self.utilization.roll(used, allocated);
        }
        self.rows.push(row);
        self.plain.close_bin(&mut self.minute.plain);
        self.total.billed.on_demand_ms += plain.on_demand_ms;
        if now
            .as_nanos()
            .is_multiple_of(Span::from_secs(60).as_nanos())
        {
            self.close_minute();
        }
        self.fold(&row);
    }

    fn fold(&mut self, row: &FunctionRow) {
        let total = &mut self.total;
        total.invocations += row.invocations;
        total.errors += row.errors;
        total.cold_starts += row.cold_starts;
        total.calls += row.calls;
        total.answered += row.answered;
        total.abandoned += row.abandoned;
        total.client_retries += row.client_retries;
        total.provisioned += row.provisioned_invocations;
        total.spillover += row.spillover_invocations;
        total.environments = total.environments.max(row.environments);
        for (sum, count) in total.throttles.iter_mut().zip(row.throttles) {
            *sum += count;
        }
        if self.other.count() > 0 {
            total.latency.merge(&self.other);
            self.other.clear();
        }
    }

    /// Forgets the totals at the end of the warm-up; rows stay. Call it right after a roll.
    pub fn end_warm_up(&mut self) {
        self.plain.drain_into(&mut self.minute.plain);
        let Minute {
            plain,
            late,
            warm_up,
        } = &mut self.minute;
        for part in [plain, late] {
            warm_up.merge(part);
            part.clear();
        }
        self.total = Totals::default();
        self.running_total.restart(self.running.value);
        for gauge in [&mut self.provisioned, &mut self.allocated] {
            gauge.total.restart(gauge.level.value);
        }
        self.utilization.max = 0.0;
    }

    fn close_minute(&mut self) {
        let minute = &self.minute;
        let parts = [&minute.plain, &minute.late, &minute.warm_up];
        if parts.iter().all(|part| part.count() == 0) {
            // All of its values are still kept one by one.
            self.minutes
                .push(DurationMinute::of_ordered(self.plain.kept()));
            self.plain.drain_into(&mut self.total.plain);
            return;
        }
        self.plain.drain_into(&mut self.minute.plain);
        let Minute {
            plain,
            late,
            warm_up,
        } = &mut self.minute;
        self.minutes
            .push(DurationMinute::of(&[plain, late, warm_up]));
        self.total.plain.merge(plain);
        self.total.late.merge(late);
        for part in [plain, late, warm_up] {
            part.clear();
        }
    }

    /// The durations of each minute so far, the last one as far as it got.
    pub fn take_minutes(&mut self) -> Vec<DurationMinute> {
        self.plain.drain_into(&mut self.minute.plain);
        let Minute {
            plain,
            late,
            warm_up,
        } = &self.minute;
        if plain.count() + late.count() + warm_up.count() > 0 {
            self.close_minute();
        }
        std::mem::take(&mut self.minutes)
    }

    /// The series so far.
    pub fn take_rows(&mut self) -> Vec<FunctionRow> {
        std::mem::take(&mut self.rows)
    }

    /// The figures over `measured`, given the area under the curve of living environments over that time, the number
    /// alive when it began, and the expired environments' number and summed lifespans.
    pub fn summary(
        &mut self,
        measured: Span,
        environment_area: u128,
        environments_at_start: u32,
        expired: (u64, u128),
    ) -> FunctionSummary {
        self.plain.drain_into(&mut self.minute.plain);
        let total = &self.total;
        let nanos = measured.as_nanos().max(1) as f64;
        let share = |part: u64| part as f64 / total.invocations.max(1) as f64;
        let of_calls = |part: u64| part as f64 / total.calls.max(1) as f64;
        let [account, reserved, rate, reserved_rate, caller] = total.throttles.map(Figure::count);
        let lifespan = expired.1 as f64 / expired.0.max(1) as f64 / 1e9;
        let plain = [&total.plain, &self.minute.plain];
        let durations = [plain[0], plain[1], &total.late, &self.minute.late];
        let latencies = [plain[0], plain[1], &total.latency];
        FunctionSummary {
            invocations: Figure::count(total.invocations),
            errors: Figure::count(total.errors),
            timeouts: Figure::count(total.timeouts),
            throttles: Figure::count(total.throttles.iter().sum()),
            concurrency_throttles: Figure::count(total.managed.concurrency),
            cpu_throttles: Figure::count(total.managed.cpu),
            throttle_reasons: ThrottleReasons {
                concurrent_invocation_limit_exceeded: account,
                reserved_function_concurrent_invocation_limit_exceeded: reserved,
                function_invocation_rate_limit_exceeded: rate,
                reserved_function_invocation_rate_limit_exceeded: reserved_rate,
                caller_rate_limit_exceeded: caller,
            },
            cold_starts: Figure::count(total.cold_starts),
            cold_start_share: Figure::new(share(total.cold_starts), 6),
            client_retries: Figure::count(total.client_retries),
            calls: Figure::count(total.calls),
            calls_answered: Figure::count(total.answered),
            calls_answered_share: Figure::new(of_calls(total.answered), 6),
            calls_abandoned: Figure::count(total.abandoned),
            client_timeouts: Figure::count(total.client_timeouts),
            attempts_per_call: Figure::new(of_calls(total.calls + total.client_retries), 4),
            provisioned_concurrency_invocations: Figure::count(total.provisioned),
            provisioned_concurrency_spillover_invocations: Figure::count(total.spillover),
            snap_start_invocations: Figure::count(total.snap_start),
            provisioned_concurrent_executions: self.provisioned.total.mean_max(nanos),
            allocated_provisioned_concurrent_executions: self.allocated.total.mean_max(nanos),
            provisioned_concurrency_utilization: MeanMax {
                mean: Figure::new(
                    self.provisioned.total.area as f64 / self.allocated.total.area.max(1) as f64,
                    4,
                ),
                max: Figure::new(self.utilization.max, 4),
            },
            scalings_refused: Figure::count(total.scalings_refused),
            provisioned_recycled: Figure::count(total.recycled),
            crashes: Figure::count(total.crashes),
            init_errors: Figure::count(total.init_errors),
            duration: Percentiles::of_parts(&durations),
            latency: Percentiles::of_parts(&latencies),
            init_duration: Percentiles::of_nanos(&total.init),
            restore_duration: Percentiles::of_nanos(&total.restore),
            restores: Figure::count(total.restore.count()),
            post_runtime_extensions_duration: Percentiles::of_nanos(&total.post_runtime),
            concurrent_executions: self.running_total.mean_max(nanos),
            environments: MeanMax {
                mean: Figure::new(environment_area as f64 / nanos, 3),
                // A new environment is made only when all others are busy, so the most alive at once is the most
                // busy at once, unless more were left from the warm-up or are provisioned.
                max: Figure::count(u64::from(
                    if self.shares_environments {
                        0
                    } else {
                        self.running_total.max
                    }
                    .max(environments_at_start)
                    .max(total.environments),
                )),
            },
            environment_lifespan_s: Figure::new(lifespan, 3),
            ..FunctionSummary::default()
        }
    }
}
