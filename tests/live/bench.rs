//! Short benches of real sources through the program, as a user runs it. What is checked is that the report is whole and
//! that its counts are right, never speed.

mod kafka;
mod kinesis;
mod run;
mod sqs;
