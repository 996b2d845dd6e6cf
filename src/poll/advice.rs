//! What AWS recommends of queues, said when a mapping starts on one that is set up differently.

use crate::source::sqs::QueueFacts;

/// Receives that a redrive policy should allow at least.
const RECEIVES_MIN: u32 = 5;

/// Rule `sqs-redrive-after-five`: with fewer receives, messages go to the dead-letter queue because of a few throttles or
/// one bad minute, though nothing is wrong with them.
pub(super) fn redrive(mapping: &str, queue: &str, facts: QueueFacts) {
    if let Some(max_receive_count) = too_few(facts) {
        tracing::warn!(
            mapping,
            queue,
            max_receive_count,
            recommended = RECEIVES_MIN,
            "the queue's redrive policy allows few receives: throttles alone may send messages to the dead-letter queue"
        );
    }
}

/// The number of receives, if the queue has a redrive policy and it is below what AWS recommends.
fn too_few(facts: QueueFacts) -> Option<u32> {
    facts
        .max_receive_count
        .filter(|&count| count < RECEIVES_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Span;

    #[test]
    fn sqs_redrive_after_five() {
        let told = |max_receive_count| {
            too_few(QueueFacts {
                visibility_timeout: Span::from_secs(30),
                max_receive_count,
            })
        };
        assert_eq!(told(None), None);
        assert_eq!(told(Some(5)), None);
        assert_eq!(told(Some(4)), Some(4));
    }
}
