//! The page in a browser: what it shows, what it does, and that it asks for nothing.

mod comparison;

use crate::driver::Browser;
use crate::results;
use serde_json::Value;
use std::path::{Path, PathBuf};
use tidegate::report::{self, Part};

/// A report of a scenario, and its folder, which goes with it.
struct Page {
    file: PathBuf,
    _folder: tempfile::TempDir,
}

fn page(scenario: &str) -> Page {
    let (summary, series) = results(scenario, |_| ());
    let folder = tempfile::tempdir().expect("a temporary folder");
    report::write_all(folder.path(), &summary, &series, &[Part::Html]).expect("a page");
    Page {
        file: folder.path().join("report.html"),
        _folder: folder,
    }
}

/// A place in the `number`th chart, as shares of its width and height; it is brought into view.
fn place(browser: &Browser, number: usize, across: f64, down: f64) -> (f64, f64) {
    let found = browser.eval(&format!(
        "const plot = document.querySelectorAll('.plot .u-over')[{number}]; plot.scrollIntoView({{ block: 'center' }});
         const box = plot.getBoundingClientRect();
         return [box.left + box.width * {across}, box.top + box.height * {down}];"
    ));
    let number = |index: usize| found[index].as_f64().expect("a number");
    (number(0), number(1))
}

fn text(browser: &Browser, body: &str) -> String {
    let value = browser.eval(body);
    value.as_str().unwrap_or_default().to_owned()
}

fn count(browser: &Browser, body: &str) -> u64 {
    browser.eval(body).as_u64().expect("a number")
}

/// The tooltip that is shown, if any.
fn tip(browser: &Browser) -> String {
    text(
        browser,
        "const tip = document.querySelector('.tip:not([hidden])'); return tip ? tip.innerText : '';",
    )
}

/// How many dots of the first chart have the colour of a name.
fn dots(browser: &Browser, colour: &str) -> u64 {
    count(
        browser,
        &format!(
            "const style = getComputedStyle(document.documentElement);
             const hex = style.getPropertyValue('--{colour}').trim();
             const wanted = [1, 3, 5].map(at => parseInt(hex.slice(at, at + 2), 16));
             const canvas = document.querySelector('.plot canvas');
             // Of a copy that is made for reading: the browser complains of the other in the console.
             const copy = Object.assign(document.createElement('canvas'), {{ width: canvas.width, height: canvas.height }});
             const drawn = copy.getContext('2d', {{ willReadFrequently: true }});
             drawn.drawImage(canvas, 0, 0);
             const dots = drawn.getImageData(0, 0, copy.width, copy.height).data;
             let found = 0;
             for (let i = 0; i < dots.length; i += 4) {{
               if (dots[i + 3] > 250 && wanted.every((part, at) => Math.abs(part - dots[i + at]) < 3)) found++;
             }}
             return found;"
        ),
    )
}

/// Clicks what the selector finds.
fn click(browser: &Browser, selector: &str) {
    browser.eval(&format!("document.querySelector('{selector}').click();"));
    browser.settle();
}

fn is_enabled(browser: &Browser, selector: &str) -> bool {
    browser.eval(&format!(
        "return !document.querySelector('{selector}').disabled;"
    )) == Value::Bool(true)
}

const RESET: &str = "[data-do=reset]";
const THEME: &str = "[data-do=theme]";

#[test]
fn every_chart_is_there_without_an_error_or_a_request() {
    let browser = Browser::start(1_400, 1_000);
    for scenario in [
        "flash-sale.toml",
        "orders-queue.toml",
        "kafka-lag-spike.toml",
        "steady.toml",
    ] {
        let page = page(scenario);
        browser.open(&page.file);
        let drawn = count(
            &browser,
            "return document.querySelectorAll('.still svg').length;",
        );
        let live = "return document.querySelectorAll('figure.live .plot canvas').length;";
        assert!(drawn >= 5, "{scenario}: {drawn} charts");
        assert_eq!(count(&browser, live), drawn, "{scenario}");
        let shown = "return [...document.querySelectorAll('.still')].filter(it => it.offsetHeight > 0).length;";
        assert_eq!(
            count(&browser, shown),
            0,
            "{scenario}: drawn charts are beside the live ones"
        );
        assert!(dots(&browser, "blue") > 200, "{scenario}: nothing is drawn");
        assert_eq!(browser.console(), [""; 0], "{scenario}");
        let requests = browser.requests();
        assert!(!requests.is_empty());
        for url in requests {
            assert!(url.starts_with("\"file://"), "{scenario} asks for {url}");
        }
    }
}

