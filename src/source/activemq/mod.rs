//! Queues of ActiveMQ Classic, over AMQP 1.0.
//!
//! AWS's own pollers are JMS clients that speak OpenWire. Each poller has a connection of its own here, too: the broker
//! gives back what a connection held when it ends.

mod link;
mod message;
mod server;

use crate::engine::{Meta, Page, Record, Seq, Span, Time, limits};
use crate::poll::Clock;
use crate::poll::encode::ActiveMqShape;
use crate::source::broker::BrokerPlace;
use crate::source::{CallError, Keep, PageBuffer, Payload, Records};
use bytes::Bytes;
use link::{Arrived, Command, Link, Verdict};
use server::transient;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Mutex as AsyncMutex, mpsc, oneshot};

/// A message's JSON beside its data, in bytes; only a guess for the first allocation.
const OVERHEAD_GUESS: usize = 500;

/// A queue of a broker.
#[derive(Debug)]
pub struct ActiveMq {
    place: BrokerPlace,
    clock: Clock,
    consumers: Mutex<BTreeMap<u32, Arc<Consumer>>>,
    /// Numbers connections, so that no receipt of one is taken for another's.
    generation: AtomicU64,
    ordinal: AtomicU64,
}

/// One poller's connection, if it has one.
#[derive(Debug, Default)]
struct Consumer {
    inbox: AsyncMutex<Option<Inbox>>,
    /// The connection that can be told what became of messages.
    outbox: Mutex<Option<(u64, mpsc::UnboundedSender<Command>)>>,
}

#[derive(Debug)]
struct Inbox {
    generation: u64,
    link: Link,
    /// The last receive ended without a message.
    in_vain: bool,
}

/// What names a delivery: the poller, its connection, and the number on that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Receipt {
    poller: u32,
    generation: u64,
    delivery: u32,
}

impl Receipt {
    fn text(self) -> String {
        format!("{}.{}.{}", self.poller, self.generation, self.delivery)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let receipt = Self {
            poller: parts.next()?.parse().ok()?,
            generation: parts.next()?.parse().ok()?,
            delivery: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(receipt)
    }
}

impl ActiveMq {
    /// Gets ready to poll. Nothing is connected yet: that is a poller's first receive.
    pub fn new(place: BrokerPlace, clock: Clock) -> Self {
        Self {
            place,
            clock,
            consumers: Mutex::default(),
            generation: AtomicU64::new(0),
            ordinal: AtomicU64::new(0),
        }
    }

    /// Receives at most `records_max` messages for a poller, waiting up to `wait` for the first one. Those that `keep` does
    /// not admit are rejected: they carry nothing but what acknowledging them takes.
    ///
    /// # Errors
    /// When there is no connection, or none any more: everything that it delivered comes again.
    pub async fn receive(
        &self,
        poller: u32,
        records_max: u32,
        wait: Span,
        records: Records,
        keep: &Keep,
    ) -> Result<Page<Payload>, CallError> {
        let consumer = self.consumer(poller);
        let mut slot = consumer.inbox.lock().await;
        let inbox = match &mut *slot {
            Some(inbox) => inbox,
            None => slot.insert(self.connect(poller, &consumer).await?),
        };
        match inbox.take(records_max, wait).await {
            Ok(arrived) => {
                let generation = inbox.generation;
                Ok(self.page(poller, generation, arrived, records, keep))
            }
            Err(error) => {
                *lock(&consumer.outbox) = None;
                *slot = None;
                Err(error)
            }
        }
    }

    /// Tells the broker that messages are done.
    ///
    /// # Errors
    /// When the connection that delivered them is gone: they come again.
    pub async fn acknowledge(&self, receipts: Vec<String>) -> Result<(), CallError> {
        self.settle(receipts, Verdict::Accept).await
    }

    /// Gives messages back to the broker, which counts the delivery as failed.
    ///
    /// # Errors
    /// When the connection that delivered them is gone: they come again anyway.
    pub async fn release(&self, receipts: Vec<String>) -> Result<(), CallError> {
        self.settle(receipts, Verdict::GiveBack).await
    }

    /// Takes leave of the broker, which gets back what was delivered and not settled.
    pub async fn close(&self) {
        let consumers: Vec<Arc<Consumer>> = lock(&self.consumers).values().cloned().collect();
        for consumer in consumers {
            *lock(&consumer.outbox) = None;
            let inbox = consumer.inbox.lock().await.take();
            if let Some(Inbox { link, .. }) = inbox {
                drop(link.commands);
                // It ends by itself soon; whether well is no matter any more.
                let _ = link.task.await;
            }
        }
    }

    fn consumer(&self, poller: u32) -> Arc<Consumer> {
        lock(&self.consumers).entry(poller).or_default().clone()
    }

