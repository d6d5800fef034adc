//! Each language against the English that it stands for, out of the table itself.

use std::collections::BTreeSet;

use super::format::Format;
use super::table::{AUTHORIZED, ENCODINGS, LABELS, MESSAGES, PIECES, SEVERITIES, UNSET, WORDS};
use super::*;
use crate::batch::{Batch, Item, Unreadable};
use crate::decoder::Decoder;
use crate::line_prefix::LinePrefix;
use crate::message::{self, TABLE};
use crate::record::{Record, Severity};

/// Messages that the catalogs at hand have in no language, most of them newer than these.
const NOT_TRANSLATED: &[&str] = &[
    "OAuth is not properly configured for this user",
    "connection limit exceeded for non-superusers",
    "could not accept GSSAPI security context: %s",
    // The text of the system is translated by its C library.
    "could not receive data from client: Connection timed out",
    "invalid command-line arguments for server process",
    "invalid length of cancel key in cancel request packet",
    "invalid length of cancel request packet",
    "invalid value for parameter \"replication\"",
    // As one of any parameter.
    "invalid value for parameter \"replication\": \"%s\"",
    "malformed OAUTHBEARER message",
    "malformed SCRAM message (%s)",
    "received SSL connection request with unexpected ALPN protocol",
    "received direct SSL connection request without ALPN protocol negotiation extension",
    "streaming replication receiver \"%s\" could not connect to the primary server: %s",
    "terminating walsender process due to replication shutdown timeout",
];

fn rows() -> impl Iterator<Item = &'static Row> {
    let tables = [
        SEVERITIES, LABELS, UNSET, WORDS, AUTHORIZED, PIECES, MESSAGES,
    ];
    tables.into_iter().flatten()
}

fn format(text: &str) -> Format {
    Format::parse(text, |text| Some(text.into())).expect("a format")
}

/// The texts of a row that are of a language.
fn of<'r>(row: &'r Row, language: &'r str) -> impl Iterator<Item = &'static str> + 'r {
    row.texts
        .iter()
        .filter(move |(of, _)| language_of(of).any(|one| one == language))
        .map(|(_, text)| *text)
}

/// A text with values in its holes, in an encoding; `None`: the encoding lacks letters of it.
fn rendered(text: &str, values: &[Vec<u8>], encoder: Option<&Encoder>) -> Option<Vec<u8>> {
    let format = Format::parse(text, |literal| match encoder {
        Some(encoder) => encoder
            .encode(literal)
            .filter(|encoded| !encoded.is_torn)
            .map(|encoded| encoded.bytes),
        None => Some(literal.into()),
    })?;
    let mut out = Vec::new();
    format.write(|argument| &values[argument], &mut out);
    Some(out)
}

/// As the server writes it: `%m [%p] %q%u@%d `, and a tab behind each line feed.
fn line(names: [&[u8]; 2], label: &str, message: &[u8]) -> Vec<u8> {
    let [user, database] = names;
    let head = b"2026-11-23 05:31:09.348 UTC [1] ";
    let mut line = [
        &head[..],
        user,
        b"@",
        database,
        b" ",
        label.as_bytes(),
        b":  ",
    ]
    .concat();
    for &byte in message {
        line.push(byte);
        if byte == b'\n' {
            line.push(b'\t');
        }
    }
    line.push(b'\n');
    line
}

fn rewriter(translation: &Arc<Translation>) -> Rewriter {
    let mut rewriter = Rewriter::new(translation.clone(), Shape::Stderr);
    rewriter.set_prefix(LinePrefix::parse("%m [%p] %q%u@%d ").expect("a prefix"));
    rewriter
}

/// What the message of a line says, as a LOG, a FATAL and a WARNING.
fn said(line: &[u8]) -> String {
    let at = memchr::memmem::rfind(line, b":  ").map_or(0, |at| at + 3);
    let message = line[at..].trim_ascii_end();
    let said = [Severity::Log, Severity::Fatal, Severity::Warning].map(|severity| {
        let record = Record {
            severity,
            message: message.into(),
            ..Record::default()
        };
        format!("{:?}", message::classify(&record))
    });
    said.concat()
}

