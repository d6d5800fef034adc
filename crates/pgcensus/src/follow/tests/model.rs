//! Files to which anything happens, and what must be told of it: each byte of each once, in its order.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;

use super::{Told, look};
use crate::follow::opened::AWAY_LOOKS;
use crate::follow::{Follow, Target};

/// Names of files; `_out` is one that a directory's target does not want.
const NAMES: [&str; 4] = ["pg.log", "pg.log.1", "pg.csv", "_out"];
/// What is known of a file when its copy can be told.
const TELLING: usize = 32;

/// What was written to a file from its begin, or since it was made empty.
struct Part {
    bytes: Vec<u8>,
    /// As long as it was when everything was read last.
    read: usize,
}

/// A file as the model knows it.
struct Inode {
    writer: File,
    parts: Vec<Part>,
    /// Of a line that has been begun.
    pending: Vec<u8>,
    /// It had a wanted name when somebody looked.
    is_seen: bool,
    /// Looks since it has no wanted name.
    away: u32,
}

impl Inode {
    fn part(&mut self) -> &mut Part {
        self.parts.last_mut().expect("there is always one")
    }
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "each is true or not whatever the others are"
)]
pub(super) struct History {
    seed: u64,
    random: u64,
    /// Above the directory, which may vanish.
    top: tempfile::TempDir,
    is_gone: bool,
    /// One file is followed, not the directory.
    is_file: bool,
    /// Files are closed all the time.
    is_narrow: bool,
    /// Only what has changed is looked at, as the system would tell.
    is_woken: bool,
    /// A file was, since the last look.
    is_emptied: bool,
    follow: Follow,
    told: Told,
    inodes: Vec<Inode>,
    names: BTreeMap<String, usize>,
    lines: usize,
    copies: usize,
    done: Vec<String>,
}

impl History {
    pub(super) fn new(seed: u64) -> History {
        // In memory where there is such a directory: ten times as fast.
        let top = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        let top = top.expect("a temporary directory");
        let dir = top.path().join("log");
        fs::create_dir(&dir).expect("made");
        let is_file = seed.is_multiple_of(2);
        let target = if is_file {
            Target::File(dir.join("pg.log"))
        } else {
            Target::Directory {
                path: dir,
                wants: Box::new(|name| !name.as_encoded_bytes().starts_with(b"_")),
            }
        };
        let mut follow = Follow::new(vec![target], None);
        let is_narrow = matches!(seed % 8, 1 | 3);
        let is_woken = matches!(seed % 4, 2 | 3);
        if is_woken {
            follow.touched.has_waker();
            follow.touched.add(None);
        }
        if is_narrow {
            follow.open_max = 1;
        }
        History {
            seed,
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            top,
            is_gone: false,
            is_file,
            is_narrow,
            is_woken,
            is_emptied: false,
            follow,
            told: Told::default(),
            inodes: Vec::new(),
            names: BTreeMap::new(),
            lines: 0,
            copies: 0,
            done: Vec::new(),
        }
    }

    pub(super) fn run(mut self) {
        let steps = 10 + self.below(60);
        for _ in 0..steps {
            self.step();
        }
        if self.is_gone {
            self.move_directory();
        }
        self.look();
        self.check();
    }

    fn step(&mut self) {
        let name = NAMES[self.below(NAMES.len())].to_owned();
        if self.is_gone {
            return match self.below(6) {
                0 => self.move_directory(),
                1 | 2 => self.look(),
                _ => self.write_anywhere(),
            };
        }
        match self.below(25) {
            // In intervals.
            24 => {
                self.follow.touched.add(None);
            }
            0..=5 => self.write_anywhere(),
            6..=8 => self.write_to(&name),
            9..=13 => self.look(),
            14 | 15 => self.rotate(),
            16 => {
                let to = NAMES[self.below(NAMES.len())].to_owned();
                self.rename(&name, &to);
            }
            17 => self.remove(&name),
            18 | 19 => self.empty(&name, true),
            20 => self.empty(&name, false),
            21 => self.copy(&name),
            22 => self.replace_by_copy(&name),
            _ => self.move_directory(),
        }
    }

    /// Renames as logrotate does, and creates the next one.
    fn rotate(&mut self) {
        self.rename("pg.log", "pg.log.1");
        self.write_to("pg.log");
    }

    fn write_to(&mut self, name: &str) {
        let inode = match self.names.get(name) {
            Some(&inode) => inode,
            None => self.create(name),
        };
        self.write(inode);
    }

