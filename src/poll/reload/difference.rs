//! How one poller file differs from another, and what that takes of a run.
//!
//! | What changes | How |
//! |---|---|
//! | `Enabled` | at once; the mapping keeps its place |
//! | parameters of a mapping, its filters, destination and function | at once; what is in hand goes on |
//! | TumblingWindowInSeconds, SourceAccessConfigurations, `endpoint_url` and pace of a mapping | the mapping drains, stores its progress and is opened again |
//! | a mapping comes or goes | it is opened, or drained; what is stored of it stays |
//! | targets | opened anew; what is in flight ends at the old one |
//! | `drain_timeout` | at once |
//! | what a mapping reads and where it began | refused, as AWS does |
//! | everything else | refused: it takes a restart of the process |

use crate::engine::{MappingConfig, Position, Span, Tuning};
use crate::scenario::{MappingSource, PollerFile, PollerMapping, Target, TargetKind};

/// What is to be done with one mapping, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Open(String),
    Remove(String),
    /// New parameters, filters, destination or function, or a new target behind the same name.
    Update(String),
    /// Drain, then open with what the file says now.
    Restart(String),
    Disable(String),
    Enable(String),
}

/// Everything that differs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// In words, such as `mapping.clicks.BatchSize 100 → 500`.
    pub(crate) changes: Vec<String>,
    /// Why it cannot be carried out; nothing is then.
    pub(crate) refusals: Vec<String>,
    pub(crate) steps: Vec<Step>,
    /// Functions whose targets are to be opened.
    pub(crate) targets: Vec<String>,
}

/// How the change of a parameter is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum How {
    Live,
    Restart,
    Refused,
}

impl Plan {
    /// What leads from `old` to `new`. `loses_place` says whether a mapping that is opened again would begin somewhere
    /// else than where it is.
    pub(crate) fn new(
        old: &PollerFile,
        new: &PollerFile,
        loses_place: impl Fn(&PollerMapping) -> bool,
    ) -> Self {
        let mut plan = Self::default();
        plan.whole(old, new);
        plan.all_targets(old, new);
        for mapping in &old.mappings {
            let name = &mapping.config.name;
            if find(new, name).is_none() {
                plan.changes.push(format!("mapping.{name} removed"));
                plan.steps.push(Step::Remove(name.clone()));
            }
        }
        for mapping in &new.mappings {
            let name = &mapping.config.name;
            match find(old, name) {
                Some(before) => plan.mapping(old, before, new, mapping, &loses_place),
                None => {
                    let function = &mapping.config.function_name;
                    let state = if mapping.enabled { "" } else { ", disabled" };
                    plan.changes.push(format!(
                        "mapping.{name} added: {} to {function}{state}",
                        shown(new, mapping)
                    ));
                    plan.steps.push(Step::Open(name.clone()));
                }
            }
        }
        plan
    }

    fn refuse(&mut self, what: &str, why: &str) {
        self.changes.push(format!("{what} changed"));
        self.refusals.push(format!("{what}: {why}"));
    }

    /// What concerns all mappings.
    fn whole(&mut self, old: &PollerFile, new: &PollerFile) {
        const RESTART: &str = "takes a restart of tidegate";
        let parts = [
            ("profile", old.profile != new.profile),
            ("[aws]", old.aws != new.aws),
            ("[region]", old.region != new.region),
            ("[invoke_api]", old.invoke_api != new.invoke_api),
            ("[[source]]", old.sources != new.sources),
            ("poller.store", old.poller.store != new.poller.store),
            ("poller.seed", old.poller.seed != new.poller.seed),
            ("poller.listen", old.poller.listen != new.poller.listen),
        ];
        for (what, _) in parts.iter().filter(|(_, changed)| *changed) {
            self.refuse(what, RESTART);
        }
        let (before, after) = (old.poller.drain_timeout, new.poller.drain_timeout);
        if before != after {
            self.changes
                .push(format!("poller.drain_timeout {before} → {after}"));
        }
    }

    fn all_targets(&mut self, old: &PollerFile, new: &PollerFile) {
        let has = |file: &PollerFile, function: &str| {
            file.targets.iter().any(|it| it.function == function)
        };
        for target in &old.targets {
            let function = &target.function;
            if !has(new, function) {
                self.target(new, target, format!("target.{function} removed"));
            }
        }
        for target in &new.targets {
            let function = &target.function;
            let before = old.targets.iter().find(|it| it.function == *function);
            let what = match before {
                Some(before) if before == target => continue,
                Some(before) => format!("target.{function} changed: {}", parts(before, target)),
                None => format!("target.{function} added"),
            };
            self.target(new, target, what);
            self.targets.push(function.clone());
        }
    }

