//! What a run costs, as figures: `cost` makes them, reports print them.

use super::{Figure, Metric};
use serde::Serialize;

/// A bill in lines; amounts are in US dollars.
#[derive(Clone, Debug, Serialize, Default)]
pub struct CostSummary {
    /// Region of the price table.
    pub region: String,
    /// Day on which its prices were looked up.
    pub prices_of: String,
    /// Everything that costs something.
    pub lines: Vec<CostLine>,
    /// Sum of the measured time.
    pub total_usd: Figure,
    /// The same for a month of 730 hours like the measured time.
    pub total_usd_per_month: Figure,
}

/// One line of a bill.
#[derive(Clone, Debug, Serialize, Default, PartialEq)]
pub struct CostLine {
    /// Whose cost it is: a function, mapping or source.
    pub subject: String,
    /// What is paid for.
    pub item: String,
    /// What one of the quantity is.
    pub unit: String,
    /// Price of one unit, as the price table has it.
    pub unit_price: String,
    /// How much of it was used.
    pub quantity: Figure,
    /// What that costs.
    pub amount: Figure,
    /// What a month like the measured time costs, with the tiers of a month.
    pub per_month: Figure,
    /// How the quantity comes about.
    pub explanation: String,
}

impl CostSummary {
    /// The sums as metrics, named as in the JSON document; lines differ from scenario to scenario.
    pub fn metrics(&mut self) -> [(&'static str, Metric<'_>); 2] {
        [
            ("total_usd", Metric::Total(&mut self.total_usd)),
            (
                "total_usd_per_month",
                Metric::Total(&mut self.total_usd_per_month),
            ),
        ]
    }

    /// Every figure with its path below `cost`, in the order of the JSON document.
    pub(super) fn visit(&mut self, visit: &mut dyn FnMut(&str, &mut Figure)) {
        for (index, line) in self.lines.iter_mut().enumerate() {
            visit(&format!("cost.lines.{index}.quantity"), &mut line.quantity);
            visit(&format!("cost.lines.{index}.amount"), &mut line.amount);
            visit(
                &format!("cost.lines.{index}.per_month"),
                &mut line.per_month,
            );
        }
        visit("cost.total_usd", &mut self.total_usd);
        visit("cost.total_usd_per_month", &mut self.total_usd_per_month);
    }
}
