//! A whole poller file: from text to [`PollerFile`].

use super::arn::Arn;
use super::availability::{POLLED, not_yet};
use super::bench::{Bench, benches};
use super::broker::{broker_source, broker_url, is_broker};
use super::convert::{Named, duration_in, name, string, text, unique};
use super::destination::DestinationName;
use super::diagnostic::{Diagnostic, Report};
use super::functions::{self, resolve};
use super::kafka;
use super::leasing::leasing;
use super::listen::listen;
use super::load::{hash, prepare, profile, seed};
use super::local::{local_sources, targets};
use super::mapping_keys::{Clock, parameters};
use super::mappings::{Pairs, checked, stated_visibility, tuning, visible_long_enough};
use super::node::Node;
use super::poller_model::{
    Aws, LocalSource, MappingSource, PollerFile, PollerMapping, PollerSettings, Target,
};
use super::read::{At, Cx, Table};
use super::secret::source_access;
use super::text::{SourceText, open};
use crate::engine::config::MappingParameters;
use crate::engine::{FunctionName, Profile, Span};
use std::net::SocketAddr;
use std::path::Path;

/// A poller file and what is odd about it.
#[derive(Clone, Debug)]
pub struct LoadedPoller {
    /// Ready to run.
    pub file: PollerFile,
    /// Loads to measure its mappings under (`[[bench]]`), in file order; `tidegate poll` has no use for them.
    pub benches: Vec<Bench>,
    /// Findings that do not keep it from running.
    pub warnings: Report,
}

/// Reads and checks a poller file (`.toml`, `.yaml`, `.yml`, `.json`).
///
/// # Errors
/// Everything that is wrong with the file, at once.
pub fn load_poller(path: &Path) -> Result<LoadedPoller, Report> {
    parse_poller(open(path)?)
}

/// Checks the poller file in a text.
///
/// ```
/// use tidegate::scenario::{SourceText, parse_poller};
///
/// let text = r#"
/// [[target]]
/// function = "checkout"
/// type     = "mock"
/// [[source]]
/// name = "orders"
/// type = "generated"
/// kind = "sqs"
/// rate = 10
/// [[mapping]]
/// name         = "orders"
/// EventSource  = "orders"
/// FunctionName = "checkout"
/// "#;
/// let loaded = parse_poller(SourceText::new("p.toml", text))?;
/// assert_eq!(loaded.file.mappings[0].config.batch_size, 10);
/// assert!(parse_poller(SourceText::new("p.toml", "poller = 5")).is_err());
/// # Ok::<(), tidegate::scenario::Report>(())
/// ```
///
/// # Errors
/// Everything that is wrong with it, at once.
pub fn parse_poller(source: SourceText) -> Result<LoadedPoller, Report> {
    let (root, mut cx) = prepare(source, "[[target]]")?;
    let loaded = read(&root, &mut cx);
    let failed = cx.diagnostics.has_errors();
    match loaded {
        Some((mut file, benches)) if !failed => {
            file.hash = hash(&root, &cx);
            Ok(LoadedPoller {
                file,
                benches,
                warnings: cx.diagnostics.into_report(),
            })
        }
        _ => Err(cx.diagnostics.into_report()),
    }
}

