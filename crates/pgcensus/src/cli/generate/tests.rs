//! Each file as it is made, what shells make of it, and that what it offers is understood.

use std::ffi::OsString;
use std::io::Write as _;
use std::process::{Command, Stdio};

use super::{Generate, completions};
use crate::cli::{Args, Stop};

#[test]
fn what_goes_with_the_program() {
    for (name, what) in [
        ("man", Generate::Man),
        ("bash", Generate::CompleteBash),
        ("zsh", Generate::CompleteZsh),
        ("fish", Generate::CompleteFish),
        ("powershell", Generate::CompletePowershell),
    ] {
        let words = ["pgcensus".to_owned(), format!("--generate={}", word(what))];
        let answer = Args::read(words.map(OsString::from), |_| false);
        let Err(Stop::Answer(text)) = answer else {
            panic!("{name}: {answer:?}");
        };
        insta::assert_snapshot!(name, text.replace(env!("CARGO_PKG_VERSION"), "VERSION"));
    }
}

fn word(what: Generate) -> String {
    use clap::ValueEnum as _;
    let value = what.to_possible_value().expect("none is hidden");
    value.get_name().to_owned()
}

#[test]
fn what_is_offered_is_understood() {
    for dimension in completions::DIMENSIONS {
        let words = ["pgcensus", "--by", dimension].map(OsString::from);
        assert!(Args::read(words, |_| false).is_ok(), "{dimension}");
    }
}

/// Whoever formats it has nothing to complain of. Where there is no groff, nobody looks.
#[test]
fn man_page_is_formatted_without_a_warning() {
    let Ok(mut groff) = Command::new("groff")
        .args(["-man", "-Tutf8", "-Kutf8", "-ww", "-z"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
    else {
        return;
    };
    let mut stdin = groff.stdin.take().expect("piped");
    stdin
        .write_all(Generate::Man.text().as_bytes())
        .expect("groff reads");
    drop(stdin);
    let output = groff.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success());
}

/// What bash offers, asked as it asks. Where there is no bash, nobody does.
#[test]
fn bash_offers_commands_files_and_values() {
    let offers = |words: &[&str]| -> Option<Vec<String>> {
        // `--by=user` is three words to it.
        let script = format!(
            "{}\nCOMP_WORDS=(\"$@\") COMP_CWORD=$(($# - 1))
             _pgcensus pgcensus \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD - 1]}}\"
             printf '%s\\n' \"${{COMPREPLY[@]-}}\"",
            Generate::CompleteBash.text()
        );
        let output = Command::new("bash")
            .args(["--norc", "-uc", &script, "bash", "pgcensus"])
            .args(words)
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/demo"))
            .output()
            .ok()?;
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{words:?}");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        Some(text.lines().map(str::to_owned).collect())
    };
    let Some(first) = offers(&[""]) else {
        return;
    };
    assert_eq!(first[..2], ["summary", "history"]);
    assert!(first.contains(&"postgresql.log.zst".to_owned()));
    assert!(!first.iter().any(|word| word.starts_with('-')));
    for (words, expected) in [
        (&["se"][..], &["sessions", "servers", "serve"][..]),
        (&["sessions", "post"], &["postgresql.log.zst"]),
        (&["--json", "post"], &["postgresql.log.zst"]),
        (&["sessions", "--lo"], &["--logfile-list", "--log-timezone"]),
        (&["--by", ""], &["db", "user", "app", "host", "server"]),
        (&["--by", "user,h"], &["user,host"]),
        (&["--by", "=", "d"], &["db"]),
        (&["--by", "="], &["db", "user", "app", "host", "server"]),
        (&["--lang", "de,pt"], &["de,pt_BR"]),
        (&["-f", "c"], &["csvlog"]),
        (&["-o", "post"], &["postgresql.log.zst"]),
        (&["--user", ""], &[""]),
        (&["--fail-on", "=", "c"], &["critical"]),
    ] {
        let words_offered = offers(words).expect("bash");
        assert_eq!(words_offered, expected, "{words:?}");
    }
}
