//! Kafka in virtual time, from a scenario file to its figures: lag, consumers, rebalances, and where every record is.

mod told;
mod trouble;

use tidegate::engine::Fact;
use tidegate::metrics::{KafkaFigures, MappingRow, MappingSummary};
use tidegate::scenario::{Scenario, SourceText, parse};
use tidegate::sim;

/// A topic `q` and a mapping `m` of a function that takes 100 ms, so that one consumer does 1,000 records a second. Calls
/// take no time.
fn file(head: &str, function: &str, source: &str, mapping: &str, rest: &str) -> String {
    format!(
        "{head}\nseed = 3\n[[function]]\nname = 'f'\nduration = '100ms'\ninit = '0ms'\n{function}\n\
         [[source]]\nname = 'q'\ntype = 'kafka'\nlatency = '0ms'\n{source}\n\
         [[mapping]]\nname = 'm'\nEventSource = 'q'\nFunctionName = 'f'\nStartingPosition = 'TRIM_HORIZON'\n{mapping}\n{rest}"
    )
}

/// So many records a second in even spacing, until `until`.
fn steady(rate: u32, until: &str) -> String {
    format!(
        "[[source.producer]]\narrivals = 'constant'\nrate = [{{ at = '0s', rps = {rate} }}, {{ at = '{until}', rps = 0 }}]\n"
    )
}

fn scenario(text: &str) -> Scenario {
    let loaded = parse(SourceText::new("t.toml", text));
    loaded.unwrap_or_else(|report| panic!("{report}")).scenario
}

struct Ran {
    outcome: sim::Outcome,
}

/// Runs it. At the end of every bin each record that was read is done, given up, filtered, left to come again, or in hand,
/// and no offset is committed of anything else.
fn run(text: &str) -> Ran {
    let scenario = scenario(text);
    let outcome = sim::run(&scenario, scenario.seed, &mut ()).expect("sound limits");
    for series in &outcome.series.mappings {
        let (mut polled, mut ended, mut committed) = (0, 0, 0);
        for (bin, row) in series.rows.iter().enumerate() {
            let done = row.filtered + row.succeeded + row.dropped + row.diverted;
            polled += row.polled;
            ended += done + row.kafka.returned;
            assert_eq!(polled, ended + row.in_hand, "{} in bin {bin}", series.name);
            committed += row.kafka.committed;
            assert!(committed <= ended, "{} in bin {bin}", series.name);
        }
    }
    Ran { outcome }
}

impl Ran {
    fn rows(&self) -> &[MappingRow] {
        &self.outcome.series.mappings[0].rows
    }

    fn summary(&self) -> &MappingSummary {
        &self.outcome.summary.mappings[0].1
    }

    fn kafka(&self) -> KafkaFigures {
        self.summary().kafka.expect("figures of Kafka")
    }

    /// The lag of a partition at the end of a second.
    fn lag(&self, partition: usize, second: usize) -> f32 {
        self.outcome.series.mappings[0].shards[partition].levels[second]
    }

    /// Everything that arrived was done in the end, and all of it is committed.
    fn all_done(&self) {
        let (summary, kafka) = (self.summary(), self.kafka());
        assert_eq!(kafka.committed_event_count, summary.incoming_records);
        assert_eq!(
            (summary.backlog.end.value, summary.in_hand.end.value),
            (0.0, 0.0)
        );
    }
}

