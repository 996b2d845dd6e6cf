//! Brokers in poller files: which engine an ARN stands for, and where it listens.

use super::arn::Arn;
use super::convert::text;
use super::diagnostic::Diagnostic;
use super::mapping_keys::place;
use super::poller_model::MappingSource;
use super::read::{At, Cx, Table};
use crate::engine::SourceKind;
use crate::engine::config::MappingParameters;
use std::fmt;

/// Where a broker listens: `amqp://host:port`, or `amqps://host:port` with TLS.
///
/// ```
/// use tidegate::scenario::BrokerUrl;
///
/// let url = BrokerUrl::parse("amqps://b-1.mq.eu-west-1.amazonaws.com")?;
/// assert_eq!((url.is_tls, url.port), (true, 5671));
/// assert!(BrokerUrl::parse("amqp://guest:guest@localhost").is_err());
/// # Ok::<(), tidegate::scenario::BrokerUrlError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerUrl {
    /// `amqps`, or `amqp+ssl` as Amazon MQ calls it for ActiveMQ.
    pub is_tls: bool,
    /// Name or address, without the brackets of IPv6.
    pub host: String,
    /// 5672 or, with TLS, 5671 when the text has none.
    pub port: u16,
}

/// Why a text is not the address of a broker. The text is not repeated: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokerUrlError {
    /// Another scheme, or none.
    #[error("begins with neither amqp:// nor amqps://")]
    Scheme,
    /// User name or password.
    #[error("names a user; BASIC_AUTH says where user name and password are")]
    User,
    /// Something behind host and port.
    #[error("has a path; VIRTUAL_HOST names the virtual host")]
    Path,
    /// No host, or a port that is none.
    #[error("needs a host, and a port from 1 to 65535 if it has one")]
    Host,
}

impl BrokerUrl {
    /// Takes `text` apart.
    ///
    /// # Errors
    /// When it is not the address of a broker, or says more than that.
    pub fn parse(text: &str) -> Result<Self, BrokerUrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(BrokerUrlError::Scheme)?;
        let is_tls = match scheme {
            "amqp" => false,
            "amqps" | "amqp+ssl" => true,
            _ => return Err(BrokerUrlError::Scheme),
        };
        if rest.contains('@') {
            return Err(BrokerUrlError::User);
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#']) {
            return Err(BrokerUrlError::Path);
        }
        let (host, port) = match rest.strip_prefix('[') {
            Some(rest) => {
                let (host, behind) = rest.split_once(']').ok_or(BrokerUrlError::Host)?;
                (
                    host,
                    behind
                        .strip_prefix(':')
                        .or((!behind.is_empty()).then_some("")),
                )
            }
            None => match rest.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (rest, None),
            },
        };
        let port = match port {
            None if is_tls => 5671,
            None => 5672,
            Some(port) => port
                .parse()
                .ok()
                .filter(|port| *port > 0)
                .ok_or(BrokerUrlError::Host)?,
        };
        if host.is_empty() || !host.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(BrokerUrlError::Host);
        }
        Ok(Self {
            is_tls,
            host: host.to_owned(),
            port,
        })
    }
}

impl fmt::Display for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "amqps" } else { "amqp" };
        match self.host.contains(':') {
            true => write!(f, "{scheme}://[{}]:{}", self.host, self.port),
            false => write!(f, "{scheme}://{}:{}", self.host, self.port),
        }
    }
}

/// Whether the mapping names a broker of Amazon MQ, so that its `endpoint_url` is the address of one.
pub(crate) fn is_broker(written: &MappingParameters) -> bool {
    let arn = written.event_source_arn.as_deref().map(Arn::parse);
    matches!(arn, Some(Ok(arn)) if arn.kind.is_broker())
}

/// `endpoint_url` of a broker's mapping.
pub(crate) fn broker_url(at: At<'_>, cx: &mut Cx) -> Option<BrokerUrl> {
    match BrokerUrl::parse(text(at, cx)?) {
        Ok(url) => Some(url),
        Err(error) => {
            if error == BrokerUrlError::User {
                cx.diagnostics.conceal(&at.node.span);
            }
            cx.push(
                Diagnostic::new(
                    "bad-name",
                    format!("`{}` is not the address of a broker", at.key),
                )
                .at(&at.node.span)
                .label(error.to_string())
                .allowed("amqp://host:port or amqps://host:port"),
            );
            None
        }
    }
}

