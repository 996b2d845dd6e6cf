//! A real Lambda function for tests to invoke: it notes every event in a file, and fails or crashes
//! when a record tells it to.
//!
//! - `TEST_FUNCTION_LOG`: file that gets one line of JSON for each invocation.
//! - `TEST_FUNCTION_DELAY_MS`: how long each invocation takes, after its line is written.
//! - `TEST_FUNCTION_TROUBLE`: when it is set, of every seven invocations that the log has, the third ends the whole process
//!   and the fifth does not end by itself.
//! - `TEST_FUNCTION_REPORT`: when it is set, poison records are reported as failed items, and the invocation succeeds.
//! - In a call of a tumbling window, the state counts the window's records.
//! - A record whose SQS body, Kinesis data, DynamoDB change or message contains `poison` makes the invocation fail; one with
//!   `crash` ends the whole process.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

mod answer;
mod event;

use event::Verdict;

#[tokio::main]
async fn main() -> Result<(), Error> {
    lambda_runtime::run(service_fn(handle)).await
}

#[expect(
    clippy::disallowed_methods,
    reason = "the log says when an event was seen"
)]
async fn handle(invocation: LambdaEvent<Value>) -> Result<Value, Error> {
    let LambdaEvent { payload, context } = invocation;
    // The line comes first: a failing or crashing invocation has been delivered all the same.
    if let Some(path) = std::env::var_os("TEST_FUNCTION_LOG") {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let line = event::log_line(
            &context.request_id,
            u64::try_from(now.as_millis())?,
            &payload,
        );
        // One write to a file opened for appending: lines of several processes do not mix.
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)?
            .write_all(&line)?;
        if std::env::var_os("TEST_FUNCTION_TROUBLE").is_some() {
            // Others may have written since: its number is the place of its own line.
            let log = std::fs::read_to_string(path)?;
            let own = std::str::from_utf8(&line)?.trim_end();
            let place = log.lines().position(|line| line == own);
            trouble(1 + place.ok_or("the line is not in the log")?).await;
        }
    }
    if let Ok(delay) = std::env::var("TEST_FUNCTION_DELAY_MS") {
        tokio::time::sleep(Duration::from_millis(delay.parse()?)).await;
    }
    let reports = std::env::var_os("TEST_FUNCTION_REPORT").is_some();
    match event::verdict(&payload) {
        Verdict::Succeed => Ok(answer::answer(&payload, reports)),
        Verdict::Fail if reports => Ok(answer::answer(&payload, reports)),
        Verdict::Fail => Err("a record of the batch is poison".into()),
        // A panic would be caught by the runtime client and reported as an ordinary failure.
        Verdict::Crash => std::process::abort(),
    }
}

/// What the invocation of this number has to suffer.
async fn trouble(number: usize) {
    match number % 7 {
        3 => std::process::abort(),
        5 => std::future::pending().await,
        _ => {}
    }
}
