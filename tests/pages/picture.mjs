// The picture of the manual: a page as it stands on a screen.
//
//     node picture.mjs MODULES PAGE PNG
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [modules, file, png] = process.argv.slice(2);
const puppeteer = createRequire(path.join(path.resolve(modules), "x.js"))("puppeteer-core");
const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const page = await browser.newPage();
await page.setViewport({ width: 1060, height: 1000 });
await page.goto(pathToFileURL(file).href);
// From the verdict to the last layer.
const height = await page.evaluate(() => Math.ceil(document.querySelector("table.layers").getBoundingClientRect().bottom + scrollY) + 16);
await page.screenshot({ path: png, clip: { x: 0, y: 0, width: 1060, height }, captureBeyondViewport: true });
await browser.close();
