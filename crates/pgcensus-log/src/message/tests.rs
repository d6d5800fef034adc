use std::borrow::Cow;
use std::fmt::Write;

use proptest::prelude::*;

use super::plain::{is_trusted, plain};
use super::*;
use crate::batch::{Batch, TextId};
use crate::event::EventKind;
use crate::record::Client;

#[test]
fn messages_say_what_the_table_means() {
    for (severity, message, expected) in MESSAGES {
        let record = record(*severity, message);
        assert_eq!(say(&classify(&record)), *expected, "{message}");
    }
}

/// Severity, message, what it says. All wordings of all versions.
#[rustfmt::skip]
const MESSAGES: &[(Severity, &str, &str)] = &[
    // The life of a session.
    (Severity::Log, "connection received: host=127.0.0.1 port=59250", "received 127.0.0.1 port 59250, 00000"),
    (Severity::Log, "connection received: host=::1 port=52706", "received ::1 port 52706, 00000"),
    (Severity::Log, "connection received: host=fe80::1%eth0 port=52706", "received fe80::1%eth0 port 52706, 00000"),
    (Severity::Log, "connection received: host=localhost port=59250", "received localhost port 59250, 00000"),
    (Severity::Log, "connection received: host=??? port=???", "received ??? port ???, 00000"),
    (Severity::Log, "connection received: host=[local]", "received [local], 00000"),
    (Severity::Log, "connection received: host=[local] port=/tmp/client.sock", "received [local] port /tmp/client.sock, 00000"),
    (Severity::Log, "connection received: host=[local] port=@my name", "received [local] port @my name, 00000"),
    (Severity::Log, "connection received: host=", "untrusted"),
    (Severity::Log, "connection received: host=10.0.0.7 port=", "untrusted"),
    (Severity::Log, "connection received: host=10.0.0.7 user=x", "untrusted"),
    (Severity::Log, "connection received: ", "nothing"),
    (Severity::Error, "connection received: host=[local]", "nothing"),
    (Severity::Log, "the connection received: host=[local]", "nothing"),
    (Severity::Log, "connection authenticated: identity=\"root\" method=peer (/pgdata/pg_hba.conf:1)", "authenticated root by peer /pgdata/pg_hba.conf:1, 00000"),
    (Severity::Log, "connection authenticated: identity=\"CN=certuser,O=Acme\\, Inc\" method=cert (C:/my data (1)/pg_hba.conf:1)", "authenticated CN=certuser,O=Acme\\, Inc by cert C:/my data (1)/pg_hba.conf:1, 00000"),
    (Severity::Log, "connection authenticated: identity=\"a\" method=trust (x:1)\" method=scram-sha-256 (/pg_hba.conf:12)", "authenticated a\" method=trust (x:1) by scram-sha-256 /pg_hba.conf:12, 00000"),
    (Severity::Log, "connection authenticated: user=\"trustuser\" method=trust (/pgdata/pg_hba.conf:11)", "authenticated by trust /pgdata/pg_hba.conf:11, 00000"),
    (Severity::Log, "connection authenticated: user=\"evil\nLOG:  forged\" method=trust (/pgdata/pg_hba.conf:11)", "authenticated by trust /pgdata/pg_hba.conf:11, 00000"),
    (Severity::Log, "connection authenticated: identity=\"root\" method=peer (/pgdata/pg_hba.conf:)", "untrusted"),
    (Severity::Log, "connection authenticated: identity=\"root\" method=peer (/pgdata/pg_hba", "untrusted"),
    (Severity::Log, "connection authorized: user=app database=shop", "authorized app database shop, 00000"),
    (Severity::Log, "connection authorized: user=app database=shop SSL enabled (protocol=TLSv1.2, cipher=ECDHE-RSA-AES256-GCM-SHA384, compression=off)", "authorized app database shop tls TLSv1.2 ECDHE-RSA-AES256-GCM-SHA384, 00000"),
    (Severity::Log, "connection authorized: user=app database=shop SSL enabled (protocol=TLSv1.2, cipher=ECDHE-RSA-AES256-GCM-SHA384, bits=256, compression=off)", "authorized app database shop tls TLSv1.2 ECDHE-RSA-AES256-GCM-SHA384 256, 00000"),
    (Severity::Log, "connection authorized: user=pwuser database=postgres application_name=psql SSL enabled (protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256, compression=off)", "authorized pwuser database postgres application psql tls TLSv1.3 TLS_AES_256_GCM_SHA384 256, 00000"),
    (Severity::Log, "connection authorized: user=pwuser database=postgres application_name=psql SSL enabled (protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256)", "authorized pwuser database postgres application psql tls TLSv1.3 TLS_AES_256_GCM_SHA384 256, 00000"),
    (Severity::Log, "connection authorized: user=app database=shop application_name=", "authorized app database shop, 00000"),
    (Severity::Log, "connection authorized: user=app database=shop application_name= SSL enabled (protocol=TLSv1.3, cipher=X, bits=256)", "authorized app database shop tls TLSv1.3 X 256, 00000"),
    (Severity::Log, "connection authorized: user=my user database=a b application_name=My App v1", "authorized my user database a b application My App v1, 00000"),
    (Severity::Log, "connection authorized: user=app database=shop application_name=a (b)", "authorized app database shop application a (b), 00000"),
    (Severity::Log, "connection authorized: user=app database=shop application_name=x GSS (authenticated=yes, encrypted=no, principal=app@EXAMPLE.COM)", "authorized app database shop application x, 00000"),
    (Severity::Log, "connection authorized: user=app database=shop GSS (authenticated=no, encrypted=no)", "authorized app database shop, 00000"),
    (Severity::Log, "connection authorized: user=app database=shop GSS (authenticated=yes, encrypted=yes, delegated_credentials=no, principal=a(b)@EXAMPLE.COM)", "authorized app database shop, 00000"),
    (Severity::Log, "connection authorized: user=app database=shop SSL enabled (protocol=TLSv1.3, cipher=X, bits=256) GSS (authenticated=yes, encrypted=no, delegated_credentials=no)", "authorized app database shop tls TLSv1.3 X 256, 00000"),
    (Severity::Log, "connection authorized: user=app", "untrusted"),
    (Severity::Log, "replication connection authorized: user=walrep application_name=my standby", "authorized walsender walrep application my standby, 00000"),
    (Severity::Log, "replication connection authorized: user=walrep", "authorized walsender walrep, 00000"),
    (Severity::Log, "replication connection authorized: user=walrep SSL enabled (protocol=TLSv1.3, cipher=X, bits=128)", "authorized walsender walrep tls TLSv1.3 X 128, 00000"),
    (Severity::Log, "connection ready: setup total=4.356 ms, fork=2.019 ms, authentication=0.177 ms", "ready 4356, 00000"),
    (Severity::Log, "connection ready: setup total=4.356 ms", "untrusted"),
    (Severity::Log, "connection ready: setup total=-4.356 ms, fork=2.019 ms, authentication=0.177 ms", "untrusted"),
    (Severity::Log, "connection ready: setup total=99999999999999999999.356 ms, fork=2.019 ms, authentication=0.177 ms", "untrusted"),
    (Severity::Log, "disconnection: session time: 0:00:00.003 user=trustuser database=postgres host=127.0.0.1 port=59250", "disconnected 3 trustuser database postgres from 127.0.0.1 port 59250, 00000"),
    (Severity::Log, "disconnection: session time: 131:07:55.120 user=app database=shop host=[local]", "disconnected 472075120 app database shop from [local], 00000"),
    (Severity::Log, "disconnection: session time: 0:00:01.000 user=app database=shop host=[local] port=/tmp/c.sock", "disconnected 1000 app database shop from [local] port /tmp/c.sock, 00000"),
    (Severity::Log, "disconnection: session time: 0:00:01.000 user=walrep database= host=127.0.0.1 port=60852", "disconnected 1000 walrep from 127.0.0.1 port 60852, 00000"),
    (Severity::Log, "disconnection: session time: 0:00:01.000 user=a host=b database=c host=d port=1 host=10.0.0.7 port=2", "disconnected 1000 a host=b database c host=d port=1 from 10.0.0.7 port 2, 00000"),
    (Severity::Log, "disconnection: session time: 0:00:01.000 user=app database=shop host=", "untrusted"),
    (Severity::Log, "disconnection: session time: 0:00:01.000 user=app", "untrusted"),
    (Severity::Log, "disconnection: session time: 0:00:01 user=app database=shop host=[local]", "untrusted"),
    (Severity::Log, "disconnection: session time: 99999999999999999999:00:01.000 user=app database=shop host=[local]", "untrusted"),

    // Probes and cancel requests.
    (Severity::Log, "incomplete startup packet", "probe incomplete_startup_packet, 08P01"),
    (Severity::Log, "invalid length of startup packet", "probe invalid_startup_packet, 08P01"),
    (Severity::Log, "failed to send SSL negotiation response: Broken pipe", "probe tls_failed, 08006"),
    (Severity::Log, "failed to send GSSAPI negotiation response: Broken pipe", "probe gss_negotiation_failed, 08006"),
    (Severity::Log, "could not accept SSL connection: EOF detected", "probe tls_failed, 08P01"),
    (Severity::Log, "could not accept SSL connection: tlsv1 alert unknown ca", "probe tls_failed"),
    (Severity::Log, "could not accept SSL connection: Connection reset by peer", "probe tls_failed"),
    (Severity::Log, "could not initialize SSL connection: out of memory", "probe tls_failed, 08P01"),
    (Severity::Log, "could not set SSL socket: out of memory", "probe tls_failed, 08P01"),
    (Severity::Log, "unrecognized SSL error code: 9", "probe tls_failed, 08P01"),
    (Severity::Log, "received direct SSL connection request without ALPN protocol negotiation extension", "probe tls_failed, 08P01"),
    (Severity::Log, "received SSL connection request with unexpected ALPN protocol", "probe tls_failed, 08P01"),
    (Severity::Log, "could not accept GSSAPI security context", "probe gss_negotiation_failed"),
    (Severity::Log, "could not accept GSSAPI security context: No credentials", "probe gss_negotiation_failed"),
    (Severity::Log, "oversize GSSAPI packet sent by the client (16385 > 16384)", "probe gss_negotiation_failed"),
    (Severity::Log, "incoming GSSAPI message did not use confidentiality", "probe gss_negotiation_failed"),
    (Severity::Log, "wrong key in cancel request for process 4711", "cancel request, 00000"),
    (Severity::Log, "PID 4711 in cancel request did not match any process", "cancel request, 00000"),
    (Severity::Log, "invalid length of cancel request packet", "cancel request, 08P01"),
    (Severity::Log, "invalid length of cancel key in cancel request packet", "cancel request, 08P01"),

    // Refused before authorized.
    (Severity::Fatal, "unsupported frontend protocol 65363.19778: server supports 2.0 to 3.0", "refused unsupported_protocol, 0A000"),
    (Severity::Fatal, "unsupported frontend protocol 1.0: server supports 3.0 to 3.2", "refused unsupported_protocol, 0A000"),
    (Severity::Fatal, "invalid startup packet layout: expected terminator as last byte", "refused bad_startup_packet, 08P01"),
    (Severity::Fatal, "invalid value for parameter \"replication\": \"maybe\"", "refused bad_option, 22023"),
    (Severity::Fatal, "invalid value for parameter \"replication\"", "refused bad_option, 22023"),
    (Severity::Fatal, "no PostgreSQL user name specified in startup packet", "refused no_user_name, 28000"),
    (Severity::Fatal, "received unencrypted data after SSL request", "refused bad_startup_packet, 08P01"),
    (Severity::Fatal, "received unencrypted data after GSSAPI encryption request", "refused bad_startup_packet, 08P01"),
    (Severity::Fatal, "could not accept GSSAPI security context", "refused gss_failed"),
    (Severity::Fatal, "could not accept GSSAPI security context: No credentials", "refused gss_failed"),
    (Severity::Fatal, "oversize GSSAPI packet sent by the client (16385 > 16384)", "refused gss_failed"),
    (Severity::Fatal, "incoming GSSAPI message did not use confidentiality", "refused gss_failed"),
    (Severity::Fatal, "the database system is starting up", "refused starting_up, 57P03"),
    (Severity::Fatal, "the database system is not yet accepting connections", "refused not_accepting_yet, 57P03"),
    (Severity::Fatal, "the database system is not accepting connections", "refused not_accepting_yet, 57P03"),
    (Severity::Fatal, "the database system is shutting down", "refused shutting_down, 57P03"),
    (Severity::Fatal, "the database system is in recovery mode", "refused in_recovery, 57P03"),
    (Severity::Fatal, "sorry, too many clients already", "refused too_many_clients, 53300"),
    (Severity::Fatal, "number of requested standby connections exceeds max_wal_senders (currently 10)", "refused walsender_limit, 53300"),
    (Severity::Fatal, "number of requested standby connections exceeds \"max_wal_senders\" (currently 10)", "refused walsender_limit, 53300"),
    (Severity::Fatal, "no pg_hba.conf entry for host \"10.0.0.7\", user \"app\", database \"shop\", SSL on", "refused hba_no_entry host 10.0.0.7 user app database shop tls true, 28000"),
    (Severity::Fatal, "no pg_hba.conf entry for host \"10.0.0.7\", user \"app\", database \"shop\", SSL off", "refused hba_no_entry host 10.0.0.7 user app database shop tls false, 28000"),
    (Severity::Fatal, "no pg_hba.conf entry for host \"::1\", user \"app\", database \"shop\", SSL encryption", "refused hba_no_entry host ::1 user app database shop tls true, 28000"),
    (Severity::Fatal, "no pg_hba.conf entry for host \"[local]\", user \"app\", database \"shop\", no encryption", "refused hba_no_entry host [local] user app database shop tls false, 28000"),
    (Severity::Fatal, "no pg_hba.conf entry for host \"10.0.0.7\", user \"app\", database \"shop\", GSS encryption", "refused hba_no_entry host 10.0.0.7 user app database shop tls false, 28000"),
    (Severity::Fatal, "no pg_hba.conf entry for host \"10.0.0.7\", user \"app\", database \"shop\"", "refused hba_no_entry host 10.0.0.7 user app database shop, 28000"),
    (Severity::Fatal, "no pg_hba.conf entry for host \"10.0.0.7\", user \"app\", database \"a\", \"b\", no encryption", "refused hba_no_entry host 10.0.0.7 user app database a\", \"b tls false, 28000"),
    (Severity::Fatal, "no pg_hba.conf entry for replication connection from host \"10.0.0.7\", user \"rep\", no encryption", "refused hba_no_entry host 10.0.0.7 user rep tls false, 28000"),
    (Severity::Fatal, "no pg_hba.conf entry for replication connection from host \"10.0.0.7\", user \"rep\"", "refused hba_no_entry host 10.0.0.7 user rep, 28000"),
    (Severity::Fatal, "pg_hba.conf rejects connection for host \"10.0.0.7\", user \"app\", database \"shop\", SSL encryption", "refused hba_rejected host 10.0.0.7 user app database shop tls true, 28000"),
    (Severity::Fatal, "pg_hba.conf rejects connection for host \"10.0.0.7\", user \"app\", database \"shop\"", "refused hba_rejected host 10.0.0.7 user app database shop, 28000"),
    (Severity::Fatal, "pg_hba.conf rejects replication connection for host \"10.0.0.7\", user \"rep\", SSL off", "refused hba_rejected host 10.0.0.7 user rep tls false, 28000"),
    (Severity::Fatal, "pg_hba.conf rejects replication connection for host \"10.0.0.7\", user \"rep\"", "refused hba_rejected host 10.0.0.7 user rep, 28000"),
    (Severity::Fatal, "connection requires a valid client certificate", "refused certificate_required, 28000"),
    (Severity::Fatal, "client certificates can only be checked if a root certificate store is available", "refused certificate_required, F0000"),
    (Severity::Fatal, "password authentication failed for user \"app\"", "refused password_failed user app, 28P01"),
    (Severity::Fatal, "password authentication failed for user \"bob\" does not exist\"", "refused password_failed user bob\" does not exist, 28P01"),
    (Severity::Fatal, "password authentication failed for user \"x\ny\"", "refused password_failed user x\ny, 28P01"),
    (Severity::Fatal, "empty password returned by client", "refused empty_password, 28P01"),
    (Severity::Fatal, "Ident authentication failed for user \"app\"", "refused ident_failed user app, 28000"),
    (Severity::Fatal, "Peer authentication failed for user \"app\"", "refused peer_failed user app, 28000"),
    (Severity::Fatal, "GSSAPI authentication failed for user \"app\"", "refused gss_failed user app, 28000"),
    (Severity::Fatal, "SSPI authentication failed for user \"app\"", "refused sspi_failed user app, 28000"),
    (Severity::Fatal, "PAM authentication failed for user \"app\"", "refused pam_failed user app, 28000"),
    (Severity::Fatal, "BSD authentication failed for user \"app\"", "refused bsd_failed user app, 28000"),
    (Severity::Fatal, "LDAP authentication failed for user \"app\"", "refused ldap_failed user app, 28000"),
    (Severity::Fatal, "certificate authentication failed for user \"app\"", "refused cert_failed user app, 28000"),
    (Severity::Fatal, "RADIUS authentication failed for user \"app\"", "refused radius_failed user app, 28000"),
    (Severity::Fatal, "OAuth bearer authentication failed for user \"app\"", "refused oauth_failed user app, 28000"),
    (Severity::Fatal, "OAuth is not properly configured for this user", "refused oauth_failed, XX000"),
    (Severity::Fatal, "malformed OAUTHBEARER message", "refused oauth_failed, 08P01"),
    (Severity::Fatal, "\"trust\" authentication failed for user \"app\"", "refused cert_failed user app, 28000"),
    (Severity::Fatal, "authentication failed for user \"app\": host rejected", "refused hba_rejected user app, 28000"),
    (Severity::Fatal, "authentication failed for user \"app\": invalid authentication method", "refused other user app, 28000"),
    (Severity::Fatal, "canceling authentication due to timeout", "refused authentication_timeout, 57014"),
    (Severity::Fatal, "expected password response, got message type 88", "refused sasl_error, 08P01"),
    (Severity::Fatal, "expected SASL response, got message type 88", "refused sasl_error, 08P01"),
    (Severity::Fatal, "malformed SCRAM message", "refused sasl_error, 08P01"),
    (Severity::Fatal, "malformed SCRAM message (attribute expected, but found invalid character \"x\")", "refused sasl_error, 08P01"),
    (Severity::Fatal, "invalid password packet size", "refused sasl_error, 08P01"),
    (Severity::Fatal, "SCRAM channel binding check failed", "refused sasl_error, 28000"),
    (Severity::Fatal, "SCRAM channel binding negotiation error", "refused sasl_error, 28000"),

    // Refused after authorized.
    (Severity::Fatal, "role \"app\" does not exist", "refused role_unknown after user app, 28000"),
    (Severity::Fatal, "role with OID 16384 does not exist", "refused role_unknown after, 28000"),
    (Severity::Fatal, "role \"app\" is not permitted to log in", "refused role_cannot_login after user app, 28000"),
    (Severity::Fatal, "role \"x\" does not exist\" is not permitted to log in", "refused role_cannot_login after user x\" does not exist, 28000"),
    (Severity::Fatal, "too many connections for role \"app\"", "refused role_limit after user app, 53300"),
    (Severity::Fatal, "must be superuser to connect during database shutdown", "refused shutting_down after, 42501"),
    (Severity::Fatal, "new replication connections are not allowed during database shutdown", "refused shutting_down after, 42501"),
    (Severity::Fatal, "must be superuser to connect in binary upgrade mode", "refused superuser_only after, 42501"),
    (Severity::Fatal, "remaining connection slots are reserved for non-replication superuser connections", "refused slots_reserved after, 53300"),
    (Severity::Fatal, "remaining connection slots are reserved for roles with the SUPERUSER attribute", "refused slots_reserved after, 53300"),
    (Severity::Fatal, "remaining connection slots are reserved for roles with privileges of the \"pg_use_reserved_connections\" role", "refused slots_reserved after, 53300"),
    (Severity::Fatal, "connection limit exceeded for non-superusers", "refused too_many_clients after, 53300"),
    (Severity::Fatal, "must be superuser or replication role to start walsender", "refused no_replication_privilege after, 42501"),
    (Severity::Fatal, "permission denied to start WAL sender", "refused no_replication_privilege after, 42501"),
    (Severity::Fatal, "database \"shop\" does not exist", "refused database_unknown after database shop, 3D000"),
    (Severity::Fatal, "database \"post\"gres\" does not exist", "refused database_unknown after database post\"gres, 3D000"),
    (Severity::Fatal, "database 16384 does not exist", "refused database_unknown after, 3D000"),
    (Severity::Fatal, "cannot connect to invalid database \"shop\"", "refused database_invalid after database shop, 55000"),
    (Severity::Fatal, "database \"shop\" is not currently accepting connections", "refused database_not_accepting after database shop, 55000"),
    (Severity::Fatal, "permission denied for database \"shop\"", "refused no_connect_privilege after database shop, 42501"),
    (Severity::Fatal, "too many connections for database \"shop\"", "refused database_limit after database shop, 53300"),
    (Severity::Fatal, "unrecognized configuration parameter \"no_such\"", "refused bad_option after, 42704"),
    (Severity::Fatal, "invalid value for parameter \"DateStyle\": \"nonsense\"", "refused bad_option after, 22023"),
    (Severity::Fatal, "parameter \"enable_seqscan\" requires a Boolean value", "refused bad_option after, 22023"),
    (Severity::Fatal, "parameter \"shared_buffers\" cannot be changed without restarting the server", "refused bad_option after, 55P02"),
    (Severity::Fatal, "permission denied to set parameter \"log_disconnections\"", "refused bad_option after, 42501"),
    (Severity::Fatal, "invalid command-line argument for server process: -x", "refused bad_option after, 42601"),
    (Severity::Fatal, "invalid command-line arguments for server process", "refused bad_option after, 42601"),
    (Severity::Fatal, "--log_statement requires a value", "refused bad_option after, 42601"),
    (Severity::Fatal, "-c log_statement requires a value", "refused bad_option after, 42601"),
    (Severity::Fatal, "something that an extension says", "refused other"),
    (Severity::Fatal, "", "refused other"),
    (Severity::Fatal, "role \"app\" does not exi", "refused other"),

    // Endings.
    (Severity::Fatal, "terminating connection due to administrator command", "ending administrator fatal, 57P01"),
    (Severity::Fatal, "terminating connection due to idle-in-transaction timeout", "ending idle_in_transaction_timeout fatal, 25P03"),
    (Severity::Fatal, "terminating connection due to idle-session timeout", "ending idle_session_timeout fatal, 57P05"),
    (Severity::Fatal, "terminating connection due to transaction timeout", "ending transaction_timeout fatal, 25P04"),
    (Severity::Fatal, "terminating connection due to conflict with recovery", "ending recovery_conflict fatal"),
    (Severity::Fatal, "connection to client lost", "ending connection_lost fatal, 08006"),
    (Severity::Fatal, "invalid frontend message type 99", "ending protocol_error fatal, 08P01"),
    (Severity::Fatal, "terminating connection because protocol synchronization was lost", "ending protocol_error fatal, 08P01"),
    (Severity::Fatal, "terminating connection due to unexpected postmaster exit", "ending postmaster_exit fatal, 57P01"),
    (Severity::Log, "could not receive data from client: Connection reset by peer", "ending reset, 08006"),
    (Severity::Log, "could not receive data from client: Connection timed out", "ending connection_lost, 08006"),
    (Severity::Log, "could not send data to client: Broken pipe", "ending send_failed, 08006"),
    (Severity::Log, "unexpected EOF on client connection with an open transaction", "ending eof_in_transaction, 08006"),
    (Severity::Log, "unexpected EOF within message length word", "ending protocol_error, 08P01"),
    (Severity::Log, "incomplete message from client", "ending protocol_error, 08P01"),
    (Severity::Log, "invalid message length", "ending protocol_error, 08P01"),
    (Severity::Log, "SSL error: unexpected eof while reading", "ending connection_lost, 08P01"),
    (Severity::Log, "terminating walsender process due to replication timeout", "ending replication_timeout, 00000"),
    (Severity::Log, "terminating walsender process after promotion", "ending administrator, 00000"),
    (Severity::Warning, "terminating walsender process due to replication shutdown timeout", "ending fast_shutdown, 01000"),
    (Severity::Warning, "terminating connection because of crash of another server process", "ending crash, 57P02"),
    (Severity::Warning, "terminating connection because of unexpected SIGQUIT signal", "ending crash, 57P01"),
    (Severity::Warning, "canceling the wait for synchronous replication and terminating connection due to administrator command", "ending administrator, 57P01"),
    (Severity::Error, "canceling statement due to user request", "nothing"),
    (Severity::Log, "terminating connection due to administrator command", "nothing"),

    // FATALs of no session.
    (Severity::Fatal, "terminating background worker \"parallel worker\" due to administrator command", "nothing"),
    (Severity::Fatal, "terminating autovacuum process due to administrator command", "nothing"),
    (Severity::Fatal, "terminating logical replication worker due to administrator command", "nothing"),
    (Severity::Fatal, "terminating walreceiver process due to administrator command", "nothing"),
    (Severity::Fatal, "could not connect to the primary server: connection to server at \"10.0.0.1\", port 5432 failed: FATAL:  the database system is starting up", "nothing"),
    (Severity::Fatal, "could not receive data from WAL stream: server closed the connection unexpectedly", "nothing"),
    (Severity::Fatal, "lock file \"postmaster.pid\" already exists", "nothing"),
    (Severity::Fatal, "configuration file \"/data/postgresql.conf\" contains errors", "nothing"),
    (Severity::Fatal, "could not load /data/pg_hba.conf", "nothing"),

    // The server.
    (Severity::Log, "starting PostgreSQL 16.14 on x86_64-pc-linux-gnu, compiled by gcc 12.2.0, 64-bit", "Starting { major: Some(16) }, 00000"),
    (Severity::Log, "starting PostgreSQL 15.18 (Debian 15.18-0+deb12u1) on x86_64-pc-linux-gnu", "Starting { major: Some(15) }, 00000"),
    (Severity::Log, "starting PostgreSQL 18beta1 on x86_64-pc-linux-gnu", "Starting { major: Some(18) }, 00000"),
    (Severity::Log, "starting PostgreSQL 19devel on x86_64-pc-linux-gnu", "Starting { major: Some(19) }, 00000"),
    (Severity::Log, "starting PostgreSQL next", "Starting { major: None }, 00000"),
    (Severity::Log, "database system was shut down at 2026-11-23 05:07:35 UTC", "Startup { crashed: false }, 00000"),
    (Severity::Log, "database system was shut down in recovery at 2026-11-23 05:07:35 UTC", "Startup { crashed: false }, 00000"),
    (Severity::Log, "database system was interrupted; last known up at 2026-11-23 05:07:35 UTC", "Startup { crashed: true }, 00000"),
    (Severity::Log, "database system shutdown was interrupted; last known up at 2026-11-23 05:07:35 UTC", "Startup { crashed: true }, 00000"),
    (Severity::Log, "database system was interrupted while in recovery at 2026-11-23 05:07:35 UTC", "Startup { crashed: true }, 00000"),
    (Severity::Log, "database system was interrupted while in recovery at log time 2026-11-23 05:07:35 UTC", "Startup { crashed: true }, 00000"),
    (Severity::Log, "database system was not properly shut down; automatic recovery in progress", "Startup { crashed: true }, 00000"),
    (Severity::Log, "database system is ready to accept connections", "Ready, 00000"),
    (Severity::Log, "database system is ready to accept read only connections", "Ready, 00000"),
    (Severity::Log, "database system is ready to accept read-only connections", "Ready, 00000"),
    (Severity::Log, "received smart shutdown request", "SmartShutdown, 00000"),
    (Severity::Log, "received fast shutdown request", "FastShutdown, 00000"),
    (Severity::Log, "shutdown at recovery target", "FastShutdown, 00000"),
    (Severity::Log, "received immediate shutdown request", "ImmediateShutdown, 00000"),
    (Severity::Log, "performing immediate shutdown because data directory lock file is invalid", "ImmediateShutdown, 00000"),
    (Severity::Log, "shutting down", "ShuttingDown, 00000"),
    (Severity::Log, "database system is shut down", "ShutDown, 00000"),
    (Severity::Log, "abnormal database system shutdown", "ShutDown, 00000"),
    (Severity::Log, "shutting down due to startup process failure", "ShutDown, 00000"),
    (Severity::Log, "aborting startup due to startup process failure", "ShutDown, 00000"),
    (Severity::Log, "shutting down because restart_after_crash is off", "ShutDown, 00000"),
    (Severity::Log, "shutting down because \"restart_after_crash\" is off", "ShutDown, 00000"),
    (Severity::Log, "server process (PID 3207) was terminated by signal 9: Killed", "ChildCrashed { pid: 3207 }, 00000"),
    (Severity::Log, "server process (PID 3207) was terminated by exception 0xC0000005", "ChildCrashed { pid: 3207 }, 00000"),
    (Severity::Log, "server process (PID 3207) exited with exit code 2", "ChildCrashed { pid: 3207 }, 00000"),
    (Severity::Log, "server process (PID 3207) exited with unrecognized status 512", "ChildCrashed { pid: 3207 }, 00000"),
    (Severity::Log, "client backend (PID 31550) was terminated by signal 9: Killed", "ChildCrashed { pid: 31550 }, 00000"),
    (Severity::Log, "client backend (PID 31550) exited with exit code 2", "ChildCrashed { pid: 31550 }, 00000"),
    (Severity::Log, "dead-end client backend (PID 31550) was terminated by signal 11: Segmentation fault", "ChildCrashed { pid: 31550 }, 00000"),
    (Severity::Log, "dead-end client backend (PID 31550) exited with exit code 2", "ChildCrashed { pid: 31550 }, 00000"),
    (Severity::Log, "walsender (PID 31550) was terminated by signal 6: Aborted", "ChildCrashed { pid: 31550 }, 00000"),
    (Severity::Log, "walsender (PID 31550) exited with exit code 2", "ChildCrashed { pid: 31550 }, 00000"),
    (Severity::Log, "server process (PID x) exited with exit code 2", "untrusted"),
    (Severity::Log, "server process (PID 99999999999) exited with exit code 2", "untrusted"),
    (Severity::Log, "background worker \"logical replication launcher\" (PID 7) exited with exit code 1", "nothing"),
    (Severity::Log, "checkpointer process (PID 7) was terminated by signal 9: Killed", "nothing"),
    (Severity::Log, "terminating any other active server processes", "TerminatingOthers, 00000"),
    (Severity::Log, "all server processes terminated; reinitializing", "Reinitializing, 00000"),
    (Severity::Log, "received SIGHUP, reloading configuration files", "Reloading, 00000"),
    (Severity::Log, "parameter \"log_connections\" changed to \"on\"", "setting log_connections = on, 00000"),
    (Severity::Log, "parameter \"log_line_prefix\" changed to \"%m \"%u\" \"", "setting log_line_prefix = %m \"%u\" , 00000"),
    (Severity::Log, "parameter \"log_hostname\" removed from configuration file, reset to default", "setting log_hostname reset, 00000"),
    (Severity::Log, "parameter \"shared_buffers\" cannot be changed without restarting the server", "nothing"),
    (Severity::Log, "shutting down soon", "nothing"),
    (Severity::Log, "received promote request", "nothing"),
];

