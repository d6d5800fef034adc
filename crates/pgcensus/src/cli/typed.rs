//! The filter that is typed into `top`: the flags of the command line, with or without their `--`, or a bare word.
//!
//! ```text
//! --user 'app*' --exclude-host 10.0.0.0/8      as on the command line
//! user=app* exclude-host=10.0.0.0/8            the same
//! pool                                          names of the panel with the focus that contain it
//! ```

use anyhow::bail;
use clap::{FromArgMatches as _, Parser};
use pgcensus_core::filter::Filter;
use pgcensus_core::names::Dimension;

use super::{FilterArgs, each, usage};

/// The flags that make a filter.
#[derive(Debug, Default, Parser)]
#[command(
    no_binary_name = true,
    disable_help_flag = true,
    disable_version_flag = true
)]
struct Typed {
    #[command(flatten)]
    filter: FilterArgs,
    #[arg(long = "server")]
    servers: Vec<String>,
}

/// The filter that is typed. A bare word is looked for in this dimension.
///
/// # Errors
/// It is none yet: a flag has no value, a quote no end.
pub(crate) fn typed_filter(text: &str, dimension: Dimension) -> anyhow::Result<Filter> {
    let mut words = Vec::new();
    let mut wants_value = false;
    for word in split(text)? {
        let is_flag = word.starts_with('-');
        let has_value = word.contains('=');
        words.push(match (wants_value, is_flag, has_value) {
            (true, ..) | (_, true, _) => word,
            (false, false, true) => format!("--{word}"),
            (false, false, false) => {
                let stars = |name: &str| format!("*{}*", name.trim_matches('*'));
                format!("{}={}", flag(dimension), stars(&word))
            }
        });
        wants_value = !wants_value && is_flag && !has_value;
    }
    let command = <Typed as clap::CommandFactory>::command();
    let typed = command
        .try_get_matches_from(&words)
        .and_then(|matches| Typed::from_arg_matches(&matches));
    let typed = match typed {
        Ok(typed) => typed,
        Err(err) => bail!(usage::describe(&err)),
    };
    let mut filter = typed.filter.filter()?;
    each("--server", &typed.servers, |name| {
        filter.include(Dimension::Server, name)
    })?;
    Ok(filter)
}

fn flag(dimension: Dimension) -> &'static str {
    match dimension {
        Dimension::Database => "--db",
        Dimension::User => "--user",
        Dimension::ApplicationName => "--app",
        Dimension::ClientHost => "--host",
        Dimension::Server => "--server",
    }
}

impl FilterArgs {
    /// The same as it would be typed.
    pub(super) fn as_typed(&self, servers: &[String]) -> String {
        let servers = servers.iter().map(|name| ("--server", &**name));
        let word = |(flag, value): (&str, &str)| {
            format!("{}={}", flag.trim_start_matches('-'), quoted(value))
        };
        let words: Vec<_> = self.given().chain(servers).map(word).collect();
        words.join(" ")
    }
}

fn quoted(value: &str) -> String {
    let is_plain = |c: char| !c.is_whitespace() && !matches!(c, '\'' | '"' | '\\');
    if !value.is_empty() && value.chars().all(is_plain) {
        value.to_owned()
    } else {
        format!("'{}'", value.replace('\'', r"'\''"))
    }
}

/// Words as a shell has them: quotes and backslashes, and nothing else of it.
fn split(text: &str) -> anyhow::Result<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some('\''), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (_, '\\') => word.get_or_insert_default().extend(chars.next()),
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    if let Some(quote) = quote {
        bail!("{quote} has no end");
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_means_what_the_command_line_means() {
        let typed = |text: &str| {
            let filter = typed_filter(text, Dimension::User);
            filter.map(|filter| format!("{filter:?}"))
        };
        let same = |texts: &[&str]| {
            for text in &texts[1..] {
                assert_eq!(typed(text).unwrap(), typed(texts[0]).unwrap(), "{text}");
            }
        };
        same(&["", "   "]);
        same(&[
            "--user=app*",
            "user=app*",
            "--user 'app*'",
            "-u app*",
            "user='app*'",
        ]);
        same(&["--user=*app*", "app", "*app*"]);
        same(&[
            "--db=shop --exclude-host=10.0.0.0/8",
            "db=shop exclude-host=10.0.0.0/8",
            "database=shop --exclude-host 10.0.0.0/8",
        ]);
        same(&[
            "--db='no such db'",
            r"db=no\ such\ db",
            "--db \"no such db\"",
        ]);
        same(&["--server=main", "server=main"]);
        for (text, message) in [
            ("user='app", "' has no end"),
            ("--user", "--user: needs a value"),
            ("host=10.0.0.0/99", "--host '10.0.0.0/99'"),
            ("colour=red", "--colour: no such option"),
        ] {
            let err = typed(text).expect_err(text);
            assert!(err.to_string().starts_with(message), "{text}: {err}");
        }
    }

    #[test]
    fn flags_of_the_command_line_are_shown_as_they_would_be_typed() {
        let args = FilterArgs {
            user: vec!["app*".to_owned(), "O'Hara".to_owned()],
            exclude_host: vec!["10.0.0.0/8".to_owned()],
            ..FilterArgs::default()
        };
        let text = args.as_typed(&["main".to_owned()]);
        assert_eq!(
            text,
            r"user=app* user='O'\''Hara' exclude-host=10.0.0.0/8 server=main"
        );
        let filter = typed_filter(&text, Dimension::User).unwrap();
        assert!(!filter.is_empty());
    }
}
