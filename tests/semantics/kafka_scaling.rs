//! How many consumers a Kafka mapping wants, and what it tells of its lag.

use super::cluster::{Answer, FINE, Rig, THROTTLES, THROWS, Written, kafka, provisioned, written};
use tidegate::engine::{Fact, MappingConfig, Outcome, Profile, ShardId, Tuning, limits};

/// When (s) the mapping wanted another number of consumers, and which.
fn changes(rig: &Rig) -> Vec<(u64, u32)> {
    let change = |(at, fact): &(u64, Fact)| match fact {
        Fact::ConsumersChanged { consumers } => Some((*at / 1_000, *consumers)),
        _ => None,
    };
    rig.facts_at().iter().filter_map(change).collect()
}

fn tuning(profile: Profile) -> Tuning {
    Tuning::new(profile)
}

/// `per_sec` records a second for each partition, until `secs`.
fn flow(partitions: usize, per_sec: u64, secs: u64) -> Vec<Vec<Written>> {
    let record = |index| Written {
        at_ms: index * 1_000 / per_sec,
        wire_len: 100,
    };
    vec![(0..per_sec * secs).map(record).collect(); partitions]
}

fn sized(batch_size: u32) -> MappingConfig {
    MappingConfig {
        batch_size,
        ..kafka()
    }
}

/// Lets the group hand all partitions to the members evenly, every second.
fn balanced(mut rig: Rig, secs: u64) -> Rig {
    rig.drain();
    for second in 0..secs {
        let members: Vec<u32> = rig.world.members.iter().copied().collect();
        let partitions = rig.world.topic.len() as u32;
        let owners: std::collections::BTreeMap<u32, u32> = rig
            .world
            .reading
            .keys()
            .map(|(poller, shard)| (*shard, *poller))
            .collect();
        for shard in 0..partitions {
            let wanted = members[shard as usize % members.len()];
            match owners.get(&shard) {
                None => rig.assign(wanted, &[shard]),
                Some(owner) if *owner != wanted && !rig.world.revoking.contains(&shard) => {
                    rig.world.revoking.insert(shard);
                    rig.revoke(*owner, &[shard]);
                }
                Some(_) => {}
            }
        }
        rig.until((second + 1) * 1_000);
    }
    rig
}

#[test]
fn kafka_consumers_on_demand() {
    // 40 records a second, of which one consumer can work off 10: a batch of 10 takes a second.
    let topic = flow(8, 5, 3_000);
    let rig = Rig::tuned(sized(10), tuning(Profile::Guide2021), topic.clone()).takes(1_000);
    let rig = balanced(rig, 2_000);
    let seen = changes(&rig);
    // Not before a quarter of an hour has passed, and then at once.
    assert_eq!(seen[0].0, 900);
    assert_eq!(seen[0].1, 8, "a backlog of a quarter of an hour");
    assert!(seen.iter().all(|(at, _)| at % 900 == 0), "{seen:?}");
    let rig = Rig::tuned(sized(10), tuning(Profile::Current), topic).takes(1_000);
    let rig = balanced(rig, 2_000);
    let seen = changes(&rig);
    assert!((60..=240).contains(&seen[0].0), "{seen:?}");
    // Half of the rate is idle with 8, and enough with 4 or 5.
    let (_, last) = seen[seen.len() - 1];
    assert!((4..=6).contains(&last), "{seen:?}");
}

#[test]
fn kafka_scaling_takes_time() {
    let mut effects = Vec::new();
    for seed in 0..40 {
        let rig = Rig::tuned(sized(10), tuning(Profile::Current), flow(4, 50, 300)).seeded(seed);
        let rig = balanced(rig.takes(1_000), 250);
        let (at, consumers) = changes(&rig)[0];
        assert_eq!(consumers, 4);
        effects.push(at);
    }
    // One minute to the evaluation, and three at most until it takes effect.
    assert!(
        effects.iter().all(|at| (60..=240).contains(at)),
        "{effects:?}"
    );
    let (early, late) = (effects.iter().min(), effects.iter().max());
    assert!(early < Some(&90) && late > Some(&200), "{effects:?}");
}

