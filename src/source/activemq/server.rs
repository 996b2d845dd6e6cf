//! Where a broker listens, and getting there: TCP, TLS, login.

use crate::engine::FailureClass;
use crate::source::CallError;
use crate::source::secret::Basic;
use fe2o3_amqp::connection::{ConnectionHandle, OpenError};
use fe2o3_amqp::sasl_profile::SaslProfile;
use fe2o3_amqp::types::definitions::{AmqpError, Error, ErrorCondition};
use fe2o3_amqp::Connection;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// From the first packet to the end of the login.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(15);
/// A broker that says nothing for this long is gone; it is told so, and sends empty frames in between.
const SILENCE_MAX_MILLIS: u32 = 60_000;
const PORT: u16 = 5_672;
const TLS_PORT: u16 = 5_671;

/// What cannot be the address of a broker, or keeps TLS from being used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServerError {
    /// Not an address that AMQP can use.
    #[error("`{0}` is not the address of an ActiveMQ broker; expected amqp://HOST:PORT, amqps://HOST:PORT or amqp+ssl://HOST:PORT")]
    Address(String),
    /// A certificate that is none.
    #[error("the certificate of the private authority cannot be used: {0}")]
    Authority(String),
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

/// A broker's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    host: String,
    port: u16,
    tls: bool,
}

impl Address {
    /// Reads `amqp://`, `amqps://` or Amazon MQ's `amqp+ssl://`, a host and, unless it is the usual one, a port.
    pub(super) fn parse(url: &str) -> Result<Self, ServerError> {
        let bad = || ServerError::Address(url.to_owned());
        let (scheme, rest) = url.split_once("://").ok_or_else(bad)?;
        let tls = match scheme {
            "amqp" => false,
            "amqps" | "amqp+ssl" => true,
            _ => return Err(bad()),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let usual = if tls { TLS_PORT } else { PORT };
        let (host, port) = match rest.strip_prefix('[').map(|rest| rest.split_once(']')) {
            Some(Some((host, ""))) => (host, usual),
            Some(Some((host, port))) => {
                let port = port.strip_prefix(':').ok_or_else(bad)?;
                (host, port.parse().map_err(|_| bad())?)
            }
            Some(None) => return Err(bad()),
            None => match rest.split_once(':') {
                Some((host, port)) => (host, port.parse().map_err(|_| bad())?),
                None => (rest, usual),
            },
        };
        // User names and passwords belong into the secret.
        let is_host = |b: u8| b.is_ascii_alphanumeric() || b".-_:".contains(&b);
        if host.is_empty() || !host.bytes().all(is_host) {
            return Err(bad());
        }
        Ok(Self {
            host: host.to_owned(),
            port,
            tls,
        })
    }
}

/// A broker, and who is to use it.
#[derive(Clone)]
pub(super) struct Server {
    address: Address,
    login: Basic,
    tls: Option<TlsConnector>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Server").field(&self.address).finish()
    }
}

impl Server {
    /// Gets ready to connect. `root_ca`: certificates (PEM) that are trusted instead of the system's.
    pub(super) fn new(url: &str, login: Basic, root_ca: Option<&str>) -> Result<Self, ServerError> {
        let address = Address::parse(url)?;
        let tls = address.tls.then(|| connector(root_ca)).transpose()?;
        Ok(Self {
            address,
            login,
            tls,
        })
    }

    /// Connects and logs in. `id` must be no other connection's.
    pub(super) async fn connect(&self, id: String) -> Result<ConnectionHandle<()>, CallError> {
        match tokio::time::timeout(CONNECT_TIME_MAX, self.open(id)).await {
            Ok(result) => result,
            Err(_) => Err(transient(format!("no answer from {}", self.place()))),
        }
    }

    async fn open(&self, id: String) -> Result<ConnectionHandle<()>, CallError> {
        let Address { host, port, .. } = &self.address;
        let stream = TcpStream::connect((host.as_str(), *port)).await;
        let stream = stream.and_then(|stream| stream.set_nodelay(true).map(|()| stream));
        let stream = stream.map_err(|error| transient(format!("{}: {error}", self.place())))?;
        let builder = Connection::builder()
            .container_id(id)
            .hostname(Some(host.as_str()))
            .sasl_hostname(Some(host.as_str()))
            .idle_time_out(SILENCE_MAX_MILLIS)
            .sasl_profile(SaslProfile::Plain {
                username: self.login.username.expose().to_owned(),
                password: self.login.password.expose().to_owned(),
            });
        // ActiveMQ expects TLS from the first byte on, without AMQP's own prelude to it.
        let opened = match &self.tls {
            None => builder.scheme("amqp").open_with_stream(stream).await,
            Some(connector) => {
                let name = ServerName::try_from(host.clone());
                let name = name.map_err(|error| denied(format!("{host}: {error}")))?;
                let stream = connector.connect(name, stream).await;
                let stream = stream.map_err(|error| self.tls_failed(&error))?;
                builder.scheme("amqp").open_with_stream(stream).await
            }
        };
        opened.map_err(|error| self.not_opened(&error))
    }

