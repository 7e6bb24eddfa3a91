// Zoom of a chart: drag over it, or say from where to where in the enlarged view; details come from the server.
(() => {
  function zoomOptions(own) {
    return {
      zoom: {
        drag: { enabled: true, threshold: 8, backgroundColor: "rgba(31, 111, 214, .18)", borderColor: "rgba(31, 111, 214, .6)", borderWidth: 1 },
        mode: "x",
        onZoomComplete: () => zoomed(own),
      },
    };
  }

  function bounds(own) {
    const { min, max } = own.chart.options.scales.x;
    return min === undefined || max === undefined ? null : [min, max];
  }

  function zoomed(own, isTyped = false) {
    const range = bounds(own);
    const others = own.page.view.get("zoom").filter((entry) => !entry.startsWith(`${own.name}~`));
    own.page.view.set("zoom", range ? [...others, `${own.name}~${range.map((value) => Number(value.toPrecision(8))).join("~")}`] : others);
    own.unzoom.hidden = !range;
    if (!isTyped) own.onZoom?.();
    if (range) detail(own, range);
  }

  function zoomEntry(own) {
    return own.page.view.get("zoom").find((entry) => entry.startsWith(`${own.name}~`)) ?? "";
  }

  function zoomBetween(own, low, high) { // either may be null: as far as there is something
    const xs = [...own.curves.values()].flatMap((curve) => curve.all.map((point) => point[own.axis]));
    const range = [low ?? Math.min(...xs), high ?? Math.max(...xs)];
    if (low === null && high === null) return resetZoom(own);
    if (!(range[0] < range[1])) return;
    Object.assign(own.chart.options.scales.x, { min: range[0], max: range[1] });
    own.chart.update();
    zoomed(own, true);
  }

  function resetZoom(own) {
    delete own.chart.options.scales.x.min;
    delete own.chart.options.scales.x.max;
    for (const curve of own.curves.values()) curve.part = null;
    own.show();
    zoomed(own);
  }

  // What the address says, once there is something to zoom into.
  function restoreZoom(own) {
    const [, low, high] = zoomEntry(own).split("~").map(Number);
    if (own.wasRestored || !(low < high)) return;
    own.wasRestored = true;
    zoomBetween(own, low, high);
  }

  // A curve of more points than were sent is asked for in more detail between these places.
  async function detail(own, range) {
    const curves = [...own.curves.values()];
    if (!curves.some((curve) => curve.isThin)) return;
    const inside = curves.flatMap((curve) => curve.all.filter((point) => point[own.axis] >= range[0] && point[own.axis] <= range[1]));
    const xs = own.axis === "x" ? range : inside.map((point) => point.x);
    const [low, high] = [Math.min(...xs), Math.max(...xs)];
    if (!(low < high)) return;
    try {
      const response = await fetch(own.page.partUrl(own.name, low, high), { headers: { Accept: "application/json" } });
      if (!response.ok) return;
      const { charts: [news] } = await response.json();
      const now = bounds(own);
      if (!news || !now || now[0] !== range[0] || now[1] !== range[1]) return; // zoomed elsewhere meanwhile
      for (const series of news.series) own.curve(series).zoomTo(series, high);
      own.show();
    } catch { /* the coarser curve stays */ }
  }

  Object.assign(window.Graphs, { zoomOptions, zoomBetween, resetZoom, restoreZoom });
})();
