//! The words between a prefix and its text, and the words for a name that is not set.

use super::Label;
use crate::record::Severity;

/// Labels with their separator, most frequent first. All debug levels print `DEBUG`.
const LABELS: &[(&[u8], Label)] = &[
    (b"LOG:  ", Label::Severity(Severity::Log)),
    (b"STATEMENT:  ", Label::Statement),
    (b"ERROR:  ", Label::Severity(Severity::Error)),
    (b"FATAL:  ", Label::Severity(Severity::Fatal)),
    (b"DETAIL:  ", Label::Detail),
    (b"CONTEXT:  ", Label::Context),
    (b"QUERY:  ", Label::Context),
    (b"HINT:  ", Label::Other),
    (b"LOCATION:  ", Label::Other),
    (b"WARNING:  ", Label::Severity(Severity::Warning)),
    (b"NOTICE:  ", Label::Severity(Severity::Minor)),
    (b"INFO:  ", Label::Severity(Severity::Minor)),
    (b"DEBUG:  ", Label::Severity(Severity::Minor)),
    (b"PANIC:  ", Label::Severity(Severity::Panic)),
    (b"BACKTRACE:  ", Label::Other),
];

/// What `%u`, `%d` and `%a` print for a name that is not set, by `lc_messages`.
const UNSET: &[&str] = &[
    "[unknown]",
    "[unbekannt]",
    "[desconocido]",
    "[inconnu]",
    "[sconosciuto]",
    "[不明]",
    "[უცნობი]",
    "[알수없음]",
    "[nieznany]",
    "[desconhecido]",
    "[н/д]",
    "[okänd]",
    "[bilinmeyen]",
    "[未知]",
];

/// The label at the start of `text`, with its length including the spaces after the colon.
pub(super) fn read(text: &[u8]) -> Option<(Label, usize)> {
    // Nearly always, and compared at once.
    if text.starts_with(b"LOG:  ") {
        return Some(LABELS[0]).map(|(word, label)| (label, word.len()));
    }
    let first = *text.first()?;
    LABELS
        .iter()
        .find(|(word, _)| word[0] == first && text.starts_with(word))
        .map(|(word, label)| (*label, word.len()))
}

/// The label that `text` ends with, whatever stands before it.
pub(crate) fn at_end(text: &[u8]) -> Option<Label> {
    ending(text).map(|(label, _)| label)
}

/// A severity without its colon, in English.
pub(crate) fn is_severity(text: &[u8]) -> bool {
    LABELS.iter().any(|(word, label)| {
        matches!(label, Label::Severity(_)) && word.strip_suffix(b":  ") == Some(text)
    })
}

/// Likewise, with its length including the spaces. No label ends with another one.
pub(super) fn ending(text: &[u8]) -> Option<(Label, usize)> {
    let found = LABELS.iter().find(|(word, _)| text.ends_with(word));
    found.map(|(word, label)| (*label, word.len()))
}

/// The length of the word for an unset name at the start of `text`.
pub(super) fn unset(text: &[u8]) -> Option<usize> {
    if text.first() != Some(&b'[') {
        return None;
    }
    let word = UNSET.iter().find(|word| text.starts_with(word.as_bytes()));
    word.map(|word| word.len())
}
