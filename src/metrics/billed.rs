//! What is billed of a function's invocations, summed up in whole milliseconds.

use super::Started;
use crate::engine::Span;

/// Billed time of one function. AWS rounds each invocation up to a millisecond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Billed {
    /// Invocations.
    pub invocations: u64,
    /// Handler time on demand, ms.
    pub on_demand_ms: u64,
    /// Handler time on provisioned concurrency, ms.
    pub provisioned_ms: u64,
    /// What initialisations add to the billed time of cold starts, ms.
    pub init_ms: u64,
    /// Environment-nanoseconds of provisioned concurrency that was held, busy or not.
    pub allocated_nanos: u128,
}

fn millis(span: Span) -> u64 {
    span.as_nanos().div_ceil(1_000_000)
}

/// Billed handler time of an invocation, ms. Extensions that work after the response are billed like the handler.
#[inline]
pub(super) fn billed_ms(started: &Started) -> u64 {
    millis(started.duration + started.post_runtime)
}

impl Billed {
    /// Adds one invocation (rule `billed-per-millisecond`).
    #[inline]
    pub(super) fn add(&mut self, started: &Started) {
        let handler = billed_ms(started);
        if started.is_provisioned {
            self.provisioned_ms += handler;
        } else {
            self.on_demand_ms += handler;
        }
        if let Some(init) = started.init {
            let time = started.duration + started.post_runtime;
            self.init_ms += millis(init + time) - handler;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn billed_per_millisecond() {
        let mut billed = Billed::default();
        let mut add = |micros, init, is_provisioned| {
            billed.add(&Started {
                duration: Span::from_micros(micros),
                init,
                is_restore: false,
                post_runtime: Span::ZERO,
                waited: Span::ZERO,
                failed: false,
                timed_out: false,
                is_provisioned,
            });
        };
        add(1, None, false);
        add(80_000, None, false);
        add(80_001, None, true);
        // 400 µs and 10.3 ms are 10.7 ms: 11 ms, of which 1 ms would be billed without the initialisation.
        add(400, Some(Span::from_micros(10_300)), false);
        assert_eq!(
            (billed.on_demand_ms, billed.provisioned_ms, billed.init_ms),
            (1 + 80 + 1, 81, 10)
        );
    }
}
