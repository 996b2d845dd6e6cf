//! The exponential function for draws: basic IEEE arithmetic only, so that it is the same on every machine, and
//! about three times as fast as the portable library's, which every lognormal draw would otherwise wait for.

use std::sync::LazyLock;

const STEPS_BITS: u32 = 7;
const STEPS: usize = 1 << STEPS_BITS;
/// Beyond this the exponent of the result needs care that only the library takes.
const PLAIN_MAX: f64 = 700.0;
/// ln 2 / 128 in two parts; the upper one has zeros at its end, so that its multiples are exact.
const STEP_HIGH: f64 = 6.931_471_803_691_238e-1 / STEPS as f64;
const STEP_LOW: f64 = 1.908_214_929_270_587_7e-10 / STEPS as f64;
const STEPS_PER_UNIT: f64 = std::f64::consts::LOG2_E * STEPS as f64;
/// Adding it rounds to a whole number, which is then found in the lowest bits.
const ROUND: f64 = 6_755_399_441_055_744.0;

/// Powers of two from 2⁰ to 2¹, 128 to the octave.
#[derive(Debug)]
pub(super) struct Exp {
    powers: [f64; STEPS],
}

static EXP: LazyLock<Exp> = LazyLock::new(|| {
    let mut powers = [1.0; STEPS];
    for (step, power) in powers.iter_mut().enumerate() {
        *power = libm::exp2(step as f64 / STEPS as f64);
    }
    Exp { powers }
});

impl Exp {
    pub(super) fn get() -> &'static Self {
        &EXP
    }

    /// eˣ to within two units in the last place.
    #[inline]
    pub(super) fn of(&self, x: f64) -> f64 {
        if x.is_nan() || x.abs() > PLAIN_MAX {
            return libm::exp(x);
        }
        let rounded = x * STEPS_PER_UNIT + ROUND;
        let steps = rounded - ROUND;
        let bits = rounded.to_bits();
        let power = self.powers[bits as usize % STEPS];
        let rest = x - steps * STEP_HIGH - steps * STEP_LOW;
        let square = rest * rest;
        // Taylor's series; the rest is below 0.003, so the sixth power would add less than 10⁻¹⁸.
        let beyond = rest
            + square * (0.5 + rest * (1.0 / 6.0))
            + square * square * (1.0 / 24.0 + rest * (1.0 / 120.0));
        let scale = f64::from_bits((((bits >> STEPS_BITS) as i64 + 1023) as u64) << 52);
        (power + power * beyond) * scale
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_exponential_function() {
        let exp = Exp::get();
        for step in -700_000..=700_000 {
            let x = f64::from(step) * 0.001 + f64::from(step % 7) * 1e-5;
            let ratio = exp.of(x) / libm::exp(x);
            assert!((ratio - 1.0).abs() < 5e-16, "{x}: {ratio}");
        }
        assert_eq!(exp.of(0.0), 1.0);
        for x in [
            -1e9,
            1e9,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::MIN_POSITIVE,
        ] {
            assert_eq!(exp.of(x), libm::exp(x));
        }
        assert!(exp.of(f64::NAN).is_nan());
    }
}
