//! The command line: one file per subcommand.

#[cfg(feature = "poller")]
mod bench;
mod compare;
mod exit;
#[cfg(feature = "poller")]
mod logging;
mod merge;
mod output;
#[cfg(feature = "poller")]
mod poll;
mod progress;
#[cfg(feature = "poller")]
mod reload;
#[cfg(feature = "poller")]
mod replay;
mod report;
mod schema;
mod shell;
mod simulate;
#[cfg(feature = "poller")]
mod status;
mod swarm;
mod sweep;
mod tune;
mod validate;
mod write;

use crate::scenario::{self, FileKind};
use clap::{Parser, Subcommand};
pub use exit::Exit;
use std::io::IsTerminal;
use std::path::Path;

/// Event-source poller and scaling simulator for AWS Lambda.
///
/// Exit codes: 0 fine; 1 a gate failed; 2 bad input or usage; 3 anything else. Data goes to standard output, progress
/// and diagnostics to standard error.
#[derive(Debug, Parser)]
#[command(
    name = "tidegate",
    version,
    about,
    long_about,
    arg_required_else_help = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Simulate(simulate::Simulate),
    Tune(tune::Tune),
    Sweep(sweep::Sweep),
    Merge(merge::Merge),
    #[cfg(feature = "poller")]
    Poll(poll::Poll),
    #[cfg(feature = "poller")]
    Replay(replay::Replay),
    Report(report::Report),
    Compare(Box<compare::Compare>),
    #[cfg(feature = "poller")]
    Status(status::Show),
    Swarm(swarm::Swarm),
    #[cfg(feature = "poller")]
    Bench(bench::Bench),
    Validate(validate::Validate),
    Schema(schema::Schema),
    Completions(shell::Completions),
    Man(shell::Man),
}

/// Runs the command line of this process and returns its exit code.
pub fn main() -> Exit {
    // Clap prints usage errors itself and leaves with 2, as it does for --help with 0.
    let arguments = Arguments::parse();
    let result = match arguments.command {
        Command::Simulate(simulate) => simulate.run(),
        Command::Tune(tune) => tune.run(),
        Command::Sweep(sweep) => sweep.run(),
        Command::Merge(merge) => merge.run(),
        #[cfg(feature = "poller")]
        Command::Poll(poll) => poll.run(),
        #[cfg(feature = "poller")]
        Command::Replay(replay) => replay.run(),
        Command::Report(report) => report.run(),
        Command::Compare(compare) => compare.run(),
        #[cfg(feature = "poller")]
        Command::Status(status) => status.run(),
        Command::Swarm(swarm) => swarm.run(),
        #[cfg(feature = "poller")]
        Command::Bench(bench) => bench.run(),
        Command::Validate(validate) => validate.run(),
        Command::Schema(schema) => schema.run(),
        Command::Completions(completions) => completions.run(),
        Command::Man(man) => man.run(),
    };
    result.unwrap_or_else(|error| {
        say(format_args!("error: {error:#}"));
        Exit::Failure
    })
}

/// Prints data to standard output. A reader that went away (`| head`) is not an error.
fn print(text: &str) -> anyhow::Result<()> {
    use anyhow::Context;
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write to standard output"),
    }
}

/// Prints a line to standard error.
#[expect(
    clippy::print_stderr,
    reason = "this is the one place where people are talked to"
)]
fn say(line: std::fmt::Arguments<'_>) {
    eprintln!("{line}");
}

/// Whether standard error may be coloured.
fn colour_on_stderr() -> bool {
    colour_is_allowed() && std::io::stderr().is_terminal()
}

/// By <https://no-color.org>, an empty variable is as good as none.
fn colour_is_allowed() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Whether standard output may be coloured.
fn colour_on_stdout() -> bool {
    colour_is_allowed() && std::io::stdout().is_terminal()
}

/// Columns of the terminal; a wide page where there is none to fit into.
fn terminal_width() -> usize {
    const WIDTH_WITHOUT_TERMINAL: usize = 120;
    terminal_size::terminal_size().map_or(WIDTH_WITHOUT_TERMINAL, |(width, _)| usize::from(width.0))
}

/// Whether a file is plainly for the other command, and says so: one line instead of a finding for every key.
fn is_other_kind(file: &Path, wanted: FileKind) -> bool {
    let Some(found) = scenario::looks_like(file).filter(|found| *found != wanted) else {
        return false;
    };
    let (kind, command) = match found {
        FileKind::Scenario => ("a scenario", "simulate"),
        FileKind::Poller => ("a poller file", "poll"),
    };
    let file = file.display();
    say(format_args!(
        "error: {file} is {kind}; it runs with `tidegate {command} {file}`"
    ));
    true
}
