//! What is followed, and what a look at it tells.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};

/// What is followed.
pub(crate) enum Target {
    /// What is at this path, be it another file each time or none yet.
    File(PathBuf),
    /// The files of a directory. Those of directories in it are others, which are [told](Happened::Directory).
    Directory {
        /// The directory, be it there or not.
        path: PathBuf,
        /// Whether a file of this name is wanted.
        wants: Box<dyn Fn(&OsStr) -> bool + Send>,
    },
}

/// The number of a target, in the order given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TargetId(pub(crate) usize);

/// A file, whatever it is called meanwhile; the numbers ascend in the order in which files are met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FileId(pub(crate) usize);

/// What a look tells.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Happened<'a> {
    /// The first bytes of a file are about to be told.
    Begins {
        file: FileId,
        target: TargetId,
        /// Where it is now.
        path: &'a Path,
        /// Its bytes that were told before: it had ended and goes on after all, or it is the copy of a file that was made
        /// empty before it could be read to its end.
        position: u64,
    },
    /// A directory has been made in one that is followed. Who wants its files [adds](super::Follow::add) it.
    Directory { target: TargetId, path: &'a Path },
    /// Bytes that follow those told before of this file; at most [`PIECE`](super::PIECE).
    Bytes { file: FileId, bytes: &'a [u8] },
    /// The file has no name any more and nothing was written to it for a while, or it is gone.
    Ends { file: FileId },
    /// It was made empty. What comes next is its first byte.
    Truncated {
        file: FileId,
        target: TargetId,
        /// Where the copy is that it was found in, of which what was not read of it in time has been told; else that may be
        /// lost.
        copy: Option<&'a Path>,
    },
    /// Said once, until it is another trouble or over.
    Trouble { path: &'a Path, what: &'a Trouble },
    /// What was said of this path is over.
    Recovered { path: &'a Path },
}

/// Why something is not followed for now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Nothing is there.
    Missing,
    /// The system says no.
    Io(String),
    /// A pipe, a device, or a directory where a file should be.
    NoFile,
    /// It is compressed, by this program: what has been written last cannot be read.
    Compressed(&'static str),
    /// The directory has more files than are followed: this many.
    TooMany(usize),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Missing => f.write_str("not there; waiting for it"),
            Trouble::Io(text) => f.write_str(text),
            Trouble::NoFile => f.write_str("no regular file; waiting for one"),
            Trouble::Compressed(name) => {
                write!(f, "is {name}, which cannot be followed as it grows")
            }
            Trouble::TooMany(max) => {
                write!(f, "more than {max} files; those beyond are left out")
            }
        }
    }
}
