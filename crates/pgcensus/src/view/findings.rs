//! `findings`: each in a paragraph with its evidence, the most severe first; in `summary` a line each.
//!
//! ```text
//! critical  saturation, 23 Nov 02:40:58 to 02:41:07 UTC
//!     no connection was left: 180 connections refused; checkout held 41 (35 more than 3 min 0 s before)
//!     why  the server itself refused clients with SQLSTATE 53300
//!     do   bound the pool of who grew, …
//!     see  pgcensus sessions --open --at 2025-11-23T02:40:58.120Z pg.log
//! ```

mod evidence;

use std::io;

use self::evidence::command;
pub(crate) use self::evidence::{Given, open_at};
use pgcensus_core::findings::{Figure, Finding, Sentence, Severity, Who, Word};
use pgcensus_core::instant::Instant;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::row::Row;
use super::sql;
use super::text::{counted, duration, glued, paragraph, shown, thousands};
use super::{InputReport, Show, Tone, json, partial_first};

/// Lines of findings in `summary`.
const LINES: usize = 5;

/// What was found.
#[derive(Clone, Default)]
pub(crate) struct Found<'f> {
    /// The most severe first.
    pub(crate) findings: &'f [Finding],
    /// What of the command line holds for the command that shows the evidence.
    pub(crate) given: Given,
    /// Why some tests could not judge, in sentences.
    pub(crate) gates: &'f [&'static str],
}

/// For people.
pub(crate) fn text(
    found: &Found<'_>,
    report: &InputReport,
    show: &Show<'_>,
    out: &mut impl io::Write,
) -> io::Result<()> {
    partial_first(report, show, out)?;
    let findings = found.findings;
    let of = |severity| {
        let n = findings.iter().filter(|f| f.severity == severity).count();
        (n > 0).then(|| format!("{n} {}", severity.as_str()))
    };
    let levels: Vec<_> = Severity::ALL.into_iter().rev().filter_map(of).collect();
    let head = match findings.len() {
        0 => "Nothing found.".to_owned(),
        n => {
            let found = counted(n as u64, "finding", "findings");
            format!("{found}: {}", levels.join(", "))
        }
    };
    paragraph(out, show, (0, 0), &[(Tone::Headline, &head)])?;
    for finding in &findings[..show.rows(findings.len(), usize::MAX)] {
        writeln!(out)?;
        one(finding, &found.given, show, out)?;
    }
    let shown_rows = show.rows(findings.len(), usize::MAX);
    if shown_rows < findings.len() {
        let more = format!("… {} more: --limit 0", findings.len() - shown_rows);
        writeln!(out)?;
        paragraph(out, show, (0, 0), &[(Tone::Dim, &more)])?;
    }
    if !found.gates.is_empty() {
        writeln!(out)?;
    }
    for gate in found.gates {
        paragraph(out, show, (0, 0), &[(Tone::Dim, gate)])?;
    }
    Ok(())
}

fn one(
    finding: &Finding,
    given: &Given,
    show: &Show<'_>,
    out: &mut impl io::Write,
) -> io::Result<()> {
    let severity = finding.severity.as_str();
    let mut head = format!("  {}, {}", finding.kind.as_str(), when(finding, show));
    if show.servers.len() > 1 {
        let server = shown(show.server(finding.server).as_bytes()).into_owned();
        head += &format!(", {server}");
    }
    let parts = [(tone(finding.severity), severity), (Tone::Title, &*head)];
    paragraph(out, show, (0, 4), &parts)?;
    write!(out, "    ")?;
    paragraph(
        out,
        show,
        (4, 4),
        &[(Tone::Plain, &words(&finding.said, finding, show))],
    )?;
    for (label, text) in [
        ("why  ", words(&finding.test, finding, show)),
        ("do   ", words(&finding.advice, finding, show)),
    ] {
        write!(out, "    ")?;
        let parts = [(Tone::Dim, label), (Tone::Plain, &*text)];
        paragraph(out, show, (4, 9), &parts)?;
    }
    // On one line, however long: it is there to be pasted.
    let see = show.paint(Tone::Dim, "see  ");
    writeln!(out, "    {see}{}", command(finding, given, show))
}

