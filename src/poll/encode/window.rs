//! What surrounds the records in a call of a tumbling window.

use super::{Precision, push_instant, push_text};
use crate::engine::WindowCall;
use crate::engine::wire::json_text_len;

/// The keys of an event beside `Records`, in the order of a recorded final call. Rule `window-event-shape`.
#[derive(Clone, Copy, Debug)]
pub struct WindowFrame<'a> {
    /// The window and its flags.
    pub call: WindowCall,
    /// The state that the function returned last, or `{}`: JSON that is passed on as it came.
    pub state: &'a str,
    /// The shard's name.
    pub shard: &'a str,
    /// ARN of the stream or of its consumer, as in the records.
    pub source_arn: &'a str,
}

const SHARD: &[u8] = b",\"shardId\":\"";
const SOURCE: &[u8] = b"\",\"eventSourceARN\":\"";
const START: &[u8] = b"\",\"window\":{\"start\":\"";
const END: &[u8] = b"\",\"end\":\"";
const STATE: &[u8] = b"\"},\"state\":";
const FINAL: &[u8] = b",\"isFinalInvokeForWindow\":";
const EARLY: &[u8] = b",\"isWindowTerminatedEarly\":";
/// `2020-12-09T07:04:00Z`
const INSTANT_LEN: usize = 20;

impl WindowFrame<'_> {
    /// Appends the keys, with the comma before them.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let flag = |on: bool| if on { &b"true"[..] } else { b"false" };
        out.extend_from_slice(SHARD);
        push_text(out, self.shard);
        out.extend_from_slice(SOURCE);
        push_text(out, self.source_arn);
        out.extend_from_slice(START);
        push_instant(out, self.call.start, Precision::Seconds);
        out.extend_from_slice(END);
        push_instant(out, self.call.end, Precision::Seconds);
        out.extend_from_slice(STATE);
        out.extend_from_slice(self.state.as_bytes());
        out.extend_from_slice(FINAL);
        out.extend_from_slice(flag(self.call.is_final));
        out.extend_from_slice(EARLY);
        out.extend_from_slice(flag(self.call.is_terminated_early));
    }

    /// The length that [`encode`](Self::encode) will append, in bytes.
    pub(super) fn encoded_len(&self) -> usize {
        let keys = START.len() + END.len() + STATE.len() + SHARD.len() + SOURCE.len();
        let flag = |on: bool| if on { "true".len() } else { "false".len() };
        keys + FINAL.len()
            + EARLY.len()
            + 2 * INSTANT_LEN
            + self.state.len()
            + (json_text_len(self.shard) + json_text_len(self.source_arn)) as usize
            + flag(self.call.is_final)
            + flag(self.call.is_terminated_early)
    }
}

#[cfg(test)]
#[path = "window_tests.rs"]
mod tests;
