//! Envelopes, from the bytes of a file to the server's text.

use pgcensus_log::envelope::{Day, Envelope};
use pgcensus_log::format::{Format, Guess, guess};
use proptest::prelude::*;

const END: Day = Day {
    year: 2026,
    month: 11,
    day: 26,
};

/// What comes out of some bytes, taken whole and in pieces.
#[track_caller]
fn text(bytes: &str) -> String {
    let envelope = Envelope::of(bytes.as_bytes(), END).expect("an envelope");
    let whole = envelope.text(bytes.as_bytes());
    for cut in 1..bytes.len().min(200) {
        let mut unwrapper = envelope.unwrapper();
        let mut out = Vec::new();
        for piece in bytes.as_bytes().chunks(cut) {
            unwrapper.feed(piece, &mut out);
        }
        unwrapper.finish(&mut out);
        assert_eq!(
            String::from_utf8_lossy(&out),
            String::from_utf8_lossy(&whole),
            "in pieces of {cut}"
        );
    }
    String::from_utf8_lossy(&whole).into_owned()
}

#[test]
fn parts_of_a_record_are_put_together_whoever_writes_between() {
    let syslog = "\
Nov 23 05:25:55 db01 postgres[7]: [8-1] FATAL:  password authentication failed for user \"bob
Nov 23 05:25:55 db01 sshd[1]: error: x
Nov 23 05:25:55 db01 postgres[9]: [1-1] LOG:  connection received: host=[local]
Nov 23 05:25:55 db01 postgres[7]: [8-2] #011LOG:  forged\"
Nov 23 05:25:55 db01 postgres[7]: [8-3] DETAIL:  Role \"bob\" does not exist.
Nov 23 05:25:56 db01 postgres[9]: [2-1] LOG:  disconnection: session time: 0:00:00.004
";
    assert_eq!(
        text(syslog),
        "\
2026-11-23 05:25:55.000 local [7] FATAL:  password authentication failed for user \"bob
\tLOG:  forged\"
2026-11-23 05:25:55.000 local [7] DETAIL:  Role \"bob\" does not exist.
2026-11-23 05:25:55.000 local [9] LOG:  connection received: host=[local]
2026-11-23 05:25:56.000 local [9] LOG:  disconnection: session time: 0:00:00.004
"
    );
}

/// A chunk that the server cut at 900 bytes goes on its line; it begins none, whatever it holds.
#[test]
fn cut_line_goes_on_and_forges_nothing() {
    let long = "x".repeat(890);
    let syslog = format!(
        "Nov 23 05:25:55 db01 postgres[7]: [8-1] LOG:  {long}\n\
         Nov 23 05:25:55 db01 postgres[7]: [8-2]  LOG:  connection authorized: user=u database=d\n"
    );
    assert_eq!(
        text(&syslog),
        format!(
            "2026-11-23 05:25:55.000 local [7] LOG:  {long} LOG:  connection authorized: user=u database=d\n"
        )
    );
}

/// A name can hold `#012` and a whole line: only a tab or a label that is no severity may follow a line break.
#[test]
fn escaped_line_break_in_a_name_is_none() {
    let syslog = "\
2026-11-23T05:25:55+00:00 db01 postgres[7]: LOG:  connection authorized: user=x#012LOG:  connection authorized: user=y database=d
2026-11-23T05:25:55+00:00 db01 postgres[7]: ERROR:  relation#012#011of two#012STATEMENT:  SELECT 1
";
    assert_eq!(
        text(syslog),
        "\
2026-11-23 05:25:55.000 UTC [7] LOG:  connection authorized: user=x#012LOG:  connection authorized: user=y database=d
2026-11-23 05:25:55.000 UTC [7] ERROR:  relation
\tof two
2026-11-23 05:25:55.000 UTC [7] STATEMENT:  SELECT 1
"
    );
}

/// What follows a line break without a tab goes on the record where a label says so, in any language and encoding. What a
/// severity follows was written by somebody else.
#[test]
fn labels_of_other_languages_go_on_a_record_and_severities_do_not() {
    for (line, is_label) in [
        ("ANWEISUNG:  SELECT 1", true),
        ("INSTRUCTION :  SELECT 1", true),
        ("ОПЕРАТОР:  SELECT 1", true),
        ("文:  SELECT 1", true),
        ("INSTRUCTION :  SELECT 'LOG:  x'", true),
        ("LOG:  connection authorized: user=x", false),
        ("FEHLER:  DETAIL:  x", false),
        ("ВАЖНО:  x", false),
        ("no label: x", false),
    ] {
        let head = "Nov 23 05:25:55 db01 postgres[7]: ";
        for end in ["#012", "\n"] {
            let log = format!("{head}LOG:  name \"a{end}{line}\n");
            let envelope = Envelope::of(log.as_bytes(), END).expect("an envelope");
            let out = String::from_utf8_lossy(&envelope.text(log.as_bytes())).into_owned();
            let labelled = out.contains(&format!("\n2026-11-23 05:25:55.000 local [7] {line}\n"));
            assert_eq!(labelled, is_label, "{line} behind {end:?}: {out}");
        }
    }
}

