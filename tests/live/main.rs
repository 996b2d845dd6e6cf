//! Tests against real servers. `scripts/test` installs and starts those and says where they listen;
//! without it every test here fails and says so.

mod function;
mod kinesis;
mod sqs;
mod support;
