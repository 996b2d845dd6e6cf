//! The only reader of clocks: wall time when the run began, plus monotonic time since.

use crate::engine::{Span, Time};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// Turns the machine's clocks into the engine's one axis, nanoseconds since the Unix epoch.
///
/// The wall clock sets the axis once. A clock that is set while the poller runs therefore never makes time go back, and
/// deadlines stay true. Ages of records are on the same axis; what it takes to keep them true after the machine's clock was
/// wrong when the run began is `ahead`.
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
    time_of_day: fn() -> Time,
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is where wall time comes in"
)]
fn time_of_day() -> Time {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    Time::ZERO + Span::from(since_epoch.unwrap_or_default())
}

impl Clock {
    /// Reads the wall clock. A clock before 1970 counts as 1970.
    pub fn start() -> Self {
        Self::by(time_of_day)
    }

    /// With another wall clock.
    pub(crate) fn by(time_of_day: fn() -> Time) -> Self {
        Self {
            wall: time_of_day(),
            origin: Instant::now(),
            time_of_day,
        }
    }

    /// How far this clock is ahead of the time of day: more than a trifle when the machine's clock was ahead as the run
    /// began and has been set right since, or is behind now.
    pub(crate) fn ahead(&self) -> Span {
        self.now().since((self.time_of_day)())
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
