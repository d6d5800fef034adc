//! `top`: the loop around the full-screen view.
//!
//! ```text
//! keys, mouse ─┐                         ┌─► Desk ─Ask─► who has the log (a thread; another one reads it again)
//! signals ─────┼─► Message ─► this loop ─┤                   │
//!              │                         └─► frame           │
//!              └──────────────── Moment ◄────────────────────┘
//! ```
//!
//! Nothing here reads a log or waits for one: the loop sleeps until somebody has something to say. It draws at most ten
//! times a second, and only what has changed.

mod desk;
mod earlier;
mod finished;
mod folds;
mod growing;
pub(super) mod kept;
mod lines;
mod paint;
mod screen;
#[cfg(test)]
mod tests;
mod told;

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::ColorChoice;
use pgcensus_core::filter::Filter;
use ratatui::crossterm::event::{self, Event, MouseButton, MouseEventKind};
use ratatui::layout::Rect;

use super::{Asked, moves_cursor};
use crate::cli::typed_filter;
use crate::pipeline::Run;
use crate::source::Request;
use crate::source::file::Kind;
use crate::time_spec;
use crate::view::text::shown;
use crate::view::top::keys::{self, Action};
use crate::view::top::moment::Moment;
use crate::view::top::state::{Effect, State};
use crate::view::top::{self, Theme};
use desk::Desk;
use growing::Growing;
use kept::Kept;
use screen::Screen;

/// The window, where none is asked for.
const WINDOW_MS: i64 = 60 * 60_000;

/// Frames are drawn no faster than this.
const FRAME: Duration = Duration::from_millis(100);

/// How often it is said how far the first reading of the log is.
const PROGRESS: Duration = Duration::from_millis(400);

/// The exit status of what a signal has ended: 128 and its number, as shells have it.
const SIGHUP_STATUS: u8 = 129;
const SIGQUIT_STATUS: u8 = 131;
#[cfg(unix)]
const SIGTERM_STATUS: u8 = 143;

/// What the loop waits for.
enum Message {
    /// A key, the mouse, another size.
    Input(Event),
    /// An answer.
    Moment(Box<Moment>),
    /// There is no answer.
    Failed(anyhow::Error),
    /// The terminal was taken from us and is ours again.
    #[cfg_attr(not(unix), expect(dead_code, reason = "signals tell it"))]
    Continued,
    /// A signal ends the program, with this exit status.
    Ended(u8),
}

impl Asked<'_> {
    pub(super) fn top(
        &self,
        run: Run<'_>,
        limits: time_spec::Window,
        request: &Request,
        last: Option<pgcensus_core::instant::Instant>,
        kept: Option<&Kept>,
    ) -> anyhow::Result<ExitCode> {
        if !io::stdout().is_terminal() {
            bail!(
                "top: standard output is no terminal; pgcensus summary and pgcensus history print the same numbers"
            );
        }
        if !moves_cursor() {
            let term = std::env::var("TERM").unwrap_or_default();
            bail!(
                "top: a terminal of TERM='{}' has no cursor to draw with; pgcensus watch tells line by line what happens",
                shown(term.as_bytes())
            );
        }
        let files = self.plan.servers.iter().flat_map(|server| &server.files);
        for log in files {
            if matches!(log.kind, Kind::Stream(_)) {
                bail!(
                    "{}: top reads its input more than once, which cannot be done with this; pipe it in (… | pgcensus top -)",
                    log.display
                );
            }
        }
        // `--at` is where the cursor begins, and not the end.
        let window = &self.args.window;
        let at = limits.until.filter(|_| window.at.is_some());
        let limits = time_spec::Window {
            until: limits.until.filter(|_| at.is_none()),
            ..limits
        };
        // What comes from elsewhere than the keyboard is for the loop: it gives the terminal back.
        run.reading.interrupt.hold();
        let growing = Growing {
            asked: self,
            request,
            log_timezone: run.log_timezone,
            threads: run.threads,
            chunk_size: run.chunk_size,
            limits,
            last,
            stdin: kept.map(|kept| kept.problem.clone()),
            held: Mutex::default(),
            again: Desk::default(),
            earlier: Mutex::default(),
        };
        let is_asked_for = limits.since.is_some() || window.last.is_some();
        let window_ms = (!is_asked_for).then_some(WINDOW_MS);
        let mut state = State::new(window_ms, at, self.args.typed_filter());
        let desk = Desk::default();
        let (send, messages) = channel();
        thread::scope(|scope| {
            let (growing, desk) = (&growing, &desk);
            let answers = send.clone();
            scope.spawn(move || with_answers(&answers, || growing.answer(desk, &answers)));
            let answers = send.clone();
            scope.spawn(move || with_answers(&answers, || growing.read(desk, &answers)));
            // However this ends, the threads do too.
            let _closed = (Closed(desk), Closed(&growing.again));
            let theme = Theme {
                color: has_color(self.args.show.color),
            };
            Loop {
                state: &mut state,
                desk,
                again: &growing.again,
                theme,
                filter: run.filter,
                size: self.plan.size(),
                area: Rect::default(),
                is_due: true,
            }
            .run(&send, &messages)
        })
    }
}

