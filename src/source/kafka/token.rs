//! Tokens of SASL/OAUTHBEARER: one that somebody puts into a secret, or one that MSK takes from whoever AWS knows.

use super::super::Connection;
use super::super::secret;
use super::super::signed::wall_clock;
use crate::scenario::{Aws, SecretUri};
use aws_sdk_sqs::config::{Credentials, ProvideCredentials};
use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rdkafka::client::OAuthToken;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What MSK grants a token at most, and what its own signers ask for.
const IAM_LIFETIME: Duration = Duration::from_secs(900);
/// A token that does not say when it ends is fetched again after this time.
const UNKNOWN_LIFETIME: Duration = Duration::from_secs(300);
/// Whose token it is, where the token does not say; brokers do not look at it.
const PRINCIPAL: &str = "tidegate";

/// Where the tokens of a client come from.
#[derive(Clone, Debug)]
pub(crate) enum Tokens {
    /// `OAUTHBEARER_AUTH`: read anew whenever the last one is about to end.
    Secret { uri: SecretUri, aws: Aws },
    /// `IAM_AUTH`: made for the credentials that AWS's usual chain finds.
    Iam { region: Option<String>, aws: Aws },
}

/// What a client answers librdkafka that asks for a token.
pub(crate) fn oauth_token(
    tokens: Option<&Tokens>,
) -> Result<OAuthToken, Box<dyn std::error::Error>> {
    let tokens = tokens.ok_or("this mapping has no token")?;
    Ok(tokens.fetch()?)
}

impl Tokens {
    /// Gets a token. Blocks: librdkafka asks from wherever it is polled, once in some minutes.
    fn fetch(&self) -> Result<OAuthToken, String> {
        let tokens = self.clone();
        // A thread and a runtime of its own: the caller may be a thread of one, which cannot wait for itself.
        let fetching = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let runtime = runtime.map_err(|error| error.to_string())?;
            runtime.block_on(tokens.obtain())
        });
        let result = fetching.join();
        result.unwrap_or_else(|_| Err("the token could not be fetched".to_owned()))
    }

    async fn obtain(self) -> Result<OAuthToken, String> {
        match self {
            Self::Secret { uri, aws } => {
                let secret = secret::load(&uri, &aws).await;
                let token = secret.and_then(|secret| secret.token());
                let token = token.map_err(|error| error.to_string())?;
                Ok(bearer(token.expose(), wall_clock()))
            }
            Self::Iam { region, aws } => {
                let connection = Connection::open(&aws, None, region.as_deref()).await;
                let connection = connection.map_err(|error| error.to_string())?;
                let provider = connection.credentials();
                let provider = provider.ok_or_else(|| "there are no credentials".to_owned())?;
                let credentials = provider.provide_credentials().await;
                let credentials = credentials.map_err(|error| error.to_string())?;
                iam(connection.region(), credentials, wall_clock())
            }
        }
    }
}

/// A JSON Web Token says itself whose it is and until when.
fn bearer(token: &str, now: SystemTime) -> OAuthToken {
    let claims = token.split('.').nth(1).and_then(|part| {
        let bytes = URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok()?;
        serde_json::from_slice::<serde_json::Value>(&bytes).ok()
    });
    let claims = claims.unwrap_or_default();
    let ends = claims["exp"].as_f64().map(|secs| (secs * 1e3) as i64);
    OAuthToken {
        token: token.to_owned(),
        principal_name: claims["sub"].as_str().unwrap_or(PRINCIPAL).to_owned(),
        lifetime_ms: ends.unwrap_or_else(|| millis(now + UNKNOWN_LIFETIME)),
    }
}

/// Rule `kafka-iam-token`: the address of a signed `kafka-cluster:Connect` request, good for 15 minutes, with the client's
/// name behind what is signed, in base64 for addresses and without padding.
fn iam(region: &str, credentials: Credentials, now: SystemTime) -> Result<OAuthToken, String> {
    let url = format!("https://kafka.{region}.amazonaws.com/?Action=kafka-cluster%3AConnect");
    let identity = credentials.into();
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(IAM_LIFETIME);
    let params = SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("kafka-cluster")
        .time(now)
        .settings(settings)
        .build()
        .map_err(|error| error.to_string())?
        .into();
    let nothing = SignableBody::Bytes(&[]);
    let request = SignableRequest::new("GET", &url, std::iter::empty(), nothing);
    let request = request.map_err(|error| error.to_string())?;
    let (instructions, _) = sign(request, &params)
        .map_err(|error| error.to_string())?
        .into_parts();
    let mut signed = url.into_bytes();
    let client = (
        "User-Agent",
        concat!("tidegate/", env!("CARGO_PKG_VERSION")),
    );
    let added = instructions
        .params()
        .iter()
        .map(|(name, value)| (*name, value.as_ref()));
    for (name, value) in added.chain([client]) {
        signed.push(b'&');
        signed.extend_from_slice(name.as_bytes());
        signed.push(b'=');
        super::super::signed::push_encoded(&mut signed, value.as_bytes(), b"");
    }
    Ok(OAuthToken {
        token: URL_SAFE_NO_PAD.encode(signed),
        principal_name: PRINCIPAL.to_owned(),
        lifetime_ms: millis(now + IAM_LIFETIME),
    })
}

