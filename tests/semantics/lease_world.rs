//! A lease table and workers around it in virtual time: answers take a while or get lost, workers stop, freeze and die.

use std::collections::BTreeMap;
use tidegate::engine::lease::{LeaseAction, LeaseChange, LeaseConfig, LeaseEvent, Leases, Row};
use tidegate::engine::{Rng, Span, Time, Token};

/// What the network does to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Answered,
    /// Written, but the worker only sees trouble.
    AnswerLost,
    /// Never written.
    CallLost,
}

#[derive(Debug)]
enum Step {
    /// A call reaches the table.
    Arrives(usize, LeaseAction, Fate),
    /// Its answer reaches the worker.
    Returns(usize, LeaseEvent),
}

pub(super) struct Worker {
    pub(super) leases: Leases,
    pub(super) name: String,
    pub(super) state: State,
    /// Answers that came while it was frozen.
    mail: Vec<LeaseEvent>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Runs,
    Frozen,
    Dead,
}

pub(super) struct World {
    pub(super) now: Time,
    pub(super) table: BTreeMap<String, Row>,
    pub(super) workers: Vec<Worker>,
    pub(super) gained: Vec<(Time, usize, String)>,
    pub(super) lost: Vec<(Time, usize, String)>,
    pub(super) revoked: Vec<(Time, usize, String)>,
    /// Longest work that a revoked lease has to finish.
    pub(super) work_ms: u64,
    /// Of a thousand calls, how many lose their answer, and as many again never arrive.
    pub(super) trouble: u64,
    shards: Vec<(String, Vec<String>)>,
    calendar: BTreeMap<(Time, u64), Step>,
    order: u64,
    rng: Rng,
}

pub(super) const FAILOVER: Span = Span::from_secs(10);

impl World {
    pub(super) fn new(seed: u64, shards: &[(&str, &[&str])]) -> Self {
        let shard = |(key, parents): &(&str, &[&str])| {
            let parents = parents.iter().map(|&parent| String::from(parent)).collect();
            (String::from(*key), parents)
        };
        Self {
            now: Time::from_secs(1_000),
            table: BTreeMap::new(),
            workers: Vec::new(),
            gained: Vec::new(),
            lost: Vec::new(),
            revoked: Vec::new(),
            work_ms: 2_000,
            trouble: 0,
            shards: shards.iter().map(shard).collect(),
            calendar: BTreeMap::new(),
            order: 0,
            rng: Rng::stream(seed, "world"),
        }
    }

    /// `count` shards without parents.
    pub(super) fn flat(seed: u64, count: u32) -> Self {
        let mut world = Self::new(seed, &[]);
        world.shards = (0..count)
            .map(|shard| (format!("shard-{shard:03}"), Vec::new()))
            .collect();
        world
    }

    pub(super) fn join(&mut self) -> usize {
        let index = self.workers.len();
        let name: String = format!("worker-{index}");
        self.workers.push(Worker {
            leases: Leases::new(
                LeaseConfig::new(name.clone()),
                Rng::stream(index as u64, "leases"),
                self.now,
            ),
            name,
            state: State::Runs,
            mail: Vec::new(),
        });
        self.tell(index, LeaseEvent::Listed(self.shards.clone()));
        index
    }

    pub(super) fn die(&mut self, worker: usize) {
        self.workers[worker].state = State::Dead;
    }

    pub(super) fn freeze(&mut self, worker: usize) {
        self.workers[worker].state = State::Frozen;
    }

    /// Goes on: what waited arrives, after the deadlines that went by.
    pub(super) fn thaw(&mut self, worker: usize) {
        self.workers[worker].state = State::Runs;
        let now = self.now;
        self.workers[worker].leases.handle_timeout(now);
        self.drain(worker);
        for event in std::mem::take(&mut self.workers[worker].mail) {
            self.tell(worker, event);
        }
    }

    pub(super) fn tell(&mut self, worker: usize, event: LeaseEvent) {
        let now = self.now;
        self.workers[worker].leases.handle(now, event);
        self.drain(worker);
    }

    /// The shard is worked on to its end, and that is stored.
    pub(super) fn finish(&mut self, worker: usize, key: &str) {
        let row = self.table.get_mut(key).expect("a row");
        assert_eq!(row.owner.as_ref(), Some(&self.workers[worker].name));
        row.is_finished = true;
        self.tell(worker, LeaseEvent::Finished { key: key.into() });
    }

    pub(super) fn run(&mut self, length: Span) {
        let end = self.now + length;
        loop {
            let wake = |worker: &Worker| match worker.state {
                State::Runs => worker.leases.poll_wake(),
                _ => None,
            };
            let wakes = self.workers.iter().enumerate();
            let wake = wakes
                .filter_map(|(index, worker)| Some((wake(worker)?, index)))
                .min();
            let step = self.calendar.first_key_value().map(|((at, _), _)| *at);
            let next = match (step, wake) {
                (Some(step), Some((wake, _))) => step.min(wake),
                (Some(step), None) => step,
                (None, Some((wake, _))) => wake,
                (None, None) => Time::MAX,
            };
            if next > end {
                self.now = end;
                return;
            }
            self.now = self.now.max(next);
            match (step, wake) {
                (Some(step), _) if step <= self.now => self.step(),
                (_, Some((_, worker))) => {
                    self.workers[worker].leases.handle_timeout(self.now);
                    self.drain(worker);
                }
                _ => unreachable!("something was due"),
            }
            self.check();
        }
    }

