//! Ticks at values that people count in, and their labels.

use super::numbers;
use super::view::Axis;

/// A tick: where, and what it says.
pub(super) type Tick = (f64, String);

const TIME_TICKS_MAX: f64 = 6.0;
const VALUE_TICKS_MAX: f64 = 5.0;

/// Steps of a time axis, seconds.
const SECONDS: [f64; 20] = [
    1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0, 7_200.0,
    10_800.0, 21_600.0, 43_200.0, 86_400.0, 172_800.0, 604_800.0,
];

/// Steps of an axis of durations from a second on, milliseconds.
const LONG_MILLIS: [f64; 18] = [
    1e3, 2e3, 5e3, 10e3, 20e3, 30e3, 60e3, 120e3, 300e3, 600e3, 1_200e3, 1_800e3, 3_600e3, 7_200e3,
    21_600e3, 43_200e3, 86_400e3, 604_800e3,
];

const LOG_TICKS_MAX: usize = 7;

/// Ticks of a logarithmic axis of durations, milliseconds.
const LOG_MILLIS: [f64; 28] = [
    0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1e3,
    2e3, 5e3, 10e3, 30e3, 60e3, 120e3, 300e3, 600e3, 1_800e3, 3_600e3, 21_600e3, 86_400e3,
];

/// The same where these would be too many.
const LOG_MILLIS_FEW: [f64; 12] = [
    0.01, 0.1, 1.0, 10.0, 100.0, 1e3, 10e3, 60e3, 600e3, 3_600e3, 21_600e3, 86_400e3,
];

/// Ticks of the time axis over `end` seconds, and the name of their format.
pub(super) fn time(end: f64) -> (Vec<Tick>, &'static str) {
    let step = SECONDS
        .into_iter()
        .find(|step| end / step <= TIME_TICKS_MAX)
        .unwrap_or_else(|| decimal_step(end / TIME_TICKS_MAX));
    type Label = fn(u64) -> String;
    let (label, format): (Label, _) = if end < 120.0 {
        (|s| format!("{s} s"), "")
    } else if end <= 7_200.0 {
        (|s| format!("{}:{:02}", s / 60, s % 60), "m:ss")
    } else {
        (|s| format!("{}:{:02}", s / 3_600, s / 60 % 60), "h:mm")
    };
    let ticks = multiples(step, end).into_iter().map(|at| {
        let text = if at == 0.0 {
            "0".to_owned()
        } else {
            label(at as u64)
        };
        (at, text)
    });
    (ticks.collect(), format)
}

/// Ticks of a linear value axis that reaches up to `top`.
pub(super) fn linear(axis: Axis, top: f64) -> Vec<Tick> {
    let wanted = top / VALUE_TICKS_MAX;
    let step = match axis {
        Axis::Count(_) => decimal_step(wanted).max(1.0),
        Axis::Rate(_) => decimal_step(wanted),
        Axis::Time => LONG_MILLIS
            .into_iter()
            .find(|step| wanted > 500.0 && *step >= wanted)
            .unwrap_or_else(|| decimal_step(wanted)),
    };
    let ticks = multiples(step, top).into_iter();
    ticks.map(|at| (at, label(axis, at, step))).collect()
}

/// Ticks of a logarithmic axis of durations: as many familiar ones as fit.
pub(super) fn logarithmic(low: f64, high: f64) -> Vec<Tick> {
    let inside = |steps: &[f64]| -> Vec<f64> {
        let known = steps.iter().copied();
        known.filter(|at| (low..=high).contains(at)).collect()
    };
    let all = inside(&LOG_MILLIS);
    let ticks = if all.len() > LOG_TICKS_MAX {
        inside(&LOG_MILLIS_FEW)
    } else {
        all
    };
    let ticks = ticks.into_iter();
    ticks.map(|at| (at, label(Axis::Time, at, at))).collect()
}

/// Ticks of an axis of percentiles up to `1 / (1 - p)`.
pub(super) fn percentiles(high: f64) -> Vec<Tick> {
    const KNOWN: [(f64, &str); 6] = [
        (2.0, "50%"),
        (10.0, "90%"),
        (100.0, "99%"),
        (1e3, "99.9%"),
        (1e4, "99.99%"),
        (1e5, "99.999%"),
    ];
    // The last place was reached by multiplying.
    let inside = KNOWN.iter().filter(|(at, _)| *at <= high * (1.0 + 1e-9));
    inside.map(|(at, text)| (*at, (*text).to_owned())).collect()
}