/// `23 Nov 02:40:58 to 02:41:07 UTC`
fn when(finding: &Finding, show: &Show<'_>) -> String {
    let Finding { since, until, .. } = *finding;
    let has_years = has_years(finding, show);
    let end = match show.same_day(since, until) {
        _ if until.since(since) < 1_000 => return glued(&zoned(since, show, has_years)),
        // Without seconds where they are zero, as days have it.
        true => show.zoned(until)[show.day(until).len() + 1..].to_owned(),
        false => zoned(until, show, has_years),
    };
    glued(&format!("{} to {end}", second(since, show, has_years)))
}

/// What it tells happened in more than one year.
fn has_years(finding: &Finding, show: &Show<'_>) -> bool {
    let year = |at: Instant| show.zone.civil(at).year;
    let said = finding.said.0.iter().filter_map(|word| match word {
        Word::At(at) => Some(*at),
        _ => None,
    });
    let first = year(finding.since);
    said.chain([finding.until]).any(|at| year(at) != first)
}

/// `31 Dec 2025 23:40:58`, its year only where that has to be told.
fn second(at: Instant, show: &Show<'_>, has_years: bool) -> String {
    with_year(show.second(at), at, show, has_years)
}

/// `31 Dec 2025 23:40:58 UTC`
fn zoned(at: Instant, show: &Show<'_>, has_years: bool) -> String {
    with_year(show.zoned(at), at, show, has_years)
}

fn with_year(text: String, at: Instant, show: &Show<'_>, has_years: bool) -> String {
    let day = show.day(at);
    match text.strip_prefix(&*day) {
        Some(clock) if has_years => format!("{day} {}{clock}", show.zone.civil(at).year),
        _ => text,
    }
}

/// The lines of `summary`: what is of level warning and critical.
pub(super) fn lines(
    found: &Found<'_>,
    show: &Show<'_>,
    out: &mut impl io::Write,
) -> io::Result<()> {
    let severe = found.findings.iter().filter(is_severe);
    let severe: Vec<&Finding> = severe.collect();
    for finding in severe.iter().take(LINES) {
        let severity = finding.severity.as_str();
        let said = words(&finding.said, finding, show);
        let said = format!(" {}: {said}", when(finding, show));
        let parts = [(tone(finding.severity), severity), (Tone::Plain, &*said)];
        paragraph(out, show, (0, 2), &parts)?;
    }
    if let Some(more) = severe.len().checked_sub(LINES + 1) {
        let text = format!("{} more: pgcensus findings", more + 1);
        paragraph(out, show, (0, 2), &[(Tone::Dim, &text)])?;
    }
    Ok(())
}

/// Those of `summary`, as data.
pub(super) fn severe(found: &Found<'_>, show: &Show<'_>) -> Vec<Object> {
    let severe = found.findings.iter().filter(is_severe);
    severe
        .map(|finding| Object::new(finding, &found.given, show))
        .collect()
}

/// What is of level info is never in `summary`.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "as filters have it")]
fn is_severe(finding: &&Finding) -> bool {
    finding.severity > Severity::Info
}

fn tone(severity: Severity) -> Tone {
    match severity {
        Severity::Critical => Tone::Refused,
        Severity::Warning => Tone::Disconnected,
        Severity::Info => Tone::Dim,
    }
}

/// What a sentence says, harmless and in the zone of the output.
fn words(sentence: &Sentence, finding: &Finding, show: &Show<'_>) -> String {
    let has_years = has_years(finding, show);
    let word = |word: &Word| match word {
        Word::Text(text) => text.replace(" %", "\u{a0}%"),
        Word::Name(name) => glued(&shown(name)),
        Word::Identifier(name) => glued(&sql::identifier(name)),
        Word::Literal(name) => glued(&sql::literal(name)),
        Word::At(at) => glued(&zoned(*at, show, has_years)),
        Word::Ms(ms) => glued(&duration(*ms)),
        Word::Count(count) => thousands(*count),
    };
    sentence.0.iter().map(word).collect()
}

