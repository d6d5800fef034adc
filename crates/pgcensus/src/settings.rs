//! Settings of the server that lie beside its log: `postgresql.conf` and `postgresql.auto.conf` of the data
//! directory that holds the log.
//!
//! Only to say how many of how many: no number of the census depends on them.

use std::fs;
use std::path::Path;

/// A file longer than this is no `postgresql.conf`.
const CONF_MAX: u64 = 1 << 20;

/// How many sessions ordinary roles can have at once on the server whose log lies here:
/// `max_connections` less the reserved slots. `None` where no configuration lies beside the log.
pub(crate) fn connections_max(log: &Path) -> Option<u32> {
    let log = fs::canonicalize(log).ok()?;
    let data = log
        .ancestors()
        .skip(1)
        .take(3)
        .find(|dir| dir.join("postgresql.conf").is_file())?;
    let texts = ["postgresql.conf", "postgresql.auto.conf"].map(|name| {
        let path = data.join(name);
        let is_small = fs::metadata(&path).is_ok_and(|file| file.len() <= CONF_MAX);
        if is_small {
            fs::read_to_string(path).unwrap_or_default()
        } else {
            String::new()
        }
    });
    // The last one wins, and ALTER SYSTEM's file comes after the other.
    let setting = |name: &str, default: u32| {
        let lines = texts.iter().flat_map(|text| text.lines());
        lines
            .filter_map(|line| value(line, name))
            .next_back()
            .unwrap_or(default)
    };
    let reserved =
        setting("superuser_reserved_connections", 3) + setting("reserved_connections", 0);
    setting("max_connections", 100).checked_sub(reserved)
}

/// The number that a line of `postgresql.conf` sets: `max_connections = 100 # (change requires restart)`.
fn value(line: &str, name: &str) -> Option<u32> {
    let rest = line
        .trim_start()
        .get(..name.len())
        .filter(|head| head.eq_ignore_ascii_case(name))?;
    let rest = line.trim_start().get(rest.len()..)?;
    // The equals sign may be left out, a space then stands in its place.
    let value = rest
        .trim_start()
        .strip_prefix('=')
        .or_else(|| rest.strip_prefix([' ', '\t']))?;
    let value = value.split('#').next()?.trim().trim_matches('\'');
    value.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_postgresql_conf_are_read() {
        for (line, expected) in [
            (
                "max_connections = 100\t\t\t# (change requires restart)",
                Some(100),
            ),
            ("  MAX_CONNECTIONS='250'", Some(250)),
            ("max_connections 20", Some(20)),
            ("#max_connections = 100", None),
            ("max_connections_x = 5", None),
            ("max_connections = many", None),
            ("", None),
        ] {
            assert_eq!(value(line, "max_connections"), expected, "{line}");
        }
    }

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
}
