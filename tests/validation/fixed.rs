//! The deterministic anchors of the scaling rules.

use super::rows::{Estimate, Row};
use crate::support::{constant_rate, function, minutes, poisson, scenario};
use tidegate::engine::{Profile, Span};
use tidegate::scenario::{Arrivals, Dist, Traffic};
use tidegate::sim;

/// New environments and throttles of a minute.
type Minute = (u64, u64);

/// The operator guide's minutes: requests of each, and what they come to (new environments, throttles).
const MINUTES: [(&str, &[u32], &[Minute]); 4] = [
    ("10,000 at once", &[10_000], &[(3_000, 7_000)]),
    (
        "5,000 twice",
        &[5_000, 5_000],
        &[(3_000, 2_000), (500, 1_500)],
    ),
    (
        "3,333 three times",
        &[3_333; 3],
        &[(3_000, 333), (333, 0), (0, 0)],
    ),
    (
        "2,500 four times",
        &[2_500; 4],
        &[(2_500, 0), (0, 0), (0, 0), (0, 0)],
    ),
];

pub fn anchors() -> Vec<Row> {
    let mut rows = Vec::new();
    for (name, counts, expected) in MINUTES {
        let minutes = (1..).zip(expected.iter().zip(operator_guide(counts)));
        for (minute, ((new, throttled), (found_new, found_throttled))) in minutes {
            let row = |what: &str, exact: u64, found: u64| {
                let what = format!("{name}: {what} in minute {minute}");
                Row::new(what, exact as f64, Estimate::certain(found as f64))
            };
            rows.push(row("new environments", *new, found_new));
            rows.push(row("throttles", *throttled, found_throttled));
        }
    }
    for (name, profile, burst, exact) in [
        ("2021 rule, burst of 500", Profile::Guide2021, 500, 19.0),
        ("2021 rule, burst of 1,000", Profile::Guide2021, 1_000, 18.0),
        ("2021 rule, burst of 3,000", Profile::Guide2021, 3_000, 14.0),
        ("current rule", Profile::Current, 0, 1.5),
    ] {
        let found = Estimate::certain(minutes_to_ten_thousand(profile, burst));
        let what = format!("{name}: minutes until 10,000 run");
        // Seen at the ends of seconds.
        rows.push(Row::new(what, exact, found).within(0.05));
    }
    rows
}

/// Runs the operator guide's minutes and returns new environments and throttles of each.
fn operator_guide(counts: &[u32]) -> Vec<(u64, u64)> {
    let mut function = function(Dist::Constant(1e9));
    function.keep_alive = Span::from_secs(3_600);
    let mut scenario = scenario(Span::from_secs(60 * counts.len() as u64), function);
    scenario.profile = Profile::Guide2021;
    scenario.region.account_concurrency = 10_000;
    scenario.traffic = vec![minutes(counts)];
    let outcome = sim::run(&scenario, 1, &mut ()).expect("the limits are sound");
    let rows = &outcome.series.functions[0].rows;
    rows.chunks(60)
        .map(|minute| {
            let throttles = minute.iter().flat_map(|row| row.throttles).sum();
            (minute.iter().map(|row| row.cold_starts).sum(), throttles)
        })
        .collect()
}

fn minutes_to_ten_thousand(profile: Profile, burst: u32) -> f64 {
    let mut function = function(Dist::Constant(4_000e9));
    // Calls long enough not to end, and more of them than may run.
    function.timeout = Span::from_secs(4_000);
    let mut scenario = scenario(Span::from_secs(1_500), function);
    scenario.profile = profile;
    scenario.region.burst_concurrency = burst;
    scenario.traffic = vec![Traffic {
        arrivals: Arrivals::Constant(constant_rate(5_000.0)),
        ..poisson(1.0)
    }];
    let outcome = sim::run(&scenario, 1, &mut ()).expect("the limits are sound");
    let rows = &outcome.series.functions[0].rows;
    let reached = rows.iter().position(|row| row.concurrency_max >= 10_000);
    reached.expect("it grows that far") as f64 / 60.0
}
