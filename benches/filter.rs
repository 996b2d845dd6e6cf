//! How many records per second the filters of a mapping can judge.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use tidegate::engine::SourceKind;
use tidegate::engine::filter::{Filters, Verdict, View};

const KINESIS_METADATA: &str = r#"{"kinesis":{"kinesisSchemaVersion":"1.0","partitionKey":"customer-4711","sequenceNumber":"49590338271490256608559692538361571095921575989136588898","approximateArrivalTimestamp":1545084650.987},"eventSource":"aws:kinesis","eventVersion":"1.0","eventID":"shardId-000000000006:49590338271490256608559692538361571095921575989136588898","eventName":"aws:kinesis:record","invokeIdentityArn":"arn:aws:iam::123456789012:role/lambda-role","awsRegion":"us-east-2","eventSourceARN":"arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream"}"#;
/// 200 bytes.
const ORDER: &str = r#"{"id":"7d1c2a9e-51f4","kind":"order","customer":{"id":4711,"name":"Ada","tags":["new","eu"]},"total":129.95,"currency":"EUR","items":[{"sku":"A-1","n":2},{"sku":"B-7","n":1}],"note":"leave at door"}"#;
const SQS_METADATA: &str = r#"{"messageId":"059f36b4-87a3-44ab-83d2-661975830a7d","receiptHandle":"AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a","attributes":{"ApproximateReceiveCount":"1","SentTimestamp":"1545082649183","SenderId":"AIDAIENQZJOLO23YVJ4VO","ApproximateFirstReceiveTimestamp":"1545082649185"},"messageAttributes":{},"md5OfBody":"e4e68fb7bd0e697a0ae8f1bb342846b3","eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:us-east-2:123456789012:my-queue","awsRegion":"us-east-2"}"#;
const DYNAMODB: &str = r#"{"eventID":"c4ca4238a0b923820dcc509a6f75849b","eventName":"MODIFY","eventVersion":"1.1","eventSource":"aws:dynamodb","awsRegion":"us-east-1","dynamodb":{"ApproximateCreationDateTime":1.789651658E9,"Keys":{"Id":{"N":"101"}},"NewImage":{"Id":{"N":"101"},"state":{"S":"PAID"},"tags":{"L":[{"S":"red"},{"S":"blue"}]},"total":{"N":"129.95"}},"OldImage":{"Id":{"N":"101"},"state":{"S":"OPEN"},"total":{"N":"129.95"}},"SequenceNumber":"111000000000000123456","SizeBytes":126,"StreamViewType":"NEW_AND_OLD_IMAGES"},"eventSourceARN":"arn:aws:dynamodb:us-east-1:123456789012:table/orders/stream/2026-01-01T00:00:00.000"}"#;

fn filters(source: SourceKind, patterns: &[&str]) -> Filters {
    Filters::compile(source, patterns).unwrap_or_else(|errors| panic!("{}", errors[0]))
}

fn matching(c: &mut Criterion) {
    let sequences: String = (0..40)
        .map(|i| format!(r#","k{i}":"\u00e9 and a value of some length {i}""#))
        .collect();
    let wide = ORDER.replacen('}', &format!("}}{sequences}"), 1);
    let five = [
        r#"{"data":{"kind":["refund"],"total":[{"numeric":[">",100]}]}}"#,
        r#"{"data":{"customer":{"name":[{"prefix":"B"}],"tags":["eu"]}}}"#,
        r#"{"data":{"items":{"sku":["C-1"],"n":[{"numeric":[">",5]}]}}}"#,
        r#"{"data":{"note":[{"anything-but":["leave at door"]}]}}"#,
        r#"{"partitionKey":[{"suffix":"-1"}]}"#,
    ];
    let two_keys = r#"{"data":{"kind":["order"],"total":[{"numeric":[">",100]}]}}"#;
    let cases = [
        (
            "kinesis json, 2 keys",
            filters(SourceKind::Kinesis, &[two_keys]),
            KINESIS_METADATA,
            Some(ORDER),
            Verdict::Match,
        ),
        (
            "kinesis json, 5 filters",
            filters(SourceKind::Kinesis, &five),
            KINESIS_METADATA,
            Some(ORDER),
            Verdict::NoMatch,
        ),
        (
            "kinesis json, 2 KB",
            filters(SourceKind::Kinesis, &[two_keys]),
            KINESIS_METADATA,
            Some(wide.as_str()),
            Verdict::Match,
        ),
        (
            "kinesis plain text",
            filters(SourceKind::Kinesis, &[two_keys]),
            KINESIS_METADATA,
            Some("order 129.95"),
            Verdict::OtherFormat,
        ),
        (
            "kinesis partition key",
            filters(
                SourceKind::Kinesis,
                &[r#"{"partitionKey":["customer-4711"]}"#],
            ),
            KINESIS_METADATA,
            Some(ORDER),
            Verdict::Match,
        ),
        (
            "sqs json body",
            filters(
                SourceKind::Sqs,
                &[r#"{"body":{"kind":["order"],"currency":["EUR","USD"]}}"#],
            ),
            SQS_METADATA,
            Some(ORDER),
            Verdict::Match,
        ),
        (
            "sqs text body",
            filters(SourceKind::Sqs, &[r#"{"body":[{"prefix":"order"}]}"#]),
            SQS_METADATA,
            Some("order 129.95"),
            Verdict::Match,
        ),
        (
            "dynamodb new image",
            filters(
                SourceKind::DynamoDb,
                &[r#"{"eventName":["MODIFY"],"dynamodb":{"NewImage":{"state":{"S":["PAID"]}}}}"#],
            ),
            DYNAMODB,
            None,
            Verdict::Match,
        ),
        // Nothing to be found before the record's last key, so that all of it is read.
        (
            "dynamodb, all of the record",
            filters(
                SourceKind::DynamoDb,
                &[
                    r#"{"dynamodb":{"NewImage":{"state":{"S":["OPEN"]}}},"eventSourceARN":[{"prefix":"arn:"}]}"#,
                ],
            ),
            DYNAMODB,
            None,
            Verdict::NoMatch,
        ),
    ];
    let mut group = c.benchmark_group("filter");
    group.throughput(Throughput::Elements(1));
    for (name, filters, metadata, data, expected) in &cases {
        let view = View {
            metadata: metadata.as_bytes(),
            data: data.map(str::as_bytes),
        };
        assert_eq!(filters.matches(&view), *expected, "{name}");
        group.bench_function(*name, |b| b.iter(|| filters.matches(black_box(&view))));
    }
    group.finish();
    let text = "compile 5 filters";
    c.bench_function(text, |b| {
        b.iter(|| filters(SourceKind::Kinesis, black_box(&five)));
    });
}

criterion_group!(benches, matching);
criterion_main!(benches);
