//! No process outlives tidegate, not even when tidegate is killed.
//!
//! A shell reads process groups from a pipe that this process holds. The pipe closes when this process ends, however it
//! ends; the shell then kills every group that is still on its list.

use super::ProcessError;
use std::process::Stdio;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::Mutex;

const SCRIPT: &str = r#"
trap '' HUP INT TERM
groups=
while read -r what id; do
    left=
    for group in $groups; do
        [ "$group" = "$id" ] || left="$left $group"
    done
    groups=$left
    [ "$what" = + ] && groups="$groups $id"
done
for group in $groups; do
    kill -KILL "-$group" 2>/dev/null
done
"#;

#[derive(Debug)]
pub(super) struct Guard {
    pipe: Mutex<ChildStdin>,
    /// Ends when the pipe closes; kept so that it is reaped.
    _shell: Child,
}

impl Guard {
    pub(super) fn start() -> Result<Self, ProcessError> {
        let error = |source| ProcessError::System {
            what: "cannot start /bin/sh",
            source,
        };
        let mut shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A terminal's interrupt is for tidegate, which needs its guard until the end.
            .process_group(0)
            .spawn()
            .map_err(error)?;
        let pipe = shell
            .stdin
            .take()
            .ok_or_else(|| error(std::io::Error::other("it has no pipe")))?;
        Ok(Self {
            pipe: Mutex::new(pipe),
            _shell: shell,
        })
    }

    /// Puts a process group on the list.
    pub(super) async fn add(&self, group: u32) {
        self.tell(format!("+ {group}\n")).await;
    }

    /// Takes a group off the list: its number may be given to others.
    pub(super) async fn remove(&self, group: u32) {
        self.tell(format!("- {group}\n")).await;
    }

    async fn tell(&self, line: String) {
        if let Err(error) = self.pipe.lock().await.write_all(line.as_bytes()).await {
            tracing::error!(%error, "the guard of function processes is gone");
        }
    }
}
