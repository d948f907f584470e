// Looks at pages in a browser: nothing of them runs but their own script, nothing is fetched, axe finds no barrier at any width,
// light or dark, the HTML is valid, and filter, folds, jumps and links do what they say.
//
//     node check.mjs MODULES PICTURES PAGE...
//
// MODULES is the folder that has node_modules; PICTURES a folder for screenshots, or `-` for none.
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [modules, pictures, ...pages] = process.argv.slice(2);
const require = createRequire(path.join(path.resolve(modules), "x.js"));
const puppeteer = require("puppeteer-core");
const { HtmlValidate } = require("html-validate");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const faults = [];
const fault = (page, text) => faults.push(`${path.basename(page)}: ${text}`);

// The standard's rules; what is left out is taste. Sizes of drawings stand in attributes of SVG.
const validator = new HtmlValidate({
  extends: ["html-validate:standard", "html-validate:a11y", "html-validate:document"],
  rules: {
    // A page whose policy allows one script by its digest cannot have that script elsewhere, and there is nothing to fetch.
    "require-sri": "off",
    "require-csp-nonce": "off",
    // A title names the source, however long its place is.
    "long-title": "off",
    // An index may hold two images of one name.
    "no-redundant-for": "error",
  },
});

async function validate(file, spoilt) {
  const text = fs.readFileSync(file, "utf8");
  const report = await validator.validateString(spoilt ? text.replace("<main", "<main role=\"nothing\"><p><main") : text, file);
  const messages = report.results.flatMap((result) => result.messages).filter((message) => message.severity === 2);
  return messages.map((message) => `${message.line}:${message.column} ${message.ruleId}: ${message.message}`);
}

async function barriers(page) {
  await page.evaluate(axe);
  const found = await page.evaluate(() => globalThis.axe.run(document, {
    resultTypes: ["violations"],
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
  }));
  return found.violations.map((violation) =>
    `${violation.id}: ${violation.help}: ${violation.nodes.slice(0, 3).map((node) => node.target.join(" ")).join(", ")} (${violation.nodes.length})`);
}

const holds = (file, what, is) => is || fault(file, what);

// What the script does, where a page has findings.
async function use(page, file) {
  const shown = () => page.$$eval(".finding", (cards) => cards.filter((card) => card.checkVisibility()).length);
  const all = await shown();
  if (all === 0) {
    return;
  }
  await page.keyboard.press("/");
  await page.keyboard.type("no finding has such words");
  holds(file, "the filter hides what does not fit", await shown() === 0);
  holds(file, "groups without findings go", await page.$$eval(".group", (groups) => groups.every((group) => group.hidden)));
  await page.keyboard.press("Escape");
  holds(file, "Escape shows all again", await shown() === all);
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.keyboard.press("k");
  holds(file, "keys jump to findings", await page.evaluate(() => document.activeElement === document.querySelector(".finding")));
  await page.click("[data-fold=group]");
  holds(file, "folding hides findings", await shown() === 0);
  await page.evaluate(() => { location.hash = document.querySelector(".finding").id; });
  await page.waitForFunction(() => document.querySelector(".finding").checkVisibility());
  await page.click("[data-fold=group]");
  await page.click("[data-fold=group]");
  holds(file, "unfolding shows them", await shown() === all);
  const boxes = await page.$$(".tools input[type=checkbox]");
  for (const box of boxes) {
    await box.click();
  }
  holds(file, "levels hide findings", await shown() === 0);
  for (const box of boxes) {
    await box.click();
  }
  const link = await page.$(".finding .where a");
  if (link) {
    await link.click();
    holds(file, "a link unfolds what it leads to", await page.evaluate(() => document.querySelector(":target")?.checkVisibility() === true));
  }
}

async function look(browser, file) {
  const page = await browser.newPage();
  page.on("dialog", (dialog) => { fault(file, "a dialog"); dialog.dismiss(); });
  page.on("pageerror", (error) => fault(file, `an error of a script: ${error}`));
  page.on("console", (message) => ["error", "warn"].includes(message.type()) && fault(file, `console: ${message.text()}`));
  page.on("request", (request) => request.url().startsWith("file:") || fault(file, `fetches ${request.url()}`));
  const name = path.basename(file, ".html");
  let first = true;
  for (const [width, height] of [[1280, 900], [820, 1100], [390, 800]]) {
    for (const scheme of ["light", "dark"]) {
      await page.setViewport({ width, height });
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
      await page.goto(pathToFileURL(file).href);
      if (first) {
        await use(page, file);
        await page.goto("about:blank");
        await page.goto(pathToFileURL(file).href);
        first = false;
      }
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      holds(file, `${wide} pixels too wide at ${width}`, wide <= 0);
      // Both ways of laying out and both sets of colours; other combinations differ in nothing that axe sees.
      if ((width === 1280 && scheme === "light") || (width === 390 && scheme === "dark")) {
        (await barriers(page)).forEach((text) => fault(file, `${width} ${scheme}: ${text}`));
      }
      if (pictures !== "-") {
        await page.evaluate(() => scrollTo(0, 0));
        await page.screenshot({ path: path.join(pictures, `${name}-${width}-${scheme}.png`) });
        // Below the first screen, as far as anybody looks.
        const length = Math.min(6_000, await page.evaluate(() => document.documentElement.scrollHeight));
        const clip = { x: 0, y: 0, width, height: length };
        await page.screenshot({ path: path.join(pictures, `${name}-${width}-${scheme}-long.png`), clip, captureBeyondViewport: true });
      }
    }
  }
  if (pictures !== "-") {
    await page.pdf({ path: path.join(pictures, `${name}.pdf`), format: "A4", printBackground: true });
  }
  await page.setJavaScriptEnabled(false);
  await page.goto(pathToFileURL(file).href);
  const [cards, hidden] = await page.$$eval(".finding", (cards) => [cards.length, cards.filter((card) => !card.checkVisibility()).length]);
  holds(file, `${hidden} of ${cards} findings are hidden without scripts`, hidden === 0);
  await page.close();
}

// What cannot fail proves nothing: a spoilt page must be refused by both.
async function spoilt(browser) {
  holds(pages[0], "the validator notices nothing", (await validate(pages[0], true)).length > 0);
  const page = await browser.newPage();
  await page.setContent("<html><body><img src='data:,'><button></button><p style='color:#eee'>pale</p></body></html>");
  holds(pages[0], "axe notices nothing", (await barriers(page)).length > 2);
  await page.close();
}

const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
try {
  await spoilt(browser);
  for (const file of pages) {
    (await validate(file)).slice(0, 10).forEach((text) => fault(file, text));
    await look(browser, file);
  }
} finally {
  await browser.close();
}
if (faults.length > 0) {
  console.error(faults.join("\n"));
  process.exit(1);
}
console.log(`${pages.length} pages: valid, no barrier that axe finds, nothing runs or is fetched`);
