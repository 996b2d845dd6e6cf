//! What surrounds the messages of a broker: their events name the source once, not in every record.

use super::{push_text, template};
use crate::engine::Record;
use crate::source::Payload;
use bytes::Bytes;

/// The beginning and the end of every event of a mapping.
#[derive(Clone, Debug)]
pub(crate) struct Envelope {
    head: Box<[u8]>,
    tail: Box<[u8]>,
}

impl Envelope {
    /// `head` with `texts` between its parts, escaped, up to the bracket that opens the list; `tail` closes it.
    pub(crate) fn new(head: &[&str], texts: &[&str], tail: &str) -> Self {
        Self {
            head: template(head, texts),
            tail: tail.as_bytes().into(),
        }
    }

    /// Bytes beside the messages and the commas between them, for
    /// [`Tuning::envelope_len`](crate::engine::Tuning::envelope_len).
    pub(crate) fn len(&self) -> u32 {
        // Names and ARNs: far below 4 GiB.
        u32::try_from(self.head.len() + self.tail.len()).unwrap_or(u32::MAX)
    }

    /// The event for a batch.
    ///
    /// # Panics
    /// When a record's `wire_len` is not the length of its JSON: the payload limit would then be guarded by wrong
    /// figures.
    pub(crate) fn event(&self, records: &[Record<Payload>]) -> Bytes {
        let lens = records.iter().map(|record| record.meta.wire_len as usize);
        let commas = records.len().saturating_sub(1);
        let predicted = lens.sum::<usize>() + self.len() as usize + commas;
        let mut out = Vec::with_capacity(predicted);
        out.extend_from_slice(&self.head);
        for (index, record) in records.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            out.extend_from_slice(&record.payload.json);
        }
        out.extend_from_slice(&self.tail);
        assert_eq!(
            out.len(),
            predicted,
            "the predicted length of an event is wrong"
        );
        Bytes::from(out)
    }
}

/// Where encoded JSON goes, or only its length: one description of a message serves both, so that they cannot differ.
pub(crate) trait Sink {
    /// Bytes as they are.
    fn raw(&mut self, bytes: &[u8]);
    /// Text as it stands between quotes.
    fn text(&mut self, text: &str);
    /// Bytes in base64.
    fn base64(&mut self, bytes: &[u8]);
    /// A whole number.
    fn decimal(&mut self, value: u64);
}

impl Sink for Vec<u8> {
    fn raw(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    fn text(&mut self, text: &str) {
        push_text(self, text);
    }

    fn base64(&mut self, bytes: &[u8]) {
        super::push_base64(self, bytes);
    }

    fn decimal(&mut self, value: u64) {
        super::push_decimal(self, value);
    }
}

/// Counts bytes by the formulas of [`engine::wire`](crate::engine::wire).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Length(pub(crate) u64);

impl Sink for Length {
    fn raw(&mut self, bytes: &[u8]) {
        self.0 += bytes.len() as u64;
    }

    fn text(&mut self, text: &str) {
        self.0 += crate::engine::wire::json_text_len(text);
    }

    fn base64(&mut self, bytes: &[u8]) {
        self.0 += crate::engine::wire::base64_len(bytes.len() as u64);
    }

    fn decimal(&mut self, value: u64) {
        self.0 += crate::engine::wire::decimal_len(value);
    }
}
