//! One consumer of a mapping: the task between the engine and a client of librdkafka's.

use super::super::{CallError, Payload, Records};
use super::Shared;
use super::access::Access;
use super::commits::{Answer, Commits};
use super::context::Happening;
use super::offsets::{self, Start};
use super::page;
use super::session::Session;
use super::trouble::{Reason, call_error};
use crate::engine::{Event, FailureClass, Page, ShardId, Span, Token};
use rdkafka::error::KafkaResult;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

/// How often librdkafka is polled when nothing happens. It holds a member that is not polled for
/// `max.poll.interval.ms`, 5 minutes, for dead.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Pause before a commit is made again that a rebalance got in the way of.
const COMMIT_AGAIN: Duration = Duration::from_millis(100);

/// What a mapping asks of its consumer.
#[derive(Debug)]
pub(super) enum Command {
    Receive(Receive),
    Commit {
        token: Token,
        partition: u32,
        offset: u64,
    },
    Yield {
        token: Token,
    },
    Leave {
        token: Token,
    },
    Measure {
        token: Token,
    },
}

#[derive(Debug)]
pub(super) struct Receive {
    pub(super) token: Token,
    pub(super) records_max: u32,
    pub(super) wait: Span,
    pub(super) held: Vec<ShardId>,
    /// An empty list to fill.
    pub(super) records: Records,
    /// When it becomes true, nobody waits any longer.
    pub(super) draining: watch::Receiver<bool>,
}

/// What a task that may block has found.
pub(super) enum Found {
    Settings(Result<Access, CallError>),
    Starts(u64, KafkaResult<Vec<Start>>),
    Ends(Token, KafkaResult<Vec<(ShardId, crate::engine::Seq)>>),
    Committed(KafkaResult<()>),
    /// A commit may be made again.
    Paused,
    Closed(Option<Token>),
}

pub(super) struct Consumer {
    pub(super) poller: u32,
    pub(super) shared: Arc<Shared>,
    pub(super) commands: mpsc::UnboundedReceiver<Command>,
    pub(super) wake: Arc<Notify>,
    pub(super) session: Option<Session>,
    /// Counts assignments, so that an answer to an earlier one is known.
    pub(super) assignment: u64,
    pub(super) commits: Commits,
    /// A rebalance got in the way of a commit.
    pub(super) is_pausing: bool,
    pub(super) turn: u32,
    /// The receive that is waiting, and until when.
    pub(super) receive: Option<(Receive, Instant)>,
    /// What the next receive is told, unless there are records.
    pub(super) error: Option<CallError>,
    /// What was last complained about.
    pub(super) complaint: Option<Reason>,
    /// Measurements that wait for a client.
    pub(super) measures: Vec<Token>,
    /// Settings are being put together, or an earlier client is being closed.
    pub(super) is_busy: bool,
    pub(super) questions: JoinSet<Found>,
}

impl Consumer {
    pub(super) fn new(
        poller: u32,
        shared: Arc<Shared>,
        commands: mpsc::UnboundedReceiver<Command>,
    ) -> Self {
        Self {
            poller,
            shared,
            commands,
            wake: Arc::default(),
            session: None,
            assignment: 0,
            commits: Commits::default(),
            is_pausing: false,
            turn: 0,
            receive: None,
            error: None,
            complaint: None,
            measures: Vec::new(),
            is_busy: false,
            questions: JoinSet::new(),
        }
    }

