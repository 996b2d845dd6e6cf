use super::*;
use crate::engine::Time;
use crate::scenario::{Dist, Keys};
use proptest::prelude::*;
use std::sync::Mutex as StdMutex;

fn bench(size: f64) -> Bench {
    Bench {
        mapping: 0,
        load: BenchLoad::Backlog { records: 1 },
        size: Dist::Constant(size),
        keys: Keys::Unique,
        shards: 1,
        existing: false,
        bare: false,
        seed: 1,
        sweep: Vec::new(),
    }
}

fn rate(per_sec: f64, poisson: bool, secs: u64) -> BenchLoad {
    BenchLoad::Rate {
        per_sec,
        poisson,
        warm_up: Span::ZERO,
        duration: Span::from_secs(secs),
    }
}

#[test]
fn records_say_their_number_and_have_their_size() {
    let maker = Maker::new(&bench(200.0), 0);
    for number in [0, 9, 12_345, PRIMERS] {
        let item = maker.item(number);
        assert_eq!(item.body.len(), 200);
        assert_eq!(number_of(item.body.as_bytes()), Some(number));
        let parsed: serde_json::Value = serde_json::from_str(&item.body).expect("JSON");
        assert_eq!(parsed["n"], number);
    }
    // A size that cannot hold the number is exceeded, so that no record is lost from sight.
    let short = Maker::new(&bench(1.0), 0).item(77);
    assert_eq!(number_of(short.body.as_bytes()), Some(77));
    assert_eq!(number_of(b"{\"m\":1}"), None);
    assert_eq!(number_of(b"{\"n\":1"), None);
}

#[test]
fn records_of_other_runs_are_not_taken_for_ones_own() {
    let (one, other) = (Maker::new(&bench(64.0), 1), Maker::new(&bench(64.0), 2));
    for number in [0, 5, PRIMERS + 3] {
        let shown = number_of(one.item(number).body.as_bytes()).expect("a number");
        assert_eq!((one.own(shown), other.own(shown)), (Some(number), None));
    }
}

#[test]
fn a_backlog_is_due_at_once() {
    let due = due_times(BenchLoad::Backlog { records: 3 }, 1);
    assert_eq!(due, [Span::ZERO; 3]);
}

#[test]
fn memoryless_gaps_have_their_mean() {
    let due = due_times(rate(1_000.0, true, 20), 3);
    assert!((19_500..20_500).contains(&due.len()), "{}", due.len());
    assert!(due.is_sorted());
    assert_eq!(due, due_times(rate(1_000.0, true, 20), 3));
    assert_ne!(due, due_times(rate(1_000.0, true, 20), 4));
}

proptest! {
    #[test]
    fn even_gaps_follow_from_number_and_rate(per_sec in 1.0_f64..5_000.0, secs in 1_u64..5) {
        let due = due_times(rate(per_sec, false, secs), 1);
        let expected = (per_sec * secs as f64).ceil() as usize;
        prop_assert!(due.len().abs_diff(expected) <= 1);
        for (number, due) in due.iter().enumerate() {
            let meant = number as f64 / per_sec * 1e9;
            prop_assert!((due.as_nanos() as f64 - meant).abs() <= 1.0);
        }
    }
}

/// Takes nothing before a moment.
struct Stalled {
    clock: Clock,
    until: Time,
    seen: StdMutex<Vec<u64>>,
}

impl Sink for Stalled {
    fn records_max(&self) -> usize {
        10
    }

    async fn write(&self, items: Vec<Item>) -> Result<Vec<Item>, String> {
        let wait = self.until.since(self.clock.now());
        tokio::time::sleep(wait.to_std()).await;
        let mut seen = self.seen.lock().expect("nobody panicked over it");
        seen.extend(items.iter().map(|item| item.number));
        Ok(Vec::new())
    }
}

#[tokio::test(start_paused = true)]
async fn a_stall_shows_in_every_record_that_was_due_meanwhile() {
    let clock = Clock::start();
    let start = clock.now();
    let stall = Span::from_secs(2);
    let sink = Arc::new(Stalled {
        clock,
        until: start + stall,
        seen: StdMutex::default(),
    });
    let due: Arc<[Span]> = due_times(rate(100.0, false, 4), 1).into();
    let maker = Arc::new(Maker::new(&bench(64.0), 7));
    let stop = Arc::new(AtomicBool::new(false));
    let written = run(&sink, &maker, &due, clock, start, &stop)
        .await
        .expect("written");
    let mut seen = sink.seen.lock().expect("nobody panicked over it").clone();
    seen.sort_unstable();
    assert_eq!(seen, (0..400).collect::<Vec<u64>>(), "each is written once");
    for (number, took) in written.took.iter().enumerate() {
        let waited = (start + stall).since(start + due[number]).as_nanos();
        // A generator that waited for answers would show one slow record; here each shows what was left of the stall.
        assert!(*took >= waited, "{number}: {took} below {waited}");
        // A timer is exact to a millisecond.
        assert!(
            *took <= waited + 20_000_000,
            "{number}: {took} above {waited}"
        );
    }
}

/// Refuses every record once.
#[derive(Default)]
struct Reluctant {
    refused: StdMutex<std::collections::BTreeSet<u64>>,
    taken: StdMutex<Vec<u64>>,
}

impl Sink for Reluctant {
    fn records_max(&self) -> usize {
        3
    }

    async fn write(&self, items: Vec<Item>) -> Result<Vec<Item>, String> {
        let mut refused = self.refused.lock().expect("nobody panicked over it");
        let (again, taken): (Vec<_>, Vec<_>) = items
            .into_iter()
            .partition(|item| refused.insert(item.number));
        let mut all = self.taken.lock().expect("nobody panicked over it");
        all.extend(taken.iter().map(|item| item.number));
        Ok(again)
    }
}

#[tokio::test]
async fn what_is_refused_is_written_again() {
    let clock = Clock::start();
    let sink = Arc::new(Reluctant::default());
    let due: Arc<[Span]> = due_times(BenchLoad::Backlog { records: 50 }, 1).into();
    let maker = Arc::new(Maker::new(&bench(64.0), 7));
    let stop = Arc::new(AtomicBool::new(false));
    let written = run(&sink, &maker, &due, clock, clock.now(), &stop).await;
    assert_eq!(written.expect("written").took.len(), 50);
    let mut taken = sink.taken.lock().expect("nobody panicked over it").clone();
    taken.sort_unstable();
    assert_eq!(taken, (0..50).collect::<Vec<u64>>());
}
