use super::*;
use crate::engine::Token;
use crate::scenario::{Arrivals, Dist, Keys, OnThrottle, Trace};
use std::collections::BTreeMap;

const VISIBILITY: Span = Span::from_secs(30);

/// `count` messages at each of these seconds, of groups drawn by `keys`.
fn producer(points: &[(u64, u32)], keys: Keys) -> Producer {
    let points = points.iter().map(|&(at, n)| (Span::from_secs(at), n));
    let trace = Trace {
        path: "t.csv".into(),
        points: points.collect(),
    };
    Producer {
        arrivals: Arrivals::Trace(trace.into()),
        size: Dist::Constant(100.0),
        keys,
        on_throttle: OnThrottle::Retry,
    }
}

const ONE_GROUP: Keys = Keys::Zipf { n: 1, s: 0.0 };

fn queue(producers: &[Producer], look_ahead: u32, receives_max: Option<u32>) -> FifoModel {
    let settings = FifoSettings {
        visibility: VISIBILITY,
        receives_max,
        look_ahead,
    };
    FifoModel::new("q", settings, producers, 1)
}

fn waiter(until: Time) -> Waiter {
    Waiter {
        mapping: 0,
        token: Token(1),
        records_max: 10,
        until,
    }
}

fn receive(queue: &mut FifoModel, secs: u64) -> Vec<Record<()>> {
    let now = Time::from_secs(secs);
    match queue.receive(now, waiter(now), Vec::new()) {
        Received::Messages(list) => list,
        other => panic!("{other:?}"),
    }
}

/// Which messages these are, whenever they were received.
fn names(list: &[Record<()>]) -> Vec<u64> {
    list.iter().map(|it| it.meta.seq.message_part()).collect()
}

#[test]
fn fifo_group_waits() {
    let mut queue = queue(&[producer(&[(0, 25)], ONE_GROUP)], 20_000, None);
    let first = receive(&mut queue, 1);
    assert_eq!(first.len(), 10);
    assert_eq!(receive(&mut queue, 2), []);
    queue.delete(&first[..9]);
    assert_eq!(receive(&mut queue, 3), [], "one message is still in flight");
    queue.delete(&first[9..]);
    let second = receive(&mut queue, 4);
    assert_eq!(second.len(), 10);
    // What was not deleted comes back first, in its order.
    queue.delete(&second[..3]);
    assert_eq!(receive(&mut queue, 33), []);
    let again = receive(&mut queue, 34);
    assert_eq!(names(&again)[..7], names(&second)[3..]);
    assert_eq!(again.len(), 10);
    assert_eq!(queue.groups.message(queue.leases[0].places[0]).receives, 2);
    assert_eq!(queue.groups.message(queue.leases[0].places[7]).receives, 1);
    queue.arrived(Time::from_secs(35));
    let standing = queue.standing(Time::from_secs(35));
    assert_eq!((standing.visible, standing.in_flight), (2, 10));
    assert_eq!(standing.oldest, Some(Time::ZERO));
}

#[test]
fn fifo_same_group_first() {
    let mut queue = queue(
        &[producer(&[(0, 60)], Keys::Zipf { n: 4, s: 0.0 })],
        20_000,
        None,
    );
    let mut seen = BTreeMap::new();
    let mut batches = 0;
    loop {
        let list = receive(&mut queue, 1);
        if list.is_empty() {
            break;
        }
        batches += 1;
        let groups: Vec<u64> = list.iter().map(|it| it.meta.group).collect();
        let mut runs = groups.clone();
        runs.dedup();
        for group in &runs {
            let before = seen.insert(*group, batches);
            assert_eq!(before, None, "a group in two receives at once");
        }
        let distinct: std::collections::BTreeSet<_> = groups.iter().collect();
        assert_eq!(runs.len(), distinct.len(), "groups are not mixed up");
    }
    // About 15 messages of each group: every receive is filled by one.
    assert_eq!((batches, seen.len()), (4, 4));
}

#[test]
fn fifo_groups_take_turns() {
    // A group of 30 messages, and one message each of 20 others.
    let hot = producer(&[(0, 30)], ONE_GROUP);
    let others = producer(&[(0, 20)], Keys::Unique);
    let mut queue = queue(&[hot, others], 20_000, None);
    let first = receive(&mut queue, 1);
    let second = receive(&mut queue, 1);
    queue.delete(&first);
    // The hot group has 20 messages more, and its turn comes after the other groups that had to wait.
    let third = receive(&mut queue, 2);
    let fourth = receive(&mut queue, 2);
    let groups = |list: &[Record<()>]| {
        let groups = list.iter().map(|it| it.meta.group);
        groups.collect::<std::collections::BTreeSet<_>>().len()
    };
    let seen = [&first, &second, &third, &fourth].map(|list| (list.len(), groups(list)));
    assert_eq!(seen, [(10, 1), (10, 10), (10, 10), (10, 1)]);
}

