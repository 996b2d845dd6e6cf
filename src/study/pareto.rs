//! The variants that no other one beats in two figures at once.

/// What is better of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aim {
    Low,
    High,
}

impl Aim {
    /// A figure such that less is better.
    fn cost(self, value: f64) -> f64 {
        match self {
            Self::Low => value,
            Self::High => -value,
        }
    }
}

/// Whether each of the points is on the front: no other one is at least as good in both figures and better in one. A
/// point with a figure that does not exist never is.
pub(super) fn front(points: &[(f64, f64)], aims: [Aim; 2]) -> Vec<bool> {
    let mut order: Vec<(f64, f64, usize)> = points
        .iter()
        .enumerate()
        .filter(|(_, (a, b))| a.is_finite() && b.is_finite())
        .map(|(index, (a, b))| (aims[0].cost(*a), aims[1].cost(*b), index))
        .collect();
    order.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.total_cmp(&other.1)));
    let mut on_front = vec![false; points.len()];
    let mut best: Option<(f64, f64)> = None;
    for (a, b, index) in order {
        // Equal points share a place.
        if best.is_none_or(|(best_a, best_b)| b < best_b || (a, b) == (best_a, best_b)) {
            on_front[index] = true;
            best = Some((a, b));
        }
    }
    on_front
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_front_is_what_nothing_beats() {
        let points = [
            (1.0, 9.0),
            (2.0, 5.0),
            (2.0, 5.0),
            (2.0, 6.0),
            (3.0, 5.0),
            (4.0, 1.0),
            (0.5, f64::NAN),
        ];
        let found = front(&points, [Aim::Low, Aim::Low]);
        assert_eq!(found, [true, true, true, false, false, true, false]);
        // Compared with every pair, one by one.
        let beaten = |index: usize, aims: [Aim; 2]| {
            let of = |(a, b): (f64, f64)| (aims[0].cost(a), aims[1].cost(b));
            let (a, b) = of(points[index]);
            points.iter().any(|other| {
                let (c, d) = of(*other);
                c <= a && d <= b && (c < a || d < b)
            })
        };
        for aims in [
            [Aim::Low, Aim::Low],
            [Aim::Low, Aim::High],
            [Aim::High, Aim::Low],
            [Aim::High, Aim::High],
        ] {
            let found = front(&points[..6], aims);
            for (index, on_front) in found.into_iter().enumerate() {
                assert_eq!(on_front, !beaten(index, aims), "{index} {aims:?}");
            }
        }
    }
}
