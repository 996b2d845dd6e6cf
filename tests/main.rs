//! Every test that needs no server, in one binary.

mod diagnostics;
#[cfg(feature = "poller")]
mod parity;
mod scenarios;
mod semantics;
mod support;
mod validation;
