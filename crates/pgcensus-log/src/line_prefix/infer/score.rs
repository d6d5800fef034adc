//! How well a prefix explains a sample.

use super::{Line, Says};
use crate::line_prefix::{Head, LinePrefix, Names, Wanted};

/// What [`of`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Score {
    pub(super) points: i64,
    /// Every line is read, nothing disagrees.
    pub(super) clean: bool,
}

pub(super) const READ: i64 = 100;
pub(super) const AGREES: i64 = 20;
pub(super) const DISAGREES: i64 = -130;
/// Per line and field of free text.
const FREE_FIELD: i64 = -2;
/// Per line and field that only what it is meant for can fill: better than to leave that to a name.
const TYPED_FIELD: i64 = 1;
/// Per line and word that stands in the prefix as it is and is no key.
const WORD: i64 = -3;

/// Scores `prefix` on `lines`.
pub(super) fn of(prefix: &LinePrefix, lines: &[Line<'_>]) -> Score {
    let score = of_at_least(prefix, lines, i64::MIN);
    score.expect("there is no less than the least")
}

/// Likewise; `None`: it has `least` points or fewer. Most candidates show that in a few lines.
pub(super) fn of_at_least(prefix: &LinePrefix, lines: &[Line<'_>], least: i64) -> Option<Score> {
    let free = b"udai".iter().filter(|b| prefix.has(**b)).count() as i64;
    let typed = b"mtnspclerh".iter().filter(|b| prefix.has(**b)).count() as i64;
    let cost = free * FREE_FIELD + typed * TYPED_FIELD + words(prefix.as_str()) * WORD;
    let most = Most::of(prefix);
    // What it has if all lines to come are for it.
    let mut points = cost * lines.len() as i64;
    points += lines.iter().map(|line| most.points(line)).sum::<i64>();
    // Some lines of all kinds first: those of one kind often stand together.
    let stride = lines.len().div_ceil(8).max(1);
    let mut without_unread = points;
    for line in lines.iter().step_by(stride) {
        if prefix.read(line.text, 0).is_none() {
            without_unread -= most.points(line);
            if without_unread <= least {
                return None;
            }
        }
    }
    let mut clean = true;
    let mut pids = Pids::default();
    let mut head = Head::default();
    for line in lines {
        if !read_into(prefix, line, &mut head) {
            clean = false;
            points -= most.points(line);
            if points <= least {
                return None;
            }
            continue;
        }
        let mut agreement = agreement(prefix, line, &head).points + pids.agreement(line, &head);
        // Nobody prints another number without the pid that it belongs to: rather a pid that returned.
        let has_number = b"lxQ".iter().any(|&escape| prefix.has(escape));
        if has_number && !prefix.has_pid() && matches!(line.says, Says::Received { .. }) {
            agreement += DISAGREES / 2;
        }
        if agreement < 0 {
            clean = false;
        }
        points += READ + agreement - most.points(line);
        if points <= least {
            return None;
        }
    }
    Some(Score { points, clean })
}

/// How much the lines of each kind can be worth to a prefix.
struct Most {
    names: i64,
    user: i64,
    application_name: i64,
    client: i64,
    pid: i64,
}

impl Most {
    fn of(prefix: &LinePrefix) -> Most {
        let has = |escape| if prefix.has(escape) { AGREES } else { 0 };
        let client = has(b'h').max(has(b'r'));
        Most {
            names: has(b'u') + has(b'd'),
            user: has(b'u'),
            application_name: has(b'a'),
            client,
            pid: if prefix.has_pid() { AGREES } else { 0 },
        }
    }

    fn points(&self, line: &Line<'_>) -> i64 {
        let Most {
            names,
            user,
            application_name,
            client,
            pid,
        } = self;
        READ + match line.says {
            Says::Received { .. } | Says::Background => names + application_name + client,
            Says::Authenticated => user + application_name + client + pid / 2,
            Says::Authorized { .. } => names + application_name + client + pid / 2,
            Says::Disconnected { .. } => names + client + pid,
            Says::Continued => pid / 2,
            Says::Nothing => 0,
        }
    }
}

/// Whether `prefix` reads this line with the fields that its message says.
pub(super) fn explains(prefix: &LinePrefix, line: &Line<'_>) -> bool {
    read(prefix, line).is_some_and(|head| agreement(prefix, line, &head).points >= 0)
}

/// [`read_into`] a new head.
pub(super) fn read<'c>(prefix: &LinePrefix, line: &Line<'c>) -> Option<Head<'c>> {
    let mut head = Head::default();
    read_into(prefix, line, &mut head).then_some(head)
}

