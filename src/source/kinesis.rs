//! Kinesis streams, read by polling.

use super::aws::call_error;
use super::{AwsError, CallError, Connection, Keep, ListedShard, PageBuffer, Payload, Records};
use crate::engine::{FailureClass, Meta, Page, Position, Record, Span, Time, stream_key};
use crate::poll::encode::{KinesisRecord, KinesisShape};
use crate::scenario::{Arn, Aws};
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::error::SdkError;
use aws_sdk_kinesis::operation::get_records::{GetRecordsError, GetRecordsOutput};
use aws_sdk_kinesis::primitives::DateTime;
use aws_sdk_kinesis::types::ShardIteratorType;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use std::sync::{Arc, Mutex, PoisonError};

/// Pages of ListShards: at a thousand shards each, more than any stream has.
const LIST_PAGES_MAX: u32 = 1_000;
/// A record's JSON beside its data, in bytes; only a guess for the first allocation.
const OVERHEAD_GUESS: usize = 700;

/// A stream of the service, or of a server that speaks its interface.
#[derive(Debug)]
pub struct Kinesis {
    client: Client,
    arn: Arn,
    /// Named by ARN on AWS; by name elsewhere, where servers may not know the ARN parameter.
    by_arn: bool,
    role: String,
}

/// Reads one shard, and keeps its iterator.
#[derive(Debug)]
pub struct Reader {
    name: Arc<str>,
    shape: KinesisShape,
    live: Mutex<Live>,
}

#[derive(Debug, Default)]
struct Live {
    /// Where the iterator stands, and the iterator.
    iterator: Option<(Position, String)>,
    /// What `Latest` meant when it was first asked for: a lost iterator must not skip what came since.
    latest: Option<Time>,
}

impl Kinesis {
    /// A client for the stream; no call is made yet. `role` is shown to functions as their execution role.
    ///
    /// # Errors
    /// When there is no region.
    pub async fn open(
        arn: &Arn,
        endpoint_url: Option<&str>,
        aws: &Aws,
        role: &str,
    ) -> Result<Self, AwsError> {
        let connection = Connection::open(aws, endpoint_url, Some(&arn.region)).await?;
        Ok(Self {
            client: Client::from_conf(connection.kinesis()),
            arn: arn.clone(),
            by_arn: endpoint_url.is_none(),
            role: role.to_owned(),
        })
    }

    /// All shards that the stream still lists, closed ones included.
    ///
    /// # Errors
    /// When a call failed.
    pub async fn shards(&self) -> Result<Vec<ListedShard>, CallError> {
        let mut listed = Vec::new();
        let mut token = None;
        for _ in 0..LIST_PAGES_MAX {
            let call = self.client.list_shards();
            let call = match token.take() {
                Some(token) => call.next_token(token),
                None if self.by_arn => call.stream_arn(&self.arn.text),
                None => call.stream_name(&self.arn.name),
            };
            let output = call
                .send()
                .await
                .map_err(|error| call_error("ListShards", &error))?;
            for shard in output.shards() {
                let parents = [shard.parent_shard_id(), shard.adjacent_parent_shard_id()];
                listed.push(ListedShard {
                    name: Arc::from(shard.shard_id()),
                    parents: parents.into_iter().flatten().map(Arc::from).collect(),
                    closed: shard
                        .sequence_number_range()
                        .is_some_and(|range| range.ending_sequence_number().is_some()),
                });
            }
            token = output.next_token;
            if token.is_none() {
                return Ok(listed);
            }
        }
        Err(CallError {
            class: FailureClass::Transient,
            call: "ListShards",
            text: format!("the list has more than {LIST_PAGES_MAX} pages"),
        })
    }

    /// A reader of the shard `name`.
    pub fn reader(&self, name: &Arc<str>) -> Reader {
        Reader {
            name: name.clone(),
            shape: KinesisShape::new(name, &self.role, &self.arn.region, &self.arn.text),
            live: Mutex::new(Live::default()),
        }
    }

    /// Reads at most `records_max` records from `from` on, and leaves out those that `keep` does not admit. The live
    /// iterator is used when it stands there.
    ///
    /// # Errors
    /// When a call failed. An iterator that expired is replaced once before that is an error.
    pub async fn read(
        &self,
        reader: &Reader,
        now: Time,
        from: Position,
        records_max: u32,
        records: Records,
        keep: &Keep,
    ) -> Result<Page<Payload>, CallError> {
        let (live, latest) = {
            let mut state = reader.lock();
            let latest = state.latest;
            if from == Position::Latest {
                state.latest.get_or_insert(now);
            }
            (state.iterator.take(), latest)
        };
        let mut iterator = match live {
            Some((at, iterator)) if at == from => iterator,
            _ => self.iterator(reader, from, latest).await?,
        };
        let mut answer = self.get_records(&iterator, records_max).await;
        if answer.as_ref().is_err_and(is_expired) {
            iterator = self.iterator(reader, from, latest.or(Some(now))).await?;
            answer = self.get_records(&iterator, records_max).await;
        }
        match answer {
            Ok(output) => reader.page(from, output, records, keep),
            Err(error) => {
                // The iterator is still good: a throttled read goes on with it.
                if !is_expired(&error) {
                    reader.lock().iterator = Some((from, iterator));
                }
                Err(call_error("GetRecords", &error))
            }
        }
    }

