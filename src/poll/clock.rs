//! The only reader of clocks: wall time when the run began, plus monotonic time since.

use crate::engine::{Span, Time};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// Turns the machine's clocks into the engine's one axis, nanoseconds since the Unix epoch.
///
/// The wall clock is read once. A clock that is set while the poller runs therefore shifts record ages, but
/// never makes time go back, and deadlines stay true.
///
/// ```
/// use tidegate::poll::Clock;
///
/// let clock = Clock::start();
/// let before = clock.now();
/// assert!(clock.now() >= before);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    wall: Time,
    origin: Instant,
}

impl Clock {
    /// Reads the wall clock. A clock before 1970 counts as 1970.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is where wall time comes in"
    )]
    pub fn start() -> Self {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            wall: Time::ZERO + Span::from(since_epoch),
            origin: Instant::now(),
        }
    }

    /// This moment.
    pub fn now(&self) -> Time {
        self.wall + Span::from(self.origin.elapsed())
    }

    /// When the run began.
    pub const fn started(&self) -> Time {
        self.wall
    }

    /// The timer's name for `at`; the distant future when `at` is beyond what timers know.
    pub fn instant(&self, at: Time) -> Instant {
        const FAR: std::time::Duration = std::time::Duration::from_secs(86_400 * 365);
        let wait = at.since(self.wall).to_std().min(FAR);
        self.origin + wait
    }
}
