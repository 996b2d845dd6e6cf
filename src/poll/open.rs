//! Opening everything that a run needs, before anything is read.

mod leases;

use crate::destination::{Cluster, Destination, DestinationError, MappingFacts, function_arn};
use crate::engine::config::ShortVisibility;
use crate::engine::filter::PatternError;
use crate::engine::lambda::LimitError;
use crate::engine::{Mapping, Rng, SourceKind, Span, Tuning, Unsupported, mix};
use crate::invoke::{BindError, Callees, InvokeApi};
use crate::poll::advice;
use crate::poll::board::State;
use crate::poll::divert::Outlet;
use crate::poll::driver::{Change, Driver, Ends, Phase};
use crate::poll::effects::Io;
use crate::poll::feed::Feed;
use crate::poll::kafka::Partitions;
use crate::poll::record::Recorder;
use crate::poll::reload::shown;
use crate::poll::shards::ShardBook;
use crate::poll::store::{Store, StoreError};
use crate::poll::tally::Tally;
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
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
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
    /// Metrics, health and status.
    #[error("metrics and status cannot be served on {address}: {source}")]
    Monitor {
        /// As asked for.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
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
    pub(crate) shared: Arc<Shared>,
    pub(crate) api: Option<InvokeApi>,
}

/// Local sources, shared by the mappings that read them.
#[derive(Clone)]
enum Local {
    Stream(Arc<Stream>),
    Queue(Arc<Queue>),
}

/// What all mappings share. A changed file has a new one, with the same store, sources and clock.
pub(crate) struct Shared {
    pub(crate) file: Arc<PollerFile>,
    options: RunOptions,
    clock: Clock,
    store: Arc<Store>,
    /// In the order of the file.
    pub(crate) targets: Vec<Arc<Target>>,
    service: Arc<Region>,
    locals: Vec<Local>,
    recorder: Option<Arc<Recorder>>,
    /// Of mappings in the record of the run; one that is opened again is another one there.
    numbers: Arc<AtomicU32>,
    phase: Arc<watch::Sender<Phase>>,
    phases: watch::Receiver<Phase>,
}

pub(crate) async fn open(
    file: PollerFile,
    options: &RunOptions,
    clock: Clock,
    phase: &Arc<watch::Sender<Phase>>,
    phases: watch::Receiver<Phase>,
) -> Result<Opened, OpenError> {
    let recorder = options.record.as_ref().map(|path| {
        let created = Recorder::create(path).map(Arc::new);
        created.map_err(|source| OpenError::Log {
            path: path.clone(),
            source,
        })
    });
    let store = match &file.poller.store {
        Some(path) => Store::open(path)?,
        None => Store::in_memory(),
    };
    let service = Arc::new(Region::open(&file, clock)?);
    let mut targets = Vec::new();
    for target in &file.targets {
        let surroundings = surroundings(&file, clock, service.clone());
        targets.push(Arc::new(Target::open(target, &surroundings).await?));
    }
    let mut locals = Vec::new();
    for source in &file.sources {
        let now = clock.now();
        locals.push(match source.kind {
            SourceKind::Kinesis => Local::Stream(Arc::new(Stream::open(source, now)?)),
            _ => Local::Queue(Arc::new(Queue::open(source, now)?)),
        });
    }
    let shared = Arc::new(Shared {
        file: Arc::new(file),
        options: options.clone(),
        clock,
        store: Arc::new(store),
        targets,
        service,
        locals,
        recorder: recorder.transpose()?,
        numbers: Arc::default(),
        phase: phase.clone(),
        phases,
    });
    let mut drivers = Vec::new();
    for mapping in &shared.file.mappings {
        if mapping.enabled {
            drivers.push(shared.mapping(mapping).await?);
        } else {
            let source = shown(&shared.file, mapping);
            options
                .board
                .panel(&mapping.config, source, State::Disabled);
        }
    }
    Ok(Opened {
        drivers,
        api: shared.invoke_api().await?,
        shared,
    })
}

