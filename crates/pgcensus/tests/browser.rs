//! `report` in a real browser: it loads without a request or a complaint, and what it shows of a stretch or a name is what the
//! command that it offers to copy says.
//!
//! `PGCENSUS_TEST_BROWSER` is Chromium, which node drives by playwright-core (`NODE_PATH`): `cargo xtask test` installs both and
//! sets these. Without them these tests are left out. What is done in the browser is written in `browser/page.js`.
#![expect(clippy::print_stdout, reason = "a test that is left out says so")]

use std::path::{Path, PathBuf};
use std::process::Command;

fn testdata(path: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("../../testdata").join(path)
}

/// Makes a page of a log and runs the steps of this name on it.
fn drive(steps: &str, log: &Path, flags: &[&str]) {
    let Some(browser) = std::env::var_os("PGCENSUS_TEST_BROWSER") else {
        println!("left out: PGCENSUS_TEST_BROWSER is not set; cargo xtask test sets it");
        return;
    };
    let dir = tempfile::tempdir().expect("a directory");
    let page = dir.path().join("page.html");
    let program = env!("CARGO_BIN_EXE_pgcensus");
    let mut report = Command::new(program);
    report.arg("report").arg("-o").arg(&page).args(flags);
    let made = report.arg(log).status().expect("it runs");
    assert!(made.success(), "{made}");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/page.js");
    let output = Command::new("node")
        .arg(script)
        .args([steps, program])
        .arg(&page)
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
        drive("counts", &testdata(log), &[]);
    }
}

#[test]
fn a_bar_leads_to_its_sessions_and_these_to_their_lines() {
    drive("drill", &testdata("demo/postgresql.log.zst"), &[]);
}

#[test]
fn a_link_keeps_what_is_looked_at() {
    drive("link", &testdata("demo/postgresql.log.zst"), &[]);
}

#[test]
fn light_dark_and_narrow_pages_can_be_read() {
    drive("looks", &testdata("demo/postgresql.log.zst"), &[]);
}

#[test]
fn names_of_strangers_are_text() {
    let log = tempfile::NamedTempFile::new().expect("a file");
    let names = [
        "</script><img src=x onerror=document.title=1>",
        "<b>bold</b>",
        "\"'`&lt;",
        "\u{202e}drawkcab\u{2066}",
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
    drive("hostile", log.path(), &[]);
}
