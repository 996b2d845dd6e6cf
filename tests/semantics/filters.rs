//! Rules of what becomes of records that the filters leave out.

use super::harness::{Did, Rig, after, kinesis, record, records, sqs};
use tidegate::engine::{Fact, FailureClass, MappingConfig, Span, limits};

fn deleted(rig: &Rig) -> Vec<(u64, String)> {
    let delete = |(at, did): &(u64, Did)| match did {
        Did::Delete { records } => Some((*at, records.clone())),
        _ => None,
    };
    rig.did().iter().filter_map(delete).collect()
}

/// Records polled, filtered out, invoked and deleted.
fn counts(rig: &Rig) -> [u32; 4] {
    let mut counts = [0; 4];
    for (_, fact) in rig.facts() {
        match *fact {
            Fact::Polled {
                records, filtered, ..
            } => {
                counts[0] += records;
                counts[1] += filtered;
            }
            Fact::InvokeSent { records, .. } => counts[2] += records,
            Fact::Deleted { records } => counts[3] += records,
            _ => {}
        }
    }
    counts
}

#[test]
fn sqs_filtered_is_deleted() {
    let mut rig = Rig::queue(sqs(), records(["a", "x", "b", "y"]));
    rig.world.left_out = vec!["x", "y"];
    // The first deletion fails; it is made again like any other.
    rig.world.confirm = Box::new(|number| (number == 1).then_some(FailureClass::Transient));
    let rig = rig.invocations_take(Span::from_secs(1)).run_secs(30);
    assert_eq!(rig.invokes(), [(0, "a b")]);
    let at = |at: u64, records: &str| (at, records.to_owned());
    assert_eq!(
        deleted(&rig),
        [at(0, "x y"), at(500, "x y"), at(1_000, "a b")]
    );
    assert_eq!(counts(&rig), [4, 2, 2, 4]);
}

#[test]
fn filtered_counts() {
    // As recorded: one message of three matches.
    let mut rig = Rig::queue(sqs(), records(["plain", "{broken", "match"]));
    rig.world.left_out = vec!["plain", "{broken"];
    let rig = rig.run_secs(10);
    assert_eq!(counts(&rig), [3, 2, 1, 3]);

    let mut rig = Rig::stream(kinesis(), vec![records(["a", "x", "y"])]);
    rig.world.left_out = vec!["x", "y"];
    let rig = rig.run_secs(10);
    assert_eq!(counts(&rig), [3, 2, 1, 0]);
}

#[test]
fn stream_filtered_moves_checkpoint() {
    let rig = Rig::stream(kinesis(), vec![records(["x", "y", "a", "z"])]);
    let mut rig = rig.tuned(|tuning| tuning.page_records_max = 2);
    rig.world.left_out = vec!["x", "y", "z"];
    rig.advance(tidegate::engine::Time::from_secs(10));
    // The first page is filtered out as a whole, the second ends behind its last record that was kept.
    let stored: Vec<_> = rig.stores().iter().map(|delta| delta.to).collect();
    assert_eq!(stored, [after(2), after(4)]);
    assert_eq!(rig.batches(), ["a"]);
}

#[test]
fn filter_no_match_no_invocation() {
    let mut stream = Rig::stream(kinesis(), vec![records(["x", "y"])]);
    stream.world.left_out = vec!["x", "y"];
    let mut queue = Rig::queue(sqs(), records(["x", "y"]));
    queue.world.left_out = vec!["x", "y"];
    for (rig, deleted) in [(stream, 0), (queue, 2)] {
        let rig = rig.run_secs(60);
        assert!(rig.invokes().is_empty());
        assert_eq!(counts(&rig), [2, 2, 0, deleted]);
    }
}

#[test]
fn filter_before_batching() {
    // BatchSize counts what is kept, over several pages if need be.
    let config = MappingConfig {
        batch_size: 2,
        window: Span::from_secs(60),
        ..kinesis()
    };
    let held = records(["x", "a", "y", "z", "b", "c"]);
    let rig = Rig::stream(config.clone(), vec![held]);
    let mut rig = rig.tuned(|tuning| tuning.page_records_max = 3);
    rig.world.left_out = vec!["x", "y", "z"];
    let rig = rig.run_secs(59);
    assert_eq!(rig.batches(), ["a b"]);

    // The payload limit does not count what is left out either.
    let large = |seq, name| {
        let mut record = record(seq, name, 0);
        record.meta.wire_len = limits::EVENT_BYTES_MAX as u32 / 3;
        record
    };
    let config = MappingConfig {
        batch_size: 100,
        window: Span::ZERO,
        ..config
    };
    let held = vec![large(1, "a"), large(2, "x"), large(3, "b"), large(4, "x")];
    let mut rig = Rig::stream(config, vec![held]);
    rig.world.left_out = vec!["x"];
    assert_eq!(rig.run_secs(5).batches(), ["a b"]);

    // On queues the window opens with the first message that is kept.
    let config = MappingConfig {
        batch_size: 20,
        window: Span::from_secs(5),
        maximum_concurrency: Some(2),
        ..sqs()
    };
    let held = vec![
        record(1, "x", 1_000),
        record(2, "x", 2_000),
        record(3, "a", 3_000),
    ];
    let mut rig = Rig::queue(config, held);
    rig.world.left_out = vec!["x"];
    assert_eq!(rig.run_secs(30).invokes(), [(8_000, "a")]);
}

#[test]
fn a_short_poll_that_found_only_what_is_left_out_is_followed_by_the_next_at_once() {
    let rig = Rig::queue(sqs(), (1..=95).map(|seq| record(seq, "x", 0)).collect());
    let mut rig = rig.tuned(|tuning| tuning.long_poll = Span::ZERO);
    rig.world.left_out = vec!["x"];
    let rig = rig.run_secs(0);
    // Nobody rests before the queue is empty.
    assert_eq!(counts(&rig), [95, 95, 0, 95]);
}
