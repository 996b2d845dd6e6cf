//! Rules of queues: receive, invoke, delete, within the lease.

use super::harness::{Did, Rig, THROTTLED, record, records, sqs};
use tidegate::engine::{
    Control, Event, Fact, FailureClass, MappingConfig, Outcome, ReturnCause, SourceKind, Span,
};

fn returned(rig: &Rig) -> Vec<(u64, u32, ReturnCause)> {
    let returned = |(at, fact): &(u64, Fact)| match *fact {
        Fact::Returned { records, cause } => Some((*at, records, cause)),
        _ => None,
    };
    rig.facts().iter().filter_map(returned).collect()
}

fn deletes(rig: &Rig) -> Vec<(u64, &str)> {
    let delete = |(at, did): &'_ (u64, Did)| match did {
        Did::Delete { records } => Some((*at, records.clone())),
        _ => None,
    };
    let found: Vec<(u64, String)> = rig.did().iter().filter_map(delete).collect();
    found
        .into_iter()
        .map(|(at, records)| (at, &*records.leak()))
        .collect()
}

#[test]
fn sqs_function_error_waits_for_visibility() {
    let rig = Rig::queue(sqs(), records(["good", "bad"]))
        .function(|_| Outcome::FunctionError)
        .run_secs(59);
    // One delivery, no deletion, no second try: the queue gives the messages out again by itself.
    assert_eq!(rig.invokes(), [(0, "good bad")]);
    assert_eq!(deletes(&rig), []);
    assert_eq!(returned(&rig), [(0, 2, ReturnCause::FunctionError)]);
}

#[test]
fn sqs_throttle_in_lease() {
    let rig = Rig::queue(sqs(), records(["a"]))
        .function(|_| THROTTLED)
        .run_secs(120);
    // The same received message is offered again until it is visible once more, without another receive.
    assert_eq!(rig.invoke_times(), [0, 1_000, 3_000, 7_000, 15_000, 31_000]);
    assert_eq!(returned(&rig), [(60_000, 1, ReturnCause::Throttled)]);
    let polled = rig.facts().iter().filter_map(|(_, fact)| match fact {
        Fact::Polled { records, .. } => Some(u64::from(*records)),
        _ => None,
    });
    assert_eq!(polled.sum::<u64>(), 1);
}

#[test]
fn sqs_throttle_in_lease_ends_with_success() {
    let rig = Rig::queue(sqs(), records(["a"]))
        .function(|call| match call.at_ms {
            0..10_000 => THROTTLED,
            _ => Outcome::Success,
        })
        .run_secs(120);
    assert_eq!(rig.invoke_times(), [0, 1_000, 3_000, 7_000, 15_000]);
    assert_eq!(deletes(&rig), [(15_000, "a")]);
    assert_eq!(returned(&rig), []);
}

#[test]
fn sqs_delete_within_lease() {
    let mut rig = Rig::queue(sqs(), records(["a"]));
    rig.world.confirm = Box::new(|number| (number <= 3).then_some(FailureClass::Transient));
    let rig = rig.run_secs(120);
    let times: Vec<u64> = deletes(&rig).iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [0, 500, 1_500, 3_500]);
    assert_eq!(returned(&rig), []);

    let mut rig = Rig::queue(sqs(), records(["a"]));
    rig.world.confirm = Box::new(|_| Some(FailureClass::Transient));
    let rig = rig.run_secs(120);
    // The next retry would come at 63.5 s, after the handle's lease: it is not made.
    let last = deletes(&rig).last().map(|(at, _)| *at);
    assert_eq!(last, Some(31_500));
    assert_eq!(returned(&rig), [(31_500, 1, ReturnCause::DeleteFailed)]);
}

#[test]
fn sqs_batch_is_one_receive() {
    let rig = Rig::queue(sqs(), records(["a", "b", "c"])).run_secs(1);
    assert_eq!(rig.invokes(), [(0, "a b c")]);
}

