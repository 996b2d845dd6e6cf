//! Batches of Kafka mappings: how they are formed, tried again, cut, given up and committed.

use super::cluster::{
    Answer, Did, FINE, Rig, THROTTLES, THROWS, Written, kafka, provisioned, written,
};
use tidegate::engine::{
    Condition, Delivery, Fact, FailureClass, MappingConfig, Outcome, Profile, Span, Tuning, limits,
};

const REJECTS: Answer = Answer::Whole(Outcome::Rejected);

/// Fails whatever holds one of `poison`.
fn failing(poison: &'static [(u32, u64)]) -> impl FnMut(u64, &[(u32, u64)]) -> Answer {
    move |_, places| {
        if places.iter().any(|it| poison.contains(it)) {
            THROWS
        } else {
            FINE
        }
    }
}

fn at(at_ms: u64, wire_len: u32) -> Written {
    Written { at_ms, wire_len }
}

fn sized(batch_size: u32) -> MappingConfig {
    MappingConfig {
        batch_size,
        ..kafka()
    }
}

#[test]
fn kafka_batch_over_partitions() {
    let rig = Rig::new(sized(5), vec![written(3), written(4)]).run(2_000);
    assert_eq!(rig.batches(), ["0:0 0:1 0:2 1:0 1:1", "1:2 1:3"]);
    assert_eq!(rig.commits(), [(0, 3), (1, 2), (1, 4)]);
    assert_eq!(rig.mapping.in_hand(), 0);
}

#[test]
fn kafka_batch_triggers() {
    // The size of a batch, and the window: 500 ms unless another one is set.
    let topic = vec![vec![at(1_000, 9), at(1_000, 9), at(1_000, 9), at(1_000, 9)]];
    let rig = Rig::new(sized(3), topic.clone()).run(5_000);
    assert_eq!(rig.invokes(), [(1_000, "0:0 0:1 0:2"), (1_500, "0:3")]);
    let patient = MappingConfig {
        window: Span::from_secs(7),
        ..sized(3)
    };
    let rig = Rig::new(patient, topic.clone()).run(9_000);
    assert_eq!(rig.invokes(), [(1_000, "0:0 0:1 0:2"), (8_000, "0:3")]);
    let prompt = MappingConfig {
        window: Span::ZERO,
        ..sized(3)
    };
    let rig = Rig::new(prompt, topic).run(5_000);
    assert_eq!(rig.invokes(), [(1_000, "0:0 0:1 0:2"), (1_000, "0:3")]);
}

#[test]
fn kafka_window_clock() {
    // On demand: from the end of the previous invocation, 900 to 1,300 ms here.
    let topic = vec![vec![at(900, 9), at(1_000, 9), at(1_400, 9)]];
    let rig = Rig::new(kafka(), topic.clone()).takes(400).run(5_000);
    assert_eq!(rig.invokes(), [(900, "0:0"), (1_800, "0:1 0:2")]);
    // Provisioned: from the end of the previous batch, which its retry belongs to.
    let config = provisioned(1, 1);
    let mut failures = 1;
    let rig = Rig::new(config, topic)
        .function(move |_, _| {
            failures -= 1;
            if failures == 0 { THROWS } else { FINE }
        })
        .takes(400)
        .run(5_000);
    assert_eq!(
        rig.invokes(),
        [(900, "0:0"), (1_800, "0:0"), (2_700, "0:1 0:2")]
    );
    // A batch that is in flight does not hold up those of other partitions, which have their own window.
    let topic = vec![vec![at(900, 9)], vec![at(901, 9), at(902, 9)]];
    let rig = Rig::new(provisioned(1, 1), topic).takes(10_000).run(5_000);
    assert_eq!(rig.invokes(), [(900, "0:0"), (1_400, "1:0 1:1")]);
}

#[test]
fn kafka_one_batch_per_consumer() {
    let rig = Rig::new(sized(2), vec![written(4), written(2)])
        .takes(1_000)
        .run(10_000);
    assert_eq!(
        rig.invokes(),
        [(0, "0:0 0:1"), (1_000, "0:2 0:3"), (2_000, "1:0 1:1")]
    );
}

