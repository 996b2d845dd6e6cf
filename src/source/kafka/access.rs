//! How a mapping's parameters become librdkafka's settings.

use super::super::CallError;
use super::super::secret::{self, SecretError};
use super::token::Tokens;
use super::trouble::Reason;
use crate::engine::FailureClass;
use crate::scenario::{Aws, KafkaProtocol, KafkaSource, SourceAccess};
use rdkafka::config::ClientConfig;

/// A cluster that this build cannot speak to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KafkaError {
    /// librdkafka was built without OpenSSL.
    #[error(
        "{0} needs TLS, which this build is without: build with `--features kafka-tls` (needs OpenSSL's headers and \
         pkg-config)"
    )]
    NoTls(&'static str),
    /// A type of access that has no client here.
    #[error(
        "{0} is not supported: use BASIC_AUTH, SASL_SCRAM_256_AUTH, SASL_SCRAM_512_AUTH, CLIENT_CERTIFICATE_TLS_AUTH, \
         OAUTHBEARER_AUTH or IAM_AUTH"
    )]
    Access(String),
}

/// Whether TLS, and SCRAM which needs its library, are built in.
const HAS_TLS: bool = cfg!(feature = "kafka-tls");

/// How a client says who it is, with the name that SourceAccessConfigurations gives it and librdkafka's name.
const MECHANISMS: [(&str, &str); 3] = [
    ("BASIC_AUTH", "PLAIN"),
    ("SASL_SCRAM_256_AUTH", "SCRAM-SHA-256"),
    ("SASL_SCRAM_512_AUTH", "SCRAM-SHA-512"),
];
const CLIENT_CERTIFICATE: &str = "CLIENT_CERTIFICATE_TLS_AUTH";
const BEARER: &str = "OAUTHBEARER_AUTH";
const IAM: &str = "IAM_AUTH";
const ROOT_CA: &str = "SERVER_ROOT_CA_CERTIFICATE";

/// What every consumer is told, whatever it reads.
///
/// Positions are stored by the engine's word alone; `read_committed` leaves out what transactions have aborted. A
/// little is fetched ahead for each partition, which are taken from in turn. A member that ends without a word is
/// missed after `session.timeout.ms`. New partitions, and a topic that was missing, are seen after the refresh interval.
const SETTINGS: [(&str, &str); 14] = [
    ("partition.assignment.strategy", "cooperative-sticky"),
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("auto.offset.reset", "earliest"),
    ("isolation.level", "read_committed"),
    ("allow.auto.create.topics", "false"),
    ("queued.max.messages.kbytes", "4096"),
    ("fetch.queue.backoff.ms", "5"),
    ("fetch.wait.max.ms", "100"),
    ("session.timeout.ms", "10000"),
    ("heartbeat.interval.ms", "1000"),
    ("topic.metadata.refresh.interval.ms", "10000"),
    ("reconnect.backoff.max.ms", "2000"),
    ("socket.keepalive.enable", "true"),
];

/// The protocol that the list of accesses asks for, unless the mapping names one.
///
/// Rule `kafka-access-is-tls`: AWS speaks TLS whenever somebody has to prove who they are.
fn protocol(source: &KafkaSource, access: &[SourceAccess]) -> KafkaProtocol {
    let has = |kind: &str| access.iter().any(|entry| entry.kind() == kind);
    let chosen = source.protocol;
    chosen.unwrap_or_else(|| {
        if MECHANISMS.iter().any(|(kind, _)| has(kind)) || has(BEARER) || has(IAM) {
            KafkaProtocol::SaslSsl
        } else if has(CLIENT_CERTIFICATE) || has(ROOT_CA) {
            KafkaProtocol::Ssl
        } else {
            KafkaProtocol::Plaintext
        }
    })
}

