//! Cases recorded at AWS, as far as this version covers them. Each names what was recorded.

use super::harness::{Rig, kinesis, record, records};
use tidegate::engine::{Condition, MappingConfig, Outcome, Span, Time};

/// MaximumRetryAttempts of 1, 2 and 3 give the counts 2, 3 and 4.
#[test]
fn retries_and_the_count_of_the_invocation_record() {
    for retries in 1..=3 {
        let config = MappingConfig {
            maximum_retry_attempts: Some(retries),
            ..kinesis()
        };
        let rig = Rig::stream(config, vec![records(["a", "b"])])
            .function(|_| Outcome::FunctionError)
            .run_secs(60);
        assert_eq!(rig.batches().len() as u32, retries + 1);
        let [(_, records, condition, count)] = rig.discards()[..] else {
            panic!("one batch is given up: {:?}", rig.discards());
        };
        assert_eq!((records, condition), (2, Condition::RetryAttemptsExhausted));
        assert_eq!(count, retries + 1);
    }
}

/// One expired and five fresh records in a batch of ten: the expired one is reported alone with the count 1, the
/// fresh ones are delivered.
#[test]
fn an_expired_head_is_cut_off() {
    let config = MappingConfig {
        maximum_record_age: Some(Span::from_secs(60)),
        batch_size: 10,
        ..kinesis()
    };
    let mut held = vec![record(1, "expired", 0)];
    held.extend((2..=6).map(|seq| record(seq, "fresh", 70_000)));
    let mut rig = Rig::idle(
        config,
        tidegate::engine::Tuning::new(tidegate::engine::Profile::Current),
        vec![held],
    );
    rig.advance(Time::from_secs(75));
    rig.list(vec![tidegate::engine::Shard {
        id: tidegate::engine::ShardId(0),
        from: tidegate::engine::Position::Horizon,
        parents: vec![],
        window: None,
    }]);
    assert_eq!(
        rig.discards(),
        [(75_000, 1, Condition::RecordAgeExceeded, 1)]
    );
    assert_eq!(rig.batches(), ["fresh fresh fresh fresh fresh"]);
}

/// A record age of 60 s with endless retries and a function that always fails gave the count 8.
#[test]
fn an_always_failing_record_expires_with_count_eight() {
    let config = MappingConfig {
        maximum_record_age: Some(Span::from_secs(60)),
        ..kinesis()
    };
    let rig = Rig::stream(config, vec![records(["a"])])
        .function(|_| Outcome::FunctionError)
        .run_secs(120);
    assert_eq!(
        rig.discards(),
        [(63_500, 1, Condition::RecordAgeExceeded, 8)]
    );
}

/// BatchSize 2 and a window of 5 s: full batches leave at once, the fifth record after 4.99 s.
#[test]
fn full_batches_do_not_wait_for_the_window() {
    let config = MappingConfig {
        batch_size: 2,
        window: Span::from_secs(5),
        ..kinesis()
    };
    let rig = Rig::stream(config, vec![records(["a", "b", "c", "d", "e"])]).run_secs(20);
    assert_eq!(rig.invokes(), [(0, "a b"), (0, "c d"), (5_000, "e")]);
}

/// Thirty records, TRIM_HORIZON, BatchSize 10: three invocations of ten.
#[test]
fn thirty_records_are_three_batches_of_ten() {
    let config = MappingConfig {
        batch_size: 10,
        ..kinesis()
    };
    let held = (1..=30).map(|seq| record(seq, "r", 0)).collect();
    let rig = Rig::stream(config, vec![held]).run_secs(5);
    let sizes: Vec<usize> = rig
        .batches()
        .iter()
        .map(|it| it.split(' ').count())
        .collect();
    assert_eq!(sizes, [10, 10, 10]);
}
