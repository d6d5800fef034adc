//! Who guesses and who only looks like it.

use proptest::prelude::*;

use super::super::finding::{Figure, Kind, Word};
use super::super::scene::{Client, DAY, HOUR, How, MINUTE, SECOND, Scene, client};
use crate::instant::Instant;
use crate::session::RefusalReason;

/// A server whose application logs in twice a minute.
fn quiet() -> Scene {
    let mut scene = Scene::default();
    scene.traffic(&client("api", "app", "10.0.0.7"), 0, 2 * HOUR, 30 * SECOND);
    scene
}

fn with(change: impl FnOnce(&mut Scene)) -> Vec<String> {
    let mut scene = quiet();
    change(&mut scene);
    scene.said()
}

fn guesser(user: &'static str) -> Client {
    client("", user, "203.0.113.9")
}

/// Gaps as a guesser has them, who waits for answers.
fn uneven(i: i64) -> i64 {
    i * 700 + (i * i * 37) % 300
}

#[test]
fn many_wrong_passwords_from_a_host_that_never_logged_in_are_brute_force() {
    let often = |times: i64, every: i64| {
        with(move |scene| {
            scene.fails_often(HOUR, &guesser("postgres"), times, every);
        })
    };
    assert_eq!(quiet().said(), [""; 0]);
    assert_eq!(often(19, SECOND), [""; 0]);
    assert_eq!(
        often(20, SECOND),
        ["warning brute_force of postgres, 203.0.113.9"]
    );
    assert_eq!(often(49, 40 * SECOND), [""; 0], "slower than a program");
    let known = with(|scene| {
        scene.session(MINUTE, &client("psql", "joe", "203.0.113.9"), MINUTE);
        scene.fails_often(HOUR, &guesser("postgres"), 40, SECOND);
    });
    assert_eq!(known, [""; 0], "somebody logs in from there");
}

#[test]
fn a_rhythm_from_a_public_address_is_brute_force_and_from_inside_a_health_check() {
    let from = |host: &str, every: i64| {
        let prober = client("", "monitor", host);
        with(|scene| {
            scene.fails_often(HOUR, &prober, 100, every);
        })
    };
    assert_eq!(
        from("10.0.0.9", 5 * SECOND),
        ["warning wrong_health_check of monitor, 10.0.0.9"]
    );
    assert_eq!(
        from("203.0.113.9", 5 * SECOND),
        ["warning brute_force of monitor, 203.0.113.9"]
    );
    assert_eq!(
        from("10.0.0.9", 100),
        ["warning brute_force of monitor, 10.0.0.9"],
        "no timer is so fast"
    );
    let other = with(|scene| {
        scene.session(MINUTE, &client("psql", "monitor", "10.0.0.5"), MINUTE);
        scene.fails_often(HOUR, &client("", "monitor", "10.0.0.9"), 100, 5 * SECOND);
    });
    assert_eq!(
        other,
        ["warning stale_secret of monitor, 10.0.0.9"],
        "the role is at home on such hosts"
    );
}

#[test]
fn a_check_that_asks_for_what_does_not_exist_is_told_once_whatever_it_is_asked_from() {
    let checks = |reason| {
        with(move |scene| {
            for i in 0..60 {
                for host in ["10.0.0.20", "10.0.0.21"] {
                    scene.refused(HOUR + i * 10 * SECOND, &client("", "root", host), reason);
                }
            }
        })
    };
    assert_eq!(
        checks(RefusalReason::RoleUnknown),
        ["warning wrong_health_check of root"]
    );
    assert_eq!(
        checks(RefusalReason::DatabaseUnknown),
        ["warning wrong_health_check of root, shop"]
    );
}

#[test]
fn an_application_whose_password_was_changed_has_a_stale_secret() {
    let api = client("api", "app", "10.0.0.7");
    let mut scene = Scene::default();
    scene.traffic(&api, 0, HOUR, 30 * SECOND);
    scene.fails_often(HOUR, &api, 120, 10 * SECOND);
    assert_eq!(scene.said(), ["warning stale_secret of api, app, 10.0.0.7"]);
    assert_eq!(scene.findings()[0].since, Instant(HOUR));
    // Somebody has put it right.
    scene.traffic(&api, HOUR + 30 * MINUTE, 2 * HOUR, 30 * SECOND);
    assert_eq!(scene.said(), ["warning stale_secret of api, app, 10.0.0.7"]);
    // A person who mistypes now and then.
    let typing = with(|scene| {
        for i in 0..60 {
            scene.fails(i * 2 * MINUTE + 1, &api);
        }
    });
    assert_eq!(typing, [""; 0]);
    // Two applications with one user on one host: one of them has the old one.
    let two = with(|scene| {
        scene.fails_often(HOUR, &api, 300, 10 * SECOND);
    });
    assert_eq!(two, ["warning stale_secret of api, app, 10.0.0.7"]);
}

