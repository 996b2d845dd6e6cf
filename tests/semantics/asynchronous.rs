//! The queue of asynchronous events, minute by minute. Tests have the names of the rules that they show.

use tidegate::engine::config::{DestinationConfig, EventInvokeConfig, EventInvokeParameters};
use tidegate::engine::lambda::{
    AccountLimits, AsyncCondition, AsyncFact, AsyncOutcome, AsyncTuning, Attempt, DeadLetter,
    Ended, EventQueue, Fate, FunctionId, FunctionLimits, Lambda, PayloadTooLarge, Reuse,
    ThrottleReason, check_payload,
};
use tidegate::engine::{Profile, Ratio, Rng, Span, Time};

use AsyncCondition::{EventAgeExceeded, RetriesExhausted, Success, ZeroReservedConcurrency};
use AsyncOutcome::{FunctionError, Missing, ServiceError, Throttled};

const REFUSED: AsyncOutcome = Throttled(ThrottleReason::ConcurrentInvocationLimitExceeded);

/// A queue whose functions answer at once, and all that happened to it.
struct Bench {
    queue: EventQueue<u32>,
    rng: Rng,
    ended: Vec<(u64, Ended<u32>)>,
}

fn config(retries: i64, age_s: i64) -> EventInvokeConfig {
    let parameters = EventInvokeParameters {
        maximum_retry_attempts: Some(retries),
        maximum_event_age_in_seconds: Some(age_s),
        ..EventInvokeParameters::default()
    };
    parameters.check("f").expect("in range")
}

fn bench(config: &EventInvokeConfig) -> Bench {
    tuned(config, AsyncTuning::default())
}

fn tuned(config: &EventInvokeConfig, tuning: AsyncTuning) -> Bench {
    Bench {
        queue: EventQueue::new(config, tuning),
        rng: Rng::stream(1, "duplicates"),
        ended: Vec::new(),
    }
}

fn secs(time: Time) -> u64 {
    time.as_millis() / 1_000
}

impl Bench {
    fn accept(&mut self, at: u64, event: u32) {
        self.queue.accept(Time::from_secs(at), event, &mut self.rng);
        self.collect(at);
    }

    fn collect(&mut self, at: u64) {
        while let Some(fact) = self.queue.poll_fact() {
            if let AsyncFact::Ended(end) = fact {
                self.ended.push((at, end));
            }
        }
    }

    fn take(&mut self, at: u64) -> Option<Attempt<u32>> {
        self.queue.poll_invoke(Time::from_secs(at))
    }

    fn answer(&mut self, at: u64, attempt: Attempt<u32>, outcome: AsyncOutcome) {
        self.queue.answered(Time::from_secs(at), attempt, outcome);
        self.collect(at);
    }

    /// Follows the wake-ups until nothing is left, with the same answer to everything after `busy_ms`; returns the
    /// seconds at which events were handed over.
    fn run(&mut self, from: u64, busy_ms: u64, outcome: AsyncOutcome) -> Vec<(u64, u32)> {
        let mut handed = Vec::new();
        let mut now = Time::from_secs(from);
        loop {
            self.queue.tick(now);
            while let Some(attempt) = self.queue.poll_invoke(now) {
                handed.push((secs(now), attempt.event()));
                now += Span::from_millis(busy_ms);
                self.queue.answered(now, attempt, outcome);
            }
            self.collect(secs(now));
            match self.queue.next_wake() {
                Some(wake) => now = wake,
                None => return handed,
            }
        }
    }

    /// The only end: its second, condition and count.
    fn end(&self) -> (u64, AsyncCondition, u32) {
        let [(at, end)] = self.ended[..] else {
            panic!("{:?}", self.ended);
        };
        (at, end.condition, end.invoke_count)
    }
}

