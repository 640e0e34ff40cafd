// What a page can do more with scripts; without them everything works, by loading the page anew.
"use strict";

// Pieces by operation as the factories scan them: the server sends all of an order whenever one has changed.
for (const note of document.querySelectorAll("[data-live]:not([hidden])")) {
  const source = new EventSource(note.dataset.live);
  const language = document.documentElement.lang;
  source.addEventListener("open", () => { note.textContent = note.dataset.said; });
  source.addEventListener("error", () => { note.textContent = note.dataset.lost; });
  source.addEventListener("pieces", (event) => {
    const pieces = JSON.parse(event.data);
    for (const cell of document.querySelectorAll("[data-job]")) {
      const count = (pieces[cell.dataset.job] || {})[cell.dataset.operation] || 0;
      const told = count.toLocaleString(language === "zh" ? "zh-CN" : "en");
      if (cell.textContent !== told) {
        cell.textContent = told;
        cell.classList.remove("changed");
        void cell.offsetWidth; // begins the animation anew
        cell.classList.add("changed");
      }
    }
  });
  addEventListener("pagehide", () => source.close());
}

// A choice in a filter shows its list at once; the button stays for the keyboard and for text.
for (const choice of document.querySelectorAll("form.filter select")) {
  choice.addEventListener("change", () => choice.form.requestSubmit());
}
