//! Opening everything that a run needs, before anything is read.

use crate::destination::{Cluster, Destination, DestinationError, MappingFacts, function_arn};
use crate::engine::config::ShortVisibility;
use crate::engine::filter::PatternError;
use crate::engine::lambda::LimitError;
use crate::engine::{Mapping, Rng, SourceKind, Span, Tuning, Unsupported, mix};
use crate::invoke::{BindError, Callees, InvokeApi};
use crate::poll::advice;
use crate::poll::divert::Outlet;
use crate::poll::driver::{Driver, Ends, Phase};
use crate::poll::effects::{Io, Tally};
use crate::poll::feed::Feed;
use crate::poll::record::Recorder;
use crate::poll::shards::ShardBook;
use crate::poll::store::{Store, StoreError};
use crate::poll::windows::Windows;
use crate::poll::{Clock, RunOptions, rng_label};
use crate::scenario::{Arn, KafkaSource, MappingSource, PollerFile, PollerMapping};
use crate::source::broker::{Broker, BrokerError, BrokerPlace};
use crate::source::dynamodb::DynamoDb;
use crate::source::kafka::{Events, Kafka, KafkaError, Subscription};
use crate::source::kinesis::Kinesis;
use crate::source::local::{self, ContentError, Queue, Stream};
use crate::source::sqs::{Sqs, SqsError};
use crate::source::{AwsError, CallError, Keep};
use crate::target::{Region, Surroundings, Target, TargetError};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Why a run cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store of checkpoints.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A target.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// Limits on targets that AWS refuses.
    #[error(transparent)]
    Limits(#[from] LimitError),
    /// A local source.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// The log of inputs and decisions.
    #[error("cannot write the log `{path}`: {source}")]
    Log {
        /// The log.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The Invoke API.
    #[error(transparent)]
    InvokeApi(#[from] BindError),
    /// The source of a mapping.
    #[error("mapping `{mapping}`: {cause}")]
    Source {
        /// Its name.
        mapping: String,
        /// What is wrong.
        cause: SourceCause,
    },
}

/// What is wrong with the source of a mapping.
#[derive(Debug, thiserror::Error)]
pub enum SourceCause {
    /// A parameter that this version cannot carry out.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// A mistake in a filter pattern.
    #[error(transparent)]
    Filter(Box<PatternError>),
    /// Region or credentials.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The broker.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// The queue.
    #[error(transparent)]
    Sqs(#[from] SqsError),
    /// The stream.
    #[error(transparent)]
    Call(#[from] CallError),
    /// Kafka.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// The on-failure destination.
    #[error(transparent)]
    Destination(#[from] DestinationError),
    /// A kind of source that has no client here.
    #[error("`{0}` is not a Kinesis stream, a DynamoDB stream, an SQS queue, a broker or Kafka")]
    Kind(String),
}

impl From<PatternError> for SourceCause {
    fn from(error: PatternError) -> Self {
        Self::Filter(Box::new(error))
    }
}

pub(crate) struct Opened {
    pub(crate) drivers: Vec<Driver>,
    pub(crate) targets: Vec<Arc<Target>>,
    pub(crate) api: Option<InvokeApi>,
}

/// Local sources, shared by the mappings that read them.
enum Local {
    Stream(Arc<Stream>),
    Queue(Arc<Queue>),
}

/// What all mappings share.
struct Shared<'a> {
    file: &'a PollerFile,
    options: &'a RunOptions,
    clock: Clock,
    store: Arc<Store>,
    targets: Vec<Arc<Target>>,
    service: Arc<Region>,
    locals: Vec<Local>,
    recorder: Option<Recorder>,
    phase: &'a Arc<watch::Sender<Phase>>,
    phases: watch::Receiver<Phase>,
}

pub(crate) async fn open(
    file: &PollerFile,
    options: &RunOptions,
    clock: Clock,
    phase: &Arc<watch::Sender<Phase>>,
    phases: watch::Receiver<Phase>,
) -> Result<Opened, OpenError> {
    let recorder = options.record.as_ref().map(|path| {
        Recorder::create(path).map_err(|source| OpenError::Log {
            path: path.clone(),
            source,
        })
    });
    let store = match &file.poller.store {
        Some(path) => Store::open(path)?,
        None => Store::in_memory(),
    };
    let surroundings = Surroundings {
        aws: file.aws.clone(),
        clock,
        seed: file.poller.seed,
        region: Arc::new(Region::open(file, clock)?),
    };
    let mut targets = Vec::new();
    for target in &file.targets {
        targets.push(Arc::new(Target::open(target, &surroundings).await?));
    }
    let mut shared = Shared {
        file,
        options,
        clock,
        store: Arc::new(store),
        targets,
        service: surroundings.region,
        locals: Vec::new(),
        recorder: recorder.transpose()?,
        phase,
        phases,
    };
    for source in &file.sources {
        let now = clock.now();
        shared.locals.push(match source.kind {
            SourceKind::Kinesis => Local::Stream(Arc::new(Stream::open(source, now)?)),
            _ => Local::Queue(Arc::new(Queue::open(source, now)?)),
        });
    }
    let enabled = file.mappings.iter().filter(|mapping| mapping.enabled);
    let mut drivers = Vec::new();
    for (index, mapping) in (0..).zip(enabled) {
        let driver = shared.mapping(index, mapping).await;
        drivers.push(driver.map_err(|cause| match cause {
            Cause::Source(cause) => OpenError::Source {
                mapping: mapping.config.name.clone(),
                cause,
            },
            Cause::Store(error) => OpenError::Store(error),
        })?);
    }
    Ok(Opened {
        drivers,
        api: shared.invoke_api().await?,
        targets: shared.targets,
    })
}

impl Shared<'_> {
    async fn invoke_api(&self) -> Result<Option<InvokeApi>, OpenError> {
        let Some(address) = self.file.invoke_api else {
            return Ok(None);
        };
        let callees = Callees {
            file: self.file,
            targets: self.targets.clone(),
            service: self.service.clone(),
            clock: self.clock,
            counters: self.options.counters.clone(),
        };
        let api = InvokeApi::bind(address, callees).await?;
        Ok(Some(api))
    }
}

enum Cause {
    Source(SourceCause),
    Store(StoreError),
}

impl<E: Into<SourceCause>> From<E> for Cause {
    fn from(error: E) -> Self {
        Self::Source(error.into())
    }
}

impl Shared<'_> {
    async fn mapping(&self, index: u32, mapping: &PollerMapping) -> Result<Driver, Cause> {
        let config = &mapping.config;
        let keep = Arc::new(Keep::matching(config.source, &config.filters)?);
        let (feed, tuning, events) = self.feed(mapping, &keep).await?;
        let outlet = self.outlet(mapping).await?;
        let name: Arc<str> = Arc::from(config.name.as_str());
        let mut stored = self.store.load(&name).map_err(Cause::Store)?;
        if config.tumbling_window.is_none() {
            // Left by an earlier version of the file.
            stored.values_mut().for_each(|stored| stored.window = None);
        }
        let listed = feed.shards().await?;
        let now = self.clock.now();
        let seed = self.file.poller.seed;
        let rng = Rng::stream(seed, &rng_label(&name));
        let recorder = self.recorder.as_ref();
        let mut io = Io {
            name: name.clone(),
            function_name: Arc::from(config.function_name.as_str()),
            executed_version: Arc::from("$LATEST"),
            outlet,
            clock: self.clock,
            readers: Vec::new(),
            keep,
            book: ShardBook::new(stored, config.starting_position),
            windows: Windows::new(self.source_arn(mapping)),
            target: self.targets[mapping.target].clone(),
            store: self.store.clone(),
            counters: self.options.counters.clone(),
            observer: self.options.observer.clone(),
            tap: self.options.tap.clone(),
            log: recorder.map(|recorder| recorder.mapping(index, now, seed, config, &tuning)),
            tasks: JoinSet::new(),
            draining: watch::channel(false).0,
            tally: Tally {
                last_records: now,
                ..Tally::default()
            },
            events,
            shard_ended: false,
            salt: mix(now.as_nanos() ^ u64::from(index)),
            feed,
        };
        let shards = io.admit(&listed);
        let first_list = io.feed.reshards().then_some(now);
        let driver = Driver {
            mapping: Mapping::new(config.clone(), tuning, rng, now)?,
            next_list: first_list.map(|now| now + crate::poll::driver::LIST_INTERVAL),
            io,
            ends: Ends {
                idle: self.options.stop_when_idle,
                records_max: self.options.records_max,
            },
            run: self.phase.clone(),
            phase: self.phases.clone(),
            clock: self.clock,
            opened: now,
            wake: None,
            is_draining: false,
            lists_for_children: 0,
            first_shards: shards,
        };
        Ok(driver)
    }

    async fn feed(
        &self,
        mapping: &PollerMapping,
        keep: &Arc<Keep>,
    ) -> Result<(Feed, Tuning, Option<Events>), SourceCause> {
        let mut tuning = mapping.tuning;
        if let MappingSource::Kafka(source) = &mapping.source {
            let (kafka, events) = Kafka::open(Subscription {
                mapping: &mapping.config.name,
                source,
                start: mapping.config.starting_position,
                access: &mapping.access,
                aws: &self.file.aws,
                keep: keep.clone(),
                counters: self.options.counters.clone(),
            })?;
            tuning.envelope_len = kafka.shape().envelope_len();
            tuning.partition_len = kafka.shape().partition_len_max();
            return Ok((Feed::Kafka(Arc::new(kafka)), tuning, Some(events)));
        }
        let has_window = mapping.config.window >= Span::from_secs(1);
        let feed = match &mapping.source {
            MappingSource::Local(index) => match &self.locals[*index] {
                Local::Stream(stream) => Feed::Stream {
                    stream: stream.clone(),
                    role: Arc::from(self.role("aws", local::ACCOUNT)),
                },
                Local::Queue(queue) => {
                    tuning.visibility_timeout = self.file.sources[*index].visibility_timeout;
                    Feed::Queue {
                        queue: queue.clone(),
                        shape: Arc::new(queue.shape(has_window)),
                    }
                }
            },
            MappingSource::Kafka(source) => return Err(SourceCause::Kind(source.shown())),
            MappingSource::Broker { arn, url, queue } => {
                let (access, aws) = (&mapping.access, &self.file.aws);
                let place = BrokerPlace::new(arn, url, queue, access, &mapping.config, aws)?;
                let envelope = Broker::envelope(&place);
                tuning.envelope_len = envelope.len();
                Feed::Broker {
                    broker: Arc::new(Broker::open(place, self.clock).await?),
                    envelope: Arc::new(envelope),
                }
            }
            MappingSource::Service { arn, endpoint_url } => {
                let endpoint = endpoint_url
                    .as_deref()
                    .or(self.file.aws.endpoint_url.as_deref());
                match arn.kind {
                    SourceKind::Kinesis => {
                        let role = self.role(&arn.partition, &arn.account);
                        if arn.consumer.is_some() {
                            tuning = tuning.pushed();
                        }
                        let kinesis = Kinesis::open(arn, endpoint, &self.file.aws, &role).await?;
                        Feed::Kinesis(Arc::new(kinesis))
                    }
                    SourceKind::DynamoDb => {
                        let dynamodb = DynamoDb::open(arn, endpoint, &self.file.aws).await?;
                        Feed::DynamoDb(Arc::new(dynamodb))
                    }
                    SourceKind::Sqs | SourceKind::SqsFifo => {
                        let sqs = Sqs::open(arn, endpoint, &self.file.aws, has_window).await?;
                        let sqs = sqs.counting(self.options.counters.clone());
                        tuning.visibility_timeout = sqs.facts().visibility_timeout;
                        self.advise(mapping, arn, tuning.visibility_timeout);
                        advice::redrive(&mapping.config.name, &arn.name, sqs.facts());
                        Feed::Sqs(Arc::new(sqs))
                    }
                    _ => return Err(SourceCause::Kind(arn.text.clone())),
                }
            }
        };
        Ok((feed, tuning, None))
    }

    /// What the events of a stream name as their source.
    fn source_arn(&self, mapping: &PollerMapping) -> Arc<str> {
        match &mapping.source {
            MappingSource::Service { arn, .. } | MappingSource::Broker { arn, .. } => {
                Arc::from(arn.text.as_str())
            }
            MappingSource::Kafka(kafka) => {
                let arn = kafka.arn.as_ref().map(|arn| arn.text.as_str());
                Arc::from(arn.unwrap_or_default())
            }
            MappingSource::Local(index) => match &self.locals[*index] {
                Local::Stream(stream) => Arc::from(stream.arn()),
                Local::Queue(_) => Arc::from(""),
            },
        }
    }

    /// Opens the on-failure destination, which may be out of reach as yet.
    async fn outlet(&self, mapping: &PollerMapping) -> Result<Option<Arc<Outlet>>, SourceCause> {
        let config = &mapping.config;
        let Some(text) = &config.on_failure else {
            return Ok(None);
        };
        let source_arn = self.source_arn(mapping);
        let facts = MappingFacts {
            name: Arc::from(config.name.as_str()),
            function_arn: Arc::from(function_arn(&config.function_name, &source_arn)),
            source_arn,
            cluster: match &mapping.source {
                MappingSource::Kafka(source) => Some(Arc::new(Cluster {
                    source: KafkaSource::clone(source),
                    access: mapping.access.clone(),
                })),
                _ => None,
            },
        };
        let destination = Destination::open(text, &facts, &self.file.aws).await?;
        Ok(Some(Arc::new(Outlet {
            destination,
            source: config.source,
            facts,
        })))
    }

    fn role(&self, partition: &str, account: &str) -> String {
        match &self.options.role_arn {
            Some(role) => role.clone(),
            None => format!("arn:{partition}:iam::{account}:role/lambda-role"),
        }
    }

    fn advise(&self, mapping: &PollerMapping, arn: &Arn, visibility_timeout: Span) {
        let timeout = self.file.targets[mapping.target].timeout;
        let window = mapping.config.window;
        // How long a target may take is not its function's timeout, so nothing is refused here.
        if ShortVisibility::of(visibility_timeout, timeout, window).is_some() {
            tracing::warn!(
                mapping = mapping.config.name, queue = arn.name, %visibility_timeout, target_timeout = %timeout, %window,
                "the queue's visibility timeout is short: messages may be delivered again while they are worked on; \
                 AWS recommends six times the function's timeout, plus the batching window"
            );
        }
    }
}
