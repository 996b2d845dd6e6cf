//! Shards shared between processes: a lease for each, in a table that all of them see.
//!
//! The conventions are those of the Kinesis Client Library: a worker renews what it has by raising a counter, takes what
//! has not been renewed, and steals for balance. Every write has a condition, so that of two workers that want the same
//! lease one is refused.

mod balance;
mod contract;
mod pending;
mod table;

use crate::engine::{Rng, Span, Time, Token};
use balance::Appetite;
pub use contract::{LeaseAction, LeaseChange, LeaseConfig, LeaseEvent};
use pending::{Pending, Surrender};
use std::collections::{BTreeMap, VecDeque};
pub use table::Row;
use table::{Seen, Table};

/// A lease that this worker has.
#[derive(Clone, Copy, Debug)]
struct Held {
    counter: u64,
    /// Renewals since then that may have been made or not.
    unsure: u64,
    /// When the last renewal that succeeded was sent: others count from later.
    renewed: Time,
    renewal: Renewal,
    phase: Phase,
}

/// How a lease goes from worker to worker (rule `lease-handover`).
///
/// ```text
///  free:    ─────────── taken ───────────▶ Working ── stolen ──▶ Leaving ── stored, or too late ──▶
///  stolen:  ─── taken ──▶ Waiting ─────────▲
///                            the other has left, or its time is over
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The earlier owner may go on until then.
    Waiting(Time),
    Working,
    Leaving,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Renewal {
    Due(Time),
    Sent(Time),
}

/// One worker's view of the leases of one mapping. Pure, with the manners of [`Mapping`](crate::engine::Mapping): an input,
/// then [`poll_action`](Self::poll_action) and [`poll_change`](Self::poll_change) until both are empty, then
/// [`poll_wake`](Self::poll_wake).
///
/// ```
/// use tidegate::engine::lease::{LeaseAction, LeaseChange, LeaseConfig, LeaseEvent, Leases, Row};
/// use tidegate::engine::{Rng, Time};
///
/// let now = Time::from_secs(1);
/// let mut leases = Leases::new(LeaseConfig::new("worker-1"), Rng::stream(1, "leases"), now);
/// let Some(LeaseAction::Scan { token }) = leases.poll_action() else { panic!("it looks first") };
/// let free = Row { counter: 4, ..Row::new("shard-0", vec![]) };
/// leases.handle(now, LeaseEvent::Scanned { token, rows: vec![free] });
/// let Some(LeaseAction::Take { token, counter: 4, owner: None, .. }) = leases.poll_action() else { panic!("then it takes") };
///
/// // Somebody was faster: nothing is gained, and nothing is lost.
/// leases.handle(now, LeaseEvent::Refused { token, is_handing_over: false });
/// assert_eq!(leases.poll_change(), None);
/// assert!(leases.poll_wake().is_some_and(|at| at > now));
/// ```
#[derive(Debug)]
pub struct Leases {
    config: LeaseConfig,
    rng: Rng,
    now: Time,
    table: Table,
    held: BTreeMap<String, Held>,
    listed: BTreeMap<String, Vec<String>>,
    pending: BTreeMap<u64, Pending>,
    /// What could not be given, and when that is tried again.
    surrenders: Vec<(Time, Surrender)>,
    next_token: u64,
    next_scan: Time,
    is_scanning: bool,
    is_draining: bool,
    actions: VecDeque<LeaseAction>,
    changes: VecDeque<LeaseChange>,
}

impl Leases {
    /// A worker that has seen nothing yet and begins with a scan.
    ///
    /// # Panics
    /// When `failover` is below a microsecond.
    pub fn new(config: LeaseConfig, rng: Rng, now: Time) -> Self {
        assert!(
            config.failover >= Span::from_micros(1),
            "a failover time of nothing"
        );
        let mut leases = Self {
            config,
            rng,
            now,
            table: Table::default(),
            held: BTreeMap::new(),
            listed: BTreeMap::new(),
            pending: BTreeMap::new(),
            surrenders: Vec::new(),
            next_token: 0,
            next_scan: now,
            is_scanning: false,
            is_draining: false,
            actions: VecDeque::new(),
            changes: VecDeque::new(),
        };
        leases.step();
        leases
    }

