//! The shards of a stream that several processes share: carries out what [`Leases`] decides.

mod item;
mod table;

use crate::engine::lease::{LeaseAction, LeaseChange, LeaseConfig, LeaseEvent, Leases};
use crate::engine::{Delta, Event, FailureClass, Position, Rng, ShardId, Time, Token};
use crate::poll::effects::Input;
use crate::source::{CallError, ListedShard};
use item::Lease;
pub(crate) use item::{lease as lease_of_row, new_item as new_lease_row};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
pub(crate) use table::LeaseTable;
use table::Written;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The progress of a shard is written at most this often; what is done meanwhile goes with the next write.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(1);

/// One worker's leases of one mapping.
pub(crate) struct Keeper {
    machine: Leases,
    table: Arc<LeaseTable>,
    /// Where shards begin of which no ancestor was ever worked on.
    start: Position,
    listed: Vec<ListedShard>,
    /// Where each shard of the table stands, as of the last answer about it; empty before the first scan.
    positions: BTreeMap<String, Position>,
    has_scanned: bool,
}

/// An answer of the table.
#[derive(Debug)]
pub(crate) struct Answer {
    token: Token,
    what: What,
}

#[derive(Debug)]
enum What {
    Scanned(Vec<Lease>),
    Written {
        key: String,
        is_renewal: bool,
        written: Written,
    },
    Failed(CallError),
}

/// What the mapping said that concerns its leases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// Nothing of the shard is in work any more.
    Left(Arc<str>),
    /// The end of the shard is stored.
    Ended(Arc<str>),
}

impl Keeper {
    pub(crate) fn new(
        config: LeaseConfig,
        rng: Rng,
        now: Time,
        table: Arc<LeaseTable>,
        start: Position,
    ) -> Self {
        Self {
            machine: Leases::new(config, rng, now),
            table,
            start,
            listed: Vec::new(),
            positions: BTreeMap::new(),
            has_scanned: false,
        }
    }

    pub(crate) fn wake(&self) -> Option<Time> {
        self.machine.poll_wake()
    }

    pub(crate) fn timeout(&mut self, now: Time) {
        self.machine.handle_timeout(now);
    }

    pub(crate) fn is_drained(&self) -> bool {
        self.machine.is_drained()
    }

    /// Where a shard was last seen to stand.
    pub(crate) fn position(&self, key: &str) -> Position {
        self.positions.get(key).copied().unwrap_or(self.start)
    }

    /// Takes in the shards that the stream has.
    pub(crate) fn listed(&mut self, now: Time, listed: Vec<ListedShard>) {
        self.listed = listed;
        self.want(now);
    }

    /// Rule `lease-for-every-listed-shard`: LATEST has no interest in what was closed before anybody came, so a closed shard
    /// then only counts if one of its ancestors is in the table.
    fn want(&mut self, now: Time) {
        if !self.has_scanned {
            return;
        }
        let shards = self
            .listed
            .iter()
            .filter(|shard| {
                self.start != Position::Latest || !shard.closed || self.descends(&shard.name)
            })
            .map(|shard| {
                let parents = shard.parents.iter().map(ToString::to_string);
                (shard.name.to_string(), parents.collect())
            });
        let shards = shards.collect();
        self.machine.handle(now, LeaseEvent::Listed(shards));
    }

    /// Whether an ancestor of the shard is in the table.
    fn descends(&self, name: &str) -> bool {
        let mut seen = Vec::new();
        let mut left = vec![name];
        while let Some(name) = left.pop() {
            let Some(shard) = self.listed.iter().find(|shard| *shard.name == *name) else {
                continue;
            };
            for parent in &shard.parents {
                if self.positions.contains_key(&**parent) {
                    return true;
                }
                // A list with a cycle is wrong, and no reason to go round for ever.
                if !seen.contains(&&**parent) {
                    seen.push(&**parent);
                    left.push(&**parent);
                }
            }
        }
        false
    }

    pub(crate) fn tell(&mut self, now: Time, event: LeaseEvent) {
        self.machine.handle(now, event);
    }

    pub(crate) fn hear(&mut self, now: Time, news: News) {
        let event = match news {
            News::Left(key) => LeaseEvent::Released {
                key: key.to_string(),
            },
            News::Ended(key) => {
                self.positions.insert(key.to_string(), Position::End);
                LeaseEvent::Finished {
                    key: key.to_string(),
                }
            }
        };
        self.machine.handle(now, event);
    }

    /// Gives every lease back: nothing is in work any more.
    pub(crate) fn release_all(&mut self, now: Time) {
        let held: Vec<String> = self.machine.held().cloned().collect();
        for key in held {
            self.machine.handle(now, LeaseEvent::Released { key });
        }
    }

    /// Starts what is to be done and returns what changed.
    pub(crate) fn drain(&mut self, tasks: &mut JoinSet<Input>) -> Vec<LeaseChange> {
        while let Some(action) = self.machine.poll_action() {
            let from = match &action {
                LeaseAction::Create { key, .. } if self.descends(key) => Position::Horizon,
                _ => self.start,
            };
            let table = self.table.clone();
            tasks.spawn(async move { Input::Lease(carry_out(&table, &action, from).await) });
        }
        std::iter::from_fn(|| self.machine.poll_change()).collect()
    }

