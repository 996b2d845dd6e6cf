use super::*;
use crate::engine::Ratio;
use crate::scenario::{Arrivals, Dist, Keys, OnThrottle, Rate, RateStep};
use std::collections::BTreeMap;

fn producer(per_sec: f64, keys: Keys) -> Producer {
    let step = RateStep {
        at: Span::ZERO,
        per_sec,
        over: Span::ZERO,
    };
    Producer {
        arrivals: Arrivals::Poisson(Rate { steps: vec![step] }),
        size: Dist::Exponential { mean: 100.0 },
        keys,
        on_throttle: OnThrottle::Retry,
    }
}

fn steady(per_sec: f64, size: f64, on_throttle: OnThrottle) -> Producer {
    let Producer {
        arrivals: Arrivals::Poisson(rate),
        ..
    } = producer(per_sec, Keys::Unique)
    else {
        panic!("a Poisson process");
    };
    Producer {
        arrivals: Arrivals::Constant(rate),
        size: Dist::Constant(size),
        keys: Keys::Unique,
        on_throttle,
    }
}

/// A stream without limits that keeps its records for ever.
fn free(stream: Stream) -> Stream {
    Stream {
        retention: Span::MAX,
        write_limits: false,
        read_limits: false,
        ..stream
    }
}

fn model(stream: &Stream, producers: &[Producer]) -> StreamModel {
    StreamModel::new("s", stream, producers, 4)
}

fn reader(model: &StreamModel, from: Position) -> StreamReader {
    let mut reader = StreamReader::new(from);
    reader.list(model, Time::ZERO);
    reader
}

/// Polls as a mapping does, and fails if the shard refuses.
fn poll(
    model: &mut StreamModel,
    reader: &mut StreamReader,
    shard: u32,
    now: Time,
    records_max: u32,
) -> Page<()> {
    let from = Position::Horizon;
    model
        .poll(reader, shard, from, (now, now), records_max, Vec::new())
        .expect("no refusal")
}

/// Reads everything as a mapping would that looks every second: new shards once their parents are finished.
fn read_all(model: &mut StreamModel, secs: u64) -> Vec<(u32, Record<()>)> {
    let mut reader = StreamReader::new(Position::Horizon);
    let mut shards = Vec::new();
    let mut ended = Vec::new();
    let mut found = Vec::new();
    for now in (0..=secs).map(Time::from_secs) {
        shards.extend(reader.list(model, now));
        for shard in &shards {
            let ready = shard.parents.iter().all(|parent| ended.contains(parent));
            if !ready || ended.contains(&shard.id) {
                continue;
            }
            let page = poll(model, &mut reader, shard.id.0, now, 1_000_000);
            if page.shard_end {
                ended.push(shard.id);
            }
            let index = reader.index(shard.id.0);
            found.extend(page.records.into_iter().map(|record| (index, record)));
        }
    }
    // What waits behind the last end.
    let now = Time::from_secs(secs);
    for shard in &shards {
        if !ended.contains(&shard.id) {
            let page = poll(model, &mut reader, shard.id.0, now, 1_000_000);
            let index = reader.index(shard.id.0);
            found.extend(page.records.into_iter().map(|record| (index, record)));
        }
    }
    found
}

fn resharded() -> Stream {
    use crate::scenario::{SourceText, parse};
    let text = r#"
duration = "60s"
[[function]]
name = "f"
duration = "1ms"
[[source]]
name = "s"
type = "kinesis"
shards = 3
[[source.producer]]
rate = 1
[[source.reshard]]
at = "10s"
split = [1]
[[source.reshard]]
at = "20s"
merge = [[0, 3]]
[[source.reshard]]
at = "30s"
shards = 5
[[source.reshard]]
at = "40s"
split = "all"
[[traffic]]
function = "f"
rate = 1
"#;
    let loaded = parse(SourceText::new("s.toml", text)).expect("a scenario");
    let kind = loaded
        .scenario
        .sources
        .into_iter()
        .next()
        .map(|one| one.kind);
    let Some(crate::scenario::SourceModel::Stream(stream)) = kind else {
        panic!("a stream");
    };
    stream
}