fn surroundings(file: &PollerFile, clock: Clock, region: Arc<Region>) -> Surroundings {
    Surroundings {
        aws: file.aws.clone(),
        clock,
        seed: file.poller.seed,
        region,
    }
}

impl Shared {
    /// The same for a changed file, with the targets of `opened` opened anew.
    pub(crate) async fn with(
        &self,
        file: PollerFile,
        opened: &[String],
    ) -> Result<Self, OpenError> {
        let mut targets = Vec::new();
        for target in &file.targets {
            let is_new = opened.contains(&target.function);
            let mut kept = self.targets.iter().filter(|_| !is_new);
            let kept = kept.find(|it| it.function() == target.function);
            targets.push(match kept {
                Some(kept) => kept.clone(),
                None => {
                    // Without limits on the account nothing is shared with other processes.
                    let service = Arc::new(Region::open(&file, self.clock)?);
                    let surroundings = surroundings(&file, self.clock, service);
                    Arc::new(Target::open(target, &surroundings).await?)
                }
            });
        }
        Ok(Self {
            file: Arc::new(file),
            options: self.options.clone(),
            clock: self.clock,
            store: self.store.clone(),
            targets,
            service: self.service.clone(),
            locals: self.locals.clone(),
            recorder: self.recorder.clone(),
            numbers: self.numbers.clone(),
            phase: self.phase.clone(),
            phases: self.phases.clone(),
        })
    }

    /// What a mapping that runs needs to go on as the file says.
    pub(crate) async fn change(&self, mapping: &PollerMapping) -> Result<Change, OpenError> {
        let outlet = self.outlet(mapping).await;
        let outlet = outlet.map_err(|cause| OpenError::Source {
            mapping: mapping.config.name.clone(),
            cause,
        })?;
        Ok(Change {
            config: mapping.config.clone(),
            target: self.targets[mapping.target].clone(),
            outlet,
        })
    }

    async fn invoke_api(&self) -> Result<Option<InvokeApi>, OpenError> {
        let Some(address) = self.file.invoke_api else {
            return Ok(None);
        };
        let callees = Callees {
            file: &self.file,
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

impl Shared {
    /// Opens a mapping: it goes on from what is stored of it.
    pub(crate) async fn mapping(&self, mapping: &PollerMapping) -> Result<Driver, OpenError> {
        let index = self.numbers.fetch_add(1, Relaxed);
        self.driver(index, mapping)
            .await
            .map_err(|cause| match cause {
                Cause::Source(cause) => OpenError::Source {
                    mapping: mapping.config.name.clone(),
                    cause,
                },
                Cause::Store(error) => OpenError::Store(error),
            })
    }

    async fn driver(&self, index: u32, mapping: &PollerMapping) -> Result<Driver, Cause> {
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
        let table = self.lease_table(mapping).await?;
        let now = self.clock.now();
        let seed = self.file.poller.seed;
        let rng = Rng::stream(seed, &rng_label(&name));
        let recorder = self.recorder.as_ref();
        let source = shown(&self.file, mapping);
        let panel = self.options.board.panel(config, source, State::Enabling);
        let mut io = Io {
            panel,
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
            asked_for: watch::channel(BTreeSet::new()).0,
            tally: Tally {
                last_records: now,
                ..Tally::default()
            },
            events,
            partitions: Partitions::default(),
            shard_ended: false,
            sending: Vec::new(),
            leases: table.clone(),
            lease_news: Vec::new(),
            salt: mix(now.as_nanos() ^ u64::from(index)),
            feed,
        };
        let keeper = table.map(|table| self.keeper(config, table, now, &listed));
        let shards = match &keeper {
            Some(_) => Vec::new(),
            None => io.admit(&listed),
        };
        if shards.is_empty() && io.feed.has_shards() {
            // It has answered: there is nothing to read as yet.
            io.panel.reaches();
        }
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
            keeper,
            orders: None,
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
