// Live graphs: each <section data-chart-source="URL" data-active="true"> polls URL?after=<cursor> (docs/front-end.md).
// One card a chart; the table the server rendered (data-chart-fallback) stays below.
(() => {
  const POLL = 2000; // ms
  const SLOWEST = 30_000;
  const MOST_POINTS = 1000; // a series
  const COLOURS = 8; // --series-1 … in static/css/portal.css
  const words = document.querySelector("[data-chart-words]").dataset;

  // --- numbers and points -----------------------------------------------------------------------------------------
  function num3(value) { // as `num3` in trainportal/templatetags/portal.py
    if (value === null || Number.isNaN(value)) return "—";
    const rounded = Number(value.toPrecision(3));
    if (Math.abs(rounded) >= 1000 && Math.abs(rounded) < 1e15) return rounded.toLocaleString("en");
    if (rounded !== 0 && Math.abs(rounded) < 1e-4) return String(rounded.toExponential()).replace(/e-(\d)$/, "e-0$1");
    return String(rounded);
  }

  // Halves a long series and keeps each bucket's lowest and highest, so that spikes survive.
  function thin(points) {
    const kept = [];
    for (let at = 0; at < points.length; at += 4) {
      const bucket = points.slice(at, at + 4);
      const known = bucket.filter((point) => point.y !== null);
      if (known.length < 2) {
        kept.push(bucket[0], ...known.filter((point) => point !== bucket[0]));
        continue;
      }
      const low = known.reduce((a, b) => (b.y < a.y ? b : a));
      const high = known.reduce((a, b) => (b.y >= a.y ? b : a));
      const gap = bucket.find((point) => point.y === null);
      kept.push(...[low, high, ...(gap ? [gap] : [])].sort((a, b) => a.x - b.x));
    }
    return kept;
  }

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const seriesColour = (index) => colour(`--series-${(index % COLOURS) + 1}`);

  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }

  // --- one chart --------------------------------------------------------------------------------------------------
  class MetricChart {
    constructor(name, x) {
      this.canvas = make("canvas", { role: "img" });
      this.legend = make("div", { class: "chart-legend" });
      this.log = make("input", { type: "checkbox", class: "form-check-input" });
      this.card = make("article", { class: "card chart-card" },
        make("div", { class: "card-header" },
          make("h3", { class: "card-title" }, name),
          make("label", { class: "form-check chart-log" }, this.log, make("span", { class: "form-check-label" }, words.log))),
        make("div", { class: "card-body" }, this.legend, make("div", { class: "chart-box" }, this.canvas)));
      this.name = name;
      this.x = x;
      this.log.addEventListener("change", () => this.setScale());
    }

    draw() { // once the card is in the page: Chart.js measures its box
      this.chart = new Chart(this.canvas, {
        type: "line",
        data: { datasets: [] },
        options: {
          animation: false,
          parsing: false,
          maintainAspectRatio: false,
          spanGaps: false,
          interaction: { mode: "nearest", axis: "x", intersect: false },
          elements: { point: { radius: alone, hoverRadius: 4, hitRadius: 8 }, line: { borderWidth: 2, tension: 0 } },
          scales: {
            x: { type: "linear", title: { display: true, text: this.x }, ticks: { maxTicksLimit: 8, precision: 0 } },
            y: { type: "linear", ticks: { maxTicksLimit: 6, callback: num3 } },
          },
          plugins: {
            legend: { display: false },
            tooltip: {
              callbacks: {
                title: (items) => (items.length ? `${this.x} ${num3(items[0].parsed.x)}` : ""),
                label: (item) => ` ${item.dataset.label}: ${num3(item.parsed.y)}`,
              },
            },
          },
        },
      });
      this.paint();
    }

    dataset(name) {
      const known = this.chart.data.datasets.find((dataset) => dataset.label === name);
      if (known) return known;
      const index = this.chart.data.datasets.length;
      const dataset = { label: name, all: [], data: [], pointStyle: "circle" };
      this.chart.data.datasets.push(dataset);
      const button = make("button", { type: "button", "aria-pressed": "true" }, make("i", { class: `swatch series-${(index % COLOURS) + 1}` }), name);
      button.addEventListener("click", () => {
        const shown = !this.chart.isDatasetVisible(index);
        this.chart.setDatasetVisibility(index, shown);
        button.setAttribute("aria-pressed", String(shown));
        this.chart.update();
      });
      this.legend.append(button);
      return dataset;
    }

    add(news) {
      if (news.replace) for (const dataset of this.chart.data.datasets) dataset.all = [];
      for (const { name, points } of news.series) {
        const dataset = this.dataset(name);
        for (const [x, y] of points) dataset.all.push({ x, y });
        while (dataset.all.length > MOST_POINTS) dataset.all = thin(dataset.all);
      }
      const series = this.chart.data.datasets.map((dataset) => dataset.label).join(", ");
      this.canvas.setAttribute("aria-label", words.graph.replace("{name}", this.name).replace("{series}", series));
      this.setScale();
    }

    setScale() { // a log scale has no place for zero and below: a gap
      const log = this.log.checked;
      this.chart.options.scales.y.type = log ? "logarithmic" : "linear";
      for (const dataset of this.chart.data.datasets) {
        dataset.data = dataset.all.map(({ x, y }) => ({ x, y: log && y <= 0 ? null : y }));
      }
      this.paint();
    }

    paint() { // the theme's colours
      const text = colour("--chart-text");
      const grid = colour("--chart-grid");
      for (const scale of Object.values(this.chart.options.scales)) {
        scale.ticks.color = text;
        scale.grid = { color: grid };
        scale.border = { color: grid };
        if (scale.title) scale.title.color = text;
      }
      this.chart.data.datasets.forEach((dataset, index) => {
        const own = seriesColour(index);
        Object.assign(dataset, { borderColor: own, backgroundColor: own, hoverBorderColor: own, hoverBackgroundColor: own });
      });
      this.chart.update();
    }
  }

  // a value between two gaps has no line: it is drawn as a dot
  function alone({ dataset, dataIndex }) {
    const gap = (at) => !dataset.data[at] || dataset.data[at].y === null;
    return gap(dataIndex - 1) && gap(dataIndex + 1) ? 2.5 : 0;
  }

  // --- one section ------------------------------------------------------------------------------------------------
  class Section {
    constructor(root) {
      this.root = root;
      this.charts = new Map();
      this.cursor = 0;
      this.active = root.dataset.active === "true";
      this.wait = POLL;
      this.note = make("p", { class: "chart-note", role: "status" }, this.active ? words.waiting : "");
      this.grid = make("div", { class: "chart-grid" });
      const fallback = root.querySelector("[data-chart-fallback]");
      root.insertBefore(this.note, fallback);
      root.insertBefore(this.grid, fallback);
      this.poll();
    }

    async poll() {
      if (!this.root.isConnected) return;
      if (document.hidden && this.cursor) {
        document.addEventListener("visibilitychange", () => this.poll(), { once: true });
        return;
      }
      try {
        const url = new URL(this.root.dataset.chartSource, location.href);
        url.searchParams.set("after", this.cursor);
        const response = await fetch(url, { headers: { Accept: "application/json" } });
        if (response.redirected) return location.reload(); // the session ended
        if (!response.ok) throw new Error(String(response.status));
        if (response.status !== 204) this.take(await response.json());
        this.wait = POLL;
        this.say(this.charts.size ? "" : this.active ? words.waiting : words.none);
      } catch {
        this.wait = Math.min(this.wait * 2, SLOWEST);
        this.say(words.lost);
        setTimeout(() => this.poll(), this.wait);
        return;
      }
      if (this.active) setTimeout(() => this.poll(), this.wait);
    }

    take({ cursor, active, charts }) {
      this.cursor = cursor;
      this.active = active;
      for (const news of charts) {
        if (!this.charts.has(news.name)) {
          const chart = new MetricChart(news.name, news.x);
          this.grid.append(chart.card);
          chart.draw();
          this.charts.set(news.name, chart);
        }
        this.charts.get(news.name).add(news);
      }
    }

    say(text) {
      if (this.note.textContent !== text) this.note.textContent = text;
      this.note.hidden = !text;
    }
  }

  const sections = new Map();
  function scan() {
    for (const root of document.querySelectorAll("[data-chart-source]")) {
      if (!sections.has(root)) sections.set(root, new Section(root));
    }
    for (const root of sections.keys()) if (!root.isConnected) sections.delete(root);
  }
  scan();
  document.addEventListener("htmx:load", scan);
  new MutationObserver(() => {
    for (const section of sections.values()) for (const chart of section.charts.values()) chart.paint();
  }).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
})();
