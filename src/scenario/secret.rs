//! How a mapping gets at its source: `SourceAccessConfigurations`, with secrets named by their place.

use super::diagnostic::Diagnostic;
use super::node::{Node, Value};
use super::read::{At, Cx, Table};
use crate::engine::config::MappingParameters;
use std::fmt;
use std::path::PathBuf;

/// The types whose URI names a secret; the others carry their meaning in the URI itself.
pub const SECRET_TYPES: [&str; 6] = [
    "BASIC_AUTH",
    "SASL_SCRAM_256_AUTH",
    "SASL_SCRAM_512_AUTH",
    "CLIENT_CERTIFICATE_TLS_AUTH",
    "SERVER_ROOT_CA_CERTIFICATE",
    "OAUTHBEARER_AUTH",
];

/// Where a secret is kept; never the secret itself.
///
/// ```
/// use tidegate::scenario::SecretUri;
///
/// assert_eq!(SecretUri::parse("env:BROKER_LOGIN")?, SecretUri::Variable("BROKER_LOGIN".into()));
/// assert!(SecretUri::parse("hunter2").is_err());
/// # Ok::<(), tidegate::scenario::SecretUriError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretUri {
    /// `arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME`, AWS's own form.
    Arn {
        /// `aws`, `aws-cn`, `aws-us-gov`, …
        partition: String,
        /// Region that the secret is kept in.
        region: String,
        /// The whole ARN.
        text: String,
    },
    /// `env:NAME`: an environment variable.
    Variable(String),
    /// `file:PATH`: a file; relative paths start from the poller file.
    File(PathBuf),
}

/// Why a text does not say where a secret is kept. The text itself is not repeated: it may be a password that was
/// written in the wrong place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretUriError {
    /// None of the three forms.
    #[error("neither the ARN of a secret nor env:NAME nor file:PATH")]
    Shape,
    /// `env:` and something that is no name.
    #[error("env: needs the name of a variable: letters, digits and underscores")]
    Variable,
    /// `file:` and nothing.
    #[error("file: needs a path behind it")]
    Path,
    /// An ARN of something else, or with parts that are not valid.
    #[error("the ARN does not name a secret of Secrets Manager")]
    Arn,
}

impl SecretUri {
    /// Takes `text` apart.
    ///
    /// # Errors
    /// When it is none of the three forms.
    pub fn parse(text: &str) -> Result<Self, SecretUriError> {
        if let Some(name) = text.strip_prefix("env:") {
            let byte = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
            let starts = name
                .bytes()
                .next()
                .is_some_and(|first| !first.is_ascii_digit());
            return match starts && name.bytes().all(byte) {
                true => Ok(Self::Variable(name.to_owned())),
                false => Err(SecretUriError::Variable),
            };
        }
        if let Some(path) = text.strip_prefix("file:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return match path {
                "" => Err(SecretUriError::Path),
                path => Ok(Self::File(PathBuf::from(path))),
            };
        }
        if !text.starts_with("arn:") {
            return Err(SecretUriError::Shape);
        }
        let parts: Vec<&str> = text.split(':').collect();
        let [
            _,
            partition,
            "secretsmanager",
            region,
            account,
            "secret",
            name,
        ] = parts[..]
        else {
            return Err(SecretUriError::Arn);
        };
        let region_byte = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let name_byte = |b: u8| b.is_ascii_alphanumeric() || b"/_+=.@-!".contains(&b);
        let fits = partition.starts_with("aws")
            && !region.is_empty()
            && region.bytes().all(region_byte)
            && account.len() == 12
            && account.bytes().all(|b| b.is_ascii_digit())
            && !name.is_empty()
            && name.bytes().all(name_byte);
        match fits {
            true => Ok(Self::Arn {
                partition: partition.to_owned(),
                region: region.to_owned(),
                text: text.to_owned(),
            }),
            false => Err(SecretUriError::Arn),
        }
    }
}

impl fmt::Display for SecretUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arn { text, .. } => f.write_str(text),
            Self::Variable(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

/// One entry of `SourceAccessConfigurations`, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceAccess {
    /// Of one of [`SECRET_TYPES`].
    Secret {
        /// `Type`.
        kind: String,
        /// `URI`.
        uri: SecretUri,
    },
    /// Of any other type: a subnet, a virtual host, a scope.
    Plain {
        /// `Type`.
        kind: String,
        /// `URI`.
        text: String,
    },
}

