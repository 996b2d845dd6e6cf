//! Where an alias leads: `version`, or `weights` over two versions.

use super::convert::{ratio, unknown_name};
use super::diagnostic::Diagnostic;
use super::model::Version;
use super::node::Value;
use super::read::{At, Cx, Table, shown};
use crate::engine::Ratio;
use crate::engine::lambda::{Routing, VersionId};

const LATEST: &str = "$LATEST";

/// The routing of an alias of a function with these versions. A function that publishes nothing has one state, to which
/// all of its aliases lead.
pub(super) fn routing(table: &mut Table<'_>, cx: &mut Cx, versions: &[Version]) -> Routing {
    let version = table.opt(cx, "version", |at, cx| {
        if matches!(&at.node.value, Value::String(text) if text == LATEST) {
            return Some(None);
        }
        version(at, cx, versions).map(Some)
    });
    let weighted = table.opt(cx, "weights", |at, cx| weights(at, cx, versions));
    if let (Some(_), Some(entry)) = (table.entry("version"), table.entry("weights")) {
        cx.push(
            Diagnostic::new("conflicting-keys", "an alias has `version` or `weights`")
                .at(&entry.key_span)
                .label("has both")
                .help("write the version into `weights`, with its share"),
        );
    }
    let names_none = table.entry("version").is_none() && table.entry("weights").is_none();
    if names_none && !versions.is_empty() {
        table.missing(cx, "version", &format!("\"{}\"", versions[0].number));
    }
    weighted.unwrap_or(Routing {
        version: version.flatten(),
        additional: None,
    })
}

/// A published version by its number, written as AWS does (`"2"`) or plainly (`2`).
pub(super) fn version(at: At<'_>, cx: &mut Cx, versions: &[Version]) -> Option<VersionId> {
    let number = match &at.node.value {
        Value::String(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        _ => {
            cx.wrong_type(at, "the number of a version");
            return None;
        }
    };
    known(at.key, &number, &at.node.span, cx, versions)
}

fn known(
    key: &str,
    number: &str,
    place: &std::ops::Range<usize>,
    cx: &mut Cx,
    versions: &[Version],
) -> Option<VersionId> {
    let found = versions
        .iter()
        .position(|version| version.number.to_string() == number);
    if found.is_none() {
        let numbers: Vec<String> = versions
            .iter()
            .map(|version| version.number.to_string())
            .collect();
        let diagnostic = unknown_name(key, number, place, || numbers.iter().map(String::as_str));
        cx.push(diagnostic.help(format!(
            "add `[[function.version]]` with `number = {}`",
            if number.parse::<u32>().is_ok() {
                number
            } else {
                "1"
            }
        )));
    }
    found.map(|index| VersionId(index as u16))
}

/// `{ "1" = "95%", "2" = "5%" }` (rule `alias-weights`).
fn weights(at: At<'_>, cx: &mut Cx, versions: &[Version]) -> Option<Routing> {
    let Value::Map(entries) = &at.node.value else {
        cx.wrong_type(at, "a table of versions and their shares");
        return None;
    };
    if let Some(third) = entries.get(2) {
        cx.push(refused(
            &third.key_span,
            "Number of items in AdditionalVersionWeights cannot be greater than 1",
            format!("{} versions", entries.len()),
            "one or two versions",
        ));
        return None;
    }
    let mut shares: Vec<(VersionId, Ratio)> = Vec::new();
    for entry in entries {
        if entry.key == LATEST && entries.len() > 1 {
            cx.push(refused(
                &entry.key_span,
                "$LATEST is not supported for an alias pointing to more than 1 version",
                "no published version".to_owned(),
                "numbers of published versions",
            ));
            return None;
        }
        let version = known(at.key, &entry.key, &entry.key_span, cx, versions);
        let share = ratio(At::from(entry), cx);
        shares.push((version?, share?));
    }
    let (is_whole, routing) = match shares[..] {
        [(version, share)] => (
            share.completes(Ratio::ZERO),
            Routing {
                version: Some(version),
                additional: None,
            },
        ),
        [(version, share), (other, others)] => (
            share.completes(others),
            Routing {
                version: Some(version),
                additional: Some((other, others)),
            },
        ),
        _ => (false, Routing::default()),
    };
    if is_whole {
        return Some(routing);
    }
    let sum: f64 = shares.iter().map(|(_, share)| share.as_f64()).sum();
    cx.push(
        Diagnostic::new("alias-weights", "the weights of an alias make a whole")
            .at(&at.node.span)
            .label(format!(
                "they add up to {}%",
                shown(&(sum * 100.0).to_string())
            ))
            .allowed("one or two versions with 100% together")
            .help("write `{ \"1\" = \"90%\", \"2\" = \"10%\" }`"),
    );
    None
}

fn refused(
    place: &std::ops::Range<usize>,
    text: &str,
    label: String,
    allowed: &'static str,
) -> Diagnostic {
    Diagnostic::new("alias-weights", format!("AWS refuses it: {text}"))
        .at(place)
        .label(label)
        .allowed(allowed)
}
