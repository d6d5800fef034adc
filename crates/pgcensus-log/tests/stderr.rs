//! stderr text under several prefixes, as servers write it and as clients would like to bend it.

#[path = "support/shown.rs"]
mod shown;

use pgcensus_log::decoder::Decoder;
use pgcensus_log::format::Format;
use pgcensus_log::line_prefix::LinePrefix;
use shown::{check, shown};

fn stderr(prefix: &str) -> Format {
    Format::Stderr(LinePrefix::parse(prefix).expect("a usable prefix"))
}

const HEAD: &str = "2026-11-23 05:32:45.839 UTC [4000] ";

/// Lines of the default prefix `%m [%p] `; those that begin with a tab continue.
fn lines(lines: &[&str]) -> String {
    let line = |line: &&str| match line.strip_prefix('\t') {
        Some(rest) => format!("\t{rest}\n"),
        None => format!("{HEAD}{line}\n"),
    };
    lines.iter().map(line).collect()
}

const RECEIVED: &str = "LOG:  connection received: host=10.0.0.7 port=51842";
const DISCONNECTED: &str = "LOG:  disconnection: session time: 0:01:02.345 user=app database=shop host=10.0.0.7 port=51842";
const UNTRUSTED: &str = "not trusted: a client wrote it by RAISE";

#[test]
fn a_record_is_its_lines() {
    let raised = |label: &str| {
        lines(&[
            "LOG:  disconnection: session time: 0:00:00.001 user=a database=b host=[local]",
            label,
            RECEIVED,
        ])
    };
    let untrusted = |log: &str| {
        let len = log.len() - HEAD.len() - RECEIVED.len() - 1;
        format!("unreadable 0+{len} {UNTRUSTED}")
    };
    let context = raised("CONTEXT:  PL/pgSQL function inline_code_block line 1 at RAISE");
    let query = raised("QUERY:  select 1");
    let statement = raised("STATEMENT:  do $$ … $$");
    let continued = raised("STATEMENT:  do $$\n\tbegin\n\tLOG:  disconnection: end\n\t$$");
    let received = "4000 received 10.0.0.7:51842";
    check(
        &stderr("%m [%p] "),
        &[
            (&lines(&[RECEIVED]), &[received]),
            (&lines(&[RECEIVED]).replace('\n', "\r\n"), &[received]),
            (lines(&[RECEIVED]).trim_end(), &[received]),
            (&context, &[&untrusted(&context), received]),
            (&query, &[&untrusted(&query), received]),
            (&statement, &[&untrusted(&statement), received]),
            (&continued, &[&untrusted(&continued), received]),
            // Labels of another process are not of this record.
            (
                &format!(
                    "{}{}{}",
                    lines(&[DISCONNECTED]),
                    lines(&["STATEMENT:  select 1"]).replace("4000", "4001"),
                    lines(&[RECEIVED])
                ),
                &[
                    "4000 disconnected 62345 ms app@shop 10.0.0.7:51842",
                    received,
                ],
            ),
            // A hint is no sign of a function.
            (
                &lines(&[DISCONNECTED, "HINT:  none"]),
                &["4000 disconnected 62345 ms app@shop 10.0.0.7:51842"],
            ),
            // A detail belongs to a refusal.
            (
                &lines(&[
                    "FATAL:  password authentication failed for user \"two",
                    "\tlines\"",
                    "DETAIL:  Connection matched file \"pg_hba.conf\" line 3:",
                    "\t\"host all all all md5\"",
                    RECEIVED,
                ]),
                &["4000 refused password_failed two\\nlines 28P01", received],
            ),
        ],
    );
}

#[test]
fn text_inside_a_record_is_no_record() {
    check(
        &stderr("%m [%p] "),
        &[
            (
                &lines(&["ERROR:  LOG:  connection received: host=[local]"]),
                &[],
            ),
            (
                &lines(&[
                    "ERROR:  x",
                    "DETAIL:  connection received: host=[local]",
                    "STATEMENT:  select 1",
                    &format!("\t{HEAD}{DISCONNECTED}"),
                    "\tFATAL:  role \"x\" does not exist",
                ]),
                &[],
            ),
            (
                &lines(&["LOG:  statement: LOG:  connection received: host=[local]"]),
                &[],
            ),
            // A context that names a severity does not begin a record, wherever one cuts.
            (
                &lines(&[
                    "LOG:  connection received: host=[local]",
                    "CONTEXT:  while saying LOG:  x",
                    "STATEMENT:  select 'FATAL:  y'",
                ]),
                &[&format!("unreadable 0+207 {UNTRUSTED}")],
            ),
        ],
    );
}

