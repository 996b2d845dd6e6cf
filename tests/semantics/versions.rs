//! Rules of published versions, weighted aliases and deployments.

use tidegate::engine::lambda::{
    AccountLimits, AliasId, AliasLimits, Fate, FunctionId, FunctionLimits, Lambda, Lease, Reuse,
    Routing, Start, ThrottleReason, VersionId,
};
use tidegate::engine::{Profile, Ratio, Span, Time};
use tidegate::scenario::{Scenario, SourceText, parse};
use tidegate::sim::{self, Outcome};

const F: FunctionId = FunctionId(0);
const ONE: VersionId = VersionId(0);
const TWO: VersionId = VersionId(1);

fn to(version: VersionId) -> Routing {
    Routing {
        version: Some(version),
        additional: None,
    }
}

fn weighted(numerator: u64, denominator: u64) -> Routing {
    let share = Ratio::new(numerator, denominator).expect("a share");
    Routing {
        version: Some(ONE),
        additional: Some((TWO, share)),
    }
}

/// A function with two versions, and an alias for each of these.
fn service(reserved: Option<u32>, aliases: &[(Routing, u32)]) -> Lambda {
    let function = FunctionLimits {
        reserved_concurrency: reserved,
        keep_alive: Span::from_secs(600),
        reuse: Reuse::MostRecent,
    };
    let account = AccountLimits {
        concurrency: 1_000,
        caller_requests_per_sec: None,
    };
    let aliases: Vec<AliasLimits> = (0..)
        .zip(aliases)
        .map(|(stream, (routing, provisioned))| AliasLimits {
            function: F,
            provisioned_concurrency: *provisioned,
            routing: *routing,
            stream,
        })
        .collect();
    let profile = Profile::Current;
    Lambda::new(account, vec![function], profile.growth(0), 1)
        .expect("sound limits")
        .with_versions(F, 2, 1)
        .with_aliases(&aliases, profile.allocation(0))
        .expect("sound limits")
}

#[test]
fn versions_own_environments() {
    let mut lambda = service(Some(2), &[(to(ONE), 0), (to(TWO), 0)]);
    let now = Time::ZERO;
    let admit = |lambda: &mut Lambda, alias| lambda.admit_alias(now, AliasId(alias));
    let first = admit(&mut lambda, 0).expect("there is room");
    assert_eq!((first.start, first.version()), (Start::Cold, Some(ONE)));
    lambda.finish(now, first, Fate::Keep);
    // What the first version left idle serves neither the second nor $LATEST.
    let second = admit(&mut lambda, 1).expect("there is room");
    assert_eq!((second.start, second.version()), (Start::Cold, Some(TWO)));
    let third = admit(&mut lambda, 0).expect("there is room");
    assert_eq!(third.start, Start::Warm);
    // The reservation counts all of them together.
    let refusal = ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded;
    assert_eq!(lambda.admit(now, F), Err(refusal));
    lambda.finish(now, third, Fate::Keep);
    let latest = lambda.admit(now, F).expect("there is room");
    assert_eq!((latest.start, latest.version()), (Start::Cold, None));
    assert_eq!(lambda.environments(now, F), 3);
}

#[test]
fn alias_weights() {
    let mut lambda = service(None, &[(weighted(1, 4), 0)]);
    let mut seconds = 0;
    for index in 0..40_000 {
        let now = Time::from_millis(index);
        let lease = lambda.admit_alias(now, AliasId(0)).expect("there is room");
        seconds += u32::from(lease.version() == Some(TWO));
        lambda.finish(now, lease, Fate::Keep);
    }
    // Four deviations of a binomial share: 4 x sqrt(40,000 x 1/4 x 3/4) = 346.
    assert!(seconds.abs_diff(10_000) < 346, "{seconds}");
    assert_eq!(Ratio::new(1, 3).map(|third| third.of(10)), Some(3));
    assert_eq!(Ratio::new(1, 2).map(|half| half.of(5)), Some(3));
    let pair = (Ratio::new(1, 3), Ratio::new(4, 6));
    assert!(matches!(pair, (Some(a), Some(b)) if a.completes(b)));
}

