//! Filter: which sessions count.
//!
//! ```text
//! --user 'app*' --exclude-host 10.0.0.0/8      Who { user: app_web, client_host: 10.1.2.3, … } → false
//! ```
//!
//! Any pattern of one dimension is enough, every dimension must agree, and an exclusion wins. Names are
//! compared exactly. What a flag is called is the program's knowledge; here are dimensions only.

use std::net::IpAddr;

use pgcensus_log::record::SessionId;

use crate::change::{Probe, Refusal};
use crate::names::{APPLICATION_NAME_MAX, Dimension, Name, NameId, Names};
use crate::session::{ServerId, Session};

/// Which sessions, refusals and probes count. The default lets everything pass.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    include: ByDimension<Vec<Pattern>>,
    exclude: ByDimension<Vec<Pattern>>,
    pids: Vec<u32>,
    session_ids: Vec<SessionId>,
    /// By dimension and [`NameId`]; as bounded as [`Names`] is.
    verdicts: ByDimension<Vec<Option<Verdict>>>,
    /// A name of this dimension was among the included ones.
    found: ByDimension<bool>,
    asked: bool,
    matched: bool,
}

/// What is shown, and found, where there is no name.
const UNKNOWN: &str = "unknown";

type ByDimension<T> = [T; Dimension::ALL.len()];

/// What the patterns of its dimension say about one name.
#[derive(Clone, Copy, Debug)]
struct Verdict {
    included: bool,
    excluded: bool,
}

/// Who is behind a session, a refusal or a probe: all that a [`Filter`] looks at.
#[derive(Clone, Copy, Debug)]
pub struct Who<'a> {
    /// Which server.
    pub server: ServerId,
    /// Process of the backend.
    pub pid: Option<u32>,
    /// `%c`
    pub session_id: Option<SessionId>,
    /// The role; `None` reads as `unknown`.
    pub user: Option<&'a Name>,
    /// The database, likewise.
    pub database: Option<&'a Name>,
    /// The application, likewise.
    pub application_name: Option<&'a Name>,
    /// The client, likewise.
    pub client_host: Option<&'a Name>,
    /// It was received and has not said who it is: a probe, or pending. No included user, database or
    /// application, not even `unknown`, can be its own, and no excluded one either.
    pub received_only: bool,
}

impl Who<'_> {
    fn name<'n>(&'n self, dimension: Dimension, server: &'n Name) -> Option<&'n Name> {
        match dimension {
            Dimension::Database => self.database,
            Dimension::User => self.user,
            Dimension::ApplicationName => self.application_name,
            Dimension::ClientHost => self.client_host,
            Dimension::Server => Some(server),
        }
    }
}

impl<'a> From<&'a Session> for Who<'a> {
    fn from(session: &'a Session) -> Self {
        Who {
            server: session.server,
            pid: session.pid,
            session_id: session.session_id,
            user: session.user.as_ref(),
            database: session.database.as_ref(),
            application_name: session.application_name.as_ref(),
            client_host: session.counted_client_host(),
            // A log without times has sessions without `authorized_at`; they do have a user.
            received_only: session.authorized_at.is_none()
                && session.end.is_none()
                && session.user.is_none()
                && session.database.is_none(),
        }
    }
}

impl<'a> From<&'a Refusal> for Who<'a> {
    fn from(refusal: &'a Refusal) -> Self {
        Who {
            server: refusal.server,
            pid: refusal.pid,
            session_id: refusal.session_id,
            user: refusal.user.as_ref(),
            database: refusal.database.as_ref(),
            application_name: refusal.application_name.as_ref(),
            client_host: refusal.client_host.as_ref(),
            received_only: false,
        }
    }
}

impl<'a> From<&'a Probe> for Who<'a> {
    fn from(probe: &'a Probe) -> Self {
        Who {
            server: probe.server,
            pid: probe.pid,
            session_id: probe.session_id,
            user: None,
            database: None,
            application_name: None,
            client_host: probe.client_host.as_ref(),
            received_only: true,
        }
    }
}

/// Who is behind an event that outlives the numbers of its names: the same as [`Who`], as text.
#[derive(Clone, Debug, Default)]
pub struct WhoText {
    /// Process of the backend.
    pub pid: Option<u32>,
    /// `%c`
    pub session_id: Option<SessionId>,
    /// By [`Dimension`]; `None` reads as `unknown`.
    pub names: [Option<Box<[u8]>>; Dimension::ALL.len()],
    /// As in [`Who`].
    pub received_only: bool,
    /// It is the server that speaks, of no session.
    pub is_server: bool,
}

