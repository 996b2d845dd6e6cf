//! Execution environments of one function: which idle one serves next, and when idle ones expire.

use super::varied::{Lives, Varied};
use super::{EnvironmentId, Reuse};
use crate::engine::{Rng, Span, Time};
use std::collections::VecDeque;

/// The environments of one function.
///
/// With a constant keep-alive the idle list is ordered by release, so the expired ones are always at its front:
/// no timer per environment is needed (rule `environment-keep-alive`).
#[derive(Clone, Debug)]
#[repr(C)]
pub(super) struct Pool {
    keep_alive: Span,
    idle: VecDeque<Idle>,
    /// Takes the place of `idle` where lives vary: then release says nothing about expiry.
    varied: Option<Box<Varied>>,
    reuse: Reuse,
    rng: Rng,
    /// Entries of `idle` that were taken out of the middle (random reuse only).
    holes: usize,
    next_id: u32,
    free_ids: Vec<u32>,
    retired: Option<VecDeque<EnvironmentId>>,
    living: u64,
    /// Sum of the living environments' moments of creation, in nanoseconds.
    births: u128,
    /// Sum of the lifespans of all environments that ended.
    ended: u128,
    /// Environments that expired.
    pub(super) expired: u64,
    /// Sum of their lifespans, from creation to expiry.
    pub(super) lifespans: u128,
}

/// An environment without work.
#[derive(Clone, Copy, Debug)]
pub(super) struct Idle {
    pub(super) since: Time,
    pub(super) born: Time,
    pub(super) id: u32,
    /// Its runtime was torn down by a timeout or a crash: the next request initialises it again.
    pub(super) reset: bool,
}

const HOLE: u32 = u32::MAX;

impl Pool {
    pub(super) fn new(keep_alive: Span, reuse: Reuse, rng: Rng) -> Self {
        Self {
            keep_alive,
            reuse,
            rng,
            // Those of all functions lie side by side then, as long as they are short.
            idle: VecDeque::with_capacity(4),
            holes: 0,
            varied: None,
            next_id: 0,
            free_ids: Vec::new(),
            retired: None,
            living: 0,
            births: 0,
            ended: 0,
            expired: 0,
            lifespans: 0,
        }
    }

    /// An empty pool with the same rules.
    pub(super) fn like(&self, rng: Rng) -> Self {
        Self::new(self.keep_alive, self.reuse, rng)
    }

    /// Lets lives vary from now on; all environments are idle.
    pub(super) fn vary(&mut self, lives: Box<dyn Lives>) {
        let mut varied = Varied::new(lives);
        for idle in self.idle.drain(..) {
            varied.born(idle.born, idle.id);
            varied.put(idle);
        }
        self.varied = Some(Box::new(varied));
    }

    pub(super) fn track_retired(&mut self) {
        self.retired = Some(VecDeque::new());
    }

    pub(super) fn pop_retired(&mut self) -> Option<EnvironmentId> {
        self.retired.as_mut()?.pop_front()
    }

    /// Idle environments, those past their keep-alive included until [`expire`](Self::expire) sees them.
    pub(super) fn idle_count(&self) -> usize {
        match &self.varied {
            None => self.idle.len() - self.holes,
            Some(varied) => varied.len(),
        }
    }

    /// Reads of the idle list.
    #[inline]
    pub(super) fn glance(&self) -> Option<usize> {
        Some(self.idle.back()?.id as usize)
    }

    /// Takes the environment that serves a request at `now`.
    #[inline(always)]
    pub(super) fn take(&mut self, now: Time) -> Option<Idle> {
        if self.varied.is_some() {
            self.expire(now);
            return self.varied.as_mut()?.take(self.reuse, &mut self.rng);
        }
        match self.reuse {
            Reuse::MostRecent => {
                let newest = *self.idle.back()?;
                if newest.since + self.keep_alive <= now {
                    self.expire(now);
                    return None;
                }
                self.idle.pop_back()
            }
            Reuse::LeastRecent => {
                self.expire(now);
                self.idle.pop_front()
            }
            Reuse::Random => {
                self.expire(now);
                self.take_random()
            }
        }
    }

    /// Puts an environment back that became idle at `idle.since`, which is not before any earlier one.
    /// `false` when its lifetime ended while it was at work, so that it is gone.
    #[inline]
    pub(super) fn put(&mut self, idle: Idle) -> bool {
        match &mut self.varied {
            None => {
                self.idle.push_back(idle);
                true
            }
            Some(varied) => {
                let lives = varied.put(idle);
                if !lives {
                    self.retire(idle, idle.since);
                }
                lives
            }
        }
    }

    pub(super) const fn keep_alive(&self) -> Span {
        self.keep_alive
    }

    pub(super) const fn reuse(&self) -> Reuse {
        self.reuse
    }

    /// A place below `count`, for random reuse.
    pub(super) fn below(&mut self, count: usize) -> usize {
        self.rng.below(count as u64) as usize
    }

