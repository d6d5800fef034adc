//! Rows of lists: a name with its counts, a session, an event, a line of the log. Everything that a log says passes
//! [`shown`] here.

use pgcensus_core::session::{EndReason, Sqlstate};
use pgcensus_core::trend::Trend;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::moment::{Detail, EventRow, Happened, NameRow, SessionRow, Whom};
use super::state::{Panel, Sort, State};
use super::theme::Theme;
use crate::view::Show;
use crate::view::text::{duration_short, left, percent, right, shown, sparkline, thousands};

/// Columns from which on times have their date.
const WIDE: usize = 110;

/// Widths of the columns of a row of counts.
#[derive(Clone, Copy, Debug)]
struct Columns {
    name: usize,
    count: usize,
    bar: usize,
    trend: usize,
}

impl Columns {
    /// Where no count is longer than this.
    fn new(width: usize, longest: usize) -> Columns {
        let (count, trend) = match width {
            0..36 => (5, 1),
            36..60 => (6, 6),
            _ => (9, 12),
        };
        // A count is never cut, nor does it run into the name: that yields.
        let count = count.max(longest + 1);
        let bar = (width / 7).clamp(3, 16);
        // The share takes five, and there is a space before the bar and the trend.
        let rest = count + 5 + 1 + bar + 1 + trend;
        Columns {
            name: width.saturating_sub(rest),
            count,
            bar,
            trend,
        }
    }
}

/// A name, its count, what share of all that is, a bar and a trend.
fn counted(
    name: &str,
    (n, most, all): (u64, u64, u64),
    trend: &Trend,
    width: usize,
    (style, theme): (Style, Theme),
) -> Line<'static> {
    let columns = Columns::new(width, thousands(most).len());
    let share = match all {
        0 => "    ".to_owned(),
        _ => format!("{:>3}%", percent(n, all)),
    };
    Line::from(vec![
        Span::raw(left(name, columns.name)),
        Span::styled(right(&thousands(n), columns.count), theme.bold()),
        Span::styled(format!(" {share} "), theme.dim()),
        Span::styled(left(&meter(n, most, columns.bar), columns.bar), style),
        Span::raw(" "),
        Span::styled(trend_of(trend, columns.trend), style),
    ])
}

/// A bar in halves of a column, that rows above each other do not run into one block.
fn meter(n: u64, most: u64, cells: usize) -> String {
    if n == 0 || most == 0 {
        return String::new();
    }
    let halves = u128::from(n) * (cells as u128 * 2) / u128::from(most);
    let halves = (halves as usize).max(1);
    "━".repeat(halves / 2) + if halves % 2 == 1 { "╸" } else { "" }
}

/// A trend in so many columns; in one an arrow.
fn trend_of(trend: &Trend, columns: usize) -> String {
    match columns {
        0 => String::new(),
        1 => match trend[trend.len() - 1].cmp(&trend[0]) {
            std::cmp::Ordering::Less => "▼",
            std::cmp::Ordering::Equal => " ",
            std::cmp::Ordering::Greater => "▲",
        }
        .to_owned(),
        _ => {
            let each = trend.len().div_ceil(columns);
            let most = |part: &[u64]| part.iter().copied().max().unwrap_or(0);
            let spark = sparkline(&trend.chunks(each).map(most).collect::<Vec<_>>());
            // A little less than a row, likewise.
            spark.replace('█', "▇")
        }
    }
}

/// A row of a panel by name.
pub(super) fn name(
    (text, row): (&str, &NameRow),
    sort: Sort,
    (most, all): (u64, u64),
    width: usize,
    theme: Theme,
) -> Line<'static> {
    let style = match sort {
        Sort::Open | Sort::Name => theme.open(),
        Sort::Connects => theme.connected(),
        Sort::Refused => theme.refused(),
    };
    let counts = (sort.count(row), most, all);
    counted(text, counts, &row.trend, width, (style, theme))
}

/// A row of the panel of refusals.
pub(super) fn refusals(
    (reason, n, trend): (&str, u64, &Trend),
    (most, all): (u64, u64),
    width: usize,
    theme: Theme,
) -> Line<'static> {
    counted(
        reason,
        (n, most, all),
        trend,
        width,
        (theme.refused(), theme),
    )
}