#[test]
fn who_was_connected_before_the_log_began_has_logged_in() {
    let api = client("api", "app", "10.0.0.8");
    let said = with(|scene| {
        let older = How {
            is_older: true,
            ..How::default()
        };
        scene.session_as(-HOUR, &api, 3 * HOUR - MINUTE, older);
        scene.fails_often(HOUR, &api, 120, 7 * SECOND);
    });
    assert_eq!(said, ["warning stale_secret of api, app, 10.0.0.8"]);
}

#[test]
fn a_host_that_tries_five_roles_is_spraying_unless_it_is_a_pooler() {
    let roles = ["a", "b", "c", "d", "e"];
    let spray = |roles: &[&'static str], every: i64| {
        let mut scene = quiet();
        for (i, role) in (0..).zip(roles) {
            scene.fails(HOUR + i * every, &guesser(role));
        }
        scene
    };
    assert_eq!(
        spray(&roles, 5 * MINUTE).said(),
        ["warning spraying of 203.0.113.9"]
    );
    assert_eq!(spray(&roles[1..], 5 * MINUTE).said(), [""; 0]);
    assert_eq!(
        spray(&roles, 30 * MINUTE).said(),
        [""; 0],
        "five people in a morning"
    );
    let mut pooler = spray(&roles, MINUTE);
    for user in ["x", "y", "z"] {
        pooler.session(MINUTE, &client("web", user, "203.0.113.9"), MINUTE);
    }
    assert_eq!(pooler.said(), [""; 0]);
}

#[test]
fn a_login_after_many_failures_is_told_with_whose_it_is() {
    let mut scene = quiet();
    for i in 0..40 {
        scene.fails(HOUR + uneven(i), &guesser("postgres"));
    }
    let at = HOUR + 2 * MINUTE;
    let mut got_in = scene.clone();
    got_in.session(at, &guesser("postgres"), MINUTE);
    assert_eq!(
        got_in.said(),
        ["critical success_after_failures of postgres, 203.0.113.9"]
    );
    assert!(
        got_in.findings()[0]
            .figures
            .contains(&("failures", Figure::Count(40)))
    );
    // A program that tries again each second until its password is put right.
    let mut deploy = quiet();
    deploy.fails_often(HOUR, &client("", "new", "10.0.0.9"), 60, SECOND);
    deploy.session(HOUR + 2 * MINUTE, &client("new", "new", "10.0.0.9"), MINUTE);
    assert_eq!(
        deploy.said(),
        ["warning success_after_failures of new, 10.0.0.9"]
    );
    // … or at random, as many do that back off.
    let off_beat = |user: &'static str, host: &str| {
        let mut scene = quiet();
        let service = client("new", user, host);
        for i in 0..40 {
            scene.fails(HOUR + uneven(i), &service);
        }
        scene.session(HOUR + 2 * MINUTE, &service, MINUTE);
        scene.said().swap_remove(0)
    };
    for (user, host, said) in [
        (
            "new",
            "10.0.9.9",
            "warning success_after_failures of new, 10.0.9.9",
        ),
        (
            "app",
            "10.0.0.9",
            "warning success_after_failures of app, 10.0.0.9",
        ),
        (
            "app",
            "10.0.9.9",
            "critical success_after_failures of app, 10.0.9.9",
        ),
        (
            "postgres",
            "10.0.9.9",
            "critical success_after_failures of postgres, 10.0.9.9",
        ),
        (
            "new",
            "203.0.113.9",
            "critical success_after_failures of new, 203.0.113.9",
        ),
    ] {
        assert_eq!(off_beat(user, host), said);
    }
    // What is refused after it was authorized did not get in.
    let mut refused = scene.clone();
    refused.taken_back(at, &guesser("postgres"));
    assert_eq!(
        refused.said(),
        ["warning brute_force of postgres, 203.0.113.9"]
    );
    // Hours later it is somebody else who has this address.
    let mut later = scene.clone();
    later.session(at + 3 * HOUR, &guesser("joe"), MINUTE);
    assert_eq!(
        later.said(),
        ["warning brute_force of postgres, 203.0.113.9"]
    );
}

