//! Starting what the engine decides, and counting what it says.

use crate::engine::response::{QueueAnswer, read_queue};
use crate::engine::{
    Action, BatchId, Effects, Event, Fact, FailureClass, Mapping, Meta, Outcome, Position, Shard,
    ShardId, Span, Time, Token, WindowCall, mix,
};
use crate::poll::board::Panel;
use crate::poll::brokers;
use crate::poll::counters::Counters;
use crate::poll::divert::Outlet;
use crate::poll::feed::{self, Feed, Reader};
use crate::poll::kafka::Partitions;
use crate::poll::leases::{self, Haste, LeaseTable, News};
use crate::poll::observer::Observer;
use crate::poll::record::MappingLog;
use crate::poll::shards::ShardBook;
use crate::poll::store::{OpenWindow, Saving, Store};
use crate::poll::tally::Tally;
use crate::poll::windows::Windows;
use crate::poll::{Clock, Tap, encode};
use crate::source::kafka::Events;
use crate::source::{CallError, Keep, ListedShard, Payload, Records};
use crate::target::{Reply, RequestId, Target};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::Instrument;

/// What a finished task hands to its mapping.
#[derive(Debug)]
pub(crate) enum Input {
    Event(Event<Payload>),
    /// An invocation came to an end; see [`Io::answered`].
    Answered {
        token: Token,
        batch: BatchId,
        window: Option<WindowCall>,
        reply: Reply,
    },
    Shards(Result<Vec<ListedShard>, CallError>),
    /// The lease table answered.
    Lease(leases::Answer),
    /// Progress was refused because the shard's lease is somebody else's.
    Disowned {
        token: Token,
        shard: Arc<str>,
    },
}

/// The outside world of one mapping.
pub(crate) struct Io {
    pub(crate) name: Arc<str>,
    pub(crate) function_name: Arc<str>,
    /// The version that answered last; `$LATEST` until an answer says otherwise.
    pub(crate) executed_version: Arc<str>,
    /// Who is told of records that are given up.
    pub(crate) outlet: Option<Arc<Outlet>>,
    pub(crate) clock: Clock,
    pub(crate) feed: Feed,
    pub(crate) readers: Vec<Reader>,
    pub(crate) keep: Arc<Keep>,
    pub(crate) book: ShardBook,
    pub(crate) windows: Windows,
    pub(crate) target: Arc<Target>,
    pub(crate) store: Arc<Store>,
    pub(crate) counters: Arc<Counters>,
    /// Shows what the mapping is doing.
    pub(crate) panel: Arc<Panel>,
    pub(crate) observer: Option<Observer>,
    pub(crate) tap: Option<Tap>,
    pub(crate) log: Option<MappingLog>,
    /// Calls on their way; one for every unanswered token, plus at most one listing of shards.
    pub(crate) tasks: JoinSet<Input>,
    pub(crate) draining: watch::Sender<bool>,
    pub(crate) tally: Tally,
    /// Kafka: what the consumers say, in order.
    pub(crate) events: Option<Events>,
    pub(crate) partitions: Partitions,
    /// A shard came to its end, so that there may be new ones.
    pub(crate) shard_ended: bool,
    /// Shards are shared with other processes through this table.
    pub(crate) leases: Option<Arc<LeaseTable>>,
    /// Shards that another process waits for: their progress is stored without a pause.
    pub(crate) asked_for: watch::Sender<BTreeSet<ShardId>>,
    /// What became of shards since the driver last looked.
    pub(crate) lease_news: Vec<News>,
    /// Streams: the shards of invocations that are about to start.
    pub(crate) sending: Vec<(Token, ShardId)>,
    /// Mixed into request ids, so that those of two runs differ.
    pub(crate) salt: u64,
}

