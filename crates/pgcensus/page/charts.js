// Charts: the timeline with its brush, the heat map of the week, bars of session times, sessions as a gantt, sparklines. Each
// is made of numbers and an element, and knows nothing of the page around it.
"use strict";

function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

// Open sessions with the least and the most of each bucket, and beneath them who came, who left and who was refused. `onBrush`
// is told the buckets that were chosen, and whether that goes on with what it was told before.
class Timeline {
  constructor(data, element, onBrush) {
    this.data = data;
    this.element = element;
    this.onBrush = onBrush;
    this.plots = [];
    this.hasTold = false;
  }

  // Somebody is choosing.
  get isBusy() {
    return this.isDragged || this.hasTold;
  }

  tells(from, to) {
    const goesOn = this.hasTold;
    this.hasTold = true;
    this.onBrush(from, to, goesOn);
  }

  // What is chosen now stays.
  ends(from, to) {
    const goesOn = this.hasTold;
    this.isDragged = this.hasTold = false;
    this.onBrush(from, to, goesOn);
  }

  draw(counted) {
    const { data, element } = this;
    this.counted = counted;
    this.plots.forEach((plot) => plot.destroy());
    element.replaceChildren();
    const starts = data.buckets.start;
    if (!starts.length) {
      element.append(el("p", { class: "caption" }, "No line that counts here has a time."));
      return;
    }
    // The last bucket, too, is as long as it is.
    const xs = [...starts, starts.at(-1) + data.bucket_s * 1000].map((ms) => ms / 1000);
    this.end = xs.at(-1) * 1000;
    const x = { time: true, range: [xs[0], xs.at(-1)] };
    const has = data.knows_open;
    const levels = has ? levelsOf(counted.series.net) : [];
    const unfiltered = !counted.isFiltered;
    const most = !has ? starts.map(() => null) : unfiltered ? data.buckets.open_max : levels;
    const least = !has ? starts.map(() => null) : unfiltered ? data.buckets.open_min : levels;
    const toEnd = (levels) => [...levels, levels.at(-1)];
    const width = Math.max(280, element.clientWidth);
    const wide = { width, cursor: { sync: { key: "time" }, drag: { x: true, y: false, setScale: false }, points: { show: false } }, legend: { show: false }, tzDate: (seconds) => wallDate(data, seconds * 1000) };
    const snap = (plot) => this.brushed(plot);
    const step = uPlot.paths.stepped({ align: 1 });
    const open = new uPlot({
      ...wide,
      height: 200,
      padding: [18, 18, 0, 0],
      scales: { x, y: { range: (_, __, max) => [0, Math.max(1, max * 1.12)] } },
      axes: [{ ...axis(), values: times(data) }, { ...axis(), size: 56, values: whole }],
      series: [
        {},
        { label: "most", stroke: color("open"), width: 1.5, paths: step, points: { show: false } },
        { label: "least", stroke: color("open-least"), width: 1, paths: step, points: { show: false } },
      ],
      bands: [{ series: [1, 2], fill: color("open-band") }],
      hooks: { setSelect: [snap], draw: [(plot) => mark(plot, data, this.counted)], setCursor: [(plot) => this.moved(plot, most, least)] },
    }, [xs, toEnd(most), toEnd(least)], element);
    const bars = uPlot.paths.bars({ align: 1, size: [0.9, 60] });
    const series = (label, name) => ({ label, stroke: color(name), fill: color(name), width: 0, paths: bars, points: { show: false } });
    const down = (counts) => Array.from(counts, (n) => (n ? -n : null));
    const up = (counts) => Array.from(counts, (n) => n || null);
    const flow = new uPlot({
      ...wide,
      height: 96,
      padding: [10, 18, 10, 0],
      scales: { x, y: { range: (_, min, max) => [Math.min(-1, min ?? 0), Math.max(1, max ?? 0)] } },
      axes: [{ ...axis(), show: false }, { ...axis(), size: 56, values: (plot, values) => whole(plot, values.map(Math.abs)) }],
      series: [{}, series("connects", "connects"), series("disconnects", "disconnects"), series("refused", "refused")],
      hooks: { setSelect: [snap], setCursor: [(plot) => this.moved(plot, most, least)] },
    }, [[...xs], ...[up(counted.series.connects), down(counted.series.disconnects), up(counted.series.refused)].map((counts) => [...counts, null])], element);
    this.plots = [open, flow];
    this.plots.forEach((plot) => this.touches(plot));
    this.caption = el("p", { class: "caption" });
    this.rest = `${has ? "Band: least and most open; " : "Who is open cannot be told from this log; "}beneath: connects up, disconnects down, refused in red; a point is ${duration(data.bucket_s * 1000)}. Drag, or use the arrow keys, to choose a stretch.`;
    this.caption.textContent = this.rest;
    element.append(this.caption);
    // It has no scales before its own first turn, which comes now.
    queueMicrotask(() => this.select(counted));
  }

