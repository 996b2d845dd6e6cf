//! What the service says to events that a queue hands over.

use super::super::{AliasId, FunctionId, Lambda, Lease, Rate, ThrottleReason};
use crate::engine::Time;

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
        match alias {
            Some(alias) => self.admit_by_alias(now, alias, Rate::Free),
            None => self.on_demand(now, function, (None, None), Rate::Free),
        }
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
}
