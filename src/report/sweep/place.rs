//! Places of values along the sides of a chart.

use super::words;
use crate::metrics::{SweepFigure, SweepSummary, SweepUnit};
use crate::report::axis::decimal_step;

/// A side of a chart: its length in drawing units is somebody else's business.
#[derive(Clone, Debug)]
pub(super) struct Side {
    kind: Kind,
    low: f64,
    high: f64,
    /// Place (0 to 1) and label.
    pub(super) ticks: Vec<(f64, String)>,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Linear,
    Log,
    /// One place for each of these.
    Words(Vec<String>),
}

/// How far apart largest and smallest are where a logarithmic side shows more.
const LOG_FROM: f64 = 50.0;
/// Empty room at both ends of a side of values.
const MARGIN: f64 = 0.06;

impl Side {
    /// The side of axis `index`: to scale when all its values are numbers.
    pub(super) fn of_axis(sweep: &SweepSummary, index: usize) -> Self {
        let mut known: Vec<(f64, &str)> = sweep
            .variants
            .iter()
            .map(|point| (point.places[index], point.values[index].as_str()))
            .collect();
        if known.iter().any(|(place, _)| !place.is_finite()) {
            return Self::of_words(sweep, index);
        }
        known.sort_by(|one, other| one.0.total_cmp(&other.0));
        known.dedup_by(|one, other| one.0 == other.0);
        let ends = known.first().zip(known.last());
        let (low, high) = ends.map_or((0.0, 1.0), |(first, last)| (first.0, last.0));
        if low == high {
            return Self::of_words(sweep, index);
        }
        let is_log = low > 0.0 && high / low >= LOG_FROM;
        let mut side = Self {
            kind: if is_log { Kind::Log } else { Kind::Linear },
            low,
            high,
            ticks: Vec::new(),
        };
        // Labels at values that were tried, as many as have room; in narrow windows letters are larger.
        let room = |one: &str, other: &str| {
            let letters = one.chars().count().max(other.chars().count());
            0.02 + 0.02 * letters as f64
        };
        let (end, last) = (side.share(high), known[known.len() - 1].1);
        for (value, text) in &known {
            let at = side.share(*value);
            let before = side.ticks.last();
            let clear = before.is_none_or(|(place, label)| at - place >= room(label, text));
            if clear && (end - at >= room(text, last) || *value == high) {
                side.ticks.push((at, (*text).to_owned()));
            }
        }
        side
    }

    /// One place for each value, in the order of the axis.
    pub(super) fn of_words(sweep: &SweepSummary, index: usize) -> Self {
        let mut words: Vec<String> = sweep.axes[index].values.clone();
        for point in &sweep.variants {
            if !words.contains(&point.values[index]) {
                words.push(point.values[index].clone());
            }
        }
        let count = words.len().max(1) as f64;
        let ticks = words.iter().enumerate();
        let ticks = ticks.map(|(at, word)| ((at as f64 + 0.5) / count, word.clone()));
        Self {
            low: 0.0,
            high: count,
            ticks: ticks.collect(),
            kind: Kind::Words(words),
        }
    }

    /// A side for figures with their intervals; `None` when there are none.
    pub(super) fn of_figures(
        unit: SweepUnit,
        figures: impl Iterator<Item = SweepFigure>,
    ) -> Option<Self> {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        let mut smallest = f64::INFINITY;
        for figure in figures.filter(|figure| figure.mean.is_finite()) {
            low = low.min(figure.mean).min(figure.low);
            high = high.max(figure.mean).max(figure.high);
            smallest = smallest.min(figure.mean);
        }
        if !low.is_finite() {
            return None;
        }
        if low > 0.0 && high / low >= LOG_FROM {
            return Some(Self::logarithmic(unit, low, high));
        }
        // From zero where that leaves the points apart; an interval below zero is only arithmetic.
        if smallest >= 0.0 && low < 0.6 * high {
            low = 0.0;
        }
        if low == high {
            (low, high) = match low {
                0.0 => (0.0, 1.0),
                value => (value - value.abs() * 0.1, value + value.abs() * 0.1),
            };
        }
        let step = decimal_step((high - low) / 4.0);
        let first = (low / step).ceil();
        let mut side = Self {
            kind: Kind::Linear,
            low,
            high,
            ticks: Vec::new(),
        };
        let values = (0..12).map(|index| (first + f64::from(index)) * step);
        side.ticks = values
            .take_while(|value| *value <= high)
            .map(|value| (side.share(value), words::value(unit, value)))
            .collect();
        Some(side)
    }

    fn logarithmic(unit: SweepUnit, low: f64, high: f64) -> Self {
        let mut side = Self {
            kind: Kind::Log,
            low,
            high,
            ticks: Vec::new(),
        };
        let mut value = decimal_step(low);
        let mut decade = 1.0;
        while decade * 10.0 <= value {
            decade *= 10.0;
        }
        while decade > value {
            decade /= 10.0;
        }
        let factor = if high / low > 1e6 { 100.0 } else { 10.0 };
        value = decade;
        while value <= high {
            if value >= low {
                let at = side.share(value);
                side.ticks.push((at, words::value(unit, value)));
            }
            value *= factor;
        }
        side
    }

    /// Whether its steps are factors.
    pub(super) fn is_log(&self) -> bool {
        self.kind == Kind::Log
    }

    /// The place of a number, 0 to 1 from end to end.
    pub(super) fn share(&self, value: f64) -> f64 {
        let along = match self.kind {
            // Not the standard library's logarithm, whose last digit differs between platforms.
            Kind::Log => {
                libm::log(value.max(self.low) / self.low) / libm::log(self.high / self.low)
            }
            _ => (value.max(self.low) - self.low) / (self.high - self.low),
        };
        MARGIN + along * (1.0 - 2.0 * MARGIN)
    }

    /// The place of a value of an axis.
    pub(super) fn of_value(&self, place: f64, text: &str) -> f64 {
        match &self.kind {
            Kind::Words(words) => {
                let at = words.iter().position(|word| word == text);
                at.map_or(0.0, |at| (at as f64 + 0.5) / words.len() as f64)
            }
            _ => self.share(place),
        }
    }
}
