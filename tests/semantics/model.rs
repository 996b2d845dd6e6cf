//! The stream machine against a small interpreter of the same rules that shares no code with it: bisection, partial
//! responses, retries, record age and parallelization in any combination.

use super::harness::{Rig, THROTTLED, kinesis};
use proptest::prelude::*;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use tidegate::engine::{
    Condition, Fact, MappingConfig, Meta, Outcome, Profile, Record, Seq, Span, Time, Tuning,
};

/// When the shard is listed: everything has arrived by then.
const START_MS: u64 = 60_000;

#[derive(Clone, Debug)]
struct Case {
    lanes: u32,
    batch_size: usize,
    retries: Option<u32>,
    age_ms: Option<u64>,
    bisects: bool,
    reports: bool,
    /// Lane and arrival (ms) of each record; record `n` has the number `n + 1`.
    records: Vec<(u32, u64)>,
    /// Records that fail whatever holds them.
    poison: BTreeSet<usize>,
    /// Records that make the first delivery which they head be throttled.
    throttled: BTreeSet<usize>,
}

fn case() -> impl Strategy<Value = Case> {
    let flags = (any::<bool>(), any::<bool>());
    let limits = (
        1..5u32,
        1..9usize,
        0..4u32,
        prop::option::of(60_000..125_000u64),
    );
    (limits, flags, 1..30usize).prop_flat_map(|(limits, flags, count)| {
        let (lanes, batch_size, retries, age_ms) = limits;
        let records = prop::collection::vec((0..lanes, 0..START_MS), count);
        let poison = prop::collection::btree_set(0..count, 0..4);
        let throttled = prop::collection::btree_set(0..count, 0..3);
        (records, poison, throttled).prop_map(move |(mut records, poison, throttled)| {
            let mut arrivals: Vec<u64> = records.iter().map(|(_, at)| *at).collect();
            arrivals.sort_unstable();
            for (record, at) in records.iter_mut().zip(arrivals) {
                record.1 = at;
            }
            Case {
                lanes,
                batch_size,
                // Endless retries end only by age.
                retries: (retries < 3 || age_ms.is_none()).then_some(retries),
                age_ms,
                bisects: flags.0,
                reports: flags.1,
                records,
                poison,
                throttled,
            }
        })
    })
}

/// How the function answers a delivery of `records`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Fine,
    Throws,
    Reports(usize),
    Throttles,
}

struct Function<'a> {
    case: &'a Case,
    throttled: BTreeSet<usize>,
}

impl Function<'_> {
    fn answer(&mut self, records: &[usize]) -> Answer {
        if self.case.throttled.contains(&records[0]) && self.throttled.insert(records[0]) {
            return Answer::Throttles;
        }
        match records.iter().position(|it| self.case.poison.contains(it)) {
            None => Answer::Fine,
            Some(at) if self.case.reports => Answer::Reports(at),
            Some(_) => Answer::Throws,
        }
    }
}

/// When a delivery was made, in ms, and of which records.
type Deliveries = Vec<(u64, Vec<usize>)>;
/// First record, how many, whether by age, and the count that is told.
type GivenUp = Vec<(usize, usize, bool, u32)>;

/// The rules as a recursion over lists, with a clock in milliseconds.
struct Interpreter<'a> {
    function: Function<'a>,
    now: u64,
    deliveries: Deliveries,
    given_up: GivenUp,
}

impl Interpreter<'_> {
    fn wait(&mut self, failures: u32) {
        self.now += (500u64 << (failures - 1).min(20)).min(60_000);
    }

    fn lane(&mut self, records: &[usize]) {
        for batch in records.chunks(self.function.case.batch_size) {
            self.piece(batch);
        }
    }

    fn piece(&mut self, mut records: &[usize]) {
        let case = self.function.case;
        let (mut failures, mut refusals) = (0, 0);
        loop {
            if let Some(age) = case.age_ms {
                let is_old = |it: &&usize| self.now - case.records[**it].1 > age;
                let old = records.iter().take_while(is_old).count();
                if old > 0 {
                    self.given_up.push((records[0], old, true, failures + 1));
                    records = &records[old..];
                    (failures, refusals) = (0, 0);
                }
            }
            if records.is_empty() {
                return;
            }
            self.deliveries.push((self.now, records.to_vec()));
            match self.function.answer(records) {
                Answer::Fine => return,
                Answer::Throttles => {
                    refusals += 1;
                    self.wait(refusals);
                    continue;
                }
                Answer::Reports(done) if done > 0 => {
                    self.wait(1);
                    return self.piece(&records[done..]);
                }
                Answer::Reports(_) | Answer::Throws => {}
            }
            refusals = 0;
            if case.bisects && records.len() > 1 {
                let (first, second) = records.split_at(records.len() / 2);
                self.wait(1);
                self.piece(first);
                return self.piece(second);
            }
            failures += 1;
            if case.retries.is_some_and(|retries| failures > retries) {
                let count = records.len();
                self.given_up.push((records[0], count, false, failures));
                return;
            }
            self.wait(failures);
        }
    }
}

