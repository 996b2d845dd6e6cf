//! Strings of a record, compared as they stand: escapes are resolved while comparing, never into a buffer.

use std::cmp::Ordering;
use std::str::Chars;

/// A string between its quotes, which the scanner has found to be well formed.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Text<'r> {
    raw: &'r str,
    escaped: bool,
}

impl<'r> Text<'r> {
    pub(super) const fn new(raw: &'r str, escaped: bool) -> Self {
        Self { raw, escaped }
    }

    /// Text that has no escapes, because it is not JSON.
    pub(super) const fn plain(raw: &'r str) -> Self {
        Self::new(raw, false)
    }

    /// Rule `filter-escapes`: equal if the characters are, however they are written.
    pub(in crate::engine) fn is(&self, other: &str) -> bool {
        if self.escaped {
            self.compare(other) == Ordering::Equal
        } else {
            self.raw == other
        }
    }

    /// The string, if nothing in it is escaped.
    pub(in crate::engine) fn unescaped(&self) -> Option<&'r str> {
        (!self.escaped).then_some(self.raw)
    }

    /// The order of code points, which is that of UTF-8 bytes.
    pub(super) fn compare(&self, other: &str) -> Ordering {
        if self.escaped {
            self.points().cmp(other.chars().map(u32::from))
        } else {
            self.raw.cmp(other)
        }
    }

    pub(super) fn starts_with(&self, prefix: &str) -> bool {
        if !self.escaped {
            return self.raw.starts_with(prefix);
        }
        let mut points = self.points();
        prefix.chars().all(|c| points.next() == Some(u32::from(c)))
    }

    pub(super) fn ends_with(&self, suffix: &str) -> bool {
        if !self.escaped {
            return self.raw.ends_with(suffix);
        }
        // Escapes cannot be read backwards, so count first.
        match self.points().count().checked_sub(suffix.chars().count()) {
            Some(before) => self.points().skip(before).eq(suffix.chars().map(u32::from)),
            None => false,
        }
    }

    /// Rule `filter-ignore-case`: `lower` is in lower case already; each character is lowered by itself.
    pub(super) fn is_ignoring_case(&self, lower: &str) -> bool {
        if self.raw.is_ascii() && !self.escaped {
            return self.raw.eq_ignore_ascii_case(lower);
        }
        let lowered = self.points().flat_map(|point| {
            // Half a surrogate pair has no case and stays itself.
            let stays = char::from_u32(point).is_none().then_some(point);
            let lower = char::from_u32(point)
                .into_iter()
                .flat_map(char::to_lowercase);
            stays.into_iter().chain(lower.map(u32::from))
        });
        lowered.eq(lower.chars().map(u32::from))
    }

    /// The code points, escapes resolved.
    pub(in crate::engine) fn points(&self) -> Points<'r> {
        Points {
            rest: self.raw.chars(),
        }
    }
}

/// The code points of a string, escapes resolved. Half of a surrogate pair comes as itself and equals no character.
pub(in crate::engine) struct Points<'r> {
    rest: Chars<'r>,
}

impl Points<'_> {
    /// Bytes that are still to be read.
    pub(super) fn rest_len(&self) -> usize {
        self.rest.as_str().len()
    }

    fn four_digits(&mut self) -> u32 {
        (0..4).fold(0, |code, _| {
            let digit = self.rest.next().and_then(|c| c.to_digit(16));
            code * 16 + digit.unwrap_or(0)
        })
    }
}

impl Iterator for Points<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let c = self.rest.next()?;
        if c != '\\' {
            return Some(u32::from(c));
        }
        Some(match self.rest.next()? {
            'b' => 0x8,
            'f' => 0xc,
            'n' => 0xa,
            'r' => 0xd,
            't' => 0x9,
            'u' => {
                let first = self.four_digits();
                if !(0xd800..0xdc00).contains(&first) || !self.rest.as_str().starts_with("\\u") {
                    return Some(first);
                }
                let lone = self.rest.clone();
                self.rest.next();
                self.rest.next();
                match self.four_digits().checked_sub(0xdc00) {
                    Some(low) if low < 0x400 => 0x10000 + ((first - 0xd800) << 10) + low,
                    _ => {
                        self.rest = lone;
                        first
                    }
                }
            }
            same => u32::from(same),
        })
    }
}