impl WhoText {
    /// The texts of names.
    pub fn new(names: &Names, who: &Who<'_>) -> WhoText {
        let server = Name::from(NameId::from(who.server));
        let text = |dimension| {
            let name = who.name(dimension, &server)?;
            Some(names.text(dimension, name).into())
        };
        WhoText {
            pid: who.pid,
            session_id: who.session_id,
            names: Dimension::ALL.map(text),
            received_only: who.received_only,
            is_server: false,
        }
    }

    /// A server, of its own.
    pub fn of_server(names: &Names, server: ServerId) -> WhoText {
        let text = names.text_of(Dimension::Server, NameId::from(server));
        let mut who = WhoText {
            is_server: true,
            ..WhoText::default()
        };
        who.names[Dimension::Server as usize] = Some(text.into());
        who
    }
}

impl Filter {
    /// Counts sessions whose name of this dimension matches, beside those of earlier patterns.
    ///
    /// # Errors
    /// The pattern is empty or no network.
    pub fn include(&mut self, dimension: Dimension, pattern: &str) -> Result<(), PatternError> {
        self.include[dimension as usize].push(Pattern::parse(dimension, pattern)?);
        Ok(())
    }

    /// Leaves out sessions whose name of this dimension matches, whatever is included.
    ///
    /// # Errors
    /// The pattern is empty or no network.
    pub fn exclude(&mut self, dimension: Dimension, pattern: &str) -> Result<(), PatternError> {
        self.exclude[dimension as usize].push(Pattern::parse(dimension, pattern)?);
        Ok(())
    }

    /// Counts sessions of this pid.
    ///
    /// # Errors
    /// It is no pid.
    pub fn include_pid(&mut self, text: &str) -> Result<(), PatternError> {
        let pid = text.parse().ok().filter(|&pid| pid != 0);
        self.pids.push(pid.ok_or(PatternError::Pid)?);
        Ok(())
    }

    /// Counts the session with this id.
    ///
    /// # Errors
    /// It is no session id.
    pub fn include_session(&mut self, text: &str) -> Result<(), PatternError> {
        let id = SessionId::parse(text.as_bytes());
        self.session_ids.push(id.ok_or(PatternError::SessionId)?);
        Ok(())
    }

    /// Everything passes.
    pub fn is_empty(&self) -> bool {
        self.pids.is_empty()
            && self.session_ids.is_empty()
            && Dimension::ALL.iter().all(|&d| !self.has_patterns(d))
    }

    /// It looks at names alone, and so is the same for all sessions that have the same.
    pub fn is_of_names(&self) -> bool {
        self.pids.is_empty() && self.session_ids.is_empty()
    }

    /// Whether this one counts. `names` are those that made the names in `who`.
    pub fn matches(&mut self, names: &Names, who: &Who) -> bool {
        let mut matched = (self.pids.is_empty()
            || who.pid.is_some_and(|pid| self.pids.contains(&pid)))
            && (self.session_ids.is_empty()
                || who
                    .session_id
                    .is_some_and(|id| self.session_ids.contains(&id)));
        let server = Name::from(NameId::from(who.server));
        for dimension in Dimension::ALL {
            if !self.has_patterns(dimension) {
                continue;
            }
            let is_received = matches!(dimension, Dimension::ClientHost | Dimension::Server);
            if who.received_only && !is_received {
                matched &= self.include[dimension as usize].is_empty();
                continue;
            }
            let verdict = self.verdict(names, dimension, who.name(dimension, &server));
            self.found[dimension as usize] |= verdict.included;
            matched &= verdict.included && !verdict.excluded;
        }
        self.asked = true;
        self.matched |= matched;
        matched
    }

    /// As [`matches`](Filter::matches) and [`matches_server`](Filter::matches_server), of names as text.
    pub fn matches_text(&self, who: &WhoText) -> bool {
        let is_of_backend = (self.pids.is_empty()
            || who.pid.is_some_and(|pid| self.pids.contains(&pid)))
            && (self.session_ids.is_empty()
                || who
                    .session_id
                    .is_some_and(|id| self.session_ids.contains(&id)));
        is_of_backend
            && Dimension::ALL.into_iter().all(|dimension| {
                if !self.has_patterns(dimension) {
                    return true;
                }
                if who.is_server && dimension != Dimension::Server {
                    return false;
                }
                let is_received = matches!(dimension, Dimension::ClientHost | Dimension::Server);
                if who.received_only && !is_received {
                    return self.include[dimension as usize].is_empty();
                }
                let text = who.names[dimension as usize].as_deref();
                let verdict = self.judge(dimension, text.unwrap_or(UNKNOWN.as_bytes()));
                verdict.included && !verdict.excluded
            })
    }

