//! `top` on a terminal: a shell is typed into, and what its screen shows is read, as somebody would who sits there. The
//! terminal is left as it was found, however it ends.

#![cfg(unix)]

use std::io::{Read as _, Write as _};
use std::num::NonZeroU16;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use pty_process::Size;
use pty_process::blocking::{Pty, open};

/// What takes longer never comes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A shell on a terminal.
struct Terminal {
    pty: Arc<Pty>,
    shell: std::process::Child,
    output: Receiver<Vec<u8>>,
    parser: vt100::Parser,
    /// All that was written, escape sequences and all.
    written: Vec<u8>,
    runs: u32,
}

impl Terminal {
    fn new(rows: u16, columns: u16) -> Terminal {
        let (pty, pts) = open().expect("a terminal");
        pty.resize(Size::new(rows, columns)).expect("its size");
        let shell = pty_process::blocking::Command::new("sh")
            .arg("-i")
            .env("PS1", "ready> ")
            .env("TERM", "xterm-256color")
            .env("PROGRAM", env!("CARGO_BIN_EXE_pgcensus"))
            .env("LOG", testdata("demo/postgresql.log.zst"))
            .env_remove("NO_COLOR")
            .env_remove("ENV")
            .spawn(pts)
            .expect("a shell");
        let pty = Arc::new(pty);
        let (send, output) = channel();
        let reader = pty.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 1 << 14];
            while let Ok(n @ 1..) = (&*reader).read(&mut buffer) {
                if send.send(buffer[..n].to_vec()).is_err() {
                    return;
                }
            }
        });
        let size = |n| NonZeroU16::new(n).expect("a size");
        let mut terminal = Terminal {
            pty,
            shell,
            output,
            parser: vt100::Parser::new(size(rows), size(columns), 0),
            written: Vec::new(),
            runs: 0,
        };
        terminal.wait("the shell", |screen| screen.contains("ready> "));
        terminal
    }

    fn press(&self, keys: &str) {
        (&*self.pty).write_all(keys.as_bytes()).expect("a terminal");
    }

    fn screen(&self) -> String {
        self.parser.screen().contents()
    }

    /// Waits until the screen is as wanted.
    fn wait(&mut self, what: &str, is_there: impl Fn(&str) -> bool) {
        self.wait_for(what, |parser| is_there(&parser.screen().contents()));
    }

    fn wait_for(&mut self, what: &str, is_there: impl Fn(&vt100::Parser) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !is_there(&self.parser) {
            let left = end.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => {
                    self.parser.process(&bytes);
                    self.written.extend(bytes);
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("{what} did not come; the screen:\n{}", self.screen())
                }
            }
        }
    }

    /// Types a line into the shell and waits for its end; what it wrote.
    fn run(&mut self, line: &str) -> String {
        self.runs += 1;
        // What is typed is on the screen too: the mark is not in it.
        let mark = format!("done {}", 1_000 + self.runs);
        self.press(&format!(
            "clear; {line}; echo done $((1000 + {}))\n",
            self.runs
        ));
        self.wait(line, |screen| screen.contains(&mark));
        let screen = self.screen();
        screen.split(&mark).next().unwrap_or_default().to_owned()
    }

    fn is_taken(&self) -> bool {
        self.parser.screen().alternate_screen()
    }

    /// Starts `top` and waits for its first numbers.
    fn top(&mut self, args: &str) {
        self.press(&format!("clear; \"$PROGRAM\" top {args}; echo status $?\n"));
        self.wait_for("top", |parser| {
            let screen = parser.screen();
            screen.alternate_screen() && screen.contents().contains("exact since")
        });
    }

    /// It is over, with this status, and the terminal is as it was.
    fn is_over(&mut self, status: &str, before: &str) {
        self.wait_for(status, |parser| {
            let screen = parser.screen();
            let text = screen.contents();
            !screen.alternate_screen()
                && text.contains(status)
                && text.trim_end().ends_with("ready>")
        });
        let screen = self.parser.screen();
        assert!(!screen.hide_cursor(), "the cursor is hidden");
        assert!(!screen.bracketed_paste(), "pastes are bracketed");
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
        assert_eq!(self.run("stty -a"), before);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.shell.kill().ok();
        self.shell.wait().ok();
    }
}

