//! The Invoke API beside mappings.

use super::tests::{content, file};
use super::*;
use crate::engine::SourceKind;
use std::net::Ipv4Addr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn callers_are_answered_until_the_run_is_stopped() {
    let mut file = file(SourceKind::Sqs, content(5));
    file.mappings.clear();
    file.invoke_api = Some((Ipv4Addr::LOCALHOST, 0).into());
    let (listening, mut heard) = watch::channel(None);
    let (stop, stopped) = watch::channel(false);
    let options = RunOptions {
        listening: Some(listening),
        stop: Some(stopped),
        signals: false,
        ..RunOptions::default()
    };
    let run = tokio::spawn(run(file, options));
    let address = heard.wait_for(Option::is_some).await.expect("it listens");
    let address = address.expect("an address");
    let mut socket = TcpStream::connect(address).await.expect("a connection");
    let request = "POST /2015-03-31/functions/count/invocations HTTP/1.1\r\nhost: f\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
    socket.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(!run.is_finished());
    stop.send_replace(true);
    let summary = run.await.expect("no panic").expect("a run");
    assert!(summary.drained);
    assert!(TcpStream::connect(address).await.is_err());
}
