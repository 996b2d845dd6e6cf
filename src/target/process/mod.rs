//! Programs that speak the Lambda Runtime API, run as execution environments.
//!
//! Admission is the engine's own Lambda machine, which all processes of a file share as one Region: it says whether a
//! request runs, on which environment, and when an idle environment ends. An environment is one process with an endpoint of its own, so
//! that none can answer for another; while it works it belongs to its invocation alone.

mod environment;
mod guard;
mod peer;
mod runtime_api;

use super::region::Callee;
use super::{Region, Reply, RequestId, Surroundings};
use crate::engine::lambda::{AliasId, Fate, FunctionId, Lease, Start, ThrottleReason};
use crate::engine::{FunctionName, Outcome, Span};
use crate::poll::Clock;
use crate::scenario;
use bytes::Bytes;
use environment::{Ended, Environment, Kind, MB};
use guard::Guard;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::task::JoinHandle;

/// How often idle environments are looked at.
const REAP_INTERVAL: std::time::Duration = std::time::Duration::from_secs(10);
/// Environments when the file sets no limit: what a new account may run at once.
const CONCURRENCY_DEFAULT: u32 = 1_000;

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
    /// A process that was to be ready before the first request is not.
    #[error("provisioned concurrency: {0}")]
    Provisioned(String),
}

/// What an environment is told at its start, and held to.
pub(super) struct Spec {
    function: String,
    arn: String,
    command: Vec<String>,
    variables: Vec<(String, String)>,
    timeout: Span,
    clock: Clock,
    /// What its processes may hold, in bytes; `None` for anything.
    memory: Option<u64>,
    /// Anybody on this machine may speak to its Runtime API.
    is_api_open: bool,
}

impl fmt::Debug for Spec {
    /// Without the values of variables and the words of the command, which may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spec")
            .field("function", &self.function)
            .finish_non_exhaustive()
    }
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
    region: Arc<Region>,
    function: FunctionId,
    /// Idle environments; a busy one belongs to its invocation.
    idle: Mutex<BTreeMap<Place, Environment>>,
}

/// An environment's number in the service: provisioned ones are numbered by alias.
type Place = (Option<AliasId>, u32);

fn place(lease: &Lease) -> Place {
    let alias = lease.alias().filter(|_| lease.is_provisioned);
    (alias, lease.environment.0)
}

impl Process {
    /// Prepares the function. Its provisioned environments are started and initialised; for all others the first
    /// invocation starts the first process.
    ///
    /// # Errors
    /// An empty command, a system that starts no processes, or provisioned ones that do not come up.
    pub async fn open(
        target: &scenario::Target,
        command: &[String],
        env: &[(String, String)],
        surroundings: &Surroundings,
    ) -> Result<Self, ProcessError> {
        if command.is_empty() {
            return Err(ProcessError::Empty);
        }
        let region = surroundings.region.clone();
        let function = region.function(&target.function);
        let Some(function) = function else {
            panic!("the Region was opened without `{}`", target.function);
        };
        warn_of_strangers(target);
        let place = surroundings.aws.region.as_deref().unwrap_or("us-east-1");
        let shared = Arc::new(Shared {
            spec: Spec::new(target, command, env, place, surroundings.clock),
            guard: Guard::start()?,
            region,
            function,
            idle: Mutex::new(BTreeMap::new()),
        });
        shared.provision().await?;
        let reaper = tokio::spawn(reap(Arc::downgrade(&shared)));
        Ok(Self {
            shared,
            concurrency: target.concurrency.unwrap_or(CONCURRENCY_DEFAULT),
            reaper,
        })
    }

    /// Runs `event` on an environment and waits for its answer, its end, or the timeout. `name` is the function as it was
    /// called, with the alias if there is one.
    pub async fn invoke(&self, name: &str, request: RequestId, event: Bytes) -> Reply {
        let lease = self.shared.region.admit(self.callee(name));
        match lease.map(|lease| self.admitted(lease)) {
            Ok(admitted) => admitted.run(request, event).await,
            Err(reason) => Reply::from(reason),
        }
    }

    /// Admits an asynchronous event that is to run at once.
    ///
    /// # Errors
    /// The reason of the refusal.
    pub(super) fn admit_event(&self, name: &str) -> Result<Admitted, ThrottleReason> {
        let lease = self.shared.region.admit_event(self.callee(name));
        lease.map(|lease| self.admitted(lease))
    }

    /// Whether an event could be admitted, as far as that is known.
    pub(super) fn has_room_for_event(&self, name: &str) -> bool {
        self.shared.region.has_room_for_event(self.callee(name))
    }

    /// Whether the function is known by `name`: by itself, or by one of its aliases.
    pub fn has(&self, name: &str) -> bool {
        let Shared {
            region, function, ..
        } = &*self.shared;
        match FunctionName::parse(name).ok().and_then(|n| n.qualifier) {
            None | Some("$LATEST") => true,
            Some(qualifier) => region.alias(*function, qualifier).is_some(),
        }
    }

    /// Kills every environment and waits for their ends.
    pub async fn close(&self) {
        self.reaper.abort();
        let idle = std::mem::take(&mut *self.shared.idle());
        for environment in idle.into_values() {
            environment.end(&self.shared.guard).await;
        }
    }

    fn callee(&self, name: &str) -> Callee {
        let Shared {
            region, function, ..
        } = &*self.shared;
        let qualifier = FunctionName::parse(name).ok().and_then(|n| n.qualifier);
        Callee {
            function: *function,
            alias: qualifier.and_then(|q| region.alias(*function, q)),
            at_once: self.concurrency,
        }
    }

