//! Deleting messages, ten per call, and what is left when only some could be deleted.

use super::super::CallError;
use super::super::aws::call_error;
use crate::engine::{FailureClass, limits};
use crate::poll::Counters;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::DeleteMessageBatchRequestEntry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::JoinSet;

/// Calls to DeleteMessageBatch at once, for one batch.
const CALLS_MAX: usize = 8;
/// How often entries that a successful DeleteMessageBatch reports as failed are sent again, at once.
pub(super) const TRIES_MAX: u32 = 3;

/// Makes the calls of one queue.
#[derive(Clone, Debug)]
pub(super) struct Deleter {
    pub(super) client: Client,
    pub(super) url: String,
    pub(super) counters: Arc<Counters>,
}

/// Receipt handles that a failed deletion has left, by batch. A batch has an entry between two of its tries at most, so
/// there are never more entries than batches.
#[derive(Debug, Default)]
pub(super) struct Leftovers(Mutex<BTreeMap<u32, Vec<String>>>);

impl Leftovers {
    /// What is still to be deleted of a batch with these receipt handles.
    pub(super) fn take(&self, batch: u32, receipts: Vec<String>) -> Vec<String> {
        let left = self.lock().remove(&batch);
        let Some(left) = left else {
            return receipts;
        };
        // The number may have belonged to a batch that was given up.
        let own = {
            let receipts: BTreeSet<&String> = receipts.iter().collect();
            left.iter().all(|receipt| receipts.contains(receipt))
        };
        if own { left } else { receipts }
    }

    pub(super) fn put(&self, batch: u32, left: Vec<String>) {
        self.lock().insert(batch, left);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<u32, Vec<String>>> {
        // Nothing in a critical section can fail halfway.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A deletion that failed, and the receipt handles whose messages may still be there.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) error: CallError,
    pub(super) left: Vec<String>,
}

impl Deleter {
    /// Deletes messages; the calls of a large batch go on side by side.
    pub(super) async fn delete(&self, receipts: Vec<String>) -> Result<(), Failed> {
        const CALL: usize = limits::SQS_CALL_MESSAGES_MAX as usize;
        if receipts.len() <= CALL {
            return self.clone().call(receipts).await;
        }
        let chunks = receipts.chunks(CALL).map(<[String]>::to_vec);
        let mut chunks: VecDeque<Vec<String>> = chunks.collect();
        let mut calls = JoinSet::new();
        let mut failed: Option<Failed> = None;
        loop {
            while calls.len() < CALLS_MAX
                && let Some(chunk) = chunks.pop_front()
            {
                calls.spawn(self.clone().call(chunk));
            }
            match calls.join_next().await {
                Some(Ok(Ok(()))) => {}
                Some(Ok(Err(mut more))) => {
                    if let Some(before) = &mut failed {
                        more.left.append(&mut before.left);
                    }
                    failed = Some(more);
                }
                Some(Err(error)) => std::panic::resume_unwind(
                    error
                        .try_into_panic()
                        .unwrap_or_else(|_| Box::new("a deletion was cancelled")),
                ),
                None => return failed.map_or(Ok(()), Err),
            }
        }
    }

    /// One call, and again for those of its entries that the service reports as failed.
    async fn call(self, mut receipts: Vec<String>) -> Result<(), Failed> {
        let mut reason = String::new();
        for _ in 0..TRIES_MAX {
            let mut call = self.client.delete_message_batch().queue_url(&self.url);
            for (index, receipt) in receipts.iter().enumerate() {
                let entry = DeleteMessageBatchRequestEntry::builder()
                    .id(index.to_string())
                    .receipt_handle(receipt)
                    .build();
                match entry {
                    Ok(entry) => call = call.entries(entry),
                    Err(error) => {
                        return Err(Failed {
                            error: incomplete(error.to_string()),
                            left: receipts,
                        });
                    }
                }
            }
            self.counters.delete_calls.fetch_add(1, Relaxed);
            let output = match call.send().await {
                Ok(output) => output,
                Err(error) => {
                    return Err(Failed {
                        error: call_error("DeleteMessageBatch", &error),
                        left: receipts,
                    });
                }
            };
            let mut failed = Vec::new();
            for entry in output.failed() {
                reason = format!("{}: {}", entry.code(), entry.message().unwrap_or_default());
                let index = entry.id().parse::<usize>().ok();
                failed.extend(index.and_then(|index| receipts.get(index).cloned()));
            }
            if failed.is_empty() {
                return Ok(());
            }
            receipts = failed;
        }
        Err(Failed {
            error: incomplete(reason),
            left: receipts,
        })
    }
}

const fn incomplete(text: String) -> CallError {
    CallError {
        class: FailureClass::Transient,
        call: "DeleteMessageBatch",
        text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_batch_is_taken_once_and_by_itself_only() {
        let list = |texts: &[&str]| -> Vec<String> { texts.iter().map(|&t| t.into()).collect() };
        let left = Leftovers::default();
        let batch = list(&["a", "b", "c"]);
        assert_eq!(left.take(7, batch.clone()), batch);
        left.put(7, list(&["b"]));
        assert_eq!(left.take(8, batch.clone()), batch);
        assert_eq!(left.take(7, batch.clone()), list(&["b"]));
        assert_eq!(left.take(7, batch), list(&["a", "b", "c"]));
        // The batch was given up, and its number belongs to another one now.
        left.put(7, list(&["b"]));
        assert_eq!(left.take(7, list(&["x", "y"])), list(&["x", "y"]));
    }
}