    /// Whether sessions of this server may count.
    pub fn has_server(&mut self, names: &Names, server: ServerId) -> bool {
        let name = Name::from(NameId::from(server));
        let verdict = self.verdict(names, Dimension::Server, Some(&name));
        verdict.included && !verdict.excluded
    }

    /// Whether what this server says of itself counts: it is of no session, so any other pattern leaves it out.
    pub fn matches_server(&mut self, names: &Names, server: ServerId) -> bool {
        let mut others = Dimension::ALL
            .into_iter()
            .filter(|&dimension| dimension != Dimension::Server);
        self.pids.is_empty()
            && self.session_ids.is_empty()
            && !others.any(|dimension| self.has_patterns(dimension))
            && self.has_server(names, server)
    }

    /// Why nothing matched, in words for the reader: `no session has user 'App'; did you mean 'app'?`.
    /// `None` where something did, or where there was nothing to match.
    pub fn unmatched(&self, names: &Names) -> Option<String> {
        if self.matched || !self.asked || self.is_empty() {
            return None;
        }
        let missing = Dimension::ALL.into_iter().find(|&dimension| {
            !self.include[dimension as usize].is_empty() && !self.found[dimension as usize]
        });
        let Some(dimension) = missing else {
            return Some("no session matches all filters at once".to_owned());
        };
        let patterns = &self.include[dimension as usize];
        let wanted: Vec<String> = patterns
            .iter()
            .map(|pattern| format!("'{}'", pattern.text))
            .collect();
        let hint = patterns
            .iter()
            .find_map(|pattern| hint(names, dimension, pattern))
            .unwrap_or_default();
        Some(format!(
            "no session has {} {}{hint}",
            dimension.as_str(),
            wanted.join(" or ")
        ))
    }

    fn has_patterns(&self, dimension: Dimension) -> bool {
        let d = dimension as usize;
        !self.include[d].is_empty() || !self.exclude[d].is_empty()
    }

    fn verdict(&mut self, names: &Names, dimension: Dimension, name: Option<&Name>) -> Verdict {
        let id = name.map_or(NameId::ABSENT, |name| name.id);
        let d = dimension as usize;
        if let Some(&Some(verdict)) = self.verdicts[d].get(id.0 as usize) {
            return verdict;
        }
        let text = name.map_or_else(
            || names.text_of(dimension, NameId::ABSENT),
            |name| names.text(dimension, name),
        );
        let verdict = self.judge(dimension, text);
        // Names past the bound share a number, so what holds for one says nothing about the next.
        if id != NameId::OTHER {
            let known = &mut self.verdicts[d];
            if known.len() <= id.0 as usize {
                known.resize(id.0 as usize + 1, None);
            }
            known[id.0 as usize] = Some(verdict);
        }
        verdict
    }

    fn judge(&self, dimension: Dimension, text: &[u8]) -> Verdict {
        let d = dimension as usize;
        let any = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches(text));
        Verdict {
            included: self.include[d].is_empty() || any(&self.include[d]),
            excluded: any(&self.exclude[d]),
        }
    }
}

/// What the reader may have meant by a pattern that no name matches.
fn hint(names: &Names, dimension: Dimension, pattern: &Pattern) -> Option<String> {
    if let Rule::Network(..) | Rule::Address(..) = pattern.rule {
        return None;
    }
    let folded = Pattern {
        text: pattern.text.to_lowercase(),
        rule: Rule::text(&pattern.text.to_lowercase()),
    };
    let lower = |name: &[u8]| String::from_utf8_lossy(name).to_lowercase();
    let did_you_mean = |name: &[u8]| format!("; did you mean '{}'?", printable(name));

    // A server is known before it has a session.
    if names.all(dimension).any(|name| pattern.matches(name)) {
        return None;
    }

    if let Some(name) = names
        .all(dimension)
        .filter(|name| folded.matches(lower(name).as_bytes()))
        .min()
    {
        return Some(did_you_mean(name));
    }
    let other = Dimension::ALL
        .into_iter()
        .filter(|&other| other != dimension && other != Dimension::ClientHost)
        .find(|&other| names.all(other).any(|name| pattern.matches(name)));
    if let Some(other) = other {
        return Some(format!("; it is a known {}", other.as_str()));
    }
    let Rule::Exact(wanted) = &folded.rule else {
        return None;
    };
    let wanted = String::from_utf8_lossy(wanted);
    // Two letters swapped count as two, the commonest slip in short names too.
    let typos_max = wanted.chars().count().div_ceil(3).clamp(1, 3);
    let closest = names
        .all(dimension)
        .filter(|name| name.len().abs_diff(wanted.len()) <= 4 * typos_max)
        .map(|name| (edit_distance(&lower(name), &wanted), name))
        .filter(|&(distance, _)| distance <= typos_max)
        .min();
    let containing = || {
        let long_enough = wanted.chars().count() >= 3;
        names
            .all(dimension)
            .filter(|name| long_enough && lower(name).contains(&*wanted))
            .min()
    };
    closest
        .map(|(_, name)| name)
        .or_else(containing)
        .map(did_you_mean)
}

