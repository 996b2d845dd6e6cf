//! What a run is doing, for whoever asks while it goes on: one panel for each mapping, written by its driver.

use crate::engine::{
    Delivery, Fact, MappingConfig, Outcome, Position, ShardId, SourceKind, Span, Time, Token,
};
use crate::metrics::LastResult;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// A loop that is this late with what it should have done is stuck: calls to services are not made in it, so that nothing
/// it does takes seconds.
pub(crate) const STUCK_AFTER: Span = Span::from_secs(30);

/// Upper bounds of the histogram of invocations' durations, in seconds: up to the longest that AWS lets a function run.
pub(crate) const DURATION_BOUNDS: [f64; 15] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0,
];

/// What is counted for each mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    Polled,
    FilteredOut,
    Invoked,
    FailedInvoke,
    Deleted,
    Returned,
    Dropped,
    Diverted,
    Refused,
    Committed,
    Oversized,
    Invocations,
    Errors,
    Throttles,
    InvokeErrors,
    PollingErrors,
    CommitErrors,
    CallFailures,
}

pub(crate) const COUNTS: usize = Count::CallFailures as usize + 1;

/// Everything that is known of a run while it goes on. Shared by whoever runs it and whoever shows it.
#[derive(Debug, Default)]
pub struct Board {
    panels: Mutex<BTreeMap<Arc<str>, Arc<Panel>>>,
    draining: AtomicBool,
    address: OnceLock<SocketAddr>,
    pub(crate) reloads: Reloads,
}

/// How often the file was read again, and what came of it.
#[derive(Debug, Default)]
pub(crate) struct Reloads {
    pub(crate) applied: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) invalid: AtomicU64,
}

/// What a mapping is doing. Written by its driver, read by everybody.
#[derive(Debug)]
pub(crate) struct Panel {
    /// When its loop wants to be at work again, in nanoseconds; the time at which it began while it is at work, and
    /// `u64::MAX` while it waits for nothing but answers, or does not run.
    due: AtomicU64,
    face: Mutex<Face>,
}

/// What is known of a mapping.
#[derive(Clone, Debug)]
pub(crate) struct Face {
    pub(crate) kind: SourceKind,
    pub(crate) source: String,
    pub(crate) function_name: String,
    pub(crate) state: State,
    /// Why it cannot be opened, in words; nothing otherwise.
    pub(crate) trouble: Option<String>,
    /// Whether its source has answered.
    pub(crate) reached: bool,
    pub(crate) counts: [u64; COUNTS],
    /// Records that were read and are not finished or returned.
    pub(crate) in_hand: u64,
    /// Invocations that are not answered yet: since when.
    pub(crate) in_flight: BTreeMap<Token, Time>,
    pub(crate) last_result: LastResult,
    /// Of the last batch that was sent.
    pub(crate) iterator_age: Option<Span>,
    /// The largest and the sum of its partitions, as last measured.
    pub(crate) lag: Option<(u64, u64)>,
    /// Batches at once that a queue's mapping has come to.
    pub(crate) concurrency: Option<u32>,
    pub(crate) durations: Durations,
    pub(crate) shards: BTreeMap<ShardId, Place>,
}

/// Where a mapping is in a shard or partition.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) name: Arc<str>,
    /// Everything before it is done, and stored.
    pub(crate) position: Option<Position>,
    /// When progress was last stored.
    pub(crate) stored: Option<Time>,
    /// How far the last read was behind the tip.
    pub(crate) behind: Option<Span>,
    pub(crate) iterator_age: Option<Span>,
    pub(crate) lag: Option<u64>,
    pub(crate) ended: bool,
}

/// How long invocations took.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Durations {
    /// By bound, those above the last one behind it.
    pub(crate) buckets: [u64; DURATION_BOUNDS.len() + 1],
    pub(crate) sum: Span,
}

/// What AWS calls the state of a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Its source has not answered yet.
    Enabling,
    Enabled,
    Disabling,
    Disabled,
    /// It drains, to be opened again with other settings.
    Updating,
    /// It drains for good.
    Deleting,
}

