//! S3 buckets as destinations.

use crate::source::signed::{Call, Service, Signed, domain, push_encoded};
use crate::source::{CallError, Connection};

#[derive(Debug)]
pub(super) struct Bucket {
    service: Signed,
    /// Up to the slash before the key.
    url: String,
}

impl Bucket {
    /// Other servers than AWS are asked for the bucket by path, since their names have no subdomains. So is a bucket
    /// with a dot in its name, which no certificate covers.
    pub(super) fn new(
        connection: Connection,
        endpoint_url: Option<&str>,
        partition: &str,
        bucket: &str,
    ) -> Self {
        let service = Signed::new(connection, Service::S3);
        let url = match endpoint_url {
            Some(endpoint) => format!("{}/{bucket}/", endpoint.trim_end_matches('/')),
            None => service_url(service.region(), domain(partition), bucket),
        };
        Self { service, url }
    }

    pub(super) async fn put(&self, key: &str, body: Vec<u8>) -> Result<(), CallError> {
        let mut url = self.url.clone().into_bytes();
        push_encoded(&mut url, key.as_bytes(), b"/");
        let call = Call {
            name: "PutObject",
            method: "PUT",
            url: String::from_utf8_lossy(&url).into_owned(),
            content_type: "application/octet-stream",
            target: None,
            body,
        };
        self.service.send(call).await.map(drop)
    }
}

fn service_url(region: &str, domain: &str, bucket: &str) -> String {
    if bucket.contains('.') {
        format!("https://s3.{region}.{domain}/{bucket}/")
    } else {
        format!("https://{bucket}.s3.{region}.{domain}/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_a_subdomain_unless_its_name_has_dots() {
        let domain = domain("aws");
        assert_eq!(
            service_url("eu-west-1", domain, "failed"),
            "https://failed.s3.eu-west-1.amazonaws.com/"
        );
        assert_eq!(
            service_url("eu-west-1", domain, "failed.example.com"),
            "https://s3.eu-west-1.amazonaws.com/failed.example.com/"
        );
    }
}
