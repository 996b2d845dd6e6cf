//! When things arrive: one pending instant per process, computed when the previous one is used.

use super::ziggurat::Tables;
use crate::engine::{Rng, Time};
use crate::scenario::{Arrivals, Rate, Trace};
use std::sync::Arc;

/// An arrival process: an iterator over instants, never decreasing.
///
/// A clone goes on with the same instants as its original, which is how a service can be read twice
/// without storing what it holds.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub struct ArrivalProcess {
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Rate {
        spacing: Spacing,
        /// The present piece, at hand: there may be thousands of processes.
        piece: Piece,
        /// Nanoseconds since the beginning of the piece.
        offset: f64,
        pieces: Arc<[Piece]>,
        next: usize,
    },
    Trace(Box<Recorded>),
}

#[derive(Clone, Debug)]
struct Recorded {
    trace: Arc<Trace>,
    point: usize,
    given: u32,
    /// Keeps each arrival with this chance; `None` keeps all.
    thinning: Option<(f64, Rng)>,
}

#[derive(Clone, Debug)]
enum Spacing {
    Even,
    Poisson(Rng),
}

/// A stretch of time over which the rate is linear. Rates are per nanosecond.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Piece {
    start: f64,
    length: f64,
    rate: f64,
    slope: f64,
}

impl ArrivalProcess {
    /// The process described by `arrivals`, at `share` (0 to 1) of its rate.
    pub fn new(arrivals: &Arrivals, share: f64, rng: Rng) -> Self {
        Self::starting(arrivals, share, Time::ZERO, rng)
    }

    /// [`new`](Self::new) without what arrives before `from`; even spacing begins there.
    pub fn starting(arrivals: &Arrivals, share: f64, from: Time, rng: Rng) -> Self {
        let rate = |rate: &Rate, spacing| Kind::Rate {
            spacing,
            piece: Piece::NOTHING,
            offset: 0.0,
            pieces: clipped(pieces(rate, share), from.as_nanos() as f64).into(),
            next: 0,
        };
        let kind = match arrivals {
            Arrivals::Constant(steps) => rate(steps, Spacing::Even),
            Arrivals::Poisson(steps) => rate(steps, Spacing::Poisson(rng)),
            Arrivals::Trace(trace) => Kind::Trace(Box::new(Recorded {
                trace: trace.clone(),
                point: trace
                    .points
                    .partition_point(|(at, _)| Time::ZERO + *at < from),
                given: 0,
                thinning: (share < 1.0).then_some((share, rng)),
            })),
        };
        Self { kind }
    }
}

impl ArrivalProcess {
    /// Reads of both cache lines that the next instant needs.
    #[inline]
    pub(super) fn glance(&self) -> f64 {
        match &self.kind {
            Kind::Rate { piece, offset, .. } => piece.rate + *offset,
            Kind::Trace(_) => 0.0,
        }
    }
}

impl Iterator for ArrivalProcess {
    type Item = Time;

    #[inline]
    fn next(&mut self) -> Option<Time> {
        match &mut self.kind {
            Kind::Rate {
                spacing,
                piece,
                offset,
                pieces,
                next,
            } => {
                let mut work = match spacing {
                    Spacing::Even => 1.0,
                    Spacing::Poisson(rng) => Tables::get().exponential(rng),
                };
                // Spend `work` expected arrivals over the pieces' rates.
                loop {
                    if let Some(reached) = piece.advance(*offset, &mut work) {
                        *offset = reached;
                        return Some(Time::from_nanos((piece.start + reached) as u64));
                    }
                    (*piece, *offset) = (Piece::NOTHING, 0.0);
                    *piece = *pieces.get(*next)?;
                    *next += 1;
                }
            }
            Kind::Trace(recorded) => recorded.next(),
        }
    }
}

impl Recorded {
    fn next(&mut self) -> Option<Time> {
        loop {
            let (at, count) = *self.trace.points.get(self.point)?;
            if self.given == count {
                self.point += 1;
                self.given = 0;
                continue;
            }
            self.given += 1;
            let kept = self
                .thinning
                .as_mut()
                .is_none_or(|(share, rng)| rng.unit() < *share);
            if kept {
                return Some(Time::ZERO + at);
            }
        }
    }
}

impl Piece {
    /// Before the first piece, and behind the last.
    const NOTHING: Self = Self {
        start: 0.0,
        length: 0.0,
        rate: 0.0,
        slope: 0.0,
    };

    /// The offset at which `work` expected arrivals have passed since `offset`, or `None` (with `work`
    /// reduced) when the piece ends before.
    #[inline]
    fn advance(&self, offset: f64, work: &mut f64) -> Option<f64> {
        if self.slope == 0.0 {
            if self.rate == 0.0 {
                return None;
            }
            let reached = offset + *work / self.rate;
            if reached < self.length {
                return Some(reached);
            }
            *work -= (self.length - offset) * self.rate;
            return None;
        }
        // Solve rate·d + slope/2·d² = work for the distance d from the offset.
        let rate = self.rate + self.slope * offset;
        let discriminant = rate * rate + 2.0 * self.slope * *work;
        if discriminant >= 0.0 {
            // This form of the root does not cancel for small slopes.
            let distance = 2.0 * *work / (rate + libm::sqrt(discriminant));
            if offset + distance < self.length {
                return Some(offset + distance);
            }
        }
        let rest = self.length - offset;
        *work = (*work - rest * (rate + 0.5 * self.slope * rest)).max(0.0);
        None
    }
}

