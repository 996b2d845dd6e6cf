//! Who saw which record when: read from the events that functions got.

use super::load::{Maker, PRIMERS, number_of};
use crate::engine::{Outcome, Span, Time};
use crate::poll::Delivery;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use tokio::sync::watch;

/// An invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) sent: Time,
    pub(crate) answered: Time,
    pub(crate) outcome: Outcome,
    /// Records of the load; those that open the way are not counted.
    pub(crate) records: u32,
    /// The record of the load that was due last.
    pub(crate) newest: Option<usize>,
}

/// Everything that was delivered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    /// When each record was first sent to the function.
    pub(crate) sent: Vec<Option<Time>>,
    /// When the function had answered for it, with success.
    pub(crate) answered: Vec<Option<Time>>,
    pub(crate) batches: Vec<Batch>,
    /// Records that were sent again.
    pub(crate) repeated: u64,
    /// How long the first invocation of all took, which begins with an initialisation if anything does.
    pub(crate) first: Option<Span>,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Records that only open the way, delivered.
    pub(crate) primers: u64,
    /// Records of the load that the function answered for.
    pub(crate) done: u64,
}

impl Ledger {
    pub(crate) fn new(records: usize) -> Self {
        Self {
            sent: vec![None; records],
            answered: vec![None; records],
            ..Self::default()
        }
    }

    /// Notes an invocation.
    pub(crate) fn enter(&mut self, delivery: &Delivery, maker: &Maker, progress: &mut Progress) {
        let took = delivery.answered.since(delivery.sent);
        self.first.get_or_insert(took);
        let mut batch = Batch {
            sent: delivery.sent,
            answered: delivery.answered,
            outcome: delivery.outcome,
            records: 0,
            newest: None,
        };
        let succeeded = delivery.outcome == Outcome::Success;
        for number in numbers(&delivery.event)
            .into_iter()
            .filter_map(|it| maker.own(it))
        {
            if number >= PRIMERS {
                progress.primers += u64::from(succeeded);
                continue;
            }
            let index = usize::try_from(number).unwrap_or(usize::MAX);
            // A number beyond the load is of somebody else's making.
            let (Some(sent), Some(answered)) =
                (self.sent.get_mut(index), self.answered.get_mut(index))
            else {
                continue;
            };
            self.repeated += u64::from(sent.is_some());
            // Deliveries come in the order of their ends: an earlier one may be told of later.
            *sent = Some(sent.map_or(delivery.sent, |before| before.min(delivery.sent)));
            if succeeded && answered.is_none() {
                *answered = Some(delivery.answered);
                progress.done += 1;
            }
            batch.records += 1;
            batch.newest = batch.newest.max(Some(index));
        }
        if batch.records > 0 {
            self.batches.push(batch);
        }
    }
}

/// Reads deliveries in a thread of its own until their sender is gone: what measures is not to take the time of what is
/// measured.
pub(crate) fn keep(
    records: usize,
    maker: Arc<Maker>,
    deliveries: mpsc::Receiver<Delivery>,
) -> std::io::Result<(JoinHandle<Ledger>, watch::Receiver<Progress>)> {
    let (told, progress) = watch::channel(Progress::default());
    let thread = std::thread::Builder::new().name("bench-ledger".to_owned());
    let keeper = thread.spawn(move || {
        let mut ledger = Ledger::new(records);
        let mut progress = Progress::default();
        for delivery in deliveries {
            ledger.enter(&delivery, &maker, &mut progress);
            told.send_replace(progress);
        }
        ledger
    })?;
    Ok((keeper, progress))
}

/// Only what is needed of an event of any source.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, rename = "Records", default)]
    list: Vec<Listed<'a>>,
    #[serde(borrow, default)]
    records: BTreeMap<Cow<'a, str>, Vec<Valued<'a>>>,
}

#[derive(Deserialize)]
struct Listed<'a> {
    #[serde(borrow, default)]
    body: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    kinesis: Option<Streamed<'a>>,
}

#[derive(Deserialize)]
struct Streamed<'a> {
    #[serde(borrow)]
    data: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Valued<'a> {
    #[serde(borrow, default)]
    value: Option<Cow<'a, str>>,
}

