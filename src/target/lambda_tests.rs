use super::*;
use crate::scenario::TargetKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Answers one request per connection, in this order, and returns the heads of the requests.
async fn serve(listener: TcpListener, answers: Vec<&'static str>) -> Vec<String> {
    let mut heads = Vec::new();
    for answer in answers {
        let (mut socket, _) = listener.accept().await.expect("a connection");
        let mut request = Vec::new();
        let mut chunk = [0; 1_024];
        while !request.ends_with(b"]}") {
            let read = socket.read(&mut chunk).await.expect("a request");
            assert!(read > 0, "the request broke off");
            request.extend_from_slice(&chunk[..read]);
        }
        let request = String::from_utf8(request).expect("UTF-8");
        heads.push(request.lines().next().unwrap_or_default().to_owned());
        socket
            .write_all(answer.as_bytes())
            .await
            .expect("an answer");
    }
    heads
}

async fn open(url: &str, errors: ErrorSign) -> Lambda {
    let target = scenario::Target {
        function: "f".to_owned(),
        kind: TargetKind::Lambda {
            endpoint_url: None,
            errors,
        },
        concurrency: None,
        timeout: Span::from_secs(3),
        memory_mb: 128,
        limits: scenario::TargetLimits::default(),
    };
    let aws = Aws {
        region: Some("us-east-1".to_owned()),
        ..Aws::default()
    };
    let lambda = Lambda::open(&target, Some(url), errors, &aws).await;
    lambda.expect("a client")
}

#[tokio::test]
async fn each_answer_has_its_meaning_and_none_is_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let answers = vec![
        "HTTP/1.1 200 OK\r\nconnection: close\r\nX-Amz-Executed-Version: 7\r\ncontent-length: 4\r\n\r\nnull",
        "HTTP/1.1 200 OK\r\nconnection: close\r\nX-Amz-Function-Error: Unhandled\r\nX-Amz-Executed-Version: $LATEST\r\ncontent-length: 2\r\n\r\n{}",
        "HTTP/1.1 429 Slow\r\nconnection: close\r\nx-amzn-ErrorType: TooManyRequestsException\r\nretry-after: 2\r\ncontent-length: 2\r\n\r\n{}",
        "HTTP/1.1 413 Big\r\nconnection: close\r\nx-amzn-ErrorType: RequestTooLargeException\r\ncontent-length: 2\r\n\r\n{}",
        "HTTP/1.1 500 No\r\nconnection: close\r\nx-amzn-ErrorType: ServiceException\r\ncontent-length: 2\r\n\r\n{}",
        "HTTP/1.1 404 No\r\nconnection: close\r\nx-amzn-ErrorType: ResourceNotFoundException\r\ncontent-length: 2\r\n\r\n{}",
    ];
    let server = tokio::spawn(serve(listener, answers));
    let lambda = open(&url, ErrorSign::Header).await;
    let mut replies = Vec::new();
    for n in 0..6 {
        let event = Bytes::from_static(b"{\"Records\":[]}");
        replies.push(lambda.invoke("f:live", RequestId(n), event).await);
    }
    let retry_after = Span::from_secs(2);
    let expected = [
        Outcome::Success,
        Outcome::FunctionError,
        Outcome::Throttled { retry_after },
        Outcome::TooLarge,
        Outcome::ServiceError,
        Outcome::ServiceError,
    ];
    let outcomes: Vec<Outcome> = replies.iter().map(|reply| reply.outcome).collect();
    assert_eq!(outcomes, expected);
    // Only a function that is not there is a matter of configuration.
    let misfits: Vec<bool> = replies.iter().map(|reply| reply.is_misconfigured).collect();
    assert_eq!(misfits, [false, false, false, false, false, true]);
    let version = |n: usize| replies[n].executed_version.as_deref();
    assert_eq!(
        (&replies[0].body[..], version(0)),
        (&b"null"[..], Some("7"))
    );
    assert_eq!(
        (&replies[1].body[..], version(1)),
        (&b"{}"[..], Some("$LATEST"))
    );
    assert_eq!(version(2), None);
    let heads = server.await.expect("the server");
    let path = "POST /2015-03-31/functions/f%3Alive/invocations HTTP/1.1";
    assert_eq!(heads[0], path);
    // Nobody listens any more.
    let event = Bytes::from_static(b"{\"Records\":[]}");
    let reply = lambda.invoke("f", RequestId(9), event).await;
    assert_eq!(reply, Reply::from(Outcome::ServiceError));
}

#[tokio::test]
async fn an_emulator_tells_of_errors_in_the_body_or_by_the_status() {
    for (errors, answer) in [
        (
            ErrorSign::Body,
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 17\r\n\r\n{\"errorType\":\"E\"}",
        ),
        (
            ErrorSign::Status,
            "HTTP/1.1 500 No\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}",
        ),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let server = tokio::spawn(serve(listener, vec![answer]));
        let lambda = open(&url, errors).await;
        let event = Bytes::from_static(b"{\"Records\":[]}");
        let reply = lambda.invoke("f", RequestId(1), event).await;
        assert_eq!(reply.outcome, Outcome::FunctionError);
        // An error that was the answer is passed on.
        assert_eq!(reply.body.is_empty(), errors == ErrorSign::Status);
        server.await.expect("the server");
    }
}
