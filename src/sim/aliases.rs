//! Aliases with provisioned concurrency: their requests, their utilisation, and what Application Auto Scaling asks for.

use super::world::{Inner, Pending};
use crate::engine::lambda::{
    AliasId, AliasLimits, Autoscaling, FunctionId, Lease, ThrottleReason, Utilization,
};
use crate::engine::{Span, Time, stream_key};
use crate::metrics::Provisioned;
use crate::scenario::{ScalableTarget, Scenario, ScheduledAction};

/// Points of the metric that the alarms look at are a minute apart.
const MINUTE: Span = Span::from_secs(60);

/// An alias of the scenario while it runs.
#[derive(Debug)]
pub(super) struct AliasModel {
    function: usize,
    scaling: Option<Autoscaling>,
    schedule: Vec<ScheduledAction>,
    used: Minute,
    allocated: Minute,
    /// A wake-up for the end of an allocation is in the calendar.
    ready_at: Option<Time>,
}

/// A level over the present minute.
#[derive(Clone, Copy, Debug, Default)]
struct Minute {
    value: u32,
    since: Time,
    area: u64,
    max: u32,
}

impl Minute {
    fn set(&mut self, now: Time, value: u32) {
        self.area += now.since(self.since).as_nanos() * u64::from(self.value);
        self.since = now;
        self.value = value;
        self.max = self.max.max(value);
    }

    /// Closes the minute at `now`: its area in level-nanoseconds and its highest value.
    fn close(&mut self, now: Time) -> (u64, u32) {
        self.set(now, self.value);
        let closed = (self.area, self.max);
        (self.area, self.max) = (0, self.value);
        closed
    }
}

/// The aliases of a scenario as the service is told of them: those of the first function first.
pub(super) fn limits(scenario: &Scenario, seed: u64) -> Vec<AliasLimits> {
    let functions = (0..).zip(&scenario.functions);
    functions
        .flat_map(|(index, function)| {
            function.aliases.iter().map(move |alias| AliasLimits {
                function: FunctionId(index),
                provisioned_concurrency: alias.provisioned_concurrency,
                routing: alias.routing,
                stream: stream_key(
                    seed,
                    &format!("function/{}/alias/{}/routing", function.name, alias.name),
                ),
            })
        })
        .collect()
}

/// The number of each function's first alias.
pub(super) fn firsts(scenario: &Scenario) -> Vec<u32> {
    let mut next = 0;
    scenario
        .functions
        .iter()
        .map(|function| {
            let first = next;
            next += function.aliases.len() as u32;
            first
        })
        .collect()
}

impl AliasModel {
    pub(super) fn all(scenario: &Scenario) -> Vec<Self> {
        let functions = scenario.functions.iter().enumerate();
        functions
            .flat_map(|(function, described)| {
                described
                    .aliases
                    .iter()
                    .map(move |alias| Self::new(function, alias.autoscaling.as_ref()))
            })
            .collect()
    }

    fn new(function: usize, target: Option<&ScalableTarget>) -> Self {
        let scaling = |target: &ScalableTarget| {
            let policies = target.policies.clone();
            Autoscaling::new(target.min, target.max, policies)
        };
        Self {
            function,
            scaling: target.map(scaling),
            schedule: target.map_or_else(Vec::new, |target| target.schedule.clone()),
            used: Minute::default(),
            allocated: Minute::default(),
            ready_at: None,
        }
    }
}

