//! The function service: who may run, on which environment, and who is refused.

mod account;
mod alias;
mod asynchronous;
mod autoscaling;
mod bucket;
mod environment;
mod lease;
mod managed;
mod provisioned;
mod reason;
mod tenants;
mod varied;

pub use account::AccountUse;
pub use alias::{AliasLimits, Routing};
pub use asynchronous::{
    AsyncCondition, AsyncFact, AsyncOutcome, AsyncTuning, Attempt, DeadLetter, Ended, EventQueue,
    PayloadTooLarge, check_payload,
};
pub use autoscaling::{Autoscaling, Statistic, TargetTracking, Utilization};
pub use lease::{Fate, Lease, Start};
pub use managed::{ManagedLimits, ManagedThrottles};
pub use provisioned::ProvisionedState;
pub use reason::ThrottleReason;
pub use varied::Lives;

use crate::engine::{Allocation, Growth, Rng, Span, Time, limits};
use bucket::Bucket;
use environment::{Idle, Pool};

/// Names a function: its index in the list that [`Lambda::new`] was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionId(pub u32);

/// Names an alias: its index in the list that [`Lambda::with_aliases`] was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AliasId(pub u32);

/// Names a published version: its index among those that [`Lambda::with_versions`] gave its function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VersionId(pub u16);

/// Names an environment among the living ones of its version, or of its alias and version if it is provisioned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnvironmentId(pub u32);

/// Which idle environment serves the next request (rule `environment-reuse`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Reuse {
    /// The one that was released last, so that unneeded ones expire.
    #[default]
    MostRecent,
    /// The one that was released first.
    LeastRecent,
    /// Any of them, evenly.
    Random,
}

/// Limits of the account in its Region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountLimits {
    /// Concurrent executions over all functions.
    pub concurrency: u32,
    /// Requests per second that the one modelled caller may make; `None` for no limit.
    pub caller_requests_per_sec: Option<u32>,
}

/// What the service is told of one function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionLimits {
    /// Reserved concurrency; 0 refuses everything, `None` uses the account's pool.
    pub reserved_concurrency: Option<u32>,
    /// How long an environment lives without work.
    pub keep_alive: Span,
    /// Which idle environment serves next.
    pub reuse: Reuse,
}

/// Limits that AWS refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// Too little concurrency would stay unreserved (rule `reserved-leaves-100-unreserved`).
    #[error(
        "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [{}].",
        limits::UNRESERVED_CONCURRENCY_MIN
    )]
    UnreservedBelowMinimum {
        /// What would stay unreserved; negative when more is reserved than there is.
        unreserved: i64,
    },
    /// More would be provisioned than the function has reserved (rule `provisioned-within-reserved`).
    #[error(
        "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function"
    )]
    ProvisionedAboveReserved {
        /// Over all aliases of the function.
        provisioned: u64,
        /// Its reserved concurrency.
        reserved: u32,
    },
    /// Too little concurrency would be left for everything that is not provisioned.
    #[error(
        "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [{}].",
        limits::UNRESERVED_CONCURRENCY_MIN
    )]
    ProvisionedAboveAccount {
        /// What would stay unreserved; negative when more is claimed than there is.
        unreserved: i64,
    },
}

/// Whether a request counts against the limits on requests per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rate {
    Counted,
    Free,
}

/// The Lambda service of one account and Region.
///
/// It decides at once: [`admit`](Self::admit) gives a lease or the reason for a refusal, and
/// [`finish`](Self::finish) takes the lease back. Whoever drives it decides how long an invocation takes.
///
/// ```
/// use tidegate::engine::{Profile, Span, Time};
/// use tidegate::engine::lambda::*;
///
/// let account = AccountLimits { concurrency: 1_000, caller_requests_per_sec: None };
/// let function = FunctionLimits { reserved_concurrency: Some(1), keep_alive: Span::from_secs(600), reuse: Reuse::MostRecent };
/// let mut lambda = Lambda::new(account, vec![function], Profile::Current.growth(0), 7)?;
/// let (f, now) = (FunctionId(0), Time::from_secs(1));
///
/// let lease = lambda.admit(now, f).expect("the first request runs");
/// assert_eq!(lease.start, Start::Cold);
/// // The second one is over the reserved concurrency.
/// assert_eq!(lambda.admit(now, f), Err(ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded));
/// lambda.finish(now, lease, Fate::Keep);
/// assert_eq!(lambda.admit(now, f).map(|lease| lease.start), Ok(Start::Warm));
/// # Ok::<(), LimitError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Lambda {
    functions: Vec<Function>,
    aliases: Vec<alias::Alias>,
    allocation: Allocation,
    account_concurrency: u32,
    /// Environments of isolated tenants, over all functions.
    tenant_environments: u32,
    /// What is left of the account's concurrency without reservations, provisioned concurrency included.
    unreserved_limit: u32,
    /// Provisioned concurrency of functions without a reservation.
    unreserved_claimed: u32,
    unreserved_running: u32,
    tally: account::Tally,
    growth: Growth,
    regional: Bucket,
    requests: Bucket,
    caller: Option<Bucket>,
}

