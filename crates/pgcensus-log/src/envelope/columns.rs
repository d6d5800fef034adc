//! A csvlog record out of an object whose keys are the names of its columns.
//!
//! `{"log_time":"2024-04-11 10:00:00.122 UTC","user_name":"app","process_id":"4121",…}` →
//! `2024-04-11 10:00:00.122 UTC,"app",…`
//!
//! Source: `write_csvlog` in the server's `src/backend/utils/error/csvlog.c`; the names are those of the table in its
//! documentation, which CloudNativePG and Logflare use.

use super::json::Value;

/// The columns in their order; the quoted ones are those that the server quotes.
const COLUMNS: [(&[u8], Quoted); 26] = [
    (b"log_time", Quoted::No),
    (b"user_name", Quoted::Text),
    (b"database_name", Quoted::Text),
    (b"process_id", Quoted::No),
    (b"connection_from", Quoted::Text),
    (b"session_id", Quoted::No),
    (b"session_line_num", Quoted::No),
    (b"command_tag", Quoted::InSessions),
    (b"session_start_time", Quoted::No),
    (b"virtual_transaction_id", Quoted::No),
    (b"transaction_id", Quoted::No),
    (b"error_severity", Quoted::No),
    (b"sql_state_code", Quoted::No),
    (b"message", Quoted::Text),
    (b"detail", Quoted::Text),
    (b"hint", Quoted::Text),
    (b"internal_query", Quoted::Text),
    (b"internal_query_pos", Quoted::No),
    (b"context", Quoted::Text),
    (b"query", Quoted::Text),
    (b"query_pos", Quoted::No),
    (b"location", Quoted::Text),
    (b"application_name", Quoted::Always),
    (b"backend_type", Quoted::Text),
    (b"leader_pid", Quoted::No),
    (b"query_id", Quoted::No),
];

const LOG_TIME: usize = 0;
const PROCESS_ID: usize = 3;
const CONNECTION_FROM: usize = 4;

/// How an absent or empty column is written, and a column with something in it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quoted {
    /// As it is.
    No,
    /// In quotes; nothing where it is empty.
    Text,
    /// In quotes, empty ones too, where the record is a session's.
    InSessions,
    /// In quotes, empty ones too.
    Always,
}

/// The values of one record.
#[derive(Default)]
pub(super) struct Columns {
    values: [Vec<u8>; COLUMNS.len()],
}

impl Columns {
    pub(super) fn set(&mut self, name: &[u8], value: Value<'_>) {
        let place = COLUMNS.iter().position(|(column, _)| *column == name);
        if let Some(column) = place.map(|place| &mut self.values[place]) {
            column.clear();
            value.append_to(column);
        }
    }

    /// Where no column has the time, the envelope's is taken.
    pub(super) fn log_time_or(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let time = &mut self.values[LOG_TIME];
        if crate::log_time::read(time, None).is_none() {
            time.clear();
            write(time);
        }
    }

    /// Writes the record without a line end: false where it has no process and so is none.
    pub(super) fn write(&self, out: &mut Vec<u8>) -> bool {
        if self.values[PROCESS_ID].is_empty() {
            return false;
        }
        let is_session = !self.values[CONNECTION_FROM].is_empty();
        for (i, ((_, quoted), value)) in COLUMNS.iter().zip(&self.values).enumerate() {
            if i > 0 {
                out.push(b',');
            }
            let is_quoted = match quoted {
                Quoted::No => {
                    // Nothing that the server leaves bare has any of these: it would be another column, or record.
                    if !value
                        .iter()
                        .any(|b| matches!(b, b',' | b'"' | b'\n' | b'\r'))
                    {
                        out.extend_from_slice(value);
                    }
                    continue;
                }
                Quoted::Text => !value.is_empty(),
                Quoted::InSessions => is_session || !value.is_empty(),
                Quoted::Always => true,
            };
            if is_quoted {
                out.push(b'"');
                for &byte in value {
                    if byte == b'"' {
                        out.push(b'"');
                    }
                    out.push(byte);
                }
                out.push(b'"');
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_is_written_as_the_server_writes_it() {
        let mut columns = Columns::default();
        for (name, value) in [
            ("log_time", "2024-04-11 10:00:00.122 UTC"),
            ("user_name", "a\\\"b"),
            ("process_id", "4121"),
            ("connection_from", "10.244.0.9:48512"),
            ("session_id", "6617b3a0.1019,x"),
            ("message", "two\\nlines"),
            ("unknown", "x"),
        ] {
            columns.set(name.as_bytes(), Value::Text(value.as_bytes()));
        }
        let mut out = Vec::new();
        assert!(columns.write(&mut out));
        assert_eq!(
            String::from_utf8_lossy(&out),
            "2024-04-11 10:00:00.122 UTC,\"a\"\"b\",,4121,\"10.244.0.9:48512\",,,\"\",,,,,,\"two\nlines\",,,,,,,,,\"\",,,"
        );
        assert!(!Columns::default().write(&mut out));
    }
}
