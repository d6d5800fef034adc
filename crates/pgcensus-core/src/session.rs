//! A session and its ending.

pub use pgcensus_log::event::{EndReason, ProbeReason, RefusalReason};
pub use pgcensus_log::record::{SessionId, Sqlstate};

use std::num::NonZeroU64;
use std::sync::Arc;

use crate::groups::GroupId;
use crate::instant::Instant;
use crate::names::{Dimension, Name, NameId, Names};

/// One client served by one backend, from authorization to disconnection.
#[derive(Clone, Debug)]
pub struct Session {
    /// Which server.
    pub server: ServerId,
    /// Process of the backend; `None` where the prefix carries none.
    pub pid: Option<u32>,
    /// `%c`, where the log carries it.
    pub session_id: Option<SessionId>,
    /// The how-many-th session of its server that was seen to open, from 1; 0: its opening was not seen, or it is known to end by
    /// its disconnection.
    pub opening: u64,
    /// Its names as a number, from when it opened on; [`GroupId::REST`] where they are not looked up.
    pub group: GroupId,
    /// A walsender: shown apart.
    pub walsender: bool,
    /// The role.
    pub user: Option<Name>,
    /// The database; `None` for physical walsenders.
    pub database: Option<Name>,
    /// The name at `connection authorized`; `None` where it had none, or was not seen.
    pub application_name: Option<Name>,
    /// The latest name that its own lifecycle records show.
    pub application_name_last: Option<Name>,
    /// Address or name of the client, `[local]` for a Unix socket.
    pub client_host: Option<Name>,
    /// `client_host` was first seen at the end: where sessions are counted by host, this one was not
    /// known to have one when it opened, and is not counted under it.
    pub client_host_is_late: bool,
    /// TCP port of the client.
    pub client_port: Option<u16>,
    /// Fork of the backend: `connection received`, else end − session time.
    pub session_start: Option<Instant>,
    /// `connection authorized`.
    pub authorized_at: Option<Instant>,
    /// When it ended; `None` while open and for `lost`.
    pub session_end: Option<Instant>,
    /// `session_end` is only the latest possible time.
    pub session_end_is_bound: bool,
    /// Its length; `None` while open and for `lost`.
    pub session_time_ms: Option<u64>,
    /// Received → ready as 18 measures it, else received → authorized.
    pub setup_us: Option<u64>,
    /// How it ended; `None` while open.
    pub end: Option<End>,
    /// Why, in more detail.
    pub end_reason: Option<EndReason>,
    /// TLS facts; outer `None`: its authorized line was not seen; inner: it had none.
    pub tls: Option<Option<Arc<SessionTls>>>,
    /// Authentication facts, where the line was seen.
    pub auth: Option<Arc<SessionAuth>>,
    /// The record of `connection authorized`.
    pub authorized_in: Option<Origin>,
    /// The record that says that it is over; `None` where none does.
    pub ended_in: Option<Origin>,
}

/// Where a record begins: in which file, by position among those of its server, and at which byte of what is decoded of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin(NonZeroU64);

impl Origin {
    const OFFSET_BITS: u32 = 48;

    /// `None` past 65,536 files or 256 TiB of one.
    #[inline]
    pub fn new(file: u32, offset: u64) -> Option<Origin> {
        if u64::from(file) >> (64 - Self::OFFSET_BITS) != 0 || offset >> Self::OFFSET_BITS != 0 {
            return None;
        }
        // Not 0 unless it is past the bounds.
        NonZeroU64::new((u64::from(file) << Self::OFFSET_BITS | offset).wrapping_add(1)).map(Origin)
    }

    /// The position of the file.
    pub fn file(self) -> usize {
        ((self.0.get() - 1) >> Self::OFFSET_BITS) as usize
    }

    /// The byte at which the record begins.
    pub fn offset(self) -> u64 {
        (self.0.get() - 1) & ((1 << Self::OFFSET_BITS) - 1)
    }
}

impl Session {
    /// A connection of which nothing is known yet.
    pub fn new(server: ServerId, pid: Option<u32>, session_id: Option<SessionId>) -> Session {
        Session {
            server,
            pid,
            session_id,
            opening: 0,
            group: GroupId::REST,
            walsender: false,
            user: None,
            database: None,
            application_name: None,
            application_name_last: None,
            client_host: None,
            client_host_is_late: false,
            client_port: None,
            session_start: None,
            authorized_at: None,
            session_end: None,
            session_end_is_bound: false,
            session_time_ms: None,
            setup_us: None,
            end: None,
            end_reason: None,
            tls: None,
            auth: None,
            authorized_in: None,
            ended_in: None,
        }
    }

    /// The same, as one of its group: all the names by which it is counted are known.
    #[must_use]
    pub fn grouped(mut self, names: &mut Names) -> Session {
        self.group = names.groups.of(&self);
        self
    }

    /// Its name in a dimension, as it is counted.
    pub fn name(&self, dimension: Dimension) -> NameId {
        let name = match dimension {
            Dimension::Database => self.database.as_ref(),
            Dimension::User => self.user.as_ref(),
            Dimension::ApplicationName => self.application_name.as_ref(),
            Dimension::ClientHost => self.counted_client_host(),
            Dimension::Server => return self.server.into(),
        };
        NameId::of(name)
    }

    /// The client host by which it is counted from its begin to its end, see
    /// [`client_host_is_late`](Session::client_host_is_late).
    pub fn counted_client_host(&self) -> Option<&Name> {
        self.client_host
            .as_ref()
            .filter(|_| !self.client_host_is_late)
    }

    /// From when it is counted as open: authorized, else (its beginning was not seen) its start.
    pub fn opened_at(&self) -> Option<Instant> {
        self.authorized_at.or(self.session_start)
    }

    /// Its beginning was in the log.
    pub fn was_seen_to_open(&self) -> bool {
        self.authorized_at.is_some()
    }
}

/// A server of this run, by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct ServerId(pub u16);

/// `SSL enabled (protocol=…, cipher=…, bits=…)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionTls {
    /// `TLSv1.3`
    pub protocol: Box<[u8]>,
    /// `TLS_AES_256_GCM_SHA384`
    pub cipher: Box<[u8]>,
    /// Key bits (11+).
    pub bits: Option<u32>,
}

/// `connection authenticated: identity=… method=… (…)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionAuth {
    /// What the method proved.
    pub identity: Option<Box<[u8]>>,
    /// Name of the method in the rule.
    pub method: Box<[u8]>,
    /// `pg_hba.conf` file and line.
    pub hba: Box<[u8]>,
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum End {
    /// It left, vanished, was reset or broke the protocol.
    Client,
    /// By an administrator, `DROP DATABASE … FORCE`, a recovery conflict.
    Terminated,
    /// By a timeout of the server.
    Timeout,
    /// Shutdown of any kind from its request on, crash, restart, unexpected postmaster exit.
    Server,
    /// Its pid returned, or a gap: the end itself was not seen.
    Lost,
}

impl End {
    /// All of them, in the order in which they are shown.
    pub const ALL: [End; 5] = [
        End::Client,
        End::Terminated,
        End::Timeout,
        End::Server,
        End::Lost,
    ];

    /// The word for it in JSON and on the screen.
    pub fn as_str(self) -> &'static str {
        match self {
            End::Client => "client",
            End::Terminated => "terminated",
            End::Timeout => "timeout",
            End::Server => "server",
            End::Lost => "lost",
        }
    }
}
