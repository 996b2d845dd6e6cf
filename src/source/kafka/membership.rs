//! How a consumer's membership goes: joining, what the group gives and takes, trouble, leaving.

use super::super::CallError;
use super::consumer::{Consumer, Found};
use super::offsets::{self, Start};
use super::trouble::{Reason, Trouble, call_error};
use crate::engine::{Control, Event, FailureClass, Position, Shard, ShardId, Token};
use crate::poll::Witness;
use rdkafka::error::KafkaResult;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Pause before a question is asked again that the cluster did not answer.
const ASK_AGAIN: Duration = Duration::from_millis(500);

impl Consumer {
    /// Begins to join the group, unless that is done or going on.
    pub(super) fn open(&mut self) {
        if self.session.is_some() || self.is_busy {
            return;
        }
        self.is_busy = true;
        let shared = self.shared.clone();
        // Fetching secrets is work for one thread: its future cannot move between them.
        let runtime = tokio::runtime::Handle::current();
        self.questions
            .spawn_blocking(move || Found::Settings(runtime.block_on(shared.settings())));
    }

    /// Takes what the group has given, now that it is known where to begin.
    pub(super) fn assign(&mut self, starts: KafkaResult<Vec<Start>>) {
        let Some(session) = &mut self.session else {
            return;
        };
        let starts = match starts {
            Ok(starts) => starts,
            Err(error) => {
                let error = call_error("OffsetFetch", &error);
                tracing::warn!(mapping = %self.shared.mapping, %error, "where to start could not be found out");
                return self.ask_starts(ASK_AGAIN);
            }
        };
        if let Err(error) = session.assign(&starts) {
            let error = call_error("Assign", &error);
            tracing::warn!(mapping = %self.shared.mapping, %error, "an assignment came to nothing");
            return;
        }
        self.shared
            .own(self.poller, starts.iter().map(|it| it.partition));
        for start in starts.iter().filter(|start| start.is_new) {
            // Rule `kafka-latest-is-stored`: otherwise a member that dies before its first batch is done would make
            // LATEST mean a later moment for the next one.
            self.commits.ask(None, start.partition, start.offset);
        }
        self.recovered();
        let shards = starts.iter().map(|start| Shard {
            id: ShardId(start.partition),
            from: Position::at_offset(start.offset),
            parents: Vec::new(),
            window: None,
        });
        let shards: Vec<Shard> = shards.collect();
        tracing::debug!(mapping = %self.shared.mapping, poller = self.poller, ?shards, "assigned");
        let poller = self.poller;
        if !shards.is_empty() {
            self.send(Event::Control(Control::Assigned { poller, shards }));
        }
    }

    /// Asks where the partitions begin that the group has given.
    pub(super) fn ask_starts(&mut self, pause: Duration) {
        let Some(session) = &self.session else {
            return;
        };
        let Some(partitions) = session.assigning.clone() else {
            return;
        };
        let (consumer, shared) = (session.consumer.clone(), self.shared.clone());
        let assignment = self.assignment;
        self.questions.spawn(async move {
            tokio::time::sleep(pause).await;
            let asked = tokio::task::spawn_blocking(move || {
                offsets::starts(
                    &consumer,
                    &shared.source.topic,
                    &partitions,
                    shared.start,
                    &shared.latest,
                )
            });
            match asked.await {
                Ok(starts) => Found::Starts(assignment, starts),
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            }
        });
    }

    pub(super) fn revoked(&mut self, partitions: Vec<u32>, is_lost: bool) {
        let Some(session) = &mut self.session else {
            return;
        };
        for partition in &partitions {
            session.queues.remove(partition);
        }
        tracing::debug!(mapping = %self.shared.mapping, poller = self.poller, ?partitions, is_lost, "revoked");
        let shards: Vec<ShardId> = partitions.iter().copied().map(ShardId).collect();
        let is_nothing = shards.is_empty();
        session.leaving.extend(partitions);
        let poller = self.poller;
        if is_lost || is_nothing {
            self.give_up_leaving();
        }
        if is_nothing {
            return;
        }
        self.send(Event::Control(match is_lost {
            true => Control::Lost { poller, shards },
            false => Control::Revoked { poller, shards },
        }));
    }

    /// Lets librdkafka go on after a revocation.
    pub(super) fn give_up_leaving(&mut self) {
        let Some(session) = &mut self.session else {
            return;
        };
        let leaving = std::mem::take(&mut session.leaving);
        self.shared.disown(self.poller, &leaving);
        let result = session.unassign(&leaving);
        if let Err(error) = result {
            tracing::debug!(mapping = %self.shared.mapping, %error, "giving partitions up");
        }
        let answers = self.commits.forget(&leaving);
        self.committed(answers);
    }

