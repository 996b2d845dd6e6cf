//! Sources inside the process, so that mappings run with no server.
//!
//! [`Stream`] has shards, 56-digit sequence numbers, and can be read again from any position; [`Queue`] has a
//! visibility timeout, receive counts, deletion and, as a FIFO queue, message groups. Both make up their records from a counter and a
//! seed, or take the lines of a file, so nothing is stored per record that is not in flight.

mod content;
mod order;
mod queue;
mod stream;
mod zipf;

pub(crate) use content::Content;
pub use content::ContentError;
pub use queue::Queue;
pub use stream::{Reader, Stream};

/// Region of local sources.
pub const REGION: &str = "us-east-1";
/// Account of local sources.
pub const ACCOUNT: &str = "000000000000";
