//! Where logs come from: paths and stdin → the files to read, by server, in order, each event once.
//!
//! ```text
//! Request ─► paths ─► head of each: what is it? ─► by server ─► duplicates ─► overlap ─► Plan
//! ```
//!
//! A [`Plan`] opens nothing that it does not name: what is no log, a second copy, or one server's
//! events written in a second format is left out and said. Reading the files is the pipeline's.

mod ahead;
mod archive;
pub(crate) mod compressed;
mod duplicates;
mod enveloped;
pub(crate) mod file;
pub(crate) mod growing;
mod gzip;
mod head;
pub(crate) mod input;
mod judge;
mod lines;
mod lz4;
pub(crate) mod names;
mod overlap;
mod paths;
mod picked;
pub(crate) mod section;
mod spool;
mod tail;
mod take;
mod tar;
pub(crate) mod translated;

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use pgcensus_log::format::Format;
use pgcensus_log::line_prefix::LinePrefix;

use crate::discover::Place;
use crate::view::text::thousands;
use archive::{Look, TarMember};
use file::{Kind, LogFile};
use growing::{Growing, Held};
use head::Opened;
use input::{Piped, Reading};
use judge::no_log;
use names::ServerNames;
use paths::{Candidate, Paths, Way};
pub(crate) use paths::{is_compressed_name, server_name};
use spool::Spool;
use take::{Learned, Part, Take, Taken, take_file, take_stream, take_tar};

/// What the operator asked to read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    /// Files, directories, patterns and `-`; none is stdin.
    pub(crate) paths: Vec<PathBuf>,
    /// Files that list such paths, one on a line.
    pub(crate) log_lists: Vec<PathBuf>,
    /// `--server NAME=PATH`: paths whose server is named.
    pub(crate) servers: Vec<(String, PathBuf)>,
    /// Directories in which servers that were found make files, with their names.
    pub(crate) places: Vec<(String, Place)>,
    /// `--format`: overrules the guess.
    pub(crate) format: Option<FormatOption>,
    /// `--line-prefix`: overrules the inference.
    pub(crate) line_prefix: Option<LinePrefix>,
    /// `--lang`: overrules the languages that are found; of English alone it is empty.
    pub(crate) languages: Option<Vec<&'static str>>,
    /// Counts what is read of pipes, and ends them.
    pub(crate) reading: Arc<Reading>,
    /// What is read is followed then: of what may go on, whole lines are read.
    pub(crate) follows: bool,
    /// Whose a log is, its first megabyte tells, where it can be read again: [`Reading::late`] tells whether that was wrong.
    pub(crate) trusts_begins: bool,
    /// Files that were at some of the paths before they were renamed or deleted: they are read too.
    pub(crate) held: Vec<Held>,
}

impl Request {
    /// The paths that its lists name.
    pub(crate) fn listed(&self) -> Vec<PathBuf> {
        let texts = self
            .log_lists
            .iter()
            .filter_map(|list| std::fs::read_to_string(list).ok());
        texts
            .flat_map(|text| paths::of_list(&text).collect::<Vec<_>>())
            .collect()
    }

    /// Nothing was named.
    pub(crate) fn is_empty(&self) -> bool {
        self.paths.is_empty() && self.servers.is_empty() && self.log_lists.is_empty()
    }
}

/// The formats that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FormatOption {
    /// `log_destination = stderr`
    Stderr,
    /// `csvlog`
    Csvlog,
    /// `jsonlog`
    Jsonlog,
}

/// The standard input of the process.
pub(crate) struct Stdin {
    /// Something is piped in: it is no terminal, where somebody types, and not `/dev/null`, which services, schedulers
    /// and scripts give to programs that shall read nothing. A pipe is what was piped in, be it empty: what `grep` did
    /// not find must not turn into the log of another server.
    pub(crate) is_piped: bool,
    /// Its bytes.
    pub(crate) reader: Box<dyn Read + Send>,
}

impl Stdin {
    /// None at all.
    pub(crate) fn none() -> Stdin {
        Stdin {
            is_piped: false,
            reader: Box::new(io::empty()),
        }
    }

