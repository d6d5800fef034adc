//! What an input is, from its head: a log and how it is written, or what else.

use std::path::Path;

use pgcensus_log::format::{self, Format, Guess, RecordHead};
use pgcensus_log::line_prefix::{self, Inference, LinePrefix};

use super::compressed::{self, Magic};
use super::file::{Kind, LogFile};
use super::head::Head;
use super::paths::{self, Way};
use super::take::{Learned, Taken};
use super::{FormatOption, Problem, Request};
use crate::view::text::thousands;

impl LogFile {
    pub(super) fn from_head(
        path: &Path,
        head: &Head,
        format: Format,
        inferred: Option<Inference>,
    ) -> LogFile {
        let sample = &head.sample;
        let heads = format::heads(&format, sample, 20);
        let first = heads.first().map(|head| head.log_time.map(Box::from));
        let any_ms = |heads: &[RecordHead<'_>]| {
            let mut heads = heads.iter();
            heads.any(|head| head.log_time.wall_ms % 1000 != 0)
        };
        let has_ms = any_ms(&heads) || any_ms(&format::heads(&format, sample, 200));
        let columns: Vec<_> = heads
            .iter()
            .filter(|_| format == Format::Csvlog)
            .filter_map(|head| csv_columns(&sample[head.offset..]))
            .collect();
        let written = |columns: &usize| matches!(columns, 23 | 24 | 26);
        let is_malformed = !columns.is_empty() && !columns.iter().any(written);
        LogFile {
            display: path.display().to_string(),
            kind: Kind::File(path.to_owned()),
            compression: head.magic.compression(),
            envelope: head.envelope.clone(),
            translated: head.translated.clone(),
            size: None,
            first_line: head.first_line().to_owned(),
            format,
            inferred,
            first,
            last: None,
            skip: Vec::new(),
            is_cut: false,
            late: head.late.clone(),
            broken: None,
            has_ms,
            is_malformed,
        }
    }
}

/// Columns of the first record of these bytes; `None`: it does not end in them.
fn csv_columns(bytes: &[u8]) -> Option<usize> {
    let mut columns = 1;
    let mut quoted = false;
    for &byte in bytes {
        match byte {
            b'"' => quoted = !quoted,
            b',' if !quoted => columns += 1,
            b'\n' if !quoted => return Some(columns),
            _ => {}
        }
    }
    None
}

/// Judges what an input is from its head: a log to read, or what else.
pub(super) fn judge(
    head: &mut Head,
    request: &Request,
    path: &Path,
    way: Way,
    learned: &mut Learned,
) -> Result<(Format, Option<Inference>), Taken> {
    if let Magic::Foreign(name) = head.magic {
        return Err(foreign(name, path, way));
    }
    if head.sample.is_empty()
        && let Some(err) = &head.failure
    {
        return Err(Taken::Problem(match compressed::damage(err) {
            Some(damaged) => damaged.to_string(),
            None => Problem::of(path, err).message,
        }));
    }
    let mut guess = match &head.as_others {
        Some(found) => Guess::Log(Format::Stderr(found.prefix.clone()), Some(found.clone())),
        None => format::guess_with(&mut learned.prefixes, &head.sample),
    };
    // The head of a file may be one statement of a megabyte.
    if is_poor(&guess) && head.grow(&mut learned.languages) {
        guess = format::guess_with(&mut learned.prefixes, &head.sample);
    }
    head.is_unknown = is_poor(&guess);
    if let Some(log) = overruled(&guess, head, request, way) {
        return log;
    }
    let asked = way == Way::Asked;
    Err(match guess {
        Guess::Log(_, Some(inferred)) if head.is_unknown => few_are_read(&inferred, path, way),
        Guess::Log(format, inferred) => return Ok((format, inferred)),
        Guess::Empty => Taken::Empty,
        Guess::PgBouncer => {
            Taken::LeftOut("a PgBouncer log; pgcensus counts sessions of the server".to_owned())
        }
        Guess::Binary if is_utf16(&head.sample) => {
            let what = "UTF-16 text, as PowerShell's > writes it: convert it with iconv -f UTF-16 -t UTF-8, and give that";
            if asked {
                Taken::Problem(what.to_owned())
            } else {
                Taken::Ignored(what.to_owned())
            }
        }
        Guess::Binary if asked => Taken::Problem("binary, not a log".to_owned()),
        Guess::Unknown if asked => {
            let (place, remedy) = head.place_and_remedy();
            Taken::Problem(format!(
                "no line {place} looks like one of a PostgreSQL server; if it is its log, {remedy}say how it is written with --format or --line-prefix"
            ))
        }
        Guess::Binary => Taken::Ignored("binary".to_owned()),
        Guess::Unknown => Taken::Ignored("text, but no PostgreSQL log".to_owned()),
    })
}

