//! `--anonymize`: a page that can be shown to strangers. Names are replaced by numbered ones, the same one everywhere; what is
//! text of the log (its records, DETAIL, lines of `pg_hba.conf`) is left out, since anything may stand in it.
//!
//! ```text
//! {"user": "alice", "client_host": "10.0.0.7"}   →   {"user": "user-1", "client_host": "host-3"}
//! ```

use std::collections::HashMap;

use pgcensus_core::names::{Dimension, Names};
use serde_json::Value;

/// What stands for no name of somebody.
const KEPT: [&str; 4] = ["unknown", "(other)", "[local]", "stdin"];

/// Keys whose values are text of the log, or name somebody in another way.
const LEFT_OUT: [&str; 6] = ["lines", "records", "detail", "text", "identity", "hba"];

/// Keys of sentences and command lines of ours, in which names stand.
const SENTENCES: [&str; 8] = [
    "message", "test", "advice", "command", "notes", "bounds", "input", "filter",
];

/// Replaces all names in the data of a page.
pub(super) fn anonymize(data: &mut Value, names: &Names) {
    let mut pseudonyms = Pseudonyms::of(names);
    if let Some(sources) = data
        .pointer("/summary/input/sources")
        .and_then(Value::as_array)
    {
        let paths = sources.iter().filter_map(|source| source["path"].as_str());
        for path in paths.map(str::to_owned).collect::<Vec<_>>() {
            pseudonyms.add("path", "log", &path);
        }
    }
    if let Some(input) = data.pointer("/command/input").and_then(Value::as_array) {
        let words = input.iter().filter_map(Value::as_str);
        for word in words.map(str::to_owned).collect::<Vec<_>>() {
            pseudonyms.add("path", "log", &word);
        }
    }
    pseudonyms.sort();
    pseudonyms.replace(data, "");
}

/// What each name is called instead.
#[derive(Default)]
struct Pseudonyms {
    /// By key, then by name.
    of: HashMap<&'static str, HashMap<String, String>>,
    /// All of them, the longest names first: a name may be a part of another.
    longest: Vec<(String, String)>,
}

impl Pseudonyms {
    fn of(names: &Names) -> Pseudonyms {
        let mut pseudonyms = Pseudonyms::default();
        for dimension in Dimension::ALL {
            let word = match dimension {
                Dimension::Database => "database",
                Dimension::User => "user",
                Dimension::ApplicationName => "application",
                Dimension::ClientHost => "host",
                Dimension::Server => "server",
            };
            for name in names.all(dimension) {
                let name = String::from_utf8_lossy(name);
                pseudonyms.add(dimension.as_str(), word, &name);
            }
        }
        pseudonyms
    }

    fn add(&mut self, key: &'static str, word: &'static str, name: &str) {
        let names = self.of.entry(key).or_default();
        let number = names.len() + 1;
        if !KEPT.contains(&name) {
            let pseudonym = || format!("{word}-{number}");
            names.entry(name.to_owned()).or_insert_with(pseudonym);
        }
    }

    fn sort(&mut self) {
        let all = self.of.values().flatten();
        let all = all.map(|(name, pseudonym)| (name.clone(), pseudonym.clone()));
        self.longest = all.filter(|(name, _)| !name.is_empty()).collect();
        self.longest
            .sort_by(|a, b| b.0.len().cmp(&a.0.len()).then_with(|| a.cmp(b)));
    }

    /// Replaces names in what stands under a key, or in a list under it.
    fn replace(&self, value: &mut Value, key: &str) {
        match value {
            Value::String(text) => *text = self.replaced(text, key),
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
                    let key = if own == "name" { key } else { own };
                    self.replace(value, key);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn replaced(&self, text: &str, key: &str) -> String {
        if SENTENCES.contains(&key) {
            return self
                .longest
                .iter()
                .fold(text.to_owned(), |text, (name, pseudonym)| {
                    replace_words(&text, name, pseudonym)
                });
        }
        let key = match key {
            "application_name_last" => "application_name",
            "database" | "user" | "application_name" | "client_host" | "server" | "path" => key,
            key if key.ends_with("client_host") => "client_host",
            _ => return text.to_owned(),
        };
        let pseudonym = self.of.get(key).and_then(|names| names.get(text));
        pseudonym.map_or_else(|| text.to_owned(), Clone::clone)
    }
}

/// Replaces a name where it is not a part of a longer word.
fn replace_words(text: &str, name: &str, pseudonym: &str) -> String {
    let is_inside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(name) {
        let (before, after) = (&rest[..at], &rest[at + name.len()..]);
        replaced.push_str(before);
        let is_part = is_inside(before.chars().next_back().or(replaced.chars().next_back()))
            || is_inside(after.chars().next());
        replaced.push_str(if is_part { name } else { pseudonym });
        rest = after;
    }
    replaced + rest
}
