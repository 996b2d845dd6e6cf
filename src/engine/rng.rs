//! Random streams derived from labels, so that adding one consumer leaves every other one's draws alone.
//!
//! The generator is xoshiro256++ (Blackman and Vigna, public domain algorithm), seeded by SplitMix64 from
//! a hash of seed and label. Everything here is integer arithmetic: the same seed gives the same
//! draws on every machine.

/// A deterministic stream of random numbers.
///
/// ```
/// use tidegate::engine::{Ratio, Rng};
///
/// let mut jitter = Rng::stream(7, "mapping/orders/jitter");
/// let mut again = Rng::stream(7, "mapping/orders/jitter");
/// assert_eq!(jitter.next_u64(), again.next_u64());
/// assert_ne!(jitter.next_u64(), Rng::stream(7, "mapping/orders/other").next_u64());
/// // A ratio above one is refused when it is made, not clamped when it is used.
/// assert!(Ratio::new(3, 2).is_none());
/// ```
#[derive(Clone, Debug)]
pub struct Rng {
    state: [u64; 4],
}

/// A chance as a fraction of two integers, between 0 and 1 inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ratio {
    numerator: u64,
    denominator: u64,
}

/// Mixes one word so that every input bit reaches every output bit (the SplitMix64 finaliser).
pub const fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

impl Rng {
    /// The stream named `label` under `seed`.
    pub fn stream(seed: u64, label: &str) -> Self {
        Self::from_key(stream_key(seed, label))
    }

    /// The stream that belongs to `key`; two keys give unrelated streams.
    pub const fn from_key(key: u64) -> Self {
        let mut state = [0; 4];
        let mut word = key;
        let mut i = 0;
        while i < 4 {
            word = word.wrapping_add(GOLDEN);
            state[i] = mix(word);
            i += 1;
        }
        Self { state }
    }

    /// The next 64 random bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        let s = &mut self.state;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// A whole number in `0..bound`; `bound` must be positive.
    ///
    /// The bias of the multiply-shift method is below 2⁻³² for bounds under 2³², far under what any
    /// figure of ours can show.
    #[inline]
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "a random number below zero was asked for");
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// A number in `[0, 1)` with 53 random bits.
    #[inline]
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Whether an event of chance `ratio` happens. Draws nothing when the answer is certain.
    #[inline]
    pub fn chance(&mut self, ratio: Ratio) -> bool {
        if ratio.numerator == 0 {
            return false;
        }
        ratio.numerator >= ratio.denominator || self.below(ratio.denominator) < ratio.numerator
    }
}

/// The 64-bit key of the stream named `label` under `seed`.
pub fn stream_key(seed: u64, label: &str) -> u64 {
    let mut key = mix(seed.wrapping_add(GOLDEN));
    for byte in label.bytes() {
        key = mix(key.wrapping_mul(GOLDEN) ^ u64::from(byte));
    }
    key
}

impl Ratio {
    /// Never.
    pub const ZERO: Self = Self {
        numerator: 0,
        denominator: 1,
    };
    /// Always.
    pub const ONE: Self = Self {
        numerator: 1,
        denominator: 1,
    };

    /// `numerator / denominator`, or `None` when that is no chance (above one, or over zero).
    pub const fn new(numerator: u64, denominator: u64) -> Option<Self> {
        if denominator == 0 || numerator > denominator {
            return None;
        }
        Some(Self {
            numerator,
            denominator,
        })
    }

    /// Whether the chance is zero.
    pub const fn is_zero(self) -> bool {
        self.numerator == 0
    }

    /// Whether the item with the (well mixed) hash `hash` is among the chosen share. The same item is
    /// always answered alike, which is what a poison record needs.
    #[inline]
    pub fn picks(self, hash: u64) -> bool {
        let point = (u128::from(hash) * u128::from(self.denominator)) >> 64;
        point < u128::from(self.numerator)
    }

    /// The chance times `factor`, unless that is above one.
    pub fn times(self, factor: u64) -> Option<Self> {
        Self::new(self.numerator.checked_mul(factor)?, self.denominator)
    }

    /// That share of `count`, to the nearest whole number.
    pub fn of(self, count: u32) -> u32 {
        let (numerator, denominator) = (u128::from(self.numerator), u128::from(self.denominator));
        let doubled = 2 * u128::from(count) * numerator + denominator;
        // At most `count`, because the chance is at most one.
        u32::try_from(doubled / (2 * denominator)).unwrap_or(count)
    }

    /// Whether two shares make a whole.
    pub fn completes(self, other: Self) -> bool {
        let a = u128::from(self.numerator) * u128::from(other.denominator);
        let b = u128::from(other.numerator) * u128::from(self.denominator);
        // Each product is below 2^128 and both together are compared without adding them up.
        let whole = u128::from(self.denominator) * u128::from(other.denominator);
        whole.checked_sub(a) == Some(b)
    }

    /// The chance as a number, for presentation.
    pub fn as_f64(self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }
}

impl Default for Ratio {
    fn default() -> Self {
        Self::ZERO
    }
}

impl std::fmt::Display for Ratio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.numerator, self.denominator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_fixed_for_ever() {
        // Changing these numbers changes every published result: bump the version when it must be.
        let mut rng = Rng::stream(1, "a");
        let drawn: Vec<u64> = (0..3).map(|_| rng.next_u64()).collect();
        let mut again = Rng::stream(1, "a");
        assert_eq!(drawn, (0..3).map(|_| again.next_u64()).collect::<Vec<_>>());
        assert_ne!(stream_key(1, "ab"), stream_key(1, "ba"));
        assert_ne!(stream_key(1, "a"), stream_key(2, "a"));
    }

    #[test]
    fn a_share_is_picked_as_often_as_it_says() {
        let ratio = Ratio::new(1, 10).expect("a tenth is a chance");
        let picked = (0..100_000u64).filter(|&n| ratio.picks(mix(n))).count();
        assert!((9_500..10_500).contains(&picked), "{picked}");
        let mut rng = Rng::stream(3, "chance");
        let happened = (0..100_000).filter(|_| rng.chance(ratio)).count();
        assert!((9_500..10_500).contains(&happened), "{happened}");
    }
}
