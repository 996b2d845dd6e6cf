//! Values between two ends: `50..400:8`, `1s..16s:log5`.

use super::axis::AxisError;
use crate::engine::Span;
use crate::scenario::parse_span;

/// Values of one range; more are a mistake in the file's unit, not a study.
const VALUES_MAX: u32 = 100_000;

/// From one value to another, both included, in one unit.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Range {
    low: f64,
    high: f64,
    unit: Unit,
    is_whole: bool,
    is_log: bool,
    text: String,
}

/// What a range is measured in.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Unit {
    /// Nothing: a number.
    None,
    /// Nanoseconds.
    Time,
    /// Bytes.
    Size,
    /// Something that is kept as it is written, such as `%`.
    Other(&'static str),
}

/// What follows the colon of a range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Spacing {
    /// `:8`: that many, evenly.
    Even(u32),
    /// `:log5`: that many, each the same factor above the one before.
    Log(u32),
    /// `:step50`: from the lower end on.
    Step(f64),
    /// No colon, or `:log`: wherever a sample falls.
    Anywhere,
}

/// The value and the unit of an end, and whether it is a whole number.
fn quantity(text: &str) -> Option<(f64, Unit, bool)> {
    const SIZES: [(&str, f64); 7] = [
        ("KiB", 1_024.0),
        ("MiB", 1_048_576.0),
        ("GiB", 1_073_741_824.0),
        ("kB", 1e3),
        ("MB", 1e6),
        ("GB", 1e9),
        ("B", 1.0),
    ];
    const OTHERS: [&str; 4] = ["%", "/s", "/m", "/h"];
    let number = |text: &str| {
        let plain = text.trim().replace('_', "");
        let shaped = plain.starts_with(|c: char| c.is_ascii_digit() || c == '-');
        let value = plain.parse::<f64>().ok().filter(|it| it.is_finite())?;
        shaped.then(|| (value, !plain.contains(['.', 'e', 'E'])))
    };
    let text = text.trim();
    if let Some((value, is_whole)) = number(text) {
        return Some((value, Unit::None, is_whole));
    }
    if let Some(span) = parse_span(text) {
        return Some((span.as_nanos() as f64, Unit::Time, false));
    }
    for (unit, bytes) in SIZES {
        if let Some((value, _)) = text.strip_suffix(unit).and_then(number) {
            return Some((value * bytes, Unit::Size, false));
        }
    }
    OTHERS.into_iter().find_map(|unit| {
        let (value, is_whole) = number(text.strip_suffix(unit)?)?;
        Some((value, Unit::Other(unit), is_whole))
    })
}

/// How large a value is, in a unit that all values of its kind share; `NaN` for what is no number.
pub(super) fn place(value: &str) -> f64 {
    quantity(value).map_or(f64::NAN, |(value, _, _)| value)
}

/// Splits `LOW..HIGH` or `LOW..HIGH:SPACING`, if a value has that form; `..=` says the same as `..`.
pub(super) fn split(value: &str) -> Option<(&str, &str, Option<&str>)> {
    let (low, rest) = value.split_once("..")?;
    let (high, spacing) = match rest.split_once(':') {
        Some((high, spacing)) => (high, Some(spacing)),
        None => (rest, None),
    };
    let high = high.strip_prefix('=').unwrap_or(high);
    Some((low.trim(), high.trim(), spacing.map(str::trim)))
}

impl Range {
    /// Reads a range of the axis `axis`.
    pub(super) fn parse(axis: &str, text: &str) -> Result<(Self, Spacing), AxisError> {
        let wrong = |problem: String| AxisError::Range {
            axis: axis.to_owned(),
            found: text.to_owned(),
            problem,
        };
        let (low, high, spacing) = split(text).ok_or_else(|| wrong("it has no `..`".to_owned()))?;
        let end = |end: &str| {
            let problem = || wrong(format!("`{end}` is no number and no value with a unit"));
            quantity(end).ok_or_else(problem)
        };
        let (from, unit, whole_low) = end(low)?;
        let (to, other, whole_high) = end(high)?;
        if unit != other {
            return Err(wrong(format!(
                "`{low}` and `{high}` are not in units of one kind"
            )));
        }
        if from >= to {
            return Err(wrong(format!("it is empty: {low} is not below {high}")));
        }
        let (spacing, is_log) = spacing_of(spacing, unit).map_err(wrong)?;
        if is_log && from <= 0.0 {
            return Err(wrong(format!(
                "steps of one factor cannot begin at {low}, which is not above zero"
            )));
        }
        if let Spacing::Step(step) = spacing
            && (to - from) / step > f64::from(VALUES_MAX)
        {
            return Err(wrong(format!("that is more than {VALUES_MAX} values")));
        }
        let range = Self {
            low: from,
            high: to,
            unit,
            is_whole: whole_low && whole_high,
            is_log,
            text: text.to_owned(),
        };
        Ok((range, spacing))
    }