/// What a tree says; its findings are in `cx`.
pub(super) fn read(node: &Node, cx: &mut Cx) -> Option<(PollerFile, Vec<Bench>)> {
    let mut root = Table::open(
        At {
            key: "the file",
            node,
        },
        "a poller file",
        cx,
    )?;
    let profile = profile(&mut root, cx);
    let aws = aws(&mut root, cx);
    let poller = settings(&mut root, cx);
    let (source_names, sources) = local_sources(&mut root, cx, poller.seed);
    let region = root.peek("region").is_some();
    let region = region.then(|| functions::region(&mut root, cx));
    let (target_names, targets) = targets(&mut root, cx, region);
    let invoke_api = invoke_api(&mut root, cx);
    if root.entry("mapping").is_none() && root.peek("invoke_api").is_none() {
        root.missing(cx, "mapping", "[ { name = \"orders\", … } ]");
    }
    let world = World {
        profile,
        aws: &aws,
        source_names: &source_names.iter().collect::<Vec<_>>(),
        sources: &sources,
        target_names: &target_names.iter().collect::<Vec<_>>(),
        targets: &targets,
    };
    let mut pairs = Pairs::default();
    let mut names = Vec::new();
    let mut mappings = Vec::new();
    for table in root.tables(cx, "mapping", "[[mapping]]") {
        let (named, found) = mapping(table, cx, &world, &mut pairs);
        names.extend(named);
        mappings.extend(found);
    }
    unique("mappings", &names, cx);
    let benches = benches(&mut root, cx, &names, &mappings, poller.seed);
    root.finish(cx);
    let sources = sources.into_iter().flatten().collect();
    let targets = targets.into_iter().flatten().collect();
    let file = PollerFile {
        hash: String::new(),
        profile,
        aws,
        region,
        poller,
        sources,
        targets,
        mappings,
        invoke_api: invoke_api.flatten(),
    };
    Some((file, benches))
}

fn aws(root: &mut Table<'_>, cx: &mut Cx) -> Aws {
    let Some(mut table) = root.opt(cx, "aws", |at, cx| Table::open(at, "[aws]", cx)) else {
        return Aws::default();
    };
    let aws = Aws {
        region: table.opt(cx, "region", string),
        endpoint_url: table.opt(cx, "endpoint_url", url),
        profile: table.opt(cx, "profile", string),
    };
    table.finish(cx);
    aws
}

/// Where the Invoke API listens.
fn invoke_api(root: &mut Table<'_>, cx: &mut Cx) -> Option<Option<SocketAddr>> {
    let mut table = root.opt(cx, "invoke_api", |at, cx| {
        Table::open(at, "[invoke_api]", cx)
    })?;
    let example = "\"127.0.0.1:9001\"";
    if table.entry("listen").is_none() {
        table.missing(cx, "listen", example);
    }
    let risk = "everybody who reaches it can invoke every function of this file";
    let listen = listen(&mut table, cx, example, risk);
    table.finish(cx);
    Some(listen)
}

fn settings(root: &mut Table<'_>, cx: &mut Cx) -> PollerSettings {
    let mut settings = PollerSettings {
        store: None,
        drain_timeout: Span::from_secs(30),
        seed: 1,
        leases: None,
        listen: None,
    };
    let Some(mut table) = root.opt(cx, "poller", |at, cx| Table::open(at, "[poller]", cx)) else {
        return settings;
    };
    settings.store = table.opt(cx, "store", |at, cx| {
        let found = text(at, cx)?;
        cx.path(at, found)
    });
    let range = Span::ZERO..=Span::from_secs(3_600);
    let drain = table.opt(cx, "drain_timeout", duration_in(range));
    settings.drain_timeout = drain.unwrap_or(settings.drain_timeout);
    settings.leases = leasing(&mut table, cx);
    settings.seed = seed(&mut table, cx).unwrap_or(settings.seed);
    let risk = "everybody who reaches it can read metrics, names and positions";
    settings.listen = listen(&mut table, cx, "\"127.0.0.1:9090\"", risk);
    table.finish(cx);
    settings
}