#[test]
fn the_table_is_well_formed() {
    let holes = |text: &str| -> BTreeSet<(usize, bool)> {
        let holes = format(text).holes;
        let holes = holes.iter().map(|hole| (hole.argument, hole.is_number));
        holes.collect()
    };
    for row in rows() {
        assert!(!row.texts.is_empty(), "{}", row.english);
        for (of, text) in row.texts {
            assert!(!text.is_empty() && *text != row.english, "{}", row.english);
            assert_eq!(holes(text), holes(row.english), "{of}: {text}");
            assert!(language_of(of).all(|language| LANGUAGES.contains(&language)));
        }
    }
    for encoding in ENCODINGS {
        for (letters, bytes) in encoding.letters {
            let mut parts = bytes.split(|&b| b == b' ');
            assert_eq!(letters.chars().count(), parts.clone().count(), "{letters}");
            assert!(parts.all(|part| !part.is_empty()), "{letters}");
        }
    }
}

#[test]
fn every_message_that_matters_is_translated() {
    let values = vec![b"7".to_vec(); 12];
    let mut translated = BTreeSet::new();
    for row in MESSAGES.iter().chain(AUTHORIZED) {
        let words = match row.english {
            "starting %s" => vec!["PostgreSQL %s"],
            text if text.starts_with("%s (PID") => WORDS.iter().map(|word| word.english).collect(),
            _ => vec!["%s"],
        };
        for word in words {
            let english = row.english.replacen("%s", word, 1);
            let english = match row.english {
                "connection authorized: user=%s" => english + " database=%s",
                _ => english,
            };
            let message = rendered(&english, &values, None).expect("English");
            translated.extend(message::rows_fitting(&message).map(|row| row.text));
        }
    }
    let all = TABLE.iter().map(|row| row.text).collect::<BTreeSet<_>>();
    let missing: Vec<_> = all.difference(&translated).copied().collect();
    assert_eq!(missing, NOT_TRANSLATED);
}

/// Names that hold what separates names, in English and in the language of this text, labels, and no text at all.
fn hostile(text: &str) -> Vec<Vec<u8>> {
    let literals = format(text).literals;
    let literals: Vec<_> = literals.iter().map(Vec::as_slice).collect();
    let between = literals.get(1).copied().unwrap_or_default();
    let names = vec![
        b"app".to_vec(),
        b"a\", b\" database=c".to_vec(),
        b"\xff\xfe %s [unbekannt]".to_vec(),
        b"a FATAL:  b".to_vec(),
        "a ОШИБКА:  b FEHLER:  c".into(),
        [b"x", between, b"y"].concat(),
        [b"x", &literals.concat()[..], b"y"].concat(),
    ];
    // One with a line feed tears the prefix: what is left of it in the line does not hold the name.
    names
        .into_iter()
        .filter(|name| !name.contains(&b'\n'))
        .collect()
}

/// The values of the holes of a message with a hostile name in the `n`th of those that hold text, and whose names stand
/// before it.
fn values(
    format: &Format,
    n: usize,
    hostile: &[u8],
    is_host_first: bool,
) -> (Vec<Vec<u8>>, [Vec<u8>; 2]) {
    let mut values = vec![b"12".to_vec(); 12];
    let texts: Vec<_> = format.holes.iter().filter(|hole| !hole.is_number).collect();
    for (at, hole) in texts.iter().enumerate() {
        values[hole.argument] = if at == n {
            hostile.to_vec()
        } else {
            format!("n{at}").into_bytes()
        };
    }
    let name = |at: usize| {
        let hole = texts.get(at);
        hole.map_or(b"shop".to_vec(), |hole| values[hole.argument].clone())
    };
    // Before them the host may be named.
    let first = usize::from(is_host_first);
    let names = [name(first), name(first + 1)];
    // The milliseconds of a session.
    if texts.len() < format.holes.len() && format.holes.len() == 7 {
        values[3] = b"004".to_vec();
    }
    (values, names)
}

/// The severity that it is logged with.
fn label(english: &str) -> &'static str {
    let message = rendered(english, &vec![b"7".to_vec(); 12], None).expect("English");
    let row = message::rows_fitting(&message).next();
    match row.map(|row| row.severity) {
        Some(Severity::Fatal) => "FATAL",
        Some(Severity::Warning) => "WARNING",
        _ => "LOG",
    }
}

