//! What a PostgreSQL log means: events → sessions → numbers.
//!
//! Pure: no files, no clock, no threads, no globals; time is an argument.
//!
//! ```text
//! Event ─► Tracker ─Change─► Census, History ─► Snapshot
//! ```

pub mod census;
pub mod change;
pub mod compare;
pub mod filter;
pub mod findings;
pub mod grid;
pub mod groups;
pub mod history;
pub mod hold;
pub mod instant;
pub mod lives;
pub mod metrics;
pub mod names;
pub mod noise;
pub mod notable;
pub mod present;
pub mod recent;
pub mod refusals;
pub mod rollup;
pub mod session;
pub mod snapshot;
pub mod standing;
pub mod texts;
pub mod tracker;
pub mod trend;
pub mod window;
pub mod zone;