/// Each row is met by a message made from its own text, so none hides behind an earlier one.
#[test]
fn every_row_reads_its_own_text() {
    for row in TABLE {
        let message = render(row.text);
        let found = say(&classify(&record(row.severity, &message)));
        let expected = match row.meaning {
            Meaning::Received => "received",
            Meaning::IdentityAuthenticated | Meaning::UserAuthenticated => "authenticated",
            Meaning::Authorized | Meaning::AuthorizedWalsender => "authorized",
            Meaning::Ready => "ready",
            Meaning::Disconnected => "disconnected",
            Meaning::Refused(reason, _) => &format!("refused {}", reason.as_str()),
            Meaning::RefusedAuthorized(reason, _) => &format!("refused {} after", reason.as_str()),
            Meaning::Probe(reason) => &format!("probe {}", reason.as_str()),
            Meaning::CancelRequest => "cancel request",
            Meaning::Ending(reason) => &format!("ending {}", reason.as_str()),
            Meaning::NoSession => "nothing",
            Meaning::Starting => "Starting",
            Meaning::Server(event) => &format!("{event:?}"),
            Meaning::ChildCrashed => "ChildCrashed",
            Meaning::SettingChanged | Meaning::SettingReset => "setting",
        };
        assert!(
            found.starts_with(expected),
            "{message}: {found}, not {expected}"
        );
        if let Some(sqlstate) = row.sqlstate
            && !matches!(row.meaning, Meaning::NoSession)
        {
            assert!(found.ends_with(sqlstate.as_str()), "{message}: {found}");
        }
    }
}