  // A finger chooses as the mouse does; up and down it scrolls the page.
  touches(plot) {
    const { over } = plot;
    const at = (event) => event.clientX - over.getBoundingClientRect().left;
    let begin = null;
    over.addEventListener("pointerdown", (event) => (begin = event.pointerType === "mouse" ? null : at(event)));
    over.addEventListener("pointermove", (event) => {
      if (begin === null || Math.abs(at(event) - begin) < 6) return;
      const [left, right] = [Math.min(begin, at(event)), Math.max(begin, at(event))];
      this.tells(...this.bucketsOf(plot, left, right));
    });
    for (const end of ["pointerup", "pointercancel"]) {
      over.addEventListener(end, () => {
        if (begin !== null && this.hasTold) this.ends(this.counted.from, this.counted.to);
        begin = null;
      });
    }
  }

  // Shows which buckets are chosen, and the peak among them.
  select(counted) {
    this.counted = counted;
    if (this.isDragged) return;
    this.plots[0]?.redraw(false, false);
    const { start } = this.data.buckets;
    const isAll = counted.from === 0 && counted.to === start.length;
    for (const plot of this.plots) {
      if (isAll) {
        plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        continue;
      }
      const at = (ms) => plot.valToPos(ms / 1000, "x");
      const left = Math.max(0, at(start[counted.from]));
      const right = at(start[counted.to] ?? this.end);
      plot.setSelect({ left, top: 0, width: Math.max(1, right - left), height: plot.over.clientHeight }, false);
    }
  }

  // Of the chart that was dragged over; the other is told after it, and has nothing to say.
  brushed(plot) {
    if (!this.isDragged) return this.select(this.counted);
    this.ends(...(this.chosen(plot) ?? [this.counted.from, this.counted.to]));
  }

  // The buckets under the brush.
  chosen(plot) {
    const { left, width } = plot.select;
    if (width < 3) return null;
    return this.bucketsOf(plot, left, left + width);
  }

  bucketsOf(plot, left, right) {
    const starts = this.data.buckets.start;
    const bucket = (px) => Math.max(0, starts.findLastIndex((start) => start <= plot.posToVal(px, "x") * 1000));
    return [bucket(left), Math.min(starts.length, bucket(right) + 1)];
  }

  // The cursor is somewhere else: what is under it is said; what is being chosen is counted at once.
  moved(plot, most, least) {
    this.tell(plot, most, least);
    const isDragged = plot.cursor.event?.buttons === 1 && plot.select.width >= 3;
    if (!isDragged || this.frame) return;
    this.isDragged = true;
    this.frame = requestAnimationFrame(() => {
      this.frame = null;
      const chosen = this.isDragged && this.chosen(plot);
      if (chosen && (chosen[0] !== this.counted.from || chosen[1] !== this.counted.to)) this.tells(...chosen);
    });
  }

  tell(plot, most, least) {
    const { left, idx } = plot.cursor;
    if (idx === null || idx === undefined) {
      if (this.caption) this.caption.textContent = this.rest;
      return;
    }
    const { data } = this;
    const [at] = this.bucketsOf(plot, left, left);
    const open = most[at] === null ? "" : `open ${least[at] === most[at] ? thousands(most[at]) : `${thousands(least[at])} to ${thousands(most[at])}`}, `;
    const { connects, disconnects, refused } = this.counted.series;
    this.caption.textContent = `${moment(data, data.buckets.start[at])}: ${open}${counted_(connects[at], "connect")}, ${counted_(disconnects[at], "disconnect")}, ${thousands(refused[at])} refused`;
  }
}

