//! Rules of Amazon MQ: gather, invoke, acknowledge or give back; and that nothing is lost or acknowledged too early.

use super::broker_world::{BrokerRig, Message, rabbitmq};
use super::harness::THROTTLED;
use proptest::prelude::*;
use tidegate::engine::{
    Control, Fact, MappingConfig, Outcome, ReturnCause, SourceKind, Span, Time,
};

fn messages<const N: usize>(at_ms: [u64; N]) -> Vec<Message> {
    at_ms.into_iter().map(Message::at).collect()
}

fn windowed(window_ms: u64) -> MappingConfig {
    MappingConfig {
        window: Span::from_millis(window_ms),
        ..rabbitmq()
    }
}

#[test]
fn broker_acknowledge_after_success() {
    let mut rig = BrokerRig::new(windowed(0), 1, messages([0, 0]));
    rig.world.invoke_takes = Span::from_secs(3);
    let rig = rig.run_ms(10_000);
    assert_eq!(rig.invokes(), [(0, &[0, 1][..])]);
    assert_eq!(rig.acknowledged(), [(3_000, &[0, 1][..])]);
    // Nothing is received while the function works.
    let times: Vec<u64> = rig.receives().iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [0, 3_000]);
}

#[test]
fn broker_window_from_first_message() {
    let rig = BrokerRig::new(rabbitmq(), 1, messages([2_000, 2_400, 2_600])).run_ms(10_000);
    // 500 ms by default, from the first message that came; the third opens a window of its own.
    assert_eq!(rig.invokes(), [(2_500, &[0, 1][..]), (3_100, &[2][..])]);
    let (_, (_, credit, wait)) = rig.receives()[1];
    assert_eq!((credit, wait), (99, 500));
    // A full batch does not wait for the window, and with a window of zero nothing does.
    let full = MappingConfig {
        batch_size: 2,
        ..windowed(300_000)
    };
    let rig = BrokerRig::new(full, 1, messages([1_000, 9_000])).run_ms(20_000);
    assert_eq!(rig.invokes(), [(9_000, &[0, 1][..])]);
    let rig = BrokerRig::new(windowed(0), 1, messages([1_000, 1_001])).run_ms(20_000);
    assert_eq!(rig.invokes(), [(1_000, &[0][..]), (1_001, &[1][..])]);
}

#[test]
fn broker_arrival_order() {
    const MB: u32 = 1_000_000;
    let large = |wire_len| Message {
        wire_len,
        ..Message::at(0)
    };
    let held = [2 * MB, 4 * MB, 3 * MB, 3 * MB, MB].map(large).to_vec();
    let rig = BrokerRig::new(rabbitmq(), 1, held).run_ms(10_000);
    // Each event holds what fits, in the order of arrival; the last one may wait for its window.
    let batches: Vec<_> = rig.invokes();
    assert_eq!(
        batches,
        [(0, &[0, 1][..]), (0, &[2, 3][..]), (500, &[4][..])]
    );
}

#[test]
fn broker_consumers() {
    let at_once = |kind: SourceKind, consumers| {
        let config = MappingConfig {
            batch_size: 1,
            ..MappingConfig::new("broker", kind)
        };
        let mut rig = BrokerRig::new(config, consumers, messages([0; 9]));
        rig.world.invoke_takes = Span::from_secs(3);
        rig.run_ms(1_000).invokes().len()
    };
    assert_eq!(at_once(SourceKind::RabbitMq, 1), 1);
    assert_eq!(at_once(SourceKind::RabbitMq, 7), 7);
    let tuned = |kind| tidegate::engine::Tuning::for_source(Default::default(), kind).consumers;
    assert_eq!(tuned(SourceKind::RabbitMq), 1);
    assert_eq!(tuned(SourceKind::ActiveMq), 5);
}

