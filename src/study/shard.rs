//! Which part of a sweep one machine does.

use std::fmt;

/// Part `index` of `count`, both counted from one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shard {
    index: u32,
    count: u32,
}

/// Why nobody knows which part is meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum ShardError {
    #[error(
        "`{found}` is no shard; write `i/n` with i from 1 to n (n up to {COUNT_MAX}), `auto`, or `auto/n` where the scheduler does not tell how many there are"
    )]
    Form { found: String },
    #[error(
        "`auto` finds no scheduler: none of HQ_TASK_ID, JOB_COMPLETION_INDEX, AWS_BATCH_JOB_ARRAY_INDEX and SLURM_ARRAY_TASK_ID is set; write `i/n` instead"
    )]
    NoScheduler,
    #[error("`auto` finds two schedulers, {one} and {other}; write `i/n` instead")]
    TwoSchedulers {
        one: &'static str,
        other: &'static str,
    },
    #[error(
        "{index} is set, but nothing tells how many shards there are; set {count}, or write `auto/n`"
    )]
    NoCount { index: &'static str, count: String },
    #[error("{variable} is `{found}`, and must be {allowed}")]
    Variable {
        variable: &'static str,
        found: String,
        allowed: String,
    },
    #[error(
        "`auto/{given}` asks for {given} shards, but {variable} says {found}; give both the same number"
    )]
    Counts {
        given: u32,
        variable: &'static str,
        found: u32,
    },
    #[error(
        "the array has gaps: {count} tasks from {first} to {last}, so `auto` cannot tell which shard task {task} is; write `i/n` instead"
    )]
    Gaps {
        count: u32,
        first: u32,
        last: u32,
        task: u32,
    },
}

/// More parts than any scheduler starts.
const COUNT_MAX: u32 = 1_000_000;

/// How many shards there are, for schedulers that do not say it.
const COUNT: &str = "TIDEGATE_SHARDS";

impl Shard {
    /// Everything.
    pub const WHOLE: Self = Self { index: 1, count: 1 };

    /// Part `index` of `count`; `None` unless 1 ≤ index ≤ count.
    pub const fn new(index: u32, count: u32) -> Option<Self> {
        if index == 0 || index > count || count > COUNT_MAX {
            return None;
        }
        Some(Self { index, count })
    }

    /// Which part, from one.
    pub const fn index(self) -> u32 {
        self.index
    }

    /// Of how many.
    pub const fn count(self) -> u32 {
        self.count
    }

    /// Whether a variant, counted from zero, belongs to it. Neighbours go to different shards: they take about as long.
    pub(super) const fn has(self, variant: u32) -> bool {
        variant % self.count == self.index - 1
    }

