//! Completions: the command as the first word, files, options and their values.
//!
//! Not those of `clap_complete`, which knows subcommands only, and a command is none here: for it bash would offer options where
//! a file belongs, and PowerShell nothing at all behind the first word.

use std::fmt::Write as _;

use clap::{Arg, Command};
use pgcensus_core::findings::Severity;
use pgcensus_log::translation::LANGUAGES;

use crate::cli::LogFormat;
use crate::cli::help::COMMANDS;

/// The values of `--by`.
pub(super) const DIMENSIONS: [&str; 5] = ["db", "user", "app", "host", "server"];

/// An option that is in the help.
struct Flag {
    short: Option<char>,
    long: String,
    help: String,
    value: Value,
    /// How the value is called.
    value_name: String,
    /// Whether it may be given more than once.
    repeats: bool,
}

/// What follows an option.
enum Value {
    None,
    /// One of these.
    Word(Vec<String>),
    /// Some of these, with commas between.
    Words(Vec<String>),
    /// One of these after `=`, or nothing.
    Maybe(Vec<String>),
    Path,
    /// What nobody can guess.
    Text,
}

fn flags(command: &Command) -> Vec<Flag> {
    let visible = command.get_arguments().filter(|arg| !arg.is_hide_set());
    let flags = visible.filter_map(|arg| {
        let name = arg.get_value_names().unwrap_or_default().first();
        Some(Flag {
            short: arg.get_short(),
            long: arg.get_long()?.to_owned(),
            help: arg.get_help().map(ToString::to_string).unwrap_or_default(),
            value: value(arg),
            value_name: name.map(ToString::to_string).unwrap_or_default(),
            repeats: matches!(arg.get_action(), clap::ArgAction::Append),
        })
    });
    flags.collect()
}

fn value(arg: &Arg) -> Value {
    if !arg.get_action().takes_values() {
        return Value::None;
    }
    let own = arg.get_possible_values();
    let words = match arg.get_id().as_str() {
        "by" => DIMENSIONS.map(str::to_owned).to_vec(),
        "format" => [LogFormat::Stderr, LogFormat::Csvlog, LogFormat::Jsonlog]
            .map(|format| format.as_str().to_owned())
            .to_vec(),
        "fail_on" => Severity::ALL
            .map(|severity| severity.as_str().to_owned())
            .to_vec(),
        "languages" => {
            let all = ["en"].iter().chain(LANGUAGES);
            all.map(|language| (*language).to_owned()).collect()
        }
        _ => own
            .iter()
            .map(|value| value.get_name().to_owned())
            .collect(),
    };
    let names = arg.get_value_names().unwrap_or_default();
    let is_path = |name: &str| {
        ["FILE", "PATH", "INPUT"]
            .iter()
            .any(|path| name.contains(path))
    };
    if !words.is_empty() {
        if arg.get_value_delimiter().is_some() {
            Value::Words(words)
        } else if arg.is_require_equals_set() {
            Value::Maybe(words)
        } else {
            Value::Word(words)
        }
    } else if names.iter().any(|name| is_path(name)) {
        Value::Path
    } else {
        Value::Text
    }
}

/// For bash; `-o nosort` is of 4.4.
pub(super) fn bash(command: &Command) -> String {
    let flags = flags(command);
    let mut cases = String::new();
    for flag in &flags {
        let names = match flag.short {
            Some(short) => format!("-{short} | --{}", flag.long),
            None => format!("--{}", flag.long),
        };
        let take = match &flag.value {
            Value::None => continue,
            Value::Word(words) => format!("words='{}'", words.join(" ")),
            Value::Words(words) => {
                format!(
                    "words='{}' before=${{cur%\"${{cur##*,}}\"}}",
                    words.join(" ")
                )
            }
            // Behind a blank an input may follow as well.
            Value::Maybe(words) => format!("words='{}' files=1", words.join(" ")),
            Value::Path => "files=1".to_owned(),
            Value::Text => "return".to_owned(),
        };
        let _ = writeln!(cases, "        {names}) {take} ;;");
    }
    let longs: Vec<_> = flags
        .iter()
        .map(|flag| format!("--{}", flag.long))
        .collect();
    let commands: Vec<_> = COMMANDS.iter().map(|(command, _)| *command).collect();
    format!(
        r#"# bash completion of pgcensus

_pgcensus() {{
    local cur=$2 prev=$3 words= files= before= word
    COMPREPLY=()
    # `--by=user` is three words here.
    if [[ $cur == = ]]; then
        cur=
    elif [[ $prev == = ]]; then
        prev=${{COMP_WORDS[COMP_CWORD - 2]}}
    fi
    case $prev in
{cases}        *)
            if [[ $cur == -* ]]; then
                words='{longs}'
            elif [[ $COMP_CWORD -eq 1 ]]; then
                words='{commands}' files=1
            else
                files=1
            fi
            ;;
    esac
    while IFS= read -r word; do
        COMPREPLY+=("$word")
    done < <(
        compgen -P "$before" -W "$words" -- "${{cur#"$before"}}"
        [[ $files ]] && compgen -f -- "$cur"
    )
}}

complete -F _pgcensus -o filenames -o nosort pgcensus 2>/dev/null ||
    complete -F _pgcensus -o filenames pgcensus
"#,
        longs = longs.join(" "),
        commands = commands.join(" ")
    )
}