    /// Ends an environment that had no work.
    pub(super) fn retire(&mut self, idle: Idle, end: Time) {
        self.expired += 1;
        self.lifespans += u128::from(end.since(idle.born).as_nanos());
        self.destroy(idle.id, idle.born, end);
    }

    /// A new environment, created at `now`.
    pub(super) fn create(&mut self, now: Time) -> u32 {
        self.living += 1;
        self.births += u128::from(now.as_nanos());
        let id = self.free_ids.pop().unwrap_or_else(|| {
            let id = self.next_id;
            assert!(id < HOLE, "more than 2^32 environments are alive");
            self.next_id += 1;
            id
        });
        if let Some(varied) = &mut self.varied {
            varied.born(now, id);
        }
        id
    }

    /// Ends an environment that is not in the idle list.
    pub(super) fn destroy(&mut self, id: u32, born: Time, end: Time) {
        self.living -= 1;
        self.births -= u128::from(born.as_nanos());
        self.ended += u128::from(end.since(born).as_nanos());
        self.free_ids.push(id);
        if let Some(retired) = &mut self.retired {
            retired.push_back(EnvironmentId(id));
        }
    }

    /// Ends the idle environments whose keep-alive is over.
    pub(super) fn expire(&mut self, now: Time) {
        if self.varied.is_some() {
            while self.expire_varied(now).is_some() {}
            return;
        }
        while let Some(oldest) = self.idle.front() {
            if oldest.id == HOLE {
                self.holes -= 1;
                self.idle.pop_front();
                continue;
            }
            let end = oldest.since + self.keep_alive;
            if end > now {
                return;
            }
            let idle = *oldest;
            self.idle.pop_front();
            self.retire(idle, end);
        }
    }

    /// Ends the first environment of varied life whose time is over, and says when that was.
    pub(super) fn expire_varied(&mut self, now: Time) -> Option<Time> {
        let (idle, end) = self.varied.as_mut()?.pop_due(now)?;
        self.retire(idle, end);
        Some(end)
    }

    /// Nanoseconds of life that all environments together had until `now`, to which the pool was expired.
    pub(super) fn area(&self, now: Time) -> u128 {
        self.ended + u128::from(self.living) * u128::from(now.as_nanos()) - self.births
    }

    /// When the next idle environment expires.
    pub(super) fn next_expiry(&self) -> Option<Time> {
        if let Some(varied) = &self.varied {
            return varied.next_end();
        }
        let oldest = self.idle.iter().find(|idle| idle.id != HOLE)?;
        Some(oldest.since + self.keep_alive)
    }

    fn take_random(&mut self) -> Option<Idle> {
        if self.idle_count() == 0 {
            return None;
        }
        if self.holes > self.idle.len() / 2 {
            self.idle.retain(|idle| idle.id != HOLE);
            self.holes = 0;
        }
        loop {
            let index = self.rng.below(self.idle.len() as u64) as usize;
            let chosen = self.idle[index];
            if chosen.id != HOLE {
                self.idle[index].id = HOLE;
                self.holes += 1;
                return Some(chosen);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(reuse: Reuse) -> Pool {
        let mut pool = Pool::new(Span::from_secs(10), reuse, Rng::stream(1, "pool"));
        for secs in 0..3 {
            let id = pool.create(Time::ZERO);
            pool.put(Idle {
                since: Time::from_secs(secs),
                born: Time::ZERO,
                id,
                reset: false,
            });
        }
        pool
    }

    #[test]
    fn environment_reuse_order() {
        let taken = |reuse| pool(reuse).take(Time::from_secs(5)).map(|idle| idle.id);
        assert_eq!(taken(Reuse::MostRecent), Some(2));
        assert_eq!(taken(Reuse::LeastRecent), Some(0));
        let mut random = pool(Reuse::Random);
        let mut all: Vec<u32> = (0..3)
            .filter_map(|_| random.take(Time::from_secs(5)))
            .map(|idle| idle.id)
            .collect();
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2]);
        assert!(random.take(Time::from_secs(5)).is_none());
    }

    #[test]
    fn environment_keep_alive() {
        for reuse in [Reuse::MostRecent, Reuse::LeastRecent, Reuse::Random] {
            let mut pool = pool(reuse);
            pool.track_retired();
            // Released at 0 s and 1 s with 10 s to live: gone at 11 s exactly.
            pool.expire(Time::from_secs(11));
            assert_eq!(pool.idle_count(), 1);
            assert_eq!(pool.expired, 2);
            assert_eq!(pool.lifespans, 21_000_000_000);
            assert_eq!(pool.area(Time::from_secs(11)), 32_000_000_000);
            assert_eq!(pool.pop_retired(), Some(EnvironmentId(0)));
            assert_eq!(pool.next_expiry(), Some(Time::from_secs(12)));
            assert!(pool.take(Time::from_secs(12)).is_none());
        }
    }
}
