//! Tenant isolation: environments that belong to one tenant each (rule `tenant-isolation`).

use super::environment::{Idle, Pool};
use super::{EnvironmentId, Fate, FunctionId, Lambda, Lease, Rate, Reuse, Start, ThrottleReason};
use crate::engine::{Time, limits};
use std::collections::{BTreeMap, VecDeque};

/// Idle environments by tenant. The function's pool still numbers environments and counts their lives.
#[derive(Clone, Debug, Default)]
pub(super) struct Tenants {
    /// Whose each environment is, by its number.
    owners: Vec<u64>,
    /// In the order of release.
    idle: BTreeMap<u64, VecDeque<Idle>>,
    idle_count: usize,
    /// Every release, the first one first: with a constant keep-alive that is the order of expiry as well. Environments
    /// that found work since are passed over.
    releases: VecDeque<(Time, u64, u32)>,
}

impl Tenants {
    /// Ends what has been idle for long enough.
    fn expire(&mut self, now: Time, pool: &mut Pool) -> u32 {
        let mut ended = 0;
        while let Some(&(since, tenant, id)) = self.releases.front() {
            let end = since + pool.keep_alive();
            if end > now {
                break;
            }
            self.releases.pop_front();
            let Some(own) = self.idle.get_mut(&tenant) else {
                continue;
            };
            // Environments of a tenant expire in the order of their release, so it is the first or at work again.
            if let Some(oldest) = own.front().copied()
                && oldest.id == id
                && oldest.since == since
            {
                own.pop_front();
                if own.is_empty() {
                    self.idle.remove(&tenant);
                }
                self.idle_count -= 1;
                ended += 1;
                pool.retire(oldest, end);
            }
        }
        ended
    }

    fn take(&mut self, tenant: u64, pool: &mut Pool) -> Option<Idle> {
        let own = self.idle.get_mut(&tenant)?;
        let taken = match pool.reuse() {
            Reuse::MostRecent => own.pop_back(),
            Reuse::LeastRecent => own.pop_front(),
            Reuse::Random => own.remove(pool.below(own.len())),
        };
        if own.is_empty() {
            self.idle.remove(&tenant);
        }
        self.idle_count -= usize::from(taken.is_some());
        taken
    }

    fn own(&mut self, id: u32, tenant: u64) {
        let index = id as usize;
        if index >= self.owners.len() {
            self.owners.resize(index + 1, 0);
        }
        self.owners[index] = tenant;
    }

    fn put(&mut self, idle: Idle) {
        let tenant = self.owners[idle.id as usize];
        self.idle.entry(tenant).or_default().push_back(idle);
        self.idle_count += 1;
        self.releases.push_back((idle.since, tenant, idle.id));
    }

    pub(super) const fn idle_count(&self) -> usize {
        self.idle_count
    }
}

impl Lambda {
    /// Isolates the tenants of a function: it is then called by [`admit_tenant`](Self::admit_tenant) alone.
    pub fn with_tenants(mut self, function: FunctionId) -> Self {
        let f = &mut self.functions[function.0 as usize];
        f.tenants = Some(Box::default());
        self
    }

    /// Admits a request of one tenant to a function that isolates them (rule `tenant-environments-are-limited`).
    ///
    /// # Errors
    /// The reason of the refusal, in AWS's names; also when the account has as many environments of tenants as it may.
    ///
    /// # Panics
    /// When the function does not isolate tenants.
    pub fn admit_tenant(
        &mut self,
        now: Time,
        function: FunctionId,
        tenant: u64,
    ) -> Result<Lease, ThrottleReason> {
        self.check_caller(now)?;
        self.check_limits(now, function, Rate::Counted)?;
        self.expire_tenants(now, function);
        let most = u64::from(self.account_concurrency)
            * u64::from(limits::TENANT_ENVIRONMENTS_PER_1000)
            / 1_000;
        let is_full = u64::from(self.tenant_environments) >= most;
        let f = &mut self.functions[function.0 as usize];
        let Some(tenants) = &mut f.tenants else {
            panic!("the function does not isolate tenants");
        };
        let (environment, born, start) = match tenants.take(tenant, &mut f.pool) {
            Some(idle) if idle.reset => (idle.id, idle.born, Start::Reset),
            Some(idle) => (idle.id, idle.born, Start::Warm),
            None => {
                if is_full {
                    return Err(ThrottleReason::ConcurrentInvocationLimitExceeded);
                }
                self.grow(now, function)?;
                self.tenant_environments += 1;
                let f = &mut self.functions[function.0 as usize];
                let id = f.pool.create(now);
                if let Some(tenants) = &mut f.tenants {
                    tenants.own(id, tenant);
                }
                (id, now, Start::Cold)
            }
        };
        self.enter(function, Rate::Counted);
        let environment = EnvironmentId(environment);
        Ok(Lease::new(function, environment, start, born))
    }

    /// Takes an environment of a tenant back.
    pub(super) fn finish_tenant(&mut self, now: Time, lease: Lease, fate: Fate) {
        let f = &mut self.functions[lease.function.0 as usize];
        let id = lease.environment.0;
        if fate == Fate::Destroy {
            f.pool.destroy(id, lease.born, now);
            self.tenant_environments -= 1;
        } else if let Some(tenants) = &mut f.tenants {
            tenants.put(Idle {
                since: now,
                born: lease.born,
                id,
                reset: fate == Fate::Reset,
            });
        }
    }

    /// Ends the idle environments of a function's tenants whose keep-alive is over.
    pub(super) fn expire_tenants(&mut self, now: Time, function: FunctionId) {
        let f = &mut self.functions[function.0 as usize];
        if let Some(tenants) = &mut f.tenants {
            self.tenant_environments -= tenants.expire(now, &mut f.pool);
        }
    }
}
