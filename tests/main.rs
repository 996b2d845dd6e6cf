//! Every test that needs no server, in one binary.

mod diagnostics;
mod support;
mod validation;
