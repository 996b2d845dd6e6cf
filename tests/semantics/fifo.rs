//! Rules of FIFO queues, and whatever happens: the order of every group.

use super::fifo_world::{Call, End, Message, Setting, World, run};
use super::harness::THROTTLED;
use proptest::prelude::*;
use tidegate::engine::{Fact, MappingConfig, Outcome, ReturnCause, SourceKind, Span, Time};

fn fifo() -> MappingConfig {
    MappingConfig::new("queue", SourceKind::SqsFifo)
}

const SECOND: Span = Span::from_secs(1);

/// Messages of these groups that are there from the beginning, in this order.
fn messages(groups: impl IntoIterator<Item = u64>) -> Vec<Message> {
    let message = |group| Message::new(group, Time::ZERO, 100);
    groups.into_iter().map(message).collect()
}

fn setting(config: MappingConfig, messages: Vec<Message>) -> Setting {
    Setting {
        config,
        messages,
        visibility: Span::from_secs(30),
        answer_takes: Span::ZERO,
        by_group: true,
        calls: vec![],
        usual: Call::success(SECOND),
        deletions_fail: vec![],
    }
}

fn batches(world: &World) -> Vec<(u64, Vec<usize>)> {
    let sent = world.sent.iter();
    sent.map(|(at, batch)| (at.as_millis() / 1_000, batch.clone()))
        .collect()
}

fn limits(world: &World) -> Vec<u32> {
    let limits = world.facts.iter().filter_map(|fact| match fact {
        Fact::ConcurrencyChanged { limit } => Some(*limit),
        _ => None,
    });
    limits.collect()
}

fn returned(world: &World) -> Vec<(u32, ReturnCause)> {
    let returned = world.facts.iter().filter_map(|fact| match *fact {
        Fact::Returned { records, cause } => Some((records, cause)),
        _ => None,
    });
    returned.collect()
}

#[test]
fn fifo_batch_mixes_groups() {
    let config = MappingConfig {
        batch_size: 2,
        maximum_concurrency: Some(2),
        ..fifo()
    };
    // As recorded: six messages of the groups A and B arrive in batches of 2, 2, 1 and 1.
    let world = run(
        setting(config.clone(), messages([0, 1, 0, 1, 0, 1])),
        Time::from_secs(10),
    );
    let mut sizes: Vec<usize> = world.sent.iter().map(|(_, batch)| batch.len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [1, 1, 2, 2]);
    // A queue that gives out several groups at once finds them in one batch, in its order.
    let mut mixed = setting(config, messages([0, 1, 0, 1]));
    mixed.by_group = false;
    let world = run(mixed, Time::from_secs(10));
    assert_eq!(batches(&world), [(0, vec![0, 1]), (1, vec![2, 3])]);
}

#[test]
fn fifo_concurrency_is_groups() {
    let concurrent = |groups: u64, maximum: Option<u32>| {
        let config = MappingConfig {
            batch_size: 1,
            maximum_concurrency: maximum,
            ..fifo()
        };
        let many = messages((0..groups * 400).map(|n| n % groups));
        let world = run(setting(config, many), Time::from_secs(90));
        world.running_max
    };
    assert_eq!(concurrent(1, None), 1);
    assert_eq!(concurrent(6, Some(10)), 6);
    assert_eq!(concurrent(6, Some(3)), 3);
    assert_eq!(concurrent(12, None), 12);
}

#[test]
fn fifo_ramp() {
    // Every group has one message at a time: no receive returns the ten that it asked for.
    let groups = (0..350).flat_map(|_| 0..40);
    let config = MappingConfig {
        batch_size: 10,
        ..fifo()
    };
    let mut some = setting(config, messages(groups));
    some.by_group = false;
    let seen = some.messages.len();
    for (index, message) in some.messages.iter_mut().enumerate() {
        message.arrival = Time::from_millis(index as u64 * 120_000 / seen as u64);
    }
    let world = run(some, Time::from_secs(62));
    assert_eq!(limits(&world), [5, 305]);
}

#[test]
fn fifo_ramp_ends_where_groups_do() {
    let six = messages((0..6 * 60).map(|n| n % 6));
    let config = MappingConfig {
        batch_size: 1,
        ..fifo()
    };
    let mut slow = setting(config, six);
    slow.usual = Call::success(Span::from_secs(7));
    let world = run(slow, Time::from_secs(400));
    // One minute of full use, 300 pollers more, and all but one of those that found nothing go again.
    assert_eq!(world.running_max, 6);
    assert_eq!(limits(&world)[..2], [5, 305]);
    assert_eq!(limits(&world).last(), Some(&7));
    assert_eq!(limits(&world).iter().filter(|it| **it == 305).count(), 1);
}

#[test]
fn fifo_partial_as_reported() {
    let mut partly = setting(fifo(), messages([0, 0, 0, 0, 1]));
    partly.calls = vec![Call {
        takes: SECOND,
        end: End::StopsAt(2),
    }];
    let world = run(partly, Time::from_secs(60));
    // The group waits for its failed message, and so does all that was reported with it.
    assert_eq!(
        batches(&world),
        [(0, vec![0, 1, 2, 3, 4]), (30, vec![2, 3, 4])]
    );
    assert_eq!(returned(&world), [(3, ReturnCause::Reported)]);
    assert_eq!(world.left(), 0);
}

#[test]
fn a_failed_group_waits_and_the_others_do_not() {
    let config = MappingConfig {
        batch_size: 2,
        maximum_concurrency: Some(2),
        ..fifo()
    };
    let mut failing = setting(config, messages([0, 0, 0, 1, 1, 1]));
    failing.calls = vec![Call {
        takes: SECOND,
        end: End::Whole(Outcome::FunctionError),
    }];
    let world = run(failing, Time::from_secs(60));
    assert_eq!(
        batches(&world),
        [
            (0, vec![0, 1]),
            (0, vec![3, 4]),
            (1, vec![5]),
            (30, vec![0, 1]),
            (31, vec![2])
        ]
    );
}

