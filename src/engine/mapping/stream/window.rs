//! Tumbling windows of one lane.

use crate::engine::{ShardId, Span, Time, WindowCall, limits};

/// The window that a shard is in.
///
/// ```text
///        first record      calls carry the state on      over: a later record, two idle minutes, the shard's end,
///  none ─────────────▶ open ───────────────────────▶ … or a state above the limit ──▶ final call ──▶ none
/// ```
#[derive(Clone, Copy, Debug)]
pub(super) struct OpenWindow {
    start: Time,
    length: Span,
    /// No call returned a state yet.
    fresh: bool,
    /// The state is above its limit.
    too_large: bool,
}

impl OpenWindow {
    /// The window of a record that arrived at `arrival`: windows begin at multiples of their length
    /// (rule `window-by-arrival`).
    pub(super) fn around(arrival: Time, length: Span) -> Self {
        let start = arrival.as_nanos() / length.as_nanos() * length.as_nanos();
        Self {
            start: Time::from_nanos(start),
            length,
            fresh: true,
            too_large: false,
        }
    }

    /// A window whose state was stored.
    pub(super) const fn resumed(start: Time, length: Span) -> Self {
        Self {
            start,
            length,
            fresh: false,
            too_large: false,
        }
    }

    /// First instant after the window.
    pub(super) fn end(&self) -> Time {
        self.start + self.length
    }

    /// When the window is closed although no later record came (rule `window-idle-close`).
    pub(super) fn idle_end(&self) -> Time {
        self.end() + limits::WINDOW_IDLE_MAX
    }

    pub(super) const fn start(&self) -> Time {
        self.start
    }

    /// Start of the window if it has a state to store.
    pub(super) fn stored(&self) -> Option<Time> {
        (!self.fresh).then_some(self.start)
    }

    /// Rule `window-state-limit`: a state above its limit ends the window at once.
    pub(super) const fn is_too_large(&self) -> bool {
        self.too_large
    }

    /// A call returned a state.
    pub(super) fn carried(&mut self, too_large: bool) {
        self.fresh = false;
        self.too_large = too_large;
    }

    /// What a call of this window looks like.
    pub(super) fn call(&self, shard: ShardId, is_final: bool) -> WindowCall {
        WindowCall {
            shard,
            start: self.start,
            end: self.end(),
            is_fresh: self.fresh,
            is_final,
            is_terminated_early: is_final && self.too_large,
        }
    }
}
