//! Throughput and processor time of a piece of work.

use std::future::Future;
use std::time::Instant;

/// What one round took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    pub(crate) records_per_s: f64,
    pub(crate) cpu_us_per_record: f64,
}

impl Measured {
    /// Measures `work`, which handles `records` records and says when the last of them was done. What comes after that
    /// (a poller drains) counts as processor time, not as time.
    pub(crate) async fn of(records: usize, work: impl Future<Output = Instant>) -> Self {
        let cpu = cpu_seconds();
        let begun = Instant::now();
        let done = work.await;
        let cpu = cpu_seconds() - cpu;
        Self {
            records_per_s: records as f64 / done.duration_since(begun).as_secs_f64(),
            cpu_us_per_record: cpu * 1e6 / records as f64,
        }
    }
}

/// The rounds of both contenders.
#[derive(Default)]
pub(crate) struct Rounds {
    pub(crate) poller: Vec<Measured>,
    pub(crate) bare: Vec<Measured>,
}

impl Rounds {
    /// Medians of records per second: the poller's and the bare loop's.
    pub(crate) fn medians(&self) -> [f64; 2] {
        [&self.poller, &self.bare]
            .map(|rounds| spread(rounds.iter().map(|round| round.records_per_s))[1])
    }

    /// Prints a row of the table: medians, with the range of the rounds.
    pub(crate) fn print(&self, name: &str) {
        let speed = |rounds: &[Measured]| spread(rounds.iter().map(|round| round.records_per_s));
        let cpu = |rounds: &[Measured]| spread(rounds.iter().map(|round| round.cpu_us_per_record));
        let (poller, bare) = (speed(&self.poller), speed(&self.bare));
        let (poller_cpu, bare_cpu) = (cpu(&self.poller), cpu(&self.bare));
        println!(
            "| {name} | {:.0} ({:.0}..{:.0}) | {:.0} ({:.0}..{:.0}) | {:.2} | {:.1} ({:.1}..{:.1}) | {:.1} ({:.1}..{:.1}) |",
            poller[1],
            poller[0],
            poller[2],
            bare[1],
            bare[0],
            bare[2],
            poller[1] / bare[1],
            poller_cpu[1],
            poller_cpu[0],
            poller_cpu[2],
            bare_cpu[1],
            bare_cpu[0],
            bare_cpu[2],
        );
    }
}

/// Minimum, median and maximum.
fn spread(values: impl Iterator<Item = f64>) -> [f64; 3] {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    [
        sorted[0],
        sorted[sorted.len() / 2],
        sorted[sorted.len() - 1],
    ]
}

/// Processor time of this process, all threads; the function is another process and does not count.
fn cpu_seconds() -> f64 {
    const TICKS_PER_SEC: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").expect("this machine has /proc");
    // The name in parentheses may hold spaces: fields are counted behind it.
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or("")
        .split_whitespace()
        .collect();
    let ticks = |index: usize| fields[index].parse::<f64>().expect("a number of ticks");
    (ticks(11) + ticks(12)) / TICKS_PER_SEC
}
