//! Looks at what the next events will need, while there is other work to do.
//!
//! With a thousand functions or with many events pending, what an event needs is seldom in the processor's nearest caches,
//! and each part would be waited for in its turn. Read beforehand and together, all of it comes at once.

use super::calendar::Entry;
use super::world::{Inner, Pending};
use crate::engine::lambda::FunctionId;
use std::hint::black_box;

/// Below this many functions, everything is in the nearest caches anyway.
const MANY: usize = 64;

impl Inner<'_> {
    /// Looks at the function that the next arrival will call.
    #[inline]
    pub(super) fn foresee_arrival(&self) {
        if self.functions.len() >= MANY {
            let (traffic, _) = self.next_traffic.first();
            let function = self.routes[traffic].first();
            black_box(self.traffic[traffic].glance());
            black_box(self.functions[function.0 as usize].glance());
            self.foresee(function);
        }
    }

    /// Looks at the events that are next in the calendar, once for each of them.
    #[inline]
    pub(super) fn foresee_events(&mut self) {
        if !self.calendar.take_fresh() {
            return;
        }
        for entry in self.calendar.front() {
            let function = self.function_of(*entry);
            if self.functions.len() >= MANY {
                self.foresee(function);
            } else {
                black_box(function);
            }
        }
    }

    #[inline]
    fn function_of(&self, entry: Entry) -> FunctionId {
        match self.pending(entry.slot()) {
            Pending::CallEnds { lease, .. } => lease.function,
            _ => FunctionId(0),
        }
    }

    #[inline]
    fn foresee(&self, function: FunctionId) {
        black_box(self.lambda.glance(function));
        black_box(self.recorders[function.0 as usize].glance());
    }
}
