//! Networks that misbehave: the way between poller and server is cut, slow, narrow, or half-open.
//!
//! Nothing is lost, order holds, and the poller goes on within a stated time of the way's being mended: it delivers what was
//! written after that moment.

use super::evidence::{Log, Pass, distinct, judge_one};
use super::sources::{Kind, Source};
use super::traffic::Traffic;
use crate::support::eventually_within;
use crate::support::proxy::{Condition, Proxy};
use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(150);
/// Delivered before the way goes wrong.
const BEFORE: usize = 30;
/// Written after the way was mended, whatever else is outstanding.
const AFTER: usize = 24;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Cut,
    Delayed,
    Throttled,
    HalfOpen,
}

const FAULTS: [Fault; 4] = [
    Fault::Cut,
    Fault::Delayed,
    Fault::Throttled,
    Fault::HalfOpen,
];

impl Fault {
    const fn name(self) -> &'static str {
        match self {
            Self::Cut => "cut five times",
            Self::Delayed => "250 ms of delay",
            Self::Throttled => "4 KB a second",
            Self::HalfOpen => "half-open",
        }
    }

    /// How long after the way is mended the poller may take to go on. Silence has to be waited for: a call may take 30 s, and
    /// brokers and the poller miss each other's signs of life after 20 s to 45 s, and a group then gives out its partitions
    /// anew. A receive that was cut off may live on in the server for the 20 s of its long poll, and hide what it takes
    /// for 3 s.
    const fn recovery_max(self) -> Duration {
        match self {
            Self::HalfOpen => Duration::from_secs(75),
            Self::Cut => Duration::from_secs(35),
            Self::Delayed | Self::Throttled => Duration::from_secs(20),
        }
    }

    async fn happen(self, way: &Proxy) {
        let pause = |ms| tokio::time::sleep(Duration::from_millis(ms));
        match self {
            Self::Cut => {
                for cut in 0..5 {
                    way.down();
                    pause(200).await;
                    way.up();
                    pause(100 * cut).await;
                }
            }
            Self::Delayed => {
                way.set(Condition::Delayed(Duration::from_millis(250)));
                pause(5_000).await;
            }
            Self::Throttled => {
                way.set(Condition::Narrow(4_096));
                pause(5_000).await;
            }
            Self::HalfOpen => {
                way.set(Condition::HalfOpen);
                pause(5_000).await;
            }
        }
        way.up();
    }
}

/// All faults at once, each of a source of its own.
fn all(kind: Kind) {
    thread::scope(|scope| {
        for fault in FAULTS {
            scope.spawn(move || {
                // The proxy has a thread of its own: the test waits for processes.
                super::run(1, endure(kind, fault));
            });
        }
    });
}

async fn endure(kind: Kind, fault: Fault) {
    let what = |of: &str| format!("{}, {}: {of}", kind.name(), fault.name());
    let source = Source::create(kind).await;
    let way = Proxy::start(&source.address()).await;
    way.up();
    let poller = source.poller(way.address());
    let traffic = Traffic::default();
    let log = Log::of(kind, poller.path("events.jsonl"));
    let mut passes = [Pass {
        log,
        begins: BTreeMap::new(),
    }];
    let running = poller.start(&[]);
    let ordeal = async {
        let [pass] = &mut passes;
        eventually_within(PATIENCE, &what("the first records"), async || {
            pass.log.look();
            traffic.seen.set(pass.log.seen.len());
            (pass.log.seen.len() >= BEFORE).then_some(())
        })
        .await;
        fault.happen(&way).await;
        let (mended, mark) = (Instant::now(), traffic.written());
        traffic.extra.set(AFTER);
        eventually_within(PATIENCE, &what("what was written since"), async || {
            pass.log.look();
            traffic.seen.set(pass.log.seen.len());
            let is_new = |number: usize| number >= mark;
            let new = pass.log.seen.iter().any(|it| is_new(it.number));
            new.then_some(())
        })
        .await;
        traffic.over.set(true);
        mended.elapsed()
    };
    let ((), recovery) = tokio::join!(traffic.flow(&source), ordeal);
    let written = traffic.written();
    eventually_within(PATIENCE, &what("every record"), async || {
        (distinct(&mut passes) == written).then_some(())
    })
    .await;
    eventually_within(PATIENCE, &what("nothing left"), async || {
        source.is_settled().await.then_some(())
    })
    .await;
    let ended = running.terminate();
    assert!(ended.status.success(), "{}: {ended:?}", what("its end"));
    assert!(source.is_empty().await, "{}", what("something is left"));
    let limit = fault.recovery_max();
    assert!(recovery <= limit, "{}: {recovery:?}", what("too late"));
    let tally = judge_one(kind, written, &passes, kind == Kind::Kafka);
    // A row of a report; see scripts/reliability.d/faults.
    crate::support::row(&format!(
        "faults: | {} | {} | went on after {:.1} s; {} records, {} of them again, none lost |",
        fault.name(),
        kind.name(),
        recovery.as_secs_f64(),
        tally.records,
        tally.again()
    ));
}

of_every_source!(survives_a_network_that_misbehaves: super::super::all);
