//! DynamoDB streams.

use super::aws::call_error;
use super::{AwsError, CallError, Connection, Keep, ListedShard, PageBuffer, Payload, Records};
use crate::engine::{FailureClass, Meta, Page, Position, Seq, Span, Time, limits, stream_key};
use crate::poll::encode::{DynamoDbShape, item_key};
use crate::scenario::{Arn, Aws};
use aws_sdk_dynamodbstreams::Client;
use aws_sdk_dynamodbstreams::error::SdkError;
use aws_sdk_dynamodbstreams::operation::get_records::{GetRecordsError, GetRecordsOutput};
use aws_sdk_dynamodbstreams::operation::get_shard_iterator::GetShardIteratorError;
use aws_sdk_dynamodbstreams::types::{Record, ShardIteratorType, StreamRecord};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use std::sync::{Arc, Mutex, PoisonError};

/// Pages of DescribeStream, at a hundred shards each: more than a day of any stream has.
const LIST_PAGES_MAX: u32 = 1_000;
/// A record's JSON beside what SizeBytes counts, in bytes; only a guess for the first allocation.
const OVERHEAD_GUESS: usize = 600;
/// The API takes no shorter sequence numbers; shorter ones have zeros in front, which the engine does not keep.
const SEQUENCE_DIGITS_MIN: usize = 21;

/// A stream of a table, on AWS or in a server that speaks its interface.
#[derive(Debug)]
pub struct DynamoDb {
    client: Client,
    arn: Arn,
}

/// Reads one shard, and keeps its iterator.
#[derive(Debug)]
pub struct Reader {
    name: Arc<str>,
    shape: DynamoDbShape,
    keep: Arc<Keep>,
    live: Mutex<Live>,
}

#[derive(Debug, Default)]
struct Live {
    cursor: Option<Cursor>,
    /// What `Latest` meant when it was first asked for: a lost iterator must not skip what came since.
    latest: Option<Time>,
}

/// An iterator and the position that it stands for.
#[derive(Debug)]
struct Cursor {
    from: Position,
    iterator: String,
    /// Records that were created before this come before `from`, and are skipped.
    since: Option<Time>,
}

impl DynamoDb {
    /// A client for the stream; no call is made yet.
    ///
    /// # Errors
    /// When there is no region.
    pub async fn open(arn: &Arn, endpoint_url: Option<&str>, aws: &Aws) -> Result<Self, AwsError> {
        let connection = Connection::open(aws, endpoint_url, Some(&arn.region)).await?;
        Ok(Self {
            client: Client::from_conf(connection.dynamodb_streams()),
            arn: arn.clone(),
        })
    }

    /// All shards that the stream still lists, closed ones included.
    ///
    /// # Errors
    /// When a call failed.
    pub async fn shards(&self) -> Result<Vec<ListedShard>, CallError> {
        let mut listed = Vec::new();
        let mut after = None;
        for _ in 0..LIST_PAGES_MAX {
            let output = self
                .client
                .describe_stream()
                .stream_arn(&self.arn.text)
                .set_exclusive_start_shard_id(after.take())
                .send()
                .await
                .map_err(|error| call_error("DescribeStream", &error))?;
            let Some(stream) = output.stream_description else {
                return Err(transient("DescribeStream", "the answer has no description"));
            };
            for shard in stream.shards() {
                listed.push(ListedShard {
                    name: Arc::from(shard.shard_id().unwrap_or_default()),
                    parents: shard.parent_shard_id().map(Arc::from).into_iter().collect(),
                    closed: shard
                        .sequence_number_range()
                        .is_some_and(|range| range.ending_sequence_number().is_some()),
                });
            }
            after = stream.last_evaluated_shard_id;
            if after.is_none() {
                return Ok(listed);
            }
        }
        Err(transient("DescribeStream", "the list does not end"))
    }

    /// A reader of the shard `name`, which leaves out what `keep` does not admit.
    pub fn reader(&self, name: &Arc<str>, keep: &Arc<Keep>) -> Reader {
        Reader {
            name: name.clone(),
            shape: DynamoDbShape::new(&self.arn.region, &self.arn.text),
            keep: keep.clone(),
            live: Mutex::new(Live::default()),
        }
    }

