//! One run: a load, and the poller or a bare loop that takes it.

use super::BenchError;
use super::figures::{Hops, Plan};
use super::ledger::{self, Ledger, Progress};
use super::load::{self, Maker, PRIMERS, Sink as _};
use super::place::{Call, Caller, Calls, Loops, Place};
use super::probe::Probe;
use super::usage::{Meter, Usage};
use crate::engine::{Fact, Position, SourceKind, Span, Time, limits};
use crate::metrics::Histogram;
use crate::poll::{self, Clock, Observed, Observer, RunOptions, Tap};
use crate::scenario::{BenchLoad, BenchPoint, PollerFile};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, watch};

/// How long the way through the source may take to open: groups are joined, shards listed, processes started.
const OPENING: Span = Span::from_secs(60);
/// How often a record is written to see whether it is open.
const KNOCK: Span = Span::from_millis(500);
/// How long nothing may come before what is missing is given up, besides what the source itself may take.
const SILENCE: Span = Span::from_secs(15);

/// Who takes the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consumer {
    Poller,
    Bare,
}

/// Calls to the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Requests {
    /// Reads or receives that returned records.
    pub(crate) reads: u64,
    /// Those that returned nothing.
    pub(crate) empty: u64,
    /// Deletions of SQS.
    pub(crate) deletions: u64,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub(crate) struct Side {
    pub(crate) hops: Hops,
    /// `None` where the system does not tell.
    pub(crate) usage: Option<Usage>,
    /// Records that the function answered for, warm-up included.
    pub(crate) answered: u64,
    /// Calls over the whole run.
    pub(crate) requests: Requests,
    /// From when a record was due until its write was acknowledged, nanoseconds.
    pub(crate) written: Histogram,
    /// Reads that returned records, of the bare loop; of the poller's probe, if it had one.
    pub(crate) reads: Vec<Read>,
    /// The first invocation of all.
    pub(crate) first: Option<Span>,
}

/// A read of a bare loop that returned records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) begun: Time,
    pub(crate) ended: Time,
    /// When its oldest record was due; `None` for one that only opens the way.
    pub(crate) due: Option<Time>,
}

/// What all runs share.
pub(crate) struct Bed {
    pub(crate) clock: Clock,
    /// The load and whatever else is not measured runs here.
    load: Runtime,
    interrupted: watch::Receiver<bool>,
    runs: u64,
}