#[test]
fn batch_window_from_first_message() {
    let config = MappingConfig {
        batch_size: 20,
        window: Span::from_secs(5),
        ..sqs()
    };
    let rig = Rig::queue(
        config,
        vec![
            record(1, "a", 3_000),
            record(2, "b", 7_900),
            record(3, "c", 8_100),
        ],
    )
    .run_secs(30);
    // `a` opens the window of one poller at 3 s; `b` and `c` are waited for by that poller or by others.
    let (at, first) = rig.invokes()[0];
    assert_eq!(at, 8_000);
    assert!(first.starts_with('a'), "{first}");
}

#[test]
fn batch_size_is_gathered_from_several_receives() {
    let config = MappingConfig {
        batch_size: 25,
        window: Span::from_secs(5),
        maximum_concurrency: Some(2),
        ..sqs()
    };
    let many = (1..=50).map(|seq| record(seq, "m", 0)).collect();
    let rig = Rig::queue(config, many).run_secs(1);
    let sizes: Vec<usize> = rig
        .batches()
        .iter()
        .map(|it| it.split(' ').count())
        .collect();
    assert_eq!(sizes, [25, 25]);
}

#[test]
fn sqs_ramp() {
    let many = (1..=40_000).map(|seq| record(seq, "m", 0)).collect();
    let rig = Rig::queue(sqs(), many)
        .invocations_take(Span::from_secs(1))
        .run_secs(62);
    let sent_in = |second: u64| {
        let times = rig.invoke_times();
        times.iter().filter(|at| **at / 1_000 == second).count()
    };
    assert_eq!([0, 30, 59].map(sent_in), [5, 5, 5]);
    assert_eq!(sent_in(61), 305);
}

#[test]
fn sqs_short_poll_pause() {
    let mut rig = Rig::queue(sqs(), vec![record(1, "a", 250)]);
    rig = rig.tuned(|tuning| tuning.long_poll = Span::ZERO);
    let rig = rig.run_secs(1);
    let receives = rig.did().iter().filter_map(|(at, did)| match did {
        Did::Receive { wait_ms, .. } => Some((*at, *wait_ms)),
        _ => None,
    });
    // Five pollers, each ten times a second; the message is found by the next of them.
    assert!(
        receives
            .clone()
            .all(|(at, wait)| at % 100 == 0 && wait == 0)
    );
    assert_eq!(receives.count(), 5 * 11 + 1);
    assert_eq!(rig.invokes(), [(300, "a")]);
}

#[test]
fn drain_leaves_nothing_behind() {
    let config = MappingConfig {
        batch_size: 20,
        window: Span::from_secs(300),
        ..sqs()
    };
    let mut rig = Rig::queue(config, records(["a", "b"]));
    rig.advance(tidegate::engine::Time::from_secs(5));
    assert_eq!(rig.invokes(), []);
    assert!(!rig.mapping.is_drained());
    rig.feed(Event::Control(Control::Drain));
    // The receives that are on their way still bring what was leased; then everything rests.
    let rig = rig.run_secs(30);
    assert_eq!(rig.batches(), ["a b"]);
    assert!(rig.mapping.is_drained());
}

#[test]
fn sqs_partial_deletes_the_others() {
    let mut rig = Rig::queue(sqs(), records(["a", "b", "c", "d"]));
    rig.world.reports = Box::new(|_| vec![1, 3]);
    let rig = rig.run_secs(50);
    assert_eq!(rig.invokes(), [(0, "a b c d")]);
    assert_eq!(deletes(&rig), [(0, "a c")]);
    assert_eq!(returned(&rig), [(0, 2, ReturnCause::Reported)]);
}

#[test]
fn a_report_of_every_message_deletes_none() {
    let mut rig = Rig::queue(sqs(), records(["a", "b"]));
    rig.world.reports = Box::new(|_| vec![0, 1]);
    let rig = rig.run_secs(50);
    assert_eq!(deletes(&rig), []);
    assert_eq!(returned(&rig), [(0, 2, ReturnCause::Reported)]);
}

