//! Shards and what is written to them.

use super::super::world::{Part, Poison, RecordScript, START, ShardScript, Way};
use super::{Dice, Measures};
use crate::engine::{SourceKind, Span, Time, limits};

/// Draws the shards and records of a part. `ends` says that it gives up what never succeeds.
pub(super) fn draw(
    dice: &mut Dice<'_>,
    part: &mut Part,
    measures: Measures,
    end: Time,
    ends: bool,
) {
    part.shards = shards(dice, part.kind, measures, end);
    let count = dice.between(measures.records.0, measures.records.1);
    let begin = START.as_millis() - dice.pick(&[0, 5, 50, 130]) * 1_000;
    let keys = dice.pick(&[1, 2, 5, 40]);
    let key_salt = dice.key();
    let filters = part.parameters.filter_criteria.is_some();
    let aggregates = part.kind == SourceKind::Kinesis && dice.percent(15);
    let (poisons, large) = (dice.pick(&[0, 0, 5, 15]), dice.pick(&[0, 0, 0, 0, 10, 50]));
    let oversize = ends && !part.kind.is_queue() && dice.percent(5)
        || (part.kind.is_broker() || part.kind.is_kafka()) && dice.percent(5);
    // Bursts show what waits for what; even arrivals show windows.
    let bursts = dice.percent(60);
    let mut moments: Vec<u64> = (0..dice.between(1, 4))
        .map(|_| dice.between(begin, end.as_millis()))
        .collect();
    moments.sort_unstable();
    let mut records: Vec<RecordScript> = (0..count)
        .map(|_| {
            let at = if bursts {
                dice.pick(&moments) + dice.below(3)
            } else {
                dice.between(begin, end.as_millis())
            };
            let bytes = if oversize && dice.percent(8) {
                limits::EVENT_BYTES_MAX + 1 + dice.below(1_000_000)
            } else if dice.percent(large) {
                dice.between(1_000_000, 4_000_000)
            } else {
                dice.between(100, 2_000)
            };
            let poison = dice.percent(poisons).then(|| Poison {
                way: dice.pick(&[Way::Throws, Way::Throws, Way::Hangs, Way::Reported]),
                heals: !ends || dice.percent(40),
            });
            RecordScript {
                at: Time::from_millis(at),
                shard: 0,
                key: super::super::dice::hashed(key_salt, dice.below(keys), 0, 0),
                bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
                filtered: filters && dice.percent(35),
                glued: aggregates && dice.percent(50),
                poison,
            }
        })
        .collect();
    records.sort_by_key(|record| record.at);
    for record in &mut records {
        place(part, record);
    }
    part.records = records;
}

/// A record goes to a shard that is open when it arrives, by its key.
fn place(part: &Part, record: &mut RecordScript) {
    let is_open = |shard: &ShardScript| {
        shard.opens <= record.at && shard.closes.is_none_or(|closes| record.at < closes)
    };
    let open: Vec<u32> = (0..part.shards.len() as u32)
        .filter(|index| is_open(&part.shards[*index as usize]))
        .collect();
    let hash = record.key.rotate_left(17) % open.len().max(1) as u64;
    record.shard = open.get(hash as usize).copied().unwrap_or(0);
    if part.kind.is_kafka() {
        record.key = u64::from(record.shard);
    }
}

fn shards(
    dice: &mut Dice<'_>,
    kind: SourceKind,
    measures: Measures,
    end: Time,
) -> Vec<ShardScript> {
    let old = |parents| ShardScript {
        parents,
        opens: Time::ZERO,
        closes: None,
    };
    if kind.is_queue() || kind.is_broker() {
        return vec![old(Vec::new())];
    }
    let mut count = dice.between(measures.shards.0, measures.shards.1);
    if kind.is_kafka() {
        count = dice.between(1, measures.shards.1 * 2);
    }
    let mut shards: Vec<ShardScript> = (0..count).map(|_| old(Vec::new())).collect();
    if kind.is_kafka() {
        return shards;
    }
    let mut at = START.as_millis() - 10_000;
    for _ in 0..dice.pick(&[0, 0, 0, 1, 1, 2, 3]) {
        at = dice.between(at + 1, at.max(end.as_millis()) + 1);
        let at = Time::from_millis(at);
        let open: Vec<u32> = (0..shards.len() as u32)
            .filter(|index| {
                let shard = &shards[*index as usize];
                shard.closes.is_none() && shard.opens + Span::from_millis(1) < at
            })
            .collect();
        if open.is_empty() {
            break;
        }
        let first = dice.pick(&open);
        let second = dice.pick(&open);
        let mut close = |index: u32| shards[index as usize].closes = Some(at);
        close(first);
        let child = |parents: Vec<u32>| ShardScript {
            parents,
            opens: at,
            closes: None,
        };
        if first != second && kind == SourceKind::Kinesis {
            close(second);
            shards.push(child(vec![first, second]));
        } else {
            for _ in 0..dice.pick(&[1, 2, 2]) {
                shards.push(child(vec![first]));
            }
        }
    }
    shards
}