fn testdata(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata")
        .join(path)
}

const LEFT: &str = "\x1b[D";
const END: &str = "\x1b[F";
const ESC: &str = "\x1b";

#[test]
fn a_sitting_opens_filters_drills_down_holds_scrubs_and_quits() {
    let mut terminal = Terminal::new(24, 80);
    let before = terminal.run("stty -a");
    terminal.top("\"$LOG\"");
    terminal.wait("the peak", |screen| screen.contains("peak 12"));

    terminal.press("/user=shop*");
    terminal.wait("fewer", |screen| screen.contains("peak 3"));
    terminal.press("\r");
    terminal.press(ESC);
    terminal.wait("all again", |screen| screen.contains("peak 12"));

    terminal.press("5\r");
    terminal.wait("refusals", |screen| {
        screen.contains("refused: password_failed ─")
    });
    terminal.press("\r");
    terminal.wait("lines", |screen| {
        screen.contains("its history") && screen.contains("FATAL:  password authentication failed")
    });
    terminal.press(ESC);
    terminal.wait("refusals again", |screen| {
        screen.contains("refused: password_failed ─")
    });
    terminal.press(ESC);
    terminal.wait("panels", |screen| screen.contains("1 application"));

    terminal.press(" ");
    terminal.wait("held", |screen| screen.contains("held 05:21:36"));
    terminal.press(LEFT);
    terminal.wait("the past", |screen| screen.contains("at 05:21:3"));
    for _ in 0..18 {
        terminal.press(LEFT);
    }
    terminal.wait("the past of before", |screen| {
        screen.contains("at 05:21:18") && screen.starts_with("7 open")
    });
    terminal.press(END);
    terminal.wait(
        "now, and keys: that a compressed log does not grow is no news",
        |screen| screen.starts_with("2 open") && screen.contains("? help"),
    );

    // A click into the timeline, one on the first user, another one on it.
    terminal.press("\x1b[<0;40;4M\x1b[<0;40;4m");
    terminal.wait("the past of the click", |screen| {
        screen.contains(" at 05:21:1")
    });
    terminal.press(END);
    terminal.wait("now again", |screen| screen.starts_with("2 open"));
    for _ in 0..2 {
        terminal.press("\x1b[<0;30;11M\x1b[<0;30;11m");
    }
    terminal.wait("sessions", |screen| screen.contains("sessions of user"));
    terminal.press(ESC);
    terminal.wait("panels", |screen| screen.contains("1 application"));

    terminal.press("y");
    terminal.wait("a copy", |screen| screen.contains("copied: "));
    let osc = |bytes: &[u8]| bytes.windows(7).any(|seven| seven == b"\x1b]52;c;");
    assert!(osc(&terminal.written), "nothing for the clipboard");

    terminal
        .pty
        .resize(Size::new(40, 120))
        .expect("another size");
    let size = |n| NonZeroU16::new(n).expect("a size");
    terminal.parser.screen_mut().set_size(size(40), size(120));
    terminal.wait("a larger screen", |screen| screen.contains("7 events"));
    terminal.pty.resize(Size::new(24, 80)).expect("its size");
    terminal.parser.screen_mut().set_size(size(24), size(80));
    terminal.wait("a smaller screen", |screen| !screen.contains("7 events"));

    terminal.press("\x1a");
    terminal.wait_for("the shell", |parser| !parser.screen().alternate_screen());
    terminal.wait("a prompt", |screen| screen.trim_end().ends_with("ready>"));
    assert_eq!(terminal.run("stty -a"), before, "after Ctrl+Z");
    terminal.press("fg\n");
    terminal.wait_for("top again", |parser| {
        parser.screen().alternate_screen() && parser.screen().contents().starts_with("2 open")
    });

    terminal.press("q");
    terminal.wait_for("the end", |parser| !parser.screen().alternate_screen());
    terminal.is_over("ready>", &before);
}

