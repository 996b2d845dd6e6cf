//! From values to places along an axis, for plotters.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use super::axis::{self, Tick};
use super::view::{Across, Chart, Limit};

/// One axis of a chart with its ticks.
#[derive(Clone, Debug)]
pub(super) struct Scale {
    log: bool,
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) ticks: Vec<Tick>,
}

impl Scale {
    /// The horizontal axis, and the name of its labels' format.
    pub(super) fn across(chart: &Chart) -> (Self, &'static str) {
        let high = chart.end_s;
        let (low, (ticks, format)) = match chart.across {
            Across::Time => (0.0, axis::time(high)),
            Across::Percentile => (1.0, (axis::percentiles(high), "")),
            Across::Millis(low) => (low, (axis::logarithmic(low, high), "")),
        };
        let scale = Self {
            log: chart.across != Across::Time,
            low,
            high,
            ticks,
        };
        (scale, format)
    }

    /// The vertical axis: from zero, so that heights compare, or logarithmic.
    pub(super) fn of_values(chart: &Chart) -> Self {
        let values = || {
            let points = chart.lines.iter().flat_map(|line| &line.points);
            points
                .map(|(_, value)| *value)
                .filter(|value| value.is_finite())
        };
        let largest = values().fold(0.0, f64::max);
        if chart.log {
            let positive = values().filter(|value| *value > 0.0);
            let low = axis::round_down(positive.fold(f64::INFINITY, f64::min));
            let high = largest * 1.15;
            return Self {
                log: true,
                low,
                high,
                ticks: axis::logarithmic(low, high),
            };
        }
        // Room above the limit for its label.
        let limit = drawn_limit(chart).map_or(0.0, |limit| limit.value * 1.16);
        let high = (largest * 1.06).max(limit);
        Self {
            log: false,
            low: 0.0,
            high,
            ticks: axis::linear(chart.axis, high),
        }
    }

    /// Whether a value has a place on this axis.
    pub(super) fn shows(&self, value: f64) -> bool {
        value.is_finite() && (!self.log || value > 0.0)
    }

    /// How far along the axis a value is, from 0 to 1.
    pub(super) fn share(&self, value: f64) -> f64 {
        if self.log {
            // Not the standard library's logarithm, whose last digit differs between platforms.
            libm::log10(value / self.low) / libm::log10(self.high / self.low)
        } else {
            (value - self.low) / (self.high - self.low)
        }
    }
}

/// The limit, when it is inside the chart.
pub(super) fn drawn_limit(chart: &Chart) -> Option<Limit> {
    chart.limit.filter(|limit| !limit.off_scale)
}

impl Ranged for Scale {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (start, end): (i32, i32)) -> i32 {
        start + (f64::from(end - start) * self.share(*value)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() {
            return Vec::new();
        }
        self.ticks.iter().map(|(at, _)| *at).collect()
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

impl ValueFormatter<f64> for Scale {
    fn format_ext(&self, value: &f64) -> String {
        let tick = self.ticks.iter().find(|(at, _)| at == value);
        tick.map(|(_, label)| label.clone()).unwrap_or_default()
    }
}
