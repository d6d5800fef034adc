use super::super::render::{self, Mix};
use super::*;

/// Prefixes of documentation, packages, services and taste, most of them in no list of ours.
const PREFIXES: &[&str] = &[
    "",
    "%m [%p] ",
    "%t [%p]: ",
    "< %m >",
    "< %m > ",
    "%m %p ",
    "%t-%c-",
    "%t:%r:%u@%d:[%p]:",
    "%m:%r:%u@%d:[%p]:%l:%e:%s:%v:%x:%c:%q%a:",
    "%t [%p]: [%l-1] %c %x %d %u %a %h ",
    "%m [%p-%l] %q%u@%d ",
    "%t [%p-%l] %q%u@%d ",
    "%m [%p] %q%u@%d ",
    "%m [%p] %q%u@%d/%a ",
    "%m [%p] %b %q%u@%d/%a ",
    "%t [%p] %u@%d ",
    "%m %p %u %d %h %a ",
    "[%m] [%p] [%u] [%d] ",
    "%a %u %d %r %h %p %t %m %i %e %c %l %s %v %x ",
    "pid=%p,user=%u,db=%d,app=%a,client=%h,time=%m ",
    "time=%m pid=%p db=%d user=%u host=%h app=%a ",
    "%m;%p;%u;%d;",
    "%m\t%p\t%u\t%d\t%a\t",
    "%n|%p|%c|",
    "%t %c %q%u %d ",
    "%m [%p] %quser=%u,db=%d,app=%a,client=%h ",
    "%quser=%u,db=%d,app=%a,client=%r ",
    "%h %m [%p] ",
    "%e: ",
    "%b[%p] ",
    "%m [%p] %-10u %-12d ",
    "%m [%5p] %10u ",
    "%m [%p] [%v] [%x] ",
    "%m [%p] %L ",
    "%m %h %L [%p] ",
    "%m [%p] %Q ",
    "%m [%p] %i ",
    "%m [%p] %v %i ",
    "%m %d %u [%p] ",
    "%d:%u:%m:%p:",
    "%u@%d ",
    "u=%u|d=%d|",
    "%m|%p|%u|%d|%h|%a|%e|",
    "%m [%p] %q[user=%u,db=%d,app=%a] ",
    "[%p] [%c] [%m] %u@%d[%h] ",
    "pg-main %m [%p] %u %d ",
    "%t [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ",
    "%m [%p]: [%l-1] db=%d,user=%u ",
    "%c %l %m ",
    "%l %p %m ",
    "%t %p %r %u %d %c %l %s %v %x %e ",
    "%m [%p] %a ",
    "%m [%p] %d ",
    "%m [%p] %u ",
    "%m [%p] app=%a ",
    "%q%u@%d ",
    "%m %q%u@%d %r [%p] ",
    "%m %r ",
    "[%m][%p] : %u@%d %% ",
    " sql_error_code = %e time_ms = \"%m\" pid=\"%p\" proc_start_time=\"%s\" session_id=\"%c\" vtid=\"%v\" tid=\"%x\" log_line=\"%l\" %qdatabase=\"%d\" connection_source=\"%r\" user=\"%u\" application_name=\"%a\" ",
    "%t [%p]: user=%u,db=%d,app=%a,client=%h,session=%c,line=%l ",
    "%m - %l - %p - %h - %u@%d - %x ",
    "%m %u@%d %p %r ",
    "%t %u %d %p %h ",
    "[%m] p=%p:%l@%v db=%d,user=%u ",
    "%m [%p] %e %q%u@%d(%a) %h ",
    "%m %p-%l %q%u@%d ",
    "{%m} <%p> (%u/%d) ",
    "%t [%p]: [%l-1] user=%u,db=%d,app=%a,client=%r ",
    "%m|%p|%u|%d|%h|%a|",
    "postgres[%p]: %m ",
    "log_line: %m [%p]: ",
    "%m [%p] %s ",
    "%s %m [%p] ",
    "%s|%t|%p|",
    "%a/%u/%d/%p/%m ",
    "%m [%p] [%v/%x] ",
];

/// Which of the names a word is, only a message can say.
const NAMED: &[&str] = &[
    "%m [%p] [%a] ",
    "%t [%p] %a ",
    "%m [%p] %q(%a) ",
    "%m [%p] %q%a %u %d %r ",
];

