//! What a caller asks for: the function, the kind of invocation and the event.

use super::answer::Refusal;
use crate::engine::FunctionName;
use bytes::Bytes;
use hyper::{HeaderMap, Method, Uri};

/// Largest event of a synchronous invocation, bytes.
const SYNC_BYTES_MAX: usize = 6 * 1024 * 1024;
const PREFIX: &str = "/2015-03-31/functions/";
const SUFFIX: &str = "/invocations";

/// `X-Amz-Invocation-Type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InvocationType {
    /// The caller waits for the answer.
    RequestResponse,
    /// Only the checks are made.
    DryRun,
}

impl InvocationType {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::RequestResponse => "RequestResponse",
            Self::DryRun => "DryRun",
        }
    }

    /// Largest event, bytes.
    pub(super) const fn payload_max(self) -> usize {
        match self {
            Self::RequestResponse | Self::DryRun => SYNC_BYTES_MAX,
        }
    }
}

/// A request, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Invocation {
    /// The bare name.
    pub(super) function: String,
    /// Version or alias.
    pub(super) qualifier: Option<String>,
    /// `function`, or `function:qualifier`.
    pub(super) name: String,
    pub(super) kind: InvocationType,
}

impl Invocation {
    /// Reads all but the body.
    pub(super) fn read(method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<Self, Refusal> {
        let path = uri.path();
        let name = path
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.strip_suffix(SUFFIX))
            .filter(|name| !name.contains('/') && *method == Method::POST)
            .ok_or(Refusal::NoSuchOperation)?;
        let name = decoded(name);
        let parsed = FunctionName::parse(&name).map_err(|_| {
            Refusal::InvalidParameter(format!("`{name}` is not the name of a function"))
        })?;
        let asked = uri.query().and_then(|query| {
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            let mut asked = pairs.filter(|(key, _)| *key == "Qualifier");
            asked.next().map(|(_, value)| decoded(value))
        });
        let asked = asked.filter(|qualifier| !qualifier.is_empty());
        let qualifier = match (parsed.qualifier, asked) {
            (Some(own), Some(asked)) if own != asked => {
                return Err(Refusal::InvalidParameter(
                    "The derived qualifier from the function name does not match the specified qualifier."
                        .to_owned(),
                ));
            }
            (own, asked) => asked.or_else(|| own.map(str::to_owned)),
        };
        let function = parsed.name.to_owned();
        let name = match &qualifier {
            Some(qualifier) => format!("{function}:{qualifier}"),
            None => function.clone(),
        };
        let kind = match headers.get("x-amz-invocation-type").map(|v| v.as_bytes()) {
            None | Some(b"RequestResponse") => InvocationType::RequestResponse,
            Some(b"DryRun") => InvocationType::DryRun,
            Some(other) => {
                let other = String::from_utf8_lossy(other);
                return Err(Refusal::InvalidParameter(format!(
                    "`{other}` is not an invocation type: use RequestResponse or DryRun"
                )));
            }
        };
        Ok(Self {
            function,
            qualifier,
            name,
            kind,
        })
    }
}

/// The event: JSON, or nothing at all, which is an empty object.
pub(super) fn payload(body: Bytes) -> Result<Bytes, Refusal> {
    if body.is_empty() {
        return Ok(Bytes::from_static(b"{}"));
    }
    match serde_json::from_slice::<serde::de::IgnoredAny>(&body) {
        Ok(_) => Ok(body),
        Err(error) => Err(Refusal::InvalidContent(error.to_string())),
    }
}

/// Undoes percent-encoding; what is not well encoded stays as it is.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = bytes.get(at + 1..at + 3);
        let hex = hex.and_then(|hex| std::str::from_utf8(hex).ok());
        let code = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (byte, code) {
            (b'%', Some(code)) => {
                out.push(code);
                at += 3;
            }
            _ => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
