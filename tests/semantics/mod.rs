//! One minimal test for every rule of behaviour, named after the rule: `docs/semantics.md` lists them.

mod cluster;
mod dynamodb;
mod filters;
mod harness;
mod kafka;
mod kafka_group;
mod kafka_model;
mod kafka_scaling;
mod lambda;
mod lanes;
mod model;
mod pieces;
mod properties;
mod queue;
mod recorded;
mod stream;
mod windows;
