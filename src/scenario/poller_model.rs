//! A checked poller file: plain data in which bad values cannot exist.

use crate::engine::{MappingConfig, Profile, Ratio, SourceKind, Span, Tuning};
use crate::scenario::{Arn, BrokerUrl, Dist, EventInvoke, Keys, Region, SourceAccess};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// A poller file that passed every check, ready to run.
#[derive(Clone, Debug)]
pub struct PollerFile {
    /// Hex digest of the parsed tree: equal for files that mean the same.
    pub hash: String,
    /// Which generation of scaling rules applies (top-level key `profile`).
    pub profile: Profile,
    /// Where AWS is (`[aws]`).
    pub aws: Aws,
    /// AWS's limits on the account of the `process` targets (`[region]`); `None` for none.
    pub region: Option<Region>,
    /// The poller's own settings (`[poller]`).
    pub poller: PollerSettings,
    /// Sources that need no server (`[[source]]`), in file order.
    pub sources: Vec<LocalSource>,
    /// Whoever is invoked (`[[target]]`), in file order.
    pub targets: Vec<Target>,
    /// Event source mappings (`[[mapping]]`), in file order; at least one, unless there is an Invoke API.
    pub mappings: Vec<PollerMapping>,
    /// Where callers invoke the targets (`[invoke_api]`); `None` for nowhere.
    pub invoke_api: Option<SocketAddr>,
}

/// How AWS or a server that speaks its interfaces is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aws {
    /// Region of sources and functions; `None` leaves it to the environment, or to a source's ARN.
    pub region: Option<String>,
    /// One endpoint for every service, `http://` or `https://`.
    pub endpoint_url: Option<String>,
    /// Name of a profile of the shared configuration files.
    pub profile: Option<String>,
}

/// The poller's own settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PollerSettings {
    /// File of checkpoints, relative paths resolved against the poller file; `None` keeps them in memory.
    pub store: Option<PathBuf>,
    /// How long a stop waits for batches in flight, 0 s to 1 h; 30 s by default.
    pub drain_timeout: Span,
    /// Root of every random stream.
    pub seed: u64,
    /// How shards of Kinesis and DynamoDB streams are shared with other processes; `None` reads all of them here.
    pub leases: Option<Leasing>,
    /// Where metrics, health and status are served (`listen`); `None` for nowhere.
    pub listen: Option<SocketAddr>,
}

/// How several processes share the shards of streams: a lease table in DynamoDB for each mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leasing {
    /// The tables are called this, `-`, and the mapping's name.
    pub table: String,
    /// This process among the others; made up when the file gives none.
    pub worker: Option<String>,
    /// Leases that are not renewed for this long may be taken, 1 s to 15 min.
    pub failover: Span,
    /// Leases that this process holds at most.
    pub leases_max: u32,
    /// Leases stolen from one process at a time.
    pub steal_max: u32,
    /// Where DynamoDB is, if not where the rest of AWS is.
    pub endpoint_url: Option<String>,
}

/// A source inside the process, for runs with no server.
#[derive(Clone, Debug, PartialEq)]
pub struct LocalSource {
    /// Unique in the file; mappings name it as `EventSource`.
    pub name: String,
    /// What it looks like to the function: [`SourceKind::Kinesis`], [`SourceKind::Sqs`] or [`SourceKind::SqsFifo`], whose
    /// message groups are the keys of its content.
    pub kind: SourceKind,
    /// Streams: 1 to 10,000 shards; 1 for queues.
    pub shards: u32,
    /// Queues: how long a received message stays hidden, 0 s to 12 h.
    pub visibility_timeout: Span,
    /// Queues: receives after which a message goes to the dead-letter queue; `None` for no redrive policy.
    pub max_receive_count: Option<u32>,
    /// Where its records come from.
    pub content: LocalContent,
}