/// The text with its holes filled in.
fn render(text: &str) -> String {
    let mut message = text
        .replace("%s%s%s", "[local]")
        .replace("%d:%02d:%02d.%03d", "1:02:03.004");
    for (hole, value) in [
        ("%.3f", "1.234"),
        ("%d", "7"),
        ("%u", "3"),
        ("%zu", "9"),
        ("%m", "Broken pipe"),
        ("%s", "x"),
    ] {
        message = message.replace(hole, value);
    }
    message
}

/// In logs without names in their prefix, whatever the names in the messages are.
#[test]
fn plain_lines_are_read_as_all_others() {
    let names = [
        "app",
        "a b",
        "",
        "a=b",
        "x database=y",
        "x application_name=y",
        "x host=y",
        "x user=y",
        "quo\"te",
        "(a)",
        " SSL enabled (protocol=TLSv1.3, cipher=NONE, bits=0)",
        "x)",
        " ",
        "a:5",
        "-1",
        " GSS (authenticated=yes, encrypted=no)",
        "[local]",
        "é",
        "x port=5",
    ];
    let clients = [
        "host=10.0.0.7 port=51842",
        "host=::1 port=5",
        "host=[local]",
        "host=[local] port=/tmp/a b",
        "host=[local] port=/tmp/1",
        "host= port=5",
        "host=a port=",
        "host=a=b",
        "host=",
        "host=a port=123456",
        "host=a b",
    ];
    let mut messages = Vec::new();
    for a in names {
        for b in names {
            for c in names {
                messages.push(format!(
                    "connection authorized: user={a} database={b} application_name={c}"
                ));
            }
            messages.push(format!("connection authorized: user={a} database={b}"));
            messages.push(format!(
                "connection authenticated: identity=\"{a}\" method=md5 ({b}:11)"
            ));
            messages.push(format!(
                "connection authenticated: identity=\"{a}\" method={b} (/data/pg_hba.conf:1)"
            ));
            for client in clients {
                messages.push(format!(
                    "disconnection: session time: 0:00:01.234 user={a} database={b} {client}"
                ));
            }
        }
        messages.push(format!(
            "disconnection: session time: {a} user=u database=d host=[local]"
        ));
    }
    messages.extend(clients.map(|client| format!("connection received: {client}")));
    let mut read = 0;
    // All in one batch, and again in another order: what it knows of one must not be said of others.
    let mut batch = Batch::default();
    for message in messages.iter().chain(messages.iter().rev()) {
        let message = message.as_bytes();
        let at_once = batch.plain(message);
        let text = |kind: EventKind<TextId>| kind.map(&mut |id, _| batch.text(id));
        let at_once = at_once.map(text);
        assert_eq!(at_once, plain(message), "{}", message.escape_ascii());
        let Some(kind) = at_once else {
            continue;
        };
        let bare = Record {
            message: message.into(),
            ..Record::default()
        };
        let said = Classified::Event(kind.clone(), Sqlstate::parse(b"00000"));
        assert_eq!(classify(&bare), said, "{bare:?}");
        read += 1;
        // With names of its own, the same or others, and as a client would have raised it.
        for name in ["", "app", "a b", "u", "é"] {
            for host in ["", "10.0.0.7", "[local]"] {
                for raised in [false, true] {
                    let name = Some(name.as_bytes().into());
                    let record = Record {
                        user: name.clone(),
                        database: name.clone().filter(|_| raised),
                        application_name: name.clone().filter(|_| raised && host.is_empty()),
                        client: Some(Client {
                            host: host.as_bytes().into(),
                            port: None,
                        }),
                        command_tag: name,
                        has_context: raised && host == "[local]",
                        ..bare.clone()
                    };
                    if is_trusted(&record, &kind, |text| text) {
                        assert_eq!(classify(&record), said, "{record:?}");
                    }
                }
            }
        }
    }
    assert!(
        read > 1000 && messages.len() > read,
        "{read} of {}",
        messages.len()
    );
}

