//! One scripted world through both drivers: their logs must be identical, instant by instant.
//!
//! The simulator runs it in virtual time, the poller on tokio with its clock paused, so that its timers jump. Sources
//! and functions are each driver's own; what they do is scripted to the millisecond.

use crate::support::{function, scenario};
use std::collections::HashMap;
use std::sync::Arc;
use tidegate::engine::{Fact, MappingConfig, Profile, Ratio, SourceKind, Span, Time, Tuning};
use tidegate::poll::{self, Observer, RunOptions};
use tidegate::scenario::{
    Arrivals, Aws, Dist, Generated, Keys, LocalContent, LocalSource, Mapping, MappingSource,
    OnThrottle, PollerFile, PollerMapping, PollerSettings, Producer, Source, SourceModel, Stream,
    Target, TargetKind, Trace,
};
use tidegate::sim;

/// A record every this many milliseconds, from the first instant on.
const SPACING_MS: u64 = 10;
const RECORDS: u64 = 100;
const RECORD_BYTES: f64 = 100.0;

struct Script {
    config: MappingConfig,
    tuning: Tuning,
    function_ms: u64,
    /// Whether every invocation fails.
    fails: bool,
    lasts: Span,
}

/// What a fact says, without what may differ: sequence numbers, encoded lengths and the numbers of tokens.
fn line(at: Span, fact: &Fact, origin: Time, tokens: &mut HashMap<u64, usize>) -> Option<String> {
    let mut name = |token: u64| {
        let next = tokens.len();
        *tokens.entry(token).or_insert(next)
    };
    let text = match *fact {
        Fact::Polled {
            shard,
            records,
            filtered,
            behind,
        } => format!("polled {shard:?} {records}, {filtered} left out, behind {behind}"),
        Fact::InvokeSent {
            token,
            records,
            attempt,
            first_arrival,
            last_arrival,
            ..
        } => format!(
            "invocation {} of {records} from {} to {}, attempt {attempt}",
            name(token.0),
            first_arrival.since(origin),
            last_arrival.since(origin),
        ),
        Fact::InvokeEnded {
            token,
            records,
            outcome,
            ..
        } => format!(
            "invocation {} of {records} ended: {outcome:?}",
            name(token.0)
        ),
        Fact::Discarded {
            shard,
            records,
            condition,
            invoke_count,
            ..
        } => format!("{shard:?} gave up {records}: {condition:?} after {invoke_count}"),
        Fact::Checkpointed { shard, .. } => format!("{shard:?} checkpointed"),
        Fact::Deleted { records } => format!("deleted {records}"),
        Fact::Returned { records, cause } => format!("returned {records}: {cause:?}"),
        ref other => format!("{other:?}"),
    };
    Some(format!("{at} {text}"))
}

fn simulate(script: &Script) -> Vec<String> {
    let mut function = function(Dist::Constant(script.function_ms as f64 * 1e6));
    function.error_rate = if script.fails {
        Ratio::ONE
    } else {
        Ratio::ZERO
    };
    let mut scenario = scenario(script.lasts, function);
    let points = (0..RECORDS)
        .map(|n| (Span::from_millis(n * SPACING_MS), 1))
        .collect();
    let trace = Trace {
        path: "script".into(),
        points,
    };
    let kind = match script.config.source {
        SourceKind::Kinesis => SourceModel::Stream(Stream {
            // Local streams have no limits.
            read_limits: false,
            write_limits: false,
            ..Stream::kinesis(1)
        }),
        _ => SourceModel::Sqs {
            is_fifo: false,
            visibility_timeout: script.tuning.visibility_timeout,
            max_receive_count: None,
        },
    };
    scenario.sources = vec![Source {
        name: "records".to_owned(),
        kind,
        producers: vec![Producer {
            arrivals: Arrivals::Trace(Arc::new(trace)),
            size: Dist::Constant(RECORD_BYTES),
            keys: Keys::Unique,
            on_throttle: OnThrottle::Retry,
        }],
        delivery: None,
        latency: Dist::Constant(0.0),
    }];
    scenario.mappings = vec![Mapping {
        config: script.config.clone(),
        tuning: script.tuning,
        fan_out: false,
        // What both can do alike is to let nothing pass.
        matching: (!script.config.filters.is_empty()).then_some(Ratio::ZERO),
        source: 0,
        function: 0,
        alias: None,
    }];
    let mut tokens = HashMap::new();
    sim::trace(&scenario, 1)
        .expect("the limits are sound")
        .iter()
        .filter_map(|traced| {
            line(
                traced.at.since(Time::ZERO),
                &traced.fact,
                Time::ZERO,
                &mut tokens,
            )
        })
        .collect()
}

