//! Plans over small logs that the tests write.

use std::fs;

use pgcensus_log::log_time;

use super::compressed::tests::{PACKERS, bzip2, gzip, lz4, xz, zstd};
use super::head::Head;
use super::judge::judge;
use super::translated::Translated;
use super::*;

/// The records `from..to` of a server whose pids begin at `pid`: one every 700 ms.
pub(super) fn csvlog(pid: u32, from: u32, to: u32) -> String {
    records(pid, from, to, |time, pid, n| {
        format!(
            "{time},\"app\",\"shop\",{pid},\"10.0.0.7:{n}\",6b03c78c.{pid:x},1,\"idle\",2026-11-23 04:00:00 UTC,,0,LOG,00000,\"message {n}\nof two lines\",,,,,,,,,\"\",\"client backend\",,0\n"
        )
    })
}

fn jsonlog(pid: u32, from: u32, to: u32) -> String {
    records(pid, from, to, |time, pid, n| {
        format!(
            "{{\"timestamp\":\"{time}\",\"pid\":{pid},\"error_severity\":\"LOG\",\"message\":\"message {n}\\nof two lines\"}}\n"
        )
    })
}

fn records(pid: u32, from: u32, to: u32, record: impl Fn(&str, u32, u32) -> String) -> String {
    (from..to)
        .map(|n| {
            let ms = n * 700;
            let (h, m, s, ms) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000);
            record(
                &format!("2026-11-23 {h:02}:{m:02}:{s:02}.{ms:03} UTC"),
                pid + n % 13,
                n,
            )
        })
        .collect()
}

fn wall_ms(n: u32) -> i64 {
    let (midnight, _) = log_time::read_wall(b"2026-11-23 00:00:00").expect("a time");
    midnight + i64::from(n) * 700
}

/// Files in a directory of their own.
pub(super) struct Logs(tempfile::TempDir);

