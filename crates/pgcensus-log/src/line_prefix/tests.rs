use std::fmt::Write as _;

use proptest::prelude::*;

use super::render::Writer;
use super::*;

fn prefix(text: &str) -> LinePrefix {
    LinePrefix::parse(text).expect(text)
}

/// What a head says, in the order time, pid, session id, user, database, application, client, code,
/// tag, type, label text.
fn show(head: &Head<'_>, line: &str) -> String {
    let mut out = String::new();
    let mut field = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            let _ = write!(out, "{key}={value};");
        }
    };
    let text = |value: Option<&[u8]>| value.map(|v| String::from_utf8_lossy(v).into_owned());
    field(
        "ms",
        head.log_time
            .map(|time| (time.wall_ms % 60_000).to_string()),
    );
    field("p", head.pid.map(|pid| pid.to_string()));
    field("c", head.session_id.map(|id| id.to_string()));
    field("u", text(head.user));
    field("d", text(head.database));
    field("a", text(head.application_name));
    field("h", text(head.client.map(|client| client.host)));
    field("port", text(head.client.and_then(|client| client.port)));
    field("e", head.sqlstate.map(|code| code.as_str().to_owned()));
    field("i", text(head.command_tag));
    field("b", head.backend_type.map(|kind| format!("{kind:?}")));
    out + &line[head.label_start..]
}

#[test]
fn every_escape_is_read() {
    for (text, line, expected) in [
        ("", "LOG:  x", "LOG:  x"),
        ("", "LOG:  ", "LOG:  "),
        (
            "%m [%p] ",
            "2026-11-23 05:32:45.839 UTC [4000] LOG:  x",
            "ms=45839;p=4000;LOG:  x",
        ),
        (
            "%t [%p] ",
            "2026-11-23 05:32:45 -03 [4000] PANIC:  x",
            "ms=45000;p=4000;PANIC:  x",
        ),
        (
            "%n %p ",
            "1795411965.839 4000 LOG:  x",
            "ms=45839;p=4000;LOG:  x",
        ),
        (
            "< %m >",
            "< 2026-11-23 05:32:45.839 CET >LOG:  x",
            "ms=45839;LOG:  x",
        ),
        (
            "%m",
            "2026-11-23 05:32:45.839 UTCLOG:  x",
            "ms=45839;LOG:  x",
        ),
        (
            "%t-%c-",
            "2026-11-23 05:32:45 -03-6b03cbfa.4ec2-LOG:  x",
            "ms=45000;p=20162;c=6b03cbfa.4ec2;LOG:  x",
        ),
        (
            "%p %c ",
            "7 6b03cbfa.4ec2 LOG:  x",
            "p=7;c=6b03cbfa.4ec2;LOG:  x",
        ),
        (
            "%u@%d %a ",
            "app@shop my app LOG:  x",
            "u=app;d=shop;a=my app;LOG:  x",
        ),
        (
            "%u@%d %a ",
            "[unknown]@[unknown] [unbekannt] LOG:  x",
            "LOG:  x",
        ),
        ("%u@%d %a ", "@  LOG:  x", "LOG:  x"),
        (
            "%r ",
            "127.0.0.1(59250) LOG:  x",
            "h=127.0.0.1;port=59250;LOG:  x",
        ),
        ("%r ", "::1(59250) LOG:  x", "h=::1;port=59250;LOG:  x"),
        ("%r ", "[local] LOG:  x", "h=[local];LOG:  x"),
        (
            "%r ",
            "[local](/tmp/a b) LOG:  x",
            "h=[local];port=/tmp/a b;LOG:  x",
        ),
        ("%r ", " LOG:  x", "LOG:  x"),
        ("%h:%u:", "::1:app:LOG:  x", "u=app;h=::1;LOG:  x"),
        ("%h:%u:", "10.0.0.1:a:b:LOG:  x", "u=a:b;h=10.0.0.1;LOG:  x"),
        (
            "%h",
            "db-1.example.comLOG:  x",
            "h=db-1.example.com;LOG:  x",
        ),
        (
            "%h %r ",
            "10.0.0.1 10.0.0.1(5) LOG:  x",
            "h=10.0.0.1;port=5;LOG:  x",
        ),
        ("%L %p ", "[none] 5 LOG:  x", "p=5;LOG:  x"),
        ("%L %p ", "10.0.0.1 5 LOG:  x", "p=5;LOG:  x"),
        (
            "%b %u ",
            "client backend app LOG:  x",
            "u=app;b=ClientBackend;LOG:  x",
        ),
        ("%b %q%u ", "background writer LOG:  x", "b=Other;LOG:  x"),
        ("%b[%p] ", "my own worker[5] LOG:  x", "p=5;b=Other;LOG:  x"),
        ("%p %P.", "5 7.LOG:  x", "p=5;LOG:  x"),
        ("%p %P.", "5 .LOG:  x", "p=5;LOG:  x"),
        (
            "%l-1 %v %x %Q ",
            "12-1 3/17 712345 -8412345678901234567 LOG:  x",
            "LOG:  x",
        ),
        ("%l-1 %v %x %Q ", "12-1  0 0 LOG:  x", "LOG:  x"),
        ("%e: ", "28P01: FATAL:  x", "e=28P01;FATAL:  x"),
        (
            "%i %u ",
            "idle in transaction app LOG:  x",
            "u=in transaction app;i=idle;LOG:  x",
        ),
        (
            "%i|%u|",
            "idle in transaction|app|LOG:  x",
            "u=app;i=idle in transaction;LOG:  x",
        ),
        ("%s %p ", "2026-11-23 05:32:45 UTC 5 LOG:  x", "p=5;LOG:  x"),
        ("%p %% %z%", "5 % LOG:  x", "p=5;LOG:  x"),
        (
            "%m [%p] %q%u@%d ",
            "2026-11-23 05:32:45.839 UTC [4] app@shop LOG:  x",
            "ms=45839;p=4;u=app;d=shop;LOG:  x",
        ),
        (
            "%m [%p] %q%u@%d ",
            "2026-11-23 05:32:45.839 UTC [4] LOG:  x",
            "ms=45839;p=4;LOG:  x",
        ),
        ("%u%d %p ", "appshop 5 LOG:  x", "p=5;LOG:  x"),
        (
            "%-10u|%5p|",
            "app       |   42|LOG:  x",
            "p=42;u=app;LOG:  x",
        ),
        (
            "%-10u|%5p|",
            "a name longer than ten|123456|LOG:  x",
            "p=123456;u=a name longer than ten;LOG:  x",
        ),
        ("%-10u|%5p|", "          |   42|LOG:  x", "p=42;LOG:  x"),
        ("%10u %p ", "       app 5 LOG:  x", "p=5;u=app;LOG:  x"),
        ("%-12u%p ", "app         5 LOG:  x", "p=5;u=app;LOG:  x"),
        ("%-4p%h ", "5   10.0.0.1 LOG:  x", "p=5;h=10.0.0.1;LOG:  x"),
    ] {
        let prefix = prefix(text);
        let head = prefix.read(line.as_bytes(), 0);
        let shown = head.as_ref().map(|head| show(head, line));
        assert_eq!(shown.as_deref(), Some(expected), "{text} {line}");
    }
}

