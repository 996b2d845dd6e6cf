//! Whatever a stream and a function do, nothing is lost, skipped, repeated out of turn or sent too large.

use super::harness::{Rig, kinesis, record};
use proptest::prelude::*;
use tidegate::engine::{
    Delta, FailureClass, MappingConfig, Outcome, Position, Seq, Span, Time, limits,
};

#[derive(Clone, Debug)]
struct Case {
    config: MappingConfig,
    /// Arrival in ms and encoded length of each record of each shard.
    shards: Vec<Vec<(u64, u32)>>,
    left_out: bool,
    page_records_max: u32,
    outcomes: Vec<Outcome>,
    stores_fail: Vec<bool>,
    invoke_takes: Span,
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        4 => Just(Outcome::Success),
        2 => Just(Outcome::FunctionError),
        1 => Just(Outcome::Throttled { retry_after: Span::from_millis(70) }),
        1 => Just(Outcome::ServiceError),
        1 => Just(Outcome::TooLarge),
        // Taken modulo the length of the batch.
        2 => (0..12u32).prop_map(|first_failed| Outcome::Partial { first_failed }),
        1 => Just(Outcome::Rejected),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let record = (
        0..40_000u64,
        prop_oneof![4 => 100..2_000u32, 1 => 1_000_000..7_000_000u32],
    );
    let shard = prop::collection::vec(record, 0..40).prop_map(|mut shard| {
        shard.sort_unstable();
        shard
    });
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    let config = (1..12u32, 0..4u64, prop::option::of(0..4u32), flags, 1..4u32).prop_map(
        |(batch_size, window_s, maximum_retry_attempts, (ages, bisects, diverts), lanes)| {
            MappingConfig {
                batch_size,
                window: Span::from_secs(window_s),
                maximum_retry_attempts,
                maximum_record_age: ages.then_some(Span::from_secs(60)),
                bisect_batch_on_function_error: bisects,
                report_batch_item_failures: true,
                on_failure: diverts
                    .then(|| "arn:aws:sqs:us-east-1:123456789012:failures".to_owned()),
                parallelization_factor: lanes,
                ..kinesis()
            }
        },
    );
    (
        config,
        prop::collection::vec(shard, 1..3),
        any::<bool>(),
        1..20u32,
        prop::collection::vec(outcome(), 0..60),
        prop::collection::vec(any::<bool>(), 0..20),
        prop_oneof![Just(Span::ZERO), Just(Span::from_millis(300))],
    )
        .prop_map(
            |(config, shards, left_out, page_records_max, outcomes, stores_fail, invoke_takes)| {
                Case {
                    config,
                    shards,
                    left_out,
                    page_records_max,
                    outcomes,
                    stores_fail,
                    invoke_takes,
                }
            },
        )
}

/// Payloads by number: a rig's payloads live as long as the program.
const NAMES: [&str; 80] = {
    const DIGITS: &str = "00010203040506070809101112131415161718192021222324252627282930313233343536373839\
                          40414243444546474849505152535455565758596061626364656667686970717273747576777879";
    let mut names = [""; 80];
    let mut index = 0;
    while index < 80 {
        let (_, rest) = DIGITS.split_at(index * 2);
        names[index] = rest.split_at(2).0;
        index += 1;
    }
    names
};

fn run(case: &Case) -> Rig {
    let held: Vec<Vec<_>> = case
        .shards
        .iter()
        .enumerate()
        .map(|(shard, records)| {
            let named = records.iter().zip(&NAMES[shard * 40..]).zip(1..);
            named
                .map(|((&(at_ms, wire_len), name), seq): (_, u64)| {
                    let mut record = record(seq, name, at_ms);
                    record.meta.wire_len = wire_len;
                    record.meta.group = group(seq);
                    record
                })
                .collect()
        })
        .collect();
    let mut rig = Rig::stream(case.config.clone(), held)
        .tuned(|tuning| {
            tuning.page_records_max = case.page_records_max;
            tuning.backoff_max = Span::from_secs(2);
            tuning.poll_interval = Span::from_secs(5);
        })
        .invocations_take(case.invoke_takes);
    if case.left_out {
        rig.world.left_out = NAMES.iter().copied().step_by(3).collect();
    }
    let mut outcomes = case.outcomes.clone().into_iter();
    rig.world.function = Box::new(move |call| match outcomes.next() {
        Some(Outcome::Partial { first_failed }) => Outcome::Partial {
            first_failed: first_failed % call.records.len() as u32,
        },
        other => other.unwrap_or(Outcome::Success),
    });
    let stores_fail = case.stores_fail.clone();
    rig.world.confirm = Box::new(move |number| {
        let fails = stores_fail.get(number as usize - 1).copied();
        fails.unwrap_or(false).then_some(FailureClass::Transient)
    });
    // Once the script has ended everything succeeds: all must be done long before this.
    rig.advance(Time::from_secs(1_200));
    rig
}

