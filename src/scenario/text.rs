//! Files as text: which format they have, how large they may be, and what cannot be text at all.

use super::diagnostic::{Diagnostic, Diagnostics};
use super::suggest::nearest;
use std::path::{Path, PathBuf};

/// Largest file that is read, in bytes.
pub const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `.toml`, and everything with an unknown ending.
    Toml,
    /// `.yaml` and `.yml`.
    Yaml,
    /// `.json`.
    Json,
}

/// A file's name and what it holds.
#[derive(Clone, Debug)]
pub struct SourceText {
    /// Shown in diagnostics; relative paths inside the file start from its folder.
    pub path: PathBuf,
    /// The text.
    pub text: String,
    /// How to read it.
    pub format: Format,
}

impl SourceText {
    /// A text with a name, whose ending tells the format.
    pub fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        let path = path.into();
        let ending = path
            .extension()
            .and_then(|ending| ending.to_str())
            .unwrap_or_default();
        let format = match ending.to_ascii_lowercase().as_str() {
            "yaml" | "yml" => Format::Yaml,
            "json" => Format::Json,
            _ => Format::Toml,
        };
        Self {
            path,
            text: text.into(),
            format,
        }
    }

    /// The text for a name and unchecked bytes.
    ///
    /// # Errors
    /// When there are too many bytes, or they are not text.
    pub(crate) fn from_bytes(path: &Path, bytes: Vec<u8>) -> Result<Self, Diagnostic> {
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(too_large(path, bytes.len() as u64));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            let line = error.as_bytes()[..at]
                .iter()
                .filter(|byte| **byte == b'\n')
                .count()
                + 1;
            Diagnostic::new(
                "not-text",
                format!("`{}` is not valid UTF-8", path.display()),
            )
            .label(format!("line {line} holds a byte that is not text"))
            .allowed("UTF-8 text")
        })?;
        if let Some(at) = text.find('\0') {
            let line = text[..at].matches('\n').count() + 1;
            return Err(Diagnostic::new(
                "not-text",
                format!("`{}` is not a text file", path.display()),
            )
            .label(format!("line {line} holds a NUL byte"))
            .allowed("UTF-8 text without NUL bytes"));
        }
        Ok(Self::new(path, text))
    }

    /// Reads a file, its size tested first.
    pub(crate) fn read(path: &Path) -> Result<Self, Diagnostic> {
        Self::from_bytes(path, read_bytes(path)?)
    }
}

fn too_large(path: &Path, bytes: u64) -> Diagnostic {
    Diagnostic::new(
        "file-too-large",
        format!("`{}` is too large", path.display()),
    )
    .label(format!("found {bytes} bytes"))
    .allowed(format!("up to {FILE_BYTES_MAX} bytes (16 MiB)"))
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, Diagnostic> {
    let unreadable = |why: String| {
        Diagnostic::new(
            "file-unreadable",
            format!("cannot read `{}`", path.display()),
        )
        .label(why)
    };
    let told = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            let missing = unreadable("there is no such file".to_owned());
            match neighbour(path) {
                Some(name) => missing.help(format!("did you mean `{name}`?")),
                None => missing,
            }
        }
        _ => unreadable(error.to_string()),
    };
    let facts = std::fs::metadata(path).map_err(told)?;
    if !facts.is_file() {
        return Err(unreadable("it is not a regular file".to_owned()));
    }
    if facts.len() > FILE_BYTES_MAX {
        return Err(too_large(path, facts.len()));
    }
    std::fs::read(path).map_err(told)
}

/// The file beside `path` that is called most like it.
fn neighbour(path: &Path) -> Option<String> {
    const LOOKED_AT_MAX: usize = 500;
    let folder = match path.parent()? {
        here if here.as_os_str().is_empty() => Path::new("."),
        folder => folder,
    };
    let beside = std::fs::read_dir(folder).ok()?.take(LOOKED_AT_MAX);
    let files = beside.flatten().filter(|entry| entry.path().is_file());
    let names = files.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.collect();
    // Of two that are equally near, always the same one.
    names.sort();
    let wanted = path.file_name()?.to_str()?;
    let name = nearest(wanted, names.iter().map(String::as_str))?;
    Some(path.with_file_name(name).display().to_string())
}

/// The text of `path`, or a report of why there is none.
pub(crate) fn open(path: &Path) -> Result<SourceText, super::Report> {
    SourceText::read(path).map_err(|problem| {
        let mut diagnostics = Diagnostics::new(SourceText::new(path, ""));
        diagnostics.push(problem);
        diagnostics.into_report()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_there_may_be_one_beside_it() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["flash-sale.toml", "steady.toml"] {
            std::fs::write(folder.path().join(name), "").expect("a file");
        }
        let said = |name: &str| {
            let report = open(&folder.path().join(name)).expect_err("not there");
            report.render(false)
        };
        let meant = folder.path().join("flash-sale.toml");
        let meant = format!("did you mean `{}`?", meant.display());
        assert!(said("flash-sael.toml").contains(&meant));
        assert!(!said("orders.toml").contains("did you mean"));
    }
}
