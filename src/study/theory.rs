//! Erlang's formulas beside the simulated figures, for functions that they describe.
//!
//! The mean duration that goes into them is the simulated one: a timeout and rounding to whole milliseconds change that of
//! the distribution.

use crate::engine::Ratio;
use crate::engine::lambda::AsyncTuning;
use crate::metrics::{Figure, FunctionSummary, Summary, Theory};
use crate::scenario::{Arrivals, Dist, Function, Invocation, Lifecycle, Scenario, Traffic};

/// Cold starts take longer than other invocations; up to this share of them it makes no difference.
const COLD_SHARE_MAX: f64 = 0.01;
/// The warm-up lasts for so many mean durations at least, so that the start from nothing is forgotten.
const WARM_UP_DURATIONS: f64 = 10.0;

/// Erlang B: the share of requests that find all of `servers` busy under an offered load of `load` erlangs, when who
/// finds them busy goes away.
///
/// ```
/// let blocked = tidegate::study::erlang_b(2.0, 3);
/// assert!((blocked - 4.0 / 19.0).abs() < 1e-12);
/// ```
pub fn erlang_b(load: f64, servers: u32) -> f64 {
    (1..=servers).fold(1.0, |blocked, busy| {
        load * blocked / (f64::from(busy) + load * blocked)
    })
}

/// Erlang C: the share that waits when who finds all of `servers` busy waits for one. `load` is below `servers`.
///
/// ```
/// let waits = tidegate::study::erlang_c(2.0, 3);
/// assert!((waits - 4.0 / 9.0).abs() < 1e-12);
/// ```
pub fn erlang_c(load: f64, servers: u32) -> f64 {
    let blocked = erlang_b(load, servers);
    let free = 1.0 - load / f64::from(servers);
    blocked / (free + (1.0 - free) * blocked)
}

/// Everything that has a closed form in this scenario, given its figures. Empty for nearly every scenario: the formulas
/// want Poisson traffic at one rate, a limit that stays, and nothing else that happens.
pub(super) fn theory(scenario: &Scenario, summary: &Summary) -> Vec<Theory> {
    let quiet = scenario.faults.is_empty()
        && scenario.events.is_empty()
        && scenario.deployments.is_empty()
        && scenario.region.caller_requests_per_sec.is_none();
    if !quiet {
        return Vec::new();
    }
    let functions = scenario.functions.iter().enumerate();
    functions
        .zip(&summary.functions)
        .flat_map(|((index, function), (_, figures))| of(scenario, index, function, figures))
        .collect()
}

fn of(
    scenario: &Scenario,
    index: usize,
    function: &Function,
    figures: &FunctionSummary,
) -> Vec<Theory> {
    let Some((rate, traffic)) = only_caller(scenario, index) else {
        return Vec::new();
    };
    let Some(limit) = limit(scenario, function) else {
        return Vec::new();
    };
    let duration_s = figures.duration.mean.value / 1e3;
    let warm_up_s = scenario.warm_up.as_secs_f64();
    let load = rate * duration_s;
    let holds = is_plain(function)
        && figures.cold_start_share.value <= COLD_SHARE_MAX
        && warm_up_s >= WARM_UP_DURATIONS * duration_s
        && load > 0.0
        && limits_only(function, figures, limit);
    if !holds {
        return Vec::new();
    }
    let case = Case {
        function,
        figures,
        rate,
        duration_s,
        load,
        limit,
    };
    match traffic.invocation {
        Invocation::RequestResponse => case.blocking(),
        Invocation::Event => case.waiting(),
    }
}

/// What the formulas are about.
struct Case<'a> {
    function: &'a Function,
    figures: &'a FunctionSummary,
    rate: f64,
    duration_s: f64,
    load: f64,
    limit: u32,
}

