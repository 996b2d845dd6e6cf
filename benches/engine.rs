//! The engine's machines on their own, with a driver that answers at once.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "benchmarks read the clock and print what they measure"
)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::collections::VecDeque;
use std::hint::black_box;
use std::time::Duration;
use tidegate::engine::lambda::{
    AccountLimits, Fate, FunctionId, FunctionLimits, Lambda, Lease, Reuse,
};
use tidegate::engine::{
    Action, Control, Effects, Event, Fact, Mapping, MappingConfig, Meta, Outcome, Page, Position,
    Profile, Record, Rng, Seq, Shard, ShardId, SourceKind, Span, Time, Tuning, mix, pump, wire,
};

/// A source that is never empty, a function that returns at once, a store that never fails.
struct Instant {
    /// Records still to be delivered.
    left: u64,
    page: u32,
    ordinal: u64,
    facts: u64,
}

impl Instant {
    fn page(&mut self, mapping: &mut Mapping<()>, now: Time, count: u32) -> Page<()> {
        let mut records = mapping.spare_list();
        records.extend((0..count).map(|_| {
            self.ordinal += 1;
            let meta = Meta {
                seq: Seq::from(self.ordinal),
                group: mix(self.ordinal),
                arrival: now,
                wire_len: 1_200,
            };
            Record { meta, payload: () }
        }));
        Page {
            records,
            end: Some(Seq::from(self.ordinal)),
            behind: Span::from_secs(1),
            ..Page::default()
        }
    }
}

impl Effects<()> for Instant {
    fn start(&mut self, now: Time, mapping: &mut Mapping<()>, action: Action) -> Option<Event<()>> {
        match action {
            Action::Read { token, .. } | Action::Receive { token, .. } => {
                let count = self.page.min(u32::try_from(self.left).unwrap_or(u32::MAX));
                if count == 0 {
                    return None;
                }
                self.left -= u64::from(count);
                let page = self.page(mapping, now, count);
                Some(Event::Fetched { token, page })
            }
            Action::Invoke { token, .. } => Some(Event::Invoked {
                token,
                outcome: Outcome::Success,
            }),
            Action::Acknowledge { token, .. }
            | Action::Release { token, .. }
            | Action::Checkpoint { token, .. }
            | Action::Divert { token, .. }
            | Action::Yield { token, .. }
            | Action::Leave { token, .. } => Some(Event::Done { token }),
            Action::Measure { token } => Some(Event::Measured {
                token,
                ends: Vec::new(),
            }),
        }
    }

    fn observe(&mut self, _: Time, _: Fact) {
        self.facts += 1;
    }
}

/// Moves `records` records through a new mapping.
fn deliver(config: MappingConfig, page: u32, records: u64) -> u64 {
    let mut now = Time::from_secs(1);
    let source = config.source;
    let rng = Rng::stream(1, "m");
    let mut mapping = Mapping::new(config, Tuning::new(Profile::Current), rng, now)
        .expect("a plain mapping is supported");
    if source == SourceKind::Kinesis {
        let shard = Shard {
            id: ShardId(0),
            from: Position::Horizon,
            parents: Vec::new(),
            window: None,
        };
        mapping.handle(now, Event::Control(Control::Shards(vec![shard])));
    }
    let mut effects = Instant {
        left: records,
        page,
        ordinal: 0,
        facts: 0,
    };
    let mut wake = pump(&mut mapping, now, &mut effects);
    while effects.left > 0 {
        let (at, _) = wake.expect("there is more to read");
        now = at;
        mapping.handle_timeout(now);
        wake = pump(&mut mapping, now, &mut effects);
    }
    effects.facts
}

fn stream(parallelization_factor: u32, batch_size: u32) -> MappingConfig {
    MappingConfig {
        parallelization_factor,
        batch_size,
        ..MappingConfig::new("m", SourceKind::Kinesis)
    }
}

fn mappings(criterion: &mut Criterion) {
    let records = 100_000;
    let mut group = criterion.benchmark_group("engine");
    group.sample_size(20);
    group.warm_up_time(Duration::from_millis(300));
    group.measurement_time(Duration::from_secs(2));
    group.throughput(Throughput::Elements(records));
    group.bench_function("stream mapping, batches of 100", |bencher| {
        bencher.iter(|| deliver(stream(1, 100), 10_000, records));
    });
    group.bench_function("queue mapping, batches of 10", |bencher| {
        bencher.iter(|| deliver(MappingConfig::new("m", SourceKind::Sqs), 10, records));
    });
    group.bench_function("stream mapping, 10 lanes, batches of 10", |bencher| {
        bencher.iter(|| deliver(stream(10, 10), 10_000, records));
    });
    group.bench_function("stream mapping, windows, batches of 100", |bencher| {
        let config = MappingConfig {
            tumbling_window: Some(Span::from_secs(60)),
            ..stream(1, 100)
        };
        bencher.iter(|| deliver(config.clone(), 10_000, records));
    });
    group.finish();
}

fn lambda(criterion: &mut Criterion) {
    let account = AccountLimits {
        concurrency: 100_000,
        caller_requests_per_sec: None,
    };
    let function = FunctionLimits {
        reserved_concurrency: None,
        keep_alive: Span::from_secs(600),
        reuse: Reuse::MostRecent,
    };
    let growth = Profile::Current.growth(3_000);
    let mut lambda = Lambda::new(account, vec![function], growth, 1).expect("the limits are sound");
    let mut now = Time::ZERO;
    let mut admit = move |lambda: &mut Lambda| {
        now += Span::from_micros(100);
        let lease = lambda.admit(now, FunctionId(0)).expect("there is room");
        (now, lease)
    };
    let mut running: VecDeque<(Time, Lease)> = (0..1_000).map(|_| admit(&mut lambda)).collect();
    let mut group = criterion.benchmark_group("engine");
    group.warm_up_time(Duration::from_millis(300));
    group.measurement_time(Duration::from_secs(2));
    group.throughput(Throughput::Elements(1));
    group.bench_function("Lambda, admit and finish", |bencher| {
        bencher.iter(|| {
            let (now, lease) = admit(&mut lambda);
            running.push_back((now, lease));
            let (_, oldest) = running.pop_front().expect("a thousand run");
            lambda.finish(now, oldest, Fate::Keep);
        });
    });
    group.finish();
}

fn texts(criterion: &mut Criterion) {
    let text = r#"{"order": 1234567, "item": "café", "note": "two\nlines"}"#.repeat(20);
    let mut group = criterion.benchmark_group("engine");
    group.warm_up_time(Duration::from_millis(300));
    group.measurement_time(Duration::from_secs(1));
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("wire length of a text", |bencher| {
        bencher.iter(|| wire::json_text_len(black_box(&text)));
    });
    group.finish();
}

criterion_group!(benches, mappings, lambda, texts);
criterion_main!(benches);
