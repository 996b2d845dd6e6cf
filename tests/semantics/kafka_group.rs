//! Kafka mappings in their consumer group: what is assigned, revoked and lost, and consumers that come and go.

use super::cluster::{Answer, Did, FINE, Rig, THROWS, kafka, provisioned, written};
use tidegate::engine::{
    Control, Fact, FailureClass, MappingConfig, Outcome, Position, ReturnCause, Shard, ShardId,
    Span,
};

fn sized(batch_size: u32) -> MappingConfig {
    MappingConfig {
        batch_size,
        ..kafka()
    }
}

/// A mapping whose first consumer has just got all partitions.
fn started(config: MappingConfig, partitions: &[usize], takes: u64) -> Rig {
    let topic = partitions.iter().map(|count| written(*count)).collect();
    let mut rig = Rig::new(config, topic).takes(takes);
    rig.drain();
    let all: Vec<u32> = (0..partitions.len() as u32).collect();
    rig.assign(0, &all);
    rig
}

#[test]
fn kafka_committed_offset_wins() {
    let mut rig = Rig::new(sized(3), vec![written(6), written(6)]);
    rig.world.committed.insert(1, 4);
    let rig = rig.run(1_000);
    assert_eq!(rig.batches(), ["0:0 0:1 0:2", "0:3 0:4 0:5", "1:4 1:5"]);
}

#[test]
#[should_panic(expected = "starts at Latest")]
fn a_partition_starts_at_an_offset() {
    let mut rig = Rig::new(kafka(), vec![written(1)]);
    let shard = Shard {
        id: ShardId(0),
        from: Position::Latest,
        parents: vec![],
        window: None,
    };
    rig.control(Control::Assigned {
        poller: 0,
        shards: vec![shard],
    });
}

#[test]
fn kafka_revoked_batch_ends() {
    let mut rig = started(sized(4), &[2, 9], 1_000);
    rig.until(100);
    assert_eq!(rig.batches(), ["0:0 0:1 1:0 1:1"]);
    rig.revoke(0, &[0]);
    // What waits of other partitions stays; nothing is yielded while the batch is in flight.
    rig.until(999);
    assert_eq!((rig.yields(), rig.commits()), (vec![], vec![]));
    rig.until(1_000);
    assert_eq!(rig.commits(), [(0, 2), (1, 2)]);
    assert_eq!(rig.yields(), [(0, vec![0])]);
    let order: Vec<&Did> = rig.did().iter().map(|(_, did)| did).collect();
    let place = |wanted: &Did| order.iter().position(|did| *did == wanted);
    assert!(place(&Did::Commit(0, 2)) < place(&Did::Yield(0, vec![0])));
    rig.until(20_000);
    assert_eq!(rig.commits().last(), Some(&(1, 9)));
    assert_eq!(rig.mapping.in_hand(), 0);
}

#[test]
fn what_was_gathered_of_a_revoked_partition_is_dropped_uncommitted() {
    let mut rig = started(sized(2), &[9], 1_000);
    rig.until(100);
    assert_eq!(rig.mapping.in_hand(), 4);
    rig.revoke(0, &[0]);
    assert_eq!((rig.mapping.in_hand(), rig.returned()), (2, 2));
    rig.until(5_000);
    // The end of what was read is not the end of what is done.
    assert_eq!(rig.commits(), [(0, 2)]);
    assert_eq!(rig.yields(), [(0, vec![0])]);
    rig.assign(0, &[0]);
    rig.until(30_000);
    let batches = ["0:0 0:1", "0:2 0:3", "0:4 0:5", "0:6 0:7", "0:8"];
    assert_eq!(rig.batches(), batches);
}

