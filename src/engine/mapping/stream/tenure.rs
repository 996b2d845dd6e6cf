//! Shards that several processes share: each is assigned, revoked or lost as its lease goes
//! ([`Leases`](crate::engine::lease::Leases)).

use super::super::Core;
use super::shard::Shard;
use super::{Lanes, Pending, Stream};
use crate::engine::{Action, Fact, Outcome, ReturnCause, ShardId, Token};

impl<P> Stream<P> {
    /// Shards that this worker has from now on, each from where it is stored now. One that it had before begins anew.
    pub(super) fn assigned(&mut self, core: &mut Core<P>, shards: &[crate::engine::Shard]) {
        for shard in shards {
            let known = self.shards.len() as u32;
            assert!(shard.id.0 <= known, "shard indices have a gap at {known}");
            if shard.id.0 == known {
                self.shards.push(Shard::new(shard, core));
                continue;
            }
            let place = &mut self.shards[shard.id.0 as usize];
            assert!(place.is_absent(), "{:?} is here already", shard.id);
            *place = Shard::new(shard, core);
        }
        for shard in shards {
            self.step(core, shard.id, Lanes::All);
        }
    }

    pub(super) fn revoked(&mut self, core: &mut Core<P>, shards: &[ShardId]) {
        for id in shards {
            self.shard(*id).revoke(core);
            self.step(core, *id, Lanes::None);
        }
    }

    /// Rule `lost-shard-stores-nothing`: calls under way go on for nobody, whatever was read comes again to the shard's next
    /// owner, and no progress is stored.
    pub(super) fn lost(&mut self, core: &mut Core<P>, shards: &[ShardId]) {
        for id in shards {
            let orphans = self.shard(*id).lose(core);
            for pending in self.pending.values_mut() {
                let lane = match *pending {
                    Pending::Read(of) if of == *id => None,
                    Pending::Checkpoint(of) | Pending::Yield(of) if of == *id => {
                        self.working -= 1;
                        None
                    }
                    Pending::Invoke(of, lane) | Pending::Divert(of, lane) if of == *id => {
                        Some(lane)
                    }
                    _ => continue,
                };
                let orphan = orphans.iter().find(|(of, _)| Some(*of) == lane);
                *pending = Pending::Orphan(orphan.map(|(_, orphan)| *orphan));
            }
        }
    }

    /// Leaving: says so once nothing is left to wait for (rule `revoked-shard-finishes`).
    pub(super) fn leave_if_done(&mut self, core: &mut Core<P>, id: ShardId) {
        // Rarely true, and asked first: what is pending is as long as the stream has shards.
        if !self.shards[id.0 as usize].has_left() {
            return;
        }
        if self.pending.values().any(|one| *one == Pending::Yield(id)) {
            return;
        }
        let token = Self::pend(&mut self.pending, Pending::Yield(id));
        self.working += 1;
        core.act(Action::Yield {
            token,
            poller: 0,
            shards: vec![id],
        });
    }

    /// The lease may be another worker's: a read that is still out belongs to nobody.
    pub(super) fn left(&mut self, core: &mut Core<P>, id: ShardId) {
        self.lost(core, &[id]);
    }

    /// The answer to a call that went on for nobody.
    pub(super) fn orphan_ended(
        &mut self,
        core: &mut Core<P>,
        token: Token,
        pending: Pending,
        outcome: Option<Outcome>,
    ) {
        let Pending::Orphan(Some(orphan)) = pending else {
            return;
        };
        self.working -= 1;
        let succeeded = outcome.map_or(0, |outcome| outcome.succeeded(orphan.sent));
        if let Some(outcome) = outcome {
            core.fact(Fact::InvokeEnded {
                token,
                records: orphan.sent,
                succeeded,
                outcome,
            });
        }
        core.batches.end(orphan.batch);
        let records = orphan.unfinished - succeeded;
        if records > 0 {
            core.fact(Fact::Returned {
                records,
                cause: ReturnCause::Rebalanced,
            });
        }
    }
}
