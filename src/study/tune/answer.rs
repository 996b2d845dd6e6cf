//! The answer of a search as plain data: the best, why, what a step further would do, and who came next.

use super::axis::in_file;
use super::contender::{Contender, Mean, better};
use super::search::neighbour;
use super::{Axis, Plan};
use crate::metrics::Setting;
use crate::metrics::numbers::grouped;
use crate::study::Unit;
use serde::Serialize;
use std::cmp::Ordering;

/// How many others are shown.
const RUNNERS_UP: usize = 5;
/// A goal that is met by less than this part of its bound is close.
const CLOSE: f64 = 0.1;

/// What a search found.
#[derive(Clone, Debug, Serialize)]
pub struct Answer {
    /// Version of the program.
    pub tidegate: String,
    /// Title of the scenario.
    pub scenario: String,
    /// Digest of the scenario as it is.
    pub scenario_hash: String,
    /// Seed of the first replication.
    pub seed: u64,
    /// What had to hold.
    pub goals: Vec<String>,
    /// `minimise cost.total_usd_per_month.Sum`.
    pub objective: String,
    /// What could change: paths with their values in words.
    pub over: Vec<(String, String)>,
    /// Whether the best meets all goals.
    pub met: bool,
    /// The best, or the nearest miss.
    pub best: Candidate,
    /// The scenario as it is.
    pub as_it_is: Candidate,
    /// Why it is this one, in sentences.
    pub reasons: Vec<String>,
    /// What a step along each axis would do.
    pub steps: Vec<Step>,
    /// The next best.
    pub runners_up: Vec<Candidate>,
    /// Combinations that were simulated, beside the scenario as it is.
    pub tried: usize,
    /// Combinations that AWS or the file does not allow.
    pub refused: usize,
    /// The first reason for which one was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// Combinations that there are.
    pub combinations: u64,
    /// Runs that the search took.
    pub runs: usize,
    /// Runs that it might have taken.
    pub budget: usize,
    /// Whether it ended because there were no more of them.
    pub budget_is_spent: bool,
}

/// A combination of values with its figures.
#[derive(Clone, Debug, Serialize)]
pub struct Candidate {
    /// `BatchSize = 100, ParallelizationFactor = 2`.
    pub name: String,
    /// The changes that make it.
    pub changes: Vec<Setting>,
    /// Runs that its figures stand for.
    pub replications: usize,
    /// The measure of each goal.
    pub goals: Vec<Measured>,
    /// The objective.
    pub objective: Measured,
    /// Paired difference of the objective to that of the best, in words; empty for the best itself.
    pub difference: String,
}

/// A figure over replications.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    /// `subject.Metric.statistic`.
    pub measure: String,
    /// Mean; `NaN`, which JSON shows as null, where nothing was measured.
    pub mean: f64,
    /// Lower bound of the 95 % interval, if there are at least two replications.
    pub low: Option<f64>,
    /// Upper bound.
    pub high: Option<f64>,
    /// As people read it: `812 ms ± 24 ms`.
    pub shown: String,
    /// Whether the mean meets the goal; always for the objective.
    pub met: bool,
}

/// A step from the best along one axis.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// Path of the setting.
    pub path: String,
    /// Its value in the best.
    pub from: String,
    /// Its value after the step.
    pub to: String,
    /// What that gives.
    pub candidate: Candidate,
}

pub(super) fn answer(
    plan: &Plan,
    (scenario, scenario_hash): (String, String),
    contenders: &[Contender],
    (runs, lasted): (usize, bool),
) -> Answer {
    let mut order: Vec<usize> = (0..contenders.len())
        .filter(|index| is_judged(&contenders[*index]))
        .collect();
    order.sort_by(|one, other| {
        better(&contenders[*one], &contenders[*other], plan).then(one.cmp(other))
    });
    // The scenario as it is passed every check and runs first, so there is somebody.
    let best = order.first().copied().unwrap_or(0);
    let winner = &contenders[best];
    let candidate = |index: usize| candidate(plan, &contenders[index], winner, index == best);
    let refusal = contenders
        .iter()
        .find_map(|one| one.scenario.as_ref().err().cloned());
    Answer {
        tidegate: env!("CARGO_PKG_VERSION").to_owned(),
        scenario,
        scenario_hash,
        seed: plan.seed,
        goals: plan.goals.iter().map(ToString::to_string).collect(),
        objective: format!("{} {}", plan.objective.verb(), plan.objective.measure),
        over: plan
            .axes
            .iter()
            .map(|axis| (axis.path.clone(), axis.told()))
            .collect(),
        met: winner.meets(&plan.goals),
        best: candidate(best),
        as_it_is: candidate(0),
        reasons: reasons(plan, contenders, &order, best),
        steps: steps(plan, contenders, best),
        runners_up: distinct(contenders, &order, best).map(candidate).collect(),
        tried: order.iter().filter(|index| **index != 0).count(),
        refused: contenders
            .iter()
            .filter(|one| one.scenario.is_err())
            .count(),
        refusal,
        combinations: u64::try_from(plan.axes.iter().map(Axis::size).product::<u128>())
            .unwrap_or(u64::MAX),
        runs,
        budget: plan.budget,
        budget_is_spent: !lasted,
    }
}

