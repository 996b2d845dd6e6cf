//! Schedule expressions of Application Auto Scaling: `at(…)`, `rate(…)` and `cron(…)`, with time zones.

use crate::engine::{Span, Time};
use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use std::ops::Range;

/// A schedule expression that cannot be used, with the bytes of the expression that are wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ScheduleError {
    pub(crate) part: Range<usize>,
    pub(crate) message: String,
    pub(crate) allowed: &'static str,
}

/// A schedule that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Schedule {
    /// Once, at this local time.
    At(DateTime),
    /// Again and again, the first time one period after the beginning.
    Rate(Span),
    /// Whenever the calendar fits.
    Cron(Box<Cron>),
}

/// The six fields of a cron expression, as sets of numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cron {
    minutes: Vec<u16>,
    hours: Vec<u16>,
    days: Days,
    months: Vec<u16>,
    years: Vec<u16>,
}

/// Which days of a month: exactly one of the two fields says so, the other is `?`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Days {
    OfMonth(Vec<u16>),
    LastOfMonth,
    /// The working day nearest to this day, within its month (`W`).
    NearestWorkday(u16),
    /// 1 is Sunday.
    OfWeek(Vec<u16>),
    /// The last such weekday of the month (`L`).
    LastOfWeek(u16),
    /// The n-th such weekday of the month (`#`).
    NthOfWeek(u16, u16),
}

const FORMS: &str = "at(yyyy-mm-ddThh:mm:ss), rate(value unit), cron(minutes hours day-of-month month day-of-week year)";
const FIELDS: &str = "six fields: minutes hours day-of-month month day-of-week year";
const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

impl Schedule {
    /// Understands an expression.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub(crate) fn parse(text: &str) -> Result<Self, ScheduleError> {
        let whole = || ScheduleError {
            part: 0..text.len(),
            message: "this is no schedule expression".to_owned(),
            allowed: FORMS,
        };
        let (kind, rest) = text.split_once('(').ok_or_else(whole)?;
        let inner = rest.strip_suffix(')').ok_or_else(whole)?;
        let start = kind.len() + 1;
        match kind {
            "at" => inner.parse().map(Self::At).map_err(|_| ScheduleError {
                part: start..start + inner.len(),
                message: "this is no local time".to_owned(),
                allowed: "at(yyyy-mm-ddThh:mm:ss)",
            }),
            "rate" => rate(inner, start).map(Self::Rate),
            "cron" => cron(inner, start).map(|cron| Self::Cron(Box::new(cron))),
            _ => Err(whole()),
        }
    }

    /// When it is due from `from` on, for less than `length`, as time since `from`; `from` itself included.
    pub(crate) fn due(&self, from: Time, length: Span, zone: &TimeZone) -> Vec<Span> {
        match self {
            Self::At(local) => instant(*local, zone)
                .filter(|at| *at >= from && at.since(from) < length)
                .map(|at| at.since(from))
                .into_iter()
                .collect(),
            Self::Rate(period) => {
                let mut times = Vec::new();
                let mut at = *period;
                while at < length {
                    times.push(at);
                    at += *period;
                }
                times
            }
            Self::Cron(cron) => cron.due(from, length, zone),
        }
    }
}

impl Cron {
    fn due(&self, from: Time, length: Span, zone: &TimeZone) -> Vec<Span> {
        let mut times = Vec::new();
        let local = |time: Time| {
            let secs = i64::try_from(time.as_nanos() / 1_000_000_000).ok()?;
            let stamp = Timestamp::from_second(secs).ok()?;
            Some(stamp.to_zoned(zone.clone()).date())
        };
        let (Some(mut day), Some(last)) = (local(from), local(from + length)) else {
            return times;
        };
        while day <= last {
            if self.fits(day) {
                for (hour, minute) in self.clock() {
                    let due = instant(day.at(hour, minute, 0, 0), zone);
                    times.extend(
                        due.filter(|at| *at >= from && at.since(from) < length)
                            .map(|at| at.since(from)),
                    );
                }
            }
            match day.tomorrow() {
                Ok(next) => day = next,
                Err(_) => break,
            }
        }
        times
    }

    fn clock(&self) -> impl Iterator<Item = (i8, i8)> {
        self.hours.iter().flat_map(|hour| {
            self.minutes
                .iter()
                .map(|minute| (*hour as i8, *minute as i8))
        })
    }