/// With a thousand functions, one is seldom in the processor's nearest caches: what a plain request touches comes first,
/// with the pool's own first fields.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
struct Function {
    reserved: Option<u32>,
    /// On demand; what runs on provisioned concurrency is counted there.
    running: u32,
    /// Provisioned concurrency of its aliases.
    claimed: u32,
    aliases: Vec<AliasId>,
    /// On managed instances it has nothing of what follows.
    managed: Option<Box<managed::Managed>>,
    /// Whose its environments are, if it isolates tenants.
    tenants: Option<Box<tenants::Tenants>>,
    /// Of `$LATEST`, and of a function that publishes nothing.
    pool: Pool,
    /// Of each published version (rule `versions-own-environments`).
    versions: Vec<Pool>,
    growth: Bucket,
    requests: Option<Bucket>,
}

impl Function {
    #[inline]
    fn pool(&mut self, version: Option<VersionId>) -> &mut Pool {
        match version {
            None => &mut self.pool,
            Some(version) => &mut self.versions[usize::from(version.0)],
        }
    }

    fn pools(&mut self) -> impl Iterator<Item = &mut Pool> {
        std::iter::once(&mut self.pool).chain(&mut self.versions)
    }
}

impl Lambda {
    /// A service without environments. `seed` matters only for [`Reuse::Random`].
    ///
    /// # Errors
    /// When less than 100 of the account's concurrency would stay unreserved and any is reserved.
    pub fn new(
        account: AccountLimits,
        functions: Vec<FunctionLimits>,
        growth: Growth,
        seed: u64,
    ) -> Result<Self, LimitError> {
        let reserved: i64 = functions
            .iter()
            .filter_map(|function| function.reserved_concurrency)
            .map(i64::from)
            .sum();
        let unreserved = i64::from(account.concurrency) - reserved;
        if reserved > 0 && unreserved < i64::from(limits::UNRESERVED_CONCURRENCY_MIN) {
            return Err(LimitError::UnreservedBelowMinimum { unreserved });
        }
        let bucket = || Bucket::of_growth(growth);
        let functions = functions
            .into_iter()
            .enumerate()
            .map(|(index, function)| Function {
                reserved: function.reserved_concurrency,
                running: 0,
                claimed: 0,
                aliases: Vec::new(),
                growth: bucket(),
                requests: function.reserved_concurrency.map(requests_bucket),
                pool: Pool::new(
                    function.keep_alive,
                    function.reuse,
                    Rng::stream(seed, &format!("lambda/{index}/reuse")),
                ),
                versions: Vec::new(),
                managed: None,
                tenants: None,
            })
            .collect();
        Ok(Self {
            functions,
            aliases: Vec::new(),
            allocation: Allocation {
                preparation: Span::ZERO,
                burst: u32::MAX,
                per_minute: u32::MAX,
            },
            account_concurrency: account.concurrency,
            tenant_environments: 0,
            unreserved_limit: u32::try_from(unreserved).unwrap_or(0),
            unreserved_claimed: 0,
            unreserved_running: 0,
            tally: account::Tally {
                reserved: u32::try_from(reserved).unwrap_or(u32::MAX),
                ..account::Tally::default()
            },
            growth,
            regional: bucket(),
            requests: requests_bucket(account.concurrency),
            caller: account
                .caller_requests_per_sec
                .map(|rate| Bucket::new(rate, rate, Span::from_secs(1))),
        })
    }

    /// Gives a function `count` published versions, each with environments of its own. `seed` as for [`new`](Self::new).
    pub fn with_versions(mut self, function: FunctionId, count: u16, seed: u64) -> Self {
        let f = &mut self.functions[function.0 as usize];
        f.versions = (0..count)
            .map(|version| {
                let label = format!("lambda/{}/{version}/reuse", function.0);
                f.pool.like(Rng::stream(seed, &label))
            })
            .collect();
        self
    }

    /// Lets the lives of a version's environments vary (rule `environment-lifetime`); `None` for `$LATEST`.
    pub fn vary(
        &mut self,
        function: FunctionId,
        version: Option<VersionId>,
        lives: Box<dyn Lives>,
    ) {
        let f = &mut self.functions[function.0 as usize];
        f.pool(version).vary(lives);
    }

