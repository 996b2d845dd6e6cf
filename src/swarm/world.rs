//! A world as data: everything that will be there and happen, before it runs.

use crate::engine::{MappingConfig, MappingParameters, SourceKind, Span, Time, Tuning, check};

/// How much is in a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Size {
    /// One or two sources with up to twenty records each.
    #[default]
    Small,
    /// Up to four sources with up to 150 records each.
    Medium,
    /// Up to eight sources with up to 1,500 records each.
    Large,
}

impl Size {
    /// Every size with its name.
    pub const ALL: [(&'static str, Self); 3] = [
        ("small", Self::Small),
        ("medium", Self::Medium),
        ("large", Self::Large),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].0
    }
}

/// Everything that is there before time begins, and what will happen. Same world, same run.
#[derive(Clone, Debug, PartialEq)]
pub struct World {
    /// The seed it was drawn from; draws of its run belong to it as well.
    pub seed: u64,
    /// What it was drawn as.
    pub size: Size,
    /// Concurrency of the account.
    pub(super) account: u32,
    pub(super) functions: Vec<FunctionScript>,
    /// One source with its mapping each.
    pub(super) parts: Vec<Part>,
    /// From here on nothing fails any more, and everything has to come to its end.
    pub(super) calm: Time,
    /// All parts are workers that share the one stream.
    pub(super) fleet: Option<Fleet>,
    /// A world of its own that is run after this one. What was thought of later is drawn there, so that a seed's world
    /// stays what it was.
    pub(super) annex: Option<Box<Self>>,
}

/// Workers that share the shards of a stream by leases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fleet {
    pub(super) failover: Span,
    pub(super) steal_max: u32,
}

/// When mappings are made. Records may be older.
pub(super) const START: Time = Time::from_secs(1_000);

/// Everything is over so long after the last fault, unless records that never succeed take longer.
const BOUND: Span = Span::from_secs(3_600);
/// Tries that a record has at most before it is given up: ten retries, where no others are asked for.
const TRIES_MAX: u64 = 11;

/// A function that several mappings may invoke.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FunctionScript {
    pub(super) reserved: Option<u32>,
    pub(super) quickest: Span,
    pub(super) slowest: Span,
    /// What a record makes of it that lets it hang.
    pub(super) timeout: Span,
    /// Of 100 calls before the calm, how many throw, answer nonsense, report records that they had done, or return a
    /// state that is too large.
    pub(super) throws: u32,
    pub(super) rambles: u32,
    pub(super) misreports: u32,
    pub(super) bloats: u32,
}

impl FunctionScript {
    /// Whether it does what the records say and nothing else.
    pub(super) const fn is_sound(&self) -> bool {
        self.throws == 0 && self.rambles == 0 && self.misreports == 0 && self.bloats == 0
    }
}

/// A source, its mapping, and what will happen to them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Part {
    pub(super) kind: SourceKind,
    pub(super) function: usize,
    pub(super) parameters: MappingParameters,
    pub(super) service: Service,
    /// Shards or partitions; queues have one.
    pub(super) shards: Vec<ShardScript>,
    /// In the order of their arrival.
    pub(super) records: Vec<RecordScript>,
    pub(super) faults: Vec<Fault>,
    /// In the order of their times.
    pub(super) events: Vec<Planned>,
    /// When its mapping is made.
    pub(super) begins: Time,
}

