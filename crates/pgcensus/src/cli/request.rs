//! What a request to `serve` may ask for: a parameter of its address is the flag of that name.
//!
//! ```text
//! /api/v1/summary?user=app&user=web&last=1h   →   pgcensus summary --json --user=app --user=web --last=1h INPUT
//! ```
//!
//! The words are read as the command line is, so that both understand and refuse the same. Which flags there are is a list: no
//! flag that names a file, or says how a log is read, is a parameter. How the log is read is for whoever started `serve`; a
//! request can only narrow which of its sessions count.

use std::ffi::OsString;

use clap::ArgAction;

use super::{Args, Command, Compared, FilterArgs, InputArgs, ServerArg, Stop, help};

/// Which sessions.
const FILTER: &[&str] = &[
    "db",
    "user",
    "app",
    "host",
    "server",
    "exclude-db",
    "exclude-user",
    "exclude-app",
    "exclude-host",
    "exclude-server",
    "pid",
    "session",
];

/// Which time.
const WINDOW: &[&str] = &["since", "until", "last", "between"];

/// What else a command understands; `None`: it is not for requests.
fn others(command: Command) -> Option<&'static [&'static str]> {
    Some(match command {
        Command::Summary => &["at", "by", "limit", "no-fold", "timezone"],
        Command::History => &["bucket", "timezone"],
        Command::Sessions => &["at", "open", "sort", "limit", "timezone"],
        Command::Refused => &["by", "limit", "timezone"],
        Command::Findings => &["personal-user", "limit", "timezone"],
        Command::Compare => &["before", "after", "by", "limit", "timezone"],
        Command::Report => &["anonymize", "timezone"],
        // It is a stream, which has no end.
        Command::Events => &[],
        Command::Watch | Command::Top | Command::Servers | Command::Serve => return None,
    })
}

/// A parameter of a request, as the help has its flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parameter {
    /// The flag without its hyphens.
    pub(crate) name: &'static str,
    /// What the help says of it.
    pub(crate) help: String,
    /// What its value is.
    pub(crate) kind: Kind,
}

/// What the value of a parameter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Given or not: `open`, `open=true`.
    Flag,
    /// Once.
    Once,
    /// It may be repeated.
    Repeated,
}

/// The parameters of a command, in the order of the help; `None`: it is not for requests.
pub(crate) fn parameters(command: Command) -> Option<Vec<Parameter>> {
    let others = others(command)?;
    let window = match command {
        Command::Events => &[][..],
        // Its windows are its own; the hours of each day go with them.
        Command::Compare => &["between"],
        _ => WINDOW,
    };
    let names: Vec<_> = [FILTER, window, others].concat();
    let flags = help::command();
    let parameters = names.into_iter().map(|name| {
        let flag = flags
            .get_arguments()
            .find(|flag| flag.get_long() == Some(name));
        let help = flag.and_then(clap::Arg::get_help).map(ToString::to_string);
        let kind = match flag.map(clap::Arg::get_action) {
            Some(ArgAction::SetTrue) => Kind::Flag,
            Some(ArgAction::Append) => Kind::Repeated,
            _ => Kind::Once,
        };
        Parameter {
            name,
            help: help.unwrap_or_default(),
            kind,
        }
    });
    Some(parameters.collect())
}

