//! The panels of the overview, and by what their rows are sorted.

use pgcensus_core::names::Dimension;

use crate::view::top::moment::NameRow;

/// A panel of the overview.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Panel {
    /// Counts by one dimension.
    By(Dimension),
    /// Refusals by reason.
    Refused,
    /// The oldest open sessions.
    Oldest,
    /// The last events.
    Events,
}

impl Panel {
    /// Those of one server; of several servers they have a panel too.
    pub(super) const ALL: [Panel; 8] = [
        Panel::By(Dimension::ApplicationName),
        Panel::By(Dimension::User),
        Panel::By(Dimension::Database),
        Panel::By(Dimension::ClientHost),
        Panel::Refused,
        Panel::Oldest,
        Panel::Events,
        Panel::By(Dimension::Server),
    ];

    /// The digit that chooses it.
    pub(crate) fn digit(self) -> usize {
        1 + Panel::ALL
            .iter()
            .position(|&panel| panel == self)
            .unwrap_or_default()
    }

    /// Its title.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Panel::By(Dimension::ApplicationName) => "application",
            Panel::By(Dimension::User) => "user",
            Panel::By(Dimension::Database) => "database",
            Panel::By(Dimension::ClientHost) => "client host",
            Panel::By(Dimension::Server) => "server",
            Panel::Refused => "refused",
            Panel::Oldest => "oldest open",
            Panel::Events => "events",
        }
    }
}

/// By what the rows of a panel are sorted, and which of their counts is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sort {
    /// Open at the instant.
    #[default]
    Open,
    /// Opened in the window.
    Connects,
    /// Refused in the window.
    Refused,
    /// By name; the count is of open ones.
    Name,
}

impl Sort {
    pub(super) fn next(self) -> Sort {
        match self {
            Sort::Open => Sort::Connects,
            Sort::Connects => Sort::Refused,
            Sort::Refused => Sort::Name,
            Sort::Name => Sort::Open,
        }
    }

    /// The word for it in a title.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Sort::Open => "open",
            Sort::Connects => "connects",
            Sort::Refused => "refused",
            Sort::Name => "by name",
        }
    }

    /// The count that is shown.
    pub(crate) fn count(self, row: &NameRow) -> u64 {
        match self {
            Sort::Open | Sort::Name => row.open,
            Sort::Connects => row.connects,
            Sort::Refused => row.refused,
        }
    }
}
