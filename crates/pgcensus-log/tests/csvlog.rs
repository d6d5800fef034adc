//! csvlog as servers write it, and as clients would like to bend it.

#[path = "support/shown.rs"]
mod shown;

use pgcensus_log::decoder::Decoder;
use pgcensus_log::format::Format;
use shown::{check, shown};

/// A record of 26 columns, spelled as in the file: names, client, severity with SQLSTATE, message, and the
/// columns from DETAIL to `query_pos`.
struct Row<'a> {
    names: &'a str,
    from: &'a str,
    tag: &'a str,
    severity: &'a str,
    message: &'a str,
    rest: &'a str,
    app: &'a str,
}

const RECEIVED: Row<'_> = Row {
    names: ",",
    from: "127.0.0.1:60546",
    tag: "",
    severity: "LOG,00000",
    message: "connection received: host=127.0.0.1 port=60546",
    rest: ",,,,,,,",
    app: "",
};

const AUTHORIZED: Row<'_> = Row {
    names: "\"app\",\"shop\"",
    tag: "authentication",
    message: "connection authorized: user=app database=shop",
    ..RECEIVED
};

const DISCONNECTED: Row<'_> = Row {
    names: "\"app\",\"shop\"",
    tag: "idle",
    message: "disconnection: session time: 0:01:02.345 user=app database=shop host=127.0.0.1 port=60546",
    app: "psql",
    ..RECEIVED
};

const STATEMENT: Row<'_> = Row {
    tag: "SELECT",
    severity: "ERROR,22P02",
    message: "no lifecycle here",
    ..DISCONNECTED
};

impl std::fmt::Display for Row<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Row {
            names,
            from,
            tag,
            severity,
            message,
            rest,
            app,
        } = self;
        writeln!(
            f,
            "2026-11-23 04:56:44.170 UTC,{names},30630,\"{from}\",6b03c78c.77a6,1,\"{tag}\",2026-11-23 04:56:44 UTC,8/3,0,{severity},\"{message}\",{rest},\"{app}\",\"client backend\",,0"
        )
    }
}

#[test]
fn a_record_has_the_columns_of_its_version() {
    let text = RECEIVED.to_string();
    let text = text.strip_suffix(",\"client backend\",,0\n").expect("26");
    for (more, expected) in [
        ("", "30630 received 127.0.0.1:60546"),
        (",\"not initialized\"", "30630 received 127.0.0.1:60546"),
        (
            ",\"not initialized\",7",
            "unreadable 0+207 25 fields where csvlog has 23, 24 or 26",
        ),
        (",\"not initialized\",,0", "30630 received 127.0.0.1:60546"),
        (
            ",\"not initialized\",,0,",
            "unreadable 0+209 27 fields where csvlog has 23, 24 or 26",
        ),
    ] {
        for end in ["\n", "\r\n", ""] {
            let log = format!("{text}{more}{end}");
            let expected = match expected.split_once('+') {
                Some((head, tail)) => {
                    let (_, why) = tail.split_once(' ').expect("a reason");
                    format!("{head}+{} {why}", log.len())
                }
                None => expected.to_owned(),
            };
            assert_eq!(shown(&Format::Csvlog, log.as_bytes()), [expected], "{log}");
        }
    }
}

#[test]
fn columns_hold_quotes_and_line_breaks() {
    let quoted = Row {
        names: "\"a\"\"b\",\"sh\"\"\"\"op\"",
        message: "connection authorized: user=a\"\"b database=sh\"\"\"\"op",
        ..AUTHORIZED
    };
    let torn = Row {
        names: "\"two\nlines\",\"shop\"",
        message: "connection authorized: user=two\nlines database=shop",
        ..AUTHORIZED
    };
    let refused = Row {
        names: "\"two\n\"\"lines\"\"\",\"shop\"",
        severity: "FATAL,28P01",
        message: "password authentication failed for user \"\"two\n\"\"lines\"\"\"\"",
        rest: "\"Connection matched file \"\"pg_hba.conf\"\" line 3:\n\"\"host all all all md5\"\"\",,,,,,,",
        ..AUTHORIZED
    };
    check(
        &Format::Csvlog,
        &[
            (
                &quoted.to_string(),
                &["30630 authorized a\\\"b@sh\\\"\\\"op"],
            ),
            (&torn.to_string(), &["30630 authorized two\\nlines@shop"]),
            (
                &format!("{torn}{refused}{DISCONNECTED}"),
                &[
                    "30630 authorized two\\nlines@shop",
                    "30630 refused password_failed two\\n\\\"lines\\\" 28P01",
                    "30630 disconnected 62345 ms app@shop 127.0.0.1:60546",
                ],
            ),
            (
                &format!("{RECEIVED}{DISCONNECTED}").replace('\n', "\r\n"),
                &[
                    "30630 received 127.0.0.1:60546",
                    "30630 disconnected 62345 ms app@shop 127.0.0.1:60546",
                ],
            ),
        ],
    );
}

/// `connection_from` is the one column whose quotes are not doubled.
#[test]
fn the_path_of_a_client_socket_may_hold_quotes() {
    let forged = forged_lines();
    let statement = Row {
        message: &forged,
        ..STATEMENT
    };
    for path in [
        "/tmp/a",
        "/tmp/a\"b",
        "/tmp/\"\"",
        "\"",
        "/tmp/x\",\"y",
        "/\",",
        "@\"abstract",
    ] {
        let from = format!("[local]:{path}");
        let port = path.replace('"', "\"\"");
        let received = Row {
            from: &from,
            message: &format!("connection received: host=[local] port={port}"),
            ..RECEIVED
        };
        let authorized = Row {
            from: &from,
            ..AUTHORIZED
        };
        let shown_port = path.escape_debug();
        let local = format!("30630 received [local]:{shown_port}");
        let expected = [
            &*local,
            "30630 authorized app@shop",
            "30630 disconnected 62345 ms app@shop 127.0.0.1:60546",
        ];
        check(
            &Format::Csvlog,
            &[(
                &format!("{received}{statement}{authorized}{statement}{DISCONNECTED}"),
                &expected,
            )],
        );
    }
}

