//! Totals of a run, readable while it goes on.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Totals over all mappings since the run began. Updated by the mappings, read by whoever shows progress.
#[derive(Debug, Default)]
pub struct Counters {
    /// Records read or received (PolledEventCount).
    pub polled: AtomicU64,
    /// Records that the filters left out (FilteredOutEventCount).
    pub filtered: AtomicU64,
    /// Records sent to functions, once per delivery (InvokedEventCount).
    pub invoked: AtomicU64,
    /// Invocations started.
    pub invocations: AtomicU64,
    /// Invocations that ended with the function's error, or whose event was too large.
    pub errors: AtomicU64,
    /// Invocations that were refused for lack of concurrency or rate.
    pub throttles: AtomicU64,
    /// Records of invocations that failed (FailedInvokeEventCount).
    pub failed: AtomicU64,
    /// Messages deleted from their queues (DeletedEventCount).
    pub deleted: AtomicU64,
    /// Messages left to their visibility timeout.
    pub returned: AtomicU64,
    /// Records given up, whether a destination was told of them or not.
    pub discarded: AtomicU64,
    /// Of these, records that an on-failure destination was told of (OnFailureDestinationDeliveredEventCount); the others
    /// are DroppedEventCount.
    pub diverted: AtomicU64,
    /// Invocation records that an on-failure destination did not take (DestinationDeliveryFailures).
    pub destination_failures: AtomicU64,
    /// Records that are finished for good: succeeded or left out on a stream, deleted from a queue, or given up.
    pub finished: AtomicU64,
    /// Calls to sources and stores that failed.
    pub call_failures: AtomicU64,
    /// Calls of ReceiveMessage to SQS, which are paid for.
    pub receives: AtomicU64,
    /// Of these, calls that returned no message.
    pub empty_receives: AtomicU64,
    /// Calls of DeleteMessageBatch to SQS, which are paid for.
    pub delete_calls: AtomicU64,
}

impl Counters {
    /// One line for logs.
    pub fn line(&self) -> String {
        let get = |counter: &AtomicU64| counter.load(Relaxed);
        format!(
            "polled {} filtered {} finished {} invocations {} errors {} throttles {} returned {} discarded {} diverted {} destination failures {} call failures {}",
            get(&self.polled),
            get(&self.filtered),
            get(&self.finished),
            get(&self.invocations),
            get(&self.errors),
            get(&self.throttles),
            get(&self.returned),
            get(&self.discarded),
            get(&self.diverted),
            get(&self.destination_failures),
            get(&self.call_failures),
        )
    }
}

pub(crate) fn add(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Relaxed);
}

pub(crate) fn get(counter: &AtomicU64) -> u64 {
    counter.load(Relaxed)
}
