//! Rules of ParallelizationFactor: several lanes of one shard.

use super::harness::{Rig, THROTTLED, after, kinesis, record};
use tidegate::engine::{Control, Event, Fact, MappingConfig, Outcome, Record, Span, Time};

/// A record whose key falls into lane `lane` of `lanes`.
fn in_lane(seq: u64, payload: &'static str, lane: u64, lanes: u64) -> Record<&'static str> {
    let mut record = record(seq, payload, 0);
    record.meta.group = u64::MAX / lanes * lane + 17;
    record
}

fn parallel(factor: u32, batch_size: u32) -> MappingConfig {
    MappingConfig {
        parallelization_factor: factor,
        batch_size,
        ..kinesis()
    }
}

#[test]
fn lanes_by_key_hash() {
    let held = vec![
        in_lane(1, "a1", 0, 2),
        in_lane(2, "b1", 1, 2),
        in_lane(3, "a2", 0, 2),
        in_lane(4, "b2", 1, 2),
    ];
    let rig = Rig::stream(parallel(2, 1), vec![held])
        .invocations_take(Span::from_secs(1))
        .run_secs(10);
    // Two at once, and each key in its order. One read fed both lanes.
    let expected = [(0, "a1"), (0, "b1"), (1_000, "a2"), (1_000, "b2")];
    assert_eq!(rig.invokes(), expected);
    assert_eq!(rig.read_times()[0], 0);
    assert!(rig.read_times()[1] >= 1_000);
}

/// One key has everything, its function is stuck, and BatchSize would let a thousand times as much be read.
#[test]
fn stream_reads_ahead() {
    const RECORD: u32 = 1_000_000;
    let hot = |seq| {
        let mut record = in_lane(seq, "hot", 0, 10);
        record.meta.wire_len = RECORD;
        record
    };
    let polled = |factor, batch_size| -> u64 {
        let rig = Rig::stream(
            parallel(factor, batch_size),
            vec![(1..=400).map(hot).collect()],
        )
        .tuned(|tuning| tuning.page_records_max = 7)
        .invocations_take(Span::from_secs(100_000))
        .run_secs(3_600);
        let polled = rig.facts().iter().map(|(_, fact)| match fact {
            Fact::Polled { records, .. } => u64::from(*records),
            _ => 0,
        });
        polled.sum()
    };
    // Ten events of 6 MiB may wait beside the one that is sent, and a page comes whole.
    let wait = u64::from(10 * 6_291_456 / RECORD);
    let found = polled(10, 10_000);
    assert!((wait..=wait + 6 + 2 * 7).contains(&found), "{found}");
    // BatchSize bounds as before: ten times five records, the batch that is sent, and a page.
    assert!((50..=50 + 5 + 7).contains(&polled(10, 5)));
    assert!((12..=2 * 6 + 2 * 7).contains(&polled(1, 10_000)));
}

#[test]
fn concurrency_is_shards_times_factor() {
    let shard =
        |from: u64| -> Vec<_> { (0..40).map(|n| in_lane(from + n, "r", n % 4, 4)).collect() };
    let rig = Rig::stream(parallel(4, 2), vec![shard(1), shard(100), shard(200)])
        .invocations_take(Span::from_millis(700))
        .run_secs(60);
    let (mut running, mut most, mut ended) = (0, 0, 0);
    for (_, fact) in rig.facts() {
        match fact {
            Fact::InvokeSent { .. } => running += 1,
            Fact::InvokeEnded { records, .. } => {
                running -= 1;
                ended += records;
            }
            _ => {}
        }
        most = most.max(running);
    }
    assert_eq!((most, ended), (12, 120));
}

#[test]
fn checkpoint_waits_for_the_lowest_unfinished_record_of_all_lanes() {
    let held = vec![
        in_lane(1, "slow", 0, 2),
        in_lane(2, "b1", 1, 2),
        in_lane(3, "b2", 1, 2),
        in_lane(4, "a2", 0, 2),
    ];
    let mut refusals = 0;
    let rig = Rig::stream(parallel(2, 1), vec![held])
        .function(move |call| {
            if call.has("slow") && refusals < 3 {
                refusals += 1;
                return THROTTLED;
            }
            Outcome::Success
        })
        .run_secs(20);
    assert_eq!(rig.batches()[..3], ["slow", "b1", "b2"]);
    // `b1` and `b2` are long done when `slow` goes through after 0.5 + 1 + 2 s.
    let to: Vec<_> = rig.stores().iter().map(|delta| delta.to).collect();
    assert_eq!(to, [after(3), after(4)]);
}

#[test]
fn a_blocked_lane_does_not_block_the_others() {
    let mut held = vec![in_lane(1, "poison", 0, 2)];
    held.extend((2..=60).map(|seq| in_lane(seq, "good", 1, 2)));
    let rig = Rig::stream(parallel(2, 3), vec![held])
        .function(|call| {
            if call.has("poison") {
                Outcome::FunctionError
            } else {
                Outcome::Success
            }
        })
        .run_secs(30);
    let good: usize = rig
        .batches()
        .iter()
        .map(|batch| batch.matches("good").count())
        .sum();
    assert_eq!(good, 59);
    assert_eq!(
        rig.stores(),
        [],
        "nothing is done before the poison record is"
    );
}

/// What a lane that was dropped had finished is told by the page's end, and by nothing later.
#[test]
fn a_checkpoint_stays_where_it_is_when_lanes_come_and_go() {
    let arriving = |seq, payload, lane, at_ms| {
        let mut record = in_lane(seq, payload, lane, 2);
        record.meta.arrival = Time::from_millis(at_ms);
        record
    };
    let held = vec![
        arriving(1, "b", 1, 0),
        arriving(2, "a", 0, 2_500),
        arriving(3, "slow", 0, 5_500),
        arriving(4, "b", 1, 5_500),
    ];
    let mut refusals = 0;
    let mut rig = Rig::stream(parallel(2, 1), vec![held])
        .invocations_take(Span::from_millis(700))
        .function(move |call| {
            if call.has("slow") && refusals < 2 {
                refusals += 1;
                return THROTTLED;
            }
            Outcome::Success
        });
    // While the second of two lanes is at work, only one is wanted; later there are two again.
    for (at_ms, factor) in [(300, 1), (4_500, 2)] {
        rig.advance(Time::from_millis(at_ms));
        let update = Box::new(parallel(factor, 1));
        rig.feed(Event::Control(Control::Update(update)));
    }
    rig.advance(Time::from_secs(20));
    assert_eq!(rig.batches()[..4], ["b", "a", "slow", "b"]);
    let to: Vec<_> = rig.stores().iter().map(|delta| delta.to).collect();
    assert_eq!(to, [after(1), after(2), after(4)]);
}
