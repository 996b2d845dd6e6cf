//! What the files of a sweep say.

use super::*;
use crate::metrics::{SweepAxis, SweepFigure, SweepMeasure, SweepPoint, SweepUnit};
use crate::report::TextOptions;

/// Two axes, four variants, one figure that does not exist.
fn fixture() -> SweepSummary {
    let axis = |name: &str, values: [&str; 2]| SweepAxis {
        name: name.to_owned(),
        values: values.map(str::to_owned).to_vec(),
    };
    let measure = |name: &str| SweepMeasure {
        name: name.to_owned(),
        unit: SweepUnit::of(name),
    };
    let point =
        |variant: u32, values: [&str; 2], places: [f64; 2], runs: [[f64; 2]; 2]| SweepPoint {
            variant,
            values: values.map(str::to_owned).to_vec(),
            places: places.to_vec(),
            scenario_hash: format!("{variant:032}"),
            seed: 7,
            replications: 2,
            gates_passed: None,
            passed: Vec::new(),
            on_front: variant < 3,
            figures: (0..2)
                .map(|at| SweepFigure::of(&runs.map(|run| run[at])))
                .collect(),
            runs: runs.map(Vec::from).to_vec(),
        };
    SweepSummary {
        tidegate: "0.0.0".to_owned(),
        scenario: "Shop <b>|x".to_owned(),
        scenario_hash: "a".repeat(32),
        profile: "current".to_owned(),
        plan: "b".repeat(32),
        sample: "grid".to_owned(),
        replications: "2".to_owned(),
        axes: vec![
            axis("mapping.m.BatchSize", ["10", "1000"]),
            axis("function.f.kind", ["\"a\"", "\"b,c\""]),
        ],
        measures: vec![
            measure("m.IteratorAge.p99"),
            measure("cost.total_usd_per_month.Sum"),
        ],
        pareto: Some([1, 0]),
        variants: vec![
            point(
                1,
                ["10", "\"a\""],
                [10.0, f64::NAN],
                [[900.0, 12.5], [1_100.0, 13.5]],
            ),
            point(
                2,
                ["10", "\"b,c\""],
                [10.0, f64::NAN],
                [[1_500.0, 9.0], [1_500.0, 9.0]],
            ),
            point(
                3,
                ["1000", "\"a\""],
                [1e3, f64::NAN],
                [[90_000.0, 20.0], [95_000.0, 21.0]],
            ),
            point(
                4,
                ["1000", "\"b,c\""],
                [1e3, f64::NAN],
                [[f64::NAN, 4.0], [f64::NAN, 5.0]],
            ),
        ],
    }
}

fn snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../tests/snapshots");
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn a_sweep_for_a_terminal() {
    let options = |width| TextOptions {
        width,
        colour: false,
    };
    snapshot("sweep_text", &text::render(&fixture(), options(100)));
    let narrow = text::render(&fixture(), options(60));
    let headings = narrow.lines().filter(|line| line.contains("BatchSize"));
    assert_eq!(
        headings.count(),
        2,
        "what does not fit comes below:\n{narrow}"
    );
    assert!(
        narrow.lines().all(|line| line.chars().count() <= 60),
        "{narrow}"
    );
}

#[test]
fn a_sweep_for_programs() {
    snapshot("sweep_json", &json(&fixture()));
    snapshot("sweep_csv", &csv::points(&fixture()));
    snapshot("sweep_runs", &csv::runs(&fixture()));
}

#[test]
fn a_sweep_for_a_pull_request() {
    snapshot("sweep_markdown", &markdown::render(&fixture()));
}

