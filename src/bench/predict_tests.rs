use super::super::figures::Hops;
use super::super::live::{Read, Requests};
use super::fit::{SAMPLES_MAX, thinned};
use super::*;
use crate::engine::{Span, Time, Tuning};
use crate::scenario::{BenchPoint, SourceText, load, parse_bench};
use crate::sim;

const TARGET: &str =
    "[[target]]\nfunction = 'checkout'\ntype = 'mock'\ntimeout = '5s'\nconcurrency = 20\n";
const QUEUE: &str = "[[mapping]]\nname = 'orders'\nFunctionName = 'checkout'\n\
    EventSourceArn = 'arn:aws:sqs:us-east-1:000000000000:orders'\n";
const STREAM: &str = "[[mapping]]\nname = 'clicks'\nFunctionName = 'checkout'\nStartingPosition = 'LATEST'\n\
    EventSourceArn = 'arn:aws:kinesis:us-east-1:000000000000:stream/clicks'\n";
const TOPIC: &str = "[[mapping]]\nname = 'pages'\nFunctionName = 'checkout'\nStartingPosition = 'TRIM_HORIZON'\nTopics = ['pages']\n\
    SourceAccessConfigurations = [{ Type = 'VPC_SUBNET', URI = 'subnet:subnet-0123456789' }]\n\
    SelfManagedEventSource = { Endpoints = { KAFKA_BOOTSTRAP_SERVERS = ['127.0.0.1:9092'] } }\n";

fn point(mapping: &str, bench: &str) -> BenchPoint {
    let text = format!("[aws]\nregion = 'us-east-1'\n{TARGET}{mapping}[[bench]]\n{bench}\n");
    let loaded = parse_bench(SourceText::new("b.toml", text));
    let mut loaded = loaded.unwrap_or_else(|report| panic!("{report}"));
    loaded.points.swap_remove(0)
}

fn side(durations: Vec<(u64, u32)>) -> Side {
    Side {
        hops: Hops {
            durations,
            ..Hops::default()
        },
        usage: None,
        answered: 1,
        requests: Requests::default(),
        written: Histogram::default(),
        reads: Vec::new(),
        first: None,
    }
}

#[test]
fn time_per_record_is_told_from_what_a_call_takes_by_itself() {
    let durations = (0..500_u64).map(|call| {
        let records = (call % 10 + 1) as u32;
        // 20 ms and 3 ms for each record, and up to 1 ms of noise.
        (
            20_000_000 + 3_000_000 * u64::from(records) + call * 7_919 % 1_000_000,
            records,
        )
    });
    let fit = FunctionFit::of(&side(durations.collect()), false);
    assert!(
        fit.per_record.abs_diff(3_000_000) < 50_000,
        "{}",
        fit.per_record
    );
    assert!(
        fit.base
            .iter()
            .all(|base| (19_500_000..21_500_000).contains(base))
    );
    // What varies by chance alone is no time per record.
    let noise = (0..500_u64).map(|call| {
        let records = (call % 10 + 1) as u32;
        (20_000_000 + crate::engine::mix(call) % 10_000_000, records)
    });
    let fit = FunctionFit::of(&side(noise.collect()), false);
    assert_eq!((fit.per_record, fit.init, fit.failed), (0, 0, (0, 500)));
}

#[test]
fn the_first_call_shows_what_a_start_takes() {
    let mut side = side(vec![(10_000_000, 1); 50]);
    side.first = Some(Span::from_millis(260));
    side.hops.failed = 5;
    let fit = FunctionFit::of(&side, true);
    assert_eq!((fit.init, fit.failed), (250_000_000, (5, 55)));
    assert_eq!(FunctionFit::of(&side, false).init, 0, "nothing starts");
}

#[test]
fn reads_that_waited_are_told_from_reads_that_found() {
    let at = |millis| Time::ZERO + Span::from_millis(millis);
    let read = |begun, ended, due: Option<u64>| Read {
        begun: at(begun),
        ended: at(ended),
        due: due.map(at),
    };
    let reads = [
        read(0, 105, Some(100)),
        read(200, 203, Some(150)),
        read(0, 1, None),
    ];
    let mut written = Histogram::default();
    written.record_many(900, 2);
    let fit = SourceFit::of(&reads, false, &written);
    assert_eq!((fit.waited, fit.found), (vec![5_000_000], vec![3_000_000]));
    let fit = SourceFit::of(&reads, true, &written);
    assert_eq!(
        (fit.waited, fit.found),
        (vec![900, 900], vec![3_000_000, 105_000_000])
    );
}

#[test]
fn few_values_stand_for_many() {
    let many: Vec<u64> = (0..100_000).collect();
    let few = thinned(&many);
    assert_eq!(
        (few.len(), few[0], few[SAMPLES_MAX - 1]),
        (SAMPLES_MAX, 0, 99_999)
    );
    assert!(few.is_sorted());
    assert_eq!(thinned(&[3, 4]), [3, 4]);
}

fn fits() -> (FunctionFit, SourceFit) {
    let function = FunctionFit {
        base: vec![40_000_000, 50_000_000, 60_000_000],
        per_record: 1_000_000,
        init: 5_000_000,
        failed: (0, 10),
    };
    let source = SourceFit {
        waited: vec![8_000_000],
        found: vec![4_000_000],
    };
    (function, source)
}

