//! One configuration file after the other: lines, and the files that they include.
//!
//! ```text
//! log_line_prefix = '%m [%p] '     # (a reload is enough)
//! log_directory 'log'
//! include_dir 'conf.d'
//! ```
//!
//! Source: `src/backend/utils/misc/guc-file.l`. A line that is no setting is left out and said, where the server would
//! leave out the whole file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Origin, Settings};

/// How deep files may include each other; the server's own bound. Deeper ones are left out and said.
const DEPTH_MAX: usize = 10;
/// Files of one server. Further ones are left out and said.
const FILES_MAX: usize = 500;
/// So many that could not be read are said.
const UNREAD_MAX: usize = 20;
/// A file longer than this is no configuration: it is left out and said.
const BYTES_MAX: u64 = 1 << 20;

/// A path of a machine whose `/` is at `root`; relative ones stay what they are.
pub(crate) fn under(root: &Path, path: &Path) -> PathBuf {
    path.strip_prefix("/")
        .map_or_else(|_| path.to_owned(), |rest| root.join(rest))
}

impl Settings {
    /// Reads a file and what it includes.
    pub(super) fn add_file(&mut self, root: &Path, path: &Path) {
        Files {
            root,
            settings: self,
            left: FILES_MAX,
        }
        .read(path, 0);
    }
}

/// The files of one server on their way into its settings.
struct Files<'a> {
    root: &'a Path,
    settings: &'a mut Settings,
    left: usize,
}

impl Files<'_> {
    fn read(&mut self, path: &Path, depth: usize) {
        let text = match self.text(path, depth) {
            Ok(text) => text,
            Err(err) => return self.unread(path, err),
        };
        self.settings.files.push(path.to_owned());
        let directory = path.parent().unwrap_or(Path::new("/"));
        let mut is_wrong = false;
        for (i, line) in text.lines().enumerate() {
            match Line::read(line) {
                Line::Nothing => {}
                Line::Setting(name, value) => match name.to_ascii_lowercase().as_str() {
                    "include" => self.read(&self.beside(directory, &value), depth + 1),
                    "include_if_exists" => {
                        let path = self.beside(directory, &value);
                        if path.exists() {
                            self.read(&path, depth + 1);
                        }
                    }
                    "include_dir" => self.read_dir(&self.beside(directory, &value), depth + 1),
                    name => self.settings.set(name, &value, Origin::File),
                },
                Line::Wrong if is_wrong => {}
                Line::Wrong => {
                    is_wrong = true;
                    let wrong = format!(
                        "line {} is no setting; the server takes nothing of such a file",
                        i + 1
                    );
                    self.unread(path, io::Error::other(wrong));
                }
            }
        }
    }

    fn unread(&mut self, path: &Path, err: io::Error) {
        let unread = &mut self.settings.unread;
        if unread.len() < UNREAD_MAX {
            unread.push((path.to_owned(), err));
        }
    }

    fn text(&mut self, path: &Path, depth: usize) -> io::Result<String> {
        let wrong = |why: &str| Err(io::Error::other(why));
        self.left = match self.left.checked_sub(1) {
            Some(left) => left,
            None => return wrong("too many files are included"),
        };
        let metadata = fs::metadata(path)?;
        // What is opened must not wait for anybody who writes.
        if !metadata.is_file() {
            return wrong("no regular file");
        }
        if metadata.len() > BYTES_MAX {
            return wrong("too long for a configuration file");
        }
        if depth > DEPTH_MAX {
            return wrong("included too deep");
        }
        Ok(String::from_utf8_lossy(&fs::read(path)?).into_owned())
    }

    /// The files of a directory that end in `.conf` and are not hidden, in the order of their bytes.
    fn read_dir(&mut self, directory: &Path, depth: usize) {
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(err) => return self.unread(directory, err),
        };
        let mut paths: Vec<PathBuf> = entries
            .filter_map(Result::ok)
            .filter(|entry| {
                let name = entry.file_name();
                let name = name.as_encoded_bytes();
                !name.starts_with(b".") && name.ends_with(b".conf")
            })
            .map(|entry| entry.path())
            .filter(|path| !path.is_dir())
            .take(FILES_MAX)
            .collect();
        paths.sort();
        for path in paths {
            self.read(&path, depth);
        }
    }

    fn beside(&self, directory: &Path, path: &str) -> PathBuf {
        let path = Path::new(path);
        if path.has_root() {
            under(self.root, path)
        } else {
            directory.join(path)
        }
    }
}

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    /// It is empty, or a comment.
    Nothing,
    /// A name and its value, without quotes.
    Setting(String, String),
    Wrong,
}

impl Line {
    fn read(line: &str) -> Line {
        let line = line.trim_start_matches(is_blank);
        if line.is_empty() || line.starts_with('#') {
            return Line::Nothing;
        }
        let is_name =
            |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.') || !c.is_ascii();
        let (name, rest) = line.split_at(line.find(|c| !is_name(c)).unwrap_or(line.len()));
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            return Line::Wrong;
        }
        // The equals sign may be left out.
        let rest = rest.trim_start_matches(is_blank);
        let rest = rest.strip_prefix('=').unwrap_or(rest);
        let Some((value, rest)) = value(rest.trim_start_matches(is_blank)) else {
            return Line::Wrong;
        };
        match rest.trim_start_matches(is_blank).chars().next() {
            None | Some('#') => Line::Setting(name.to_owned(), value),
            Some(_) => Line::Wrong,
        }
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r')
}

/// A value and what follows it.
fn value(text: &str) -> Option<(String, &str)> {
    if let Some(quoted) = text.strip_prefix('\'') {
        return unquoted(quoted);
    }
    let is_bare = |c: char| {
        c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '/' | '+') || !c.is_ascii()
    };
    let end = text.find(|c| !is_bare(c)).unwrap_or(text.len());
    let (value, rest) = text.split_at(end);
    // A path must be quoted.
    (!value.is_empty() && !value.starts_with(['/', ':'])).then(|| (value.to_owned(), rest))
}