fn check(translation: &Arc<Translation>, language: &'static str, (english, text): (&str, &str)) {
    let format = format(english);
    let label = label(english);
    let mine = Encoder::of(language);
    for encoder in [None].into_iter().chain(mine.map(Some)) {
        // The encoding changes letters, not what names do.
        let hostile = hostile(text).into_iter();
        for hostile in hostile.take(if encoder.is_some() { 2 } else { usize::MAX }) {
            let texts = format.holes.iter().filter(|hole| !hole.is_number).count();
            for n in 0..texts.max(1) {
                let (values, [user, database]) =
                    values(&format, n, &hostile, english.contains("host \"%s\""));
                let Some(message) = rendered(text, &values, encoder) else {
                    continue;
                };
                let expected = rendered(english, &values, None).expect("English");
                let names = [&user[..], &database];
                let rewritten = rewriter(translation).whole(&line(names, label, &message));
                let expected = line(names, label, &expected);
                assert!(
                    rewritten == expected || said(&rewritten) == said(&expected),
                    "{language} {text} with {}:\n{}{}",
                    hostile.escape_ascii(),
                    String::from_utf8_lossy(&rewritten),
                    String::from_utf8_lossy(&expected),
                );
            }
        }
    }
}

#[test]
fn every_message_of_every_language_is_recognised() {
    for language in LANGUAGES {
        let translation = Translation::of(&[language]);
        // Some languages print the OID of a database as if it were a name.
        let is_name = |row: &&Row| row.english != "database %u does not exist";
        for row in MESSAGES.iter().filter(is_name) {
            for text in of(row, language) {
                let word = match row.english {
                    "starting %s" => "PostgreSQL %s",
                    text if text.starts_with("%s (PID") => "server process",
                    _ => "%s",
                };
                let with = |text: &str| text.replacen("%s", word, 1);
                // Of two messages with one translation nobody can tell which it was: the first is taken.
                let same = |row: &&Row| of(row, language).any(|other| other == text);
                let first = MESSAGES
                    .iter()
                    .filter(same)
                    .find(|other| label(&with(other.english)) == label(&with(row.english)));
                if first.is_none_or(|first| first.english == row.english) {
                    let texts = (&*with(row.english), &*with(text));
                    check(&translation, language, texts);
                }
            }
        }
    }
}

/// What a decoder of English logs makes of a log.
fn decoded(format: crate::format::Format, log: &[u8]) -> Vec<String> {
    let mut batch = Batch::default();
    Decoder::new(format).decode(log, 0, &mut batch);
    let items = batch.items.iter().map(|item| match item {
        Item::Event(event, _) => format!("{:?}", batch.event(event).kind),
        Item::Unmatched { why, .. } | Item::Unreadable(Unreadable { why, .. }, _) => {
            format!("{why:?}")
        }
    });
    items.collect()
}

/// A record in each format, as if English logs had it; of csvlog with its severity and SQLSTATE.
fn records(
    names: [&[u8]; 2],
    (severity, label): (&str, &str),
    columns: &str,
    message: &[u8],
) -> [(crate::format::Format, Vec<u8>); 3] {
    use crate::format::Format;

    let prefix = LinePrefix::parse("%m [%p] %q%u@%d ").expect("a prefix");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (user, database, message) = (text(names[0]), text(names[1]), text(message));
    let csvlog = format!(
        "2026-11-23 05:31:09.348 UTC,\"{user}\",\"{database}\",1,\"[local]\",6b03cf9d.1,1,\"idle\",2026-11-23 05:31:09 UTC,3/0,0,{columns},\"{}\",,,,,,,,,\"web\",\"client backend\",,0\n",
        message.replace('"', "\"\"")
    );
    let jsonlog = format!(
        "{{\"timestamp\":\"2026-11-23 05:31:09.348 UTC\",\"user\":\"{user}\",\"dbname\":\"{database}\",\"pid\":1,\"remote_host\":\"[local]\",\"session_id\":\"6b03cf9d.1\",\"line_num\":1,\"ps\":\"idle\",\"session_start\":\"2026-11-23 05:31:09 UTC\",\"txid\":0,\"error_severity\":\"{severity}\",\"message\":\"{}\",\"backend_type\":\"client backend\",\"query_id\":0}}\n",
        message.replace('"', "\\\"").replace('\n', "\\n")
    );
    [
        (
            Format::Stderr(prefix),
            line(names, label, message.as_bytes()),
        ),
        (Format::Csvlog, csvlog.into_bytes()),
        (Format::Jsonlog, jsonlog.into_bytes()),
    ]
}