/// JSON Lines.
pub(crate) fn jsonl(
    found: &Found<'_>,
    show: &Show<'_>,
    out: &mut impl io::Write,
) -> io::Result<()> {
    for finding in found.findings {
        json::write_line(&Object::new(finding, &found.given, show), out)?;
    }
    Ok(())
}

/// A finding as an object.
#[derive(Serialize)]
pub(super) struct Object {
    kind: &'static str,
    severity: &'static str,
    server: String,
    since: String,
    until: String,
    who: Value,
    message: String,
    figures: Map<String, Value>,
    test: String,
    advice: String,
    command: String,
}

impl Object {
    fn new(finding: &Finding, given: &Given, show: &Show<'_>) -> Object {
        let Who {
            application_name,
            user,
            database,
            client_host,
        } = &finding.who;
        let name = |name: &Option<Box<[u8]>>| {
            let name = name.as_deref();
            name.map(|name| String::from_utf8_lossy(name).into_owned())
        };
        let figures = finding.figures.iter();
        let figures = figures.map(|(name, value)| ((*name).to_owned(), figure(value, show)));
        Object {
            kind: finding.kind.as_str(),
            severity: finding.severity.as_str(),
            server: show.server(finding.server).to_owned(),
            since: show.zone.rfc3339(finding.since),
            until: show.zone.rfc3339(finding.until),
            who: json!({
                "application_name": name(application_name),
                "user": name(user),
                "database": name(database),
                "client_host": name(client_host),
            }),
            message: words(&finding.said, finding, show).replace('\u{a0}', " "),
            figures: figures.collect(),
            test: words(&finding.test, finding, show).replace('\u{a0}', " "),
            advice: words(&finding.advice, finding, show).replace('\u{a0}', " "),
            command: command(finding, given, show),
        }
    }
}

fn figure(figure: &Figure, show: &Show<'_>) -> Value {
    match figure {
        Figure::Count(n) | Figure::Ms(n) => json!(n),
        Figure::Number(n) => json!(n),
        Figure::At(at) => json!(show.zone.rfc3339(*at)),
        Figure::Word(word) => json!(word),
        Figure::Text(text) => json!(String::from_utf8_lossy(text)),
        Figure::Ranking(rows) => {
            let row = |(name, count): &(Box<[u8]>, u64)| json!({ "name": String::from_utf8_lossy(name), "count": count });
            rows.iter().map(row).collect()
        }
    }
}

/// A row each; figures are in JSON.
pub(crate) fn csv(found: &Found<'_>, show: &Show<'_>, out: &mut impl io::Write) -> io::Result<()> {
    let mut lines = b"kind,severity,server,since,until,application_name,user,database,client_host,message,test,advice,command\n".to_vec();
    for finding in found.findings {
        let object = Object::new(finding, &found.given, show);
        let mut row = Row::begin(show.csv(), &mut lines);
        row.word("kind", Some(object.kind));
        row.word("severity", Some(object.severity));
        row.text("server", Some(object.server.as_bytes()));
        row.time("since", Some(finding.since), show.zone);
        row.time("until", Some(finding.until), show.zone);
        row.text("application_name", finding.who.application_name.as_deref());
        row.text("user", finding.who.user.as_deref());
        row.text("database", finding.who.database.as_deref());
        row.text("client_host", finding.who.client_host.as_deref());
        row.sentence("message", &object.message);
        row.sentence("test", &object.test);
        row.sentence("advice", &object.advice);
        row.sentence("command", &object.command);
        row.end();
        out.write_all(&lines)?;
        lines.clear();
    }
    out.write_all(&lines)
}

#[cfg(test)]
pub(super) mod tests {
    use crate::view::text::Width as _;
    use pgcensus_core::findings::{Argument, Kind};
    use pgcensus_core::session::ServerId;

    use super::*;
    use crate::view::example;

