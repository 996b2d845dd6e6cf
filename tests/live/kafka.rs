//! The poller on a real Kafka broker, through a real function process.

mod access;
mod faults;
mod give_up;
mod group;
mod poll;
mod storm;
mod tokens;
