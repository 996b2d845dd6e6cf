//! A table of a test's own. Its calls are plain requests: DynamoDB's client would take longer to compile than all else.

use super::{ACCESS_KEY_ID, REGION, server_url, unique};
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

pub(crate) const DYNAMODB_URL: &str = "TIDEGATE_TEST_DYNAMODB_URL";

/// A table with the string key `id`, and its stream.
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) stream_arn: String,
}

impl Table {
    /// A table whose stream shows its changes with old and new images.
    pub(crate) async fn create() -> Self {
        let name = unique("table");
        let answer = table_call(
            "CreateTable",
            &json!({
                "TableName": name,
                "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                "BillingMode": "PAY_PER_REQUEST",
                "StreamSpecification": {"StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES"},
            }),
        )
        .await;
        let arn = &answer["TableDescription"]["LatestStreamArn"];
        Self {
            name,
            stream_arn: arn.as_str().expect("the ARN of a stream").to_owned(),
        }
    }

    /// Puts an item with an attribute `text`.
    pub(crate) async fn put(&self, id: &str, text: &str) {
        self.put_item(&json!({"id": {"S": id}, "text": {"S": text}}))
            .await;
    }

    pub(crate) async fn put_item(&self, item: &Value) {
        let body = json!({"TableName": self.name, "Item": item});
        table_call("PutItem", &body).await;
    }

    pub(crate) async fn delete_item(&self, id: &str) {
        let body = json!({"TableName": self.name, "Key": {"id": {"S": id}}});
        table_call("DeleteItem", &body).await;
    }

    /// Ends the stream; what is in it stays readable.
    pub(crate) async fn disable_stream(&self) {
        let off = json!({"TableName": self.name, "StreamSpecification": {"StreamEnabled": false}});
        table_call("UpdateTable", &off).await;
    }

    /// The shards of the stream.
    pub(crate) async fn shards(&self) -> Vec<Value> {
        let answer = stream_call("DescribeStream", &json!({"StreamArn": self.stream_arn})).await;
        let shards = answer["StreamDescription"]["Shards"].as_array();
        shards.expect("a list of shards").clone()
    }

    /// An iterator of the shard; `sequence` is for the kinds that need one.
    pub(crate) async fn iterator(
        &self,
        shard: &Value,
        kind: &str,
        sequence: Option<&str>,
    ) -> Value {
        let mut body = json!({"StreamArn": self.stream_arn, "ShardId": shard["ShardId"], "ShardIteratorType": kind});
        if let Some(sequence) = sequence {
            body["SequenceNumber"] = json!(sequence);
        }
        stream_call("GetShardIterator", &body).await["ShardIterator"].clone()
    }
}

/// A call to a table.
pub(crate) async fn table_call(action: &str, body: &Value) -> Value {
    call(&format!("DynamoDB_20120810.{action}"), body).await
}

/// A call to a stream.
pub(crate) async fn stream_call(action: &str, body: &Value) -> Value {
    call(&format!("DynamoDBStreams_20120810.{action}"), body).await
}

async fn call(target: &str, body: &Value) -> Value {
    // The server looks at the form of a signature, not at the signature.
    let credential = format!("{ACCESS_KEY_ID}/20261121/{REGION}/dynamodb/aws4_request");
    let signed =
        format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0");
    let request = Request::post(server_url(DYNAMODB_URL))
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-target", target)
        .header("authorization", signed)
        .body(Full::new(Bytes::from(body.to_string())))
        .expect("a request");
    let client = Client::builder(TokioExecutor::new()).build_http();
    let answer = client.request(request).await.expect("an answer");
    let status = answer.status();
    let text = answer.into_body().collect().await.expect("a body");
    let text = text.to_bytes();
    assert!(status.is_success(), "{target}: {status} {text:?}");
    serde_json::from_slice(&text).expect("JSON")
}