#[test]
fn every_message_of_the_table_is_a_candidate() {
    for row in TABLE.iter().filter(|row| row.severity != Severity::Fatal) {
        let head = pattern::head_len(row.text);
        assert!(head >= 4, "{}: its holes begin too early", row.text);
        assert!(is_candidate(row.text.as_bytes()), "{}", row.text);
        let head = &row.text.as_bytes()[..4];
        assert!(!head.contains(&b'"'), "{}: escaped in csv", row.text);
        assert!(may_be_row(row.text.as_bytes()), "{}", row.text);
    }
    for text in [
        "statement: select 1",
        "duration: 0.1 ms",
        "checkpoint starting: time",
        "connection",
        "",
    ] {
        assert!(!is_candidate(text.as_bytes()), "{text}");
    }
}

#[test]
fn names_of_the_record_decide_where_names_end() {
    let evil = " database=x application_name=y SSL enabled (protocol=TLSv1.3, cipher=NONE, bits=0)";
    for (user, database, rest, expected) in [
        (
            "u",
            "d",
            " application_name=a",
            "authorized u database d application a, 00000",
        ),
        (
            evil,
            "d",
            "",
            &*format!("authorized {evil} database d, 00000"),
        ),
        (
            "u",
            evil,
            "",
            &format!("authorized u database {evil}, 00000"),
        ),
        (
            evil,
            evil,
            " application_name=a",
            &format!("authorized {evil} database {evil} application a, 00000"),
        ),
        (
            "a database=b",
            "c database=d",
            "",
            "authorized a database=b database c database=d, 00000",
        ),
        (
            "u",
            "d\nLOG:  x",
            " application_name=a b",
            "authorized u database d\nLOG:  x application a b, 00000",
        ),
        (
            "u",
            "d",
            " application_name= database=x application_name=y",
            "authorized u database d application  database=x application_name=y, 00000",
        ),
    ] {
        let message = format!("connection authorized: user={user} database={database}{rest}");
        let record = Record {
            user: cow(user),
            database: cow(database),
            command_tag: cow("authentication"),
            ..record(Severity::Log, &message)
        };
        assert_eq!(say(&classify(&record)), expected);
        let record = Record {
            user: None,
            ..record
        };
        if !user.contains(" database=") {
            assert_eq!(say(&classify(&record)), expected, "the database alone");
        }
    }
}

