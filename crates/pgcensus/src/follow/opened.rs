//! Open files: so many at most, and each for as long as it may grow.

use std::io;

use super::followed::{Followed, Progress};
use super::{FileId, Follow, Tell, stat};

/// Open files of directories; beyond it, those that have been read to their end are closed, and opened again when they
/// grow.
pub(super) const OPEN_MAX: usize = 256;
/// Looks at everything after which a file of a directory that does not grow is closed.
const REST_LOOKS: u32 = 60;
/// Looks at everything after which a file without a name ends that does not grow, while what came in its place does.
pub(super) const AWAY_LOOKS: u32 = 10;
/// Likewise where nothing came in its place, or nothing is written there.
const FORSAKEN_LOOKS: u32 = 600;
/// Files without a name, of one target; beyond it those that went first end.
const AWAY_MAX: usize = 16;

impl Follow {
    /// Opens a file that is closed, closing others where too many are open.
    pub(super) fn open(&mut self, id: FileId, followed: &mut Followed) -> io::Result<()> {
        if followed.file.is_some() {
            return Ok(());
        }
        if followed.is_away {
            return Err(io::ErrorKind::NotFound.into());
        }
        let file = stat::open(&followed.path)?;
        let stat = stat::of(&file)?;
        if stat.is_none_or(|stat| stat.identity != followed.identity) {
            // It is another one by now, which the next look finds.
            self.places[followed.target.0].is_unsure = true;
            return Err(io::ErrorKind::NotFound.into());
        }
        self.make_room();
        self.opened.push_back(id);
        followed.is_reopened = followed.has_begun;
        if followed.left_out.take().is_some() {
            followed.progress = Progress::default();
        }
        followed.changed = None;
        followed.idle = 0;
        followed.file = Some(file);
        Ok(())
    }

    /// Closes files of directories that have a name until one more may be open.
    pub(super) fn make_room(&mut self) {
        let mut turns = self.opened.len();
        while self.opened.len() >= self.open_max && turns > 0 {
            turns -= 1;
            let Some(id) = self.opened.pop_front() else {
                return;
            };
            let Some(followed) = self.files.get_mut(&id) else {
                continue;
            };
            if !self.places[followed.target.0].is_directory()
                || followed.is_away
                || followed.rest.is_some()
                || (followed.file.is_some() && !followed.close())
            {
                self.opened.push_back(id);
            }
        }
    }

    /// Ends and closes what has not grown for long.
    pub(super) fn age(&mut self, tell: &mut Tell<'_>) {
        let mut away = vec![0; self.places.len()];
        let mut over = Vec::new();
        for (&id, followed) in self.files.iter_mut().rev() {
            let place = &self.places[followed.target.0];
            followed.idle = followed.idle.saturating_add(1);
            if followed.has_more || followed.rest.is_some() {
                continue;
            }
            if followed.is_away {
                away[followed.target.0] += 1;
                over.push((id, away[followed.target.0] > AWAY_MAX));
            } else if place.is_directory() && followed.idle >= REST_LOOKS && followed.file.is_some()
            {
                followed.close();
            }
        }
        for (id, is_surplus) in over {
            let followed = &self.files[&id];
            let looks = if self.has_successor(followed) {
                AWAY_LOOKS
            } else {
                FORSAKEN_LOOKS
            };
            if (is_surplus && followed.idle > 1)
                || followed.idle >= looks
                || followed.file.is_none()
            {
                let followed = self.files.remove(&id).expect("just seen");
                self.end(id, followed, tell);
            }
        }
        let files = &self.files;
        self.opened
            .retain(|id| files.get(id).is_some_and(|f| f.file.is_some()));
    }

    /// Whether what came in the place of a file is written to.
    fn has_successor(&self, away: &Followed) -> bool {
        let place = &self.places[away.target.0];
        let successor = place
            .names
            .get(&away.path)
            .and_then(|id| self.files.get(id));
        successor.is_some_and(|successor| successor.has_begun)
    }
}

impl Followed {
    /// Closes it unless it has grown; whether it is.
    fn close(&mut self) -> bool {
        let stat = self.file.as_ref().map(stat::of);
        let Some(Ok(Some(stat))) = stat else {
            return false;
        };
        // One that has not been begun is read when it is its turn.
        if self.has_begun && stat.len != self.progress.position {
            return false;
        }
        self.changed = stat.settled();
        self.file = None;
        true
    }
}