#[test]
fn broker_error_gives_back() {
    let rig = BrokerRig::new(windowed(0), 1, messages([0, 0]))
        .function(|at_ms, _| match at_ms {
            0..8_000 => Outcome::FunctionError,
            _ => Outcome::Success,
        })
        .run_ms(20_000);
    // The wait doubles before every release, and the broker delivers at once.
    let pair = &[0, 1][..];
    let given_back = [500, 1_500, 3_500, 7_500, 15_500].map(|at| (at, pair));
    assert_eq!(rig.released(), given_back);
    let times: Vec<u64> = rig.invokes().iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [0, 500, 1_500, 3_500, 7_500, 15_500]);
    assert_eq!(rig.acknowledged(), [(15_500, pair)]);
    assert_eq!(rig.returned()[0], (500, 2, ReturnCause::FunctionError));
    assert_eq!(rig.returned().len(), 5);
}

#[test]
fn broker_error_gives_back_after_half_a_second_once_there_was_a_success() {
    let rig = BrokerRig::new(windowed(0), 1, messages([0, 10_000]))
        .function(|at_ms, _| match at_ms {
            0 | 500 | 10_000 => Outcome::FunctionError,
            _ => Outcome::Success,
        })
        .run_ms(20_000);
    let times: Vec<u64> = rig.released().iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [500, 1_500, 10_500]);
}

#[test]
fn broker_throttle_keeps_batch() {
    for refusal in [THROTTLED, Outcome::ServiceError] {
        let rig = BrokerRig::new(windowed(0), 1, messages([0, 600]))
            .function(move |at_ms, _| match at_ms {
                0..100_000 => refusal,
                _ => Outcome::Success,
            })
            .run_ms(125_000);
        // The same message is offered again and again without being given back; the other one waits behind it.
        let times: Vec<u64> = rig.invokes().iter().map(|(at, _)| *at).collect();
        let expected = [
            0, 500, 1_500, 3_500, 7_500, 15_500, 31_500, 63_500, 123_500, 123_500,
        ];
        assert_eq!(times, expected);
        assert_eq!(rig.released(), []);
        assert_eq!(rig.acknowledged().len(), 2);
    }
    let patient = Outcome::Throttled {
        retry_after: Span::from_secs(20),
    };
    let rig = BrokerRig::new(windowed(0), 1, messages([0]))
        .function(move |_, _| patient)
        .run_ms(30_000);
    let times: Vec<u64> = rig.invokes().iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [0, 20_000]);
}

#[test]
fn broker_filtered_is_acknowledged() {
    let mut held = messages([0, 0, 0]);
    held[1].left_out = true;
    let mut rig = BrokerRig::new(windowed(0), 1, held);
    rig.world.invoke_takes = Span::from_secs(2);
    let rig = rig.run_ms(10_000);
    assert_eq!(rig.invokes(), [(0, &[0, 2][..])]);
    assert_eq!(rig.acknowledged(), [(0, &[1][..]), (2_000, &[0, 2][..])]);
    let polled = rig.world.facts.iter().find_map(|(_, fact)| match *fact {
        Fact::Polled {
            records, filtered, ..
        } => Some((records, filtered)),
        _ => None,
    });
    assert_eq!(polled, Some((3, 1)));
}

#[test]
fn broker_oversized_is_dropped() {
    let mut held = messages([0, 0, 0]);
    // With 169 bytes around it, one byte more than an event may have; and the largest that fits.
    held[1].wire_len = 6_291_456 - 169 + 1;
    held[2].wire_len = 6_291_456 - 169;
    let rig = BrokerRig::new(windowed(0), 1, held).run_ms(10_000);
    assert_eq!(rig.invokes(), [(0, &[0][..]), (0, &[2][..])]);
    assert_eq!(rig.acknowledged()[0], (0, &[1][..]));
    let facts = rig.world.facts.iter();
    let oversized = facts.filter(|(_, fact)| *fact == Fact::Oversized { records: 1 });
    assert_eq!(oversized.count(), 1);
}

