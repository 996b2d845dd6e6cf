//! A stream inside the process.

use super::content::{Content, ContentError};
use super::{ACCOUNT, REGION};
use crate::engine::{Meta, Page, Position, Record, Seq, Span, Time, limits, mix};
use crate::poll::encode::{KinesisRecord, KinesisShape};
use crate::scenario::LocalSource;
use crate::source::{Keep, ListedShard, PageBuffer, Payload, Records};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A Kinesis-like stream: its records are functions of their numbers, so any position can be read again.
#[derive(Debug)]
pub struct Stream {
    content: Content,
    shards: u32,
    arn: String,
    /// When record 0 arrived, nanoseconds since the Unix epoch.
    origin: AtomicU64,
}

/// Reads one shard, and remembers where it stands.
#[derive(Debug)]
pub struct Reader {
    shard: u32,
    shape: KinesisShape,
    /// Where the engine believes that the reader stands.
    at: Option<Position>,
    /// The number of the next record to look at.
    next: u64,
}

/// Digits of a sequence number: `49`, the shard, the record's number.
const SHARD_DIGITS: usize = 18;
const NUMBER_DIGITS: usize = 36;

impl Stream {
    /// A stream whose generated records begin to arrive at `now`.
    ///
    /// # Errors
    /// A file of lines that cannot be read.
    pub fn open(source: &LocalSource, now: Time) -> Result<Self, ContentError> {
        Ok(Self {
            content: Content::open(&source.content)?,
            shards: source.shards.max(1),
            arn: format!("arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{}", source.name),
            origin: AtomicU64::new(now.as_nanos()),
        })
    }

    /// Its ARN, as in its records.
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// All shards; none of them ever closes.
    pub fn shards(&self) -> Vec<ListedShard> {
        let shard = |index| ListedShard {
            name: Arc::from(format!("shardId-{index:012}")),
            parents: Vec::new(),
            closed: false,
        };
        (0..self.shards).map(shard).collect()
    }

    /// A reader of the shard with this index in [`shards`](Self::shards).
    pub fn reader(&self, shard: u32, name: &str, role: &str) -> Reader {
        Reader {
            shard,
            shape: KinesisShape::new(name, role, REGION, &self.arn),
            at: None,
            next: 0,
        }
    }

    /// Whether a reader has come to the end of the content.
    pub fn is_exhausted(&self, reader: &Reader) -> bool {
        reader.at.is_some() && reader.next >= self.content.count()
    }

    /// Reads at most `records_max` records of a shard, and puts those that `keep` admits into the list `records`.
    pub fn read(
        &self,
        reader: &mut Reader,
        now: Time,
        from: Position,
        records_max: u32,
        mut records: Records,
        keep: &Keep,
    ) -> Page<Payload> {
        if reader.at != Some(from) {
            reader.next = self.locate(now, from);
        }
        let available = self.available(now);
        let mut buffer = PageBuffer::with_capacity(0);
        let mut data = Vec::new();
        let mut bytes = 0;
        let mut end = None;
        let mut filtered = 0;
        while reader.next < available
            && records.len() + (filtered as usize) < records_max as usize
            && bytes < limits::KINESIS_PAGE_BYTES_MAX
        {
            let number = reader.next;
            reader.next += 1;
            let key = self.content.key(number).0;
            if key % u64::from(self.shards) != u64::from(reader.shard) {
                continue;
            }
            data.clear();
            self.content.payload(number, &mut data);
            bytes += data.len() as u64;
            let arrival = self.arrival(number);
            let (sequence, seq) = sequence_number(reader.shard, number);
            let record = KinesisRecord {
                partition_key: &format!("key-{key}"),
                sequence: &sequence,
                data: &data,
                arrival_ms: arrival.as_millis(),
            };
            end = Some(seq);
            let encoded = keep.push(&mut buffer, Some(&data), |out| {
                reader.shape.encode(out, &record);
            });
            let Some(wire_len) = encoded else {
                filtered += 1;
                continue;
            };
            let meta = Meta {
                seq,
                group: mix(key),
                arrival,
                wire_len,
            };
            records.push(Record {
                meta,
                payload: Payload {
                    json: bytes::Bytes::new(),
                    receipt: String::new(),
                },
            });
        }
        buffer.hand_out(&mut records);
        reader.at = Some(end.map_or(from, Position::After));
        let behind = if reader.next < available {
            let waited = now.since(self.arrival(reader.next));
            waited.max(Span::from_millis(1))
        } else {
            Span::ZERO
        };
        Page {
            records,
            filtered,
            bytes,
            end,
            behind,
            ..Page::default()
        }
    }

    fn locate(&self, now: Time, from: Position) -> u64 {
        match from {
            Position::Horizon => 0,
            Position::Latest => self.available(now),
            Position::At(time) if time > self.origin() => {
                let before = self.available(time);
                // The record at that very instant is included.
                before - u64::from(before > 0 && self.arrival(before - 1) >= time)
            }
            Position::At(_) => 0,
            Position::After(seq) => {
                let number = number_of(seq);
                // A later run goes on where the earlier one stood, instead of waiting for the pace to come
                // round to it again.
                let late = self.arrival(number).since(now);
                self.origin.fetch_sub(late.as_nanos(), Relaxed);
                number + 1
            }
            Position::End => u64::MAX,
        }
    }

