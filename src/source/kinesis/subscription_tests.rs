use super::*;
use FailureClass::{Denied, Throttled, Transient};

const START: Time = Time::from_secs(1_700_000_000);

fn after(number: u64) -> Position {
    Position::After(Seq::from(number))
}

fn number(number: u64) -> Option<Seq> {
    Some(Seq::from(number))
}

fn at(seconds: u64) -> Time {
    START + Span::from_secs(seconds)
}

fn subscribe(at: Time, from: Position) -> Step {
    let latest = None;
    Step::Subscribe { at, from, latest }
}

/// A subscription that was made at [`START`].
fn standing(from: Position) -> Subscription {
    let mut plan = Subscription::default();
    assert!(matches!(plan.next(START, from), Step::Subscribe { .. }));
    plan.asked(START);
    plan.subscribed(START, from);
    plan
}

#[test]
fn events_follow_each_other_through_one_subscription() {
    let mut plan = standing(Position::Horizon);
    assert_eq!(plan.next(START, Position::Horizon), Step::Receive);
    assert_eq!(plan.event(number(4), number(6)), number(6));
    assert_eq!(plan.next(at(1), after(6)), Step::Receive);
    // A number that is missing, or behind the last record, takes nothing back.
    assert_eq!(plan.event(number(9), None), number(9));
    assert_eq!(plan.event(number(12), number(10)), number(12));
    assert_eq!(plan.next(at(2), after(12)), Step::Receive);
}

#[test]
fn heartbeats_move_the_position() {
    let mut plan = standing(after(5));
    assert_eq!(plan.event(None, number(8)), number(8));
    assert_eq!(plan.next(at(1), after(8)), Step::Receive);
    // What the engine has already is no progress, and still the same place.
    for old in [number(8), number(3), None] {
        assert_eq!(plan.event(None, old), None);
        assert_eq!(plan.next(at(2), after(8)), Step::Receive);
    }
}

#[test]
fn a_read_from_elsewhere_subscribes_there() {
    let mut plan = standing(after(5));
    assert_eq!(plan.event(number(9), number(9)), number(9));
    assert_eq!(plan.next(at(3), after(7)), subscribe(at(3), after(7)));
    assert_eq!(plan.next(at(3), after(9)), subscribe(at(3), after(9)));
}

#[test]
fn a_part_of_an_event_leaves_the_rest_for_the_next_read() {
    let mut plan = standing(Position::Horizon);
    assert_eq!(plan.part(Seq::from(2)), number(2));
    assert_eq!(plan.next(START, after(2)), Step::Receive);
    assert_eq!(plan.event(number(4), number(6)), number(6));
    assert_eq!(plan.next(START, after(6)), Step::Receive);
}

#[test]
fn kinesis_fan_out_renewal() {
    let mut plan = standing(Position::Horizon);
    assert_eq!(plan.event(number(4), number(6)), number(6));
    // The service closes the stream after five minutes: nothing is wrong, and reading goes on where it was.
    assert!(plan.ended(at(300), None));
    assert_eq!(plan.next(at(300), after(6)), subscribe(at(300), after(6)));
    plan.asked(at(300));
    plan.subscribed(at(300), after(6));
    assert_eq!(plan.next(at(300), after(6)), Step::Receive);
    // Some close the connection under it, which is a failure only before its time.
    assert!(plan.ended(at(600), Some(Transient)));
    assert_eq!(plan.next(at(600), after(6)), subscribe(at(600), after(6)));
}

#[test]
fn there_is_a_second_between_two_subscriptions() {
    let mut plan = standing(after(1));
    assert!(plan.ended(START, None));
    let soon = START + Span::from_millis(200);
    assert_eq!(plan.next(soon, after(1)), subscribe(at(1), after(1)));
    // A call that failed counts as one.
    plan.asked(at(1));
    assert_eq!(plan.next(at(1), after(1)), subscribe(at(2), after(1)));
    assert_eq!(plan.next(at(9), after(1)), subscribe(at(9), after(1)));
}

#[test]
fn failures_inside_the_stream_end_it() {
    for (seconds, failure, in_order) in [
        (10, Transient, false),
        (264, Transient, false),
        (265, Transient, true),
        (300, Throttled, false),
        (300, Denied, false),
    ] {
        let mut plan = standing(after(1));
        let ended = plan.ended(at(seconds), Some(failure));
        assert_eq!(ended, in_order, "{failure:?} after {seconds} s");
        let next = plan.next(at(seconds), after(1));
        assert_eq!(next, subscribe(at(seconds), after(1)));
    }
}

#[test]
fn latest_is_not_forgotten_with_its_subscription() {
    let mut plan = standing(Position::Latest);
    assert!(plan.ended(at(300), None));
    let expected = Step::Subscribe {
        at: at(300),
        from: Position::Latest,
        latest: Some(START),
    };
    assert_eq!(plan.next(at(300), Position::Latest), expected);
}

#[test]
fn a_refused_position_is_replaced_by_the_oldest_record_once() {
    let mut plan = Subscription::default();
    assert_eq!(plan.next(START, after(5)), subscribe(START, after(5)));
    plan.asked(START);
    assert!(plan.refused(after(5)));
    let horizon = subscribe(at(1), Position::Horizon);
    assert_eq!(plan.next(START, after(5)), horizon);
    plan.asked(at(1));
    plan.subscribed(at(1), after(5));
    // Numbers before the stored one are old news, unless records come with them.
    assert_eq!(plan.event(None, number(2)), None);
    assert_eq!(plan.event(number(3), number(3)), number(3));
    assert_eq!(plan.next(at(2), after(3)), Step::Receive);
    let mut plan = Subscription::default();
    assert!(plan.refused(after(5)) && !plan.refused(after(5)));
    assert!(!Subscription::default().refused(Position::Horizon));
}
