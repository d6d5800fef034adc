//! Histories of files against what was written to them, and single cases.

mod model;
#[cfg(unix)]
mod server;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::opened::AWAY_LOOKS;
use super::*;
use model::History;

#[test]
fn nothing_is_lost_or_doubled_whatever_happens_to_files() {
    let histories = std::env::var("PGCENSUS_HISTORIES").ok();
    let histories = histories.map_or(2000, |n| n.parse().expect("a number"));
    let first = std::env::var("PGCENSUS_HISTORY").ok();
    let first = first.map_or(0, |n| n.parse().expect("a number"));
    for seed in first..first + histories {
        History::new(seed).run();
    }
}

/// All that was told, in words, and the bytes of each file since its begin.
#[derive(Default)]
struct Told {
    events: Vec<String>,
    /// Of each file, its bytes from one emptying to the next.
    files: BTreeMap<usize, Vec<Vec<u8>>>,
    targets: BTreeMap<FileId, TargetId>,
    paths: BTreeMap<FileId, PathBuf>,
    troubled: BTreeSet<PathBuf>,
}

impl Told {
    fn happened(&mut self, happened: &Happened<'_>) {
        let said = match happened {
            Happened::Begins {
                file,
                target,
                path,
                position,
            } => {
                self.targets.insert(*file, *target);
                self.paths.insert(*file, path.to_path_buf());
                let name = name(path);
                if *position > 0 && !self.files.contains_key(&file.0) {
                    self.continue_another(file.0, path, *position as usize);
                }
                let parts = self.files.entry(file.0).or_default();
                if *position == 0 {
                    assert!(parts.is_empty(), "{file:?} begins twice");
                    parts.push(Vec::new());
                } else {
                    let len = parts.last().map_or(0, Vec::len);
                    assert_eq!(len as u64, *position, "{file:?} goes on elsewhere");
                }
                format!("{} begins: {name}", file.0)
            }
            Happened::Bytes { file, bytes } => {
                assert!(!bytes.is_empty() && bytes.len() <= PIECE);
                let parts = self.files.get_mut(&file.0).expect("it has begun");
                parts.last_mut().expect("likewise").extend_from_slice(bytes);
                let text = String::from_utf8_lossy(bytes);
                format!("{}: {}", file.0, text.trim_end())
            }
            Happened::Directory { path, .. } => format!("{} is made", name(path)),
            Happened::Ends { file } => format!("{} ends", file.0),
            Happened::Truncated { file, copy, .. } => {
                let parts = self.files.get_mut(&file.0).expect("it has begun");
                parts.push(Vec::new());
                let rest = if copy.is_some() {
                    ""
                } else {
                    ", a rest may be lost"
                };
                format!("{} is empty{rest}", file.0)
            }
            Happened::Trouble { path, what } => {
                self.troubled.insert(path.to_path_buf());
                format!("{}: {what}", name(path))
            }
            Happened::Recovered { path } => {
                assert!(self.troubled.remove(*path), "it had no trouble");
                format!("{}: recovered", name(path))
            }
        };
        self.events.push(said);
    }

    /// The copy of a file that has been made empty since begins where that was left.
    fn continue_another(&mut self, file: usize, path: &Path, position: usize) {
        let copy = fs::read(path).expect("it is there");
        let mut parts = self.files.values_mut().flatten();
        let part = parts.find(|part| **part == copy[..position]);
        let part = std::mem::take(part.expect("what has been told before"));
        self.files.insert(file, vec![part]);
    }

    /// What has been said since this was asked last.
    fn news(&mut self) -> Vec<String> {
        std::mem::take(&mut self.events)
    }
}

fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

fn look(follow: &mut Follow, told: &mut Told) {
    while follow.look(&mut |happened| told.happened(&happened)) {}
}

/// A directory with what happens in it.
struct Scene {
    dir: tempfile::TempDir,
    follow: Follow,
    told: Told,
}

impl Scene {
    /// Follows `pg.log`.
    fn of_a_file() -> Scene {
        Scene::of(|dir| Target::File(dir.join("pg.log")))
    }

    /// Follows all of a directory.
    fn of_a_directory() -> Scene {
        Scene::of(|dir| Target::Directory {
            path: dir.to_owned(),
            wants: Box::new(|_| true),
        })
    }

