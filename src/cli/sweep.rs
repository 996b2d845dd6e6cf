//! `tidegate sweep`: runs variants of a scenario.

use super::exit::Exit;
use super::progress::Bar;
use super::terminal_width;
use super::{colour_on_stderr, colour_on_stdout, is_other_kind, print, say};
use crate::metrics::SweepSummary;
use crate::report::{self, TextOptions};
use crate::scenario::{self, FileKind, Loaded, SourceText};
use crate::study::{
    self, Asked, Checked, Finding, Found, Heard, Journal, Part, Plan, Results, Shard, Sheet,
    SweepError,
};
use clap::{Args, ValueEnum};
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Instant;

/// Run variants of a scenario and show their figures with intervals.
///
/// Every --vary is an axis: one or several paths of the file (joined by `+`, they take the same value), `=`, and
/// values: a list (`100,500,1000`), a number of values between two ends (`50..400:8`), the same with one factor from
/// value to value (`1s..16s:log5`), or steps (`10..50:step10`). All combinations of the axes' values are variants; with
/// --sample lhs:N, N points of a Latin hypercube are, and ranges need no number of values (`50..400`, `1s..16s:log`).
///
/// All variants have the same seeds. Results do not depend on the number of threads, and with --out an interrupted sweep
/// goes on where it stopped when it is started again.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Sweep {
    /// A scenario file (TOML, YAML or JSON).
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// An axis: what takes which values.
    #[arg(long, required = true, value_name = "PATH=VALUES")]
    vary: Vec<String>,
    /// Which combinations are tried: `grid` (all) or `lhs:N`.
    #[arg(long, default_value = "grid", value_name = "DESIGN")]
    sample: String,
    /// A figure, subject.Metric.statistic; may be given several times [default: latency, throttles, cold starts, age,
    /// backlog and cost].
    #[arg(long, value_name = "FIGURE")]
    metric: Vec<String>,
    /// Mark the variants that no other one beats in both of these figures; `max:` in front of one if more is better.
    #[arg(long, value_name = "FIGURE,FIGURE")]
    pareto: Option<String>,
    /// Run each variant this many times, with consecutive seeds, and give 95 % intervals.
    #[arg(long, default_value = "5", value_name = "N")]
    replications: NonZeroU32,
    /// Go on with a variant until half the interval of every --metric is below this share of its mean, such as 2%.
    #[arg(long, value_name = "PERCENT")]
    precision: Option<String>,
    /// With --precision: at most so many replications [default: 100].
    #[arg(long, value_name = "N")]
    replications_max: Option<NonZeroU32>,
    /// Seed of the first replication, instead of the file's own.
    #[arg(long)]
    seed: Option<u64>,
    /// Run a single replication and show its whole report: `variant=17,rep=3`.
    #[arg(long, num_args = 1..=2, value_name = "variant=V rep=R", conflicts_with = "shard")]
    only: Vec<String>,
    /// Run only this part of the variants and write it for `tidegate merge`: `i/n`, or `auto` inside an array of Slurm, AWS
    /// Batch, Kubernetes or HyperQueue (`auto/n` where the scheduler does not tell n).
    #[arg(long, value_name = "I/N", requires = "out")]
    shard: Option<String>,
    /// Write sweep.json, sweep.csv, runs.csv, sweep.md and sweep.html into this folder.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// What is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Threads [default: all cores].
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroU32>,
    /// Draw no progress bar.
    #[arg(long, short)]
    quiet: bool,
}

const EXAMPLES: &str = "Examples:
  tidegate sweep scenarios/clicks-stream.toml --vary mapping.clicks-to-counter.BatchSize=100,500,1000 --out sweep
  tidegate sweep shop.toml --vary function.checkout.memory_mb=256..2048:log4 --vary region.account_concurrency=500,1000 \\
      --metric checkout.Latency.p99 --precision 2% --pareto cost.total_usd_per_month.Sum,checkout.Latency.p99
  tidegate sweep shop.toml --vary traffic.0.rate=100..5000 --sample lhs:50 --only variant=17 rep=3
  tidegate sweep shop.toml --vary traffic.0.rate=100..5000:50 --shard 3/8 --out parts && tidegate merge parts/shard-*.json