impl Case<'_> {
    fn blocking(&self) -> Vec<Theory> {
        let blocked = erlang_b(self.load, self.limit);
        let offered = self.figures.invocations.value + self.figures.throttles.value;
        let refused = ratio(self.figures.throttles, offered);
        let assumptions = format!(
            "requests as a Poisson process of {}/s, each of which occupies one of {} environments for {:.2} ms on average, \
             whatever the law, and is refused for good when all are busy",
            self.rate,
            self.limit,
            self.duration_s * 1e3
        );
        vec![
            self.row("Erlang B", &assumptions, "share refused", blocked, refused),
            self.row(
                "Erlang B",
                &assumptions,
                "busy, mean",
                self.load * (1.0 - blocked),
                self.figures.concurrent_executions.mean,
            ),
        ]
    }

    /// The queue hands an event over at once, so that queue and limit are M/M/c.
    fn waiting(&self) -> Vec<Theory> {
        let tuning = &self.function.event_invoke.tuning;
        let at_once = tuning.duplicates == AsyncTuning::default().duplicates;
        let exponential = matches!(self.function.duration, Dist::Exponential { .. });
        let is_stable = self.load < f64::from(self.limit) && self.figures.throttles.value == 0.0;
        // A timeout would cut the distribution off, and the event would come again.
        let all_succeed = self.figures.errors.value == 0.0;
        if !(at_once && exponential && is_stable && all_succeed) {
            return Vec::new();
        }
        let waits = erlang_c(self.load, self.limit);
        let wait_ms = waits * self.duration_s * 1e3 / (f64::from(self.limit) - self.load);
        let assumptions = format!(
            "events as a Poisson process of {}/s, an exponential duration of {:.2} ms on average, {} environments, and a \
             queue without an end",
            self.rate,
            self.duration_s * 1e3,
            self.limit
        );
        let age = self.figures.asynchronous.async_event_age.mean;
        vec![
            self.row(
                "Erlang C",
                &assumptions,
                "wait in the queue, mean, ms",
                wait_ms,
                age,
            ),
            self.row(
                "Erlang C",
                &assumptions,
                "busy, mean",
                self.load,
                self.figures.concurrent_executions.mean,
            ),
        ]
    }

    fn row(
        &self,
        formula: &str,
        assumptions: &str,
        figure: &str,
        exact: f64,
        simulated: Figure,
    ) -> Theory {
        Theory {
            function: self.function.name.clone(),
            formula: formula.to_owned(),
            assumptions: assumptions.to_owned(),
            figure: figure.to_owned(),
            exact: Figure::new(exact, 6),
            simulated,
        }
    }
}

/// A count as a share of something, its interval too.
fn ratio(count: Figure, whole: f64) -> Figure {
    let whole = whole.max(1.0);
    Figure {
        value: count.value / whole,
        decimals: 6,
        interval: count
            .interval
            .map(|(low, high)| (low / whole, high / whole)),
    }
}

/// The rate of the function's traffic, if it is a Poisson process at one rate and all that calls the function.
fn only_caller(scenario: &Scenario, index: usize) -> Option<(f64, &Traffic)> {
    if scenario
        .mappings
        .iter()
        .any(|mapping| mapping.function == index)
    {
        return None;
    }
    let mut callers = scenario.traffic.iter().filter(|one| one.calls(index));
    let traffic = callers.next().filter(|_| callers.next().is_none())?;
    let Arrivals::Poisson(rate) = &traffic.arrivals else {
        return None;
    };
    let [step] = rate.steps.as_slice() else {
        return None;
    };
    let since_start = step.at.as_nanos() == 0 && step.over.as_nanos() == 0;
    let forgets = traffic.retry.is_none() && traffic.timeout.is_none();
    let plain = traffic.spread == 1
        && traffic.alias.is_none()
        && traffic.tenants.is_none()
        && traffic.clients.is_none();
    (since_start && forgets && plain).then_some((step.per_sec, traffic))
}

/// How many of its environments may be busy at once, all the time.
fn limit(scenario: &Scenario, function: &Function) -> Option<u32> {
    let alone = scenario.functions.len() == 1;
    function
        .reserved_concurrency
        .or_else(|| alone.then_some(scenario.region.account_concurrency))
        .filter(|limit| *limit > 0)
}

/// Whether nothing but the handler's time occupies an environment, and nothing makes it depend on others.
fn is_plain(function: &Function) -> bool {
    let Lifecycle {
        init_error_rate,
        crash_rate,
        restore: _,
        post_runtime,
        shutdown: _,
        keep_alive: _,
        lifetime: _,
    } = &function.lifecycle;
    function.managed.is_none()
        && function.aliases.is_empty()
        && function.dependency_concurrency.is_none()
        && function.cold_duration.is_none()
        && post_runtime.is_none()
        && [*init_error_rate, *crash_rate, function.error_rate] == [Ratio::ZERO; 3]
}

