//! Provisioned concurrency of one alias: what was asked for, what serves already, and who runs there.

use super::environment::{Idle, Pool};
use super::varied::Lives;
use super::{Reuse, bucket::Bucket, requests_bucket};
use crate::engine::{Allocation, Rng, Span, Time};

/// Environments that are kept ready for one alias.
///
/// An increase is prepared as a whole: nothing of it serves before all of it is there
/// (rule `provisioned-part-serves-when-complete`). A decrease takes effect at once; environments that are at work then go
/// when their work is done. Where lives vary, an environment whose lifetime is over is replaced by one that initialised in
/// the background (rule `provisioned-recycling`).
#[derive(Clone, Debug)]
pub(super) struct Provisioned {
    requested: u32,
    allocated: u32,
    /// When `requested` becomes `allocated`; in the past when it has.
    ready_at: Time,
    in_use: u32,
    requests: Bucket,
    pool: Pool,
    recycled: u64,
}

/// Provisioned concurrency of an alias at one moment, in AWS's terms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProvisionedState {
    /// RequestedProvisionedConcurrentExecutions.
    pub requested: u32,
    /// AllocatedProvisionedConcurrentExecutions: these serve requests.
    pub allocated: u32,
    /// ProvisionedConcurrentExecutions: these are at work.
    pub in_use: u32,
    /// When the status changes from IN_PROGRESS to READY; `None` when it is READY.
    pub ready_at: Option<Time>,
}

impl Provisioned {
    /// `count` environments that are ready since `now`.
    pub(super) fn ready(now: Time, count: u32) -> Self {
        let mut provisioned = Self {
            requested: count,
            allocated: 0,
            ready_at: now,
            in_use: 0,
            requests: requests_bucket(count),
            // They live until they are taken away: no keep-alive ends them, and the order of reuse shows nowhere.
            pool: Pool::new(
                Span::MAX,
                Reuse::MostRecent,
                Rng::stream(0, "provisioned/unused"),
            ),
            recycled: 0,
        };
        provisioned.settle(now);
        provisioned
    }

    /// Lets lifetimes end from now on; nothing is at work.
    pub(super) fn vary(&mut self, lives: Box<dyn Lives>) {
        self.pool.vary(lives);
    }

    /// Asks for `count` from `now` on.
    pub(super) fn request(&mut self, now: Time, count: u32, allocation: Allocation) {
        self.settle(now);
        self.requested = count;
        if count <= self.allocated {
            self.allocated = count;
            self.ready_at = now;
            self.requests = requests_bucket(count);
            while self.idle() + self.in_use > self.allocated {
                let Some(idle) = self.pool.take(now) else {
                    break;
                };
                self.pool.destroy(idle.id, idle.born, now);
            }
        } else {
            self.ready_at = now + allocation.takes(count - self.allocated);
        }
    }

    /// Puts an increase into service whose time has come, and replaces environments whose lifetime is over.
    pub(super) fn settle(&mut self, now: Time) {
        while let Some(ended) = self.pool.expire_varied(now) {
            self.replace(ended);
        }
        if self.allocated == self.requested || now < self.ready_at {
            return;
        }
        self.requests = requests_bucket(self.requested);
        // Environments that were taken away at work and are still there count again.
        let living = self.in_use + self.idle();
        for _ in living..self.requested {
            self.create(self.ready_at);
        }
        self.allocated = self.requested;
    }

    fn create(&mut self, now: Time) {
        let id = self.pool.create(now);
        self.pool.put(Idle {
            since: now,
            born: now,
            id,
            reset: false,
        });
    }

    /// An environment came to its end at `ended`: another one was initialised before that and takes its place.
    fn replace(&mut self, ended: Time) {
        self.recycled += 1;
        self.create(ended);
    }

    /// How many environments were replaced because their lifetime was over.
    pub(super) const fn recycled(&self) -> u64 {
        self.recycled
    }

    /// Takes a ready environment for a request at `now`, unless all are busy or the version's request rate is used up
    /// (rule `provisioned-requests-per-second`).
    pub(super) fn take(&mut self, now: Time) -> Option<Idle> {
        self.settle(now);
        if self.in_use >= self.allocated || !self.requests.has_token(now) {
            return None;
        }
        let idle = self.pool.take(now)?;
        self.requests.take();
        self.in_use += 1;
        Some(idle)
    }

