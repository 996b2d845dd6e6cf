//! Rules of batches that are worked on in pieces: partial progress, bisection, diversion.

use super::harness::{Call, Did, Rig, after, kinesis, record, records};
use tidegate::engine::{
    Condition, Control, Delivery, Event, FailedAnswer, FailureClass, MappingConfig, Outcome, Span,
    Time,
};

/// A function that reports `record` whenever it is in the batch.
pub(crate) fn reports(record: &'static str) -> impl FnMut(&Call<'_>) -> Outcome {
    move |call| match call.records.iter().position(|it| *it == record) {
        Some(index) => Outcome::Partial {
            first_failed: index as u32,
        },
        None => Outcome::Success,
    }
}

/// A function that throws whenever `record` is in the batch.
pub(crate) fn throws_at(record: &'static str) -> impl FnMut(&Call<'_>) -> Outcome {
    move |call| {
        if call.has(record) {
            Outcome::FunctionError
        } else {
            Outcome::Success
        }
    }
}

pub(crate) fn reporting(retries: u32) -> MappingConfig {
    MappingConfig {
        report_batch_item_failures: true,
        maximum_retry_attempts: Some(retries),
        ..kinesis()
    }
}

fn diverting(retries: u32) -> MappingConfig {
    MappingConfig {
        on_failure: Some("arn:aws:sqs:us-east-1:123456789012:failures".to_owned()),
        maximum_retry_attempts: Some(retries),
        ..kinesis()
    }
}

#[test]
fn stream_partial_progress_fresh_budget() {
    let rig = Rig::stream(reporting(1), vec![records(["1", "2", "3", "4"])])
        .function(reports("2"))
        .run_secs(10);
    // The first delivery moved the checkpoint, so the rest has two tries of its own.
    assert_eq!(rig.batches(), ["1 2 3 4", "2 3 4", "2 3 4"]);
    assert_eq!(rig.attempts(), [1, 1, 2]);
    assert_eq!(rig.stores()[0].to, after(1));
    let exhausted = Condition::RetryAttemptsExhausted;
    let [(_, 3, condition, 2)] = rig.discards()[..] else {
        panic!("{:?}", rig.discards());
    };
    assert_eq!(condition, exhausted);
}

#[test]
fn no_progress_has_no_fresh_budget() {
    let rig = Rig::stream(reporting(2), vec![records(["1", "2"])])
        .function(reports("1"))
        .run_secs(10);
    assert_eq!(rig.batches(), ["1 2", "1 2", "1 2"]);
}

#[test]
fn a_rejected_answer_fails_the_whole_batch() {
    let rig = Rig::stream(reporting(0), vec![records(["1", "2"])])
        .function(|_| Outcome::Rejected)
        .run_secs(10);
    assert_eq!(rig.batches(), ["1 2"]);
    assert_eq!(rig.discards().len(), 1);
}

#[test]
fn stream_bisect_order() {
    let config = MappingConfig {
        bisect_batch_on_function_error: true,
        maximum_retry_attempts: Some(0),
        ..kinesis()
    };
    let rig = Rig::stream(config, vec![records(["1", "2", "3", "4", "5", "6", "7"])])
        .function(throws_at("6"))
        .run_secs(60);
    // The floor half first, depth first, in the order of the shard.
    let expected = ["1 2 3 4 5 6 7", "1 2 3", "4 5 6 7", "4 5", "6 7", "6", "7"];
    assert_eq!(rig.batches(), expected);
    let to: Vec<_> = rig.stores().iter().map(|delta| delta.to).collect();
    assert_eq!(to, [after(3), after(5), after(6), after(7)]);
}

#[test]
fn stream_bisect_spends_no_retry() {
    let config = MappingConfig {
        bisect_batch_on_function_error: true,
        maximum_retry_attempts: Some(1),
        ..kinesis()
    };
    let rig = Rig::stream(config, vec![records(["1", "2"])])
        .function(throws_at("1"))
        .run_secs(60);
    assert_eq!(rig.batches(), ["1 2", "1", "1", "2"]);
    assert_eq!(rig.discards()[0].3, 2, "a record alone has all its tries");
}

#[test]
fn a_throttle_does_not_bisect() {
    let config = MappingConfig {
        bisect_batch_on_function_error: true,
        ..kinesis()
    };
    let mut refused = 0;
    let rig = Rig::stream(config, vec![records(["1", "2"])])
        .function(move |_| {
            refused += 1;
            if refused < 3 {
                super::harness::THROTTLED
            } else {
                Outcome::Success
            }
        })
        .run_secs(60);
    assert_eq!(rig.batches(), ["1 2", "1 2", "1 2"]);
    assert_eq!(rig.attempts(), [1, 1, 1]);
}

#[test]
fn checkpoint_whole_sequence_number() {
    let config = MappingConfig {
        batch_size: 2,
        ..kinesis()
    };
    // Three records out of one aggregate, and one after it.
    let held = [(7, "a"), (7, "b"), (7, "c"), (8, "d")];
    let held = held.map(|(seq, payload)| record(seq, payload, 0)).to_vec();
    let rig = Rig::stream(config, vec![held]).run_secs(1);
    assert_eq!(rig.batches(), ["a b", "c d"]);
    let to: Vec<_> = rig.stores().iter().map(|delta| delta.to).collect();
    assert_eq!(to, [after(8)], "a restart after `a b` must read `c` again");
}

