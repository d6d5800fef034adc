//! What each reason means and what to do about it, in a line.

use pgcensus_core::session::{ProbeReason, RefusalReason};

/// What it means, and what helps where that is short to say.
pub(crate) fn of(reason: RefusalReason) -> &'static str {
    use RefusalReason as R;
    match reason {
        R::BadStartupPacket => {
            "What came was no valid startup packet: a scanner, another protocol, or a broken client."
        }
        R::UnsupportedProtocol => {
            "The client speaks a protocol that the server does not: an ancient driver, or a scanner."
        }
        R::NoUserName => "The startup packet named no user: a scanner, or a broken client.",
        R::BadOption => {
            "The client asked for a setting that does not exist or that it may not set: look at options and at the parameters of its connection string."
        }
        R::StartingUp => {
            "The server was starting, or recovering after a crash; clients should retry."
        }
        R::NotAcceptingYet => {
            "The server was recovering and did not take connections yet, or is a standby without hot_standby."
        }
        R::ShuttingDown => "The server was shutting down.",
        R::InRecovery => {
            "A process had crashed, and the server was recovering; look for what crashed."
        }
        R::TooManyClients => {
            "All slots of max_connections were taken: see who held them, put a pooler before the server, or raise it."
        }
        R::SlotsReserved => {
            "Only slots for superusers (superuser_reserved_connections, reserved_connections) were left: the server was full for all others."
        }
        R::RoleLimit => {
            "The role had as many sessions as its CONNECTION LIMIT allows (ALTER ROLE)."
        }
        R::DatabaseLimit => {
            "The database had as many sessions as its CONNECTION LIMIT allows (ALTER DATABASE)."
        }
        R::WalsenderLimit => {
            "All max_wal_senders were taken: a standby, a backup or a subscriber too many."
        }
        R::HbaNoEntry => {
            "No line of pg_hba.conf fits user, database, host and encryption: add one, then SELECT pg_reload_conf()."
        }
        R::HbaRejected => "A line of pg_hba.conf says reject.",
        R::CertificateRequired => {
            "pg_hba.conf wants a client certificate, and the client sent none that could be checked."
        }
        R::PasswordFailed => {
            "The password is wrong or expired, none is set, or there is no such role: clients are not told which, the DETAIL may say it."
        }
        R::EmptyPassword => "The client sent an empty password.",
        R::PeerFailed => {
            "Over the Unix socket pg_hba.conf says peer, and the system user is not the role asked for."
        }
        R::IdentFailed => "The ident server did not confirm the user.",
        R::GssFailed => "Kerberos (GSSAPI) did not prove the user.",
        R::SspiFailed => "Windows (SSPI) did not prove the user.",
        R::PamFailed => "PAM turned the user down; the lines before it say why.",
        R::LdapFailed => {
            "The LDAP server turned the user down or was not there; the lines before it say which."
        }
        R::CertFailed => "The certificate of the client is not that of the user it asked for.",
        R::RadiusFailed => "The RADIUS server turned the user down, or did not answer.",
        R::OauthFailed => "The bearer token was not accepted.",
        R::BsdFailed => "BSD authentication turned the user down.",
        R::AuthenticationTimeout => {
            "The client did not finish within authentication_timeout, or was at it when the server shut down."
        }
        R::SaslError => {
            "The client broke the exchange of passwords: a driver that is too old, or a scanner."
        }
        R::RoleUnknown => {
            "There is no such role: a typing error, or a role that was dropped or never created."
        }
        R::RoleCannotLogin => {
            "The role has no LOGIN: a group, or an account that was locked (ALTER ROLE … LOGIN)."
        }
        R::DatabaseUnknown => {
            "There is no such database; one that is not named is called like the user."
        }
        R::DatabaseInvalid => {
            "The database was left behind by an interrupted DROP DATABASE: drop it again."
        }
        R::DatabaseNotAccepting => "The database has ALLOW_CONNECTIONS false, as template0 does.",
        R::NoConnectPrivilege => {
            "The role lacks CONNECT on the database (GRANT CONNECT ON DATABASE)."
        }
        R::NoReplicationPrivilege => "The role lacks REPLICATION (ALTER ROLE … REPLICATION).",
        R::SuperuserOnly => "Only superusers may connect: the server runs in binary upgrade mode.",
        R::TerminatedInStartup => "The connection was ended while it was still being set up.",
        R::Other => "None of the known messages: read the records.",
    }
}

/// What a probe of this kind is.
pub(super) fn of_probe(reason: ProbeReason) -> &'static str {
    match reason {
        ProbeReason::Silent => "nothing followed",
        ProbeReason::IncompleteStartupPacket => "incomplete packet",
        ProbeReason::InvalidStartupPacket => "another protocol",
        ProbeReason::TlsFailed => "TLS failed",
        ProbeReason::GssFailed => "GSS failed",
    }
}
