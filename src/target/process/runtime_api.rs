//! The Lambda Runtime API, served to the processes of one environment on a port of its own.

use super::Spec;
use super::peer::{Peer, judge};
use crate::engine::Span;
use crate::poll::Clock;
use crate::target::RESPONSE_BYTES_MAX;
use crate::target::judge::excerpt;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};

/// The version that runtimes name in their paths.
const PREFIX: &str = "/2018-06-01/runtime/";
/// Connections at once; a runtime needs one, or a few when it does not keep them alive.
const CONNECTIONS_MAX: usize = 64;

/// An event on its way to the process.
#[derive(Debug)]
pub(super) struct Invocation {
    pub(super) request: String,
    pub(super) event: Bytes,
    pub(super) answer: oneshot::Sender<Answer>,
    /// Told when the process has asked for the event.
    pub(super) taken: oneshot::Sender<()>,
}

/// What the process answered.
#[derive(Debug)]
pub(super) enum Answer {
    Response(Bytes),
    Error { kind: String, message: String },
}

/// The endpoint of one environment; closed when it is dropped.
#[derive(Debug)]
pub(super) struct RuntimeApi {
    address: SocketAddr,
    offers: mpsc::Sender<Invocation>,
    endpoint: Arc<Endpoint>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct Endpoint {
    function: String,
    arn: String,
    timeout: Span,
    clock: Clock,
    inbox: tokio::sync::Mutex<mpsc::Receiver<Invocation>>,
    current: Mutex<Option<(String, oneshot::Sender<Answer>)>>,
    /// The process has asked for an event, whether or not there was one.
    asked: Notify,
    init_error: Mutex<Option<(String, String)>>,
    init_failed: Notify,
    /// The first process of the environment, once it is started; the only ones that are listened to are it and its descendants.
    owner: watch::Sender<Option<u32>>,
    /// Anybody on this machine is listened to.
    is_open: bool,
    address: SocketAddr,
}

type Reply = Response<Full<Bytes>>;

impl RuntimeApi {
    pub(super) async fn start(spec: &Spec) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (offers, inbox) = mpsc::channel(1);
        let endpoint = Arc::new(Endpoint {
            function: spec.function.clone(),
            arn: spec.arn.clone(),
            timeout: spec.timeout,
            clock: spec.clock,
            inbox: tokio::sync::Mutex::new(inbox),
            current: Mutex::new(None),
            asked: Notify::new(),
            init_error: Mutex::new(None),
            init_failed: Notify::new(),
            owner: watch::Sender::new(None),
            is_open: spec.is_api_open,
            address,
        });
        let server = tokio::spawn(serve(listener, endpoint.clone()));
        Ok(Self {
            address,
            offers,
            endpoint,
            server,
        })
    }

    /// What the process finds in `AWS_LAMBDA_RUNTIME_API`.
    pub(super) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Says whose endpoint it is. Until then nobody is answered.
    pub(super) fn belongs_to(&self, process: u32) {
        self.endpoint.owner.send_replace(Some(process));
    }

    /// Makes an event available to the process. Fails when one is waiting already.
    pub(super) fn offer(&self, invocation: Invocation) -> Result<(), ()> {
        self.offers.try_send(invocation).map_err(|_| ())
    }

    /// Waits until the process asks for an event, or did so before.
    pub(super) async fn asked(&self) {
        self.endpoint.asked.notified().await;
    }

    /// Waits until the process says that it cannot initialise: the error's type and message.
    pub(super) async fn init_error(&self) -> (String, String) {
        self.endpoint.init_failed.notified().await;
        let mut error = lock(&self.endpoint.init_error);
        error.take().unwrap_or_default()
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Only whole values are put in and taken out.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, endpoint: Arc<Endpoint>) {
    // Connections end with this task, so that a dead environment's endpoint is silent.
    let mut connections = JoinSet::new();
    loop {
        if connections.len() >= CONNECTIONS_MAX {
            connections.join_next().await;
        }
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((socket, peer)) => {
                connections.spawn(connection(socket, peer, endpoint.clone()));
            }
            Err(error) => {
                tracing::warn!(function = endpoint.function, %error, "a connection was not accepted");
                tokio::task::yield_now().await;
            }
        }
    }
}

