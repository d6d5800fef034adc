//! What workers wait for: empty buffers, and the place from which the next chunk of a server is cut.

use std::cmp::Reverse;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::Buffers;
use super::fold::Fold;
use super::reader::{Cut, Reader};

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
    /// Its log has been cut to the end.
    is_over: bool,
}

impl<'a> Supply<'a> {
    /// Buffers for this many workers: while one has its chunk decoded, another waits for its turn in the fold. Of many
    /// servers each has fewer, so that all of them together stay as small.
    pub(super) fn new(fold: &Fold<'a, '_>, threads: usize) -> Supply<'a> {
        let inputs = fold.run_servers();
        let buffers = (threads * 2).div_ceil(inputs.len().max(1)).max(1);
        let shelf = |_| Shelf {
            free: (0..buffers).map(|_| Buffers::default()).collect(),
            cutting: 0,
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

    /// A server with something to read, and empty buffers for it: one that nobody cuts now, if there is one, and of these that
    /// with the fewest chunks under way. `None` when all has been read.
    pub(super) fn take(&self) -> Option<(usize, Buffers)> {
        let mut stock = self.stock();
        loop {
            if stock.closed || stock.servers.iter().all(|shelf| shelf.is_over) {
                return None;
            }
            let shelves = stock.servers.iter_mut().enumerate();
            let next = shelves
                .filter(|(_, shelf)| !shelf.is_over)
                .filter(|(_, shelf)| !shelf.free.is_empty())
                .max_by_key(|(_, shelf)| (Reverse(shelf.cutting), shelf.free.len()));
            if let Some((server, shelf)) = next
                && let Some(buffers) = shelf.free.pop()
            {
                shelf.cutting += 1;
                return Some((server, buffers));
            }
            stock = self
                .returned
                .wait(stock)
                .unwrap_or_else(PoisonError::into_inner);
        }
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