/// What the rules say, over all lanes, sorted.
fn expected(case: &Case) -> (Deliveries, GivenUp) {
    let (mut deliveries, mut given_up) = (vec![], vec![]);
    for lane in 0..case.lanes {
        let records: Vec<usize> = (0..case.records.len())
            .filter(|&it| case.records[it].0 == lane)
            .collect();
        let mut interpreter = Interpreter {
            function: Function {
                case,
                throttled: BTreeSet::new(),
            },
            now: START_MS,
            deliveries: vec![],
            given_up: vec![],
        };
        interpreter.lane(&records);
        deliveries.extend(interpreter.deliveries);
        given_up.extend(interpreter.given_up);
    }
    deliveries.sort();
    given_up.sort_unstable();
    (deliveries, given_up)
}

const NAMES: [&str; 30] = [
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16",
    "17", "18", "19", "20", "21", "22", "23", "24", "25", "26", "27", "28", "29",
];

fn numbers(batch: &[&str]) -> Vec<usize> {
    batch
        .iter()
        .map(|name| name.parse().expect("a number"))
        .collect()
}

fn run(case: &Case) -> Rig {
    let config = MappingConfig {
        parallelization_factor: case.lanes,
        batch_size: case.batch_size as u32,
        maximum_retry_attempts: case.retries,
        maximum_record_age: case.age_ms.map(Span::from_millis),
        bisect_batch_on_function_error: case.bisects,
        report_batch_item_failures: case.reports,
        ..kinesis()
    };
    let held = case
        .records
        .iter()
        .zip(NAMES)
        .zip(1u64..)
        .map(|((&(lane, at_ms), payload), seq)| Record {
            meta: Meta {
                seq: Seq::from(seq),
                // The middle of the lane's share of all hashes.
                group: ((u128::from(lane) * 2 + 1) << 63).div_ceil(u128::from(case.lanes)) as u64,
                arrival: Time::from_millis(at_ms),
                wire_len: 100,
            },
            payload,
        })
        .collect();
    let mut rig = Rig::idle(config, Tuning::new(Profile::Current), vec![held]);
    let answers = Rc::new(case.clone());
    let throttled = Rc::new(RefCell::new(BTreeSet::new()));
    rig.world.function = Box::new(move |call| {
        let mut function = Function {
            case: &answers,
            throttled: throttled.take(),
        };
        let answer = function.answer(&numbers(call.records));
        throttled.replace(function.throttled);
        match answer {
            Answer::Fine => Outcome::Success,
            Answer::Throws => Outcome::FunctionError,
            Answer::Throttles => THROTTLED,
            Answer::Reports(at) => Outcome::Partial {
                first_failed: at as u32,
            },
        }
    });
    rig.advance(Time::from_millis(START_MS));
    rig.list_from_horizon();
    rig.advance(Time::from_secs(3_600));
    rig
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn deliveries_and_discards_are_those_of_the_rules(case in case()) {
        let rig = run(&case);
        let mut deliveries: Deliveries = rig
            .invokes()
            .into_iter()
            .map(|(at, batch)| (at, numbers(&batch.split(' ').collect::<Vec<_>>())))
            .collect();
        deliveries.sort();
        let mut given_up: GivenUp = rig
            .facts()
            .iter()
            .filter_map(|(_, fact)| match *fact {
                Fact::Discarded { records, condition, invoke_count, first, .. } => Some((
                    first.seq.low_u64() as usize - 1,
                    records as usize,
                    condition == Condition::RecordAgeExceeded,
                    invoke_count,
                )),
                _ => None,
            })
            .collect();
        given_up.sort_unstable();
        let (expected_deliveries, expected_given_up) = expected(&case);
        prop_assert_eq!(deliveries, expected_deliveries);
        prop_assert_eq!(given_up, expected_given_up);
        let last = Seq::from(case.records.len() as u64);
        prop_assert_eq!(rig.stores().last().map(|delta| delta.to), Some(tidegate::engine::Position::After(last)));
    }
}
