//! Running the program on a bench file, and what every report has.

use crate::support::{ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY};
use serde_json::Value;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A bench that ended.
pub(super) struct Bench {
    pub(super) folder: TempDir,
    pub(super) document: Value,
    pub(super) text: String,
    /// How everything ends that it made.
    pub(super) ending: String,
}

/// A function that takes 20 ms.
pub(super) const MOCK: &str = "type = \"mock\"\nduration = \"20ms\"\ntimeout = \"5s\"\n";

/// Runs the program on a file of one mapping and target, with `--out`.
pub(super) fn run(
    endpoint: &str,
    target: &str,
    mapping: &str,
    bench: &str,
    arguments: &[&str],
) -> Bench {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("tested.toml");
    let text = format!(
        "[aws]\nregion = \"{REGION}\"\nendpoint_url = \"{endpoint}\"\n\
         [[target]]\nfunction = \"f\"\n{target}\n\
         [[mapping]]\nname = \"tested\"\nFunctionName = \"f\"\n{mapping}\n[[bench]]\n{bench}\n"
    );
    std::fs::write(&file, text).expect("the file is written");
    let out = folder.path().join("out");
    let child = Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .arg("bench")
        .arg(&file)
        .arg("--out")
        .arg(&out)
        .args(arguments)
        .env("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID)
        .env("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)
        .env("NO_COLOR", "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let ending = format!("-{:x}", child.id());
    let ended = child.wait_with_output().expect("the program ends");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{said}");
    let document = std::fs::read_to_string(out.join("bench.json")).expect("bench.json");
    let document: Value = serde_json::from_str(&document).expect("JSON");
    let schema = tidegate::report::schema("bench").expect("a schema");
    let validator = jsonschema::draft202012::new(&schema).expect("a sound schema");
    let errors = validator.iter_errors(&document);
    let errors: Vec<String> = errors
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert_eq!(errors, [""; 0], "not as its schema says");
    Bench {
        document,
        text: String::from_utf8(ended.stdout).expect("UTF-8"),
        folder,
        ending,
    }
}

impl Bench {
    pub(super) fn points(&self) -> &Vec<Value> {
        self.document["Points"].as_array().expect("points")
    }

    /// Whether what a point has is whole, for a load of `records` records.
    pub(super) fn check(&self, index: usize, records: u64) {
        let point = &self.points()[index];
        for side in ["Poller", "Bare"] {
            let side = &point[side];
            assert_eq!(side["Records"], records, "{point:#}");
            assert_eq!(side["Missing"], 0, "{point:#}");
            for figure in [
                "RecordsPerS",
                "MegabytesPerS",
                "RequestsPerRecord",
                "Concurrency",
            ] {
                let value = side[figure].as_f64();
                assert!(
                    value.is_some_and(|value| value > 0.0),
                    "{figure}: {point:#}"
                );
            }
            for figure in ["CpuUsPerRecord", "MemoryBytesPerRecord"] {
                assert!(
                    side[figure].as_f64().is_some_and(|value| value >= 0.0),
                    "{figure}: {point:#}"
                );
            }
        }
        assert!(
            point["Ratios"]["RecordsPerS"]
                .as_f64()
                .is_some_and(f64::is_finite),
            "{point:#}"
        );
    }

    /// Whether a point's latencies make sense for a function that takes 20 ms. No record is answered sooner than that after
    /// it was sent, so no quantile is either, but for what a histogram rounds: each figure may be off by 0.4 %, which is more
    /// than a millisecond where a window or a busy machine makes figures of half a second.
    pub(super) fn check_hops(&self, index: usize) {
        const PRECISION: f64 = 0.004;
        let point = &self.points()[index];
        for side in ["Poller", "Bare"] {
            let at = |figure: &str, statistic: &str| {
                point[side][figure][statistic].as_f64().expect("a latency")
            };
            let (sent, answered) = (at("HopSentMs", "p50"), at("HopAnsweredMs", "p50"));
            assert!(
                answered * (1.0 + PRECISION) >= sent * (1.0 - PRECISION) + 20.0,
                "{point:#}"
            );
            assert!(
                at("HopAnsweredMs", "p99") >= at("HopAnsweredMs", "p50"),
                "{point:#}"
            );
            assert!(
                at("DurationMs", "p50") >= 20.0 * (1.0 - PRECISION),
                "{point:#}"
            );
        }
    }

    /// Whether a prediction was made, and the report says how far off it is.
    pub(super) fn check_prediction(&self, index: usize) {
        let prediction = &self.points()[index]["Prediction"];
        for figure in [
            "RecordsPerS",
            "Concurrency",
            "HopP50Ms",
            "HopP99Ms",
            "AgeP99Ms",
        ] {
            let error = prediction[figure]["error"].as_f64();
            assert!(
                error.is_some_and(f64::is_finite),
                "{figure}: {prediction:#}"
            );
        }
        assert!(
            self.text.contains("The simulator against the real thing"),
            "{}",
            self.text
        );
        let page = std::fs::read_to_string(self.folder.path().join("out/bench.html"));
        let page = page.expect("a page");
        for part in [
            "<svg",
            "records/s",
            "hop p99, ms",
            "no coordinated omission",
        ] {
            assert!(page.contains(part), "{part}");
        }
        // The scenario that was asked about can be asked again.
        let scenario = self
            .folder
            .path()
            .join(format!("out/point-{}.toml", index + 1));
        let again = Command::new(env!("CARGO_BIN_EXE_tidegate"))
            .args(["simulate", "--quiet", "--format", "json"])
            .arg(scenario)
            .output()
            .expect("the program runs");
        let said = String::from_utf8_lossy(&again.stderr);
        assert!(again.status.success(), "{said}");
        let summary: Value = serde_json::from_slice(&again.stdout).expect("JSON");
        let age = summary["mappings"]["tested"]["RecordLatency"]["p99"].as_f64();
        assert!(age.is_some_and(|age| age > 0.0), "{summary:#}");
    }
}
