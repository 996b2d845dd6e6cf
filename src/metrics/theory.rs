//! Figures that a formula gives, beside what was simulated.

use super::Figure;
use serde::Serialize;

/// One figure of a function for which a closed form exists.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Theory {
    /// Name of the function.
    pub function: String,
    /// Name of the formula.
    pub formula: String,
    /// What it rests on, in one sentence, with the numbers that go into it.
    pub assumptions: String,
    /// What it gives.
    pub figure: String,
    /// The formula's value.
    pub exact: Figure,
    /// What was simulated.
    pub simulated: Figure,
}
