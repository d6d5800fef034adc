// Words: numbers, times and names as people read them, and elements that hold them. Text of a log is only ever the text of an
// element, never markup.
"use strict";

const WORDS = {
  application_name: "application",
  user: "user",
  database: "database",
  client_host: "client host",
  server: "server",
};

const FLAGS = { application_name: "--app", user: "--user", database: "--db", client_host: "--host", server: "--server" };

// An element: el("td", { class: "n" }, "12"). Handlers are attributes that begin with `on`.
function el(tag, attributes = {}, ...children) {
  const svg = ["svg", "path", "rect", "line", "text", "g", "title"].includes(tag);
  const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    // A style that is written as an attribute is one that a server may forbid.
    if (name === "style") element.style.cssText = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// What does not show, or turns what stands around it.
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}]/gu;

function shown(text) {
  return String(text).replace(HIDDEN, (c) => `\\u{${c.codePointAt(0).toString(16)}}`);
}

function nameOf(text) {
  return el("bdi", {}, shown(text));
}

function thousands(n) {
  return n === null || n === undefined ? "?" : n.toLocaleString("en-US");
}

function counted(n, one, many) {
  return `${thousands(n)} ${n === 1 ? one : many}`;
}

function percent(part, whole) {
  if (!whole) return "";
  const share = (100 * part) / whole;
  if (share > 0 && share < 0.1) return "< 0.1 %";
  return share >= 10 || share === 0 ? `${share.toFixed(0)} %` : `${share.toFixed(1)} %`;
}

// A length in its two largest units.
function duration(ms) {
  if (ms === null || ms === undefined) return "?";
  if (ms < 1000) return `${ms} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  const units = [["d", 86_400_000], ["h", 3_600_000], ["min", 60_000], ["s", 1000]];
  const at = units.findIndex(([, length]) => ms >= length);
  const [unit, length] = units[at];
  const [less, lessLength] = units[at + 1] ?? ["s", 1000];
  const rest = Math.floor((ms % length) / lessLength);
  return rest ? `${Math.floor(ms / length)} ${unit} ${rest} ${less}` : `${Math.floor(ms / length)} ${unit}`;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

const two = (n) => String(n).padStart(2, "0");

function clock(data, ms, withSeconds = true) {
  const wall = wallTime(data, ms);
  const minutes = `${two(wall.getUTCHours())}:${two(wall.getUTCMinutes())}`;
  return withSeconds ? `${minutes}:${two(wall.getUTCSeconds())}` : minutes;
}

// With its year where the log has more than one.
function day(data, ms) {
  const wall = wallTime(data, ms);
  const year = (at) => wallTime(data, at).getUTCFullYear();
  const { start, end } = data.buckets;
  const isAmbiguous = start.length > 0 && year(start[0]) !== year(end);
  return `${wall.getUTCDate()} ${MONTHS[wall.getUTCMonth()]}${isAmbiguous ? ` ${wall.getUTCFullYear()}` : ""}`;
}

function moment(data, ms) {
  return `${day(data, ms)} ${clock(data, ms, data.bucket_s < 60)}`;
}

function stretch(data, from, to) {
  const [before, after] = [offsetAt(data, from)[2], offsetAt(data, to)[2]];
  const end = day(data, from) === day(data, to) ? clock(data, to, data.bucket_s < 60) : moment(data, to);
  return `${moment(data, from)}${before === after ? "" : ` ${before}`} to ${end} ${after}`;
}

// The same with its years: it stands alone.
function span(data, from, to) {
  const year = (ms) => wallTime(data, ms).getUTCFullYear();
  const text = stretch(data, from, to);
  return year(from) === year(to) ? `${year(from)}, ${text}` : text;
}

// How often, in the unit in which it is a number that can be read.
function rate(n, seconds) {
  if (!n || !(seconds >= 1)) return "";
  const [unit, length] = [["s", 1], ["min", 60], ["h", 3600], ["day", 86_400]].find(([, length]) => (n * length) / seconds >= 1) ?? ["day", 86_400];
  const per = (n * length) / seconds;
  return `${per >= 10 ? thousands(Math.round(per)) : per.toPrecision(2)}/${unit}`;
}

// As the command line reads it: 2026-11-23T05:21:08+01:00.
function rfc3339(data, ms) {
  const [, offset] = offsetAt(data, ms);
  const minutes = Math.abs(Math.trunc(offset / 60));
  const sign = offset < 0 ? "-" : "+";
  return `${new Date(ms + offset * 1000).toISOString().slice(0, 23)}${sign}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

// A word for a shell: quoted where it has to be. Who pastes it sees all of it.
function word(text) {
  if (/^[\w@%+=:,./-]+$/.test(text)) return text;
  if (text.search(HIDDEN) >= 0) {
    const spelt = (c) => [...new TextEncoder().encode(c)].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");
    return `$'${text.replace(/['\\]/g, "\\$&").replace(HIDDEN, spelt)}'`;
  }
  return `'${text.replaceAll("'", "'\\''")}'`;
}

// What finds a name: what is a wildcard to the command line is escaped, what was no text is one.
function pattern(name) {
  return name.replace(/[\\*]/g, "\\$&").replaceAll("\ufffd", "*");
}

// The command that says the same on the command line.
function commandFor(data, view, command, flags = []) {
  const words = [`${data.command.is_piped ? "… | " : ""}pgcensus`, command, ...flags];
  const { from, to, filter } = view;
  const buckets = data.buckets.start;
  if (from > 0) words.push(`--since=${rfc3339(data, buckets[from])}`);
  else if (data.command.since) words.push(`--since=${data.command.since}`);
  if (to < buckets.length) words.push(`--until=${rfc3339(data, buckets[to])}`);
  else if (data.command.until) words.push(`--until=${data.command.until}`);
  const chosen = new Set(Object.keys(filter).filter((dimension) => filter[dimension].length).map((dimension) => FLAGS[dimension]));
  for (const [flag, value] of data.command.filter) if (!chosen.has(flag)) words.push(`${flag}=${word(value)}`);
  for (const [dimension, names] of Object.entries(filter)) for (const name of names) words.push(`${FLAGS[dimension]}=${word(pattern(name))}`);
  return [...words, ...inputOf(data)].join(" ");
}

// The hours of each day, and the logs.
function inputOf(data) {
  const { between, input } = data.command;
  return [...(between ? [`--between=${word(between)}`] : []), ...input.map(word)];
}

// What the log says of the backend of a session.
function eventsOf(data, session) {
  const words = [`${data.command.is_piped ? "… | " : ""}pgcensus events --pid=${session.pid}`];
  if (data.names.server.length > 1) words.push(`--server=${word(pattern(session.server))}`);
  if (session.beginMs !== null) words.push(`--since=${rfc3339(data, session.beginMs)}`);
  // Times of whole seconds, and a last word after the end.
  if (session.endMs !== null) words.push(`--until=${rfc3339(data, session.endMs + 2000)}`);
  return [...words, ...inputOf(data)].join(" ");
}

if (typeof module !== "undefined") module.exports = { commandFor, duration, pattern, rfc3339, shown, word };
