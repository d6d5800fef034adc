//! Envelopes on the way in: the bytes of a reader with what is around the server's lines undone; and logs of several
//! servers dealt out, so that each is read as if it had come alone.
//!
//! ```text
//! file ─► (decompressed) ─► Unwrapped ─► reader               one server, in its order; of a few, `picked.rs`
//! file ─► (decompressed) ─► deal_out ─► spool: a section for each server ─► Unwrapped ─► reader
//! ```
//!
//! # Why it is written down
//!
//! Whose lines are in a central log is known when all of it has been read, the servers of one plan must be known
//! before, and what is piped can be read only once. So a log that is seen to be of several servers, or newest first, is
//! dealt out into the spool, the lines of each server as they are; from there on nothing is special. What is piped in is dealt out
//! wherever its envelope names servers: another one may come at its end.
//!
//! # Whose a log is
//!
//! Where it can be read again, and all that is asked for is sums, the first megabyte tells. A server that comes later
//! is [noticed](Unwrapped) when it is read: what was read is in vain then, and all of it is looked at before it is
//! read once more. To add the server to the run as it goes on was the other way; but its
//! files, second formats and copies are to be known before, and changes of several servers are told in order of
//! time, which those of the others have passed by then.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

use pgcensus_log::envelope::{Day, Envelope, Part, SERVERS_MAX, Split, Survey, Unwrapper};

use super::input::Late;
use super::section::Section;
use super::spool::{self, Spool};

/// Bytes that are unwrapped, or dealt out to a server, at a time.
const BLOCK: usize = 128 << 10;
/// The begin of a log by which its envelope is told, and how far it is read on where little of it is a server's.
const HEAD: usize = 64 << 10;
const HEAD_MAX: usize = 1 << 20;
/// The begin of a log by which it is told whose it is, where it can be read again if that proves wrong.
pub(super) const BEGIN: u64 = 1 << 20;
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
    /// Its begin alone was looked at for servers.
    late: Option<Late>,
}

impl Unwrapped {
    pub(super) fn new(
        envelope: &Envelope,
        inner: Box<dyn Read + Send>,
        late: Option<Late>,
    ) -> Unwrapped {
        Unwrapped {
            inner,
            late,
            unwrapper: envelope.unwrapper(),
            block: Vec::new(),
            text: Vec::new(),
            at: 0,
            is_over: false,
            failure: None,
        }
    }
}

