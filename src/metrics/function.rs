//! Folds what happens to one function into its series and its summary.

use super::histogram::{Histogram, quantiles_of};
use super::{Figure, FunctionRow, FunctionSummary, MeanMax, Percentiles, ThrottleReasons};
use crate::engine::lambda::{ManagedThrottles, ThrottleReason};
use crate::engine::{Span, Time};

/// Counts and times of one function. Bins are rolled by whoever owns the clock.
#[derive(Debug, Default)]
pub struct FunctionRecorder {
    bin: FunctionRow,
    /// Durations of this bin's invocations whose latency is their duration: nearly all of them, so that an
    /// ordinary invocation costs one histogram entry.
    plain: Histogram,
    /// Latencies of the bin's other invocations (cold starts, retried calls).
    other: Histogram,
    total: Totals,
    rows: Vec<FunctionRow>,
    running: Gauge,
    provisioned: Gauge,
    allocated: Gauge,
    /// Provisioned environments replaced until the last bin's end.
    recycled_before: u64,
    managed_before: ManagedThrottles,
    /// Its environments run many requests at once.
    shares_environments: bool,
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
    provisioned: u64,
    spillover: u64,
    scalings_refused: u64,
    /// The most environments at the end of a bin.
    environments: u32,
    duration: Histogram,
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
    /// From the caller's first attempt to the beginning of this invocation.
    pub waited: Span,
    /// Whether it ends in a function error.
    pub failed: bool,
    /// Whether it is cut off by the timeout.
    pub timed_out: bool,
    /// Whether it runs on provisioned concurrency.
    pub is_provisioned: bool,
}

/// A quantity over time: mean and maximum per bin and over the measured part.
#[derive(Clone, Copy, Debug, Default)]
struct Gauge {
    value: u32,
    since: Time,
    bin_area: u64,
    bin_max: u32,
    area: u128,
    max: u32,
}

impl Gauge {
    #[inline]
    fn set(&mut self, now: Time, value: u32) {
        self.bin_area += now.since(self.since).as_nanos() * u64::from(self.value);
        self.since = now;
        self.value = value;
        self.bin_max = self.bin_max.max(value);
    }

    /// Closes the bin that ends at `now` and returns its area and maximum.
    fn roll(&mut self, now: Time) -> (u64, u32) {
        self.set(now, self.value);
        let closed = (self.bin_area, self.bin_max);
        self.area += u128::from(self.bin_area);
        self.max = self.max.max(self.bin_max);
        self.bin_area = 0;
        self.bin_max = self.value;
        closed
    }

    fn mean_max(&self, nanos: f64) -> MeanMax {
        MeanMax {
            mean: Figure::new(self.area as f64 / nanos, 3),
            max: Figure::count(u64::from(self.max)),
        }
    }

