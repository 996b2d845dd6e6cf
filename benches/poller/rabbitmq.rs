//! RabbitMQ: the poller against a bare consumer with the same prefetch count, one batch at a time.

use crate::bare;
use crate::measure::{Measured, Rounds};
use crate::world::World;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_core::Stream;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
    ConfirmSelectOptions, QueueDeclareOptions, QueuePurgeOptions,
};
use lapin::types::{FieldTable, ShortString};
use lapin::uri::{AMQPAuthority, AMQPUri, AMQPUserInfo};
use lapin::{BasicProperties, Channel, Connection, DefaultConnectionBuilder};
use serde_json::{Value, json};
use std::future::poll_fn;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Instant;
use tidegate::engine::{MappingConfig, Profile, SourceKind, Tuning};
use tidegate::scenario::{Arn, BrokerUrl, MappingSource, SecretUri, SourceAccess};

const ROUNDS: usize = 7;
const MESSAGES: usize = 40_000;
const PAYLOAD_BYTES: usize = 200;
const QUEUE: &str = "tidegate-bench";
const ARN: &str = "arn:aws:mq:us-east-1:123456789012:broker:bench:b-1";

struct Broker {
    url: BrokerUrl,
    user: String,
    password: String,
}

/// Prints a row for each size of batch, or says that there is no server.
pub(crate) async fn run(world: &World) {
    let variable = |name: &str| std::env::var(format!("TIDEGATE_TEST_RABBITMQ_{name}")).ok();
    let (Some(url), Some(user), Some(password)) =
        (variable("URL"), variable("USER"), variable("PASSWORD"))
    else {
        eprintln!("poller: RabbitMQ is skipped, no server");
        return;
    };
    let url = BrokerUrl::parse(&url).expect("an address");
    let broker = Broker {
        url,
        user,
        password,
    };
    let folder = tempfile::tempdir().expect("a folder");
    let login = folder.path().join("login.json");
    let text = json!({ "username": broker.user, "password": broker.password }).to_string();
    std::fs::write(&login, text).expect("the login is written");
    for batch_size in [10, 100] {
        let mut rounds = Rounds::default();
        for _ in 0..ROUNDS {
            broker.fill().await;
            let work = broker.bare(world, batch_size);
            rounds.bare.push(Measured::of(MESSAGES, work).await);
            broker.fill().await;
            let work = broker.poller(world, batch_size, login.clone());
            rounds.poller.push(Measured::of(MESSAGES, work).await);
        }
        rounds.print(&format!("RabbitMQ, batches of {batch_size}, one at a time"));
    }
}

impl Broker {
    async fn connect(&self) -> (Connection, Channel) {
        let uri = AMQPUri {
            authority: AMQPAuthority {
                userinfo: AMQPUserInfo {
                    username: self.user.clone(),
                    password: self.password.clone(),
                },
                host: self.url.host.clone(),
                port: self.url.port,
            },
            ..AMQPUri::default()
        };
        let builder = DefaultConnectionBuilder::new()
            .expect("a runtime")
            .with_uri(uri);
        let connection = builder.connect().await.expect("a connection");
        let channel = connection.create_channel().await.expect("a channel");
        (connection, channel)
    }

    /// Leaves exactly [`MESSAGES`] messages in the queue.
    async fn fill(&self) {
        let (connection, channel) = self.connect().await;
        let declared = channel.queue_declare(
            QUEUE.into(),
            QueueDeclareOptions::default(),
            FieldTable::default(),
        );
        declared.await.expect("a queue");
        let purged = channel.queue_purge(QUEUE.into(), QueuePurgeOptions::default());
        purged.await.expect("an empty queue");
        let confirms = channel.confirm_select(ConfirmSelectOptions::default());
        confirms.await.expect("confirms");
        for _ in 0..MESSAGES {
            let sent = channel.basic_publish(
                "".into(),
                QUEUE.into(),
                BasicPublishOptions::default(),
                &[b'r'; PAYLOAD_BYTES],
                BasicProperties::default().with_content_type("text/plain".into()),
            );
            drop(sent.await.expect("a message is sent"));
        }
        channel.wait_for_confirms().await.expect("confirms");
        connection
            .close(200, "filled".into())
            .await
            .expect("closed");
    }

    /// Takes what is here, up to a batch, invokes, acknowledges it with one word.
    async fn bare(&self, world: &World, batch_size: usize) -> Instant {
        let http = bare::http();
        let (connection, channel) = self.connect().await;
        let prefetch = u16::try_from(2 * batch_size).expect("a small batch");
        let qos = channel.basic_qos(prefetch, BasicQosOptions::default());
        qos.await.expect("a prefetch count");
        let consumer = channel.basic_consume(
            QUEUE.into(),
            ShortString::default(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        );
        let mut consumer = consumer.await.expect("a consumer");
        let mut done = 0;
        while done < MESSAGES {
            let mut messages = Vec::new();
            let mut last = 0;
            while messages.len() < batch_size && done + messages.len() < MESSAGES {
                let next = poll_fn(|context| Pin::new(&mut consumer).poll_next(context)).await;
                let delivery = next.expect("a consumer").expect("a message");
                last = delivery.delivery_tag;
                messages.push(message(&delivery));
            }
            done += messages.len();
            let event = json!({
                "eventSource": "aws:rmq",
                "eventSourceArn": ARN,
                "rmqMessagesByQueue": { format!("{QUEUE}::/"): messages },
            });
            bare::send(&http, &world.function, &event).await;
            let multiple = true;
            let acknowledged = channel.basic_ack(last, BasicAckOptions { multiple });
            acknowledged.await.expect("an acknowledgement");
        }
        let done = Instant::now();
        connection.close(200, "done".into()).await.expect("closed");
        done
    }

    async fn poller(&self, world: &World, batch_size: usize, login: PathBuf) -> Instant {
        let config = MappingConfig {
            batch_size: u32::try_from(batch_size).expect("a small batch"),
            ..MappingConfig::new("bench", SourceKind::RabbitMq)
        };
        let mut arn = Arn::parse(ARN).expect("an ARN");
        arn.kind = SourceKind::RabbitMq;
        let source = MappingSource::Broker {
            arn,
            url: self.url.clone(),
            queue: QUEUE.to_owned(),
        };
        let access = vec![SourceAccess::Secret {
            kind: "BASIC_AUTH".to_owned(),
            uri: SecretUri::File(login),
        }];
        let tuning = Tuning::for_source(Profile::Current, SourceKind::RabbitMq);
        let function = world.function.clone();
        world
            .poll(config, tuning, (source, access), MESSAGES, function)
            .await
    }
}

fn message(delivery: &Delivery) -> Value {
    let properties = &delivery.properties;
    let text = |text: &Option<ShortString>| text.as_ref().map(|text| text.as_str().to_owned());
    json!({
        "basicProperties": {
            "contentType": text(properties.content_type()),
            "deliveryMode": properties.delivery_mode(),
            "priority": properties.priority(),
            "messageId": text(properties.message_id()),
            "bodySize": delivery.data.len(),
        },
        "redelivered": delivery.redelivered,
        "data": STANDARD.encode(&delivery.data),
    })
}
