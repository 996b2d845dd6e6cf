//! `result.json`: everything that is needed to draw a run's reports again and to compare it with another.
//!
//! One JSON document. Its head says what it is and where it comes from; figures are there for every replication at full
//! precision, by their paths as [`for_each_figure`](crate::metrics::for_each_figure) tells them; the series of the first
//! replication is there as columns (`cells`). The last line is a check over everything before it, so that a file which
//! was damaged or edited is told from one that another version wrote: figures and columns that this version does not
//! know are left out, and those that it misses do not exist (figures) or are zero (columns).

mod cells;
mod read;
mod series;
mod write;

use crate::metrics::{Series, Summary};
use std::path::{Path, PathBuf};

/// The version of the format, and the key under which a document says that it is one.
pub(super) const FORMAT: u64 = 1;
pub(super) const FORMAT_KEY: &str = "tidegate_result";

/// A result is at most this long: more than the largest that a scenario can give.
const BYTES_MAX: u64 = 4 << 30;

/// A run as it is kept.
#[derive(Clone, Debug)]
pub struct StoredResult {
    /// The figures of all replications together, with gates and the simulator's own work.
    pub summary: Summary,
    /// The figures of each replication, in the order of their seeds; never empty.
    pub replications: Vec<Summary>,
    /// The series of the first replication.
    pub series: Series,
}

/// A file that is no stored result, or none that can be read.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum StoredError {
    #[error("cannot read `{}`: {source}", path.display())]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(
        "`{}` is {found}; expected a stored result (the result.json that `tidegate simulate FILE --out DIR` writes)\n  = help: {help}",
        path.display()
    )]
    Kind {
        path: PathBuf,
        found: String,
        help: String,
    },
    #[error(
        "`{}` breaks off in line {line}, as a file does that was cut in half\n  = help: copy it again, or write it again with `tidegate simulate FILE --out DIR`",
        path.display()
    )]
    CutShort { path: PathBuf, line: usize },
    #[error(
        "`{}` has format {found} of stored results (written by tidegate {writer}); this is tidegate {}, which reads format {FORMAT}\n  = help: run its scenario again with this version, or read it with the version that wrote it",
        path.display(),
        env!("CARGO_PKG_VERSION")
    )]
    Format {
        path: PathBuf,
        found: String,
        writer: String,
    },
    #[error(
        "`{}` was changed or damaged after it was written: its check is {found}, expected {expected}\n  = help: copy it again, or write it again with `tidegate simulate FILE --out DIR`",
        path.display()
    )]
    Check {
        path: PathBuf,
        found: String,
        expected: String,
    },
    #[error(
        "`{}` has {found} in `{place}`; expected {expected}\n  = help: write it again with `tidegate simulate FILE --out DIR`",
        path.display()
    )]
    Content {
        path: PathBuf,
        place: String,
        found: String,
        expected: String,
    },
}

impl StoredResult {
    /// The document, with a final line break. Equal results give equal bytes.
    pub fn render(&self) -> String {
        write::render(self)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, or is not a whole result of this format.
    pub fn load(path: &Path) -> Result<Self, StoredError> {
        let failed = |source| StoredError::Io {
            path: path.to_owned(),
            source,
        };
        let length = std::fs::metadata(path).map_err(failed)?.len();
        if length > BYTES_MAX {
            return Err(StoredError::Kind {
                path: path.to_owned(),
                found: format!("{length} bytes long"),
                help: "a result is much smaller; is it another file?".to_owned(),
            });
        }
        let bytes = std::fs::read(path).map_err(failed)?;
        Self::parse(path, &bytes)
    }

    /// Reads a document; `path` is for errors.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, StoredError> {
        read::parse(path, bytes)
    }

    /// Whether a file says of itself that it is a result, of whatever format: what to do with a file of unknown kind is
    /// decided by this.
    pub fn is_one(bytes: &[u8]) -> bool {
        let head = &bytes[..bytes.len().min(1_024)];
        let wanted = format!("\"{FORMAT_KEY}\"");
        head.trim_ascii_start().starts_with(b"{")
            && head
                .windows(wanted.len())
                .any(|window| window == wanted.as_bytes())
    }
}

/// 64 bits over everything except carriage returns, which some tools add (Fowler, Noll and Vo's function, 1a): good
/// against accidents.
fn check(bytes: &[u8]) -> u64 {
    let bytes = bytes.iter().filter(|byte| **byte != b'\r');
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