#[test]
fn the_policy_keeps_the_page_from_the_network_and_from_other_scripts() {
    let page = page("steady.toml");
    let whole = std::fs::read_to_string(&page.file).expect("a page");
    let probe = "<script>document.title = 'other script ran';</script><img src=\"http://127.0.0.1:9/x.png\"></body>";
    std::fs::write(&page.file, whole.replace("</body>", probe)).expect("a page");
    let browser = Browser::start(1_000, 800);
    browser.open(&page.file);
    assert_eq!(text(&browser, "return document.title;"), "Steady traffic");
    assert!(
        count(
            &browser,
            "return document.querySelectorAll('.plot').length;"
        ) > 0
    );
    let console = browser.console().join("\n");
    assert_eq!(
        console.matches("Content Security Policy").count(),
        2,
        "{console}"
    );
}

#[test]
fn values_are_read_off_under_the_pointer() {
    let page = page("flash-sale.toml");
    let browser = Browser::start(1_400, 1_000);
    browser.open(&page.file);
    assert_eq!(tip(&browser), "");
    let at = place(&browser, 0, 0.5, 0.5);
    browser.pointer(&[at], false);
    let shown = tip(&browser);
    // The middle of twelve minutes, in the bin and with the numbers that the data has.
    let bin: usize = 360;
    let expected = text(
        &browser,
        &format!(
            "const chart = JSON.parse(document.getElementById('data').textContent)[0];
             return chart.lines.map(line => [{bin} - 2, {bin} - 1, {bin}, {bin} + 1, {bin} + 2]
               .map(at => line.v[at].toLocaleString('en-US') + ' requests/s').join('|')).join('\\n');"
        ),
    );
    assert!(
        shown.starts_with("5:5") || shown.starts_with("6:0"),
        "{shown}"
    );
    for (line, values) in ["invocations", "errors"].iter().zip(expected.lines()) {
        let row = shown.lines().find(|row| row.starts_with(line));
        let row = row.unwrap_or_else(|| panic!("no {line} in {shown}"));
        assert!(
            values.split('|').any(|value| row.ends_with(value)),
            "{row}: {values}"
        );
    }
    // Latencies have their unit, percentiles their name.
    let at = place(&browser, 2, 0.5, 0.5);
    browser.pointer(&[at], false);
    assert!(
        tip(&browser).contains("p99") && tip(&browser).contains(" ms"),
        "{}",
        tip(&browser)
    );
    let last = count(
        &browser,
        "return document.querySelectorAll('.plot').length;",
    ) - 1;
    let at = place(&browser, last as usize, 0.6, 0.5);
    browser.pointer(&[at], false);
    assert!(tip(&browser).starts_with("p99"), "{}", tip(&browser));
    browser.pointer(&[(1.0, 1.0)], false);
    assert_eq!(tip(&browser), "");
}

#[test]
fn lines_are_hidden_and_shown_again() {
    let page = page("flash-sale.toml");
    let browser = Browser::start(1_400, 1_000);
    browser.open(&page.file);
    let first = ".legend button";
    let pressed = format!("return document.querySelector('{first}').getAttribute('aria-pressed');");
    assert_eq!(text(&browser, &pressed), "true");
    let before = dots(&browser, "blue");
    assert!(before > 200, "{before}");
    click(&browser, first);
    assert_eq!(text(&browser, &pressed), "false");
    assert_eq!(dots(&browser, "blue"), 0);
    // From the keyboard, as every button.
    browser.eval(&format!("document.querySelector('{first}').focus();"));
    browser.keys(&[" "]);
    assert_eq!(text(&browser, &pressed), "true");
    assert_eq!(dots(&browser, "blue"), before);
}