    /// Reads at most `records_max` records from `from` on, a thousand at most. The live iterator is used when it
    /// stands there.
    ///
    /// # Errors
    /// When a call failed. An iterator that expired, or that stands at trimmed records, is replaced once before that
    /// is an error.
    pub async fn read(
        &self,
        reader: &Reader,
        now: Time,
        from: Position,
        records_max: u32,
        records: Records,
    ) -> Result<Page<Payload>, CallError> {
        let (live, latest) = {
            let mut state = reader.lock();
            let latest = state.latest;
            if from == Position::Latest {
                state.latest.get_or_insert(now);
            }
            (state.cursor.take(), latest)
        };
        let mut cursor = match live {
            Some(cursor) if cursor.from == from => cursor,
            _ => self.cursor(reader, from, latest).await?,
        };
        let limit = records_max.min(limits::DYNAMODB_PAGE_RECORDS_MAX);
        let mut answer = self.get_records(&cursor.iterator, limit).await;
        let lost = answer.as_ref().err().and_then(Lost::of);
        if let Some(lost) = lost {
            cursor = match lost {
                Lost::Expired => self.cursor(reader, from, latest.or(Some(now))).await?,
                Lost::Trimmed => self.after_trim(reader, from, cursor.since).await?,
            };
            answer = self.get_records(&cursor.iterator, limit).await;
        }
        match answer {
            Ok(output) => reader.page(cursor, now, limit, output, records),
            Err(error) => {
                // The iterator is still good: a throttled read goes on with it.
                if Lost::of(&error).is_none() {
                    reader.lock().cursor = Some(cursor);
                }
                Err(call_error("GetRecords", &error))
            }
        }
    }

    async fn get_records(
        &self,
        iterator: &str,
        limit: u32,
    ) -> Result<GetRecordsOutput, SdkError<GetRecordsError, HttpResponse>> {
        self.client
            .get_records()
            .shard_iterator(iterator)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .send()
            .await
    }

    /// A new iterator; `latest` is what `Latest` meant, if it was asked for before.
    ///
    /// Rule `dynamodb-latest`: the service cannot start at an instant. So a `Latest` that is no longer now, in this run or
    /// as [`Position::At`] after a restart, is read from the oldest record on, and what was created before the minute of
    /// that instant is skipped. The minute, not the second: creation times are approximate and may be rounded down to it,
    /// and the service's clock is not ours. Records may come that `Latest` would have left out; none is missed.
    async fn cursor(
        &self,
        reader: &Reader,
        from: Position,
        latest: Option<Time>,
    ) -> Result<Cursor, CallError> {
        let (kind, since, after) = match (from, latest) {
            (Position::Horizon, _) => (ShardIteratorType::TrimHorizon, None, None),
            (Position::Latest, None) => (ShardIteratorType::Latest, None, None),
            (Position::Latest, Some(instant)) | (Position::At(instant), _) => {
                let since = Some(minute(instant));
                (ShardIteratorType::TrimHorizon, since, None)
            }
            (Position::After(seq), _) => {
                let digits = seq.to_string();
                let after = format!("{digits:0>SEQUENCE_DIGITS_MIN$}");
                (ShardIteratorType::AfterSequenceNumber, None, Some(after))
            }
            (Position::End, _) => unreachable!("a finished shard is not read"),
        };
        match self.iterator(reader, kind, after).await {
            Ok(iterator) => Ok(Cursor {
                from,
                iterator,
                since,
            }),
            Err(error) if is_trimmed(&error) => self.after_trim(reader, from, since).await,
            Err(error) => Err(call_error("GetShardIterator", &error)),
        }
    }

    /// Rule `dynamodb-trimmed`: a position that the service has trimmed goes on at the oldest record that is left.
    async fn after_trim(
        &self,
        reader: &Reader,
        from: Position,
        since: Option<Time>,
    ) -> Result<Cursor, CallError> {
        tracing::warn!(
            stream = self.arn.text, shard = %reader.name, position = ?from,
            "the stream no longer has the records at this position: reading goes on at the oldest one that the \
             shard has, and what was between them is lost"
        );
        let iterator = self
            .iterator(reader, ShardIteratorType::TrimHorizon, None)
            .await
            .map_err(|error| call_error("GetShardIterator", &error))?;
        Ok(Cursor {
            from,
            iterator,
            since,
        })
    }

    async fn iterator(
        &self,
        reader: &Reader,
        kind: ShardIteratorType,
        after: Option<String>,
    ) -> Result<String, SdkError<GetShardIteratorError, HttpResponse>> {
        let output = self
            .client
            .get_shard_iterator()
            .stream_arn(&self.arn.text)
            .shard_id(reader.name.as_ref())
            .shard_iterator_type(kind)
            .set_sequence_number(after)
            .send()
            .await?;
        // An answer without an iterator, which the service never gives, is refused by the read that follows.
        Ok(output.shard_iterator.unwrap_or_default())
    }
}

/// Why an iterator is of no use any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lost {
    /// It was not used for 15 minutes.
    Expired,
    /// The records where it stands are older than a day and gone.
    Trimmed,
}

impl Lost {
    fn of(error: &SdkError<GetRecordsError, HttpResponse>) -> Option<Self> {
        match error.as_service_error()? {
            GetRecordsError::ExpiredIteratorException(_) => Some(Self::Expired),
            GetRecordsError::TrimmedDataAccessException(_) => Some(Self::Trimmed),
            _ => None,
        }
    }
}

