//! The station on this crate's calendar: departures in the set, the next arrival beside it.

use super::station::{Station, Waits};
use tidegate::engine::Time;
use tidegate::sim::calendar::{Calendar, EventSet};

pub(crate) fn run(mut station: Station) -> Waits {
    let mut departures = Calendar::default();
    let mut arrival = station.gap().unwrap_or(u64::MAX);
    loop {
        let departure = departures
            .peek()
            .map_or(u64::MAX, |entry| entry.time().as_nanos());
        let (now, service) = if departure <= arrival {
            if departure == u64::MAX {
                return station.waits();
            }
            departures.pop();
            (departure, station.depart(departure))
        } else {
            let now = arrival;
            arrival = station.gap().map_or(u64::MAX, |gap| now + gap);
            (now, station.arrive(now))
        };
        if let Some(service) = service {
            departures.schedule(Time::from_nanos(now + service), 0);
        }
    }
}