impl Bed {
    pub(crate) fn make() -> Result<Self, BenchError> {
        let load = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("bench-load")
            // They are told from the poller's by being there first.
            .thread_keep_alive(std::time::Duration::from_secs(86_400))
            .enable_all()
            .build()
            .map_err(BenchError::Runtime)?;
        let (interrupt, interrupted) = watch::channel(false);
        load.spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                interrupt.send_replace(true);
                // Whoever looks at it after this still sees it.
                std::future::pending::<()>().await;
            }
        });
        Ok(Self {
            clock: Clock::start(),
            load,
            interrupted,
            runs: 0,
        })
    }

    /// Makes a source, lets `consumer` take the load of `point` from it, and deletes what was made. With `is_probed` another
    /// one has the same load at the same time, of which a bare loop tells how the server did.
    pub(crate) fn run(
        &mut self,
        point: &BenchPoint,
        consumer: Consumer,
        is_probed: bool,
    ) -> Result<Side, BenchError> {
        let of_mapping = |text: String| BenchError::Run {
            mapping: point.mapping().config.name.clone(),
            text,
        };
        self.runs += 1;
        let run = self.clock.now().as_nanos() / 1_000 + self.runs;
        let name = format!("tidegate-bench-{run:x}-{:x}", std::process::id());
        let place = self.load.block_on(Place::open(point, &name));
        // It may be there all the same, and not answer.
        let unopened = |name: &str, text| format!("{text}; should there be {name}, delete it");
        let place = Arc::new(place.map_err(|text| of_mapping(unopened(&name, text)))?);
        let has_rate = matches!(point.bench.load, BenchLoad::Rate { .. });
        let beside = format!("{name}-beside");
        let probed = match is_probed && has_rate && !point.bench.existing {
            true => Some(self.load.block_on(Place::open(point, &beside))),
            false => None,
        };
        // Whatever fails from here on, what was made is deleted.
        let (probed, side) = match probed.transpose() {
            Ok(probed) => {
                let probed = probed.map(Arc::new);
                let side = self.measure(point, consumer, (&place, probed.as_ref()), run);
                (probed, side)
            }
            Err(text) => (None, Err(Trouble::Said(unopened(&beside, text)))),
        };
        let mut places = vec![(name, place)];
        places.extend(probed.map(|place| (beside, place)));
        let mut left = Vec::new();
        for (name, place) in &places {
            if let Err(text) = self.load.block_on(place.remove()) {
                // Why there are no figures is said instead, if there are none.
                tracing::error!(place = name, %text, "what a bench made could not be deleted");
                left.push(format!("{name} could not be deleted: {text}"));
            }
        }
        let side = side.map_err(|trouble| trouble.unwrap_or_else(of_mapping))?;
        if !left.is_empty() {
            return Err(of_mapping(left.join("; ")));
        }
        Ok(side)
    }

    fn measure(
        &self,
        point: &BenchPoint,
        consumer: Consumer,
        (place, probed): (&Arc<Place>, Option<&Arc<Place>>),
        run: u64,
    ) -> Result<Side, Trouble> {
        let maker = Arc::new(Maker::new(&point.bench, run));
        let due: Arc<[Span]> = load::due_times(point.bench.load, point.bench.seed).into();
        let backlog = matches!(point.bench.load, BenchLoad::Backlog { .. });
        let (tap, deliveries) = Tap::new(self.clock);
        let (keeper, progress) =
            ledger::keep(due.len(), maker.clone(), deliveries).map_err(|it| it.to_string())?;
        let (observer, facts) = Observer::new();
        let counter = std::thread::Builder::new()
            .name("bench-facts".to_owned())
            .spawn(move || count(facts))
            .map_err(|error| error.to_string())?;
        let halt = Arc::new(AtomicBool::new(false));
        let mut start = self.clock.now();
        let mut written = load::Written::default();
        if backlog {
            let load = load::run(place, &maker, &due, self.clock, start, &halt);
            written = self.load.block_on(load)?;
        }
        // Its threads are there before those that are measured.
        let mut probe = None;
        if let Some(place) = probed {
            let file = own_file(point, place);
            let parts = (place.clone(), file, maker.clone(), due.len());
            let began = Probe::begin(self.load.handle(), parts, Plainly::of(point), self.clock)?;
            let progress = began.progress();
            let mut interrupted = self.interrupted.clone();
            self.load.block_on(async {
                tokio::select! {
                    _ = interrupted.wait_for(|it| *it) => Err(Trouble::Interrupted),
                    opened = self.open_way(place, &maker, progress) => opened,
                }
            })?;
            probe = Some(began);
        }
        let meter = Meter::start();
        let (stop, stopped) = watch::channel(false);
        let calls = Arc::new(Calls::default());
        let file = own_file(point, place);
        let thread = match consumer {
            Consumer::Poller => {
                let options = RunOptions {
                    observer: Some(observer),
                    tap: Some(tap),
                    signals: false,
                    stop: Some(stopped),
                    status_interval: Span::ZERO,
                    ..RunOptions::default()
                };
                let (ended, end) = mpsc::channel(1);
                (consume(ended, move || poller(file, options))?, end)
            }
            Consumer::Bare => {
                drop(observer);
                let (place, calls, clock) = (place.clone(), calls.clone(), self.clock);
                let plan = Plainly::of(point);
                let (ended, end) = mpsc::channel(1);
                let work = move || bare(&place, &file, (clock, tap), plan, calls, stopped);
                (consume(ended, work)?, end)
            }
        };
        let (thread, mut end) = thread;
        let taken = self.load.block_on(async {
            let mut interrupted = self.interrupted.clone();
            tokio::select! {
                early = end.recv() => Err(Trouble::Early(early.flatten())),
                _ = interrupted.wait_for(|it| *it) => Err(Trouble::Interrupted),
                taken = async {
                    if !backlog {
                        self.open_way(place, &maker, progress.clone()).await?;
                        start = self.clock.now();
                        let load = load::run(place, &maker, &due, self.clock, start, &halt);
                        let (of_place, of_probed) = tokio::join!(load, async {
                            match probed {
                                Some(place) => {
                                    let load = load::run(place, &maker, &due, self.clock, start, &halt);
                                    load.await.map(drop)
                                }
                                None => Ok(()),
                            }
                        });
                        written = of_place?;
                        of_probed?;
                    }
                    wait(progress.clone(), due.len() as u64, silence(point)).await;
                    Ok(())
                } => taken,
            }
        });
        // Whatever happened, what was started ends.
        halt.store(true, Ordering::Relaxed);
        stop.send_replace(true);
        let ended = thread
            .join()
            .map_err(|_| "the consumer panicked".to_owned())?;
        let usage = meter.as_ref().and_then(Meter::stop);
        let ledger = keeper
            .join()
            .map_err(|_| "the ledger panicked".to_owned())?;
        let mut requests = counter
            .join()
            .map_err(|_| "the counter panicked".to_owned())?;
        match taken {
            Err(Trouble::Early(told)) => {
                let told = told.or(ended.err());
                let text = told.unwrap_or_else(|| "it ended before it was told to".to_owned());
                return Err(Trouble::Said(text));
            }
            Err(trouble) => return Err(trouble),
            Ok(()) => ended?,
        }
        let (calls, made) = calls.taken();
        if consumer == Consumer::Bare {
            requests.reads = calls.len() as u64;
            requests.empty = made.saturating_sub(requests.reads);
        }
        let calls = match probe {
            Some(probe) => self.load.block_on(probe.end())?,
            None => calls,
        };
        let plan = Plan {
            start,
            due: &due,
            window: window(point.bench.load),
            bytes: mean_bytes(&maker, due.len()),
        };
        Ok(Side {
            hops: Hops::of(&plan, &ledger),
            usage,
            answered: answered(&ledger),
            requests,
            written: histogram(&written.took),
            reads: reads(&calls, &maker, &plan),
            first: ledger.first,
        })
    }

    /// Writes records until one of them has come through.
    async fn open_way(
        &self,
        place: &Place,
        maker: &Maker,
        mut progress: watch::Receiver<Progress>,
    ) -> Result<(), Trouble> {
        let begun = self.clock.now();
        let mut number = PRIMERS;
        while self.clock.now().since(begun) < OPENING {
            place.write(vec![maker.item(number)]).await?;
            number += 1;
            let came = progress.wait_for(|progress| progress.primers > 0);
            if tokio::time::timeout(KNOCK.to_std(), came).await.is_ok() {
                // What was written while the way was still closed comes through as well, and is out of the way then.
                let all = progress.wait_for(|progress| progress.primers >= number - PRIMERS);
                let _ = tokio::time::timeout(OPENING.to_std(), all).await;
                return Ok(());
            }
        }
        Err(Trouble::Said(format!(
            "no record came through within {OPENING}: the function failed, or the source was not read"
        )))
    }
}

