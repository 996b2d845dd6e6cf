//! One poller's connection to the broker: a task that receives, grants credit and tells what became of messages.

use super::message::is_for_functions;
use super::server::{Server, denied, refused, transient};
use crate::engine::limits::ACTIVEMQ_REDELIVERIES_MAX;
use crate::source::CallError;
use crate::source::broker::BrokerPlace;
use fe2o3_amqp::connection::ConnectionHandle;
use fe2o3_amqp::link::delivery::DeliveryInfo;
use fe2o3_amqp::link::receiver::CreditMode;
use fe2o3_amqp::link::{LinkStateError, Receiver, ReceiverAttachError, RecvError};
use fe2o3_amqp::session::SessionHandle;
use fe2o3_amqp::types::messaging::{Accepted, Body, Message, Modified, Rejected};
use fe2o3_amqp::types::primitives::Value;
use fe2o3_amqp::{Delivery, Session};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// How long the broker may take for anything but a message.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);
/// How long saying good-bye may take.
const CLOSE_TIME_MAX: Duration = Duration::from_secs(2);

/// A message as the broker sent it.
#[derive(Debug)]
pub(super) struct Arrived {
    /// Names the delivery on this connection.
    pub(super) delivery: u32,
    pub(super) message: Message<Body<Value>>,
}

/// What becomes of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// They are done.
    Accept,
    /// They are to be delivered again, or go where the broker puts what failed too often.
    GiveBack,
}

/// What the task is told.
#[derive(Debug)]
pub(super) enum Command {
    /// That many messages more are wanted than have been handed over.
    Want { messages: u32, again: bool },
    /// What became of messages; those that this connection did not deliver are passed over.
    Settle {
        deliveries: Vec<u32>,
        verdict: Verdict,
        done: oneshot::Sender<Result<(), CallError>>,
    },
}

/// The poller's end of the task. Dropping it ends the task, which then says good-bye to the broker.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) arrivals: mpsc::UnboundedReceiver<Result<Arrived, CallError>>,
    pub(super) commands: mpsc::UnboundedSender<Command>,
    /// Ends when the broker was told good-bye, or is gone.
    pub(super) task: JoinHandle<()>,
}

/// Connects to the queue; `id` is no other connection's.
pub(super) async fn open(place: &BrokerPlace, id: String) -> Result<Link, CallError> {
    let server = Server::find(place).await?;
    let mut connection = server.connect(id.clone()).await?;
    let queue = place.queue.as_str();
    let attaching = async {
        let session = Session::begin(&mut connection).await;
        let mut session = session.map_err(|error| transient(error.to_string()))?;
        let receiver = Receiver::builder()
            .name(id)
            .source(format!("queue://{queue}"))
            .credit_mode(CreditMode::Manual)
            .attach(&mut session)
            .await
            .map_err(|error| not_attached(queue, &error))?;
        Ok((session, receiver))
    };
    let attached = match tokio::time::timeout(ANSWER_TIME_MAX, attaching).await {
        Ok(attached) => attached,
        Err(_) => Err(transient(format!("no answer for the queue `{queue}`"))),
    };
    let (session, receiver) = match attached {
        Ok(attached) => attached,
        Err(error) => {
            let _ = tokio::time::timeout(CLOSE_TIME_MAX, connection.close()).await;
            return Err(error);
        }
    };
    // What waits in it is bounded by the credit that was granted.
    let (arriving, arrivals) = mpsc::unbounded_channel();
    let (commands, commanded) = mpsc::unbounded_channel();
    let worker = Worker {
        connection,
        session,
        receiver,
        unsettled: BTreeMap::new(),
        expected: 0,
        arriving,
    };
    let task = tokio::spawn(worker.run(commanded));
    Ok(Link {
        arrivals,
        commands,
        task,
    })
}

fn not_attached(queue: &str, error: &ReceiverAttachError) -> CallError {
    match error {
        ReceiverAttachError::RemoteClosedWithError(error) => {
            let refusal = refused(error);
            CallError {
                text: format!("the queue `{queue}`: {}", refusal.text),
                ..refusal
            }
        }
        // The broker names no source in its answer, and hangs up without a word of why.
        ReceiverAttachError::IncomingSourceIsNone | ReceiverAttachError::ExpectImmediateDetach => {
            denied(format!("the broker refused the queue `{queue}`"))
        }
        error => transient(format!("the queue `{queue}`: {error}")),
    }
}

/// Rule `activemq-redelivery`: what is given back counts as a failed delivery, and is rejected after as many redeliveries as
/// ActiveMQ's own clients allow. The broker does not count by itself: it sends what is modified again without end, and
/// hands what is rejected to its redelivery plugin, if it has one, or its dead-letter queue.
const fn is_spent(redeliveries: u32) -> bool {
    redeliveries >= ACTIVEMQ_REDELIVERIES_MAX
}

struct Unsettled {
    info: DeliveryInfo,
    /// How often it was delivered before.
    redeliveries: u32,
}

struct Worker {
    connection: ConnectionHandle<()>,
    session: SessionHandle<()>,
    receiver: Receiver,
    unsettled: BTreeMap<u32, Unsettled>,
    /// Messages that were asked for and did not come yet.
    expected: u32,
    arriving: mpsc::UnboundedSender<Result<Arrived, CallError>>,
}

