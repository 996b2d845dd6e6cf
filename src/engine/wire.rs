//! The exact length of records in the JSON event that a function receives.
//!
//! Lambda's 6 MiB limit is on the encoded event, so the engine must know lengths before anything is encoded.
//! The poller's encoder asserts that these predictions are exact.

/// Length of `{"Records":[` and `]}` around the records of Kinesis, DynamoDB and SQS events.
pub const RECORDS_ENVELOPE_LEN: u32 = 14;

/// Bytes of a typical Kinesis record around its base64 data; the simulator's records have no texts to measure.
pub const KINESIS_RECORD_AROUND_LEN: u64 = 560;
/// Bytes of a typical DynamoDB stream record around its image: names, numbers, a key of one attribute and the stream's ARN.
/// The image stands in the event as JSON, not in base64, so a modelled size counts as it is.
pub const DYNAMODB_RECORD_AROUND_LEN: u64 = 470;
/// Bytes of a typical SQS message around its body, receipt handle included.
pub const SQS_MESSAGE_AROUND_LEN: u64 = 980;
/// The same of a FIFO queue: three attributes more.
pub const SQS_FIFO_MESSAGE_AROUND_LEN: u64 = SQS_MESSAGE_AROUND_LEN + 190;

/// Bytes of a typical ActiveMQ event around its messages: source, broker ARN and brackets.
pub const ACTIVEMQ_ENVELOPE_LEN: u32 = 144;
/// Bytes of a typical RabbitMQ event around its messages. The real length depends on the names of queue and virtual host.
pub const RABBITMQ_ENVELOPE_LEN: u32 = 169;
/// Bytes of a typical ActiveMQ message around its base64 data.
pub const ACTIVEMQ_MESSAGE_AROUND_LEN: u64 = 415;
/// Bytes of a typical RabbitMQ message around its base64 data, without headers.
pub const RABBITMQ_MESSAGE_AROUND_LEN: u64 = 370;

/// Bytes of a typical event of a self-managed cluster around its partitions: source and servers.
pub const KAFKA_ENVELOPE_LEN: u32 = 90;
/// Bytes that a typical partition takes around its records: `"orders-":[]`, the comma behind it, and its number.
pub const KAFKA_PARTITION_LEN: u32 = 20;
/// Bytes of a typical Kafka record around its base64 value: names, numbers, and a key of eight bytes.
pub const KAFKA_RECORD_AROUND_LEN: u64 = 151;

/// Length of `bytes` bytes in base64 with padding.
pub const fn base64_len(bytes: u64) -> u64 {
    bytes.div_ceil(3) * 4
}

/// Length of `text` between the quotes of a JSON string, escaped as our encoder escapes.
///
/// The short escapes (`\n`, `\"` …) take two bytes, other control characters six, everything else its UTF-8 form.
///
/// ```
/// use tidegate::engine::wire::json_text_len;
///
/// assert_eq!(json_text_len("tide"), 4);
/// assert_eq!(json_text_len("\"a\"\n\u{1}é"), 2 + 1 + 2 + 2 + 6 + 2);
/// ```
pub fn json_text_len(text: &str) -> u64 {
    text.bytes()
        .map(|byte| u64::from(ESCAPED_LEN[byte as usize]))
        .sum()
}

const ESCAPED_LEN: [u8; 256] = {
    let mut lens = [1u8; 256];
    let mut byte = 0;
    while byte < 0x20 {
        lens[byte] = 6;
        byte += 1;
    }
    lens[0x08] = 2;
    lens[0x09] = 2;
    lens[0x0a] = 2;
    lens[0x0c] = 2;
    lens[0x0d] = 2;
    lens[b'"' as usize] = 2;
    lens[b'\\' as usize] = 2;
    lens
};

