//! Rules of tumbling windows.

use super::harness::{Rig, after, kinesis, record};
use tidegate::engine::{
    Condition, Control, Delivery, Event, Fact, MappingConfig, Outcome, Position, Record, Shard,
    ShardId, Span, Time, limits,
};

/// One record per call, windows of ten seconds.
fn tumbling() -> MappingConfig {
    MappingConfig {
        tumbling_window: Some(Span::from_secs(10)),
        batch_size: 1,
        ..kinesis()
    }
}

fn held<const N: usize>(records: [(&'static str, u64); N]) -> Vec<Record<&'static str>> {
    (1..)
        .zip(records)
        .map(|(seq, (payload, at_ms))| record(seq, payload, at_ms))
        .collect()
}

fn closed(rig: &Rig) -> Vec<(u64, bool)> {
    let closed = |(_, fact): &(u64, Fact)| match *fact {
        Fact::WindowClosed { start, early, .. } => Some((start.as_millis() / 1_000, early)),
        _ => None,
    };
    rig.facts().iter().filter_map(closed).collect()
}

#[test]
fn window_by_arrival() {
    let records = held([("1", 1_000), ("2", 9_900), ("3", 10_000), ("4", 31_000)]);
    let rig = Rig::stream(tumbling(), vec![records]).run_secs(40);
    let expected = [
        "1@0 fresh",
        "2@0",
        "@0 final",
        "3@10 fresh",
        "@10 final",
        "4@30 fresh",
    ];
    assert_eq!(rig.window_calls(), expected);
    assert_eq!(closed(&rig), [(0, false), (10, false)]);
}

#[test]
fn a_batch_never_crosses_a_window() {
    let config = MappingConfig {
        batch_size: 100,
        window: Span::from_secs(300),
        ..tumbling()
    };
    let records = held([("1", 1_000), ("2", 2_000), ("3", 11_000), ("4", 12_000)]);
    let rig = Rig::stream(config, vec![records]).run_secs(30);
    // The first record of the next window sends the rest of this one, long before the batching window ends.
    assert_eq!(rig.window_calls(), ["1 2@0 fresh", "@0 final"]);
}

/// Arrival times may go back a little, and after a restart a DynamoDB stream may go back by a minute.
#[test]
fn a_record_that_arrived_before_the_open_window_joins_it() {
    let records = held([("1", 11_000), ("2", 9_000), ("3", 12_000), ("4", 21_000)]);
    let rig = Rig::stream(tumbling(), vec![records]).run_secs(30);
    let expected = ["1@10 fresh", "2@10", "3@10", "@10 final", "4@20 fresh"];
    assert_eq!(rig.window_calls(), expected);
    assert_eq!(closed(&rig), [(10, false)]);
}

#[test]
fn window_idle_close() {
    let rig = Rig::stream(tumbling(), vec![held([("1", 4_000)])]).run_secs(300);
    assert_eq!(rig.window_calls(), ["1@0 fresh", "@0 final"]);
    // Ten seconds of window and two minutes without a record.
    assert_eq!(rig.invoke_times()[1], 130_000);
}

/// A backlog that is hours old is read in small pages: silence between two of them says nothing.
#[test]
fn an_old_window_stays_open_while_the_shard_is_behind() {
    let mut rig = Rig::idle(
        tumbling(),
        tidegate::engine::Tuning {
            page_records_max: 2,
            ..tidegate::engine::Tuning::new(tidegate::engine::Profile::Current)
        },
        vec![held([
            ("1", 1_000),
            ("2", 2_000),
            ("3", 3_000),
            ("4", 4_000),
            ("5", 5_000),
        ])],
    );
    rig.advance(Time::from_secs(9_000));
    rig.list_from_horizon();
    rig.advance(Time::from_secs(9_010));
    let expected = ["1@0 fresh", "2@0", "3@0", "4@0", "5@0", "@0 final"];
    assert_eq!(rig.window_calls(), expected);
}

#[test]
fn a_stored_window_is_not_closed_before_the_first_read() {
    let mut rig = Rig::idle(
        tumbling(),
        tidegate::engine::Tuning::new(tidegate::engine::Profile::Current),
        vec![held([("1", 1_000), ("2", 2_000)])],
    );
    rig.advance(Time::from_secs(9_000));
    rig.list(vec![Shard {
        id: ShardId(0),
        from: after(1),
        parents: vec![],
        window: Some(Time::ZERO),
    }]);
    rig.advance(Time::from_secs(9_010));
    assert_eq!(rig.window_calls(), ["2@0", "@0 final"]);
}

#[test]
fn the_end_of_the_shard_closes_its_window() {
    let mut rig = Rig::stream(tumbling(), vec![held([("1", 0), ("2", 1_000)])]);
    rig.world.closed = vec![0];
    let rig = rig.run_secs(20);
    assert_eq!(rig.window_calls(), ["1@0 fresh", "2@0", "@0 final"]);
    assert!(rig.invoke_times()[2] < 5_000);
    assert_eq!(rig.stores().last().expect("a store").to, Position::End);
}

#[test]
fn window_state_limit() {
    let records = held([("1", 1_000), ("huge", 2_000), ("3", 3_000), ("4", 14_000)]);
    let rig = Rig::stream(tumbling(), vec![records])
        .function(|call| {
            if call.has("huge") {
                Outcome::StateTooLarge
            } else {
                Outcome::Success
            }
        })
        .run_secs(20);
    let expected = [
        "1@0 fresh",
        "huge@0",
        "@0 final early",
        "3@0 fresh",
        "@0 final",
        "4@10 fresh",
    ];
    assert_eq!(rig.window_calls(), expected);
    assert_eq!(closed(&rig), [(0, true), (0, false)]);
}

/// A bisected batch has a second half when the first one brings the state above its limit: the final call comes first.
#[test]
fn a_state_above_its_limit_does_not_wait_for_the_rest_of_a_bisected_batch() {
    let config = MappingConfig {
        batch_size: 4,
        bisect_batch_on_function_error: true,
        ..tumbling()
    };
    let records = held([("1", 0), ("2", 0), ("3", 0), ("4", 0)]);
    let rig = Rig::stream(config, vec![records])
        .function(|call| match call.records.len() {
            4 => Outcome::FunctionError,
            2 if call.has("1") => Outcome::StateTooLarge,
            _ => Outcome::Success,
        })
        .run_secs(9);
    let expected = [
        "1 2 3 4@0 fresh",
        "1 2@0 fresh",
        "@0 final early",
        "3 4@0 fresh",
    ];
    assert_eq!(rig.window_calls(), expected);
    assert_eq!(rig.stores().last().expect("a store").to, after(4));
}

#[test]
fn window_payload_reserves_state() {
    let config = MappingConfig {
        batch_size: 100,
        ..tumbling()
    };
    let mut records = held([("1", 0), ("2", 0), ("3", 0)]);
    for record in &mut records {
        record.meta.wire_len = 2_000_000;
    }
    let rig = Rig::stream(config, vec![records]).run_secs(1);
    let limit = limits::EVENT_BYTES_MAX - limits::WINDOW_STATE_BYTES_MAX;
    assert!(3 * 2_000_000 < limits::EVENT_BYTES_MAX && 3 * 2_000_000 > limit);
    assert_eq!(rig.batches(), ["1 2", "3"]);
}

/// An update takes windows away; the one that is open still carries its state to its end.
#[test]
fn a_window_that_outlives_its_options_keeps_room_for_its_state() {
    let config = MappingConfig {
        batch_size: 100,
        ..tumbling()
    };
    let mut records = held([("1", 0), ("2", 5_000), ("3", 5_000), ("4", 5_000)]);
    for record in &mut records[1..] {
        record.meta.wire_len = 2_000_000;
    }
    let mut rig = Rig::stream(config.clone(), vec![records]);
    rig.advance(Time::from_secs(2));
    let update = MappingConfig {
        tumbling_window: None,
        ..config
    };
    rig.feed(Event::Control(Control::Update(Box::new(update))));
    rig.advance(Time::from_secs(9));
    assert_eq!(rig.window_calls(), ["1@0 fresh", "2 3@0", "4@0"]);
}

#[test]
fn the_state_of_an_open_window_is_stored_with_the_position() {
    let records = held([("1", 1_000), ("2", 2_000), ("3", 11_000)]);
    let rig = Rig::stream(tumbling(), vec![records]).run_secs(15);
    let to: Vec<_> = rig.stores().iter().map(|delta| delta.to).collect();
    // After the final call the same position is stored again, without a state.
    assert_eq!(to, [after(1), after(2), after(2), after(3)]);
    assert_eq!(rig.stored_windows(), [Some(0), Some(0), None, Some(10_000)]);
}

#[test]
fn a_stored_window_goes_on_after_a_restart() {
    let mut rig = Rig::idle(
        tumbling(),
        tidegate::engine::Tuning::new(tidegate::engine::Profile::Current),
        vec![held([("1", 1_000), ("2", 2_000), ("3", 11_000)])],
    );
    rig.advance(Time::from_secs(12));
    rig.list(vec![Shard {
        id: ShardId(0),
        from: after(1),
        parents: vec![],
        window: Some(Time::ZERO),
    }]);
    assert_eq!(rig.window_calls(), ["2@0", "@0 final", "3@10 fresh"]);
}

#[test]
fn a_failing_final_call_is_retried_and_given_up_like_a_batch() {
    let config = MappingConfig {
        maximum_retry_attempts: Some(1),
        on_failure: Some("arn:aws:sqs:us-east-1:123456789012:failures".to_owned()),
        ..tumbling()
    };
    let records = held([("1", 1_000), ("2", 11_000)]);
    let rig = Rig::stream(config, vec![records])
        .function(|call| {
            if call.window.is_some_and(|window| window.is_final) {
                Outcome::FunctionError
            } else {
                Outcome::Success
            }
        })
        .run_secs(20);
    let expected = ["1@0 fresh", "@0 final", "@0 final", "2@10 fresh"];
    assert_eq!(rig.window_calls(), expected);
    let (records, condition, count, _) = rig.diverts()[0];
    assert_eq!(
        (records, condition, count),
        ("", Condition::RetryAttemptsExhausted, 2)
    );
    assert_eq!(rig.deliveries(), [(0, Delivery::Delivered)]);
    assert_eq!(closed(&rig), [(0, false)]);
}

#[test]
fn a_final_call_expires_with_its_window() {
    let config = MappingConfig {
        maximum_record_age: Some(Span::from_secs(60)),
        ..tumbling()
    };
    let records = held([("1", 1_000), ("2", 11_000)]);
    let rig = Rig::stream(config, vec![records])
        .function(|call| {
            if call.window.is_some_and(|window| window.is_final) {
                Outcome::FunctionError
            } else {
                Outcome::Success
            }
        })
        .run_secs(200);
    assert_eq!(rig.discards()[0].2, Condition::RecordAgeExceeded);
    assert!(!closed(&rig).is_empty());
}
