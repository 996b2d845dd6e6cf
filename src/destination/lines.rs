//! Files of lines as destinations: one record on each.

use crate::engine::FailureClass;
use crate::source::CallError;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Clone, Debug)]
pub(super) struct Lines {
    path: Arc<PathBuf>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// Opened with the first record, and again after a failure.
    file: Option<File>,
    /// The last line may be cut off, so that the next one needs an end before it.
    torn: bool,
}

impl Lines {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path: Arc::new(path),
            state: Arc::default(),
        }
    }

    /// Appends a line and waits until it is on the disk: the shard's progress is stored next.
    pub(super) async fn append(&self, mut line: Vec<u8>) -> Result<(), CallError> {
        line.push(b'\n');
        let (path, state) = (self.path.clone(), self.state.clone());
        let written = tokio::task::spawn_blocking(move || {
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            state.append(&path, &line)
        });
        let result = match written.await {
            Ok(result) => result,
            Err(error) => Err(io::Error::other(error)),
        };
        result.map_err(|error| CallError {
            class: class(error.kind()),
            call: "append",
            text: format!("{}: {error}", self.path.display()),
        })
    }
}

impl State {
    fn append(&mut self, path: &Path, line: &[u8]) -> io::Result<()> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => OpenOptions::new().create(true).append(true).open(path)?,
        };
        if self.torn {
            file.write_all(b"\n")?;
            self.torn = false;
        }
        let result = file.write_all(line).and_then(|()| file.sync_data());
        match result {
            Ok(()) => {
                self.file = Some(file);
                Ok(())
            }
            Err(error) => {
                self.torn = true;
                Err(error)
            }
        }
    }
}

const fn class(kind: io::ErrorKind) -> FailureClass {
    match kind {
        io::ErrorKind::NotFound
        | io::ErrorKind::PermissionDenied
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::ReadOnlyFilesystem => FailureClass::Denied,
        _ => FailureClass::Transient,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_appended_to_what_is_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("failed.jsonl");
        std::fs::write(&path, "{}\n").expect("written");
        let lines = Lines::new(path.clone());
        for line in ["{\"n\":1}", "{\"n\":2}"] {
            lines.append(line.into()).await.expect("appended");
        }
        let text = std::fs::read_to_string(&path).expect("the file");
        assert_eq!(text, "{}\n{\"n\":1}\n{\"n\":2}\n");
    }

    #[tokio::test]
    async fn a_line_after_a_torn_one_stands_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("failed.jsonl");
        std::fs::write(&path, "{\"cut").expect("written");
        let lines = Lines::new(path.clone());
        lines.state.lock().expect("the state").torn = true;
        lines.append(b"{}".to_vec()).await.expect("appended");
        let text = std::fs::read_to_string(&path).expect("the file");
        assert_eq!(text, "{\"cut\n{}\n");
    }

    #[tokio::test]
    async fn a_place_that_is_not_there_is_denied_and_a_full_disk_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let lines = Lines::new(folder.path().join("missing").join("failed.jsonl"));
        let error = lines.append(b"{}".to_vec()).await.expect_err("no folder");
        assert_eq!((error.class, error.call), (FailureClass::Denied, "append"));
        assert_eq!(class(io::ErrorKind::StorageFull), FailureClass::Transient);
    }
}
