//! jsonlog as servers write it, which is not always JSON.

#[path = "support/shown.rs"]
mod shown;

use pgcensus_log::decoder::Decoder;
use pgcensus_log::format::Format;
use shown::{check, shown};

/// A record: the keys before the severity, and those from it on.
fn record(before: &str, from: &str) -> String {
    format!(
        "{{\"timestamp\":\"2026-11-23 04:56:44.170 UTC\",{before}\"pid\":30630,\"session_id\":\"6b03c78c.77a6\",\"line_num\":1,\"session_start\":\"2026-11-23 04:56:44 UTC\",\"txid\":0,{from},\"backend_type\":\"client backend\",\"query_id\":0}}\n"
    )
}

fn log(before: &str, message: &str) -> String {
    record(
        before,
        &format!("\"error_severity\":\"LOG\",\"message\":\"{message}\""),
    )
}

#[test]
fn strings_are_unescaped() {
    let identity = |name: &str| {
        log(
            "\"ps\":\"authentication\",",
            &format!(
                "connection authenticated: identity=\\\"{name}\\\" method=md5 (/pg_hba.conf:1)"
            ),
        )
    };
    for (escaped, name) in [
        ("app", "app"),
        (r"a\nb\tc\rd\be\ff", "a\nb\tc\rd\u{8}e\u{c}f"),
        (r#"\"\\\""#, "\"\\\""),
        (r"\u000b\u001F\u0041", "\u{b}\u{1f}A"),
        (r"\u00e9\ud83d\ude00é😀", "é😀é😀"),
        // Halves of a pair alone, and escapes that are none.
        (r"\ud83dx\ude00\u12", "\u{fffd}x\u{fffd}\u{fffd}12"),
        (r"\/\q", "/q"),
    ] {
        let log = identity(escaped);
        let expected = format!("30630 authenticated {} md5", name.escape_debug());
        assert_eq!(shown(&Format::Jsonlog, log.as_bytes()), [expected], "{log}");
    }
    let mut invalid = identity("a\u{1}b").into_bytes();
    for byte in &mut invalid {
        *byte = if *byte == 1 { 0xff } else { *byte };
    }
    assert_eq!(
        shown(&Format::Jsonlog, &invalid),
        ["30630 authenticated a\u{fffd}b md5"]
    );
}

#[test]
fn keys_are_absent_where_nothing_is_known() {
    let authorized = "connection authorized: user=app database=shop application_name=psql";
    let received = "connection received: host=[local]";
    let full = log(
        "\"user\":\"app\",\"dbname\":\"shop\",\"remote_host\":\"::1\",\"remote_port\":60546,\"ps\":\"authentication\",",
        authorized,
    );
    check(
        &Format::Jsonlog,
        &[
            (&full, &["30630 authorized app@shop psql"]),
            (
                &full.replace('\n', "\r\n"),
                &["30630 authorized app@shop psql"],
            ),
            (&log("", received), &["30630 received [local]"]),
            (
                r#"{"timestamp":"2026-11-23 04:56:44.170 UTC","message":"connection received: host=[local]"}"#,
                &["- received [local]"],
            ),
            // Other programs write the keys again, with spaces and in another order.
            (
                "{ \"message\": \"connection received: host=[local]\", \"remote_port\": 5, \"session_id\": \"1.5\", \"pid\" : 5, \"timestamp\":\"2026-11-23 04:56:44.170 UTC\" }\n",
                &["5 received [local]"],
            ),
            (
                "{\"message\":\"connection received: host=[local]\", \"remote_port\": 5, \"session_id\": \"1.5\", \"pid\" : 5, \"timestamp\":\"2026-11-23 04:56:44.170 UTC\" }\n",
                &["5 received [local]"],
            ),
            (
                "{\"message\":\"x\",\"error_severity\":\"LOG\",\"timestamp\":\"2026-11-23 04:56:44.170 UTC\"}\n\
                 {\"message\":\"role \\\"app\\\" does not exist\",\"error_severity\":\"FATAL\",\"timestamp\":\"2026-11-23 04:56:44.170 UTC\"}\n",
                &["- refused role_unknown app 28000"],
            ),
            (
                "{\"timestamp\":\"2026-11-23 04:56:44.170 UTC\",\"error_severity\":\"FATAL\", \"message\":\"empty password returned by client\"}\n\
                 {\"timestamp\":\"2026-11-23 04:56:44.170 UTC\",\"error_severity\":\"FATAL\" ,\"message\":\"empty password returned by client\"}\n\
                 {\"timestamp\":\"2026-11-23 04:56:44.170 UTC\",\"error_severity\":\"FATAL\",\"pid\":5,\"message\":\"empty password returned by client\"}\n",
                &[
                    "- refused empty_password 28P01",
                    "- refused empty_password 28P01",
                    "5 refused empty_password 28P01",
                ],
            ),
            (
                "{\"message\":\"connection received: host=[local]\",\"pid\":5}\n",
                &["unreadable 0+56 a line that is no jsonlog object"],
            ),
            (
                "{\"timestamp\":\"2026-11-23 04:56:44.170 UTC\",\"message\":\"connection received: host=[local]\",\"pid\":5,}\n",
                &["unreadable 0+99 a line that is no jsonlog object"],
            ),
        ],
    );
}

#[test]
fn the_path_of_a_client_socket_is_written_bare() {
    for path in [
        "/tmp/a",
        "/a,b}",
        "/a\"b\"",
        "/a,\"b\":1",
        "@\"x\"},{",
        "/\\",
    ] {
        let escaped = path.replace('\\', "\\\\").replace('"', "\\\"");
        let line = log(
            &format!("\"remote_host\":\"[local]\",\"remote_port\":{path},"),
            &format!("connection received: host=[local] port={escaped}"),
        );
        // In the file `pid` stands before the host; here the session id follows the port at some distance.
        let line = line.replace("\"pid\":30630,", "").replace(
            "UTC\",\"remote_host\"",
            "UTC\",\"pid\":30630,\"remote_host\"",
        );
        let expected = format!("30630 received [local]:{}", path.escape_debug());
        assert_eq!(
            shown(&Format::Jsonlog, line.as_bytes()),
            [expected],
            "{line}"
        );
    }
}

#[test]
fn messages_are_read_from_their_own_key_alone() {
    let received = "connection received: host=[local]";
    let quoted = format!("{{\\\"message\\\":\\\"{received}\\\"}}");
    let error = |more: &str| {
        record(
            "",
            &format!("\"error_severity\":\"ERROR\",\"state_code\":\"22P02\",{more}"),
        )
    };
    let raised = |more: &str| {
        record(
            "\"ps\":\"DO\",",
            &format!(
                "\"error_severity\":\"LOG\",\"message\":\"disconnection: session time: 0:00:00.001 user=a database=b host=[local]\",{more}"
            ),
        )
    };
    let in_function = raised("\"context\":\"PL/pgSQL function inline_code_block line 1 at RAISE\"");
    let in_block = raised("\"statement\":\"do $$…$$\"");
    let untrusted = |log: &str| {
        format!(
            "unreadable 0+{} not trusted: a client wrote it by RAISE",
            log.len()
        )
    };
    check(
        &Format::Jsonlog,
        &[
            (
                &error(&format!("\"message\":\"x\",\"detail\":\"{received}\"")),
                &[],
            ),
            (&error(&format!("\"message\":\"{quoted}\"")), &[]),
            (&error(&format!("\"message\":\"x\\n{received}\"")), &[]),
            (
                &error(&format!(
                    "\"message\":\"x\",\"application_name\":\"{received}\""
                )),
                &[],
            ),
            (&in_function, &[&untrusted(&in_function)]),
            (&in_block, &[&untrusted(&in_block)]),
            (
                &raised("\"application_name\":\"psql\""),
                &["30630 disconnected 1 ms a@b [local]"],
            ),
            (
                &record(
                    "\"user\":\"app\",",
                    "\"error_severity\":\"FATAL\",\"state_code\":\"28P01\",\"message\":\"password authentication failed for user \\\"app\\\"\"",
                ),
                &["30630 refused password_failed app 28P01"],
            ),
        ],
    );
}

#[test]
fn a_torn_last_line_is_not_read() {
    let decoder = Decoder::new(Format::Jsonlog);
    let line = log("", "connection received: host=[local]");
    let log = line.repeat(2);
    for cut in 0..=log.len() {
        let whole = match cut {
            // A closed object is whole without its newline too.
            _ if cut >= log.len() - 1 => cut,
            _ if cut >= line.len() => line.len(),
            _ if cut == line.len() - 1 => cut,
            _ => 0,
        };
        assert_eq!(decoder.complete_len(&log.as_bytes()[..cut]), whole, "{cut}");
    }
    // Torn off in front, as where a log was cut by its size: that record began before the log does.
    let rest = &log[20..];
    let read = ["30630 received [local]"];
    assert_eq!(shown(&Format::Jsonlog, rest.as_bytes()), read);
    // In a log the rest of a line is no object.
    let torn = format!("{line}{}", &line[20..]);
    let len = line.len();
    let unreadable = format!(
        "unreadable {len}+{} a line that is no jsonlog object",
        len - 20
    );
    assert_eq!(
        shown(&Format::Jsonlog, torn.as_bytes()),
        [read[0], &*unreadable]
    );
}

/// Of a longer record the first mebibyte is decoded. What is said before a statement is said, and a record of a session has none
/// so long.
#[test]
fn the_begin_of_a_record_that_is_too_long_is_read() {
    let long = "x".repeat(300);
    let said = |severity: &str, message: &str, more: &str| {
        let from = format!("\"error_severity\":\"{severity}\",\"message\":\"{message}\"{more}");
        let mut record = record("\"user\":\"app\",", &from);
        // However long, it is cut in the middle of what is.
        record.truncate(record.rfind("xxx").expect("it is long"));
        // Others write it with spaces, which are looked at more closely.
        let spaced = record[..200].replace("\":", "\": ") + &record[200..];
        [record, spaced]
    };
    let duration = format!("duration: 1.0 ms  statement: {long}");
    let statement = format!(",\"statement\":\"{long}\"");
    let terminated = "terminating connection due to administrator command";
    let authorized = "connection authorized: user=app database=shop";
    for (records, read) in [
        (said("LOG", &duration, ""), None),
        (said("ERROR", "no", &statement), None),
        (said("FATAL", terminated, &statement), Some("30630 end")),
        (
            said("LOG", authorized, &statement),
            Some("not trusted: a client wrote it by RAISE"),
        ),
        (
            said("FATAL", &long, ""),
            Some("incomplete: the record is cut off"),
        ),
    ] {
        for record in records {
            let told = shown(&Format::Jsonlog, record.as_bytes());
            let begin = &record;
            match read {
                None => assert!(told.is_empty(), "{told:?} of {begin}"),
                Some(read) => assert!(
                    told.len() == 1 && told[0].contains(read),
                    "{told:?} of {begin}"
                ),
            }
        }
    }
}

#[test]
fn what_a_line_may_hold_is_not_told_by_the_next_one() {
    let line = log("", "connection received: host=[local]");
    let torn = line.split_inclusive("\"conne").next().expect("a beginning");
    let key = line
        .split_inclusive("\"message\"")
        .next()
        .expect("a beginning");
    check(
        &Format::Jsonlog,
        &[
            (
                &format!("{torn}\nction received\n{line}"),
                &["30630 received [local]"],
            ),
            (
                &format!("{key}\n:\"connection received\n{line}"),
                &["30630 received [local]"],
            ),
        ],
    );
}
