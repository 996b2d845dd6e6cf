//! How long a queue must hide its messages for the function that works on them.

use crate::engine::Span;

/// What is wrong with a queue's visibility timeout, for a mapping to a certain function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShortVisibility {
    /// Rule `timeout-above-visibility`: the function may run for longer than messages stay hidden, which AWS refuses.
    Refused {
        /// The queue's visibility timeout.
        visibility: Span,
        /// The function's timeout.
        timeout: Span,
    },
    /// Rule `sqs-visibility-advice`: shorter than AWS recommends, so that messages may come back while they are
    /// gathered, held through throttles or worked on.
    Inadvisable {
        /// Six times the function's timeout, plus the batching window.
        recommended: Span,
    },
}

impl ShortVisibility {
    /// Judges the visibility timeout of a queue for a mapping with this batching window to a function with this
    /// timeout. `None` when it is long enough.
    pub fn of(visibility: Span, timeout: Span, window: Span) -> Option<Self> {
        const TIMES: u64 = 6;
        if visibility < timeout {
            return Some(Self::Refused {
                visibility,
                timeout,
            });
        }
        let recommended = timeout.times(TIMES) + window;
        (visibility < recommended).then_some(Self::Inadvisable { recommended })
    }

    /// AWS's text where it refuses.
    pub fn aws_text(self) -> Option<String> {
        match self {
            Self::Refused {
                visibility,
                timeout,
            } => Some(format!(
                "Queue visibility timeout: {} seconds is less than Function timeout: {} seconds",
                visibility.as_secs_f64(),
                timeout.as_secs_f64()
            )),
            Self::Inadvisable { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(visibility: u64, timeout: u64, window: u64) -> Option<ShortVisibility> {
        let [visibility, timeout, window] = [visibility, timeout, window].map(Span::from_secs);
        ShortVisibility::of(visibility, timeout, window)
    }

    #[test]
    fn timeout_above_visibility() {
        let text = |found: Option<ShortVisibility>| found.and_then(ShortVisibility::aws_text);
        let refused =
            "Queue visibility timeout: 60 seconds is less than Function timeout: 180 seconds";
        assert_eq!(text(judged(60, 180, 0)).as_deref(), Some(refused));
        assert!(text(judged(179, 180, 0)).is_some());
        assert_eq!(text(judged(180, 180, 0)), None);
    }

    #[test]
    fn sqs_visibility_advice() {
        let recommended = Span::from_secs(65);
        let advice = Some(ShortVisibility::Inadvisable { recommended });
        assert_eq!(judged(10, 10, 5), advice);
        assert_eq!(judged(64, 10, 5), advice);
        assert_eq!(judged(65, 10, 5), None);
        assert_eq!(judged(60, 10, 0), None);
    }
}
