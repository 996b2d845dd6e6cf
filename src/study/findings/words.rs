//! Parts that sentences and findings are made of.

use crate::metrics::numbers::trimmed;
use crate::metrics::{Finding, Setting, Severity};

/// A number of things as the tables print it; what is no whole number keeps one digit.
pub(super) fn count(value: f64) -> String {
    trimmed(value, 1)
}

/// A value to try.
pub(super) fn set(path: String, value: impl ToString) -> Setting {
    Setting {
        path,
        value: value.to_string(),
    }
}

/// A finding without anything to change.
pub(super) fn finding(
    severity: Severity,
    code: &'static str,
    subject: &str,
    measure: String,
    sentence: String,
) -> Finding {
    Finding {
        code: code.into(),
        subject: subject.to_owned(),
        severity,
        sentence,
        remedy: String::new(),
        changes: Vec::new(),
        measure,
        effect: None,
    }
}

/// A finding with what to do about it.
pub(super) fn advised(finding: Finding, remedy: String, changes: Vec<Setting>) -> Finding {
    Finding {
        remedy,
        changes,
        ..finding
    }
}

/// The longest time between the first and the last of marked places, as `(first, last)`; `None` if none is marked.
pub(super) fn stretch(marked: impl Iterator<Item = bool>) -> Option<(usize, usize)> {
    let mut found = None;
    for (index, _) in marked.enumerate().filter(|(_, is)| *is) {
        found = Some(found.map_or((index, index), |(first, _)| (first, index)));
    }
    found
}

/// The `q` quantile of values, the smallest that at least a share `q` does not exceed; 0 of none.
pub(super) fn quantile(values: impl Iterator<Item = f64>, q: f64) -> f64 {
    let mut values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    let rank = (q * values.len() as f64).ceil() as usize;
    values.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_and_quantiles() {
        let marks = [false, true, false, true, false];
        assert_eq!(stretch(marks.into_iter()), Some((1, 3)));
        assert_eq!(stretch([false].into_iter()), None);
        let values = || (1..=100).map(f64::from);
        assert_eq!(quantile(values(), 0.99), 99.0);
        assert_eq!(quantile(values(), 0.5), 50.0);
        assert_eq!(quantile(std::iter::empty(), 0.5), 0.0);
    }
}