    fn target(&mut self, new: &PollerFile, target: &Target, what: String) {
        let function = &target.function;
        let is_process = matches!(target.kind, TargetKind::Process { .. });
        if new.invoke_api.is_some() {
            self.refusals.push(format!(
                "target.{function}: with [invoke_api] targets stay as they are until a restart of tidegate"
            ));
        } else if is_process && new.region.is_some() {
            self.refusals.push(format!(
                "target.{function}: processes share the limits of [region], which takes a restart of tidegate"
            ));
        }
        self.changes.push(what);
    }

    fn mapping(
        &mut self,
        old: &PollerFile,
        before: &PollerMapping,
        new: &PollerFile,
        after: &PollerMapping,
        loses_place: impl Fn(&PollerMapping) -> bool,
    ) {
        let name = &after.config.name;
        let mut how: Option<How> = None;
        let mut note = |plan: &mut Self, parameter: &str, by: How, was: &str, is: &str| {
            plan.changes
                .push(format!("mapping.{name}.{parameter} {was} → {is}"));
            how = how.max(Some(by));
        };
        for ((parameter, was, by), (_, is, _)) in parameters(&before.config)
            .into_iter()
            .zip(parameters(&after.config))
        {
            if was != is {
                let by = match parameter == "MaximumBatchingWindowInSeconds" {
                    true => window(&before.config, &after.config),
                    false => by,
                };
                note(self, parameter, by, &was, &is);
            }
        }
        for ((key, was), (_, is)) in pace(&before.tuning).into_iter().zip(pace(&after.tuning)) {
            if was != is {
                note(self, key, How::Restart, &was, &is);
            }
        }
        if before.access != after.access {
            note(
                self,
                "SourceAccessConfigurations",
                How::Restart,
                "before",
                "after",
            );
        }
        if before.source != after.source || before.config.source != after.config.source {
            let by = source(&before.source, &after.source);
            let (was, is) = (shown(old, before), shown(new, after));
            let what = if by == How::Restart {
                "endpoint_url"
            } else {
                "EventSourceArn"
            };
            note(self, what, by, &was, &is);
        }
        if how == Some(How::Refused) {
            self.refusals.push(format!(
                "mapping.{name}: what a mapping reads and where it begins are fixed when it is made; give the mapping another name to make a new one"
            ));
            return;
        }
        let is_restarted = how == Some(How::Restart) && before.enabled;
        if is_restarted && loses_place(before) {
            self.refusals.push(format!(
                "mapping.{name}: it begins at LATEST and has no checkpoint everywhere, so that opening it again would leave records out; wait for its first checkpoints, or restart tidegate"
            ));
            return;
        }
        if is_restarted {
            self.steps.push(Step::Restart(name.clone()));
        } else if how.is_some() || self.targets.contains(&new.targets[after.target].function) {
            self.steps.push(Step::Update(name.clone()));
        }
        if before.enabled != after.enabled {
            let (word, step) = match after.enabled {
                true => ("enabled", Step::Enable(name.clone())),
                false => ("disabled", Step::Disable(name.clone())),
            };
            self.changes.push(format!("mapping.{name} {word}"));
            self.steps.push(step);
        }
    }
}

pub(crate) fn find<'a>(file: &'a PollerFile, mapping: &str) -> Option<&'a PollerMapping> {
    let mut mappings = file.mappings.iter();
    mappings.find(|it| it.config.name == mapping)
}

/// What a mapping reads, without what may be secret in an address.
pub(crate) fn shown(file: &PollerFile, mapping: &PollerMapping) -> String {
    match &mapping.source {
        MappingSource::Service { arn, .. } => arn.text.clone(),
        MappingSource::Broker { arn, queue, .. } => format!("{}, queue {queue}", arn.text),
        MappingSource::Kafka(kafka) => kafka.shown(),
        MappingSource::Local(index) => file.sources[*index].name.clone(),
    }
}

fn source(before: &MappingSource, after: &MappingSource) -> How {
    let is_same = match (before, after) {
        (MappingSource::Service { arn: a, .. }, MappingSource::Service { arn: b, .. }) => a == b,
        (
            MappingSource::Broker {
                arn: a, queue: p, ..
            },
            MappingSource::Broker {
                arn: b, queue: q, ..
            },
        ) => (a, p) == (b, q),
        (MappingSource::Kafka(a), MappingSource::Kafka(b)) => {
            (&a.arn, &a.topic, &a.group) == (&b.arn, &b.topic, &b.group)
                && (a.arn.is_some() || a.servers == b.servers)
        }
        _ => false,
    };
    if is_same { How::Restart } else { How::Refused }
}

/// The messages of queues say whether their mapping waits for more of them.
fn window(before: &MappingConfig, after: &MappingConfig) -> How {
    let waits = |config: &MappingConfig| config.window >= Span::from_secs(1);
    match before.source.is_queue() && waits(before) != waits(after) {
        true => How::Restart,
        false => How::Live,
    }
}

