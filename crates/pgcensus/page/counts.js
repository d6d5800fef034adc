// Counts: what is known of a stretch of buckets and of some names, as sums of cells. Nothing here draws, and nothing here asks
// for anything: data in, numbers out.
//
//   count(data, { from: 3, to: 17, filter: { user: ["app"] } })   →   { connects: { total: 12, by: … }, open: { count: 4, … }, … }
//
// Buckets from `from` up to `to`, without that. What is counted is what `pgcensus summary --since --until` says of the same.
"use strict";

const DIMENSIONS = ["application_name", "user", "database", "client_host", "server"];
const WHO = ["server", "database", "user", "application_name", "client_host"];
const ENDS = ["client", "terminated", "timeout", "server", "lost"];

// What a kind is, as a number: most of the time goes into looking at cells.
const [THERE, OPENED, CLOSED, REFUSED, PROBE, LASTED] = [0, 1, 2, 3, 4, 5];
const WHAT = { there: THERE, opened: OPENED, closed: CLOSED, refused: REFUSED, probe: PROBE, lasted: LASTED };

// Makes the data ready, once: kinds of cells stand as differences to the one before in their bucket; those of names and those
// of session times go apart.
function unpacked(data) {
  const { first, kind, n } = data.cells;
  data.what = Uint8Array.from(data.kinds, ([what]) => WHAT[what]);
  data.whom = Int32Array.from(data.kinds, ([, who]) => who ?? -1);
  const apart = () => ({ first: [], kind: [], n: [] });
  const [named, lasted] = [apart(), apart()];
  let opened = 0;
  for (let bucket = 0; bucket + 1 < first.length; bucket++) {
    named.first.push(named.kind.length);
    lasted.first.push(lasted.kind.length);
    let id = 0;
    for (let at = first[bucket]; at < first[bucket + 1]; at++) {
      id = at === first[bucket] ? kind[at] : id + kind[at];
      const cells = data.what[id] === LASTED ? lasted : named;
      if (data.what[id] === OPENED) opened += n[at];
      cells.kind.push(id);
      cells.n.push(n[at]);
    }
  }
  for (const cells of [named, lasted]) {
    cells.first.push(cells.kind.length);
    for (const column of ["first", "kind", "n"]) cells[column] = Int32Array.from(cells[column]);
  }
  data.cells = { named, lasted };
  // What is counted in no bucket.
  data.timeless = data.summary.connects.total - opened;
  return data;
}

// Which of `data.who` a filter lets through: of each dimension any of its names, of all dimensions all.
function whoPasses(data, filter) {
  const wanted = WHO.map((dimension) => {
    const names = filter[dimension];
    if (!names?.length) return null;
    // Names that are no text may look the same.
    return new Set(data.names[dimension].flatMap((name, id) => (names.includes(name) ? id : [])));
  });
  return data.who.map((who) => who.every((name, at) => !wanted[at] || wanted[at].has(name)));
}

// The sums of a stretch.
function count(data, view) {
  const buckets = data.buckets.start.length;
  const { from = 0, to = buckets, filter = {} } = view;
  const isFiltered = WHO.some((dimension) => filter[dimension]?.length);
  const passes = whoPasses(data, filter);
  const people = data.who.length;
  const [there, connects, refused] = [0, 0, 0].map(() => new Int32Array(people));
  const kinds = data.kinds.length;
  const sums = new Int32Array(kinds);
  const series = { connects: new Int32Array(buckets), disconnects: new Int32Array(buckets), refused: new Int32Array(buckets), net: new Int32Array(buckets) };
  const { what, whom } = data;
  const { first, kind, n } = data.cells.named;
  for (let bucket = 0; bucket < buckets; bucket++) {
    const inside = bucket >= from && bucket < to;
    for (let at = first[bucket]; at < first[bucket + 1]; at++) {
      const [id, times] = [kind[at], n[at]];
      const who = whom[id];
      if (!passes[who]) continue;
      if (inside) sums[id] += times;
      const step = what[id] <= OPENED ? times : what[id] === CLOSED ? -times : 0;
      series.net[bucket] += step;
      if (bucket < to) there[who] += step;
      if (what[id] === OPENED) series.connects[bucket] += times;
      else if (what[id] === CLOSED) series.disconnects[bucket] += times;
      else if (what[id] === REFUSED) series.refused[bucket] += times;
    }
  }
  const times = data.cells.lasted;
  for (let at = times.first[from]; at < times.first[to]; at++) sums[times.kind[at]] += times.n[at];
  const counted = {
    connects: 0,
    disconnects: Object.fromEntries(ENDS.map((end) => [end, 0])),
    refused: { attempts: 0, connections: 0, by_reason: {} },
    probes: 0,
    histogram: new Array(9).fill(0),
  };
  const lasted = new Map();
  for (let at = 0; at < kinds; at++) {
    const [what, who, detail, more] = data.kinds[at];
    const sum = sums[at];
    if (!sum) continue;
    if (what === "opened") {
      counted.connects += sum;
      connects[who] += sum;
    } else if (what === "closed") {
      counted.disconnects[detail] += sum;
    } else if (what === "refused") {
      counted.refused.connections += sum;
      if (!more) counted.refused.attempts += sum;
      counted.refused.by_reason[detail] = (counted.refused.by_reason[detail] ?? 0) + sum;
      refused[who] += sum;
    } else if (what === "probe") {
      counted.probes += sum;
    } else if (what === "lasted") {
      counted.histogram[detail] += sum;
      if (more !== null) lasted.set(more, (lasted.get(more) ?? 0) + sum);
    }
  }
  return {
    ...counted,
    from,
    to,
    isFiltered,
    disconnected: ENDS.reduce((sum, end) => sum + counted.disconnects[end], 0),
    open: data.knows_open ? there.reduce((sum, n) => sum + n, 0) : null,
    peak: peak(data, series, from, to, isFiltered),
    by: Object.fromEntries(DIMENSIONS.map((dimension) => [dimension, byName(data, dimension, there, connects, refused)])),
    session_time_ms: sessionTimes(data, lasted, from, to),
    series,
  };
}

