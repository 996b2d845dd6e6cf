//! The lease table in DynamoDB: one per mapping, every write with its condition.

use super::item::{self, COLUMNS, Lease};
use crate::engine::lease::LeaseAction;
use crate::engine::{Delta, FailureClass, Position};
use crate::scenario::{Arn, Aws, Leasing};
use crate::source::signed::{Call, Service, Signed, domain};
use crate::source::{AwsError, CallError, Connection};
use serde_json::{Value, json};
use std::time::Duration;

/// A new table is asked for its state this often, and this many times.
const STATE_INTERVAL: Duration = Duration::from_secs(1);
const STATE_QUESTIONS: u32 = 120;
/// Rows in one answer to a scan; more would be longer than the answers that are read.
const SCAN_ROWS_MAX: u32 = 1_000;

/// One mapping's table.
#[derive(Debug)]
pub(crate) struct LeaseTable {
    service: Signed,
    url: String,
    name: String,
    worker: String,
}

/// What became of a write.
#[derive(Debug)]
pub(crate) enum Written {
    /// It was made; the row as it is now, where that was asked for.
    Done(Option<Lease>),
    /// Its condition did not hold; the row as it is, if there is one.
    Refused(Option<Lease>),
}

impl LeaseTable {
    /// The table `PREFIX-MAPPING`, which need not exist yet, in the region of the stream.
    pub(crate) async fn open(
        leasing: &Leasing,
        mapping: &str,
        worker: &str,
        aws: &Aws,
        arn: &Arn,
    ) -> Result<Self, AwsError> {
        let endpoint = leasing.endpoint_url.as_ref().or(aws.endpoint_url.as_ref());
        let connection =
            Connection::open(aws, endpoint.map(String::as_str), Some(&arn.region)).await?;
        let service = Signed::new(connection, Service::DynamoDb);
        let url = match endpoint {
            Some(endpoint) => format!("{}/", endpoint.trim_end_matches('/')),
            None => format!(
                "https://dynamodb.{}.{}/",
                service.region(),
                domain(&arn.partition)
            ),
        };
        Ok(Self {
            service,
            url,
            name: format!("{}-{mapping}", leasing.table),
            worker: worker.to_owned(),
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn worker(&self) -> &str {
        &self.worker
    }

    async fn call(
        &self,
        name: &'static str,
        target: &'static str,
        body: &Value,
    ) -> Result<Value, CallError> {
        let call = Call {
            name,
            method: "POST",
            url: self.url.clone(),
            content_type: "application/x-amz-json-1.0",
            target: Some(target),
            body: body.to_string().into_bytes(),
        };
        let text = self.service.send(call).await?.text().await;
        serde_json::from_str(&text).map_err(|error| CallError {
            class: FailureClass::Transient,
            call: name,
            text: format!("the answer is no JSON: {error}"),
        })
    }

    /// Makes the table unless it exists, and waits until it can be used.
    pub(crate) async fn ensure(&self) -> Result<(), CallError> {
        const DESCRIBE: &str = "DynamoDB_20120810.DescribeTable";
        let describe = json!({"TableName": self.name});
        for _ in 0..STATE_QUESTIONS {
            match self.call("DescribeTable", DESCRIBE, &describe).await {
                Ok(answer) if answer["Table"]["TableStatus"] == "ACTIVE" => return Ok(()),
                Ok(_) => {}
                Err(error) if error.text.contains("ResourceNotFound") => {
                    self.create_table().await?;
                }
                Err(error) => return Err(error),
            }
            tokio::time::sleep(STATE_INTERVAL).await;
        }
        Err(CallError {
            class: FailureClass::Transient,
            call: "DescribeTable",
            text: format!("the table `{}` does not become active", self.name),
        })
    }

    async fn create_table(&self) -> Result<(), CallError> {
        tracing::info!(table = self.name, "making the lease table");
        let body = json!({
            "TableName": self.name,
            "AttributeDefinitions": [{"AttributeName": "leaseKey", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "leaseKey", "KeyType": "HASH"}],
            "BillingMode": "PAY_PER_REQUEST",
        });
        let made = self.call("CreateTable", "DynamoDB_20120810.CreateTable", &body);
        match made.await {
            // Another worker was faster.
            Err(error) if error.text.contains("ResourceInUse") => Ok(()),
            other => other.map(|_| ()),
        }
    }

    /// Every row, as the table has it now.
    pub(crate) async fn scan(&self) -> Result<Vec<Lease>, CallError> {
        let mut body = json!({
            "TableName": self.name,
            "ConsistentRead": true,
            "ProjectionExpression": COLUMNS,
            "Limit": SCAN_ROWS_MAX,
        });
        let mut leases = Vec::new();
        loop {
            let mut page = self.call("Scan", "DynamoDB_20120810.Scan", &body).await?;
            for item in page["Items"].as_array().into_iter().flatten() {
                match item::lease(item) {
                    Ok(lease) => leases.push(lease),
                    Err(error) => tracing::error!(table = self.name, %error, "a row is left out"),
                }
            }
            match page["LastEvaluatedKey"].take() {
                Value::Null => return Ok(leases),
                last => body["ExclusiveStartKey"] = last,
            }
        }
    }

    async fn get(&self, key: &str) -> Result<Option<Lease>, CallError> {
        let body = json!({
            "TableName": self.name,
            "Key": {"leaseKey": {"S": key}},
            "ConsistentRead": true,
        });
        let answer = self.call("GetItem", "DynamoDB_20120810.GetItem", &body);
        Ok(item::lease(&answer.await?["Item"]).ok())
    }

    /// Makes a write; a refusal is told apart from trouble.
    async fn write(&self, key: &str, call: Request) -> Result<Written, CallError> {
        match self.call(call.name, call.target, &call.body).await {
            Ok(answer) => Ok(Written::Done(item::lease(&answer["Attributes"]).ok())),
            Err(error) if error.text.contains("ConditionalCheckFailed") => {
                Ok(Written::Refused(self.get(key).await?))
            }
            Err(error) => Err(error),
        }
    }

    /// An UpdateItem; `:me` is this worker.
    fn update(
        &self,
        key: &str,
        update: &str,
        condition: &str,
        values: &[(&str, Value)],
    ) -> Request {
        let mut body = json!({
            "TableName": self.name,
            "Key": {"leaseKey": {"S": key}},
            "UpdateExpression": update,
            "ConditionExpression": condition,
            "ExpressionAttributeValues": {":me": {"S": self.worker}},
            "ReturnValues": "ALL_NEW",
        });
        for (name, value) in values {
            body["ExpressionAttributeValues"][*name] = value.clone();
        }
        Request {
            name: "UpdateItem",
            target: "DynamoDB_20120810.UpdateItem",
            body,
        }
    }

    /// Carries out a write; `from` is where the shard of a new row is worked on from.
    pub(crate) async fn carry_out(
        &self,
        action: &LeaseAction,
        from: Position,
    ) -> Result<Written, CallError> {
        let number = |number: u64| json!({"N": number.to_string()});
        let one = (":one", number(1));
        match action {
            LeaseAction::Scan { .. } => unreachable!("a scan is no write"),
            LeaseAction::Create { key, parents, .. } => {
                let body = json!({
                    "TableName": self.name,
                    "Item": item::new_item(key, parents, from),
                    "ConditionExpression": "attribute_not_exists(leaseKey)",
                });
                let (name, target) = ("PutItem", "DynamoDB_20120810.PutItem");
                let call = Request { name, target, body };
                self.write(key, call).await
            }
            LeaseAction::Renew {
                key,
                counters,
                claim,
                ..
            } => {
                let end = if *claim {
                    " REMOVE checkpointOwner"
                } else {
                    ""
                };
                let update = format!("SET leaseCounter = leaseCounter + :one{end}");
                let condition = "leaseOwner = :me AND leaseCounter BETWEEN :low AND :high";
                let (low, high) = (number(*counters.start()), number(*counters.end()));
                let values = [one, (":low", low), (":high", high)];
                self.write(key, self.update(key, &update, condition, &values))
                    .await
            }
            LeaseAction::Take {
                key,
                counter,
                owner,
                after,
                ..
            } => {
                let mut values = vec![one, (":counter", number(*counter))];
                let mut condition = "leaseCounter = :counter".to_owned();
                match owner {
                    Some(owner) => {
                        condition.push_str(" AND leaseOwner = :owner");
                        values.push((":owner", json!({"S": owner})));
                    }
                    None => condition.push_str(" AND attribute_not_exists(leaseOwner)"),
                }
                let mut update = "SET leaseOwner = :me, leaseCounter = leaseCounter + :one, \
                    ownerSwitchesSinceCheckpoint = ownerSwitchesSinceCheckpoint + :one"
                    .to_owned();
                match after {
                    Some(after) => {
                        update.push_str(", checkpointOwner = :after");
                        values.push((":after", json!({"S": after})));
                    }
                    None => update.push_str(" REMOVE checkpointOwner"),
                }
                self.write(key, self.update(key, &update, &condition, &values))
                    .await
            }
            LeaseAction::HandOver { key, .. } => {
                let condition = "checkpointOwner = :me";
                self.write(
                    key,
                    self.update(key, "REMOVE checkpointOwner", condition, &[]),
                )
                .await
            }
            LeaseAction::Release { key, .. } => {
                let update = "SET leaseCounter = leaseCounter + :one REMOVE leaseOwner";
                self.write(key, self.update(key, update, "leaseOwner = :me", &[one]))
                    .await
            }
        }
    }

    /// Stores a shard's progress.
    ///
    /// Rule `lease-fences-checkpoints`: only its owner may, or the owner that is handing it over, and only from the position
    /// that is stored; so a checkpoint of an earlier tenure that arrives late never moves it back.
    pub(crate) async fn checkpoint(&self, key: &str, delta: Delta) -> Result<Written, CallError> {
        let (from, _) = item::checkpoint(delta.from);
        let (to, time) = item::checkpoint(delta.to);
        let mut update = "SET #c = :to, ownerSwitchesSinceCheckpoint = :none, checkpointSubSequenceNumber = :none"
            .to_owned();
        let mut values = vec![
            (":from", json!({"S": &*from})),
            (":to", json!({"S": &*to})),
            (":none", json!({"N": "0"})),
        ];
        match time {
            Some(time) => {
                update.push_str(", checkpointTimestamp = :time");
                values.push((":time", json!({"N": time})));
            }
            None => update.push_str(" REMOVE checkpointTimestamp"),
        }
        // The same place twice is a write whose answer was lost.
        let condition = "(leaseOwner = :me AND attribute_not_exists(checkpointOwner) OR checkpointOwner = :me) \
            AND (#c = :from OR #c = :to)";
        let mut call = self.update(key, &update, condition, &values);
        call.body["ExpressionAttributeNames"] = json!({"#c": "checkpoint"});
        self.write(key, call).await
    }
}

/// A call that writes.
struct Request {
    name: &'static str,
    target: &'static str,
    body: Value,
}
