//! The keys of jsonlog. The server writes them in one order, so the next one is looked for among those after the last;
//! where another program wrote the object again, in whatever order and with spaces, by its name.

use super::{string, trim_start};
use crate::near::{mask, word};

/// A key, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Timestamp,
    User,
    Database,
    Pid,
    RemoteHost,
    RemotePort,
    SessionId,
    CommandTag,
    Severity,
    StateCode,
    Message,
    Detail,
    /// `internal_query`, `context`
    Context,
    Statement,
    ApplicationName,
    BackendType,
    Other,
}

/// A key as the server writes it, with its quotes and colon.
struct Written {
    text: &'static [u8],
    /// Its first eight bytes, and which of these it has.
    head: u64,
    mask: u64,
    /// Its last eight bytes, or as many as there are.
    end: u64,
    key: Key,
}

impl Written {
    /// `text`, whose first eight bytes are `head`, begins with it.
    #[inline]
    fn begins(&self, text: &[u8], head: u64) -> bool {
        if head & self.mask != self.head {
            return false;
        }
        match self.text.len() {
            0..=8 => true,
            // The first and the last eight bytes are all of it.
            len @ 9..=16 => text
                .get(len - 8..len)
                .and_then(|end| end.first_chunk())
                .is_some_and(|end| u64::from_le_bytes(*end) == self.end),
            _ => text.starts_with(self.text),
        }
    }
}

const fn written(text: &'static str, key: Key) -> Written {
    let text = text.as_bytes();
    Written {
        text,
        head: word(text),
        mask: mask(text.len()),
        end: word(text.split_at(text.len().saturating_sub(8)).1),
        key,
    }
}

/// In the order of `write_jsonlog` in PostgreSQL's `src/backend/utils/error/jsonlog.c`.
static KEYS: [Written; 29] = [
    written("\"timestamp\":", Key::Timestamp),
    written("\"user\":", Key::User),
    written("\"dbname\":", Key::Database),
    written("\"pid\":", Key::Pid),
    written("\"remote_host\":", Key::RemoteHost),
    written("\"remote_port\":", Key::RemotePort),
    written("\"session_id\":", Key::SessionId),
    written("\"line_num\":", Key::Other),
    written("\"ps\":", Key::CommandTag),
    written("\"session_start\":", Key::Other),
    written("\"vxid\":", Key::Other),
    written("\"txid\":", Key::Other),
    written("\"error_severity\":", Key::Severity),
    written("\"state_code\":", Key::StateCode),
    written("\"message\":", Key::Message),
    written("\"detail\":", Key::Detail),
    written("\"hint\":", Key::Other),
    written("\"internal_query\":", Key::Context),
    written("\"internal_position\":", Key::Other),
    written("\"context\":", Key::Context),
    written("\"statement\":", Key::Statement),
    written("\"cursor_position\":", Key::Other),
    written("\"func_name\":", Key::Other),
    written("\"file_name\":", Key::Other),
    written("\"file_line_num\":", Key::Other),
    written("\"application_name\":", Key::ApplicationName),
    written("\"backend_type\":", Key::BackendType),
    written("\"leader_pid\":", Key::Other),
    written("\"query_id\":", Key::Other),
];

/// The keys of one object, one after the other.
#[derive(Default)]
pub(super) struct Keys {
    /// The number of the one that may come next.
    next: usize,
}

impl Keys {
    /// The key at the start of `text`, and what follows its colon.
    #[inline]
    pub(super) fn read<'c>(&mut self, text: &'c [u8]) -> Option<(Key, &'c [u8])> {
        if let Some(head) = text.first_chunk() {
            let head = u64::from_le_bytes(*head);
            let after = KEYS.iter().enumerate().skip(self.next);
            for (number, written) in after {
                if written.begins(text, head) {
                    self.next = number + 1;
                    return Some((written.key, trim_start(&text[written.text.len()..])));
                }
            }
        }
        let (name, rest) = string(trim_start(text))?;
        let rest = trim_start(trim_start(rest).strip_prefix(b":")?);
        let is_it = |written: &&Written| written.text[1..].strip_suffix(b"\":") == Some(name.raw);
        let key = KEYS
            .iter()
            .find(is_it)
            .map_or(Key::Other, |written| written.key);
        Some((key, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_in_any_order_and_by_their_whole_name() {
        for written in &KEYS {
            for (before, after) in [("", "1, "), (" ", " 1"), ("", "1")] {
                let name = std::str::from_utf8(written.text).expect("ASCII");
                let text = format!("{before}{name}{after}");
                let read = Keys::default().read(text.as_bytes());
                assert_eq!(
                    read,
                    Some((written.key, after.trim_start().as_bytes())),
                    "{text}"
                );
            }
            for at in 1..written.text.len() - 2 {
                let mut other = written.text.to_vec();
                other[at] ^= 1;
                other.extend_from_slice(b"1234567890");
                if let Some((key, _)) = Keys::default().read(&other) {
                    assert_eq!(key, Key::Other, "{}", String::from_utf8_lossy(&other));
                }
            }
        }
    }
}