#[test]
fn a_scenario_has_the_parameters_of_its_mapping() {
    let (function, source) = fits();
    for (mapping, lines) in [
        (
            QUEUE,
            "BatchSize = 100\nMaximumBatchingWindowInSeconds = 2\nScalingConfig = { MaximumConcurrency = 7 }\nFunctionResponseTypes = ['ReportBatchItemFailures']\nlong_poll = '5s'\n",
        ),
        (QUEUE, ""),
        (
            STREAM,
            "BatchSize = 20\nParallelizationFactor = 4\nMaximumRetryAttempts = 3\nMaximumRecordAgeInSeconds = 600\nBisectBatchOnFunctionError = true\npoll_interval = '250ms'\nshard_reads_per_second = 50\npage_records = 500\n",
        ),
        (
            TOPIC,
            "MaximumBatchingWindowInSeconds = 3\nProvisionedPollerConfig = { MinimumPollers = 2, MaximumPollers = 4 }\n",
        ),
    ] {
        let point = point(&format!("{mapping}{lines}"), "rate = 50\nshards = 3");
        let model = Model::of(&point, &function, &source, 256.0, "p").expect("a model");
        let (made, given) = (&model.scenario.mappings[0], point.mapping());
        let mut config = made.config.clone();
        // A stream of the bench's own is read from its beginning.
        config.starting_position = given.config.starting_position;
        assert_eq!(config, given.config, "{lines}");
        // What is known of a queue of the bench's own is its own visibility timeout.
        let tuning = Tuning {
            visibility_timeout: given.tuning.visibility_timeout,
            ..made.tuning
        };
        assert_eq!(tuning, given.tuning, "{lines}");
        let target = &point.file.targets[0];
        let function = &model.scenario.functions[0];
        assert_eq!(
            (function.timeout, function.reserved_concurrency),
            (target.timeout, Some(20))
        );
    }
}

#[test]
fn what_is_written_is_what_was_simulated() {
    let (function, source) = fits();
    for mapping in [QUEUE, STREAM, TOPIC] {
        let point = point(mapping, "rate = 30\nwarm_up = '2s'\nduration = '20s'");
        let model = Model::of(&point, &function, &source, 256.0, "point-1").expect("a model");
        let folder = tempfile::tempdir().expect("a folder");
        for file in &model.files {
            std::fs::write(folder.path().join(&file.name), file.text()).expect("written");
        }
        let path = folder.path().join("point-1.toml");
        std::fs::write(&path, &model.text).expect("written");
        let loaded = load(&path).unwrap_or_else(|report| panic!("{report}"));
        assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
        let one = sim::run(&loaded.scenario, 1, &mut ())
            .expect("a run")
            .summary;
        let other = sim::run(&model.scenario, 1, &mut ())
            .expect("a run")
            .summary;
        let figures = |summary: &Summary| {
            serde_json::to_string(&(&summary.functions, &summary.mappings)).expect("JSON")
        };
        assert_eq!(figures(&one), figures(&other));
        let per_sec = one.mappings[0].1.succeeded_event_count.value / one.measured_s;
        assert!((per_sec - 30.0).abs() < 3.0, "{per_sec}");
    }
}

#[test]
fn a_simulation_that_is_fed_with_itself_is_right() {
    let (mut function, source) = fits();
    function.base = vec![50_000_000];
    let point = point(QUEUE, "rate = 30\nwarm_up = '2s'\nduration = '60s'");
    let model = Model::of(&point, &function, &source, 256.0, "p").expect("a model");
    let (summary, to_the_end) = model.simulate().expect("runs");
    let latency = to_the_end.mappings[0].1.record_latency;
    let mut hops = Hops {
        per_sec: 30.0,
        concurrency: 30.0 * 0.051,
        ..Hops::default()
    };
    // Messages come one by one: 8 ms to a receive that waits, 50 ms and 1 ms in the function.
    hops.answered.record(59_000_000);
    hops.age.record(8_000_000);
    let side = Side {
        hops,
        ..side(Vec::new())
    };
    let prediction = Prediction::of(&side, &summary, &to_the_end);
    for (name, compared, within) in prediction.figures() {
        let error = compared.error.expect("a finite error");
        assert!(
            error.abs() <= within.unwrap_or(0.2),
            "{name}: {compared:?} of {latency:?}"
        );
    }
}

/// The last batch of a load is not full, and waits for its window: a bench waits for it as well.
#[test]
fn the_last_batch_counts() {
    let (function, source) = fits();
    let mapping = format!("{QUEUE}BatchSize = 1000\nMaximumBatchingWindowInSeconds = 20\n");
    let point = point(&mapping, "rate = 10\nwarm_up = '0s'\nduration = '15s'");
    let model = Model::of(&point, &function, &source, 256.0, "p").expect("a model");
    let (within, to_the_end) = model.simulate().expect("runs");
    assert_eq!(within.mappings[0].1.succeeded_event_count.value, 0.0);
    let of_all = &to_the_end.mappings[0].1;
    assert!((of_all.succeeded_event_count.value - 150.0).abs() < 2.0);
    assert!(of_all.record_latency.p99.value > 19_000.0);
}

#[test]
fn nothing_measured_is_no_error() {
    let compared = Compared::of(0.0, 3.0);
    assert_eq!((compared.predicted, compared.error), (3.0, None));
    let off = Compared::of(4.0, 3.0).error.expect("an error");
    assert!((off + 0.25).abs() < 1e-12);
}

#[test]
fn what_cannot_be_predicted_says_why() {
    let (function, source) = fits();
    let model = |mapping: &str, bench: &str| {
        Model::of(&point(mapping, bench), &function, &source, 256.0, "p").expect_err("a reason")
    };
    assert!(model(QUEUE, "rate = 'max'").contains("backlog"));
    let windows = format!("{STREAM}TumblingWindowInSeconds = 10\n");
    assert!(model(&windows, "rate = 5").contains("tumbling"));
}