// The most that were open at one instant, and the bucket of it. Of some names it is known at the ends of buckets alone.
function peak(data, series, from, to, isFiltered) {
  if (!data.knows_open || from >= to) return { count: null, bucket: null, isExact: false };
  let most = { count: -1, bucket: from, isExact: !isFiltered };
  const levels = isFiltered ? levelsOf(series.net) : data.buckets.open_max;
  for (let bucket = from; bucket < to; bucket++) {
    if (levels[bucket] > most.count) most = { ...most, count: levels[bucket], bucket };
  }
  return most;
}

// How many were open at the end of each bucket.
function levelsOf(net) {
  let level = 0;
  return Array.from(net, (step) => (level += step));
}

function byName(data, dimension, there, connects, refused) {
  const at = WHO.indexOf(dimension);
  const rows = data.names[dimension].map((name, id) => ({ name, id, open: 0, connects: 0, refused: 0 }));
  data.who.forEach((who, n) => {
    const row = rows[who[at]];
    row.open += there[n];
    row.connects += connects[n];
    row.refused += refused[n];
  });
  // Of a host that was first seen at the end, nobody was seen to come.
  rows.forEach((row) => (row.open = Math.max(0, row.open)));
  return rows.filter((row) => row.open || row.connects || row.refused);
}

// Percentiles are those of the sketch that `summary` takes: the bin of the rank, or the longest time if that is less.
function sessionTimes(data, lasted, from, to) {
  const longest = data.longest.slice(from, to).reduce((max, ms) => (ms === null ? max : Math.max(max ?? 0, ms)), null);
  const bins = [...lasted].sort((a, b) => a[0] - b[0]);
  const total = bins.reduce((sum, [, n]) => sum + n, 0);
  const percentile = (q) => {
    if (!total) return null;
    const rank = Math.floor(q * (total - 1));
    let seen = 0;
    for (const [ms, n] of bins) {
      seen += n;
      if (seen > rank) return Math.min(ms, longest);
    }
    return longest;
  };
  return { p50: percentile(0.5), p95: percentile(0.95), p99: percentile(0.99), max: longest };
}

// How many of each of some names were open at the end of each bucket, by the number of the name.
function openOf(data, dimension, ids) {
  const at = WHO.indexOf(dimension);
  const buckets = data.buckets.start.length;
  const nets = new Map(ids.map((id) => [id, new Int32Array(buckets)]));
  const of = data.who.map((who) => nets.get(who[at]));
  const { what, whom } = data;
  const { first, kind, n } = data.cells.named;
  for (let bucket = 0; bucket < buckets; bucket++) {
    for (let cell = first[bucket]; cell < first[bucket + 1]; cell++) {
      const id = kind[cell];
      const net = of[whom[id]];
      if (net && what[id] <= CLOSED) net[bucket] += what[id] === CLOSED ? -n[cell] : n[cell];
    }
  }
  return new Map([...nets].map(([id, net]) => [id, levelsOf(net)]));
}

// How many hours of a day are told together.
function hoursOf(data) {
  return Math.max(1, Math.floor(data.bucket_s / 3600));
}

// Who opened how often in each hour of the week, by the clock of the log: [weekday from Monday][hour]; of longer buckets, in the
// first hour of those that are told together.
function week(data, counted) {
  const long = hoursOf(data);
  const hours = Array.from({ length: 7 }, () => new Array(24).fill(0));
  for (let bucket = counted.from; bucket < counted.to; bucket++) {
    const wall = wallTime(data, data.buckets.start[bucket]);
    const hour = wall.getUTCHours();
    hours[(wall.getUTCDay() + 6) % 7][hour - (hour % long)] += counted.series.connects[bucket];
  }
  return hours;
}

// The wall clock of the log at an instant, as a Date whose UTC parts are read.
function wallTime(data, ms) {
  return new Date(ms + offsetAt(data, ms)[1] * 1000);
}

function offsetAt(data, ms) {
  return data.zone.findLast(([since]) => since <= ms) ?? data.zone[0] ?? [0, 0, "UTC"];
}

if (typeof module !== "undefined") module.exports = { count, unpacked, week };
