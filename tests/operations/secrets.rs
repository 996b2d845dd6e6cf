//! No secret is ever shown: not in logs at their most talkative, not in metrics, status, records, stores, diagnostics or `Debug`.

use super::{Running, start, wait_until};
use std::process::Command;
use tidegate::scenario::{SourceText, parse_poller};

/// Every secret of this test has this in it.
const MARK: &str = "hunter2";

/// A poller with secrets wherever it takes any. Its function, brokers and AWS are out of reach, which is when most is said.
const FILE: &str = r#"
[aws]
region = "us-east-1"
[poller]
listen = "127.0.0.1:0"
store = "checkpoints.redb"
[[target]]
function = "process"
type = "process"
command = ["/bin/sh", "-c", "exit 3", "hunter2-word"]
[target.env]
DB_PASSWORD = "hunter2-env"
[[target]]
function = "remote"
type = "lambda"
endpoint_url = "http://127.0.0.1:9"
[[source]]
name = "clicks"
type = "generated"
kind = "kinesis"
rate = 50
[[mapping]]
name = "clicks"
EventSource = "clicks"
FunctionName = "process"
StartingPosition = "TRIM_HORIZON"
[[mapping]]
name = "remote"
EventSource = "clicks"
FunctionName = "remote"
StartingPosition = "TRIM_HORIZON"
[[mapping]]
name = "topic"
FunctionName = "process"
StartingPosition = "TRIM_HORIZON"
Topics = ["t"]
security_protocol = "SASL_PLAINTEXT"
[mapping.SelfManagedEventSource.Endpoints]
KAFKA_BOOTSTRAP_SERVERS = ["127.0.0.1:9"]
[[mapping.SourceAccessConfigurations]]
Type = "SASL_SCRAM_512_AUTH"
URI = "env:KAFKA_LOGIN"
"#;

const VARIABLES: [(&str, &str); 6] = [
    ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"),
    ("AWS_SECRET_ACCESS_KEY", "hunter2-aws"),
    ("AWS_SESSION_TOKEN", "hunter2-session"),
    (
        "KAFKA_LOGIN",
        r#"{"username":"ada","password":"hunter2-kafka"}"#,
    ),
    ("AWS_EC2_METADATA_DISABLED", "true"),
    ("RUST_LOG", "trace"),
];

fn shows_nothing(what: &str, text: &str) {
    let line = text.lines().find(|line| line.contains(MARK));
    assert_eq!(line, None, "a secret in {what}");
}

/// Everything that a running poller shows.
fn look_at(running: &Running) {
    for path in ["/metrics", "/status", "/healthz", "/readyz"] {
        let answer = running.get(path);
        shows_nothing(path, &(answer.head + &answer.body));
    }
    let output = Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .args(["status", "--address", &running.address()])
        .output()
        .expect("it runs");
    shows_nothing("tidegate status", &String::from_utf8_lossy(&output.stdout));
    shows_nothing("tidegate status", &String::from_utf8_lossy(&output.stderr));
}

#[test]
fn no_secret_is_ever_shown() {
    for format in ["text", "json"] {
        let arguments = [
            "--log-format",
            format,
            "--record",
            "run.jsonl",
            "--drain-timeout",
            "1s",
        ];
        let running = start(FILE, &arguments, &VARIABLES);
        wait_until("failures of every kind", || {
            let metrics = running.get("/metrics").body;
            let errors = metrics.contains("tidegate_errors_total{mapping=\"clicks\"} 0");
            (!errors && running.said().contains("the invocation failed")).then_some(())
        });
        look_at(&running);
        running.write(
            &FILE
                .replace("hunter2-env", "hunter2-other")
                .replace("hunter2-word", "hunter2-words"),
        );
        running.signal("-HUP");
        running.says("target.process changed: command, env.DB_PASSWORD");
        // Diagnostics show the lines that they are about, and only those.
        running.write(&FILE.replace("rate = 50", "rate = \"many\""));
        running.signal("-HUP");
        running.says("the file has errors");
        look_at(&running);
        let (record, store) = (running.path("run.jsonl"), running.path("checkpoints.redb"));
        let record = std::fs::read(record).expect("a record");
        shows_nothing("the record of the run", &String::from_utf8_lossy(&record));
        let store = std::fs::read(store).expect("a store");
        shows_nothing("the store", &String::from_utf8_lossy(&store));
        let ended = running.terminate();
        assert!(ended.output.len() > 1_000, "{}", ended.output);
        shows_nothing("the log", &ended.output);
    }
}

#[test]
fn debug_shows_names_of_variables_and_no_values() {
    let file = parse_poller(SourceText::new("poller.toml", FILE));
    let file = file.unwrap_or_else(|report| panic!("{report}")).file;
    let shown = format!("{file:?}");
    assert!(
        shown.contains("DB_PASSWORD") && shown.contains("env:KAFKA_LOGIN")
            || shown.contains("KAFKA_LOGIN")
    );
    let without_command = shown.replace("hunter2-word", "");
    shows_nothing("Debug", &without_command);
}

/// A login in an address would be shown with it, so none is taken.
#[test]
fn an_address_has_no_room_for_a_login() {
    let text = FILE.replace("http://127.0.0.1:9", "http://ada:secret@127.0.0.1:9");
    let report =
        parse_poller(SourceText::new("poller.toml", text)).expect_err("a login in an address");
    let report = report.to_string();
    assert!(
        report.contains("must not hold a user name or password"),
        "{report}"
    );
}

/// Whoever reads the source finds no switch that turns the verification of TLS off.
#[test]
fn tls_is_verified_and_nothing_switches_it_off() {
    let switches = [
        "danger",
        "NoVerif",
        "certificate.verification",
        "endpoint.identification",
        "insecure_skip",
        "with_custom_certificate_verifier",
    ];
    let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            // Fonts and pictures are no text.
            if path.extension().is_none_or(|kind| kind != "rs") {
                continue;
            }
            files += 1;
            let text = std::fs::read_to_string(&path).expect("a source file");
            for line in text.lines() {
                let found = switches.iter().find(|switch| line.contains(*switch));
                assert_eq!(found, None, "{}: {line}", path.display());
            }
        }
    }
    assert!(files > 100, "{files} files");
}
