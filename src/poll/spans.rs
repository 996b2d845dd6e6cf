//! Whose an invocation is, for everything that is logged while it goes on.

use crate::engine::{BatchId, Record, ShardId, Token};
use crate::poll::effects::Io;
use crate::poll::feed::Feed;
use crate::source::Payload;
use crate::target::RequestId;
use tracing::Span;
use tracing::field::Empty;

impl Io {
    /// Encloses the invocation that is about to start. Its level is that of errors, so that none is without it.
    pub(crate) fn span(
        &mut self,
        token: Token,
        records: &[Record<Payload>],
        batch: BatchId,
        request: RequestId,
    ) -> Span {
        let mapping = &*self.name;
        let span = tracing::error_span!(
            "invocation", mapping, shard = Empty, batch = batch.0, %request, records = records.len()
        );
        let sending = self.sending.iter().position(|(sent, _)| *sent == token);
        let shard = match (&self.feed, sending) {
            (_, Some(index)) => Some(self.sending.swap_remove(index).1),
            // The partition of the first record stands for the batch.
            (Feed::Kafka(_), None) => {
                let first = records.first().map(|record| record.meta.group);
                first
                    .and_then(|group| u32::try_from(group).ok())
                    .map(ShardId)
            }
            _ => None,
        };
        if let Some(shard) = shard {
            span.record("shard", &**self.book.name(shard));
        }
        span
    }
}