/// For zsh.
pub(super) fn zsh(command: &Command) -> String {
    let quoted = |text: &str| text.replace('\'', r"'\''");
    let escaped = |text: &str| {
        let text = text.replace('\\', r"\\").replace(':', r"\:");
        quoted(&text.replace('[', r"\[").replace(']', r"\]"))
    };
    let mut specs = String::new();
    for flag in flags(command) {
        let name = escaped(&flag.value_name);
        // How the value is joined: to the short name, to the long one, and what it is.
        let (short, long, value) = match &flag.value {
            Value::None => ("", "", String::new()),
            Value::Word(words) => ("+", "=", format!(":{name}:({})", words.join(" "))),
            Value::Words(words) => {
                let words = words.join(" ");
                ("+", "=", format!(":{name}:_sequence compadd - {words}"))
            }
            Value::Maybe(words) => ("", "=-", format!("::{name}:({})", words.join(" "))),
            Value::Path => ("+", "=", format!(":{name}:_files")),
            Value::Text => ("+", "=", format!(":{name}: ")),
        };
        let help = escaped(&flag.help);
        let names: Vec<_> = flag
            .short
            .map(|short| format!("-{short}"))
            .into_iter()
            .collect();
        let once = if flag.repeats {
            "*".to_owned()
        } else {
            format!("({} --{})", names.join(" "), flag.long).replace("( ", "(")
        };
        for name in &names {
            let _ = writeln!(specs, "        '{once}{name}{short}[{help}]{value}' \\");
        }
        let _ = writeln!(
            specs,
            "        '{once}--{}{long}[{help}]{value}' \\",
            flag.long
        );
    }
    let mut commands = String::new();
    for (command, meaning) in COMMANDS {
        let _ = writeln!(
            commands,
            "        '{command}:{}'",
            quoted(&meaning.replace(':', r"\:"))
        );
    }
    format!(
        r#"#compdef pgcensus

_pgcensus_word() {{
    local ret=1
    local -a commands=(
{commands}    )
    if (( CURRENT == 2 )); then
        _describe -t commands command commands && ret=0
    fi
    _files && ret=0
    return ret
}}

_pgcensus() {{
    _arguments -s \
{specs}        '*:input:_pgcensus_word'
}}

if [[ $funcstack[1] == _pgcensus ]]; then
    _pgcensus "$@"
else
    compdef _pgcensus pgcensus
fi
"#
    )
}

/// For fish.
pub(super) fn fish(command: &Command) -> String {
    let quoted = |text: &str| text.replace('\\', r"\\").replace('\'', r"\'");
    let mut text = "# fish completion of pgcensus\n\n".to_owned();
    for (command, meaning) in COMMANDS {
        let _ = writeln!(
            text,
            "complete -c pgcensus -n __fish_is_first_token -a {command} -d '{}'",
            quoted(meaning)
        );
    }
    text.push('\n');
    for flag in flags(command) {
        let short = flag.short.map(|short| format!(" -s {short}"));
        let value = match &flag.value {
            Value::None => String::new(),
            Value::Word(words) => format!(" -x -a '{}'", words.join(" ")),
            Value::Words(words) => format!(" -x -a '(__fish_append , {})'", words.join(" ")),
            Value::Maybe(words) => format!(" -a '{}'", words.join(" ")),
            Value::Path => " -r -F".to_owned(),
            Value::Text => " -x".to_owned(),
        };
        let _ = writeln!(
            text,
            "complete -c pgcensus{} -l {}{value} -d '{}'",
            short.unwrap_or_default(),
            flag.long,
            quoted(&flag.help)
        );
    }
    text
}

/// For PowerShell; where nothing is offered, it offers files.
pub(super) fn powershell(command: &Command) -> String {
    let quoted = |text: &str| text.replace('\'', "''");
    let (mut values, mut options, mut commands) = (String::new(), String::new(), String::new());
    for flag in flags(command) {
        let _ = writeln!(
            options,
            "        '--{}' = '{}'",
            flag.long,
            quoted(&flag.help)
        );
        let (Value::Word(words) | Value::Words(words) | Value::Maybe(words)) = &flag.value else {
            continue;
        };
        let names = flag.short.map(|short| format!("-{short}"));
        for name in names.into_iter().chain([format!("--{}", flag.long)]) {
            let _ = writeln!(values, "        '{name}' {{ '{}' }}", words.join("', '"));
        }
    }
    for (command, meaning) in COMMANDS {
        let _ = writeln!(commands, "        '{command}' = '{}'", quoted(meaning));
    }
    format!(
        r"# PowerShell completion of pgcensus

Register-ArgumentCompleter -Native -CommandName pgcensus -ScriptBlock {{
    param($word, $ast, $cursor)

    $commands = [ordered]@{{
{commands}    }}
    $options = [ordered]@{{
{options}    }}
    $before = @($ast.CommandElements | Where-Object {{ $_.Extent.EndOffset -lt $cursor }})
    $values = @(switch -CaseSensitive ($before[-1].Extent.Text) {{
{values}    }})
    $offered = if ($values) {{ $values }}
        elseif ($word.StartsWith('-')) {{ $options.Keys }}
        elseif ($before.Count -eq 1) {{ $commands.Keys }}

    $offered | Where-Object {{ $_ -and $_.StartsWith($word) }} | ForEach-Object {{
        $meaning = @($options[$_], $commands[$_], $_ | Where-Object {{ $_ }})[0]
        [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $meaning)
    }}
}}
"
    )
}
