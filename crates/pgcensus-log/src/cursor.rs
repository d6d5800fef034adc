//! Reading what a server writes one known thing after the other, where it is nearly always of the same form: each step says
//! where it is not, and somebody else reads all of it from its begin.

use crate::near;

/// What is left to read of a text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'c> {
    pub(crate) rest: &'c [u8],
}

impl<'c> Cursor<'c> {
    /// Steps over a text, if it is there.
    #[inline]
    pub(crate) fn passes<const N: usize>(&mut self, text: &[u8; N]) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// The same for what must be there.
    #[inline]
    pub(crate) fn pass<const N: usize>(&mut self, text: &[u8; N]) -> Option<()> {
        self.rest = self.rest.strip_prefix(text)?;
        Some(())
    }

    /// What stands before the next `end`, which is stepped over, if that comes before `bar`.
    // Always: for constant bytes that is half the instructions.
    #[inline(always)]
    pub(crate) fn until(&mut self, end: u8, bar: u8) -> Option<&'c [u8]> {
        let len = near::find2(end, bar, self.rest)?;
        let (text, rest) = self.rest.split_at(len);
        self.rest = &rest[1..];
        (rest[0] == end).then_some(text)
    }

    /// Digits, if there are any.
    #[inline]
    pub(crate) fn digits(&mut self) -> &'c [u8] {
        let few = self.rest.first_chunk();
        let len = few.map_or(8, |text| near::digits_at_begin(*text));
        let len = if len < 8 {
            len
        } else {
            let len = self.rest.iter().position(|b| !b.is_ascii_digit());
            len.unwrap_or(self.rest.len())
        };
        let (digits, rest) = self.rest.split_at(len);
        self.rest = rest;
        digits
    }
}
