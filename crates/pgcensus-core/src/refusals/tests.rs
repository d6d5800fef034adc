use proptest::prelude::*;

use super::*;
use crate::session::{Session, SessionAuth};

/// Refusals of one server, as a tracker tells them.
struct Told {
    names: Names,
    refusals: Refusals,
}

impl Told {
    fn new(by: &[Dimension]) -> Told {
        Told {
            names: Names::of_servers(["main"]),
            refusals: Refusals::new(Window::default(), by, 1),
        }
    }

    fn refusal(&mut self, user: &[u8], host: &[u8]) -> Refusal {
        let mut name = |dimension, text| Some(self.names.name(dimension, text));
        Refusal {
            user: name(Dimension::User, user),
            client_host: name(Dimension::ClientHost, host),
            sqlstate: Sqlstate::parse(b"28P01"),
            ..Refusal::new(
                &Session::new(ServerId(0), Some(7), None),
                RefusalReason::PasswordFailed,
            )
        }
    }

    fn tell(&mut self, refusal: Refusal, at: i64) {
        self.refusals.observe(&Change {
            at: Some(Instant(at)),
            what: What::Refused(Box::new(refusal)),
            message: Box::default(),
        });
    }

    fn snapshot(&self) -> RefusedSnapshot {
        self.refusals.snapshot(&self.names, None)
    }
}

fn detail(text: &str) -> Rc<RefusalRecord> {
    Rc::new(RefusalRecord {
        detail: text.as_bytes().into(),
        ..RefusalRecord::default()
    })
}

#[test]
fn who_was_refused_is_told_apart_by_what_the_detail_says() {
    let mut told = Told::new(&[]);
    for (n, text) in [
        "Role \"a\" does not exist.\nConnection matched pg_hba.conf line 4: \"host all all all md5\"",
        "Connection matched pg_hba.conf line 4: \"host all all all md5\"",
        "Connection matched pg_hba.conf line 4: \"host all all all md5\"",
    ]
    .into_iter()
    .enumerate()
    {
        let refusal = Refusal {
            record: detail(text),
            is_retry: n == 2,
            ..told.refusal(b"a", b"10.0.0.1")
        };
        told.tell(refusal, n as i64 * 1000);
    }
    let snapshot = told.snapshot();
    let [reason] = &snapshot.reasons[..] else {
        panic!("one reason");
    };
    let groups: Vec<_> = reason
        .groups
        .iter()
        .map(|group| {
            let hba = group.hba.as_ref().expect("a line");
            assert_eq!((&*hba.file, hba.line), (&b"pg_hba.conf"[..], 4));
            (
                group.tally.connections,
                group.tally.attempts,
                group.detail.as_deref(),
            )
        })
        .collect();
    let unknown_role = &b"Role \"a\" does not exist."[..];
    assert_eq!(groups, [(2, 1, None), (1, 1, Some(unknown_role))]);
    assert_eq!((reason.tally.connections, reason.tally.attempts), (3, 2));
    assert_eq!(reason.records.len(), RECORDS_MAX);
}

#[test]
fn line_of_an_authentication_is_that_of_a_later_refusal() {
    let mut told = Told::new(&[]);
    let auth = SessionAuth {
        identity: None,
        method: b"trust"[..].into(),
        hba: b"/data/pg_hba.conf:11"[..].into(),
    };
    let refusal = Refusal {
        auth: Some(auth.into()),
        ..told.refusal(b"a", b"[local]")
    };
    told.tell(refusal, 0);
    let hba = told.snapshot().reasons[0].groups[0].hba.clone();
    let hba = hba.expect("a line");
    assert_eq!(
        (&*hba.file, hba.line, hba.text),
        (&b"/data/pg_hba.conf"[..], 11, None)
    );
}

#[test]
fn groups_past_the_bound_are_counted_together() {
    const USERS: usize = 1000;
    let mut told = Told::new(&[]);
    for n in 0..GROUPS_MAX + USERS {
        let (user, host) = (n % USERS, n / USERS);
        let refusal = told.refusal(format!("{user}").as_bytes(), format!("{host}").as_bytes());
        told.tell(refusal, n as i64);
    }
    let snapshot = told.snapshot();
    let groups = &snapshot.reasons[0].groups;
    let other = groups.last().expect("groups");
    assert_eq!((groups.len(), other.is_other), (GROUPS_MAX + 1, true));
    assert_eq!(other.tally.connections, USERS as u64);
    for (dimension, ranking) in &snapshot.by {
        let sum: u64 = ranking.iter().map(|(_, n)| n).sum();
        assert_eq!(sum, (GROUPS_MAX + USERS) as u64, "{dimension:?}");
    }
    assert_eq!(told.refusals.bounds().len(), 1);
}

proptest! {
    #[test]
    fn sums_are_whole(
        rows in prop::collection::vec((0u8..3, 0u8..3, any::<bool>(), 0i64..100_000), 0..60),
        by_user in any::<bool>(),
    ) {
        let by: &[Dimension] = if by_user { &[Dimension::User] } else { &[] };
        let mut told = Told::new(by);
        for &(user, host, is_retry, at) in &rows {
            let refusal = Refusal { is_retry, ..told.refusal(&[b'a' + user], &[b'0' + host]) };
            told.tell(refusal, at);
        }
        let snapshot = told.snapshot();
        let of = |count: &dyn Fn(&Tally) -> u64| {
            let groups = snapshot.reasons.iter().flat_map(|reason| &reason.groups);
            groups.map(|group| count(&group.tally)).sum::<u64>()
        };
        prop_assert_eq!(of(&|tally| tally.connections), rows.len() as u64);
        prop_assert_eq!(of(&|tally| tally.attempts), snapshot.all.attempts);
        for (_, ranking) in &snapshot.by {
            prop_assert_eq!(ranking.iter().map(|(_, n)| n).sum::<u64>(), rows.len() as u64);
        }
        prop_assert_eq!(snapshot.all.first.map(|at| at.0), rows.iter().map(|row| row.3).min());
        prop_assert_eq!(snapshot.all.last.map(|at| at.0), rows.iter().map(|row| row.3).max());
    }
}
