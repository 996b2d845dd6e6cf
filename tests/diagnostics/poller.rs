//! Bad poller files.

use super::poller_told;
use tidegate::engine::{SourceKind, Span};
use tidegate::scenario::{ErrorSign, MappingSource, SourceText, TargetKind, parse_poller};

#[test]
fn a_poller_file_needs_targets_and_mappings() {
    super::snapshot!(poller_told(
        "[poller]\ndrain_timeout = \"2h\"\nstore = \"../x\"\n"
    ));
}

#[test]
fn targets_are_checked_by_their_type() {
    let text = r#"
[aws]
endpoint_url = "localhost:4566"
[[target]]
function = "a"
type = "http"
errors = "trailer"
[[target]]
function = "b"
type = "process"
command = []
errors = "body"
[[target]]
function = "a"
type = "mock"
duration = 5
[[target]]
type = "lamda"
[[mapping]]
name = "m"
"#;
    super::snapshot!(poller_told(text));
}

/// A consumer's ARN is a source like its stream's, and has to be whole.
#[test]
fn consumers_are_checked_by_their_form() {
    let file = |consumer: &str| {
        format!(
            "[[target]]\nfunction = \"f\"\ntype = \"lambda\"\n[[mapping]]\nname = \"a\"\nFunctionName = \"f\"\n\
             StartingPosition = \"LATEST\"\n\
             EventSourceArn = \"arn:aws:kinesis:us-east-1:123456789012:stream/clicks/consumer/{consumer}\"\n"
        )
    };
    let parse = |consumer: &str| parse_poller(SourceText::new("poller.toml", file(consumer)));
    parse("fast:1700000000").expect("a consumer");
    let refused = parse("fast")
        .expect_err("no time of registration")
        .to_string();
    assert!(refused.contains("error[bad-arn]"), "{refused}");
    assert!(refused.contains("consumer/NAME:TIMESTAMP"), "{refused}");
}

#[test]
fn sources_are_checked_by_their_form() {
    let text = r#"
[[source]]
name = "q"
type = "generated"
kind = "sqs"
shards = 2
rate = 0
[[source]]
name = "k"
type = "jsonl"
kind = "kafka"
file = "none.jsonl"
[[target]]
function = "f"
type = "lambda"
[[mapping]]
name = "a"
EventSourceArn = "arn:aws:sqs:us-east-1:12:q"
FunctionName = "g"
[[mapping]]
name = "b"
EventSourceArn = "arn:aws:kafka:us-east-1:123456789012:cluster/c/1"
FunctionName = "f"
StartingPosition = "LATEST"
[[mapping]]
name = "c"
EventSource = "qq"
FunctionName = "f"
"#;
    super::snapshot!(poller_told(text));
}

#[test]
fn streams_of_tables_are_checked() {
    let text = r#"
[[target]]
function = "f"
type = "lambda"
[[mapping]]
name = "table"
EventSourceArn = "arn:aws:dynamodb:us-east-1:123456789012:table/orders"
FunctionName = "f"
StartingPosition = "LATEST"
[[mapping]]
name = "instant"
EventSourceArn = "arn:aws:dynamodb:us-east-1:123456789012:table/orders/stream/2026-11-21T06:00:00.000"
FunctionName = "f"
StartingPosition = "AT_TIMESTAMP"
StartingPositionTimestamp = 2026-11-21T06:00:00Z
"#;
    super::snapshot!(poller_told(text));
}

#[test]
fn a_stream_of_a_table_is_read_at_its_own_pace() {
    let text = r#"
[aws]
region = "us-east-1"
endpoint_url = "http://localhost:8000"
[[target]]
function = "f"
type = "mock"
[[mapping]]
name = "changes"
EventSourceArn = "arn:aws:dynamodb:ddblocal:000000000000:table/orders/stream/2026-11-21T09:36:01.253"
FunctionName = "f"
StartingPosition = "TRIM_HORIZON"
page_records = 500
"#;
    let loaded =
        parse_poller(SourceText::new("p.toml", text)).unwrap_or_else(|report| panic!("{report}"));
    let mapping = &loaded.file.mappings[0];
    assert_eq!(mapping.config.source, SourceKind::DynamoDb);
    assert_eq!(mapping.tuning.poll_interval, Span::from_millis(250));
    assert_eq!(mapping.tuning.page_records_max, 500);
}

