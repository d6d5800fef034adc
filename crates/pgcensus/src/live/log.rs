//! The records of one log that grows, from when it is known what it is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pgcensus_core::tracker::Kept;
use pgcensus_log::decoder::{Decoder, RECORD_MAX};
use pgcensus_log::envelope::{Envelope, Unwrapper};
use pgcensus_log::format::{BOM, Format};
use pgcensus_log::translation::{Rewriter, Rewritten, Shape, may_be_translated};

use super::growth::Shared;
use crate::pipeline::{Live, LogId, Piece, Said};
use crate::source::file::{LogFile, lines_end};
use crate::source::translated::Translated;

/// Of a record that is skipped so much is kept: it may be the begin of the line that ends it.
const KEPT: usize = 4 << 10;

/// The last so many bytes of what has come are looked at for another language: a server has one for all of its messages.
const LANGUAGE_MAX: usize = 16 << 10;

/// Lines that looked like those of another language and are of none are not looked at again for so long.
const MISJUDGED: Duration = Duration::from_secs(1);

/// A record that was taken for whole is kept up to this length.
const SETTLED_MAX: usize = 64 << 10;

/// A log that is decoded as it grows.
pub(super) struct Log {
    pub(super) id: LogId,
    unwrapper: Option<Unwrapper>,
    unwrapped: Vec<u8>,
    english: Option<English>,
    /// When lines looked like those of another language, and were of none.
    misjudged: Option<Instant>,
    /// What is no whole record yet.
    text: Vec<u8>,
    /// Where that lies in the log.
    base: u64,
    /// It is the rest of a record that is too long.
    skips: bool,
    /// Where a byte order mark would be skipped.
    at_begin: bool,
    /// The record that was handed on last since nothing followed it: it may go on after all.
    settled: Option<Settled>,
}

/// A record that was taken for whole.
struct Settled {
    text: Vec<u8>,
    /// What it says; `None`: nothing, or nothing any more.
    said: Option<Said>,
    /// How the backend was before.
    kept: Option<Kept>,
}

/// A record that was told goes on after all: it is told what comes later.
#[derive(Debug)]
pub(crate) struct Amended {
    pub(crate) log: LogId,
    /// Its backend, where it has one.
    pub(crate) pid: Option<u32>,
    /// The lines that have come since, as they are in the log.
    pub(crate) lines: Vec<u8>,
    /// False: they show that a client wrote it (`RAISE LOG`), and that nothing of it has happened.
    pub(crate) is_event: bool,
}

struct English {
    languages: Translated,
    rewriter: Rewriter,
    /// What cannot be rewritten yet.
    read: Vec<u8>,
    out: Rewritten,
}

impl English {
    fn new(languages: Translated, format: &Format) -> English {
        English {
            rewriter: languages.rewriter(format),
            languages,
            read: Vec::new(),
            out: Rewritten::default(),
        }
    }
}

impl Log {
    pub(super) fn new(id: LogId, log: &LogFile) -> Log {
        Log {
            id,
            unwrapper: log.envelope.as_ref().map(Envelope::unwrapper),
            unwrapped: Vec::new(),
            english: log
                .translated
                .clone()
                .map(|languages| English::new(languages, &log.format)),
            misjudged: None,
            text: Vec::new(),
            base: 0,
            skips: false,
            at_begin: true,
            settled: None,
        }
    }

    /// Its begin was read elsewhere, up to a record that begins at `base` and of which this is there.
    pub(super) fn goes_on(&mut self, (base, text): (u64, Vec<u8>)) {
        (self.base, self.text) = (base, text);
        self.at_begin = false;
    }

    pub(super) fn feed(&mut self, bytes: &[u8], shared: &mut Shared<'_, '_>) -> anyhow::Result<()> {
        if let Some(unwrapper) = &mut self.unwrapper {
            unwrapper.feed(bytes, &mut self.unwrapped);
            self.translate_unwrapped(false);
        } else {
            self.translate(bytes, false);
        }
        self.learn_language(shared);
        self.amend(shared, false);
        self.hand_on(&mut shared.live, Decoder::last_record_end)
    }

    /// A server that was started with another `lc_messages` goes on in that language; or what was there at first did not show
    /// it.
    fn learn_language(&mut self, shared: &mut Shared<'_, '_>) {
        if self.misjudged.is_some_and(|at| at.elapsed() < MISJUDGED) {
            return;
        }
        let end = lines_end(&self.text);
        let lines = &self.text[end.saturating_sub(LANGUAGE_MAX)..end];
        let shape = match shared.live.decoder(self.id).format() {
            Format::Stderr(_) => Shape::Stderr,
            Format::Csvlog => Shape::Csvlog,
            Format::Jsonlog => Shape::Jsonlog,
        };
        if lines.is_empty() || !may_be_translated(lines, shape) || Shape::of(lines) != shape {
            return;
        }
        let known = self.english.as_ref().map(|english| &english.languages);
        let Some(all) = shared.begins.other_languages(known, lines) else {
            self.misjudged = Some(Instant::now());
            return;
        };
        let languages = all.languages().join(", ");
        shared
            .said
            .push(format!("the log goes on in {languages}: it is understood"));
        let mut english = English::new(all, shared.live.decoder(self.id).format());
        english.read = std::mem::take(&mut self.text);
        if let Some(before) = self.english.take() {
            english.read.extend(before.read);
        }
        self.english = Some(english);
        self.translate(b"", false);
    }