    /// Takes one input.
    ///
    /// # Panics
    /// When `now` goes back, or a token is answered that is not pending: errors in the driver.
    pub fn handle(&mut self, now: Time, event: LeaseEvent) {
        self.advance(now);
        match event {
            LeaseEvent::Listed(shards) => {
                self.listed = shards.into_iter().collect();
                self.create_missing();
            }
            LeaseEvent::Scanned { token, rows } => {
                let pending = self.take_pending(token);
                assert!(pending == Pending::Scan, "{token:?} was not for a scan");
                self.scanned(rows);
            }
            LeaseEvent::Done { token } => self.done(token),
            LeaseEvent::Renewed {
                token,
                counter,
                is_handing_over,
            } => self.renewed(token, counter, is_handing_over),
            LeaseEvent::Refused {
                token,
                is_handing_over,
            } => self.refused(token, is_handing_over),
            LeaseEvent::Failed { token } => self.failed(token),
            LeaseEvent::Finished { key } => {
                self.table.finished(&key);
                self.held.remove(&key);
                // Children may be waiting for just this.
                self.next_scan = now;
            }
            LeaseEvent::Disowned { key } => self.lose(&key),
            LeaseEvent::Drain => {
                self.is_draining = true;
                let waits = |held: &Held| matches!(held.phase, Phase::Waiting(_));
                let waiting = self.held.iter().filter(|(_, held)| waits(held));
                let waiting: Vec<String> = waiting.map(|(key, _)| key.clone()).collect();
                waiting.into_iter().for_each(|key| self.release(key));
            }
            LeaseEvent::Released { key } => self.release(key),
        }
        self.step();
    }

    /// Acts on what is due; call it when [`poll_wake`](Self::poll_wake) says so.
    pub fn handle_timeout(&mut self, now: Time) {
        self.advance(now);
        self.step();
    }

    /// The next action to start.
    pub fn poll_action(&mut self) -> Option<LeaseAction> {
        self.actions.pop_front()
    }

