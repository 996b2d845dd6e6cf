//! Hop latency: from the moment at which a record can be read to the moment at which the function has its event.

use crate::bare;
use crate::function::{HOP, unix_nanos};
use crate::world::{Stream, World};
use aws_sdk_kinesis::primitives::Blob;
use std::time::Duration;

const RECORDS: usize = 1_000;
/// One record at a time, so that no queue forms.
const SPACING: Duration = Duration::from_millis(10);
const ROUNDS: usize = 5;

/// Both contenders read as soon as the last read has returned, and at most every 2 ms.
pub(crate) const READ_EVERY: Duration = Duration::from_millis(2);

/// Prints a table: percentiles over the records of all rounds, in milliseconds.
pub(crate) async fn run(world: &World) {
    let (mut poller, mut bare) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let stream = world.empty_stream(&format!("hop-bare-{round}")).await;
        let (readable, ()) =
            tokio::join!(produce(world, &stream), bare::hop(world, &stream, RECORDS));
        bare.extend(hops(world, &readable).await);
        let stream = world.empty_stream(&format!("hop-poller-{round}")).await;
        let (readable, ()) =
            tokio::join!(produce(world, &stream), world.poll_hop(&stream, RECORDS));
        poller.extend(hops(world, &readable).await);
    }
    println!();
    println!("| hop latency, ms | p50 | p90 | p99 | largest |");
    println!("| --- | --- | --- | --- | --- |");
    for (name, mut values) in [("poller", poller), ("bare loop", bare)] {
        values.sort_unstable();
        let at = |share: f64| {
            let index = (values.len() as f64 * share).ceil() as usize;
            values[index.clamp(1, values.len()) - 1] as f64 / 1e6
        };
        println!(
            "| {name} | {:.2} | {:.2} | {:.2} | {:.2} |",
            at(0.5),
            at(0.9),
            at(0.99),
            at(1.0)
        );
    }
}

/// Writes numbered records and returns when each could be read.
async fn produce(world: &World, stream: &Stream) -> Vec<u64> {
    let mut readable = Vec::with_capacity(RECORDS);
    let mut ticks = tokio::time::interval(SPACING);
    for number in 0..RECORDS {
        ticks.tick().await;
        let put = world.kinesis.put_record().stream_name(&stream.name);
        put.data(Blob::new(number.to_string()))
            .partition_key("key")
            .send()
            .await
            .expect("PutRecord");
        readable.push(unix_nanos());
    }
    readable
}

/// Nanoseconds from readable to arrived; a record that was read before its write returned took none.
async fn hops(world: &World, readable: &[u64]) -> Vec<u64> {
    let lines = bare::get(&format!("{}{HOP}", world.function)).await;
    let hops: Vec<u64> = lines
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(number, at)| Some((number.parse::<usize>().ok()?, at.parse::<u64>().ok()?)))
        .map(|(number, at)| at.saturating_sub(readable[number]))
        .collect();
    assert_eq!(hops.len(), readable.len(), "every record arrives once");
    hops
}
