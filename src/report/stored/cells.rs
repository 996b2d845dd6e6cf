//! Rows as columns of numbers: one trait that takes a row apart and puts it together again.
//!
//! A column is a JSON array in which `[n, value]` stands for `n` times `value`: most columns of most runs are long
//! stretches of zero. Numbers are written so that they read back to the last bit; a value that does not exist (`NaN`) is
//! `null`.

use crate::metrics::{
    AccountRow, AsyncRow, DeadLetters, DurationMinute, FunctionRow, GroupEnd, KafkaRow, MappingRow,
    VersionRow,
};
use serde_json::Value;
use std::fmt::Write as _;

/// One number of a row.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cell {
    Whole(u64),
    Real(f64),
}

impl Cell {
    /// Equal to the last bit.
    fn is(self, other: Self) -> bool {
        match (self, other) {
            (Self::Whole(one), Self::Whole(two)) => one == two,
            (Self::Real(one), Self::Real(two)) => one.to_bits() == two.to_bits(),
            _ => false,
        }
    }

    fn write(self, text: &mut String) {
        match self {
            Self::Whole(value) => {
                let _ = write!(text, "{value}");
            }
            Self::Real(value) => real(text, value),
        }
    }

    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Null => Some(Self::Real(f64::NAN)),
            Value::Number(number) => number
                .as_u64()
                .map(Self::Whole)
                .or_else(|| number.as_f64().map(Self::Real)),
            Value::String(text) => infinite(text).map(Self::Real),
            _ => None,
        }
    }
}

/// Writes a number with a point or an exponent, so that no reader takes it for a whole one; JSON has no infinity.
pub(super) fn real(text: &mut String, value: f64) {
    let _ = match value {
        value if value.is_nan() => write!(text, "null"),
        f64::INFINITY => write!(text, "\"inf\""),
        f64::NEG_INFINITY => write!(text, "\"-inf\""),
        value => write!(text, "{value:?}"),
    };
}

/// The reverse of [`real`].
pub(super) fn read_real(value: &Value) -> Option<f64> {
    match value {
        Value::Null => Some(f64::NAN),
        Value::Number(number) => number.as_f64(),
        Value::String(text) => infinite(text),
        _ => None,
    }
}

