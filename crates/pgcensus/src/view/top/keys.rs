//! Keys: which one does what. The help is made of the same table.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Leaves.
    Quit,
    /// Leaves as SIGQUIT would have it.
    Abort,
    /// Gives the terminal back to the shell for a while.
    Suspend,
    /// Draws all anew.
    Redraw,
    /// Shows the keys.
    Help,
    /// Chooses a panel by its digit.
    Panel(usize),
    /// The next panel.
    NextPanel,
    /// The one before.
    PreviousPanel,
    /// Moves the selection by rows.
    Move(isize),
    /// By screenfuls.
    MovePage(isize),
    /// To the first row (true) or the last.
    MoveEnd(bool),
    /// Drills down.
    Enter,
    /// Takes the last thing back.
    Back,
    /// Expands a panel, or the lines of a session.
    Expand,
    /// Sorts by the next thing.
    Sort,
    /// Begins to type a filter.
    Filter,
    /// Moves the cursor through the past by buckets.
    Step(i64),
    /// Returns to now.
    Now,
    /// To the begin of the log.
    First,
    /// Holds the screen, or lets it go.
    Pause,
    /// Counters begin here, or at the begin of the window again.
    Clear,
    /// A longer window (true), or a shorter one.
    Zoom(bool),
    /// Copies the selected row.
    Copy,
    /// Types a character of the filter.
    Type(char),
    /// Erases the last one.
    Erase,
    /// Erases the last word.
    EraseWord,
    /// Erases all.
    EraseAll,
    /// The filter is as it shall be.
    Accept,
}

/// The keys as the help says them.
pub(crate) const HELP: [(&str, &str); 17] = [
    ("Tab, 1 … 8", "choose a panel"),
    ("↑ ↓ PgUp PgDn g G", "select a row"),
    (
        "Enter",
        "sessions, then their log lines and the pid's history",
    ),
    ("Esc", "back; then no filter; then now"),
    ("/", "filter: user=app* exclude-host=10.0.0.0/8, or a word"),
    ("s", "sort by open, connects, refused, name"),
    ("e", "expand a panel; wrap long lines"),
    ("← →  Shift+← →", "move a cursor through the past; by ten"),
    ("Home, End", "to the begin of the log; back to now"),
    ("+ -", "a longer or shorter window"),
    ("Space", "hold this instant"),
    ("c", "clear: counters begin here; again: they are back"),
    ("y", "copy the row (OSC 52)"),
    ("Ctrl+L", "draw all anew"),
    ("Ctrl+Z", "to the shell; fg comes back"),
    ("mouse", "click selects, again drills down; wheel; timeline"),
    ("?, q", "this; quit"),
];

/// What a key asks for, while a filter `is_typed` or else.
pub(crate) fn action(key: KeyEvent, is_typed: bool) -> Option<Action> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    let shift = key.modifiers.contains(KeyModifiers::SHIFT);
    if control {
        return match key.code {
            KeyCode::Char('c') => Some(Action::Quit),
            // `Ctrl+\`: its byte is that of Ctrl+4.
            KeyCode::Char('4' | '\\') => Some(Action::Abort),
            KeyCode::Char('z') => Some(Action::Suspend),
            KeyCode::Char('l') => Some(Action::Redraw),
            KeyCode::Char('w') if is_typed => Some(Action::EraseWord),
            KeyCode::Char('u') if is_typed => Some(Action::EraseAll),
            KeyCode::Char('d') => Some(Action::MovePage(1)),
            KeyCode::Char('u') => Some(Action::MovePage(-1)),
            KeyCode::Left => Some(Action::Step(-10)),
            KeyCode::Right => Some(Action::Step(10)),
            _ => None,
        };
    }
    if is_typed {
        return match key.code {
            KeyCode::Char(c) => Some(Action::Type(c)),
            KeyCode::Backspace => Some(Action::Erase),
            KeyCode::Enter => Some(Action::Accept),
            KeyCode::Esc => Some(Action::Back),
            _ => None,
        };
    }
    Some(match key.code {
        KeyCode::Char('q') => Action::Quit,
        KeyCode::Char('?' | 'h') | KeyCode::F(1) => Action::Help,
        KeyCode::Char(digit @ '1'..='9') => Action::Panel(digit as usize - '0' as usize),
        KeyCode::Tab => Action::NextPanel,
        KeyCode::BackTab => Action::PreviousPanel,
        KeyCode::Up | KeyCode::Char('k') => Action::Move(-1),
        KeyCode::Down | KeyCode::Char('j') => Action::Move(1),
        KeyCode::PageUp => Action::MovePage(-1),
        KeyCode::PageDown => Action::MovePage(1),
        KeyCode::Char('g') => Action::MoveEnd(true),
        KeyCode::Char('G') => Action::MoveEnd(false),
        KeyCode::Enter => Action::Enter,
        KeyCode::Esc | KeyCode::Backspace => Action::Back,
        KeyCode::Char('e') => Action::Expand,
        KeyCode::Char('s') => Action::Sort,
        KeyCode::Char('/') => Action::Filter,
        KeyCode::Left => Action::Step(if shift { -10 } else { -1 }),
        KeyCode::Right => Action::Step(if shift { 10 } else { 1 }),
        KeyCode::Home => Action::First,
        KeyCode::End => Action::Now,
        KeyCode::Char(' ') => Action::Pause,
        KeyCode::Char('c') => Action::Clear,
        KeyCode::Char('+' | '=') => Action::Zoom(true),
        KeyCode::Char('-') => Action::Zoom(false),
        KeyCode::Char('y') => Action::Copy,
        _ => return None,
    })
}
