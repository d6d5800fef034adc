// The page: what is looked at (a stretch, some names), all panels of it, and an address that keeps it.
"use strict";

const ROWS = 10;
const GANTT_ROWS = 40;
const SESSION_ROWS = 25;

class Page {
  constructor(data, root) {
    this.root = root;
    this.open = new Set();
    this.sort = {};
    this.search = {};
    this.more = new Set();
    this.take(data);
    this.build();
    this.isNew = true;
    this.follow();
    addEventListener("hashchange", () => this.follow());
    addEventListener("resize", () => this.resized());
    addEventListener("keydown", (event) => event.key === "Escape" && this.look({ from: 0, to: this.buckets, filter: {} }));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.drawAll());
  }

  // Other data of the same log.
  take(data) {
    this.data = data;
    this.buckets = data.buckets.start.length;
    for (const session of data.sessions) {
      session.beginMs = Date.parse(session.session_start ?? session.authorized_at ?? "") || null;
      session.endMs = session.session_end ? Date.parse(session.session_end) : null;
    }
  }

  // The log has gone on: the same is looked at as before, up to the end where it was.
  renew(data) {
    const { start } = this.data.buckets;
    const { from, to, filter } = this.view;
    const [since, until] = [from > 0 ? start[from] : null, to < this.buckets ? start[to] : null];
    const opened = new Set([...this.open].map((session) => `${session.server} ${session.pid} ${session.session_start}`));
    this.take(data);
    this.timeline.data = data;
    const at = (ms, otherwise) => (ms === null ? otherwise : Math.max(0, data.buckets.start.findLastIndex((begin) => begin <= ms)));
    this.view = { from: at(since, 0), to: at(until, this.buckets), filter };
    if (this.view.from >= this.view.to) this.view = { from: 0, to: this.buckets, filter };
    this.open = new Set(data.sessions.filter((session) => opened.has(`${session.server} ${session.pid} ${session.session_start}`)));
    this.drawAll();
  }

  // Looks at something else: the address says so, and can be sent to somebody.
  look(view) {
    this.view = { ...this.view, ...view };
    const { from, to, filter } = this.view;
    const words = new URLSearchParams();
    if (from > 0) words.set("since", rfc3339(this.data, this.data.buckets.start[from]));
    if (to < this.buckets) words.set("until", rfc3339(this.data, this.data.buckets.start[to]));
    for (const [dimension, names] of Object.entries(filter)) for (const name of names) words.append(dimension, name);
    const hash = words.toString();
    if (location.hash.slice(1) !== hash) history.replaceState(null, "", `${location.pathname}${location.search}#${hash}`);
    this.render();
  }

  // Looks at what the address says.
  follow() {
    const words = new URLSearchParams(location.hash.slice(1));
    const starts = this.data.buckets.start;
    const bucket = (name, otherwise) => {
      const ms = Date.parse(words.get(name) ?? "");
      if (Number.isNaN(ms)) return otherwise;
      const at = starts.findIndex((start) => start >= ms);
      return at < 0 ? starts.length : at;
    };
    const filter = {};
    for (const dimension of DIMENSIONS) {
      const names = words.getAll(dimension).filter((name) => this.data.names[dimension].includes(name));
      if (names.length) filter[dimension] = names;
    }
    let [from, to] = [bucket("since", 0), bucket("until", starts.length)];
    if (from >= to) [from, to] = [0, starts.length];
    this.view = { from, to, filter };
    this.render();
  }

  toggle(dimension, name) {
    const names = this.view.filter[dimension] ?? [];
    const filter = { ...this.view.filter, [dimension]: names.includes(name) ? names.filter((other) => other !== name) : [...names, name] };
    if (!filter[dimension].length) delete filter[dimension];
    this.look({ filter });
  }

  build() {
    const panel = (id, title, ...rest) => el("section", { id, class: "panel" }, el("h2", {}, title), ...rest, el("div", { class: "body" }));
    this.chart = el("div", { class: "body", id: "chart" });
    this.root.replaceChildren(
      el("header", {}, el("h1", {}, "pgcensus"), el("p", { id: "input" }), el("button", { id: "theme", type: "button", onclick: () => this.theme(), title: "light or dark" }, "◐")),
      el("nav", { id: "view", "aria-live": "polite" }),
      el("section", { id: "overview" }),
      el("section", { id: "findings" }),
      el("section", { id: "timeline", class: "panel wide" }, el("h2", {}, "Open sessions"), this.chart),
      el("div", { class: "grid" },
        DIMENSIONS.map((dimension) => panel(`by-${dimension}`, `By ${WORDS[dimension]}`)),
        panel("refused", "Refused"), panel("lasted", "Session time"), panel("week", "Connects by hour and weekday"), panel("ends", "How sessions ended"), panel("noise", "Health checks and the like")),
      el("section", { id: "sessions", class: "panel wide" }, el("h2", {}, "Sessions"), el("div", { class: "body" })),
      el("footer", {}));
    this.timeline = new Timeline(this.data, this.chart, (from, to) => this.look({ from, to }));
  }

  body(id) {
    return this.root.querySelector(`#${id} .body`);
  }

  render() {
    this.counted = count(this.data, this.view);
    this.about();
    this.bar();
    this.overview();
    const drawn = JSON.stringify(this.view.filter);
    if (this.drawn === drawn) this.timeline.select(this.counted);
    else this.timeline.draw(this.counted);
    this.drawn = drawn;
    // What is first looked at is shown before the rest is made.
    if (!this.isNew) return this.panels();
    this.isNew = false;
    requestAnimationFrame(() => setTimeout(() => this.panels()));
  }

  panels() {
    this.findings();
    for (const dimension of DIMENSIONS) this.names(dimension);
    this.refused();
    this.lasted();
    this.body("week").replaceChildren(heatmap(this.data, this.counted));
    this.root.querySelector("#week").hidden = this.data.bucket_s > 3600;
    this.ends();
    this.noise();
    this.sessions();
    this.root.dataset.ready = "yes";
  }

  drawAll() {
    this.drawn = null;
    this.render();
  }

  resized() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => {
      this.timeline.draw(this.counted);
      this.sessions();
    });
  }

  theme() {
    const isDark = getComputedStyle(document.documentElement).colorScheme === "dark";
    document.documentElement.dataset.theme = isDark ? "light" : "dark";
    this.drawAll();
  }

  about() {
    const { input, bounds, since, until } = this.data.summary;
    const files = input.sources.filter((source) => !source.left_out).map((source) => source.path);
    const some = files.slice(0, 3).map(shown).join(", ") + (files.length > 3 ? ` and ${files.length - 3} more` : "");
    const span = since && until ? `, ${stretch(this.data, Date.parse(since), Date.parse(until))}` : "";
    this.root.querySelector("#input").textContent = `${some}${span}`;
    const notes = [...input.notes, ...bounds];
    if (input.partial) notes.unshift("Reading was stopped: these are the numbers of what had been read.");
    if (input.unreadable) notes.push(`${counted_(input.unreadable, "record")} could not be read`);
    const joined = this.data.joined.reduce((sum, n) => sum + n, 0);
    if (joined) notes.push(`${counted_(joined, "name")} of the least frequent are shown together as (other)`);
    this.root.querySelector("footer").replaceChildren(
      ...notes.map((note) => el("p", {}, shown(note))),
      el("p", {}, `${thousands(input.events)} events of ${(input.bytes / 1e6).toLocaleString("en-US", { maximumSignificantDigits: 2 })} MB of log, read by pgcensus ${this.data.version}.`));
  }

  // What is looked at, and how to say it on the command line.
  bar() {
    const { view, data } = this;
    const { start, end } = data.buckets;
    const isAll = view.from === 0 && view.to === this.buckets;
    const chips = [];
    if (!isAll) chips.push(chip(stretch(data, start[view.from], view.to < this.buckets ? start[view.to] : end), () => this.look({ from: 0, to: this.buckets })));
    for (const [dimension, names] of Object.entries(view.filter)) for (const name of names) chips.push(chip([`${WORDS[dimension]} `, nameOf(name)], () => this.toggle(dimension, name)));
    const nav = this.root.querySelector("#view");
    nav.replaceChildren(
      chips.length ? el("span", { class: "chips" }, chips) : el("span", { class: "dim" }, "All of the log. Drag over the chart, or choose a name."),
      copyable(commandFor(data, view, "summary")));
  }

  overview() {
    const { counted: c, data } = this;
    const { summary } = data;
    const isAll = c.from === 0 && c.to === this.buckets && !c.isFiltered;
    const certainty = { exact: "exact", at_least: "at least: beginnings may be unseen", at_most: "at most: ends may be unseen", unknown: "not certain: beginnings and ends may be unseen" };
    const worst = ["exact", "at_least", "at_most", "unknown"];
    const over = data.buckets.certainty.slice(c.from, c.to).reduce((all, one) => (worst.indexOf(one) > worst.indexOf(all) ? one : all), "exact");
    const peakAt = isAll && summary.peak.at ? moment(data, Date.parse(summary.peak.at)) : c.peak.bucket === null ? "" : moment(data, data.buckets.start[c.peak.bucket]);
    const churned = c.histogram[0] + c.histogram[1];
    const seconds = ((c.to < this.buckets ? data.buckets.start[c.to] : data.buckets.end) - data.buckets.start[c.from]) / 1000;
    const rate = (n) => (seconds >= 1 ? `${(n / seconds).toPrecision(2).replace(/e.*/, "")}/s` : "");
    const probes = c.isFiltered && !Object.keys(this.view.filter).every((d) => d === "client_host" || d === "server") ? null : c.probes;
    this.root.querySelector("#overview").replaceChildren(...[
      tile("open", "open at the end", thousands(c.open), certainty[isAll ? summary.open.certainty : data.buckets.certainty[c.to - 1]] ?? "", data.max_connections && !c.isFiltered ? ` of ${thousands(data.max_connections)}` : ""),
      tile("peak", "peak", c.peak.isExact || c.peak.count === null ? thousands(c.peak.count) : `≥ ${thousands(c.peak.count)}`, `${peakAt}${isAll ? "" : c.peak.count === null ? "" : `, within ${duration(data.bucket_s * 1000)}`}${over === "exact" ? "" : `; ${certainty[over]}`}`),
      tile("connects", "connects", thousands(c.connects), rate(c.connects)),
      tile("disconnects", "disconnects", thousands(c.disconnected), churned && !c.isFiltered ? `${percent(churned, c.disconnected)} lasted less than a second` : rate(c.disconnected)),
      tile("refused", "refused", thousands(c.refused.connections), c.refused.attempts === c.refused.connections ? "" : `in ${counted_(c.refused.attempts, "attempt")}`),
      tile("probes", "probes", thousands(probes), probes === null ? "not known by these names" : "received, then nothing"),
      summary.walsenders.count || summary.walsenders.connects ? tile("walsenders", "walsenders", thousands(summary.walsenders.count), "at the end, apart from the others") : null,
    ].filter(Boolean));
  }

  findings() {
    const severities = ["critical", "warning", "info"];
    const of = (severity) => this.data.findings.filter((finding) => finding.severity === severity);
    const list = severities.flatMap(of);
    const section = this.root.querySelector("#findings");
    section.replaceChildren(...list.map((finding) => el("details", { class: `finding ${finding.severity}`, open: finding.severity === "critical" },
      el("summary", {}, el("strong", {}, finding.severity), ` ${finding.kind.replaceAll("_", " ")}: ${shown(finding.message)}`),
      el("dl", {},
        el("dt", {}, "when"), el("dd", {}, stretch(this.data, Date.parse(finding.since), Date.parse(finding.until)), " ", this.jump(finding)),
        el("dt", {}, "why"), el("dd", {}, shown(finding.test)),
        el("dt", {}, "do"), el("dd", {}, shown(finding.advice)),
        el("dt", {}, "see"), el("dd", {}, copyable(finding.command))))));
    if (!list.length) section.replaceChildren(el("p", { class: "dim" }, "Nothing found that calls for somebody."));
  }

  // To the stretch of a finding.
  jump(finding) {
    const { start } = this.data.buckets;
    const from = Math.max(0, start.findLastIndex((ms) => ms <= Date.parse(finding.since)));
    const next = start.findIndex((ms) => ms > Date.parse(finding.until));
    const to = next < 0 ? this.buckets : next;
    return el("button", { type: "button", onclick: () => this.look({ from, to }) }, "look at it");
  }

  names(dimension) {
    const { counted: c, data, view } = this;
    const section = this.root.querySelector(`#by-${dimension}`);
    section.hidden = dimension === "server" && data.names.server.length < 2;
    const columns = [["name", WORDS[dimension]], ["open", "open"], ["connects", "connects"], ["refused", "refused"]];
    const [key, isUp] = this.sort[dimension] ?? ["connects", false];
    const order = (a, b) => {
      const by = key === "name" ? a.name.localeCompare(b.name) : a[key] - b[key] || a.connects - b.connects || a.refused - b.refused;
      return (isUp ? by : -by) || a.name.localeCompare(b.name);
    };
    const search = (this.search[dimension] ?? "").toLowerCase();
    const all = c.by[dimension].filter((row) => row.name.toLowerCase().includes(search)).sort(order);
    const isMore = this.more.has(dimension);
    const rows = isMore ? all : all.slice(0, ROWS);
    const total = c.connects || c.refused.connections;
    const chosen = view.filter[dimension] ?? [];
    const head = el("tr", {}, columns.map(([column, text]) => el("th", { scope: "col", class: column === "name" ? null : "n", "aria-sort": key === column ? (isUp ? "ascending" : "descending") : null },
      el("button", { type: "button", onclick: () => this.sorted(dimension, column) }, text, key === column ? (isUp ? " ↑" : " ↓") : ""))), el("th", { class: "wide" }, "share"), el("th", { class: "wide" }, "open over time"));
    const levels = openOf(data, dimension, rows.map((row) => row.id));
    const body = rows.map((row) => el("tr", { class: chosen.includes(row.name) ? "chosen" : null },
      el("td", {}, el("button", { type: "button", class: "name", onclick: () => this.toggle(dimension, row.name), title: shown(row.name) }, nameOf(row.name))),
      el("td", { class: "n" }, data.knows_open ? thousands(row.open) : "?"), el("td", { class: "n" }, thousands(row.connects)), el("td", { class: row.refused ? "n bad" : "n dim" }, thousands(row.refused)),
      el("td", { class: "wide share" }, bar(c.connects ? row.connects : row.refused, Math.max(1, total)), el("em", {}, percent(c.connects ? row.connects : row.refused, total))),
      el("td", { class: "wide" }, sparkline(levels.get(row.id), c.from, c.to))));
    const input = el("input", { type: "search", placeholder: "search", "aria-label": `search ${WORDS[dimension]}`, value: this.search[dimension] ?? "", oninput: (event) => {
      this.search[dimension] = event.target.value;
      this.names(dimension);
      const again = this.root.querySelector(`#by-${dimension} input`);
      again?.focus();
      again?.setSelectionRange(again.value.length, again.value.length);
    } });
    const hasSearch = c.by[dimension].length > ROWS || search;
    section.querySelector(".body").replaceChildren(...[
      hasSearch ? input : null,
      rows.length ? el("table", { class: "names" }, el("thead", {}, head), el("tbody", {}, body)) : el("p", { class: "dim" }, search ? "no such name" : "nobody"),
      all.length > ROWS ? el("button", { type: "button", class: "more", onclick: () => this.moreOf(dimension) }, isMore ? "fewer" : `${thousands(all.length - ROWS)} more`) : null,
    ].filter(Boolean));
  }

  sorted(dimension, column) {
    const [key, isUp] = this.sort[dimension] ?? ["connects", false];
    this.sort[dimension] = [column, key === column ? !isUp : column === "name"];
    this.names(dimension);
  }

  moreOf(what) {
    if (!this.more.delete(what)) this.more.add(what);
    if (DIMENSIONS.includes(what)) this.names(what);
    else this.sessions();
  }

  refused() {
    const { counted: c, data } = this;
    const reasons = Object.entries(c.refused.by_reason).sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]));
    const most = Math.max(1, ...reasons.map(([, n]) => n));
    const told = new Map(data.refused.reasons.map((reason) => [reason.reason, reason]));
    const rows = reasons.map(([reason, n]) => {
      const { groups = [], records = [] } = told.get(reason) ?? {};
      const meaning = data.meanings[reason];
      return el("details", {}, el("summary", { class: "bars" }, el("span", { class: "label" }, reason.replaceAll("_", " ")), el("span", { class: "bar" }, bar(n, most)), el("span", { class: "n" }, thousands(n))),
        meaning ? el("p", {}, shown(meaning)) : null,
        groups.length ? el("p", { class: "dim" }, "whole log: ", groups.slice(0, 5).map((group, at) => [at ? "; " : "", groupOf(group)])) : null,
        records.map((record) => el("pre", { title: record.path ? shown(record.path) : null }, spelt(record.record))),
        copyable(commandFor(data, this.view, "refused")));
    });
    this.body("refused").replaceChildren(...(rows.length ? rows : [el("p", { class: "dim" }, "nobody")]));
  }

  lasted() {
    const { counted: c } = this;
    const { p50, p95, p99, max } = c.session_time_ms;
    this.body("lasted").replaceChildren(...[
      c.isFiltered ? el("p", { class: "dim" }, "Of all sessions of the stretch: by name it is not kept.") : null,
      max === null ? el("p", { class: "dim" }, "no session ended") : el("p", {}, `median ${duration(p50)}, 95 % ${duration(p95)}, 99 % ${duration(p99)}, longest ${duration(max)}`),
      histogram(c.histogram),
    ].filter(Boolean));
  }

  ends() {
    const { counted: c } = this;
    const words = { client: "by the client", terminated: "terminated", timeout: "by a timeout", server: "with the server", lost: "unseen (lost)" };
    const most = Math.max(1, ...ENDS.map((end) => c.disconnects[end]));
    this.body("ends").replaceChildren(el("table", { class: "bars" }, el("tbody", {}, ENDS.map((end) => el("tr", {},
      el("th", { scope: "row" }, words[end]), el("td", { class: `bar ${end}` }, bar(c.disconnects[end], most)), el("td", { class: "n" }, thousands(c.disconnects[end])))))));
  }

  noise() {
    const rows = this.data.summary.noise;
    this.root.querySelector("#noise").hidden = !rows.length;
    this.body("noise").replaceChildren(el("p", { class: "dim" }, "Counted in all numbers, of the whole log."), el("table", { class: "names" }, el("tbody", {}, rows.slice(0, ROWS).map((row) => el("tr", {},
      el("td", {}, nameOf([row.application_name, row.user, row.client_host].filter(Boolean).join(" "))), el("td", { class: "n" }, thousands(row.count)))))));
  }

  // Sessions of the stretch that can be looked at one by one.
  sessions() {
    const { data, view, counted: c } = this;
    const since = data.buckets.start[view.from] ?? 0;
    const until = (view.to < this.buckets ? data.buckets.start[view.to] : data.buckets.end) ?? 0;
    const passes = (session) => DIMENSIONS.every((dimension) => !view.filter[dimension]?.length || view.filter[dimension].includes(session[dimension] ?? "unknown"));
    const overlaps = (session) => (session.beginMs ?? since) < until && (session.endMs ?? until) >= since;
    const all = data.sessions.filter((session) => passes(session) && overlaps(session));
    const length = (session) => (session.endMs ?? until) - (session.beginMs ?? since);
    all.sort((a, b) => length(b) - length(a) || (a.beginMs ?? 0) - (b.beginMs ?? 0));
    const isMore = this.more.has("sessions");
    const rows = all.slice(0, isMore ? 500 : SESSION_ROWS);
    const body = this.body("sessions");
    const table = el("table", { class: "list" },
      el("thead", {}, el("tr", {}, ["began", "length", "user", "database", "application", "client", "pid", "end"].map((text) => el("th", { scope: "col" }, text)))),
      el("tbody", {}, rows.flatMap((session) => this.row(session))));
    const drawn = all.slice(0, GANTT_ROWS).sort((a, b) => (a.beginMs ?? 0) - (b.beginMs ?? 0));
    body.replaceChildren(...[
      el("p", { class: "dim" }, all.length ? `The longest first, of ${counted_(all.length, "session")} that can be looked at here${c.connects > all.length ? `, of ${counted_(c.connects, "connect")}` : ""}. All of them: ` : "None of them can be looked at here. All of them: ", copyable(commandFor(data, view, "sessions"))),
      drawn.length ? gantt(drawn, since, until, Math.max(280, body.clientWidth), (session) => this.show(session)) : null,
      rows.length ? table : null,
      all.length > SESSION_ROWS ? el("button", { type: "button", class: "more", onclick: () => this.moreOf("sessions") }, isMore ? "fewer" : `${thousands(Math.min(500, all.length) - SESSION_ROWS)} more`) : null,
    ].filter(Boolean));
  }

  row(session) {
    const { data } = this;
    const isOpen = this.open.has(session);
    const began = session.beginMs === null ? "before the log" : `${day(data, session.beginMs)} ${clock(data, session.beginMs)}`;
    const client = session.client_host ? `${shown(session.client_host)}${session.client_port ? `:${session.client_port}` : ""}` : "unknown";
    const cells = [began, session.state === "open" ? "open" : duration(session.session_time_ms), nameOf(session.user ?? "unknown"), nameOf(session.database ?? "–"), nameOf(session.application_name ?? "unknown"), client, session.pid ?? "?", session.end_reason?.replaceAll("_", " ") ?? ""];
    const toggle = () => {
      if (!this.open.delete(session)) this.open.add(session);
      this.sessions();
    };
    const row = el("tr", { class: isOpen ? "chosen" : null, tabindex: 0, "aria-expanded": String(isOpen), onclick: toggle, onkeydown: (event) => event.key === "Enter" && toggle() }, cells.map((cell) => el("td", {}, cell)));
    return isOpen ? [row, el("tr", { class: "lines" }, el("td", { colspan: cells.length }, this.linesOf(session)))] : [row];
  }

  linesOf(session) {
    const { data } = this;
    const window = [];
    if (session.beginMs !== null) window.push(`--since=${rfc3339(data, session.beginMs)}`);
    const command = [`${data.command.is_piped ? "… | " : ""}pgcensus events --pid=${session.pid}`, ...window, ...data.command.input.map(word)].join(" ");
    const facts = [session.tls ? `${session.tls.protocol ?? "TLS"}` : session.tls === false ? "no TLS" : null, session.auth ? `${session.auth.method}${session.auth.identity ? ` as ${session.auth.identity}` : ""}` : null, session.setup_us ? `set up in ${duration(Math.round(session.setup_us / 1000))}` : null].filter(Boolean).map(shown);
    return [
      facts.length ? el("p", { class: "dim" }, facts.join(", ")) : null,
      session.lines?.length ? el("pre", {}, session.lines.map(spelt).join("\n")) : el("p", { class: "dim" }, "Its lines are not in this page."),
      session.pid ? copyable(command) : null,
    ];
  }

  // Opens a session in the table and goes there.
  show(session) {
    this.open.add(session);
    this.more.add("sessions");
    this.sessions();
    this.root.querySelector("#sessions tr.chosen")?.scrollIntoView({ block: "center" });
  }
}

