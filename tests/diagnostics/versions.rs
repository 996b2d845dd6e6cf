//! Bad versions, aliases, deployments and lives of environments.

use super::{told, told_after};

const VERSIONS: &str = r#"
duration = "10m"
[[function]]
name = "f"
duration = "80ms"
[[function.version]]
number = 1
[[function.version]]
number = 2
"#;

const CALLED: &str = "[[traffic]]\nfunction = \"f\"\nrate = 1\n";

fn of(aliases: &str) -> String {
    told(&format!("{VERSIONS}{aliases}{CALLED}"))
}

fn alias(keys: &str) -> String {
    of(&format!("[[function.alias]]\nname = \"live\"\n{keys}\n"))
}

#[test]
fn weights_above_one() {
    super::snapshot!(alias("weights = { \"1\" = \"95%\", \"2\" = \"10%\" }"));
}

#[test]
fn weights_over_three_versions() {
    super::snapshot!(alias(
        "weights = { \"1\" = \"80%\", \"2\" = \"10%\", \"3\" = \"10%\" }"
    ));
}

#[test]
fn weights_on_latest() {
    super::snapshot!(alias("weights = { \"1\" = \"95%\", \"$LATEST\" = \"5%\" }"));
}

#[test]
fn an_alias_on_latest_with_provisioned_concurrency() {
    super::snapshot!(alias("version = \"$LATEST\"\nprovisioned_concurrency = 5"));
}

#[test]
fn a_version_that_does_not_exist() {
    super::snapshot!(alias("version = \"7\""));
}

#[test]
fn an_alias_of_no_version() {
    super::snapshot!(alias(""));
}

#[test]
fn version_and_weights() {
    super::snapshot!(alias("version = \"1\"\nweights = { \"1\" = \"100%\" }"));
}

#[test]
fn provisioned_concurrency_of_an_alias_and_of_its_version() {
    super::snapshot!(told(&format!(
        "{VERSIONS}provisioned_concurrency = 5\n[[function.alias]]\nname = \"live\"\nversion = \"2\"\nprovisioned_concurrency = 5\n{CALLED}"
    )));
}

#[test]
fn the_same_version_twice() {
    super::snapshot!(of("[[function.version]]\nnumber = 2\ntimeout = \"1h\"\n"));
}

#[test]
fn snap_start_beside_provisioned_concurrency_and_without_versions() {
    super::snapshot!(told(&format!(
        "{VERSIONS}snap_start = true\n[[function.alias]]\nname = \"live\"\nversion = \"2\"\nprovisioned_concurrency = 5\n{CALLED}[[function]]\nname = \"g\"\nduration = \"1ms\"\nsnap_start = true\n"
    )));
}

#[test]
fn lives_that_are_too_short() {
    super::snapshot!(told_after(
        "[[function]]\nname = \"g\"\nduration = \"1ms\"\nlifetime = \"30s\"\nkeep_alive = 5\nextensions = \"some\"\n"
    ));
}

fn deployed(deployments: &[&str]) -> String {
    let events: String = deployments
        .iter()
        .map(|what| format!("[[event]]\n{what}\n"))
        .collect();
    of(&format!(
        "[[function.alias]]\nname = \"live\"\nversion = \"1\"\n[[function.alias]]\nname = \"both\"\nweights = {{ \"1\" = \"50%\", \"2\" = \"50%\" }}\n{events}"
    ))
}

#[test]
fn deployments_that_cannot_be() {
    super::snapshot!(deployed(&[
        "at = \"1m\"\nwhat = { deploy = { alias = \"f:live\", to = \"1\" } }",
        "at = \"1m\"\nwhat = { deploy = { alias = \"f:both\", to = \"1\" } }",
        "at = \"1m\"\nwhat = { deploy = { alias = \"f:2\", to = \"1\" } }",
        "at = \"1m\"\nwhat = { deploy = { alias = \"f:lvie\", to = \"3\" } }",
        "at = \"1m\"\nwhat = { deploy = { alias = \"f:live\", to = \"9\" } }",
        "at = \"1m\"\nwhat = { deploy = { alias = \"f:live\", to = \"2\", canary = \"100%\", linear = \"10%\" } }",
        "at = \"1m\"\nwhat = { deploy = { alias = \"f:live\", to = \"2\", interval = \"5m\", cannary = 1 } }",
    ]));
}

#[test]
fn deployments_at_once() {
    super::snapshot!(deployed(&[
        "at = \"1m\"\nwhat = { deploy = { alias = \"f:live\", to = \"2\", canary = \"10%\", interval = \"5m\" } }",
        "at = \"3m\"\nwhat = { deploy = { alias = \"f:live\", to = \"1\" } }",
        "at = \"6m\"\nwhat = { deploy = { alias = \"f:live\", to = \"1\" } }",
        "at = \"11m\"\nwhat = { deploy = { alias = \"f:live\", to = \"2\" } }",
    ]));
}

#[test]
fn managed_instances_beside_what_they_exclude() {
    super::snapshot!(told_after(
        "[[function]]\nname = \"g\"\nduration = \"1ms\"\nreserved_concurrency = 5\n[[function.version]]\nnumber = 1\n[function.managed_instances]\nPerExecutionEnvironmentMaxConcurrency = 2000\nMinExecutionEnvironments = 9\nMaxExecutionEnvironments = 5\ntarget_cpu = \"0%\"\nslots = 1\n"
    ));
}

#[test]
fn tenants_beside_what_excludes_them() {
    super::snapshot!(told(&format!(
        "{VERSIONS}provisioned_concurrency = 5\n[[traffic]]\nfunction = \"f:1\"\nrate = 1\ntenants = {{ zipf = {{ n = 5, s = 1.0 }} }}\n{CALLED}"
    )));
}

#[test]
fn prepared_init_limit() {
    super::snapshot!(told(&format!(
        "{VERSIONS}init = \"131s\"\n[[function.alias]]\nname = \"live\"\nversion = \"2\"\nprovisioned_concurrency = 5\n[[function.version]]\nnumber = 3\ninit = \"131s\"\nsnap_start = true\n[[function.version]]\nnumber = 4\ninit = \"131s\"\nsnap_start = true\ntimeout = \"131s\"\n{CALLED}"
    )));
}