#[test]
fn fifo_late_delete() {
    let mut queue = queue(&[producer(&[(0, 1)], ONE_GROUP)], 20_000, None);
    let first = receive(&mut queue, 1);
    // Visible again, and nobody has received it since.
    queue.arrived(Time::from_secs(31));
    assert_eq!(queue.standing(Time::from_secs(31)).visible, 1);
    queue.delete(&first);
    let again = receive(&mut queue, 32);
    assert_eq!(names(&again), names(&first));
    queue.delete(&first);
    assert_eq!(queue.groups.len(), 1);
    queue.delete(&again);
    assert_eq!(queue.groups.len(), 0);
}

#[test]
fn fifo_look_ahead() {
    let hot = producer(&[(0, 120)], ONE_GROUP);
    let others = producer(&[(1, 50)], Keys::Unique);
    let mut hidden = queue(&[hot.clone(), others.clone()], 100, None);
    let list = receive(&mut hidden, 2);
    assert_eq!(list.len(), 10);
    assert_eq!(
        receive(&mut hidden, 2),
        [],
        "the other groups are behind the first 100 messages"
    );
    // Messages in flight count: only deletions let the queue see further.
    hidden.delete(&list);
    let (hot_again, other) = (receive(&mut hidden, 3), receive(&mut hidden, 3));
    assert_eq!((hot_again.len(), other.len()), (10, 0));
    hidden.delete(&hot_again);
    receive(&mut hidden, 4);
    hidden.delete(&[]);
    assert_eq!(hidden.groups.len(), 100);
    // With a longer look they are found at once.
    let mut seen = queue(&[hot, others], 200, None);
    let list = receive(&mut seen, 2);
    let other = receive(&mut seen, 2);
    assert_eq!((list.len(), other.len()), (10, 10));
    assert_ne!(list[0].meta.group, other[0].meta.group);
}

#[test]
fn a_queue_with_everything_it_looks_at_in_flight_is_silent() {
    let mut queue = queue(&[producer(&[(0, 100)], Keys::Unique)], 25, None);
    let sizes: Vec<usize> = (0..4).map(|_| receive(&mut queue, 1).len()).collect();
    assert_eq!(sizes, [10, 10, 5, 0]);
}

#[test]
fn messages_go_to_the_dead_letter_queue_in_order() {
    let mut queue = queue(&[producer(&[(0, 14)], ONE_GROUP)], 20_000, Some(2));
    let first = receive(&mut queue, 1);
    assert_eq!(names(&receive(&mut queue, 31)), names(&first));
    assert_eq!(queue.dead_letters.all(), 0);
    // The third receive finds ten messages that were received twice; the four behind them go on.
    let rest = receive(&mut queue, 61);
    assert_eq!((queue.dead_letters.all(), rest.len()), (10, 4));
    queue.delete(&rest);
    assert_eq!(queue.groups.len(), 0);
    assert!(!queue.groups.has_ready());
}

#[test]
fn a_deletion_answers_a_waiting_receive() {
    let mut queue = queue(&[producer(&[(0, 12), (50, 1)], ONE_GROUP)], 20_000, None);
    let first = receive(&mut queue, 1);
    let long = waiter(Time::from_secs(20));
    let asked = queue.receive(Time::from_secs(2), long, Vec::new());
    assert_eq!(asked, Received::Waits);
    assert_eq!(queue.next_wake(), Some(Time::from_secs(20)));
    assert!(!queue.delete(&first[..9]));
    assert!(queue.delete(&first[9..]));
    assert_eq!(queue.next_wake(), Some(Time::ZERO));
    let (answered, list) = queue.wake(Time::from_secs(3)).expect("a message is there");
    assert_eq!((answered, list.len()), (long, 2));
    // The next receive is answered when the lease ends, unless a message arrives or it has waited enough.
    let longer = waiter(Time::from_secs(40));
    queue.receive(Time::from_secs(25), longer, Vec::new());
    assert_eq!(queue.next_wake(), Some(Time::from_secs(33)));
    assert_eq!(queue.wake(Time::from_secs(32)), None);
    let (_, again) = queue.wake(Time::from_secs(33)).expect("they came back");
    assert_eq!(names(&again), names(&list));
}

/// A hundred thousand groups, most of them waiting or in flight: what is kept grows with messages, not with groups, and
/// nothing is kept once they are gone.
#[test]
fn memory_follows_the_messages_that_are_looked_at() {
    let keys = Keys::Zipf { n: 100_000, s: 0.0 };
    let mut queue = queue(&[producer(&[(0, 300_000)], keys)], 120_000, None);
    let mut deleted = 0;
    let mut held = VecDeque::new();
    loop {
        let list = receive(&mut queue, 1);
        assert!(queue.groups.len() <= 120_000);
        let is_empty = list.is_empty();
        held.push_back(list);
        // Up to 10,000 messages stay in flight.
        if is_empty || held.len() > 1_000 {
            let oldest = held.pop_front().expect("just pushed");
            deleted += oldest.len();
            queue.delete(&oldest);
        }
        if held.iter().all(Vec::is_empty) {
            break;
        }
    }
    assert_eq!(deleted, 300_000);
    assert_eq!(queue.groups.len(), 0);
    assert_eq!(queue.groups.places(), (120_000, 0));
}
