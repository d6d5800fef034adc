//! Plans over tars that the tests write.

use std::fs::File;
use std::io::Write as _;

use super::super::compressed::tests::{PACKERS, gzip, zstd};
use super::super::tar::tests::{member, tar};
use super::super::tests::{Logs, csvlog, nobody, piped, text_of};
use super::super::{Plan, Readable};
use super::*;

/// A rotated set in the order of its names, which is not that of time, and what else lies beside logs.
fn set() -> Vec<u8> {
    let log = |from, to| csvlog(100, from, to).into_bytes();
    tar(&[
        ("./main/log/", b""),
        ("./main/log/.hidden.csv", &log(0, 9)),
        ("./main/log/README", b"no log\n"),
        ("./main/log/empty.csv", b""),
        ("./main/log/pg.csv", &log(300, 400)),
        ("./main/log/pg.csv.1", &log(200, 300)),
        ("./main/log/pg.csv.10.zst", &zstd(&log(0, 100))),
        ("./main/log/pg.csv.2.gz", &gzip(&log(100, 200))),
        ("./main/base/1/2600", b"\0\0\0\x01"),
    ])
}

/// Their texts as they are read, one after the other.
fn texts(plan: &Plan) -> String {
    let files = plan.servers.iter().flat_map(|server| &server.files);
    let text = files.flat_map(text_of).collect();
    String::from_utf8(text).expect("a log")
}

#[test]
fn each_log_of_a_tar_is_one_of_its_own_in_order_of_time() {
    let packed = PACKERS.map(|(_, pack)| pack(&set()));
    for bytes in [set()].into_iter().chain(packed) {
        let logs = Logs::new(&[("logs.tar", &bytes)]);
        let plan = logs.plan(&["logs.tar"]);
        let in_order = ["pg.csv.10.zst", "pg.csv.2.gz", "pg.csv.1", "pg.csv"]
            .map(|name| format!("logs.tar: ./main/log/{name}"))
            .join(" ");
        assert_eq!(logs.servers(&plan), [format!("main: {in_order}")]);
        assert_eq!(plan.readable(), Readable::All);
        let ignored: Vec<_> = plan.ignored.iter().map(|left| logs.short(left)).collect();
        assert_eq!(
            ignored,
            [
                "logs.tar: ./main/log/: empty",
                "logs.tar: ./main/log/README: text, but no PostgreSQL log",
                "logs.tar: ./main/log/empty.csv: empty",
                "logs.tar: ./main/base/1/2600: binary",
            ]
        );
        for _ in 0..2 {
            assert_eq!(texts(&plan), csvlog(100, 0, 400), "read again and again");
        }
        let last = plan.servers[0].files[3].last_time(&Arc::default());
        assert!(last.expect("it reads").is_some());

        let plan = Plan::of(&Request::default(), piped(bytes));
        assert_eq!(texts(&plan), csvlog(100, 0, 400));
        assert_eq!(plan.servers[0].name, "main");
        assert_eq!(plan.servers[0].files[3].display, "-: ./main/log/pg.csv");
    }
}

#[test]
fn a_log_is_explained_by_what_it_was_in_the_tar() {
    let logs = Logs::new(&[("logs.tar.gz", &gzip(&set()))]);
    let explained = logs.plan(&["logs.tar.gz"]).explain();
    let size = thousands(csvlog(100, 0, 100).len() as u64);
    assert_eq!(
        logs.short(&explained[0]),
        format!(
            "logs.tar.gz: ./main/log/pg.csv.10.zst: zstd, {size} bytes decompressed; csvlog; language en; from 2026-11-23 00:00:00 UTC; server main"
        )
    );
}

#[test]
fn what_is_in_a_tar_and_beside_it_is_read_once() {
    let log = csvlog(100, 0, 2000);
    let inside = tar(&[("pg.csv", log.as_bytes()), ("b/copy.csv", log.as_bytes())]);
    let logs = Logs::new(&[
        ("a/pg.csv", log.as_bytes()),
        ("a/old.tar", &inside),
        ("a/old.tar.gz", &gzip(&inside)),
    ]);
    let plan = logs.plan(&["a"]);
    assert_eq!(plan.servers.len(), 1);
    assert_eq!(texts(&plan), log);
    assert_eq!(plan.left_out.len(), 4);
}

