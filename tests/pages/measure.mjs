// How long a browser takes to show pages: from the call to the first frame after everything is laid out, the median of five.
//
//     node measure.mjs MODULES PAGE...
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [modules, ...pages] = process.argv.slice(2);
const puppeteer = createRequire(path.join(path.resolve(modules), "x.js"))("puppeteer-core");
const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
for (const file of pages) {
  const times = [];
  for (let run = 0; run < 5; run += 1) {
    const page = await browser.newPage();
    await page.setViewport({ width: 1280, height: 900 });
    const began = performance.now();
    await page.goto(pathToFileURL(file).href);
    await page.evaluate(() => new Promise((shown) => requestAnimationFrame(() => requestAnimationFrame(shown))));
    times.push(performance.now() - began);
    await page.close();
  }
  console.log(`${path.basename(file, ".html")} ${Math.round(times.sort((a, b) => a - b)[2])}`);
}
await browser.close();