impl Args {
    /// The command line that a request stands for, on the input of this one.
    ///
    /// # Errors
    /// What is wrong with it, in the words of the command line.
    pub(crate) fn of_request(
        &self,
        command: Command,
        given: &[(String, String)],
    ) -> Result<Args, String> {
        let known = parameters(command).unwrap_or_default();
        let mut words: Vec<OsString> = ["pgcensus", command.as_str(), "--json", "--quiet"]
            .map(OsString::from)
            .into();
        // It is printed as a line each by itself: `watch` alone follows.
        if command == Command::Events {
            words.truncate(2);
        }
        for (name, value) in given {
            let Some(parameter) = known.iter().find(|parameter| parameter.name == *name) else {
                let names: Vec<_> = known.iter().map(|parameter| parameter.name).collect();
                return Err(format!(
                    "'{name}': no parameter of {}; it takes {}",
                    command.as_str(),
                    names.join(", ")
                ));
            };
            match (parameter.kind, &**value) {
                (Kind::Flag, "" | "1" | "true") => words.push(format!("--{name}").into()),
                (Kind::Flag, "0" | "false") => {}
                (Kind::Flag, _) => {
                    return Err(format!("{name} '{value}': not one of true, false"));
                }
                _ => words.push(format!("--{name}={value}").into()),
            }
        }
        let mut args = Args::read(words, |_| false).map_err(|stop| match stop {
            Stop::Answer(text) | Stop::Usage(text) => text,
        })?;
        if names_input(&args) {
            return Err(
                "a request reads what the server was started with, and names no input".to_owned(),
            );
        }
        let servers = std::mem::take(&mut args.input.servers);
        args.input = InputArgs {
            servers: self.servers_of(servers)?,
            ..self.input.clone()
        };
        narrow(&self.filter, &mut args.filter)?;
        args.filter.hides_others = self.filter().is_ok_and(|filter| !filter.is_empty());
        if args.show.timezone.is_none() {
            args.show.timezone.clone_from(&self.show.timezone);
        }
        let persons = self.show.personal_user.iter().cloned();
        if command == Command::Findings {
            args.show.personal_user.extend(persons);
        }
        Ok(args)
    }

    /// The inputs with names of this command line, and the servers that count.
    fn servers_of(&self, asked: Vec<ServerArg>) -> Result<Vec<ServerArg>, String> {
        let own = self.input.servers.iter().cloned();
        let (inputs, own): (Vec<_>, Vec<_>) = own.partition(|server| server.path.is_some());
        let name = |server: ServerArg| server.name;
        let mut asked = asked.into_iter().map(name).collect();
        let own: Vec<_> = own.into_iter().map(name).collect();
        narrow_one("server", &own, &mut asked)?;
        let chosen = asked.into_iter().map(|name| ServerArg { name, path: None });
        Ok(inputs.into_iter().chain(chosen).collect())
    }
}

/// Whether the words of a request came to mean something to read: `server=a=/etc`, `before=/etc`.
fn names_input(args: &Args) -> bool {
    let input = &args.input;
    !input.inputs.is_empty()
        || !input.lists.is_empty()
        || input.servers.iter().any(|server| server.path.is_some())
        || !args.show.output.is_empty()
        || matches!(args.compared, Some(Compared::Inputs(_)))
}

/// What is asked for, of what may be shown at all.
fn narrow(own: &FilterArgs, asked: &mut FilterArgs) -> Result<(), String> {
    for (name, own, asked) in [
        ("db", &own.db, &mut asked.db),
        ("user", &own.user, &mut asked.user),
        ("app", &own.app, &mut asked.app),
        ("host", &own.host, &mut asked.host),
        ("pid", &own.pid, &mut asked.pid),
        ("session", &own.session, &mut asked.session),
    ] {
        narrow_one(name, own, asked)?;
    }
    for (own, asked) in [
        (&own.exclude_db, &mut asked.exclude_db),
        (&own.exclude_user, &mut asked.exclude_user),
        (&own.exclude_app, &mut asked.exclude_app),
        (&own.exclude_host, &mut asked.exclude_host),
        (&own.exclude_server, &mut asked.exclude_server),
    ] {
        asked.extend(own.iter().cloned());
    }
    Ok(())
}