#[test]
fn kafka_provisioned_concurrency() {
    let config = MappingConfig {
        batch_size: 2,
        ..provisioned(1, 1)
    };
    let rig = Rig::new(config, vec![written(3); 7]).takes(1_000).run(900);
    let batches = ["0:0 0:1", "1:0 1:1", "2:0 2:1", "3:0 3:1", "4:0 4:1"];
    assert_eq!(rig.batches(), batches);
}

#[test]
fn kafka_one_batch_per_partition() {
    let config = MappingConfig {
        batch_size: 2,
        ..provisioned(1, 1)
    };
    let rig = Rig::new(config, vec![written(6), written(1)])
        .function(failing(&[(0, 0)]))
        .run(3_600);
    let expected = [
        (0, "0:0 0:1"),
        (500, "0:0 0:1"),
        (500, "1:0"),
        (1_500, "0:0 0:1"),
        (3_500, "0:0 0:1"),
    ];
    assert_eq!(rig.invokes(), expected);
    assert_eq!(rig.commits(), [(1, 1)]);
    assert_eq!(rig.mapping.in_hand(), 6);
}

#[test]
fn kafka_order_per_partition() {
    let config = MappingConfig {
        batch_size: 3,
        ..provisioned(1, 1)
    };
    let mut rig = Rig::new(config, vec![written(7), written(7)]).takes(70);
    rig.drain();
    rig.assign(0, &[0, 1]);
    // The reader goes back, as one does that found its connection broken.
    rig.until(60);
    rig.world.reading.insert((0, 0), 2);
    rig.until(3_000);
    for shard in 0..2 {
        let name = format!("{shard}:");
        let batches = rig.batches();
        let words = batches.iter().flat_map(|batch| batch.split(' '));
        let mine: Vec<&str> = words.filter(|word| word.starts_with(&name)).collect();
        let expected: Vec<String> = (0..7).map(|offset| format!("{name}{offset}")).collect();
        assert_eq!(mine, expected);
    }
}

#[test]
fn kafka_payload_limit() {
    let half = limits::EVENT_BYTES_MAX as u32 / 2;
    let tuning = Tuning {
        envelope_len: 100,
        partition_len: 20,
        ..Tuning::new(Profile::Current)
    };
    // Two records with their partition's name, a comma and the envelope fill an event to the last byte.
    let fits = vec![vec![at(0, half - 60), at(0, half - 61)]];
    let rig = Rig::tuned(kafka(), tuning, fits).run(2_000);
    assert_eq!(rig.batches(), ["0:0 0:1"]);
    let over = vec![vec![at(0, half - 60), at(0, half - 60), at(0, 9)]];
    let rig = Rig::tuned(kafka(), tuning, over).run(2_000);
    assert_eq!(rig.batches(), ["0:0", "0:1 0:2"]);
    // The second partition needs its name too.
    let two = vec![vec![at(0, half - 60)], vec![at(0, half - 79)]];
    let rig = Rig::tuned(kafka(), tuning, two).run(2_000);
    assert_eq!(rig.batches(), ["0:0", "1:0"]);
    assert_eq!(rig.mapping.in_hand(), 0);
}

#[test]
fn kafka_oversize_is_given_up() {
    let huge = limits::EVENT_BYTES_MAX as u32;
    let topic = vec![vec![at(0, 9), at(0, huge), at(0, 9)]];
    let rig = Rig::new(kafka(), topic.clone()).run(2_000);
    assert_eq!(rig.batches(), ["0:0", "0:2"]);
    assert_eq!(rig.commits(), [(0, 1), (0, 2), (0, 3)]);
    let config = MappingConfig {
        on_failure: Some("kafka://dead".to_owned()),
        ..kafka()
    };
    let rig = Rig::new(config, topic).run(2_000);
    let condition = Condition::MaximumPayloadSizeExceeded;
    assert_eq!(rig.diverts(), [("0:1", condition, 1)]);
    assert_eq!(condition.name(), "MaximumPayloadSizeExceeded");
    let delivered = |fact| {
        matches!(
            fact,
            Fact::Discarded {
                destination: Delivery::Delivered,
                ..
            }
        )
    };
    assert!(rig.facts().any(delivered));
}

