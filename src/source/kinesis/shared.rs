//! Shared throughput: a shard's records are fetched with GetRecords.

use super::super::aws::call_error;
use super::super::{CallError, Payload, Records};
use super::page::Pages;
use super::{Kinesis, ReadError, Reader, Start};
use crate::engine::{Page, Position, Span, Time};
use aws_sdk_kinesis::error::SdkError;
use aws_sdk_kinesis::operation::get_records::{GetRecordsError, GetRecordsOutput};
use aws_sdk_kinesis::operation::get_shard_iterator::GetShardIteratorError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is kept between two reads of a shard.
#[derive(Debug, Default)]
pub(super) struct Iterators(Mutex<Live>);

#[derive(Debug, Default)]
struct Live {
    /// Where the iterator stands, and the iterator.
    iterator: Option<(Position, String)>,
    /// What `Latest` meant when it was first asked for: a lost iterator must not skip what came since.
    latest: Option<Time>,
}

impl Iterators {
    fn lock(&self) -> MutexGuard<'_, Live> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kinesis {
    /// One GetRecords, after GetShardIterator if need be.
    pub(super) async fn poll(
        &self,
        reader: &Reader,
        iterators: &Iterators,
        now: Time,
        from: Position,
        records_max: u32,
        records: Records,
    ) -> Result<Page<Payload>, ReadError> {
        let (live, latest) = {
            let mut live = iterators.lock();
            let latest = live.latest;
            if from == Position::Latest {
                live.latest.get_or_insert(now);
            }
            (live.iterator.take(), latest)
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
            Ok(output) => {
                let (page, next) = self.page(reader, output, records)?;
                let at = page.end.map_or(from, Position::After);
                iterators.lock().iterator = next.map(|iterator| (at, iterator));
                Ok(page)
            }
            Err(error) => {
                // The iterator is still good: a throttled read goes on with it.
                if !is_expired(&error) {
                    iterators.lock().iterator = Some((from, iterator));
                }
                let is_missing = error
                    .as_service_error()
                    .is_some_and(GetRecordsError::is_resource_not_found_exception);
                let error = call_error("GetRecords", &error);
                Err(ReadError { error, is_missing })
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
    ) -> Result<String, ReadError> {
        let found = self.iterator_at(reader, self.start(from, latest)).await;
        let error = match found {
            Ok(iterator) => return Ok(iterator),
            Err(error) => error,
        };
        let kind = error.as_service_error();
        let is_missing = kind.is_some_and(GetShardIteratorError::is_resource_not_found_exception);
        let is_refused = kind.is_some_and(GetShardIteratorError::is_invalid_argument_exception);
        let mut error = call_error("GetShardIterator", &error);
        if is_refused && matches!(from, Position::After(_)) {
            self.warn_of_trim(reader, from, &error);
            let start = self.start(Position::Horizon, None);
            match self.iterator_at(reader, start).await {
                Ok(iterator) => return Ok(iterator),
                Err(second) => error = call_error("GetShardIterator", &second),
            }
        }
        Err(ReadError { error, is_missing })
    }

    async fn iterator_at(
        &self,
        reader: &Reader,
        start: Start,
    ) -> Result<String, SdkError<GetShardIteratorError, HttpResponse>> {
        let call = self.client.get_shard_iterator().shard_id(&*reader.name);
        let call = if self.by_arn {
            call.stream_arn(&self.arn.text)
        } else {
            call.stream_name(&self.arn.name)
        };
        let output = call
            .shard_iterator_type(start.kind)
            .set_starting_sequence_number(start.number)
            .set_timestamp(start.time)
            .send()
            .await?;
        output
            .shard_iterator
            .ok_or_else(|| SdkError::construction_failure("the answer has no iterator"))
    }

    /// The page and the iterator behind it, which a closed shard does not have.
    fn page(
        &self,
        reader: &Reader,
        output: GetRecordsOutput,
        records: Records,
    ) -> Result<(Page<Payload>, Option<String>), CallError> {
        let mut pages = Pages::new(reader, "GetRecords", &output.records, records);
        let mut end = None;
        for record in &output.records {
            self.see(&record.sequence_number);
            end = Some(pages.push(record)?);
        }
        let content = pages.finish();
        let next = output.next_shard_iterator;
        let behind = output.millis_behind_latest.unwrap_or(0);
        let page = Page {
            records: content.records,
            filtered: content.filtered,
            bytes: content.bytes,
            end,
            behind: Span::from_millis(u64::try_from(behind).unwrap_or(0)),
            shard_end: next.is_none(),
            ..Page::default()
        };
        Ok((page, next))
    }
}

fn is_expired(error: &SdkError<GetRecordsError, HttpResponse>) -> bool {
    error
        .as_service_error()
        .is_some_and(GetRecordsError::is_expired_iterator_exception)
}

#[cfg(test)]
#[path = "shared_tests.rs"]
mod tests;
