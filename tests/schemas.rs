//! JSON Schemas: what the program reads and writes is as they say, and they know every key that the readers know.

use assert_cmd::Command;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use tidegate::report::{self, Compare, Side, StoredResult};
use tidegate::scenario::{FileKind, SourceText, load, parse, parse_poller, schema};
use tidegate::{sim, study};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The tree of a TOML text.
fn tree(text: &str) -> Value {
    let document: toml_edit::DocumentMut = text.parse().expect("TOML");
    of_table(document.as_table())
}

fn of_table(table: &dyn toml_edit::TableLike) -> Value {
    let entries = table
        .iter()
        .map(|(key, item)| (key.to_owned(), of_item(item)));
    Value::Object(entries.collect::<Map<String, Value>>())
}

fn of_item(item: &toml_edit::Item) -> Value {
    use toml_edit::Item;
    match item {
        Item::Table(table) => of_table(table),
        Item::ArrayOfTables(tables) => tables.iter().map(|table| of_table(table)).collect(),
        Item::Value(value) => of_value(value),
        Item::None => Value::Null,
    }
}

fn of_value(value: &toml_edit::Value) -> Value {
    use toml_edit::Value as Toml;
    match value {
        Toml::String(text) => json!(text.value()),
        Toml::Integer(number) => json!(number.value()),
        Toml::Float(number) => json!(number.value()),
        Toml::Boolean(truth) => json!(truth.value()),
        Toml::Datetime(at) => json!(at.value().to_string()),
        Toml::Array(items) => items.iter().map(of_value).collect(),
        Toml::InlineTable(table) => of_table(table),
    }
}