/// Why there are no figures.
enum Trouble {
    Interrupted,
    /// The consumer ended by itself, and may have said why.
    Early(Option<String>),
    Said(String),
}

impl From<String> for Trouble {
    fn from(text: String) -> Self {
        Self::Said(text)
    }
}

impl Trouble {
    fn unwrap_or_else(self, said: impl FnOnce(String) -> BenchError) -> BenchError {
        match self {
            Self::Interrupted => BenchError::Interrupted,
            Self::Early(text) => said(text.unwrap_or_default()),
            Self::Said(text) => said(text),
        }
    }
}

/// The file of a poller that reads `place` and nothing else, and keeps nothing.
fn own_file(point: &BenchPoint, place: &Place) -> PollerFile {
    let mut file = point.file.clone();
    let mut mapping = point.mapping().clone();
    mapping.source = place.source();
    if !point.bench.existing && !mapping.config.source.is_queue() {
        mapping.config.starting_position = Position::Horizon;
    }
    if !point.bench.existing && is_sqs(mapping.config.source) {
        let visibility = super::place::visibility(point);
        mapping.tuning.visibility_timeout = Span::from_secs(visibility);
    }
    file.targets = vec![file.targets[mapping.target].clone()];
    mapping.target = 0;
    file.mappings = vec![mapping];
    file.sources = Vec::new();
    file.poller.store = None;
    file.invoke_api = None;
    file
}

const fn is_sqs(kind: SourceKind) -> bool {
    matches!(kind, SourceKind::Sqs | SourceKind::SqsFifo)
}

type Ended = mpsc::Sender<Option<String>>;

/// Lets `work` run in a thread of its own; `ended` hears of its end.
fn consume(
    ended: Ended,
    work: impl FnOnce() -> Result<(), String> + Send + 'static,
) -> Result<std::thread::JoinHandle<Result<(), String>>, String> {
    let thread = std::thread::Builder::new().name("bench-consumer".to_owned());
    let spawned = thread.spawn(move || {
        let result = work();
        let _ = ended.blocking_send(result.as_ref().err().cloned());
        result
    });
    spawned.map_err(|error| error.to_string())
}

/// A runtime whose threads begin with what is measured.
fn fresh() -> Result<Runtime, String> {
    let mut builder = Builder::new_multi_thread();
    builder
        .enable_all()
        .build()
        .map_err(|error| error.to_string())
}

fn poller(file: PollerFile, options: RunOptions) -> Result<(), String> {
    let runtime = fresh()?;
    let summary = runtime.block_on(poll::run(file, options));
    summary.map(drop).map_err(|error| error.to_string())
}

