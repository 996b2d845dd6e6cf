//! What the poller relies upon in SQS, seen to hold in the server that its tests run against.

mod fifo;
mod filters;
mod lambda_target;
mod outage;
mod poll;

use std::time::{Duration, Instant};

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName, QueueAttributeName};

use crate::support::{Queue, QueueCounts, eventually};

async fn receive(queue: &Queue, wait_seconds: i32) -> Vec<Message> {
    queue
        .client
        .receive_message()
        .queue_url(&queue.url)
        .max_number_of_messages(10)
        .wait_time_seconds(wait_seconds)
        .message_system_attribute_names(MessageSystemAttributeName::All)
        .send()
        .await
        .expect("ReceiveMessage")
        .messages
        .unwrap_or_default()
}

fn receive_count(message: &Message) -> u32 {
    let attributes = message.attributes.as_ref().expect("system attributes");
    attributes[&MessageSystemAttributeName::ApproximateReceiveCount]
        .parse()
        .expect("a number")
}

fn handle(message: &Message) -> &str {
    message.receipt_handle.as_deref().expect("a receipt handle")
}

#[tokio::test]
async fn a_received_message_is_hidden_until_its_time_is_up_and_counts_its_receipts() {
    let queue = Queue::create(&[(QueueAttributeName::VisibilityTimeout, "1")]).await;
    queue.send(&["a".into()]).await;
    assert_eq!(queue.counts().await.visible, 1);

    let before = Instant::now();
    let first = receive(&queue, 5).await;
    assert_eq!(first.len(), 1);
    assert_eq!(receive_count(&first[0]), 1);
    assert_eq!(
        queue.counts().await,
        QueueCounts {
            in_flight: 1,
            ..QueueCounts::EMPTY
        }
    );
    assert!(receive(&queue, 0).await.is_empty());

    // Long polling returns it as soon as it is visible again, not before.
    let second = receive(&queue, 5).await;
    assert!(before.elapsed() >= Duration::from_secs(1));
    assert_eq!(second.len(), 1);
    assert_eq!(second[0].message_id, first[0].message_id);
    assert_eq!(receive_count(&second[0]), 2);

    // Giving it back makes it visible at once.
    queue
        .client
        .change_message_visibility()
        .queue_url(&queue.url)
        .receipt_handle(handle(&second[0]))
        .visibility_timeout(0)
        .send()
        .await
        .expect("ChangeMessageVisibility");
    let third = receive(&queue, 0).await;
    assert_eq!(third.len(), 1);
    assert_eq!(receive_count(&third[0]), 3);

    queue
        .client
        .delete_message()
        .queue_url(&queue.url)
        .receipt_handle(handle(&third[0]))
        .send()
        .await
        .expect("DeleteMessage");
    assert_eq!(queue.counts().await, QueueCounts::EMPTY);
    queue.delete().await;
}

#[tokio::test]
async fn a_message_received_too_often_moves_to_the_dead_letter_queue() {
    let dead = Queue::create(&[]).await;
    let policy = format!(
        r#"{{"deadLetterTargetArn":"{}","maxReceiveCount":"2"}}"#,
        dead.arn
    );
    let queue = Queue::create(&[
        (QueueAttributeName::VisibilityTimeout, "0"),
        (QueueAttributeName::RedrivePolicy, &policy),
    ])
    .await;
    queue.send(&["a".into()]).await;
    let mut receipts = Vec::new();
    let moved = eventually("the message in the dead-letter queue", async || {
        receipts.extend(receive(&queue, 0).await.iter().map(receive_count));
        let arrived = receive(&dead, 0).await;
        (!arrived.is_empty()).then_some(arrived)
    })
    .await;
    assert_eq!(receipts, [1, 2]);
    assert_eq!(moved[0].body.as_deref(), Some("a"));
    queue.delete().await;
    dead.delete().await;
}

#[tokio::test]
async fn a_message_group_is_locked_while_one_of_its_messages_is_in_flight() {
    let queue = Queue::create(&[
        (QueueAttributeName::FifoQueue, "true"),
        (QueueAttributeName::VisibilityTimeout, "60"),
    ])
    .await;
    for index in 0..12 {
        queue.send_fifo("one", &index.to_string()).await;
    }
    queue.send_fifo("two", "other").await;
    let first = receive(&queue, 1).await;
    let bodies: Vec<_> = first.iter().filter_map(|m| m.body.as_deref()).collect();
    assert_eq!(bodies, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    let second = receive(&queue, 1).await;
    let bodies: Vec<_> = second.iter().filter_map(|m| m.body.as_deref()).collect();
    assert_eq!(bodies, ["other"]);
    queue.delete().await;
}