#[test]
fn a_role_that_is_tried_from_many_addresses_is_told_once() {
    let hosts = |n: i64, tries: i64| {
        let mut scene = quiet();
        for i in 0..n * tries {
            let host = format!("198.51.100.{}", i % n);
            scene.fails(HOUR + uneven(i), &client("", "postgres", &host));
        }
        scene.said()
    };
    assert_eq!(
        hosts(40, 2),
        ["warning brute_force of postgres"],
        "each of them tries little"
    );
    assert_eq!(
        hosts(40, 30),
        ["warning brute_force of postgres"],
        "each of them tries much"
    );
    assert_eq!(hosts(4, 5), [""; 0]);
}

#[test]
fn new_hosts_of_a_role_that_logs_in_no_more_have_a_stale_secret() {
    let mut scene = Scene::default();
    scene.traffic(&client("api", "app", "10.0.1.1"), 0, HOUR, 30 * SECOND);
    for i in 0..60 {
        let host = format!("10.0.2.{}", i % 12);
        scene.fails(HOUR + MINUTE + uneven(i), &client("api", "app", &host));
    }
    assert_eq!(scene.said(), ["warning stale_secret of app"]);
    // Guessers who come when the application is silent are nobody's new hosts.
    let mut scene = Scene::default();
    scene.traffic(&client("api", "app", "10.0.1.1"), 0, HOUR, 30 * SECOND);
    for i in 0..60 {
        let host = format!("198.51.100.{}", i % 12);
        scene.fails(HOUR + MINUTE + uneven(i), &client("", "app", &host));
    }
    assert_eq!(scene.said(), ["warning brute_force of app"]);
}

#[test]
fn without_hosts_users_are_judged_and_nobody_sprays() {
    let nowhere = |user| client("", user, "");
    let mut scene = quiet();
    for (i, user) in (0..).zip(["a", "b", "c", "d", "e", "f"]) {
        scene.fails(HOUR + i * SECOND, &nowhere(user));
    }
    assert_eq!(scene.said(), [""; 0]);
    for i in 0..30 {
        scene.fails(HOUR + uneven(i), &nowhere("postgres"));
    }
    assert_eq!(scene.said(), ["warning brute_force of postgres"]);
}