#[test]
fn kafka_too_large_is_split() {
    let small = |_: u64, places: &[(u32, u64)]| match places {
        [(0, 1)] => Answer::Whole(Outcome::TooLarge),
        places if places.len() > 2 => Answer::Whole(Outcome::TooLarge),
        _ => FINE,
    };
    let rig = Rig::new(kafka(), vec![written(3)])
        .function(small)
        .run(2_000);
    assert_eq!(rig.batches(), ["0:0 0:1 0:2", "0:0", "0:1 0:2"]);
    let rig = Rig::new(sized(1), vec![written(2)])
        .function(small)
        .run(2_000);
    assert_eq!(rig.batches(), ["0:0", "0:1"]);
    assert_eq!(rig.commits(), [(0, 1), (0, 2)]);
}

#[test]
fn kafka_retries_for_ever() {
    let rig = Rig::new(sized(2), vec![written(4), written(1)])
        .function(failing(&[(0, 1)]))
        .run(400_000);
    // 0.5 s, 1 s, 2 s … 60 s: the whole consumer waits, as it has one batch at a time.
    let times: Vec<u64> = rig.invokes().iter().map(|(at, _)| *at).collect();
    let expected = [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500, 63_500, 123_500];
    assert_eq!(times[..9], expected);
    assert!(rig.batches().iter().all(|batch| *batch == "0:0 0:1"));
    assert_eq!(rig.commits(), []);
}

#[test]
fn kafka_destination_caps_retries() {
    let config = |maximum_retry_attempts| MappingConfig {
        on_failure: Some("arn:aws:sqs:us-east-1:123456789012:dead".to_owned()),
        maximum_retry_attempts,
        ..kafka()
    };
    let dead = Condition::RetryAttemptsExhausted;
    for (retries, deliveries) in [(None, 11), (Some(0), 1), (Some(2), 3), (Some(12), 13)] {
        let rig = Rig::new(config(retries), vec![written(2)])
            .function(|_, _| THROWS)
            .run(1_000_000);
        assert_eq!(rig.batches().len(), deliveries, "{retries:?}");
        assert_eq!(rig.diverts(), [("0:0 0:1", dead, deliveries as u32)]);
        assert_eq!(rig.commits(), [(0, 2)]);
    }
}

#[test]
fn kafka_throttle_spends_no_retry() {
    let config = MappingConfig {
        maximum_retry_attempts: Some(1),
        ..provisioned(1, 1)
    };
    let mut calls = 0;
    let answers = [
        THROTTLES,
        THROWS,
        Answer::Whole(Outcome::ServiceError),
        THROTTLES,
        FINE,
    ];
    let rig = Rig::new(config, vec![written(1)])
        .function(move |_, _| {
            calls += 1;
            answers[calls - 1].clone()
        })
        .run(10_000);
    let attempts: Vec<u32> = rig
        .did()
        .iter()
        .filter_map(|(_, did)| match did {
            Did::Invoke(_, attempt) => Some(*attempt),
            _ => None,
        })
        .collect();
    assert_eq!(attempts, [1, 1, 2, 2, 2]);
    assert_eq!(rig.commits(), [(0, 1)]);
}

#[test]
fn kafka_bisect() {
    let config = MappingConfig {
        bisect_batch_on_function_error: true,
        maximum_retry_attempts: Some(1),
        ..provisioned(1, 1)
    };
    let rig = Rig::new(config, vec![written(3), written(2)])
        .function(failing(&[(0, 2)]))
        .run(20_000);
    let expected = [
        "0:0 0:1 0:2 1:0 1:1",
        "0:0 0:1",
        "0:2 1:0 1:1",
        "0:2",
        "0:2",
        "1:0 1:1",
    ];
    assert_eq!(rig.batches(), expected);
    assert_eq!(rig.commits(), [(0, 2), (0, 3), (1, 2)]);
}

