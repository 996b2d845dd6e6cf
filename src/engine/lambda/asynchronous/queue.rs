//! The queue of one function, version or alias.

use super::AsyncTuning;
use super::outcome::{AsyncCondition, AsyncFact, AsyncOutcome, DeadLetter, Ended};
use crate::engine::config::EventInvokeConfig;
use crate::engine::{Rng, Span, Time, retry};
use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};

/// The asynchronous events of one function, version or alias, from their acceptance to their end.
///
/// `E` identifies an event; the queue keeps about 16 bytes for each besides. The order of calls:
///
/// 1. One input: [`accept`](Self::accept), [`answered`](Self::answered), [`stop`](Self::stop), or
///    [`tick`](Self::tick) when the wake-up is due.
/// 2. [`poll_invoke`](Self::poll_invoke) for as long as the function has free concurrency and it returns something. Every
///    [`Attempt`] goes back through `answered`, at once or later. When concurrency becomes free for another reason than
///    an answer, begin with this step.
/// 3. [`poll_fact`](Self::poll_fact) until it returns nothing.
/// 4. [`next_wake`](Self::next_wake) says when `tick` is wanted. Nothing happens before unless there is an input.
///
/// `now` never goes back. There is no clock inside, and the only randomness is the argument of `accept`.
///
/// ```
/// use tidegate::engine::config::EventInvokeConfig;
/// use tidegate::engine::lambda::{AsyncCondition, AsyncFact, AsyncOutcome, AsyncTuning, EventQueue};
/// use tidegate::engine::{Rng, Time};
///
/// let mut queue = EventQueue::new(&EventInvokeConfig::default(), AsyncTuning::default());
/// let rng = &mut Rng::stream(7, "duplicates");
/// queue.accept(Time::ZERO, "welcome mail", rng);
/// // The function fails three times: at once, a minute later, and two minutes after that.
/// for due in [0, 60, 180] {
///     let now = Time::from_secs(due);
///     queue.tick(now);
///     let attempt = queue.poll_invoke(now).expect("the event is due");
///     queue.answered(now, attempt, AsyncOutcome::FunctionError);
/// }
/// let facts: Vec<_> = std::iter::from_fn(|| queue.poll_fact()).collect();
/// let Some(AsyncFact::Ended(end)) = facts.last() else {
///     panic!("the event is over");
/// };
/// assert_eq!((end.condition, end.invoke_count), (AsyncCondition::RetriesExhausted, 3));
/// // Nobody is told: there is no destination.
/// assert!(!end.to_destination && end.dead_letter.is_none());
/// assert_eq!(queue.next_wake(), None);
/// ```
#[derive(Debug)]
pub struct EventQueue<E> {
    rules: Rules,
    tuning: AsyncTuning,
    now: Time,
    /// Never tried, or copies of such: in the order of their acceptance.
    fresh: VecDeque<Queued<E>>,
    /// Tried before and due again: by their acceptance.
    ready: BinaryHeap<Reverse<Keyed<E>>>,
    /// Tried before and not due yet: by the time of their next try, always before they are too old.
    waiting: BinaryHeap<Reverse<Keyed<E>>>,
    order: u64,
    in_flight: u64,
    hold: Option<Hold>,
    is_stopped: bool,
    facts: VecDeque<AsyncFact<E>>,
}

/// What the queue needs of its configuration.
#[derive(Clone, Copy, Debug)]
struct Rules {
    retries: u8,
    age: Span,
    on_success: bool,
    on_failure: bool,
    dead_letter: bool,
}

/// After a refusal: no more at work than there was, until then.
#[derive(Clone, Copy, Debug)]
struct Hold {
    in_flight: u64,
    until: Time,
}

/// An event and what it has been through.
#[derive(Clone, Copy, Debug)]
struct Queued<E> {
    event: E,
    accepted: Time,
    tries: u8,
    refusals: u8,
    is_duplicate: bool,
    last: Option<AsyncOutcome>,
}

/// An event in a heap: by time, and among equals by the order of insertion.
#[derive(Debug)]
struct Keyed<E> {
    key: Time,
    order: u64,
    queued: Queued<E>,
}

impl<E> PartialEq for Keyed<E> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<E> Eq for Keyed<E> {}

impl<E> PartialOrd for Keyed<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Keyed<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.key, self.order).cmp(&(other.key, other.order))
    }
}

/// An event that is handed over to be invoked; give it back with [`EventQueue::answered`].
#[derive(Debug)]
#[must_use = "an attempt that is not answered is an event that is lost"]
pub struct Attempt<E>(Queued<E>);

impl<E: Copy> Attempt<E> {
    /// Which event.
    pub const fn event(&self) -> E {
        self.0.event
    }

    /// When it was accepted; AsyncEventAge is the time since.
    pub const fn accepted(&self) -> Time {
        self.0.accepted
    }

