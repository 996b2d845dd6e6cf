//! Secrets of brokers and Kafka: user names, passwords, certificates, wherever they are kept.
//!
//! AWS keeps them in Secrets Manager; a poller may have them in an environment variable or a file as well. The text is
//! the same JSON in all three places.

use super::patience::patiently;
use super::signed::{Call, Service, Signed};
use super::{AwsError, CallError, Connection};
use crate::engine::FailureClass;
use crate::scenario::{Aws, SecretUri};
use serde_json::Value;
use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use tokio::io::AsyncReadExt;

/// Largest secret, in bytes; the quota of Secrets Manager.
const SECRET_BYTES_MAX: u64 = 65_536;
/// What a variable or file holds, for those who have none.
const EXAMPLE: &str = "JSON as in Secrets Manager, such as {\"username\": …, \"password\": …}";

/// A text that must not be seen: nothing prints it by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(String);

impl Hidden {
    /// The text, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// A secret that was fetched: a JSON object, as AWS documents it for the type of access.
#[derive(Clone, Debug)]
pub struct Secret {
    /// Where it came from, for errors.
    place: String,
    text: Hidden,
}

/// The secret of `BASIC_AUTH` and `SASL_SCRAM_*_AUTH`: `{"username": …, "password": …}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Basic {
    /// `username`.
    pub username: Hidden,
    /// `password`.
    pub password: Hidden,
}

/// The secret of `CLIENT_CERTIFICATE_TLS_AUTH`: `{"certificate": …, "privateKey": …, "privateKeyPassword": …}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// `certificate`: the chain, PEM.
    pub certificate: Hidden,
    /// `privateKey`: PKCS #8, PEM.
    pub private_key: Hidden,
    /// `privateKeyPassword`, for an encrypted key.
    pub private_key_password: Option<Hidden>,
}

/// A secret that cannot be had. Names the place and what should be there, never what is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// `env:` and no such variable.
    #[error("the environment variable `{0}` is not set; it must hold {EXAMPLE}")]
    Unset(String),
    /// `file:` and no such file.
    #[error("the secret `{place}` cannot be read: {cause}; it must hold {EXAMPLE}")]
    File {
        /// The place.
        place: String,
        /// The system's explanation.
        cause: String,
    },
    /// Not UTF-8.
    #[error("the secret `{0}` is not text; expected {EXAMPLE}")]
    NotText(String),
    /// Larger than Secrets Manager would take.
    #[error("the secret `{0}` is larger than {SECRET_BYTES_MAX} bytes")]
    TooLarge(String),
    /// Region or credentials for Secrets Manager.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// Secrets Manager did not answer, or denied it.
    #[error("the secret `{place}` cannot be fetched: {cause}")]
    Call {
        /// The ARN.
        place: String,
        /// The service's explanation.
        cause: CallError,
    },
    /// Not a JSON object.
    #[error("the secret `{place}` is not {expected}")]
    NotJson {
        /// The place.
        place: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A member that is missing, empty or not a text.
    #[error("the secret `{place}` has no text `{key}`; expected {expected}")]
    Member {
        /// The place.
        place: String,
        /// The member.
        key: &'static str,
        /// What the secret should be.
        expected: &'static str,
    },
}

/// Fetches a secret; one of Secrets Manager in the region of its ARN, behind the endpoint of `aws` if it names one.
///
/// ```
/// # tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
/// use tidegate::scenario::{Aws, SecretUri};
/// use tidegate::source::secret;
///
/// let missing = SecretUri::Variable("TIDEGATE_EXAMPLE_THAT_IS_NOT_SET".into());
/// let error = secret::load(&missing, &Aws::default()).await.expect_err("no such variable");
/// assert!(error.to_string().contains("TIDEGATE_EXAMPLE_THAT_IS_NOT_SET"));
/// # });
/// ```
///
/// # Errors
/// When there is nothing at that place, or it cannot be read. Trouble that may pass is waited out for some minutes.
pub async fn load(uri: &SecretUri, aws: &Aws) -> Result<Secret, SecretError> {
    let place = uri.to_string();
    let text = match uri {
        SecretUri::Variable(name) => of_variable(name, std::env::var_os(name))?,
        SecretUri::File(path) => of_file(&place, path).await?,
        SecretUri::Arn {
            partition,
            region,
            text,
        } => {
            let of_region = Aws {
                region: Some(region.clone()),
                ..aws.clone()
            };
            let connection = Connection::open(&of_region, aws.endpoint_url.as_deref(), None);
            let service = Signed::new(connection.await?, Service::SecretsManager);
            let url = service.url(aws.endpoint_url.as_deref(), partition);
            let answer = patiently(|| get_secret_value(&service, &url, text));
            let cause = |cause| SecretError::Call {
                place: place.clone(),
                cause,
            };
            answer.await.map_err(cause)?
        }
    };
    let text = Hidden(text);
    Ok(Secret { place, text })
}

