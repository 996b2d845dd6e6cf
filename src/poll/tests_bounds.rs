//! What a mapping holds in memory is bounded by what may be in flight.

use super::tests::{file, options};
use super::*;
use crate::engine::{Ratio, SourceKind};
use crate::scenario::{Dist, Generated, Keys, LocalContent, TargetKind};

/// Polls a queue with a million new messages a second through a function that does not answer, for ten minutes of virtual
/// time, and returns how many messages were received, sent and invocations made.
async fn stuck(kind: SourceKind, batch_size: u32, window: Span) -> (u64, u64, u64) {
    let content = LocalContent::Generated(Generated {
        per_sec: 1e6,
        size: Dist::Constant(60.0),
        keys: Keys::Unique,
        count: None,
        seed: 7,
    });
    let mut file = file(kind, content);
    file.sources[0].visibility_timeout = Span::from_secs(12 * 3_600);
    file.targets[0].timeout = Span::from_secs(900);
    file.targets[0].kind = TargetKind::Mock {
        duration: Dist::Constant(850e9),
        error_rate: Ratio::ZERO,
    };
    let config = &mut file.mappings[0].config;
    config.maximum_concurrency = Some(3);
    config.batch_size = batch_size;
    config.window = window;
    let options = options();
    let counters = options.counters.clone();
    let running = tokio::spawn(run(file, options));
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert!(!running.is_finished());
    running.abort();
    let get = |counter| counters::get(counter);
    (
        get(&counters.polled),
        get(&counters.invoked),
        get(&counters.invocations),
    )
}

#[tokio::test(start_paused = true)]
async fn a_stuck_function_keeps_a_queue_from_being_read_ahead() {
    // Three batches at once, and not a message more. The first receive found the only message that there was.
    for kind in [SourceKind::Sqs, SourceKind::SqsFifo] {
        let (polled, invoked, invocations) = stuck(kind, 10, Span::ZERO).await;
        assert_eq!((invocations, invoked), (3, polled));
        assert!((3..=30).contains(&polled), "{polled}");
    }
    let found = stuck(SourceKind::Sqs, 10_000, Span::from_secs(300)).await;
    assert_eq!(found, (30_000, 30_000, 3));
}

/// All records have one key, and BatchSize would let ten lanes wait for 100,000 records of 60 kB, which are 6 GB.
#[tokio::test(start_paused = true)]
async fn a_function_stuck_on_one_key_keeps_a_shard_from_being_read_ahead() {
    const SIZE: u64 = 60_000;
    let content = LocalContent::Generated(Generated {
        per_sec: 2_000.0,
        size: Dist::Constant(SIZE as f64),
        keys: Keys::Hot {
            share: Ratio::ONE,
            keys: 1,
        },
        count: None,
        seed: 7,
    });
    let mut file = file(SourceKind::Kinesis, content);
    file.targets[0].timeout = Span::from_secs(900);
    file.targets[0].kind = TargetKind::Mock {
        duration: Dist::Constant(850e9),
        error_rate: Ratio::ZERO,
    };
    let config = &mut file.mappings[0].config;
    config.parallelization_factor = 10;
    config.batch_size = 10_000;
    let options = options();
    let counters = options.counters.clone();
    let running = tokio::spawn(run(file, options));
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert!(!running.is_finished());
    running.abort();
    let polled = counters::get(&counters.polled);
    // Ten events of 6 MiB wait, one is in flight, and a page of 10 MiB of data is more by a third as JSON.
    let held = polled * SIZE * 4 / 3;
    let bound = 11 * 6_291_456 + 2 * 10 * 1_048_576 * 4 / 3;
    assert!((50_000_000..bound).contains(&held), "{held} of {bound}");
}
