//! What tidegate depends on: licences, registries and double versions, by the tables of deny.toml; and the bill of materials.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use toml_edit::{DocumentMut, Item};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every package that could be built, whatever the features; from the lock file, without the network.
fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--offline",
            "--locked",
            "--format-version",
            "1",
            "--all-features",
            "--filter-platform",
            &host(),
        ])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("a list").clone();
    assert!(packages.len() > 200, "{} packages", packages.len());
    packages
}

/// Crates of other systems are not downloaded, and not built.
fn host() -> String {
    let output = Command::new("rustc").arg("-vV").output();
    let output = output.expect("rustc runs");
    let text = String::from_utf8(output.stdout).expect("text");
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.expect("a host").to_owned()
}

fn text<'a>(package: &'a Value, key: &str) -> &'a str {
    package[key].as_str().unwrap_or_default()
}

/// deny.toml, which cargo-deny reads as well.
fn tables() -> DocumentMut {
    let text = std::fs::read_to_string(root().join("deny.toml")).expect("deny.toml");
    text.parse().expect("TOML")
}

fn strings(item: &Item) -> BTreeSet<String> {
    let list = item.as_array().expect("a list");
    list.iter()
        .map(|it| it.as_str().expect("a text").to_owned())
        .collect()
}

/// Whether a licence expression can be met by licences of the list alone. `/` is the old way to write OR.
fn is_allowed(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let expression = expression.replace('/', " OR ");
    let expression = expression.trim();
    // Parts at the outermost level.
    let split = |separator: &str| {
        let (mut parts, mut depth, mut part) = (Vec::new(), 0, Vec::new());
        let spaced = expression.replace('(', " ( ").replace(')', " ) ");
        for word in spaced.split_whitespace() {
            depth += i32::from(word == "(") - i32::from(word == ")");
            if depth == 0 && word == separator {
                parts.push(std::mem::take(&mut part).join(" "));
            } else {
                part.push(word.to_owned());
            }
        }
        parts.push(part.join(" "));
        parts
    };
    let or = split("OR");
    if or.len() > 1 {
        return or.iter().any(|part| is_allowed(part, allowed));
    }
    let and = split("AND");
    if and.len() > 1 {
        return and.iter().all(|part| is_allowed(part, allowed));
    }
    match expression
        .strip_prefix('(')
        .and_then(|it| it.strip_suffix(')'))
    {
        Some(inside) => is_allowed(inside, allowed),
        None => allowed.contains(expression),
    }
}

#[test]
fn expressions_of_licences_are_understood() {
    let allowed = BTreeSet::from([
        "MIT".to_owned(),
        "Apache-2.0 WITH LLVM-exception".to_owned(),
    ]);
    for good in [
        "MIT",
        "GPL-3.0 OR MIT",
        "MIT/GPL-2.0",
        "(MIT OR GPL-3.0) AND Apache-2.0 WITH LLVM-exception",
        "(MIT)",
    ] {
        assert!(is_allowed(good, &allowed), "{good}");
    }
    for bad in [
        "",
        "GPL-3.0",
        "MIT AND GPL-3.0",
        "(GPL-3.0 OR Apache-2.0) AND MIT",
        "Apache-2.0",
    ] {
        assert!(!is_allowed(bad, &allowed), "{bad}");
    }
}

#[test]
fn dependencies_are_licensed_and_from_the_registry_alone() {
    let tables = tables();
    let allowed = strings(&tables["licenses"]["allow"]);
    let registries = strings(&tables["sources"]["allow-registry"]);
    let mut used = BTreeSet::new();
    for package in packages() {
        let (name, licence) = (text(&package, "name"), text(&package, "license"));
        assert!(
            is_allowed(licence, &allowed),
            "{name}: `{licence}` is not allowed by deny.toml"
        );
        used.extend(allowed.iter().filter(|it| licence.contains(it.as_str())));
        let source = text(&package, "source");
        let is_ours = name == "tidegate" && source.is_empty();
        let registry = source.strip_prefix("registry+").unwrap_or_default();
        assert!(
            is_ours || registries.contains(registry),
            "{name} comes from `{source}`"
        );
    }
    assert_eq!(
        used.len(),
        allowed.len(),
        "deny.toml allows licences that nobody has"
    );
}

