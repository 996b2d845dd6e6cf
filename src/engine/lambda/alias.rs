//! Aliases: requests that go to one are served by its provisioned concurrency first.

use super::environment::Idle;
use super::provisioned::{Provisioned, ProvisionedState};
use super::{
    AliasId, EnvironmentId, Fate, FunctionId, Lambda, Lease, LimitError, Start, ThrottleReason,
};
use crate::engine::{Allocation, Time, limits};

/// What the service is told of one alias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AliasLimits {
    /// Whose alias it is.
    pub function: FunctionId,
    /// Provisioned concurrency, which is ready from the beginning; 0 for none.
    pub provisioned_concurrency: u32,
}

#[derive(Clone, Debug)]
pub(super) struct Alias {
    function: FunctionId,
    provisioned: Provisioned,
}

impl Lambda {
    /// Gives the functions aliases, whose provisioned concurrency is ready at time zero. Later increases take
    /// what `allocation` says.
    ///
    /// # Errors
    /// When the provisioned concurrency of a function is above what it reserved, or when all of it leaves less than 100 of
    /// the account's concurrency.
    pub fn with_aliases(
        mut self,
        aliases: &[AliasLimits],
        allocation: Allocation,
    ) -> Result<Self, LimitError> {
        self.allocation = allocation;
        for (index, alias) in (0..).zip(aliases) {
            self.aliases.push(Alias {
                function: alias.function,
                provisioned: Provisioned::ready(Time::ZERO, 0),
            });
            let f = &mut self.functions[alias.function.0 as usize];
            f.aliases.push(AliasId(index));
            self.check_claim(AliasId(index), alias.provisioned_concurrency)?;
            self.aliases[index as usize].provisioned =
                Provisioned::ready(Time::ZERO, alias.provisioned_concurrency);
            self.recount(alias.function);
        }
        Ok(self)
    }

    /// Admits a request that was made to an alias (rule `provisioned-first-then-spillover`).
    ///
    /// # Errors
    /// The reason of the refusal, in AWS's names.
    #[inline]
    pub fn admit_alias(&mut self, now: Time, id: AliasId) -> Result<Lease, ThrottleReason> {
        self.check_caller(now)?;
        let alias = &mut self.aliases[id.0 as usize];
        let function = alias.function;
        if self.requests.has_token(now)
            && let Some(idle) = alias.provisioned.take(now)
        {
            self.count_request();
            self.tally.running += 1;
            if self.functions[function.0 as usize].reserved.is_none() {
                self.tally.unreserved_provisioned += 1;
            }
            return Ok(Lease {
                function,
                environment: EnvironmentId(idle.id),
                alias: Some(id),
                is_provisioned: true,
                start: if idle.reset {
                    Start::Reset
                } else {
                    Start::Warm
                },
                born: idle.born,
            });
        }
        self.on_demand(now, function, Some(id))
    }

    pub(super) fn finish_provisioned(&mut self, now: Time, lease: Lease, fate: Fate) {
        let Some(id) = lease.alias else {
            panic!("provisioned concurrency belongs to an alias");
        };
        let idle = Idle {
            since: now,
            born: lease.born,
            id: lease.environment.0,
            reset: fate == Fate::Reset,
        };
        let alias = &mut self.aliases[id.0 as usize];
        alias.provisioned.put(now, idle, fate == Fate::Destroy);
        if self.functions[lease.function.0 as usize].reserved.is_none() {
            self.tally.unreserved_provisioned -= 1;
        }
    }

    /// PutProvisionedConcurrencyConfig: asks for `count` environments of an alias from `now` on.
    ///
    /// # Errors
    /// When there is not that much concurrency; then nothing changes.
    pub fn provision(&mut self, now: Time, id: AliasId, count: u32) -> Result<(), LimitError> {
        self.check_claim(id, count)?;
        let alias = &mut self.aliases[id.0 as usize];
        alias.provisioned.request(now, count, self.allocation);
        let function = alias.function;
        self.recount(function);
        Ok(())
    }

    /// The provisioned concurrency of an alias at `now`.
    pub fn provisioned(&mut self, now: Time, id: AliasId) -> ProvisionedState {
        self.aliases[id.0 as usize].provisioned.state(now)
    }

    pub(super) fn in_use(&self, id: AliasId) -> u32 {
        self.aliases[id.0 as usize].provisioned.in_use()
    }

    pub(super) fn provisioned_idle(&mut self, now: Time, function: FunctionId) -> u32 {
        let own = self.functions[function.0 as usize].aliases.iter();
        own.map(|id| {
            let provisioned = &mut self.aliases[id.0 as usize].provisioned;
            provisioned.settle(now);
            provisioned.idle()
        })
        .sum()
    }

    pub(super) fn provisioned_area(&mut self, now: Time, function: FunctionId) -> u128 {
        let own = self.functions[function.0 as usize].aliases.iter();
        own.map(|id| {
            let provisioned = &mut self.aliases[id.0 as usize].provisioned;
            provisioned.settle(now);
            provisioned.area(now)
        })
        .sum()
    }

    /// Whether an alias may claim `count` environments beside what all others claim.
    fn check_claim(&self, id: AliasId, count: u32) -> Result<(), LimitError> {
        let alias = &self.aliases[id.0 as usize];
        let f = &self.functions[alias.function.0 as usize];
        let own = alias.provisioned.claimed();
        let provisioned = u64::from(f.claimed - own) + u64::from(count);
        match f.reserved {
            Some(reserved) if provisioned > u64::from(reserved) => {
                Err(LimitError::ProvisionedAboveReserved {
                    provisioned,
                    reserved,
                })
            }
            Some(_) => Ok(()),
            None => {
                let others = self.unreserved_claimed - own;
                let unreserved =
                    i64::from(self.unreserved_limit) - i64::from(others) - i64::from(count);
                if count > own && unreserved < i64::from(limits::UNRESERVED_CONCURRENCY_MIN) {
                    return Err(LimitError::ProvisionedAboveAccount { unreserved });
                }
                Ok(())
            }
        }
    }

    /// Sums up again what a function's aliases claim.
    fn recount(&mut self, function: FunctionId) {
        let f = &mut self.functions[function.0 as usize];
        let claims = f.aliases.iter();
        let claims = claims.map(|id| self.aliases[id.0 as usize].provisioned.claimed());
        let (before, after) = (f.claimed, claims.sum());
        f.claimed = after;
        if f.reserved.is_none() {
            self.unreserved_claimed = self.unreserved_claimed - before + after;
        }
    }
}
