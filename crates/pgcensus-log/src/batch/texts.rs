//! The texts of a batch: bytes in one arena, each text with a number, those that recur with one number each.
//!
//! A log names the same few users, databases and hosts in line after line. So they are looked up where lines are
//! decoded, by many threads, and whoever folds the events compares numbers.

use std::num::NonZeroU32;

use super::TextId;

/// Places of the table of texts; past half of them, or where a text finds none of its places, it has a number
/// of its own at each occurrence.
const PLACES: usize = 1024;

/// Places that a text is looked for in: hostile names that share them all cost no more than that.
const TRIES: usize = 4;

/// Longer texts are not looked up.
const LEN_MAX: usize = 256;

#[derive(Debug)]
pub(super) struct Texts {
    arena: Vec<u8>,
    /// By number: where in the arena.
    bounds: Vec<(u32, u32)>,
    /// Numbers plus one by the hash of their texts; 0: free.
    table: Box<[u32; PLACES]>,
    /// Of the table, the places taken.
    taken: Vec<u16>,
}

impl Default for Texts {
    fn default() -> Self {
        let mut texts = Texts {
            arena: Vec::new(),
            bounds: Vec::new(),
            table: Box::new([0; PLACES]),
            taken: Vec::new(),
        };
        texts.clear();
        texts
    }
}

impl Texts {
    /// All but the empty text go.
    pub(super) fn clear(&mut self) {
        self.arena.clear();
        self.bounds.clear();
        for place in self.taken.drain(..) {
            self.table[usize::from(place)] = 0;
        }
        self.bounds.push((0, 0));
    }

    pub(super) fn len(&self) -> usize {
        self.bounds.len()
    }

    pub(super) fn get(&self, id: TextId) -> &[u8] {
        let (start, end) = self.bounds[id.index()];
        &self.arena[start as usize..end as usize]
    }

    /// A new text.
    pub(super) fn keep(&mut self, text: &[u8]) -> TextId {
        if text.is_empty() {
            return TextId::EMPTY;
        }
        let start = self.arena.len() as u32;
        self.arena.extend_from_slice(text);
        self.bounds.push((start, self.arena.len() as u32));
        number(self.bounds.len() - 1)
    }

    /// The number of this text, which may be there already.
    #[inline]
    pub(super) fn find_or_keep(&mut self, text: &[u8]) -> TextId {
        if text.len() > LEN_MAX {
            return self.keep(text);
        }
        let hash = hash(text);
        for n in 0..TRIES {
            let place = (hash + n) % PLACES;
            let Some(found) = self.table[place].checked_sub(1) else {
                let id = self.keep(text);
                if self.taken.len() < PLACES / 2 {
                    self.table[place] = id.index() as u32 + 1;
                    self.taken.push(place as u16);
                }
                return id;
            };
            let found = number(found as usize);
            if self.get(found) == text {
                return found;
            }
        }
        self.keep(text)
    }
}

fn number(index: usize) -> TextId {
    TextId(NonZeroU32::MIN.saturating_add(index as u32))
}

/// A hash with another word in it.
#[inline]
pub(super) fn mix(hash: u64, word: u64) -> u64 {
    (hash ^ word)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .rotate_left(29)
}

/// Nothing depends on it but the time that it takes: eight bytes at a time, the last eight once more.
fn hash(text: &[u8]) -> usize {
    let mut hash = text.len() as u64;
    if let Some(end) = text.last_chunk() {
        for word in text.as_chunks().0 {
            hash = mix(hash, u64::from_le_bytes(*word));
        }
        hash = mix(hash, u64::from_le_bytes(*end));
    } else if let (Some(begin), Some(end)) = (text.first_chunk(), text.last_chunk()) {
        let (begin, end) = (u32::from_le_bytes(*begin), u32::from_le_bytes(*end));
        hash = mix(hash, u64::from(begin) << 32 | u64::from(end));
    } else {
        for &byte in text {
            hash = mix(hash, u64::from(byte));
        }
    }
    (hash >> 32) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_recurs_has_one_number() {
        let mut texts = Texts::default();
        let shop = texts.find_or_keep(b"shop");
        let other = texts.find_or_keep(b"shop-of-another-name");
        assert_ne!(shop, other);
        assert_eq!(texts.find_or_keep(b"shop"), shop);
        assert_ne!(texts.keep(b"shop"), shop);
        assert_eq!(texts.get(other), b"shop-of-another-name");
        texts.clear();
        assert_eq!(texts.len(), 1);
        let empty = texts.find_or_keep(b"");
        assert_eq!(texts.keep(b""), empty);
        assert_eq!(texts.get(empty), b"");
        let shop = texts.find_or_keep(b"shop");
        assert_eq!(texts.get(shop), b"shop");
    }

    #[test]
    fn more_texts_than_places_are_all_kept() {
        let mut texts = Texts::default();
        let ids: Vec<_> = (0..5000)
            .map(|n| (n, texts.find_or_keep(format!("name {n}").as_bytes())))
            .collect();
        for (n, id) in ids {
            assert_eq!(texts.get(id), format!("name {n}").as_bytes());
        }
        assert!(texts.taken.len() <= PLACES / 2);
    }
}
