//! Aliases: requests that go to one are served by its provisioned concurrency first.

use super::environment::Idle;
use super::provisioned::{Provisioned, ProvisionedState};
use super::varied::Lives;
use super::{
    AliasId, EnvironmentId, Fate, FunctionId, Lambda, Lease, LimitError, Rate, Start,
    ThrottleReason, VersionId,
};
use crate::engine::{Allocation, Ratio, Rng, Span, Time, limits};

/// Which versions an alias leads to (rule `alias-weights`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Routing {
    /// Its FunctionVersion; `None` for the one state of a function that publishes nothing.
    pub version: Option<VersionId>,
    /// AdditionalVersionWeights: at most one other version, with its share of the requests.
    pub additional: Option<(VersionId, Ratio)>,
}

/// What the service is told of one alias, or of a version that is called by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AliasLimits {
    /// Whose alias it is.
    pub function: FunctionId,
    /// Provisioned concurrency, which is ready from the beginning; 0 for none.
    pub provisioned_concurrency: u32,
    /// Where its requests go.
    pub routing: Routing,
    /// Key of the random stream that picks a version for each request.
    pub stream: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Alias {
    function: FunctionId,
    routing: Routing,
    picks: Rng,
    /// Of the versions that the alias leads to or led to.
    shares: Vec<Share>,
    /// How long environments of later shares live.
    lives: Option<Box<dyn Lives>>,
}

/// The part of an alias's provisioned concurrency that belongs to one version.
#[derive(Clone, Debug)]
struct Share {
    version: Option<VersionId>,
    provisioned: Provisioned,
}

impl Alias {
    fn new(limits: &AliasLimits) -> Self {
        Self {
            function: limits.function,
            routing: limits.routing,
            picks: Rng::from_key(limits.stream),
            shares: Vec::new(),
            lives: None,
        }
    }

    /// The version that the next request goes to.
    #[inline]
    fn pick(&mut self) -> Option<VersionId> {
        match self.routing.additional {
            Some((other, share)) if self.picks.chance(share) => Some(other),
            _ => self.routing.version,
        }
    }

    #[inline]
    fn share(&mut self, version: Option<VersionId>) -> Option<&mut Provisioned> {
        let mut shares = self.shares.iter_mut();
        let share = shares.find(|share| share.version == version)?;
        Some(&mut share.provisioned)
    }

    /// How many of `count` provisioned environments are for a version (rule `alias-weights-spread-provisioned`).
    fn part(&self, version: Option<VersionId>, count: u32) -> u32 {
        let other = self.routing.additional;
        let others = other.map_or(0, |(_, share)| share.of(count));
        if other.is_some_and(|(other, _)| Some(other) == version) {
            others
        } else if version == self.routing.version {
            count - others
        } else {
            0
        }
    }

    /// Makes sure that every version that requests go to has a share.
    fn share_out(&mut self) {
        let other = self.routing.additional.map(|(other, _)| Some(other));
        for version in std::iter::once(self.routing.version).chain(other) {
            if self.shares.iter().any(|share| share.version == version) {
                continue;
            }
            let mut provisioned = Provisioned::ready(Time::ZERO, 0);
            if let Some(lives) = &self.lives {
                provisioned.vary(lives.clone());
            }
            self.shares.push(Share {
                version,
                provisioned,
            });
        }
    }

    /// Asks for `count` environments over all versions.
    fn request(&mut self, now: Time, count: u32, allocation: Allocation) {
        self.share_out();
        for index in 0..self.shares.len() {
            let part = self.part(self.shares[index].version, count);
            let provisioned = &mut self.shares[index].provisioned;
            if provisioned.state(now).requested != part {
                provisioned.request(now, part, allocation);
            }
        }
    }

    fn state(&mut self, now: Time) -> ProvisionedState {
        let states = self.shares.iter_mut();
        let states = states.map(|share| share.provisioned.state(now));
        states.fold(ProvisionedState::default(), |sum, one| ProvisionedState {
            requested: sum.requested + one.requested,
            allocated: sum.allocated + one.allocated,
            in_use: sum.in_use + one.in_use,
            // The next change comes first.
            ready_at: sum.ready_at.into_iter().chain(one.ready_at).min(),
        })
    }

    fn claimed(&self) -> u32 {
        let shares = self.shares.iter();
        shares.map(|share| share.provisioned.claimed()).sum()
    }
}