#[test]
fn two_readers_see_the_same_records() {
    let producers = [
        producer(50.0, Keys::Unique),
        producer(10.0, Keys::Zipf { n: 5, s: 1.0 }),
    ];
    let mut model = model(&free(Stream::kinesis(2)), &producers);
    let now = Time::from_secs(60);
    let mut all = reader(&model, Position::Horizon);
    let whole = poll(&mut model, &mut all, 1, now, 1_000_000);
    let mut steps = reader(&model, Position::Horizon);
    let mut pieces = Vec::new();
    for secs in 1..=60 {
        let page = poll(&mut model, &mut steps, 1, Time::from_secs(secs), 10_000);
        assert_eq!(page.behind, Span::ZERO);
        pieces.extend(page.records);
    }
    assert!(
        whole.records == pieces,
        "a page at once and page by page differ"
    );
    let at = Position::At(Time::from_secs(30));
    let mut late = reader(&model, at);
    let tail = model
        .poll(&mut late, 1, at, (now, now), 1_000_000, Vec::new())
        .expect("no refusal")
        .records;
    assert!(!tail.is_empty());
    assert!(whole.records.ends_with(&tail));
}

#[test]
fn a_page_stops_at_its_limits_and_says_how_far_behind_it_is() {
    let mut model = model(
        &free(Stream::kinesis(1)),
        &[producer(10_000.0, Keys::Unique)],
    );
    let mut reader = reader(&model, Position::Horizon);
    let now = Time::from_secs(100);
    let page = poll(&mut model, &mut reader, 0, now, 100);
    assert_eq!(page.records.len(), 100);
    assert!(page.behind > Span::from_secs(99));
    assert_eq!(reader.passed(), 100);
    let page = poll(&mut model, &mut reader, 0, now, 1_000_000);
    assert!(page.bytes >= limits::KINESIS_PAGE_BYTES_MAX);
    assert!(page.bytes < limits::KINESIS_PAGE_BYTES_MAX + 100_000);
}

#[test]
fn kinesis_reshard_lineage() {
    let keys = Keys::Zipf { n: 40, s: 0.8 };
    let mut model = model(
        &free(resharded()),
        &[producer(200.0, keys), producer(30.0, Keys::Unique)],
    );
    let found = read_all(&mut model, 60);
    // Every record once.
    let arrived = model.arrived(Time::from_secs(60)).records;
    assert_eq!(found.len() as u64, arrived);
    assert!(arrived.abs_diff(230 * 60) < 5 * 118, "{arrived}");
    let mut numbers: Vec<Seq> = found.iter().map(|(_, record)| record.meta.seq).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), found.len());
    // The records of a key come in order, over splits and merges.
    let mut last: BTreeMap<u64, Time> = BTreeMap::new();
    for (_, record) in &found {
        let before = last.insert(record.meta.group, record.meta.arrival);
        assert!(before.is_none_or(|before| before <= record.meta.arrival));
    }
    // Shards take records while they are open, and only then.
    for (index, record) in &found {
        let life = model.lives_from(*index).next().expect("a shard");
        let age = record.meta.arrival.since(Time::ZERO);
        assert!(age >= life.opens && life.closes.is_none_or(|at| age < at));
    }
}

#[test]
fn children_of_a_mapping_at_latest_start_at_their_beginning() {
    let model = model(&free(resharded()), &[producer(10.0, Keys::Unique)]);
    let mut reader = StreamReader::new(Position::Latest);
    let first = reader.list(&model, Time::from_secs(15));
    // Shard 1 is closed, and of no interest.
    assert_eq!(first.len(), 4);
    assert!(
        first
            .iter()
            .all(|shard| shard.from == Position::Latest && shard.parents.is_empty())
    );
    assert_eq!(
        reader.next_listing(&model, Time::from_secs(15)),
        Some(Time::from_secs(75))
    );
    let second = reader.list(&model, Time::from_secs(25));
    let parents: Vec<u32> = second[0].parents.iter().map(|parent| parent.0).collect();
    assert_eq!((second.len(), second[0].id.0, parents), (1, 4, vec![0, 2]));
    assert_eq!(second[0].from, Position::Horizon);
    let mut at = StreamReader::new(Position::At(Time::from_secs(50)));
    at.list(&model, Time::ZERO);
    let later = at.list(&model, Time::from_secs(10));
    assert_eq!(later[0].from, Position::At(Time::from_secs(50)));
}

