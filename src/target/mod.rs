//! Whoever is invoked with a batch.

mod http;
pub(crate) mod judge;
mod lambda;
mod mock;
pub mod process;
mod region;
#[cfg(test)]
pub(crate) mod script;

pub use region::Region;

use crate::engine::lambda::ThrottleReason;
use crate::engine::{Outcome, Span};
use crate::poll::Clock;
use crate::scenario::{self, Aws, TargetKind};
use crate::source::AwsError;
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;

/// Largest answer that is read, in bytes; a larger one is the function's error.
const RESPONSE_BYTES_MAX: usize = 6_291_556;

/// Names a delivery. A retry of an unchanged batch keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(pub u128);

impl fmt::Display for RequestId {
    /// As a UUID of version 4.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = 0x4000_u128 << 64;
        let variant = 0x8000_u128 << 48;
        let id = self.0 & !(0xf000_u128 << 64) & !(0xc000_u128 << 48) | version | variant;
        write!(
            f,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            (id >> 96) as u32,
            (id >> 80) as u16,
            (id >> 64) as u16,
            (id >> 48) as u16,
            id & 0xffff_ffff_ffff,
        )
    }
}

/// What came back from an invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// How it ended. That a success may report failed records is not judged here.
    pub outcome: Outcome,
    /// What the function returned, at most 6,291,556 bytes, or its error as the target tells it. Empty where there is no
    /// answer of the function.
    pub body: Bytes,
    /// Why the request was refused, where the target tells it.
    pub refused: Option<ThrottleReason>,
    /// The version that ran (`X-Amz-Executed-Version`), where the target tells it.
    pub executed_version: Option<String>,
    /// The function is not there, or may not be called: nothing of what it is told will change that.
    pub is_misconfigured: bool,
}

impl Reply {
    const fn success(body: Bytes) -> Self {
        Self {
            outcome: Outcome::Success,
            body,
            refused: None,
            executed_version: None,
            is_misconfigured: false,
        }
    }
}

impl Reply {
    /// Sees in the status of an answer whether the function cannot be called at all.
    fn of_status(self, status: u16) -> Self {
        Self {
            is_misconfigured: self.outcome == Outcome::ServiceError && matches!(status, 403 | 404),
            ..self
        }
    }

    /// Of an invocation that was answered with something else than a success. Only a function's own error is passed on.
    fn failed(outcome: Outcome, body: Bytes) -> Self {
        let body = match outcome {
            Outcome::FunctionError => body,
            _ => Bytes::new(),
        };
        Self {
            body,
            ..Self::from(outcome)
        }
    }
}

impl From<Outcome> for Reply {
    /// Of an invocation that returned nothing.
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            body: Bytes::new(),
            refused: None,
            executed_version: None,
            is_misconfigured: false,
        }
    }
}

impl From<ThrottleReason> for Reply {
    /// Of a request that was refused.
    fn from(reason: ThrottleReason) -> Self {
        Self {
            refused: Some(reason),
            ..Self::from(Outcome::Throttled {
                retry_after: Span::ZERO,
            })
        }
    }
}

/// A target that cannot be made ready.
#[derive(Debug, thiserror::Error)]
#[error("target `{function}`: {cause}")]
pub struct TargetError {
    function: String,
    cause: TargetCause,
}

#[derive(Debug, thiserror::Error)]
enum TargetCause {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error("`{0}` is not an http URL")]
    Url(String),
    #[error(transparent)]
    Process(#[from] process::ProcessError),
}

/// What targets share with the run.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// Where AWS is.
    pub aws: Aws,
    /// The run's clock.
    pub clock: Clock,
    /// Root of every random stream.
    pub seed: u64,
    /// Who admits requests to processes.
    pub region: Arc<Region>,
}

/// A function, wherever it lives.
#[derive(Debug)]
pub struct Target {
    function: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Lambda(lambda::Lambda),
    Http(Box<http::Http>),
    Process(Box<process::Process>),
    Mock(mock::Mock),
    #[cfg(test)]
    Script(script::Script),
}

