//! Every test that needs no server, in one binary.

mod support;
mod validation;
