//! The Invoke API in front of a poller file's targets: what an SDK, a CLI or another service calls to invoke them.
//!
//! ```text
//!  POST /2015-03-31/functions/NAME/invocations ──▶ request ──▶ Target::invoke ──▶ answer
//! ```

mod answer;
mod request;

use crate::engine::{Outcome, Rng};
use crate::poll::Clock;
use crate::target::{RequestId, Target};
use answer::Refusal;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use request::{Invocation, InvocationType};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Connections at once; further ones wait to be accepted.
const CONNECTIONS_MAX: usize = 4_096;

/// The endpoint: [`bind`](Self::bind) it, then [`serve`](Self::serve).
///
/// ```
/// # tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
/// use std::net::Ipv4Addr;
/// use tidegate::invoke::InvokeApi;
/// use tidegate::poll::Clock;
///
/// let local = (Ipv4Addr::LOCALHOST, 0).into();
/// let api = InvokeApi::bind(local, Vec::new(), "us-east-1", 7, Clock::start()).await?;
/// assert_ne!(api.address().port(), 0);
/// // The port is taken: nobody else can have it.
/// assert!(InvokeApi::bind(api.address(), Vec::new(), "us-east-1", 7, Clock::start()).await.is_err());
/// api.serve(std::future::ready(())).await;
/// # Ok::<(), std::io::Error>(())
/// # }).expect("an endpoint");
/// ```
#[derive(Debug)]
pub struct InvokeApi {
    listener: TcpListener,
    address: SocketAddr,
    endpoint: Arc<Endpoint>,
}

#[derive(Debug)]
struct Endpoint {
    targets: Vec<Arc<Target>>,
    /// Of functions in messages: `arn:aws:lambda:REGION:000000000000:function:`.
    arn_prefix: String,
    ids: Mutex<Rng>,
    /// Requests that are not answered yet.
    open: watch::Sender<usize>,
}

impl InvokeApi {
    /// Listens on `listen`, to invoke `targets` by their names. Callers wait until it is served.
    ///
    /// # Errors
    /// The address cannot be had.
    pub async fn bind(
        listen: SocketAddr,
        targets: Vec<Arc<Target>>,
        region: &str,
        seed: u64,
        clock: Clock,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        // Requests of another run have other ids, as far as chance allows.
        let seed = seed ^ clock.started().as_nanos();
        let endpoint = Arc::new(Endpoint {
            targets,
            arn_prefix: format!("arn:aws:lambda:{region}:000000000000:function:"),
            ids: Mutex::new(Rng::stream(seed, "invoke-api/requests")),
            open: watch::Sender::new(0),
        });
        Ok(Self {
            listener,
            address,
            endpoint,
        })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers callers until `stop` is ready; then accepts no more of them, answers those that wait, and ends.
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        let Self {
            listener, endpoint, ..
        } = self;
        let mut connections = JoinSet::new();
        tokio::pin!(stop);
        loop {
            if connections.len() >= CONNECTIONS_MAX {
                connections.join_next().await;
            }
            while connections.try_join_next().is_some() {}
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = &mut stop => break,
            };
            match accepted {
                Ok((socket, _)) => {
                    connections.spawn(connection(socket, endpoint.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "a caller's connection was not accepted");
                    tokio::task::yield_now().await;
                }
            }
        }
        drop(listener);
        let mut open = endpoint.open.subscribe();
        // The sender lives as long as the endpoint, so this ends only when everybody is answered.
        let _ = open.wait_for(|open| *open == 0).await;
    }
}

/// One request, until it is answered or its caller is gone.
struct Open<'a>(&'a watch::Sender<usize>);

impl<'a> Open<'a> {
    fn enter(open: &'a watch::Sender<usize>) -> Self {
        open.send_modify(|count| *count += 1);
        Self(open)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

async fn connection(socket: TcpStream, endpoint: Arc<Endpoint>) {
    let _ = socket.set_nodelay(true);
    let service = service_fn(|request| {
        let endpoint = endpoint.clone();
        async move { Ok::<_, Infallible>(endpoint.answer(request).await) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(socket), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a caller's connection broke off");
    }
}

impl Endpoint {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let _open = Open::enter(&self.open);
        let id = self.request_id();
        match self.invoke(id, request).await {
            Ok(response) => response,
            Err(refusal) => refusal.response(id),
        }
    }

    async fn invoke(
        &self,
        id: RequestId,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Refusal> {
        let invocation = Invocation::read(request.method(), request.uri(), request.headers())?;
        let target = self.target(&invocation)?;
        let limit = invocation.kind.payload_max();
        let body = Limited::new(request.into_body(), limit + 1).collect().await;
        // A body that is cut off at the limit is not read further, so its length is not known.
        let event = match body {
            Ok(body) => body.to_bytes(),
            Err(_) => return Err(Refusal::TooLarge(invocation.kind)),
        };
        if event.len() > limit {
            return Err(Refusal::TooLarge(invocation.kind));
        }
        let event = request::payload(event)?;
        match invocation.kind {
            InvocationType::DryRun => Ok(answer::dry_run(id)),
            InvocationType::RequestResponse => {
                let reply = target.invoke(&invocation.name, id, event).await;
                match reply.outcome {
                    Outcome::Success | Outcome::FunctionError => Ok(answer::ran(id, reply)),
                    Outcome::TooLarge => Err(Refusal::TooLarge(invocation.kind)),
                    Outcome::Throttled { retry_after } => {
                        Err(Refusal::Throttled(reply.refused, retry_after))
                    }
                    _ => Err(Refusal::Service),
                }
            }
        }
    }

    fn target(&self, invocation: &Invocation) -> Result<&Arc<Target>, Refusal> {
        let function = &invocation.function;
        let found = self.targets.iter().find(|t| t.function() == function);
        let known = found.filter(|target| target.has(&invocation.name));
        known.ok_or_else(|| {
            let qualifier = invocation.qualifier.as_deref().unwrap_or("$LATEST");
            Refusal::NotFound(format!("{}{function}:{qualifier}", self.arn_prefix))
        })
    }

    fn request_id(&self) -> RequestId {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        RequestId(u128::from(ids.next_u64()) << 64 | u128::from(ids.next_u64()))
    }
}

#[cfg(test)]
mod tests;