#[test]
fn async_retry_waits() {
    let mut bench = bench(&EventInvokeConfig::default());
    bench.accept(10, 0);
    // One minute after the first failure, two minutes after the second.
    let handed = bench.run(10, 0, FunctionError);
    assert_eq!(handed, [(10, 0), (70, 0), (190, 0)]);
    assert_eq!(bench.end(), (190, RetriesExhausted, 3));
    for (retries, count) in [(0, 1), (1, 2)] {
        let mut bench = self::bench(&config(retries, 21_600));
        bench.accept(0, 0);
        assert_eq!(bench.run(0, 0, FunctionError).len() as u32, count);
        assert_eq!(bench.end().1, RetriesExhausted);
        assert_eq!(bench.end().2, count);
    }
    // The wait counts from the end of the try: 30 s of work, and a minute.
    let mut bench = self::bench(&EventInvokeConfig::default());
    bench.accept(0, 0);
    let handed = bench.run(0, 30_000, FunctionError);
    assert_eq!(handed, [(0, 0), (90, 0), (240, 0)]);
    assert_eq!(bench.end().0, 270);
}

#[test]
fn async_age_looks_ahead() {
    // Recorded: with 60 s there is no retry and the record comes at once; with 90 s there is one.
    for (age, ends, count) in [(60, 0, 1), (90, 60, 2), (180, 60, 2), (181, 180, 3)] {
        let mut bench = bench(&config(2, age));
        bench.accept(0, 0);
        bench.run(0, 0, FunctionError);
        let condition = if count == 3 {
            RetriesExhausted
        } else {
            EventAgeExceeded
        };
        assert_eq!(bench.end(), (ends, condition, count), "age {age}");
        assert_eq!(bench.ended[0].1.last, Some(FunctionError));
    }
}

#[test]
fn async_throttle_backoff() {
    for outcome in [REFUSED, ServiceError(503)] {
        let mut bench = bench(&config(0, 1_200));
        bench.accept(0, 0);
        let handed: Vec<u64> = bench.run(0, 0, outcome).iter().map(|one| one.0).collect();
        // 1, 2, 4 … 256 s, and then 300 s; the try at 1,111 s would be followed by one at 1,411 s.
        let expected = [0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 811, 1_111];
        assert_eq!(handed, expected);
        // No try was spent although there were none to spend.
        assert_eq!(bench.end(), (1_111, EventAgeExceeded, 0));
        assert_eq!(bench.ended[0].1.last, Some(outcome));
    }
}

#[test]
fn refusals_and_failures_are_counted_apart() {
    let mut bench = bench(&EventInvokeConfig::default());
    bench.accept(0, 0);
    let script = [
        (0, REFUSED),
        (1, FunctionError),
        (61, ServiceError(500)),
        (63, REFUSED),
        (67, FunctionError),
        (187, AsyncOutcome::Success),
    ];
    for (at, outcome) in script {
        assert_eq!(
            bench.queue.next_wake().is_some(),
            at > 0 || bench.queue.backlog() > 0
        );
        let attempt = bench.take(at).expect("due");
        assert!(bench.take(at).is_none());
        bench.answer(at, attempt, outcome);
    }
    assert_eq!(bench.end(), (187, Success, 3));
}

#[test]
fn async_missing_target_spends_tries() {
    for (retries, count) in [(0, 1), (1, 2)] {
        let mut bench = bench(&config(retries, 21_600));
        bench.accept(0, 0);
        bench.run(0, 0, Missing);
        assert_eq!(bench.end().1, RetriesExhausted);
        assert_eq!(bench.end().2, count);
        assert_eq!(bench.ended[0].1.last, Some(Missing));
    }
}

#[test]
fn async_zero_reserved_concurrency() {
    let mut bench = bench(&to_both(2));
    bench.accept(0, 1);
    bench.accept(0, 2);
    let running = bench.take(0).expect("free");
    let failing = bench.take(0).expect("free");
    bench.answer(1, failing, FunctionError);
    bench.accept(2, 3);
    bench.queue.stop(Time::from_secs(3), true);
    bench.collect(3);
    // What waits is over, whether it was tried or not; and so is what comes.
    bench.accept(4, 4);
    let ends: Vec<_> = bench
        .ended
        .iter()
        .map(|(at, end)| (*at, end.event, end.invoke_count))
        .collect();
    assert_eq!(ends, [(3, 3, 0), (3, 2, 1), (4, 4, 0)]);
    for (_, end) in &bench.ended {
        assert_eq!((end.condition, end.last), (ZeroReservedConcurrency, None));
        assert!(end.to_destination);
    }
    // What runs may still fail, and has no further try.
    bench.answer(5, running, FunctionError);
    assert_eq!(bench.ended[3].1.condition, ZeroReservedConcurrency);
    assert_eq!(bench.queue.next_wake(), None);
    bench.queue.stop(Time::from_secs(6), false);
    bench.accept(6, 5);
    assert!(bench.take(6).is_some());
}

