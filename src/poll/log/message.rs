//! Events and actions in logs.

use crate::engine::{
    Action, Control, Event, FailedAnswer, FailureClass, Meta, Outcome, Page, PartitionEnd,
    Position, Record, Seq, Shard, ShardId, Span, Time, Token, WindowCall,
};
use crate::poll::log::LogParameters;
use crate::poll::store::{position_from_text, position_to_text};
use serde::{Deserialize, Serialize};

/// An input of the engine, without payloads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum LogEvent {
    Fetched {
        token: u64,
        records: Vec<LogMeta>,
        filtered: u32,
        rejected: Vec<LogMeta>,
        bytes: u64,
        end: Option<String>,
        behind: u64,
        shard_end: bool,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        ends: Vec<LogEnd>,
    },
    Invoked {
        token: u64,
        outcome: LogOutcome,
    },
    InvokedPartly {
        token: u64,
        failed: Vec<u32>,
    },
    Done {
        token: u64,
    },
    Failed {
        token: u64,
        class: LogClass,
    },
    Shards(Vec<LogShard>),
    Drain,
    Disable,
    Enable,
    Update(Box<LogParameters>),
    /// Kafka: a consumer and its new partitions.
    Assigned(u32, Vec<LogShard>),
    Revoked(u32, Vec<u32>),
    Lost(u32, Vec<u32>),
    Measured {
        token: u64,
        /// Partition and high watermark.
        ends: Vec<(u32, String)>,
    },
}

/// Sequence number, group, arrival in nanoseconds, encoded length.
pub(crate) type LogMeta = (String, u64, u64, u32);

/// Partition, offset after what the page covers, records left out by filters.
pub(crate) type LogEnd = (u32, String, u32);

