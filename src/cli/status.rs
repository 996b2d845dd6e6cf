//! `tidegate status`: what a poller that runs is doing.

use super::exit::Exit;
use super::print;
use crate::poll::monitor::{MappingStatus, ShardStatus, Status};
use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use clap::{Args, ValueEnum};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::Request;
use hyper::header::HOST;
use hyper_util::rt::TokioIo;
use std::fmt::Write as _;
use std::time::Duration;

/// How long the poller may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// More than a status of 100,000 shards has, in bytes.
const BODY_MAX: usize = 64 << 20;

/// Show the mappings of a poller that runs: states, positions, ages, last results.
#[derive(Debug, Args)]
pub(super) struct Show {
    /// Where the poller serves its status: `[poller] listen` of its file.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9090")]
    address: String,
    /// A table for people, or the JSON that the poller sent.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    #[default]
    Text,
    Json,
}

impl Show {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("the runtime did not start")?;
        let asked =
            runtime.block_on(async { tokio::time::timeout(PATIENCE, fetch(&self.address)).await });
        let address = &self.address;
        let body = asked
            .unwrap_or_else(|_| bail!("no answer within {PATIENCE:?}"))
            .with_context(|| {
                format!("no status from {address}: is a poller running whose file has `[poller] listen = \"{address}\"`?")
            })?;
        let status: Status = serde_json::from_slice(&body)
            .with_context(|| format!("what answers at {address} is no tidegate of this version"))?;
        match self.format {
            Format::Json => {
                let text = serde_json::to_string_pretty(&status).context("no JSON")?;
                print(&(text + "\n"))?;
            }
            Format::Text => print(&text(&status))?,
        }
        Ok(Exit::Fine)
    }
}

async fn fetch(address: &str) -> anyhow::Result<Bytes> {
    let socket = tokio::net::TcpStream::connect(address).await?;
    let (mut client, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(socket)).await?;
    let connection = tokio::spawn(connection);
    let request = Request::get("/status")
        .header(HOST, address)
        .body(Empty::<Bytes>::new())?;
    let response = client.send_request(request).await?;
    let status = response.status();
    ensure!(status.is_success(), "it answers with {status}");
    let body = Limited::new(response.into_body(), BODY_MAX).collect().await;
    let body = body.map_err(|error| anyhow::anyhow!(error))?.to_bytes();
    connection.abort();
    Ok(body)
}

fn text(status: &Status) -> String {
    let reloads = status.reloads;
    let mut out = format!(
        "tidegate {}, {} for {}; file read again: {} applied, {} refused, {} invalid\n",
        plain(&status.tidegate),
        plain(&status.run),
        secs(status.uptime_seconds),
        reloads.applied,
        reloads.refused,
        reloads.invalid,
    );
    let heads = [
        "MAPPING",
        "STATE",
        "FUNCTION",
        "POLLED",
        "INVOCATIONS",
        "ERRORS",
        "THROTTLES",
        "IN HAND",
        "AGE",
        "LAG",
    ];
    let mut rows = vec![heads.map(str::to_owned)];
    rows.extend(status.mappings.iter().map(row));
    let widths: Vec<usize> = (0..heads.len())
        .map(|column| {
            rows.iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    for row in &rows {
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            // Names to the left, figures to the right.
            let _ = match column {
                0..=2 => write!(out, "{cell:<width$}  "),
                _ => write!(out, "{cell:>width$}  "),
            };
        }
        out.truncate(out.trim_end().len());
        out.push('\n');
    }
    for mapping in &status.mappings {
        details(&mut out, mapping);
    }
    out
}

fn row(mapping: &MappingStatus) -> [String; 10] {
    let or_dash = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    [
        plain(&mapping.name),
        plain(&mapping.state),
        plain(&mapping.function_name),
        mapping.polled.to_string(),
        mapping.invocations.to_string(),
        mapping.errors.to_string(),
        mapping.throttles.to_string(),
        mapping.records_in_hand.to_string(),
        or_dash(mapping.iterator_age_seconds.map(secs)),
        or_dash(mapping.offset_lag.map(|lag| lag.to_string())),
    ]
}

fn details(out: &mut String, mapping: &MappingStatus) {
    let _ = writeln!(
        out,
        "\n{} reads {}",
        plain(&mapping.name),
        plain(&mapping.source)
    );
    if let Some(reason) = &mapping.state_transition_reason {
        let _ = writeln!(out, "  StateTransitionReason: {}", plain(reason));
    }
    if let Some(last) = &mapping.last_processing_result {
        let _ = writeln!(out, "  LastProcessingResult: {}", plain(last));
    }
    for shard in &mapping.shards {
        let _ = writeln!(out, "  {}", shard_line(shard));
    }
}

fn shard_line(shard: &ShardStatus) -> String {
    let mut line = plain(&shard.shard);
    let position = shard.position.as_deref().unwrap_or("nothing stored");
    let _ = write!(line, "  {}", plain(position));
    if let Some(age) = shard.iterator_age_seconds {
        let _ = write!(line, "  age {}", secs(age));
    }
    if let Some(behind) = shard.behind_seconds {
        let _ = write!(line, "  behind {}", secs(behind));
    }
    if let Some(lag) = shard.offset_lag {
        let _ = write!(line, "  lag {lag}");
    }
    if shard.ended {
        line.push_str("  ended");
    }
    line
}

fn secs(secs: f64) -> String {
    match secs {
        secs if secs >= 3_600.0 => format!("{:.1}h", secs / 3_600.0),
        secs if secs >= 60.0 => format!("{:.1}m", secs / 60.0),
        secs => format!("{secs:.1}s"),
    }
}

/// What another process sent, without what a terminal would obey.
fn plain(text: &str) -> String {
    let clean = |letter: char| if letter.is_control() { '?' } else { letter };
    text.chars().map(clean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_names_every_mapping_and_obeys_nobody() {
        let json = serde_json::json!({
            "tidegate": "0.1.0", "run": "running", "startedUnixMillis": 1, "uptimeSeconds": 90.0,
            "reloads": { "applied": 1, "refused": 0, "invalid": 2 },
            "mappings": [{
                "name": "clicks", "kind": "kinesis", "source": "arn:\u{1b}[31m", "FunctionName": "checkout", "State": "Enabled",
                "StateTransitionReason": null, "LastProcessingResult": "OK", "reached": true, "iteratorAgeSeconds": 1.25,
                "offsetLag": null, "recordsInHand": 3, "invocationsInFlight": 1, "polled": 1200, "invocations": 12, "errors": 0,
                "throttles": 0, "discarded": 0,
                "shards": [{
                    "shard": "shardId-0", "position": "after:17", "storedUnixMillis": 5, "behindSeconds": 0.0,
                    "iteratorAgeSeconds": 1.25, "offsetLag": null, "ended": false,
                }],
            }],
        });
        let status: Status = serde_json::from_value(json).expect("a status");
        let expected = "\
tidegate 0.1.0, running for 1.5m; file read again: 1 applied, 0 refused, 2 invalid
MAPPING  STATE    FUNCTION  POLLED  INVOCATIONS  ERRORS  THROTTLES  IN HAND   AGE  LAG
clicks   Enabled  checkout    1200           12       0          0        3  1.2s    -

clicks reads arn:?[31m
  LastProcessingResult: OK
  shardId-0  after:17  age 1.2s  behind 0.0s
";
        assert_eq!(text(&status), expected);
    }
}
