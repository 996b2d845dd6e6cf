//! Rows of the lease table as DynamoDB's JSON has them, with the columns of the Kinesis Client Library.

use crate::engine::lease::Row;
use crate::engine::{Position, Time};
use serde_json::{Value, json};
use std::sync::Arc;

/// What scans read: everything that decides who works on what.
pub(super) const COLUMNS: &str = "leaseKey, leaseOwner, leaseCounter, checkpoint, checkpointTimestamp, checkpointOwner, parentShardId";

/// A row and where its shard is worked on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) row: Row,
    pub(crate) position: Position,
}

/// A row that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the lease table has a row `{key}` whose `{column}` is `{found}`")]
pub(crate) struct BadRow {
    key: String,
    column: &'static str,
    found: String,
}

/// Reads a row.
pub(crate) fn lease(item: &Value) -> Result<Lease, BadRow> {
    let text = |column: &str| item[column]["S"].as_str();
    let key = text("leaseKey").unwrap_or_default();
    let bad = |column| BadRow {
        key: key.to_owned(),
        column,
        found: item[column].to_string(),
    };
    if key.is_empty() {
        return Err(bad("leaseKey"));
    }
    let counter = item["leaseCounter"]["N"].as_str();
    let counter = counter.and_then(|counter| counter.parse().ok());
    let position = text("checkpoint").and_then(|checkpoint| match checkpoint {
        "TRIM_HORIZON" => Some(Position::Horizon),
        "LATEST" => Some(Position::Latest),
        "SHARD_END" => Some(Position::End),
        "AT_TIMESTAMP" => {
            let nanos = item["checkpointTimestamp"]["N"].as_str()?;
            Some(Position::At(Time::from_nanos(nanos.parse().ok()?)))
        }
        number => Some(Position::After(number.parse().ok()?)),
    });
    let position = position.ok_or_else(|| bad("checkpoint"))?;
    let parents = item["parentShardId"]["SS"].as_array();
    let parents = parents.into_iter().flatten();
    Ok(Lease {
        row: Row {
            key: key.to_owned(),
            owner: text("leaseOwner").map(str::to_owned),
            counter: counter.ok_or_else(|| bad("leaseCounter"))?,
            handing_over: text("checkpointOwner").map(str::to_owned),
            is_finished: position == Position::End,
            parents: parents
                .filter_map(|parent| parent.as_str().map(str::to_owned))
                .collect(),
        },
        position,
    })
}

/// A row that nobody has yet.
pub(crate) fn new_item(key: &str, parents: &[String], from: Position) -> Value {
    let mut item = json!({
        "leaseKey": {"S": key},
        "leaseCounter": {"N": "0"},
        "ownerSwitchesSinceCheckpoint": {"N": "0"},
        "checkpointSubSequenceNumber": {"N": "0"},
    });
    let (checkpoint, time) = checkpoint(from);
    item["checkpoint"] = json!({"S": &*checkpoint});
    if let Some(time) = time {
        item["checkpointTimestamp"] = json!({"N": time});
    }
    if !parents.is_empty() {
        item["parentShardId"] = json!({"SS": parents});
    }
    item
}

/// The columns `checkpoint` and, for a time, `checkpointTimestamp` (nanoseconds since 1970, which KCL does not have).
pub(super) fn checkpoint(position: Position) -> (Arc<str>, Option<String>) {
    match position {
        Position::Horizon => (Arc::from("TRIM_HORIZON"), None),
        Position::Latest => (Arc::from("LATEST"), None),
        Position::At(time) => (Arc::from("AT_TIMESTAMP"), Some(time.as_nanos().to_string())),
        Position::After(seq) => (Arc::from(seq.to_string()), None),
        Position::End => (Arc::from("SHARD_END"), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Seq;

    #[test]
    fn positions_survive_the_table() {
        for position in [
            Position::Horizon,
            Position::Latest,
            Position::At(Time::from_nanos(1_700_000_000_000_000_017)),
            Position::After(Seq::from(49_590_338_271_490_256)),
            Position::End,
        ] {
            let parents = vec!["shard-0".to_owned()];
            let read = lease(&new_item("shard-1", &parents, position)).expect("a row");
            assert_eq!(read.position, position);
            assert_eq!(read.row.parents, parents);
            assert_eq!(read.row.is_finished, position == Position::End);
            assert_eq!((read.row.owner, read.row.counter), (None, 0));
        }
    }

    #[test]
    fn a_row_of_kcl_is_read_and_a_bad_one_is_named() {
        let mut item = json!({
            "leaseKey": {"S": "shardId-000000000000"},
            "leaseOwner": {"S": "host:1b2c"},
            "leaseCounter": {"N": "317"},
            "checkpoint": {"S": "49590338271490256608559692538361571095921575989136588898"},
            "checkpointSubSequenceNumber": {"N": "0"},
            "ownerSwitchesSinceCheckpoint": {"N": "2"},
        });
        let read = lease(&item).expect("a row");
        assert_eq!(read.row.owner.as_deref(), Some("host:1b2c"));
        assert_eq!(read.row.counter, 317);
        assert!(matches!(read.position, Position::After(_)));
        item["checkpoint"] = json!({"S": "yesterday"});
        let error = lease(&item).expect_err("no position").to_string();
        assert!(error.contains("shardId-000000000000") && error.contains("yesterday"));
    }
}
