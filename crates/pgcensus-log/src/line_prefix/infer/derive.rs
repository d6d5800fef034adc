//! Candidates out of the shape of lines.

use super::{Line, Says};
use crate::line_prefix::{Field, Part, label, parse_parts, read};
use crate::log_time;
use crate::record::Sqlstate;

/// Candidates that one line may give.
const PER_LINE: usize = 48;

/// A piece of a head, with the escapes that may have printed it, likeliest first; `LITERAL` is the
/// piece itself.
#[derive(Clone, Debug)]
struct Token {
    start: usize,
    end: usize,
    escapes: Vec<u8>,
}

const LITERAL: u8 = 0;

/// What messages of the sample say that prefixes may repeat.
struct Known<'c> {
    hosts: Vec<&'c [u8]>,
    applications: Vec<&'c [u8]>,
}

/// Applications that are everywhere.
const APPLICATIONS: &[&[u8]] = &[
    b"psql",
    b"pg_dump",
    b"pgbench",
    b"PostgreSQL JDBC Driver",
    b"DBeaver",
    b"pg_basebackup",
];

/// Chooses the lines that candidates are derived from.
type IsBase = fn(&Line<'_>) -> bool;

/// Prefixes that some lines of the sample look like.
pub(super) fn candidates(lines: &[Line<'_>]) -> Vec<String> {
    let mut known = Known {
        hosts: Vec::new(),
        applications: APPLICATIONS.to_vec(),
    };
    let note = |list: &mut Vec<&[u8]>, name: &[u8]| !name.is_empty() && !list.contains(&name);
    for line in lines {
        match line.says {
            Says::Received { host, .. } | Says::Disconnected { host, .. }
                if note(&mut known.hosts, host) =>
            {
                known.hosts.push(host);
            }
            Says::Authorized {
                application_name: Some(name),
                ..
            } => {
                let name = &name[..name.len().min(63)];
                if note(&mut known.applications, name) {
                    known.applications.push(name);
                }
            }
            _ => {}
        }
    }
    let mut texts = Vec::new();
    let bases: [(IsBase, usize); 6] = [
        (|line| matches!(line.says, Says::Authorized { .. }), 4),
        (|line| matches!(line.says, Says::Received { .. }), 3),
        (|line| matches!(line.says, Says::Disconnected { .. }), 4),
        (has_unset, 2),
        (
            |line| matches!(line.says, Says::Nothing | Says::Continued),
            5,
        ),
        (|line| line.says == Says::Background, 2),
    ];
    for (belongs, count) in bases {
        let of_kind: Vec<&Line<'_>> = lines.iter().filter(|line| belongs(line)).collect();
        let stride = of_kind.len().div_ceil(count).max(1);
        for line in of_kind.into_iter().step_by(stride) {
            let tokens = tokens(line, &known, lines);
            for text in texts_of(line.head, &tokens) {
                if !texts.contains(&text) {
                    texts.push(text);
                }
            }
        }
    }
    texts
}

fn has_unset(line: &Line<'_>) -> bool {
    (0..line.head.len()).any(|at| label::unset(&line.head[at..]).is_some())
}

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// Tags that `%i` prints often.
const TAGS: &[&[u8]] = &[
    b"idle in transaction (aborted)",
    b"idle in transaction",
    b"authentication",
    b"initializing",
    b"startup",
    b"idle",
    b"SELECT",
    b"INSERT",
    b"UPDATE",
    b"DELETE",
    b"BEGIN",
    b"COMMIT",
    b"PARSE",
    b"BIND",
    b"CREATE TABLE",
    b"START_REPLICATION",
];

/// Texts of `%b`, longer ones before those that they begin with.
const TYPES: &[&[u8]] = &[
    b"not initialized",
    b"dead-end client backend",
    b"client backend",
    b"walsender",
    b"postmaster",
    b"checkpointer",
    b"background writer",
    b"walwriter",
    b"walreceiver",
    b"archiver",
    b"autovacuum launcher",
    b"autovacuum worker",
    b"logger",
    b"stats collector",
    b"parallel worker",
    b"logical replication launcher",
    b"logical replication worker",
    b"startup",
];

fn tokens(line: &Line<'_>, known: &Known<'_>, lines: &[Line<'_>]) -> Vec<Token> {
    let head = line.head;
    let mut tokens: Vec<Token> = Vec::new();
    let mut pos = 0;
    while pos < head.len() {
        // A number may be glued to the zone of a time.
        let follows_time = tokens
            .last()
            .is_some_and(|token| token.end == pos && matches!(token.escapes[0], b'm' | b't'));
        let starts_word = pos == 0
            || follows_time
            || !is_word_byte(head[pos - 1])
            || follows_glued_key(&head[..pos]) && head[pos].is_ascii_digit();
        let token = if starts_word {
            token_at(line, known, pos, &tokens)
        } else {
            None
        };
        if let Some(token) = token {
            pos = token.end.max(pos + 1);
            tokens.push(token);
        } else {
            pos += 1;
        }
    }
    if line.says == Says::Background {
        add_empty_tokens(head, &mut tokens);
    }
    if matches!(
        line.says,
        Says::Nothing | Says::Continued | Says::Disconnected { .. }
    ) {
        add_words(line, &mut tokens, lines);
    }
    for token in &mut tokens {
        if let Some(escape) = hint(&head[..token.start], &head[token.end..])
            && let Some(at) = token.escapes.iter().position(|e| *e == escape)
        {
            token.escapes[..=at].rotate_right(1);
        }
    }
    tokens
}

/// `p4000`, `pid4000`
fn follows_glued_key(before: &[u8]) -> bool {
    let is_key = |key: &[u8]| {
        let rest = before.strip_suffix(key);
        rest.is_some_and(|rest| rest.last().is_none_or(|b| !is_word_byte(*b)))
    };
    is_key(b"p") || is_key(b"pid")
}

fn token_at(line: &Line<'_>, known: &Known<'_>, pos: usize, before: &[Token]) -> Option<Token> {
    let head = line.head;
    let text = &head[pos..];
    let ends_word = |len: usize| text.get(len).is_none_or(|b| !is_word_byte(*b));
    let token = |len: usize, escapes: &[u8]| {
        Some(Token {
            start: pos,
            end: pos + len,
            escapes: escapes.to_vec(),
        })
    };
    if let Some((_, len)) = log_time::read_wall(text)
        && text.get(len) == Some(&b' ')
        && let Some(zone) = zone_len(&text[len + 1..])
    {
        let escapes: &[u8] = if len == 23 { b"m" } else { b"ts" };
        return token(len + 1 + zone, escapes);
    }
    let is_lifecycle = !matches!(
        line.says,
        Says::Nothing | Says::Continued | Says::Background
    );
    if let Some(len) = label::unset(text) {
        let escapes: &[u8] = match line.says {
            Says::Authorized {
                database: Some(_), ..
            } => b"a",
            _ => b"uda",
        };
        return token(len, escapes);
    }
    if let Some((len, escapes)) = name_at(line, known, text)
        && ends_word(len)
    {
        return token(len, &escapes);
    }
    if let Some(len) = read::session_id_len(text)
        && ends_word(len)
        && text.get(len) != Some(&b'.')
        && let Some(dot) = memchr::memchr(b'.', &text[..len])
    {
        if dot == 10 && len == 14 && log_time::read_epoch(text).is_some() {
            return token(len, b"n");
        }
        if (7..=9).contains(&dot) {
            return token(len, b"c");
        }
    }
    let starts_with = |words: &[&[u8]]| {
        let word = words
            .iter()
            .find(|word| text.starts_with(word) && ends_word(word.len()));
        word.map(|word| word.len())
    };
    if line.says != Says::Background
        && let Some(len) = starts_with(TAGS)
    {
        return token(len, b"i");
    }
    if let Some(len) = starts_with(TYPES) {
        return token(len, &[b'b', LITERAL]);
    }
    if text.starts_with(b"[none]") {
        return token(6, b"L");
    }
    if let Some((host, port)) = read::remote_len(text)
        && host > 0
        && is_address(&text[..host], known)
    {
        let escapes: &[u8] = if port > 0 { b"r" } else { b"hrL" };
        return token(host + port, escapes);
    }
    // The longest beginning of the run that is an address: `10.0.0.1:` ends before its colon.
    for len in (2..=read::host_len(text)).rev() {
        if is_address(&text[..len], known) && ends_word(len) {
            return token(len, b"hL");
        }
    }
    let vxid = read::vxid_len(text);
    // `[3/17/0]`: the transaction may follow.
    let ends_vxid = text.get(vxid) != Some(&b'/')
        || text.get(vxid + 1 + read::digits(&text[vxid + 1..])) != Some(&b'/')
            && text.get(vxid + 1).is_some_and(u8::is_ascii_digit);
    let holds_time =
        (0..vxid).any(|at| text[at] == b'/' && log_time::read_wall(&text[at + 1..]).is_some());
    if vxid > 0 && ends_word(vxid) && ends_vxid && !holds_time {
        return token(vxid, b"v");
    }
    if let Some(code) = text.get(..5)
        && ends_word(5)
        && Sqlstate::parse(code).is_some()
        && (code == b"00000"
            || !is_lifecycle && code.iter().any(u8::is_ascii_digit) && code[0] != b'L')
    {
        let digits_only = code != b"00000" && code.iter().all(u8::is_ascii_digit);
        return token(5, if digits_only { b"pe" } else { b"e" });
    }
    let sign = usize::from(text[0] == b'-' && text.len() > 12);
    let len = sign + read::digits(&text[sign..]);
    let is_number = len > sign + usize::from(sign > 0) * 10 && ends_word(len);
    let free_from = before.last().map_or(0, |token| token.end);
    if is_number && !is_of_time(&head[free_from..], pos - free_from) {
        let number = &text[..len];
        let follows_number = pos > 1
            && head[pos - 1] == b'-'
            && before.last().is_some_and(|token| token.end == pos - 1);
        let escapes: &[u8] = match (number, line.says) {
            (b"1", _) if follows_number => return None,
            (b"1", Says::Received { .. }) => &[b'l', LITERAL],
            (b"0", _) => &[b'x', b'Q', LITERAL],
            _ if len > 10 => &[b'Q', LITERAL],
            (_, Says::Received { .. }) => &[b'p', LITERAL, b'l'],
            _ if len <= 2 => &[b'l', b'p', b'x', LITERAL],
            _ => &[b'p', b'l', b'x', b'Q', LITERAL],
        };
        return token(len, escapes);
    }
    None
}

/// Whether the digits at `at` are of a time of day or of a date that no escape prints: `Nov 23 05:16:38`. They change from line
/// to line as a process and the number of a line do.
fn is_of_time(text: &[u8], at: usize) -> bool {
    let is_clock = |text: &[u8]| {
        let clock: Option<&[u8; 8]> = text.first_chunk();
        clock.is_some_and(|clock| {
            let is_as = |(i, b): (usize, &u8)| match i {
                2 | 5 => *b == b':',
                _ => b.is_ascii_digit(),
            };
            clock.iter().enumerate().all(is_as)
        }) && !text.get(8).is_some_and(u8::is_ascii_digit)
    };
    let begins_word = |at: usize| at == 0 || !text[at - 1].is_ascii_digit();
    let holds = |begin: usize, len: usize| begin <= at && at < begin + len;
    (at.saturating_sub(18)..=at).any(|begin| {
        let text = &text[begin..];
        begins_word(begin)
            && (is_clock(text) && holds(begin, 8)
                || log_time::read_wall(text).is_some_and(|(_, len)| holds(begin, len)))
    }) || {
        // The day, and the year behind it, of a date before a time.
        let digits = read::digits(&text[at..]);
        let rest = text[at + digits..].strip_prefix(b" ").unwrap_or_default();
        let year = read::digits(rest);
        let behind_year = rest[year..].strip_prefix(b" ").filter(|_| year == 4);
        matches!(digits, 1 | 2 | 4) && (is_clock(rest) || behind_year.is_some_and(is_clock))
    }
}

/// Letters, or a sign and two or four digits; `None` for what cannot be a zone. A pid may follow its digits: then it
/// has two of them, unless what is left is too large for a pid.
fn zone_len(text: &[u8]) -> Option<usize> {
    let open = usize::from(text.first() == Some(&b'<'));
    let is_sign = matches!(text.get(open), Some(b'+' | b'-'));
    let sign = open + usize::from(is_sign);
    let run = text[sign..]
        .iter()
        .take_while(|b| {
            if is_sign {
                b.is_ascii_digit()
            } else {
                b.is_ascii_alphabetic()
            }
        })
        .count();
    let glued = text
        .get(sign + 2..sign + run)
        .filter(|_| is_sign && run > 4);
    let run = match glued {
        Some(pid) if pid.len() <= 7 && number(pid) <= read::PID_MAX => 2,
        Some(_) => 4,
        None => run,
    };
    (run > 0).then_some((sign + run + open).min(text.len()))
}

/// The number that a few digits make.
fn number(digits: &[u8]) -> u32 {
    let digit = |number: u32, b: &u8| number * 10 + u32::from(b - b'0');
    digits.iter().fold(0, digit)
}

/// A name that the line's own message, or for applications another one, says.
fn name_at(line: &Line<'_>, known: &Known<'_>, text: &[u8]) -> Option<(usize, Vec<u8>)> {
    let (user, database) = match line.says {
        Says::Authorized { user, database, .. } => (user, database.unwrap_or(b"")),
        Says::Disconnected { user, database, .. } => (user, database),
        _ => (&b""[..], &b""[..]),
    };
    let mut len = 0;
    let mut escapes = Vec::new();
    let mut consider = |name: &[u8], escape| {
        if name.is_empty() || !text.starts_with(name) || name.len() < len {
            return;
        }
        if name.len() > len {
            escapes.clear();
        }
        len = name.len();
        escapes.push(escape);
    };
    consider(user, b'u');
    consider(database, b'd');
    if matches!(
        line.says,
        Says::Disconnected { .. } | Says::Nothing | Says::Continued
    ) {
        for name in &known.applications {
            consider(name, b'a');
        }
    }
    if escapes.is_empty() {
        return None;
    }
    escapes.dedup();
    // It may be a word of the prefix after all.
    escapes.push(LITERAL);
    Some((len, escapes))
}

/// IPv4, IPv6, `[local]`, or a host that some message names.
fn is_address(host: &[u8], known: &Known<'_>) -> bool {
    if host == b"[local]" || known.hosts.contains(&host) {
        return true;
    }
    let quads = host.split(|b| *b == b'.');
    let is_quad =
        |quad: &[u8]| (1..=3).contains(&quad.len()) && quad.iter().all(u8::is_ascii_digit);
    if quads.clone().count() == 4 && quads.clone().all(is_quad) {
        return true;
    }
    // A time of day is no address.
    host.contains(&b':')
        && read::is_plausible_host(host)
        && (memchr::memmem::find(host, b"::").is_some()
            || memchr::memchr_iter(b':', host).count() == 7)
}

/// In the head of a background process names are empty: `user=,db=` and `@`.
fn add_empty_tokens(head: &[u8], tokens: &mut Vec<Token>) {
    let is_gap = |byte: Option<&u8>| byte.is_none_or(|b| b" ,;|:/])>@\t\"'".contains(b));
    let mut empty = Vec::new();
    for at in 0..=head.len() {
        if !is_gap(head.get(at)) || at == 0 && head.first() != Some(&b'@') {
            continue;
        }
        let before = at.checked_sub(1).map(|i| head[i]);
        let escape = match before {
            Some(b'=') => hint(&head[..at], b""),
            Some(b'@') => Some(b'd'),
            _ if head.get(at) == Some(&b'@') && before.is_none_or(|b| !is_word_byte(b)) => {
                Some(b'u')
            }
            _ => None,
        };
        let inside = tokens
            .iter()
            .any(|token| token.start < at && at < token.end || token.start == at);
        if let Some(escape) = escape.filter(|_| !inside) {
            empty.push(Token {
                start: at,
                end: at,
                escapes: vec![escape],
            });
        }
    }
    tokens.append(&mut empty);
    tokens.sort_by_key(|token| token.start);
}

/// Without a message that says the names, words that change from line to line are names.
fn add_words(line: &Line<'_>, tokens: &mut Vec<Token>, lines: &[Line<'_>]) {
    let head = line.head;
    let mut words = Vec::new();
    let mut pos = 0;
    while pos < head.len() {
        if let Some(token) = tokens
            .iter()
            .find(|token| token.start <= pos && pos < token.end)
        {
            pos = token.end;
            continue;
        }
        let is_part = |b: u8| is_word_byte(b) || matches!(b, b'-' | b'.' | b'\'');
        let len = head[pos..].iter().take_while(|b| is_part(**b)).count();
        let end = tokens
            .iter()
            .map(|token| token.start)
            .find(|start| *start > pos)
            .map_or(pos + len, |start| start.min(pos + len));
        let word = &head[pos..end];
        if len == 0 || !word.iter().any(|b| b.is_ascii_alphabetic() || *b >= 0x80) {
            pos = pos.max(end) + usize::from(len == 0);
            continue;
        }
        let next = head.get(end);
        let hinted = hint(&head[..pos], &head[end..]);
        let everywhere = lines
            .iter()
            .all(|line| memchr::memmem::find(line.head, word).is_some());
        let escapes: &[u8] = match hinted {
            _ if next == Some(&b'=') => &[],
            // `postgres[4000]: `
            _ if everywhere
                && pos == 0
                && lines.len() > 2
                && ends_name_of_program(&head[end..]) =>
            {
                &[LITERAL]
            }
            Some(escape @ (b'u' | b'd' | b'a' | b'h' | b'i')) => &[escape],
            _ if everywhere && lines.len() > 2 => &[LITERAL, b'u', b'd', b'a'],
            _ => b"uda\0",
        };
        if !escapes.is_empty() {
            words.push(Token {
                start: pos,
                end,
                escapes: escapes.to_vec(),
            });
        }
        pos = end;
    }
    tokens.append(&mut words);
    tokens.sort_by_key(|token| token.start);
}

/// What follows the name that a prefix gives the server.
fn ends_name_of_program(after: &[u8]) -> bool {
    after.starts_with(b"[") || after.starts_with(b": ")
}

/// The escape that the text around a field speaks for: its key, or `@`.
fn hint(before: &[u8], after: &[u8]) -> Option<u8> {
    if before.last() == Some(&b'@') {
        return Some(b'd');
    }
    if after.first() == Some(&b'@') {
        return Some(b'u');
    }
    if before.last() == Some(&b'[') && after.first() == Some(&b']') {
        return Some(b'p');
    }
    let end = before
        .iter()
        .rposition(|b| !b" =:\"'([<".contains(b))
        .map_or(0, |i| i + 1);
    // A word before a bare space is as likely another name.
    if !before[end..].iter().any(|b| matches!(b, b'=' | b':')) {
        return None;
    }
    let start = before[..end]
        .iter()
        .rposition(|b| !b.is_ascii_alphabetic() && *b != b'_')
        .map_or(0, |i| i + 1);
    let key = before[start..end].to_ascii_lowercase();
    Some(match key.as_slice() {
        b"u" | b"user" | b"usr" | b"username" | b"user_name" | b"role" => b'u',
        b"d" | b"db" | b"database" | b"dbname" | b"datname" | b"database_name" => b'd',
        b"a" | b"app" | b"appname" | b"application" | b"application_name" | b"app_name" => b'a',
        b"h" | b"host" | b"client" | b"ip" | b"remote" | b"addr" | b"client_addr" => b'h',
        b"p" | b"pid" | b"process" | b"proc" | b"process_id" => b'p',
        b"l" | b"line" | b"line_num" | b"log_line" | b"num" | b"seq" => b'l',
        b"x" | b"xid" | b"txid" | b"tx" | b"trx" | b"tid" => b'x',
        b"v" | b"vxid" | b"vtid" | b"virtual" => b'v',
        b"q" | b"qid" | b"query_id" | b"queryid" => b'Q',
        b"tag" | b"cmd" | b"command" | b"command_tag" | b"ps" | b"i" => b'i',
        b"s" | b"start" | b"session_start" | b"started" => b's',
        b"l_addr" | b"server" | b"local" | b"listen" => b'L',
        _ => return None,
    })
}

/// The prefixes that the tokens of a head make: each escape once, in the order of likelihood.
fn texts_of(head: &[u8], tokens: &[Token]) -> Vec<String> {
    let mut choices = Vec::new();
    choose_escapes(tokens, &mut Vec::new(), &mut choices);
    // Not every token may have an escape left for it: those stay literal.
    let mut texts = Vec::new();
    for choice in &choices {
        for pads in [Pads::None, Pads::Left, Pads::Right] {
            let text = text_of(head, tokens, choice, pads).filter(|text| !texts.contains(text));
            texts.extend(text);
        }
    }
    texts
}

fn choose_escapes(tokens: &[Token], chosen: &mut Vec<u8>, choices: &mut Vec<Vec<u8>>) {
    if choices.len() >= PER_LINE {
        return;
    }
    let Some(token) = tokens.get(chosen.len()) else {
        choices.push(chosen.clone());
        return;
    };
    let mut any = false;
    for escape in &token.escapes {
        if *escape != LITERAL && chosen.contains(escape) {
            continue;
        }
        any = true;
        chosen.push(*escape);
        choose_escapes(tokens, chosen, choices);
        chosen.pop();
    }
    if !any {
        chosen.push(LITERAL);
        choose_escapes(tokens, chosen, choices);
        chosen.pop();
    }
}

/// Which fields with two spaces or more beside them are taken for padded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pads {
    None,
    /// `%-10u`: all spaces behind the value but one are padding.
    Left,
    /// `%10u`: likewise before it.
    Right,
}

fn text_of(head: &[u8], tokens: &[Token], escapes: &[u8], pads: Pads) -> Option<String> {
    let mut parts: Vec<Part> = Vec::new();
    let mut pos = 0;
    let mut padded = false;
    for (token, escape) in tokens.iter().zip(escapes) {
        if *escape == LITERAL || token.start < pos {
            continue;
        }
        let spaces = |text: &[u8]| text.iter().take_while(|b| **b == b' ').count();
        let len = token.end - token.start;
        let (mut start, mut end) = (token.start, token.end);
        let mut width = 0;
        let behind = spaces(&head[end..]);
        let before = head[pos..start]
            .iter()
            .rev()
            .take_while(|b| **b == b' ')
            .count();
        if pads == Pads::Left && behind > 1 {
            width = len + behind - 1;
            end += behind - 1;
        } else if pads == Pads::Right {
            // Behind a literal all of the spaces are padding: `[   42]`.
            let keep = usize::from(before == start - pos || head[start - before - 1] != b'[');
            if before > keep {
                width = len + before - keep;
                start -= before - keep;
            }
        }
        padded |= width > 0;
        parts.push(Part::Literal(head[pos..start].to_vec()));
        parts.push(Part::Field(Field {
            escape: *escape,
            width,
            left: pads == Pads::Left,
        }));
        pos = end;
    }
    parts.push(Part::Literal(head[pos..].to_vec()));
    (padded == (pads != Pads::None)).then(|| print(&parts))?
}

/// The text that parses to these parts; `None` where a literal is not UTF-8.
pub(super) fn print(parts: &[Part]) -> Option<String> {
    let mut text = String::new();
    for part in parts {
        match part {
            Part::Literal(literal) => {
                text.push_str(&std::str::from_utf8(literal).ok()?.replace('%', "%%"));
            }
            Part::Field(field) => {
                text.push('%');
                if field.width > 0 {
                    let sign = if field.left { "-" } else { "" };
                    text.push_str(sign);
                    text.push_str(&field.width.to_string());
                }
                text.push(char::from(field.escape));
            }
            Part::Stop => text.push_str("%q"),
        }
    }
    Some(text)
}

/// Prefixes that differ from `base` in which of its names is which, where neither a key nor an `@` tells.
pub(super) fn renamed(base: &str) -> Vec<String> {
    let parts = parse_parts(base.as_bytes());
    let literal = |i: usize| match parts.get(i) {
        Some(Part::Literal(literal)) => literal.as_slice(),
        _ => b"",
    };
    let is_told = |escape| {
        parts.iter().enumerate().any(|(i, part)| {
            let before = literal(i.wrapping_sub(1));
            matches!(part, Part::Field(field) if field.escape == escape)
                && hint(before, literal(i + 1)) == Some(escape)
        })
    };
    let mut texts = Vec::new();
    for (from, to) in [(b'u', b'd'), (b'u', b'a'), (b'd', b'a')] {
        if is_told(from) || is_told(to) {
            continue;
        }
        let mut renamed = parts.clone();
        for part in &mut renamed {
            if let Part::Field(field) = part {
                field.escape = match field.escape {
                    escape if escape == from => to,
                    escape if escape == to => from,
                    escape => escape,
                };
            }
        }
        if renamed != parts {
            texts.extend(print(&renamed));
        }
    }
    texts
}

/// Prefixes that differ from `base` in one thing: a `%q`, a field that is empty in many lines, the
/// padding of a field, the kind of a number.
pub(super) fn edits(base: &str, lines: &[Line<'_>]) -> Vec<String> {
    let parts = parse_parts(base.as_bytes());
    let mut texts = Vec::new();
    for new in [b'q', b'v', b'i', b'P'] {
        let has = parts.iter().any(|part| match part {
            Part::Field(field) => field.escape == new,
            Part::Stop => new == b'q',
            Part::Literal(_) => false,
        });
        if has {
            continue;
        }
        let part = if new == b'q' {
            Part::Stop
        } else {
            Part::Field(Field {
                escape: new,
                width: 0,
                left: false,
            })
        };
        let is_free = |i: usize| matches!(parts.get(i), Some(Part::Field(field)) if b"udai".contains(&field.escape));
        // From the end: a `%q` stands behind the space rather than before it.
        for i in (0..=parts.len()).rev() {
            let beside_free = match new {
                // What is empty outside sessions stands behind the `%q`.
                b'q' => is_free(i.wrapping_sub(1)),
                b'i' => is_free(i) || is_free(i.wrapping_sub(1)),
                _ => false,
            };
            if !beside_free {
                let mut edited = parts.clone();
                edited.insert(i, part.clone());
                texts.extend(print(&edited));
            }
            if let Some(Part::Literal(literal)) = i.checked_sub(1).and_then(|i| parts.get(i)) {
                let i = i - 1;
                for at in (1..literal.len()).rev() {
                    let (before, after) = literal.split_at(at);
                    let mut edited = parts.clone();
                    edited.splice(
                        i..=i,
                        [
                            Part::Literal(before.to_vec()),
                            part.clone(),
                            Part::Literal(after.to_vec()),
                        ],
                    );
                    texts.extend(print(&edited));
                }
            }
        }
    }
    for i in 0..parts.len() {
        if let Part::Field(field @ Field { escape: b'x', .. }) = parts[i] {
            let mut edited = parts.clone();
            edited[i] = Part::Field(Field {
                escape: b'Q',
                ..field
            });
            texts.extend(print(&edited));
        }
    }
    let is_padded = |line: &Line<'_>| memchr::memmem::find(line.head, b"  ").is_some();
    if lines.iter().any(is_padded) {
        for i in 0..parts.len() {
            pad(&parts, i, &mut texts);
            shift(&parts, i, &mut texts);
        }
    }
    texts
}

/// The widest field that is tried.
const WIDTH_TRIED: usize = 24;

/// The field at `i` padded: the spaces beside it belong to it, all or all but one.
fn pad(parts: &[Part], i: usize, texts: &mut Vec<String>) {
    let Part::Field(field @ Field { width: 0, .. }) = parts[i] else {
        return;
    };
    let is_free = b"udai".contains(&field.escape);
    let widest = if is_free {
        WIDTH_TRIED
    } else {
        WIDTH_TRIED / 2
    };
    for left in [true, false] {
        let beside = if left { i + 1 } else { i.wrapping_sub(1) };
        let spaces = match parts.get(beside) {
            Some(Part::Literal(literal)) if left => {
                literal.iter().take_while(|b| **b == b' ').count()
            }
            Some(Part::Literal(literal)) => {
                literal.iter().rev().take_while(|b| **b == b' ').count()
            }
            _ => 0,
        };
        for kept in (0..=spaces.min(1)).rev() {
            for width in 2..=widest {
                let mut edited = parts.to_vec();
                edited[i] = Part::Field(Field {
                    width,
                    left,
                    ..field
                });
                if let Some(Part::Literal(literal)) = edited.get_mut(beside) {
                    let begin = if left { 0 } else { literal.len() - spaces };
                    literal.drain(begin..begin + spaces - kept);
                }
                texts.extend(print(&edited));
            }
        }
    }
}

/// The field at `i` and the next one share the spaces between them otherwise: `%-20a %10u` for `%-22a %8u`.
fn shift(parts: &[Part], i: usize, texts: &mut Vec<String>) {
    let (Part::Field(first), Some(Part::Literal(between)), Some(Part::Field(second))) =
        (&parts[i], parts.get(i + 1), parts.get(i + 2))
    else {
        return;
    };
    let is_left = first.width > 0 && first.left && !second.left;
    if !is_left || between != b" " {
        return;
    }
    let both = first.width + second.width;
    for width in (2..both).filter(|width| *width != second.width) {
        let mut edited = parts.to_vec();
        edited[i] = Part::Field(Field {
            width: both - width,
            ..*first
        });
        edited[i + 2] = Part::Field(Field { width, ..*second });
        texts.extend(print(&edited));
    }
}