async fn connection(socket: TcpStream, peer: SocketAddr, endpoint: Arc<Endpoint>) {
    if !endpoint.knows(peer).await {
        tracing::warn!(
            function = endpoint.function, %peer,
            "a process that does not belong to the environment was turned away from its Runtime API"
        );
        return;
    }
    let _ = socket.set_nodelay(true);
    let service = service_fn(|request| {
        let endpoint = endpoint.clone();
        async move { Ok::<_, Infallible>(endpoint.route(request).await) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(socket), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a runtime's connection broke off");
    }
}

impl Endpoint {
    /// Whether the process at the other end may be told events and may answer them. It is asked for once for each connection.
    async fn knows(&self, peer: SocketAddr) -> bool {
        if self.is_open {
            return true;
        }
        let mut owner = self.owner.subscribe();
        let Ok(owner) = owner.wait_for(Option::is_some).await.map(|owner| *owner) else {
            return false;
        };
        let address = self.address;
        let judged = tokio::task::spawn_blocking(move || match owner {
            Some(owner) => judge(owner, peer, address),
            None => Peer::Stranger,
        });
        // Where the system does not say, `Process::open` has warned of it.
        matches!(judged.await, Ok(Peer::Own | Peer::Unknown))
    }

    async fn route(&self, request: Request<Incoming>) -> Reply {
        let path = request.uri().path().to_owned();
        let parts: Vec<&str> = path
            .strip_prefix(PREFIX)
            .map_or_else(Vec::new, |rest| rest.split('/').collect());
        match (request.method(), parts.as_slice()) {
            (&Method::GET, ["invocation", "next"]) => self.next().await,
            (&Method::POST, ["invocation", id, "response"]) => self.response(id, request).await,
            (&Method::POST, ["invocation", id, "error"]) => self.error(id, request).await,
            (&Method::POST, ["init", "error"]) => self.init_error(request).await,
            _ => refusal(StatusCode::NOT_FOUND, "NotFound", "no such resource"),
        }
    }

    async fn next(&self) -> Reply {
        if lock(&self.current).is_some() {
            return refusal(
                StatusCode::FORBIDDEN,
                "InvalidStateTransition",
                "the previous event is not answered",
            );
        }
        self.asked.notify_one();
        let Some(invocation) = self.inbox.lock().await.recv().await else {
            return refusal(StatusCode::GONE, "Gone", "the environment ends");
        };
        let Invocation {
            request,
            event,
            answer,
            taken,
        } = invocation;
        let now = self.clock.now();
        let deadline = (now + self.timeout).as_millis();
        let trace = format!(
            "Root=1-{:08x}-{};Sampled=0",
            now.as_millis() / 1_000,
            &request.replace('-', "")[..24],
        );
        let reply = Response::builder()
            .header("Content-Type", "application/json")
            .header("Lambda-Runtime-Aws-Request-Id", &request)
            .header("Lambda-Runtime-Deadline-Ms", deadline)
            .header("Lambda-Runtime-Invoked-Function-Arn", &self.arn)
            .header("Lambda-Runtime-Trace-Id", trace)
            .body(Full::new(event));
        *lock(&self.current) = Some((request, answer));
        // Nobody waits any more when the invocation timed out just now; its environment is being killed.
        let _ = taken.send(());
        reply.unwrap_or_else(|error| {
            refusal(
                StatusCode::INTERNAL_SERVER_ERROR,
                "Internal",
                &error.to_string(),
            )
        })
    }

    async fn response(&self, id: &str, request: Request<Incoming>) -> Reply {
        let body = Limited::new(request.into_body(), RESPONSE_BYTES_MAX)
            .collect()
            .await;
        match body {
            Ok(body) => self.answer(id, Answer::Response(body.to_bytes())),
            Err(_) => {
                let message = format!(
                    "Response payload size exceeded maximum allowed payload size ({RESPONSE_BYTES_MAX} bytes)."
                );
                let reply = refusal(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "RequestEntityTooLarge",
                    &message,
                );
                let kind = "Function.ResponseSizeTooLarge".to_owned();
                self.answer(id, Answer::Error { kind, message });
                reply
            }
        }
    }

    async fn error(&self, id: &str, request: Request<Incoming>) -> Reply {
        let (kind, message) = read_error(request).await;
        self.answer(id, Answer::Error { kind, message })
    }

    async fn init_error(&self, request: Request<Incoming>) -> Reply {
        let (kind, message) = read_error(request).await;
        *lock(&self.init_error) = Some((kind, message));
        self.init_failed.notify_one();
        accepted()
    }

    fn answer(&self, id: &str, answer: Answer) -> Reply {
        let current = lock(&self.current).take_if(|(request, _)| request == id);
        match current {
            Some((_, waiting)) => {
                let _ = waiting.send(answer);
                accepted()
            }
            None => refusal(
                StatusCode::BAD_REQUEST,
                "InvalidRequestID",
                "no event with this request id is being worked on",
            ),
        }
    }
}

/// The type and the text of an error report.
async fn read_error(request: Request<Incoming>) -> (String, String) {
    #[derive(serde::Deserialize)]
    struct Report {
        #[serde(rename = "errorType")]
        kind: Option<String>,
        #[serde(rename = "errorMessage")]
        message: Option<String>,
    }
    let header = request
        .headers()
        .get("Lambda-Runtime-Function-Error-Type")
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let body = Limited::new(request.into_body(), RESPONSE_BYTES_MAX)
        .collect()
        .await
        .map(|body| body.to_bytes())
        .unwrap_or_default();
    let report = serde_json::from_slice::<Report>(&body).ok();
    let (kind, message) = report.map_or((None, None), |report| (report.kind, report.message));
    let kind = header.or(kind).unwrap_or_else(|| "Unhandled".to_owned());
    let message = message.map_or_else(|| excerpt(&body), |text| excerpt(text.as_bytes()));
    (kind, message)
}

fn accepted() -> Reply {
    plain(StatusCode::ACCEPTED, "{\"status\":\"OK\"}".to_owned())
}

fn refusal(status: StatusCode, kind: &str, message: &str) -> Reply {
    let body = serde_json::json!({"errorType": kind, "errorMessage": message});
    plain(status, body.to_string())
}

fn plain(status: StatusCode, body: String) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::from(body)));
    *reply.status_mut() = status;
    reply
}
