//! Queues in paused time: minutes pass as soon as nobody has anything to do.

use super::super::open::{Callees, queues};
use super::super::tests::{file, mock};
use super::*;
use crate::engine::Ratio;
use crate::engine::config::{DestinationConfig, EventInvokeParameters};
use crate::poll::EventTotals;
use crate::scenario::{self, TargetKind};
use serde_json::Value;
use tokio::task::JoinHandle;

const REQUEST: RequestId = RequestId(7 << 96);
const TOLD: &str = "arn:aws:lambda:us-east-1:123456789012:function:told";

/// What a function saw: when, since the beginning in seconds, for which request, with what.
type Seen = Arc<Mutex<Vec<(f64, RequestId, Bytes)>>>;

/// A function `f` that a test plays, and a function `told` that gets the records of its events.
struct Rig {
    inlet: Inlet,
    counters: Arc<Counters>,
    reader: JoinHandle<()>,
    seen: Seen,
    told: Seen,
}

fn described(parameters: &EventInvokeParameters) -> scenario::Target {
    let mut target = mock("f", 0.0, Ratio::ZERO);
    target.concurrency = None;
    target.limits.event_invoke.config = parameters.check("f").expect("sound parameters");
    target
}

fn telling() -> EventInvokeParameters {
    EventInvokeParameters {
        destination_config: Some(DestinationConfig {
            on_success: Some(TOLD.to_owned()),
            on_failure: Some(format!("{TOLD}:$LATEST")),
        }),
        ..EventInvokeParameters::default()
    }
}

/// Answers each call by its number, from 0.
async fn rig(
    described: scenario::Target,
    play: impl Fn(usize) -> Reply + Send + Sync + 'static,
) -> Rig {
    let clock = Clock::start();
    let (seen, told) = (Seen::default(), Seen::default());
    let watched = |function, seen: Seen, play: Box<dyn Fn(usize) -> Reply + Send + Sync>| {
        Target::scripted(function, move |_, request, event| {
            let mut seen = seen.lock().expect("the calls");
            let at = clock.now().since(clock.started());
            seen.push((at.as_secs_f64(), request, event));
            play(seen.len() - 1)
        })
    };
    let quiet = |_| Reply::from(Outcome::Success);
    let targets = vec![
        watched("f", seen.clone(), Box::new(play)),
        watched("told", told.clone(), Box::new(quiet)),
    ];
    let file = file(&[described, mock("told", 0.0, Ratio::ZERO)]);
    let counters = Arc::new(Counters::default());
    let callees = Callees {
        service: Arc::new(Region::open(&file, clock).expect("sound limits")),
        file: &file,
        targets,
        clock,
        counters: counters.clone(),
    };
    let (inlet, reader) = queues(&callees, 1).await.expect("queues");
    Rig {
        inlet,
        counters,
        reader: tokio::spawn(reader.run()),
        seen,
        told,
    }
}

impl Rig {
    fn accept(&self, event: &'static str) {
        let event = Bytes::from_static(event.as_bytes());
        self.inlet.accept("f", REQUEST, event).expect("it is kept");
    }

    /// Lets time pass for as long as anything is unfinished.
    async fn finish(&self) -> EventTotals {
        loop {
            let totals = self.counters.events.totals();
            if totals.unfinished == 0 {
                return totals;
            }
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        }
    }

    fn times(&self) -> Vec<u64> {
        let seen = self.seen.lock().expect("the calls");
        seen.iter().map(|(at, ..)| at.round() as u64).collect()
    }

    fn records(&self) -> Vec<Value> {
        let told = self.told.lock().expect("the calls");
        let records = told.iter().map(|(.., event)| serde_json::from_slice(event));
        records.map(|record| record.expect("a record")).collect()
    }
}

fn failure() -> Reply {
    Reply {
        body: Bytes::from_static(b"{\"errorMessage\":\"no\",\"errorType\":\"Exception\"}"),
        ..Reply::from(Outcome::FunctionError)
    }
}

fn throttle() -> Reply {
    let reason = ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded;
    Reply::from(reason)
}

