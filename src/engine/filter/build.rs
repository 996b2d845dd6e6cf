//! From patterns to the compiled form.
//!
//! Three walks over the patterns in one order: the first merges their keys into one trie, the second numbers the bits
//! so that everything below a place is one range, the third writes the conditions.

use super::operator::Test;
use super::pattern::{Shape, What};
use super::source::Mismatch;
use super::table::{Edge, Exact, Goal, Part, Probe, ProbeTest, Table, Term};
use super::verdict::BITS_MAX;
use std::collections::BTreeMap;

/// A place of the trie while it grows. An occurrence is the n-th leaf or object in the order of the walk.
#[derive(Default)]
struct Draft<'p> {
    leaves: Vec<(u32, &'p [Test])>,
    inner: Vec<u32>,
    below: BTreeMap<&'p str, Self>,
}

pub(super) fn table(shapes: &[Shape], data_key: Option<&str>, mismatch: Mismatch) -> Table {
    let mut metadata = Draft::default();
    let mut data = Draft::default();
    let mut count = 0;
    for shape in shapes {
        merge(
            shape,
            &mut metadata,
            Some((&mut data, data_key)),
            &mut count,
        );
    }
    let mut writer = Writer {
        bits: vec![0; count as usize],
        seen: vec![None; count as usize],
        next_bit: 0,
        next_occurrence: 0,
        goal_slots: vec![None; count as usize],
        data_key,
        table: Table {
            nodes: Vec::new(),
            edges: Vec::new(),
            exacts: Vec::new(),
            probes: Vec::new(),
            words: Vec::new(),
            goals: Vec::new(),
            terms: Vec::new(),
            conditions: Vec::new(),
            filters: 0..0,
            metadata: Edge::default(),
            data: Edge::default(),
            mismatch,
            bit_words: 0,
        },
    };
    writer.table.metadata = writer.edge("", &metadata);
    writer.table.data = writer.edge("", &data);
    let conditions: Vec<Part> = shapes
        .iter()
        .map(|shape| writer.condition(shape, true))
        .collect();
    writer.table.filters = writer.keep(conditions);
    assert!(
        writer.next_bit <= BITS_MAX,
        "more bits than patterns of the allowed length can need"
    );
    writer.table.bit_words = (writer.next_bit as usize).div_ceil(64);
    writer.table
}

/// Where the keys of an outermost object go if they name the data.
type Data<'d, 'p> = Option<(&'d mut Draft<'p>, Option<&'d str>)>;

fn merge<'p>(shape: &'p Shape, draft: &mut Draft<'p>, mut data: Data<'_, 'p>, count: &mut u32) {
    for field in &shape.fields {
        // Rule `filter-any-metadata`: every key but that of the data is looked for in the record itself.
        let place = match &mut data {
            Some((data, Some(key))) if field.key == *key => &mut **data,
            _ => draft.below.entry(&field.key).or_default(),
        };
        let occurrence = *count;
        *count += 1;
        match &field.what {
            What::Leaf(tests) => place.leaves.push((occurrence, tests)),
            What::Inner(inner) => {
                place.inner.push(occurrence);
                merge(inner, place, None, count);
            }
        }
    }
    for branch in shape.choices.iter().flatten() {
        let data = data.as_mut().map(|(data, key)| (&mut **data, *key));
        merge(branch, draft, data, count);
    }
}

struct Writer<'k> {
    /// Per occurrence, its bit.
    bits: Vec<u32>,
    /// Per occurrence of a leaf that absence fulfils, the bit that says otherwise.
    seen: Vec<Option<u32>>,
    /// Per occurrence of an object, its index in `goals`.
    goal_slots: Vec<Option<u32>>,
    next_bit: u32,
    next_occurrence: usize,
    data_key: Option<&'k str>,
    table: Table,
}

/// Where the next element of `array` goes.
fn index<T>(array: &[T]) -> u32 {
    assert!(
        array.len() < u32::MAX as usize,
        "patterns are limited to 4,096 characters"
    );
    array.len() as u32
}

