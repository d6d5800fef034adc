//! What holds for the repository as a whole.

use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn this_version_is_in_the_changelog() {
    let changelog = read(&root().join("CHANGELOG.md"));
    let heading = format!("\n## {} ", env!("CARGO_PKG_VERSION"));
    assert!(
        changelog.contains(&heading),
        "CHANGELOG.md has no heading {heading:?}"
    );
}

#[test]
fn only_main_and_the_views_print() {
    let prints = ["println!", "eprintln!", "print!(", "eprint!(", "dbg!"];
    let mut found = Vec::new();
    for path in sources("crates") {
        let may_print = path.ends_with("main.rs")
            || path.file_stem().is_some_and(|stem| stem == "view")
            || path
                .components()
                .any(|part| ["view", "tests"].iter().any(|dir| part.as_os_str() == *dir));
        let lines = code(&path);
        let wrong = lines
            .into_iter()
            .filter(|(_, line)| !may_print && prints.iter().any(|print| line.contains(print)));
        found.extend(wrong.map(|(n, line)| format!("{}:{n}: {line}", path.display())));
    }
    assert!(
        found.is_empty(),
        "output from elsewhere:\n{}",
        found.join("\n")
    );
}

#[test]
fn what_postgresql_writes_needs_one_library() {
    let manifest = read(&root().join("crates/pgcensus-log/Cargo.toml"));
    let section = manifest
        .split("\n[dependencies]\n")
        .nth(1)
        .expect("dependencies");
    let section = section.split("\n[").next().unwrap_or_default();
    let names: Vec<_> = section
        .lines()
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .collect();
    let names: Vec<_> = names.into_iter().filter(|name| !name.is_empty()).collect();
    assert_eq!(names, ["memchr"]);
}

#[test]
fn log_and_core_know_no_world() {
    let world = [
        "std::fs",
        "std::net::Tcp",
        "std::net::Udp",
        "std::thread",
        "std::env",
        "SystemTime",
        "Instant::now",
    ];
    let mut found = Vec::new();
    for path in sources("crates/pgcensus-log/src")
        .into_iter()
        .chain(sources("crates/pgcensus-core/src"))
        // A test may have a clock, to say how long something took, and logs of `testdata`.
        .filter(|path| {
            !["tests.rs", "recorded.rs"]
                .iter()
                .any(|name| path.ends_with(name))
        })
    {
        let lines = code(&path);
        let wrong = lines
            .into_iter()
            .filter(|(_, line)| world.iter().any(|name| line.contains(name)));
        found.extend(wrong.map(|(n, line)| format!("{}:{n}: {line}", path.display())));
    }
    assert!(
        found.is_empty(),
        "files, clocks, threads or the environment:\n{}",
        found.join("\n")
    );
}

/// What Unix alone has is asked for in few places, and where it is, other systems have something else there. Tests are not among
/// them: many drive servers, signals and terminals.
#[test]
fn what_unix_alone_has_is_in_few_places() {
    let unix = [
        "std::os::unix",
        "std::os::fd",
        "rustix::",
        "low_level::pipe",
    ];
    let known = [
        "command/top.rs",
        "command/textfile.rs",
        "command/top/screen.rs",
        "command/watch/unread.rs",
        "discover/access.rs",
        "discover/postmaster.rs",
        "follow/stat.rs",
        "interrupt.rs",
        "live/room.rs",
        "source.rs",
        "source/growing.rs",
        "source/input.rs",
        "source/section.rs",
    ];
    let mut found = Vec::new();
    let files = sources("crates").into_iter();
    for path in files.filter(|path| !path.ends_with("tests.rs") && !is_test(path)) {
        let lines = code(&path);
        let mut text = lines.iter().map(|(_, line)| line);
        if !text.any(|line| unix.iter().any(|name| line.contains(name))) {
            continue;
        }
        let is_known = known.iter().any(|name| {
            let path = path.strip_prefix(root().join("crates/pgcensus/src"));
            path.is_ok_and(|path| path == Path::new(name))
        });
        let elsewhere = ["#[cfg(not(unix))]", "#[cfg(windows)]"];
        let mut text = lines.iter().map(|(_, line)| line);
        if !is_known || !text.any(|line| elsewhere.contains(&&**line)) {
            found.push(path.display().to_string());
        }
    }
    assert!(
        found.is_empty(),
        "Unix alone, and nothing for others:\n{}",
        found.join("\n")
    );
}

/// Files and functions (words with three underscores or more) that ARCHITECTURE.md and DESIGN.md name.
#[test]
fn the_map_names_what_is_there() {
    let files: Vec<_> = ["crates", "xtask"].into_iter().flat_map(sources).collect();
    let code: String = files.iter().map(|path| read(path)).collect();
    let is_there = |name: &str| {
        if Path::new(name).extension().is_some_and(|rs| rs == "rs") {
            files.iter().any(|path| path.ends_with(name))
        } else {
            name.matches('_').count() < 3 || code.contains(&format!("fn {name}("))
        }
    };
    for page in ["ARCHITECTURE.md", "DESIGN.md"] {
        let text = read(&root().join(page));
        let names = text.split('`').skip(1).step_by(2);
        let wrong: Vec<_> = names
            .filter(|name| !name.contains(' ') && !is_there(name))
            .collect();
        assert!(
            wrong.is_empty(),
            "{page} names what is not there: {wrong:?}"
        );
    }
}

/// Nothing to fail: a look at what grows.
#[test]
fn the_longest_files() {
    let mut sizes: Vec<_> = sources("crates")
        .into_iter()
        .map(|path| (read(&path).lines().count(), path))
        .collect();
    sizes.sort_by(|a, b| b.cmp(a));
    for (lines, path) in sizes.iter().take(10) {
        println!(
            "{lines:5} {}",
            path.strip_prefix(root()).unwrap_or(path).display()
        );
    }
}

fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().expect("the crate is in the repository")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|err| panic!("{}: {err}", path.display()))
}

/// The Rust files under a folder of the repository.
fn sources(folder: &str) -> Vec<PathBuf> {
    let files = walkdir::WalkDir::new(root().join(folder))
        .sort_by_file_name()
        .into_iter();
    let paths = files.map(|entry| entry.expect("readable").into_path());
    paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

fn is_test(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "tests")
}

/// The numbered lines of a file that are no comments.
fn code(path: &Path) -> Vec<(usize, String)> {
    let text = read(path);
    let lines = text
        .lines()
        .enumerate()
        .map(|(i, line)| (i + 1, line.trim().to_owned()));
    lines.filter(|(_, line)| !line.starts_with("//")).collect()
}