#[test]
fn names_of_the_record_decide_at_the_disconnection() {
    for (user, database, host) in [
        ("u", "d", "10.0.0.7"),
        ("a database=b", "c database=d", "10.0.0.7"),
        ("a host=[local]", "c host=x port=1", "[local]"),
        ("a\nb", "", "::1"),
    ] {
        let message = format!(
            "disconnection: session time: 0:00:01.000 user={user} database={database} host={host} port=5"
        );
        let full = Record {
            user: cow(user),
            database: cow(database).filter(|name| !name.is_empty()),
            client: client(host),
            ..record(Severity::Log, &message)
        };
        let shown = if database.is_empty() {
            String::new()
        } else {
            format!(" database {database}")
        };
        let expected = format!("disconnected 1000 {user}{shown} from {host} port 5, 00000");
        assert_eq!(say(&classify(&full)), expected);
    }
}

#[test]
fn what_contradicts_its_record_is_not_trusted() {
    let authorized = "connection authorized: user=app database=shop application_name=web";
    let disconnected =
        "disconnection: session time: 0:00:01.000 user=app database=shop host=10.0.0.7 port=5";
    let received = "connection received: host=10.0.0.7 port=5";
    let base = || Record {
        user: cow("app"),
        database: cow("shop"),
        client: client("10.0.0.7"),
        backend_type: Some(BackendType::ClientBackend),
        ..record(Severity::Log, authorized)
    };
    let disconnection = || Record {
        message: cow(disconnected).unwrap_or_default(),
        application_name: cow("psql"),
        command_tag: cow("SELECT"),
        ..base()
    };
    let first = || Record {
        user: None,
        database: None,
        backend_type: Some(BackendType::NotInitialized),
        command_tag: cow(""),
        message: cow(received).unwrap_or_default(),
        ..base()
    };
    for record in [
        base(),
        Record {
            command_tag: cow("authentication"),
            ..base()
        },
        Record {
            command_tag: cow("startup"),
            ..base()
        },
        Record {
            database: None,
            ..base()
        },
        disconnection(),
        Record {
            command_tag: None,
            ..disconnection()
        },
        first(),
        Record {
            client: None,
            ..first()
        },
        Record {
            backend_type: Some(BackendType::ClientBackend),
            ..first()
        },
    ] {
        assert!(
            matches!(classify(&record), Classified::Event(..)),
            "{record:?}"
        );
    }
    for record in [
        Record {
            user: cow("other"),
            ..base()
        },
        Record {
            user: cow("ap"),
            ..base()
        },
        Record {
            database: cow("sho"),
            ..base()
        },
        Record {
            database: cow("shop application_name=we"),
            ..base()
        },
        Record {
            application_name: cow("psql"),
            ..base()
        },
        Record {
            command_tag: cow("DO"),
            ..base()
        },
        Record {
            command_tag: cow("idle"),
            ..base()
        },
        Record {
            has_context: true,
            ..base()
        },
        Record {
            has_statement: true,
            ..base()
        },
        Record {
            backend_type: Some(BackendType::Other),
            ..base()
        },
        Record {
            user: cow("other"),
            ..disconnection()
        },
        Record {
            database: cow("other"),
            ..disconnection()
        },
        Record {
            client: client("10.0.0.8"),
            ..disconnection()
        },
        Record {
            has_context: true,
            ..disconnection()
        },
        Record {
            has_statement: true,
            ..disconnection()
        },
        Record {
            user: cow("app"),
            ..first()
        },
        Record {
            database: cow("shop"),
            ..first()
        },
        Record {
            application_name: cow("psql"),
            ..first()
        },
        Record {
            client: client("10.0.0.8"),
            ..first()
        },
        Record {
            command_tag: cow("DO"),
            ..first()
        },
        Record {
            has_context: true,
            ..first()
        },
        Record {
            has_statement: true,
            ..first()
        },
    ] {
        assert_eq!(classify(&record), Classified::Untrusted, "{record:?}");
    }
}

