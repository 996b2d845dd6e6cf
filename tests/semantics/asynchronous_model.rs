//! Random queues of asynchronous events against an interpreter that shares no code with the engine.

use proptest::prelude::*;
use tidegate::engine::config::EventInvokeParameters;
use tidegate::engine::lambda::{
    AsyncCondition, AsyncFact, AsyncOutcome, AsyncTuning, Attempt, EventQueue, ThrottleReason,
};
use tidegate::engine::{Rng, Time};

/// What the world does, in nanoseconds.
#[derive(Clone, Debug)]
struct Script {
    retries: u8,
    age_s: u64,
    /// Concurrency that the reader knows of.
    room: usize,
    /// When each event comes, all different.
    arrivals: Vec<u64>,
    /// How long and how each attempt of an event goes, refusals included; the last one again and again.
    attempts: Vec<Vec<(u64, Answer)>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Answer {
    Good,
    Bad,
    Gone,
    /// At once, whatever the duration.
    Refused,
    Broken,
}

impl Script {
    fn attempt(&self, event: usize, number: usize) -> (u64, Answer) {
        let all = &self.attempts[event];
        all[number.min(all.len() - 1)]
    }
}

/// Everything that can be seen from outside: hand-overs, then ends with condition and count, by time.
type Seen = (Vec<(u64, usize)>, Vec<(u64, usize, &'static str, u32)>);

/// The engine's queue in a scripted world.
fn by_engine(script: &Script) -> Seen {
    let parameters = EventInvokeParameters {
        maximum_retry_attempts: Some(script.retries.into()),
        maximum_event_age_in_seconds: Some(script.age_s as i64),
        ..EventInvokeParameters::default()
    };
    let config = parameters.check("f").expect("in range");
    let mut queue = EventQueue::new(&config, AsyncTuning::default());
    let mut rng = Rng::stream(1, "none");
    let mut made = vec![0; script.arrivals.len()];
    let mut arrivals = script.arrivals.iter().copied().enumerate().peekable();
    let mut running: Vec<(u64, Attempt<usize>, Answer)> = Vec::new();
    let (mut handed, mut ended) = (Vec::new(), Vec::new());
    loop {
        let next = [
            arrivals.peek().map(|(_, at)| *at),
            running.iter().map(|(at, ..)| *at).min(),
            queue.next_wake().map(Time::as_nanos),
        ];
        let Some(at) = next.into_iter().flatten().min() else {
            break;
        };
        let now = Time::from_nanos(at);
        while let Some(done) = running.iter().position(|(ends, ..)| *ends == at) {
            let (_, attempt, answer) = running.swap_remove(done);
            queue.answered(now, attempt, outcome(answer));
        }
        if let Some((event, _)) = arrivals.next_if(|(_, arrives)| *arrives == at) {
            queue.accept(now, event, &mut rng);
        }
        queue.tick(now);
        while running.len() < script.room
            && let Some(attempt) = queue.poll_invoke(now)
        {
            let event = attempt.event();
            let (lasts, answer) = script.attempt(event, made[event]);
            made[event] += 1;
            handed.push((at, event));
            if answer == Answer::Refused {
                queue.answered(now, attempt, outcome(answer));
            } else {
                running.push((at + lasts, attempt, answer));
            }
        }
        while let Some(fact) = queue.poll_fact() {
            if let AsyncFact::Ended(end) = fact {
                ended.push((at, end.event, end.condition.name(), end.invoke_count));
            }
        }
    }
    assert_eq!((queue.backlog(), queue.in_flight()), (0, 0));
    ended.sort_unstable();
    (handed, ended)
}

fn outcome(answer: Answer) -> AsyncOutcome {
    match answer {
        Answer::Good => AsyncOutcome::Success,
        Answer::Bad => AsyncOutcome::FunctionError,
        Answer::Gone => AsyncOutcome::Missing,
        Answer::Refused => {
            AsyncOutcome::Throttled(ThrottleReason::ConcurrentInvocationLimitExceeded)
        }
        Answer::Broken => AsyncOutcome::ServiceError(500),
    }
}

#[derive(Clone, Copy, Debug)]
enum State {
    Unborn,
    Due(u64),
    Running(u64, Answer),
    Over(AsyncCondition),
}

/// The same by looking at every event at every step.
fn by_hand(script: &Script) -> Seen {
    const SECOND: u64 = 1_000_000_000;
    let count = script.arrivals.len();
    let mut states = vec![State::Unborn; count];
    let (mut made, mut tries, mut refused) = (vec![0; count], vec![0u32; count], vec![0u32; count]);
    let (mut handed, mut ended) = (Vec::new(), Vec::new());
    // After a refusal: how many may be at work, and until when.
    let mut ceiling: Option<(usize, u64)> = None;
    let mut now = 0u64;
    let limit = script.age_s * SECOND;
    loop {
        let at_work = |states: &[State]| {
            let running = states
                .iter()
                .filter(|state| matches!(state, State::Running(..)));
            running.count()
        };
        let old = |event: usize| script.arrivals[event] + limit;
        let mut later = Vec::new();
        for (event, state) in states.iter().enumerate() {
            match *state {
                State::Unborn => later.push(script.arrivals[event]),
                State::Due(at) => later.extend([at, old(event)]),
                State::Running(ends, _) => later.push(ends),
                State::Over(_) => {}
            }
        }
        later.extend(ceiling.map(|(_, until)| until));
        let Some(next) = later.into_iter().filter(|at| *at > now).min() else {
            break;
        };
        now = next;
        // What becomes of an event that is to come back after `wait`.
        let back = |event: usize, wait: u64| {
            let due = now + wait;
            if due < old(event) {
                State::Due(due)
            } else {
                State::Over(AsyncCondition::EventAgeExceeded)
            }
        };
        let doubled = |refusals: u32| (1u64 << (refusals - 1).min(20)).min(300) * SECOND;
        for event in 0..count {
            let next = match states[event] {
                State::Unborn if script.arrivals[event] == now => State::Due(now),
                State::Due(at) if at <= now && old(event) <= now => {
                    State::Over(AsyncCondition::EventAgeExceeded)
                }
                State::Running(ends, answer) if ends == now => match answer {
                    Answer::Good => {
                        tries[event] += 1;
                        State::Over(AsyncCondition::Success)
                    }
                    Answer::Bad | Answer::Gone => {
                        tries[event] += 1;
                        if tries[event] > u32::from(script.retries) {
                            State::Over(AsyncCondition::RetriesExhausted)
                        } else {
                            back(event, u64::from(tries[event]) * 60 * SECOND)
                        }
                    }
                    Answer::Broken | Answer::Refused => {
                        refused[event] += 1;
                        back(event, doubled(refused[event]))
                    }
                },
                as_it_was => as_it_was,
            };
            if let State::Over(why) = next
                && !matches!(states[event], State::Over(_))
            {
                ended.push((now, event, why.name(), tries[event]));
            }
            states[event] = next;
        }
        // Events arrive in the order of their numbers, so the first that is due is the oldest.
        while at_work(&states) < script.room {
            ceiling = ceiling.filter(|(_, until)| now < *until);
            if ceiling.is_some_and(|(most, _)| at_work(&states) >= most) {
                break;
            }
            let due = |state: &State| matches!(state, State::Due(at) if *at <= now);
            let Some(event) = states.iter().position(due) else {
                break;
            };
            let (lasts, answer) = script.attempt(event, made[event]);
            made[event] += 1;
            handed.push((now, event));
            if answer == Answer::Refused {
                ceiling = Some((at_work(&states), now + SECOND));
                refused[event] += 1;
                states[event] = back(event, doubled(refused[event]));
                if let State::Over(why) = states[event] {
                    ended.push((now, event, why.name(), tries[event]));
                }
            } else {
                states[event] = State::Running(now + lasts, answer);
            }
        }
    }
    ended.sort_unstable();
    (handed, ended)
}

fn scripts() -> impl Strategy<Value = Script> {
    let answer = prop_oneof![
        4 => Just(Answer::Good),
        3 => Just(Answer::Bad),
        1 => Just(Answer::Gone),
        3 => Just(Answer::Refused),
        1 => Just(Answer::Broken),
    ];
    // From a moment to longer than the shortest age.
    let lasts = prop_oneof![1..1_000u64, 1..90_000_000_000u64];
    let attempts = prop::collection::vec((lasts, answer), 1..6);
    let gap = prop_oneof![1..10u64, 1..500_000_000u64, 1..40_000_000_000u64];
    let events = prop::collection::vec((gap, attempts), 1..25);
    let age = prop_oneof![Just(60u64), 60..300u64, Just(21_600u64)];
    (0..3u8, age, 1..5usize, events).prop_map(|(retries, age_s, room, events)| {
        let mut at = 0;
        let arrivals = events.iter().map(|(gap, _)| {
            at += gap;
            at
        });
        Script {
            retries,
            age_s,
            room,
            arrivals: arrivals.collect(),
            attempts: events.into_iter().map(|(_, attempts)| attempts).collect(),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Both see the same hand-overs and the same ends at the same instants, and each event ends exactly once.
    #[test]
    fn every_event_ends_once_as_the_interpreter_says(script in scripts()) {
        let (handed, ended) = by_engine(&script);
        let mut events: Vec<usize> = ended.iter().map(|(_, event, ..)| *event).collect();
        events.sort_unstable();
        prop_assert_eq!(events, (0..script.arrivals.len()).collect::<Vec<_>>());
        prop_assert_eq!((handed, ended), by_hand(&script));
    }
}