/// `app@shop`
fn user_at_database(whom: &Whom) -> String {
    let user = whom.user.as_deref().unwrap_or(b"unknown");
    let mut text = shown(user).into_owned();
    if whom.database.is_some() || !whom.walsender {
        text.push('@');
        text.push_str(&shown(whom.database.as_deref().unwrap_or(b"unknown")));
    }
    text
}

/// `10.0.0.7:51842`
fn client(whom: &Whom) -> String {
    let host = whom.client_host.as_deref().map_or("".into(), shown);
    match whom.client_port {
        Some(port) => format!("{host}:{port}"),
        None => host.into_owned(),
    }
}

fn application(whom: &Whom) -> String {
    let name = whom.application_name.as_deref();
    name.map_or(String::new(), |name| shown(name).into_owned())
}

fn server(whom: &Whom, show: &Show<'_>) -> Option<String> {
    (show.servers.len() > 1).then(|| shown(show.server(whom.server).as_bytes()).into_owned())
}

/// A row of the panel of the oldest sessions: how old, whose.
pub(super) fn oldest(
    row: &SessionRow,
    show: &Show<'_>,
    width: usize,
    theme: Theme,
) -> Line<'static> {
    let age = row.length_ms.map_or(String::new(), duration_short);
    let mut spans = vec![Span::styled(right(&age, 7), theme.bold()), Span::raw(" ")];
    let whose = user_at_database(&row.whom);
    if width < 36 {
        spans.push(Span::raw(left(&whose, width.saturating_sub(8))));
        return Line::from(spans);
    }
    let rest = width - 8;
    let who = rest * 2 / 5;
    spans.push(Span::raw(left(&whose, who)));
    let others: Vec<_> = [
        server(&row.whom, show).unwrap_or_default(),
        application(&row.whom),
        client(&row.whom),
    ]
    .into_iter()
    .filter(|text| !text.is_empty())
    .collect();
    let others = left(&others.join("  "), rest - who - 1);
    spans.push(Span::styled(format!(" {others}"), theme.dim()));
    Line::from(spans)
}

/// The head of [`session`].
pub(super) fn session_head(width: usize) -> String {
    let columns = SessionColumns::new(width);
    format!(
        "{}{}{} {}{}{}{}",
        left("start", columns.start),
        right("length", 8),
        right("pid", 8),
        spaced("user@database", columns.who),
        spaced("application", columns.application),
        spaced("client", columns.client),
        left("end", columns.end),
    )
}

struct SessionColumns {
    start: usize,
    who: usize,
    application: usize,
    client: usize,
    end: usize,
}

impl SessionColumns {
    fn new(width: usize) -> SessionColumns {
        // The time of day alone, where there is no room for the date.
        let start = if width < WIDE { 9 } else { 16 };
        let rest = width.saturating_sub(start + 17);
        let end = (rest / 4).clamp(6, 34);
        let rest = rest.saturating_sub(end);
        let (who, application) = (rest * 2 / 5, rest * 3 / 10);
        SessionColumns {
            start,
            who,
            application,
            client: rest - who - application,
            end,
        }
    }
}

/// `text` and a space, in so many columns.
fn spaced(text: &str, width: usize) -> String {
    let mut out = left(text, width.saturating_sub(1));
    out.push(' ');
    out
}

/// A session in a list.
pub(super) fn session(
    row: &SessionRow,
    show: &Show<'_>,
    width: usize,
    theme: Theme,
) -> Line<'static> {
    let columns = SessionColumns::new(width);
    let start = row.start.map_or(String::new(), |at| {
        if width < WIDE {
            show.clock_s(at)
        } else {
            format!("{} {}", show.day(at), show.clock_s(at))
        }
    });
    let length = row.length_ms.map_or("?".to_owned(), duration_short);
    let pid = row.whom.pid.map_or(String::new(), |pid| pid.to_string());
    let (end, style) = match row.end {
        None => ("open".to_owned(), theme.open()),
        Some((end, reason)) => {
            let reason = reason.map_or("", EndReason::as_str);
            (format!("{} {reason}", end.as_str()), theme.disconnected())
        }
    };
    let mut whose = user_at_database(&row.whom);
    if let Some(server) = server(&row.whom, show) {
        whose = format!("{server} {whose}");
    }
    Line::from(vec![
        Span::styled(left(&start, columns.start), theme.dim()),
        Span::styled(right(&length, 8), theme.bold()),
        Span::raw(format!("{} ", right(&pid, 8))),
        Span::raw(spaced(&whose, columns.who)),
        Span::raw(spaced(&application(&row.whom), columns.application)),
        Span::raw(spaced(&client(&row.whom), columns.client)),
        Span::styled(left(&end, columns.end), style),
    ])
}

