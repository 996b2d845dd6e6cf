//! Opening an endpoint, its queues of asynchronous events and everybody who is told of them.

use super::delivery::Outlets;
use super::events::{self, Inlet, Plan, Reader, Surroundings, at_once};
use super::{Endpoint, InvokeApi};
use crate::destination::DestinationError;
use crate::engine::lambda::EventQueue;
use crate::engine::{Rng, Time};
use crate::poll::{Clock, Counters};
use crate::scenario::{self, PollerFile, TargetKind};
use crate::target::{Region, Target};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

/// Who can be called, and what callers share with the run.
#[derive(Clone, Debug)]
pub struct Callees<'a> {
    /// Says what becomes of asynchronous events.
    pub file: &'a PollerFile,
    /// Its targets, open, in their order.
    pub targets: Vec<Arc<Target>>,
    /// Who admits requests to processes.
    pub service: Arc<Region>,
    /// The run's clock.
    pub clock: Clock,
    /// Where totals of asynchronous events are kept.
    pub counters: Arc<Counters>,
}

/// An endpoint that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Its address.
    #[error("the Invoke API cannot listen on {address}: {source}")]
    Listen {
        /// As asked for.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// Who is to be told of the end of asynchronous events.
    #[error("target `{function}`: {cause}")]
    Destination {
        /// Whose events they are.
        function: String,
        /// What is wrong.
        cause: DestinationError,
    },
}

impl InvokeApi {
    /// Listens on `listen`, to invoke targets by their names. Callers wait until it is served.
    ///
    /// # Errors
    /// The address cannot be had, or a destination of asynchronous events cannot be used. One that is out of reach is no
    /// error until there is something to tell it.
    pub async fn bind(listen: SocketAddr, callees: Callees<'_>) -> Result<Self, BindError> {
        let bad = |source| BindError::Listen {
            address: listen,
            source,
        };
        let listener = TcpListener::bind(listen).await.map_err(bad)?;
        let address = listener.local_addr().map_err(bad)?;
        let file = callees.file;
        // Requests of another run have other ids, as far as chance allows.
        let seed = file.poller.seed ^ callees.clock.started().as_nanos();
        let arn_prefix = arn_prefix(file);
        let (events, reader) = queues(&callees, seed).await?;
        let endpoint = Arc::new(Endpoint {
            targets: callees.targets,
            arn_prefix,
            profile: file.profile,
            ids: Mutex::new(Rng::stream(seed, "invoke-api/requests")),
            events,
        });
        Ok(Self {
            listener,
            address,
            endpoint,
            reader,
        })
    }
}

/// Of the ARNs of functions that live here.
fn arn_prefix(file: &PollerFile) -> String {
    let region = file.aws.region.as_deref().unwrap_or("us-east-1");
    format!("arn:aws:lambda:{region}:000000000000:function:")
}

/// The queues of every target, with everybody who is told of their events.
pub(super) async fn queues(callees: &Callees<'_>, seed: u64) -> Result<(Inlet, Reader), BindError> {
    let file = callees.file;
    let mut queues = Vec::new();
    for (described, target) in file.targets.iter().zip(&callees.targets) {
        let plans = plans(described, target, callees).await;
        queues.extend(plans.map_err(|cause| BindError::Destination {
            function: described.function.clone(),
            cause,
        })?);
    }
    let surroundings = Surroundings {
        clock: callees.clock,
        service: callees.service.clone(),
        counters: callees.counters.clone(),
        profile: file.profile,
        seed,
        arn_prefix: arn_prefix(file),
    };
    Ok(events::open(queues, surroundings))
}

/// The queues of one target: its own, and one for each alias that it has here.
async fn plans(
    described: &scenario::Target,
    target: &Arc<Target>,
    callees: &Callees<'_>,
) -> Result<Vec<Plan>, DestinationError> {
    let function = &described.function;
    let settings = &described.limits.event_invoke;
    let config = &settings.config;
    let (own, file) = (&callees.targets, callees.file);
    let outlets = Arc::new(Outlets::open(function, config, own, &file.aws).await?);
    let is_process = matches!(described.kind, TargetKind::Process { .. });
    let aliases = described.limits.aliases.iter();
    let aliases = aliases.map(|alias| format!("{function}:{}", alias.name));
    let names = std::iter::once(function.clone()).chain(aliases);
    let plan = |name: String| {
        let mut queue = EventQueue::new(config, settings.tuning);
        let is_stopped = described.limits.reserved_concurrency == Some(0);
        queue.stop(Time::ZERO, is_stopped);
        Plan {
            target: target.clone(),
            at_once: (!is_process).then(|| at_once(described.concurrency)),
            queue,
            duplicates: Rng::stream(
                file.poller.seed,
                &format!("function/{name}/events/duplicates"),
            ),
            outlets: outlets.clone(),
            is_told: config.on_success.is_some()
                || config.on_failure.is_some()
                || config.dead_letter.is_some(),
            name,
        }
    };
    Ok(names.map(plan).collect())
}
