//! Instants as RFC 3339 writes them.

use crate::engine::Time;

/// `2026-11-21T06:00:00Z` with any offset and fraction, as time since the Unix epoch; `None` for anything else and
/// for instants before 1970.
pub(crate) fn parse(text: &str) -> Option<Time> {
    let bytes = text.as_bytes();
    let number = |range: std::ops::Range<usize>| -> Option<i64> {
        let digits = text.get(range)?;
        digits
            .bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| digits.parse().ok())?
    };
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let marks = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    let separated = matches!(bytes.get(10), Some(b'T' | b't' | b' '));
    if !separated || marks.iter().any(|(at, mark)| bytes.get(*at) != Some(mark)) {
        return None;
    }
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_in_month = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        _ => return None,
    };
    if !(1..=days_in_month).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let rest = text.get(19..)?;
    let (nanos, zone) = match rest.strip_prefix('.') {
        None => (0, rest),
        Some(after) => {
            let len = after
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(after.len());
            let digits = after.get(..len.min(9))?;
            let value: i64 = digits.parse().ok()?;
            (
                value * 10i64.pow(9 - u32::try_from(digits.len()).ok()?),
                after.get(len..)?,
            )
        }
    };
    let offset = match zone.as_bytes() {
        b"Z" | b"z" => 0,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let at = text.len() - 6;
            let seconds = number(at + 1..at + 3)? * 3_600 + number(at + 4..at + 6)? * 60;
            if *sign == b'+' { seconds } else { -seconds }
        }
        _ => return None,
    };
    let secs =
        days_since_epoch(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset;
    let secs = u64::try_from(secs).ok()?;
    Some(Time::from_nanos(
        secs.checked_mul(1_000_000_000)?
            .checked_add(u64::try_from(nanos).ok()?)?,
    ))
}

/// Days from 1970-01-01 in the Gregorian calendar, counted in years that begin in March.
const fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    365 * year + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (153 * month + 2) / 5
        + day
        - 719_469
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_with_offset_and_fraction() {
        let nanos = |text| parse(text).map(Time::as_nanos);
        assert_eq!(nanos("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(
            nanos("2000-02-29T12:00:00.5+01:00"),
            Some(951_822_000_500_000_000)
        );
        assert_eq!(
            nanos("2026-11-21T06:00:00Z"),
            Some(1_795_240_800_000_000_000)
        );
        for bad in [
            "",
            "2026-11-21",
            "2026-02-30T00:00:00Z",
            "2026-11-21T06:00:00",
            "1969-12-31T00:00:00Z",
            "2026-11-21T06:00:00.Z",
        ] {
            assert_eq!(nanos(bad), None, "{bad}");
        }
    }
}
