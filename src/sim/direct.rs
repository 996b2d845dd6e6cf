//! Direct callers: their arrivals, their invocations and their retries.

use super::tenants::TenantDraw;
use super::world::{Inner, Pending};
use crate::engine::{Span, Time};
use crate::scenario::Retry;

/// A call that may take several attempts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    traffic: u32,
    /// Attempts made before this one.
    attempts: u32,
    /// When the first attempt was made.
    first: Time,
    /// Whom it is for; 0 where nobody is told apart.
    tenant: u64,
}

impl Inner<'_> {
    /// The next arrival of a traffic source happens now.
    #[inline]
    pub(super) fn arrive(&mut self, traffic: usize) {
        let next = self.traffic[traffic].next();
        self.next_traffic.set(traffic, next);
        self.arrivals_used += 1;
        let tenant = self.tenants[traffic].as_mut().map_or(0, TenantDraw::next);
        self.call(Call {
            traffic: traffic as u32,
            attempts: 0,
            first: self.now,
            tenant,
        });
    }

    /// Makes an attempt: one admission, and for an admitted call one completion in the calendar.
    #[inline]
    pub(super) fn call(&mut self, call: Call) {
        let traffic = &self.scenario.traffic[call.traffic as usize];
        let function = traffic.function;
        let admitted = if traffic.tenants.is_some() {
            self.admit_tenant(function, call.tenant)
        } else {
            self.admit(function, traffic.alias)
        };
        let lease = match admitted {
            Ok(lease) => lease,
            Err(reason) => {
                self.recorders[function].throttled(reason);
                if traffic.retry.is_some() {
                    self.retry(call);
                }
                return;
            }
        };
        let waited = self.now.since(call.first);
        let course = self.begin(&lease, waited, &[], false);
        let ends = self.now + course.busy();
        let fate = course.fate();
        let tries_again = course.end.is_error() && traffic.retry.is_some();
        if course.lingers() > Span::ZERO {
            if tries_again {
                self.schedule(ends, Pending::CallAnswered(call));
            }
            self.schedule(ends + course.lingers(), Pending::CallEnds { lease, fate });
        } else if tries_again {
            self.schedule(ends, Pending::CallFails { lease, fate, call });
        } else {
            self.schedule(ends, Pending::CallEnds { lease, fate });
        }
    }

    /// The attempt failed or was refused: schedules the next one, if the caller makes any.
    pub(super) fn retry(&mut self, call: Call) {
        let traffic = &self.scenario.traffic[call.traffic as usize];
        let Some(retry) = traffic.retry.filter(|retry| call.attempts < retry.attempts) else {
            return;
        };
        self.recorders[traffic.function].client_retry();
        let wait = backoff(&retry, call.attempts);
        // Half of the wait is certain, half is drawn: callers that failed together do not return together.
        let half = Span::from_nanos(wait.as_nanos() / 2);
        let jitter = Span::from_nanos(self.retries.below(half.as_nanos() + 1));
        let again = Call {
            attempts: call.attempts + 1,
            ..call
        };
        self.schedule(self.now + half + jitter, Pending::Retry(again));
    }
}

fn backoff(retry: &Retry, attempts: u32) -> Span {
    retry
        .backoff_first
        .times(1u64 << attempts.min(63))
        .min(retry.backoff_max)
}
