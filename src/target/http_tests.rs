use super::*;
use crate::scenario::TargetKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn target(timeout: Span) -> scenario::Target {
    scenario::Target {
        function: "f".to_owned(),
        kind: TargetKind::Http {
            url: String::new(),
            errors: ErrorSign::Status,
        },
        concurrency: Some(1),
        timeout,
        memory_mb: 128,
        limits: scenario::TargetLimits::default(),
    }
}

/// Answers the first requests with `answers`, all on one connection.
async fn serve(listener: TcpListener, answers: Vec<&'static str>) -> Vec<String> {
    let (mut socket, _) = listener.accept().await.expect("a connection");
    let mut requests = Vec::new();
    for answer in answers {
        let mut request = Vec::new();
        let mut chunk = [0; 1_024];
        while !request.ends_with(b"]}") {
            let read = socket.read(&mut chunk).await.expect("a request");
            assert!(read > 0, "the connection was not kept");
            request.extend_from_slice(&chunk[..read]);
        }
        requests.push(String::from_utf8(request).expect("UTF-8"));
        socket
            .write_all(answer.as_bytes())
            .await
            .expect("an answer");
    }
    requests
}

#[tokio::test]
async fn events_are_posted_over_one_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/path", listener.local_addr().expect("an address"));
    let server = tokio::spawn(serve(
        listener,
        vec![
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
            "HTTP/1.1 429 Slow\r\nretry-after: 3\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n",
        ],
    ));
    let http = Http::open(&target(Span::from_secs(20)), &url, ErrorSign::Status).expect("a target");
    let event = Bytes::from_static(b"{\"Records\":[]}");
    let mut replies = Vec::new();
    for n in 0..3 {
        replies.push(http.invoke(RequestId(n), event.clone()).await);
    }
    let retry_after = Span::from_secs(3);
    let expected = [
        Reply::success(Bytes::from_static(b"{}")),
        Reply::from(Outcome::Throttled { retry_after }),
        Reply::from(Outcome::FunctionError),
    ];
    assert_eq!(replies, expected);
    let requests = server.await.expect("the server");
    assert!(requests[0].starts_with("POST /path HTTP/1.1\r\n"));
}

#[tokio::test]
async fn nobody_there_is_not_the_functions_fault_and_silence_is() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let event = Bytes::from_static(b"{\"Records\":[]}");
    let http =
        Http::open(&target(Span::from_millis(30)), &url, ErrorSign::Status).expect("a target");
    // The backlog takes the connection, but nobody ever answers.
    assert_eq!(
        http.invoke(RequestId(1), event.clone()).await,
        Reply::from(Outcome::FunctionError)
    );
    drop(listener);
    let http = Http::open(&target(Span::from_secs(20)), &url, ErrorSign::Status).expect("a target");
    assert_eq!(
        http.invoke(RequestId(1), event).await,
        Reply::from(Outcome::ServiceError)
    );
    let https = Http::open(
        &target(Span::from_secs(1)),
        "https://localhost/",
        ErrorSign::Status,
    );
    assert!(https.is_none());
}
