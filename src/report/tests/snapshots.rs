//! Whole outputs, so that a change of any of them is seen.

use super::*;
use crate::metrics::combine;

fn plain(width: usize) -> TextOptions {
    TextOptions {
        width,
        colour: false,
    }
}

#[test]
fn text_at_several_widths() {
    let (summary, series) = fixture::flash_sale();
    for width in [50, 80, 120, 300] {
        let shown = text(&summary, &series, plain(width));
        assert!(
            shown.lines().all(|line| line.chars().count() <= width),
            "{shown}"
        );
        insta::assert_snapshot!(format!("text_{width}"), shown);
    }
}

#[test]
fn text_of_replications_shows_spreads() {
    let (summary, series) = fixture::flash_sale();
    let mut other = summary.clone();
    other.functions[0].1.invocations.value += 4_000.0;
    other.functions[0].1.latency.p99.value += 31.0;
    let mut joined = combine(vec![summary.clone(), other, summary]);
    joined.mappings.clear();
    insta::assert_snapshot!("text_replications", text(&joined, &series, plain(140)));
    joined.functions.truncate(1);
    insta::assert_snapshot!("json_replications", json(&joined));
}

#[test]
fn text_in_colour_has_the_same_letters() {
    let (summary, series) = fixture::flash_sale();
    let coloured = text(
        &summary,
        &series,
        TextOptions {
            width: 100,
            colour: true,
        },
    );
    assert!(coloured.contains("\u{1b}[31mFAIL"));
    let mut stripped = String::new();
    for part in coloured.split('\u{1b}') {
        let after = part.strip_prefix('[').and_then(|code| code.split_once('m'));
        stripped.push_str(after.map_or(part, |(_, text)| text));
    }
    assert_eq!(stripped, text(&summary, &series, plain(100)));
}

#[test]
fn names_cannot_steer_the_terminal() {
    let (mut summary, series) = fixture::short(1);
    summary.scenario = "a\u{1b}[2Jb".to_owned();
    summary.functions[0].0 = "c\rd".to_owned();
    let shown = text(&summary, &series, plain(80));
    assert!(!shown.contains(['\u{1b}', '\r']));
}

#[test]
fn text_of_nothing() {
    let (summary, series) = fixture::empty();
    insta::assert_snapshot!(text(&summary, &series, plain(80)), @r"
    Nothing
    scenario 0000 · profile current · seed 0 · measured 0 s · tidegate 0.1.0
    The scenario has neither functions nor mappings.

    simulated 0 s in 0 ms · 0 events
    ");
}

#[test]
fn json_of_the_flash_sale() {
    let (summary, _) = fixture::flash_sale();
    insta::assert_snapshot!("json", json(&summary));
}

#[test]
fn json_has_null_for_what_was_not_measured() {
    let (mut summary, _) = fixture::flash_sale();
    summary.functions[0].1.latency.p50.value = f64::NAN;
    summary.functions[0].1.latency.p90.value = -0.000_1;
    let document: serde_json::Value = serde_json::from_str(&json(&summary)).expect("a document");
    let latency = &document["functions"]["checkout"]["Latency"];
    assert!(latency["p50"].is_null());
    assert_eq!(latency["p90"].to_string(), "0.0");
}

#[test]
fn csv_of_the_first_bins() {
    let (_, mut series) = fixture::short(3);
    series.functions[1].name = "resize, \"small\"".to_owned();
    series.functions[1].rows[1].latency_p50 = f64::NAN;
    let table = csv(&series);
    let columns: Vec<_> = table
        .lines()
        .map(|line| line.replace("resize, ", "").split(',').count())
        .collect();
    assert_eq!(columns, [95; 25]);
    insta::assert_snapshot!("csv", table);
    series.bin = Span::from_millis(250);
    let second = csv(&series)
        .lines()
        .nth(2)
        .map(|line| line.starts_with("0.250,function,checkout,800,"));
    assert_eq!(second, Some(true));
    insta::assert_snapshot!(csv(&Series::default()).lines().count(), @"1");
}
