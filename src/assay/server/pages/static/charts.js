// Charts of metrics: many runs over one another, smoothed, on a log scale, zoomed by asking for finer points.
"use strict";
(() => {
  const COLOURS = 8;
  const DASHES = [[], [6, 4], [2, 3], [8, 3, 2, 3]]; // a ninth run has the first colour and another dash
  const MOST = 600;
  const FEW = 40; // a line of fewer points shows each of them
  const ACROSS = { step: "step", time: "time (UTC)", relative: "time since the start of the run" };
  const colourOf = text => { // what a token is in the theme of now
    const probe = document.createElement("span");
    probe.style.color = text;
    document.body.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  };
  const said = value => value === null || value === undefined ? "–" : Number(value.toPrecision(6)).toString().replace("-", "−");
  const node = (name, text, attributes) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
    return made;
  };

  // Exponential moving average, with the weight of the empty beginning taken out.
  const smoothed = (values, weight) => {
    let sum = 0, mass = 0;
    return values.map(value => {
      if (value === null || value === undefined) return value;
      sum = weight * sum + (1 - weight) * value;
      mass = weight * mass + (1 - weight);
      return sum / mass;
    });
  };

  class Chart {
    constructor(figure, runs, settings) {
      this.figure = figure;
      this.key = figure.dataset.key;
      this.runs = runs;
      this.settings = settings;
      this.box = figure.querySelector(".plot");
      this.legend = figure.querySelector(".scroll");
      this.off = new Set();
      this.zoomed = null;
      this.asked = 0;
      this.box.tabIndex = 0;
      this.box.addEventListener("keydown", event => this.onKey(event));
      new ResizeObserver(() => this.plot && this.plot.setSize(this.size())).observe(this.box);
    }

    size() { return { width: Math.max(200, this.box.clientWidth), height: 224 }; }

    address() {
      const query = new URLSearchParams({ key: this.key, most: MOST });
      for (const run of this.runs) query.append("run", run);
      if (this.settings.across !== "step") query.set("x", "time");
      if (this.settings.late) query.set("late", "1");
      if (this.zoomed && this.settings.across !== "relative") { // relative times differ by run: all points of the whole
        const factor = this.settings.across === "time" ? 1000 : 1;
        query.set("from", Math.floor(this.zoomed[0] * factor));
        query.set("to", Math.ceil(this.zoomed[1] * factor));
      } else if (this.zoomed) {
        query.set("most", 2000);
      }
      return `${document.documentElement.dataset.root}/pages/series?${query}`;
    }

    async load() {
      const ticket = ++this.asked;
      try {
        const answer = await fetch(this.address());
        if (!answer.ok) throw new Error(await answer.text());
        const found = await answer.json();
        if (ticket !== this.asked) return; // something newer was asked for
        this.series = found.series;
        this.draw();
      } catch (error) {
        if (ticket !== this.asked) return;
        this.box.classList.remove("waiting");
        this.box.textContent = `The points could not be read. ${error.message}`;
      }
    }

    across(line) {
      if (this.settings.across === "step") return line.step;
      const start = this.settings.across === "relative" ? this.starts(line) : 0;
      return line.ts_ms.map(each => (each - start) / 1000);
    }

    starts(line) { // of the whole line, not of the part that is looked at
      this.firsts = this.firsts || {};
      const first = line.ts_ms.reduce((low, each) => Math.min(low, each), Infinity);
      this.firsts[line.run] = Math.min(this.firsts[line.run] ?? Infinity, first);
      return this.firsts[line.run];
    }

    table(line) { // uPlot wants each place once, in order; the last value of a place stands
      const place = this.across(line), byPlace = new Map();
      place.forEach((x, index) => {
        const value = line.value[index];
        byPlace.set(x, this.settings.log && value !== null && value <= 0 ? null : value);
      });
      const xs = [...byPlace.keys()].sort((one, other) => one - other);
      return [xs, xs.map(x => byPlace.get(x))];
    }

    draw(anew = false) {
      this.box.classList.remove("waiting");
      const lines = this.series.filter(line => line.step.length);
      const smooth = this.settings.smooth > 0;
      const tables = lines.map(line => {
        const [xs, values] = this.table(line);
        return smooth ? [xs, values, smoothed(values, this.settings.smooth)] : [xs, values];
      });
      const data = tables.length > 1 ? uPlot.join(tables) : tables[0];
      const form = JSON.stringify([lines.map(line => line.run), smooth, this.settings, tables.map(([xs]) => xs.length < FEW)]);
      if (this.plot && !anew && form === this.form) { // the same lines with other points: nothing but the points is drawn
        this.data = data;
        this.plot.setData(data);
        this.fill(tables);
        return;
      }
      this.form = form;
      if (this.plot) this.plot.destroy();
      this.plot = null;
      this.box.textContent = "";
      if (!lines.length) { this.box.textContent = "No points here."; return; }
      const series = [{}];
      lines.forEach((line, number) => {
        const colour = colourOf(`var(--line-${number % COLOURS})`);
        const dash = DASHES[Math.floor(number / COLOURS) % DASHES.length];
        const shown = !this.off.has(line.run);
        const few = tables[number][0].length < FEW;
        const base = { show: shown, stroke: colour, dash, points: { show: few, size: 5 } };
        if (smooth) series.push({ ...base, stroke: colour.replace("rgb(", "rgba(").replace(")", ", 0.3)"), width: 1, points: { show: false } });
        series.push({ ...base, width: 2 });
      });
      const ink = colourOf("var(--muted)"), grid = { stroke: colourOf("var(--line)"), width: 1 };
      const font = "12px " + getComputedStyle(document.body).fontFamily;
      const axis = { stroke: ink, grid, ticks: grid, font };
      this.plot = new uPlot({
        ...this.size(),
        legend: { show: false },
        series,
        cursor: { drag: { x: true, y: false }, points: { size: 7 } },
        scales: { x: { time: this.settings.across === "time", range: (_, low, high) => this.zoomed || (low === high ? [low - 1, high + 1] : [low, high]) },
                  y: this.settings.log ? { distr: 3 } : {} },
        axes: [{ ...axis, space: 60, size: 34, label: ACROSS[this.settings.across], labelFont: font, labelSize: 20, ...this.units() }, { ...axis, size: 62, values: (_, splits) => splits.map(each => each === null ? "" : said(each)) }],
        hooks: {
          setSelect: [plot => {
            if (plot.select.width > 2) this.zoom([plot.posToVal(plot.select.left, "x"), plot.posToVal(plot.select.left + plot.select.width, "x")]);
          }],
          setCursor: [plot => this.tell(plot.cursor.idx)],
        },
      }, data, this.box);
      this.plot.over.addEventListener("dblclick", event => { event.stopImmediatePropagation(); this.zoom(null); }, true);
      this.data = data;
      this.lines = lines;
      this.step = smooth ? 2 : 1;
      this.list(tables);
    }

    list(tables) {
      const table = node("table"), head = node("tr"), body = node("tbody");
      for (const name of ["Run", "Here", "Last", "Lowest", "Highest"]) head.append(node("th", name, { scope: "col", class: name === "Run" ? "" : "num" }));
      const top = node("thead");
      top.append(head);
      table.append(top, body);
      this.here = this.lines.map((line, number) => {
        const row = node("tr"), name = node("th", undefined, { scope: "row" });
        const button = node("button", line.name || line.run.slice(0, 8), { type: "button", class: "quiet", "aria-pressed": String(!this.off.has(line.run)), title: "Show or hide this run" });
        const swatch = node("span", undefined, { class: "swatch", "aria-hidden": "true" });
        swatch.style.color = `var(--line-${number % COLOURS})`;
        button.prepend(swatch);
        button.addEventListener("click", () => {
          if (this.off.has(line.run)) this.off.delete(line.run); else this.off.add(line.run);
          button.setAttribute("aria-pressed", String(!this.off.has(line.run)));
          row.style.opacity = this.off.has(line.run) ? "0.65" : "";
          for (let part = 0; part < this.step; part++) this.plot.setSeries(1 + number * this.step + part, { show: !this.off.has(line.run) });
        });
        name.append(button);
        row.append(name, ...["here", "last", "lowest", "highest"].map(() => node("td", "–", { class: "num" })));
        body.append(row);
        return row.cells[1];
      });
      this.legend.hidden = false;
      this.legend.replaceChildren(table);
      this.fill(tables);
    }

    fill(tables) {
      this.here.forEach((cell, number) => {
        const values = tables[number][1].filter(each => each !== null && each !== undefined), row = cell.closest("tr");
        const lowest = values.reduce((low, each) => Math.min(low, each), Infinity), highest = values.reduce((high, each) => Math.max(high, each), -Infinity);
        row.cells[2].textContent = said(values.at(-1));
        row.cells[3].textContent = values.length ? said(lowest) : "–";
        row.cells[4].textContent = values.length ? said(highest) : "–";
      });
    }

    units() { // seconds since the start are read better in the unit that suits them
      if (this.settings.across === "time") return {};
      if (this.settings.across === "step") return { values: (_, splits) => splits.map(each => Number.isInteger(each) ? each.toLocaleString("en") : "") };
      return { values: (_, splits) => {
        const [width, unit] = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]].find(([wide]) => Math.abs(splits.at(-1)) >= 2 * wide) || [1, "s"];
        return splits.map(each => `${said(each / width)} ${unit}`);
      } };
    }

    tell(index) { // the value at the cursor, or the last one before it
      if (!this.here) return;
      this.here.forEach((cell, number) => {
        const values = this.data[1 + number * this.step];
        let place = index;
        while (place > 0 && (values[place] === null || values[place] === undefined)) place--;
        cell.textContent = index === null || index === undefined ? "–" : said(values[place]);
      });
    }

    zoom(part) {
      this.zoomed = part;
      this.load();
    }

    onKey(event) {
      if (!this.plot || event.ctrlKey || event.metaKey || event.altKey) return;
      const { min, max } = this.plot.scales.x, width = max - min;
      const to = { "+": [min + width / 4, max - width / 4], "=": [min + width / 4, max - width / 4], "-": [min - width / 2, max + width / 2],
                   ArrowLeft: [min - width / 4, max - width / 4], ArrowRight: [min + width / 4, max + width / 4], 0: null }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      this.zoom(to);
    }
  }

  const begin = area => {
    const controls = area.querySelector("[data-controls]");
    const settings = { smooth: 0, across: "step", log: false, late: false };
    const runs = area.dataset.runs.split(" ").filter(Boolean);
    const charts = new Map();
    controls.hidden = false;
    controls.addEventListener("submit", event => event.preventDefault());
    const seen = new IntersectionObserver(entries => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting || charts.has(target)) continue;
        charts.set(target, new Chart(target, runs, settings));
        charts.get(target).load();
      }
    }, { rootMargin: "300px" });
    for (const figure of area.querySelectorAll(".chart")) seen.observe(figure);
    const smooth = controls.querySelector("#smooth");
    smooth.addEventListener("input", () => {
      settings.smooth = Number(smooth.value);
      controls.querySelector("output").textContent = smooth.value;
      for (const chart of charts.values()) if (chart.series) chart.draw();
    });
    controls.querySelector("#log").addEventListener("change", event => {
      settings.log = event.target.checked;
      for (const chart of charts.values()) if (chart.series) chart.draw();
    });
    for (const name of ["across", "late"]) {
      controls.querySelector(`#${name}`).addEventListener("change", event => {
        settings[name] = name === "late" ? event.target.checked : event.target.value;
        for (const chart of charts.values()) { chart.firsts = {}; chart.zoom(null); }
      });
    }
    document.addEventListener("themechange", () => { for (const chart of charts.values()) if (chart.series) chart.draw(true); });
    document.addEventListener("freshcharts", event => { // a page of the same run that is newer: charts with more points, and new ones
      for (const figure of event.detail.querySelectorAll(".chart")) {
        const here = [...area.querySelectorAll(".chart")].find(one => one.dataset.key === figure.dataset.key);
        if (!here) {
          const made = document.importNode(figure, true);
          area.querySelector(".charts").append(made);
          seen.observe(made);
        } else if (here.dataset.count !== figure.dataset.count) {
          here.dataset.count = figure.dataset.count;
          charts.get(here)?.load();
        }
      }
    });
  };
  for (const area of document.querySelectorAll("[data-charts]")) begin(area);
})();