#[test]
fn double_versions_are_those_that_deny_toml_knows() {
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in packages() {
        let version = text(&package, "version").to_owned();
        versions
            .entry(text(&package, "name").to_owned())
            .or_default()
            .insert(version);
    }
    let tables = tables();
    for banned in tables["bans"]["deny"].as_array().expect("a list") {
        let name = banned
            .as_inline_table()
            .and_then(|it| it.get("name")?.as_str());
        let name = name.expect("a name");
        assert!(
            !versions.contains_key(name),
            "{name} is banned by deny.toml"
        );
    }
    let mut known = BTreeSet::new();
    for skipped in tables["bans"]["skip"].as_array().expect("a list") {
        let skipped = skipped.as_inline_table().expect("a table");
        let field = |key: &str| skipped.get(key).and_then(|it| it.as_str()).expect("a text");
        let version = field("version").trim_start_matches('=');
        let (name, version) = (field("name").to_owned(), version.to_owned());
        let all = &versions.get(&name);
        let is_double = all.is_some_and(|all| all.len() > 1 && all.contains(&version));
        assert!(
            is_double,
            "{name} {version} is not there twice any more: take it out of deny.toml"
        );
        known.insert((name, version));
    }
    for (name, all) in &versions {
        let unknown = all
            .iter()
            .filter(|version| !known.contains(&(name.clone(), (*version).clone())));
        assert!(
            unknown.count() <= 1,
            "{name} is there in versions {all:?}, which deny.toml does not know"
        );
    }
}

/// CycloneDX 1.5: what its schema asks of the parts that are used here.
#[test]
fn the_bill_of_materials_names_every_package() {
    let output = Command::new(root().join("scripts/sbom"))
        .current_dir(root())
        .output()
        .expect("scripts/sbom runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let again = Command::new(root().join("scripts/sbom"))
        .current_dir(root())
        .output()
        .expect("scripts/sbom runs");
    assert_eq!(output.stdout, again.stdout, "the same every time");
    let bom: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(
        (&bom["bomFormat"], &bom["specVersion"], &bom["version"]),
        (&"CycloneDX".into(), &"1.5".into(), &1.into())
    );
    assert_eq!(bom["metadata"]["component"]["name"], "tidegate");
    let components = bom["components"].as_array().expect("a list");
    let mut refs = BTreeSet::from([bom["metadata"]["component"]["bom-ref"]
        .as_str()
        .expect("a reference")]);
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).expect("Cargo.lock");
    let lock: DocumentMut = lock.parse().expect("TOML");
    let checksums: BTreeMap<(String, String), String> = lock["package"]
        .as_array_of_tables()
        .expect("packages")
        .iter()
        .filter_map(|it| {
            let field = |key: &str| it.get(key)?.as_str().map(str::to_owned);
            Some(((field("name")?, field("version")?), field("checksum")?))
        })
        .collect();
    for component in components {
        assert_eq!(component["type"], "library");
        let (name, version) = (text(component, "name"), text(component, "version"));
        let purl = format!("pkg:cargo/{name}@{version}");
        assert_eq!(component["purl"], purl.as_str());
        assert!(
            refs.insert(text(component, "bom-ref")),
            "{purl} is there twice"
        );
        assert!(
            !text(&component["licenses"][0], "expression").is_empty(),
            "{purl}"
        );
        let hash = &component["hashes"][0];
        assert_eq!(hash["alg"], "SHA-256");
        assert_eq!(
            text(hash, "content"),
            checksums[&(name.to_owned(), version.to_owned())],
            "{purl}"
        );
    }
    assert!(
        components.len() > 200 && components.len() <= checksums.len(),
        "{}",
        components.len()
    );
    for dependency in bom["dependencies"].as_array().expect("a list") {
        let on = dependency["dependsOn"].as_array().expect("a list").iter();
        for name in on.chain([&dependency["ref"]]) {
            assert!(
                refs.contains(name.as_str().expect("a reference")),
                "{name} is no component"
            );
        }
    }
}
