//! Filters in virtual time: modelled records have no contents, so a share of them passes.

use crate::engine::{Meta, Page, Ratio, mix, stream_key};
use crate::scenario::Mapping;

/// Which records pass the filters of one mapping.
///
/// The choice is a function of the record and of the mapping's name: a record that comes again is judged alike, and
/// two mappings with the same share on one source keep different records.
#[derive(Clone, Copy, Debug)]
pub(super) struct Matching {
    share: Ratio,
    key: u64,
}

impl Matching {
    /// `None` for a mapping without filters.
    pub(super) fn new(mapping: &Mapping, seed: u64) -> Option<Self> {
        let label = format!("mapping/{}/matching", mapping.config.name);
        Some(Self {
            share: mapping.matching?,
            key: stream_key(seed, &label),
        })
    }

    /// What a mapping of a stream sees of a page. The page's end covers all of it.
    pub(super) fn of_stream(&self, mut page: Page<()>) -> Page<()> {
        let read = page.records.len();
        // A sequence number is the same for every reader; the group may be that of many records.
        page.records
            .retain(|record| self.passes(&record.meta, record.meta.seq.mixed()));
        page.filtered += (read - page.records.len()) as u32;
        page
    }

    /// What a mapping of Kafka sees of a page. The ends of its partitions cover all of it.
    pub(super) fn of_kafka(&self, mut page: Page<()>) -> Page<()> {
        let ends = &mut page.ends;
        let mut at = 0;
        page.records.retain(|record| {
            let passes = self.passes(&record.meta, record.meta.seq.mixed());
            if !passes {
                // Records and ends stand in one order, and each partition with records has an end.
                while u64::from(ends[at].shard.0) != record.meta.group {
                    at += 1;
                }
                ends[at].filtered += 1;
            }
            passes
        });
        page.filtered += page.ends.iter().map(|end| end.filtered).sum::<u32>();
        page
    }

    /// What a mapping of a queue sees of a receive. What is left out is to be deleted.
    pub(super) fn of_queue(&self, mut page: Page<()>) -> Page<()> {
        // The sequence number of a message is that of its receipt, so it says nothing here.
        let rejected = page
            .records
            .extract_if(.., |record| !self.passes(&record.meta, 0));
        page.rejected.extend(rejected);
        page
    }

    fn passes(&self, meta: &Meta, place: u64) -> bool {
        let record = mix(mix(meta.group) ^ meta.arrival.as_nanos()) ^ place;
        self.share.picks(mix(record ^ self.key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Record, Seq, Time};

    const COUNT: u64 = 100_000;

    fn matching(name: &str, share: Ratio) -> Matching {
        Matching {
            share,
            key: stream_key(1, name),
        }
    }

    /// Messages as the `receive`th receive hands them out.
    fn page(receive: u64) -> Page<()> {
        let record = |n: u64| Record {
            meta: Meta {
                seq: Seq::from(receive * COUNT + n),
                group: mix(n),
                arrival: Time::from_nanos(n),
                wire_len: 100,
            },
            payload: (),
        };
        Page {
            records: (0..COUNT).map(record).collect(),
            end: Some(Seq::from(COUNT)),
            ..Page::default()
        }
    }

    fn groups(records: &[Record<()>]) -> Vec<u64> {
        records.iter().map(|record| record.meta.group).collect()
    }

    #[test]
    fn the_share_of_records_passes_and_the_rest_is_accounted_for() {
        let quarter = Ratio::new(1, 4).expect("a chance");
        let stream = matching("a", quarter).of_stream(page(0));
        let queue = matching("a", quarter).of_queue(page(0));
        for passed in [stream.records.len(), queue.records.len()] {
            assert!((24_000..26_000).contains(&passed), "{passed}");
        }
        assert_eq!(
            stream.records.len() as u64 + u64::from(stream.filtered),
            COUNT
        );
        assert_eq!((queue.records.len() + queue.rejected.len()) as u64, COUNT);
        assert_eq!((stream.end, queue.filtered), (Some(Seq::from(COUNT)), 0));
        assert!(stream.rejected.is_empty());
        for (share, passed) in [(Ratio::ZERO, 0), (Ratio::ONE, COUNT)] {
            let page = matching("a", share).of_stream(page(0));
            assert_eq!(page.records.len() as u64, passed);
        }
    }

    #[test]
    fn a_message_is_judged_alike_whenever_it_is_received() {
        let half = matching("a", Ratio::new(1, 2).expect("a chance"));
        let (first, again) = (half.of_queue(page(0)), half.of_queue(page(7)));
        assert_eq!(groups(&first.records), groups(&again.records));
    }

    #[test]
    fn two_mappings_with_one_share_differ() {
        let half = Ratio::new(1, 2).expect("a chance");
        let a = groups(&matching("a", half).of_stream(page(0)).records);
        let b = groups(&matching("b", half).of_stream(page(0)).records);
        // Independent choices share half of what each keeps; equal ones would share all of it.
        let shared = a[..1_000].iter().filter(|group| b.contains(group)).count();
        assert!((400..600).contains(&shared), "{shared}");
    }
}