#[test]
fn a_revoked_batch_that_fails_is_not_tried_again() {
    let mut rig = started(sized(4), &[2, 2], 1_000).function(|_, _| THROWS);
    rig.until(100);
    rig.revoke(0, &[0]);
    rig.until(1_000);
    assert_eq!(rig.yields(), [(0, vec![0])]);
    let rebalanced = Fact::Returned {
        records: 2,
        cause: ReturnCause::Rebalanced,
    };
    assert!(rig.facts().any(|fact| fact == rebalanced));
    // The other partition is tried again, without it.
    rig.until(2_000);
    assert_eq!(rig.batches(), ["0:0 0:1 1:0 1:1", "1:0 1:1"]);
    assert_eq!(rig.commits(), []);
    // Revoked while it waits: it goes at once.
    rig.until(3_000);
    rig.revoke(0, &[1]);
    assert_eq!(rig.yields(), [(0, vec![0]), (0, vec![1])]);
    assert_eq!(rig.mapping.in_hand(), 0);
}

/// What is left of a batch when a partition goes has not failed alone: it is neither given up nor found too large.
#[test]
fn a_record_left_alone_by_a_revocation_is_tried_alone() {
    let bisecting = MappingConfig {
        bisect_batch_on_function_error: true,
        maximum_retry_attempts: Some(0),
        ..provisioned(1, 1)
    };
    let too_large = Answer::Whole(Outcome::TooLarge);
    for (config, answer) in [(bisecting, THROWS), (sized(2), too_large)] {
        let mut answer = Some(answer);
        let mut rig =
            started(config, &[1, 1], 1_000).function(move |_, _| answer.take().unwrap_or(FINE));
        rig.until(600);
        rig.revoke(0, &[0]);
        rig.until(9_000);
        assert_eq!(rig.batches(), ["0:0 1:0", "1:0"]);
        assert_eq!(rig.commits(), [(1, 1)]);
        let is_lost = |fact: &Fact| matches!(fact, Fact::Discarded { .. });
        assert!(!rig.facts().any(|fact| is_lost(&fact)));
    }
}

#[test]
fn a_partial_result_of_a_revoked_partition_commits_what_is_done() {
    let config = MappingConfig {
        report_batch_item_failures: true,
        ..provisioned(1, 1)
    };
    let mut rig = started(config, &[3, 3], 1_000).function(|_, _| Answer::Failed(vec![(0, 2)]));
    rig.until(600);
    rig.revoke(0, &[0, 1]);
    rig.until(9_000);
    assert_eq!(rig.batches(), ["0:0 0:1 0:2 1:0 1:1 1:2"]);
    assert_eq!(rig.commits(), [(0, 2), (1, 3)]);
    assert_eq!(rig.yields(), [(0, vec![0, 1])]);
    assert_eq!(rig.returned(), 1);
}

#[test]
fn a_commit_that_fails_does_not_hold_a_revocation_up() {
    let mut rig = started(sized(2), &[2], 1_000);
    rig.world.refuse =
        Box::new(|did| matches!(did, Did::Commit(..)).then_some(FailureClass::Transient));
    rig.until(100);
    rig.revoke(0, &[0]);
    rig.until(60_000);
    assert_eq!(rig.commits(), [(0, 2)]);
    assert_eq!(rig.yields(), [(0, vec![0])]);
}

#[test]
fn kafka_lost_is_not_committed() {
    let mut rig = started(sized(2), &[4, 2], 1_000);
    rig.until(100);
    assert_eq!(rig.batches(), ["0:0 0:1"]);
    rig.lose(0, &[0]);
    rig.until(900);
    // It comes back while its batch is in flight: the same records must not run beside it.
    rig.assign(0, &[0]);
    rig.until(1_900);
    assert_eq!(rig.commits(), []);
    assert_eq!(rig.yields(), []);
    rig.until(10_000);
    let mut batches = rig.invokes();
    let zero = |(_, words): &mut (u64, &str)| words.starts_with("0:");
    let zero: Vec<_> = batches.extract_if(.., zero).collect();
    assert_eq!(zero.len(), 3);
    assert!(zero[1].0 >= 1_000);
    assert_eq!((zero[1].1, zero[2].1), ("0:0 0:1", "0:2 0:3"));
    assert_eq!(rig.world.committed, [(0, 4), (1, 2)].into());
}

