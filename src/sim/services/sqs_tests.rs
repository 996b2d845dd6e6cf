//! The modelled standard queue, call by call.

use super::*;
use crate::engine::Token;
use crate::scenario::{Arrivals, Dist, Keys, OnThrottle, Rate, RateStep};
use DeadLetterReason::{FunctionError, Throttled, VisibilityTooShort};

fn queue(per_sec: f64, receives_max: Option<u32>) -> SqsModel {
    let step = RateStep {
        at: Span::ZERO,
        per_sec,
        over: Span::ZERO,
    };
    let producer = Producer {
        arrivals: Arrivals::Constant(Rate { steps: vec![step] }),
        size: Dist::Constant(100.0),
        keys: Keys::Unique,
        on_throttle: OnThrottle::Retry,
    };
    SqsModel::new("q", Span::from_secs(30), receives_max, &[producer], 1)
}

fn waiter(until: Time) -> Waiter {
    Waiter {
        mapping: 0,
        token: Token(1),
        records_max: 10,
        until,
    }
}

fn receive(queue: &mut SqsModel, now: Time) -> Vec<Record<()>> {
    match queue.receive(now, waiter(now), Vec::new()) {
        Received::Messages(list) => list,
        other => panic!("{other:?}"),
    }
}

fn standing(queue: &mut SqsModel, now: Time) -> Standing {
    queue.arrived(now);
    queue.standing(now)
}

#[test]
fn a_message_comes_back_until_it_is_deleted() {
    let mut queue = queue(1.0, None);
    let first = receive(&mut queue, Time::from_secs(2));
    assert_eq!(first.len(), 2);
    queue.delete(&first[..1]);
    assert_eq!(receive(&mut queue, Time::from_secs(2)), []);
    // 30 s later 30 fresh messages wait behind the returned one.
    let again = receive(&mut queue, Time::from_secs(32));
    assert_eq!(again.len(), 10);
    assert_eq!(again[0].meta.group, first[1].meta.group);
    assert_eq!(again[0].meta.arrival, first[1].meta.arrival);
    // The old handle no longer deletes.
    queue.delete(&first[1..]);
    let at = Time::from_secs(62);
    assert_eq!(standing(&mut queue, at).visible, 61);
}

#[test]
fn sqs_late_delete() {
    let mut queue = queue(0.1, None);
    let at = Time::from_secs;
    let first = receive(&mut queue, at(10));
    assert_eq!(standing(&mut queue, at(39)).visible, 2);
    // Visible again, and nobody came: its receipt still counts.
    assert_eq!(standing(&mut queue, at(40)).visible, 4);
    queue.delete(&first);
    assert_eq!(standing(&mut queue, at(40)).visible, 3);
    // Received by somebody else meanwhile: it does not.
    let second = receive(&mut queue, at(40));
    let third = receive(&mut queue, at(70));
    assert_eq!(second[0].meta.group, third[0].meta.group);
    queue.delete(&second);
    assert_eq!(standing(&mut queue, at(70)).in_flight, third.len() as u64);
    queue.delete(&third);
    assert_eq!(standing(&mut queue, at(70)).in_flight, 0);
}

#[test]
fn sqs_redrive_on_receive() {
    let mut queue = queue(0.001, Some(2));
    let at = |secs: u64| Time::from_secs(1_000 + secs);
    assert_eq!(receive(&mut queue, at(0)).len(), 1);
    assert_eq!(receive(&mut queue, at(30)).len(), 1);
    assert_eq!(standing(&mut queue, at(60)).dead_letters.all(), 0);
    assert_eq!(receive(&mut queue, at(60)).len(), 0);
    assert_eq!(standing(&mut queue, at(60)).dead_letters.all(), 1);
}

/// What happens to a receive: when, of what, and which one it is.
type Story = dyn Fn(&mut SqsModel, Time, &[Record<()>], u32);

#[test]
fn sqs_dead_letter_reason() {
    let reasons = |story: &Story| {
        let mut queue = queue(0.001, Some(2));
        let at = |secs: u64| Time::from_secs(1_000 + secs);
        for receive_number in [1, 2] {
            let now = at(30 * u64::from(receive_number));
            let list = receive(&mut queue, now);
            story(&mut queue, now, &list, receive_number);
        }
        receive(&mut queue, at(90));
        let standing = standing(&mut queue, at(90));
        let dead = standing.dead_letters;
        assert_eq!(dead.all(), 1);
        let reasons = DeadLetterReason::ALL.into_iter();
        let found: Vec<_> = reasons.filter(|it| dead.of(*it) == 1).collect();
        (found[0], standing.visible_too_early)
    };
    // Nobody ever said anything: it was worked on for too long, twice.
    assert_eq!(reasons(&|_, _, _, _| {}), (VisibilityTooShort, 2));
    // The last reason counts.
    let fails_once = |queue: &mut SqsModel, now, list: &[Record<()>], number| {
        if number == 1 {
            queue.leave(now, list, FunctionError);
        }
    };
    assert_eq!(reasons(&fails_once), (VisibilityTooShort, 1));
    let throttled_last = |queue: &mut SqsModel, now, list: &[Record<()>], number| {
        let reason = [FunctionError, Throttled][number as usize - 1];
        queue.leave(now, list, reason);
    };
    assert_eq!(reasons(&throttled_last), (Throttled, 0));
    // Refused first, and then still at work when the time was over.
    let admitted_late = |queue: &mut SqsModel, now, list: &[Record<()>], _| {
        queue.leave(now, list, Throttled);
        queue.work(now, list);
    };
    assert_eq!(reasons(&admitted_late), (VisibilityTooShort, 2));
    // A failure that comes after the end of the visibility is not what brought the message back.
    let fails_late = |queue: &mut SqsModel, now: Time, list: &[Record<()>], _| {
        queue.leave(now + Span::from_secs(30), list, FunctionError);
    };
    assert_eq!(reasons(&fails_late), (VisibilityTooShort, 2));
}

