//! The earliest of many arrival processes, with one comparison per level when one of them moves on.

use crate::engine::Time;

/// A winner tree over a fixed number of players.
#[derive(Debug)]
pub(super) struct Tournament {
    times: Vec<Time>,
    /// Winner of each inner node; node 1 is the root, leaves are implied.
    winners: Vec<u32>,
    leaves: usize,
}

impl Tournament {
    /// A tree of players with their first times; `None` means never.
    pub(super) fn new(first: impl Iterator<Item = Option<Time>>) -> Self {
        let mut times: Vec<Time> = first.map(|at| at.unwrap_or(Time::MAX)).collect();
        let leaves = times.len().next_power_of_two().max(1);
        times.resize(leaves, Time::MAX);
        let mut tree = Self {
            times,
            winners: vec![0; leaves],
            leaves,
        };
        for node in (1..leaves).rev() {
            tree.play(node);
        }
        tree
    }

    /// Who is earliest, and when; ties go to the lower index.
    #[inline]
    pub(super) fn first(&self) -> (usize, Time) {
        let winner = if self.leaves == 1 {
            0
        } else {
            self.winners[1] as usize
        };
        (winner, self.times[winner])
    }

    /// Moves a player to its next time.
    #[inline]
    pub(super) fn set(&mut self, player: usize, at: Option<Time>) {
        self.times[player] = at.unwrap_or(Time::MAX);
        let mut node = (player + self.leaves) / 2;
        while node > 0 {
            self.play(node);
            node /= 2;
        }
    }

    #[inline]
    fn play(&mut self, node: usize) {
        let of = |child: usize| {
            if child >= self.leaves {
                (child - self.leaves) as u32
            } else {
                self.winners[child]
            }
        };
        let (left, right) = (of(node * 2), of(node * 2 + 1));
        let right_wins = self.times[right as usize] < self.times[left as usize];
        self.winners[node] = if right_wins { right } else { left };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Rng;

    #[test]
    fn the_earliest_player_is_always_first() {
        for players in [1usize, 2, 3, 7, 64, 100] {
            let mut rng = Rng::stream(3, "tournament");
            let mut times: Vec<Time> = (0..players)
                .map(|_| Time::from_nanos(rng.below(50)))
                .collect();
            let mut tree = Tournament::new(times.iter().copied().map(Some));
            for _ in 0..1_000 {
                let (index, at) = tree.first();
                let expected = times.iter().enumerate().min_by_key(|&(i, at)| (*at, i));
                assert_eq!(expected, Some((index, &at)));
                let next = Time::from_nanos(at.as_nanos() + rng.below(9));
                times[index] = next;
                tree.set(index, Some(next));
            }
        }
        assert_eq!(Tournament::new(std::iter::empty()).first().1, Time::MAX);
    }
}
