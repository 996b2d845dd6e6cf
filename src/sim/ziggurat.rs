//! Exact exponential and normal variables by the ziggurat method of Marsaglia and Tsang.
//!
//! The tables are computed with a pure-Rust `exp` and `ln`, and everything else is basic IEEE arithmetic, so
//! the same bits give the same numbers on every machine.

use crate::engine::Rng;
use std::sync::LazyLock;

const LAYERS: usize = 256;
/// Where the tail of the exponential ziggurat begins, and the area of each of its layers.
const EXP_TAIL: f64 = 7.697_117_470_131_05;
const EXP_AREA: f64 = 0.003_949_659_822_581_557;
/// The same for the normal ziggurat.
const NORMAL_TAIL: f64 = 3.654_152_885_361_009;
const NORMAL_AREA: f64 = 0.004_928_673_233_974_659;

/// Edges and heights of both ziggurats.
#[derive(Debug)]
pub(super) struct Tables {
    exponential: Ziggurat,
    normal: Ziggurat,
}

#[derive(Debug)]
struct Ziggurat {
    edges: [f64; LAYERS + 1],
    heights: [f64; LAYERS + 1],
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| Tables {
    exponential: Ziggurat::new(EXP_TAIL, EXP_AREA, |x| libm::exp(-x), |y| -libm::log(y)),
    normal: Ziggurat::new(
        NORMAL_TAIL,
        NORMAL_AREA,
        |x| libm::exp(-0.5 * x * x),
        |y| libm::sqrt(-2.0 * libm::log(y)),
    ),
});

impl Ziggurat {
    fn new(tail: f64, area: f64, f: fn(f64) -> f64, inverse: fn(f64) -> f64) -> Self {
        let mut edges = [0.0; LAYERS + 1];
        edges[0] = area / f(tail);
        edges[1] = tail;
        for layer in 2..LAYERS {
            let below = edges[layer - 1];
            edges[layer] = inverse(area / below + f(below));
        }
        edges[LAYERS] = 0.0;
        Self {
            edges,
            heights: edges.map(f),
        }
    }
}

impl Tables {
    pub(super) fn get() -> &'static Self {
        &TABLES
    }

    /// A variable of mean 1.
    #[inline]
    pub(super) fn exponential(&self, rng: &mut Rng) -> f64 {
        let zig = &self.exponential;
        loop {
            let bits = rng.next_u64();
            let layer = (bits & 0xff) as usize;
            let x = unit(bits) * zig.edges[layer];
            if x < zig.edges[layer + 1] {
                return x;
            }
            if layer == 0 {
                return EXP_TAIL - libm::log(1.0 - rng.unit());
            }
            let (top, bottom) = (zig.heights[layer + 1], zig.heights[layer]);
            if bottom + (top - bottom) * rng.unit() < libm::exp(-x) {
                return x;
            }
        }
    }

    /// A variable of mean 0 and deviation 1.
    #[inline]
    pub(super) fn normal(&self, rng: &mut Rng) -> f64 {
        let zig = &self.normal;
        loop {
            let bits = rng.next_u64();
            let layer = (bits & 0xff) as usize;
            let x = (2.0 * unit(bits) - 1.0) * zig.edges[layer];
            if x.abs() < zig.edges[layer + 1] {
                return x;
            }
            if layer == 0 {
                let beyond = normal_tail(rng);
                return if x < 0.0 { -beyond } else { beyond };
            }
            let (top, bottom) = (zig.heights[layer + 1], zig.heights[layer]);
            if bottom + (top - bottom) * rng.unit() < libm::exp(-0.5 * x * x) {
                return x;
            }
        }
    }
}

/// The upper 52 bits as a number in `[0, 1)`; the lower ones choose the layer.
#[inline]
fn unit(bits: u64) -> f64 {
    (bits >> 12) as f64 * (1.0 / (1u64 << 52) as f64)
}

#[cold]
fn normal_tail(rng: &mut Rng) -> f64 {
    loop {
        let x = -libm::log(1.0 - rng.unit()) / NORMAL_TAIL;
        let y = -libm::log(1.0 - rng.unit());
        if 2.0 * y >= x * x {
            return NORMAL_TAIL + x;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: usize = 2_000_000;

    /// Share of draws below each threshold, against the exact distribution function, within 5 standard errors.
    fn check(draw: impl Fn(&mut Rng) -> f64, points: &[(f64, f64)]) {
        let mut rng = Rng::stream(5, "ziggurat");
        let drawn: Vec<f64> = (0..DRAWS).map(|_| draw(&mut rng)).collect();
        for &(threshold, exact) in points {
            let below = drawn.iter().filter(|&&x| x < threshold).count() as f64;
            let error = (exact * (1.0 - exact) / DRAWS as f64).sqrt();
            let share = below / DRAWS as f64;
            assert!(
                (share - exact).abs() < 5.0 * error,
                "P(X < {threshold}) = {share}, not {exact}"
            );
        }
    }

    #[test]
    fn exponential_draws_follow_their_distribution() {
        let tables = Tables::get();
        let points = [0.01, 0.1, 0.5, 1.0, 2.0, 4.0, 8.0, 12.0].map(|x: f64| (x, 1.0 - (-x).exp()));
        check(|rng| tables.exponential(rng), &points);
    }

    #[test]
    fn normal_draws_follow_their_distribution() {
        let tables = Tables::get();
        let points = [
            (-3.719_016_485_455_709, 0.000_1),
            (-2.326_347_874_040_841, 0.01),
            (-1.0, 0.158_655_253_931_457_05),
            (0.0, 0.5),
            (0.5, 0.691_462_461_274_013),
            (1.959_963_984_540_054, 0.975),
            (3.719_016_485_455_709, 0.999_9),
        ];
        check(|rng| tables.normal(rng), &points);
    }
}
