// What is going on, such as a run: its page is fetched again every few seconds and what changed is put in its place, until it ends.
"use strict";
(() => {
  const running = document.getElementById("running"), button = document.getElementById("live"), told = document.getElementById("told");
  const EVERY = Number(running.dataset.every) * 1000, SLOWEST = 60_000, PATIENCE = 10_000;
  // Who wants no motion is not shown any by itself: updates wait for the button.
  let paused = matchMedia("(prefers-reduced-motion: reduce)").matches, wait = EVERY, timer = 0, ended = false, away = false;
  const fresh = page => new Map([...page.querySelectorAll("[data-fresh]")].map(part => [part.dataset.fresh, part]));
  const say = text => { told.textContent = text; }; // read out politely, once

  // Rows go into the table that is there, so that it stays scrolled where it is; what has the focus is left alone.
  const put = (here, next) => {
    if (here.innerHTML === next.innerHTML) return;
    const [table, other] = [here.querySelector("table"), next.querySelector("table")];
    if (table && other && table.tHead?.textContent === other.tHead?.textContent && here.querySelectorAll("table").length === 1) {
      if (!table.tBodies[0].contains(document.activeElement)) table.tBodies[0].replaceWith(other.tBodies[0]);
    } else if (!here.contains(document.activeElement)) {
      here.replaceChildren(...next.childNodes);
    }
  };

  const refresh = async () => {
    const answer = await fetch(location.pathname + location.search, { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(PATIENCE) });
    if (!answer.ok) throw new Error(String(answer.status));
    const page = new DOMParser().parseFromString(await answer.text(), "text/html"), parts = fresh(page);
    const state = part => part.querySelector(".state").lastChild.textContent.trim(); // after the sign
    const word = state(parts.get("state"));
    ended = !page.getElementById("running");
    for (const [name, here] of fresh(document)) if (parts.has(name)) put(here, parts.get(name));
    const charts = page.querySelector("[data-charts]");
    if (charts) {
      document.getElementById("charts").hidden = !charts.querySelector(".chart");
      document.dispatchEvent(new CustomEvent("freshcharts", { detail: charts }));
    }
    if (ended) say(`The ${running.dataset.what || "run"} has ended: ${word}.`);
  };

  const turn = async () => {
    if (!document.hidden) {
      try {
        await refresh();
        if (away) say("Updates come again.");
        away = false;
        wait = EVERY;
      } catch {
        if (!away) say("The server does not answer; the page tries again.");
        away = true;
        wait = Math.min(wait * 2, SLOWEST);
      }
    }
    if (ended) button.remove(); else if (!paused) timer = setTimeout(turn, wait);
  };
  const show = () => { button.textContent = paused ? "Start updates" : "Pause updates"; };
  button.addEventListener("click", () => {
    paused = !paused;
    clearTimeout(timer);
    show();
    if (!paused) turn();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden || paused || ended) return;
    clearTimeout(timer);
    turn();
  });
  button.hidden = false;
  show();
  if (!paused) timer = setTimeout(turn, EVERY);
})();
