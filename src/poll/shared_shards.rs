//! The part of a mapping's loop that its leases need: shards that are gained, revoked and lost.

use crate::engine::lease::{LeaseChange, LeaseEvent};
use crate::engine::{Control, Event, FailureClass, Position, Shard, Time, Token};
use crate::poll::driver::{Driver, LIST_AGAIN, LIST_INTERVAL};
use crate::poll::leases::Answer;
use crate::source::ListedShard;
use std::sync::Arc;

impl Driver {
    /// Acts on what is due of the leases.
    pub(crate) fn lease_deadline(&mut self, now: Time) {
        if let Some(keeper) = &mut self.keeper
            && keeper.wake().is_some_and(|at| at <= now)
        {
            keeper.timeout(now);
            self.follow_leases(now);
        }
    }

    pub(crate) fn lease_answered(&mut self, now: Time, answer: Answer) {
        if let Some(keeper) = &mut self.keeper {
            keeper.answered(now, answer);
        }
        self.follow_leases(now);
    }

    pub(crate) fn lease_listed(&mut self, now: Time, listed: Vec<ListedShard>) {
        // Children of a shard that ended may take a moment to be shown.
        let pause = match self.lists_for_children {
            0 => LIST_INTERVAL,
            _ => LIST_AGAIN,
        };
        self.lists_for_children = self.lists_for_children.saturating_sub(1);
        self.next_list = Some(now + pause);
        if let Some(keeper) = &mut self.keeper {
            keeper.listed(now, listed);
        }
        self.follow_leases(now);
    }

    /// Somebody else has the shard: it is lost before the mapping hears that its progress was not stored.
    pub(crate) fn disowned(&mut self, now: Time, token: Token, shard: &Arc<str>) {
        if let Some(keeper) = &mut self.keeper {
            let key = shard.to_string();
            keeper.tell(now, LeaseEvent::Disowned { key });
        }
        self.follow_leases(now);
        let class = FailureClass::Denied;
        self.handle(now, Event::Failed { token, class });
    }

    /// Carries out what changed, which may change more.
    pub(crate) fn follow_leases(&mut self, now: Time) {
        while let Some(keeper) = &mut self.keeper {
            for news in std::mem::take(&mut self.io.lease_news) {
                keeper.hear(now, news);
            }
            let changes = keeper.drain(&mut self.io.tasks);
            if changes.is_empty() && self.io.lease_news.is_empty() {
                return;
            }
            for change in changes {
                self.lease_changed(now, change);
            }
        }
    }

    fn lease_changed(&mut self, now: Time, change: LeaseChange) {
        let Some(keeper) = &mut self.keeper else {
            return;
        };
        let mapping = self.io.name.clone();
        let event = match change {
            LeaseChange::Gained(key) => {
                let from = keeper.position(&key);
                if from == Position::End {
                    return keeper.tell(now, LeaseEvent::Finished { key });
                }
                tracing::info!(%mapping, shard = key, ?from, "the lease of a shard is ours");
                let shards = vec![self.io.take_on(&Arc::from(key), from)];
                Control::Assigned { poller: 0, shards }
            }
            LeaseChange::Revoked(key) => {
                tracing::info!(%mapping, shard = key, "another process asks for a shard");
                let shard = self.io.book.number(&Arc::from(key));
                self.io
                    .asked_for
                    .send_if_modified(|shards| shards.insert(shard));
                let shards = vec![shard];
                Control::Revoked { poller: 0, shards }
            }
            LeaseChange::Lost(keys) => {
                let mut shards = Vec::new();
                for key in keys {
                    tracing::warn!(%mapping, shard = key, "the lease of a shard is lost");
                    let shard = self.io.book.number(&Arc::from(key));
                    self.io.panel.leaves(shard);
                    shards.push(shard);
                }
                Control::Lost { poller: 0, shards }
            }
        };
        self.handle(now, Event::Control(event));
    }

    /// At the end of a drain: whether every lease was given back.
    pub(crate) fn leases_are_back(&mut self, now: Time) -> bool {
        let Some(keeper) = &mut self.keeper else {
            return true;
        };
        keeper.release_all(now);
        self.follow_leases(now);
        self.keeper
            .as_ref()
            .is_none_or(|keeper| keeper.is_drained())
    }
}

impl crate::poll::effects::Io {
    /// A shard to work on, with a reader that knows nothing of earlier tenures.
    fn take_on(&mut self, name: &Arc<str>, from: Position) -> Shard {
        let id = self.book.number(name);
        self.panel.begins(id, name, from);
        self.asked_for.send_if_modified(|shards| shards.remove(&id));
        if let Some(reader) = self.feed.reader(id.0, name, &self.keep) {
            match self.readers.get_mut(id.0 as usize) {
                Some(place) => *place = reader,
                None => self.readers.push(reader),
            }
        }
        Shard {
            id,
            from,
            parents: Vec::new(),
            window: None,
        }
    }
}