impl Target {
    /// Makes a target ready; nothing is invoked yet.
    ///
    /// # Errors
    /// A region, credentials or URL that cannot be used.
    pub async fn open(
        target: &scenario::Target,
        surroundings: &Surroundings,
    ) -> Result<Self, TargetError> {
        let error = |cause| TargetError {
            function: target.function.clone(),
            cause,
        };
        let kind = match &target.kind {
            TargetKind::Lambda {
                endpoint_url,
                errors,
            } => lambda::Lambda::open(target, endpoint_url.as_deref(), *errors, &surroundings.aws)
                .await
                .map(Kind::Lambda)
                .map_err(|cause| error(cause.into()))?,
            TargetKind::Http { url, errors } => http::Http::open(target, url, *errors)
                .map(|http| Kind::Http(Box::new(http)))
                .ok_or_else(|| error(TargetCause::Url(url.clone())))?,
            TargetKind::Process { command, env } => {
                process::Process::open(target, command, &env.0, surroundings)
                    .await
                    .map(|process| Kind::Process(Box::new(process)))
                    .map_err(|cause| error(cause.into()))?
            }
            TargetKind::Mock {
                duration,
                error_rate,
            } => Kind::Mock(mock::Mock::new(
                target,
                duration,
                *error_rate,
                surroundings.seed,
            )),
        };
        Ok(Self {
            function: target.function.clone(),
            kind,
        })
    }

    /// The function's name.
    pub fn function(&self) -> &str {
        &self.function
    }

    /// Delivers `event` to the function that a mapping names as `name` (with version or alias), and waits for
    /// the end of the invocation.
    ///
    /// Targets that stand for the Lambda service (`process`, `mock`) refuse with a throttle what is over their
    /// concurrency, as the service does; a limit on a remote target makes the delivery wait instead.
    pub async fn invoke(&self, name: &str, request: RequestId, event: Bytes) -> Reply {
        match &self.kind {
            Kind::Lambda(lambda) => lambda.invoke(name, request, event).await,
            Kind::Http(http) => http.invoke(request, event).await,
            Kind::Process(process) => process.invoke(name, request, event).await,
            Kind::Mock(mock) => mock.invoke().await,
            #[cfg(test)]
            Kind::Script(script) => script.invoke(name, request, event),
        }
    }

    /// Admits an asynchronous event to the function named `name`, to be run at once.
    ///
    /// # Errors
    /// The reason of the refusal, where it is known without a call.
    pub fn admit_event(self: &Arc<Self>, name: &str) -> Result<Admission, ThrottleReason> {
        Ok(Admission(match &self.kind {
            Kind::Process(process) => Admitted::Process(Box::new(process.admit_event(name)?)),
            _ => Admitted::Call(self.clone(), name.to_owned()),
        }))
    }

    /// Whether [`admit_event`](Self::admit_event) could succeed now, as far as that is known of the function alone.
    pub fn has_room_for_event(&self, name: &str) -> bool {
        match &self.kind {
            Kind::Process(process) => process.has_room_for_event(name),
            _ => true,
        }
    }

    /// Whether there is a function that mappings and callers name as `name`, as far as that is known here: remote targets
    /// know their own versions and aliases.
    pub fn has(&self, name: &str) -> bool {
        match &self.kind {
            Kind::Process(process) => process.has(name),
            _ => true,
        }
    }

    /// Ends whatever the target started.
    pub async fn close(&self) {
        if let Kind::Process(process) = &self.kind {
            process.close().await;
        }
    }
}

/// An asynchronous event that may run. One that is dropped instead gives back what it held.
#[derive(Debug)]
#[must_use = "whoever is admitted holds concurrency until it has run"]
pub struct Admission(Admitted);

#[derive(Debug)]
enum Admitted {
    Process(Box<process::Admitted>),
    /// Everybody else says it only when called.
    Call(Arc<Target>, String),
}

impl Admission {
    /// Delivers `event` and waits for the end of the invocation.
    pub async fn run(self, request: RequestId, event: Bytes) -> Reply {
        match self.0 {
            Admitted::Process(process) => process.run(request, event).await,
            Admitted::Call(target, name) => target.invoke(&name, request, event).await,
        }
    }
}

/// A wait that a timer takes: zero waits cost nothing.
async fn pause(span: Span) {
    if span > Span::ZERO {
        tokio::time::sleep(span.to_std()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_are_uuids() {
        let id = RequestId(u128::MAX).to_string();
        assert_eq!(id, "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(
            RequestId(0).to_string(),
            "00000000-0000-4000-8000-000000000000"
        );
    }
}
