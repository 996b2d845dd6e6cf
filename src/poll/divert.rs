//! Telling a destination of records that are given up.

use crate::destination::{
    BatchInfo, Destination, InvocationRecord, MappingFacts, RecordRange, ResponseContext,
};
use crate::engine::{
    BatchId, Event, Failure, FailureClass, Mapping, Record, SourceKind, Time, Token,
};
use crate::poll::effects::{Input, Io};
use crate::poll::encode;
use crate::source::Payload;
use bytes::Bytes;

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
        let payload = if outlet.destination.wants_payload() {
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
            },
            window: failure.window,
            payload,
        }
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