/// Two consumers of one process, and the group does not reach the first: it hears last that its partition is with the second.
#[test]
fn a_partition_that_is_given_anew_is_lost_to_whoever_had_it() {
    let config = MappingConfig {
        batch_size: 2,
        ..provisioned(2, 2)
    };
    let mut rig = started(config, &[4, 2], 1_000);
    rig.until(100);
    assert_eq!(rig.batches(), ["0:0 0:1", "1:0 1:1"]);
    rig.assign(1, &[0]);
    rig.until(500);
    rig.lose(0, &[0]);
    rig.until(1_900);
    // Its batch in flight was of the first.
    assert_eq!(rig.commits(), [(1, 2)]);
    rig.until(10_000);
    let zero = rig.invokes();
    let zero: Vec<&str> = zero.iter().map(|(_, words)| *words).collect();
    let zero: Vec<&&str> = zero.iter().filter(|it| it.starts_with("0:")).collect();
    assert_eq!(zero, [&"0:0 0:1", &"0:0 0:1", &"0:2 0:3"]);
    assert_eq!(rig.world.committed, [(0, 4), (1, 2)].into());
}

#[test]
fn a_commit_of_a_lost_assignment_says_nothing_of_the_next_one() {
    let mut rig = started(sized(2), &[4], 100);
    rig.world.commits_take = Span::from_secs(1);
    rig.until(150);
    assert_eq!(rig.commits(), [(0, 2)]);
    rig.lose(0, &[0]);
    rig.world.committed.insert(0, 0);
    rig.assign(0, &[0]);
    rig.until(20_000);
    let to = Position::at_offset(4);
    let last = rig
        .facts()
        .filter(|fact| matches!(fact, Fact::Checkpointed { .. }))
        .last();
    assert_eq!(
        last,
        Some(Fact::Checkpointed {
            shard: ShardId(0),
            to
        })
    );
    assert_eq!(rig.world.committed, [(0, 4)].into());
}

#[test]
fn kafka_pause_leaves_the_group() {
    for control in [Control::Disable, Control::Drain] {
        let mut rig = started(sized(2), &[9], 1_000);
        rig.until(100);
        rig.control(control.clone());
        assert_eq!(rig.mapping.in_hand(), 2);
        assert!(!rig.mapping.is_drained());
        rig.until(999);
        assert!(rig.leaves().is_empty());
        rig.until(1_000);
        assert_eq!((rig.commits(), rig.leaves()), (vec![(0, 2)], vec![0]));
        assert!(rig.mapping.is_drained());
        rig.until(100_000);
        assert_eq!(rig.batches().len(), 1);
        rig.control(Control::Enable);
        if control == Control::Disable {
            rig.assign(0, &[0]);
        }
        rig.until(200_000);
        let batches = if control == Control::Disable { 5 } else { 1 };
        assert_eq!(rig.batches().len(), batches);
        assert_eq!(rig.mapping.in_hand(), 0);
    }
}

#[test]
fn a_disabled_mapping_drops_what_waits_for_its_next_try() {
    let mut rig = started(sized(2), &[2], 0).function(|_, _| THROWS);
    rig.until(100);
    rig.control(Control::Disable);
    assert_eq!(rig.leaves(), [0]);
    assert_eq!((rig.mapping.in_hand(), rig.returned()), (0, 2));
}

#[test]
fn controls_that_cross_a_leave_are_harmless() {
    let mut rig = started(sized(2), &[2, 2], 0);
    rig.control(Control::Disable);
    rig.revoke(0, &[0]);
    rig.assign(0, &[1]);
    rig.lose(0, &[0, 1]);
    rig.revoke(7, &[0]);
    assert_eq!(rig.leaves(), [0]);
    rig.control(Control::Enable);
    rig.assign(0, &[0, 1]);
    rig.until(5_000);
    assert_eq!(rig.mapping.in_hand(), 0);
}