    pub(super) fn settle(&mut self, shared: &mut Shared<'_, '_>) -> anyhow::Result<()> {
        if let Some(unwrapper) = &mut self.unwrapper {
            unwrapper.settle(&mut self.unwrapped);
        }
        self.translate_unwrapped(true);
        let goes_on = self.amend(shared, true);
        let live = &mut shared.live;
        self.hand_on(live, Decoder::last_record_end)?;
        let decoder = live.decoder(self.id);
        let end = lines_end(&self.text);
        if !goes_on
            && !self.skips
            && (1..=SETTLED_MAX).contains(&end)
            && matches!(decoder.format(), Format::Stderr(_))
        {
            let text = self.text[..end].to_vec();
            let said = live.says(self.id, &text);
            let mut kept = None;
            if let Some(said) = said {
                kept = live.append_last(self.id, &piece(&text, self.base), said)?;
                self.drop_front(end);
            }
            self.settled = Some(Settled { text, said, kept });
        }
        self.hand_on(live, |decoder, text| Some(decoder.complete_len(text)))
    }

    /// What has come since may go on the record that was taken for whole: a DETAIL, or a CONTEXT, which says that a client
    /// wrote it. Whether all that has come does.
    fn amend(&mut self, shared: &mut Shared<'_, '_>, is_settled: bool) -> bool {
        let lines = lines_end(&self.text);
        let Some(settled) = self.settled.as_mut().filter(|_| lines > 0) else {
            return false;
        };
        let decoder = shared.live.decoder(self.id);
        if !decoder.goes_on(&self.text) {
            self.settled = None;
            return false;
        }
        let next = decoder.resync(&self.text);
        if next.is_none() && !is_settled {
            return false;
        }
        let lines = &self.text[..next.unwrap_or(lines)];
        settled.text.extend_from_slice(lines);
        if let Some(Said { pid, .. }) = settled.said {
            let is_event = shared.live.says(self.id, &settled.text).is_some();
            if !is_event {
                settled.said = None;
                match settled.kept.take() {
                    Some(kept) => shared.live.restore(self.id.server, kept),
                    None => shared.live.gap(self.id.server),
                }
            }
            shared.amended.push(Amended {
                log: self.id,
                pid,
                lines: lines.to_vec(),
                is_event,
            });
        }
        if next.is_some() || settled.text.len() > SETTLED_MAX {
            self.settled = None;
        }
        next.is_none()
    }

    pub(super) fn end(&mut self, live: &mut Live<'_, '_>) -> anyhow::Result<()> {
        if let Some(unwrapper) = &mut self.unwrapper {
            unwrapper.finish(&mut self.unwrapped);
        }
        self.translate_unwrapped(true);
        self.hand_on(live, |decoder, text| Some(decoder.complete_len(text)))?;
        let rest = if self.skips { &[] } else { &self.text[..] };
        live.end(self.id, &piece(rest, self.base))?;
        self.drop_front(self.text.len());
        self.skips = false;
        self.at_begin = true;
        Ok(())
    }

    fn translate_unwrapped(&mut self, is_settled: bool) {
        let mut unwrapped = std::mem::take(&mut self.unwrapped);
        self.translate(&unwrapped, is_settled);
        unwrapped.clear();
        self.unwrapped = unwrapped;
    }

    /// Takes the next bytes of the server's text; where it `is_settled`, all whole lines are turned into English.
    fn translate(&mut self, bytes: &[u8], is_settled: bool) {
        let Some(English {
            rewriter,
            read,
            out,
            ..
        }) = &mut self.english
        else {
            self.text.extend_from_slice(bytes);
            return self.skip_mark();
        };
        read.extend_from_slice(bytes);
        let mut done = rewriter.rewrite(read, false, out);
        if is_settled && let Some(newline) = memchr::memrchr(b'\n', &read[done..]) {
            done += rewriter.rewrite(&read[done..=done + newline], true, out);
        }
        read.drain(..done);
        self.text.append(&mut out.text);
        out.joined.clear();
        self.skip_mark();
    }

    fn skip_mark(&mut self) {
        if self.at_begin && self.text.len() >= BOM.len() {
            self.at_begin = false;
            if self.text.starts_with(BOM) {
                self.text.drain(..BOM.len());
            }
        }
    }

    /// Hands on what is whole, up to where `end` says.
    fn hand_on(
        &mut self,
        live: &mut Live<'_, '_>,
        end: impl Fn(&Decoder, &[u8]) -> Option<usize>,
    ) -> anyhow::Result<()> {
        while !self.text.is_empty() {
            let decoder: Arc<Decoder> = live.decoder(self.id);
            if self.skips {
                let next = decoder.resync(&self.text);
                self.drop_front(next.unwrap_or(self.text.len().saturating_sub(KEPT)));
                self.skips = next.is_none();
                if self.skips {
                    break;
                }
                continue;
            }
            match end(&decoder, &self.text).filter(|&end| end > 0) {
                Some(end) => {
                    live.append(self.id, &piece(&self.text[..end], self.base))?;
                    self.drop_front(end);
                }
                None if self.text.len() < RECORD_MAX => break,
                // What follows the head is dropped.
                None => {
                    let head = &self.text[..RECORD_MAX];
                    let is_too_long = !decoder.begins_record(head);
                    let piece = Piece {
                        is_too_long,
                        ..piece(head, self.base)
                    };
                    live.append(self.id, &piece)?;
                    self.drop_front(RECORD_MAX);
                    self.skips = true;
                }
            }
        }
        Ok(())
    }

    fn drop_front(&mut self, n: usize) {
        self.text.drain(..n);
        self.base += n as u64;
    }
}

fn piece(text: &[u8], base: u64) -> Piece<'_> {
    Piece {
        text,
        base,
        is_too_long: false,
    }
}