#[test]
fn the_server_does_not_speak_from_a_session() {
    for message in [
        "database system is ready to accept connections",
        "received fast shutdown request",
        "server process (PID 17) was terminated by signal 9: Killed",
        "all server processes terminated; reinitializing",
        "parameter \"log_connections\" changed to \"off\"",
        "starting PostgreSQL 16.14 on x86_64-pc-linux-gnu",
    ] {
        let base = || record(Severity::Log, message);
        for genuine in [
            base(),
            Record {
                command_tag: cow(""),
                backend_type: Some(BackendType::Other),
                ..base()
            },
        ] {
            assert!(
                matches!(classify(&genuine), Classified::Event(..)),
                "{message}"
            );
        }
        for forged in [
            Record {
                user: cow("eve"),
                ..base()
            },
            Record {
                database: cow("shop"),
                ..base()
            },
            Record {
                application_name: cow("psql"),
                ..base()
            },
            Record {
                client: client("10.0.0.7"),
                ..base()
            },
            Record {
                command_tag: cow("DO"),
                ..base()
            },
            Record {
                backend_type: Some(BackendType::ClientBackend),
                ..base()
            },
            Record {
                has_context: true,
                ..base()
            },
            Record {
                has_statement: true,
                ..base()
            },
        ] {
            assert_eq!(classify(&forged), Classified::Untrusted, "{forged:?}");
        }
    }
}