    /// The real one.
    pub(crate) fn of_process(reading: &Arc<Reading>) -> io::Result<Stdin> {
        let stdin = io::stdin();
        Ok(Stdin {
            is_piped: !stdin.is_terminal() && !is_null(&input::file_of(&stdin)?),
            reader: Box::new(Piped::new(input::file_of(&stdin)?, reading)),
        })
    }

    /// What is piped in, if it is asked for, with the name of its server; it is not among the paths of the request then.
    pub(crate) fn take_of(
        &mut self,
        request: &mut Request,
    ) -> Option<(Option<String>, Box<dyn Read + Send>)> {
        let is_stdin = |path: &Path| path == Path::new("-");
        let named = request.servers.iter().find(|(_, path)| is_stdin(path));
        let named = named.map(|(name, _)| name.clone());
        let is_asked = named.is_some()
            || request.paths.iter().any(|path| is_stdin(path))
            || request.is_empty() && self.is_piped;
        if !is_asked {
            return None;
        }
        request.servers.retain(|(_, path)| !is_stdin(path));
        request.paths.retain(|path| !is_stdin(path));
        self.is_piped = false;
        Some((
            named,
            std::mem::replace(&mut self.reader, Box::new(io::empty())),
        ))
    }

    /// Whether a tar is piped in, compressed or not; a look at its begin, which is read again.
    pub(crate) fn begins_tar(&mut self) -> io::Result<bool> {
        archive::begins_tar(&mut self.reader)
    }
}

/// Whether it is `/dev/null`.
#[cfg(unix)]
fn is_null(file: &File) -> bool {
    use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
    let null = std::fs::metadata("/dev/null").map(|null| null.rdev());
    let is =
        |file: &std::fs::Metadata, null| file.file_type().is_char_device() && file.rdev() == null;
    file.metadata()
        .is_ok_and(|file| null.is_ok_and(|null| is(&file, null)))
}

/// Whether it is `/dev/null`.
#[cfg(not(unix))]
fn is_null(_: &File) -> bool {
    false
}

/// What is read, in which order, and what is not.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// In order of name.
    pub(crate) servers: Vec<ServerInput>,
    /// Not read, and worth saying: copies, second formats, logs of other programs.
    pub(crate) left_out: Vec<LeftOut>,
    /// Not read, and said by `--explain` only: what lies in directories and is no log, empty files,
    /// paths given twice.
    pub(crate) ignored: Vec<LeftOut>,
    /// Inputs that could not be read.
    pub(crate) problems: Vec<Problem>,
    /// Inputs that are empty: read, with nothing in them.
    pub(crate) empty: usize,
    /// Plain files, where they are followed.
    pub(crate) growing: Vec<Growing>,
    /// What servers are called that are known by their paths.
    pub(crate) names: ServerNames,
    /// Inputs that are not there; where they are followed, not yet.
    pub(crate) awaited: Vec<PathBuf>,
    /// When it was begun to be made: what was there then is in it.
    pub(crate) made: Option<SystemTime>,
}

/// The log of one server.
#[derive(Debug)]
pub(crate) struct ServerInput {
    /// Its name.
    pub(crate) name: String,
    /// In order of time, at least one.
    pub(crate) files: Vec<LogFile>,
}

/// A file that is not read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LeftOut {
    /// As shown.
    pub(crate) path: String,
    /// Whose it is, where that is known.
    pub(crate) server: Option<String>,
    /// What it is, and why it is not read.
    pub(crate) what: String,
}

/// An input that could not be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The operator's spelling; empty where no path is at fault.
    pub(crate) path: String,
    /// What is wrong, and what to do.
    pub(crate) message: String,
}

/// How much of the input can be read; design's exit statuses 0, 1 and 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readable {
    /// All of it, as far as its heads tell.
    All,
    /// Something is missing, the rest is there.
    Some,
    /// Nothing.
    None,
}

impl Problem {
    fn new(path: &Path, message: String) -> Problem {
        Problem {
            path: path.display().to_string(),
            message,
        }
    }