fn check(prefix: &str, mix: Mix, zone: &'static str) -> Result<(), String> {
    check_lines(prefix, &render::log(prefix, mix, zone))
}

fn check_lines(prefix: &str, lines: &[render::Written]) -> Result<(), String> {
    let mut sample = String::new();
    for written in lines {
        sample += &written.line;
        sample.push('\n');
    }
    let found = infer(sample.as_bytes()).ok_or("nothing inferred")?;
    let truth = LinePrefix::parse(prefix).map_err(|err| err.to_string())?;
    let name = found.prefix.as_str();
    for written in lines {
        let head = found.prefix.read(written.line.as_bytes(), 0);
        let head = head.ok_or(format!("{name:?} does not read {:?}", written.line))?;
        let writer = &written.writer;
        let in_session = writer.client.is_some();
        let text =
            |value: Option<&[u8]>| String::from_utf8_lossy(value.unwrap_or(b"")).into_owned();
        let expect = |what: &str, has: bool, value: String, expected: String| {
            let expected = if has { expected } else { String::new() };
            if value == expected {
                return Ok(());
            }
            Err(format!(
                "{name:?}: {what} {value:?} for {expected:?} in {:?}",
                written.line
            ))
        };
        let shown = |name: &str| {
            if in_session {
                name.to_owned()
            } else {
                String::new()
            }
        };
        expect(
            "user",
            truth.has(b'u'),
            text(head.user),
            shown(&writer.user),
        )?;
        expect(
            "database",
            truth.has(b'd'),
            text(head.database),
            shown(&writer.database),
        )?;
        let application = shown(&writer.application_name);
        expect(
            "application",
            truth.has(b'a'),
            text(head.application_name),
            application,
        )?;
        let host = writer.client.map_or("", |client| client.0).to_owned();
        let after_stop = prefix
            .find("%q")
            .is_some_and(|q| prefix[q..].contains("%h") || prefix[q..].contains("%r"));
        let has_host = (truth.has(b'h') || truth.has(b'r')) && (in_session || !after_stop);
        expect(
            "host",
            has_host,
            text(head.client.map(|client| client.host)),
            host,
        )?;
        let before_stop = LinePrefix::parse(prefix.split("%q").next().unwrap_or(""));
        let pid_seen = in_session || before_stop.is_ok_and(|prefix| prefix.has_pid());
        let pid = head.pid.map_or(String::new(), |pid| pid.to_string());
        expect(
            "pid",
            truth.has_pid() && pid_seen,
            pid,
            writer.pid.to_string(),
        )?;
        expect(
            "time",
            true,
            head.log_time.is_some().to_string(),
            truth.has_time().to_string(),
        )?;
        let label = &written.line[head.label_start..];
        expect(
            "label",
            true,
            label[..written.label.len()].into(),
            written.label.into(),
        )?;
    }
    Ok(())
}

fn check_all(prefixes: &[&str], mix: Mix, zone: &'static str) {
    let failures: Vec<String> = prefixes
        .iter()
        .filter_map(|prefix| Some(format!("{prefix:?} → {}", check(prefix, mix, zone).err()?)))
        .collect();
    assert!(
        failures.is_empty(),
        "{} of {}:\n{}",
        failures.len(),
        prefixes.len(),
        failures.join("\n")
    );
}

#[test]
fn prefixes_are_inferred_from_a_whole_log() {
    check_all(PREFIXES, Mix::Everything, "UTC");
}

#[test]
fn statements_may_come_before_the_first_session() {
    for prefix in NAMED.iter().chain(&PREFIXES[PREFIXES.len() - 9..]) {
        let mut lines = Vec::new();
        for _ in 0..3 {
            lines.extend(render::log(prefix, Mix::NoLifecycle, "UTC"));
        }
        lines.extend(render::log(prefix, Mix::Everything, "UTC"));
        assert_eq!(check_lines(prefix, &lines), Ok(()), "{prefix:?}");
    }
}

#[test]
fn a_document_or_a_sentence_is_no_prefix() {
    let sentence = "word ".repeat(40);
    for text in [
        "{\"line\":\"%m [%p] ",
        "<event>%m</event> ",
        sentence.as_str(),
    ] {
        assert!(!is_plausible(text), "{text}");
    }
    assert!(PREFIXES.iter().all(|prefix| is_plausible(prefix)));
}

