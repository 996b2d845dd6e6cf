//! The charts of two runs over each other: one for each line that both have, so that no more than two are compared.

use super::super::charts::beside;
use super::super::view::{self, Band, Chart, Colour, Line, Subject};
use super::super::{detail, numbers};
use super::Compare;

/// The subjects that both sides have, with the charts in which either has something to show.
pub(super) fn subjects(compare: &Compare) -> Vec<Subject> {
    let [mut a, mut b] = [0, 1].map(|side: usize| {
        let result = &compare.sides[side].result;
        view::prepare(&result.summary, &result.series).subjects
    });
    same_bars(compare, &mut a, &mut b);
    let pairs = a.iter().filter_map(|one| {
        let other = b
            .iter()
            .find(|other| other.name == one.name && other.kind == one.kind)?;
        let charts = overlaid(one, other);
        (!charts.is_empty()).then(|| Subject {
            charts,
            ..one.clone()
        })
    });
    let mut subjects: Vec<Subject> = pairs.collect();
    coarsen(&mut subjects);
    subjects
}

/// Why charts are not as fine as the series, where they are not.
pub(super) fn thinned<'a>(charts: impl Iterator<Item = &'a Chart>) -> Option<String> {
    let steps = charts
        .filter(|chart| chart.lines.iter().any(|line| line.detail.paired))
        .map(|chart| chart.step_s);
    let longest = steps.max_by(f64::total_cmp)?;
    Some(format!(
        "Charts keep the smallest and the largest value of every {}; the series of both runs have all of them.",
        numbers::seconds(longest)
    ))
}

/// Counts latencies of both sides in the same bars: otherwise their heights could not be compared.
fn same_bars(compare: &Compare, a: &mut [Subject], b: &mut [Subject]) {
    let [of_a, of_b] = [0, 1].map(|side: usize| &compare.sides[side].result.series.functions);
    for one in of_a {
        let other = of_b.iter().find(|other| other.name == one.name);
        let Some(charts) = other.and_then(|other| beside(&one.latencies, &other.latencies)) else {
            continue;
        };
        for (side, chart) in [&mut *a, &mut *b].into_iter().zip(charts) {
            let own = side
                .iter_mut()
                .filter(|subject| subject.kind == "function" && subject.name == one.name);
            for old in own.flat_map(|subject| &mut subject.charts) {
                if old.title == chart.title {
                    *old = chart.clone();
                }
            }
        }
    }
}

/// Makes steps longer until a page with two runs has no more points than one with a single run.
fn coarsen(subjects: &mut [Subject]) {
    let lines = |chart: &Chart| -> Vec<usize> {
        let lines = chart.lines.iter();
        lines.map(|line| line.detail.values.len()).collect()
    };
    loop {
        let charts = || subjects.iter().flat_map(|one| &one.charts);
        let points: usize = charts().flat_map(lines).sum();
        let longest = charts().flat_map(lines).max().unwrap_or(0);
        if points <= detail::POINTS_MAX || longest <= detail::LINE_POINTS.0 {
            return;
        }
        for chart in subjects.iter_mut().flat_map(|one| &mut one.charts) {
            if lines(chart).into_iter().max() > Some(detail::LINE_POINTS.0) {
                let to = chart.step_s * 2.0;
                for line in &mut chart.lines {
                    line.detail = line.detail.regrid(chart.step_s, to);
                }
                chart.step_s = to;
            }
        }
    }
}

fn overlaid(a: &Subject, b: &Subject) -> Vec<Chart> {
    let mut charts = Vec::new();
    for one in &a.charts {
        let Some(other) = b.charts.iter().find(|other| other.title == one.title) else {
            continue;
        };
        let new = other.lines.iter().filter(|line| find(one, line).is_none());
        for line in one.lines.iter().chain(new) {
            charts.push(overlay(one, other, line));
        }
    }
    charts
}

fn find<'a>(chart: &'a Chart, wanted: &Line) -> Option<&'a Line> {
    let mut lines = chart.lines.iter();
    lines.find(|line| line.label == wanted.label)
}

fn overlay(a: &Chart, b: &Chart, line: &Line) -> Chart {
    let sides = [(a, "A", Colour::Blue), (b, "B", Colour::Orange)];
    let lines = sides.into_iter().filter_map(|(chart, side, colour)| {
        let found = find(chart, line)?;
        let own = Line {
            label: format!("{}, {side}", line.label).into(),
            colour,
            filled: false,
            ..found.clone()
        };
        Some((chart.step_s, own))
    });
    let (step_s, lines) = in_step(lines.collect());
    let (longer, shorter) = if a.end_s >= b.end_s { (a, b) } else { (b, a) };
    Chart {
        log: a.log || b.log,
        step_s,
        lines,
        bands: bands(a, b),
        // A limit that only one side has would be taken for that of both.
        limit: a
            .limit
            .zip(b.limit)
            .filter(|(one, other)| one.value == other.value)
            .map(|(one, other)| if one.off_scale { other } else { one }),
        mean_of_s: longer.mean_of_s.or(shorter.mean_of_s),
        empty: None,
        ..longer.clone()
    }
}

/// The lines, with the length of their steps in seconds, at the same steps: the longest of them.
fn in_step(lines: Vec<(f64, Line)>) -> (f64, Vec<Line>) {
    let longest = lines.iter().map(|(step, _)| *step).fold(0.0, f64::max);
    // What gets longer steps has two values for each, and one chart has one way of counting.
    let paired = lines
        .iter()
        .any(|(step, line)| line.detail.paired || *step != longest);
    let lines = lines.into_iter().map(|(step, mut line)| {
        if step != longest || line.detail.paired != paired {
            line.detail = line.detail.regrid(step, longest);
        }
        line
    });
    (longest, lines.collect())
}

/// Those that both sides have once, and others with the name of their side.
fn bands(a: &Chart, b: &Chart) -> Vec<Band> {
    let same = |one: &Band, other: &Band| {
        one.label == other.label && one.from_s == other.from_s && one.to_s == other.to_s
    };
    let lone = |own: &[Band], others: &[Band], side: &str| -> Vec<Band> {
        let mut own = own.to_vec();
        for band in &mut own {
            if !others.iter().any(|other| same(band, other)) {
                band.label = format!("{}, {side}", band.label);
            }
        }
        own
    };
    let mut bands = lone(&a.bands, &b.bands, "A");
    let of_b = lone(&b.bands, &a.bands, "B").into_iter();
    bands.extend(of_b.filter(|band| !a.bands.iter().any(|other| same(band, other))));
    bands
}
