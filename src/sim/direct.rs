//! Direct callers: their calls, how long they wait for answers, and when they try again.

use super::clients::Caller;
use super::tenants::TenantDraw;
use super::world::{Inner, Pending};
use crate::engine::lambda::FunctionId;
use crate::engine::{Rng, Span, Time};
use crate::scenario::{Jitter, Retry, Scenario, Traffic};

/// A call that may take several attempts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    traffic: u32,
    /// Index of the function, which every attempt goes to.
    function: u32,
    /// Attempts made before this one.
    attempts: u32,
    /// The wait before this attempt, in microseconds as far as they fit: decorrelated jitter grows from it.
    waited_us: u32,
    /// When the first attempt was made.
    first: Time,
    /// Whom it is for; 0 where nobody is told apart.
    tenant: u64,
}

/// What a call needs to know of its traffic, in one cache line: there may be thousands of them.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct Route {
    /// The first function that it goes to, and how many there are.
    function: u32,
    spread: u32,
    alias: Option<usize>,
    /// How long a caller waits for the answer to an attempt.
    timeout: Option<Span>,
    /// Calls are made for tenants.
    for_tenants: bool,
    /// Clients of a closed loop wait for the answers.
    waits: bool,
}

impl Route {
    /// The first function that it goes to.
    #[inline]
    pub(super) const fn first(&self) -> FunctionId {
        FunctionId(self.function)
    }

    pub(super) fn all(scenario: &Scenario) -> Vec<Self> {
        let new = |traffic: &Traffic| Self {
            function: traffic.function as u32,
            spread: traffic.spread,
            alias: traffic.alias,
            timeout: traffic.timeout,
            for_tenants: traffic.tenants.is_some(),
            waits: traffic.clients.is_some(),
        };
        scenario.traffic.iter().map(new).collect()
    }
}

impl Inner<'_> {
    /// The next arrival of a traffic source happens now.
    #[inline]
    pub(super) fn arrive(&mut self, traffic: usize) {
        let next = self.traffic[traffic].next();
        self.next_traffic.advance(next);
        self.foresee_arrival();
        self.arrivals_used += 1;
        if let Some(queue) = self.event_queue(traffic) {
            self.accept_event(queue);
            return;
        }
        if self.routes[traffic].waits
            && let Some(clients) = &self.scenario.traffic[traffic].clients
            && !self.callers[traffic].join(clients.present(self.now.since(Time::ZERO)))
        {
            return;
        }
        let call = self.new_call(traffic, self.now);
        self.call(call);
    }

    /// A call whose first attempt is made at `first`, to one of the functions that the traffic is for.
    #[inline]
    fn new_call(&mut self, traffic: usize, first: Time) -> Call {
        let route = &self.routes[traffic];
        let picked = match route.spread {
            1 => 0,
            several => self.callers[traffic].pick(several),
        };
        let tenant = match route.for_tenants {
            true => self.tenants[traffic].as_mut().map_or(0, TenantDraw::next),
            false => 0,
        };
        Call {
            traffic: traffic as u32,
            function: route.function + picked,
            attempts: 0,
            waited_us: 0,
            first,
            tenant,
        }
    }

    /// Makes an attempt: one admission, and for an admitted call one completion in the calendar.
    #[inline]
    pub(super) fn call(&mut self, call: Call) {
        let route = self.routes[call.traffic as usize];
        let function = call.function as usize;
        self.recorders[function].attempted(call.attempts == 0);
        let admitted = if route.for_tenants {
            self.admit_tenant(function, call.tenant)
        } else {
            self.admit(function, route.alias)
        };
        let lease = match admitted {
            Ok(lease) => lease,
            Err(reason) => {
                self.recorders[function].throttled(reason);
                self.unanswered(call);
                return;
            }
        };
        let waited = self.now.since(call.first);
        let course = self.begin(&lease, waited, route.timeout, &[], false);
        let (busy, fate) = (course.busy(), course.fate());
        let ends = self.now + busy;
        let free = ends + course.lingers();
        if let Some(patience) = route.timeout.filter(|patience| busy > *patience) {
            // Rule `client-timeout-leaves-the-function`.
            self.schedule(free, Pending::CallEnds { lease, fate });
            self.schedule(self.now + patience, Pending::CallGivenUp(call));
            return;
        }
        let failed = course.end.is_error();
        if !failed {
            self.recorders[function].answered();
        }
        if free > ends {
            if failed {
                self.schedule(ends, Pending::CallGivenUp(call));
            } else if route.waits {
                self.schedule(ends, Pending::CallServed(call));
            }
            self.schedule(free, Pending::CallEnds { lease, fate });
            return;
        }
        let pending = if failed {
            Pending::CallFails { lease, fate, call }
        } else if route.waits {
            Pending::CallAnswered { lease, fate, call }
        } else {
            Pending::CallEnds { lease, fate }
        };
        self.schedule(ends, pending);
    }

    /// The attempt failed, was refused or took too long: schedules the next one, if the caller makes any.
    pub(super) fn unanswered(&mut self, call: Call) {
        let traffic = &self.scenario.traffic[call.traffic as usize];
        let recorder = &mut self.recorders[call.function as usize];
        let Some(retry) = traffic.retry.filter(|retry| call.attempts < retry.attempts) else {
            recorder.abandoned();
            self.client_free(call);
            return;
        };
        recorder.client_retry();
        let wait = wait(&retry, call, &mut self.retries);
        let again = Call {
            attempts: call.attempts + 1,
            waited_us: u32::try_from(wait.as_nanos() / 1_000).unwrap_or(u32::MAX),
            ..call
        };
        self.schedule(self.now + wait, Pending::Retry(again));
    }

    /// A call is over: in a closed loop its client thinks, and calls again unless it is to leave.
    pub(super) fn client_free(&mut self, call: Call) {
        let traffic = call.traffic as usize;
        let Some(clients) = &self.scenario.traffic[traffic].clients else {
            return;
        };
        let caller: &mut Caller = &mut self.callers[traffic];
        if let Some(thinks) = caller.think(clients.present(self.now.since(Time::ZERO))) {
            let at = self.now + thinks;
            let next = self.new_call(traffic, at);
            self.schedule(at, Pending::Retry(next));
        }
    }
}

