//! The charts of two runs over each other: one for each line that both have, so that no more than two are compared.

use super::super::view::{self, Band, Chart, Colour, Line, Subject};
use super::Compare;

/// The subjects that both sides have, with the charts in which either has something to show.
pub(super) fn subjects(compare: &Compare) -> Vec<Subject> {
    let [a, b] = [0, 1].map(|side: usize| {
        let result = &compare.sides[side].result;
        view::prepare(&result.summary, &result.series).subjects
    });
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
    pairs.collect()
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
        Some(Line {
            label: format!("{}, {side}", line.label).into(),
            colour,
            filled: false,
            ..find(chart, line)?.clone()
        })
    });
    let (longer, shorter) = if a.end_s >= b.end_s { (a, b) } else { (b, a) };
    Chart {
        log: a.log || b.log,
        lines: lines.collect(),
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