docs/sweeps.md says more.";

/// What is printed of a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Tables for people.
    Text,
    /// The document that --out writes as sweep.json.
    Json,
    /// One row per variant: sweep.csv.
    Csv,
    /// A table for a pull request: sweep.md.
    Markdown,
}

/// Findings on variants beyond these are only counted.
const FINDINGS_MAX: usize = 20;
/// Shards look at all variants of smaller sweeps, so that all of them refuse the same plans.
const CHECKED_ALL_MAX: u32 = 10_000;

/// Everything that was understood of the command line and the file.
struct Ready {
    source: SourceText,
    loaded: Loaded,
    plan: Plan,
    measures: Vec<study::Measure>,
    shard: Shard,
    /// Variant and replication, both from zero.
    only: Option<(u32, u32)>,
    jobs: NonZeroU32,
}

impl Ready {
    const fn sheet(&self) -> Sheet<'_> {
        Sheet {
            source: &self.source,
            plan: &self.plan,
            measures: self.measures.as_slice(),
        }
    }
}

impl Sweep {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let Some(ready) = self.ready() else {
            return Ok(Exit::BadInput);
        };
        let Some(checked) = ready.check() else {
            return Ok(Exit::BadInput);
        };
        if let Some((variant, replication)) = ready.only {
            return self.run_only(&ready, variant, replication);
        }
        if let Some(folder) = &self.out {
            report::prepare(folder)?;
        }
        let opened = self.out.as_deref().map(|folder| {
            let opened = Journal::open(folder, &ready.plan, ready.shard);
            opened.map(|(journal, results)| (Some(journal), results))
        });
        let (journal, results) = match opened.transpose() {
            Ok(opened) => opened.unwrap_or_default(),
            Err(error) if error.is_usage() => {
                say(format_args!("error: {error}"));
                return Ok(Exit::BadInput);
            }
            Err(error) => return Err(error.into()),
        };
        self.run_all(&ready, &checked, journal, results)
    }

    /// The file and the plan, or nothing once everything that is wrong with them has been said.
    fn ready(&self) -> Option<Ready> {
        if is_other_kind(&self.file, FileKind::Scenario) {
            return None;
        }
        let show = |report: &scenario::Report| {
            say(format_args!(
                "{}",
                report.render(colour_on_stderr()).trim_end()
            ));
        };
        let source = scenario::open(&self.file)
            .map_err(|report| show(&report))
            .ok()?;
        let loaded = scenario::parse(source.clone())
            .map_err(|report| show(&report))
            .ok()?;
        if !loaded.warnings.is_empty() {
            show(&loaded.warnings);
        }
        let mut problems: Vec<String> = Vec::new();
        let environment = |name: &str| std::env::var(name).ok();
        let shard = self.shard.as_deref().unwrap_or("1/1");
        let shard = Shard::parse(shard, environment);
        problems.extend(shard.as_ref().err().map(ToString::to_string));
        let only = (!self.only.is_empty()).then(|| only(&self.only));
        problems.extend(only.clone().and_then(Result::err));
        let plan = Plan::new(self.asked(), &loaded.scenario);
        if let Err(wrong) = &plan {
            problems.splice(0..0, wrong.iter().map(ToString::to_string));
        }
        if let (Ok((plan, _)), Some(Ok((variant, _)))) = (&plan, &only)
            && *variant >= plan.variants()
        {
            problems.push(format!(
                "there is no variant {}; there are 1 to {}",
                variant + 1,
                plan.variants()
            ));
        }
        if only.is_some() && matches!(self.format, Format::Csv | Format::Markdown) {
            problems
                .push("--only prints text or json; series.csv is written with --out".to_owned());
        }
        for problem in &problems {
            say(format_args!("error: {problem}"));
        }
        if !problems.is_empty() {
            return None;
        }
        let (plan, measures) = plan.ok()?;
        Some(Ready {
            source,
            loaded,
            plan,
            measures,
            shard: shard.ok()?,
            only: only.and_then(Result::ok),
            jobs: self.jobs.unwrap_or_else(study::cores),
        })
    }

    fn asked(&self) -> Asked {
        const MAX: u32 = 100;
        let replications = self.replications.get();
        let usual_max = match self.precision {
            Some(_) => replications.max(MAX),
            None => replications,
        };
        let pareto = self.pareto.as_deref().unwrap_or_default();
        Asked {
            vary: self.vary.clone(),
            sample: self.sample.clone(),
            metrics: self.metric.clone(),
            pareto: pareto
                .split(',')
                .map(|name| name.trim().to_owned())
                .filter(|name| !name.is_empty())
                .collect(),
            seed: self.seed,
            replications,
            replications_max: self.replications_max.map_or(usual_max, NonZeroU32::get),
            precision: self.precision.clone(),
        }
    }

    fn run_all(
        &self,
        ready: &Ready,
        checked: &Checked,
        mut journal: Option<Journal>,
        mut results: Results,
    ) -> anyhow::Result<Exit> {
        let done = results.count();
        let left = results.left(&ready.plan, ready.shard);
        if done > 0 {
            say(format_args!(
                "note: {done} runs were done before; going on with the other {left}"
            ));
        }
        let bar = Bar::new(ready.plan.title(), left as u64, self.quiet);
        let mut known = left;
        let told = |heard: Heard<'_>| match (heard, &mut journal) {
            (Heard::Wanted(wanted), _) => {
                bar.more(wanted.saturating_sub(known) as u64);
                known = 0;
                Ok(())
            }
            (Heard::Done(run), Some(journal)) => journal.add(run),
            (Heard::Done(_), None) => Ok(()),
        };
        let sheet = ready.sheet();
        let progress = || bar.part();
        let ended = study::sweep(
            &sheet,
            ready.shard,
            ready.jobs,
            &mut results,
            progress,
            told,
        );
        bar.finish();
        match ended {
            Ok(()) => {}
            Err(error @ (SweepError::Changed { .. } | SweepError::Limits { .. })) => {
                say(format_args!("error: {error}"));
                return Ok(Exit::BadInput);
            }
            Err(error @ SweepError::Stopped(_)) => return Err(error.into()),
        }
        let part = Part::of(&ready.plan, ready.shard, &checked.facts, &results);
        let file = match (&self.out, ready.shard) {
            (Some(folder), shard) if shard.count() > 1 => {
                let name = format!("shard-{}-of-{}.json", shard.index(), shard.count());
                Some(report::write_file(&folder.join(&name), &part.to_json())?)
            }
            (folder, _) => {
                let summary = part.summary();
                print(&show(&summary, self.format))?;
                let written = folder.as_ref().map(|it| report::write_sweep(it, &summary));
                written.transpose()?.map(|[.., page]| page)
            }
        };
        if let Some(journal) = journal {
            journal.finish()?;
        }
        if let Some(file) = file {
            let what = if ready.shard.count() > 1 {
                "shard"
            } else {
                "report"
            };
            say(format_args!("{what}: {}", file.display()));
        }
        Ok(Exit::Fine)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "people are told how long it took; no result depends on it"
    )]
    fn run_only(&self, ready: &Ready, variant: u32, replication: u32) -> anyhow::Result<Exit> {
        let sheet = ready.sheet();
        let Ok(scenario) = sheet.scenario(variant) else {
            say(format_args!("error: the file has changed; start again"));
            return Ok(Exit::BadInput);
        };
        let bar = Bar::new(&scenario.title, 1, self.quiet);
        let begun = Instant::now();
        let run = study::run_one(&sheet, &scenario, replication, &mut bar.part());
        let wall_s = begun.elapsed().as_secs_f64();
        bar.finish();
        let run = run?;
        let mut summary = study::summarise(&scenario, std::slice::from_ref(&run));
        summary.engine.wall_s = wall_s;
        summary.engine.invocations_per_s = run.invocations as f64 / wall_s;
        summary.engine.records_per_s = run.records as f64 / wall_s;
        let (variant, replication) = (variant + 1, replication + 1);
        say(format_args!(
            "variant {variant}: {}\nreplication {replication}: seed {}",
            ready.plan.describe(variant - 1),
            summary.seed
        ));
        print(&match self.format {
            Format::Json => report::json(&summary),
            _ => report::text(&summary, &run.series, options()),
        })?;
        if let Some(folder) = &self.out {
            let folder = folder.join(format!("variant-{variant}-rep-{replication}"));
            let files = report::write_all(&folder, &summary, &run.series, &report::Part::USUAL)?;
            say(format_args!("report: {}", files[3].display()));
        }
        let failed = summary.gates.iter().any(|gate| !gate.pass);
        Ok(if failed { Exit::GateFailed } else { Exit::Fine })
    }
}

