//! Client hosts as addresses: which are of this machine, which of everybody, and which are near each other.

use std::net::IpAddr;

pub(super) use crate::filter::address;

/// It never leaves the machine.
pub(super) fn is_loopback(address: IpAddr) -> bool {
    address.is_loopback()
}

/// Anybody may have it. Not of these: RFC 1918, loopback, link-local, shared (CGNAT, RFC 6598), benchmarks (RFC 2544),
/// multicast and reserved, and in IPv6 all but global unicast, so unique local ones too.
///
/// Addresses for documentation (RFC 5737, 3849) are public: no network has them, and examples and tests need some.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [a, b, ..] = address.octets();
            let is_shared = a == 100 && b & 0xc0 == 64;
            let is_benchmark = a == 198 && b & 0xfe == 18;
            !(address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || is_shared
                || is_benchmark
                || a == 0
                || a >= 224)
        }
        // 2000::/3
        IpAddr::V6(address) => address.segments()[0] & 0xe000 == 0x2000,
    }
}

/// Hosts of one network are one: `10.1.2.0/24`, `2001:db8:1:2::/64`. The name of a host loses its numbers, as
/// [`folded`] says.
pub(super) fn network(host: &[u8]) -> Box<[u8]> {
    match address(host) {
        Some(IpAddr::V4(address)) => {
            let [a, b, c, _] = address.octets();
            format!("{a}.{b}.{c}.0/24").into_bytes().into()
        }
        Some(IpAddr::V6(address)) => {
            let network = address.to_bits() >> 64 << 64;
            let network = std::net::Ipv6Addr::from_bits(network);
            format!("{network}/64").into_bytes().into()
        }
        None => folded(host),
    }
}

/// A letter and a digit follow each other so often in what a program made up: `x2k4q`.
const MIXED_MIN: usize = 3;

/// A word of hexadecimal digits is made up where it is so long and has a digit.
const HEX_MIN: usize = 4;

/// Of what Kubernetes makes names of pods: no vowels, so that no word comes of it, and no digits that look like them. Source: its
/// `k8s.io/apimachinery/pkg/util/rand`.
const POD_LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// The name of a pod ends with so many of them…
const POD_LEN: usize = 5;

/// … and before those with a hash of so many or more; of no words are so many without a vowel.
const POD_HASH_MIN: usize = 8;

/// Each number is one `#`, and so is each word that looks made up: `worker-17` and `worker-4` are `worker-#`, and so is
/// `worker-3f2a`.
pub(super) fn folded(name: &[u8]) -> Box<[u8]> {
    let is_same = |a: &u8, b: &u8| a.is_ascii_alphanumeric() == b.is_ascii_alphanumeric();
    let mut folded: Vec<u8> = Vec::with_capacity(name.len());
    for word in name.chunk_by(is_same) {
        if is_made_up(word) || is_of_pod(word, &folded) {
            folded.push(b'#');
            continue;
        }
        for run in word.chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit()) {
            if run[0].is_ascii_digit() {
                folded.push(b'#');
            } else {
                folded.extend(run);
            }
        }
    }
    folded.into()
}

/// Letters and digits that say nothing.
fn is_made_up(word: &[u8]) -> bool {
    let runs = word.chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit());
    let is_hex = word.len() >= HEX_MIN && word.iter().all(u8::is_ascii_hexdigit);
    is_hex && word.iter().any(u8::is_ascii_digit) || runs.count() > MIXED_MIN
}

/// What Kubernetes adds to the name of a pod, after what is folded so far. Five consonants may be a word (`pgsql`) unless
/// a hash stands before them.
fn is_of_pod(word: &[u8], before: &[u8]) -> bool {
    let is_long = word.len() >= POD_HASH_MIN;
    let is_end = word.len() == POD_LEN
        && (before.ends_with(b"#-")
            || before.ends_with(b"-") && word.iter().any(u8::is_ascii_digit));
    (is_long || is_end) && word.iter().all(|letter| POD_LETTERS.contains(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_anybody_may_have_is_public() {
        for (text, public) in [
            ("203.0.113.7", true),
            ("8.8.8.8", true),
            ("2001:db8::7", true),
            ("::ffff:8.8.8.8", true),
            ("10.0.0.1", false),
            ("172.31.0.1", false),
            ("172.32.0.1", true),
            ("192.168.3.4", false),
            ("127.0.0.9", false),
            ("169.254.1.1", false),
            ("100.64.0.1", false),
            ("100.127.255.255", false),
            ("100.128.0.1", true),
            ("198.19.0.1", false),
            ("0.0.0.0", false),
            ("240.0.0.1", false),
            ("::1", false),
            ("fe80::1%eth0", false),
            ("fd00::1", false),
            ("::ffff:10.0.0.1", false),
        ] {
            let parsed = address(text.as_bytes()).expect(text);
            assert_eq!(is_public(parsed), public, "{text}");
        }
        for name in [
            "[local]",
            "db.example.com",
            "unknown",
            "",
            "10.0.0.1.evil.example",
        ] {
            assert_eq!(address(name.as_bytes()), None, "{name}");
        }
    }

    #[test]
    fn hosts_of_a_network_are_one() {
        for (host, wanted) in [
            ("10.1.2.3", "10.1.2.0/24"),
            ("::ffff:10.1.2.3", "10.1.2.0/24"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("web-17.example.com", "web-#.example.com"),
            ("[local]", "[local]"),
        ] {
            let network = network(host.as_bytes());
            assert_eq!(String::from_utf8_lossy(&network), wanted, "{host}");
        }
    }

    #[test]
    fn numbers_of_names_do_not_count() {
        for (name, wanted) in [
            ("worker-17", "worker-#"),
            ("worker-3f2a", "worker-#"),
            ("worker-9bc1", "worker-#"),
            ("job 550e8400-e29b-41d4-a716-446655440000", "job #-#-#-#-#"),
            ("web-7d9f8b6c5-x2k4q", "web-#-#"),
            ("imp-bcdfghjkl-mnpqr", "imp-#-#"),
            ("imp-66cfbtzkw-xqz4k", "imp-#-#"),
            ("imp-x4qzk", "imp-#"),
            ("app-pgsql", "app-pgsql"),
            ("psql", "psql"),
            ("DBeaver 24.1.2", "DBeaver #.#.#"),
            ("pgAdmin 4 - DB:shop", "pgAdmin # - DB:shop"),
            ("cafe", "cafe"),
            ("", ""),
        ] {
            assert_eq!(String::from_utf8_lossy(&folded(name.as_bytes())), wanted);
        }
    }
}
