//! RabbitMQ from outside: queues of a test's own, what is in them, and pollers of them.

use super::poller::Poller;
use super::{eventually, server_url, unique};
use lapin::options::{
    BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::uri::{AMQPAuthority, AMQPUri, AMQPUserInfo};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, DefaultConnectionBuilder};
use std::process::Command;

const ARN: &str =
    "arn:aws:mq:us-east-1:123456789012:broker:tests:b-9bcfa592-423a-4942-879d-eb284b418fc8";
/// Nobody listens there: what asks AWS although it should not fails at once.
const NO_AWS: &str = "http://127.0.0.1:9";

/// The address of the broker without TLS.
pub(crate) fn url() -> String {
    server_url("TIDEGATE_TEST_RABBITMQ_URL")
}

/// What `BASIC_AUTH` names, with another password if one is given.
pub(crate) fn login(password: Option<&str>) -> String {
    let right = server_url("TIDEGATE_TEST_RABBITMQ_PASSWORD");
    serde_json::json!({
        "username": server_url("TIDEGATE_TEST_RABBITMQ_USER"),
        "password": password.unwrap_or(&right),
    })
    .to_string()
}

/// Runs `rabbitmqctl` on the broker and returns what it prints.
pub(crate) async fn ctl(arguments: &[&str]) -> String {
    let program = server_url("TIDEGATE_TEST_RABBITMQ_CTL");
    let arguments: Vec<String> = arguments.iter().map(|&word| word.to_owned()).collect();
    let run = move || Command::new(program).args(arguments).output();
    let output = tokio::task::spawn_blocking(run)
        .await
        .unwrap()
        .expect("rabbitmqctl runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// Tests share the broker; one that stops it waits until the others are through, and they wait for it.
pub(crate) static BROKER: tokio::sync::RwLock<()> = tokio::sync::RwLock::const_new(());

/// A queue of the test's own.
pub(crate) struct Rabbit {
    pub(crate) name: String,
    pub(crate) host: String,
    _connection: Connection,
    pub(crate) channel: Channel,
}

async fn connection(host: &str) -> Connection {
    let (server, port) = url()
        .strip_prefix("amqp://")
        .and_then(|rest| rest.split_once(':'))
        .map(|(server, port)| (server.to_owned(), port.parse().expect("a port")))
        .expect("an address with a port");
    let uri = AMQPUri {
        authority: AMQPAuthority {
            userinfo: AMQPUserInfo {
                username: server_url("TIDEGATE_TEST_RABBITMQ_USER"),
                password: server_url("TIDEGATE_TEST_RABBITMQ_PASSWORD"),
            },
            host: server,
            port,
        },
        vhost: host.to_owned(),
        ..AMQPUri::default()
    };
    let builder = DefaultConnectionBuilder::new().unwrap().with_uri(uri);
    let builder = builder.with_properties(ConnectionProperties::default());
    builder.connect().await.expect("a connection to RabbitMQ")
}

impl Rabbit {
    /// A durable classic queue in the virtual host `/`.
    pub(crate) async fn create() -> Self {
        Self::create_with("/", &[]).await
    }

    /// A durable queue with arguments.
    pub(crate) async fn create_with(host: &str, arguments: &[(&str, AMQPValue)]) -> Self {
        let rabbit = Self::absent(host).await;
        rabbit.declare(arguments).await;
        rabbit
    }

    /// A name and a connection, and no queue yet.
    pub(crate) async fn absent(host: &str) -> Self {
        let connection = connection(host).await;
        let channel = connection.create_channel().await.expect("a channel");
        let confirms = channel.confirm_select(ConfirmSelectOptions::default());
        confirms.await.expect("confirms");
        Self {
            name: unique("queue"),
            host: host.to_owned(),
            _connection: connection,
            channel,
        }
    }

    pub(crate) async fn declare(&self, arguments: &[(&str, AMQPValue)]) {
        let mut table = FieldTable::default();
        for (name, value) in arguments {
            table.insert((*name).into(), value.clone());
        }
        let options = QueueDeclareOptions {
            durable: true,
            ..QueueDeclareOptions::default()
        };
        let queue = self
            .channel
            .queue_declare(self.name.as_str().into(), options, table);
        queue.await.expect("a queue");
    }

    /// Publishes persistent messages and waits until the broker has them.
    pub(crate) async fn publish(&self, bodies: &[String]) {
        let properties = BasicProperties::default().with_delivery_mode(2);
        for body in bodies {
            self.publish_with(body.as_bytes(), properties.clone()).await;
        }
        self.channel.wait_for_confirms().await.expect("confirms");
    }

    /// Publishes a message; [`publish`](Self::publish) waits for it, too.
    pub(crate) async fn publish_with(&self, body: &[u8], properties: BasicProperties) {
        let options = BasicPublishOptions::default();
        let (exchange, queue) = ("".into(), self.name.as_str().into());
        let sent = self
            .channel
            .basic_publish(exchange, queue, options, body, properties);
        drop(sent.await.expect("a message is sent"));
    }

    /// Messages that wait, and messages that are delivered and not acknowledged.
    pub(crate) async fn counts(&self) -> (u64, u64) {
        let columns = ["name", "messages_ready", "messages_unacknowledged"];
        let list = ["list_queues", "-q", "--no-table-headers", "-p", &self.host];
        let text = ctl(&[list.as_slice(), &columns].concat()).await;
        let numbers = text.lines().find_map(|line| line.strip_prefix(&self.name));
        let mut numbers = numbers
            .expect("the queue")
            .split_whitespace()
            .map(str::parse);
        let mut next = || numbers.next().expect("a column").expect("a number");
        (next(), next())
    }

    pub(crate) async fn await_counts(&self, ready: u64, unacknowledged: u64) {
        let what =
            format!("{ready} messages that wait and {unacknowledged} that are not acknowledged");
        eventually(&what, async || {
            (self.counts().await == (ready, unacknowledged)).then_some(())
        })
        .await;
    }

    /// A poller of the queue, with further lines for its mapping.
    pub(crate) fn poller(&self, mapping: &str) -> Poller {
        self.poller_at(&url(), "", mapping)
    }

    /// A poller of the queue behind another address, with further access configurations.
    pub(crate) fn poller_at(&self, url: &str, access: &str, mapping: &str) -> Poller {
        let lines = format!(
            "endpoint_url = \"{url}\"\nQueues = [\"{}\"]\n\
             SourceAccessConfigurations = [\n  {{ Type = \"BASIC_AUTH\", URI = \"file:login.json\" }},\n  \
             {{ Type = \"VIRTUAL_HOST\", URI = \"{}\" }},\n{access}]\n{mapping}",
            self.name, self.host
        );
        let poller = Poller::new(ARN, NO_AWS.to_owned(), &lines).function("timeout = \"60s\"\n");
        std::fs::write(poller.path("login.json"), login(None)).expect("the login is written");
        poller
    }

    /// On a connection of its own again, after the last one was cut.
    pub(crate) async fn again(self) -> Self {
        let name = self.name;
        Self {
            name,
            ..Self::absent(&self.host).await
        }
    }

    pub(crate) async fn delete(&self) {
        let options = QueueDeleteOptions::default();
        let deleted = self
            .channel
            .queue_delete(self.name.as_str().into(), options);
        deleted.await.expect("the queue is deleted");
    }
}
