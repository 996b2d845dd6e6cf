//! `tidegate completions` and `tidegate man`: made from the same definition as the command line itself.

use super::Arguments;
use super::exit::Exit;
use super::print;
use crate::report;
use anyhow::Context;
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use std::path::PathBuf;

/// Print completions for a shell.
///
///   tidegate completions bash > ~/.local/share/bash-completion/completions/tidegate
///   tidegate completions zsh > ~/.zfunc/_tidegate
///   tidegate completions fish > ~/.config/fish/completions/tidegate.fish
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Completions {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let mut script = Vec::new();
        clap_complete::generate(
            self.shell,
            &mut Arguments::command(),
            "tidegate",
            &mut script,
        );
        print(&String::from_utf8(script).context("completions are text")?)?;
        Ok(Exit::Fine)
    }
}

/// Print the manual page, or write one for each command.
///
///   tidegate man | man -l -
///   tidegate man --out ~/.local/share/man/man1
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Man {
    /// Write tidegate.1 and tidegate-COMMAND.1 into this folder instead.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl Man {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let mut command = Arguments::command();
        command.build();
        let Some(folder) = &self.out else {
            print(&page(command)?)?;
            return Ok(Exit::Fine);
        };
        report::prepare(folder)?;
        for sub in command
            .get_subcommands()
            .filter(|sub| sub.get_name() != "help")
        {
            let name = format!("tidegate-{}", sub.get_name());
            let file = folder.join(format!("{name}.1"));
            report::write_file(&file, &page(sub.clone())?)?;
        }
        report::write_file(&folder.join("tidegate.1"), &page(command)?)?;
        Ok(Exit::Fine)
    }
}

fn page(command: clap::Command) -> anyhow::Result<String> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command)
        .render(&mut page)
        .context("the manual page could not be made")?;
    String::from_utf8(page).context("manual pages are text")
}
