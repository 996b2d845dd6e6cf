//! Draws from the distributions that poller files name.

use crate::engine::Rng;
use crate::scenario::Dist;

/// A distribution to draw from.
#[derive(Clone, Debug)]
pub struct Draw(Dist);

/// Tries of a rejection method; each succeeds with a chance above one half, so reaching this has a chance
/// below 2⁻¹⁰⁰.
const REJECTIONS_MAX: u32 = 100;

impl Draw {
    /// Draws from `dist`.
    pub const fn new(dist: Dist) -> Self {
        Self(dist)
    }

    /// The next value, never negative; nanoseconds or bytes, as the distribution says.
    pub fn next(&self, rng: &mut Rng) -> u64 {
        let value = match &self.0 {
            Dist::Constant(value) => *value,
            Dist::Exponential { mean } => mean * exponential(rng),
            Dist::Uniform { min, max } => min + (max - min) * rng.unit(),
            Dist::Lognormal { mu, sigma } => libm::exp(mu + sigma * normal(rng)),
            Dist::Gamma { shape, scale } => scale * gamma(*shape, rng),
            Dist::Pareto { min, alpha } => min * libm::exp(exponential(rng) / alpha),
            Dist::Empirical(values) if values.is_empty() => 0.0,
            Dist::Empirical(values) => values[rng.below(values.len() as u64) as usize],
        };
        // Saturating: a value beyond u64 is as good as endless, one below zero is none.
        value as u64
    }
}

fn exponential(rng: &mut Rng) -> f64 {
    -libm::log(1.0 - rng.unit())
}

/// Box and Muller's method, one of the pair.
fn normal(rng: &mut Rng) -> f64 {
    let radius = libm::sqrt(2.0 * exponential(rng));
    radius * libm::cos(std::f64::consts::TAU * rng.unit())
}

/// Marsaglia and Tsang's method.
fn gamma(shape: f64, rng: &mut Rng) -> f64 {
    if shape < 1.0 {
        let boost = libm::pow(1.0 - rng.unit(), 1.0 / shape);
        return boost * gamma(shape + 1.0, rng);
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / libm::sqrt(9.0 * d);
    for _ in 0..REJECTIONS_MAX {
        let x = normal(rng);
        let v = 1.0 + c * x;
        if v <= 0.0 {
            continue;
        }
        let v = v * v * v;
        if libm::log(1.0 - rng.unit()) < 0.5 * x * x + d - d * v + d * libm::log(v) {
            return d * v;
        }
    }
    d
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_those_of_the_distributions() {
        let mut rng = Rng::stream(5, "draw");
        for (dist, mean) in [
            (Dist::Constant(1e6), 1e6),
            (Dist::Exponential { mean: 1e6 }, 1e6),
            (Dist::Uniform { min: 0.0, max: 2e6 }, 1e6),
            (
                Dist::Gamma {
                    shape: 0.5,
                    scale: 2e6,
                },
                1e6,
            ),
            (
                Dist::Pareto {
                    min: 1e6,
                    alpha: 3.0,
                },
                1.5e6,
            ),
            (
                Dist::Lognormal {
                    mu: 10.0,
                    sigma: 0.5,
                },
                libm::exp(10.125),
            ),
            (Dist::Empirical([1e6, 3e6].into()), 2e6),
        ] {
            let draw = Draw::new(dist.clone());
            let sum: f64 = (0..100_000).map(|_| draw.next(&mut rng) as f64).sum();
            let error = (sum / 100_000.0 / mean - 1.0).abs();
            assert!(error < 0.02, "{dist:?}: {error}");
        }
    }
}
