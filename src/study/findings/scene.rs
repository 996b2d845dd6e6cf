//! A finished run as findings look at it: what the file says, what was measured, and what happened over time, joined by subject.

use super::words::count;
use crate::metrics::numbers::seconds;
use crate::metrics::{
    AsyncRow, FunctionRow, FunctionSummary, MappingRow, MappingSeries, MappingSummary, Series,
    Summary,
};
use crate::scenario::{Arrivals, Function, Mapping, Scenario, Source, SourceModel};

/// Over how long a peak is measured, seconds: shorter ones are left to chance.
const PEAK_S: f64 = 10.0;

/// A finished run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) summary: &'a Summary,
    pub(super) series: &'a Series,
    /// Bins of the warm-up, which no figure counts.
    pub(super) skip: usize,
    /// Length of a bin, seconds.
    pub(super) bin_s: f64,
}

/// A function of the run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Worker<'a> {
    pub(super) index: usize,
    pub(super) config: &'a Function,
    pub(super) figures: &'a FunctionSummary,
    /// Without the warm-up.
    pub(super) rows: &'a [FunctionRow],
    pub(super) asynchronous: &'a [AsyncRow],
    /// Concurrency that it may have.
    pub(super) limit: u32,
}

/// A mapping of the run, with its source and its function.
#[derive(Clone, Copy, Debug)]
pub(super) struct Route<'a> {
    pub(super) mapping: &'a Mapping,
    pub(super) source: &'a Source,
    pub(super) figures: &'a MappingSummary,
    /// Without the warm-up.
    pub(super) rows: &'a [MappingRow],
    pub(super) series: &'a MappingSeries,
    pub(super) worker: Worker<'a>,
}

/// How much concurrency the arrivals ask for, by Little's law.
#[derive(Clone, Copy, Debug)]
pub(super) struct Demand {
    /// Requests per second in the busiest ten seconds.
    pub(super) per_sec: f64,
    /// Mean time of a request, seconds.
    pub(super) each_s: f64,
}

impl Demand {
    /// Busy environments on average at the peak.
    pub(super) fn busy(self) -> f64 {
        self.per_sec * self.each_s
    }

    /// The same with three standard deviations of a Poisson count as room.
    pub(super) fn enough(self) -> u32 {
        let busy = self.busy();
        (busy + 3.0 * busy.sqrt()).ceil() as u32
    }

    /// `30.0 requests/s × 2.00 s each, 60 busy on average`.
    pub(super) fn shown(self) -> String {
        format!(
            "{} requests/s at the peak × {} each is {} busy on average (Little's law)",
            count(self.per_sec),
            crate::metrics::numbers::millis(self.each_s * 1e3),
            count(self.busy())
        )
    }
}

impl<'a> Scene<'a> {
    pub(super) fn new(scenario: &'a Scenario, summary: &'a Summary, series: &'a Series) -> Self {
        let bin_s = series.bin.as_secs_f64().max(1e-9);
        Self {
            scenario,
            summary,
            series,
            skip: (series.warm_up.as_secs_f64() / bin_s).round() as usize,
            bin_s,
        }
    }

