//! `--before` and `--after`: two windows of one input, or two inputs.
//!
//! ```text
//! compare pg.log --before 'yesterday 09:00..yesterday 12:00' --after 09:00..12:00
//! compare --before monday/ --after tuesday/
//! ```

use std::path::{Path, PathBuf};

use super::{Command, InputArgs, WindowArgs};
use crate::time_spec::Stretch;

/// What is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Compared {
    /// Two windows of the input.
    Windows(Box<[Stretch; 2]>),
    /// The input with these.
    Inputs(Vec<PathBuf>),
}

/// Says which of both it is. Options that take several values take the inputs behind them too: what follows a window is one; and
/// the inputs of `--before` become those of the command.
pub(super) fn settle(
    command: Command,
    window: &mut WindowArgs,
    input: &mut InputArgs,
    exists: impl Fn(&Path) -> bool,
) -> Result<Option<Compared>, String> {
    let (before, after) = (
        std::mem::take(&mut window.before),
        std::mem::take(&mut window.after),
    );
    if command != Command::Compare {
        let given = [("--before", &before), ("--after", &after)];
        return match given.iter().find(|(_, values)| !values.is_empty()) {
            None => Ok(None),
            Some((flag, _)) => Err(format!(
                "{flag}: goes with compare: pgcensus compare --before … --after …"
            )),
        };
    }
    if before.is_empty() || after.is_empty() {
        return Err(
            "compare: needs both sides: --before INPUT --after INPUT, or of one input \
             --before 09:00..10:00 --after 10:00..11:00"
                .to_owned(),
        );
    }
    for (flag, values) in [("--before", &before), ("--after", &after)] {
        // It is the directory above too, which nobody means here.
        if values.iter().any(|value| value == "..") {
            return Err(format!(
                "{flag} '..': a window has a time on one side at least, such as 09:00..; the directory above is ../"
            ));
        }
    }
    let mut side = |values: Vec<String>| {
        let mut values = values.into_iter().peekable();
        let stretch = values.peek().filter(|first| !exists(Path::new(first)));
        match stretch.and_then(|first| Stretch::parse(first)) {
            Some(stretch) => {
                input.inputs.extend(values.skip(1).map(PathBuf::from));
                Ok(stretch)
            }
            None => Err(values.map(PathBuf::from).collect::<Vec<_>>()),
        }
    };
    match (side(before), side(after)) {
        (Ok(before), Ok(after)) => Ok(Some(Compared::Windows(Box::new([before, after])))),
        (Err(before), Err(after)) => {
            let stdin = Path::new("-");
            let both = [&before, &after];
            if both
                .iter()
                .all(|paths| paths.iter().any(|path| path == stdin))
            {
                return Err("compare: standard input is one side, not both".to_owned());
            }
            if before == after {
                return Err(
                    "compare: both sides are the same input, and differ in nothing; of one input give two windows: \
                     --before 09:00..10:00 --after 10:00..11:00"
                        .to_owned(),
                );
            }
            let is_input = |server: &super::ServerArg| server.path.is_some();
            if !input.inputs.is_empty()
                || !input.lists.is_empty()
                || input.servers.iter().any(is_input)
            {
                return Err(
                    "compare: inputs belong to --before or to --after; others are of neither side"
                        .to_owned(),
                );
            }
            input.inputs = before;
            Ok(Some(Compared::Inputs(after)))
        }
        (Ok(stretch), Err(_)) | (Err(_), Ok(stretch)) => Err(format!(
            "compare: '{stretch}' is a window and the other side is none; give two windows of one input, or two inputs"
        )),
    }
}