/// The hash of a record's key, from its number.
fn group(seq: u64) -> u64 {
    seq.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The lane of a record, from its number.
fn lane(seq: u64, lanes: u32) -> u64 {
    ((u128::from(group(seq)) * u128::from(lanes)) >> 64) as u64
}

/// The shard and the number of a record, from its payload.
fn place(payload: &str) -> (usize, u64) {
    let number: usize = payload.parse().expect("a number");
    (number / 40, number as u64 % 40 + 1)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_record_is_lost_or_skipped(case in case()) {
        let rig = run(&case);
        let kept = |shard: usize| {
            let left_out = &rig.world.left_out;
            let names = &NAMES[shard * 40..shard * 40 + case.shards[shard].len()];
            names.iter().filter(|name| !left_out.contains(name)).map(|name| place(name).1).collect::<Vec<_>>()
        };
        let given_up = rig.discards().iter().map(|(_, records, _, _)| u64::from(*records)).sum::<u64>();
        let mut delivered = 0;
        let lanes = case.config.parallelization_factor;
        for (shard, of) in (0..case.shards.len()).flat_map(|shard| (0..lanes).map(move |lane| (shard, u64::from(lane)))) {
            // Deliveries of a lane, as lists of numbers: each is the next records in line, or a repetition of
            // the batch before it (or of its tail, when the head expired).
            let batches: Vec<Vec<u64>> = rig
                .batches()
                .iter()
                .map(|batch| batch.split(' ').map(place).collect::<Vec<_>>())
                .filter(|batch| batch[0].0 == shard && lane(batch[0].1, lanes) == of)
                .map(|batch| batch.into_iter().map(|(_, number)| number).collect())
                .collect();
            let kept: Vec<u64> = kept(shard).into_iter().filter(|&number| lane(number, lanes) == of).collect();
            let mut seen: Vec<u64> = Vec::new();
            for batch in &batches {
                prop_assert!(batch.windows(2).all(|pair| pair[0] < pair[1]), "out of order: {batch:?}");
                let first_new = batch.iter().position(|number| seen.last().is_none_or(|last| number > last));
                if let Some(first_new) = first_new {
                    prop_assert_eq!(first_new, 0, "a batch mixes old and new records");
                    seen.extend(batch);
                }
            }
            delivered += seen.len() as u64;
            // Whatever was not delivered expired before its first delivery; nothing came that was not there.
            prop_assert!(seen.iter().all(|number| kept.contains(number)));
            if case.config.maximum_record_age.is_none() {
                prop_assert_eq!(&seen, &kept, "every record is delivered, in order");
            }
        }
        let all = (0..case.shards.len()).map(|shard| kept(shard).len() as u64).sum::<u64>();
        prop_assert!(delivered <= all);
        prop_assert!(delivered + given_up >= all, "{delivered} delivered, {given_up} given up, of {all}");
    }

    #[test]
    fn checkpoints_are_contiguous_and_end_at_the_tip(case in case()) {
        let rig = run(&case);
        for shard in 0..case.shards.len() {
            let mut at = Position::Horizon;
            let mut number = 0usize;
            for (_, did) in rig.did() {
                use super::harness::Did;
                // Stores and diversions are confirmed by one count.
                if matches!(did, Did::Divert { .. }) {
                    number += 1;
                }
                let Did::Store { shard: of, delta: Delta { from, to }, .. } = did else { continue };
                let failed = case.stores_fail.get(number).copied().unwrap_or(false);
                number += 1;
                if *of as usize != shard {
                    continue;
                }
                prop_assert_eq!(*from, at, "a delta begins where the last one ended");
                prop_assert!(from.is_behind(*to), "{:?} to {:?}", from, to);
                if !failed {
                    at = *to;
                }
            }
            let records = case.shards[shard].len() as u64;
            let tip = if records == 0 { Position::Horizon } else { Position::After(Seq::from(records)) };
            prop_assert_eq!(at, tip, "all that was read is stored in the end");
        }
    }

    #[test]
    fn a_checkpoint_never_passes_an_unfinished_record(case in case()) {
        let rig = run(&case);
        let mut stored: Vec<Option<Seq>> = vec![None; case.shards.len()];
        for (_, did) in rig.did() {
            match did {
                super::harness::Did::Invoke { records, .. } => {
                    let (shard, first) = place(records.split(' ').next().unwrap_or_default());
                    prop_assert!(
                        stored[shard].is_none_or(|stored| stored < Seq::from(first)),
                        "record {} was stored as done before it was sent", first
                    );
                }
                super::harness::Did::Store { shard, delta, .. } => {
                    if let Position::After(to) = delta.to {
                        stored[*shard as usize] = Some(to);
                    }
                }
                _ => {}
            }
        }
    }

    #[test]
    fn batches_keep_their_limits_and_shards_their_turn(case in case()) {
        use tidegate::engine::Fact;
        let rig = run(&case);
        let lens: Vec<&[(u64, u32)]> = case.shards.iter().map(Vec::as_slice).collect();
        for batch in rig.batches() {
            let places: Vec<(usize, u64)> = batch.split(' ').map(place).collect();
            prop_assert!(places.len() <= case.config.batch_size as usize);
            prop_assert!(places.iter().all(|(shard, _)| *shard == places[0].0), "a batch is of one shard");
            let bytes: u64 = places.iter().map(|&(shard, seq)| u64::from(lens[shard][seq as usize - 1].1) + 1).sum();
            prop_assert!(places.len() == 1 || bytes + 13 <= limits::EVENT_BYTES_MAX, "{bytes} bytes");
        }
        // At most one batch in flight per lane: sent and ended alternate for every token.
        let mut flying = 0usize;
        for (_, fact) in rig.facts() {
            match fact {
                Fact::InvokeSent { .. } => flying += 1,
                Fact::InvokeEnded { .. } => flying -= 1,
                _ => {}
            }
            prop_assert!(flying <= case.shards.len() * case.config.parallelization_factor as usize);
        }
        prop_assert_eq!(flying, 0);
    }
}
