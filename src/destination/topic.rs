//! SNS topics as destinations.

use super::DeadLetterAttributes;
use crate::source::signed::{Call, Service, Signed, push_encoded};
use crate::source::{CallError, Connection};

#[derive(Debug)]
pub(super) struct Topic {
    service: Signed,
    url: String,
    arn: String,
}

impl Topic {
    pub(super) fn new(
        connection: Connection,
        endpoint_url: Option<&str>,
        partition: &str,
        arn: String,
    ) -> Self {
        let service = Signed::new(connection, Service::Sns);
        let url = service.url(endpoint_url, partition);
        Self { service, url, arn }
    }

    pub(super) async fn publish(&self, message: &[u8]) -> Result<(), CallError> {
        self.publish_with(message, None).await
    }

    pub(super) async fn publish_with(
        &self,
        message: &[u8],
        attributes: Option<&DeadLetterAttributes>,
    ) -> Result<(), CallError> {
        let mut body = b"Action=Publish&Version=2010-03-31&TopicArn=".to_vec();
        push_encoded(&mut body, self.arn.as_bytes(), b"");
        body.extend_from_slice(b"&Message=");
        push_encoded(&mut body, message, b"");
        let attributes = attributes.into_iter().flat_map(DeadLetterAttributes::list);
        // An attribute without a value is refused.
        let attributes = attributes.filter(|(_, _, value)| !value.is_empty());
        for (number, (name, kind, value)) in (1..).zip(attributes) {
            let head = format!("&MessageAttributes.entry.{number}");
            let fields = format!("{head}.Name={name}{head}.Value.DataType={kind}");
            body.extend_from_slice(fields.as_bytes());
            body.extend_from_slice(format!("{head}.Value.StringValue=").as_bytes());
            push_encoded(&mut body, value.as_bytes(), b"");
        }
        let call = Call {
            name: "Publish",
            method: "POST",
            url: self.url.clone(),
            content_type: "application/x-www-form-urlencoded",
            target: None,
            body,
        };
        self.service.send(call).await.map(drop)
    }
}