    fn place(&self) -> String {
        format!("{}:{}", self.address.host, self.address.port)
    }

    fn tls_failed(&self, error: &io::Error) -> CallError {
        let text = format!("TLS with {}: {error}", self.place());
        match error.kind() {
            // A certificate that is not trusted, or no TLS at all.
            io::ErrorKind::InvalidData => denied(text),
            _ => transient(text),
        }
    }

    fn not_opened(&self, error: &OpenError) -> CallError {
        let place = self.place();
        match error {
            // The answer has no text, and the library's error would show what was sent.
            OpenError::SaslError { .. } => {
                denied(format!("{place} refused the user name or password"))
            }
            OpenError::ProtocolHeaderMismatch(_) => {
                denied(format!("{place} does not speak AMQP 1.0"))
            }
            OpenError::RemoteClosedWithError(error) => CallError {
                text: format!("{place}: {}", said(error)),
                ..refused(error)
            },
            error => transient(format!("{place}: {error}")),
        }
    }
}

fn connector(root_ca: Option<&str>) -> Result<TlsConnector, ServerError> {
    let mut roots = RootCertStore::empty();
    match root_ca {
        Some(pem) => {
            let bad = |error: &dyn std::fmt::Display| ServerError::Authority(error.to_string());
            for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                let certificate = certificate.map_err(|error| bad(&error))?;
                roots.add(certificate).map_err(|error| bad(&error))?;
            }
            if roots.is_empty() {
                return Err(bad(&"there is no certificate in it"));
            }
        }
        None => {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| ServerError::Tls(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// What the broker says of an error, without its Java names.
pub(super) fn said(error: &Error) -> String {
    match &error.description {
        Some(text) => text.clone(),
        None => error.to_string(),
    }
}

/// The class of what the broker refused.
pub(super) fn refused(error: &Error) -> CallError {
    let text = said(error);
    match &error.condition {
        ErrorCondition::AmqpError(
            AmqpError::UnauthorizedAccess | AmqpError::NotFound | AmqpError::InvalidField,
        ) => denied(text),
        _ => transient(text),
    }
}

pub(super) const fn denied(text: String) -> CallError {
    CallError {
        class: FailureClass::Denied,
        call: "Connect",
        text,
    }
}

pub(super) const fn transient(text: String) -> CallError {
    CallError {
        class: FailureClass::Transient,
        call: "Connect",
        text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_three_schemes_and_usual_ports() {
        for (url, host, port, tls) in [
            ("amqp://localhost", "localhost", 5_672, false),
            ("amqp://127.0.0.1:61616/", "127.0.0.1", 61_616, false),
            ("amqps://b-1.mq.eu-west-1.amazonaws.com", "b-1.mq.eu-west-1.amazonaws.com", 5_671, true),
            ("amqp+ssl://b-1.mq.eu-west-1.amazonaws.com:5671", "b-1.mq.eu-west-1.amazonaws.com", 5_671, true),
            ("amqp://[::1]:7", "::1", 7, false),
            ("amqps://[::1]", "::1", 5_671, true),
        ] {
            let host = host.to_owned();
            assert_eq!(Address::parse(url), Ok(Address { host, port, tls }), "{url}");
        }
        for url in [
            "localhost:5672",
            "http://localhost",
            "ssl://localhost:61617",
            "amqp://",
            "amqp://:5672",
            "amqp://host:port",
            "amqp://host:65536",
            "amqp://user:secret@host",
            "amqp://[::1",
            "amqp://[::1]7",
            "amqp://host/path",
        ] {
            assert_eq!(Address::parse(url), Err(ServerError::Address(url.to_owned())), "{url}");
        }
    }

    #[test]
    fn a_private_authority_needs_a_certificate() {
        for pem in ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"] {
            let result = connector(Some(pem));
            assert!(matches!(result, Err(ServerError::Authority(_))), "{pem}");
        }
        assert!(connector(None).is_ok());
    }
}
