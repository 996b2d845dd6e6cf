//! What functions saw while pollers came and went, and what it proves.

use super::sources::{Begin, Delivery, Kind, Order, read};
use crate::function::event::records;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

/// The log of the function of one process, read as it grows.
pub(super) struct Log {
    kind: Kind,
    path: PathBuf,
    offset: u64,
    pub(super) seen: Vec<Delivery>,
}

impl Log {
    pub(super) const fn of(kind: Kind, path: PathBuf) -> Self {
        Self {
            kind,
            path,
            offset: 0,
            seen: Vec::new(),
        }
    }

    /// Takes in what was written since the last look.
    pub(super) fn look(&mut self) {
        let Ok(text) = read_from(&self.path, self.offset) else {
            return;
        };
        // A line that is just being written, or that a kill broke off, has no end.
        let complete = text.rfind('\n').map_or(0, |end| end + 1);
        self.offset += complete as u64;
        for line in text[..complete].lines() {
            let line: Value = serde_json::from_str(line).expect("a line of JSON");
            let seen = records(&line["event"]).map(|record| read(self.kind, record));
            self.seen.extend(seen);
        }
    }
}

fn read_from(path: &Path, offset: u64) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok(text)
}

/// What one process delivered, and where it had to begin.
pub(super) struct Pass {
    pub(super) log: Log,
    pub(super) begins: BTreeMap<String, Begin>,
}

/// What came of an ordeal.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) records: usize,
    pub(super) deliveries: usize,
    /// The most records that one process delivered again.
    pub(super) again_most: usize,
}

impl Tally {
    pub(super) const fn again(&self) -> usize {
        self.deliveries - self.records
    }

    pub(super) fn add(&mut self, other: Self) {
        self.records += other.records;
        self.deliveries += other.deliveries;
        self.again_most = self.again_most.max(other.again_most);
    }
}

/// How many different records were seen; what a dying process wrote last counts, too.
pub(super) fn distinct(passes: &mut [Pass]) -> usize {
    for pass in passes.iter_mut().rev().take(2) {
        pass.log.look();
    }
    let all = passes.iter().flat_map(|pass| &pass.log.seen);
    let numbers: BTreeSet<usize> = all.map(|it| it.number).collect();
    numbers.len()
}

/// Nothing of `0..written` is lost, and order and repetition are as promised after kills.
pub(super) fn judge(kind: Kind, written: usize, passes: &[Pass]) -> Tally {
    complete(kind, written, passes);
    for (key, numbers) in by_key(passes) {
        match kind.order() {
            Order::Positions => goes_on(kind, key, &numbers, passes),
            Order::Groups => in_order(key, passes),
            Order::None => {}
        }
    }
    tally(passes)
}

/// The same of one process that nobody killed. With `repeats`, what it delivered may come to it again from some point on:
/// so do failed batches, and partitions of Kafka's.
pub(super) fn judge_one(kind: Kind, written: usize, pass: &[Pass; 1], repeats: bool) -> Tally {
    complete(kind, written, pass);
    for (key, numbers) in by_key(pass) {
        match (repeats, kind.order()) {
            (true, Order::Positions) => without_gaps(key, &numbers, pass),
            (_, Order::Positions) => goes_on(kind, key, &numbers, pass),
            (_, Order::Groups) => in_order(key, pass),
            (_, Order::None) => {}
        }
    }
    tally(pass)
}

fn all(passes: &[Pass]) -> impl Iterator<Item = &Delivery> {
    passes.iter().flat_map(|pass| &pass.log.seen)
}

/// Everything is there, and no receive of a message was delivered twice.
fn complete(kind: Kind, written: usize, passes: &[Pass]) {
    let distinct: BTreeSet<usize> = all(passes).map(|it| it.number).collect();
    let lost: Vec<usize> = (0..written).filter(|it| !distinct.contains(it)).collect();
    assert!(lost.is_empty(), "{}: lost: {lost:?}", kind.name());
    assert_eq!(distinct.len(), written, "{}: made up", kind.name());
    if matches!(kind, Kind::Sqs | Kind::Fifo) {
        let mut receives = BTreeSet::new();
        for delivery in all(passes) {
            let place = &delivery.place;
            assert!(
                receives.insert(place),
                "one receive, two deliveries: {place}"
            );
        }
    }
}

/// The numbers of each shard, partition or group, in their order.
fn by_key(passes: &[Pass]) -> BTreeMap<&str, Vec<usize>> {
    let mut sets: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for delivery in all(passes) {
        let numbers = sets.entry(&delivery.key).or_default();
        numbers.insert(delivery.number);
    }
    let lists = sets.into_iter();
    lists
        .map(|(key, set)| (key, set.into_iter().collect()))
        .collect()
}

fn tally(passes: &[Pass]) -> Tally {
    let mut known: BTreeSet<usize> = BTreeSet::new();
    let mut tally = Tally::default();
    for pass in passes {
        let mut again = 0;
        for delivery in &pass.log.seen {
            tally.deliveries += 1;
            again += usize::from(!known.insert(delivery.number));
        }
        tally.again_most = tally.again_most.max(again);
    }
    tally.records = known.len();
    tally
}

/// Every process goes on exactly where the stored position says, and leaves nothing out.
fn goes_on(kind: Kind, key: &str, numbers: &[usize], passes: &[Pass]) {
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    let mut next = 0;
    for (count, pass) in passes.iter().enumerate() {
        let what = format!("{}, process {count}, `{key}`", kind.name());
        let begin = match pass.begins.get(key) {
            None => Some(0),
            // What no process has delivered cannot be done.
            Some(Begin::After(place)) => {
                let index = places.get(place.as_str());
                let index = index.unwrap_or_else(|| panic!("{what}: {place} was not delivered"));
                Some(index + 1)
            }
            // Offsets count the records of a partition from 0 on.
            Some(Begin::At(offset)) => offset.parse().ok(),
        };
        let begin: usize = begin.expect("a position");
        assert!(begin <= next, "{what}: {begin} is stored, {next} delivered");
        let mut expected = begin;
        for delivery in pass.log.seen.iter().filter(|it| it.key == key) {
            let index = numbers
                .binary_search(&delivery.number)
                .expect("it is known");
            assert_eq!(index, expected, "{what}: it began at {begin}");
            places.insert(&delivery.place, index);
            expected += 1;
        }
        next = next.max(expected);
    }
}

/// Nothing is seen for the first time after what was written later.
fn in_order(key: &str, passes: &[Pass]) {
    let mut known = BTreeSet::new();
    for delivery in all(passes).filter(|it| it.key == key) {
        let number = delivery.number;
        let later = known.last().is_some_and(|last| *last > number);
        assert!(
            !later || known.contains(&number),
            "`{key}`: {number} was overtaken: {known:?}"
        );
        known.insert(number);
    }
}

/// Whatever comes again comes from some point on, and nothing is left out.
fn without_gaps(key: &str, numbers: &[usize], passes: &[Pass]) {
    let (mut next, mut expected) = (0, 0);
    for delivery in all(passes).filter(|it| it.key == key) {
        let index = numbers
            .binary_search(&delivery.number)
            .expect("it is known");
        assert!(
            index == expected || index < next,
            "`{key}`: {index} instead of {expected}"
        );
        expected = index + 1;
        next = next.max(expected);
    }
}
