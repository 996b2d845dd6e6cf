//! Waiting out trouble while a run is being opened, when no engine decides yet when to call again.

use super::CallError;
use crate::engine::FailureClass;
use std::time::Duration;

/// First pause; every further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(20);
/// Tries before the run is given up: about four minutes of pauses.
const TRIES_MAX: u32 = 16;

/// Calls until there is an answer. What is denied or not there is an error at once; throttles and whatever may pass by
/// itself are waited out, up to [`TRIES_MAX`] tries.
pub(crate) async fn patiently<T, Call: Future<Output = Result<T, CallError>>>(
    mut call: impl FnMut() -> Call,
) -> Result<T, CallError> {
    let mut pause = FIRST_PAUSE;
    let mut tries = 1;
    loop {
        let error = match call().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        if error.class == FailureClass::Denied || tries >= TRIES_MAX {
            return Err(error);
        }
        tracing::warn!(%error, ?pause, "a call failed before anything was read; it will be made again");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
        tries += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing(class: FailureClass) -> CallError {
        CallError {
            class,
            call: "GetQueueUrl",
            text: "as scripted".to_owned(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn only_trouble_that_may_pass_is_waited_out() {
        let mut left = 5;
        let started = tokio::time::Instant::now();
        let answer = patiently(|| {
            left -= 1;
            std::future::ready(match left {
                0 => Ok("here"),
                1 => Err(failing(FailureClass::Throttled)),
                _ => Err(failing(FailureClass::Transient)),
            })
        });
        assert_eq!(answer.await, Ok("here"));
        // 0.5 s, 1 s, 2 s and 4 s.
        assert_eq!(started.elapsed(), Duration::from_millis(7_500));

        for (class, expected) in [
            (FailureClass::Denied, 1),
            (FailureClass::Transient, TRIES_MAX),
        ] {
            let mut tries = 0;
            let refused: Result<(), _> = patiently(|| {
                tries += 1;
                std::future::ready(Err(failing(class)))
            })
            .await;
            assert_eq!((refused, tries), (Err(failing(class)), expected));
        }
    }
}