#[test]
fn async_fifo() {
    let mut bench = bench(&EventInvokeConfig::default());
    for event in 0..3 {
        bench.accept(u64::from(event), event);
    }
    let first = bench.take(3).expect("free");
    assert_eq!(first.event(), 0);
    bench.answer(3, first, FunctionError);
    bench.accept(4, 3);
    // The concurrency is busy until 100 s. The event that failed is due since 63 s, and is the oldest again.
    let order: Vec<u32> = std::iter::from_fn(|| bench.take(100).map(|it| it.event())).collect();
    assert_eq!(order, [0, 1, 2, 3]);
}

#[test]
fn async_age_in_queue() {
    let mut bench = bench(&config(2, 60));
    bench.accept(0, 0);
    bench.accept(7, 1);
    // Nobody takes them. The wake-up is for the older one.
    assert_eq!(bench.queue.next_wake(), Some(Time::from_secs(60)));
    bench.queue.tick(Time::from_secs(60));
    bench.collect(60);
    assert_eq!(bench.end(), (60, EventAgeExceeded, 0));
    assert_eq!(bench.ended[0].1.last, None);
    assert_eq!(bench.queue.next_wake(), Some(Time::from_secs(67)));
    assert_eq!(bench.take(66).map(|it| it.event()), Some(1));
}

#[test]
fn async_reader_holds() {
    let mut bench = bench(&EventInvokeConfig::default());
    for event in 0..6 {
        bench.accept(0, event);
    }
    let a = bench.take(0).expect("free");
    let b = bench.take(0).expect("free");
    let refused = bench.take(0).expect("as far as the reader knows");
    bench.answer(0, refused, REFUSED);
    // Two are at work, and no third is tried for a second.
    assert!(bench.take(0).is_none());
    assert_eq!(bench.queue.next_wake(), Some(Time::from_secs(1)));
    // But what ends may be followed at once.
    bench.answer(0, a, AsyncOutcome::Success);
    let c = bench.take(0).expect("as many as there were");
    assert_eq!(c.event(), 3);
    assert!(bench.take(0).is_none());
    // After a second it tries more: the refused one first, since it is the oldest.
    assert_eq!(bench.take(1).map(|it| it.event()), Some(2));
    assert_eq!(bench.take(1).map(|it| it.event()), Some(4));
    bench.answer(1, b, AsyncOutcome::Success);
    bench.answer(1, c, AsyncOutcome::Success);
}

#[test]
fn async_duplicates() {
    let tuning = AsyncTuning {
        duplicates: Ratio::new(1, 100).expect("a chance"),
        ..AsyncTuning::default()
    };
    let mut bench = tuned(&EventInvokeConfig::default(), tuning);
    let mut doubled = 0;
    for event in 0..20_000 {
        bench.queue.accept(Time::ZERO, event, &mut bench.rng);
        while let Some(fact) = bench.queue.poll_fact() {
            assert_eq!(fact, AsyncFact::Duplicated(event));
            doubled += 1;
        }
    }
    assert!((140..260).contains(&doubled), "{doubled}");
    // Each copy is an event of its own: it is invoked, may fail, and comes to an end.
    let handed = bench.run(0, 0, FunctionError);
    assert_eq!(handed.len(), 3 * (20_000 + doubled));
    let copies = bench.ended.iter().filter(|(_, end)| end.is_duplicate);
    assert_eq!(copies.count(), doubled);
    assert_eq!(bench.ended.len(), 20_000 + doubled);
}