    /// Functions in file order.
    pub(super) fn workers(self) -> impl Iterator<Item = Worker<'a>> {
        (0..self.scenario.functions.len()).filter_map(move |index| self.worker(index))
    }

    pub(super) fn worker(self, index: usize) -> Option<Worker<'a>> {
        let series = self.series.functions.get(index)?;
        Some(Worker {
            index,
            config: self.scenario.functions.get(index)?,
            figures: &self.summary.functions.get(index)?.1,
            rows: series.rows.get(self.skip..).unwrap_or_default(),
            asynchronous: series.asynchronous.get(self.skip..).unwrap_or_default(),
            limit: series.concurrency_limit,
        })
    }

    /// Mappings in file order.
    pub(super) fn routes(self) -> impl Iterator<Item = Route<'a>> {
        let mappings = self.scenario.mappings.iter().enumerate();
        mappings.filter_map(move |(index, mapping)| {
            let series = self.series.mappings.get(index)?;
            Some(Route {
                mapping,
                source: self.scenario.sources.get(mapping.source)?,
                figures: &self.summary.mappings.get(index)?.1,
                rows: series.rows.get(self.skip..).unwrap_or_default(),
                series,
                worker: self.worker(mapping.function)?,
            })
        })
    }

    /// Bins that make so many seconds, at least one.
    pub(super) fn bins(self, length_s: f64) -> usize {
        ((length_s / self.bin_s).round() as usize).max(1)
    }

    /// When a bin after the warm-up begins, as `4 min 10 s` since the beginning of the run.
    pub(super) fn clock(self, bin: usize) -> String {
        seconds((self.skip + bin) as f64 * self.bin_s)
    }

    /// So many bins as a length of time.
    pub(super) fn length(self, bins: usize) -> String {
        seconds(bins as f64 * self.bin_s)
    }

    /// The largest sum of consecutive values over ten seconds, per second.
    pub(super) fn peak(self, values: impl Iterator<Item = f64>) -> f64 {
        let values: Vec<f64> = values.collect();
        let width = self.bins(PEAK_S).min(values.len().max(1));
        let sums = values.windows(width).map(|part| part.iter().sum::<f64>());
        sums.fold(0.0, f64::max) / (width as f64 * self.bin_s)
    }

    /// What the arrivals ask of a function, if that does not depend on its answers and every request has a place of its own.
    pub(super) fn demand(self, worker: Worker<'a>) -> Option<Demand> {
        let traffic = self.scenario.traffic.iter();
        let closed = traffic
            .filter(|one| one.calls(worker.index))
            .any(|one| one.clients.is_some());
        let shares =
            worker.config.dependency_concurrency.is_some() || worker.config.managed.is_some();
        let each_s = worker.figures.duration.mean.value / 1e3;
        if closed || shares || each_s.is_nan() || each_s <= 0.0 {
            return None;
        }
        let mut per_bin: Vec<f64> = worker.rows.iter().map(|row| row.calls as f64).collect();
        for (sum, row) in per_bin.iter_mut().zip(worker.asynchronous) {
            *sum += row.received as f64;
        }
        for route in self
            .routes()
            .filter(|route| route.worker.index == worker.index)
        {
            let records = route.figures.batch_records.mean.value.max(1.0);
            for (sum, row) in per_bin.iter_mut().zip(route.rows) {
                *sum += row.incoming as f64 * route.passing() / records;
            }
        }
        let per_sec = self.peak(per_bin.into_iter());
        (per_sec > 0.0).then_some(Demand { per_sec, each_s })
    }
}

impl<'a> Worker<'a> {
    pub(super) fn name(self) -> &'a str {
        &self.config.name
    }

    /// Path of one of its settings. Functions of a template share theirs.
    pub(super) fn path(self, key: &str) -> String {
        let name = self.config.template.as_ref().unwrap_or(&self.config.name);
        format!("function.{name}.{key}")
    }

    /// Requests that ran or were refused.
    pub(super) fn requests(self) -> f64 {
        self.figures.invocations.value + self.figures.throttles.value
    }

    /// `checkout.Latency.p99` and the like.
    pub(super) fn measure(self, metric: &str) -> String {
        format!("{}.{metric}", self.config.name)
    }
}

impl<'a> Route<'a> {
    pub(super) fn name(self) -> &'a str {
        &self.mapping.config.name
    }

    /// Path of one of its parameters.
    pub(super) fn path(self, key: &str) -> String {
        format!("mapping.{}.{key}", self.mapping.config.name)
    }

    /// Path of a key of its source.
    pub(super) fn source_path(self, key: &str) -> String {
        format!("source.{}.{key}", self.source.name)
    }

    pub(super) fn measure(self, metric: &str) -> String {
        format!("{}.{metric}", self.mapping.config.name)
    }

    /// The share of records that the filters let pass.
    pub(super) fn passing(self) -> f64 {
        self.mapping.matching.map_or(1.0, |share| share.as_f64())
    }

    pub(super) const fn is_stream(self) -> bool {
        matches!(self.source.kind, SourceModel::Stream(_))
    }

    /// Whether nobody else calls its function, so that what is busy there is its own.
    pub(super) fn alone(self, scene: Scene<'_>) -> bool {
        let callers = scene.scenario.traffic.iter();
        let mappings = scene.scenario.mappings.iter();
        !callers.clone().any(|one| one.calls(self.worker.index))
            && mappings
                .filter(|one| one.function == self.worker.index)
                .count()
                == 1
    }

    /// Whether records arrive at all for so long that something can be said.
    pub(super) fn has_producers(self) -> bool {
        self.source.producers.iter().any(|one| match &one.arrivals {
            Arrivals::Constant(rate) | Arrivals::Poisson(rate) => !rate.steps.is_empty(),
            Arrivals::Trace(trace) => !trace.points.is_empty(),
        })
    }
}
