//! What a function makes of the records it is given.

use super::super::dice::{happens, hashed};
use super::super::world::{Part, Trouble, Way, World};
use crate::engine::{MappingConfig, Outcome, Span, Time, limits};

/// A call that will come to an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Course {
    pub(in super::super) takes: Span,
    pub(in super::super) answer: Answer,
    /// Places in the batch of records that the function really finished.
    pub(in super::super) done: Vec<u32>,
    pub(in super::super) is_lost: bool,
    /// A fault made it slower.
    pub(in super::super) is_slowed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Answer {
    All(Outcome),
    /// Places of the records that are reported as failed.
    Reports(Vec<u32>),
}

/// Names a call, for its draws: part, first record, and how many calls of it there were.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct CallName {
    pub(in super::super) part: u64,
    pub(in super::super) first: u64,
    pub(in super::super) call: u64,
}

/// The fault of a kind that is in force, if one strikes this call.
pub(in super::super) fn struck(
    world: &World,
    part: &Part,
    what: Trouble,
    now: Time,
    name: [u64; 3],
) -> bool {
    part.faults.iter().any(|fault| {
        let salt = name[0] ^ ((what as u64) << 40);
        fault.what == what
            && fault.from <= now
            && now < fault.to
            && happens(fault.percent, world.seed, salt, name[1], name[2])
    })
}

/// What becomes of a call that was admitted. `records` are those of the batch.
pub(in super::super) fn course(
    world: &World,
    part: &Part,
    config: &MappingConfig,
    records: &[u32],
    in_window: bool,
    now: Time,
    name: CallName,
) -> Course {
    let script = &world.functions[part.function];
    let draw = |what: u64| hashed(world.seed, name.part ^ (what << 32), name.first, name.call);
    let width = script.slowest.as_millis() - script.quickest.as_millis() + 1;
    let mut takes = script.quickest + Span::from_millis(draw(1) % width);
    let key = [name.part, name.first, name.call];
    let is_slowed = struck(world, part, Trouble::Slow, now, key);
    if is_slowed {
        takes = takes.times(10).min(script.timeout);
    }
    let takes_reports = config.report_batch_item_failures;
    let all = || (0..records.len() as u32).collect::<Vec<u32>>();
    let course = |takes, answer, done| Course {
        takes,
        answer,
        done,
        is_lost: false,
        is_slowed,
    };
    let bytes: u64 = records
        .iter()
        .map(|record| u64::from(part.records[*record as usize].bytes) + 1)
        .sum();
    if bytes > limits::EVENT_BYTES_MAX {
        let answer = Answer::All(Outcome::TooLarge);
        return course(Span::from_millis(1), answer, Vec::new());
    }
    let is_calm = now >= world.calm;
    let rate = |percent: u32, what| !is_calm && draw(what) % 100 < u64::from(percent);
    let ill = |record: &u32| {
        let poison = part.records[*record as usize].poison?;
        (!(poison.heals && is_calm)).then_some(poison.way)
    };
    let failed: Vec<u32> = (0..)
        .zip(records)
        .filter(|(_, record)| ill(record).is_some())
        .map(|(place, _)| place)
        .collect();
    let hangs = records.iter().any(|record| ill(record) == Some(Way::Hangs));
    if hangs {
        let answer = Answer::All(Outcome::FunctionError);
        return course(script.timeout, answer, Vec::new());
    }
    let throws = records
        .iter()
        .filter_map(ill)
        .any(|way| way == Way::Throws || !takes_reports);
    if throws || rate(script.throws, 2) {
        let answer = Answer::All(Outcome::FunctionError);
        return course(takes, answer, Vec::new());
    }
    if takes_reports && rate(script.rambles, 3) {
        let done = all().into_iter().filter(|place| !failed.contains(place));
        return course(takes, Answer::All(Outcome::Rejected), done.collect());
    }
    let mut failed = failed;
    if takes_reports && rate(script.misreports, 4) && !records.is_empty() {
        let count = records.len() as u64;
        failed.push((draw(5) % count) as u32);
        if draw(6).is_multiple_of(2) {
            failed.push((draw(7) % count) as u32);
        }
        failed.sort_unstable();
        failed.dedup();
    }
    if !failed.is_empty() {
        let done = all().into_iter().filter(|place| !failed.contains(place));
        return course(takes, Answer::Reports(failed.clone()), done.collect());
    }
    let outcome = if in_window && rate(script.bloats, 8) {
        Outcome::StateTooLarge
    } else {
        Outcome::Success
    };
    course(takes, Answer::All(outcome), all())
}
