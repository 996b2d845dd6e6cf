//! Provisioned concurrency: paid for and idle, too small, or scaled too late.

use super::scene::{Scene, Worker};
use super::words::{advised, count, finding, quantile, set, stretch};
use crate::metrics::numbers::{grouped, percent};
use crate::metrics::{Finding, Setting, Severity};
use crate::scenario::Alias;

/// Below this share busy over time, more than half of it is idle money.
const UNUSED: f64 = 0.4;
/// Below this share of requests it does not matter what spilled over.
const SPILLED: f64 = 0.01;

pub(super) fn of(scene: Scene<'_>, worker: Worker<'_>) -> Vec<Finding> {
    let figures = worker.figures;
    let allocated = figures.allocated_provisioned_concurrent_executions;
    let mut list = Vec::new();
    let mut aliases = worker.config.aliases.iter();
    let alias = aliases.find(|one| one.provisioned_concurrency > 0 || one.autoscaling.is_some());
    let Some(alias) = alias else { return list };
    if allocated.max.value == 0.0 && figures.scalings_refused.value == 0.0 {
        return list;
    }
    list.extend(spilled(scene, worker, alias));
    list.extend(unused(scene, worker, alias));
    if figures.scalings_refused.value >= 1.0 {
        let sentence = format!(
            "Autoscaling asked {} times for more provisioned concurrency than the account or the reservation has left.",
            count(figures.scalings_refused.value)
        );
        let found = finding(
            Severity::Warning,
            "scaling-refused",
            worker.name(),
            worker.measure("ScalingsRefused.Sum"),
            sentence,
        );
        let text = format!(
            "Lower the MaxCapacity of its scalable target ({}), or raise what it takes from (region.account_concurrency, {}).",
            alias_path(worker, alias, "autoscaling.max"),
            worker.path("reserved_concurrency")
        );
        list.push(advised(found, text, Vec::new()));
    }
    list
}

fn alias_path(worker: Worker<'_>, alias: &Alias, key: &str) -> String {
    worker.path(&format!("alias.{}.{key}", alias.name))
}

/// Setting for so much provisioned concurrency from the beginning on: the minimum where something scales it.
fn hold(worker: Worker<'_>, alias: &Alias, value: u32) -> (String, Vec<Setting>) {
    let fixed = alias_path(worker, alias, "provisioned_concurrency");
    match &alias.autoscaling {
        None => (fixed.clone(), vec![set(fixed, value)]),
        Some(target) => {
            let min = alias_path(worker, alias, "autoscaling.min");
            let mut changes = vec![set(min.clone(), value), set(fixed, value)];
            if target.max < value {
                changes.push(set(alias_path(worker, alias, "autoscaling.max"), value));
            }
            (min, changes)
        }
    }
}