#[test]
fn every_label_is_read() {
    let prefix = prefix("%p ");
    for (word, label) in [
        ("DEBUG", Label::Severity(Severity::Minor)),
        ("LOG", Label::Severity(Severity::Log)),
        ("INFO", Label::Severity(Severity::Minor)),
        ("NOTICE", Label::Severity(Severity::Minor)),
        ("WARNING", Label::Severity(Severity::Warning)),
        ("ERROR", Label::Severity(Severity::Error)),
        ("FATAL", Label::Severity(Severity::Fatal)),
        ("PANIC", Label::Severity(Severity::Panic)),
        ("DETAIL", Label::Detail),
        ("HINT", Label::Other),
        ("QUERY", Label::Context),
        ("CONTEXT", Label::Context),
        ("LOCATION", Label::Other),
        ("BACKTRACE", Label::Other),
        ("STATEMENT", Label::Statement),
    ] {
        let line = format!("17 {word}:  text");
        let head = prefix.read(line.as_bytes(), 0).expect(word);
        assert_eq!((head.label, head.label_start), (label, 3), "{word}");
        assert_eq!(&line[head.text_start..], "text", "{word}");
    }
}

#[test]
fn what_differs_from_the_prefix_is_not_read() {
    for (text, line) in [
        ("", ""),
        ("", "log:  x"),
        ("", "LOG: x"),
        ("", "\tLOG:  x"),
        ("%m [%p] ", "2026-11-23 05:32:45 UTC [4000] LOG:  x"),
        ("%t [%p] ", "2026-11-23 05:32:45.839 UTC [4000] LOG:  x"),
        ("%m [%p] ", "2026-11-23 05:32:45.839 UTC [] LOG:  x"),
        (
            "%m [%p] ",
            "2026-11-23 05:32:45.839 UTC [99999999999] LOG:  x",
        ),
        ("%m [%p] ", "2026-11-23 05:32:45.839 UTC [1"),
        ("%c ", "6B03CBFA.4EC2 LOG:  x"),
        ("%r ", "127.0.0.1 LOG:  x"),
        ("%h ", "my host LOG:  x"),
        ("%e ", "2800 LOG:  x"),
        ("%l ", " LOG:  x"),
        ("%u|", &("x".repeat(65) + "|LOG:  x")),
        ("%-10u|", "app|LOG:  x"),
    ] {
        assert_eq!(prefix(text).read(line.as_bytes(), 0), None, "{text} {line}");
    }
}

