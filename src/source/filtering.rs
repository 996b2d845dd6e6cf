//! What a mapping keeps of what its source holds: filters, applied while a page is encoded.

use super::PageBuffer;
use crate::engine::SourceKind;
use crate::engine::filter::{Filters, PatternError, View};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};

/// The filters of one mapping, or none. They can be replaced while the mapping runs: what was read before stays as it is.
#[derive(Debug, Default)]
pub struct Keep {
    /// Spares most mappings, which have no filters, the lock.
    has_filters: AtomicBool,
    filters: RwLock<Option<Arc<Filters>>>,
}

impl Keep {
    /// What FilterCriteria lets through; everything if there are no patterns.
    ///
    /// # Errors
    /// The first mistake of the patterns.
    pub fn matching(source: SourceKind, patterns: &[String]) -> Result<Self, PatternError> {
        let keep = Self::default();
        keep.replace(source, patterns)?;
        Ok(keep)
    }

    /// From the next record on, lets through what these patterns say.
    ///
    /// # Errors
    /// The first mistake of the patterns; then the filters stay as they are.
    pub fn replace(&self, source: SourceKind, patterns: &[String]) -> Result<(), PatternError> {
        let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
        let filters = match patterns.as_slice() {
            [] => None,
            patterns => match Filters::compile(source, patterns) {
                Ok(filters) => Some(Arc::new(filters)),
                Err(mut errors) => return Err(errors.swap_remove(0)),
            },
        };
        let mut place = self.filters.write().unwrap_or_else(PoisonError::into_inner);
        self.has_filters.store(filters.is_some(), Relaxed);
        *place = filters;
        Ok(())
    }

    /// Whether there is nothing to ask.
    pub fn is_everything(&self) -> bool {
        !self.has_filters.load(Relaxed)
    }

    fn filters(&self) -> Option<Arc<Filters>> {
        if self.is_everything() {
            return None;
        }
        let filters = self.filters.read().unwrap_or_else(PoisonError::into_inner);
        filters.clone()
    }

    /// Whether the function gets the record with this JSON and, for sources whose data is given apart, this data.
    /// Nothing is allocated.
    pub fn admits(&self, metadata: &[u8], data: Option<&[u8]>) -> bool {
        admits(self.filters().as_deref(), metadata, data)
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
        let Some(filters) = self.filters() else {
            return Some(buffer.push(encode));
        };
        let filters = Some(&*filters);
        if filters.is_some_and(|filters| !filters.reads_metadata()) {
            return admits(filters, &[], data).then(|| buffer.push(encode));
        }
        let length = buffer.push(encode);
        if admits(filters, buffer.last(), data) {
            return Some(length);
        }
        buffer.undo();
        None
    }
}

fn admits(filters: Option<&Filters>, metadata: &[u8], data: Option<&[u8]>) -> bool {
    filters.is_none_or(|filters| filters.matches(&View { metadata, data }).is_match())
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
