//! Where to look: a coarse grid or a Latin hypercube first, then the neighbourhood of the best.

use super::axis::Axis;
use super::contender::Contender;
use super::race::{best_of, leader, race};
use super::{Plan, RunsLeft};
use crate::engine::Rng;
use crate::scenario::SourceText;
use crate::sim::Progress;

/// Points of the first look: one that is a grid, if it has no more than this, and as many of a Latin hypercube otherwise.
const COARSE_MAX: usize = 30;
/// The first look may take this part of the budget.
const COARSE_SHARE: usize = 2;

/// The contenders of a search, that of the scenario as it is first, and whether the budget lasted.
pub(super) fn search<P: Progress>(
    plan: &Plan,
    source: &SourceText,
    contenders: &mut Vec<Contender>,
    left: &mut RunsLeft,
    progress: &(impl Fn() -> P + Sync),
) -> bool {
    let minimum = plan.replications_min;
    let room = left.runs() / (COARSE_SHARE * minimum).max(1);
    for point in coarse(&plan.axes, room.clamp(2, COARSE_MAX), plan.seed) {
        contenders.push(Contender::at(source, &plan.axes, point));
    }
    let all: Vec<usize> = (0..contenders.len()).collect();
    if !race(plan, contenders, &all, minimum, left, progress) {
        return false;
    }
    loop {
        // The scenario as it is has no place on the axes, and may lead nevertheless.
        let Some(best) = best_of(plan, contenders, |one| one.point.is_some()) else {
            return true;
        };
        let proposals = proposals(&plan.axes, contenders, best);
        if proposals.is_empty() {
            break;
        }
        let first = contenders.len();
        for point in proposals {
            contenders.push(Contender::at(source, &plan.axes, point));
        }
        let mut field: Vec<usize> = (first..contenders.len()).collect();
        field.push(best);
        if !race(plan, contenders, &field, minimum, left, progress) {
            return false;
        }
    }
    settle(plan, contenders, left, progress)
}

/// More replications for the best and for whoever is still level with it, until the best has all.
fn settle<P: Progress>(
    plan: &Plan,
    contenders: &mut [Contender],
    left: &mut RunsLeft,
    progress: &(impl Fn() -> P + Sync),
) -> bool {
    let all: Vec<usize> = (0..contenders.len()).collect();
    for replications in plan.replications_min + 1..=plan.replications_max {
        if !race(plan, contenders, &all, replications, left, progress) {
            return false;
        }
        // Whoever leads now had left before: it is back, with the runs that it misses.
        if let Some(best) = leader(plan, contenders) {
            contenders[best].is_out = false;
            if !race(plan, contenders, &[best], replications, left, progress) {
                return false;
            }
        }
    }
    while let Some(best) =
        leader(plan, contenders).filter(|best| contenders[*best].rows.len() < plan.replications_max)
    {
        contenders[best].is_out = false;
        if !race(
            plan,
            contenders,
            &[best],
            plan.replications_max,
            left,
            progress,
        ) {
            return false;
        }
    }
    true
}

/// The first points: every combination of a few values of each axis, or a Latin hypercube where those are too many.
fn coarse(axes: &[Axis], most: usize, seed: u64) -> Vec<Vec<i64>> {
    let mut each = 7;
    let size = |each: usize| {
        axes.iter()
            .map(|axis| axis.size().min(each as u128))
            .product::<u128>()
    };
    while each > 2 && size(each) > most as u128 {
        each -= 1;
    }
    // Two values of an axis say little of what is between them.
    if (each >= 3 || axes.len() < 3) && size(each) <= most as u128 {
        return grid(axes, each);
    }
    hypercube(axes, most, seed)
}

fn grid(axes: &[Axis], each: usize) -> Vec<Vec<i64>> {
    let mut points = vec![Vec::new()];
    for axis in axes {
        let values = axis.spread(each);
        points = points
            .into_iter()
            .flat_map(|point: Vec<i64>| {
                values.iter().map(move |value| {
                    let mut longer = point.clone();
                    longer.push(*value);
                    longer
                })
            })
            .collect();
    }
    points
}

/// Each axis in `count` parts, each part once.
fn hypercube(axes: &[Axis], count: usize, seed: u64) -> Vec<Vec<i64>> {
    let mut points = vec![Vec::new(); count];
    for axis in axes {
        let mut rng = Rng::stream(seed, &format!("tune/{}", axis.path));
        let mut parts: Vec<usize> = (0..count).collect();
        for last in (1..count).rev() {
            parts.swap(last, rng.below(last as u64 + 1) as usize);
        }
        let (low, high) = axis.bounds();
        for (point, part) in points.iter_mut().zip(parts) {
            point.push(axis.between(low, high, part as i64, count as i64 - 1));
        }
    }
    points.sort();
    points.dedup();
    points
}

/// Points around the best that nobody has tried: along each axis the nearest tried value and the middle of the way there; when all of
/// those are known, along two axes at once, so that one may give what the other takes.
fn proposals(axes: &[Axis], contenders: &[Contender], best: usize) -> Vec<Vec<i64>> {
    let Some(at) = contenders[best].point.as_ref() else {
        return Vec::new();
    };
    let tried = |point: &[i64]| {
        contenders
            .iter()
            .any(|one| one.point.as_deref() == Some(point))
    };
    let mut list: Vec<Vec<i64>> = Vec::new();
    let mut propose = |point: Vec<i64>| {
        if !tried(&point) && !list.contains(&point) {
            list.push(point);
        }
    };
    let moved = |point: &[i64], axis: usize, value: i64| {
        let mut other = point.to_vec();
        other[axis] = value;
        other
    };
    for (index, axis) in axes.iter().enumerate() {
        for direction in [-1, 1] {
            let Some(near) = neighbour(axes, contenders, at, index, direction) else {
                continue;
            };
            let gap = (near - at[index]).abs();
            if gap <= axis.resolution(at[index]) {
                propose(moved(at, index, near));
                continue;
            }
            let (low, high) = (near.min(at[index]), near.max(at[index]));
            let middle = axis.between(low, high, 1, 2).clamp(low + 1, high - 1);
            propose(moved(at, index, middle));
        }
    }
    if list.is_empty() {
        for (one, other) in (0..axes.len()).flat_map(|one| (0..one).map(move |other| (one, other)))
        {
            for (up, down) in [(1, -1), (-1, 1)] {
                let steps = (
                    neighbour(axes, contenders, at, one, up),
                    neighbour(axes, contenders, at, other, down),
                );
                if let (Some(first), Some(second)) = steps {
                    let point = moved(&moved(at, one, first), other, second);
                    if !tried(&point) && !list.contains(&point) {
                        list.push(point);
                    }
                }
            }
        }
    }
    list
}

/// The nearest value in a direction that was tried with everything else equal, or else the end of the axis; `None` at the end.
pub(super) fn neighbour(
    axes: &[Axis],
    contenders: &[Contender],
    at: &[i64],
    axis: usize,
    direction: i64,
) -> Option<i64> {
    let alike = contenders
        .iter()
        .filter_map(|one| one.point.as_ref())
        .filter(|point| {
            point
                .iter()
                .zip(at)
                .enumerate()
                .all(|(index, (value, own))| index == axis || value == own)
        });
    let beyond = alike
        .map(|point| point[axis])
        .filter(|value| (value - at[axis]).signum() == direction);
    let nearest = beyond.min_by_key(|value| (value - at[axis]).abs());
    let (low, high) = axes[axis].bounds();
    let end = if direction < 0 { low } else { high };
    nearest.or((end != at[axis]).then_some(end))
}
