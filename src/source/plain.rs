//! A server that answers every request in the same way and remembers it.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

/// Listens until the test's runtime ends.
pub(crate) struct Plain {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Plain {
    pub(crate) async fn start(status: u16, answer: &'static str) -> Self {
        Self::start_with(status, &[], answer).await
    }

    /// With headers in every answer.
    pub(crate) async fn start_with(
        status: u16,
        headers: &'static [(&'static str, &'static str)],
        answer: &'static str,
    ) -> Self {
        let status = StatusCode::from_u16(status).expect("a status");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let kept = seen.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let kept = kept.clone();
                let service = service_fn(move |request| {
                    let kept = kept.clone();
                    async move {
                        let request = read(request).await;
                        kept.lock().expect("the requests").push(request);
                        let mut response = Response::new(Full::new(Bytes::from(answer)));
                        *response.status_mut() = status;
                        for (name, value) in headers {
                            let value = hyper::header::HeaderValue::from_static(value);
                            response.headers_mut().insert(*name, value);
                        }
                        Ok::<_, Infallible>(response)
                    }
                });
                let builder = hyper::server::conn::http1::Builder::new();
                let socket = TokioIo::new(socket);
                tokio::spawn(async move { builder.serve_connection(socket, service).await });
            }
        });
        Self { url, seen }
    }

    pub(crate) fn requests(&self) -> Vec<Seen> {
        self.seen.lock().expect("the requests").clone()
    }
}

async fn read(request: Request<Incoming>) -> Seen {
    let (head, body) = request.into_parts();
    let text = |value: &hyper::header::HeaderValue| value.to_str().expect("text").to_owned();
    let headers = head.headers.iter();
    Seen {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        headers: headers
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect(),
        body: {
            let body = body.collect().await.expect("a body").to_bytes();
            String::from_utf8(body.to_vec()).expect("UTF-8")
        },
    }
}
