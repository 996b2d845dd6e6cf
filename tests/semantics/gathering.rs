//! How a queue's batches are gathered and closed, and how many are worked on at once.

use super::harness::{Did, Rig, THROTTLED, record, sqs};
use tidegate::engine::{
    Control, Event, Fact, MappingConfig, Outcome, Profile, Record, Span, Time, limits,
};

fn messages(range: std::ops::RangeInclusive<u64>, at_ms: u64) -> Vec<Record<&'static str>> {
    range.map(|seq| record(seq, "m", at_ms)).collect()
}

/// When each batch was sent (ms) and how many messages it had.
fn sizes(rig: &Rig) -> Vec<(u64, usize)> {
    let size = |(at, batch): (u64, &str)| (at, batch.split(' ').count());
    rig.invokes().into_iter().map(size).collect()
}

fn limits_over_time(rig: &Rig) -> Vec<u32> {
    let limits = rig.facts().iter().filter_map(|(_, fact)| match *fact {
        Fact::ConcurrencyChanged { limit } => Some(limit),
        _ => None,
    });
    limits.collect()
}

/// Most messages that the mapping had received and neither deleted nor given up, and most invocations at once.
fn most_in_hand(rig: &Rig) -> (i64, i64) {
    let (mut held, mut running) = (0, 0);
    let mut most = (0, 0);
    for (_, fact) in rig.facts() {
        match *fact {
            Fact::Polled { records, .. } => held += i64::from(records),
            Fact::Deleted { records } | Fact::Returned { records, .. } => {
                held -= i64::from(records);
            }
            Fact::InvokeSent { .. } => running += 1,
            Fact::InvokeEnded { .. } => running -= 1,
            _ => {}
        }
        most = (most.0.max(held), most.1.max(running));
    }
    most
}

fn windowed(batch_size: u32, secs: u64) -> MappingConfig {
    MappingConfig {
        batch_size,
        window: Span::from_secs(secs),
        maximum_concurrency: Some(2),
        ..sqs()
    }
}

#[test]
fn a_batch_of_ten_thousand_is_closed_by_its_size() {
    // Two pollers share the messages: 1,000 receives of ten for each batch.
    let rig = Rig::queue(windowed(10_000, 300), messages(1..=20_000, 0)).run_secs(1);
    assert_eq!(sizes(&rig), [(0, 10_000), (0, 10_000)]);
}

#[test]
fn a_window_of_five_minutes_closes_what_is_there() {
    let mut queue = messages(1..=13, 2_000);
    queue.extend(messages(14..=20, 301_000));
    queue.extend(messages(21..=30, 304_000));
    let config = MappingConfig {
        maximum_concurrency: None,
        ..windowed(10_000, 300)
    };
    let rig = Rig::queue(config, queue)
        .tuned(|tuning| tuning.visibility_timeout = Span::from_secs(3_600))
        .run_secs(700);
    let sizes = sizes(&rig);
    // The windows began with each poller's first message, at 2 s; what came later began windows of its own.
    assert_eq!(sizes.iter().map(|(_, size)| size).sum::<usize>(), 30);
    let at_302_s: usize = sizes
        .iter()
        .filter(|(at, _)| *at == 302_000)
        .map(|(_, size)| size)
        .sum();
    assert!((13..=20).contains(&at_302_s), "{sizes:?}");
    assert!(
        sizes
            .iter()
            .all(|(at, _)| [302_000, 601_000, 604_000].contains(at))
    );
}

#[test]
fn six_megabytes_close_a_batch_and_the_rest_begins_the_next() {
    let heavy = |seq, at_ms| {
        let mut message = record(seq, "h", at_ms);
        message.meta.wire_len = 700_000;
        message
    };
    // Eight of them fit into 6 MiB. The ninth comes at 10 s, when the batch's window has 10 s left.
    let mut queue: Vec<_> = (1..=8).map(|seq| heavy(seq, 0)).collect();
    queue.push(heavy(9, 10_000));
    let config = MappingConfig {
        // One poller takes all: AWS has no such setting, and none is needed to see the rule.
        maximum_concurrency: Some(1),
        ..windowed(1_000, 20)
    };
    let rig = Rig::queue(config, queue).run_secs(60);
    let sent = sizes(&rig);
    // The window of the ninth counts from when it was received.
    assert_eq!(sent, [(10_000, 8), (30_000, 1)]);
    let bytes = 8 * 700_001 + 100;
    assert!(bytes <= limits::EVENT_BYTES_MAX && bytes + 700_000 > limits::EVENT_BYTES_MAX);
}

#[test]
fn maximum_concurrency_never_fetches_beyond_it() {
    for maximum in [2, 3, 20] {
        let config = MappingConfig {
            maximum_concurrency: Some(maximum),
            ..sqs()
        };
        let rig = Rig::queue(config, messages(1..=5_000, 0))
            .invocations_take(Span::from_secs(2))
            .run_secs(200);
        let most = i64::from(maximum);
        assert_eq!(most_in_hand(&rig), (10 * most, most));
        assert_eq!(limits_over_time(&rig).iter().max(), Some(&maximum));
    }
}

