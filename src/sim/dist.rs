//! Distributions ready to be drawn from: durations in nanoseconds, sizes in bytes.

use super::exp::Exp;
use super::ziggurat::Tables;
use crate::engine::Rng;
use crate::scenario::Dist;
use std::sync::Arc;

/// A distribution prepared for drawing.
#[derive(Clone, Debug)]
pub struct Sampler {
    kind: Kind,
    tables: &'static Tables,
    exp: &'static Exp,
}

#[derive(Clone, Debug)]
enum Kind {
    Constant(u64),
    Exponential { mean: f64 },
    Uniform { min: f64, width: f64 },
    Lognormal { mu: f64, sigma: f64 },
    Gamma { shape: f64, scale: f64 },
    Pareto { min: f64, inverse_alpha: f64 },
    Empirical(Arc<[f64]>),
}

impl Sampler {
    /// Prepares `dist`.
    pub fn new(dist: &Dist) -> Self {
        let kind = match dist {
            Dist::Constant(value) => Kind::Constant(whole(*value)),
            Dist::Exponential { mean } => Kind::Exponential { mean: *mean },
            Dist::Uniform { min, max } => Kind::Uniform {
                min: *min,
                width: max - min,
            },
            Dist::Lognormal { mu, sigma } => Kind::Lognormal {
                mu: *mu,
                sigma: *sigma,
            },
            Dist::Gamma { shape, scale } => Kind::Gamma {
                shape: *shape,
                scale: *scale,
            },
            Dist::Pareto { min, alpha } => Kind::Pareto {
                min: *min,
                inverse_alpha: 1.0 / alpha,
            },
            Dist::Empirical(values) => Kind::Empirical(values.clone()),
        };
        Self {
            kind,
            tables: Tables::get(),
            exp: Exp::get(),
        }
    }

    /// Reads something of it.
    #[inline]
    pub(super) fn glance(&self) -> u64 {
        std::ptr::from_ref(self.tables) as usize as u64
    }

    /// Draws a value, rounded to a whole number.
    #[inline]
    pub fn draw(&self, rng: &mut Rng) -> u64 {
        let tables = self.tables;
        whole(match &self.kind {
            Kind::Constant(value) => return *value,
            Kind::Exponential { mean } => mean * tables.exponential(rng),
            Kind::Uniform { min, width } => min + width * rng.unit(),
            Kind::Lognormal { mu, sigma } => self.exp.of(mu + sigma * tables.normal(rng)),
            Kind::Gamma { shape, scale } => scale * gamma(tables, rng, *shape),
            // The logarithm of a Pareto variable is exponential.
            Kind::Pareto { min, inverse_alpha } => {
                min * self.exp.of(inverse_alpha * tables.exponential(rng))
            }
            Kind::Empirical(values) => values[rng.below(values.len() as u64) as usize],
        })
    }
}

/// Marsaglia and Tsang's method; shapes below one are raised and thinned back.
fn gamma(tables: &Tables, rng: &mut Rng, shape: f64) -> f64 {
    if shape < 1.0 {
        let boost = libm::pow(1.0 - rng.unit(), 1.0 / shape);
        return gamma(tables, rng, shape + 1.0) * boost;
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / libm::sqrt(9.0 * d);
    loop {
        let x = tables.normal(rng);
        let base = 1.0 + c * x;
        if base <= 0.0 {
            continue;
        }
        let v = base * base * base;
        let u = 1.0 - rng.unit();
        if libm::log(u) < 0.5 * x * x + d - d * v + d * libm::log(v) {
            return d * v;
        }
    }
}

/// The nearest whole number, from 0 to 2⁶⁴ − 1.
#[inline]
fn whole(value: f64) -> u64 {
    (value + 0.5) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_those_of_the_distributions() {
        let empirical: Arc<[f64]> = vec![1e6, 2e6, 6e6].into();
        let cases = [
            (Dist::Constant(3e6), 3e6),
            (Dist::Exponential { mean: 2e6 }, 2e6),
            (Dist::Uniform { min: 1e6, max: 3e6 }, 2e6),
            (
                Dist::Lognormal {
                    mu: 14.0,
                    sigma: 0.5,
                },
                (14.0f64 + 0.125).exp(),
            ),
            (
                Dist::Gamma {
                    shape: 0.5,
                    scale: 4e6,
                },
                2e6,
            ),
            (
                Dist::Gamma {
                    shape: 3.0,
                    scale: 1e6,
                },
                3e6,
            ),
            (
                Dist::Pareto {
                    min: 1e6,
                    alpha: 4.0,
                },
                4e6 / 3.0,
            ),
            (Dist::Empirical(empirical), 3e6),
        ];
        for (dist, mean) in cases {
            let sampler = Sampler::new(&dist);
            let mut rng = Rng::stream(2, "means");
            let draws = 400_000;
            let total: f64 = (0..draws).map(|_| sampler.draw(&mut rng) as f64).sum();
            let ratio = total / f64::from(draws) / mean;
            assert!((0.99..1.01).contains(&ratio), "{dist:?}: {ratio}");
        }
    }

    #[test]
    fn extreme_draws_stay_in_range() {
        assert_eq!(whole(-1.0), 0);
        assert_eq!(whole(f64::INFINITY), u64::MAX);
        assert_eq!(whole(f64::NAN), 0);
    }
}
