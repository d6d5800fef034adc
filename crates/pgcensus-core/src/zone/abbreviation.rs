//! What the zone of a log time means: `CET` → 3600, `+0545` → 20700, `MSK` → whatever Moscow had.
//!
//! Facts only; the choice between them is [`super::LogClock`]'s.

/// The meaning of an abbreviation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Seconds east of UTC, always the same.
    Offset(i32),
    /// The zone whose time at that moment it is, since its offset has changed over the years; and
    /// that zone's offset in January 2026, for a machine without a time zone database.
    Zone(&'static str, i32),
}

use Meaning::{Offset, Zone};

/// The meaning of `text` in [`DEFAULT`], in any case of its letters.
pub(super) fn default_meaning(text: &[u8]) -> Option<Meaning> {
    let mut upper = [0; 8];
    let upper = upper.get_mut(..text.len())?;
    upper.copy_from_slice(text);
    upper.make_ascii_uppercase();
    let i = DEFAULT
        .binary_search_by(|(name, _)| name.as_bytes().cmp(upper))
        .ok()?;
    Some(DEFAULT[i].1)
}

/// What the default set takes `text` for, and what else it can mean, in words; `None` where no
/// server has printed it for anything else.
pub(super) fn ambiguity(text: &[u8]) -> Option<(&'static str, &'static str)> {
    AMBIGUOUS
        .iter()
        .find(|(name, ..)| name.as_bytes().eq_ignore_ascii_case(text))
        .map(|&(_, default, others)| (default, others))
}

/// Reads a numeric zone: `+0545`, `-03`, `+05:30`, `+053015`, each also in `<…>`; seconds east of UTC.
///
/// A server prints such a zone from the time zone database or from the name in a POSIX
/// `log_timezone` (`<+0530>-05:30`); in both, plus is east of Greenwich as in ISO 8601. `None` for
/// text that is not numeric, or past 24 hours.
pub fn numeric_offset_s(text: &[u8]) -> Option<i32> {
    let text = without_brackets(text);
    let (sign, digits) = match text {
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return None,
    };
    let (mut parts, mut rest) = ([0; 3], digits);
    for (i, part) in parts.iter_mut().enumerate() {
        if i > 0 {
            rest = rest.strip_prefix(b":").unwrap_or(rest);
        }
        let taken = match rest {
            // `+5`, `+5:30` and `+530`: an hour of one digit.
            [_] | [_, b':', ..] | [_, _, _] if i == 0 => 1,
            [] if i > 0 => break,
            _ => 2,
        };
        for &b in rest.get(..taken)? {
            *part = *part * 10 + i32::from(b.is_ascii_digit().then(|| b - b'0')?);
        }
        rest = &rest[taken..];
    }
    let [hours, minutes, seconds] = parts;
    (rest.is_empty() && hours <= 24 && minutes < 60 && seconds < 60)
        .then_some(sign * (hours * 3600 + minutes * 60 + seconds))
}

/// `+0530` of `<+0530>`: the form in which the server itself prints it.
pub(super) fn without_brackets(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"<")
        .and_then(|text| text.strip_suffix(b">"))
        .unwrap_or(text)
}

/// Abbreviations that servers have printed for different offsets: what PostgreSQL's default set takes
/// each for, and what else it can mean.
///
/// Source: the files beside `Default` in PostgreSQL 15's `share/timezonesets`, where they give another
/// offset, without those that no version of the time zone database had, since no server printed them
/// (`SAST` of South Australia, `ACST` of Acre). Some are of older databases only (`EST` of Australia
/// ended in 2014, `AST` of Arabia in 2017), which old servers have.
const AMBIGUOUS: [(&str, &str, &str); 12] = [
    ("AMST", "Armenian summer time", "Amazon summer time"),
    ("AMT", "Amazon time", "Armenia"),
    ("AST", "Atlantic time", "Arabia"),
    ("BST", "British summer time", "Bougainville"),
    ("CCT", "China coast time", "the Cocos Islands"),
    ("CDT", "American central summer time", "Cuba"),
    (
        "CST",
        "American central time",
        "China, Cuba or central Australia",
    ),
    ("EST", "American eastern time", "eastern Australia"),
    ("IST", "Israel time", "India or Ireland"),
    ("NFT", "Newfoundland time", "Norfolk Island"),
    ("PST", "American Pacific time", "the Philippines"),
    ("WAST", "West Australian time", "West African summer time"),
];

