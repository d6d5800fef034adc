//! Line numbers of some bytes of a file, counted in one pass once a message needs them.

use memchr::memchr_iter;

/// Counts lines up to places in a text that passes piece by piece.
pub(crate) struct Lines<'o> {
    /// Those not found yet, ascending.
    offsets: &'o [u64],
    numbers: Vec<u64>,
    /// Bytes that have passed, and the number of the line that begins or goes on there.
    at: u64,
    line: u64,
}

impl<'o> Lines<'o> {
    pub(crate) fn up_to(offsets: &'o [u64]) -> Lines<'o> {
        Lines {
            offsets,
            numbers: Vec::with_capacity(offsets.len()),
            at: 0,
            line: 1,
        }
    }

    /// The next piece; `joined` are the places in it where the log has a line break that the text has not.
    pub(crate) fn pass(&mut self, text: &[u8], joined: &[usize]) {
        let mut from = 0;
        let mut joined = joined.iter().peekable();
        let mut count = |from: usize, to: usize| {
            let mut lines = memchr_iter(b'\n', &text[from..to]).count() as u64;
            while joined.next_if(|&&at| at <= to).is_some() {
                lines += 1;
            }
            lines
        };
        while let Some((&next, rest)) = self.offsets.split_first()
            && next - self.at <= text.len() as u64
        {
            let to = (next - self.at) as usize;
            self.line += count(from, to);
            self.numbers.push(self.line);
            self.offsets = rest;
            from = to;
        }
        self.line += count(from, text.len());
        self.at += text.len() as u64;
    }

    /// No more is needed.
    pub(crate) fn are_found(&self) -> bool {
        self.offsets.is_empty()
    }

    /// The numbers, in the order of the offsets; of places past the end that of its last line.
    pub(crate) fn finish(mut self) -> Vec<u64> {
        self.numbers.extend(self.offsets.iter().map(|_| self.line));
        self.numbers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_however_the_text_is_cut() {
        let text = b"a\nbb\n\nccc\nd";
        let offsets = [0, 2, 2, 5, 6, 10, 11, 99];
        for cut in 0..=text.len() {
            let mut lines = Lines::up_to(&offsets);
            lines.pass(&text[..cut], &[]);
            lines.pass(&text[cut..], &[]);
            assert_eq!(lines.finish(), [1, 2, 2, 3, 4, 5, 5, 5], "{cut}");
        }
    }
}
