//! The Lambda service that the processes of one poller file share: one account, one Region, the engine's own machine.

use crate::engine::Time;
use crate::engine::lambda::{
    AccountLimits, AliasId, AliasLimits, EnvironmentId, Fate, FunctionId, FunctionLimits, Lambda,
    Lease, LimitError, Reuse, Routing, ThrottleReason,
};
use crate::poll::Clock;
use crate::scenario::{self, PollerFile, TargetKind};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The account's limits where the file states none: high enough never to matter, since AWS's limits protect a service that
/// this machine is not.
const UNLIMITED: u32 = 10_000_000;

/// Admits requests to processes by the limits of `[region]` and of the targets, in real time.
#[derive(Debug)]
pub struct Region {
    state: Mutex<State>,
    clock: Clock,
    functions: Vec<Function>,
    /// Told of every end of an invocation.
    freed: Notify,
}

/// Whom a request goes to, and what this machine can do at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Callee {
    pub(super) function: FunctionId,
    pub(super) alias: Option<AliasId>,
    /// Invocations of the function at once: a limit of this machine, not of AWS.
    pub(super) at_once: u32,
}

#[derive(Debug)]
struct State {
    lambda: Lambda,
    /// Ended environments of each function that it was not told of yet.
    retired: Vec<Vec<EnvironmentId>>,
}

#[derive(Debug)]
struct Function {
    name: String,
    aliases: Vec<(String, AliasId)>,
}

impl Region {
    /// The Region of a poller file.
    ///
    /// # Errors
    /// Limits that AWS refuses: reservations above the account, provisioned concurrency above the reservation.
    pub fn open(file: &PollerFile, clock: Clock) -> Result<Self, LimitError> {
        let account = AccountLimits {
            concurrency: file
                .region
                .map_or(UNLIMITED, |region| region.account_concurrency),
            caller_requests_per_sec: file
                .region
                .and_then(|region| region.caller_requests_per_sec),
        };
        let burst = file
            .region
            .map_or(UNLIMITED, |region| region.burst_concurrency);
        let mut functions = Vec::new();
        let mut limits = Vec::new();
        let mut aliases = Vec::new();
        let processes = file
            .targets
            .iter()
            .filter(|target| matches!(target.kind, TargetKind::Process { .. }));
        for (id, target) in (0..).map(FunctionId).zip(processes) {
            limits.push(FunctionLimits {
                reserved_concurrency: target.limits.reserved_concurrency,
                keep_alive: target.limits.keep_alive,
                reuse: Reuse::MostRecent,
            });
            functions.push(Function {
                name: target.function.clone(),
                aliases: named(target, aliases.len()),
            });
            aliases.extend(target.limits.aliases.iter().map(|alias| AliasLimits {
                function: id,
                provisioned_concurrency: alias.provisioned_concurrency,
                // A process has one version, so nothing is ever drawn.
                routing: Routing::default(),
                stream: 0,
            }));
        }
        let growth = file.profile.growth(burst);
        let allocation = file.profile.allocation(burst);
        let mut lambda = Lambda::new(account, limits, growth, file.poller.seed)?
            .with_aliases(&aliases, allocation)?;
        lambda.track_retired();
        let retired = vec![Vec::new(); functions.len()];
        Ok(Self {
            state: Mutex::new(State { lambda, retired }),
            clock,
            functions,
            freed: Notify::new(),
        })
    }

    /// The number of a function; `None` for one that is no process.
    pub(super) fn function(&self, name: &str) -> Option<FunctionId> {
        let index = self.functions.iter().position(|f| f.name == name)?;
        u32::try_from(index).ok().map(FunctionId)
    }

    /// The alias of a function that `qualifier` names.
    pub(super) fn alias(&self, function: FunctionId, qualifier: &str) -> Option<AliasId> {
        let aliases = &self.functions[function.0 as usize].aliases;
        let (_, id) = aliases.iter().find(|(name, _)| name == qualifier)?;
        Some(*id)
    }

    /// Every alias of a function.
    pub(super) fn aliases(&self, function: FunctionId) -> impl Iterator<Item = AliasId> + '_ {
        let aliases = &self.functions[function.0 as usize].aliases;
        aliases.iter().map(|(_, id)| *id)
    }

    /// Admits a request now, unless as much of the function runs as can at once.
    ///
    /// # Errors
    /// The reason for the refusal.
    pub(super) fn admit(&self, callee: Callee) -> Result<Lease, ThrottleReason> {
        self.admit_by(callee, |lambda, now| match callee.alias {
            Some(alias) => lambda.admit_alias(now, alias),
            None => lambda.admit(now, callee.function),
        })
    }

    /// Admits an asynchronous event: no request rate limits it, and it uses up none.
    ///
    /// # Errors
    /// The reason for the refusal.
    pub(super) fn admit_event(&self, callee: Callee) -> Result<Lease, ThrottleReason> {
        self.admit_by(callee, |lambda, now| {
            lambda.admit_event(now, callee.function, callee.alias)
        })
    }

    fn admit_by(
        &self,
        callee: Callee,
        admit: impl FnOnce(&mut Lambda, Time) -> Result<Lease, ThrottleReason>,
    ) -> Result<Lease, ThrottleReason> {
        let lambda = &mut self.lock().lambda;
        // Behind the lock, so that time does not go back between two requests.
        let now = self.clock.now();
        if lambda.running(callee.function) >= callee.at_once {
            return Err(ThrottleReason::ConcurrentInvocationLimitExceeded);
        }
        admit(lambda, now)
    }

    /// Whether an event could be admitted, as far as that is known of the function alone.
    pub(super) fn has_room_for_event(&self, callee: Callee) -> bool {
        let lambda = &mut self.lock().lambda;
        let now = self.clock.now();
        lambda.running(callee.function) < callee.at_once
            && lambda.has_room_for_event(now, callee.function, callee.alias)
    }

    /// Waits until an invocation of any process has ended since the last call. For one waiter only.
    pub async fn freed(&self) {
        self.freed.notified().await;
    }

    /// Takes a lease back, and lets `keep` do what must happen before the environment can serve again.
    pub(super) fn finish(&self, lease: Lease, fate: Fate, keep: impl FnOnce()) {
        {
            let lambda = &mut self.lock().lambda;
            keep();
            let now = self.clock.now();
            lambda.finish(now, lease, fate);
        }
        self.freed.notify_one();
    }

    /// How many environments of an alias are kept ready.
    pub(super) fn provisioned(&self, alias: AliasId) -> u32 {
        let now = self.clock.now();
        self.lock().lambda.provisioned(now, alias).allocated
    }

    /// Environments of a function whose keep-alive is over since the last call.
    pub(super) fn retired(&self, function: FunctionId) -> Vec<EnvironmentId> {
        let State { lambda, retired } = &mut *self.lock();
        lambda.expire(self.clock.now());
        while let Some((function, environment)) = lambda.poll_retired() {
            retired[function.0 as usize].push(environment);
        }
        std::mem::take(&mut retired[function.0 as usize])
    }

    #[cfg(test)]
    pub(super) fn running(&self, function: FunctionId) -> u32 {
        self.lock().lambda.running(function)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The machine asserts before it changes anything, so a poisoned one is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The aliases of a target, numbered behind those of the targets before it.
fn named(target: &scenario::Target, first: usize) -> Vec<(String, AliasId)> {
    let aliases = target.limits.aliases.iter();
    let numbered = (first as u32..).map(AliasId).zip(aliases);
    numbered
        .map(|(id, alias)| (alias.name.clone(), id))
        .collect()
}
