//! Words, numbers, times and bars as people read them.
//!
//! Everything that comes out of a log passes [`shown`] before it reaches a screen: log text is hostile,
//! and a name may hold an escape sequence, a newline or a character that turns the line around.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io;

use unicode_segmentation::UnicodeSegmentation;

use super::{Show, Tone};

/// Text of a log, safe to print: what is invisible, moves the cursor or is not UTF-8 is written as an
/// escape (`\n`, `\x1b`, `\u{202e}`, `\xff`), a backslash doubled, so that no two texts look alike.
pub(crate) fn shown(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes)
        && !text.starts_with(' ')
        && !text.ends_with(' ')
        && !text.chars().any(|c| c == '\\' || is_hidden(c))
    {
        return Cow::Borrowed(text);
    }
    // Spaces at either end would not be seen.
    let leading = bytes.iter().take_while(|&&b| b == b' ').count();
    let middle = &bytes[leading..];
    let trailing = middle.iter().rev().take_while(|&&b| b == b' ').count();
    let mut out = "\\x20".repeat(leading);
    for chunk in middle[..middle.len() - trailing].utf8_chunks() {
        for c in chunk.valid().chars() {
            push_shown(&mut out, c);
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out.push_str(&"\\x20".repeat(trailing));
    Cow::Owned(out)
}

fn push_shown(out: &mut String, c: char) {
    let _ = match c {
        '\\' => out.write_str("\\\\"),
        '\n' => out.write_str("\\n"),
        '\r' => out.write_str("\\r"),
        '\t' => out.write_str("\\t"),
        c if !is_hidden(c) => out.write_char(c),
        c if c.is_ascii() => write!(out, "\\x{:02x}", c as u32),
        c => write!(out, "\\u{{{:x}}}", c as u32),
    };
}

/// Characters that do not show, or that change how others show: controls, format characters with the
/// bidirectional ones, line and paragraph separators, spaces other than the plain one, fillers, variation
/// selectors, tags, private use and noncharacters.
///
/// Source: Unicode general categories Cc, Cf, Zl, Zp, Zs, Co and the property
/// `Default_Ignorable_Code_Point`.
pub(crate) fn is_hidden(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    matches!(c as u32,
        0x80..=0xa0 | 0xad | 0x34f | 0x600..=0x605 | 0x61c | 0x6dd | 0x70f | 0x890..=0x891 | 0x8e2
        | 0x115f..=0x1160 | 0x1680 | 0x17b4..=0x17b5 | 0x180b..=0x180f | 0x2000..=0x200f
        | 0x2028..=0x202f | 0x205f..=0x206f | 0x2800 | 0x3000 | 0x3164 | 0xe000..=0xf8ff
        | 0xfe00..=0xfe0f | 0xfeff | 0xffa0 | 0xfff0..=0xfffb | 0xfffe..=0xffff | 0x110bd | 0x110cd
        | 0x13430..=0x1343f | 0x1bca0..=0x1bca3 | 0x1d173..=0x1d17a | 0xe0000..=0x10_ffff)
}

/// How many columns a terminal shows it in.
pub(crate) trait Width {
    /// The sum of what each cluster takes that is seen as one character. Where two of them may be drawn as one (Arabic lam and
    /// alef, Khmer consonants below others), terminals still have a place for each.
    fn width(&self) -> usize;
}

impl Width for str {
    fn width(&self) -> usize {
        if self.is_ascii() {
            return self.len();
        }
        clusters(self).map(|(_, width)| width).sum()
    }
}

/// What is seen as one character, and the columns that it takes.
pub(crate) fn clusters(text: &str) -> impl DoubleEndedIterator<Item = (&str, usize)> {
    let clusters = text.graphemes(true);
    clusters.map(|cluster| (cluster, unicode_width::UnicodeWidthStr::width(cluster)))
}

/// `text` in exactly `width` columns: cut with `…`, else filled up on the right.
pub(crate) fn left(text: &str, width: usize) -> String {
    let mut out = cut(text, width).into_owned();
    let used = out.width();
    out.extend(std::iter::repeat_n(' ', width.saturating_sub(used)));
    out
}

/// The same, filled up on the left.
pub(crate) fn right(text: &str, width: usize) -> String {
    let text = cut(text, width);
    let mut out = " ".repeat(width.saturating_sub(text.width()));
    out.push_str(&text);
    out
}

/// `text` in at most `width` columns, cut with `…`.
pub(crate) fn cut(text: &str, width: usize) -> Cow<'_, str> {
    if text.width() <= width {
        return Cow::Borrowed(text);
    }
    let mut used = 1;
    let mut out: String = clusters(text)
        .take_while(|(_, columns)| {
            used += columns;
            used <= width
        })
        .map(|(cluster, _)| cluster)
        .collect();
    if width > 0 {
        out.push('…');
    }
    Cow::Owned(out)
}

