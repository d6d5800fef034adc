//! Texts of DETAILs and lines of `pg_hba.conf`, each kept once, within bounds.

use std::rc::Rc;

use rustc_hash::FxHashMap;

/// Texts at most; further ones are `(other)`.
pub const TEXTS_MAX: usize = 10_000;

/// Bytes of a text that are kept.
const TEXT_LEN_MAX: usize = 512;

/// A text by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct KeptText(u32);

impl KeptText {
    /// There is none.
    pub(super) const NONE: KeptText = KeptText(0);
    const OTHER: KeptText = KeptText(1);
    const FIRST: u32 = 2;
}

/// The texts.
#[derive(Default)]
pub(super) struct Kept {
    ids: FxHashMap<Rc<[u8]>, KeptText>,
    texts: Vec<Rc<[u8]>>,
    overflowed: bool,
}

impl Kept {
    pub(super) fn keep(&mut self, text: &[u8]) -> KeptText {
        let text = &text[..text.len().min(TEXT_LEN_MAX)];
        if let Some(&id) = self.ids.get(text) {
            return id;
        }
        if self.texts.len() >= TEXTS_MAX {
            self.overflowed = true;
            return KeptText::OTHER;
        }
        let id = KeptText(KeptText::FIRST + self.texts.len() as u32);
        let text: Rc<[u8]> = text.into();
        self.texts.push(text.clone());
        self.ids.insert(text, id);
        id
    }

    pub(super) fn text(&self, id: KeptText) -> Option<&[u8]> {
        match id {
            KeptText::NONE => None,
            KeptText::OTHER => Some(b"(other)"),
            KeptText(id) => {
                let text = self.texts.get((id - KeptText::FIRST) as usize);
                text.map(|text| &**text)
            }
        }
    }

    pub(super) fn overflowed(&self) -> bool {
        self.overflowed
    }
}
