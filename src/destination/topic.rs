//! SNS topics as destinations.

use crate::source::signed::{Call, Service, Signed, domain, push_encoded};
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
        let url = match endpoint_url {
            Some(endpoint) => format!("{}/", endpoint.trim_end_matches('/')),
            None => format!("https://sns.{}.{}/", service.region(), domain(partition)),
        };
        Self { service, url, arn }
    }

    pub(super) async fn publish(&self, message: &[u8]) -> Result<(), CallError> {
        let mut body = b"Action=Publish&Version=2010-03-31&TopicArn=".to_vec();
        push_encoded(&mut body, self.arn.as_bytes(), b"");
        body.extend_from_slice(b"&Message=");
        push_encoded(&mut body, message, b"");
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