    /// Reads `i/n`, `auto` or `auto/n`; `environment` gives the value of a variable.
    ///
    /// ```
    /// use tidegate::study::Shard;
    ///
    /// let nothing = |_: &str| None;
    /// assert_eq!(Shard::parse("3/8", nothing).map(Shard::index), Ok(3));
    /// let batch = |name: &str| match name {
    ///     "AWS_BATCH_JOB_ARRAY_INDEX" => Some("0".to_owned()),
    ///     "AWS_BATCH_JOB_ARRAY_SIZE" => Some("8".to_owned()),
    ///     _ => None,
    /// };
    /// assert_eq!(Shard::parse("auto", batch), Shard::parse("1/8", nothing));
    /// ```
    ///
    /// # Errors
    /// When it is none of these, or the environment does not tell.
    pub fn parse(
        text: &str,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ShardError> {
        let form = || ShardError::Form {
            found: text.to_owned(),
        };
        if text == "auto" {
            return automatic(None, environment);
        }
        let (index, count) = text.split_once('/').ok_or_else(form)?;
        let count: u32 = count.parse().map_err(|_| form())?;
        if index == "auto" {
            let sound = (1..=COUNT_MAX).contains(&count);
            return match sound {
                true => automatic(Some(count), environment),
                false => Err(form()),
            };
        }
        let index = index.parse().map_err(|_| form())?;
        Self::new(index, count).ok_or_else(form)
    }
}

/// What a scheduler calls the number of a task, that of the first one, and how many there are.
struct Scheduler {
    index: &'static str,
    first: u32,
    count: Option<&'static str>,
}

const SCHEDULERS: [Scheduler; 4] = [
    // First, because its workers often run inside a job of another one. Its arrays begin where one says; here at 1.
    Scheduler {
        index: "HQ_TASK_ID",
        first: 1,
        count: None,
    },
    Scheduler {
        index: "JOB_COMPLETION_INDEX",
        first: 0,
        count: None,
    },
    Scheduler {
        index: "AWS_BATCH_JOB_ARRAY_INDEX",
        first: 0,
        count: Some("AWS_BATCH_JOB_ARRAY_SIZE"),
    },
    Scheduler {
        index: "SLURM_ARRAY_TASK_ID",
        first: 0,
        count: Some("SLURM_ARRAY_TASK_COUNT"),
    },
];

fn automatic(
    given: Option<u32>,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Shard, ShardError> {
    let number = |variable: &'static str| -> Result<Option<u32>, ShardError> {
        let Some(found) = environment(variable) else {
            return Ok(None);
        };
        let parsed = found.trim().parse();
        parsed.map(Some).map_err(|_| ShardError::Variable {
            variable,
            found,
            allowed: "a whole number".to_owned(),
        })
    };
    let mut speaking = SCHEDULERS
        .iter()
        .filter(|scheduler| environment(scheduler.index).is_some());
    let scheduler = speaking.next().ok_or(ShardError::NoScheduler)?;
    if scheduler.index != SCHEDULERS[0].index
        && let Some(other) = speaking.next()
    {
        return Err(ShardError::TwoSchedulers {
            one: scheduler.index,
            other: other.index,
        });
    }
    let counted = match scheduler.count {
        Some(variable) => number(variable)?.map(|count| (variable, count)),
        None => None,
    };
    let counted = match counted {
        Some(counted) => Some(counted),
        None => number(COUNT)?.map(|count| (COUNT, count)),
    };
    let count = match (given, counted) {
        (Some(given), Some((variable, found))) if given != found => {
            return Err(ShardError::Counts {
                given,
                variable,
                found,
            });
        }
        (Some(count), _) | (None, Some((_, count))) => count,
        (None, None) => {
            let own = scheduler.count.map(|own| format!("{own} or "));
            return Err(ShardError::NoCount {
                index: scheduler.index,
                count: format!("{}{COUNT}", own.unwrap_or_default()),
            });
        }
    };
    let task = number(scheduler.index)?.unwrap_or(0);
    let (first, step) = if scheduler.index == "SLURM_ARRAY_TASK_ID" {
        slurm(task, count, &number)?
    } else {
        (scheduler.first, 1)
    };
    let index = task
        .checked_sub(first)
        .map(|offset| offset / step)
        .and_then(|offset| Shard::new(offset.checked_add(1)?, count));
    index.ok_or_else(|| ShardError::Variable {
        variable: scheduler.index,
        found: task.to_string(),
        allowed: format!(
            "{first} to {} for {count} shards",
            u64::from(first) + u64::from(count.saturating_sub(1)) * u64::from(step)
        ),
    })
}

/// The first task of a Slurm array and the distance of its tasks, which must have no gaps.
fn slurm(
    task: u32,
    count: u32,
    number: &impl Fn(&'static str) -> Result<Option<u32>, ShardError>,
) -> Result<(u32, u32), ShardError> {
    let first = number("SLURM_ARRAY_TASK_MIN")?.unwrap_or(0);
    let step = number("SLURM_ARRAY_TASK_STEP")?.unwrap_or(1).max(1);
    if let Some(last) = number("SLURM_ARRAY_TASK_MAX")?
        && last.checked_sub(first).map(|length| length / step + 1) != Some(count)
    {
        return Err(ShardError::Gaps {
            count,
            first,
            last,
            task,
        });
    }
    Ok((first, step))
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, environment: &[(&str, &str)]) -> Result<String, String> {
        let value = |name: &str| {
            let pair = environment.iter().find(|(key, _)| *key == name);
            pair.map(|(_, value)| (*value).to_owned())
        };
        let shard = Shard::parse(text, value);
        shard
            .map(|it| it.to_string())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn every_scheduler_is_understood() {
        for (text, environment, expected) in [
            ("2/5", &[][..], "2/5"),
            (
                "auto",
                &[
                    ("AWS_BATCH_JOB_ARRAY_INDEX", "4"),
                    ("AWS_BATCH_JOB_ARRAY_SIZE", "5"),
                ],
                "5/5",
            ),
            (
                "auto",
                &[
                    ("SLURM_ARRAY_TASK_ID", "3"),
                    ("SLURM_ARRAY_TASK_MIN", "1"),
                    ("SLURM_ARRAY_TASK_MAX", "4"),
                    ("SLURM_ARRAY_TASK_COUNT", "4"),
                ],
                "3/4",
            ),
            (
                "auto",
                &[
                    ("SLURM_ARRAY_TASK_ID", "8"),
                    ("SLURM_ARRAY_TASK_MIN", "0"),
                    ("SLURM_ARRAY_TASK_STEP", "4"),
                    ("SLURM_ARRAY_TASK_COUNT", "3"),
                ],
                "3/3",
            ),
            ("auto/4", &[("JOB_COMPLETION_INDEX", "0")], "1/4"),
            (
                "auto",
                &[("JOB_COMPLETION_INDEX", "3"), ("TIDEGATE_SHARDS", "4")],
                "4/4",
            ),
            ("auto/4", &[("HQ_TASK_ID", "4")], "4/4"),
            // A worker of HyperQueue inside a Slurm array.
            (
                "auto/4",
                &[
                    ("HQ_TASK_ID", "2"),
                    ("SLURM_ARRAY_TASK_ID", "9"),
                    ("SLURM_ARRAY_TASK_COUNT", "10"),
                ],
                "2/4",
            ),
        ] {
            assert_eq!(found(text, environment).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn what_is_unclear_is_refused() {
        for (text, environment, wanted) in [
            ("0/5", &[][..], "`0/5` is no shard"),
            ("6/5", &[], "`6/5` is no shard"),
            ("x", &[], "`x` is no shard"),
            ("auto/0", &[], "`auto/0` is no shard"),
            ("auto", &[], "finds no scheduler"),
            (
                "auto",
                &[("JOB_COMPLETION_INDEX", "0")],
                "set TIDEGATE_SHARDS, or write `auto/n`",
            ),
            (
                "auto",
                &[("AWS_BATCH_JOB_ARRAY_INDEX", "0")],
                "set AWS_BATCH_JOB_ARRAY_SIZE or TIDEGATE_SHARDS",
            ),
            (
                "auto/4",
                &[("JOB_COMPLETION_INDEX", "0"), ("TIDEGATE_SHARDS", "5")],
                "TIDEGATE_SHARDS says 5",
            ),
            (
                "auto/4",
                &[("JOB_COMPLETION_INDEX", "4")],
                "`4`, and must be 0 to 3",
            ),
            (
                "auto/4",
                &[("HQ_TASK_ID", "0")],
                "`0`, and must be 1 to 4 for 4 shards",
            ),
            ("auto/4", &[("HQ_TASK_ID", "a")], "must be a whole number"),
            (
                "auto",
                &[("JOB_COMPLETION_INDEX", "0"), ("SLURM_ARRAY_TASK_ID", "1")],
                "finds two schedulers, JOB_COMPLETION_INDEX and SLURM_ARRAY_TASK_ID",
            ),
            (
                "auto",
                &[
                    ("SLURM_ARRAY_TASK_ID", "7"),
                    ("SLURM_ARRAY_TASK_MIN", "3"),
                    ("SLURM_ARRAY_TASK_MAX", "7"),
                    ("SLURM_ARRAY_TASK_COUNT", "2"),
                ],
                "the array has gaps: 2 tasks from 3 to 7",
            ),
        ] {
            let told = found(text, environment).unwrap_err();
            assert!(told.contains(wanted), "{text}: {told}");
        }
    }

    #[test]
    fn shards_part_the_variants() {
        for count in 1..=7 {
            for variant in 0..30 {
                let owners = (1..=count)
                    .filter_map(|index| Shard::new(index, count))
                    .filter(|shard| shard.has(variant));
                assert_eq!(owners.count(), 1);
            }
        }
    }
}
