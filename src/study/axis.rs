//! What a sweep varies: paths of a scenario, and the values that they take.

use super::values::Values;
use std::fmt;

/// Paths that take the same value, and which values.
///
/// ```
/// use tidegate::study::Axis;
///
/// let axis: Axis = "mapping.clicks.BatchSize=100,500,1000".parse()?;
/// assert_eq!(axis.levels(), ["100", "500", "1000"]);
/// let axis: Axis = "function.f.timeout=1s..16s:log5".parse()?;
/// assert_eq!(axis.levels(), ["1s", "2s", "4s", "8s", "16s"]);
/// let axis: Axis = "function.a.memory_mb+function.b.memory_mb=128..512:step128".parse()?;
/// assert_eq!(axis.paths(), ["function.a.memory_mb", "function.b.memory_mb"]);
/// assert_eq!(axis.levels(), ["128", "256", "384", "512"]);
/// let wrong = "function.f.timeout=5s..1s:3".parse::<Axis>().unwrap_err();
/// assert!(wrong.to_string().contains("5s is not below 1s"), "{wrong}");
/// # Ok::<(), tidegate::study::AxisError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    paths: Vec<String>,
    values: Values,
}

/// An axis that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum AxisError {
    #[error(
        "`{found}` is no axis; write PATH=VALUES, such as `mapping.orders.BatchSize=1,10,100` or `function.f.timeout=1s..16s:log5`"
    )]
    Form { found: String },
    #[error(
        "the axis `{axis}` has no values; write them behind the `=`, such as `{axis}=1,10,100`"
    )]
    Empty { axis: String },
    #[error(
        "the axis `{axis}` has an empty value in `{found}`; leave out the comma, or write \"\""
    )]
    EmptyValue { axis: String, found: String },
    #[error("the axis `{axis}` has the value `{value}` twice; leave one out")]
    Twice { axis: String, value: String },
    #[error("the axis `{axis}` has the range `{found}`: {problem}")]
    Range {
        axis: String,
        found: String,
        problem: String,
    },
}

impl std::str::FromStr for Axis {
    type Err = AxisError;

    fn from_str(text: &str) -> Result<Self, AxisError> {
        let form = || AxisError::Form {
            found: text.to_owned(),
        };
        let (left, right) = text.split_once('=').ok_or_else(form)?;
        let paths: Vec<String> = left.split('+').map(|path| path.trim().to_owned()).collect();
        if paths.iter().any(|path| path.split('.').any(str::is_empty)) {
            return Err(form());
        }
        let axis = paths.join("+");
        let values = Values::parse(&axis, right)?;
        Ok(Self { paths, values })
    }
}

impl Axis {
    /// Where the values go.
    pub fn paths(&self) -> &[String] {
        &self.paths
    }

    /// Its paths with `+` between them.
    pub fn name(&self) -> String {
        self.paths.join("+")
    }

    /// The values of a grid; none where any value of a range may be taken.
    pub fn levels(&self) -> &[String] {
        match &self.values {
            Values::Levels(levels) => levels,
            Values::Anywhere(_) => &[],
        }
    }

    /// The value at a share (0 to 1, without 1) of the way through all of them.
    pub(super) fn at(&self, share: f64) -> String {
        match &self.values {
            Values::Levels(levels) => {
                let index = (share * levels.len() as f64) as usize;
                levels[index.min(levels.len() - 1)].clone()
            }
            Values::Anywhere(range) => range.at(share),
        }
    }

    /// That a grid has to be told which values of the range to take.
    pub(super) fn uncounted(&self) -> Option<AxisError> {
        let Values::Anywhere(range) = &self.values else {
            return None;
        };
        let found = range.text();
        let plain = found.split(':').next().unwrap_or(found);
        Some(AxisError::Range {
            axis: self.name(),
            found: found.to_owned(),
            problem: format!(
                "a grid needs to know which values to take; write `{plain}:8` for eight, `{plain}:log5` for five of one factor, or sample with --sample lhs:N (a text with `..` goes in quotes)"
            ),
        })
    }
}

