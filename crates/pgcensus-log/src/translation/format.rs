//! A text of a catalog with its holes: `role "%s" does not exist`, and what its holes hold in a message.

use memchr::memmem;

/// Ways to read one message that are tried: names may hold what separates them.
const STEPS_MAX: usize = 64;

/// A text as literals with holes between them.
#[derive(Clone, Debug)]
pub(super) struct Format {
    /// One more than holes; the first and the last may be empty.
    pub(super) literals: Vec<Vec<u8>>,
    /// In the order of the text.
    pub(super) holes: Vec<Hole>,
}

/// One conversion, or several without anything between them (`%s%s%s`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hole {
    /// Which argument it prints, counted from 0.
    pub(super) argument: usize,
    /// It prints digits alone.
    pub(super) is_number: bool,
    /// It prints at least so many digits, of `%03d`.
    pub(super) width: usize,
}

impl Format {
    /// Reads a text of PostgreSQL's source or catalogs; `encode` writes each literal of it. `None`: it cannot.
    pub(super) fn parse(text: &str, encode: impl Fn(&str) -> Option<Vec<u8>>) -> Option<Format> {
        let mut format = Format {
            literals: Vec::new(),
            holes: Vec::new(),
        };
        let mut literal = String::new();
        let mut rest = text;
        let mut argument = 0;
        while let Some(percent) = rest.find('%') {
            literal.push_str(&rest[..percent]);
            rest = &rest[percent + 1..];
            if let Some(after) = rest.strip_prefix('%') {
                literal.push('%');
                rest = after;
                continue;
            }
            let len = rest.find(|c: char| c.is_ascii_alphabetic() && !matches!(c, 'z' | 'l'))?;
            let (flags, conversion) = (&rest[..len], rest.as_bytes()[len]);
            rest = &rest[len + 1..];
            let (argument_here, flags) = match flags.split_once('$') {
                Some((number, flags)) => (number.parse::<usize>().ok()?.checked_sub(1)?, flags),
                None => (argument, flags),
            };
            argument += 1;
            if literal.is_empty() && !format.holes.is_empty() {
                continue;
            }
            format.literals.push(encode(&literal)?);
            literal.clear();
            let width = flags.strip_prefix('0').and_then(|width| width.parse().ok());
            format.holes.push(Hole {
                argument: argument_here,
                is_number: matches!(conversion, b'd' | b'u'),
                width: width.unwrap_or(0),
            });
        }
        literal.push_str(rest);
        format.literals.push(encode(&literal)?);
        Some(format)
    }

    /// The fixed text that it begins with.
    pub(super) fn head(&self) -> &[u8] {
        &self.literals[0]
    }

    /// Bytes of its fixed text.
    pub(super) fn literal_len(&self) -> usize {
        let literals = self.literals.iter();
        literals.map(Vec::len).sum()
    }

    /// What its holes hold in a message that it fits as a whole. Of several readings the one that `score` finds best; of
    /// equals the one that the English message would be given: the piece before the last hole at its last place, others at
    /// their first.
    pub(super) fn read<'m>(
        &self,
        message: &'m [u8],
        score: &dyn Fn(&[&[u8]]) -> usize,
    ) -> Option<Vec<&'m [u8]>> {
        let rest = message.strip_prefix(self.head())?;
        if self.holes.is_empty() {
            return rest.is_empty().then(Vec::new);
        }
        let last = self.literals.last()?;
        if !rest.ends_with(last) {
            return None;
        }
        let mut search = Search {
            format: self,
            score,
            steps: STEPS_MAX,
            current: Vec::with_capacity(self.holes.len()),
            best: None,
        };
        search.descend(rest);
        search.best.map(|(holes, _)| holes)
    }

    /// The text with these values, by argument.
    pub(super) fn write<'v>(&self, value: impl Fn(usize) -> &'v [u8], out: &mut Vec<u8>) {
        out.extend_from_slice(self.head());
        for (hole, literal) in self.holes.iter().zip(&self.literals[1..]) {
            let value = value(hole.argument);
            out.extend((value.len()..hole.width).map(|_| b'0'));
            out.extend_from_slice(value);
            out.extend_from_slice(literal);
        }
    }
}