/// Length of a whole number in decimal digits.
pub const fn decimal_len(value: u64) -> u64 {
    match value.checked_ilog10() {
        Some(log) => log as u64 + 1,
        None => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_those_of_the_encodings() {
        assert_eq!([0, 1, 2, 3, 4].map(base64_len), [0, 4, 4, 4, 8]);
        assert_eq!([0, 9, 10, 12_345].map(decimal_len), [1, 1, 2, 5]);
        assert_eq!("{\"Records\":[]}".len(), RECORDS_ENVELOPE_LEN as usize);
    }

    #[test]
    fn a_typical_dynamodb_record_has_the_length_that_is_assumed() {
        let record = concat!(
            r#"{"eventID":"c4ca4238a0b923820dcc509a6f75849b","eventName":"INSERT","eventVersion":"1.1","#,
            r#""eventSource":"aws:dynamodb","awsRegion":"us-east-1","#,
            r#""dynamodb":{"ApproximateCreationDateTime":1.789651658E9,"#,
            r#""Keys":{"Id":{"S":"0b7d3c1a-54be-4d5a-9b52-1f60c8e3a901"}},"NewImage":,"#,
            r#""SequenceNumber":"4421584500000000017450439091","SizeBytes":1024,"#,
            r#""StreamViewType":"NEW_IMAGE"},"#,
            r#""eventSourceARN":"arn:aws:dynamodb:us-east-1:123456789012:table/orders/stream/2026-11-21T06:00:00.000"}"#,
        );
        let assumed = DYNAMODB_RECORD_AROUND_LEN;
        assert!(
            (record.len() as u64).abs_diff(assumed) < 20,
            "{}",
            record.len()
        );
    }

    #[test]
    fn typical_events_of_brokers_have_the_lengths_that_are_assumed() {
        const BROKER: &str = "arn:aws:mq:us-east-1:123456789012:broker:orders:b-0b7d3c1a-54be-4d5a-9b52-1f60c8e3a901";
        let rabbitmq = concat!(
            r#"{"basicProperties":{"contentType":"application/json","contentEncoding":null,"headers":{},"#,
            r#""deliveryMode":2,"priority":null,"correlationId":null,"replyTo":null,"expiration":null,"#,
            r#""messageId":"0b7d3c1a-54be-4d5a-9b52-1f60c8e3a901","timestamp":"Nov 21, 2026, 6:00:00 AM","#,
            r#""type":null,"userId":null,"appId":null,"clusterId":null,"bodySize":1024},"#,
            r#""redelivered":false,"data":""}"#,
        );
        let activemq = concat!(
            r#"{"messageID":"ID:b-0b7d3c1a-54be-4d5a-9b52-1f60c8e3a901-1.mq.us-east-1.amazonaws.com-41729-1789651658000-2:1:1:1:1","#,
            r#""messageType":"jms/text-message","timestamp":1789651658000,"deliveryMode":1,"correlationID":null,"#,
            r#""replyTo":"null","destination":{"physicalName":"orders"},"redelivered":false,"type":null,"#,
            r#""expiration":0,"priority":4,"data":"","brokerInTime":1789651658001,"#,
            r#""brokerOutTime":1789651658002,"properties":{}}"#,
        );
        let kafka = concat!(
            r#"{"topic":"orders","partition":12,"offset":1234567,"timestamp":1789651658000,"#,
            r#""timestampType":"CREATE_TIME","key":"MTIzNDU2Nzg=","value":"","headers":[]}"#,
        );
        let around_kafka = r#"{"eventSource":"SelfManagedKafka","bootstrapServers":"kafka-1:9092,kafka-2:9092","records":{}}"#;
        let around_rabbitmq = format!(
            r#"{{"eventSource":"aws:rmq","eventSourceArn":"{BROKER}","rmqMessagesByQueue":{{"orders::/":[]}}}}"#
        );
        let around_activemq =
            format!(r#"{{"eventSource":"aws:mq","eventSourceArn":"{BROKER}","messages":[]}}"#);
        let near = |text: &str, assumed: u64| {
            assert!((text.len() as u64).abs_diff(assumed) < 10, "{}", text.len());
        };
        near(rabbitmq, RABBITMQ_MESSAGE_AROUND_LEN);
        near(activemq, ACTIVEMQ_MESSAGE_AROUND_LEN);
        near(kafka, KAFKA_RECORD_AROUND_LEN);
        near(around_kafka, u64::from(KAFKA_ENVELOPE_LEN));
        near(r#""orders-12":[],"#, u64::from(KAFKA_PARTITION_LEN));
        near(&around_rabbitmq, u64::from(RABBITMQ_ENVELOPE_LEN));
        near(&around_activemq, u64::from(ACTIVEMQ_ENVELOPE_LEN));
    }
}
