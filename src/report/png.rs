//! Charts as PNG: the SVG file, painted with the font that is embedded here. Characters that the font does not have
//! (it has those of Latin) are left out; the SVG and the page have them.

use std::sync::Arc;

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb::Database};

const FONTS: [&[u8]; 2] = [
    include_bytes!("assets/NotoSans-Latin-Regular.ttf"),
    include_bytes!("assets/NotoSans-Latin-SemiBold.ttf"),
];
/// Dots per unit of the drawing: fine enough for screens of twice the usual density.
const SCALE: f32 = 2.0;

/// Paints drawings, with fonts that are read once.
pub(super) struct Painter {
    options: Options<'static>,
}

/// A drawing could not be painted.
#[derive(Debug, thiserror::Error)]
pub(super) enum PaintError {
    #[error("the drawing is not SVG: {0}")]
    Parse(#[from] resvg::usvg::Error),
    #[error("the drawing has no size")]
    Size,
    #[error("the image cannot be encoded: {0}")]
    Encode(String),
}

impl Default for Painter {
    fn default() -> Self {
        let mut fonts = Database::new();
        for font in FONTS {
            fonts.load_font_data(font.to_vec());
        }
        Self {
            options: Options {
                font_family: "Noto Sans".to_owned(),
                fontdb: Arc::new(fonts),
                ..Options::default()
            },
        }
    }
}

impl Painter {
    /// The drawing as the bytes of a PNG file.
    pub(super) fn paint(&self, drawing: &str) -> Result<Vec<u8>, PaintError> {
        let tree = Tree::from_str(drawing, &self.options)?;
        let size = tree.size();
        let dots = |length: f32| (length * SCALE).round() as u32;
        let image = Pixmap::new(dots(size.width()), dots(size.height()));
        let mut image = image.ok_or(PaintError::Size)?;
        let scale = Transform::from_scale(SCALE, SCALE);
        resvg::render(&tree, scale, &mut image.as_mut());
        image
            .encode_png()
            .map_err(|error| PaintError::Encode(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::fixture;
    use crate::report::{standalone, view};

    #[test]
    fn charts_have_lines_and_letters() {
        let (summary, series) = fixture::flash_sale();
        let view = view::prepare(&summary, &series);
        let subject = &view.subjects[0];
        let drawing = standalone::draw(&subject.charts[0], &subject.name).expect("a drawing");
        let image = Painter::default().paint(&drawing).expect("an image");
        let image = Pixmap::decode_png(&image).expect("a PNG image");
        assert_eq!(image.width(), 1_184);
        let count = |wanted: [u8; 3]| {
            let dots = image.pixels().iter();
            let dots = dots.filter(|dot| [dot.red(), dot.green(), dot.blue()] == wanted);
            dots.count()
        };
        // The line, the title's letters, the shade of the warm-up, and paper.
        assert!(count([0x00, 0x72, 0xb2]) > 1_000, "no blue line");
        assert!(count([0x1a, 0x1e, 0x23]) > 200, "no title");
        assert!(count([0xec, 0xef, 0xf2]) > 5_000, "no warm-up");
        assert!(count([0xff; 3]) > 300_000, "no paper");
    }

    #[test]
    fn what_is_no_drawing_is_an_error() {
        let error = Painter::default().paint("<svg").expect_err("not a drawing");
        assert!(error.to_string().contains("not SVG"), "{error}");
    }
}