#[test]
fn login_names_tear_lines_under_prefixes_that_show_them() {
    let head = |user: &str, database: &str, app: &str| {
        format!(
            "2026-11-23 05:25:49 UTC [24709]: user={user},db={database},app={app},client=[local] "
        )
    };
    let authorized = |user: &str, database: &str| {
        format!(
            "{}LOG:  connection authorized: user={} database={}\n",
            head(user, database, "[unknown]"),
            user.replace('\n', "\n\t"),
            database.replace('\n', "\n\t")
        )
    };
    let error = format!("{}ERROR:  x\n", head("other", "shop", "psql"));
    let received = format!(
        "{}LOG:  connection received: host=[local]\n",
        head("[unknown]", "[unknown]", "[unknown]")
    );
    let torn = "24709 authorized a\\nb@shop";
    check(
        &stderr("%t [%p]: user=%u,db=%d,app=%a,client=%h "),
        &[
            (&authorized("a\nb", "shop"), &[torn]),
            (
                &authorized("a\nb\n", "\nshop"),
                &["24709 authorized a\\nb\\n@\\nshop"],
            ),
            (
                &format!(
                    "{error}{}{error}{}",
                    authorized("a\nb", "shop"),
                    authorized("c", "nl\ndb")
                ),
                &[torn, "24709 authorized c@nl\\ndb"],
            ),
            (
                &format!("{received}{}{received}", authorized("a\nb", "shop")),
                &["24709 received [local]", torn, "24709 received [local]"],
            ),
            // A name that is a line of the log, up to its label.
            (
                &authorized("x\n2026-11-23 05:25:49 UTC [1]: user=y", "shop"),
                &["24709 authorized x\\n2026-11-23 05:25:49 UTC [1]: user=y@shop"],
            ),
        ],
    );
}

#[test]
fn names_may_hold_labels_and_messages() {
    let prefix = "%m [%p] %u@%d/%a ";
    let head =
        |user: &str, app: &str| format!("2026-11-23 05:32:45.839 UTC [4000] {user}@shop/{app} ");
    let disconnected = |user: &str, app: &str| {
        format!(
            "{}LOG:  disconnection: session time: 0:00:00.001 user={user} database=shop host=[local]\n",
            head(user, app)
        )
    };
    check(
        &stderr(prefix),
        &[
            (
                &disconnected("app", "LOG:  connection received: host=[local]"),
                &["4000 disconnected 1 ms app@shop [local]"],
            ),
            (
                &disconnected("LOG:  x", "psql"),
                &["4000 disconnected 1 ms LOG:  x@shop [local]"],
            ),
            (
                &format!(
                    "{}ERROR:  x\n",
                    head("app", "LOG:  connection received: host=[local]")
                ),
                &[],
            ),
        ],
    );
}

#[test]
fn verbosity_adds_codes_and_places_or_takes_details_away() {
    check(
        &stderr("%m [%p] "),
        &[
            (
                &lines(&[
                    "LOG:  00000: connection received: host=10.0.0.7 port=51842",
                    "LOCATION:  BackendInitialize, postmaster.c:4373",
                    "FATAL:  28P01: password authentication failed for user \"app\"",
                    "DETAIL:  Connection matched file \"pg_hba.conf\" line 3: \"host\"",
                    "LOCATION:  auth_failed, auth.c:328",
                ]),
                &[
                    "4000 received 10.0.0.7:51842",
                    "4000 refused password_failed app 28P01",
                ],
            ),
            // Without a code where the message says one.
            (
                &lines(&["FATAL:  role \"app\" does not exist"]),
                &["4000 refused role_unknown app 28000"],
            ),
            (
                &lines(&["FATAL:  57P01: terminating connection due to administrator command"]),
                &["4000 ending administrator 57P01"],
            ),
        ],
    );
    check(
        &stderr("%m [%p] %e "),
        &[(
            "2026-11-23 05:32:45.839 UTC [4000] 3D000 FATAL:  database \"x\" does not exist\n",
            &["4000 refused database_unknown 3D000"],
        )],
    );
}

#[test]
fn lines_of_another_prefix_are_handed_on() {
    let other = "23/11/2026 <4001> LOG:  connection received: host=[local]\n";
    let at = lines(&[RECEIVED]).len();
    check(
        &stderr("%m [%p] "),
        &[
            (
                &format!("{}{other}{}", lines(&[RECEIVED]), lines(&[DISCONNECTED])),
                &[
                    "4000 received 10.0.0.7:51842",
                    &format!("unmatched {at} {}", other.escape_debug()),
                    "4000 disconnected 62345 ms app@shop 10.0.0.7:51842",
                ],
            ),
            // With its labelled lines: the context tells that it was raised.
            (
                &format!(
                    "{}{other}23/11/2026 <4001> CONTEXT:  LOG:  x\n\ty\n{other}",
                    lines(&[RECEIVED])
                ),
                &[
                    "4000 received 10.0.0.7:51842",
                    &format!(
                        "unmatched {at} {}23/11/2026 <4001> CONTEXT:  LOG:  x\\n\\ty\\n",
                        other.escape_debug()
                    ),
                    &format!("unmatched {} {}", at + 97, other.escape_debug()),
                ],
            ),
            ("text of somebody else: connection received\n", &[]),
        ],
    );
}

