//! The structure of the page.

use super::*;

/// `TIDEGATE_REPORT=dir` writes the page there, to look at it in a browser.
#[test]
fn the_page_needs_nothing_beside_itself() {
    let (summary, series) = fixture::flash_sale();
    let page = html(&summary, &series);
    if let Some(dir) = std::env::var_os("TIDEGATE_REPORT") {
        write_all(Path::new(&dir), &summary, &series).expect("a folder to write to");
    }
    for outside in [
        "http:", "https:", "src=", "href=", "<script", "@import", "url(", "<link",
    ] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.len() < 400_000, "{} bytes", page.len());
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
    assert!(!page.contains("<script"));
    assert!(!page.contains("alert(\""));
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
            let page = html(&summary, &series);
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
