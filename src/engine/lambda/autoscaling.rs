//! Application Auto Scaling of provisioned concurrency: target tracking on utilisation, and scheduled bounds.

use crate::engine::{Span, Time};

/// Minutes above the target before capacity is added (rule `autoscaling-high-alarm`).
const HIGH_POINTS: u32 = 3;
/// Minutes below nine tenths of the target before capacity is taken away (rule `autoscaling-low-alarm`).
const LOW_POINTS: u32 = 15;
/// The low alarm's threshold, in tenths of the target.
const LOW_TENTHS: f64 = 0.9;

/// ProvisionedConcurrencyUtilization of one minute: in use divided by allocated, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Utilization {
    /// Mean over the minute.
    pub average: f64,
    /// The highest value of the minute.
    pub maximum: f64,
}

/// Which value of a minute a policy looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Statistic {
    /// AWS's own with the predefined metric.
    #[default]
    Average,
    /// Possible with a customised metric.
    Maximum,
}

/// A target tracking policy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TargetTracking {
    /// TargetValue, 0.1 to 0.9.
    pub target: f64,
    /// What of a minute counts.
    pub statistic: Statistic,
    /// ScaleOutCooldown; 0 by default for provisioned concurrency.
    pub scale_out_cooldown: Span,
    /// ScaleInCooldown; 0 by default for provisioned concurrency.
    pub scale_in_cooldown: Span,
    /// DisableScaleIn.
    pub disable_scale_in: bool,
}

impl TargetTracking {
    /// A policy with AWS's defaults.
    pub const fn new(target: f64) -> Self {
        Self {
            target,
            statistic: Statistic::Average,
            scale_out_cooldown: Span::ZERO,
            scale_in_cooldown: Span::ZERO,
            disable_scale_in: false,
        }
    }
}

/// A scalable target: the provisioned concurrency of one alias, its bounds and its policies.
///
/// It is told of every minute and of every scheduled action, and says what capacity to ask for.
///
/// ```
/// use tidegate::engine::Time;
/// use tidegate::engine::lambda::{Autoscaling, TargetTracking, Utilization};
///
/// let mut scaling = Autoscaling::new(10, 400, vec![TargetTracking::new(0.7)]);
/// let busy = Some(Utilization { average: 0.9, maximum: 1.0 });
/// let minute = |n: u64| Time::from_secs(60 * n);
/// assert_eq!(scaling.minute(minute(1), busy, 100, false), None);
/// assert_eq!(scaling.minute(minute(2), busy, 100, false), None);
/// // The third minute above the target raises the alarm: ceil(100 x 0.9 / 0.7).
/// assert_eq!(scaling.minute(minute(3), busy, 100, false), Some(129));
/// // An idle function has no utilisation, and missing data changes nothing.
/// assert_eq!(scaling.minute(minute(4), None, 129, false), None);
/// ```
#[derive(Clone, Debug)]
pub struct Autoscaling {
    min: u32,
    max: u32,
    policies: Vec<Tracked>,
    /// The last increase, and what it added, for the cooldown of the next.
    last_out: Option<Time>,
    last_in: Option<Time>,
}

#[derive(Clone, Debug)]
struct Tracked {
    policy: TargetTracking,
    /// Consecutive minutes above the target, and below nine tenths of it.
    above: u32,
    below: u32,
}

/// What one policy wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Out(u32),
    In(u32),
    Stay,
}

impl Autoscaling {
    /// A target with these bounds.
    ///
    /// # Panics
    /// When `min` is above `max`.
    pub fn new(min: u32, max: u32, policies: Vec<TargetTracking>) -> Self {
        assert!(min <= max, "a minimum of {min} above a maximum of {max}");
        let tracked = |policy| Tracked {
            policy,
            above: 0,
            below: 0,
        };
        Self {
            min,
            max,
            policies: policies.into_iter().map(tracked).collect(),
            last_out: None,
            last_in: None,
        }
    }

    /// MinCapacity and MaxCapacity in force.
    pub const fn bounds(&self) -> (u32, u32) {
        (self.min, self.max)
    }

    /// The capacity within the bounds that is nearest to `capacity`, if that is another one: what registering a target
    /// does (rule `autoscaling-bounds`).
    pub fn clamped(&self, capacity: u32) -> Option<u32> {
        let clamped = capacity.clamp(self.min, self.max);
        (clamped != capacity).then_some(clamped)
    }

    /// A scheduled action sets one bound or both; the other yields if it must. Cooldowns do not matter
    /// (rule `autoscaling-schedule`). Returns the capacity to ask for, if it changes.
    pub fn schedule(&mut self, min: Option<u32>, max: Option<u32>, capacity: u32) -> Option<u32> {
        self.min = min.unwrap_or(self.min);
        self.max = max.unwrap_or(self.max);
        if self.min > self.max {
            match min {
                Some(min) => self.max = min,
                None => self.min = self.max,
            }
        }
        self.clamped(capacity)
    }

