//! A generational slab: stable small indices, and keys that are never valid twice.

use crate::engine::Token;

#[derive(Debug)]
pub(super) struct Slab<T> {
    entries: Vec<Entry<T>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Entry<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Slab<T> {
    /// Stores `value`; the index is free again after [`take`](Self::take) or [`remove`](Self::remove).
    pub(super) fn insert(&mut self, value: T) -> u32 {
        let index = self.free.pop().unwrap_or_else(|| {
            let index = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
            assert!(index < u32::MAX, "more than 2^32 things are pending");
            self.entries.push(Entry {
                generation: 0,
                value: None,
            });
            index
        });
        self.entries[index as usize].value = Some(value);
        index
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().filter_map(|entry| entry.value.as_ref())
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.entries
            .iter_mut()
            .filter_map(|entry| entry.value.as_mut())
    }

    pub(super) fn get(&self, index: u32) -> Option<&T> {
        self.entries.get(index as usize)?.value.as_ref()
    }

    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        self.entries.get_mut(index as usize)?.value.as_mut()
    }

    pub(super) fn remove(&mut self, index: u32) -> Option<T> {
        let entry = self.entries.get_mut(index as usize)?;
        let value = entry.value.take()?;
        entry.generation = entry.generation.wrapping_add(1);
        self.free.push(index);
        Some(value)
    }

    /// The token of a stored value: index and generation.
    pub(super) fn token(&self, index: u32) -> Token {
        let generation = self.entries[index as usize].generation;
        Token(u64::from(generation) << 32 | u64::from(index))
    }

    /// Takes the value that `token` names, or `None` when it was taken before.
    pub(super) fn take(&mut self, token: Token) -> Option<T> {
        let index = token.0 as u32;
        let generation = (token.0 >> 32) as u32;
        if self.entries.get(index as usize)?.generation != generation {
            return None;
        }
        self.remove(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_answered_once() {
        let mut slab = Slab::default();
        let index = slab.insert("first");
        let token = slab.token(index);
        assert_eq!(slab.take(token), Some("first"));
        assert_eq!(slab.take(token), None);
        let again = slab.insert("second");
        assert_eq!(again, index);
        assert_ne!(slab.token(again), token);
        assert_eq!(slab.take(token), None);
        assert_eq!(slab.len(), 1);
    }
}