fn poll(script: &Script) -> Vec<String> {
    let file = PollerFile {
        hash: String::new(),
        profile: Profile::Current,
        aws: Aws::default(),
        region: None,
        invoke_api: None,
        poller: PollerSettings {
            store: None,
            drain_timeout: Span::ZERO,
            seed: 1,
            leases: None,
            listen: None,
        },
        sources: vec![LocalSource {
            name: "records".to_owned(),
            kind: script.config.source,
            shards: 1,
            visibility_timeout: script.tuning.visibility_timeout,
            max_receive_count: None,
            content: LocalContent::Generated(Generated {
                per_sec: 1_000.0 / SPACING_MS as f64,
                size: Dist::Constant(RECORD_BYTES),
                keys: Keys::Unique,
                count: Some(RECORDS),
                seed: 1,
            }),
        }],
        targets: vec![Target {
            function: script.config.function_name.clone(),
            kind: TargetKind::Mock {
                duration: Dist::Constant(script.function_ms as f64 * 1e6),
                error_rate: if script.fails {
                    Ratio::ONE
                } else {
                    Ratio::ZERO
                },
            },
            concurrency: None,
            timeout: Span::from_secs(900),
            memory_mb: 128,
            limits: tidegate::scenario::TargetLimits::default(),
        }],
        mappings: vec![PollerMapping {
            config: script.config.clone(),
            tuning: script.tuning,
            source: MappingSource::Local(0),
            access: Vec::new(),
            target: 0,
            enabled: true,
        }],
    };
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let (observer, mut facts) = Observer::new();
    let options = RunOptions {
        signals: false,
        status_interval: Span::ZERO,
        stop: Some(stopped),
        observer: Some(observer),
        ..RunOptions::default()
    };
    let lasts = script.lasts.to_std();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let run = poll::run(file, options);
        let end = async {
            tokio::time::sleep(lasts).await;
            stop.send_replace(true);
        };
        let (summary, ()) = tokio::join!(run, end);
        summary.expect("the run ends well");
    });
    let mut lines = Vec::new();
    let mut tokens = HashMap::new();
    while let Ok(observed) = facts.try_recv() {
        let at = observed.at.since(observed.started);
        if at < script.lasts {
            lines.extend(line(at, &observed.fact, observed.started, &mut tokens));
        }
    }
    lines
}

#[track_caller]
fn same(script: &Script) {
    let simulated = simulate(script);
    let polled = poll(script);
    assert!(
        simulated.len() > 20,
        "the script does too little: {simulated:#?}"
    );
    let differs = simulated
        .iter()
        .zip(&polled)
        .position(|(left, right)| left != right);
    let at = differs.unwrap_or(simulated.len().min(polled.len()));
    let around =
        |lines: &[String]| lines[at.saturating_sub(3)..(at + 3).min(lines.len())].join("\n  ");
    assert!(
        simulated == polled,
        "line {at} of {} and {} differs\nsimulator:\n  {}\npoller:\n  {}",
        simulated.len(),
        polled.len(),
        around(&simulated),
        around(&polled),
    );
}

fn script(source: SourceKind) -> Script {
    Script {
        config: MappingConfig {
            function_name: "f".to_owned(),
            ..MappingConfig::new("records-to-f", source)
        },
        tuning: Tuning::new(Profile::Current),
        function_ms: 35,
        fails: false,
        lasts: Span::from_secs(30),
    }
}

#[test]
fn a_stream_is_read_and_delivered_alike() {
    let mut script = script(SourceKind::Kinesis);
    script.config.batch_size = 7;
    same(&script);
}

#[test]
fn a_batching_window_closes_alike() {
    let mut script = script(SourceKind::Kinesis);
    script.config.batch_size = 40;
    script.config.window = Span::from_secs(2);
    script.tuning.poll_interval = Span::from_millis(130);
    same(&script);
}

#[test]
fn retries_and_their_exhaustion_happen_alike() {
    let mut script = script(SourceKind::Kinesis);
    script.config.batch_size = 30;
    script.config.maximum_retry_attempts = Some(2);
    script.fails = true;
    same(&script);
}

#[test]
fn bisected_batches_fall_apart_alike() {
    let mut script = script(SourceKind::Kinesis);
    script.config.batch_size = 9;
    script.config.bisect_batch_on_function_error = true;
    script.config.maximum_retry_attempts = Some(1);
    script.fails = true;
    same(&script);
}

#[test]
fn a_single_try_gives_up_alike() {
    let mut script = script(SourceKind::Kinesis);
    script.config.batch_size = 12;
    script.config.maximum_retry_attempts = Some(0);
    script.fails = true;
    same(&script);
}

#[test]
fn records_expire_alike() {
    let mut script = script(SourceKind::Kinesis);
    script.config.batch_size = 25;
    script.config.maximum_record_age = Some(Span::from_secs(60));
    script.fails = true;
    script.lasts = Span::from_secs(200);
    same(&script);
}

#[test]
fn a_queue_is_received_invoked_and_deleted_alike() {
    let mut script = script(SourceKind::Sqs);
    // One poller: several that wait at once may be answered in any order.
    script.config.maximum_concurrency = Some(1);
    same(&script);
}

#[test]
fn failed_messages_come_back_alike() {
    let mut script = script(SourceKind::Sqs);
    script.config.maximum_concurrency = Some(1);
    script.config.batch_size = 10;
    script.tuning.visibility_timeout = Span::from_secs(5);
    script.fails = true;
    same(&script);
}

#[test]
fn records_are_left_out_alike() {
    let mut script = script(SourceKind::Kinesis);
    script.config.filters = vec![r#"{"data": {"n": [-1]}}"#.to_owned()];
    same(&script);
}

#[test]
fn messages_are_left_out_and_deleted_alike() {
    let mut script = script(SourceKind::Sqs);
    script.config.maximum_concurrency = Some(1);
    script.config.filters = vec![r#"{"body": {"n": [-1]}}"#.to_owned()];
    same(&script);
}
