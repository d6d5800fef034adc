//! `log_line_prefix`, compiled once and matched per line; see [`LinePrefix`].

use crate::log_time::LogTime;
use crate::record::{BackendType, Client, SessionId, Severity, Sqlstate};

/// A compiled `log_line_prefix`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinePrefix {
    text: Box<str>,
}

/// Why a text is no usable `log_line_prefix`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinePrefixError {
    /// Byte position in the text.
    pub at: usize,
    /// What is wrong there.
    pub message: String,
}

/// The head of one line: what its prefix carries, and the label after it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head<'c> {
    /// `%m`, `%t` or `%n`.
    pub log_time: Option<LogTime<&'c [u8]>>,
    /// `%p`, else out of `%c`.
    pub pid: Option<u32>,
    /// `%c`
    pub session_id: Option<SessionId>,
    /// `%u`; `None` for empty and `[unknown]`.
    pub user: Option<&'c [u8]>,
    /// `%d`; likewise.
    pub database: Option<&'c [u8]>,
    /// `%a`; likewise.
    pub application_name: Option<&'c [u8]>,
    /// `%h` or `%r`.
    pub client: Option<Client<&'c [u8]>>,
    /// `%e`
    pub sqlstate: Option<Sqlstate>,
    /// `%i`
    pub command_tag: Option<&'c [u8]>,
    /// `%b`
    pub backend_type: Option<BackendType>,
    /// The label after the prefix.
    pub label: Label,
    /// Where the label begins.
    pub label_start: usize,
    /// Where the text after the label and its two spaces begins.
    pub text_start: usize,
}

/// What stands between the prefix and the text of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// `LOG:  `, `FATAL:  ` …: a record begins.
    Severity(Severity),
    /// `DETAIL:  `
    Detail,
    /// `CONTEXT:  ` or `QUERY:  `: raised inside a function.
    Context,
    /// `STATEMENT:  `
    Statement,
    /// `HINT:  `, `LOCATION:  `, `BACKTRACE:  `
    Other,
}

impl Default for Label {
    fn default() -> Self {
        Label::Severity(Severity::Log)
    }
}

/// What [`infer`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inference {
    /// The prefix that reads most lines.
    pub prefix: LinePrefix,
    /// Labelled lines of the sample that it reads.
    pub lines_read: usize,
    /// Labelled lines of the sample.
    pub lines: usize,
}

/// Infers the `log_line_prefix` from a sample of lines, whole or torn at both ends.
pub fn infer(sample: &[u8]) -> Option<Inference> {
    let _ = sample;
    None
}

impl LinePrefix {
    /// Compiles the text of a `log_line_prefix`.
    ///
    /// # Errors
    /// Where it holds an escape twice in a way that cannot be matched.
    pub fn parse(text: &str) -> Result<LinePrefix, LinePrefixError> {
        Ok(LinePrefix { text: text.into() })
    }

    /// The text that it was compiled from.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Reads the head of a record or labelled line that begins at `text[0]`: the first reading whose
    /// label begins at or after `label_from`. `text` may hold more lines after this one; the head may
    /// span lines only inside `%u`, `%d` and `%a`.
    pub fn read<'c>(&self, text: &'c [u8], label_from: usize) -> Option<Head<'c>> {
        let _ = (text, label_from);
        None
    }
}

impl std::fmt::Display for LinePrefixError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "position {}: {}", self.at, self.message)
    }
}

impl std::error::Error for LinePrefixError {}