fn millis(at: SystemTime) -> i64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(secs)
    }

    fn decoded(token: &OAuthToken) -> String {
        let bytes = URL_SAFE_NO_PAD.decode(&token.token).expect("base64");
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn kafka_iam_token() {
        let session = Credentials::new("AKIDEXAMPLE", "secret", Some("a+b/c".into()), None, "test");
        // 2026-01-05T10:03:00Z
        let token = iam("eu-west-1", session, at(1_767_607_380)).expect("a token");
        assert_eq!(token.lifetime_ms, 1_767_608_280_000);
        let url = decoded(&token);
        let (head, query) = url.split_once('?').expect("a query");
        assert_eq!(head, "https://kafka.eu-west-1.amazonaws.com/");
        let parts: Vec<(&str, &str)> = query
            .split('&')
            .filter_map(|part| part.split_once('='))
            .collect();
        let of = |name| parts.iter().find(|(key, _)| *key == name).map(|it| it.1);
        assert_eq!(of("Action"), Some("kafka-cluster%3AConnect"));
        assert_eq!(of("X-Amz-Algorithm"), Some("AWS4-HMAC-SHA256"));
        assert_eq!(
            of("X-Amz-Credential"),
            Some("AKIDEXAMPLE%2F20260105%2Feu-west-1%2Fkafka-cluster%2Faws4_request")
        );
        assert_eq!(of("X-Amz-Date"), Some("20260105T100300Z"));
        assert_eq!(of("X-Amz-Expires"), Some("900"));
        assert_eq!(of("X-Amz-SignedHeaders"), Some("host"));
        assert_eq!(of("X-Amz-Security-Token"), Some("a%2Bb%2Fc"));
        let signature = of("X-Amz-Signature").expect("a signature");
        assert!(signature.len() == 64 && signature.bytes().all(|it| it.is_ascii_hexdigit()));
        assert!(
            parts.last().is_some_and(
                |(key, value)| *key == "User-Agent" && value.starts_with("tidegate%2F")
            )
        );
        // The same moment and credentials make the same token, other ones do not.
        let plain = |secs| {
            let lasting = Credentials::new("AKIDEXAMPLE", "secret", None, None, "test");
            iam("eu-west-1", lasting, at(secs)).expect("a token").token
        };
        assert_eq!(plain(1_767_607_380), plain(1_767_607_380));
        assert_ne!(plain(1_767_607_380), plain(1_767_607_381));
    }

    /// The signature itself, worked out by hand from the published algorithm: only `ring`'s digests are shared.
    #[test]
    fn a_token_of_iam_is_signed_as_the_published_algorithm_says() {
        let lasting = Credentials::new("AKIDEXAMPLE", "secret", None, None, "test");
        let token = iam("us-east-1", lasting, at(1_767_607_380)).expect("a token");
        let url = decoded(&token);
        let query = url.split_once('?').expect("a query").1;
        let signed: Vec<&str> = query
            .split('&')
            .filter(|part| {
                !part.starts_with("X-Amz-Signature=") && !part.starts_with("User-Agent=")
            })
            .collect();
        let mut sorted = signed.clone();
        sorted.sort_unstable();
        let canonical = format!(
            "GET\n/\n{}\nhost:kafka.us-east-1.amazonaws.com\n\nhost\n{}",
            sorted.join("&"),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        let to_sign = format!(
            "AWS4-HMAC-SHA256\n20260105T100300Z\n20260105/us-east-1/kafka-cluster/aws4_request\n{}",
            aws_sigv4_digest(canonical.as_bytes())
        );
        let key = aws_sigv4::sign::v4::generate_signing_key(
            "secret",
            at(1_767_607_380),
            "us-east-1",
            "kafka-cluster",
        );
        let signature = aws_sigv4::sign::v4::calculate_signature(key, to_sign.as_bytes());
        assert!(
            query.contains(&format!("X-Amz-Signature={signature}&")),
            "{query}"
        );
    }

    fn aws_sigv4_digest(bytes: &[u8]) -> String {
        use aws_sigv4::http_request::PayloadChecksumKind;
        // The library's own digest of a body, which it shows as a header.
        let lasting = Credentials::new("a", "b", None, None, "test").into();
        let mut settings = SigningSettings::default();
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let params = SigningParams::builder()
            .identity(&lasting)
            .region("us-east-1")
            .name("s")
            .time(at(0))
            .settings(settings)
            .build()
            .expect("parameters")
            .into();
        let body = SignableBody::Bytes(bytes);
        let request = SignableRequest::new("PUT", "https://h/", std::iter::empty(), body);
        let (instructions, _) = sign(request.expect("a request"), &params)
            .expect("signed")
            .into_parts();
        let mut headers = instructions.headers();
        let digest = headers.find(|(name, _)| *name == "x-amz-content-sha256");
        digest.expect("a digest").1.to_owned()
    }

    #[test]
    fn a_token_says_itself_whose_it_is_and_until_when() {
        let of = |claims: &str| {
            let token = format!("e30.{}.", URL_SAFE_NO_PAD.encode(claims));
            bearer(&token, at(1_000))
        };
        let token = of(r#"{"sub":"me","exp":2000.5}"#);
        assert_eq!(
            (token.principal_name.as_str(), token.lifetime_ms),
            ("me", 2_000_500)
        );
        let token = of("{}");
        assert_eq!(token.lifetime_ms, 1_300_000);
        assert_eq!(bearer("opaque", at(1_000)).principal_name, PRINCIPAL);
    }
}
