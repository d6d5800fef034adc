//! Prometheus' text format, as far as it is needed: samples with their labels, whose escapes are undone.

use std::collections::BTreeMap;

/// All samples of a text.
pub(crate) struct Exposition(Vec<Sample>);

/// `name{label="value",…} 7`
pub(crate) struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

impl Exposition {
    /// Reads a text; panics at what is not of the format.
    pub(crate) fn parse(text: &str) -> Exposition {
        // Line breaks in labels are escaped; a carriage return is none.
        let lines = text.split('\n').filter(|line| !line.is_empty());
        let samples: Vec<_> = lines
            .filter(|line| !line.starts_with('#'))
            .map(Sample::parse)
            .collect();
        let mut seen: Vec<_> = samples.iter().map(|s| (&s.name, &s.labels)).collect();
        seen.sort();
        let all = seen.len();
        seen.dedup();
        assert_eq!(seen.len(), all, "a series is there twice");
        Exposition(samples)
    }

    pub(crate) fn samples(&self, name: &str) -> impl Iterator<Item = &Sample> {
        let samples = self.0.iter();
        samples.filter(move |sample| sample.name == name)
    }

    /// Names of the families.
    pub(crate) fn families(&self) -> impl Iterator<Item = &str> {
        let names = self.0.iter().map(|sample| &*sample.name);
        let names = names.map(|name| {
            ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|part| name.strip_suffix(part))
                .unwrap_or(name)
        });
        names.collect::<std::collections::BTreeSet<_>>().into_iter()
    }

    /// All samples of this name together.
    pub(crate) fn sum(&self, name: &str) -> u64 {
        self.samples(name).map(|sample| sample.value as u64).sum()
    }

    /// The same by a label; what is 0 is not there.
    pub(crate) fn by(&self, name: &str, label: &str) -> BTreeMap<String, u64> {
        let mut by: BTreeMap<String, u64> = BTreeMap::new();
        for sample in self.samples(name).filter(|sample| sample.value > 0.0) {
            *by.entry(sample.label(label).to_owned()).or_default() += sample.value as u64;
        }
        by
    }
}

impl Sample {
    pub(crate) fn label(&self, name: &str) -> &str {
        &self.labels[name]
    }

    fn parse(line: &str) -> Sample {
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let end = line.find(|c| !is_of_name(c)).expect("a value");
        let (name, mut rest) = line.split_at(end);
        let mut labels = BTreeMap::new();
        if let Some(first) = rest.strip_prefix('{') {
            rest = first;
            while !rest.starts_with('}') {
                let (label, quoted) = rest.split_once("=\"").expect("a label");
                let (value, after) = unescaped(quoted);
                labels.insert(label.to_owned(), value);
                rest = after.strip_prefix(',').unwrap_or(after);
            }
            rest = &rest[1..];
        }
        let value = rest.strip_prefix(' ').expect("a space");
        Sample {
            name: name.to_owned(),
            labels,
            value: value.parse().unwrap_or_else(|_| panic!("{line}")),
        }
    }
}

/// A value up to its closing quote, and what comes behind that.
fn unescaped(quoted: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => match chars.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, c @ ('\\' | '"'))) => value.push(c),
                other => panic!("{other:?} is escaped"),
            },
            c => value.push(c),
        }
    }
    panic!("no closing quote: {quoted}");
}
