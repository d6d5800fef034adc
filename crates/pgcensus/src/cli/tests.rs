//! The command line as people type it.

use std::collections::BTreeSet;

use super::*;

/// Reads a command line in a directory that holds `pg.log` and `history` alone.
fn read(words: &[&str]) -> Result<Args, Stop> {
    let exists = |path: &Path| {
        ["-", "pg.log", "./history"]
            .iter()
            .any(|name| path == Path::new(name))
    };
    Args::read(
        std::iter::once(&"pgcensus")
            .chain(words)
            .map(OsString::from),
        exists,
    )
}

fn args(words: &[&str]) -> Args {
    match read(words) {
        Ok(args) => args,
        Err(stop) => panic!("{words:?}: {stop:?}"),
    }
}

fn usage_error(words: &[&str]) -> String {
    match read(words) {
        Err(Stop::Usage(message)) => message,
        other => panic!("{words:?}: {other:?}"),
    }
}

#[test]
fn flags_do_not_contradict_each_other() {
    help::command().debug_assert();
}

#[test]
fn first_word_is_the_command_if_it_is_one() {
    for (words, command, inputs) in [
        (&[][..], Command::Summary, &[][..]),
        (&["pg.log"], Command::Summary, &["pg.log"]),
        (&["-"], Command::Summary, &["-"]),
        (&["summary", "pg.log"], Command::Summary, &["pg.log"]),
        (&["history"], Command::History, &[]),
        (
            &["sessions", "pg.log", "-"],
            Command::Sessions,
            &["pg.log", "-"],
        ),
        (
            &["--json", "events", "pg.log"],
            Command::Events,
            &["pg.log"],
        ),
        (
            &["events", "pg.log", "--json"],
            Command::Events,
            &["pg.log"],
        ),
        (
            &["--user", "history", "pg.log"],
            Command::Summary,
            &["pg.log"],
        ),
        (&["./history"], Command::Summary, &["./history"]),
        (&["/missing/pg.log"], Command::Summary, &["/missing/pg.log"]),
    ] {
        let args = args(words);
        assert_eq!(args.command, command, "{words:?}");
        let inputs: Vec<PathBuf> = inputs.iter().map(PathBuf::from).collect();
        assert_eq!(args.input.inputs, inputs, "{words:?}");
    }
}

#[test]
fn other_spellings_mean_the_same() {
    for (other, ours) in [
        (&["--database", "x"][..], &["--db", "x"][..]),
        (&["--dbname", "x"], &["--db", "x"]),
        (&["-d", "x"], &["--db", "x"]),
        (&["--dbuser", "x"], &["--user", "x"]),
        (&["-u", "x", "-u", "y"], &["--user", "x", "--user", "y"]),
        (&["--application", "x"], &["--app", "x"]),
        (&["--application-name", "x"], &["--app", "x"]),
        (&["--appname", "x"], &["--app", "x"]),
        (&["-N", "x"], &["--app", "x"]),
        (&["--client-host", "x"], &["--host", "x"]),
        (&["--dbclient", "x"], &["--host", "x"]),
        (&["-c", "x"], &["--host", "x"]),
        (&["--exclude-database", "x"], &["--exclude-db", "x"]),
        (&["-U", "x"], &["--exclude-user", "x"]),
        (&["--exclude-application", "x"], &["--exclude-app", "x"]),
        (&["--exclude-appname", "x"], &["--exclude-app", "x"]),
        (&["--exclude-client-host", "x"], &["--exclude-host", "x"]),
        (&["--exclude-client", "x"], &["--exclude-host", "x"]),
        (&["--include-pid", "7"], &["--pid", "7"]),
        (
            &["--include-session", "6b03cbfa.7"],
            &["--session", "6b03cbfa.7"],
        ),
        (&["--begin", "14:03"], &["--since", "14:03"]),
        (&["-b", "-30m"], &["--since=-30m"]),
        (&["--end", "14:03"], &["--until", "14:03"]),
        (&["-e", "14:03"], &["--until", "14:03"]),
        (&["--prefix", "%t [%p]: "], &["--line-prefix", "%t [%p]: "]),
        (&["-p", "%t [%p]: "], &["--line-prefix", "%t [%p]: "]),
        (&["-f", "csv"], &["--format", "csvlog"]),
        (&["-f", "json"], &["--format", "jsonlog"]),
        (&["-f", "jsonlog"], &["--format", "jsonlog"]),
        (&["-f", "rds"], &["--format", "stderr"]),
        (&["-f", "stderr"], &["--format", "stderr"]),
        (&["--top", "5"], &["--limit", "5"]),
        (&["-t", "5"], &["--limit", "5"]),
        (&["-j", "2"], &["--threads", "2"]),
        (&["-J2"], &["--threads", "2"]),
        (&["--jobs", "2"], &["--threads", "2"]),
        (&["history", "-a", "5"], &["history", "--bucket", "5m"]),
        (&["--logfile-list", "x"], &["-L", "x"]),
        (&["-x", "json"], &["--json"]),
        (&["--extension", "csv"], &["--csv"]),
        (&["-x", "text"], &[]),
        (&["--outfile", "x.csv"], &["-o", "x.csv"]),
        (&["-v"], &["--explain"]),
        (&["-q"], &["--quiet"]),
        (&["-Z", "-05:00"], &["--timezone", "-05:00"]),
        (
            &["--by", "database,client-host"],
            &["--by", "db", "--by", "host"],
        ),
        (&["--by", "application_name"], &["--by", "app"]),
    ] {
        assert_eq!(
            format!("{:?}", args(other)),
            format!("{:?}", args(ours)),
            "{other:?}"
        );
    }
}

