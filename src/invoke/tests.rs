use super::*;
use crate::engine::{Outcome, Profile, Ratio, Span};
use crate::poll::{Clock, Counters};
use crate::scenario::{
    self, Aws, Dist, ErrorSign, PollerFile, PollerSettings, TargetKind, TargetLimits,
};
use crate::target::{Region, Reply, Surroundings};
use std::net::Ipv4Addr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;

fn target(function: &str, kind: TargetKind, concurrency: Option<u32>) -> scenario::Target {
    scenario::Target {
        function: function.to_owned(),
        kind,
        concurrency,
        timeout: Span::from_secs(20),
        memory_mb: 128,
        limits: TargetLimits::default(),
    }
}

pub(super) fn mock(function: &str, millis: f64, error_rate: Ratio) -> scenario::Target {
    let duration = Dist::Constant(millis * 1e6);
    let kind = TargetKind::Mock {
        duration,
        error_rate,
    };
    target(function, kind, Some(1))
}

pub(super) fn file(targets: &[scenario::Target]) -> PollerFile {
    PollerFile {
        hash: String::new(),
        profile: Profile::Current,
        aws: Aws {
            region: Some("us-east-1".to_owned()),
            ..Aws::default()
        },
        region: None,
        invoke_api: None,
        poller: PollerSettings {
            store: None,
            drain_timeout: Span::ZERO,
            seed: 1,
            leases: None,
            listen: None,
        },
        sources: Vec::new(),
        targets: targets.to_vec(),
        mappings: Vec::new(),
    }
}

fn surroundings(file: &PollerFile) -> Surroundings {
    let clock = Clock::start();
    Surroundings {
        aws: file.aws.clone(),
        clock,
        seed: 1,
        region: Arc::new(Region::open(file, clock).expect("sound limits")),
    }
}

/// An API in front of mocks: one that succeeds, one that fails, one that is slow.
struct Api {
    address: SocketAddr,
    counters: Arc<Counters>,
    stop: oneshot::Sender<()>,
    server: tokio::task::JoinHandle<()>,
}

async fn api() -> Api {
    let targets = [
        mock("fine", 0.0, Ratio::ZERO),
        mock("broken", 0.0, Ratio::ONE),
        mock("slow", 300.0, Ratio::ZERO),
    ];
    let file = file(&targets);
    let surroundings = surroundings(&file);
    let mut opened = Vec::new();
    for target in &targets {
        let target = Target::open(target, &surroundings).await;
        opened.push(Arc::new(target.expect("a target")));
    }
    let local = (Ipv4Addr::LOCALHOST, 0).into();
    let counters = Arc::new(Counters::default());
    let callees = Callees {
        file: &file,
        targets: opened,
        service: surroundings.region,
        clock: surroundings.clock,
        counters: counters.clone(),
    };
    let api = InvokeApi::bind(local, callees).await.expect("a port");
    let (stop, stopped) = oneshot::channel();
    Api {
        address: api.address(),
        counters,
        stop,
        server: tokio::spawn(api.serve(async {
            let _ = stopped.await;
        })),
    }
}

/// Through the SDK, as another poller would call.
async fn invoke(api: &Api, name: &str) -> Reply {
    let url = format!("http://{}", api.address);
    let kind = TargetKind::Lambda {
        endpoint_url: Some(url),
        errors: ErrorSign::Header,
    };
    let bare = name.split(':').next().expect("a name");
    let target = target(bare, kind, None);
    let remote = Target::open(&target, &surroundings(&file(&[]))).await;
    let event = Bytes::from_static(b"{\"Records\":[]}");
    let remote = remote.expect("a target");
    remote.invoke(name, RequestId(1), event).await
}