#[test]
fn a_stretch_of_time_is_looked_at_in_all_charts() {
    let page = page("flash-sale.toml");
    let browser = Browser::start(1_400, 1_000);
    browser.open(&page.file);
    assert!(!is_enabled(&browser, RESET));
    let (from, to) = (place(&browser, 0, 0.5, 0.5), place(&browser, 0, 0.75, 0.5));
    browser.pointer(&[from, to], true);
    assert!(is_enabled(&browser, RESET));
    // Another chart begins in the middle now: at six of twelve minutes, less a bin or two.
    let start = |number| {
        let at = place(&browser, number, 0.002, 0.5);
        browser.pointer(&[(1.0, 1.0), at], false);
        tip(&browser)
    };
    let shown = start(1);
    assert!(
        shown.starts_with("5:5") || shown.starts_with("6:0"),
        "{shown}"
    );
    click(&browser, RESET);
    assert!(!is_enabled(&browser, RESET));
    let shown = start(1);
    assert!(shown.starts_with("0:0"), "{shown}");
    // The same with keys, around the cursor.
    browser.pointer(&[(1.0, 1.0)], false);
    browser.eval("const plot = document.querySelector('.plot'); plot.scrollIntoView({ block: 'center' }); plot.focus();");
    browser.keys(&["\u{e014}", "\u{e014}", "\u{e014}"]);
    let shown = tip(&browser);
    assert!(
        shown.starts_with("0:0") && shown.contains("invocations"),
        "{shown}"
    );
    browser.keys(&["+", "+"]);
    assert!(is_enabled(&browser, RESET));
    browser.keys(&["0"]);
    assert!(!is_enabled(&browser, RESET));
}

#[test]
fn both_themes_are_drawn_and_chosen() {
    let page = page("flash-sale.toml");
    let browser = Browser::start(1_400, 1_000);
    browser.media("screen", "light");
    browser.open(&page.file);
    let background = || {
        text(
            &browser,
            "return getComputedStyle(document.body).backgroundColor;",
        )
    };
    let blue = || {
        text(
            &browser,
            "return getComputedStyle(document.documentElement).getPropertyValue('--blue');",
        )
    };
    assert_eq!(
        (background().as_str(), blue().as_str()),
        ("rgb(255, 255, 255)", "#0072b2")
    );
    let light = dots(&browser, "blue");
    browser.media("screen", "dark");
    browser.settle();
    assert_eq!(
        (background().as_str(), blue().as_str()),
        ("rgb(20, 23, 26)", "#4fa8e3")
    );
    let dark = dots(&browser, "blue");
    assert!(light > 200 && dark > 200, "{light} and {dark}");
    // The reader's choice is above the system's.
    click(&browser, THEME);
    assert_eq!(
        text(
            &browser,
            &format!("return document.querySelector('{THEME}').innerText;")
        ),
        "Theme: light"
    );
    assert_eq!(background(), "rgb(255, 255, 255)");
    assert!(dots(&browser, "blue") > 200);
    browser.media("screen", "light");
    click(&browser, THEME);
    assert_eq!(background(), "rgb(20, 23, 26)");
    click(&browser, THEME);
    assert_eq!(background(), "rgb(255, 255, 255)");
}

