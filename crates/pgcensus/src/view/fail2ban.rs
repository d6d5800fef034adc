//! `findings --emit fail2ban`: a line for each wrong password, with an address and nothing that somebody chose before it.
//!
//! ```text
//! 2026-11-23T02:41:01.123+00:00 203.0.113.7 pgcensus: password_failed user="postgres" database="postgres" server="pg1"
//! ```
//!
//! The address is written anew from what it is, so that it cannot be anything else; where the log has the name of a host
//! (`log_hostname`), or none, there is no line, since whoever runs the host's DNS chooses its name. Names cannot begin a new line: what does
//! not show is escaped.

use std::io;
use std::net::IpAddr;

use pgcensus_core::change::Refusal;
use pgcensus_core::instant::Instant;
use pgcensus_core::names::{Dimension, Name, Names};
use pgcensus_core::zone::DisplayZone;

use super::text::shown;

/// The line of a failure, if its client has an address.
pub(crate) fn row(
    refusal: &Refusal,
    at: Instant,
    names: &Names,
    zone: &DisplayZone,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let text = |dimension, name: &Option<Name>| {
        let name = name.as_ref().map(|name| names.text(dimension, name));
        name.map_or_else(String::new, |name| shown(name).replace('"', "'"))
    };
    let Some(address) = address(&text(Dimension::ClientHost, &refusal.client_host)) else {
        return Ok(());
    };
    let server = names.text_of(Dimension::Server, refusal.server.into());
    writeln!(
        out,
        "{} {address} pgcensus: {} user=\"{}\" database=\"{}\" server=\"{}\"",
        zone.rfc3339(at),
        refusal.reason.as_str(),
        text(Dimension::User, &refusal.user),
        text(Dimension::Database, &refusal.database),
        shown(server).replace('"', "'"),
    )
}

/// `::ffff:10.0.0.7` is `10.0.0.7`, and the zone of `fe80::1%eth0` is left off.
fn address(host: &str) -> Option<IpAddr> {
    let address = host.split_once('%').map_or(host, |(address, _)| address);
    let address: IpAddr = address.parse().ok()?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use pgcensus_core::session::{RefusalReason, ServerId, Session};

    fn line(user: &[u8], host: &[u8]) -> String {
        let mut names = Names::of_servers(["pg\"1"]);
        let refusal = Refusal {
            user: Some(names.name(Dimension::User, user)),
            client_host: Some(names.name(Dimension::ClientHost, host)),
            client_port: Some(5_000),
            ..Refusal::new(
                &Session::new(ServerId(0), Some(4242), None),
                RefusalReason::PasswordFailed,
            )
        };
        let mut out = Vec::new();
        row(
            &refusal,
            Instant(0),
            &names,
            &DisplayZone::default(),
            &mut out,
        )
        .expect("memory");
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn a_line_has_time_and_address_before_anything_that_somebody_chose() {
        let rest = "user=\"app\" database=\"\" server=\"pg'1\"\n";
        for (host, address) in [
            ("203.0.113.7", "203.0.113.7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("2001:DB8:0::7", "2001:db8::7"),
            ("fe80::1%eth0", "fe80::1"),
        ] {
            assert_eq!(
                line(b"app", host.as_bytes()),
                format!("1970-01-01T00:00:00.000+00:00 {address} pgcensus: password_failed {rest}")
            );
        }
    }

    #[test]
    fn no_name_forges_a_line_or_an_address() {
        let hostile = b"x\" 10.0.0.1\n1970-01-01T00:00:00.000+00:00 10.0.0.1 pgcensus: password_failed user=\"y\r\x0b\x1b[2K\xe2\x80\xa8";
        let line = line(hostile, b"203.0.113.7");
        assert!(line.starts_with("1970-01-01T00:00:00.000+00:00 203.0.113.7 pgcensus: "));
        let ends = |c: char| c.is_control() || c == '\u{2028}';
        assert_eq!(line.find(ends), Some(line.len() - 1), "{line:?}");
        assert_eq!(line.matches('"').count(), 6, "{line:?}");
    }

    #[test]
    fn what_is_no_address_has_no_line() {
        for host in [
            "[local]",
            "db.example.com",
            "???",
            "",
            "10.0.0.1 203.0.113.7",
        ] {
            assert_eq!(line(b"app", host.as_bytes()), "", "{host}");
        }
    }
}
