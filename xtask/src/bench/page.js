// Loads a page and moves its brush: node page.js CHROMIUM PAGE. Prints medians in milliseconds as JSON.
"use strict";

const { chromium } = require("playwright-core");

const [, , program, path] = process.argv;
const ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const [LOADS, MOVES] = [5, 20];

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

async function load(browser) {
  const page = await browser.newPage({ viewport: { width: 1300, height: 900 } });
  await page.goto(`file://${path}`);
  await page.waitForSelector("main[data-ready]");
  const seen = await page.evaluate(async (moves) => {
    const ready = performance.now();
    // What is painted is known a frame later.
    await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 100)));
    const paint = Object.fromEntries(performance.getEntriesByType("paint").map(({ name, startTime }) => [name.replaceAll("-", "_"), startTime]));
    const times = [];
    const { buckets } = globalThis.page;
    for (let move = 0; move < moves; move++) {
      const from = Math.floor((buckets * move) / (2 * moves));
      const begin = performance.now();
      globalThis.page.look({ from, to: Math.min(buckets, from + Math.ceil(buckets / 3)) });
      document.body.getBoundingClientRect();
      times.push(performance.now() - begin);
    }
    return { ...paint, ready, times };
  }, MOVES);
  await page.close();
  return seen;
}

(async () => {
  const browser = await chromium.launch({ executablePath: program, args: ARGS });
  const loads = [];
  for (let at = 0; at < LOADS; at++) loads.push(await load(browser));
  await browser.close();
  const times = loads.flatMap((seen) => seen.times);
  const of = (key) => median(loads.map((seen) => seen[key]));
  console.log(JSON.stringify({ first_paint: of("first_paint"), first_contentful_paint: of("first_contentful_paint"), ready: of("ready"), brush: median(times), brush_most: Math.max(...times) }));
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