    /// Takes an environment back.
    pub(super) fn put(&mut self, now: Time, idle: Idle, destroy: bool) {
        assert!(self.in_use > 0, "a lease was given back twice");
        self.in_use -= 1;
        if self.in_use + self.idle() >= self.allocated {
            self.pool.destroy(idle.id, idle.born, now);
        } else if destroy {
            // Another one takes its place at once; its initialisation is nobody's wait.
            self.pool.destroy(idle.id, idle.born, now);
            self.create(now);
        } else if !self.pool.put(idle) {
            self.replace(now);
        }
    }

    /// What the account and the function set aside for it: an increase counts from the request on.
    pub(super) fn claimed(&self) -> u32 {
        self.requested.max(self.allocated)
    }

    pub(super) const fn in_use(&self) -> u32 {
        self.in_use
    }

    pub(super) fn idle(&self) -> u32 {
        self.pool.idle_count() as u32
    }

    pub(super) fn area(&self, now: Time) -> u128 {
        self.pool.area(now)
    }

    pub(super) fn state(&mut self, now: Time) -> ProvisionedState {
        self.settle(now);
        ProvisionedState {
            requested: self.requested,
            allocated: self.allocated,
            in_use: self.in_use,
            ready_at: (self.allocated != self.requested).then_some(self.ready_at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Profile;

    const fn at(secs: u64) -> Time {
        Time::from_secs(secs)
    }

    fn taken(provisioned: &mut Provisioned, now: Time) -> Vec<Idle> {
        std::iter::from_fn(|| provisioned.take(now)).collect()
    }

    #[test]
    fn provisioned_part_serves_when_complete() {
        let allocation = Profile::Current.allocation(0);
        let mut provisioned = Provisioned::ready(at(0), 2);
        provisioned.request(at(10), 602, allocation);
        // 90 s of preparation, and 600 environments at 6,000 a minute.
        let ready = at(10 + 90 + 6);
        assert_eq!(provisioned.state(at(10)).ready_at, Some(ready));
        assert_eq!(provisioned.claimed(), 602);
        assert_eq!(taken(&mut provisioned, at(105)).len(), 2);
        assert_eq!(taken(&mut provisioned, ready).len(), 600);
        assert_eq!(provisioned.state(ready).ready_at, None);
    }

    #[test]
    fn a_decrease_takes_idle_ones_at_once_and_busy_ones_when_they_are_done() {
        let allocation = Profile::Current.allocation(0);
        let mut provisioned = Provisioned::ready(at(0), 4);
        let busy = [0, 1, 2].map(|_| provisioned.take(at(1)).expect("four are ready"));
        provisioned.request(at(2), 1, allocation);
        assert_eq!((provisioned.in_use(), provisioned.idle()), (3, 0));
        assert!(provisioned.take(at(3)).is_none());
        for (secs, idle) in (4..).zip(busy) {
            provisioned.put(at(secs), idle, false);
        }
        assert_eq!((provisioned.in_use(), provisioned.idle()), (0, 1));
        // One lived until 2 s, two until 4 s and 5 s, and one is alive at 10 s.
        assert_eq!(provisioned.area(at(10)), (2 + 4 + 5 + 10) * 1_000_000_000);
    }

    #[test]
    fn provisioned_requests_per_second() {
        let mut provisioned = Provisioned::ready(at(0), 1);
        for _ in 0..10 {
            let idle = provisioned.take(at(1)).expect("ten a second are served");
            provisioned.put(at(1), idle, false);
        }
        assert!(provisioned.take(at(1)).is_none());
        assert!(provisioned.take(Time::from_millis(1_100)).is_some());
    }

    #[test]
    fn an_environment_that_is_given_up_is_replaced() {
        let mut provisioned = Provisioned::ready(at(0), 1);
        let idle = provisioned.take(at(1)).expect("it is ready");
        provisioned.put(at(2), idle, true);
        assert_eq!(provisioned.idle(), 1);
    }
}
