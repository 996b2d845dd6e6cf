//! Rules of provisioned concurrency and of what scales it.

use tidegate::engine::lambda::{
    AccountLimits, AliasId, AliasLimits, Fate, FunctionId, FunctionLimits, Lambda, LimitError,
    Reuse, Routing, Start, ThrottleReason,
};
use tidegate::engine::{Profile, Span, Time};
use tidegate::scenario::{Scenario, SourceText, parse};
use tidegate::sim;

const F: FunctionId = FunctionId(0);
const LIVE: AliasId = AliasId(0);

fn service(
    concurrency: u32,
    reserved: Option<u32>,
    provisioned: &[u32],
) -> Result<Lambda, LimitError> {
    let function = FunctionLimits {
        reserved_concurrency: reserved,
        keep_alive: Span::from_secs(600),
        reuse: Reuse::MostRecent,
    };
    let account = AccountLimits {
        concurrency,
        caller_requests_per_sec: None,
    };
    let aliases: Vec<AliasLimits> = provisioned
        .iter()
        .map(|count| AliasLimits {
            function: F,
            provisioned_concurrency: *count,
            routing: Routing::default(),
            stream: 1,
        })
        .collect();
    let profile = Profile::Current;
    Lambda::new(account, vec![function], profile.growth(0), 1)?
        .with_aliases(&aliases, profile.allocation(0))
}

fn sound(concurrency: u32, reserved: Option<u32>, provisioned: &[u32]) -> Lambda {
    service(concurrency, reserved, provisioned).expect("sound limits")
}

/// Requests to the alias until the first refusal: how many ran provisioned, how many beside, and why no more.
fn fill(lambda: &mut Lambda, now: Time) -> (u32, u32, ThrottleReason) {
    let (mut provisioned, mut beside) = (0, 0);
    loop {
        match lambda.admit_alias(now, LIVE) {
            Ok(lease) if lease.is_provisioned => provisioned += 1,
            Ok(_) => beside += 1,
            Err(reason) => return (provisioned, beside, reason),
        }
    }
}

#[test]
fn provisioned_first_then_spillover() {
    let mut lambda = sound(1_000, None, &[2]);
    let first = lambda.admit_alias(Time::ZERO, LIVE).expect("it is ready");
    assert_eq!((first.start, first.is_provisioned), (Start::Warm, true));
    let second = lambda.admit_alias(Time::ZERO, LIVE).expect("it is ready");
    assert!(second.is_provisioned);
    let third = lambda.admit_alias(Time::ZERO, LIVE).expect("there is room");
    assert_eq!((third.start, third.is_provisioned), (Start::Cold, false));
    // What is free again serves before an idle environment that nobody provisioned.
    lambda.finish(Time::ZERO, third, Fate::Keep);
    lambda.finish(Time::ZERO, first, Fate::Keep);
    let fourth = lambda.admit_alias(Time::ZERO, LIVE).expect("it is ready");
    assert!(fourth.is_provisioned);
    // The function itself never runs there.
    let unqualified = lambda.admit(Time::ZERO, F).expect("there is room");
    assert!(!unqualified.is_provisioned);
    assert_eq!(lambda.running(F), 3);
    assert_eq!(lambda.environments(Time::ZERO, F), 3);
}

#[test]
fn provisioned_takes_from_reserved() {
    let reason = ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded;
    let mut lambda = sound(1_000, Some(5), &[3]);
    assert_eq!(fill(&mut lambda, Time::ZERO), (3, 2, reason));
    // All of the reservation is provisioned: nothing is left for $LATEST.
    let mut lambda = sound(1_000, Some(5), &[5]);
    assert_eq!(lambda.admit(Time::ZERO, F), Err(reason));
    assert_eq!(fill(&mut lambda, Time::ZERO), (5, 0, reason));
}

#[test]
fn provisioned_takes_from_unreserved() {
    let reason = ThrottleReason::ConcurrentInvocationLimitExceeded;
    let mut lambda = sound(300, None, &[120]);
    assert_eq!(lambda.claimed_account_concurrency(), 120);
    assert_eq!(fill(&mut lambda, Time::ZERO), (120, 180, reason));
    assert_eq!(lambda.claimed_account_concurrency(), 300);
    // An increase is set aside from the request on, long before it serves.
    let mut lambda = sound(300, None, &[10]);
    lambda
        .provision(Time::ZERO, LIVE, 200)
        .expect("there is room");
    assert_eq!(fill(&mut lambda, Time::ZERO), (10, 100, reason));
}

#[test]
fn provisioned_within_reserved() {
    let error = service(1_000, Some(5), &[3, 3]).expect_err("six of five");
    assert_eq!(
        error.to_string(),
        "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function"
    );
    let mut lambda = sound(1_000, Some(5), &[3]);
    assert!(lambda.provision(Time::ZERO, LIVE, 6).is_err());
    assert_eq!(lambda.provisioned(Time::ZERO, LIVE).requested, 3);
}

