//! What keeps a consumer from working, in the terms of a mapping.

use super::super::CallError;
use crate::engine::FailureClass;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// The StateTransitionReason of a mapping whose source cannot be read.
///
/// Rules `kafka-authn-error`, `kafka-authz-error` and `kafka-config-error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The cluster does not know the client.
    Authentication,
    /// The cluster knows the client, which may not read the topic or use the group.
    Authorization,
    /// The cluster has no such topic, or cannot do what the mapping asks for.
    Configuration,
}

impl Reason {
    /// AWS's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Authentication => "EVENT_SOURCE_AUTHN_ERROR",
            Self::Authorization => "EVENT_SOURCE_AUTHZ_ERROR",
            Self::Configuration => "ESM_CONFIG_NOT_VALID",
        }
    }
}

/// Something that librdkafka has reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) code: RDKafkaErrorCode,
    /// librdkafka's explanation, which holds neither secrets nor records.
    pub(crate) text: String,
    /// librdkafka cannot go on with this client.
    pub(crate) is_fatal: bool,
}

/// What librdkafka's text says of a handshake that nobody judged: the connection was lost in the middle of it, or the broker
/// was about to close it because the session before had come to its end.
const UNJUDGED: [&str; 2] = [
    "handshake failed: Local: Broker transport failure",
    "handshake failed: Broker: Request not valid in current SASL state",
];

impl Trouble {
    /// Why the mapping cannot work, if that is what it means.
    pub(crate) fn reason(&self) -> Option<Reason> {
        use RDKafkaErrorCode as Code;
        match self.code {
            Code::Authentication if UNJUDGED.iter().any(|text| self.text.contains(text)) => None,
            Code::Authentication
            | Code::SaslAuthenticationFailed
            | Code::UnsupportedSASLMechanism
            | Code::IllegalSASLState
            | Code::SSL => Some(Reason::Authentication),
            Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed => Some(Reason::Authorization),
            Code::UnknownTopic
            | Code::UnknownPartition
            | Code::UnknownTopicOrPartition
            | Code::InvalidTopic
            | Code::InvalidGroupId
            | Code::InconsistentGroupProtocol => Some(Reason::Configuration),
            _ => None,
        }
    }

    /// Whether nothing can be read until it has passed. Everything else, such as a single connection that ends,
    /// librdkafka gets over by itself.
    pub(crate) fn stops(&self) -> bool {
        self.is_fatal
            || self.reason().is_some()
            || matches!(self.code, RDKafkaErrorCode::AllBrokersDown)
    }

    /// What the engine is told.
    pub(crate) fn error(&self) -> CallError {
        let (class, text) = match self.reason() {
            Some(reason) => (
                FailureClass::Denied,
                format!("{}: {}", reason.name(), self.text),
            ),
            None => (FailureClass::Transient, self.text.clone()),
        };
        CallError {
            class,
            call: "Kafka",
            text,
        }
    }
}

/// What the engine is told of a call to librdkafka that failed.
pub(crate) fn call_error(call: &'static str, error: &KafkaError) -> CallError {
    let trouble = error.rdkafka_error_code().map(|code| Trouble {
        code,
        text: error.to_string(),
        is_fatal: false,
    });
    match trouble {
        Some(trouble) => CallError {
            call,
            ..trouble.error()
        },
        None => CallError {
            class: FailureClass::Transient,
            call,
            text: error.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trouble(code: RDKafkaErrorCode) -> Trouble {
        Trouble {
            code,
            text: "so it is".to_owned(),
            is_fatal: false,
        }
    }

    fn assert_denied(code: RDKafkaErrorCode, name: &str) {
        let error = trouble(code).error();
        assert_eq!(error.class, FailureClass::Denied, "{code:?}");
        assert_eq!(error.text, format!("{name}: so it is"));
        assert!(trouble(code).stops());
    }

    #[test]
    fn kafka_authn_error() {
        for code in [
            RDKafkaErrorCode::Authentication,
            RDKafkaErrorCode::SaslAuthenticationFailed,
            RDKafkaErrorCode::SSL,
        ] {
            assert_denied(code, "EVENT_SOURCE_AUTHN_ERROR");
        }
    }

    #[test]
    fn kafka_authz_error() {
        for code in [
            RDKafkaErrorCode::TopicAuthorizationFailed,
            RDKafkaErrorCode::GroupAuthorizationFailed,
        ] {
            assert_denied(code, "EVENT_SOURCE_AUTHZ_ERROR");
        }
    }

    #[test]
    fn kafka_config_error() {
        for code in [
            RDKafkaErrorCode::UnknownTopicOrPartition,
            RDKafkaErrorCode::InconsistentGroupProtocol,
        ] {
            assert_denied(code, "ESM_CONFIG_NOT_VALID");
        }
    }

    #[test]
    fn a_connection_that_is_lost_during_the_handshake_is_no_refusal() {
        let mut lost = trouble(RDKafkaErrorCode::Authentication);
        lost.text = "GroupCoordinator: b1:9096: SASL OAUTHBEARER mechanism handshake failed: Local: Broker transport \
                     failure: broker's supported mechanisms: (n/a) (after 0ms in state DOWN)"
            .to_owned();
        assert_eq!((lost.reason(), lost.stops()), (None, false));
        assert_eq!(lost.error().class, FailureClass::Transient);
        lost.text = "GroupCoordinator: b1:9096: SASL OAUTHBEARER mechanism handshake failed: Broker: Request not valid in \
                     current SASL state: broker's supported mechanisms: (after 1ms in state AUTH_HANDSHAKE)"
            .to_owned();
        assert_eq!((lost.reason(), lost.stops()), (None, false));
    }

    #[test]
    fn what_passes_by_itself_is_no_reason() {
        let down = trouble(RDKafkaErrorCode::AllBrokersDown);
        assert_eq!(
            (down.error().class, down.stops()),
            (FailureClass::Transient, true)
        );
        assert!(!trouble(RDKafkaErrorCode::BrokerTransportFailure).stops());
    }
}
