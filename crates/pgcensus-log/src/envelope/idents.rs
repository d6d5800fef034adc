//! Whose lines in a log of many programs are a server's.

use super::parts;

/// So many names are remembered; lines under further ones are read where they tell by themselves.
const IDENTS_MAX: usize = 64;
/// No `log_line_prefix` is looked through further than this.
const PREFIX_MAX: usize = 512;

/// The programs that were seen to be servers. `syslog_ident` can be anything, and a server that Patroni starts
/// writes under its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Idents(Vec<Box<[u8]>>);

impl Idents {
    /// Whether a program is a server: it is called `postgres`, or has written what only a server writes, now or
    /// before.
    pub(super) fn knows(&mut self, ident: &[u8], text: &[u8]) -> bool {
        if ident == b"postgres" || self.0.iter().any(|known| **known == *ident) {
            return true;
        }
        let is_server = tells_by_itself(text);
        if is_server && self.0.len() < IDENTS_MAX {
            self.0.push(ident.into());
        }
        is_server
    }
}

/// Whether a text is numbered as a server's syslog messages are, or labelled `LOG`, which no client prints.
fn tells_by_itself(text: &[u8]) -> bool {
    let text = &text[..text.len().min(PREFIX_MAX)];
    parts::numbers(text).is_some_and(|(_, chunk, _)| chunk.is_some())
        || memchr::memmem::find(text, b"LOG:  ")
            .is_some_and(|at| at == 0 || !text[at - 1].is_ascii_alphanumeric())
}
