//! What surrounds the records in a call of a tumbling window.

use super::push_text;
use crate::engine::wire::json_text_len;
use crate::engine::{Time, WindowCall};

/// The keys of an event beside `Records`, in the order of AWS's sample events. Rule `window-event-shape`.
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

const START: &[u8] = b",\"window\":{\"start\":\"";
const END: &[u8] = b"\",\"end\":\"";
const STATE: &[u8] = b"\"},\"state\":";
const SHARD: &[u8] = b",\"shardId\":\"";
const SOURCE: &[u8] = b"\",\"eventSourceARN\":\"";
const FINAL: &[u8] = b"\",\"isFinalInvokeForWindow\":";
const EARLY: &[u8] = b",\"isWindowTerminatedEarly\":";
/// `2020-12-09T07:04:00Z`
const INSTANT_LEN: usize = 20;

impl WindowFrame<'_> {
    /// Appends the keys, with the comma before them.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let flag = |on: bool| if on { &b"true"[..] } else { b"false" };
        out.extend_from_slice(START);
        push_instant(out, self.call.start);
        out.extend_from_slice(END);
        push_instant(out, self.call.end);
        out.extend_from_slice(STATE);
        out.extend_from_slice(self.state.as_bytes());
        out.extend_from_slice(SHARD);
        push_text(out, self.shard);
        out.extend_from_slice(SOURCE);
        push_text(out, self.source_arn);
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

/// Appends an instant in UTC, in whole seconds. Every [`Time`] is before the year 2555, so the length is always the same.
fn push_instant(out: &mut Vec<u8>, time: Time) {
    let secs = time.as_millis() / 1_000;
    let (year, month, day) = date(secs / 86_400);
    let of_day = secs % 86_400;
    let text = format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        of_day / 3_600,
        of_day / 60 % 60,
        of_day % 60
    );
    out.extend_from_slice(text.as_bytes());
}

/// Year, month and day of a number of days since 1970-01-01, in the Gregorian calendar.
const fn date(mut days: u64) -> (u64, u64, u64) {
    let mut year = 1970;
    loop {
        let len = 365 + is_leap(year) as u64;
        if days < len {
            break;
        }
        days -= len;
        year += 1;
    }
    let mut month = 1;
    loop {
        let len = match month {
            2 => 28 + is_leap(year) as u64,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        if days < len {
            return (year, month, days + 1);
        }
        days -= len;
        month += 1;
    }
}

const fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

#[cfg(test)]
#[path = "window_tests.rs"]
mod tests;
