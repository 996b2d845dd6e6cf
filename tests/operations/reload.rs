//! Changing the file of a poller that runs: SIGHUP, `--watch`, and what is not carried out.

use super::{FILE, start, wait_until};

#[test]
fn sighup_reads_the_file_again_and_prints_what_changes() {
    let running = start(FILE, &[], &[]);
    wait_until("records", || {
        running.mapping("clicks")?["polled"]
            .as_u64()
            .filter(|n| *n > 100)
    });
    let third = "[[target]]\nfunction = \"audit\"\ntype = \"mock\"\n[[mapping]]\nname = \"third\"\nEventSource = \"clicks\"\nFunctionName = \"audit\"\nStartingPosition = \"LATEST\"\nEnabled = false\n";
    let changed = FILE.replace("BatchSize = 100", "BatchSize = 500") + third;
    running.write(&changed);
    running.signal("-HUP");
    running.says("mapping.clicks.BatchSize 100 → 500");
    running.says("mapping.third added: clicks to audit, disabled");
    running.says("the run goes on with the new file");
    let third_state = running.mapping("third").expect("it is listed");
    assert_eq!(third_state["State"], "Disabled");
    running.write(
        &changed
            .replace("Enabled = false", "Enabled = true")
            .replace(
                "name = \"orders\"\nEventSource",
                "name = \"orders\"\nEnabled = false\nEventSource",
            ),
    );
    running.signal("-HUP");
    running.says("mapping.orders disabled");
    running.says("mapping.third enabled");
    wait_until("the states", || {
        let third = running.mapping("third")?["State"] == "Enabled";
        let orders = running.mapping("orders")?["State"] == "Disabled";
        (third && orders).then_some(())
    });
    assert_eq!(running.status()["reloads"]["applied"], 2);
    assert!(running.terminate().status.success());
}

#[test]
fn a_file_with_errors_leaves_everything_as_it_is_and_all_errors_are_printed() {
    let running = start(FILE, &[], &[]);
    wait_until("records", || {
        running.mapping("clicks")?["polled"]
            .as_u64()
            .filter(|n| *n > 100)
    });
    let broken = FILE.replace(
        "BatchSize = 100",
        "BatchSize = 100000\nParallelizationFactor = 50",
    );
    running.write(&broken);
    running.signal("-HUP");
    running.says("the file has errors; the run goes on with the one before");
    let said = running.said();
    for part in [
        "BatchSize = 100000",
        "ParallelizationFactor = 50",
        "poller.toml:",
    ] {
        assert!(said.contains(part), "no {part} in:\n{said}");
    }
    let before = running.mapping("clicks").expect("it runs")["polled"].as_u64();
    wait_until("more records", || {
        let polled = running.mapping("clicks")?["polled"].as_u64();
        (polled > before).then_some(())
    });
    assert_eq!(running.status()["reloads"]["invalid"], 1);
    // What takes a restart is refused as a whole.
    running.write(
        &FILE
            .replace("BatchSize = 100", "BatchSize = 7")
            .replace("[poller]", "[poller]\nseed = 5"),
    );
    running.signal("-HUP");
    running.says("poller.seed: takes a restart of tidegate");
    running.says("nothing was changed; the run goes on with the file before");
    assert_eq!(running.status()["reloads"]["refused"], 1);
    assert!(running.terminate().status.success());
}

#[test]
fn a_watched_file_is_read_again_when_it_changes() {
    let running = start(FILE, &["--watch", "--log-format", "json"], &[]);
    wait_until("readiness", || {
        (running.get("/readyz").status == 200).then_some(())
    });
    running.write(&FILE.replace("BatchSize = 100", "BatchSize = 250"));
    running.says("mapping.clicks.BatchSize 100 → 250");
    running.write("nonsense");
    running.says("findings in the file");
    let said = running.said();
    for line in said.lines() {
        serde_json::from_str::<serde_json::Value>(line)
            .unwrap_or_else(|error| panic!("{error}: {line}"));
    }
    assert!(running.terminate().status.success());
}