    /// A minute is over: `utilization` was its metric (`None` without data), `capacity` is what was asked for last, and
    /// `is_allocating` says that it is not all there yet. Returns the capacity to ask for, if it changes.
    pub fn minute(
        &mut self,
        now: Time,
        utilization: Option<Utilization>,
        capacity: u32,
        is_allocating: bool,
    ) -> Option<u32> {
        let wishes: Vec<Wish> = self
            .policies
            .iter_mut()
            .map(|tracked| tracked.look(utilization, capacity))
            .collect();
        // Rule `autoscaling-one-activity`: an activity under way is waited for.
        if is_allocating {
            return None;
        }
        let largest = wishes.iter().filter_map(|wish| match wish {
            Wish::Out(to) => Some(*to),
            Wish::In(_) | Wish::Stay => None,
        });
        // Rule `autoscaling-several-policies`: the largest wins, and all must agree before anything is taken away.
        if let Some(to) = largest.max() {
            let to = to.clamp(self.min, self.max);
            let cooldown = self.cooldown(|policy| policy.scale_out_cooldown);
            if to <= capacity || is_cooling(self.last_out, cooldown, now) {
                return None;
            }
            self.last_out = Some(now);
            return Some(to);
        }
        let mut to = 0;
        for wish in &wishes {
            match wish {
                Wish::In(wanted) => to = to.max(*wanted),
                Wish::Out(_) | Wish::Stay => return None,
            }
        }
        let to = to.clamp(self.min, self.max);
        let cooldown = self.cooldown(|policy| policy.scale_in_cooldown);
        let is_cooling =
            is_cooling(self.last_in, cooldown, now) || is_cooling(self.last_out, cooldown, now);
        if wishes.is_empty() || to >= capacity || is_cooling {
            return None;
        }
        self.last_in = Some(now);
        Some(to)
    }

    fn cooldown(&self, of: impl Fn(&TargetTracking) -> Span) -> Span {
        let spans = self.policies.iter().map(|tracked| of(&tracked.policy));
        spans.max().unwrap_or(Span::ZERO)
    }
}

/// Rule `autoscaling-cooldown`.
fn is_cooling(last: Option<Time>, cooldown: Span, now: Time) -> bool {
    last.is_some_and(|last| now < last + cooldown)
}

impl Tracked {
    fn look(&mut self, utilization: Option<Utilization>, capacity: u32) -> Wish {
        // Rule `autoscaling-missing-data`: the alarms are in INSUFFICIENT_DATA, and nothing happens.
        let Some(utilization) = utilization else {
            (self.above, self.below) = (0, 0);
            return Wish::Stay;
        };
        let metric = match self.policy.statistic {
            Statistic::Average => utilization.average,
            Statistic::Maximum => utilization.maximum,
        };
        let target = self.policy.target;
        self.above = if metric > target { self.above + 1 } else { 0 };
        self.below = if metric < target * LOW_TENTHS {
            self.below + 1
        } else {
            0
        };
        if self.above >= HIGH_POINTS {
            Wish::Out(proportional(capacity, metric, target))
        } else if self.below >= LOW_POINTS && !self.policy.disable_scale_in {
            Wish::In(proportional(capacity, metric, target))
        } else {
            Wish::Stay
        }
    }
}

