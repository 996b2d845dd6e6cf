//! What the fuzz targets run: bytes go in, and assertions hold whatever the bytes are.
//!
//! A target in `fuzz/` calls one function of [`TARGETS`] and does nothing else, and `tests/corpora.rs` gives the same
//! functions what earlier runs of the fuzzer found worth keeping (`fuzz/corpus`). So what was found once is looked at
//! by every `cargo test`, without the fuzzer.

mod files;
mod filters;
#[allow(
    clippy::duplicate_mod,
    reason = "the engine's own tests have it as well, and the engine imports nothing"
)]
#[path = "../engine/filter/tests/reference.rs"]
mod reference;
#[cfg(feature = "poller")]
mod responses;
mod script;
#[cfg(feature = "poller")]
mod stored;
mod worlds;

pub use files::{poller_file, scenario_file};
pub use filters::{filter_text, filter_verdict};
#[cfg(feature = "poller")]
pub use responses::response;
#[cfg(feature = "poller")]
pub use stored::{kpl, lease_row, recording, store};
pub use worlds::world;

/// What a target runs. It panics where something is wrong.
pub type Target = fn(&[u8]);

/// Every target by its name in `fuzz/fuzz_targets` and `fuzz/corpus`.
pub const TARGETS: &[(&str, Target)] = &[
    ("scenario_parse", scenario_file),
    ("poller_parse", poller_file),
    ("filter_text", filter_text),
    ("filter_verdict", filter_verdict),
    ("world", world),
    #[cfg(feature = "poller")]
    ("response", response),
    #[cfg(feature = "poller")]
    ("kpl", kpl),
    #[cfg(feature = "poller")]
    ("store", store),
    #[cfg(feature = "poller")]
    ("recording", recording),
    #[cfg(feature = "poller")]
    ("lease_row", lease_row),
];
