//! Signed calls of services for which a client of their own would cost more than it saves: one call each.

use super::{CallError, Connection, classify};
use crate::engine::FailureClass;
use aws_sdk_sqs::config::{Credentials, ProvideCredentials};
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use http_body_util::{BodyExt, Limited};
use std::time::{Duration, SystemTime};
use tokio::sync::Mutex;

/// How long a call may take, its connection included, and how long the body of its answer may take after that. A connection
/// whose other end fell silent is found out by this alone.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// Credentials are asked for again this long before they expire.
const EXPIRY_MARGIN: Duration = Duration::from_secs(300);
/// Largest answer that is read, in bytes: a secret has at most 65,536, of which JSON may make six times as many.
const ANSWER_BYTES_MAX: usize = 524_288;

/// What makes and signs calls of one service.
#[derive(Debug)]
pub(crate) struct Signed {
    connection: Connection,
    connector: aws_smithy_http_client::Connector,
    service: Service,
    /// Kept until shortly before they expire.
    credentials: Mutex<Option<Credentials>>,
}

/// The services that are called so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Sns,
    S3,
    SecretsManager,
    EventBridge,
    DynamoDb,
}

/// A call to be signed.
#[derive(Debug)]
pub(crate) struct Call {
    /// The service's name of it, for errors.
    pub(crate) name: &'static str,
    pub(crate) method: &'static str,
    /// With scheme and host; percent-encoded.
    pub(crate) url: String,
    pub(crate) content_type: &'static str,
    /// JSON protocols: `X-Amz-Target`.
    pub(crate) target: Option<&'static str>,
    pub(crate) body: Vec<u8>,
}

impl Service {
    const fn name(self) -> &'static str {
        match self {
            Self::Sns => "sns",
            Self::S3 => "s3",
            Self::SecretsManager => "secretsmanager",
            Self::EventBridge => "events",
            Self::DynamoDb => "dynamodb",
        }
    }

    /// S3 wants the digest of the body as a header, and paths as they are.
    fn settings(self) -> SigningSettings {
        let mut settings = SigningSettings::default();
        if self == Self::S3 {
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        }
        settings
    }
}

impl Signed {
    pub(crate) fn new(connection: Connection, service: Service) -> Self {
        let connector = aws_smithy_http_client::Connector::builder()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build();
        Self {
            connection,
            connector,
            service,
            credentials: Mutex::new(None),
        }
    }

    /// Region that calls go to and are signed for.
    pub(crate) fn region(&self) -> &str {
        self.connection.region()
    }

    /// Where calls go: to `endpoint` if there is one, or to the service itself in the connection's region.
    pub(crate) fn url(&self, endpoint: Option<&str>, partition: &str) -> String {
        match endpoint {
            Some(endpoint) => format!("{}/", endpoint.trim_end_matches('/')),
            None => format!(
                "https://{}.{}.{}/",
                self.service.name(),
                self.region(),
                domain(partition)
            ),
        }
    }

    /// Makes the call and answers with the body, which is read only when it is asked for.
    pub(crate) async fn send(&self, call: Call) -> Result<Answer, CallError> {
        let name = call.name;
        match tokio::time::timeout(CALL_TIMEOUT, self.exchange(call)).await {
            Ok(result) => result,
            Err(_) => Err(CallError {
                class: FailureClass::Transient,
                call: name,
                text: format!("no answer within {} s", CALL_TIMEOUT.as_secs()),
            }),
        }
    }

    async fn exchange(&self, call: Call) -> Result<Answer, CallError> {
        let name = call.name;
        let failed = |class, text: String| CallError {
            class,
            call: name,
            text,
        };
        let now = wall_clock();
        let credentials = self.credentials(now).await;
        let credentials = credentials.map_err(|text| failed(FailureClass::Transient, text))?;
        let request = self.request(call, credentials, now);
        // Whatever is wrong with a request here will be wrong with it next time.
        let request = request.map_err(|text| failed(FailureClass::Denied, text))?;
        let response = self.connector.call(request).await;
        let response = response.map_err(|error| failed(FailureClass::Transient, chain(&error)))?;
        let status = response.status().as_u16();
        if (200..300).contains(&status) {
            return Ok(Answer(response));
        }
        let body = Answer(response).text().await;
        let (class, text) = explain(status, &body);
        Err(failed(class, text))
    }

    async fn credentials(&self, now: SystemTime) -> Result<Credentials, String> {
        let mut kept = self.credentials.lock().await;
        let fresh = |credentials: &Credentials| {
            let expiry = credentials.expiry();
            expiry.is_none_or(|at| now + EXPIRY_MARGIN < at)
        };
        if let Some(credentials) = kept.as_ref().filter(|kept| fresh(kept)) {
            return Ok(credentials.clone());
        }
        let Some(provider) = self.connection.credentials() else {
            return Err("there are no credentials".to_owned());
        };
        let credentials = provider.provide_credentials().await;
        let credentials = credentials.map_err(|error| chain(&error))?;
        *kept = Some(credentials.clone());
        Ok(credentials)
    }

