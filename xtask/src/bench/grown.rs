//! Logs with much of one thing: names, sessions that stay open, files, bytes in one record.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::path::Path;

use anyhow::Result;

use super::logs::{BUFFER_BYTES, Load, Log, Logs, create};
use crate::server::Format;

/// Every session has one of so many application names, each as often as the others. The names have the same
/// length whatever their number.
///
/// # Errors
/// When it cannot be written.
pub(super) fn applications(logs: &Logs, path: &Path, copies: u32, distinct: u64) -> Result<()> {
    let mut sessions = 0;
    logs.repeat(Load::Connections, Format::Stderr, copies, path, |line| {
        const NAME: &[u8] = b" application_name=";
        if memchr::memmem::find(line, b"connection authorized: ").is_none() {
            return;
        }
        let end = memchr::memmem::find(line, NAME).unwrap_or(line.len() - 1);
        line.truncate(end);
        line.extend_from_slice(NAME);
        line.extend_from_slice(format!("app-{:07}\n", sessions % distinct).as_bytes());
        sessions += 1;
    })
}

/// So many sessions do not end: those that would have ended first.
///
/// # Errors
/// When it cannot be written.
pub(super) fn left_open(logs: &Logs, path: &Path, copies: u32, open: u64) -> Result<()> {
    let mut left = open;
    logs.repeat(Load::Connections, Format::Stderr, copies, path, |line| {
        if left > 0 && memchr::memmem::find(line, b"disconnection: session time: ").is_some() {
            left -= 1;
            line.clear();
        }
    })
}

/// The first bytes of a log in so many files of about the same length, as the collector rotates them.
///
/// # Errors
/// When they cannot be written.
pub(super) fn rotated(log: &Log, dir: &Path, bytes: u64, files: u64) -> Result<()> {
    std::fs::create_dir_all(dir)?;
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, File::open(&log.path)?);
    let mut done = 0;
    for n in 0..files {
        let path = dir.join(format!("postgresql-2026-11-26_{n:06}.log"));
        let mut out = create(&path)?;
        let wanted = (bytes * (n + 1) / files).saturating_sub(done);
        done += copy_lines(&mut reader, &mut out, wanted)?;
        out.flush()?;
    }
    Ok(())
}

/// A record of so many bytes, one line, between two pieces of a log that are half as long each.
///
/// # Errors
/// When it cannot be written.
pub(super) fn long_record(log: &Log, path: &Path, bytes: u64) -> Result<()> {
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, File::open(&log.path)?);
    let mut out = create(path)?;
    copy_lines(&mut reader, &mut out, bytes / 2)?;
    // Said by the backend that spoke last.
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line)?;
    let head = memchr::memchr(b']', &line).map_or(0, |end| end + 1);
    out.write_all(&line[..head])?;
    out.write_all(b" LOG:  duration: 1.234 ms  statement: INSERT INTO pictures VALUES ('\\x")?;
    io::copy(&mut io::repeat(b'7').take(bytes), &mut out)?;
    out.write_all(b"');\n")?;
    copy_lines(&mut reader, &mut out, bytes / 2)?;
    Ok(out.flush()?)
}

/// The first bytes of a log, up to the end of a line.
///
/// # Errors
/// When it cannot be written.
pub(super) fn part(log: &Log, path: &Path, bytes: u64) -> Result<()> {
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, File::open(&log.path)?);
    let mut out = create(path)?;
    copy_lines(&mut reader, &mut out, bytes)?;
    Ok(out.flush()?)
}

/// Copies so many bytes, and to the end of the line; says how many those were.
fn copy_lines(reader: &mut impl BufRead, out: &mut impl io::Write, bytes: u64) -> io::Result<u64> {
    let copied = io::copy(&mut reader.take(bytes), out)?;
    let mut rest = Vec::new();
    reader.read_until(b'\n', &mut rest)?;
    out.write_all(&rest)?;
    Ok(copied + rest.len() as u64)
}
