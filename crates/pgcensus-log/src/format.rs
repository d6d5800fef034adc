//! Formats: how a log is written, and guessing it from its head.

use crate::line_prefix::LinePrefix;

/// The format of one log file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// `log_destination = stderr`: lines with this `log_line_prefix`.
    Stderr(LinePrefix),
    /// `csvlog`: 23, 24 or 26 columns.
    Csvlog,
    /// `jsonlog` (15+): an object per line.
    Jsonlog,
}
