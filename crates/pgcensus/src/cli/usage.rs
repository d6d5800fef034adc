//! What is wrong with a command line: where, what, what to do.
//!
//! clap finds the wrong words; the sentences are ours, in one line each, like all of pgcensus.

use std::error::Error as _;
use std::path::Path;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::{Args, Command, FilterArgs, LogFormat, Output, OutputFormat, Target, WindowArgs};

/// One line for one of clap's errors.
pub(super) fn describe(err: &clap::Error) -> String {
    let text = |kind| match err.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => Some(texts.join(", ")),
        _ => None,
    };
    // `--format <FORMAT>`, `--fail-on[=<LEVEL>]`: the flag is enough.
    let flag = text(ContextKind::InvalidArg).unwrap_or_default();
    let flag = flag.split([' ', '[']).next().unwrap_or_default();
    let value = text(ContextKind::InvalidValue).unwrap_or_default();
    match err.kind() {
        ErrorKind::UnknownArgument => match text(ContextKind::SuggestedArg) {
            Some(meant) => format!("{flag}: no such option; did you mean {meant}?"),
            None => format!("{flag}: no such option; pgcensus --help lists all"),
        },
        ErrorKind::InvalidValue if value.is_empty() => format!("{flag}: needs a value"),
        ErrorKind::InvalidValue => {
            let valid = text(ContextKind::ValidValue).unwrap_or_default();
            if valid.contains(',') {
                format!("{flag} '{value}': not one of {valid}")
            } else {
                format!("{flag} '{value}': not known; it takes {valid}")
            }
        }
        ErrorKind::ValueValidation => match err.source() {
            Some(_) if flag == "--limit" => {
                format!("{flag} '{value}': not a number from 0 on; 0 is all")
            }
            Some(source) => format!("{flag} '{value}': {source}"),
            None => format!("{flag} '{value}': not a value for it"),
        },
        ErrorKind::ArgumentConflict => format!("{flag}: given twice"),
        ErrorKind::TooManyValues => format!("{flag}: takes no value"),
        ErrorKind::InvalidUtf8 => {
            "an option's value is not UTF-8; * stands for what cannot be typed".to_owned()
        }
        _ => {
            let rendered = err.to_string();
            let line = rendered.lines().next().unwrap_or_default();
            line.strip_prefix("error: ").unwrap_or(line).to_owned()
        }
    }
}