    /// A path that could not be opened.
    fn of(path: impl AsRef<Path>, err: &io::Error) -> Problem {
        let message = match err.kind() {
            io::ErrorKind::NotFound => "no such file".to_owned(),
            io::ErrorKind::PermissionDenied => {
                "permission denied; read it as its owner or as a member of its group".to_owned()
            }
            // The system's own words, without their number.
            _ => {
                let text = err.to_string();
                text.split(" (os error")
                    .next()
                    .map_or_else(String::new, |text| {
                        let mut text = text.to_owned();
                        if let Some(first) = text.get_mut(..1) {
                            first.make_ascii_lowercase();
                        }
                        text
                    })
            }
        };
        Problem::new(path.as_ref(), message)
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &*self.path {
            "" => f.write_str(&self.message),
            path => write!(f, "{path}: {}", self.message),
        }
    }
}

impl std::fmt::Display for LeftOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path, self.what)
    }
}

impl Plan {
    /// Finds out what there is to read.
    pub(crate) fn of(request: &Request, stdin: Stdin) -> Plan {
        let mut plan = Plan {
            made: Some(SystemTime::now()),
            ..Plan::default()
        };
        let mut paths = Paths::find(request);
        if request.is_empty() && stdin.is_piped {
            paths.stdin = Some(STDIN.to_owned());
        }
        plan.problems.append(&mut paths.problems);
        plan.awaited.append(&mut paths.awaited);
        plan.ignored
            .extend(paths.repeated.iter().map(|path| LeftOut {
                path: path.display().to_string(),
                server: None,
                what: "given twice, read once".to_owned(),
            }));

        let request = &Request {
            trusts_begins: request.trusts_begins && paths.can_be_found_again(request),
            ..request.clone()
        };
        let mut learned = Learned::of(request);
        let mut spool = Spool::default();
        let mut logs = plan.look(request, paths, &mut learned, &mut spool);
        if let Some(server) = logs.stdin.take() {
            let path = Path::new("-");
            let end = enveloped::day_of(SystemTime::now());
            let parts = match Opened::new(stdin.reader, end) {
                Ok(opened) if opened.is_tar => {
                    let look = Look {
                        request,
                        learned: &mut learned,
                        spool: &mut spool,
                        path,
                        canonical: None,
                        way: Way::Asked,
                    };
                    vec![take_tar(opened, look).into()]
                }
                Ok(opened) => {
                    let take = Take {
                        request,
                        path,
                        way: Way::Asked,
                    };
                    take_stream(opened, take, &mut learned, &mut spool)
                }
                Err(err) => vec![Taken::Problem(Problem::of(path, &err).message).into()],
            };
            let of_path = |_: &Taken| STDIN.to_owned();
            let found = &mut logs.found;
            plan.place_parts(parts, Some(&server), of_path, path, Way::Asked, found);
        }
        plan.name_apart(request, &mut logs.found);
        let (kept, copies) = duplicates::leave_out(logs.found);
        plan.left_out.extend(copies);
        plan.servers = by_server(kept);
        overlap::leave_out(&mut plan.servers, &mut plan.left_out);
        for server in &mut plan.servers {
            order(&mut server.files);
        }
        plan.say_why_nothing();
        plan
    }

    /// Keeps servers apart that are named by directories of one name.
    fn name_apart(&mut self, request: &Request, found: &mut [Found]) {
        let given = |name: &str| request.servers.iter().any(|(server, _)| server == name);
        let mut by_path: Vec<(&mut Found, PathBuf)> = Vec::new();
        for found in found {
            let path = match &found.file.kind {
                Kind::File(path) => Some(path.clone()),
                Kind::Section(_) => Some(PathBuf::from(&found.file.display)),
                Kind::Spooled(_) | Kind::Picked(..) | Kind::Stream(_) => None,
            };
            let canonical = path.and_then(|path| path.canonicalize().ok());
            // The name of an envelope or of an option is another one.
            if let Some(canonical) = canonical
                && !given(&found.server)
                && server_name(&canonical) == found.server
            {
                by_path.push((found, canonical));
            }
        }
        self.names = ServerNames::of(by_path.iter().map(|(_, path)| path.as_path()));
        for (found, path) in by_path {
            found.server = self.names.name(&path);
        }
    }

