//! Totals of a run, readable while it goes on.

use super::states::States;
use std::fmt::Write as _;
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
    /// Kafka: records that stored offsets are beyond, those that the filters left out with them (CommittedEventCount).
    pub committed: AtomicU64,
    /// Kafka: failed fetches (PollingErrorCount).
    pub polling_errors: AtomicU64,
    /// Kafka: invocations that failed or were refused (InvokeErrorCount).
    pub invoke_errors: AtomicU64,
    /// Kafka: invocation records that a destination refused for good (OnFailureDestinationDeliveryErrorCount).
    pub delivery_errors: AtomicU64,
    /// Kafka: offsets that could not be stored (CommitErrorCount).
    pub commit_errors: AtomicU64,
    /// Kafka: the largest lag of a partition that was measured so far (the maximum of OffsetLag and MaxOffsetLag).
    pub offset_lag_max: AtomicU64,
    /// Kafka: the lag of all mappings together as last measured (SumOffsetLag).
    pub offset_lag_sum: AtomicU64,
    /// Times that a mapping came to be unable to work.
    pub error_states: AtomicU64,
    /// Mappings that cannot work for now.
    pub states: States,
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
        let mut line = format!(
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
        );
        let kafka = [
            ("committed", &self.committed),
            ("offset lag", &self.offset_lag_sum),
            ("polling errors", &self.polling_errors),
            ("invoke errors", &self.invoke_errors),
            ("commit errors", &self.commit_errors),
        ];
        if kafka.iter().any(|(_, counter)| get(counter) > 0) {
            for (name, counter) in kafka {
                let _ = write!(line, " {name} {}", get(counter));
            }
        }
        let _ = write!(line, "{}", self.states);
        line
    }
}

pub(crate) fn add(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Relaxed);
}

pub(crate) fn get(counter: &AtomicU64) -> u64 {
    counter.load(Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poll::Witness;

    #[test]
    fn a_line_speaks_of_kafka_and_of_trouble_only_where_there_is_some() {
        let counters = Counters::default();
        add(&counters.polled, 3);
        assert!(
            counters.line().ends_with("call failures 0"),
            "{}",
            counters.line()
        );
        add(&counters.committed, 2);
        let consumer = Witness::Consumer(1);
        counters
            .states
            .enter("orders", consumer, "ESM_CONFIG_NOT_VALID");
        let end = "committed 2 offset lag 0 polling errors 0 invoke errors 0 commit errors 0 orders: ESM_CONFIG_NOT_VALID";
        assert!(counters.line().ends_with(end), "{}", counters.line());
    }
}
