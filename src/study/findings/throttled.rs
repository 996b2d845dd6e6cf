//! When a function began to refuse requests, which limit it was, and how much concurrency would have sufficed.

use super::scene::{Scene, Worker};
use super::words::{advised, count, finding, set, stretch};
use super::{cold, starvation};
use crate::engine::Profile;
use crate::engine::lambda::ThrottleReason;
use crate::metrics::numbers::percent;
use crate::metrics::{Finding, Setting, Severity};
use crate::scenario::SourceModel;

/// Below this share of requests nobody needs to act.
const SHARE_MIN: f64 = 0.000_1;
/// From this share of a limit on it counts as reached: bins know only their largest value.
const REACHED: f64 = 0.98;

/// Why requests were refused, in more detail than AWS tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit {
    Account,
    Growth,
    Reserved,
    Rate,
    Caller,
    Managed,
}

pub(super) fn of(scene: Scene<'_>, worker: Worker<'_>) -> Option<Finding> {
    let throttles = worker.figures.throttles.value;
    let share = throttles / worker.requests();
    if !(throttles >= 1.0 && share >= SHARE_MIN) {
        return None;
    }
    let refused = |row: &crate::metrics::FunctionRow| row.throttles.iter().sum::<u64>() > 0;
    let (first, last) = stretch(worker.rows.iter().map(refused))?;
    let (limit, reason) = limit(scene, worker, first);
    if limit == Limit::Account
        && let Some(starved) = starvation::of(scene, worker, share)
    {
        return Some(starved);
    }
    let demand = scene.demand(worker);
    let why = match limit {
        Limit::Account => format!(
            "the functions without a reservation had all {} units of the account's concurrency that are theirs",
            count(f64::from(worker.limit))
        ),
        Limit::Growth => growth(scene),
        Limit::Reserved => format!(
            "all {} units of its reserved concurrency were busy",
            count(f64::from(worker.limit))
        ),
        Limit::Rate => format!(
            "a function may begin 10 requests a second for each unit of concurrency, {} here",
            count(f64::from(worker.limit) * 10.0)
        ),
        Limit::Caller => format!(
            "one caller may make {} calls a second",
            count(f64::from(
                scene.scenario.region.caller_requests_per_sec.unwrap_or(0)
            ))
        ),
        Limit::Managed => format!(
            "its environments had no slot ({}) or no CPU ({}) left",
            count(worker.figures.concurrency_throttles.value),
            count(worker.figures.cpu_throttles.value)
        ),
    };
    let needs = demand.map_or_else(String::new, |demand| {
        format!(
            "; {}, and {} leave room for chance",
            demand.shown(),
            count(f64::from(demand.enough()))
        )
    });
    let sentence = format!(
        "{} of {} requests ({}) were refused, the first at {} and the last {} later, because {why} ({}){needs}.",
        count(throttles),
        count(worker.requests()),
        percent(share),
        scene.clock(first),
        scene.length(last - first),
        reason.name()
    );
    let gone = worker.figures.calls_abandoned.value
        + scene
            .routes()
            .filter(|route| route.worker.index == worker.index)
            .map(|route| route.figures.dead_letter_reasons.throttled.value)
            .sum::<f64>();
    let severity = if gone > 0.0 {
        Severity::Problem
    } else {
        Severity::Warning
    };
    let code = match limit {
        Limit::Account => "throttled-by-account",
        Limit::Growth => "throttled-by-growth",
        Limit::Reserved => "throttled-by-reservation",
        Limit::Rate => "throttled-by-request-rate",
        Limit::Caller => "throttled-by-caller-rate",
        Limit::Managed => "throttled-by-environments",
    };
    let found = finding(
        severity,
        code,
        worker.name(),
        worker.measure("Throttles.Sum"),
        sentence,
    );
    let (remedy, changes) = remedy(scene, worker, limit);
    Some(advised(found, remedy, changes))
}

/// The limit behind most refusals, and AWS's name for it.
fn limit(scene: Scene<'_>, worker: Worker<'_>, first: usize) -> (Limit, ThrottleReason) {
    let reasons = &worker.figures.throttle_reasons;
    let counts = [
        reasons.concurrent_invocation_limit_exceeded.value,
        reasons
            .reserved_function_concurrent_invocation_limit_exceeded
            .value,
        reasons.function_invocation_rate_limit_exceeded.value,
        reasons
            .reserved_function_invocation_rate_limit_exceeded
            .value,
        reasons.caller_rate_limit_exceeded.value,
    ];
    let mut most = 0;
    for (index, value) in counts.iter().enumerate() {
        if *value > counts[most] {
            most = index;
        }
    }
    let reason = ThrottleReason::ALL[most];
    let limit = match reason {
        ThrottleReason::ConcurrentInvocationLimitExceeded if worker.config.managed.is_some() => {
            Limit::Managed
        }
        ThrottleReason::ConcurrentInvocationLimitExceeded => pool(scene, worker, first),
        ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded => Limit::Reserved,
        ThrottleReason::FunctionInvocationRateLimitExceeded
        | ThrottleReason::ReservedFunctionInvocationRateLimitExceeded => Limit::Rate,
        ThrottleReason::CallerRateLimitExceeded => Limit::Caller,
    };
    (limit, reason)
}