/// The numbers of the records in an event; what is not of our making has none.
fn numbers(event: &[u8]) -> Vec<u64> {
    let Ok(event) = serde_json::from_slice::<Event<'_>>(event) else {
        return Vec::new();
    };
    let plain = event.list.iter().filter_map(|record| {
        if let Some(body) = &record.body {
            return number_of(body.as_bytes());
        }
        encoded(&record.kinesis.as_ref()?.data)
    });
    let valued = event.records.values().flatten();
    let valued = valued.filter_map(|record| encoded(record.value.as_deref()?));
    plain.chain(valued).collect()
}

/// The number at the beginning of Base64; the rest need not be decoded.
fn encoded(data: &str) -> Option<u64> {
    const ENOUGH: usize = 48;
    let head = data.get(..ENOUGH).unwrap_or(data);
    number_of(&STANDARD.decode(head).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use serde_json::json;

    fn at(millis: u64) -> Time {
        Time::ZERO + Span::from_millis(millis)
    }

    fn maker() -> Maker {
        let bench = crate::scenario::Bench {
            mapping: 0,
            load: crate::scenario::BenchLoad::Backlog { records: 1 },
            size: crate::scenario::Dist::Constant(64.0),
            keys: crate::scenario::Keys::Unique,
            shards: 1,
            existing: false,
            bare: false,
            seed: 1,
            sweep: Vec::new(),
        };
        Maker::new(&bench, 0)
    }

    fn body(number: u64) -> String {
        format!("{{\"n\":{number},\"fill\":\"{}\"}}", ".".repeat(100))
    }

    fn delivery(event: &serde_json::Value, sent: u64, answered: u64, succeeded: bool) -> Delivery {
        Delivery {
            event: Bytes::from(event.to_string()),
            sent: at(sent),
            answered: at(answered),
            outcome: match succeeded {
                true => Outcome::Success,
                false => Outcome::FunctionError,
            },
        }
    }

    #[test]
    fn numbers_are_found_in_the_events_of_every_source() {
        let sqs =
            json!({"Records": [{"body": body(1)}, {"body": "somebody else's"}, {"body": body(2)}]});
        assert_eq!(numbers(sqs.to_string().as_bytes()), [1, 2]);
        let data = |number| STANDARD.encode(body(number));
        let kinesis =
            json!({"Records": [{"kinesis": {"data": data(7)}}, {"kinesis": {"data": "eA=="}}]});
        assert_eq!(numbers(kinesis.to_string().as_bytes()), [7]);
        let kafka = json!({"eventSource": "SelfManagedKafka", "records": {
            "t-0": [{"value": data(3)}, {"value": null}], "t-1": [{"value": data(PRIMERS)}],
        }});
        assert_eq!(numbers(kafka.to_string().as_bytes()), [3, PRIMERS]);
        assert_eq!(numbers(b"not an event"), Vec::<u64>::new());
    }

    #[test]
    fn the_first_sending_and_the_first_success_count() {
        let one = json!({"Records": [{"body": body(0)}, {"body": body(1)}]});
        let other = json!({"Records": [{"body": body(1)}, {"body": body(PRIMERS)}]});
        let (mut ledger, mut progress) = (Ledger::new(2), Progress::default());
        // Told of in the order of their ends.
        ledger.enter(&delivery(&other, 20, 30, true), &maker(), &mut progress);
        ledger.enter(&delivery(&one, 10, 40, false), &maker(), &mut progress);
        assert_eq!(ledger.sent, [Some(at(10)), Some(at(10))]);
        assert_eq!(ledger.answered, [None, Some(at(30))]);
        assert_eq!((progress.done, progress.primers), (1, 1));
        assert_eq!(ledger.repeated, 1);
        let sizes: Vec<u32> = ledger.batches.iter().map(|batch| batch.records).collect();
        assert_eq!(sizes, [1, 2]);
        ledger.enter(&delivery(&one, 50, 60, true), &maker(), &mut progress);
        assert_eq!(ledger.answered, [Some(at(60)), Some(at(30))]);
        assert_eq!(progress.done, 2);
    }

    #[test]
    fn numbers_beyond_the_load_are_nobodys() {
        let (mut ledger, mut progress) = (Ledger::new(2), Progress::default());
        let event = json!({"Records": [{"body": body(2)}]});
        ledger.enter(&delivery(&event, 0, 1, true), &maker(), &mut progress);
        assert_eq!(progress, Progress::default());
        assert!(ledger.batches.is_empty());
    }
}
