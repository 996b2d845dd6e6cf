//! The structure of the page.

use super::*;

/// `TIDEGATE_REPORT=dir` writes the page there, to look at it in a browser.
#[test]
fn the_page_needs_nothing_beside_itself() {
    let (summary, series) = fixture::flash_sale();
    let page = html(&summary, &series);
    if let Some(dir) = std::env::var_os("TIDEGATE_REPORT") {
        write_all(Path::new(&dir), &summary, &series, &Part::ALL).expect("a folder to write to");
    }
    // The chart library names its home in a comment.
    let page = page.replacen("/*! https://github.com/leeoniya/uPlot", "/*!", 1);
    for outside in [
        "http:",
        "https:",
        " src=",
        "href=",
        "@import",
        "url(",
        "<link",
        "fetch(",
        "import(",
        "WebSocket",
        "<!--",
        "XMLHttpRequest",
    ] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.contains("default-src 'none'; script-src 'sha256-"));
    assert_eq!(
        page.matches("<script").count(),
        2,
        "the data and what shows it"
    );
    assert_eq!(page.matches("</script").count(), 2);
    assert!(page.len() < 750_000, "{} bytes", page.len());
}

/// The page up to the script, which is last and the same in every page: the data included.
fn without_script(page: &str) -> String {
    let (before, _) = page.rsplit_once("<script>").unwrap_or((page, ""));
    before.to_owned()
}

#[test]
fn names_never_become_markup() {
    let (mut summary, mut series) = fixture::short(20);
    let evil = "<script>alert(\"1\")</script>'&";
    summary.scenario = evil.to_owned();
    summary.functions[0].0 = evil.to_owned();
    summary.mappings[0].0 = evil.to_owned();
    summary.gates[0].metric = evil.to_owned();
    series.functions[0].name = evil.to_owned();
    series.mappings[0].name = evil.to_owned();
    series.faults[0] = (evil.to_owned(), Span::from_secs(2), Span::from_secs(19));
    let page = html(&summary, &series);
    assert_eq!(page.matches("<script").count(), 2);
    assert!(
        page.contains("\\u003cscript>alert(\\\"1\\\")"),
        "the data has it, too"
    );
    assert!(!page.contains("alert(\"1"));
    assert!(page.contains("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&#39;&amp;"));
}

#[test]
fn only_the_footer_tells_two_equal_runs_apart() {
    let (mut summary, series) = fixture::flash_sale();
    let body = |page: String| {
        let (before, rest) = page.split_once("<footer>").expect("a footer");
        let (_, after) = rest.split_once("</footer>").expect("its end");
        format!("{before}{after}")
    };
    let first = html(&summary, &series);
    assert_eq!(first, html(&summary, &series));
    summary.engine.wall_s *= 2.0;
    summary.engine.invocations_per_s /= 2.0;
    summary.engine.records_per_s /= 2.0;
    let second = html(&summary, &series);
    assert_ne!(first, second);
    assert_eq!(body(first), body(second));
}

#[test]
fn tags_are_balanced_and_charts_are_described() {
    let (summary, series) = fixture::flash_sale();
    let page = html(&summary, &series);
    for tag in [
        "html",
        "head",
        "body",
        "header",
        "main",
        "section",
        "table",
        "caption",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "figure",
        "figcaption",
        "svg",
        "text",
        "ul",
        "li",
        "dl",
        "footer",
    ] {
        let opened =
            page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
        assert!(opened > 0, "{tag}");
    }
    assert_eq!(
        page.matches("role=\"img\" aria-label=\"").count(),
        page.matches("<svg ").count()
    );
    // Two functions have five charts each, and so has a stream mapping, with its shards. A queue mapping has its pollers,
    // what is in flight, and here dead letters. One of the functions is called asynchronously. The account has one.
    assert_eq!(page.matches("<figure>").count(), 3 * 5 + 7 + 3 + 1);
    assert!(page.contains("Asynchronous backlog") && page.contains("Age of events when invoked"));
    assert!(page.contains("shard 3, 50.0% of records") && page.contains("all others, largest"));
    assert_eq!(
        page.matches("<table>").count(),
        page.matches("<caption").count()
    );
    assert!(page.contains("No throttles in this run"));
    assert!(page.contains("limit 2,200, above this scale"));
    let page = without_script(&page);
    assert!(!page.contains("NaN"));
    assert!(!page.contains("class=\"\""));
    assert!(
        !page.contains("=\"#"),
        "a colour of plotters was left in a chart"
    );
}

#[test]
fn nothing_makes_a_short_page() {
    let (summary, series) = fixture::empty();
    let page = html(&summary, &series);
    assert!(page.contains("The scenario has neither functions nor mappings."));
    assert!(!page.contains("<figure"));
    assert!(!page.contains("<table"));
}