/// The next best, without those that ran exactly as one before them.
fn distinct<'a>(
    contenders: &'a [Contender],
    order: &'a [usize],
    best: usize,
) -> impl Iterator<Item = usize> + 'a {
    let same = |one: &Contender, other: &Contender| {
        let runs = one.rows.len().min(other.rows.len());
        one.rows[..runs] == other.rows[..runs]
    };
    let others = order
        .iter()
        .enumerate()
        .skip(1)
        .filter(move |(_, index)| **index != 0 && **index != best);
    let fresh = others.filter(move |(place, index)| {
        let before = &order[..*place];
        !before
            .iter()
            .any(|other| same(&contenders[**index], &contenders[*other]))
    });
    fresh.map(|(_, index)| *index).take(RUNNERS_UP)
}

fn is_judged(one: &Contender) -> bool {
    one.has_run() && one.scenario.is_ok()
}

impl super::Objective {
    /// `minimise` or `maximise`.
    pub(super) const fn verb(&self) -> &'static str {
        if self.is_maximised {
            "maximise"
        } else {
            "minimise"
        }
    }
}

fn name(axes: &[Axis], contender: &Contender) -> String {
    let Some(point) = &contender.point else {
        return "as it is".to_owned();
    };
    // Two tables may have a setting of one name.
    let label = |axis: &Axis| {
        let short = axis.short();
        let alone = axes.iter().filter(|other| other.short() == short).count() == 1;
        if alone {
            short.to_owned()
        } else {
            axis.path.clone()
        }
    };
    let parts = axes
        .iter()
        .zip(point)
        .map(|(axis, at)| format!("{} = {}", label(axis), axis.value(*at)));
    parts.collect::<Vec<_>>().join(", ")
}

fn measured(measure: &crate::study::Measure, mean: Mean, met: bool) -> Measured {
    let unit = Unit::of(measure.metric());
    let known = mean.half.is_finite();
    let shown = if known && mean.half > 0.0 {
        format!("{} ± {}", unit.shown(mean.value), unit.shown(mean.half))
    } else {
        unit.shown(mean.value)
    };
    Measured {
        measure: measure.to_string(),
        mean: mean.value,
        low: known.then_some(mean.value - mean.half),
        high: known.then_some(mean.value + mean.half),
        shown,
        met,
    }
}

fn candidate(plan: &Plan, one: &Contender, best: &Contender, is_best: bool) -> Candidate {
    let last = plan.goals.len();
    let goals = plan.goals.iter().enumerate().map(|(index, goal)| {
        let mean = one.mean(index);
        measured(goal.measure(), mean, goal.holds(mean.value))
    });
    let unit = Unit::of(plan.objective.measure.metric());
    let difference = if is_best {
        String::new()
    } else {
        let Mean { value, half } = one.difference(best, plan);
        if half.is_finite() && value.abs() <= half {
            "no detectable difference".to_owned()
        } else if value == 0.0 {
            "the same".to_owned()
        } else {
            let sign = if value > 0.0 { "+" } else { "−" };
            let spread = if half.is_finite() && half > 0.0 {
                format!(" ± {}", unit.shown(half))
            } else {
                String::new()
            };
            format!("{sign}{}{spread}", unit.shown(value.abs()))
        }
    };
    Candidate {
        name: name(&plan.axes, one),
        changes: one.settings.clone(),
        replications: one.rows.len(),
        goals: goals.collect(),
        objective: measured(&plan.objective.measure, one.mean(last), true),
        difference,
    }
}

fn steps(plan: &Plan, contenders: &[Contender], best: usize) -> Vec<Step> {
    let Some(at) = &contenders[best].point else {
        return Vec::new();
    };
    let mut list = Vec::new();
    for (index, axis) in plan.axes.iter().enumerate() {
        for direction in [-1, 1] {
            let Some(near) = neighbour(&plan.axes, contenders, at, index, direction) else {
                continue;
            };
            let mut point = at.clone();
            point[index] = near;
            let there = contenders
                .iter()
                .find(|one| one.point.as_ref() == Some(&point) && is_judged(one));
            list.extend(there.map(|one| Step {
                path: axis.path.clone(),
                from: axis.value(at[index]),
                to: axis.value(near),
                candidate: candidate(plan, one, &contenders[best], false),
            }));
        }
    }
    list
}

