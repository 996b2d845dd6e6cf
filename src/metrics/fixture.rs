//! A made-up flash sale for tests: a function that hits its limit, a stream that falls behind while the
//! function fails, and a queue that drains. Only arithmetic, so that snapshots hold everywhere.

use super::{
    AccountRow, AccountSummary, AsyncConditions, AsyncRow, AsyncSummary, Backlog, CostLine,
    CostSummary, DeadLetterReason, DeadLetterReasons, DeadLetters, DestinationDeliveries,
    EngineSummary, Figure, FunctionRow, FunctionSeries, FunctionSummary, GateResult, MappingRow,
    MappingSeries, MappingSummary, MeanMax, Percentiles, Series, ShardSeries, Summary,
    ThrottleReasons,
};
use crate::engine::Span;

const SECONDS: u64 = 1_800;

/// A linear congruential generator: noise that needs no library.
struct Noise(u64);

impl Noise {
    /// Evenly in `[-1, 1)`.
    fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / f64::from(1_u32 << 30) - 1.0
    }

    /// A count around `mean`, with about its square root as spread.
    fn around(&mut self, mean: f64) -> f64 {
        (mean + self.next() * 1.7 * mean.sqrt()).round().max(0.0)
    }
}

/// Requests per second offered at second `t`.
fn offered(t: u64) -> f64 {
    match t {
        0..600 => 200.0,
        600..630 => 200.0 + (t - 600) as f64 * 660.0,
        630..1_200 => 20_000.0,
        _ => 400.0,
    }
}

fn checkout(noise: &mut Noise) -> FunctionSeries {
    let mut environments: u32 = 0;
    let rows = (0..SECONDS).map(|t| {
        let requests = noise.around(offered(t));
        let run = requests.min(8_850.0 + noise.next() * 60.0).round();
        let busy = run * 0.0902;
        let peak = (busy + 3.5 * busy.sqrt()).ceil().min(800.0) as u32;
        let cold = u64::from(peak.saturating_sub(environments));
        environments = environments.max(peak);
        if t > 1_250 {
            environments = environments.saturating_sub(2).max(peak);
        }
        let refused = requests - run;
        let by_rate = if t < 640 {
            (refused * 0.2).round()
        } else {
            0.0
        };
        let fault = (720..810).contains(&t);
        let warm = 80.0 + noise.next() * 3.0;
        let cold_share = cold as f64 / run.max(1.0);
        FunctionRow {
            invocations: run as u64,
            errors: if fault {
                run as u64
            } else {
                noise.around(run / 1_000.0).min(run) as u64
            },
            throttles: [0, (refused - by_rate) as u64, 0, by_rate as u64, 0],
            cold_starts: cold,
            concurrency_mean: busy.min(800.0),
            concurrency_max: peak,
            environments,
            provisioned_invocations: 0,
            spillover_invocations: 0,
            provisioned_mean: 0.0,
            provisioned_max: 0,
            allocated_mean: 0.0,
            utilization_max: 0.0,
            calls: requests as u64,
            answered: run as u64,
            abandoned: refused as u64,
            client_retries: 0,
            latency_p50: warm,
            latency_p95: 300.0 + noise.next() * 20.0 + cold_share * 2_000.0,
            latency_p99: 600.0 + noise.next() * 90.0 + cold_share * 6_000.0,
        }
    });
    FunctionSeries {
        name: "checkout".to_owned(),
        concurrency_limit: 800,
        rows: rows.collect(),
        ..FunctionSeries::default()
    }
}

fn resize(noise: &mut Noise) -> FunctionSeries {
    let rows = (0..SECONDS).map(|t| {
        let idle = (300..420).contains(&t) || t > 1_500;
        let run = if idle { 0.0 } else { noise.around(12.0) };
        let latency = if run > 0.0 {
            420.0 + noise.next() * 40.0
        } else {
            f64::NAN
        };
        FunctionRow {
            invocations: run as u64,
            concurrency_mean: run * 0.44,
            concurrency_max: (run * 0.44).ceil() as u32,
            environments: if t < 1_700 { 11 } else { 0 },
            cold_starts: u64::from(t < 11),
            latency_p50: latency,
            latency_p95: latency * 1.4,
            latency_p99: latency * 1.9,
            ..FunctionRow::default()
        }
    });
    FunctionSeries {
        name: "resize".to_owned(),
        concurrency_limit: 2_200,
        rows: rows.collect(),
        asynchronous: pictures(),
        ..FunctionSeries::default()
    }
}

