//! `--anonymize`: a page that can be shown to strangers. Names are replaced by numbered ones, the same one everywhere, before anything
//! is worded; what is text of the log (its records, DETAIL, lines of `pg_hba.conf`, its prefix) is left out, since anything may
//! stand in it.
//!
//! ```text
//! {"user": "alice", "client_host": "10.0.0.7"}   →   {"user": "user-1", "client_host": "host-3"}
//! ```

use std::collections::{HashMap, HashSet};

use pgcensus_core::findings::Finding;
use pgcensus_core::names::{Dimension, Names};
use serde_json::Value;

use crate::view::findings::Given;

/// What stands for no name of somebody.
const KEPT: [&str; 4] = ["unknown", "(other)", "[local]", "stdin"];

/// What stands for a name that is none of the log's own: a family of names, a pattern, a place in a file.
const SOME: &str = "…";

/// Keys whose values are names.
const NAMES: [&str; 6] = [
    "database",
    "user",
    "application_name",
    "application_name_last",
    "client_host",
    "server",
];

/// Keys whose values are text of the log, or name somebody in another way.
const LEFT_OUT: [&str; 9] = [
    "lines", "records", "detail", "text", "identity", "hba", "notes", "left_out", "prefix",
];

/// What each name is called instead, whatever it is the name of.
#[derive(Default)]
pub(super) struct Pseudonyms {
    of: HashMap<String, String>,
    /// All of them.
    given: HashSet<String>,
}

impl Pseudonyms {
    /// Of all names of a log.
    pub(super) fn of(names: &Names) -> Pseudonyms {
        let mut pseudonyms = HashMap::new();
        for dimension in Dimension::ALL {
            let word = match dimension {
                Dimension::Database => "database",
                Dimension::User => "user",
                Dimension::ApplicationName => "application",
                Dimension::ClientHost => "host",
                Dimension::Server => "server",
            };
            let mut given = 0;
            for name in names.all(dimension) {
                let name = String::from_utf8_lossy(name);
                if !KEPT.contains(&&*name) && !pseudonyms.contains_key(&*name) {
                    given += 1;
                    pseudonyms.insert(name.into_owned(), format!("{word}-{given}"));
                }
            }
        }
        Pseudonyms {
            given: pseudonyms.values().cloned().collect(),
            of: pseudonyms,
        }
    }

    /// What a name is called.
    pub(super) fn name(&self, name: &str) -> String {
        match self.of.get(name) {
            Some(pseudonym) => pseudonym.clone(),
            None if KEPT.contains(&name) => name.to_owned(),
            None => SOME.to_owned(),
        }
    }

    /// A finding, before it is worded.
    pub(super) fn finding(&self, finding: &Finding) -> Finding {
        finding.renamed(&|name| {
            let name = self.name(&String::from_utf8_lossy(name));
            name.into_bytes().into()
        })
    }

    /// What of the command line stands in commands that are offered: of whose log they are is not said.
    pub(super) fn given(&self, given: &Given) -> Given {
        let filter = given.filter.iter();
        Given {
            input: vec!["LOG".to_owned()],
            filter: filter
                .map(|(flag, value)| (*flag, self.name(value)))
                .collect(),
            ..given.clone()
        }
    }

    /// Replaces names in what stands under a key, or in a list under it.
    pub(super) fn replace(&self, value: &mut Value, key: &str) {
        match value {
            // Those of findings have been replaced.
            Value::String(text)
                if (NAMES.contains(&key) || key.ends_with("client_host"))
                    && !self.given.contains(text) =>
            {
                *text = self.name(text);
            }
            Value::String(text) if key == "path" => "LOG".clone_into(text),
            Value::Array(list) => list.iter_mut().for_each(|value| self.replace(value, key)),
            Value::Object(object) => {
                for (own, value) in object {
                    if LEFT_OUT.contains(&own.as_str()) {
                        *value = match value {
                            Value::Array(_) => Value::Array(Vec::new()),
                            _ => Value::Null,
                        };
                        continue;
                    }
                    // `name` is of the dimension under which its list stands.
                    self.replace(value, if own == "name" { key } else { own });
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_everywhere_and_of_others_nothing_is_said() {
        let mut names = Names::of_servers(["acme"]);
        for (dimension, name) in [
            (Dimension::User, "o'brien"),
            (Dimension::ApplicationName, "o'brien"),
            (Dimension::User, "host"),
            (Dimension::ClientHost, "10.0.0.7"),
        ] {
            names.name(dimension, name.as_bytes());
        }
        let pseudonyms = Pseudonyms::of(&names);
        assert_eq!(pseudonyms.name("o'brien"), "user-1");
        assert_eq!(pseudonyms.name("host"), "user-2");
        assert_eq!(pseudonyms.name("10.0.0.7"), "host-1");
        assert_eq!(pseudonyms.name("[local]"), "[local]");
        assert_eq!(pseudonyms.name("10.7.0.0/16"), "…");
        let mut told = serde_json::json!({
            "user": "o'brien",
            "by": {"client_host": [{"name": "10.0.0.7", "count": 3}]},
            "sources": [{"path": "/home/acme/pg.log", "prefix": "acme %m ", "server": "acme"}],
            "lines": ["password of o'brien"],
            "message": "host host-1",
        });
        pseudonyms.replace(&mut told, "");
        assert_eq!(
            told,
            serde_json::json!({
                "user": "user-1",
                "by": {"client_host": [{"name": "host-1", "count": 3}]},
                "sources": [{"path": "LOG", "prefix": null, "server": "server-1"}],
                "lines": [],
                "message": "host host-1",
            })
        );
    }
}