    async fn connect(&self, poller: u32, consumer: &Consumer) -> Result<Inbox, CallError> {
        let generation = self.generation.fetch_add(1, Relaxed) + 1;
        // The broker refuses an id that is in use, be it by a connection that it does not know to be dead.
        let id = format!(
            "tidegate-{}-{:x}-{poller}-{generation}",
            std::process::id(),
            self.clock.started().as_nanos()
        );
        let link = link::open(&self.place, id).await?;
        *lock(&consumer.outbox) = Some((generation, link.commands.clone()));
        Ok(Inbox {
            generation,
            link,
            in_vain: false,
        })
    }

    async fn settle(&self, receipts: Vec<String>, verdict: Verdict) -> Result<(), CallError> {
        let mut connections: BTreeMap<(u32, u64), Vec<u32>> = BTreeMap::new();
        for text in &receipts {
            let receipt = Receipt::parse(text)
                .ok_or_else(|| transient(format!("`{text}` is no receipt of this queue")))?;
            let key = (receipt.poller, receipt.generation);
            connections.entry(key).or_default().push(receipt.delivery);
        }
        let mut result = Ok(());
        for ((poller, generation), deliveries) in connections {
            let told = self.tell(poller, generation, deliveries, verdict).await;
            result = result.and(told);
        }
        result
    }

    async fn tell(
        &self,
        poller: u32,
        generation: u64,
        deliveries: Vec<u32>,
        verdict: Verdict,
    ) -> Result<(), CallError> {
        let gone = || transient("the connection that delivered the messages is gone".to_owned());
        let commands = match &*lock(&self.consumer(poller).outbox) {
            Some((current, commands)) if *current == generation => commands.clone(),
            _ => return Err(gone()),
        };
        let (done, answer) = oneshot::channel();
        let command = Command::Settle {
            deliveries,
            verdict,
            done,
        };
        commands.send(command).map_err(|_| gone())?;
        answer.await.unwrap_or_else(|_| Err(gone()))
    }

    fn page(
        &self,
        poller: u32,
        generation: u64,
        arrived: Vec<Arrived>,
        mut records: Records,
        keep: &Keep,
    ) -> Page<Payload> {
        let now = self.clock.now();
        let now_millis = now.as_millis();
        let mut buffer = PageBuffer::with_capacity(arrived.len() * OVERHEAD_GUESS);
        let mut rejected = Records::new();
        for Arrived { delivery, message } in arrived {
            let mut whole = Vec::new();
            let encoded = message::view(&message, &self.place.queue, now_millis, &mut whole)
                .and_then(|view| {
                    keep.push(&mut buffer, Some(view.data), |out| {
                        ActiveMqShape::encode(out, &view);
                    })
                });
            let meta = Meta {
                seq: Seq::from(self.ordinal.fetch_add(1, Relaxed)),
                group: 0,
                arrival: message::sent_at(&message).map_or(now, Time::from_millis),
                wire_len: encoded.unwrap_or(0),
            };
            let receipt = Receipt {
                poller,
                generation,
                delivery,
            };
            let payload = Payload {
                json: Bytes::new(),
                receipt: receipt.text(),
            };
            let list = match encoded {
                Some(_) => &mut records,
                None => &mut rejected,
            };
            list.push(Record { meta, payload });
        }
        buffer.hand_out(&mut records);
        Page {
            records,
            rejected,
            ..Page::default()
        }
    }
}

impl Inbox {
    /// At least one message within `wait`, or none; no more than `records_max`, or than events can hold.
    async fn take(&mut self, records_max: u32, wait: Span) -> Result<Vec<Arrived>, CallError> {
        let buffered = u32::try_from(self.link.arrivals.len()).unwrap_or(u32::MAX);
        if self.link.commands.is_closed() {
            return Err(self.cause());
        }
        if buffered < records_max {
            let want = Command::Want {
                messages: records_max - buffered,
                again: self.in_vain,
            };
            if self.link.commands.send(want).is_err() {
                return Err(self.cause());
            }
        }
        let first = tokio::time::timeout(wait.to_std(), self.link.arrivals.recv()).await;
        self.in_vain = first.is_err();
        let (mut taken, mut bytes) = (Vec::new(), 0);
        let mut next = first.ok();
        while let Some(arrival) = next {
            match arrival {
                Some(Ok(arrived)) => {
                    bytes += message::length(&arrived.message);
                    taken.push(arrived);
                }
                Some(Err(error)) => return Err(error),
                None => return Err(self.cause()),
            }
            let is_full = taken.len() >= records_max as usize || bytes >= limits::EVENT_BYTES_MAX;
            next = match is_full {
                true => None,
                false => self.link.arrivals.try_recv().ok().map(Some),
            };
        }
        Ok(taken)
    }

    /// Why the connection ended. Messages before that come again.
    fn cause(&mut self) -> CallError {
        while let Ok(arrival) = self.link.arrivals.try_recv() {
            if let Err(error) = arrival {
                return error;
            }
        }
        transient("the connection was lost".to_owned())
    }
}

/// Nothing panics while it holds one of these locks.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
