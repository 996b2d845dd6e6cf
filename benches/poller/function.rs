//! The function of both contenders: a web server in a process of its own that answers every event with `{}`.
//!
//! Events sent to [`HOP`] hold one record whose data is a number; a GET there returns when each number came, and forgets.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// Makes this program the function instead of the benchmark.
pub(crate) const ARGUMENT: &str = "--serve-function";

/// Where the times of arrival are kept.
pub(crate) const HOP: &str = "hop";

/// Lines of number and nanoseconds since 1970.
static ARRIVALS: Mutex<String> = Mutex::new(String::new());

/// Nanoseconds since 1970: all processes of the benchmark share the machine's clock.
pub(crate) fn unix_nanos() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_nanos() as u64)
}

/// The running function; it ends with the benchmark.
pub(crate) struct Function {
    pub(crate) url: String,
    child: Child,
}

impl Function {
    pub(crate) fn start() -> Self {
        let program = std::env::current_exe().expect("the path of this program");
        let mut child = Command::new(program)
            .arg(ARGUMENT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the function starts");
        let mut line = String::new();
        let out = child.stdout.take().expect("its output is piped");
        BufReader::new(out)
            .read_line(&mut line)
            .expect("it says where it listens");
        Self {
            url: format!("http://{}/", line.trim()),
            child,
        }
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves until the benchmark is gone.
pub(crate) fn serve() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    std::thread::spawn(|| {
        // The benchmark holds the other end: end of input means that it is gone.
        let _ = std::io::stdin().lock().read_line(&mut String::new());
        std::process::exit(0);
    });
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        println!("{}", listener.local_addr().expect("an address"));
        std::io::stdout().flush().expect("the benchmark reads it");
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            let _ = stream.set_nodelay(true);
            tokio::spawn(async move {
                let service = service_fn(answer);
                let connection = hyper::server::conn::http1::Builder::new();
                let _ = connection
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let at = unix_nanos();
    let asks = request.method() == hyper::Method::GET;
    let is_hop = request.uri().path().ends_with(HOP);
    let body = request.into_body().collect().await;
    if asks {
        let mut arrivals = ARRIVALS.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = std::mem::take(&mut *arrivals);
        return Ok(Response::new(Full::new(Bytes::from(lines))));
    }
    if is_hop && let Ok(body) = body {
        note(&body.to_bytes(), at);
    }
    Ok(Response::new(Full::new(Bytes::from_static(b"{}"))))
}

/// Notes the numbers of an event's records.
fn note(event: &[u8], at: u64) {
    let Ok(event) = serde_json::from_slice::<serde_json::Value>(event) else {
        return;
    };
    for record in event["Records"].as_array().into_iter().flatten() {
        let data = record["kinesis"]["data"].as_str().unwrap_or_default();
        let number = STANDARD.decode(data).unwrap_or_default();
        let number = String::from_utf8_lossy(&number);
        let mut arrivals = ARRIVALS.lock().unwrap_or_else(PoisonError::into_inner);
        arrivals.push_str(&format!("{number} {at}\n"));
    }
}
