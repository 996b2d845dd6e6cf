//! Simulation testing: whole worlds drawn from seeds, run in virtual time with every checker on.
//!
//! A world has sources of all kinds, mappings with any options that AWS allows, functions, producers, faults, crashes,
//! updates and switches. It drives the engine's mappings directly, with small scripted services of its own: what can be
//! seen from outside is watched while it runs, and once the faults have stopped, everything has to come to its end. What
//! must have become of every record is decided by a second model, which knows nothing of the engine.
//!
//! ```
//! use tidegate::swarm::{Manner, Size, World, examine};
//!
//! let verdict = examine(&World::draw(7, Size::Small), Manner::default());
//! assert_eq!(verdict.failure, None);
//! ```

mod campaign;
mod dice;
mod draw;
mod log;
mod model;
mod report;
mod run;
mod services;
mod shrink;
mod tally;
mod watch;
mod words;
mod world;

pub use campaign::{Outcome, campaign};
pub use report::{json, text};
pub use run::{Manner, Verdict};
pub use shrink::{Shrunk, shrink};
pub use tally::{Checker, Failure, Tally};
pub use world::{Size, World};

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    /// The world that this thread runs.
    static RUNNING: Cell<Option<(u64, Size)>> = const { Cell::new(None) };
}

/// Runs a world. A broken assertion of the engine is a finding like any other, where panics can be caught.
pub fn examine(world: &World, manner: Manner) -> Verdict {
    RUNNING.set(Some((world.seed, world.size)));
    let verdict = catch_unwind(AssertUnwindSafe(|| run::run(world, manner)));
    RUNNING.set(None);
    verdict.unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied());
        let what = text.unwrap_or("something without words").to_owned();
        Verdict {
            failure: Some(Failure {
                checker: Checker::Panic,
                what,
            }),
            ..Verdict::default()
        }
    })
}

/// Lets panics in worlds be findings: they are not written out by themselves where they are caught, and where they cannot
/// be (a program that aborts), they name the command that shows them again. For programs that run worlds and nothing else.
pub fn expect_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let Some((seed, size)) = RUNNING.get() else {
            return usual(panic);
        };
        if cfg!(panic = "abort") {
            usual(panic);
            let size = size.name();
            let _ = std::io::Write::write_fmt(
                &mut std::io::stderr(),
                format_args!("reproduce with: tidegate swarm --seed {seed} --worlds {size}\n"),
            );
        }
    }));
}