#[test]
fn each_mistake_has_its_sentence() {
    for (words, message) in [
        (
            &["--foo"][..],
            "--foo: no such option; pgcensus --help lists all",
        ),
        (
            &["servers", "--last", "1h"],
            "servers: no log is read for it; which sessions, which time and --by go with the other commands",
        ),
        (
            &["servers", "--server", "a=b"],
            "servers: names of data directories may follow it; --server and --logfile-list are for logs",
        ),
        (&["--jsno"], "--jsno: no such option; did you mean --json?"),
        (&["--user"], "--user: needs a value"),
        (&["--json=yes"], "--json: takes no value"),
        (&["--since", "1", "--since", "2"], "--since: given twice"),
        (&["--sort", "x"], "--sort 'x': not one of age, start, time"),
        (
            &["--color", "x"],
            "--color 'x': not one of auto, always, never",
        ),
        (
            &["--limit", "x"],
            "--limit 'x': not a number from 0 on; 0 is all",
        ),
        (
            &["--limit", "-1"],
            "--limit '-1': not a number from 0 on; 0 is all",
        ),
        (&["--threads", "0"], "--threads '0': not a number from 1 on"),
        (
            &["--server", "main="],
            "--server 'main=': not NAME or NAME=PATH",
        ),
        (
            &["--format", "x"],
            "--format 'x': not one of stderr, csvlog, jsonlog",
        ),
        (
            &["--lang", "de,xx"],
            "--lang 'xx': not one of en, de, es, fr, id, it, ja, ka, ko, pl, pt_BR, ru, sv, tr, uk, zh_CN, zh_TW",
        ),
        (
            &["-f", "pgbouncer"],
            "--format 'pgbouncer': pgcensus reads PostgreSQL's log; PgBouncer's is left out",
        ),
        (
            &["--by", "x"],
            "--by 'x': not one of db, user, app, host, server",
        ),
        (&["--by", "db,db"], "--by: the same twice"),
        (&["--by", "db,user,app"], "--by: two dimensions at most"),
        (
            &["sessions", "--by", "db"],
            "--by: goes with summary, history and refused; sessions are listed one by one",
        ),
        (
            &["--open"],
            "--open: goes with sessions: pgcensus sessions --open …",
        ),
        (
            &["--sort", "age"],
            "--sort: goes with sessions: pgcensus sessions --sort …",
        ),
        (
            &["sessions", "--bucket", "5m"],
            "--bucket: goes with history: pgcensus history --bucket …",
        ),
        (
            &["--at", "14:03", "--last", "1h"],
            "--at: one instant; it does not go with --last",
        ),
        (
            &["history", "--at", "14:03"],
            "--at: one instant, for summary, sessions and top; history takes --since, --until and --last",
        ),
        (
            &["--since", "14:03", "--last", "1h"],
            "--last: it says since when, as --since does; give one of them",
        ),
        (
            &["--json", "--csv"],
            "--json and --csv: stdout takes one of them; write the other with -o FILE",
        ),
        (
            &["--json", "-o", "x.txt"],
            "--json is for stdout, where nothing goes with -o FILE; add -o -, or name FILE *.json",
        ),
        (
            &["-o", "x.html"],
            "-o 'x.html': report writes html: pgcensus report -o 'x.html' …",
        ),
        (
            &["-o", "x.xml"],
            "-o 'x.xml': the extension says the format: .json, .jsonl, .csv, .txt or none",
        ),
        (&["-o", "x", "-o", "x"], "-o 'x': given twice"),
        (
            &["-p", "5432"],
            "-p 5432: pgcensus never connects to a server; -p is the log_line_prefix",
        ),
        (
            &["-f", "csvlog", "-p", "%m "],
            "--line-prefix: csvlog and jsonlog have none; it goes with --format stderr",
        ),
        (
            &["5432"],
            "'5432': pgcensus reads log files and never connects to a server",
        ),
        (
            &["sessions", "host=db1 port=5432"],
            "'host=db1 port=5432': pgcensus reads log files and never connects to a server",
        ),
        (
            &["postgres://db1/shop"],
            "'postgres://db1/shop': pgcensus reads log files and never connects to a server",
        ),
        (
            &["https://example.com/pg.log"],
            "'https://example.com/pg.log': pgcensus reads local files; try curl -s \
             'https://example.com/pg.log' | pgcensus -",
        ),
        (
            &["ssh://db1/pg.log"],
            "'ssh://db1/pg.log': pgcensus reads local files; try ssh HOST cat pg.log | pgcensus -",
        ),
        (
            &["sesions", "pg.log"],
            "'sesions': no such file and no command; did you mean sessions?",
        ),
        (
            &["pg.log", "history"],
            "'history': no such file; a command comes first: pgcensus history INPUT",
        ),
        (
            &["-w"],
            "-w: pgcensus reports connections, not errors; pgcensus events shows those that were refused",
        ),
        (
            &["-I"],
            "-I: nothing is kept between runs; --since or --last limits a run to what is new",
        ),
        (
            &["-l", ".last"],
            "-l: nothing is kept between runs; --since or --last limits a run to what is new",
        ),
        (
            &["-l"],
            "-l: nothing is kept between runs; --since or --last limits a run to what is new",
        ),
        (
            &["-R", "4"],
            "-R: nothing is kept between runs, so nothing has to be removed",
        ),
        (
            &["-r", "db1"],
            "-r: pgcensus reads local files; try ssh HOST cat pg.log | pgcensus -",
        ),
        (
            &["--command", "cat x"],
            "--command: pgcensus starts no other program; pipe its output: COMMAND | pgcensus -",
        ),
        (
            &["--journalctl", "journalctl -u postgresql"],
            "--journalctl: pipe the journal: journalctl -u postgresql -o cat | pgcensus -",
        ),
        (
            &["-x", "html"],
            "-x: html and bin are not in this version; it writes text, json and csv",
        ),
        (&["-x", "yaml"], "-x 'yaml': not one of text, json, csv"),
        (&["history", "-a", "0"], "-a '0': not a number of minutes"),
        (
            &["history", "-a", "5", "--bucket", "1m"],
            "-a: --bucket says it already",
        ),
    ] {
        assert_eq!(usage_error(words), message);
    }
}

