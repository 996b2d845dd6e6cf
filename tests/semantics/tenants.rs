//! Rules of tenant isolation.

use tidegate::engine::lambda::{
    AccountLimits, Fate, FunctionId, FunctionLimits, Lambda, Reuse, Start, ThrottleReason,
};
use tidegate::engine::{Profile, Span, Time};
use tidegate::scenario::{SourceText, parse};
use tidegate::sim;

const F: FunctionId = FunctionId(0);

fn service(concurrency: u32, reuse: Reuse) -> Lambda {
    let account = AccountLimits {
        concurrency,
        caller_requests_per_sec: None,
    };
    let function = FunctionLimits {
        reserved_concurrency: None,
        keep_alive: Span::from_secs(600),
        reuse,
    };
    Lambda::new(account, vec![function], Profile::Current.growth(0), 1)
        .expect("sound limits")
        .with_tenants(F)
}

#[test]
fn tenant_isolation() {
    for reuse in [Reuse::MostRecent, Reuse::LeastRecent, Reuse::Random] {
        let mut lambda = service(1_000, reuse);
        let call = |lambda: &mut Lambda, secs, tenant| {
            let now = Time::from_secs(secs);
            let lease = lambda.admit_tenant(now, F, tenant).expect("there is room");
            lambda.finish(now, lease, Fate::Keep);
            lease.start
        };
        assert_eq!(call(&mut lambda, 0, 1), Start::Cold);
        // What one tenant left idle serves it again, and nobody else.
        assert_eq!(call(&mut lambda, 1, 2), Start::Cold);
        assert_eq!(call(&mut lambda, 300, 1), Start::Warm);
        assert_eq!(lambda.environments(Time::from_secs(300), F), 2);
        // Keep-alives run for each of them.
        assert_eq!(call(&mut lambda, 601, 2), Start::Cold);
        assert_eq!(call(&mut lambda, 899, 1), Start::Warm);
        assert_eq!(lambda.lifespans(F), (1, 600_000_000_000));
        assert_eq!(lambda.environments(Time::from_secs(1_201), F), 1);
        assert_eq!(lambda.environments(Time::from_secs(1_499), F), 0);
        // 600 s, 600 s and 1,499 s of life.
        let area = lambda.environment_area(Time::from_secs(1_499), F);
        assert_eq!(area, 2_699_000_000_000);
    }
}

#[test]
fn tenant_environments_are_limited() {
    // An account of 100 may have 250 environments of tenants, idle ones included.
    let mut lambda = service(100, Reuse::MostRecent);
    let mut admitted = 0;
    for tenant in 0..300 {
        let now = Time::from_millis(tenant);
        match lambda.admit_tenant(now, F, tenant) {
            Ok(lease) => {
                admitted += 1;
                lambda.finish(now, lease, Fate::Keep);
            }
            Err(reason) => {
                assert_eq!(reason, ThrottleReason::ConcurrentInvocationLimitExceeded);
            }
        }
    }
    assert_eq!(admitted, 250);
    // Those that have one are served.
    assert!(lambda.admit_tenant(Time::from_secs(1), F, 0).is_ok());
    // And when the others are gone there is room again.
    assert!(lambda.admit_tenant(Time::from_secs(601), F, 299).is_ok());
    let lease = lambda.admit_tenant(Time::from_secs(602), F, 298);
    lambda.finish(Time::from_secs(603), lease.expect("room"), Fate::Destroy);
    assert_eq!(lambda.environments(Time::from_secs(604), F), 2);
}

#[test]
fn isolation_costs_cold_starts() {
    let run = |tenants: &str| {
        let text = format!(
            "duration = \"1h\"\n[[function]]\nname = \"f\"\nduration = \"50ms\"\ninit = \"1s\"\n[[traffic]]\nfunction = \"f\"\nrate = 5\n{tenants}"
        );
        let parsed = parse(SourceText::new("tenants.toml", &text));
        let scenario = parsed.unwrap_or_else(|report| panic!("{report}")).scenario;
        let outcome = sim::run(&scenario, 1, &mut ()).expect("sound limits");
        outcome.summary.functions[0].1.clone()
    };
    let shared = run("");
    let isolated = run("tenants = { zipf = { n = 500, s = 1.0 } }\n");
    assert!(shared.cold_starts.value < 20.0);
    assert!(isolated.cold_starts.value > 400.0);
    assert!(isolated.environments.max.value > 250.0);
    // With a tenant for every call nothing is ever warm.
    let strangers = run("tenants = \"unique\"\n");
    assert_eq!(strangers.cold_starts.value, strangers.invocations.value);
}
