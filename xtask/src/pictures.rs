//! Pictures of the screens for the README: the program runs on a terminal that nobody sees, and what is on its screen becomes
//! an SVG. Bars are drawn, not written, so that no font leaves gaps in them.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::num::NonZeroU16;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use pty_process::Size;

use super::{browser, root, run as run_command, target};

/// A screen to take a picture of.
struct Picture {
    /// The file below `docs`.
    file: &'static str,
    /// Of the program, from the root of the repository.
    args: &'static [&'static str],
    rows: u16,
    columns: u16,
    /// It is there once this is on the screen…
    ready: &'static str,
    /// …and these keys end it.
    end: &'static str,
}

const PICTURES: &[Picture] = &[
    Picture {
        file: "top.svg",
        args: &[
            "top",
            "--at",
            "05:21:19",
            "testdata/demo/postgresql.log.zst",
        ],
        rows: 38,
        columns: 118,
        ready: "exact since",
        end: "q",
    },
    Picture {
        file: "watch.svg",
        args: &[
            "watch",
            "--quiet",
            "--last",
            "19s",
            "testdata/demo/postgresql.log.zst",
        ],
        rows: 22,
        columns: 118,
        ready: " open ",
        // Ctrl+C
        end: "\x03",
    },
];

/// Makes all pictures anew.
pub(crate) fn run() -> Result<()> {
    run_command(Command::new("cargo").args(["build", "--locked", "-p", "pgcensus"]))?;
    let program = target().join("debug/pgcensus");
    for picture in PICTURES {
        let screen = picture.take(&program).context(picture.file)?;
        let path = root().join("docs").join(picture.file);
        std::fs::write(&path, svg(&screen)).with_context(|| path.display().to_string())?;
        println!("xtask: {}", path.display());
    }
    page(&program)
}

/// Makes a picture of a page, from a log that has a day.
fn page(program: &Path) -> Result<()> {
    let browser = browser::find_or_install()?;
    let dir = tempfile::tempdir()?;
    let page = dir.path().join("page.html");
    let log = "testdata/situations/full_server";
    let mut report = Command::new(program);
    run_command(report.args(["report", log, "-o"]).arg(&page))?;
    let path = root().join("docs/report.png");
    let screenshot = format!("--screenshot={}", path.display());
    let mut take = Command::new(browser.program);
    take.args([
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--window-size=1280,1180",
        "--virtual-time-budget=2000",
    ]);
    run_command(take.arg(screenshot).arg(&page))?;
    println!("xtask: {}", path.display());
    Ok(())
}

impl Picture {
    fn take(&self, program: &Path) -> Result<vt100::Screen> {
        let (mut pty, pts) = pty_process::blocking::open()?;
        pty.resize(Size::new(self.rows, self.columns))?;
        let mut child = pty_process::blocking::Command::new(program)
            .args(self.args)
            .current_dir(root())
            .env("TERM", "xterm-256color")
            .env_remove("NO_COLOR")
            .spawn(pts)?;
        let size = |n| NonZeroU16::new(n).context("a size of 0");
        let mut parser = vt100::Parser::new(size(self.rows)?, size(self.columns)?, 0);
        let mut buffer = [0; 1 << 14];
        let mut screen = None;
        // Until it closes the terminal; what was there before is the picture.
        while let Ok(n @ 1..) = pty.read(&mut buffer) {
            parser.process(&buffer[..n]);
            let is_whole = FRAME_ENDS.iter().any(|end| buffer[..n].ends_with(end));
            if screen.is_none() && is_whole && parser.screen().contents().contains(self.ready) {
                screen = Some(parser.screen().clone());
                pty.write_all(self.end.as_bytes())?;
            }
        }
        child.wait()?;
        match screen {
            Some(screen) => Ok(screen),
            None => bail!(
                "{:?} never came:\n{}",
                self.ready,
                parser.screen().contents()
            ),
        }
    }
}

/// What ends a frame: that of a synchronized update, and the line of totals.
const FRAME_ENDS: [&[u8]; 2] = [b"\x1b[?2026l", b"\x1b[K"];

/// Width and height of a character, in pixels.
const CELL: (f32, f32) = (8.0, 17.0);
const MARGIN: f32 = 12.0;
const BACKGROUND: &str = "#16181d";
const TEXT: &str = "#d5d8de";

/// The eight colours that the program uses, and their bright ones.
const PALETTE: [&str; 16] = [
    "#3b4048", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#d5d8de",
    "#5c6370", "#ff7b86", "#b5e890", "#ffd88a", "#7cc4ff", "#dc8ff3", "#6fd3e0", "#ffffff",
];