impl Writer<'_> {
    fn bit(&mut self) -> u32 {
        self.next_bit += 1;
        self.next_bit - 1
    }

    fn edge(&mut self, key: &str, draft: &Draft<'_>) -> Edge {
        for occurrence in draft
            .leaves
            .iter()
            .map(|leaf| leaf.0)
            .chain(draft.inner.iter().copied())
        {
            self.bits[occurrence as usize] = self.bit();
        }
        let goals = index(&self.table.goals);
        for &occurrence in &draft.inner {
            self.goal_slots[occurrence as usize] = Some(index(&self.table.goals));
            self.table.goals.push(Goal {
                bit: self.bits[occurrence as usize],
                condition: u32::MAX, // written with the conditions
            });
        }
        let mut edge = Edge {
            key: key.into(),
            goals: goals..index(&self.table.goals),
            ..Edge::default()
        };
        self.leaves(&mut edge, draft);
        // Sticky bits are another set of the same size, so they may share numbers with those above.
        if asks_for_absence(draft) {
            edge.entered = draft.inner.first().map(|&first| self.bits[first as usize]);
        }
        let low = self.next_bit;
        if !draft.below.is_empty() {
            let below: Vec<Edge> = draft
                .below
                .iter()
                .map(|(key, draft)| self.edge(key, draft))
                .collect();
            let start = index(&self.table.edges);
            self.table.edges.extend(below);
            edge.child = Some(index(&self.table.nodes));
            self.table.nodes.push(start..index(&self.table.edges));
        }
        edge.scope = low..self.next_bit;
        edge
    }

    fn leaves(&mut self, edge: &mut Edge, draft: &Draft<'_>) {
        let mut texts = Vec::new();
        let mut numbers = Vec::new();
        let probes = index(&self.table.probes);
        for &(occurrence, tests) in &draft.leaves {
            let bit = self.bits[occurrence as usize];
            let exact = |text: &String| Exact {
                text: text.as_str().into(),
                bit,
            };
            for test in tests {
                let test = match test {
                    Test::Text(text) => {
                        texts.push(exact(text));
                        continue;
                    }
                    Test::Number(text) => {
                        numbers.push(exact(text));
                        continue;
                    }
                    Test::Exists(false) => {
                        let seen = *edge.seen.get_or_insert(bit);
                        self.seen[occurrence as usize] = Some(seen);
                        continue;
                    }
                    Test::Exists(true) => ProbeTest::Exists,
                    Test::Null => ProbeTest::Null,
                    Test::Bool(value) => ProbeTest::Bool(*value),
                    Test::Prefix(text) => ProbeTest::Prefix(self.words([text]).start),
                    Test::Suffix(text) => ProbeTest::Suffix(self.words([text]).start),
                    Test::IgnoreCase(text) => ProbeTest::IgnoreCase(self.words([text]).start),
                    Test::Numeric(interval) => ProbeTest::Numeric(*interval),
                    Test::NoneOfTexts(list) => ProbeTest::NoneOfTexts(self.words(list)),
                    Test::NoneOfNumbers(list) => ProbeTest::NoneOfNumbers(self.words(list)),
                };
                self.table.probes.push(Probe { bit, test });
            }
        }
        edge.probes = probes..index(&self.table.probes);
        edge.texts = self.exacts(texts);
        edge.numbers = self.exacts(numbers);
    }

    fn exacts(&mut self, mut exacts: Vec<Exact>) -> Part {
        exacts.sort_by(|a, b| (&a.text, a.bit).cmp(&(&b.text, b.bit)));
        let start = index(&self.table.exacts);
        self.table.exacts.extend(exacts);
        start..index(&self.table.exacts)
    }

    fn words<'w>(&mut self, words: impl IntoIterator<Item = &'w String>) -> Part {
        let mut sorted: Vec<Box<str>> =
            words.into_iter().map(|word| word.as_str().into()).collect();
        sorted.sort();
        let start = index(&self.table.words);
        self.table.words.extend(sorted);
        start..index(&self.table.words)
    }

    fn condition(&mut self, shape: &Shape, outermost: bool) -> Part {
        let mut terms = Vec::new();
        for field in &shape.fields {
            let occurrence = self.next_occurrence;
            self.next_occurrence += 1;
            let bit = self.bits[occurrence];
            let unless = self.seen[occurrence];
            let is_data = outermost && self.data_key == Some(field.key.as_str());
            terms.push(match (&field.what, is_data) {
                (What::Leaf(_), false) => Term::Leaf { bit, unless },
                (What::Leaf(_), true) => Term::PlainData { bit, unless },
                (What::Inner(inner), _) => {
                    let part = self.condition(inner, false);
                    let condition = self.keep(vec![part]).start;
                    if let Some(slot) = self.goal_slots[occurrence] {
                        self.table.goals[slot as usize].condition = condition;
                    }
                    match is_data {
                        true => Term::JsonData { bit, condition },
                        false => Term::Inner { bit, condition },
                    }
                }
            });
        }
        for branches in &shape.choices {
            let parts = branches
                .iter()
                .map(|branch| self.condition(branch, outermost))
                .collect();
            terms.push(Term::Any(self.keep(parts)));
        }
        let start = index(&self.table.terms);
        self.table.terms.extend(terms);
        start..index(&self.table.terms)
    }

    /// Keeps conditions side by side.
    fn keep(&mut self, parts: Vec<Part>) -> Part {
        let start = index(&self.table.conditions);
        self.table.conditions.extend(parts);
        start..index(&self.table.conditions)
    }
}

/// Whether something below asks for absence.
fn asks_for_absence(draft: &Draft<'_>) -> bool {
    draft.below.values().any(|below| {
        let here = below
            .leaves
            .iter()
            .any(|(_, tests)| tests.iter().any(|test| matches!(test, Test::Exists(false))));
        here || asks_for_absence(below)
    })
}
