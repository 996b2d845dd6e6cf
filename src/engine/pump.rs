//! The one place where actions leave the engine.

use crate::engine::{Action, Event, Fact, Mapping, Time, WakeReason};

/// What a driver does for a mapping: start actions, look at facts.
pub trait Effects<P> {
    /// Begins `action`. The answer arrives later as an [`Event`], or at once as the return value when the
    /// driver knows it already (a store in memory, a call that needs no time).
    ///
    /// `mapping` is there to borrow records with [`Mapping::batch`] and lists with [`Mapping::spare_list`];
    /// inputs go through the return value or come later, never from inside.
    fn start(&mut self, now: Time, mapping: &mut Mapping<P>, action: Action) -> Option<Event<P>>;

    /// Sees what happened. Must not influence the engine.
    fn observe(&mut self, now: Time, fact: Fact);
}

/// More actions than any sane mapping starts at one instant; reaching it is a livelock.
const ACTIONS_PER_PUMP_MAX: u32 = 50_000_000;

/// Drains `mapping` after one mutation: starts every action, shows every fact, and returns when and why the
/// mapping wants [`Mapping::handle_timeout`] next.
///
/// # Panics
/// When the mapping neither runs dry nor advances (a livelock at one instant); the message names the mapping.
pub fn pump<P, E: Effects<P>>(
    mapping: &mut Mapping<P>,
    now: Time,
    effects: &mut E,
) -> Option<(Time, WakeReason)> {
    let mut started = 0u32;
    loop {
        while let Some(fact) = mapping.poll_fact() {
            effects.observe(now, fact);
        }
        if let Some(action) = mapping.poll_action(now) {
            started += 1;
            assert!(
                started < ACTIONS_PER_PUMP_MAX,
                "mapping `{}` starts actions without end at {now:?}; next wake {:?}",
                mapping.name(),
                mapping.poll_wake(),
            );
            if let Some(answer) = effects.start(now, mapping, action) {
                mapping.keep_answer(answer);
            }
            continue;
        }
        // An answer that came at once is an input like any other: it waits until the outputs are drained.
        if let Some(answer) = mapping.take_answer() {
            mapping.handle(now, answer);
            continue;
        }
        match mapping.poll_wake() {
            Some((at, _)) if at <= now => {
                started += 1;
                assert!(
                    started < ACTIONS_PER_PUMP_MAX,
                    "mapping `{}` wakes itself without end at {now:?}: {:?}",
                    mapping.name(),
                    mapping.poll_wake(),
                );
                mapping.handle_timeout(now);
            }
            wake => return wake,
        }
    }
}
