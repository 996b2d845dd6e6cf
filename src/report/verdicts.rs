//! Gates in the formats of build servers: JUnit's XML and GitHub's workflow commands.

use super::numbers;
use crate::metrics::{GateResult, Summary};
use std::fmt::Write as _;

/// A JUnit document: a suite for each summary, a test case for each gate.
pub(super) fn junit(summaries: &[&Summary]) -> String {
    let failures = |summary: &Summary| summary.gates.iter().filter(|gate| !gate.pass).count();
    let tests: usize = summaries.iter().map(|summary| summary.gates.len()).sum();
    let failed: usize = summaries.iter().map(|summary| failures(summary)).sum();
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"tidegate\" tests=\"{tests}\" failures=\"{failed}\" errors=\"0\">\n"
    );
    for summary in summaries {
        let _ = writeln!(
            text,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"0\">\n    <properties>",
            escape(&summary.scenario),
            summary.gates.len(),
            failures(summary)
        );
        for (name, value) in [
            ("scenario_hash", summary.scenario_hash.clone()),
            ("seed", summary.seed.to_string()),
            ("replications", summary.replications.to_string()),
            ("tidegate", summary.tidegate.clone()),
        ] {
            let _ = writeln!(
                text,
                "      <property name=\"{name}\" value=\"{}\"/>",
                escape(&value)
            );
        }
        text.push_str("    </properties>\n");
        for gate in &summary.gates {
            let _ = write!(
                text,
                "    <testcase classname=\"{}\" name=\"{}\"",
                escape(&summary.scenario),
                escape(&bound(gate))
            );
            if gate.pass {
                text.push_str("/>\n");
                continue;
            }
            let said = escape(&outcome(gate));
            let _ = writeln!(
                text,
                ">\n      <failure type=\"gate\" message=\"{said}\">{said}</failure>\n    </testcase>"
            );
        }
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    text
}

/// A workflow command for each gate that failed; `file` is what the annotation is shown at.
pub(super) fn github(summary: &Summary, file: &str) -> String {
    let failed = summary.gates.iter().filter(|gate| !gate.pass);
    let lines = failed.map(|gate| {
        let title = format!("Gate failed: {}", bound(gate));
        let said = format!("{}: {}", summary.scenario, outcome(gate));
        format!(
            "::error file={},title={}::{}\n",
            property(file),
            property(&title),
            message(&said)
        )
    });
    lines.collect()
}

/// `checkout.Latency p99 <= 400`.
fn bound(gate: &GateResult) -> String {
    format!("{} {} {}", gate.metric, gate.statistic, gate.bound)
}

fn outcome(gate: &GateResult) -> String {
    format!(
        "{} {} is {}, the bound is {}",
        gate.metric,
        gate.statistic,
        numbers::trimmed(gate.value, 4),
        gate.bound
    )
}

/// Text within an XML attribute or element. Characters that XML cannot hold at all are replaced.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&apos;"),
            // In an attribute a plain one would be read as a space.
            '\t' | '\n' | '\r' => {
                let _ = write!(safe, "&#{};", u32::from(character));
            }
            '\0'..='\u{1f}' | '\u{7f}' | '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            other => safe.push(other),
        }
    }
    safe
}

/// The text of a workflow command.
fn message(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// A property of a workflow command, which ends at a comma or a colon.
fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::fixture;

    #[test]
    fn workflow_commands_hold_what_they_are_given() {
        let mut summary = fixture::short(20).0;
        summary.scenario = "100 %: a\nb".to_owned();
        summary.gates = vec![GateResult {
            metric: "a:b,c.Throttles".to_owned(),
            statistic: "Sum".to_owned(),
            bound: "<= 5".to_owned(),
            value: 6.5,
            pass: false,
        }];
        assert_eq!(
            github(&summary, "s,1.toml"),
            "::error file=s%2C1.toml,title=Gate failed%3A a%3Ab%2Cc.Throttles Sum <= 5::100 %25: a%0Ab: \
             a:b,c.Throttles Sum is 6.5, the bound is <= 5\n"
        );
        summary.gates[0].pass = true;
        assert_eq!(github(&summary, "s.toml"), "");
    }

    #[test]
    fn what_xml_cannot_hold_is_replaced() {
        assert_eq!(
            escape("<a b=\"&'\">\n\u{1}\u{1b}[0m"),
            "&lt;a b=&quot;&amp;&apos;&quot;&gt;&#10;\u{fffd}\u{fffd}[0m"
        );
    }
}