/// The 1, 2 or 5 times a power of ten at or below a positive value.
pub(super) fn round_down(value: f64) -> f64 {
    let decade = power_of_ten_below(value);
    let factors = [5.0, 2.0, 1.0].into_iter();
    let fits = factors
        .map(|factor| factor * decade)
        .find(|at| *at <= value);
    fits.unwrap_or(decade)
}

/// The smallest 1, 2 or 5 times a power of ten that is at least a positive value.
pub(super) fn decimal_step(value: f64) -> f64 {
    let decade = power_of_ten_below(value);
    let factors = [1.0, 2.0, 5.0].into_iter();
    let fits = factors
        .map(|factor| factor * decade)
        .find(|at| *at >= value);
    fits.unwrap_or(decade * 10.0)
}

/// Multiplies and divides only: logarithms and powers differ between platforms in their last digit.
fn power_of_ten_below(value: f64) -> f64 {
    let mut decade = 1.0;
    if !(value.is_finite() && value > 0.0) {
        return decade;
    }
    while decade * 10.0 <= value {
        decade *= 10.0;
    }
    let mut divisor = 1.0;
    while decade / divisor > value {
        divisor *= 10.0;
    }
    decade / divisor
}

fn multiples(step: f64, end: f64) -> Vec<f64> {
    let count = (end / step + 1e-9).floor() as u32;
    (0..=count).map(|index| f64::from(index) * step).collect()
}

fn label(axis: Axis, at: f64, step: f64) -> String {
    let (value, unit) = match axis {
        Axis::Time if at == 0.0 => (at, ""),
        // By the step where it is the coarser of the two: 60 s, 80 s rather than 1 min, 1.333 min.
        Axis::Time => match step {
            ..1_000.0 if at < 1_000.0 => (at, " ms"),
            ..60e3 => (at / 1e3, " s"),
            ..3_600e3 => (at / 60e3, " min"),
            ..86_400e3 => (at / 3_600e3, " h"),
            _ => (at / 86_400e3, " d"),
        },
        Axis::Count(_) | Axis::Rate(_) if step >= 200_000.0 && at > 0.0 => (at / 1e6, " M"),
        Axis::Count(_) | Axis::Rate(_) => (at, ""),
    };
    format!("{}{unit}", numbers::trimmed(value, 3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: Vec<Tick>) -> String {
        let texts: Vec<_> = ticks.into_iter().map(|(_, text)| text).collect();
        texts.join("|")
    }

    #[test]
    fn time_ticks_follow_the_clock() {
        assert_eq!(
            labels(time(1_800.0).0),
            "0|5:00|10:00|15:00|20:00|25:00|30:00"
        );
        assert_eq!(labels(time(60.0).0), "0|10 s|20 s|30 s|40 s|50 s|60 s");
        assert_eq!(labels(time(86_400.0).0), "0|6:00|12:00|18:00|24:00");
        assert_eq!(time(86_400.0).1, "h:mm");
    }

    #[test]
    fn values_have_few_round_ticks() {
        assert_eq!(
            labels(linear(Axis::Rate(""), 20_400.0)),
            "0|5,000|10,000|15,000|20,000"
        );
        assert_eq!(labels(linear(Axis::Rate(""), 0.34)), "0|0.1|0.2|0.3");
        assert_eq!(labels(linear(Axis::Count(""), 2.2)), "0|1|2");
        assert_eq!(
            labels(linear(Axis::Count(""), 2.4e6)),
            "0|0.5 M|1 M|1.5 M|2 M"
        );
        assert_eq!(
            labels(linear(Axis::Time, 95_000.0)),
            "0|20 s|40 s|60 s|80 s"
        );
    }

    #[test]
    fn logarithmic_ticks_stay_inside() {
        assert_eq!(
            labels(logarithmic(50.0, 8_000.0)),
            "50 ms|100 ms|200 ms|500 ms|1 s|2 s|5 s"
        );
        assert_eq!(
            labels(logarithmic(1.0, 90_000.0)),
            "1 ms|10 ms|100 ms|1 s|10 s|1 min"
        );
        assert_eq!(round_down(0.73), 0.5);
        assert_eq!(round_down(80.0), 50.0);
    }
}