/// `syslog_split_messages = off`, where each process counts its records; and chunks, which begin anew with each record.
#[test]
fn numbers_of_records_are_no_chunks() {
    let syslog = "\
Nov 23 05:25:55 db01 postgres[7]: [1] LOG:  connection received: host=[local]
Nov 23 05:25:55 db01 postgres[7]: [2] ERROR:  relation#012#011of two#012STATEMENT:  SELECT 1
Nov 23 05:25:55 db01 postgres[7]: [3] LOG:  disconnection: session time: 0:00:00.004
";
    assert_eq!(text(syslog).matches("local [7] ").count(), 4);
    let chunks = "\
Nov 23 05:25:55 db01 postgres[7]: [1] ERROR:  relation
Nov 23 05:25:55 db01 postgres[7]: [2] #011of two
Nov 23 05:25:55 db01 postgres[7]: [3] STATEMENT:  SELECT 1
Nov 23 05:25:55 db01 postgres[7]: [1] LOG:  disconnection: session time: 0:00:00.004
";
    assert_eq!(text(chunks).matches("local [7] ").count(), 3);
}

/// It says so between the lines of a journal, where none has a header.
#[test]
fn what_journalctl_says_goes_on_no_record() {
    let line = |n| {
        format!(
            "Nov 23 05:25:5{n} db01 postgres[7]: LOG:  disconnection: session time: 0:00:00.00{n}\n"
        )
    };
    for said in [
        "-- Boot 4f3a0c7e2b1d4e5f8a9b0c1d2e3f4a5b --",
        "-- Reboot --",
        "-- Logs begin at Mon 2026-11-23 05:00:00 UTC, end at Mon 2026-11-23 06:00:00 UTC. --",
        "-- Journal begins at Mon 2026-11-23 05:00:00 UTC, ends at Mon 2026-11-23 06:00:00 UTC. --",
    ] {
        let all = text(&format!("{}{said}\n{}", line(1), line(2)));
        assert_eq!(all, text(&format!("{}{}", line(1), line(2))), "{said}");
    }
}

/// A stamp as no server prints it was put there.
#[test]
fn stamps_before_a_prefix_without_time_are_its_time() {
    let stamped = "\
2026-11-23T05:25:55.1234Z user=app,db=shop LOG:  connection authorized: user=app database=shop
2026-11-23T05:25:56Z user=app,db=shop LOG:  disconnection: session time: 0:00:00.004 user=app database=shop host=[local]
";
    assert!(
        text(stamped).starts_with("2026-11-23 05:25:55.123 UTC user=app,db=shop LOG:  connection")
    );
}

/// `ts`, and Render's log with a clock of twelve hours.
#[test]
fn stamps_with_names_of_months_are_times() {
    let line =
        |stamp| format!("{stamp} user=app,db=shop LOG:  connection received: host=[local]\n");
    for (stamp, written) in [
        ("Nov 23 05:25:55", "2026-11-23 05:25:55.000 local"),
        ("Nov 23 05:25:55 PM ", "2026-11-23 17:25:55.000 local"),
        ("Nov 23 12:25:55 AM ", "2026-11-23 00:25:55.000 local"),
        ("Nov 23 2024 05:25:55", "2024-11-23 05:25:55.000 local"),
    ] {
        assert_eq!(text(&line(stamp)), line(written), "{stamp}");
    }
}