fn conforms(schema: &Value, document: &Value, what: &str) {
    let validator = jsonschema::draft202012::new(schema).expect("a sound schema");
    let errors: Vec<String> = validator
        .iter_errors(document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{what}: {}", errors.join("\n"));
}

fn scenarios() -> Vec<(PathBuf, Value)> {
    let all = crate::scenarios::all().into_iter();
    all.map(|path| {
        let text = std::fs::read_to_string(&path).expect("a scenario");
        (path, tree(&text))
    })
    .collect()
}

/// Every table of a scenario, whether or not it makes sense together.
const EVERYTHING: &str = r#"
title = "all keys"
duration = "10m"
warm_up = "1m"
start = 2026-01-05T00:00:00Z
seed = 3
profile = "current"
[region]
account_concurrency = 1000
growth = { refill = "stepped" }
[cost]
free_tier = true
[[function]]
name = "f"
duration = { lognormal = { median = "80ms", p99 = "600ms" } }
keep_alive = { uniform = { min = "5m", max = "10m" } }
init = { gamma = { shape = 4.0, mean = "120ms" } }
post_runtime = { pareto = { min = "10ms", alpha = 1.5 } }
[function.event_invoke]
MaximumRetryAttempts = 1
DestinationConfig = { OnFailure = { Destination = "arn:aws:sqs:eu-west-1:123456789012:q" } }
DeadLetterConfig = { TargetArn = "arn:aws:sqs:eu-west-1:123456789012:d" }
[[function.version]]
number = 1
duration = "5ms"
[[function.alias]]
name = "live"
version = 1
provisioned_concurrency = 3
[function.alias.autoscaling]
min = 1
max = 5
target_utilization = 0.7
policy = [{ target_utilization = 0.5 }]
schedule = [{ at = "1m", min = 2 }, { schedule = "rate(8 hours)", max = 3 }]
[[traffic]]
function = "f:live"
rate = [{ at = "0s", rps = 3, over = "1m" }]
timeout = "2s"
retry = { attempts = 3, backoff = "100ms..1s", jitter = "full" }
[[traffic]]
function = "f"
clients = [{ at = "0s", count = 3, over = "1s" }]
think = "1s"
[[source]]
name = "s"
type = "kinesis"
shards = 2
[[source.producer]]
rate = "30/m"
on_throttle = "drop"
record = { size = "1KiB", keys = { zipf = { n = 100, s = 1.1 } } }
[[source.producer]]
arrivals = "constant"
rate = 3
record = { size = { exponential = { mean = "2KiB" } }, keys = { hot = { share = "50%", keys = 1 } } }
[[source.reshard]]
at = "1m"
split = [0]
[[source.reshard]]
at = "2m"
merge = [[1, 2]]
[[mapping]]
name = "m"
EventSource = "s"
FunctionName = "f"
StartingPosition = "LATEST"
BatchSize = 10
FilterCriteria = { Filters = [{ Pattern = "{}" }] }
matching = "25%"
SelfManagedEventSource = { Endpoints = { KAFKA_BOOTSTRAP_SERVERS = ["a:1"] } }
SourceAccessConfigurations = [{ Type = "BASIC_AUTH", URI = "env:X" }]
SelfManagedKafkaEventSourceConfig = { ConsumerGroupId = "g" }
ScalingConfig = { MaximumConcurrency = 5 }
ProvisionedPollerConfig = { MinimumPollers = 1 }
DocumentDBEventSourceConfig = { DatabaseName = "d" }
MetricsConfig = { Metrics = ["EventCount"] }
LoggingConfig = { SystemLogLevel = "WARN" }
Tags = { a = "b" }
[[fault]]
at = "1m"
for = "1m"
what = { function_slow = { function = "f", factor = 3.0 } }
[[fault]]
at = "1m"
for = "1m"
what = { source_throttled = { source = "s", rate = "50%" } }
[[fault]]
at = "3m"
for = "1m"
what = { destination_refuses = { mapping = "m", rate = "1/2" } }
[[event]]
at = "1m"
what = { update = { mapping = "m", BatchSize = 500 } }
[[event]]
at = "2m"
what = { deploy = { alias = "f:live", to = "2", canary = "10%", interval = "5m" } }
[[event]]
at = "3m"
what = { disable = "m" }
[[gate]]
metric = "f.Latency"
statistic = "p99"
max = "250ms"
"#;

const POLLER: &str = r#"
profile = "current"
[aws]
region = "eu-west-1"
[poller]
store = "x.db"
drain_timeout = "30s"
[invoke_api]
listen = "127.0.0.1:0"
[[target]]
function = "f"
type = "process"
command = ["true"]
env = { A = "b" }
reserved_concurrency = 3
[[target.alias]]
name = "live"
provisioned_concurrency = 2
[[target]]
function = "g"
type = "lambda"
errors = "body"
[[target]]
function = "h"
type = "http"
url = "http://127.0.0.1:1/"
[[target]]
function = "i"
type = "mock"
duration = "10ms"
[[source]]
name = "s"
type = "generated"
kind = "sqs"
rate = 5
[[source]]
name = "k"
type = "jsonl"
kind = "kinesis"
file = "records.jsonl"
[[mapping]]
name = "m"
EventSource = "s"
FunctionName = "f"
[[mapping]]
name = "n"
EventSourceArn = "arn:aws:kinesis:eu-west-1:123456789012:stream/x"
FunctionName = "g"
StartingPosition = "LATEST"
[[mapping]]
name = "o"
FunctionName = "g"
Topics = ["t"]
StartingPosition = "LATEST"
security_protocol = "PLAINTEXT"
SelfManagedEventSource = { Endpoints = { KAFKA_BOOTSTRAP_SERVERS = ["a:1"] } }
[[mapping]]
name = "p"
FunctionName = "g"
EventSourceArn = "arn:aws:mq:eu-west-1:123456789012:broker:harbour:b-1a2b3c4d-5e6f-4a5b-8c9d-0e1f2a3b4c5d"
broker = "rabbitmq"
Queues = ["q"]
"#;

#[test]
fn scenarios_and_poller_files_are_as_their_schemas_say() {
    let scenario = schema(FileKind::Scenario);
    for (path, document) in scenarios() {
        conforms(&scenario, &document, &path.display().to_string());
    }
    conforms(&scenario, &tree(EVERYTHING), "everything");
    let poller = schema(FileKind::Poller);
    let mock = std::fs::read_to_string(root().join("scenarios/poller/mock.toml")).expect("a file");
    conforms(&poller, &tree(&mock), "mock.toml");
    conforms(&poller, &tree(POLLER), "poller");
    let validator = jsonschema::draft202012::new(&scenario).expect("a schema");
    for wrong in [
        "duration = 5",
        "durations = '5m'",
        "duration = '5m'\nseed = -1",
        "duration = '5m'\n[[function]]\nname = 'a b'\nduration = '1s'",
        "duration = '5m'\n[[function]]\nname = 'a'",
        "duration = '5m'\n[[gate]]\nmetric = 'f.Errors'\nstatistic = 'p98'",
    ] {
        assert!(!validator.is_valid(&tree(wrong)), "{wrong}");
    }
}

/// What a part of a schema may stand for.
fn meant<'a>(schema: &'a Value, part: &'a Value) -> Vec<&'a Value> {
    if let Some(reference) = part.get("$ref").and_then(Value::as_str) {
        let pointer = reference.trim_start_matches('#');
        let target = schema
            .pointer(pointer)
            .unwrap_or_else(|| panic!("{reference} leads nowhere"));
        return meant(schema, target);
    }
    match part.get("anyOf").and_then(Value::as_array) {
        Some(several) => several.iter().flat_map(|one| meant(schema, one)).collect(),
        None => vec![part],
    }
}

/// Visits every object of a document with the parts of the schema that describe it.
fn objects<'a>(
    schema: &'a Value,
    parts: &[&'a Value],
    document: &Value,
    pointer: &str,
    visit: &mut dyn FnMut(&str, &[&'a Value]),
) {
    match document {
        Value::Object(map) => {
            visit(pointer, parts);
            for (key, value) in map {
                let below: Vec<&Value> = parts
                    .iter()
                    .filter_map(|part| {
                        let known = part.get("properties").and_then(|all| all.get(key));
                        known.or_else(|| part.get("additionalProperties"))
                    })
                    .flat_map(|part| meant(schema, part))
                    .collect();
                objects(schema, &below, value, &format!("{pointer}/{key}"), visit);
            }
        }
        Value::Array(list) => {
            let items: Vec<&Value> = parts
                .iter()
                .filter_map(|part| part.get("items"))
                .flat_map(|part| meant(schema, part))
                .collect();
            for (index, value) in list.iter().enumerate() {
                objects(schema, &items, value, &format!("{pointer}/{index}"), visit);
            }
        }
        _ => {}
    }
}

const REFUSED: [(&str, &str); 2] = [
    ("/function/", "provisioned_concurrency"),
    ("/function/", "autoscaling"),
];

/// Asks the readers for the keys of every table, by a key that none of them knows, and looks for each in the schema.
fn known_keys(kind: FileKind, document: &Value) -> usize {
    let schema = schema(kind);
    let mut asked = 0;
    let mut missing = BTreeSet::new();
    let top = meant(&schema, &schema);
    objects(&schema, &top, document, "", &mut |pointer, parts| {
        let mut changed = document.clone();
        let table = changed.pointer_mut(pointer).expect("a table");
        table
            .as_object_mut()
            .expect("a table")
            .insert("zzqx".to_owned(), json!(1));
        // Beside the examples, whose traces it may name.
        let path = root().join("scenarios/changed.json");
        let source = SourceText::new(path, changed.to_string());
        let report = match kind {
            FileKind::Scenario => parse(source).map(|_| ()),
            FileKind::Poller => parse_poller(source).map(|_| ()),
        }
        .expect_err("an unknown key");
        let unknown = report
            .items()
            .iter()
            .find(|item| item.code == "unknown-key" && item.message.contains("zzqx"));
        let Some(allowed) = unknown.and_then(|item| item.allowed.as_deref()) else {
            return;
        };
        asked += 1;
        let known: BTreeSet<&str> = parts
            .iter()
            .filter_map(|part| part.get("properties")?.as_object())
            .flat_map(|all| all.keys().map(String::as_str))
            .collect();
        for key in allowed.split(", ") {
            let key = key.split(" and ").next().unwrap_or(key);
            // What readers know only in order to refuse it with advice.
            let refused = REFUSED
                .iter()
                .any(|(at, name)| pointer.contains(at) && *name == key);
            if !known.contains(key) && !refused {
                missing.insert(format!("{pointer}: `{key}`"));
            }
        }
    });
    assert!(missing.is_empty(), "no schema has {missing:#?}");
    asked
}

#[test]
fn schemas_know_every_key_that_the_readers_know() {
    let mut asked = 0;
    for (_, document) in scenarios() {
        asked += known_keys(FileKind::Scenario, &document);
    }
    asked += known_keys(FileKind::Scenario, &tree(EVERYTHING));
    assert!(asked > 300, "{asked} tables");
    let asked = known_keys(FileKind::Poller, &tree(POLLER));
    assert!(asked > 15, "{asked} tables");
}

#[test]
fn every_key_of_the_documentation_is_in_a_schema() {
    let mut keys = BTreeSet::new();
    for kind in [FileKind::Scenario, FileKind::Poller] {
        collect(&schema(kind), &mut keys);
    }
    let text = include_str!("../docs/scenario.md");
    let (_, files) = text.split_once("## Scenarios").expect("a chapter");
    let (files, _) = files.split_once("## Diagnostics").expect("a chapter");
    let mut looked = 0;
    let mut in_keys = false;
    for line in files.lines() {
        if !line.starts_with('|') {
            in_keys = false;
            continue;
        }
        // Tables whose first column is headed so, and rows that go on with one.
        if line.starts_with("| Key") {
            in_keys = true;
        }
        let Some(first) = line
            .trim_start_matches("| ")
            .split('|')
            .next()
            .filter(|_| in_keys)
        else {
            continue;
        };
        for key in first
            .split(", ")
            .filter_map(|one| one.trim().strip_prefix('`')?.strip_suffix('`'))
        {
            let key = key.split([' ', '=']).next().unwrap_or(key);
            looked += 1;
            assert!(keys.contains(key), "`{key}` is documented and in no schema");
        }
    }
    assert!(looked > 120, "{looked} keys");
}

fn collect(value: &Value, keys: &mut BTreeSet<String>) {
    if let Some(properties) = value.get("properties").and_then(Value::as_object) {
        keys.extend(properties.keys().cloned());
    }
    match value {
        Value::Object(map) => map.values().for_each(|value| collect(value, keys)),
        Value::Array(list) => list.iter().for_each(|value| collect(value, keys)),
        _ => {}
    }
}

#[test]
fn documents_are_as_their_schemas_say() {
    let parsed = |text: &str| -> Value { serde_json::from_str(text).expect("JSON") };
    let validator = |name: &str| -> Value { report::schema(name).expect("a schema") };
    let (summary, result) = (validator("summary"), validator("result"));
    for path in crate::scenarios::all() {
        let scenario = load(&path)
            .unwrap_or_else(|report| panic!("{report}"))
            .scenario;
        let run = sim::run(&scenario, 1, &mut ()).expect("sound limits");
        let stored = StoredResult {
            summary: study::summarise(&scenario, std::slice::from_ref(&run)),
            replications: vec![run.summary],
            series: run.series,
        };
        let name = path.display().to_string();
        conforms(&summary, &parsed(&report::json(&stored.summary)), &name);
        conforms(&result, &parsed(&stored.render()), &name);
    }
    let scenario = load(&root().join("scenarios/orders-queue.toml"))
        .expect("a scenario")
        .scenario;
    let count = 2.try_into().expect("not zero");
    let runs = study::replicate(&scenario, 1, count, count, || ()).expect("sound limits");
    let stored = StoredResult {
        summary: study::summarise(&scenario, &runs),
        series: runs[0].series.clone(),
        replications: runs.into_iter().map(|run| run.summary).collect(),
    };
    conforms(
        &summary,
        &parsed(&report::json(&stored.summary)),
        "replications",
    );
    let side = |from: &str| Side {
        from: from.to_owned(),
        result: stored.clone(),
    };
    let mut other = side("b");
    other.result.replications[0].functions[0]
        .1
        .latency
        .p99
        .value += 7.0;
    other.result.replications[1].mappings.clear();
    let mut compared = Compare::new(side("a"), other);
    let name = &scenario.functions[0].name;
    let gates = [format!("{name}.Latency.p99 <= +5%")
        .parse()
        .expect("a gate")];
    compared.judge(&gates).expect("a figure");
    conforms(
        &validator("comparison"),
        &parsed(&compared.json()),
        "comparison",
    );
    // A document of another kind is none of these.
    let validator = jsonschema::draft202012::new(&summary).expect("a schema");
    assert!(!validator.is_valid(&parsed(&stored.render())));
    assert_eq!(report::schemas().count(), 7);
}

/// What the program prints.
fn printed(arguments: &[&str]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    let output = command.current_dir(root()).args(arguments).output();
    let output = output.expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
}

#[test]
fn documents_of_many_runs_are_as_their_schemas_say() {
    let schema = |name: &str| report::schema(name).expect("a schema");
    let short = ["--quiet", "--format", "json", "--seed", "3"];
    // A figure that is not there, a front, and gates that some runs fail.
    let varied = [
        "sweep",
        "scenarios/steady.toml",
        "--vary",
        "region.account_concurrency=5,1000",
    ];
    let front = [
        "--replications",
        "2",
        "--metric",
        "hello.RestoreDuration.p99",
        "--pareto",
        "cost.total_usd_per_month.Sum,hello.Throttles.Sum",
    ];
    let sweep = printed(&[&varied[..], &front, &short].concat());
    conforms(&schema("sweep"), &sweep, "sweep");
    assert!(sweep["variants"][0]["gates_passed"].is_u64(), "{sweep:#}");
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().to_str().expect("a plain path");
    let ended = Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .current_dir(root())
        .args(
            [
                &varied[..],
                &front,
                &["--quiet", "--shard", "2/2", "--out", out],
            ]
            .concat(),
        )
        .ok();
    assert!(ended.is_ok(), "{ended:?}");
    let text = std::fs::read_to_string(folder.path().join("shard-2-of-2.json"));
    let text = text.expect("a shard");
    let document: Value = serde_json::from_str(&text).expect("JSON");
    conforms(&schema("shard"), &document, "shard");
    let plain = [
        "sweep",
        "scenarios/steady.toml",
        "--vary",
        "traffic.hello.rate=10..90",
        "--sample",
        "lhs:2",
        "--replications",
        "1",
    ];
    conforms(
        &schema("sweep"),
        &printed(&[&plain[..], &short].concat()),
        "a sample",
    );
    let tuned = [
        "tune",
        "scenarios/steady.toml",
        "--goal",
        "hello.Throttles.Sum < 1",
        "--over",
        "function.hello.reserved_concurrency=5,50",
        "--replications-max",
        "3",
        "--budget",
        "20",
    ];
    let tune = printed(&[&tuned[..], &short].concat());
    conforms(&schema("tune"), &tune, "tune");
    // A bench needs servers; this is what one on a queue wrote.
    let bench: Value =
        serde_json::from_str(include_str!("support/bench.json")).expect("a document");
    conforms(&schema("bench"), &bench, "bench");
    for (name, document) in [("sweep", &tune), ("tune", &sweep), ("bench", &sweep)] {
        let schema = schema(name);
        let validator = jsonschema::draft202012::new(&schema).expect("a schema");
        assert!(!validator.is_valid(document), "{name}");
    }
}
