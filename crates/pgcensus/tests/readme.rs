//! What README.md shows is what the program prints.
//!
//! A block that begins with `$ pgcensus …`, or with the first command of the README, is run from the root of
//! the repository. Its last line may be `…`: there is more. After a change that is meant,
//! `PGCENSUS_README=write cargo test --test readme` writes the new output.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// How commands begin: as installed, or from a checkout.
const PROGRAMS: [&str; 2] = ["$ pgcensus ", "$ cargo run --release -- "];

#[test]
fn outputs_are_what_the_program_prints() {
    let path = root().join("README.md");
    let readme = std::fs::read_to_string(&path).expect("README.md");
    let (rendered, commands) = render(&readme);
    assert!(commands >= 4, "only {commands} commands are shown");
    if std::env::var_os("PGCENSUS_README").is_some_and(|value| value == "write") {
        std::fs::write(&path, rendered).expect("README.md is written");
        return;
    }
    let differs = readme.lines().zip(rendered.lines()).find(|(a, b)| a != b);
    assert!(
        readme == rendered,
        "README.md does not show what is printed; the first difference: {differs:#?}"
    );
}

/// The text with the outputs of its commands, and how many these are.
fn render(readme: &str) -> (String, usize) {
    let mut out = String::new();
    let mut commands = 0;
    let mut lines = readme.lines();
    while let Some(line) = lines.next() {
        out += line;
        out.push('\n');
        let Some(args) = PROGRAMS
            .iter()
            .find_map(|program| line.strip_prefix(program))
        else {
            continue;
        };
        commands += 1;
        let shown: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
        let printed = output(args);
        if shown.last() == Some(&"…") {
            for line in printed.lines().take(shown.len() - 1) {
                out += line;
                out.push('\n');
            }
            out += "…\n";
        } else {
            out += &printed;
        }
        out += "```\n";
    }
    (out, commands)
}

/// What the program prints to a pipe, without blanks at the ends of lines, which a reader cannot see.
fn output(args: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_pgcensus"))
        .args(args.split_whitespace().map(|arg| arg.trim_matches('\'')))
        .current_dir(root())
        .env_remove("COLUMNS")
        .env_remove("CLICOLOR_FORCE")
        .stdin(Stdio::null())
        .output()
        .expect("the program runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "pgcensus {args}: {stderr}");
    let stdout = String::from_utf8(output.stdout).expect("UTF-8");
    let lines = stdout.lines().map(|line| line.trim_end().to_owned() + "\n");
    lines.collect()
}

fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().expect("the crate is in the repository")
}
