//! What a mapping keeps of what its source holds: filters, applied while a page is encoded.

use super::PageBuffer;
use crate::engine::SourceKind;
use crate::engine::filter::{Filters, PatternError, View};

/// The filters of one mapping, or none.
#[derive(Debug, Default)]
pub struct Keep(Option<Filters>);

impl Keep {
    /// What FilterCriteria lets through; everything if there are no patterns.
    ///
    /// # Errors
    /// The first mistake of the patterns.
    pub fn matching(source: SourceKind, patterns: &[String]) -> Result<Self, PatternError> {
        if patterns.is_empty() {
            return Ok(Self::default());
        }
        let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
        match Filters::compile(source, &patterns) {
            Ok(filters) => Ok(Self(Some(filters))),
            Err(mut errors) => Err(errors.swap_remove(0)),
        }
    }

    /// Whether there is nothing to ask.
    pub const fn is_everything(&self) -> bool {
        self.0.is_none()
    }

    /// Whether the function gets the record with this JSON and, for sources whose data is given apart, this data.
    /// Nothing is allocated.
    pub fn admits(&self, metadata: &[u8], data: Option<&[u8]>) -> bool {
        self.0
            .as_ref()
            .is_none_or(|filters| filters.matches(&View { metadata, data }).is_match())
    }

    /// Lets `encode` append the record to `buffer` unless it is left out, and returns the length of its JSON.
    ///
    /// Patterns for the data alone, which is what most mappings have, are asked before anything is written: a
    /// record that is left out then costs no more than a look at its data.
    /// Rules `filter-before-batching` and `filter-no-match-no-invocation`: what is left out never reaches a batch.
    pub(crate) fn push(
        &self,
        buffer: &mut PageBuffer,
        data: Option<&[u8]>,
        encode: impl FnOnce(&mut Vec<u8>),
    ) -> Option<u32> {
        let Some(filters) = &self.0 else {
            return Some(buffer.push(encode));
        };
        if !filters.reads_metadata() {
            return self.admits(&[], data).then(|| buffer.push(encode));
        }
        let length = buffer.push(encode);
        if self.admits(buffer.last(), data) {
            return Some(length);
        }
        buffer.undo();
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn keep(source: SourceKind, pattern: &str) -> Keep {
        Keep::matching(source, &[pattern.to_owned()]).expect("a good pattern")
    }

    /// Pushes records given as metadata and data; returns what was kept and how many were encoded.
    fn pushed(keep: &Keep, records: &[(&str, &str)]) -> (Vec<String>, u32) {
        let mut buffer = PageBuffer::default();
        let encoded = Cell::new(0);
        for (metadata, data) in records {
            let length = keep.push(&mut buffer, Some(data.as_bytes()), |out| {
                encoded.set(encoded.get() + 1);
                out.extend_from_slice(metadata.as_bytes());
            });
            assert!(length.is_none_or(|length| length as usize == metadata.len()));
        }
        let mut start = 0;
        let kept = buffer.ends.iter().map(|&end| {
            let text = String::from_utf8_lossy(&buffer.json[start..end]).into_owned();
            start = end;
            text
        });
        let kept = kept.collect();
        assert_eq!(
            start,
            buffer.json.len(),
            "nothing is left of what was dropped"
        );
        (kept, encoded.get())
    }

    const RECORDS: [(&str, &str); 3] = [
        (r#"{"partitionKey":"a"}"#, r#"{"n":1}"#),
        (r#"{"partitionKey":"b"}"#, r#"{"n":2}"#),
        (r#"{"partitionKey":"a"}"#, "plain"),
    ];

    #[test]
    fn without_filters_everything_is_encoded() {
        let (kept, encoded) = pushed(&Keep::default(), &RECORDS);
        assert_eq!((kept.len(), encoded), (3, 3));
        assert!(Keep::default().is_everything());
        assert!(Keep::default().admits(b"", None));
    }

    #[test]
    fn a_pattern_for_the_data_spares_the_encoding_of_what_it_drops() {
        let keep = keep(SourceKind::Kinesis, r#"{"data":{"n":[2]}}"#);
        let (kept, encoded) = pushed(&keep, &RECORDS);
        assert_eq!(kept, [RECORDS[1].0]);
        assert_eq!(encoded, 1);
    }

    #[test]
    fn a_pattern_for_the_rest_is_asked_about_the_encoded_record_which_is_taken_back() {
        let keep = keep(
            SourceKind::Sqs,
            r#"{"partitionKey":["a"],"body":{"n":[1]}}"#,
        );
        let (kept, encoded) = pushed(&keep, &RECORDS);
        assert_eq!(kept, [RECORDS[0].0]);
        assert_eq!(encoded, 3);
        assert_eq!(pushed(&keep, &RECORDS[1..]).0, Vec::<String>::new());
    }

    #[test]
    fn a_mistake_is_said_with_its_place() {
        let error = Keep::matching(SourceKind::Sqs, &[r#"{"body":"x"}"#.to_owned()]);
        let text = error.expect_err("a leaf is a list").to_string();
        assert!(
            text.starts_with("Invalid filter pattern definition. pattern 1, byte 8"),
            "{text}"
        );
    }
}