#[test]
fn failed_receives_back_off_and_lose_nothing() {
    let mut rig = Rig::new(sized(2), vec![written(3)]);
    rig.world.receives_fail = vec![FailureClass::Denied, FailureClass::Transient];
    let rig = rig.run(62_000);
    let receives = |(at, did): &(u64, Did)| match did {
        Did::Receive { .. } => Some(*at),
        _ => None,
    };
    let times: Vec<u64> = rig.did().iter().filter_map(receives).collect();
    assert_eq!(times[..3], [0, 500, 60_500]);
    assert_eq!(rig.batches(), ["0:0 0:1", "0:2"]);
    let failed = rig.facts().filter(|fact| *fact == Fact::PollFailed);
    assert_eq!(failed.count(), 2);
}

#[test]
fn an_update_changes_lanes_and_limits() {
    let config = provisioned(1, 1);
    let narrow = MappingConfig {
        batch_size: 1,
        ..config.clone()
    };
    let mut rig = started(narrow, &[3, 3, 3], 1_000);
    rig.until(100);
    assert_eq!(rig.batches(), ["0:0", "1:0", "2:0"]);
    let on_demand = MappingConfig {
        batch_size: 2,
        ..kafka()
    };
    rig.control(Control::Update(Box::new(on_demand)));
    rig.until(60_000);
    let batches = rig.batches();
    assert_eq!(batches[3..], ["0:1 0:2", "1:1 1:2", "2:1 2:2"]);
    assert_eq!(rig.mapping.in_hand(), 0);
}

#[test]
fn a_stale_page_is_not_counted() {
    let mut rig = started(sized(9), &[2], 0);
    rig.revoke(0, &[0]);
    // The world hands over what it should not: a record of a partition that is gone.
    rig.world.reading.insert((0, 0), 0);
    rig.until(5_000);
    let polled = rig.facts().filter_map(|fact| match fact {
        Fact::Polled { records, .. } => Some(records),
        _ => None,
    });
    assert_eq!(polled.max(), Some(0));
    assert_eq!(rig.batches(), Vec::<&str>::new());
}

#[test]
fn measured_partitions_need_not_be_assigned() {
    let mut rig = Rig::new(kafka(), vec![written(5), written(7)]);
    rig.drain();
    rig.assign(0, &[1]);
    rig.world.function = Box::new(|_, _| Answer::Whole(Outcome::FunctionError));
    rig.until(60_000);
    let lag = rig.facts().filter_map(|fact| match fact {
        Fact::Lag { max, sum } => Some((max, sum)),
        _ => None,
    });
    assert_eq!(lag.collect::<Vec<_>>(), [(0, 0), (7, 7)]);
}

#[test]
fn pieces_that_wait_behind_another_one_are_dropped_with_their_partition() {
    let config = MappingConfig {
        bisect_batch_on_function_error: true,
        ..provisioned(1, 1)
    };
    let mut first = true;
    let mut rig = started(config, &[1, 1], 1_000).function(move |_, _| {
        let answer = if first { THROWS } else { FINE };
        first = false;
        answer
    });
    // The whole batch fails, its first half runs from 2,000 ms on.
    rig.until(2_500);
    assert_eq!(rig.batches(), ["0:0 1:0", "0:0"]);
    rig.lose(0, &[1]);
    rig.assign(0, &[1]);
    rig.until(20_000);
    assert_eq!(rig.batches(), ["0:0 1:0", "0:0", "1:0"]);
    assert_eq!(rig.returned(), 1);
}

#[test]
fn a_partition_that_is_on_its_way_out_is_yielded_once() {
    let mut rig = started(sized(2), &[2, 1], 1_000);
    rig.until(100);
    rig.revoke(0, &[0]);
    rig.revoke(0, &[0, 1]);
    rig.revoke(0, &[0]);
    rig.until(9_000);
    let mut yields = rig.yields();
    yields.sort();
    assert_eq!(yields, [(0, vec![0]), (0, vec![1])]);
}
