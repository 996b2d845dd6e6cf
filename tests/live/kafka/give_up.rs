//! What becomes of records that are given up: topics and files are told of them.

use super::access::{login, poller};
use crate::support::kafka::{SASL, Topic};
use crate::support::unique;
use serde_json::{Value, json};

const TRIES: &str = "ProvisionedPollerConfig = { MinimumPollers = 1, MaximumPollers = 1 }\n\
    MaximumRetryAttempts = 1\nBatchSize = 1\nMaximumBatchingWindowInSeconds = 0\n";

/// Two records that are poison among others, one of them without a key.
async fn poisoned() -> Topic {
    let topic = Topic::create(2).await;
    for (partition, key, value) in [
        (0, Some("key-a"), "good"),
        (0, Some("key-b"), "poison one"),
        (0, None, "poison two"),
        (1, Some("key-c"), "good"),
    ] {
        topic.send(partition, key, Some(value)).await;
    }
    topic
}

#[tokio::test]
async fn kafka_topic_is_told_of_each_record_with_its_key() {
    let topic = poisoned().await;
    let failed = Topic::create(3).await;
    let lines = format!(
        "{TRIES}security_protocol = \"SASL_PLAINTEXT\"\n\
         DestinationConfig = {{ OnFailure = {{ Destination = \"kafka://{}\" }} }}\n",
        failed.name
    );
    // The destination is reached as the source is.
    let access = [("SASL_SCRAM_512_AUTH", login("tidegate", "tide-secret"))];
    let poller = poller(&topic, SASL, &access, &lines);
    let ended = poller.run(&["--max-records", "4"]);
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(topic.committed(), [(0, 3), (1, 1)].into());
    let mut told: Vec<(Option<String>, Value)> = (0..3)
        .flat_map(|partition| failed.read(partition))
        .map(|(_, key, value)| {
            let value = value.expect("a value");
            (key, serde_json::from_str(&value).expect("JSON"))
        })
        .collect();
    told.sort_by_key(|(_, told)| told["recordInfo"]["offset"].to_string());
    let keys: Vec<_> = told.iter().map(|(key, _)| key.as_deref()).collect();
    assert_eq!(keys, [Some("key-b"), None]);
    for ((_, told), (offset, value)) in told
        .iter()
        .zip([(1, "cG9pc29uIG9uZQ=="), (2, "cG9pc29uIHR3bw==")])
    {
        assert_eq!(told["requestContext"]["condition"], "RetriesExhausted");
        assert_eq!(told["requestContext"]["approximateInvokeCount"], 2);
        assert_eq!(
            told["responseContext"],
            json!({"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"})
        );
        assert_eq!(told["recordInfo"]["offset"], offset.to_string());
        let record = told["payload"].as_str().expect("a text");
        let record: Value = serde_json::from_str(record).expect("a record");
        assert_eq!(record["topic"], topic.name.as_str());
        assert_eq!(
            (&record["offset"], &record["value"]),
            (&json!(offset), &json!(value))
        );
    }
}

#[tokio::test]
async fn a_file_is_told_of_the_batch() {
    let topic = poisoned().await;
    let lines = format!(
        "{TRIES}DestinationConfig = {{ OnFailure = {{ Destination = \"file://failed.jsonl\" }} }}\n\
         backoff_first = \"10ms\"\n"
    );
    let poller = topic.poller(&lines);
    let ended = poller.run(&["--max-records", "4"]);
    assert!(ended.status.success(), "{ended:?}");
    let text = std::fs::read_to_string(poller.path("failed.jsonl")).expect("the file");
    let told: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(told.len(), 2);
    let info = &told[0]["KafkaBatchInfo"];
    assert_eq!(info["batchSize"], 1);
    assert_eq!(info["bootstrapServers"], topic.servers.as_str());
    let event = told[0]["payload"].as_str().expect("a text");
    assert_eq!(info["payloadSize"], event.len());
    let event: Value = serde_json::from_str(event).expect("an event");
    let partition = format!("{}-0", topic.name);
    assert_eq!(event["records"][&partition][0]["offset"], 1);
    let range = &info["recordsInfo"][&partition];
    assert_eq!(
        (&range["firstRecordOffset"], &range["lastRecordOffset"]),
        (&json!("1"), &json!("1"))
    );
}

#[tokio::test]
async fn a_topic_that_is_not_there_is_not_waited_for() {
    let topic = poisoned().await;
    let lines = format!(
        "{TRIES}backoff_first = \"10ms\"\n\
         DestinationConfig = {{ OnFailure = {{ Destination = \"kafka://{}\" }} }}\n",
        unique("missing")
    );
    let poller = topic.poller(&lines);
    let ended = poller.run(&["--max-records", "4"]);
    assert!(ended.status.success(), "{ended:?}");
    assert!(
        ended.output.contains("ESM_CONFIG_NOT_VALID"),
        "{}",
        ended.output
    );
    assert!(
        ended.output.contains("destination=Refused"),
        "{}",
        ended.output
    );
    assert_eq!(topic.committed(), [(0, 3), (1, 1)].into());
}