impl Effects<Payload> for Io {
    fn start(
        &mut self,
        now: Time,
        mapping: &mut Mapping<Payload>,
        action: Action,
    ) -> Option<Event<Payload>> {
        if let Some(log) = &mut self.log {
            log.action(now, &action);
        }
        // What Kafka is told is answered by its consumers.
        let action = self.tell_kafka(mapping, action)?;
        let answer = match action {
            Action::Read {
                token,
                shard,
                from,
                records_max,
            } => self.read(now, mapping.spare_list(), token, shard, from, records_max),
            Action::Receive {
                token,
                poller,
                records_max,
                wait,
                ..
            } => self.receive(now, mapping.spare_list(), token, poller, records_max, wait),
            Action::Invoke {
                token,
                batch,
                window,
                ..
            } => self.invoke(mapping, token, batch, window),
            Action::Divert {
                token,
                batch,
                failure,
            } => self.divert(now, mapping, token, batch, failure),
            Action::Acknowledge { token, batch } => self.acknowledge(mapping, token, batch),
            Action::Release { token, batch } => self.release(mapping, token, batch),
            Action::Yield { token, shards, .. } => {
                assert!(
                    self.leases.is_some(),
                    "{token:?}: shards stay where they are"
                );
                shards.iter().for_each(|id| self.panel.leaves(*id));
                let names = shards.iter().map(|id| self.book.name(*id).clone());
                self.lease_news.extend(names.map(News::Left));
                Some(Event::Done { token })
            }
            Action::Leave { token, .. } | Action::Measure { token } => {
                panic!("{token:?}: this source has no consumer groups")
            }
            Action::Checkpoint {
                token,
                shard,
                delta,
                window,
            } => {
                // Rule `window-state-is-stored`: position and state go together or not at all.
                let window = window.map(|start| OpenWindow {
                    start,
                    state: self.windows.state(shard),
                });
                if let Some(table) = &self.leases {
                    let name = self.book.name(shard).clone();
                    let haste = Haste {
                        shard,
                        asked_for: self.asked_for.subscribe(),
                        draining: self.draining.subscribe(),
                    };
                    let storing = leases::checkpoint(table.clone(), token, name, delta, haste);
                    self.tasks.spawn(storing);
                    return None;
                }
                let shard = self.book.name(shard);
                let saving = self.store.save(&self.name, shard, delta, window);
                self.saved(token, saving)
            }
        };
        if let (Some(log), Some(event)) = (&mut self.log, &answer) {
            log.answer(now, event);
        }
        answer
    }

    fn observe(&mut self, now: Time, fact: Fact) {
        self.count(now, fact);
        let (book, in_hand) = (&self.book, self.tally.outstanding);
        self.panel
            .observe(now, &fact, in_hand, |shard| book.name(shard));
    }
}

impl Io {
    /// Takes in a list of shards and returns what is new in it.
    pub(crate) fn admit(&mut self, listed: &[ListedShard]) -> Vec<Shard> {
        let shards = self.book.admit(listed);
        for shard in &shards {
            let name = self.book.name(shard.id).clone();
            self.panel.begins(shard.id, &name, shard.from);
            if let Some(state) = self.book.take_state(shard.id) {
                self.windows.restore(shard.id, state);
            }
            let reader = self.feed.reader(shard.id.0, &name, &self.keep);
            self.readers.extend(reader);
        }
        shards
    }

    /// Asks for the list of shards, unless it is asked for already.
    pub(crate) fn list_shards(&mut self) {
        if self.tally.listings == 0 {
            self.tally.listings = 1;
            let feed = self.feed.clone();
            self.tasks
                .spawn(async move { Input::Shards(feed.shards().await) });
        }
    }

    fn read(
        &mut self,
        now: Time,
        records: Records,
        token: Token,
        shard: ShardId,
        from: Position,
        records_max: u32,
    ) -> Option<Event<Payload>> {
        match (&self.feed, self.readers.get_mut(shard.0 as usize)) {
            (Feed::Stream { stream, .. }, Some(Reader::Local(reader))) => {
                let page = stream.read(reader, now, from, records_max, records, &self.keep);
                Some(Event::Fetched { token, page })
            }
            (Feed::DynamoDb(dynamodb), Some(Reader::DynamoDb(reader))) => {
                let (dynamodb, reader) = (dynamodb.clone(), reader.clone());
                let name = self.name.clone();
                self.tasks.spawn(async move {
                    let result = dynamodb
                        .read(&reader, now, from, records_max, records)
                        .await;
                    Input::Event(match result {
                        Ok(page) => Event::Fetched { token, page },
                        Err(error) => failed(&name, token, &error),
                    })
                });
                None
            }
            (Feed::Kinesis(kinesis), Some(Reader::Kinesis(reader))) => {
                let (kinesis, reader, name) = (kinesis.clone(), reader.clone(), self.name.clone());
                self.tasks.spawn(async move {
                    let result = kinesis.read(&reader, now, from, records_max, records).await;
                    Input::Event(match result {
                        Ok(page) => Event::Fetched { token, page },
                        Err(error) => failed(&name, token, &error),
                    })
                });
                None
            }
            _ => unreachable!("a queue was told to read a shard"),
        }
    }