#[test]
fn mistakes_in_filters_name_the_flag() {
    let filter = |words: &[&str]| args(words).filter();
    for (words, message) in [
        (
            &["-c", "10.0.0.0/33"][..],
            "--host '10.0.0.0/33': a network of 33 bits, where such an address has 32",
        ),
        (
            &["--exclude-user", ""],
            "--exclude-user '': an empty name is no user; 'unknown' finds sessions of which the log has none, '*' all",
        ),
        (&["--server", ""], "--server '': an empty name is no server"),
        (
            &["--pid", "x"],
            "--pid 'x': not a pid; it is a number like 20162",
        ),
        (
            &["--session", "7"],
            "--session '7': not a session id; the log's %c writes it like 6b03cbfa.4ec2",
        ),
    ] {
        assert_eq!(format!("{:#}", filter(words).unwrap_err()), message);
    }
    assert!(filter(&["--server", "main=/logs"]).unwrap().is_empty());
    assert!(!filter(&["--server", "main"]).unwrap().is_empty());
    assert!(filter(&[]).unwrap().is_empty());
    for words in [
        &["--db", "x"],
        &["--user", "x"],
        &["--app", "x"],
        &["--host", "x"],
        &["--exclude-db", "x"],
        &["--exclude-user", "x"],
        &["--exclude-app", "x"],
        &["--exclude-host", "x"],
        &["--pid", "7"],
        &["--session", "6b03cbfa.7"],
    ] {
        assert!(!filter(words).unwrap().is_empty(), "{words:?}");
    }
}

