"use strict";
(() => {
  const all = (selector) => Array.from(document.querySelectorAll(selector));
  for (const tools of all(".tools")) {
    tools.hidden = false;
    const section = tools.closest("section");
    const apply = () => {
      const words = tools.querySelector("input[type=search]").value.toLowerCase();
      const levels = new Set(Array.from(tools.querySelectorAll("input[type=checkbox]:checked"), (box) => box.value));
      let shown = 0;
      for (const finding of section.querySelectorAll(".finding")) {
        const fits = levels.has(finding.dataset.level) && finding.textContent.toLowerCase().includes(words);
        finding.hidden = !fits;
        shown += fits ? 1 : 0;
      }
      tools.querySelector("output").textContent = shown + " shown";
    };
    tools.addEventListener("input", apply);
  }
  // A link into a folded document unfolds it.
  const unfold = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const details = target && target.closest("details");
    if (details) {
      details.open = true;
      target.scrollIntoView();
    }
  };
  addEventListener("hashchange", unfold);
  addEventListener("beforeprint", () => all("details").forEach((details) => { details.open = true; }));
  unfold();
})();
