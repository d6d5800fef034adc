//! The lines of one of a few servers, picked out of the log of all of them each time it is read.
//!
//! ```text
//! file ─► Picked ─► Unwrapped ─► reader      for each of its servers, side by side
//! ```
//!
//! What is picked are the bytes that [dealing out](super::enveloped) would have written down, but nothing has to be read or
//! written before. Reading a file three times costs less than dealing it out; of more servers, or of what is to be
//! decompressed each time, dealing out is cheaper.

use std::io::{self, Read};
use std::sync::Arc;

use pgcensus_log::envelope::{Envelope, Part, Split};

use super::input::Late;

/// Out of a log of more servers lines are not picked.
const SERVERS_MAX: usize = 4;

/// What is picked out of a log at a time.
const BLOCK: usize = 128 << 10;

/// Whose lines are picked.
#[derive(Clone, Debug)]
pub(crate) struct Pick {
    pub(super) server: Box<[u8]>,
    /// All that its begin names.
    known: Arc<[Box<[u8]>]>,
    by: Arc<Envelope>,
    /// Told when there is another one.
    late: Late,
}

impl Pick {
    /// One for each server that a log has in its begin. `None`: there are too many, or some may be none.
    pub(super) fn each(
        by: &Envelope,
        begin: impl Read,
        late: &Late,
    ) -> io::Result<Option<Vec<Pick>>> {
        let mut survey = by.survey();
        super::enveloped::each_block(begin, |block| {
            survey.feed(block);
            true
        })?;
        let Some(known) = survey.only_servers() else {
            return Ok(None);
        };
        let known: Arc<[Box<[u8]>]> = known.into_iter().map(Box::from).collect();
        let envelope = Arc::new(by.clone());
        let pick = |server: &[u8]| Pick {
            server: server.into(),
            known: known.clone(),
            by: envelope.clone(),
            late: late.clone(),
        };
        let is_few = (2..=SERVERS_MAX).contains(&known.len());
        Ok(is_few.then(|| known.iter().map(|server| pick(server)).collect()))
    }

    /// The lines of its server among these.
    pub(super) fn of(&self, inner: Box<dyn Read + Send>) -> Picked {
        Picked {
            inner,
            split: self.by.split(),
            pick: self.clone(),
            block: Vec::new(),
            text: Vec::new(),
            at: 0,
            end: None,
        }
    }
}

/// A reader of them.
pub(super) struct Picked {
    inner: Box<dyn Read + Send>,
    split: Split,
    pick: Pick,
    block: Vec<u8>,
    /// The lines, and how much of them was handed on.
    text: Vec<u8>,
    at: usize,
    /// Nothing more comes but this.
    end: Option<io::Result<()>>,
}

impl Picked {
    fn fill(&mut self) -> io::Result<()> {
        self.text.clear();
        self.at = 0;
        self.block.resize(BLOCK, 0);
        let (pick, text) = (&self.pick, &mut self.text);
        let mut is_late = false;
        let take = |part: Part<'_>| {
            if *part.server == *pick.server {
                text.extend_from_slice(part.frame);
                text.push(b'\n');
            } else {
                is_late = is_late || pick.known.iter().all(|known| **known != *part.server);
            }
        };
        match self.inner.read(&mut self.block) {
            Ok(n @ 1..) => self.split.feed(&self.block[..n], take),
            Err(err) if err.kind() == io::ErrorKind::Interrupted => return Err(err),
            // What came before damage is whole.
            end => {
                self.split.finish(take);
                self.end = Some(end.map(|_| ()));
            }
        }
        if is_late {
            self.text.clear();
            return Err(self.pick.late.comes());
        }
        Ok(())
    }
}

impl Read for Picked {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.at == self.text.len() {
            if let Some(end) = &mut self.end {
                return std::mem::replace(end, Ok(())).map(|()| 0);
            }
            self.fill()?;
        }
        let rest = &self.text[self.at..];
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        self.at += n;
        Ok(n)
    }
}
