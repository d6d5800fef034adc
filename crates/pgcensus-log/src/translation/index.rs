//! Texts by their first bytes: of the thousands that there are in all languages and encodings a log has some dozens, so that
//! nothing but these bytes is made of the others.

use super::encoding::{Encoded, Encoder};

/// Numbers of texts by their first `N` bytes, up to 8.
#[derive(Debug)]
pub(super) struct Index<const N: usize> {
    /// In order.
    texts: Vec<(u64, u32)>,
}

impl<const N: usize> Index<N> {
    /// Of the first bytes of texts, each with its number; a text may have several.
    pub(super) fn of(firsts: impl Iterator<Item = ([u8; N], usize)>) -> Index<N> {
        let texts = firsts.map(|(first, number)| (key(first), number as u32));
        let mut texts: Vec<_> = texts.collect();
        texts.sort_unstable();
        texts.dedup();
        Index { texts }
    }

    /// How many places there are.
    pub(super) fn len(&self) -> usize {
        self.texts.len()
    }

    /// The place of the texts that begin as a message does.
    pub(super) fn place(&self, message: &[u8]) -> Option<usize> {
        let first = key(*message.first_chunk::<N>()?);
        let at = self.texts.partition_point(|(key, _)| *key < first);
        (self.texts.get(at)?.0 == first).then_some(at)
    }

    /// Their numbers, in order.
    pub(super) fn numbers(&self, place: usize) -> impl Iterator<Item = usize> {
        let texts = &self.texts[place..];
        let alike = texts.iter().take_while(|(key, _)| *key == texts[0].0);
        alike.map(|(_, number)| *number as usize)
    }
}

fn key<const N: usize>(first: [u8; N]) -> u64 {
    first
        .iter()
        .fold(0, |key, byte| key << 8 | u64::from(*byte))
}

/// The first `len` letters of a text in the encodings that its languages may have, UTF-8 first. Where a letter further on has
/// no place in one of these, that shows when all of it is asked for.
pub(super) fn begins(of: &'static str, text: &str, len: usize) -> impl Iterator<Item = Encoded> {
    let end = text
        .char_indices()
        .nth(len)
        .map_or(text.len(), |(at, _)| at);
    let text = &text[..end];
    let as_it_is = Encoded {
        bytes: text.as_bytes().to_vec(),
        is_torn: false,
    };
    let others = (!text.is_ascii()).then(|| Encoder::of(of));
    let others = others.into_iter().flatten();
    [as_it_is]
        .into_iter()
        .chain(others.filter_map(|encoder| encoder.encode(text)))
}
