//! What a PostgreSQL log means: events → sessions → numbers.
//!
//! Pure: no files, no clock, no threads, no globals; time is an argument.
//!
//! ```text
//! Event ─► Tracker ─Change─► Census, History ─► Snapshot
//! ```

pub mod change;
pub mod instant;
pub mod names;
pub mod session;
pub mod snapshot;
pub mod zone;