#[test]
fn kafka_partial_lowest_per_partition() {
    let config = MappingConfig {
        report_batch_item_failures: true,
        ..provisioned(1, 1)
    };
    let mut reports = vec![
        vec![(1, 1)],
        vec![(1, 1)],
        vec![(0, 2), (1, 2), (1, 1), (0, 3)],
    ];
    let rig = Rig::new(config, vec![written(4), written(3), written(2)])
        .function(move |_, _| reports.pop().map_or(FINE, Answer::Failed))
        .run(20_000);
    let expected = [
        (500, "0:0 0:1 0:2 0:3 1:0 1:1 1:2 2:0 2:1"),
        (1_000, "0:2 0:3 1:1 1:2"),
        (1_500, "1:1 1:2"),
        (2_000, "1:1 1:2"),
    ];
    assert_eq!(rig.invokes(), expected);
    let commits = [(0, 2), (1, 1), (2, 2), (0, 4), (1, 3)];
    assert_eq!(rig.commits(), commits);
}

#[test]
fn kafka_partial_progress_fresh_budget() {
    let config = MappingConfig {
        report_batch_item_failures: true,
        maximum_retry_attempts: Some(1),
        on_failure: Some("kafka://dead".to_owned()),
        ..provisioned(1, 1)
    };
    let rig = Rig::new(config.clone(), vec![written(3)])
        .function(|_, places| match places {
            [.., (0, 2)] => Answer::Failed(vec![(0, 2)]),
            _ => FINE,
        })
        .run(20_000);
    assert_eq!(rig.batches(), ["0:0 0:1 0:2", "0:2", "0:2"]);
    assert_eq!(
        rig.diverts(),
        [("0:2", Condition::RetryAttemptsExhausted, 2)]
    );
    // A report that makes no sense spends a try for all of them.
    let rig = Rig::new(config, vec![written(2)])
        .function(|_, _| REJECTS)
        .run(20_000);
    assert_eq!(rig.batches(), ["0:0 0:1", "0:0 0:1"]);
}

#[test]
fn kafka_record_age() {
    let config = MappingConfig {
        maximum_record_age: Some(Span::from_secs(60)),
        on_failure: Some("kafka://dead".to_owned()),
        ..provisioned(1, 1)
    };
    let topic = vec![
        vec![at(0, 9), at(70_000, 9), at(0, 9)],
        vec![at(0, 9)],
        vec![at(69_000, 9)],
    ];
    let mut rig = Rig::new(config, topic);
    rig.until(70_000);
    rig.assign(0, &[0, 1, 2]);
    rig.until(71_000);
    // Of each partition the head that is too old; what is old behind a fresh record waits for its turn.
    assert_eq!(
        rig.diverts(),
        [("0:0 1:0", Condition::RecordAgeExceeded, 1)]
    );
    assert_eq!(rig.batches(), ["0:1 0:2 2:0"]);
    assert_eq!(rig.commits(), [(0, 1), (1, 1), (0, 3), (2, 1)]);
}

#[test]
fn kafka_filtered_with_their_batch() {
    let mut rig = Rig::new(sized(2), vec![written(6)]).takes(1_000);
    rig.world.left_out = [(0, 0), (0, 2), (0, 4), (0, 5)].into();
    rig = rig.run(999);
    assert_eq!((rig.batches(), rig.commits()), (vec!["0:1 0:3"], vec![]));
    rig.until(1_000);
    assert_eq!(rig.commits(), [(0, 6)]);
    let committed = |fact| match fact {
        Fact::Committed { records, .. } => Some(records),
        _ => None,
    };
    assert_eq!(rig.facts().filter_map(committed).sum::<u64>(), 6);
}