/// Of one dimension: patterns of a filter add to each other, so that one more would show more.
fn narrow_one(name: &str, own: &[String], asked: &mut Vec<String>) -> Result<(), String> {
    if own.is_empty() {
        return Ok(());
    }
    if asked.is_empty() {
        own.clone_into(asked);
        return Ok(());
    }
    match asked.iter().find(|asked| !own.contains(asked)) {
        None => Ok(()),
        Some(other) => Err(format!(
            "{name} '{other}': this server shows {} alone",
            own.join(", ")
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(words: &[&str]) -> Args {
        let words = ["pgcensus", "serve", "pg.log"].iter().chain(words);
        Args::read(words.map(OsString::from), |_| true).expect("a command line")
    }

    fn request(base: &Args, command: Command, query: &[(&str, &str)]) -> Result<Args, String> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        base.of_request(command, &query.iter().map(owned).collect::<Vec<_>>())
    }

    #[test]
    fn parameters_are_flags() {
        let base = base(&["--exclude-app", "pg_isready", "--server", "a=/logs/a"]);
        let query = [
            ("user", "app"),
            ("user", "-x"),
            ("since", "-30m"),
            ("by", "db,user"),
            ("no-fold", ""),
            ("server", "a"),
        ];
        let args = request(&base, Command::Summary, &query).expect("a request");
        assert_eq!(args.filter.user, ["app", "-x"]);
        assert_eq!(args.filter.exclude_app, ["pg_isready"]);
        assert_eq!(args.window.since.as_deref(), Some("-30m"));
        assert_eq!(args.show.by.len(), 2);
        assert!(args.show.no_fold && args.show.json);
        assert_eq!(args.input.inputs, base.input.inputs);
        let servers = args.input.servers.iter();
        let servers: Vec<_> = servers.map(|s| (&*s.name, s.path.is_some())).collect();
        assert_eq!(servers, [("a", true), ("a", false)]);
    }

    #[test]
    fn no_request_names_a_file() {
        let base = base(&[]);
        for (command, query) in [
            (Command::Summary, &[("server", "a=/etc/passwd")][..]),
            (Command::Compare, &[("before", "/etc"), ("after", "/var")]),
            (
                Command::Compare,
                &[
                    ("before", "09:00..10:00"),
                    ("before", "/etc/passwd"),
                    ("after", "10:00..11:00"),
                ],
            ),
            (Command::Summary, &[("output", "/tmp/x.json")]),
            (Command::Summary, &[("o", "/tmp/x.json")]),
            (Command::Summary, &[("logfile-list", "/etc/passwd")]),
            (Command::Summary, &[("line-prefix", "%m")]),
            (Command::Summary, &[("user=x --output", "/tmp/x.json")]),
            (Command::Summary, &[("help", "")]),
            (Command::Summary, &[("", "/etc/passwd")]),
            (Command::Servers, &[("db", "x")]),
        ] {
            let args = request(&base, command, query);
            assert!(args.is_err(), "{query:?}: {args:?}");
        }
    }

    #[test]
    fn mistakes_are_told_as_on_the_command_line() {
        let base = base(&["--db", "shop", "--db", "web*"]);
        for (command, query, message) in [
            (
                Command::Summary,
                &[("by", "colour")][..],
                "--by 'colour': not one of db, user, app, host, server",
            ),
            (
                Command::History,
                &[("at", "14:03")],
                "'at': no parameter of history; it takes db, user, app, host, server, exclude-db, exclude-user, \
                 exclude-app, exclude-host, exclude-server, pid, session, since, until, last, between, bucket, timezone",
            ),
            (
                Command::Sessions,
                &[("open", "yes")],
                "open 'yes': not one of true, false",
            ),
            (
                Command::Summary,
                &[("last", "1h"), ("last", "2h")],
                "--last: given twice",
            ),
            (
                Command::Summary,
                &[("db", "shop"), ("db", "postgres")],
                "db 'postgres': this server shows shop, web* alone",
            ),
        ] {
            assert_eq!(request(&base, command, query).unwrap_err(), message);
        }
        let args = request(&base, Command::Summary, &[("db", "shop")]).expect("a request");
        assert_eq!(args.filter.db, ["shop"]);
        let args = request(&base, Command::Summary, &[]).expect("a request");
        assert_eq!(args.filter.db, ["shop", "web*"]);
    }

    #[test]
    fn every_parameter_has_its_help() {
        for command in Command::ALL {
            for parameter in parameters(command).into_iter().flatten() {
                assert!(!parameter.help.is_empty(), "{}", parameter.name);
            }
        }
    }
}
