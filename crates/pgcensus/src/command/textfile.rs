//! `--textfile`: metrics in a file, for the textfile collector of `node_exporter`.

use std::io::{self, Write as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use pgcensus_core::metrics::Metrics;
use pgcensus_core::metrics::series::SERIES_MAX;

use super::Asked;
use crate::pipeline::Outcome;
use crate::view::metrics::{self, Exposition, Facts};
use crate::view::text::thousands;

impl Asked<'_> {
    /// Writes the metrics of a run. Counters of a part would be smaller than those of the whole, so none are written of what
    /// Ctrl+C has ended.
    pub(super) fn textfile(
        &self,
        metrics: &Metrics,
        outcome: &Outcome,
        connections_max: Option<u32>,
    ) -> anyhow::Result<()> {
        let Some(path) = &self.args.show.textfile else {
            return Ok(());
        };
        if self.partial(outcome).is_some() {
            let path = path.display();
            writeln!(
                io::stderr(),
                "pgcensus: --textfile {path}: not written, for not all was read"
            )
            .ok();
            return Ok(());
        }
        let servers = outcome.servers.iter();
        let facts = Facts::of(
            metrics,
            servers.map(|server| (&server.tracker, &server.files[..])),
            &outcome.names,
            &mut outcome.filter.clone(),
            outcome.input.map(|(_, last)| last),
            connections_max,
        );
        let text = metrics::text(metrics, &outcome.names, &facts, Exposition::Classic);
        write(path, &text)?;
        self.tell_others(path, metrics);
        Ok(())
    }

    /// Says that there were more names than series.
    fn tell_others(&self, path: &Path, metrics: &Metrics) {
        let (_, refused) = metrics.refused_connections();
        let connects = metrics.clients().elsewhere + metrics.walsenders().elsewhere;
        if connects + refused > 0 && !self.args.show.quiet {
            writeln!(
                io::stderr(),
                "pgcensus: --textfile {}: names of {} connects and {} refused connections are counted as (other): there are {} series of each",
                path.display(),
                thousands(connects),
                thousands(refused),
                thousands(SERIES_MAX as u64)
            )
            .ok();
        }
    }
}

/// Whether there is a directory for it.
///
/// # Errors
/// There is none.
pub(super) fn has_directory(path: &Path) -> anyhow::Result<()> {
    if !directory_of(path).is_dir() {
        bail!("--textfile '{}': no such directory", path.display());
    }
    Ok(())
}

fn directory_of(path: &Path) -> &Path {
    let directory = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    directory.unwrap_or(Path::new("."))
}

/// Writes a file at once: who reads it meanwhile sees the old one or the new one, and no part of either.
pub(super) fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let told = || format!("--textfile {}", path.display());
    let mut builder = tempfile::Builder::new();
    // No *.prom, which would be read.
    builder.prefix(".pgcensus-").suffix(".tmp");
    readable(&mut builder);
    let mut file = builder.tempfile_in(directory_of(path)).with_context(told)?;
    file.write_all(text.as_bytes()).with_context(told)?;
    file.persist(path)
        .map_err(|err| err.error)
        .with_context(told)?;
    Ok(())
}

/// As any file that is made: another user reads it.
#[cfg(unix)]
fn readable(builder: &mut tempfile::Builder<'_, '_>) {
    use std::os::unix::fs::PermissionsExt as _;
    builder.permissions(std::fs::Permissions::from_mode(0o666));
}

/// Its directory says who reads it.
#[cfg(not(unix))]
fn readable(_: &mut tempfile::Builder<'_, '_>) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_nothing_is_left_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pgcensus.prom");
        write(&path, "one\n").unwrap();
        write(&path, "two\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two\n");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn where_none_can_be_made_that_is_said() {
        let err = write(Path::new("/nowhere/at/all/x.prom"), "").unwrap_err();
        let text = format!("{err:#}");
        assert!(
            text.starts_with("--textfile /nowhere/at/all/x.prom: "),
            "{text}"
        );
    }
}