    /// Where nothing is left to read and nothing is wrong, what there is instead is the problem.
    fn say_why_nothing(&mut self) {
        const LINES: usize = 10;
        let is_there = !self.servers.is_empty() || self.empty > 0;
        if is_there || !self.problems.is_empty() || self.may_come() {
            return;
        }
        let instead = if self.left_out.is_empty() {
            &self.ignored
        } else {
            &self.left_out
        };
        let said = instead.iter().take(LINES).map(|left| Problem {
            path: left.path.clone(),
            message: left.what.clone(),
        });
        self.problems.extend(said);
        if let Some(more @ 1..) = instead.len().checked_sub(LINES) {
            self.problems.push(Problem {
                path: String::new(),
                message: format!("and {} more; --explain names them", thousands(more as u64)),
            });
        }
    }

    /// Looks at the head of each file.
    fn look(
        &mut self,
        request: &Request,
        paths: Paths,
        learned: &mut Learned,
        spool: &mut Spool,
    ) -> Looked {
        let mut found = Vec::new();
        let mut logs_in: Vec<Contents> = paths
            .directories
            .iter()
            .map(|_| Contents::default())
            .collect();
        for candidate in paths.candidates {
            let parts = take_file(&candidate, request, learned, spool, &mut self.growing);
            let Candidate {
                path,
                canonical,
                server,
                way,
                ..
            } = candidate;
            // What cannot be read now may be read later.
            let is_problem = |part: &Part| matches!(part.taken, Taken::Problem(_));
            if request.follows && parts.iter().any(is_problem) && File::open(&path).is_err() {
                self.awaited.push(path.clone());
            }
            if let Way::Walked(directory) = way {
                let contents = &mut logs_in[directory];
                contents.files += 1;
                for part in &parts {
                    contents.add(&part.taken);
                }
            }
            let of_path = |taken: &Taken| match taken {
                Taken::Log(log) if matches!(log.kind, Kind::Stream(_)) => STDIN.to_owned(),
                _ => paths::server_name(&canonical),
            };
            self.place_parts(parts, server.as_deref(), of_path, &path, way, &mut found);
        }
        for (directory, contents) in paths.directories.iter().zip(logs_in) {
            let under = |problem: &Problem| Path::new(&problem.path).starts_with(directory);
            if contents.named || self.problems.iter().any(under) {
                continue;
            }
            let repeated = paths
                .repeated
                .iter()
                .any(|path| path.starts_with(directory));
            if contents.files == 0 && repeated {
                continue;
            }
            if request.follows {
                self.awaited.push(directory.clone());
                continue;
            }
            let message = contents.without_log("directory");
            self.problems.push(Problem::new(directory, message));
        }
        Looked {
            found,
            stdin: paths.stdin,
        }
    }

    /// Puts the parts of an input where they belong. `given` is the name that is asked for, `of_path` the one that is left.
    fn place_parts(
        &mut self,
        parts: Vec<Part>,
        given: Option<&str>,
        of_path: impl Fn(&Taken) -> String,
        path: &Path,
        way: Way,
        found: &mut Vec<Found>,
    ) {
        let is_alone = parts.len() == 1;
        for Part { taken, server } in parts {
            let name = name_of(given, server, is_alone, || of_path(&taken));
            self.place(taken, given, name, path, way, found);
        }
    }

    /// Puts what an input was taken for where it belongs; of a tar each member, with the name that was `given` for its server.
    fn place(
        &mut self,
        taken: Taken,
        given: Option<&str>,
        server: String,
        path: &Path,
        way: Way,
        found: &mut Vec<Found>,
    ) {
        let path = path.display().to_string();
        match (taken, way) {
            (Taken::Log(file), _) => found.push(Found {
                server,
                file: *file,
            }),
            (Taken::Empty, way) => {
                self.empty += usize::from(way == Way::Asked);
                self.ignored.push(LeftOut {
                    path,
                    server: Some(server),
                    what: "empty".to_owned(),
                });
            }
            (Taken::Ignored(what) | Taken::OtherFormat(what), _) => self.ignored.push(LeftOut {
                path,
                server: None,
                what,
            }),
            (Taken::LeftOut(what), _) => self.left_out.push(LeftOut {
                path,
                server: Some(server),
                what,
            }),
            (Taken::Problem(message), _) => self.problems.push(Problem { path, message }),
            (Taken::Tar(tar), way) => {
                let mut contents = Contents {
                    files: tar.members.len() as u64,
                    named: tar.problem.is_some(),
                    ..Contents::default()
                };
                let is_left = tar.is_left;
                // Of stdin the members tell more.
                let named = given.filter(|&given| given != STDIN);
                for TarMember {
                    display,
                    server,
                    parts,
                } in tar.members
                {
                    for part in &parts {
                        contents.add(&part.taken);
                    }
                    let of_path = |_: &Taken| server.clone();
                    self.place_parts(parts, named, of_path, &display, Way::Member, found);
                }
                if let Some(message) = tar.problem {
                    self.problems.push(Problem { path, message });
                } else if !contents.named {
                    let what = if is_left {
                        "no PostgreSQL log in the first GB of this tar; name it to have all of it looked at".to_owned()
                    } else {
                        contents.without_log("tar")
                    };
                    let taken = no_log(what, way);
                    self.place(taken, given, server, Path::new(&path), way, found);
                }
            }
        }
    }