impl Worker {
    async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>) {
        let result = loop {
            let result = tokio::select! {
                biased;
                command = commands.recv() => match command {
                    Some(command) => self.obey(command).await,
                    None => break Ok(()),
                },
                received = self.receiver.recv::<Body<Value>>() => match received {
                    Ok(delivery) => self.hand_over(delivery).await,
                    Err(error) => self.not_received(error).await,
                },
            };
            if result.is_err() {
                break result;
            }
        };
        match result {
            Err(error) => {
                // Nobody is left to tell when the poller is gone.
                let _ = self.arriving.send(Err(error));
            }
            Ok(()) => {
                let closing = async {
                    let _ = self.receiver.close().await;
                    let _ = self.session.end().await;
                    let _ = self.connection.close().await;
                };
                let _ = tokio::time::timeout(CLOSE_TIME_MAX, closing).await;
            }
        }
    }

    async fn obey(&mut self, command: Command) -> Result<(), CallError> {
        match command {
            Command::Want { messages, again } => self.want(messages, again).await,
            Command::Settle {
                deliveries,
                verdict,
                done,
            } => {
                let settling = self.settle(deliveries, verdict);
                let result = match tokio::time::timeout(ANSWER_TIME_MAX, settling).await {
                    Ok(result) => result,
                    Err(_) => Err(transient("no answer to what became of messages".to_owned())),
                };
                // A mapping that is gone needs no answer.
                let _ = done.send(result.clone());
                result
            }
        }
    }

    /// Grants credit.
    ///
    /// The broker counts what is not settled against the credit of the moment, so that much is granted on top; should it
    /// send more than was wanted, that stays here until it is.
    async fn want(&mut self, messages: u32, again: bool) -> Result<(), CallError> {
        if messages <= self.expected && !again {
            return Ok(());
        }
        self.expected = messages;
        let held = u32::try_from(self.unsettled.len()).unwrap_or(u32::MAX);
        let granted = self.receiver.set_credit(held.saturating_add(messages));
        granted.await.map_err(|error| transient(error.to_string()))
    }

    async fn hand_over(&mut self, delivery: Delivery<Body<Value>>) -> Result<(), CallError> {
        self.expected = self.expected.saturating_sub(1);
        if !is_for_functions(delivery.message()) {
            tracing::warn!(
                "a message that is neither text nor bytes was rejected; the broker moves it to its dead-letter queue"
            );
            let rejected = self.receiver.reject(&delivery, None).await;
            return rejected.map_err(|error| transient(error.to_string()));
        }
        let (info, message) = delivery.into_parts();
        let header = message.header.as_ref();
        let redeliveries = header.map_or(0, |header| header.delivery_count);
        let delivery = info.delivery_id();
        self.unsettled
            .insert(delivery, Unsettled { info, redeliveries });
        // Without a receiver the next command is the end.
        let _ = self.arriving.send(Ok(Arrived { delivery, message }));
        Ok(())
    }

    async fn not_received(&mut self, error: RecvError) -> Result<(), CallError> {
        match error {
            RecvError::MessageDecode(error) => {
                tracing::warn!(cause = %error.source, "a message that cannot be read was rejected");
                let rejected = self.receiver.reject(error.info, None).await;
                rejected.map_err(|error| transient(error.to_string()))
            }
            RecvError::LinkStateError(
                LinkStateError::RemoteClosedWithError(error)
                | LinkStateError::RemoteDetachedWithError(error),
            ) => Err(refused(&error)),
            error => Err(transient(format!("the connection was lost: {error}"))),
        }
    }

    async fn settle(&mut self, deliveries: Vec<u32>, verdict: Verdict) -> Result<(), CallError> {
        let known = deliveries.iter().filter_map(|it| self.unsettled.remove(it));
        let (spent, fresh): (Vec<Unsettled>, Vec<Unsettled>) =
            known.partition(|it| is_spent(it.redeliveries));
        let infos = |list: Vec<Unsettled>| list.into_iter().map(|it| it.info).collect::<Vec<_>>();
        let (spent, fresh) = (infos(spent), infos(fresh));
        let receiver = &self.receiver;
        let told = async {
            match verdict {
                Verdict::Accept => {
                    receiver.dispose_all(fresh, Accepted {}).await?;
                    receiver.dispose_all(spent, Accepted {}).await
                }
                Verdict::GiveBack => {
                    let failed = Modified {
                        delivery_failed: Some(true),
                        undeliverable_here: None,
                        message_annotations: None,
                    };
                    receiver.modify_all(fresh, failed).await?;
                    receiver.dispose_all(spent, Rejected { error: None }).await
                }
            }
        };
        told.await.map_err(|error| transient(error.to_string()))?;
        self.heard().await
    }

    /// Waits until the broker has read everything so far: it answers in order, and confirms no settlement by itself.
    async fn heard(&mut self) -> Result<(), CallError> {
        let session = Session::begin(&mut self.connection).await;
        let mut session = session.map_err(|error| transient(error.to_string()))?;
        let ended = session.end().await;
        ended.map_err(|error| transient(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn activemq_redelivery() {
        let fates: Vec<bool> = (0..8).map(is_spent).collect();
        assert_eq!(
            fates,
            [false, false, false, false, false, false, true, true]
        );
    }
}
