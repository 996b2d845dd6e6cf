//! Which delivery a receipt stands for, and how few words settle many of them.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// A delivery: tags count up from 1 on each channel, so they mean nothing without the connection they came on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Receipt {
    pub(super) poller: u32,
    /// Which of the poller's connections, counted from 1.
    pub(super) generation: u64,
    pub(super) tag: u64,
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.poller, self.generation, self.tag)
    }
}

impl FromStr for Receipt {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('/');
        let mut next = || parts.next()?.parse::<u64>().ok();
        let (poller, generation, tag) = (next().ok_or(())?, next().ok_or(())?, next().ok_or(())?);
        Ok(Self {
            poller: u32::try_from(poller).map_err(|_| ())?,
            generation,
            tag,
        })
    }
}

/// One word to the broker: this tag, or all tags up to it that are unsettled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) tag: u64,
    pub(super) multiple: bool,
}

/// Which tags of a channel are settled.
#[derive(Debug)]
pub(super) struct Settled {
    /// The lowest tag that is not.
    lowest: u64,
    /// Settled tags above it.
    above: BTreeSet<u64>,
}

impl Default for Settled {
    fn default() -> Self {
        Self {
            lowest: 1,
            above: BTreeSet::new(),
        }
    }
}

impl Settled {
    /// The words that settle `tags` and no others. Batches come in the order of their tags, so one word is enough for
    /// most: it may be said of all tags up to the last one if every one of them is in the batch or settled already.
    pub(super) fn settle(&mut self, mut tags: Vec<u64>) -> Vec<Word> {
        tags.sort_unstable();
        let mut words = Vec::new();
        let mut until = 0;
        let mut rest = tags.as_slice();
        while let Some((&tag, behind)) = rest.split_first() {
            self.skip();
            if tag != self.lowest {
                break;
            }
            self.lowest += 1;
            until = tag;
            rest = behind;
        }
        if until > 0 {
            let tag = until;
            words.push(Word {
                tag,
                multiple: true,
            });
        }
        for &tag in rest {
            self.above.insert(tag);
            let multiple = false;
            words.push(Word { tag, multiple });
        }
        self.skip();
        words
    }

    fn skip(&mut self) {
        while self.above.remove(&self.lowest) {
            self.lowest += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn receipts_are_read_back() {
        let receipt = Receipt {
            poller: 3,
            generation: 7,
            tag: u64::MAX,
        };
        assert_eq!(receipt.to_string().parse(), Ok(receipt));
        for text in ["", "1/2", "a/b/c", "4294967296/1/1", "1/-1/1"] {
            assert_eq!(text.parse::<Receipt>(), Err(()), "{text}");
        }
    }

    fn word(tag: u64, multiple: bool) -> Word {
        Word { tag, multiple }
    }

    #[test]
    fn a_batch_in_order_takes_one_word() {
        let mut settled = Settled::default();
        assert_eq!(settled.settle(vec![1, 2, 3]), [word(3, true)]);
        assert_eq!(settled.settle(vec![5, 4]), [word(5, true)]);
        // 6 and 8 were filtered out and go first.
        assert_eq!(
            settled.settle(vec![8, 10]),
            [word(8, false), word(10, false)]
        );
        assert_eq!(settled.settle(vec![6, 7, 9]), [word(9, true)]);
        assert_eq!(settled.settle(vec![11]), [word(11, true)]);
    }

    proptest! {
        /// A model of the broker: `multiple` settles everything unsettled up to the tag.
        #[test]
        fn only_what_is_meant_is_settled(choices in proptest::collection::vec(0u8..4, 1..60)) {
            let mut settled = Settled::default();
            let mut unsettled: BTreeSet<u64> = (1..=choices.len() as u64).collect();
            for part in 0..4 {
                let tags: Vec<u64> = (1..).zip(&choices).filter(|(_, choice)| **choice == part).map(|(tag, _)| tag).collect();
                let mut expected = unsettled.clone();
                for tag in &tags {
                    expected.remove(tag);
                }
                for word in settled.settle(tags) {
                    match word.multiple {
                        true => unsettled = unsettled.split_off(&(word.tag + 1)),
                        false => prop_assert!(unsettled.remove(&word.tag), "the broker knows no such delivery"),
                    }
                }
                prop_assert_eq!(&unsettled, &expected);
            }
        }
    }
}