impl Logs {
    pub(super) fn new(files: &[(&str, &[u8])]) -> Logs {
        let logs = Logs(tempfile::tempdir().expect("a directory"));
        for (name, bytes) in files {
            let path = logs.0.path().join(name);
            fs::create_dir_all(path.parent().expect("it is in the directory")).expect("created");
            fs::write(path, bytes).expect("written");
        }
        logs
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(super) fn request(&self, names: &[&str]) -> Request {
        Request {
            paths: names.iter().map(|name| self.path(name)).collect(),
            ..Request::default()
        }
    }

    pub(super) fn plan(&self, names: &[&str]) -> Plan {
        Plan::of(&self.request(names), nobody())
    }

    /// A text without the path of the directory.
    pub(super) fn short(&self, text: &impl ToString) -> String {
        text.to_string()
            .replace(&format!("{}/", self.0.path().display()), "")
    }

    /// `server: file file`
    pub(super) fn servers(&self, plan: &Plan) -> Vec<String> {
        plan.servers
            .iter()
            .map(|server| {
                let files = server.files.iter();
                let files: Vec<_> = files.map(|file| self.short(&file.display)).collect();
                format!("{}: {}", server.name, files.join(" "))
            })
            .collect()
    }

    pub(super) fn problems(&self, plan: &Plan) -> Vec<String> {
        plan.problems.iter().map(|p| self.short(p)).collect()
    }

    pub(super) fn left_out(&self, plan: &Plan) -> Vec<String> {
        plan.left_out.iter().map(|l| self.short(l)).collect()
    }
}

pub(super) fn nobody() -> Stdin {
    Stdin {
        is_piped: false,
        reader: Box::new(io::empty()),
    }
}

pub(super) fn piped(bytes: impl Into<Vec<u8>>) -> Stdin {
    Stdin {
        is_piped: true,
        reader: Box::new(io::Cursor::new(bytes.into())),
    }
}

pub(super) fn text_of(file: &LogFile) -> Vec<u8> {
    let mut text = Vec::new();
    file.open()
        .expect("it opens")
        .read_to_end(&mut text)
        .expect("it reads");
    text
}

#[test]
fn a_rotated_set_is_in_order_of_time() {
    let packed = |pack: fn(&[u8]) -> Vec<u8>, from| pack(csvlog(100, from, from + 100).as_bytes());
    let logs = Logs::new(&[
        ("main/log/pg.csv", csvlog(100, 600, 700).as_bytes()),
        ("main/log/pg.csv.1", csvlog(100, 500, 600).as_bytes()),
        ("main/log/pg.csv.2.gz", &packed(gzip, 400)),
        ("main/log/pg.csv.3.lz4", &packed(lz4, 300)),
        ("main/log/pg.csv.4.bz2", &packed(bzip2, 200)),
        ("main/log/pg.csv.5.xz", &packed(xz, 100)),
        ("main/log/pg.csv.10.zst", &packed(zstd, 0)),
        ("main/log/.hidden.csv", csvlog(100, 0, 9).as_bytes()),
        ("main/log/README", b"no log\n"),
        ("main/base/1/2600", b"\0\0\0\x01"),
        ("main/postmaster.log.zip", b"PK\x03\x04"),
    ]);
    let plan = logs.plan(&["main"]);
    assert_eq!(
        logs.servers(&plan),
        [
            "main: main/log/pg.csv.10.zst main/log/pg.csv.5.xz main/log/pg.csv.4.bz2 main/log/pg.csv.3.lz4 main/log/pg.csv.2.gz main/log/pg.csv.1 main/log/pg.csv"
        ]
    );
    let ignored: Vec<_> = plan.ignored.iter().map(|i| logs.short(i)).collect();
    assert_eq!(
        ignored,
        [
            "main/base/1/2600: binary",
            "main/log/README: text, but no PostgreSQL log"
        ]
    );
    let [problem] = &logs.problems(&plan)[..] else {
        panic!("{:?}", plan.problems);
    };
    assert!(problem.starts_with("main/postmaster.log.zip: zip is not read in this version; try"));
    assert_eq!(plan.readable(), Readable::Some);
    let files = &plan.servers[0].files;
    for (file, from) in files.iter().zip((0..).step_by(100)) {
        assert_eq!(text_of(file), csvlog(100, from, from + 100).as_bytes());
    }
    let lasts = files.iter().map(|f| {
        f.last_time(&Arc::default())
            .expect("it reads")
            .expect("a time")
            .wall_ms
    });
    assert_eq!(
        lasts.collect::<Vec<_>>(),
        [99, 199, 299, 399, 499, 599, 699].map(wall_ms)
    );
    assert_eq!(files[0].last, None);
}

#[test]
fn the_same_bytes_are_read_once() {
    let log = csvlog(100, 0, 2000);
    let (begin, _) = log.split_at(csvlog(100, 0, 900).len());
    let logs = Logs::new(&[
        ("a/pg.csv", log.as_bytes()),
        ("b/copy.csv", log.as_bytes()),
        ("c/pg.csv.gz", &gzip(log.as_bytes())),
        ("d/yesterday.csv", begin.as_bytes()),
        ("e/yesterday.csv.zst", &zstd(begin.as_bytes())),
        ("f/pg.csv", csvlog(7, 0, 2000).as_bytes()),
    ]);
    fs::hard_link(logs.path("a/pg.csv"), logs.path("g.csv")).expect("linked");
    let plan = logs.plan(&["d", "a", "b", "c", "e", "f", "g.csv", "a/pg.csv"]);
    assert_eq!(logs.servers(&plan), ["a: a/pg.csv", "f: f/pg.csv"]);
    assert_eq!(
        logs.left_out(&plan),
        [
            "d/yesterday.csv: a copy of the beginning of a/pg.csv",
            "b/copy.csv: the same content as a/pg.csv",
            "c/pg.csv.gz: the same content as a/pg.csv",
            "e/yesterday.csv.zst: a copy of the beginning of a/pg.csv",
            "g.csv: the same file as a/pg.csv",
        ]
    );
    assert_eq!(plan.readable(), Readable::All);
}

#[test]
fn events_in_two_formats_are_read_once() {
    let logs = Logs::new(&[
        ("run/csvlog/pg.csv", csvlog(100, 0, 3000).as_bytes()),
        ("run/jsonlog/pg.json", jsonlog(100, 0, 3000).as_bytes()),
        ("other/log/pg.csv", csvlog(7, 0, 3000).as_bytes()),
    ]);
    let plan = logs.plan(&["run", "other"]);
    assert_eq!(
        logs.servers(&plan),
        ["other: other/log/pg.csv", "run: run/jsonlog/pg.json"]
    );
    assert_eq!(
        logs.left_out(&plan),
        ["run/csvlog/pg.csv: the same events as in run/jsonlog/pg.json"]
    );
}

#[test]
fn events_in_two_formats_are_found_under_other_names_and_inside_rotated_files() {
    let logs = Logs::new(&[
        ("texts/all.csv.gz", &gzip(csvlog(100, 0, 30_000).as_bytes())),
        ("x/1.json", jsonlog(100, 500, 9000).as_bytes()),
        ("x/2.json.zst", &zstd(jsonlog(100, 9000, 20_000).as_bytes())),
        ("x/3.json", jsonlog(100, 25_000, 28_000).as_bytes()),
        ("y/1.json", jsonlog(100_000, 0, 3000).as_bytes()),
    ]);
    let plan = logs.plan(&["x", "y", "texts"]);
    assert_eq!(
        logs.servers(&plan),
        [
            "x: texts/all.csv.gz x/1.json x/2.json.zst x/3.json",
            "y: y/1.json"
        ]
    );
    assert_eq!(
        plan.servers[0].files[0].skip,
        [
            (wall_ms(500), wall_ms(19_999)),
            (wall_ms(25_000), wall_ms(27_999))
        ]
    );
    assert_eq!(
        logs.left_out(&plan),
        [
            "texts/all.csv.gz: in part the same events as in x/1.json to x/3.json (3 files), where they overlap"
        ]
    );
}

#[test]
fn what_stands_in_two_files_of_one_format_is_read_once() {
    let halves = i64::midpoint(wall_ms(80), wall_ms(99));
    let json = |pid, from, to| jsonlog(pid, from, to).into_bytes();
    let in_part = |of: &str, by: &str| {
        vec![format!(
            "{of}: in part the same events as in {by}, where they overlap"
        )]
    };
    let cases = [
        (
            "a day that was cut out of it",
            [
                ("pg/all.csv", csvlog(100, 0, 300).into_bytes()),
                ("pg/b.csv.gz", gzip(csvlog(100, 150, 250).as_bytes())),
            ],
            "pg: pg/all.csv",
            vec!["pg/b.csv.gz: the same events as in pg/all.csv".to_owned()],
        ),
        (
            "halves",
            [
                ("pg/1.json", json(100, 0, 100)),
                ("pg/2.json", json(100, 80, 200)),
            ],
            "pg: pg/1.json pg/2.json",
            in_part("pg/2.json", "pg/1.json"),
        ),
        (
            "what was filtered out of it, from before it begins",
            [
                ("pg/all.json", json(100, 50, 200)),
                (
                    "pg/some.json",
                    every_third(&jsonlog(100, 0, 150)).into_bytes(),
                ),
            ],
            "pg: pg/some.json pg/all.json",
            in_part("pg/some.json", "pg/all.json"),
        ),
        (
            "two servers, or two kinds of lines of one",
            [
                ("pg/1.json", json(100, 0, 300)),
                ("pg/2.json", json(5000, 100, 200)),
            ],
            "pg: pg/1.json pg/2.json",
            vec![],
        ),
        (
            "lines of one server, divided by their severity",
            [
                ("pg/info.log", by_severity("LOG:  connection received")),
                ("pg/err.log", by_severity("FATAL:  sorry, too many clients")),
            ],
            "pg: pg/err.log pg/info.log",
            vec![],
        ),
        (
            "a rotated set",
            [
                ("pg/1.json", json(100, 0, 100)),
                ("pg/2.json", json(100, 100, 200)),
            ],
            "pg: pg/1.json pg/2.json",
            vec![],
        ),
    ];
    for (what, files, servers, left_out) in &cases {
        let files = files.each_ref().map(|(name, bytes)| (*name, &bytes[..]));
        let logs = Logs::new(&files);
        let plan = logs.plan(&["pg"]);
        assert_eq!(logs.servers(&plan), [*servers], "{what}");
        assert_eq!(&logs.left_out(&plan), left_out, "{what}");
        if *what == "halves" {
            let files = &plan.servers[0].files;
            assert_eq!(files[0].skip, [(halves + 1, i64::MAX)]);
            assert_eq!(files[1].skip, [(i64::MIN, halves)]);
        }
    }
}

/// In whole seconds, by the same processes.
fn by_severity(message: &str) -> Vec<u8> {
    let lines = (0..60).map(|n| format!("2026-11-23 04:00:{n:02} UTC [{}] {message}\n", 100 + n));
    lines.collect::<String>().into_bytes()
}

fn every_third(log: &str) -> String {
    log.split_inclusive('\n').step_by(3).collect()
}

#[test]
fn a_record_from_before_the_other_format_began_is_read() {
    let logs = Logs::new(&[
        ("run/start.csv", csvlog(100, 0, 2).as_bytes()),
        ("run/pg.csv", csvlog(100, 2, 900).as_bytes()),
        ("run/pg.json", jsonlog(100, 2, 900).as_bytes()),
    ]);
    let plan = logs.plan(&["run"]);
    assert_eq!(logs.servers(&plan), ["run: run/start.csv run/pg.json"]);
    assert_eq!(plan.servers[0].files[0].skip, []);
}

#[test]
fn what_has_a_wrong_number_of_columns_displaces_nothing() {
    let wide = csvlog(100, 0, 300).replace('\n', ",\n");
    let logs = Logs::new(&[
        ("pg/wide.csv", wide.as_bytes()),
        ("pg/pg.json", jsonlog(100, 0, 300).as_bytes()),
        ("text/wide.csv", wide.replace(",\n", ",,,,\n").as_bytes()),
    ]);
    let plan = logs.plan(&["pg"]);
    assert_eq!(logs.servers(&plan), ["pg: pg/pg.json"]);
    let plan = logs.plan(&["text"]);
    assert!(plan.servers[0].files[0].is_malformed);
}

#[test]
fn a_format_that_no_log_of_a_directory_has_is_blamed() {
    let logs = Logs::new(&[("pg/a.json", jsonlog(1, 0, 50).as_bytes())]);
    let mut request = logs.request(&["pg"]);
    request.format = Some(FormatOption::Csvlog);
    assert_eq!(
        logs.problems(&Plan::of(&request, nobody())),
        [
            "pg: the log in this directory is not of the --format that was asked for; leave it out, or see --explain"
        ]
    );
}

#[test]
fn two_servers_in_one_directory_are_not_taken_for_two_formats() {
    let logs = Logs::new(&[
        ("pg/15.csv", csvlog(100, 0, 300).as_bytes()),
        ("pg/16.json", jsonlog(7, 0, 300).as_bytes()),
        ("pg/17.json", jsonlog(500, 0, 2).as_bytes()),
    ]);
    let plan = logs.plan(&["pg"]);
    assert_eq!(plan.servers[0].files.len(), 3);
    assert_eq!(plan.left_out, []);
}

#[test]
fn patterns_lists_and_named_servers_lead_to_files() {
    let (a, b) = (csvlog(100, 0, 50), jsonlog(7, 0, 50));
    let logs = Logs::new(&[("a/x.csv", a.as_bytes()), ("b/y[1].json", b.as_bytes())]);
    let list = format!("# mine\n{}\n\n", logs.path("b/y[1].json").display());
    fs::write(logs.path("list"), list).expect("written");
    let mut request = logs.request(&["a/*.csv", "nothing.?"]);
    request.log_lists.push(logs.path("list"));
    request.servers.push(("boss".to_owned(), logs.path("a")));
    let plan = Plan::of(&request, nobody());
    assert_eq!(logs.servers(&plan), ["b: b/y[1].json", "boss: a/x.csv"]);
    assert_eq!(logs.problems(&plan), ["nothing.?: no file has such a name"]);
}

#[test]
fn stdin_is_read_from_its_first_byte() {
    let text = csvlog(100, 0, 5000);
    let marked = format!("\u{feff}{text}");
    let packed = PACKERS.map(|(_, pack)| pack(text.as_bytes()));
    for bytes in [text.clone().into_bytes(), marked.into_bytes()]
        .into_iter()
        .chain(packed)
    {
        let plan = Plan::of(&Request::default(), piped(bytes));
        assert_eq!(plan.servers[0].name, "stdin");
        let file = &plan.servers[0].files[0];
        assert_eq!(text_of(file), text.as_bytes());
        assert!(file.open().is_err(), "it can be read once");
    }
}

/// Records of a server that speaks French, in UTF-8 or in LATIN1.
fn french(count: u32, is_latin1: bool) -> Vec<u8> {
    let text = records(100, 0, count, |time, pid, _| {
        format!(
            "{time} [{pid}] LOG:  déconnexion : durée de la session : 0:00:00.021\n\tutilisateur=a base=b hôte=::1 port=5\n"
        )
    });
    if is_latin1 {
        return text.chars().map(|c| c as u8).collect();
    }
    text.into_bytes()
}

/// The same of one that speaks English.
fn english(count: u32) -> String {
    records(100, 0, count, |time, pid, _| {
        format!(
            "{time} [{pid}] LOG:  disconnection: session time: 0:00:00.021 user=a database=b host=::1 port=5\n"
        )
    })
}

#[test]
fn logs_in_other_languages_are_read_in_english() {
    let logs = Logs::new(&[
        ("a/pg.log", &french(3000, false)),
        ("b/pg.log", &french(3000, true)),
        ("c/pg.log", &gzip(&french(3000, false))),
    ]);
    for directory in ["a", "b", "c"] {
        let plan = logs.plan(&[directory]);
        let file = &plan.servers[0].files[0];
        assert!(
            text_of(file) == english(3000).as_bytes(),
            "{}",
            file.display
        );
        let explained = file.explain("a");
        let is_said =
            explained.contains("'%m [%p] ' inferred") && explained.contains("; language fr;");
        assert!(is_said, "{explained}");
        assert_eq!(
            file.first.as_ref().map(|time| time.wall_ms),
            Some(wall_ms(0))
        );
        let last = file.last_time(&Arc::default()).expect("it is read");
        assert_eq!(last.map(|time| time.wall_ms), Some(wall_ms(2999)));
    }
    let plan = Plan::of(&Request::default(), piped(french(10, true)));
    assert!(text_of(&plan.servers[0].files[0]) == english(10).as_bytes());
}

#[test]
fn lines_are_counted_as_they_are_written() {
    let logs = Logs::new(&[("pg.log", &french(3000, false))]);
    let plan = logs.plan(&["pg.log"]);
    let file = &plan.servers[0].files[0];
    let line = english(1).len() as u64;
    for record in [0, 1, 2, 1500, 2999] {
        assert_eq!(file.line_number(record * line), Some(2 * record + 1));
    }
}

#[test]
fn a_language_that_begins_in_a_log_is_found_at_its_end() {
    let text = [english(3000).into_bytes(), french(3000, false)].concat();
    let logs = Logs::new(&[("pg.log", &text)]);
    let both = [english(3000), english(3000)].concat();
    let languages = |plan: &Plan| {
        let file = &plan.servers[0].files[0];
        assert!(file.translated.is_none() || text_of(file) == both.as_bytes());
        let translated = file.translated.as_ref();
        translated.map(|translated| translated.languages().to_vec())
    };
    assert_eq!(languages(&logs.plan(&["pg.log"])), Some(vec!["fr"]));
    for (asked, expected) in [(vec!["fr"], Some(vec!["fr"])), (vec![], None)] {
        let request = Request {
            languages: Some(asked),
            ..logs.request(&["pg.log"])
        };
        assert_eq!(languages(&Plan::of(&request, nobody())), expected);
    }
}

/// Of a log beside others in its language less is translated to tell what it is: nothing that it says is missed for that.
#[test]
fn logs_beside_one_in_their_language_are_what_they_are_alone() {
    let sessions = |from: u32, to: u32, messages: [&str; 3]| {
        records(0, from, to, |time, _, n| {
            let pid = 1000 + n * 37 % 900;
            let line = |message: &&str| format!("{time} [{pid}] LOG:  {message}{n}\n");
            messages.iter().map(line).collect()
        })
    };
    let german = |from, to| {
        let messages = [
            "Verbindung empfangen: Host=::1 Port=",
            "Verbindung autorisiert: Benutzer=a Datenbank=b application_name=",
            "Verbindungsende: Sitzungszeit: 0:00:00.021 Benutzer=a Datenbank=b Host=::1 Port=",
        ];
        sessions(from, to, messages)
    };
    let french = |from, to| {
        let messages = [
            "connexion reçue : hôte=::1 port=",
            "connexion autorisée : utilisateur=a base de données b application_name=",
            "déconnexion : durée de la session : 0:00:00.021\n\tutilisateur=a base=b hôte=::1 port=",
        ];
        sessions(from, to, messages)
    };
    let other_prefix = |text: String| text.replace(" UTC [", " UTC: [");
    let rows = [
        ("%m [%p] ", "fr", french(0, 50)),
        ("%m [%p] ", "fr", french(100, 5000)),
        ("%m [%p] ", "fr", french(6000, 6100)),
        // Another language where less is looked at: in the rest of the head, in the tail, in English.
        (
            "%m [%p] ",
            "fr, de",
            french(7000, 7100) + &german(7100, 7150),
        ),
        (
            "%m [%p] ",
            "fr, de",
            french(8000, 9000) + &german(9000, 9050),
        ),
        (
            "%m [%p] ",
            "fr, de",
            german(10000, 10040) + &french(10040, 11000),
        ),
        ("%m [%p] ", "fr", english(2000) + &french(11000, 11100)),
        ("%m: [%p] ", "fr", other_prefix(french(12000, 13000))),
        ("%m: [%p] ", "de", other_prefix(german(13000, 13100))),
        ("%m [%p] ", "de", german(14000, 15000)),
    ];
    let numbers = 10..10 + rows.len();
    let places = numbers.clone().map(|n| format!("all/{n}.log"));
    let places: Vec<_> = places
        .chain(numbers.clone().map(|n| format!("{n}/pg.log")))
        .collect();
    let bytes = rows.iter().map(|(_, _, text)| text.as_bytes()).cycle();
    let files: Vec<_> = places.iter().map(String::as_str).zip(bytes).collect();
    let logs = Logs::new(&files);
    let found = |place: &str| -> Vec<String> {
        let mut files = logs.plan(&[place]).servers.remove(0).files;
        files.sort_by(|a, b| a.display.cmp(&b.display));
        let said = files.iter().map(|file| {
            let Format::Stderr(prefix) = &file.format else {
                panic!("stderr");
            };
            let languages = file.translated.as_ref().map(Translated::languages);
            let languages = languages.unwrap_or_default().join(", ");
            let LogFile {
                first,
                last,
                has_ms,
                first_line,
                ..
            } = file;
            let head = format!("{first:?} {last:?} {has_ms} {first_line:?}");
            format!("{:?} {languages:?} {head}", prefix.as_str())
        });
        said.collect()
    };
    let together = found("all");
    for ((n, (prefix, languages, _)), together) in numbers.zip(&rows).zip(&together) {
        assert_eq!(*together, found(&n.to_string())[0]);
        assert!(
            together.starts_with(&format!("{prefix:?} {languages:?} ")),
            "{together}"
        );
    }
    assert_eq!(together.len(), rows.len());
}

#[test]
fn a_truncated_gzip_is_read_up_to_there() {
    let text = csvlog(100, 0, 5000);
    let mut packed = gzip(text.as_bytes());
    packed.truncate(packed.len() / 2);
    let logs = Logs::new(&[
        ("pg.csv.gz", &packed),
        ("bad.gz", b"\x1f\x8b\x08\0\0\0\0\0\0\0"),
    ]);
    let plan = logs.plan(&["pg.csv.gz", "bad.gz"]);
    assert_eq!(
        logs.problems(&plan),
        ["bad.gz: truncated gzip: 0 bytes read"]
    );
    let mut reader = plan.servers[0].files[0].open().expect("it opens");
    let mut read = Vec::new();
    let err = reader.read_to_end(&mut read).expect_err("it is truncated");
    assert!(text.as_bytes().starts_with(&read));
    let damaged = compressed::damage(&err).expect("it says so");
    assert_eq!(damaged.bytes_read, read.len() as u64);
    // Piped, the damage may lie within the head that was looked at.
    let plan = Plan::of(&Request::default(), piped(packed));
    let mut reader = plan.servers[0].files[0].open().expect("it opens");
    let err = reader
        .read_to_end(&mut Vec::new())
        .expect_err("it is truncated");
    assert_eq!(compressed::damage(&err), Some(damaged));
}

#[test]
fn what_cannot_be_read_is_said() {
    let logs = Logs::new(&[
        ("empty.log", b""),
        ("program", b"\x7fELF\0\0\0"),
        ("powershell.log", b"\xff\xfe2\x000\x002\x006\0"),
        ("diary.txt", b"dear diary\n"),
        ("docs/diary.txt", b"dear diary\n"),
        ("pg.log.zip", b"PK\x03\x04"),
        (
            "messages",
            b"Nov 23 05:25:52 db01 sshd[24776]: error: LOG\n",
        ),
        (
            "pgbouncer.log",
            b"2026-11-23 05:28:22.091 UTC [29687] LOG process up: PgBouncer 1.18.0\n",
        ),
    ]);
    fs::create_dir(logs.path("void")).expect("created");
    for (name, expected) in [
        ("nosuch.log", "nosuch.log: no such file"),
        ("void", "void: no file in this directory"),
        (
            "docs",
            "docs: no PostgreSQL log in this directory of one file; --explain says what it was taken for",
        ),
        ("program", "program: binary, not a log"),
        (
            "powershell.log",
            "powershell.log: UTF-16 text, as PowerShell's > writes it: convert it with iconv -f UTF-16 -t UTF-8, and give that",
        ),
        (
            "diary.txt",
            "diary.txt: no line in it looks like one of a PostgreSQL server; if it is its log, say how it is written with --format or --line-prefix",
        ),
        (
            "messages",
            "messages: no line in it looks like one of a PostgreSQL server; if it is its log, say how it is written with --format or --line-prefix",
        ),
    ] {
        let plan = logs.plan(&[name]);
        assert_eq!(logs.problems(&plan), [expected]);
        assert_eq!(plan.readable(), Readable::None);
        assert_eq!(logs.plan(&[name, "empty.log"]).readable(), Readable::Some);
    }
    let zip = logs.problems(&logs.plan(&["pg.log.zip"]));
    assert!(zip[0].starts_with("pg.log.zip: zip is not read in this version; try unzip -p"));
    let plan = logs.plan(&["empty.log", "pgbouncer.log"]);
    assert_eq!(plan.readable(), Readable::All);
    assert_eq!(
        logs.left_out(&plan),
        ["pgbouncer.log: a PgBouncer log; pgcensus counts sessions of the server"]
    );
    let plan = logs.plan(&["pgbouncer.log"]);
    assert_eq!(plan.readable(), Readable::None);
    assert_eq!(
        logs.problems(&plan),
        ["pgbouncer.log: a PgBouncer log; pgcensus counts sessions of the server"]
    );
    let plan = Plan::of(&Request::default(), nobody());
    assert_eq!(plan.readable(), Readable::None);
}

#[test]
fn options_overrule_the_guess() {
    let logs = Logs::new(&[
        ("pg/a.csv", csvlog(100, 0, 50).as_bytes()),
        ("pg/b.json", jsonlog(7, 0, 50).as_bytes()),
        ("odd.txt", b"dear diary\n"),
    ]);
    let mut request = logs.request(&["pg", "odd.txt"]);
    request.format = Some(FormatOption::Jsonlog);
    let plan = Plan::of(&request, nobody());
    let formats = |plan: &Plan| {
        let files = plan.servers.iter().flat_map(|server| &server.files);
        let files = files.map(|file| (logs.short(&file.display), file.format.clone()));
        let mut files: Vec<_> = files.collect();
        files.sort_by(|a, b| a.0.cmp(&b.0));
        files
    };
    assert_eq!(
        formats(&plan),
        [
            ("odd.txt".to_owned(), Format::Jsonlog),
            ("pg/b.json".to_owned(), Format::Jsonlog)
        ]
    );
    let explained: Vec<_> = plan.explain().iter().map(|line| logs.short(line)).collect();
    assert!(
        explained.contains(&"pg/a.csv: csvlog; --format jsonlog was asked for".to_owned()),
        "{explained:?}"
    );
    let prefix = LinePrefix::parse("%m [%p] ").expect("a prefix");
    let mut request = logs.request(&["pg/a.csv", "odd.txt"]);
    request.line_prefix = Some(prefix.clone());
    assert_eq!(
        formats(&Plan::of(&request, nobody())),
        [
            ("odd.txt".to_owned(), Format::Stderr(prefix)),
            ("pg/a.csv".to_owned(), Format::Csvlog)
        ]
    );
}

#[test]
fn each_input_is_explained() {
    let text = csvlog(100, 0, 50);
    let logs = Logs::new(&[("main/a.csv", text.as_bytes())]);
    let explained = logs.plan(&["main"]).explain();
    assert_eq!(
        logs.short(&explained[0]),
        format!(
            "main/a.csv: {} bytes; csvlog; language en; 2026-11-23 00:00:00 UTC to 2026-11-23 00:00:34.300 UTC; server main",
            thousands(text.len() as u64)
        )
    );
}

/// Sessions one after the other under `%m [%p] `, or under `%m [%p] %q%u@%d ` with lines between them that no session wrote.
fn stderr_log(first_pid: u32, shows_names: bool) -> String {
    use std::fmt::Write;

    let mut text = String::new();
    for n in 0..40 {
        let pid = first_pid + n;
        let names = |names: &'static str| if shows_names { names } else { "" };
        for (who, message) in [
            ("", "checkpoint starting: time".to_owned()),
            (
                names("[unknown]@[unknown] "),
                format!("connection received: host=10.0.0.7 port={}", 40_000 + n),
            ),
            (
                names("app@shop "),
                "connection authorized: user=app database=shop".to_owned(),
            ),
            (
                names("app@shop "),
                format!(
                    "disconnection: session time: 0:00:01.000 user=app database=shop host=10.0.0.7 port={}",
                    40_000 + n
                ),
            ),
        ] {
            let pid = if message.starts_with("checkpoint") {
                7
            } else {
                pid
            };
            let _ = writeln!(
                text,
                "2026-11-23 05:{n:02}:45.839 UTC [{pid}] {who}LOG:  {message}"
            );
        }
    }
    text
}

#[test]
fn each_file_has_its_own_prefix_whatever_comes_before_it() {
    let logs = Logs::new(&[
        ("a/1.log", stderr_log(100, false).as_bytes()),
        ("a/2.log", stderr_log(200, true).as_bytes()),
        ("a/3.log", stderr_log(300, false).as_bytes()),
        ("b/1.log", stderr_log(400, true).as_bytes()),
        ("b/2.log", stderr_log(500, true).as_bytes()),
        (
            "b/3.log",
            b"2026-11-23 05:32:45.839 UTC [7] LOG:  checkpoint starting: time\n",
        ),
    ]);
    let explained = |names: &[&str]| {
        let mut lines = logs.plan(names).explain();
        lines.sort_unstable();
        lines
    };
    let together = explained(&["a", "b"]);
    assert_eq!(together, explained(&["b", "a"]));
    let mut alone = Vec::new();
    for name in [
        "a/1.log", "a/2.log", "a/3.log", "b/1.log", "b/2.log", "b/3.log",
    ] {
        alone.extend(explained(&[name]));
    }
    assert_eq!(together, alone);
    for (line, prefix) in together
        .iter()
        .zip(["'%m [%p] '", "'%m [%p] %q%u@%d '", "'%m [%p] '"])
    {
        assert!(line.contains(prefix), "{line}");
    }
}

/// A log of statements without end, and how much was read of it.
/// Lines of other programs, more than a megabyte of them.
fn strangers(line: impl Fn(usize) -> String) -> String {
    (0..20_000).map(line).collect()
}

fn syslog(second: u32) -> String {
    format!(
        "Nov 23 10:00:{second:02} db01 postgres[40]: [{second}-1] LOG:  connection received: host=10.0.0.7 port=4{second:04}\n"
    )
}

/// What comes before the server's lines does not hide them, nor is it read as theirs; what has none of them is no log.
#[test]
fn a_log_may_begin_behind_other_lines() {
    let web =
        |i| format!("Nov 23 09:00:00 db01 nginx[7]: 10.0.0.{i} \"GET /\" 200 LOG: hello to you\n");
    let nginx = |i| format!("10.0.0.{i} - - [23/Nov/2026:09:00:00] \"GET /\" 200 12 \"LOG: x\"\n");
    let syslog: String = (10..40).map(syslog).collect();
    let connected =
        |n| format!("2026-11-23 10:00:{n}.000 UTC [{n}] LOG:  connection received: host=[local]\n");
    let stderr: String = (10..40).map(connected).collect();
    let statement = strangers(|i| {
        format!("\tINSERT INTO t VALUES ({i}, 'a \"\"word\"\" or two, or more of them');\n")
    });
    let cases = [
        (
            strangers(web) + &syslog,
            "10:00:10 local to 2026-11-23 10:00:39 local",
            "syslog, ",
        ),
        (
            strangers(nginx) + &stderr,
            "10:00:10 UTC to 2026-11-23 10:00:39 UTC",
            "",
        ),
        (
            statement.clone() + &stderr,
            "10:00:10 UTC to 2026-11-23 10:00:39 UTC",
            "",
        ),
        (
            statement + "\",,,,,,,,,\"\",\"client backend\",,0\n" + &csvlog(100, 600, 700),
            "00:07:00 UTC to 2026-11-23 00:08:09.300 UTC",
            "",
        ),
    ];
    for (text, times, envelope) in &cases {
        assert!(text.len() > 1 << 20);
        let packed = gzip(text.as_bytes());
        let logs = Logs::new(&[
            ("plain/log", text.as_bytes()),
            ("gzip/log.gz", &packed),
            ("plain/access.log", strangers(nginx).as_bytes()),
        ]);
        for name in ["plain", "plain/log", "gzip", "gzip/log.gz"] {
            let plan = logs.plan(&[name]);
            assert_eq!(logs.problems(&plan), [""; 0], "{name}");
            assert_eq!(logs.left_out(&plan), [""; 0], "{name}");
            let [server] = &plan.servers[..] else {
                panic!("{name}: {:?}", logs.servers(&plan));
            };
            let [file] = &server.files[..] else {
                panic!("{name}: {:?}", logs.servers(&plan));
            };
            let explained = logs.short(&file.explain("x"));
            let times = if name.starts_with("plain") {
                times
            } else {
                times.split(" to ").next().expect("it has two")
            };
            assert!(explained.contains(times), "{explained}");
            assert!(explained.contains(envelope), "{explained}");
        }
        let plan = Plan::of(&Request::default(), piped(text.as_bytes()));
        let [problem] = &logs.problems(&plan)[..] else {
            panic!("{:?}", logs.servers(&plan));
        };
        assert!(
            problem.contains("no line of its first megabyte looks"),
            "{problem}"
        );
        assert!(problem.contains("give it as a file"), "{problem}");
    }
    let logs = Logs::new(&[("access.log", strangers(nginx).as_bytes())]);
    let problems = logs.problems(&logs.plan(&["access.log"]));
    assert!(
        problems[0].contains("no line of its first megabyte and its last one"),
        "{problems:?}"
    );
}

/// Another program's log that quotes a server's, with prefixes of which none is that of most lines.
#[test]
fn a_prefix_that_reads_less_than_half_is_not_believed() {
    let quoted = |n: usize| {
        let word = ["one", "two", "three", "four", "five"][n % 5];
        format!("{word}{n}{word}/{n}x LOG:  connection received: host=10.0.0.{n} port=4{n}\n")
    };
    let text: String = (10..40).map(quoted).collect();
    let text = text + "2026-11-23 10:00:10.000 UTC [7] LOG:  x\n";
    let logs = Logs::new(&[("pg.log", text.as_bytes()), ("d/pg.log", text.as_bytes())]);
    let plan = logs.plan(&["pg.log"]);
    let [problem] = &logs.problems(&plan)[..] else {
        panic!("{:?}", plan.explain());
    };
    assert!(problem.contains("--line-prefix"), "{problem}");
    let plan = logs.plan(&["d"]);
    let [left] = &logs.left_out(&plan)[..] else {
        panic!("{:?}", plan.explain());
    };
    assert!(left.contains("--line-prefix"), "{left}");
    assert_eq!(plan.readable(), Readable::None);
}

struct Endless(std::sync::Arc<std::sync::atomic::AtomicUsize>);

impl Read for Endless {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        const LINE: &[u8] = b"2026-11-23 05:32:45 UTC 4000 app shop LOG:  statement: SELECT 1\n";
        let at = self.0.load(std::sync::atomic::Ordering::Relaxed);
        for (i, byte) in buf.iter_mut().enumerate() {
            *byte = LINE[(at + i) % LINE.len()];
        }
        self.0
            .fetch_add(buf.len(), std::sync::atomic::Ordering::Relaxed);
        Ok(buf.len())
    }
}