fn spilled(scene: Scene<'_>, worker: Worker<'_>, alias: &Alias) -> Option<Finding> {
    let figures = worker.figures;
    let spilled = figures.provisioned_concurrency_spillover_invocations.value;
    let all = spilled + figures.provisioned_concurrency_invocations.value;
    if !(spilled >= 1.0 && spilled / all >= SPILLED) {
        return None;
    }
    let (first, last) = stretch(worker.rows.iter().map(|row| row.spillover_invocations > 0))?;
    let at = |bin: usize| worker.rows.get(bin).map_or(0.0, |row| row.allocated_mean);
    let needed = quantile(
        worker.rows.iter().map(|row| f64::from(row.concurrency_max)),
        0.99,
    ) as u32;
    let cold = figures.cold_starts.value;
    let (code, story, remedy) = match &alias.autoscaling {
        Some(target) if at(last) > at(first) => (
            "autoscaling-too-slow",
            format!(
                "autoscaling took {} from the first to the last of them, from {} environments at {} to {}",
                scene.length(last - first),
                count(at(first)),
                scene.clock(first),
                count(at(last))
            ),
            if target.schedule.is_empty() {
                "Scale before the load comes: a scheduled action"
            } else {
                "Let the scheduled action come earlier or ask for more"
            },
        ),
        _ => (
            "provisioned-too-small",
            format!(
                "{} environments were provisioned and up to {} requests ran at once, the first beside them at {}",
                count(at(first)),
                count(figures.concurrent_executions.max.value),
                scene.clock(first)
            ),
            "Provision for more of the peak",
        ),
    };
    let sentence = format!(
        "{} of {} requests ({}) spilled over to environments that nobody provisioned, with {} cold starts: {story}.",
        count(spilled),
        count(all),
        percent(spilled / all),
        count(cold)
    );
    let found = finding(
        Severity::Warning,
        code,
        worker.name(),
        worker.measure("ProvisionedConcurrencySpilloverInvocations.Sum"),
        sentence,
    );
    let (path, changes) = hold(worker, alias, needed);
    let more = match &alias.autoscaling {
        Some(target) if target.schedule.is_empty() && code == "autoscaling-too-slow" => format!(
            " ({}), or a lower target_utilization ({}), which makes each step larger; or hold",
            alias_path(worker, alias, "autoscaling.schedule"),
            alias_path(worker, alias, "autoscaling.target_utilization")
        ),
        _ => ": hold".to_owned(),
    };
    let text = format!(
        "{remedy}{more} {} ({path}), the concurrency that 99% of the time did not exceed.",
        count(f64::from(needed))
    );
    Some(advised(found, text, changes))
}

fn unused(scene: Scene<'_>, worker: Worker<'_>, alias: &Alias) -> Option<Finding> {
    let figures = worker.figures;
    let used = figures.provisioned_concurrency_utilization.mean.value;
    if used.is_nan() || used >= UNUSED {
        return None;
    }
    let held = held(scene, worker);
    let idle = held * (1.0 - used);
    let needed = quantile(
        worker.rows.iter().map(|row| f64::from(row.provisioned_max)),
        0.99,
    ) as u32;
    let sentence = format!(
        "Of {} provisioned environments on average {} were busy ({} over the whole time, {} at most): about {} of the {} USD a month for holding them went to idle ones.",
        count(
            figures
                .allocated_provisioned_concurrent_executions
                .mean
                .value
        ),
        count(figures.provisioned_concurrent_executions.mean.value),
        percent(used),
        percent(figures.provisioned_concurrency_utilization.max.value),
        grouped(idle, 2),
        grouped(held, 2)
    );
    let found = finding(
        Severity::Warning,
        "provisioned-idle",
        worker.name(),
        "cost.total_usd_per_month.Sum".to_owned(),
        sentence,
    );
    if alias.autoscaling.is_some() {
        let text = format!(
            "Raise the target utilization of its policy ({}) or lower its MinCapacity ({}).",
            alias_path(worker, alias, "autoscaling.target_utilization"),
            alias_path(worker, alias, "autoscaling.min")
        );
        return Some(advised(found, text, Vec::new()));
    }
    let (path, changes) = hold(worker, alias, needed);
    let smaller = f64::from(needed) < 0.9 * f64::from(alias.provisioned_concurrency);
    let text = if smaller {
        format!(
            "Provision {needed} ({path}), which 99% of the time is enough, or let a schedule follow the load."
        )
    } else {
        format!(
            "The peaks need it: let a schedule or target tracking follow the load ({}).",
            alias_path(worker, alias, "autoscaling")
        )
    };
    Some(advised(
        found,
        text,
        if smaller { changes } else { Vec::new() },
    ))
}

/// What holding the function's provisioned concurrency costs, USD a month.
fn held(scene: Scene<'_>, worker: Worker<'_>) -> f64 {
    let lines = scene.summary.cost.lines.iter();
    let own = lines.filter(|line| line.subject == worker.name());
    own.filter(|line| line.item.starts_with("Provisioned concurrency"))
        .map(|line| line.per_month.value)
        .sum()
}
