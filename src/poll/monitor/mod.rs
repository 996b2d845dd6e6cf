//! Metrics, health, readiness and status of a run, over HTTP.
//!
//! | Path | Answer |
//! |---|---|
//! | `/metrics` | figures in Prometheus's text format |
//! | `/healthz` | 200 while the loops of all mappings do what is due, otherwise 503 |
//! | `/readyz` | 200 once the sources of all enabled mappings have answered and until a drain begins, otherwise 503 |
//! | `/status` | [`Status`] as JSON |

mod prometheus;
mod status;

pub use status::{MappingStatus, ReloadStatus, ShardStatus, Status};

use crate::poll::{Board, Clock, Counters};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Connections at once; further ones wait to be accepted.
const CONNECTIONS_MAX: usize = 64;
/// How long a request's head may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// What is shown.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) board: Arc<Board>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) clock: Clock,
}

/// The endpoint: its port is taken, so callers wait until it is served.
#[derive(Debug)]
pub(crate) struct Monitor {
    listener: TcpListener,
    address: SocketAddr,
    view: Arc<View>,
}

impl Monitor {
    pub(crate) async fn bind(listen: SocketAddr, view: View) -> std::io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        view.board.served_at(address);
        Ok(Self {
            listener,
            address,
            view: Arc::new(view),
        })
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until it is dropped.
    pub(crate) async fn serve(self) {
        let mut connections = JoinSet::new();
        let is_local = self.address.ip().is_loopback();
        loop {
            if connections.len() >= CONNECTIONS_MAX {
                connections.join_next().await;
            }
            while connections.try_join_next().is_some() {}
            match self.listener.accept().await {
                Ok((socket, _)) => {
                    connections.spawn(connection(socket, self.view.clone(), is_local));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection for metrics was not accepted");
                    tokio::task::yield_now().await;
                }
            }
        }
    }
}

async fn connection(socket: TcpStream, view: Arc<View>, is_local: bool) {
    let service = service_fn(|request| {
        let reply = answer(&view, is_local, &request);
        async move { Ok::<_, Infallible>(reply) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(socket), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection for metrics broke off");
    }
}

type Reply = Response<Full<Bytes>>;

fn answer(view: &View, is_local: bool, request: &Request<Incoming>) -> Reply {
    if is_local && !names_this_machine(request.headers().get(HOST)) {
        let text = "this address is asked for by number, or as localhost\n";
        return plain(StatusCode::FORBIDDEN, text.to_owned());
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let text = "only GET and HEAD\n".to_owned();
        return plain(StatusCode::METHOD_NOT_ALLOWED, text);
    }
    match request.uri().path() {
        "/metrics" => typed(
            StatusCode::OK,
            "text/plain; version=0.0.4; charset=utf-8",
            prometheus::text(view),
        ),
        "/status" => status(view),
        "/healthz" => health(view),
        "/readyz" => readiness(view),
        _ => plain(
            StatusCode::NOT_FOUND,
            "there is /metrics, /healthz, /readyz and /status\n".to_owned(),
        ),
    }
}

/// A page in a browser can have its own name lead to this machine; it cannot choose what the browser puts here.
fn names_this_machine(host: Option<&HeaderValue>) -> bool {
    let Some(host) = host else {
        return true;
    };
    let Ok(host) = host.to_str() else {
        return false;
    };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

fn status(view: &View) -> Reply {
    match serde_json::to_string_pretty(&Status::of(view)) {
        Ok(text) => typed(StatusCode::OK, "application/json", text + "\n"),
        Err(error) => plain(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
    }
}

fn health(view: &View) -> Reply {
    let stuck = view.board.stuck(view.clock.now());
    if stuck.is_empty() {
        return plain(StatusCode::OK, "ok\n".to_owned());
    }
    let line =
        |(name, late): &(Arc<str>, _)| format!("mapping `{name}` has not moved for {late}\n");
    plain(
        StatusCode::SERVICE_UNAVAILABLE,
        stuck.iter().map(line).collect(),
    )
}

fn readiness(view: &View) -> Reply {
    if view.board.is_draining() {
        return plain(StatusCode::SERVICE_UNAVAILABLE, "draining\n".to_owned());
    }
    let waiting = view.board.unreached();
    if waiting.is_empty() {
        return plain(StatusCode::OK, "ok\n".to_owned());
    }
    let line = |name: &Arc<str>| format!("mapping `{name}` has not reached its source\n");
    plain(
        StatusCode::SERVICE_UNAVAILABLE,
        waiting.iter().map(line).collect(),
    )
}

fn plain(status: StatusCode, text: String) -> Reply {
    typed(status, "text/plain; charset=utf-8", text)
}

fn typed(status: StatusCode, kind: &'static str, text: String) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::from(text)));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert("Cache-Control", HeaderValue::from_static("no-store"));
    headers.insert(
        "X-Content-Type-Options",
        HeaderValue::from_static("nosniff"),
    );
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_and_localhost_name_a_loopback_address() {
        let names = |text: &'static str| names_this_machine(Some(&HeaderValue::from_static(text)));
        for good in [
            "127.0.0.1:9090",
            "localhost:1",
            "LocalHost",
            "[::1]:9090",
            "10.0.0.7",
        ] {
            assert!(names(good), "{good}");
        }
        for bad in [
            "evil.example:9090",
            "localhost.evil.example",
            "",
            "[evil]:1",
        ] {
            assert!(!names(bad), "{bad}");
        }
        assert!(names_this_machine(None));
    }
}
