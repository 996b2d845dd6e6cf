//! Tests against real servers. `scripts/test` installs and starts those and says where they listen;
//! without it every test here fails and says so.

#![expect(
    unreachable_pub,
    clippy::unwrap_used,
    reason = "nothing of a test binary is reachable from outside, and a failed call fails its test"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "real servers answer in real time, and waiting for them ends at a deadline"
)]

mod function;
mod kinesis;
mod sqs;
mod support;
