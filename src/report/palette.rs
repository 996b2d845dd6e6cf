//! The colours of reports: one place for the page in both themes, for paper, and for charts in files of their own.

use std::fmt::Write as _;

/// Name and colour.
type Palette = [(&'static str, &'static str); 18];

const LIGHT: Palette = [
    ("page", "#ffffff"),
    ("ink", "#1a1e23"),
    ("muted", "#59626d"),
    ("rule", "#dfe3e7"),
    ("soft", "#f4f6f8"),
    ("grid", "#e6e9ed"),
    ("warm", "#eceff2"),
    ("fault", "#fbe3d3"),
    ("hot", "#a84600"),
    ("good", "#00694c"),
    ("bad", "#b03a00"),
    ("accent", "#0072b2"),
    ("blue", "#0072b2"),
    ("orange", "#cc8400"),
    ("green", "#00916a"),
    ("vermilion", "#d04f00"),
    ("sky", "#62b4e4"),
    ("purple", "#a8467f"),
];

const DARK: Palette = [
    ("page", "#14171a"),
    ("ink", "#e7e9eb"),
    ("muted", "#9ba5af"),
    ("rule", "#2d333a"),
    ("soft", "#1c2126"),
    ("grid", "#272d33"),
    ("warm", "#21262b"),
    ("fault", "#40291b"),
    ("hot", "#f3a36d"),
    ("good", "#4fd0a5"),
    ("bad", "#ff9257"),
    ("accent", "#4fa8e3"),
    ("blue", "#4fa8e3"),
    ("orange", "#eab04a"),
    ("green", "#35c79d"),
    ("vermilion", "#f5834a"),
    ("sky", "#8fd0f5"),
    ("purple", "#e08fc0"),
];

/// What paper wants otherwise than a bright screen: more contrast.
const PAPER: [(&str, &str); 10] = [
    ("ink", "#000000"),
    ("muted", "#333333"),
    ("rule", "#bbbbbb"),
    ("soft", "#f4f4f4"),
    ("grid", "#dddddd"),
    ("warm", "#ececec"),
    ("fault", "#f8dfcd"),
    ("hot", "#7a3300"),
    ("good", "#004d38"),
    ("bad", "#8a2d00"),
];

/// Rules that give the page its colours: by the reader's preference, by the attribute `data-theme` of the root, and on
/// paper.
pub(super) fn rules() -> String {
    let light = |rest: &[_]| {
        format!(
            "color-scheme: light; {}{}",
            variables(&LIGHT),
            variables(rest)
        )
    };
    let dark = format!("color-scheme: dark; {}", variables(&DARK));
    let root = ":root:not([data-theme=\"light\"])";
    let mut rules = format!(":root {{ {}}}\n", light(&[]));
    let _ = writeln!(
        rules,
        "@media (prefers-color-scheme: dark) {{ {root} {{ {dark}}} }}"
    );
    let _ = writeln!(rules, ":root[data-theme=\"dark\"] {{ {dark}}}");
    // More specific than any of the above.
    let _ = writeln!(
        rules,
        "@media print {{ :root:root:root {{ {}}} }}",
        light(&PAPER)
    );
    rules
}

fn variables(palette: &[(&str, &str)]) -> String {
    palette
        .iter()
        .fold(String::new(), |mut text, (name, colour)| {
            let _ = write!(text, "--{name}: {colour}; ");
            text
        })
}

/// A style sheet with the light colours in place of its variables, for readers that know no variables.
pub(super) fn resolved(sheet: &str) -> String {
    LIGHT
        .iter()
        .fold(sheet.to_owned(), |sheet, (name, colour)| {
            sheet.replace(&format!("var(--{name})"), colour)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance of a colour, as WCAG 2 defines it.
    fn luminance(colour: &str) -> f64 {
        let channel = |at: usize| {
            let value = u8::from_str_radix(&colour[at..at + 2], 16).expect("hexadecimal digits");
            let value = f64::from(value) / 255.0;
            if value <= 0.040_45 {
                value / 12.92
            } else {
                ((value + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    fn contrast(palette: &Palette, one: &str, other: &str) -> f64 {
        let of = |name: &str| {
            let found = palette.iter().find(|(known, _)| *known == name);
            luminance(found.expect("a colour of that name").1) + 0.05
        };
        let (one, other) = (of(one), of(other));
        (one / other).max(other / one)
    }

    #[test]
    fn text_and_lines_stand_out_in_both_themes() {
        for palette in [&LIGHT, &DARK] {
            for text in ["ink", "muted", "hot", "good", "bad", "accent"] {
                let found = contrast(palette, text, "page");
                assert!(found >= 4.5, "{text}: {found}");
            }
            for line in ["blue", "orange", "green", "vermilion", "purple"] {
                let found = contrast(palette, line, "page");
                assert!(found >= 3.0, "{line}: {found}");
            }
        }
    }

    #[test]
    fn no_variable_is_left() {
        assert_eq!(resolved("a { fill: var(--blue) }"), "a { fill: #0072b2 }");
        let rules = rules();
        assert!(rules.contains("prefers-color-scheme: dark") && rules.contains("@media print"));
    }
}
