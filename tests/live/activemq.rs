//! ActiveMQ: the client alone, and the poller on a queue.

mod client;
mod poll;