#[test]
fn a_fatal_keeps_its_meaning_inside_a_function() {
    let record = Record {
        user: cow("app"),
        has_context: true,
        has_statement: true,
        command_tag: cow("SELECT"),
        ..record(
            Severity::Fatal,
            "terminating connection due to administrator command",
        )
    };
    assert_eq!(say(&classify(&record)), "ending administrator fatal, 57P01");
}

#[test]
fn a_log_about_an_ending_may_have_a_statement_but_no_context() {
    let base = || record(Severity::Log, "could not send data to client: Broken pipe");
    let with_statement = Record {
        has_statement: true,
        ..base()
    };
    assert_eq!(say(&classify(&with_statement)), "ending send_failed, 08006");
    let with_context = Record {
        has_context: true,
        ..base()
    };
    assert_eq!(classify(&with_context), Classified::Untrusted);
}

#[test]
fn background_processes_have_no_sessions() {
    for (severity, message) in [
        (
            Severity::Fatal,
            "terminating connection due to administrator command",
        ),
        (Severity::Fatal, "something that an extension says"),
        (
            Severity::Warning,
            "terminating connection because of crash of another server process",
        ),
    ] {
        let record = Record {
            backend_type: Some(BackendType::Other),
            ..record(severity, message)
        };
        assert_eq!(classify(&record), Classified::Nothing, "{message}");
    }
}

