//! Logs in other languages, turned into English on the way in.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::Arc;

use pgcensus_log::format::Format;
use pgcensus_log::translation::{
    Catalog, Rewriter, Rewritten, Shape, Translation, may_be_translated,
};

use super::lines::Lines;

/// What is read at a time.
const STEP: usize = 64 << 10;

/// The languages of one file, and how it is written.
#[derive(Clone, Debug)]
pub(crate) struct Translated {
    pub(crate) translation: Arc<Translation>,
    shape: Shape,
}

/// Finds out languages, file after file.
#[derive(Debug, Default)]
pub(crate) struct Languages {
    asked: Option<Vec<&'static str>>,
    catalog: OnceCell<Catalog>,
    known: BTreeMap<Vec<&'static str>, Arc<Translation>>,
}

impl Languages {
    /// `--lang`: these are presumed, whatever is found.
    pub(crate) fn new(asked: Option<Vec<&'static str>>) -> Languages {
        Languages {
            asked,
            ..Languages::default()
        }
    }

    /// The languages of a log by some of its bytes, its head or tail; `None`: it is in English.
    pub(crate) fn of(&mut self, sample: &[u8]) -> Option<Translated> {
        let shape = Shape::of(sample);
        let languages = match &self.asked {
            Some(asked) => asked.clone(),
            None if may_be_translated(sample, shape) => {
                let catalog = self.catalog.get_or_init(Catalog::default);
                catalog.detect(sample, shape)
            }
            None => return None,
        };
        self.with(languages, shape)
    }

    /// What the tail of a log has that its head has not is added.
    pub(crate) fn and(&mut self, head: Option<&Translated>, tail: &[u8]) -> Option<Translated> {
        let in_tail = self.of(tail)?;
        let mut languages = head.map_or_else(Vec::new, |head| head.languages().to_vec());
        for language in in_tail.languages() {
            if !languages.contains(language) {
                languages.push(language);
            }
        }
        let shape = head.map_or(in_tail.shape, |head| head.shape);
        self.with(languages, shape)
    }

    fn with(&mut self, languages: Vec<&'static str>, shape: Shape) -> Option<Translated> {
        if languages.is_empty() {
            return None;
        }
        let known = self.known.entry(languages);
        let translation = known.or_insert_with_key(|languages| Translation::of(languages));
        Some(Translated {
            translation: translation.clone(),
            shape,
        })
    }
}

impl Translated {
    /// Their names, most frequent first.
    pub(crate) fn languages(&self) -> &[&'static str] {
        self.translation.languages()
    }

    /// A part of a log, in English as far as that tells how it is written: what is around the messages of csvlog and jsonlog
    /// is in no language.
    pub(crate) fn english<'t>(&self, text: &'t [u8]) -> Cow<'t, [u8]> {
        match self.shape {
            Shape::Stderr => {
                let mut rewriter = Rewriter::new(self.translation.clone(), self.shape);
                Cow::Owned(rewriter.whole(text))
            }
            Shape::Csvlog | Shape::Jsonlog => Cow::Borrowed(text),
        }
    }

    /// A part of a log that is written like this, with the heads of its records in English.
    pub(crate) fn heads<'t>(&self, text: &'t [u8], format: &Format) -> Cow<'t, [u8]> {
        match format {
            Format::Stderr(_) => {
                let mut rewriter = self.rewriter(format);
                rewriter.set_of_heads();
                Cow::Owned(rewriter.whole(text))
            }
            Format::Csvlog | Format::Jsonlog => Cow::Borrowed(text),
        }
    }

    /// The log in English.
    pub(crate) fn undo(&self, reader: Box<dyn Read + Send>, format: &Format) -> Undone {
        Undone {
            reader,
            rewriter: self.rewriter(format),
            read: Vec::new(),
            out: Rewritten::default(),
            at: 0,
            end: None,
        }
    }

    /// What turns a log that is written like this into English.
    pub(crate) fn rewriter(&self, format: &Format) -> Rewriter {
        let mut rewriter = Rewriter::new(self.translation.clone(), self.shape);
        if let Format::Stderr(prefix) = format {
            rewriter.set_prefix(prefix.clone());
        }
        rewriter
    }
}

/// A log in English.
pub(crate) struct Undone {
    reader: Box<dyn Read + Send>,
    rewriter: Rewriter,
    /// What was read and cannot be rewritten yet.
    read: Vec<u8>,
    out: Rewritten,
    /// How much of `out` was handed on.
    at: usize,
    /// How the reader ended.
    end: Option<io::Result<()>>,
}

impl Undone {
    /// Counts the lines of the log up to places in its English text.
    pub(crate) fn count_lines(&mut self, lines: &mut Lines<'_>) -> io::Result<()> {
        loop {
            lines.pass(&self.out.text, &self.out.joined);
            self.at = self.out.text.len();
            if lines.are_found() || !self.fill()? {
                return Ok(());
            }
        }
    }

    /// Rewrites more; false at the end.
    fn fill(&mut self) -> io::Result<bool> {
        self.out.text.clear();
        self.out.joined.clear();
        self.at = 0;
        loop {
            let done = self
                .rewriter
                .rewrite(&self.read, self.end.is_some(), &mut self.out);
            self.read.drain(..done);
            if !self.out.text.is_empty() {
                return Ok(true);
            }
            if let Some(end) = &mut self.end {
                return std::mem::replace(end, Ok(())).map(|()| false);
            }
            let len = self.read.len();
            self.read.resize(len + STEP, 0);
            let read = self.reader.read(&mut self.read[len..]);
            self.read.truncate(len + read.as_ref().map_or(0, |&n| n));
            self.end = match read {
                Ok(0) => Some(Ok(())),
                Ok(_) => None,
                Err(err) if err.kind() == io::ErrorKind::Interrupted => None,
                Err(err) => Some(Err(err)),
            };
        }
    }
}

impl Read for Undone {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.at == self.out.text.len() && (buf.is_empty() || !self.fill()?) {
            return Ok(0);
        }
        let n = buf.len().min(self.out.text.len() - self.at);
        buf[..n].copy_from_slice(&self.out.text[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}
