//! The table of translated messages, made of PostgreSQL's catalogs.
//!
//! ```text
//! messages-i18n.json, *.mo ─► crates/pgcensus-log/src/translation/table.rs
//! ```
//!
//! The first input has most messages of interest with their translations by language and version; see its own `_about`. What it
//! lacks of the messages that pgcensus knows, languages that it lacks, and texts of packagers that differ are taken from the compiled
//! catalogs of an installed server. Versions are dropped, since no match depends on them. The line of an authorized connection is put together from pieces since 13.2,
//! each translated for itself, and was one text before: the pieces are cut out of these older texts too. What a server encoding
//! makes of a letter is asked of `iconv`, the C library's, which is what converts the messages of a server.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

const TABLE: &str = "crates/pgcensus-log/src/translation/table.rs";

/// English text → its translations, each with its languages.
type Rows = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// Server encodings with the languages that are written in them, by the names of PostgreSQL and of iconv.
const ENCODINGS: [(&str, &str, &str); 14] = [
    ("LATIN2", "ISO-8859-2", "pl"),
    ("WIN1250", "CP1250", "pl"),
    ("LATIN5", "ISO-8859-9", "tr"),
    ("ISO_8859_5", "ISO-8859-5", "ru uk"),
    ("WIN1251", "CP1251", "ru uk"),
    ("KOI8R", "KOI8-R", "ru"),
    ("KOI8U", "KOI8-U", "ru uk"),
    ("WIN866", "CP866", "ru uk"),
    ("EUC_JP", "EUC-JP", "ja"),
    ("EUC_KR", "EUC-KR", "ko"),
    ("EUC_CN", "EUC-CN", "zh_CN"),
    ("EUC_TW", "EUC-TW", "zh_TW"),
    // Letters that these do not have are replaced by others or by a question mark, as the server's gettext does.
    ("LATIN1", "ISO-8859-1//TRANSLIT", "*"),
    ("SQL_ASCII", "ASCII//TRANSLIT", "*"),
];

/// What the lines of an authorized connection consist of, in the words of the catalogs since 13.2.
const AUTHORIZED: [&str; 2] = [
    "connection authorized: user=%s",
    "replication connection authorized: user=%s",
];

/// Words that stand in holes of other messages.
const WORDS: [&str; 11] = [
    "SSL on",
    "SSL off",
    "SSL encryption",
    "GSS encryption",
    "no encryption",
    "yes",
    "no",
    "server process",
    "client backend",
    "dead-end client backend",
    "walsender",
];

/// Reads the catalogs at `path`, and those of an installed server below `locales` (`/usr/share/locale`), and writes the
/// table.
pub(crate) fn generate(path: &str, locales: &str) -> Result<()> {
    let text = std::fs::read_to_string(path).with_context(|| path.to_owned())?;
    let catalogs: Value = serde_json::from_str(&text).with_context(|| path.to_owned())?;
    let mut tables = Tables::of(&catalogs)?;
    let groups = groups(&catalogs)?;
    let known = tables.languages.clone();
    for (language, file) in compiled(Path::new(locales))? {
        let catalog = std::fs::read(&file).with_context(|| file.display().to_string())?;
        for (english, text) in texts(&catalog).context("not a compiled catalog")? {
            match groups.get(&*english) {
                // Packagers have other texts now and then than the catalogs of the first input.
                Some(group) if !known.contains(&language) || has_same_holes(&english, &text) => {
                    tables.add(group, &english, &language, &text)?;
                }
                None if is_of_interest(&english) && has_same_holes(&english, &text) => {
                    tables.add("", &english, &language, &text)?;
                }
                _ => {}
            }
        }
    }
    let file = crate::root().join(TABLE);
    std::fs::write(&file, tables.source()?).with_context(|| TABLE.to_owned())?;
    crate::run(
        Command::new("rustfmt")
            .args(["--edition", "2024"])
            .arg(Path::new(TABLE)),
    )
}

/// The messages of the first input, each with its group there.
fn groups(catalogs: &Value) -> Result<BTreeMap<&str, &str>> {
    let messages = catalogs["messages"].as_array().context("no messages")?;
    let pairs = messages
        .iter()
        .filter_map(|message| Some((message["msgid"].as_str()?, message["group"].as_str()?)));
    Ok(pairs.collect())
}

