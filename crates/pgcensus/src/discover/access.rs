//! Why a path cannot be read, and what to do about it.

use std::io;
use std::path::Path;

/// What is wrong with a path, in words that go on its name: `permission denied; sudo pgcensus, or join the group adm`.
pub(super) fn problem(root: &Path, path: &Path, err: &io::Error) -> String {
    match err.kind() {
        io::ErrorKind::PermissionDenied => {
            let who = match reader(root, path) {
                Some(Reader::Group(group)) => format!("sudo pgcensus, or join the group {group}"),
                Some(Reader::Owner(owner)) => format!("sudo pgcensus, or run it as {owner}"),
                None => "sudo pgcensus".to_owned(),
            };
            format!("permission denied; {who}")
        }
        io::ErrorKind::NotFound => "no such file".to_owned(),
        // The system's own words, without their number.
        _ => {
            let text = err.to_string();
            text.split(" (os error")
                .next()
                .unwrap_or_default()
                .to_lowercase()
        }
    }
}

/// Who may read what is denied.
#[derive(Debug, PartialEq, Eq)]
#[cfg_attr(not(unix), expect(dead_code, reason = "nobody is known"))]
enum Reader {
    Owner(String),
    /// A group other than root's, which is nobody's to join.
    Group(String),
}

/// Who may pass what stands in the way: the path itself, or the first directory above it that can be seen.
#[cfg(unix)]
fn reader(root: &Path, path: &Path) -> Option<Reader> {
    use std::os::unix::fs::MetadataExt as _;

    use super::postmaster::name_of;

    let (seen, metadata) = path
        .ancestors()
        .find_map(|path| Some((path, path.metadata().ok()?)))?;
    // What lies in a directory of the way needs that it may be entered, a directory at its end that it may be listed.
    let wanted = match (metadata.is_dir(), seen == path) {
        (true, true) => 0o050,
        (true, false) => 0o010,
        (false, _) => 0o040,
    };
    let group = metadata.gid();
    if metadata.mode() & wanted == wanted && group != 0 {
        return Some(Reader::Group(name_of(root, "etc/group", group)));
    }
    let owner = metadata.uid();
    (owner != 0).then(|| Reader::Owner(name_of(root, "etc/passwd", owner)))
}

#[cfg(not(unix))]
fn reader(_: &Path, _: &Path) -> Option<Reader> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use super::*;

    #[test]
    fn what_is_denied_says_who_may() {
        let root = tempfile::tempdir().unwrap();
        let metadata = root.path().metadata().unwrap();
        let (uid, gid) = (metadata.uid(), metadata.gid());
        fs::create_dir_all(root.path().join("etc")).unwrap();
        let passwd = format!("someone:x:7{uid}:1::/:\nme:x:{uid}:{gid}::/:/bin/sh\n");
        fs::write(root.path().join("etc/passwd"), passwd).unwrap();
        fs::write(root.path().join("etc/group"), format!("adm:x:{gid}:me\n")).unwrap();
        let dir = root.path().join("log");
        fs::create_dir(&dir).unwrap();
        let log = dir.join("pg.log");
        fs::write(&log, "").unwrap();
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        for (path, mode, who) in [
            (&log, 0o640, "sudo pgcensus, or join the group adm"),
            (&log, 0o600, "sudo pgcensus, or run it as me"),
            (&dir, 0o750, "sudo pgcensus, or join the group adm"),
            (&dir, 0o710, "sudo pgcensus, or run it as me"),
        ] {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
            // Root has nothing to join, and is nobody to become.
            let who = if uid == 0 { "sudo pgcensus" } else { who };
            let text = problem(root.path(), path, &denied);
            assert_eq!(text, format!("permission denied; {who}"), "{mode:o}");
        }
    }
}