    /// Admits a request of `function` at `now`, or says why not. A refused request uses nothing up.
    ///
    /// Rules: `reserved-concurrency`, `account-concurrency`, `requests-per-second`, `growth-regional-2021`,
    /// `growth-function-current`, `growth-tokens-by-initialization-type`.
    ///
    /// # Errors
    /// The reason of the refusal, in AWS's names.
    #[inline(always)]
    pub fn admit(&mut self, now: Time, function: FunctionId) -> Result<Lease, ThrottleReason> {
        self.check_caller(now)?;
        self.on_demand(now, function, (None, None), Rate::Counted)
    }

    #[inline]
    fn check_caller(&mut self, now: Time) -> Result<(), ThrottleReason> {
        if let Some(caller) = &mut self.caller
            && !caller.has_token(now)
        {
            return Err(ThrottleReason::CallerRateLimitExceeded);
        }
        Ok(())
    }

    /// Admits a request to the environments that nobody provisioned.
    #[inline(always)]
    fn on_demand(
        &mut self,
        now: Time,
        function: FunctionId,
        (alias, version): (Option<AliasId>, Option<VersionId>),
        rate: Rate,
    ) -> Result<Lease, ThrottleReason> {
        if self.functions[function.0 as usize].managed.is_some() {
            return self.admit_managed(now, function, rate);
        }
        self.check_limits(now, function, rate)?;
        let f = &mut self.functions[function.0 as usize];
        let (environment, born, start) = match f.pool(version).take(now) {
            Some(idle) if idle.reset => (idle.id, idle.born, Start::Reset),
            Some(idle) => (idle.id, idle.born, Start::Warm),
            None => {
                self.grow(now, function)?;
                let f = &mut self.functions[function.0 as usize];
                (f.pool(version).create(now), now, Start::Cold)
            }
        };
        self.enter(function, rate);
        let environment = EnvironmentId(environment);
        Ok(Lease::new(function, environment, start, born).of(alias, version))
    }

    /// Takes what a new environment of a function costs.
    ///
    /// Rules: `growth-spent-by-new-environments`, `growth-refusal-reason`.
    fn grow(&mut self, now: Time, function: FunctionId) -> Result<(), ThrottleReason> {
        let growth = if self.growth.regional {
            &mut self.regional
        } else {
            &mut self.functions[function.0 as usize].growth
        };
        if !growth.has_token(now) {
            return Err(ThrottleReason::ConcurrentInvocationLimitExceeded);
        }
        growth.take();
        Ok(())
    }

    /// Whether the reservation or the account, and the request rates, have room for one more.
    #[inline(always)]
    fn check_limits(
        &mut self,
        now: Time,
        function: FunctionId,
        rate: Rate,
    ) -> Result<(), ThrottleReason> {
        let f = &mut self.functions[function.0 as usize];
        match (f.reserved, &mut f.requests) {
            (Some(limit), Some(requests)) => {
                // Rule `provisioned-takes-from-reserved`.
                if f.running >= limit.saturating_sub(f.claimed) {
                    return Err(ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded);
                }
                if rate == Rate::Counted && !requests.has_token(now) {
                    return Err(ThrottleReason::ReservedFunctionInvocationRateLimitExceeded);
                }
            }
            _ => {
                // Rule `provisioned-takes-from-unreserved`.
                let limit = self
                    .unreserved_limit
                    .saturating_sub(self.unreserved_claimed);
                if self.unreserved_running >= limit {
                    return Err(ThrottleReason::ConcurrentInvocationLimitExceeded);
                }
            }
        }
        if rate == Rate::Counted && !self.requests.has_token(now) {
            return Err(ThrottleReason::FunctionInvocationRateLimitExceeded);
        }
        Ok(())
    }

    /// Counts a request that runs on demand.
    #[inline(always)]
    fn enter(&mut self, function: FunctionId, rate: Rate) {
        let f = &mut self.functions[function.0 as usize];
        f.running += 1;
        self.tally.running += 1;
        if f.reserved.is_none() {
            self.unreserved_running += 1;
        } else if rate == Rate::Counted
            && let Some(requests) = &mut f.requests
        {
            requests.take();
        }
        self.count_request(rate);
    }

    /// Counts a request against what limits the account and the caller.
    #[inline]
    fn count_request(&mut self, rate: Rate) {
        if rate == Rate::Free {
            return;
        }
        self.requests.take();
        if let Some(caller) = &mut self.caller {
            caller.take();
        }
    }

