//! `report` in a browser: how large a page is, how soon something is seen of it, and how long a move of the brush takes. The pages are those
//! of a log of connections alone, and of the same with ten thousand application names in turn.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use super::logs::Load;
use super::table::{Table, shown};
use super::tools::Bars;
use super::{Bench, grown};
use crate::browser::{self, Browser};
use crate::said;
use crate::server::Format;

/// Application names of the larger page.
const NAMES: u64 = 10_000;

/// What `page.js` prints: medians, in milliseconds.
#[derive(Deserialize)]
struct Seen {
    first_paint: f64,
    first_contentful_paint: f64,
    ready: f64,
    brush: f64,
    brush_most: f64,
}

/// The table, and its bars.
///
/// # Errors
/// When a page cannot be made or looked at.
pub(super) fn run(bench: &Bench) -> Result<String> {
    let browser = browser::find_or_install()?;
    let log = bench.log(Load::Connections, Format::Stderr)?;
    let scratch = tempfile::tempdir_in(&bench.dir)?;
    let many = scratch.path().join("names.log");
    grown::applications(&bench.logs, &many, log.copies, NAMES)?;
    let mut table = Table::new(&[
        "page of",
        " MB",
        " first paint ms",
        " contentful ms",
        " ready ms",
        " brush ms",
        " most ms",
    ]);
    let mut bars = Bars::new();
    for (name, log) in [("connections", &*log.path), ("10,000 names", &*many)] {
        let page = scratch.path().join("page.html");
        said(
            Command::new(&bench.pgcensus)
                .arg("report")
                .arg("-o")
                .arg(&page)
                .arg(log),
        )?;
        let mb = page.metadata()?.len() as f64 / 1e6;
        let seen = look(&browser, &page)?;
        table.row([
            name.to_owned(),
            shown(mb),
            shown(seen.first_paint),
            shown(seen.first_contentful_paint),
            shown(seen.ready),
            shown(seen.brush),
            shown(seen.brush_most),
        ]);
        bars.at_most(&format!("page of {name}: MB"), mb, 5.0);
        bars.at_most(
            &format!("page of {name}: first contentful paint, ms"),
            seen.first_contentful_paint,
            300.0,
        );
        bars.at_most(
            &format!("page of {name}: a move of the brush, ms"),
            seen.brush,
            50.0,
        );
    }
    Ok(format!(
        "## A page in a browser\n\nOf `pgcensus report`, in Chromium without a screen; medians of five loads, and of twenty moves in each.\n\n{table}\n{bars}"
    ))
}

fn look(browser: &Browser, page: &Path) -> Result<Seen> {
    let script = crate::root().join("xtask/src/bench/page.js");
    let mut node = Command::new("node");
    let printed = said(
        node.arg(script)
            .args([&browser.program, page])
            .env("NODE_PATH", &browser.driver),
    )?;
    let seen: Seen = serde_json::from_str(&printed).with_context(|| printed.clone())?;
    ensure!(seen.brush > 0.0, "no move of the brush was measured");
    Ok(seen)
}