#[test]
fn given_up_records_are_diverted_before_the_shard_goes_on() {
    let rig = Rig::stream(diverting(1), vec![records(["1", "2"])])
        .function(|_| Outcome::FunctionError)
        .run_secs(60);
    let answer = Some(FailedAnswer::Unhandled);
    let exhausted = Condition::RetryAttemptsExhausted;
    assert_eq!(rig.diverts(), [("1 2", exhausted, 2, answer)]);
    assert_eq!(rig.deliveries(), [(2, Delivery::Delivered)]);
    let place = |of: fn(&Did) -> bool| rig.did().iter().position(|(_, did)| of(did));
    let told = place(|did| matches!(did, Did::Divert { .. }));
    let stored = place(|did| matches!(did, Did::Store { .. }));
    assert!(told.is_some() && told < stored, "{:?}", rig.did());
}

#[test]
fn only_answers_of_the_function_are_told() {
    let told = |outcome: Outcome| {
        let config = MappingConfig {
            report_batch_item_failures: true,
            ..diverting(0)
        };
        let rig = Rig::stream(config, vec![records(["1"])])
            .function(move |_| outcome)
            .run_secs(60);
        rig.diverts()[0].3
    };
    assert_eq!(told(Outcome::FunctionError), Some(FailedAnswer::Unhandled));
    assert_eq!(told(Outcome::Rejected), Some(FailedAnswer::Reported));
    assert_eq!(
        told(Outcome::Partial { first_failed: 0 }),
        Some(FailedAnswer::Reported)
    );
    assert_eq!(told(Outcome::TooLarge), None);
}

#[test]
fn destination_refusal_is_bounded() {
    let run = |class: FailureClass| {
        let mut rig =
            Rig::stream(diverting(0), vec![records(["1"])]).function(|_| Outcome::FunctionError);
        // Confirmations of diversions and stores share their numbers: the first five are diversions.
        rig.world.confirm = Box::new(move |number| (number <= 5).then_some(class));
        rig.run_secs(60)
    };
    let rig = run(FailureClass::Transient);
    let at: Vec<u64> = rig
        .did()
        .iter()
        .filter(|(_, did)| matches!(did, Did::Divert { .. }))
        .map(|(at, _)| *at)
        .collect();
    assert_eq!(at, [0, 500, 1_500, 3_500, 7_500]);
    assert_eq!(rig.deliveries(), [(1, Delivery::Refused)]);
    assert_eq!(rig.stores().last().expect("a store").to, after(1));
    // Who denies access is asked once.
    assert_eq!(run(FailureClass::Denied).diverts().len(), 1);
}

#[test]
fn an_expired_head_is_diverted_alone() {
    let config = MappingConfig {
        maximum_record_age: Some(Span::from_secs(60)),
        ..diverting(0)
    };
    let held = vec![record(1, "old", 0), record(2, "new", 65_000)];
    let mut rig = Rig::idle(
        config,
        tidegate::engine::Tuning::new(tidegate::engine::Profile::Current),
        vec![held],
    );
    rig.advance(Time::from_secs(70));
    rig.list_from_horizon();
    let expired = Condition::RecordAgeExceeded;
    assert_eq!(rig.diverts(), [("old", expired, 1, None)]);
    assert_eq!(rig.batches(), ["new"]);
}

#[test]
fn disable_keeps_position() {
    let config = MappingConfig {
        batch_size: 1,
        ..kinesis()
    };
    let held = (1..=4).map(|n| record(n, "r", n * 1_000)).collect();
    let mut rig = Rig::stream(config, vec![held]);
    rig.advance(Time::from_millis(2_500));
    let before = rig.batches().len();
    assert_eq!(before, 2);
    rig.feed(Event::Control(Control::Disable));
    rig.advance(Time::from_secs(30));
    assert_eq!(rig.batches().len(), before, "nothing happens meanwhile");
    rig.feed(Event::Control(Control::Enable));
    rig.advance(Time::from_secs(40));
    assert_eq!(rig.batches().len(), 4);
    assert_eq!(rig.stores().last().expect("a store").to, after(4));
}

#[test]
fn update_keeps_position() {
    let config = MappingConfig {
        batch_size: 1,
        ..kinesis()
    };
    let mut held: Vec<_> = (1..=2).map(|n| record(n, "a", 0)).collect();
    held.extend((3..=8).map(|n| record(n, "b", 5_000)));
    let mut rig = Rig::stream(config.clone(), vec![held]);
    rig.advance(Time::from_secs(2));
    let update = MappingConfig {
        batch_size: 3,
        parallelization_factor: 2,
        ..config
    };
    rig.feed(Event::Control(Control::Update(Box::new(update))));
    rig.advance(Time::from_secs(20));
    assert_eq!(rig.batches(), ["a", "a", "b b b", "b b b"]);
    assert_eq!(rig.stores().last().expect("a store").to, after(8));
}
