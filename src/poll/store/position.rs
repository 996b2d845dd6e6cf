//! Positions as text, in stores and logs.

use crate::engine::{Position, Time};

pub(crate) fn position_to_text(position: Position) -> String {
    match position {
        Position::Horizon => "horizon".to_owned(),
        Position::Latest => "latest".to_owned(),
        Position::At(time) => format!("at:{}", time.as_nanos()),
        Position::After(seq) => format!("after:{seq}"),
        Position::End => "end".to_owned(),
    }
}

pub(crate) fn position_from_text(text: &str) -> Option<Position> {
    match text.split_once(':') {
        None if text == "horizon" => Some(Position::Horizon),
        None if text == "latest" => Some(Position::Latest),
        None if text == "end" => Some(Position::End),
        Some(("at", nanos)) => nanos.parse().ok().map(Time::from_nanos).map(Position::At),
        Some(("after", seq)) => seq.parse().ok().map(Position::After),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Seq;

    #[test]
    fn positions_survive_text() {
        for position in [
            Position::Horizon,
            Position::Latest,
            Position::At(Time::from_nanos(17)),
            Position::After(Seq::from(4)),
            Position::End,
        ] {
            assert_eq!(
                position_from_text(&position_to_text(position)),
                Some(position)
            );
        }
        for text in ["", "after:", "after:x", "at:-1", "somewhere"] {
            assert_eq!(position_from_text(text), None, "{text}");
        }
    }
}
