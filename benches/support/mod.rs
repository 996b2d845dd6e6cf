//! Scenarios that several benches run.

#[path = "../../tests/support/mod.rs"]
mod built;

pub(crate) use built::*;
use tidegate::engine::{MappingConfig, SourceKind, Span, Tuning, limits};
use tidegate::scenario::{
    Arrivals, Dist, Keys, Mapping, OnThrottle, Producer, Scenario, Source, SourceModel, Stream,
    Topic, Traffic,
};

/// Poisson calls at `per_sec` of one function.
pub(crate) fn traffic(secs: u64, per_sec: f64, duration: Dist) -> Scenario {
    let mut built = scenario(Span::from_secs(secs), function(duration));
    built.traffic = vec![poisson(per_sec)];
    built
}

/// SimFaaS's own steady-state example.
pub(crate) fn simfaas_example() -> Scenario {
    let mut scenario = traffic(1_000_000, 0.9, Dist::Exponential { mean: 1.991e9 });
    scenario.functions[0].cold_duration = Some(Dist::Exponential { mean: 2.244e9 });
    scenario
}

/// Poisson calls of `functions` functions, `per_sec` of each.
pub(crate) fn many_functions(
    secs: u64,
    functions: usize,
    per_sec: f64,
    duration: Dist,
) -> Scenario {
    let mut scenario = traffic(secs, per_sec, duration);
    let first = scenario.functions[0].clone();
    scenario.functions = (0..functions)
        .map(|index| tidegate::scenario::Function {
            name: format!("f{index}"),
            ..first.clone()
        })
        .collect();
    scenario.traffic = (0..functions)
        .map(|function| Traffic {
            function,
            ..poisson(per_sec)
        })
        .collect();
    scenario
}

/// More messages than the mapping's concurrency lets through, so that every batch is full.
pub(crate) fn backlogged_queue(secs: u64, size: Dist) -> Scenario {
    let kind = SourceModel::Sqs {
        is_fifo: false,
        visibility_timeout: Span::from_secs(30),
        max_receive_count: None,
    };
    let mut config = MappingConfig::new("m", SourceKind::Sqs);
    config.maximum_concurrency = Some(100);
    event_source(secs, kind, 12_000.0, size, config)
}

/// The same of a FIFO queue with this many message groups, all alike.
pub(crate) fn backlogged_fifo(secs: u64, groups: u32, size: Dist) -> Scenario {
    let mut scenario = backlogged_queue(secs, size);
    let source = &mut scenario.sources[0];
    source.kind = SourceModel::Sqs {
        is_fifo: true,
        visibility_timeout: Span::from_secs(30),
        max_receive_count: None,
    };
    source.producers[0].keys = Keys::Zipf { n: groups, s: 0.0 };
    scenario.mappings[0].config.source = SourceKind::SqsFifo;
    scenario
}

/// More messages than 1,000 invocations at once take one by one. The ramp gets there in four minutes.
pub(crate) fn single_messages(secs: u64, size: Dist) -> Scenario {
    let kind = SourceModel::Sqs {
        is_fifo: false,
        visibility_timeout: Span::from_secs(30),
        max_receive_count: None,
    };
    let mut config = MappingConfig::new("m", SourceKind::Sqs);
    config.batch_size = 1;
    config.maximum_concurrency = Some(1_000);
    event_source(secs, kind, 10_500.0, size, config)
}

/// Shards at their write limit, and a window that is long enough for every batch to fill.
pub(crate) fn full_stream(secs: u64, size: Dist) -> Scenario {
    let shards = 100;
    // The limit itself would hold some of the records back.
    let kind = SourceModel::Stream(Stream {
        write_limits: false,
        ..Stream::kinesis(shards)
    });
    let mut config = MappingConfig::new("m", SourceKind::Kinesis);
    config.window = Span::from_secs(10);
    event_source(secs, kind, f64::from(shards) * 1_000.0, size, config)
}

/// The same with ten lanes a shard and batches of 10.
pub(crate) fn parallel_stream(secs: u64, size: Dist) -> Scenario {
    let mut scenario = full_stream(secs, size);
    let config = &mut scenario.mappings[0].config;
    config.parallelization_factor = 10;
    config.batch_size = 10;
    scenario
}

/// Partitions that bring more than 25 provisioned pollers can work on, four for each of them. A window is long enough for
/// every batch to fill.
pub(crate) fn full_topic(secs: u64, size: Dist) -> Scenario {
    let kind = SourceModel::Kafka(Topic {
        kind: SourceKind::SelfManagedKafka,
        partitions: 100,
        retention: limits::KAFKA_RETENTION_DEFAULT,
        rebalance: Dist::Constant(0.0),
    });
    let mut config = MappingConfig::new("m", SourceKind::SelfManagedKafka);
    config.window = Span::from_secs(10);
    config.provisioned_pollers = Some((25, 25));
    event_source(secs, kind, 100_000.0, size, config)
}

fn event_source(
    secs: u64,
    kind: SourceModel,
    per_sec: f64,
    size: Dist,
    config: MappingConfig,
) -> Scenario {
    let duration = Dist::Exponential { mean: 100e6 };
    let mut built = scenario(Span::from_secs(secs), function(duration));
    let tuning = Tuning::for_source(built.profile, config.source);
    built.sources = vec![Source {
        name: "s".to_owned(),
        kind,
        producers: vec![Producer {
            arrivals: Arrivals::Poisson(constant_rate(per_sec)),
            size,
            keys: Keys::Unique,
            on_throttle: OnThrottle::Retry,
        }],
        latency: Dist::Constant(5e6),
        delivery: None,
    }];
    built.mappings = vec![Mapping {
        config,
        tuning,
        fan_out: false,
        matching: None,
        source: 0,
        function: 0,
        alias: None,
    }];
    built
}