/// Provisioned requests that run at once by version, out of many.
fn provisioned(lambda: &mut Lambda, now: Time) -> [usize; 2] {
    let leases: Vec<Lease> = (0..200)
        .filter_map(|_| lambda.admit_alias(now, AliasId(0)).ok())
        .collect();
    let of = |version| {
        let own = leases
            .iter()
            .filter(|lease| lease.version() == Some(version));
        own.filter(|lease| lease.is_provisioned).count()
    };
    let found = [of(ONE), of(TWO)];
    for lease in leases {
        lambda.finish(now, lease, Fate::Keep);
    }
    found
}

#[test]
fn alias_weights_spread_provisioned() {
    let mut lambda = service(None, &[(weighted(3, 10), 10)]);
    assert_eq!(provisioned(&mut lambda, Time::from_secs(1)), [7, 3]);
    // The deployment ends: what was the first version's goes at once, the second's comes after 90 s and 7 / 6,000 min.
    let shifted = Time::from_secs(10);
    lambda.route(shifted, AliasId(0), to(TWO));
    assert_eq!(provisioned(&mut lambda, Time::from_secs(20)), [0, 3]);
    let state = lambda.provisioned(Time::from_secs(20), AliasId(0));
    assert_eq!((state.requested, state.allocated), (10, 3));
    let ready = shifted + Span::from_millis(90_070);
    assert_eq!(state.ready_at, Some(ready));
    assert_eq!(provisioned(&mut lambda, ready), [0, 10]);
    assert_eq!(lambda.claimed_account_concurrency(), 10);
}

#[test]
fn provisioned_leases_of_a_version_that_left_come_back_to_it() {
    let mut lambda = service(None, &[(to(ONE), 1)]);
    let lease = lambda.admit_alias(Time::ZERO, AliasId(0)).expect("ready");
    lambda.route(Time::from_secs(1), AliasId(0), to(TWO));
    assert_eq!(lambda.running(F), 1);
    lambda.finish(Time::from_secs(2), lease, Fate::Keep);
    assert_eq!(lambda.running(F), 0);
    assert_eq!(lambda.environments(Time::from_secs(2), F), 0);
}

fn scenario(text: &str) -> Scenario {
    let parsed = parse(SourceText::new("versions.toml", text));
    parsed.unwrap_or_else(|report| panic!("{report}")).scenario
}

fn run(text: &str) -> Outcome {
    sim::run(&scenario(text), 1, &mut ()).expect("sound limits")
}

/// A function whose second version is slower and fails, behind an alias on the first, with 100 calls a second.
const DEPLOYED: &str = r#"
duration = "10m"
[[function]]
name = "f"
duration = "20ms"
init = "1s"
[[function.version]]
number = 1
[[function.version]]
number = 2
duration = "50ms"
error_rate = "100%"
[[function.alias]]
name = "live"
version = "1"
[[traffic]]
function = "f:live"
arrivals = "constant"
rate = 100
[[event]]
at = "1m"
"#;

/// Invocations of each version in the seconds from `from` to `to`.
fn between(outcome: &Outcome, from: usize, to: usize) -> [u64; 2] {
    [0, 1].map(|version: usize| {
        let rows = &outcome.series.versions[version].rows[from..to];
        rows.iter().map(|row| row.invocations).sum()
    })
}

#[test]
fn deployment_shifts_traffic() {
    let canary =
        r#"what = { deploy = { alias = "f:live", to = "2", canary = "10%", interval = "5m" } }"#;
    let outcome = run(&format!("{DEPLOYED}{canary}\n"));
    // The first call comes a hundredth of a second after the beginning.
    assert_eq!(between(&outcome, 0, 60), [5_999, 0]);
    let [before, after] = between(&outcome, 60, 360);
    // Five minutes of one in ten: 3,000, give or take four deviations of 52.
    assert_eq!(before + after, 30_000);
    assert!(after.abs_diff(3_000) < 208, "{after}");
    assert_eq!(between(&outcome, 360, 600), [0, 24_000]);
    let minute = |minutes: u64| Span::from_secs(60 * minutes);
    let bands = [
        ("f:live, 10% to version 2".to_owned(), minute(1), minute(6)),
        ("f:live, all to version 2".to_owned(), minute(6), minute(6)),
    ];
    assert_eq!(outcome.series.events, bands);
}

