//! Rules of streams: one shard at a time, in order, with a checkpoint behind it.

use super::harness::{Rig, THROTTLED, after, kinesis, record, records};
use tidegate::engine::{
    Condition, Delta, FailureClass, MappingConfig, Outcome, Position, Profile, Shard, ShardId,
    Span, Time, Tuning,
};
use tidegate::metrics::MappingRecorder;

fn delta(from: Position, to: Position) -> Delta {
    Delta { from, to }
}

#[test]
fn batch_size() {
    let config = MappingConfig {
        batch_size: 2,
        ..kinesis()
    };
    let rig = Rig::stream(config, vec![records(["a", "b", "c", "d", "e"])]).run_secs(1);
    assert_eq!(rig.batches(), ["a b", "c d", "e"]);
}

#[test]
fn batch_payload_limit() {
    let mut held = records(["a", "b", "c", "huge", "d"]);
    for (record, len) in held
        .iter_mut()
        .zip([3_000_000, 3_000_000, 3_000_000, 7_000_000, 1])
    {
        record.meta.wire_len = len;
    }
    let rig = Rig::stream(kinesis(), vec![held]).run_secs(1);
    // Two of 3 MB fit into 6 MiB. A record that fits nowhere goes alone, for the target to refuse.
    assert_eq!(rig.batches(), ["a b", "c", "huge", "d"]);
}

#[test]
fn batch_payload_limit_is_exact() {
    // 14 bytes around the records and a comma between them: 6,291,456 fits, one more does not.
    let mut held = records(["a", "b"]);
    held[0].meta.wire_len = 3_145_720;
    held[1].meta.wire_len = 3_145_721;
    let rig = Rig::stream(kinesis(), vec![held.clone()]).run_secs(1);
    assert_eq!(rig.batches(), ["a b"]);
    held[1].meta.wire_len += 1;
    let rig = Rig::stream(kinesis(), vec![held]).run_secs(1);
    assert_eq!(rig.batches(), ["a", "b"]);
}

#[test]
fn batch_window_from_previous_invocation() {
    let config = MappingConfig {
        window: Span::from_secs(5),
        ..kinesis()
    };
    let held = vec![record(1, "a", 1_000), record(2, "b", 6_000)];
    let rig = Rig::stream(config, vec![held]).run_secs(20);
    // The first window counts from the start; the second from the end of the first invocation, not from 6 s.
    assert_eq!(rig.invokes(), [(5_000, "a"), (10_000, "b")]);
}

#[test]
fn stream_one_batch_per_shard() {
    let config = MappingConfig {
        batch_size: 1,
        ..kinesis()
    };
    let held = vec![records(["a", "b"]), records(["x", "y"])];
    let rig = Rig::stream(config, held)
        .invocations_take(Span::from_secs(3))
        .run_secs(10);
    assert_eq!(
        rig.invokes(),
        [(0, "a"), (0, "x"), (3_000, "b"), (3_000, "y")]
    );
}

#[test]
fn stream_backoff() {
    let rig = Rig::stream(kinesis(), vec![records(["a"])])
        .function(|_| Outcome::FunctionError)
        .run_secs(200);
    assert_eq!(
        rig.invoke_times(),
        [
            0, 500, 1_500, 3_500, 7_500, 15_500, 31_500, 63_500, 123_500, 183_500
        ]
    );
}

#[test]
fn stream_retry_budget() {
    let config = MappingConfig {
        maximum_retry_attempts: Some(0),
        ..kinesis()
    };
    let rig = Rig::stream(config, vec![records(["a"])])
        .function(|_| Outcome::FunctionError)
        .run_secs(5);
    assert_eq!(rig.attempts(), [1]);
    assert_eq!(
        rig.discards(),
        [(0, 1, Condition::RetryAttemptsExhausted, 1)]
    );
    // The shard goes on behind what it gave up.
    assert_eq!(rig.stores(), [delta(Position::Horizon, after(1))]);
}

#[test]
fn stream_throttle_spends_no_retry() {
    let config = MappingConfig {
        maximum_retry_attempts: Some(0),
        ..kinesis()
    };
    let rig = Rig::stream(config, vec![records(["a"])])
        .function(|call| match call.at_ms {
            0..3_000 => THROTTLED,
            3_000..7_000 => Outcome::ServiceError,
            _ => Outcome::Success,
        })
        .run_secs(60);
    assert_eq!(rig.invoke_times(), [0, 500, 1_500, 3_500, 7_500]);
    assert_eq!(rig.attempts(), [1, 1, 1, 1, 1]);
    assert_eq!(rig.discards(), []);
}