function tile(id, label, n, note, of = "") {
  return el("div", { class: "tile", id: `tile-${id}` }, el("span", { class: "label" }, label), el("span", { class: "figure" }, n, of ? el("small", {}, of) : null), el("span", { class: "note" }, note));
}

function chip(content, remove) {
  return el("button", { type: "button", class: "chip", onclick: remove, title: "no longer only this" }, content, " ✕");
}

// A command that can be copied.
function copyable(text) {
  const button = el("button", { type: "button", class: "copy", title: "copy as command", onclick: async () => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const selection = getSelection();
      selection.selectAllChildren(code);
      document.execCommand("copy");
    }
    button.textContent = "copied";
    setTimeout(() => (button.textContent = "copy"), 1500);
  } }, "copy");
  const code = el("code", {}, shown(text));
  return el("span", { class: "command" }, code, button);
}

function groupOf(group) {
  const names = ["user", "database", "application_name", "client_host"].map((key) => group[key]).filter((name) => name !== null && name !== undefined);
  return `${names.map(shown).join(" ")}: ${thousands(group.connections)}`;
}

// A record over several lines: its line breaks are its own, all else that does not show is spelt out.
function spelt(text) {
  return text.split("\n").map((line) => shown(line.replaceAll("\t", "    "))).join("\n");
}

const held = document.getElementById("data");
if (held) globalThis.page = new Page(unpacked(JSON.parse(held.textContent)), document.getElementById("page"));
