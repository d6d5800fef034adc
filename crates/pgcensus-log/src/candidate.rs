//! Candidates: the few literals worth stopping for.
//!
//! stderr: the text of each message of interest, and `FATAL:  `. csvlog and jsonlog: the same where a
//! column or string opens, which cannot stand inside a quoted one (see `csvlog`), and their severity.
//!
//! How this works: all literals are searched at once by a vectorised searcher, which is nearly twice as fast for up
//! to 32 of them as for more. So texts that begin with the same word (`could not accept SSL connection`, `could
//! not send data to client`) are searched by what they share, and compared where that is found. Over 512 KiB in the
//! cache, one thread (16/noise of `testdata`): 32 literals 12 GB/s, 48 literals 6.9; a search for each alone
//! runs at 45 GB/s, 32 of them at 1.4; a newline count at 43. `cargo bench -p pgcensus-log` has the current figures.

use aho_corasick::packed::{self, Searcher};
use aho_corasick::{AhoCorasick, MatchKind, Span};

use crate::format::Format;
use crate::message;

/// Literals that the searcher compares with half the effort that more of them take.
const LITERALS_MAX: usize = 32;

/// A searcher for all candidates of a format at once.
#[derive(Clone, Debug)]
pub(crate) struct Candidates {
    /// Vectorised, where the machine has the instructions.
    packed: Option<Searcher>,
    automaton: AhoCorasick,
    /// By literal: what must follow it, one of these; none: nothing.
    endings: Box<[Box<[Box<[u8]>]>]>,
    /// A message stands behind a label: `LOG:  ` or, in verbose logs, `LOG:  00000: `.
    has_label: bool,
}

impl Candidates {
    pub(crate) fn new(format: &Format) -> Candidates {
        let (before, fatal): (&[u8], &[u8]) = match format {
            Format::Stderr(_) => (b"", b"FATAL:  "),
            Format::Csvlog => (b",\"", b",FATAL,"),
            Format::Jsonlog => (b"\"", b"\"FATAL\""),
        };
        // A quote in a message is escaped in csv and json: search what comes before it.
        let unquoted = |text: &'static [u8]| {
            let quote = text.iter().position(|&b| b == b'"' && !before.is_empty());
            &text[..quote.unwrap_or(text.len())]
        };
        let groups = groups(message::candidate_texts().map(unquoted).collect());
        let mut literals: Vec<Vec<u8>> = groups
            .iter()
            .map(|(shared, _)| [before, shared].concat())
            .collect();
        literals.push(fatal.to_vec());
        debug_assert!(literals.len() <= LITERALS_MAX, "{}", literals.len());
        let packed = packed::Config::new()
            .match_kind(packed::MatchKind::LeftmostFirst)
            .builder()
            .extend(&literals)
            .build();
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostFirst)
            .build(&literals)
            .expect("a few short literals fit an automaton");
        let endings = groups.into_iter().map(|(_, endings)| endings);
        Candidates {
            packed,
            automaton,
            endings: endings.chain([Box::default()]).collect(),
            has_label: before.is_empty(),
        }
    }

    /// Where the first candidate begins in `chunk` at or after `from`.
    pub(crate) fn find(&self, chunk: &[u8], mut from: usize) -> Option<usize> {
        loop {
            let span = Span::from(from..chunk.len());
            let found = match &self.packed {
                Some(packed) => packed.find_in(chunk, span),
                None => self
                    .automaton
                    .find(aho_corasick::Input::new(chunk).span(span)),
            }?;
            if self.is_whole(
                found.pattern().as_usize(),
                chunk,
                found.start(),
                found.end(),
            ) {
                return Some(found.start());
            }
            from = found.start() + 1;
        }
    }

    /// A literal was found: is it more than what several texts share?
    fn is_whole(&self, literal: usize, chunk: &[u8], start: usize, end: usize) -> bool {
        let is_fatal = literal + 1 == self.endings.len();
        let behind_label = || matches!(chunk[..start], [.., b':', b' '] | [.., b':', b' ', b' ']);
        if self.has_label && !is_fatal && !behind_label() {
            return false;
        }
        let endings = &self.endings[literal];
        endings.is_empty()
            || endings
                .iter()
                .any(|ending| chunk[end..].starts_with(ending))
    }
}

/// Texts with what is shared by those that begin with the same word, and how each goes on; a text alone is shared as
/// a whole.
fn groups(texts: Vec<&'static [u8]>) -> Vec<(&'static [u8], Box<[Box<[u8]>]>)> {
    let word = |text: &[u8]| {
        text.iter()
            .position(|&b| b == b' ')
            .map_or(text.len(), |n| n + 1)
    };
    let mut groups: Vec<(&[u8], Vec<&[u8]>)> = Vec::new();
    for text in texts {
        let head = &text[..word(text)];
        match groups
            .iter_mut()
            .find(|(shared, _)| shared.starts_with(head))
        {
            Some((shared, texts)) => {
                let same = shared.iter().zip(text).take_while(|(a, b)| a == b).count();
                *shared = &text[..same];
                texts.push(text);
            }
            None => groups.push((text, vec![text])),
        }
    }
    let endings = |shared: &[u8], texts: Vec<&[u8]>| {
        let endings = texts.iter().map(|text| Box::from(&text[shared.len()..]));
        endings
            .filter(|ending: &Box<[u8]>| !ending.is_empty())
            .collect()
    };
    let groups = groups.into_iter();
    groups
        .map(|(shared, texts)| (shared, endings(shared, texts)))
        .collect()
}
