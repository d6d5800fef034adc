//! Files in a row: what was inferred for one is tried on the next, where it saves nearly all of the work.
//!
//! # How this works
//!
//! A known prefix is taken for a sample only where inferring anew would find it, or one that reads all lines the
//! same, so that no result depends on the files that came before. It must read every labelled line, nothing may speak against it, and the
//! sample must settle it:
//!
//! - No text of it may be anything, as `%b` outside sessions is: such a prefix is kept only if it is a popular one, which
//!   wins ties.
//! - Each name of it has a value in some line, and stands where messages say that name: `connection authorized:
//!   user=…` pays for `%u` and `%d` in their places, as it does for `%a` that is not set yet, and `connection
//!   received: host=… port=…` for `%h` and `%r`. A prefix that has them in other places, or one of them not, is
//!   worth less by all of these lines.
//! - Where no line of another process shows what `%q` ends, it is the one of those alike in sessions that inferring
//!   meets first.
//! - Names behind a `%q` that no session shows are not worth more than what the lines of sessions say against them.
//! - With a second number beside it, `%p` must be the one that sessions end under as they began.
//!
//! Popular prefixes are known before any file: most logs have one of them, and the first file is settled as others are.
//!
//! What a prefix lacks, its lines lack too: it reads up to the label, and between its fields it has marks alone.
//! `%t` and `%s` are told apart by the times of each sample anew.
//!
//! To change it: `what_is_known_changes_no_inference` holds every prefix of the tests against every log of them.

use super::{
    Inference, Line, POPULAR, Says, best, choose, count, labelled_lines, labelled_lines_beside,
    score, times, undecided,
};
use crate::line_prefix::read::Newlines;
use crate::line_prefix::{Head, LinePrefix, Names};

/// The prefixes that samples were found to have.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The one that was of use last first; at most [`KNOWN_MAX`].
    prefixes: Vec<LinePrefix>,
    /// The popular ones, which are known before any file; empty until the first is looked at.
    popular: Vec<LinePrefix>,
}

/// More servers than that are seldom read at once; past it the one that was not of use for longest is
/// forgotten, and inferred again.
const KNOWN_MAX: usize = 16;

/// Fewer lines may be read by chance.
const LINES_MIN: usize = 16;

impl Known {
    /// What [`infer`](super::infer) finds, sooner where the sample is like one before it.
    pub fn infer(&mut self, sample: &[u8]) -> Option<Inference> {
        let lines = labelled_lines(sample);
        let chosen = choose(&lines);
        if let Some(known) = self.find(sample, &lines, &chosen) {
            return Some(known);
        }
        let prefix = best(&chosen)?;
        self.keep(prefix.clone());
        let undecided = undecided(&prefix, &chosen);
        let found = count(times::told_apart(prefix, &lines), sample, &lines)?;
        Some(Inference { undecided, ..found })
    }

    /// [`infer`](Self::infer) where the sample is surely a log of stderr, since nothing else is in it: but for a
    /// torn one at the end, each line is read by a known prefix, or begins with the tab of one that goes on.
    pub(crate) fn infer_pure(&mut self, sample: &[u8]) -> Option<Inference> {
        if self.prefixes.is_empty() {
            return None;
        }
        let mut strangers = 0;
        let lines = labelled_lines_beside(sample, &mut strangers);
        if strangers > 0 {
            return None;
        }
        let found = self.find(sample, &lines, &choose(&lines))?;
        // Of the other formats csvlog alone begins with such a time, and a comma.
        let text = found.prefix.as_str().as_bytes();
        let begins_with_time = matches!(text, [b'%', b'm' | b't', after, ..] if *after != b',');
        (begins_with_time && found.lines_read >= LINES_MIN).then_some(found)
    }