/// The account as the sum of its functions, of which one has a reservation of 800.
fn account(functions: &[FunctionSeries]) -> Vec<AccountRow> {
    (0..SECONDS as usize)
        .map(|second| {
            let busy = |function: &FunctionSeries| function.rows[second].concurrency_max;
            AccountRow {
                concurrent_max: functions.iter().map(busy).sum(),
                unreserved_max: busy(&functions[1]),
                claimed_max: 800 + busy(&functions[1]),
            }
        })
        .collect()
}

fn cost() -> CostSummary {
    let line = |subject: &str, item: &str, unit: &str, price: &str, amounts: [f64; 3]| CostLine {
        subject: subject.to_owned(),
        item: item.to_owned(),
        unit: unit.to_owned(),
        unit_price: price.to_owned(),
        quantity: Figure::new(amounts[0], 6),
        amount: Figure::new(amounts[1], 6),
        per_month: Figure::new(amounts[2], 6),
        explanation: "invocations, function errors included".to_owned(),
    };
    CostSummary {
        region: "us-east-1".to_owned(),
        prices_of: "2026-02-01".to_owned(),
        lines: vec![
            line(
                "checkout",
                "Requests",
                "million requests",
                "0.20",
                [6.021_44, 1.204_288, 1_883.85],
            ),
            line(
                "checkout",
                "Duration",
                "GB-s",
                "0.0000166667",
                [307_996.6, 5.133_287, 8_029.93],
            ),
            line(
                "resize",
                "Provisioned concurrency",
                "GB-s",
                "0.0000041667",
                [0.0; 3],
            ),
        ],
        total_usd: Figure::new(6.337_575, 6),
        total_usd_per_month: Figure::new(9_913.78, 6),
    }
}

/// Twelve pictures a second to resize; for two minutes the function fails, and some pictures are given up.
fn pictures() -> Vec<AsyncRow> {
    let mut backlog = 0;
    let rows = (0..SECONDS).map(|t| {
        let fails = (300..420).contains(&t);
        let late = if (360..540).contains(&t) { 8 } else { 0 };
        backlog = if fails {
            backlog + 8
        } else {
            backlog - late.min(backlog)
        };
        AsyncRow {
            received: 12,
            invoked: 12 + late,
            succeeded: if fails { 0 } else { 12 + late },
            dropped: if fails { 4 } else { 0 },
            lost: u64::from(fails && t % 10 == 0),
            retries: if fails { 8 } else { 0 },
            delivered: if fails { 4 } else { 0 },
            delivery_failures: u64::from(fails && t % 10 == 0),
            backlog,
            age_mean: 2.0 + late as f64 * 3_000.0,
            age_max: 20.0 + late as f64 * 7_500.0,
            ..AsyncRow::default()
        }
    });
    rows.collect()
}

fn async_summary(rows: &[AsyncRow]) -> AsyncSummary {
    let sum = |of: fn(&AsyncRow) -> u64| Figure::count(rows.iter().map(of).sum());
    AsyncSummary {
        async_events_received: sum(|row| row.received),
        async_event_age: percentiles(
            [2.1, 3.0, 60_020.0, 60_080.0, 60_090.0, 60_101.0, 4_210.0],
            3,
        ),
        async_events_dropped: sum(|row| row.dropped),
        async_events_lost: sum(|row| row.lost),
        async_conditions: AsyncConditions {
            success: sum(|row| row.succeeded),
            retries_exhausted: sum(|row| row.dropped),
            ..AsyncConditions::default()
        },
        async_retries: sum(|row| row.retries),
        destination_deliveries: DestinationDeliveries {
            on_failure: sum(|row| row.delivered),
            ..DestinationDeliveries::default()
        },
        destination_delivery_failures: sum(|row| row.delivery_failures),
        async_backlog: Backlog {
            max: Figure::count(rows.iter().map(|row| row.backlog).max().unwrap_or(0)),
            end: Figure::count(rows.last().map_or(0, |row| row.backlog)),
        },
        ..AsyncSummary::default()
    }
}