/// The SQLSTATE of a message, where all who write it have it.
fn sqlstate(english: &str) -> &str {
    let row = TABLE.iter().find(|row| row.text == english);
    let sqlstate = row.and_then(|row| row.sqlstate.as_ref());
    sqlstate.map_or("00000", |sqlstate| {
        std::str::from_utf8(&sqlstate.0).expect("ASCII")
    })
}

/// All that are told by how they begin; in csvlog a severity that is no English word is met with the SQLSTATEs of what a session
/// says, and of what ends it.
#[test]
fn messages_of_all_languages_are_met_in_an_english_log() {
    let mut missed = Vec::new();
    // Some languages print the OID of a database as if it were a name.
    let is_name = |row: &&Row| row.english != "database %u does not exist";
    for row in MESSAGES.iter().chain(AUTHORIZED).filter(is_name) {
        let authorized = if row.english == "connection authorized: user=%s" {
            " database=%s"
        } else {
            ""
        };
        for (of, text) in row.texts {
            let language = language_of(of).next().expect("a language");
            let same = |row: &&Row| row.texts.iter().any(|(_, other)| other == text);
            let first = MESSAGES.iter().find(same);
            let is_first = first.is_none_or(|first| first.english == row.english);
            // What begins as English messages do is left to what is known of the whole log, as a quote is, which columns double.
            let begins_english = message::begins_row(text.as_bytes()) || text.starts_with('"');
            let is_told = head(text).len() >= 8 && !begins_english;
            if !is_told || !is_first {
                continue;
            }
            let (english, text) = (
                [row.english, authorized].concat(),
                [text, authorized].concat(),
            );
            let (values, [user, database]) = values(&format(&english), 9, b"", false);
            let names = [&user[..], &database];
            let severity = label(&english);
            let row = SEVERITIES.iter().find(|row| row.english == severity);
            let own = row.and_then(|row| self::of(row, language).next());
            let message = rendered(&text, &values, None).expect("UTF-8");
            let expected = rendered(&english, &values, None).expect("English");
            let state = sqlstate(&english);
            // Polish has severities in ASCII, and messages that begin so.
            let mut begin = message.iter().take(32).take_while(|b| **b != b'"');
            let is_ascii = begin.all(u8::is_ascii);
            let is_ascii = is_ascii && own.is_some_and(str::is_ascii);
            let is_of_session = severity == "LOG" && state == "00000" && !is_ascii
                || severity == "FATAL" && &state[2..4] == "P0" && !is_ascii
                || own.is_some_and(|own| own.ends_with('G'))
                || own.is_some_and(|own| own.starts_with("FATAL"));
            let columns = format!("{severity},{state}");
            let expected = records(names, (severity, severity), &columns, &expected);
            for label in [severity, own.unwrap_or(severity)] {
                let in_csv = if is_of_session { label } else { severity };
                let columns = format!("{in_csv},{state}");
                let records = records(names, (severity, label), &columns, &message);
                for ((format, record), (_, expected)) in records.into_iter().zip(&expected) {
                    let expected = decoded(format.clone(), expected);
                    let met = decoded(format.clone(), &record);
                    if met != expected {
                        let record = String::from_utf8_lossy(&record);
                        missed.push(format!("{record}{met:?}\n{expected:?}"));
                    }
                }
            }
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

/// What English servers write all the time does not begin as a message of another language does.
#[test]
fn what_is_frequent_is_no_candidate() {
    for message in [
        "statement: SELECT 1",
        "duration: 0.041 ms",
        "execute <unnamed>: SELECT 1",
        "bind S_1: SELECT",
        "parse <unnamed>: SELECT",
        "SELECT abalance FROM",
        "UPDATE pgbench_accounts",
        "INSERT INTO pgbench",
        "checkpoint starting: time",
        "automatic vacuum of table \"a\"",
        "automatic analyze of table \"a\"",
        "temporary file: path",
        "process 1 still waiting for ShareLock",
        "could not send data to client",
        "relation \"a\" does not exist",
        "duplicate key value violates",
        "syntax error at or near",
        "current transaction is aborted",
        "canceling statement due to",
    ] {
        let first = message.as_bytes().first_chunk().expect("eight bytes");
        let is_query = message.contains("SELECT") || message.starts_with("duration");
        assert!(!is_query || !stray::may_begin(*first), "{message}");
        assert!(!stray::may_be(message.as_bytes()), "{message}");
    }
}

/// Heads with all that may follow them, in one language and with pieces that it lacks in English.
#[test]
fn every_authorized_connection_of_every_language_is_recognised() {
    let piece = |english: &str| PIECES.iter().find(|row| row.english == english);
    let row = |english: &str| piece(english).expect("a piece of the table");
    let database = row(" database=%s");
    let application = row(" application_name=%s");
    let groups = PIECES.iter().filter(|row| row.english.ends_with(')'));
    let groups: Vec<_> = groups.collect();
    for language in LANGUAGES {
        let translation = Translation::of(&[language]);
        for head in AUTHORIZED {
            let is_client = head.english.starts_with("connection");
            let with_english = |row: &'static Row| {
                let texts: Vec<_> = of(row, language).chain([row.english]).collect();
                texts
            };
            for text in of(head, language) {
                for database_text in with_english(database) {
                    for application_text in with_english(application).into_iter().chain([""]) {
                        let (mut english, mut text) = (head.english.to_owned(), text.to_owned());
                        if is_client {
                            english += " database=%s";
                            text += database_text;
                        }
                        if !application_text.is_empty() {
                            english += " application_name=%s";
                            text += application_text;
                        }
                        check(&translation, language, (&english, &text));
                        for group in &groups {
                            for group_text in with_english(group) {
                                let texts =
                                    (english.clone() + group.english, text.clone() + group_text);
                                check_group(&translation, (&texts.0, &texts.1));
                            }
                        }
                    }
                }
            }
        }
    }
}

fn check_group(translation: &Arc<Translation>, (english, text): (&str, &str)) {
    let values: Vec<_> = (0..12).map(|n| format!("n{n}").into_bytes()).collect();
    let values = if english.contains("bits=%d") {
        vec![b"256".to_vec(); 12]
    } else {
        values
    };
    let message = rendered(text, &values, None).expect("UTF-8");
    let expected = rendered(english, &values, None).expect("English");
    let names = [&values[0][..], &values[1]];
    let rewritten = rewriter(translation).whole(&line(names, "LOG", &message));
    let expected = line(names, "LOG", &expected);
    assert!(
        rewritten == expected || said(&rewritten) == said(&expected),
        "{text}:\n{}{}",
        String::from_utf8_lossy(&rewritten),
        String::from_utf8_lossy(&expected)
    );
}

#[test]
fn every_severity_and_label_becomes_english() {
    for language in LANGUAGES {
        let translation = Translation::of(&[language]);
        for row in SEVERITIES.iter().chain(LABELS) {
            for encoded in of(row, language)
                .flat_map(|text| variants(language, text))
                .filter(|encoded| !encoded.is_torn)
            {
                let is_severity = !row.english.ends_with(' ');
                let end: &[u8] = if is_severity { b":  " } else { b"" };
                let log = [b"2026 [1] a@b ", &encoded.bytes[..], end, b"FATAL:  x\n"].concat();
                let rewritten = Rewriter::new(translation.clone(), Shape::Stderr).whole(&log);
                let end = if is_severity { ":  " } else { "" };
                let expected = format!("2026 [1] a@b {}{end}FATAL:  x\n", row.english);
                // One word for two.
                let expected = match (*language, row.english) {
                    ("ka", "NOTICE") => expected.replace("NOTICE", "WARNING"),
                    _ => expected,
                };
                assert_eq!(String::from_utf8_lossy(&rewritten), expected, "{language}");
            }
        }
    }
}

#[test]
fn traps() {
    let rows = [
        // Two lines are one.
        (
            "fr",
            "t [1] LOG:  déconnexion : durée de la session : 0:00:00.021\n\tutilisateur=a base=b hôte=h port=5\nx\n",
            "t [1] LOG:  disconnection: session time: 0:00:00.021 user=a database=b host=h port=5\nx\n",
        ),
        // No `=`.
        (
            "fr",
            "t LOG:  connexion autorisée : utilisateur=a base de données b application_name=c\n",
            "t LOG:  connection authorized: user=a database=b application_name=c\n",
        ),
        // No space.
        (
            "sv",
            "t LOGG:  anslutning auktoriserad: användare=adatabas=b applikationsnamn=c\n",
            "t LOG:  connection authorized: user=a database=b application_name=c\n",
        ),
        // One text for clients and walsenders.
        (
            "ja",
            "t LOG:  接続の認証完了: ユーザー=a application_name=c\n",
            "t LOG:  replication connection authorized: user=a application_name=c\n",
        ),
        // A database in LATIN1.
        (
            "ru",
            "t SOOBSHHENIE:  otklyuchenie: vremya seansa: 0:00:03.259 pol`zovatel`=a baza danny`x=b komp`yuter=h port=1\n",
            "t LOG:  disconnection: session time: 0:00:03.259 user=a database=b host=h port=1\n",
        ),
        (
            "ja",
            "t LOG:  ?????: ???????: 0:00:03.237 ????=a ??????=b ???=h port=1\n",
            "t LOG:  disconnection: session time: 0:00:03.237 user=a database=b host=h port=1\n",
        ),
        // Milliseconds of 9.6.
        (
            "pt_BR",
            "t LOG:  desconexão: tempo da sessão: 0:00:00.05 usuário=a banco de dados=b máquina=h\n",
            "t LOG:  disconnection: session time: 0:00:00.005 user=a database=b host=h\n",
        ),
        // Labels without spaces, and verbose logs.
        (
            "tr",
            "t ÖLÜMCÜL (FATAL):  3D000: \"b\" veritabanı mevcut değil\nt AYRINTI:x\nt YER: f, g.c:1\nt KOMUT:  y\n",
            "t FATAL:  3D000: database \"b\" does not exist\nt DETAIL:  x\nt LOCATION:  f, g.c:1\nt STATEMENT:  y\n",
        ),
        // Words in holes.
        (
            "de",
            "t FATAL:  kein pg_hba.conf-Eintrag für Host »h«, Benutzer »u«, Datenbank »d«, keine Verschlüsselung\n",
            "t FATAL:  no pg_hba.conf entry for host \"h\", user \"u\", database \"d\", no encryption\n",
        ),
        (
            "de",
            "t LOG:  Serverprozess (PID 28546) wurde von Signal 9 beendet: Getötet\n",
            "t LOG:  server process (PID 28546) was terminated by signal 9: Getötet\n",
        ),
        (
            "de",
            "[unbekannt]@[unbekannt] LOG:  Verbindung empfangen: Host=[local]\r\n",
            "[unknown]@[unknown] LOG:  connection received: host=[local]\r\n",
        ),
        // Not behind a label, and not as a whole.
        (
            "de",
            "\tFEHLER:  Verbindung empfangen: Host=x\nVerbindung empfangen: Host=y\n",
            "\tFEHLER:  Verbindung empfangen: Host=x\nVerbindung empfangen: Host=y\n",
        ),
        (
            "de",
            "t LOG:  fahre herunter \nt LOG:  Anweisung: fahre herunter\n",
            "t LOG:  fahre herunter \nt LOG:  Anweisung: fahre herunter\n",
        ),
    ];
    for (language, text, expected) in rows {
        let mut rewriter = Rewriter::new(Translation::of(&[language]), Shape::Stderr);
        let rewritten = rewriter.whole(text.as_bytes());
        assert_eq!(String::from_utf8_lossy(&rewritten), expected, "{language}");
    }
}

const CSV: &str = "2026-11-23 05:31:17.199 UTC,\"a \"\"b\",\"d\",850,\"::1:5\",6b03cfa5.352,1,\"idle\",2026-11-23 05:31:17 UTC,3/1,0,";

#[test]
fn columns_and_strings_keep_their_quotes() {
    let translation = Translation::of(&["de", "fr"]);
    let csv = |text: &str| format!("{CSV}{text}");
    let rows = [
        (Shape::Csvlog, csv("FATAL,28P01,\"Passwort-Authentifizierung für Benutzer »a \"\"b« fehlgeschlagen\",\"x\"\n"),
            csv("FATAL,28P01,\"password authentication failed for user \"\"a \"\"b\"\"\",\"x\"\n")),
        (Shape::Csvlog, csv("FEHLER,42601,\"x\ny\",,,,,,\"select 1\n2026-11-23 05:31:17.199 UTC,,,1,,a.1,1,,2026-11-23 05:31:17 UTC,,0,FEHLER,00000,\"\"fahre herunter\"\"\"\n"),
            csv("ERROR,42601,\"x\ny\",,,,,,\"select 1\n2026-11-23 05:31:17.199 UTC,,,1,,a.1,1,,2026-11-23 05:31:17 UTC,,0,FEHLER,00000,\"\"fahre herunter\"\"\"\n")),
        (Shape::Csvlog, csv("LOG,00000,\"déconnexion : durée de la session : 0:00:00.021\nutilisateur=a base=b hôte=h port=5\",,\n"),
            csv("LOG,00000,\"disconnection: session time: 0:00:00.021 user=a database=b host=h port=5\",,\n")),
        (Shape::Jsonlog, "{\"error_severity\":\"FATAL\",\"message\":\"la base de données « a\\\"\\\\ » n'existe pas\",\"statement\":\"fahre herunter\"}\n".to_owned(),
            "{\"error_severity\":\"FATAL\",\"message\":\"database \\\"a\\\"\\\\\\\" does not exist\",\"statement\":\"fahre herunter\"}\n".to_owned()),
        // Serialised again.
        (Shape::Jsonlog, "{\"user\": \"message\", \"error_severity\": \"LOG\", \"message\" : \"d\\u00e9connexion : dur\\u00e9e de la session : 0:00:00.021\\nutilisateur=a base=b h\\u00f4te=h port=5\"}\n".to_owned(),
            "{\"user\": \"message\", \"error_severity\": \"LOG\", \"message\" : \"disconnection: session time: 0:00:00.021 user=a database=b host=h port=5\"}\n".to_owned()),
    ];
    for (shape, text, expected) in rows {
        let rewritten = Rewriter::new(translation.clone(), shape).whole(text.as_bytes());
        assert_eq!(String::from_utf8_lossy(&rewritten), expected);
    }
}

#[test]
fn english_stays_as_it_is() {
    let translation = Translation::of(LANGUAGES);
    let values: Vec<_> = (0..12)
        .map(|n| format!("FEHLER:  {n}").into_bytes())
        .collect();
    for row in TABLE {
        for values in [&vec![b"7".to_vec(); 12], &values] {
            let message = rendered(row.text, values, None).expect("English");
            let log = [
                line([b"app", b"shop"], "FATAL", &message),
                line([b"app", b"shop"], "DETAIL", &message),
            ];
            let log = log.concat();
            let rewritten = rewriter(&translation).whole(&log);
            let (rewritten, log) = (
                String::from_utf8_lossy(&rewritten),
                String::from_utf8_lossy(&log),
            );
            assert_eq!(rewritten, log);
            assert!(
                !may_be_translated(log.as_bytes(), Shape::Stderr)
                    || Catalog::default()
                        .detect(log.as_bytes(), Shape::Stderr)
                        .is_empty(),
                "{log}"
            );
        }
    }
}

/// The severity and the messages of ten lines of a log in a language.
fn ten_lines(language: &str) -> (String, Vec<String>) {
    let said = |table: &'static [Row], english: &str| {
        let row = table.iter().find(|row| row.english == english);
        let text = row.and_then(|row| of(row, language).next());
        text.unwrap_or(english).to_owned()
    };
    let head = said(AUTHORIZED, "connection authorized: user=%s");
    let mut texts = vec![head + &said(PIECES, " database=%s")];
    texts.extend(
        [
            "database system is ready to accept connections",
            "connection received: host=%s port=%s",
            "connection received: host=%s",
            "database \"%s\" does not exist",
            "password authentication failed for user \"%s\"",
            "sorry, too many clients already",
            "received fast shutdown request",
            "shutting down",
            "database system is shut down",
        ]
        .map(|english| said(MESSAGES, english)),
    );
    let values = vec![b"7".to_vec(); 12];
    let message = |text: &String| {
        let message = rendered(text, &values, None).expect("UTF-8");
        String::from_utf8(message).expect("UTF-8")
    };
    (said(SEVERITIES, "LOG"), texts.iter().map(message).collect())
}

#[test]
fn what_was_made_utf_8_or_serialised_again_tells_the_language() {
    let catalog = Catalog::default();
    let lines = |language: &str, write: &dyn Fn(&str) -> String| {
        let (_, messages) = ten_lines(language);
        let lines = messages.iter().map(|message| write(message));
        lines.collect::<Vec<_>>().concat()
    };
    for language in ["de", "es", "fr", "ja", "ru"] {
        let log = lines(language, &|message| {
            let escaped = message.replace('"', "\\\"").replace('\n', "\\n");
            let each = escaped.chars().map(|letter| match letter {
                ' '..='~' => letter.to_string(),
                _ => format!("\\u{:04x}", u32::from(letter)),
            });
            let message = each.collect::<String>();
            format!("{{\"pid\": 1, \"message\": \"{message}\"}}\n")
        });
        assert_eq!(Shape::of(log.as_bytes()), Shape::Jsonlog);
        assert!(may_be_translated(log.as_bytes(), Shape::Jsonlog));
        assert_eq!(catalog.detect(log.as_bytes(), Shape::Jsonlog), [language]);
    }
    for language in ["de", "es", "fr", "it", "pt_BR", "sv"] {
        let log = lines(language, &|message| {
            let latin1 = message.chars().map(|letter| match letter {
                '\n' | ' '..='~' => letter,
                _ => char::REPLACEMENT_CHARACTER,
            });
            let message = latin1.collect::<String>().replace('\n', "\n\t");
            format!("2026 [1] a@b LOG:  {message}\n")
        });
        assert_eq!(catalog.detect(log.as_bytes(), Shape::Stderr), [language]);
    }
}

#[test]
fn ten_lines_tell_the_language() {
    let catalog = Catalog::default();
    for language in LANGUAGES {
        let (severity, messages) = ten_lines(language);
        for shape in [Shape::Stderr, Shape::Csvlog, Shape::Jsonlog] {
            let line = |message: &String| match shape {
                Shape::Stderr => format!("2026 [1] a@b {severity}:  {message}\n"),
                Shape::Csvlog => {
                    let message = message.replace('"', "\"\"");
                    format!("{CSV}{severity},00000,\"{message}\",,,\n")
                }
                Shape::Jsonlog => {
                    let message = message.replace('"', "\\\"").replace('\n', "\\n");
                    format!("{{\"pid\":1,\"message\":\"{message}\"}}\n")
                }
            };
            let log = messages.iter().map(line).collect::<Vec<_>>().concat();
            let log = log.as_bytes();
            assert_eq!(Shape::of(log), shape, "{language}");
            assert!(may_be_translated(log, shape), "{language}");
            assert_eq!(catalog.detect(log, shape), [*language], "{shape:?}");
        }
    }
}

#[test]
fn nothing_depends_on_where_the_log_is_cut() {
    let translation = Translation::of(&["fr", "de"]);
    let stderr = "t FEHLER:  x\n\ty\nt LOG:  déconnexion : durée de la session : 0:00:00.021\n\tutilisateur=a base=b hôte=h\nt FATAL:  x\nt LOG:  fahre herunter";
    let csv = format!(
        "{CSV}LOG,00000,\"fahre herunter\",,\n{CSV}FEHLER,00000,\"a \"\"x\"\" b\n\",\"\n\"\nx,\"\n"
    );
    let json = "{\"message\":\"fahre herunter\",\"x\":1}\n{\"message\":\"Datenbank »a\\\"« existiert nicht\"}\n";
    for (shape, log) in [
        (Shape::Stderr, stderr),
        (Shape::Csvlog, &csv),
        (Shape::Jsonlog, json),
    ] {
        let whole = Rewriter::new(translation.clone(), shape).whole(log.as_bytes());
        for step in 1..log.len() {
            let mut rewriter = Rewriter::new(translation.clone(), shape);
            let mut out = Rewritten::default();
            let (mut from, mut to) = (0, 0);
            while to < log.len() {
                to = log.len().min(to + step);
                from += rewriter.rewrite(&log.as_bytes()[from..to], to == log.len(), &mut out);
            }
            assert_eq!(
                String::from_utf8_lossy(&out.text),
                String::from_utf8_lossy(&whole),
                "{step}"
            );
        }
    }
}
