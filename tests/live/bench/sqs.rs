//! Benches of SQS queues.

use super::run::{MOCK, run};
use crate::support::{SQS_URL, server_url, sqs, test_function};

const QUEUE: &str = "EventSourceArn = \"arn:aws:sqs:us-east-1:000000000000:named-only\"\n";

#[tokio::test]
async fn points_of_a_sweep_are_measured_beside_a_bare_loop_and_predicted() {
    let endpoint = server_url(SQS_URL);
    let load = "rate = 40\nduration = \"3s\"\nwarm_up = \"1s\"\nsweep = { BatchSize = [1, 10] }";
    let bench = run(&endpoint, MOCK, QUEUE, load, &["--predict"]);
    assert_eq!(bench.points().len(), 2);
    for (index, batch) in ["1", "10"].into_iter().enumerate() {
        assert_eq!(bench.points()[index]["Settings"]["BatchSize"], batch);
        bench.check(index, 160);
        bench.check_hops(index);
        bench.check_prediction(index);
    }
    assert_eq!(bench.points()[0]["Poller"]["BatchRecords"]["max"], 1.0);
    // Nothing is left behind, and the queue that the file names was never made.
    let listed = sqs().list_queues().queue_name_prefix("tidegate-bench-");
    let listed = listed.send().await.expect("ListQueues");
    let left = listed
        .queue_urls()
        .iter()
        .filter(|url| url.ends_with(&bench.ending));
    assert_eq!(left.count(), 0);
    let named = sqs().get_queue_url().queue_name("named-only").send().await;
    assert!(named.is_err());
}

#[tokio::test]
async fn a_backlog_is_worked_off_by_a_process() {
    let endpoint = server_url(SQS_URL);
    let target = format!(
        "type = \"process\"\ncommand = [{:?}]\ntimeout = \"20s\"\n",
        test_function()
    );
    let bench = run(
        &endpoint,
        &target,
        QUEUE,
        "rate = \"max\"\nrecords = 300",
        &[],
    );
    bench.check(0, 300);
    // From when a backlog was due says nothing about the poller.
    assert!(bench.points()[0]["Poller"]["HopAnsweredMs"].is_null());
    assert!(bench.points()[0]["Prediction"].is_null());
}