impl State {
    pub(crate) const ALL: [Self; 6] = [
        Self::Enabling,
        Self::Enabled,
        Self::Disabling,
        Self::Disabled,
        Self::Updating,
        Self::Deleting,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Enabling => "Enabling",
            Self::Enabled => "Enabled",
            Self::Disabling => "Disabling",
            Self::Disabled => "Disabled",
            Self::Updating => "Updating",
            Self::Deleting => "Deleting",
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Whoever panicked over it had changed one figure at most.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Board {
    /// Where metrics and status are served, once they are.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address.get().copied()
    }

    /// The file was read again and had errors.
    pub fn note_invalid_file(&self) {
        self.reloads.invalid.fetch_add(1, Relaxed);
    }

    pub(crate) fn served_at(&self, address: SocketAddr) {
        let _ = self.address.set(address);
    }

    pub(crate) fn drain(&self) {
        self.draining.store(true, Relaxed);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }

    /// The panel of a mapping that is about to be opened, or that is disabled. Its counts go on where they were.
    pub(crate) fn panel(&self, config: &MappingConfig, source: String, state: State) -> Arc<Panel> {
        let mut panels = lock(&self.panels);
        let name: Arc<str> = Arc::from(config.name.as_str());
        let panel = panels.entry(name).or_insert_with(|| {
            Arc::new(Panel {
                due: AtomicU64::new(u64::MAX),
                face: Mutex::new(Face::new(config, source)),
            })
        });
        panel.change(|face| {
            face.state = state;
            face.trouble = None;
            face.reached = false;
            face.in_hand = 0;
            face.in_flight.clear();
            face.shards.clear();
            config.function_name.clone_into(&mut face.function_name);
        });
        panel.clone()
    }

    /// Forgets a mapping that is not in the file any more.
    pub(crate) fn remove(&self, mapping: &str) {
        lock(&self.panels).remove(mapping);
    }

    pub(crate) fn find(&self, mapping: &str) -> Option<Arc<Panel>> {
        lock(&self.panels).get(mapping).cloned()
    }

    /// What is known of every mapping, by name.
    pub(crate) fn faces(&self) -> Vec<(Arc<str>, Face)> {
        let panels = lock(&self.panels);
        let faces = panels.iter();
        faces
            .map(|(name, panel)| (name.clone(), panel.face()))
            .collect()
    }

    /// The mappings whose loops do not do what is due, and for how long.
    pub(crate) fn stuck(&self, now: Time) -> Vec<(Arc<str>, Span)> {
        let panels = lock(&self.panels);
        let late = panels.iter().filter_map(|(name, panel)| {
            let due = panel.due.load(Relaxed);
            let late = now.as_nanos().saturating_sub(due);
            (late > STUCK_AFTER.as_nanos()).then(|| (name.clone(), Span::from_nanos(late)))
        });
        late.collect()
    }

    /// The enabled mappings whose source has not answered yet.
    pub(crate) fn unreached(&self) -> Vec<Arc<str>> {
        let panels = lock(&self.panels);
        let waiting = panels.iter().filter(|(_, panel)| {
            let face = lock(&panel.face);
            matches!(face.state, State::Enabling | State::Updating) || face.trouble.is_some()
        });
        waiting.map(|(name, _)| name.clone()).collect()
    }

    /// What every mapping has in hand, in words; nothing if no mapping has anything.
    pub(crate) fn left(&self) -> Vec<String> {
        let panels = lock(&self.panels);
        let left = panels.iter().filter_map(|(name, panel)| {
            let face = lock(&panel.face);
            let (records, calls) = (face.in_hand, face.in_flight.len());
            (records > 0 || calls > 0).then(|| {
                format!("{name}: {records} records in hand, {calls} invocations in flight")
            })
        });
        left.collect()
    }
}

impl Panel {
    pub(crate) fn face(&self) -> Face {
        lock(&self.face).clone()
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Face)) {
        change(&mut lock(&self.face));
    }

    pub(crate) fn set(&self, state: State) {
        lock(&self.face).state = state;
    }

    /// The loop begins to work.
    pub(crate) fn works(&self, now: Time) {
        self.due.store(now.as_nanos(), Relaxed);
    }

    /// The loop waits, for a deadline if it has one.
    pub(crate) fn waits(&self, until: Option<Time>) {
        self.due
            .store(until.map_or(u64::MAX, Time::as_nanos), Relaxed);
    }

    /// A shard that the mapping begins to know, with where it is.
    pub(crate) fn begins(&self, shard: ShardId, name: &Arc<str>, position: Position) {
        let mut face = lock(&self.face);
        face.place(shard, name).position = Some(position);
    }

    /// A shard that others have from now on.
    pub(crate) fn leaves(&self, shard: ShardId) {
        lock(&self.face).shards.remove(&shard);
    }

    /// The source has answered, though it had nothing to tell.
    pub(crate) fn reaches(&self) {
        lock(&self.face).reach();
    }

