//! One execution environment: a process, its endpoint, and its output.

use super::guard::Guard;
use super::peer::memory;
use super::runtime_api::{Answer, Invocation, RuntimeApi};
use super::{ProcessError, Spec};
use crate::engine::Span;
use crate::target::RequestId;
use bytes::Bytes;
use rustix::process::{Pid, Signal, kill_process_group};
use std::fmt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;

/// How long a process may take from its start, or from an answer, until it asks for the next event.
const INIT_TIMEOUT: Duration = Duration::from_secs(10);
/// The same for provisioned concurrency, where the function's timeout is not longer.
const PROVISIONED_INIT_TIMEOUT: Duration = Duration::from_secs(130);
/// How often the memory of a function at work is looked at.
const MEMORY_INTERVAL: Duration = Duration::from_millis(500);
/// The megabyte of `memory_mb`, in bytes.
pub(super) const MB: u64 = 1 << 20;
/// Longer lines of output are cut, in bytes.
const LINE_BYTES_MAX: u64 = 16 * 1024;

/// A living environment. Dropping it kills its process and everything that the process started.
#[derive(Debug)]
pub(super) struct Environment {
    child: Child,
    /// The process group, which has the child's id.
    group: u32,
    api: RuntimeApi,
}

/// Why an environment is there, as its process is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    OnDemand,
    Provisioned,
}

/// How an invocation ended.
#[derive(Debug)]
pub(super) enum Ended {
    Answered(Bytes),
    Error {
        kind: String,
        message: String,
    },
    TimedOut(Span),
    Exited(Option<ExitStatus>),
    InitError {
        kind: String,
        message: String,
    },
    /// The process did not ask for the event in time.
    InitTimedOut,
    /// It held more memory than its function has: so many bytes.
    OutOfMemory(u64),
}

impl Environment {
    pub(super) async fn start(
        spec: &Spec,
        guard: &Guard,
        kind: Kind,
    ) -> Result<Self, ProcessError> {
        let system = |what| move |source| ProcessError::System { what, source };
        let api = RuntimeApi::start(spec)
            .await
            .map_err(system("cannot open a port on the loopback interface"))?;
        let mut words = spec.command.iter();
        let program = words.next().ok_or(ProcessError::Empty)?;
        let mut child = Command::new(program)
            .args(words)
            .env_clear()
            .envs(spec.variables.iter().map(|(name, value)| (name, value)))
            .env("AWS_LAMBDA_RUNTIME_API", api.address())
            .env(
                "AWS_LAMBDA_INITIALIZATION_TYPE",
                match kind {
                    Kind::OnDemand => "on-demand",
                    Kind::Provisioned => "provisioned-concurrency",
                },
            )
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(system("cannot start the command"))?;
        let group = child.id().unwrap_or_default();
        guard.add(group).await;
        api.belongs_to(group);
        if let Some(stdout) = child.stdout.take() {
            tokio::spawn(show(stdout, spec.function.clone(), "stdout"));
        }
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(show(stderr, spec.function.clone(), "stderr"));
        }
        Ok(Self { child, group, api })
    }

    /// Waits until the process asks for its first event.
    ///
    /// # Errors
    /// What came instead.
    pub(super) async fn ready(&mut self, spec: &Spec) -> Result<(), Ended> {
        let limit = PROVISIONED_INIT_TIMEOUT.max(spec.timeout.to_std());
        tokio::select! {
            () = self.api.asked() => Ok(()),
            status = self.child.wait() => Err(Ended::Exited(status.ok())),
            (kind, message) = self.api.init_error() => Err(Ended::InitError { kind, message }),
            () = tokio::time::sleep(limit) => Err(Ended::InitTimedOut),
        }
    }

    /// Hands over one event and waits for what becomes of it; the process must ask for it in time.
    pub(super) async fn invoke(&mut self, spec: &Spec, request: RequestId, event: Bytes) -> Ended {
        self.run(spec, request, event, INIT_TIMEOUT).await
    }

    /// The same with no limit on the initialisation but the caller's.
    pub(super) async fn invoke_unhurried(
        &mut self,
        spec: &Spec,
        request: RequestId,
        event: Bytes,
    ) -> Ended {
        self.run(spec, request, event, Duration::MAX).await
    }

    async fn run(
        &mut self,
        spec: &Spec,
        request: RequestId,
        event: Bytes,
        init_limit: Duration,
    ) -> Ended {
        let (answer, mut answered) = oneshot::channel();
        let (taken, mut is_taken) = oneshot::channel();
        let invocation = Invocation {
            request: request.to_string(),
            event,
            answer,
            taken,
        };
        if self.api.offer(invocation).is_err() {
            return Ended::Exited(None);
        }
        tokio::select! {
            _ = &mut is_taken => {}
            status = self.child.wait() => return Ended::Exited(status.ok()),
            (kind, message) = self.api.init_error() => return Ended::InitError { kind, message },
            () = tokio::time::sleep(init_limit) => return Ended::InitTimedOut,
            bytes = outgrown(self.group, spec) => return Ended::OutOfMemory(bytes),
        }
        // An answer counts even when the process ends right behind it.
        tokio::select! {
            biased;
            answer = &mut answered => Ended::from(answer.ok()),
            status = self.child.wait() => match answered.try_recv() {
                Ok(answer) => Ended::from(Some(answer)),
                Err(_) => Ended::Exited(status.ok()),
            },
            () = tokio::time::sleep(spec.timeout.to_std()) => Ended::TimedOut(spec.timeout),
            bytes = outgrown(self.group, spec) => Ended::OutOfMemory(bytes),
        }
    }

    /// Kills the process group and waits for the process to be gone.
    pub(super) async fn end(mut self, guard: &Guard) {
        self.kill();
        if let Err(error) = self.child.wait().await {
            tracing::warn!(%error, "a function's process could not be reaped");
        }
        guard.remove(self.group).await;
    }

    fn kill(&self) {
        // A process that exited may have left others in its group, so the group is killed in any case.
        if let Some(group) = i32::try_from(self.group).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        // Once the process was reaped, by `end`, its id may belong to somebody else.
        if self.child.id().is_some() {
            self.kill();
        }
    }
}