#[test]
fn kinesis_write_limits() {
    let stream = Stream::kinesis(1);
    let until = Time::from_secs(10);
    // 2,000 a second for 10 s, of which a second's worth and then 1,000 a second are taken, from the first at 0.5 ms on.
    let mut drops = model(&stream, &[steady(2_000.0, 100.0, OnThrottle::Drop)]);
    let counted = drops.arrived(until);
    assert_eq!(counted.records, 10_999);
    assert_eq!(
        counted.refusals,
        Refusals {
            throttled: 9_001,
            lost: 9_001
        }
    );
    // By bytes: 1 MiB at once and 1 MiB a second in records of 16 KiB are 64 and 64 a second, from 10 ms on.
    let mut large = model(&stream, &[steady(100.0, 16_384.0, OnThrottle::Drop)]);
    assert_eq!(large.arrived(until).records, 64 + 639);
    // Retrying loses nothing as long as nobody waits for 30 s.
    let mut retries = model(&stream, &[steady(2_000.0, 100.0, OnThrottle::Retry)]);
    let counted = retries.arrived(until);
    assert_eq!((counted.records, counted.refusals.lost), (10_999, 0));
    assert!(counted.refusals.throttled > 8_990, "{counted:?}");
    // Once the queue is 30 s long every other record is lost.
    let counted = retries.arrived(Time::from_secs(200));
    assert_eq!(counted.records, 200_999);
    let decided = counted.records + counted.refusals.lost;
    assert!(decided.abs_diff(2_000 * 170) <= 2, "{counted:?}");
    // Readers see what was taken, when it was taken.
    let mut reader = reader(&retries, Position::Horizon);
    let mut last = Time::ZERO;
    let mut read = 0;
    for secs in 1..=20 {
        for record in poll(&mut retries, &mut reader, 0, Time::from_secs(secs), 10_000).records {
            assert!(record.meta.arrival >= last);
            last = record.meta.arrival;
            read += 1;
        }
    }
    assert_eq!(read, 20_999);
    let free = Stream {
        write_limits: false,
        ..stream
    };
    let mut free = model(&free, &[steady(2_000.0, 100.0, OnThrottle::Drop)]);
    assert_eq!(free.arrived(until).records, 20_000);
}

#[test]
fn what_waits_for_a_closed_shard_goes_to_its_children() {
    let stream = Stream {
        read_limits: false,
        ..resharded()
    };
    // One shard in three is far above its limit until it is split.
    let keys = Keys::Hot {
        share: Ratio::new(9, 10).expect("a chance"),
        keys: 3,
    };
    let mut model = model(
        &stream,
        &[Producer {
            keys,
            ..producer(4_000.0, keys)
        }],
    );
    let end = Time::from_secs(60);
    let counted = model.arrived(end);
    let found = read_all(&mut model, 60);
    assert_eq!(found.len() as u64, counted.records);
    assert!(found.is_sorted_by(|a, b| a.0 != b.0 || a.1.meta.arrival <= b.1.meta.arrival));
    // Nothing vanishes: written, lost, or still waiting.
    let offered = counted.records + counted.refusals.lost;
    assert!(counted.refusals.throttled > 10_000, "{counted:?}");
    assert!(offered > 150_000 && offered < 245_000, "{counted:?}");
    let mut by_second: BTreeMap<(u32, u64), u64> = BTreeMap::new();
    for (index, record) in &found {
        *by_second
            .entry((*index, record.meta.arrival.as_millis() / 1_000))
            .or_default() += 1;
    }
    assert!(by_second.values().all(|count| *count <= 2_000));
}

#[test]
fn kinesis_read_limits_shared() {
    let stream = Stream {
        write_limits: false,
        ..Stream::kinesis(1)
    };
    let mut model = model(&stream, &[producer(100.0, Keys::Unique)]);
    let mut readers = [(); 2].map(|()| reader(&model, Position::Horizon));
    let mut answered = [0, 0];
    // Both ask five times a second, which one alone may.
    for n in 0..500u64 {
        let now = Time::from_secs(1) + Span::from_millis(n * 200);
        for which in [n % 2, 1 - n % 2] {
            let reader = &mut readers[which as usize];
            let answer = model.poll(reader, 0, Position::Horizon, (now, now), 10_000, Vec::new());
            answered[which as usize] += u32::from(answer.is_ok());
        }
    }
    assert_eq!(answered.iter().sum::<u32>(), 504);
    assert!(answered[0].abs_diff(answered[1]) < 10, "{answered:?}");
}

