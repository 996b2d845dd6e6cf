//! The compiled form of all patterns of a mapping: a trie of keys and the conditions over what is found in it.
//!
//! Everything is in a few arrays that refer to each other by index. Keys and values stand sorted, so they are found
//! by halving, without hashing.
//!
//! ```text
//! {"body": {"kind": ["order", "refund"], "total": [{"numeric": [">", 9]}]}}
//!
//!   data ── edge, bit 0 ─┬─ "kind"  ─ bit 1 ─ texts "order", "refund"
//!                        └─ "total" ─ bit 2 ─ probe > 9
//!
//!   inner bit 0  =  bit 1 and bit 2, taken at the end of every object at `data`
//!   filter       =  inner bit 0
//! ```

use super::numeric::Interval;
use super::source::Mismatch;
use std::ops::Range;

/// Part of an array.
pub(super) type Part = Range<u32>;

/// The elements of `part`.
pub(super) fn slice<'a, T>(array: &'a [T], part: &Part) -> &'a [T] {
    &array[part.start as usize..part.end as usize]
}

#[derive(Debug)]
pub(super) struct Table {
    pub(super) nodes: Vec<Part>,
    pub(super) edges: Vec<Edge>,
    pub(super) exacts: Vec<Exact>,
    pub(super) probes: Vec<Probe>,
    /// Texts that probes compare with.
    pub(super) words: Vec<Box<str>>,
    pub(super) goals: Vec<Goal>,
    pub(super) terms: Vec<Term>,
    pub(super) conditions: Vec<Part>,
    /// One condition per pattern, of which one must hold (rule `filter-or-across-filters`).
    pub(super) filters: Part,
    /// The record's metadata as a whole; its child is the root of the trie.
    pub(super) metadata: Edge,
    /// The record's data as a whole.
    pub(super) data: Edge,
    pub(super) mismatch: Mismatch,
    /// 64-bit words that hold every bit.
    pub(super) bit_words: usize,
}

/// A place in a record: the value below one key.
#[derive(Debug, Default)]
pub(super) struct Edge {
    pub(super) key: Box<str>,
    /// The keys below it, an index of `nodes`.
    pub(super) child: Option<u32>,
    /// Strings to be equal to, sorted.
    pub(super) texts: Part,
    /// Numbers to be equal to, sorted by their text.
    pub(super) numbers: Part,
    pub(super) probes: Part,
    /// Conditions to take at the end of every object here.
    pub(super) goals: Part,
    /// Bits of everything below: what an object here starts without.
    pub(super) scope: Part,
    /// Sticky bit: there was a plain value here. Kept where somebody asks for absence.
    pub(super) seen: Option<u32>,
    /// Sticky bit: there was an object here. Kept where somebody below asks for absence.
    pub(super) entered: Option<u32>,
}

impl Edge {
    /// Whether plain values here matter.
    pub(super) const fn has_leaf(&self) -> bool {
        self.seen.is_some()
            || self.texts.start < self.texts.end
            || self.numbers.start < self.numbers.end
            || self.probes.start < self.probes.end
    }

    pub(super) const fn is_used(&self) -> bool {
        self.child.is_some() || self.has_leaf()
    }
}

/// A bit to set when a value equals a text.
#[derive(Debug)]
pub(super) struct Exact {
    pub(super) text: Box<str>,
    pub(super) bit: u32,
}

/// A bit to set when a value passes a test.
#[derive(Debug)]
pub(super) struct Probe {
    pub(super) bit: u32,
    pub(super) test: ProbeTest,
}

/// Tests other than equality with a string or number. Words are indices of `words`, sorted where there are several.
#[derive(Debug)]
pub(super) enum ProbeTest {
    Null,
    Bool(bool),
    Exists,
    Prefix(u32),
    Suffix(u32),
    IgnoreCase(u32),
    Numeric(Interval),
    NoneOfTexts(Part),
    NoneOfNumbers(Part),
}

/// A bit to set when an object fulfils a condition.
#[derive(Debug)]
pub(super) struct Goal {
    pub(super) bit: u32,
    pub(super) condition: u32,
}

/// Part of a condition; all parts must hold.
#[derive(Debug)]
pub(super) enum Term {
    /// A leaf. With a sticky bit, it holds as well when nothing was seen.
    Leaf { bit: u32, unless: Option<u32> },
    /// An object, or its condition with nothing found, for those that only ask for absence.
    Inner { bit: u32, condition: u32 },
    /// One of these conditions.
    Any(Part),
    /// An inner condition on data that must be JSON.
    JsonData { bit: u32, condition: u32 },
    /// A leaf about data that must be plain text.
    PlainData { bit: u32, unless: Option<u32> },
}
