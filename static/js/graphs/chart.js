// One chart in its card: curves by Chart.js, a legend where it has its own, zoom, a mark on the best point.
(() => {
  const { Curve, crosshair, duration, num3, whole, make } = window.Graphs;
  const NICE = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400];
  const TOOLTIP_LINES = 14;
  const DASHES = [[], [6, 3], [2, 2]];

  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const faded = (colour) => `${colour}47`; // of #rrggbb: 28 %

  const surface = (own) => getComputedStyle(own.card).backgroundColor;

  const usual = (values) => values.reduce((a, b) => // the most frequent one, the first of equals
    (values.filter((one) => one === b).length > values.filter((one) => one === a).length ? b : a));

  // a value between two gaps has no line: it is drawn as a dot
  function alone({ dataset, dataIndex }) {
    const gap = (at) => !dataset.data[at] || dataset.data[at].y === null;
    return !dataset.isSmooth && gap(dataIndex - 1) && gap(dataIndex + 1) ? 2.5 : 0;
  }

  const bestMarks = {
    id: "bestMarks",
    afterDatasetsDraw(chart) {
      const { ctx, chartArea, scales, own } = chart;
      for (const { curve, point } of own?.bests() ?? []) {
        const [x, y] = [scales.x.getPixelForValue(point[own.axis]), scales.y.getPixelForValue(point.y)];
        const outside = x < chartArea.left - 1 || x > chartArea.right + 1 || y < chartArea.top - 1 || y > chartArea.bottom + 1;
        if (outside || !Number.isFinite(x + y)) continue;
        ctx.save();
        ctx.beginPath();
        ctx.arc(x, y, 4.5, 0, 2 * Math.PI);
        ctx.fillStyle = surface(own);
        ctx.fill();
        ctx.lineWidth = 2.5;
        ctx.strokeStyle = css(`--series-${curve.look.colour}`);
        ctx.stroke();
        ctx.restore();
      }
    },
  };

  class MetricChart {
    constructor(page, { name, title, x, timed, csv }) {
      Object.assign(this, { page, name, title: title ?? name, xName: x, timed, curves: new Map() });
      this.canvas = make("canvas", { role: "img" });
      this.box = make("div", { class: "chart-box" }, this.canvas);
      this.legend = make("div", { class: "chart-legend" });
      window.Graphs.dressCard(this, csv);
    }

    get axis() { // the key of a point that lies along x
      return this.timed && this.page.view.get("x") === "time" ? "t" : "x";
    }

    get isLog() {
      return this.page.view.get("log").includes(this.name);
    }

    get axisWord() {
      return this.axis === "t" ? this.page.words.time : this.xName;
    }

    along(value) { // a place on the x axis in words
      return this.axis === "t" ? duration(value) : whole(value);
    }

    draw() { // once the card is in the page: Chart.js measures its box
      this.chart = new Chart(this.canvas, {
        type: "line",
        data: { datasets: [] },
        plugins: [crosshair, bestMarks],
        options: {
          animation: false,
          parsing: false,
          normalized: false,
          maintainAspectRatio: false,
          spanGaps: false,
          interaction: { mode: "near" },
          elements: { point: { radius: alone, hoverRadius: 4, hitRadius: 8 }, line: { borderWidth: 2, tension: 0 } },
          scales: {
            x: { type: "linear", title: { display: true }, ticks: { maxTicksLimit: 8, callback: (value) => this.along(value) }, afterBuildTicks: (scale) => this.niceTimes(scale) },
            y: { type: "linear", ticks: { maxTicksLimit: 6, callback: (value, _n, ticks) => this.tickOfY(value, ticks) } },
          },
          plugins: {
            legend: { display: false },
            tooltip: this.tooltip(),
            zoom: window.Graphs.zoomOptions(this),
          },
        },
      });
      this.chart.own = this;
      this.page.together.add(this);
    }

    tooltip() {
      return {
        itemSort: (a, b) => b.parsed.y - a.parsed.y,
        filter: (item, n) => n < TOOLTIP_LINES,
        callbacks: {
          title: (items) => (items.length ? `${this.axisWord} ${this.along(usual(items.map((item) => item.parsed.x)))}` : ""),
          label: (item) => this.tooltipLine(item),
          labelColor: ({ dataset }) => ({ borderColor: dataset.hoverBorderColor, backgroundColor: dataset.hoverBackgroundColor }),
        },
      };
    }

    tooltipLine({ dataset, parsed }) {
      const { curve } = dataset;
      const smoothed = this.chart.data.datasets.find((other) => other.isSmooth && other.curve === curve);
      const near = smoothed?.data.reduce((a, b) => (b.y !== null && Math.abs(b.x - parsed.x) < Math.abs(a.x - parsed.x) ? b : a), { x: Infinity });
      const both = near && Number.isFinite(near.x) ? ` (${this.page.words.smoothed} ${num3(near.y)})` : "";
      const best = curve.best();
      const star = best && best.y === parsed.y && best[this.axis] === parsed.x ? ` ★ ${this.page.words.best}` : "";
      const name = curve.look.label.length > 40 ? `${curve.look.label.slice(0, 39)}…` : curve.look.label;
      return ` ${name}: ${num3(parsed.y)}${both}${star}`;
    }

    tickOfY(value, ticks) { // of a log axis over more than a decade only 1, 2 and 5 have room
      if (!this.chart) return num3(value);
      const { min, max, type } = this.chart.scales.y;
      if (type !== "logarithmic" || max / min < 10) return num3(value);
      const digit = Math.round(value / 10 ** Math.floor(Math.log10(value) + 1e-9));
      return digit === 1 || (max / min < 1e3 && (digit === 2 || digit === 5)) || ticks.length < 4 ? num3(value) : "";
    }

    niceTimes(scale) { // an hour has 60 minutes
      if (this.axis !== "t") return;
      const most = Math.max(3, Math.min(8, Math.floor(scale.width / 70)));
      const step = NICE.find((one) => (scale.max - scale.min) / one <= most) ?? 86_400 * Math.ceil((scale.max - scale.min) / 86_400 / most);
      scale.ticks = [];
      for (let value = Math.ceil(scale.min / step) * step; value <= scale.max; value += step) scale.ticks.push({ value });
    }

    // --- what comes -------------------------------------------------------------------------------------------------
    curve(series) {
      const key = this.page.keyOf(this.name, series);
      if (!this.curves.has(key)) {
        this.curves.set(key, new Curve(key, series, this.page.lookOf(series, this.curves.size)));
        window.Graphs.addToLegend(this, this.curves.get(key));
      }
      return this.curves.get(key);
    }

    add(news) {
      for (const series of news.series) {
        const curve = this.curve(series);
        if (series.replace ?? news.replace) curve.clear();
        curve.add(series);
      }
      this.show();
    }

    isHidden(curve) {
      return this.page.view.get("hide").includes(curve.key);
    }

    bests() {
      return [...this.curves.values()].filter((curve) => !this.isHidden(curve))
        .map((curve) => ({ curve, point: curve.best() })).filter(({ point }) => point && !(this.isLog && point.y <= 0));
    }

    show() { // the curves on the axes chosen
      if (!this.chart) return;
      const weight = this.page.view.get("smooth") ? this.page.view.get("weight") : 0;
      this.chart.data.datasets = [...this.curves.values()].flatMap((curve, n) => {
        const { raw, smoothed } = curve.drawn(this.axis, this.isLog, weight);
        const common = { label: curve.look.label, curve, all: curve.all, borderDash: DASHES[curve.look.dash ?? 0], hidden: this.isHidden(curve) };
        curve.sets ??= [{ isSmooth: false, order: 1000 - n }, { isSmooth: true, order: -n }]; // the same ones stay: a tooltip does too
        Object.assign(curve.sets[0], common, { data: raw, isFaded: weight > 0, borderWidth: weight > 0 || raw.length > 600 ? 1.25 : 2 });
        Object.assign(curve.sets[1], common, { data: smoothed });
        return weight > 0 ? curve.sets : curve.sets.slice(0, 1);
      });
      this.chart.options.scales.y.type = this.isLog ? "logarithmic" : "linear";
      this.chart.options.scales.x.title.text = this.axisWord;
      this.describe();
      this.paint();
    }

    paint() { // the theme's colours
      const [text, grid] = [css("--chart-text"), css("--chart-grid")];
      for (const scale of Object.values(this.chart.options.scales)) {
        scale.ticks.color = text;
        scale.grid = { color: grid };
        scale.border = { color: grid };
        if (scale.title) scale.title.color = text;
      }
      for (const dataset of this.chart.data.datasets) {
        const full = css(`--series-${dataset.curve.look.colour}`);
        const line = dataset.isFaded ? faded(full) : full;
        Object.assign(dataset, { borderColor: line, backgroundColor: line, hoverBorderColor: full, hoverBackgroundColor: full });
      }
      this.chart.update();
    }

    describe() { // in words, for whoever cannot see it
      const { words } = this.page;
      const facts = [...this.curves.values()].slice(0, 20).map((curve) => {
        const [best, last] = [curve.best(), curve.last()];
        if (!last) return curve.look.label;
        if (!best) return words.lastFact.replace("{name}", curve.look.label).replace("{last}", num3(last.y));
        return words.fact.replace("{name}", curve.look.label).replace("{goal}", curve.goal === "min" ? words.lowest : words.highest)
          .replace("{best}", num3(best.y)).replace("{at}", `${this.xName} ${whole(best.x)}`).replace("{last}", num3(last.y));
      });
      this.canvas.setAttribute("aria-label", words.graph.replace("{name}", this.title).replace("{series}", facts.join("; ")));
    }

    remove() {
      this.page.together.remove(this);
      this.chart?.destroy();
      this.card.remove();
    }
  }

  Object.assign(window.Graphs, { MetricChart, css, surface });
})();
