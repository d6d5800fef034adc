//! The configuration file of `serve`: a key is the flag of that name, with `_` for `-`.
//!
//! ```toml
//! inputs = ["/var/log/postgresql"]
//! listen = "10.0.0.5:8432"
//! token_file = "/etc/pgcensus/token"
//! exclude_app = ["pg_isready", "postgres_exporter"]
//! ```
//!
//! Each key is read as its flag on the command line would be, so that both understand and refuse the same. What the command line
//! says prevails, key by key.

use std::ffi::OsString;
use std::path::Path;

use clap::ArgAction;
use toml::de::{DeTable, DeValue};

use super::{Args, Command, Stop, help};

/// Keys beside those of [`FLAGS`].
const INPUTS: &str = "inputs";

/// The flags that are keys.
const FLAGS: [&str; 27] = [
    "server",
    "logfile-list",
    "format",
    "line-prefix",
    "lang",
    "log-timezone",
    "threads",
    "db",
    "user",
    "app",
    "host",
    "exclude-db",
    "exclude-user",
    "exclude-app",
    "exclude-host",
    "exclude-server",
    "pid",
    "session",
    "timezone",
    "personal-user",
    "listen",
    "token-file",
    "tls-cert",
    "tls-key",
    "allow-host",
    "textfile",
    "quiet",
];

/// A key of the file, and the words that it stands for.
struct Key {
    line: usize,
    name: String,
    words: Vec<OsString>,
}

impl Args {
    /// This command line with what a file says beside it.
    ///
    /// # Errors
    /// What is wrong in the file: `line 3: format: …`.
    pub(crate) fn with_config(&self, text: &str) -> Result<Args, String> {
        let keys = keys(text)?;
        for key in &keys {
            alone(key, &keys)
                .map_err(|message| format!("line {}: {}: {message}", key.line, key.name))?;
        }
        let mut args = read(&keys)?;
        args.prefer(self);
        Ok(args)
    }

    /// What another command line says prevails.
    fn prefer(&mut self, other: &Args) {
        fn one<T: Clone>(own: &mut Option<T>, other: Option<&T>) {
            if let Some(other) = other {
                *own = Some(other.clone());
            }
        }
        fn all<T: Clone>(own: &mut Vec<T>, other: &[T]) {
            if !other.is_empty() {
                *own = other.to_vec();
            }
        }
        let (own, its) = (&mut self.input, &other.input);
        let names_input = |server: &super::ServerArg| server.path.is_some();
        if !its.inputs.is_empty() || !its.lists.is_empty() || its.servers.iter().any(names_input) {
            own.inputs.clone_from(&its.inputs);
            own.lists.clone_from(&its.lists);
            own.servers.retain(|server| !names_input(server));
        }
        own.servers.extend(its.servers.iter().cloned());
        one(&mut own.format, its.format.as_ref());
        one(&mut own.line_prefix, its.line_prefix.as_ref());
        all(&mut own.languages, &its.languages);
        one(&mut own.log_timezone, its.log_timezone.as_ref());
        one(&mut own.threads, its.threads.as_ref());
        one(&mut own.chunk_size, its.chunk_size.as_ref());
        let (own, its) = (&mut self.filter, &other.filter);
        for (own, its) in [
            (&mut own.db, &its.db),
            (&mut own.user, &its.user),
            (&mut own.app, &its.app),
            (&mut own.host, &its.host),
            (&mut own.exclude_db, &its.exclude_db),
            (&mut own.exclude_user, &its.exclude_user),
            (&mut own.exclude_app, &its.exclude_app),
            (&mut own.exclude_host, &its.exclude_host),
            (&mut own.exclude_server, &its.exclude_server),
            (&mut own.pid, &its.pid),
            (&mut own.session, &its.session),
        ] {
            all(own, its);
        }
        one(&mut self.show.timezone, other.show.timezone.as_ref());
        all(&mut self.show.personal_user, &other.show.personal_user);
        one(&mut self.show.textfile, other.show.textfile.as_ref());
        self.show.quiet |= other.show.quiet;
        let (own, its) = (&mut self.serve, &other.serve);
        one(&mut own.listen, its.listen.as_ref());
        one(&mut own.token_file, its.token_file.as_ref());
        one(&mut own.tls_cert, its.tls_cert.as_ref());
        one(&mut own.tls_key, its.tls_key.as_ref());
        all(&mut own.allow_host, &its.allow_host);
    }
}

