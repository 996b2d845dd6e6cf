//! One minimal test for every rule of behaviour, named after the rule: `docs/semantics.md` lists them.

mod dynamodb;
mod fifo;
mod fifo_world;
mod filters;
mod harness;
mod lambda;
mod lanes;
mod model;
mod pieces;
mod properties;
mod queue;
mod recorded;
mod stream;
mod windows;
