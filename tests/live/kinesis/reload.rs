//! A poller on a real stream whose file changes again and again while records come.

use super::poll::{delivered, numbered, once_and_in_order, poller};
use crate::support::Stream;

#[tokio::test]
async fn every_record_comes_once_and_in_order_while_the_file_changes() {
    let stream = Stream::create(2).await;
    let mut put: Vec<(String, String)> = Vec::new();
    let mut next = 0;
    let mut more = async |count: usize| {
        let records = numbered(next..next + count);
        next += count;
        let places = stream.put(&records).await;
        let text = |data: &[u8]| String::from_utf8_lossy(data).into_owned();
        let placed = places.iter().zip(&records);
        put.extend(placed.map(|((shard, _), (_, data))| (shard.clone(), text(data))));
        put.clone()
    };
    more(300).await;
    let poller = poller(&stream, "BatchSize = 10\n").env("TEST_FUNCTION_DELAY_MS", "20");
    let running = poller.start(&[]);
    let at_least = |count: usize| {
        poller.await_invocations("records", |seen| delivered(seen).len() >= count);
    };
    at_least(50);
    // Each is said in the log once it is known what changes.
    let changes = [
        // While it runs, by a drain, and by the engine's own switch.
        (
            "BatchSize = 10\n",
            "BatchSize = 25\nBisectBatchOnFunctionError = true\n",
            "BatchSize 10 → 25",
        ),
        (
            "poll_interval = \"100ms\"",
            "poll_interval = \"120ms\"",
            "poll_interval 100ms → 120ms",
        ),
        (
            "BatchSize = 25\n",
            "BatchSize = 25\nEnabled = false\n",
            "mapping.tested disabled",
        ),
        ("Enabled = false\n", "", "mapping.tested enabled"),
        (
            "poll_interval = \"120ms\"",
            "poll_interval = \"90ms\"",
            "poll_interval 120ms → 90ms",
        ),
        ("BatchSize = 25\n", "BatchSize = 40\n", "BatchSize 25 → 40"),
    ];
    let file = poller.path("poller.toml");
    for (number, (from, to, said)) in (1..).zip(changes) {
        let text = std::fs::read_to_string(&file).expect("its file");
        assert!(text.contains(from), "{from} in {text}");
        std::fs::write(&file, text.replacen(from, to, 1)).expect("written");
        running.hang_up();
        running.await_output(said);
        more(100).await;
        if said.ends_with("disabled") {
            continue;
        }
        at_least(50 + 40 * number);
    }
    let put = more(50).await;
    at_least(put.len());
    let ended = running.terminate();
    assert!(ended.status.success(), "{ended:?}");
    once_and_in_order(&put, &delivered(&poller.invocations()));
    stream.delete().await;
}