#[test]
fn records_of_a_table_are_messages() {
    let message =
        "2026-11-23 05:16:38 UTC::@:[7]:LOG:  database system was shut down in \"x\", y\n\tz";
    let quoted = message.replace('"', "\"\"");
    for (names, record) in [
        (
            "@timestamp,@message",
            format!("2026-11-23 05:16:38.000,\"{quoted}\""),
        ),
        (
            "\u{feff}timestamp,message\r",
            format!("1795411965839,\"{quoted}\"\r"),
        ),
        (
            "TimeGenerated [UTC],Category,errorLevel_s,Message,_ResourceId",
            format!("\"11/23/2026, 5:16:38.000 AM\",PostgreSQLLogs,LOG,\"{quoted}\",/servers/pg1"),
        ),
        (
            "\"@timestamp\",\"@logStream\",\"@message\"",
            format!("x,mydb.0,\"{quoted}\""),
        ),
    ] {
        let table = format!("{names}\n{record}\n\n{record}");
        assert_eq!(text(&table), format!("{message}\n").repeat(2), "{names}");
    }
    let csvlog = "log_time,process_id,message\n2026-11-23 05:16:38.000 UTC,7,x\n";
    assert_eq!(Envelope::of(csvlog.as_bytes(), END), None);
}

#[test]
fn the_servers_own_time_and_process_hold() {
    let inner = "2026-11-23 05:16:38.743 UTC [21966] LOG:  starting PostgreSQL 18.4 on x\n";
    for syslog in [
        format!("Jan  1 00:00:00 db01 postgres[1]: [1-1] {inner}"),
        format!("<134>1 2025-01-01T00:00:00Z db01 pg-main 1 - - \u{feff}[1-1] {inner}"),
        format!("2025-01-01T00:00:00+0100 postgres[1]: {inner}"),
        format!("2025-01-01T00:00:00Z {inner}"),
        format!("Jan  1 2025 00:00:00 db01 postgres[1]: [1-1] {inner}"),
        format!("<134>2025 Jan  1 00:00:00 db01 postgres[1]: [1-1] {inner}"),
        format!("Jan  1 00:00:00 {inner}"),
        format!("Jan  1 12:00:00 AM  {inner}"),
        format!("2025-01-01T00:00:00Z mydb.0 {inner}"),
        format!("2025-01-01T00:00:00.1Z stdout F {inner}"),
    ] {
        assert_eq!(text(&syslog), inner, "{syslog}");
    }
}

/// The shape is that of Heroku's documentation.
#[test]
fn prefix_of_heroku_is_found_out_with_its_own_time() {
    let drain = "451 <134>1 2024-06-05T19:33:14+00:00 host app postgres.1105947 - [YELLOW] [12-1]  sql_error_code = 00000 \
        time_ms = \"2024-06-05 19:33:14.793 UTC\" pid=\"1991397\" proc_start_time=\"2024-06-05 19:33:12 UTC\" \
        session_id=\"665f0000.1e62e5\" vtid=\"2/0\" tid=\"0\" log_line=\"3\" database=\"d1\" \
        connection_source=\"203.0.113.5(12345)\" user=\"u1\" application_name=\"psql\" LOG:  disconnection: session \
        time: 0:00:02.120 user=u1 database=d1 host=203.0.113.5 port=12345\n";
    let Guess::Log(Format::Stderr(prefix), _) = guess(text(drain).as_bytes()) else {
        panic!("no prefix");
    };
    let text = text(drain);
    let head = prefix.read(text.as_bytes(), 0).expect("it reads its line");
    assert_eq!(head.log_time.expect("a time").wall_ms % 100_000, 94_793);
    assert_eq!(head.pid, Some(1_991_397));
}

/// The lines are those that the README of Dexter shows, and of Heroku's help, with the messages of a session.
#[test]
fn older_lines_of_heroku_have_the_time_of_logplex_and_no_process() {
    let old = "\
2017-06-28T15:10:01+00:00 app[postgres.13761]: [DATABASE] [6-1]  sql_error_code = 00000 LOG:  connection authorized: user=u database=d
2017-06-28T15:10:02+00:00 app[postgres.13761]: [DATABASE] [7-1]  sql_error_code = 00000 LOG:  duration: 4822.012 ms  statement: BEGIN READ ONLY;
2017-06-28T15:10:02+00:00 app[postgres.13761]: [DATABASE] [7-2]       SELECT column
2017-06-28T15:10:02+00:00 app[postgres.13761]: [DATABASE] [1113-2]  sql_error_code = 00000 DETAIL:  x
2016-08-12T12:19:06+00:00 app[postgres.10]: [DATABASE] [4717-1] LOG:  checkpoint starting: time
";
    let text = text(old);
    assert_eq!(
        text,
        "\
2017-06-28 15:10:01.000 UTC  sql_error_code = 00000 LOG:  connection authorized: user=u database=d
2017-06-28 15:10:02.000 UTC  sql_error_code = 00000 LOG:  duration: 4822.012 ms  statement: BEGIN READ ONLY;
\t      SELECT column
2016-08-12 12:19:06.000 UTC LOG:  checkpoint starting: time
"
    );
}

