//! Every test that needs no server, in one binary.

mod diagnostics;
#[cfg(feature = "poller")]
mod parity;
mod support;
mod validation;
