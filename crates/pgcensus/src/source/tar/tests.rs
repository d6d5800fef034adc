use std::path::PathBuf;

use proptest::prelude::*;

use super::*;

/// A member as ustar has it.
pub(in crate::source) fn member(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut tar = header(name, b'0', bytes.len() as u64);
    tar.extend(bytes);
    tar.resize(tar.len().next_multiple_of(BLOCK), 0);
    tar
}

/// A tar of such members.
pub(in crate::source) fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let members = members.iter().flat_map(|(name, bytes)| member(name, bytes));
    members.chain([0; 2 * BLOCK]).collect()
}

fn header(name: &str, kind: u8, len: u64) -> Vec<u8> {
    let mut block = [0; BLOCK];
    block[..name.len()].copy_from_slice(name.as_bytes());
    block[124..136].copy_from_slice(format!("{len:011o}\0").as_bytes());
    block[156] = kind;
    block[257..265].copy_from_slice(b"ustar\x0000");
    mend(&mut block);
    block.to_vec()
}

/// Makes the sum of a header right again.
pub(in crate::source) fn mend(block: &mut [u8]) {
    let block: &mut [u8; BLOCK] = block.try_into().expect("a block");
    let sum = checksum(block);
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

impl Tape for io::Cursor<&[u8]> {
    fn wind_to(&mut self, at: u64) -> io::Result<()> {
        self.set_position(at);
        Ok(())
    }
}

/// Names and bytes of the members, and whether the walk comes to a good end.
fn walk(tar: &[u8]) -> (Vec<(String, Vec<u8>)>, Result<(), Broken>) {
    let mut walk = Walk::new(io::Cursor::new(tar));
    let mut members = Vec::new();
    loop {
        match walk.next() {
            Ok(Some(member)) => {
                let from = tar.len().min(member.start as usize);
                let len = (tar.len() - from).min(usize::try_from(member.len).unwrap_or(usize::MAX));
                let name = String::from_utf8_lossy(&member.name).into_owned();
                members.push((name, tar[from..from + len].to_vec()));
            }
            Ok(None) => return (members, Ok(())),
            Err(broken) => return (members, Err(broken)),
        }
    }
}

/// `testdata/tar` holds what GNU tar 1.34 made of one directory in each of its formats, and Python's tarfile.
#[test]
fn what_real_programs_write_is_read() {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/tar");
    for (name, is_sparse) in [
        ("gnu", false),
        ("ustar", false),
        ("pax", false),
        ("python", false),
        ("sparse", true),
    ] {
        let file =
            std::fs::File::open(dir.join(format!("{name}.tar.zst"))).expect("a file of testdata");
        let tar = zstd::decode_all(file).expect("zstd");
        assert!(is_tar(&tar), "{name}");
        let (mut members, end) = walk(&tar);
        end.expect(name);
        members.sort();
        let long = "n".repeat(90);
        // ustar has no room for more.
        let long = if name == "ustar" {
            format!("{long}/{long}")
        } else {
            format!("{long}/{long}/{long}")
        };
        let names: Vec<_> = members
            .iter()
            .map(|(name, _)| name.trim_start_matches("./"))
            .collect();
        assert_eq!(
            names,
            ["empty", "größe.log", &format!("{long}.log"), "small.log"],
            "{name}"
        );
        let sizes: Vec<_> = members.iter().map(|(_, bytes)| bytes.len()).collect();
        if is_sparse {
            continue;
        }
        assert_eq!(sizes, [0, 513, 1024, 6], "{name}");
        assert_eq!(members[3].1, b"small\n");
        assert!(members[2].1.iter().all(|&byte| byte == b'x'));
    }
}

#[test]
fn cut_anywhere_it_gives_its_first_members_and_says_so() {
    let whole = tar(&[
        ("a.log", &[b'a'; 700]),
        ("b.log", b""),
        ("c/d.log", &[b'd'; 512]),
    ]);
    let (expected, end) = walk(&whole);
    end.expect("it is whole");
    for len in 1..whole.len() {
        let (members, end) = walk(&whole[..len]);
        for (member, expected) in members.iter().zip(&expected) {
            assert_eq!(member.0, expected.0);
            assert!(expected.1.starts_with(&member.1));
        }
        // One block of zeros is an end as good as two.
        let is_whole = len >= whole.len() - BLOCK;
        match end {
            Ok(()) => assert!(is_whole, "cut at {len}"),
            Err(Broken::Truncated(at)) => {
                assert!(!is_whole && at <= whole.len() as u64, "cut at {len}");
            }
            Err(broken) => panic!("cut at {len}: {broken:?}"),
        }
    }
}

#[test]
fn tars_one_after_the_other_are_read_and_garbage_after_them_is_not() {
    let one = tar(&[("a.log", b"a")]);
    let two = tar(&[("b.log", b"b")]);
    let tape = [&one[..], &[0; 19 * BLOCK], &two, &[b'g'; 3 * BLOCK]].concat();
    let (members, end) = walk(&tape);
    end.expect("it ends there");
    assert_eq!(
        members,
        [
            ("a.log".to_owned(), b"a".to_vec()),
            ("b.log".to_owned(), b"b".to_vec())
        ]
    );
    let garbage = [member("a.log", b"a"), vec![b'g'; BLOCK]].concat();
    let (members, end) = walk(&garbage);
    assert_eq!(members.len(), 1);
    assert!(matches!(end, Err(Broken::Corrupt(1024))), "{end:?}");
}

#[test]
fn sizes_that_cannot_be_are_no_loop_and_no_panic() {
    for size in [
        b"\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"77777777777\0",
    ] {
        for kind in *b"0LKxgS5" {
            let mut block: [u8; BLOCK] = header("a.log", kind, 0).try_into().expect("a block");
            block[124..136].copy_from_slice(size);
            mend(&mut block);
            let (members, end) = walk(&[&block[..], b"some bytes"].concat());
            assert!(members.len() < 2);
            assert!(
                matches!(end, Err(Broken::Truncated(_))),
                "{}: {end:?}",
                char::from(kind)
            );
        }
    }
    // Names longer than any file's.
    let long = "n".repeat(1 << 20);
    let tape = [
        header("", b'L', long.len() as u64),
        long.into_bytes(),
        tar(&[("a", b"a")]),
    ]
    .concat();
    let (members, end) = walk(&tape);
    end.expect("it is whole");
    assert_eq!(members[0].0.len() as u64, NAME_MAX);
}

#[test]
fn pax_records_that_are_none_are_passed_over() {
    for (records, name) in [
        (&b"11 path=b/c\n"[..], "b/c"),
        (b"17 comment=other\n11 path=b/c\n", "b/c"),
        (b"99 path=b/c\n", "a"),
        (b"-1 path=b/c\n", "a"),
        (b"0 path=b/c\n", "a"),
        (b"3 \n11 path=b/c\n", "a"),
        (b"18446744073709551615 path=b\n", "a"),
        (b"path=b/c", "a"),
        (b"", "a"),
    ] {
        let mut tape = header("", b'x', records.len() as u64);
        tape.extend(records);
        tape.resize(tape.len().next_multiple_of(BLOCK), 0);
        tape.extend(tar(&[("a", b"text"), ("z", b"z")]));
        let (members, end) = walk(&tape);
        end.expect("it is whole");
        let names: Vec<_> = members.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, [name, "z"], "{}", String::from_utf8_lossy(records));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 0..6)) {
        let pax = b"11 path=b/c\n12 size=600\n";
        let mut tape = header("", b'x', pax.len() as u64);
        tape.extend(pax);
        tape.resize(2 * BLOCK, 0);
        tape.extend([header("", b'L', 5), header("long", b'S', 600), member("a", &[b'x'; 600]), tar(&[("b", b"b")])].concat());
        for (at, byte, mends) in changes {
            let at = at.index(tape.len());
            tape[at] = byte;
            // With a sum that is right, the change counts.
            if mends {
                mend(&mut tape[at / BLOCK * BLOCK..][..BLOCK]);
            }
        }
        let _ = walk(&tape);
        let _ = is_tar(&tape);
    }
}