impl Lambda {
    /// Gives the functions aliases, whose provisioned concurrency is ready at time zero. Later increases take
    /// what `allocation` says. Versions come first: see [`with_versions`](Self::with_versions).
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
        let at_once = Allocation {
            preparation: Span::ZERO,
            burst: u32::MAX,
            per_minute: u32::MAX,
        };
        for (index, limits) in (0..).zip(aliases) {
            self.aliases.push(Alias::new(limits));
            let f = &mut self.functions[limits.function.0 as usize];
            f.aliases.push(AliasId(index));
            self.check_claim(AliasId(index), limits.provisioned_concurrency)?;
            let alias = &mut self.aliases[index as usize];
            alias.request(Time::ZERO, limits.provisioned_concurrency, at_once);
            alias.state(Time::ZERO);
            self.recount(limits.function);
        }
        Ok(self)
    }

    /// Lets the provisioned environments of an alias be recycled (rule `provisioned-recycling`), before anything runs.
    pub fn recycle(&mut self, id: AliasId, lives: Box<dyn Lives>) {
        let alias = &mut self.aliases[id.0 as usize];
        for share in &mut alias.shares {
            share.provisioned.vary(lives.clone());
        }
        alias.lives = Some(lives);
    }

    /// UpdateAlias: where an alias leads from `now` on. Its provisioned concurrency follows the new weights.
    pub fn route(&mut self, now: Time, id: AliasId, routing: Routing) {
        let alias = &mut self.aliases[id.0 as usize];
        alias.routing = routing;
        let requested = alias.state(now).requested;
        alias.request(now, requested, self.allocation);
        let function = alias.function;
        self.recount(function);
    }

    /// Admits a request that was made to an alias (rule `provisioned-first-then-spillover`).
    ///
    /// # Errors
    /// The reason of the refusal, in AWS's names.
    #[inline]
    pub fn admit_alias(&mut self, now: Time, id: AliasId) -> Result<Lease, ThrottleReason> {
        self.check_caller(now)?;
        self.admit_by_alias(now, id, Rate::Counted)
    }

    #[inline]
    pub(super) fn admit_by_alias(
        &mut self,
        now: Time,
        id: AliasId,
        rate: Rate,
    ) -> Result<Lease, ThrottleReason> {
        let alias = &mut self.aliases[id.0 as usize];
        let function = alias.function;
        let version = alias.pick();
        if (rate == Rate::Free || self.requests.has_token(now))
            && let Some(idle) = alias.share(version).and_then(|share| share.take(now))
        {
            self.count_request(rate);
            self.tally.running += 1;
            if self.functions[function.0 as usize].reserved.is_none() {
                self.tally.unreserved_provisioned += 1;
            }
            let start = if idle.reset {
                Start::Reset
            } else {
                Start::Warm
            };
            let lease = Lease::new(function, EnvironmentId(idle.id), start, idle.born);
            return Ok(lease.of(Some(id), version).provisioned());
        }
        self.on_demand(now, function, (Some(id), version), rate)
    }

    pub(super) fn finish_provisioned(&mut self, now: Time, lease: Lease, fate: Fate) {
        let idle = Idle {
            since: now,
            born: lease.born,
            id: lease.environment.0,
            reset: fate == Fate::Reset,
        };
        let alias = lease.alias().map(|id| &mut self.aliases[id.0 as usize]);
        let Some(share) = alias.and_then(|alias| alias.share(lease.version())) else {
            panic!("provisioned concurrency belongs to an alias and a version");
        };
        share.put(now, idle, fate == Fate::Destroy);
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
        alias.request(now, count, self.allocation);
        let function = alias.function;
        self.recount(function);
        Ok(())
    }

    /// The provisioned concurrency of an alias at `now`.
    pub fn provisioned(&mut self, now: Time, id: AliasId) -> ProvisionedState {
        self.aliases[id.0 as usize].state(now)
    }

    /// Busy provisioned environments of an alias.
    #[inline]
    pub fn in_use(&self, id: AliasId) -> u32 {
        let shares = self.aliases[id.0 as usize].shares.iter();
        shares.map(|share| share.provisioned.in_use()).sum()
    }

    /// How many provisioned environments of a function were replaced because their lifetime was over.
    pub fn recycled(&self, function: FunctionId) -> u64 {
        let own = self.functions[function.0 as usize].aliases.iter();
        let shares = own.flat_map(|id| &self.aliases[id.0 as usize].shares);
        shares.map(|share| share.provisioned.recycled()).sum()
    }

    pub(super) fn provisioned_idle(&mut self, now: Time, function: FunctionId) -> u32 {
        let own = self.functions[function.0 as usize].aliases.iter();
        let mut idle = 0;
        for id in own {
            for share in &mut self.aliases[id.0 as usize].shares {
                share.provisioned.settle(now);
                idle += share.provisioned.idle();
            }
        }
        idle
    }

    pub(super) fn provisioned_area(&mut self, now: Time, function: FunctionId) -> u128 {
        let own = self.functions[function.0 as usize].aliases.iter();
        let mut area = 0;
        for id in own {
            for share in &mut self.aliases[id.0 as usize].shares {
                share.provisioned.settle(now);
                area += share.provisioned.area(now);
            }
        }
        area
    }

    /// Whether an alias may claim `count` environments beside what all others claim.
    fn check_claim(&self, id: AliasId, count: u32) -> Result<(), LimitError> {
        let alias = &self.aliases[id.0 as usize];
        let f = &self.functions[alias.function.0 as usize];
        let own = alias.claimed();
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
        let claims = claims.map(|id| self.aliases[id.0 as usize].claimed());
        let (before, after) = (f.claimed, claims.sum());
        f.claimed = after;
        if f.reserved.is_none() {
            self.unreserved_claimed = self.unreserved_claimed - before + after;
        }
    }
}
