//! The poller against a bare client loop: the same server, the same function, the same concurrency, in one run.
//!
//! The bare loop is what one writes without semantics in an afternoon: receive, build the event, invoke, delete or go on.
//! Rounds alternate, and the ratio is that of the medians. Run it with
//! `scripts/servers run -- cargo bench --bench poller`, with `-- rabbitmq` behind it for the rows of one source
//! (`sqs`, `kinesis`, `rabbitmq`, `hop`).

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "benchmarks read the clock and print what they measure"
)]

mod bare;
mod function;
mod hop;
mod kafka;
mod measure;
mod rabbitmq;
mod world;

use measure::{Measured, Rounds};
use world::World;

const ROUNDS: usize = 7;

fn main() {
    if std::env::args().any(|argument| argument == function::ARGUMENT) {
        return function::serve();
    }
    // `cargo test --benches` only wants to know that it starts.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let Ok(server) = std::env::var("TIDEGATE_TEST_MINISTACK_URL") else {
        println!(
            "poller: skipped, no server. Run scripts/servers run -- cargo bench --bench poller"
        );
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let function = function::Function::start();
        let world = World::new(server, function.url.clone());
        println!("| source | poller, records/s | bare loop, records/s | ratio | poller, µs CPU/record | bare loop, µs CPU/record |");
        println!("| --- | --- | --- | --- | --- | --- |");
        if wanted("sqs") {
            sqs(&world, false).await;
            sqs(&world, true).await;
        }
        if wanted("kinesis") {
            for shards in [1, 8, 64] {
                kinesis(&world, shards).await;
            }
        }
        if wanted("kafka") {
            kafka::run(&world.function).await;
        }
        if wanted("rabbitmq") {
            rabbitmq::run(&world).await;
        }
        if wanted("hop") {
            hop::run(&world).await;
        }
    });
}

/// Whether the command line asks for these rows: with no word on it, for all of them.
fn wanted(rows: &str) -> bool {
    let mut words = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'));
    let first = words.next();
    first.is_none_or(|first| first == rows || words.any(|word| word == rows))
}

async fn sqs(world: &World, is_fifo: bool) {
    // The server slows down with its backlog: a small one, in a queue of its own for every round, since the long polls
    // that a drained poller gives up may still take messages from the old one.
    const MESSAGES: usize = 2_000;
    const CONCURRENCY: usize = 5;
    let mut rounds = Rounds::default();
    for _ in 0..ROUNDS {
        let queue = world.filled_queue(MESSAGES, is_fifo).await;
        let bare = bare::sqs(world, &queue, MESSAGES, CONCURRENCY);
        rounds.bare.push(Measured::of(MESSAGES, bare).await);
        let queue = world.filled_queue(MESSAGES, is_fifo).await;
        let poller = world.poll_queue(&queue, MESSAGES);
        rounds.poller.push(Measured::of(MESSAGES, poller).await);
    }
    let queue = if is_fifo {
        "SQS FIFO, 200 groups"
    } else {
        "SQS"
    };
    rounds.print(&format!("{queue}, batches of 10, {CONCURRENCY} at once"));
}

async fn kinesis(world: &World, shards: usize) {
    const RECORDS: usize = 40_000;
    let stream = world.stream(shards, RECORDS).await;
    let mut rounds = Rounds::default();
    for _ in 0..ROUNDS {
        let bare = bare::kinesis(world, &stream, RECORDS);
        rounds.bare.push(Measured::of(RECORDS, bare).await);
        let poller = world.poll_stream(&stream, RECORDS);
        rounds.poller.push(Measured::of(RECORDS, poller).await);
    }
    let plural = if shards == 1 { "" } else { "s" };
    rounds.print(&format!("Kinesis, batches of 100, {shards} shard{plural}"));
}
