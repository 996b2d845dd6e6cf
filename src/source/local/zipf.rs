//! Ranks with chance proportional to k^-s, by rejection-inversion (Hörmann and Derflinger, 1996): no table.

use crate::engine::Rng;

#[derive(Debug)]
pub(super) struct Zipf {
    n: f64,
    s: f64,
    area_first: f64,
    area_all: f64,
    shortcut: f64,
}

/// The acceptance rate is above 0.7 for every n and s, so reaching this has a chance below 10⁻⁵⁰.
const REJECTIONS_MAX: u32 = 100;

impl Zipf {
    pub(super) fn new(n: u32, s: f64) -> Self {
        let mut zipf = Self {
            n: f64::from(n.max(1)),
            s,
            area_first: 0.0,
            area_all: 0.0,
            shortcut: 0.0,
        };
        zipf.area_first = zipf.area(1.5) - 1.0;
        zipf.area_all = zipf.area(zipf.n + 0.5);
        zipf.shortcut = 2.0 - zipf.area_inverse(zipf.area(2.5) - zipf.height(2.0));
        zipf
    }

    /// A rank from 1 to n.
    pub(super) fn draw(&self, rng: &mut Rng) -> u64 {
        for _ in 0..REJECTIONS_MAX {
            let u = self.area_all + rng.unit() * (self.area_first - self.area_all);
            let x = self.area_inverse(u);
            let rank = libm::round(x).clamp(1.0, self.n);
            if rank - x <= self.shortcut || u >= self.area(rank + 0.5) - self.height(rank) {
                return rank as u64;
            }
        }
        1
    }

    fn height(&self, x: f64) -> f64 {
        libm::exp(-self.s * libm::log(x))
    }

    /// The integral of `height`, up to a constant.
    fn area(&self, x: f64) -> f64 {
        let log = libm::log(x);
        let t = (1.0 - self.s) * log;
        if t.abs() < 1e-8 {
            return log;
        }
        libm::expm1(t) / t * log
    }

    fn area_inverse(&self, area: f64) -> f64 {
        let t = ((1.0 - self.s) * area).max(-1.0);
        if t.abs() < 1e-8 {
            return libm::exp(area);
        }
        libm::exp(libm::log1p(t) / t * area)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_those_of_the_law() {
        for s in [0.0, 0.7, 1.0, 1.5] {
            let zipf = Zipf::new(10, s);
            let mut rng = Rng::stream(9, "zipf");
            let mut seen = [0u32; 10];
            for _ in 0..200_000 {
                seen[zipf.draw(&mut rng) as usize - 1] += 1;
            }
            let weights: Vec<f64> = (1..=10).map(|k| f64::from(k).powf(-s)).collect();
            let sum: f64 = weights.iter().sum();
            for (count, weight) in seen.iter().zip(weights) {
                let expected = 200_000.0 * weight / sum;
                let error = (f64::from(*count) - expected).abs();
                assert!(error < 6.0 * expected.sqrt(), "s {s}: {seen:?}");
            }
        }
    }
}
