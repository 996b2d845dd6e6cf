//! Programs that speak the Lambda Runtime API, run as execution environments.
//!
//! Admission is the engine's own Lambda machine: it says whether a request runs, on which environment,
//! and when an idle environment ends. An environment is one process with an endpoint of its own, so
//! that none can answer for another; while it works it belongs to its invocation alone.

mod environment;
mod guard;
mod runtime_api;

use super::{Reply, RequestId, Surroundings};
use crate::engine::lambda::{
    AccountLimits, Fate, FunctionId, FunctionLimits, Lambda, Lease, LimitError, Reuse, Start,
};
use crate::engine::{Outcome, Span};
use crate::poll::Clock;
use crate::scenario;
use bytes::Bytes;
use environment::{Ended, Environment};
use guard::Guard;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::task::JoinHandle;

/// How long an idle environment lives; what is commonly seen on AWS.
const KEEP_ALIVE: Span = Span::from_secs(600);
/// How often idle environments are looked at.
const REAP_INTERVAL: std::time::Duration = std::time::Duration::from_secs(10);
/// Environments when the file sets no limit: what a new account may run at once.
const CONCURRENCY_DEFAULT: u32 = 1_000;
/// The account's limits are not what this target models: high enough never to matter.
const ACCOUNT_CONCURRENCY: u32 = 10_000_000;
const FUNCTION: FunctionId = FunctionId(0);

/// A program that cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The command has no words.
    #[error("the command is empty")]
    Empty,
    /// The system refused a process or a port.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The limits of the function.
    #[error(transparent)]
    Limits(#[from] LimitError),
}

/// What an environment is told at its start.
#[derive(Debug)]
pub(super) struct Spec {
    function: String,
    arn: String,
    command: Vec<String>,
    variables: Vec<(String, String)>,
    timeout: Span,
    clock: Clock,
}

/// A function whose environments are processes of this machine.
#[derive(Debug)]
pub struct Process {
    shared: Arc<Shared>,
    concurrency: u32,
    reaper: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    spec: Spec,
    guard: Guard,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    lambda: Lambda,
    /// Idle environments; a busy one belongs to its invocation.
    idle: BTreeMap<u32, Environment>,
}

impl Process {
    /// Prepares the function; the first invocation starts the first process.
    ///
    /// # Errors
    /// An empty command, or a system that starts no processes.
    pub async fn open(
        target: &scenario::Target,
        command: &[String],
        env: &[(String, String)],
        surroundings: &Surroundings,
    ) -> Result<Self, ProcessError> {
        if command.is_empty() {
            return Err(ProcessError::Empty);
        }
        let account = AccountLimits {
            concurrency: ACCOUNT_CONCURRENCY,
            caller_requests_per_sec: None,
        };
        let limits = FunctionLimits {
            // The limit is kept here: a reservation would bring AWS's ten requests per second and unit along,
            // which protect a service that this machine is not.
            reserved_concurrency: None,
            keep_alive: KEEP_ALIVE,
            reuse: Reuse::MostRecent,
        };
        // Without a Region to share it, the burst pool is the function's own.
        let growth = surroundings.profile.growth(CONCURRENCY_DEFAULT);
        let mut lambda = Lambda::new(account, vec![limits], growth, surroundings.seed)?;
        lambda.track_retired();
        let region = surroundings.aws.region.as_deref().unwrap_or("us-east-1");
        let shared = Arc::new(Shared {
            spec: Spec::new(target, command, env, region, surroundings.clock),
            guard: Guard::start()?,
            state: Mutex::new(State {
                lambda,
                idle: BTreeMap::new(),
            }),
        });
        let reaper = tokio::spawn(reap(Arc::downgrade(&shared)));
        Ok(Self {
            shared,
            concurrency: target.concurrency.unwrap_or(CONCURRENCY_DEFAULT),
            reaper,
        })
    }