fn clicks(noise: &mut Noise) -> MappingSeries {
    let mut backlog = 0.0;
    let rows = (0..SECONDS).map(|t| {
        let incoming = noise.around(4_000.0);
        let fault = (720..810).contains(&t);
        let capacity = if fault {
            0.0
        } else {
            5_600.0 + noise.next() * 50.0
        };
        let done = capacity.min(backlog + incoming).round();
        backlog += incoming - done;
        MappingRow {
            incoming: incoming as u64,
            polled: done as u64,
            invoked: if fault { 4_000 } else { done as u64 },
            failed: if fault { 4_000 } else { 0 },
            succeeded: if fault { 0 } else { done as u64 },
            dropped: if t == 805 { 1_200 } else { 0 },
            diverted: if t == 806 { 800 } else { 0 },
            destination_failures: if t == 805 { 3 } else { 0 },
            in_hand: if fault { 4_000 } else { 320 },
            backlog: backlog as u64,
            oldest_age: f64::NAN,
            age_max: 240.0 + 30.0 * noise.next() + backlog / 4.0,
            concurrency_limit: 32,
            ..MappingRow::default()
        }
    });
    let rows: Vec<MappingRow> = rows.collect();
    let shard = |number, share, part: f64| ShardSeries {
        number,
        share,
        levels: rows.iter().map(|row| (row.age_max * part) as f32).collect(),
    };
    MappingSeries {
        name: "clicks-to-checkout".to_owned(),
        function: "checkout".to_owned(),
        stream: true,
        kafka: false,
        in_flight_limit: 0,
        shards: vec![shard(0, 0.3, 0.9), shard(3, 0.5, 1.0)],
        other_shards: Some(shard(1, 0.2, 0.1).levels),
        rows,
    }
}

fn jobs(noise: &mut Noise) -> MappingSeries {
    let mut backlog = 9_000.0;
    let rows = (0..SECONDS).map(|t| {
        let limit = (5 + t / 60 * 60).min(1_000);
        let incoming = if t < 1_400 { noise.around(30.0) } else { 0.0 };
        let done = (limit as f64 * 0.5).min(backlog + incoming).round();
        backlog += incoming - done;
        let mut dead_letters = DeadLetters::default();
        if (900..960).contains(&t) && t % 7 == 0 {
            dead_letters.add(DeadLetterReason::ALL[t as usize % 6]);
        }
        MappingRow {
            incoming: incoming as u64,
            polled: done as u64,
            invoked: done as u64,
            succeeded: done as u64,
            deleted: done as u64,
            delete_calls: (done as u64).div_ceil(10),
            throttled: u64::from(t % 97 == 0),
            dead_letters,
            reads: 12,
            empty_reads: u64::from(done == 0.0) * 5,
            over_limit: u64::from(t == 300),
            visible_too_early: u64::from(t % 300 == 17),
            redelivered: 0,
            oversized: 0,
            backlog: backlog as u64,
            in_flight: done as u64 * 2,
            oldest_age: backlog * 33.0,
            age_max: if done > 0.0 {
                120.0 + backlog * 33.0
            } else {
                f64::NAN
            },
            concurrency_limit: limit as u32,
            ..MappingRow::default()
        }
    });
    MappingSeries {
        name: "jobs-to-resize".to_owned(),
        function: "resize".to_owned(),
        stream: false,
        in_flight_limit: 120_000,
        rows: rows.collect(),
        ..MappingSeries::default()
    }
}

fn percentiles(values: [f64; 7], decimals: u8) -> Percentiles {
    let [p50, p90, p95, p99, p999, max, mean] = values.map(|value| Figure::new(value, decimals));
    Percentiles {
        p50,
        p90,
        p95,
        p99,
        p999,
        max,
        mean,
    }
}

fn mean_max(mean: f64, max: f64) -> MeanMax {
    MeanMax {
        mean: Figure::new(mean, 3),
        max: Figure::new(max, 0),
    }
}