/// AWS has one reason for two limits: the pool was full, or had room that the function may not grow into yet. The bins with most
/// refusals decide.
fn pool(scene: Scene<'_>, worker: Worker<'_>, first: usize) -> Limit {
    let (mut full, mut free) = (0, 0);
    for (bin, row) in worker.rows.iter().enumerate().skip(first) {
        let refused = row.throttles[0];
        if refused == 0 {
            continue;
        }
        let used = match worker.config.reserved_concurrency {
            Some(_) => f64::from(row.concurrency_max) / f64::from(worker.limit.max(1)),
            None => {
                let account = scene.series.account.get(scene.skip + bin);
                let claimed = account.map_or(0, |account| account.claimed_max);
                f64::from(claimed) / f64::from(scene.series.account_limit.max(1))
            }
        };
        if used >= REACHED {
            full += refused;
        } else {
            free += refused;
        }
    }
    if full >= free {
        Limit::Account
    } else {
        Limit::Growth
    }
}

fn growth(scene: Scene<'_>) -> String {
    match scene.scenario.profile {
        Profile::Current => {
            "it may add 1,000 environments each 10 s and no more, while the account had room"
                .to_owned()
        }
        Profile::Guide2021 => format!(
            "the Region's burst pool of {} was used up, and 500 are added each minute",
            count(f64::from(scene.scenario.region.burst_concurrency))
        ),
    }
}

fn remedy(scene: Scene<'_>, worker: Worker<'_>, limit: Limit) -> (String, Vec<Setting>) {
    if limit == Limit::Reserved || limit == Limit::Account {
        // What a queue holds back costs nothing, so a mapping that asks for no more than there is comes first.
        let mut routes = scene
            .routes()
            .filter(|route| route.worker.index == worker.index);
        let uncapped = routes.find(|route| {
            matches!(route.source.kind, SourceModel::Sqs { .. })
                && route
                    .mapping
                    .config
                    .maximum_concurrency
                    .is_none_or(|cap| cap > worker.limit)
        });
        if let Some(route) = uncapped
            && worker.limit >= 2
            && worker.config.reserved_concurrency.is_some()
        {
            let cap = worker.limit.min(1_000);
            let change = set(
                route.path("ScalingConfig"),
                format!("{{ MaximumConcurrency = {cap} }}"),
            );
            let text = format!(
                "Set ScalingConfig.MaximumConcurrency of {} to {cap} ({}), so that messages wait in the queue and are not received in vain.",
                route.name(),
                route.path("ScalingConfig.MaximumConcurrency")
            );
            return (text, vec![change]);
        }
    }
    let enough = scene.demand(worker).map(super::scene::Demand::enough);
    match (limit, enough) {
        (Limit::Reserved, Some(enough)) if enough > worker.limit => {
            let path = worker.path("reserved_concurrency");
            let text = format!("Raise its reserved concurrency to {enough} ({path}).");
            (text, vec![set(path, enough)])
        }
        (Limit::Reserved, _) if worker.config.dependency_concurrency.is_some() => (
            "What is behind the function has no more to give, so refusing early is right: make callers wait longer before they try again.".to_owned(),
            Vec::new(),
        ),
        (Limit::Reserved, _) => {
            let path = worker.path("reserved_concurrency");
            (format!("Raise its reserved concurrency ({path}), or make its callers retry less."), Vec::new())
        }
        (Limit::Account, Some(enough)) => {
            let most = account_needed(scene, worker, enough);
            let path = "region.account_concurrency".to_owned();
            let text = format!(
                "Ask AWS for a concurrent executions quota of {} ({path}).",
                count(f64::from(most))
            );
            (text, vec![set(path, most)])
        }
        (Limit::Account, None) => (
            "Ask AWS for a larger quota of concurrent executions (region.account_concurrency).".to_owned(),
            Vec::new(),
        ),
        (Limit::Growth, enough) => {
            let (path, changes) = cold::provision(scene, worker, enough.unwrap_or(0));
            let text = format!(
                "Have environments ready before the rush: provisioned concurrency of an alias ({path}), with a scheduled action if the time is known."
            );
            (text, if enough.is_some() { changes } else { Vec::new() })
        }
        (Limit::Rate, _) => {
            let path = match worker.config.reserved_concurrency {
                Some(_) => worker.path("reserved_concurrency"),
                None => "region.account_concurrency".to_owned(),
            };
            let needed = peak_requests(scene, worker);
            let value = (needed / 10.0).ceil().max(f64::from(worker.limit) + 1.0) as u32;
            let text = format!(
                "Requests this short need concurrency for their rate: {} a second at the peak take {} ({path}).",
                count(needed),
                count(f64::from(value))
            );
            (text, vec![set(path, value)])
        }
        (Limit::Caller, _) => (
            "Ask AWS for a larger API rate, or spread the calls over time (region.caller_requests_per_sec).".to_owned(),
            Vec::new(),
        ),
        (Limit::Managed, _) => {
            let path = worker.path("managed_instances.MinExecutionEnvironments");
            (format!("Keep more environments ready ({path}): new ones take minutes."), Vec::new())
        }
    }
}

/// Concurrency of the account with which this function has enough beside what the others used.
fn account_needed(scene: Scene<'_>, worker: Worker<'_>, enough: u32) -> u32 {
    let all = f64::from(scene.series.account_limit);
    let own = worker.figures.concurrent_executions.max.value;
    (all - own + f64::from(enough)).max(all + 1.0).ceil() as u32
}

fn peak_requests(scene: Scene<'_>, worker: Worker<'_>) -> f64 {
    let first = worker.rows.iter().map(|row| row.calls as f64);
    scene.peak(first)
}