    fn admitted(&self, lease: Lease) -> Admitted {
        let idle = self.shared.idle().remove(&place(&lease));
        Admitted {
            running: Running {
                shared: self.shared.clone(),
                lease: Some(lease),
            },
            idle: idle.filter(|_| lease.start == Start::Warm),
        }
    }
}

/// A request that has its environment, if one was idle.
#[derive(Debug)]
pub(super) struct Admitted {
    running: Running,
    idle: Option<Environment>,
}

impl Admitted {
    /// Runs `event` and waits for its answer, its end, or the timeout.
    pub(super) async fn run(self, request: RequestId, event: Bytes) -> Reply {
        let Self { mut running, idle } = self;
        let shared = running.shared.clone();
        let spec = &shared.spec;
        let (environment, ended) = match idle {
            Some(mut environment) => {
                let ended = environment.invoke(spec, request, event).await;
                (environment, ended)
            }
            None => match shared.cold(request, event).await {
                Ok(ran) => ran,
                Err(error) => {
                    tracing::error!(function = spec.function, %request, %error, "the process does not start");
                    return Reply::from(Outcome::FunctionError);
                }
            },
        };
        match ended {
            Ended::Answered(_) => tracing::debug!(function = spec.function, %request, "answered"),
            _ => {
                tracing::warn!(function = spec.function, %request, error = %ended, "the invocation failed");
            }
        }
        let body = ended.body(request);
        match ended {
            Ended::Answered(_) => {
                running.end(Fate::Keep, Some(environment));
                return Reply::success(body);
            }
            Ended::Error { .. } => {
                running.end(Fate::Keep, Some(environment));
            }
            Ended::TimedOut(_) | Ended::InitTimedOut => {
                environment.end(&shared.guard).await;
                running.end(Fate::Reset, None);
            }
            Ended::Exited(_) | Ended::InitError { .. } | Ended::OutOfMemory(_) => {
                environment.end(&shared.guard).await;
                running.end(Fate::Destroy, None);
            }
        }
        Reply::failed(Outcome::FunctionError, body)
    }
}

impl Shared {
    fn idle(&self) -> MutexGuard<'_, BTreeMap<Place, Environment>> {
        // Only whole environments are put in and taken out.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `event` on a new environment. One that does not initialise in time is killed, and initialises again within
    /// the function's own timeout, as on AWS.
    async fn cold(
        &self,
        request: RequestId,
        event: Bytes,
    ) -> Result<(Environment, Ended), ProcessError> {
        let Self { spec, guard, .. } = self;
        let mut environment = Environment::start(spec, guard, Kind::OnDemand).await?;
        let ended = environment.invoke(spec, request, event.clone()).await;
        if !matches!(ended, Ended::InitTimedOut) {
            return Ok((environment, ended));
        }
        tracing::warn!(function = spec.function, %request, "the initialisation took too long; it begins again");
        environment.end(guard).await;
        let mut environment = Environment::start(spec, guard, Kind::OnDemand).await?;
        let limit = spec.timeout.to_std();
        let again = tokio::time::timeout(limit, environment.invoke_unhurried(spec, request, event));
        let ended = again.await.unwrap_or(Ended::TimedOut(spec.timeout));
        Ok((environment, ended))
    }

    /// Starts what is provisioned, all of it at once, and waits until it is initialised.
    async fn provision(&self) -> Result<(), ProcessError> {
        let mut starting = Vec::new();
        for alias in self.region.aliases(self.function) {
            for number in 0..self.region.provisioned(alias) {
                let environment = Environment::start(&self.spec, &self.guard, Kind::Provisioned);
                starting.push(((Some(alias), number), environment.await?));
            }
        }
        for (place, mut environment) in starting {
            let ready = environment.ready(&self.spec).await;
            ready.map_err(|ended| ProcessError::Provisioned(ended.to_string()))?;
            self.idle().insert(place, environment);
        }
        Ok(())
    }
}

/// Says so where the Runtime API is not for the function's own processes alone.
fn warn_of_strangers(target: &scenario::Target) {
    let function = target.function.as_str();
    if target.limits.open_runtime_api {
        tracing::warn!(
            function,
            "open_runtime_api: every process of this machine may take and answer the function's events"
        );
    } else if cfg!(not(target_os = "linux")) {
        tracing::warn!(
            function,
            "this system does not say who connects: every process of this machine may take and answer the function's events"
        );
    }
}

/// An admitted invocation. When it is dropped before its end, its environment has gone with it.
#[derive(Debug)]
struct Running {
    shared: Arc<Shared>,
    lease: Option<Lease>,
}

impl Running {
    fn end(&mut self, fate: Fate, environment: Option<Environment>) {
        let Some(lease) = self.lease.take() else {
            return;
        };
        // The process is back before the service can give its environment to the next request.
        self.shared.region.finish(lease, fate, || {
            if let Some(environment) = environment {
                self.shared.idle().insert(place(&lease), environment);
            }
        });
    }
}

impl Drop for Running {
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
        let retired = self.region.retired(self.function);
        let mut idle = self.idle();
        let ended = retired.iter().filter_map(|id| idle.remove(&(None, id.0)));
        ended.collect()
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
            memory: target
                .limits
                .enforce_memory
                .then(|| u64::from(target.memory_mb) * MB),
            is_api_open: target.limits.open_runtime_api,
        }
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_limits;
