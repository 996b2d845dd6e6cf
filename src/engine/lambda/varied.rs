//! Idle environments whose lives are drawn: then the order of release says nothing about the order of expiry.

use super::Reuse;
use super::environment::Idle;
use crate::engine::{Rng, Span, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

/// How long environments live (rule `environment-lifetime`); whoever drives the service draws it.
pub trait Lives: Debug + Send {
    /// How long an environment that becomes idle now waits for work before it is gone.
    fn keep_alive(&mut self) -> Span;

    /// How long a new environment lives, whether it has work or not.
    fn lifetime(&mut self) -> Span;

    /// The same draws once more, for a copy of the service.
    fn copy(&self) -> Box<dyn Lives>;
}

impl Clone for Box<dyn Lives> {
    fn clone(&self) -> Self {
        self.as_ref().copy()
    }
}

/// The idle environments of a pool, in the order of release and in the order of expiry.
#[derive(Clone, Debug)]
pub(super) struct Varied {
    lives: Box<dyn Lives>,
    /// When the lifetime of each living environment is over, by its number.
    ends: Vec<Time>,
    released: u64,
    /// By release, with the moment of expiry.
    idle: BTreeMap<u64, (Idle, Time)>,
    expiries: BTreeSet<(Time, u64)>,
}

impl Varied {
    pub(super) fn new(lives: Box<dyn Lives>) -> Self {
        Self {
            lives,
            ends: Vec::new(),
            released: 0,
            idle: BTreeMap::new(),
            expiries: BTreeSet::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.idle.len()
    }

    /// An environment was created.
    pub(super) fn born(&mut self, now: Time, id: u32) {
        let index = id as usize;
        if index >= self.ends.len() {
            self.ends.resize(index + 1, Time::MAX);
        }
        self.ends[index] = now + self.lives.lifetime();
    }

    /// An environment has no more work; `false` when its lifetime is over.
    pub(super) fn put(&mut self, idle: Idle) -> bool {
        let lifetime = self.ends[idle.id as usize];
        let end = (idle.since + self.lives.keep_alive()).min(lifetime);
        if end <= idle.since {
            return false;
        }
        self.released += 1;
        self.idle.insert(self.released, (idle, end));
        self.expiries.insert((end, self.released));
        true
    }

    /// Takes the environment that serves next; those that expired are gone already.
    pub(super) fn take(&mut self, reuse: Reuse, rng: &mut Rng) -> Option<Idle> {
        let (oldest, newest) = (
            *self.idle.first_key_value()?.0,
            *self.idle.last_key_value()?.0,
        );
        let chosen = match reuse {
            Reuse::MostRecent => newest,
            Reuse::LeastRecent => oldest,
            Reuse::Random => self.any(oldest, newest, rng),
        };
        let (idle, end) = self.idle.remove(&chosen)?;
        self.expiries.remove(&(end, chosen));
        Some(idle)
    }

    /// One of them, evenly: releases are tried until one is there, which seldom takes long.
    fn any(&self, oldest: u64, newest: u64, rng: &mut Rng) -> u64 {
        const TRIES: u32 = 64;
        for _ in 0..TRIES {
            let tried = oldest + rng.below(newest - oldest + 1);
            if self.idle.contains_key(&tried) {
                return tried;
            }
        }
        let place = rng.below(self.idle.len() as u64) as usize;
        self.idle.keys().nth(place).copied().unwrap_or(newest)
    }

    /// Takes out the first one that expires at `now` or before, with the moment at which it did.
    pub(super) fn pop_due(&mut self, now: Time) -> Option<(Idle, Time)> {
        let (end, release) = *self.expiries.first()?;
        if end > now {
            return None;
        }
        self.expiries.pop_first();
        self.idle.remove(&release)
    }

    pub(super) fn next_end(&self) -> Option<Time> {
        self.expiries.first().map(|(end, _)| *end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keep-alives in the order in which they are asked for, and a lifetime of a minute.
    #[derive(Clone, Debug)]
    struct Scripted(Vec<u64>);

    impl Lives for Scripted {
        fn keep_alive(&mut self) -> Span {
            Span::from_secs(self.0.remove(0))
        }

        fn lifetime(&mut self) -> Span {
            Span::from_secs(60)
        }

        fn copy(&self) -> Box<dyn Lives> {
            Box::new(self.clone())
        }
    }

    fn idle(id: u32, since: u64) -> Idle {
        Idle {
            since: Time::from_secs(since),
            born: Time::ZERO,
            id,
            reset: false,
        }
    }

    /// Four that are released at 1, 2, 3 and 4 s and expire at 31, 7, 13 and 60 s.
    fn varied() -> Varied {
        let mut varied = Varied::new(Box::new(Scripted(vec![30, 5, 10, 100, 1])));
        for id in 0..5 {
            varied.born(Time::ZERO, id);
        }
        for (id, since) in (0..4).zip(1..) {
            assert!(varied.put(idle(id, since)));
        }
        varied
    }

    #[test]
    fn what_expires_first_may_have_been_released_last() {
        let mut varied = varied();
        let mut ended = Vec::new();
        while let Some((idle, end)) = varied.pop_due(Time::from_secs(60)) {
            ended.push((idle.id, end.since(Time::ZERO).as_millis() / 1_000));
        }
        // The last one's lifetime ends before its keep-alive.
        assert_eq!(ended, [(1, 7), (2, 13), (0, 31), (3, 60)]);
        assert!(!varied.put(idle(4, 60)), "its lifetime is over");
    }

    #[test]
    fn the_order_of_reuse_is_that_of_release() {
        let mut rng = Rng::stream(1, "varied");
        let mut order = |reuse| {
            let mut varied = varied();
            assert_eq!(
                varied.pop_due(Time::from_secs(10)).map(|(idle, _)| idle.id),
                Some(1)
            );
            let taken = std::iter::from_fn(|| varied.take(reuse, &mut rng));
            taken.map(|idle| idle.id).collect::<Vec<_>>()
        };
        assert_eq!(order(Reuse::MostRecent), [3, 2, 0]);
        assert_eq!(order(Reuse::LeastRecent), [0, 2, 3]);
        let mut random = order(Reuse::Random);
        random.sort_unstable();
        assert_eq!(random, [0, 2, 3]);
        assert_eq!(varied().next_end(), Some(Time::from_secs(7)));
    }
}
