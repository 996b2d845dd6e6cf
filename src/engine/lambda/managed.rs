//! Lambda Managed Instances: environments that run many requests at once, on capacity that follows the load.

use super::{EnvironmentId, FunctionId, Lambda, Lease, Rate, Start, ThrottleReason};
use crate::engine::{Ratio, Span, Time};
use std::collections::VecDeque;

/// What the service is told of a function on managed instances.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ManagedLimits {
    /// PerExecutionEnvironmentMaxConcurrency, 1 to 1,600.
    pub slots: u32,
    /// MinExecutionEnvironments, ready from the beginning.
    pub min: u32,
    /// MaxExecutionEnvironments, at least `min`; 0 stops the function.
    pub max: u32,
    /// The part of an environment's CPU that one request takes (rule `managed-cpu-by-slots`).
    pub cpu_per_request: Ratio,
    /// Target of the capacity provider, for CPU as for slots: above 0, at most 1.
    pub target: f64,
    /// From the decision to start environments to when they serve.
    pub launch: Span,
    /// How often the load is compared with the target.
    pub evaluation: Span,
}

impl ManagedLimits {
    /// How many requests the CPU of one environment carries.
    fn cpu_slots(&self) -> u32 {
        let share = self.cpu_per_request.as_f64();
        if share > 0.0 {
            // As many as an f64 holds exactly: far above any number of slots.
            (1.0 / share + 1e-9).floor().min(f64::from(u32::MAX)) as u32
        } else {
            u32::MAX
        }
    }
}

/// Evaluations below target in a row after which environments are given up.
const SCALE_IN_EVALUATIONS: u32 = 15;

/// The environments of one function on managed instances. Requests are spread evenly over them, so that only sums
/// matter (rule `managed-no-cold-start`).
#[derive(Clone, Debug)]
pub(super) struct Managed {
    limits: ManagedLimits,
    environments: u32,
    /// Environments that will serve, and from when on.
    launching: VecDeque<(Time, u32)>,
    in_use: u32,
    next_evaluation: Time,
    /// Request-nanoseconds and most requests at once since the last evaluation.
    load: u128,
    most: u32,
    low_for: u32,
    /// The most that was wanted since the load fell.
    low_most: u32,
    since: Time,
    area: u128,
    throttles: ManagedThrottles,
}

/// Refusals of a function on managed instances, since the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ManagedThrottles {
    /// ConcurrencyThrottles: every slot was taken.
    pub concurrency: u64,
    /// CPUThrottles: the CPU was used up before the slots were.
    pub cpu: u64,
}

impl Managed {
    fn new(limits: ManagedLimits) -> Self {
        Self {
            limits,
            environments: limits.min,
            launching: VecDeque::new(),
            in_use: 0,
            next_evaluation: Time::ZERO + limits.evaluation,
            load: 0,
            most: 0,
            low_for: 0,
            low_most: 0,
            since: Time::ZERO,
            area: 0,
            throttles: ManagedThrottles::default(),
        }
    }

    /// Takes a slot, or says why there is none.
    fn take(&mut self, now: Time) -> bool {
        self.settle(now);
        let (slots, cpu_slots) = (self.limits.slots, self.limits.cpu_slots());
        let capacity = u64::from(self.environments) * u64::from(slots.min(cpu_slots));
        if u64::from(self.in_use) < capacity {
            self.in_use += 1;
            self.most = self.most.max(self.in_use);
            return true;
        }
        if cpu_slots < slots {
            self.throttles.cpu += 1;
        } else {
            self.throttles.concurrency += 1;
        }
        false
    }

    pub(super) fn put(&mut self, now: Time) {
        assert!(self.in_use > 0, "a lease was given back twice");
        self.settle(now);
        self.in_use -= 1;
    }

    /// Lets everything happen that is due: environments come into service, and the load is evaluated.
    fn settle(&mut self, now: Time) {
        loop {
            let ready = self.launching.front().map_or(Time::MAX, |(at, _)| *at);
            let next = ready.min(self.next_evaluation);
            if next > now {
                break;
            }
            self.advance(next);
            if ready == next {
                let launched = self.launching.pop_front();
                self.environments += launched.map_or(0, |(_, count)| count);
            } else {
                self.evaluate(next);
            }
        }
        self.advance(now);
    }

    fn advance(&mut self, now: Time) {
        let nanos = u128::from(now.since(self.since).as_nanos());
        self.load += nanos * u128::from(self.in_use);
        self.area += nanos * u128::from(self.environments);
        self.since = now;
    }