    /// While the engine still works on what the group wants back, the member may fall out of the group.
    pub(super) fn notice_loss(&mut self) {
        let Some(session) = &self.session else {
            return;
        };
        if session.leaving.is_empty() || !session.is_lost() {
            return;
        }
        let shards: Vec<ShardId> = session.leaving.iter().copied().map(ShardId).collect();
        self.give_up_leaving();
        let poller = self.poller;
        self.send(Event::Control(Control::Lost { poller, shards }));
    }

    pub(super) fn trouble(&mut self, trouble: &Trouble) {
        if !trouble.stops() {
            tracing::debug!(mapping = %self.shared.mapping, ?trouble, "librdkafka reports");
            return;
        }
        // A cluster of one broker that refuses a client is "all brokers down", too.
        let is_echo = trouble.reason().is_none()
            && !trouble.is_fatal
            && (self.complaint.is_some() || self.error.is_some());
        if !is_echo {
            self.stopped(trouble.error(), trouble.reason());
        }
        let has_nothing = self
            .session
            .as_ref()
            .is_some_and(|session| session.queues.is_empty() && session.leaving.is_empty());
        if trouble.is_fatal {
            self.lose_everything();
        } else if has_nothing
            && matches!(
                trouble.reason(),
                Some(Reason::Authentication | Reason::Authorization)
            )
        {
            // The secret may be mended: the next receive fetches it anew.
            self.close(None);
        }
    }

    /// Nothing can be read for now.
    pub(super) fn stopped(&mut self, error: CallError, reason: Option<Reason>) {
        let reason = reason.filter(|_| error.class == FailureClass::Denied);
        if reason.is_some() && reason != self.complaint {
            self.complaint = reason;
            let state = reason.map_or("", Reason::name);
            let counters = &self.shared.counters;
            let witness = Witness::Consumer(self.poller);
            // The other consumers of the mapping fare alike: one of them says it for all.
            if counters.states.enter(&self.shared.mapping, witness, state) {
                counters.error_states.fetch_add(1, Ordering::Relaxed);
                tracing::error!(
                    mapping = %self.shared.mapping, %error, StateTransitionReason = state, "the cluster cannot be read"
                );
            }
        }
        for token in std::mem::take(&mut self.measures) {
            self.fail(token, error.class);
        }
        self.error = Some(error);
    }

    pub(super) fn recovered(&mut self) {
        self.error = None;
        if let Some(reason) = self.complaint.take() {
            let witness = Witness::Consumer(self.poller);
            if self
                .shared
                .counters
                .states
                .leave(&self.shared.mapping, witness)
            {
                tracing::info!(mapping = %self.shared.mapping, was = reason.name(), "the cluster can be read again");
            }
        }
    }

    /// Who leaves the group complains of nothing any more.
    pub(super) fn withdraw(&mut self) {
        if self.complaint.take().is_some() {
            let witness = Witness::Consumer(self.poller);
            self.shared
                .counters
                .states
                .leave(&self.shared.mapping, witness);
        }
    }

    /// The membership is over, and nothing of it may be committed any more.
    pub(super) fn lose_everything(&mut self) {
        let Some(session) = &self.session else {
            return;
        };
        let mut all: BTreeSet<u32> = session.queues.keys().copied().collect();
        all.extend(&session.leaving);
        all.extend(session.assigned());
        let shards: Vec<ShardId> = all.into_iter().map(ShardId).collect();
        self.close(None);
        let poller = self.poller;
        if !shards.is_empty() {
            self.send(Event::Control(Control::Lost { poller, shards }));
        }
    }

    /// Leaves the group. `token` is answered when that is done.
    pub(super) fn close(&mut self, token: Option<Token>) {
        self.assignment += 1;
        self.shared.disown_all(self.poller);
        let answers = self.commits.abandon();
        self.committed(answers);
        for token in std::mem::take(&mut self.measures) {
            self.fail(token, FailureClass::Transient);
        }
        match (self.session.take(), token) {
            (None, None) => {}
            (None, Some(token)) => self.send(Event::Done { token }),
            (Some(session), token) => {
                self.is_busy = true;
                self.questions.spawn_blocking(move || {
                    drop(session);
                    Found::Closed(token)
                });
            }
        }
    }
}