impl Ready {
    /// What is known of the variants, or nothing once everything that is wrong with them has been said.
    fn check(&self) -> Option<Checked> {
        let variants = match self.only {
            Some((variant, _)) => vec![variant],
            None if self.plan.variants() <= CHECKED_ALL_MAX => Shard::WHOLE.variants(&self.plan),
            None => self.shard.variants(&self.plan),
        };
        let Loaded { scenario, warnings } = &self.loaded;
        let checked = self.sheet().check(&variants, scenario, warnings, self.jobs);
        tell(&checked.odd, "has warnings", "have warnings");
        if checked.refused.is_empty() {
            return Some(checked);
        }
        tell(&checked.refused, "cannot run", "cannot run");
        let count = checked.wrong;
        say(format_args!(
            "{count} of {} variants cannot run; nothing was run",
            variants.len()
        ));
        None
    }
}

/// Says what was found on which variants.
fn tell(findings: &[Finding], one: &str, many: &str) {
    for finding in findings.iter().take(FINDINGS_MAX) {
        let what = match finding.variants.as_slice() {
            [variant] => format!("variant {variant} {one}"),
            variants => format!(
                "{} variants {many} ({})",
                variants.len(),
                shortened(variants)
            ),
        };
        let whose = match finding.common.as_slice() {
            [] => String::new(),
            values => format!(" with {}", values.join(" ")),
        };
        let text = match &finding.what {
            Found::Diagnostics(report) => report.render(colour_on_stderr()),
            Found::Unmeasured(text) => format!("error: {text}"),
        };
        say(format_args!("{what}{whose}:\n{}\n", text.trim_end()));
    }
    if findings.len() > FINDINGS_MAX {
        say(format_args!(
            "and {} more findings on other variants\n",
            findings.len() - FINDINGS_MAX
        ));
    }
}