    fn of(target: impl FnOnce(&Path) -> Target) -> Scene {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let follow = Follow::new(vec![target(dir.path())], None);
        Scene {
            dir,
            follow,
            told: Told::default(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let mut options = fs::OpenOptions::new();
        let file = options.append(true).create(true).open(self.path(name));
        let mut file = file.expect("it can be opened");
        file.write_all(text.as_bytes()).expect("there is space");
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).expect("it is there");
    }

    fn look(&mut self) -> Vec<String> {
        look(&mut self.follow, &mut self.told);
        self.told.news()
    }
}

#[test]
fn a_file_that_is_not_there_yet_is_waited_for() {
    let mut scene = Scene::of_a_file();
    assert_eq!(scene.look(), ["pg.log: not there; waiting for it"]);
    assert!(scene.look().is_empty());
    scene.write("pg.log", "one\n");
    let told = scene.look();
    assert_eq!(told, ["0 begins: pg.log", "0: one", "pg.log: recovered"]);
}

#[test]
fn a_renamed_file_is_read_to_its_end_first_and_further() {
    let mut scene = Scene::of_a_file();
    scene.write("pg.log", "one\n");
    scene.look();
    scene.write("pg.log", "two\n");
    scene.rename("pg.log", "pg.log.1");
    scene.write("pg.log", "three\n");
    let told = scene.look();
    assert_eq!(told, ["0: two", "1 begins: pg.log", "1: three"]);
    scene.write("pg.log.1", "four\n");
    assert_eq!(scene.look(), ["0: four"]);
    for _ in 0..AWAY_LOOKS - 2 {
        assert!(scene.look().is_empty());
    }
    assert_eq!(scene.look(), ["0 ends"]);
}

#[test]
fn a_server_that_was_not_told_of_the_rotation_is_followed_into_the_old_file() {
    let mut scene = Scene::of_a_file();
    scene.write("pg.log", "one\n");
    scene.look();
    scene.rename("pg.log", "pg.log.1");
    scene.write("pg.log", "");
    for _ in 0..2 * AWAY_LOOKS {
        assert!(scene.look().is_empty());
    }
    scene.write("pg.log.1", "two\n");
    assert_eq!(scene.look(), ["0: two"]);
}

#[test]
fn what_was_not_read_before_a_truncation_is_found_in_the_copy() {
    for mut scene in [Scene::of_a_file(), Scene::of_a_directory()] {
        let long = "2026-11-26 13:28:42 UTC [4711] LOG:  one";
        scene.write("pg.log", long);
        scene.look();
        scene.write("pg.log", "two");
        fs::copy(scene.path("pg.log"), scene.path("pg.log.1")).expect("copied");
        fs::write(scene.path("pg.log"), "three").expect("emptied");
        let told = scene.look();
        assert_eq!(told, ["0: two", "0 is empty", "0: three"]);
        scene.write("pg.log", "four");
        assert_eq!(scene.look(), ["0: four"]);
    }
}

#[test]
fn a_file_that_was_emptied_and_grew_beyond_the_old_place_is_another() {
    let mut scene = Scene::of_a_file();
    scene.write("pg.log", "one\n");
    scene.look();
    fs::write(scene.path("pg.log"), "two, and more than before\n").expect("emptied");
    let told = scene.look();
    let expected = [
        "0 is empty, a rest may be lost",
        "0: two, and more than before",
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_file_replaced_by_a_longer_copy_goes_on() {
    for mut scene in [Scene::of_a_file(), Scene::of_a_directory()] {
        let text = "2026-11-26 13:28:42 UTC [4711] LOG:  one";
        scene.write("pg.log", text);
        scene.look();
        let elsewhere = tempfile::tempdir().expect("a directory");
        let new = elsewhere.path().join("new");
        fs::write(&new, format!("{text}two")).expect("there is space");
        fs::rename(new, scene.path("pg.log")).expect("it is there");
        assert_eq!(scene.look(), ["0: two"]);
        scene.write("pg.log", "three");
        assert_eq!(scene.look(), ["0: three"]);
    }
}

#[test]
fn new_files_of_a_directory_begin_in_the_order_in_which_they_were_written() {
    let mut scene = Scene::of_a_directory();
    scene.write("postgresql-Sun.log", "one\n");
    scene.look();
    scene.write("postgresql-Sun.log", "two\n");
    scene.write("postgresql-Mon.log", "three\n");
    let told = scene.look();
    let begins = "1 begins: postgresql-Mon.log";
    assert_eq!(told, ["0: two", begins, "1: three"]);
}

#[test]
fn archives_and_copies_of_what_was_read_are_left_out() {
    let mut scene = Scene::of_a_directory();
    let text = "2026-11-26 13:28:42 UTC [4711] LOG:  one";
    scene.write("pg.log", text);
    scene.look();
    fs::write(scene.path("pg.log.2.gz"), b"\x1f\x8b\x08 and more").expect("written");
    scene.write("pg.log.bak", text);
    assert!(scene.look().is_empty());
    scene.write("pg.log", "two");
    assert_eq!(scene.look(), ["0: two"]);
}

#[test]
fn a_compressed_file_is_refused() {
    let mut scene = Scene::of_a_file();
    fs::write(scene.path("pg.log"), b"\x1f\x8b\x08 and more").expect("written");
    let refused = "pg.log: is gzip, which cannot be followed as it grows";
    assert_eq!(scene.look(), [refused]);
    scene.write("pg.log", "more");
    assert!(scene.look().is_empty());
    fs::remove_file(scene.path("pg.log")).expect("removed");
    scene.write("pg.log", "one\n");
    let told = scene.look();
    // It may have got the same inode.
    assert!(told.len() == 3 && told[1].ends_with(": one"), "{told:?}");
}

#[test]
fn a_directory_that_vanishes_and_comes_back_is_said_and_goes_on() {
    let mut scene = Scene::of(|dir| Target::Directory {
        path: dir.join("log"),
        wants: Box::new(|_| true),
    });
    assert_eq!(scene.look(), ["log: not there; waiting for it"]);
    fs::create_dir(scene.path("log")).expect("made");
    scene.write("log/pg.log", "one\n");
    let told = scene.look();
    assert_eq!(told, ["log: recovered", "0 begins: pg.log", "0: one"]);
    scene.rename("log", "away");
    scene.write("away/pg.log", "two\n");
    let told = scene.look();
    assert_eq!(told, ["log: not there; waiting for it", "0: two"]);
    scene.rename("away", "log");
    scene.write("log/pg.log", "three\n");
    assert_eq!(scene.look(), ["log: recovered", "0: three"]);
}

#[cfg(unix)]
#[test]
fn a_directory_that_lets_nobody_in_is_said_once_and_not_of_each_file() {
    let mut scene = Scene::of(|dir| Target::Directory {
        path: dir.join("log"),
        wants: Box::new(|_| true),
    });
    fs::create_dir(scene.path("log")).expect("made");
    scene.write("log/a.log", "one\n");
    scene.write("log/b.log", "one\n");
    scene.look();
    // What is open stays open; nobody gets in by the name any more, not even who may do all.
    scene.rename("log", "away");
    std::os::unix::fs::symlink(scene.path("log"), scene.path("log")).expect("linked");
    scene.write("away/b.log", "two\n");
    let told = scene.look();
    assert!(
        told.len() == 2 && told[0].starts_with("log: ") && told[1] == "1: two",
        "{told:?}"
    );
    fs::remove_file(scene.path("log")).expect("removed");
    scene.rename("away", "log");
    scene.write("log/a.log", "two\n");
    assert_eq!(scene.look(), ["log: recovered", "0: two"]);
}

#[cfg(unix)]
#[test]
fn pipes_are_not_opened_and_what_the_system_refuses_is_said() {
    let mut scene = Scene::of_a_file();
    let made = std::process::Command::new("mkfifo")
        .arg(scene.path("pg.log"))
        .status();
    assert!(made.expect("mkfifo is there").success());
    let told = scene.look();
    assert_eq!(told, ["pg.log: no regular file; waiting for one"]);
    fs::remove_file(scene.path("pg.log")).expect("removed");
    std::os::unix::fs::symlink(scene.path("pg.log"), scene.path("pg.log")).expect("linked");
    let told = scene.look();
    assert!(
        told.len() == 1 && told[0].contains("symbolic links"),
        "{told:?}"
    );
    fs::remove_file(scene.path("pg.log")).expect("removed");
    scene.write("pg.log", "one\n");
    let told = scene.look();
    assert_eq!(told, ["0 begins: pg.log", "0: one", "pg.log: recovered"]);
}

#[cfg(unix)]
#[test]
fn a_link_is_followed_to_where_it_leads_now() {
    let mut scene = Scene::of_a_file();
    let lead_to = |scene: &Scene, to: &str| {
        std::os::unix::fs::symlink(to, scene.path("link")).expect("linked");
        scene.rename("link", "pg.log");
    };
    scene.write("a", "one\n");
    scene.write("b", "two\n");
    lead_to(&scene, "a");
    assert_eq!(scene.look(), ["0 begins: pg.log", "0: one"]);
    lead_to(&scene, "b");
    scene.write("a", "three\n");
    let told = scene.look();
    assert_eq!(told, ["0: three", "1 begins: pg.log", "1: two"]);
    lead_to(&scene, "a");
    scene.write("a", "four\n");
    assert_eq!(scene.look(), ["0: four"]);
}

#[test]
fn what_somebody_else_has_read_is_not_told() {
    let mut scene = Scene::of_a_file();
    scene.write("pg.log", "one\ntwo\n");
    let file = File::open(scene.path("pg.log")).expect("it is there");
    let path = scene.path("pg.log");
    let id = scene.follow.known(TargetId(0), &path, file, 4);
    assert_eq!(id.expect("a file"), FileId(0));
    scene.told.files.insert(0, vec![Vec::new()]);
    assert_eq!(scene.look(), ["0: two"]);
}

#[test]
fn of_a_thousand_files_few_are_open_and_all_are_read() {
    let mut scene = Scene::of_a_directory();
    scene.follow.open_max = 10;
    for round in 0..3 {
        for k in 0..1000 {
            scene.write(&format!("{k:04}"), &format!("round {round} of {k}\n"));
        }
        let told = scene.look();
        let bytes = told.iter().filter(|told| told.contains(": round"));
        assert_eq!(bytes.count(), 1000);
        let files = scene.follow.files.values();
        let open = files.filter(|f| f.file.is_some()).count();
        assert!(open <= 10, "{open} in round {round}");
    }
}

/// What was there before is none of it: a data directory has many.
#[test]
fn a_directory_that_is_made_is_told_and_one_that_was_there_is_not() {
    let mut scene = Scene::of(|dir| {
        fs::create_dir(dir.join("base")).expect("made");
        Target::Directory {
            path: dir.to_owned(),
            wants: Box::new(|_| true),
        }
    });
    assert!(scene.look().is_empty());
    fs::create_dir(scene.path("2026-11-23")).expect("made");
    assert_eq!(scene.look(), ["2026-11-23 is made"]);
    assert!(scene.look().is_empty());
    let path = scene.path("2026-11-23");
    fs::write(path.join("a"), "one\n").expect("written");
    scene.follow.add(Target::Directory {
        path: path.clone(),
        wants: Box::new(|_| true),
    });
    assert_eq!(scene.look(), ["0 begins: a", "0: one"]);
    fs::create_dir(path.join("more")).expect("made");
    assert_eq!(scene.look(), ["more is made"]);
    // Nobody waits for one of last week.
    fs::remove_dir_all(&path).expect("removed");
    assert!(scene.look().is_empty());
}

/// The one test that waits: for the system to tell.
#[test]
fn the_system_wakes_who_looks() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let log = dir.path().join("log");
    let mut follow = Follow::new(
        vec![
            Target::File(dir.path().join("pg.log")),
            Target::Directory {
                path: log.clone(),
                wants: Box::new(|_| true),
            },
        ],
        None,
    );
    let (wake, woken) = mpsc::channel();
    let waker = Waker::start(&follow, Duration::ZERO, move || {
        wake.send(()).ok();
    });
    let mut told = Told::default();
    let mut until = |follow: &mut Follow, text: &str| {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !told.events.iter().any(|event| event == text) {
            let left = deadline.saturating_duration_since(Instant::now());
            let came = woken.recv_timeout(left);
            assert!(came.is_ok(), "{text:?} did not come: {:?}", told.events);
            look(follow, &mut told);
        }
    };
    until(&mut follow, "log: not there; waiting for it");
    fs::create_dir(&log).expect("made");
    until(&mut follow, "log: recovered");
    fs::write(log.join("a"), "one\n").expect("written");
    until(&mut follow, "0: one");
    fs::write(dir.path().join("pg.log"), "two\n").expect("written");
    until(&mut follow, "1: two");
    fs::rename(dir.path().join("pg.log"), dir.path().join("old")).expect("renamed");
    fs::write(dir.path().join("pg.log"), "three\n").expect("written");
    until(&mut follow, "2: three");
    fs::rename(&log, dir.path().join("gone")).expect("renamed");
    fs::create_dir(&log).expect("made");
    fs::write(log.join("a"), "four\n").expect("written");
    until(&mut follow, "3: four");
    drop(waker);
    let targets: Vec<_> = told.targets.values().map(|target| target.0).collect();
    assert_eq!(targets, [1, 0, 0, 1]);
    assert!(woken.iter().count() < 100, "woken for nothing");
}