/// What stands before the closing quote, and what after it: `''` is a quote, a backslash goes before letters and octal
/// digits as in C.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next()? {
            '\'' => match chars.as_str().strip_prefix('\'') {
                Some(rest) => {
                    value.push('\'');
                    chars = rest.chars();
                }
                None => return Some((value, chars.as_str())),
            },
            '\\' => match chars.next()? {
                'b' => value.push('\u{8}'),
                'f' => value.push('\u{c}'),
                'n' => value.push('\n'),
                'r' => value.push('\r'),
                't' => value.push('\t'),
                first @ '0'..='7' => {
                    let mut code = first as u32 - '0' as u32;
                    for _ in 0..2 {
                        let Some(digit) = chars.clone().next().and_then(|c| c.to_digit(8)) else {
                            break;
                        };
                        code = code * 8 + digit;
                        chars.next();
                    }
                    value.push(char::from(code as u8));
                }
                other => value.push(other),
            },
            c => value.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_postgresql_conf_are_read_as_the_server_reads_them() {
        for (line, expected) in [
            (
                "max_connections = 100\t\t\t# (change requires restart)",
                Some(("max_connections", "100")),
            ),
            ("  MAX_CONNECTIONS='250'", Some(("MAX_CONNECTIONS", "250"))),
            ("max_connections 20\r", Some(("max_connections", "20"))),
            (
                "log_line_prefix = '%m [%p] # '# c",
                Some(("log_line_prefix", "%m [%p] # ")),
            ),
            (r"a = 'it''s \'x\' \101\n'", Some(("a", "it's 'x' A\n"))),
            ("a''", Some(("a", ""))),
            ("shared_buffers = 128MB", Some(("shared_buffers", "128MB"))),
            ("random_page_cost = 1.1", Some(("random_page_cost", "1.1"))),
            ("log_timezone = Etc/UTC", Some(("log_timezone", "Etc/UTC"))),
            (
                "pg_stat_statements.max=1",
                Some(("pg_stat_statements.max", "1")),
            ),
        ] {
            let expected =
                expected.map(|(name, value)| Line::Setting(name.to_owned(), value.to_owned()));
            assert_eq!(Some(Line::read(line)), expected, "{line}");
        }
        for line in ["", " \t", "# a = b", "\r"] {
            assert_eq!(Line::read(line), Line::Nothing, "{line:?}");
        }
        for line in [
            "a",
            "a =",
            "= b",
            "1a = b",
            "a = 'b",
            "a = b c",
            "a = /b",
            "a = 'b' 'c'",
            "a = b = c",
        ] {
            assert_eq!(Line::read(line), Line::Wrong, "{line:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_quoted_is_read_back(value in r"[^\n\r\x00]{0,40}", rest in "( |\t|# [a-z']{0,9})?") {
            let quoted = value.replace('\\', r"\\").replace('\'', "''");
            let line = format!("name = '{quoted}'{rest}");
            let expected = Line::Setting("name".to_owned(), value);
            proptest::prop_assert_eq!(Line::read(&line), expected);
        }

        #[test]
        fn no_line_is_too_odd(line in r"[^\n]{0,60}", odd in r"[a-z_]{1,3} ?=? ?'?[\\'0-9a-z#. ]{0,12}") {
            Line::read(&line);
            Line::read(&odd);
        }
    }

    #[test]
    fn included_files_stand_where_they_are_included() {
        let root = tempfile::tempdir().unwrap();
        let etc = root.path().join("etc/pg");
        fs::create_dir_all(etc.join("conf.d")).unwrap();
        for (path, text) in [
            (
                "postgresql.conf",
                "a = 1\nb = 1\ninclude 'more.conf'\ninclude_if_exists = '/none.conf'\n\
                 include_dir = '/etc/pg/conf.d'\nc = 1\nbad line here\n",
            ),
            ("more.conf", "a = 2\nc = 2\ninclude 'missing.conf'\n"),
            ("conf.d/10.conf", "b = 2\nd = 10\n"),
            ("conf.d/09.conf", "d = 9\n"),
            ("conf.d/.11.conf", "d = 11\n"),
            ("conf.d/12.conf.old", "d = 12\n"),
        ] {
            fs::write(etc.join(path), text).unwrap();
        }
        let settings = Settings::of_file(root.path(), &etc.join("postgresql.conf"));
        let values = ["a", "b", "c", "d"].map(|name| settings.number(name));
        assert_eq!(values, [Some(2), Some(2), Some(1), Some(10)]);
        let unread: Vec<_> = settings
            .unread
            .iter()
            .map(|(path, err)| {
                (
                    path.strip_prefix(&etc).unwrap().display().to_string(),
                    err.kind(),
                )
            })
            .collect();
        assert_eq!(
            unread,
            [
                ("missing.conf".to_owned(), io::ErrorKind::NotFound),
                ("postgresql.conf".to_owned(), io::ErrorKind::Other)
            ]
        );
    }

    #[test]
    fn files_that_include_each_other_come_to_an_end() {
        let root = tempfile::tempdir().unwrap();
        let conf = root.path().join("postgresql.conf");
        fs::write(&conf, "include 'postgresql.conf'\n".repeat(5) + "a = 1\n").unwrap();
        let settings = Settings::of_file(root.path(), &conf);
        assert!(
            settings.files.len() <= FILES_MAX,
            "{}",
            settings.files.len()
        );
        assert_eq!(settings.unread.len(), UNREAD_MAX);
        assert_eq!(settings.number("a"), Some(1));
    }
}
