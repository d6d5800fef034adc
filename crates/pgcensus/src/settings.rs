//! Settings of a server, as its files and its command line have them.
//!
//! ```text
//! postgresql.conf (include, include_if_exists, include_dir) ─► postgresql.auto.conf ─► -c name=value
//!                                     the last one wins
//! ```
//!
//! What the files say now, which is not what the server runs with until it is told to reload them. No number of the
//! census depends on them.

mod file;
pub(crate) mod hba;
mod value;

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub(crate) use file::under;

/// `PostgreSQL`'s defaults of the settings that matter here.
const DEFAULTS: [(&str, &str); 12] = [
    ("port", "5432"),
    ("max_connections", "100"),
    ("superuser_reserved_connections", "3"),
    ("reserved_connections", "0"),
    ("logging_collector", "off"),
    ("log_destination", "stderr"),
    ("log_directory", "log"),
    ("log_filename", "postgresql-%Y-%m-%d_%H%M%S.log"),
    ("log_connections", "off"),
    ("log_disconnections", "off"),
    ("log_line_prefix", "%m [%p] "),
    ("log_min_messages", "warning"),
];

/// Values by name, each the last that was set.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    values: HashMap<String, Setting>,
    /// Files that were read.
    pub(crate) files: Vec<PathBuf>,
    /// Files, or lines of them, that could not be read.
    pub(crate) unread: Vec<(PathBuf, io::Error)>,
}

/// A value and who set it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    /// Without its quotes.
    pub(crate) value: String,
    /// Who set it.
    pub(crate) origin: Origin,
}

/// Who set a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A configuration file: `ALTER SYSTEM` can overrule it.
    File,
    /// The command line of the postmaster or its environment, which `ALTER SYSTEM` cannot overrule.
    CommandLine,
}

impl Settings {
    /// Reads a `postgresql.conf` and what it includes; paths from `/` on are those below `root`.
    pub(crate) fn of_file(root: &Path, config_file: &Path) -> Settings {
        let mut settings = Settings::default();
        settings.add_file(root, config_file);
        settings
    }

    /// Adds `postgresql.auto.conf`, where `ALTER SYSTEM` writes.
    pub(crate) fn add_auto(&mut self, root: &Path, data_directory: &Path) {
        let auto = data_directory.join("postgresql.auto.conf");
        // Before its first use there need not be one.
        match fs::metadata(&auto) {
            Err(err) if err.kind() == io::ErrorKind::NotFound => {}
            _ => self.add_file(root, &auto),
        }
    }

    /// A value of the command line. Names are not case-sensitive, and a dash stands for an underscore there.
    pub(crate) fn add_option(&mut self, name: &str, value: &str) {
        self.set(&name.replace('-', "_"), value, Origin::CommandLine);
    }

    fn set(&mut self, name: &str, value: &str, origin: Origin) {
        let setting = Setting {
            value: value.to_owned(),
            origin,
        };
        self.values.insert(name.to_ascii_lowercase(), setting);
    }

    /// What was set; `None`: nowhere.
    pub(crate) fn get(&self, name: &str) -> Option<&Setting> {
        self.values.get(name)
    }

    /// The value, or the server's default of those that matter here.
    pub(crate) fn text(&self, name: &str) -> &str {
        let default = DEFAULTS.iter().find(|(known, _)| *known == name);
        self.get(name)
            .map(|setting| &*setting.value)
            .or(default.map(|(_, value)| *value))
            .unwrap_or_default()
    }

    /// Whether a boolean is on; what is no boolean is off.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        value::boolean(self.text(name)) == Some(true)
    }

    /// A whole number; `None`: it is none.
    pub(crate) fn number(&self, name: &str) -> Option<u32> {
        value::number(self.text(name))
    }

    /// The words of a list, in lower case.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        value::list(self.text(name))
    }

    /// How many sessions ordinary roles can have at once: `max_connections` less the reserved slots.
    pub(crate) fn connections_max(&self) -> Option<u32> {
        let reserved = self.number("superuser_reserved_connections")?;
        let reserved = reserved.checked_add(self.number("reserved_connections")?)?;
        self.number("max_connections")?.checked_sub(reserved)
    }
}

/// How many sessions ordinary roles can have at once on the server whose log lies here. `None` where no configuration
/// lies beside the log.
pub(crate) fn connections_max(log: &Path) -> Option<u32> {
    let log = fs::canonicalize(log).ok()?;
    let data = data_directory(&log)?;
    let root = Path::new("/");
    let mut settings = Settings::of_file(root, &data.join("postgresql.conf"));
    settings.add_auto(root, data);
    settings.connections_max()
}

/// The directory near a log that has a configuration.
fn data_directory(log: &Path) -> Option<&Path> {
    let mut near = log.ancestors().skip(1).take(3);
    near.find(|dir| dir.join("postgresql.conf").is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_directory_of_a_log_says_how_many_there_can_be() {
        let data = tempfile::tempdir().unwrap();
        let log = data.path().join("log");
        fs::create_dir(&log).unwrap();
        fs::write(log.join("a.log"), "").unwrap();
        assert_eq!(connections_max(&log.join("a.log")), None);
        fs::write(
            data.path().join("postgresql.conf"),
            "max_connections = 50\nmax_connections = 60\n",
        )
        .unwrap();
        assert_eq!(connections_max(&log.join("a.log")), Some(57));
        fs::write(
            data.path().join("postgresql.auto.conf"),
            "reserved_connections = '2'\n",
        )
        .unwrap();
        assert_eq!(connections_max(&log.join("a.log")), Some(55));
    }

    #[test]
    fn the_command_line_wins_over_alter_system_and_that_over_the_file() {
        let data = tempfile::tempdir().unwrap();
        let conf = data.path().join("postgresql.conf");
        let lines = "port = 1\nlog_directory = 'a'\nLog_FileName 'b'\n";
        fs::write(&conf, lines).unwrap();
        let auto = "port = '2'\nlog_directory = 'c'\n";
        fs::write(data.path().join("postgresql.auto.conf"), auto).unwrap();

        let mut settings = Settings::of_file(Path::new("/"), &conf);
        settings.add_auto(Path::new("/"), data.path());
        settings.add_option("Log-Directory", "d");
        assert_eq!(settings.number("port"), Some(2));
        assert_eq!(settings.text("log_directory"), "d");
        let set = settings.get("log_directory").unwrap();
        assert_eq!(set.origin, Origin::CommandLine);
        assert_eq!(settings.text("log_filename"), "b");
        assert_eq!(settings.text("log_line_prefix"), "%m [%p] ");
        assert!(settings.get("log_line_prefix").is_none());
    }
}
