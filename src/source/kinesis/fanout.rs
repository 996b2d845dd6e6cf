//! Enhanced fan-out: a shard's records are pushed through SubscribeToShard.
//!
//! An event is taken from the connection only when the engine reads; what it has not asked for waits in the
//! connection, and at its sender. Every shard has a connection of its own, since unread events of one shard would
//! use up the window that HTTP/2 gives all streams of a connection together.

use super::super::aws::{call_error, classify};
use super::super::{CallError, Connection, Payload, Records};
use super::page::{Pages, sequence};
use super::subscription::{SILENCE, Step, Subscription};
use super::{Kinesis, ReadError, Reader, Start};
use crate::engine::{FailureClass, Page, Position, Span, Time};
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::error::SdkError;
use aws_sdk_kinesis::operation::subscribe_to_shard::{
    SubscribeToShardError, SubscribeToShardOutput,
};
use aws_sdk_kinesis::types::error::SubscribeToShardEventStreamError;
use aws_sdk_kinesis::types::{
    StartingPosition, SubscribeToShardEvent, SubscribeToShardEventStream,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use std::fmt;
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

const CALL: &str = "SubscribeToShard";

/// The consumer's side of one shard.
pub(super) struct Consumer {
    client: Client,
    live: Mutex<Live>,
}

#[derive(Default)]
struct Live {
    plan: Subscription,
    stream: Option<SubscribeToShardOutput>,
    /// An event of which there is more than the last page took.
    rest: Option<Rest>,
    behind: Span,
}

struct Rest {
    event: SubscribeToShardEvent,
    /// How many of its records are done.
    taken: usize,
}

impl fmt::Debug for Consumer {
    /// Without the records.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer").finish_non_exhaustive()
    }
}

/// How SubscribeToShard failed.
enum Refusal {
    Silent,
    Failed(Box<SdkError<SubscribeToShardError, HttpResponse>>),
}

impl From<SdkError<SubscribeToShardError, HttpResponse>> for Refusal {
    fn from(error: SdkError<SubscribeToShardError, HttpResponse>) -> Self {
        Self::Failed(Box::new(error))
    }
}

impl Consumer {
    pub(super) fn new(connection: &Connection) -> Self {
        Self {
            client: Client::from_conf(connection.kinesis_alone()),
            live: Mutex::default(),
        }
    }
}

impl Kinesis {
    /// The next event of the shard's subscription, or a part of it; an empty page when the subscription ended.
    pub(super) async fn next_event(
        &self,
        reader: &Reader,
        consumer: &Consumer,
        now: Time,
        from: Position,
        records_max: u32,
        records: Records,
    ) -> Result<Page<Payload>, ReadError> {
        let mut live = consumer.live.lock().await;
        let now = self.stand(reader, consumer, &mut live, now, from).await?;
        if live.rest.is_none() {
            match live.receive().await {
                Ok(Some(event)) => live.rest = Some(Rest { event, taken: 0 }),
                Ok(None) => {
                    live.end(now, None);
                    return Ok(live.nothing());
                }
                Err(error) => {
                    if live.end(now, Some(error.class)) {
                        tracing::debug!(shard = %reader.name, %error, "a subscription ended");
                        return Ok(live.nothing());
                    }
                    return Err(error.into());
                }
            }
        }
        let page = self.page_of(reader, &mut live, records_max, records);
        Ok(page.inspect_err(|error| {
            // What is left of the event is read again.
            live.end(now, Some(error.class));
        })?)
    }

    /// Sees to it that there is a subscription that stands at `from`; returns the moment at which it does.
    async fn stand(
        &self,
        reader: &Reader,
        consumer: &Consumer,
        live: &mut Live,
        mut now: Time,
        from: Position,
    ) -> Result<Time, ReadError> {
        while let Step::Subscribe {
            at,
            from: begin,
            latest,
        } = live.plan.next(now, from)
        {
            (live.stream, live.rest) = (None, None);
            if at > now {
                sleep(at.since(now).to_std()).await;
                now = at;
            }
            live.plan.asked(now);
            let start = self.start(begin, latest);
            match self.subscribe(reader, consumer, start).await {
                Ok(stream) => {
                    live.stream = Some(stream);
                    live.plan.subscribed(now, from);
                }
                Err(Refusal::Silent) => return Err(silent().into()),
                Err(Refusal::Failed(error)) => {
                    let kind = error.as_service_error();
                    let is_missing =
                        kind.is_some_and(SubscribeToShardError::is_resource_not_found_exception);
                    let is_refused =
                        kind.is_some_and(SubscribeToShardError::is_invalid_argument_exception);
                    let error = call_error(CALL, &*error);
                    if !(is_refused && live.plan.refused(from)) {
                        return Err(ReadError { error, is_missing });
                    }
                    self.warn_of_trim(reader, from, &error);
                }
            }
        }
        Ok(now)
    }