#[test]
fn broker_connection_lost() {
    let mut rig = BrokerRig::new(windowed(2_000), 1, messages([0, 0]));
    rig.advance(Time::from_millis(1_000));
    assert_eq!(rig.mapping.in_hand(), 2);
    // While it gathers: what it has is forgotten and comes again half a second later.
    rig.lose_connection(0);
    assert_eq!(rig.mapping.in_hand(), 0);
    assert_eq!(rig.returned(), [(1_000, 2, ReturnCause::ConnectionLost)]);
    rig.world.invoke_takes = Span::from_secs(5);
    rig.advance(Time::from_millis(4_000));
    let pair = &[0, 1][..];
    assert_eq!(rig.invokes(), [(3_500, pair)]);
    // While the function works: the acknowledgement fails once and is not made again.
    rig.lose_connection(0);
    rig.advance(Time::from_millis(30_000));
    assert_eq!(rig.acknowledged(), [(8_500, pair), (16_000, pair)]);
    assert_eq!(rig.invokes(), [(3_500, pair), (11_000, pair)]);
    assert_eq!(rig.returned()[1], (8_500, 2, ReturnCause::DeleteFailed));
    assert_eq!(rig.world.gone, [0, 1]);
}

/// A broker that takes no acknowledgement delivers the messages again at once: without a wait they would go round and round.
#[test]
fn broker_connection_lost_with_every_acknowledgement() {
    let mut rig = BrokerRig::new(windowed(0), 1, messages([0]));
    rig.world.verdicts_lost = 4;
    let rig = rig.run_ms(60_000);
    let times: Vec<u64> = rig.invokes().iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [0, 500, 1_500, 3_500, 7_500]);
    // What the filters leave out is not waited for: the receive that is under way goes on, and the one after it waits.
    let mut held = messages([0, 20_000]);
    held[0].left_out = true;
    let mut rig = BrokerRig::new(windowed(0), 1, held);
    rig.world.verdicts_lost = 3;
    let rig = rig.run_ms(60_000);
    let times: Vec<u64> = rig.acknowledged().iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [0, 0, 1_500, 1_500, 20_000]);
    assert_eq!(rig.world.gone, [0, 1]);
}

#[test]
fn broker_stop_gives_back() {
    // Gathered messages, a batch that waits after a throttle, and one that waits after an error go back at once.
    for (outcome, cause) in [
        (None, ReturnCause::Stopped),
        (Some(THROTTLED), ReturnCause::Throttled),
        (Some(Outcome::FunctionError), ReturnCause::FunctionError),
    ] {
        let window = if outcome.is_some() { 0 } else { 60_000 };
        let mut rig = BrokerRig::new(windowed(window), 1, messages([0]))
            .function(move |_, _| outcome.unwrap_or(Outcome::Success))
            .run_ms(100);
        rig.control(Control::Disable);
        rig.advance(Time::from_millis(120_000));
        let (_, count, why) = rig.returned()[0];
        assert_eq!((count, why), (1, cause));
        assert!(rig.mapping.is_drained(), "{cause:?}");
        let before = rig.receives().len();
        rig.world.function = Box::new(|_, _| Outcome::Success);
        rig.control(Control::Enable);
        rig.advance(Time::from_millis(240_000));
        assert!(rig.receives().len() > before);
        assert_eq!(rig.world.gone, [0]);
    }
    // An invocation comes to its end, and its success counts.
    let mut rig = BrokerRig::new(windowed(0), 1, messages([0]));
    rig.world.invoke_takes = Span::from_secs(5);
    let mut rig = rig.run_ms(100);
    rig.control(Control::Drain);
    assert!(!rig.mapping.is_drained());
    rig.advance(Time::from_millis(5_000));
    assert!(rig.mapping.is_drained());
    assert_eq!(rig.world.gone, [0]);
}

#[test]
fn an_update_changes_the_next_batch() {
    let mut rig = BrokerRig::new(windowed(60_000), 1, messages([0, 0, 0])).run_ms(100);
    let smaller = MappingConfig {
        batch_size: 2,
        ..windowed(10_000)
    };
    rig.control(Control::Update(Box::new(smaller)));
    rig.advance(Time::from_millis(120_000));
    // The receive under way ends with the old window; then the gathered messages leave under the new limits.
    let batches: Vec<usize> = rig.invokes().iter().map(|(_, batch)| batch.len()).collect();
    assert_eq!(batches, [2, 1]);
}

