//! Envelopes on the way in: the bytes of a reader with what is around the server's lines undone; and logs of several
//! servers dealt out, so that each is read as if it had come alone.
//!
//! ```text
//! file ─► (decompressed) ─► Unwrapped ─► reader               one server, in its order
//! file ─► (decompressed) ─► deal_out ─► a file for each server ─► Unwrapped ─► reader
//! ```
//!
//! # Why files
//!
//! Whose lines are in a central log is known when all of it has been read, the servers of one plan must be known
//! before, and what is piped can be read only once. So a log that is seen to be of several servers, or newest first, is
//! dealt out into temporary files, each with the lines of one server as they are; from there on nothing is special. A
//! pass for each server over one file was the other way: fifty hosts would mean fifty passes.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::time::SystemTime;

use pgcensus_log::envelope::{Day, Envelope, Part, SERVERS_MAX, Split, Survey, Unwrapper};
use tempfile::NamedTempFile;

/// Bytes that are unwrapped at a time.
const BLOCK: usize = 128 << 10;
/// The begin of a log by which its envelope is told, and how far it is read on where little of it is a server's.
const HEAD: usize = 64 << 10;
const HEAD_MAX: usize = 1 << 20;
/// So much of the server's text is enough.
const TEXT_MIN: usize = 8 << 10;

/// What is around the log in a reader, told by its first bytes: those bytes, up to a megabyte, with it.
pub(super) fn recognize(
    reader: &mut (dyn Read + Send),
    end: Day,
) -> (Vec<u8>, Option<Envelope>, Option<io::Error>) {
    let mut head = Vec::with_capacity(HEAD);
    let mut len = HEAD;
    loop {
        let more = (len - head.len()) as u64;
        let read = reader.take(more).read_to_end(&mut head);
        let envelope = Envelope::of(&head, end);
        let is_over = head.len() < len;
        let is_enough = match &envelope {
            Some(envelope) => envelope.text(&head).len() >= TEXT_MIN,
            None => !Envelope::may_come(&head, end),
        };
        if is_enough || is_over || len >= HEAD_MAX {
            return (head, envelope, read.err());
        }
        len = HEAD_MAX;
    }
}

/// The day of a file's last change, or today: the log ends about there.
pub(super) fn day_of(time: SystemTime) -> Day {
    let date = jiff::Timestamp::try_from(time)
        .unwrap_or_else(|_| jiff::Timestamp::now())
        .to_zoned(jiff::tz::TimeZone::UTC)
        .date();
    Day {
        year: i64::from(date.year()),
        month: i64::from(date.month()),
        day: i64::from(date.day()),
    }
}

/// A reader without its envelope.
pub(super) struct Unwrapped {
    inner: Box<dyn Read + Send>,
    unwrapper: Unwrapper,
    block: Vec<u8>,
    /// The text, and how much of it was handed on.
    text: Vec<u8>,
    at: usize,
    is_over: bool,
    /// Comes after the text before it.
    failure: Option<io::Error>,
}

impl Unwrapped {
    pub(super) fn new(envelope: &Envelope, inner: Box<dyn Read + Send>) -> Unwrapped {
        Unwrapped {
            inner,
            unwrapper: envelope.unwrapper(),
            block: Vec::new(),
            text: Vec::new(),
            at: 0,
            is_over: false,
            failure: None,
        }
    }
}

impl Read for Unwrapped {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.at == self.text.len() {
            if let Some(err) = self.failure.take() {
                return Err(err);
            }
            if self.is_over {
                return Ok(0);
            }
            self.text.clear();
            self.at = 0;
            self.block.resize(BLOCK, 0);
            match self.inner.read(&mut self.block) {
                Ok(0) => {
                    self.is_over = true;
                    self.unwrapper.finish(&mut self.text);
                    self.failure = self.unwrapper.stranger().map(|name| {
                        let name = String::from_utf8_lossy(name);
                        io::Error::other(format!(
                            "lines of other servers in it, of {name:?} first, came too late to be read; give it as a file"
                        ))
                    });
                }
                Ok(n) => self.unwrapper.feed(&self.block[..n], &mut self.text),
                Err(err) if err.kind() == io::ErrorKind::Interrupted => return Err(err),
                Err(err) => {
                    // What came before damage is whole.
                    self.is_over = true;
                    self.unwrapper.finish(&mut self.text);
                    self.failure = Some(err);
                }
            }
        }
        let rest = &self.text[self.at..];
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        self.at += n;
        Ok(n)
    }
}

/// How a log that must be dealt out is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// As it was written.
    Ascending,
    /// Newest first.
    Descending,
}

impl Order {
    /// `None` where a log is of one server and in order: it is read as it is.
    pub(super) fn of(survey: &Survey) -> Option<Order> {
        if survey.is_descending() {
            Some(Order::Descending)
        } else {
            survey.is_mixed().then_some(Order::Ascending)
        }
    }
}

/// Looks for other servers in all of a log, until there is one.
pub(super) fn survey_all(envelope: &Envelope, mut bytes: impl Read) -> io::Result<Option<Order>> {
    let mut survey = envelope.survey();
    let mut block = vec![0; BLOCK];
    while !survey.is_mixed() {
        match bytes.read(&mut block) {
            Ok(0) => break,
            Ok(n) => survey.feed(&block[..n]),
            Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
            // Reading it will say so.
            Err(err) if super::compressed::damage(&err).is_some() => break,
            Err(err) => return Err(err),
        }
    }
    Ok(Order::of(&survey))
}

