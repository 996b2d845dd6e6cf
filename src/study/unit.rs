//! What the numbers of a metric are: times, shares, money, or plain counts.

use crate::metrics::numbers::{grouped, millis, percent, trimmed};

/// The unit of a metric's figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Milliseconds.
    Millis,
    /// 0 to 1.
    Share,
    /// US dollars.
    Dollars,
    /// Things.
    Count,
}

impl Unit {
    /// The unit of `subject.Metric`.
    pub(crate) fn of(metric: &str) -> Self {
        let name = metric.rsplit('.').next().unwrap_or(metric);
        match name {
            "IteratorAge"
            | "RecordLatency"
            | "Latency"
            | "Duration"
            | "InitDuration"
            | "RestoreDuration"
            | "PostRuntimeExtensionsDuration"
            | "AsyncEventAge"
            | "ApproximateAgeOfOldestMessage" => Self::Millis,
            "total_usd" | "total_usd_per_month" => Self::Dollars,
            _ if name.ends_with("Share") || name.ends_with("Utilization") => Self::Share,
            _ => Self::Count,
        }
    }

    /// A value as tables show it, with its unit.
    pub(crate) fn shown(self, value: f64) -> String {
        match self {
            Self::Millis => millis(value),
            Self::Share => percent(value),
            Self::Dollars => format!("{} USD", grouped(value, 2)),
            Self::Count => trimmed(value, 2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{FunctionSummary, KafkaFigures, MappingSummary};

    #[test]
    fn every_metric_of_times_is_known() {
        assert_eq!(Unit::of("a.b.Latency").shown(1_234.0), "1.23 s");
        assert_eq!(
            Unit::of("cost.total_usd_per_month").shown(12.345),
            "12.35 USD"
        );
        assert_eq!(Unit::of("f.ColdStartShare").shown(0.05), "5.00%");
        let mut function = FunctionSummary::default();
        let mut mapping = MappingSummary {
            kafka: Some(KafkaFigures::default()),
            ..MappingSummary::default()
        };
        let names = function.metrics().into_iter().chain(mapping.metrics());
        for (name, _) in names.filter(|(name, _)| {
            ["Age", "Latency", "Duration"]
                .iter()
                .any(|end| name.ends_with(end))
        }) {
            assert_eq!(Unit::of(name), Unit::Millis, "{name}");
        }
    }
}
