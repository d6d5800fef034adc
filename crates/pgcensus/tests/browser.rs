//! `report` in a real browser: it loads without a request or a complaint, and what it shows of a stretch or a name is what the
//! command that it offers to copy says.
//!
//! `PGCENSUS_TEST_BROWSER` is Chromium, which node drives by playwright-core (`NODE_PATH`): `cargo xtask test` installs both and
//! sets these. Without them these tests are left out. What is done in the browser is written in `browser/page.js`.
#![expect(clippy::print_stdout, reason = "a test that is left out says so")]

#[path = "support/serving.rs"]
#[expect(dead_code, reason = "other tests ask for more")]
mod serving;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serving::Serve;

fn testdata(path: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("../../testdata").join(path)
}

/// Makes a page of a log and runs the steps of this name on it.
fn drive(steps: &str, log: &Path) {
    let dir = tempfile::tempdir().expect("a directory");
    let page = dir.path().join("page.html");
    let mut report = Command::new(env!("CARGO_BIN_EXE_pgcensus"));
    let made = report.arg("report").arg("-o").arg(&page).arg(log).status();
    assert!(made.expect("it runs").success());
    let url = format!("file://{}", page.display());
    browse(steps, &[url.as_ref()]);
}

/// Runs the steps of this name in a browser, which is told these words.
fn browse(steps: &str, words: &[&OsStr]) {
    let Some(browser) = std::env::var_os("PGCENSUS_TEST_BROWSER") else {
        println!("left out: PGCENSUS_TEST_BROWSER is not set; cargo xtask test sets it");
        return;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/page.js");
    let output = Command::new("node")
        .arg(script)
        .args([steps, env!("CARGO_BIN_EXE_pgcensus")])
        .args(words)
        .env("PGCENSUS_TEST_BROWSER", browser)
        .output()
        .expect("node runs");
    assert!(
        output.status.success(),
        "{steps}: {}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn what_is_shown_of_any_stretch_and_name_is_what_the_command_line_says() {
    for log in [
        "demo/postgresql.log.zst",
        "situations/churn",
        "situations/full_server",
    ] {
        drive("counts", &testdata(log));
    }
}

#[test]
fn a_bar_leads_to_its_sessions_and_these_to_their_lines() {
    drive("drill", &testdata("demo/postgresql.log.zst"));
}

#[test]
fn a_link_keeps_what_is_looked_at() {
    drive("link", &testdata("demo/postgresql.log.zst"));
}

#[test]
fn light_dark_and_narrow_pages_can_be_read() {
    drive("looks", &testdata("demo/postgresql.log.zst"));
}

#[test]
fn what_happens_is_seen_as_it_happens() {
    let log = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(log.path(), session(1) + &session(2)).expect("written");
    let serve = Serve::start(&[], log.path());
    let url = format!("http://{}/", serve.address);
    browse("live", &[url.as_ref(), log.path().as_ref()]);
}

#[test]
fn a_token_is_asked_for_and_kept_out_of_the_address() {
    let log = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(log.path(), session(1)).expect("written");
    let token = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(token.path(), "0123456789abcdef0123").expect("written");
    let file = token.path().to_str().expect("a path");
    let serve = Serve::start(&["--token-file", file], log.path());
    let url = format!("http://{}/", serve.address);
    browse("token", &[url.as_ref(), "0123456789abcdef0123".as_ref()]);
}

/// A session that is open.
fn session(n: u32) -> String {
    format!(
        "2026-11-23 05:21:{n:02}.000 UTC [{n}] LOG:  connection received: host=10.0.0.7 port=40{n}\n\
         2026-11-23 05:21:{n:02}.010 UTC [{n}] LOG:  connection authorized: user=app database=shop application_name=web\n"
    )
}

#[test]
fn names_of_strangers_are_text() {
    let log = tempfile::NamedTempFile::new().expect("a file");
    let names = [
        "</script><img src=x onerror=document.title=1>",
        "<b>bold</b>",
        "\"'`&lt;",
        "\u{202e}drawkcab\u{2066}",
        "\u{202d}drawkcab\u{2066}",
        "tab\tand\u{7f}",
    ];
    let lines = names.iter().enumerate().map(|(i, name)| {
        format!(
            "2026-11-23 05:21:{i:02}.000 UTC [{pid}] LOG:  connection received: host=10.0.0.7 port=4{i}\n\
             2026-11-23 05:21:{i:02}.010 UTC [{pid}] LOG:  connection authorized: user={name} database={name} application_name={name}\n\
             2026-11-23 05:21:{i:02}.020 UTC [9{pid}] FATAL:  password authentication failed for user \"{name}\"\n",
            pid = 100 + i
        )
    });
    std::fs::write(log.path(), lines.collect::<String>()).expect("written");
    drive("hostile", log.path());
}