/// Index, where it starts, indices of its parents, start of its open window in nanoseconds.
pub(crate) type LogShard = (u32, String, Vec<u32>, Option<u64>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LogOutcome {
    Success,
    /// Index of the lowest failed record.
    Partial(u32),
    Rejected,
    StateTooLarge,
    FunctionError,
    /// Retry-After in nanoseconds.
    Throttled(u64),
    ServiceError,
    TooLarge,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LogClass {
    Throttled,
    Transient,
    Denied,
}

/// A decision of the engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum LogAction {
    Read {
        token: u64,
        shard: u32,
        from: String,
        records_max: u32,
    },
    Receive {
        token: u64,
        poller: u32,
        records_max: u32,
        wait: u64,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        held: Vec<u32>,
    },
    Invoke {
        token: u64,
        batch: u32,
        attempt: u32,
        window: Option<LogWindow>,
    },
    Divert {
        token: u64,
        batch: u32,
        shard: u32,
        condition: String,
        invoke_count: u32,
        /// Whether the function answered, and if so whether it reported the failure itself.
        reported: Option<bool>,
        window: Option<LogWindow>,
    },
    Acknowledge {
        token: u64,
        batch: u32,
    },
    Release {
        token: u64,
        batch: u32,
    },
    Checkpoint {
        token: u64,
        shard: u32,
        from: String,
        to: String,
        window: Option<u64>,
    },
    Yield {
        token: u64,
        poller: u32,
        shards: Vec<u32>,
    },
    Leave {
        token: u64,
        poller: u32,
    },
    Measure {
        token: u64,
    },
}

/// Shard, start and end in nanoseconds, then whether fresh, final and terminated early.
pub(crate) type LogWindow = (u32, u64, u64, bool, bool, bool);

impl LogAction {
    pub(crate) fn new(action: &Action) -> Self {
        match *action {
            Action::Read {
                token,
                shard,
                from,
                records_max,
            } => Self::Read {
                token: token.0,
                shard: shard.0,
                from: position_to_text(from),
                records_max,
            },
            Action::Receive {
                token,
                poller,
                records_max,
                wait,
                ref held,
            } => Self::Receive {
                token: token.0,
                poller,
                records_max,
                wait: wait.as_nanos(),
                held: log_ids(held),
            },
            Action::Invoke {
                token,
                batch,
                attempt,
                window,
            } => Self::Invoke {
                token: token.0,
                batch: batch.0,
                attempt,
                window: window.as_ref().map(log_window),
            },
            Action::Divert {
                token,
                batch,
                failure,
            } => Self::Divert {
                token: token.0,
                batch: batch.0,
                shard: failure.shard.0,
                condition: failure.condition.name().to_owned(),
                invoke_count: failure.invoke_count,
                reported: failure
                    .answer
                    .map(|answer| answer == FailedAnswer::Reported),
                window: failure.window.as_ref().map(log_window),
            },
            Action::Acknowledge { token, batch } => Self::Acknowledge {
                token: token.0,
                batch: batch.0,
            },
            Action::Release { token, batch } => Self::Release {
                token: token.0,
                batch: batch.0,
            },
            Action::Checkpoint {
                token,
                shard,
                delta,
                window,
            } => Self::Checkpoint {
                token: token.0,
                shard: shard.0,
                from: position_to_text(delta.from),
                to: position_to_text(delta.to),
                window: window.map(Time::as_nanos),
            },
            Action::Yield {
                token,
                poller,
                ref shards,
            } => Self::Yield {
                token: token.0,
                poller,
                shards: log_ids(shards),
            },
            Action::Leave { token, poller } => Self::Leave {
                token: token.0,
                poller,
            },
            Action::Measure { token } => Self::Measure { token: token.0 },
        }
    }

    pub(crate) const fn token(&self) -> u64 {
        match self {
            Self::Read { token, .. }
            | Self::Receive { token, .. }
            | Self::Invoke { token, .. }
            | Self::Acknowledge { token, .. }
            | Self::Release { token, .. }
            | Self::Divert { token, .. }
            | Self::Checkpoint { token, .. }
            | Self::Yield { token, .. }
            | Self::Leave { token, .. }
            | Self::Measure { token } => *token,
        }
    }

    /// Whether `event` is an answer of the kind that this action waits for.
    pub(crate) const fn takes(&self, event: &LogEvent) -> bool {
        match (self, event) {
            (
                Self::Read { .. } | Self::Receive { .. },
                LogEvent::Fetched { .. } | LogEvent::Failed { .. },
            )
            | (Self::Invoke { .. }, LogEvent::Invoked { .. } | LogEvent::InvokedPartly { .. })
            | (
                Self::Acknowledge { .. }
                | Self::Release { .. }
                | Self::Checkpoint { .. }
                | Self::Divert { .. }
                | Self::Yield { .. }
                | Self::Leave { .. },
                LogEvent::Done { .. } | LogEvent::Failed { .. },
            )
            | (Self::Measure { .. }, LogEvent::Measured { .. } | LogEvent::Failed { .. }) => true,
            (
                Self::Read { .. }
                | Self::Receive { .. }
                | Self::Invoke { .. }
                | Self::Divert { .. }
                | Self::Acknowledge { .. }
                | Self::Release { .. }
                | Self::Checkpoint { .. }
                | Self::Yield { .. }
                | Self::Leave { .. }
                | Self::Measure { .. },
                _,
            ) => false,
        }
    }
}

impl LogEvent {
    pub(crate) fn new<P>(event: &Event<P>) -> Self {
        match event {
            Event::Fetched { token, page } => Self::Fetched {
                token: token.0,
                records: page.records.iter().map(|r| log_meta(&r.meta)).collect(),
                filtered: page.filtered,
                rejected: page.rejected.iter().map(|r| log_meta(&r.meta)).collect(),
                bytes: page.bytes,
                end: page.end.map(|seq| seq.to_string()),
                behind: page.behind.as_nanos(),
                shard_end: page.shard_end,
                ends: page.ends.iter().map(log_end).collect(),
            },
            Event::Invoked { token, outcome } => Self::Invoked {
                token: token.0,
                outcome: match *outcome {
                    Outcome::Success => LogOutcome::Success,
                    Outcome::Partial { first_failed } => LogOutcome::Partial(first_failed),
                    Outcome::Rejected => LogOutcome::Rejected,
                    Outcome::StateTooLarge => LogOutcome::StateTooLarge,
                    Outcome::FunctionError => LogOutcome::FunctionError,
                    Outcome::Throttled { retry_after } => {
                        LogOutcome::Throttled(retry_after.as_nanos())
                    }
                    Outcome::ServiceError => LogOutcome::ServiceError,
                    Outcome::TooLarge => LogOutcome::TooLarge,
                },
            },
            Event::InvokedPartly { token, failed } => Self::InvokedPartly {
                token: token.0,
                failed: failed.clone(),
            },
            Event::Done { token } => Self::Done { token: token.0 },
            Event::Failed { token, class } => Self::Failed {
                token: token.0,
                class: match class {
                    FailureClass::Throttled => LogClass::Throttled,
                    FailureClass::Transient => LogClass::Transient,
                    FailureClass::Denied => LogClass::Denied,
                },
            },
            Event::Control(Control::Drain) => Self::Drain,
            Event::Control(Control::Disable) => Self::Disable,
            Event::Control(Control::Enable) => Self::Enable,
            Event::Control(Control::Update(config)) => {
                Self::Update(Box::new(LogParameters::new(config)))
            }
            Event::Control(Control::Shards(shards)) => {
                Self::Shards(shards.iter().map(log_shard).collect())
            }
            Event::Control(Control::Assigned { poller, shards }) => {
                Self::Assigned(*poller, shards.iter().map(log_shard).collect())
            }
            Event::Control(Control::Revoked { poller, shards }) => {
                Self::Revoked(*poller, log_ids(shards))
            }
            Event::Control(Control::Lost { poller, shards }) => {
                Self::Lost(*poller, log_ids(shards))
            }
            Event::Measured { token, ends } => Self::Measured {
                token: token.0,
                ends: ends
                    .iter()
                    .map(|(shard, end)| (shard.0, end.to_string()))
                    .collect(),
            },
        }
    }

    /// The token that it answers; controls answer none.
    pub(crate) const fn token(&self) -> Option<u64> {
        match self {
            Self::Fetched { token, .. }
            | Self::Invoked { token, .. }
            | Self::InvokedPartly { token, .. }
            | Self::Done { token }
            | Self::Failed { token, .. }
            | Self::Measured { token, .. } => Some(*token),
            Self::Shards(_)
            | Self::Drain
            | Self::Disable
            | Self::Enable
            | Self::Update(_)
            | Self::Assigned(..)
            | Self::Revoked(..)
            | Self::Lost(..) => None,
        }
    }

    /// The input, or what of it has no meaning.
    pub(crate) fn restore(&self) -> Result<Event<()>, &'static str> {
        Ok(match self {
            Self::Fetched {
                token,
                records,
                filtered,
                rejected,
                bytes,
                end,
                behind,
                shard_end,
                ends,
            } => {
                let end = end.as_ref().map(|text| text.parse()).transpose();
                let records = records.iter().map(restore_record).collect::<Result<_, _>>();
                let rejected = rejected.iter().map(restore_record);
                let rejected = rejected.collect::<Result<_, _>>();
                Event::Fetched {
                    token: Token(*token),
                    page: Page {
                        records: records?,
                        filtered: *filtered,
                        rejected: rejected?,
                        bytes: *bytes,
                        end: end.map_err(|_| "the end of a page is not a number")?,
                        behind: Span::from_nanos(*behind),
                        shard_end: *shard_end,
                        ends: ends.iter().map(restore_end).collect::<Result<_, _>>()?,
                    },
                }
            }
            Self::Invoked { token, outcome } => Event::Invoked {
                token: Token(*token),
                outcome: match *outcome {
                    LogOutcome::Success => Outcome::Success,
                    LogOutcome::Partial(first_failed) => Outcome::Partial { first_failed },
                    LogOutcome::Rejected => Outcome::Rejected,
                    LogOutcome::StateTooLarge => Outcome::StateTooLarge,
                    LogOutcome::FunctionError => Outcome::FunctionError,
                    LogOutcome::Throttled(nanos) => Outcome::Throttled {
                        retry_after: Span::from_nanos(nanos),
                    },
                    LogOutcome::ServiceError => Outcome::ServiceError,
                    LogOutcome::TooLarge => Outcome::TooLarge,
                },
            },
            Self::InvokedPartly { token, failed } => Event::InvokedPartly {
                token: Token(*token),
                failed: failed.clone(),
            },
            Self::Done { token } => Event::Done {
                token: Token(*token),
            },
            Self::Failed { token, class } => Event::Failed {
                token: Token(*token),
                class: match class {
                    LogClass::Throttled => FailureClass::Throttled,
                    LogClass::Transient => FailureClass::Transient,
                    LogClass::Denied => FailureClass::Denied,
                },
            },
            Self::Drain => Event::Control(Control::Drain),
            Self::Disable => Event::Control(Control::Disable),
            Self::Enable => Event::Control(Control::Enable),
            Self::Update(parameters) => {
                Event::Control(Control::Update(Box::new(parameters.restore()?)))
            }
            Self::Shards(shards) => Event::Control(Control::Shards(restore_shards(shards)?)),
            Self::Assigned(poller, shards) => Event::Control(Control::Assigned {
                poller: *poller,
                shards: restore_shards(shards)?,
            }),
            Self::Revoked(poller, shards) => Event::Control(Control::Revoked {
                poller: *poller,
                shards: restore_ids(shards),
            }),
            Self::Lost(poller, shards) => Event::Control(Control::Lost {
                poller: *poller,
                shards: restore_ids(shards),
            }),
            Self::Measured { token, ends } => Event::Measured {
                token: Token(*token),
                ends: ends
                    .iter()
                    .map(|(shard, end)| Ok((ShardId(*shard), offset(end)?)))
                    .collect::<Result<_, &'static str>>()?,
            },
        })
    }
}