#[test]
fn extension_says_the_format_of_a_file() {
    use OutputFormat::{Csv, Json, Text};
    let stdout = |format| Output {
        target: Target::Stdout,
        format,
    };
    let file = |path: &str, format| Output {
        target: Target::File(path.into()),
        format,
    };
    for (words, outputs) in [
        (&[][..], vec![stdout(Text)]),
        (&["--json"], vec![stdout(Json)]),
        (&["--csv"], vec![stdout(Csv)]),
        (&["-o", "-"], vec![stdout(Text)]),
        (&["-o", "a.json"], vec![file("a.json", Json)]),
        (&["-o", "a.JSONL"], vec![file("a.JSONL", Json)]),
        (
            &["-o", "a.csv", "-o", "-"],
            vec![file("a.csv", Csv), stdout(Text)],
        ),
        (
            &["--json", "-o", "a.csv", "-o", "-"],
            vec![file("a.csv", Csv), stdout(Json)],
        ),
        (
            &["-o", "a.txt", "-o", "b.log", "-o", "c"],
            vec![file("a.txt", Text), file("b.log", Text), file("c", Text)],
        ),
        (&["--csv", "-o", "a"], vec![file("a", Csv)]),
        (&["--json", "-o", "a.json"], vec![file("a.json", Json)]),
    ] {
        assert_eq!(args(words).outputs().unwrap(), outputs, "{words:?}");
    }
}

#[test]
fn server_may_have_any_path() {
    let args = args(&["--server", "main=/logs/a=b", "--server", "standby=x"]);
    assert_eq!(
        args.input.servers,
        [("main", "/logs/a=b"), ("standby", "x")].map(|(name, path)| ServerArg {
            name: name.into(),
            path: Some(path.into())
        })
    );
}

#[test]
fn help_fits_into_eighty_columns() {
    for (name, text) in [
        ("help_short", help::short(Some(80))),
        ("help_long", help::long(Some(80))),
    ] {
        let text = anstream::adapter::strip_str(&text).to_string();
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
        insta::assert_snapshot!(name, text);
    }
}

#[test]
fn help_and_version_are_answers() {
    let answer = |words: &[&str]| match read(words) {
        Err(Stop::Answer(text)) => anstream::adapter::strip_str(&text).to_string(),
        other => panic!("{words:?}: {other:?}"),
    };
    assert!(!answer(&["-h"]).contains("Words:"));
    assert!(answer(&["history", "--help"]).contains("Words:"));
    assert!(answer(&["help"]).contains("Words:"));
    let version = format!("pgcensus {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(answer(&["-V"]), version);
    assert_eq!(answer(&["--version"]), version);
}

#[test]
fn manual_has_every_flag() {
    let manual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/manual.md");
    let manual = std::fs::read_to_string(manual).unwrap();
    let words: BTreeSet<&str> = manual
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .collect();
    let command = help::command();
    let mut missing = Vec::new();
    for arg in command.get_arguments() {
        let mut longs = arg.get_all_aliases().unwrap_or_default();
        longs.extend(arg.get_long());
        let shorts = arg
            .get_short()
            .into_iter()
            .chain(arg.get_all_short_aliases().unwrap_or_default());
        let flags = longs.iter().map(|long| format!("--{long}"));
        let flags = flags.chain(shorts.map(|short| format!("-{short}")));
        missing.extend(flags.filter(|flag| !words.contains(flag.as_str())));
    }
    assert!(missing.is_empty(), "not in docs/manual.md: {missing:?}");
}
