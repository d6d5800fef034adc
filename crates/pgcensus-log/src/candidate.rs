//! Candidates: the few literals worth stopping for.
//!
//! stderr: the text of each message of interest, and `FATAL:  `. csvlog and jsonlog: the same where a
//! column or string opens, which cannot stand inside a quoted one (see `csvlog`), and their severity.

use aho_corasick::packed::{self, Searcher};
use aho_corasick::{AhoCorasick, MatchKind};

use crate::format::Format;
use crate::message;

/// A searcher for all candidates of a format at once.
#[derive(Clone, Debug)]
pub(crate) struct Candidates {
    /// Vectorised, where the machine has the instructions.
    packed: Option<Searcher>,
    automaton: AhoCorasick,
}

impl Candidates {
    pub(crate) fn new(format: &Format) -> Candidates {
        let (before, fatal): (&[u8], &[u8]) = match format {
            Format::Stderr(_) => (b"", b"FATAL:  "),
            Format::Csvlog => (b",\"", b",FATAL,"),
            Format::Jsonlog => (b"\"", b"\"FATAL\""),
        };
        let mut literals: Vec<Vec<u8>> = message::candidate_texts()
            .map(|text| [before, text].concat())
            .collect();
        literals.push(fatal.to_vec());
        // A quote in a message is escaped in csv and json: search what comes before it.
        for literal in &mut literals {
            let from = before.len();
            if let Some(quote) = literal[from..]
                .iter()
                .position(|&b| b == b'"')
                .filter(|_| from > 0 && literal != fatal)
            {
                literal.truncate(from + quote);
            }
        }
        let packed = packed::Config::new()
            .match_kind(packed::MatchKind::LeftmostFirst)
            .builder()
            .extend(&literals)
            .build();
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostFirst)
            .build(&literals)
            .expect("a few short literals fit an automaton");
        Candidates { packed, automaton }
    }

    /// Where candidates begin in `chunk`, ascending.
    pub(crate) fn find_iter<'a>(&'a self, chunk: &'a [u8]) -> Box<dyn Iterator<Item = usize> + 'a> {
        match &self.packed {
            Some(packed) => Box::new(packed.find_iter(chunk).map(|found| found.start())),
            None => Box::new(self.automaton.find_iter(chunk).map(|found| found.start())),
        }
    }
}
