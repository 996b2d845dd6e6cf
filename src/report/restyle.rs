//! Plotters writes fixed colours, fonts and widths into every element. A page that follows the reader's
//! theme needs classes instead, so each role is drawn in a colour that stands for it and exchanged here.
//! Lines become relative paths, which are half as long.

use std::fmt::Write as _;

use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, IntoFont, RGBColor, TextStyle};

use super::view::Colour;

/// What an element of a chart is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Grid,
    Axis,
    TickText,
    WarmUp,
    Fault,
    BandText,
    FaultText,
    Limit,
    LimitText,
    FormatText,
    Stroke(Colour),
    /// Single values behind a line of means.
    Faint(Colour),
    Fill(Colour),
}

const COLOURS: [Colour; 6] = [
    Colour::Blue,
    Colour::Orange,
    Colour::Green,
    Colour::Vermilion,
    Colour::Sky,
    Colour::Purple,
];

const PLAIN: [(Role, &str); 10] = [
    (Role::Grid, "grid"),
    (Role::Axis, "axis"),
    (Role::TickText, "tick"),
    (Role::WarmUp, "warm"),
    (Role::Fault, "fault"),
    (Role::BandText, "band"),
    (Role::FaultText, "band hot"),
    (Role::Limit, "limit"),
    (Role::LimitText, "limit-text"),
    (Role::FormatText, "format"),
];

/// First numbers of coloured roles, with their names in the style sheet.
const STROKES: (u8, &str) = (32, "line");
const FAINT: (u8, &str) = (64, "line single");
const FILLS: (u8, &str) = (96, "area");

impl Role {
    /// The colour that stands for the role while plotters draws.
    pub(super) fn colour(self) -> RGBColor {
        let number = match self {
            Self::Stroke(colour) => STROKES.0 + colour as u8,
            Self::Faint(colour) => FAINT.0 + colour as u8,
            Self::Fill(colour) => FILLS.0 + colour as u8,
            plain => PLAIN.iter().take_while(|(role, _)| *role != plain).count() as u8,
        };
        RGBColor(number, 0, 0)
    }

    /// Text in this role. The size only tells plotters how tall a label is; the style sheet sets it.
    pub(super) fn text(self) -> TextStyle<'static> {
        let h_pos = match self {
            Self::LimitText | Self::FormatText => HPos::Right,
            _ => HPos::Left,
        };
        ("sans-serif", 120)
            .into_font()
            .color(&self.colour().to_rgba())
            .pos(Pos::new(h_pos, VPos::Top))
    }

    fn class(number: u8) -> String {
        for (first, name) in [STROKES, FAINT, FILLS] {
            let index = usize::from(number.wrapping_sub(first));
            if let Some(colour) = COLOURS.get(index) {
                return format!("{name} {}", colour.class());
            }
        }
        PLAIN
            .get(usize::from(number))
            .map_or("", |(_, name)| name)
            .to_owned()
    }
}

/// Rewrites a drawing of plotters; the outer element is left to the page.
pub(super) fn restyle(drawn: &str) -> String {
    let mut output = String::with_capacity(drawn.len() / 2);
    let mut rest = drawn;
    // Plotters escapes `<` and `>` in texts and attributes, so these only ever bound a tag.
    while let Some((text, after)) = rest.split_once('<') {
        output.push_str(text.trim());
        let Some((tag, after)) = after.split_once('>') else {
            break;
        };
        rest = after;
        element(tag, &mut output);
    }
    output
}

fn element(tag: &str, output: &mut String) {
    let tag = tag.trim_end_matches('/');
    let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
    match name {
        "svg" => {
            let size = attribute(attributes, "viewBox").unwrap_or_default();
            let _ = write!(
                output,
                "<svg viewBox=\"{size}\" aria-hidden=\"true\" focusable=\"false\">"
            );
        }
        "/svg" => output.push_str("</svg>"),
        "/text" => output.push_str("</text>\n"),
        "polyline" => path(attributes, "", output),
        "polygon" => path(attributes, "z", output),
        _ => {
            let _ = write!(output, "<{name} class=\"{}\"", class(attributes));
            let kept = [
                "x",
                "y",
                "x1",
                "y1",
                "x2",
                "y2",
                "width",
                "height",
                "dy",
                "text-anchor",
            ];
            for key in kept {
                if let Some(value) = attribute(attributes, key) {
                    let _ = write!(output, " {key}=\"{value}\"");
                }
            }
            output.push_str(if name == "text" { ">" } else { "/>\n" });
        }
    }
}

/// A path of relative steps. A single point gets a step of nothing, which round line ends make a dot.
fn path(attributes: &str, end: &str, output: &mut String) {
    let points = attribute(attributes, "points").unwrap_or_default();
    let mut points = points.split_ascii_whitespace().filter_map(|point| {
        let (x, y) = point.split_once(',')?;
        Some((x.parse::<i32>().ok()?, y.parse::<i32>().ok()?))
    });
    let Some(mut last) = points.next() else {
        return;
    };
    let _ = write!(
        output,
        "<path class=\"{}\" d=\"m{},{}l",
        class(attributes),
        last.0,
        last.1
    );
    let mut steps = 0;
    for (x, y) in points {
        let (dx, dy) = (x - last.0, y - last.1);
        // A minus sign separates numbers as well as a space does.
        let gap = if steps == 0 || dx < 0 { "" } else { " " };
        let comma = if dy < 0 { "" } else { "," };
        let _ = write!(output, "{gap}{dx}{comma}{dy}");
        last = (x, y);
        steps += 1;
    }
    if steps == 0 {
        output.push_str("0,0");
    }
    let _ = writeln!(output, "{end}\"/>");
}

fn class(attributes: &str) -> String {
    let colour = ["stroke", "fill"]
        .into_iter()
        .filter_map(|key| attribute(attributes, key))
        .find_map(|value| u8::from_str_radix(value.strip_prefix('#')?.get(..2)?, 16).ok());
    colour.map(Role::class).unwrap_or_default()
}

fn attribute<'a>(attributes: &'a str, key: &str) -> Option<&'a str> {
    let mut rest = attributes;
    loop {
        let (name, after) = rest.split_once("=\"")?;
        let (value, after) = after.split_once('"')?;
        if name.trim() == key {
            return Some(value);
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_become_classes_and_lines_become_paths() {
        let number = Role::Stroke(Colour::Purple).colour().0;
        let drawn = format!(
            "<svg width=\"9\" height=\"8\" viewBox=\"0 0 9 8\" xmlns=\"n\">\n<polyline fill=\"none\" opacity=\"1\" \
             stroke=\"#{number:02X}0000\" stroke-width=\"1\" points=\"5,6 7,4 7,9 \"/>\n<text x=\"1\" y=\"2\" dy=\"0.76em\" \
             text-anchor=\"start\" font-size=\"9\" fill=\"#020000\">\na &lt; b\n</text>\n</svg>\n"
        );
        assert_eq!(
            restyle(&drawn),
            "<svg viewBox=\"0 0 9 8\" aria-hidden=\"true\" focusable=\"false\"><path class=\"line purple\" d=\"m5,6l2-2 0,5\"/>\n\
             <text class=\"tick\" x=\"1\" y=\"2\" dy=\"0.76em\" text-anchor=\"start\">a &lt; b</text>\n</svg>"
        );
    }

    #[test]
    fn a_lonely_point_is_a_dot() {
        let mut output = String::new();
        path("stroke=\"#200000\" points=\"5,6 \"", "", &mut output);
        assert_eq!(output, "<path class=\"line blue\" d=\"m5,6l0,0\"/>\n");
    }
}
