//! `/metrics`, `/healthz`, `/readyz`, `/status` and `tidegate status`.

use super::prometheus::{Family, parse};
use super::{FILE, request, start, wait_until};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

fn value(families: &BTreeMap<String, Family>, metric: &str, mapping: &str) -> f64 {
    let samples = &families[metric].samples;
    let found = samples
        .iter()
        .find(|it| it.label("mapping") == Some(mapping));
    found
        .unwrap_or_else(|| panic!("no {metric} of {mapping}"))
        .value
}

#[test]
fn metrics_have_cloudwatchs_names_in_a_form_that_a_strict_reader_takes() {
    let running = start(FILE, &[], &[]);
    wait_until("both mappings to invoke", || {
        let invoked = |name| {
            running.mapping(name)?["invocations"]
                .as_u64()
                .filter(|n| *n > 3)
        };
        invoked("clicks").zip(invoked("orders"))
    });
    let answer = running.get("/metrics");
    assert_eq!(answer.status, 200);
    let kind = "content-type: text/plain; version=0.0.4; charset=utf-8";
    assert!(answer.head.to_lowercase().contains(kind), "{}", answer.head);
    let families = parse(&answer.body).unwrap_or_else(|wrong| panic!("{wrong}"));
    for metric in [
        "tidegate_polled_event_count_total",
        "tidegate_invoked_event_count_total",
        "tidegate_invocations_total",
    ] {
        for mapping in ["clicks", "orders"] {
            assert!(
                value(&families, metric, mapping) > 0.0,
                "{metric} of {mapping}"
            );
        }
    }
    assert!(value(&families, "tidegate_deleted_event_count_total", "orders") > 0.0);
    assert_eq!(value(&families, "tidegate_errors_total", "clicks"), 0.0);
    assert_eq!(value(&families, "tidegate_mapping_ready", "clicks"), 1.0);
    assert!(families["tidegate_duration_seconds"].kind == "histogram");
    let again = parse(&running.get("/metrics").body).expect("the second text");
    let polled = "tidegate_polled_event_count_total";
    assert!(value(&again, polled, "clicks") >= value(&families, polled, "clicks"));
    check_with_promtool(&answer.body);
    assert!(running.terminate().status.success());
}

/// Prometheus's own checker, where it is installed.
fn check_with_promtool(text: &str) {
    let started = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = started else {
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: promtool is not installed; the strict reader alone has looked"
        );
        return;
    };
    let mut input = promtool.stdin.take().expect("a pipe");
    input.write_all(text.as_bytes()).expect("written");
    drop(input);
    let output = promtool.wait_with_output().expect("it ends");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_poller_is_alive_and_ready_and_not_ready_while_it_drains() {
    // The function takes a minute, so that the drain lasts until somebody loses patience.
    let slow = FILE.replace("duration = \"1ms\"", "duration = \"60s\"");
    let running = start(&slow, &["--drain-timeout", "1h"], &[]);
    wait_until("readiness", || {
        (running.get("/readyz").status == 200).then_some(())
    });
    let alive = running.get("/healthz");
    assert_eq!((alive.status, alive.body.as_str()), (200, "ok\n"));
    // A source may have answered that it has nothing yet: then there is nothing to drain.
    wait_until("an invocation", || {
        let in_flight = running.mapping("clicks")?["invocationsInFlight"].as_u64();
        in_flight.filter(|count| *count > 0)
    });
    running.signal("-TERM");
    let body = wait_until("the drain", || {
        let answer = running.get("/readyz");
        (answer.status == 503).then_some(answer.body)
    });
    assert_eq!(body, "draining\n");
    assert_eq!(
        running.get("/healthz").status,
        200,
        "it works on what it has"
    );
    assert_eq!(running.status()["run"], "draining");
    let ended = running.terminate();
    assert_eq!(ended.status.code(), Some(3));
    assert!(ended.output.contains("left: clicks: "), "{}", ended.output);
    assert!(
        ended.output.contains("invocations in flight"),
        "{}",
        ended.output
    );
}