/// Rule `autoscaling-proportional`: as much as brings the metric to its target, rounded up.
fn proportional(capacity: u32, metric: f64, target: f64) -> u32 {
    let exact = f64::from(capacity) * metric / target;
    // 100 x 0.7 / 0.7 must not become 101 for the last bit of a quotient.
    let nearest = exact.round();
    let wanted = if (exact - nearest).abs() < 1e-9 * nearest {
        nearest
    } else {
        exact.ceil()
    };
    wanted as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn minute(n: u64) -> Time {
        Time::from_secs(60 * n)
    }

    fn use_of(average: f64) -> Option<Utilization> {
        Some(Utilization {
            average,
            maximum: average,
        })
    }

    /// What `scaling` asks for in each of the minutes, which all allocate at once.
    fn timeline(scaling: &mut Autoscaling, mut capacity: u32, minutes: &[f64]) -> Vec<u32> {
        let mut asked = Vec::new();
        for (n, metric) in (1..).zip(minutes) {
            if let Some(to) = scaling.minute(minute(n), use_of(*metric), capacity, false) {
                capacity = to;
            }
            asked.push(capacity);
        }
        asked
    }

    fn scaling(policy: TargetTracking) -> Autoscaling {
        Autoscaling::new(1, 1_000, vec![policy])
    }

    #[test]
    fn autoscaling_high_alarm() {
        let mut scaling = scaling(TargetTracking::new(0.7));
        // A minute at the target is not above it, and starts the count again.
        let minutes = [0.9, 0.9, 0.7, 0.9, 0.9, 0.9, 0.75];
        let asked = timeline(&mut scaling, 100, &minutes);
        // The alarm stays while the metric does: 129 x 0.75 / 0.7 is asked for in the next minute.
        assert_eq!(asked, [100, 100, 100, 100, 100, 129, 139]);
    }

    #[test]
    fn autoscaling_low_alarm() {
        let mut scaling = scaling(TargetTracking::new(0.7));
        let mut minutes = vec![0.64; 5];
        // 63 % is nine tenths of 70 %: not below it.
        minutes.extend([0.62; 14]);
        minutes.push(0.63);
        minutes.extend([0.35; 15]);
        let asked = timeline(&mut scaling, 100, &minutes);
        assert_eq!(asked[..34], vec![100; 34]);
        assert_eq!(asked[34], 50);
    }

    #[test]
    fn autoscaling_proportional() {
        assert_eq!(proportional(100, 0.7, 0.7), 100);
        assert_eq!(proportional(100, 0.71, 0.7), 102);
        assert_eq!(proportional(1, 0.1, 0.9), 1);
        assert_eq!(proportional(3, 1.0, 0.3), 10);
    }

    #[test]
    fn autoscaling_missing_data() {
        let mut scaling = scaling(TargetTracking::new(0.7));
        for n in 1..=2 {
            assert_eq!(scaling.minute(minute(n), use_of(1.0), 10, false), None);
        }
        for n in 3..=30 {
            assert_eq!(scaling.minute(minute(n), None, 10, false), None);
        }
        assert_eq!(scaling.minute(minute(31), use_of(1.0), 10, false), None);
    }

    #[test]
    fn autoscaling_one_activity() {
        let mut scaling = scaling(TargetTracking::new(0.5));
        for n in 1..=5 {
            let asked = scaling.minute(minute(n), use_of(1.0), 10, n < 5);
            assert_eq!(asked, (n == 5).then_some(20));
        }
    }

    #[test]
    fn autoscaling_cooldown() {
        let policy = TargetTracking {
            scale_out_cooldown: Span::from_secs(120),
            scale_in_cooldown: Span::from_secs(1_800),
            ..TargetTracking::new(0.5)
        };
        let mut scaling = scaling(policy);
        let asked = timeline(&mut scaling, 10, &[1.0, 1.0, 1.0, 1.0, 1.0]);
        assert_eq!(asked, [10, 10, 20, 20, 40]);
        // Nothing is taken away for half an hour after the increase of the fifth minute.
        let asked: Vec<_> = (6..=36)
            .filter_map(|n| Some((n, scaling.minute(minute(n), use_of(0.1), 40, false)?)))
            .collect();
        assert_eq!(asked, [(35, 8)]);
    }

    #[test]
    fn autoscaling_several_policies() {
        let eager = TargetTracking::new(0.3);
        let mut scaling = Autoscaling::new(1, 1_000, vec![TargetTracking::new(0.7), eager]);
        assert_eq!(timeline(&mut scaling, 10, &[0.6; 3]), [10, 10, 20]);
        // 0.29 is low for one of them only.
        let mut scaling = Autoscaling::new(1, 1_000, vec![TargetTracking::new(0.7), eager]);
        assert_eq!(timeline(&mut scaling, 10, &[0.29; 20]), [10; 20]);
        let mut scaling = Autoscaling::new(1, 1_000, vec![TargetTracking::new(0.7), eager]);
        assert_eq!(timeline(&mut scaling, 100, &[0.15; 15])[14], 50);
    }

    #[test]
    fn autoscaling_bounds() {
        let mut scaling = Autoscaling::new(5, 12, vec![TargetTracking::new(0.5)]);
        assert_eq!(scaling.clamped(1), Some(5));
        assert_eq!(scaling.clamped(7), None);
        assert_eq!(timeline(&mut scaling, 10, &[1.0; 4]), [10, 10, 12, 12]);
    }

    #[test]
    fn autoscaling_schedule() {
        let mut scaling = Autoscaling::new(5, 12, Vec::new());
        assert_eq!(scaling.schedule(Some(20), None, 7), Some(20));
        assert_eq!(scaling.bounds(), (20, 20));
        assert_eq!(scaling.schedule(None, Some(4), 20), Some(4));
        assert_eq!(scaling.schedule(Some(1), Some(100), 4), None);
    }

    #[test]
    fn disable_scale_in_never_takes_away() {
        let policy = TargetTracking {
            disable_scale_in: true,
            ..TargetTracking::new(0.7)
        };
        assert_eq!(timeline(&mut scaling(policy), 100, &[0.1; 40]), [100; 40]);
    }
}