    /// Takes back a lease whose invocation ended at `now`.
    ///
    /// # Panics
    /// When the function has nothing running: a lease was given back twice.
    #[inline(always)]
    pub fn finish(&mut self, now: Time, lease: Lease, fate: Fate) {
        self.tally.running -= 1;
        if lease.is_provisioned {
            self.finish_provisioned(now, lease, fate);
            return;
        }
        let f = &mut self.functions[lease.function.0 as usize];
        assert!(f.running > 0, "a lease was given back twice");
        f.running -= 1;
        if let Some(managed) = &mut f.managed {
            managed.put(now);
            return;
        }
        if f.reserved.is_none() {
            self.unreserved_running -= 1;
        }
        if f.tenants.is_some() {
            self.finish_tenant(now, lease, fate);
            return;
        }
        let id = lease.environment.0;
        let pool = f.pool(lease.version());
        if fate == Fate::Destroy {
            pool.destroy(id, lease.born, now);
            return;
        }
        pool.put(Idle {
            since: now,
            born: lease.born,
            id,
            reset: fate == Fate::Reset,
        });
    }

    /// Reads of both cache lines that a plain request of a function needs.
    #[inline]
    pub fn glance(&self, function: FunctionId) -> (u32, Option<usize>) {
        let f = &self.functions[function.0 as usize];
        (f.running, f.pool.glance())
    }

    /// Busy environments of a function, provisioned ones included.
    #[inline]
    pub fn running(&self, function: FunctionId) -> u32 {
        let f = &self.functions[function.0 as usize];
        let provisioned = f.aliases.iter().map(|alias| self.in_use(*alias));
        f.running + provisioned.sum::<u32>()
    }

    /// Busy and idle environments of a function at `now`.
    pub fn environments(&mut self, now: Time, function: FunctionId) -> u32 {
        self.expire_tenants(now, function);
        let f = &mut self.functions[function.0 as usize];
        if let Some(tenants) = &f.tenants {
            return f.running + tenants.idle_count() as u32;
        }
        let idle = f.pools().map(|pool| {
            pool.expire(now);
            pool.idle_count() as u32
        });
        let idle = idle.sum::<u32>();
        if let Some(managed) = &mut f.managed {
            return managed.environments(now);
        }
        self.running(function) + idle + self.provisioned_idle(now, function)
    }

    /// Environment-nanoseconds of a function until `now`: the area under the curve of living environments.
    pub fn environment_area(&mut self, now: Time, function: FunctionId) -> u128 {
        self.expire_tenants(now, function);
        let f = &mut self.functions[function.0 as usize];
        if let Some(managed) = &mut f.managed {
            return managed.area(now);
        }
        let pools = f.pools();
        let on_demand = pools.map(|pool| {
            pool.expire(now);
            pool.area(now)
        });
        let on_demand = on_demand.sum::<u128>();
        on_demand + self.provisioned_area(now, function)
    }

    /// The most that a function may run at once: its reserved concurrency, or the unreserved pool.
    pub fn concurrency_limit(&self, function: FunctionId) -> u32 {
        self.functions[function.0 as usize]
            .reserved
            .unwrap_or(self.unreserved_limit)
    }

    /// How many environments of a function expired, and the sum of their lifespans in nanoseconds.
    pub fn lifespans(&self, function: FunctionId) -> (u64, u128) {
        let f = &self.functions[function.0 as usize];
        let pools = std::iter::once(&f.pool).chain(&f.versions);
        pools.fold((0, 0), |(expired, lifespans), pool| {
            (expired + pool.expired, lifespans + pool.lifespans)
        })
    }

    /// Makes ended environments of `$LATEST` available to [`poll_retired`](Self::poll_retired).
    pub fn track_retired(&mut self) {
        for function in &mut self.functions {
            function.pool.track_retired();
        }
    }

    /// Ends idle environments whose keep-alive is over at `now`.
    pub fn expire(&mut self, now: Time) {
        for function in &mut self.functions {
            function.pools().for_each(|pool| pool.expire(now));
        }
    }

    /// An environment that ended since the last call, if it is tracked.
    pub fn poll_retired(&mut self) -> Option<(FunctionId, EnvironmentId)> {
        self.functions
            .iter_mut()
            .enumerate()
            .find_map(|(index, function)| {
                let environment = function.pool.pop_retired()?;
                Some((FunctionId(index as u32), environment))
            })
    }

    /// When the next idle environment expires.
    pub fn next_expiry(&self) -> Option<Time> {
        self.functions
            .iter()
            .filter_map(|function| function.pool.next_expiry())
            .min()
    }
}

/// Rule `requests-per-second`: ten requests a second for each unit of concurrency, with one second of burst.
fn requests_bucket(concurrency: u32) -> Bucket {
    let rate = concurrency.saturating_mul(limits::REQUESTS_PER_SEC_PER_CONCURRENCY);
    Bucket::new(rate, rate, Span::from_secs(1))
}