#[test]
fn a_waiting_receive_is_answered_by_the_next_message_or_by_nothing() {
    let mut queue = queue(0.1, None);
    assert_eq!(queue.next_wake(), None);
    let soon = waiter(Time::from_secs(3));
    let long = waiter(Time::from_secs(20));
    assert_eq!(queue.receive(Time::ZERO, long, Vec::new()), Received::Waits);
    assert_eq!(queue.receive(Time::ZERO, soon, Vec::new()), Received::Waits);
    assert_eq!(queue.next_wake(), Some(Time::from_secs(3)));
    assert_eq!(queue.wake(Time::from_secs(2)), None);
    assert_eq!(queue.wake(Time::from_secs(3)), Some((soon, Vec::new())));
    assert_eq!(queue.next_wake(), Some(Time::from_secs(10)));
    let (answered, list) = queue.wake(Time::from_secs(10)).expect("a message arrived");
    assert_eq!((answered, list.len()), (long, 1));
    assert_eq!(queue.next_wake(), None);
}

#[test]
fn sqs_in_flight_limit() {
    let mut queue = queue(100_000.0, None);
    let at = Time::from_secs(2);
    let mut lists = Vec::new();
    let mut received = 0;
    while received < 120_000 {
        let list = receive(&mut queue, at);
        received += list.len();
        lists.push(list);
    }
    assert_eq!(received, 120_000, "not one more");
    assert!(queue.is_full());
    // Who would not wait is refused, who would is not told why nothing comes.
    let short = queue.receive(at, waiter(at), Vec::new());
    assert_eq!(short, Received::OverLimit);
    let long = waiter(at + Span::from_secs(20));
    assert_eq!(queue.receive(at, long, Vec::new()), Received::Waits);
    assert_eq!(queue.wake(at), None);
    assert_eq!(queue.next_wake(), Some(long.until));
    // Three deletions make room for three messages.
    assert!(queue.delete(&lists[7][..3]));
    let (_, list) = queue.wake(at).expect("there is room");
    assert_eq!(list.len(), 3);
    assert!(queue.is_full());
    assert!(!queue.delete(&lists[8]), "nobody waits");
    // So does the end of visibility, which a receive that waits is woken for.
    queue.delete(&list);
    let late = at + Span::from_secs(29);
    while !queue.is_full() {
        receive(&mut queue, late);
    }
    let long = waiter(late + Span::from_secs(20));
    assert_eq!(queue.receive(late, long, Vec::new()), Received::Waits);
    assert_eq!(queue.next_wake(), Some(at + Span::from_secs(30)));
    let (_, list) = queue.wake(at + Span::from_secs(30)).expect("room again");
    assert_eq!(list.len(), 10);
}

#[test]
fn sqs_oldest_message_age() {
    let mut queue = queue(1.0, None);
    let at = Time::from_secs;
    // The nth message arrives at n seconds, but for rounding.
    let number = |arrival: Time| (arrival.as_nanos() + 1) / 1_000_000_000;
    let oldest = |queue: &mut SqsModel, secs| standing(queue, at(secs)).oldest.map(number);
    assert_eq!(oldest(&mut queue, 0), None);
    // Waiting, in flight, and back again: it is the oldest until it is deleted.
    assert_eq!(oldest(&mut queue, 3), Some(1));
    let list = receive(&mut queue, at(3));
    assert_eq!(oldest(&mut queue, 3), Some(1));
    queue.delete(&list[1..]);
    assert_eq!(oldest(&mut queue, 39), Some(1));
    // Each time it is given out again, until it was received three times: then the next one counts.
    for (receives, secs, expected) in [(2, 40, 1), (3, 70, 1), (4, 100, 31)] {
        let list = receive(&mut queue, at(secs));
        assert_eq!(number(list[0].meta.arrival), 1);
        queue.delete(&list[1..]);
        assert_eq!(oldest(&mut queue, secs), Some(expected), "{receives}");
    }
}

#[test]
fn places_of_deleted_messages_are_used_again() {
    let mut queue = queue(1_000.0, None);
    // The first message stays in flight, so the ring cannot shorten.
    let first = receive(&mut queue, Time::from_millis(10));
    queue.delete(&first[1..]);
    for tick in 2..2_000 {
        let list = receive(&mut queue, Time::from_millis(10 * tick));
        queue.delete(&list);
    }
    assert_eq!(queue.leases.len(), 1_999);
    assert_eq!(
        queue.blocks.len(),
        2,
        "one for the first, one for the others"
    );
}