#[test]
fn any_number_of_hosts_and_users_is_a_handful_of_findings() {
    let mut scene = quiet();
    for i in 0..30_000 {
        let host = format!("198.18.{}.{}", i / 250 % 250, i % 250);
        let user: &'static str = ["a", "b", "c", "d", "e", "f", "g"][i as usize % 7];
        scene.fails(HOUR + i * 100, &client("", user, &host));
    }
    assert!(scene.findings().len() < 10);
    assert!(
        scene
            .findings()
            .iter()
            .all(|finding| finding.kind == Kind::BruteForce)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Ten times the duration at the same rate, another zone, another order of lines: the same verdicts.
    #[test]
    fn no_verdict_depends_on_the_length_of_the_log_its_zone_or_its_files(
        every in 1_000..120_000i64,
        roles in 1..8usize,
        is_known in any::<bool>(),
        hours in -12..=12i64,
    ) {
        const ROLES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let scene = |length: i64| {
            let mut scene = Scene::default();
            scene.traffic(&client("api", "app", "10.0.0.7"), 0, length, 30 * SECOND);
            if is_known {
                scene.traffic(&client("api", "a", "10.0.0.9"), 0, length, 10 * MINUTE);
            }
            for at in (MINUTE..length).step_by(every as usize) {
                let role = ROLES[(at / every) as usize % roles];
                scene.fails(at, &client("", role, "10.0.0.9"));
            }
            scene
        };
        let short = scene(3 * HOUR);
        let said = short.said();
        prop_assert_eq!(&scene(30 * HOUR).said(), &said);
        prop_assert_eq!(&short.moved(hours * HOUR).said(), &said);
    }
}

#[test]
fn many_hosts_that_guess_are_not_refused_one_by_one() {
    let mut scene = quiet();
    for host in 0..5 {
        let guesser = client("", "postgres", &format!("203.0.113.{host}"));
        scene.fails_often(HOUR, &guesser, 30, SECOND);
    }
    assert_eq!(scene.said(), ["warning brute_force of postgres"]);
    let finding = scene.findings().swap_remove(0);
    let names_a_host = finding
        .advice
        .0
        .iter()
        .any(|word| matches!(word, Word::Name(_)));
    assert!(!names_a_host, "{:?}", finding.advice);
}

#[test]
fn many_hosts_that_got_in_are_as_severe_as_one_and_say_when() {
    let mut scene = quiet();
    for host in 0..4 {
        let guesser = client("", "postgres", &format!("203.0.113.{host}"));
        for i in 0..60 {
            scene.fails(HOUR + uneven(i), &guesser);
        }
        scene.session(HOUR + (10 + host) * MINUTE, &guesser, MINUTE);
    }
    assert_eq!(
        scene.said(),
        ["critical success_after_failures of postgres"]
    );
    let finding = scene.findings().swap_remove(0);
    assert_eq!(finding.until, Instant(HOUR + 13 * MINUTE));
    for figure in [
        ("failures", Figure::Count(240)),
        ("first_login", Figure::At(Instant(HOUR + 10 * MINUTE))),
        ("last_login", Figure::At(Instant(HOUR + 13 * MINUTE))),
    ] {
        assert!(finding.figures.contains(&figure), "{figure:?}");
    }
}

#[test]
fn a_person_who_mistypes_once_a_day_has_no_stale_secret_however_long_the_log() {
    let anna = |host: &str| client("psql", "anna", host);
    let days = |days: i64, elsewhere: &str| {
        let mut scene = Scene::default();
        scene.session(0, &anna("10.9.0.3"), MINUTE);
        for day in 0..days {
            scene.fails(day * DAY + 9 * HOUR, &anna("10.9.0.3"));
            scene.session(day * DAY + 12 * HOUR, &anna(elsewhere), MINUTE);
        }
        scene.said()
    };
    for n in [6, 40] {
        assert_eq!(days(n, "10.9.0.3"), [""; 0], "{n}");
        assert_eq!(days(n, "10.9.0.4"), [""; 0], "{n}");
    }
    // A job of every hour, whose role others use, and one of every night, whose role nobody else has.
    let job = client("job", "job", "10.0.3.7");
    let mut hourly = Scene::default();
    hourly.traffic(&client("api", "job", "10.0.3.8"), 0, 30 * HOUR, MINUTE);
    hourly.session(MINUTE, &job, MINUTE);
    hourly.fails_often(HOUR, &job, 24, HOUR);
    assert_eq!(
        hourly.said(),
        ["warning stale_secret of job, job, 10.0.3.7"]
    );
    let mut nightly = Scene::default();
    nightly.session(0, &job, MINUTE);
    nightly.fails_often(DAY, &job, 12, DAY);
    assert_eq!(
        nightly.said(),
        ["warning stale_secret of job, job, 10.0.3.7"]
    );
}

#[test]
fn new_hosts_of_our_own_that_ask_for_one_role_of_others_have_an_old_password() {
    let pods = |old_still: bool, every: i64, also: Option<&'static str>| {
        let mut scene = quiet();
        let end = if old_still { 2 * HOUR } else { HOUR };
        for pod in 0..6 {
            let old = client("api2", "api2", &format!("10.0.8.{pod}"));
            scene.traffic(&old, 0, end, 10 * MINUTE);
            let new = client("api2", "api2", &format!("10.0.18.{pod}"));
            for i in 0..40 {
                scene.fails(HOUR + i * every + uneven(i) % 300, &new);
            }
            if let Some(user) = also {
                scene.fails(HOUR + MINUTE, &client("", user, &new.2));
            }
        }
        scene.said()
    };
    assert_eq!(
        pods(false, 30 * SECOND, None),
        ["warning stale_secret of api2"]
    );
    assert_eq!(
        pods(true, 30 * SECOND, None),
        ["warning stale_secret of api2"]
    );
    assert_eq!(
        pods(true, 100, None),
        ["warning brute_force of api2"],
        "it does not wait, and somebody has the right one"
    );
    assert_eq!(
        pods(true, 10 * SECOND, Some("postgres")),
        ["warning brute_force"],
        "no application asks for another's role"
    );
}