fn reasons(plan: &Plan, contenders: &[Contender], order: &[usize], best: usize) -> Vec<String> {
    let winner = &contenders[best];
    let last = plan.goals.len();
    let unit = Unit::of(plan.objective.measure.metric());
    let meets = |index: &&usize| contenders[**index].meets(&plan.goals);
    let combinations = || order.iter().filter(|index| **index != 0);
    let able = combinations().filter(meets).count();
    let tried = combinations().count();
    let objective = |one: &Contender| plan.objective.badness(one.mean(last).value);
    let mut list = Vec::new();
    let extreme = if plan.objective.is_maximised {
        "highest"
    } else {
        "lowest"
    };
    if winner.meets(&plan.goals) {
        let what = if plan.goals.is_empty() {
            format!("Of {tried} combinations that were simulated")
        } else {
            format!(
                "{able} of {} combinations that were simulated meet all goals; of these",
                tried
            )
        };
        list.push(format!(
            "{what} this has the {extreme} {}: {}.",
            plan.objective.measure,
            unit.shown(winner.mean(last).value)
        ));
    } else {
        let missed = plan
            .goals
            .iter()
            .enumerate()
            .filter(|(index, goal)| !goal.holds(winner.mean(*index).value));
        let missed = missed.map(|(index, goal)| {
            let goal_unit = Unit::of(goal.measure().metric());
            format!(
                "{goal} (it is {})",
                goal_unit.shown(winner.mean(index).value)
            )
        });
        list.push(format!(
            "None of {} combinations that were simulated meets all goals. This is the nearest miss; it misses {}.",
            tried,
            missed.collect::<Vec<_>>().join(" and ")
        ));
    }
    for (index, goal) in plan.goals.iter().enumerate() {
        // Those that would be better but for this goal.
        let barred = combinations().filter(|other| {
            let other = &contenders[**other];
            objective(other) < objective(winner) && !goal.holds(other.mean(index).value)
        });
        let barred = barred.count();
        let room = goal.margin(winner.mean(index).value);
        if barred > 0 && winner.meets(&plan.goals) {
            list.push(format!(
                "{goal} binds: {barred} combinations with a better objective miss it."
            ));
        } else if (0.0..CLOSE).contains(&room) {
            list.push(format!(
                "{goal} is met with less than a tenth of it to spare."
            ));
        }
        if winner.is_undecided(&plan.goals[index..=index]) {
            list.push(format!(
                "The interval of {} reaches over the bound: more replications could change the verdict.",
                goal.measure()
            ));
        }
    }
    // Level with the best: their paired difference has an interval around zero.
    let level = order
        .iter()
        .filter(|index| **index != best)
        .filter(meets)
        .filter(|index| {
            let Mean { value, half } = contenders[**index].difference(winner, plan);
            half.is_finite() && value.abs() <= half
        });
    let level = level.count();
    if level > 0 && winner.meets(&plan.goals) {
        let others = if level == 1 {
            "other meets"
        } else {
            "others meet"
        };
        list.push(format!(
            "{level} {others} the goals with no detectable difference of the objective."
        ));
    }
    if best != 0 && is_judged(&contenders[0]) {
        let was = contenders[0].mean(last).value;
        let is = winner.mean(last).value;
        let word = match was.partial_cmp(&is) {
            Some(Ordering::Less) => "up",
            Some(Ordering::Greater) => "down",
            _ => "unchanged",
        };
        let met = if plan.goals.is_empty() {
            String::new()
        } else {
            let missed = plan
                .goals
                .iter()
                .enumerate()
                .filter(|(index, goal)| !goal.holds(contenders[0].mean(*index).value))
                .count();
            match missed {
                0 => "The scenario as it is meets the goals as well. ".to_owned(),
                missed => format!(
                    "The scenario as it is misses {missed} of {} goals. ",
                    plan.goals.len()
                ),
            }
        };
        list.push(format!(
            "{met}{} goes {word} from {} to {}.",
            plan.objective.measure,
            unit.shown(was),
            unit.shown(is)
        ));
    }
    list
}

impl Answer {
    /// The best as text to put into the file: one line per setting, under the table that it belongs to.
    pub fn snippet(&self) -> String {
        let mut text = String::new();
        let mut table = String::new();
        for Setting { path, value } in &self.best.changes {
            let mut steps = path.splitn(3, '.');
            let (kind, name, key) = (
                steps.next().unwrap_or_default(),
                steps.next().unwrap_or_default(),
                steps.next(),
            );
            let (header, key) = match key {
                Some(key) => (format!("[[{kind}]]  # {name}"), key),
                None => (format!("[{kind}]"), name),
            };
            if header != table {
                text.push_str(&format!("{header}\n"));
                table = header;
            }
            text.push_str(&format!("{key} = {}\n", in_file(value)));
        }
        text
    }

    /// How many combinations there are, as text.
    pub fn combinations_shown(&self) -> String {
        if self.combinations == u64::MAX {
            return "very many".to_owned();
        }
        grouped(self.combinations as f64, 0)
    }
}