    fn origin(&self) -> Time {
        Time::from_nanos(self.origin.load(Relaxed))
    }

    fn available(&self, now: Time) -> u64 {
        self.content.available(now.since(self.origin()))
    }

    fn arrival(&self, number: u64) -> Time {
        self.origin() + self.content.arrival(number)
    }
}

/// The text and the value of a record's sequence number.
fn sequence_number(shard: u32, number: u64) -> (String, Seq) {
    let text = format!("49{shard:0SHARD_DIGITS$}{number:0NUMBER_DIGITS$}");
    match text.parse() {
        Ok(seq) => (text, seq),
        Err(_) => unreachable!("56 digits that begin with 49 are below 2^192"),
    }
}

fn number_of(seq: Seq) -> u64 {
    let text = seq.to_string();
    let digits = text
        .get(text.len().saturating_sub(NUMBER_DIGITS)..)
        .unwrap_or("0");
    digits.parse().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::SourceKind;
    use crate::scenario::{Dist, Generated, Keys, LocalContent};

    fn stream(shards: u32, keys: Keys, now: Time) -> Stream {
        let generated = Generated {
            per_sec: 1_000.0,
            size: Dist::Constant(100.0),
            keys,
            count: Some(500),
            seed: 3,
        };
        let source = LocalSource {
            name: "clicks".to_owned(),
            kind: SourceKind::Kinesis,
            shards,
            visibility_timeout: Span::ZERO,
            max_receive_count: None,
            content: LocalContent::Generated(generated),
        };
        Stream::open(&source, now).expect("a stream")
    }

    fn sequences(page: &Page<Payload>) -> Vec<Seq> {
        page.records.iter().map(|record| record.meta.seq).collect()
    }

    #[test]
    fn a_position_gives_the_same_records_again() {
        let start = Time::from_secs(1_000);
        let stream = stream(1, Keys::Unique, start);
        let mut reader = stream.reader(0, "shardId-000000000000", "role");
        let now = start + Span::from_millis(100);
        let first = stream.read(
            &mut reader,
            now,
            Position::Horizon,
            10,
            Vec::new(),
            &Keep::default(),
        );
        assert_eq!(first.records.len(), 10);
        assert!(first.behind > Span::ZERO);
        let end = Position::After(first.end.expect("an end"));
        let second = stream.read(&mut reader, now, end, 1_000, Vec::new(), &Keep::default());
        assert_eq!(second.records.len(), 91);
        assert_eq!(second.behind, Span::ZERO);
        let mut again = stream.reader(0, "shardId-000000000000", "role");
        let repeated = stream.read(&mut again, now, end, 1_000, Vec::new(), &Keep::default());
        assert_eq!(repeated, second);
        let digits = first.records[0].meta.seq.to_string();
        assert_eq!(digits.len(), 56);
        let at = stream.arrival(50);
        let from_time = stream.read(
            &mut again,
            now,
            Position::At(at),
            1,
            Vec::new(),
            &Keep::default(),
        );
        assert_eq!(from_time.records[0].meta.seq, sequence_number(0, 50).1);
    }

    #[test]
    fn shards_share_the_records_and_end_together() {
        let start = Time::from_secs(1_000);
        let keys = Keys::Zipf { n: 50, s: 1.0 };
        let stream = stream(4, keys, start);
        let now = start + Span::from_secs(10);
        let mut all = Vec::new();
        for shard in 0..4 {
            let mut reader = stream.reader(shard, "s", "role");
            assert!(!stream.is_exhausted(&reader));
            let page = stream.read(
                &mut reader,
                now,
                Position::Horizon,
                10_000,
                Vec::new(),
                &Keep::default(),
            );
            assert!(sequences(&page).is_sorted());
            assert!(stream.is_exhausted(&reader));
            all.extend(page.records.iter().map(|record| number_of(record.meta.seq)));
        }
        all.sort_unstable();
        assert_eq!(all, (0..500).collect::<Vec<_>>());
    }

    #[test]
    fn a_later_run_does_not_wait_for_what_was_read_before() {
        let start = Time::from_secs(1_000);
        let stream = stream(1, Keys::Unique, start);
        let mut reader = stream.reader(0, "s", "role");
        let from = Position::After(sequence_number(0, 400).1);
        let page = stream.read(
            &mut reader,
            start,
            from,
            1_000,
            Vec::new(),
            &Keep::default(),
        );
        assert_eq!(page.records.len(), 0);
        let soon = start + Span::from_millis(2);
        let page = stream.read(&mut reader, soon, from, 1_000, Vec::new(), &Keep::default());
        assert_eq!(sequences(&page)[0], sequence_number(0, 401).1);
    }
}
