// Live graphs: each <section data-chart-source="URL" data-active="true"> polls URL?after=<cursor> (docs/graphs.md).
// One card a chart; the table the server rendered (data-chart-fallback) stays below.
(() => {
  const { MetricChart, Together, View, make, refreshLegend, restoreZoom, toolbar } = window.Graphs;
  const POLL = 2000; // ms
  const SLOWEST = 30_000;
  const COLOURS = 12; // --series-1 … in static/css/graphs.css
  const words = document.querySelector("[data-chart-words]").dataset;
  let ids = 0;

  class Page {
    constructor(root) {
      Object.assign(this, { root, words, id: ids++, charts: new Map(), cursor: "0", wait: POLL, sought: "" });
      this.active = root.dataset.active === "true";
      this.hasLegend = root.dataset.chartLegend === "true";
      this.view = new View(root);
      this.together = new Together();
      this.looks = new Map([...document.querySelectorAll("[data-curve-look]")].map((element) => [element.dataset.curveLook, element.dataset]));
      this.note = make("p", { class: "chart-note", role: "status" }, this.active ? words.waiting : "");
      this.grid = make("div", { class: "chart-grid" });
      this.toolbar = toolbar(this);
      this.toolbar.hidden = true;
      const place = root.querySelector("[data-chart-tools]");
      if (place) place.firstElementChild.after(this.toolbar);
      else root.prepend(this.toolbar);
      const fallback = root.querySelector("[data-chart-fallback]");
      root.insertBefore(this.note, fallback);
      root.insertBefore(this.grid, fallback);
      this.view.onChange((name) => name !== "zoom" && this.refresh(name));
      this.poll();
    }

    // --- what the charts ask of their page --------------------------------------------------------------------------
    keyOf(chart, { name, model }) { // a model is the same in every chart, a curve is its chart's
      return model === undefined ? `${chart}/${name}` : String(model);
    }

    lookOf({ name, model }, index) {
      const known = this.looks.get(String(model));
      return known ? { colour: known.colour, dash: Number(known.dash), label: known.label } : { colour: (index % COLOURS) + 1, dash: Math.floor(index / COLOURS) % 3, label: name };
    }

    partUrl(chart, low, high) {
      const url = new URL(this.root.dataset.chartSource, location.href);
      for (const [name, value] of Object.entries({ chart, from: low, to: high })) url.searchParams.set(name, value);
      return url;
    }

    search(text) {
      this.sought = text.trim().toLowerCase();
      for (const chart of this.charts.values()) chart.card.hidden = !chart.title.toLowerCase().includes(this.sought);
    }

    refresh(name) {
      if (name === "x") for (const chart of this.charts.values()) window.Graphs.resetZoom(chart);
      for (const chart of this.charts.values()) {
        chart.show();
        refreshLegend(chart);
      }
      for (const button of document.querySelectorAll("[data-hide-curve]")) {
        button.setAttribute("aria-pressed", String(!this.view.get("hide").includes(button.dataset.hideCurve)));
      }
    }

    // --- what comes -------------------------------------------------------------------------------------------------
    async poll() {
      if (!this.root.isConnected) return;
      if (document.hidden && this.charts.size) {
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

    take({ cursor, active, charts, names, left_out: leftOut }) {
      this.cursor = String(cursor);
      this.active = active;
      for (const [name, chart] of this.charts) {
        if (names && !names.includes(name)) {
          chart.remove();
          this.charts.delete(name);
        }
      }
      for (const news of charts) {
        if (!this.charts.has(news.name)) this.open(news);
        const chart = this.charts.get(news.name);
        chart.add(news);
        restoreZoom(chart);
      }
      this.order(names ?? []);
      if (leftOut) this.leftOut ??= this.root.insertBefore(make("p", { class: "chart-note" }, words.leftOut.replace("{n}", leftOut)), this.grid.nextSibling);
      this.toolbar.hidden = !this.charts.size;
      this.toolbar.refresh();
    }

    order(names) { // only where it changed: a card that is moved loses focus and tooltip
      const wanted = names.filter((name) => this.charts.has(name)).map((name) => this.charts.get(name).card);
      if (wanted.some((card, n) => this.grid.children[n] !== card)) this.grid.append(...wanted);
    }

    open(news) {
      const csv = news.csv ?? this.root.dataset.chartCsv.replace("__chart__", encodeURIComponent(news.name));
      const chart = new MetricChart(this, { ...news, csv });
      chart.card.hidden = !chart.title.toLowerCase().includes(this.sought);
      this.grid.append(chart.card);
      this.charts.set(news.name, chart);
      chart.draw();
    }

    say(text) {
      if (this.note.textContent !== text) this.note.textContent = text;
      this.note.hidden = !text;
    }
  }

  const pages = new Map();
  function scan() {
    for (const root of document.querySelectorAll("[data-chart-source]")) {
      if (!pages.has(root)) pages.set(root, new Page(root));
    }
    for (const root of pages.keys()) if (!root.isConnected) pages.delete(root);
  }
  scan();
  document.addEventListener("htmx:load", scan);
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-hide-curve]");
    if (!button) return;
    const { hideCurve } = button.dataset;
    for (const { view } of pages.values()) view.toggle("hide", hideCurve, !view.get("hide").includes(hideCurve));
  });
  new MutationObserver(() => {
    for (const page of pages.values()) for (const chart of page.charts.values()) chart.paint();
  }).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
})();
