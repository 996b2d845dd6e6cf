//! The known name that somebody may have meant.

/// The nearest of `known` to `found`, if one is near. Case, `_` and `-` do not count.
pub(crate) fn nearest<'k>(
    found: &str,
    known: impl IntoIterator<Item = &'k str>,
) -> Option<&'k str> {
    // Long words are cut before they are compared: the comparison is quadratic, and they are no typing errors.
    const CHARS_MAX: usize = 80;
    const KNOWN_MAX: usize = 500;
    if found.len() > CHARS_MAX {
        return None;
    }
    let plain = |text: &str| -> String {
        text.chars()
            .filter(|c| !matches!(c, '_' | '-'))
            .flat_map(char::to_lowercase)
            .collect()
    };
    let wanted = plain(found);
    // Two letters are too few to tell a slip from another word.
    let near = match wanted.chars().count() {
        0..=2 => 0,
        count => 1.max(count / 3),
    };
    known
        .into_iter()
        .take(KNOWN_MAX)
        .filter(|name| *name != found && !name.is_empty())
        .map(|name| (strsim::osa_distance(&wanted, &plain(name)), name))
        .filter(|(distance, _)| *distance <= near)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// `a, b and c`, cut after forty names.
pub(crate) fn listed<'k>(names: impl IntoIterator<Item = &'k str>) -> String {
    const NAMES_MAX: usize = 40;
    // A table whose name is wrong has an empty one, which nobody can refer to.
    let names: Vec<&str> = names.into_iter().filter(|name| !name.is_empty()).collect();
    match names.len() {
        0 => "none".to_owned(),
        n if n > NAMES_MAX => format!(
            "{} and {} more",
            names[..NAMES_MAX].join(", "),
            n - NAMES_MAX
        ),
        _ => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_counts_more_than_case() {
        assert_eq!(
            nearest("batch_size", ["BatchSize", "Bisect"]),
            Some("BatchSize")
        );
        assert_eq!(nearest("tiemout", ["timeout", "name"]), Some("timeout"));
        assert_eq!(nearest("colour", ["timeout", "name"]), None);
    }
}