#[test]
fn a_linear_deployment_takes_equal_steps() {
    let linear =
        r#"what = { deploy = { alias = "f:live", to = 2, linear = "10%", interval = "1m" } }"#;
    let steps = &scenario(&format!("{DEPLOYED}{linear}\n")).deployments[0].steps;
    let seen: Vec<(u64, Option<f64>)> = steps
        .iter()
        .map(|(after, routing)| {
            let share = routing.additional.map(|(_, share)| share.as_f64() * 100.0);
            (after.as_millis() / 60_000, share.map(f64::round))
        })
        .collect();
    let mut expected: Vec<(u64, Option<f64>)> = (1..10_u32)
        .map(|step| (u64::from(step - 1), Some(10.0 * f64::from(step))))
        .collect();
    expected.push((9, None));
    assert_eq!(seen, expected);
    let uneven = linear.replace("10%", "40%");
    let steps = &scenario(&format!("{DEPLOYED}{uneven}\n")).deployments[0].steps;
    assert_eq!(steps.len(), 3);
    let at_once = r#"what = { deploy = { alias = "f:live", to = "2" } }"#;
    let outcome = run(&format!("{DEPLOYED}{at_once}\n"));
    assert_eq!(between(&outcome, 59, 61), [100, 100]);
}

#[test]
fn every_version_has_its_own_behaviour_and_its_own_figures() {
    let canary =
        r#"what = { deploy = { alias = "f:live", to = "2", canary = "10%", interval = "5m" } }"#;
    let outcome = run(&format!(
        "{DEPLOYED}{canary}\n[[traffic]]\nfunction = \"f:1\"\narrivals = \"constant\"\nrate = 1\n[[traffic]]\nfunction = \"f\"\narrivals = \"constant\"\nrate = 1\n"
    ));
    let summary = &outcome.summary;
    let [(one, first), (two, second)] = &summary.versions[..] else {
        panic!("two versions");
    };
    assert_eq!((one.as_str(), two.as_str()), ("f:1", "f:2"));
    assert_eq!(first.errors.value, 0.0);
    assert_eq!(second.errors.value, second.invocations.value);
    assert_eq!(second.error_share.value, 1.0);
    let (_, function) = &summary.functions[0];
    assert_eq!(function.errors.value, second.errors.value);
    // $LATEST has the rest, one call a second.
    let versions = first.invocations.value + second.invocations.value;
    assert_eq!(function.invocations.value, versions + 600.0);
    assert!((first.duration.p50.value - 20.0).abs() < 0.5);
    assert!((second.duration.p50.value - 50.0).abs() < 1.0);
    // Nothing of one version's environments serves another.
    assert!(first.cold_starts.value >= 1.0 && second.cold_starts.value >= 1.0);
}

#[test]
fn every_row_of_a_version_fits_its_heading() {
    let at_once = r#"what = { deploy = { alias = "f:live", to = "2" } }"#;
    let csv = tidegate::report::csv(&run(&format!("{DEPLOYED}{at_once}\n")).series);
    let heading: Vec<&str> = csv.lines().next().expect("a heading").split(',').collect();
    let row = csv
        .lines()
        .find(|line| line.starts_with("100,version,f:2,"));
    let row: Vec<&str> = row.expect("a row").split(',').collect();
    assert_eq!(row.len(), heading.len());
    let value = |column| {
        let place = heading.iter().position(|name| *name == column);
        row[place.expect("a column")]
    };
    assert_eq!(value("invocations"), "100");
    assert_eq!(value("errors"), "100");
    assert_eq!(value("cold_starts"), "0");
    assert!(value("throttles_rate").is_empty() && value("latency_p50_ms").is_empty());
    assert!(value("duration_p50_ms").starts_with("49.9"), "{row:?}");
}
