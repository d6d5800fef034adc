//! Who is shut out, and who only looks like it.

use super::super::finding::{Figure, Finding, Kind, Word};
use super::super::scene::{Client, HOUR, MINUTE, SECOND, Scene, client};
use crate::instant::Instant;
use crate::session::RefusalReason as R;

fn web() -> Client {
    client("web", "app", "10.0.0.7")
}

fn etl() -> Client {
    client("etl", "etl", "10.0.0.8")
}

/// Both log in twice a minute, for an hour.
fn usual() -> Scene {
    let mut scene = Scene::default();
    scene.traffic(&web(), 0, HOUR, 30 * SECOND);
    scene.traffic(&etl(), 0, HOUR, 30 * SECOND);
    scene
}

/// So many refusals from the end of the hour on.
fn refused(scene: &mut Scene, client: &Client, reason: R, times: i64, every: i64) {
    for i in 0..times {
        scene.refused(HOUR + i * every, client, reason);
    }
}

fn turned_away(scene: &mut Scene, client: &Client, reason: R, times: i64, every: i64) {
    for i in 0..times {
        scene.turned_away(HOUR + i * every, client, reason);
    }
}

fn with(change: impl FnOnce(&mut Scene)) -> Vec<String> {
    let mut scene = usual();
    change(&mut scene);
    scene.said()
}

