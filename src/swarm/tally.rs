//! What is counted over many worlds.

use super::world::Trouble;
use std::collections::BTreeMap;

/// What is watched while a world runs, and asked of it when it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Checker {
    /// The engine's own assertions hold.
    Panic,
    /// What is sent is in the mapping's hands, once.
    Hands,
    /// Nothing that the filters left out is sent.
    Filtered,
    /// A batch has no more records than BatchSize.
    BatchSize,
    /// An event is not larger than its target takes.
    BatchBytes,
    /// A batch waits for its window and no longer.
    Window,
    /// Records of one shard, partition or group are sent in order.
    Order,
    /// One batch of a lane, partition or group at a time.
    OneInFlight,
    /// No more invocations at once than the mapping's limits allow.
    Concurrency,
    /// Function and account are not given more than their concurrency.
    Admission,
    /// As many tries as permitted, counted as the rules say.
    Attempts,
    /// What fails is halved, the first half first.
    Bisect,
    /// Nothing is sent that is too old, and nothing is too old too early.
    Age,
    /// What is given up was to be given up, and its destination knows.
    GivingUp,
    /// Reads follow each other without gaps.
    Reading,
    /// Children are read after their parents.
    Parents,
    /// A checkpoint, commit, deletion or acknowledgement means what is finished, and nothing else.
    Progress,
    /// Checkpoints follow each other.
    Checkpoints,
    /// Commits, yields and receives belong to whom the group gave the partitions.
    Group,
    /// Tumbling windows keep their state and close once.
    Tumbling,
    /// Nothing is begun while the mapping is disabled.
    Disabled,
    /// When nothing fails any more, everything comes to its end in time.
    Liveness,
    /// A drained mapping stops.
    Drain,
    /// A shard is one worker's at a time, and its progress that of who has its lease.
    Leases,
    /// The second model: what must have become of every record did.
    Model,
}

impl Checker {
    /// Every checker with its name.
    pub const ALL: [(Self, &'static str); 25] = [
        (Self::Panic, "panic"),
        (Self::Hands, "hands"),
        (Self::Filtered, "filtered"),
        (Self::BatchSize, "batch-size"),
        (Self::BatchBytes, "batch-bytes"),
        (Self::Window, "window"),
        (Self::Order, "order"),
        (Self::OneInFlight, "one-in-flight"),
        (Self::Concurrency, "concurrency"),
        (Self::Admission, "admission"),
        (Self::Attempts, "attempts"),
        (Self::Bisect, "bisect"),
        (Self::Age, "age"),
        (Self::GivingUp, "giving-up"),
        (Self::Reading, "reading"),
        (Self::Parents, "parents"),
        (Self::Progress, "progress"),
        (Self::Checkpoints, "checkpoints"),
        (Self::Group, "group"),
        (Self::Tumbling, "tumbling"),
        (Self::Disabled, "disabled"),
        (Self::Liveness, "liveness"),
        (Self::Drain, "drain"),
        (Self::Leases, "leases"),
        (Self::Model, "model"),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

/// Figures of one world or of many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Worlds that ran.
    pub worlds: u64,
    /// Mappings in them.
    pub mappings: u64,
    /// Records that were produced.
    pub records: u64,
    /// Invocations that were sent.
    pub invocations: u64,
    /// Invocations that Lambda's concurrency or rates refused.
    pub throttles: u64,
    /// Events that were handled.
    pub events: u64,
    /// Mappings that were dropped in mid-flight and built again from what was stored.
    pub crashes: u64,
    /// Mappings that were disabled, and that were updated.
    pub disables: u64,
    /// Updates in flight.
    pub updates: u64,
    /// Connections lost, revocations, and consumers that fell out of their group.
    pub disconnects: u64,
    /// Partitions taken away.
    pub rebalances: u64,
    /// Shards that were closed.
    pub reshardings: u64,
    /// Leases that workers got, and that they lost or gave away.
    pub leases: u64,
    /// Workers that stood still.
    pub freezes: u64,
    /// Records that were gone before anybody read them.
    pub expired: u64,
    /// Messages that went to other consumers.
    pub foreign: u64,
    /// Virtual time, in seconds.
    pub virtual_secs: u64,
    pub(super) troubles: [u64; Trouble::ALL.len()],
    pub(super) checks: [u64; Checker::ALL.len()],
}

impl Tally {
    /// Takes in the figures of other worlds.
    pub fn add(&mut self, other: &Self) {
        self.worlds += other.worlds;
        self.mappings += other.mappings;
        self.records += other.records;
        self.invocations += other.invocations;
        self.throttles += other.throttles;
        self.events += other.events;
        self.crashes += other.crashes;
        self.disables += other.disables;
        self.updates += other.updates;
        self.disconnects += other.disconnects;
        self.rebalances += other.rebalances;
        self.reshardings += other.reshardings;
        self.leases += other.leases;
        self.freezes += other.freezes;
        self.expired += other.expired;
        self.foreign += other.foreign;
        self.virtual_secs += other.virtual_secs;
        for (mine, theirs) in self.troubles.iter_mut().zip(other.troubles) {
            *mine += theirs;
        }
        for (mine, theirs) in self.checks.iter_mut().zip(other.checks) {
            *mine += theirs;
        }
    }

    /// Calls that went wrong, by what went wrong.
    pub fn faults(&self) -> BTreeMap<&'static str, u64> {
        let kinds = Trouble::ALL.iter().zip(self.troubles);
        kinds.map(|((_, name), count)| (*name, count)).collect()
    }

    /// How often each checker looked.
    pub fn checks(&self) -> BTreeMap<&'static str, u64> {
        let kinds = Checker::ALL.iter().zip(self.checks);
        kinds.map(|((_, name), count)| (*name, count)).collect()
    }
}

/// Something that a checker found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Who found it.
    pub checker: Checker,
    /// What it found, where and when.
    pub what: String,
}
