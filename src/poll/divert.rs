//! Telling a destination of records that are given up.

use crate::destination::{
    BatchInfo, Cluster, Destination, GivenUp, InvocationRecord, KafkaBatch, MappingFacts,
    RecordRange, ResponseContext,
};
use crate::engine::{
    BatchId, Event, Failure, FailureClass, Mapping, Record, ShardId, SourceKind, Time, Token,
};
use crate::poll::effects::{Input, Io};
use crate::poll::encode;
use crate::poll::feed::Feed;
use crate::poll::shards::ShardBook;
use crate::source::Payload;
use bytes::Bytes;
use std::sync::Arc;

/// A mapping's way out for records that are given up.
#[derive(Debug)]
pub(crate) struct Outlet {
    pub(crate) destination: Destination,
    pub(crate) source: SourceKind,
    pub(crate) facts: MappingFacts,
}

impl Io {
    pub(super) fn divert(
        &mut self,
        now: Time,
        mapping: &Mapping<Payload>,
        token: Token,
        batch: BatchId,
        failure: Failure,
    ) -> Option<Event<Payload>> {
        let records = mapping.batch(batch);
        let Some(outlet) = self.outlet.clone() else {
            // Only for a mapping that was given a destination while it runs: nobody can be told.
            tracing::error!(mapping = %self.name, "the on-failure destination was not opened");
            let class = FailureClass::Denied;
            return Some(Event::Failed { token, class });
        };
        let record = self.invocation_record(now, &outlet, records, &failure);
        let name = self.name.clone();
        self.tasks.spawn(async move {
            Input::Event(match outlet.destination.deliver(&record).await {
                Ok(()) => Event::Done { token },
                Err(error) => {
                    let class = error.class;
                    tracing::warn!(
                        mapping = %name, shard = %record.batch.shard, request = record.request_id, ?class, %error,
                        "the on-failure destination did not take an invocation record"
                    );
                    Event::Failed { token, class }
                }
            })
        });
        None
    }

    fn invocation_record(
        &mut self,
        now: Time,
        outlet: &Outlet,
        records: &[Record<Payload>],
        failure: &Failure,
    ) -> InvocationRecord {
        let metas = records.iter().map(|record| &record.meta);
        let request = self.request_id(metas, failure.window);
        let kafka = match &self.feed {
            Feed::Kafka(kafka) => Some(kafka),
            _ => None,
        };
        // Every record of Kafka says how large the event was.
        let payload = if let Some(kafka) = kafka {
            kafka.shape().event(records)
        } else if outlet.destination.wants_payload() {
            let shard = self.book.name(failure.shard);
            let frame = failure.window.map(|call| self.windows.frame(call, shard));
            encode::event(records, frame.as_ref())
        } else {
            Bytes::new()
        };
        // Rule `destination-no-response-context`: the engine has an answer only where the function gave one.
        let response = failure.answer.map(|answer| ResponseContext {
            executed_version: self.executed_version.clone(),
            answer,
        });
        InvocationRecord {
            request_id: request.to_string(),
            function_arn: outlet.facts.function_arn.clone(),
            condition: failure.condition,
            invoke_count: failure.invoke_count,
            response,
            at: now,
            batch: BatchInfo {
                source: outlet.source,
                shard: self.book.name(failure.shard).clone(),
                stream_arn: outlet.facts.source_arn.clone(),
                records: range(records),
                kafka: kafka
                    .map(|_| kafka_batch(&self.book, outlet.facts.cluster.as_deref(), records)),
            },
            window: failure.window,
            payload,
        }
    }
}

/// The records of each partition together, which stand side by side.
fn kafka_batch(
    book: &ShardBook,
    cluster: Option<&Cluster>,
    records: &[Record<Payload>],
) -> KafkaBatch {
    let runs = records.chunk_by(|a, b| a.meta.group == b.meta.group);
    let partitions = runs.filter_map(|run| {
        let shard = ShardId(u32::try_from(run[0].meta.group).unwrap_or(u32::MAX));
        Some((book.name(shard).clone(), range(run)?))
    });
    let given_up = records.iter().map(|record| GivenUp {
        offset: record.meta.seq.low_u64(),
        at: record.meta.arrival,
        json: record.payload.json.clone(),
    });
    let source = cluster.map(|cluster| &cluster.source);
    let arn = source.and_then(|source| source.arn.as_ref());
    KafkaBatch {
        cluster_arn: arn.map(|arn| Arc::from(arn.text.as_str())),
        bootstrap: source.map_or_else(|| Arc::from(""), |it| Arc::from(it.servers.join(","))),
        partitions: partitions.collect(),
        records: given_up.collect(),
    }
}

fn range(records: &[Record<Payload>]) -> Option<RecordRange> {
    let (first, last) = (records.first()?, records.last()?);
    Some(RecordRange {
        first: first.meta.seq,
        last: last.meta.seq,
        first_arrival: first.meta.arrival,
        last_arrival: last.meta.arrival,
        count: u32::try_from(records.len()).unwrap_or(u32::MAX),
    })
}
