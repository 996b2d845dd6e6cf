//! The states of tumbling windows, which the engine never sees.

use crate::engine::response::{Answer, Expected, index_of, read};
use crate::engine::{BatchId, Mapping, Outcome, ShardId, WindowCall};
use crate::poll::encode::WindowFrame;
use crate::source::Payload;
use crate::target::Reply;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a window starts with.
const FRESH: &str = "{}";

/// One state per shard with an open window, as the function wrote it.
///
/// Rule `window-state-is-carried`: it is replaced by every answer that carries one, kept over failed calls, and dropped
/// after the final call or when a window starts afresh.
#[derive(Debug)]
pub(crate) struct Windows {
    source_arn: Arc<str>,
    states: BTreeMap<ShardId, Arc<str>>,
}

impl Windows {
    /// `source_arn` is what events name as their source.
    pub(crate) const fn new(source_arn: Arc<str>) -> Self {
        Self {
            source_arn,
            states: BTreeMap::new(),
        }
    }

    /// Takes in a state that was stored.
    pub(crate) fn restore(&mut self, shard: ShardId, state: Arc<str>) {
        self.states.insert(shard, state);
    }

    /// The state to store beside a position in an open window.
    pub(crate) fn state(&self, shard: ShardId) -> Arc<str> {
        let state = self.states.get(&shard);
        state.cloned().unwrap_or_else(|| Arc::from(FRESH))
    }

    /// What surrounds the records of a call.
    pub(crate) fn frame<'a>(&'a mut self, call: WindowCall, shard: &'a str) -> WindowFrame<'a> {
        if call.is_fresh {
            self.states.remove(&call.shard);
        }
        WindowFrame {
            call,
            state: self.states.get(&call.shard).map_or(FRESH, |state| &**state),
            shard,
            source_arn: &self.source_arn,
        }
    }

    /// Takes in how a call ended, and the state in its answer.
    fn ended(&mut self, call: WindowCall, answer: &Answer, body: &Bytes) {
        match (answer.outcome, &answer.state) {
            (Outcome::Success, _) if call.is_final => {
                self.states.remove(&call.shard);
            }
            (_, Some(state)) => {
                // A copy, since the body may be many times as large.
                let text = std::str::from_utf8(&body[state.clone()]);
                let text = text.unwrap_or(FRESH); // the answer was read as text
                self.states.insert(call.shard, Arc::from(text));
            }
            (_, None) => {}
        }
    }

    /// What the answer to an invocation of a stream's mapping means.
    pub(crate) fn judge(
        &mut self,
        mapping: &Mapping<Payload>,
        batch: BatchId,
        window: Option<WindowCall>,
        reply: &Reply,
    ) -> Outcome {
        if reply.outcome != Outcome::Success {
            return reply.outcome;
        }
        let expected = Expected {
            reports_failures: mapping.config().report_batch_item_failures,
            needs_state: window.is_some_and(|call| !call.is_final),
        };
        let records = mapping.batch(batch);
        let answer = read(&reply.body, expected, |identifier| {
            index_of(records, identifier)
        });
        if let Some(call) = window {
            self.ended(call, &answer, &reply.body);
        }
        answer.outcome
    }
}