fn of_variable(name: &str, value: Option<OsString>) -> Result<String, SecretError> {
    let value = value.filter(|value| !value.is_empty());
    let value = value.ok_or_else(|| SecretError::Unset(name.to_owned()))?;
    // The system's own error would repeat the value.
    let not_text = |_| SecretError::NotText(format!("env:{name}"));
    value.into_string().map_err(not_text)
}

async fn of_file(place: &str, path: &Path) -> Result<String, SecretError> {
    let failed = |error: std::io::Error| SecretError::File {
        place: place.to_owned(),
        cause: error.to_string(),
    };
    let file = tokio::fs::File::open(path).await.map_err(failed)?;
    let mut bytes = Vec::new();
    let mut limited = file.take(SECRET_BYTES_MAX + 1);
    limited.read_to_end(&mut bytes).await.map_err(failed)?;
    if bytes.len() as u64 > SECRET_BYTES_MAX {
        return Err(SecretError::TooLarge(place.to_owned()));
    }
    String::from_utf8(bytes).map_err(|_| SecretError::NotText(place.to_owned()))
}

async fn get_secret_value(service: &Signed, url: &str, arn: &str) -> Result<String, CallError> {
    const NAME: &str = "GetSecretValue";
    let call = Call {
        name: NAME,
        method: "POST",
        url: url.to_owned(),
        content_type: "application/x-amz-json-1.1",
        target: Some("secretsmanager.GetSecretValue"),
        body: serde_json::json!({ "SecretId": arn })
            .to_string()
            .into_bytes(),
    };
    let body = service.send(call).await?.text().await;
    let failed = |class, text: &str| CallError {
        class,
        call: NAME,
        text: text.to_owned(),
    };
    let mut answer: Value = serde_json::from_str(&body)
        .map_err(|_| failed(FailureClass::Transient, "the answer is not JSON"))?;
    match answer["SecretString"].take() {
        Value::String(text) => Ok(text),
        _ => Err(failed(
            FailureClass::Denied,
            "the secret is binary; mappings need one that is text",
        )),
    }
}

impl Secret {
    /// As user name and password.
    ///
    /// # Errors
    /// When it is not `{"username": …, "password": …}`.
    pub fn basic(&self) -> Result<Basic, SecretError> {
        const FORM: &str = "{\"username\": text, \"password\": text}";
        let object = self.object(FORM)?;
        Ok(Basic {
            username: self.member(&object, "username", FORM)?,
            password: self.member(&object, "password", FORM)?,
        })
    }

    /// As a client's certificate and key.
    ///
    /// # Errors
    /// When it is not `{"certificate": …, "privateKey": …}`; `privateKeyPassword` may be left out.
    pub fn client_certificate(&self) -> Result<ClientCertificate, SecretError> {
        const FORM: &str = "{\"certificate\": PEM text, \"privateKey\": PEM text, \"privateKeyPassword\": text if need be}";
        let object = self.object(FORM)?;
        let password = "privateKeyPassword";
        let has_password = !matches!(object.get(password), None | Some(Value::Null));
        Ok(ClientCertificate {
            certificate: self.member(&object, "certificate", FORM)?,
            private_key: self.member(&object, "privateKey", FORM)?,
            private_key_password: has_password
                .then(|| self.member(&object, password, FORM))
                .transpose()?,
        })
    }

    /// As the certificate of the authority that signed the servers' certificates, PEM.
    ///
    /// # Errors
    /// When it is not `{"certificate": …}`.
    pub fn root_ca(&self) -> Result<Hidden, SecretError> {
        const FORM: &str = "{\"certificate\": PEM text}";
        self.member(&self.object(FORM)?, "certificate", FORM)
    }

    /// As a token of SASL/OAUTHBEARER.
    ///
    /// # Errors
    /// When it is not `{"token": …}`.
    pub fn token(&self) -> Result<Hidden, SecretError> {
        const FORM: &str = "{\"token\": text}";
        self.member(&self.object(FORM)?, "token", FORM)
    }

    fn object(
        &self,
        expected: &'static str,
    ) -> Result<serde_json::Map<String, Value>, SecretError> {
        // The parser's own error could repeat what it read.
        serde_json::from_str(self.text.expose()).map_err(|_| SecretError::NotJson {
            place: self.place.clone(),
            expected,
        })
    }

    fn member(
        &self,
        object: &serde_json::Map<String, Value>,
        key: &'static str,
        expected: &'static str,
    ) -> Result<Hidden, SecretError> {
        match object.get(key) {
            Some(Value::String(text)) if !text.is_empty() => Ok(Hidden(text.clone())),
            _ => Err(SecretError::Member {
                place: self.place.clone(),
                key,
                expected,
            }),
        }
    }
}

#[cfg(test)]
#[path = "secret_tests.rs"]
mod tests;
