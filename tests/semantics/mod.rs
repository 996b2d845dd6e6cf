//! One minimal test for every rule of behaviour, named after the rule: `docs/semantics.md` lists them.

mod filters;
mod harness;
mod lambda;
mod properties;
mod queue;
mod recorded;
mod stream;
