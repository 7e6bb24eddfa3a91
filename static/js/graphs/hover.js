// Under the pointer: the nearest point of every curve, a line through it, and the same place in the page's other charts.
(() => {
  const REACH = 16; // pixels beyond the end of a curve
  const FEW = 4; // curves whose values stand in the other charts too: more would cover these

  // The nearest point of each curve that reaches so far; the interaction mode "near" of all charts.
  function near(chart, pixel) {
    return chart.getSortedVisibleDatasetMetas().flatMap((meta) => {
      if (chart.data.datasets[meta.index].isSmooth) return [];
      let found = null;
      let distance = Infinity;
      let [first, last] = [Infinity, -Infinity];
      meta.data.forEach((element, index) => {
        if (element.skip) return;
        [first, last] = [Math.min(first, element.x), Math.max(last, element.x)];
        if (Math.abs(element.x - pixel) < distance) {
          distance = Math.abs(element.x - pixel);
          found = { element, datasetIndex: meta.index, index };
        }
      });
      return found && pixel > first - REACH && pixel < last + REACH ? [found] : [];
    });
  }
  Chart.Interaction.modes.near = (chart, event) => {
    const { left, right, top, bottom } = chart.chartArea;
    const inside = event.x >= left && event.x <= right && event.y >= top && event.y <= bottom;
    return inside ? near(chart, event.x) : [];
  };

  const crosshair = {
    id: "crosshair",
    beforeDatasetsDraw(chart) {
      const [first] = chart.getActiveElements();
      if (!first) return;
      const { ctx, chartArea: { top, bottom } } = chart;
      ctx.save();
      ctx.strokeStyle = chart.options.scales.x.ticks.color;
      ctx.globalAlpha = 0.5;
      ctx.setLineDash([3, 3]);
      ctx.beginPath();
      ctx.moveTo(first.element.x, top);
      ctx.lineTo(first.element.x, bottom);
      ctx.stroke();
      ctx.restore();
    },
  };

  // Charts of one page follow each other where their x axis means the same.
  class Together {
    constructor() {
      this.charts = [];
      this.waiting = 0;
    }

    add(own) {
      this.charts.push(own);
      own.canvas.addEventListener("mousemove", (event) => this.soon(own, event.offsetX));
      own.canvas.addEventListener("mouseleave", () => this.soon(own, null));
    }

    remove(own) {
      this.charts = this.charts.filter((other) => other !== own);
    }

    soon(own, pixel) {
      cancelAnimationFrame(this.waiting);
      this.waiting = requestAnimationFrame(() => this.follow(own, pixel));
    }

    follow(own, pixel) {
      const value = pixel === null ? null : own.chart.scales.x.getValueForPixel(pixel);
      for (const { chart, axisWord } of this.charts) {
        if (chart === own.chart || axisWord !== own.axisWord || !chart.canvas.isConnected) continue;
        const at = value === null ? -1 : chart.scales.x.getPixelForValue(value);
        const { left, right, top } = chart.chartArea;
        const found = at >= left && at <= right ? near(chart, at) : [];
        if (!found.length && !chart.getActiveElements().length) continue;
        chart.setActiveElements(found);
        chart.tooltip.setActiveElements(found.length > FEW ? [] : found, { x: at, y: top });
        chart.render();
      }
    }
  }

  Object.assign(window.Graphs, { Together, crosshair });
})();