#[test]
fn a_label_in_a_name_is_one_reading_of_several() {
    let prefix = prefix("%p %q%u@%d %a ");
    let line = "5 app@shop x LOG:  y LOG:  z";
    let first = prefix.read(line.as_bytes(), 0).unwrap();
    assert_eq!(show(&first, line), "p=5;u=app;d=shop;a=x;LOG:  y LOG:  z");
    let second = prefix.read(line.as_bytes(), first.label_start + 1).unwrap();
    assert_eq!(show(&second, line), "p=5;u=app;d=shop;a=x LOG:  y;LOG:  z");
    assert_eq!(prefix.read(line.as_bytes(), second.label_start + 1), None);
    // A session's reading before a background process's one.
    let line = "5 LOG:  forged@shop x LOG:  z";
    let head = prefix.read(line.as_bytes(), 0).unwrap();
    assert_eq!(show(&head, line), "p=5;u=LOG:  forged;d=shop;a=x;LOG:  z");
}

#[test]
fn an_application_name_may_be_four_times_as_long_as_its_bytes() {
    let prefix = prefix("%u,%a ");
    let name = "\\x0a".repeat(63);
    let line = format!("app,{name} LOG:  x");
    let head = prefix.read(line.as_bytes(), 0).unwrap();
    assert_eq!(head.application_name, Some(name.as_bytes()));
}

#[test]
fn a_line_break_in_a_login_name_is_read_over() {
    let prefix = prefix("%t [%p]: user=%u,db=%d,app=%a,client=%h ");
    let time = "2026-11-23 05:25:49 UTC [24709]: ";
    let line = format!("{time}user=postgres,db=nl\ndb,app=x,client=[local] LOG:  y");
    let head = prefix.read(line.as_bytes(), 0).unwrap();
    assert_eq!(head.database, Some(&b"nl\ndb"[..]));
    assert_eq!(&line[head.text_start..], "y");
    for (rest, torn) in [
        ("user=postgres,db=nl", true),
        ("user=nl", true),
        ("user=", true),
        ("user=postgres,db=nl,app=x", true),
        ("usr=nl", false),
        ("user=postgres,db=shop,app=x,client=[local] LOG:  y", false),
    ] {
        let line = format!("{time}{rest}");
        assert_eq!(prefix.is_torn_head(line.as_bytes()), torn, "{line}");
    }
    let long = format!("{time}user={}", "x".repeat(64));
    assert!(!prefix.is_torn_head(long.as_bytes()));
    // Lines of their own are not joined.
    let line =
        format!("{time}user=,db=,app=,client= LOG:  x\n{time}user=a,db=b,app=c,client=::1 LOG:  y");
    assert_eq!(prefix.read(line.as_bytes(), 0).unwrap().user, None);
}

/// Without a bound on the tries, eight fields between a million places would not end in a lifetime.
#[test]
fn hostile_names_are_given_up() {
    let prefix = prefix("%p %u,%d,%a,%i,%u,%d,%a,%i ");
    let line = format!("5 {}", ",".repeat(1 << 20));
    assert_eq!(prefix.read(line.as_bytes(), 0), None);
    assert!(!prefix.is_torn_head(line.as_bytes()));
}