#[test]
fn fan_out_own_throughput() {
    let mut model = model(
        &free(Stream::kinesis(1)),
        &[steady(10.0, 1_000.0, OnThrottle::Retry)],
    );
    model.read_limits = true;
    let mut pushed = reader(&model, Position::Horizon);
    let mut polled = reader(&model, Position::Horizon);
    let mut now = Time::ZERO;
    for n in 1..=100u64 {
        // Others that use up the shared quota make no difference.
        let refused = (0..10).filter(|_| {
            model
                .poll(&mut polled, 0, Position::Horizon, (now, now), 1, Vec::new())
                .is_err()
        });
        assert!(refused.count() >= 5);
        let at = model
            .next_push(&mut pushed, 0, Position::Horizon, now)
            .expect("a record will come");
        assert_eq!(at, Time::from_millis(n * 100 + 70));
        now = at;
        let page = model.push(&mut pushed, 0, Position::Horizon, now, 10_000, Vec::new());
        assert_eq!(page.records.len(), 1);
    }
    // A backlog comes at 2 MiB a second.
    let large = [steady(1_000.0, 8_192.0, OnThrottle::Retry)];
    let mut fast = StreamModel::new("s", &free(Stream::kinesis(1)), &large, 4);
    let mut late = reader(&fast, Position::Horizon);
    let mut now = Time::from_secs(100);
    for n in 0..10u64 {
        now = fast
            .next_push(&mut late, 0, Position::Horizon, now)
            .expect("records are there");
        assert_eq!(now, Time::from_secs(100 + n));
        let page = fast.push(&mut late, 0, Position::Horizon, now, 10_000, Vec::new());
        assert_eq!(page.records.len(), 256);
    }
    assert!(
        fast.poll(&mut late, 0, Position::Horizon, (now, now), 1, Vec::new())
            .is_ok()
    );
}

#[test]
fn dynamodb_shard_rollover() {
    let minutes = |n: u64| Span::from_secs(n * 60);
    let stream = Stream::dynamodb(2, minutes(1), minutes(5));
    assert_eq!(stream.shards.len(), 2 + 9);
    let mut model = model(&stream, &[producer(50.0, Keys::Zipf { n: 20, s: 0.5 })]);
    let found = read_all(&mut model, 299);
    let arrived = model.arrived(Time::from_secs(299)).records;
    assert_eq!(found.len() as u64, arrived);
    let mut last: BTreeMap<u64, Time> = BTreeMap::new();
    for (_, record) in &found {
        let before = last.insert(record.meta.group, record.meta.arrival);
        assert!(before.is_none_or(|before| before <= record.meta.arrival));
    }
}

#[test]
fn dynamodb_whole_seconds() {
    let stream = Stream::dynamodb(1, Span::from_secs(60), Span::from_secs(60));
    let mut model = model(&stream, &[steady(4.5, 1_000.0, OnThrottle::Retry)]);
    let mut reader = reader(&model, Position::Horizon);
    let page = poll(&mut model, &mut reader, 0, Time::from_millis(1_800), 1_000);
    let created: Vec<u64> = page
        .records
        .iter()
        .map(|record| record.meta.arrival.as_millis())
        .collect();
    assert_eq!(created, [0, 0, 0, 0, 1_000, 1_000, 1_000, 1_000]);
    // The image is not in base64.
    assert_eq!(
        u64::from(page.records[0].meta.wire_len),
        wire::DYNAMODB_RECORD_AROUND_LEN + 1_000
    );
    let page = poll(
        &mut model,
        &mut reader,
        0,
        Time::from_secs(100_000),
        1_000_000,
    );
    assert!(page.shard_end || page.bytes >= limits::DYNAMODB_PAGE_BYTES_MAX);
}

#[test]
fn stream_retention_trims() {
    let stream = Stream {
        retention: Span::from_secs(10),
        ..free(Stream::kinesis(1))
    };
    let mut model = model(&stream, &[steady(10.0, 1_000.0, OnThrottle::Retry)]);
    let mut reader = reader(&model, Position::Horizon);
    let page = poll(&mut model, &mut reader, 0, Time::from_secs(60), 1_000_000);
    assert_eq!(page.records.len(), 101);
    assert_eq!((reader.take_trimmed(), reader.take_trimmed()), (499, 0));
    assert_eq!(reader.passed(), 600);
}

#[test]
fn what_is_on_its_way_is_neither_read_nor_behind() {
    let mut model = model(
        &free(Stream::kinesis(1)),
        &[steady(10.0, 1_000.0, OnThrottle::Retry)],
    );
    let mut reader = reader(&model, Position::Horizon);
    let mut read = |sent, now| {
        let times = (Time::from_millis(sent), Time::from_millis(now));
        let page = model.poll(&mut reader, 0, Position::Horizon, times, 10_000, Vec::new());
        let page = page.expect("no refusal");
        (page.records.len(), page.behind)
    };
    assert_eq!(read(0, 950), (0, Span::ZERO));
    assert_eq!(read(950, 1_950), (9, Span::ZERO));
    // A record that took longer than the one before it does not take what was read back.
    assert_eq!(read(500, 2_150), (0, Span::ZERO));
    assert_eq!(read(2_150, 2_150), (12, Span::ZERO));
}
