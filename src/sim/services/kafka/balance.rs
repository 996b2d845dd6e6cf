//! Who of a group gets which partitions.

/// Shares partitions out evenly, and leaves as many as possible with those who have them: what a cooperative sticky
/// assignor does. `current` says who has each partition; `members` are in the order of their numbers.
///
/// Numbers of partitions differ by one at most. Whoever has the most keeps the odd ones.
pub(super) fn share_out(current: &[Option<u32>], members: &[u32]) -> Vec<Option<u32>> {
    let Some(&last) = members.last() else {
        return vec![None; current.len()];
    };
    let mut have = vec![0; last as usize + 1];
    for owner in current.iter().flatten() {
        if let Some(count) = have.get_mut(*owner as usize) {
            *count += 1;
        }
    }
    let mut by_number: Vec<u32> = members.to_vec();
    by_number.sort_by_key(|member| std::cmp::Reverse(have[*member as usize]));
    // How many each may still take.
    let mut room = vec![0; last as usize + 1];
    let (each, odd) = (current.len() / members.len(), current.len() % members.len());
    for (place, member) in by_number.iter().enumerate() {
        room[*member as usize] = each + usize::from(place < odd);
    }
    let mut shares = vec![None; current.len()];
    for (share, owner) in shares.iter_mut().zip(current) {
        if let Some(owner) = owner
            && let Some(left) = room.get_mut(*owner as usize)
            && *left > 0
        {
            *left -= 1;
            *share = Some(*owner);
        }
    }
    let mut takers = members.iter().copied().peekable();
    for share in shares.iter_mut().filter(|share| share.is_none()) {
        while takers
            .next_if(|member| room[*member as usize] == 0)
            .is_some()
        {}
        if let Some(&member) = takers.peek() {
            room[member as usize] -= 1;
            *share = Some(member);
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(shares: &[Option<u32>], members: &[u32]) -> Vec<usize> {
        let of = |member: &u32| shares.iter().filter(|it| **it == Some(*member)).count();
        members.iter().map(of).collect()
    }

    #[test]
    fn only_what_must_move_moves() {
        let one = share_out(&[None; 7], &[0]);
        assert_eq!(one, [Some(0); 7]);
        let two = share_out(&one, &[0, 1]);
        assert_eq!(counts(&two, &[0, 1]), [4, 3]);
        // The third takes one of each.
        let three = share_out(&two, &[0, 1, 2]);
        assert_eq!(counts(&three, &[0, 1, 2]), [3, 2, 2]);
        let moved = two.iter().zip(&three).filter(|(a, b)| a != b);
        assert_eq!(moved.count(), 2);
        // Who leaves is replaced, and the others keep theirs.
        let left = share_out(&three, &[0, 2]);
        for (before, after) in three.iter().zip(&left) {
            assert!(before == after || *before == Some(1), "{three:?} {left:?}");
        }
        assert_eq!(counts(&left, &[0, 2]), [4, 3]);
        assert_eq!(share_out(&left, &[]), [None; 7]);
    }

    #[test]
    fn shares_are_even_whoever_had_what() {
        for partitions in 1..40usize {
            for members in 1..10u32 {
                let had: Vec<Option<u32>> = (0..partitions as u32)
                    .map(|index| (index % 3 > 0).then_some(index * index % 12))
                    .collect();
                let list: Vec<u32> = (0..members).map(|index| index * 2).collect();
                let shares = share_out(&had, &list);
                assert!(shares.iter().all(Option::is_some));
                let counts = counts(&shares, &list);
                let (low, high) = (counts.iter().min(), counts.iter().max());
                assert!(high.zip(low).is_some_and(|(high, low)| high - low <= 1));
                assert_eq!(share_out(&shares, &list), shares, "it is stable");
            }
        }
    }
}
