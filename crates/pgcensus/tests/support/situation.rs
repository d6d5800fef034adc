//! A situation of `testdata/situations`: the log of a server that was driven into it, and what was done.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::program::Epoch;

/// One of them.
pub(crate) struct Situation {
    pub(crate) name: String,
    /// Its log, compressed.
    pub(crate) log: PathBuf,
    pub(crate) truth: Truth,
}

/// `situation.json`: what the driver did, which no log was asked for.
#[derive(Deserialize)]
pub(crate) struct Truth {
    log: String,
    /// What was done, in words.
    pub(crate) about: String,
    /// From the first thing that was done to the last.
    pub(crate) since: Epoch,
    pub(crate) until: Epoch,
    /// Every finding of level warning or critical that fits, and those of level info that must be there.
    pub(crate) findings: Vec<Finding>,
    /// Sessions that the server opened, and those of them that were open in the end.
    pub(crate) sessions: usize,
    pub(crate) open: usize,
    pub(crate) peak: Peak,
    /// Why sessions ended: `client`, `reset`, `server`.
    pub(crate) ends: BTreeMap<String, usize>,
    /// Attempts by the SQLSTATE that the client was told.
    pub(crate) refused: BTreeMap<String, usize>,
    /// Clients that left at the password.
    pub(crate) probes: usize,
    pub(crate) application_name: BTreeMap<String, Counts>,
    pub(crate) user: BTreeMap<String, Counts>,
    pub(crate) database: BTreeMap<String, Counts>,
    pub(crate) client_host: BTreeMap<String, Counts>,
}

/// What has to be found.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Finding {
    pub(crate) kind: String,
    pub(crate) severity: String,
    pub(crate) since: Epoch,
    pub(crate) until: Epoch,
    /// Names by dimension: those that must be told, as far as the finding tells that dimension.
    pub(crate) who: BTreeMap<String, String>,
    pub(crate) figures: Map<String, Value>,
}

/// The most sessions at once.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Peak {
    pub(crate) count: usize,
    /// Since when, cut to the second.
    pub(crate) at: Epoch,
}

/// Of one name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Counts {
    pub(crate) sessions: usize,
    pub(crate) open: usize,
    pub(crate) refused: usize,
}

impl Situation {
    /// All of them, by name.
    pub(crate) fn all() -> Vec<Situation> {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/situations");
        let dirs = std::fs::read_dir(dir).expect("situations");
        let dirs = dirs.map(|dir| dir.expect("readable").path());
        let dirs = dirs.filter(|path| path.is_dir());
        let mut all: Vec<Situation> = dirs.map(|dir| Situation::read(&dir)).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    fn read(dir: &Path) -> Situation {
        let name = dir.file_name().expect("a name").to_string_lossy();
        let text = std::fs::read_to_string(dir.join("situation.json")).expect("what was done");
        let truth: Truth =
            serde_json::from_str(&text).unwrap_or_else(|err| panic!("{name}: {err}"));
        Situation {
            name: name.into_owned(),
            log: dir.join(&truth.log),
            truth,
        }
    }
}