/// How a bare loop goes about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plainly {
    batch_size: usize,
    long_poll: Span,
    read_interval: Span,
    workers: u32,
}

impl Plainly {
    fn of(point: &BenchPoint) -> Self {
        let mapping = point.mapping();
        let reads = mapping.tuning.reads_per_sec_max.max(1);
        let most = mapping.config.maximum_concurrency.unwrap_or(u32::MAX);
        Self {
            batch_size: mapping.config.batch_size as usize,
            long_poll: mapping.tuning.long_poll,
            read_interval: Span::from_nanos(1_000_000_000 / u64::from(reads)),
            workers: most.min(limits::SQS_CONCURRENCY_START),
        }
    }
}

fn bare(
    place: &Place,
    file: &PollerFile,
    (clock, tap): (Clock, Tap),
    plainly: Plainly,
    calls: Arc<Calls>,
    stopped: watch::Receiver<bool>,
) -> Result<(), String> {
    let runtime = fresh()?;
    let result = runtime.block_on(looping(place, file, (clock, tap), plainly, calls, stopped));
    runtime.shutdown_timeout(std::time::Duration::from_secs(10));
    result
}

/// The bare loop, until it is stopped or fails.
pub(crate) async fn looping(
    place: &Place,
    file: &PollerFile,
    (clock, tap): (Clock, Tap),
    plainly: Plainly,
    calls: Arc<Calls>,
    mut stopped: watch::Receiver<bool>,
) -> Result<(), String> {
    let caller = Arc::new(Caller::open(file, clock, tap).await?);
    let loops = Loops {
        clock,
        batch_size: plainly.batch_size,
        long_poll: plainly.long_poll,
        read_interval: plainly.read_interval,
        workers: plainly.workers,
        caller: caller.clone(),
        calls,
    };
    let result = tokio::select! {
        result = place.bare(&loops) => result,
        _ = stopped.wait_for(|stop| *stop) => Ok(()),
    };
    drop(loops);
    caller.close().await;
    result
}

/// Waits until everything was answered for, or nothing has come for `silence`.
async fn wait(mut progress: watch::Receiver<Progress>, records: u64, silence: Span) {
    loop {
        if progress.borrow_and_update().done >= records {
            return;
        }
        let next = tokio::time::timeout(silence.to_std(), progress.changed()).await;
        if !matches!(next, Ok(Ok(()))) {
            return;
        }
    }
}

/// How long a source may be silent although something is still to come.
fn silence(point: &BenchPoint) -> Span {
    let mapping = point.mapping();
    let target = &point.file.targets[mapping.target];
    let hidden = match is_sqs(mapping.config.source) {
        true => Span::from_secs(super::place::visibility(point)),
        false => mapping.tuning.backoff_max,
    };
    SILENCE + hidden + mapping.config.window + target.timeout
}

/// Counts calls until the run is over.
fn count(mut facts: mpsc::UnboundedReceiver<Observed>) -> Requests {
    let mut requests = Requests::default();
    while let Some(observed) = facts.blocking_recv() {
        match observed.fact {
            Fact::Polled { records: 0, .. } => requests.empty += 1,
            Fact::Polled { .. } => requests.reads += 1,
            Fact::Deleted { records } => {
                let calls = records.div_ceil(limits::SQS_CALL_MESSAGES_MAX);
                requests.deletions += u64::from(calls);
            }
            _ => {}
        }
    }
    requests
}

fn window(load: BenchLoad) -> Option<(Span, Span)> {
    match load {
        BenchLoad::Rate {
            warm_up, duration, ..
        } => Some((warm_up, warm_up + duration)),
        BenchLoad::Backlog { .. } => None,
    }
}

/// Of the first records: sizes are drawn.
fn mean_bytes(maker: &Maker, records: usize) -> f64 {
    let sample = records.clamp(1, 1_000);
    let bytes: usize = (0..sample)
        .map(|number| maker.item(number as u64).body.len())
        .sum();
    bytes as f64 / sample as f64
}

fn answered(ledger: &Ledger) -> u64 {
    ledger.answered.iter().flatten().count() as u64
}

fn histogram(values: &[u64]) -> Histogram {
    let mut histogram = Histogram::default();
    values.iter().for_each(|value| histogram.record(*value));
    histogram
}

fn reads(calls: &[Call], maker: &Maker, plan: &Plan<'_>) -> Vec<Read> {
    let due = |number: u64| {
        let own = usize::try_from(maker.own(number)?).ok()?;
        Some(plan.start + *plan.due.get(own)?)
    };
    let read = |call: &Call| Read {
        begun: call.begun,
        ended: call.ended,
        due: call.oldest.and_then(due),
    };
    calls.iter().map(read).collect()
}
