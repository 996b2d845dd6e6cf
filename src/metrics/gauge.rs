//! Quantities over time: their areas and largest values.

use super::{Figure, MeanMax};
use crate::engine::Time;

/// A quantity over time, within a bin.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Level {
    pub(super) value: u32,
    max: u32,
    since: Time,
    area: u64,
}

/// A quantity over the measured part: mean and maximum.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LevelTotal {
    pub(super) area: u128,
    pub(super) max: u32,
    /// The area before the measured part.
    pub(super) before: u128,
}

/// A quantity within the bin and over the measured part.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Gauge {
    pub(super) level: Level,
    pub(super) total: LevelTotal,
}

impl Level {
    #[inline]
    pub(super) fn set(&mut self, now: Time, value: u32) {
        self.area += now.since(self.since).as_nanos() * u64::from(self.value);
        self.since = now;
        self.value = value;
        self.max = self.max.max(value);
    }

    /// Closes the bin that ends at `now` and returns its area and maximum.
    pub(super) fn roll(&mut self, now: Time, total: &mut LevelTotal) -> (u64, u32) {
        self.set(now, self.value);
        let closed = (self.area, self.max);
        total.area += u128::from(self.area);
        total.max = total.max.max(self.max);
        (self.area, self.max) = (0, self.value);
        closed
    }
}

impl LevelTotal {
    pub(super) fn mean_max(&self, nanos: f64) -> MeanMax {
        MeanMax {
            mean: Figure::new(self.area as f64 / nanos, 3),
            max: Figure::count(u64::from(self.max)),
        }
    }

    /// Begins the measured part with this value.
    pub(super) fn restart(&mut self, value: u32) {
        self.before += self.area;
        self.area = 0;
        self.max = value;
    }
}

impl Gauge {
    pub(super) fn roll(&mut self, now: Time) -> (u64, u32) {
        self.level.roll(now, &mut self.total)
    }
}