    /// What is there, or is not yet, is followed.
    pub(crate) fn may_come(&self) -> bool {
        !self.awaited.is_empty() || !self.growing.is_empty()
    }

    /// Adds what was wrong before there was a plan.
    pub(crate) fn add_problems(&mut self, messages: Vec<String>) {
        let problems = messages.into_iter().map(|message| Problem {
            path: String::new(),
            message,
        });
        self.problems.splice(0..0, problems);
    }

    /// There were inputs, and nothing in them.
    pub(crate) fn is_empty(&self) -> bool {
        self.servers.is_empty() && self.empty > 0
    }

    /// Another server may still come in some log.
    pub(crate) fn trusts_begins(&self) -> bool {
        let mut files = self.servers.iter().flat_map(|server| &server.files);
        files.any(|file| file.late.is_some())
    }

    /// Its bytes on disk; `None` where a stream is among them.
    pub(crate) fn size(&self) -> Option<u64> {
        let files = self.servers.iter().flat_map(|server| &server.files);
        files.map(LogFile::stored).sum()
    }

    /// Ctrl+C has cut off what was piped in.
    pub(crate) fn is_cut(&self) -> bool {
        let mut files = self.servers.iter().flat_map(|server| &server.files);
        files.any(|file| file.is_cut)
    }

    /// How much of the input can be read.
    pub(crate) fn readable(&self) -> Readable {
        match (
            self.servers.is_empty() && self.empty == 0,
            self.problems.is_empty(),
        ) {
            (true, _) => Readable::None,
            (false, true) => Readable::All,
            (false, false) => Readable::Some,
        }
    }

    /// What each input was taken for and why, a line each.
    pub(crate) fn explain(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for server in &self.servers {
            for file in &server.files {
                lines.push(file.explain(&server.name));
            }
        }
        lines.extend(self.left_out.iter().map(|left| format!("{left}; left out")));
        lines.extend(self.ignored.iter().map(LeftOut::to_string));
        lines.extend(self.problems.iter().map(Problem::to_string));
        lines
    }
}

impl LogFile {
    /// `logs/pg.log.1.gz: gzip, 12,345 bytes; stderr, log_line_prefix '%m [%p] ' inferred, it reads
    /// 812 of 812 lines; 2026-11-23 05:28:21.603 UTC to 2026-11-23 05:30:00.100 UTC; server main`
    fn explain(&self, server: &str) -> String {
        use std::fmt::Write;

        let mut line = format!("{}: ", self.display);
        if let Some(compression) = self.compression {
            let _ = write!(line, "{}, ", compression.name());
        }
        if let Some(envelope) = &self.envelope {
            let _ = write!(line, "{}, ", envelope.name());
        }
        if let Some(size) = self.size {
            let decompressed = match self.kind {
                Kind::Spooled(_) if self.compression.is_some() => " decompressed",
                _ => "",
            };
            let _ = write!(line, "{} bytes{decompressed}; ", thousands(size));
        }
        line.push_str(self.format.name());
        if let Format::Stderr(prefix) = &self.format {
            let _ = write!(line, ", log_line_prefix '{}'", prefix.as_str());
            match &self.inferred {
                Some(inferred) => {
                    let (read, lines) = (inferred.lines_read as u64, inferred.lines as u64);
                    let (read, lines) = (thousands(read), thousands(lines));
                    let _ = write!(line, " inferred, it reads {read} of {lines} labelled lines");
                    if let Some(other) = &inferred.undecided {
                        let other = other.as_str();
                        let _ = write!(
                            line,
                            " (so does '{other}': no line says which name is which; --line-prefix would)"
                        );
                    }
                }
                None => line.push_str(" as given"),
            }
        }
        match &self.translated {
            Some(translated) => {
                let _ = write!(line, "; language {}", translated.languages().join(", "));
            }
            None => line.push_str("; language en"),
        }
        match (&self.first, &self.last) {
            (Some(first), Some(last)) => {
                let (first, last) = (file::show_time(first), file::show_time(last));
                let _ = write!(line, "; {first} to {last}");
            }
            (Some(first), None) => {
                let _ = write!(line, "; from {}", file::show_time(first));
            }
            (None, _) => line.push_str("; no log time"),
        }
        let _ = write!(line, "; server {server}");
        line
    }
}

