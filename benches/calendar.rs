//! The hold model: take the next event and schedule one an exponential time later, at a constant number pending.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "benchmarks read the clock and print what they measure"
)]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;
use tidegate::engine::Rng;
use tidegate::scenario::Dist;
use tidegate::sim::calendar::{Calendar, Entry, EventSet, FourAryHeap, RadixHeap};
use tidegate::sim::dist::Sampler;

/// The standard library's heap, for comparison.
#[derive(Default)]
struct StdHeap(BinaryHeap<Reverse<Entry>>);

impl EventSet for StdHeap {
    fn push(&mut self, entry: Entry) {
        self.0.push(Reverse(entry));
    }

    fn peek(&mut self) -> Option<Entry> {
        self.0.peek().map(|Reverse(entry)| *entry)
    }

    fn pop(&mut self) -> Option<Entry> {
        self.0.pop().map(|Reverse(entry)| entry)
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

struct Hold<S> {
    set: S,
    rng: Rng,
    wait: Sampler,
    inserted: u64,
}

impl<S: EventSet + Default> Hold<S> {
    fn new(pending: u64) -> Self {
        let mut hold = Self {
            set: S::default(),
            rng: Rng::stream(1, "hold"),
            wait: Sampler::new(&Dist::Exponential { mean: 1e9 }),
            inserted: 0,
        };
        for _ in 0..pending {
            hold.push(0);
        }
        hold.holds(2 * pending);
        hold
    }

    fn push(&mut self, now: u64) {
        let at = now + self.wait.draw(&mut self.rng);
        let at = tidegate::engine::Time::from_nanos(at);
        self.set.push(Entry::new(at, self.inserted, 0));
        self.inserted += 1;
    }

    fn holds(&mut self, count: u64) {
        for _ in 0..count {
            let next = self.set.pop().expect("the number pending is constant");
            self.push(next.time().as_nanos());
        }
    }
}

const HOLDS: u64 = 1_000;

fn structure<S: EventSet + Default>(criterion: &mut Criterion, name: &str) {
    let mut group = criterion.benchmark_group("hold");
    group.sample_size(20);
    group.warm_up_time(Duration::from_millis(100));
    group.measurement_time(Duration::from_millis(700));
    group.throughput(Throughput::Elements(HOLDS));
    for pending in [100, 1_000, 10_000, 100_000, 1_000_000] {
        let mut hold = Hold::<S>::new(pending);
        group.bench_function(BenchmarkId::new(name, pending), |bencher| {
            bencher.iter(|| hold.holds(HOLDS));
        });
    }
    group.finish();
}

fn all(criterion: &mut Criterion) {
    structure::<FourAryHeap>(criterion, "4-ary heap");
    structure::<RadixHeap>(criterion, "radix heap");
    structure::<Calendar>(criterion, "calendar");
    structure::<StdHeap>(criterion, "std BinaryHeap");
}

criterion_group!(benches, all);
criterion_main!(benches);
