//! Driver 1: mappings against real services, in real time.
//!
//! ```text
//!            ┌──────────────── one task per mapping ────────────────┐
//!  clock ──▶ │ wait ─▶ one input ─▶ Mapping::handle ─▶ pump ─▶ wait │ ──▶ counters, log
//!            └────▲──────────────────────────────────────┬──────────┘
//!                 │ answers                               │ actions
//!            spawned calls: source, target, store ◀───────┘
//! ```
//! The engine decides; this module reads the clock, makes calls and encodes events. Inputs are taken one by one,
//! with a drain after each.

mod advice;
mod board;
mod brokers;
mod clock;
mod counters;
mod divert;
mod driver;
mod effects;
pub mod encode;
mod events;
mod feed;
mod guard;
mod harden;
mod kafka;
mod leases;
mod log;
pub mod monitor;
mod observer;
mod open;
mod oversee;
mod record;
mod reload;
mod replay;
mod shards;
mod shared_shards;
mod signals;
mod spans;
mod states;
mod store;
mod tally;
mod tap;
mod windows;

pub use board::Board;
pub use clock::Clock;
pub use counters::Counters;
pub use driver::MappingFailed;
pub use events::{EventCounters, EventTotals};
pub use harden::harden;
pub(crate) use leases::{lease_of_row, new_lease_row};
pub use observer::{Observed, Observer};
pub use open::OpenError;
pub use reload::{Reload, Reloaded};
pub(crate) use replay::replay_lines;
pub use replay::{Difference, Replay, ReplayError, replay};
pub use states::{States, Witness};
pub use store::{OpenWindow, STORE_FORMAT, Saving, Store, StoreError, Stored};
pub(crate) use store::{position_from_text, position_to_text};
pub use tap::{Delivery, Tap};

use crate::engine::Span;
use crate::scenario::PollerFile;
use driver::Phase;
use monitor::{Monitor, View};
use open::Opened;
use oversee::Overseer;
use reload::{Ended, Fleet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
#[cfg(test)]
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How a run differs from what its file says.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Where to record inputs and decisions, for [`replay()`].
    pub record: Option<PathBuf>,
    /// Ends a mapping that has had no records for this long and has nothing in hand. A mapping whose local
    /// source has come to its end does not wait so long. `None` runs until it is told to stop.
    pub stop_when_idle: Option<Span>,
    /// Drains once this many records are finished over all mappings; a few more may be.
    pub records_max: Option<u64>,
    /// Where totals are kept while the run goes on.
    pub counters: Arc<Counters>,
    /// Sees every fact of the run.
    pub observer: Option<Observer>,
    /// Sees every invocation with its event and the times around it.
    pub tap: Option<Tap>,
    /// Whether SIGINT and SIGTERM drain the run, and a second one ends it.
    pub signals: bool,
    /// Drains when it becomes true, or when its sender is gone. For callers that are not a terminal.
    pub stop: Option<watch::Receiver<bool>>,
    /// Told where the Invoke API listens, if the file has one: its port may be any that is free.
    pub listening: Option<watch::Sender<Option<SocketAddr>>>,
    /// How often a line of totals is logged; zero for never.
    pub status_interval: Span,
    /// Takes precedence over the file's.
    pub drain_timeout: Option<Span>,
    /// Where whoever shows the run finds what it is doing.
    pub board: Arc<Board>,
    /// Brings new versions of the file. `None` goes by the first one to the end.
    pub reload: Option<Reload>,
    /// Shown to functions as `invokeIdentityArn` in Kinesis events. `None` makes it
    /// `arn:<partition>:iam::<account of the stream>:role/lambda-role`, since no real role is involved.
    pub role_arn: Option<String>,
}

impl Default for RunOptions {
    /// Runs until a signal, with a line of totals every 10 s.
    fn default() -> Self {
        Self {
            record: None,
            stop_when_idle: None,
            records_max: None,
            counters: Arc::default(),
            observer: None,
            tap: None,
            signals: true,
            stop: None,
            listening: None,
            status_interval: Span::from_secs(10),
            drain_timeout: None,
            board: Arc::default(),
            reload: None,
            role_arn: None,
        }
    }
}