#[test]
fn lag_grows_and_drains_as_computed_by_hand() {
    // 2,000 a second for a minute, read from 3 s on at 1,000 a second: 63,000 behind after the minute, done 63 s later.
    let ran = run(&file("duration = '3m'", "", &steady(2_000, "60s"), "", ""));
    for (second, expected) in [
        (4, 7_000),
        (10, 13_000),
        (60, 63_000),
        (90, 33_000),
        (122, 1_000),
    ] {
        let found = ran.lag(0, second - 1);
        // A batch is committed as a whole, and the first one does not wait for its function's turn.
        assert!(
            (found - expected as f32).abs() <= 250.0,
            "{found} at {second} s, not {expected}"
        );
    }
    assert_eq!(ran.lag(0, 125), 0.0);
    ran.all_done();
    // Measured at the full minutes, all in one partition.
    let measured: Vec<u64> = [60, 120, 179]
        .map(|second| ran.rows()[second].kafka.sum_lag)
        .into();
    assert!(measured[0].abs_diff(63_000) <= 250 && measured[1].abs_diff(3_000) <= 250);
    assert_eq!(measured[2], measured[1], "until the next measurement");
    let kafka = ran.kafka();
    assert_eq!(kafka.max_offset_lag, kafka.sum_offset_lag);
    assert_eq!(kafka.offset_lag.max.value, measured[0] as f64);
}

#[test]
fn a_hot_key_bounds_its_partition_and_no_other() {
    // Half of 3,000 a second has one key: its partition gets 1,875, one batch at a time does 1,000.
    let source = "partitions = 4\n[[source.producer]]\nrate = 3000\nrecord = { keys = { hot = { share = '50%' } } }\n";
    let mapping = "ProvisionedPollerConfig = { MinimumPollers = 4, MaximumPollers = 4 }";
    let ran = run(&file("duration = '2m'", "", source, mapping, ""));
    let shards = &ran.outcome.series.mappings[0].shards;
    let hot = (0..4).max_by(|a, b| shards[*a].share.total_cmp(&shards[*b].share));
    let hot = hot.expect("a partition");
    for (partition, shard) in shards.iter().enumerate() {
        let grown = shard.levels[119] - shard.levels[59];
        if partition == hot {
            assert!((0.6..0.65).contains(&shard.share), "{}", shard.share);
            assert!((grown - 60.0 * 875.0).abs() < 2_500.0, "{grown}");
        } else {
            assert!((0.11..0.14).contains(&shard.share), "{}", shard.share);
            assert!(shard.levels[119] < 300.0 && grown.abs() < 300.0, "{grown}");
        }
    }
}

/// When each partition was given to a consumer, and the longest time between two of its commits after the first minute.
fn pauses(text: &str, partitions: usize) -> Vec<(Vec<u64>, u64)> {
    let facts = sim::trace(&scenario(text), 3).expect("sound limits");
    let mut found = vec![(Vec::new(), 0); partitions];
    let mut last = vec![None; partitions];
    for traced in facts {
        let at = traced.at.as_millis();
        match traced.fact {
            Fact::ShardStarted { shard } => found[shard.0 as usize].0.push(at),
            Fact::Committed { shard, .. } if at > 60_000 => {
                let index = shard.0 as usize;
                let gap = at - last[index].replace(at).unwrap_or(at);
                found[index].1 = found[index].1.max(gap);
            }
            _ => {}
        }
    }
    found
}

#[test]
fn kafka_rebalance_moves_only() {
    // 3,000 a second want six consumers of one: five of the six partitions move, and 20 s pass until they are read again.
    let source = format!("partitions = 6\nrebalance = '20s'\n{}", steady(3_000, "5m"));
    let text = file("duration = '5m'", "", &source, "", "");
    let found = pauses(&text, 6);
    let (moved, kept): (Vec<_>, Vec<_>) = found.iter().partition(|(starts, _)| starts.len() > 1);
    assert_eq!((moved.len(), kept.len()), (5, 1), "{found:?}");
    for (starts, gap) in &moved {
        assert_eq!(starts[0], 20_000, "the first consumer had to join as well");
        assert!((20_000..24_000).contains(gap), "{gap}");
    }
    assert!(kept[0].1 < 1_000, "{kept:?}");
    let ran = run(&text);
    let mut changes = ran
        .rows()
        .iter()
        .filter(|row| row.kafka.group.rebalances > 0);
    let changes: Vec<u64> = changes
        .by_ref()
        .take(2)
        .map(|row| row.kafka.group.moved)
        .collect();
    assert_eq!(changes, [0, 5]);
    // Without a pause nobody waits.
    let at_once = text.replace("rebalance = '20s'", "rebalance = '0s'");
    for (starts, gap) in pauses(&at_once, 6) {
        assert!(starts[0] == 0 && gap < 4_000, "{starts:?} {gap}");
    }
}

