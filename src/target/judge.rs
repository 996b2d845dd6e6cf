//! What the answer to an invocation means.

use crate::engine::{Outcome, Span};
use crate::scenario::ErrorSign;

/// The parts of an answer that meaning depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    /// `X-Amz-Function-Error` is present.
    pub(crate) error_header: bool,
    /// `Retry-After`, as it came.
    pub(crate) retry_after: Option<&'a str>,
    pub(crate) body: &'a [u8],
}

/// A server that asks for a longer pause than this is asked again anyway, in seconds.
const RETRY_AFTER_SECS_MAX: u64 = 900;

/// Says how an invocation ended.
///
/// Whatever `sign` says, 429 is a throttle and 413 an event that is too large; other answers that are not a
/// success say nothing of the function, so they spend no try.
pub(crate) fn judge(sign: ErrorSign, answer: &Answer<'_>) -> Outcome {
    let success = (200..300).contains(&answer.status);
    match (answer.status, sign) {
        (429, _) | (503, ErrorSign::Status) => Outcome::Throttled {
            retry_after: retry_after(answer.retry_after),
        },
        (413, _) => Outcome::TooLarge,
        (_, ErrorSign::Header) if success && answer.error_header => Outcome::FunctionError,
        (_, ErrorSign::Body) if success && tells_of_an_error(answer.body) => Outcome::FunctionError,
        (500..600, ErrorSign::Status) => Outcome::FunctionError,
        _ if success => Outcome::Success,
        _ => Outcome::ServiceError,
    }
}

/// Only the form in seconds; a date would compare two machines' clocks.
fn retry_after(text: Option<&str>) -> Span {
    let secs = text.and_then(|text| text.trim().parse::<u64>().ok());
    Span::from_secs(secs.unwrap_or(0).min(RETRY_AFTER_SECS_MAX))
}

fn tells_of_an_error(body: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Fields {
        #[serde(rename = "errorType")]
        error_type: Option<serde::de::IgnoredAny>,
        #[serde(rename = "errorMessage")]
        error_message: Option<serde::de::IgnoredAny>,
    }
    match serde_json::from_slice::<Fields>(body) {
        Ok(fields) => fields.error_type.is_some() || fields.error_message.is_some(),
        Err(_) => {
            String::from_utf8_lossy(&body[..body.len().min(4_096)]).contains("Task timed out")
        }
    }
}

/// The head of an error's text, for logs: enough to act on, without the payload that may follow.
pub(crate) fn excerpt(body: &[u8]) -> String {
    const CHARS_MAX: usize = 300;
    String::from_utf8_lossy(&body[..body.len().min(4 * CHARS_MAX)])
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(CHARS_MAX)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sign_reads_its_own_mark() {
        let throttled = |secs| Outcome::Throttled {
            retry_after: Span::from_secs(secs),
        };
        let error = br#"{"errorType":"Exception","errorMessage":"x"}"#.as_slice();
        let timeout = b"2026 Task timed out after 1.00 seconds".as_slice();
        use ErrorSign::{Body, Header, Status};
        use Outcome::{FunctionError, ServiceError, Success, TooLarge};
        for (sign, status, header, retry, body, expected) in [
            (Header, 200, false, None, error, Success),
            (Header, 200, true, None, b"{}".as_slice(), FunctionError),
            (Header, 500, false, None, b"", ServiceError),
            (Header, 404, false, None, b"", ServiceError),
            (Header, 413, false, None, b"", TooLarge),
            (Header, 429, false, Some("7"), b"", throttled(7)),
            (Header, 503, false, None, b"", ServiceError),
            (Body, 200, false, None, error, FunctionError),
            (Body, 200, false, None, timeout, FunctionError),
            (Body, 200, false, None, b"{\"ok\":1}", Success),
            (Body, 200, false, None, b"", Success),
            (Body, 400, false, None, error, ServiceError),
            (Status, 500, false, None, b"", FunctionError),
            (Status, 503, false, Some("nonsense"), b"", throttled(0)),
            (Status, 204, false, None, b"", Success),
            (Status, 400, false, None, b"", ServiceError),
            (Status, 429, false, Some("999999"), b"", throttled(900)),
        ] {
            let answer = Answer {
                status,
                error_header: header,
                retry_after: retry,
                body,
            };
            assert_eq!(judge(sign, &answer), expected, "{sign:?} {answer:?}");
        }
    }
}