#[test]
fn charts_of_any_length_and_size_are_drawn() {
    for bin in [
        Span::from_millis(1),
        Span::from_secs(1),
        Span::from_secs(60),
        Span::from_secs(3_600),
    ] {
        for rows in [0, 1, 2, 900] {
            let (summary, mut series) = fixture::short(rows);
            series.bin = bin;
            for function in &mut series.functions {
                for row in &mut function.rows {
                    row.invocations = row.invocations.saturating_mul(1_000_000_000);
                    row.latency_p50 = 0.0;
                    row.latency_p99 = 1e-5;
                    row.concurrency_mean = 1e-9;
                }
            }
            let page = without_script(&html(&summary, &series));
            assert!(
                !page.contains("NaN") && !page.contains("inf"),
                "{bin} {rows}"
            );
            assert_eq!(page.contains("<figure>"), rows > 0);
        }
    }
}

#[test]
fn events_are_shaded_and_noted() {
    let (summary, mut series) = fixture::flash_sale();
    let page = html(&summary, &series);
    assert!(page.contains("Event: jobs-to-resize disabled, 16:40 to 17:40."));
    assert!(page.contains("Event: clicks-to-checkout: BatchSize 500, at 21:40."));
    let bands = |page: &str| page.matches("<rect").count();
    let with = bands(&page);
    series.events.clear();
    let without = bands(&html(&summary, &series));
    // Both events in every chart, the one that lasts no time too.
    assert_eq!(with - without, 2 * page.matches("<svg ").count());
}

/// The data that the script reads.
fn data(page: &str) -> serde_json::Value {
    let (_, rest) = page.split_once("id=\"data\">").expect("data");
    let (json, _) = rest.split_once("</script>").expect("its end");
    serde_json::from_str(json).expect("a JSON document")
}

#[test]
fn the_data_has_every_drawn_chart_in_order() {
    let (summary, mut series) = fixture::flash_sale();
    for value in 1..=5_000_u64 {
        series.functions[0].latencies.record(value * value * 1_000);
    }
    let page = html(&summary, &series);
    let charts = data(&page);
    let charts = charts.as_array().expect("a list");
    assert_eq!(charts.len(), page.matches("<svg ").count());
    let titles: Vec<&str> = page
        .split("<figcaption>")
        .skip(1)
        .filter(|figure| figure.contains("<svg "))
        .filter_map(|figure| figure.split(['<', '\n']).next())
        .collect();
    for (chart, title) in charts.iter().zip(titles) {
        assert_eq!(chart["t"], title);
        let lines = chart["lines"].as_array().expect("lines");
        assert!(!lines.is_empty());
        if let Some(places) = chart["xs"].as_array() {
            assert_eq!(
                lines[0]["v"].as_array().expect("values").len(),
                places.len()
            );
        } else {
            assert_eq!((&chart["x"], &chart["dx"]), (&"time".into(), &1.into()));
            assert_eq!(lines[0]["v"].as_array().expect("values").len(), 1_800);
        }
    }
    assert!(page.contains("Latency by percentile") && page.contains(">99.9%<"));
    assert_eq!(
        charts[0]["lines"][0]["v"][700],
        series.functions[0].rows[700].invocations
    );
    assert_eq!(charts[0]["w"][0][0], "warm-up");
}

/// A day at one second, in which the first function has a peak of 77,777 invocations.
fn day() -> (Summary, Series) {
    let (summary, mut series) = fixture::flash_sale();
    let bins = 86_400;
    for function in &mut series.functions {
        function.rows = function.rows.iter().copied().cycle().take(bins).collect();
        let events = function.asynchronous.iter().copied().cycle();
        function.asynchronous = events.take(bins).collect();
    }
    for mapping in &mut series.mappings {
        mapping.rows = mapping.rows.iter().copied().cycle().take(bins).collect();
        mapping.shards.iter_mut().for_each(|shard| {
            shard.levels = shard.levels.iter().copied().cycle().take(bins).collect();
        });
    }
    series.functions[0].rows[54_321].invocations = 77_777;
    (summary, series)
}

/// Two days in one page have as many points as one in its own, and still their peaks.
#[test]
fn two_days_side_by_side_keep_their_peaks_in_a_small_page() {
    let (summary, series) = day();
    let side = || Side {
        from: "day.json".to_owned(),
        result: StoredResult {
            replications: vec![summary.clone()],
            summary: summary.clone(),
            series: series.clone(),
        },
    };
    let page = Compare::new(side(), side()).html();
    assert!(page.len() < 3_500_000, "{} bytes", page.len());
    let charts = data(&page);
    let charts = charts.as_array().expect("a list");
    let values = |line: &serde_json::Value| line["v"].as_array().expect("values").len();
    let lines = charts
        .iter()
        .flat_map(|chart| chart["lines"].as_array().expect("lines"));
    let points: usize = lines.map(values).sum();
    assert!(points < 200_000, "{points}");
    for line in charts[0]["lines"].as_array().expect("lines") {
        let values = line["v"].as_array().expect("values");
        assert!(values.contains(&77_777.into()), "{}", line["l"]);
    }
}

/// What the readme promises of a day at one second.
#[test]
fn a_day_of_seconds_is_a_small_page_that_keeps_its_peaks() {
    let (summary, series) = day();
    let page = html(&summary, &series);
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
    assert!(page.contains("Charts keep the smallest and the largest value of every"));
    let values = data(&page)[0]["lines"][0]["v"].clone();
    let values = values.as_array().expect("values");
    assert!(values.contains(&77_777.into()));
    assert!((2_000..=4_000).contains(&values.len()), "{}", values.len());
}
