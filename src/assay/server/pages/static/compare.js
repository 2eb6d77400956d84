// Parallel coordinates and a scatter of the runs of a comparison, as SVG.
"use strict";
(() => {
  const area = document.querySelector("[data-plots]");
  if (!area) return;
  const { runs, axes } = JSON.parse(document.getElementById("plotted").textContent);
  const SPACE = "http://www.w3.org/2000/svg";
  const said = value => value === null ? "–" : typeof value === "number" ? (Number.isInteger(value) || Math.abs(value) >= 1000 && Math.abs(value) < 1e15 ? Math.round(value).toLocaleString("en") : Number(value.toPrecision(4)).toString()).replace("-", "−") : value;
  const cut = (text, most) => text.length > most ? `${text.slice(0, most - 1)}…` : text;
  const svg = (name, attributes, text) => {
    const made = document.createElementNS(SPACE, name);
    for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const levels = axis => axis.numeric ? null : [...new Set(axis.values.filter(each => each !== null))].sort();
  // From a value to 0 (low) .. 1 (high); null where there is none.
  const scale = axis => {
    const names = levels(axis);
    if (names) return value => value === null ? null : names.length < 2 ? 0.5 : names.indexOf(value) / (names.length - 1);
    const there = axis.values.filter(each => each !== null);
    const low = Math.min(...there), high = Math.max(...there);
    return value => value === null ? null : high === low ? 0.5 : (value - low) / (high - low);
  };
  const ticks = axis => {
    const names = levels(axis);
    if (names) return names.length > 12 ? names.filter((_, place) => place % Math.ceil(names.length / 12) === 0) : names;
    const there = axis.values.filter(each => each !== null);
    const low = Math.min(...there), high = Math.max(...there);
    return high === low ? [low] : [0, 0.25, 0.5, 0.75, 1].map(part => low + part * (high - low));
  };
  const colour = part => part === null ? "var(--edge)" : `color-mix(in oklab, var(--line-1) ${Math.round(part * 100)}%, var(--line-0))`;

  const options = (select, chosen) => axes.forEach((axis, place) => {
    const option = new Option(`${axis.kind === "metric" ? "metric" : "param"} ${axis.key}`, place, false, place === chosen);
    select.append(option);
  });
  const lastMetric = axes.findLastIndex(axis => axis.kind === "metric");
  const firstParam = axes.findIndex(axis => axis.kind === "param");
  const [byColour, across, up] = ["colour", "x", "y"].map(id => document.getElementById(id));
  options(byColour, lastMetric);
  options(across, Math.max(firstParam, 0));
  options(up, lastMetric >= 0 ? lastMetric : axes.length - 1);

  const shown = new Set(axes.map((_, place) => place).slice(-8));
  const list = document.getElementById("axes");
  axes.forEach((axis, place) => {
    const item = document.createElement("li"), label = document.createElement("label"), box = document.createElement("input");
    box.type = "checkbox";
    box.checked = shown.has(place);
    box.addEventListener("change", () => { if (box.checked) shown.add(place); else shown.delete(place); parallel(); });
    label.append(box, ` ${axis.key}`);
    item.append(label);
    list.append(item);
  });

  const link = run => {
    const made = svg("a", { href: `${document.documentElement.dataset.root}/runs/${encodeURIComponent(run.id)}`, "aria-label": run.name || run.id.slice(0, 8) });
    return made;
  };

  const parallel = () => {
    const box = document.getElementById("parallel"), used = axes.filter((_, place) => shown.has(place));
    const width = Math.max(box.clientWidth - 2, used.length * 120, 300), height = 328, top = 54, bottom = 24, side = 70;
    const drawn = svg("svg", { class: "drawn", viewBox: `0 0 ${width} ${height}`, width, height, role: "group", "aria-label": "A line for each run over its params and metrics" });
    drawn.style.width = `${width}px`;
    const left = place => used.length < 2 ? width / 2 : side + place * (width - 2 * side) / (used.length - 1);
    const down = part => height - bottom - part * (height - top - bottom);
    const scales = used.map(scale), toned = axes[byColour.value], tone = toned ? scale(toned) : () => null;
    runs.forEach((run, number) => {
      let path = "", joined = false;
      used.forEach((axis, place) => {
        const part = scales[place](axis.values[number]);
        if (part === null) { joined = false; return; }
        path += `${joined ? "L" : "M"}${left(place).toFixed(1)} ${down(part).toFixed(1)}`;
        joined = true;
      });
      const line = svg("path", { class: "run", d: path || "M0 0" });
      line.style.stroke = toned ? colour(tone(toned.values[number])) : "var(--line-0)";
      const anchor = link(run);
      anchor.append(svg("title", {}, `${run.name}: ${used.map(axis => `${axis.key} ${said(axis.values[number])}`).join(", ")}`), line);
      for (const on of ["focus", "pointerenter"]) anchor.addEventListener(on, () => line.classList.add("on"));
      for (const off of ["blur", "pointerleave"]) anchor.addEventListener(off, () => line.classList.remove("on"));
      drawn.append(anchor);
    });
    used.forEach((axis, place) => {
      const x = left(place);
      drawn.append(svg("line", { class: "axis", x1: x, x2: x, y1: top, y2: height - bottom }));
      drawn.append(svg("text", { class: "strong", x, y: place % 2 ? 30 : 14, "text-anchor": "middle" }, cut(axis.key, 22)));
      for (const value of ticks(axis)) drawn.append(svg("text", { x: x + 5, y: down(scales[place](value)) - 3 }, cut(String(said(value)), 10)));
    });
    box.replaceChildren(drawn);
  };

  const scatter = () => {
    const box = document.getElementById("scatter"), [one, other] = [axes[across.value], axes[up.value]];
    const width = Math.max(Math.min(box.clientWidth - 2, 760), 300), height = 340, pad = { left: 76, right: 24, top: 16, bottom: 44 };
    const drawn = svg("svg", { class: "drawn", viewBox: `0 0 ${width} ${height}`, width, height, role: "group", "aria-label": `${other.key} against ${one.key}, a point for each run` });
    drawn.style.width = `${width}px`;
    const [sx, sy] = [scale(one), scale(other)];
    const x = part => pad.left + part * (width - pad.left - pad.right), y = part => height - pad.bottom - part * (height - pad.top - pad.bottom);
    ticks(one).forEach(value => {
      const at = x(sx(value));
      drawn.append(svg("line", { class: "grid", x1: at, x2: at, y1: pad.top, y2: height - pad.bottom }), svg("text", { x: at, y: height - pad.bottom + 16, "text-anchor": "middle" }, cut(String(said(value)), 12)));
    });
    ticks(other).forEach(value => {
      const at = y(sy(value));
      drawn.append(svg("line", { class: "grid", x1: pad.left, x2: width - pad.right, y1: at, y2: at }), svg("text", { x: pad.left - 6, y: at + 4, "text-anchor": "end" }, cut(String(said(value)), 10)));
    });
    drawn.append(svg("text", { class: "strong", x: (pad.left + width - pad.right) / 2, y: height - 8, "text-anchor": "middle" }, cut(one.key, 60)));
    drawn.append(svg("text", { class: "strong", x: 14, y: (pad.top + height - pad.bottom) / 2, "text-anchor": "middle", transform: `rotate(-90 14 ${(pad.top + height - pad.bottom) / 2})` }, cut(other.key, 40)));
    const toned = axes[byColour.value], tone = scale(toned);
    runs.forEach((run, number) => {
      const [px, py] = [sx(one.values[number]), sy(other.values[number])];
      if (px === null || py === null) return;
      const dot = svg("circle", { cx: x(px), cy: y(py), r: 5.5 });
      dot.style.fill = colour(tone(toned.values[number]));
      const anchor = link(run);
      anchor.append(svg("title", {}, `${run.name}: ${one.key} ${said(one.values[number])}, ${other.key} ${said(other.values[number])}`), dot);
      drawn.append(anchor);
    });
    box.replaceChildren(drawn);
  };

  area.hidden = false;
  const both = () => { parallel(); scatter(); };
  byColour.addEventListener("change", both);
  across.addEventListener("change", scatter);
  up.addEventListener("change", scatter);
  addEventListener("resize", both);
  both();
})();