    pub(crate) fn answered(&mut self, now: Time, answer: Answer) {
        let Answer { token, what } = answer;
        let event = match what {
            What::Scanned(leases) => {
                self.positions = leases
                    .iter()
                    .map(|lease| (lease.row.key.clone(), lease.position))
                    .collect();
                let is_first = !std::mem::replace(&mut self.has_scanned, true);
                let rows = leases.into_iter().map(|lease| lease.row).collect();
                self.machine
                    .handle(now, LeaseEvent::Scanned { token, rows });
                if is_first {
                    self.want(now);
                }
                return;
            }
            What::Written {
                key,
                is_renewal,
                written,
            } => {
                let (Written::Done(lease) | Written::Refused(lease)) = &written;
                if let Some(lease) = lease {
                    self.positions.insert(key, lease.position);
                }
                match written {
                    Written::Done(Some(lease)) if is_renewal => LeaseEvent::Renewed {
                        token,
                        counter: lease.row.counter,
                        is_handing_over: lease.row.handing_over.is_some(),
                    },
                    // A renewal without the row says too little.
                    Written::Done(_) if is_renewal => LeaseEvent::Failed { token },
                    Written::Done(_) => LeaseEvent::Done { token },
                    Written::Refused(lease) => LeaseEvent::Refused {
                        token,
                        is_handing_over: lease.is_some_and(|lease| {
                            lease.row.handing_over.as_deref() == Some(self.machine.worker())
                        }),
                    },
                }
            }
            What::Failed(error) => {
                let table = self.table.name();
                tracing::warn!(table, %error, "a call to the lease table failed");
                LeaseEvent::Failed { token }
            }
        };
        self.machine.handle(now, event);
    }
}

async fn carry_out(table: &LeaseTable, action: &LeaseAction, from: Position) -> Answer {
    tracing::debug!(table = table.name(), ?action, "asked of the lease table");
    let (key, is_renewal) = match action {
        LeaseAction::Scan { token } => {
            let what = match table.scan().await {
                Ok(leases) => What::Scanned(leases),
                Err(error) => What::Failed(error),
            };
            return Answer {
                token: *token,
                what,
            };
        }
        LeaseAction::Renew { key, .. } => (key, true),
        LeaseAction::Create { key, .. }
        | LeaseAction::Take { key, .. }
        | LeaseAction::HandOver { key, .. }
        | LeaseAction::Release { key, .. } => (key, false),
    };
    let what = match table.carry_out(action, from).await {
        Ok(written) => What::Written {
            key: key.clone(),
            is_renewal,
            written,
        },
        Err(error) => What::Failed(error),
    };
    Answer {
        token: action.token(),
        what,
    }
}

/// Who does not want to wait for the next time at which progress of a shard may be stored.
pub(crate) struct Haste {
    pub(crate) shard: ShardId,
    /// Shards that another process waits for.
    pub(crate) asked_for: watch::Receiver<BTreeSet<ShardId>>,
    pub(crate) draining: watch::Receiver<bool>,
}

impl Haste {
    /// Until somebody is in a hurry. Whoever tells of it may be gone, which comes to the same.
    async fn comes(mut self) {
        tokio::select! {
            _ = self.asked_for.wait_for(|shards| shards.contains(&self.shard)) => {}
            _ = self.draining.wait_for(|draining| *draining) => {}
        }
    }
}

/// Stores progress, and says so no sooner than the next write may be made.
pub(crate) async fn checkpoint(
    table: Arc<LeaseTable>,
    token: Token,
    shard: Arc<str>,
    delta: Delta,
    haste: Haste,
) -> Input {
    match table.checkpoint(&shard, delta).await {
        Ok(Written::Done(_)) => {
            if delta.to != Position::End {
                tokio::select! {
                    () = tokio::time::sleep(CHECKPOINT_INTERVAL) => {}
                    () = haste.comes() => {}
                }
            }
            Input::Event(Event::Done { token })
        }
        Ok(Written::Refused(_)) => {
            tracing::warn!(table = table.name(), %shard, "progress was not stored: the lease is somebody else's");
            Input::Disowned { token, shard }
        }
        Err(error) => {
            tracing::error!(table = table.name(), %shard, %error, "a checkpoint was not stored");
            let class = FailureClass::Transient;
            Input::Event(Event::Failed { token, class })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::{Context, Poll, Waker};

    #[test]
    fn progress_of_a_shard_that_another_process_waits_for_is_stored_without_a_pause() {
        let (asked_for, asked) = watch::channel(BTreeSet::new());
        let (_draining, draining) = watch::channel(false);
        let haste = |shard| Haste {
            shard: ShardId(shard),
            asked_for: asked.clone(),
            draining: draining.clone(),
        };
        let (mut wanted, mut other) = (Box::pin(haste(3).comes()), Box::pin(haste(4).comes()));
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!(wanted.as_mut().poll(&mut cx), Poll::Pending);
        asked_for.send_modify(|shards| {
            shards.insert(ShardId(3));
        });
        assert_eq!(wanted.as_mut().poll(&mut cx), Poll::Ready(()));
        assert_eq!(other.as_mut().poll(&mut cx), Poll::Pending);
    }
}