    /// Which try this is, from 1; refused ones do not count.
    pub fn number(&self) -> u32 {
        u32::from(self.0.tries) + 1
    }

    /// This is a copy that the queue made by itself.
    pub const fn is_duplicate(&self) -> bool {
        self.0.is_duplicate
    }
}

impl<E: Copy> EventQueue<E> {
    /// An empty queue.
    pub fn new(config: &EventInvokeConfig, tuning: AsyncTuning) -> Self {
        Self {
            rules: Rules {
                retries: config.maximum_retry_attempts,
                age: config.maximum_event_age,
                on_success: config.on_success.is_some(),
                on_failure: config.on_failure.is_some(),
                dead_letter: config.dead_letter.is_some(),
            },
            tuning,
            now: Time::ZERO,
            fresh: VecDeque::new(),
            ready: BinaryHeap::new(),
            waiting: BinaryHeap::new(),
            order: 0,
            in_flight: 0,
            hold: None,
            is_stopped: false,
            facts: VecDeque::new(),
        }
    }

    /// Takes an event from its caller, who is told 202. Rules `async-zero-reserved-concurrency`, `async-duplicates`.
    pub fn accept(&mut self, now: Time, event: E, rng: &mut Rng) {
        self.advance(now);
        let queued = Queued {
            event,
            accepted: now,
            tries: 0,
            refusals: 0,
            is_duplicate: false,
            last: None,
        };
        if self.is_stopped {
            self.end(queued, AsyncCondition::ZeroReservedConcurrency);
            return;
        }
        self.fresh.push_back(queued);
        if rng.chance(self.tuning.duplicates) {
            self.facts.push_back(AsyncFact::Duplicated(event));
            self.fresh.push_back(Queued {
                is_duplicate: true,
                ..queued
            });
        }
    }

    /// The function's reserved concurrency became 0, or is so no more. Rule `async-zero-reserved-concurrency`: whatever
    /// is in the queue then is over.
    pub fn stop(&mut self, now: Time, is_stopped: bool) {
        self.advance(now);
        self.is_stopped = is_stopped;
        if !is_stopped {
            return;
        }
        while let Some(queued) = self.pop_oldest() {
            self.end(queued, AsyncCondition::ZeroReservedConcurrency);
        }
        while let Some(Reverse(keyed)) = self.waiting.pop() {
            self.end(keyed.queued, AsyncCondition::ZeroReservedConcurrency);
        }
    }

    /// Lets time pass: events become due, or too old.
    pub fn tick(&mut self, now: Time) {
        self.advance(now);
        while self.waiting.peek().is_some_and(|next| next.0.key <= now) {
            if let Some(Reverse(due)) = self.waiting.pop() {
                self.ready.push(Reverse(Keyed {
                    key: due.queued.accepted,
                    ..due
                }));
            }
        }
        // Rule `async-age-in-queue`
        while let Some(accepted) = self.oldest()
            && now.since(accepted) >= self.rules.age
        {
            if let Some(queued) = self.pop_oldest() {
                self.end(queued, AsyncCondition::EventAgeExceeded);
            }
        }
    }

    /// The event to invoke next. To be called only while the function has free concurrency, as far as that is known.
    ///
    /// Rule `async-fifo`: events go in the order of their acceptance, and one that came back has its old place.
    pub fn poll_invoke(&mut self, now: Time) -> Option<Attempt<E>> {
        self.tick(now);
        if self.is_held() {
            return None;
        }
        let queued = self.pop_oldest()?;
        self.in_flight += 1;
        Some(Attempt(queued))
    }

    /// An invocation ended, or was refused.
    ///
    /// Rules `async-retry-waits`, `async-throttle-backoff`, `async-missing-target-spends-tries`, `async-reader-holds`.
    ///
    /// # Panics
    /// When no attempt is out: it is another queue's.
    pub fn answered(&mut self, now: Time, attempt: Attempt<E>, outcome: AsyncOutcome) {
        self.advance(now);
        assert!(self.in_flight > 0, "an attempt of another queue");
        self.in_flight -= 1;
        let mut queued = attempt.0;
        queued.last = Some(outcome);
        match outcome {
            AsyncOutcome::Success => {
                queued.tries += 1;
                self.end(queued, AsyncCondition::Success);
            }
            AsyncOutcome::FunctionError | AsyncOutcome::Missing => {
                queued.tries += 1;
                if queued.tries > self.rules.retries {
                    self.end(queued, AsyncCondition::RetriesExhausted);
                    return;
                }
                let wait = self.tuning.retry_waits[usize::from(queued.tries) - 1];
                self.come_back(now, queued, wait, true);
            }
            AsyncOutcome::Throttled(_) | AsyncOutcome::ServiceError(_) => {
                if matches!(outcome, AsyncOutcome::Throttled(_)) {
                    self.hold = Some(Hold {
                        in_flight: self.in_flight,
                        until: now + self.tuning.reader_pause,
                    });
                }
                queued.refusals = queued.refusals.saturating_add(1);
                let wait = retry::backoff(
                    self.tuning.backoff_first,
                    self.tuning.backoff_max,
                    u32::from(queued.refusals),
                );
                self.come_back(now, queued, wait, false);
            }
        }
    }

