//! `tidegate poll`: runs the mappings of a poller file against real services.

use super::exit::Exit;
use super::logging::{LogFormat, log_to_stderr, show_findings};
use super::reload::Watcher;
use super::{colour_on_stderr, is_other_kind, print, say};
use crate::engine::Span;
use crate::metrics::LastResult;
use crate::poll::{self, Board, EventTotals, Observed, Observer, Reload, RunOptions, RunSummary};
use crate::scenario::{self, FileKind, PollerFile};
use anyhow::Context;
use clap::Args;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedReceiver;

/// Run the mappings of a poller file until a signal drains them.
#[derive(Debug, Args)]
pub(super) struct Poll {
    /// Poller file (TOML, YAML or JSON).
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Record the engine's inputs and decisions for `tidegate replay`. Payloads are not recorded.
    #[arg(long, value_name = "LOG")]
    record: Option<PathBuf>,
    /// End when no records came for this long (for example 30s), or a local source has no more.
    #[arg(long, value_name = "TIME", value_parser = span)]
    stop_when_idle: Option<Span>,
    /// End after this many records; those in flight are finished too.
    #[arg(long, value_name = "N")]
    max_records: Option<u64>,
    /// How long a stop waits for batches in flight, instead of the file's drain_timeout.
    #[arg(long, value_name = "TIME", value_parser = span)]
    drain_timeout: Option<Span>,
    /// Read the file again whenever it changes, as SIGHUP does at any time.
    #[arg(long)]
    watch: bool,
    /// The form of the log.
    #[arg(long, value_enum, default_value_t)]
    log_format: LogFormat,
    /// Log only warnings and errors. RUST_LOG says it in detail.
    #[arg(long, short)]
    quiet: bool,
}

impl Poll {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        // Before the file, which may name secrets.
        poll::harden().context("the process could not be hardened")?;
        if is_other_kind(&self.file, FileKind::Poller) {
            return Ok(Exit::BadInput);
        }
        let loaded = match scenario::load_poller(&self.file) {
            Ok(loaded) => loaded,
            Err(report) => {
                let rendered = report.render(colour_on_stderr());
                say(format_args!("{}", rendered.trim_end()));
                return Ok(Exit::BadInput);
            }
        };
        log_to_stderr(self.log_format, if self.quiet { "warn" } else { "info" });
        if !loaded.warnings.is_empty() {
            show_findings(self.log_format, &loaded.warnings);
        }
        let last_results = LastResults::of(&loaded.file);
        let (observer, facts) = Observer::new();
        let reload = Reload::default();
        let board = Arc::new(Board::default());
        let watcher = Watcher {
            path: self.file,
            is_watching: self.watch,
            format: self.log_format,
            reload: reload.clone(),
            board: board.clone(),
        };
        let options = RunOptions {
            board,
            reload: Some(reload),
            drain_timeout: self.drain_timeout,
            // Queues have no last result, so nobody would listen.
            observer: (!last_results.0.is_empty()).then_some(observer),
            record: self.record,
            stop_when_idle: self.stop_when_idle,
            records_max: self.max_records,
            ..RunOptions::default()
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .context("the runtime did not start")?;
        let summary = runtime.block_on(async {
            // Ends with the run, which holds the other end.
            let watching = tokio::spawn(last_results.follow(facts));
            let hangups = Watcher::listen().context("SIGHUP cannot be listened to")?;
            let watcher = tokio::spawn(watcher.run(hangups));
            let summary = poll::run(loaded.file, options).await?;
            watcher.abort();
            let last_results = watching.await.context("the facts were not followed")?;
            anyhow::Ok((summary, last_results))
        });
        let (summary, last_results) = summary?;
        print(&(text(&summary) + &last_results.text()))?;
        Ok(if summary.drained {
            Exit::Fine
        } else {
            Exit::Failure
        })
    }
}

/// Name and LastProcessingResult of every stream mapping, in file order.
struct LastResults(Vec<(String, LastResult)>);

impl LastResults {
    fn of(file: &PollerFile) -> Self {
        let streams = file
            .mappings
            .iter()
            .filter(|mapping| mapping.enabled && mapping.config.source.is_stream());
        Self(
            streams
                .map(|mapping| (mapping.config.name.clone(), LastResult::default()))
                .collect(),
        )
    }

    async fn follow(mut self, mut facts: UnboundedReceiver<Observed>) -> Self {
        while let Some(observed) = facts.recv().await {
            let found = self
                .0
                .iter_mut()
                .find(|(name, _)| **name == *observed.mapping);
            if let Some((_, last)) = found {
                last.observe(&observed.fact);
            }
        }
        self
    }

    fn text(&self) -> String {
        let line = |(name, last): &(String, LastResult)| format!("{name}: {}\n", last.text());
        self.0.iter().map(line).collect()
    }
}

fn text(summary: &RunSummary) -> String {
    let secs = summary.duration.as_secs_f64().max(1e-9);
    let drained = if summary.drained {
        "drained"
    } else {
        "not drained: what was in flight will be delivered again"
    };
    let filtered = match summary.filtered {
        0 => String::new(),
        some => format!("filtered     {some:>12}\n"),
    };
    let sqs_calls = match (summary.receives, summary.delete_calls) {
        (0, 0) => String::new(),
        (receives, deletes) => format!(
            "SQS calls    {:>12}   {receives} receives ({} empty), {deletes} deletes\n",
            receives + deletes,
            summary.empty_receives
        ),
    };
    let kafka = match summary.committed + summary.polling_errors + summary.commit_errors {
        0 => String::new(),
        _ => format!(
            "Kafka        {:>12}   committed; {} polling, {} invoke, {} commit errors; largest lag {}\n",
            summary.committed,
            summary.polling_errors,
            summary.invoke_errors,
            summary.commit_errors,
            summary.offset_lag_max
        ),
    };
    let events = events(&summary.events);
    let states = match summary.error_states {
        0 => String::new(),
        some => format!("error states {some:>12}\n"),
    };
    format!(
        "records      {:>12}   {:.0}/s\npolled       {:>12}\n{filtered}invocations  {:>12}\nerrors       {:>12}\nthrottles    {:>12}\ndiscarded    {:>12}   {} diverted, {} destination failures\n{sqs_calls}{kafka}{events}{states}{secs:.1} s, {drained}\n",
        summary.records,
        summary.records as f64 / secs,
        summary.polled,
        summary.invocations,
        summary.errors,
        summary.throttles,
        summary.discarded,
        summary.diverted,
        summary.destination_failures,
    )
}

/// What became of asynchronous events, if there were any.
fn events(totals: &EventTotals) -> String {
    if totals.received == 0 {
        return String::new();
    }
    let lost = match totals.unfinished {
        0 => String::new(),
        some => format!(", {some} lost at the end"),
    };
    format!(
        "events       {:>12}   {} dropped{lost}; age {} mean, {} largest; {} told, {} delivery failures; {} dead letters, {} dead-letter errors\n",
        totals.received,
        totals.dropped,
        totals.age_mean,
        totals.age_max,
        totals.delivered,
        totals.delivery_failures,
        totals.dead_lettered,
        totals.dead_letter_errors,
    )
}

fn span(text: &str) -> Result<Span, String> {
    scenario::parse_span(text)
        .ok_or_else(|| "a time is a number with ms, s, m or h, such as 30s or 1h30m".to_owned())
}
