//! Decompressing ahead, on a thread that does nothing else: what it looks back at stays in the cache of one
//! processor, and what is decompressed is decoded meanwhile.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// How much is handed over at once, and filled before it is: each time somebody may have to be woken, which costs more
/// than that what was just decompressed leaves the cache.
const PART: usize = 2 << 20;

/// The first one is less: a short log is no more, and memory that is made for nothing costs more than it.
const FIRST_PART: usize = 128 << 10;

/// So many parts wait at most.
const PARTS: usize = 2;

/// What is handed over.
#[derive(Default)]
struct Part {
    bytes: Vec<u8>,
    /// Behind them is nothing more, or this error.
    end: Option<io::Result<()>>,
}

/// The bytes of a reader that a thread reads ahead of those who want them. Its thread ends with the reader, or when
/// this is dropped.
pub(super) struct Ahead {
    parts: Receiver<Part>,
    spent: SyncSender<Vec<u8>>,
    part: Part,
    at: usize,
}

impl Ahead {
    pub(super) fn new(mut reader: impl Read + Send + 'static) -> io::Result<Ahead> {
        let (send, parts) = sync_channel(PARTS);
        let (spent, returned) = sync_channel(PARTS + 2);
        thread::Builder::new().spawn(move || {
            let mut size = FIRST_PART;
            loop {
                let spent = returned.try_recv().unwrap_or_default();
                let part = Part::read(&mut reader, spent, size);
                size = PART;
                let is_last = part.end.is_some();
                if send.send(part).is_err() || is_last {
                    return;
                }
            }
        })?;
        Ok(Ahead {
            parts,
            spent,
            part: Part::default(),
            at: 0,
        })
    }
}

impl Part {
    /// The next `size` bytes of `reader`, in a buffer of earlier ones.
    fn read(reader: &mut impl Read, mut bytes: Vec<u8>, size: usize) -> Part {
        if bytes.is_empty() {
            bytes = vec![0; size];
        }
        bytes.resize(size, 0);
        let mut len = 0;
        let mut end = None;
        while len < size && end.is_none() {
            match reader.read(&mut bytes[len..]) {
                Ok(0) => end = Some(Ok(())),
                Ok(n) => len += n,
                Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
                Err(err) => end = Some(Err(err)),
            }
        }
        bytes.truncate(len);
        Part { bytes, end }
    }
}

impl Read for Ahead {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.at == self.part.bytes.len() {
            if let Some(end) = &mut self.part.end {
                // An error is told once.
                return std::mem::replace(end, Ok(())).map(|()| 0);
            }
            // Without a last part: its thread panicked.
            let part = self.parts.recv().unwrap_or_else(|_| Part {
                bytes: Vec::new(),
                end: Some(Err(io::Error::other("decompressing it failed"))),
            });
            let spent = std::mem::replace(&mut self.part, part);
            self.at = 0;
            // A full channel, or a thread that has ended, has no need of it.
            let _ = self.spent.try_send(spent.bytes);
        }
        let rest = &self.part.bytes[self.at..];
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        self.at += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives its bytes in pieces of different lengths, then fails.
    struct Broken(Vec<u8>, usize);

    impl Read for Broken {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.1 = self.1 * 7 % 1009 + 1;
            let n = self.1.min(self.0.len()).min(buf.len());
            if n == 0 {
                return Err(io::Error::from(io::ErrorKind::InvalidData));
            }
            buf[..n].copy_from_slice(&self.0[..n]);
            self.0.drain(..n);
            Ok(n)
        }
    }

    #[test]
    fn bytes_before_an_error_arrive_and_the_error_once() {
        let bytes: Vec<u8> = (0..100_000u32).map(|i| (i % 251) as u8).collect();
        let mut ahead = Ahead::new(Broken(bytes.clone(), 1)).unwrap();
        let mut read = Vec::new();
        let err = ahead.read_to_end(&mut read).unwrap_err();
        assert_eq!(err.kind(), io::ErrorKind::InvalidData);
        assert_eq!(read, bytes);
        assert_eq!(ahead.read(&mut [0; 8]).unwrap(), 0);
    }

    #[test]
    fn reader_that_panics_is_an_error_and_no_end() {
        struct Panics;
        impl Read for Panics {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                panic!("as a library might");
            }
        }
        let err = Ahead::new(Panics).unwrap().read(&mut [0; 8]).unwrap_err();
        assert_eq!(err.to_string(), "decompressing it failed");
    }
}
