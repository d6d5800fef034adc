//! Any bytes as a tar: each step goes on, and there are no more members than headers. Sums of headers are made right, so that
//! what is changed in them counts.
#![no_main]

#[path = "../../crates/pgcensus/src/source/tar.rs"]
#[allow(dead_code, unreachable_pub)]
mod tar;

use std::io::{self, Cursor};

use libfuzzer_sys::fuzz_target;
use tar::{BLOCK, Tape, Walk};

struct Bytes<'b>(Cursor<&'b [u8]>);

impl io::Read for Bytes<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl Tape for Bytes<'_> {
    fn wind_to(&mut self, at: u64) -> io::Result<()> {
        assert!(at >= self.0.position(), "backwards");
        self.0.set_position(at);
        Ok(())
    }
}

fuzz_target!(|data: &[u8]| {
    let mut data = data.to_vec();
    for block in data.chunks_exact_mut(BLOCK) {
        if &block[257..262] == b"ustar" {
            block[148..156].fill(b' ');
            let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
            block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        }
    }
    let mut walk = Walk::new(Bytes(Cursor::new(&data)));
    let mut next = 0;
    let mut count = 0;
    while let Ok(Some(member)) = walk.next() {
        assert!(member.start > next && member.start % BLOCK as u64 == 0);
        next = member.start;
        count += 1;
    }
    assert!(count <= data.len() / BLOCK);
});
