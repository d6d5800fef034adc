//! The terminal: taken over, drawn on, and given back as it was, whatever ends the program.

use std::io::{self, BufWriter, Stdout, Write};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use ratatui::buffer::Buffer;
use ratatui::crossterm::cursor::{Hide, MoveTo, Show};
use ratatui::crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use ratatui::crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen,
    LeaveAlternateScreen, disable_raw_mode, enable_raw_mode, size,
};
use ratatui::crossterm::{execute, queue};
use ratatui::layout::Rect;

use super::paint;

/// The terminal is ours now.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);

/// The terminal, as long as it is ours.
pub(super) struct Screen {
    out: BufWriter<Stdout>,
    /// What is on it; of no size where nobody knows.
    shown: Buffer,
}

impl Screen {
    /// Takes the terminal over. It is given back when this is dropped, and when any thread panics.
    pub(super) fn take() -> io::Result<Screen> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                // First, so that what is said of the panic stays readable.
                give_back();
                before(info);
            }));
        });
        take_over()?;
        Ok(Screen {
            out: BufWriter::with_capacity(1 << 16, io::stdout()),
            shown: Buffer::default(),
        })
    }

    /// Its size.
    #[expect(
        clippy::unused_self,
        reason = "it is that of the terminal that is ours"
    )]
    pub(super) fn area(&self) -> io::Result<Rect> {
        let (width, height) = size()?;
        Ok(Rect::new(0, 0, width, height))
    }

    /// Writes what has changed, at once.
    pub(super) fn draw(&mut self, draw: impl FnOnce(Rect, &mut Buffer)) -> io::Result<()> {
        let area = self.area()?;
        let mut next = Buffer::empty(area);
        draw(area, &mut next);
        queue!(self.out, BeginSynchronizedUpdate)?;
        if self.shown.area != area {
            queue!(self.out, Clear(ClearType::All))?;
            self.shown = Buffer::empty(area);
        }
        paint::changes(&mut self.out, &self.shown, &next)?;
        queue!(self.out, EndSynchronizedUpdate)?;
        self.shown = next;
        self.out.flush()
    }

    /// The next frame is drawn whole.
    pub(super) fn forget(&mut self) {
        self.shown = Buffer::default();
    }

    /// Gives the terminal to the shell until it is called back.
    pub(super) fn suspend(&mut self) -> io::Result<()> {
        give_back();
        stop();
        self.resume()
    }

    /// Takes it over again: somebody else may have changed it.
    pub(super) fn resume(&mut self) -> io::Result<()> {
        take_over()?;
        self.forget();
        Ok(())
    }

    /// Gives text to the clipboard of the terminal (OSC 52), which may ignore it.
    pub(super) fn copy(&mut self, text: &str) -> io::Result<()> {
        write!(self.out, "\x1b]52;c;{}\x07", base64(text.as_bytes()))?;
        self.out.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

fn take_over() -> io::Result<()> {
    if IS_TAKEN.swap(true, Ordering::SeqCst) {
        // It was taken from us meanwhile; crossterm thinks that it was not.
        disable_raw_mode()?;
    }
    enable_raw_mode()?;
    execute!(
        io::stdout(),
        EnterAlternateScreen,
        EnableMouseCapture,
        EnableBracketedPaste,
        Hide
    )
}

fn give_back() {
    if IS_TAKEN.swap(false, Ordering::SeqCst) {
        // Whoever has closed the terminal cannot be told. One that has no other screen shall not keep half a frame.
        execute!(
            io::stdout(),
            DisableBracketedPaste,
            DisableMouseCapture,
            MoveTo(0, 0),
            Clear(ClearType::All),
            Show,
            LeaveAlternateScreen
        )
        .ok();
        disable_raw_mode().ok();
    }
}

/// Stops this job, as Ctrl+Z does where the terminal is not ours. Whoever has no shell to go back to is not stopped.
#[cfg(unix)]
fn stop() {
    rustix::process::kill_current_process_group(rustix::process::Signal::TSTP).ok();
}

#[cfg(not(unix))]
fn stop() {}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let byte = |i: usize| u32::from(three.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * i)) as usize & 63];
            out.push(if i <= three.len() {
                char::from(digit)
            } else {
                '='
            });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::base64;

    /// What the test below starts of itself, on a terminal: set to the thread that panics.
    #[cfg(unix)]
    const PANICS: &str = "PGCENSUS_TEST_PANICS";

    /// The panic is the test's own: it starts itself once more, under a shell on a terminal.
    #[cfg(unix)]
    #[test]
    fn a_panic_gives_the_terminal_back_before_it_is_told() {
        use std::io::Read;

        match std::env::var(PANICS).as_deref() {
            Ok("this") => {
                let _screen = super::Screen::take().expect("a terminal");
                panic!("on purpose");
            }
            Ok(_) => {
                let screen = super::Screen::take().expect("a terminal");
                let other = std::thread::spawn(|| panic!("on purpose"));
                other.join().expect_err("it panics");
                // Nobody takes it again, nor gives it back twice.
                return drop(screen);
            }
            Err(_) => {}
        }
        let name = "command::top::screen::tests::a_panic_gives_the_terminal_back_before_it_is_told";
        for thread in ["this", "other"] {
            let (mut pty, pts) = pty_process::blocking::open().expect("a terminal");
            pty.resize(pty_process::Size::new(24, 80))
                .expect("its size");
            let script = format!("stty -a; \"$TEST\" --exact {name} --nocapture; echo; stty -a");
            let mut shell = pty_process::blocking::Command::new("sh")
                .args(["-c", &script])
                .env("TERM", "xterm-256color")
                .env("TEST", std::env::current_exe().expect("this test"))
                .env(PANICS, thread)
                .spawn(pts)
                .expect("a shell");
            let mut written = Vec::new();
            let mut buffer = [0; 1 << 12];
            // At the end of whoever writes to it, a terminal fails.
            while let Ok(n @ 1..) = pty.read(&mut buffer) {
                written.extend(&buffer[..n]);
            }
            shell.wait().expect("its end");
            let text = String::from_utf8_lossy(&written);
            let place = |part: &str| {
                text.find(part)
                    .unwrap_or_else(|| panic!("{part} in {text}"))
            };
            let (taken, left) = (place("\x1b[?1049h"), place("\x1b[?1049l"));
            assert!(taken < left && left < place("on purpose"), "{text}");
            assert_eq!(text.matches("\x1b[?1049l").count(), 1, "{text}");
            let mut parser = vt100::Parser::new(
                std::num::NonZeroU16::new(24).expect("rows"),
                std::num::NonZeroU16::new(80).expect("columns"),
                0,
            );
            parser.process(&written);
            let screen = parser.screen();
            assert!(
                !screen.alternate_screen() && !screen.hide_cursor(),
                "{text}"
            );
            assert!(!screen.bracketed_paste(), "{text}");
            assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
            // Raw mode is over: lines are edited, echoed and interrupted as before.
            let modes: Vec<&str> = text.split("speed ").skip(1).collect();
            let [before, after] = modes[..] else {
                panic!("{text}");
            };
            for mode in ["icanon", "echo", "isig", "opost", "icrnl"] {
                let is_on = |modes: &str| modes.split_whitespace().any(|word| word == mode);
                assert!(is_on(before) && is_on(after), "{mode}: {text}");
            }
        }
    }

    #[test]
    fn base64_is_that_of_rfc_4648() {
        for (text, expected) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(text.as_bytes()), expected);
        }
    }
}