fn to_both(retries: i64) -> EventInvokeConfig {
    let arn = |name: &str| format!("arn:aws:sqs:eu-west-1:123456789012:{name}");
    let parameters = EventInvokeParameters {
        maximum_retry_attempts: Some(retries),
        destination_config: Some(DestinationConfig {
            on_success: None,
            on_failure: Some(arn("failed")),
        }),
        dead_letter_target_arn: Some(arn("dead")),
        ..EventInvokeParameters::default()
    };
    parameters.check("f").expect("standard queues")
}

#[test]
fn async_destination_and_dead_letter() {
    // Both are told of a failure, and neither of a success: there is no on-success destination.
    let mut bench = bench(&to_both(0));
    bench.accept(0, 0);
    bench.run(0, 0, AsyncOutcome::Success);
    bench.accept(1, 1);
    bench.run(1, 0, FunctionError);
    let told: Vec<_> = bench
        .ended
        .iter()
        .map(|(_, end)| (end.to_destination, end.dead_letter.is_some()))
        .collect();
    assert_eq!(told, [(false, false), (true, true)]);
}

#[test]
fn async_dead_letter_attributes() {
    let attributes = |outcome| {
        let mut bench = bench(&to_both(0));
        bench.accept(0, 0);
        bench.run(0, 0, outcome);
        bench.ended[0].1.dead_letter.expect("it failed")
    };
    let is = |error_code, error_message| DeadLetter {
        error_code,
        error_message,
    };
    // The message of the function's own error is the function's.
    assert_eq!(attributes(FunctionError), is(200, None));
    assert_eq!(attributes(REFUSED), is(429, Some("Rate Exceeded.")));
    assert_eq!(attributes(Missing).error_code, 404);
    assert_eq!(attributes(ServiceError(503)).error_code, 503);
}

#[test]
fn async_payload_limit() {
    assert_eq!(check_payload(Profile::Guide2021, 262_144), Ok(()));
    let refused = check_payload(Profile::Guide2021, 262_145);
    assert_eq!(refused, Err(PayloadTooLarge { max: 262_144 }));
    let text = refused.expect_err("too large").to_string();
    assert_eq!(
        text,
        "Request must be smaller than 262144 bytes for the InvokeFunction operation"
    );
    assert_eq!(check_payload(Profile::Current, 1_048_576), Ok(()));
    assert!(check_payload(Profile::Current, 1_048_577).is_err());
}

fn service(concurrency: u32, reserved: Option<u32>) -> Lambda {
    let account = AccountLimits {
        concurrency,
        caller_requests_per_sec: Some(1),
    };
    let function = FunctionLimits {
        reserved_concurrency: reserved,
        keep_alive: Span::from_secs(600),
        reuse: Reuse::MostRecent,
    };
    let growth = Profile::Current.growth(0);
    Lambda::new(account, vec![function], growth, 1).expect("sound limits")
}

#[test]
fn async_no_request_rate() {
    // Ten requests a second are all that a direct caller gets of one reserved environment.
    let f = FunctionId(0);
    let now = Time::from_secs(1);
    let mut lambda = service(200, Some(1));
    for _ in 0..50 {
        let lease = lambda
            .admit_event(now, f, None)
            .expect("concurrency is free");
        lambda.finish(now, lease, Fate::Keep);
    }
    // And the caller's own allowance, one call a second here, is still there.
    let lease = lambda.admit(now, f).expect("nothing was used up");
    assert!(!lambda.has_room_for_event(now, f, None));
    assert_eq!(
        lambda.admit_event(now, f, None),
        Err(ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded)
    );
    lambda.finish(now, lease, Fate::Keep);
    assert_eq!(
        lambda.admit(now, f),
        Err(ThrottleReason::CallerRateLimitExceeded)
    );
    assert!(lambda.has_room_for_event(now, f, None));
}

#[test]
fn a_pool_shared_with_others_is_known_to_be_full_only_by_its_refusal() {
    let f = FunctionId(0);
    let mut lambda = service(2, None);
    let now = Time::from_secs(1);
    let _running = [(); 2].map(|()| lambda.admit_event(now, f, None).expect("two fit"));
    assert!(lambda.has_room_for_event(now, f, None));
    assert_eq!(
        lambda.admit_event(now, f, None),
        Err(ThrottleReason::ConcurrentInvocationLimitExceeded)
    );
}