#[test]
fn retry_after_is_a_lower_bound() {
    let rig = Rig::stream(kinesis(), vec![records(["a"])])
        .function(|call| match call.at_ms {
            0..10_000 => Outcome::Throttled {
                retry_after: Span::from_secs(9),
            },
            _ => Outcome::Success,
        })
        .run_secs(60);
    assert_eq!(rig.invoke_times(), [0, 9_000, 18_000]);
}

#[test]
fn stream_record_age() {
    let config = MappingConfig {
        maximum_record_age: Some(Span::from_secs(60)),
        ..kinesis()
    };
    let held = vec![record(1, "old", 0), record(2, "young", 30_000)];
    let rig = Rig::stream(config, vec![held])
        .function(|_| Outcome::FunctionError)
        .run_secs(64);
    let discards = rig.discards();
    assert_eq!(
        discards,
        [(63_500, 1, Condition::RecordAgeExceeded, 8)],
        "seven tries, and the count is one more"
    );
    // The rest is a new batch, offered at once and with its own tries.
    assert_eq!(rig.invokes()[7], (63_500, "young"));
    assert_eq!(rig.attempts()[6..8], [7, 1]);
}

#[test]
fn stream_oversize_spends_tries() {
    let config = MappingConfig {
        maximum_retry_attempts: Some(2),
        batch_size: 1,
        ..kinesis()
    };
    let rig = Rig::stream(config, vec![records(["huge", "next"])])
        .function(|call| match call.has("huge") {
            true => Outcome::TooLarge,
            false => Outcome::Success,
        })
        .run_secs(5);
    assert_eq!(rig.batches(), ["huge", "huge", "huge", "next"]);
    assert_eq!(
        rig.discards(),
        [(1_500, 1, Condition::RetryAttemptsExhausted, 3)]
    );
}

#[test]
fn checkpoint_follows_page() {
    let mut rig = Rig::stream(kinesis(), vec![records(["a", "b", "c"])]);
    rig.world.left_out = vec!["a", "b", "c"];
    let rig = rig.run_secs(1);
    assert_eq!(rig.batches(), [""; 0]);
    assert_eq!(rig.stores(), [delta(Position::Horizon, after(3))]);

    let mut rig = Rig::stream(kinesis(), vec![records(["a", "b", "c"])]);
    rig.world.left_out = vec!["a", "c"];
    let rig = rig.run_secs(1);
    assert_eq!(rig.batches(), ["b"]);
    assert_eq!(rig.stores(), [delta(Position::Horizon, after(3))]);
}

#[test]
fn stream_checkpoint_is_retried() {
    let config = MappingConfig {
        batch_size: 1,
        ..kinesis()
    };
    let mut rig = Rig::stream(config, vec![records(["a", "b", "c"])]);
    rig.world.confirm = Box::new(|number| (number <= 2).then_some(FailureClass::Transient));
    let rig = rig.run_secs(10);
    // A store that fails holds nothing up; the next one takes along what was done meanwhile.
    assert_eq!(rig.batches(), ["a", "b", "c"]);
    let stored = [
        delta(Position::Horizon, after(1)),
        delta(Position::Horizon, after(3)),
        delta(Position::Horizon, after(3)),
    ];
    assert_eq!(rig.stores(), stored);
}

#[test]
fn stream_latest_is_resolved() {
    let held = vec![record(1, "before", 0), record(2, "after", 6_500)];
    let mut rig = Rig::idle(kinesis(), Tuning::new(Profile::Current), vec![held]);
    rig.advance(Time::from_secs(5));
    rig.list(vec![Shard {
        id: ShardId(0),
        from: Position::Latest,
        parents: vec![],
        window: None,
    }]);
    let resolved = Position::At(Time::from_secs(5));
    assert_eq!(rig.stores(), [delta(Position::Latest, resolved)]);
    rig.advance(Time::from_secs(10));
    assert_eq!(rig.stores()[1..], [], "an empty read moves nothing");
}

#[test]
fn kinesis_read_rate() {
    // An idle shard is read once a second.
    let rig = Rig::stream(kinesis(), vec![vec![]]).run_secs(3);
    assert_eq!(rig.read_times(), [0, 1_000, 2_000, 3_000]);

    // While behind: five calls a second …
    let behind = |bytes| {
        let mut rig = Rig::stream(kinesis(), vec![records(["a", "b", "c", "d"])])
            .tuned(|tuning| tuning.page_records_max = 1);
        rig.world.read_bytes = bytes;
        rig.run_secs(2).read_times()
    };
    assert_eq!(behind(1_000)[..4], [0, 200, 400, 600]);
    // … of at most 2 MiB a second together.
    assert_eq!(behind(1024 * 1024)[..4], [0, 500, 1_000, 1_500]);
}

