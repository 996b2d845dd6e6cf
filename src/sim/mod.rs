//! The virtual-time driver: the same machines as the poller, with modelled services and functions around them.

mod aliases;
pub mod arrivals;
mod asynchronous;
mod bill;
mod brokers;
pub mod calendar;
mod clients;
mod control;
mod destination;
mod direct;
pub mod dist;
mod esm;
mod exp;
mod filtering;
mod foresight;
mod function;
mod kafka;
mod lifecycle;
mod queues;
mod run;
pub mod services;
mod streams;
mod tenants;
mod tournament;
mod versions;
mod world;
mod ziggurat;

pub use run::{Outcome, Progress, run, trace};
pub use world::Traced;
