//! One connection with one channel and one consumer.

use crate::engine::FailureClass;
use crate::source::CallError;
use crate::source::broker::{BrokerPlace, secret_failed};
use lapin::options::{BasicConsumeOptions, BasicQosOptions};
use lapin::tcp::OwnedTLSConfig;
use lapin::types::FieldTable;
use lapin::types::ShortString;
use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};
use lapin::{
    Channel, Connection, ConnectionProperties, Consumer, DefaultConnectionBuilder, ErrorKind,
};
use std::time::Duration;

/// How long everything from the name of the host to the first delivery may take. The library does not notice that a broker
/// hangs up while it is greeted, so this is also what a broker costs that is just being restarted.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the broker may take to say good-bye.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// Seconds between signs of life; two that are missed mean that the connection is dead.
const HEARTBEAT_SECS: u16 = 10;

/// What was opened for a poller.
pub(super) struct Link {
    pub(super) connection: Connection,
    pub(super) channel: Channel,
    pub(super) consumer: Consumer,
}

/// Opens a connection and consumes the queue, with at most `prefetch` messages that are not acknowledged.
///
/// # Errors
/// Refused logins, and queues and virtual hosts that are not there, are [`FailureClass::Denied`].
pub(super) async fn open(place: &BrokerPlace, prefetch: u16) -> Result<Link, CallError> {
    let credentials = place.credentials().await;
    let credentials = credentials.map_err(|error| secret_failed("Connect", &error))?;
    let uri = AMQPUri {
        scheme: match place.url.is_tls {
            true => AMQPScheme::AMQPS,
            false => AMQPScheme::AMQP,
        },
        authority: AMQPAuthority {
            userinfo: AMQPUserInfo {
                username: credentials.login.username.expose().to_owned(),
                password: credentials.login.password.expose().to_owned(),
            },
            host: place.url.host.clone(),
            port: place.url.port,
        },
        vhost: place.virtual_host.clone(),
        query: AMQPQueryString {
            heartbeat: Some(HEARTBEAT_SECS),
            ..AMQPQueryString::default()
        },
    };
    let tls = OwnedTLSConfig {
        identity: None,
        cert_chain: credentials.root_ca.map(|ca| ca.expose().to_owned()),
    };
    let opening = async {
        let connection = DefaultConnectionBuilder::new()
            .map_err(|error| failed("Connect", &error))?
            .with_uri(uri)
            .with_tls_config(tls)
            .with_properties(
                ConnectionProperties::default().with_connection_name("tidegate".into()),
            )
            .connect()
            .await
            .map_err(|error| failed("Connect", &error))?;
        let failed_after = |call| move |error| failed(call, &error);
        let channel = connection.create_channel().await;
        let channel = channel.map_err(failed_after("Channel.Open"))?;
        let qos = channel.basic_qos(prefetch, BasicQosOptions::default());
        qos.await.map_err(failed_after("Basic.Qos"))?;
        let queue = ShortString::try_new(place.queue.clone()).map_err(|_| CallError {
            class: FailureClass::Denied,
            call: "Basic.Consume",
            text: "the name of a RabbitMQ queue has at most 255 bytes".to_owned(),
        })?;
        let consumer = channel
            .basic_consume(
                queue,
                // The broker makes up a tag.
                ShortString::default(),
                BasicConsumeOptions::default(),
                FieldTable::default(),
            )
            .await
            .map_err(failed_after("Basic.Consume"))?;
        Ok(Link {
            connection,
            channel,
            consumer,
        })
    };
    match tokio::time::timeout(CONNECT_TIMEOUT, opening).await {
        Ok(result) => result,
        Err(_) => Err(CallError {
            class: FailureClass::Transient,
            call: "Connect",
            text: format!("{} did not answer for {CONNECT_TIMEOUT:?}", place.url),
        }),
    }
}

/// Closes a connection; what was sent before is with the broker then.
pub(super) async fn close(connection: &Connection) {
    let closing = connection.close(200, "the poller stops".into());
    // One that is gone or does not answer needs no good-bye.
    let _ = tokio::time::timeout(CLOSE_TIMEOUT, closing).await;
}

/// What the engine and the log are told. The broker's texts hold names of queues, hosts and users, never passwords.
pub(super) fn failed(call: &'static str, error: &lapin::Error) -> CallError {
    CallError {
        class: classify(error.kind()),
        call,
        text: error.to_string(),
    }
}

/// What stays wrong until somebody mends it is denied: access refused (403), nothing of that name (404), locked by another
/// (405), no such virtual host (530), a certificate of a stranger.
fn classify(kind: &ErrorKind) -> FailureClass {
    match kind {
        ErrorKind::ProtocolError(error) if matches!(error.get_id(), 403..=405 | 530) => {
            FailureClass::Denied
        }
        ErrorKind::IOError(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            FailureClass::Denied
        }
        ErrorKind::InvalidProtocolVersion(_) => FailureClass::Denied,
        _ => FailureClass::Transient,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lapin::protocol::AMQPError;
    use std::io;

    #[test]
    fn failures_have_their_class() {
        let class = |id| {
            let error = AMQPError::from_id(id, "text".into()).expect("a code of AMQP");
            classify(&ErrorKind::ProtocolError(error))
        };
        for id in [403, 404, 405, 530] {
            assert_eq!(class(id), FailureClass::Denied, "{id}");
        }
        for id in [320, 406, 501, 541] {
            assert_eq!(class(id), FailureClass::Transient, "{id}");
        }
        let io = |kind| {
            classify(&ErrorKind::IOError(std::sync::Arc::new(io::Error::from(
                kind,
            ))))
        };
        assert_eq!(io(io::ErrorKind::InvalidData), FailureClass::Denied);
        assert_eq!(
            io(io::ErrorKind::ConnectionRefused),
            FailureClass::Transient
        );
        assert_eq!(
            classify(&ErrorKind::MissingHeartbeatError),
            FailureClass::Transient
        );
    }
}