#[test]
fn a_last_line_without_its_end_may_go_on() {
    let decoder = Decoder::new(stderr("%m [%p] "));
    let log = lines(&[RECEIVED, DISCONNECTED]);
    let first = lines(&[RECEIVED]).len();
    for cut in 0..=log.len() {
        let whole = match cut {
            _ if cut == log.len() => cut,
            _ if cut >= first => first,
            _ => 0,
        };
        assert_eq!(decoder.complete_len(&log.as_bytes()[..cut]), whole, "{cut}");
    }
}

#[test]
fn a_prefix_that_nothing_tells_apart_reads_every_line() {
    assert_eq!(
        shown(
            &stderr(""),
            format!("{RECEIVED}\n{DISCONNECTED}\n").as_bytes()
        ),
        [
            "- received 10.0.0.7:51842",
            "- disconnected 62345 ms app@shop 10.0.0.7:51842"
        ]
    );
}

#[test]
fn names_that_hold_what_separates_them_are_told_apart_by_the_message() {
    use pgcensus_log::batch::{Batch, Item};
    use pgcensus_log::decoder::Decoder;
    use pgcensus_log::format::Format;
    use pgcensus_log::line_prefix::LinePrefix;

    let log = b"2026-03-14 10:00:00.010 UTC [2005] [unknown]@[unknown] LOG:  connection received: host=[local]\n\
2026-03-14 10:00:00.017 UTC [2005] joe@corp.com@shop LOG:  connection authorized: user=joe@corp.com database=shop application_name=psql\n\
2026-03-14 10:00:01.017 UTC [2006] joe@corp.com@shop FATAL:  password authentication failed for user \"joe@corp.com\"\n\
2026-03-14 10:00:02.878 UTC [2005] joe@corp.com@shop LOG:  disconnection: session time: 0:00:02.864 user=joe@corp.com database=shop host=[local]\n";
    let prefix = LinePrefix::parse("%m [%p] %q%u@%d ").unwrap();
    let mut batch = Batch::default();
    Decoder::new(Format::Stderr(prefix)).decode(log, 0, &mut batch);
    let names: Vec<_> = batch
        .items
        .iter()
        .map(|item| match item {
            Item::Event(event, _) => {
                let event = batch.event(event);
                (
                    event.user.map(<[u8]>::to_vec),
                    event.database.map(<[u8]>::to_vec),
                )
            }
            other => panic!("{other:?}"),
        })
        .collect();
    let joe = (Some(b"joe@corp.com".to_vec()), Some(b"shop".to_vec()));
    assert_eq!(names, [(None, None), joe.clone(), joe.clone(), joe]);
}

/// A login name with a line break and a tab tears its line so that the rest looks like more of a message.
#[test]
fn a_head_that_goes_on_behind_a_tab_is_read_whatever_comes_before() {
    let torn = "2026-11-23 05:25:49 UTC [24709]: user=bob\n\tcontinued,db=shop,app=[unknown],client=10.0.0.7 FATAL:  empty password returned by client\n";
    let statement = "2026-11-23 05:25:48 UTC [24708]: user=app,db=shop,app=psql,client=10.0.0.7 LOG:  statement: select 1\n";
    let received = "2026-11-23 05:25:48 UTC [24708]: user=[unknown],db=[unknown],app=[unknown],client=10.0.0.7 LOG:  connection received: host=10.0.0.7 port=5\n";
    check(
        &stderr("%t [%p]: user=%u,db=%d,app=%a,client=%h "),
        &[
            (torn, &["24709 refused empty_password 28P01"]),
            (
                &format!("{statement}{torn}"),
                &["24709 refused empty_password 28P01"],
            ),
            (
                &format!("{received}{torn}"),
                &[
                    "24708 received 10.0.0.7:5",
                    "24709 refused empty_password 28P01",
                ],
            ),
        ],
    );
}

#[test]
fn a_short_message_at_the_end_is_read() {
    check(
        &stderr("%m [%p] "),
        &[(
            "2026-11-23 05:32:45.839 UTC [4000] FATAL:  bye\n",
            &["4000 refused other"],
        )],
    );
}
