//! Live benchmarks: a mapping of a poller file under a load of generated records, beside a bare client loop, and what the
//! simulator predicts of it.
//!
//! ```text
//!  load ──▶ source ──▶ poller, in this process ──▶ target
//!   │         │  (again)  └ tap: events, sent, answered ──▶ ledger ──▶ figures ──▶ findings
//!   └ due     └─────▶ bare loop ────▶ target, tap                         └ predict ──▶ scenario ──▶ sim
//! ```
//! Latencies count from when a record was due, not from when it was written.

mod figures;
mod findings;
mod ledger;
mod live;
mod load;
mod page;
mod place;
mod predict;
mod probe;
mod safety;
mod usage;

pub use findings::{Findings, LoadFindings, PointFindings, Ratios, SideFindings};
pub use page::page;
pub use predict::{Compared, Prediction};
pub use safety::far;

use crate::scenario::{BenchPoint, LoadedBench, TargetKind};
use live::{Bed, Consumer, Side};
use predict::{FunctionFit, Model, SourceFit};

/// Why a bench came to no end.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// Threads could not be started.
    #[error("the runtime did not start: {0}")]
    Runtime(std::io::Error),
    /// A source, target or poller did not work.
    #[error("mapping `{mapping}`: {text}")]
    Run {
        /// Which mapping.
        mapping: String,
        /// What went wrong.
        text: String,
    },
    /// SIGINT.
    #[error("interrupted; what was made for the bench is deleted")]
    Interrupted,
}

/// A scenario that was made of a point.
#[derive(Clone, Debug)]
pub struct Made {
    /// `point-1` and so on.
    pub name: String,
    /// The scenario's own text.
    pub text: String,
    /// Files that it names, with a value in nanoseconds or a moment per line.
    pub files: Vec<(String, String)>,
}

/// What a bench found.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The figures.
    pub findings: Findings,
    /// The scenarios that were simulated for predictions, in the order of the points.
    pub scenarios: Vec<Made>,
}

/// Runs every point of `loaded`, one after the other; `begun` is told of each before it begins.
///
/// # Errors
/// When a point cannot be run; nothing is left behind then as far as it can be deleted.
pub fn run(
    loaded: &LoadedBench,
    title: &str,
    predict: bool,
    mut begun: impl FnMut(usize, &BenchPoint),
) -> Result<Outcome, BenchError> {
    let mut bed = Bed::make()?;
    let mut points = Vec::new();
    let mut scenarios = Vec::new();
    for (index, point) in loaded.points.iter().enumerate() {
        begun(index, point);
        let bare = match point.bench.bare || predict {
            true => Some(bed.run(point, Consumer::Bare, false)?),
            false => None,
        };
        let poller = bed.run(point, Consumer::Poller, predict)?;
        let mut found = PointFindings::of(point, &poller, bare.as_ref());
        if let (true, Some(bare)) = (predict, &bare) {
            let name = format!("point-{}", index + 1);
            match predicted(point, &poller, bare, &name) {
                Ok((prediction, made)) => {
                    found.prediction = Some(prediction);
                    scenarios.push(made);
                }
                Err(reason) => found.not_predicted = Some(reason),
            }
        }
        points.push(found);
    }
    Ok(Outcome {
        findings: Findings::new(title, &loaded.hash, predict, points),
        scenarios,
    })
}

/// What the simulator says of a point, and the scenario that it was asked about.
fn predicted(
    point: &BenchPoint,
    poller: &Side,
    bare: &Side,
    name: &str,
) -> Result<(Prediction, Made), String> {
    let mapping = point.mapping();
    let target = &point.file.targets[mapping.target];
    let starts_cold = match target.kind {
        TargetKind::Process { .. } | TargetKind::Lambda { .. } => true,
        TargetKind::Http { .. } | TargetKind::Mock { .. } => false,
    };
    let function = FunctionFit::of(poller, starts_cold);
    let is_stream = mapping.config.source.is_stream();
    // Beside the poller if it could be, which a source that is there already does not allow.
    let reads = match poller.reads.is_empty() {
        true => &bare.reads,
        false => &poller.reads,
    };
    let source = SourceFit::of(reads, is_stream, &poller.written);
    let bytes = poller.hops.bytes_per_sec / poller.hops.per_sec.max(1e-9);
    let model = Model::of(point, &function, &source, bytes, name)?;
    let (within, to_the_end) = model.simulate()?;
    let prediction = Prediction::of(poller, &within, &to_the_end);
    let files = model.files.iter();
    let files = files.map(|file| (file.name.clone(), file.text()));
    let made = Made {
        name: name.to_owned(),
        text: model.text,
        files: files.collect(),
    };
    Ok((prediction, made))
}