/// A reading over more than one line speaks for a prefix less than it may speak for a wrong one. The head is new or was read
/// by this prefix.
pub(super) fn read_into<'c>(prefix: &LinePrefix, line: &Line<'c>, head: &mut Head<'c>) -> bool {
    if !prefix.read_into(line.text, 0, head) {
        return false;
    }
    let end = memchr::memchr(b'\n', line.text).unwrap_or(line.text.len());
    if head.label_start > end {
        return false;
    }
    // Names that hold what separates them are told apart by the message, where it says them.
    let has_names = b"uda".iter().any(|&escape| prefix.has(escape));
    let names = Some(names(line)).filter(|names| has_names && *names != Names::default());
    let named = names
        .and_then(|names| prefix.read_named(&line.text[..end], &names))
        .filter(|named| named.label_start == head.label_start);
    if let Some(named) = named {
        let before = head.before;
        *head = Head { before, ..named };
    }
    true
}

/// The names that the message of a line says.
fn names<'c>(line: &Line<'c>) -> Names<'c> {
    let set = |name: &'c [u8]| {
        if name.is_empty() {
            Wanted::Unset
        } else {
            Wanted::Is(name)
        }
    };
    match line.says {
        Says::Received { .. } => Names {
            user: Wanted::Unset,
            database: Wanted::Unset,
            application_name: Wanted::Unset,
        },
        Says::Authorized { user, database, .. } => Names {
            user: Wanted::Is(user),
            database: database.map_or(Wanted::Any, Wanted::Is),
            application_name: Wanted::Unset,
        },
        Says::Disconnected { user, database, .. } => Names {
            user: Wanted::Is(user),
            database: set(database),
            application_name: Wanted::Any,
        },
        Says::Authenticated | Says::Background | Says::Continued | Says::Nothing => {
            Names::default()
        }
    }
}

/// How far the fields of a head are what its message says.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Agreement {
    points: i64,
    /// Something speaks against it, if little.
    pub(super) has_flaw: bool,
}

impl Agreement {
    fn add(&mut self, points: i64) {
        self.points += points;
        self.has_flaw |= points < 0;
    }
}

/// Whether the fields of a head are what its message says.
pub(super) fn agreement(prefix: &LinePrefix, line: &Line<'_>, head: &Head<'_>) -> Agreement {
    let mut agreement = Agreement::default();
    let mut expect = |has: bool, agrees: bool| {
        if has {
            agreement.add(if agrees { AGREES } else { DISAGREES });
        }
    };
    let (has_user, has_database) = (prefix.has(b'u'), prefix.has(b'd'));
    let has_application = prefix.has(b'a');
    let has_client = prefix.has(b'h') || prefix.has(b'r');
    // A client's path in the file system is printed by `%r` alone.
    let client_is = |host: &[u8], port: Option<&[u8]>| {
        head.client.is_some_and(|client| {
            client.host == host && (client.port == port || !prefix.has(b'r') || port.is_none())
        })
    };
    match line.says {
        Says::Received { host, port } => {
            expect(has_user, head.user.is_none());
            expect(has_database, head.database.is_none());
            expect(has_application, head.application_name.is_none());
            expect(has_client, client_is(host, port));
        }
        Says::Authenticated => {
            expect(has_user, head.user.is_some());
            expect(has_application, head.application_name.is_none());
            expect(has_client, head.client.is_some());
        }
        Says::Authorized { user, database, .. } => {
            expect(has_user, head.user == Some(user));
            if database.is_some() {
                expect(has_database, head.database == database);
            }
            expect(has_application, head.application_name.is_none());
            expect(has_client, head.client.is_some());
        }
        Says::Disconnected {
            user,
            database,
            host,
            port,
        } => {
            expect(has_user, head.user == Some(user));
            let database = (!database.is_empty()).then_some(database);
            expect(has_database, head.database == database);
            expect(has_client, client_is(host, port));
        }
        Says::Background => {
            expect(has_user, head.user.is_none());
            expect(has_database, head.database.is_none());
            expect(has_application, head.application_name.is_none());
            expect(has_client, head.client.is_none());
        }
        Says::Continued | Says::Nothing => {}
    }
    // Only a hostile name has a label in it.
    expect(
        head.label_start != line.head.len(),
        line.head.is_empty() && head.label_start == 0,
    );
    // Names with the edges of a template: rather a wrong cut than a name.
    for name in [head.user, head.database, head.application_name]
        .into_iter()
        .flatten()
    {
        if name.starts_with(b" ") || name.ends_with(b" ") || name.contains(&b'\t') {
            agreement.add(-4);
        }
        // `shop,app=psql,client=10.0.0.5`: it has run over other fields.
        agreement.add(-6 * keys_inside(name));
    }
    // What everyone calls a client is no user, and the other way round.
    for name in [head.user, head.database].into_iter().flatten() {
        agreement.add(if is_client_program(name) { -4 } else { 0 });
    }
    if head.application_name == Some(b"postgres") {
        agreement.add(-4);
    }
    if let Some(tag) = head.command_tag
        && (!tag[0].is_ascii_alphabetic() || tag.iter().any(|b| b"[]=:,;|@.".contains(b)))
    {
        agreement.add(DISAGREES);
    }
    if let (Some(pid), Some(id)) = (head.pid, head.session_id)
        && pid != id.pid
    {
        agreement.add(DISAGREES);
    }
    agreement
}

