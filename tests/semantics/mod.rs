//! One minimal test for every rule of behaviour, named after the rule: `docs/semantics.md` lists them.

mod asynchronous;
mod asynchronous_model;
mod broker;
mod broker_world;
mod cluster;
mod competing;
mod dynamodb;
mod fifo;
mod fifo_world;
mod filters;
mod gathering;
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
mod provisioned;
mod queue;
mod recorded;
mod stream;
mod windows;