impl Inner<'_> {
    /// Puts the first wake-ups of aliases into the calendar, and registers the scalable targets.
    pub(super) fn start_aliases(&mut self) {
        for alias in 0..self.aliases.len() as u32 {
            self.allocation_changed(alias);
            let model = &self.aliases[alias as usize];
            let mut actions: Vec<Time> = model
                .schedule
                .iter()
                .map(|action| Time::ZERO + action.at)
                .collect();
            actions.dedup();
            let scales = model.scaling.is_some();
            for at in actions {
                self.schedule(at, Pending::ScheduledAction(alias));
            }
            if scales {
                let capacity = self.requested(alias);
                let scaling = self.aliases[alias as usize].scaling.as_ref();
                let clamped = scaling.and_then(|scaling| scaling.clamped(capacity));
                self.provision(alias, clamped);
                self.schedule(self.now + MINUTE, Pending::AliasMinute(alias));
            }
        }
    }

    /// Admits a request to a function or to one of its aliases, and keeps the levels of both.
    #[inline(always)]
    pub(super) fn admit(
        &mut self,
        function: usize,
        alias: Option<usize>,
    ) -> Result<Lease, ThrottleReason> {
        let Some(alias) = alias else {
            let lease = self.lambda.admit(self.now, FunctionId(function as u32))?;
            self.occupied(&lease);
            return Ok(lease);
        };
        let id = AliasId(self.first_alias[function] + alias as u32);
        let lease = self.lambda.admit_alias(self.now, id)?;
        if !lease.is_provisioned && self.lambda.provisioned(self.now, id).allocated > 0 {
            self.recorders[function].spilled_over();
        }
        self.occupied(&lease);
        Ok(lease)
    }

    /// An environment became busy.
    #[inline(always)]
    pub(super) fn occupied(&mut self, lease: &Lease) {
        let running = self.lambda.running(lease.function);
        self.recorders[lease.function.0 as usize].occupied(self.now, running);
        self.account.raised(self.lambda.account());
        self.provisioned_changed(lease);
    }

    /// If the lease is one of provisioned concurrency, more or less of it is busy than before.
    #[inline]
    pub(super) fn provisioned_changed(&mut self, lease: &Lease) {
        if let (Some(alias), true) = (lease.alias(), lease.is_provisioned) {
            self.used_changed(alias);
        }
    }

    #[inline]
    fn used_changed(&mut self, id: AliasId) {
        let used = self.lambda.in_use(id);
        let model = &mut self.aliases[id.0 as usize];
        model.used.set(self.now, used);
        let function = model.function;
        self.record_provisioned(function);
    }

    /// The allocated environments of an alias changed in number, or soon will.
    pub(super) fn allocation_changed(&mut self, alias: u32) {
        let state = self.lambda.provisioned(self.now, AliasId(alias));
        let model = &mut self.aliases[alias as usize];
        model.allocated.set(self.now, state.allocated);
        model.used.set(self.now, state.in_use);
        let function = model.function;
        let awaited = model.ready_at;
        model.ready_at = state.ready_at;
        if let Some(at) = state.ready_at.filter(|at| awaited != Some(*at)) {
            self.schedule(at, Pending::Provisioned(alias));
        }
        self.record_provisioned(function);
        self.account.raised(self.lambda.account());
    }

    fn record_provisioned(&mut self, function: usize) {
        let first = self.first_alias[function] as usize;
        let own = &self.aliases[first..];
        let own = own.iter().take_while(|alias| alias.function == function);
        let level = own.fold(Provisioned::default(), |sum, alias| Provisioned {
            used: sum.used + alias.used.value,
            allocated: sum.allocated + alias.allocated.value,
        });
        self.recorders[function].provisioned(self.now, level);
    }

    /// An allocation may have come to its end.
    pub(super) fn allocation_due(&mut self, alias: u32) {
        if self.aliases[alias as usize].ready_at == Some(self.now) {
            self.allocation_changed(alias);
        }
    }

    /// A minute is over: the metric gets its point, and the policies look at it.
    pub(super) fn alias_minute(&mut self, alias: u32) {
        self.schedule(self.now + MINUTE, Pending::AliasMinute(alias));
        let model = &mut self.aliases[alias as usize];
        let (used, most) = model.used.close(self.now);
        let (allocated, largest) = model.allocated.close(self.now);
        // Rule `utilization-needs-invocations`: an idle alias has no point.
        let utilization = (most > 0 && allocated > 0).then(|| Utilization {
            average: used as f64 / allocated as f64,
            maximum: (f64::from(most) / f64::from(largest)).min(1.0),
        });
        let state = self.lambda.provisioned(self.now, AliasId(alias));
        let now = self.now;
        let scaling = self.aliases[alias as usize].scaling.as_mut();
        let is_allocating = state.ready_at.is_some();
        let asked = scaling
            .and_then(|scaling| scaling.minute(now, utilization, state.requested, is_allocating));
        self.provision(alias, asked);
    }

    /// A scheduled action of an alias is due.
    pub(super) fn scheduled_action(&mut self, alias: u32) {
        let at = self.now.since(Time::ZERO);
        let capacity = self.requested(alias);
        let model = &mut self.aliases[alias as usize];
        let due = model.schedule.iter().filter(|action| action.at == at);
        let mut asked = None;
        if let Some(scaling) = &mut model.scaling {
            for action in due {
                let capacity = asked.unwrap_or(capacity);
                asked = scaling.schedule(action.min, action.max, capacity).or(asked);
            }
        }
        self.provision(alias, asked);
    }

    fn requested(&mut self, alias: u32) -> u32 {
        self.lambda.provisioned(self.now, AliasId(alias)).requested
    }

    /// Asks for so much provisioned concurrency; what the account cannot give is refused, and nothing changes.
    fn provision(&mut self, alias: u32, count: Option<u32>) {
        let Some(count) = count else {
            return;
        };
        let id = AliasId(alias);
        if self.lambda.provision(self.now, id, count).is_ok() {
            self.allocation_changed(alias);
        } else {
            let function = self.aliases[alias as usize].function;
            self.recorders[function].scaling_refused();
        }
    }
}