#[test]
fn a_throttled_mapping_receives_no_more_than_it_may_hold() {
    let config = MappingConfig {
        maximum_concurrency: Some(4),
        ..sqs()
    };
    let rig = Rig::queue(config, messages(1..=500, 0))
        .function(|_| THROTTLED)
        .run_secs(50);
    // Four batches are held, and offered again; nobody receives beside them.
    let polled = rig.facts().iter().filter_map(|(_, fact)| match fact {
        Fact::Polled { records, .. } => Some(records),
        _ => None,
    });
    assert_eq!(polled.sum::<u32>(), 40);
}

#[test]
fn concurrency_falls_with_failures_and_recovers() {
    let run = |profile| {
        let rig = Rig::queue(sqs(), messages(1..=200_000, 0))
            .tuned(|tuning| {
                tuning.profile = profile;
                tuning.visibility_timeout = Span::from_secs(60);
            })
            .invocations_take(Span::from_secs(2))
            .function(|call| match call.at_ms {
                60_000..230_000 => Outcome::FunctionError,
                _ => Outcome::Success,
            })
            .run_secs(301);
        limits_over_time(&rig)
    };
    // Up for a minute, halved for three, and up again at the profile's pace.
    assert_eq!(run(Profile::Current), [5, 305, 152, 76, 38, 338]);
    assert_eq!(run(Profile::Guide2021), [5, 65, 32, 16, 8, 68]);
}

#[test]
fn idle_pollers_are_given_back_and_stay_five() {
    // Busy for some seconds beyond the first minute, then a message every ten seconds.
    let mut queue = messages(1..=40_000, 0);
    for tick in 0..30 {
        queue.push(record(50_000 + tick, "m", 130_000 + tick * 10_000));
    }
    let rig = Rig::queue(sqs(), queue)
        .invocations_take(Span::from_secs(1))
        .run_secs(400);
    let limits = limits_over_time(&rig);
    assert_eq!(limits.iter().max(), Some(&305));
    assert_eq!(limits.last(), Some(&5));
    // Five long polls of 20 s are all that a quiet minute costs.
    let in_last_minute = rig
        .did()
        .iter()
        .filter(|(at, did)| *at >= 340_000 && matches!(did, Did::Receive { .. }));
    assert!((15..=25).contains(&in_last_minute.count()));
}

#[test]
fn provisioned_pollers_invoke_ten_at_once_each() {
    let config = MappingConfig {
        provisioned_pollers: Some((3, 3)),
        ..sqs()
    };
    let rig = Rig::queue(config, messages(1..=5_000, 0))
        .invocations_take(Span::from_secs(5))
        .run_secs(30);
    assert_eq!(most_in_hand(&rig), (300, 30));
}

#[test]
fn provisioned_pollers_receive_a_megabyte_a_second_each() {
    let config = MappingConfig {
        provisioned_pollers: Some((2, 2)),
        ..sqs()
    };
    let mut queue = messages(1..=5_000, 0);
    for message in &mut queue {
        message.meta.wire_len = 100_000;
    }
    let rig = Rig::queue(config, queue).run_secs(60);
    let received = rig.facts().iter().map(|(_, fact)| match fact {
        Fact::Polled { records, .. } => u64::from(*records) * 100_000,
        _ => 0,
    });
    let received: u64 = received.sum();
    // 2 MB a second; the twenty receives that are made together only show what they bring when they are answered.
    let together = 20 * 10 * 100_000;
    let allowed = 2_000_000 * 60;
    assert!(
        (allowed..=allowed + together + 2_000_000).contains(&received),
        "{received}"
    );
}

#[test]
fn a_disabled_or_lowered_mapping_lets_batches_end() {
    let mut rig = Rig::queue(
        MappingConfig {
            maximum_concurrency: Some(20),
            ..sqs()
        },
        messages(1..=2_000, 0),
    )
    .invocations_take(Span::from_secs(2));
    rig.advance(Time::from_secs(200));
    assert_eq!(most_in_hand(&rig).1, 20);
    rig.feed(Event::Control(Control::Update(Box::new(MappingConfig {
        maximum_concurrency: Some(2),
        ..sqs()
    }))));
    let before = rig.facts().len();
    rig.world.shards[0].extend(messages(3_000..=3_400, 0));
    rig.advance(Time::from_secs(300));
    let (mut running, mut most) = (0, 0);
    for (_, fact) in &rig.facts()[before..] {
        match fact {
            Fact::InvokeSent { .. } => running += 1,
            Fact::InvokeEnded { .. } => running -= 1,
            _ => {}
        }
        most = most.max(running);
    }
    assert!(most <= 2, "{most} at once");
}