/// The compiled catalogs of a server, by language.
fn compiled(locales: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for language in std::fs::read_dir(locales).with_context(|| locales.display().to_string())? {
        let language = language?;
        let Ok(files) = std::fs::read_dir(language.path().join("LC_MESSAGES")) else {
            continue;
        };
        for file in files {
            let path = file?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with("postgres-") && name.ends_with(".mo") {
                found.push((language.file_name().to_string_lossy().into_owned(), path));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Texts and translations of a compiled catalog: magic, revision, count, and where two tables of lengths and places are.
fn texts(catalog: &[u8]) -> Option<Vec<(String, String)>> {
    let number = |at: usize| {
        let bytes = catalog.get(at..at + 4)?.try_into().ok()?;
        Some(u32::from_le_bytes(bytes) as usize)
    };
    (number(0)? == 0x9504_12de).then_some(())?;
    let text = |entry: usize| {
        let (len, at) = (number(entry)?, number(entry + 4)?);
        String::from_utf8(catalog.get(at..at + len)?.to_vec()).ok()
    };
    let (count, english, translated) = (number(8)?, number(12)?, number(16)?);
    (0..count)
        .map(|n| Some((text(english + 8 * n)?, text(translated + 8 * n)?)))
        .collect()
}

/// Some message of the table of pgcensus may be this one. Plural forms are none.
fn is_of_interest(english: &str) -> bool {
    let mut message = String::new();
    let mut rest = english;
    while let Some(percent) = rest.find('%') {
        let conversion = rest[percent..].find(|c: char| "sdumXf".contains(c));
        let Some(len) = conversion else { return false };
        message.push_str(&rest[..percent]);
        message.push('7');
        rest = &rest[percent + len + 1..];
    }
    message.push_str(rest);
    !english.is_empty()
        && !english.contains(['\0', '\n'])
        && pgcensus_log::message::is_in_table(message.as_bytes())
}

/// Not so in each catalog.
fn has_same_holes(english: &str, text: &str) -> bool {
    let holes = |text: &str| {
        let parts = text.split('%').skip(1);
        let letters = parts.filter_map(|part| part.chars().find(char::is_ascii_alphabetic));
        let mut letters: Vec<char> = letters.collect();
        letters.sort_unstable();
        letters
    };
    holes(english) == holes(text)
}

#[derive(Default)]
struct Tables {
    severities: Rows,
    labels: Rows,
    unset: Rows,
    words: Rows,
    authorized: Rows,
    pieces: Rows,
    messages: Rows,
    languages: BTreeSet<String>,
    letters: BTreeMap<String, BTreeSet<char>>,
}

impl Tables {
    fn of(catalogs: &Value) -> Result<Tables> {
        let mut tables = Tables::default();
        let messages = catalogs["messages"].as_array().context("no messages")?;
        for message in messages {
            let english = message["msgid"].as_str().context("no msgid")?;
            let group = message["group"].as_str().context("no group")?;
            let translations = message["translations"]
                .as_object()
                .context("no translations")?;
            for (language, texts) in translations {
                for text in texts.as_array().context("no list of texts")? {
                    let text = text["text"].as_str().context("no text")?;
                    tables.add(group, english, language, text)?;
                }
            }
        }
        Ok(tables)
    }

    fn add(&mut self, group: &str, english: &str, language: &str, text: &str) -> Result<()> {
        let (rows, english, text) = match group {
            "severity" => (&mut self.severities, english, text),
            "field_labels" if english.contains(":  ") => {
                // Of a location the label alone.
                let head = |text: &str| text.find('%').unwrap_or(text.len());
                (
                    &mut self.labels,
                    &english[..head(english)],
                    &text[..head(text)],
                )
            }
            "placeholders" => (&mut self.unset, english, text),
            _ if WORDS.contains(&english) => (&mut self.words, english, text),
            _ if group.starts_with("connection_authorized") => {
                return self.add_authorized(english, language, text);
            }
            // Where a message cannot begin, or would say nothing.
            "field_labels" => return Ok(()),
            _ if english.ends_with('.') && english.starts_with(char::is_uppercase) => return Ok(()),
            _ => (&mut self.messages, english, text),
        };
        if english != text {
            add(rows, english, language, text);
        }
        self.note(language, text);
        Ok(())
    }

    /// Cuts such a line before each hole that begins a piece.
    fn add_authorized(&mut self, english: &str, language: &str, text: &str) -> Result<()> {
        self.note(language, text);
        if matches!(english, "on" | "off") {
            return Ok(());
        }
        let mut rests = (english, text);
        let mut is_head = AUTHORIZED.iter().any(|head| english.starts_with(head));
        while !rests.0.is_empty() {
            let is_group = rests.0.starts_with(" SSL") || rests.0.starts_with(" GSS");
            let cut = |rest: &str| {
                if is_group {
                    return Some(rest.len());
                }
                Some(rest.find("%s")? + 2)
            };
            let (Some(english_len), Some(len)) = (cut(rests.0), cut(rests.1)) else {
                bail!("{english:?} has other holes in {language}: {text:?}");
            };
            let (piece, translated) = (&rests.0[..english_len], &rests.1[..len]);
            if piece != translated {
                let rows = if is_head {
                    &mut self.authorized
                } else {
                    &mut self.pieces
                };
                add(rows, piece, language, translated);
            }
            is_head = false;
            rests = (&rests.0[english_len..], &rests.1[len..]);
        }
        Ok(())
    }

    fn note(&mut self, language: &str, text: &str) {
        self.languages.insert(language.to_owned());
        let letters = self.letters.entry(language.to_owned()).or_default();
        letters.extend(text.chars().filter(|letter| !letter.is_ascii()));
    }

    fn source(&self) -> Result<String> {
        let mut out = String::from(
            "//! Generated by `cargo xtask messages PATH` from PostgreSQL's own catalogs (`src/backend/po`) of 9.6 to 19; see\n\
             //! `xtask/src/messages.rs`. Not edited by hand.\n\n\
             use super::{Encoding, Row};\n\n",
        );
        writeln!(
            out,
            "/// The languages of the catalogs, by PostgreSQL's names for them.\n\
             pub const LANGUAGES: &[&str] = &{:?};\n",
            self.languages.iter().collect::<Vec<_>>()
        )?;
        for (name, about, rows) in [
            ("SEVERITIES", "Severities.", &self.severities),
            (
                "LABELS",
                "Labels of stderr with what follows them up to their text.",
                &self.labels,
            ),
            (
                "UNSET",
                "What a prefix prints for a name that is not set.",
                &self.unset,
            ),
            ("WORDS", "Words in holes of messages.", &self.words),
            (
                "AUTHORIZED",
                "Heads of the line of an authorized connection.",
                &self.authorized,
            ),
            ("PIECES", "What follows these heads.", &self.pieces),
            ("MESSAGES", "All other messages.", &self.messages),
        ] {
            writeln!(out, "/// {about}")?;
            writeln!(out, "pub(super) static {name}: &[Row] = &[")?;
            for (english, texts) in rows {
                let texts: Vec<_> = texts
                    .iter()
                    .map(|(text, languages)| {
                        let languages: Vec<&str> = languages.iter().map(String::as_str).collect();
                        format!("({:?}, {text:?}),\n", languages.join(" "))
                    })
                    .collect();
                writeln!(
                    out,
                    "Row {{ english: {english:?}, texts: &[\n{}] }},",
                    texts.concat()
                )?;
            }
            writeln!(out, "];\n")?;
        }
        writeln!(
            out,
            "/// Server encodings: letters of their languages, and what stands for each, between spaces.\n\
             pub(super) static ENCODINGS: &[Encoding] = &["
        )?;
        for (name, iconv, languages) in ENCODINGS {
            let letters: BTreeSet<char> = self
                .letters
                .iter()
                .filter(|(language, _)| {
                    languages == "*" || languages.split(' ').any(|one| one == *language)
                })
                .flat_map(|(_, letters)| letters.iter().copied())
                .collect();
            let is_lossy = iconv.ends_with("TRANSLIT");
            let encoded: Vec<_> = encode(&letters, iconv)?
                .into_iter()
                .filter(|(_, bytes)| !(is_lossy && bytes == b"?"))
                .collect();
            let mut rows = String::new();
            for some in encoded.chunks(6) {
                let letters: String = some.iter().map(|(letter, _)| letter).collect();
                let bytes: Vec<_> = some.iter().map(|(_, bytes)| &bytes[..]).collect();
                let bytes = bytes.join(&b' ');
                writeln!(rows, "({letters:?}, b\"{}\"),", bytes.escape_ascii())?;
            }
            let languages = if languages == "*" { "" } else { languages };
            writeln!(
                out,
                "Encoding {{ name: {name:?}, languages: {languages:?}, is_lossy: {is_lossy}, letters: &[\n{rows}] }},",
            )?;
        }
        out.push_str("];\n");
        Ok(out)
    }
}

fn add(rows: &mut Rows, english: &str, language: &str, text: &str) {
    let texts = rows.entry(english.to_owned()).or_default();
    let languages = texts.entry(text.to_owned()).or_default();
    languages.insert(language.to_owned());
}

/// What an encoding makes of each letter that it has.
fn encode(letters: &BTreeSet<char>, iconv: &str) -> Result<Vec<(char, Vec<u8>)>> {
    let mut child = Command::new("iconv")
        .args(["-c", "-f", "UTF-8", "-t", iconv])
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run iconv")?;
    let lines: String = letters.iter().flat_map(|letter| [*letter, '\n']).collect();
    child
        .stdin
        .take()
        .context("no stdin")?
        .write_all(lines.as_bytes())?;
    let output = child.wait_with_output()?;
    let encoded: Vec<&[u8]> = output.stdout.split(|&b| b == b'\n').collect();
    if encoded.len() != letters.len() + 1 {
        bail!(
            "iconv -t {iconv} says {} lines of {}",
            encoded.len(),
            letters.len()
        );
    }
    Ok(letters
        .iter()
        .zip(encoded)
        .filter(|(_, bytes)| !bytes.is_empty())
        .map(|(letter, bytes)| (*letter, bytes.to_vec()))
        .collect())
}