    fn fits(&self, day: Date) -> bool {
        let number = day.day() as u16;
        let weekday = weekday(day);
        self.years.contains(&(day.year() as u16))
            && self.months.contains(&(day.month() as u16))
            && match &self.days {
                Days::OfMonth(days) => days.contains(&number),
                Days::LastOfMonth => day == day.last_of_month(),
                Days::NearestWorkday(wanted) => nearest_workday(day, *wanted) == Some(day),
                Days::OfWeek(days) => days.contains(&weekday),
                Days::LastOfWeek(wanted) => {
                    weekday == *wanted && number + 7 > day.last_of_month().day() as u16
                }
                Days::NthOfWeek(wanted, nth) => weekday == *wanted && number.div_ceil(7) == *nth,
            }
    }
}

/// 1 is Sunday, as in cron.
fn weekday(day: Date) -> u16 {
    day.weekday().to_sunday_one_offset() as u16
}

/// The working day nearest to day `wanted` in the month of `day`.
fn nearest_workday(day: Date, wanted: u16) -> Option<Date> {
    let exact = Date::new(day.year(), day.month(), i8::try_from(wanted).ok()?).ok()?;
    let shift = match exact.weekday() {
        Weekday::Saturday if wanted == 1 => 2,
        Weekday::Saturday => -1,
        Weekday::Sunday if exact == exact.last_of_month() => -2,
        Weekday::Sunday => 1,
        _ => 0,
    };
    exact.checked_add(shift.days()).ok()
}

/// The instant of a local time; one that a change of clocks skips is moved by the gap, and of two the first counts.
fn instant(local: DateTime, zone: &TimeZone) -> Option<Time> {
    let stamp = zone.to_ambiguous_timestamp(local).compatible().ok()?;
    u64::try_from(stamp.as_second()).ok().map(Time::from_secs)
}

fn rate(inner: &str, start: usize) -> Result<Span, ScheduleError> {
    let wrong = |message: &str| ScheduleError {
        part: start..start + inner.len(),
        message: message.to_owned(),
        allowed: "rate(value unit) with a value from 1 and minute(s), hour(s) or day(s)",
    };
    let (value, unit) = inner
        .split_once(' ')
        .ok_or_else(|| wrong("a rate has a value and a unit"))?;
    let value: u32 = value
        .parse()
        .ok()
        .filter(|value| *value > 0)
        .ok_or_else(|| wrong("the value of a rate is a positive whole number"))?;
    let secs = match unit.trim().trim_end_matches('s') {
        "minute" => 60,
        "hour" => 3_600,
        "day" => 86_400,
        _ => return Err(wrong("this is no unit of a rate")),
    };
    Ok(Span::from_secs(secs).times(u64::from(value)))
}

/// A field of a cron expression and where it stands.
struct Field<'a> {
    text: &'a str,
    start: usize,
    name: &'static str,
    range: (u16, u16),
    names: &'static [&'static str],
    allowed: &'static str,
}

fn cron(inner: &str, start: usize) -> Result<Cron, ScheduleError> {
    let texts: Vec<(usize, &str)> = words(inner, start);
    let [minutes, hours, day, month, weekday, year] = texts.as_slice() else {
        return Err(ScheduleError {
            part: start..start + inner.len(),
            message: format!("{} fields", texts.len()),
            allowed: FIELDS,
        });
    };
    let minutes = Field::new(minutes, "minutes", (0, 59), &[], "0-59 , - * /");
    let hours = Field::new(hours, "hours", (0, 23), &[], "0-23 , - * /");
    let day = Field::new(day, "day-of-month", (1, 31), &[], "1-31 , - * ? / L W");
    let month = Field::new(month, "month", (1, 12), &MONTHS, "1-12 or JAN-DEC , - * /");
    let weekday = Field::new(
        weekday,
        "day-of-week",
        (1, 7),
        &WEEKDAYS,
        "1-7 or SUN-SAT , - * ? L #",
    );
    let year = Field::new(year, "year", (1970, 2199), &[], "1970-2199 , - * /");
    let days = match (day.text, weekday.text) {
        ("?", "?") => {
            return Err(day.wrong("one of day-of-month and day-of-week must say which days"));
        }
        ("?", _) => weekday.weekdays()?,
        (_, "?") => day.month_days()?,
        _ => {
            return Err(weekday
                .wrong("day-of-month and day-of-week cannot both be given: one of them is `?`"));
        }
    };
    Ok(Cron {
        minutes: minutes.numbers()?,
        hours: hours.numbers()?,
        days,
        months: month.numbers()?,
        years: year.numbers()?,
    })
}