/// How many letters must be added, dropped or changed to make one text the other (Levenshtein).
pub fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// Names come from clients: control characters are escaped before anybody reads them.
fn printable(name: &[u8]) -> String {
    let mut text = String::new();
    for c in String::from_utf8_lossy(name).chars() {
        if c.is_control() {
            text.extend(c.escape_default());
        } else {
            text.push(c);
        }
    }
    text
}

/// One pattern, with the text that the operator typed.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    text: String,
    rule: Rule,
}

#[derive(Clone, Debug)]
enum Rule {
    /// This text.
    Exact(Vec<u8>),
    /// These texts in this order, anything between two of them; the first begins and the last ends the name.
    Wildcard(Vec<Vec<u8>>),
    /// This address, however it is spelled.
    Address(IpAddr),
    /// Addresses that begin with the first so many bits.
    Network(IpAddr, u32),
}

impl Pattern {
    pub(crate) fn parse(dimension: Dimension, text: &str) -> Result<Pattern, PatternError> {
        let text = match (text, dimension) {
            // Who sets it to nothing has none: so the server has it.
            ("", Dimension::ApplicationName) => UNKNOWN,
            ("", _) => return Err(PatternError::Empty(dimension)),
            _ => text,
        };
        let mut rule = match dimension {
            Dimension::ClientHost => Rule::host(text)?,
            _ => Rule::text(text),
        };
        if let (Rule::Exact(name), Dimension::ApplicationName) = (&mut rule, dimension) {
            // Whoever copies it from the log has all of it.
            name.truncate(APPLICATION_NAME_MAX);
        }
        Ok(Pattern {
            text: text.to_owned(),
            rule,
        })
    }

    /// As it was typed.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn matches(&self, name: &[u8]) -> bool {
        match &self.rule {
            Rule::Exact(text) => name == text,
            Rule::Wildcard(parts) => wildcard_matches(parts, name),
            Rule::Address(wanted) => address(name) == Some(*wanted),
            Rule::Network(network, bits) => {
                address(name).is_some_and(|address| is_in(address, *network, *bits))
            }
        }
    }
}

impl Rule {
    /// `*` is anything; `\*` and `\\` are a star and a backslash, any other backslash is itself: `CORP\app`.
    fn text(text: &str) -> Rule {
        let mut parts = vec![Vec::new()];
        let mut rest = text.bytes().peekable();
        while let Some(byte) = rest.next() {
            match byte {
                b'*' => parts.push(Vec::new()),
                b'\\' => {
                    let escaped = rest.next_if(|next| matches!(next, b'*' | b'\\'));
                    parts
                        .last_mut()
                        .expect("one part at least")
                        .push(escaped.unwrap_or(b'\\'));
                }
                byte => parts.last_mut().expect("one part at least").push(byte),
            }
        }
        match <[Vec<u8>; 1]>::try_from(parts) {
            Ok([whole]) => Rule::Exact(whole),
            Err(parts) => Rule::Wildcard(parts),
        }
    }

    fn host(text: &str) -> Result<Rule, PatternError> {
        if let Some(address) = address(text.as_bytes()).filter(|_| !text.contains('%')) {
            return Ok(Rule::Address(address));
        }
        let Some((base, bits)) = text.split_once('/') else {
            return Ok(Rule::text(text));
        };
        let base: IpAddr = base.parse().map_err(|_| PatternError::Network)?;
        let bits: u32 = bits.parse().map_err(|_| PatternError::Network)?;
        let bits_max = if base.is_ipv4() { 32 } else { 128 };
        if bits > bits_max {
            return Err(PatternError::Bits { bits, bits_max });
        }
        Ok(match (base, base.to_canonical()) {
            (IpAddr::V6(_), IpAddr::V4(mapped)) if bits >= 96 => {
                Rule::Network(mapped.into(), bits - 96)
            }
            _ => Rule::Network(base, bits),
        })
    }
}

/// The address in a client host; `::ffff:10.0.0.7` is `10.0.0.7`, the zone of `fe80::1%eth0` is left off.
pub(crate) fn address(host: &[u8]) -> Option<IpAddr> {
    // A name never begins like this, and most names need not be looked at further.
    host.first()
        .filter(|byte| byte.is_ascii_hexdigit() || **byte == b':')?;
    let text = std::str::from_utf8(host).ok()?;
    let text = text.split_once('%').map_or(text, |(address, _)| address);
    text.parse()
        .ok()
        .map(|address: IpAddr| address.to_canonical())
}