    fn restart(&mut self) {
        self.area = 0;
        self.max = self.value;
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

    /// An invocation begins.
    #[inline]
    pub fn started(&mut self, started: &Started) {
        self.bin.invocations += 1;
        self.bin.errors += u64::from(started.failed);
        self.bin.provisioned_invocations += u64::from(started.is_provisioned);
        self.total.timeouts += u64::from(started.timed_out);
        if started.init.is_none() && started.waited == Span::ZERO {
            self.plain.record(started.duration.as_nanos());
        } else {
            self.started_late(started);
        }
    }

    #[cold]
    fn started_late(&mut self, started: &Started) {
        let init = started.init.unwrap_or(Span::ZERO);
        if started.init.is_some() {
            self.bin.cold_starts += 1;
            let total = &mut self.total;
            let kind = if started.is_restore {
                &mut total.restore
            } else {
                &mut total.init
            };
            kind.record(init.as_nanos());
        }
        self.total.duration.record(started.duration.as_nanos());
        let latency = started.waited + init + started.duration;
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

    /// A request was refused.
    #[inline]
    pub fn throttled(&mut self, reason: ThrottleReason) {
        self.bin.throttles[reason as usize] += 1;
    }

    /// A caller tries again.
    pub fn client_retry(&mut self) {
        self.total.client_retries += 1;
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
        self.provisioned.set(now, level.used);
        self.allocated.set(now, level.allocated);
    }

    /// The number of busy environments changed.
    #[inline]
    pub fn running(&mut self, now: Time, running: u32) {
        self.running.set(now, running);
    }

    /// Closes the bin that began `length` before `now`; `environments` are alive at its end.
    pub fn roll(&mut self, now: Time, length: Span, environments: u32) {
        let (area, max) = self.running.roll(now);
        let (provisioned, provisioned_max) = self.provisioned.roll(now);
        let (allocated, _) = self.allocated.roll(now);
        let nanos = length.as_nanos().max(1);
        let latencies = quantiles_of(&[&self.plain, &self.other], [0.5, 0.95, 0.99]);
        let [latency_p50, latency_p95, latency_p99] = latencies.map_or([f64::NAN; 3], |values| {
            values.map(|nanos| nanos as f64 / 1e6)
        });
        let row = FunctionRow {
            concurrency_mean: area as f64 / nanos as f64,
            concurrency_max: max,
            environments,
            provisioned_mean: provisioned as f64 / nanos as f64,
            provisioned_max,
            allocated_mean: allocated as f64 / nanos as f64,
            latency_p50,
            latency_p95,
            latency_p99,
            ..self.bin
        };
        self.rows.push(row);
        self.fold(&row);
        self.bin = FunctionRow::default();
    }

    fn fold(&mut self, row: &FunctionRow) {
        let total = &mut self.total;
        total.invocations += row.invocations;
        total.errors += row.errors;
        total.cold_starts += row.cold_starts;
        total.provisioned += row.provisioned_invocations;
        total.spillover += row.spillover_invocations;
        total.environments = total.environments.max(row.environments);
        for (sum, count) in total.throttles.iter_mut().zip(row.throttles) {
            *sum += count;
        }
        total.duration.merge(&self.plain);
        total.latency.merge(&self.plain);
        total.latency.merge(&self.other);
        self.plain.clear();
        self.other.clear();
    }

    /// Forgets the totals at the end of the warm-up; rows stay. Call it right after a roll.
    pub fn end_warm_up(&mut self) {
        self.total = Totals::default();
        self.running.restart();
        self.provisioned.restart();
        self.allocated.restart();
    }

    /// The series so far.
    pub fn take_rows(&mut self) -> Vec<FunctionRow> {
        std::mem::take(&mut self.rows)
    }

    /// The figures over `measured`, given the area under the curve of living environments over that time, the number
    /// alive when it began, and the expired environments' number and summed lifespans.
    pub fn summary(
        &self,
        measured: Span,
        environment_area: u128,
        environments_at_start: u32,
        expired: (u64, u128),
    ) -> FunctionSummary {
        let total = &self.total;
        let nanos = measured.as_nanos().max(1) as f64;
        let share = |part: u64| part as f64 / total.invocations.max(1) as f64;
        let [account, reserved, rate, reserved_rate, caller] = total.throttles.map(Figure::count);
        let lifespan = expired.1 as f64 / expired.0.max(1) as f64 / 1e9;
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
            provisioned_concurrency_invocations: Figure::count(total.provisioned),
            provisioned_concurrency_spillover_invocations: Figure::count(total.spillover),
            snap_start_invocations: Figure::count(total.snap_start),
            provisioned_concurrent_executions: self.provisioned.mean_max(nanos),
            allocated_provisioned_concurrent_executions: self.allocated.mean_max(nanos),
            provisioned_concurrency_utilization: Figure::new(
                self.provisioned.area as f64 / self.allocated.area.max(1) as f64,
                4,
            ),
            scalings_refused: Figure::count(total.scalings_refused),
            provisioned_recycled: Figure::count(total.recycled),
            crashes: Figure::count(total.crashes),
            init_errors: Figure::count(total.init_errors),
            duration: Percentiles::of_nanos(&total.duration),
            latency: Percentiles::of_nanos(&total.latency),
            init_duration: Percentiles::of_nanos(&total.init),
            restore_duration: Percentiles::of_nanos(&total.restore),
            restores: Figure::count(total.restore.count()),
            post_runtime_extensions_duration: Percentiles::of_nanos(&total.post_runtime),
            concurrent_executions: self.running.mean_max(nanos),
            environments: MeanMax {
                mean: Figure::new(environment_area as f64 / nanos, 3),
                // A new environment is made only when all others are busy, so the most alive at once is the most
                // busy at once, unless more were left from the warm-up or are provisioned.
                max: Figure::count(u64::from(
                    if self.shares_environments {
                        0
                    } else {
                        self.running.max
                    }
                    .max(environments_at_start)
                    .max(total.environments),
                )),
            },
            environment_lifespan_s: Figure::new(lifespan, 3),
        }
    }
}
