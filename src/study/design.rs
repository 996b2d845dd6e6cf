//! Which combinations of values are tried.

use super::axis::Axis;
use crate::engine::Rng;
use crate::scenario::Change;
use std::fmt;

/// Which combinations of the axes' values are variants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Design {
    /// All of them; the last axis changes fastest.
    #[default]
    Grid,
    /// So many points of a Latin hypercube: along every axis each of as many equal parts has one point.
    LatinHypercube(u32),
}

/// The text is no design.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{found}` is no sample; write `lhs:N` for N points of a Latin hypercube (1 to {VARIANTS_MAX}), or leave it out for a grid of all combinations"
)]
pub struct DesignError {
    found: String,
}

/// More variants than anybody looks at.
pub(super) const VARIANTS_MAX: u32 = 1_000_000;

impl std::str::FromStr for Design {
    type Err = DesignError;

    fn from_str(text: &str) -> Result<Self, DesignError> {
        if text == "grid" {
            return Ok(Self::Grid);
        }
        let count = text.strip_prefix("lhs:").and_then(|n| n.parse().ok());
        match count.filter(|count| (1..=VARIANTS_MAX).contains(count)) {
            Some(count) => Ok(Self::LatinHypercube(count)),
            None => Err(DesignError {
                found: text.to_owned(),
            }),
        }
    }
}

impl fmt::Display for Design {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Grid => f.write_str("grid"),
            Self::LatinHypercube(count) => write!(f, "lhs:{count}"),
        }
    }
}

/// The variants of a design, computed when they are asked for.
#[derive(Clone, Debug)]
pub(super) struct Variants {
    axes: Vec<Axis>,
    /// The place of each sample along each axis; empty for a grid.
    places: Vec<Vec<f64>>,
    count: u64,
}

impl Variants {
    /// `seed` decides over samples. Each axis has a stream of its own, so that adding one leaves the places along the
    /// others as they were.
    pub(super) fn new(axes: Vec<Axis>, design: Design, seed: u64) -> Self {
        let (places, count) = match design {
            Design::Grid => {
                let sizes = axes.iter().map(|axis| axis.levels().len() as u64);
                (Vec::new(), sizes.fold(1, u64::saturating_mul))
            }
            Design::LatinHypercube(count) => {
                let along = |axis: &Axis| {
                    let label = format!("sweep/lhs/{}", axis.name());
                    latin(count, &mut Rng::stream(seed, &label))
                };
                (axes.iter().map(along).collect(), u64::from(count))
            }
        };
        Self {
            axes,
            places,
            count,
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// The value of every axis in variant `index`, which counts from zero.
    pub(super) fn values(&self, index: u32) -> Vec<String> {
        if !self.places.is_empty() {
            let axes = self.axes.iter().zip(&self.places);
            return axes
                .map(|(axis, places)| axis.at(places[index as usize]))
                .collect();
        }
        let mut rest = index as usize;
        let mut values: Vec<String> = self
            .axes
            .iter()
            .rev()
            .map(|axis| {
                let levels = axis.levels();
                let level = levels[rest % levels.len()].clone();
                rest /= levels.len();
                level
            })
            .collect();
        values.reverse();
        values
    }

    /// What variant `index` changes in the file.
    pub(super) fn changes(&self, index: u32) -> Vec<Change> {
        let values = self.values(index).into_iter();
        let each = self.axes.iter().zip(values);
        each.flat_map(|(axis, value)| {
            let paths = axis.paths().iter();
            paths
                .map(|path| Change {
                    path: path.clone(),
                    value: value.clone(),
                })
                .collect::<Vec<_>>()
        })
        .collect()
    }
}

/// One place in each of `count` equal parts from 0 to 1, in random order.
fn latin(count: u32, rng: &mut Rng) -> Vec<f64> {
    let mut parts: Vec<u32> = (0..count).collect();
    for last in (1..parts.len()).rev() {
        parts.swap(last, rng.below(last as u64 + 1) as usize);
    }
    let parts = parts.into_iter();
    parts
        .map(|part| (f64::from(part) + rng.unit()) / f64::from(count))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axes(texts: &[&str]) -> Vec<Axis> {
        let axes = texts.iter().map(|text| text.parse().expect("an axis"));
        axes.collect()
    }

    #[test]
    fn a_grid_has_every_combination_in_order() {
        let variants = Variants::new(axes(&["a.x=1,2", "b.y+c.z=7,8,9"]), Design::Grid, 1);
        assert_eq!(variants.count(), 6);
        let all: Vec<String> = (0..6)
            .map(|index| variants.values(index).join(" "))
            .collect();
        assert_eq!(all, ["1 7", "1 8", "1 9", "2 7", "2 8", "2 9"]);
        let changes = variants.changes(4);
        let written: Vec<String> = changes
            .iter()
            .map(|one| format!("{}={}", one.path, one.value))
            .collect();
        assert_eq!(written, ["a.x=2", "b.y=8", "c.z=8"]);
    }

    #[test]
    fn a_latin_hypercube_has_one_point_in_every_part_of_every_axis() {
        let variants = Variants::new(
            axes(&["a.x=0..1000", "a.y=1s..1000s:log", "a.z=5,6"]),
            Design::LatinHypercube(20),
            7,
        );
        assert_eq!(variants.count(), 20);
        let mut parts: Vec<u32> = (0..20)
            .map(|index| variants.values(index)[0].parse::<u32>().expect("a number") / 50)
            .collect();
        assert_ne!(parts, (0..20).collect::<Vec<_>>());
        parts.sort_unstable();
        assert_eq!(parts, (0..20).collect::<Vec<_>>());
        let fives = (0..20).filter(|index| variants.values(*index)[2] == "5");
        assert_eq!(fives.count(), 10);
    }

    #[test]
    fn another_axis_leaves_the_places_along_the_first() {
        let one = Variants::new(axes(&["a.x=0.0..1.0"]), Design::LatinHypercube(9), 3);
        let two = Variants::new(
            axes(&["a.w=1,2", "a.x=0.0..1.0"]),
            Design::LatinHypercube(9),
            3,
        );
        for index in 0..9 {
            assert_eq!(one.values(index)[0], two.values(index)[1]);
        }
    }
}
