//! A file is taken for what most of it is, whatever it begins with: lines of another program or format, or the
//! middle of a record.

use pgcensus_log::format::{self, Format, Guess};

fn testdata(name: &str) -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/");
    let file = std::fs::File::open(format!("{path}{name}.zst")).expect("testdata");
    zstd::decode_all(file).expect("zstd")
}

/// A log in each format, with its name and its prefix.
fn logs() -> [(&'static str, Vec<u8>); 6] {
    [
        ("stderr %m [%p] ", "16/injection/stderr/postgresql.log"),
        ("stderr ", "16/prefix-empty/stderr/postgresql.log"),
        (
            "stderr %m:%r:%u@%d:[%p]:%l:%e:%s:%v:%x:%c:%q%a:",
            "16/prefix-rds-new/stderr/postgresql.log",
        ),
        (
            "stderr %t [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ",
            "16/prefix-pgbadger-l/stderr/postgresql.log",
        ),
        ("csvlog", "16/injection/csvlog/postgresql.csv"),
        ("jsonlog", "18/injection/jsonlog/postgresql.json"),
    ]
    .map(|(name, path)| (name, testdata(path)))
}

fn name(guess: &Guess) -> String {
    match guess {
        Guess::Log(Format::Stderr(prefix), _) => format!("stderr {}", prefix.as_str()),
        Guess::Log(format, _) => format.name().to_owned(),
        other => format!("{other:?}"),
    }
}

/// Whole lines of `log`, a dozen at least, that hold `len` bytes.
fn first_lines(log: &[u8], len: usize) -> &[u8] {
    let end = memchr::memchr_iter(b'\n', log).find(|end| *end >= len.min(log.len() - 1));
    &log[..=end.expect("a line that ends")]
}

#[test]
fn a_wrong_first_line_does_not_decide() {
    let wrong = [
        "2026-11-23 05:32:45.839 UTC [4000] LOG:  connection received: host=[local]",
        "LOG:  redirecting log output to logging collector process",
        r#"2026-11-23 04:56:44.171 UTC,"app","shop",30630,"127.0.0.1:60546",6b03c78c.77a6,3,"authentication",2026-11-23 04:56:44 UTC,8/3,0,LOG,00000,"hello",,,,,,,,,"","client backend",,0"#,
        r#"{"timestamp":"2026-11-23 04:56:44.170 UTC","user":"app","pid":30630,"session_id":"6b03c78c.77a6","line_num":1,"error_severity":"LOG","message":"hello"}"#,
        "2026-11-23 05:28:22.091 UTC [29687] LOG process up: PgBouncer 1.18.0",
        "Nov 23 05:25:52 db01 postgres[24776]: [1-1] LOG:  x",
        "2026-11-23T05:28:06.794944077Z stderr F 2026-11-23 05:28:06.789 UTC [1] LOG:  x",
        r#"{"log":"2026-11-23 05:28:06.789 UTC [1] LOG:  x\n","stream":"stderr"}"#,
        r#"{"level":"info","ts":"2026-11-23T05:28:06Z","msg":"Starting"}"#,
        "\u{feff}",
        "",
    ];
    for (expected, log) in logs() {
        for wrong in wrong {
            let sample = [wrong.as_bytes(), b"\n", first_lines(&log, 8 << 10)].concat();
            assert_eq!(name(&format::guess(&sample)), expected, "{wrong}");
        }
    }
}

#[test]
fn the_middle_of_a_record_does_not_decide() {
    for (expected, log) in logs() {
        // Each byte of some records, their forged lines among them; then further on.
        let cuts = (0..3000)
            .step_by(61)
            .chain((3000..log.len() / 2).step_by(4099));
        for cut in cuts {
            let guess = format::guess(&log[cut..log.len().min(cut + (24 << 10))]);
            assert_eq!(name(&guess), expected, "from byte {cut}");
        }
    }
}

/// What other programs write before the server has its log, or beside it.
const BANNERS: [&str; 4] = [
    "The files belonging to this database system will be owned by user \"postgres\".
This user must also own the server process.

The database cluster will be initialized with locale \"en_US.utf8\".
The default database encoding has accordingly been set to \"UTF8\".

Data page checksums are disabled.

fixing permissions on existing directory /var/lib/postgresql/data ... ok
creating subdirectories ... ok
performing post-bootstrap initialization ... ok
initdb: warning: enabling \"trust\" authentication for local connections

Success. You can now start the database server using:

    pg_ctl -D /var/lib/postgresql/data -l logfile start

waiting for server to start....
",
    "2026-11-23 05:28:06,789 INFO: No PostgreSQL configuration items changed, nothing to reload.
2026-11-23 05:28:06,801 WARNING: Postgresql is not running.
2026-11-23 05:28:06,801 INFO: Lock owner: None; I am db01
2026-11-23 05:28:06,812 INFO: starting as a secondary
localhost:5432 - no response
",
    "{\"level\":\"info\",\"ts\":\"2026-11-23T05:28:06Z\",\"logger\":\"instance-manager\",\"msg\":\"Starting\"}
{\"level\":\"info\",\"ts\":\"2026-11-23T05:28:07Z\",\"logger\":\"pg_ctl\",\"msg\":\"waiting\",\"pid\":14}
",
    "*** Booting daemon...
/usr/bin/wal-g: INFO: 2026/11/23 05:28:06.123456 FILE PATH: 000000010000000000000001.br
chpst: LOG: started
ERROR: ld.so: object 'libjemalloc.so' cannot be preloaded: ignored.
",
];

#[test]
fn a_banner_of_another_program_does_not_decide() {
    for (expected, log) in logs() {
        for banner in BANNERS {
            let sample = [banner.as_bytes(), first_lines(&log, 8 << 10)].concat();
            assert_eq!(name(&format::guess(&sample)), expected, "{banner}");
        }
    }
}

/// `pg_ctl` says that it waits before the first record of a server, with no line end; so the log of each new container of the
/// official image begins.
#[test]
fn what_pg_ctl_says_is_no_part_of_a_prefix() {
    for (expected, log) in logs() {
        if expected.starts_with("stderr") {
            let log = first_lines(&log, 8 << 10);
            let half = memchr::memrchr(b'\n', &log[..log.len() / 2]).expect("lines") + 1;
            let waiting = [b"waiting for server to start....", log].concat();
            let twice = [
                &waiting[..waiting.len() - log.len() + half],
                b" done\nserver started\n....",
                &log[half..],
                b" done\n",
            ]
            .concat();
            for sample in [waiting, twice] {
                let guess = format::guess(&sample);
                assert_eq!(name(&guess), expected);
                let Guess::Log(_, Some(inference)) = guess else {
                    panic!("{expected} was not inferred");
                };
                assert_eq!(inference.lines_read, inference.lines, "{expected}");
            }
        }
    }
}
