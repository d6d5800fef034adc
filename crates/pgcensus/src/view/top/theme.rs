//! How things look: by the terminal's own colours, of which eight are enough, or without any.
//!
//! No background is set and no text is black or white, so that it is readable on light and on dark.

use ratatui::style::{Color, Modifier, Style};

/// What a style is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Theme {
    /// Colours are wanted.
    pub(crate) color: bool,
}

#[expect(
    clippy::unused_self,
    reason = "every style is the theme's, whether it has a colour or not"
)]
impl Theme {
    fn fg(self, color: Color) -> Style {
        if self.color {
            Style::new().fg(color)
        } else {
            Style::new()
        }
    }

    /// The numbers that were asked for, titles.
    pub(crate) fn bold(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// What matters less.
    pub(crate) fn dim(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// Open sessions.
    pub(crate) fn open(self) -> Style {
        self.fg(Color::Cyan)
    }

    /// Connected.
    pub(crate) fn connected(self) -> Style {
        self.fg(Color::Green)
    }

    /// Disconnected.
    pub(crate) fn disconnected(self) -> Style {
        self.fg(Color::Yellow)
    }

    /// Refused, or not to be relied on.
    pub(crate) fn refused(self) -> Style {
        self.fg(Color::Red)
    }

    /// What is wrong.
    pub(crate) fn wrong(self) -> Style {
        self.refused().add_modifier(Modifier::BOLD)
    }

    /// Where the focus is.
    pub(crate) fn focus(self) -> Style {
        self.fg(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    /// The selected row, the cursor: of one colour, whatever is in it.
    pub(crate) fn selected(self) -> Style {
        Style::new()
            .fg(Color::Reset)
            .add_modifier(Modifier::REVERSED)
    }
}
