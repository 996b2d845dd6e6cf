//! The runs of a sweep that are done, on disk, so that an interrupted one goes on where it stopped.
//!
//! A journal is a text: a line that says whose it is, then one line for each run: its variant and replication, counted
//! from one, what became of its gates, and its figures. A line counts when its line break is there.

use super::plan::Plan;
use super::shard::Shard;
use super::sweep::{Done, Results, Run};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const FORMAT: &str = "tidegate-sweep-journal 2";

/// An open journal. Nobody else can have it open at the same time.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
}

/// A journal that cannot be used.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum JournalError {
    #[error("cannot {what} the journal `{path}`: {source}")]
    File {
        what: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error(
        "`{path}` is the journal of another sweep (plan {theirs}, this one is {ours}); its scenario, axes, figures, replications or version are others: use another folder, or remove the journal if its runs are not wanted any more"
    )]
    AnotherPlan {
        path: PathBuf,
        ours: String,
        theirs: String,
    },
    #[error("`{path}` is not the journal of a sweep; use another folder")]
    NoJournal { path: PathBuf },
    #[error(
        "line {line} of the journal `{path}` cannot be understood: `{found}`; remove that line to run it again, or the file to begin anew"
    )]
    Damaged {
        path: PathBuf,
        line: usize,
        found: String,
    },
    #[error(
        "another process is working with the journal `{path}`; wait for it, or use another folder"
    )]
    InUse { path: PathBuf },
}

impl JournalError {
    /// Whether somebody gave the wrong folder, rather than that something broke.
    pub const fn is_usage(&self) -> bool {
        !matches!(self, Self::File { .. })
    }
}

impl Journal {
    /// Opens or begins the journal of a shard of `plan` in `folder`, and reads what is in it. A last line that was cut off
    /// is removed.
    ///
    /// # Errors
    /// When it belongs to another plan, is damaged, or cannot be read or written.
    pub fn open(folder: &Path, plan: &Plan, shard: Shard) -> Result<(Self, Results), JournalError> {
        let name = match shard.count() {
            1 => ".sweep.journal".to_owned(),
            count => format!(".sweep-{}-of-{count}.journal", shard.index()),
        };
        let path = folder.join(name);
        let failed = |what| {
            let path = path.clone();
            move |source| JournalError::File { what, path, source }
        };
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(failed("open"))?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(JournalError::InUse { path }),
            // Some network file systems have no locks.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed("read"))?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n');
        let whole = whole.map_or(0, |at| at + 1);
        let text = std::str::from_utf8(&bytes[..whole])
            .map_err(|_| JournalError::NoJournal { path: path.clone() })?;
        let results = read(&path, text, plan)?;
        file.set_len(whole as u64).map_err(failed("cut"))?;
        file.seek(SeekFrom::End(0)).map_err(failed("read"))?;
        if whole == 0 {
            let head = format!("{FORMAT} {}\n", plan.hash());
            file.write_all(head.as_bytes()).map_err(failed("write"))?;
        }
        Ok((Self { file, path }, results))
    }

    /// Writes down what a run gave, in one piece.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn add(&mut self, run: &Run) -> Result<(), JournalError> {
        let line = line(run);
        let written = self.file.write_all(line.as_bytes());
        written.map_err(|source| JournalError::File {
            what: "write",
            path: self.path.clone(),
            source,
        })
    }

    /// Removes the journal of a sweep that is finished.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn finish(self) -> Result<(), JournalError> {
        std::fs::remove_file(&self.path).map_err(|source| JournalError::File {
            what: "remove",
            path: self.path,
            source,
        })
    }
}

/// Rust prints the shortest text that reads as the same number again.
fn line(run: &Run) -> String {
    let passed = match run.done.passed {
        None => "-",
        Some(true) => "pass",
        Some(false) => "fail",
    };
    let mut line = format!("{} {} {passed}", run.variant + 1, run.replication + 1);
    for figure in &run.done.figures {
        line.push_str(&format!(" {figure:?}"));
    }
    line.push('\n');
    line
}

fn read(path: &Path, text: &str, plan: &Plan) -> Result<Results, JournalError> {
    let mut results = Results::default();
    let mut lines = text.lines().enumerate();
    let Some((_, head)) = lines.next() else {
        return Ok(results);
    };
    match head.strip_prefix(FORMAT).map(str::trim) {
        None => {
            return Err(JournalError::NoJournal {
                path: path.to_owned(),
            });
        }
        Some(theirs) if theirs != plan.hash() => {
            return Err(JournalError::AnotherPlan {
                path: path.to_owned(),
                ours: plan.hash().to_owned(),
                theirs: theirs.to_owned(),
            });
        }
        Some(_) => {}
    }
    for (index, line) in lines {
        let run = run(line).filter(|run| {
            run.variant < plan.variants()
                && run.replication < plan.replications().max
                && run.done.figures.len() == plan.figures().len()
        });
        results.add(run.ok_or_else(|| JournalError::Damaged {
            path: path.to_owned(),
            line: index + 1,
            found: line.chars().take(80).collect(),
        })?);
    }
    Ok(results)
}

fn run(line: &str) -> Option<Run> {
    let mut words = line.split(' ');
    let mut number = || words.next()?.parse::<u32>().ok()?.checked_sub(1);
    let (variant, replication) = (number()?, number()?);
    let passed = match words.next()? {
        "-" => None,
        "pass" => Some(true),
        "fail" => Some(false),
        _ => return None,
    };
    let figures = words.map(str::parse).collect::<Result<_, _>>().ok()?;
    Some(Run {
        variant,
        replication,
        done: Done { figures, passed },
    })
}
