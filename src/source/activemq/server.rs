//! Where a broker listens, and getting there: TCP, TLS, login.

use crate::engine::FailureClass;
use crate::scenario::BrokerUrl;
use crate::source::CallError;
use crate::source::broker::{BrokerPlace, secret_failed};
use crate::source::secret::{Basic, Hidden};
use fe2o3_amqp::Connection;
use fe2o3_amqp::connection::{ConnectionHandle, OpenError};
use fe2o3_amqp::sasl_profile::SaslProfile;
use fe2o3_amqp::types::definitions::{AmqpError, Error, ErrorCondition};
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
const SILENCE_MAX_MILLIS: u32 = 30_000;

/// A broker, and who is to use it.
pub(super) struct Server {
    url: BrokerUrl,
    login: Basic,
    tls: Option<TlsConnector>,
}

impl Server {
    /// Gets ready to connect to where `place` says, with the secrets as they are now.
    pub(super) async fn find(place: &BrokerPlace) -> Result<Self, CallError> {
        let credentials = place.credentials().await;
        let credentials = credentials.map_err(|error| secret_failed("Connect", &error))?;
        let root_ca = credentials.root_ca.as_ref().map(Hidden::expose);
        let tls = place.url.is_tls.then(|| connector(root_ca)).transpose();
        Ok(Self {
            url: place.url.clone(),
            login: credentials.login,
            tls: tls.map_err(denied)?,
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
        let BrokerUrl { host, port, .. } = &self.url;
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
        format!("{}:{}", self.url.host, self.url.port)
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

/// `root_ca`: certificates (PEM) that are trusted beside those of the machine.
fn connector(root_ca: Option<&str>) -> Result<TlsConnector, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(pem) = root_ca {
        let bad = |cause: &dyn std::fmt::Display| {
            format!("the certificate of the private authority cannot be used: {cause}")
        };
        let mut count = 0;
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            let certificate = certificate.map_err(|error| bad(&error))?;
            roots.add(certificate).map_err(|error| bad(&error))?;
            count += 1;
        }
        if count == 0 {
            return Err(bad(&"there is none in the secret"));
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?
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
    fn a_private_authority_needs_a_certificate() {
        for pem in [
            "",
            "nonsense",
            "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n",
        ] {
            let error = connector(Some(pem)).err().expect("no certificate");
            assert!(error.contains("private authority"), "{error}");
        }
        assert!(connector(None).is_ok());
    }
}