#[test]
fn partial_failures_do_not_lower_concurrency() {
    let limits = |partly: bool| {
        let many = (1..=2_000).map(|n| record(n, "m", 0)).collect();
        let mut rig = Rig::queue(sqs(), many).invocations_take(Span::from_secs(3));
        if partly {
            rig.world.reports = Box::new(|_| vec![0]);
        } else {
            rig.world.function = Box::new(|_| Outcome::FunctionError);
        }
        let rig = rig.run_secs(61);
        let limits = rig.facts().iter().filter_map(|(_, fact)| match *fact {
            Fact::ConcurrencyChanged { limit } => Some(limit),
            _ => None,
        });
        limits.collect::<Vec<_>>()
    };
    assert_eq!(limits(true), [5, 305]);
    assert_eq!(limits(false), [5, 2]);
}

#[test]
fn fifo_failure_takes_followers_along() {
    let run = |source: SourceKind| {
        let mut held = records(["a1", "a2", "a3"]);
        for message in &mut held {
            message.meta.wire_len = 3_000_000;
        }
        let config = MappingConfig {
            maximum_concurrency: Some(1),
            ..MappingConfig::new("queue", source)
        };
        let mut rig = Rig::queue(config, held);
        rig.world.reports = Box::new(|call| if call.has("a2") { vec![1] } else { vec![] });
        let rig = rig.run_secs(50);
        rig.batches()
            .iter()
            .map(|batch| (*batch).to_owned())
            .collect::<Vec<_>>()
    };
    // Three messages of one group do not fit into one event. Once `a2` has failed, `a3` must not overtake it.
    assert_eq!(run(SourceKind::SqsFifo), ["a1 a2"]);
    assert_eq!(run(SourceKind::Sqs), ["a1 a2", "a3"]);
}

#[test]
fn provisioned_pollers_share_their_pace() {
    let config = MappingConfig {
        provisioned_pollers: Some((2, 2)),
        ..sqs()
    };
    let many = (1..=10_000).map(|n| record(n, "m", 0)).collect();
    let rig = Rig::queue(config, many).run_secs(10);
    let receives = rig
        .did()
        .iter()
        .filter(|(_, did)| matches!(did, Did::Receive { .. }))
        .count();
    // Two pollers: 20 a second, and a second's worth at once.
    assert_eq!(receives, 221);
}

/// Rule `disable-keeps-position`: whatever happens to a disabled mapping, its pollers rest.
#[test]
fn disable_keeps_position_through_updates_and_minutes() {
    use tidegate::engine::{
        Control, Event, Mapping, MappingConfig, Profile, Rng, SourceKind, Time, Tuning,
    };
    let config = MappingConfig::new("orders", SourceKind::Sqs);
    let tuning = Tuning::new(Profile::Current);
    let rng = Rng::stream(1, "mapping/orders");
    let mut now = Time::from_secs(1);
    let mut mapping: Mapping<()> =
        Mapping::new(config.clone(), tuning, rng, now).expect("a mapping");
    let mut actions = 0;
    let mut drain = |mapping: &mut Mapping<()>, now| {
        while mapping.poll_fact().is_some() {}
        let mut tokens = Vec::new();
        while let Some(action) = mapping.poll_action(now) {
            actions += 1;
            if let tidegate::engine::Action::Receive { token, .. } = action {
                tokens.push(token);
            }
        }
        tokens
    };
    let receives = drain(&mut mapping, now);
    assert_eq!(receives.len(), 5);
    mapping.handle(now, Event::Control(Control::Disable));
    drain(&mut mapping, now);
    for token in receives {
        let page = tidegate::engine::Page::default();
        mapping.handle(now, Event::Fetched { token, page });
        assert_eq!(drain(&mut mapping, now), []);
    }
    let update = Box::new(MappingConfig {
        batch_size: 3,
        ..config
    });
    mapping.handle(now, Event::Control(Control::Update(update)));
    assert_eq!(drain(&mut mapping, now), []);
    now = Time::from_secs(200);
    mapping.handle_timeout(now);
    assert_eq!(drain(&mut mapping, now), []);
    mapping.handle(now, Event::Control(Control::Enable));
    assert_eq!(drain(&mut mapping, now).len(), 5);
    assert_eq!(actions, 10);
}
