//! The virtual-time driver: the same machines as the poller, with modelled services and functions around them.

pub mod arrivals;
pub mod calendar;
pub mod dist;
mod ziggurat;