/// The words of a text and where they stand.
fn words(text: &str, start: usize) -> Vec<(usize, &str)> {
    let base = text.as_ptr() as usize;
    text.split_whitespace()
        .map(|word| (start + word.as_ptr() as usize - base, word))
        .collect()
}

impl<'a> Field<'a> {
    fn new(
        &(start, text): &(usize, &'a str),
        name: &'static str,
        range: (u16, u16),
        names: &'static [&'static str],
        allowed: &'static str,
    ) -> Self {
        Self {
            text,
            start,
            name,
            range,
            names,
            allowed,
        }
    }

    fn wrong(&self, message: impl Into<String>) -> ScheduleError {
        ScheduleError {
            part: self.start..self.start + self.text.len(),
            message: message.into(),
            allowed: self.allowed,
        }
    }

    fn month_days(&self) -> Result<Days, ScheduleError> {
        if self.text == "L" {
            return Ok(Days::LastOfMonth);
        }
        match self.text.strip_suffix('W') {
            Some(day) => Ok(Days::NearestWorkday(self.number(day)?)),
            None => Ok(Days::OfMonth(self.numbers()?)),
        }
    }

    fn weekdays(&self) -> Result<Days, ScheduleError> {
        if self.text == "L" {
            return Ok(Days::OfWeek(vec![7]));
        }
        if let Some(day) = self.text.strip_suffix('L') {
            return Ok(Days::LastOfWeek(self.number(day)?));
        }
        let Some((day, nth)) = self.text.split_once('#') else {
            return Ok(Days::OfWeek(self.numbers()?));
        };
        let nth = nth.parse().ok().filter(|nth| (1..=5).contains(nth));
        let nth =
            nth.ok_or_else(|| self.wrong("a month has the first to the fifth of a weekday"))?;
        Ok(Days::NthOfWeek(self.number(day)?, nth))
    }

    /// The numbers that a list of values, ranges and steps means.
    fn numbers(&self) -> Result<Vec<u16>, ScheduleError> {
        let mut numbers = Vec::new();
        for part in self.text.split(',') {
            let (span, step) = match part.split_once('/') {
                None => (part, 1),
                Some((span, step)) => {
                    let step = step.parse().ok().filter(|step| *step > 0);
                    let step = step.ok_or_else(|| self.wrong(format!("`{part}` has no step")))?;
                    (span, step)
                }
            };
            let (low, high) = if span == "*" {
                self.range
            } else if let Some((low, high)) = span.split_once('-') {
                (self.number(low)?, self.number(high)?)
            } else {
                let number = self.number(span)?;
                // `5/10` goes on to the end.
                let end = if part.contains('/') {
                    self.range.1
                } else {
                    number
                };
                (number, end)
            };
            if low > high {
                return Err(self.wrong(format!("the range `{span}` is empty")));
            }
            numbers.extend((low..=high).step_by(step));
        }
        numbers.sort_unstable();
        numbers.dedup();
        Ok(numbers)
    }

