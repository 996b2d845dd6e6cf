//! What the service says to events that a queue hands over.

use super::super::bucket::Bucket;
use super::super::{AliasId, FunctionId, Lambda, Lease, ThrottleReason};
use crate::engine::{Span, Time};

/// The request rates that asynchronous events do not count against.
struct Rates {
    account: Bucket,
    function: Option<Bucket>,
    caller: Option<Bucket>,
}

/// More than anybody asks for within an instant.
fn unlimited() -> Bucket {
    Bucket::new(u32::MAX, u32::MAX, Span::from_nanos(1))
}

impl Lambda {
    /// Admits an event that was handed over by the queue of `function`, or of its alias. It needs concurrency as every
    /// request does. Rule `async-no-request-rate`: no request rate limits it, and it uses up none.
    ///
    /// # Errors
    /// The reason of the refusal, in AWS's names.
    pub fn admit_event(
        &mut self,
        now: Time,
        function: FunctionId,
        alias: Option<AliasId>,
    ) -> Result<Lease, ThrottleReason> {
        let rates = self.put_rates_aside(function);
        let lease = match alias {
            Some(alias) => self.admit_alias(now, alias),
            None => self.admit(now, function),
        };
        self.put_rates_back(function, rates);
        lease
    }

    /// Whether an event could be admitted as far as its own function is concerned. Of a function without a reservation
    /// that cannot be known: it shares the account's pool, which refuses when it is empty.
    pub fn has_room_for_event(
        &mut self,
        now: Time,
        function: FunctionId,
        alias: Option<AliasId>,
    ) -> bool {
        let f = &self.functions[function.0 as usize];
        let Some(reserved) = f.reserved else {
            return true;
        };
        if f.running < reserved.saturating_sub(f.claimed) {
            return true;
        }
        alias.is_some_and(|alias| {
            let state = self.provisioned(now, alias);
            state.in_use < state.allocated
        })
    }

    fn put_rates_aside(&mut self, function: FunctionId) -> Rates {
        let f = &mut self.functions[function.0 as usize];
        Rates {
            account: std::mem::replace(&mut self.requests, unlimited()),
            // Whether there is a bucket tells whether the function has a reservation.
            function: f
                .requests
                .as_mut()
                .map(|own| std::mem::replace(own, unlimited())),
            caller: self.caller.take(),
        }
    }

    fn put_rates_back(&mut self, function: FunctionId, rates: Rates) {
        self.requests = rates.account;
        self.functions[function.0 as usize].requests = rates.function;
        self.caller = rates.caller;
    }
}
