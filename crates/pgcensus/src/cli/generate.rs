//! `--generate`: what goes with the program, made of what `cli.rs` and `help.rs` say.

mod completions;
mod man;
#[cfg(test)]
mod tests;

use clap::ValueEnum;

/// What is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Generate {
    /// The man page, as roff.
    Man,
    /// Completions for bash, from 3.2 on.
    CompleteBash,
    /// Completions for zsh, a file `_pgcensus` of its `fpath`.
    CompleteZsh,
    /// Completions for fish.
    CompleteFish,
    /// Completions for PowerShell, for its profile.
    CompletePowershell,
}

impl Generate {
    /// The file that it asks for.
    pub(super) fn text(self) -> String {
        let command = super::help::command();
        match self {
            Generate::Man => man::page(command),
            Generate::CompleteBash => completions::bash(&command),
            Generate::CompleteZsh => completions::zsh(&command),
            Generate::CompleteFish => completions::fish(&command),
            Generate::CompletePowershell => completions::powershell(&command),
        }
    }
}
