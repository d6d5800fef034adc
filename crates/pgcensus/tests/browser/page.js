// What browser.rs does with a page: node page.js STEPS PGCENSUS URL [MORE]. It fails by an exit status and says why.
"use strict";

const assert = require("node:assert/strict");
const { execFileSync } = require("node:child_process");
const { appendFileSync } = require("node:fs");
const { chromium } = require("playwright-core");

const [, , steps, program, url, more] = process.argv;
const ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

// The command as a shell would read it, with the program that is tested.
function said(command, ...flags) {
  const words = command.replace(/^pgcensus/, '"$0"');
  return JSON.parse(execFileSync("/bin/bash", ["-c", `${words} ${flags.join(" ")}`, program], { maxBuffer: 1 << 28, stdio: ["ignore", "pipe", "inherit"] }));
}

const sorted = (object) => Object.fromEntries(Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1)));
const byName = (rows) => sorted(Object.fromEntries(rows.map(({ name, count }) => [name, count])));

// What the page has counted, in the words of `summary --json`.
function counted(page) {
  return page.evaluate(() => {
    const c = globalThis.page.counted;
    const names = (key) => Object.fromEntries(Object.entries(c.by).map(([dimension, rows]) => [dimension, rows.filter((row) => row[key]).map((row) => ({ name: row.name, count: row[key] }))]));
    return { ...c, series: undefined, by: undefined, connects_by: names("connects"), open_by: names("open"), refused_by: names("refused"), command: document.querySelector("#view code").textContent };
  });
}

async function agrees(page) {
  const c = await counted(page);
  const summary = said(c.command, "--json");
  const about = c.command;
  assert.equal(c.connects, summary.connects.total, about);
  assert.deepEqual(sorted(c.disconnects), sorted(summary.disconnects.by), about);
  assert.deepEqual(sorted(c.refused.by_reason), sorted(summary.refused.by_reason), about);
  assert.equal(c.refused.attempts, summary.refused.attempts, about);
  assert.equal(c.open, summary.open.count, about);
  for (const dimension of Object.keys(c.connects_by)) {
    assert.deepEqual(byName(c.connects_by[dimension]), byName(summary.connects.by[dimension]), `${about}: connects by ${dimension}`);
    assert.deepEqual(byName(c.open_by[dimension]), byName(summary.open.by[dimension]), `${about}: open by ${dimension}`);
    assert.deepEqual(byName(c.refused_by[dimension]), byName(summary.refused.by[dimension]), `${about}: refused by ${dimension}`);
  }
  if (!c.isFiltered) {
    assert.equal(c.peak.count, summary.peak.count, about);
    assert.equal(c.probes, summary.probes, about);
    assert.deepEqual(c.session_time_ms, summary.session_time_ms, about);
    assert.deepEqual(c.histogram, summary.session_time_histogram.map(({ count }) => count), about);
  } else {
    assert.ok(c.peak.count <= summary.peak.count, about);
  }
  // What is on the screen is what was counted.
  const figure = (id) => page.locator(`#tile-${id} .figure`).evaluate((tile) => tile.firstChild.textContent.replaceAll(",", ""));
  assert.equal(await figure("connects"), String(c.connects));
  assert.equal(await figure("refused"), String(c.refused.connections));
}

async function brush(page, from, to) {
  await page.locator("#chart").scrollIntoViewIfNeeded();
  const box = await page.locator("#chart .u-over").first().boundingBox();
  await page.mouse.move(box.x + box.width * from, box.y + 40);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * ((from + to) / 2), box.y + 45, { steps: 3 });
  await page.mouse.move(box.x + box.width * to, box.y + 50, { steps: 3 });
  await page.mouse.up();
  const { from: a, to: b } = await page.evaluate(() => globalThis.page.view);
  const buckets = await page.evaluate(() => globalThis.page.buckets);
  assert.ok(b - a < buckets, "a part is chosen");
}