#[test]
fn kafka_filtered_page_is_committed() {
    let mut rig = Rig::new(sized(3), vec![written(3)]);
    rig.world.left_out = [(0, 0), (0, 1), (0, 2)].into();
    let rig = rig.run(100);
    assert_eq!((rig.batches(), rig.commits()), (vec![], vec![(0, 3)]));
    let polled = rig.facts().find_map(|fact| match fact {
        Fact::Polled {
            records, filtered, ..
        } => Some((records, filtered)),
        _ => None,
    });
    assert_eq!(polled, Some((3, 3)));
}

#[test]
fn kafka_commit_is_a_prefix() {
    // Commits that take long: what is finished meanwhile goes with the next one, and none is repeated.
    let mut rig = Rig::new(sized(1), vec![written(5)]).takes(100);
    rig.world.commits_take = Span::from_millis(250);
    let rig = rig.run(5_000);
    assert_eq!(rig.commits(), [(0, 1), (0, 3), (0, 5)]);
}

#[test]
fn kafka_commit_is_retried() {
    let mut rig = Rig::new(sized(1), vec![written(3)]).takes(400);
    let mut failures = 2;
    rig.world.refuse = Box::new(move |did| {
        let fails = matches!(did, Did::Commit(..)) && failures > 0;
        failures -= i32::from(fails);
        fails.then_some(FailureClass::Transient)
    });
    let rig = rig.run(5_000);
    // Deliveries go on; the offsets follow after 0.5 s and 1 s.
    let times: Vec<u64> = rig.invokes().iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [0, 400, 800]);
    assert_eq!(rig.commits(), [(0, 1), (0, 2), (0, 3)]);
    let failed = rig
        .facts()
        .filter(|fact| matches!(fact, Fact::CommitFailed { .. }));
    assert_eq!(failed.count(), 2);
    let committed = |fact| match fact {
        Fact::Committed { records, .. } => Some(records),
        _ => None,
    };
    assert_eq!(rig.facts().filter_map(committed).collect::<Vec<_>>(), [3]);
}

#[test]
fn kafka_reads_ahead() {
    let receives = |rig: &Rig| -> Vec<(u32, Vec<u32>)> {
        let receive = |(_, did): &(u64, Did)| match did {
            Did::Receive {
                records_max, held, ..
            } => Some((*records_max, held.clone())),
            _ => None,
        };
        rig.did().iter().filter_map(receive).collect()
    };
    // On demand: one batch in flight, one waiting.
    let rig = Rig::new(sized(2), vec![written(9)])
        .takes(60_000)
        .run(1_000);
    assert_eq!(receives(&rig), [(2, vec![]), (2, vec![])]);
    assert_eq!(rig.mapping.in_hand(), 4);
    // Provisioned: a partition that is stuck does not take the room of the others.
    let config = MappingConfig {
        batch_size: 2,
        ..provisioned(1, 1)
    };
    let fed = (0..40).map(|n| at(2_000 + n, 9)).collect();
    let rig = Rig::new(config, vec![written(100), fed])
        .function(failing(&[(0, 0)]))
        .run(5_000);
    let is_held = |(_, held): &(u32, Vec<u32>)| *held == [0];
    assert!(receives(&rig).iter().any(is_held));
    assert_eq!(rig.commits().last(), Some(&(1, 40)));
    assert!(rig.mapping.in_hand() < 100);
}

#[test]
fn kafka_provisioned_throughput() {
    let big = limits::KAFKA_POLLER_BYTES_PER_SEC_MAX as u32;
    let config = |provisioned_pollers| MappingConfig {
        batch_size: 1,
        provisioned_pollers,
        ..kafka()
    };
    let topic = vec![vec![at(0, big); 10]];
    let rig = Rig::new(config(Some((1, 1))), topic.clone()).run(60_000);
    // Five of them are read at once, which is as much as five seconds allow.
    let times: Vec<u64> = rig.invokes().iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [0, 0, 0, 0, 0, 5_000, 5_000, 5_000, 5_000, 5_000]);
    let rig = Rig::new(config(None), topic).run(60_000);
    assert!(rig.invokes().iter().all(|(at, _)| *at == 0));
}
