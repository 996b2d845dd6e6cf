//! Bad scenarios, one mistake (or one family of mistakes) each.

use super::{GOOD, told, told_after};

macro_rules! bad {
    ($name:ident, $text:expr) => {
        #[test]
        fn $name() {
            super::snapshot!($text);
        }
    };
}

bad!(an_empty_file, told("# nothing\n"));
bad!(syntax, told("duration = \"10m\nseed = 1\n"));
bad!(a_key_given_twice, told("seed = 1\nseed = 2\n"));
bad!(
    missing_and_misspelt_keys,
    told("durration = \"5m\"\n[[function]]\nname = \"f\"\ntiemout = \"3s\"\n")
);
bad!(a_number_without_unit, told(&GOOD.replace("\"80ms\"", "80")));
bad!(
    units_that_do_not_exist,
    told_after(
        "[[fault]]\nat = \"5 min\"\nfor = \"0s\"\nwhat = { function_errors = { function = \"f\", rate = 0.5 } }\n"
    )
);
bad!(
    wrong_types,
    told(
        &GOOD
            .replace("\"f\"\nduration", "7\nduration")
            .replace("\"10m\"", "true")
    )
);
bad!(
    a_table_instead_of_a_list,
    told(&GOOD.replace("[[function]]", "[function]"))
);
bad!(
    out_of_range,
    told(&format!(
        "{}\n[region]\naccount_concurrency = 0\n",
        GOOD.replace("\"80ms\"", "\"80ms\"\nmemory_mb = 64\ntimeout = \"16m\"")
    ))
);
bad!(
    unknown_references,
    told_after(
        "[[traffic]]\nfunction = \"checkuot\"\nrate = 1\n[[function]]\nname = \"checkout\"\nduration = \"1ms\"\n"
    )
);
bad!(
    names_given_twice_and_names_that_are_none,
    told_after(
        "[[function]]\nname = \"f\"\nduration = \"1ms\"\n[[function]]\nname = \"a b\"\nduration = \"1ms\"\n"
    )
);
bad!(
    a_negative_rate,
    told(&GOOD.replace("rate = 5", "rate = -5"))
);
bad!(unordered_and_overlapping_steps, told(&GOOD.replace("rate = 5", "rate = [\n  { at = \"0s\", rps = 1 },\n  { at = \"2m\", rps = 9, over = \"2m\" },\n  { at = \"3m\", rps = 1 },\n  { at = \"1m\", rps = 1 },\n]")));
bad!(
    a_rate_without_steps,
    told(&GOOD.replace("rate = 5", "rate = []"))
);
bad!(
    warm_up_is_too_long,
    told(&format!("warm_up = \"10m\"\n{GOOD}"))
);
bad!(
    reservations_above_the_account,
    told(&GOOD.replace("\"80ms\"", "\"80ms\"\nreserved_concurrency = 950"))
);
bad!(distributions, told(&GOOD.replace("\"80ms\"", "{ lognormal = { median = \"2s\", p99 = \"1s\" } }\ninit = { logornmal = {} }\ncold_duration = { uniform = { min = \"1s\" }, constant = \"1s\" }")));
bad!(
    files_that_are_not_there,
    told(
        &GOOD
            .replace("\"80ms\"", "{ empirical = \"../secrets.csv\" }")
            .replace("rate = 5", "trace = \"none.csv\"")
    )
);
bad!(
    a_trace_and_a_rate,
    told(&GOOD.replace("rate = 5", "rate = 5\ntrace = \"none.csv\""))
);
bad!(
    gates,
    told_after(
        "[[gate]]\nmetric = \"f.Throttle\"\nmax = 0\n[[gate]]\nmetric = \"f.Latency\"\nmax = \"1s\"\n[[gate]]\nmetric = \"g.Errors\"\n[[gate]]\nmetric = \"f.Errors\"\nstatistic = \"p99\"\nmin = 1\n[[gate]]\nmetric = \"Errors\"\nmax = 1\n"
    )
);
bad!(
    faults,
    told_after(
        "[[fault]]\nat = \"11m\"\nfor = \"1m\"\nwhat = { function_slow = { function = \"f\", factor = 0 } }\n[[fault]]\nat = \"1m\"\nwhat = { fire = {} }\n"
    )
);
bad!(
    retries,
    told_after("retry = { attempts = 0, backoff = \"2s..100ms\" }\n")
);

/// A stream, a queue, and one mapping to break.
fn mapped(source: &str, keys: &str) -> String {
    told_after(&format!(
        "[[source]]\nname = \"clicks\"\ntype = \"kinesis\"\nproducer = []\n[[source]]\nname = \"orders\"\ntype = \"sqs\"\nproducer = []\n[[mapping]]\nname = \"m\"\nEventSource = \"{source}\"\nFunctionName = \"f\"\n{keys}"
    ))
}

