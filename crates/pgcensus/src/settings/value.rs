//! Values as the server reads them: booleans, whole numbers, lists.
//!
//! Sources: `parse_bool_with_len` in `src/backend/utils/adt/bool.c`, `parse_int` in `src/backend/utils/misc/guc.c`,
//! `SplitIdentifierString` in `src/backend/utils/adt/varlena.c`.

/// `on`, `true`, `yes`, `1`, their opposites, and what these can be told apart from by their beginning.
pub(super) fn boolean(text: &str) -> Option<bool> {
    let text = text.trim().to_ascii_lowercase();
    match &*text {
        "" | "o" => None,
        "1" => Some(true),
        "0" => Some(false),
        text => [
            ("true", true),
            ("false", false),
            ("yes", true),
            ("no", false),
            ("on", true),
            ("off", false),
        ]
        .into_iter()
        .find_map(|(word, meaning)| word.starts_with(text).then_some(meaning)),
    }
}

/// `100`, `0x64`, `0144`: as C spells them.
pub(super) fn number(text: &str) -> Option<u32> {
    let text = text.trim();
    let text = text.strip_prefix('+').unwrap_or(text);
    let lower = text.to_ascii_lowercase();
    if let Some(hex) = lower.strip_prefix("0x") {
        return u32::from_str_radix(hex, 16).ok();
    }
    match text.strip_prefix('0') {
        Some(octal) if !octal.is_empty() => u32::from_str_radix(octal, 8).ok(),
        _ => text.parse().ok(),
    }
}

/// `stderr, "csvlog"`: in lower case, without quotes.
pub(super) fn list(text: &str) -> Vec<String> {
    text.split(',')
        .map(|word| word.trim().trim_matches('"').to_ascii_lowercase())
        .filter(|word| !word.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans_and_numbers_are_spelled_in_many_ways() {
        for (text, is_on) in [
            ("on", Some(true)),
            ("ON", Some(true)),
            ("t", Some(true)),
            ("Yes", Some(true)),
            ("1", Some(true)),
            ("of", Some(false)),
            ("n", Some(false)),
            ("0", Some(false)),
            ("o", None),
            ("", None),
            ("11", None),
            ("onn", None),
        ] {
            assert_eq!(boolean(text), is_on, "{text:?}");
        }
        for (text, n) in [
            ("5432", Some(5432)),
            ("+7", Some(7)),
            ("0x1538", Some(5432)),
            ("012470", Some(5432)),
            ("0", Some(0)),
            ("many", None),
            ("-1", None),
            ("99999999999", None),
        ] {
            assert_eq!(number(text), n, "{text:?}");
        }
        assert_eq!(
            list(" stderr, \"CSVlog\" ,,syslog"),
            ["stderr", "csvlog", "syslog"]
        );
    }
}
