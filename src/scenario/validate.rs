//! Either kind of file, told apart by its tables.

use super::diagnostic::Report;
use super::load::{parse, tree};
use super::poller::parse_poller;
use super::text::{SourceText, open};
use std::path::Path;

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// `tidegate simulate` and `tidegate sweep`.
    Scenario,
    /// `tidegate poll`.
    Poller,
}

/// Which kind of file a text is: only poller files have `[aws]`, `[poller]` or `[[target]]`.
pub fn kind_of(source: &SourceText) -> FileKind {
    let marks = ["aws", "poller", "target"];
    match tree(source) {
        Ok(root) if marks.iter().any(|mark| root.get(mark).is_some()) => FileKind::Poller,
        _ => FileKind::Scenario,
    }
}

/// What a file is for, if its tables leave no doubt; also for files that are wrong in other ways.
pub fn looks_like(path: &Path) -> Option<FileKind> {
    let root = tree(&open(path).ok()?).ok()?;
    let has = |marks: &[&str]| marks.iter().any(|mark| root.get(mark).is_some());
    let poller = has(&["aws", "poller", "target"]);
    let scenario = has(&[
        "duration", "traffic", "region", "function", "gate", "fault", "event",
    ]);
    match (poller, scenario) {
        (true, false) => Some(FileKind::Poller),
        (false, true) => Some(FileKind::Scenario),
        _ => None,
    }
}

/// Checks a file of either kind, and gives its warnings.
///
/// # Errors
/// Everything that is wrong with the file, at once.
pub fn validate(path: &Path) -> Result<(FileKind, Report), Report> {
    let source = open(path)?;
    match kind_of(&source) {
        FileKind::Scenario => Ok((FileKind::Scenario, parse(source)?.warnings)),
        FileKind::Poller => Ok((FileKind::Poller, parse_poller(source)?.warnings)),
    }
}
