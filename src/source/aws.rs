//! How clients of AWS are made.

use super::CallError;
use crate::engine::FailureClass;
use crate::scenario::Aws;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::retry::RetryConfig;
use std::time::Duration;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a call to a source may take; longer than the longest long poll, which is 20 s. A connection whose other end fell
/// silent is found out by this alone.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// A connection to AWS that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AwsError {
    /// No region anywhere.
    #[error("no region: set `region` in [aws], or the environment variable AWS_REGION")]
    NoRegion,
}

/// Settings that clients of one endpoint share: region, credentials, connection pool.
#[derive(Clone, Debug)]
pub struct Connection {
    config: SdkConfig,
}

impl Connection {
    /// Finds region and credentials.
    ///
    /// The region is the one of the file, of the source's ARN, or of the environment, in this order.
    /// Credentials come from the usual chain, with one exception: when the endpoint is on this machine and
    /// neither a profile nor `AWS_ACCESS_KEY_ID` is set, requests are signed with `test`, because local
    /// servers accept anything and the chain would look for an instance's metadata service first.
    ///
    /// # Errors
    /// When there is no region.
    pub async fn open(
        aws: &Aws,
        endpoint_url: Option<&str>,
        arn_region: Option<&str>,
    ) -> Result<Self, AwsError> {
        // The engine decides when to call again: retries underneath it would hide throttles and time.
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http_client())
            .retry_config(RetryConfig::disabled())
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(CONNECT_TIMEOUT)
                    .build(),
            );
        if let Some(region) = aws.region.as_deref().or(arn_region) {
            loader = loader.region(Region::new(region.to_owned()));
        }
        if let Some(profile) = &aws.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(endpoint) = endpoint_url {
            loader = loader.endpoint_url(endpoint);
        }
        let chosen = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let configured =
            aws.profile.is_some() || chosen("AWS_ACCESS_KEY_ID") || chosen("AWS_PROFILE");
        if !configured && endpoint_url.is_some_and(is_loopback) {
            loader = loader.test_credentials();
        }
        let config = loader.load().await;
        if config.region().is_none() {
            return Err(AwsError::NoRegion);
        }
        Ok(Self { config })
    }

    /// Settings of a client of DynamoDB Streams.
    pub fn dynamodb_streams(&self) -> aws_sdk_dynamodbstreams::Config {
        aws_sdk_dynamodbstreams::config::Builder::from(&self.config)
            .timeout_config(call_timeout())
            .build()
    }

    /// Settings of a Kinesis client.
    pub fn kinesis(&self) -> aws_sdk_kinesis::Config {
        aws_sdk_kinesis::config::Builder::from(&self.config)
            .timeout_config(call_timeout())
            .build()
    }

    /// Settings of a Kinesis client with connections of its own, for calls whose answers go on for minutes and in which
    /// silence is no failure. Over TLS they are HTTP/2, as the service wants it; a local `http://` server is spoken to
    /// in HTTP/1.1.
    pub(super) fn kinesis_alone(&self) -> aws_sdk_kinesis::Config {
        aws_sdk_kinesis::config::Builder::from(&self.config)
            .http_client(http_client())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .timeout_config(call_timeout())
            .build()
    }

    /// Settings of an SQS client.
    pub fn sqs(&self) -> aws_sdk_sqs::Config {
        aws_sdk_sqs::config::Builder::from(&self.config)
            .timeout_config(call_timeout())
            .build()
    }

    /// The region that was found.
    pub(crate) fn region(&self) -> &str {
        self.config.region().map_or("", |region| region.as_ref())
    }

    /// Where credentials come from, for calls that are signed by hand.
    pub(crate) fn credentials(&self) -> Option<aws_sdk_sqs::config::SharedCredentialsProvider> {
        self.config.credentials_provider()
    }

    /// Settings of a Lambda client; its calls last as long as functions do.
    pub fn lambda(&self) -> aws_sdk_lambda::Config {
        aws_sdk_lambda::config::Builder::from(&self.config).build()
    }
}

/// A pool of connections.
fn http_client() -> SharedHttpClient {
    Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https()
}

fn call_timeout() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_timeout(CALL_TIMEOUT)
        .build()
}

