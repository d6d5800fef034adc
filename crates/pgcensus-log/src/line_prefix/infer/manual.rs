//! The table of prefixes in `docs/manual.md`: each is printed as a real server would, and inferred from ten lines
//! and from a thousand. The table says what comes of it, word for word.

use super::super::recorded;
use super::*;

const MANUAL: &str = include_str!("../../../../../docs/manual.md");

/// Real runs of one server: several users, databases, applications and hosts, over TCP of both kinds and Unix
/// sockets; every way to fail and to end; the server's own processes.
const RUNS: [&str; 5] = ["basic", "kills", "failures", "container", "hostname"];
/// Where the ten lines begin: they are of the server and of three sessions.
const TEN: std::ops::Range<usize> = 5..15;

/// A row of the table.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    prefix: String,
    from_ten: String,
    from_thousand: String,
    notes: String,
}

fn rows() -> Vec<Row> {
    MANUAL
        .lines()
        .filter(|line| line.starts_with("| `'"))
        .map(|line| {
            let line = line.replace("\\|", "\u{1}");
            let cells = line.split('|').map(|cell| cell.replace('\u{1}', "|"));
            let cells: Vec<String> = cells.map(|cell| cell.trim().to_owned()).collect();
            let code = cells[1].trim_matches('`');
            Row {
                prefix: code[1..code.len() - 1].replace("\\t", "\t"),
                from_ten: cells[3].clone(),
                from_thousand: cells[4].clone(),
                notes: cells[5].clone(),
            }
        })
        .collect()
}

/// A prefix as the table shows it.
fn shown(prefix: &str) -> String {
    format!("`'{}'`", prefix.replace('\t', "\\t"))
}

fn sample(lines: &[String]) -> Vec<u8> {
    lines
        .iter()
        .flat_map(|line| [line, "\n"])
        .collect::<String>()
        .into_bytes()
}

/// What comes of inferring `prefix` from `lines`: whether all of the log is then read as by it.
fn outcome(prefix: &str, lines: &[String], log: &[u8]) -> String {
    let truth = LinePrefix::parse(prefix).expect("a prefix");
    let Some(found) = infer(&sample(lines)) else {
        return "no".into();
    };
    assert_eq!(
        found.undecided, None,
        "{prefix}: connections begin in these lines"
    );
    let text = shown(found.prefix.as_str());
    let reads_the_same = |line: &Line<'_>| {
        let found = score::read(&found.prefix, line);
        found.is_some() && found == score::read(&truth, line)
    };
    if !labelled_lines(log).iter().all(reads_the_same) {
        return format!("no: {text}");
    }
    if found.prefix == truth {
        "yes".into()
    } else {
        format!("as {text}")
    }
}

/// What no log with this prefix can tell, and what its messages have to; in the words of the manual.
fn lacks(prefix: &LinePrefix) -> Vec<&'static str> {
    let has = |escape| prefix.has(escape);
    let mut lacks = Vec::new();
    if !prefix.has_pid() {
        lacks.push("no pid");
    }
    if !prefix.has_time() {
        lacks.push("no time");
    } else if !has(b'm') && !has(b'n') {
        lacks.push("seconds");
    }
    if prefix.has_pid() && !has(b'p') {
        lacks.push("pid out of `%c`");
    }
    if !derive::renamed(prefix.as_str()).is_empty() {
        lacks.push("names");
    }
    lacks
}

#[test]
fn the_table_of_the_manual_says_what_is_inferred() {
    let rows = rows();
    let prefixes: BTreeSet<&str> = rows.iter().map(|row| &*row.prefix).collect();
    assert!(prefixes.len() >= 40 && prefixes.len() == rows.len());
    let mut wrong = Vec::new();
    for row in &rows {
        let lines = recorded::lines(&row.prefix, &RUNS);
        let thousand = &lines[..1000];
        let log = sample(thousand);
        let from_ten = outcome(&row.prefix, &thousand[TEN], &log);
        let from_thousand = outcome(&row.prefix, thousand, &log);
        let lacks = lacks(&LinePrefix::parse(&row.prefix).expect("a prefix")).join(", ");
        let is_said = row.notes.split(": ").next() == Some(&lacks);
        if from_ten != row.from_ten || from_thousand != row.from_thousand || !is_said {
            let prefix = shown(&row.prefix);
            wrong.push(format!(
                "| {prefix} | {from_ten} | {from_thousand} | {lacks} |"
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        rows.len(),
        wrong.join("\n")
    );
}