/// What stdin is called.
const STDIN: &str = "stdin";

/// What a directory held.
#[derive(Default)]
struct Contents {
    files: u64,
    /// Logs, but not in the format that was asked for.
    other_formats: u64,
    /// Among them was a log, or something else that was said.
    named: bool,
}

impl Contents {
    fn add(&mut self, taken: &Taken) {
        self.named |= match taken {
            Taken::Ignored(_) | Taken::OtherFormat(_) => false,
            Taken::Tar(tar) => tar.has_log(),
            _ => true,
        };
        self.other_formats += u64::from(matches!(taken, Taken::OtherFormat(_)));
    }

    /// What to say of a `directory` or a `tar` that has none.
    fn without_log(&self, place: &str) -> String {
        match self.files {
            _ if self.other_formats > 0 => {
                let logs = match self.other_formats {
                    1 => format!("the log in this {place} is"),
                    n => format!("the {} logs in this {place} are", thousands(n)),
                };
                format!(
                    "{logs} not of the --format that was asked for; leave it out, or see --explain"
                )
            }
            0 => format!("no file in this {place}"),
            1 => format!(
                "no PostgreSQL log in this {place} of one file; --explain says what it was taken for"
            ),
            n => format!(
                "no PostgreSQL log among the {} files of this {place}; --explain says what each was taken for",
                thousands(n)
            ),
        }
    }
}

/// The logs that were found, and that stdin is to be read, under which name.
struct Looked {
    found: Vec<Found>,
    stdin: Option<String>,
}

/// A log and whose it is.
struct Found {
    server: String,
    file: LogFile,
}

/// The name of a server: what the operator says, else what the envelope does, else what the path does. Several servers of
/// one file for which the operator has one name are kept apart below it.
pub(crate) fn name_of(
    asked: Option<&str>,
    named: Option<String>,
    is_alone: bool,
    of_path: impl FnOnce() -> String,
) -> String {
    match (asked, named) {
        (None | Some(STDIN), Some(named)) => named,
        (Some(asked), Some(named)) if !is_alone => format!("{asked}/{named}"),
        (Some(asked), _) => asked.to_owned(),
        (None, None) => of_path(),
    }
}

fn by_server(found: Vec<Found>) -> Vec<ServerInput> {
    let mut servers = std::collections::BTreeMap::<String, Vec<LogFile>>::new();
    for Found { server, file } in found {
        servers.entry(server).or_default().push(file);
    }
    let servers = servers.into_iter();
    servers
        .map(|(name, files)| ServerInput { name, files })
        .collect()
}

/// Orders the files of one server: by first log time, then by last, then as a rotation names them.
/// A file without any log time stays behind the one that its name follows.
fn order(files: &mut Vec<LogFile>) {
    files.sort_by_cached_key(|file| paths::rotation(&file.display));
    let wall = |time: &Option<file::FileTime>| time.as_ref().map(|time| time.wall_ms);
    let mut before = i64::MIN;
    let mut keyed: Vec<_> = files
        .drain(..)
        .map(|file| {
            before = wall(&file.first).unwrap_or(before);
            ((before, wall(&file.last).unwrap_or(i64::MAX)), file)
        })
        .collect();
    keyed.sort_by_key(|(times, _)| *times);
    files.extend(keyed.into_iter().map(|(_, file)| file));
}

#[cfg(test)]
mod tests;