    pub(crate) fn observe<'a>(
        &self,
        now: Time,
        fact: &Fact,
        in_hand: u64,
        name: impl Fn(ShardId) -> &'a Arc<str>,
    ) {
        let mut face = lock(&self.face);
        face.in_hand = in_hand;
        face.last_result.observe(fact);
        face.observe(now, fact, name);
    }
}

impl Face {
    fn new(config: &MappingConfig, source: String) -> Self {
        Self {
            kind: config.source,
            source,
            function_name: config.function_name.clone(),
            state: State::Enabling,
            trouble: None,
            reached: false,
            counts: [0; COUNTS],
            in_hand: 0,
            in_flight: BTreeMap::new(),
            last_result: LastResult::default(),
            iterator_age: None,
            lag: None,
            concurrency: None,
            durations: Durations::default(),
            shards: BTreeMap::new(),
        }
    }

    pub(crate) const fn count(&self, count: Count) -> u64 {
        self.counts[count as usize]
    }

    fn add(&mut self, count: Count, by: u32) {
        self.counts[count as usize] += u64::from(by);
    }

    fn reach(&mut self) {
        self.reached = true;
        if self.state == State::Enabling {
            self.state = State::Enabled;
        }
    }

    fn place(&mut self, shard: ShardId, name: &Arc<str>) -> &mut Place {
        self.shards.entry(shard).or_insert_with(|| Place {
            name: name.clone(),
            position: None,
            stored: None,
            behind: None,
            iterator_age: None,
            lag: None,
            ended: false,
        })
    }

    fn observe<'a>(&mut self, now: Time, fact: &Fact, name: impl Fn(ShardId) -> &'a Arc<str>) {
        match *fact {
            Fact::Polled {
                shard,
                records,
                filtered,
                behind,
            } => {
                self.reach();
                self.add(Count::Polled, records);
                self.add(Count::FilteredOut, filtered);
                if let Some(shard) = shard {
                    self.place(shard, name(shard)).behind = Some(behind);
                }
            }
            Fact::InvokeSent {
                token,
                shard,
                records,
                last_arrival,
                ..
            } => {
                self.add(Count::Invoked, records);
                self.add(Count::Invocations, 1);
                self.in_flight.insert(token, now);
                let age = now.since(last_arrival);
                self.iterator_age = Some(age);
                if let Some(shard) = shard {
                    self.place(shard, name(shard)).iterator_age = Some(age);
                }
            }
            Fact::InvokeEnded {
                token,
                records,
                outcome,
                ..
            } => {
                if let Some(sent) = self.in_flight.remove(&token) {
                    self.durations.add(now.since(sent));
                }
                if self.state == State::Disabling && self.in_flight.is_empty() {
                    self.state = State::Disabled;
                }
                if self.kind.is_kafka() && outcome.is_invoke_error() {
                    self.add(Count::InvokeErrors, 1);
                }
                match outcome {
                    Outcome::Success | Outcome::StateTooLarge | Outcome::ServiceError => {}
                    Outcome::Partial { .. } | Outcome::Rejected => {
                        self.add(Count::FailedInvoke, records);
                    }
                    Outcome::FunctionError | Outcome::TooLarge => {
                        self.add(Count::Errors, 1);
                        self.add(Count::FailedInvoke, records);
                    }
                    Outcome::Throttled { .. } => self.add(Count::Throttles, 1),
                }
            }
            Fact::Deleted { records } => self.add(Count::Deleted, records),
            Fact::Returned { records, .. } => self.add(Count::Returned, records),
            Fact::Oversized { records } => self.add(Count::Oversized, records),
            Fact::Discarded {
                records,
                destination,
                ..
            } => match destination {
                Delivery::NoDestination => self.add(Count::Dropped, records),
                Delivery::Delivered => self.add(Count::Diverted, records),
                Delivery::Refused => {
                    self.add(Count::Dropped, records);
                    self.add(Count::Refused, 1);
                }
            },
            Fact::Checkpointed { shard, to } => {
                let place = self.place(shard, name(shard));
                place.position = Some(to);
                place.stored = Some(now);
            }
            Fact::Committed { records, .. } => {
                self.counts[Count::Committed as usize] += records;
            }
            Fact::PollFailed => self.add(Count::PollingErrors, 1),
            Fact::CommitFailed { .. } => self.add(Count::CommitErrors, 1),
            Fact::CallFailed { .. } => self.add(Count::CallFailures, 1),
            Fact::PartitionLag { shard, offsets } => {
                self.place(shard, name(shard)).lag = Some(offsets);
            }
            Fact::Lag { max, sum } => {
                self.reach();
                self.lag = Some((max, sum));
            }
            Fact::ConcurrencyChanged { limit } => self.concurrency = Some(limit),
            Fact::ConsumersChanged { consumers } => self.concurrency = Some(consumers),
            Fact::ShardStarted { shard } => self.place(shard, name(shard)).ended = false,
            Fact::ShardEnded { shard } => self.place(shard, name(shard)).ended = true,
            Fact::WindowClosed { .. } => {}
        }
    }
}