function counted_(n, one) {
  return counted(n, one, `${one}s`);
}

function axis() {
  return { stroke: color("dim"), grid: { stroke: color("line"), width: 1 }, ticks: { stroke: color("line"), width: 1 }, font: "12px system-ui, sans-serif" };
}

function whole(_, values) {
  return values.map((n) => (Number.isInteger(n) ? n.toLocaleString("en-US") : ""));
}

// uPlot reads the local parts of a date: they are to be those of the clock of the log.
function wallDate(data, ms) {
  const wall = wallTime(data, ms);
  return new Date(wall.getUTCFullYear(), wall.getUTCMonth(), wall.getUTCDate(), wall.getUTCHours(), wall.getUTCMinutes(), wall.getUTCSeconds());
}

// Labels of a time axis: the day where it changes, else the time of day.
function times(data) {
  return (_, splits) => {
    const step = splits.length > 1 ? splits[1] - splits[0] : 60;
    let last = "";
    return splits.map((seconds) => {
      const ms = seconds * 1000;
      const today = day(data, ms);
      const isNew = today !== last;
      last = today;
      if (step >= 86_400) return today;
      const time = step < 1 ? `${clock(data, ms)}.${String(Math.round(ms) % 1000).padStart(3, "0")}` : clock(data, ms, step < 60);
      return isNew ? `${time}\n${today}` : time;
    });
  };
}

// The peak, and where the chosen stretch begins and ends.
function mark(plot, data, counted) {
  const { peak } = counted;
  if (!peak.count || peak.bucket === null) return;
  const { ctx } = plot;
  const start = data.buckets.start[peak.bucket];
  const end = data.buckets.start[peak.bucket + 1] ?? data.buckets.end;
  const x = plot.valToPos((start + end) / 2000, "x", true);
  const y = plot.valToPos(peak.count, "y", true);
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.fillStyle = color("peak");
  ctx.beginPath();
  ctx.arc(x, y, 3.5 * ratio, 0, 2 * Math.PI);
  ctx.fill();
  ctx.font = `${12 * ratio}px system-ui, sans-serif`;
  const label = `peak ${peak.sign ?? ""}${thousands(peak.count)}`;
  const room = plot.bbox.left + plot.bbox.width - x;
  ctx.textAlign = room > ctx.measureText(label).width + 8 * ratio ? "left" : "right";
  ctx.fillText(label, x + (ctx.textAlign === "left" ? 7 : -7) * ratio, y - 4 * ratio);
  ctx.restore();
}

