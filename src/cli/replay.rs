//! `tidegate replay`: feeds a recorded run back through the engine.

use super::exit::Exit;
use super::{print, say};
use crate::poll;
use clap::Args;
use std::path::PathBuf;

/// Feed a recorded run back through the engine and check that it decides the same.
#[derive(Debug, Args)]
pub(super) struct Replay {
    /// A log written by `tidegate poll --record`.
    #[arg(value_name = "LOG")]
    log: PathBuf,
}

impl Replay {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let replay = match poll::replay(&self.log) {
            Ok(replay) => replay,
            Err(error) => {
                say(format_args!("error: {error}"));
                return Ok(Exit::BadInput);
            }
        };
        if replay.is_truncated {
            say(format_args!(
                "note: the log breaks off in its last line, as that of a killed process does"
            ));
        }
        print(&format!(
            "{} mappings, {} inputs, {} decisions compared\n",
            replay.mappings, replay.inputs, replay.decisions
        ))?;
        let Some(difference) = replay.difference else {
            print("the engine decides the same\n")?;
            return Ok(Exit::Fine);
        };
        print(&format!(
            "line {}: mapping `{}` decides differently\n  recorded: {}\n  replayed: {}\n",
            difference.line, difference.mapping, difference.recorded, difference.replayed
        ))?;
        Ok(Exit::GateFailed)
    }
}
