//! The rows: every message of PostgreSQL 9.6 to 19 that opens, advances, refuses or ends a session, or
//! all of them.
//!
//! Source: `backend_startup.c` (`postmaster.c` up to 16), `auth.c`, `auth-scram.c`, `auth-oauth.c`,
//! `hba.c`, `be-secure*.c`, `pqcomm.c`, `postinit.c`, `miscinit.c`, `proc.c`, `procarray.c`,
//! `postgres.c`, `walsender.c`, `walreceiver.c`, `guc.c`, `guc-file.l`, `xlog.c`, `xlogrecovery.c`,
//! `postmaster.c`, and logs of 13 to 18.

use std::ops::RangeInclusive;

use Hole::{Database, Host, Tls, User};
use Meaning::{
    Authorized, AuthorizedWalsender, CancelRequest, ChildCrashed, Disconnected, Ending,
    IdentityAuthenticated, NoSession, Probe, Ready, Received, Refused, RefusedAuthorized, Server,
    SettingChanged, SettingReset, Starting, UserAuthenticated,
};

use crate::event::{EndReason as End, ProbeReason, RefusalReason as Refusal, ServerEvent};
use crate::record::{Severity, Sqlstate};

/// One message of the server.
#[derive(Clone, Debug)]
pub struct Message {
    /// The severity that it is logged with. Nothing else with this text is this message.
    pub severity: Severity,
    /// The major versions that write it (9 is 9.6, 19 the newest that was read). For people: no
    /// match depends on it, since vendors move messages between versions.
    pub versions: RangeInclusive<u8>,
    /// Its SQLSTATE; `None` where one text has several.
    pub sqlstate: Option<Sqlstate>,
    /// The text with the holes of PostgreSQL's source (`%s`, `%d`, `%m`). Of the five messages of a
    /// session's life only the head counts; their optional pieces are read by code.
    pub text: &'static str,
    /// What it says.
    pub meaning: Meaning,
}