/// One request by hand: its answer's status, head and body.
async fn raw(api: &Api, request: &str, headers: &str, body: &str) -> (u16, String, String) {
    let socket = TcpStream::connect(api.address).await;
    let mut socket = socket.expect("a connection");
    let length = body.len();
    let text = format!(
        "{request} HTTP/1.1\r\nhost: f\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
    );
    socket.write_all(text.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    (
        status.expect("a status"),
        head.to_ascii_lowercase(),
        body.to_owned(),
    )
}

fn path(name: &str) -> String {
    format!("POST /2015-03-31/functions/{name}/invocations")
}

#[tokio::test]
async fn functions_are_invoked_through_the_sdk() {
    let api = api().await;
    let fine = invoke(&api, "fine").await;
    assert_eq!(fine.outcome, Outcome::Success);
    assert_eq!(&fine.body[..], b"{\"batchItemFailures\":[],\"state\":{}}");
    assert_eq!(fine.executed_version.as_deref(), Some("$LATEST"));
    assert_eq!(invoke(&api, "broken").await.outcome, Outcome::FunctionError);
    // A function that is not there says nothing of the function.
    let missing = invoke(&api, "nobody").await;
    assert_eq!(missing.outcome, Outcome::ServiceError);
}

#[tokio::test]
async fn what_is_over_the_limit_is_told_with_its_reason() {
    let api = api().await;
    let request = path("slow");
    // Two requests and one environment: whichever comes second is refused.
    let (one, two) = tokio::join!(raw(&api, &request, "", "{}"), raw(&api, &request, "", "{}"));
    let mut both = [one, two];
    both.sort();
    assert_eq!(both[0].0, 200);
    let (status, head, body) = &both[1];
    assert_eq!(*status, 429);
    assert!(head.contains("x-amzn-errortype: toomanyrequestsexception"));
    assert!(head.contains("retry-after: 1"));
    let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
    let expected = serde_json::json!({
        "Type": "User", "message": "Rate Exceeded.", "Reason": "ConcurrentInvocationLimitExceeded",
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn requests_that_make_no_sense_are_refused_in_the_services_words() {
    let api = api().await;
    let too_large = format!("\"{}\"", "x".repeat(6 * 1024 * 1024));
    for (request, headers, body, status, words) in [
        (
            path("nobody"),
            "",
            "{}",
            404,
            "Function not found: arn:aws:lambda:us-east-1:000000000000:function:nobody:$LATEST",
        ),
        (
            path("fine:live") + "?Qualifier=dead",
            "",
            "{}",
            400,
            "does not match the specified qualifier",
        ),
        (
            path("fine"),
            "",
            "{",
            400,
            "Could not parse request body into json",
        ),
        (
            path("fine"),
            "x-amz-invocation-type: Never\r\n",
            "{}",
            400,
            "`Never` is not an invocation type",
        ),
        (
            path("fine"),
            "",
            too_large.as_str(),
            413,
            "too large for the RequestResponse invocation type (limit 6291456 bytes)",
        ),
        (
            path("fine"),
            "x-amz-invocation-type: Event\r\n",
            too_large.as_str(),
            413,
            "Request must be smaller than 1048576 bytes for the InvokeFunction operation",
        ),
        (
            path("fine"),
            "x-amz-invocation-type: Event\r\n",
            "{",
            400,
            "Could not parse request body into json",
        ),
        (path("a b"), "", "{}", 400, ""),
        (
            "GET /2015-03-31/functions".to_owned(),
            "",
            "",
            404,
            "only POST",
        ),
    ] {
        let (found, _, answer) = raw(&api, &request, headers, body).await;
        assert_eq!(found, status, "{request}: {answer}");
        assert!(answer.contains(words), "{request}: {answer}");
    }
}

#[tokio::test]
async fn names_come_in_every_form_and_events_may_be_empty() {
    let api = api().await;
    let arn = "arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Afine";
    for (request, headers, body, status) in [
        (path(arn), "", "", 200),
        (path("fine") + "?Qualifier=%24LATEST", "", "[1]", 200),
        (path("fine:live"), "", "{}", 200),
        (path("fine"), "x-amz-invocation-type: DryRun\r\n", "{}", 204),
    ] {
        let (found, head, answer) = raw(&api, &request, headers, body).await;
        assert_eq!(found, status, "{request}: {answer}");
        assert!(head.contains("x-amzn-requestid: "));
    }
}

#[tokio::test]
async fn a_stop_answers_those_who_wait() {
    let Api {
        address,
        counters,
        stop,
        server,
    } = api().await;
    let (unused, _) = oneshot::channel();
    let api = Api {
        address,
        counters,
        stop: unused,
        server: tokio::spawn(std::future::ready(())),
    };
    let request = path("slow");
    let waiting = async {
        loop {
            let answer = raw(&api, &request, "", "{}").await;
            if answer.0 != 429 {
                return answer;
            }
        }
    };
    let stopping = async {
        // Refused only while the other request is at work.
        while raw(&api, &request, "", "{}").await.0 == 200 {}
        stop.send(()).expect("it serves");
    };
    let ((status, _, _), ()) = tokio::join!(waiting, stopping);
    assert_eq!(status, 200);
    server.await.expect("it ends");
    assert!(TcpStream::connect(address).await.is_err());
    drop(api.server);
}

#[tokio::test]
async fn a_stop_does_not_wait_for_connections_without_a_request() {
    let Api {
        address,
        stop,
        server,
        ..
    } = api().await;
    let silent = TcpStream::connect(address).await.expect("a connection");
    let mut kept = TcpStream::connect(address).await.expect("a connection");
    let request = format!(
        "{} HTTP/1.1\r\nhost: f\r\ncontent-length: 2\r\n\r\n{{}}",
        path("fine")
    );
    kept.write_all(request.as_bytes()).await.expect("sent");
    let mut status = [0; 12];
    kept.read_exact(&mut status).await.expect("an answer");
    assert_eq!(&status, b"HTTP/1.1 200");
    stop.send(()).expect("it serves");
    server.await.expect("it ends");
    drop((silent, kept));
}

#[tokio::test]
async fn events_are_accepted_at_once_and_invoked_behind_their_callers_back() {
    let api = api().await;
    let event = "x-amz-invocation-type: Event\r\n";
    // One request at a time runs there; the others are queued, and nobody is refused.
    for _ in 0..3 {
        let (status, head, body) = raw(&api, &path("fine"), event, "{}").await;
        assert_eq!((status, body.as_str()), (202, ""), "{head}");
        assert!(head.contains("x-amzn-requestid: "), "{head}");
    }
    // A stop waits for what is due.
    api.stop.send(()).expect("it serves");
    api.server.await.expect("it ends");
    let totals = api.counters.events.totals();
    assert_eq!(
        (totals.received, totals.dropped, totals.unfinished),
        (3, 0, 0)
    );
}

#[tokio::test]
async fn a_page_in_a_browser_cannot_invoke() {
    let api = api().await;
    let headers = "origin: https://somewhere.example\r\nx-amz-invocation-type: Event\r\n";
    let (status, head, body) = raw(&api, &path("fine"), headers, "{}").await;
    assert_eq!(status, 403, "{body}");
    assert!(
        head.contains("x-amzn-errortype: accessdeniedexception"),
        "{head}"
    );
    assert_eq!(api.counters.events.totals().received, 0);
}