#[test]
fn kafka_moving_partitions_count() {
    // 160 records a second in 32 partitions, of which one consumer works off 10. Shortly before the evaluation the
    // group takes all partitions but one away.
    let rig = Rig::tuned(sized(10), tuning(Profile::Current), flow(32, 5, 300)).takes(1_000);
    let mut rig = balanced(rig, 58);
    rig.until(58_100);
    let moving: Vec<u32> = (1..32).collect();
    rig.revoke(0, &moving);
    rig.until(59_900);
    assert!(rig.world.reading.len() <= 2, "what is in work ends first");
    rig.until(240_000);
    let (_, consumers) = changes(&rig)[0];
    assert!(consumers > 20, "{consumers}");
    // What nobody gave back belongs to somebody else from the next minute on.
    let lags = rig
        .facts()
        .filter(|fact| matches!(fact, Fact::PartitionLag { .. }));
    assert!(lags.count() < 2 * 4 + 1);
}

#[test]
fn kafka_partitions_bound_consumers() {
    let rig = Rig::tuned(sized(1), tuning(Profile::Current), flow(3, 50, 600)).takes(1_000);
    let rig = balanced(rig, 600);
    assert_eq!(changes(&rig).last().map(|(_, to)| *to), Some(3));
    assert_eq!(rig.world.members.len(), 3);
}

#[test]
fn kafka_fewer_consumers_on_errors() {
    for answer in [THROTTLES, THROWS, Answer::Whole(Outcome::Rejected)] {
        let rig = Rig::tuned(sized(10), tuning(Profile::Current), flow(8, 20, 3_000)).takes(1_000);
        let rig = rig.function(move |at, _| if at < 600_000 { FINE } else { answer.clone() });
        let rig = balanced(rig, 2_000);
        let seen = changes(&rig);
        let numbers: Vec<u32> = seen.iter().map(|(_, to)| *to).collect();
        assert_eq!(numbers, [8, 4, 2, 1], "{seen:?}");
        assert!(seen[1].0 >= 600);
        assert_eq!(rig.world.members, [0].into());
        assert_eq!(rig.leaves().len(), 7);
    }
}

#[test]
fn kafka_provisioned_pollers() {
    // The minimum at once, as far as there are partitions.
    let rig = Rig::new(provisioned(3, 6), vec![written(1); 8]);
    let rig = balanced(rig, 5);
    assert_eq!(changes(&rig), [(0, 3)]);
    assert_eq!(rig.world.members, [0, 1, 2].into());
    let rig = balanced(Rig::new(provisioned(3, 6), vec![written(1); 2]), 5);
    assert_eq!(changes(&rig), [(0, 2)]);
    // Invocations: 160 a second of one second each need 32 pollers of five; eight partitions and the maximum say 6.
    let config = MappingConfig {
        batch_size: 1,
        ..provisioned(1, 6)
    };
    let rig = balanced(Rig::new(config, flow(8, 20, 120)).takes(1_000), 90);
    assert_eq!(changes(&rig), [(60, 6)]);
    // Bytes: 12 MB/s need three pollers of 5 MB/s each.
    let megabytes = |record: &mut Written| record.wire_len = 1_500_000;
    let mut topic = flow(8, 1, 400);
    topic.iter_mut().flatten().for_each(megabytes);
    let rig = balanced(Rig::new(provisioned(1, 6), topic), 390);
    let (_, last) = changes(&rig)[changes(&rig).len() - 1];
    assert_eq!(last, 3, "{:?}", changes(&rig));
    assert_eq!(limits::KAFKA_POLLER_BYTES_PER_SEC_MAX, 5_000_000);
}

#[test]
fn kafka_lag_from_committed() {
    let mut rig = Rig::new(sized(5), vec![written(20), written(7)]).function(|_, places| {
        if places.contains(&(0, 10)) {
            THROWS
        } else {
            FINE
        }
    });
    rig.drain();
    rig.assign(0, &[0, 1]);
    rig.until(60_000);
    let lags: Vec<Fact> = rig
        .facts()
        .filter(|fact| matches!(fact, Fact::PartitionLag { .. } | Fact::Lag { .. }))
        .collect();
    let of = |shard, offsets| Fact::PartitionLag {
        shard: ShardId(shard),
        offsets,
    };
    // Nothing was assigned at the first measurement. The batch that fails holds records 10 to 14.
    assert_eq!(lags[0], Fact::Lag { max: 0, sum: 0 });
    assert_eq!(
        lags[1..],
        [of(0, 10), of(1, 7), Fact::Lag { max: 10, sum: 17 }]
    );
}
