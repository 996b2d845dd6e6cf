//! Which mappings cannot work for now, and why.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Who says that a mapping cannot work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Witness {
    /// The consumer with this number.
    Consumer(u32),
    /// Whoever invokes the function.
    Function,
}

/// StateTransitionReason of every mapping that cannot work for now. A mapping is in its state until each witness of it
/// has taken it back.
///
/// ```
/// use tidegate::poll::{States, Witness};
///
/// let states = States::default();
/// assert!(states.enter("orders", Witness::Consumer(0), "EVENT_SOURCE_AUTHN_ERROR"));
/// assert!(!states.enter("orders", Witness::Consumer(1), "EVENT_SOURCE_AUTHN_ERROR"));
/// assert_eq!(states.of("orders"), Some("EVENT_SOURCE_AUTHN_ERROR"));
/// assert!(!states.leave("orders", Witness::Consumer(0)));
/// assert!(states.leave("orders", Witness::Consumer(1)));
/// assert_eq!(states.of("orders"), None);
/// ```
#[derive(Debug, Default)]
pub struct States(Mutex<BTreeMap<String, BTreeMap<Witness, &'static str>>>);

impl States {
    fn all(&self) -> MutexGuard<'_, BTreeMap<String, BTreeMap<Witness, &'static str>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `witness` says that `mapping` cannot work. Whether nobody has said so before, with this reason.
    pub fn enter(&self, mapping: &str, witness: Witness, reason: &'static str) -> bool {
        let mut all = self.all();
        let said = all.entry(mapping.to_owned()).or_default();
        let is_new = said.values().all(|other| *other != reason);
        said.insert(witness, reason);
        is_new
    }

    /// `witness` takes back what it said of `mapping`. Whether it was the last one to say anything.
    pub fn leave(&self, mapping: &str, witness: Witness) -> bool {
        let mut all = self.all();
        let Some(said) = all.get_mut(mapping) else {
            return false;
        };
        let is_last = said.remove(&witness).is_some() && said.is_empty();
        if said.is_empty() {
            all.remove(mapping);
        }
        is_last
    }

    /// Why `mapping` cannot work: what the first witness says.
    pub fn of(&self, mapping: &str) -> Option<&'static str> {
        let all = self.all();
        let said = all.get(mapping)?;
        said.values().next().copied()
    }
}

impl fmt::Display for States {
    /// For logs: nothing while all is well, ` MAPPING: REASON` for each mapping that cannot work.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (mapping, said) in &*self.all() {
            if let Some(reason) = said.values().next() {
                write!(f, " {mapping}: {reason}")?;
            }
        }
        Ok(())
    }
}