/// What can be said before anything is connected.
///
/// # Errors
/// When this build has no client for what the mapping asks for.
pub(super) fn check(source: &KafkaSource, access: &[SourceAccess]) -> Result<(), KafkaError> {
    for entry in access {
        let kind = entry.kind();
        if (kind.starts_with("OAUTHBEARER") || kind.starts_with("IAM_"))
            && kind != BEARER
            && kind != IAM
        {
            return Err(KafkaError::Access(kind.to_owned()));
        }
    }
    if HAS_TLS {
        return Ok(());
    }
    let [_, (sha_256, _), (sha_512, _)] = MECHANISMS;
    let with_openssl = [sha_256, sha_512, BEARER, IAM].into_iter().find(|kind| {
        let mut kinds = access.iter().map(SourceAccess::kind);
        kinds.any(|found| found == *kind)
    });
    match (protocol(source, access), with_openssl) {
        (_, Some(kind)) => Err(KafkaError::NoTls(kind)),
        (KafkaProtocol::Ssl | KafkaProtocol::SaslSsl, None) => {
            Err(KafkaError::NoTls("this mapping's access to Kafka"))
        }
        _ => Ok(()),
    }
}

/// What a client of a cluster is made with.
pub(crate) struct Access {
    /// Holds secrets, of which its own Debug shows keys.
    pub(crate) config: ClientConfig,
    /// For clients that show a token.
    pub(crate) tokens: Option<Tokens>,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tokens = &self.tokens;
        f.debug_struct("Access")
            .field("tokens", tokens)
            .finish_non_exhaustive()
    }
}

/// The settings of one consumer.
///
/// # Errors
/// When a secret cannot be had.
pub(super) async fn settings(
    source: &KafkaSource,
    access: &[SourceAccess],
    aws: &Aws,
) -> Result<Access, CallError> {
    let mut found = reach(source, access, aws).await?;
    for (name, value) in SETTINGS {
        found.config.set(name, value);
    }
    found.config.set("group.id", &source.group);
    Ok(found)
}

/// How any client reaches the cluster; secrets are fetched anew each time, so that a mended one is used.
///
/// # Errors
/// When a secret cannot be had.
pub(crate) async fn reach(
    source: &KafkaSource,
    access: &[SourceAccess],
    aws: &Aws,
) -> Result<Access, CallError> {
    let mut config = ClientConfig::new();
    config.set("client.id", "tidegate");
    config.set("bootstrap.servers", source.servers.join(","));
    config.set("security.protocol", protocol(source, access).name());
    for (kind, mechanism) in MECHANISMS {
        if let Some(uri) = SourceAccess::secret(access, kind) {
            let secret = secret::load(uri, aws).await.map_err(refused)?;
            let basic = secret.basic().map_err(refused)?;
            config.set("sasl.mechanism", mechanism);
            config.set("sasl.username", basic.username.expose());
            config.set("sasl.password", basic.password.expose());
        }
    }
    if let Some(uri) = SourceAccess::secret(access, CLIENT_CERTIFICATE) {
        let secret = secret::load(uri, aws).await.map_err(refused)?;
        let client = secret.client_certificate().map_err(refused)?;
        config.set("ssl.certificate.pem", client.certificate.expose());
        config.set("ssl.key.pem", client.private_key.expose());
        if let Some(password) = &client.private_key_password {
            config.set("ssl.key.password", password.expose());
        }
    }
    if let Some(uri) = SourceAccess::secret(access, ROOT_CA) {
        let secret = secret::load(uri, aws).await.map_err(refused)?;
        config.set("ssl.ca.pem", secret.root_ca().map_err(refused)?.expose());
    }
    let tokens = match SourceAccess::secret(access, BEARER) {
        Some(uri) => Some(Tokens::Secret {
            uri: uri.clone(),
            aws: aws.clone(),
        }),
        None => access.iter().any(|entry| entry.kind() == IAM).then(|| {
            let arn = source.arn.as_ref();
            Tokens::Iam {
                region: arn.map(|arn| arn.region.clone()),
                aws: aws.clone(),
            }
        }),
    };
    if tokens.is_some() {
        config.set("sasl.mechanism", "OAUTHBEARER");
    }
    Ok(Access { config, tokens })
}

/// A secret that is missing or makes no sense is a matter of who the client is; one that is out of reach may pass.
fn refused(error: SecretError) -> CallError {
    let class = match &error {
        SecretError::Call { cause, .. } => cause.class,
        _ => FailureClass::Denied,
    };
    let text = match class {
        FailureClass::Denied => format!("{}: {error}", Reason::Authentication.name()),
        FailureClass::Transient | FailureClass::Throttled => error.to_string(),
    };
    CallError {
        class,
        call: "Kafka",
        text,
    }
}

#[cfg(test)]
#[path = "access_tests.rs"]
mod tests;
