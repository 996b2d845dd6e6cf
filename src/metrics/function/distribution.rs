//! What is told of a function besides its summary: the distribution of its latencies, and what is billed.

use super::FunctionRecorder;
use crate::metrics::{Billed, Histogram};

impl FunctionRecorder {
    /// Latencies since the warm-up, in nanoseconds.
    pub fn latencies(&self) -> Histogram {
        let total = &self.total;
        let mut all = total.plain.clone();
        all.merge(&self.minute.plain);
        all.merge(&total.latency);
        all
    }

    /// What is billed since the warm-up.
    pub fn billed(&self) -> Billed {
        Billed {
            invocations: self.total.invocations,
            allocated_nanos: self.allocated.total.area,
            ..self.total.billed
        }
    }
}