#[test]
fn runs_that_passed_the_gates_are_counted_everywhere() {
    let without = [
        text::render(&fixture(), TextOptions::default()),
        markdown::render(&fixture()),
        csv::points(&fixture()),
        csv::runs(&fixture()),
        html::render(&fixture()),
        json(&fixture()),
    ];
    assert!(without.iter().all(|it| !it.contains("passed")));
    let mut sweep = fixture();
    for (point, passed) in sweep.variants.iter_mut().zip([2, 1, 0, 2]) {
        point.gates_passed = Some(passed);
        point.passed = vec![passed > 0, passed > 1];
    }
    let text = text::render(&sweep, TextOptions::default());
    let column: Vec<&str> = text
        .lines()
        .filter(|line| line.contains(" of 2 "))
        .collect();
    assert_eq!(column.len(), 4, "{text}");
    assert!(
        text.contains("passed") && column[2].contains("0 of 2"),
        "{text}"
    );
    let markdown = markdown::render(&sweep);
    assert!(
        markdown.contains("| gates passed | m.IteratorAge.p99 |"),
        "{markdown}"
    );
    assert!(markdown.contains("| 1 of 2 |"), "{markdown}");
    let columns = |text: &str| -> Vec<usize> {
        // The values of the fixture have no commas outside of quotes but one.
        let plain = text.replace("b,c", "b");
        plain.lines().map(|line| line.split(',').count()).collect()
    };
    let points = csv::points(&sweep);
    assert!(points.starts_with("variant,mapping.m.BatchSize,function.f.kind,replications,seed,scenario_hash,on_front,gates_passed,"));
    assert!(
        columns(&points).windows(2).all(|pair| pair[0] == pair[1]),
        "{points}"
    );
    let runs = csv::runs(&sweep);
    assert!(
        runs.contains("\n2,1,7,true,") && runs.contains("\n2,2,8,false,"),
        "{runs}"
    );
    assert!(
        columns(&runs).windows(2).all(|pair| pair[0] == pair[1]),
        "{runs}"
    );
    let page = html::render(&sweep);
    assert!(page.contains("<td class=\"n\">2 of 2</td>"));
    assert!(page.contains("<td class=\"n bad\">0 of 2</td>"));
    let document: serde_json::Value = serde_json::from_str(&json(&sweep)).expect("JSON");
    assert_eq!(document["variants"][1]["gates_passed"], 1);
    assert_eq!(
        document["variants"][1]["passed"],
        serde_json::json!([true, false])
    );
}

#[test]
fn a_page_draws_points_and_no_line_between_them() {
    let page = html::render(&fixture());
    assert!(page.contains("<h1>Shop &lt;b&gt;|x</h1>"));
    for reference in [
        "http://", "https://", " src=", "<link", "@import", "url(", "<script",
    ] {
        assert!(!page.contains(reference), "{reference}");
    }
    // One point per variant and chart: two charts of points, where one figure does not exist, and the front.
    assert_eq!(page.matches("<circle class=\"point ").count(), 3 + 4 + 3);
    assert_eq!(page.matches("class=\"field\"").count(), 8, "two maps");
    assert!(!page.contains("<polyline"));
    for path in page.split("<path class=\"").skip(1) {
        let class = path.split('"').next().unwrap_or_default();
        let kind = class.split(' ').next().unwrap_or_default();
        assert!(
            ["grid", "axis", "bar"].contains(&kind),
            "a path of class {class}"
        );
    }
    assert!(page.contains("on the front: variants 1, 2"));
    assert!(page.contains("<title>variant 3\nBatchSize = 1000\nkind = &quot;a&quot;"));
}

#[test]
fn very_many_variants_are_thinned_out_and_it_is_said() {
    let mut sweep = fixture();
    let first = sweep.variants[2].clone();
    sweep.variants.extend((5..=9_000).map(|variant| SweepPoint {
        variant,
        ..first.clone()
    }));
    let page = html::render(&sweep);
    assert!(page.len() < 8_000_000, "{}", page.len());
    assert!(page.contains("Charts show every 3th point"));
    assert!(page.contains("1,000 of 9,000 variants are shown"));
    let text = text::render(&sweep, TextOptions::default());
    assert!(text.contains("200 of 9,000 variants are shown"));
    assert_eq!(csv::points(&sweep).lines().count(), 9_001);
}

#[test]
fn nothing_measured_is_said_instead_of_drawn() {
    let mut sweep = fixture();
    for point in &mut sweep.variants {
        point.figures[0] = SweepFigure::of(&[f64::NAN]);
    }
    let page = html::render(&sweep);
    assert!(page.contains("Nothing was measured"));
}
