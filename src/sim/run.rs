//! Runs a scenario and gathers its figures.

use super::versions;
use super::world::{Traced, World};
use crate::engine::lambda::{FunctionId, LimitError};
use crate::engine::{MappingConfig, Ratio, Span, Time};
use crate::metrics::{
    EngineSummary, FunctionSeries, MappingSeries, Series, Summary, VersionRecorder,
};
use crate::scenario::{FaultKind, MappingChange, Scenario};

/// What a run gives.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The figures. Gates are evaluated by whoever asked for the run; wall time is theirs to fill in.
    pub summary: Summary,
    /// What happened over time.
    pub series: Series,
    /// Invocations that began, warm-up included.
    pub invocations: u64,
    /// Records read from modelled sources, warm-up included.
    pub records: u64,
}

/// Told how far a run is.
pub trait Progress {
    /// `done` of `total` simulated time is over.
    fn advance(&mut self, done: Span, total: Span);
}

impl Progress for () {
    fn advance(&mut self, _: Span, _: Span) {}
}

/// Scenarios up to this length get bins of a second, longer ones bins of a minute.
const SECOND_BINS_MAX: Span = Span::from_secs(2 * 3_600);
/// And so do those of many functions, as soon as they would have more rows than this.
const ROWS_MAX: u64 = 2_000_000;

/// Runs `scenario` under `seed` from time zero to its end.
///
/// # Errors
/// When the reserved concurrencies leave too little of the account's.
pub fn run(
    scenario: &Scenario,
    seed: u64,
    progress: &mut impl Progress,
) -> Result<Outcome, LimitError> {
    let mut world = World::new(scenario, seed, None)?;
    let subjects = (scenario.functions.len() + scenario.mappings.len()) as u64;
    let rows = scenario.duration.as_nanos() / 1_000_000_000 * subjects;
    let is_short = scenario.duration <= SECOND_BINS_MAX && rows <= ROWS_MAX;
    let usual = Span::from_secs(if is_short { 1 } else { 60 });
    let bin = scenario.bin.unwrap_or(usual);
    let bins = scenario.duration.as_nanos().div_ceil(bin.as_nanos());
    for recorder in &mut world.inner.recorders {
        recorder.expect_bins(bins as usize);
    }
    let end = Time::ZERO + scenario.duration;
    // No bin mixes warm-up and measurement: the warm-up lasts for whole bins.
    let warm_up = Span::from_nanos(scenario.warm_up.as_nanos().next_multiple_of(bin.as_nanos()));
    let warm_up_end = Time::ZERO + warm_up;
    let functions = scenario.functions.len();
    let mut baseline = vec![(0, 0); functions];
    let mut lifespans = vec![(0, 0); functions];
    let mut bin_start = Time::ZERO;
    while bin_start < end {
        let bin_end = (bin_start + bin).min(end);
        world.run_until(bin_end);
        world.roll(bin_end.since(bin_start));
        if bin_end == warm_up_end {
            for index in 0..functions {
                let id = FunctionId(index as u32);
                let lambda = &mut world.inner.lambda;
                baseline[index] = (
                    lambda.environment_area(bin_end, id),
                    lambda.environments(bin_end, id),
                );
                lifespans[index] = lambda.lifespans(id);
            }
            world
                .inner
                .recorders
                .iter_mut()
                .for_each(|recorder| recorder.end_warm_up());
            let versions = world.inner.version_recorders.iter_mut().flatten();
            versions.for_each(VersionRecorder::end_warm_up);
            world.inner.asynchronous.end_warm_up();
            world
                .inner
                .mapping_recorders
                .iter_mut()
                .for_each(|recorder| recorder.end_warm_up());
            world.inner.account.end_warm_up();
        }
        bin_start = bin_end;
        progress.advance(bin_start.since(Time::ZERO), scenario.duration);
    }
    Ok(gather(world, seed, (bin, warm_up), &baseline, &lifespans))
}

/// Runs `scenario` and returns everything that its mappings reported, in order. It is all kept in memory: for short
/// scenarios that are to be looked at closely.
///
/// # Errors
/// As [`run`].
pub fn trace(scenario: &Scenario, seed: u64) -> Result<Vec<Traced>, LimitError> {
    let mut world = World::new(scenario, seed, Some(Vec::new()))?;
    world.run_until(Time::MAX);
    Ok(world.inner.trace.unwrap_or_default())
}

