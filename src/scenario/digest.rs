//! A digest of the tree that does not depend on the format, on the order of keys, or on how numbers are written.

use super::node::{Node, Value};
use crate::engine::mix;

/// 128 bits gathered from words. Good against accidents, not against malice.
#[derive(Clone, Debug)]
pub(crate) struct Digest {
    low: u64,
    high: u64,
}

impl Digest {
    pub(crate) const fn new() -> Self {
        Self {
            low: 0x7469_6465_6761_7465,
            high: 0x9e37_79b9_7f4a_7c15,
        }
    }

    fn word(&mut self, word: u64) {
        self.low = mix(self.low ^ word).wrapping_add(self.high);
        self.high =
            mix(self.high.rotate_left(29) ^ word.wrapping_mul(0xd6e8_feb8_6659_fd93)) ^ self.low;
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.word(u64::from_le_bytes(word));
        }
    }

    /// Adds a tree.
    pub(crate) fn node(&mut self, node: &Node) {
        match &node.value {
            Value::Map(entries) => {
                self.word(1);
                self.word(entries.len() as u64);
                let mut sorted: Vec<_> = entries.iter().collect();
                sorted.sort_by(|a, b| a.key.cmp(&b.key));
                for entry in sorted {
                    self.bytes(entry.key.as_bytes());
                    self.node(&entry.node);
                }
            }
            Value::List(nodes) => {
                self.word(2);
                self.word(nodes.len() as u64);
                for node in nodes {
                    self.node(node);
                }
            }
            Value::String(text) | Value::Datetime(text) => {
                self.word(3);
                self.bytes(text.as_bytes());
            }
            Value::Integer(number) => {
                self.word(4);
                self.word(*number as u64);
            }
            Value::Float(number) => {
                // 5 and 5.0 are the same number; 2^53 is the last integer that every float can tell apart.
                if number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0 {
                    self.word(4);
                    self.word(*number as i64 as u64);
                } else {
                    self.word(5);
                    self.word(number.to_bits());
                }
            }
            Value::Bool(truth) => self.word(6 + u64::from(*truth)),
            Value::Null => self.word(8),
        }
    }

    /// 32 hexadecimal digits.
    pub(crate) fn hex(&self) -> String {
        format!(
            "{:016x}{:016x}",
            mix(self.low),
            mix(self.high ^ self.low.rotate_left(32))
        )
    }
}
