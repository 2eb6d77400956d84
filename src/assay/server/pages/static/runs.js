// The table of runs, alive: filter while typing, order and columns without a new page, more rows when the end is near.
"use strict";
(() => {
  const view = document.getElementById("view"), found = document.getElementById("found"), filter = document.getElementById("filter");
  const place = `assay-columns:${location.pathname}`;
  const boxes = () => [...view.querySelectorAll("#columns input[type=checkbox]")];
  let ticket = 0, timer = 0, loading = false, last = null;

  const page = async address => {
    const answer = await fetch(address, { headers: { Accept: "text/html" } });
    return new DOMParser().parseFromString(await answer.text(), "text/html");
  };
  const address = () => {
    const query = new URLSearchParams(), columns = [];
    for (const [name, value] of new FormData(view)) {
      if (name === "show") { if (value) columns.push(value); } else if (value) query.set(name, value);
    }
    if (touched) for (const column of columns.length ? columns : [""]) query.append("show", column);
    return `${location.pathname}${query.size ? `?${query}` : ""}`;
  };
  let touched = new URLSearchParams(location.search).has("show");

  const swap = async (to, { push = false } = {}) => {
    const mine = ++ticket;
    found.setAttribute("aria-busy", "true");
    let fresh;
    try { fresh = (await page(to)).getElementById("found"); } catch { fresh = null; }
    if (mine !== ticket) return; // something newer was asked for
    found.removeAttribute("aria-busy");
    if (!fresh) { document.getElementById("trouble").textContent = "The server does not answer."; return; }
    const trouble = fresh.querySelector(".trouble");
    if (trouble && found.querySelector("#runs")) { // a filter that is not complete yet: keep the rows that are there
      found.querySelector("#trouble").replaceChildren(trouble);
      return;
    }
    const marked = new Set([...found.querySelectorAll("input[name=runs]:checked")].map(box => box.value));
    found.replaceChildren(...fresh.childNodes);
    for (const box of found.querySelectorAll("input[name=runs]")) box.checked = marked.has(box.value);
    history[push ? "pushState" : "replaceState"](null, "", to);
    ready();
  };
  const soon = () => { clearTimeout(timer); timer = setTimeout(() => swap(address()), 200); };

  const count = () => {
    const marked = found.querySelectorAll("input[name=runs]:checked").length, button = document.getElementById("compare");
    if (button) { button.textContent = marked ? `Compare ${marked} run${marked > 1 ? "s" : ""}` : "Compare marked runs"; button.disabled = !marked; }
    for (const box of found.querySelectorAll("input[name=runs]")) box.closest("tr").classList.toggle("chosen", box.checked);
  };

  const more = async link => {
    if (loading) return;
    loading = true;
    const mine = ticket;
    try {
      const next = await page(link.href);
      if (mine !== ticket) return;
      document.querySelector("#runs tbody").append(...next.querySelectorAll("#runs tbody tr"));
      const further = next.getElementById("more");
      if (further) link.href = further.href; else link.closest("p").remove();
      sparks();
    } finally { loading = false; }
    near();
  };
  const near = () => { // the end of the rows comes into sight
    const box = document.querySelector(".scroll.long"), link = document.getElementById("more");
    if (box && link && box.scrollHeight - box.scrollTop - box.clientHeight < 1200) more(link);
  };

  // Drawings that the page did not bring along, for rows in sight.
  let watching = null;
  const sparks = () => {
    if (watching) watching.disconnect();
    const waiting = new Map();
    let later = 0;
    const ask = async () => {
      const cells = [...waiting.values()].flat().slice(0, 60);
      waiting.clear();
      const query = new URLSearchParams();
      for (const run of new Set(cells.map(cell => runOf(cell)))) query.append("run", run);
      for (const key of new Set(cells.map(cell => cell.dataset.spark))) query.append("key", key);
      const answer = await fetch(`${document.documentElement.dataset.root}/pages/sparklines?${query}`);
      if (!answer.ok) return;
      const drawn = await answer.json();
      for (const cell of cells) {
        const path = drawn[runOf(cell)]?.[cell.dataset.spark];
        if (!path) continue;
        const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"), line = document.createElementNS("http://www.w3.org/2000/svg", "path");
        for (const [name, value] of [["class", "spark"], ["viewBox", "0 0 1000 200"], ["preserveAspectRatio", "none"], ["aria-hidden", "true"]]) svg.setAttribute(name, value);
        line.setAttribute("d", path);
        svg.append(line);
        cell.prepend(svg);
      }
    };
    watching = new IntersectionObserver(entries => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        watching.unobserve(target);
        waiting.set(target, [target]);
      }
      clearTimeout(later);
      if (waiting.size) later = setTimeout(ask, 80);
    });
    for (const cell of found.querySelectorAll("td[data-spark]:not(:has(svg))")) watching.observe(cell);
  };
  const runOf = cell => cell.closest("tr").querySelector("input[name=runs]").value;

  const ready = () => {
    const box = document.querySelector(".scroll.long");
    if (box) box.addEventListener("scroll", near, { passive: true });
    count();
    sparks();
    near();
  };

  view.addEventListener("submit", event => { event.preventDefault(); swap(address(), { push: true }); });
  filter.addEventListener("input", soon);
  document.getElementById("group").addEventListener("change", () => swap(address(), { push: true }));
  const columnsChanged = () => {
    touched = true;
    const chosen = boxes().filter(box => box.checked).map(box => box.value), another = document.getElementById("another").value.trim();
    try { localStorage.setItem(place, JSON.stringify(another ? [...chosen, another] : chosen)); } catch { /* private window */ }
    swap(address());
  };
  document.getElementById("columns").addEventListener("change", columnsChanged);
  document.addEventListener("keydown", event => {
    const panel = view.querySelector("details.panel");
    if (event.key === "Escape" && panel.open) { panel.open = false; panel.querySelector("summary").focus(); }
  });
  document.addEventListener("click", event => {
    const panel = view.querySelector("details.panel");
    if (panel.open && !panel.contains(event.target)) panel.open = false;
  });

  found.addEventListener("click", event => {
    const heading = event.target.closest("thead th a");
    if (heading && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      const to = new URL(heading.href);
      view.elements.order.value = to.searchParams.get("order") || "";
      swap(address(), { push: true });
      return;
    }
    const link = event.target.closest("#more");
    if (link) { event.preventDefault(); more(link); return; }
    if (event.target.name !== "runs") return;
    const all = [...found.querySelectorAll("input[name=runs]")], here = all.indexOf(event.target);
    if (event.shiftKey && last !== null && all[last]) {
      for (const box of all.slice(Math.min(here, last), Math.max(here, last) + 1)) box.checked = event.target.checked;
    }
    last = here;
    count();
  });

  document.addEventListener("keydown", event => {
    const typing = event.target.matches("input:not([type=checkbox]), select, textarea");
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const rows = [...found.querySelectorAll("#runs tbody tr")], here = rows.indexOf(event.target.closest?.("#runs tbody tr"));
    const go = to => { const row = rows[Math.max(0, Math.min(rows.length - 1, to))]; if (row) { row.querySelector("th a").focus(); near(); } };
    switch (event.key) {
      case "/": filter.focus(); break;
      case "j": go(here + 1); break;
      case "k": go(here - 1); break;
      case "x": {
        if (here < 0) return;
        const box = rows[here].querySelector("input[name=runs]");
        box.checked = !box.checked;
        count();
        break;
      }
      case "c": {
        const button = document.getElementById("compare");
        if (button && !button.disabled) button.click();
        break;
      }
      default: return;
    }
    event.preventDefault();
  });
  addEventListener("popstate", () => location.reload());

  // Columns that were chosen here before, unless the address names others.
  let kept = null;
  try { kept = JSON.parse(localStorage.getItem(place)); } catch { kept = null; }
  if (!touched && Array.isArray(kept)) {
    touched = true;
    for (const box of boxes()) box.checked = kept.includes(box.value);
    const known = new Set(boxes().map(box => box.value));
    document.getElementById("another").value = kept.find(one => !known.has(one)) || "";
    swap(address());
  }
  ready();
})();
