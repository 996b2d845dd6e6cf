//! A server that answers AWS's JSON protocol as a test tells it to.

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tokio::net::TcpListener;

/// A call and its body.
type Call = (String, Value);
type Script = dyn Fn(&str, &Value) -> Reply + Send + Sync;

/// An answer, in pieces.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) pieces: VecDeque<Bytes>,
    pub(crate) then: Then,
}

/// What follows the last piece of an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Then {
    /// The end.
    Close,
    /// Nothing, for as long as the client waits.
    Wait,
    /// The connection breaks, once the pieces are sent.
    Break,
    /// It breaks now.
    Broken,
}

impl From<(u16, Value)> for Reply {
    fn from((status, value): (u16, Value)) -> Self {
        Self {
            status,
            pieces: VecDeque::from([Bytes::from(value.to_string())]),
            then: Then::Close,
        }
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match (self.pieces.pop_front(), self.then) {
            (Some(piece), _) => Poll::Ready(Some(Ok(Frame::data(piece)))),
            (None, Then::Close) => Poll::Ready(None),
            (None, Then::Wait) => Poll::Pending,
            (None, Then::Break) => {
                self.then = Then::Broken;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            (None, Then::Broken) => Poll::Ready(Some(Err(io::Error::other("as scripted")))),
        }
    }
}

/// Listens until the test's runtime ends.
pub(crate) struct Scripted {
    pub(crate) url: String,
    calls: Arc<Mutex<Vec<Call>>>,
}

/// An error answer of the JSON protocol.
pub(crate) fn error(code: &str) -> (u16, Value) {
    (
        400,
        serde_json::json!({"__type": code, "message": "as scripted"}),
    )
}

impl Scripted {
    pub(crate) async fn start<R: Into<Reply>>(
        script: impl Fn(&str, &Value) -> R + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let calls: Arc<Mutex<Vec<Call>>> = Arc::default();
        let script: Arc<Script> =
            Arc::new(move |call: &str, body: &Value| script(call, body).into());
        let seen = calls.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (script, seen) = (script.clone(), seen.clone());
                let service =
                    service_fn(move |request| answer(request, script.clone(), seen.clone()));
                let builder = hyper::server::conn::http1::Builder::new();
                let socket = TokioIo::new(socket);
                tokio::spawn(async move { builder.serve_connection(socket, service).await });
            }
        });
        Self { url, calls }
    }

    /// The bodies of all calls of this name so far.
    pub(crate) fn calls(&self, name: &str) -> Vec<Value> {
        let calls = self.calls.lock().expect("the calls");
        let named = calls.iter().filter(|(call, _)| call == name);
        named.map(|(_, body)| body.clone()).collect()
    }
}

async fn answer(
    request: Request<Incoming>,
    script: Arc<Script>,
    seen: Arc<Mutex<Vec<Call>>>,
) -> Result<Response<Reply>, Infallible> {
    let target = request.headers().get("x-amz-target").cloned();
    let target = target.expect("the JSON protocol");
    let name = target.to_str().expect("text").rsplit('.').next();
    let name = name.expect("a name").to_owned();
    let body = request.into_body().collect().await.expect("a body");
    let body: Value = serde_json::from_slice(&body.to_bytes()).expect("JSON");
    let reply = script(&name, &body);
    seen.lock().expect("the calls").push((name, body));
    let status = hyper::StatusCode::from_u16(reply.status).expect("a status");
    let mut response = Response::new(reply);
    *response.status_mut() = status;
    Ok(response)
}
