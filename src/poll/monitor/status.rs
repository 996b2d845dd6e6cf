//! What `/status` says: the mappings, where they are, and what happened last.

use super::View;
use crate::engine::{Span, Time};
use crate::poll::board::{Count, Face, Place};
use crate::poll::counters::get;
use crate::poll::store::position_to_text;
use serde::{Deserialize, Serialize};

/// The run and its mappings. Names that begin with a capital letter are AWS's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The version that runs.
    pub tidegate: String,
    /// `running` or `draining`.
    pub run: String,
    /// Milliseconds since the Unix epoch.
    pub started_unix_millis: u64,
    /// Since then, in seconds.
    pub uptime_seconds: f64,
    /// How often the file was read again: applied, refused, and could not be understood.
    pub reloads: ReloadStatus,
    /// By name.
    pub mappings: Vec<MappingStatus>,
}

/// What came of reading the file again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadStatus {
    /// Its changes were carried out.
    pub applied: u64,
    /// It asked for something that takes a restart.
    pub refused: u64,
    /// It had errors.
    pub invalid: u64,
}

/// A mapping.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MappingStatus {
    /// Its name.
    pub name: String,
    /// The kind of its source, as in files.
    pub kind: String,
    /// What it reads.
    pub source: String,
    /// Whom it invokes.
    #[serde(rename = "FunctionName")]
    pub function_name: String,
    /// One of AWS's states.
    #[serde(rename = "State")]
    pub state: String,
    /// Why it cannot work, if it cannot.
    #[serde(rename = "StateTransitionReason")]
    pub state_transition_reason: Option<String>,
    /// Streams: what became of the last batch.
    #[serde(rename = "LastProcessingResult")]
    pub last_processing_result: Option<String>,
    /// Whether the source has answered.
    pub reached: bool,
    /// Age of the last record of the last batch when it was sent, in seconds.
    pub iterator_age_seconds: Option<f64>,
    /// Kafka: offsets that all partitions are behind.
    pub offset_lag: Option<u64>,
    /// Records that were read and are not finished or returned.
    pub records_in_hand: u64,
    /// Invocations that are not answered yet.
    pub invocations_in_flight: u64,
    /// Records read or received.
    pub polled: u64,
    /// Invocations started.
    pub invocations: u64,
    /// Of these, ended with the function's error.
    pub errors: u64,
    /// Of these, refused.
    pub throttles: u64,
    /// Records given up, whether a destination was told or not.
    pub discarded: u64,
    /// Shards or partitions, in the order in which they became known.
    pub shards: Vec<ShardStatus>,
}

/// Where a mapping is in a shard or partition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShardStatus {
    /// As the source calls it.
    pub shard: String,
    /// What is stored: `horizon`, `latest`, `at:NANOSECONDS`, `after:SEQUENCE`, `end`.
    pub position: Option<String>,
    /// When progress was last stored, in milliseconds since the Unix epoch.
    pub stored_unix_millis: Option<u64>,
    /// How far the last read was behind the tip, in seconds.
    pub behind_seconds: Option<f64>,
    /// Of the last batch of this shard, in seconds.
    pub iterator_age_seconds: Option<f64>,
    /// Kafka: offsets between what is stored and the end.
    pub offset_lag: Option<u64>,
    /// Whether it is closed and read to its end.
    pub ended: bool,
}

impl Status {
    pub(super) fn of(view: &View) -> Self {
        let board = &view.board;
        let started = view.clock.started();
        let mappings = board.faces();
        let mappings = mappings.iter();
        Self {
            tidegate: env!("CARGO_PKG_VERSION").to_owned(),
            run: match board.is_draining() {
                true => "draining".to_owned(),
                false => "running".to_owned(),
            },
            started_unix_millis: started.as_millis(),
            uptime_seconds: view.clock.now().since(started).as_secs_f64(),
            reloads: ReloadStatus {
                applied: get(&board.reloads.applied),
                refused: get(&board.reloads.refused),
                invalid: get(&board.reloads.invalid),
            },
            mappings: mappings
                .map(|(name, face)| {
                    let reason = view.counters.states.of(name).map(str::to_owned);
                    mapping(name, face, reason)
                })
                .collect(),
        }
    }
}

fn mapping(name: &str, face: &Face, reason: Option<String>) -> MappingStatus {
    let last = face.last_result.text().to_owned();
    MappingStatus {
        name: name.to_owned(),
        kind: face.kind.name().to_owned(),
        source: face.source.clone(),
        function_name: face.function_name.clone(),
        state: face.state.name().to_owned(),
        state_transition_reason: reason.or_else(|| face.trouble.clone()),
        last_processing_result: face.kind.is_stream().then_some(last),
        reached: face.reached,
        iterator_age_seconds: face.iterator_age.map(Span::as_secs_f64),
        offset_lag: face.lag.map(|(_, sum)| sum),
        records_in_hand: face.in_hand,
        invocations_in_flight: face.in_flight.len() as u64,
        polled: face.count(Count::Polled),
        invocations: face.count(Count::Invocations),
        errors: face.count(Count::Errors),
        throttles: face.count(Count::Throttles),
        discarded: face.count(Count::Dropped) + face.count(Count::Diverted),
        shards: face.shards.values().map(shard).collect(),
    }
}

fn shard(place: &Place) -> ShardStatus {
    ShardStatus {
        shard: place.name.to_string(),
        position: place.position.map(position_to_text),
        stored_unix_millis: place.stored.map(Time::as_millis),
        behind_seconds: place.behind.map(Span::as_secs_f64),
        iterator_age_seconds: place.iterator_age.map(Span::as_secs_f64),
        offset_lag: place.lag,
        ended: place.ended,
    }
}