#[test]
fn cut_anywhere_a_tar_gives_what_it_has_and_says_so() {
    let (one, two) = (csvlog(100, 0, 20), csvlog(100, 20, 40));
    let whole = tar(&[("a/1.csv", one.as_bytes()), ("a/2.csv", two.as_bytes())]);
    let whole_gz = gzip(&whole);
    for (bytes, name) in [(&whole, "logs.tar"), (&whole_gz, "logs.tar.gz")] {
        // Before that it is not known for a tar, or no record is whole.
        let step = bytes.len() / 70 + 1;
        for len in (1..bytes.len()).step_by(step) {
            let logs = Logs::new(&[(name, &bytes[..len])]);
            let request = logs.request(&[name]);
            for plan in [
                Plan::of(&request, nobody()),
                Plan::of(&Request::default(), piped(&bytes[..len])),
            ] {
                let mut text = Vec::new();
                let mut is_said = !plan.problems.is_empty();
                for file in plan.servers.iter().flat_map(|server| &server.files) {
                    let read = file.open().expect("it opens").read_to_end(&mut text);
                    is_said |= read.is_err();
                }
                assert!(
                    [&*one, &*two].concat().as_bytes().starts_with(&text),
                    "{name} cut at {len}"
                );
                let is_whole = name == "logs.tar" && len >= whole.len() - tar::BLOCK;
                assert_eq!(is_said, !is_whole, "{name} cut at {len}");
            }
        }
    }
}

#[test]
fn names_that_lead_elsewhere_harm_nothing() {
    let log = csvlog(100, 0, 20);
    let names = [
        "/etc/passwd",
        "../../../../etc/shadow",
        "a\x1b[2J\n/b.csv",
        "log/x.csv",
    ];
    let members: Vec<_> = names.iter().map(|name| (*name, log.as_bytes())).collect();
    // Each has a line of its own, so that none is a copy.
    let logs = Logs::new(&[
        ("x/db1-20261123.tar", &tar(&members[2..])),
        ("x/db2.tgz", &gzip(&tar(&members[..2]))),
    ]);
    let plan = logs.plan(&["x"]);
    let shown: Vec<_> = logs
        .servers(&plan)
        .into_iter()
        .chain(logs.left_out(&plan))
        .collect();
    assert!(
        shown.iter().all(|text| !text.contains(['\x1b', '\n'])),
        "{shown:?}"
    );
    assert_eq!(plan.servers.len() + plan.left_out.len(), 4);
    assert_eq!(fs_names(&logs), ["x"]);
}

fn fs_names(logs: &Logs) -> Vec<String> {
    let dir = std::fs::read_dir(logs.path("")).expect("a directory");
    dir.map(|entry| {
        entry
            .expect("an entry")
            .file_name()
            .to_string_lossy()
            .into_owned()
    })
    .collect()
}

#[test]
fn what_is_no_log_in_a_tar_is_said_where_it_was_asked_for() {
    let sparse = {
        let mut block = member("pg.log", b"");
        block[156] = b'S';
        tar::tests::mend(&mut block);
        block
    };
    let logs = Logs::new(&[
        (
            "none.tar",
            &tar(&[("a.txt", b"dear diary\n"), ("b.bin", b"\0\x01")]),
        ),
        (
            "dir/none.tar.gz",
            &gzip(&tar(&[("a.txt", b"dear diary\n")])),
        ),
        ("dir/pg.csv", csvlog(100, 0, 9).as_bytes()),
        ("nested.tar", &tar(&[("pg.tar", &tar(&[("pg.csv", b"x")]))])),
        ("sparse.tar", &[sparse, tar(&[])].concat()),
        ("zip.tar", &tar(&[("pg.log.zip", b"PK\x03\x04")])),
    ]);
    for (name, expected) in [
        (
            "none.tar",
            "none.tar: no PostgreSQL log among the 2 files of this tar; --explain says what each was taken for",
        ),
        (
            "nested.tar",
            "nested.tar: pg.tar: a tar inside of a tar, which is not read; take it out",
        ),
        (
            "sparse.tar",
            "sparse.tar: pg.log: a sparse file, which is not read; write the tar without --sparse",
        ),
        (
            "zip.tar",
            "zip.tar: pg.log.zip: zip is not read in this version; take it out of the tar",
        ),
    ] {
        let plan = logs.plan(&[name]);
        assert_eq!(logs.problems(&plan), [expected]);
        assert_eq!(plan.readable(), Readable::None);
    }
    let plan = logs.plan(&["dir"]);
    assert_eq!(plan.readable(), Readable::All);
    assert!(
        plan.ignored
            .iter()
            .any(|left| left.what.contains("of this tar") || left.what.contains("in this tar"))
    );
}