    fn create(&mut self, name: &str) -> usize {
        self.touch(name);
        let path = self.path(name);
        let options = OpenOptions::new().append(true).create_new(true).open(path);
        self.inodes.push(Inode {
            writer: options.expect("nothing is there"),
            parts: vec![Part {
                bytes: Vec::new(),
                read: 0,
            }],
            pending: Vec::new(),
            is_seen: false,
            away: 0,
        });
        let inode = self.inodes.len() - 1;
        self.names.insert(name.to_owned(), inode);
        self.done.push(format!("create {name} = {inode}"));
        inode
    }

    /// To a file that has a name or had one a short time ago, as its server would.
    fn write_anywhere(&mut self) {
        let found: Vec<_> = (0..self.inodes.len())
            .filter(|k| self.is_read(*k))
            .collect();
        if !found.is_empty() {
            let at = self.below(found.len());
            self.write(found[at]);
        }
    }

    /// Whether what is written to it now is read, or was never read before.
    fn is_read(&self, inode: usize) -> bool {
        let mut named = self.names.iter().filter(|(_, named)| **named == inode);
        let is_wanted = named.any(|(name, _)| self.is_wanted(name));
        let Inode { is_seen, away, .. } = self.inodes[inode];
        is_wanted || !is_seen || (!self.is_narrow && away < AWAY_LOOKS / 2)
    }

    fn write(&mut self, inode: usize) {
        if !self.is_read(inode) {
            return;
        }
        let lines = if self.below(10) == 0 {
            100
        } else {
            self.below(4)
        };
        let mut text = std::mem::take(&mut self.inodes[inode].pending);
        for _ in 0..=lines {
            self.lines += 1;
            let length = self.below(60);
            let head = "2026-11-26 13:28:42 UTC";
            let line = format!("{head} [{:06}] LOG:  {}\n", self.lines, "x".repeat(length));
            text.extend_from_slice(line.as_bytes());
        }
        // The last line may be torn.
        let torn = if self.below(2) == 0 {
            self.below(50)
        } else {
            0
        };
        let rest = text.split_off(text.len() - torn.min(text.len()));
        let written = &mut self.inodes[inode];
        written.pending = rest;
        written.writer.write_all(&text).expect("there is space");
        written.part().bytes.extend_from_slice(&text);
        self.done.push(format!("write {} to {inode}", text.len()));
        let names = self.names.iter().filter(|(_, named)| **named == inode);
        names.for_each(|(name, _)| self.touch(name));
    }

    fn rename(&mut self, from: &str, to: &str) {
        let Some(&inode) = self.names.get(from).filter(|_| from != to) else {
            return;
        };
        self.look_before_it_goes(from);
        self.look_before_it_goes(to);
        fs::rename(self.path(from), self.path(to)).expect("it is there");
        self.names.remove(from);
        self.names.insert(to.to_owned(), inode);
        self.done.push(format!("rename {from} to {to}"));
        self.touch(from);
        self.touch(to);
    }

    fn remove(&mut self, name: &str) {
        self.look_before_it_goes(name);
        if self.names.remove(name).is_some() {
            fs::remove_file(self.path(name)).expect("it is there");
            self.done.push(format!("remove {name}"));
            self.touch(name);
        }
    }

    /// Of a file that is closed, or had ended and has come back unseen, nothing can be read once it has no name.
    fn look_before_it_goes(&mut self, name: &str) {
        if let Some(&inode) = self.names.get(name) {
            let Inode { is_seen, away, .. } = self.inodes[inode];
            if self.is_narrow || is_seen && away >= AWAY_LOOKS / 2 {
                self.look();
            }
        }
    }

    /// With a copy of what was there, as copytruncate does, or without, when all was read.
    fn empty(&mut self, name: &str, with_copy: bool) {
        let Some(&inode) = self.names.get(name) else {
            return;
        };
        let is_telling = self.inodes[inode].part().read >= TELLING;
        // One that had ended and is back is not followed before somebody has looked.
        let Inode { is_seen, away, .. } = self.inodes[inode];
        let is_followed = self.is_wanted(name) && is_seen && away < AWAY_LOOKS / 2;
        if !(with_copy && is_telling && is_followed) {
            self.look();
        }
        if self.inodes[inode].is_seen && !self.is_wanted(name) {
            return;
        }
        if with_copy && self.inodes[inode].part().read >= TELLING {
            self.copy_to(name, "copytruncate");
        }
        let is_short = self.inodes[inode].part().read < TELLING;
        let written = &mut self.inodes[inode];
        written.writer.set_len(0).expect("it can be emptied");
        written.parts.push(Part {
            bytes: Vec::new(),
            read: 0,
        });
        if !written.is_seen {
            // Nobody has seen what it was.
            let last = written.parts.pop();
            written.parts = last.into_iter().collect();
        }
        self.is_emptied = true;
        self.done.push(format!("empty {name}"));
        self.touch(name);
        if is_short {
            // All lines begin alike: what comes could look the same up to there.
            self.look();
        }
        self.write_some(inode);
    }