#[test]
fn only_line_breaks_and_nul_are_refused() {
    for (text, at) in [("%m\n", 2), ("\0", 0), ("a\r", 1)] {
        assert_eq!(LinePrefix::parse(text).unwrap_err().at, at);
    }
    for text in [
        "%",
        "%-",
        "%5",
        "%5%",
        "%é",
        "%u%u%u",
        "%99999999999999999999u",
        "% m",
    ] {
        assert_eq!(prefix(text).as_str(), text);
    }
}

#[test]
fn a_prefix_tells_what_it_holds() {
    let azure = prefix("%t-%c-");
    assert!(azure.has_pid() && azure.has_time() && azure.has(b'c') && !azure.has(b'p'));
    let red_hat = prefix("%%p %q");
    assert!(!red_hat.has_pid() && !red_hat.has_time() && red_hat.has(b'q'));
}

/// A prefix of escapes with separators that no value below holds.
fn any_prefix() -> impl Strategy<Value = String> {
    let field = prop::sample::subsequence(b"udarhbptmnsclievxQL".to_vec(), 0..12).prop_shuffle();
    let separators = prop::collection::vec(prop::sample::select(vec!["|", " ~", ";", "~ "]), 12);
    let widths = prop::collection::vec(prop::sample::select(vec!["", "", "", "-12", "9"]), 12);
    (field, separators, widths).prop_map(|(fields, separators, widths)| {
        let mut text = String::new();
        for (i, field) in fields.iter().enumerate() {
            let width = widths[i];
            let escape = char::from(*field);
            let _ = write!(text, "%{width}{escape}{}", separators[i]);
        }
        text
    })
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(text in "[%a-zA-Z0-9 @|\\-]{0,30}", line in prop::collection::vec(any::<u8>(), 0..200), from in 0usize..50) {
        let prefix = prefix(&text);
        let _ = prefix.read(&line, from);
        let _ = prefix.is_torn_head(&line);
        let _ = infer(&line);
    }

    #[test]
    fn likely_bytes_do_not_either(text in any_prefix(), line in "[0-9:. \\-|~;LOG\n\\[\\]a-f()/]{0,120}(LOG:  )?", from in 0usize..50) {
        let prefix = prefix(&text);
        if let Some(head) = prefix.read(line.as_bytes(), from) {
            assert!(head.label_start >= from && head.text_start <= line.len());
        }
        let _ = prefix.is_torn_head(line.as_bytes());
    }

    #[test]
    fn what_is_written_is_read_back(
        text in any_prefix(),
        user in "[a-zA-Z@=,'.\n]([a-zA-Z0-9 @=:,'.\n]{0,50}[a-z.])?",
        database in "[a-z]([a-z A-Z-]{0,20}[a-z])?",
        application in "([a-z]([a-z :0-9]{0,20}[a-z])?)?",
        pid in 1u32..4_000_000,
        tcp: bool,
    ) {
        let prefix = prefix(&text);
        let mut writer = Writer::session(pid, if tcp { "10.0.0.7" } else { "[local]" }, tcp.then_some(4711));
        writer.user = user;
        writer.database = database;
        writer.application_name = application;
        writer.backend_type = "client backend";
        writer.tag = "SELECT";
        writer.vxid = "3/4".into();
        let line = writer.prefix(&text) + "LOG:  x";
        let head = prefix.read(line.as_bytes(), 0).expect("the line of its own prefix");
        prop_assert_eq!(&line[head.text_start..], "x");
        let expected = |escape: u8, name: &str| (prefix.has(escape) && !name.is_empty()).then(|| name.as_bytes().to_vec());
        prop_assert_eq!(head.user.map(<[u8]>::to_vec), expected(b'u', &writer.user));
        prop_assert_eq!(head.database.map(<[u8]>::to_vec), expected(b'd', &writer.database));
        prop_assert_eq!(head.application_name.map(<[u8]>::to_vec), expected(b'a', &writer.application_name));
        prop_assert_eq!(head.pid, prefix.has_pid().then_some(pid));
        prop_assert_eq!(head.log_time.is_some(), prefix.has_time());
        let mut background = Writer::background(pid, "checkpointer");
        let line = background.prefix(&text) + "LOG:  x";
        let head = prefix.read(line.as_bytes(), 0).expect("the line of a background process");
        prop_assert_eq!(head.user, None);
        prop_assert_eq!(&line[head.text_start..], "x");
    }
}
