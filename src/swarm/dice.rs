//! Random choices: while a world is drawn they follow each other, while it runs they are functions of names.

use crate::engine::{Rng, Span, mix};

/// Draws that follow each other; worlds are made of them.
#[derive(Debug)]
pub(super) enum Dice<'b> {
    Random(Rng),
    /// Bytes that are used up, and zero when there are no more.
    Bytes(&'b [u8]),
}

impl<'b> Dice<'b> {
    /// The draws that belong to a seed and the number of a thing in its world.
    pub(super) const fn new(seed: u64, thing: u64) -> Self {
        Self::Random(Rng::from_key(hashed(seed, thing, 0, 0)))
    }

    /// Draws that somebody else chose.
    pub(super) const fn of_bytes(bytes: &'b [u8]) -> Self {
        Self::Bytes(bytes)
    }

    pub(super) fn key(&mut self) -> u64 {
        match self {
            Self::Random(rng) => rng.next_u64(),
            Self::Bytes(bytes) => taken(bytes, 8),
        }
    }

    /// A whole number of `0..bound`.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        match self {
            Self::Random(rng) => rng.below(bound),
            Self::Bytes(bytes) => {
                let length = (bound - 1).checked_ilog2().map_or(0, |bit| bit / 8 + 1);
                taken(bytes, length as usize) % bound
            }
        }
    }

    /// A whole number between the two, both included.
    pub(super) fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }

    pub(super) fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    pub(super) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }

    /// One of them, or nothing in `100 - chance` of 100 cases.
    pub(super) fn perhaps<T: Copy>(&mut self, chance: u64, of: &[T]) -> Option<T> {
        self.percent(chance).then(|| self.pick(of))
    }

    pub(super) fn millis(&mut self, least: u64, most: u64) -> Span {
        Span::from_millis(self.between(least, most))
    }
}

/// The number of the next `length` bytes, as far as there are any.
fn taken(bytes: &mut &[u8], length: usize) -> u64 {
    let (taken, rest) = bytes.split_at(length.min(bytes.len()));
    *bytes = rest;
    taken
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// A random number that depends on nothing but its names: taking something out of a world leaves the others alone.
pub(super) const fn hashed(key: u64, a: u64, b: u64, c: u64) -> u64 {
    mix(key ^ mix(a ^ mix(b ^ mix(c.wrapping_add(0x9e37_79b9)))))
}

/// Whether something of a chance of `percent` happens, by its names.
pub(super) const fn happens(percent: u32, key: u64, a: u64, b: u64, c: u64) -> bool {
    percent > 0 && hashed(key, a, b, c) % 100 < percent as u64
}
