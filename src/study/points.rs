//! From finished variants to the figures that reports show.

use super::pareto::front;
use super::part::Part;
use super::range::place;
use crate::metrics::{SweepAxis, SweepFigure, SweepMeasure, SweepPoint, SweepSummary, SweepUnit};

impl Part {
    /// The figures of its variants: of the whole sweep when no shard is missing.
    pub fn summary(&self) -> SweepSummary {
        let plan = self.plan();
        let names = plan.figures().iter();
        let mut points: Vec<SweepPoint> = self
            .variants()
            .iter()
            .map(|(index, finished)| {
                let column = |at: usize| -> Vec<f64> {
                    let runs = finished.runs.iter();
                    runs.map(|run| run.figures[at]).collect()
                };
                let values = plan.values(*index);
                let passed: Option<Vec<bool>> =
                    finished.runs.iter().map(|run| run.passed).collect();
                SweepPoint {
                    variant: index + 1,
                    places: values.iter().map(|value| place(value)).collect(),
                    values,
                    scenario_hash: finished.facts.scenario_hash.clone(),
                    seed: finished.facts.seed,
                    replications: finished.runs.len() as u32,
                    gates_passed: passed
                        .as_ref()
                        .map(|runs| runs.iter().filter(|passed| **passed).count() as u32),
                    passed: passed.unwrap_or_default(),
                    on_front: false,
                    figures: (0..plan.figures().len())
                        .map(|at| SweepFigure::of(&column(at)))
                        .collect(),
                    runs: finished
                        .runs
                        .iter()
                        .map(|run| run.figures.clone())
                        .collect(),
                }
            })
            .collect();
        let pareto = plan.understood.pareto;
        if let Some([(one, aim), (other, other_aim)]) = pareto {
            let places: Vec<(f64, f64)> = points
                .iter()
                .map(|point| (point.figures[one].mean, point.figures[other].mean))
                .collect();
            for (point, on_front) in points.iter_mut().zip(front(&places, [aim, other_aim])) {
                point.on_front = on_front;
            }
        }
        let axes = plan.combinations().axes().iter();
        SweepSummary {
            tidegate: plan.text.tidegate.clone(),
            scenario: plan.text.scenario.clone(),
            scenario_hash: plan.text.scenario_hash.clone(),
            profile: plan.text.profile.clone(),
            plan: plan.hash().to_owned(),
            sample: plan.text.asked.sample.clone(),
            replications: plan.replications().to_string(),
            axes: axes
                .map(|axis| SweepAxis {
                    name: axis.name(),
                    values: axis.levels().to_vec(),
                })
                .collect(),
            measures: names
                .map(|name| SweepMeasure {
                    name: name.clone(),
                    unit: SweepUnit::of(name),
                })
                .collect(),
            pareto: pareto.map(|sides| sides.map(|(index, _)| index)),
            variants: points,
        }
    }
}
