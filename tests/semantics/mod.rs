//! One minimal test for every rule of behaviour, named after the rule: `docs/semantics.md` lists them.

mod broker;
mod broker_world;
mod dynamodb;
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