#[derive(Clone, Debug)]
struct Case {
    config: MappingConfig,
    consumers: u32,
    messages: Vec<Message>,
    outcomes: Vec<Outcome>,
    invoke_takes: Span,
    /// After how many ms each, and what happens then.
    disturbances: Vec<(u64, Disturbance)>,
}

#[derive(Clone, Copy, Debug)]
enum Disturbance {
    ConnectionLost(u32),
    Disabled,
    Enabled,
    Smaller,
}

fn case() -> impl Strategy<Value = Case> {
    let message = (
        0..20_000u64,
        prop_oneof![4 => 100..2_000u32, 1 => 1_000_000..7_000_000u32],
        prop::bool::weighted(0.2),
    );
    let messages = prop::collection::vec(message, 0..40).prop_map(|mut found| {
        found.sort_unstable();
        let message = |(at_ms, wire_len, left_out)| Message {
            at_ms,
            wire_len,
            left_out,
        };
        found.into_iter().map(message).collect()
    });
    let outcome = prop_oneof![
        4 => Just(Outcome::Success),
        2 => Just(Outcome::FunctionError),
        1 => Just(THROTTLED),
        1 => Just(Outcome::ServiceError),
        1 => Just(Outcome::TooLarge),
        1 => Just(Outcome::Rejected),
    ];
    let disturbance = prop_oneof![
        3 => (0..3u32).prop_map(Disturbance::ConnectionLost),
        1 => Just(Disturbance::Disabled),
        1 => Just(Disturbance::Enabled),
        1 => Just(Disturbance::Smaller),
    ];
    (
        (1..12u32, 0..3_000u64),
        1..4u32,
        messages,
        prop::collection::vec(outcome, 0..40),
        prop_oneof![Just(0u64), Just(300), Just(4_000)],
        prop::collection::vec((1..4_000u64, disturbance), 0..12),
    )
        .prop_map(
            |((batch_size, window), consumers, messages, outcomes, takes, disturbances)| Case {
                config: MappingConfig {
                    batch_size,
                    ..windowed(window)
                },
                consumers,
                messages,
                outcomes,
                invoke_takes: Span::from_millis(takes),
                disturbances,
            },
        )
}

proptest! {
    /// The world refuses acknowledgements without success, releases without failure and verdicts told twice, and the rig
    /// compares what is in hand with the facts after every step.
    #[test]
    fn whatever_happens_every_message_is_acknowledged_in_the_end(case in case()) {
        let count = case.messages.len() as u32;
        let mut rig = BrokerRig::new(case.config.clone(), case.consumers, case.messages.clone());
        rig.world.invoke_takes = case.invoke_takes;
        let mut outcomes = case.outcomes.clone().into_iter();
        rig.world.function = Box::new(move |_, _| outcomes.next().unwrap_or(Outcome::Success));
        let calm = case.disturbances.is_empty() && case.outcomes.is_empty() && case.consumers == 1;
        for (after, what) in &case.disturbances {
            rig.advance(rig.now + Span::from_millis(*after));
            match what {
                Disturbance::ConnectionLost(poller) => rig.lose_connection(poller % case.consumers),
                Disturbance::Disabled => rig.control(Control::Disable),
                Disturbance::Enabled => rig.control(Control::Enable),
                Disturbance::Smaller => {
                    let config = MappingConfig { batch_size: 1, ..case.config.clone() };
                    rig.control(Control::Update(Box::new(config)));
                }
            }
        }
        rig.control(Control::Enable);
        rig.advance(rig.now + Span::from_secs(1_200));
        let mut gone = rig.world.gone.clone();
        gone.sort_unstable();
        prop_assert_eq!(gone, (0..count).collect::<Vec<_>>());
        if calm {
            let sent: Vec<u32> = rig.invokes().iter().flat_map(|(_, batch)| batch.to_vec()).collect();
            prop_assert!(sent.is_sorted(), "out of order: {sent:?}");
        }
        rig.control(Control::Drain);
        rig.advance(rig.now + Span::from_secs(60));
        prop_assert!(rig.mapping.is_drained());
    }
}
