//! The table of messages: text, versions, SQLSTATE, meaning.

use crate::event::EventKind;
use crate::record::{Record, Sqlstate};

/// What the message of a record says about a connection, a session or the server, with the SQLSTATE
/// that it implies; `None` for the great majority, which says nothing of that.
pub fn classify<'m>(record: &'m Record<'_>) -> Option<(EventKind<&'m [u8]>, Option<Sqlstate>)> {
    let _ = record;
    None
}