fn gather(
    mut world: World<'_>,
    seed: u64,
    (bin, warm_up): (Span, Span),
    baseline: &[(u128, u32)],
    lifespans: &[(u64, u128)],
) -> Outcome {
    let scenario = world.inner.scenario;
    let measured = scenario.duration - warm_up;
    let mut series = Series {
        bin,
        warm_up,
        start: scenario.start.since(Time::ZERO),
        account: world.inner.account.take_rows(),
        account_limit: scenario.region.account_concurrency,
        functions: Vec::new(),
        versions: Vec::new(),
        mappings: Vec::new(),
        faults: scenario
            .faults
            .iter()
            .map(|fault| {
                (
                    fault_name(scenario, &fault.what),
                    fault.at,
                    fault.at + fault.lasts,
                )
            })
            .collect(),
        events: event_bands(scenario),
    };
    let mut functions = Vec::new();
    for (index, function) in scenario.functions.iter().enumerate() {
        let id = FunctionId(index as u32);
        let lambda = &mut world.inner.lambda;
        let area = lambda.environment_area(world.inner.end, id) - baseline[index].0;
        let (expired, lived) = lambda.lifespans(id);
        let since = (expired - lifespans[index].0, lived - lifespans[index].1);
        let recorder = &mut world.inner.recorders[index];
        recorder.check_little(world.inner.end);
        let mut summary = recorder.summary(measured, area, baseline[index].1, since);
        let (figures, rows) = world.inner.asynchronous.results(index);
        summary.asynchronous = figures;
        functions.push((function.name.clone(), summary));
        series.functions.push(FunctionSeries {
            name: function.name.clone(),
            concurrency_limit: lambda.concurrency_limit(id),
            rows: recorder.take_rows(),
            minutes: recorder.take_minutes(),
            asynchronous: rows,
            latencies: recorder.latencies(),
        });
    }
    let mut versions = Vec::new();
    for (function, recorders) in scenario
        .functions
        .iter()
        .zip(&mut world.inner.version_recorders)
    {
        for (version, recorder) in function.versions.iter().zip(recorders) {
            let name = &version.code.name;
            versions.push((name.clone(), recorder.summary()));
            series.versions.push(recorder.take_series(name));
        }
    }
    let mut mappings = Vec::new();
    for (index, mapping) in scenario.mappings.iter().enumerate() {
        let recorder = &mut world.inner.mapping_recorders[index];
        let MappingConfig { name, source, .. } = &mapping.config;
        mappings.push((name.clone(), recorder.summary(*source)));
        series.mappings.push(MappingSeries {
            function: scenario.functions[mapping.function].name.clone(),
            ..recorder.take_series(name, *source)
        });
    }
    let inner = &world.inner;
    let summary = Summary {
        tidegate: env!("CARGO_PKG_VERSION").to_owned(),
        scenario: scenario.title.clone(),
        scenario_hash: scenario.hash.clone(),
        profile: scenario.profile.name().to_owned(),
        seed,
        replications: 1,
        measured_s: measured.as_secs_f64(),
        cost: super::bill::cost(inner, (warm_up, measured), &mappings, &series),
        functions,
        versions,
        mappings,
        account: inner.account.summary(),
        theory: Vec::new(),
        gates: Vec::new(),
        findings: Vec::new(),
        engine: EngineSummary {
            events: inner.calendar.scheduled() + inner.arrivals_used,
            simulated_s: scenario.duration.as_secs_f64(),
            wall_s: 0.0,
            invocations_per_s: 0.0,
            records_per_s: 0.0,
        },
    };
    Outcome {
        summary,
        series,
        invocations: inner.invocations,
        records: inner.records,
    }
}

/// What was done to mappings, with the stretches in which they were disabled.
fn event_bands(scenario: &Scenario) -> Vec<(String, Span, Span)> {
    let mut bands = Vec::new();
    let mut disabled = vec![None; scenario.mappings.len()];
    let name = |mapping: usize| &scenario.mappings[mapping].config.name;
    let band = |mapping, from, to| (format!("{} disabled", name(mapping)), from, to);
    for event in &scenario.events {
        match &event.what {
            MappingChange::Disable => {
                disabled[event.mapping].get_or_insert(event.at);
            }
            MappingChange::Enable => {
                let since = disabled[event.mapping].take();
                bands.extend(since.map(|since| band(event.mapping, since, event.at)));
            }
            MappingChange::Update(_, words) => {
                let text = format!("{}: {words}", name(event.mapping));
                bands.push((text, event.at, event.at));
            }
        }
    }
    for (mapping, since) in disabled.into_iter().enumerate() {
        bands.extend(since.map(|since| band(mapping, since, scenario.duration)));
    }
    bands.extend(versions::bands(scenario));
    bands.sort_by_key(|(_, from, _)| *from);
    bands.retain(|(_, from, _)| *from < scenario.duration);
    bands
}

fn fault_name(scenario: &Scenario, what: &FaultKind) -> String {
    match what {
        FaultKind::FunctionErrors { function, rate } => {
            let name = &scenario.functions[*function].name;
            format!("{name} errors at {}%", percent(*rate))
        }
        FaultKind::FunctionSlow { function, factor } => {
            format!("{} slower by {factor}", scenario.functions[*function].name)
        }
        FaultKind::SourceThrottled { source, rate } => {
            format!(
                "{} reads throttled at {}%",
                scenario.sources[*source].name,
                percent(*rate)
            )
        }
        FaultKind::DeletionsFail { source, rate } => {
            format!(
                "{} deletions fail at {}%",
                scenario.sources[*source].name,
                percent(*rate)
            )
        }
        FaultKind::CommitsFail { source, rate } => {
            format!(
                "{} commits fail at {}%",
                scenario.sources[*source].name,
                percent(*rate)
            )
        }
        FaultKind::ConnectionsLost { source } => {
            format!("{} out of reach", scenario.sources[*source].name)
        }
        FaultKind::EventDestinationRefuses { function, rate } => {
            format!(
                "destinations of {} refuse {}%",
                scenario.functions[*function].name,
                percent(*rate)
            )
        }
        FaultKind::DestinationRefuses { mapping, rate } => {
            format!(
                "destination of {} refuses {}%",
                scenario.mappings[*mapping].config.name,
                percent(*rate)
            )
        }
    }
}

/// A chance in percent, as short as it can be written.
fn percent(rate: Ratio) -> f64 {
    rate.as_f64() * 100.0
}
