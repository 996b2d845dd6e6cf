//! A function that dies in the middle of invocations, and one that hangs in others.

use super::evidence::{Log, Pass, distinct, judge_one};
use super::sources::{Begin, Kind, Source};
use crate::support::eventually_within;
use std::collections::BTreeMap;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);
const RECORDS: usize = 96;
const BATCH_SIZE: usize = 10;

/// Whatever was with an invocation that failed comes again until an invocation has succeeded with it; then nothing is left.
fn outlive(kind: Kind) {
    super::run(2, outliving(kind));
}

async fn outliving(kind: Kind) {
    let what = |of: &str| format!("{}: {of}", kind.name());
    let source = Source::create(kind).await;
    source.write(0..RECORDS).await;
    let poller = source.poller_with(&source.address(), "3s", 30);
    let poller = poller.env("TEST_FUNCTION_TROUBLE", "1");
    let log = Log::of(kind, poller.path("events.jsonl"));
    let mut passes = [Pass {
        log,
        begins: BTreeMap::new(),
    }];
    let running = poller.start(&[]);
    eventually_within(PATIENCE, &what("every record"), async || {
        (distinct(&mut passes) == RECORDS).then_some(())
    })
    .await;
    eventually_within(PATIENCE, &what("nothing left"), async || {
        let is_done = match &source {
            // The last deliveries may be those that fail: what counts is what a broker has been told.
            Source::ActiveMq(..) => quiet(&mut passes).await,
            Source::Kafka(_) => ends(&source, &source.begins(&poller), &passes),
            Source::Kinesis(_) | Source::DynamoDb(_) => quiet(&mut passes).await,
            Source::Queue(..) | Source::RabbitMq(_) => source.is_empty().await,
        };
        is_done.then_some(())
    })
    .await;
    let ended = running.terminate();
    assert!(ended.status.success(), "{}: {ended:?}", what("its end"));
    let [pass] = &mut passes;
    pass.log.look();
    let tally = judge_one(kind, RECORDS, &passes, true);
    assert!(source.is_empty().await, "{}", what("something is left"));
    let begins = source.begins(&poller);
    assert!(ends(&source, &begins, &passes), "{begins:?}");
    let invocations = poller.invocations().len();
    // Two of the first seven fail, and five batches are the least that there are.
    let failed = (1..=invocations)
        .filter(|it| matches!(it % 7, 3 | 5))
        .count();
    assert!(failed >= 2, "{invocations} invocations");
    let most = failed * BATCH_SIZE;
    assert!(tally.again() > 0 && tally.again() <= most, "{tally:?}");
    crate::support::row(&format!(
        "faults: | function dies or hangs | {} | {failed} of {invocations} invocations; {RECORDS} records, {} deliveries more, none lost |",
        kind.name(),
        tally.again()
    ));
}

/// Nothing was delivered for longer than a timeout and a pause before the next try.
async fn quiet(passes: &mut [Pass; 1]) -> bool {
    let [pass] = passes;
    pass.log.look();
    let before = pass.log.seen.len();
    tokio::time::sleep(Duration::from_secs(6)).await;
    pass.log.look();
    pass.log.seen.len() == before
}

/// Whether the stored positions are behind everything, where there are any.
fn ends(source: &Source, begins: &BTreeMap<String, Begin>, passes: &[Pass; 1]) -> bool {
    let [pass] = passes;
    let mut lasts = BTreeMap::new();
    for delivery in &pass.log.seen {
        let last = lasts.entry(&delivery.key).or_insert(delivery);
        if delivery.number > last.number {
            *last = delivery;
        }
    }
    let has_positions = matches!(
        source,
        Source::Kinesis(_) | Source::DynamoDb(_) | Source::Kafka(_)
    );
    !has_positions
        || lasts.iter().all(|(key, last)| {
            let expected = match source {
                Source::Kafka(_) => {
                    let offset: u64 = last.place.parse().expect("an offset");
                    Begin::At((offset + 1).to_string())
                }
                _ => Begin::After(last.place.clone()),
            };
            begins.get(*key) == Some(&expected)
        })
}

of_every_source!(outlives_a_function_that_dies_and_hangs: super::super::outlive);
