"use strict";
(() => {
  const all = (selector, within = document) => Array.from(within.querySelectorAll(selector));
  const seen = (node) => node.checkVisibility ? node.checkVisibility() : !node.closest("[hidden]");
  for (const tools of all(".tools")) {
    tools.hidden = false;
  }
  // Filtering: the cards that do not fit go, and groups of which none is left.
  const search = (tools) => tools.querySelector("input[type=search]");
  for (const tools of all(".tools").filter(search)) {
    const section = tools.closest("main > section");
    const texts = new Map(all(".finding", section).map((card) => {
      const group = card.closest(".group").querySelector("summary").textContent;
      return [card, (group + " " + card.textContent).toLowerCase()];
    }));
    const apply = () => {
      const words = search(tools).value.toLowerCase().split(/\s+/);
      const levels = new Set(all("input[type=checkbox]:checked", tools).map((box) => box.value));
      let shown = 0;
      for (const [card, text] of texts) {
        card.hidden = !(levels.has(card.dataset.level) && words.every((word) => text.includes(word)));
        shown += card.hidden ? 0 : 1;
      }
      for (const group of all(".group", section)) {
        group.hidden = !group.querySelector(".finding:not([hidden])");
      }
      tools.querySelector("output").textContent = shown + " of " + texts.size + " shown";
    };
    tools.addEventListener("input", apply);
    search(tools).addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        search(tools).value = "";
        apply();
        search(tools).blur();
      }
    });
  }
  // Folding.
  const fold = (button) => {
    const folded = all("details." + button.dataset.fold, button.closest("main > section"));
    const open = !folded.some((details) => details.open);
    folded.forEach((details) => { details.open = open; });
    button.textContent = open ? "Fold all" : "Unfold all";
  };
  all("[data-fold]").forEach((button) => button.addEventListener("click", () => fold(button)));
  // A link into something folded unfolds it.
  const unfold = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) {
      return;
    }
    for (let details = target.closest("details"); details; details = details.parentElement.closest("details")) {
      details.open = true;
    }
    const row = target.matches("tr") && target.querySelector("details");
    if (row) {
      row.open = true;
    }
    target.hidden = false;
    target.scrollIntoView({ block: "center" });
  };
  addEventListener("hashchange", unfold);
  // On paper every finding can be read; what else is folded stays so.
  addEventListener("beforeprint", () => all("details.group").forEach((details) => { details.open = true; }));
  unfold();
  // Jumping by keys, which can be turned off.
  const keys = document.querySelector(".keys");
  keys.hidden = false;
  const step = (by) => {
    const cards = all(".finding").filter(seen);
    const at = cards.indexOf(document.activeElement && document.activeElement.closest(".finding"));
    const next = cards[at < 0 ? (by > 0 ? 0 : cards.length - 1) : at + by];
    if (next) {
      next.focus();
      next.scrollIntoView({ block: "nearest" });
    }
  };
  const jumps = {
    j: () => step(1),
    k: () => step(-1),
    f: () => all("[data-fold]").forEach(fold),
    "/": () => {
      const field = document.querySelector(".tools input[type=search]");
      if (field) {
        field.focus();
      }
    },
  };
  addEventListener("keydown", (event) => {
    const typing = event.target.closest && event.target.closest("input, textarea, select");
    const jump = Object.hasOwn(jumps, event.key) && jumps[event.key];
    if (jump && !typing && !event.ctrlKey && !event.altKey && !event.metaKey && keys.querySelector("input").checked) {
      event.preventDefault();
      jump();
    }
  });
})();