fn infinite(text: &str) -> Option<f64> {
    match text {
        "inf" => Some(f64::INFINITY),
        "-inf" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// What can be taken apart into numbers and put together from them.
pub(super) trait Flat: Sized + Copy + Default {
    /// Names of its numbers, below `name`.
    fn names(name: &str, names: &mut Vec<String>);
    fn put(self, cells: &mut Vec<Cell>);
    /// `None` when a number is of the wrong kind.
    fn take(cells: &mut dyn Iterator<Item = Cell>) -> Option<Self>;
}

impl Flat for u64 {
    fn names(name: &str, names: &mut Vec<String>) {
        names.push(name.to_owned());
    }

    fn put(self, cells: &mut Vec<Cell>) {
        cells.push(Cell::Whole(self));
    }

    fn take(cells: &mut dyn Iterator<Item = Cell>) -> Option<Self> {
        match cells.next()? {
            Cell::Whole(value) => Some(value),
            Cell::Real(_) => None,
        }
    }
}

impl Flat for u32 {
    fn names(name: &str, names: &mut Vec<String>) {
        names.push(name.to_owned());
    }

    fn put(self, cells: &mut Vec<Cell>) {
        cells.push(Cell::Whole(u64::from(self)));
    }

    fn take(cells: &mut dyn Iterator<Item = Cell>) -> Option<Self> {
        u64::take(cells)?.try_into().ok()
    }
}

impl Flat for f64 {
    fn names(name: &str, names: &mut Vec<String>) {
        names.push(name.to_owned());
    }

    fn put(self, cells: &mut Vec<Cell>) {
        cells.push(Cell::Real(self));
    }

    fn take(cells: &mut dyn Iterator<Item = Cell>) -> Option<Self> {
        Some(match cells.next()? {
            Cell::Whole(value) => value as Self,
            Cell::Real(value) => value,
        })
    }
}

impl Flat for f32 {
    fn names(name: &str, names: &mut Vec<String>) {
        names.push(name.to_owned());
    }

    fn put(self, cells: &mut Vec<Cell>) {
        cells.push(Cell::Real(f64::from(self)));
    }

    fn take(cells: &mut dyn Iterator<Item = Cell>) -> Option<Self> {
        f64::take(cells).map(|value| value as Self)
    }
}

impl<const N: usize> Flat for [u64; N]
where
    Self: Default,
{
    fn names(name: &str, names: &mut Vec<String>) {
        names.extend((0..N).map(|index| format!("{name}.{index}")));
    }

    fn put(self, cells: &mut Vec<Cell>) {
        cells.extend(self.map(Cell::Whole));
    }

    fn take(cells: &mut dyn Iterator<Item = Cell>) -> Option<Self> {
        let mut values = [0; N];
        for value in &mut values {
            *value = u64::take(cells)?;
        }
        Some(values)
    }
}

impl Flat for DeadLetters {
    fn names(name: &str, names: &mut Vec<String>) {
        <[u64; 7]>::names(name, names);
    }

    fn put(self, cells: &mut Vec<Cell>) {
        self.counts().put(cells);
    }

    fn take(cells: &mut dyn Iterator<Item = Cell>) -> Option<Self> {
        Flat::take(cells).map(Self::of_counts)
    }
}

fn names_of<R, T: Flat>(_: fn(&R) -> T, name: &str, names: &mut Vec<String>) {
    T::names(name, names);
}

/// Every field of a row is named here: one that is missing does not compile.
macro_rules! flat {
    ($row:ident { $($field:ident),* $(,)? }) => {
        impl Flat for $row {
            fn names(name: &str, names: &mut Vec<String>) {
                let dot = if name.is_empty() { "" } else { "." };
                $(names_of(
                    |row: &Self| row.$field,
                    &format!("{name}{dot}{}", stringify!($field)),
                    names,
                );)*
            }

            fn put(self, cells: &mut Vec<Cell>) {
                let Self { $($field),* } = self;
                $($field.put(cells);)*
            }

            fn take(cells: &mut dyn Iterator<Item = Cell>) -> Option<Self> {
                Some(Self { $($field: Flat::take(cells)?),* })
            }
        }
    };
}

flat!(AccountRow {
    concurrent_max,
    unreserved_max,
    claimed_max
});
flat!(FunctionRow {
    invocations,
    errors,
    throttles,
    cold_starts,
    concurrency_mean,
    concurrency_max,
    environments,
    provisioned_invocations,
    spillover_invocations,
    provisioned_mean,
    provisioned_max,
    allocated_mean,
    utilization_max,
    calls,
    answered,
    abandoned,
    client_retries,
    latency_p50,
    latency_p95,
    latency_p99,
});
flat!(AsyncRow {
    received,
    invoked,
    succeeded,
    dropped,
    lost,
    retries,
    duplicates,
    delivered,
    delivery_failures,
    dead_lettered,
    dead_letter_errors,
    backlog,
    age_mean,
    age_max,
});
flat!(DurationMinute {
    mean,
    max,
    p50,
    p99
});
flat!(VersionRow {
    invocations,
    errors,
    cold_starts,
    duration_p50,
    duration_p99
});
flat!(MappingRow {
    incoming,
    polled,
    invoked,
    failed,
    filtered,
    succeeded,
    dropped,
    diverted,
    destination_failures,
    windows_closed,
    windows_early,
    deleted,
    delete_calls,
    dead_letters,
    visible_too_early,
    redelivered,
    oversized,
    throttled,
    reads,
    empty_reads,
    over_limit,
    backlog,
    in_flight,
    oldest_age,
    in_hand,
    writes_throttled,
    writes_lost,
    trimmed,
    reads_throttled,
    age_max,
    concurrency_limit,
    kafka,
});
flat!(KafkaRow {
    committed,
    polling_errors,
    invoke_errors,
    delivery_errors,
    commit_errors,
    max_lag,
    sum_lag,
    consumers,
    returned,
    group,
});
flat!(GroupEnd {
    members,
    rebalances,
    moved
});

/// The numbers of one column as a JSON array.
pub(super) fn write_column(text: &mut String, cells: impl Iterator<Item = Cell>) {
    let mut cells = cells.peekable();
    let mut first = true;
    text.push('[');
    while let Some(cell) = cells.next() {
        let mut times = 1_u64;
        while cells.next_if(|next| next.is(cell)).is_some() {
            times += 1;
        }
        // A stretch costs its brackets and count; two equal values are shorter one by one.
        let singly = if times <= 2 { times } else { 1 };
        for _ in 0..singly {
            text.push_str(if first { "" } else { "," });
            first = false;
            if times > 2 {
                let _ = write!(text, "[{times},");
                cell.write(text);
                text.push(']');
            } else {
                cell.write(text);
            }
        }
    }
    text.push(']');
}

/// The `rows` numbers of a column; otherwise what is wrong with it: where, what was found, and what belongs there.
pub(super) fn read_column(value: &Value, rows: usize) -> Result<Vec<Cell>, [String; 3]> {
    let wrong = |at: String, found: &Value, expected: &str| {
        Err([at, super::read::shown(found), expected.to_owned()])
    };
    let Value::Array(parts) = value else {
        return wrong(String::new(), value, "a list of numbers");
    };
    let mut cells = Vec::with_capacity(rows);
    for (index, part) in parts.iter().enumerate() {
        let (times, value) = match part {
            Value::Array(pair) => match pair.as_slice() {
                [times, value] if times.as_u64().is_some() => {
                    (times.as_u64().unwrap_or_default(), value)
                }
                _ => return wrong(format!("[{index}]"), part, "a count and a number"),
            },
            value => (1, value),
        };
        let Some(cell) = Cell::read(value) else {
            return wrong(format!("[{index}]"), value, "a number or null");
        };
        if times > (rows - cells.len()) as u64 {
            let more = format!("more than {rows} values");
            return Err([String::new(), more, format!("{rows} values")]);
        }
        cells.extend(std::iter::repeat_n(cell, times as usize));
    }
    if cells.len() == rows {
        return Ok(cells);
    }
    let found = format!("{} values", cells.len());
    Err([String::new(), found, format!("{rows} values")])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(values: &[f64]) -> Vec<f64> {
        let mut text = String::new();
        write_column(&mut text, values.iter().copied().map(Cell::Real));
        let value = serde_json::from_str(&text).expect("JSON");
        let cells = read_column(&value, values.len()).expect("a column");
        let mut cells = cells.into_iter();
        std::iter::from_fn(|| f64::take(&mut cells)).collect()
    }

    #[test]
    fn columns_read_back_to_the_last_bit() {
        let values = [
            0.1 + 0.2,
            f64::NAN,
            f64::NAN,
            f64::NAN,
            -0.0,
            0.0,
            f64::MIN_POSITIVE / 3.0,
            f64::MAX,
            f64::INFINITY,
            f64::NEG_INFINITY,
            9_007_199_254_740_993.0,
            1e22,
        ];
        let read = again(&values);
        for (one, two) in values.iter().zip(&read) {
            assert!(
                one.to_bits() == two.to_bits() || (one.is_nan() && two.is_nan()),
                "{one} {two}"
            );
        }
        assert_eq!(read.len(), values.len());
    }

    #[test]
    fn stretches_are_short() {
        let mut text = String::new();
        let cells = [0, 0, 0, 0, 7, 7, 3].map(Cell::Whole);
        write_column(&mut text, cells.into_iter());
        assert_eq!(text, "[[4,0],7,7,3]");
    }

    proptest::proptest! {
        #[test]
        fn any_number_reads_back(bits: u64) {
            let value = f64::from_bits(bits);
            let read = again(&[value])[0];
            assert!(read.to_bits() == bits || (value.is_nan() && read.is_nan()));
        }
    }
}