    /// The next change to carry out.
    pub fn poll_change(&mut self) -> Option<LeaseChange> {
        self.changes.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is wanted: for a renewal, a scan, or the moment at which a lease
    /// that could not be renewed is lost.
    pub fn poll_wake(&self) -> Option<Time> {
        let scan = (!self.is_scanning && !self.is_draining).then_some(self.next_scan);
        let held = self.held.values().map(|held| match held.renewal {
            Renewal::Due(at) if held.phase != Phase::Leaving => at.min(self.lost_at(held)),
            _ => self.lost_at(held),
        });
        let surrenders = self.surrenders.iter().map(|(at, _)| *at);
        held.chain(scan).chain(surrenders).min()
    }

    /// Shards that this worker may have in work, by name.
    pub fn held(&self) -> impl Iterator<Item = &String> {
        let works = |held: &Held| !matches!(held.phase, Phase::Waiting(_));
        let held = self.held.iter().filter(move |(_, held)| works(held));
        held.map(|(key, _)| key)
    }

    /// This worker's name.
    pub fn worker(&self) -> &str {
        &self.config.worker
    }

    /// Whether a drain is over: nothing is held, and nobody waits for an answer.
    pub fn is_drained(&self) -> bool {
        self.is_draining
            && self.held.is_empty()
            && self.surrenders.is_empty()
            && self.pending.values().all(|one| *one == Pending::Scan)
    }

    // ---- time ----

    fn advance(&mut self, now: Time) {
        assert!(now >= self.now, "time went back");
        self.now = now;
    }

    /// Rule `lease-owner-lets-go-first`: an owner counts from when it sent its last successful renewal, others from when
    /// they saw it, which is later.
    fn lost_at(&self, held: &Held) -> Time {
        let more = u64::from(mutant!(leases self.config, LeaseKeptTooLong));
        held.renewed + self.config.failover.times(1 + 10 * more)
    }

    fn step(&mut self) {
        let late: Vec<String> = self
            .held
            .iter()
            .filter(|(_, held)| self.lost_at(held) <= self.now)
            .map(|(key, _)| key.clone())
            .collect();
        for key in late {
            self.lose(&key);
        }
        self.renew();
        let now = self.now;
        let due: Vec<(Time, Surrender)> = self
            .surrenders
            .extract_if(.., |(at, _)| *at <= now)
            .collect();
        due.into_iter()
            .for_each(|(_, surrender)| self.surrender(surrender));
        if !self.is_scanning && !self.is_draining && self.next_scan <= self.now {
            self.is_scanning = true;
            let token = self.pend(Pending::Scan);
            self.actions.push_back(LeaseAction::Scan { token });
        }
    }

    fn renew(&mut self) {
        let due = |held: &Held| {
            held.phase != Phase::Leaving
                && matches!(held.renewal, Renewal::Due(at) if at <= self.now)
        };
        let keys: Vec<String> = self
            .held
            .iter()
            .filter(|(_, held)| due(held))
            .map(|(key, _)| key.clone())
            .collect();
        for key in keys {
            let now = self.now;
            let token = self.pend(Pending::Renew(key.clone(), now));
            if let Some(held) = self.held.get_mut(&key) {
                held.renewal = Renewal::Sent(now);
                let counters = held.counter..=held.counter + held.unsure;
                let early = mutant!(leases self.config, LeaseClaimedEarly);
                let claim = matches!(held.phase, Phase::Waiting(until) if until <= now || early);
                self.actions.push_back(LeaseAction::Renew {
                    token,
                    key,
                    counters,
                    claim,
                });
            }
        }
    }

    // ---- answers ----

    fn scanned(&mut self, rows: Vec<Row>) {
        self.is_scanning = false;
        // Never at the same moment as another worker that began with this one.
        let interval = self.config.scan();
        let jitter = self.rng.below(interval.as_nanos() / 5 + 1);
        self.next_scan = self.now + interval + Span::from_nanos(jitter);
        self.table.scanned(self.now, rows);
        // Its earlier owner came to the end of the shard after all.
        let table = &self.table;
        self.held
            .retain(|key, _| table.get(key).is_none_or(|seen| !seen.row.is_finished));
        self.look_at_held();
        self.create_missing();
        if self.is_draining {
            return;
        }
        // What is on its way back is not taken before that has come to an end: the call could meet a later tenure.
        let in_motion: Vec<String> = self
            .pending
            .values()
            .filter_map(|pending| match pending {
                Pending::Take(row, ..) => Some(&row.key),
                Pending::Surrender(surrender) => Some(&surrender.key),
                _ => None,
            })
            .chain(self.surrenders.iter().map(|(_, surrender)| &surrender.key))
            .cloned()
            .collect();
        let appetite = Appetite {
            failover: self.config.failover,
            steal_max: self.config.steal_max as usize,
            leases_max: self.config.leases_max as usize,
            #[cfg(feature = "mutations")]
            mutant: self.config.mutant,
        };
        let has =
            |key: &str| self.held.contains_key(key) || in_motion.iter().any(|one| **one == *key);
        let wanted = balance::wanted(
            &self.table,
            &self.config.worker,
            has,
            self.now,
            appetite,
            &mut self.rng,
        );
        for key in wanted {
            if let Some(seen) = self.table.get(&key) {
                let row = seen.row.clone();
                let (counter, owner) = (row.counter, row.owner.clone());
                let after = self.still_working(seen);
                let is_waiting = after.is_some();
                let token = self.pend(Pending::Take(row, self.now, is_waiting));
                self.actions.push_back(LeaseAction::Take {
                    token,
                    key,
                    counter,
                    owner,
                    after,
                });
            }
        }
    }

    /// What others have taken is learned from a refused renewal, at once where a scan shows it.
    fn look_at_held(&mut self) {
        for (key, held) in &mut self.held {
            let owner = self.table.get(key).and_then(|seen| seen.row.owner.as_ref());
            if owner == Some(&self.config.worker) || matches!(held.phase, Phase::Waiting(_)) {
                continue;
            }
            if let Renewal::Due(at) = &mut held.renewal {
                *at = (*at).min(self.now);
            }
        }
    }

    /// Who may have the shard in work, if this worker takes its lease now: its owner, or an owner before that which has not
    /// left; nobody once the row has stood still for the failover time.
    fn still_working(&self, seen: &Seen) -> Option<String> {
        let row = &seen.row;
        let is_over = self.now.since(seen.since) >= self.config.failover;
        if is_over || mutant!(leases self.config, LeaseStolenWithoutHandover) {
            return None;
        }
        let other = |worker: &&String| **worker != self.config.worker;
        let either = row.handing_over.as_ref().or(row.owner.as_ref());
        either.filter(other).cloned()
    }

    fn done(&mut self, token: Token) {
        let now = self.now;
        match self.take_pending(token) {
            Pending::Create(row) => {
                self.table.wrote(now, row);
                self.create_missing();
                let is_create = |one: &Pending| matches!(one, Pending::Create(_));
                if !self.pending.values().any(is_create) {
                    // They are free: no need to wait for the next scan's turn.
                    self.next_scan = now;
                }
            }
            // The answer took so long that somebody else may have it by now.
            Pending::Take(row, sent, _) if now.since(sent) >= self.config.failover => {
                if self.is_draining {
                    self.surrender(Surrender::back(row.key, now));
                }
            }
            Pending::Take(row, sent, is_waiting) => {
                let (phase, again) = match is_waiting {
                    // The owner's last renewal was before this: by then it has let go by its own clock.
                    true => (
                        Phase::Waiting(now + self.config.failover),
                        self.config.retry(),
                    ),
                    false => (Phase::Working, self.config.renewal()),
                };
                let held = Held {
                    counter: row.counter + 1,
                    unsure: 0,
                    renewed: sent,
                    renewal: Renewal::Due(sent + again),
                    phase,
                };
                self.held.insert(row.key.clone(), held);
                // Nothing was begun on what comes after the word to leave.
                match (self.is_draining, is_waiting) {
                    (true, _) => self.release(row.key),
                    (false, true) => {}
                    (false, false) => self.changes.push_back(LeaseChange::Gained(row.key)),
                }
            }
            Pending::Surrender(surrender) => {
                // Who took it has left since: it can be taken back.
                let seen = self.table.get(&surrender.key);
                if surrender.hands_over && seen.is_some_and(|seen| seen.row.owner.is_none()) {
                    self.next_scan = now;
                }
            }
            Pending::Scan | Pending::Renew(..) => {
                panic!("{token:?} was not for a write without more")
            }
        }
    }

    fn renewed(&mut self, token: Token, counter: u64, is_handing_over: bool) {
        let Pending::Renew(key, sent) = self.take_pending(token) else {
            panic!("{token:?} was not for a renewal");
        };
        let (renewal, retry) = (self.config.renewal(), self.config.retry());
        let Some(held) = self.tenure(&key, sent) else {
            return;
        };
        held.counter = counter;
        held.unsure = 0;
        held.renewed = sent;
        held.renewal = Renewal::Due(sent + renewal);
        match held.phase {
            Phase::Waiting(_) if is_handing_over => held.renewal = Renewal::Due(sent + retry),
            Phase::Waiting(_) => {
                held.phase = Phase::Working;
                self.changes.push_back(LeaseChange::Gained(key));
            }
            Phase::Working | Phase::Leaving => {}
        }
    }

    fn refused(&mut self, token: Token, is_handing_over: bool) {
        match self.take_pending(token) {
            Pending::Renew(key, sent) => match self.tenure(&key, sent) {
                Some(held) if is_handing_over && held.phase == Phase::Working => {
                    held.phase = Phase::Leaving;
                    self.changes.push_back(LeaseChange::Revoked(key));
                }
                Some(_) => self.lose(&key),
                None => {}
            },
            Pending::Create(row) => {
                self.table.wrote(self.now, row);
                self.create_missing();
            }
            // Somebody was faster; there may be another one to go for.
            Pending::Take(..) => {
                self.next_scan = self.next_scan.min(self.now + self.config.retry());
            }
            Pending::Surrender(_) => {}
            Pending::Scan => panic!("a scan has no condition"),
        }
    }

    fn failed(&mut self, token: Token) {
        let again = self.now + self.config.retry();
        match self.take_pending(token) {
            Pending::Scan => {
                self.is_scanning = false;
                self.next_scan = again;
            }
            Pending::Renew(key, sent) => {
                if let Some(held) = self.tenure(&key, sent) {
                    held.renewal = Renewal::Due(again);
                    held.unsure += 1;
                }
            }
            // If it was written, nobody renews it, and it is free again after the failover time.
            Pending::Take(..) | Pending::Create(_) => {}
            // Others need not wait that long.
            Pending::Surrender(surrender) => {
                if self.now.since(surrender.since) < self.config.failover {
                    self.surrenders.push((again, surrender));
                }
            }
        }
    }

    /// The lease for which a renewal was sent then: an answer that comes after it was lost means nothing to a later one.
    fn tenure(&mut self, key: &str, sent: Time) -> Option<&mut Held> {
        let held = self.held.get_mut(key)?;
        (held.renewal == Renewal::Sent(sent)).then_some(held)
    }

    // ---- giving up ----

    fn lose(&mut self, key: &str) {
        // One that was waited for was never worked on.
        if let Some((key, held)) = self.held.remove_entry(key)
            && !matches!(held.phase, Phase::Waiting(_))
        {
            match self.changes.back_mut() {
                Some(LeaseChange::Lost(keys)) => keys.push(key),
                _ => self.changes.push_back(LeaseChange::Lost(vec![key])),
            }
        }
    }

    fn release(&mut self, key: String) {
        let Some(held) = self.held.remove(&key) else {
            return;
        };
        self.surrender(Surrender {
            hands_over: held.phase == Phase::Leaving,
            ..Surrender::back(key, self.now)
        });
    }

    fn surrender(&mut self, surrender: Surrender) {
        let (key, hands_over) = (surrender.key.clone(), surrender.hands_over);
        let token = self.pend(Pending::Surrender(surrender));
        self.actions.push_back(match hands_over {
            true => LeaseAction::HandOver { token, key },
            false => LeaseAction::Release { token, key },
        });
    }

    /// Rule `lease-for-every-listed-shard`. A shard gets its row after its parents have theirs: a row whose parents have none
    /// looks as if they were finished and forgotten.
    fn create_missing(&mut self) {
        let creating = |key: &String| {
            let is_it = |one: &Pending| matches!(one, Pending::Create(row) if row.key == *key);
            self.pending.values().any(is_it)
        };
        let missing: Vec<Row> = self
            .listed
            .iter()
            .filter(|(key, _)| self.table.get(key).is_none() && !creating(key))
            .filter(|(_, parents)| {
                let waits =
                    |it: &String| self.listed.contains_key(it) && self.table.get(it).is_none();
                !parents.iter().any(waits)
            })
            .map(|(key, parents)| Row::new(key.as_str(), parents.clone()))
            .collect();
        if self.is_draining {
            return;
        }
        for row in missing {
            let (key, parents) = (row.key.clone(), row.parents.clone());
            let token = self.pend(Pending::Create(row));
            self.actions.push_back(LeaseAction::Create {
                token,
                key,
                parents,
            });
        }
    }

    fn pend(&mut self, what: Pending) -> Token {
        let token = self.next_token;
        self.next_token += 1;
        self.pending.insert(token, what);
        Token(token)
    }

    fn take_pending(&mut self, token: Token) -> Pending {
        match self.pending.remove(&token.0) {
            Some(pending) => pending,
            None => panic!("{token:?} is not pending: answered twice, or never given"),
        }
    }
}