/// What a source is like, and what the driver of its mapping makes of that.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Service {
    /// Calls take up to this long.
    pub(super) latency: Span,
    pub(super) visibility: Span,
    pub(super) long_poll: Span,
    /// Receives or deliveries before a message goes to a dead-letter queue.
    pub(super) receives_max: Option<u32>,
    pub(super) page_max: u32,
    pub(super) consumers: u32,
    pub(super) poll_interval: Span,
    pub(super) backoff_max: Span,
    /// Streams: records that are older are gone.
    pub(super) retention: Option<Span>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct ShardScript {
    pub(super) parents: Vec<u32>,
    pub(super) opens: Time,
    pub(super) closes: Option<Time>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct RecordScript {
    pub(super) at: Time,
    pub(super) shard: u32,
    pub(super) key: u64,
    pub(super) bytes: u32,
    /// The filters leave it out.
    pub(super) filtered: bool,
    /// It shares its sequence number with the record before it in its shard.
    pub(super) glued: bool,
    pub(super) poison: Option<Poison>,
}

/// A record that the function fails on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Poison {
    pub(super) way: Way,
    /// The function is repaired when the calm comes.
    pub(super) heals: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Throws,
    Hangs,
    /// Named as failed where that is possible, thrown otherwise.
    Reported,
}

/// A kind of call that goes wrong in so many of 100 cases, for some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) what: Trouble,
    pub(super) from: Time,
    pub(super) to: Time,
    pub(super) percent: u32,
}

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Trouble {
    ReadThrottled,
    ReadFails,
    ReadAnswerLost,
    StoreFails,
    StoreAnswerLost,
    DeleteFails,
    DeleteAnswerLost,
    DestinationRefuses,
    DestinationDenies,
    DestinationAnswerLost,
    InvokeThrottled,
    InvokeFails,
    InvokeAnswerLost,
    /// Invocations take ten times as long.
    Slow,
    LeaseFails,
    LeaseAnswerLost,
}