/// AWS's parameters with their values, and how a change of each is carried out.
fn parameters(config: &MappingConfig) -> Vec<(&'static str, String, How)> {
    fn or<T: ToString>(value: Option<T>, none: &str) -> String {
        value.map_or_else(|| none.to_owned(), |value| value.to_string())
    }
    let pollers = config.provisioned_pollers;
    let position = match config.starting_position {
        Position::At(time) => format!("AT_TIMESTAMP {} ms", time.as_millis()),
        Position::Latest => "LATEST".to_owned(),
        _ => "TRIM_HORIZON".to_owned(),
    };
    vec![
        ("FunctionName", config.function_name.clone(), How::Live),
        ("BatchSize", config.batch_size.to_string(), How::Live),
        (
            "MaximumBatchingWindowInSeconds",
            secs(config.window),
            How::Live,
        ),
        ("StartingPosition", position, How::Refused),
        (
            "ParallelizationFactor",
            config.parallelization_factor.to_string(),
            How::Live,
        ),
        (
            "MaximumRecordAgeInSeconds",
            or(config.maximum_record_age.map(secs), "-1"),
            How::Live,
        ),
        (
            "MaximumRetryAttempts",
            or(config.maximum_retry_attempts, "-1"),
            How::Live,
        ),
        (
            "BisectBatchOnFunctionError",
            config.bisect_batch_on_function_error.to_string(),
            How::Live,
        ),
        (
            "FunctionResponseTypes",
            match config.report_batch_item_failures {
                true => "[ReportBatchItemFailures]".to_owned(),
                false => "[]".to_owned(),
            },
            How::Live,
        ),
        (
            "TumblingWindowInSeconds",
            or(config.tumbling_window.map(secs), "0"),
            How::Restart,
        ),
        (
            "ScalingConfig.MaximumConcurrency",
            or(config.maximum_concurrency, "none"),
            How::Live,
        ),
        (
            "ProvisionedPollerConfig",
            or(pollers.map(|(min, max)| format!("{min} to {max}")), "none"),
            How::Live,
        ),
        (
            "DestinationConfig.OnFailure.Destination",
            or(config.on_failure.clone(), "none"),
            How::Live,
        ),
        (
            "FilterCriteria",
            format!("[{}]", config.filters.join(", ")),
            How::Live,
        ),
    ]
}

/// For parameters that are seconds: a number, or with its unit what a file cannot say.
fn secs(span: Span) -> String {
    match span.as_nanos() % 1_000_000_000 {
        0 => (span.as_nanos() / 1_000_000_000).to_string(),
        _ => span.to_string(),
    }
}

/// What AWS has no parameters for.
fn pace(tuning: &Tuning) -> [(&'static str, String); 8] {
    [
        ("backoff_first", tuning.backoff_first.to_string()),
        ("backoff_max", tuning.backoff_max.to_string()),
        ("poll_interval", tuning.poll_interval.to_string()),
        (
            "shard_reads_per_second",
            tuning.reads_per_sec_max.to_string(),
        ),
        (
            "shard_read_bytes_per_second",
            tuning.read_bytes_per_sec_max.to_string(),
        ),
        ("page_records", tuning.page_records_max.to_string()),
        ("long_poll", tuning.long_poll.to_string()),
        ("consumers", tuning.consumers.to_string()),
    ]
}

/// Which keys of a target differ. Values are not shown: those of `env`, and the words of a command, may be secret.
fn parts(before: &Target, after: &Target) -> String {
    let mut parts = Vec::new();
    match (&before.kind, &after.kind) {
        (
            TargetKind::Process { command: a, env: x },
            TargetKind::Process { command: b, env: y },
        ) => {
            if a != b {
                parts.push("command".to_owned());
            }
            let differs = |(name, value): &&(String, String)| {
                let other = x.0.iter().chain(&y.0).filter(|(it, _)| it == name);
                other.clone().count() != 2 || other.clone().any(|(_, it)| it != value)
            };
            let mut names: Vec<&str> =
                x.0.iter()
                    .chain(&y.0)
                    .filter(differs)
                    .map(|(name, _)| name.as_str())
                    .collect();
            names.sort_unstable();
            names.dedup();
            parts.extend(names.iter().map(|name| format!("env.{name}")));
        }
        (a, b) if std::mem::discriminant(a) != std::mem::discriminant(b) => {
            parts.push("type".to_owned());
        }
        (a, b) if a != b => parts.push("its address or answers".to_owned()),
        _ => {}
    }
    let keys = [
        ("concurrency", before.concurrency != after.concurrency),
        ("timeout", before.timeout != after.timeout),
        ("memory_mb", before.memory_mb != after.memory_mb),
        ("limits", before.limits != after.limits),
    ];
    let keys = keys.iter().filter(|(_, changed)| *changed);
    parts.extend(keys.map(|(key, _)| (*key).to_owned()));
    parts.join(", ")
}

#[cfg(test)]
#[path = "difference_tests.rs"]
mod tests;
