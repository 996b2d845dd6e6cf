//! Fewer points without losing peaks.

/// Lines have at most this many points: more than a chart has pixels.
const POINTS_MAX: usize = 800;

/// Keeps the smallest and the largest value of every bucket, in their order in time, so that no peak and no
/// dip disappears. A bucket without any value leaves a gap.
pub(super) fn thin(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    if points.len() <= POINTS_MAX {
        return points;
    }
    let bucket = points.len().div_ceil(POINTS_MAX / 2);
    points.chunks(bucket).flat_map(extremes).collect()
}

fn extremes(bucket: &[(f64, f64)]) -> impl Iterator<Item = (f64, f64)> + use<> {
    let mut known = bucket.iter().copied().filter(|(_, value)| !value.is_nan());
    let Some(first) = known.next() else {
        return bucket.first().copied().into_iter().chain(None);
    };
    let (low, high) = known.fold((first, first), |(low, high), point| {
        (
            if point.1 < low.1 { point } else { low },
            if point.1 > high.1 { point } else { high },
        )
    });
    let (early, late) = if low.0 <= high.0 {
        (low, high)
    } else {
        (high, low)
    };
    Some(early)
        .into_iter()
        .chain((late != early).then_some(late))
}

/// Points from which a noisy line would become a solid band.
const NOISY_MIN: usize = 400;

/// Means of this many stretches are smooth enough to follow with the eye.
const MEANS: usize = 200;

/// How many neighbours one mean of [`smooth`] covers; `None` when the line is short enough to be drawn as it is.
pub(super) fn stretch(points: usize) -> Option<usize> {
    (points > NOISY_MIN).then(|| points.div_ceil(MEANS))
}

/// Means of `stretch` neighbours each. A stretch without any value leaves a gap.
pub(super) fn smooth(points: &[(f64, f64)], stretch: usize) -> Vec<(f64, f64)> {
    let mean = |values: Vec<f64>| values.iter().sum::<f64>() / values.len() as f64;
    points
        .chunks(stretch)
        .map(|chunk| {
            let known = chunk
                .iter()
                .map(|(_, value)| *value)
                .filter(|value| !value.is_nan());
            (
                mean(chunk.iter().map(|(at, _)| *at).collect()),
                mean(known.collect()),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_lines_are_kept() {
        let points: Vec<_> = (0..POINTS_MAX).map(|i| (i as f64, 1.0)).collect();
        assert_eq!(thin(points.clone()), points);
    }

    #[test]
    fn smooth_lines_keep_means_and_gaps() {
        assert_eq!(stretch(400), None);
        assert_eq!(stretch(1_800), Some(9));
        let points = [
            (0.0, 1.0),
            (1.0, 3.0),
            (2.0, f64::NAN),
            (3.0, 5.0),
            (4.0, f64::NAN),
        ];
        let smoothed = smooth(&points, 2);
        assert_eq!(smoothed[..2], [(0.5, 2.0), (2.5, 5.0)]);
        assert!(smoothed[2].1.is_nan());
    }

    #[test]
    fn peaks_and_gaps_survive() {
        let mut points: Vec<_> = (0..100_000).map(|i| (f64::from(i), 10.0)).collect();
        points[54_321].1 = 99.0;
        points[54_400].1 = -1.0;
        for point in &mut points[70_000..80_000] {
            point.1 = f64::NAN;
        }
        let thinned = thin(points);
        assert!(thinned.len() <= POINTS_MAX);
        assert!(thinned.contains(&(54_321.0, 99.0)));
        assert!(thinned.contains(&(54_400.0, -1.0)));
        assert!(
            thinned
                .iter()
                .any(|(t, v)| *t > 70_000.0 && *t < 80_000.0 && v.is_nan())
        );
        assert!(thinned.is_sorted_by_key(|(t, _)| *t));
    }
}
