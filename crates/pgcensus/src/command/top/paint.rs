//! Cells of a frame as what a terminal is told: where, how, what.
//!
//! ```text
//! (3, 0) "o" cyan   (4, 0) "k" cyan   ─►   ESC[1;4H ESC[0;36m ok ESC[0m
//! ```
//!
//! Colours are the eight that every terminal with colours has, written as these had them first. crossterm writes them as three
//! of 256 numbers, which one of eight colours takes for something else, blinking among it.

use std::io::{self, Write};

use ratatui::buffer::{Buffer, Cell, CellWidth};
use ratatui::style::{Color, Modifier};

/// Writes what is another cell after than before.
///
/// Terminals do not agree on how many columns some things take (letters of some scripts, emoji), nor on what is left of them
/// when another cell is written over a part. So a row that has or had such things is written whole, each cell in its place.
pub(super) fn changes(out: &mut impl Write, before: &Buffer, after: &Buffer) -> io::Result<()> {
    let mut pen = Pen::default();
    let width = usize::from(after.area.width.max(1));
    let rows = after
        .content
        .chunks(width)
        .zip(before.content.chunks(width));
    for (y, (row, old)) in (0..).zip(rows).filter(|(_, (row, old))| row != old) {
        let is_whole = !row.iter().chain(old).all(is_one_column);
        let mut x = 0;
        while let Some(cell) = row.get(x) {
            if is_whole || *cell != old[x] {
                pen.write(out, (x as u16, y), cell)?;
            }
            x += usize::from(cell.cell_width().max(1));
        }
    }
    pen.style(out, PLAIN)
}

/// Every terminal agrees that it takes one column.
fn is_one_column(cell: &Cell) -> bool {
    let is_letter = |c| matches!(c, ' '..='~' | '¡'..='ӿ');
    let is_drawn = |c| matches!(c, '…' | '←'..='↓' | '─'..='▼');
    let mut chars = cell.symbol().chars();
    chars.next().is_some_and(|c| is_letter(c) || is_drawn(c)) && chars.next().is_none()
}

/// The foreground and the like.
type Look = (Color, Modifier);

const PLAIN: Look = (Color::Reset, Modifier::empty());

/// Where the terminal would write next, and how.
struct Pen {
    cursor: Option<(u16, u16)>,
    look: Look,
}

impl Default for Pen {
    fn default() -> Pen {
        Pen {
            cursor: None,
            look: PLAIN,
        }
    }
}

impl Pen {
    fn write(&mut self, out: &mut impl Write, at: (u16, u16), cell: &Cell) -> io::Result<()> {
        let (x, y) = at;
        if self.cursor != Some(at) {
            write!(out, "\x1b[{};{}H", y + 1, x + 1)?;
        }
        self.style(out, (cell.fg, cell.modifier))?;
        let width = cell.cell_width().max(1);
        // A terminal that shows it in less has nothing else there.
        if width > 1 {
            write!(
                out,
                "{:1$}\x1b[{2};{3}H",
                "",
                usize::from(width),
                y + 1,
                x + 1
            )?;
        }
        out.write_all(cell.symbol().as_bytes())?;
        self.cursor = is_one_column(cell).then_some((x + 1, y));
        Ok(())
    }

    fn style(&mut self, out: &mut impl Write, look: Look) -> io::Result<()> {
        if look != self.look {
            self.look = look;
            write_style(out, look)?;
        }
        Ok(())
    }
}

fn write_style(out: &mut impl Write, (fg, modifier): Look) -> io::Result<()> {
    out.write_all(b"\x1b[0")?;
    for (of, code) in [
        (Modifier::BOLD, 1),
        (Modifier::DIM, 2),
        (Modifier::REVERSED, 7),
    ] {
        if modifier.contains(of) {
            write!(out, ";{code}")?;
        }
    }
    if let Some(code) = code(fg) {
        write!(out, ";{code}")?;
    }
    out.write_all(b"m")
}

/// That of a foreground, of which the theme has no others.
fn code(fg: Color) -> Option<u8> {
    Some(match fg {
        Color::Red => 31,
        Color::Green => 32,
        Color::Yellow => 33,
        Color::Cyan => 36,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;

    fn painted(before: &Buffer, after: &Buffer) -> String {
        let mut out = Vec::new();
        changes(&mut out, before, after).expect("in memory");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_terminal_shows_what_a_frame_has() {
        let area = Rect::new(0, 0, 40, 3);
        let empty = Buffer::empty(area);
        let mut frame = empty.clone();
        let styles = [
            Style::new(),
            Style::new().fg(Color::Cyan).add_modifier(Modifier::BOLD),
            Style::new().fg(Color::Red).add_modifier(Modifier::DIM),
            Style::new().add_modifier(Modifier::REVERSED),
        ];
        for (column, style) in (0..).zip(styles) {
            frame.set_string(column * 10, 0, "▂▄ 本 b…", style);
            frame.set_string(column * 10, 2, "ok", style);
        }
        let text = painted(&empty, &frame);
        let size = |n| NonZeroU16::new(n).expect("a size");
        let mut parser = vt100::Parser::new(size(3), size(40), 0);
        parser.process(text.as_bytes());
        let screen = parser.screen();
        for (row, column) in (0..3).flat_map(|row| (0..40).map(move |column| (row, column))) {
            let (cell, told) = (
                &frame[(column, row)],
                screen.cell(row, column).expect("one"),
            );
            let symbol = cell.symbol().trim();
            assert_eq!(told.contents().trim(), symbol, "{row}, {column}: {text:?}");
            if symbol.is_empty() {
                continue;
            }
            let color =
                code(cell.fg).map_or(vt100::Color::Default, |code| vt100::Color::Idx(code - 30));
            assert_eq!(told.fgcolor(), color);
            assert_eq!(told.bold(), cell.modifier.contains(Modifier::BOLD));
            assert_eq!(told.dim(), cell.modifier.contains(Modifier::DIM));
            assert_eq!(told.inverse(), cell.modifier.contains(Modifier::REVERSED));
        }
        assert_eq!(
            screen.fgcolor(),
            vt100::Color::Default,
            "it is left as it was"
        );
    }

    #[test]
    fn only_what_has_changed_is_written_and_rows_of_a_doubtful_width_whole() {
        let before = Buffer::with_lines(["connects 12", "abc│", "été"]);
        let after = Buffer::with_lines(["connects 34", "กำc│", "ete"]);
        let row = |text: &str| format!("\x1b[2;1H{text}       ");
        let thai = "  \x1b[2;1Hกำ\x1b[2;3Hc│";
        assert_eq!(
            painted(&before, &after),
            format!("\x1b[1;10H34{}\x1b[3;1He\x1b[3;3He", row(thai))
        );
        // Nothing is left of it, whatever a terminal had made of it.
        let (before, after) = (after, before);
        let back = painted(&before, &after);
        assert!(back.contains(&row("abc│")), "{back:?}");
        assert_eq!(painted(&after, &after), "");
    }
}