/// An address of a server.
pub(crate) fn url(at: At<'_>, cx: &mut Cx) -> Option<String> {
    let found = text(at, cx)?;
    let rest = found
        .strip_prefix("http://")
        .or_else(|| found.strip_prefix("https://"));
    let host = rest
        .and_then(|rest| rest.split('/').next())
        .unwrap_or_default();
    if host.contains('@') {
        cx.push(
            Diagnostic::new(
                "bad-name",
                format!("`{}` must not hold a user name or password", at.key),
            )
            .at(&at.node.span)
            .label("addresses are shown in logs and messages")
            .help("leave out everything up to the @"),
        );
        return None;
    }
    let printable = found.bytes().all(|b| b.is_ascii_graphic());
    if host.is_empty() || host.starts_with(':') || !printable {
        cx.push(
            Diagnostic::new("bad-name", format!("`{}` is not an address", at.key))
                .at(&at.node.span)
                .label("cannot be understood")
                .allowed("http://host:port or https://host:port, with a path if need be"),
        );
        return None;
    }
    Some(found.to_owned())
}

struct World<'a> {
    profile: Profile,
    aws: &'a Aws,
    source_names: &'a [&'a Named],
    sources: &'a [Option<LocalSource>],
    target_names: &'a [&'a Named],
    targets: &'a [Option<Target>],
}

fn mapping(
    mut table: Table<'_>,
    cx: &mut Cx,
    world: &World<'_>,
    pairs: &mut Pairs,
) -> (Option<Named>, Option<PollerMapping>) {
    let named = table.req(cx, "name", "\"orders-to-checkout\"", name);
    let mut written = parameters(&mut table, cx, Clock::Unix);
    written.name = named
        .as_ref()
        .map(|named| named.name.clone())
        .unwrap_or_default();
    let (endpoint_url, broker_url) = match is_broker(&written) {
        true => (None, table.opt(cx, "endpoint_url", broker_url)),
        false => (table.opt(cx, "endpoint_url", url), None),
    };
    let source = source(&mut table, cx, world, &written, endpoint_url);
    let source = match source {
        Some(MappingSource::Service { arn, .. }) if arn.kind.is_broker() => {
            broker_source(&mut table, cx, &written, arn, broker_url)
        }
        source => source,
    };
    let access = source_access(&table, cx, &written);
    let target = table.opt(cx, "FunctionName", |at, cx| {
        let found = written.function_name.as_deref()?;
        // A malformed name is reported by the rules.
        let parsed = FunctionName::parse(found).ok()?;
        resolve(at, parsed.name, world.target_names, cx)
    });
    let (kind, visibility) = match &source {
        None => (None, None),
        Some(MappingSource::Broker { arn, .. }) => (Some(arn.kind), None),
        Some(MappingSource::Service { arn, .. }) => {
            (Some(arn.kind), stated_visibility(&mut table, cx))
        }
        Some(MappingSource::Kafka(kafka)) => (Some(kafka.kind()), None),
        Some(MappingSource::Local(index)) => {
            let local = world.sources[*index].as_ref();
            let visibility = local
                .filter(|local| local.kind.is_queue())
                .map(|local| local.visibility_timeout);
            (local.map(|local| local.kind), visibility)
        }
    };
    let tuning = tuning(&mut table, cx, world.profile, kind, visibility);
    let mut config = checked(&table, cx, kind, &written);
    if let Some(config) = &mut config {
        config.on_failure = config
            .on_failure
            .take()
            .and_then(|found| on_failure(&table, cx, &found));
    }
    if let (Some(source), Some(target)) = (&source, target) {
        let shown = written
            .event_source_arn
            .as_deref()
            .or(written.event_source.as_deref());
        let servers = match source {
            MappingSource::Kafka(kafka) => Some(kafka.shown()),
            _ => None,
        };
        let shown = servers.as_deref().or(shown).unwrap_or_default();
        pairs.add(&table, cx, kind, shown, &written);
        if let (MappingSource::Local(_), Some(target)) = (source, &world.targets[target]) {
            let window = config.as_ref().map(|config| config.window);
            visible_long_enough(&table, cx, visibility, target.timeout, window);
        }
    }
    table.finish(cx);
    let mapping = (|| {
        Some(PollerMapping {
            config: config?,
            tuning,
            source: source?,
            access,
            target: target?,
            enabled: written.enabled.unwrap_or(true),
        })
    })();
    (named, mapping)
}