fn is_in(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            let differing = address.to_bits() ^ network.to_bits();
            differing.checked_shr(32 - bits).unwrap_or(0) == 0
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            let differing = address.to_bits() ^ network.to_bits();
            differing.checked_shr(128 - bits).unwrap_or(0) == 0
        }
        _ => false,
    }
}

/// Each part is taken where it first fits; that is enough, since what lies between is free.
fn wildcard_matches(parts: &[Vec<u8>], name: &[u8]) -> bool {
    let [first, middle @ .., last] = parts else {
        return false;
    };
    let Some(mut rest) = name
        .strip_prefix(&first[..])
        .and_then(|rest| rest.strip_suffix(&last[..]))
    else {
        return false;
    };
    middle.iter().filter(|part| !part.is_empty()).all(|part| {
        let at = rest.windows(part.len()).position(|window| window == part);
        at.is_some_and(|at| {
            rest = &rest[at + part.len()..];
            true
        })
    })
}

/// Why a pattern cannot be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatternError {
    /// No text, where a name of this dimension has some.
    Empty(Dimension),
    /// A `/` in a host without an address before it and a number after it.
    Network,
    /// A network with more bits than its addresses have.
    Bits {
        /// As given.
        bits: u32,
        /// 32 or 128.
        bits_max: u32,
    },
    /// No pid.
    Pid,
    /// No session id.
    SessionId,
}

impl std::fmt::Display for PatternError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            PatternError::Empty(Dimension::Server) => f.write_str("an empty name is no server"),
            PatternError::Empty(dimension) => {
                let what = dimension.as_str();
                write!(
                    f,
                    "an empty name is no {what}; '{UNKNOWN}' finds sessions of which the log has none, '*' all"
                )
            }
            PatternError::Network => {
                f.write_str("not a network; write it like 10.0.0.0/8 or fd00::/8")
            }
            PatternError::Bits { bits, bits_max } => {
                write!(
                    f,
                    "a network of {bits} bits, where such an address has {bits_max}"
                )
            }
            PatternError::Pid => f.write_str("not a pid; it is a number like 20162"),
            PatternError::SessionId => {
                f.write_str("not a session id; the log's %c writes it like 6b03cbfa.4ec2")
            }
        }
    }
}

