//! A record: one log entry of the server with its labelled lines, fields borrowed from the chunk.

use std::borrow::Cow;

use crate::log_time::LogTime;
use crate::near;

/// One log entry, as far as its format carries it. `None`: not carried by this format or prefix, or
/// printed as unset (`[unknown]`, an empty csv column, a missing json key).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record<'c> {
    /// When it was logged.
    pub log_time: Option<LogTime<&'c [u8]>>,
    /// The process that wrote it.
    pub pid: Option<u32>,
    /// `%c`: process start and pid.
    pub session_id: Option<SessionId>,
    /// `%u`, raw.
    pub user: Option<Cow<'c, [u8]>>,
    /// `%d`, raw.
    pub database: Option<Cow<'c, [u8]>>,
    /// `%a`: the name at that moment.
    pub application_name: Option<Cow<'c, [u8]>>,
    /// `%h`, `%r`: host (`[local]` for a Unix socket) and, of `%r`, port.
    pub client: Option<Client<Cow<'c, [u8]>>>,
    /// How serious it is.
    pub severity: Severity,
    /// `%e`, or the code that `log_error_verbosity = verbose` puts before the message.
    pub sqlstate: Option<Sqlstate>,
    /// The primary message. Newlines are plain: the tab that stderr puts after each is taken off.
    pub message: Cow<'c, [u8]>,
    /// The DETAIL, like `message`.
    pub detail: Option<Cow<'c, [u8]>>,
    /// It has CONTEXT or QUERY lines: it was raised inside a function.
    pub has_context: bool,
    /// It has a STATEMENT line.
    pub has_statement: bool,
    /// `%i`, csv `command_tag`, json `ps`: `authentication`, `startup`, `idle`, `SELECT`.
    pub command_tag: Option<Cow<'c, [u8]>>,
    /// `%b`.
    pub backend_type: Option<BackendType>,
}

/// A field that is unset where it is empty.
pub(crate) fn not_empty(text: &[u8]) -> Option<Cow<'_, [u8]>> {
    (!text.is_empty()).then_some(Cow::Borrowed(text))
}

/// `%c`: the second in which the process started and its pid, `6b03cbfa.4ec2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId {
    /// Seconds since the epoch.
    pub start_s: u64,
    /// The pid.
    pub pid: u32,
}

impl SessionId {
    /// Reads `6b03cbfa.4ec2`; `None` for anything else.
    pub fn parse(text: &[u8]) -> Option<SessionId> {
        // As nearly always, until 2106: eight digits, and of the pid no more.
        if let Some((start, pid)) = text.split_first_chunk()
            && let [b'.', pid @ ..] = pid
            && (1..=8).contains(&pid.len())
        {
            // Zeros for what stands before it.
            let before = near::mask(8 - pid.len());
            let pid = u64::from_le_bytes(*text.last_chunk()?) & !before;
            let zeros = u64::from_le_bytes([b'0'; 8]) & before;
            return Some(SessionId {
                start_s: near::hex(*start)?.into(),
                pid: near::hex((pid | zeros).to_le_bytes())?,
            });
        }
        let (start_s, rest) = hex(text)?;
        let (pid, rest) = hex(rest.strip_prefix(b".")?)?;
        rest.is_empty().then_some(())?;
        Some(SessionId {
            start_s,
            pid: u32::try_from(pid).ok()?,
        })
    }
}

/// The hexadecimal number of at most 15 digits at the start of `text`, and what follows it.
fn hex(text: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0;
    let mut len = 0;
    while let Some(&byte) = text.get(len)
        && let digit @ 0..16 = HEX_DIGITS[usize::from(byte)]
    {
        number = number << 4 | u64::from(digit);
        len += 1;
        if len > 15 {
            return None;
        }
    }
    (len > 0).then(|| (number, &text[len..]))
}

/// The value of each hexadecimal digit; 16: it is none.
static HEX_DIGITS: [u8; 256] = {
    let mut digits = [16; 256];
    let mut byte = 0u8;
    while byte < 128 {
        if let Some(digit) = (byte as char).to_digit(16) {
            digits[byte as usize] = digit as u8;
        }
        byte += 1;
    }
    digits
};

impl std::fmt::Display for SessionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:x}.{:x}", self.start_s, self.pid)
    }
}

/// Where a client connects from, as the server prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client<T> {
    /// Address or name; `[local]` for a Unix socket.
    pub host: T,
    /// TCP port, or the path of a bound client socket; `None` for a plain Unix socket or where it
    /// is not carried.
    pub port: Option<T>,
}

/// A five-letter SQLSTATE, such as `28P01`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sqlstate(pub [u8; 5]);

impl Sqlstate {
    /// Reads exactly five digits and capital letters.
    pub fn parse(text: &[u8]) -> Option<Sqlstate> {
        let code: [u8; 5] = text.try_into().ok()?;
        code.iter()
            .all(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
            .then_some(Sqlstate(code))
    }

    /// The code as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("?????")
    }
}

impl std::fmt::Debug for Sqlstate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `error_severity`. All debug levels print `DEBUG`. Translated in stderr and csvlog where
/// `lc_messages` is; never in jsonlog.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Severity {
    /// `LOG`
    #[default]
    Log,
    /// `DEBUG`, `INFO`, `NOTICE`
    Minor,
    /// `WARNING`
    Warning,
    /// `ERROR`
    Error,
    /// `FATAL`: ends the process that wrote it
    Fatal,
    /// `PANIC`: ends the server
    Panic,
}

impl Severity {
    /// The severity that this English word names.
    pub fn parse(word: &[u8]) -> Option<Severity> {
        Some(match word {
            b"LOG" => Severity::Log,
            b"DEBUG" | b"INFO" | b"NOTICE" => Severity::Minor,
            b"WARNING" => Severity::Warning,
            b"ERROR" => Severity::Error,
            b"FATAL" => Severity::Fatal,
            b"PANIC" => Severity::Panic,
            _ => return None,
        })
    }
}

/// `%b`, csv and json `backend_type`, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendType {
    /// `client backend`, `dead-end client backend`
    ClientBackend,
    /// `walsender`
    Walsender,
    /// `not initialized` (13 to 18): a process that does not know yet; a session's first record
    NotInitialized,
    /// Anything else: no session.
    Other,
}

impl BackendType {
    /// The type that this text names; any unknown text is [`BackendType::Other`].
    pub fn parse(text: &[u8]) -> BackendType {
        match text {
            b"client backend" | b"dead-end client backend" => BackendType::ClientBackend,
            b"walsender" => BackendType::Walsender,
            b"not initialized" | b"unrecognized" => BackendType::NotInitialized,
            _ => BackendType::Other,
        }
    }
}