/// Whether the concurrency was what limited the function, if anything did, and not its growth or a rate.
fn limits_only(function: &Function, figures: &FunctionSummary, limit: u32) -> bool {
    let by = &figures.throttle_reasons;
    let others = [
        by.function_invocation_rate_limit_exceeded,
        by.reserved_function_invocation_rate_limit_exceeded,
        by.caller_rate_limit_exceeded,
    ];
    let account = by.concurrent_invocation_limit_exceeded.value;
    let reached = figures.concurrent_executions.max.value >= f64::from(limit);
    let growth = account > 0.0 && (function.reserved_concurrency.is_some() || !reached);
    others.iter().all(|one| one.value == 0.0) && !growth
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{SourceText, parse};
    use crate::sim;
    use crate::study;

    fn theory_of(text: &str) -> Vec<Theory> {
        let loaded = parse(SourceText::new("theory.toml", text)).expect("a sound scenario");
        let run = sim::run(&loaded.scenario, 1, &mut ()).expect("sound limits");
        study::summarise(&loaded.scenario, &[run]).theory
    }

    fn blocking(more: &str) -> String {
        format!(
            "duration = '10m'\nwarm_up = '30s'\nprofile = '2021-09'\n[[function]]\nname = 'f'\ntimeout = '1m'\n\
             duration = {{ gamma = {{ shape = 2.0, mean = '1s' }} }}\ninit = '0ms'\nreserved_concurrency = 20\n{more}"
        )
    }

    /// Textbook values: Erlang's own tables have B(10, 10) = 0.2146 and B(5, 10) = 0.0184.
    #[test]
    fn formulas_agree_with_tables() {
        assert!((erlang_b(10.0, 10) - 0.214_6).abs() < 5e-5);
        assert!((erlang_b(5.0, 10) - 0.018_4).abs() < 5e-5);
        assert_eq!(erlang_b(3.0, 0), 1.0);
        // One server: the share that waits is the load.
        assert!((erlang_c(0.6, 1) - 0.6).abs() < 1e-12);
    }

    #[test]
    fn a_limit_without_retries_is_compared_with_erlang_b() {
        let rows = theory_of(&blocking("[[traffic]]\nfunction = 'f'\nrate = 20\n"));
        let figures: Vec<&str> = rows.iter().map(|row| row.figure.as_str()).collect();
        assert_eq!(figures, ["share refused", "busy, mean"]);
        for row in &rows {
            assert_eq!(row.formula, "Erlang B");
            let (exact, found) = (row.exact.value, row.simulated.value);
            assert!((found / exact - 1.0).abs() < 0.15, "{row:?}");
        }
        assert!(
            rows[0].assumptions.contains("20/s"),
            "{}",
            rows[0].assumptions
        );
    }

    #[test]
    fn events_that_wait_are_compared_with_erlang_c() {
        let text = blocking("[[traffic]]\nfunction = 'f'\nrate = 16\ninvocation = 'Event'\n");
        let text = text.replace(
            "{ gamma = { shape = 2.0, mean = '1s' } }",
            "{ exponential = { mean = '1s' } }",
        );
        let rows = theory_of(&text);
        assert_eq!(rows.len(), 2, "{rows:?}");
        assert_eq!(rows[0].formula, "Erlang C");
        for (row, tolerance) in rows.iter().zip([0.5, 0.03]) {
            let (exact, found) = (row.exact.value, row.simulated.value);
            assert!((found / exact - 1.0).abs() < tolerance, "{row:?}");
        }
        // With a timeout events fail and come again, which is another queue.
        assert!(theory_of(&text.replace("timeout = '1m'", "timeout = '3s'")).is_empty());
    }

    #[test]
    fn where_an_assumption_fails_there_is_no_row() {
        let traffic = "[[traffic]]\nfunction = 'f'\nrate = 20\n";
        for changed in [
            // Callers that come back, two callers, a rate that changes, a fault.
            format!("{traffic}retry = {{ attempts = 2, backoff = '100ms' }}\n"),
            format!("{traffic}{traffic}"),
            "[[traffic]]\nfunction = 'f'\nrate = [{ at = '0s', rps = 20 }, { at = '5m', rps = 30 }]\n".to_owned(),
            format!("{traffic}[[fault]]\nat = '2m'\nfor = '1m'\nwhat = {{ function_errors = {{ function = 'f', rate = '50%' }} }}\n"),
        ] {
            let rows = theory_of(&blocking(&changed));
            assert!(rows.is_empty(), "{changed}: {rows:?}");
        }
        let cold = blocking(traffic).replace("warm_up = '30s'", "warm_up = '1s'");
        assert!(theory_of(&cold).is_empty());
        let fails = blocking(traffic).replace("init = '0ms'", "init = '0ms'\nerror_rate = '10%'");
        assert!(theory_of(&fails).is_empty());
    }
}