// A line that is as wide as a cell of a table.
function sparkline(levels, from, to) {
  const [width, height] = [120, 22];
  const part = levels.slice(from, to);
  const max = part.reduce((max, n) => Math.max(max, n), 0);
  if (!max) return el("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
  const columns = Math.min(part.length, width);
  const points = Array.from({ length: columns }, (_, column) => {
    const [a, b] = [Math.floor((column * part.length) / columns), Math.max(Math.floor(((column + 1) * part.length) / columns), 1)];
    const most = part.slice(a, b).reduce((max, n) => Math.max(max, n), 0);
    const x = columns > 1 ? (column * width) / (columns - 1) : 0;
    return `${x.toFixed(1)},${(height - 1 - (most / max) * (height - 3)).toFixed(1)}`;
  });
  if (columns === 1) points.push(`${width},${points[0].split(",")[1]}`);
  return el("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    el("path", { d: `M0,${height} L${points.join(" L")} L${width},${height} Z` }));
}

// Connects by hour and weekday; a cell is as long as a bucket, where that is longer.
function heatmap(data, counted) {
  const hours = week(data, counted);
  const most = Math.max(...hours.flat());
  const long = hoursOf(data);
  const head = el("tr", {}, el("th", {}), Array.from({ length: 24 }, (_, hour) => el("th", { scope: "col" }, hour % 3 ? "" : two(hour))));
  const rows = hours.map((day, at) => el("tr", {},
    el("th", { scope: "row" }, WEEKDAYS[at]),
    day.map((n, hour) => hour % long ? null : el("td", {
      colspan: long,
      style: n ? `--share: ${(0.12 + 0.88 * Math.sqrt(n / most)).toFixed(3)}` : null,
      class: n ? "some" : null,
      title: `${WEEKDAYS[at]} ${two(hour)}:00 to ${two(hour + long)}:00: ${counted_(n, "connect")}`,
    }))));
  return el("table", { class: "heat" }, el("thead", {}, head), el("tbody", {}, rows));
}

const CLASSES = ["< 0.5 s", "< 1 s", "< 30 s", "< 1 min", "< 10 min", "< 30 min", "< 1 h", "< 8 h", "longer"];

// As long as its share of the most.
function bar(n, most) {
  return n ? el("span", { style: `width: ${Math.max(0.5, (100 * n) / most)}%` }) : null;
}

// How long sessions lasted.
function histogram(counts) {
  const total = counts.reduce((sum, n) => sum + n, 0);
  const most = Math.max(1, ...counts);
  return el("table", { class: "bars" }, el("tbody", {}, counts.map((n, at) => el("tr", {},
    el("th", { scope: "row" }, CLASSES[at]),
    el("td", { class: "bar" }, bar(n, most)),
    el("td", { class: "n" }, thousands(n)),
    el("td", { class: "n dim" }, percent(n, total))))));
}

// Sessions as bars over the stretch; `open` is called with the one that is chosen.
function gantt(data, sessions, since, until, width, open) {
  const [labels, row] = [Math.min(230, width * 0.4), 18];
  const x = (ms) => labels + ((Math.min(Math.max(ms, since), until) - since) / Math.max(1, until - since)) * (width - labels);
  const bars = sessions.map((session, at) => {
    const begin = session.beginMs ?? since;
    const end = session.endMs ?? until;
    const kind = session.end ?? "open";
    const server = data.names.server.length > 1 ? `${session.server} ` : "";
    const label = shown(`${server}${session.user ?? "unknown"}@${session.database ?? "–"} ${session.application_name ?? ""}${session.backend_type === "walsender" ? " (walsender)" : ""}`);
    const top = (at + 1) * row;
    return el("g", { class: `session ${kind}`, tabindex: 0, role: "button", "aria-label": label, "data-key": `bar ${session.key}`, onclick: () => open(session), onkeydown: pressed(() => open(session)) },
      el("rect", { class: "hit", x: 0, y: top, width, height: row }),
      el("text", { x: 0, y: top + 13 }, label.length > labels / 6.5 ? `${label.slice(0, labels / 6.5 - 1)}…` : label),
      el("rect", { class: "bar", x: x(begin).toFixed(1), y: top + 4, width: Math.max(2, x(end) - x(begin)).toFixed(1), height: row - 8, rx: 2 }),
      el("title", {}, `pid ${session.pid ?? "?"}, ${label}, ${session.session_time_ms === null ? "open" : duration(session.session_time_ms)}`));
  });
  const height = (sessions.length + 1) * row;
  const middle = width < 700 ? [] : [[(since + until) / 2, (labels + width) / 2, "middle"]];
  const times = [[since, labels, "start"], ...middle, [until, width, "end"]];
  const axis = times.map(([ms, x, anchor]) => el("text", { class: "axis", x, y: 12, "text-anchor": anchor }, `${day(data, ms)} ${clock(data, ms, until - since < 600_000)}`));
  return el("svg", { class: "gantt", viewBox: `0 0 ${width} ${height}`, width, height, role: "group", "aria-label": "sessions over time" }, axis, bars);
}

// What the colours of sessions mean.
function legend() {
  const words = { open: "open", client: "ended by the client", terminated: "terminated", timeout: "by a timeout", server: "with the server", lost: "end unseen" };
  return el("p", { class: "legend" }, Object.entries(words).map(([kind, text]) => el("span", { class: kind }, text)));
}

// What a button does by keyboard.
function pressed(does) {
  return (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    does();
  };
}
