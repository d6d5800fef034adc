//! A real Prometheus scrapes `serve`, which follows the log of a real server: what it stores is what the summary says, and an alert fires
//! when the server is full.
//!
//! `PGCENSUS_TEST_PROMTOOL` and `PGCENSUS_TEST_SERVERS` say where they are, `prometheus` beside its `promtool`; `cargo xtask test` sets
//! both, and without them this is left out.
#![expect(clippy::print_stdout, reason = "a test that is left out says so")]

#[path = "support/postmaster.rs"]
#[expect(dead_code, reason = "shared")]
mod postmaster;
#[path = "support/program.rs"]
#[expect(dead_code, reason = "shared")]
mod program;
#[path = "support/serving.rs"]
#[expect(dead_code, reason = "shared")]
mod serving;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use postgres::NoTls;
use postmaster::{Postmaster, programs_of, until};
use program::{Input, json_object};
use serde_json::Value;
use serving::{Reply, Serve};

const HBA: &str = "local all all trust\nhost all all 127.0.0.1/32 trust\n";

/// A Prometheus that runs, and where it listens.
struct Prometheus {
    child: Child,
    address: String,
    _dir: tempfile::TempDir,
}

impl Prometheus {
    /// Asks this address every second. `None`: there is none.
    fn start(target: &str) -> Option<Prometheus> {
        let promtool = std::env::var_os("PGCENSUS_TEST_PROMTOOL")?;
        // As a word of the PATH it has no directory.
        let program = PathBuf::from(promtool).with_file_name("prometheus");
        let dir = tempfile::tempdir().expect("a directory");
        let rules = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../contrib/prometheus/pgcensus.rules.yml");
        let config = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\n\
             rule_files: ['{}']\n\
             scrape_configs: [{{job_name: pgcensus, static_configs: [{{targets: ['{target}']}}]}}]\n",
            rules.canonicalize().expect("the rules").display()
        );
        let file = dir.path().join("prometheus.yml");
        std::fs::write(&file, config).expect("written");
        // It cannot be asked for a free port.
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = free.local_addr().expect("its address").to_string();
        drop(free);
        let child = Command::new(&program)
            .arg(format!("--config.file={}", file.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                dir.path().join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Some(Prometheus {
            child: child.unwrap_or_else(|err| panic!("{}: {err}", program.display())),
            address,
            _dir: dir,
        })
    }

    /// The value of each series that a query finds; none while it does not answer yet.
    fn query(&self, query: &str) -> Vec<f64> {
        let Ok(mut stream) = TcpStream::connect(&self.address) else {
            return Vec::new();
        };
        let query = query
            .bytes()
            .fold(String::new(), |query, byte| query + &format!("%{byte:02x}"));
        let request = format!(
            "GET /api/v1/query?query={query} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.address
        );
        stream.write_all(request.as_bytes()).ok();
        let mut raw = Vec::new();
        stream.read_to_end(&mut raw).ok();
        let answer = Reply::of(&raw).filter(|reply| reply.status == 200);
        let answer = answer.and_then(|reply| serde_json::from_slice::<Value>(&reply.body).ok());
        let answer = answer.unwrap_or_default();
        let series = answer["data"]["result"].as_array().into_iter().flatten();
        let value = |series: &Value| series["value"][1].as_str()?.parse().ok();
        series.filter_map(value).collect()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn it_is_scraped_and_an_alert_fires_when_the_server_is_full() {
    let Some(bin) = programs_of(16) else {
        return;
    };
    let settings = "log_line_prefix = '%m [%p] '\nlog_timezone = 'Etc/UTC'\nmax_connections = 6\n\
                    superuser_reserved_connections = 3\nmax_wal_senders = 0\n";
    let mut server = Postmaster::init(&bin, "stderr", settings, HBA);
    let mut observer = server.start();
    observer
        .batch_execute("create role app login")
        .expect("a role");
    let log = server.data().join("log");
    let serve = Serve::start(&[], &log);
    let Some(prometheus) = Prometheus::start(&serve.address) else {
        println!("left out: PGCENSUS_TEST_PROMTOOL is not set; cargo xtask test sets it");
        drop(observer);
        server.stop("INT");
        return;
    };
    until("a scrape", || {
        prometheus.query("up{job='pgcensus'}") == [1.0]
    });
    let refused = "pgcensus_refused_attempts_total{reason='slots_reserved'}";
    until("a counter that is 0", || prometheus.query(refused) == [0.0]);
    assert!(
        prometheus
            .query("ALERTS{alertname='PgcensusServerFull'}")
            .is_empty()
    );

    let config = server.local("app", "postgres", "web");
    let mut sessions = Vec::new();
    let mut failures = 0;
    while failures < 5 {
        match config.connect(NoTls) {
            Ok(session) => sessions.push(session),
            Err(_) => failures += 1,
        }
    }
    let firing = "ALERTS{alertname='PgcensusServerFull',alertstate='firing'}";
    until("the alert", || !prometheus.query(firing).is_empty());
    let open = sessions.len() as f64;
    until("who is open", || {
        prometheus.query("sum(pgcensus_open_sessions{application_name='web'})") == [open]
    });
    drop(sessions);
    let connects =
        "sum(pgcensus_connects_total) - sum(pgcensus_connects_taken_back_total or vector(0))";
    until("all that the summary says", || {
        let summary = json_object(
            &["summary", "--json"],
            &Input::Files(std::slice::from_ref(&log)),
        );
        let summary = summary.expect("a summary");
        let number = |path: &str| summary.pointer(path).and_then(Value::as_f64);
        prometheus.query(connects) == Vec::from_iter(number("/connects/total"))
            && prometheus.query("sum(pgcensus_refused_attempts_total)")
                == Vec::from_iter(number("/refused/attempts"))
            && prometheus.query("sum(pgcensus_disconnects_total)")
                == Vec::from_iter(number("/disconnects/total"))
    });
    drop(observer);
    server.stop("INT");
}
