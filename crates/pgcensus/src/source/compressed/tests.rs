use std::io::Write;

use proptest::prelude::*;

use super::*;

/// Each compression with what writes it.
pub(in crate::source) const PACKERS: [(Compression, fn(&[u8]) -> Vec<u8>); 5] = [
    (Compression::Gzip, gzip),
    (Compression::Zstd, zstd),
    (Compression::Xz, xz),
    (Compression::Bzip2, bzip2),
    (Compression::Lz4, lz4),
];

pub(in crate::source) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("a Vec takes all");
    encoder.finish().expect("a Vec takes all")
}

pub(in crate::source) fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).expect("a Vec takes all")
}

pub(in crate::source) fn xz(bytes: &[u8]) -> Vec<u8> {
    liblzma::encode_all(bytes, 1).expect("a Vec takes all")
}

pub(in crate::source) fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(bytes).expect("a Vec takes all");
    encoder.finish().expect("a Vec takes all")
}

/// As the program does it: large blocks that do not know of each other, a checksum of all.
pub(in crate::source) fn lz4(bytes: &[u8]) -> Vec<u8> {
    use lz4_flex::frame::{BlockSize, FrameInfo};
    let info = FrameInfo::new().block_size(BlockSize::Max64KB);
    lz4_as(info.content_checksum(true), bytes)
}

fn lz4_as(info: lz4_flex::frame::FrameInfo, bytes: &[u8]) -> Vec<u8> {
    let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(bytes).expect("a Vec takes all");
    encoder.finish().expect("a Vec takes all")
}

/// Blocks of the legacy frame hold 8 MiB, but for the last.
fn lz4_legacy(bytes: &[u8]) -> Vec<u8> {
    let mut packed = vec![0x02, 0x21, 0x4c, 0x18];
    for block in bytes.chunks(8 << 20) {
        let block = lz4_flex::block::compress(block);
        packed.extend((block.len() as u32).to_le_bytes());
        packed.extend(block);
    }
    packed
}

fn read(compression: Compression, bytes: Vec<u8>) -> (Vec<u8>, Option<Damaged>) {
    let mut reader = compression.undo(io::Cursor::new(bytes)).expect("a decoder");
    let mut text = Vec::new();
    let err = reader.read_to_end(&mut text).err();
    (text, err.map(|err| damage(&err).expect("damage")))
}

/// What is hardly compressed.
fn noise(len: u32) -> Vec<u8> {
    (0..len / 4)
        .flat_map(|n| {
            n.wrapping_mul(2_654_435_761)
                .rotate_left(n % 32)
                .to_le_bytes()
        })
        .collect()
}

#[test]
fn zeros_behind_a_member_of_gzip_are_padding() {
    let member = |text: &[u8], zeros| [gzip(text), vec![0; zeros]].concat();
    for (bytes, text) in [
        (member(b"a log\n", 1), &b"a log\n"[..]),
        (member(b"a log\n", 100_000), b"a log\n"),
        (
            [member(b"a log\n", 700), member(b"more\n", 0)].concat(),
            b"a log\nmore\n",
        ),
    ] {
        assert_eq!(read(Compression::Gzip, bytes), (text.to_vec(), None));
    }
    let junk = [member(b"a log\n", 3), b"what is this".to_vec()].concat();
    let (text, damaged) = read(Compression::Gzip, junk);
    assert_eq!(text, b"a log\n");
    assert_eq!(damaged.map(|damaged| damaged.harm), Some(Harm::Corrupt));
}

#[test]
fn members_streams_and_frames_are_read_to_the_last() {
    for (compression, pack) in PACKERS {
        let packed = [pack(b"one\n"), pack(b"two\n"), pack(b"")].concat();
        assert_eq!(sniff(&packed), Magic::Known(compression));
        assert_eq!(read(compression, packed), (b"one\ntwo\n".to_vec(), None));
    }
}

#[test]
fn a_damaged_stream_gives_its_data_and_then_says_what_is_wrong() {
    let text = noise(2_000_000);
    for (compression, pack) in PACKERS {
        let name = compression.name();
        let mut packed = pack(&text);
        packed.truncate(packed.len() / 2);
        let (begin, damaged) = read(compression, packed.clone());
        let damaged = damaged.expect("it is truncated");
        assert_eq!(damaged.harm, Harm::Truncated, "{name}");
        assert_eq!(damaged.bytes_read, begin.len() as u64);
        assert!(
            begin.len() > 500_000 && text.starts_with(&begin),
            "{name}: {}",
            begin.len()
        );
        let bytes = thousands(begin.len() as u64);
        assert_eq!(
            damaged.to_string(),
            format!("truncated {name}: {bytes} bytes read")
        );

        let garbage = [pack(&text), b"garbage, and more of it".to_vec()].concat();
        let (begin, damaged) = read(compression, garbage);
        // A library may keep what it had in hand when it failed.
        assert!(
            text.starts_with(&begin) && begin.len() + 200_000 > text.len(),
            "{name}"
        );
        assert_eq!(
            damaged.map(|damaged| damaged.harm),
            Some(Harm::Corrupt),
            "{name}"
        );
    }
}