    /// Rule `managed-scaling`.
    fn evaluate(&mut self, now: Time) {
        self.next_evaluation = now + self.limits.evaluation;
        let mean = self.load as f64 / self.limits.evaluation.as_nanos() as f64;
        let most = f64::from(self.most);
        (self.load, self.most) = (0, self.in_use);
        let by_slots = most / (f64::from(self.limits.slots) * self.limits.target);
        let by_cpu = mean * self.limits.cpu_per_request.as_f64() / self.limits.target;
        let wanted = (by_slots.max(by_cpu) - 1e-9).ceil().max(0.0) as u32;
        let wanted = wanted.clamp(self.limits.min, self.limits.max);
        let launching = self.launching.iter().map(|(_, count)| count);
        let planned = self.environments + launching.sum::<u32>();
        if wanted >= planned {
            (self.low_for, self.low_most) = (0, 0);
            if wanted > planned {
                let ready = now + self.limits.launch;
                self.launching.push_back((ready, wanted - planned));
            }
            return;
        }
        self.low_for += 1;
        self.low_most = self.low_most.max(wanted);
        if self.low_for >= SCALE_IN_EVALUATIONS {
            self.launching.clear();
            self.environments = self.environments.min(self.low_most);
            (self.low_for, self.low_most) = (0, 0);
        }
    }

    pub(super) fn environments(&mut self, now: Time) -> u32 {
        self.settle(now);
        self.environments
    }

    pub(super) fn area(&mut self, now: Time) -> u128 {
        self.settle(now);
        self.area
    }
}

impl Lambda {
    /// Puts a function on managed instances. It then has no environments on demand, and neither the account's
    /// concurrency nor growth limit it.
    pub fn with_managed(mut self, function: FunctionId, limits: ManagedLimits) -> Self {
        let f = &mut self.functions[function.0 as usize];
        f.managed = Some(Box::new(Managed::new(limits)));
        self
    }

    /// Refusals of a function for want of managed capacity; none for one that is not on managed instances.
    pub fn managed_throttles(&self, function: FunctionId) -> ManagedThrottles {
        let managed = &self.functions[function.0 as usize].managed;
        managed
            .as_ref()
            .map_or_else(ManagedThrottles::default, |managed| managed.throttles)
    }

    #[cold]
    pub(super) fn admit_managed(
        &mut self,
        now: Time,
        function: FunctionId,
        rate: Rate,
    ) -> Result<Lease, ThrottleReason> {
        let f = &mut self.functions[function.0 as usize];
        let is_taken = f.managed.as_mut().is_some_and(|managed| managed.take(now));
        if !is_taken {
            return Err(ThrottleReason::ConcurrentInvocationLimitExceeded);
        }
        f.running += 1;
        self.tally.running += 1;
        if rate == Rate::Counted
            && let Some(caller) = &mut self.caller
        {
            caller.take();
        }
        let nowhere = EnvironmentId(0);
        Ok(Lease::new(function, nowhere, Start::Warm, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn managed(slots: u32, percent_of_cpu: u64) -> Managed {
        Managed::new(ManagedLimits {
            slots,
            min: 3,
            max: 100,
            cpu_per_request: Ratio::new(percent_of_cpu, 100).expect("a share"),
            target: 0.5,
            launch: Span::from_secs(180),
            evaluation: Span::from_secs(60),
        })
    }

    fn fill(managed: &mut Managed, now: Time, most: u32) -> u32 {
        (0..most).take_while(|_| managed.take(now)).count() as u32
    }

    #[test]
    fn managed_cpu_by_slots() {
        // Thirty slots, and CPU for three times four requests.
        let mut by_cpu = managed(10, 25);
        assert_eq!(fill(&mut by_cpu, Time::from_secs(1), 100), 12);
        assert_eq!((by_cpu.throttles.cpu, by_cpu.throttles.concurrency), (1, 0));
        let mut by_slots = managed(10, 1);
        assert_eq!(fill(&mut by_slots, Time::from_secs(1), 100), 30);
        let ManagedThrottles { cpu, concurrency } = by_slots.throttles;
        assert_eq!((cpu, concurrency), (0, 1));
        let mut free = managed(10, 0);
        assert_eq!(fill(&mut free, Time::from_secs(1), 100), 30);
    }

    #[test]
    fn managed_scaling() {
        let mut managed = managed(10, 1);
        // Half of thirty slots is the target: nothing happens.
        assert_eq!(fill(&mut managed, Time::from_secs(1), 15), 15);
        assert_eq!(managed.environments(Time::from_secs(400)), 3);
        // Twice as much is there at once, but no more. It is seen at the next minute and serves three minutes later.
        assert_eq!(fill(&mut managed, Time::from_secs(401), 20), 15);
        assert_eq!(managed.environments(Time::from_secs(599)), 3);
        assert_eq!(managed.environments(Time::from_secs(600)), 6);
        assert_eq!(fill(&mut managed, Time::from_secs(601), 100), 30);
        // All of them end. The minute until 660 s still saw them: twelve serve from 840 s on. Fifteen idle minutes are
        // over at 1,560 s.
        for _ in 0..60 {
            managed.put(Time::from_secs(602));
        }
        assert_eq!(managed.environments(Time::from_secs(839)), 6);
        assert_eq!(managed.environments(Time::from_secs(1_559)), 12);
        assert_eq!(managed.environments(Time::from_secs(1_560)), 3);
        let seconds = 3 * 600 + 6 * 240 + 12 * 720;
        let area = managed.area(Time::from_secs(1_560));
        assert_eq!(area, u128::from(seconds * 1_000_000_000_u64));
    }
}
