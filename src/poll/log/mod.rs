//! The lines of a recorded run: what went into the engine and what it decided, without payloads.
//!
//! One JSON object per line. A `header` opens each mapping; `event` and `timeout` are inputs, `action` is a
//! decision, and `answer` is an input that was known at once, given while the outputs were drained.

mod config;
mod message;

pub(crate) use config::{LogConfig, LogParameters};
pub(crate) use message::{LogAction, LogEvent, LogOutcome, LogShard};

use serde::{Deserialize, Serialize};

/// The format of logs that this version writes and replays.
pub(crate) const LOG_FORMAT: u32 = 3;

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line {
    /// Index of the mapping among those recorded.
    pub(crate) m: u32,
    /// Nanoseconds since the Unix epoch.
    pub(crate) at: u64,
    pub(crate) item: Item,
}

/// What a line says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Item {
    Header(Box<Header>),
    Event(LogEvent),
    Timeout,
    Answer(LogEvent),
    Action(LogAction),
}

/// How a mapping began.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    pub(crate) tidegate: String,
    pub(crate) format: u32,
    pub(crate) seed: u64,
    pub(crate) config: LogConfig,
}