    fn receive(
        &mut self,
        now: Time,
        records: Records,
        token: Token,
        poller: u32,
        records_max: u32,
        wait: Span,
    ) -> Option<Event<Payload>> {
        let draining = self.draining.subscribe();
        let keep = self.keep.clone();
        match &self.feed {
            Feed::Queue { queue, shape } => {
                let page = queue.receive(shape, now, records_max, records, &keep);
                if feed::has_messages(&page) || wait == Span::ZERO {
                    return Some(Event::Fetched { token, page });
                }
                let (queue, shape, clock) = (queue.clone(), shape.clone(), self.clock);
                self.tasks.spawn(async move {
                    let page = feed::await_messages(
                        queue,
                        shape,
                        clock,
                        records_max,
                        wait,
                        keep,
                        draining,
                    )
                    .await;
                    Input::Event(Event::Fetched { token, page })
                });
                None
            }
            Feed::Sqs(sqs) => {
                let (sqs, name) = (sqs.clone(), self.name.clone());
                self.tasks.spawn(async move {
                    let result =
                        feed::receive(&sqs, records_max, wait, records, &keep, draining).await;
                    Input::Event(match result {
                        Ok(page) => Event::Fetched { token, page },
                        Err(error) => failed(&name, token, &error),
                    })
                });
                None
            }
            Feed::Broker { broker, .. } => {
                let (broker, name) = (broker.clone(), self.name.clone());
                self.tasks.spawn(async move {
                    let receive = broker.receive(poller, records_max, wait, records, &keep);
                    brokers::received(&name, token, receive, draining).await
                });
                None
            }
            Feed::DynamoDb(_) | Feed::Kafka(_) | Feed::Kinesis(_) | Feed::Stream { .. } => {
                unreachable!("a stream was told to receive messages")
            }
        }
    }

    fn invoke(
        &mut self,
        mapping: &Mapping<Payload>,
        token: Token,
        batch: BatchId,
        window: Option<WindowCall>,
    ) -> Option<Event<Payload>> {
        let records = mapping.batch(batch);
        let request = self.request_id(records.iter().map(|record| &record.meta), window);
        let frame = window.map(|call| self.windows.frame(call, self.book.name(call.shard)));
        let event = match &self.feed {
            Feed::Kafka(kafka) => kafka.shape().event(records),
            Feed::Broker { envelope, .. } => envelope.event(records),
            _ => encode::event(records, frame.as_ref()),
        };
        let (target, name) = (self.target.clone(), self.function_name.clone());
        let span = self.span(token, records, batch, request);
        let tap = self.tap.clone();
        let call = async move {
            tracing::debug!(bytes = event.len(), "invoked");
            let reply = match tap {
                Some(tap) => {
                    let call = target.invoke(&name, request, event.clone());
                    tap.around(event, call).await
                }
                None => target.invoke(&name, request, event).await,
            };
            tracing::debug!(outcome = ?reply.outcome, "ended");
            Input::Answered {
                token,
                batch,
                window,
                reply,
            }
        };
        self.tasks.spawn(call.instrument(span));
        None
    }

    /// What the end of an invocation means to the mapping.
    pub(crate) fn answered(
        &mut self,
        mapping: &Mapping<Payload>,
        token: Token,
        batch: BatchId,
        window: Option<WindowCall>,
        reply: &Reply,
    ) -> Event<Payload> {
        if let Some(version) = &reply.executed_version
            && **version != *self.executed_version
        {
            self.executed_version = Arc::from(version.as_str());
        }
        let outcome = if self.feed.has_shards() {
            self.windows.judge(mapping, batch, window, reply)
        } else {
            let answer = match &self.feed {
                Feed::Kafka(_) => {
                    self.note_function(reply);
                    self.judge_kafka(mapping, batch, reply)
                }
                _ => judge_queue(mapping, batch, reply),
            };
            match answer {
                QueueAnswer::All(outcome) => outcome,
                QueueAnswer::Failed(failed) => return Event::InvokedPartly { token, failed },
            }
        };
        Event::Invoked { token, outcome }
    }