#[test]
fn names_are_told_apart_by_what_lines_say() {
    check_all(NAMED, Mix::Everything, "UTC");
    check_all(&["%m%p "], Mix::Everything, "UTC");
    check_all(NAMED, Mix::OneSession, "-03");
}

#[test]
fn prefixes_are_inferred_in_zones_without_letters() {
    check_all(PREFIXES, Mix::Everything, "-03");
    check_all(PREFIXES, Mix::Everything, "+0545");
}

#[test]
fn prefixes_are_inferred_without_received_lines() {
    check_all(PREFIXES, Mix::NoReceived, "CEST");
}

#[test]
fn prefixes_are_inferred_from_one_session() {
    check_all(PREFIXES, Mix::OneSession, "UTC");
}

#[test]
fn prefixes_are_inferred_without_lifecycle_lines() {
    // Nothing in such a log says which of two words is the user.
    const AMBIGUOUS: &[&str] = &[
        "%a %u %d %r %h %p %t %m %i %e %c %l %s %v %x ",
        "%m %d %u [%p] ",
        "%d:%u:%m:%p:",
        "%m [%p] %a ",
        "%m [%p] %d ",
    ];
    let prefixes: Vec<&str> = PREFIXES
        .iter()
        .copied()
        .filter(|prefix| !AMBIGUOUS.contains(prefix))
        .collect();
    check_all(&prefixes, Mix::NoLifecycle, "UTC");
}

#[test]
fn one_line_is_enough() {
    for (line, expected) in [
        ("2026-11-23 05:32:45.839 UTC [4000] LOG:  x", "%m [%p] "),
        ("LOG:  x", ""),
        (
            "2026-11-23 05:32:45 UTC-6b03cbfa.4ec2-LOG:  connection received: host=[local]",
            "%t-%c-",
        ),
        (
            "4000;[unknown];[unknown];2026-11-23 05:32:45 CET;LOG:  connection received: host=::1 port=5",
            "%p;%u;%d;%t;",
        ),
        ("[4000] app@shop 10.0.0.1 ERROR:  x", "[%p] %u@%d %h "),
    ] {
        let found = infer(line.as_bytes()).expect(line);
        assert_eq!(found.prefix.as_str(), expected, "{line}");
        assert_eq!((found.lines_read, found.lines), (1, 1), "{line}");
    }
    for nothing in ["", "\n\n", "no label", "\tLOG:  continued"] {
        assert_eq!(infer(nothing.as_bytes()), None, "{nothing}");
    }
}

fn text_of(lines: &[render::Written]) -> Vec<u8> {
    let lines = lines.iter().flat_map(|written| [&*written.line, "\n"]);
    lines.collect::<String>().into_bytes()
}

/// Logs of all prefixes: whole, their beginnings and ends, and with less in them. What one shows of a
/// prefix, another does not.
fn samples() -> Vec<Vec<u8>> {
    let mut samples = Vec::new();
    for prefix in PREFIXES.iter().chain(NAMED) {
        let lines = render::log(prefix, Mix::Everything, "UTC");
        let (begin, end) = (&lines[..lines.len() / 3], &lines[lines.len() / 2..]);
        samples.extend([&lines[..], begin, end].map(text_of));
        let mixes = [Mix::NoLifecycle, Mix::NoReceived, Mix::OneSession];
        samples.extend(mixes.map(|mix| text_of(&render::log(prefix, mix, "UTC"))));
    }
    samples
}

