//! The DETAIL of a failed authentication: why it failed, where the log may say so, and which line of `pg_hba.conf` decided.
//!
//! ```text
//! User "web" has an expired password.
//! Connection matched file "/data/pg_hba.conf" line 4: "host all web 127.0.0.1/32 scram-sha-256"
//! ```
//!
//! The line is the last of the DETAIL, up to 15 without its file: `Connection matched pg_hba.conf line 4: "…"`.
//!
//! Source: `auth_failed` in PostgreSQL's `src/backend/libpq/auth.c`; the reasons are those of `crypt.c` and of the methods.

use memchr::memmem;

/// What a DETAIL says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detail<'d> {
    /// All but the line of `pg_hba.conf`; `None`: there is nothing else.
    pub reason: Option<&'d [u8]>,
    /// The line of `pg_hba.conf` that the connection matched.
    pub hba: Option<Hba<'d>>,
}

/// A line of `pg_hba.conf`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hba<'d> {
    /// The file; `pg_hba.conf` up to 15, where the server does not say which.
    pub file: &'d [u8],
    /// Its line, counted from 1.
    pub line: u32,
    /// What stands there; `None` where only its place was logged.
    pub text: Option<&'d [u8]>,
}

const MATCHED: &[u8] = b"Connection matched ";

impl<'d> Detail<'d> {
    /// Reads a DETAIL, whatever it says.
    pub fn read(detail: &'d [u8]) -> Detail<'d> {
        let lines = memmem::rfind_iter(detail, MATCHED);
        let mut starts = lines.filter(|&at| at == 0 || detail[at - 1] == b'\n');
        let matched = starts.find_map(|at| Some((at, Hba::matched(&detail[at..])?)));
        let reason = matched.map_or(detail, |(at, _)| &detail[..at]);
        let reason = reason.trim_ascii_end();
        Detail {
            reason: (!reason.is_empty()).then_some(reason),
            hba: matched.map(|(_, hba)| hba),
        }
    }
}

impl<'d> Hba<'d> {
    /// Reads `/data/pg_hba.conf:11`, as `connection authenticated` has it.
    pub fn place(text: &'d [u8]) -> Option<Hba<'d>> {
        let colon = memchr::memrchr(b':', text)?;
        let (line, rest) = number(&text[colon + 1..])?;
        rest.is_empty().then_some(Hba {
            file: &text[..colon],
            line,
            text: None,
        })
    }

    fn matched(line: &'d [u8]) -> Option<Hba<'d>> {
        const FILE: &[u8] = b"pg_hba.conf line ";
        let rest = line.strip_prefix(MATCHED)?;
        let (file, rest) = if let Some(rest) = rest.strip_prefix(FILE) {
            (&FILE[..b"pg_hba.conf".len()], rest)
        } else {
            let rest = rest.strip_prefix(b"file \"")?;
            let end = memmem::find(rest, b"\" line ")?;
            (&rest[..end], &rest[end + b"\" line ".len()..])
        };
        let (line, rest) = number(rest)?;
        let text = rest.strip_prefix(b": \"")?.trim_ascii_end();
        Some(Hba {
            file,
            line,
            text: Some(text.strip_suffix(b"\"").unwrap_or(text)),
        })
    }
}

/// The number at the start of `text`, and what follows it.
fn number(text: &[u8]) -> Option<(u32, &[u8])> {
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(digits);
    let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some((number, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "as the table has it")]
    fn hba<'d>(file: &'d str, line: u32, text: &'d str) -> Option<Hba<'d>> {
        Some(Hba {
            file: file.as_bytes(),
            line,
            text: Some(text.as_bytes()),
        })
    }

    #[test]
    fn reason_and_line_are_told_apart() {
        let rows = [
            (
                "Connection matched pg_hba.conf line 4: \"host all app 127.0.0.1/32 md5\"",
                (None, hba("pg_hba.conf", 4, "host all app 127.0.0.1/32 md5")),
            ),
            (
                "Role \"x\" does not exist.\nConnection matched file \"/a \"b/pg_hba.conf\" line 12: \"host all all \"::1/128\" md5\"",
                (
                    Some("Role \"x\" does not exist."),
                    hba("/a \"b/pg_hba.conf", 12, "host all all \"::1/128\" md5"),
                ),
            ),
            (
                "Only roles with the REPLICATION attribute may start a WAL sender process.",
                (
                    Some(
                        "Only roles with the REPLICATION attribute may start a WAL sender process.",
                    ),
                    None,
                ),
            ),
            // A name with a line break in it does not forge the last line.
            (
                "Role \"x\nConnection matched pg_hba.conf line 1: \"y\"\" does not exist.\nConnection matched pg_hba.conf line 9: \"host z\"",
                (
                    Some(
                        "Role \"x\nConnection matched pg_hba.conf line 1: \"y\"\" does not exist.",
                    ),
                    hba("pg_hba.conf", 9, "host z"),
                ),
            ),
            (
                "Connection matched nothing",
                (Some("Connection matched nothing"), None),
            ),
            (
                "Connection matched pg_hba.conf line 99999999999: \"x\"",
                (
                    Some("Connection matched pg_hba.conf line 99999999999: \"x\""),
                    None,
                ),
            ),
            ("", (None, None)),
        ];
        for (detail, (reason, hba)) in rows {
            let reason = reason.map(str::as_bytes);
            let read = Detail::read(detail.as_bytes());
            assert_eq!(read, Detail { reason, hba }, "{detail}");
        }
    }

    #[test]
    fn places_have_a_line() {
        let place = |text: &'static str| Hba::place(text.as_bytes());
        assert_eq!(
            place("/data/pg_hba.conf:11"),
            Some(Hba {
                file: b"/data/pg_hba.conf",
                line: 11,
                text: None
            })
        );
        assert_eq!(place("/data/pg_hba.conf"), None);
        assert_eq!(place("/data/pg_hba.conf:1x"), None);
        assert_eq!(place("x:"), None);
    }
}
