//! Order within the groups of a FIFO queue, where the queue itself no longer keeps it.
//!
//! A FIFO queue gives out nothing of a group while any message of it is in flight. Once a lease has ended it does, whether
//! or not the function is still at work on what was leased.

use super::super::Core;
use super::Queue;
use super::poller::State;
use crate::engine::{Record, ReturnCause, SourceKind, Time};
use std::collections::BTreeSet;

/// Groups that the function works on although their queue may give them out again.
#[derive(Debug)]
pub(super) struct Overdue {
    /// No lease of work that is not overdue yet may have ended before this.
    soonest: Time,
    groups: BTreeSet<u64>,
    /// Pollers whose batches wait for one of the groups.
    waiting: Vec<u32>,
}

impl Default for Overdue {
    fn default() -> Self {
        Self {
            soonest: Time::MAX,
            groups: BTreeSet::new(),
            waiting: Vec::new(),
        }
    }
}

impl Overdue {
    /// Whether any of the records must wait.
    pub(super) fn delays<P>(&self, records: &[Record<P>]) -> bool {
        let delays = |record: &Record<P>| self.groups.contains(&record.meta.group);
        !self.groups.is_empty() && records.iter().any(delays)
    }

    pub(super) fn is_awaited_by(&mut self, poller: u32) {
        self.waiting.push(poller);
    }

    /// A lease that may end at `from` is being worked on.
    fn begins(&mut self, from: Time) {
        self.soonest = self.soonest.min(from);
    }

    fn add<P>(&mut self, records: &[Record<P>]) {
        self.groups
            .extend(records.iter().map(|record| record.meta.group));
    }

    fn remove<P>(&mut self, records: &[Record<P>]) {
        for record in records {
            self.groups.remove(&record.meta.group);
        }
    }
}

impl<P> Queue<P> {
    /// Rule `fifo-ended-lease-keeps-order`: what is received of a group waits while an earlier invocation is at work on that
    /// group. Call it before such a batch is looked at.
    ///
    /// The pollers are looked through only when one of the leases may have ended: with invocations that are shorter than the
    /// visibility timeout, about once in that time.
    pub(super) fn find_overdue(&mut self, core: &Core<P>) {
        if core.now < self.overdue.soonest {
            return;
        }
        self.overdue.soonest = Time::MAX;
        for poller in &mut self.pollers {
            let (State::Invoking(work) | State::Holding(work, _)) = &mut poller.state else {
                continue;
            };
            if work.is_overdue {
                continue;
            }
            if work.lease_ends_from <= core.now {
                work.is_overdue = true;
                self.overdue.add(core.batches.all(work.batch));
            } else {
                self.overdue.begins(work.lease_ends_from);
            }
        }
    }

    /// A poller's batch is sent for the first time.
    pub(super) fn work_begins(&mut self, core: &Core<P>, poller: u32) {
        let State::Invoking(work) = &mut self.pollers[poller as usize].state else {
            return;
        };
        if core.config.source != SourceKind::SqsFifo || work.is_overdue {
            return;
        }
        if work.lease_ends_from <= core.now {
            work.is_overdue = true;
            self.overdue.add(core.batches.all(work.batch));
        } else {
            self.overdue.begins(work.lease_ends_from);
        }
    }

    /// A poller's batch comes to its end, and is still whole. Let the poller [`step`](Queue::step), then call
    /// [`work_over`](Self::work_over).
    pub(super) fn work_ends(&mut self, core: &Core<P>, poller: u32) {
        if let State::Invoking(work) | State::Holding(work, _) =
            &self.pollers[poller as usize].state
            && work.is_overdue
        {
            self.overdue.remove(core.batches.all(work.batch));
        }
    }

    /// What waited for the end of other work looks again.
    pub(super) fn work_over(&mut self, core: &mut Core<P>) {
        if self.overdue.waiting.is_empty() {
            return;
        }
        for poller in std::mem::take(&mut self.overdue.waiting) {
            let slot = &mut self.pollers[poller as usize];
            if slot.state == State::Waiting {
                slot.go_on(core);
                self.step(core, poller);
            }
        }
    }

    /// Rule `fifo-failure-takes-followers-along`: messages of a FIFO queue that were received together with failed ones, and
    /// did not fit into their event, may be of the same groups: they must not overtake.
    pub(super) fn forsake_followers(
        &mut self,
        core: &mut Core<P>,
        poller: u32,
        cause: ReturnCause,
    ) {
        if core.config.source != SourceKind::SqsFifo {
            return;
        }
        let records = self.pollers[poller as usize].forsake(core);
        if records > 0 {
            core.fact(crate::engine::Fact::Returned { records, cause });
        }
    }

    /// Rule `fifo-ended-lease-is-not-sent`: messages that did not fit into the event before theirs may be out again.
    pub(super) fn forsake_expired(&mut self, core: &mut Core<P>, poller: u32) {
        if self.pollers[poller as usize].has_expired(core.now) {
            self.forsake_followers(core, poller, ReturnCause::LeaseEnded);
        }
    }
}