/// PostgreSQL's `Default` set of time zone abbreviations, sorted.
///
/// Source: `share/timezonesets/Default` of PostgreSQL 15.18 (`src/timezone/tznames/Default`); what
/// `timezone_abbreviations` has unless it was changed. A server reads abbreviations with it, but prints
/// what the time zone database says: a few that it prints are not here (`CAT`, `WEST`, `SST`, `WIB`).
const DEFAULT: [(&str, Meaning); 195] = [
    ("ACDT", Offset(37_800)),
    ("ACSST", Offset(37_800)),
    ("ACST", Offset(34_200)),
    ("ACT", Offset(-18_000)),
    ("ACWST", Offset(31_500)),
    ("ADT", Offset(-10_800)),
    ("AEDT", Offset(39_600)),
    ("AESST", Offset(39_600)),
    ("AEST", Offset(36_000)),
    ("AFT", Offset(16_200)),
    ("AKDT", Offset(-28_800)),
    ("AKST", Offset(-32_400)),
    ("ALMST", Offset(25_200)),
    ("ALMT", Offset(21_600)),
    ("AMST", Zone("Asia/Yerevan", 14_400)),
    ("AMT", Offset(-14_400)),
    ("ANAST", Zone("Asia/Anadyr", 43_200)),
    ("ANAT", Zone("Asia/Anadyr", 43_200)),
    ("ARST", Zone("America/Argentina/Buenos_Aires", -10_800)),
    ("ART", Zone("America/Argentina/Buenos_Aires", -10_800)),
    ("AST", Offset(-14_400)),
    ("AWSST", Offset(32_400)),
    ("AWST", Offset(28_800)),
    ("AZOST", Offset(0)),
    ("AZOT", Offset(-3_600)),
    ("AZST", Zone("Asia/Baku", 14_400)),
    ("AZT", Zone("Asia/Baku", 14_400)),
    ("BDST", Offset(7_200)),
    ("BDT", Offset(21_600)),
    ("BNT", Offset(28_800)),
    ("BORT", Offset(28_800)),
    ("BOT", Offset(-14_400)),
    ("BRA", Offset(-10_800)),
    ("BRST", Offset(-7_200)),
    ("BRT", Offset(-10_800)),
    ("BST", Offset(3_600)),
    ("BTT", Offset(21_600)),
    ("CADT", Offset(37_800)),
    ("CAST", Offset(34_200)),
    ("CCT", Offset(28_800)),
    ("CDT", Offset(-18_000)),
    ("CEST", Offset(7_200)),
    ("CET", Offset(3_600)),
    ("CETDST", Offset(7_200)),
    ("CHADT", Offset(49_500)),
    ("CHAST", Offset(45_900)),
    ("CHUT", Offset(36_000)),
    ("CKT", Zone("Pacific/Rarotonga", -36_000)),
    ("CLST", Offset(-10_800)),
    ("CLT", Zone("America/Santiago", -10_800)),
    ("COT", Offset(-18_000)),
    ("CST", Offset(-21_600)),
    ("CXT", Offset(25_200)),
    ("DAVT", Zone("Antarctica/Davis", 25_200)),
    ("DDUT", Offset(36_000)),
    ("EASST", Zone("Pacific/Easter", -18_000)),
    ("EAST", Zone("Pacific/Easter", -18_000)),
    ("EAT", Offset(10_800)),
    ("EDT", Offset(-14_400)),
    ("EEST", Offset(10_800)),
    ("EET", Offset(7_200)),
    ("EETDST", Offset(10_800)),
    ("EGST", Offset(0)),
    ("EGT", Offset(-3_600)),
    ("EST", Offset(-18_000)),
    ("FET", Offset(10_800)),
    ("FJST", Offset(46_800)),
    ("FJT", Offset(43_200)),
    ("FKST", Zone("Atlantic/Stanley", -10_800)),
    ("FKT", Zone("Atlantic/Stanley", -10_800)),
    ("FNST", Offset(-3_600)),
    ("FNT", Offset(-7_200)),
    ("GALT", Offset(-21_600)),
    ("GAMT", Offset(-32_400)),
    ("GEST", Zone("Asia/Tbilisi", 14_400)),
    ("GET", Zone("Asia/Tbilisi", 14_400)),
    ("GFT", Offset(-10_800)),
    ("GILT", Offset(43_200)),
    ("GMT", Offset(0)),
    ("GYT", Zone("America/Guyana", -14_400)),
    ("HKT", Offset(28_800)),
    ("HST", Offset(-36_000)),
    ("ICT", Offset(25_200)),
    ("IDT", Offset(10_800)),
    ("IOT", Zone("Indian/Chagos", 21_600)),
    ("IRKST", Zone("Asia/Irkutsk", 28_800)),
    ("IRKT", Zone("Asia/Irkutsk", 28_800)),
    ("IRT", Offset(12_600)),
    ("IST", Offset(7_200)),
    ("JAYT", Offset(32_400)),
    ("JST", Offset(32_400)),
    ("KDT", Offset(36_000)),
    ("KGST", Offset(21_600)),
    ("KGT", Zone("Asia/Bishkek", 21_600)),
    ("KOST", Zone("Pacific/Kosrae", 39_600)),
    ("KRAST", Zone("Asia/Krasnoyarsk", 25_200)),
    ("KRAT", Zone("Asia/Krasnoyarsk", 25_200)),
    ("KST", Offset(32_400)),
    ("LHDT", Zone("Australia/Lord_Howe", 39_600)),
    ("LHST", Offset(37_800)),
    ("LIGT", Offset(36_000)),
    ("LINT", Zone("Pacific/Kiritimati", 50_400)),
    ("LKT", Zone("Asia/Colombo", 19_800)),
    ("MAGST", Zone("Asia/Magadan", 39_600)),
    ("MAGT", Zone("Asia/Magadan", 39_600)),
    ("MART", Offset(-34_200)),
    ("MAWT", Zone("Antarctica/Mawson", 18_000)),
    ("MDT", Offset(-21_600)),
    ("MEST", Offset(7_200)),
    ("MESZ", Offset(7_200)),
    ("MET", Offset(3_600)),
    ("METDST", Offset(7_200)),
    ("MEZ", Offset(3_600)),
    ("MHT", Offset(43_200)),
    ("MMT", Offset(23_400)),
    ("MPT", Offset(36_000)),
    ("MSD", Offset(14_400)),
    ("MSK", Zone("Europe/Moscow", 10_800)),
    ("MST", Offset(-25_200)),
    ("MUST", Offset(18_000)),
    ("MUT", Offset(14_400)),
    ("MVT", Offset(18_000)),
    ("MYT", Offset(28_800)),
    ("NDT", Offset(-9_000)),
    ("NFT", Offset(-12_600)),
    ("NOVST", Zone("Asia/Novosibirsk", 25_200)),
    ("NOVT", Zone("Asia/Novosibirsk", 25_200)),
    ("NPT", Offset(20_700)),
    ("NST", Offset(-12_600)),
    ("NUT", Zone("Pacific/Niue", -39_600)),
    ("NZDT", Offset(46_800)),
    ("NZST", Offset(43_200)),
    ("NZT", Offset(43_200)),
    ("OMSST", Zone("Asia/Omsk", 21_600)),
    ("OMST", Zone("Asia/Omsk", 21_600)),
    ("PDT", Offset(-25_200)),
    ("PET", Offset(-18_000)),
    ("PETST", Zone("Asia/Kamchatka", 43_200)),
    ("PETT", Zone("Asia/Kamchatka", 43_200)),
    ("PGT", Offset(36_000)),
    ("PHT", Offset(28_800)),
    ("PKST", Offset(21_600)),
    ("PKT", Offset(18_000)),
    ("PMDT", Offset(-7_200)),
    ("PMST", Offset(-10_800)),
    ("PONT", Offset(39_600)),
    ("PST", Offset(-28_800)),
    ("PWT", Offset(32_400)),
    ("PYST", Offset(-10_800)),
    ("PYT", Zone("America/Asuncion", -10_800)),
    ("RET", Offset(14_400)),
    ("SADT", Offset(37_800)),
    ("SAST", Offset(7_200)),
    ("SCT", Offset(14_400)),
    ("SGT", Zone("Asia/Singapore", 28_800)),
    ("TAHT", Offset(-36_000)),
    ("TFT", Offset(18_000)),
    ("TJT", Offset(18_000)),
    ("TKT", Zone("Pacific/Fakaofo", 46_800)),
    ("TMT", Zone("Asia/Ashgabat", 18_000)),
    ("TOT", Offset(46_800)),
    ("TRUT", Offset(36_000)),
    ("TVT", Offset(43_200)),
    ("UCT", Offset(0)),
    ("ULAST", Offset(32_400)),
    ("ULAT", Zone("Asia/Ulaanbaatar", 28_800)),
    ("UT", Offset(0)),
    ("UTC", Offset(0)),
    ("UYST", Offset(-7_200)),
    ("UYT", Offset(-10_800)),
    ("UZST", Offset(21_600)),
    ("UZT", Offset(18_000)),
    ("VET", Zone("America/Caracas", -14_400)),
    ("VLAST", Zone("Asia/Vladivostok", 36_000)),
    ("VLAT", Zone("Asia/Vladivostok", 36_000)),
    ("VOLT", Zone("Europe/Volgograd", 10_800)),
    ("VUT", Offset(39_600)),
    ("WADT", Offset(28_800)),
    ("WAKT", Offset(43_200)),
    ("WAST", Offset(25_200)),
    ("WAT", Offset(3_600)),
    ("WDT", Offset(32_400)),
    ("WET", Offset(0)),
    ("WETDST", Offset(3_600)),
    ("WFT", Offset(43_200)),
    ("WGST", Offset(-7_200)),
    ("WGT", Offset(-10_800)),
    ("XJT", Offset(21_600)),
    ("YAKST", Zone("Asia/Yakutsk", 32_400)),
    ("YAKT", Zone("Asia/Yakutsk", 32_400)),
    ("YAPT", Offset(36_000)),
    ("YEKST", Offset(21_600)),
    ("YEKT", Zone("Asia/Yekaterinburg", 18_000)),
    ("Z", Offset(0)),
    ("ZULU", Offset(0)),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn abbreviations_of_the_default_set_are_found() {
        assert!(DEFAULT.is_sorted_by(|a, b| a.0 < b.0));
        for (text, meaning) in [
            ("UTC", Some(Offset(0))),
            ("CET", Some(Offset(3600))),
            ("cest", Some(Offset(7200))),
            ("IST", Some(Offset(7200))),
            ("NST", Some(Offset(-12_600))),
            ("ACDT", Some(Offset(37_800))),
            ("MSK", Some(Zone("Europe/Moscow", 10_800))),
            ("XYZ", None),
            ("", None),
            ("CETDSTCETDST", None),
        ] {
            assert_eq!(default_meaning(text.as_bytes()), meaning, "{text}");
        }
        for (name, ..) in AMBIGUOUS {
            assert!(default_meaning(name.as_bytes()).is_some(), "{name}");
        }
    }

    #[test]
    fn numeric_zones_are_east_positive() {
        for (text, offset_s) in [
            ("+00", Some(0)),
            ("-03", Some(-10_800)),
            ("+0545", Some(20_700)),
            ("+05:30", Some(19_800)),
            ("<+0530>", Some(19_800)),
            ("<-03>", Some(-10_800)),
            ("+1245", Some(45_900)),
            ("-0930", Some(-34_200)),
            ("-00:44:30", Some(-2670)),
            ("+053208", Some(19_928)),
            ("+5", Some(18_000)),
            ("+5:30", Some(19_800)),
            ("+530", Some(19_800)),
            ("+", None),
            ("UTC", None),
            ("UTC+3", None),
            ("+05:", None),
            ("+0560", None),
            ("+25", None),
            ("+05300", None),
            ("+05x0", None),
            ("", None),
        ] {
            assert_eq!(numeric_offset_s(text.as_bytes()), offset_s, "{text}");
        }
    }
}
