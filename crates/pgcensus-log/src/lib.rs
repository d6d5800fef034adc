//! What PostgreSQL writes: bytes of a server log → records → events.
//!
//! Pure: no files, no clock, no threads, no globals. Nothing here fails or panics on any input; a
//! candidate ends in an [`Event`](event::Event) or in a counted unreadable span.
//!
//! ```text
//! bytes ─► candidate (where a record of interest may be) ─► format decoder ─► Record ─► message ─► Event
//! ```

pub mod batch;
mod candidate;
mod csvlog;
mod cursor;
pub mod decoder;
pub mod detail;
pub mod envelope;
pub mod event;
pub mod format;
mod jsonlog;
pub mod line_prefix;
pub mod log_time;
pub mod message;
mod near;
pub mod record;
mod stderr;
mod stranger;
pub mod translation;
