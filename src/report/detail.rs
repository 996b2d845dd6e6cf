//! What the page's own data keeps of a line: every bin of short runs, and the extremes of stretches of long ones.

use crate::metrics::Series;
use std::ops::Range;

use super::view::FUNCTIONS_MAX;

/// Points of all lines of a page together: at about six bytes each, a page stays well below two megabytes.
pub(super) const POINTS_MAX: usize = 160_000;
/// Lines that a function or mapping usually has.
const LINES_EACH: usize = 14;
/// A line has at least so many points, and at most so many.
pub(super) const LINE_POINTS: (usize, usize) = (600, 4_000);

/// The values of a line at equal steps in time.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Detail {
    /// One value per bin; or two per stretch of bins, its smallest and its largest in their order in time.
    pub(super) values: Vec<f64>,
    /// Whether `values` has two per step.
    pub(super) paired: bool,
    /// The mean of each stretch, for lines that scatter.
    pub(super) means: Vec<f64>,
    /// Whether the line scatters around something, so that means should be drawn.
    pub(super) noisy: bool,
}

/// How many bins become one step, in a report about this series.
pub(super) fn bins_each(series: &Series, rows: usize) -> usize {
    let subjects = series.functions.len().min(FUNCTIONS_MAX) + series.mappings.len();
    let points = POINTS_MAX / LINES_EACH / subjects.max(1);
    let points = points.clamp(LINE_POINTS.0, LINE_POINTS.1);
    if rows <= points {
        return 1;
    }
    rows.div_ceil(points / 2)
}

impl Detail {
    /// Of one value per bin, `each` of which become one step. Bins without a value are `NaN`.
    pub(super) fn of(bins: &[f64], each: usize, noisy: bool) -> Self {
        if each <= 1 {
            return Self {
                values: bins.to_vec(),
                paired: false,
                means: Vec::new(),
                noisy,
            };
        }
        let stretches = bins.chunks(each);
        let means = if noisy {
            stretches.clone().map(mean).collect()
        } else {
            Vec::new()
        };
        Self {
            values: stretches.flat_map(extremes).collect(),
            paired: true,
            means,
            noisy,
        }
    }

    /// The same line with two values for every `to` seconds, of which there are not fewer than in one of its steps, which
    /// are `from` seconds long: lines of two runs then have their values at the same places. Of steps that reach over the
    /// end of a longer one, the middle decides.
    pub(super) fn regrid(&self, from: f64, to: f64) -> Self {
        let each = if self.paired { 2 } else { 1 };
        let mut groups: Vec<Range<usize>> = Vec::new();
        for step in 0..self.values.len() / each {
            let at = ((step as f64 + 0.5) * from / to) as usize;
            while groups.len() <= at {
                groups.push(step..step);
            }
            groups[at].end = step + 1;
        }
        let means = if self.paired {
            &self.means
        } else {
            &self.values
        };
        Self {
            values: groups
                .iter()
                .flat_map(|group| extremes(&self.values[group.start * each..group.end * each]))
                .collect(),
            paired: true,
            means: if self.noisy {
                groups
                    .iter()
                    .map(|group| mean(&means[group.clone()]))
                    .collect()
            } else {
                Vec::new()
            },
            noisy: self.noisy,
        }
    }
}

/// The smallest and the largest value, whichever comes first first. Both are `NaN` without any.
fn extremes(stretch: &[f64]) -> [f64; 2] {
    let known = stretch
        .iter()
        .enumerate()
        .filter(|(_, value)| !value.is_nan());
    let mut found: Option<[(usize, f64); 2]> = None;
    for (index, value) in known {
        let [low, high] = found.get_or_insert([(index, *value); 2]);
        if *value < low.1 {
            *low = (index, *value);
        }
        if *value > high.1 {
            *high = (index, *value);
        }
    }
    match found {
        Some([low, high]) if low.0 <= high.0 => [low.1, high.1],
        Some([low, high]) => [high.1, low.1],
        None => [f64::NAN; 2],
    }
}

fn mean(stretch: &[f64]) -> f64 {
    let known = || stretch.iter().filter(|value| !value.is_nan());
    known().sum::<f64>() / known().count() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{FunctionSeries, MappingSeries};

    #[test]
    fn extremes_of_a_day_survive() {
        let mut bins: Vec<f64> = (0..86_400).map(|bin| f64::from(bin % 7)).collect();
        bins[12_345] = 999.0;
        bins[54_321] = -5.0;
        bins[70_000..71_000].fill(f64::NAN);
        let series = Series {
            functions: vec![FunctionSeries::default()],
            ..Series::default()
        };
        let each = bins_each(&series, bins.len());
        let detail = Detail::of(&bins, each, true);
        assert!(detail.paired && detail.values.len() <= LINE_POINTS.1);
        assert_eq!(detail.values.len(), 2 * detail.means.len());
        assert!(detail.values.contains(&999.0) && detail.values.contains(&-5.0));
        let gap = 70_500 / each;
        assert!(detail.values[2 * gap].is_nan() && detail.means[gap].is_nan());
        assert!((detail.means[0] - 3.0).abs() < 0.2);
    }

    #[test]
    fn short_runs_keep_every_bin_and_many_subjects_share_the_page() {
        assert_eq!(bins_each(&Series::default(), 4_000), 1);
        let bins = [3.0, f64::NAN, 1.0];
        let detail = Detail::of(&bins, 1, false);
        assert!(!detail.paired && detail.means.is_empty() && detail.values[2] == 1.0);
        let many = Series {
            functions: vec![FunctionSeries::default(); 10_000],
            mappings: vec![MappingSeries::default(); 20],
            ..Series::default()
        };
        assert_eq!(bins_each(&many, 600), 1);
        assert_eq!(bins_each(&many, 86_400), 288);
        assert_eq!(extremes(&[2.0, 9.0, 1.0]), [9.0, 1.0]);
    }

    #[test]
    fn steps_of_another_length_keep_peaks_and_places() {
        let mut bins: Vec<f64> = (0..999).map(|bin| f64::from(bin % 5)).collect();
        bins[701] = 99.0;
        bins[400..420].fill(f64::NAN);
        for each in [1, 3] {
            let fine = Detail::of(&bins, each, true);
            let step = each as f64 * 0.5;
            let wide = fine.regrid(step, 5.0);
            assert_eq!((wide.values.len(), wide.means.len()), (200, 100));
            let peak = wide.values.iter().position(|value| *value == 99.0);
            assert_eq!(peak.map(|at| at / 2), Some(701 / 10), "{each}");
            assert!(wide.values[2 * 41].is_nan() && wide.means[41].is_nan());
            assert!((wide.means[0] - 2.0).abs() < 0.7, "{}", wide.means[0]);
        }
        // A run whose steps are as long as the others' only gets two values for each.
        let alone = Detail::of(&[3.0, f64::NAN, 1.0], 1, false).regrid(60.0, 60.0);
        assert_eq!(
            (alone.values.len(), alone.values[1], alone.values[4]),
            (6, 3.0, 1.0)
        );
        assert!(alone.values[2].is_nan() && alone.means.is_empty());
    }
}