    /// What is known of a sample; `None`: it is to be inferred.
    pub(super) fn find(
        &mut self,
        sample: &[u8],
        lines: &[Line<'_>],
        chosen: &[Line<'_>],
    ) -> Option<Inference> {
        if self.popular.is_empty() {
            let popular = POPULAR.iter().map(|text| LinePrefix::parse(text));
            self.popular = popular.filter_map(Result::ok).collect();
        }
        let is_it = |prefix: &LinePrefix| settles(prefix, chosen, &self.popular);
        if let Some(at) = self.prefixes.iter().position(is_it) {
            self.prefixes[..=at].rotate_right(1);
        } else {
            let known = |prefix: &&LinePrefix| may_be_kept(prefix) && is_it(prefix);
            let popular = self.popular.iter().find(known)?.clone();
            self.keep(popular);
        }
        let prefix = times::told_apart(self.prefixes[0].clone(), lines);
        count(prefix, sample, lines).filter(|found| found.lines_read == found.lines)
    }

    /// Keeps a prefix for the samples to come.
    pub(super) fn keep(&mut self, prefix: LinePrefix) {
        if may_be_kept(&prefix) && !self.prefixes.contains(&prefix) {
            self.prefixes.truncate(KNOWN_MAX - 1);
            self.prefixes.insert(0, prefix);
        }
    }
}

/// Whether the head of a log, 64 KiB, is that of another log of the server whose prefix this is, as far as can be: it reads each
/// line, and nothing speaks against it. Quicker than inferring it; and a head that says no name cannot tell more.
pub fn check(prefix: &LinePrefix, sample: &[u8]) -> Option<Inference> {
    if !may_be_kept(prefix) {
        return None;
    }
    let mut strangers = 0;
    let lines = labelled_lines_beside(sample, &mut strangers);
    let mut head = Head::default();
    let mut all = lines.iter();
    let are_read = all.all(|line| {
        score::read_into(prefix, line, &mut head) && !score::agreement(prefix, line, &head).has_flaw
    });
    let is_it = strangers == 0 && lines.len() >= LINES_MIN && are_read;
    is_it.then(|| Inference {
        prefix: prefix.clone(),
        lines_read: lines.len(),
        lines: lines.len(),
        undecided: None,
    })
}

/// Whether a sample can settle that it has this prefix: no text in it that may be anything, as `%b` outside sessions.
fn may_be_kept(prefix: &LinePrefix) -> bool {
    let is_open = b"biL".iter().any(|&escape| prefix.has(escape));
    prefix.has_pid() && (!is_open || POPULAR.contains(&prefix.as_str()))
}

/// Whether these lines have this prefix and no other one.
fn settles(prefix: &LinePrefix, lines: &[Line<'_>], popular: &[LinePrefix]) -> bool {
    let mut pids = score::Pids::default();
    let mut seen = Seen::default();
    let mut head = Head::default();
    for line in lines {
        if !score::read_into(prefix, line, &mut head) {
            return false;
        }
        if score::agreement(prefix, line, &head).has_flaw || pids.agreement(line, &head) < 0 {
            return false;
        }
        seen.note(prefix, line, &head);
    }
    let has = |escape| prefix.has(escape);
    let has_numbers = b"lxQ".iter().any(|&escape| has(escape));
    let is_settled = |escape, is_said| !has(escape) || is_said && seen.values.contains(&escape);
    is_settled(b'u', seen.named)
        && is_settled(b'd', seen.named)
        && is_settled(b'a', seen.authorized)
        && is_settled(b'i', seen.received)
        && is_settled(b'h', seen.received)
        && is_settled(b'r', seen.received)
        && (prefix.background.is_none()
            || seen.background > 0
            || is_first_of_its_form(prefix, popular))
        && seen.unseen_names <= 0
        && (!has_numbers || !has(b'p') || has(b'c') || pids.returned)
}

/// Whether, of the prefixes that are the same in sessions, inferring meets this one first.
fn is_first_of_its_form(prefix: &LinePrefix, popular: &[LinePrefix]) -> bool {
    let mut popular = popular.iter();
    match popular.find(|popular| popular.session == prefix.session) {
        Some(first) => first == prefix,
        None => !prefix.has(b'q'),
    }
}

/// What some line of a sample has.
#[derive(Default)]
struct Seen {
    /// Escapes that have a value in it; for `%h` one that is not `[local]`, which `%r` prints too, and for
    /// `%r` one with a port.
    values: Vec<u8>,
    /// A message that says host and port.
    received: bool,
    /// A message that says user and database, before the application has a name.
    authorized: bool,
    /// A message that says user and database.
    named: bool,
    /// Lines that the form of the prefix in sessions does not read.
    background: usize,
    /// Points that a prefix wins or loses which reads as much outside sessions and has names behind a `%q`: not to
    /// be set where none should be is worth something, at most this.
    unseen_names: i64,
}

impl Seen {
    fn note(&mut self, prefix: &LinePrefix, line: &Line<'_>, head: &Head<'_>) {
        let client = head.client;
        for (escape, has_value) in [
            (b'u', head.user.is_some()),
            (b'd', head.database.is_some()),
            (b'a', head.application_name.is_some()),
            (b'i', head.command_tag.is_some()),
            (b'h', client.is_some_and(|client| client.host != b"[local]")),
            (b'r', client.is_some_and(|client| client.port.is_some())),
        ] {
            if has_value && !self.values.contains(&escape) {
                self.values.push(escape);
            }
        }
        match line.says {
            Says::Received { port: Some(_), .. } => self.received = true,
            Says::Authorized { database, .. } => {
                self.authorized = true;
                self.named |= database.is_some();
            }
            Says::Disconnected { port, .. } => {
                self.named = true;
                self.received |= port.is_some();
            }
            _ => {}
        }
        let (any, mut head) = (Names::default(), Head::default());
        let session = &prefix.session;
        let is_session = prefix.background.is_some()
            && session.read(line.text, 0, Newlines::Never, &any, &mut head);
        self.background += usize::from(!is_session);
        self.unseen_names += match line.says {
            _ if is_session => -score::READ,
            Says::Background => 4 * score::AGREES,
            Says::Received { .. } => 3 * score::AGREES,
            Says::Authenticated | Says::Authorized { .. } => score::DISAGREES + score::AGREES,
            Says::Disconnected { .. } => score::DISAGREES,
            Says::Continued | Says::Nothing => 0,
        };
    }
}