fn svg(screen: &vt100::Screen) -> String {
    let (rows, columns) = screen.size();
    let (width, height) = (
        f32::from(columns.get()) * CELL.0 + 2.0 * MARGIN,
        f32::from(rows.get()) * CELL.1 + 2.0 * MARGIN,
    );
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"13.3\">\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"{BACKGROUND}\"/>\n"
    );
    for row in 0..rows.get() {
        let mut run = Run::default();
        for column in 0..columns.get() {
            let Some(cell) = screen.cell(row, column) else {
                continue;
            };
            let style = Style::of(cell);
            let text = if cell.has_contents() {
                cell.contents()
            } else {
                " "
            };
            let place = (f32::from(column), f32::from(row));
            if style.is_inverse {
                rect(&mut out, place, (0.0, 0.0, 1.0, 1.0), style.fill, 1.0);
            }
            if let Some(bar) = text.chars().next().and_then(bar) {
                run.end(&mut out);
                rect(&mut out, place, bar, style.ink(), style.opacity());
            } else if text != " " || !run.text.is_empty() {
                run.add(&mut out, place, text, style);
            }
        }
        run.end(&mut out);
    }
    out + "</svg>\n"
}

/// The part of a cell that a bar fills: left, top, width, height.
fn bar(c: char) -> Option<(f32, f32, f32, f32)> {
    let eighths = |n: u32| n as f32 / 8.0;
    match c {
        '▁'..='█' => {
            let filled = eighths(c as u32 - '▁' as u32 + 1);
            Some((0.0, 1.0 - filled, 1.0, filled))
        }
        '━' => Some((0.0, 0.42, 1.0, 0.16)),
        '╸' => Some((0.0, 0.42, 0.5, 0.16)),
        _ => None,
    }
}

fn rect(
    out: &mut String,
    (column, row): (f32, f32),
    (left, top, width, height): (f32, f32, f32, f32),
    fill: &str,
    opacity: f32,
) {
    let (x, y) = (
        MARGIN + (column + left) * CELL.0,
        MARGIN + (row + top) * CELL.1,
    );
    let (width, height) = (width * CELL.0 + 0.1, height * CELL.1 + 0.1);
    let _ = writeln!(
        out,
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{fill}\" opacity=\"{opacity}\"/>"
    );
}

#[derive(Clone, Copy, Default, PartialEq)]
struct Style {
    fill: &'static str,
    is_bold: bool,
    is_dim: bool,
    is_inverse: bool,
}

impl Style {
    fn of(cell: &vt100::Cell) -> Style {
        let fill = match cell.fgcolor() {
            vt100::Color::Idx(n) => PALETTE.get(usize::from(n)).copied().unwrap_or(TEXT),
            _ => TEXT,
        };
        Style {
            fill,
            is_bold: cell.bold(),
            is_dim: cell.dim(),
            is_inverse: cell.inverse(),
        }
    }

    fn ink(self) -> &'static str {
        if self.is_inverse {
            BACKGROUND
        } else {
            self.fill
        }
    }

    fn opacity(self) -> f32 {
        if self.is_dim { 0.55 } else { 1.0 }
    }
}

/// Characters of one style in a row.
#[derive(Default)]
struct Run {
    text: String,
    columns: u16,
    place: (f32, f32),
    style: Style,
}

impl Run {
    fn add(&mut self, out: &mut String, place: (f32, f32), text: &str, style: Style) {
        if self.style != style || self.text.is_empty() {
            self.end(out);
            self.place = place;
            self.style = style;
        }
        self.text.push_str(text);
        self.columns += 1;
    }

    fn end(&mut self, out: &mut String) {
        let text = self.text.trim_end();
        let columns = self.columns - (self.text.len() - text.len()) as u16;
        if !text.is_empty() {
            let (x, y) = (
                MARGIN + self.place.0 * CELL.0,
                MARGIN + (self.place.1 + 0.76) * CELL.1,
            );
            let fill = self.style.ink();
            let weight = if self.style.is_bold {
                " font-weight=\"bold\""
            } else {
                ""
            };
            let opacity = self.style.opacity();
            let length = f32::from(columns) * CELL.0;
            let text = text.replace('&', "&amp;").replace('<', "&lt;");
            let _ = writeln!(
                out,
                "<text x=\"{x:.1}\" y=\"{y:.1}\" fill=\"{fill}\" opacity=\"{opacity}\"{weight} textLength=\"{length:.1}\" xml:space=\"preserve\">{text}</text>"
            );
        }
        self.text.clear();
        self.columns = 0;
    }
}