impl Unwrapped {
    /// Goes on as long as the log is what its begin was.
    fn believe(&mut self, is_descending: bool) -> io::Result<()> {
        match &self.late {
            Some(late) if is_descending || self.unwrapper.stranger().is_some() => {
                self.is_over = true;
                self.text.clear();
                Err(late.comes())
            }
            _ => Ok(()),
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
                    self.believe(self.unwrapper.is_descending())?;
                    self.failure = self.unwrapper.stranger().map(|name| {
                        let name = String::from_utf8_lossy(name);
                        io::Error::other(format!(
                            "lines of other servers in it, of {name:?} first, came too late to be read; give it as a file"
                        ))
                    });
                }
                Ok(n) => {
                    self.unwrapper.feed(&self.block[..n], &mut self.text);
                    self.believe(false)?;
                }
                Err(err) if err.kind() == io::ErrorKind::Interrupted => return Err(err),
                Err(err) => {
                    // What came before damage is whole.
                    self.is_over = true;
                    self.unwrapper.finish(&mut self.text);
                    self.believe(self.unwrapper.is_descending())?;
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

/// Looks for other servers in a log, or a part of it, until there is one.
pub(super) fn survey_all(envelope: &Envelope, bytes: impl Read) -> io::Result<Option<Order>> {
    let mut survey = envelope.survey();
    each_block(bytes, |block| {
        survey.feed(block);
        !survey.is_mixed()
    })?;
    Ok(Order::of(&survey))
}

/// Hands on bytes as long as they are wanted.
pub(super) fn each_block(
    mut bytes: impl Read,
    mut take: impl FnMut(&[u8]) -> bool,
) -> io::Result<()> {
    let mut block = vec![0; BLOCK];
    loop {
        match bytes.read(&mut block) {
            Ok(0) => return Ok(()),
            Ok(n) if take(&block[..n]) => {}
            Ok(_) => return Ok(()),
            Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
            // Reading it will say so.
            Err(err) if super::compressed::damage(&err).is_some() => return Ok(()),
            Err(err) => return Err(err),
        }
    }
}

/// The part of a log that is one server's: its lines, with their envelope, in the order in which they were written.
pub(super) struct Dealt {
    /// As the envelope names it; empty where it does not.
    pub(super) server: String,
    /// It is sure to be a server of PostgreSQL.
    pub(super) is_labelled: bool,
    /// In the spool.
    pub(super) section: Section,
    /// Bytes before they were compressed.
    pub(super) len: u64,
}

/// What a log was dealt out to.
pub(super) struct Deal {
    /// The one whose line is the newest comes last.
    pub(super) servers: Vec<Dealt>,
    /// Lines of servers past [`SERVERS_MAX`], which were left out.
    pub(super) lines_left_out: u64,
    /// Why it was not read to its end.
    pub(super) failure: Option<io::Error>,
}

/// Deals the lines of each server out into the spool.
pub(super) fn deal_out(
    mut split: Split,
    order: Order,
    mut reader: impl Read,
    spool: &mut Spool,
) -> io::Result<Deal> {
    let mut table = Table::new(order)?;
    let mut failed = None;
    let mut block = vec![0; BLOCK];
    let mut failure = None;
    let mut is_over = false;
    while !is_over && failed.is_none() {
        let take = |part: Part<'_>| {
            if failed.is_none() {
                let is_labelled = || part.is_labelled();
                failed = table.take(part.server, part.frame, is_labelled).err();
            }
        };
        match reader.read(&mut block) {
            Ok(n @ 1..) => split.feed(&block[..n], take),
            Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
            end => {
                split.finish(take);
                failure = end.err();
                is_over = true;
            }
        }
    }
    if let Some(err) = failed {
        return Err(err);
    }
    let (servers, lines_left_out) = table.clear(spool)?;
    Ok(Deal {
        servers,
        lines_left_out,
        failure,
    })
}

/// Where lines are dealt out: those of each server wait until they are a block, which is compressed by itself. The blocks of
/// all servers lie in one temporary file, in the order in which they were full; in the end they are gathered by server. Where the
/// newest line came first, each block is turned round, and then the order of the blocks.
struct Table {
    order: Order,
    file: Arc<File>,
    compressor: zstd::bulk::Compressor<'static>,
    hands: Vec<Hand>,
    /// The server of the line that came last.
    last: usize,
    lines_left_out: u64,
}

/// The lines of one server.
struct Hand {
    server: Vec<u8>,
    is_labelled: bool,
    len: u64,
    block: Vec<u8>,
    /// Where the lines of the block end.
    ends: Vec<usize>,
    /// Where the blocks before it lie.
    blocks: Vec<Range<u64>>,
}

impl Table {
    fn new(order: Order) -> io::Result<Table> {
        Ok(Table {
            order,
            file: Arc::new(tempfile::tempfile()?),
            compressor: zstd::bulk::Compressor::new(spool::LEVEL)?,
            hands: Vec::new(),
            last: 0,
            lines_left_out: 0,
        })
    }

    fn take(
        &mut self,
        server: &[u8],
        frame: &[u8],
        is_labelled: impl FnOnce() -> bool,
    ) -> io::Result<()> {
        let known = self.hands.iter().rposition(|hand| hand.server == server);
        let place = match known {
            Some(place) => place,
            None if self.hands.len() == SERVERS_MAX => {
                self.lines_left_out += 1;
                return Ok(());
            }
            None => {
                self.hands.push(Hand::of(server));
                self.hands.len() - 1
            }
        };
        self.last = place;
        let hand = &mut self.hands[place];
        hand.is_labelled = hand.is_labelled || is_labelled();
        hand.block.extend_from_slice(frame);
        hand.block.push(b'\n');
        hand.ends.push(hand.block.len());
        if hand.block.len() >= BLOCK {
            self.lay_down(place)?;
        }
        Ok(())
    }

    /// Writes the block of a server into the file.
    fn lay_down(&mut self, place: usize) -> io::Result<()> {
        let hand = &mut self.hands[place];
        if self.order == Order::Descending {
            hand.turn();
        }
        let compressed = self.compressor.compress(&hand.block)?;
        let start = (&*self.file).stream_position()?;
        (&*self.file).write_all(&compressed)?;
        hand.blocks.push(start..start + compressed.len() as u64);
        hand.len += hand.block.len() as u64;
        hand.block.clear();
        hand.block.shrink_to(2 * BLOCK);
        hand.ends.clear();
        Ok(())
    }

    /// Each server's lines, behind all others those of the one whose is the newest, and how many of further ones there were.
    fn clear(mut self, spool: &mut Spool) -> io::Result<(Vec<Dealt>, u64)> {
        for place in 0..self.hands.len() {
            self.lay_down(place)?;
        }
        let mut hands = std::mem::take(&mut self.hands);
        if !hands.is_empty() {
            let newest = hands.remove(match self.order {
                Order::Ascending => self.last,
                Order::Descending => 0,
            });
            hands.push(newest);
        }
        let dealt = hands.into_iter().map(|mut hand| {
            if self.order == Order::Descending {
                hand.blocks.reverse();
            }
            Ok(Dealt {
                server: String::from_utf8_lossy(&hand.server).into_owned(),
                is_labelled: hand.is_labelled,
                section: spool.gather(&self.file, hand.blocks.into_iter())?,
                len: hand.len,
            })
        });
        Ok((dealt.collect::<io::Result<_>>()?, self.lines_left_out))
    }
}

impl Hand {
    fn of(server: &[u8]) -> Hand {
        Hand {
            server: server.to_owned(),
            is_labelled: false,
            len: 0,
            block: Vec::new(),
            ends: Vec::new(),
            blocks: Vec::new(),
        }
    }

    /// The last line of the block becomes the first.
    fn turn(&mut self) {
        let mut turned = Vec::with_capacity(self.block.len());
        let begins = [0].into_iter().chain(self.ends.iter().copied());
        let lines: Vec<_> = begins.zip(self.ends.iter().copied()).collect();
        for (begin, end) in lines.into_iter().rev() {
            turned.extend_from_slice(&self.block[begin..end]);
        }
        self.block = turned;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::file::Kind;

    #[test]
    fn lines_are_turned_whatever_their_lengths() {
        let lines: Vec<String> = (0..5_000)
            .map(|i| format!("{i} {}", "x".repeat(i * 7 % 613)))
            .chain(["y".repeat(3 * BLOCK), String::new()])
            .collect();
        for order in [Order::Ascending, Order::Descending] {
            let mut table = Table::new(order).expect("a file");
            for line in &lines {
                let taken = table.take(b"a", line.as_bytes(), || true);
                taken.expect("it is written");
            }
            let (mut dealt, _) = table.clear(&mut Spool::default()).expect("it is gathered");
            let dealt = dealt.pop().expect("a server");
            let mut text = String::new();
            let mut reader = Kind::Spooled(dealt.section).open().expect("it is there");
            reader.read_to_string(&mut text).expect("it is text");
            assert_eq!(text.len() as u64, dealt.len);
            let mut expected: Vec<_> = lines.iter().map(String::as_str).collect();
            if order == Order::Descending {
                expected.reverse();
            }
            assert!(text.lines().eq(expected), "{order:?}");
        }
    }
}
