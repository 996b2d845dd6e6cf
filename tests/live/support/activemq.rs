//! An ActiveMQ broker, its queues seen by another AMQP client, and a broker of a test's own.

use super::poller::{Poller, wait_until};
use super::{PATIENCE, server_url, unique};
use fe2o3_amqp::connection::ConnectionHandle;
use fe2o3_amqp::session::SessionHandle;
use fe2o3_amqp::types::messaging::{
    AmqpValue, ApplicationProperties, Body, Data, Header, Message, Properties,
};
use fe2o3_amqp::types::primitives::{Binary, SimpleValue, Timestamp, Value};
use fe2o3_amqp::{Connection, Receiver, Sender, Session};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

pub(crate) const ARN: &str =
    "arn:aws:mq:us-east-1:123456789012:broker:tests:b-9bcfa592-423a-4942-879d-eb284b418fc8";
/// Nobody listens there: what asks AWS although it should not fails at once.
const NO_AWS: &str = "http://127.0.0.1:9";

/// An address and its users.
#[derive(Clone, Debug)]
pub(crate) struct Broker {
    pub(crate) url: String,
    pub(crate) user: String,
    pub(crate) password: String,
}

/// A connection of the test's own.
pub(crate) struct Client {
    // Dropped last: with it the connection ends.
    session: SessionHandle<()>,
    _connection: ConnectionHandle<()>,
}

/// A persistent text message with a property `number`.
pub(crate) fn text(number: usize) -> Message<AmqpValue<String>> {
    let properties = ApplicationProperties::builder()
        .insert("number", SimpleValue::String(number.to_string()))
        .build();
    Message::builder()
        .header(Header::builder().durable(true).build())
        .application_properties(properties)
        .body(AmqpValue(format!("message-{number}")))
        .build()
}

/// A bytes message with everything that a message can carry.
pub(crate) fn bytes(data: &[u8]) -> Message<Data> {
    let properties = Properties::builder()
        .message_id("ID:tides-1:1:1:1".to_owned())
        .correlation_id("correlated".to_owned())
        .reply_to("queue://answers".to_owned())
        .subject("tide")
        .creation_time(Timestamp::from(1_700_000_000_123))
        .absolute_expiry_time(Timestamp::from(4_102_444_800_000))
        .build();
    let own = ApplicationProperties::builder()
        .insert("high", SimpleValue::Bool(true))
        .insert("feet", SimpleValue::Int(-7))
        .insert("name", SimpleValue::String("Fundy \"Bay\"".to_owned()))
        .build();
    Message::builder()
        .header(Header::builder().durable(false).priority(7).build())
        .properties(properties)
        .application_properties(own)
        .body(Data(Binary::from(data.to_vec())))
        .build()
}

impl Broker {
    /// The one that `scripts/servers` keeps.
    pub(crate) fn shared() -> Self {
        Self {
            url: server_url("TIDEGATE_TEST_ACTIVEMQ_URL"),
            user: server_url("TIDEGATE_TEST_ACTIVEMQ_USER"),
            password: server_url("TIDEGATE_TEST_ACTIVEMQ_PASSWORD"),
        }
    }

    /// The secret of its user.
    pub(crate) fn secret(&self) -> String {
        serde_json::json!({"username": self.user, "password": self.password}).to_string()
    }

    /// A poller of `queue` whose login is in its folder, with further lines for its mapping.
    pub(crate) fn poller(&self, queue: &str, mapping: &str) -> Poller {
        let url = &self.url;
        let lines = format!(
            "broker = \"activemq\"\nendpoint_url = \"{url}\"\nQueues = [\"{queue}\"]\n\
             backoff_first = \"20ms\"\nbackoff_max = \"500ms\"\n\
             SourceAccessConfigurations = [{{ Type = \"BASIC_AUTH\", URI = \"file:login.json\" }}, \
             {{ Type = \"SERVER_ROOT_CA_CERTIFICATE\", URI = \"file:ca.json\" }}]\n{mapping}"
        );
        let poller = Poller::new(ARN, NO_AWS.to_owned(), &lines);
        std::fs::write(poller.path("login.json"), self.secret()).expect("a login is written");
        let ca = std::fs::read_to_string(server_url("TIDEGATE_TEST_ACTIVEMQ_CA"));
        let ca = serde_json::json!({ "certificate": ca.expect("a certificate") });
        std::fs::write(poller.path("ca.json"), ca.to_string()).expect("a certificate is written");
        poller
    }

    pub(crate) async fn client(&self) -> Client {
        let url = self.url.replacen(
            "amqp://",
            &format!("amqp://{}:{}@", self.user, self.password),
            1,
        );
        let mut connection = Connection::open(unique("test"), url.as_str())
            .await
            .expect("the broker answers");
        let session = Session::begin(&mut connection).await.expect("a session");
        Client {
            session,
            _connection: connection,
        }
    }
}

impl Client {
    pub(crate) async fn sender(&mut self, queue: &str) -> Sender {
        Sender::attach(&mut self.session, unique("sender"), queue)
            .await
            .expect("the queue takes messages")
    }