#[tokio::test(start_paused = true)]
async fn an_event_is_tried_three_times_under_one_request_id() {
    let rig = rig(described(&telling()), |_| failure()).await;
    rig.accept("{\"to\":\"a\"}");
    let totals = rig.finish().await;
    assert_eq!(rig.times(), [0, 60, 180]);
    for (_, request, event) in &*rig.seen.lock().expect("the calls") {
        assert_eq!((*request, &event[..]), (REQUEST, &b"{\"to\":\"a\"}"[..]));
    }
    let record = rig.records().remove(0);
    let context = &record["requestContext"];
    assert_eq!(context["requestId"], REQUEST.to_string());
    assert_eq!(context["condition"], "RetriesExhausted");
    assert_eq!(context["approximateInvokeCount"], 3);
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST";
    assert_eq!(context["functionArn"], arn);
    assert_eq!(record["requestPayload"]["to"], "a");
    assert_eq!(record["responseContext"]["functionError"], "Unhandled");
    assert_eq!(record["responsePayload"]["errorMessage"], "no");
    // The record is an event of the other function.
    let expected = (2, 1, 1, 0);
    let found = (
        totals.received,
        totals.dropped,
        totals.delivered,
        totals.delivery_failures,
    );
    assert_eq!(found, expected);
    assert_eq!(totals.age_max.as_secs_f64().round(), 180.0);
    assert_eq!(totals.age_mean.as_secs_f64().round(), 60.0);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_would_be_too_old_is_over_at_once() {
    let parameters = EventInvokeParameters {
        maximum_event_age_in_seconds: Some(60),
        ..telling()
    };
    let rig = rig(described(&parameters), |_| failure()).await;
    rig.accept("{}");
    rig.finish().await;
    assert_eq!(rig.times(), [0]);
    let context = rig.records().remove(0);
    assert_eq!(context["requestContext"]["condition"], "EventAgeExceeded");
    assert_eq!(context["requestContext"]["approximateInvokeCount"], 1);
    assert_eq!(context["responsePayload"]["errorMessage"], "no");
}

#[tokio::test(start_paused = true)]
async fn a_function_with_a_reservation_of_zero_gets_no_events() {
    let mut target = described(&telling());
    target.limits.reserved_concurrency = Some(0);
    target.kind = TargetKind::Process {
        command: vec!["true".to_owned()],
        env: scenario::Variables::default(),
    };
    let rig = rig(target, |_| failure()).await;
    rig.accept("{}");
    let totals = rig.finish().await;
    assert!(rig.times().is_empty());
    let record = rig.records().remove(0);
    let context = &record["requestContext"];
    assert_eq!(context["condition"], "ZeroReservedConcurrency");
    assert_eq!(context["approximateInvokeCount"], 0);
    assert!(record.get("responseContext").is_none() && record.get("responsePayload").is_none());
    assert_eq!((totals.dropped, totals.delivered), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn throttled_events_come_back_and_spend_no_try() {
    let rig = rig(described(&telling()), |call| match call {
        0 | 1 => throttle(),
        2 => Reply::from(Outcome::ServiceError),
        _ => Reply {
            body: Bytes::from_static(b"not JSON"),
            ..Reply::from(Outcome::Success)
        },
    })
    .await;
    rig.accept("{}");
    let totals = rig.finish().await;
    assert_eq!(rig.times(), [0, 1, 3, 7]);
    let record = rig.records().remove(0);
    assert_eq!(record["requestContext"]["condition"], "Success");
    assert_eq!(record["requestContext"]["approximateInvokeCount"], 1);
    assert_eq!(record["responsePayload"], "not JSON");
    // What was refused is no invocation.
    assert_eq!(totals.age_max.as_secs_f64().round(), 7.0);
    assert_eq!(totals.dropped, 0);
}

#[tokio::test(start_paused = true)]
async fn a_function_that_is_gone_is_missing() {
    let gone = || Reply {
        is_misconfigured: true,
        ..Reply::from(Outcome::ServiceError)
    };
    let parameters = EventInvokeParameters {
        maximum_retry_attempts: Some(0),
        ..telling()
    };
    let rig = rig(described(&parameters), move |_| gone()).await;
    rig.accept("{}");
    rig.finish().await;
    let record = rig.records().remove(0);
    assert_eq!(record["requestContext"]["condition"], "RetriesExhausted");
    assert_eq!(record["responseContext"]["statusCode"], 404);
    assert!(record.get("responsePayload").is_none());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_queued_twice_unless_it_is_asked_for() {
    for (duplicates, calls) in [(Ratio::ZERO, 100), (Ratio::ONE, 200)] {
        let mut target = described(&telling());
        target.limits.event_invoke.tuning.duplicates = duplicates;
        let rig = rig(target, |_| Reply::from(Outcome::Success)).await;
        for _ in 0..100 {
            rig.accept("{}");
        }
        let totals = rig.finish().await;
        assert_eq!(rig.times().len(), calls);
        assert_eq!(totals.delivered, calls as u64);
        assert_eq!(rig.inlet.0.kept.load(Relaxed), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_gives_up_what_waits_for_a_later_try() {
    let rig = rig(described(&telling()), |call| match call {
        0 => failure(),
        _ => Reply::from(Outcome::Success),
    })
    .await;
    rig.accept("1");
    while rig.times().is_empty() {
        tokio::task::yield_now().await;
    }
    // What is due is still tried, and its destination is told.
    for event in ["2", "3", "4"] {
        rig.accept(event);
    }
    rig.inlet.drain();
    rig.reader.await.expect("it ends");
    assert_eq!(rig.seen.lock().expect("the calls").len(), 4);
    let totals = rig.counters.events.totals();
    assert_eq!((totals.unfinished, totals.dropped), (1, 0));
    assert_eq!((totals.delivered, totals.delivery_failures), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn no_more_runs_at_once_than_may() {
    let clock = Clock::start();
    let mut limited = mock("f", 1_000.0, Ratio::ZERO);
    limited.concurrency = Some(3);
    let file = file(&[limited]);
    let service = Arc::new(Region::open(&file, clock).expect("sound limits"));
    let surroundings = crate::target::Surroundings {
        aws: file.aws.clone(),
        clock,
        seed: 1,
        region: service.clone(),
    };
    let target = Target::open(&file.targets[0], &surroundings).await;
    let counters = Arc::new(Counters::default());
    let callees = Callees {
        service,
        file: &file,
        targets: vec![Arc::new(target.expect("a target"))],
        clock,
        counters: counters.clone(),
    };
    let (inlet, reader) = queues(&callees, 1).await.expect("queues");
    for _ in 0..9 {
        inlet
            .accept("f", REQUEST, Bytes::from_static(b"{}"))
            .expect("it is kept");
    }
    inlet.drain();
    reader.run().await;
    // Three at a time, a second each, and nobody was refused.
    assert_eq!(clock.now().since(clock.started()).as_millis(), 3_000);
    let totals = counters.events.totals();
    assert_eq!((totals.received, totals.unfinished), (9, 0));
    assert_eq!(totals.age_max, Span::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn events_are_refused_beyond_the_memory_for_them() {
    let rig = rig(described(&telling()), |_| failure()).await;
    let event = Bytes::from(vec![b'1'; 1 << 20]);
    let mut kept = 0;
    while rig.inlet.accept("f", REQUEST, event.clone()).is_ok() {
        kept += 1;
    }
    assert_eq!(kept, 255);
    rig.finish().await;
    assert!(rig.inlet.accept("f", REQUEST, event).is_ok());
}

#[tokio::test(start_paused = true)]
async fn async_delivery_tries() {
    for (freed_after, delivered) in [(2_500, 1), (4_000, 0)] {
        let clock = Clock::start();
        let rig = rig(described(&telling()), |_| Reply::from(Outcome::Success)).await;
        rig.accept("{}");
        // There is no room for the record, which has to be queued for the other function.
        rig.inlet.0.kept.fetch_add(KEPT_BYTES_MAX - 300, Relaxed);
        let freed = async {
            tokio::time::sleep(std::time::Duration::from_millis(freed_after)).await;
            rig.inlet.0.kept.fetch_sub(KEPT_BYTES_MAX - 300, Relaxed);
        };
        tokio::join!(freed, rig.finish());
        let totals = rig.counters.events.totals();
        assert_eq!(totals.delivered, delivered);
        assert_eq!(totals.delivery_failures, 1 - delivered);
        assert_eq!(rig.records().len() as u64, delivered);
        if delivered == 1 {
            // After one second, and two more.
            let told = rig.told.lock().expect("the calls");
            assert_eq!(told[0].0.round(), 3.0);
        }
        assert!(clock.now().since(clock.started()) >= Span::from_secs(3));
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_too_large_is_not_told_twice() {
    let rig = rig(described(&telling()), |_| Reply::from(Outcome::Success)).await;
    let event = Bytes::from(format!("\"{}\"", "x".repeat((1 << 20) - 10)));
    rig.inlet
        .accept("f", REQUEST, event)
        .expect("the event itself is small enough");
    let totals = rig.finish().await;
    assert_eq!((totals.delivered, totals.delivery_failures), (0, 1));
}
