//! Values with units: durations, sizes, chances and rates.

use crate::engine::{Ratio, Span};

/// How durations are written.
pub(crate) const DURATION_FORMS: &str =
    "a number with ns, us, ms, s, m, h or d, such as \"250ms\", \"5m\" or \"1h30m\"";
/// How sizes are written.
pub(crate) const SIZE_FORMS: &str =
    "a number with B, kB, KiB, MB, MiB, GB or GiB, such as \"1KiB\" or \"10MB\"";
/// How chances are written.
pub(crate) const RATIO_FORMS: &str =
    "a fraction or a percentage from 0 to 1, such as \"1/1000\" or \"0.1%\"";
/// How rates are written.
pub(crate) const RATE_FORMS: &str =
    "events per second, such as 200, or a text such as \"200/s\", \"30/m\" or \"5/h\"";

/// Largest unit first; a duration names each at most once, in this order.
const TIME_UNITS: [(&str, u64); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

const SIZE_UNITS: [(&str, u64); 7] = [
    ("B", 1),
    ("kB", 1_000),
    ("KiB", 1_024),
    ("MB", 1_000_000),
    ("MiB", 1_048_576),
    ("GB", 1_000_000_000),
    ("GiB", 1_073_741_824),
];

/// Why a text has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnitError {
    /// There is a number and nothing behind it.
    NoUnit,
    /// Nothing that can be understood.
    Malformed,
    /// Understood, and too large or too finely divided.
    Unrepresentable,
}

/// Reads a duration as files have it: `250ms`, `5m`, `1h30m`. `None` for anything else.
///
/// ```
/// use tidegate::engine::Span;
/// use tidegate::scenario::parse_span;
///
/// assert_eq!(parse_span("1h30m"), Some(Span::from_secs(5_400)));
/// assert_eq!(parse_span("90"), None);
/// ```
pub fn parse_span(text: &str) -> Option<Span> {
    duration(text).ok()
}

/// A duration such as `1h30m`; a fraction (`1.2s`) must be whole nanoseconds.
pub(crate) fn duration(text: &str) -> Result<Span, UnitError> {
    let mut rest = text.trim();
    let mut total = 0u64;
    let mut allowed = &TIME_UNITS[..];
    if rest.is_empty() {
        return Err(UnitError::Malformed);
    }
    while !rest.is_empty() {
        let (number, after) = decimal(rest)?;
        let unit_len = after
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(after.len());
        let (unit, next) = after.split_at(unit_len);
        if unit.is_empty() {
            return Err(if next.trim().is_empty() {
                UnitError::NoUnit
            } else {
                UnitError::Malformed
            });
        }
        let place = allowed
            .iter()
            .position(|(name, _)| *name == unit)
            .ok_or(UnitError::Malformed)?;
        let nanos = number
            .times(allowed[place].1)
            .ok_or(UnitError::Unrepresentable)?;
        total = total.checked_add(nanos).ok_or(UnitError::Unrepresentable)?;
        allowed = &allowed[place + 1..];
        rest = next;
    }
    Ok(Span::from_nanos(total))
}

/// A size such as `1KiB`, in bytes.
pub(crate) fn size(text: &str) -> Result<u64, UnitError> {
    let (number, unit) = decimal(text.trim())?;
    let unit = unit.trim_start();
    if unit.is_empty() {
        return Err(UnitError::NoUnit);
    }
    let (_, bytes) = SIZE_UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .ok_or(UnitError::Malformed)?;
    number.times(*bytes).ok_or(UnitError::Unrepresentable)
}

/// A chance: `1/1000` or `0.1%`.
pub(crate) fn ratio(text: &str) -> Result<Ratio, UnitError> {
    let text = text.trim();
    if let Some((above, below)) = text.split_once('/') {
        let whole = |text: &str| text.trim().parse::<u64>().map_err(|_| UnitError::Malformed);
        return Ratio::new(whole(above)?, whole(below)?).ok_or(UnitError::Unrepresentable);
    }
    let (number, after) = decimal(text)?;
    if after.trim() != "%" {
        return Err(if after.is_empty() {
            UnitError::NoUnit
        } else {
            UnitError::Malformed
        });
    }
    let below = number
        .scale
        .checked_mul(100)
        .ok_or(UnitError::Unrepresentable)?;
    Ratio::new(number.digits, below).ok_or(UnitError::Unrepresentable)
}

