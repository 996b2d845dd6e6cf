//! The way through one record: keys that the trie knows are followed, everything else is stepped over.
//!
//! The record is read once, and nothing is allocated: there is no `Vec`, `String` or `Box` in this file or in those
//! that it uses while matching ([`scan`](super::scan), [`lexis`](super::lexis), [`text`](super::text)), as a test
//! looks after. What was found are bits in the caller's arrays, and open containers are frames of the call stack, of
//! which there are at most [`RECORD_DEPTH_MAX`].
//!
//! [`RECORD_DEPTH_MAX`]: super::scan::RECORD_DEPTH_MAX

use super::bits;
use super::scan::{Malformed, Scalar, Scan};
use super::table::{Edge, Exact, Part, ProbeTest, Table, slice};
use super::text::Text;
use super::verdict;
use std::cmp::Ordering;

pub(super) struct Walk<'t, 'r, 'b> {
    table: &'t Table,
    scan: Scan<'r>,
    /// What was found, for the object that is open.
    found: &'b mut [u64],
    /// What was seen anywhere in the record.
    sticky: &'b mut [u64],
    /// An object that asks for absence was not the only one at its place.
    again: bool,
    trust: Trust,
}

/// What is known of a record before it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Nothing: all of it is read, to see whether it is JSON and whether a key comes again.
    None,
    /// It is JSON, and no object names a key twice: what no pattern can find any more is not read.
    Written,
}

/// Whether anything in the rest of the record could still be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    Matters,
    Unread,
}

/// Walks the value `text`, which must be a container. On `Err`, the bits mean nothing.
pub(super) fn record(
    table: &Table,
    edge: &Edge,
    text: &str,
    trust: Trust,
    found: &mut [u64],
    sticky: &mut [u64],
) -> Result<(), Malformed> {
    let mut walk = Walk {
        table,
        scan: Scan::new(text),
        found,
        sticky,
        again: false,
        trust,
    };
    walk.whole(edge)?;
    // Rule `filter-exists-anywhere`: absence is asked of the whole record. Conditions of an early element were
    // taken before a later one showed the key, so with all that was seen known, everything is looked at again.
    if walk.again {
        bits::clear(walk.found, &edge.scope);
        for goal in slice(&table.goals, &edge.goals) {
            bits::unset(walk.found, goal.bit);
        }
        walk.scan = Scan::new(text);
        walk.whole(edge)?;
    }
    Ok(())
}

impl Walk<'_, '_, '_> {
    fn whole(&mut self, edge: &Edge) -> Result<(), Malformed> {
        self.scan.blanks();
        match self.value(edge, self.trust == Trust::Written)? {
            Rest::Matters => self.scan.end(),
            Rest::Unread => Ok(()),
        }
    }

    /// `is_last`: nothing behind this value is looked for.
    fn value(&mut self, edge: &Edge, is_last: bool) -> Result<Rest, Malformed> {
        match self.scan.peek() {
            Some(b'{') => match edge.child {
                Some(child) => return self.object(edge, child, is_last),
                None => self.skip()?,
            },
            Some(b'[') => self.list(edge)?,
            _ => {
                let scalar = self.scan.scalar()?;
                leaf(self.table, edge, scalar, self.found, self.sticky);
            }
        }
        Ok(Rest::Matters)
    }

    fn skip(&mut self) -> Result<(), Malformed> {
        match self.trust {
            Trust::None => self.scan.skip(),
            Trust::Written => self.scan.pass(),
        }
    }

    /// Rule `filter-array-any`: every element is looked at as if it stood here alone.
    fn list(&mut self, edge: &Edge) -> Result<(), Malformed> {
        if !self.scan.open(b']')? {
            return Ok(());
        }
        loop {
            self.value(edge, false)?;
            if !self.scan.more(b']')? {
                return Ok(());
            }
        }
    }

    fn object(&mut self, edge: &Edge, child: u32, is_last: bool) -> Result<Rest, Malformed> {
        if let Some(bit) = edge.entered {
            self.again |= bits::get(self.sticky, bit);
            bits::set(self.sticky, bit);
        }
        // Rule `filter-array-element`: what the keys of one object ask for must be found in one object.
        bits::clear(self.found, &edge.scope);
        let mut rest = Rest::Matters;
        if self.scan.open(b'}')? {
            rest = self.members(child, is_last)?;
        }
        for goal in slice(&self.table.goals, &edge.goals) {
            if verdict::inner(self.table, goal.condition, Some(self.found), self.sticky) {
                bits::set(self.found, goal.bit);
            }
        }
        Ok(rest)
    }

    /// A key that comes twice is followed twice, like two elements of a list (rule `filter-record-duplicate-key`).
    fn members(&mut self, child: u32, is_last: bool) -> Result<Rest, Malformed> {
        let table = self.table;
        let edges = slice(&table.edges, &table.nodes[child as usize]);
        let mut missing = edges.len();
        loop {
            let key = self.scan.key()?;
            match below(edges, &key) {
                None => self.skip()?,
                Some(edge) if self.trust == Trust::None => {
                    self.value(edge, false)?;
                }
                Some(edge) => {
                    missing = missing.saturating_sub(1);
                    self.value(edge, is_last && missing == 0)?;
                    if missing == 0 && is_last {
                        return Ok(Rest::Unread);
                    }
                    if missing == 0 {
                        self.scan.leave()?;
                        return Ok(Rest::Matters);
                    }
                }
            }
            if !self.scan.more(b'}')? {
                return Ok(Rest::Matters);
            }
        }
    }
}

