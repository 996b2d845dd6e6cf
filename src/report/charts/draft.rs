//! From the rows of one subject to lines and charts.

use std::borrow::Cow;

use crate::metrics::Series;
use crate::report::detail::{self, Detail};
use crate::report::sample;
use crate::report::view::{Across, Axis, Band, Chart, Colour, Limit, Line};

/// A limit is drawn when it is at most this many times the largest value: beyond, it would flatten the lines.
const LIMIT_HEADROOM: f64 = 4.0;

/// Times are drawn on a logarithmic axis when they span more than this factor.
const LOG_SPAN: f64 = 20.0;

/// Where in its bin a value belongs.
#[derive(Clone, Copy)]
pub(in crate::report) enum At {
    /// Sums and means stand for the whole bin.
    Middle,
    /// Levels are read when the bin ends.
    End,
}

/// Turns the rows of one subject into lines and charts.
pub(in crate::report) struct Draft<'a, R> {
    pub(in crate::report) series: &'a Series,
    pub(in crate::report) rows: &'a [R],
}

impl<R> Draft<'_, R> {
    pub(in crate::report) fn line(
        &self,
        label: &'static str,
        colour: Colour,
        at: At,
        value: impl Fn(&R) -> f64,
    ) -> Line {
        self.values(
            label.into(),
            colour,
            at,
            self.rows.iter().map(value).collect(),
        )
    }

    /// One value per bin.
    pub(in crate::report) fn values(
        &self,
        label: Cow<'static, str>,
        colour: Colour,
        at: At,
        values: Vec<f64>,
    ) -> Line {
        Line {
            label,
            colour,
            filled: false,
            points: sample::thin(self.at(at, &values)),
            means: Vec::new(),
            detail: Detail::of(&values, self.bins_each(), false),
        }
    }

    /// Values that scatter around something: means are drawn, and the values faint behind them.
    pub(in crate::report) fn noisy(
        &self,
        label: &'static str,
        colour: Colour,
        value: impl Fn(&R) -> f64,
    ) -> Line {
        let values: Vec<f64> = self.rows.iter().map(value).collect();
        let points = self.at(At::Middle, &values);
        let stretch = sample::stretch(points.len());
        Line {
            label: label.into(),
            colour,
            filled: false,
            means: stretch.map_or_else(Vec::new, |stretch| sample::smooth(&points, stretch)),
            points: sample::thin(points),
            detail: Detail::of(&values, self.bins_each(), true),
        }
    }

    fn at(&self, at: At, values: &[f64]) -> Vec<(f64, f64)> {
        let bin = self.series.bin.as_secs_f64();
        let shift = match at {
            At::Middle => 0.5,
            At::End => 1.0,
        };
        let values = values.iter().enumerate();
        values
            .map(|(index, value)| ((index as f64 + shift) * bin, *value))
            .collect()
    }

    /// How many bins one step of the page's own data covers.
    fn bins_each(&self) -> usize {
        detail::bins_each(self.series, self.rows.len())
    }

    pub(in crate::report) fn noisy_rate(
        &self,
        label: &'static str,
        colour: Colour,
        value: impl Fn(&R) -> u64,
    ) -> Line {
        let bin = self.series.bin.as_secs_f64();
        self.noisy(label, colour, |row| value(row) as f64 / bin)
    }

    pub(in crate::report) fn rate(
        &self,
        label: &'static str,
        colour: Colour,
        value: impl Fn(&R) -> u64,
    ) -> Line {
        let bin = self.series.bin.as_secs_f64();
        self.line(label, colour, At::Middle, |row| value(row) as f64 / bin)
    }

    pub(in crate::report) fn chart(
        &self,
        title: &'static str,
        axis: Axis,
        lines: Vec<Line>,
    ) -> Chart {
        let end_s = self.rows.len() as f64 * self.series.bin.as_secs_f64();
        let warm_up = self.series.warm_up.as_secs_f64();
        let warm = (warm_up > 0.0).then(|| Band {
            label: "warm-up".to_owned(),
            from_s: 0.0,
            to_s: warm_up.min(end_s),
            fault: false,
        });
        let faults = self.series.faults.iter().map(|(name, from, to)| Band {
            label: name.clone(),
            from_s: from.as_secs_f64(),
            to_s: to.as_secs_f64().min(end_s),
            fault: true,
        });
        // What lasts no time is drawn as wide as can be seen.
        let seen = end_s / 200.0;
        let events = self.series.events.iter().map(|(name, from, to)| Band {
            label: name.clone(),
            from_s: from.as_secs_f64(),
            to_s: to.as_secs_f64().max(from.as_secs_f64() + seen).min(end_s),
            fault: false,
        });
        let smoothed = lines.iter().any(|line| !line.means.is_empty());
        let stretch = sample::stretch(self.rows.len()).filter(|_| smoothed);
        Chart {
            title,
            axis,
            across: Across::Time,
            step_s: self.bins_each() as f64 * self.series.bin.as_secs_f64(),
            log: false,
            lines,
            mean_of_s: stretch.map(|rows| rows as f64 * self.series.bin.as_secs_f64()),
            bands: warm
                .into_iter()
                .chain(events)
                .chain(faults)
                .filter(|band| band.from_s < band.to_s)
                .collect(),
            limit: None,
            end_s,
            empty: None,
        }
    }
}

impl Chart {
    /// Leaves out lines that never leave zero; without any line left, says `empty` instead.
    pub(in crate::report) fn or_empty(mut self, empty: &'static str) -> Self {
        self.lines.retain(|line| largest(line) > 0.0);
        if self.lines.is_empty() {
            self.empty = Some(empty);
        }
        self
    }

    pub(in crate::report) fn filled(mut self) -> Self {
        if let [line] = self.lines.as_mut_slice() {
            line.filled = true;
        }
        self
    }

    pub(in crate::report) fn limited(mut self, label: &'static str, value: u32) -> Self {
        let value = f64::from(value);
        let top = self.lines.iter().map(largest).fold(0.0, f64::max);
        self.limit = (value > 0.0).then_some(Limit {
            label,
            value,
            off_scale: value > top * LIMIT_HEADROOM,
        });
        self
    }

    pub(in crate::report) fn log_if_wide(mut self) -> Self {
        let values = self.lines.iter().flat_map(|line| &line.points);
        let positive = values.map(|(_, value)| *value).filter(|value| *value > 0.0);
        let (low, high) = positive.fold((f64::INFINITY, 0.0), |(low, high), value| {
            (f64::min(low, value), f64::max(high, value))
        });
        self.log = high / low > LOG_SPAN;
        self
    }
}

fn largest(line: &Line) -> f64 {
    let values = line.points.iter().map(|(_, value)| *value);
    values.filter(|value| value.is_finite()).fold(0.0, f64::max)
}