    async fn get_records(
        &self,
        iterator: &str,
        records_max: u32,
    ) -> Result<GetRecordsOutput, SdkError<GetRecordsError, HttpResponse>> {
        let call = self.client.get_records().shard_iterator(iterator);
        let call = if self.by_arn {
            call.stream_arn(&self.arn.text)
        } else {
            call
        };
        call.limit(i32::try_from(records_max).unwrap_or(i32::MAX))
            .send()
            .await
    }

    /// A new iterator; `latest` is what `Latest` meant, if it was asked for before.
    async fn iterator(
        &self,
        reader: &Reader,
        from: Position,
        latest: Option<Time>,
    ) -> Result<String, CallError> {
        let call = self
            .client
            .get_shard_iterator()
            .shard_id(reader.name.as_ref());
        let call = if self.by_arn {
            call.stream_arn(&self.arn.text)
        } else {
            call.stream_name(&self.arn.name)
        };
        let at = |time: Time| {
            let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
            DateTime::from_millis(millis)
        };
        let call = match (from, latest) {
            (Position::Horizon, _) => call.shard_iterator_type(ShardIteratorType::TrimHorizon),
            (Position::Latest, Some(since)) => call
                .shard_iterator_type(ShardIteratorType::AtTimestamp)
                .timestamp(at(since)),
            (Position::Latest, None) => call.shard_iterator_type(ShardIteratorType::Latest),
            (Position::At(time), _) => call
                .shard_iterator_type(ShardIteratorType::AtTimestamp)
                .timestamp(at(time)),
            (Position::After(seq), _) => call
                .shard_iterator_type(ShardIteratorType::AfterSequenceNumber)
                .starting_sequence_number(seq.to_string()),
            (Position::End, _) => unreachable!("a finished shard is not read"),
        };
        let output = call
            .send()
            .await
            .map_err(|error| call_error("GetShardIterator", &error))?;
        output.shard_iterator.ok_or_else(|| CallError {
            class: FailureClass::Transient,
            call: "GetShardIterator",
            text: "the answer has no iterator".to_owned(),
        })
    }
}

fn is_expired(error: &SdkError<GetRecordsError, HttpResponse>) -> bool {
    error
        .as_service_error()
        .is_some_and(GetRecordsError::is_expired_iterator_exception)
}

impl Reader {
    fn page(
        &self,
        from: Position,
        output: GetRecordsOutput,
        mut records: Records,
        keep: &Keep,
    ) -> Result<Page<Payload>, CallError> {
        let lengths = output
            .records
            .iter()
            .map(|record| record.data.as_ref().len() * 4 / 3 + OVERHEAD_GUESS);
        // What filters leave out needs no room, and nobody knows how much that is.
        let guess = if keep.is_everything() {
            lengths.sum()
        } else {
            0
        };
        let mut buffer = PageBuffer::with_capacity(guess);
        let mut bytes = 0;
        let mut end = None;
        let mut filtered = 0;
        for record in &output.records {
            let seq = record.sequence_number.parse().map_err(|error| CallError {
                class: FailureClass::Denied,
                call: "GetRecords",
                text: format!("`{}`: {error}", record.sequence_number),
            })?;
            let key = record.partition_key().unwrap_or_default();
            let data = record.data.as_ref();
            let arrival = record
                .approximate_arrival_timestamp
                .as_ref()
                .map_or(Time::ZERO, time);
            bytes += (data.len() + key.len()) as u64;
            // Rule `stream-filtered-moves-checkpoint`: the page covers what its filters leave out.
            end = Some(seq);
            let view = KinesisRecord {
                partition_key: key,
                sequence: &record.sequence_number,
                data,
                arrival_ms: arrival.as_millis(),
            };
            let encoded = keep.push(&mut buffer, Some(data), |out| self.shape.encode(out, &view));
            let Some(wire_len) = encoded else {
                filtered += 1;
                continue;
            };
            let meta = Meta {
                seq,
                group: stream_key(0, key),
                arrival,
                wire_len,
            };
            let payload = Payload {
                json: bytes::Bytes::new(),
                receipt: String::new(),
            };
            records.push(Record { meta, payload });
        }
        buffer.hand_out(&mut records);
        let at = end.map_or(from, Position::After);
        let shard_end = output.next_shard_iterator.is_none();
        self.lock().iterator = output.next_shard_iterator.map(|iterator| (at, iterator));
        let behind = output.millis_behind_latest.unwrap_or(0);
        Ok(Page {
            records,
            filtered,
            bytes,
            end,
            behind: Span::from_millis(u64::try_from(behind).unwrap_or(0)),
            shard_end,
            ..Page::default()
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The service sends seconds with three decimals, which arrive as a binary fraction: a little below the
/// millisecond as often as above it.
fn time(date: &DateTime) -> Time {
    let millis = (date.as_nanos() + 500_000) / 1_000_000;
    Time::from_millis(u64::try_from(millis).unwrap_or(0))
}

#[cfg(test)]
#[path = "kinesis_tests.rs"]
mod tests;