/// A prefix that looks much like what Compose puts before each line, and stern's, which cannot be told from names.
#[test]
fn names_before_lines_may_be_those_of_a_prefix() {
    for prefix in [
        "app  | ",
        "[unknown] | ",
        "app_1 | ",
        "pg-0 postgres ",
        "db-1| ",
        "-1  | ",
        "app 1  | ",
        "2026-11-23 | ",
    ] {
        let line = format!("{prefix}2026-11-23 05:16:38.743 UTC [21966] LOG:  starting\n");
        assert!(
            Envelope::of(line.repeat(20).as_bytes(), END).is_none(),
            "{prefix}"
        );
    }
    let statement =
        "db-1  | 2026-11-23 05:16:38.743 UTC [21966] LOG:  statement: SELECT\n\t1\n\t2\n";
    assert!(Envelope::of(statement.repeat(20).as_bytes(), END).is_none());
}

#[test]
fn what_has_no_envelope_has_none() {
    for text in [
        "",
        "2026-11-23 05:16:38.743 UTC [21966] LOG:  starting\n",
        "LOG:  starting PostgreSQL\n",
        "Nov 23 05:25:55 db01 sshd[7]: error: x\n",
        "{\"timestamp\":\"2026-11-23 04:56:44.170 UTC\",\"pid\":30630,\"error_severity\":\"LOG\",\"message\":\"x\"}\n",
        "2026-11-23 04:56:44.171 UTC,,,7,,6b03c78c.7,1,,2026-11-23 04:56:44 UTC,,0,LOG,00000,\"{\"\"log\"\":\n",
        "{\"a\":1}\n[1]\n",
    ] {
        assert!(Envelope::of(text.as_bytes(), END).is_none(), "{text}");
    }
}

proptest! {
    /// Whatever the bytes are, and wherever they are cut, the same text comes out, and nothing panics.
    #[test]
    fn any_pieces_give_the_same_text(
        parts in prop::collection::vec(prop::sample::select(PARTS), 1..40),
        cuts in prop::collection::vec(0usize..400, 0..6),
    ) {
        let bytes = parts.concat();
        if let Some(envelope) = Envelope::of(&bytes, END) {
            let whole = envelope.text(&bytes);
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.sort_unstable();
            let mut unwrapper = envelope.unwrapper();
            let mut out = Vec::new();
            let mut from = 0;
            for cut in cuts.into_iter().chain([bytes.len()]) {
                unwrapper.feed(&bytes[from..cut], &mut out);
                from = cut;
            }
            unwrapper.finish(&mut out);
            prop_assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(&whole));
        }
    }
}

/// Pieces of envelopes.
const PARTS: &[&[u8]] = &[
    b"Nov 23 05:25:55 db01 postgres[7]: ",
    b"2026-11-23T05:25:55.1+00:00 db01 postgres[9]: ",
    b"<134>1 2026-11-23T05:25:55Z db01 postgres 7 - - ",
    b"2026-11-23T05:25:55Z stderr F ",
    b"2026-11-23T05:25:55Z stderr P ",
    b"db-1  | ",
    b"standby_10  |",
    b"@timestamp,@message\n",
    b"\"",
    b"2026-11-23 05:25:55.000,",
    b"[pod/pg-0/postgres] ",
    b"[pod/",
    b"[1-1] ",
    b"[1-2] ",
    b"[3] ",
    b"LOG:  x",
    b"2026-11-23 05:16:38.743 UTC [7] LOG:  x",
    b"#011",
    b"#012",
    b"\n",
    b"\n",
    b"\t",
    b"\r\n",
    b"    ",
    b"60 ",
    b"{\"log\":\"LOG:  x\\n\",\"stream\":\"stderr\"}",
    b"{\"MESSAGE\":[76,79,71],\"_HOSTNAME\":\"a\"}",
    b"{\"events\":[",
    b"{\"message\":\"LOG:  x\\u00e9\\ud83d\",\"ingestionTime\":1,\"timestamp\":2}",
    b"]}",
    b"[",
    b",",
    b"{\"logger\":\"postgres\",\"logging_pod\":\"p\",\"record\":{\"process_id\":\"7\"}}",
    b"__CURSOR=x\n",
    b"__REALTIME_TIMESTAMP=1795411965839000\n",
    b"MESSAGE\n\x03\0\0\0\0\0\0\0a\nb\n",
    b"MESSAGE=LOG:  x\n",
    b"_HOSTNAME=h\n",
    b"\"",
    b"\\",
    b"\xff",
];
