//! From what was found in a record to what becomes of it.

use super::scan::Scalar;
use super::source::Mismatch;
use super::table::{Part, Table, Term, slice};
use super::text::Text;
use super::walk::Trust;
use super::{View, bits, walk};

/// What the filters of a mapping say about a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// At least one pattern matches, or there is none: the function gets the record.
    Match,
    /// No pattern matches.
    NoMatch,
    /// No pattern matches, and at least one could not, because it expects data in another format
    /// (JSON or plain text).
    OtherFormat,
}

impl Verdict {
    /// Whether the function gets the record.
    pub const fn is_match(self) -> bool {
        matches!(self, Self::Match)
    }
}

/// Bits that all patterns of a mapping can need: a leaf or an object of a pattern takes at least 5 characters
/// (`"":{}`), and there are at most 10 patterns of 4,096 characters.
pub(super) const BITS_MAX: u32 = 8_192;
const WORDS_MAX: usize = BITS_MAX as usize / 64;
/// Most mappings need few bits, and clearing little is faster than clearing much.
const WORDS_FEW: usize = 2;

pub(super) fn of(table: &Table, view: &View<'_>) -> Verdict {
    if table.bit_words <= WORDS_FEW {
        judge(table, view, &mut [0; WORDS_FEW], &mut [0; WORDS_FEW])
    } else {
        let (mut found, mut sticky) = ([0; WORDS_MAX], [0; WORDS_MAX]);
        let words = ..table.bit_words;
        judge(table, view, &mut found[words], &mut sticky[words])
    }
}

/// In what form the data of a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Json,
    Plain,
    Binary,
    /// The record has no data.
    Absent,
}

fn judge(table: &Table, view: &View<'_>, found: &mut [u64], sticky: &mut [u64]) -> Verdict {
    let format = if table.data.is_used() {
        data(table, view.data, found, sticky)
    } else {
        Format::Absent
    };
    if table.metadata.is_used() {
        let read = std::str::from_utf8(view.metadata).is_ok_and(|text| {
            walk::record(table, &table.metadata, text, Trust::Written, found, sticky).is_ok()
        });
        if !read {
            return Verdict::NoMatch; // rule `filter-record-malformed`
        }
    }
    let mut ground = Ground {
        table,
        found: Some(found),
        sticky,
        format,
        mismatched: false,
    };
    if ground.any(&table.filters) {
        Verdict::Match
    } else if ground.mismatched {
        Verdict::OtherFormat
    } else {
        Verdict::NoMatch
    }
}

/// Looks at the data and says what it is.
fn data(table: &Table, data: Option<&[u8]>, found: &mut [u64], sticky: &mut [u64]) -> Format {
    let Some(bytes) = data else {
        return Format::Absent;
    };
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Format::Binary;
    };
    // Rule `filter-plain-text`: a number or a word by itself is plain text, although JSON would allow it.
    let start = text.trim_start_matches([' ', '\t', '\n', '\r']);
    if start.starts_with(['{', '[']) {
        if walk::record(table, &table.data, text, Trust::None, found, sticky).is_ok() {
            return Format::Json;
        }
        found.fill(0);
        sticky.fill(0);
    }
    let scalar = Scalar::Text(Text::plain(text));
    walk::leaf(table, &table.data, scalar, found, sticky);
    Format::Plain
}

/// Whether a condition about an object holds; with `found` left out, whether it holds if there is no such object.
pub(super) fn inner(table: &Table, condition: u32, found: Option<&[u64]>, sticky: &[u64]) -> bool {
    let mut ground = Ground {
        table,
        found,
        sticky,
        format: Format::Absent, // only outermost conditions speak of the format
        mismatched: false,
    };
    ground.all(&table.conditions[condition as usize])
}

/// All that a condition may depend on.
struct Ground<'t, 'b> {
    table: &'t Table,
    found: Option<&'b [u64]>,
    sticky: &'b [u64],
    format: Format,
    /// A part was not comparable with the data.
    mismatched: bool,
}

impl Ground<'_, '_> {
    /// Rules `filter-or-across-filters` (the outermost conditions) and `filter-or-operator` (branches).
    fn any(&mut self, conditions: &Part) -> bool {
        let table = self.table;
        slice(&table.conditions, conditions)
            .iter()
            .any(|condition| self.all(condition))
    }

    /// Rule `filter-and-within-filter`.
    fn all(&mut self, terms: &Part) -> bool {
        let table = self.table;
        slice(&table.terms, terms)
            .iter()
            .all(|term| self.holds(term))
    }

    fn holds(&mut self, term: &Term) -> bool {
        match term {
            Term::Leaf { bit, unless } => self.leaf(*bit, *unless),
            Term::Inner { bit, condition } => self.object(*bit, *condition),
            Term::Any(conditions) => self.any(conditions),
            Term::JsonData { bit, condition } => match self.format {
                Format::Json => self.object(*bit, *condition),
                Format::Plain | Format::Binary | Format::Absent => self.mismatch(),
            },
            Term::PlainData { bit, unless } => match self.format {
                Format::Plain | Format::Absent => self.leaf(*bit, *unless),
                Format::Json | Format::Binary => self.mismatch(),
            },
        }
    }

    fn leaf(&self, bit: u32, unless: Option<u32>) -> bool {
        self.found.is_some_and(|found| bits::get(found, bit))
            || unless.is_some_and(|seen| !bits::get(self.sticky, seen))
    }

    /// Holds as well where the object is missing but nothing is asked of it except absence.
    fn object(&self, bit: u32, condition: u32) -> bool {
        self.found.is_some_and(|found| bits::get(found, bit))
            || inner(self.table, condition, None, self.sticky)
    }

    fn mismatch(&mut self) -> bool {
        match self.table.mismatch {
            Mismatch::Drop => {
                self.mismatched = true;
                false
            }
            Mismatch::Ignore => true,
        }
    }
}
