//! `tidegate schema`: JSON Schemas of what the program reads and writes.

use super::exit::Exit;
use super::{print, say};
use crate::report;
use crate::scenario::{self, FileKind};
use clap::Args;

/// Print the JSON Schema of a kind of file or document, or list them.
#[derive(Debug, Args)]
pub(super) struct Schema {
    /// `scenario`, `poller`, or a document that the program writes; without it, the list of them.
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

const FILES: [(&str, &str, FileKind); 2] = [
    ("scenario", "scenario files", FileKind::Scenario),
    ("poller", "poller files", FileKind::Poller),
];

impl Schema {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let files = FILES.iter().map(|(name, what, _)| (*name, *what));
        let all: Vec<(&str, &str)> = files.chain(report::schemas()).collect();
        let Some(wanted) = self.name else {
            for (name, what) in all {
                print(&format!("{name:<12}{what}\n"))?;
            }
            return Ok(Exit::Fine);
        };
        let file = FILES.iter().find(|(name, ..)| *name == wanted);
        let schema = match file {
            Some((_, _, kind)) => Some(scenario::schema(*kind)),
            None => report::schema(&wanted),
        };
        let Some(schema) = schema else {
            let names = || all.iter().map(|(name, _)| *name);
            let hint = scenario::nearest(&wanted, names())
                .map_or_else(String::new, |name| format!(" (did you mean `{name}`?)"));
            say(format_args!(
                "error: there is no schema `{wanted}`{hint}\n  = allowed: {}",
                scenario::listed(names())
            ));
            return Ok(Exit::BadInput);
        };
        print(&format!("{schema:#}\n"))?;
        Ok(Exit::Fine)
    }
}