#[test]
fn a_text_of_background_processes_is_a_refusal_where_a_client_is_named() {
    let record = Record {
        client: client("10.0.0.7"),
        user: cow("app"),
        ..record(Severity::Fatal, "could not load pg_hba.conf")
    };
    assert_eq!(say(&classify(&record)), "refused other, F0000");
}

#[test]
fn gss_errors_of_a_session_end_it() {
    let record = Record {
        user: cow("app"),
        ..record(
            Severity::Log,
            "incoming GSSAPI message did not use confidentiality",
        )
    };
    assert!(say(&classify(&record)).starts_with("ending protocol_error"));
}

proptest! {
    #[test]
    fn nothing_panics(
        severity in prop::sample::select(vec![Severity::Log, Severity::Warning, Severity::Fatal]),
        head in prop::sample::select(TABLE.iter().map(|row| row.text).chain([""]).collect::<Vec<_>>()),
        cut in 0usize..80,
        pieces in prop::collection::vec(prop::sample::select(vec![
            "user=", " database=", " host=", " port=", " application_name=", "a", "\"", ": ", "0:00:00.000", ")", "(",
            " SSL enabled (protocol=", ", cipher=", ", bits=", " GSS (authenticated=yes", ", encrypted=no", " method=",
            "18446744073709551616", ".", " ms", ", fork=", "[local]", "\n", "%s", "\u{e9}",
        ]), 0..12),
        tail in prop::collection::vec(any::<u8>(), 0..8),
        user in prop::option::of("[a =\"]{0,4}"),
        database in prop::option::of("[a =\"]{0,4}"),
    ) {
        let mut message = head.as_bytes()[..cut.min(head.len())].to_vec();
        message.extend(pieces.concat().as_bytes());
        message.extend(tail);
        let record = Record {
            severity,
            message: Cow::Owned(message),
            user: user.map(|text| Cow::Owned(text.into_bytes())),
            database: database.map(|text| Cow::Owned(text.into_bytes())),
            ..Record::default()
        };
        let _ = classify(&record);
    }

    /// What the server prints is read back, whatever the names, when the record carries them.
    #[test]
    fn names_are_read_back(
        user in "[a-c =\"()\n]{1,8}( database=| host=| SSL enabled \\()?[a-c]{0,3}",
        database in "[a-c =\"()\n]{1,8}( database=| host=| application_name=)?[a-c]{0,3}",
    ) {
        let message = format!("connection authorized: user={user} database={database} application_name=x");
        let known = Record { user: cow(&user), database: cow(&database), ..record(Severity::Log, &message) };
        let expected = format!("authorized {user} database {database} application x, 00000");
        prop_assert_eq!(say(&classify(&known)), expected);
        let message = format!("disconnection: session time: 0:00:00.001 user={user} database={database} host=[local]");
        let known = Record { message: cow(&message).unwrap_or_default(), ..known };
        let expected = format!("disconnected 1 {user} database {database} from [local], 00000");
        prop_assert_eq!(say(&classify(&known)), expected);
    }
}

fn record(severity: Severity, message: &str) -> Record<'_> {
    Record {
        severity,
        message: Cow::Borrowed(message.as_bytes()),
        ..Record::default()
    }
}

#[allow(clippy::unnecessary_wraps)]
fn cow(text: &str) -> Option<Cow<'_, [u8]>> {
    Some(Cow::Borrowed(text.as_bytes()))
}

#[allow(clippy::unnecessary_wraps)]
fn client(host: &str) -> Option<Client<Cow<'_, [u8]>>> {
    let host = Cow::Borrowed(host.as_bytes());
    Some(Client { host, port: None })
}

/// What was found as a line: kind, values by name, SQLSTATE.
fn say(classified: &Classified<'_>) -> String {
    let (kind, sqlstate) = match classified {
        Classified::Nothing => return "nothing".into(),
        Classified::Untrusted => return "untrusted".into(),
        Classified::Event(kind, sqlstate) => (kind, sqlstate),
    };
    let mut line = String::new();
    let mut put = |label: &str, value: Option<&[u8]>| {
        if let Some(value) = value {
            write!(line, "{label}{}", String::from_utf8_lossy(value)).expect("a String takes all");
        }
    };
    match kind {
        EventKind::Received { client } => {
            put("received ", Some(client.host));
            put(" port ", client.port);
        }
        EventKind::Authenticated {
            identity,
            method,
            hba,
        } => {
            put("authenticated", Some(b""));
            put(" ", *identity);
            put(" by ", Some(method));
            put(" ", Some(hba));
        }
        EventKind::Authorized {
            replication,
            user,
            database,
            application_name,
            tls,
        } => {
            put(
                if *replication {
                    "authorized walsender "
                } else {
                    "authorized "
                },
                Some(user),
            );
            put(" database ", *database);
            put(" application ", *application_name);
            put(" tls ", tls.map(|tls| tls.protocol));
            put(" ", tls.map(|tls| tls.cipher));
            let bits = tls.and_then(|tls| tls.bits).map(|bits| bits.to_string());
            put(" ", bits.as_ref().map(String::as_bytes));
        }
        EventKind::Ready { setup_us } => put("ready ", Some(setup_us.to_string().as_bytes())),
        EventKind::Disconnected {
            session_time_ms,
            user,
            database,
            client,
        } => {
            put(
                "disconnected ",
                Some(session_time_ms.to_string().as_bytes()),
            );
            put(" ", Some(user));
            put(" database ", *database);
            put(" from ", Some(client.host));
            put(" port ", client.port);
        }
        EventKind::Refused {
            reason,
            after_authorized,
            host,
            user,
            database,
            tls,
        } => {
            put("refused ", Some(reason.as_str().as_bytes()));
            put("", after_authorized.then_some(b" after"));
            put(" host ", *host);
            put(" user ", *user);
            put(" database ", *database);
            put(
                " tls ",
                tls.map(|tls| if tls { &b"true"[..] } else { b"false" }),
            );
        }
        EventKind::Probe { reason } => put("probe ", Some(reason.as_str().as_bytes())),
        EventKind::CancelRequest => put("cancel request", Some(b"")),
        EventKind::Ending { reason, fatal } => {
            put("ending ", Some(reason.as_str().as_bytes()));
            put("", fatal.then_some(b" fatal"));
        }
        EventKind::Server(event) => put("", Some(format!("{event:?}").as_bytes())),
        EventKind::Setting { name, value } => {
            put("setting ", Some(name));
            put(" = ", *value);
            put("", value.is_none().then_some(b" reset"));
        }
    }
    put(", ", sqlstate.as_ref().map(|sqlstate| &sqlstate.0[..]));
    line
}