const STEPS = {
  async counts(page) {
    await agrees(page);
    for (const [from, to] of [[0.1, 0.4], [0.35, 0.36], [0.5, 0.999]]) {
      await brush(page, from, to);
      await agrees(page);
      for (const dimension of ["user", "application_name", "client_host"]) {
        const names = page.locator(`#by-${dimension} .name`);
        if (!(await names.count())) continue;
        await names.first().click();
        await agrees(page);
      }
      await page.keyboard.press("Escape");
    }
  },

  async drill(page) {
    await page.locator("#by-user .name", { hasText: "reporting" }).click();
    assert.equal(await page.locator("#view .chip").count(), 1);
    const rows = page.locator("#sessions table.list tbody tr");
    const users = await page.locator("#sessions table.list tbody tr td:nth-child(3)").allTextContents();
    assert.ok(users.length > 0 && users.every((user) => user === "reporting"), String(users));
    await rows.first().click();
    const lines = await page.locator("#sessions pre").textContent();
    assert.match(lines, /LOG: {2}connection received: host=/);
    assert.match(lines, /connection authorized: user=reporting/);
    // A bar of the gantt opens its session too.
    await page.keyboard.press("Escape");
    await page.locator(".gantt .session").nth(3).click();
    assert.ok(await page.locator("#sessions tr.lines").count());
    await page.locator("#refused details").first().locator("summary").click();
    assert.match(await page.locator("#refused pre").first().textContent(), /FATAL: {2}password authentication failed/);
  },

  async link(page) {
    await brush(page, 0.2, 0.6);
    const { from, to } = await page.evaluate(() => globalThis.page.view);
    assert.deepEqual([from, to], [6, 19], "of 31 buckets, those that were dragged over");
    await page.locator("#by-database .name").first().click();
    const [url, before] = [page.url(), await counted(page)];
    assert.match(url, /#since=.*&until=.*&database=/);
    const other = await page.context().newPage();
    await other.goto(url);
    await other.waitForSelector("main[data-ready]");
    assert.deepEqual(await counted(other), before);
    // Back undoes a choice, and a drag is one.
    await page.goBack();
    assert.equal(await page.locator("#view .chip").count(), 1);
    await page.goBack();
    assert.equal(await page.locator("#view .chip").count(), 0);
    await page.goForward();
    assert.equal(await page.locator("#view .chip").count(), 1);
    await page.locator("#theme").click();
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const chosen = await ground();
    await page.reload();
    await page.waitForSelector("main[data-ready]");
    assert.equal(await ground(), chosen);
    assert.equal(await page.locator("#view .chip").count(), 1);
  },

  async looks(page) {
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await ground();
    await page.emulateMedia({ colorScheme: "dark" });
    const dark = await ground();
    assert.notEqual(light, dark);
    await page.locator("#theme").click();
    assert.equal(await ground(), light);
    for (const width of [360, 800, 1024, 1440, 1600]) {
      await page.setViewportSize({ width, height: 800 });
      await page.waitForTimeout(100);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(wide <= width, `${wide} of ${width}: it does not scroll sideways`);
      const over = await page.locator("table.names").evaluateAll((tables) => tables.filter((table) => table.scrollWidth > table.parentElement.clientWidth).length);
      assert.equal(over, 0, `${width}: tables fit into their panels`);
    }
    await page.emulateMedia({ media: "print" });
    assert.equal(await page.locator("#view").isVisible(), false);
    // On paper the chart is no wider than that is, whatever the window was.
    await page.evaluate(() => addEventListener("beforeprint", () => (globalThis.printed = document.querySelector("#chart canvas").clientWidth)));
    await page.pdf({ format: "A4" });
    const printed = await page.evaluate(() => globalThis.printed);
    assert.ok(printed > 500 && printed < 700, String(printed));
    await page.waitForFunction(() => document.querySelector("#chart canvas").clientWidth > 1000);
  },

  async live(page) {
    const connects = (n) => page.waitForFunction((n) => document.querySelector("#tile-connects .figure").firstChild.textContent === String(n), n);
    const opens = (n) => appendFileSync(more, `2026-11-23 05:22:0${n}.000 UTC [10${n}] LOG:  connection received: host=10.0.0.8 port=50${n}\n2026-11-23 05:22:0${n}.010 UTC [10${n}] LOG:  connection authorized: user=late database=shop application_name=<b>job</b>\n`);
    await connects(2);
    const row = page.locator("#sessions table.list tbody tr").first();
    await row.focus();
    const key = await row.getAttribute("data-key");
    opens(1);
    await connects(3);
    // Who reads or searches meanwhile is not disturbed.
    assert.equal(await page.evaluate(() => document.activeElement?.dataset.key), key);
    await page.waitForFunction(() => document.querySelectorAll("#happens tr.connected").length >= 1);
    assert.match(await page.locator("#happens tr").first().textContent(), /late@shop/);
    // What is looked at stays while the log goes on.
    await page.locator("#by-user .name", { hasText: "late" }).click();
    await connects(1);
    opens(2);
    await connects(2);
    assert.equal(await page.locator("#view .chip").count(), 1);
    await agrees(page);
    assert.equal(await page.locator("main b").count(), 0);
  },

  async token(page) {
    const other = await page.context().newPage();
    await other.goto(`${url}#token=${more}`);
    await other.waitForSelector("main[data-ready]");
    assert.ok(!other.url().includes(more), other.url());
    // Another tab does not have it, and asks.
    await page.locator("#token input").fill(more);
    await page.locator("#token button").click();
    await page.waitForSelector("main[data-ready]");
    assert.deepEqual(await page.context().cookies(), []);
  },

  async hostile(page) {
    assert.equal(await page.title(), "pgcensus");
    assert.equal(await page.locator("main img, main b").count(), 0);
    const names = await page.locator("#by-application_name .name").allTextContents();
    assert.equal(names.length, 7, "and unknown");
    assert.ok(names.includes("</script><img src=x onerror=document.title=1>"), String(names));
    assert.ok(names.some((name) => name.startsWith("\\u{202e}")), "what turns text around is spelt out");
    for (let at = 0; at < names.length; at++) {
      await page.locator("#by-application_name .name").nth(at).click();
      await agrees(page);
      await page.keyboard.press("Escape");
    }
    for (const row of await page.locator("#sessions table.list tbody tr").all()) await row.click();
    for (const row of await page.locator("#refused summary").all()) await row.click();
    assert.equal(await page.title(), "pgcensus");
  },
};

(async () => {
  const browser = await chromium.launch({ executablePath: process.env.PGCENSUS_TEST_BROWSER, args: ARGS });
  try {
    const context = await browser.newContext({ viewport: { width: 1300, height: 900 } });
    const wrong = [];
    const { origin, protocol } = new URL(url);
    context.on("request", (request) => {
      const asked = new URL(request.url());
      const isOwn = protocol === "file:" ? asked.protocol === "file:" : asked.origin === origin;
      if (!isOwn && asked.protocol !== "data:") wrong.push(`asks for ${asked}`);
    });
    // The answer to who has no token yet is one that a browser complains about.
    const isMeant = (text) => steps === "token" && text.includes("401");
    context.on("console", (message) => ["error", "warning"].includes(message.type()) && !isMeant(message.text()) && wrong.push(message.text()));
    context.on("weberror", (error) => wrong.push(error.error().stack));
    const page = await context.newPage();
    await page.goto(url);
    if (steps !== "token") await page.waitForSelector("main[data-ready]");
    await STEPS[steps](page);
    assert.deepEqual(wrong, []);
  } finally {
    await browser.close();
  }
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