/// Keys of a prefix in a name.
fn keys_inside(name: &[u8]) -> i64 {
    const KEYS: [&[u8]; 8] = [
        b",user=",
        b",db=",
        b",database=",
        b",app=",
        b",application_name=",
        b",client=",
        b",host=",
        b",pid=",
    ];
    if !name.contains(&b',') {
        return 0;
    }
    let is_inside = |key: &&[u8]| memchr::memmem::find(name, key).is_some();
    KEYS.iter().filter(|key| is_inside(key)).count() as i64
}

/// A name that only clients have.
fn is_client_program(name: &[u8]) -> bool {
    let programs: [&[u8]; 8] = [
        b"psql",
        b"pg_dump",
        b"pgbench",
        b"pg_basebackup",
        b"PostgreSQL JDBC Driver",
        b"pgAdmin ",
        b"DBeaver ",
        b"walreceiver",
    ];
    let at = programs.iter().find(|program| name.starts_with(program));
    at.is_some_and(|program| program.ends_with(b" ") || program.len() == name.len())
}

/// Host, port and pid.
type Received<'c> = (&'c [u8], Option<&'c [u8]>, u32);

/// What was seen of the pids: a number that behaves otherwise is no pid.
#[derive(Default)]
pub(super) struct Pids<'c> {
    received: Vec<Received<'c>>,
    last: Option<(usize, u32)>,
    /// Some session ended under the number that it began with.
    pub(super) returned: bool,
}

impl<'c> Pids<'c> {
    pub(super) fn agreement(&mut self, line: &Line<'c>, head: &Head<'_>) -> i64 {
        let Some(pid) = head.pid else {
            return 0;
        };
        let last = self.last.replace((line.number, pid));
        let mut points = 0;
        match line.says {
            Says::Received { host, port } => {
                // Two in a row are of two processes, and neither is the first of the machine.
                if self.received.last().is_some_and(|other| other.2 == pid) || pid <= 1 {
                    points += DISAGREES / 2;
                }
                self.received.push((host, port, pid));
            }
            Says::Disconnected { host, port, .. } if port.is_some() => {
                let received = self
                    .received
                    .iter()
                    .rev()
                    .find(|other| other.0 == host && other.1 == port);
                self.returned |= received.is_some_and(|received| received.2 == pid);
                points += match received {
                    Some(received) if received.2 == pid => AGREES,
                    Some(_) => DISAGREES,
                    None => 0,
                };
            }
            Says::Authenticated | Says::Authorized { .. } => {
                let known = self.received.iter().any(|other| other.2 == pid);
                points += if known { AGREES / 2 } else { 0 };
            }
            Says::Continued => {
                if let Some((number, last)) = last
                    && number + 1 == line.number
                {
                    points += if last == pid { AGREES / 2 } else { -AGREES };
                }
            }
            _ => {}
        }
        points
    }
}

/// Words of a prefix that are neither keys (`user=`, `db:`) nor escapes.
pub(super) fn words(text: &str) -> i64 {
    let bytes = text.as_bytes();
    let mut count = 0;
    let mut i = 0;
    while i < bytes.len() {
        if bytes[i] == b'%' {
            i += 1;
            while i < bytes.len() && (bytes[i] == b'-' || bytes[i].is_ascii_digit()) {
                i += 1;
            }
            i += 1;
        } else if bytes[i].is_ascii_alphabetic() || bytes[i] >= 0x80 {
            let start = i;
            while i < bytes.len() && (bytes[i].is_ascii_alphanumeric() || bytes[i] >= 0x80) {
                i += 1;
            }
            let is_key = matches!(bytes.get(i), Some(b'=' | b':'));
            // A word behind a user is the only database of a short log.
            let is_database = text[..start].ends_with("u@");
            count += i64::from(!is_key) + i64::from(is_database);
        } else {
            i += 1;
        }
    }
    count
}