impl SourceAccess {
    /// AWS's name of the type.
    pub fn kind(&self) -> &str {
        match self {
            Self::Secret { kind, .. } | Self::Plain { kind, .. } => kind,
        }
    }

    /// The place of the secret of type `kind` in `list`.
    pub fn secret<'a>(list: &'a [Self], kind: &str) -> Option<&'a SecretUri> {
        list.iter().find_map(|access| match access {
            Self::Secret { kind: found, uri } if found == kind => Some(uri),
            _ => None,
        })
    }

    /// The URI of the entry of type `kind` in `list`, for types that name no secret.
    pub fn plain<'a>(list: &'a [Self], kind: &str) -> Option<&'a str> {
        list.iter().find_map(|access| match access {
            Self::Plain { kind: found, text } if found == kind => Some(text.as_str()),
            _ => None,
        })
    }
}

/// The access configurations of a poller's mapping, each URI understood and each path resolved.
pub(crate) fn source_access(
    table: &Table<'_>,
    cx: &mut Cx,
    written: &MappingParameters,
) -> Vec<SourceAccess> {
    let list = written.source_access_configurations.iter().flatten();
    let node = table
        .peek("SourceAccessConfigurations")
        .map(|entry| &entry.node);
    let nodes: &[Node] = match node.map(|node| &node.value) {
        Some(Value::List(nodes)) => nodes,
        _ => &[],
    };
    let mut found = Vec::new();
    for (access, node) in list.zip(nodes) {
        let kind = access.kind.clone();
        if !SECRET_TYPES.contains(&kind.as_str()) {
            let text = access.uri.clone();
            found.push(SourceAccess::Plain { kind, text });
            continue;
        }
        let Some(at) = node.get("URI").map(At::from) else {
            continue;
        };
        let uri = match SecretUri::parse(&access.uri) {
            Ok(SecretUri::File(path)) => path
                .to_str()
                .and_then(|path| cx.path(at, path))
                .map(SecretUri::File),
            Ok(uri) => Some(uri),
            Err(error) => {
                if error == SecretUriError::Shape {
                    // It may be the secret itself.
                    cx.diagnostics.conceal(&at.node.span);
                }
                cx.push(
                    Diagnostic::new("bad-arn", format!("`URI` of {kind} does not name a secret"))
                        .at(&at.node.span)
                        .label(error.to_string())
                        .allowed(
                            "arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME, env:VARIABLE or file:PATH",
                        )
                        .help("keep the secret out of this file and say here where it is"),
                );
                None
            }
        };
        found.extend(uri.map(|uri| SourceAccess::Secret { kind, uri }));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_secrets_have_three_forms() {
        let arn = "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:prod/broker-AbCdEf";
        assert_eq!(
            SecretUri::parse(arn),
            Ok(SecretUri::Arn {
                partition: "aws-cn".to_owned(),
                region: "cn-north-1".to_owned(),
                text: arn.to_owned()
            })
        );
        for (text, path) in [
            ("file:a/b.json", "a/b.json"),
            ("file:/run/secrets/broker", "/run/secrets/broker"),
            ("file:///run/secrets/broker", "/run/secrets/broker"),
        ] {
            let uri = SecretUri::parse(text).expect("a file");
            assert_eq!(uri, SecretUri::File(PathBuf::from(path)));
        }
        assert_eq!(
            SecretUri::parse("env:_A1").map(|uri| uri.to_string()),
            Ok("env:_A1".to_owned())
        );
        for (text, error) in [
            ("", SecretUriError::Shape),
            ("hunter2", SecretUriError::Shape),
            ("env:", SecretUriError::Variable),
            ("env:1A", SecretUriError::Variable),
            ("env:A-B", SecretUriError::Variable),
            ("file:", SecretUriError::Path),
            ("file://", SecretUriError::Path),
            ("arn:aws:s3:::bucket", SecretUriError::Arn),
            (
                "arn:aws:secretsmanager:us-east-1:123:secret:a",
                SecretUriError::Arn,
            ),
            (
                "arn:aws:secretsmanager::123456789012:secret:a",
                SecretUriError::Arn,
            ),
            (
                "arn:aws:secretsmanager:us-east-1:123456789012:secret:",
                SecretUriError::Arn,
            ),
            (
                "arn:aws:secretsmanager:us-east-1:123456789012:key:a",
                SecretUriError::Arn,
            ),
        ] {
            let refused = SecretUri::parse(text).expect_err(text);
            assert_eq!(refused, error, "{text}");
            assert!(text.len() < 7 || !refused.to_string().contains(text));
        }
    }
}