fn only(scene: &Scene) -> Finding {
    let mut found = scene.findings();
    found.retain(|finding| finding.kind == Kind::ShutOut);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

fn texts(finding: &Finding) -> String {
    let sentences = [&finding.said, &finding.advice];
    let words = sentences.iter().flat_map(|sentence| &sentence.0);
    let text = |word: &Word| match word {
        Word::Text(text) => text.clone(),
        Word::Name(name) => String::from_utf8_lossy(name).into_owned(),
        Word::Identifier(name) => format!("\"{}\"", String::from_utf8_lossy(name)),
        Word::Literal(name) => format!("'{}'", String::from_utf8_lossy(name)),
        Word::At(at) => format!("@{}", at.0),
        Word::Ms(n) | Word::Count(n) => n.to_string(),
    };
    words.map(text).collect()
}

#[test]
fn who_used_to_log_in_and_is_refused_every_time_is_shut_out() {
    let often = |times, every| with(|scene| refused(scene, &web(), R::HbaNoEntry, times, every));
    assert_eq!(often(19, MINUTE), [""; 0], "too few attempts");
    assert_eq!(often(1_000, 200), [""; 0], "for three minutes only");
    let told = ["warning shut_out of web, app, shop, 10.0.0.7"];
    assert_eq!(often(20, MINUTE), told);
    assert_eq!(often(4_000, 100), told, "a storm of retries");
}

#[test]
fn what_takes_back_an_authorized_connection_is_no_login() {
    for reason in [
        R::DatabaseNotAccepting,
        R::DatabaseUnknown,
        R::RoleCannotLogin,
        R::RoleUnknown,
        R::NoConnectPrivilege,
    ] {
        for every in [700, 30 * SECOND] {
            let told = with(|scene| {
                let times = 10 * MINUTE / every;
                turned_away(scene, &web(), reason, times, every);
            });
            assert_eq!(told.len(), 1, "{reason:?}: {told:?}");
            assert!(told[0].contains("shut_out of web, app, shop"), "{told:?}");
        }
    }
}

#[test]
fn somebody_who_gets_in_between_is_not_shut_out() {
    let told = with(|scene| {
        refused(scene, &web(), R::HbaNoEntry, 100, 30 * SECOND);
        scene.traffic(&web(), HOUR + 10 * SECOND, 2 * HOUR, 4 * MINUTE);
    });
    assert_eq!(told, [""; 0]);
    let told = with(|scene| {
        turned_away(scene, &web(), R::NoConnectPrivilege, 100, 30 * SECOND);
        scene.traffic(&web(), HOUR + 10 * SECOND, 2 * HOUR, 4 * MINUTE);
    });
    assert_eq!(told, [""; 0]);
}

#[test]
fn it_is_critical_where_it_is_nearly_everybody() {
    let database = with(|scene| turned_away(scene, &web(), R::DatabaseUnknown, 60, 10 * SECOND));
    assert_eq!(
        database,
        ["warning shut_out of web, app, shop, 10.0.0.7"],
        "one of two"
    );
    let both = with(|scene| {
        turned_away(scene, &web(), R::DatabaseUnknown, 60, 10 * SECOND);
        turned_away(scene, &etl(), R::DatabaseUnknown, 60, 11 * SECOND);
    });
    assert_eq!(both, ["critical shut_out of shop"]);
    let entries = with(|scene| {
        refused(scene, &web(), R::HbaNoEntry, 60, 10 * SECOND);
        refused(scene, &etl(), R::HbaNoEntry, 60, 11 * SECOND);
    });
    assert_eq!(entries, ["critical shut_out of shop"]);
}

#[test]
fn a_server_that_stays_in_recovery_is_critical_and_a_restart_is_nothing() {
    let recovery = |seconds: i64| {
        with(|scene| {
            let nobody = client("", "", "10.0.0.7");
            refused(scene, &nobody, R::InRecovery, 5, SECOND);
            for i in 5..seconds {
                scene.refused(HOUR + i * SECOND, &nobody, R::StartingUp);
            }
            scene.traffic(&web(), HOUR + seconds * SECOND, 3 * HOUR, 30 * SECOND);
        })
    };
    assert_eq!(recovery(40), [""; 0]);
    assert_eq!(recovery(240), [""; 0]);
    assert_eq!(recovery(1_200), ["critical shut_out"]);
}

#[test]
fn names_that_never_worked_are_for_others_to_tell() {
    for reason in [R::HbaNoEntry, R::RoleUnknown, R::RoleCannotLogin] {
        let told = with(|scene| {
            let scanner = client("", "root", "203.0.113.9");
            for i in 0..200 {
                // On no beat.
                scene.refused(HOUR + i * 7_000 + (i * i * 37) % 3_000, &scanner, reason);
            }
        });
        let is_told = told.iter().any(|told| told.contains("shut_out"));
        assert!(!is_told, "{reason:?}: {told:?}");
    }
}

#[test]
fn a_role_that_was_dropped_is_no_wrong_health_check() {
    let told = with(|scene| turned_away(scene, &web(), R::RoleUnknown, 100, 10 * SECOND));
    assert_eq!(told, ["warning shut_out of web, app, shop, 10.0.0.7"]);
    let told = with(|scene| turned_away(scene, &web(), R::DatabaseUnknown, 100, 10 * SECOND));
    assert_eq!(told, ["warning shut_out of web, app, shop, 10.0.0.7"]);
}

#[test]
fn it_says_since_when_how_often_and_when_the_last_login_was() {
    let mut scene = usual();
    turned_away(&mut scene, &web(), R::NoConnectPrivilege, 60, 10 * SECOND);
    let finding = only(&scene);
    assert_eq!(finding.since, Instant(HOUR + 1));
    assert_eq!(finding.until, Instant(HOUR + 590 * SECOND + 1));
    assert!(finding.figures.contains(&("attempts", Figure::Count(60))));
    let last = Instant(HOUR - 30 * SECOND);
    assert!(finding.figures.contains(&("last_login", Figure::At(last))));
    let said = texts(&finding);
    assert!(said.contains("it goes on"), "{said}");
    assert!(
        said.contains(r#"GRANT CONNECT ON DATABASE "shop" TO "app""#),
        "{said}"
    );
    scene.traffic(&web(), 2 * HOUR, 3 * HOUR, 30 * SECOND);
    let said = texts(&only(&scene));
    assert!(said.contains("they log in again, last at"), "{said}");
}

#[test]
fn what_recurs_is_told_once() {
    let mut scene = Scene::default();
    scene.traffic(&web(), 0, 20 * HOUR, 10 * MINUTE);
    scene.traffic(&etl(), 0, 20 * HOUR, 10 * MINUTE);
    let finding = |scene: &Scene| texts(&only(scene));
    for hour in [3, 7, 11] {
        let begin = hour * HOUR + MINUTE;
        for i in 0..50 {
            scene.turned_away(begin + i * 9 * SECOND, &web(), R::DatabaseNotAccepting);
        }
    }
    assert!(
        finding(&scene).contains("it was so 3 times"),
        "{}",
        finding(&scene)
    );
}

#[test]
fn many_hosts_of_one_role_are_one_finding() {
    let mut scene = usual();
    for host in 0..40 {
        let pod = client("web", "app", &format!("10.0.1.{host}"));
        scene.traffic(&pod, 0, HOUR, 10 * MINUTE);
        for i in 0..4 {
            scene.refused(HOUR + host * SECOND + i * 2 * MINUTE, &pod, R::HbaNoEntry);
        }
    }
    assert_eq!(scene.said(), ["warning shut_out of web, app, shop"]);
}
