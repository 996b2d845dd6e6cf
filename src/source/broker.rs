//! Brokers of Amazon MQ, and brokers that speak their protocols: one consumer for each of a mapping's pollers.

use super::activemq::ActiveMq;
use super::rabbitmq::RabbitMq;
use super::secret::{Basic, Hidden, SecretError, load};
use super::{CallError, Keep, Payload, Records};
use crate::engine::{FailureClass, MappingConfig, Page, SourceKind, Span};
use crate::poll::Clock;
use crate::poll::encode::{ActiveMqShape, Envelope, RabbitMqShape};
use crate::scenario::{Arn, Aws, BrokerUrl, SecretUri, SourceAccess};

/// A broker that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokerError {
    /// User name, password or certificate.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// AWS demands it, so a checked mapping has it.
    #[error("the mapping has no BASIC_AUTH")]
    NoLogin,
    /// A kind of source that is no broker, or has no client here.
    #[error("`{0}` is not a broker that can be polled")]
    Kind(String),
}

/// What a mapping says of its broker.
#[derive(Clone, Debug)]
pub struct BrokerPlace {
    pub(crate) arn: Arn,
    pub(crate) url: BrokerUrl,
    pub(crate) queue: String,
    /// VIRTUAL_HOST, RabbitMQ only.
    pub(crate) virtual_host: String,
    /// BatchSize: what a poller asks for at most.
    pub(crate) batch_size: u32,
    login: SecretUri,
    root_ca: Option<SecretUri>,
    aws: Aws,
}

/// What is needed to be let in.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    pub(crate) login: Basic,
    /// The private authority that signed the broker's certificate, PEM; beside those that the machine trusts.
    pub(crate) root_ca: Option<Hidden>,
}

/// The broker of one mapping.
#[derive(Debug)]
pub(crate) enum Broker {
    ActiveMq(ActiveMq),
    RabbitMq(RabbitMq),
}

impl BrokerPlace {
    /// What a broker's mapping says, taken together.
    ///
    /// # Errors
    /// When it has no BASIC_AUTH.
    pub fn new(
        arn: &Arn,
        url: &BrokerUrl,
        queue: &str,
        access: &[SourceAccess],
        config: &MappingConfig,
        aws: &Aws,
    ) -> Result<Self, BrokerError> {
        Ok(Self {
            arn: arn.clone(),
            url: url.clone(),
            queue: queue.to_owned(),
            virtual_host: SourceAccess::plain(access, "VIRTUAL_HOST")
                .unwrap_or("/")
                .to_owned(),
            batch_size: config.batch_size,
            login: SourceAccess::secret(access, "BASIC_AUTH")
                .ok_or(BrokerError::NoLogin)?
                .clone(),
            root_ca: SourceAccess::secret(access, "SERVER_ROOT_CA_CERTIFICATE").cloned(),
            aws: aws.clone(),
        })
    }

    /// Fetches the secrets. Called before every connection, so that changed ones are used without a restart.
    ///
    /// # Errors
    /// When one cannot be had.
    pub(crate) async fn credentials(&self) -> Result<Credentials, SecretError> {
        let login = load(&self.login, &self.aws).await?.basic()?;
        let root_ca = match &self.root_ca {
            None => None,
            Some(uri) => Some(load(uri, &self.aws).await?.root_ca()?),
        };
        Ok(Credentials { login, root_ca })
    }
}

/// What the engine is told when a secret cannot be had: a place that is empty or holds nonsense stays so until somebody
/// mends it, a service that does not answer may do so later.
pub(crate) fn secret_failed(call: &'static str, error: &SecretError) -> CallError {
    let class = match error {
        SecretError::Call { cause, .. } => cause.class,
        _ => FailureClass::Denied,
    };
    CallError {
        class,
        call,
        text: error.to_string(),
    }
}

impl Broker {
    /// Makes the client. It connects when a poller asks for messages first: a broker that is down is no mistake.
    ///
    /// # Errors
    /// When the secrets are not where the mapping says.
    pub(crate) async fn open(place: BrokerPlace, clock: Clock) -> Result<Self, BrokerError> {
        // Fetched for their mistakes only: a run should not begin with a file that is not there.
        place.credentials().await?;
        match place.arn.kind {
            SourceKind::ActiveMq => Ok(Self::ActiveMq(ActiveMq::new(place, clock))),
            SourceKind::RabbitMq => Ok(Self::RabbitMq(RabbitMq::new(place, clock))),
            _ => Err(BrokerError::Kind(place.arn.text)),
        }
    }

    /// What surrounds the messages in an event.
    pub(crate) fn envelope(place: &BrokerPlace) -> Envelope {
        match place.arn.kind {
            SourceKind::ActiveMq => ActiveMqShape::envelope(&place.arn.text),
            _ => RabbitMqShape::envelope(&place.arn.text, &place.queue, &place.virtual_host),
        }
    }

    /// Takes at most `records_max` messages that were delivered to `poller`, waiting up to `wait` for the first one. The
    /// first call, and the first one after a loss, connects.
    ///
    /// # Errors
    /// When the connection is lost or cannot be made. Whatever was delivered to this poller and is not acknowledged comes
    /// again then.
    pub(crate) async fn receive(
        &self,
        poller: u32,
        records_max: u32,
        wait: Span,
        records: Records,
        keep: &Keep,
    ) -> Result<Page<Payload>, CallError> {
        match self {
            Self::ActiveMq(active) => {
                active
                    .receive(poller, records_max, wait, records, keep)
                    .await
            }
            Self::RabbitMq(rabbit) => {
                rabbit
                    .receive(poller, records_max, wait, records, keep)
                    .await
            }
        }
    }

    /// Tells the broker that the messages with these receipts are done.
    ///
    /// # Errors
    /// When the connection that delivered them is gone.
    pub(crate) async fn acknowledge(&self, receipts: Vec<String>) -> Result<(), CallError> {
        match self {
            Self::ActiveMq(active) => active.acknowledge(receipts).await,
            Self::RabbitMq(rabbit) => rabbit.acknowledge(&receipts).await,
        }
    }

    /// Gives the messages with these receipts back; the broker delivers them again, to whomever.
    ///
    /// # Errors
    /// When the connection that delivered them is gone: then they are delivered again as well.
    pub(crate) async fn release(&self, receipts: Vec<String>) -> Result<(), CallError> {
        match self {
            Self::ActiveMq(active) => active.release(receipts).await,
            Self::RabbitMq(rabbit) => rabbit.release(&receipts).await,
        }
    }

    /// Takes leave: what was acknowledged has arrived when this returns, and what was delivered ahead is free for others.
    pub(crate) async fn close(&self) {
        match self {
            Self::ActiveMq(active) => active.close().await,
            Self::RabbitMq(rabbit) => rabbit.close().await,
        }
    }
}