/// Such as a backup of the data directory, which lies beside the logs.
#[test]
fn a_tar_that_nobody_named_is_left_where_a_gigabyte_has_no_log() {
    let log = csvlog(100, 0, 20);
    let logs = Logs::new(&[("dir/base.tar", &member("big", b"\0"))]);
    let path = logs.path("dir/base.tar");
    let mut file = File::options().write(true).open(&path).expect("it opens");
    let mut header = member("big", b"");
    header[124..136].copy_from_slice(format!("{:011o}\0", 2u64 << 30).as_bytes());
    tar::tests::mend(&mut header);
    file.write_all(&header).expect("space");
    file.seek(SeekFrom::Start(512 + (2 << 30))).expect("a hole");
    file.write_all(&tar(&[("pg.csv", log.as_bytes())]))
        .expect("space");
    let plan = logs.plan(&["dir"]);
    assert_eq!(plan.readable(), Readable::None);
    assert!(
        plan.explain()
            .iter()
            .any(|line| line.contains("no PostgreSQL log in the first GB"))
    );
    assert_eq!(texts(&logs.plan(&["dir/base.tar"])), log);
}

#[test]
fn a_server_that_is_named_has_all_of_a_tar() {
    let logs = Logs::new(&[("logs.tar", &set())]);
    let mut request = logs.request(&[]);
    request
        .servers
        .push(("boss".to_owned(), logs.path("logs.tar")));
    let plan = Plan::of(&request, nobody());
    assert_eq!(plan.servers.len(), 1);
    assert_eq!(plan.servers[0].name, "boss");
}

#[test]
fn whether_stdin_is_a_tar_is_seen_and_nothing_is_lost() {
    for (_, pack) in PACKERS {
        for (bytes, expected) in [
            (set(), true),
            (csvlog(100, 0, 2000).into_bytes(), false),
            (Vec::new(), false),
        ] {
            for bytes in [pack(&bytes), bytes] {
                let mut reader: Box<dyn Read + Send> = Box::new(io::Cursor::new(bytes.clone()));
                assert_eq!(begins_tar(&mut reader).expect("it reads"), expected);
                let mut read = Vec::new();
                reader.read_to_end(&mut read).expect("it reads");
                assert_eq!(read, bytes);
            }
        }
    }
}

/// `tail -f pg.log | pgcensus --last 1h`: for a block more is not waited.
#[test]
fn plain_text_is_no_tar_after_one_block() {
    struct Waits;
    impl io::Read for Waits {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            panic!("it waits")
        }
    }
    let begin = csvlog(100, 0, 10).into_bytes()[..512].to_vec();
    let mut reader: Box<dyn Read + Send> = Box::new(io::Cursor::new(begin).chain(Waits));
    assert!(!begins_tar(&mut reader).expect("it reads"));
}

/// What their envelope has, and where the second one begins, is seen in all of it.
#[test]
fn servers_of_a_central_syslog_in_a_tar_are_kept_apart() {
    let line = |n: u32, host: &str| {
        let (minute, second) = (n / 60 % 60, n % 60);
        format!(
            "2026-11-23T05:{minute:02}:{second:02}.500000+00:00 {host} postgres[{}]: [1-1] 2026-11-23 05:{minute:02}:{second:02}.500 UTC [{}] LOG:  connection received: host=10.0.0.7 port={n}\n",
            100 + n,
            100 + n
        )
    };
    let one: String = (0..3000).map(|n| line(n, "db1")).collect();
    let two: String = (3000..3600).map(|n| line(n, "db2")).collect();
    let bytes = tar(&[("var/log/messages", (one + &two).as_bytes())]);
    let logs = Logs::new(&[("logs.tar", &bytes), ("logs.tgz", &gzip(&bytes))]);
    for plan in [
        logs.plan(&["logs.tar"]),
        logs.plan(&["logs.tgz"]),
        Plan::of(&Request::default(), piped(bytes.clone())),
    ] {
        let servers: Vec<_> = plan.servers.iter().map(|server| &*server.name).collect();
        assert_eq!(servers, ["db1", "db2"]);
        assert_eq!(plan.problems, []);
        let text = texts(&plan);
        assert_eq!(text.lines().count(), 3600);
        assert!(
            text.starts_with("2026-11-23 05:00:00.500 UTC [100] LOG:"),
            "{text:.100}"
        );
    }
}
