//! What other programs print between the lines of a server, where all of them share one stream: the log of a container, a
//! terminal, a script.
//!
//! ```text
//! waiting for server to start....2026-11-26 20:13:01.502 UTC [48] LOG:  starting PostgreSQL 16.14 …
//! .2026-11-26 20:13:02.532 UTC [48] LOG:  database system is ready to accept connections
//!  done
//! psql: error: connection to server on socket "/run/.s.PGSQL.5432" failed: FATAL:  the database system is starting up
//! ```
//!
//! `pg_ctl` says what it waits for, three dots, and a dot more each second, with no line end before the server's own words.
//! Every container of PostgreSQL's official image begins so. What a client was told by a server is in the server's log
//! already, if that is of interest.
//!
//! Source: `do_start`, `do_stop` and `wait_for_postmaster_start` in PostgreSQL's `src/bin/pg_ctl/pg_ctl.c`;
//! `src/interfaces/libpq/fe-connect.c`.

use memchr::{memchr, memmem};

/// `pg_ctl` says what it waits for in fewer bytes, in any language.
const WAITING_MAX: usize = 160;

/// How much of a line is what `pg_ctl` has said before it; 0 where it has not.
pub(crate) fn waiting(line: &[u8]) -> usize {
    let begin = &line[..line.len().min(WAITING_MAX)];
    let Some(said) = memchr(b'.', begin) else {
        return 0;
    };
    let dots = line[said..]
        .iter()
        .take_while(|&&byte| byte == b'.')
        .count();
    // A prefix has something of these before any dots: a time, a pid, a name with its key.
    let is_prose = |byte: &u8| !byte.is_ascii_digit() && !b"[]=@:|,\t\n".contains(byte);
    let is_waiting = said == 0 || dots >= 3 && begin[..said].iter().all(is_prose);
    if is_waiting { said + dots } else { 0 }
}

/// What stands before a FATAL is of a client, which repeats what it was told: `psql: error: `, `… failed: `.
pub(crate) fn repeats(before: &[u8]) -> bool {
    let is_of_words = |byte: &u8| byte.is_ascii_lowercase() || b"_: ".contains(byte);
    // Behind another label it is text of that record.
    before.ends_with(b" failed: ") && memmem::find(before, b":  ").is_none()
        || before.ends_with(b": ") && before[0] != b':' && before.iter().all(is_of_words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pg_ctl_says_is_told_from_a_prefix() {
        for (line, len) in [
            (
                "waiting for server to start....2026-11-26 20:13:01.502 UTC [48] LOG:  x",
                31,
            ),
            ("waiting for server to shut down...LOG:  x", 34),
            (
                "en attente du démarrage du serveur......2026-11-26 20:13:01 CET [48] LOG:  x",
                41,
            ),
            (".2026-11-26 20:13:01.502 UTC [48] LOG:  x", 1),
            ("..... done", 5),
            ("2026-11-26 20:13:01.502 UTC [48] LOG:  x...", 0),
            ("user=app,db=shop,app=what... LOG:  x", 0),
            ("app@shop... LOG:  x", 0),
            ("LOG:  waiting...", 0),
            ("what. LOG:  x", 0),
            ("", 0),
        ] {
            assert_eq!(waiting(line.as_bytes()), len, "{line}");
        }
    }

    #[test]
    fn what_a_client_repeats_is_told_from_a_prefix() {
        for (before, repeated) in [
            (
                "psql: error: connection to server on socket \"/run/x\" failed: ",
                true,
            ),
            ("psql: ", true),
            ("pg_dump: error: ", true),
            ("psql: could not connect to server: ", true),
            ("2026-11-26 20:13:01.502 UTC [48] ", false),
            ("2026-11-26 20:13:01.502 UTC [48]: ", false),
            ("garbage ", false),
            (
                "garbage LOG:  connection authorized: user=app database=failed: ",
                false,
            ),
            (": ", false),
            ("", false),
        ] {
            assert_eq!(repeats(before.as_bytes()), repeated, "{before}");
        }
    }
}
