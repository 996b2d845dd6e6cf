//! RabbitMQ, by AMQP 0-9-1.
//!
//! Each poller has a connection with one channel and one consumer of its own. The broker pushes; how far it pushes ahead of
//! the function is the prefetch count, the credit of the channel (rule `rabbitmq-prefetch`). What is delivered beyond what
//! the engine asked for waits, undecoded, in the client.

mod link;
mod receipt;

use super::broker::BrokerPlace;
use super::{CallError, Keep, PageBuffer, Payload, Records};
use crate::engine::{FailureClass, Meta, Page, Record, Seq, Span, limits, mix};
use crate::poll::Clock;
use crate::poll::encode::{RabbitMqMessage, RabbitMqShape};
use futures_core::Stream;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicNackOptions};
use lapin::{Channel, Connection, Consumer};
use link::{close, failed};
use receipt::{Receipt, Settled};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

/// The broker of one mapping.
#[derive(Debug)]
pub(crate) struct RabbitMq {
    place: BrokerPlace,
    clock: Clock,
    pollers: Mutex<BTreeMap<u32, Arc<Poller>>>,
}

/// What belongs to one poller.
#[derive(Debug, Default)]
struct Poller {
    /// Held while messages are awaited.
    inbox: tokio::sync::Mutex<Inbox>,
    /// The channel of the inbox's consumer, for acknowledgements beside a receive.
    outbox: Mutex<Option<Outbox>>,
}

#[derive(Default)]
struct Inbox {
    consumer: Option<Consumer>,
    /// How many connections this poller has had.
    generation: u64,
    /// Messages that this poller took.
    taken: u64,
}

struct Outbox {
    connection: Connection,
    channel: Channel,
    generation: u64,
    settled: Settled,
}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Inbox({})", self.generation)
    }
}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Outbox({})", self.generation)
    }
}

/// Rule `rabbitmq-prefetch`: one batch that the function has, and the next one, which fills meanwhile. Never more than
/// that is unacknowledged, and so in memory, for a poller.
fn prefetch(batch_size: u32) -> u16 {
    u16::try_from(batch_size.saturating_mul(2)).unwrap_or(u16::MAX)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Done,
    Again,
}

impl RabbitMq {
    pub(super) fn new(place: BrokerPlace, clock: Clock) -> Self {
        Self {
            place,
            clock,
            pollers: Mutex::default(),
        }
    }

    fn poller(&self, poller: u32) -> Arc<Poller> {
        let mut pollers = self.pollers.lock().unwrap_or_else(PoisonError::into_inner);
        pollers.entry(poller).or_default().clone()
    }

    pub(super) async fn receive(
        &self,
        id: u32,
        records_max: u32,
        wait: Span,
        records: Records,
        keep: &Keep,
    ) -> Result<Page<Payload>, CallError> {
        let poller = self.poller(id);
        let mut inbox = poller.inbox.lock().await;
        let inbox = &mut *inbox;
        if inbox.consumer.is_none() {
            let link = link::open(&self.place, prefetch(self.place.batch_size)).await?;
            inbox.generation += 1;
            poller.enter(Outbox {
                connection: link.connection,
                channel: link.channel,
                generation: inbox.generation,
                settled: Settled::default(),
            });
            inbox.consumer = Some(link.consumer);
        }
        let consumer = inbox.consumer.as_mut().expect("connected above");
        match deliveries(consumer, records_max, wait).await {
            Ok(deliveries) => Ok(self.page(id, inbox, deliveries, records, keep)),
            Err(error) => {
                inbox.consumer = None;
                poller.leave();
                Err(error)
            }
        }
    }

    fn page(
        &self,
        poller: u32,
        inbox: &mut Inbox,
        deliveries: Vec<Delivery>,
        mut records: Records,
        keep: &Keep,
    ) -> Page<Payload> {
        let now = self.clock.now();
        let views = deliveries.iter().map(view);
        let length: u64 = views.map(|view| RabbitMqShape::encoded_len(&view)).sum();
        let mut buffer = PageBuffer::with_capacity(usize::try_from(length).unwrap_or(0));
        let mut rejected = Records::new();
        for delivery in &deliveries {
            let view = view(delivery);
            let encoded = keep.push(&mut buffer, Some(view.data), |out| {
                RabbitMqShape::encode(out, &view);
            });
            inbox.taken += 1;
            let receipt = Receipt {
                poller,
                generation: inbox.generation,
                tag: delivery.delivery_tag,
            };
            let record = Record {
                meta: Meta {
                    // Numbers of two pollers must differ, but nobody compares their sizes.
                    seq: Seq::from(mix(u64::from(poller)) ^ inbox.taken),
                    group: 0,
                    arrival: now,
                    wire_len: encoded.unwrap_or(0),
                },
                payload: Payload {
                    json: bytes::Bytes::new(),
                    receipt: receipt.to_string(),
                },
            };
            match encoded {
                Some(_) => records.push(record),
                None => rejected.push(record),
            }
        }
        buffer.hand_out(&mut records);
        Page {
            records,
            rejected,
            ..Page::default()
        }
    }