fn function_summary(series: &FunctionSeries) -> FunctionSummary {
    let sum = |of: fn(&FunctionRow) -> u64| Figure::count(series.rows.iter().map(of).sum());
    let throttles: [Figure; 5] = std::array::from_fn(|reason| {
        Figure::count(series.rows.iter().map(|row| row.throttles[reason]).sum())
    });
    let invocations = sum(|row| row.invocations);
    let cold_starts = sum(|row| row.cold_starts);
    FunctionSummary {
        invocations,
        errors: sum(|row| row.errors),
        throttles: sum(|row| row.throttles.iter().sum()),
        throttle_reasons: ThrottleReasons {
            concurrent_invocation_limit_exceeded: throttles[0],
            reserved_function_concurrent_invocation_limit_exceeded: throttles[1],
            function_invocation_rate_limit_exceeded: throttles[2],
            reserved_function_invocation_rate_limit_exceeded: throttles[3],
            caller_rate_limit_exceeded: throttles[4],
        },
        cold_starts,
        cold_start_share: Figure::new(cold_starts.value / invocations.value, 6),
        duration: percentiles([80.2, 240.0, 300.4, 601.9, 990.2, 4_210.7, 102.3], 3),
        latency: percentiles([80.4, 241.2, 303.8, 640.1, 1_612.5, 7_802.4, 104.9], 3),
        init_duration: percentiles([350.0, 690.0, 810.4, 1_200.9, 1_720.0, 1_904.2, 391.0], 3),
        concurrent_executions: mean_max(
            series
                .rows
                .iter()
                .map(|row| row.concurrency_mean)
                .sum::<f64>()
                / series.rows.len() as f64,
            series
                .rows
                .iter()
                .map(|row| f64::from(row.concurrency_max))
                .fold(0.0, f64::max),
        ),
        environments: mean_max(512.25, 800.0),
        environment_lifespan_s: Figure::new(903.4, 3),
        asynchronous: match &series.asynchronous[..] {
            [] => AsyncSummary::default(),
            rows => async_summary(rows),
        },
        ..FunctionSummary::default()
    }
}

fn mapping_summary(series: &MappingSeries) -> MappingSummary {
    let sum = |of: fn(&MappingRow) -> u64| Figure::count(series.rows.iter().map(of).sum());
    let largest = |of: fn(&MappingRow) -> f64| series.rows.iter().map(of).fold(0.0, f64::max);
    let end = series.rows.last().map_or(0, |row| row.backlog);
    let mut dead_letters = DeadLetters::default();
    for row in &series.rows {
        dead_letters += row.dead_letters;
    }
    MappingSummary {
        source_type: if series.stream { "kinesis" } else { "sqs" }.to_owned(),
        last_processing_result: series
            .stream
            .then(|| "PROBLEM: Function call failed".to_owned()),
        incoming_records: sum(|row| row.incoming),
        polled_event_count: sum(|row| row.polled),
        invoked_event_count: sum(|row| row.invoked),
        failed_invoke_event_count: sum(|row| row.failed),
        succeeded_event_count: sum(|row| row.succeeded),
        dropped_event_count: sum(|row| row.dropped),
        on_failure_destination_delivered_event_count: sum(|row| row.diverted),
        destination_delivery_failures: sum(|row| row.destination_failures),
        deleted_event_count: sum(|row| row.deleted),
        delete_calls: sum(|row| row.delete_calls),
        dead_lettered: sum(|row| row.dead_letters.all()),
        dead_letter_reasons: DeadLetterReasons::of(&dead_letters),
        visible_too_early: sum(|row| row.visible_too_early),
        redelivered: sum(|row| row.redelivered),
        oversized_record_count: sum(|row| row.oversized),
        batches: Figure::count(18_204),
        throttled_batches: sum(|row| row.throttled),
        reads: Figure::count(71_822),
        empty_reads: Figure::count(1_204),
        iterator_age: percentiles(
            [
                241.0,
                61_200.0,
                78_020.5,
                88_410.0,
                90_004.0,
                largest(|row| row.age_max),
                9_120.2,
            ],
            3,
        ),
        record_latency: percentiles(
            [
                330.0, 61_900.0, 79_010.5, 89_530.0, 91_104.0, 91_640.1, 9_480.6,
            ],
            3,
        ),
        batch_records: percentiles([402.0, 500.0, 500.0, 500.0, 500.0, 500.0, 395.6], 3),
        backlog: Backlog {
            max: Figure::count(largest(|row| row.backlog as f64) as u64),
            end: Figure::count(end),
        },
        in_hand: Backlog {
            max: Figure::count(largest(|row| row.in_hand as f64) as u64),
            end: Figure::count(series.rows.last().map_or(0, |row| row.in_hand)),
        },
        approximate_number_of_messages_not_visible: Backlog {
            max: Figure::count(largest(|row| row.in_flight as f64) as u64),
            end: Figure::count(series.rows.last().map_or(0, |row| row.in_flight)),
        },
        approximate_age_of_oldest_message: MeanMax {
            mean: Figure::new(if series.stream { f64::NAN } else { 4_120.5 }, 3),
            max: Figure::new(
                if series.stream {
                    f64::NAN
                } else {
                    largest(|row| row.oldest_age)
                },
                3,
            ),
        },
        over_limit_receives: sum(|row| row.over_limit),
        ..MappingSummary::default()
    }
}