/// What the engine and the log are told of a failed call.
pub(crate) fn call_error<E>(call: &'static str, error: &SdkError<E, HttpResponse>) -> CallError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let status = error
        .raw_response()
        .map(|response| response.status().as_u16());
    let text = match (error.code(), error.message(), status) {
        (Some(code), Some(message), _) => format!("{code}: {message}"),
        (Some(code), None, _) => code.to_owned(),
        // What the client says of an answer that it cannot read has the answer in it, records and all.
        (None, _, Some(status)) => format!("an answer with the status {status} makes no sense"),
        (None, _, None) => DisplayErrorContext(error).to_string(),
    };
    CallError {
        class: classify(error.code(), status),
        call,
        text,
    }
}

pub(crate) fn classify(code: Option<&str>, status: Option<u16>) -> FailureClass {
    // The JSON protocols put a namespace before the name, older ones `AWS.` and a service.
    let code = code.unwrap_or_default();
    let name = code.rsplit(['#', '.']).next().unwrap_or(code);
    let name = name.strip_suffix("Exception").unwrap_or(name);
    match (name, status) {
        (
            "ProvisionedThroughputExceeded"
            | "LimitExceeded"
            // Another subscription of the same consumer is alive, or was made less than 5 s ago.
            | "ResourceInUse"
            | "KMSThrottling"
            | "Throttling"
            | "Throttled"
            | "RequestThrottled"
            | "RequestLimitExceeded"
            | "TooManyRequests"
            | "OverLimit"
            | "SlowDown",
            _,
        )
        | (_, Some(429)) => FailureClass::Throttled,
        (
            "AccessDenied"
            | "ResourceNotFound"
            | "QueueDoesNotExist"
            | "NonExistentQueue"
            | "QueueDeletedRecently"
            | "InvalidAddress"
            | "InvalidArgument"
            // Topics and buckets.
            | "NotFound"
            | "NoSuchBucket"
            | "PermanentRedirect"
            | "KMSAccessDenied"
            | "KMSDisabled"
            | "KMSInvalidState"
            | "KMSNotFound"
            | "KMSOptInRequired"
            | "UnrecognizedClient"
            | "InvalidClientTokenId"
            | "InvalidSecurity"
            | "ExpiredToken"
            | "InvalidSignature"
            | "SignatureDoesNotMatch"
            | "MissingAuthenticationToken"
            | "IncompleteSignature",
            _,
        )
        | (_, Some(401 | 403)) => FailureClass::Denied,
        _ => FailureClass::Transient,
    }
}

/// Whether a URL names this machine.
pub(crate) fn is_loopback(url: &str) -> bool {
    let Ok(uri) = url.parse::<hyper::Uri>() else {
        return false;
    };
    let host = uri.host().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let loopback = address.parse::<std::net::IpAddr>();
    host == "localhost"
        || host.ends_with(".localhost")
        || loopback.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_have_their_class() {
        use FailureClass::{Denied, Throttled, Transient};
        for (code, status, class) in [
            ("ProvisionedThroughputExceededException", 400, Throttled),
            ("com.amazonaws.sqs#OverLimit", 400, Throttled),
            ("AWS.SimpleQueueService.NonExistentQueue", 400, Denied),
            ("AccessDeniedException", 400, Denied),
            ("KMSThrottlingException", 400, Throttled),
            ("LimitExceededException", 400, Throttled),
            ("ResourceInUseException", 400, Throttled),
            ("InternalFailure", 500, Transient),
            ("", 503, Transient),
            ("", 403, Denied),
            ("SomethingNew", 429, Throttled),
        ] {
            assert_eq!(classify(Some(code), Some(status)), class, "{code}");
        }
        assert_eq!(classify(None, None), Transient);
    }

    #[test]
    fn only_this_machine_gets_made_up_credentials() {
        for (url, local) in [
            ("http://127.0.0.1:4566", true),
            ("http://[::1]:4566/", true),
            ("http://localhost", true),
            ("http://sqs.localhost:9324", true),
            ("http://localhost.example.com", false),
            ("https://sqs.us-east-1.amazonaws.com", false),
            ("http://10.0.0.1", false),
            ("nonsense", false),
        ] {
            assert_eq!(is_loopback(url), local, "{url}");
        }
    }
}