#[test]
fn a_drain_has_a_deadline_and_tells_what_is_left() {
    let slow = FILE.replace("duration = \"1ms\"", "duration = \"600s\"");
    let running = start(&slow, &["--drain-timeout", "100ms"], &[]);
    wait_until("invocations", || {
        running.mapping("orders")?["invocationsInFlight"]
            .as_u64()
            .filter(|n| *n > 0)
    });
    let ended = running.terminate();
    assert_eq!(ended.status.code(), Some(3));
    let output = &ended.output;
    assert!(
        output.contains("the drain timeout of 100ms is over"),
        "{output}"
    );
    assert!(output.contains("left: orders: "), "{output}");
}

#[test]
fn an_endpoint_on_this_machine_answers_nobody_elses_names() {
    let running = start(FILE, &[], &[]);
    let address = running.address();
    assert_eq!(
        request(&address, "GET", "/status", "rebound.example").status,
        403
    );
    assert_eq!(
        request(&address, "GET", "/status", "localhost:9090").status,
        200
    );
    assert_eq!(request(&address, "POST", "/status", &address).status, 405);
    assert_eq!(request(&address, "GET", "/", &address).status, 404);
}

#[test]
fn the_status_command_shows_mappings_positions_and_results() {
    let running = start(FILE, &[], &[]);
    wait_until("progress", || {
        let clicks = running.mapping("clicks")?;
        let stored = |shard: usize| {
            let position = clicks["shards"][shard]["position"].as_str();
            position.is_some_and(|position| position.starts_with("after:"))
        };
        (stored(0) && stored(1) && clicks["LastProcessingResult"] == "OK").then_some(())
    });
    let address = running.address();
    let status = |format: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_tidegate"))
            .args(["status", "--address", &address, "--format", format])
            .output()
            .expect("it runs");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    };
    let text = status("text");
    for part in [
        "MAPPING",
        "clicks",
        "Enabled",
        "checkout",
        "LastProcessingResult: OK",
        "shardId-000000000001  after:",
    ] {
        assert!(text.contains(part), "no {part} in:\n{text}");
    }
    let json: Value = serde_json::from_str(&status("json")).expect("JSON");
    let orders = json["mappings"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|it| it["name"] == "orders");
    let orders = orders.expect("the mapping");
    assert_eq!(orders["State"], "Enabled");
    assert_eq!(
        orders["LastProcessingResult"],
        Value::Null,
        "queues have none"
    );
    drop(running);
    let output = Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .args(["status", "--address", &address])
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(3));
    let error = String::from_utf8(output.stderr).expect("text");
    assert!(
        error.contains("is a poller running whose file has `[poller] listen"),
        "{error}"
    );
}

#[test]
fn logs_are_json_with_mapping_shard_batch_and_request() {
    let failing = FILE.replace("duration = \"1ms\"", "error_rate = \"1/2\"");
    let running = start(
        &failing,
        &["--log-format", "json"],
        &[("RUST_LOG", "tidegate=debug")],
    );
    wait_until("an invocation of each mapping", || {
        let said = running.said();
        let ends = |mapping: &str| {
            let mut lines = said.lines();
            lines.any(|line| line.contains("\"outcome\":") && line.contains(mapping))
        };
        (ends("\"clicks\"") && ends("\"orders\"")).then_some(())
    });
    let ended = running.terminate();
    let lines = ended.output.lines().filter(|line| line.starts_with('{'));
    let lines: Vec<Value> = lines
        .map(|line| serde_json::from_str(line).expect(line))
        .collect();
    assert!(lines.len() > 10, "{}", ended.output);
    for line in &lines {
        let timestamp = line["timestamp"].as_str().expect("a time");
        assert!(timestamp.ends_with('Z'), "{timestamp}");
        assert!(
            line["level"].is_string() && line["message"].is_string(),
            "{line}"
        );
    }
    let ended = |mapping: &str| {
        let mut found = lines.iter().filter(|line| line["mapping"] == mapping);
        found
            .find(|line| line.get("outcome").is_some())
            .expect("an end")
            .clone()
    };
    let (clicks, orders) = (ended("clicks"), ended("orders"));
    for line in [&clicks, &orders] {
        let request = line["request"].as_str().expect("a request id");
        assert_eq!(request.len(), 36, "{line}");
        assert!(line["batch"].is_u64() && line["records"].is_u64(), "{line}");
    }
    assert!(
        clicks["shard"]
            .as_str()
            .expect("a shard")
            .starts_with("shardId-")
    );
    assert!(orders.get("shard").is_none(), "a queue has no shards");
}
