//! What workers wait for: empty buffers, and the place from which the next chunk of a server is cut.

use std::cmp::Reverse;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::Buffers;
use super::fold::Fold;
use super::reader::{Cut, Reader};
use crate::source::ServerInput;
use crate::source::file::LogFile;

/// The readers of all servers, and the buffers that are free for each.
pub(super) struct Supply<'a> {
    readers: Vec<Mutex<Reader<'a>>>,
    stock: Mutex<Stock>,
    returned: Condvar,
}

struct Stock {
    servers: Vec<Shelf>,
    closed: bool,
}

/// The free buffers of one server.
struct Shelf {
    free: Vec<Buffers>,
    /// Workers that cut it, or wait to: one that reads a slow pipe may wait for long.
    cutting: usize,
    /// It can make whoever reads it wait: a pipe or a compressed file is among its inputs.
    may_wait: bool,
    /// Its log has been cut to the end.
    is_over: bool,
}

impl Stock {
    /// Of the servers that are wanted, one that nobody cuts now, if there is one, and of these that with the fewest
    /// chunks under way.
    fn take(&mut self, is_wanted: impl Fn(&Shelf) -> bool) -> Option<(usize, Buffers)> {
        let shelves = self.servers.iter_mut().enumerate();
        let (server, shelf) = shelves
            .filter(|(_, shelf)| !shelf.is_over && !shelf.free.is_empty() && is_wanted(shelf))
            .max_by_key(|(_, shelf)| (Reverse(shelf.cutting), shelf.free.len()))?;
        shelf.cutting += 1;
        Some((server, shelf.free.pop()?))
    }
}

impl<'a> Supply<'a> {
    /// Buffers for this many workers: while one has its chunk decoded, another waits for its turn in the fold. Of many
    /// servers each has fewer, so that all of them together stay as small.
    pub(super) fn new(fold: &Fold<'a, '_>, threads: usize) -> Supply<'a> {
        let inputs = fold.run_servers();
        let buffers = (threads * 2).div_ceil(inputs.len().max(1)).max(1);
        let makes_wait = |log: &LogFile| !log.is_plain();
        let shelf = |input: &ServerInput| Shelf {
            free: (0..buffers).map(|_| Buffers::default()).collect(),
            cutting: 0,
            may_wait: input.files.iter().any(makes_wait),
            is_over: false,
        };
        let reader = |(server, input)| Mutex::new(Reader::new(server, input, fold));
        Supply {
            readers: inputs.iter().enumerate().map(reader).collect(),
            stock: Mutex::new(Stock {
                servers: inputs.iter().map(shelf).collect(),
                closed: false,
            }),
            returned: Condvar::new(),
        }
    }

    /// A server with something to read, and empty buffers for it. `None` when all has been read.
    pub(super) fn take(&self) -> Option<(usize, Buffers)> {
        let mut stock = self.stock();
        loop {
            if stock.closed || stock.servers.iter().all(|shelf| shelf.is_over) {
                return None;
            }
            if let Some(taken) = stock.take(|_| true) {
                return Some(taken);
            }
            stock = self
                .returned
                .wait(stock)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The same without waiting for anything: `None`, too, where there is nothing at the moment.
    pub(super) fn take_at_hand(&self) -> Option<(usize, Buffers)> {
        let mut stock = self.stock();
        stock.take(|shelf| shelf.cutting == 0 && !shelf.may_wait)
    }

    /// The next chunk of a server, its bytes in `chunk` unless it says where they are; `None` at its end.
    pub(super) fn cut(&self, server: usize, chunk: &mut Vec<u8>) -> Option<Cut> {
        let reader = &self.readers[server];
        let mut reader = reader.lock().unwrap_or_else(PoisonError::into_inner);
        let cut = reader.cut(chunk);
        let cutting = &mut self.stock().servers[server].cutting;
        *cutting = cutting.saturating_sub(1);
        cut
    }

    /// Buffers that can be used again.
    pub(super) fn give(&self, server: usize, buffers: Buffers) {
        self.stock().servers[server].free.push(buffers);
        self.returned.notify_one();
    }

    /// Nothing is left of a server.
    pub(super) fn end(&self, server: usize) {
        self.stock().servers[server].is_over = true;
        self.returned.notify_all();
    }

    /// Nobody wants more.
    pub(super) fn close(&self) {
        self.stock().closed = true;
        self.returned.notify_all();
    }

    fn stock(&self) -> MutexGuard<'_, Stock> {
        self.stock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
