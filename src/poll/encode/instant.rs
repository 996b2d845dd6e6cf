//! Instants as AWS writes them into events and records: RFC 3339, in UTC, with a `Z`.

use crate::engine::Time;

/// How much of a second is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Precision {
    /// `2026-11-21T06:00:01Z`; the rest of the second is cut off.
    Seconds,
    /// `2026-11-21T06:00:01.250Z`; the rest of the millisecond is cut off.
    Millis,
}

/// An instant on the calendar, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Calendar {
    pub(crate) year: u64,
    pub(crate) month: u64,
    pub(crate) day: u64,
    pub(crate) hour: u64,
    pub(crate) minute: u64,
    pub(crate) second: u64,
    pub(crate) milli: u64,
}

impl From<Time> for Calendar {
    /// `time` counts from the Unix epoch.
    fn from(time: Time) -> Self {
        let millis = time.as_millis();
        Self {
            milli: millis % 1_000,
            ..Self::from_unix_secs(millis / 1_000)
        }
    }
}

impl Calendar {
    /// The second that many after the Unix epoch; any number has a date.
    pub(crate) const fn from_unix_secs(secs: u64) -> Self {
        const DAYS_OF_400_YEARS: u64 = 146_097;
        const DAYS_OF_100_YEARS: u64 = 36_524;
        const DAYS_OF_4_YEARS: u64 = 1_461;
        // Days from 0000-03-01 to 1970-01-01: with years that begin in March, the day that comes and goes is their last.
        const EPOCH: u64 = 719_468;
        let (days, of_day) = (secs / 86_400 + EPOCH, secs % 86_400);
        let (eras, in_era) = (days / DAYS_OF_400_YEARS, days % DAYS_OF_400_YEARS);
        let leapless = in_era - in_era / (DAYS_OF_4_YEARS - 1) + in_era / DAYS_OF_100_YEARS
            - in_era / (DAYS_OF_400_YEARS - 1);
        let year_of_era = leapless / 365;
        let in_year = in_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        // Five months of 153 days, over and over.
        let march_month = (5 * in_year + 2) / 153;
        let day = in_year - (153 * march_month + 2) / 5 + 1;
        let (month, is_next_year) = match march_month {
            0..=9 => (march_month + 3, 0),
            _ => (march_month - 9, 1),
        };
        Self {
            year: eras * 400 + year_of_era + is_next_year,
            month,
            day,
            hour: of_day / 3_600,
            minute: of_day / 60 % 60,
            second: of_day % 60,
            milli: 0,
        }
    }
}

/// Appends `time`, counted from the Unix epoch.
pub(crate) fn push_instant(out: &mut Vec<u8>, time: Time, precision: Precision) {
    let Calendar {
        year,
        month,
        day,
        hour,
        minute,
        second,
        milli,
    } = Calendar::from(time);
    let mut text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    match precision {
        Precision::Seconds => text.push('Z'),
        Precision::Millis => text.push_str(&format!(".{milli:03}Z")),
    }
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::parse_timestamp;
    use proptest::prelude::*;

    fn text(time: Time, precision: Precision) -> String {
        let mut out = Vec::new();
        push_instant(&mut out, time, precision);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn instants_are_cut_off_not_rounded() {
        let time = Time::from_millis(1_789_654_392_081);
        assert_eq!(text(time, Precision::Millis), "2026-09-17T14:13:12.081Z");
        assert_eq!(text(time, Precision::Seconds), "2026-09-17T14:13:12Z");
        assert_eq!(
            text(Time::from_millis(999), Precision::Seconds),
            "1970-01-01T00:00:00Z"
        );
    }

    #[test]
    fn leap_days_are_where_they_belong() {
        for (secs, expected) in [
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_709_164_800, "2024-02-29T00:00:00Z"),
            (1_798_761_599, "2026-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(text(Time::from_secs(secs), Precision::Seconds), expected);
        }
        assert_eq!(text(Time::MAX, Precision::Seconds), "2554-07-21T23:34:33Z");
    }

    proptest! {
        #[test]
        fn what_is_written_can_be_read_back(millis in 0u64..18_446_744_073_709) {
            let time = Time::from_millis(millis);
            prop_assert_eq!(parse_timestamp(&text(time, Precision::Millis)), Some(time));
        }
    }
}
