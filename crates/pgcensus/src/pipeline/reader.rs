//! Reading a server's files, in order, and cutting them into chunks of whole records.

use std::io::Read;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};

use pgcensus_log::decoder::{Decoder, RECORD_MAX};

use super::{After, Buffers, Done, Job, SharedDecoders};
use crate::source::file::LogFile;

/// Reads the files of one server, in order, and cuts them into chunks of whole records.
pub(super) struct Reader<'a> {
    pub(super) server: usize,
    pub(super) files: &'a [LogFile],
    pub(super) decoders: SharedDecoders,
    pub(super) chunk_size: usize,
    pub(super) free: Receiver<Buffers>,
}

impl Reader<'_> {
    pub(super) fn run(self, jobs: &Sender<Job>, done: &Sender<Done>) {
        let mut number = 0;
        // What was read beyond the last whole record.
        let mut rest: Vec<u8> = Vec::new();
        for (file, log) in self.files.iter().enumerate() {
            let mut input = match log.open() {
                Ok(input) => input,
                Err(err) => {
                    let Ok(buffers) = self.free.recv() else {
                        return;
                    };
                    let after = After {
                        error: Some(err.to_string()),
                        is_last: true,
                        ..After::default()
                    };
                    number += 1;
                    if done
                        .send(Done {
                            server: self.server,
                            number: number - 1,
                            file,
                            buffers,
                            after,
                        })
                        .is_err()
                    {
                        return;
                    }
                    continue;
                }
            };
            rest.clear();
            let mut base = 0;
            // Inside the rest of a record whose head has been handed on.
            let mut skipping = false;
            let mut at_end = false;
            while !at_end {
                let Ok(mut buffers) = self.free.recv() else {
                    return;
                };
                let decoder = self.decoder(file);
                buffers.chunk.clear();
                buffers.chunk.append(&mut rest);
                let mut after = After::default();
                let start = base;
                let piece = Piece::read(
                    &mut *input,
                    &mut buffers.chunk,
                    self.chunk_size,
                    &decoder,
                    &mut skipping,
                );
                base += piece.skipped;
                let offset = base;
                let chunk = &mut buffers.chunk;
                at_end = piece.at_end;
                after.error = piece.error;
                after.is_last = at_end;
                if piece.too_long {
                    after.too_long = Some(offset);
                }
                if at_end && skipping {
                    // The file ends inside a record that was too long to be kept.
                    after.incomplete = Some((offset, Vec::new()));
                } else if at_end {
                    let whole = decoder.complete_len(chunk);
                    if whole < chunk.len() {
                        after.incomplete = Some((offset + whole as u64, chunk[whole..].to_vec()));
                        base += (chunk.len() - whole) as u64;
                        chunk.truncate(whole);
                    }
                } else {
                    rest.extend_from_slice(&chunk[piece.end..]);
                    chunk.truncate(piece.end);
                }
                base += chunk.len() as u64;
                after.bytes = base - start;
                let job = Job {
                    server: self.server,
                    number,
                    file,
                    base: offset,
                    decoder,
                    buffers,
                    after,
                };
                number += 1;
                if jobs.send(job).is_err() {
                    return;
                }
            }
        }
    }

    fn decoder(&self, file: usize) -> Arc<Decoder> {
        self.decoders[file].read().map_or_else(
            |poisoned| poisoned.into_inner().clone(),
            |decoder| decoder.clone(),
        )
    }
}

/// What was read into a buffer.
struct Piece {
    /// Bytes dropped before its first.
    skipped: u64,
    /// Where its last whole record ends.
    end: usize,
    at_end: bool,
    error: Option<String>,
    too_long: bool,
}

impl Piece {
    /// Reads into `chunk`, which may hold a beginning already, until it has about `size` bytes and ends with a whole
    /// record, or the input is over.
    fn read(
        input: &mut dyn Read,
        chunk: &mut Vec<u8>,
        size: usize,
        decoder: &Decoder,
        skipping: &mut bool,
    ) -> Piece {
        let mut piece = Piece {
            skipped: 0,
            end: 0,
            at_end: false,
            error: None,
            too_long: false,
        };
        let mut wanted = size;
        loop {
            while chunk.len() < wanted && !piece.at_end {
                let room = (wanted - chunk.len()) as u64;
                match input.take(room).read_to_end(chunk) {
                    Ok(n) => piece.at_end = (n as u64) < room,
                    Err(err) => {
                        piece.error = Some(err.to_string());
                        piece.at_end = true;
                    }
                }
            }
            if *skipping {
                if let Some(next) = decoder.resync(chunk) {
                    chunk.drain(..next);
                    piece.skipped += next as u64;
                    *skipping = false;
                    continue;
                }
                // The end of the buffer may hold the begin of the line that ends the record.
                let keep = if piece.at_end {
                    0
                } else {
                    chunk.len().min(4096)
                };
                let dropped = chunk.len() - keep;
                chunk.drain(..dropped);
                piece.skipped += dropped as u64;
                if piece.at_end {
                    return piece;
                }
                continue;
            }
            if piece.at_end {
                return piece;
            }
            if let Some(end) = decoder.last_record_end(chunk) {
                piece.end = end;
                return piece;
            }
            if chunk.len() >= RECORD_MAX {
                piece.end = RECORD_MAX;
                piece.too_long = !decoder.begins_record(chunk);
                // What follows the head is dropped with the next piece.
                *skipping = true;
                return piece;
            }
            wanted = (chunk.len() * 2).max(4096).min(RECORD_MAX.max(size));
        }
    }
}