/// An event in a list.
pub(super) fn event(row: &EventRow, show: &Show<'_>, width: usize, theme: Theme) -> Line<'static> {
    let at = row.at.map_or(String::new(), |at| {
        let milli = show.milli(at);
        let time = milli.split_at(milli.len() - 12).1;
        if width < WIDE { time.to_owned() } else { milli }
    });
    let mut spans = vec![Span::styled(format!("{at} "), theme.dim())];
    let mut whom: Vec<String> = server(&row.whom, show).into_iter().collect();
    if !matches!(row.what, Happened::Server) {
        if row.whom.user.is_some() || row.whom.database.is_some() {
            whom.push(user_at_database(&row.whom));
        }
        whom.push(application(&row.whom));
        whom.push(client(&row.whom));
    }
    whom.retain(|text| !text.is_empty());
    let mut whom = whom.join("  ");
    if let (Some(pid), false) = (row.whom.pid, matches!(row.what, Happened::Server)) {
        whom += &format!(" [pid {pid}]");
    }
    match row.what {
        Happened::Connected => {
            spans.push(Span::styled("[+] ", theme.connected()));
            spans.push(Span::raw(whom));
        }
        Happened::Disconnected(length, end, reason) => {
            spans.push(Span::styled("[-] ", theme.disconnected()));
            let length = length.map_or(String::new(), |ms| {
                format!(" after {}", crate::view::text::duration(ms))
            });
            let end = end.map_or("", |end| end.as_str());
            let reason = reason.map_or("closed", EndReason::as_str);
            spans.push(Span::raw(format!("{whom}{length} ({end}: {reason})")));
        }
        Happened::Refused(reason, sqlstate) => {
            let code = sqlstate.as_ref().map(Sqlstate::as_str);
            let code = code.map_or(String::new(), |code| format!(" ({code})"));
            let text = format!("[!] refused: {}{code}  ", reason.as_str());
            spans.push(Span::styled(text, theme.refused()));
            spans.push(Span::raw(whom));
        }
        Happened::Probe(reason) => {
            let text = format!("[ ] probe: {}  {whom}", reason.as_str());
            spans.push(Span::styled(text, theme.dim()));
        }
        Happened::Server => {
            spans.push(Span::styled("[*] ", theme.bold()));
            let server = if whom.is_empty() { "server" } else { &whom };
            spans.push(Span::raw(format!("{server}: {}", shown(&row.message))));
        }
    }
    Line::from(spans)
}

/// What `y` copies: the selected row, as it is shown.
pub(super) fn selected_text(state: &State) -> Option<String> {
    let moment = state.moment.as_ref()?;
    let show = super::show_of(moment);
    let theme = Theme { color: false };
    let wide = 200;
    let text = |line: Line<'_>| {
        let text: String = line.spans.iter().map(|span| &*span.content).collect();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    if let Some(page) = state.pages.last() {
        let selected = state.page_selected();
        return match page.detail {
            Detail::Sessions(_) => {
                let row = state.sessions().get(selected)?;
                Some(text(session(row, &show, wide, theme)))
            }
            _ => match state.events().get(selected) {
                Some(row) => Some(text(event(row, &show, wide, theme))),
                None => super::pages::line_text(state, selected),
            },
        };
    }
    let panel = state.panel();
    let selected = state.selected(panel);
    match panel {
        Panel::By(dimension) => {
            let rows = state.name_rows(dimension);
            Some(shown(&rows.get(selected)?.name).into_owned())
        }
        Panel::Refused => Some(moment.refused.get(selected)?.0.as_str().to_owned()),
        Panel::Oldest => Some(text(session(
            moment.oldest.get(selected)?,
            &show,
            wide,
            theme,
        ))),
        Panel::Events => Some(text(event(
            moment.events.get(selected)?,
            &show,
            wide,
            theme,
        ))),
    }
}