#[test]
fn a_right_file_is_read() {
    let text = r#"
[aws]
region = "eu-west-1"
endpoint_url = "http://localhost:4566"
[[target]]
function = "f"
type = "http"
url = "http://localhost:9000/"
[[target]]
function = "g"
type = "lambda"
[[mapping]]
name = "orders"
EventSourceArn = "arn:aws:sqs:eu-west-1:123456789012:orders"
FunctionName = "f:live"
visibility_timeout = "2m"
Enabled = false
[[mapping]]
name = "clicks"
EventSourceArn = "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"
FunctionName = "g"
StartingPosition = "AT_TIMESTAMP"
StartingPositionTimestamp = 2026-11-21T06:00:00Z
endpoint_url = "http://localhost:4567"
"#;
    let loaded =
        parse_poller(SourceText::new("p.toml", text)).unwrap_or_else(|report| panic!("{report}"));
    let file = loaded.file;
    assert!(matches!(
        &file.targets[0].kind,
        TargetKind::Http {
            errors: ErrorSign::Status,
            ..
        }
    ));
    assert!(matches!(
        &file.targets[1].kind,
        TargetKind::Lambda {
            errors: ErrorSign::Header,
            ..
        }
    ));
    assert!(!file.mappings[0].enabled);
    assert_eq!(file.mappings[0].config.function_name, "f:live");
    assert_eq!(
        file.mappings[0].tuning.visibility_timeout.as_nanos(),
        120_000_000_000
    );
    let MappingSource::Service { arn, endpoint_url } = &file.mappings[1].source else {
        panic!("a stream of AWS");
    };
    assert_eq!(
        (arn.name.as_str(), endpoint_url.as_deref()),
        ("clicks", Some("http://localhost:4567"))
    );
}

/// A stream with this destination, in a file of the folder `of`.
fn with_destination(destination: &str) -> String {
    format!(
        r#"
[[target]]
function = "f"
type = "mock"
[[mapping]]
name = "m"
EventSourceArn = "arn:aws:kinesis:us-east-1:123456789012:stream/s"
FunctionName = "f"
StartingPosition = "LATEST"
DestinationConfig = {{ OnFailure = {{ Destination = "{destination}" }} }}
"#
    )
}

#[test]
fn destinations_are_checked_part_by_part() {
    let told: String = [
        "arn:aws:sqs:us-east-1:12:failed",
        "arn:aws:s3:::Failed",
        "file://../failed.jsonl",
        "failed.jsonl",
    ]
    .iter()
    .map(|destination| poller_told(&with_destination(destination)))
    .collect::<Vec<_>>()
    .join("\n");
    super::snapshot!(told);
}

#[test]
fn topics_are_destinations_of_kafka_alone() {
    let with = |destination: &str, lines: &str| {
        poller_told(&format!(
            r#"
[[target]]
function = "f"
type = "mock"
[[mapping]]
name = "m"
Topics = ["orders"]
FunctionName = "f"
StartingPosition = "LATEST"
SelfManagedEventSource = {{ Endpoints = {{ KAFKA_BOOTSTRAP_SERVERS = ["b1:9092"] }} }}
SourceAccessConfigurations = [{{ Type = "VPC_SUBNET", URI = "subnet:subnet-1" }}]
DestinationConfig = {{ OnFailure = {{ Destination = "{destination}" }} }}
{lines}
"#
        ))
    };
    let provisioned = "ProvisionedPollerConfig = { MinimumPollers = 1 }";
    let told = [
        with("kafka://orders-failed", ""),
        with("kafka://orders", provisioned),
        with("kafka://b1:9092/failed", provisioned),
        poller_told(&with_destination("kafka://failed")),
    ];
    super::snapshot!(told.join("\n"));
}

#[test]
fn the_path_of_a_destination_starts_from_the_folder_of_its_file() {
    for (written, resolved) in [
        (
            "file://out/failed.jsonl",
            "file:///etc/tidegate/out/failed.jsonl",
        ),
        ("file:///tmp/failed.jsonl", "file:///tmp/failed.jsonl"),
        ("arn:aws:s3:::failed", "arn:aws:s3:::failed"),
    ] {
        let text = with_destination(written);
        let loaded = parse_poller(SourceText::new("/etc/tidegate/poller.toml", text));
        let mapping = &loaded.expect("a sound file").file.mappings[0];
        assert_eq!(mapping.config.on_failure.as_deref(), Some(resolved));
    }
}

