//! The Invoke API in front of a poller file's targets: what an SDK, a CLI or another service calls to invoke them.
//!
//! ```text
//!  POST /2015-03-31/functions/NAME/invocations ──▶ request ──▶ Target::invoke ──▶ answer
//!                                                     │ Event
//!                                                     └──▶ events (202 at once) ──▶ Target ──▶ delivery
//! ```

mod answer;
mod delivery;
mod events;
mod open;
mod request;

pub use open::{BindError, Callees};

use crate::engine::{Outcome, Profile, Rng};
use crate::target::{RequestId, Target};
use answer::Refusal;
use bytes::Bytes;
use events::{Inlet, Reader};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::ORIGIN;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use request::{Invocation, InvocationType, SYNC_BYTES_MAX};
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
/// use std::sync::Arc;
/// use tidegate::invoke::{BindError, Callees, InvokeApi};
/// use tidegate::poll::{Clock, Counters};
/// use tidegate::scenario::{SourceText, parse_poller};
/// use tidegate::target::Region;
///
/// let text = "[invoke_api]\nlisten = \"127.0.0.1:0\"\n[[target]]\nfunction = \"mail\"\ntype = \"mock\"\n";
/// let file = parse_poller(SourceText::new("poller.toml", text)).expect("a poller file").file;
/// let clock = Clock::start();
/// let service = Arc::new(Region::open(&file, clock).expect("no limits"));
/// let callees = Callees { file: &file, targets: Vec::new(), service, clock, counters: Arc::new(Counters::default()) };
/// let api = InvokeApi::bind((Ipv4Addr::LOCALHOST, 0).into(), callees.clone()).await?;
/// assert_ne!(api.address().port(), 0);
/// // The port is taken: nobody else can have it.
/// assert!(InvokeApi::bind(api.address(), callees).await.is_err());
/// api.serve(std::future::ready(())).await;
/// # Ok::<(), BindError>(())
/// # }).expect("an endpoint");
/// ```
#[derive(Debug)]
pub struct InvokeApi {
    listener: TcpListener,
    address: SocketAddr,
    endpoint: Arc<Endpoint>,
    reader: Reader,
}

#[derive(Debug)]
struct Endpoint {
    targets: Vec<Arc<Target>>,
    /// Of functions in messages: `arn:aws:lambda:REGION:000000000000:function:`.
    arn_prefix: String,
    profile: Profile,
    ids: Mutex<Rng>,
    events: Inlet,
}

impl InvokeApi {
    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers callers until `stop` is ready; then accepts no more of them, answers those that wait, tries the asynchronous
    /// events that are due, and ends. What waits for a later try then is lost.
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        let Self {
            listener,
            endpoint,
            reader,
            ..
        } = self;
        let events = endpoint.events.clone();
        // One task: whoever abandons it abandons both.
        tokio::join!(reader.run(), async move {
            accept(listener, endpoint, stop).await;
            events.drain();
        });
    }
}

/// Answers callers until `stop` is ready, and those that wait then.
async fn accept(listener: TcpListener, endpoint: Arc<Endpoint>, stop: impl Future<Output = ()>) {
    let (closing, is_closing) = watch::channel(false);
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
                connections.spawn(connection(socket, endpoint.clone(), is_closing.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "a caller's connection was not accepted");
                tokio::task::yield_now().await;
            }
        }
    }
    drop(listener);
    closing.send_replace(true);
    // A connection ends when its last answer is written, not when it is known.
    while connections.join_next().await.is_some() {}
}

/// Answers the requests of one connection until its caller ends it or the endpoint is closing: then the one that is being
/// read or answered is the last.
async fn connection(
    socket: TcpStream,
    endpoint: Arc<Endpoint>,
    mut is_closing: watch::Receiver<bool>,
) {
    let _ = socket.set_nodelay(true);
    let service = service_fn(|request| {
        let endpoint = endpoint.clone();
        async move { Ok::<_, Infallible>(endpoint.answer(request).await) }
    });
    let connection =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service);
    tokio::pin!(connection);
    let closing = async {
        // An error says that the endpoint is gone, which comes to the same.
        let _ = is_closing.wait_for(|closing| *closing).await;
    };
    let served = tokio::select! {
        served = &mut connection => served,
        () = closing => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a caller's connection broke off");
    }
}

impl Endpoint {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
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
        // Any page can have a browser send a request to this machine; the browser says that it was a page.
        if request.headers().contains_key(ORIGIN) {
            return Err(Refusal::FromPage);
        }
        let invocation = Invocation::read(request.method(), request.uri(), request.headers())?;
        let target = self.target(&invocation)?;
        let limit = invocation.kind.payload_max(self.profile);
        // What is too large for an event is read as far as other requests are: who is not listened to hears no answer.
        let body = Limited::new(request.into_body(), SYNC_BYTES_MAX + 1);
        let body = body.collect().await;
        // A body that is cut off at the limit is not read further, so its length is not known.
        let event = match body {
            Ok(body) => body.to_bytes(),
            Err(_) => return Err(Refusal::TooLarge(invocation.kind, limit)),
        };
        if event.len() > limit {
            return Err(Refusal::TooLarge(invocation.kind, limit));
        }
        let event = request::payload(event)?;
        match invocation.kind {
            InvocationType::DryRun => Ok(answer::dry_run(id)),
            InvocationType::Event => match self.events.accept(&invocation.name, id, event) {
                Ok(()) => Ok(answer::queued(id)),
                Err(_) => Err(Refusal::QueueFull),
            },
            InvocationType::RequestResponse => {
                let reply = target.invoke(&invocation.name, id, event).await;
                match reply.outcome {
                    Outcome::Success | Outcome::FunctionError => Ok(answer::ran(id, reply)),
                    Outcome::TooLarge => Err(Refusal::TooLarge(invocation.kind, limit)),
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