/// What a message says.
#[derive(Clone, Copy, Debug)]
pub enum Meaning {
    /// A connection was accepted.
    Received,
    /// The client proved an identity.
    IdentityAuthenticated,
    /// It was let in without proving one (`trust`).
    UserAuthenticated,
    /// A client backend may go on to the checks of role, database and limits.
    Authorized,
    /// The same for a walsender.
    AuthorizedWalsender,
    /// The session is ready for its first query.
    Ready,
    /// The session is over.
    Disconnected,
    /// A connection fails that may not have been authorized. With what its holes are, in order.
    Refused(Refusal, &'static [Hole]),
    /// A connection fails that was authorized. With what its holes are, in order.
    RefusedAuthorized(Refusal, &'static [Hole]),
    /// A connection that asks for no session.
    Probe(ProbeReason),
    /// A cancel request that found nothing to cancel.
    CancelRequest,
    /// A session is about to end.
    Ending(End),
    /// A FATAL of a background process, of the startup process or of the postmaster, unless the record
    /// names a user or a client.
    NoSession,
    /// A server starts; the hole begins with its version.
    Starting,
    /// Another change of the server.
    Server(ServerEvent),
    /// A backend crashed; the first hole is its pid.
    ChildCrashed,
    /// A setting changed: name, value.
    SettingChanged,
    /// A setting went back to its default: name.
    SettingReset,
}

/// What a hole of a refusal holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hole {
    /// Address of the client, or `[local]`.
    Host,
    /// The role asked for.
    User,
    /// The database asked for.
    Database,
    /// `SSL encryption`, `no encryption`; `SSL on`, `SSL off` up to 13; `GSS encryption`.
    Tls,
}

const ALL: RangeInclusive<u8> = 9..=19;

/// All messages. Where two rows fit one message the earlier is meant: the five of a session's life
/// first (they are nearly all of a log's connection records), exact texts before open ones.
#[rustfmt::skip]
pub const TABLE: &[Message] = &[
    // The life of a session.
    log(ALL,      "00000", "connection received: host=%s port=%s", Received),
    log(ALL,      "00000", "connection authorized: user=%s database=%s", Authorized),
    log(14..=19,  "00000", "connection authenticated: identity=\"%s\" method=%s (%s:%d)", IdentityAuthenticated),
    log(17..=19,  "00000", "connection authenticated: user=\"%s\" method=%s (%s:%d)", UserAuthenticated),
    log(ALL,      "00000", "replication connection authorized: user=%s", AuthorizedWalsender),
    log(18..=19,  "00000", "connection ready: setup total=%.3f ms, fork=%.3f ms, authentication=%.3f ms", Ready),
    log(ALL,      "00000", "disconnection: session time: %d:%02d:%02d.%03d user=%s database=%s host=%s%s%s", Disconnected),

    // Startup packet, TLS, GSS and cancel requests.
    log(ALL,      "08P01", "incomplete startup packet", Probe(ProbeReason::IncompleteStartupPacket)),
    log(ALL,      "08P01", "invalid length of startup packet", Probe(ProbeReason::InvalidStartupPacket)),
    log(ALL,      "08006", "failed to send SSL negotiation response: %m", Probe(ProbeReason::TlsFailed)),
    log(12..=19,  "08006", "failed to send GSSAPI negotiation response: %m", Probe(ProbeReason::GssFailed)),
    log(ALL,      "08P01", "could not accept SSL connection: EOF detected", Probe(ProbeReason::TlsFailed)),
    log(ALL,      "",      "could not accept SSL connection: %s", Probe(ProbeReason::TlsFailed)),
    log(ALL,      "08P01", "could not initialize SSL connection: %s", Probe(ProbeReason::TlsFailed)),
    log(ALL,      "08P01", "could not set SSL socket: %s", Probe(ProbeReason::TlsFailed)),
    log(ALL,      "08P01", "unrecognized SSL error code: %d", Probe(ProbeReason::TlsFailed)),
    log(17..=19,  "08P01", "received direct SSL connection request without ALPN protocol negotiation extension", Probe(ProbeReason::TlsFailed)),
    log(17..=19,  "08P01", "received SSL connection request with unexpected ALPN protocol", Probe(ProbeReason::TlsFailed)),
    log(13..=19,  "",      "could not accept GSSAPI security context", Probe(ProbeReason::GssFailed)),
    log(13..=19,  "",      "could not accept GSSAPI security context: %s", Probe(ProbeReason::GssFailed)),
    log(13..=19,  "",      "oversize GSSAPI packet sent by the client (%zu > %zu)", Probe(ProbeReason::GssFailed)),
    log(13..=19,  "",      "incoming GSSAPI message did not use confidentiality", Probe(ProbeReason::GssFailed)),
    log(ALL,      "00000", "wrong key in cancel request for process %d", CancelRequest),
    log(ALL,      "00000", "PID %d in cancel request did not match any process", CancelRequest),
    log(18..=19,  "08P01", "invalid length of cancel request packet", CancelRequest),
    log(18..=19,  "08P01", "invalid length of cancel key in cancel request packet", CancelRequest),
    fatal(ALL,    "0A000", "unsupported frontend protocol %u.%u: server supports %u.0 to %u.%u", Refused(Refusal::UnsupportedProtocol, &[])),
    fatal(ALL,    "08P01", "invalid startup packet layout: expected terminator as last byte", Refused(Refusal::BadStartupPacket, &[])),
    fatal(ALL,    "22023", "invalid value for parameter \"replication\": \"%s\"", Refused(Refusal::BadOption, &[])),
    fatal(9..=9,  "22023", "invalid value for parameter \"replication\"", Refused(Refusal::BadOption, &[])),
    fatal(ALL,    "28000", "no PostgreSQL user name specified in startup packet", Refused(Refusal::NoUserName, &[])),
    fatal(ALL,    "08P01", "received unencrypted data after SSL request", Refused(Refusal::BadStartupPacket, &[])),
    fatal(12..=19, "08P01", "received unencrypted data after GSSAPI encryption request", Refused(Refusal::BadStartupPacket, &[])),
    fatal(12..=12, "",     "could not accept GSSAPI security context", Refused(Refusal::GssFailed, &[])),
    fatal(12..=12, "",     "could not accept GSSAPI security context: %s", Refused(Refusal::GssFailed, &[])),
    fatal(12..=12, "",     "oversize GSSAPI packet sent by the client (%zu > %zu)", Refused(Refusal::GssFailed, &[])),
    fatal(12..=12, "",     "incoming GSSAPI message did not use confidentiality", Refused(Refusal::GssFailed, &[])),

    // The server is not available.
    fatal(ALL,    "57P03", "the database system is starting up", Refused(Refusal::StartingUp, &[])),
    fatal(14..=19, "57P03", "the database system is not yet accepting connections", Refused(Refusal::NotAcceptingYet, &[])),
    fatal(14..=19, "57P03", "the database system is not accepting connections", Refused(Refusal::NotAcceptingYet, &[])),
    fatal(ALL,    "57P03", "the database system is shutting down", Refused(Refusal::ShuttingDown, &[])),
    fatal(ALL,    "57P03", "the database system is in recovery mode", Refused(Refusal::InRecovery, &[])),
    fatal(ALL,    "53300", "sorry, too many clients already", Refused(Refusal::TooManyClients, &[])),
    fatal(9..=16, "53300", "number of requested standby connections exceeds max_wal_senders (currently %d)", Refused(Refusal::WalsenderLimit, &[])),
    fatal(17..=19, "53300", "number of requested standby connections exceeds \"max_wal_senders\" (currently %d)", Refused(Refusal::WalsenderLimit, &[])),

    // pg_hba.conf. Builds without TLS up to 12 print no last part.
    fatal(ALL,    "28000", "no pg_hba.conf entry for host \"%s\", user \"%s\", database \"%s\", %s", Refused(Refusal::HbaNoEntry, &[Host, User, Database, Tls])),
    fatal(9..=12, "28000", "no pg_hba.conf entry for host \"%s\", user \"%s\", database \"%s\"", Refused(Refusal::HbaNoEntry, &[Host, User, Database])),
    fatal(ALL,    "28000", "no pg_hba.conf entry for replication connection from host \"%s\", user \"%s\", %s", Refused(Refusal::HbaNoEntry, &[Host, User, Tls])),
    fatal(9..=12, "28000", "no pg_hba.conf entry for replication connection from host \"%s\", user \"%s\"", Refused(Refusal::HbaNoEntry, &[Host, User])),
    fatal(ALL,    "28000", "pg_hba.conf rejects connection for host \"%s\", user \"%s\", database \"%s\", %s", Refused(Refusal::HbaRejected, &[Host, User, Database, Tls])),
    fatal(9..=12, "28000", "pg_hba.conf rejects connection for host \"%s\", user \"%s\", database \"%s\"", Refused(Refusal::HbaRejected, &[Host, User, Database])),
    fatal(ALL,    "28000", "pg_hba.conf rejects replication connection for host \"%s\", user \"%s\", %s", Refused(Refusal::HbaRejected, &[Host, User, Tls])),
    fatal(9..=12, "28000", "pg_hba.conf rejects replication connection for host \"%s\", user \"%s\"", Refused(Refusal::HbaRejected, &[Host, User])),
    fatal(ALL,    "28000", "connection requires a valid client certificate", Refused(Refusal::CertificateRequired, &[])),
    fatal(10..=19, "F0000", "client certificates can only be checked if a root certificate store is available", Refused(Refusal::CertificateRequired, &[])),

    // Authentication.
    fatal(ALL,    "28P01", "password authentication failed for user \"%s\"", Refused(Refusal::PasswordFailed, &[User])),
    fatal(ALL,    "28P01", "empty password returned by client", Refused(Refusal::EmptyPassword, &[])),
    fatal(ALL,    "28000", "Ident authentication failed for user \"%s\"", Refused(Refusal::IdentFailed, &[User])),
    fatal(ALL,    "28000", "Peer authentication failed for user \"%s\"", Refused(Refusal::PeerFailed, &[User])),
    fatal(ALL,    "28000", "GSSAPI authentication failed for user \"%s\"", Refused(Refusal::GssFailed, &[User])),
    fatal(ALL,    "28000", "SSPI authentication failed for user \"%s\"", Refused(Refusal::SspiFailed, &[User])),
    fatal(ALL,    "28000", "PAM authentication failed for user \"%s\"", Refused(Refusal::PamFailed, &[User])),
    fatal(ALL,    "28000", "BSD authentication failed for user \"%s\"", Refused(Refusal::BsdFailed, &[User])),
    fatal(ALL,    "28000", "LDAP authentication failed for user \"%s\"", Refused(Refusal::LdapFailed, &[User])),
    fatal(ALL,    "28000", "certificate authentication failed for user \"%s\"", Refused(Refusal::CertFailed, &[User])),
    fatal(9..=18, "28000", "RADIUS authentication failed for user \"%s\"", Refused(Refusal::RadiusFailed, &[User])),
    fatal(18..=19, "28000", "OAuth bearer authentication failed for user \"%s\"", Refused(Refusal::OauthFailed, &[User])),
    fatal(18..=19, "XX000", "OAuth is not properly configured for this user", Refused(Refusal::OauthFailed, &[])),
    // Under trust only the check of the client's certificate can fail.
    fatal(ALL,    "28000", "\"trust\" authentication failed for user \"%s\"", Refused(Refusal::CertFailed, &[User])),
    fatal(ALL,    "28000", "authentication failed for user \"%s\": host rejected", Refused(Refusal::HbaRejected, &[User])),
    fatal(ALL,    "28000", "authentication failed for user \"%s\": invalid authentication method", Refused(Refusal::Other, &[User])),
    fatal(ALL,    "57014", "canceling authentication due to timeout", Refused(Refusal::AuthenticationTimeout, &[])),
    fatal(10..=19, "08P01", "expected password response, got message type %d", Refused(Refusal::SaslError, &[])),
    fatal(10..=19, "08P01", "expected SASL response, got message type %d", Refused(Refusal::SaslError, &[])),
    fatal(10..=19, "08P01", "malformed SCRAM message", Refused(Refusal::SaslError, &[])),
    fatal(10..=19, "08P01", "malformed SCRAM message (%s)", Refused(Refusal::SaslError, &[])),
    fatal(18..=19, "08P01", "malformed OAUTHBEARER message", Refused(Refusal::OauthFailed, &[])),
    fatal(10..=19, "08P01", "invalid password packet size", Refused(Refusal::SaslError, &[])),
    fatal(11..=19, "28000", "SCRAM channel binding check failed", Refused(Refusal::SaslError, &[])),
    fatal(11..=19, "28000", "SCRAM channel binding negotiation error", Refused(Refusal::SaslError, &[])),

    // Role, database, limits: only after "connection authorized".
    fatal(ALL,    "28000", "role \"%s\" does not exist", RefusedAuthorized(Refusal::RoleUnknown, &[User])),
    fatal(ALL,    "28000", "role with OID %u does not exist", RefusedAuthorized(Refusal::RoleUnknown, &[])),
    fatal(ALL,    "28000", "role \"%s\" is not permitted to log in", RefusedAuthorized(Refusal::RoleCannotLogin, &[User])),
    fatal(ALL,    "53300", "too many connections for role \"%s\"", RefusedAuthorized(Refusal::RoleLimit, &[User])),
    fatal(9..=14, "42501", "must be superuser to connect during database shutdown", RefusedAuthorized(Refusal::ShuttingDown, &[])),
    fatal(9..=14, "42501", "new replication connections are not allowed during database shutdown", RefusedAuthorized(Refusal::ShuttingDown, &[])),
    fatal(ALL,    "42501", "must be superuser to connect in binary upgrade mode", RefusedAuthorized(Refusal::SuperuserOnly, &[])),
    fatal(9..=15, "53300", "remaining connection slots are reserved for non-replication superuser connections", RefusedAuthorized(Refusal::SlotsReserved, &[])),
    fatal(16..=19, "53300", "remaining connection slots are reserved for roles with the %s attribute", RefusedAuthorized(Refusal::SlotsReserved, &[])),
    fatal(16..=19, "53300", "remaining connection slots are reserved for roles with privileges of the \"%s\" role", RefusedAuthorized(Refusal::SlotsReserved, &[])),
    fatal(9..=9,  "53300", "connection limit exceeded for non-superusers", RefusedAuthorized(Refusal::TooManyClients, &[])),
    fatal(9..=15, "42501", "must be superuser or replication role to start walsender", RefusedAuthorized(Refusal::NoReplicationPrivilege, &[])),
    fatal(16..=19, "42501", "permission denied to start WAL sender", RefusedAuthorized(Refusal::NoReplicationPrivilege, &[])),
    fatal(ALL,    "3D000", "database \"%s\" does not exist", RefusedAuthorized(Refusal::DatabaseUnknown, &[Database])),
    fatal(ALL,    "3D000", "database %u does not exist", RefusedAuthorized(Refusal::DatabaseUnknown, &[])),
    fatal(11..=19, "55000", "cannot connect to invalid database \"%s\"", RefusedAuthorized(Refusal::DatabaseInvalid, &[Database])),
    fatal(ALL,    "55000", "database \"%s\" is not currently accepting connections", RefusedAuthorized(Refusal::DatabaseNotAccepting, &[Database])),
    fatal(ALL,    "42501", "permission denied for database \"%s\"", RefusedAuthorized(Refusal::NoConnectPrivilege, &[Database])),
    fatal(ALL,    "53300", "too many connections for database \"%s\"", RefusedAuthorized(Refusal::DatabaseLimit, &[Database])),
    fatal(ALL,    "42704", "unrecognized configuration parameter \"%s\"", RefusedAuthorized(Refusal::BadOption, &[])),
    fatal(ALL,    "22023", "invalid value for parameter \"%s\": %s", RefusedAuthorized(Refusal::BadOption, &[])),
    fatal(ALL,    "22023", "parameter \"%s\" requires a %s value", RefusedAuthorized(Refusal::BadOption, &[])),
    fatal(ALL,    "55P02", "parameter \"%s\" cannot be %s", RefusedAuthorized(Refusal::BadOption, &[])),
    fatal(ALL,    "42501", "permission denied to set parameter \"%s\"", RefusedAuthorized(Refusal::BadOption, &[])),
    fatal(ALL,    "42601", "invalid command-line argument for server process: %s", RefusedAuthorized(Refusal::BadOption, &[])),
    fatal(ALL,    "42601", "invalid command-line arguments for server process", RefusedAuthorized(Refusal::BadOption, &[])),
    fatal(ALL,    "42601", "--%s requires a value", RefusedAuthorized(Refusal::BadOption, &[])),
    fatal(ALL,    "42601", "-c %s requires a value", RefusedAuthorized(Refusal::BadOption, &[])),

    // An established session ends.
    fatal(ALL,    "57P01", "terminating connection due to administrator command", Ending(End::Administrator)),
    fatal(ALL,    "25P03", "terminating connection due to idle-in-transaction timeout", Ending(End::IdleInTransactionTimeout)),
    fatal(14..=19, "57P05", "terminating connection due to idle-session timeout", Ending(End::IdleSessionTimeout)),
    fatal(17..=19, "25P04", "terminating connection due to transaction timeout", Ending(End::TransactionTimeout)),
    // 57P04 where the database was dropped, else 40001.
    fatal(ALL,    "",      "terminating connection due to conflict with recovery", Ending(End::RecoveryConflict)),
    fatal(ALL,    "08006", "connection to client lost", Ending(End::ConnectionLost)),
    fatal(ALL,    "08P01", "invalid frontend message type %d", Ending(End::ProtocolError)),
    fatal(ALL,    "08P01", "terminating connection because protocol synchronization was lost", Ending(End::ProtocolError)),
    fatal(ALL,    "57P01", "terminating connection due to unexpected postmaster exit", Ending(End::PostmasterExit)),
    // The network gave up, not the client (English C library).
    log(ALL,      "08006", "could not receive data from client: Connection timed out", Ending(End::ConnectionLost)),
    log(ALL,      "08006", "could not receive data from client: %m", Ending(End::Reset)),
    log(ALL,      "08006", "could not send data to client: %m", Ending(End::SendFailed)),
    log(ALL,      "08006", "unexpected EOF on client connection with an open transaction", Ending(End::EofInTransaction)),
    log(ALL,      "08P01", "unexpected EOF within message length word", Ending(End::ProtocolError)),
    log(ALL,      "08P01", "incomplete message from client", Ending(End::ProtocolError)),
    log(ALL,      "08P01", "invalid message length", Ending(End::ProtocolError)),
    log(ALL,      "08P01", "SSL error: %s", Ending(End::ConnectionLost)),
    log(ALL,      "00000", "terminating walsender process due to replication timeout", Ending(End::ReplicationTimeout)),
    // A promotion is somebody's command too; the standby below has to follow the new timeline.
    log(ALL,      "00000", "terminating walsender process after promotion", Ending(End::Administrator)),
    warning(19..=19, "01000", "terminating walsender process due to replication shutdown timeout", Ending(End::FastShutdown)),
    // No disconnection follows these two. Up to 13 an immediate shutdown has the first one too; the
    // server's own lines tell, and come before it.
    warning(9..=13, "57P02", "terminating connection because of crash of another server process", Ending(End::Crash)),
    warning(14..=19, "57P01", "terminating connection because of unexpected SIGQUIT signal", Ending(End::Crash)),
    warning(ALL,  "57P01", "canceling the wait for synchronous replication and terminating connection due to administrator command", Ending(End::Administrator)),

    // FATALs of the server's own processes.
    fatal(ALL,    "57P01", "terminating background worker %s", NoSession),
    fatal(ALL,    "57P01", "terminating autovacuum process%s", NoSession),
    fatal(10..=19, "57P01", "terminating logical replication worker%s", NoSession),
    fatal(ALL,    "57P01", "terminating walreceiver %s", NoSession),
    fatal(ALL,    "",      "could not connect to the primary server: %s", NoSession),
    fatal(17..=19, "",     "streaming replication receiver \"%s\" could not connect to the primary server: %s", NoSession),
    fatal(ALL,    "",      "could not receive data from WAL stream: %s", NoSession),
    fatal(ALL,    "",      "could not send data to WAL stream: %s", NoSession),
    fatal(ALL,    "",      "could not start WAL streaming: %s", NoSession),
    fatal(ALL,    "",      "could not send end-of-streaming message to primary: %s", NoSession),
    fatal(ALL,    "",      "could not receive database system identifier and timeline ID from the primary server: %s", NoSession),
    fatal(ALL,    "",      "could not receive timeline history file from the primary server: %s", NoSession),
    fatal(ALL,    "",      "database system identifier differs between the primary and standby", NoSession),
    fatal(ALL,    "",      "highest timeline %u of the primary is behind recovery timeline %u", NoSession),
    fatal(ALL,    "",      "cannot continue WAL streaming, recovery has already ended", NoSession),
    fatal(ALL,    "",      "could not restore file \"%s\" from archive: %s", NoSession),
    fatal(ALL,    "",      "archive command %s", NoSession),
    fatal(ALL,    "",      "requested timeline %u %s", NoSession),
    fatal(ALL,    "",      "requested recovery stop point is before consistent recovery point", NoSession),
    fatal(ALL,    "",      "recovery ended before configured recovery target was reached", NoSession),
    fatal(ALL,    "",      "recovery aborted because of insufficient parameter settings", NoSession),
    fatal(ALL,    "",      "hot standby is not possible because %s", NoSession),
    fatal(ALL,    "",      "WAL ends before %s", NoSession),
    fatal(ALL,    "",      "WAL was generated with %s", NoSession),
    fatal(ALL,    "",      "database files are incompatible with server", NoSession),
    fatal(ALL,    "",      "lock file \"%s\" %s", NoSession),
    fatal(ALL,    "",      "could not create lock file \"%s\": %m", NoSession),
    fatal(ALL,    "",      "pre-existing shared memory block %s", NoSession),
    fatal(ALL,    "",      "could not create shared memory segment: %m", NoSession),
    fatal(ALL,    "",      "could not map anonymous shared memory: %m", NoSession),
    fatal(ALL,    "",      "could not create semaphores: %m", NoSession),
    fatal(ALL,    "",      "could not create any TCP/IP sockets", NoSession),
    fatal(ALL,    "",      "could not create any Unix-domain sockets", NoSession),
    fatal(ALL,    "",      "no socket created for listening", NoSession),
    fatal(ALL,    "",      "data directory \"%s\" %s", NoSession),
    fatal(ALL,    "",      "configuration file \"%s\" contains errors", NoSession),
    fatal(ALL,    "",      "could not load server certificate file \"%s\": %s", NoSession),
    fatal(ALL,    "",      "could not load private key file \"%s\": %s", NoSession),
    fatal(ALL,    "",      "private key file \"%s\" %s", NoSession),
    // Also of a client where each backend reads the files anew (Windows); it has a client then.
    fatal(ALL,    "F0000", "could not load %s", NoSession),

    // The server starts.
    log(12..=19,  "00000", "starting PostgreSQL %s", Starting),
    log(ALL,      "00000", "database system was shut down at %s", Server(ServerEvent::Startup { crashed: false })),
    log(ALL,      "00000", "database system was shut down in recovery at %s", Server(ServerEvent::Startup { crashed: false })),
    log(ALL,      "00000", "database system was interrupted; last known up at %s", Server(ServerEvent::Startup { crashed: true })),
    log(ALL,      "00000", "database system shutdown was interrupted; last known up at %s", Server(ServerEvent::Startup { crashed: true })),
    log(ALL,      "00000", "database system was interrupted while in recovery at %s", Server(ServerEvent::Startup { crashed: true })),
    log(ALL,      "00000", "database system was not properly shut down; automatic recovery in progress", Server(ServerEvent::Startup { crashed: true })),
    log(ALL,      "00000", "database system is ready to accept connections", Server(ServerEvent::Ready)),
    log(9..=13,   "00000", "database system is ready to accept read only connections", Server(ServerEvent::Ready)),
    log(14..=19,  "00000", "database system is ready to accept read-only connections", Server(ServerEvent::Ready)),

    // The server stops.
    log(ALL,      "00000", "received smart shutdown request", Server(ServerEvent::SmartShutdown)),
    log(ALL,      "00000", "received fast shutdown request", Server(ServerEvent::FastShutdown)),
    // The postmaster sends everybody SIGTERM, as in a fast shutdown.
    log(ALL,      "00000", "shutdown at recovery target", Server(ServerEvent::FastShutdown)),
    log(ALL,      "00000", "received immediate shutdown request", Server(ServerEvent::ImmediateShutdown)),
    log(ALL,      "00000", "performing immediate shutdown because data directory lock file is invalid", Server(ServerEvent::ImmediateShutdown)),
    log(ALL,      "00000", "shutting down", Server(ServerEvent::ShuttingDown)),
    log(ALL,      "00000", "database system is shut down", Server(ServerEvent::ShutDown)),
    log(ALL,      "00000", "abnormal database system shutdown", Server(ServerEvent::ShutDown)),
    // Nobody is left where these are written.
    log(14..=19,  "00000", "shutting down due to startup process failure", Server(ServerEvent::ShutDown)),
    log(9..=14,   "00000", "aborting startup due to startup process failure", Server(ServerEvent::ShutDown)),
    log(14..=16,  "00000", "shutting down because restart_after_crash is off", Server(ServerEvent::ShutDown)),
    log(17..=19,  "00000", "shutting down because \"restart_after_crash\" is off", Server(ServerEvent::ShutDown)),

    // A child crashes: `was terminated by signal 9: Killed`, `was terminated by exception 0xC0000005`,
    // `exited with exit code 2`, `exited with unrecognized status 512`.
    log(9..=17,   "00000", "server process (PID %d) was terminated by %s", ChildCrashed),
    log(9..=17,   "00000", "server process (PID %d) exited with %s", ChildCrashed),
    log(18..=19,  "00000", "client backend (PID %d) was terminated by %s", ChildCrashed),
    log(18..=19,  "00000", "client backend (PID %d) exited with %s", ChildCrashed),
    log(18..=19,  "00000", "dead-end client backend (PID %d) was terminated by %s", ChildCrashed),
    log(18..=19,  "00000", "dead-end client backend (PID %d) exited with %s", ChildCrashed),
    log(18..=19,  "00000", "walsender (PID %d) was terminated by %s", ChildCrashed),
    log(18..=19,  "00000", "walsender (PID %d) exited with %s", ChildCrashed),
    log(ALL,      "00000", "terminating any other active server processes", Server(ServerEvent::TerminatingOthers)),
    log(ALL,      "00000", "all server processes terminated; reinitializing", Server(ServerEvent::Reinitializing)),

    // Settings.
    log(ALL,      "00000", "received SIGHUP, reloading configuration files", Server(ServerEvent::Reloading)),
    log(ALL,      "00000", "parameter \"%s\" changed to \"%s\"", SettingChanged),
    log(ALL,      "00000", "parameter \"%s\" removed from configuration file, reset to default", SettingReset),
];

const fn log(
    versions: RangeInclusive<u8>,
    sqlstate: &str,
    text: &'static str,
    meaning: Meaning,
) -> Message {
    message(Severity::Log, versions, sqlstate, text, meaning)
}

const fn warning(
    versions: RangeInclusive<u8>,
    sqlstate: &str,
    text: &'static str,
    meaning: Meaning,
) -> Message {
    message(Severity::Warning, versions, sqlstate, text, meaning)
}

const fn fatal(
    versions: RangeInclusive<u8>,
    sqlstate: &str,
    text: &'static str,
    meaning: Meaning,
) -> Message {
    message(Severity::Fatal, versions, sqlstate, text, meaning)
}

const fn message(
    severity: Severity,
    versions: RangeInclusive<u8>,
    sqlstate: &str,
    text: &'static str,
    meaning: Meaning,
) -> Message {
    assert!(matches!(sqlstate.len(), 0 | 5), "none or five letters");
    let sqlstate = match sqlstate.as_bytes().first_chunk() {
        Some(code) => Some(Sqlstate(*code)),
        None => None,
    };
    Message {
        severity,
        versions,
        sqlstate,
        text,
        meaning,
    }
}