#[test]
fn kafka_retention_trims() {
    // Twice what one partition can do: whatever waits for more than a minute is gone before its turn.
    let source = format!("retention = '60s'\n{}", steady(2_000, "5m"));
    let ran = run(&file("duration = '5m'", "", &source, "", ""));
    let summary = ran.summary();
    let trimmed = summary.trimmed_records.value;
    // 600,000 arrive, 297,000 are done from 3 s on, and about 120,000 of the last minute wait.
    assert!((trimmed - 183_000.0).abs() < 2_500.0, "{trimmed}");
    let accounted = summary.polled_event_count.value + trimmed + summary.backlog.end.value;
    assert_eq!(accounted, summary.incoming_records.value);
    let ages = ran.rows().iter().map(|row| row.age_max);
    assert!(ages.fold(0.0, f64::max) < 60_500.0);
    // Kafka keeps records for a week otherwise.
    let ran = run(&file("duration = '5m'", "", &steady(2_000, "5m"), "", ""));
    assert_eq!(ran.summary().trimmed_records.value, 0.0);
}

#[test]
fn consumers_follow_the_lag_minute_by_minute() {
    let source = format!("partitions = 12\n{}", steady(3_000, "5m"));
    let counts = |text: &str| -> Vec<u32> {
        let ran = run(text);
        ran.all_done();
        let minutes = ran.rows().chunks(60);
        minutes
            .map(|rows| rows[rows.len() - 1].kafka.consumers)
            .collect()
    };
    // One consumer does 1,000 a second. After a minute 123,000 are behind, and 3,000 a second come in: six are wanted, and
    // two to three minutes later they are there.
    let current = counts(&file("duration = '30m'", "", &source, "", ""));
    let first = current
        .iter()
        .position(|count| *count > 1)
        .expect("more consumers");
    assert!(
        (1..=3).contains(&first) && current[first] == 6,
        "{current:?}"
    );
    assert!(current.iter().all(|count| *count <= 12));
    assert_eq!(current[29], 1, "nothing comes in any more: {current:?}");
    // The rules of 2021 look after 15 minutes: a rush of five, which one consumer has worked off by then, is over.
    let rush = format!("partitions = 12\n{}", steady(2_500, "5m"));
    let guide = counts(&file(
        "duration = '30m'\nprofile = '2021-09'",
        "",
        &rush,
        "",
        "",
    ));
    assert_eq!(guide, [1; 30], "the rush was over before anybody looked");
    let longer = format!("partitions = 12\n{}", steady(3_000, "25m"));
    let text = file("duration = '40m'\nprofile = '2021-09'", "", &longer, "", "");
    let late = counts(&text);
    assert_eq!(late[..15], [1; 15]);
    // 1,803,000 behind, 3,000 a second: 33 would work that off in a minute, and there are 12 partitions.
    assert_eq!(late[15..30], [12; 15], "{late:?}");
    // 1,800,000 came in since: 2,000 a second.
    assert!(
        late[30..].iter().all(|count| (2..=3).contains(count)),
        "{late:?}"
    );
}

#[test]
fn throttled_functions_cost_consumers() {
    let source = format!("partitions = 8\n{}", steady(3_000, "20m"));
    let text = file(
        "duration = '20m'",
        "reserved_concurrency = 2",
        &source,
        "",
        "",
    );
    let ran = run(&text);
    let minutes = ran.rows().chunks(60).map(|rows| rows[59].kafka.consumers);
    let counts: Vec<u32> = minutes.collect();
    assert!(counts.iter().any(|count| *count > 2), "{counts:?}");
    // Where refusals were seen the number is halved: it never stays above what the function takes.
    let late = &counts[10..];
    assert!(late.iter().any(|count| *count <= 2), "{counts:?}");
    assert!(ran.summary().throttled_batches.value > 0.0);
}

