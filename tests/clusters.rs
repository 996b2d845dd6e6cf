//! The manifests for clusters: they can be read, and what they pass to the program exists.

use assert_cmd::Command;
use saphyr_parser::{Event, Parser};
use std::collections::BTreeSet;

const KUBERNETES: &str = include_str!("../examples/clusters/kubernetes.yaml");
const SLURM: &str = include_str!("../examples/clusters/slurm.sh");
const AWS_BATCH: &str = include_str!("../examples/clusters/aws-batch.json");

/// The options of a subcommand, from what it says about itself.
fn options(subcommand: &str) -> BTreeSet<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    let output = command
        .args([subcommand, "--help"])
        .output()
        .expect("it runs");
    let help = String::from_utf8(output.stdout).expect("text");
    let words = help.split(|c: char| c.is_whitespace() || ",=[]".contains(c));
    words
        .filter(|word| word.starts_with("--"))
        .map(str::to_owned)
        .collect()
}

/// The options among the words of a command of `tidegate sweep`.
fn used<'a>(words: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    let words = words.into_iter().skip_while(|word| *word != "sweep");
    words
        .filter(|word| word.starts_with("--"))
        .map(str::to_owned)
        .collect()
}

fn assert_known(used: &BTreeSet<String>) {
    let known = options("sweep");
    assert!(
        used.contains("--shard") && used.contains("--out"),
        "{used:?}"
    );
    assert!(used.is_subset(&known), "{used:?} are not all of {known:?}");
}

/// Every scalar of a YAML document, in order.
fn scalars(text: &str) -> Vec<String> {
    let events = Parser::new_from_str(text).map(|event| event.expect("sound YAML").0);
    events
        .filter_map(|event| match event {
            Event::Scalar(text, ..) => Some(text.into_owned()),
            _ => None,
        })
        .collect()
}

/// The scalar that follows one of this text.
fn after<'a>(scalars: &'a [String], key: &str) -> &'a str {
    let at = scalars.iter().position(|scalar| scalar == key);
    &scalars[at.expect("the key is there") + 1]
}

#[test]
fn the_job_of_kubernetes_passes_what_the_program_knows() {
    let scalars = scalars(KUBERNETES);
    assert_eq!(after(&scalars, "completionMode"), "Indexed");
    // The name of the variable is followed by the key `value`, and that by the number.
    let at = scalars.iter().position(|it| it == "TIDEGATE_SHARDS");
    let shards = &scalars[at.expect("the variable is there") + 2];
    assert_eq!(after(&scalars, "completions"), shards);
    assert_known(&used(scalars.iter().map(String::as_str)));
}

#[test]
fn the_array_of_slurm_passes_what_the_program_knows() {
    let checked = std::process::Command::new("bash")
        .args(["-n", "examples/clusters/slurm.sh"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("a bash");
    assert!(checked.status.success(), "{checked:?}");
    let commands = SLURM.lines().filter(|line| !line.starts_with('#'));
    assert_known(&used(commands.flat_map(str::split_whitespace)));
    // And the merge that its comment shows.
    let merge = SLURM.lines().find(|line| line.contains("tidegate merge"));
    let merge = merge
        .and_then(|line| line.split('\'').nth(1))
        .expect("a command");
    let options = options("merge");
    let used = merge
        .split_whitespace()
        .filter(|word| word.starts_with("--"));
    for option in used {
        assert!(options.contains(option), "{option} in `{merge}`");
    }
}

#[test]
fn the_array_of_aws_batch_passes_what_the_program_knows() {
    let job: serde_json::Value = serde_json::from_str(AWS_BATCH).expect("sound JSON");
    let size = job["arrayProperties"]["size"].as_u64().expect("a size");
    assert!((2..=10_000).contains(&size), "AWS Batch takes 2 to 10,000");
    let command = job["containerOverrides"]["command"].as_array();
    let words = command.expect("a command").iter();
    assert_known(&used(words.map(|word| word.as_str().expect("a word"))));
}
