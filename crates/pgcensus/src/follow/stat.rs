//! Which file that is and how long: what the system says of a path or of an open file.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// A file, whatever it is called. While it is open, no other one gets the same; later one may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    /// Zero where the system has one number for both.
    device: u64,
    pub(super) inode: u64,
}

/// What the system says of a regular file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stat {
    pub(super) identity: Identity,
    /// Bytes.
    pub(super) len: u64,
    /// Its times of change: the same ones, and nothing was written in between.
    pub(super) changed: Changed,
}

/// Systems count in steps of some milliseconds, file systems of up to two seconds: what happens within one is not seen.
const COARSE_S: i64 = 2;

impl Stat {
    /// Its times of change, if a later change has others.
    pub(super) fn settled(&self) -> Option<Changed> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        let last = self.changed[0].max(self.changed[2]);
        (now.as_secs() as i64 - last > COARSE_S).then_some(self.changed)
    }
}

/// Seconds since 1970 and further steps of the last change of bytes and of what is noted of the file.
pub(super) type Changed = [i64; 4];

/// What lies at a path, links followed.
pub(super) enum Kind {
    File(Stat),
    /// A directory, and when it was made, where that is known.
    Directory(Option<SystemTime>),
    /// A pipe, a device: not to be opened.
    Other,
}

/// Looks at a path without opening what is no file: a pipe that nobody writes would wait for ever.
pub(super) fn at(path: &Path) -> io::Result<Kind> {
    let metadata = std::fs::metadata(path)?;
    if metadata.is_dir() {
        return Ok(Kind::Directory(metadata.created().ok()));
    }
    if !metadata.is_file() {
        return Ok(Kind::Other);
    }
    let identity = system::identity_at(path, &metadata)?;
    Ok(Kind::File(stat(identity, &metadata)))
}

/// Looks at an open file; `None`: it is not a regular one.
pub(super) fn of(file: &File) -> io::Result<Option<Stat>> {
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Ok(None);
    }
    let identity = system::identity_of(file, &metadata)?;
    Ok(Some(stat(identity, &metadata)))
}

/// Which directory is at a path.
pub(super) fn of_directory(path: &Path) -> io::Result<Identity> {
    system::identity_at(path, &std::fs::metadata(path)?)
}

/// Opens a file to read it. It may have become a pipe since it was looked at: never waits.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    system::without_waiting(&mut options);
    options.open(path)
}

fn stat(identity: Identity, metadata: &Metadata) -> Stat {
    Stat {
        identity,
        len: metadata.len(),
        changed: system::changed(metadata),
    }
}

#[cfg(unix)]
mod system {
    use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};

    use rustix::fs::OFlags;

    use super::{Changed, File, Identity, Metadata, OpenOptions, Path, io};

    #[expect(
        clippy::unnecessary_wraps,
        reason = "elsewhere the file is opened for it"
    )]
    pub(super) fn identity_at(_: &Path, metadata: &Metadata) -> io::Result<Identity> {
        Ok(Identity {
            device: metadata.dev(),
            inode: metadata.ino(),
        })
    }

    pub(super) fn identity_of(_: &File, metadata: &Metadata) -> io::Result<Identity> {
        identity_at(Path::new(""), metadata)
    }

    pub(super) fn changed(metadata: &Metadata) -> Changed {
        [
            metadata.mtime(),
            metadata.mtime_nsec(),
            metadata.ctime(),
            metadata.ctime_nsec(),
        ]
    }

    pub(super) fn without_waiting(options: &mut OpenOptions) {
        options.custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32);
    }
}

#[cfg(windows)]
mod system {
    use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
    use std::os::windows::fs::MetadataExt as _;

    use same_file::Handle;

    use super::{Changed, File, Identity, Metadata, OpenOptions, Path, io};

    pub(super) fn identity_at(path: &Path, _: &Metadata) -> io::Result<Identity> {
        Ok(identity(&Handle::from_path(path)?))
    }

    pub(super) fn identity_of(file: &File, _: &Metadata) -> io::Result<Identity> {
        Ok(identity(&Handle::from_file(file.try_clone()?)?))
    }

    /// Volume and index of a file are what its handle hashes.
    fn identity(handle: &Handle) -> Identity {
        Identity {
            device: 0,
            inode: BuildHasherDefault::<DefaultHasher>::default().hash_one(handle),
        }
    }

    pub(super) fn changed(metadata: &Metadata) -> Changed {
        /// From 1601 to 1970.
        const EPOCH: i64 = 11_644_473_600;
        let steps = metadata.last_write_time() as i64;
        [steps / 10_000_000 - EPOCH, steps % 10_000_000, 0, 0]
    }

    pub(super) fn without_waiting(_: &mut OpenOptions) {}
}