/// Where the records of a local source come from.
#[derive(Clone, Debug, PartialEq)]
pub enum LocalContent {
    /// Made up.
    Generated(Generated),
    /// One record per line of a file (UTF-8); each line is a payload.
    Jsonl {
        /// Relative paths are resolved against the poller file.
        path: PathBuf,
    },
}

/// How records are made up.
#[derive(Clone, Debug, PartialEq)]
pub struct Generated {
    /// Records per second over the whole source, above 0, evenly spaced.
    pub per_sec: f64,
    /// Payload size in bytes.
    pub size: Dist,
    /// Partition keys.
    pub keys: Keys,
    /// Records after which the source falls silent; `None` for no end.
    pub count: Option<u64>,
    /// Seed of sizes and keys; the poller's own when the file gives none.
    pub seed: u64,
}

/// Whoever is invoked for one function name.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The function name that mappings use, without version or alias. Unique in the file.
    pub function: String,
    /// What it is.
    pub kind: TargetKind,
    /// Invocations at once, 1 to 100,000; `None` for no limit of ours.
    pub concurrency: Option<u32>,
    /// How long an invocation may take, 1 ms to 900 s.
    pub timeout: Span,
    /// What a process may hold, and is told as `AWS_LAMBDA_FUNCTION_MEMORY_SIZE`, 128 to 10,240.
    pub memory_mb: u32,
    /// AWS's limits on a `process`, and what becomes of the asynchronous events of any target.
    pub limits: TargetLimits,
}

/// What the Lambda service would be told of a function that runs here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetLimits {
    /// Reserved concurrency; 0 refuses everything.
    pub reserved_concurrency: Option<u32>,
    /// How long an environment lives without work.
    pub keep_alive: Span,
    /// Its aliases, in file order.
    pub aliases: Vec<TargetAlias>,
    /// What becomes of its asynchronous events, those that name an alias included.
    pub event_invoke: EventInvoke,
    /// Whether a process is ended that holds more than its memory (`enforce_memory`).
    pub enforce_memory: bool,
    /// Whether any process of this machine may speak to the Runtime API of its environments (`open_runtime_api`), not only
    /// those that were started for it.
    pub open_runtime_api: bool,
}

impl Default for TargetLimits {
    /// No reservation, no aliases, the ten minutes that are commonly seen on AWS, and everything enforced.
    fn default() -> Self {
        Self {
            reserved_concurrency: None,
            keep_alive: Span::from_secs(600),
            aliases: Vec::new(),
            event_invoke: EventInvoke::default(),
            enforce_memory: true,
            open_runtime_api: false,
        }
    }
}

/// An alias of a function that runs here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetAlias {
    /// Unique among the aliases of its function.
    pub name: String,
    /// Environments that are started before anything is polled, and kept.
    pub provisioned_concurrency: u32,
}

/// The kinds of target.
#[derive(Clone, Debug, PartialEq)]
pub enum TargetKind {
    /// A function behind the Invoke interface.
    Lambda {
        /// Overrides `[aws] endpoint_url`.
        endpoint_url: Option<String>,
        /// How a function error shows; the header by default.
        errors: ErrorSign,
    },
    /// A web server that takes events as POST bodies.
    Http {
        /// `http://host[:port]/path`.
        url: String,
        /// How a function error shows; the status by default.
        errors: ErrorSign,
    },
    /// A program that speaks the Lambda runtime interface; errors are reported through that interface.
    Process {
        /// Program and arguments, at least one word.
        command: Vec<String>,
        /// Further environment variables, in file order.
        env: Variables,
    },
    /// Nobody: waits and answers.
    Mock {
        /// Time that an invocation takes, nanoseconds.
        duration: Dist,
        /// Chance that an invocation fails.
        error_rate: Ratio,
    },
}

