//! A shard that comes and goes with its lease.

use super::super::super::Core;
use super::super::lane::Orphan;
use super::{Phase, Shard};

impl<P> Shard<P> {
    /// Whether this worker has nothing to do with the shard, or is done with it.
    pub(in super::super) fn is_absent(&self) -> bool {
        matches!(self.phase, Phase::Absent | Phase::Finished)
    }

    pub(in super::super) fn is_leaving(&self) -> bool {
        self.phase == Phase::Leaving
    }

    /// Nothing new is begun; what is under way comes to its end and is stored.
    pub(in super::super) fn revoke(&mut self, core: &mut Core<P>) {
        if !self.is_absent() {
            self.phase = Phase::Leaving;
            self.shed(core);
        }
    }

    /// Leaving: lets go of what is not under way, and never lets progress pass it.
    pub(in super::super) fn shed(&mut self, core: &mut Core<P>) {
        for lane in &mut self.lanes {
            if let Some(seq) = lane.shed(core) {
                self.shed_from = Some(self.shed_from.map_or(seq, |lowest| lowest.min(seq)));
            }
        }
    }

    /// Leaving: whether nothing is under way and all progress is stored.
    pub(in super::super) fn has_left(&self) -> bool {
        self.is_leaving()
            && self.progress.is_stored()
            && !self.lanes.iter().any(|lane| lane.is_in_flight())
    }

    /// Somebody else has the shard. Returns the call of each lane that goes on for nobody, with the lane's number.
    pub(in super::super) fn lose(&mut self, core: &mut Core<P>) -> Vec<(u32, Orphan)> {
        if self.is_absent() {
            return Vec::new();
        }
        self.shed(core);
        self.phase = Phase::Absent;
        let lanes = (0..).zip(&mut self.lanes);
        let orphans = lanes.filter_map(|(number, lane)| Some((number, lane.orphan(core)?)));
        let orphans = orphans.collect();
        self.lanes.clear();
        orphans
    }
}
