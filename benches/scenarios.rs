//! Whole scenarios through the simulator, histograms and series included.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "benchmarks read the clock and print what they measure"
)]

#[allow(
    dead_code,
    reason = "each benchmark uses its part of the support module"
)]
mod support;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::time::Duration;
use support::{
    backlogged_fifo, backlogged_queue, full_stream, full_topic, lognormal, many_functions,
    parallel_stream, single_messages, traffic,
};
use tidegate::engine::Profile;
use tidegate::scenario::{Dist, Scenario};
use tidegate::sim;

/// What a scenario's throughput is counted in.
#[derive(Clone, Copy)]
enum Unit {
    Invocations,
    /// Delivered records, in batches whose mean must come this close to full.
    Records {
        batch_mean: f64,
    },
}

fn run(criterion: &mut Criterion, name: &str, scenario: &Scenario, unit: Unit) {
    let outcome = sim::run(scenario, 1, &mut ()).expect("the limits are sound");
    let elements = match unit {
        Unit::Invocations => outcome.invocations,
        Unit::Records { batch_mean } => {
            let mapping = &outcome.summary.mappings[0].1;
            let mean = mapping.batch_records.mean.value;
            assert!(mean >= batch_mean, "batches of {mean} are not full");
            mapping.invoked_event_count.value as u64
        }
    };
    let mut group = criterion.benchmark_group("scenario");
    group.sample_size(10);
    group.warm_up_time(Duration::from_millis(300));
    group.measurement_time(Duration::from_secs(3));
    group.throughput(Throughput::Elements(elements));
    group.bench_function(name, |bencher| {
        bencher.iter(|| sim::run(scenario, 1, &mut ()));
    });
    group.finish();
}

/// 10,000 calls a second of 100 ms: about 1,000 run at once.
fn calls(criterion: &mut Criterion) {
    let mean = 1e8;
    for (name, duration) in [
        ("calls, constant duration", Dist::Constant(mean)),
        ("calls, exponential duration", Dist::Exponential { mean }),
        ("calls, lognormal duration", lognormal(mean, 1.0)),
    ] {
        let scenario = traffic(100, 10_000.0, duration);
        run(criterion, name, &scenario, Unit::Invocations);
    }
    let mut busy = traffic(100, 10_000.0, Dist::Exponential { mean: 1e10 });
    // The growth limit would keep most of them out.
    busy.profile = Profile::Guide2021;
    busy.region.burst_concurrency = 200_000;
    busy.region.account_concurrency = 200_000;
    let name = "calls, 100,000 running";
    run(criterion, name, &busy, Unit::Invocations);
    let many = many_functions(100, 1_000, 10.0, Dist::Exponential { mean });
    let name = "calls, 1,000 functions";
    run(criterion, name, &many, Unit::Invocations);
}

fn queue(criterion: &mut Criterion) {
    let unit = Unit::Records { batch_mean: 9.9 };
    for (name, size) in [
        ("SQS, batches of 10, constant size", Dist::Constant(1_000.0)),
        (
            "SQS, batches of 10, lognormal size",
            lognormal(1_000.0, 1.0),
        ),
    ] {
        run(criterion, name, &backlogged_queue(200, size), unit);
    }
    let name = "SQS, batches of 1, 1,000 at once";
    let unit = Unit::Records { batch_mean: 1.0 };
    let scenario = single_messages(300, Dist::Constant(1_000.0));
    run(criterion, name, &scenario, unit);
}

/// Groups that come and go, most of them waiting or in flight.
fn fifo(criterion: &mut Criterion) {
    let unit = Unit::Records { batch_mean: 9.9 };
    for (name, groups) in [
        ("SQS fifo, batches of 10, 10,000 groups", 10_000),
        ("SQS fifo, batches of 10, 100,000 groups", 100_000),
    ] {
        let scenario = backlogged_fifo(200, groups, Dist::Constant(1_000.0));
        run(criterion, name, &scenario, unit);
    }
}

fn stream(criterion: &mut Criterion) {
    let unit = Unit::Records { batch_mean: 99.0 };
    for (name, size) in [
        (
            "Kinesis, batches of 100, constant size",
            Dist::Constant(500.0),
        ),
        (
            "Kinesis, batches of 100, exponential size",
            Dist::Exponential { mean: 500.0 },
        ),
        (
            "Kinesis, batches of 100, lognormal size",
            lognormal(500.0, 1.0),
        ),
    ] {
        run(criterion, name, &full_stream(40, size), unit);
    }
    let name = "Kinesis, 10 lanes, batches of 10";
    let scenario = parallel_stream(20, Dist::Constant(500.0));
    run(
        criterion,
        name,
        &scenario,
        Unit::Records { batch_mean: 9.0 },
    );
}

fn kafka(criterion: &mut Criterion) {
    let unit = Unit::Records { batch_mean: 99.0 };
    for (name, size) in [
        (
            "Kafka, batches of 100, constant size",
            Dist::Constant(500.0),
        ),
        (
            "Kafka, batches of 100, lognormal size",
            lognormal(500.0, 1.0),
        ),
    ] {
        run(criterion, name, &full_topic(40, size), unit);
    }
}

criterion_group!(benches, calls, queue, fifo, stream, kafka);
criterion_main!(benches);