    fn request(
        &self,
        call: Call,
        credentials: Credentials,
        now: SystemTime,
    ) -> Result<HttpRequest, String> {
        let identity = credentials.into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(self.region())
            .name(self.service.name())
            .time(now)
            .settings(self.service.settings())
            .build()
            .map_err(|error| error.to_string())?
            .into();
        let target = call.target.map(|target| ("x-amz-target", target));
        let headers = [("content-type", call.content_type)]
            .into_iter()
            .chain(target);
        let body = SignableBody::Bytes(&call.body);
        let signable = SignableRequest::new(call.method, &call.url, headers.clone(), body)
            .map_err(|error| chain(&error))?;
        let signed = sign(signable, &params).map_err(|error| chain(&error))?;
        let (instructions, _) = signed.into_parts();
        let mut request = HttpRequest::new(SdkBody::from(call.body));
        let added = headers.chain(instructions.headers());
        for (header, value) in added {
            let result = request
                .headers_mut()
                .try_insert(header.to_owned(), value.to_owned());
            result.map_err(|error| error.to_string())?;
        }
        request
            .set_method(call.method)
            .map_err(|error| error.to_string())?;
        request
            .set_uri(call.url)
            .map_err(|error| error.to_string())?;
        Ok(request)
    }
}

/// The time of day, which services compare signatures with. The run's own clock stands still while a machine sleeps.
#[expect(
    clippy::disallowed_methods,
    reason = "services check signatures against the time of day"
)]
pub(super) fn wall_clock() -> SystemTime {
    SystemTime::now()
}

/// What a service answered.
pub(crate) struct Answer(HttpResponse);

impl Answer {
    /// The body; empty when it breaks off, does not go on, or is longer than any that matters.
    pub(crate) async fn text(self) -> String {
        let body = Limited::new(self.0.into_body(), ANSWER_BYTES_MAX);
        match tokio::time::timeout(CALL_TIMEOUT, body.collect()).await {
            Ok(Ok(body)) => String::from_utf8_lossy(&body.to_bytes()).into_owned(),
            Ok(Err(_)) | Err(_) => String::new(),
        }
    }
}

/// What an answer says went wrong, in XML or in JSON.
fn explain(status: u16, body: &str) -> (FailureClass, String) {
    let json: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    let member = |names: [&str; 2]| names.iter().find_map(|name| json[*name].as_str());
    let code = element(body, "Code").or_else(|| member(["__type", "code"]));
    let message = element(body, "Message").or_else(|| member(["message", "Message"]));
    let text = match (code, message) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        (None, _) => format!("status {status}"),
    };
    (classify(code, Some(status)), text)
}

/// The text of the first element of this name.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    Some(text.trim()).filter(|text| !text.is_empty())
}

/// Appends `text` with everything percent-encoded that is not unreserved (RFC 3986), or in `kept`.
pub(crate) fn push_encoded(out: &mut Vec<u8>, text: &[u8], kept: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in text {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || kept.contains(&byte) {
            out.push(byte);
        } else {
            out.extend_from_slice(&[
                b'%',
                HEX[usize::from(byte >> 4)],
                HEX[usize::from(byte & 15)],
            ]);
        }
    }
}

/// The domain that a partition's services are found under.
pub(crate) fn domain(partition: &str) -> &'static str {
    match partition {
        "aws-cn" => "amazonaws.com.cn",
        "aws-eusc" => "amazonaws.eu",
        "aws-iso" => "c2s.ic.gov",
        "aws-iso-b" => "sc2s.sgov.gov",
        _ => "amazonaws.com",
    }
}

/// An error with its causes, which is where connections say what is wrong.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text = format!("{text}: {source}");
        cause = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_explained() {
        use FailureClass::{Denied, Throttled, Transient};
        for (status, body, class, text) in [
            (
                404,
                "<?xml?><Error><Code>NoSuchBucket</Code><Message>It is not there</Message></Error>",
                Denied,
                "NoSuchBucket: It is not there",
            ),
            (
                404,
                "<ErrorResponse><Error><Type>Sender</Type><Code>NotFound</Code></Error></ErrorResponse>",
                Denied,
                "NotFound",
            ),
            (
                503,
                "<Error><Code>SlowDown</Code></Error>",
                Throttled,
                "SlowDown",
            ),
            (403, "", Denied, "status 403"),
            (
                400,
                r#"{"__type":"ResourceNotFoundException","Message":"not there"}"#,
                Denied,
                "ResourceNotFoundException: not there",
            ),
            (500, "oops", Transient, "status 500"),
            (
                301,
                "<Error><Code>PermanentRedirect</Code></Error>",
                Denied,
                "PermanentRedirect",
            ),
        ] {
            assert_eq!(explain(status, body), (class, text.to_owned()));
        }
    }

    /// A body that has begun and does not go on.
    struct Silent;

    impl hyper::body::Body for Silent {
        type Data = bytes::Bytes;
        type Error = std::io::Error;

        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<hyper::body::Frame<bytes::Bytes>, std::io::Error>>>
        {
            std::task::Poll::Pending
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_go_on_is_not_waited_for_for_ever() {
        let status = 200.try_into().expect("a status");
        let answer = Answer(HttpResponse::new(status, SdkBody::from_body_1_x(Silent)));
        let within = tokio::time::timeout(CALL_TIMEOUT * 2, answer.text());
        assert_eq!(within.await.expect("an end"), "");
    }

    #[test]
    fn everything_reserved_is_encoded() {
        let mut out = Vec::new();
        push_encoded(&mut out, "a-b._~/+ =&\u{e9}".as_bytes(), b"/");
        assert_eq!(out, b"a-b._~/%2B%20%3D%26%C3%A9");
    }
}
