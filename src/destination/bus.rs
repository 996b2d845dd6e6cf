//! EventBridge event buses as destinations.

use super::BusEntry;
use crate::engine::FailureClass;
use crate::source::signed::{Call, Service, Signed};
use crate::source::{CallError, Connection, classify};
use serde_json::{Value, json};

const PUT_EVENTS: &str = "PutEvents";

#[derive(Debug)]
pub(super) struct Bus {
    service: Signed,
    url: String,
    arn: String,
}

impl Bus {
    pub(super) fn new(
        connection: Connection,
        endpoint_url: Option<&str>,
        partition: &str,
        arn: String,
    ) -> Self {
        let service = Signed::new(connection, Service::EventBridge);
        let url = service.url(endpoint_url, partition);
        Self { service, url, arn }
    }

    pub(super) fn arn(&self) -> &str {
        &self.arn
    }

    pub(super) async fn put(&self, entry: &BusEntry) -> Result<(), CallError> {
        let request = json!({ "Entries": [{
            "Source": entry.source,
            "DetailType": entry.detail_type,
            "Resources": [&*entry.resources[0], &*entry.resources[1]],
            "Detail": entry.detail,
            "EventBusName": self.arn,
        }] });
        let call = Call {
            name: PUT_EVENTS,
            method: "POST",
            url: self.url.clone(),
            content_type: "application/x-amz-json-1.1",
            target: Some("AWSEvents.PutEvents"),
            body: request.to_string().into_bytes(),
        };
        let answer = self.service.send(call).await?.text().await;
        match refusal(&answer) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

/// PutEvents answers with success whatever becomes of the entries, and says of each what did.
fn refusal(answer: &str) -> Option<CallError> {
    let answer: Value = serde_json::from_str(answer).unwrap_or_default();
    let failed = match answer["FailedEntryCount"].as_u64() {
        Some(0) => return None,
        Some(_) => true,
        None => false,
    };
    let entry = &answer["Entries"][0];
    let code = entry["ErrorCode"].as_str();
    let text = match (failed, code, entry["ErrorMessage"].as_str()) {
        (false, ..) => "an answer without FailedEntryCount makes no sense".to_owned(),
        (true, Some(code), Some(message)) => format!("{code}: {message}"),
        (true, code, _) => code.unwrap_or("the entry failed").to_owned(),
    };
    Some(CallError {
        class: match code {
            Some("NotAuthorizedForSource" | "MalformedDetail") => FailureClass::Denied,
            code => classify(code, None),
        },
        call: PUT_EVENTS,
        text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_that_failed_is_no_success() {
        use FailureClass::{Denied, Throttled, Transient};
        assert_eq!(
            refusal(r#"{"FailedEntryCount":0,"Entries":[{"EventId":"1"}]}"#),
            None
        );
        for (answer, class, text) in [
            (
                r#"{"FailedEntryCount":1,"Entries":[{"ErrorCode":"ThrottlingException","ErrorMessage":"slow"}]}"#,
                Throttled,
                "ThrottlingException: slow",
            ),
            (
                r#"{"FailedEntryCount":1,"Entries":[{"ErrorCode":"MalformedDetail"}]}"#,
                Denied,
                "MalformedDetail",
            ),
            (r#"{"FailedEntryCount":1}"#, Transient, "the entry failed"),
            (
                "",
                Transient,
                "an answer without FailedEntryCount makes no sense",
            ),
        ] {
            let error = refusal(answer).expect(answer);
            assert_eq!((error.class, error.text.as_str()), (class, text));
        }
    }
}