    /// As it was written.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Both ends, if every whole number between them is a value.
    pub(super) fn whole(&self) -> Option<(i64, i64)> {
        let is_plain = self.is_whole && self.unit == Unit::None;
        is_plain.then_some((self.low as i64, self.high as i64))
    }

    /// The values at even or growing distances; equal ones, which rounding makes, count once.
    pub(super) fn levels(&self, spacing: Spacing) -> Vec<String> {
        let mut levels: Vec<String> = match spacing {
            Spacing::Even(count) | Spacing::Log(count) => (0..count)
                .map(|index| self.at(f64::from(index) / f64::from(count - 1)))
                .collect(),
            Spacing::Step(step) => (0..=VALUES_MAX)
                .map(|index| self.low + step * f64::from(index))
                .take_while(|value| *value <= self.high + step * 1e-9)
                .map(|value| self.write(value, 9))
                .collect(),
            Spacing::Anywhere => Vec::new(),
        };
        levels.dedup();
        levels
    }

    /// The value at a share (0 to 1) of the way.
    pub(super) fn at(&self, share: f64) -> String {
        // Three digits say enough between the ends of a logarithmic range; the ends stay as they are.
        let (value, digits) = match (self.is_log, share) {
            (_, 0.0) => (self.low, 15),
            (_, 1.0) => (self.high, 15),
            // Not the standard library's power, whose last digit differs between platforms.
            (true, _) => (self.low * libm::pow(self.high / self.low, share), 3),
            (false, _) => (self.low + (self.high - self.low) * share, 6),
        };
        self.write(value, digits)
    }

    /// A value that files can have, rounded to so many digits and to what the unit can say.
    fn write(&self, value: f64, digits: usize) -> String {
        let value = significant(value, digits);
        match self.unit {
            Unit::Time => Span::from_nanos(value.round() as u64).to_string(),
            Unit::Size => format!("{}B", value.round()),
            Unit::None if self.is_whole => format!("{}", value.round()),
            Unit::None => {
                let text = format!("{value}");
                // A whole number would be an integer to TOML, which some keys tell from a float.
                let point = if text.contains('.') { "" } else { ".0" };
                format!("{text}{point}")
            }
            Unit::Other(unit) => format!("{value}{unit}"),
        }
    }
}

/// What the words behind the colon say, and whether the range is logarithmic.
fn spacing_of(text: Option<&str>, unit: Unit) -> Result<(Spacing, bool), String> {
    const FORMS: &str = "a number of values (`:8`), `:log` with a number of values (`:log5`) or `:step` with a distance (`:step50`)";
    let Some(text) = text else {
        return Ok((Spacing::Anywhere, false));
    };
    let wrong = || format!("`:{text}` is none of {FORMS}");
    if let Some(step) = text.strip_prefix("step") {
        let (step, other, _) = quantity(step).ok_or_else(wrong)?;
        if other != unit || step <= 0.0 {
            return Err(format!(
                "`:{text}` is no distance between its values: it must be above zero and in their unit"
            ));
        }
        return Ok((Spacing::Step(step), false));
    }
    let (count, is_log) = match text.strip_prefix("log") {
        Some("") => return Ok((Spacing::Anywhere, true)),
        Some(count) => (count, true),
        None => (text, false),
    };
    let count: u32 = count.parse().map_err(|_| wrong())?;
    if !(2..=VALUES_MAX).contains(&count) {
        return Err(format!(
            "{count} values; a range has 2 to {VALUES_MAX} (write a single value without `..`)"
        ));
    }
    let spacing = match is_log {
        true => Spacing::Log(count),
        false => Spacing::Even(count),
    };
    Ok((spacing, is_log))
}

/// `value` with so many significant digits.
fn significant(value: f64, digits: usize) -> f64 {
    let text = format!("{value:.*e}", digits - 1);
    // What was just printed can be read.
    text.parse().unwrap_or(value)
}
