//! Where the records of a local source come from.

use super::zipf::Zipf;
use crate::engine::{Ratio, Rng, Span, mix};
use crate::scenario::{Keys, LocalContent};
use crate::source::Draw;
use bytes::Bytes;
use std::path::{Path, PathBuf};

/// Largest file of lines, in bytes; it is held in memory.
const FILE_BYTES_MAX: u64 = 1 << 30;
/// Largest generated payload, in bytes: what Kinesis takes.
const PAYLOAD_BYTES_MAX: u64 = 10 << 20;

/// A file of lines that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot read `{path}`: {text}")]
pub struct ContentError {
    path: PathBuf,
    text: String,
}

/// Numbered records: the same number always gives the same record.
#[derive(Debug)]
pub(crate) enum Content {
    Generated(Generator),
    Lines { text: Bytes, ends: Vec<usize> },
}

#[derive(Debug)]
pub(crate) struct Generator {
    per_sec: f64,
    size: Draw,
    keys: KeyDraw,
    count: u64,
    seed: u64,
}

#[derive(Debug)]
enum KeyDraw {
    Unique,
    Zipf(Zipf),
    /// Some of the records have one of the first `keys` keys.
    Hot {
        share: Ratio,
        keys: u64,
    },
}

/// What of a record can be said without making its payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key(pub(crate) u64);

impl Content {
    pub(crate) fn open(content: &LocalContent) -> Result<Self, ContentError> {
        match content {
            LocalContent::Generated(generated) => Ok(Self::Generated(Generator {
                per_sec: generated.per_sec,
                size: Draw::new(generated.size.clone()),
                keys: match generated.keys {
                    Keys::Unique => KeyDraw::Unique,
                    Keys::Zipf { n, s } => KeyDraw::Zipf(Zipf::new(n, s)),
                    Keys::Hot { share, keys } => KeyDraw::Hot {
                        share,
                        keys: u64::from(keys.max(1)),
                    },
                },
                count: generated.count.unwrap_or(u64::MAX),
                seed: generated.seed,
            })),
            LocalContent::Jsonl { path } => read_lines(path),
        }
    }

    /// Records that there will ever be.
    pub(super) fn count(&self) -> u64 {
        match self {
            Self::Generated(generator) => generator.count,
            Self::Lines { ends, .. } => ends.len() as u64,
        }
    }

    /// How long after the source's origin record `n` arrives.
    pub(super) fn arrival(&self, n: u64) -> Span {
        match self {
            Self::Generated(generator) => {
                Span::from_nanos((n as f64 * 1e9 / generator.per_sec) as u64)
            }
            Self::Lines { .. } => Span::ZERO,
        }
    }

    /// How many records have arrived `elapsed` after the origin.
    pub(super) fn available(&self, elapsed: Span) -> u64 {
        match self {
            Self::Generated(generator) => {
                let mut n = (elapsed.as_secs_f64() * generator.per_sec) as u64;
                // Division and multiplication may disagree in the last digit, either way; arrival decides. A record
                // that is due and not available would be waited for without end.
                while n > 0 && self.arrival(n) > elapsed {
                    n -= 1;
                }
                while n < generator.count && self.arrival(n + 1) <= elapsed {
                    n += 1;
                }
                n.saturating_add(1).min(generator.count)
            }
            Self::Lines { ends, .. } => ends.len() as u64,
        }
    }

    pub(crate) fn key(&self, n: u64) -> Key {
        match self {
            Self::Generated(generator) => match &generator.keys {
                KeyDraw::Unique => Key(n),
                KeyDraw::Zipf(zipf) => Key(zipf.draw(&mut generator.rng(n, 1))),
                KeyDraw::Hot { share, keys } => {
                    let mut rng = generator.rng(n, 1);
                    let is_hot = rng.chance(*share);
                    Key(if is_hot {
                        rng.below(*keys)
                    } else {
                        keys.saturating_add(n)
                    })
                }
            },
            Self::Lines { .. } => Key(n),
        }
    }

    /// Appends the payload of record `n` to `out`.
    pub(super) fn payload(&self, n: u64, out: &mut Vec<u8>) {
        match self {
            Self::Generated(generator) => generator.payload(n, out),
            Self::Lines { text, ends } => {
                let index = n as usize;
                let start = index.checked_sub(1).map_or(0, |before| ends[before] + 1);
                let line = &text[start..ends[index]];
                out.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
            }
        }
    }

    /// A well mixed number that belongs to record `n`.
    pub(super) fn mark(&self, n: u64) -> u64 {
        match self {
            Self::Generated(generator) => mix(generator.seed ^ mix(n)),
            Self::Lines { .. } => mix(n),
        }
    }
}

impl Generator {
    fn rng(&self, n: u64, what: u64) -> Rng {
        Rng::from_key(mix(self.seed.wrapping_add(what)) ^ mix(n))
    }

    /// A JSON object with the record's number, filled up to the drawn size; plain filling when it does not fit.
    fn payload(&self, n: u64, out: &mut Vec<u8>) {
        let size = self.size.next(&mut self.rng(n, 2)).min(PAYLOAD_BYTES_MAX) as usize;
        let start = out.len();
        let head = format!("{{\"n\":{n},\"fill\":\"");
        if size < head.len() + 2 {
            out.resize(start + size, b'.');
            return;
        }
        out.extend_from_slice(head.as_bytes());
        out.resize(start + size - 2, b'.');
        out.extend_from_slice(b"\"}");
    }
}

fn read_lines(path: &Path) -> Result<Content, ContentError> {
    let error = |text: String| ContentError {
        path: path.to_owned(),
        text,
    };
    let length = std::fs::metadata(path)
        .map_err(|source| error(source.to_string()))?
        .len();
    if length > FILE_BYTES_MAX {
        return Err(error(format!(
            "it has {length} bytes, the largest file is {FILE_BYTES_MAX} bytes"
        )));
    }
    let mut text = std::fs::read(path).map_err(|source| error(source.to_string()))?;
    if std::str::from_utf8(&text).is_err() {
        return Err(error("it is not UTF-8".to_owned()));
    }
    if text.last().is_some_and(|&last| last != b'\n') {
        text.push(b'\n');
    }
    let ends = text
        .iter()
        .enumerate()
        .filter_map(|(at, &byte)| (byte == b'\n').then_some(at))
        .collect();
    Ok(Content::Lines {
        text: Bytes::from(text),
        ends,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Dist, Generated};

    #[test]
    fn a_record_is_available_from_its_arrival_on() {
        for per_sec in [100.0, 3.0, 7.0, 1_000.0, 12_345.6] {
            let generated = Generated {
                per_sec,
                size: Dist::Constant(50.0),
                keys: Keys::Unique,
                count: None,
                seed: 1,
            };
            let content = Content::open(&LocalContent::Generated(generated)).expect("content");
            for n in 1..5_000 {
                let arrival = content.arrival(n);
                let before = Span::from_nanos(arrival.as_nanos() - 1);
                assert_eq!(content.available(arrival), n + 1, "{n} at {per_sec}/s");
                assert_eq!(content.available(before), n, "{n} at {per_sec}/s");
            }
        }
    }
}
