//! Cases recorded at AWS, as far as this version covers them. Each names what was recorded.

use super::harness::{Rig, kinesis, record, records};
use super::pieces::{reporting, reports, throws_at};
use tidegate::engine::{
    Condition, Delivery, FailedAnswer, MappingConfig, Outcome, Position, Shard, ShardId, Span, Time,
};

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
    rig.list_from_horizon();
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

fn diverting(config: MappingConfig) -> MappingConfig {
    MappingConfig {
        on_failure: Some("arn:aws:sqs:us-east-1:123456789012:failures".to_owned()),
        ..config
    }
}

/// BatchSize 3, 3 retries, six records of which the last is always reported: it is delivered five times, and the
/// invocation record says 4.
#[test]
fn progress_gives_the_rest_its_own_tries() {
    let config = MappingConfig {
        batch_size: 3,
        ..diverting(reporting(3))
    };
    let rig = Rig::stream(config, vec![records(["1", "2", "3", "4", "5", "6"])])
        .function(reports("6"))
        .run_secs(60);
    assert_eq!(rig.batches(), ["1 2 3", "4 5 6", "6", "6", "6", "6"]);
    let exhausted = Condition::RetryAttemptsExhausted;
    let reported = Some(FailedAnswer::Reported);
    assert_eq!(rig.diverts(), [("6", exhausted, 4, reported)]);
}

/// One retry, the second of four records reported: [1,2,3,4], [2,3,4], [2,3,4], and the count 2.
#[test]
fn a_reported_record_takes_the_rest_of_its_batch_along() {
    let rig = Rig::stream(diverting(reporting(1)), vec![records(["1", "2", "3", "4"])])
        .function(reports("2"))
        .run_secs(60);
    assert_eq!(rig.batches(), ["1 2 3 4", "2 3 4", "2 3 4"]);
    assert_eq!(rig.diverts()[0].2, 2);
}

/// One retry and bisection, an error whenever record 2 is there: [1,2,3,4], [1,2], [1], [2], [2], [3,4]; 2 is given
/// up with the count 2.
#[test]
fn bisection_is_depth_first_and_leaves_a_single_record_its_tries() {
    let config = MappingConfig {
        bisect_batch_on_function_error: true,
        maximum_retry_attempts: Some(1),
        ..diverting(kinesis())
    };
    let rig = Rig::stream(config, vec![records(["1", "2", "3", "4"])])
        .function(throws_at("2"))
        .run_secs(60);
    assert_eq!(rig.batches(), ["1 2 3 4", "1 2", "1", "2", "2", "3 4"]);
    let exhausted = Condition::RetryAttemptsExhausted;
    let thrown = Some(FailedAnswer::Unhandled);
    assert_eq!(rig.diverts(), [("2", exhausted, 2, thrown)]);
}

/// The same with reports: [1,2,3,4], [2,3,4], [2], [2], [3,4].
#[test]
fn bisection_of_reports_cuts_at_the_reported_record() {
    let config = MappingConfig {
        bisect_batch_on_function_error: true,
        ..diverting(reporting(1))
    };
    let rig = Rig::stream(config, vec![records(["1", "2", "3", "4"])])
        .function(reports("2"))
        .run_secs(60);
    assert_eq!(rig.batches(), ["1 2 3 4", "2 3 4", "2", "2", "3 4"]);
    assert_eq!(rig.diverts()[0].2, 2);
}

/// An event above 6 MB: the handler never runs, 0 and 2 retries give the counts 1 and 3 without an answer, and the next
/// record is delivered.
#[test]
fn an_oversize_record_spends_its_tries_and_is_passed() {
    for (retries, count) in [(0, 1), (2, 3)] {
        let config = MappingConfig {
            batch_size: 1,
            maximum_retry_attempts: Some(retries),
            ..diverting(kinesis())
        };
        let rig = Rig::stream(config, vec![records(["huge", "next"])])
            .function(|call| {
                if call.has("huge") {
                    Outcome::TooLarge
                } else {
                    Outcome::Success
                }
            })
            .run_secs(60);
        let exhausted = Condition::RetryAttemptsExhausted;
        assert_eq!(rig.diverts(), [("huge", exhausted, count, None)]);
        assert_eq!(rig.batches().last(), Some(&"next"));
    }
}

/// A denied destination: three records counted as dropped, one delivery failure, nothing sent again.
#[test]
fn a_denied_destination_drops_the_records_once() {
    let config = MappingConfig {
        maximum_retry_attempts: Some(0),
        ..diverting(kinesis())
    };
    let mut rig =
        Rig::stream(config, vec![records(["1", "2", "3"])]).function(|_| Outcome::FunctionError);
    rig.world.confirm =
        Box::new(|number| (number == 1).then_some(tidegate::engine::FailureClass::Denied));
    let rig = rig.run_secs(960);
    assert_eq!(rig.diverts().len(), 1);
    assert_eq!(rig.deliveries(), [(3, Delivery::Refused)]);
}

/// Records 1 to 4 in single calls that carry the state on, a final call without records, then the next window.
#[test]
fn a_window_ends_with_an_empty_call() {
    let config = MappingConfig {
        batch_size: 1,
        tumbling_window: Some(Span::from_secs(30)),
        ..kinesis()
    };
    let mut held: Vec<_> = (1..=4).zip(["1", "2", "3", "4"]).collect();
    held.push((5, "5"));
    let held = held
        .into_iter()
        .map(|(seq, payload)| record(seq, payload, if seq < 5 { seq * 1_000 } else { 31_000 }))
        .collect();
    let rig = Rig::stream(config, vec![held]).run_secs(40);
    let expected = ["1@0 fresh", "2@0", "3@0", "4@0", "@0 final", "5@30 fresh"];
    assert_eq!(rig.window_calls(), expected);
}

/// A merged shard waits for both of its parents; siblings run side by side.
#[test]
fn a_merged_shard_waits_for_both_parents() {
    let shard = |id, parents: &[u32]| Shard {
        id: ShardId(id),
        from: Position::Horizon,
        parents: parents.iter().copied().map(ShardId).collect(),
        window: None,
    };
    let mut rig = Rig::idle(
        kinesis(),
        tidegate::engine::Tuning::new(tidegate::engine::Profile::Current),
        vec![
            vec![record(1, "left", 0)],
            vec![record(1, "right", 0), record(2, "late", 5_000)],
            vec![record(1, "merged", 0)],
        ],
    );
    rig.world.closed = vec![0, 1];
    rig.list(vec![shard(0, &[]), shard(1, &[]), shard(2, &[0, 1])]);
    rig.advance(Time::from_secs(20));
    let batches: Vec<&str> = rig.batches();
    assert_eq!(batches[..2], ["left", "right"]);
    assert_eq!(batches[2..], ["late", "merged"]);
}