/// The place below `edges` that `key` names.
#[inline]
fn below<'t>(edges: &'t [Edge], key: &Text<'_>) -> Option<&'t Edge> {
    const FEW: usize = 8; // up to here comparing all keys is faster than halving
    if edges.len() <= FEW {
        return edges.iter().find(|edge| key.is(&edge.key));
    }
    let at = edges
        .binary_search_by(|edge| key.compare(&edge.key).reverse())
        .ok()?;
    edges.get(at)
}

/// Sets the bits of all leaves at `edge` that take `scalar`: one alternative is enough (rule `filter-or-list`).
pub(super) fn leaf(
    table: &Table,
    edge: &Edge,
    scalar: Scalar<'_>,
    found: &mut [u64],
    sticky: &mut [u64],
) {
    // Rule `filter-exists-leaf`: only plain values count as being there.
    if let Some(bit) = edge.seen {
        bits::set(sticky, bit);
    }
    match scalar {
        // Rule `filter-equals-exact`.
        Scalar::Text(text) => equal(table, &edge.texts, found, |other| text.compare(other)),
        // Rule `filter-number-text`: 300 and 300.0 are different texts.
        Scalar::Number(text) => equal(table, &edge.numbers, found, |other| text.cmp(other)),
        Scalar::Bool(_) | Scalar::Null => {}
    }
    for probe in slice(&table.probes, &edge.probes) {
        if passes(table, &probe.test, scalar) {
            bits::set(found, probe.bit);
        }
    }
}

/// Sets the bits of the values that compare as equal; there may be several for one value.
#[inline]
fn equal(table: &Table, part: &Part, found: &mut [u64], compare: impl Fn(&str) -> Ordering) {
    let exacts: &[Exact] = slice(&table.exacts, part);
    let first = exacts.partition_point(|exact| compare(&exact.text) == Ordering::Greater);
    for exact in &exacts[first..] {
        if compare(&exact.text) != Ordering::Equal {
            return;
        }
        bits::set(found, exact.bit);
    }
}

fn passes(table: &Table, test: &ProbeTest, scalar: Scalar<'_>) -> bool {
    let word = |at: u32| &*table.words[at as usize];
    match (test, scalar) {
        (ProbeTest::Exists, _) | (ProbeTest::Null, Scalar::Null) => true,
        (ProbeTest::Bool(wanted), Scalar::Bool(value)) => *wanted == value,
        // Rule `filter-affix`: strings only, also where a number or boolean would begin alike.
        (ProbeTest::Prefix(at), Scalar::Text(text)) => text.starts_with(word(*at)),
        (ProbeTest::Suffix(at), Scalar::Text(text)) => text.ends_with(word(*at)),
        (ProbeTest::IgnoreCase(at), Scalar::Text(text)) => text.is_ignoring_case(word(*at)),
        (ProbeTest::Numeric(interval), Scalar::Number(text)) => interval.holds(text),
        // Rule `filter-anything-but`: a value must be there; one of another kind differs.
        (ProbeTest::NoneOfTexts(words), scalar) => match scalar {
            Scalar::Text(text) => slice(&table.words, words)
                .binary_search_by(|word| text.compare(word).reverse())
                .is_err(),
            Scalar::Number(_) | Scalar::Bool(_) | Scalar::Null => true,
        },
        (ProbeTest::NoneOfNumbers(words), scalar) => match scalar {
            Scalar::Number(text) => slice(&table.words, words)
                .binary_search_by(|word| (**word).cmp(text))
                .is_err(),
            Scalar::Text(_) | Scalar::Bool(_) | Scalar::Null => true,
        },
        (
            ProbeTest::Null
            | ProbeTest::Bool(_)
            | ProbeTest::Prefix(_)
            | ProbeTest::Suffix(_)
            | ProbeTest::IgnoreCase(_)
            | ProbeTest::Numeric(_),
            _,
        ) => false,
    }
}
