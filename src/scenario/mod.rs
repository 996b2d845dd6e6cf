//! Scenario and poller files: spanned parsing, validation, diagnostics.
//!
//! A file of any format becomes one tree whose values know their bytes (`node`, filled by `toml` and `yaml`). Readers
//! walk the tree and collect everything that is wrong (`read`, `convert`, and one file per kind of table); only when
//! nothing is wrong does a [`Scenario`] or [`PollerFile`] come out, in which bad values cannot exist.

mod aliases;
mod arn;
mod arrivals;
mod availability;
mod behaviour;
mod bench;
mod broker;
mod brokers;
mod callers;
mod change;
mod convert;
mod costs;
mod csv;
mod deployments;
mod destination;
mod diagnostic;
mod digest;
mod dist;
mod event_invoke;
mod events;
mod faults;
mod functions;
mod gates;
mod inside;
mod kafka;
mod leasing;
mod lineage;
mod listen;
mod load;
mod local;
mod managed;
mod mapping_keys;
mod mappings;
mod model;
mod node;
mod poller;
mod poller_model;
mod read;
mod readers;
mod render;
mod reshard;
mod routing;
mod schedule;
mod schema;
mod secret;
mod sources;
mod steps;
mod suggest;
mod target_limits;
mod tenants;
mod text;
mod timestamp;
mod toml;
mod topics;
mod traffic;
mod units;
mod validate;
mod versions;
mod yaml;

pub use arn::{Arn, ArnError};
pub use bench::{Bench, BenchAxis, BenchLoad, BenchPoint, LoadedBench, load_bench, parse_bench};
pub use broker::{BrokerUrl, BrokerUrlError};
pub use change::Change;
pub use costs::builtin_prices;
pub use destination::{DestinationName, DestinationNameError};
pub use diagnostic::{CODES, Diagnostic, Report, Severity};
pub(crate) use digest::Digest;
pub use load::{Loaded, load, parse, parse_changed};
pub use model::*;
pub use poller::{LoadedPoller, load_poller, parse_poller};
pub use poller_model::*;
pub use schema::schema;
pub use secret::{SECRET_TYPES, SecretUri, SecretUriError, SourceAccess};
pub(crate) use suggest::{listed, nearest};
pub(crate) use text::open;
pub use text::{FILE_BYTES_MAX, Format, SourceText};
#[cfg(all(test, feature = "poller"))]
pub(crate) use timestamp::parse as parse_timestamp;
pub use units::parse_span;
pub use validate::{FileKind, kind_of, looks_like, validate};