#[test]
fn cut_anywhere_it_gives_a_beginning_and_says_so() {
    let text: Vec<u8> = (0..400)
        .flat_map(|n| format!("line {} of it\n", n * n).into_bytes())
        .collect();
    let part = &text[..text.len() / 2];
    for (compression, pack) in PACKERS {
        let first = pack(part);
        let packed = [&first[..], &pack(&text[part.len()..])].concat();
        for len in 4..packed.len() {
            let (begin, damaged) = read(compression, packed[..len].to_vec());
            assert!(
                text.starts_with(&begin),
                "{} cut at {len}",
                compression.name()
            );
            let harm = damaged.map(|damaged| damaged.harm);
            if len == first.len() {
                assert_eq!((&*begin, harm), (part, None));
            } else {
                assert_eq!(
                    harm,
                    Some(Harm::Truncated),
                    "{} cut at {len}",
                    compression.name()
                );
            }
        }
    }
}

#[test]
fn every_kind_of_lz4_is_read() {
    use lz4_flex::frame::{BlockMode, BlockSize, FrameInfo};

    let text = [
        noise(300_000),
        b"line of it\n".repeat(30_000),
        noise(9_000_000),
    ]
    .concat();
    for size in [
        BlockSize::Max64KB,
        BlockSize::Max256KB,
        BlockSize::Max1MB,
        BlockSize::Max4MB,
    ] {
        for mode in [BlockMode::Linked, BlockMode::Independent] {
            for checksums in [false, true] {
                let info = FrameInfo::new().block_size(size).block_mode(mode);
                let info = info.block_checksums(checksums).content_checksum(checksums);
                let packed = lz4_as(info.content_size(Some(text.len() as u64)), &text);
                assert!(
                    read(Compression::Lz4, packed) == (text.clone(), None),
                    "{size:?} {mode:?}"
                );
            }
        }
    }
    let skippable = [&[0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0], &b"any"[..]].concat();
    let legacy = lz4_legacy(&text);
    assert_eq!(sniff(&legacy), Magic::Known(Compression::Lz4));
    let packed = [
        &legacy,
        &skippable[..],
        &lz4(b"one\n"),
        &legacy,
        &lz4(b"two\n"),
    ]
    .concat();
    let expected = [&text, &b"one\n"[..], &text, b"two\n"].concat();
    assert!(read(Compression::Lz4, packed) == (expected, None));
    // The checksum of all, after the last block.
    let mut packed = lz4(b"three\n");
    *packed.last_mut().expect("it is not empty") ^= 1;
    let (text, damaged) = read(Compression::Lz4, packed);
    assert_eq!(
        (&*text, damaged.map(|damaged| damaged.harm)),
        (&b"three\n"[..], Some(Harm::Corrupt))
    );
}

#[test]
fn what_asks_for_too_much_memory_is_not_called_corrupt() {
    let mut options = liblzma::stream::LzmaOptions::new_preset(0).expect("a preset");
    options.dict_size(512 << 20);
    let mut filters = liblzma::stream::Filters::new();
    filters.lzma2(&options);
    let check = liblzma::stream::Check::Crc32;
    let stream = liblzma::stream::Stream::new_stream_encoder(&filters, check).expect("an encoder");
    let mut encoder = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
    encoder.write_all(b"one\n").expect("a Vec takes all");
    let xz = encoder.finish().expect("a Vec takes all");

    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).expect("an encoder");
    encoder.window_log(28).expect("a size of a window");
    encoder.write_all(b"one\n").expect("a Vec takes all");
    encoder.flush().expect("a Vec takes all");
    let zstd = encoder.finish().expect("a Vec takes all");

    for (compression, packed) in [(Compression::Xz, xz), (Compression::Zstd, zstd)] {
        let (_, damaged) = read(compression, packed);
        let name = compression.name();
        assert_eq!(
            damaged.expect("it is not read").to_string(),
            format!(
                "{name} with a window larger than is read: 0 bytes read; pipe it in from {name} -dc"
            )
        );
    }
}

#[test]
fn what_is_not_read_is_named() {
    for (head, expected) in [
        (&b"PK\x03\x04"[..], Magic::Foreign("zip")),
        (b"BZh is how a line may begin", Magic::Plain),
        (b"2026-11-23", Magic::Plain),
        (b"", Magic::Plain),
    ] {
        assert_eq!(sniff(head), expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Bytes that are wrong make no panic, and no more than what a bomb would be.
    #[test]
    fn nothing_panics(
        packer in 0..PACKERS.len(),
        at in prop::collection::vec((0.0..1.0f64, any::<u8>()), 1..5),
    ) {
        let text = b"2026-11-23 05:28:21.603 UTC [1] LOG:  one\n".repeat(50);
        let (compression, pack) = PACKERS[packer];
        let mut packed = pack(&text);
        for (at, byte) in at {
            let len = packed.len();
            packed[(len as f64 * at) as usize] = byte;
        }
        let mut reader = compression.undo(io::Cursor::new(packed)).expect("a decoder");
        let mut read = Vec::new();
        let _ = reader.by_ref().take(64 << 20).read_to_end(&mut read);
        let _ = reader.read(&mut [0; 64]);
    }
}