#[test]
fn limits_on_processes_are_checked_together() {
    let text = r#"
[region]
account_concurrency = 500
[invoke_api]
listen = "localhost"
[[target]]
function = "a"
type = "process"
command = ["./a"]
reserved_concurrency = 300
[[target.alias]]
name = "live"
provisioned_concurrency = 301
[[target]]
function = "b"
type = "process"
command = ["./b"]
reserved_concurrency = 101
[[target]]
function = "c"
type = "process"
command = ["./c"]
[[target.alias]]
name = "$LATEST"
provisioned_concurrency = 5
[[target]]
function = "d"
type = "mock"
reserved_concurrency = 5
"#;
    super::snapshot!(poller_told(text));
}

#[test]
fn an_invoke_api_needs_no_mapping() {
    let text =
        "[invoke_api]\nlisten = \"127.0.0.1:0\"\n[[target]]\nfunction = \"f\"\ntype = \"mock\"\n";
    let loaded = parse_poller(SourceText::new("poller.toml", text.to_owned()));
    let file = loaded.expect("a file").file;
    assert_eq!(file.invoke_api, "127.0.0.1:0".parse().ok());
    assert!(file.mappings.is_empty());
}

/// Everybody who reaches a listener may use it, so that other machines come in only if the file says so.
#[test]
fn listeners_stay_on_this_machine_unless_told_otherwise() {
    let rest = "[[target]]\nfunction = \"f\"\ntype = \"mock\"\n[[source]]\nname = \"s\"\ntype = \"generated\"\nkind = \"sqs\"\nrate = 1\n\
                [[mapping]]\nname = \"m\"\nEventSource = \"s\"\nFunctionName = \"f\"\n";
    super::snapshot!(poller_told(&format!(
        "[poller]\nlisten = \"0.0.0.0:9090\"\n[invoke_api]\nlisten = \"[::]:9001\"\n{rest}"
    )));
    for table in ["poller", "invoke_api"] {
        for (listen, is_remote) in [
            ("127.0.0.1:0", false),
            ("[::1]:0", false),
            ("127.8.8.8:1", false),
            ("10.0.0.7:9", true),
        ] {
            let text = format!("[{table}]\nlisten = \"{listen}\"\n");
            let parse = |text: String| parse_poller(SourceText::new("poller.toml", text + rest));
            assert_eq!(parse(text.clone()).is_err(), is_remote, "{table} {listen}");
            let accepted = parse(text + "allow_remote = true\n").expect("it is accepted");
            let warned = accepted.warnings.to_string().contains("remote-listener");
            assert_eq!(warned, is_remote, "{table} {listen}");
        }
    }
}

/// Every key of a poller file that names a file.
#[test]
fn paths_of_every_kind_stay_in_their_folder() {
    let file = |store: &str, records: &str, told: &str, login: &str| {
        format!(
            r#"
[poller]
store = "{store}"
[[target]]
function = "f"
type = "mock"
[[source]]
name = "s"
type = "jsonl"
kind = "kinesis"
file = "{records}"
[[mapping]]
name = "m"
EventSource = "s"
FunctionName = "f"
StartingPosition = "TRIM_HORIZON"
[mapping.DestinationConfig.OnFailure]
Destination = "file://{told}"
[[mapping]]
name = "k"
FunctionName = "f"
StartingPosition = "TRIM_HORIZON"
Topics = ["t"]
security_protocol = "SASL_PLAINTEXT"
[mapping.SelfManagedEventSource.Endpoints]
KAFKA_BOOTSTRAP_SERVERS = ["127.0.0.1:9"]
[[mapping.SourceAccessConfigurations]]
Type = "SASL_SCRAM_512_AUTH"
URI = "file:{login}"
"#
        )
    };
    let good = ["x.redb", "Cargo.toml", "told.jsonl", "login.json"];
    let told = |paths: [&str; 4]| {
        let text = file(paths[0], paths[1], paths[2], paths[3]);
        match parse_poller(SourceText::new("poller.toml", text)) {
            Ok(_) => String::new(),
            Err(report) => report.to_string(),
        }
    };
    assert!(!told(good).contains("path-escapes"), "{}", told(good));
    for place in 0..good.len() {
        for bad in ["../x", "a/../../x", ".."] {
            let mut paths = good;
            paths[place] = bad;
            let told = told(paths);
            assert!(told.contains("path-escapes"), "{bad} at {place}: {told}");
        }
    }
}