impl From<Option<Answer>> for Ended {
    fn from(answer: Option<Answer>) -> Self {
        match answer {
            Some(Answer::Response(body)) => Self::Answered(body),
            Some(Answer::Error { kind, message }) => Self::Error { kind, message },
            None => Self::Exited(None),
        }
    }
}

impl Ended {
    /// What the service answers: what the function returned, or the error in the form that was recorded for its kind.
    pub(super) fn body(&self, request: RequestId) -> Bytes {
        let error = |kind: &str, message: &str| serde_json::json!({ "errorType": kind, "errorMessage": message });
        let words = |text: &str| format!("RequestId: {request} Error: {text}");
        let json = match self {
            Self::Answered(body) => return body.clone(),
            Self::Error { kind, message } => {
                serde_json::json!({ "errorMessage": message, "errorType": kind, "requestId": request.to_string() })
            }
            Self::InitError { kind, message } => {
                serde_json::json!({ "errorMessage": message, "errorType": kind, "requestId": "" })
            }
            Self::TimedOut(after) => error(
                "Sandbox.Timedout",
                &words(&format!(
                    "Task timed out after {:.2} seconds",
                    after.as_secs_f64()
                )),
            ),
            Self::InitTimedOut => error(
                "Sandbox.Timedout",
                &words(&format!(
                    "Task timed out after {:.2} seconds",
                    INIT_TIMEOUT.as_secs_f64()
                )),
            ),
            // What AWS says when it ends a function for its memory.
            Self::OutOfMemory(_) => error(
                "Runtime.ExitError",
                &words("Runtime exited with error: signal: killed"),
            ),
            Self::Exited(Some(status)) if !status.success() => error(
                "Runtime.ExitError",
                &words(&format!("Runtime exited with error: {status}")),
            ),
            Self::Exited(_) => error(
                "Runtime.ExitError",
                &words("Runtime exited without providing a reason"),
            ),
        };
        Bytes::from(json.to_string())
    }
}

impl fmt::Display for Ended {
    /// In the words of the service's error bodies.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered(_) => write!(f, "answered"),
            Self::Error { kind, message } => write!(f, "{kind}: {message}"),
            Self::TimedOut(after) => write!(
                f,
                "Sandbox.Timedout: Task timed out after {:.2} seconds",
                after.as_secs_f64()
            ),
            Self::Exited(Some(status)) if !status.success() => {
                write!(f, "Runtime.ExitError: Runtime exited with error: {status}")
            }
            Self::Exited(_) => write!(
                f,
                "Runtime.ExitError: Runtime exited without providing a reason"
            ),
            Self::InitError { kind, message } => {
                write!(f, "initialisation failed: {kind}: {message}")
            }
            Self::InitTimedOut => write!(f, "the initialisation took too long"),
            Self::OutOfMemory(bytes) => write!(
                f,
                "Runtime.ExitError: its processes held {} MB, more than its memory_mb",
                bytes / MB
            ),
        }
    }
}

/// Waits until a function's processes hold more than its memory; never ends where that is not enforced, or not to be known.
async fn outgrown(process: u32, spec: &Spec) -> u64 {
    let Some(limit) = spec.memory else {
        return std::future::pending().await;
    };
    loop {
        tokio::time::sleep(MEMORY_INTERVAL).await;
        match memory(process) {
            Some(bytes) if bytes > limit => return bytes,
            Some(_) => {}
            None => return std::future::pending().await,
        }
    }
}

/// Turns the lines of a pipe into log lines of the function.
async fn show(pipe: impl AsyncRead + Unpin, function: String, stream: &'static str) {
    let mut pipe = BufReader::new(pipe);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut pipe)
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut line)
            .await;
        if !matches!(read, Ok(1..)) {
            return;
        }
        let text = String::from_utf8_lossy(&line);
        tracing::info!(function, stream, "{}", text.trim_end());
    }
}
