//! Streams of scenarios: shards over time, hot keys, readers.

use super::{GOOD, told_after};
use tidegate::scenario::{SourceText, parse};

/// The warnings of a right scenario with something appended.
fn warned_after(appended: &str) -> String {
    let text = format!("{GOOD}{appended}");
    let loaded =
        parse(SourceText::new("odd.toml", text)).unwrap_or_else(|report| panic!("{report}"));
    format!("\n{}", loaded.warnings.render(false))
}

const STREAM: &str = r#"
[[source]]
name = "s"
type = "kinesis"
shards = 4
[[source.producer]]
rate = 100
"#;

#[test]
fn changes_of_shards() {
    let reshard = |text: &str| format!("{STREAM}[[source.reshard]]\n{text}\n");
    snapshot!(told_after(&reshard("at = \"1m\"\nsplit = [1, 9, 1]")));
    let closed = reshard("at = \"1m\"\nsplit = [0]")
        + "[[source.reshard]]\nat = \"2m\"\nmerge = [[0, 1], [2, 4]]\n";
    snapshot!(told_after(&closed));
    let unordered =
        reshard("at = \"2m\"\nsplit = \"all\"") + "[[source.reshard]]\nat = \"2m\"\nshards = 40\n";
    snapshot!(told_after(&unordered));
    let forms = reshard("at = \"0s\"\nsplit = \"some\"")
        + "[[source.reshard]]\nat = \"2m\"\nsplit = []\n[[source.reshard]]\nat = \"3m\"\nmerge = [[1, 2, 3]]\nshards = 4\n[[source.reshard]]\nat = 5\nshards = 0\nfactor = 2\n";
    snapshot!(told_after(&forms));
    let wide = STREAM.replace("shards = 4", "shards = 6000");
    snapshot!(told_after(&format!(
        "{wide}[[source.reshard]]\nat = \"1m\"\nsplit = \"all\"\n"
    )));
    snapshot!(warned_after(&reshard("at = \"1h\"\nshards = 8")));
}

#[test]
fn hot_keys_and_throttled_producers() {
    let keys = STREAM.to_owned()
        + "on_throttle = \"wait\"\nrecord = { keys = { hot = { share = 0.5, keys = 0 } } }\n[[source.producer]]\nrate = 1\nrecord = { keys = { hot = { keys = 1 } } }\n";
    snapshot!(told_after(&keys));
    let elsewhere = "[[source]]\nname = \"q\"\ntype = \"sqs\"\nwrite_limits = false\n[[source.producer]]\nrate = 1\non_throttle = \"drop\"\n[[source]]\nname = \"d\"\ntype = \"dynamodb\"\nretention = \"48h\"\nshard_lifetime = \"10s\"\n[[source.producer]]\nrate = 1\n";
    snapshot!(told_after(elsewhere));
    let long = "[[source]]\nname = \"d\"\ntype = \"dynamodb\"\nshards = 10000\nshard_lifetime = \"1m\"\n[[source.producer]]\nrate = 1\n";
    snapshot!(told_after(long));
}

fn mapping(name: &str, source: &str, function: &str, more: &str) -> String {
    format!(
        "[[mapping]]\nname = \"{name}\"\nEventSource = \"{source}\"\nFunctionName = \"{function}\"\nStartingPosition = \"LATEST\"\n{more}\n"
    )
}

fn functions(count: u32) -> String {
    (0..count)
        .map(|n| format!("[[function]]\nname = \"f{n}\"\nduration = \"1ms\"\n"))
        .collect()
}

#[test]
fn readers_of_streams() {
    let polled = mapping(
        "m",
        "s",
        "f",
        "fan_out = true\npoll_interval = \"1s\"\nshard_reads_per_second = 5",
    );
    snapshot!(told_after(&format!("{STREAM}{polled}")));
    let queue = "[[source]]\nname = \"q\"\ntype = \"sqs\"\n[[source.producer]]\nrate = 1\n[[mapping]]\nname = \"m\"\nEventSource = \"q\"\nFunctionName = \"f\"\nfan_out = true\n";
    snapshot!(told_after(queue));
    let many: String = (0..21)
        .map(|n| mapping(&format!("m{n}"), "s", &format!("f{n}"), "fan_out = true"))
        .collect();
    snapshot!(told_after(&format!("{STREAM}{}{many}", functions(21))));
    let table = "[[source]]\nname = \"d\"\ntype = \"dynamodb\"\n[[source.producer]]\nrate = 1\n";
    let three: String = (0..3)
        .map(|n| mapping(&format!("m{n}"), "d", &format!("f{n}"), ""))
        .collect();
    snapshot!(warned_after(&format!("{table}{}{three}", functions(3))));
    let at = mapping("m", "d", "f", "")
        .replace("LATEST\"", "AT_TIMESTAMP\"\nStartingPositionTimestamp = 5");
    snapshot!(told_after(&format!("{table}{at}")));
}