    /// What comes after may be longer than what was there.
    fn write_some(&mut self, inode: usize) {
        if self.below(2) == 0 {
            self.write(inode);
        }
    }

    fn copy(&mut self, name: &str) {
        let Some(&inode) = self.names.get(name) else {
            return;
        };
        self.look();
        if self.is_wanted(name) && self.inodes[inode].part().read >= TELLING {
            self.copy_to(name, "copy");
        }
    }

    fn copy_to(&mut self, name: &str, why: &str) {
        self.copies += 1;
        let to = format!("{name}.{why}.{}", self.copies);
        fs::copy(self.path(name), self.path(&to)).expect("copied");
        self.touch(&to);
        self.done.push(format!("copy {name} to {to}"));
    }

    /// By one that has more, as rsync does.
    fn replace_by_copy(&mut self, name: &str) {
        let Some(&inode) = self.names.get(name) else {
            return;
        };
        self.look();
        let old = &mut self.inodes[inode];
        if old.part().read < TELLING || !self.is_wanted(name) {
            return;
        }
        fs::copy(self.path(name), self.path("_new")).expect("copied");
        fs::rename(self.path("_new"), self.path(name)).expect("it is there");
        let file = OpenOptions::new().append(true).open(self.path(name));
        self.inodes[inode].writer = file.expect("it is there");
        self.touch("_new");
        self.touch(name);
        self.done.push(format!("replace {name}"));
        self.write(inode);
        // Were it gone by then, nobody would know what it was.
        self.look();
    }

    fn move_directory(&mut self) {
        let (here, there) = (self.top.path().join("log"), self.top.path().join("away"));
        if self.is_gone {
            fs::rename(there, here).expect("it is there");
        } else {
            // The copy of what was made empty is in it.
            if self.is_narrow || self.is_emptied {
                self.look();
            }
            fs::rename(here, there).expect("it is there");
        }
        self.is_gone = !self.is_gone;
        self.done.push(format!("directory gone: {}", self.is_gone));
        self.follow.touched.add(None);
    }

    fn look(&mut self) {
        self.done.push("look".to_owned());
        self.is_emptied = false;
        look(&mut self.follow, &mut self.told);
        for inode in &mut self.inodes {
            inode.away += 1;
        }
        if self.is_gone {
            return;
        }
        let named = self.names.iter().filter(|(name, _)| self.is_wanted(name));
        for inode in named.map(|(_, inode)| *inode).collect::<Vec<_>>() {
            let inode = &mut self.inodes[inode];
            inode.is_seen = true;
            inode.away = 0;
            let part = inode.part();
            part.read = part.bytes.len();
        }
    }

    fn touch(&self, name: &str) {
        if self.is_woken {
            self.follow.touched.add(Some(vec![self.path(name)]));
        }
    }

    fn is_wanted(&self, name: &str) -> bool {
        if self.is_file {
            name == "pg.log"
        } else {
            !name.starts_with('_')
        }
    }

    fn check(&self) {
        let told = self.told.files.values().flatten();
        let mut told: Vec<_> = told.filter(|bytes| !bytes.is_empty()).collect();
        let seen = self.inodes.iter().filter(|inode| inode.is_seen);
        let parts = seen.flat_map(|inode| &inode.parts);
        let mut written: Vec<_> = parts
            .map(|part| &part.bytes)
            .filter(|bytes| !bytes.is_empty())
            .collect();
        told.sort();
        written.sort();
        assert!(
            told == written,
            "history {}: {}\n{}\ntold:\n{}\nwritten:\n{}",
            self.seed,
            if self.is_file { "file" } else { "directory" },
            self.done.join("\n"),
            texts(&told, &written),
            texts(&written, &told),
        );
    }

    fn path(&self, name: &str) -> PathBuf {
        self.top.path().join("log").join(name)
    }

    fn below(&mut self, end: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as usize % end
    }
}

impl Drop for History {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("PGCENSUS_HISTORY={}", self.seed);
        }
    }
}

/// Those that are not among the others, in short.
fn texts(parts: &[&Vec<u8>], others: &[&Vec<u8>]) -> String {
    let different = parts.iter().filter(|part| !others.contains(part));
    let texts = different.map(|part| {
        let text = String::from_utf8_lossy(part);
        let (head, tail) = (
            &text[..text.len().min(100)],
            &text[text.len() - text.len().min(100)..],
        );
        format!("{} bytes: {head:?} … {tail:?}\n", part.len())
    });
    texts.collect()
}
