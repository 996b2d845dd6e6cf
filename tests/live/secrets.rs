//! Secrets behind a real server's Secrets Manager.

use crate::support::{MINISTACK_URL, server_url, unique};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tidegate::scenario::{Aws, SecretUri};
use tidegate::source::secret::{self, SecretError};

/// A call of Secrets Manager. The server looks no further than the service's name in the signature.
async fn call(target: &str, body: Value) -> Value {
    let authorization = "AWS4-HMAC-SHA256 Credential=test/20260105/us-east-1/secretsmanager/aws4_request, \
                         SignedHeaders=host, Signature=0";
    let request = Request::post(server_url(MINISTACK_URL))
        .header("authorization", authorization)
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amz-target", format!("secretsmanager.{target}"))
        .body(Full::new(Bytes::from(body.to_string())))
        .expect("a request");
    let client = Client::builder(TokioExecutor::new()).build_http();
    let response = client.request(request).await.expect("an answer");
    assert_eq!(response.status(), 200, "{target}");
    let body = response.into_body().collect().await.expect("a body");
    serde_json::from_slice(&body.to_bytes()).expect("JSON")
}

fn aws() -> Aws {
    Aws {
        region: None,
        endpoint_url: Some(server_url(MINISTACK_URL)),
        profile: None,
    }
}

#[tokio::test]
async fn a_secret_is_fetched_by_its_arn() {
    let text = r#"{"username":"ada","password":"s3cret \"quoted\""}"#;
    let name = unique("broker/login");
    let made = call(
        "CreateSecret",
        json!({"Name": name, "SecretString": text, "ClientRequestToken": unique("0123456789abcdef0123456789abcdef")}),
    )
    .await;
    let arn = made["ARN"].as_str().expect("an ARN");
    let uri = SecretUri::parse(arn).expect("an ARN of a secret");
    let loaded = secret::load(&uri, &aws()).await.expect("a secret");
    let basic = loaded.basic().expect("a login");
    assert_eq!(basic.username.expose(), "ada");
    assert_eq!(basic.password.expose(), "s3cret \"quoted\"");
    let told = loaded.client_certificate().expect_err("no certificate");
    assert!(told.to_string().contains(arn), "{told}");

    call(
        "DeleteSecret",
        json!({"SecretId": arn, "ForceDeleteWithoutRecovery": true}),
    )
    .await;
    let gone = secret::load(&uri, &aws()).await.expect_err("deleted");
    let SecretError::Call { place, cause } = &gone else {
        panic!("{gone}");
    };
    assert_eq!((place.as_str(), cause.call), (arn, "GetSecretValue"));
    assert!(
        cause.text.starts_with("ResourceNotFoundException"),
        "{cause}"
    );
}