#[test]
fn a_megabyte_at_most_is_read_to_tell_what_a_file_is() {
    let read = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let today = enveloped::day_of(SystemTime::now());
    let opened = Opened::new(Endless(read.clone()), today).expect("it has no end");
    let request = Request::default();
    let mut learned = Learned::of(&request);
    let mut head = Head::read(opened, &mut learned, Path::new("pg.log"));
    let path = Path::new("-");
    let log = judge(&mut head, &request, path, Way::Asked, &mut learned);
    let Ok((Format::Stderr(prefix), Some(inferred))) = log else {
        panic!("statements are a log");
    };
    assert_eq!(prefix.as_str(), "%t %p %u %d ");
    assert!(
        inferred.undecided.is_some(),
        "no line says which name is which"
    );
    assert!(read.load(std::sync::atomic::Ordering::Relaxed) <= 1 << 20);
}

/// Sessions of a log with the database before the user, and statements that do not say which is which.
#[test]
fn log_of_statements_has_the_prefix_of_those_beside_it() {
    let line = |n: u32, names: &str, text: &str| {
        let (minute, second) = (n / 60 % 60, n % 60);
        format!(
            "2026-11-23 05:{minute:02}:{second:02}.{:03} UTC [{}] {names} LOG:  {text}\n",
            n % 1000,
            4000 + n % 50
        )
    };
    let sessions: String = (0..100)
        .map(|n| {
            let received = "connection received: host=10.0.0.7 port=5432";
            let authorized = "connection authorized: user=app database=shop";
            line(2 * n, "[unknown]@[unknown]", received) + &line(2 * n + 1, "shop@app", authorized)
        })
        .collect();
    let statements = |names: &str, from: u32| -> String {
        let statement = |n| line(n, names, "statement: SELECT 1 FROM pg_class");
        (from..from + 1000).map(statement).collect()
    };
    let logs = Logs::new(&[
        ("a/1.log", sessions.as_bytes()),
        ("a/2.log", statements("shop@app", 300).as_bytes()),
        ("a/3.log", statements("shop/app", 1300).as_bytes()),
        ("b/2.log", statements("shop@app", 2300).as_bytes()),
    ]);
    let plan = logs.plan(&["a", "b"]);
    let files = plan.servers.iter().flat_map(|server| &server.files);
    let found: Vec<_> = files
        .map(|file| match &file.format {
            Format::Stderr(prefix) => (logs.short(&file.display), prefix.as_str()),
            _ => panic!("stderr"),
        })
        .collect();
    let found: Vec<_> = found
        .iter()
        .map(|(path, prefix)| (&**path, *prefix))
        .collect();
    assert_eq!(
        found,
        [
            ("a/1.log", "%m [%p] %d@%u "),
            ("a/2.log", "%m [%p] %d@%u "),
            ("a/3.log", "%m [%p] %u/%d "),
            // Alone the usual one of those that read it.
            ("b/2.log", "%m [%p] %q%u@%d "),
        ]
    );
}
