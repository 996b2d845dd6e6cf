//! What goes wrong: members that come and go, clusters out of reach, commits and reads that fail, all of it at once.

use super::{file, run, steady};

#[test]
fn a_mapping_that_is_disabled_leaves_its_group_and_comes_back() {
    let events = "[[event]]\nat = '30s'\nwhat = { disable = 'm' }\n[[event]]\nat = '60s'\nwhat = { enable = 'm' }\n\
                  [[event]]\nat = '90s'\nwhat = { update = { mapping = 'm', BatchSize = 50 } }\n";
    let source = format!("partitions = 3\n{}", steady(700, "2m"));
    let ran = run(&file("duration = '5m'", "", &source, "", events));
    ran.all_done();
    let rows = ran.rows();
    let members = [29, 45, 62].map(|second| rows[second].kafka.group.members);
    assert_eq!(members, [1, 0, 1]);
    assert!(rows[33..62].iter().all(|row| row.polled == 0));
    assert!(rows[63].polled > 0, "three seconds to join again");
    let biggest = rows[95..119].iter().map(|row| row.invoked).max();
    assert!(
        biggest.is_some_and(|records| records <= 550),
        "ten batches of 50 a second"
    );
    assert!(ran.kafka().rebalances.value >= 2.0);
    // Disabled from the beginning.
    let asleep = "Enabled = false";
    let wakes = "[[event]]\nat = '30s'\nwhat = { enable = 'm' }\n";
    let ran = run(&file("duration = '5m'", "", &source, asleep, wakes));
    ran.all_done();
    assert!(ran.rows()[..32].iter().all(|row| row.polled == 0));
}

#[test]
fn kafka_session_ends() {
    let fault = |lasts: &str| {
        format!(
            "[[fault]]\nat = '60s'\nfor = '{lasts}'\nwhat = {{ connections_lost = {{ source = 'q' }} }}\n"
        )
    };
    let source = format!("partitions = 3\n{}", steady(700, "2m"));
    let mapping = "backoff_max = '2s'";
    // Shorter than a session: the group does not notice.
    let short = run(&file("duration = '5m'", "", &source, mapping, &fault("5s")));
    short.all_done();
    assert_eq!(short.kafka().rebalances.value, 1.0);
    assert!(short.kafka().polling_error_count.value > 0.0);
    assert_eq!(short.rows()[64].kafka.group.members, 1);
    // Longer: what was worked on and not committed is delivered again.
    let long = run(&file(
        "duration = '5m'",
        "",
        &source,
        mapping,
        &fault("30s"),
    ));
    let (summary, kafka) = (long.summary(), long.kafka());
    assert_eq!(summary.backlog.end.value, 0.0);
    assert_eq!(
        (kafka.rebalances.value, long.rows()[75].kafka.group.members),
        (2.0, 0)
    );
    assert!(kafka.commit_error_count.value > 0.0);
    assert!(summary.succeeded_event_count.value >= summary.incoming_records.value);
}

#[test]
fn commits_and_reads_that_fail_are_made_again() {
    let source = format!("partitions = 3\n{}", steady(700, "2m"));
    let mapping = "backoff_max = '2s'";
    // The function is not kept waiting for commits, and they are made up for.
    let commits = "[[fault]]\nat = '30s'\nfor = '30s'\nwhat = { commits_fail = { source = 'q', rate = '50%' } }\n";
    let ran = run(&file("duration = '5m'", "", &source, mapping, commits));
    ran.all_done();
    assert!(ran.kafka().commit_error_count.value > 10.0);
    // Reads that are refused are made again.
    let reads = "[[fault]]\nat = '30s'\nfor = '30s'\nwhat = { source_throttled = { source = 'q', rate = '50%' } }\n";
    let ran = run(&file("duration = '5m'", "", &source, mapping, reads));
    ran.all_done();
    let (refused, failed) = (
        ran.summary().read_throttles,
        ran.kafka().polling_error_count,
    );
    assert!(refused.value > 10.0 && refused == failed);
}

/// Joining, leaving, failing, throttling and outages at once, under many seeds: whatever happens, the run's own checks hold,
/// and the model's that no offset is committed ahead of success.
#[test]
fn storms_keep_every_promise() {
    let source = "partitions = 7\nlatency = { uniform = { min = '0ms', max = '300ms' } }\nrebalance = { exponential = { mean = '2s' } }\n\
                  [[source.producer]]\nrate = [{ at = '0s', rps = 300 }, { at = '8m', rps = 0 }]\nrecord = { keys = { zipf = { n = 30, s = 1.2 } } }\n";
    let source = source.to_owned();
    let mapping = "BatchSize = 30\nbackoff_max = '2s'\nMaximumRetryAttempts = 3\nBisectBatchOnFunctionError = true\n\
                   MaximumRecordAgeInSeconds = 120\nProvisionedPollerConfig = { MinimumPollers = 1, MaximumPollers = 5 }\n\
                   FilterCriteria = { Filters = [{ Pattern = '{\"value\":{\"a\":[1]}}' }] }\nmatching = '80%'";
    let rest = "[[fault]]\nat = '90s'\nfor = '25s'\nwhat = { connections_lost = { source = 'q' } }\n\
                [[fault]]\nat = '150s'\nfor = '40s'\nwhat = { commits_fail = { source = 'q', rate = '70%' } }\n\
                [[fault]]\nat = '200s'\nfor = '40s'\nwhat = { function_errors = { function = 'f', rate = '40%' } }\n\
                [[fault]]\nat = '300s'\nfor = '12s'\nwhat = { connections_lost = { source = 'q' } }\n\
                [[event]]\nat = '250s'\nwhat = { disable = 'm' }\n[[event]]\nat = '252s'\nwhat = { enable = 'm' }\n\
                [[event]]\nat = '100s'\nwhat = { update = { mapping = 'm', ProvisionedPollerConfig = { MinimumPollers = 4, MaximumPollers = 5 } } }\n\
                [[event]]\nat = '270s'\nwhat = { update = { mapping = 'm', ProvisionedPollerConfig = { MinimumPollers = 1, MaximumPollers = 2 } } }\n\
                [[event]]\nat = '303s'\nwhat = { update = { mapping = 'm', ProvisionedPollerConfig = { MinimumPollers = 3, MaximumPollers = 3 } } }\n";
    let function = "per_record = '30ms'\npoison = '1/300'\nreserved_concurrency = 12";
    let text = file("duration = '12m'", function, &source, mapping, rest);
    let text = text.replace("latency = '0ms'\n", "");
    let mut returned = 0.0;
    for seed in 0..12 {
        let ran = run(&text.replace("seed = 3", &format!("seed = {seed}")));
        let summary = ran.summary();
        assert_eq!(
            (summary.backlog.end.value, summary.in_hand.end.value),
            (0.0, 0.0)
        );
        assert!(ran.kafka().partitions_moved.value > 0.0);
        returned += ran.kafka().returned_event_count.value;
        let ended = summary.succeeded_event_count.value
            + summary.filtered_out_event_count.value
            + summary.dropped_event_count.value;
        assert!(ended >= summary.incoming_records.value, "nothing is lost");
    }
    assert!(returned > 100.0, "what was read ahead came again");
}