    /// Runs `event` on an environment and waits for its answer, its end, or the timeout.
    pub async fn invoke(&self, request: RequestId, event: Bytes) -> Reply {
        let Some((mut running, idle)) = self.admit() else {
            return Reply::from(Outcome::Throttled {
                retry_after: Span::ZERO,
            });
        };
        let spec = &self.shared.spec;
        let environment = match idle {
            Some(environment) => Ok(environment),
            None => Environment::start(spec, &self.shared.guard).await,
        };
        let mut environment = match environment {
            Ok(environment) => environment,
            Err(error) => {
                tracing::error!(function = spec.function, %request, %error, "the process does not start");
                return Reply::from(Outcome::FunctionError);
            }
        };
        let ended = environment.invoke(spec, request, event).await;
        match ended {
            Ended::Answered(_) => tracing::debug!(function = spec.function, %request, "answered"),
            _ => {
                tracing::warn!(function = spec.function, %request, error = %ended, "the invocation failed");
            }
        }
        match ended {
            Ended::Answered(body) => {
                running.end(Fate::Keep, Some(environment));
                return Reply::success(body);
            }
            Ended::Error { .. } => {
                running.end(Fate::Keep, Some(environment));
            }
            Ended::TimedOut(_) => {
                environment.end(&self.shared.guard).await;
                running.end(Fate::Reset, None);
            }
            Ended::Exited(_) | Ended::InitError(_) => {
                environment.end(&self.shared.guard).await;
                running.end(Fate::Destroy, None);
            }
        }
        Reply::from(Outcome::FunctionError)
    }

    /// Kills every environment and waits for their ends.
    pub async fn close(&self) {
        self.reaper.abort();
        let idle = std::mem::take(&mut self.shared.lock().idle);
        for environment in idle.into_values() {
            environment.end(&self.shared.guard).await;
        }
    }

    fn admit(&self) -> Option<(Running<'_>, Option<Environment>)> {
        let now = self.shared.spec.clock.now();
        let mut state = self.shared.lock();
        if state.lambda.running(FUNCTION) >= self.concurrency {
            return None;
        }
        let lease = state.lambda.admit(now, FUNCTION).ok()?;
        let idle = state.idle.remove(&lease.environment.0);
        let idle = idle.filter(|_| lease.start == Start::Warm);
        let running = Running {
            shared: &self.shared,
            lease: Some(lease),
        };
        Some((running, idle))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The Lambda machine asserts before it changes anything, so a poisoned state is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An admitted invocation. When it is dropped before its end, its environment has gone with it.
struct Running<'a> {
    shared: &'a Shared,
    lease: Option<Lease>,
}

impl Running<'_> {
    fn end(&mut self, fate: Fate, environment: Option<Environment>) {
        let Some(lease) = self.lease.take() else {
            return;
        };
        let now = self.shared.spec.clock.now();
        let mut state = self.shared.lock();
        state.lambda.finish(now, lease, fate);
        if let Some(environment) = environment {
            state.idle.insert(lease.environment.0, environment);
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.end(Fate::Destroy, None);
    }
}

/// Ends environments that were idle for too long.
async fn reap(shared: std::sync::Weak<Shared>) {
    loop {
        tokio::time::sleep(REAP_INTERVAL).await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        for environment in shared.retired() {
            environment.end(&shared.guard).await;
        }
    }
}

impl Shared {
    fn retired(&self) -> Vec<Environment> {
        let mut state = self.lock();
        state.lambda.expire(self.spec.clock.now());
        let mut retired = Vec::new();
        while let Some((_, environment)) = state.lambda.poll_retired() {
            retired.extend(state.idle.remove(&environment.0));
        }
        retired
    }
}

impl Spec {
    fn new(
        target: &scenario::Target,
        command: &[String],
        env: &[(String, String)],
        region: &str,
        clock: Clock,
    ) -> Self {
        let function = target.function.clone();
        let folder = std::env::current_dir().unwrap_or_default();
        let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/bin:/bin".to_owned());
        let folder = folder.to_string_lossy().into_owned();
        let mut variables: Vec<(String, String)> = [
            ("PATH", path),
            ("LANG", "en_US.UTF-8".to_owned()),
            ("TZ", ":UTC".to_owned()),
            ("_HANDLER", "handler".to_owned()),
            ("LAMBDA_TASK_ROOT", folder),
            ("AWS_REGION", region.to_owned()),
            ("AWS_DEFAULT_REGION", region.to_owned()),
            ("AWS_LAMBDA_FUNCTION_NAME", function.clone()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
            (
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
                target.memory_mb.to_string(),
            ),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
            (
                "AWS_LAMBDA_LOG_GROUP_NAME",
                format!("/aws/lambda/{function}"),
            ),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "tidegate".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        variables.extend(env.iter().cloned());
        Self {
            arn: format!("arn:aws:lambda:{region}:000000000000:function:{function}"),
            function,
            command: command.to_vec(),
            variables,
            timeout: target.timeout,
            clock,
        }
    }
}

#[cfg(test)]
mod tests;
