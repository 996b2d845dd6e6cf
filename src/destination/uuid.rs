//! Names in the form of UUIDs, made of what they name instead of chance.

use crate::engine::stream_key;

/// The UUID that stands for a mapping: RFC 9562's version 8, of two hashes of its name, its source's ARN and its function's.
///
/// The same mapping has the same UUID in every run; on AWS the service would have drawn one when the mapping was made.
pub(super) fn of_mapping(name: &str, source_arn: &str, function_arn: &str) -> String {
    let text = format!("{name}\n{source_arn}\n{function_arn}");
    shown(hash(0, &text), 8)
}

/// The UUID in the name of an object, with the look of version 4: of what the object is about and when.
pub(super) fn of_object(seed: u64, about: &str) -> String {
    shown(hash(seed, about), 4)
}

fn hash(seed: u64, text: &str) -> u128 {
    let high = stream_key(seed, text);
    let low = stream_key(high, text);
    u128::from(high) << 64 | u128::from(low)
}

fn shown(number: u128, version: u128) -> String {
    let kept = number & !(0xf000 << 64) & !(0xc000 << 48);
    let id = kept | version << 76 | 0x8000 << 48;
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        (id >> 96) as u32,
        (id >> 80) as u16,
        (id >> 64) as u16,
        (id >> 48) as u16,
        id & 0xffff_ffff_ffff,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_and_variant_are_in_their_places() {
        assert_eq!(shown(u128::MAX, 8), "ffffffff-ffff-8fff-bfff-ffffffffffff");
        assert_eq!(shown(0, 4), "00000000-0000-4000-8000-000000000000");
    }

    #[test]
    fn each_part_of_a_mapping_makes_another_name() {
        let names = [
            of_mapping("a", "b", "c"),
            of_mapping("x", "b", "c"),
            of_mapping("a", "x", "c"),
            of_mapping("a", "b", "x"),
            of_mapping("ab", "", "c"),
        ];
        let mut distinct = names.to_vec();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), names.len());
        // It must not change from version to version: objects of one mapping share a prefix.
        assert_eq!(names[0], "a0203e37-dd23-80f6-b071-2a17b2fd1ece");
    }
}
