use super::*;
use proptest::prelude::*;

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn field(out: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    varint(out, number << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn number(out: &mut Vec<u8>, field: u64, value: u64) {
    varint(out, field << 3);
    varint(out, value);
}

fn sealed(message: &[u8]) -> Vec<u8> {
    [&MAGIC[..], message, &md5::digest(message)].concat()
}

fn entry(key: u64, hash_key: Option<u64>, data: &[u8]) -> Vec<u8> {
    let mut entry = Vec::new();
    number(&mut entry, 1, key);
    if let Some(index) = hash_key {
        number(&mut entry, 2, index);
    }
    field(&mut entry, 3, data);
    entry
}

/// An aggregate as the library writes it: every key once, then the records.
pub(in crate::source) fn aggregate(records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut keys: Vec<&str> = Vec::new();
    let mut entries = Vec::new();
    for (key, data) in records {
        let known = keys.iter().position(|known| known == key);
        let index = known.unwrap_or_else(|| {
            keys.push(key);
            keys.len() - 1
        });
        field(&mut entries, 3, &entry(index as u64, None, data));
    }
    let mut message = Vec::new();
    for key in keys {
        field(&mut message, 1, key.as_bytes());
    }
    message.extend(entries);
    sealed(&message)
}

/// Made by hand from the format's description: two keys, an explicit hash key, a tag, an unknown field.
#[test]
fn an_aggregate_is_taken_apart() {
    let mut tagged = entry(1, Some(0), b"two");
    let mut tag = Vec::new();
    field(&mut tag, 1, b"colour");
    field(&mut tagged, 4, &tag);
    let mut message = Vec::new();
    field(&mut message, 3, &entry(0, None, b"one"));
    field(&mut message, 3, &tagged);
    message.extend([9 << 3 | 5, 1, 2, 3, 4]);
    message.extend([10 << 3 | 1, 1, 2, 3, 4, 5, 6, 7, 8]);
    field(&mut message, 2, b"17");
    field(&mut message, 1, b"a");
    field(&mut message, 1, "ä".as_bytes());
    let data = sealed(&message);
    let record = |partition_key, data| UserRecord {
        partition_key,
        data,
    };
    let expected = vec![record("a", &b"one"[..]), record("ä", b"two")];
    assert_eq!(deaggregate(&data), Some(expected));
}

#[test]
fn kpl_malformed_is_plain() {
    let good = aggregate(&[("a", b"one"), ("b", b"two")]);
    assert!(deaggregate(&good).is_some());
    for cut in 0..good.len() {
        assert_eq!(deaggregate(&good[..cut]), None, "cut at {cut}");
        let mut flipped = good.clone();
        flipped[cut] ^= 1;
        assert_eq!(deaggregate(&flipped), None, "flipped at {cut}");
    }
    let with = |parts: &[(u64, &[u8])]| {
        let mut message = Vec::new();
        for (number, bytes) in parts {
            field(&mut message, *number, bytes);
        }
        deaggregate(&sealed(&message)).is_some()
    };
    let fine = entry(0, None, b"x");
    assert!(with(&[(1, b"a"), (3, &fine)]));
    assert!(!with(&[(1, b"a")]), "no record");
    assert!(!with(&[(3, &fine)]), "no key");
    assert!(!with(&[(1, b"a"), (3, &entry(1, None, b"x"))]), "wrong key");
    assert!(!with(&[(1, b"a"), (3, &entry(u64::MAX, None, b"x"))]));
    assert!(
        !with(&[(1, b"a"), (3, &entry(0, Some(0), b"x"))]),
        "no hash key"
    );
    assert!(!with(&[(1, b"\xff"), (3, &fine)]), "a key that is no text");
    assert!(!with(&[(1, b"a"), (3, &[8, 0])]), "no data");
    assert!(!with(&[(1, b"a"), (3, &[26, 1, 0])]), "no index");
    assert!(!with(&[(1, b"a"), (3, &[26, 9, 0])]), "longer than it is");
    let is_taken = |message: &[u8]| deaggregate(&sealed(message)).is_some();
    assert!(!is_taken(&[8, 1]), "a number instead of a key");
    assert!(!is_taken(&[0x83]), "an open number");
    assert!(!is_taken(&[9 << 3 | 3]), "a group");
    assert!(!is_taken(&[0xff; 11]), "a number without end");
}

proptest! {
    #[test]
    fn whatever_is_sealed_never_panics(message in any::<Vec<u8>>(), data in any::<Vec<u8>>()) {
        let _ = deaggregate(&data);
        let _ = deaggregate(&[&MAGIC[..], &data].concat());
        let _ = deaggregate(&sealed(&message));
    }

    /// Bytes that look like fields get further than arbitrary ones.
    #[test]
    fn odd_fields_never_panic(parts in proptest::collection::vec((0..12u64, any::<Vec<u8>>(), any::<u64>()), 0..8)) {
        let mut message = Vec::new();
        for (tag, bytes, value) in &parts {
            match tag % 3 {
                0 => number(&mut message, tag / 3 + 1, *value),
                1 => field(&mut message, 3, &entry(*value, None, bytes)),
                _ => field(&mut message, tag / 3 + 1, bytes),
            }
        }
        let _ = deaggregate(&sealed(&message));
    }

    #[test]
    fn what_is_encoded_is_decoded(records in proptest::collection::vec((".{0,4}", any::<Vec<u8>>()), 1..20)) {
        let borrowed: Vec<(&str, &[u8])> =
            records.iter().map(|(key, data)| (key.as_str(), &data[..])).collect();
        let data = aggregate(&borrowed);
        let taken = deaggregate(&data).expect("an aggregate");
        let taken: Vec<_> = taken.iter().map(|record| (record.partition_key, record.data)).collect();
        prop_assert_eq!(taken, borrowed);
    }
}