    /// Something that happened.
    pub fn poll_fact(&mut self) -> Option<AsyncFact<E>> {
        self.facts.pop_front()
    }

    /// When [`tick`](Self::tick) is wanted, if ever: an event becomes due or too old, or the reader may try more.
    pub fn next_wake(&self) -> Option<Time> {
        let due = self.waiting.peek().map(|next| next.0.key);
        let oldest = self.oldest();
        let expiry = oldest.map(|accepted| accepted + self.rules.age);
        let hold = self
            .hold
            .filter(|hold| oldest.is_some() && self.in_flight >= hold.in_flight);
        let resume = hold
            .map(|hold| hold.until)
            .filter(|until| *until > self.now);
        [due, expiry, resume].into_iter().flatten().min()
    }

    /// Events that are neither over nor at work.
    pub fn backlog(&self) -> usize {
        self.fresh.len() + self.ready.len() + self.waiting.len()
    }

    /// Events at work.
    pub const fn in_flight(&self) -> u64 {
        self.in_flight
    }

    fn advance(&mut self, now: Time) {
        assert!(now >= self.now, "time went back");
        self.now = now;
    }

    /// Rule `async-age-looks-ahead`: an event that would be too old at its next try is over at once.
    fn come_back(&mut self, now: Time, queued: Queued<E>, wait: Span, is_retry: bool) {
        if self.is_stopped {
            self.end(queued, AsyncCondition::ZeroReservedConcurrency);
            return;
        }
        let due = now + wait;
        if due.since(queued.accepted) >= self.rules.age {
            self.end(queued, AsyncCondition::EventAgeExceeded);
            return;
        }
        let event = queued.event;
        self.order += 1;
        let order = self.order;
        self.waiting.push(Reverse(Keyed {
            key: due,
            order,
            queued,
        }));
        self.facts.push_back(AsyncFact::Returned {
            event,
            due,
            is_retry,
        });
    }

    /// Rule `async-destination-and-dead-letter`
    fn end(&mut self, queued: Queued<E>, condition: AsyncCondition) {
        let last = match condition {
            AsyncCondition::ZeroReservedConcurrency => None,
            _ => queued.last,
        };
        let failed = condition != AsyncCondition::Success;
        let to_destination = if failed {
            self.rules.on_failure
        } else {
            self.rules.on_success
        };
        let dead_letter = (failed && self.rules.dead_letter).then(|| DeadLetter::after(last));
        self.facts.push_back(AsyncFact::Ended(Ended {
            event: queued.event,
            accepted: queued.accepted,
            condition,
            invoke_count: u32::from(queued.tries),
            last,
            is_duplicate: queued.is_duplicate,
            to_destination,
            dead_letter,
        }));
    }

    fn is_held(&mut self) -> bool {
        let Some(hold) = self.hold else {
            return false;
        };
        if self.now >= hold.until {
            self.hold = None;
            return false;
        }
        self.in_flight >= hold.in_flight
    }

    /// When the oldest event that could be invoked was accepted.
    fn oldest(&self) -> Option<Time> {
        let fresh = self.fresh.front().map(|queued| queued.accepted);
        let ready = self.ready.peek().map(|next| next.0.key);
        fresh.into_iter().chain(ready).min()
    }

    fn pop_oldest(&mut self) -> Option<Queued<E>> {
        let fresh = self.fresh.front().map(|queued| queued.accepted);
        let ready = self.ready.peek().map(|next| next.0.key);
        match (fresh, ready) {
            (Some(fresh), Some(ready)) if ready <= fresh => {}
            (None, Some(_)) => {}
            _ => return self.fresh.pop_front(),
        }
        self.ready.pop().map(|next| next.0.queued)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiting_event_costs_little_memory() {
        assert_eq!(size_of::<Queued<()>>(), 16);
        assert_eq!(size_of::<Keyed<()>>(), 32);
    }

    #[test]
    #[should_panic(expected = "an attempt of another queue")]
    fn an_attempt_goes_back_to_its_own_queue() {
        let config = EventInvokeConfig::default();
        let mut queues = [(); 2].map(|()| EventQueue::new(&config, AsyncTuning::default()));
        queues[0].accept(Time::ZERO, 'a', &mut Rng::stream(1, "none"));
        let attempt = queues[0].poll_invoke(Time::ZERO).expect("it is due");
        queues[1].answered(Time::ZERO, attempt, AsyncOutcome::Success);
    }
}
