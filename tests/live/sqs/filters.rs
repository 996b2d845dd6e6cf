//! Filters on a real queue: what does not match is deleted and never delivered.

use super::poll::queue;
use crate::support::poller::Poller;
use crate::support::{Queue, QueueCounts, SQS_URL, server_url};
use aws_sdk_sqs::types::MessageAttributeValue;

fn poller(queue: &Queue, pattern: &str) -> Poller {
    let criteria = format!("FilterCriteria = {{ Filters = [{{ Pattern = '{pattern}' }}] }}\n");
    Poller::new(&queue.arn, server_url(SQS_URL), &criteria).function("timeout = \"20s\"\n")
}

/// The bodies that the function got, in order of the alphabet.
fn delivered(poller: &Poller) -> Vec<String> {
    let invocations = poller.invocations();
    let records = invocations.iter().flat_map(|it| &it.records);
    let mut bodies: Vec<String> = records
        .map(|record| record["body"].as_str().expect("a body").to_owned())
        .collect();
    bodies.sort();
    bodies
}

#[tokio::test]
async fn messages_that_do_not_match_are_deleted_and_the_others_delivered() {
    let queue = queue("60").await;
    let mut bodies = Vec::new();
    for number in 0..40 {
        bodies.push(format!("{{\"kind\":\"order\",\"n\":{number}}}"));
        bodies.push(format!("{{\"kind\":\"refund\",\"n\":{number}}}"));
        bodies.push(format!("{{\"kind\":\"order\",\"n\":{number}"));
        bodies.push(format!("order {number}"));
    }
    queue.send(&bodies).await;
    let poller = poller(&queue, r#"{"body":{"kind":["order"]}}"#);
    let ended = poller.run(&["--max-records", "160"]);
    assert!(ended.status.success(), "{ended:?}");
    assert!(
        ended
            .output
            .contains("polled 160 filtered 120 finished 160"),
        "{ended:?}"
    );
    let mut expected: Vec<String> = bodies.iter().step_by(4).cloned().collect();
    expected.sort();
    assert_eq!(delivered(&poller), expected);
    assert_eq!(queue.counts().await, QueueCounts::EMPTY);
}

#[tokio::test]
async fn a_queue_of_which_nothing_matches_is_emptied_without_an_invocation() {
    let queue = queue("60").await;
    let bodies: Vec<String> = (0..25).map(|number| format!("plain {number}")).collect();
    queue.send(&bodies).await;
    let poller = poller(&queue, r#"{"body":[{"prefix":"none"}]}"#);
    let ended = poller.run(&["--max-records", "25"]);
    assert!(ended.status.success(), "{ended:?}");
    assert!(poller.invocations().is_empty());
    assert_eq!(queue.counts().await, QueueCounts::EMPTY);
}

#[tokio::test]
async fn message_attributes_can_be_filtered_on() {
    let queue = queue("60").await;
    for region in ["eu", "us", "eu"] {
        let attribute = MessageAttributeValue::builder()
            .data_type("String")
            .string_value(region)
            .build()
            .expect("an attribute");
        queue
            .client
            .send_message()
            .queue_url(&queue.url)
            .message_body(region)
            .message_attributes("region", attribute)
            .send()
            .await
            .expect("SendMessage");
    }
    let pattern =
        r#"{"messageAttributes":{"region":{"stringValue":["eu"]}},"eventSource":["aws:sqs"]}"#;
    let poller = poller(&queue, pattern);
    let ended = poller.run(&["--max-records", "3"]);
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(delivered(&poller), ["eu", "eu"]);
    assert_eq!(queue.counts().await, QueueCounts::EMPTY);
}