impl Trouble {
    pub(super) const ALL: [(Self, &'static str); 16] = [
        (Self::ReadThrottled, "reads throttled"),
        (Self::ReadFails, "reads failed"),
        (Self::ReadAnswerLost, "answers of reads lost"),
        (Self::StoreFails, "checkpoints or commits failed"),
        (Self::StoreAnswerLost, "answers of checkpoints lost"),
        (Self::DeleteFails, "deletions or acknowledgements failed"),
        (Self::DeleteAnswerLost, "answers of deletions lost"),
        (Self::DestinationRefuses, "destination refused"),
        (Self::DestinationDenies, "destination denied access"),
        (Self::DestinationAnswerLost, "answers of destination lost"),
        (Self::InvokeThrottled, "invocations throttled by a fault"),
        (Self::InvokeFails, "invocations did not arrive"),
        (Self::InvokeAnswerLost, "answers of invocations lost"),
        (Self::Slow, "invocations slowed down"),
        (Self::LeaseFails, "calls to the lease table failed"),
        (Self::LeaseAnswerLost, "answers of the lease table lost"),
    ];

    /// How many of them any source can have; the others need leases.
    pub(super) const WITHOUT_LEASES: usize = 14;

    pub(super) fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    /// Whether a source of this kind can have it.
    pub(super) const fn concerns(self, kind: SourceKind) -> bool {
        match self {
            Self::StoreFails | Self::StoreAnswerLost => kind.is_stream() || kind.is_kafka(),
            Self::DeleteFails | Self::DeleteAnswerLost => kind.is_queue() || kind.is_broker(),
            Self::DestinationRefuses | Self::DestinationDenies | Self::DestinationAnswerLost => {
                kind.is_stream() || kind.is_kafka()
            }
            _ => true,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Planned {
    pub(super) at: Time,
    pub(super) what: Incident,
}

/// What happens once.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Incident {
    /// The mapping is gone in the middle of everything, and a new one begins from what is stored.
    Crash {
        down: Span,
    },
    Disable,
    Enable,
    Update(Box<MappingParameters>),
    /// Every connection to a broker is lost.
    Disconnect,
    /// The group takes partitions away, by the bits of a number, and gives them to others of this mapping.
    Revoke(u64),
    /// Consumers fall out of their group.
    Lose(u64),
    /// A worker stands still, and its calls with it or not.
    Freeze {
        length: Span,
        holds_calls: bool,
    },
    /// A worker finishes what it has in work and goes.
    Leave,
    /// Another consumer of the queue takes messages: it deletes them at once, or does nothing with them.
    Foreign {
        messages: u32,
        deletes: bool,
    },
}

impl World {
    /// Everything is over so long after the calm. Records that never succeed may have all their tries one after the other,
    /// each with the longest back-off or a whole visibility timeout behind it.
    pub(super) fn bound(&self) -> Span {
        let slowest = self.parts.iter().map(|part| {
            let fails = |it: &&RecordScript| it.poison.is_some_and(|poison| !poison.heals);
            let count = part.records.iter().filter(fails).count() as u64;
            let service = &part.service;
            (service.visibility + service.backoff_max).times(TRIES_MAX * count)
        });
        slowest.fold(BOUND, Span::max)
    }

    /// Repairs functions at the calm for whatever the options would let fail for ever.
    pub(super) fn settle(&mut self) {
        if self.fleet.is_none() {
            return self.parts.iter_mut().for_each(Part::settle);
        }
        // One worker that never gives up is enough, and all of them read the same.
        if !self.parts.iter().all(Part::gives_up) {
            self.parts.iter_mut().for_each(Part::heal);
        }
    }

    /// Changes a part; workers that share a stream are changed together.
    pub(super) fn change(&mut self, index: usize, mut change: impl FnMut(&mut Part)) {
        match self.fleet {
            Some(_) => self.parts.iter_mut().for_each(change),
            None => change(&mut self.parts[index]),
        }
    }
}

impl Part {
    /// The configuration of some parameters. They were drawn to be valid.
    pub(super) fn checked(&self, parameters: &MappingParameters) -> MappingConfig {
        match check(self.kind, parameters) {
            Ok(config) => config,
            Err(violations) => panic!("the swarm drew parameters that break rules: {violations:?}"),
        }
    }

    pub(super) fn config(&self) -> MappingConfig {
        self.checked(&self.parameters)
    }

    /// Repairs the function at the calm for whatever the options would let fail for ever.
    fn settle(&mut self) {
        if !self.gives_up() {
            self.heal();
        }
    }

    /// Whether it ends with a record that never succeeds, whatever its options are.
    fn gives_up(&self) -> bool {
        let receives_max = self.service.receives_max;
        self.configs().iter().all(|it| gives_up(it, receives_max))
    }

    fn heal(&mut self) {
        for record in &mut self.records {
            if let Some(poison) = &mut record.poison {
                poison.heals = true;
            }
            if self.kind.is_stream() || self.kind.is_queue() {
                record.bytes = record.bytes.min(4_000_000);
            }
        }
    }

    /// Every configuration it will ever have.
    pub(super) fn configs(&self) -> Vec<MappingConfig> {
        let updates = self.events.iter().filter_map(|event| match &event.what {
            Incident::Update(parameters) => Some(&**parameters),
            _ => None,
        });
        std::iter::once(&self.parameters)
            .chain(updates)
            .map(|parameters| self.checked(parameters))
            .collect()
    }

    pub(super) fn tuning(&self) -> Tuning {
        let service = &self.service;
        Tuning {
            backoff_max: service.backoff_max,
            poll_interval: service.poll_interval,
            page_records_max: service.page_max,
            visibility_timeout: service.visibility,
            long_poll: service.long_poll,
            consumers: service.consumers,
            ..Tuning::for_source(crate::engine::Profile::Current, self.kind)
        }
    }

    pub(super) fn is_troubled_by(&self, what: Trouble) -> bool {
        self.faults.iter().any(|fault| fault.what == what)
    }
}

/// Whether a mapping ends with a record that never succeeds.
pub(super) fn gives_up(config: &MappingConfig, receives_max: Option<u32>) -> bool {
    if config.source.is_queue() || config.source.is_broker() {
        return receives_max.is_some();
    }
    let caps = config.source.is_kafka() && config.on_failure.is_some();
    caps || config.maximum_retry_attempts.is_some() || config.maximum_record_age.is_some()
}