fn shortened(variants: &[u32]) -> String {
    const NAMED_MAX: usize = 12;
    let named: Vec<String> = variants
        .iter()
        .take(NAMED_MAX)
        .map(ToString::to_string)
        .collect();
    let dots = if variants.len() > NAMED_MAX {
        ", …"
    } else {
        ""
    };
    format!("{}{dots}", named.join(", "))
}

/// Reads `variant=17,rep=3`, in one word or two; both count from one there and from zero here.
fn only(words: &[String]) -> Result<(u32, u32), String> {
    let text = words.join(",");
    let wrong = || format!("`{text}` names no run; write `variant=17,rep=3`, both counted from 1");
    let mut values: BTreeMap<&str, u32> = BTreeMap::new();
    for pair in text
        .split(',')
        .map(str::trim)
        .filter(|pair| !pair.is_empty())
    {
        let (key, value) = pair.split_once('=').ok_or_else(wrong)?;
        let value: u32 = value.trim().parse().map_err(|_| wrong())?;
        let value = value.checked_sub(1).ok_or_else(wrong)?;
        if values.insert(key.trim(), value).is_some() {
            return Err(wrong());
        }
    }
    match (values.remove("variant"), values.remove("rep"), values.len()) {
        (Some(variant), Some(replication), 0) => Ok((variant, replication)),
        _ => Err(wrong()),
    }
}

fn options() -> TextOptions {
    TextOptions {
        width: terminal_width(),
        colour: colour_on_stdout(),
    }
}

/// What is printed of a finished sweep.
pub(super) fn show(summary: &SweepSummary, format: Format) -> String {
    match format {
        Format::Text => report::sweep_text(summary, options()),
        Format::Json => report::sweep_json(summary),
        Format::Csv => report::sweep_csv(summary),
        Format::Markdown => report::sweep_markdown(summary),
    }
}
