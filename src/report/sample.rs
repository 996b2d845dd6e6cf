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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_lines_are_kept() {
        let points: Vec<_> = (0..POINTS_MAX).map(|i| (i as f64, 1.0)).collect();
        assert_eq!(thin(points.clone()), points);
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