    async fn subscribe(
        &self,
        reader: &Reader,
        consumer: &Consumer,
        start: Start,
    ) -> Result<SubscribeToShardOutput, Refusal> {
        let start = StartingPosition::builder()
            .r#type(start.kind)
            .set_sequence_number(start.number)
            .set_timestamp(start.time)
            .build()
            .map_err(SdkError::construction_failure)?;
        let call = consumer
            .client
            .subscribe_to_shard()
            .consumer_arn(&self.arn.text)
            .shard_id(&*reader.name)
            .starting_position(start);
        match timeout(SILENCE.to_std(), call.send()).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(Refusal::Silent),
        }
    }

    /// A page of the event at hand: `records_max` records, and more only to finish an aggregate.
    fn page_of(
        &self,
        reader: &Reader,
        live: &mut Live,
        records_max: u32,
        records: Records,
    ) -> Result<Page<Payload>, CallError> {
        let Some(Rest { event, mut taken }) = live.rest.take() else {
            return Ok(live.nothing());
        };
        let waiting = &event.records[taken..];
        let mut pages = Pages::new(reader, CALL, waiting, records);
        let mut last = None;
        for record in waiting {
            if pages.len() >= records_max as usize {
                break;
            }
            self.see(&record.sequence_number);
            last = Some(pages.push_deaggregated(record)?);
            taken += 1;
        }
        let behind = u64::try_from(event.millis_behind_latest).unwrap_or(0);
        live.behind = Span::from_millis(behind);
        let is_whole = taken == event.records.len();
        let end = match last {
            Some(last) if !is_whole => live.plan.part(last),
            _ => {
                // AWS leaves the number out of the last event of a shard.
                let number = &event.continuation_sequence_number;
                self.see(number);
                let number = (!number.is_empty()).then(|| sequence(CALL, number));
                live.plan.event(last, number.transpose()?)
            }
        };
        let shard_end = is_whole && !event.child_shards().is_empty();
        if !is_whole {
            live.rest = Some(Rest { event, taken });
        }
        let content = pages.finish();
        Ok(Page {
            records: content.records,
            filtered: content.filtered,
            bytes: content.bytes,
            end,
            behind: live.behind,
            shard_end,
            ..Page::default()
        })
    }
}

impl Live {
    /// The next event; `None` when the service closed the stream, or says nothing any more.
    async fn receive(&mut self) -> Result<Option<SubscribeToShardEvent>, CallError> {
        let Some(output) = &mut self.stream else {
            return Ok(None);
        };
        loop {
            let Ok(received) = timeout(SILENCE.to_std(), output.event_stream.recv()).await else {
                return Ok(None);
            };
            match received {
                Ok(Some(SubscribeToShardEventStream::SubscribeToShardEvent(event))) => {
                    return Ok(Some(event));
                }
                // An event of a kind that came later than this program.
                Ok(Some(_)) => {}
                Ok(None) => return Ok(None),
                Err(error) => return Err(broken(&error)),
            }
        }
    }

    fn end(&mut self, now: Time, failure: Option<FailureClass>) -> bool {
        self.stream = None;
        self.plan.ended(now, failure)
    }

    /// A read that moved nothing.
    fn nothing(&self) -> Page<Payload> {
        Page {
            behind: self.behind,
            ..Page::default()
        }
    }
}

/// A failure in the middle of the stream. There is no status; the kind of the message tells what went wrong.
fn broken<R: fmt::Debug>(error: &SdkError<SubscribeToShardEventStreamError, R>) -> CallError {
    use SubscribeToShardEventStreamError as Kind;
    let Some(kind) = error.as_service_error() else {
        let mut text = error.to_string();
        let mut source = std::error::Error::source(error);
        // Not with its debugging form, which may hold the message.
        while let Some(error) = source {
            text = format!("{text}: {error}");
            source = error.source();
        }
        return CallError {
            class: FailureClass::Transient,
            call: CALL,
            text,
        };
    };
    let name = match kind {
        Kind::ResourceNotFoundException(_) => "ResourceNotFound",
        Kind::ResourceInUseException(_) => "ResourceInUse",
        Kind::KmsDisabledException(_) => "KMSDisabled",
        Kind::KmsInvalidStateException(_) => "KMSInvalidState",
        Kind::KmsAccessDeniedException(_) => "KMSAccessDenied",
        Kind::KmsNotFoundException(_) => "KMSNotFound",
        Kind::KmsOptInRequired(_) => "KMSOptInRequired",
        Kind::KmsThrottlingException(_) => "KMSThrottling",
        _ => kind.code().unwrap_or("InternalFailure"),
    };
    CallError {
        class: classify(Some(name), None),
        call: CALL,
        text: match kind.message() {
            Some(message) => format!("{name}: {message}"),
            None => name.to_owned(),
        },
    }
}

fn silent() -> CallError {
    CallError {
        class: FailureClass::Transient,
        call: CALL,
        text: format!("no answer within {SILENCE}"),
    }
}

#[cfg(test)]
#[path = "fanout_tests.rs"]
mod tests;