fn log_meta(meta: &Meta) -> LogMeta {
    let arrival = meta.arrival.as_nanos();
    (meta.seq.to_string(), meta.group, arrival, meta.wire_len)
}

fn restore_record(meta: &LogMeta) -> Result<Record<()>, &'static str> {
    let (seq, group, arrival, wire_len) = meta;
    let meta = Meta {
        seq: seq
            .parse()
            .map_err(|_| "a sequence number is not a number")?,
        group: *group,
        arrival: Time::from_nanos(*arrival),
        wire_len: *wire_len,
    };
    Ok(Record { meta, payload: () })
}

fn log_window(call: &WindowCall) -> LogWindow {
    (
        call.shard.0,
        call.start.as_nanos(),
        call.end.as_nanos(),
        call.is_fresh,
        call.is_final,
        call.is_terminated_early,
    )
}

fn log_ids(shards: &[ShardId]) -> Vec<u32> {
    shards.iter().map(|shard| shard.0).collect()
}

fn restore_ids(shards: &[u32]) -> Vec<ShardId> {
    shards.iter().copied().map(ShardId).collect()
}

fn log_end(end: &PartitionEnd) -> LogEnd {
    (end.shard.0, end.next.to_string(), end.filtered)
}

fn restore_end((shard, next, filtered): &LogEnd) -> Result<PartitionEnd, &'static str> {
    Ok(PartitionEnd {
        shard: ShardId(*shard),
        next: offset(next)?,
        filtered: *filtered,
    })
}

fn offset(text: &str) -> Result<Seq, &'static str> {
    text.parse().map_err(|_| "an offset is not a number")
}

fn restore_shards(shards: &[LogShard]) -> Result<Vec<Shard>, &'static str> {
    shards.iter().map(restore_shard).collect()
}

fn log_shard(shard: &Shard) -> LogShard {
    let parents = shard.parents.iter().map(|parent| parent.0).collect();
    let window = shard.window.map(Time::as_nanos);
    (shard.id.0, position_to_text(shard.from), parents, window)
}

fn restore_shard(shard: &LogShard) -> Result<Shard, &'static str> {
    let (id, from, parents, window) = shard;
    let from: Option<Position> = position_from_text(from);
    Ok(Shard {
        id: ShardId(*id),
        from: from.ok_or("the start of a shard is not a position")?,
        parents: parents.iter().copied().map(ShardId).collect(),
        window: window.map(Time::from_nanos),
    })
}
