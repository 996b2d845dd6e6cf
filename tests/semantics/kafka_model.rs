//! The Kafka machine in a group that gives and takes at random, with a function, a broker and a destination that fail at
//! random: what is committed was finished, order holds per partition, and nothing is lost.

use super::cluster::{Answer, FINE, Place, Rig, THROTTLES, THROWS, Written, kafka};
use proptest::prelude::*;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use tidegate::engine::{Control, Fact, FailureClass, MappingConfig, Outcome, Rng, Span, Time};

/// What happens to the group.
#[derive(Clone, Debug)]
enum Step {
    /// Milliseconds.
    Run(u64),
    /// Partitions, by the bits of a number, of whoever has them.
    Revoke(u8),
    Lose(u8),
    /// Whatever nobody has goes to a member, chosen by the number.
    Assign(u8),
    Disable,
    Enable,
    ReceiveFails,
}

#[derive(Clone, Debug)]
struct Case {
    seed: u64,
    config: MappingConfig,
    takes: u64,
    commits_take: u64,
    /// Arrival (ms) of every record, by partition.
    topic: Vec<Vec<u64>>,
    /// One record in so many is left out by filters.
    filters: u64,
    /// Of 100 invocations, commits and diversions, how many fail.
    failures: u64,
    steps: Vec<Step>,
}