    /// Runs until nobody can ask for anything any more; then leaves the group.
    pub(super) async fn run(mut self) {
        let mut tick = tokio::time::interval(POLL_INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some(command) => self.take(command),
                    None => break,
                },
                () = self.wake.notified() => {}
                Some(found) = self.questions.join_next() => match found {
                    Ok(found) => self.found(found),
                    Err(error) => std::panic::resume_unwind(error.into_panic()),
                },
                () = waited(&mut self.receive) => self.answer_empty(),
                _ = tick.tick() => {}
            }
            while let Ok(command) = self.commands.try_recv() {
                self.take(command);
            }
            self.step();
        }
        self.withdraw();
        self.close(None);
        while self.questions.join_next().await.is_some() {}
    }

    fn take(&mut self, command: Command) {
        match command {
            Command::Receive(receive) => {
                self.open();
                let deadline = Instant::now() + receive.wait.to_std();
                self.receive = Some((receive, deadline));
            }
            Command::Commit {
                token,
                partition,
                offset,
            } => match &self.session {
                Some(session) if session.has(partition) => {
                    self.commits.ask(Some(token), partition, offset);
                }
                _ => {
                    let result = Err("the partition is not assigned any more".to_owned());
                    self.committed(vec![Answer {
                        token,
                        partition,
                        result,
                    }]);
                }
            },
            Command::Yield { token } => {
                self.give_up_leaving();
                self.send(Event::Done { token });
            }
            Command::Leave { token } => {
                self.withdraw();
                self.close(Some(token));
            }
            Command::Measure { token } => self.measures.push(token),
        }
    }

    fn found(&mut self, found: Found) {
        match found {
            Found::Settings(settings) => {
                self.is_busy = false;
                let (mapping, topic) = (&self.shared.mapping, &self.shared.topic);
                let opened =
                    settings.and_then(|access| Session::open(access, mapping, topic, &self.wake));
                match opened {
                    Ok(session) => self.session = Some(session),
                    Err(error) => self.stopped(error, Some(Reason::Authentication)),
                }
            }
            Found::Starts(assignment, result) if assignment == self.assignment => {
                self.assign(result);
            }
            Found::Starts(..) => {}
            Found::Ends(token, Ok(ends)) => self.send(Event::Measured { token, ends }),
            Found::Ends(token, Err(error)) => {
                let error = call_error("ListOffsets", &error);
                tracing::warn!(mapping = %self.shared.mapping, %error, "the lag could not be measured");
                self.fail(token, error.class);
            }
            Found::Committed(result) => {
                let answers = match self.commits.take_back(&result) {
                    None => self.commits.answered(result),
                    Some(gone) => {
                        self.is_pausing = true;
                        self.questions.spawn(async {
                            tokio::time::sleep(COMMIT_AGAIN).await;
                            Found::Paused
                        });
                        gone
                    }
                };
                self.committed(answers);
            }
            Found::Paused => self.is_pausing = false,
            Found::Closed(token) => {
                self.is_busy = false;
                if let Some(token) = token {
                    self.send(Event::Done { token });
                }
                if self.receive.is_some() {
                    self.open();
                }
            }
        }
    }

    /// Does all that can be done now.
    fn step(&mut self) {
        // A poll may run a callback and return nothing though more is waiting.
        while let Some(session) = &self.session {
            let is_stray = session.poll();
            let happening = session.context().next();
            if is_stray {
                tracing::error!(mapping = %self.shared.mapping, "a record came by the wrong way: joining the group anew");
                self.lose_everything();
                return;
            }
            match happening {
                Some(happening) => self.happened(happening),
                None => break,
            }
        }
        self.notice_loss();
        self.measure();
        self.answer();
        if let Some(session) = &self.session
            && !self.is_pausing
            && let Some(offsets) = self.commits.send()
        {
            // The client says what became of a commit only to whoever waits for it.
            let (consumer, topic) = (session.consumer.clone(), self.shared.topic.clone());
            self.questions.spawn_blocking(move || {
                let result = offsets::commit(&consumer, &topic, &offsets);
                Found::Committed(result)
            });
        }
    }

    fn measure(&mut self) {
        let Some(session) = &self.session else {
            return;
        };
        for token in self.measures.drain(..) {
            let (consumer, shared) = (session.consumer.clone(), self.shared.clone());
            self.questions.spawn_blocking(move || {
                Found::Ends(token, offsets::ends(&consumer, &shared.source.topic))
            });
        }
    }

    fn happened(&mut self, happening: Happening) {
        match happening {
            Happening::Assign(partitions) => {
                let Some(session) = &mut self.session else {
                    return;
                };
                self.assignment += 1;
                let is_nothing = partitions.is_empty();
                session.assigning = Some(partitions);
                match is_nothing {
                    true => self.assign(Ok(Vec::new())),
                    false => self.ask_starts(Duration::ZERO),
                }
            }
            Happening::Revoke {
                partitions,
                is_lost,
            } => self.revoked(partitions, is_lost),
            Happening::Trouble(trouble) => self.trouble(&trouble),
        }
    }

    /// Answers the receive that is waiting, if there is something to say.
    fn answer(&mut self) {
        let Some((receive, _)) = &mut self.receive else {
            return;
        };
        if let Some(session) = &self.session {
            let page = page::take(
                &session.queues,
                &receive.held,
                &mut self.turn,
                receive.records_max,
                std::mem::take(&mut receive.records),
                (&self.shared.shape, &self.shared.keep),
            );
            if !page.ends.is_empty() {
                let token = receive.token;
                self.receive = None;
                return self.send(Event::Fetched { token, page });
            }
            receive.records = page.records;
        }
        if let Some(error) = self.error.take() {
            let token = receive.token;
            self.receive = None;
            tracing::debug!(mapping = %self.shared.mapping, %error, "a receive failed");
            self.fail(token, error.class);
        }
    }

    fn answer_empty(&mut self) {
        if let Some((receive, _)) = self.receive.take() {
            let page = Page {
                records: receive.records,
                ..Page::default()
            };
            let token = receive.token;
            self.send(Event::Fetched { token, page });
        }
    }

    pub(super) fn committed(&self, answers: Vec<Answer>) {
        for answer in answers {
            let token = answer.token;
            match answer.result {
                Ok(()) => self.send(Event::Done { token }),
                Err(error) => {
                    let partition = answer.partition;
                    tracing::warn!(mapping = %self.shared.mapping, partition, error, "an offset was not committed");
                    self.fail(token, FailureClass::Transient);
                }
            }
        }
    }

    pub(super) fn fail(&self, token: Token, class: FailureClass) {
        self.send(Event::Failed { token, class });
    }

    pub(super) fn send(&self, event: Event<Payload>) {
        // A mapping that is gone needs no answer.
        let _ = self.shared.events.send(event);
    }
}

/// Ends when the receive has waited long enough, or the mapping drains.
async fn waited(receive: &mut Option<(Receive, Instant)>) {
    match receive {
        None => std::future::pending().await,
        Some((receive, deadline)) => tokio::select! {
            () = tokio::time::sleep_until(*deadline) => {}
            _ = receive.draining.wait_for(|draining| *draining) => {}
        },
    }
}