fn is_trimmed(error: &SdkError<GetShardIteratorError, HttpResponse>) -> bool {
    error
        .as_service_error()
        .is_some_and(GetShardIteratorError::is_trimmed_data_access_exception)
}

impl Reader {
    /// The page in an answer to a read with `cursor` that began at `now`.
    fn page(
        &self,
        cursor: Cursor,
        now: Time,
        limit: u32,
        output: GetRecordsOutput,
        mut records: Records,
    ) -> Result<Page<Payload>, CallError> {
        let read = output.records();
        let sizes = || read.iter().map(size);
        let bytes: u64 = sizes().sum();
        let guess = bytes + (read.len() * OVERHEAD_GUESS) as u64;
        let mut buffer = PageBuffer::with_capacity(usize::try_from(guess).unwrap_or(0));
        let mut since = cursor.since;
        let mut end = None;
        let mut filtered = 0;
        for record in read {
            let arrival = created(record);
            if since.is_some_and(|since| arrival < since) {
                continue;
            }
            since = None;
            let number = sequence(record)?;
            // Rule `stream-filtered-moves-checkpoint`: the page covers what its filters leave out.
            end = Some(number);
            let Some(meta) = self.push(&mut buffer, record, number, arrival)? else {
                filtered += 1;
                continue;
            };
            let payload = Payload {
                json: bytes::Bytes::new(),
                receipt: String::new(),
            };
            records.push(crate::engine::Record { meta, payload });
        }
        buffer.hand_out(&mut records);
        let shard_end = output.next_shard_iterator.is_none();
        let largest = sizes().max().unwrap_or(0);
        let is_full = read.len() >= limit as usize
            || bytes + largest > limits::DYNAMODB_PAGE_BYTES_MAX
            || (since.is_some() && !read.is_empty());
        let behind = match read.last() {
            Some(last) if is_full && !shard_end => now.since(created(last)),
            _ => Span::ZERO,
        };
        // As long as records are skipped, the position stays: a checkpoint in their midst would forget to skip the rest.
        self.lock().cursor = output.next_shard_iterator.map(|iterator| Cursor {
            from: end.map_or(cursor.from, Position::After),
            iterator,
            since,
        });
        Ok(Page {
            records,
            filtered,
            bytes,
            end,
            behind,
            shard_end,
            ..Page::default()
        })
    }

    /// Encodes a record; `None` for one that the filters leave out.
    fn push(
        &self,
        buffer: &mut PageBuffer,
        record: &Record,
        seq: Seq,
        arrival: Time,
    ) -> Result<Option<Meta>, CallError> {
        let mut result = Ok(());
        let encode = |out: &mut Vec<u8>| result = self.shape.encode(out, record);
        let kept = self.keep.push(buffer, None, encode);
        // Rule `dynamodb-order-per-item`: what has the same key stays in order.
        let mut key = Vec::new();
        result
            .and_then(|()| item_key(&mut key, record))
            .map_err(|error| denied(format!("record {seq}: {error}")))?;
        Ok(kept.map(|wire_len| Meta {
            seq,
            group: stream_key(0, &String::from_utf8_lossy(&key)),
            arrival,
            wire_len,
        }))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn denied(text: String) -> CallError {
    CallError {
        class: FailureClass::Denied,
        call: "GetRecords",
        text,
    }
}

fn sequence(record: &Record) -> Result<Seq, CallError> {
    let number = record.dynamodb().and_then(StreamRecord::sequence_number);
    let number = number.unwrap_or_default();
    number
        .parse()
        .map_err(|error| denied(format!("`{number}`: {error}")))
}

/// When the service made the record, in whole seconds (rule `dynamodb-whole-seconds`).
fn created(record: &Record) -> Time {
    let created = record
        .dynamodb()
        .and_then(StreamRecord::approximate_creation_date_time);
    let secs = created.map_or(0, |created| created.secs());
    Time::from_secs(u64::try_from(secs).unwrap_or(0))
}

/// SizeBytes.
fn size(record: &Record) -> u64 {
    let size = record.dynamodb().and_then(StreamRecord::size_bytes);
    size.map_or(0, |size| u64::try_from(size).unwrap_or(0))
}

/// The beginning of the minute of `instant`.
const fn minute(instant: Time) -> Time {
    let secs = instant.as_millis() / 1_000;
    Time::from_secs(secs - secs % 60)
}

fn transient(call: &'static str, text: &str) -> CallError {
    CallError {
        class: FailureClass::Transient,
        call,
        text: text.to_owned(),
    }
}

#[cfg(test)]
#[path = "dynamodb_tests.rs"]
mod tests;
