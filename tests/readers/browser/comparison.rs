//! The page of a comparison: charts of two runs over each other.

use super::{RESET, click, count, dots, is_enabled, place, text, tip};
use crate::driver::Browser;
use std::path::PathBuf;
use tidegate::report::{Compare, Side, StoredResult};
use tidegate::scenario::{Change, SourceText, parse_changed};
use tidegate::{sim, study};

/// The flash sale as it is, and with other settings.
fn page(folder: &tempfile::TempDir, changes: &[(&str, &str)]) -> PathBuf {
    let side = |from: &str, changes: &[(&str, &str)]| {
        let file =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/flash-sale.toml");
        let changes: Vec<Change> = changes
            .iter()
            .map(|(path, value)| Change {
                path: (*path).to_owned(),
                value: (*value).to_owned(),
            })
            .collect();
        let text = std::fs::read_to_string(&file).expect("a scenario");
        let source = SourceText::new(file, text);
        let scenario = parse_changed(source, &changes)
            .unwrap_or_else(|report| panic!("{report}"))
            .scenario;
        let run = sim::run(&scenario, scenario.seed, &mut ()).expect("sound limits");
        Side {
            from: from.to_owned(),
            result: StoredResult {
                summary: study::summarise(&scenario, std::slice::from_ref(&run)),
                replications: vec![run.summary],
                series: run.series,
            },
        }
    };
    let compare = Compare::new(side("as it is", &[]), side("changed", changes));
    let file = folder.path().join("comparison.html");
    std::fs::write(&file, compare.html()).expect("a page");
    file
}

const SHORTER: [(&str, &str); 1] = [("duration", "9m")];

#[test]
fn both_runs_are_drawn_hidden_and_looked_at_closely() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let page = page(&folder, &SHORTER);
    let browser = Browser::start(1_400, 1_000);
    browser.open(&page);
    let drawn = count(
        &browser,
        "return document.querySelectorAll('.still svg').length;",
    );
    let live = count(
        &browser,
        "return document.querySelectorAll('figure.live .plot canvas').length;",
    );
    assert!(drawn >= 10 && live == drawn, "{live} of {drawn} charts");
    let (blue, orange) = (dots(&browser, "blue"), dots(&browser, "orange"));
    // Under the same seed both are the same for nine minutes, where the second covers the first.
    assert!(blue > 20 && orange > 100, "{blue} and {orange}");
    // Under the pointer there are the values of both, and where the shorter run is over only one.
    let lines = |across: f64| {
        let at = place(&browser, 0, across, 0.5);
        browser.pointer(&[(1.0, 1.0), at], false);
        let shown = tip(&browser);
        let line = |side: &str| {
            let mut lines = shown.lines().filter(|line| line.contains(side));
            lines.next().unwrap_or_default().to_owned()
        };
        [line(", A"), line(", B")]
    };
    for line in lines(0.5) {
        assert!(line.ends_with("requests/s"), "{line}");
    }
    let [a, b] = lines(0.95);
    assert!(a.ends_with("requests/s") && b.ends_with('–'), "{a} and {b}");
    // Hiding the second leaves the first.
    let second = ".legend li:nth-child(2) button";
    browser.pointer(&[(1.0, 1.0)], false);
    click(&browser, second);
    assert_eq!(dots(&browser, "orange"), 0);
    assert!(dots(&browser, "blue") > 3 * blue);
    click(&browser, second);
    assert_eq!(dots(&browser, "orange"), orange);
    // A stretch of time, in all charts.
    let (from, to) = (place(&browser, 0, 0.5, 0.5), place(&browser, 0, 0.75, 0.5));
    browser.pointer(&[from, to], true);
    assert!(is_enabled(&browser, RESET));
    click(&browser, RESET);
    assert!(!is_enabled(&browser, RESET));
    for (scheme, width) in [("dark", 400), ("light", 1_600)] {
        browser.media("screen", scheme);
        browser.resize(width, 900);
        browser.open(&page);
        assert!(dots(&browser, "orange") > 100, "{scheme}");
        let inside = browser.eval("return document.documentElement.scrollWidth;");
        let inside = inside.as_f64().expect("a number");
        assert!(inside <= f64::from(width), "{inside} of {width}");
    }
    browser.media("print", "dark");
    let shown = "return [...document.querySelectorAll('.still svg')].filter(it => it.clientHeight > 100).length;";
    assert_eq!(count(&browser, shown), drawn, "on paper");
    assert_eq!(browser.console(), [""; 0]);
    for url in browser.requests() {
        assert!(url.starts_with("\"file://"), "the page asks for {url}");
    }
    let without = Browser::without_scripts(1_400, 1_000);
    without.open(&page);
    assert_eq!(count(&without, shown), drawn, "without scripts");
    assert_eq!(
        text(&without, "return document.title;"),
        text(&browser, "return document.title;")
    );
}

#[test]
fn runs_of_other_settings_have_their_latencies_in_the_same_bars() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let slower = [("function.checkout.duration", "900ms")];
    let browser = Browser::start(1_400, 1_000);
    browser.open(&page(&folder, &slower));
    let found = text(
        &browser,
        "const charts = JSON.parse(document.getElementById('data').textContent);
         const chart = charts.find(it => it.x === 'ms' && it.lines.length === 2);
         return chart.lines.map(line => line.l).join('|') + '|' + chart.lines.map(line => line.v.length - chart.xs.length).join('|');",
    );
    assert_eq!(found, "invocations, A|invocations, B|0|0");
    assert_eq!(browser.console(), [""; 0]);
}