/// Environment variables of a process, in file order. Their values may be secrets, so that `Debug` shows names alone.
///
/// ```
/// use tidegate::scenario::Variables;
///
/// let variables = Variables(vec![("DB_PASSWORD".into(), "hunter2".into())]);
/// assert_eq!(format!("{variables:?}"), r#"["DB_PASSWORD"]"#);
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Variables(pub Vec<(String, String)>);

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(name, _)| name))
            .finish()
    }
}

/// How the answer to an invocation shows that the function failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorSign {
    /// `header`: `X-Amz-Function-Error` is present (AWS).
    Header,
    /// `body`: status 200 and a JSON object with `errorType` or `errorMessage`, or a body that says
    /// `Task timed out` (the runtime interface emulator).
    Body,
    /// `status`: 5xx other than 503; 429 and 503 still mean a throttle (cargo-lambda, web servers).
    Status,
}

/// A mapping of a poller file.
#[derive(Clone, Debug)]
pub struct PollerMapping {
    /// AWS's parameters.
    pub config: MappingConfig,
    /// What AWS has no parameter for.
    pub tuning: Tuning,
    /// What is polled.
    pub source: MappingSource,
    /// `SourceAccessConfigurations`: how a broker or Kafka is reached, in file order; empty for other sources.
    pub access: Vec<SourceAccess>,
    /// Index into [`PollerFile::targets`].
    pub target: usize,
    /// `Enabled`; a disabled mapping is checked and then left alone.
    pub enabled: bool,
}

/// What a mapping polls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MappingSource {
    /// A stream or queue of AWS, or of a server that speaks its interfaces.
    Service {
        /// `EventSourceArn`.
        arn: Arn,
        /// `endpoint_url` of the mapping, or of `[aws]`.
        endpoint_url: Option<String>,
    },
    /// A topic of Kafka.
    Kafka(Box<KafkaSource>),
    /// A broker of Amazon MQ, or one that speaks its protocol.
    Broker {
        /// `EventSourceArn`; its kind is the engine that the broker runs.
        arn: Arn,
        /// `endpoint_url`.
        url: BrokerUrl,
        /// The one name in `Queues`.
        queue: String,
    },
    /// Index into [`PollerFile::sources`].
    Local(usize),
}

/// A topic, its cluster, and the group that reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaSource {
    /// MSK: `EventSourceArn`; `None` for a self-managed cluster.
    pub arn: Option<Arn>,
    /// 1 to 10 of `host:port`.
    pub servers: Vec<String>,
    /// The one of `Topics`.
    pub topic: String,
    /// ConsumerGroupId, or the mapping's name.
    pub group: String,
    /// `security_protocol`; `None` follows from SourceAccessConfigurations.
    pub protocol: Option<KafkaProtocol>,
}

impl KafkaSource {
    /// Who manages the cluster.
    pub const fn kind(&self) -> SourceKind {
        match self.arn {
            Some(_) => SourceKind::Msk,
            None => SourceKind::SelfManagedKafka,
        }
    }

    /// Cluster and topic, to be told from others by.
    pub(crate) fn shown(&self) -> String {
        match &self.arn {
            Some(arn) => format!("{}, topic {}", arn.text, self.topic),
            None => format!("{}, topic {}", self.servers.join(","), self.topic),
        }
    }
}

/// How Kafka is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KafkaProtocol {
    /// In the clear, without a name.
    Plaintext,
    /// TLS, with a client's certificate or without a name.
    Ssl,
    /// User name and password in the clear.
    SaslPlaintext,
    /// User name and password over TLS.
    SaslSsl,
}

impl KafkaProtocol {
    /// Every protocol with Kafka's name of it.
    pub const ALL: [(&'static str, Self); 4] = [
        ("PLAINTEXT", Self::Plaintext),
        ("SSL", Self::Ssl),
        ("SASL_PLAINTEXT", Self::SaslPlaintext),
        ("SASL_SSL", Self::SaslSsl),
    ];

    /// Kafka's name.
    pub const fn name(self) -> &'static str {
        Self::ALL[self as usize].0
    }
}
