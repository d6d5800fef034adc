//! pgBadger's options that have no place of their own here: taken over, or answered in one line.
//!
//! Those with a counterpart are aliases of it, beside it in `cli.rs`.

use super::{ShowArgs, Stop};

/// Hidden: the manual has the table. An answer needs no value, so none is demanded for one.
#[derive(Debug, Default, clap::Args)]
pub(super) struct PgbadgerArgs {
    #[arg(short = 'a', long, hide = true, value_name = "MIN")]
    average: Option<String>,
    #[arg(short = 'x', long, hide = true, value_name = "FORMAT")]
    extension: Option<String>,
    #[arg(short = 'w', long, hide = true)]
    watch_mode: bool,
    #[arg(short = 'I', long, hide = true)]
    incremental: bool,
    #[arg(short = 'l', long, hide = true, num_args = 0..=1, default_missing_value = "")]
    last_parsed: Option<String>,
    #[arg(short = 'R', long, hide = true, num_args = 0..=1, default_missing_value = "")]
    retention: Option<String>,
    #[arg(short = 'r', long, hide = true, num_args = 0..=1, default_missing_value = "")]
    remote_host: Option<String>,
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "")]
    command: Option<String>,
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "")]
    journalctl: Option<String>,
}

impl PgbadgerArgs {
    /// Turns what has a counterpart into it, and answers the rest.
    pub(super) fn apply(self, show: &mut ShowArgs) -> Result<(), Stop> {
        let usage = |message: &str| Err(Stop::Usage(message.to_owned()));
        for (given, message) in [
            (
                self.watch_mode,
                "-w: pgcensus reports connections, not errors; pgcensus events shows those that were refused",
            ),
            (
                self.incremental,
                "-I: nothing is kept between runs; --since or --last limits a run to what is new",
            ),
            (
                self.last_parsed.is_some(),
                "-l: nothing is kept between runs; --since or --last limits a run to what is new",
            ),
            (
                self.retention.is_some(),
                "-R: nothing is kept between runs, so nothing has to be removed",
            ),
            (
                self.remote_host.is_some(),
                "-r: pgcensus reads local files; try ssh HOST cat pg.log | pgcensus -",
            ),
            (
                self.command.is_some(),
                "--command: pgcensus starts no other program; pipe its output: COMMAND | pgcensus -",
            ),
            (
                self.journalctl.is_some(),
                "--journalctl: pipe the journal: journalctl -u postgresql -o cat | pgcensus -",
            ),
        ] {
            if given {
                return usage(message);
            }
        }
        match self.extension.as_deref() {
            None | Some("text" | "txt") => {}
            Some("json") => show.json = true,
            Some("csv") => show.csv = true,
            Some("html" | "bin") => {
                return usage(
                    "-x: html and bin are not in this version; it writes text, json and csv",
                );
            }
            Some(other) => {
                return Err(Stop::Usage(format!(
                    "-x '{other}': not one of text, json, csv"
                )));
            }
        }
        let Some(minutes) = self.average else {
            return Ok(());
        };
        if show.bucket.is_some() {
            return usage("-a: --bucket says it already");
        }
        match minutes.parse::<u32>() {
            Ok(minutes) if minutes > 0 => show.bucket = Some(format!("{minutes}m")),
            _ => {
                return Err(Stop::Usage(format!(
                    "-a '{minutes}': not a number of minutes"
                )));
            }
        }
        Ok(())
    }
}
