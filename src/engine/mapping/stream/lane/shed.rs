//! A lane whose shard goes to another worker: what is not under way is let go.

use super::super::super::Core;
use super::super::super::work::Stage;
use super::Lane;
use crate::engine::{BatchId, Fact, ReturnCause, Seq};

/// A call that goes on for nobody: its shard is another worker's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Orphan {
    pub(in super::super) batch: BatchId,
    /// Records of the call.
    pub(in super::super) sent: u32,
    /// These, and those of the batch that wait behind them.
    pub(in super::super) unfinished: u32,
}

impl<P> Lane<P> {
    /// Whether an answer is waited for.
    pub(in super::super) fn is_in_flight(&self) -> bool {
        self.work
            .is_some_and(|work| matches!(work.stage, Stage::Running | Stage::Diverting(_)))
    }

    /// Lets go of everything but the call under way; it will come again to whoever works on the shard next. Returns the
    /// lowest number among what was let go.
    pub(in super::super) fn shed(&mut self, core: &mut Core<P>) -> Option<Seq> {
        let mut records = self.buffer.len() as u32;
        let mut lowest = self.buffer.front().map(|record| record.meta.seq);
        self.buffer.clear();
        self.buffered = 0;
        if !self.is_in_flight()
            && let Some(work) = self.work.take()
        {
            let rest = &core.batches.all(work.batch)[work.start as usize..];
            records += rest.len() as u32;
            lowest = rest.first().map(|record| record.meta.seq).or(lowest);
            core.batches.end(work.batch);
            self.later.clear();
        }
        core.timers.clear(self.timer);
        self.let_go = lowest.or(self.let_go);
        if records > 0 {
            core.fact(Fact::Returned {
                records,
                cause: ReturnCause::Rebalanced,
            });
        }
        lowest
    }

    /// Lets go of the call under way, too: its answer belongs to nobody.
    pub(in super::super) fn orphan(&mut self, core: &Core<P>) -> Option<Orphan> {
        let work = self.work.take()?;
        self.later.clear();
        let all = core.batches.all(work.batch).len() as u32;
        let sent = match work.stage {
            Stage::Diverting(parting) => parting.count,
            _ => work.end - work.start,
        };
        Some(Orphan {
            batch: work.batch,
            sent,
            unfinished: all - work.start,
        })
    }
}