#[test]
fn an_application_that_was_moved_is_not_shut_out() {
    let fails = |user: &'static str, host: &str, every: i64| {
        let mut scene = quiet();
        scene.fails_often(HOUR, &client("", user, host), 30, every);
        scene
    };
    let lines = |scene: Scene| scene.guesses().len();
    assert_eq!(lines(fails("app", "10.0.0.7", SECOND)), 0, "its own host");
    assert_eq!(lines(fails("app", "10.0.9.7", 5 * SECOND)), 0);
    assert_eq!(lines(fails("app", "10.0.9.7", 100)), 29, "it hurries");
    assert_eq!(lines(fails("app", "203.0.113.9", 5 * SECOND)), 30);
    assert_eq!(lines(fails("other", "10.0.9.7", 5 * SECOND)), 30);
    let mut two = fails("app", "10.0.9.7", 5 * SECOND);
    two.fails(HOUR + 20 * SECOND + 1, &client("", "other", "10.0.9.7"));
    assert_eq!(lines(two), 26, "from when it asks for another");
}

#[test]
fn who_comes_by_a_unix_socket_is_not_refused_by_address() {
    let advice = |host: &str| {
        let mut scene = quiet();
        for (i, role) in (0..).zip(["a", "b", "c", "d", "e", "f"]) {
            scene.fails(HOUR + i * SECOND, &client("", role, host));
        }
        assert_eq!(scene.said(), [format!("warning spraying of {host}")]);
        format!("{:?}", scene.findings()[0].advice)
    };
    assert!(advice("203.0.113.9").contains("host all all"));
    let local = advice("[local]");
    assert!(local.contains("local all all peer"), "{local}");
    assert!(!local.contains("host all all"), "{local}");
    assert!(!local.contains("firewall"), "{local}");
}

