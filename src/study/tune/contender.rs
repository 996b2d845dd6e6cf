//! One combination of values and what its runs gave.

use super::axis::{Axis, settings};
use super::{Objective, Plan};
use crate::metrics::{Setting, student_975};
use crate::scenario::{Scenario, SourceText};
use crate::study::Goal;
use crate::study::replicate::{changed, refusal};
use std::cmp::Ordering;

/// A combination of values in the race.
#[derive(Debug)]
pub(super) struct Contender {
    /// One point per axis; `None` for the scenario as it is.
    pub(super) point: Option<Vec<i64>>,
    pub(super) settings: Vec<Setting>,
    /// What runs, or why it cannot.
    pub(super) scenario: Result<Box<Scenario>, String>,
    /// One row per replication: the goals' values, then the objective's.
    pub(super) rows: Vec<Vec<f64>>,
    /// Left the race.
    pub(super) is_out: bool,
}

/// A mean with half of its 95 % interval; that of a single value is not known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Mean {
    pub(super) value: f64,
    pub(super) half: f64,
}

impl Mean {
    /// Of values of which each exists.
    pub(super) fn of(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let value = values.iter().sum::<f64>() / n;
        if values.len() < 2 {
            return Self {
                value,
                half: f64::INFINITY,
            };
        }
        let squares: f64 = values.iter().map(|one| (one - value) * (one - value)).sum();
        let error = (squares / (n - 1.0) / n).sqrt();
        Self {
            value,
            half: student_975(values.len() - 1) * error,
        }
    }

    /// Whether all of the interval is above zero.
    pub(super) fn is_above_zero(self) -> bool {
        self.value - self.half > 0.0
    }
}

impl Contender {
    pub(super) fn as_it_is(scenario: Scenario) -> Self {
        Self {
            point: None,
            settings: Vec::new(),
            scenario: Ok(Box::new(scenario)),
            rows: Vec::new(),
            is_out: false,
        }
    }

    pub(super) fn at(source: &SourceText, axes: &[Axis], point: Vec<i64>) -> Self {
        let settings = settings(axes, &point);
        let scenario = changed(source, &settings);
        let scenario = scenario.map(Box::new).map_err(|report| refusal(&report));
        Self {
            is_out: scenario.is_err(),
            point: Some(point),
            settings,
            scenario,
            rows: Vec::new(),
        }
    }

    /// Whether it has runs to be judged by.
    pub(super) fn has_run(&self) -> bool {
        !self.rows.is_empty()
    }

    /// The mean of a column: goals in their order, then the objective.
    pub(super) fn mean(&self, column: usize) -> Mean {
        let values: Vec<f64> = self.rows.iter().map(|row| row[column]).collect();
        Mean::of(&values)
    }

    /// Whether the means meet all goals.
    pub(super) fn meets(&self, goals: &[Goal]) -> bool {
        self.has_run()
            && goals
                .iter()
                .enumerate()
                .all(|(index, goal)| goal.holds(self.mean(index).value))
    }

    /// The goals whose bound is inside of the interval: more runs could change the verdict.
    pub(super) fn is_undecided(&self, goals: &[Goal]) -> bool {
        goals.iter().enumerate().any(|(index, goal)| {
            let Mean { value, half } = self.mean(index);
            goal.is_undecided(value, half)
        })
    }

    /// Whether more runs would still miss a goal, by the interval.
    fn misses_surely(&self, goals: &[Goal]) -> bool {
        goals.iter().enumerate().any(|(index, goal)| {
            let Mean { value, half } = self.mean(index);
            !goal.holds(value) && !goal.is_undecided(value, half)
        })
    }

    /// By how much goals are missed together; 0 when all are met.
    pub(super) fn violation(&self, goals: &[Goal]) -> f64 {
        let values: Vec<f64> = (0..goals.len())
            .map(|index| self.mean(index).value)
            .collect();
        violation(goals, &values)
    }

    fn margin(&self, goals: &[Goal]) -> f64 {
        goals
            .iter()
            .enumerate()
            .map(|(index, goal)| goal.margin(self.mean(index).value))
            .sum()
    }

    /// Differences to another in its first replications: of the objective, where more is worse, and of what goals are missed by.
    fn against(&self, other: &Self, plan: &Plan) -> (Mean, Mean) {
        let pairs = || self.rows.iter().zip(&other.rows);
        let last = plan.goals.len();
        let worse: Vec<f64> = pairs()
            .map(|(own, its)| plan.objective.badness(own[last]) - plan.objective.badness(its[last]))
            .collect();
        let missed: Vec<f64> = pairs()
            .map(|(own, its)| violation(&plan.goals, own) - violation(&plan.goals, its))
            .collect();
        (Mean::of(&worse), Mean::of(&missed))
    }

    /// Whether it will not overtake the leader: it misses a goal surely, or the paired difference is surely not in its favour.
    pub(super) fn is_beaten_by(&self, leader: &Self, plan: &Plan) -> bool {
        let (worse, missed) = self.against(leader, plan);
        if leader.meets(&plan.goals) {
            return self.misses_surely(&plan.goals)
                || (worse.is_above_zero() && !leader.is_undecided(&plan.goals));
        }
        missed.is_above_zero()
    }

    /// Paired difference of the objective to another one, as measured.
    pub(super) fn difference(&self, other: &Self, plan: &Plan) -> Mean {
        let last = plan.goals.len();
        let values: Vec<f64> = self
            .rows
            .iter()
            .zip(&other.rows)
            .map(|(own, its)| own[last] - its[last])
            .collect();
        Mean::of(&values)
    }
}

/// What a row misses goals by, in parts of their bounds.
fn violation(goals: &[Goal], values: &[f64]) -> f64 {
    let missed = goals
        .iter()
        .zip(values)
        .filter(|(goal, value)| !goal.holds(**value));
    // A bound that is met exactly by a strict goal is missed by a hair. No number at all is far away, but not further than all numbers together.
    missed
        .map(|(goal, value)| (-goal.margin(*value)).clamp(1e-9, 1e12))
        .sum()
}

/// The better one first: what misses goals by less, then the better objective, then the larger margin, then who came first.
pub(super) fn better(one: &Contender, other: &Contender, plan: &Plan) -> Ordering {
    let goals = &plan.goals;
    let last = goals.len();
    let objective = |it: &Contender| plan.objective.badness(it.mean(last).value);
    other
        .has_run()
        .cmp(&one.has_run())
        .then_with(|| one.violation(goals).total_cmp(&other.violation(goals)))
        .then_with(|| objective(one).total_cmp(&objective(other)))
        .then_with(|| other.margin(goals).total_cmp(&one.margin(goals)))
}

impl Objective {
    /// A number that is larger for what is worse; what was not measured is worst.
    pub(super) fn badness(&self, value: f64) -> f64 {
        match (value.is_nan(), self.is_maximised) {
            (true, _) => f64::MAX,
            (false, true) => -value,
            (false, false) => value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_value_decides_nothing() {
        assert!(!Mean::of(&[5.0]).is_above_zero());
        assert!(Mean::of(&[5.0, 5.0]).is_above_zero());
        // t(2) = 4.303, and the standard error of 1, 2, 3 is 0.577.
        let mean = Mean::of(&[1.0, 2.0, 3.0]);
        assert!((mean.half - 2.484).abs() < 1e-3, "{mean:?}");
    }
}