    pub(super) async fn acknowledge(&self, receipts: &[String]) -> Result<(), CallError> {
        self.settle(receipts, Verdict::Done).await
    }

    pub(super) async fn release(&self, receipts: &[String]) -> Result<(), CallError> {
        self.settle(receipts, Verdict::Again).await
    }

    /// All receipts are of one batch, which one poller gathered. Those of an earlier connection are refused: their tags mean
    /// other messages now, or none.
    async fn settle(&self, receipts: &[String], verdict: Verdict) -> Result<(), CallError> {
        let (call, gone) = match verdict {
            Verdict::Done => ("Basic.Ack", "the broker delivers the messages again"),
            Verdict::Again => ("Basic.Nack", "the broker has the messages back already"),
        };
        let lost = || CallError {
            class: FailureClass::Transient,
            call,
            text: format!("the connection on which they came is gone: {gone}"),
        };
        let receipts: Vec<Receipt> = receipts
            .iter()
            .map(|text| text.parse().expect("receipts come from this file"))
            .collect();
        let Some(first) = receipts.first().copied() else {
            return Ok(());
        };
        let poller = self.poller(first.poller);
        let (channel, words) = {
            let mut outbox = poller.outbox.lock().unwrap_or_else(PoisonError::into_inner);
            let outbox = outbox.as_mut().ok_or_else(lost)?;
            let is_of = |receipt: &Receipt| {
                (receipt.poller, receipt.generation) == (first.poller, outbox.generation)
            };
            if !receipts.iter().all(is_of) {
                return Err(lost());
            }
            let tags = receipts.iter().map(|receipt| receipt.tag).collect();
            (outbox.channel.clone(), outbox.settled.settle(tags))
        };
        for word in words {
            let (tag, multiple) = (word.tag, word.multiple);
            let sent = match verdict {
                Verdict::Done => channel.basic_ack(tag, BasicAckOptions { multiple }).await,
                Verdict::Again => {
                    let requeue = true;
                    let options = BasicNackOptions { multiple, requeue };
                    channel.basic_nack(tag, options).await
                }
            };
            sent.map_err(|error| failed(call, &error))?;
        }
        Ok(())
    }

    pub(super) async fn close(&self) {
        let pollers: Vec<Arc<Poller>> = {
            let pollers = self.pollers.lock().unwrap_or_else(PoisonError::into_inner);
            pollers.values().cloned().collect()
        };
        for poller in pollers {
            if let Some(outbox) = poller.leave() {
                close(&outbox.connection).await;
            }
        }
    }
}

impl Poller {
    fn enter(&self, outbox: Outbox) {
        let mut held = self.outbox.lock().unwrap_or_else(PoisonError::into_inner);
        *held = Some(outbox);
    }

    /// Drops the connection, which closes it.
    fn leave(&self) -> Option<Outbox> {
        let mut outbox = self.outbox.lock().unwrap_or_else(PoisonError::into_inner);
        outbox.take()
    }
}

fn view(delivery: &Delivery) -> RabbitMqMessage<'_> {
    RabbitMqMessage {
        properties: &delivery.properties,
        redelivered: delivery.redelivered,
        data: &delivery.data,
    }
}

/// What the client has, up to `records_max` messages or as much as an event may hold; waits only for the first one.
async fn deliveries(
    consumer: &mut Consumer,
    records_max: u32,
    wait: Span,
) -> Result<Vec<Delivery>, CallError> {
    let mut taken = Vec::new();
    let first = tokio::time::timeout(wait.to_std(), next(consumer));
    let Ok(first) = first.await else {
        return Ok(taken);
    };
    let mut bytes = 0;
    let mut delivery = Some(first?);
    while let Some(one) = delivery {
        bytes += one.data.len() as u64;
        taken.push(one);
        if taken.len() >= records_max as usize || bytes >= limits::EVENT_BYTES_MAX {
            break;
        }
        delivery = ready(consumer).await?;
    }
    Ok(taken)
}

type Item = Option<lapin::Result<Delivery>>;

async fn next(consumer: &mut Consumer) -> Result<Delivery, CallError> {
    understood(poll_fn(|context| Pin::new(&mut *consumer).poll_next(context)).await)
}

/// The next delivery if it is here.
async fn ready(consumer: &mut Consumer) -> Result<Option<Delivery>, CallError> {
    let item = poll_fn(
        |context| match Pin::new(&mut *consumer).poll_next(context) {
            Poll::Ready(item) => Poll::Ready(Some(item)),
            Poll::Pending => Poll::Ready(None),
        },
    );
    item.await.map(understood).transpose()
}

fn understood(item: Item) -> Result<Delivery, CallError> {
    match item {
        Some(Ok(delivery)) => Ok(delivery),
        Some(Err(error)) => Err(failed("Basic.Deliver", &error)),
        None => Err(CallError {
            class: FailureClass::Transient,
            call: "Basic.Deliver",
            text: "the broker ended the consumer: the queue was deleted, or has moved".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rabbitmq_prefetch() {
        assert_eq!([1, 100, 10_000].map(prefetch), [2, 200, 20_000]);
        assert_eq!(prefetch(u32::MAX), u16::MAX);
    }
}