/// How long a caller waits before its next attempt (rule `client-backoff-jitter`).
fn wait(retry: &Retry, call: Call, rng: &mut Rng) -> Span {
    let longest = retry
        .backoff_first
        .times(1u64 << call.attempts.min(63))
        .min(retry.backoff_max);
    let mut up_to = |span: Span| Span::from_nanos(rng.below(span.as_nanos() + 1));
    match retry.jitter {
        Jitter::None => longest,
        Jitter::Full => up_to(longest),
        Jitter::Equal => {
            let half = Span::from_nanos(longest.as_nanos() / 2);
            half + up_to(half)
        }
        Jitter::Decorrelated => {
            let before = Span::from_micros(u64::from(call.waited_us)).max(retry.backoff_first);
            let grown = retry.backoff_first + up_to(before.times(3) - retry.backoff_first);
            grown.min(retry.backoff_max)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(jitter: Jitter) -> Vec<(u64, u64)> {
        let retry = Retry {
            attempts: 9,
            backoff_first: Span::from_millis(100),
            backoff_max: Span::from_millis(1_000),
            jitter,
        };
        let mut rng = Rng::stream(1, "waits");
        let mut waited = vec![(u64::MAX, 0); 6];
        for _ in 0..10_000 {
            let mut call = Call {
                traffic: 0,
                function: 0,
                attempts: 0,
                waited_us: 0,
                tenant: 0,
                first: Time::ZERO,
            };
            for (low, high) in &mut waited {
                let next = wait(&retry, call, &mut rng);
                let millis = next.as_nanos() / 1_000_000;
                (*low, *high) = ((*low).min(millis), (*high).max(millis));
                call.attempts += 1;
                call.waited_us = (next.as_nanos() / 1_000) as u32;
            }
        }
        waited
    }

    #[test]
    fn client_backoff_jitter() {
        let doubled = [100, 200, 400, 800, 1_000, 1_000];
        for (retry, longest) in doubled.into_iter().enumerate() {
            let (low, high) = waits(Jitter::None)[retry];
            assert_eq!((low, high), (longest, longest));
            let (low, high) = waits(Jitter::Full)[retry];
            assert!(low <= longest / 50 && high >= longest * 98 / 100 && high <= longest);
            let (low, high) = waits(Jitter::Equal)[retry];
            assert!(low >= longest / 2 && low <= longest * 52 / 100);
            assert!(high >= longest * 98 / 100 && high <= longest);
        }
        // From the first wait to three times the one before, whatever the number of the attempt.
        let decorrelated = waits(Jitter::Decorrelated);
        assert!(
            decorrelated
                .iter()
                .all(|(low, _)| (100..=110).contains(low))
        );
        let highest: Vec<u64> = decorrelated.iter().map(|(_, high)| *high).collect();
        assert!((295..=300).contains(&highest[0]), "{highest:?}");
        assert!((800..=900).contains(&highest[1]), "{highest:?}");
        assert_eq!(highest[3..], [1_000; 3]);
    }
}