impl std::error::Error for PatternError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instant::Instant;
    use crate::names::NAMES_MAX;
    use crate::session::End;

    const NOBODY: Who = Who {
        server: ServerId(0),
        pid: None,
        session_id: None,
        user: None,
        database: None,
        application_name: None,
        client_host: None,
        received_only: false,
    };

    /// By numbers and by texts it is the same.
    fn both(filter: &mut Filter, names: &Names, who: &Who<'_>) -> bool {
        let by_text = filter.matches_text(&WhoText::new(names, who));
        assert_eq!(filter.matches(names, who), by_text, "{who:?}");
        by_text
    }

    fn pattern_matches(dimension: Dimension, pattern: &str, name: &str) -> bool {
        Pattern::parse(dimension, pattern)
            .unwrap()
            .matches(name.as_bytes())
    }

    #[test]
    fn names_are_exact_but_for_stars() {
        for (pattern, name, expected) in [
            ("app", "app", true),
            ("app", "App", false),
            ("app", "app2", false),
            ("app*", "app", true),
            ("app*", "app_web", true),
            ("app*", "my_app", false),
            ("*app", "my_app", true),
            ("*", "", true),
            ("*", "anything", true),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("a**b", "ab", true),
            ("*b*b*", "abcabc", true),
            ("*b*b*b*", "abcabc", false),
            ("a*bc*bc", "abcbc", true),
            ("a*bc*bc", "abc", false),
            (r"a\*b", "a*b", true),
            (r"a\*b", "axb", false),
            (r"CORP\app", r"CORP\app", true),
            (r"CORP\\*", r"CORP\app", true),
            (r"CORP\", r"CORP\", true),
            ("10.0.0.0/8", "10.0.0.0/8", true),
        ] {
            assert_eq!(
                pattern_matches(Dimension::User, pattern, name),
                expected,
                "{pattern} {name}"
            );
        }
    }

    #[test]
    fn hosts_are_names_addresses_and_networks() {
        for (pattern, host, expected) in [
            ("[local]", "[local]", true),
            ("db1.example.com", "db1.example.com", true),
            ("*.example.com", "db1.example.com", true),
            ("10.0.*", "10.0.0.7", true),
            ("10.0.0.7", "10.0.0.7", true),
            ("10.0.0.7", "::ffff:10.0.0.7", true),
            ("10.0.0.7", "10.0.0.70", false),
            ("0:0:0:0:0:0:0:1", "::1", true),
            ("FE80::1", "fe80::1%eth0", true),
            ("fe80::1%eth0", "fe80::1%eth0", true),
            ("fe80::1%eth0", "fe80::1%eth1", false),
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.9/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "10", false),
            ("10.0.0.0/8", "[local]", false),
            ("0.0.0.0/0", "192.0.2.1", true),
            ("0.0.0.0/0", "::1", false),
            ("192.0.2.1/32", "192.0.2.1", true),
            ("192.0.2.1/32", "192.0.2.2", false),
            ("fd00::/8", "fd12::1", true),
            ("fd00::/8", "fe80::1", false),
            ("fd00::1/128", "fd00::1", true),
            ("::/0", "fe80::1%eth0", true),
            ("::/0", "10.0.0.7", false),
            ("::ffff:10.0.0.0/104", "10.9.9.9", true),
        ] {
            assert_eq!(
                pattern_matches(Dimension::ClientHost, pattern, host),
                expected,
                "{pattern} {host}"
            );
        }
    }

    #[test]
    fn an_application_name_that_is_empty_is_none() {
        let mut filter = Filter::default();
        filter.include(Dimension::ApplicationName, "").unwrap();
        let mut names = Names::default();
        let web = names.name(Dimension::ApplicationName, b"web");
        assert!(both(&mut filter, &names, &NOBODY));
        let who = Who {
            application_name: Some(&web),
            ..NOBODY
        };
        assert!(!both(&mut filter, &names, &who));
    }

    #[test]
    fn what_cannot_be_a_pattern_is_said() {
        let mut filter = Filter::default();
        for (result, expected) in [
            (
                filter.include(Dimension::User, ""),
                "an empty name is no user; 'unknown' finds sessions of which the log has none, '*' all",
            ),
            (
                filter.include(Dimension::ClientHost, "web/8"),
                "not a network; write it like 10.0.0.0/8 or fd00::/8",
            ),
            (
                filter.exclude(Dimension::ClientHost, "10.0.0.0/"),
                "not a network; write it like 10.0.0.0/8 or fd00::/8",
            ),
            (
                filter.exclude(Dimension::ClientHost, "10.0.0.0/33"),
                "a network of 33 bits, where such an address has 32",
            ),
            (
                filter.include_pid("0"),
                "not a pid; it is a number like 20162",
            ),
            (
                filter.include_session("4ec2"),
                "not a session id; the log's %c writes it like 6b03cbfa.4ec2",
            ),
        ] {
            assert_eq!(result.unwrap_err().to_string(), expected);
        }
        assert!(filter.is_empty());
    }

    #[test]
    fn any_of_a_dimension_and_all_dimensions_and_exclusions_win() {
        let mut names = Names::default();
        let app = names.name(Dimension::User, b"app");
        let web = names.name(Dimension::User, b"web");
        let monitor = names.name(Dimension::User, b"web_monitor");
        let shop = names.name(Dimension::Database, b"shop");
        let mut filter = Filter::default();
        filter.include(Dimension::User, "app").unwrap();
        filter.include(Dimension::User, "web*").unwrap();
        filter.exclude(Dimension::User, "*monitor").unwrap();
        filter.include(Dimension::Database, "shop").unwrap();
        for (user, database, expected) in [
            (Some(&app), Some(&shop), true),
            (Some(&web), Some(&shop), true),
            (Some(&monitor), Some(&shop), false),
            (Some(&app), None, false),
            (None, Some(&shop), false),
        ] {
            let who = Who {
                user,
                database,
                ..NOBODY
            };
            // Twice: the second time the verdict is remembered.
            assert_eq!(both(&mut filter, &names, &who), expected, "{who:?}");
            assert_eq!(both(&mut filter, &names, &who), expected, "{who:?}");
        }
    }

    #[test]
    fn pid_and_session_are_dimensions_of_their_own() {
        let names = Names::default();
        let mut filter = Filter::default();
        filter.include_pid("42").unwrap();
        filter.include_pid("43").unwrap();
        assert!(!filter.is_empty());
        assert!(both(
            &mut filter,
            &names,
            &Who {
                pid: Some(43),
                ..NOBODY
            }
        ));
        assert!(!both(
            &mut filter,
            &names,
            &Who {
                pid: Some(44),
                ..NOBODY
            }
        ));
        assert!(!both(&mut filter, &names, &NOBODY));
        filter.include_session("6b03cbfa.2b").unwrap();
        let session_id = SessionId::parse(b"6b03cbfa.2b");
        assert!(both(
            &mut filter,
            &names,
            &Who {
                pid: Some(43),
                session_id,
                ..NOBODY
            }
        ));
        assert!(!both(
            &mut filter,
            &names,
            &Who {
                pid: Some(43),
                ..NOBODY
            }
        ));
    }

    #[test]
    fn unknown_finds_sessions_without_a_name() {
        let mut names = Names::default();
        let psql = names.name(Dimension::ApplicationName, b"psql");
        let psql_session = Who {
            application_name: Some(&psql),
            ..NOBODY
        };
        let mut only = Filter::default();
        only.include(Dimension::ApplicationName, "unknown").unwrap();
        assert!(only.matches(&names, &NOBODY));
        assert!(!only.matches(&names, &psql_session));
        let mut without = Filter::default();
        without
            .exclude(Dimension::ApplicationName, "unknown")
            .unwrap();
        assert!(!without.matches(&names, &NOBODY));
        assert!(without.matches(&names, &psql_session));
    }

    /// Of PostgreSQL 15: `connection authorized` had all of the name, `pg_stat_activity` this much of it.
    #[test]
    fn application_is_called_as_in_pg_stat_activity() {
        let all = "a".repeat(60) + &"bcdefghijklmnop".repeat(3);
        let known = "a".repeat(60) + "bcd";
        let mut names = Names::default();
        let name = names.name(Dimension::ApplicationName, all.as_bytes());
        let text = names.text(Dimension::ApplicationName, &name);
        assert_eq!(text, known.as_bytes());
        let who = Who {
            application_name: Some(&name),
            ..NOBODY
        };
        for (pattern, matches) in [(&*all, true), (&*known, true), (&known[..62], false)] {
            let mut filter = Filter::default();
            filter.include(Dimension::ApplicationName, pattern).unwrap();
            assert_eq!(filter.matches(&names, &who), matches, "{pattern}");
        }
    }

    /// PostgreSQL 18 with `log_connections = authorization` tells the host at the end alone.
    #[test]
    fn session_passes_at_its_end_as_it_did_when_it_opened() {
        let mut names = Names::default();
        let opened = Session {
            user: Some(names.name(Dimension::User, b"app")),
            authorized_at: Some(Instant(0)),
            ..Session::new(ServerId(0), Some(1), None)
        };
        let closed = Session {
            client_host: Some(names.name(Dimension::ClientHost, b"10.0.0.7")),
            client_host_is_late: true,
            end: Some(End::Client),
            ..opened.clone()
        };
        for (pattern, matches) in [("unknown", true), ("10.0.0.7", false)] {
            let mut filter = Filter::default();
            filter.include(Dimension::ClientHost, pattern).unwrap();
            for session in [&opened, &closed] {
                assert_eq!(filter.matches(&names, &session.into()), matches);
            }
        }
    }

    #[test]
    fn server_is_known_of_every_event_and_says_some_itself() {
        let names = Names::of_servers(["db1", "db2", "old"]);
        let matched = |filter: &mut Filter, server, received_only| {
            let who = Who {
                server: ServerId(server),
                received_only,
                ..NOBODY
            };
            let matches = both(filter, &names, &who);
            assert_eq!(matches, filter.has_server(&names, ServerId(server)));
            assert_eq!(matches, filter.matches_server(&names, ServerId(server)));
            matches
        };
        let mut filter = Filter::default();
        filter.include(Dimension::Server, "db*").unwrap();
        filter.exclude(Dimension::Server, "db2").unwrap();
        for received_only in [false, true] {
            let all = [0, 1, 2].map(|server| matched(&mut filter, server, received_only));
            assert_eq!(all, [true, false, false]);
        }
        // What a server says is of no user.
        filter.include(Dimension::User, "app").unwrap();
        assert!(filter.has_server(&names, ServerId(0)));
        assert!(!filter.matches_server(&names, ServerId(0)));
    }

    #[test]
    fn probe_is_filtered_by_host_and_never_has_a_user() {
        let mut names = Names::default();
        let host = names.name(Dimension::ClientHost, b"10.0.0.7");
        let probe = Who {
            client_host: Some(&host),
            received_only: true,
            ..NOBODY
        };
        for (dimension, pattern, included, not_excluded) in [
            (Dimension::User, "*", false, true),
            (Dimension::Database, "unknown", false, true),
            (Dimension::ApplicationName, "psql", false, true),
            (Dimension::ClientHost, "10.0.0.0/8", true, false),
            (Dimension::ClientHost, "10.0.0.8", false, true),
        ] {
            let mut filter = Filter::default();
            filter.include(dimension, pattern).unwrap();
            assert_eq!(
                both(&mut filter, &names, &probe),
                included,
                "{dimension:?} {pattern}"
            );
            let mut filter = Filter::default();
            filter.exclude(dimension, pattern).unwrap();
            assert_eq!(
                both(&mut filter, &names, &probe),
                not_excluded,
                "{dimension:?} {pattern}"
            );
        }
    }

    #[test]
    fn names_past_the_bound_are_tested_by_their_text() {
        let mut names = Names::default();
        for i in 0..NAMES_MAX {
            names.name(Dimension::Database, i.to_string().as_bytes());
        }
        let late = names.name(Dimension::User, b"late");
        let later = names.name(Dimension::User, b"later");
        assert_eq!(late.id, later.id);
        let mut filter = Filter::default();
        filter.include(Dimension::User, "later").unwrap();
        assert!(!both(
            &mut filter,
            &names,
            &Who {
                user: Some(&late),
                ..NOBODY
            }
        ));
        assert!(both(
            &mut filter,
            &names,
            &Who {
                user: Some(&later),
                ..NOBODY
            }
        ));
        assert!(!both(
            &mut filter,
            &names,
            &Who {
                user: Some(&late),
                ..NOBODY
            }
        ));
    }

    #[test]
    fn filter_that_matches_nothing_says_why() {
        let mut names = Names::default();
        let user = names.name(Dimension::User, b"app");
        let database = names.name(Dimension::Database, b"shop");
        let application_name = names.name(Dimension::ApplicationName, b"rails\x1b[2Jweb");
        let host = names.name(Dimension::ClientHost, b"10.0.0.7");
        let who = Who {
            user: Some(&user),
            database: Some(&database),
            application_name: Some(&application_name),
            client_host: Some(&host),
            ..NOBODY
        };
        for (patterns, expected) in [
            (
                &[(Dimension::User, "App")][..],
                "no session has user 'App'; did you mean 'app'?",
            ),
            (
                &[(Dimension::User, "AP*")],
                "no session has user 'AP*'; did you mean 'app'?",
            ),
            (
                &[(Dimension::User, "ap")],
                "no session has user 'ap'; did you mean 'app'?",
            ),
            (
                &[(Dimension::Database, "shpo")],
                "no session has database 'shpo'; did you mean 'shop'?",
            ),
            (
                &[(Dimension::Database, "shops")],
                "no session has database 'shops'; did you mean 'shop'?",
            ),
            (
                &[(Dimension::Database, "app")],
                "no session has database 'app'; it is a known user",
            ),
            (
                &[(Dimension::ApplicationName, "rails")],
                "no session has application_name 'rails'; did you mean 'rails\\u{1b}[2Jweb'?",
            ),
            (
                &[(Dimension::User, "root"), (Dimension::User, "Shop")],
                "no session has user 'root' or 'Shop'",
            ),
            (
                &[(Dimension::ApplicationName, "unknown")],
                "no session has application_name 'unknown'",
            ),
            (
                &[(Dimension::ClientHost, "10.1.0.0/16")],
                "no session has client_host '10.1.0.0/16'",
            ),
            (
                &[(Dimension::User, "app"), (Dimension::Database, "x")],
                "no session has database 'x'",
            ),
        ] {
            let mut filter = Filter::default();
            for &(dimension, pattern) in patterns {
                filter.include(dimension, pattern).unwrap();
            }
            assert_eq!(filter.unmatched(&names), None, "nothing was asked");
            assert!(!both(&mut filter, &names, &who));
            assert_eq!(filter.unmatched(&names).unwrap(), expected);
        }

        let mut filter = Filter::default();
        filter.include(Dimension::User, "app").unwrap();
        filter.exclude(Dimension::Database, "shop").unwrap();
        assert!(!both(&mut filter, &names, &who));
        assert_eq!(
            filter.unmatched(&names).unwrap(),
            "no session matches all filters at once"
        );
        assert!(both(
            &mut filter,
            &names,
            &Who {
                user: Some(&user),
                ..NOBODY
            }
        ));
        assert_eq!(filter.unmatched(&names), None);
    }

    #[test]
    fn edit_distance_counts_letters() {
        for (a, b, distance) in [
            ("", "", 0),
            ("", "app", 3),
            ("app", "app", 0),
            ("app", "apl", 1),
            ("kitten", "sitting", 3),
            ("über", "uber", 1),
        ] {
            assert_eq!(edit_distance(a, b), distance, "{a} {b}");
            assert_eq!(edit_distance(b, a), distance, "{b} {a}");
        }
    }
}