/// The part of a log that is one server's.
pub(super) struct Dealt {
    /// As the envelope names it; empty where it does not.
    pub(super) server: String,
    /// It is sure to be a server of PostgreSQL.
    pub(super) is_labelled: bool,
    /// Its lines, with their envelope, in the order in which they were written.
    pub(super) file: NamedTempFile,
}

/// What a log was dealt out to.
pub(super) struct Deal {
    pub(super) servers: Vec<Dealt>,
    /// Lines of servers past [`SERVERS_MAX`], which were left out.
    pub(super) lines_left_out: u64,
    /// Why it was not read to its end.
    pub(super) failure: Option<io::Error>,
}

/// Writes the lines of each server into a file of its own.
pub(super) fn deal_out(mut split: Split, order: Order, mut reader: impl Read) -> io::Result<Deal> {
    let mut hands: Vec<Hand> = Vec::new();
    let is_descending = order == Order::Descending;
    let mut lines_left_out = 0;
    let mut failed = None;
    let mut block = vec![0; BLOCK];
    let mut failure = None;
    loop {
        let mut take = |part: Part<'_>| {
            if failed.is_none() {
                match hand(&mut hands, part.server) {
                    Ok(Some(hand)) => {
                        hand.is_labelled |= part.is_labelled;
                        failed = hand.write(part.frame, is_descending).err();
                    }
                    Ok(None) => lines_left_out += 1,
                    Err(err) => failed = Some(err),
                }
            }
        };
        match reader.read(&mut block) {
            Ok(0) => {
                split.finish(&mut take);
                break;
            }
            Ok(n) => split.feed(&block[..n], &mut take),
            Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
            Err(err) => {
                split.finish(&mut take);
                failure = Some(err);
                break;
            }
        }
        if failed.is_some() {
            break;
        }
    }
    if let Some(err) = failed {
        return Err(err);
    }
    let servers = hands
        .into_iter()
        .map(|hand| hand.lay_down(is_descending))
        .collect::<io::Result<_>>()?;
    Ok(Deal {
        servers,
        lines_left_out,
        failure,
    })
}

/// The file of one server while it is written.
struct Hand {
    server: Vec<u8>,
    is_labelled: bool,
    out: BufWriter<NamedTempFile>,
}

/// The file of a server: a new one where it has none. `None`: there are too many.
fn hand<'h>(hands: &'h mut Vec<Hand>, server: &[u8]) -> io::Result<Option<&'h mut Hand>> {
    let place = match hands.iter().rposition(|hand| hand.server == server) {
        Some(place) => place,
        None if hands.len() == SERVERS_MAX => return Ok(None),
        None => {
            hands.push(Hand {
                server: server.to_owned(),
                is_labelled: false,
                out: BufWriter::with_capacity(BLOCK, NamedTempFile::new()?),
            });
            hands.len() - 1
        }
    };
    Ok(Some(&mut hands[place]))
}

impl Hand {
    /// Writes a line; with its length behind it where the file shall be read backwards.
    fn write(&mut self, frame: &[u8], is_descending: bool) -> io::Result<()> {
        self.out.write_all(frame)?;
        self.out.write_all(b"\n")?;
        if is_descending {
            let len = frame.len() as u32 + 1;
            self.out.write_all(&len.to_le_bytes())?;
        }
        Ok(())
    }

    fn lay_down(self, is_descending: bool) -> io::Result<Dealt> {
        let mut file = self
            .out
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        if is_descending {
            file = turned(file.as_file_mut())?;
        }
        Ok(Dealt {
            server: String::from_utf8_lossy(&self.server).into_owned(),
            is_labelled: self.is_labelled,
            file,
        })
    }
}

/// The lines of a file that has their lengths behind them, the last one first.
fn turned(file: &mut File) -> io::Result<NamedTempFile> {
    const LEN: usize = size_of::<u32>();
    let mut out = BufWriter::with_capacity(BLOCK, NamedTempFile::new()?);
    // All up to `end` is still to be turned; `tail` is the end of that.
    let mut end = file.seek(SeekFrom::End(0))?;
    let mut tail: Vec<u8> = Vec::new();
    while end > 0 {
        let len = match tail.last_chunk::<LEN>() {
            Some(len) => u32::from_le_bytes(*len) as usize + LEN,
            None => LEN,
        };
        if tail.len() < len.max(LEN + 1) {
            let want = (BLOCK.max(len) as u64).min(end);
            file.seek(SeekFrom::Start(end - want))?;
            tail.resize(want as usize, 0);
            file.read_exact(&mut tail)?;
            continue;
        }
        let begin = tail.len() - len;
        out.write_all(&tail[begin..tail.len() - LEN])?;
        tail.truncate(begin);
        end -= len as u64;
    }
    out.into_inner().map_err(io::IntoInnerError::into_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_turned_whatever_their_lengths() {
        let lines: Vec<String> = (0..5_000)
            .map(|i| format!("{i} {}", "x".repeat(i * 7 % 613)))
            .chain(["y".repeat(3 * BLOCK), String::new()])
            .collect();
        let mut hand = Hand {
            server: Vec::new(),
            is_labelled: true,
            out: BufWriter::new(NamedTempFile::new().expect("a file")),
        };
        for line in &lines {
            hand.write(line.as_bytes(), true).expect("it is written");
        }
        let dealt = hand.lay_down(true).expect("it is turned");
        let text = std::fs::read_to_string(dealt.file.path()).expect("it is there");
        assert!(text.lines().eq(lines.iter().rev().map(String::as_str)));
    }
}
