//! Scenarios built in code, for tests that compute what they expect.

use tidegate::engine::{Profile, Ratio, Refill, Span, Time};
use tidegate::scenario::{
    Architecture, Arrivals, Costs, Dist, Function, Lifecycle, Rate, RateStep, Region, Reuse,
    Scenario, Trace, Traffic,
};

/// A scenario of one function that nothing limits, without traffic.
pub(crate) fn scenario(duration: Span, function: Function) -> Scenario {
    Scenario {
        title: "built in code".to_owned(),
        hash: "0".repeat(32),
        duration,
        warm_up: Span::ZERO,
        bin: None,
        start: Time::ZERO,
        seed: 1,
        profile: Profile::Current,
        region: Region {
            account_concurrency: 100_000,
            burst_concurrency: 3_000,
            growth_refill: Refill::Continuous,
            caller_requests_per_sec: None,
        },
        functions: vec![function],
        costs: Costs::default(),
        traffic: Vec::new(),
        sources: Vec::new(),
        mappings: Vec::new(),
        faults: Vec::new(),
        events: Vec::new(),
        deployments: Vec::new(),
        gates: Vec::new(),
    }
}

/// A function that starts at once and lives for ten minutes without work.
pub(crate) fn function(duration: Dist) -> Function {
    Function {
        name: "f".to_owned(),
        template: None,
        architecture: Architecture::X86,
        memory_mb: 512,
        timeout: Span::from_secs(900),
        duration,
        cold_duration: None,
        per_record: Span::ZERO,
        dependency_concurrency: None,
        init: Dist::Constant(0.0),
        error_rate: Ratio::ZERO,
        poison: Ratio::ZERO,
        keep_alive: Span::from_secs(600),
        reuse: Reuse::MostRecent,
        reserved_concurrency: None,
        lifecycle: Lifecycle::default(),
        managed: None,
        versions: Vec::new(),
        event_invoke: Default::default(),
        aliases: Vec::new(),
    }
}

pub(crate) fn constant_rate(per_sec: f64) -> Rate {
    Rate {
        steps: vec![RateStep {
            at: Span::ZERO,
            per_sec,
            over: Span::ZERO,
        }],
    }
}

pub(crate) fn poisson(per_sec: f64) -> Traffic {
    calls(Arrivals::Poisson(constant_rate(per_sec)))
}

/// Traffic in which `counts[i]` requests arrive together at the beginning of minute `i`.
pub(crate) fn minutes(counts: &[u32]) -> Traffic {
    let points = counts
        .iter()
        .enumerate()
        .map(|(minute, &count)| (Span::from_secs(60 * minute as u64), count))
        .collect();
    let trace = Trace {
        path: "minutes.csv".into(),
        points,
    };
    calls(Arrivals::Trace(trace.into()))
}

/// Patient callers of the first function, who never try again.
pub(crate) fn calls(arrivals: Arrivals) -> Traffic {
    Traffic {
        function: 0,
        spread: 1,
        alias: None,
        tenants: None,
        invocation: Default::default(),
        arrivals,
        clients: None,
        timeout: None,
        retry: None,
    }
}

/// A lognormal duration with this mean and deviation of the logarithm, in nanoseconds.
pub(crate) fn lognormal(mean: f64, sigma: f64) -> Dist {
    Dist::Lognormal {
        mu: mean.ln() - sigma * sigma / 2.0,
        sigma,
    }
}

/// A Pareto duration with this mean and tail exponent, in nanoseconds.
pub(crate) fn pareto(mean: f64, alpha: f64) -> Dist {
    Dist::Pareto {
        min: mean * (alpha - 1.0) / alpha,
        alpha,
    }
}
