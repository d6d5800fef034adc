// The page of `serve`: the data is asked for, again whenever the server says that numbers have changed, and events are shown as
// they come. A token comes in the address (#token=…), is kept as long as the tab is, and goes into a header.
"use strict";

const EVENTS_SHOWN = 30;

// The data is asked for again no more often than that, nor more often than it takes ten times as long.
const AGAIN_MS = 2_000;

// Of a server that says nothing for so long, not even that it is there (each 15 s), the connection is lost.
const SILENT_MS = 40_000;

class Live {
  constructor(root) {
    this.root = root;
    this.events = [];
    const words = new URLSearchParams(location.hash.slice(1));
    if (words.has("token")) {
      sessionStorage.setItem("token", words.get("token"));
      words.delete("token");
      history.replaceState(null, "", `${location.pathname}${location.search}#${words}`);
    }
    this.said = el("p", { id: "live", role: "status" }, "…");
    root.before(this.said);
    this.asks();
    this.listens();
  }

  headers(more = {}) {
    const token = sessionStorage.getItem("token");
    return token ? { ...more, Authorization: `Bearer ${token}` } : more;
  }

  async ask(path, more = {}, signal = undefined) {
    const answer = await fetch(`api/v1/${path}`, { headers: this.headers(more), cache: "no-store", signal });
    if (answer.ok) return answer;
    const told = await answer.json().catch(() => ({}));
    if (answer.status === 401) this.asksToken();
    throw new Error(told.error ?? `${answer.status} ${answer.statusText}`);
  }

  // Asks for the data; while that is on its way, once more is enough.
  async asks() {
    if (this.isAsking) {
      this.isStale = true;
      return;
    }
    this.isAsking = true;
    this.isStale = false;
    const begin = performance.now();
    try {
      const data = unpacked(await (await this.ask("report", {}, AbortSignal.timeout(SILENT_MS))).json());
      if (globalThis.page) globalThis.page.renew(data);
      else globalThis.page = new Page(data, this.root);
      this.show();
      this.tell("live");
    } catch (error) {
      this.tell(`no answer: ${error.message}`, true);
      this.isStale = true;
    }
    const rest = Math.max(AGAIN_MS, 10 * (performance.now() - begin));
    setTimeout(() => {
      this.isAsking = false;
      if (this.isStale) this.asks();
    }, rest);
  }

  // Reads the stream of events, and begins again behind the last one where it ends.
  async listens() {
    for (;;) {
      const stop = new AbortController();
      const hears = () => {
        clearTimeout(this.silence);
        this.silence = setTimeout(() => stop.abort(new Error(`the server has said nothing for ${SILENT_MS / 1000} s`)), SILENT_MS);
      };
      try {
        hears();
        const answer = await this.ask("events", this.last ? { "Last-Event-ID": this.last } : {}, stop.signal);
        // Of what has changed meanwhile nothing was told.
        if (this.isLost) this.asks();
        this.isLost = false;
        await this.reads(answer.body.pipeThrough(new TextDecoderStream()).getReader(), hears);
      } catch (error) {
        this.isLost = true;
        this.tell(`not live: ${error.message}`, true);
      }
      clearTimeout(this.silence);
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }

  async reads(reader, hears) {
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      hears();
      rest += value;
      const messages = rest.split("\n\n");
      rest = messages.pop();
      messages.forEach((message) => this.takes(message));
      if (this.isNew) this.show();
    }
  }

  takes(message) {
    const fields = { event: "message", data: [] };
    for (const line of message.split("\n")) {
      const at = line.indexOf(":");
      if (at < 1) continue;
      const [field, value] = [line.slice(0, at), line.slice(at + 1).replace(/^ /, "")];
      if (field === "data") fields.data.push(value);
      else fields[field] = value;
    }
    if (fields.id) this.last = fields.id;
    if (fields.event === "changed") this.asks();
    else if (fields.event === "message" && fields.data.length) {
      this.events.unshift(JSON.parse(fields.data.join("\n")));
      this.events.length = Math.min(this.events.length, EVENTS_SHOWN);
      this.isNew = true;
    }
  }

  // The last events, the newest first.
  show() {
    this.isNew = false;
    if (!globalThis.page) return;
    const { data } = globalThis.page;
    const marks = { connected: "[+]", disconnected: "[-]", refused: "[!]" };
    const rows = this.events.map((event) => {
      const who = `${event.user ?? "unknown"}@${event.database ?? "–"}`;
      const what = [event.application_name, event.client_host, event.session_time_ms === undefined || event.session_time_ms === null ? null : duration(event.session_time_ms), event.reason?.replaceAll("_", " ")].filter(Boolean);
      return el("tr", { class: event.event }, el("td", {}, event.at ? clock(data, Date.parse(event.at)) : ""), el("td", {}, marks[event.event] ?? "[·]"), el("td", {}, nameOf(who)), el("td", {}, nameOf(what.join(", "))));
    });
    let section = document.getElementById("happens");
    if (!section) {
      section = el("section", { id: "happens", class: "panel wide" }, el("h2", {}, "What happens"), el("table", { class: "events" }, el("tbody", {})));
      this.root.querySelector("#timeline").after(section);
    }
    section.querySelector("tbody").replaceChildren(...rows);
    section.hidden = !rows.length;
  }

  tell(text, isWrong = false) {
    this.said.textContent = isWrong ? text : `${text}, ${new Date().toLocaleTimeString()}`;
    this.said.className = isWrong ? "wrong" : "";
  }

  asksToken() {
    if (document.getElementById("token")) return;
    const field = el("input", { type: "password", autocomplete: "off", "aria-label": "token", placeholder: "token" });
    const form = el("form", { id: "token", onsubmit: (event) => {
      event.preventDefault();
      sessionStorage.setItem("token", field.value);
      form.remove();
      this.asks();
    } }, el("label", {}, "This server wants its token: ", field), el("button", {}, "go"));
    this.said.after(form);
  }
}

globalThis.live = new Live(document.getElementById("all"));