#[test]
fn provisioned_leaves_100_unreserved() {
    let mut lambda = sound(1_000, None, &[900]);
    let error = lambda.provision(Time::ZERO, LIVE, 901).err();
    let expected = LimitError::ProvisionedAboveAccount { unreserved: 99 };
    assert_eq!(error, Some(expected.clone()));
    assert!(
        expected
            .to_string()
            .ends_with("below its minimum value of [100].")
    );
    assert_eq!(lambda.provision(Time::ZERO, LIVE, 0), Ok(()));
}

#[test]
fn provisioned_allocation_speed() {
    let takes = |profile: Profile, count| profile.allocation(3_000).takes(count).as_millis();
    assert_eq!(takes(Profile::Current, 6_000), 150_000);
    assert_eq!(takes(Profile::Guide2021, 3_000), 90_000);
    assert_eq!(takes(Profile::Guide2021, 4_000), 210_000);
}

fn scenario(text: &str) -> Scenario {
    let parsed = parse(SourceText::new("scaled.toml", text));
    parsed.unwrap_or_else(|report| panic!("{report}")).scenario
}

/// Allocated environments at the end of each minute, of 100 at the beginning.
fn allocated(autoscaling: &str, rates: &str, minutes: u32) -> Vec<u32> {
    let text = format!(
        r#"
duration = "{minutes}m"
start = "2026-06-01T07:50:00Z"
[region]
account_concurrency = 5000
[[function]]
name = "f"
duration = "1s"
[[function.alias]]
name = "live"
provisioned_concurrency = 100
[function.alias.autoscaling]
max = 1000
{autoscaling}
[[traffic]]
function = "f:live"
arrivals = "constant"
rate = {rates}
"#
    );
    let outcome = sim::run(&scenario(&text), 1, &mut ()).expect("sound limits");
    let rows = &outcome.series.functions[0].rows;
    rows.chunks(60)
        .map(|minute| minute.last().map_or(0, |row| row.allocated_mean as u32))
        .collect()
}

#[test]
fn utilization_needs_invocations() {
    // Nobody calls after the second minute: the metric has no points, and nothing is taken away.
    let rates = r#"[ { at = "0s", rps = 10 }, { at = "2m", rps = 0 } ]"#;
    let silent = allocated("min = 1\ntarget_utilization = 0.7", rates, 25);
    assert_eq!(silent, vec![100; 25]);
    // One call a second is enough.
    let rates = r#"[ { at = "0s", rps = 1 } ]"#;
    let quiet = allocated("min = 1\ntarget_utilization = 0.7", rates, 17);
    assert_eq!(quiet[..14], vec![100; 14]);
    assert_eq!(quiet[16], 2);
}

#[test]
fn autoscaling_reacts_after_alarm_and_allocation() {
    // 90 requests of a second run at once. The first second of a minute fills up, so that the third minute is the third
    // above 70 %: ceil(100 x 0.9 / 0.7) is asked for at 3:00 and serves 90.29 s later.
    let rates = r#"[ { at = "0s", rps = 90 } ]"#;
    let steps = allocated("min = 1\ntarget_utilization = 0.7", rates, 6);
    assert_eq!(steps, [100, 100, 100, 100, 129, 129]);
}

#[test]
fn autoscaling_schedule_follows_the_calendar() {
    // The scenario begins ten minutes before eight; allocation takes until 8:01:30.
    let plan = r#"min = 1
schedule = [ { schedule = "cron(0 8 * * ? *)", min = 300 }, { at = "15m", min = 1, max = 40 } ]"#;
    let steps = allocated(plan, r#"[ { at = "0s", rps = 1 } ]"#, 17);
    assert_eq!(steps[..11], vec![100; 11]);
    assert_eq!(steps[11..15], [300; 4]);
    assert_eq!(steps[15..], [40; 2]);
}

#[test]
fn aliases_without_provisioned_concurrency_are_the_function() {
    let mut described = scenario(
        "duration = \"1m\"\n[[function]]\nname = \"f\"\nduration = \"10ms\"\n[[function.alias]]\nname = \"live\"\n[[traffic]]\nfunction = \"f:live\"\nrate = 50\n",
    );
    let run = |scenario: &Scenario| {
        let outcome = sim::run(scenario, 1, &mut ()).expect("sound limits");
        let (_, function) = &outcome.summary.functions[0];
        serde_json::to_string(function).expect("figures are plain")
    };
    let through_alias = run(&described);
    described.traffic[0].alias = None;
    assert_eq!(run(&described), through_alias);
}
