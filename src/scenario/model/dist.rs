//! Distributions.

use std::sync::Arc;

/// A distribution. Time distributions are in nanoseconds, size distributions in bytes.
#[derive(Clone, Debug, PartialEq)]
pub enum Dist {
    /// Always the same.
    Constant(f64),
    /// Memoryless with this mean.
    Exponential {
        /// Positive.
        mean: f64,
    },
    /// Flat between two bounds.
    Uniform {
        /// Lower bound, at least 0.
        min: f64,
        /// Upper bound, above `min`.
        max: f64,
    },
    /// exp of a normal variable.
    Lognormal {
        /// Mean of the logarithm.
        mu: f64,
        /// Deviation of the logarithm, at least 0.
        sigma: f64,
    },
    /// Sum of exponential phases, generalised.
    Gamma {
        /// Shape, positive.
        shape: f64,
        /// Scale, positive.
        scale: f64,
    },
    /// Heavy tail: P(X > x) = (min / x)^alpha.
    Pareto {
        /// Smallest value, positive.
        min: f64,
        /// Tail exponent, positive.
        alpha: f64,
    },
    /// Values measured elsewhere, drawn with equal chance.
    Empirical(Arc<[f64]>),
}
