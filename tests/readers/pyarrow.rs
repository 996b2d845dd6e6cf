//! Parquet files as pyarrow reads them: the same rows and numbers as the text formats have.

use crate::{given, results};
use std::path::Path;
use std::process::Command;
use tidegate::report::{self, Part};

#[test]
fn parquet_says_what_csv_and_json_say() {
    let python = given("TIDEGATE_TEST_PYARROW");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/readers/compare.py");
    for scenario in [
        "flash-sale.toml",
        "orders-queue.toml",
        "kafka-lag-spike.toml",
    ] {
        let (summary, series) = results(scenario, |_| ());
        let folder = tempfile::tempdir().expect("a temporary folder");
        let parts = [Part::Json, Part::Csv, Part::Metrics, Part::Parquet];
        report::write_all(folder.path(), &summary, &series, &parts).expect("files");
        let output = Command::new(&python)
            .arg(&script)
            .arg(folder.path())
            .output()
            .expect("Python runs");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{scenario}: {told}");
        let said = String::from_utf8_lossy(&output.stdout);
        let compared: Vec<u64> = said
            .split_whitespace()
            .map(|number| number.parse().expect("a number of cells"))
            .collect();
        let rows: usize = series.functions.iter().map(|one| one.rows.len()).sum();
        assert_eq!(compared.len(), 3, "{said}");
        assert!(
            compared[0] > rows as u64 && compared.iter().all(|cells| *cells > 50),
            "{said}"
        );
    }
}