impl Durations {
    fn add(&mut self, span: Span) {
        let secs = span.as_secs_f64();
        let bucket = DURATION_BOUNDS.iter().position(|bound| secs <= *bound);
        self.buckets[bucket.unwrap_or(DURATION_BOUNDS.len())] += 1;
        self.sum = Span::from_nanos(self.sum.as_nanos().saturating_add(span.as_nanos()));
    }

    pub(crate) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board() -> (Board, Arc<Panel>) {
        let board = Board::default();
        let config = MappingConfig::new("clicks", SourceKind::Kinesis);
        let panel = board.panel(&config, "a stream".to_owned(), State::Enabling);
        (board, panel)
    }

    #[test]
    fn a_loop_that_is_late_is_stuck_and_one_that_waits_is_not() {
        let (board, panel) = board();
        let second = Time::from_secs;
        assert_eq!(board.stuck(second(1_000_000)), []);
        panel.waits(Some(second(100)));
        assert_eq!(board.stuck(second(130)), []);
        let late = board.stuck(second(131));
        assert_eq!(late, [(Arc::from("clicks"), Span::from_secs(31))]);
        panel.works(second(131));
        assert_eq!(board.stuck(second(150)), []);
        // It never comes back from what it does.
        assert_eq!(board.stuck(second(200)).len(), 1);
        panel.waits(None);
        assert_eq!(board.stuck(second(1_000_000)), []);
    }

    #[test]
    fn a_mapping_is_enabled_once_its_source_has_answered() {
        let (board, panel) = board();
        let name: Arc<str> = Arc::from("shard-0");
        assert_eq!(board.unreached(), [Arc::from("clicks")]);
        let polled = Fact::Polled {
            shard: Some(ShardId(0)),
            records: 0,
            filtered: 0,
            behind: Span::from_secs(2),
        };
        panel.observe(Time::from_secs(5), &polled, 0, |_| &name);
        assert!(board.unreached().is_empty());
        let face = panel.face();
        assert_eq!((face.state, face.reached), (State::Enabled, true));
        assert_eq!(face.shards[&ShardId(0)].behind, Some(Span::from_secs(2)));
    }

    #[test]
    fn a_shard_is_shown_by_whoever_has_it() {
        let (_, panel) = board();
        for shard in [0, 1] {
            let name = Arc::from(format!("shard-{shard}"));
            panel.begins(ShardId(shard), &name, Position::Horizon);
        }
        panel.leaves(ShardId(0));
        let names: Vec<Arc<str>> = panel
            .face()
            .shards
            .into_values()
            .map(|it| it.name)
            .collect();
        assert_eq!(names, [Arc::from("shard-1")]);
    }

    #[test]
    fn what_is_left_is_named() {
        let (board, panel) = board();
        let name: Arc<str> = Arc::from("shard-0");
        assert!(board.left().is_empty());
        let now = Time::from_secs(9);
        let sent = Fact::InvokeSent {
            token: Token(1),
            shard: Some(ShardId(0)),
            records: 3,
            attempt: 1,
            first_arrival: Time::from_secs(1),
            last_arrival: Time::from_secs(2),
        };
        panel.observe(now, &sent, 3, |_| &name);
        assert_eq!(
            board.left(),
            ["clicks: 3 records in hand, 1 invocations in flight"]
        );
        assert_eq!(panel.face().iterator_age, Some(Span::from_secs(7)));
        let ended = Fact::InvokeEnded {
            token: Token(1),
            records: 3,
            succeeded: 3,
            outcome: Outcome::Success,
        };
        panel.observe(Time::from_secs(10), &ended, 0, |_| &name);
        assert!(board.left().is_empty());
        let durations = panel.face().durations;
        assert_eq!((durations.count(), durations.sum), (1, Span::from_secs(1)));
        assert_eq!(durations.buckets[7], 1, "up to and including 1 s");
    }
}
