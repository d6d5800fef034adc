//! What `contrib` says of the program is true of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

#[test]
fn the_unit_calls_what_there_is() {
    let unit = contrib("systemd/pgcensus.service");
    let called = unit
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart="));
    let words: Vec<_> = called.expect("a command").split(' ').collect();
    let known = Known::of_program();
    assert_eq!(words[0], "/usr/bin/pgcensus");
    assert!(known.commands.contains(words[1]), "{}", words[1]);
    for flag in words.iter().filter_map(|word| word.strip_prefix("--")) {
        assert!(known.flags.contains(flag), "--{flag}");
    }
    // The token is where the configuration says, and the user of the unit can read it.
    assert!(contrib("pgcensus.toml").contains("\n#token_file = \"/etc/pgcensus/token\"\n"));
    let group = unit.lines().find_map(|line| line.strip_prefix("Group="));
    let token = format!("chgrp {} /etc/pgcensus/token.new\n", group.expect("one"));
    assert!(contrib("debian/postinst").contains(&token));
}

#[test]
fn the_configuration_is_right_as_it_is_and_with_all_that_it_names() {
    let text = contrib("pgcensus.toml");
    let known = Known::of_program();
    for key in keys(&text) {
        let is_known = key == "inputs" || known.flags.contains(&key.replace('_', "-"));
        assert!(is_known, "{key}");
    }
    // Files that are not here.
    let absent = ["#token_file", "#tls_cert", "#tls_key", "#textfile"];
    let all: Vec<_> = text
        .lines()
        .filter(|line| !absent.iter().any(|key| line.starts_with(key)))
        .map(|line| match line.strip_prefix('#') {
            Some(set) if is_key(set) => set,
            _ => line,
        })
        .collect();
    let dir = tempfile::tempdir().expect("a directory");
    for (name, text) in [
        ("as-it-is.toml", text.clone()),
        ("all.toml", all.join("\n")),
    ] {
        let path = dir.path().join(name);
        fs::write(&path, text).expect("written");
        let path = path.to_str().expect("UTF-8");
        let output = pgcensus(&["serve", "--config", path, "--check-config"]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {stderr}");
    }
}

#[test]
fn the_container_runs_the_program_as_nobody() {
    let file = contrib("Containerfile");
    assert!(file.contains("\nENTRYPOINT [\"/pgcensus\"]\n"));
    let user = file.lines().find_map(|line| line.strip_prefix("USER "));
    assert!(!user.expect("a user").starts_with('0'));
}

/// What the program knows, by what it completes.
struct Known {
    commands: BTreeSet<String>,
    flags: BTreeSet<String>,
}

impl Known {
    fn of_program() -> Known {
        let output = pgcensus(&["--generate", "complete-fish"]);
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let behind = |option: &str| {
            let words = text.lines().filter_map(|line| {
                let (_, word) = line.split_once(option)?;
                word.split(' ').next().map(str::to_owned)
            });
            words.collect()
        };
        Known {
            commands: behind("__fish_is_first_token -a "),
            flags: behind(" -l "),
        }
    }
}

/// `key = …`, and `#key = …`
fn keys(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().map(|line| line.trim_start_matches('#'));
    let set = lines.filter(|line| is_key(line));
    set.filter_map(|line| line.split(' ').next())
}

fn is_key(line: &str) -> bool {
    line.split_once(" = ").is_some_and(|(key, _)| {
        let of_key = |c: char| c.is_ascii_lowercase() || c == '_';
        !key.is_empty() && key.chars().all(of_key)
    })
}

fn pgcensus(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgcensus"));
    command.args(words).output().expect("it runs")
}

fn contrib(name: &str) -> String {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../contrib")
        .join(name);
    fs::read_to_string(&path).unwrap_or_else(|err| panic!("{}: {err}", path.display()))
}
