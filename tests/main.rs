//! Every test that needs no server, in one binary.

mod diagnostics;
mod scenarios;
mod semantics;
mod support;
mod validation;