    /// The same for every delivery of a batch: derived from what is in it. The final call of a window may have no
    /// records, so that its window names it.
    pub(crate) fn request_id<'a>(
        &self,
        mut metas: impl ExactSizeIterator<Item = &'a Meta>,
        window: Option<WindowCall>,
    ) -> RequestId {
        let count = metas.len() as u64;
        let first = metas.next().map_or(0, |meta| meta.seq.mixed());
        let last = metas.last().map_or(0, |meta| meta.seq.mixed());
        let window = window.filter(|call| call.is_final).map_or(0, |call| {
            mix(call.start.as_nanos() ^ mix(u64::from(call.shard.0) + 1))
        });
        let high = mix(self.salt ^ window ^ mix(first ^ mix(count)));
        let low = mix(high ^ last);
        RequestId(u128::from(high) << 64 | u128::from(low))
    }

    fn acknowledge(
        &mut self,
        mapping: &Mapping<Payload>,
        token: Token,
        batch: BatchId,
    ) -> Option<Event<Payload>> {
        let records = mapping.batch(batch);
        match &self.feed {
            Feed::Queue { queue, .. } => {
                for record in records {
                    queue.delete(&record.payload.receipt);
                }
                Some(Event::Done { token })
            }
            Feed::Sqs(sqs) => {
                let receipts = records
                    .iter()
                    .map(|record| record.payload.receipt.clone())
                    .collect();
                let (sqs, name) = (sqs.clone(), self.name.clone());
                self.tasks.spawn(async move {
                    Input::Event(match sqs.delete(batch.0, receipts).await {
                        Ok(()) => Event::Done { token },
                        Err(error) => failed(&name, token, &error),
                    })
                });
                None
            }
            Feed::Broker { broker, .. } => {
                let settling =
                    brokers::Verdict::Acknowledge.tell(broker, &self.name, token, records);
                self.tasks.spawn(settling);
                None
            }
            Feed::DynamoDb(_) | Feed::Kafka(_) | Feed::Kinesis(_) | Feed::Stream { .. } => {
                unreachable!("a stream was told to delete messages")
            }
        }
    }

    fn release(
        &mut self,
        mapping: &Mapping<Payload>,
        token: Token,
        batch: BatchId,
    ) -> Option<Event<Payload>> {
        let Feed::Broker { broker, .. } = &self.feed else {
            unreachable!("only brokers take messages back")
        };
        let records = mapping.batch(batch);
        let settling = brokers::Verdict::Release.tell(broker, &self.name, token, records);
        self.tasks.spawn(settling);
        None
    }

    fn saved(&mut self, token: Token, saving: Saving) -> Option<Event<Payload>> {
        let name = self.name.clone();
        match saving {
            Saving::Now(result) => Some(stored(&name, token, result.map_err(|e| e.to_string()))),
            Saving::Later(answer) => {
                self.tasks.spawn(async move {
                    let result = match answer.await {
                        Ok(result) => result.map_err(|error| error.to_string()),
                        Err(_) => Err("the store was closed".to_owned()),
                    };
                    Input::Event(stored(&name, token, result))
                });
                None
            }
        }
    }
}

/// What the answer to an invocation of a queue's mapping means.
fn judge_queue(mapping: &Mapping<Payload>, batch: BatchId, reply: &Reply) -> QueueAnswer {
    if reply.outcome != Outcome::Success {
        return QueueAnswer::All(reply.outcome);
    }
    let reports = mapping.config().report_batch_item_failures;
    let messages = mapping.batch(batch);
    // Most answers name nothing: ids are looked through only when one does.
    let mut numbers: Option<BTreeMap<&str, u32>> = None;
    read_queue(&reply.body, reports, |identifier| {
        let numbers = numbers.get_or_insert_with(|| {
            let ids = messages
                .iter()
                .map(|it| encode::message_id(&it.payload.json));
            let named = ids.zip(0..).filter_map(|(id, number)| Some((id?, number)));
            named.collect()
        });
        numbers.get(identifier).copied()
    })
}

fn stored(mapping: &str, token: Token, result: Result<(), String>) -> Event<Payload> {
    match result {
        Ok(()) => Event::Done { token },
        Err(error) => {
            tracing::error!(mapping, error, "a checkpoint was not stored");
            let class = FailureClass::Transient;
            Event::Failed { token, class }
        }
    }
}

pub(super) fn failed(mapping: &str, token: Token, error: &CallError) -> Event<Payload> {
    match error.class {
        FailureClass::Denied => tracing::error!(mapping, %error, "a call was denied"),
        FailureClass::Throttled | FailureClass::Transient => {
            tracing::warn!(mapping, %error, class = ?error.class, "a call failed");
        }
    }
    let class = error.class;
    Event::Failed { token, class }
}
