//! The row that is selected, of a panel or of the page one has drilled down to. It stays what it is about while rows move.

use pgcensus_core::session::RefusalReason;

use super::{Panel, State};
use crate::view::top::moment::{Backend, Detail, SessionRow};

/// What a row is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    Name(Box<[u8]>),
    Reason(RefusalReason),
    Backend(Backend),
}

impl State {
    /// The selected row of a panel.
    pub(crate) fn selected(&self, panel: Panel) -> usize {
        let rows = self.rows_of(panel);
        self.selected[panel.digit() - 1].min(rows.saturating_sub(1))
    }

    /// What the selected row of the panel or page is about, where it is not the first: that stays the first.
    pub(super) fn kept(&self) -> Option<Kept> {
        let moment = self.moment.as_ref()?;
        if self.pages.last().is_some() {
            let selected = Some(self.page_selected()).filter(|&row| row > 0)?;
            return Some(Kept::Backend(self.sessions().get(selected)?.backend()?));
        }
        let panel = self.panel();
        let selected = Some(self.selected(panel)).filter(|&row| row > 0)?;
        match panel {
            Panel::By(dimension) => {
                let rows = self.name_rows(dimension);
                Some(Kept::Name(rows.get(selected)?.name.clone()))
            }
            Panel::Refused => Some(Kept::Reason(moment.refused.get(selected)?.0)),
            Panel::Oldest => Some(Kept::Backend(moment.oldest.get(selected)?.backend()?)),
            Panel::Events => None,
        }
    }

    /// Selects the row that is about the same as before, where there is one.
    pub(super) fn select_again(&mut self, kept: Option<Kept>) {
        let (Some(kept), Some(moment)) = (kept, &self.moment) else {
            return;
        };
        let is_it = |row: &SessionRow| row.backend().map(Kept::Backend).as_ref() == Some(&kept);
        if self.pages.last().is_some() {
            let place = self.sessions().iter().position(is_it);
            if let (Some(place), Some(page)) = (place, self.pages.last_mut()) {
                page.selected = place;
            }
            return;
        }
        let panel = self.panel();
        let place = match (panel, &kept) {
            (Panel::By(dimension), Kept::Name(name)) => {
                let rows = self.name_rows(dimension);
                rows.iter().position(|row| row.name == *name)
            }
            (Panel::Refused, Kept::Reason(reason)) => {
                moment.refused.iter().position(|row| row.0 == *reason)
            }
            (Panel::Oldest, _) => moment.oldest.iter().position(is_it),
            _ => None,
        };
        if let Some(place) = place {
            self.selected[panel.digit() - 1] = place;
        }
    }

    /// Moves the selection.
    pub(super) fn go(&mut self, by: isize) {
        if self.pages.is_empty() {
            let panel = self.panel();
            let last = self.rows_of(panel).saturating_sub(1);
            let to = self.selected(panel).saturating_add_signed(by).min(last);
            self.selected[panel.digit() - 1] = to;
        } else {
            let last = self.page_len().saturating_sub(1);
            let to = self.page_selected().saturating_add_signed(by).min(last);
            if let Some(page) = self.pages.last_mut() {
                page.selected = to;
            }
        }
    }

    /// Selects a row of a panel; true: it was selected already.
    pub(crate) fn point(&mut self, panel: Option<Panel>, row: usize) -> bool {
        if let Some(panel) = panel {
            let focus = panel.digit() - 1;
            let was = self.focus == focus && self.selected(panel) == row;
            self.focus = focus;
            self.selected[focus] = row;
            return was;
        }
        let was = self.page_selected() == row;
        if let Some(page) = self.pages.last_mut() {
            page.selected = row;
        }
        was
    }

    /// What is below the selected row.
    pub(in crate::view::top) fn below(&self) -> Option<Detail> {
        let moment = self.moment.as_ref()?;
        let backend = |backend: Option<Backend>| backend.map(Detail::Backend);
        if let Some(page) = self.pages.last() {
            let selected = self.page_selected();
            return match page.detail {
                Detail::Sessions(_) => backend(self.sessions().get(selected)?.backend()),
                Detail::Events | Detail::Refusals(_) => {
                    backend(self.events().get(selected)?.backend())
                }
                Detail::Overview | Detail::Backend(_) => None,
            };
        }
        let panel = self.panel();
        let selected = self.selected(panel);
        match panel {
            Panel::By(dimension) => {
                let name = self.name_rows(dimension).get(selected)?.name.clone();
                Some(Detail::Sessions(Some((dimension, name))))
            }
            Panel::Refused => {
                let (reason, ..): &(RefusalReason, _, _) = moment.refused.get(selected)?;
                Some(Detail::Refusals(*reason))
            }
            Panel::Oldest => backend(moment.oldest.get(selected)?.backend()),
            Panel::Events => Some(Detail::Events),
        }
    }
}
