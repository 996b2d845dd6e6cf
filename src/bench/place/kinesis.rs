//! A Kinesis stream: read every shard, invoke.

use super::{Loops, beyond, told};
use crate::bench::load::{Item, number_of};
use crate::engine::{FailureClass, Position};
use crate::scenario::{Arn, Aws, BenchPoint, MappingSource};
use crate::source::{Connection, call_error};
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::{PutRecordsRequestEntry, Record, ShardIteratorType, StreamStatus};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::task::JoinSet;

/// Bytes of a PutRecords; the quota is 10 MiB.
const CALL_BYTES_MAX: usize = 4_000_000;
/// How often a stream that is being made is looked at, and for how long.
const LOOK: Duration = Duration::from_millis(100);
const LOOKS: u32 = 600;

#[derive(Debug)]
pub(crate) struct Stream {
    client: aws_sdk_kinesis::Client,
    arn: String,
    name: String,
    is_ours: bool,
    begin: ShardIteratorType,
    pub(super) source: MappingSource,
}

impl Stream {
    pub(super) async fn open(
        point: &BenchPoint,
        arn: &Arn,
        endpoint: Option<&str>,
        aws: &Aws,
        name: &str,
    ) -> Result<Self, String> {
        let connection = Connection::open(aws, endpoint, Some(&arn.region)).await;
        let connection = connection.map_err(|error| error.to_string())?;
        let client = aws_sdk_kinesis::Client::from_conf(connection.kinesis());
        let is_ours = !point.bench.existing;
        let name = if is_ours { name } else { arn.name.as_str() };
        if is_ours {
            let created = client
                .create_stream()
                .stream_name(name)
                .shard_count(point.bench.shards as i32)
                .send()
                .await;
            created.map_err(|error| told(&call_error("CreateStream", &error)))?;
        }
        let text = active(&client, name).await?;
        let parsed = Arn::parse(&text).map_err(|error| format!("{text}: {error}"))?;
        let latest = point.mapping().config.starting_position == Position::Latest;
        Ok(Self {
            client,
            name: name.to_owned(),
            is_ours,
            begin: match latest && !is_ours {
                true => ShardIteratorType::Latest,
                false => ShardIteratorType::TrimHorizon,
            },
            source: MappingSource::Service {
                arn: parsed,
                endpoint_url: endpoint.map(str::to_owned),
            },
            arn: text,
        })
    }

    pub(super) async fn remove(&self) -> Result<(), String> {
        if self.is_ours {
            let deleted = self
                .client
                .delete_stream()
                .stream_name(&self.name)
                .enforce_consumer_deletion(true)
                .send()
                .await;
            deleted.map_err(|error| told(&call_error("DeleteStream", &error)))?;
        }
        Ok(())
    }

    pub(super) async fn write(&self, mut items: Vec<Item>) -> Result<Vec<Item>, String> {
        let mut later = beyond(&mut items, CALL_BYTES_MAX);
        let mut put = self.client.put_records().stream_name(&self.name);
        for item in &items {
            let entry = PutRecordsRequestEntry::builder()
                .data(Blob::new(item.body.as_bytes()))
                .partition_key(&item.key)
                .build();
            put = put.records(entry.map_err(|error| error.to_string())?);
        }
        match put.send().await {
            Ok(answer) => {
                let each = items.into_iter().zip(&answer.records);
                later.extend(
                    each.filter(|(_, it)| it.error_code.is_some())
                        .map(|(item, _)| item),
                );
            }
            Err(error) => {
                let error = call_error("PutRecords", &error);
                if error.class == FailureClass::Denied {
                    return Err(told(&error));
                }
                later.extend(items);
            }
        }
        Ok(later)
    }

    pub(super) async fn bare(&self, loops: &Loops) -> Result<(), String> {
        let listed = self
            .client
            .list_shards()
            .stream_name(&self.name)
            .send()
            .await;
        let listed = listed.map_err(|error| told(&call_error("ListShards", &error)))?;
        let mut workers: JoinSet<Result<(), String>> = JoinSet::new();
        for shard in listed.shards.unwrap_or_default() {
            let (client, name, arn) = (self.client.clone(), self.name.clone(), self.arn.clone());
            let (begin, loops) = (self.begin.clone(), loops.clone());
            workers.spawn(async move {
                let shard = shard.shard_id;
                let first = client
                    .get_shard_iterator()
                    .stream_name(name)
                    .shard_id(&shard)
                    .shard_iterator_type(begin)
                    .send()
                    .await;
                let first = first.map_err(|error| told(&call_error("GetShardIterator", &error)))?;
                let mut iterator = first.shard_iterator;
                while iterator.is_some() {
                    iterator = turn(&client, iterator, &shard, &arn, &loops).await?;
                }
                Ok(())
            });
        }
        while let Some(ended) = workers.join_next().await {
            ended.map_err(|error| error.to_string())??;
        }
        Ok(())
    }
}

/// Waits until the stream can be used, and returns its ARN.
async fn active(client: &aws_sdk_kinesis::Client, name: &str) -> Result<String, String> {
    for _ in 0..LOOKS {
        let asked = client
            .describe_stream_summary()
            .stream_name(name)
            .send()
            .await;
        let asked = asked.map_err(|error| told(&call_error("DescribeStreamSummary", &error)))?;
        if let Some(found) = asked.stream_description_summary
            && found.stream_status == StreamStatus::Active
        {
            return Ok(found.stream_arn);
        }
        tokio::time::sleep(LOOK).await;
    }
    Err(format!(
        "the stream {name} is still not active after a minute"
    ))
}

/// One round of the loop: a page, batch by batch.
async fn turn(
    client: &aws_sdk_kinesis::Client,
    iterator: Option<String>,
    shard: &str,
    arn: &str,
    loops: &Loops,
) -> Result<Option<String>, String> {
    let begun = loops.clock.now();
    loops.calls.request();
    let page = client
        .get_records()
        .set_shard_iterator(iterator)
        .limit(10_000)
        .send()
        .await
        .map_err(|error| told(&call_error("GetRecords", &error)))?;
    let ended = loops.clock.now();
    let numbers = page
        .records
        .iter()
        .filter_map(|it| number_of(it.data.as_ref()));
    if let Some(oldest) = numbers.min() {
        loops.calls.returned(begun, ended, Some(oldest));
    }
    for batch in page.records.chunks(loops.batch_size) {
        let list: Vec<Value> = batch.iter().map(|it| record(it, shard, arn)).collect();
        let event = json!({ "Records": list });
        while !loops.caller.send(&event).await {}
    }
    let rest = (begun + loops.read_interval).since(loops.clock.now());
    tokio::time::sleep(rest.to_std()).await;
    Ok(page.next_shard_iterator)
}

fn record(record: &Record, shard: &str, arn: &str) -> Value {
    let arrival = record.approximate_arrival_timestamp;
    json!({
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": record.partition_key(),
            "sequenceNumber": record.sequence_number(),
            "data": STANDARD.encode(record.data.as_ref()),
            "approximateArrivalTimestamp": arrival.map_or(0.0, |at| at.as_secs_f64()),
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": format!("{shard}:{}", record.sequence_number()),
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::000000000000:role/lambda-role",
        "awsRegion": arn.split(':').nth(3),
        "eventSourceARN": arn,
    })
}
