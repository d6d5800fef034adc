//! Events: what a record says about a connection, a session or the server.
//!
//! Generic over the text: `Event<&[u8]>` borrows from a chunk, `Event<TextId>` names texts of
//! a [`Batch`](crate::batch::Batch), so that it can cross threads.

use crate::log_time::LogTime;
use crate::record::{BackendType, Client, SessionId, Sqlstate};

/// Of the record of a refusal, so many bytes are kept to be shown.
pub const RECORD_KEPT_MAX: usize = 2 << 10;

/// What one record says, with what its prefix or columns carry.
#[derive(Clone, Debug, PartialEq)]
pub struct Event<T> {
    /// Byte offset of the record in its (decompressed) file.
    pub offset: u64,
    /// When it was logged; `None` where the prefix carries no time.
    pub log_time: Option<LogTime<T>>,
    /// The process that wrote it; `None` where the prefix carries neither pid nor session id.
    pub pid: Option<u32>,
    /// `%c`
    pub session_id: Option<SessionId>,
    /// `%u`
    pub user: Option<T>,
    /// `%d`
    pub database: Option<T>,
    /// `%a`
    pub application_name: Option<T>,
    /// `%h` or `%r`
    pub client: Option<Client<T>>,
    /// `%e`, else what the message implies.
    pub sqlstate: Option<Sqlstate>,
    /// `%b`
    pub backend_type: Option<BackendType>,
    /// The primary message.
    pub message: T,
    /// The DETAIL.
    pub detail: Option<T>,
    /// The record as the log has it, of a FATAL that may be a refusal: its first [`RECORD_KEPT_MAX`] bytes.
    pub record: Option<T>,
    /// What it says.
    pub kind: EventKind<T>,
}

/// What a message says. Each variant names the message that it comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum EventKind<T> {
    /// `connection received: host=%s port=%s`
    Received {
        /// Address or name, `[local]`, `???` where the lookup failed.
        client: Client<T>,
    },
    /// `connection authenticated: identity="%s" method=%s (%s:%d)`; with `user=` where the method
    /// gave no identity (17+)
    Authenticated {
        /// What the method proved; `None` for the `user=` form.
        identity: Option<T>,
        /// Name of the method in the rule of `pg_hba.conf`.
        method: T,
        /// `pg_hba.conf` and line, `/data/pg_hba.conf:11`.
        hba: T,
    },
    /// `connection authorized: user=%s database=%s …` or `replication connection authorized: user=%s …`.
    /// Not yet a session: role, database and limits are checked after it.
    Authorized {
        /// It is a walsender.
        replication: bool,
        /// The role asked for.
        user: T,
        /// The database asked for; `None` for walsenders.
        database: Option<T>,
        /// From the startup packet (12+); `None` where the packet had none, or an empty one.
        application_name: Option<T>,
        /// `SSL enabled (…)`; `None` without TLS.
        tls: Option<Tls<T>>,
    },
    /// `connection ready: setup total=%.3f ms, …` (18+)
    Ready {
        /// From `accept()` in the postmaster to the first ReadyForQuery, microseconds.
        setup_us: u64,
    },
    /// `disconnection: session time: …`
    Disconnected {
        /// Milliseconds since the start of the backend (its fork).
        session_time_ms: u64,
        /// The role.
        user: T,
        /// The database; `None` for a physical walsender (printed empty).
        database: Option<T>,
        /// As in `Received`.
        client: Client<T>,
    },
    /// A FATAL that ends a connection before it became a session, or (by [`RefusalReason::Other`]) one
    /// that is in no table.
    Refused {
        /// Why.
        reason: RefusalReason,
        /// It can only come after `connection authorized` (reference §4).
        after_authorized: bool,
        /// The host, where the message names it (`pg_hba.conf` refusals).
        host: Option<T>,
        /// The role, where the message names it.
        user: Option<T>,
        /// The database, where the message names it.
        database: Option<T>,
        /// TLS of the connection, where the message says it (`SSL encryption`, `no encryption`, `SSL on`).
        tls: Option<bool>,
    },
    /// A LOG that says why a connection will never be more than received: a startup packet that is
    /// incomplete or invalid, a failed TLS handshake.
    Probe {
        /// Why, in `snake_case`.
        reason: ProbeReason,
    },
    /// A cancel request that logs its failure: neither a probe nor a refusal.
    CancelRequest,
    /// A FATAL or LOG that says why a session is about to end; its `disconnection` follows.
    Ending {
        /// Why.
        reason: EndReason,
        /// FATAL: nothing but the disconnection can follow.
        fatal: bool,
    },
    /// The server itself.
    Server(ServerEvent),
    /// `parameter "%s" changed to "%s"`, `… removed from configuration file, reset to default`
    Setting {
        /// The parameter.
        name: T,
        /// Its new value; `None`: reset to the default.
        value: Option<T>,
    },
}