#[test]
fn the_page_fits_phones_and_wide_screens() {
    let browser = Browser::start(400, 800);
    for scenario in [
        "flash-sale.toml",
        "orders-queue.toml",
        "kafka-lag-spike.toml",
    ] {
        let page = page(scenario);
        for width in [400, 1_600] {
            browser.resize(width, 900);
            browser.open(&page.file);
            let [inside, wide, narrow, tall] = [
                "return document.documentElement.scrollWidth;",
                "return Math.max(...[...document.querySelectorAll('.plot')].map(it => it.getBoundingClientRect().right));",
                "return Math.min(...[...document.querySelectorAll('.plot canvas')].map(it => it.clientWidth));",
                "return Math.min(...[...document.querySelectorAll('.plot canvas')].map(it => it.clientHeight));",
            ]
            .map(|body| browser.eval(body).as_f64().expect("a number"));
            assert!(
                inside <= f64::from(width),
                "{scenario}: {inside} of {width}"
            );
            assert!(wide <= f64::from(width), "{scenario}: {wide} of {width}");
            assert!(
                narrow >= 300.0 && tall >= 180.0,
                "{scenario}: {narrow} × {tall}"
            );
            // Neither does what is shown under the pointer make the page wider.
            let at = place(&browser, 0, 0.4, 0.5);
            browser.pointer(&[at], false);
            assert!(
                tip(&browser).contains(" to "),
                "{scenario}: {}",
                tip(&browser)
            );
            let right = "return document.querySelector('.tip:not([hidden])').getBoundingClientRect().right;";
            for body in [right, "return document.documentElement.scrollWidth;"] {
                let right = browser.eval(body).as_f64().expect("a number");
                assert!(right <= f64::from(width), "{scenario}: {right} of {width}");
            }
        }
    }
    // A window that changes its size takes the charts with it.
    browser.resize(700, 900);
    browser.settle();
    browser.settle();
    let wide = browser.eval("return document.querySelector('.plot canvas').clientWidth;");
    assert!(
        wide.as_f64()
            .is_some_and(|wide| (300.0..=700.0).contains(&wide)),
        "{wide}"
    );
}

#[test]
fn without_scripts_and_on_paper_the_drawn_charts_are_shown() {
    let page = page("flash-sale.toml");
    let browser = Browser::start(1_400, 1_000);
    let drawn = "return [...document.querySelectorAll('.still svg')].filter(it => it.clientHeight > 100).length;";
    let live = "return [...document.querySelectorAll('.plot, .tools')].filter(it => it.offsetHeight > 0).length;";
    browser.open(&page.file);
    assert_eq!(count(&browser, drawn), 0);
    browser.media("print", "dark");
    let all = count(&browser, drawn);
    assert!(all >= 5, "{all} charts on paper");
    assert_eq!(count(&browser, live), 0);
    let background = "return getComputedStyle(document.body).backgroundColor;";
    assert_eq!(
        text(&browser, background),
        "rgb(255, 255, 255)",
        "paper is white"
    );

    let without = Browser::without_scripts(1_400, 1_000);
    without.open(&page.file);
    assert_eq!(count(&without, drawn), all);
    assert_eq!(count(&without, live), 0);
    let buttons = "return document.querySelectorAll('.legend button').length;";
    assert_eq!(count(&without, buttons), 0, "nothing that would do nothing");
}

/// `TIDEGATE_SCREENSHOTS=dir` keeps what the pages look like there; it is how the images of the documentation are made.
#[test]
fn pictures_of_the_page_are_taken() {
    let browser = Browser::start(1_200, 900);
    let folder = std::env::var_os("TIDEGATE_SCREENSHOTS");
    for (name, scenario, width, height, scheme) in [
        ("report-light", "flash-sale.toml", 1_200, 900, "light"),
        ("report-dark", "orders-queue.toml", 1_200, 900, "dark"),
        ("report-narrow", "flash-sale.toml", 400, 900, "light"),
    ] {
        let page = page(scenario);
        browser.resize(width, height);
        browser.media("screen", scheme);
        browser.open(&page.file);
        if width > 1_000 {
            let to = "document.querySelector('.tools').scrollIntoView(); window.scrollBy(0, -12);";
            browser.eval(to);
            let at = place_of_first_chart(&browser);
            browser.pointer(&[at], false);
        }
        let image = browser.screenshot();
        assert!(image.len() > 10_000, "{name}: {} bytes", image.len());
        if let Some(folder) = &folder {
            let file = Path::new(folder).join(format!("{name}.png"));
            std::fs::write(file, image).expect("a folder to write to");
        }
    }
}

fn place_of_first_chart(browser: &Browser) -> (f64, f64) {
    let found = browser.eval(
        "const box = document.querySelector('.plot .u-over').getBoundingClientRect();
         return [box.left + box.width * .45, box.top + box.height * .5];",
    );
    let number = |index: usize| found[index].as_f64().expect("a number");
    (number(0), number(1))
}