/// Closes the desk when it is dropped.
struct Closed<'d>(&'d Desk);

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Ends the loop where the thread that has it panics.
struct Panics<'s>(&'s Sender<Message>);

impl Drop for Panics<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.send(Message::Ended(0)).ok();
        }
    }
}

/// Answers questions.
fn with_answers(answers: &Sender<Message>, answer: impl FnOnce()) {
    // A screen without answers is of no use: the panic has been said, and the loop shall end.
    let _panics = Panics(answers);
    answer();
}

/// Colours, unless they are not wanted.
fn has_color(choice: ColorChoice) -> bool {
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => wanted,
    }
}

/// The loop.
struct Loop<'l> {
    state: &'l mut State,
    desk: &'l Desk,
    /// Of what is read once more.
    again: &'l Desk,
    theme: Theme,
    /// The last one that could be read.
    filter: Filter,
    /// Bytes that there are to read; `None`: nobody knows.
    size: Option<u64>,
    area: Rect,
    /// Something else is to be seen.
    is_due: bool,
}

impl Loop<'_> {
    fn run(
        &mut self,
        send: &Sender<Message>,
        messages: &Receiver<Message>,
    ) -> anyhow::Result<ExitCode> {
        listen(send).context("signals")?;
        let mut screen = Screen::take().context("the terminal")?;
        read_input(send.clone());
        self.area = screen.area()?;
        top::fit(self.state, self.area);
        self.ask();
        let mut drawn: Option<Instant> = None;
        loop {
            let left = drawn.map_or(Duration::ZERO, |drawn| {
                FRAME.saturating_sub(drawn.elapsed())
            });
            if self.is_due && left.is_zero() {
                self.draw(&mut screen)?;
                drawn = Some(Instant::now());
                continue;
            }
            let frame = self.is_due.then_some(left);
            let progress = self.state.moment.is_none().then_some(PROGRESS);
            let wait = [frame, self.again.hurry(), progress]
                .into_iter()
                .flatten()
                .min();
            let message = match wait {
                Some(wait) => messages.recv_timeout(wait),
                None => messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            let effect = match message {
                Err(RecvTimeoutError::Timeout) => {
                    if progress.is_some() {
                        self.state.progress = self.desk.bytes().map(|read| (read, self.size));
                        self.is_due = true;
                    }
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return Ok(ExitCode::SUCCESS),
                Ok(Message::Ended(0)) => return Ok(ExitCode::SUCCESS),
                Ok(Message::Ended(status)) => return Ok(ExitCode::from(status)),
                Ok(Message::Failed(err)) => return Err(err),
                Ok(Message::Continued) => {
                    screen.resume()?;
                    self.area = screen.area()?;
                    Effect::Redraw
                }
                Ok(Message::Moment(moment)) => {
                    self.state.take(*moment);
                    Effect::Redraw
                }
                Ok(Message::Input(event)) => self.input(&event, &mut screen),
            };
            match effect {
                Effect::Nothing => {}
                Effect::Redraw => self.is_due = true,
                Effect::Ask => self.ask(),
                Effect::Copy(text) => {
                    screen.copy(&text)?;
                    self.is_due = true;
                }
                Effect::Suspend => {
                    screen.suspend()?;
                    self.area = screen.area()?;
                    self.is_due = true;
                }
                Effect::Quit => return Ok(ExitCode::SUCCESS),
                Effect::Abort => return Ok(ExitCode::from(SIGQUIT_STATUS)),
            }
        }
    }

    fn draw(&mut self, screen: &mut Screen) -> anyhow::Result<()> {
        self.is_due = false;
        let area = screen.area()?;
        let is_other = area != self.area;
        self.area = area;
        if top::fit(self.state, area) || is_other {
            self.ask();
            self.is_due = false;
        }
        let (state, theme) = (&*self.state, self.theme);
        screen.draw(|area, buf| top::draw(state, theme, area, buf))?;
        Ok(())
    }

    /// What a key or the mouse does.
    fn input(&mut self, event: &Event, screen: &mut Screen) -> Effect {
        let is_typed = self.state.editing.is_some();
        match event {
            Event::Key(key) => match keys::action(*key, is_typed) {
                Some(action) => {
                    if action == Action::Redraw {
                        screen.forget();
                    }
                    self.state.apply(action)
                }
                // Any key takes the help away.
                None if self.state.helps => self.state.apply(Action::Redraw),
                None => Effect::Nothing,
            },
            // Lines of it would be keys else.
            Event::Paste(text) if is_typed => {
                let typed = text.chars().filter(|c| !c.is_control());
                typed
                    .map(|c| self.state.apply(Action::Type(c)))
                    .last()
                    .unwrap_or(Effect::Nothing)
            }
            Event::Mouse(mouse) => {
                let at = (mouse.column, mouse.row);
                match mouse.kind {
                    MouseEventKind::Down(MouseButton::Left) => {
                        top::click(self.state, self.area, at)
                    }
                    MouseEventKind::Drag(MouseButton::Left) => top::drag(self.state, self.area, at),
                    MouseEventKind::ScrollUp => top::scroll(self.state, self.area, at, -1),
                    MouseEventKind::ScrollDown => top::scroll(self.state, self.area, at, 1),
                    _ => Effect::Nothing,
                }
            }
            Event::Resize(..) => Effect::Redraw,
            Event::Paste(_) | Event::FocusGained | Event::FocusLost => Effect::Nothing,
        }
    }

    /// Asks for what the state wants to show, by the filter that is typed, as far as it is one.
    fn ask(&mut self) {
        self.is_due = true;
        match typed_filter(&self.state.filter, self.state.dimension()) {
            Ok(filter) => {
                self.filter = filter;
                self.state.filter_error = None;
            }
            Err(err) => self.state.filter_error = Some(format!("{err:#}")),
        }
        self.desk.ask(self.state.ask(self.filter.clone()));
    }
}

/// A thread hands on what is typed; it ends with the process.
fn read_input(send: Sender<Message>) {
    let read = move || {
        loop {
            let message = match event::read() {
                Ok(event) => Message::Input(event),
                // The terminal is gone, which is a hangup.
                Err(_) => Message::Ended(SIGHUP_STATUS),
            };
            let is_over = matches!(message, Message::Ended(_));
            if send.send(message).is_err() || is_over {
                return;
            }
        }
    };
    thread::spawn(read);
}

/// Signals are messages too: a handler writes to a pipe, a thread reads it.
#[cfg(unix)]
fn listen(send: &Sender<Message>) -> io::Result<()> {
    use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM};

    for (signal, status) in [
        (SIGTERM, Some(SIGTERM_STATUS)),
        (SIGHUP, Some(SIGHUP_STATUS)),
        // No core: nothing is wrong, somebody wants to be rid of it.
        (SIGQUIT, Some(SIGQUIT_STATUS)),
        // The normal end, as with q.
        (SIGINT, Some(0)),
        (SIGCONT, None),
    ] {
        let (mut came, handler) = io::pipe()?;
        signal_hook::low_level::pipe::register(signal, handler)?;
        let send = send.clone();
        thread::spawn(move || {
            let mut byte = [0];
            while let Ok(1) = io::Read::read(&mut came, &mut byte) {
                let message = status.map_or(Message::Continued, Message::Ended);
                if send.send(message).is_err() {
                    return;
                }
            }
        });
    }
    Ok(())
}

#[cfg(not(unix))]
fn listen(_: &Sender<Message>) -> io::Result<()> {
    Ok(())
}