/// What a broker's mapping polls.
///
/// The ARN does not tell which engine the broker runs. The key `broker` does; without it a virtual host means RabbitMQ,
/// since ActiveMQ has none and AWS wants one for RabbitMQ.
pub(crate) fn broker_source(
    table: &mut Table<'_>,
    cx: &mut Cx,
    written: &MappingParameters,
    mut arn: Arn,
    url: Option<BrokerUrl>,
) -> Option<MappingSource> {
    let stated = table.opt(cx, "broker", engine);
    let has_host = written.source_access_configurations.iter().flatten();
    let has_host = has_host
        .into_iter()
        .any(|access| access.kind == "VIRTUAL_HOST");
    arn.kind = match (stated, table.peek("broker").is_some()) {
        (Some(kind), _) => kind,
        (None, true) => return None,
        (None, false) if has_host => SourceKind::RabbitMq,
        (None, false) => {
            cx.push(
                Diagnostic::new(
                    "missing-key",
                    "it is not clear which engine this broker runs",
                )
                .at(&place(table, "EventSourceArn"))
                .label("the ARN of a broker does not tell")
                .allowed("broker = \"rabbitmq\" or broker = \"activemq\"")
                .help(
                    "add `broker`; for RabbitMQ an access configuration VIRTUAL_HOST says it, too",
                ),
            );
            return None;
        }
    };
    let url = url.or_else(|| {
        // What is there and makes no sense was reported.
        if table.peek("endpoint_url").is_some() {
            return None;
        }
        let url = default_url(&arn);
        if url.is_none() {
            cx.push(
                Diagnostic::new("missing-key", "a broker needs `endpoint_url`")
                    .at(&place(table, "EventSourceArn"))
                    .label("the address cannot be derived from this ARN")
                    .help("add `endpoint_url = \"amqps://host:5671\"`"),
            );
        }
        url
    })?;
    // A missing or doubtful queue was reported by the rules.
    let queue = written.queues.as_ref()?.first()?.clone();
    Some(MappingSource::Broker { arn, url, queue })
}

fn engine(at: At<'_>, cx: &mut Cx) -> Option<SourceKind> {
    match text(at, cx)? {
        "rabbitmq" => Some(SourceKind::RabbitMq),
        "activemq" => Some(SourceKind::ActiveMq),
        other => {
            cx.push(
                Diagnostic::new(
                    "unknown-name",
                    format!("`{other}` is not an engine of Amazon MQ"),
                )
                .at(&at.node.span)
                .label("not known")
                .allowed("rabbitmq, activemq"),
            );
            None
        }
    }
}

/// The address that AWS documents for a broker of RabbitMQ: it has the broker's id, the last part of the ARN, in it.
fn default_url(arn: &Arn) -> Option<BrokerUrl> {
    let id = arn.text.rsplit(':').next()?;
    let domain = match arn.partition.as_str() {
        "aws-cn" => "amazonaws.com.cn",
        _ => "amazonaws.com",
    };
    let is_rabbit = arn.kind == SourceKind::RabbitMq && id.starts_with("b-");
    is_rabbit.then(|| BrokerUrl {
        is_tls: true,
        host: format!("{id}.mq.{}.{domain}", arn.region),
        port: 5671,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_say_where_and_nothing_else() {
        for (text, shown) in [
            ("amqp://127.0.0.1:20001", "amqp://127.0.0.1:20001"),
            ("amqp://rabbit/", "amqp://rabbit:5672"),
            ("amqps://rabbit", "amqps://rabbit:5671"),
            (
                "amqp+ssl://b-1.mq.eu-west-1.amazonaws.com:5671",
                "amqps://b-1.mq.eu-west-1.amazonaws.com:5671",
            ),
            ("amqp://[::1]:7", "amqp://[::1]:7"),
            ("amqp://[::1]", "amqp://[::1]:5672"),
        ] {
            assert_eq!(
                BrokerUrl::parse(text).map(|url| url.to_string()),
                Ok(shown.to_owned())
            );
        }
        for (text, error) in [
            ("rabbit:5672", BrokerUrlError::Scheme),
            ("http://rabbit", BrokerUrlError::Scheme),
            ("amqp://me:hush@rabbit", BrokerUrlError::User),
            ("amqp://rabbit/tides", BrokerUrlError::Path),
            ("amqp://rabbit?heartbeat=1", BrokerUrlError::Path),
            ("amqp://", BrokerUrlError::Host),
            ("amqp://:5672", BrokerUrlError::Host),
            ("amqp://rabbit:0", BrokerUrlError::Host),
            ("amqp://rabbit:x", BrokerUrlError::Host),
            ("amqp://[::1", BrokerUrlError::Host),
            ("amqp://[::1]x", BrokerUrlError::Host),
        ] {
            let refused = BrokerUrl::parse(text).expect_err(text);
            assert_eq!(refused, error, "{text}");
            assert!(!refused.to_string().contains("hush"));
        }
    }
}