    pub(in crate::view) fn findings() -> Vec<Finding> {
        let (since, until) = (example::at(2, 40, 58), example::at(2, 41, 7));
        let hostile = b"it's\x1b[2J\nLOG:  forged";
        let full = Finding {
            kind: Kind::Saturation,
            severity: Severity::Critical,
            server: ServerId(0),
            since,
            until,
            who: Who {
                application_name: Some(hostile[..].into()),
                ..Who::default()
            },
            said: Sentence::from("no connection was left: ")
                .counted(1_180, "connection", "connections")
                .text(" refused; ")
                .name(hostile)
                .text(" had grown by 35 in ")
                .ms(180_000),
            figures: vec![
                ("connections", Figure::Count(1_180)),
                ("share", Figure::Number(0.25)),
                ("first", Figure::At(since)),
                ("reason", Figure::Word("too_many_clients")),
                ("user", Figure::Ranking(vec![(hostile[..].into(), 41)])),
            ],
            test: Sentence::from("the server refused clients with SQLSTATE 53300"),
            advice: Sentence::from(
                "bound the pool of who grew, and put a pooler before the server",
            ),
            command: vec![
                Argument::Word("sessions"),
                Argument::Named("--app", hostile[..].into()),
                Argument::At("--at", since),
            ],
        };
        let storm = Finding {
            kind: Kind::Storm,
            severity: Severity::Info,
            said: Sentence::from("120 connects in ").ms(8_000),
            who: Who::default(),
            figures: Vec::new(),
            command: vec![Argument::Word("events")],
            ..full.clone()
        };
        vec![full, storm]
    }

    #[test]
    fn years_are_told_where_there_are_two() {
        let zone = example::zone();
        let show = example::show(&zone, 100);
        let mut finding = findings().swap_remove(0);
        assert_eq!(
            when(&finding, &show).replace('\u{a0}', " "),
            "23 Nov 02:40:58 to 02:41:07 UTC"
        );
        finding.until = finding.since.plus_ms(40 * 86_400_000);
        let told = "23 Nov 2025 02:40:58 to 2 Jan 2026 02:40:58 UTC";
        assert_eq!(when(&finding, &show).replace('\u{a0}', " "), told);
        finding.until = finding.since;
        finding.said = finding.said.at(finding.since.plus_ms(-365 * 86_400_000));
        let said = words(&finding.said, &finding, &show).replace('\u{a0}', " ");
        assert!(said.ends_with("23 Nov 2024 02:40:58 UTC"), "{said}");
    }

    fn found(findings: &[Finding], given: Given) -> Found<'_> {
        Found {
            findings,
            given,
            gates: &["The log is shorter than 30 minutes: only refusals were judged."],
        }
    }

    fn rendered(view: impl Fn(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        view(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_finding_says_who_when_why_and_what_to_do_and_nothing_hostile() {
        let (findings, zone) = (findings(), example::zone());
        let given = Given {
            input: vec!["pg log/*.log".to_owned()],
            ..Given::default()
        };
        let found = found(&findings, given);
        for width in [80, 120] {
            let show = example::show(&zone, width);
            let text = rendered(|out| text(&found, &example::report(), &show, out));
            let is_wrapped = |line: &&str| !line.trim_start().starts_with("see ");
            let mut wrapped = text.lines().filter(is_wrapped);
            assert!(wrapped.all(|line| line.width() <= width), "{text}");
            assert!(!text.contains('\x1b'), "{text}");
            insta::assert_snapshot!(format!("findings_{width}"), text);
        }
        let show = example::piped(&zone);
        insta::assert_snapshot!("findings_jsonl", rendered(|out| jsonl(&found, &show, out)));
        insta::assert_snapshot!("findings_csv", rendered(|out| csv(&found, &show, out)));
        insta::assert_snapshot!(
            "findings_in_summary",
            rendered(|out| lines(&found, &show, out))
        );
    }

    #[test]
    fn nothing_found_is_said_in_a_line() {
        let zone = example::zone();
        let show = example::show(&zone, 80);
        let text = rendered(|out| text(&Found::default(), &example::report(), &show, out));
        assert_eq!(text, "Nothing found.\n");
    }
}
