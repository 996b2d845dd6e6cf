//! The earliest of many arrival processes, with one comparison per level when one of them moves on.

use crate::engine::Time;

/// A loser tree over a fixed number of players.
#[derive(Debug)]
pub(super) struct Tournament {
    first: Player,
    /// Who lost at each inner node; node 1 is the root, leaves are implied.
    losers: Vec<Player>,
}

/// A player's time above its number, so that ties go to the lower number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Player(u128);

impl Player {
    #[inline]
    fn new(index: usize, at: Option<Time>) -> Self {
        let at = at.unwrap_or(Time::MAX).as_nanos();
        Self(u128::from(at) << 64 | index as u128)
    }

    #[inline]
    const fn index(self) -> usize {
        self.0 as u64 as usize
    }
}

impl Tournament {
    /// A tree of players with their first times; `None` means never.
    pub(super) fn new(first: impl Iterator<Item = Option<Time>>) -> Self {
        let mut players: Vec<Player> = first
            .enumerate()
            .map(|(index, at)| Player::new(index, at))
            .collect();
        let leaves = players.len().next_power_of_two().max(1);
        players.extend((players.len()..leaves).map(|index| Player::new(index, None)));
        // Of each node, leaves included; node 0 is nobody's.
        let mut winners = vec![players[0]; leaves];
        winners.append(&mut players);
        let mut losers = vec![winners[0]; leaves];
        for node in (1..leaves).rev() {
            let (left, right) = (winners[node * 2], winners[node * 2 + 1]);
            winners[node] = left.min(right);
            losers[node] = left.max(right);
        }
        Self {
            first: winners[1],
            losers,
        }
    }

    /// Who is earliest, and when; ties go to the lower index.
    #[inline]
    pub(super) fn first(&self) -> (usize, Time) {
        let at = (self.first.0 >> 64) as u64;
        (self.first.index(), Time::from_nanos(at))
    }

    /// Moves the earliest player to its next time.
    #[inline]
    pub(super) fn advance(&mut self, at: Option<Time>) {
        let index = self.first.index();
        let mut rising = Player::new(index, at);
        let losers = self.losers.as_mut_slice();
        let mut node = (index + losers.len()) / 2;
        while node > 0 {
            let other = losers[node];
            let (first, second) = match other < rising {
                true => (other, rising),
                false => (rising, other),
            };
            (rising, losers[node]) = (first, second);
            node /= 2;
        }
        self.first = rising;
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
                tree.advance(Some(next));
            }
        }
        assert_eq!(Tournament::new(std::iter::empty()).first().1, Time::MAX);
    }
}