/// What no flag knows of the others.
pub(super) fn check(args: &Args) -> Result<(), String> {
    let Args {
        command,
        input,
        filter,
        window,
        show,
        serve,
        compared: _,
    } = args;
    if let Some(prefix) = &input.line_prefix {
        if !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(format!(
                "-p {prefix}: pgcensus never connects to a server; -p is the log_line_prefix"
            ));
        }
        if let Some(LogFormat::Csvlog | LogFormat::Jsonlog) = input.format {
            return Err(
                "--line-prefix: csvlog and jsonlog have none; it goes with --format stderr"
                    .to_owned(),
            );
        }
    }

    let asks_for_window = [
        ("--since", &window.since),
        ("--until", &window.until),
        ("--last", &window.last),
        ("--between", &window.between),
    ];
    if window.at.is_some() {
        if let Some((flag, _)) = asks_for_window.iter().find(|(_, value)| value.is_some()) {
            return Err(format!("--at: one instant; it does not go with {flag}"));
        }
        if matches!(
            command,
            Command::History
                | Command::Refused
                | Command::Events
                | Command::Watch
                | Command::Findings
        ) {
            return Err(format!(
                "--at: one instant, for summary, sessions and top; {} takes --since, --until and --last",
                command.as_str()
            ));
        }
    }
    if *command == Command::Watch && (window.until.is_some() || window.between.is_some()) {
        return Err(
            "watch: it goes on until Ctrl+C; --since and --last say how far back it begins"
                .to_owned(),
        );
    }
    if window.since.is_some() && window.last.is_some() {
        return Err("--last: it says since when, as --since does; give one of them".to_owned());
    }

    if *command == Command::Compare {
        let at = ("--at", &window.at);
        let mut since = asks_for_window[..3].iter().chain([&at]);
        if let Some((flag, _)) = since.find(|(_, value)| value.is_some()) {
            return Err(format!(
                "{flag}: compare has two windows: --before 09:00..10:00 --after 10:00..11:00"
            ));
        }
        if show.by.len() > 1 {
            return Err("--by: compare takes one dimension, or all of them".to_owned());
        }
    }
    if *command == Command::Top {
        if show.json || show.csv || !show.output.is_empty() {
            return Err("top: a screen to look at; --json, --csv and -o go with summary, sessions and events".to_owned());
        }
        if !show.by.is_empty() {
            return Err(
                "top: it has every dimension; --by goes with summary, history and refused"
                    .to_owned(),
            );
        }
    }
    if *command == Command::Servers {
        if *filter != FilterArgs::default()
            || *window != WindowArgs::default()
            || !show.by.is_empty()
        {
            return Err(
                "servers: no log is read for it; which sessions, which time and --by go with the other commands"
                    .to_owned(),
            );
        }
        if !input.lists.is_empty() || !input.servers.is_empty() {
            return Err(
                "servers: names of data directories may follow it; --server and --logfile-list are for logs"
                    .to_owned(),
            );
        }
    }

    if *command == Command::Serve {
        if *window != WindowArgs::default() {
            return Err(
                "serve: which time is for each request to say: /api/v1/summary?last=1h".to_owned(),
            );
        }
        let is_shown = show.json || show.csv || !show.output.is_empty();
        if is_shown || show.limit.is_some() || !show.by.is_empty() {
            return Err(
                "serve: how it is shown is for each request to say: /api/v1/summary?by=user; --json, --csv and -o go \
                 with the other commands"
                    .to_owned(),
            );
        }
        if serve.check_config && serve.config.is_none() {
            return Err("--check-config: needs --config FILE".to_owned());
        }
        if serve.tls_cert.is_some() != serve.tls_key.is_some() {
            return Err(
                "serve: TLS needs both --tls-cert FILE and --tls-key FILE; they may be one file"
                    .to_owned(),
            );
        }
    }

    for (flag, given, wanted) in [
        ("--listen", serve.listen.is_some(), Command::Serve),
        ("--token-file", serve.token_file.is_some(), Command::Serve),
        ("--tls-cert", serve.tls_cert.is_some(), Command::Serve),
        ("--tls-key", serve.tls_key.is_some(), Command::Serve),
        ("--allow-host", !serve.allow_host.is_empty(), Command::Serve),
        ("--config", serve.config.is_some(), Command::Serve),
        ("--check-config", serve.check_config, Command::Serve),
        ("--open", show.open, Command::Sessions),
        ("--all", show.all, Command::Watch),
        ("--no-fold", show.no_fold, Command::Summary),
        ("--sort", show.sort.is_some(), Command::Sessions),
        ("--bucket", show.bucket.is_some(), Command::History),
        ("--fail-on", show.fail_on.is_some(), Command::Findings),
        ("--emit", show.emit.is_some(), Command::Findings),
        ("--anonymize", show.anonymize, Command::Report),
    ] {
        if given && *command != wanted {
            let wanted = wanted.as_str();
            return Err(format!(
                "{flag}: goes with {wanted}: pgcensus {wanted} {flag} …"
            ));
        }
    }
    if !show.personal_user.is_empty() && !matches!(command, Command::Findings | Command::Serve) {
        return Err(
            "--personal-user: goes with findings and serve: pgcensus findings --personal-user …"
                .to_owned(),
        );
    }
    if show.textfile.is_some() && !matches!(command, Command::Summary | Command::Serve) {
        return Err(
            "--textfile: goes with summary, once, and with serve: pgcensus summary --textfile …"
                .to_owned(),
        );
    }
    if let Some(path) = &show.textfile
        && path.extension().is_none_or(|extension| extension != "prom")
    {
        return Err(format!(
            "--textfile '{}': node_exporter reads *.prom; name it so",
            path.display()
        ));
    }
    if show.personal_user.iter().any(String::is_empty) {
        return Err(
            "--personal-user: no name; give a role, or a pattern such as 'dev_*'".to_owned(),
        );
    }
    if show.emit.is_some() && (show.json || show.csv || show.fail_on.is_some()) {
        return Err(
            "--emit: its lines have one form; --json, --csv and --fail-on go without it".to_owned(),
        );
    }
    if show.emit.is_some() {
        for (flag, given) in [
            ("--limit", show.limit.is_some()),
            ("--personal-user", !show.personal_user.is_empty()),
        ] {
            if given {
                return Err(format!(
                    "{flag}: --emit prints every wrong password and nothing else; leave one of them out"
                ));
            }
        }
        let outputs = args.outputs().map_err(|err| err.to_string())?;
        let other = |output: &&Output| output.format != OutputFormat::Text;
        if let Some(Target::File(path)) = outputs.iter().find(other).map(|output| &output.target) {
            return Err(format!(
                "-o '{}': the lines of --emit are text; name it *.log or *.txt",
                path.display()
            ));
        }
    }
    match show.by[..] {
        [] => {}
        _ if *command == Command::Report => {
            return Err("--by: a page has them all".to_owned());
        }
        _ if matches!(
            command,
            Command::Sessions | Command::Events | Command::Watch | Command::Findings
        ) =>
        {
            return Err(format!(
                "--by: goes with summary, history and refused; {} are listed one by one",
                command.as_str()
            ));
        }
        [_] => {}
        [first, second] if first != second => {}
        [_, _] => return Err("--by: the same twice".to_owned()),
        _ => return Err("--by: two dimensions at most".to_owned()),
    }
    if *command == Command::Report && show.limit.is_some() {
        return Err("--limit: a page is as long as it is".to_owned());
    }
    if *command == Command::Report && show.csv {
        return Err("--csv: a page is no table; --json has its data".to_owned());
    }
    args.outputs().map_err(|err| err.to_string())?;
    Ok(())
}

/// Words that are meant for a program that connects or downloads, where no such file exists.
pub(super) fn not_an_input(path: &Path) -> Option<String> {
    let word = path.to_str()?;
    let is_url = |schemes: &[&str]| schemes.iter().any(|scheme| word.starts_with(scheme));
    let is_conninfo = [
        "host=",
        "hostaddr=",
        "port=",
        "dbname=",
        "user=",
        "service=",
    ]
    .iter()
    .any(|key| word.starts_with(key));
    if is_conninfo
        || is_url(&["postgres://", "postgresql://"])
        || (!word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit()))
    {
        return Some(format!(
            "'{word}': pgcensus reads log files and never connects to a server"
        ));
    }
    if is_url(&["http://", "https://", "ftp://", "sftp://"]) {
        return Some(format!(
            "'{word}': pgcensus reads local files; try curl -s '{word}' | pgcensus -"
        ));
    }
    if let Some(command) = Command::ALL.iter().find(|command| command.as_str() == word) {
        return Some(format!(
            "'{word}': no such file; a command comes first: pgcensus {} INPUT",
            command.as_str()
        ));
    }
    if is_url(&["ssh://"]) {
        return Some(format!(
            "'{word}': pgcensus reads local files; try ssh HOST cat pg.log | pgcensus -"
        ));
    }
    None
}