/// TLS facts of `connection authorized`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tls<T> {
    /// `TLSv1.3`
    pub protocol: T,
    /// `TLS_AES_256_GCM_SHA384`
    pub cipher: T,
    /// Key bits (11+).
    pub bits: Option<u32>,
}

/// Events of the server itself, written by its postmaster, startup process or checkpointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerEvent {
    /// `starting PostgreSQL 16.14 on …` (12+): all earlier sessions are gone.
    Starting {
        /// The major version.
        major: Option<u16>,
    },
    /// `database system was shut down at`, `… was interrupted; …`: the startup process of a new server or
    /// after a crash.
    Startup {
        /// It was not shut down properly.
        crashed: bool,
    },
    /// `database system is ready to accept …`: closes nothing (standby, promotion).
    Ready,
    /// `received smart shutdown request`
    SmartShutdown,
    /// `received fast shutdown request`
    FastShutdown,
    /// `received immediate shutdown request` and what works like it
    ImmediateShutdown,
    /// `shutting down`
    ShuttingDown,
    /// `database system is shut down`, `abnormal database system shutdown`
    ShutDown,
    /// `server process (PID %d) was terminated by signal …`, `client backend (PID %d) …` (18+)
    ChildCrashed {
        /// The child's pid.
        pid: u32,
    },
    /// `terminating any other active server processes`: a crash; everybody goes.
    TerminatingOthers,
    /// `all server processes terminated; reinitializing`
    Reinitializing,
    /// `received SIGHUP, reloading configuration files`
    Reloading,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$vdoc])* #[doc = concat!("`", $word, "`")] $variant,)+ }

        impl $name {
            /// All of them, in the order of the contract.
            pub const ALL: &[$name] = &[$($name::$variant,)+];

            /// The word for it in JSON and on the screen.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word,)+ }
            }
        }
    };
}

words! {
    /// Why a connection was refused: a closed list.
    RefusalReason {
        BadStartupPacket = "bad_startup_packet",
        UnsupportedProtocol = "unsupported_protocol",
        NoUserName = "no_user_name",
        BadOption = "bad_option",
        StartingUp = "starting_up",
        NotAcceptingYet = "not_accepting_yet",
        ShuttingDown = "shutting_down",
        InRecovery = "in_recovery",
        TooManyClients = "too_many_clients",
        SlotsReserved = "slots_reserved",
        RoleLimit = "role_limit",
        DatabaseLimit = "database_limit",
        WalsenderLimit = "walsender_limit",
        HbaNoEntry = "hba_no_entry",
        HbaRejected = "hba_rejected",
        CertificateRequired = "certificate_required",
        PasswordFailed = "password_failed",
        EmptyPassword = "empty_password",
        PeerFailed = "peer_failed",
        IdentFailed = "ident_failed",
        GssFailed = "gss_failed",
        SspiFailed = "sspi_failed",
        PamFailed = "pam_failed",
        LdapFailed = "ldap_failed",
        CertFailed = "cert_failed",
        RadiusFailed = "radius_failed",
        OauthFailed = "oauth_failed",
        BsdFailed = "bsd_failed",
        AuthenticationTimeout = "authentication_timeout",
        SaslError = "sasl_error",
        RoleUnknown = "role_unknown",
        RoleCannotLogin = "role_cannot_login",
        DatabaseUnknown = "database_unknown",
        DatabaseInvalid = "database_invalid",
        DatabaseNotAccepting = "database_not_accepting",
        NoConnectPrivilege = "no_connect_privilege",
        NoReplicationPrivilege = "no_replication_privilege",
        SuperuserOnly = "superuser_only",
        TerminatedInStartup = "terminated_in_startup",
        Other = "other",
    }
}

words! {
    /// Why a session ended, as far as a message said it: a closed list.
    EndReason {
        /// The client left without a word of the server.
        Closed = "closed",
        Reset = "reset",
        SendFailed = "send_failed",
        EofInTransaction = "eof_in_transaction",
        ProtocolError = "protocol_error",
        ConnectionLost = "connection_lost",
        Administrator = "administrator",
        RecoveryConflict = "recovery_conflict",
        IdleSessionTimeout = "idle_session_timeout",
        IdleInTransactionTimeout = "idle_in_transaction_timeout",
        TransactionTimeout = "transaction_timeout",
        ReplicationTimeout = "replication_timeout",
        FastShutdown = "fast_shutdown",
        SmartShutdown = "smart_shutdown",
        ImmediateShutdown = "immediate_shutdown",
        Crash = "crash",
        Restart = "restart",
        PostmasterExit = "postmaster_exit",
        PidReturned = "pid_returned",
        Gap = "gap",
    }
}