/// What a run did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunSummary {
    /// Records finished for good: succeeded, left out by filters, deleted or given up.
    pub records: u64,
    /// Records read or received.
    pub polled: u64,
    /// Records that the filters left out.
    pub filtered: u64,
    /// Invocations started.
    pub invocations: u64,
    /// Invocations that ended with the function's error.
    pub errors: u64,
    /// Invocations that were refused.
    pub throttles: u64,
    /// Records given up, whether a destination was told of them or not.
    pub discarded: u64,
    /// Of these, records that an on-failure destination was told of.
    pub diverted: u64,
    /// Invocation records that an on-failure destination did not take.
    pub destination_failures: u64,
    /// Kafka: records that stored offsets are beyond (CommittedEventCount).
    pub committed: u64,
    /// Kafka: failed fetches (PollingErrorCount).
    pub polling_errors: u64,
    /// Kafka: invocations that failed or were refused (InvokeErrorCount).
    pub invoke_errors: u64,
    /// Kafka: offsets that could not be stored (CommitErrorCount).
    pub commit_errors: u64,
    /// Kafka: the largest lag of a partition that was measured (OffsetLag, MaxOffsetLag).
    pub offset_lag_max: u64,
    /// Times that a mapping came to be unable to work (StateTransitionReason).
    pub error_states: u64,
    /// Calls of ReceiveMessage to SQS.
    pub receives: u64,
    /// Of these, calls that returned no message.
    pub empty_receives: u64,
    /// Calls of DeleteMessageBatch to SQS.
    pub delete_calls: u64,
    /// Asynchronous events of the Invoke API.
    pub events: EventTotals,
    /// From the first read to the end of the drain.
    pub duration: Span,
    /// Whether every batch in flight came to its end.
    pub drained: bool,
}

