//! `report`: one page that shows all of it, and asks for nothing else: styles, scripts and data stand in it.
//!
//! ```text
//! page/report.html   <style>…</style>  <script type="application/json">counts</script>  <script>…</script>
//!                    <script type="application/json">sessions</script>
//! ```
//!
//! The page counts nothing that is not in its [`data`]: what it shows of a stretch or of a name are sums of cells.

pub(crate) mod data;

use std::io;
use std::rc::Rc;

use pgcensus_core::grid::GridSnapshot;
use pgcensus_core::names::Names;
use pgcensus_core::session::Session;
use pgcensus_core::snapshot::{CensusSnapshot, HistorySnapshot};

use super::findings::Found;
use super::{InputReport, Show, refused};

/// The page without what belongs into it, at places that look like `{{style}}`.
const PAGE: &str = include_str!("../../page/report.html");

const STYLES: [&str; 2] = [
    include_str!("../../page/vendor/uPlot.min.css"),
    include_str!("../../page/page.css"),
];

/// In the order in which they need each other.
const SCRIPTS: [&str; 5] = [
    include_str!("../../page/vendor/uPlot.iife.min.js"),
    include_str!("../../page/counts.js"),
    include_str!("../../page/words.js"),
    include_str!("../../page/charts.js"),
    include_str!("../../page/page.js"),
];

/// What is shown.
pub(crate) struct Page<'p> {
    pub(crate) census: &'p CensusSnapshot,
    pub(crate) history: &'p HistorySnapshot,
    /// Its steps are the buckets of the history, or parts of them.
    pub(crate) grid: &'p GridSnapshot,
    pub(crate) refused: refused::Told<'p>,
    pub(crate) found: &'p Found<'p>,
    pub(crate) report: &'p InputReport,
    pub(crate) names: &'p Names,
    /// Those that can be looked at one by one.
    pub(crate) sessions: &'p [Rc<Session>],
    /// What the log says of each.
    pub(crate) lines: &'p [Vec<String>],
    /// Names are replaced.
    pub(crate) is_anonymous: bool,
}

/// The page.
pub(crate) fn html(page: &Page<'_>, show: &Show<'_>, out: &mut impl io::Write) -> io::Result<()> {
    let data::Parts { counts, sessions } = data::parts(page, show)?;
    let mut rest = PAGE;
    while let Some((before, (name, after))) = rest
        .split_once("{{")
        .and_then(|(before, rest)| Some((before, rest.split_once("}}")?)))
    {
        out.write_all(before.as_bytes())?;
        match name {
            "style" => STYLES
                .iter()
                .try_for_each(|style| out.write_all(style.as_bytes()))?,
            "script" => SCRIPTS.iter().try_for_each(|script| {
                // Each by itself: a mistake in one stops no other.
                write!(out, "<script>\n{script}\n</script>\n")
            })?,
            "counts" => harmless(&counts, out)?,
            "sessions" => harmless(&sessions, out)?,
            "version" => out.write_all(env!("CARGO_PKG_VERSION").as_bytes())?,
            _ => unreachable!("page/report.html has these places only"),
        }
        rest = after;
    }
    out.write_all(rest.as_bytes())
}

/// JSON that stands in a page: nothing in it is a tag. Where `<` may be, `\u003c` may be too.
fn harmless(json: &str, out: &mut impl io::Write) -> io::Result<()> {
    let mut pieces = json.split('<');
    out.write_all(pieces.next().unwrap_or_default().as_bytes())?;
    pieces.try_for_each(|piece| {
        out.write_all(b"\\u003c")?;
        out.write_all(piece.as_bytes())
    })
}
