// Opens pages in a headless Chromium and says what became of them. Reads a job as JSON
// from standard input: {executable, pages: [{url, width, height, screenshot}]}; prints a
// list with what was seen of each page.
import { readFileSync } from "node:fs";
import { chromium } from "playwright-core";

const job = JSON.parse(readFileSync(0, "utf8"));
const browser = await chromium.launch({
  executablePath: job.executable,
  args: ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});

// look runs inside the page.
function look() {
  const box = (element) => {
    const { left, top, right, bottom, width, height } = element.getBoundingClientRect();
    return { left, top, right, bottom, width, height };
  };
  const outside = (outer, inner) =>
    inner.left < outer.left - 1 || inner.top < outer.top - 1 || inner.right > outer.right + 1 || inner.bottom > outer.bottom + 1;
  const svgs = [...document.querySelectorAll("svg")].map((svg) => ({
    name: svg.closest("figure")?.id ?? "",
    title: svg.querySelector("title")?.textContent ?? "",
    visible: svg.checkVisibility(),
    ...box(svg),
    words: [...svg.querySelectorAll("text")].map((text) => text.textContent),
    outside: [...svg.querySelectorAll("text")].filter((text) => outside(box(svg), box(text))).map((text) => text.textContent),
  }));
  return {
    title: document.title,
    lang: document.documentElement.lang,
    heading: document.querySelector("h1")?.textContent ?? "",
    verdict: document.querySelector(".verdict")?.textContent ?? "",
    svgs,
    rows: document.querySelectorAll("#servers tbody tr").length,
    columnHeads: document.querySelectorAll('#servers th[scope="col"]').length,
    rowHeads: document.querySelectorAll('#servers th[scope="row"]').length,
    names: [...document.querySelectorAll("#servers .who > bdi")].map((name) => name.textContent),
    foreign: document.querySelectorAll("script, img, image, iframe, object, embed, base, [onerror], [onload]").length,
    contentWidth: document.documentElement.scrollWidth,
    windowWidth: window.innerWidth,
  };
}

// open opens one page in a fresh context.
async function open({ url, width, height, screenshot }) {
  const context = await browser.newContext({ viewport: { width, height } });
  const page = await context.newPage();
  const seen = { console: [], errors: [], failed: [], requests: [], dialogs: [] };
  page.on("console", (message) => seen.console.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => seen.errors.push(String(error)));
  page.on("requestfailed", (request) => seen.failed.push(request.url()));
  page.on("dialog", async (dialog) => {
    seen.dialogs.push(dialog.message());
    await dialog.dismiss();
  });
  context.on("request", (request) => seen.requests.push(request.url()));
  await page.goto(url, { waitUntil: "networkidle" });
  Object.assign(seen, await page.evaluate(look));
  await page.screenshot({ path: screenshot });
  await context.close();
  return seen;
}

try {
  const seen = [];
  for (const page of job.pages) seen.push(await open(page));
  console.log(JSON.stringify(seen));
} finally {
  await browser.close();
}