bad!(
    events_of_mappings,
    mapped(
        "clicks",
        "StartingPosition = \"LATEST\"\n[[event]]\nat = \"1m\"\nwhat = { disable = \"n\" }\n[[event]]\nat = \"20m\"\nwhat = { stop = \"m\" }\n[[event]]\nwhat = { enable = \"m\" }\n[[event]]\nat = \"2m\"\nwhat = { update = { mapping = \"m\" } }\n"
    )
);
bad!(
    updates_that_aws_refuses,
    mapped(
        "clicks",
        "StartingPosition = \"LATEST\"\n[[event]]\nat = \"1m\"\nwhat = { update = { mapping = \"m\", BatchSize = 0, StartingPosition = \"TRIM_HORIZON\", FunctionName = \"g\", Batchsize = 3, ScalingConfig = { MaximumConcurrency = 5 } } }\n[[event]]\nat = \"2m\"\nwhat = { update = { mapping = \"m\", TumblingWindowInSeconds = 30 } }\n[[event]]\nat = \"3m\"\nwhat = { update = { mapping = \"m\", ParallelizationFactor = 2 } }\n"
    )
);
bad!(
    a_destination_of_no_mapping,
    told_after(
        "[[fault]]\nat = \"1m\"\nfor = \"1m\"\nwhat = { destination_refuses = { mapping = \"m\" } }\n"
    )
);
bad!(
    a_batch_that_needs_a_window,
    mapped("orders", "BatchSize = 100\n")
);
bad!(
    ranges_and_missing_positions,
    mapped(
        "clicks",
        "BatchSize = 0\nParallelizationFactor = 11\nMaximumRecordAgeInSeconds = 30\n"
    )
);
bad!(
    parameters_of_other_sources,
    mapped(
        "orders",
        "TumblingWindowInSeconds = 60\nTopics = [\"t\"]\nDestinationConfig = { OnFailure = { Destination = \"arn:aws:sqs:us-east-1:123456789012:dlq\" } }\n"
    )
);
bad!(
    nested_parameters,
    mapped(
        "orders",
        "ScalingConfig = { MaximumConcurrency = 1 }\nProvisionedPollerConfig = { MinimumPolers = 5 }\n"
    )
);
bad!(
    misspelt_parameters,
    mapped("orders", "batch_size = 5\nStartPosition = \"LATEST\"\n")
);
bad!(
    provisioned_concurrency_without_an_alias,
    told_after(
        "\n[[function]]\nname = \"g\"\nduration = \"1ms\"\nprovisioned_concurrency = 5\n\n[[traffic]]\nfunction = \"g\"\nrate = 1\n"
    )
);
bad!(
    aliases_and_their_scaling,
    told_after(
        r#"
[[function]]
name = "g"
duration = "1ms"
reserved_concurrency = 5
[[function.alias]]
name = "live"
provisioned_concurrency = 3
autoscaling = { min = 9, max = 4, target_utilization = 0.95, schedule = [
  { schedule = "cron(0 8 * * MON *)", timezone = "Europe/Berlni", min = 1 },
  { at = "1m" },
  { at = "1m", schedule = "rate(0 days)", max = 2 },
] }
[[function.alias]]
name = "live"
provisioned_concurrency = 4
autoscaling = { max = 4 }
[[function.alias]]
name = "12"
weights = { "1" = "95%" }
[[traffic]]
function = "g:lvie"
rate = 1
"#
    )
);
bad!(
    positions,
    mapped(
        "clicks",
        "StartingPosition = \"AT_TIMESTAMP\"\n[[mapping]]\nname = \"n\"\nEventSource = \"clicks\"\nFunctionName = \"f:live\"\nStartingPosition = \"latest\"\n"
    )
);
bad!(
    the_same_pair_twice,
    mapped(
        "orders",
        "[[mapping]]\nname = \"n\"\nEventSource = \"orders\"\nFunctionName = \"f\"\n"
    )
);
bad!(
    a_mapping_without_source_and_function,
    told_after("[[mapping]]\nname = \"m\"\nBatchSize = 5\n")
);
bad!(
    unknown_sources_and_arns,
    mapped(
        "order",
        "EventSourceArn = \"arn:aws:sqs:us-east-1:123456789012:q\"\n"
    )
);
bad!(
    timeout_above_visibility,
    told_after(
        "[[function]]\nname = \"slow\"\ntimeout = \"60s\"\nduration = \"1s\"\n[[source]]\nname = \"q\"\ntype = \"sqs\"\nvisibility_timeout = \"30s\"\n[[mapping]]\nname = \"m\"\nEventSource = \"q\"\nFunctionName = \"slow\"\n"
    )
);
bad!(
    sources,
    told_after(
        "[[source]]\nname = \"t\"\ntype = \"dynamodb\"\nshards = 5\n[[source]]\nname = \"u\"\ntype = \"kinesys\"\n[[source]]\nname = \"v\"\ntype = \"kinesis\"\nshards = 0\nvisibility_timeout = \"5s\"\n[[source.producer]]\nrate = 1\nrecord = { size = 100, keys = { zipf = { n = 0, s = 1 } } }\n"
    )
);
bad!(
    callers_of_an_alias_that_is_not_there,
    told(
        &GOOD
            .replace("function = \"f\"", "function = \"f:live\"")
            .replace("\"80ms\"", "\"80ms\"\nalias = []")
    )
);