/// `12,345`
pub(crate) fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `+172`, `-1,204`, `0`
pub(crate) fn signed(n: i64) -> String {
    let sign = match n {
        0 => "",
        1.. => "+",
        _ => "-",
    };
    format!("{sign}{}", thousands(n.unsigned_abs()))
}

/// `1 file`, `3 files`
pub(crate) fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", thousands(n), if n == 1 { one } else { many })
}

/// `812 bytes`, `4.1 kB`, `1.2 GB`: powers of a thousand.
pub(crate) fn size(bytes: u64) -> String {
    if bytes < 1_000 {
        return counted(bytes, "byte", "bytes");
    }
    let mut n = bytes as f64 / 1_000.0;
    let mut unit = 0;
    // 999.95 would print as 1000.0.
    while n >= 999.95 && unit < 5 {
        n /= 1_000.0;
        unit += 1;
    }
    format!("{n:.1} {}", ["kB", "MB", "GB", "TB", "PB", "EB"][unit])
}

/// A part of a size: `1.2 of 2.9 GB`, `812.0 MB of 2.9 GB`; `1.2 GB` where the whole is not known.
pub(crate) fn part_of(part: u64, whole: Option<u64>) -> String {
    let part = size(part);
    let Some(whole) = whole.map(size) else {
        return part;
    };
    match (part.split_once(' '), whole.split_once(' ')) {
        (Some((number, unit)), Some((_, same))) if unit == same => format!("{number} of {whole}"),
        _ => format!("{part} of {whole}"),
    }
}

/// How much of the whole it is, in full per cent; never more than all.
pub(crate) fn percent(part: u64, whole: u64) -> u64 {
    let percent = u128::from(part) * 100 / u128::from(whole.max(1));
    percent.min(100) as u64
}

/// A length of time in running text: `120 ms`, `4.2 s`, `1 min 2 s`, `5 h 3 min`, `3 d 4 h`.
pub(crate) fn duration(ms: u64) -> String {
    let s = ms / 1_000;
    match s {
        0 => format!("{ms} ms"),
        1..60 => format!("{}.{} s", s, ms % 1_000 / 100),
        60..3_600 if s.is_multiple_of(60) => format!("{} min", s / 60),
        60..3_600 => format!("{} min {} s", s / 60, s % 60),
        3_600..86_400 if (s / 60).is_multiple_of(60) => format!("{} h", s / 3_600),
        3_600..86_400 => format!("{} h {} min", s / 3_600, s / 60 % 60),
        _ => format!("{} d {} h", thousands(s / 86_400), s / 3_600 % 24),
    }
}

/// A length of time in a column, at most six wide up to a hundred days: `120ms`, `4.2s`, `1m02s`,
/// `5h03m`, `3d04h`.
pub(crate) fn duration_short(ms: u64) -> String {
    let s = ms / 1_000;
    match s {
        0 => format!("{ms}ms"),
        1..60 => format!("{}.{}s", s, ms % 1_000 / 100),
        60..3_600 => format!("{}m{:02}s", s / 60, s % 60),
        3_600..86_400 => format!("{}h{:02}m", s / 3_600, s / 60 % 60),
        _ => format!("{}d{:02}h", s / 86_400, s / 3_600 % 24),
    }
}