/// Half an hour with a fault, throttles, two functions and two mappings, in bins of a second.
pub(crate) fn flash_sale() -> (Summary, Series) {
    let noise = &mut Noise(7);
    let functions = vec![checkout(noise), resize(noise)];
    let series = Series {
        bin: Span::from_secs(1),
        warm_up: Span::from_secs(120),
        start: Span::from_secs(1_767_571_200),
        account: account(&functions),
        account_limit: 3_000,
        functions,
        versions: Vec::new(),
        mappings: vec![clicks(noise), jobs(noise)],
        faults: vec![(
            "function_errors of checkout".to_owned(),
            Span::from_secs(720),
            Span::from_secs(810),
        )],
        events: vec![
            (
                "jobs-to-resize disabled".to_owned(),
                Span::from_secs(1_000),
                Span::from_secs(1_060),
            ),
            (
                "clicks-to-checkout: BatchSize 500".to_owned(),
                Span::from_secs(1_300),
                Span::from_secs(1_300),
            ),
        ],
    };
    let gate = |metric: &str, statistic: &str, bound: &str, value, pass| GateResult {
        metric: metric.to_owned(),
        statistic: statistic.to_owned(),
        bound: bound.to_owned(),
        value,
        pass,
    };
    let functions: Vec<_> = series
        .functions
        .iter()
        .map(|one| (one.name.clone(), function_summary(one)))
        .collect();
    let throttles = functions[0].1.throttles.value;
    let summary = Summary {
        tidegate: "0.1.0".to_owned(),
        scenario: "Flash sale".to_owned(),
        scenario_hash: "9f2c4e7ab01d3358c6e0".to_owned(),
        profile: "2021-09".to_owned(),
        seed: 7,
        replications: 1,
        measured_s: 1_680.0,
        functions,
        versions: Vec::new(),
        mappings: series
            .mappings
            .iter()
            .map(|one| (one.name.clone(), mapping_summary(one)))
            .collect(),
        account: AccountSummary {
            concurrent_executions: Figure::count(806),
            unreserved_concurrent_executions: Figure::count(7),
            claimed_account_concurrency: Figure::count(807),
        },
        cost: cost(),
        theory: Vec::new(),
        gates: vec![
            gate("checkout.Throttles", "Sum", "<= 0", throttles, false),
            gate("checkout.Latency", "p99", "<= 750", 640.1, true),
            gate("jobs-to-resize.Backlog", "End", "<= 10", 0.0, true),
        ],
        findings: super::finding::fixture(),
        engine: EngineSummary {
            events: 24_918_402,
            simulated_s: 1_800.0,
            wall_s: 1.84,
            invocations_per_s: 3_120_400.0,
            records_per_s: 3_960_112.0,
        },
    };
    (summary, series)
}

/// The same run with only its first `rows` bins, for snapshots that a person can read.
pub(crate) fn short(rows: usize) -> (Summary, Series) {
    let (summary, mut series) = flash_sale();
    for function in &mut series.functions {
        function.rows.truncate(rows);
        function.asynchronous.truncate(rows);
    }
    series.account.truncate(rows);
    for mapping in &mut series.mappings {
        mapping.rows.truncate(rows);
        for shard in &mut mapping.shards {
            shard.levels.truncate(rows);
        }
        if let Some(others) = &mut mapping.other_shards {
            others.truncate(rows);
        }
    }
    (summary, series)
}

/// A scenario with nothing in it.
pub(crate) fn empty() -> (Summary, Series) {
    let summary = Summary {
        tidegate: "0.1.0".to_owned(),
        scenario: "Nothing".to_owned(),
        scenario_hash: "0000".to_owned(),
        profile: "current".to_owned(),
        replications: 1,
        ..Summary::default()
    };
    (summary, Series::default())
}