words! {
    /// Why a connection was never more than received.
    ProbeReason {
        /// Nothing came after it until twice `authentication_timeout`, or its pid returned.
        Silent = "silent",
        IncompleteStartupPacket = "incomplete_startup_packet",
        InvalidStartupPacket = "invalid_startup_packet",
        TlsFailed = "tls_failed",
        GssFailed = "gss_negotiation_failed",
    }
}

/// What a text of an event is. Names and the like recur: one is likely to be that of the event before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextOf {
    /// The zone of a log time.
    Zone,
    /// A user.
    User,
    /// A database.
    Database,
    /// An application's name.
    ApplicationName,
    /// A client's host.
    Host,
    /// What a method proved.
    Identity,
    /// A method of authentication.
    Method,
    /// A line of `pg_hba.conf`.
    Hba,
    /// A version of TLS.
    Protocol,
    /// A cipher of TLS.
    Cipher,
    /// A port, a message, a setting: hardly any recurs.
    Other,
}

impl<T> Event<T> {
    /// The same event with its texts turned into another form.
    pub fn map<U>(self, text: &mut impl FnMut(T, TextOf) -> U) -> Event<U> {
        Event {
            offset: self.offset,
            log_time: self
                .log_time
                .map(|time| time.map(|zone| text(zone, TextOf::Zone))),
            pid: self.pid,
            session_id: self.session_id,
            user: self.user.map(|user| text(user, TextOf::User)),
            database: self
                .database
                .map(|database| text(database, TextOf::Database)),
            application_name: self
                .application_name
                .map(|name| text(name, TextOf::ApplicationName)),
            client: self.client.map(|client| client.map(text)),
            sqlstate: self.sqlstate,
            backend_type: self.backend_type,
            message: text(self.message, TextOf::Other),
            detail: self.detail.map(|detail| text(detail, TextOf::Other)),
            record: self.record.map(|record| text(record, TextOf::Other)),
            kind: self.kind.map(text),
        }
    }
}

impl<T> Client<T> {
    /// The same client with its texts turned into another form.
    pub fn map<U>(self, text: &mut impl FnMut(T, TextOf) -> U) -> Client<U> {
        Client {
            host: text(self.host, TextOf::Host),
            port: self.port.map(|port| text(port, TextOf::Other)),
        }
    }
}

impl<T> EventKind<T> {
    /// It may end a connection before it becomes a session.
    pub(crate) fn may_refuse(&self) -> bool {
        matches!(
            self,
            EventKind::Refused { .. } | EventKind::Ending { fatal: true, .. }
        )
    }

    pub(crate) fn map<U>(self, text: &mut impl FnMut(T, TextOf) -> U) -> EventKind<U> {
        match self {
            EventKind::Received { client } => EventKind::Received {
                client: client.map(text),
            },
            EventKind::Authenticated {
                identity,
                method,
                hba,
            } => EventKind::Authenticated {
                identity: identity.map(|identity| text(identity, TextOf::Identity)),
                method: text(method, TextOf::Method),
                hba: text(hba, TextOf::Hba),
            },
            EventKind::Authorized {
                replication,
                user,
                database,
                application_name,
                tls,
            } => EventKind::Authorized {
                replication,
                user: text(user, TextOf::User),
                database: database.map(|database| text(database, TextOf::Database)),
                application_name: application_name.map(|name| text(name, TextOf::ApplicationName)),
                tls: tls.map(|tls| Tls {
                    protocol: text(tls.protocol, TextOf::Protocol),
                    cipher: text(tls.cipher, TextOf::Cipher),
                    bits: tls.bits,
                }),
            },
            EventKind::Ready { setup_us } => EventKind::Ready { setup_us },
            EventKind::Disconnected {
                session_time_ms,
                user,
                database,
                client,
            } => EventKind::Disconnected {
                session_time_ms,
                user: text(user, TextOf::User),
                database: database.map(|database| text(database, TextOf::Database)),
                client: client.map(text),
            },
            EventKind::Refused {
                reason,
                after_authorized,
                host,
                user,
                database,
                tls,
            } => EventKind::Refused {
                reason,
                after_authorized,
                host: host.map(|host| text(host, TextOf::Host)),
                user: user.map(|user| text(user, TextOf::User)),
                database: database.map(|database| text(database, TextOf::Database)),
                tls,
            },
            EventKind::Probe { reason } => EventKind::Probe { reason },
            EventKind::CancelRequest => EventKind::CancelRequest,
            EventKind::Ending { reason, fatal } => EventKind::Ending { reason, fatal },
            EventKind::Server(event) => EventKind::Server(event),
            EventKind::Setting { name, value } => EventKind::Setting {
                name: text(name, TextOf::Other),
                value: value.map(|value| text(value, TextOf::Other)),
            },
        }
    }
}
