//! How many replications a variant needs.

use crate::metrics::mean_with_interval;
use std::fmt;

/// How often each variant runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Replications {
    /// At least.
    pub min: u32,
    /// At most.
    pub max: u32,
    /// Half of the 95 % interval as a share of the mean, 0 to 1, at which a figure is known well enough.
    pub precision: Option<f64>,
}

/// The text is no precision.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{found}` is no precision; write half the width of the interval in percent of the mean, such as `2%` (above 0% and up to 100%)"
)]
pub struct PrecisionError {
    found: String,
}

/// Reads `2%` as 0.02.
///
/// # Errors
/// When it is no percentage above 0 and up to 100.
pub fn parse_precision(text: &str) -> Result<f64, PrecisionError> {
    let percent: Option<f64> = text.trim().strip_suffix('%').and_then(|n| n.parse().ok());
    match percent {
        Some(percent) if percent > 0.0 && percent <= 100.0 => Ok(percent / 100.0),
        _ => Err(PrecisionError {
            found: text.to_owned(),
        }),
    }
}

impl Replications {
    /// Always so many.
    pub const fn exactly(count: u32) -> Self {
        Self {
            min: count,
            max: count,
            precision: None,
        }
    }

    /// How many replications a variant should have whose first ones gave these figures: as many as there are when that is
    /// enough. `figures` has one list of values for each measure that counts.
    pub(super) fn wanted(&self, have: u32, figures: &[Vec<f64>]) -> u32 {
        let Some(precision) = self.precision else {
            return self.min;
        };
        if have < self.min {
            return self.min;
        }
        let excess = figures
            .iter()
            .map(|values| excess(values, precision))
            .fold(0.0, f64::max);
        if excess <= 1.0 || have >= self.max {
            return have;
        }
        // Intervals shrink with the root of the number; at most twice as many at once, for the estimate is rough.
        let guess = f64::from(have) * excess * excess;
        let next = guess.min(2.0 * f64::from(have)).ceil() as u32;
        next.clamp(have + 1, self.max)
    }
}

/// How many times wider than asked for the interval is.
fn excess(values: &[f64], precision: f64) -> f64 {
    let figure = mean_with_interval(values, 0);
    let Some((low, high)) = figure.interval else {
        // One value says nothing; none at all is all that there will be.
        return if figure.value.is_finite() {
            f64::INFINITY
        } else {
            0.0
        };
    };
    let half = (high - low) / 2.0;
    if half == 0.0 {
        return 0.0;
    }
    half / (precision * figure.value.abs())
}

impl fmt::Display for Replications {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.precision {
            None => write!(f, "{}", self.min),
            Some(share) => write!(f, "{} to {} for ±{}%", self.min, self.max, share * 100.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Replications = Replications {
        min: 4,
        max: 50,
        precision: Some(0.1),
    };

    #[test]
    fn as_many_as_the_interval_needs() {
        assert_eq!(Replications::exactly(3).wanted(0, &[]), 3);
        assert_eq!(RULE.wanted(0, &[]), 4);
        // Deviation 1 around 100: half an interval of 1.6 is within 10.
        let calm = vec![99.0, 101.0, 99.0, 101.0];
        assert_eq!(RULE.wanted(4, std::slice::from_ref(&calm)), 4);
        // A wild one beside it decides, and doubles the number.
        let wild = vec![50.0, 150.0, 50.0, 150.0];
        assert_eq!(RULE.wanted(4, &[calm, wild.clone()]), 8);
        let all: Vec<f64> = wild.iter().copied().cycle().take(50).collect();
        assert_eq!(RULE.wanted(50, &[all]), 50, "not more than allowed");
        assert_eq!(RULE.wanted(4, &[vec![0.0; 4]]), 4, "nothing varies");
        assert_eq!(RULE.wanted(4, &[vec![f64::NAN; 4]]), 4, "nothing is there");
        assert_eq!(RULE.wanted(4, &[vec![0.0, 0.0, 0.0, 1.0]]), 8);
    }

    #[test]
    fn precisions_are_percentages() {
        assert_eq!(parse_precision("2%"), Ok(0.02));
        for bad in ["2", "0%", "101%", "-1%", "x%", "NaN%"] {
            let told = parse_precision(bad).unwrap_err().to_string();
            assert!(told.contains(&format!("`{bad}` is no precision")), "{told}");
        }
    }
}