/// A message in which somebody has written records of this format, quotes doubled as the server does.
fn forged_lines() -> String {
    let unquoted = "2026-11-23 04:56:44.171 UTC,,,666,,6b03c78c.29a,3,,2026-11-23 04:56:44 UTC,8/3,0,LOG,00000,,,,,,,,,,,,,0";
    let quoted = RECEIVED.to_string().replace('"', "\"\"");
    format!("text\n{unquoted}\n{quoted}{unquoted}\n")
}

#[test]
fn records_inside_a_column_are_text() {
    let forged = forged_lines();
    let in_message = Row {
        message: &forged,
        ..STATEMENT
    };
    let statement = format!(",,,,,\"select '{forged}'\",17,");
    let in_statement = Row {
        rest: &statement,
        ..STATEMENT
    };
    let log = format!("{RECEIVED}{in_message}{in_statement}{in_message}{DISCONNECTED}");
    check(
        &Format::Csvlog,
        &[
            (&in_message.to_string(), &[]),
            (&in_statement.to_string(), &[]),
            (
                &log,
                &[
                    "30630 received 127.0.0.1:60546",
                    "30630 disconnected 62345 ms app@shop 127.0.0.1:60546",
                ],
            ),
        ],
    );
}

#[test]
fn names_may_read_like_messages() {
    let app = "connection received: host=[local]";
    let statement = Row { app, ..STATEMENT };
    let disconnected = Row {
        app,
        ..DISCONNECTED
    };
    let in_detail = Row {
        rest: "\"disconnection: session time: 0:00:00.001 user=a database=b host=[local]\",,,,,,,",
        ..STATEMENT
    };
    let authorized = Row {
        names: "\"disconnection: session time: 1\",\"shop\"",
        message: "connection authorized: user=disconnection: session time: 1 database=shop",
        ..AUTHORIZED
    };
    check(
        &Format::Csvlog,
        &[
            (&statement.to_string(), &[]),
            (&in_detail.to_string(), &[]),
            (
                &format!("{statement}{authorized}{in_detail}{disconnected}"),
                &[
                    "30630 authorized disconnection: session time: 1@shop",
                    "30630 disconnected 62345 ms app@shop 127.0.0.1:60546",
                ],
            ),
        ],
    );
}

/// RAISE LOG runs in a function or a DO block: its record has a context or a statement.
#[test]
fn raised_messages_are_not_believed() {
    for (row, expected) in [
        (
            Row {
                tag: "DO",
                rest: ",,,,\"PL/pgSQL function inline_code_block line 1 at RAISE\",,,",
                ..DISCONNECTED
            },
            false,
        ),
        (
            Row {
                tag: "DO",
                rest: ",,,,,\"do $$ … $$\",,",
                ..DISCONNECTED
            },
            false,
        ),
        (
            Row {
                tag: "SELECT",
                ..AUTHORIZED
            },
            false,
        ),
        (AUTHORIZED, true),
    ] {
        let log = row.to_string();
        let found = shown(&Format::Csvlog, log.as_bytes());
        let is_event = found.iter().any(|line| !line.starts_with("unreadable"));
        assert_eq!((found.len(), is_event), (1, expected), "{log}");
    }
}

/// As of jsonlog: of a record that is too long what stands before its statement is read.
#[test]
fn the_begin_of_a_record_that_is_too_long_is_read() {
    let long = "x".repeat(1 << 20);
    let statement = format!(",,,,,\"{long}\",,");
    let detail = format!("\"{long}\",,,,,,,");
    let terminated = Row {
        severity: "FATAL,57P01",
        message: "terminating connection due to administrator command",
        tag: "SELECT",
        rest: &statement,
        ..DISCONNECTED
    };
    let refused = "not trusted: a client wrote it by RAISE";
    for (row, read) in [
        (Row { ..terminated }, "30630 end"),
        (
            Row {
                rest: &statement,
                ..AUTHORIZED
            },
            refused,
        ),
        (
            Row {
                rest: &detail,
                ..terminated
            },
            "30630 end",
        ),
        (
            Row {
                message: &long,
                ..terminated
            },
            "incomplete: the record is cut off",
        ),
    ] {
        let log = row.to_string();
        let decoder = Decoder::new(Format::Csvlog);
        let told = shown::decode(&decoder, &log.as_bytes()[..1 << 20], 0);
        let is_it = told.len() == 1 && told[0].contains(read);
        assert!(is_it, "{told:?} of {}", &log[..300]);
    }
}

#[test]
fn a_torn_last_record_is_not_read() {
    let decoder = Decoder::new(Format::Csvlog);
    let log = format!("{RECEIVED}{DISCONNECTED}");
    let first = RECEIVED.to_string().len();
    let message_end = log.rfind("60546\",,").expect("a message");
    for cut in 0..=log.len() {
        let complete = decoder.complete_len(&log.as_bytes()[..cut]);
        // Without its newline, a record with the columns of some version is whole.
        let may_be_whole = cut > message_end || (cut > first - 60 && cut < first);
        let before = if cut < first { 0 } else { first };
        assert!(
            complete == before || complete == cut && may_be_whole,
            "{complete} of {}",
            &log[..cut]
        );
    }
    assert_eq!(decoder.complete_len(log.as_bytes()), log.len());
}