#[test]
fn stream_children_after_parents() {
    let config = MappingConfig {
        batch_size: 1,
        ..kinesis()
    };
    let held = vec![records(["a"]), records(["b"]), records(["c"])];
    let mut rig =
        Rig::idle(config, Tuning::new(Profile::Current), held).invocations_take(Span::from_secs(2));
    rig.world.closed = vec![0, 1];
    rig.world.shards[1].push(record(2, "b2", 0));
    let shard = |id, parents: &[u32]| Shard {
        id: ShardId(id),
        from: Position::Horizon,
        parents: parents.iter().map(|&parent| ShardId(parent)).collect(),
        window: None,
    };
    rig.list(vec![shard(0, &[]), shard(1, &[]), shard(2, &[0, 1])]);
    rig.advance(Time::from_secs(10));
    // The merged child waits for both; what a shard's end is stored as lets a restart know it.
    assert_eq!(
        rig.invokes(),
        [(0, "a"), (0, "b"), (2_000, "b2"), (4_000, "c")]
    );
    let ends = rig.stores().into_iter().filter(|it| it.to == Position::End);
    assert_eq!(ends.count(), 2);
}

#[test]
fn iterator_age_at_send() {
    let rig = Rig::stream(kinesis(), vec![vec![record(1, "a", 400)]])
        .invocations_take(Span::from_secs(30))
        .run_secs(40);
    let mut recorder = MappingRecorder::default();
    for (at_ms, fact) in rig.facts() {
        recorder.observe(Time::from_millis(*at_ms), *fact);
    }
    // Read at 1 s and sent at once; the 30 s of the invocation do not count.
    assert_eq!(
        recorder
            .summary(tidegate::engine::SourceKind::Kinesis)
            .iterator_age
            .max
            .value,
        600.0
    );
}

#[test]
fn a_failed_read_is_made_again() {
    let mut rig = Rig::stream(kinesis(), vec![records(["a"])]);
    rig.world.calls_fail = vec![
        FailureClass::Denied,
        FailureClass::Transient,
        FailureClass::Transient,
    ];
    let rig = rig.run_secs(62);
    // Back-off doubles; what may not be read is asked for once a minute.
    assert_eq!(rig.read_times()[..4], [0, 500, 1_500, 61_500]);
}

#[test]
fn stream_throttled_read() {
    let run = |seed| {
        let mut rig = Rig::stream(kinesis(), vec![records(["a"])]).seeded(seed);
        rig.world.calls_fail = vec![FailureClass::Throttled; 12];
        rig.run_secs(60).read_times()
    };
    let times = run(1);
    for (number, pair) in times[..13].windows(2).enumerate() {
        let whole = (500u64 << number.min(10)).min(5_000);
        let wait = pair[1] - pair[0];
        assert!((whole / 2..=whole).contains(&wait), "{wait} ms of {whole}");
    }
    assert_ne!(times, run(2), "two readers do not wait alike");
}

/// A stream that was split again and again: 256 shards, each of them the parent of the next generation, 1,024 in all.
#[test]
fn a_thousand_shards_are_read_in_the_order_of_their_lineage() {
    const GENERATION: u32 = 256;
    let shards = 4 * GENERATION;
    let held = (0..shards).map(|_| vec![record(1, "a", 0), record(2, "b", 0)]);
    let tuning = Tuning::new(Profile::Current);
    let mut rig = Rig::idle(kinesis(), tuning, held.collect());
    rig.world.closed = (0..shards).collect();
    let listed = (0..shards)
        .map(|id| Shard {
            id: ShardId(id),
            from: Position::Horizon,
            parents: id
                .checked_sub(GENERATION)
                .map(ShardId)
                .into_iter()
                .collect(),
            window: None,
        })
        .collect();
    rig.list(listed);
    rig.advance(Time::from_secs(60));
    assert_eq!(rig.batches().len(), shards as usize);
    let ended: Vec<u32> = rig
        .facts()
        .iter()
        .filter_map(|(_, fact)| match fact {
            tidegate::engine::Fact::ShardEnded { shard } => Some(shard.0),
            _ => None,
        })
        .collect();
    assert_eq!(ended.len(), shards as usize);
    let mut place = vec![0; shards as usize];
    for (index, shard) in ended.iter().enumerate() {
        place[*shard as usize] = index;
    }
    for child in GENERATION..shards {
        assert!(place[(child - GENERATION) as usize] < place[child as usize]);
    }
}