/// Whether the lines say the same by both, whatever a width or a number that is not looked at is called.
fn read_alike(found: &Inference, plain: Option<&Inference>, lines: &[Line<'_>]) -> bool {
    plain.is_some_and(|plain| {
        found.lines_read == plain.lines_read
            && found.undecided == plain.undecided
            && lines
                .iter()
                .all(|line| score::read(&found.prefix, line) == score::read(&plain.prefix, line))
    })
}

#[test]
fn what_is_known_changes_no_inference() {
    let samples = samples();
    let lines: Vec<_> = samples
        .iter()
        .map(|sample| labelled_lines(sample))
        .collect();
    let mut prefixes: Vec<LinePrefix> = Vec::new();
    let mut plain = Vec::new();
    for (sample, lines) in samples.iter().zip(&lines) {
        let best = best(&choose(lines)).expect("something reads them");
        plain.push(count(times::told_apart(best.clone(), lines), sample, lines));
        if !prefixes.contains(&best) {
            prefixes.push(best);
        }
    }
    let mut of_use = 0;
    for prefix in &prefixes {
        let mut known = Known::default();
        known.keep(prefix.clone());
        for ((sample, lines), plain) in samples.iter().zip(&lines).zip(&plain) {
            let found = known.find(sample, lines, &choose(lines));
            of_use += usize::from(found.is_some());
            assert!(
                found.is_none_or(|found| read_alike(&found, plain.as_ref(), lines)),
                "{prefix:?} for {plain:?} in\n{}",
                String::from_utf8_lossy(sample)
            );
        }
    }
    assert!(of_use > 150, "{of_use} of {}", samples.len());
}

#[test]
fn prefixes_of_several_servers_are_known_at_once() {
    let mut known = Known::default();
    let prefixes = [
        "%m [%p] ",
        "%m [%p] %q%u@%d ",
        "%t [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ",
    ];
    let prefixes = prefixes
        .iter()
        .chain(&["%t [%p]: [%l-1] pg user=%u,db=%d "]);
    for round in 0..3 {
        for prefix in prefixes.clone() {
            let sample = text_of(&render::log(prefix, Mix::Everything, "UTC"));
            let lines = labelled_lines(&sample);
            let chosen = choose(&lines);
            let is_known = known.find(&sample, &lines, &chosen).is_some();
            assert_eq!(is_known, round > 0 || POPULAR.contains(prefix), "{prefix}");
            let found = known.infer(&sample).expect("a prefix");
            assert_eq!(found.prefix.as_str(), *prefix);
            assert_eq!(found.lines_read, found.lines);
        }
    }
}

#[test]
fn padded_names_are_inferred() {
    let prefixes = [
        "%m [%p] %-20a %10u@%-10d ",
        "%m [%p] %-20a %10u@%-10d",
        "%m [%6p] %-12u %-12d %-16h ",
        "%m [%p] %q%-8u@%-8d ",
        "%-30m [%p] ",
        "%m %5p %10u %-10d",
        "%m %-12u %-10d %p ",
        "%t %-15h %-12u %-10d [%p] ",
        "[%m] %5p %10u %10d %20a ",
    ];
    check_all(&prefixes, Mix::Everything, "UTC");
    check_all(&prefixes, Mix::NoReceived, "UTC");
}

#[test]
fn addresses_end_before_what_follows_them() {
    let prefixes = [
        "%m [%p] %q[%h:%u:%d:%a] ",
        "%m %h:%u:%d:%p ",
        "%m %r:%u:%d:%p ",
    ];
    for mix in [Mix::Everything, Mix::NoReceived, Mix::OneSession] {
        check_all(&prefixes, mix, "UTC");
    }
}

#[test]
fn what_is_glued_to_a_zone_is_told_from_it() {
    for zone in ["UTC", "CEST", "-03", "+0545"] {
        for mix in [Mix::Everything, Mix::NoLifecycle, Mix::OneSession] {
            check_all(&["%m%p ", "%t%p ", "%p %t", "%c %m"], mix, zone);
        }
    }
}

#[test]
fn what_no_line_decides_is_said() {
    let undecided = |prefix, mix| {
        let sample = text_of(&render::log(prefix, mix, "UTC"));
        let found = infer(&sample).expect(prefix);
        found.undecided.map(|prefix| prefix.as_str().to_owned())
    };
    for (prefix, other) in [
        ("%m [%p] %u %d ", "%m [%p] %d %u "),
        ("%m [%p] [%u] ", "%m [%p] [%d] "),
    ] {
        let said = undecided(prefix, Mix::NoLifecycle);
        assert_eq!(said.as_deref(), Some(other), "{prefix}");
        assert_eq!(undecided(prefix, Mix::OneSession), None, "{prefix}");
    }
    for prefix in [
        "%m [%p] ",
        "%m [%p] %q%u@%d ",
        "%t [%p]: user=%u,db=%d,app=%a ",
    ] {
        assert_eq!(undecided(prefix, Mix::NoLifecycle), None, "{prefix}");
    }
}