/// The key that by itself leads to what is wrong with the whole, as `line 3: listen`. None: it is not the file's fault.
pub(crate) fn key_to_blame(text: &str, is_wrong: impl Fn(&Args) -> bool) -> Option<String> {
    let keys = keys(text).ok()?;
    let key = keys
        .iter()
        .find(|key| alone(key, &keys).is_ok_and(|args| is_wrong(&args)))?;
    Some(format!("line {}: {}", key.line, key.name))
}

/// The command line of one key; TLS needs two.
fn alone(key: &Key, all: &[Key]) -> Result<Args, String> {
    let is_tls = |key: &Key| key.name.starts_with("tls_");
    if is_tls(key) {
        read(all.iter().filter(|key| is_tls(key)))
    } else {
        read([key])
    }
}

fn read<'k>(keys: impl IntoIterator<Item = &'k Key>) -> Result<Args, String> {
    let head = ["pgcensus", Command::Serve.as_str()].map(OsString::from);
    let words = keys.into_iter().flat_map(|key| key.words.iter().cloned());
    Args::read(head.into_iter().chain(words), Path::exists).map_err(|stop| match stop {
        Stop::Answer(text) | Stop::Usage(text) => text,
    })
}

/// The keys of a file, as they stand there.
fn keys(text: &str) -> Result<Vec<Key>, String> {
    let line = |at: usize| 1 + text[..at.min(text.len())].matches('\n').count();
    let table = DeTable::parse(text).map_err(|err| {
        let at = err.span().map_or(1, |span| line(span.start));
        format!("line {at}: {}", err.message())
    })?;
    let flags = help::command();
    let mut keys = Vec::new();
    for (key, value) in table.get_ref() {
        let (at, name) = (line(key.span().start), key.get_ref().as_ref());
        let wrong = |what: &str| format!("line {at}: {name}: {what}");
        let mut own: Vec<OsString> = Vec::new();
        if name == INPUTS {
            let DeValue::Array(paths) = value.get_ref() else {
                return Err(wrong("not a list of paths"));
            };
            for path in paths {
                match path.get_ref().as_str() {
                    // It would be read as an option.
                    Some(path) if path.starts_with('-') && path != "-" => {
                        own.push(format!("./{path}").into());
                    }
                    Some("") | None => return Err(wrong("not a list of paths")),
                    Some(path) => own.push(path.into()),
                }
            }
            keys.push(Key {
                line: at,
                name: name.to_owned(),
                words: own,
            });
            continue;
        }
        let flag = name.replace('_', "-");
        let Some(flag) = FLAGS
            .iter()
            .find(|known| **known == flag && !name.contains('-'))
        else {
            let known: Vec<_> = FLAGS.iter().map(|flag| flag.replace('-', "_")).collect();
            return Err(wrong(&format!(
                "no such key; there are {INPUTS}, {}",
                known.join(", ")
            )));
        };
        let mut arguments = flags.get_arguments();
        let action = arguments
            .find(|argument| argument.get_long() == Some(flag))
            .map(clap::Arg::get_action);
        match (action, value.get_ref()) {
            (Some(ArgAction::SetTrue), DeValue::Boolean(true)) => {
                own.push(format!("--{flag}").into());
            }
            (Some(ArgAction::SetTrue), DeValue::Boolean(false)) => {}
            (Some(ArgAction::SetTrue), _) => return Err(wrong("not true or false")),
            (_, DeValue::String(text)) => own.push(format!("--{flag}={text}").into()),
            (_, DeValue::Integer(number)) => {
                own.push(format!("--{flag}={}", number.as_str()).into());
            }
            (Some(ArgAction::Append), DeValue::Array(values)) => {
                for value in values {
                    own.push(match value.get_ref() {
                        DeValue::String(text) => format!("--{flag}={text}").into(),
                        DeValue::Integer(number) => format!("--{flag}={}", number.as_str()).into(),
                        _ => return Err(wrong("not a list of texts")),
                    });
                }
            }
            (Some(ArgAction::Append), _) => return Err(wrong("not a text or a list of texts")),
            _ => return Err(wrong("not a text")),
        }
        keys.push(Key {
            line: at,
            name: name.to_owned(),
            words: own,
        });
    }
    keys.sort_by_key(|key| key.line);
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serve(words: &[&str]) -> Args {
        let words = ["pgcensus", "serve"].iter().chain(words);
        Args::read(words.map(OsString::from), |_| true).expect("a command line")
    }

    fn said(args: &Args) -> String {
        format!("{args:?}")
    }

    #[test]
    fn keys_are_flags_and_the_command_line_prevails() {
        let text = r#"
            inputs = ["a.log", "-b.log"]
            server = ["db1=/logs/db1", "db*"]
            listen = "[::1]:9000"
            exclude_app = ["pg_isready"]
            user = "app*"
            threads = 3
            quiet = true
        "#;
        let args = serve(&[]).with_config(text).expect("a configuration");
        let paths: Vec<_> = args.input.inputs.iter().map(|path| path.to_str()).collect();
        assert_eq!(paths, [Some("a.log"), Some("./-b.log")]);
        assert_eq!(args.input.servers.len(), 2);
        assert_eq!(args.serve.listen.as_deref(), Some("[::1]:9000"));
        assert_eq!(args.filter.exclude_app, ["pg_isready"]);
        assert_eq!(args.filter.user, ["app*"]);
        assert_eq!(args.input.threads.map(usize::from), Some(3));
        assert!(args.show.quiet);
        let args = serve(&["c.log", "--user", "web", "--listen", "localhost:1"]);
        let args = args.with_config(text).expect("a configuration");
        assert_eq!(args.input.inputs, [Path::new("c.log")]);
        assert_eq!(args.input.servers.len(), 1);
        assert_eq!(args.filter.user, ["web"]);
        assert_eq!(args.serve.listen.as_deref(), Some("localhost:1"));
    }

    /// Two values of each flag that has one, and of which kind.
    fn values(flag: &str) -> [&str; 2] {
        match flag {
            "format" => ["csvlog", "jsonlog"],
            "lang" => ["de", "fr"],
            "threads" | "pid" => ["2", "3"],
            "textfile" => ["a.prom", "b.prom"],
            _ => ["a", "b"],
        }
    }

    #[test]
    fn every_key_is_taken_and_gives_way_to_the_command_line() {
        for flag in FLAGS {
            let key = flag.replace('-', "_");
            if flag == "quiet" {
                let args = serve(&[]).with_config("quiet = true").expect(flag);
                assert_eq!(said(&args), said(&serve(&["--quiet"])));
                continue;
            }
            let [of_file, own] = values(flag);
            // TLS needs both.
            let beside = match flag {
                "tls-cert" => "tls_key = 'x'",
                "tls-key" => "tls_cert = 'x'",
                _ => "",
            };
            let text = format!("{key} = '{of_file}'\n{beside}");
            let line = |value: &str| {
                let own = format!("--{flag}={value}");
                match flag {
                    "tls-cert" => serve(&[&own, "--tls-key=x"]),
                    "tls-key" => serve(&["--tls-cert=x", &own]),
                    _ => serve(&[&own]),
                }
            };
            let args = serve(&[]).with_config(&text).expect(flag);
            assert_eq!(said(&args), said(&line(of_file)), "{flag}");
            // Of several servers those of the command line come on top: as filters they are a list.
            if flag != "server" {
                let args = line(own).with_config(&text).expect(flag);
                assert_eq!(said(&args), said(&line(own)), "{flag}");
            }
        }
    }

    #[test]
    fn the_key_that_is_to_blame_is_found() {
        let text = "user = 'a'\n\nlisten = 'b'\n";
        let of = |is_wrong: fn(&Args) -> bool| key_to_blame(text, is_wrong);
        let listens = of(|args| args.serve.listen.as_deref() == Some("b"));
        assert_eq!(listens.as_deref(), Some("line 3: listen"));
        assert_eq!(of(|args| args.serve.token_file.is_some()), None);
    }

    #[test]
    fn what_is_wrong_is_said_with_line_and_key() {
        for (text, message) in [
            ("\nlisten = ", "line 2: "),
            (
                "listen = 'x'\n\nlisen = 'y'\n",
                "line 3: lisen: no such key; there are inputs, server, ",
            ),
            ("a = 1\n[b]\n", "line 1: a: no such key; "),
            ("[tls]\ncert = 'x'\n", "line 1: tls: no such key; "),
            ("inputs = 'pg.log'", "line 1: inputs: not a list of paths"),
            (
                "\nformat = 'xml'",
                "line 2: format: --format 'xml': not one of stderr, csvlog, jsonlog",
            ),
            ("db = [true]", "line 1: db: not a list of texts"),
            ("quiet = 'no'", "line 1: quiet: not true or false"),
            ("listen = ['a']", "line 1: listen: not a text"),
            ("listen = 'a'\nlisten = 'b'\n", "line 2: "),
            ("tls_cert = 'a'", "line 1: tls_cert: serve: TLS needs both"),
            ("output = 'x'", "line 1: output: no such key; "),
            ("token-file = 'x'", "line 1: token-file: no such key; "),
        ] {
            let err = serve(&[]).with_config(text).expect_err(text);
            assert!(err.starts_with(message), "{text:?}: {err}");
        }
    }
}
