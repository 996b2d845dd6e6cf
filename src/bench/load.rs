//! The load: numbered records, each with a moment at which it is meant to be sent.
//!
//! The moments are fixed before anything is sent. A writer that is slow, or a consumer that stands still, does not move
//! them: what waits is sent late and its latency counts from when it was due. That is how coordinated omission is avoided.

use crate::engine::{Rng, Span, mix};
use crate::poll::Clock;
use crate::scenario::{Bench, BenchLoad, Generated, LocalContent};
use crate::source::Draw;
use crate::source::local::Content;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

/// Calls that write at once; more than one is only needed where a call takes longer than the gap between records.
const WRITERS: usize = 16;
/// Longest wait before what is due is looked at again, so that a load can be stopped.
const PATIENCE: Span = Span::from_millis(50);
/// How long refused writes are tried again.
const RETRY_FOR: Span = Span::from_secs(30);
/// Numbers of a run from here on belong to records that only show that the way through is open.
pub(crate) const PRIMERS: u64 = 1 << 40;
/// Every run has this many numbers, so that what an earlier run left in a source is not taken for its own.
const NUMBERS: u64 = 1 << 42;
/// Runs whose numbers differ; a number is then below 2^63.
const RUNS: u64 = 1 << 20;

/// A record to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) number: u64,
    pub(crate) key: String,
    pub(crate) body: String,
}

/// Makes the records of a load: the same number always gives the same record.
#[derive(Debug)]
pub(crate) struct Maker {
    content: Content,
    size: Draw,
    seed: u64,
    /// What is added to the numbers that records show.
    base: u64,
}

impl Maker {
    /// `run` tells runs apart, as well as a number can that is drawn once for each.
    pub(crate) fn new(bench: &Bench, run: u64) -> Self {
        let generated = Generated {
            per_sec: 1.0,
            size: bench.size.clone(),
            keys: bench.keys,
            count: None,
            seed: bench.seed,
        };
        let content = Content::open(&LocalContent::Generated(generated));
        Self {
            content: content.unwrap_or_else(|error| unreachable!("nothing is read: {error}")),
            size: Draw::new(bench.size.clone()),
            seed: bench.seed,
            base: run % RUNS * NUMBERS,
        }
    }

    /// The number within this run of a record that shows `number`; `None` for records of others.
    pub(crate) fn own(&self, number: u64) -> Option<u64> {
        number.checked_sub(self.base).filter(|own| *own < NUMBERS)
    }

    /// A JSON object that begins with its number and is filled up to the drawn size; never shorter than that needs.
    pub(crate) fn item(&self, number: u64) -> Item {
        let mut rng = Rng::from_key(mix(self.seed.wrapping_add(2)) ^ mix(number));
        let size = usize::try_from(self.size.next(&mut rng)).unwrap_or(usize::MAX);
        let mut body = String::new();
        let _ = write!(body, "{{\"n\":{},\"fill\":\"", self.base + number);
        // What Kinesis takes is the most that any source takes.
        let fill = size.min(10 << 20).saturating_sub(body.len() + 2);
        body.extend(std::iter::repeat_n('.', fill));
        body.push_str("\"}");
        Item {
            number,
            key: format!("key-{}", self.content.key(number).0),
            body,
        }
    }
}

/// The number that a payload begins with, if it is one of ours.
pub(crate) fn number_of(body: &[u8]) -> Option<u64> {
    let rest = body.strip_prefix(b"{\"n\":")?;
    let end = rest.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(&rest[..end]).ok()?.parse().ok()
}

/// When each record is due, from the beginning of the load on; a backlog is due at once.
pub(crate) fn due_times(load: BenchLoad, seed: u64) -> Vec<Span> {
    match load {
        BenchLoad::Backlog { records } => (0..records).map(|_| Span::ZERO).collect(),
        BenchLoad::Rate {
            per_sec,
            poisson,
            warm_up,
            duration,
        } => {
            let end = (warm_up + duration).as_secs_f64();
            let mut rng = Rng::stream(seed, "bench/arrivals");
            let mut at = 0.0;
            let mut number = 0.0;
            let mut due = Vec::new();
            loop {
                if poisson {
                    at -= libm::log(1.0 - rng.unit()) / per_sec;
                } else {
                    at = number / per_sec;
                    number += 1.0;
                }
                if at >= end {
                    return due;
                }
                due.push(Span::from_nanos((at * 1e9) as u64));
            }
        }
    }
}

/// Somewhere to write records to.
pub(crate) trait Sink: Send + Sync + 'static {
    /// Records that one call takes.
    fn records_max(&self) -> usize;

    /// Writes records and returns those that were refused for now.
    fn write(&self, items: Vec<Item>) -> impl Future<Output = Result<Vec<Item>, String>> + Send;
}

/// What writing took.
#[derive(Clone, Debug, Default)]
pub(crate) struct Written {
    /// From when a record was due to when its write was acknowledged, nanoseconds, by number.
    pub(crate) took: Vec<u64>,
}

struct Queue {
    next: usize,
    due: Arc<[Span]>,
}

/// Writes every record when it is due, or as soon after that as the sink lets it, until all are written or `stop` is set.
///
/// # Errors
/// When a write fails, or is refused for longer than half a minute.
pub(crate) async fn run<S: Sink>(
    sink: &Arc<S>,
    maker: &Arc<Maker>,
    due: &Arc<[Span]>,
    clock: Clock,
    start: crate::engine::Time,
    stop: &Arc<AtomicBool>,
) -> Result<Written, String> {
    let queue = Arc::new(Mutex::new(Queue {
        next: 0,
        due: due.clone(),
    }));
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        let (sink, maker, queue) = (sink.clone(), maker.clone(), queue.clone());
        let (due, stop) = (due.clone(), stop.clone());
        writers.spawn(async move {
            let mut took = Vec::new();
            while let Some(numbers) = next(&queue, sink.records_max(), clock, start, &stop).await {
                let mut items: Vec<Item> = numbers
                    .clone()
                    .map(|number| maker.item(number as u64))
                    .collect();
                let begun = clock.now();
                while !items.is_empty() {
                    items = sink.write(items).await?;
                    if clock.now().since(begun) > RETRY_FOR {
                        return Err(format!(
                            "{} records were refused for {RETRY_FOR}",
                            items.len()
                        ));
                    }
                }
                let now = clock.now();
                took.extend(
                    numbers.map(|number| (number, now.since(start + due[number]).as_nanos())),
                );
            }
            Ok(took)
        });
    }
    let mut written = Written {
        took: vec![0; due.len()],
    };
    while let Some(ended) = writers.join_next().await {
        let took = ended.map_err(|error| error.to_string())??;
        for (number, nanos) in took {
            written.took[number] = nanos;
        }
    }
    Ok(written)
}

/// The numbers that are due, as soon as there are some; `None` when there will be none. Writers wait here in line.
async fn next(
    queue: &Mutex<Queue>,
    records_max: usize,
    clock: Clock,
    start: crate::engine::Time,
    stop: &AtomicBool,
) -> Option<std::ops::Range<usize>> {
    let mut queue = queue.lock().await;
    loop {
        let from = queue.next;
        let first = *queue.due.get(from)?;
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        let now = clock.now();
        if start + first > now {
            let wait = (start + first).since(now).min(PATIENCE);
            tokio::time::sleep(wait.to_std()).await;
            continue;
        }
        let is_due = |due: &&Span| start + **due <= now;
        let count = queue.due[from..]
            .iter()
            .take(records_max)
            .take_while(is_due)
            .count();
        queue.next += count;
        return Some(from..from + count);
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