impl fmt::Display for Axis {
    /// As `--vary` takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = match &self.values {
            Values::Levels(levels) => levels.join(","),
            Values::Anywhere(range) => range.text().to_owned(),
        };
        write!(f, "{}={values}", self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(values: &str) -> String {
        let axis: Axis = format!("a.x={values}").parse().expect("an axis");
        axis.levels().join(" ")
    }

    fn told(text: &str) -> String {
        text.parse::<Axis>().unwrap_err().to_string()
    }

    #[test]
    fn lists_keep_what_belongs_together() {
        assert_eq!(levels("1, 2 ,30"), "1 2 30");
        assert_eq!(levels("5m"), "5m");
        let axis: Axis = "a.x=[1, 2],{ a = 1, b = \",\" },\"1,2\""
            .parse()
            .expect("an axis");
        assert_eq!(axis.levels(), ["[1, 2]", "{ a = 1, b = \",\" }", "\"1,2\""]);
        assert_eq!(
            levels("100ms..2s,\"1s..5s\",1..3:3"),
            "100ms..2s \"1s..5s\" 1 2 3"
        );
    }

    #[test]
    fn ranges_have_their_ends_and_round_values_between() {
        assert_eq!(levels("50..400:8"), "50 100 150 200 250 300 350 400");
        assert_eq!(levels("1..10:3"), "1 6 10");
        assert_eq!(levels("1..3:9"), "1 2 3");
        assert_eq!(levels("0.5..2.0:4"), "0.5 1.0 1.5 2.0");
        assert_eq!(levels("1..10000:log5"), "1 10 100 1000 10000");
        assert_eq!(levels("10..45:step10"), "10 20 30 40");
        assert_eq!(levels("500ms..2s:4"), "500ms 1s 1500ms 2s");
        assert_eq!(levels("1s..1m:log3"), "1s 7750ms 1m");
        assert_eq!(levels("1KiB..1MiB:log3"), "1024B 32800B 1048576B");
        assert_eq!(levels("0%..1%:3"), "0% 0.5% 1%");
        assert_eq!(levels("10s..20s:step5s"), "10s 15s 20s");
        assert_eq!(levels("-3..3:3"), "-3 0 3");
    }

    #[test]
    fn axes_print_as_they_are_read() {
        for text in ["a.x+b.y=1,2,[3, 4]", "a.x=1..9", "a.x=1..9:log"] {
            let axis: Axis = text.parse().expect("an axis");
            assert_eq!(axis.to_string(), text);
            assert_eq!(axis.to_string().parse(), Ok(axis));
        }
        let axis: Axis = "a.x = 1..9:3".parse().expect("an axis");
        assert_eq!(axis.to_string(), "a.x=1,5,9");
    }

    #[test]
    fn what_is_wrong_with_an_axis_is_said() {
        for (text, wanted) in [
            ("a.x", "`a.x` is no axis; write PATH=VALUES"),
            ("a..x=1", "`a..x=1` is no axis"),
            ("+a.x=1", "is no axis"),
            ("a.x=", "the axis `a.x` has no values"),
            ("a.x=1,,2", "an empty value in `1,,2`"),
            ("a.x=1,2,1", "the value `1` twice"),
            ("a.x=9..1:3", "it is empty: 9 is not below 1"),
            ("a.x=1..1:3", "it is empty: 1 is not below 1"),
            ("a.x=1s..9:3", "are not in units of one kind"),
            ("a.x=1..many:3", "`many` is no number"),
            ("a.x=1..9:1", "1 values; a range has 2 to"),
            ("a.x=1..9:often", "`:often` is none of"),
            ("a.x=0..9:log3", "cannot begin at 0"),
            ("a.x=1..9:step0", "is no distance between its values"),
            ("a.x=1s..9s:step2", "is no distance between its values"),
            ("a.x=0..9:step0.000001", "more than 100000 values"),
        ] {
            let told = told(text);
            assert!(told.contains(wanted), "{text}: {told}");
        }
        let axis: Axis = "a.x=1..9".parse().expect("an axis for samples");
        let told = axis.uncounted().expect("no grid").to_string();
        assert!(told.contains("write `1..9:8`"), "{told}");
    }
}
