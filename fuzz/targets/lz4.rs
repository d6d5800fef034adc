//! Any bytes as lz4: no panic, no more than a block at once; and what is packed is read back, however it is cut.
#![no_main]

#[path = "../../crates/pgcensus/src/source/lz4.rs"]
#[allow(unreachable_pub)]
mod lz4;

use std::io::{Cursor, Read, Write};

use libfuzzer_sys::fuzz_target;
use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};

// The first byte says how it is packed.
fuzz_target!(|data: &[u8]| {
    let Some((&how, data)) = data.split_first() else {
        return;
    };
    let mut reader = lz4::Lz4::new(Cursor::new(data)).take(1 << 24);
    let _ = reader.read_to_end(&mut Vec::new());
    let has = |bit: u8| how & 1 << bit != 0;
    let mode = if has(0) {
        BlockMode::Linked
    } else {
        BlockMode::Independent
    };
    let info = FrameInfo::new()
        .block_mode(mode)
        .block_size(BlockSize::Max64KB);
    let info = info.block_checksums(has(1)).content_checksum(has(2));
    let text = data.repeat(1 + usize::from(how >> 3));
    let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(&text).expect("a Vec takes all");
    let packed = encoder.finish().expect("a Vec takes all");
    let mut read = Vec::new();
    lz4::Lz4::new(Cursor::new(&packed))
        .read_to_end(&mut read)
        .expect("it is whole");
    assert_eq!(read, text);
    let cut = packed.len() * usize::from(how) / 256;
    read.clear();
    let result = lz4::Lz4::new(Cursor::new(&packed[..cut])).read_to_end(&mut read);
    assert!(text.starts_with(&read) && (result.is_err() || cut == 0));
});
