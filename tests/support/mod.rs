//! Scenarios built in code, for tests that compute what they expect.

use tidegate::engine::{Profile, Ratio, Span};
use tidegate::scenario::{
    Arrivals, Dist, Function, Lifecycle, Rate, RateStep, Region, Reuse, Scenario, Trace, Traffic,
};

/// A scenario of one function that nothing limits, without traffic.
pub(crate) fn scenario(duration: Span, function: Function) -> Scenario {
    Scenario {
        title: "built in code".to_owned(),
        hash: "0".repeat(32),
        duration,
        warm_up: Span::ZERO,
        seed: 1,
        profile: Profile::Current,
        region: Region {
            account_concurrency: 100_000,
            burst_concurrency: 3_000,
            caller_requests_per_sec: None,
        },
        functions: vec![function],
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
        memory_mb: 512,
        timeout: Span::from_secs(900),
        duration,
        cold_duration: None,
        per_record: Span::ZERO,
        init: Dist::Constant(0.0),
        error_rate: Ratio::ZERO,
        poison: Ratio::ZERO,
        keep_alive: Span::from_secs(600),
        reuse: Reuse::MostRecent,
        reserved_concurrency: None,
        lifecycle: Lifecycle::default(),
        managed: None,
        versions: Vec::new(),
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
    Traffic {
        function: 0,
        alias: None,
        tenants: None,
        arrivals: Arrivals::Poisson(constant_rate(per_sec)),
        retry: None,
    }
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
    Traffic {
        function: 0,
        alias: None,
        tenants: None,
        arrivals: Arrivals::Trace(trace.into()),
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
