// The page: what is looked at (a stretch, some names), all panels of it, and an address that keeps it.
"use strict";

const ROWS = 10;
const GANTT_ROWS = 40;
const SESSION_ROWS = 25;

// Those who are told together.
const OTHER = "(other)";

class Page {
  constructor(data, root) {
    this.root = root;
    this.open = new Set();
    this.unfolded = new Set();
    this.folds = new Map();
    this.sort = {};
    this.search = {};
    this.more = new Set();
    this.chosen = themeKept();
    if (this.chosen) document.documentElement.dataset.theme = this.chosen;
    this.take(data);
    this.build();
    this.follow();
    this.rest();
    addEventListener("hashchange", () => this.follow());
    addEventListener("resize", () => this.resized());
    addEventListener("keydown", (event) => event.key === "Escape" && this.look({ from: 0, to: this.buckets, filter: {} }));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.drawAll());
    // Paper is white, and as wide as it is.
    addEventListener("beforeprint", () => this.prints(true));
    addEventListener("afterprint", () => this.prints(false));
  }

  prints(isPaper) {
    this.root.classList.toggle("paper", isPaper);
    this.themed(isPaper ? "light" : this.chosen);
  }

  // Other data of the same log.
  take(data) {
    this.data = data;
    this.buckets = data.buckets.start.length;
    for (const session of data.sessions ?? []) {
      session.key = `${session.server} ${session.pid} ${session.session_start ?? session.authorized_at ?? session.session_end}`;
      session.beginMs = Date.parse(session.session_start ?? session.authorized_at ?? "") || null;
      session.endMs = session.session_end ? Date.parse(session.session_end) : null;
    }
  }

  // What is first looked at is shown before the rest is made: in a file the sessions come last.
  rest() {
    if (document.readyState === "loading") return addEventListener("DOMContentLoaded", () => this.rest());
    requestAnimationFrame(() => setTimeout(() => {
      if (!this.data.sessions) this.take({ ...this.data, sessions: JSON.parse(document.getElementById("listed").textContent) });
      this.isWhole = true;
      this.panels();
    }));
  }

  // The log has gone on: the same is looked at as before, which is what the address says. Who drags is not interrupted.
  renew(data) {
    this.later = this.timeline.isBusy ? data : null;
    if (this.later) return;
    this.take(data);
    this.timeline.data = data;
    this.drawn = null;
    this.follow();
  }

  brushed(from, to, goesOn) {
    this.look({ from, to }, goesOn);
    if (this.later) this.renew(this.later);
  }

  // Looks at something else: the address says so, and can be sent to somebody. Back undoes that; what goes on with what was
  // chosen just before, as a drag does, is undone with it.
  look(view, goesOn = false) {
    this.view = { ...this.view, ...view };
    const { from, to, filter } = this.view;
    const words = new URLSearchParams();
    if (from > 0) words.set("since", rfc3339(this.data, this.data.buckets.start[from]));
    if (to < this.buckets) words.set("until", rfc3339(this.data, this.data.buckets.start[to]));
    for (const [dimension, names] of Object.entries(filter)) for (const name of names) words.append(dimension, name);
    const hash = words.toString();
    if (location.hash.slice(1) !== hash) {
      const url = `${location.pathname}${location.search}#${hash}`;
      if (goesOn) history.replaceState(null, "", url);
      else history.pushState(null, "", url);
    }
    this.unknown = [];
    this.render();
  }

  // Looks at what the address says.
  follow() {
    const words = new URLSearchParams(location.hash.slice(1));
    const starts = this.data.buckets.start;
    const bucket = (name, otherwise) => {
      const ms = Date.parse(words.get(name) ?? "");
      if (Number.isNaN(ms)) return otherwise;
      // Of a time within a bucket all of it is shown.
      const at = name === "since" ? starts.findLastIndex((start) => start <= ms) : starts.findIndex((start) => start >= ms);
      if (name === "since") return Math.max(0, at);
      return at < 0 ? starts.length : at;
    };
    this.unknown = [];
    const filter = {};
    for (const dimension of DIMENSIONS) {
      const [names, others] = [[], []];
      for (const name of words.getAll(dimension)) (name !== OTHER && this.data.names[dimension].includes(name) ? names : others).push(name);
      this.unknown.push(...others);
      if (names.length) filter[dimension] = names;
    }
    let [from, to] = [bucket("since", 0), bucket("until", starts.length)];
    const isOutside = Date.parse(words.get("since") ?? "") > this.data.buckets.end || from >= to;
    if (isOutside && starts.length) {
      this.unknown.push("its time");
      [from, to] = [0, starts.length];
    }
    this.view = { from, to, filter };
    this.render();
  }

  // The chosen stretch by keyboard.
  moves(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    let { from, to } = this.view;
    const isAll = from === 0 && to === this.buckets;
    const step = Math.max(1, Math.round((isAll ? this.buckets : to - from) / 10));
    if (isAll) [from, to] = by < 0 ? [this.buckets - step, this.buckets] : [0, step];
    else if (event.shiftKey) to = Math.min(this.buckets, Math.max(from + 1, to + by * step));
    else {
      const length = to - from;
      from = Math.min(this.buckets - length, Math.max(0, from + by * step));
      to = from + length;
    }
    this.look({ from, to }, event.repeat);
  }

  toggle(dimension, name) {
    const names = this.view.filter[dimension] ?? [];
    const filter = { ...this.view.filter, [dimension]: names.includes(name) ? names.filter((other) => other !== name) : [...names, name] };
    if (!filter[dimension].length) delete filter[dimension];
    this.look({ filter });
  }

  build() {
    const panel = (id, title, ...rest) => el("section", { id, class: "panel" }, el("h2", {}, title), ...rest, el("div", { class: "body" }));
    this.chart = el("div", { class: "body", id: "chart", tabindex: 0, role: "group", "aria-label": "timeline: arrow keys move the chosen stretch, with Shift they change its length", onkeydown: (event) => this.moves(event) });
    this.root.replaceChildren(
      el("header", {}, el("h1", {}, "pgcensus"), el("p", { id: "input" }), el("button", { id: "theme", type: "button", onclick: () => this.theme(), title: "light or dark", "aria-label": "light or dark" }, "◐")),
      el("nav", { id: "view", "aria-label": "what is looked at", "aria-live": "polite" }),
      el("section", { id: "overview", "aria-label": "overview" }),
      el("section", { id: "findings", "aria-label": "findings" }),
      el("section", { id: "timeline", class: "panel wide" }, el("h2", {}, "Open sessions"), this.chart),
      el("div", { class: "grid" },
        DIMENSIONS.map((dimension) => panel(`by-${dimension}`, `By ${WORDS[dimension]}`)),
        panel("refused", "Refused"), panel("lasted", "Session time"), panel("week", "Connects by hour and weekday"), panel("ends", "How sessions ended"), panel("noise", "Health checks and the like")),
      el("section", { id: "sessions", class: "panel wide" }, el("h2", {}, "Sessions"), el("div", { class: "body" })),
      el("footer", {}));
    this.timeline = new Timeline(this.data, this.chart, (...chosen) => this.brushed(...chosen));
  }

  body(id) {
    return this.root.querySelector(`#${id} .body`);
  }

  render() {
    this.counted = this.count();
    this.about();
    this.bar();
    this.overview();
    if (!this.isWhole) return;
    this.keepsFocus(() => this.panels());
  }

  // Makes parts of the page anew: what has the focus has it after that, too, if it is still there.
  keepsFocus(makes) {
    const before = document.activeElement;
    const [key, caret] = [before?.dataset?.key, before?.selectionStart ?? null];
    makes();
    if (!key || before.isConnected) return;
    const after = this.root.querySelector(`[data-key="${CSS.escape(key)}"]`);
    after?.focus({ preventScroll: true });
    if (caret !== null) after?.setSelectionRange(caret, caret);
  }

  // What is shown. Of all of the log it is what its summary says: some of it may have no time, and be in no bucket.
  count() {
    const c = count(this.data, this.view);
    const { summary, buckets } = this.data;
    c.isAll = c.from === 0 && c.to === this.buckets && !c.isFiltered;
    const worst = ["exact", "at_least", "at_most", "unknown"];
    const over = buckets.certainty.slice(c.from, c.to).reduce((all, one) => (worst.indexOf(one) > worst.indexOf(all) ? one : all), "exact");
    c.certainty = c.isAll ? summary.peak.certainty : over;
    c.peak.sign = c.certainty !== "exact" ? { at_least: "≥ ", at_most: "≤ " }[c.isAll ? c.certainty : ""] ?? "~ " : c.isFiltered ? "≥ " : "";
    if (!c.isAll) return c;
    c.connects = summary.connects.total;
    c.disconnects = summary.disconnects.by;
    c.disconnected = summary.disconnects.total;
    c.refused = summary.refused;
    c.probes = summary.probes;
    c.open = summary.open.count;
    c.peak.count = summary.peak.count;
    const peakAt = Date.parse(summary.peak.at);
    if (c.peak.bucket !== null && peakAt) c.peak.bucket = Math.max(0, buckets.start.findLastIndex((start) => start <= peakAt));
    c.session_time_ms = summary.session_time_ms;
    c.histogram = summary.session_time_histogram.map(({ count }) => count);
    for (const dimension of DIMENSIONS) c.by[dimension] = this.rowsOf(dimension);
    return c;
  }

  // The names of all of the log, those too that are told together elsewhere.
  rowsOf(dimension) {
    const { summary, names } = this.data;
    const rows = new Map();
    for (const [key, by] of [["open", summary.open.by], ["connects", summary.connects.by], ["refused", summary.refused.by]]) {
      for (const { name, count } of by?.[dimension] ?? []) {
        if (!rows.has(name)) rows.set(name, { name, id: names[dimension].indexOf(name), open: 0, connects: 0, refused: 0 });
        rows.get(name)[key] = count;
      }
    }
    return [...rows.values()];
  }

  panels() {
    const drawn = JSON.stringify(this.view.filter);
    if (this.drawn === drawn) this.timeline.select(this.counted);
    else this.timeline.draw(this.counted);
    this.drawn = drawn;
    if (this.told !== this.data) this.findings();
    this.told = this.data;
    for (const [element, { since, until }] of this.found) {
      const isOf = this.isOf(since, until);
      element.classList.toggle("elsewhere", !isOf);
      element.title = isOf ? "" : "of another time";
    }
    for (const dimension of DIMENSIONS) this.names(dimension);
    this.refused();
    this.lasted();
    this.body("week").replaceChildren(heatmap(this.data, this.counted));
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
    const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    const theme = isDark ? "light" : "dark";
    this.chosen = themeKept(theme === system ? "" : theme);
    this.themed(this.chosen);
  }

  themed(theme) {
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
    this.drawAll();
  }

  about() {
    const { input, bounds, since, until } = this.data.summary;
    const files = input.sources.filter((source) => !source.left_out).map((source) => source.path);
    const some = files.slice(0, 3).map(shown).join(", ") + (files.length > 3 ? ` and ${files.length - 3} more` : "");
    const when = since && until ? `, ${span(this.data, Date.parse(since), Date.parse(until))}` : "";
    this.root.querySelector("#input").textContent = `${some}${when}`;
    const notes = [...input.notes, ...bounds];
    if (input.partial) notes.unshift("Reading was stopped: these are the numbers of what had been read.");
    if (input.unreadable) notes.push(`${counted_(input.unreadable, "record")} could not be read`);
    const joined = this.data.joined.reduce((sum, n) => sum + n, 0);
    const told = WHO.map((dimension, at) => (this.data.joined[at] ? counted_(this.data.joined[at], WORDS[dimension]) : null)).filter(Boolean);
    if (joined) notes.push(`In chosen stretches the least frequent are shown together as (other): ${told.join(", ")}.`);
    if (this.data.timeless) notes.push(`${counted_(this.data.timeless, "connect")} of lines without a time are in the numbers of all of the log, and in no others.`);
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
      this.unknown?.length ? el("span", { class: "bad" }, `The link asks for what is not in this page: ${this.unknown.map(shown).join(", ")}.`) : chips.length ? el("span", { class: "chips" }, chips) : el("span", { class: "dim" }, `All of the log.${this.buckets ? " Drag over the chart, or choose a name." : ""}`),
      copyable(commandFor(data, view, "summary")));
  }

  overview() {
    const { counted: c, data } = this;
    const { summary } = data;
    const certainty = { exact: "exact", at_least: "at least: beginnings may be unseen", at_most: "at most: ends may be unseen", unknown: "not certain: beginnings and ends may be unseen" };
    const peakAt = c.isAll ? (summary.peak.at ? moment(data, Date.parse(summary.peak.at)) : "") : c.peak.count ? `${moment(data, data.buckets.start[c.peak.bucket])}, within ${duration(data.bucket_s * 1000)}` : "";
    const openIs = certainty[c.isAll ? summary.open.certainty : data.buckets.certainty[c.to - 1]] ?? "";
    const churned = c.histogram[0] + c.histogram[1];
    const seconds = ((c.to < this.buckets ? data.buckets.start[c.to] : data.buckets.end) - data.buckets.start[c.from]) / 1000;
    const probes = c.isFiltered && !Object.keys(this.view.filter).every((d) => d === "client_host" || d === "server") ? null : c.probes;
    this.root.querySelector("#overview").replaceChildren(...[
      tile("open", "open at the end", thousands(c.open), openIs, data.max_connections && !c.isFiltered ? ` of ${thousands(data.max_connections)}` : ""),
      tile("peak", "peak", c.peak.count === null ? "?" : c.peak.count ? `${c.peak.sign}${thousands(c.peak.count)}` : "0", [peakAt, c.certainty === "exact" ? "" : certainty[c.certainty]].filter(Boolean).join("; ")),
      tile("connects", "connects", thousands(c.connects), rate(c.connects, seconds)),
      tile("disconnects", "disconnects", thousands(c.disconnected), churned && !c.isFiltered ? `${percent(churned, c.disconnected)} lasted less than a second` : rate(c.disconnected, seconds)),
      tile("refused", "refused", thousands(c.refused.connections), c.refused.attempts === c.refused.connections ? "" : `in ${counted_(c.refused.attempts, "attempt")}`),
      tile("probes", "probes", thousands(probes), probes === null ? "not known by these names" : "received, then nothing"),
      summary.walsenders.count || summary.walsenders.connects ? tile("walsenders", "walsenders", thousands(summary.walsenders.count), `at the end, of ${counted_(summary.walsenders.connects, "connect")}; apart from the others`) : null,
    ].filter(Boolean));
  }

  findings() {
    const severities = ["critical", "warning", "info"];
    const of = (severity) => this.data.findings.filter((finding) => finding.severity === severity);
    const list = severities.flatMap(of);
    const section = this.root.querySelector("#findings");
    const key = (finding) => `finding ${finding.server} ${finding.kind} ${finding.since}`;
    const isOpen = (finding) => this.folds.get(key(finding)) ?? (list.length <= 3 && finding.severity === "critical");
    this.found = list.map((finding) => [el("details", { class: `finding ${finding.severity}`, open: isOpen(finding), ontoggle: (event) => this.folds.set(key(finding), event.target.open) },
      el("summary", { "data-key": key(finding) }, el("strong", {}, finding.severity), ` ${finding.kind.replaceAll("_", " ")}${this.data.names.server.length > 1 ? ` on ${shown(finding.server)}` : ""}: ${shown(finding.message)}`),
      el("dl", {},
        el("dt", {}, "when"), el("dd", {}, stretch(this.data, Date.parse(finding.since), Date.parse(finding.until)), " ", this.jump(finding)),
        el("dt", {}, "why"), el("dd", {}, shown(finding.test)),
        el("dt", {}, "do"), el("dd", {}, shown(finding.advice)),
        el("dt", {}, "see"), el("dd", {}, copyable(finding.command)))), finding]);
    section.replaceChildren(...this.found.map(([element]) => element));
    if (!list.length) section.replaceChildren(el("p", { class: "dim" }, "Nothing found that calls for somebody."));
  }

  // What lasted from one time to another is of the stretch that is looked at; what has no time is of all.
  isOf(since, until) {
    const { from, to } = this.view;
    const { start } = this.data.buckets;
    const isAfter = to < this.buckets && Date.parse(since) >= start[to];
    return !isAfter && !(from > 0 && Date.parse(until) < start[from]);
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
      el("button", { type: "button", "data-key": `sort ${dimension} ${column}`, onclick: () => this.sorted(dimension, column) }, text, key === column ? (isUp ? " ↑" : " ↓") : ""))), el("th", { class: "wide" }, "share"), el("th", { class: "wide" }, "open over time"));
    const levels = openOf(data, dimension, rows.map((row) => row.id));
    const body = rows.map((row) => el("tr", { class: chosen.includes(row.name) ? "chosen" : null },
      el("td", {}, this.buckets && row.id >= 0 && row.name !== OTHER ? el("button", { type: "button", class: "name", "data-key": `${dimension} ${row.name}`, "aria-pressed": String(chosen.includes(row.name)), onclick: () => this.toggle(dimension, row.name), title: shown(row.name) }, nameOf(row.name)) : el("span", { class: "name plain", title: shown(row.name) }, nameOf(row.name))),
      el("td", { class: "n" }, data.knows_open ? thousands(row.open) : "?"), el("td", { class: "n" }, thousands(row.connects)), el("td", { class: row.refused ? "n bad" : "n dim" }, thousands(row.refused)),
      el("td", { class: "wide share" }, bar(c.connects ? row.connects : row.refused, Math.max(1, total)), el("em", {}, percent(c.connects ? row.connects : row.refused, total))),
      el("td", { class: "wide" }, data.knows_open && row.id >= 0 ? sparkline(levels.get(row.id), c.from, c.to) : null)));
    const searches = (text) => {
      this.search[dimension] = text;
      this.keepsFocus(() => this.names(dimension));
    };
    const input = el("input", { type: "search", placeholder: "search", "aria-label": `search ${WORDS[dimension]}`, "data-key": `search ${dimension}`, value: this.search[dimension] ?? "", oninput: (event) => searches(event.target.value), onkeydown: (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      searches("");
    } });
    const hasSearch = c.by[dimension].length > ROWS || search;
    const isJoined = c.by[dimension].some((row) => row.name === OTHER);
    section.querySelector(".body").replaceChildren(...[
      hasSearch ? input : null,
      rows.length ? el("table", { class: "names" }, el("thead", {}, head), el("tbody", {}, body)) : el("p", { class: "dim" }, !search ? "nobody" : isJoined ? "no such name among those that are told apart here; of any name: " : "no such name"),
      !rows.length && search && isJoined ? copyable(commandFor(data, { ...view, filter: { ...view.filter, [dimension]: [] } }, "summary", [`${FLAGS[dimension]}=${word(`*${pattern(this.search[dimension])}*`)}`])) : null,
      all.length > ROWS ? el("button", { type: "button", class: "more", "data-key": `more ${dimension}`, onclick: () => this.moreOf(dimension) }, isMore ? "fewer" : `${thousands(all.length - ROWS)} more`) : null,
    ].filter(Boolean));
  }

  sorted(dimension, column) {
    const [key, isUp] = this.sort[dimension] ?? ["connects", false];
    this.sort[dimension] = [column, key === column ? !isUp : column === "name"];
    this.keepsFocus(() => this.names(dimension));
  }

  moreOf(what) {
    if (!this.more.delete(what)) this.more.add(what);
    this.keepsFocus(() => (DIMENSIONS.includes(what) ? this.names(what) : this.sessions()));
  }

  refused() {
    const { counted: c, data } = this;
    const reasons = Object.entries(c.refused.by_reason).sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]));
    const most = Math.max(1, ...reasons.map(([, n]) => n));
    const told = new Map(data.refused.reasons.map((reason) => [reason.reason, reason]));
    const rows = reasons.map(([reason, n]) => {
      const { groups = [], records = [] } = told.get(reason) ?? {};
      const here = records.filter(({ at }) => this.isOf(at, at));
      const meaning = data.meanings[reason];
      const toggled = (event) => (event.target.open ? this.unfolded.add(reason) : this.unfolded.delete(reason));
      return el("details", { open: this.unfolded.has(reason), ontoggle: toggled }, el("summary", { class: "bars", "data-key": `reason ${reason}` }, el("span", { class: "label" }, reason.replaceAll("_", " ")), el("span", { class: "bar" }, bar(n, most)), el("span", { class: "n" }, thousands(n))),
        meaning ? el("p", {}, shown(meaning)) : null,
        groups.length ? el("p", { class: "dim" }, "whole log: ", groups.slice(0, 5).map((group, at) => [at ? "; " : "", groupOf(group)])) : null,
        here.length || !records.length ? null : el("p", { class: "dim" }, "The last records of it are of other times."),
        here.map((record) => el("pre", { title: record.path ? shown(record.path) : null }, spelt(record.record))),
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
    this.body("noise").replaceChildren(el("p", { class: "dim" }, `Counted in all numbers, of the whole log${rows.length > ROWS ? "; the most frequent" : ""}.`), el("table", { class: "names" }, el("tbody", {}, rows.slice(0, ROWS).map((row) => el("tr", {},
      el("td", {}, nameOf([row.application_name, row.user, row.client_host].filter(Boolean).join(" "))), el("td", { class: "n" }, thousands(row.count)))))));
  }

  // Sessions of the stretch that can be looked at one by one.
  sessions() {
    const { data, view, counted: c } = this;
    const since = data.buckets.start[view.from] ?? 0;
    const until = (view.to < this.buckets ? data.buckets.start[view.to] : data.buckets.end) ?? 0;
    const passes = (session) => DIMENSIONS.every((dimension) => !view.filter[dimension]?.length || view.filter[dimension].includes(session[dimension] ?? "unknown"));
    const overlaps = (session) => !this.buckets || ((session.beginMs ?? since) < until && (session.endMs ?? until) >= since);
    const all = data.sessions.filter((session) => passes(session) && overlaps(session));
    // What has no time at all is no bar.
    const hasTime = (session) => session.beginMs !== null || session.endMs !== null || session.state === "open";
    const length = (session) => (hasTime(session) ? (session.endMs ?? until) - (session.beginMs ?? since) : -1);
    all.sort((a, b) => this.open.has(b.key) - this.open.has(a.key) || length(b) - length(a) || (a.beginMs ?? 0) - (b.beginMs ?? 0));
    const isMore = this.more.has("sessions");
    const rows = all.slice(0, isMore ? 500 : SESSION_ROWS);
    const body = this.body("sessions");
    const table = el("table", { class: "list" },
      el("thead", {}, el("tr", {}, ["began", "length", ...(data.names.server.length > 1 ? ["server"] : []), "user", "database", "application", "client", "pid", "end"].map((text) => el("th", { scope: "col" }, text)))),
      el("tbody", {}, rows.flatMap((session) => this.row(session))));
    const drawn = all.filter(hasTime).slice(0, GANTT_ROWS).sort((a, b) => (a.beginMs ?? 0) - (b.beginMs ?? 0));
    body.replaceChildren(...[
      el("p", { class: "dim" }, all.length ? `The longest first, of ${counted_(all.length, "session")} that can be looked at here${c.connects > all.length ? `, of ${counted_(c.connects, "connect")}` : ""}. All of them: ` : "None of them can be looked at here. All of them: ", copyable(commandFor(data, view, "sessions"))),
      drawn.length ? legend() : null,
      drawn.length ? gantt(data, drawn, since, until, Math.max(280, body.clientWidth), (session) => this.show(session)) : null,
      rows.length ? table : null,
      all.length > SESSION_ROWS ? el("button", { type: "button", class: "more", "data-key": "more sessions", onclick: () => this.moreOf("sessions") }, isMore ? "fewer" : `${thousands(Math.min(500, all.length) - SESSION_ROWS)} more`) : null,
    ].filter(Boolean));
  }

  row(session) {
    const { data } = this;
    const isOpen = this.open.has(session.key);
    const began = session.beginMs === null ? "before the log" : `${day(data, session.beginMs)} ${clock(data, session.beginMs)}`;
    const client = session.client_host ? `${shown(session.client_host)}${session.client_port ? `:${session.client_port}` : ""}` : "unknown";
    const cells = [began, session.state === "open" ? "open" : duration(session.session_time_ms), ...(data.names.server.length > 1 ? [nameOf(session.server)] : []), nameOf(session.user ?? "unknown"), nameOf(session.database ?? "–"), nameOf(session.application_name ?? "unknown"), client, session.pid ?? "?", session.end_reason?.replaceAll("_", " ") ?? ""];
    const toggle = () => {
      if (!this.open.delete(session.key)) this.open.add(session.key);
      this.keepsFocus(() => this.sessions());
    };
    const row = el("tr", { class: isOpen ? "chosen" : null, tabindex: 0, "data-key": `row ${session.key}`, "aria-expanded": String(isOpen), onclick: toggle, onkeydown: pressed(toggle) }, cells.map((cell) => el("td", {}, cell)));
    return isOpen ? [row, el("tr", { class: "lines" }, el("td", { colspan: cells.length }, this.linesOf(session)))] : [row];
  }

  linesOf(session) {
    const { data } = this;
    const facts = [session.tls ? `${session.tls.protocol ?? "TLS"}` : session.tls === false ? "no TLS" : null, session.auth ? `${session.auth.method}${session.auth.identity ? ` as ${session.auth.identity}` : ""}` : null, session.setup_us ? `set up in ${duration(Math.round(session.setup_us / 1000))}` : null].filter(Boolean).map(shown);
    return [
      facts.length ? el("p", { class: "dim" }, facts.join(", ")) : null,
      session.lines?.length ? el("pre", {}, session.lines.map(spelt).join("\n")) : el("p", { class: "dim" }, "Its lines are not in this page."),
      session.pid ? copyable(eventsOf(data, session)) : null,
    ];
  }

  // Opens a session in the table and goes there.
  show(session) {
    this.open.add(session.key);
    this.sessions();
    const row = this.root.querySelector(`[data-key="${CSS.escape(`row ${session.key}`)}"]`);
    row?.scrollIntoView({ block: "center" });
    row?.focus({ preventScroll: true });
  }
}

// The theme that was chosen, and stays where the browser lets it; "": that of the system.
function themeKept(theme) {
  try {
    if (theme !== undefined) localStorage.setItem("pgcensus-theme", theme);
    return localStorage.getItem("pgcensus-theme") ?? "";
  } catch {
    return theme ?? "";
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

const held = document.getElementById("counts");
if (held) globalThis.page = new Page(unpacked(JSON.parse(held.textContent)), document.getElementById("all"));