#[test]
fn the_terminal_is_left_as_it_was_found_after_a_signal() {
    let mut terminal = Terminal::new(24, 80);
    let before = terminal.run("stty -a");
    let directory = std::env::temp_dir().join(format!("pgcensus-top-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    let pid_file = directory.join("pid");
    for (signal, status) in [
        ("TERM", "status 143"),
        ("INT", "status 0"),
        ("HUP", "status 129"),
        ("QUIT", "status 131"),
    ] {
        let line = format!(
            "clear; sh -c 'echo $$ > {}; exec \"$PROGRAM\" top \"$LOG\"'; echo status $?\n",
            pid_file.display()
        );
        terminal.press(&line);
        terminal.wait_for("top", |parser| {
            let screen = parser.screen();
            screen.alternate_screen() && screen.contents().contains("exact since")
        });
        assert!(terminal.is_taken());
        let pid = std::fs::read_to_string(&pid_file).expect("its pid");
        let killed = Command::new("kill")
            .args(["-s", signal, pid.trim()])
            .status()
            .expect("kill");
        assert!(killed.success());
        terminal.is_over(status, &before);
    }
    std::fs::remove_dir_all(&directory).ok();
    // No key sends one while the terminal is ours: it is the status that counts.
    terminal.top("\"$LOG\"");
    terminal.press("\x1c");
    terminal.is_over("status 131", &before);
}

#[test]
fn what_is_piped_in_is_looked_at_while_keys_come_from_the_terminal() {
    let mut terminal = Terminal::new(24, 80);
    let before = terminal.run("stty -a");
    terminal.press("clear; cat \"$LOG\" | \"$PROGRAM\" top -; echo status $?\n");
    terminal.wait_for("top", |parser| {
        let screen = parser.screen();
        screen.alternate_screen() && screen.contents().contains("exact since")
    });
    terminal.press(LEFT);
    terminal.wait("the past", |screen| screen.contains("at 05:21:3"));
    terminal.press("q");
    terminal.is_over("status 0", &before);
}

/// A log that a server writes now.
struct Written {
    path: std::path::PathBuf,
    _directory: tempfile::TempDir,
}

impl Written {
    fn new() -> Written {
        let directory = tempfile::tempdir().expect("a directory");
        let mut log = Written {
            path: directory.path().join("postgresql.log"),
            _directory: directory,
        };
        log.write(1, "starting PostgreSQL 16.4 on x86_64-pc-linux-gnu");
        log.write(1, "database system is ready to accept connections");
        log.connect(90, "app");
        log.disconnect(90, "app");
        log
    }

    fn write(&mut self, pid: u32, text: &str) {
        let text = if text.contains(":  ") {
            text.to_owned()
        } else {
            format!("LOG:  {text}")
        };
        let now = jiff::Timestamp::now().strftime("%F %T%.3f");
        let file = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(&self.path);
        let line = format!("{now} UTC [{pid}] {text}\n");
        file.expect("a log")
            .write_all(line.as_bytes())
            .expect("written");
    }

    fn connect(&mut self, pid: u32, user: &str) {
        self.write(
            pid,
            &format!("connection authorized: user={user} database=shop application_name=api"),
        );
    }

    fn disconnect(&mut self, pid: u32, user: &str) {
        self.write(pid, &format!("disconnection: session time: 0:00:00.100 user={user} database=shop host=10.0.0.7 port=5432"));
    }

    /// As logrotate's `copytruncate`.
    fn copy_and_truncate(&self) {
        std::fs::copy(&self.path, self.path.with_extension("log.1")).expect("copied");
        std::fs::File::create(&self.path).expect("made empty");
    }

    fn rotate(&self) {
        std::fs::rename(&self.path, self.path.with_extension("log.1")).expect("renamed");
    }
}

#[test]
fn a_log_that_grows_is_seen_as_it_grows() {
    let mut terminal = Terminal::new(30, 100);
    let before = terminal.run("stty -a");
    let mut log = Written::new();
    terminal.top(&log.path.display().to_string());
    terminal.wait("nobody", |screen| screen.starts_with("0 open"));
    for pid in 100..103 {
        log.connect(pid, "app");
    }
    terminal.wait("three", |screen| screen.starts_with("3 open"));
    // The past is read from the files as they are by then.
    terminal.press(LEFT);
    terminal.wait("the past", |screen| screen.contains(" at "));
    log.rotate();
    log.connect(200, "bi");
    terminal.press(END);
    terminal.wait("four, of two files", |screen| screen.starts_with("4 open"));
    for n in 0..3 {
        log.write(
            300 + n,
            "FATAL:  password authentication failed for user \"eve\"",
        );
        log.disconnect(100 + n, "app");
    }
    terminal.wait("one is left", |screen| {
        screen.starts_with("1 open") && screen.contains("password_failed")
    });
    terminal.press("/user=app\r");
    terminal.wait("nobody of these", |screen| screen.starts_with("0 open"));
    log.connect(101, "app");
    terminal.wait("one of these", |screen| screen.starts_with("1 open"));
    // `RAISE LOG` of a client, of which the CONTEXT comes late.
    log.connect(500, "app");
    terminal.wait("it is believed", |screen| screen.starts_with("2 open"));
    log.write(500, "CONTEXT:  PL/pgSQL function f() line 1 at RAISE");
    terminal.wait("it was none", |screen| screen.starts_with("1 open"));
    terminal.press("q");
    terminal.is_over("status 0", &before);
}

/// The past of a file that was made empty is in its copy.
#[test]
fn a_file_that_is_copied_and_made_empty_is_one_log() {
    let mut terminal = Terminal::new(30, 100);
    let before = terminal.run("stty -a");
    let mut log = Written::new();
    log.connect(100, "app");
    terminal.top(&log.path.display().to_string());
    terminal.wait("one", |screen| screen.starts_with("1 open"));
    log.copy_and_truncate();
    log.connect(200, "bi");
    terminal.wait("two", |screen| screen.starts_with("2 open"));
    // The lines of the session are read once more, from where they are by now.
    terminal.press("1/user=app\r");
    terminal.wait("who is left", |screen| screen.starts_with("1 open"));
    terminal.press("\r");
    terminal.wait("its session", |screen| {
        screen.contains("[pid 100]") || screen.contains(" 100 ")
    });
    terminal.press("\r");
    terminal.wait("its lines", |screen| {
        screen.contains("LOG:  connection authorized: user=app")
    });
    terminal.press("q");
    terminal.is_over("status 0", &before);
}

#[test]
fn watch_tells_what_recurs_together_above_a_line_of_totals() {
    let mut terminal = Terminal::new(30, 100);
    let before = terminal.run("stty -a");
    let mut log = Written::new();
    terminal.press(&format!(
        "clear; \"$PROGRAM\" watch {}; echo status $?\n",
        log.path.display()
    ));
    terminal.wait("the totals", |screen| screen.contains("0 open"));
    log.connect(100, "app");
    terminal.wait("an event and the totals below it", |screen| {
        let mut lines = screen.lines().rev().skip_while(|line| line.is_empty());
        let (totals, event) = (lines.next(), lines.next());
        totals.is_some_and(|totals| totals.starts_with("1 open"))
            && event.is_some_and(|event| event.contains("[+] app@shop  api [pid 100]"))
    });
    for n in 0..10 {
        log.write(
            300 + n,
            "FATAL:  password authentication failed for user \"eve\"",
        );
    }
    terminal.wait("the rest of them", |screen| {
        screen.contains("+7 refused like this in 1 s: password_failed (28P01)  eve")
    });
    terminal.press("\x03");
    terminal.wait("the summary", |screen| {
        screen.contains("1 connected, 0 disconnected, 10 refused; 1 open now")
    });
    terminal.is_over("status 0", &before);
}

#[test]
fn no_color_writes_none() {
    let mut terminal = Terminal::new(24, 80);
    terminal.press("NO_COLOR=1; export NO_COLOR\n");
    terminal.top("\"$LOG\"");
    let screen = terminal.parser.screen();
    let cells = (0..24).flat_map(|row| (0..80).map(move |column| (row, column)));
    for (row, column) in cells {
        let cell = screen.cell(row, column).expect("a cell");
        assert_eq!(cell.fgcolor(), vt100::Color::Default, "{row}, {column}");
        assert_eq!(cell.bgcolor(), vt100::Color::Default, "{row}, {column}");
    }
    terminal.press("q");
    terminal.wait_for("the end", |parser| !parser.screen().alternate_screen());
}

/// As terminals of eight colours know them, such as the console of Linux.
#[test]
fn colours_are_the_eight_that_all_have() {
    let mut terminal = Terminal::new(24, 80);
    terminal.press("TERM=linux; export TERM\n");
    terminal.top("\"$LOG\"");
    terminal.press("q");
    terminal.wait_for("the end", |parser| !parser.screen().alternate_screen());
    let text = String::from_utf8_lossy(&terminal.written);
    let styles = text.split("\x1b[").filter_map(|part| {
        let (codes, rest) = part.split_at(part.find(|c: char| !c.is_ascii_digit() && c != ';')?);
        rest.starts_with('m').then_some(codes)
    });
    let codes: std::collections::BTreeSet<_> = styles.flat_map(|codes| codes.split(';')).collect();
    let known = ["0", "1", "2", "7", "31", "32", "33", "36"];
    assert!(codes.contains("36"), "{codes:?}");
    assert!(codes.iter().all(|code| known.contains(code)), "{codes:?}");
}

#[test]
fn a_terminal_without_a_cursor_is_not_drawn_on() {
    let mut terminal = Terminal::new(24, 100);
    let log = Written::new();
    for setting in ["TERM=dumb", "-u TERM", "TERM=unknown"] {
        let said = terminal.run(&format!(
            "env {setting} \"$PROGRAM\" top \"$LOG\"; echo status $?"
        ));
        assert!(said.contains("has no cursor to draw with"), "{said}");
        assert!(said.contains("pgcensus watch"), "{said}");
        assert!(said.contains("status 2"), "{said}");
        assert!(!terminal.is_taken());

        terminal.press(&format!(
            "clear; env {setting} \"$PROGRAM\" watch --last all {}; echo status $?\n",
            log.path.display()
        ));
        terminal.wait("the past", |screen| screen.contains("[-] app@shop"));
        terminal.press("\x03");
        terminal.wait("the summary", |screen| {
            screen.contains("1 connected, 1 disconnected, 0 refused; 0 open now")
                || screen.contains("0 connected, 0 disconnected, 0 refused; 0 open now")
        });
        terminal.wait("its end", |screen| {
            screen.contains("status 0") && screen.trim_end().ends_with("ready>")
        });
        let text = String::from_utf8_lossy(&terminal.written);
        // The last escape is of the shell's `clear`.
        let watched = text.rsplit('\x1b').next().unwrap_or_default();
        assert!(watched.contains("starting PostgreSQL"), "{text:?}");
    }
}

#[test]
fn what_is_no_terminal_is_told_what_to_do() {
    let output = Command::new(env!("CARGO_BIN_EXE_pgcensus"))
        .arg("top")
        .arg(testdata("demo/postgresql.log.zst"))
        .output()
        .expect("the program");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.starts_with("pgcensus: top: standard output is no terminal"),
        "{said}"
    );
}