fn config() -> impl Strategy<Value = MappingConfig> {
    let flags = (any::<bool>(), any::<bool>());
    let pollers = prop::option::of((1..4u32, 0..3u32));
    let retries = prop::option::of(0..3u32);
    let window = prop::sample::select(vec![0, 500, 3_000]);
    (1..12u32, window, flags, pollers, retries).prop_map(
        |(batch_size, window, (bisects, reports), pollers, retries)| MappingConfig {
            batch_size,
            window: Span::from_millis(window),
            bisect_batch_on_function_error: bisects,
            report_batch_item_failures: reports,
            provisioned_pollers: pollers.map(|(min, more)| (min, min + more)),
            maximum_retry_attempts: retries,
            on_failure: retries.map(|_| "kafka://dead".to_owned()),
            ..kafka()
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..2_000u64).prop_map(Step::Run),
        1 => Just(Step::Run(61_000)),
        3 => any::<u8>().prop_map(Step::Revoke),
        2 => any::<u8>().prop_map(Step::Lose),
        5 => any::<u8>().prop_map(Step::Assign),
        1 => Just(Step::Disable),
        2 => Just(Step::Enable),
        1 => Just(Step::ReceiveFails),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let arrivals = prop::collection::vec(0..20_000u64, 0..30).prop_map(|mut arrivals| {
        arrivals.sort_unstable();
        arrivals
    });
    let topic = prop::collection::vec(arrivals, 1..7);
    let times = (prop::sample::select(vec![0, 90, 700]), 0..300u64);
    let odds = (2..9u64, 0..60u64);
    let steps = prop::collection::vec(step(), 0..40);
    (any::<u64>(), config(), times, topic, odds, steps).prop_map(
        |(seed, config, (takes, commits_take), topic, (filters, failures), steps)| Case {
            seed,
            config,
            takes,
            commits_take,
            topic,
            filters,
            failures,
            steps,
        },
    )
}

/// What the function and the broker see of order.
#[derive(Default)]
struct Witness {
    /// By partition the first offset that this assignment has not delivered.
    expected: BTreeMap<u32, u64>,
    left_out: BTreeSet<Place>,
}

struct Run {
    case: Case,
    rig: Rig,
    witness: Rc<RefCell<Witness>>,
    /// While true, things fail.
    storms: Rc<RefCell<bool>>,
    seen: usize,
    stored: BTreeMap<u32, u64>,
}

impl Run {
    fn new(case: &Case) -> Self {
        let written = |at_ms: &u64| Written {
            at_ms: *at_ms,
            wire_len: 100,
        };
        let topic = case.topic.iter().map(|it| it.iter().map(written).collect());
        let mut rig = Rig::new(case.config.clone(), topic.collect()).takes(case.takes);
        let mut rng = Rng::stream(case.seed, "world");
        for (shard, records) in (0..).zip(&case.topic) {
            let offsets = 0..records.len() as u64;
            let chosen = offsets.filter(|_| rng.below(case.filters) == 0);
            rig.world.left_out.extend(chosen.map(|it| (shard, it)));
        }
        rig.world.commits_take = Span::from_millis(case.commits_take);
        let left_out = rig.world.left_out.clone();
        let witness = Rc::new(RefCell::new(Witness {
            left_out,
            ..Witness::default()
        }));
        let storms = Rc::new(RefCell::new(true));
        let (percent, reports) = (case.failures, case.config.report_batch_item_failures);
        let (seen, storm) = (witness.clone(), storms.clone());
        let mut rng = Rng::stream(case.seed, "function");
        rig.world.function = Box::new(move |_, places| {
            seen.borrow_mut().deliver(places);
            if !*storm.borrow() || rng.below(100) >= percent {
                return FINE;
            }
            match rng.below(6) {
                0 => THROTTLES,
                1 => Answer::Whole(Outcome::ServiceError),
                2 => Answer::Whole(Outcome::Rejected),
                3 | 4 if reports => {
                    let one = places[rng.below(places.len() as u64) as usize];
                    let other = places[rng.below(places.len() as u64) as usize];
                    let failed = BTreeSet::from([one, other]);
                    Answer::Failed(failed.into_iter().collect())
                }
                _ => THROWS,
            }
        });
        let mut rng = Rng::stream(case.seed, "broker");
        let storm = storms.clone();
        rig.world.refuse = Box::new(move |_| {
            let fails = *storm.borrow() && rng.below(100) < percent;
            fails.then_some(FailureClass::Transient)
        });
        Self {
            case: case.clone(),
            rig,
            witness,
            storms,
            seen: 0,
            stored: BTreeMap::new(),
        }
    }

    fn owners(&self) -> BTreeMap<u32, u32> {
        let reading = self.rig.world.reading.keys();
        reading.map(|(poller, shard)| (*shard, *poller)).collect()
    }

    /// The chosen partitions of each consumer.
    fn chosen(&self, bits: u8) -> BTreeMap<u32, Vec<u32>> {
        let mut chosen: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (shard, poller) in self.owners() {
            if bits >> (shard % 8) & 1 == 1 {
                chosen.entry(poller).or_default().push(shard);
            }
        }
        chosen
    }

    fn assign(&mut self, number: u8) {
        let members: Vec<u32> = self.rig.world.members.iter().copied().collect();
        if members.is_empty() {
            return;
        }
        let owners = self.owners();
        for shard in 0..self.case.topic.len() as u32 {
            if !owners.contains_key(&shard) {
                let member = members[(number as usize + shard as usize) % members.len()];
                let from = self.rig.world.committed.get(&shard).copied().unwrap_or(0);
                self.witness.borrow_mut().expected.insert(shard, from);
                self.rig.assign(member, &[shard]);
            }
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Run(millis) => self.pass(millis),
            Step::Revoke(bits) => {
                for (poller, shards) in self.chosen(bits) {
                    self.rig.revoke(poller, &shards);
                }
            }
            Step::Lose(bits) => {
                for (poller, shards) in self.chosen(bits) {
                    self.rig.lose(poller, &shards);
                }
            }
            Step::Assign(number) => self.assign(number),
            Step::Disable => self.rig.control(Control::Disable),
            Step::Enable => self.rig.control(Control::Enable),
            Step::ReceiveFails => {
                self.rig.world.receives_fail = vec![FailureClass::Transient];
            }
        }
        self.check();
    }

    fn pass(&mut self, millis: u64) {
        let until = self.rig.now + Span::from_millis(millis);
        while self.rig.one_step(until) {
            self.check();
        }
        self.rig.until(until.as_millis());
    }

    fn is_finished(&self, place: Place) -> bool {
        let world = &self.rig.world;
        world.succeeded.contains(&place)
            || world.given_up.contains(&place)
            || world.left_out.contains(&place)
    }

    fn check(&mut self) {
        for &(shard, to, is_accepted) in &self.rig.world.commit_log[self.seen..] {
            let before = self.stored.get(&shard).copied().unwrap_or(0);
            assert!(
                to > before,
                "{shard} was committed at {before} and then at {to}"
            );
            for offset in before..to {
                assert!(
                    self.is_finished((shard, offset)),
                    "{shard}:{offset} is unfinished, and {to} was committed"
                );
            }
            if is_accepted {
                self.stored.insert(shard, to);
            }
        }
        self.seen = self.rig.world.commit_log.len();
        let mut taken = BTreeSet::new();
        for (places, _) in self.rig.world.running.values() {
            let shards: BTreeSet<u32> = places.iter().map(|(shard, _)| *shard).collect();
            for shard in shards {
                assert!(taken.insert(shard), "{shard} is in two batches at once");
            }
        }
        assert_eq!(self.rig.mapping.in_hand(), self.unfinished(), "in hand");
    }

    /// Records that were read and have not ended, as facts tell it.
    fn unfinished(&self) -> u64 {
        let mut records = 0;
        for fact in self.rig.facts() {
            match fact {
                Fact::Polled {
                    records: polled,
                    filtered,
                    ..
                } => {
                    records += u64::from(polled - filtered);
                }
                Fact::InvokeEnded { succeeded, .. } => records -= u64::from(succeeded),
                Fact::Discarded { records: ended, .. } | Fact::Returned { records: ended, .. } => {
                    records -= u64::from(ended);
                }
                _ => {}
            }
        }
        records
    }

    /// Calm weather: everything is read, finished and committed in the end.
    fn finish(&mut self) {
        *self.storms.borrow_mut() = false;
        self.rig.control(Control::Enable);
        for round in 0..40 {
            self.pass(10_000);
            self.assign(round);
        }
        for (shard, records) in (0..).zip(&self.case.topic.clone()) {
            let end = records.len() as u64;
            let committed = self.rig.world.committed.get(&shard).copied().unwrap_or(0);
            assert_eq!(committed, end, "the end of {shard} at {:?}", self.rig.now);
            for offset in 0..end {
                assert!(
                    self.is_finished((shard, offset)),
                    "{shard}:{offset} was lost"
                );
            }
        }
        assert_eq!(self.rig.mapping.in_hand(), 0);
        assert!(self.rig.now < Time::from_secs(10_000_000));
        self.rig.control(Control::Drain);
        assert!(self.rig.mapping.is_drained());
        assert!(self.rig.world.members.is_empty());
    }
}

impl Witness {
    /// Offsets of a partition ascend, and none that is not filtered is passed over.
    fn deliver(&mut self, places: &[Place]) {
        let mut last: BTreeMap<u32, u64> = BTreeMap::new();
        let mut previous = None;
        for &(shard, offset) in places {
            let before = last.insert(shard, offset);
            assert!(before.is_none_or(|before| before < offset), "{places:?}");
            let together = before.is_none() || previous == Some(shard);
            assert!(together, "{shard} stands in two places of {places:?}");
            previous = Some(shard);
            let expected = self.expected.entry(shard).or_default();
            for skipped in *expected..offset {
                let is_left_out = self.left_out.contains(&(shard, skipped));
                assert!(
                    is_left_out,
                    "{shard}:{skipped} was passed over by {places:?}"
                );
            }
            *expected = (offset + 1).max(*expected);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn kafka_commits_are_prefixes_whatever_the_group_does(case in case()) {
        let mut run = Run::new(&case);
        run.rig.drain();
        run.assign(0);
        for step in &case.steps {
            run.step(step);
        }
        run.finish();
    }
}