#[test]
fn changes_are_checked_like_the_file() {
    use tidegate::scenario::{Change, SourceText, parse_changed};
    let change = |path: &str, value: &str| Change {
        path: path.into(),
        value: value.into(),
    };
    let changes = [
        change("function.f.timeout", "20m"),
        change("functoin.f.timeout", "1m"),
        change("traffic.f.rate", "[{ at = \"0s\", rps = -1 }]"),
        change("traffic.7.rate", "1"),
        change("seed.x", "1"),
        change("sed", "1"),
    ];
    let report =
        parse_changed(SourceText::new("bad.toml", GOOD), &changes).expect_err("bad changes");
    super::snapshot!(format!("\n{report}"));
}

bad!(
    filter_patterns,
    mapped(
        "orders",
        "matching = \"25%\"\nFilterCriteria = { Filters = [\n  { Pattern = '{\"body\": {\"kind\": \"order\", \"n\": []}}' },\n  { Pattern = \"{\\\"body\\\": {\\\"n\\\": [{\\\"numerc\\\": [1]}]}}\" },\n  { Pattern = \"order\" },\n  { Pattern = \"\"\"{\"body\":\n    {\"path\": [{\"wildcard\": \"*.png\"}]}}\"\"\" },\n  { Pattern = \"{\\u0022body\\u0022: [}\" },\n] }\n"
    )
);
bad!(
    too_many_and_too_long_filters,
    mapped(
        "clicks",
        &format!(
            "StartingPosition = \"LATEST\"\nmatching = \"1/4\"\nTumblingWindowInSeconds = 60\n[[mapping.FilterCriteria.Filters]]\nPattern = '{{\"data\": [\"x\"]}}{}'\n{}",
            " ".repeat(4_090),
            "[[mapping.FilterCriteria.Filters]]\nPattern = '{\"data\": {\"n\": [1]}}'\n".repeat(5)
        )
    )
);
bad!(
    filters_and_the_share_that_passes_need_each_other,
    mapped(
        "orders",
        "FilterCriteria = { Filters = [{ Pattern = '{\"body\": {\"n\": [1]}}' }] }\n[[mapping]]\nname = \"n\"\nEventSource = \"clicks\"\nFunctionName = \"f\"\nStartingPosition = \"LATEST\"\nFilterCriteria = { Filters = [] }\nmatching = \"5%\"\n[[mapping]]\nname = \"o\"\nEventSource = \"orders\"\nFunctionName = \"f:live\"\nmatching = 5\n"
    )
);

#[test]
fn several_policies_of_one_target() {
    let text = |policies: &str| {
        format!(
            "duration = \"1m\"\n[[function]]\nname = \"f\"\nduration = \"1s\"\n[[function.alias]]\nname = \"live\"\n\
             [function.alias.autoscaling]\nmax = 9\ntarget_utilization = 0.5\n{policies}"
        )
    };
    let second = "policy = [ { target_utilization = 0.8, statistic = \"Maximum\", disable_scale_in = true } ]\n";
    let loaded =
        tidegate::scenario::parse(tidegate::scenario::SourceText::new("s.toml", text(second)));
    let scenario = loaded.expect("a scenario").scenario;
    let target = scenario.functions[0].aliases[0].autoscaling.as_ref();
    let policies = &target.expect("a target").policies;
    assert_eq!(policies.len(), 2);
    assert!(policies[1].disable_scale_in && !policies[0].disable_scale_in);
    let wrong = "policy = [ { target_utilization = 0.95 }, { statistic = \"Maximum\" } ]\n";
    super::snapshot!(told(&text(wrong)));
}