#[test]
fn a_provisioned_poller_does_five_invocations_or_five_megabytes() {
    let pollers = |minimum, maximum| {
        format!(
            "BatchSize = 10\nProvisionedPollerConfig = {{ MinimumPollers = {minimum}, MaximumPollers = {maximum} }}"
        )
    };
    // Ten partitions, a second for each batch of ten: five at once make 50 a second for each poller.
    let slow = "partitions = 10\n[[source.producer]]\nrate = 500\n";
    for (count, per_sec) in [(1, 50.0), (2, 100.0)] {
        let mapping = pollers(count, count);
        let text = file("duration = '2m'", "per_record = '90ms'", slow, &mapping, "");
        let ran = run(&text);
        let busy = ran.outcome.summary.functions[0].1.concurrent_executions.max;
        assert_eq!(busy.value, f64::from(count) * 5.0);
        let done = ran.summary().succeeded_event_count.value;
        assert!((done - 114.0 * per_sec).abs() < 3.5 * per_sec, "{done}");
    }
    // 10 MB a second of records of 100,000 bytes.
    let wide = "partitions = 10\n[[source.producer]]\nrate = 100\nrecord = { size = '100kB' }\n";
    for (count, per_sec) in [(1, 50.0), (2, 100.0)] {
        let text = file("duration = '2m'", "", wide, &pollers(count, count), "");
        let ran = run(&text);
        let done = ran.summary().polled_event_count.value;
        assert!((done - 117.0 * per_sec).abs() < 5.0 * per_sec, "{done}");
    }
    // Between minimum and maximum the lag decides: 500 a second need ten pollers of 50.
    let ran = run(&file(
        "duration = '10m'",
        "per_record = '90ms'",
        slow,
        &pollers(1, 4),
        "",
    ));
    let consumers = ran.kafka().consumers;
    assert_eq!(
        (consumers.max.value, ran.rows()[0].kafka.consumers),
        (4.0, 1)
    );
    assert_eq!(ran.rows()[599].kafka.group.members, 4);
}

#[test]
fn poison_is_bisected_reported_retried_and_given_up() {
    let source = "partitions = 3\n[[source.producer]]\nrate = [{ at = '0s', rps = 30 }, { at = '2m', rps = 0 }]\n";
    let mapping = |more: &str| {
        format!(
            "BatchSize = 20\nbackoff_max = '1s'\nProvisionedPollerConfig = {{ MinimumPollers = 1, MaximumPollers = 3 }}\n{more}"
        )
    };
    let poison = "poison = '1/200'";
    let run_with = |more: &str| {
        run(&file(
            "duration = '10m'",
            poison,
            source,
            &mapping(more),
            "",
        ))
    };
    // Sent again for ever: the partitions stand still.
    let endless = run_with("");
    assert!(endless.summary().backlog.end.value > 1_000.0);
    assert_eq!(endless.summary().dropped_event_count.value, 0.0);
    let bisected = run_with("MaximumRetryAttempts = 2\nBisectBatchOnFunctionError = true");
    let reported = run_with(
        "MaximumRetryAttempts = 2\nFunctionResponseTypes = ['ReportBatchItemFailures']\nBisectBatchOnFunctionError = true",
    );
    let whole = run_with("MaximumRetryAttempts = 2");
    for ran in [&bisected, &reported, &whole] {
        ran.all_done();
    }
    let dropped = |ran: &Ran| ran.summary().dropped_event_count.value;
    // Bisecting gives up the poison records alone, one in 200 of 3,600.
    assert!(
        (8.0..32.0).contains(&dropped(&bisected)),
        "{}",
        dropped(&bisected)
    );
    assert_eq!(dropped(&bisected), dropped(&reported));
    assert!(dropped(&whole) > 5.0 * dropped(&bisected));
    // A destination is told, unless it refuses.
    let target = "DestinationConfig = { OnFailure = { Destination = 'arn:aws:sqs:us-east-1:123456789012:dead' } }";
    let more = format!("MaximumRetryAttempts = 2\nBisectBatchOnFunctionError = true\n{target}");
    let diverted = run_with(&more);
    let told = diverted
        .summary()
        .on_failure_destination_delivered_event_count;
    assert_eq!((told.value, dropped(&diverted)), (dropped(&bisected), 0.0));
    let fault = "[[fault]]\nat = '0s'\nfor = '10m'\nwhat = { destination_refuses = { mapping = 'm', rate = '100%' } }";
    let refused = run(&file(
        "duration = '10m'",
        poison,
        source,
        &mapping(&more),
        fault,
    ));
    refused.all_done();
    assert_eq!(dropped(&refused), dropped(&bisected));
    let errors = refused.kafka().on_failure_destination_delivery_error_count;
    assert_eq!(errors.value, dropped(&refused));
    // Age gives up whatever waits behind it, too.
    let old = run_with("MaximumRecordAgeInSeconds = 60");
    old.all_done();
    assert!(dropped(&old) > dropped(&bisected));
}