/// A bar of `cells` columns for the largest number, in eighths of a column; nothing for zero, and
/// something for anything else.
pub(crate) fn bar(n: u64, most: u64, cells: usize) -> String {
    if n == 0 || most == 0 || cells == 0 {
        return String::new();
    }
    let eighths = u128::from(n.min(most)) * (cells as u128 * 8) / u128::from(most);
    let eighths = (eighths as usize).max(1);
    let mut out = "█".repeat(eighths / 8);
    if let Some(rest) = (eighths % 8).checked_sub(1) {
        out.push(['▏', '▎', '▍', '▌', '▋', '▊', '▉'][rest]);
    }
    out
}

/// One column a number, on the scale of the largest; a space for zero.
pub(crate) fn sparkline(numbers: &[u64]) -> String {
    let most = numbers.iter().copied().max().unwrap_or(0);
    numbers
        .iter()
        .map(|&n| match n {
            0 => ' ',
            n => {
                let step = u128::from(n) * 8 / u128::from(most);
                ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'][(step as usize).clamp(1, 8) - 1]
            }
        })
        .collect()
}

/// The same text with spaces at which [`paragraph`] does not break the line: `23 Nov 02:40:58 UTC`.
pub(crate) fn glued(text: &str) -> String {
    text.replace(' ', "\u{a0}")
}

