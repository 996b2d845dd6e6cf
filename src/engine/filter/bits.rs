//! Sets of small numbers in words that the caller holds.

use super::table::Part;

#[inline]
pub(super) fn get(words: &[u64], bit: u32) -> bool {
    words[bit as usize / 64] >> (bit % 64) & 1 == 1
}

#[inline]
pub(super) fn set(words: &mut [u64], bit: u32) {
    words[bit as usize / 64] |= 1 << (bit % 64);
}

#[inline]
pub(super) fn unset(words: &mut [u64], bit: u32) {
    words[bit as usize / 64] &= !(1 << (bit % 64));
}

/// Removes every number of `range`.
#[inline]
pub(super) fn clear(words: &mut [u64], range: &Part) {
    let mut bit = range.start;
    while bit < range.end {
        let end = range.end.min((bit / 64 + 1) * 64);
        let ones = u64::MAX >> (64 - (end - bit)) << (bit % 64);
        words[bit as usize / 64] &= !ones;
        bit = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cleared_exactly() {
        for (low, high) in [
            (0, 0),
            (0, 1),
            (0, 64),
            (3, 64),
            (60, 70),
            (1, 191),
            (64, 128),
            (191, 192),
        ] {
            let mut words = [u64::MAX; 3];
            clear(&mut words, &(low..high));
            for bit in 0..192 {
                assert_eq!(
                    get(&words, bit),
                    !(low..high).contains(&bit),
                    "{bit} of {low}..{high}"
                );
            }
        }
    }
}
