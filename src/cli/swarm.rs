//! `tidegate swarm`: simulation testing of the engine.

use super::exit::Exit;
use super::{print, say};
use crate::study;
use crate::swarm::{self, Failure, Manner, Outcome, Size, World};
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::num::NonZeroU32;
use std::ops::Range;

/// Run the engine in random worlds full of faults, and check that nothing is lost.
///
/// From each seed a whole world is drawn: sources of all kinds, mappings with any valid options, functions, producers,
/// faults, crashes, updates. It runs in virtual time with every checker on; then the faults stop, and everything has to
/// come to its end. A failure is shrunk to a small world, and named by the command that shows it again.
#[derive(Debug, Args)]
pub(super) struct Swarm {
    /// Run the world of one seed.
    #[arg(long, value_name = "N", conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Run the worlds of many seeds: the first and the one after the last.
    #[arg(long, value_name = "FROM..TO", value_parser = range, default_value = "0..10000")]
    seeds: Range<u64>,
    /// How much is in a world.
    #[arg(long, value_enum, default_value_t = Worlds::Small)]
    worlds: Worlds,
    /// Threads; as many as the machine has cores unless given.
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroU32>,
    /// How figures are written.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Write down everything that happened: of one seed, and of a shrunk failure.
    #[arg(long)]
    trace: bool,
    /// Show a failure as it was found.
    #[arg(long)]
    no_shrink: bool,
    /// Draw no progress bar.
    #[arg(long, short)]
    quiet: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Worlds {
    Small,
    Medium,
    Large,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Text,
    Json,
}

fn range(text: &str) -> Result<Range<u64>, String> {
    let number = |text: &str| {
        let digits = text.replace('_', "");
        let seed: Result<u64, _> = digits.parse();
        seed.map_err(|_| format!("`{text}` is not a seed; write it like 0..1000"))
    };
    let (from, to) = text
        .split_once("..")
        .ok_or("two seeds with `..` between them are wanted, such as 0..1000")?;
    let (from, to) = (number(from)?, number(to)?);
    if from >= to {
        return Err(format!("there is no seed in {from}..{to}"));
    }
    Ok(from..to)
}

impl Swarm {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let size = match self.worlds {
            Worlds::Small => Size::Small,
            Worlds::Medium => Size::Medium,
            Worlds::Large => Size::Large,
        };
        swarm::expect_panics();
        let seeds = match self.seed {
            Some(seed) => seed..seed.saturating_add(1),
            None => self.seeds.clone(),
        };
        let jobs = self.jobs.unwrap_or_else(study::cores);
        let bar = bar(seeds.end - seeds.start, self.quiet);
        #[expect(
            clippy::disallowed_methods,
            reason = "how fast worlds run is told, not used"
        )]
        let began = std::time::Instant::now();
        let advance = |worlds| bar.inc(worlds);
        let outcome = swarm::campaign(&seeds, size, Manner::default(), jobs, advance);
        bar.finish_and_clear();
        let secs = began.elapsed().as_secs_f64();
        match self.format {
            Format::Text => print(&swarm::text(&outcome, size, secs))?,
            Format::Json => print(&swarm::json(&outcome, size, secs))?,
        }
        if let Some((seed, failure)) = outcome.failures.first() {
            self.show(*seed, size, failure, &outcome);
            return Ok(Exit::GateFailed);
        }
        if self.trace && self.seed.is_some() {
            let manner = Manner::traced();
            let world = World::draw(seeds.start, size);
            print(&format!("\n{}\n", world.words()))?;
            for line in swarm::examine(&world, manner).trace {
                print(&format!("{line}\n"))?;
            }
        }
        Ok(Exit::Fine)
    }

    /// Says what was found, in which world, and how to see it again.
    fn show(&self, seed: u64, size: Size, failure: &Failure, outcome: &Outcome) {
        let (checker, what) = (failure.checker.name(), &failure.what);
        say(format_args!("error: seed {seed}: {checker}: {what}"));
        let world = World::draw(seed, size);
        let mut shown = world.clone();
        if self.no_shrink {
            say(format_args!("\nthe world:\n{}", world.words()));
        } else {
            let shrunk = swarm::shrink(&world, failure, Manner::default());
            let what = &shrunk.failure.what;
            let runs = shrunk.runs;
            say(format_args!(
                "\nthe same in a smaller world, found in {runs} runs: {what}\n{}",
                shrunk.world.words()
            ));
            shown = shrunk.world;
        }
        if self.trace {
            let manner = Manner::traced();
            say(format_args!("\nwhat happened in it:"));
            for line in swarm::examine(&shown, manner).trace {
                say(format_args!("{line}"));
            }
        }
        for (other, failure) in outcome.failures.iter().skip(1) {
            let checker = failure.checker.name();
            say(format_args!("also seed {other}: {checker}"));
        }
        let worlds = size.name();
        say(format_args!(
            "\nreproduce with: tidegate swarm --seed {seed} --worlds {worlds} --trace"
        ));
    }
}

fn bar(worlds: u64, quiet: bool) -> ProgressBar {
    let target = if quiet {
        ProgressDrawTarget::hidden()
    } else {
        ProgressDrawTarget::stderr()
    };
    let bar = ProgressBar::with_draw_target(Some(worlds), target);
    let template = "{human_pos} of {human_len} worlds {wide_bar} {per_sec} {eta:>4} left";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