/// The destination with every part checked; the path of a file is resolved.
fn on_failure(table: &Table<'_>, cx: &mut Cx, found: &str) -> Option<String> {
    let mut at = At::from(table.peek("DestinationConfig")?);
    for key in ["OnFailure", "Destination"] {
        at = at.node.get(key).map_or(at, At::from);
    }
    match DestinationName::parse(found) {
        Ok(DestinationName::File(path)) => {
            let resolved = cx.path(at, path.to_str()?)?;
            let text = resolved.to_str().map(|path| format!("file://{path}"));
            if text.is_none() {
                cx.push(
                    Diagnostic::new(
                        "not-text",
                        "the folder of this file has a name that is not UTF-8",
                    )
                    .at(&at.node.span)
                    .label("a destination in that folder cannot be named"),
                );
            }
            text
        }
        Ok(_) => Some(found.to_owned()),
        Err(error) => {
            cx.push(
                Diagnostic::new("bad-arn", "`Destination` does not name a destination")
                    .at(&at.node.span)
                    .label(error.to_string())
                    .allowed(
                        "arn:aws:sqs:REGION:ACCOUNT:QUEUE, arn:aws:sns:REGION:ACCOUNT:TOPIC, arn:aws:s3:::BUCKET, \
                         file://PATH, or on Kafka kafka://TOPIC",
                    ),
            );
            None
        }
    }
}

/// What the mapping polls: an ARN, or a source of this file.
fn source(
    table: &mut Table<'_>,
    cx: &mut Cx,
    world: &World<'_>,
    written: &MappingParameters,
    endpoint_url: Option<String>,
) -> Option<MappingSource> {
    let local = table.entry("EventSource");
    if table.peek("SelfManagedEventSource").is_some() && written.event_source_arn.is_none() {
        let kafka = kafka::source(table, cx, written, None)?;
        return Some(MappingSource::Kafka(Box::new(kafka)));
    }
    let Some(entry) = table.entry("EventSourceArn") else {
        let found = written.event_source.as_deref()?;
        let index = resolve(local?.into(), found, world.source_names, cx)?;
        return Some(MappingSource::Local(index));
    };
    if let Some(local) = local {
        cx.push(
            Diagnostic::new(
                "conflicting-keys",
                "`EventSource` and `EventSourceArn` exclude each other",
            )
            .at(&local.key_span)
            .label("a mapping has one source")
            .help("remove one of them"),
        );
    }
    let arn = match Arn::parse(written.event_source_arn.as_deref()?) {
        Ok(arn) => arn,
        Err(error) => {
            cx.push(
                Diagnostic::new("bad-arn", "`EventSourceArn` does not name an event source")
                    .at(&entry.node.span)
                    .label(error.to_string())
                    .allowed(
                        "arn:aws:sqs:REGION:ACCOUNT:QUEUE, arn:aws:kinesis:REGION:ACCOUNT:stream/STREAM (with \
                         /consumer/NAME:TIMESTAMP for enhanced fan-out), or \
                         arn:aws:dynamodb:REGION:ACCOUNT:table/TABLE/stream/LABEL",
                    ),
            );
            return None;
        }
    };
    if !POLLED.contains(&arn.kind) {
        let advice = "use a Kinesis stream, a DynamoDB stream or an SQS queue";
        cx.push(not_yet(
            &format!("a source of type {}", arn.kind),
            &entry.node.span,
            advice,
        ));
    }
    if arn.kind.is_kafka() {
        let kafka = kafka::source(table, cx, written, Some(arn))?;
        return Some(MappingSource::Kafka(Box::new(kafka)));
    }
    let endpoint_url = endpoint_url.or_else(|| world.aws.endpoint_url.clone());
    Some(MappingSource::Service { arn, endpoint_url })
}
