//! SHA-256 (FIPS 180-4) in base 64, as content security policies name the scripts and styles that they allow.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Fractional bits of the square roots (`ROOTS = 2`) or cube roots (`3`) of the first primes.
fn constants<const N: usize>(root: u32) -> [u32; N] {
    let mut found = [0; N];
    let mut primes = 0;
    let mut candidate = 2_u32;
    while primes < N {
        if (2..candidate)
            .take_while(|d| d * d <= candidate)
            .all(|d| !candidate.is_multiple_of(d))
        {
            found[primes] = fraction(u128::from(candidate), root);
            primes += 1;
        }
        candidate += 1;
    }
    found
}

/// The first 32 fractional bits of a root: that of the value times 2^(32 × root), rounded down.
fn fraction(value: u128, root: u32) -> u32 {
    let wanted = value << (32 * root);
    let (mut low, mut high) = (0_u128, 1 << 40);
    while high - low > 1 {
        let middle = u128::midpoint(low, high);
        match middle.checked_pow(root) {
            Some(power) if power <= wanted => low = middle,
            _ => high = middle,
        }
    }
    low as u32
}

/// The digest of `text`, 44 characters.
pub(super) fn base64(text: &str) -> String {
    let digest = digest(text.as_bytes());
    let mut encoded = String::new();
    for group in digest.chunks(3) {
        let bits = (0..3).fold(0_u32, |bits, at| {
            bits << 8 | u32::from(group.get(at).copied().unwrap_or(0))
        });
        for digit in 0..4 {
            encoded.push(if digit <= group.len() {
                char::from(ALPHABET[(bits >> (18 - 6 * digit) & 63) as usize])
            } else {
                '='
            });
        }
    }
    encoded
}

fn digest(message: &[u8]) -> [u8; 32] {
    let keys: [u32; 64] = constants(3);
    let mut state: [u32; 8] = constants(2);
    let mut padded = message.to_vec();
    padded.push(0x80);
    padded.resize((padded.len() + 8).next_multiple_of(64) - 8, 0);
    padded.extend((message.len() as u64 * 8).to_be_bytes());
    for block in padded.chunks_exact(64) {
        let mut words = [0_u32; 64];
        for (word, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
            *word = bytes
                .iter()
                .fold(0, |word, byte| word << 8 | u32::from(*byte));
        }
        for at in 16..64 {
            let [a, b] = [words[at - 15], words[at - 2]];
            let a = a.rotate_right(7) ^ a.rotate_right(18) ^ a >> 3;
            let b = b.rotate_right(17) ^ b.rotate_right(19) ^ b >> 10;
            words[at] = words[at - 16]
                .wrapping_add(a)
                .wrapping_add(words[at - 7])
                .wrapping_add(b);
        }
        let before = state;
        for (key, word) in keys.iter().zip(words) {
            let [a, b, c, d, e, f, g, h] = state;
            let mixed = (e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25))
                .wrapping_add((e & f) ^ (!e & g))
                .wrapping_add(h)
                .wrapping_add(*key)
                .wrapping_add(word);
            let majority = (a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22))
                .wrapping_add((a & b) ^ (a & c) ^ (b & c));
            state = [
                mixed.wrapping_add(majority),
                a,
                b,
                c,
                d.wrapping_add(mixed),
                e,
                f,
                g,
            ];
        }
        for (after, before) in state.iter_mut().zip(before) {
            *after = after.wrapping_add(before);
        }
    }
    let mut bytes = [0; 32];
    for (target, word) in bytes.chunks_exact_mut(4).zip(state) {
        target.copy_from_slice(&word.to_be_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of FIPS 180-2, and the empty message.
    #[test]
    fn published_digests() {
        let hex = |text: &str| {
            let bytes = digest(text.as_bytes());
            bytes
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
        };
        assert_eq!(
            hex("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(
            hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        );
        assert_eq!(base64(""), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }
}