/// Text begins with a byte order mark where it has two bytes a letter.
fn is_utf16(text: &[u8]) -> bool {
    text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff")
}

/// Nothing in it is known, or less than half of what seems to be.
fn is_poor(guess: &Guess) -> bool {
    match guess {
        Guess::Log(_, Some(inferred)) => inferred.lines_read * 2 < inferred.lines,
        guess => *guess == Guess::Unknown,
    }
}

/// A text whose lines look like those of a server, and no prefix reads half of them. Notes and scripts about logs hold such
/// lines too: unless they are named as logs are, they are nothing to speak of.
fn few_are_read(inferred: &Inference, path: &Path, way: Way) -> Taken {
    let what = format!(
        "text with {} lines such as a log has, of which the best log_line_prefix found, '{}', reads {}; say the right one with --line-prefix",
        thousands(inferred.lines as u64),
        inferred.prefix.as_str(),
        thousands(inferred.lines_read as u64)
    );
    match way {
        Way::Asked => Taken::Problem(what),
        Way::Walked(_) | Way::Member if paths::is_named_as_log(path) => Taken::LeftOut(what),
        Way::Walked(_) | Way::Member => Taken::Ignored(what),
    }
}

/// A tar that has no log: wrong where it was named, else nothing to speak of.
pub(super) fn no_log(what: String, way: Way) -> Taken {
    match way {
        Way::Asked => Taken::Problem(what),
        Way::Walked(_) | Way::Member => Taken::Ignored(what),
    }
}

/// A compression that is not read. Unless it was named, it is a problem if its name is that of a log.
fn foreign(name: &str, path: &Path, way: Way) -> Taken {
    if way != Way::Asked && !paths::is_named_as_log(path) {
        return Taken::Ignored(name.to_owned());
    }
    Taken::Problem(match way {
        Way::Member => format!("{name} is not read in this version; take it out of the tar"),
        _ => format!(
            "{name} is not read in this version; try unzip -p {} | pgcensus -",
            path.display()
        ),
    })
}

/// What `--format` and `--line-prefix` make of an input; `None`: the guess holds. A file that the
/// operator named is what he says; in a directory the options choose among the logs.
fn overruled(
    guess: &Guess,
    head: &Head,
    request: &Request,
    way: Way,
) -> Option<Result<(Format, Option<Inference>), Taken>> {
    if matches!(guess, Guess::Empty) {
        return None;
    }
    if matches!(guess, Guess::Binary) && request.format.is_none() {
        return None;
    }
    let asked = way == Way::Asked;
    let other = |format: &Format, wanted: &str| {
        let what = format!("{}; --format {wanted} was asked for", format.name());
        Some(Err(Taken::OtherFormat(what)))
    };
    match (request.format, guess) {
        (Some(FormatOption::Csvlog), Guess::Log(format, _))
            if !asked && *format != Format::Csvlog =>
        {
            other(format, "csvlog")
        }
        (Some(FormatOption::Jsonlog), Guess::Log(format, _))
            if !asked && *format != Format::Jsonlog =>
        {
            other(format, "jsonlog")
        }
        (Some(FormatOption::Csvlog), _) if asked => Some(Ok((Format::Csvlog, None))),
        (Some(FormatOption::Jsonlog), _) if asked => Some(Ok((Format::Jsonlog, None))),
        (
            Some(FormatOption::Stderr),
            Guess::Log(format @ (Format::Csvlog | Format::Jsonlog), _),
        ) if !asked => other(format, "stderr"),
        (format, guess) => {
            let is_stderr = matches!(guess, Guess::Log(Format::Stderr(_), _));
            let forced = asked && format == Some(FormatOption::Stderr);
            if let Some(prefix) = &request.line_prefix {
                let unknown = matches!(guess, Guess::Unknown);
                // Of a late log the tail tells more.
                let is_taken = is_stderr || forced || unknown && asked;
                (is_taken && !(unknown && head.may_begin_late())
                    || unknown && reads_a_line(prefix, &head.sample))
                .then(|| Ok((Format::Stderr(prefix.clone()), None)))
            } else if forced && !is_stderr {
                Some(match line_prefix::infer(&head.sample) {
                    Some(inferred) => {
                        Ok((Format::Stderr(inferred.prefix.clone()), Some(inferred)))
                    }
                    None => Err(Taken::Problem(
                        "no line in it has a severity such as LOG: after a prefix; give its log_line_prefix with --line-prefix".to_owned(),
                    )),
                })
            } else {
                None
            }
        }
    }
}

/// Whether a given prefix reads any line of a sample.
fn reads_a_line(prefix: &LinePrefix, sample: &[u8]) -> bool {
    let mut at = 0;
    while at < sample.len() {
        if prefix.read(&sample[at..], 0).is_some() {
            return true;
        }
        at += memchr::memchr(b'\n', &sample[at..]).map_or(sample.len(), |end| end + 1);
    }
    false
}