fn pieces(rate: &Rate, share: f64) -> Vec<Piece> {
    const NANOS_PER_SEC: f64 = 1e9;
    let mut pieces = Vec::new();
    let mut level = 0.0;
    for (index, step) in rate.steps.iter().enumerate() {
        let start = step.at.as_nanos() as f64;
        let target = step.per_sec * share / NANOS_PER_SEC;
        let over = step.over.as_nanos() as f64;
        let end = rate
            .steps
            .get(index + 1)
            .map_or(f64::INFINITY, |next| next.at.as_nanos() as f64);
        if over > 0.0 {
            pieces.push(Piece {
                start,
                length: over,
                rate: level,
                slope: (target - level) / over,
            });
        }
        pieces.push(Piece {
            start: start + over,
            length: end - start - over,
            rate: target,
            slope: 0.0,
        });
        level = target;
    }
    pieces
}

/// The parts of `pieces` from the instant `from` on.
fn clipped(pieces: Vec<Piece>, from: f64) -> Vec<Piece> {
    let clip = |piece: Piece| {
        let cut = from - piece.start;
        if cut <= 0.0 {
            return Some(piece);
        }
        (cut < piece.length).then_some(Piece {
            start: from,
            length: piece.length - cut,
            rate: piece.rate + piece.slope * cut,
            slope: piece.slope,
        })
    };
    pieces.into_iter().filter_map(clip).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Span;
    use crate::scenario::RateStep;

    fn step(at: u64, per_sec: f64, over: u64) -> RateStep {
        RateStep {
            at: Span::from_secs(at),
            per_sec,
            over: Span::from_secs(over),
        }
    }

    fn count_in(process: ArrivalProcess, from: u64, to: u64) -> usize {
        process
            .skip_while(|&at| at < Time::from_secs(from))
            .take_while(|&at| at < Time::from_secs(to))
            .count()
    }

    #[test]
    fn even_arrivals_keep_their_rate_through_steps_and_ramps() {
        let steps = vec![
            step(0, 100.0, 0),
            step(10, 300.0, 20),
            step(60, 0.0, 0),
            step(90, 3.0, 0),
        ];
        let process = ArrivalProcess::new(
            &Arrivals::Constant(Rate { steps }),
            1.0,
            Rng::stream(1, "x"),
        );
        assert_eq!(process.clone().nth(99), Some(Time::from_secs(1)));
        let close = |from, to, expected: usize| {
            let counted = count_in(process.clone(), from, to);
            assert!(
                counted.abs_diff(expected) <= 1,
                "{from}..{to}: {counted}, not {expected}"
            );
        };
        close(0, 10, 1_000);
        close(10, 30, 4_000); // the ramp's mean is 200 per second
        close(30, 60, 9_000);
        close(60, 90, 0);
        close(90, 100_090, 300_000);
    }

    #[test]
    fn a_late_start_goes_on_at_the_rate_of_that_moment() {
        let steps = vec![step(0, 0.0, 0), step(10, 200.0, 20), step(60, 5.0, 0)];
        let arrivals = Arrivals::Constant(Rate { steps });
        let late = |secs| {
            let from = Time::from_secs(secs);
            ArrivalProcess::starting(&arrivals, 1.0, from, Rng::stream(1, "x"))
        };
        // Half of the ramp is over: 100/s growing to 200/s within 10 s.
        assert!(count_in(late(20), 0, 30).abs_diff(1_500) <= 1);
        assert_eq!(late(60).next(), Some(Time::from_millis(60_200)));
        let points = vec![(Span::from_secs(1), 2), (Span::from_secs(5), 1)];
        let path = "t.csv".into();
        let trace = Arrivals::Trace(Arc::new(Trace { path, points }));
        let from = Time::from_secs(2);
        let rng = Rng::stream(1, "x");
        let rest: Vec<Time> = ArrivalProcess::starting(&trace, 1.0, from, rng).collect();
        assert_eq!(rest, [Time::from_secs(5)]);
    }

    #[test]
    fn poisson_arrivals_have_poisson_counts() {
        let steps = vec![step(0, 0.0, 0), step(1, 1_000.0, 100)];
        let arrivals = Arrivals::Poisson(Rate { steps });
        let process = ArrivalProcess::new(&arrivals, 0.5, Rng::stream(1, "poisson"));
        let counted = count_in(process, 0, 101) as f64;
        // Half of 1,000/s reached over 100 s: 25,000 expected, deviation 158.
        assert!((counted - 25_000.0).abs() < 5.0 * 158.2, "{counted}");
    }

    #[test]
    fn traces_repeat_their_points_and_thin_evenly() {
        let points = vec![(Span::from_secs(1), 2), (Span::from_secs(5), 100_000)];
        let trace = Arc::new(Trace {
            path: "t.csv".into(),
            points,
        });
        let arrivals = Arrivals::Trace(trace);
        let all: Vec<Time> = ArrivalProcess::new(&arrivals, 1.0, Rng::stream(1, "t"))
            .take(3)
            .collect();
        assert_eq!(
            all,
            [Time::from_secs(1), Time::from_secs(1), Time::from_secs(5)]
        );
        let kept = ArrivalProcess::new(&arrivals, 0.25, Rng::stream(1, "t")).count();
        assert!((24_300..25_700).contains(&kept), "{kept}");
    }
}