/// Why a run could not begin, or ended badly.
#[derive(Debug, thiserror::Error)]
pub enum PollError {
    /// A source, target, store or log could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A mapping stopped before its time.
    #[error(transparent)]
    Mapping(#[from] MappingFailed),
    /// The handlers of SIGINT and SIGTERM could not be set.
    #[error("cannot listen to signals: {0}")]
    Signals(std::io::Error),
}

/// The random stream of a mapping.
pub(crate) fn rng_label(mapping: &str) -> String {
    format!("mapping/{mapping}")
}

/// Runs every enabled mapping of `file` until it is stopped or comes to its end.
///
/// A stop lets what is in flight finish, for at most the file's drain timeout.
///
/// ```
/// # tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
/// use tidegate::engine::{MappingConfig, Profile, Ratio, SourceKind, Span, Tuning};
/// use tidegate::poll::{RunOptions, run};
/// use tidegate::scenario::*;
///
/// let content = Generated { per_sec: 1e6, size: Dist::Constant(100.0), keys: Keys::Unique, count: Some(500), seed: 1 };
/// let file = PollerFile {
///     hash: String::new(),
///     profile: Profile::Current,
///     aws: Aws::default(),
///     region: None,
///     invoke_api: None,
///     poller: PollerSettings { store: None, drain_timeout: Span::from_secs(5), seed: 1, leases: None, listen: None },
///     sources: vec![LocalSource {
///         name: "clicks".into(), kind: SourceKind::Kinesis, shards: 2, visibility_timeout: Span::ZERO,
///         max_receive_count: None, content: LocalContent::Generated(content),
///     }],
///     targets: vec![Target {
///         function: "count".into(), concurrency: None, timeout: Span::from_secs(3), memory_mb: 128, limits: TargetLimits::default(),
///         kind: TargetKind::Mock { duration: Dist::Constant(0.0), error_rate: Ratio::ZERO },
///     }],
///     mappings: vec![PollerMapping {
///         config: MappingConfig { function_name: "count".into(), ..MappingConfig::new("clicks-to-count", SourceKind::Kinesis) },
///         tuning: Tuning::new(Profile::Current), source: MappingSource::Local(0), access: Vec::new(), target: 0, enabled: true,
///     }],
/// };
/// let options = RunOptions { stop_when_idle: Some(Span::from_secs(60)), signals: false, ..RunOptions::default() };
/// let summary = run(file, options).await?;
/// assert_eq!((summary.records, summary.errors), (500, 0));
/// # Ok::<(), tidegate::poll::PollError>(())
/// # }).expect("a run");
/// ```
///
/// # Errors
/// When something cannot be opened, before anything is read; or when a mapping fails.
pub async fn run(file: PollerFile, options: RunOptions) -> Result<RunSummary, PollError> {
    run_by(Clock::start(), file, options).await
}

pub(crate) async fn run_by(
    clock: Clock,
    file: PollerFile,
    options: RunOptions,
) -> Result<RunSummary, PollError> {
    let (phase, phases) = watch::channel(Phase::Run);
    let phase = Arc::new(phase);
    // Before anything else, which may have to wait for services that are out of reach.
    let monitor = monitor(file.poller.listen, &options, clock).await?;
    let Opened {
        drivers,
        shared,
        api,
    } = open::open(file, &options, clock, &phase, phases).await?;
    let signals = signals::Signals::listen(options.signals).map_err(PollError::Signals)?;
    tracing::info!(mappings = drivers.len(), "polling");

    let mut mappings = JoinSet::new();
    let mut fleet = Fleet::new(shared, options.board.clone());
    for driver in drivers {
        fleet.start(driver, &mut mappings);
    }
    if let Some(api) = api {
        if let Some(listening) = &options.listening {
            listening.send_replace(Some(api.address()));
        }
        tracing::info!(address = %api.address(), "the Invoke API is served");
        let mut phases = phase.subscribe();
        mappings.spawn(async move {
            let drained = async move {
                let _ = phases.wait_for(|phase| *phase == Phase::Drain).await;
            };
            api.serve(drained).await;
            Ok(Ended::InvokeApi)
        });
    }
    let overseer = Overseer::new(fleet, &phase, &options, signals);
    let (result, fleet) = overseer.run(&mut mappings).await;
    // Whatever is still running ends here: calls are cancelled with the tasks that wait for them.
    mappings.shutdown().await;
    for target in fleet.targets() {
        target.close().await;
    }
    drop(monitor);
    let drained = result?;
    let counters = &options.counters;
    let summary = RunSummary {
        records: counters::get(&counters.finished),
        polled: counters::get(&counters.polled),
        filtered: counters::get(&counters.filtered),
        invocations: counters::get(&counters.invocations),
        errors: counters::get(&counters.errors),
        throttles: counters::get(&counters.throttles),
        discarded: counters::get(&counters.discarded),
        diverted: counters::get(&counters.diverted),
        destination_failures: counters::get(&counters.destination_failures),
        committed: counters::get(&counters.committed),
        polling_errors: counters::get(&counters.polling_errors),
        invoke_errors: counters::get(&counters.invoke_errors),
        commit_errors: counters::get(&counters.commit_errors),
        offset_lag_max: counters::get(&counters.offset_lag_max),
        error_states: counters::get(&counters.error_states),
        receives: counters::get(&counters.receives),
        empty_receives: counters::get(&counters.empty_receives),
        delete_calls: counters::get(&counters.delete_calls),
        events: counters.events.totals(),
        duration: clock.now().since(clock.started()),
        drained,
    };
    if summary.events.unfinished > 0 {
        tracing::warn!(
            events = summary.events.unfinished,
            "asynchronous events are lost with the end of the run: they wait in memory only"
        );
    }
    tracing::info!(drained, "{}", counters.line());
    Ok(summary)
}

/// Serves metrics, health and status for as long as what is returned lives.
async fn monitor(
    listen: Option<SocketAddr>,
    options: &RunOptions,
    clock: Clock,
) -> Result<JoinSet<()>, PollError> {
    let mut serving = JoinSet::new();
    let Some(address) = listen else {
        return Ok(serving);
    };
    let view = View {
        board: options.board.clone(),
        counters: options.counters.clone(),
        clock,
    };
    let monitor = Monitor::bind(address, view).await;
    let monitor = monitor.map_err(|source| OpenError::Monitor { address, source })?;
    tracing::info!(address = %monitor.address(), "metrics, health and status are served");
    serving.spawn(monitor.serve());
    Ok(serving)
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_bounds;
#[cfg(test)]
mod tests_clock;
#[cfg(test)]
mod tests_divert;
#[cfg(test)]
mod tests_fifo;
#[cfg(test)]
mod tests_filters;
#[cfg(test)]
mod tests_invoke;
#[cfg(test)]
mod tests_lineage;
#[cfg(test)]
mod tests_reload;
#[cfg(test)]
mod tests_reshard;
#[cfg(test)]
mod tests_windows;
