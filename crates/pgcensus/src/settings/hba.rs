//! `pg_hba.conf`: which lines it has, without what they mean.
//!
//! ```text
//! host all app 10.0.0.0/8 scram-sha-256   ─► a line
//! host all all 0.0.0.0/0 reject           ─► none: that it was matched is in no log
//! # comment, include other.conf           ─► none
//! ```
//!
//! Source: `tokenize_auth_file` and `parse_hba_line` in PostgreSQL's `src/backend/libpq/hba.c`: a backslash at the end continues a
//! line (14 and later), and the number is that of its first part.

use std::fs;
use std::path::Path;
use std::time::UNIX_EPOCH;

use pgcensus_core::findings::{HbaFile, HbaLine};
use pgcensus_core::instant::Instant;

use super::{Settings, data_directory, under};

/// A file longer than this is no configuration.
const BYTES_MAX: u64 = 1 << 20;

/// From this version on each connection says which line it matched.
const MAJOR_MIN: u32 = 17;

/// First words of lines that connections match.
const KINDS: [&str; 6] = [
    "local",
    "host",
    "hostssl",
    "hostnossl",
    "hostgssenc",
    "hostnogssenc",
];

/// That of the server whose log lies here; `None`: it is not beside the log, or the server does not log the use of its lines.
pub(crate) fn beside(log: &Path) -> Option<HbaFile> {
    let log = fs::canonicalize(log).ok()?;
    let data = data_directory(&log)?;
    let major = fs::read_to_string(data.join("PG_VERSION")).ok()?;
    if major.trim().parse::<u32>().ok()? < MAJOR_MIN {
        return None;
    }
    let root = Path::new("/");
    let mut settings = Settings::of_file(root, &data.join("postgresql.conf"));
    settings.add_auto(root, data);
    let path = match settings.text("hba_file") {
        "" => data.join("pg_hba.conf"),
        path => under(root, &data.join(path)),
    };
    let about = fs::metadata(&path).ok()?;
    if !about.is_file() || about.len() > BYTES_MAX {
        return None;
    }
    let modified = about.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    let text = fs::read(&path).ok()?;
    Some(HbaFile {
        name: path.file_name()?.as_encoded_bytes().into(),
        modified: Instant(i64::try_from(modified.as_millis()).ok()?),
        lines: lines(&String::from_utf8_lossy(&text)),
    })
}

fn lines(text: &str) -> Vec<HbaLine> {
    let mut found = Vec::new();
    let mut lines = (1..).zip(text.lines());
    while let Some((number, line)) = lines.next() {
        let mut line = line.to_owned();
        while line.ends_with('\\')
            && let Some((_, next)) = lines.next()
        {
            line.pop();
            line += next;
        }
        let fields = fields(&line);
        let is_one = fields
            .first()
            .is_some_and(|first| KINDS.contains(&&**first));
        let rest = fields.get(3..).unwrap_or_default();
        let has = |word: &str| rest.iter().any(|field| field == word);
        let is_checked = rest.iter().any(|field| field.starts_with("clientcert"));
        if is_one && !has("reject") && !(has("trust") && is_checked) {
            found.push(HbaLine {
                number,
                text: fields.join(" ").into_bytes().into(),
            });
        }
    }
    found
}

/// The words of a line, up to a comment: quotes keep what is between them together, and so does a comma with what follows it.
fn fields(line: &str) -> Vec<String> {
    let mut fields: Vec<String> = Vec::new();
    let (mut is_quoted, mut is_open) = (false, false);
    for c in line.chars() {
        match c {
            '#' if !is_quoted => break,
            c if c.is_whitespace() && !is_quoted => {
                is_open &= fields.last().is_some_and(|field| field.ends_with(','));
                continue;
            }
            '"' => is_quoted = !is_quoted,
            _ => {}
        }
        if !is_open {
            fields.push(String::new());
            is_open = true;
        }
        if let Some(field) = fields.last_mut() {
            field.push(c);
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_that_a_connection_can_be_logged_with() {
        let text = "# TYPE  DATABASE\n\nlocal all all peer # of the system\nhost all all 0.0.0.0/0 reject\n\
            host shop, \"a b\" app 10.0.0.0 255.0.0.0 scram-sha-256\ninclude other.conf\n\
            hostssl all all \\\n  ::/0 cert\nhostssl all all ::1/128 trust clientcert=verify-full\nhost all all ::1/128 trust\n";
        let found = lines(text);
        let found: Vec<_> = found
            .iter()
            .map(|line| {
                (
                    line.number,
                    String::from_utf8_lossy(&line.text).into_owned(),
                )
            })
            .collect();
        let line = |number, text: &str| (number, text.to_owned());
        assert_eq!(
            found,
            [
                line(3, "local all all peer"),
                line(5, "host shop,\"a b\" app 10.0.0.0 255.0.0.0 scram-sha-256"),
                line(7, "hostssl all all ::/0 cert"),
                line(10, "host all all ::1/128 trust"),
            ]
        );
    }

    #[test]
    fn the_file_beside_a_log_is_that_of_17_or_later() {
        let data = tempfile::tempdir().expect("a directory");
        let log = data.path().join("log");
        fs::create_dir(&log).expect("a directory");
        let write = |name: &str, text: &str| {
            fs::write(data.path().join(name), text).expect("it is written");
        };
        write("log/a.log", "");
        write("postgresql.conf", "");
        write("pg_hba.conf", "local all all peer\n");
        write("PG_VERSION", "16\n");
        assert_eq!(beside(&log.join("a.log")), None);
        write("PG_VERSION", "17\n");
        let file = beside(&log.join("a.log")).expect("a file");
        assert_eq!((&*file.name, file.lines.len()), (&b"pg_hba.conf"[..], 1));
        write("postgresql.conf", "hba_file = 'other.conf'\n");
        write("other.conf", "local a b peer\nlocal c d peer\n");
        let file = beside(&log.join("a.log")).expect("a file");
        assert_eq!((&*file.name, file.lines.len()), (&b"other.conf"[..], 2));
    }
}