    fn number(&self, text: &str) -> Result<u16, ScheduleError> {
        let named = self
            .names
            .iter()
            .position(|name| name.eq_ignore_ascii_case(text));
        let number = match named {
            Some(index) => Some(index as u16 + self.range.0),
            None => text.parse().ok(),
        };
        number
            .filter(|number| (self.range.0..=self.range.1).contains(number))
            .ok_or_else(|| self.wrong(format!("`{text}` is no value of {}", self.name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::timestamp;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).expect("a zone of the bundled database")
    }

    /// The local times at which an expression is due within `days` of `from`.
    fn due(text: &str, from: &str, days: u64, zone_name: &str) -> Vec<String> {
        let from = timestamp::parse(from).expect("an instant");
        let zone = zone(zone_name);
        let schedule = Schedule::parse(text).expect("a sound expression");
        schedule
            .due(from, Span::from_secs(86_400 * days), &zone)
            .into_iter()
            .map(|span| {
                let secs = (from + span).as_nanos() / 1_000_000_000;
                let stamp = Timestamp::from_second(secs as i64).expect("in range");
                stamp
                    .to_zoned(zone.clone())
                    .strftime("%a %m-%d %H:%M")
                    .to_string()
            })
            .collect()
    }

    #[test]
    fn autoscaling_cron_fields() {
        // 1 June 2026 is a Monday.
        let june = "2026-06-01T00:00:00Z";
        let utc = |text, days| due(text, june, days, "UTC");
        assert_eq!(
            utc("cron(0 8 * * ? *)", 2),
            ["Mon 06-01 08:00", "Tue 06-02 08:00"]
        );
        assert_eq!(
            utc("cron(0/30 9-10 ? * MON-TUE *)", 1),
            [
                "Mon 06-01 09:00",
                "Mon 06-01 09:30",
                "Mon 06-01 10:00",
                "Mon 06-01 10:30"
            ]
        );
        assert_eq!(utc("cron(15 12 L * ? *)", 30), ["Tue 06-30 12:15"]);
        // The 6th is a Saturday, the 14th a Sunday.
        assert_eq!(utc("cron(0 0 6W * ? *)", 30), ["Fri 06-05 00:00"]);
        assert_eq!(utc("cron(0 0 14W * ? *)", 30), ["Mon 06-15 00:00"]);
        assert_eq!(utc("cron(0 0 ? * 6#3 *)", 30), ["Fri 06-19 00:00"]);
        assert_eq!(utc("cron(0 0 ? * SUNL 2026)", 30), ["Sun 06-28 00:00"]);
        assert_eq!(utc("cron(0 0 1 JAN,JUL ? *)", 40), ["Wed 07-01 00:00"]);
        assert_eq!(utc("cron(0 0 1 * ? 2027)", 40), Vec::<String>::new());
    }

    #[test]
    fn autoscaling_cron_follows_the_clocks_of_its_zone() {
        // Berlin goes from UTC+1 to UTC+2 on 29 March 2026 at 02:00.
        let times = due(
            "cron(30 2,8 * * ? *)",
            "2026-03-28T12:00:00Z",
            2,
            "Europe/Berlin",
        );
        assert_eq!(
            times,
            [
                "Sun 03-29 03:30",
                "Sun 03-29 08:30",
                "Mon 03-30 02:30",
                "Mon 03-30 08:30"
            ]
        );
    }

    #[test]
    fn autoscaling_at_and_rate() {
        let from = "2026-06-01T00:00:00Z";
        assert_eq!(
            due("at(2026-06-01T10:15:00)", from, 1, "UTC"),
            ["Mon 06-01 10:15"]
        );
        assert_eq!(
            due("at(2026-06-01T10:15:00)", from, 1, "Asia/Tokyo"),
            ["Mon 06-01 10:15"]
        );
        assert_eq!(
            due("at(2026-05-31T10:15:00)", from, 1, "UTC"),
            Vec::<String>::new()
        );
        assert_eq!(
            due("rate(8 hours)", from, 1, "UTC"),
            ["Mon 06-01 08:00", "Mon 06-01 16:00"]
        );
    }

    #[test]
    fn wrong_expressions_are_pointed_at() {
        let found = |text: &str| {
            let error = Schedule::parse(text).expect_err("it is wrong");
            format!("{}: {}", &text[error.part], error.message)
        };
        assert_eq!(found("cron(0 8 * *)"), "0 8 * *: 4 fields");
        assert_eq!(
            found("cron(60 8 * * ? *)"),
            "60: `60` is no value of minutes"
        );
        assert_eq!(
            found("cron(0 8 ? * MOON *)"),
            "MOON: `MOON` is no value of day-of-week"
        );
        assert_eq!(
            found("cron(0 8 * * MON *)"),
            "MON: day-of-month and day-of-week cannot both be given: one of them is `?`"
        );
        assert_eq!(
            found("cron(0 8 9-3 * ? *)"),
            "9-3: the range `9-3` is empty"
        );
        assert_eq!(
            found("rate(5 fortnights)"),
            "5 fortnights: this is no unit of a rate"
        );
        assert_eq!(found("at(noon)"), "noon: this is no local time");
        assert_eq!(found("daily"), "daily: this is no schedule expression");
    }
}
