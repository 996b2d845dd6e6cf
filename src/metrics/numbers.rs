//! Numbers as people read them. Every function prints a dash for a value that does not exist.

const NONE: &str = "–";

/// With thousands separators: `1,234,567` or `1,234.5`.
pub(crate) fn grouped(value: f64, decimals: u8) -> String {
    if !value.is_finite() {
        return NONE.to_owned();
    }
    let plain = format!("{:.*}", usize::from(decimals), value.abs());
    let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
    let mut text = String::new();
    if value < 0.0 && plain.contains(|c| matches!(c, '1'..='9')) {
        text.push('-');
    }
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if !fraction.is_empty() {
        text.push('.');
        text.push_str(fraction);
    }
    text
}

/// Up to `decimals` digits after the point, without trailing zeros.
pub(crate) fn trimmed(value: f64, decimals: u8) -> String {
    let text = grouped(value, decimals);
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Three significant digits with a unit that suits the size: `0.42 ms`, `12.3 ms`, `1.23 s`, `2 min 05 s`.
pub(crate) fn millis(value: f64) -> String {
    if !value.is_finite() {
        return NONE.to_owned();
    }
    // The bounds are where rounding to three digits would carry into the next unit.
    match value.abs() {
        // Also what rounding leaves of the spread of equal values.
        ..0.000_5 => "0 ms".to_owned(),
        ..0.005 => "<0.01 ms".to_owned(),
        ..9.995 => format!("{value:.2} ms"),
        ..99.95 => format!("{value:.1} ms"),
        ..999.5 => format!("{value:.0} ms"),
        ..9_995.0 => format!("{:.2} s", value / 1e3),
        ..59_950.0 => format!("{:.1} s", value / 1e3),
        _ => seconds(value / 1e3),
    }
}

/// A length of time: `45 s`, `28 min`, `2 min 05 s`, `1 h 30 min`.
pub(crate) fn seconds(value: f64) -> String {
    if !value.is_finite() {
        return NONE.to_owned();
    }
    if value < 59.95 {
        return format!("{} s", trimmed(value, 1));
    }
    let whole = value.round() as u64;
    let (hours, minutes, rest) = (whole / 3_600, whole / 60 % 60, whole % 60);
    match (hours, minutes, rest) {
        (0, minutes, 0) => format!("{minutes} min"),
        (0, minutes, rest) => format!("{minutes} min {rest:02} s"),
        (hours, 0, _) => format!("{} h", grouped(hours as f64, 0)),
        (hours, minutes, _) => format!("{} h {minutes:02} min", grouped(hours as f64, 0)),
    }
}

/// A share as a percentage; small shares keep a digit that tells them from zero.
pub(crate) fn percent(share: f64) -> String {
    if !share.is_finite() {
        return NONE.to_owned();
    }
    let value = share * 100.0;
    match value.abs() {
        0.0 => "0%".to_owned(),
        ..0.01 => "<0.01%".to_owned(),
        ..9.995 => format!("{value:.2}%"),
        ..99.95 => format!("{value:.1}%"),
        // Nearly all is not all.
        ..100.0 => "99.9%".to_owned(),
        _ => format!("{value:.0}%"),
    }
}

/// Large numbers in short: `842`, `12.3 k`, `3.12 M`.
pub(crate) fn compact(value: f64) -> String {
    if !value.is_finite() {
        return NONE.to_owned();
    }
    let digits = |value: f64| match value.abs() {
        ..9.995 => format!("{value:.2}"),
        ..99.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    };
    match value.abs() {
        ..999.5 => digits(value).trim_end_matches(".00").to_owned(),
        ..999_500.0 => format!("{} k", digits(value / 1e3)),
        ..999_500_000.0 => format!("{} M", digits(value / 1e6)),
        _ => format!("{} G", digits(value / 1e9)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(grouped(1_234_567.0, 0), "1,234,567");
        assert_eq!(grouped(999.0, 0), "999");
        assert_eq!(grouped(-1_234.56, 1), "-1,234.6");
        assert_eq!(grouped(-0.01, 1), "0.0");
        assert_eq!(grouped(f64::NAN, 0), "–");
        assert_eq!(trimmed(640.1, 3), "640.1");
        assert_eq!(trimmed(1_000.0, 3), "1,000");
    }

    #[test]
    fn rounding_carries_into_the_next_unit() {
        assert_eq!(millis(0.0), "0 ms");
        assert_eq!(millis(1e-12), "0 ms");
        assert_eq!(millis(0.001), "<0.01 ms");
        assert_eq!(millis(0.421), "0.42 ms");
        assert_eq!(millis(9.996), "10.0 ms");
        assert_eq!(millis(12.34), "12.3 ms");
        assert_eq!(millis(999.6), "1.00 s");
        assert_eq!(millis(59_960.0), "1 min");
        assert_eq!(millis(125_000.0), "2 min 05 s");
        assert_eq!(seconds(5_400.0), "1 h 30 min");
        assert_eq!(seconds(0.5), "0.5 s");
    }

    #[test]
    fn shares_never_round_to_none_or_all() {
        assert_eq!(percent(0.000_01), "<0.01%");
        assert_eq!(percent(0.000_9), "0.09%");
        assert_eq!(percent(0.123_4), "12.3%");
        assert_eq!(percent(0.999_9), "99.9%");
        assert_eq!(percent(1.0), "100%");
    }

    #[test]
    fn large_numbers_shorten() {
        assert_eq!(compact(842.0), "842");
        assert_eq!(compact(12_340.0), "12.3 k");
        assert_eq!(compact(999_600.0), "1.00 M");
        assert_eq!(compact(3_120_400.0), "3.12 M");
    }
}