#[test]
fn fifo_ended_lease_keeps_order() {
    let config = MappingConfig {
        batch_size: 2,
        ..fifo()
    };
    let mut overlong = setting(config, messages([0, 0, 0, 1]));
    overlong.calls = vec![Call::success(Span::from_secs(40))];
    let world = run(overlong, Time::from_secs(120));
    // At 30 s the first two are received again. They wait until the function is done with them; then they are delivered
    // once more, because their first receipts no longer delete them.
    assert_eq!(
        batches(&world),
        [
            (0, vec![0, 1]),
            (0, vec![3]),
            (40, vec![0, 1]),
            (41, vec![2])
        ]
    );
    assert_eq!(returned(&world), []);

    // Work that outlasts the second lease as well: what waited is left to the queue again.
    let config = MappingConfig {
        batch_size: 2,
        ..fifo()
    };
    let mut endless = setting(config, messages([0, 0, 0]));
    endless.calls = vec![Call::success(Span::from_secs(70))];
    let world = run(endless, Time::from_secs(160));
    assert_eq!(
        batches(&world),
        [(0, vec![0, 1]), (70, vec![0, 1]), (71, vec![2])]
    );
    assert_eq!(returned(&world), [(2, ReturnCause::LeaseEnded)]);
}

#[test]
fn fifo_ended_lease_is_not_sent() {
    // Three messages of one group do not fit into one event.
    let mut large = setting(fifo(), messages([0, 0, 0]));
    for message in &mut large.messages {
        message.wire_len = 3_000_000;
    }
    large.calls = vec![Call::success(Span::from_secs(35))];
    let world = run(large, Time::from_secs(120));
    assert_eq!(
        batches(&world),
        [(0, vec![0, 1]), (35, vec![0, 1]), (36, vec![2])]
    );
    assert_eq!(returned(&world), [(1, ReturnCause::LeaseEnded)]);
}

#[derive(Clone, Debug)]
struct Case {
    batch_size: u32,
    maximum_concurrency: Option<u32>,
    /// Group, arrival in ms and encoded length.
    messages: Vec<(u64, u64, u32)>,
    answer_takes_ms: u64,
    by_group: bool,
    calls: Vec<Call>,
    deletions_fail: Vec<bool>,
}

fn call() -> impl Strategy<Value = Call> {
    let end = prop_oneof![
        5 => Just(End::Whole(Outcome::Success)),
        2 => Just(End::Whole(Outcome::FunctionError)),
        2 => Just(End::Whole(THROTTLED)),
        1 => Just(End::Whole(Outcome::ServiceError)),
        1 => Just(End::Whole(Outcome::TooLarge)),
        1 => Just(End::Whole(Outcome::Rejected)),
        2 => (0..10usize).prop_map(End::StopsAt),
        2 => (0..10usize).prop_map(End::SkipsGroupOf),
    ];
    // The visibility timeout is 20 s.
    let takes = prop_oneof![Just(0), 1..4_000u64, 15_000..50_000u64];
    (takes, end).prop_map(|(ms, end)| Call {
        takes: Span::from_millis(ms),
        end,
    })
}

fn case() -> impl Strategy<Value = Case> {
    let wire_len = prop_oneof![5 => Just(1_000u32), 1 => 1_500_000..4_000_000u32];
    let message = (0..6u64, 0..60_000u64, wire_len);
    (
        1..=10u32,
        prop::option::of(2..6u32),
        prop::collection::vec(message, 1..60),
        prop_oneof![Just(0), 1..2_000u64],
        any::<bool>(),
        prop::collection::vec(call(), 0..60),
        prop::collection::vec(any::<bool>(), 0..20),
    )
        .prop_map(
            |(
                batch_size,
                maximum_concurrency,
                mut messages,
                answer_takes_ms,
                by_group,
                calls,
                deletions_fail,
            )| {
                messages.sort_by_key(|(_, at, _)| *at);
                Case {
                    batch_size,
                    maximum_concurrency,
                    messages,
                    answer_takes_ms,
                    by_group,
                    calls,
                    deletions_fail,
                }
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    /// Never two batches of a group at work, never a message before an earlier one of its group is done, never too large
    /// or too many batches, and nothing lost. The world checks the first two whenever a batch is sent.
    #[test]
    fn groups_keep_their_order(case in case()) {
        let config = MappingConfig {
            batch_size: case.batch_size,
            maximum_concurrency: case.maximum_concurrency,
            report_batch_item_failures: true,
            ..fifo()
        };
        let messages = case.messages.iter().map(|&(group, at, len)| {
            Message::new(group, Time::from_millis(at), len)
        });
        let world = run(
            Setting {
                config,
                messages: messages.collect(),
                visibility: Span::from_secs(20),
                answer_takes: Span::from_millis(case.answer_takes_ms),
                by_group: case.by_group,
                calls: case.calls.clone(),
                usual: Call::success(Span::from_millis(100)),
                deletions_fail: case.deletions_fail.clone(),
            },
            Time::from_secs(20_000),
        );
        prop_assert_eq!(world.left(), 0, "lost");
        let most = case.maximum_concurrency.unwrap_or(1_250) as usize;
        prop_assert!(world.running_max <= most);
        for (_, batch) in &world.sent {
            let bytes: u64 = batch.iter().map(|&it| u64::from(world.messages[it].wire_len)).sum();
            prop_assert!(batch.len() <= case.batch_size as usize);
            prop_assert!(batch.len() == 1 || bytes <= 6_291_456);
        }
    }
}
