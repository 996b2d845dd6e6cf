//! Kinesis streams: read by polling, or pushed to a consumer of enhanced fan-out.

mod fanout;
mod page;
mod shared;
mod subscription;

use super::aws::call_error;
use super::{AwsError, CallError, Connection, Keep, ListedShard, Payload, Records};
use crate::engine::{FailureClass, Page, Position, Time};
use crate::poll::encode::KinesisShape;
use crate::scenario::{Arn, Aws};
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::DateTime;
use aws_sdk_kinesis::types::ShardIteratorType;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Pages of ListShards: at a thousand shards each, more than any stream has.
const LIST_PAGES_MAX: u32 = 1_000;

/// A stream of the service, or of a server that speaks its interface.
#[derive(Debug)]
pub struct Kinesis {
    connection: Connection,
    client: Client,
    arn: Arn,
    /// Named by ARN on AWS; by name elsewhere, where servers may not know the ARN parameter.
    by_arn: bool,
    role: String,
    /// Digits of the stream's sequence numbers where the server pads them; AWS does not.
    width: AtomicUsize,
}

/// Reads one shard.
#[derive(Debug)]
pub struct Reader {
    name: Arc<str>,
    shape: KinesisShape,
    keep: Arc<Keep>,
    way: Way,
}

#[derive(Debug)]
enum Way {
    Shared(shared::Iterators),
    FanOut(Box<fanout::Consumer>),
}

/// A read that failed.
struct ReadError {
    error: CallError,
    /// The service does not know the shard, or the stream.
    is_missing: bool,
}

impl From<CallError> for ReadError {
    fn from(error: CallError) -> Self {
        Self {
            error,
            is_missing: false,
        }
    }
}

impl Kinesis {
    /// A client for the stream, or for the consumer of it that `arn` names; no call is made yet. `role` is shown to
    /// functions as their execution role.
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
            connection,
            arn: arn.clone(),
            by_arn: endpoint_url.is_none(),
            role: role.to_owned(),
            width: AtomicUsize::new(0),
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
                None if self.by_arn => call.stream_arn(self.arn.of_stream()),
                None => call.stream_name(&self.arn.name),
            };
            let output = call
                .send()
                .await
                .map_err(|error| call_error("ListShards", &error))?;
            for shard in output.shards() {
                let parents = [shard.parent_shard_id(), shard.adjacent_parent_shard_id()];
                let range = shard.sequence_number_range();
                if let Some(range) = range {
                    self.see(range.starting_sequence_number());
                }
                listed.push(ListedShard {
                    name: Arc::from(shard.shard_id()),
                    parents: parents.into_iter().flatten().map(Arc::from).collect(),
                    closed: range.is_some_and(|range| range.ending_sequence_number().is_some()),
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

    /// A reader of the shard `name`, which leaves out what `keep` does not admit.
    pub fn reader(&self, name: &Arc<str>, keep: &Arc<Keep>) -> Reader {
        Reader {
            name: name.clone(),
            // Rule `kinesis-fan-out-arn`: the ARN as the mapping names it, with the consumer.
            shape: KinesisShape::new(name, &self.role, &self.arn.region, &self.arn.text),
            keep: keep.clone(),
            way: match self.arn.consumer {
                None => Way::Shared(shared::Iterators::default()),
                Some(_) => Way::FanOut(Box::new(fanout::Consumer::new(&self.connection))),
            },
        }
    }

    /// Reads about `records_max` records from `from` on. A live iterator or subscription is used when it stands there.
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
    ) -> Result<Page<Payload>, CallError> {
        let result = match &reader.way {
            Way::Shared(iterators) => {
                self.poll(reader, iterators, now, from, records_max, records)
                    .await
            }
            Way::FanOut(consumer) => {
                self.next_event(reader, consumer, now, from, records_max, records)
                    .await
            }
        };
        match result {
            Ok(page) => Ok(page),
            Err(ReadError { error, is_missing }) if is_missing => self.missing(reader, error).await,
            Err(ReadError { error, .. }) => Err(error),
        }
    }

    /// Rule `kinesis-vanished-shard`: what the stream no longer lists has nothing left to read, and its children
    /// must not wait for it for ever.
    async fn missing(&self, reader: &Reader, error: CallError) -> Result<Page<Payload>, CallError> {
        match self.shards().await {
            Ok(listed) if !listed.is_empty() && !listed.iter().any(|it| it.name == reader.name) => {
                tracing::error!(
                    stream = self.arn.name, shard = %reader.name, %error,
                    "the stream has dropped the shard: what was not read of it is lost; going on with its children"
                );
                Ok(Page {
                    shard_end: true,
                    ..Page::default()
                })
            }
            _ => Err(error),
        }
    }

    /// Notes how a server writes its sequence numbers.
    fn see(&self, number: &str) {
        if number.starts_with('0') {
            self.width.fetch_max(number.len(), Ordering::Relaxed);
        }
    }

    /// `latest` is what LATEST meant, if it was asked for before: a later start must not skip what came since.
    fn start(&self, from: Position, latest: Option<Time>) -> Start {
        use ShardIteratorType as Type;
        let at = |time: Time| {
            let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
            Some(DateTime::from_millis(millis))
        };
        let (kind, number, time) = match (from, latest) {
            (Position::Horizon, _) => (Type::TrimHorizon, None, None),
            (Position::Latest, None) => (Type::Latest, None, None),
            (Position::Latest, Some(time)) | (Position::At(time), _) => {
                (Type::AtTimestamp, None, at(time))
            }
            (Position::After(seq), _) => {
                // Servers that compare numbers as texts want theirs back as they wrote it.
                let width = self.width.load(Ordering::Relaxed);
                let number = format!("{:0>width$}", seq.to_string());
                (Type::AfterSequenceNumber, Some(number), None)
            }
            (Position::End, _) => unreachable!("a finished shard is not read"),
        };
        Start { kind, number, time }
    }

    /// Rule `kinesis-trimmed-position`: AWS itself answers a position that has expired with the oldest record; where
    /// a server refuses it, reading goes on there too.
    fn warn_of_trim(&self, reader: &Reader, from: Position, error: &CallError) {
        tracing::error!(
            stream = self.arn.name, shard = %reader.name, ?from, %error,
            "the stored position is refused: going on at the oldest record; what expired before it is lost, and \
             records may be delivered again"
        );
    }
}

/// Where an iterator or a subscription begins.
struct Start {
    kind: ShardIteratorType,
    number: Option<String>,
    time: Option<DateTime>,
}