/// Running text in several tones, broken at spaces; lines after the first begin under column `indent`.
/// The first line is taken to have begun at `column`.
pub(crate) fn paragraph(
    out: &mut impl io::Write,
    show: &Show<'_>,
    (column, indent): (usize, usize),
    parts: &[(Tone, &str)],
) -> io::Result<()> {
    let mut lines: Vec<Vec<(Tone, String)>> = vec![Vec::new()];
    let mut used = column;
    for word in words(parts) {
        let width: usize = word.iter().map(|(_, text)| text.width()).sum();
        let trailing = usize::from(word.last().is_some_and(|(_, text)| text.ends_with(' ')));
        let fresh = lines.last().is_none_or(Vec::is_empty);
        if used + width - trailing > show.width && !fresh {
            lines.push(Vec::new());
            used = indent;
        }
        used += width;
        if let Some(line) = lines.last_mut() {
            for (tone, text) in word {
                match line.last_mut() {
                    Some((last, run)) if *last == tone => run.push_str(text),
                    _ => line.push((tone, text.to_owned())),
                }
            }
        }
    }
    for (i, mut line) in lines.into_iter().enumerate() {
        if i > 0 {
            write!(out, "{:indent$}", "")?;
        }
        if let Some((_, text)) = line.last_mut() {
            text.truncate(text.trim_end_matches(' ').len());
        }
        for (tone, text) in line {
            write!(out, "{}", show.paint(tone, &text.replace('\u{a0}', " ")))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Words with the space after them; a word may have several tones.
fn words<'t>(parts: &[(Tone, &'t str)]) -> Vec<Vec<(Tone, &'t str)>> {
    let mut words = vec![Vec::new()];
    for &(tone, text) in parts {
        for token in text.split_inclusive(' ') {
            if let Some(word) = words.last_mut() {
                word.push((tone, token));
            }
            if token.ends_with(' ') {
                words.push(Vec::new());
            }
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_escaped_visibly() {
        for (bytes, text) in [
            (&b"shop"[..], "shop"),
            ("bücher 本".as_bytes(), "bücher 本"),
            (b"a\nb\tc\rd", r"a\nb\tc\rd"),
            (b"\x1b[2J\x00\x7f", r"\x1b[2J\x00\x7f"),
            (
                "a\u{202e}b\u{200b}\u{feff}".as_bytes(),
                r"a\u{202e}b\u{200b}\u{feff}",
            ),
            ("\u{9b}31m".as_bytes(), r"\u{9b}31m"),
            (b"caf\xe9\xff", r"caf\xe9\xff"),
            (br"DOMAIN\user", r"DOMAIN\\user"),
            (b" app ", r"\x20app\x20"),
            (b"  ", r"\x20\x20"),
            (b"", ""),
        ] {
            assert_eq!(shown(bytes), text, "{bytes:?}");
        }
    }

    #[test]
    fn a_part_has_the_unit_of_its_whole_once() {
        for (part, whole, text, per_cent) in [
            (0, 2_900_000_000, "0 bytes of 2.9 GB", 0),
            (812_000_000, 2_900_000_000, "812.0 MB of 2.9 GB", 28),
            (2_899_999_999, 2_900_000_000, "2.9 of 2.9 GB", 99),
            (2_900_000_000, 2_900_000_000, "2.9 of 2.9 GB", 100),
            (3_900_000_000, 2_900_000_000, "3.9 of 2.9 GB", 100),
            (0, 0, "0 of 0 bytes", 0),
            (u64::MAX, u64::MAX, "18.4 of 18.4 EB", 100),
        ] {
            assert_eq!(part_of(part, Some(whole)), text);
            assert_eq!(percent(part, whole), per_cent, "{text}");
        }
        assert_eq!(part_of(812, None), "812 bytes");
    }

    #[test]
    fn width_counts_columns_and_cuts_with_an_ellipsis() {
        for (text, width, expected) in [
            ("shop", 6, "shop  "),
            ("shop", 4, "shop"),
            ("shopping", 4, "sho…"),
            ("本本本", 6, "本本本"),
            ("本本本", 5, "本本…"),
            ("本本本", 4, "本… "),
            ("shop", 0, ""),
            // Marks above and below take no column of their own, and stay with their letter.
            ("ไทยน้ำ", 8, "ไทยน้ำ   "),
            ("ไทยน้ำ", 4, "ไทย…"),
            ("هلال", 6, "هلال  "),
            ("e\u{301}te\u{301}", 4, "e\u{301}te\u{301} "),
            ("e\u{301}te\u{301}", 2, "e\u{301}…"),
            ("👍🏽ok", 5, "👍🏽ok "),
        ] {
            assert_eq!(left(text, width), expected, "{text} {width}");
        }
        assert_eq!(right("12", 4), "  12");
    }

    #[test]
    fn numbers_sizes_and_lengths_are_worded_for_people() {
        for (n, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ] {
            assert_eq!(thousands(n), text);
        }
        for (n, text) in [
            (0, "0"),
            (172, "+172"),
            (-1_204, "-1,204"),
            (i64::MIN, "-9,223,372,036,854,775,808"),
        ] {
            assert_eq!(signed(n), text);
        }
        for (n, text) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (4_100, "4.1 kB"),
            (999_999, "1.0 MB"),
            (1_200_000_000, "1.2 GB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(size(n), text);
        }
        for (ms, text, short) in [
            (0, "0 ms", "0ms"),
            (999, "999 ms", "999ms"),
            (4_250, "4.2 s", "4.2s"),
            (62_345, "1 min 2 s", "1m02s"),
            (18_180_000, "5 h 3 min", "5h03m"),
            (273_600_000, "3 d 4 h", "3d04h"),
        ] {
            assert_eq!(
                (duration(ms).as_str(), duration_short(ms).as_str()),
                (text, short)
            );
        }
    }

    #[test]
    fn bars_share_a_scale_and_never_hide_a_number() {
        for (n, most, text) in [
            (0, 10, ""),
            (10, 10, "████"),
            (5, 10, "██"),
            (1, 1_000, "▏"),
            (3, 10, "█▏"),
            (u64::MAX, u64::MAX, "████"),
            (1, 0, ""),
        ] {
            assert_eq!(bar(n, most, 4), text, "{n} of {most}");
        }
        assert_eq!(sparkline(&[0, 1, 50, 100]), " ▁▄█");
        assert_eq!(sparkline(&[]), "");
    }
}
