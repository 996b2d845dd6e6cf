//! Tests against real servers. `scripts/test` installs and starts those and says where they listen;
//! without it every test here fails and says so.

#![expect(clippy::unwrap_used, reason = "a failed call fails its test")]
#![expect(
    clippy::disallowed_methods,
    reason = "real servers answer in real time, and waiting for them ends at a deadline"
)]

mod activemq;
mod asynchronous;
mod bench;
mod destinations;
mod dynamodb;
mod function;
mod kafka;
mod kinesis;
mod nodes;
mod ordeal;
mod rabbitmq;
mod secrets;
mod sqs;
mod support;