    fn step(&mut self) {
        let ((_, _), step) = self.calendar.pop_first().expect("a step");
        match step {
            Step::Arrives(worker, action, fate) => {
                let answer = match fate {
                    Fate::CallLost => LeaseEvent::Failed {
                        token: action.token(),
                    },
                    _ => self.write(worker, &action),
                };
                let answer = match fate {
                    Fate::AnswerLost => LeaseEvent::Failed {
                        token: action.token(),
                    },
                    _ => answer,
                };
                self.later(Step::Returns(worker, answer));
            }
            Step::Returns(worker, answer) => match self.workers[worker].state {
                State::Runs => self.tell(worker, answer),
                State::Frozen => self.workers[worker].mail.push(answer),
                State::Dead => {}
            },
        }
    }

    fn later(&mut self, step: Step) {
        self.order += 1;
        let latency = Span::from_millis(5 + self.rng.below(300));
        self.calendar.insert((self.now + latency, self.order), step);
    }

    fn drain(&mut self, worker: usize) {
        while let Some(action) = self.workers[worker].leases.poll_action() {
            let fate = match self.rng.below(1_000) {
                draw if draw < self.trouble => Fate::AnswerLost,
                draw if draw < 2 * self.trouble => Fate::CallLost,
                _ => Fate::Answered,
            };
            self.later(Step::Arrives(worker, action, fate));
        }
        while let Some(change) = self.workers[worker].leases.poll_change() {
            match change {
                LeaseChange::Gained(key) => self.gained.push((self.now, worker, key)),
                LeaseChange::Lost(keys) => {
                    let lost = keys.into_iter().map(|key| (self.now, worker, key));
                    self.lost.extend(lost);
                }
                // Some work takes longer than there is time for it.
                LeaseChange::Revoked(key) => {
                    self.revoked.push((self.now, worker, key.clone()));
                    self.order += 1;
                    let work = Span::from_millis(self.rng.below(self.work_ms + 1));
                    let step = Step::Returns(worker, LeaseEvent::Released { key });
                    self.calendar.insert((self.now + work, self.order), step);
                }
            }
        }
    }

    /// The table's side of a call: conditions first.
    fn write(&mut self, worker: usize, action: &LeaseAction) -> LeaseEvent {
        let me = Some(self.workers[worker].name.clone());
        match action {
            LeaseAction::Scan { token } => LeaseEvent::Scanned {
                token: *token,
                rows: self.table.values().cloned().collect(),
            },
            LeaseAction::Create {
                token,
                key,
                parents,
            } => {
                if self.table.contains_key(key) {
                    return refused(*token);
                }
                let row = Row::new(key.as_str(), parents.clone());
                self.table.insert(key.clone(), row);
                LeaseEvent::Done { token: *token }
            }
            LeaseAction::Renew {
                token,
                key,
                counters,
                claim,
            } => match self.table.get_mut(key) {
                Some(row) if row.owner == me && counters.contains(&row.counter) => {
                    row.counter += 1;
                    if *claim {
                        row.handing_over = None;
                    }
                    LeaseEvent::Renewed {
                        token: *token,
                        counter: row.counter,
                        is_handing_over: row.handing_over.is_some(),
                    }
                }
                row => LeaseEvent::Refused {
                    token: *token,
                    is_handing_over: row.is_some_and(|row| row.handing_over == me),
                },
            },
            LeaseAction::Take {
                token,
                key,
                counter,
                owner,
                after,
            } => match self.table.get_mut(key) {
                Some(row) if row.owner == *owner && row.counter == *counter => {
                    row.owner = me;
                    row.counter += 1;
                    row.handing_over = after.clone();
                    LeaseEvent::Done { token: *token }
                }
                _ => refused(*token),
            },
            LeaseAction::HandOver { token, key } => match self.table.get_mut(key) {
                Some(row) if row.handing_over == me => {
                    row.handing_over = None;
                    LeaseEvent::Done { token: *token }
                }
                _ => refused(*token),
            },
            LeaseAction::Release { token, key } => match self.table.get_mut(key) {
                Some(row) if row.owner == me => {
                    row.owner = None;
                    row.counter += 1;
                    LeaseEvent::Done { token: *token }
                }
                _ => refused(*token),
            },
        }
    }

    /// No two workers that run believe that they have the same lease.
    fn check(&mut self) {
        let mut holders: BTreeMap<String, usize> = BTreeMap::new();
        for (index, worker) in self.workers.iter().enumerate() {
            if worker.state != State::Runs {
                continue;
            }
            for key in worker.leases.held() {
                let other = holders.insert(key.clone(), index);
                assert_eq!(other, None, "{key} has two holders at {:?}", self.now);
            }
        }
    }

    /// How many leases each running worker has.
    pub(super) fn loads(&self) -> Vec<usize> {
        let runs = |worker: &&Worker| worker.state == State::Runs;
        let workers = self.workers.iter().filter(runs);
        workers.map(|worker| worker.leases.held().count()).collect()
    }
}

fn refused(token: Token) -> LeaseEvent {
    LeaseEvent::Refused {
        token,
        is_handing_over: false,
    }
}