#[test]
fn filters_leave_their_share_out_and_commit_it() {
    let filters = "FilterCriteria = { Filters = [{ Pattern = '{\"value\":{\"a\":[1]}}' }] }\nmatching = '25%'";
    let source = format!("partitions = 5\n{}", steady(500, "2m"));
    let ran = run(&file("duration = '3m'", "", &source, filters, ""));
    ran.all_done();
    let summary = ran.summary();
    let (kept, left_out) = (
        summary.succeeded_event_count,
        summary.filtered_out_event_count,
    );
    assert_eq!(kept.value + left_out.value, summary.incoming_records.value);
    let share = kept.value / summary.incoming_records.value;
    assert!((0.24..0.26).contains(&share), "{share}");
}

#[test]
fn each_mapping_is_a_group_of_its_own() {
    let second = "[[function]]\nname = 'g'\nduration = '10ms'\n[[mapping]]\nname = 'n'\nEventSource = 'q'\nFunctionName = 'g'\nStartingPosition = 'LATEST'\n";
    let source = format!("partitions = 3\n{}", steady(300, "2m"));
    let ran = run(&file("duration = '3m'", "", &source, "", second));
    ran.all_done();
    // It joined after three seconds, and sees what came later.
    let other = &ran.outcome.summary.mappings[1].1;
    let missed = other.incoming_records.value - other.succeeded_event_count.value;
    assert!((missed - 900.0).abs() <= 3.0, "{missed}");
}

/// What a consumer fetches ahead waits for it: a busy function gets the next batch at once.
#[test]
fn what_is_fetched_ahead_takes_no_time_when_it_is_asked_for() {
    let ran = |way: &str, rate: u32| {
        let text = format!(
            "duration = '2m'\n[[function]]\nname = 'f'\nduration = '100ms'\ninit = '0s'\n[[source]]\nname = 't'\ntype = 'kafka'\n\
             rebalance = '0s'\n{way}\n[[source.producer]]\narrivals = 'constant'\nrate = {rate}\n[[mapping]]\nname = 'm'\n\
             EventSource = 't'\nFunctionName = 'f'\nStartingPosition = 'TRIM_HORIZON'\nMaximumBatchingWindowInSeconds = 0\n"
        );
        let summary = run(&text).outcome.summary;
        let latency = summary.mappings[0].1.record_latency.p50.value;
        (
            latency,
            summary.functions[0].1.concurrent_executions.mean.value,
        )
    };
    // By itself a record takes its way and then the function.
    let (latency, _) = ran("delivery = '30ms'", 1);
    assert!((latency - 130.0).abs() < 1.0, "{latency}");
    let (latency, _) = ran("latency = '30ms'", 1);
    assert!((latency - 130.0).abs() < 1.0, "{latency}");
    // Under load the way is part of the wait for the function.
    let (_, busy) = ran("delivery = '30ms'", 200);
    assert!(busy > 0.98, "{busy}");
}