/// A rate such as `30/m`, in events per second.
pub(crate) fn rate(text: &str) -> Result<f64, UnitError> {
    let (number, after) = decimal(text.trim())?;
    let seconds = match after.trim() {
        "" => return Err(UnitError::NoUnit),
        "/s" => 1.0,
        "/m" => 60.0,
        "/h" => 3_600.0,
        _ => return Err(UnitError::Malformed),
    };
    Ok(number.digits as f64 / number.scale as f64 / seconds)
}

/// A decimal number kept exact: `digits / scale`.
#[derive(Clone, Copy)]
struct Decimal {
    digits: u64,
    scale: u64,
}

impl Decimal {
    /// `self × unit` when that is a whole number that fits.
    fn times(self, unit: u64) -> Option<u64> {
        let product = u128::from(self.digits) * u128::from(unit);
        let scale = u128::from(self.scale);
        if !product.is_multiple_of(scale) {
            return None;
        }
        u64::try_from(product / scale).ok()
    }
}

/// Takes the number at the start of `text`.
fn decimal(text: &str) -> Result<(Decimal, &str), UnitError> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || fraction.contains('.') || (number.contains('.') && fraction.is_empty()) {
        return Err(UnitError::Malformed);
    }
    let digits = format!("{whole}{fraction}")
        .parse()
        .map_err(|_| UnitError::Unrepresentable)?;
    let exponent = u32::try_from(fraction.len()).map_err(|_| UnitError::Unrepresentable)?;
    let scale = 10u64
        .checked_pow(exponent)
        .ok_or(UnitError::Unrepresentable)?;
    Ok((Decimal { digits, scale }, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_exact() {
        let nanos = |text| duration(text).map(Span::as_nanos);
        assert_eq!(nanos("250ms"), Ok(250_000_000));
        assert_eq!(nanos("1h30m"), Ok(5_400_000_000_000));
        assert_eq!(nanos("1.2s"), Ok(1_200_000_000));
        assert_eq!(nanos("0s"), Ok(0));
        assert_eq!(nanos("5"), Err(UnitError::NoUnit));
        assert_eq!(nanos("1h5"), Err(UnitError::NoUnit));
        for bad in [
            "", "ms", "-1s", "30m1h", "1s1s", "5 sec", "1.s", ".5s", "1e3s", "5min",
        ] {
            assert_eq!(nanos(bad), Err(UnitError::Malformed), "{bad}");
        }
        assert_eq!(nanos("0.1ns"), Err(UnitError::Unrepresentable));
        assert_eq!(nanos("999999999d"), Err(UnitError::Unrepresentable));
    }

    #[test]
    fn sizes_tell_binary_from_decimal() {
        assert_eq!(size("1KiB"), Ok(1_024));
        assert_eq!(size("1.5 kB"), Ok(1_500));
        assert_eq!(size("10"), Err(UnitError::NoUnit));
        assert_eq!(size("1kb"), Err(UnitError::Malformed));
        assert_eq!(size("0.3B"), Err(UnitError::Unrepresentable));
    }

    #[test]
    fn chances_stay_fractions() {
        assert_eq!(ratio("0.1%"), Ok(Ratio::new(1, 1_000).expect("a chance")));
        assert_eq!(ratio("100%"), Ok(Ratio::new(100, 100).expect("a chance")));
        assert_eq!(ratio("3/2"), Err(UnitError::Unrepresentable));
        assert_eq!(ratio("101%"), Err(UnitError::Unrepresentable));
        assert_eq!(ratio("0.5"), Err(UnitError::NoUnit));
        assert_eq!(rate("30/m"), Ok(0.5));
        assert_eq!(rate("30"), Err(UnitError::NoUnit));
    }
}
