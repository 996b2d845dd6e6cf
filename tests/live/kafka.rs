//! The poller on a real Kafka broker, through a real function process.

mod access;
mod faults;
mod group;
mod poll;
