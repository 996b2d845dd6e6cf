//! Sentences about a finished run, computed from its scenario, its figures and its series: what limited it, what went wrong,
//! and which setting to change. Says nothing where nothing is wrong.

mod asynchronous;
mod bound;
mod cold;
mod cost;
mod kafka;
mod lost;
mod provisioned;
mod queue;
mod records;
mod scene;
mod starvation;
mod storm;
mod tail;
mod throttled;
mod words;

use crate::metrics::{Finding, Series, Summary};
use crate::scenario::Scenario;
use scene::Scene;

/// Of one kind of finding, how many subjects are named: a scenario may have thousands of functions.
const SUBJECTS_MAX: usize = 5;

/// What there is to say about a run, the worst first, otherwise in the order of functions and mappings.
///
/// Numbers are those of the summary. What the summary cannot know (when something began, how long it lasted) is taken from the
/// series, which are the first replication's.
pub fn findings(scenario: &Scenario, summary: &Summary, series: &Series) -> Vec<Finding> {
    let scene = Scene::new(scenario, summary, series);
    let mut found = Vec::new();
    for worker in scene.workers() {
        // What a storm refuses is part of the storm.
        found.extend(storm::of(scene, worker).or_else(|| throttled::of(scene, worker)));
        found.extend(asynchronous::of(scene, worker));
        found.extend(provisioned::of(scene, worker));
        found.extend(cold::of(scene, worker));
        found.extend(tail::of(worker));
    }
    for route in scene.routes() {
        found.extend(queue::of(route));
        found.extend(lost::of(route));
        found.extend(bound::of(scene, route));
        found.extend(kafka::rebalances(scene, route));
        found.extend(records::of(scene, route));
    }
    found.extend(cost::of(scene));
    found.sort_by_key(|finding| finding.severity);
    shortened(found)
}

/// At most [`SUBJECTS_MAX`] findings of each kind; the last of them says how many more there are.
fn shortened(found: Vec<Finding>) -> Vec<Finding> {
    let mut kept: Vec<Finding> = Vec::new();
    let mut left: Vec<(std::borrow::Cow<'static, str>, usize)> = Vec::new();
    for finding in found {
        let same = kept.iter().filter(|one| one.code == finding.code).count();
        if same < SUBJECTS_MAX {
            kept.push(finding);
            continue;
        }
        match left.iter_mut().find(|(code, _)| *code == finding.code) {
            Some((_, more)) => *more += 1,
            None => left.push((finding.code, 1)),
        }
    }
    for (code, more) in left {
        if let Some(last) = kept.iter_mut().rfind(|one| one.code == code) {
            last.sentence
                .push_str(&format!(" The same was found of {more} more."));
        }
    }
    kept
}
