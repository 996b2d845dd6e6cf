//! Settings whose values a search knows: AWS's limits, and where it is worth looking when nobody says.

use super::axis::Values;
use crate::engine::config::INTEGERS;
use crate::scenario::{Scenario, SourceModel};

/// A setting of this scenario.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) path: String,
    /// AWS's smallest and largest value.
    pub(super) limits: Option<(i64, i64)>,
    /// Where to look when nobody says.
    pub(super) default: Option<Values>,
    pub(super) example: &'static str,
}

/// A batching window above this makes every record wait for longer than most people want.
const WINDOW_MAX: i64 = 20;
/// AWS keeps this much of the account for functions without a reservation.
const UNRESERVED_MIN: u32 = 100;

/// Every setting that a search knows. `busiest` is the largest concurrency of each function so far.
pub(super) fn all(scenario: &Scenario, busiest: &[u32]) -> Vec<Known> {
    let mut list = Vec::new();
    for mapping in &scenario.mappings {
        let config = &mapping.config;
        for row in &INTEGERS {
            let Some(limits) = row.columns[config.source as usize] else {
                continue;
            };
            let (min, max) = (limits.min, limits.max);
            let default = match row.parameter {
                "MaximumBatchingWindowInSeconds" => Some(Values::Range(min, max.min(WINDOW_MAX))),
                "BatchSize" | "ParallelizationFactor" | "ScalingConfig.MaximumConcurrency" => {
                    Some(Values::Range(min, max))
                }
                "ProvisionedPollerConfig.MinimumPollers" => Some(Values::Range(min, max.min(200))),
                _ => None,
            };
            list.push(Known {
                path: format!("mapping.{}.{}", config.name, row.parameter),
                limits: Some((if limits.endless { -1 } else { min }, max)),
                default,
                example: "1..10",
            });
        }
    }
    let account = scenario.region.account_concurrency;
    for (index, function) in scenario.functions.iter().enumerate() {
        // Functions of a template share their settings, and follow each other.
        let before = index
            .checked_sub(1)
            .map(|before| &scenario.functions[before]);
        if function.template.is_some()
            && before.is_some_and(|before| before.template == function.template)
        {
            continue;
        }
        let name = function.template.as_ref().unwrap_or(&function.name);
        let others: u32 = scenario
            .functions
            .iter()
            .filter(|other| other.name != function.name)
            .filter_map(|other| other.reserved_concurrency)
            .sum();
        let room = account
            .saturating_sub(UNRESERVED_MIN)
            .saturating_sub(others)
            .max(1);
        // Twice what was ever needed, and no less than what is set.
        let busy = busiest
            .get(index)
            .copied()
            .unwrap_or(1)
            .max(1)
            .saturating_mul(2);
        let most = busy
            .max(function.reserved_concurrency.unwrap_or(0))
            .min(room);
        let path = |key: &str| format!("function.{name}.{key}");
        list.push(Known {
            path: path("reserved_concurrency"),
            limits: Some((0, i64::from(account))),
            default: Some(Values::Range(1, i64::from(most))),
            example: "1..100",
        });
        for alias in &function.aliases {
            let room = function.reserved_concurrency.unwrap_or(room);
            list.push(Known {
                path: path(&format!("alias.{}.provisioned_concurrency", alias.name)),
                limits: Some((0, i64::from(account))),
                default: Some(Values::Range(
                    0,
                    i64::from(busy.max(alias.provisioned_concurrency).min(room)),
                )),
                example: "0..100",
            });
        }
        list.push(Known {
            path: path("memory_mb"),
            limits: Some((128, 10_240)),
            default: None,
            example: "512,1024,2048",
        });
    }
    for source in &scenario.sources {
        let keys: &[(&str, &'static str)] = match &source.kind {
            SourceModel::Stream(_) => &[("shards", "1..16")],
            SourceModel::Kafka(_) => &[("partitions", "1..16")],
            SourceModel::Sqs { .. } => &[
                ("visibility_timeout", "\"30s\",\"5m\""),
                ("max_receive_count", "3..10"),
            ],
            SourceModel::Broker(_) => &[],
        };
        for (key, example) in keys {
            list.push(Known {
                path: format!("source.{}.{key}", source.name),
                limits: None,
                default: None,
                example,
            });
        }
    }
    list.push(Known {
        path: "region.account_concurrency".to_owned(),
        limits: Some((1, 1_000_000)),
        default: None,
        example: "500,1000,2000",
    });
    list
}

/// The table of a setting and its key, where the file has no such table.
pub(super) fn missing_table(path: &str, scenario: &Scenario) -> Option<(String, String)> {
    let mapping = scenario.mappings.iter().find_map(|mapping| {
        let key = path.strip_prefix(&format!("mapping.{}.", mapping.config.name))?;
        Some((mapping, key))
    });
    let (mapping, key) = mapping?;
    let (table, inner) = key.split_once('.')?;
    let given = match table {
        "ScalingConfig" => mapping.config.maximum_concurrency.is_some(),
        "ProvisionedPollerConfig" => mapping.config.provisioned_pollers.is_some(),
        _ => true,
    };
    (!given).then(|| {
        (
            format!("mapping.{}.{table}", mapping.config.name),
            inner.to_owned(),
        )
    })
}