    /// Sends the text messages of these numbers.
    pub(crate) async fn send(&mut self, queue: &str, numbers: std::ops::Range<usize>) {
        let mut sender = self.sender(queue).await;
        for number in numbers {
            sender.send(text(number)).await.expect("it is taken");
        }
        sender.close().await.expect("the link ends");
    }

    /// Sends texts without a number.
    pub(crate) async fn send_texts(&mut self, queue: &str, texts: &[String]) {
        let mut sender = self.sender(queue).await;
        for text in texts {
            sender.send(text.clone()).await.expect("it is taken");
        }
        sender.close().await.expect("the link ends");
    }

    /// Takes everything out of a queue. What is delivered to another consumer at the moment is not in it.
    pub(crate) async fn drain(&mut self, queue: &str) -> Vec<Message<Body<Value>>> {
        const LAST: &str = "the last message";
        let mut sender = self.sender(queue).await;
        sender.send(LAST.to_owned()).await.expect("it is taken");
        sender.close().await.expect("the link ends");
        let mut receiver = Receiver::attach(&mut self.session, unique("receiver"), queue)
            .await
            .expect("the queue gives messages");
        let mut found = Vec::new();
        loop {
            let delivery = tokio::time::timeout(PATIENCE, receiver.recv::<Body<Value>>()).await;
            let delivery = delivery.expect("in time").expect("a message");
            receiver.accept(&delivery).await.expect("it is settled");
            let message = delivery.into_message();
            if text_of(&message) == LAST {
                receiver.close().await.expect("the link ends");
                return found;
            }
            found.push(message);
        }
    }
}

/// What `text` numbered it.
pub(crate) fn number_of(message: &Message<Body<Value>>) -> Option<usize> {
    let properties = message.application_properties.as_ref()?;
    match properties.0.get("number")? {
        SimpleValue::String(number) => number.parse().ok(),
        _ => None,
    }
}

/// Sends a text message as a client of another protocol, with a property `tide`.
pub(crate) fn send_by_stomp(queue: &str, text: &str) {
    let address = server_url("TIDEGATE_TEST_ACTIVEMQ_STOMP");
    let (user, password) = (Broker::shared().user, Broker::shared().password);
    let mut stream = TcpStream::connect(address).expect("the broker listens");
    stream
        .set_read_timeout(Some(PATIENCE))
        .expect("a time limit");
    let frames = format!(
        "CONNECT\naccept-version:1.2\nhost:localhost\nlogin:{user}\npasscode:{password}\n\n\0\
         SEND\ndestination:/queue/{queue}\npersistent:true\ntide:high\n\n{text}\0\
         DISCONNECT\nreceipt:sent\n\n\0"
    );
    stream.write_all(frames.as_bytes()).expect("it is sent");
    // The answer to the last frame means that the one before it was taken.
    let mut answer = String::new();
    let mut reader = BufReader::new(stream);
    while !answer.contains("receipt-id:sent") {
        let read = reader.read_line(&mut answer).expect("an answer");
        assert!(read > 0 && !answer.contains("ERROR"), "{answer}");
    }
}

/// The text of a text message.
pub(crate) fn text_of(message: &Message<Body<Value>>) -> &str {
    match &message.body {
        Body::Value(AmqpValue(Value::String(text))) => text,
        _ => "",
    }
}

/// A broker that a test stops and starts; it is killed when it is dropped.
pub(crate) struct OwnBroker {
    folder: tempfile::TempDir,
    ports: [u16; 3],
    child: Option<Child>,
    pub(crate) broker: Broker,
}

impl OwnBroker {
    pub(crate) fn start() -> Self {
        // Held together, so that they differ.
        let held: Vec<TcpListener> = (0..3)
            .map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port"))
            .collect();
        let port = |index: usize| held[index].local_addr().expect("an address").port();
        let ports = [port(0), port(1), port(2)];
        drop(held);
        let mut own = Self {
            folder: tempfile::tempdir().expect("a folder"),
            ports,
            child: None,
            broker: Broker {
                url: format!("amqp://127.0.0.1:{}", ports[0]),
                ..Broker::shared()
            },
        };
        own.start_again();
        own
    }

    /// Starts it on what it had stored.
    pub(crate) fn start_again(&mut self) {
        let program = PathBuf::from(server_url("TIDEGATE_TEST_ACTIVEMQ_BROKER"));
        let log = std::fs::File::create(self.path("log")).expect("a log");
        let child = Command::new(program)
            .arg(self.folder.path())
            .args(self.ports.map(|port| port.to_string()))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn()
            .expect("the broker starts");
        self.child = Some(child);
        // The connectors start one after the other, and this is the last.
        wait_until("the broker", || {
            TcpStream::connect(("127.0.0.1", self.ports[2])).ok()
        });
    }

    /// Ends it without a chance to do anything (SIGKILL).
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it still ran");
            child.wait().expect("it ended");
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::join(self.folder.path(), name)
    }
}

impl Drop for OwnBroker {
    fn drop(&mut self) {
        self.kill();
    }
}