struct Search<'f, 'm> {
    format: &'f Format,
    score: &'f dyn Fn(&[&[u8]]) -> usize,
    steps: usize,
    current: Vec<&'m [u8]>,
    /// With its score, which is asked for only where there is another one.
    best: Option<(Vec<&'m [u8]>, Option<usize>)>,
}

impl<'m> Search<'_, 'm> {
    fn descend(&mut self, rest: &'m [u8]) {
        let n = self.current.len();
        let hole = self.format.holes[n];
        let literal = &self.format.literals[n + 1];
        let is_last = n + 1 == self.format.holes.len();
        if is_last {
            if let Some(value) = rest.strip_suffix(&literal[..])
                && hole.fits(value)
            {
                self.current.push(value);
                self.consider();
                self.current.pop();
            }
        } else if hole.is_number {
            let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
            if digits > 0 && rest[digits..].starts_with(literal) {
                self.step(rest, digits);
            }
        } else if n + 2 == self.format.holes.len() {
            let mut end = rest.len();
            while let Some(at) = memmem::rfind(&rest[..end], literal) {
                if !self.step(rest, at) {
                    return;
                }
                end = at + literal.len() - 1;
            }
        } else {
            let mut from = 0;
            while let Some(at) = memmem::find(&rest[from..], literal) {
                if !self.step(rest, from + at) {
                    return;
                }
                from += at + literal.len();
            }
        }
    }

    /// The hole ends at `at`; false where enough was tried.
    fn step(&mut self, rest: &'m [u8], at: usize) -> bool {
        if self.steps == 0 {
            return false;
        }
        self.steps -= 1;
        let literal = &self.format.literals[self.current.len() + 1];
        self.current.push(&rest[..at]);
        self.descend(&rest[at + literal.len()..]);
        self.current.pop();
        true
    }

    fn consider(&mut self) {
        let Some((best, score)) = &mut self.best else {
            self.best = Some((self.current.clone(), None));
            return;
        };
        let before = *score.get_or_insert_with(|| (self.score)(best));
        let now = (self.score)(&self.current);
        if now > before {
            self.best = Some((self.current.clone(), Some(now)));
        }
    }
}

impl Hole {
    fn fits(self, value: &[u8]) -> bool {
        !self.is_number || !value.is_empty() && value.iter().all(u8::is_ascii_digit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Format {
        Format::parse(text, |literal| Some(literal.as_bytes().to_vec())).expect("a format")
    }

    #[test]
    fn holes_are_read_and_written_in_any_order() {
        let rows: &[(&str, &str, Option<&str>)] = &[
            ("%s startet", "PostgreSQL 15 startet", Some("PostgreSQL 15")),
            ("%2$s im %1$s", "a im b", Some("b|a")),
            (
                "%d:%02d.%03d x=%s%s%s",
                "1:02.345 x=h port=5",
                Some("1|02|345|h port=5"),
            ),
            ("%d:%02d.%03d x=%s%s%s", "1:0a.345 x=h port=5", None),
            ("a%%b %s", "a%b c", Some("c")),
            (
                "a %s b %s c %s",
                "a 1 b 2 b 3 c 4 c 5",
                Some("1|2 b 3 c 4|5"),
            ),
            ("a %s b", "a 1 c", None),
            ("a", "a ", None),
        ];
        for (text, message, expected) in rows {
            let format = parse(text);
            let holes = format.read(message.as_bytes(), &|_| 0).map(|holes| {
                let mut values: Vec<_> = format.holes.iter().zip(holes).collect();
                values.sort_by_key(|(hole, _)| hole.argument);
                let values = values
                    .iter()
                    .map(|(_, value)| String::from_utf8_lossy(value));
                values.collect::<Vec<_>>().join("|")
            });
            assert_eq!(holes.as_deref(), *expected, "{text} in {message}");
        }
    }

    #[test]
    fn numbers_are_padded_as_the_english_text_does() {
        let mut out = Vec::new();
        parse("%d.%03d").write(|argument| [b"7", b"5"][argument], &mut out);
        assert_eq!(out, b"7.005");
    }
}
