//! Every test that needs no server, in one binary.

#![expect(
    unreachable_pub,
    reason = "nothing of a test binary is reachable from outside"
)]

mod cli;
mod diagnostics;
#[cfg(feature = "poller")]
mod parity;
mod scenarios;
mod semantics;
mod support;
mod tidy;
mod validation;