#[test]
fn more_than_three_that_fail_alike_are_one_finding_that_names_the_biggest() {
    const ROLES: [&str; 5] = ["a", "b", "c", "d", "e"];
    type Fill = fn(&mut Scene, i64, &'static str);
    let stale: Fill = |scene, i, role| {
        let tenant = client("tenant", role, "10.0.14.1");
        scene.traffic(&tenant, i, HOUR, 10 * MINUTE);
        scene.fails_often(HOUR + i, &tenant, 30 + i, MINUTE);
    };
    let checks: Fill = |scene, i, role| {
        let host = format!("10.0.60.{i}");
        for n in 0..30 + i {
            let check = client("", role, &host);
            scene.refused(n * MINUTE + i, &check, RefusalReason::RoleUnknown);
        }
    };
    let tried: Fill = |scene, i, role| {
        for n in 0..60 + 12 * i {
            let host = format!("203.0.{i}.{}", n % 12);
            scene.fails(HOUR + n * 3 * SECOND, &client("", role, &host));
        }
    };
    for (fill, alone, together) in [
        (
            stale,
            "warning stale_secret of tenant, c, 10.0.14.1",
            "warning stale_secret of tenant, 10.0.14.1",
        ),
        (
            checks,
            "warning wrong_health_check of c, 10.0.60.2",
            "warning wrong_health_check",
        ),
        (tried, "warning brute_force of c", "warning brute_force"),
    ] {
        let scene = |roles: &[&'static str]| {
            let mut scene = quiet();
            for (i, role) in (0..).zip(roles) {
                fill(&mut scene, i, role);
            }
            scene
        };
        let three = scene(&ROLES[..3]).said();
        assert_eq!((three.len(), &*three[2]), (3, alone));
        let five = scene(&ROLES);
        assert_eq!(five.said(), [together]);
        let finding = five.findings().swap_remove(0);
        assert!(finding.figures.contains(&("users", Figure::Count(5))));
        let named = finding.said.0.iter().filter_map(|word| match word {
            Word::Name(name) if name.len() == 1 => Some(name[0]),
            _ => None,
        });
        assert_eq!(named.collect::<Vec<_>>(), b"edc", "{:?}", finding.said);
    }
}

#[test]
fn guessing_that_is_spread_thin_is_one_finding_of_all_hosts_that_never_logged_in() {
    let role = |i: i64| -> &'static str { format!("user{i}").leak() };
    let said = |hosts: i64, roles: i64, tries: i64, every: i64, network: &str| {
        let mut scene = quiet();
        for i in 0..tries {
            let host = format!("{network}.{}", i % hosts);
            scene.fails(HOUR + i * every, &client("", role(i % roles), &host));
        }
        scene.said()
    };
    let public = "203.0.113";
    // Four hosts, each of which tries fifteen times in ten minutes.
    assert_eq!(
        said(4, 1, 60, 10 * SECOND, public),
        ["warning brute_force of user0"]
    );
    assert_eq!(said(4, 1, 49, 10 * SECOND, public), [""; 0]);
    // Two hundred with a role each, and one host with one role, eight times an hour.
    assert_eq!(
        said(200, 400, 400, 9 * SECOND, public),
        ["warning spraying"]
    );
    assert_eq!(
        said(1, 1, 570, 450 * SECOND, public),
        ["warning brute_force of user0, 203.0.113.0"]
    );
    assert_eq!(said(50, 1, 300, HOUR, public), [""; 0], "24 a day");
    // Inside, one role is an application, and many are none.
    assert_eq!(said(4, 1, 60, 45 * SECOND, "10.9.9"), [""; 0]);
    assert_eq!(
        said(200, 400, 400, 9 * SECOND, "10.9.9"),
        ["warning spraying"]
    );
}

#[test]
fn neither_old_passwords_nor_health_checks_nor_typing_persons_are_guessing_spread_thin() {
    let mut scene = quiet();
    // A fleet whose password was changed, from outside too.
    for i in 0..40 {
        let device = client("meter", "meter", &format!("203.0.113.{i}"));
        scene.session(MINUTE + i * SECOND, &device, SECOND / 2);
        scene.fails_often(HOUR + i * SECOND, &device, 9, 5 * MINUTE);
    }
    assert_eq!(scene.said(), [""; 0], "nine each are not enough for it");
    let mut scene = quiet();
    let check = client("", "nobody", "10.0.0.60");
    for i in 0..100 {
        scene.refused(i * 50 * SECOND, &check, RefusalReason::RoleUnknown);
    }
    assert_eq!(
        scene.said(),
        ["warning wrong_health_check of nobody, 10.0.0.60"]
    );
    // Persons on addresses that change.
    let mut scene = quiet();
    for i in 0..60 {
        let joe = client("psql", "joe", &format!("203.0.113.{i}"));
        scene.fails(HOUR + i * MINUTE, &joe);
        scene.session(HOUR + i * MINUTE + 10 * SECOND, &joe, MINUTE);
    }
    assert_eq!(scene.said(), [""; 0]);
}

#[test]
fn a_role_that_fails_steadily_inside_and_has_no_login_in_the_log_may_have_an_old_password() {
    // Every 20 s and a random delay of 4 s at most.
    let said = |user: &'static str, host: &str, every: i64, also: &'static str| {
        let mut scene = quiet();
        for i in 0..200 {
            let late = (i * i * 37) % (every / 5);
            scene.fails(MINUTE + i * every + late, &client("", user, host));
        }
        scene.fails(HOUR, &client("", also, host));
        scene.said()
    };
    let slow = 20 * SECOND;
    assert_eq!(
        said("api", "10.0.8.1", slow, "api"),
        ["warning stale_secret of api, 10.0.8.1"]
    );
    for (user, host, every, also) in [
        ("api", "203.0.113.9", slow, "api"),
        ("postgres", "10.0.8.1", slow, "postgres"),
        ("api", "10.0.8.1", 500, "api"),
        ("api", "10.0.8.1", slow, "postgres"),
    ] {
        let told = said(user, host, every, also);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("warning brute_force"), "{told:?}");
    }
}

#[test]
fn a_login_after_a_day_of_slow_failures_from_outside_is_told() {
    let said = |host: &str, tries: i64, every: i64| {
        let mut scene = quiet();
        let guesser = client("", "app", host);
        for i in 0..tries {
            scene.fails(HOUR + i * every + (i * i * 7_919) % (every / 2), &guesser);
        }
        scene.session(HOUR + tries * every + HOUR, &guesser, MINUTE);
        scene.said()
    };
    let slow = 8 * MINUTE;
    assert_eq!(
        said("203.0.113.9", 300, slow),
        ["critical success_after_failures of app, 203.0.113.9"]
    );
    assert_eq!(said("203.0.113.9", 100, HOUR), [""; 0], "24 a day");
    assert_eq!(said("10.0.9.9", 300, slow), [""; 0], "put right");
}
