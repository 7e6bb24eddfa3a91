// One curve: its points, what is new of them, and what of it is drawn on the axes chosen.
(() => {
  const { thin, thinMeans, smooth, joined, best } = window.Graphs;
  const point = ([x, y, t]) => ({ x, y, t });
  const mean = ([x, y, t]) => ({ x, y, t, n: 1 });

  class Curve {
    constructor(key, news, look) {
      this.key = key;
      this.look = look; // { colour, dash, label }
      this.clear();
      this.describe(news);
    }

    describe({ goal, sparse }) {
      this.goal = goal;
      this.sparse = sparse;
    }

    clear() {
      this.all = []; // { x, y, t }; y null is a gap
      this.means = []; // of stretches, where `all` are not all that there are
      this.isThin = false;
      this.part = null; // in more detail: { to, all, means }
    }

    add(news) {
      this.describe(news);
      const points = news.points.map(point);
      const wasThin = this.isThin;
      if (news.thin) this.isThin = true;
      const raw = () => this.all.filter(({ y }) => y !== null).map((one) => ({ ...one, n: 1 }));
      if (news.means) this.means.push(...news.means.map(mean));
      else if (wasThin) this.means.push(...points.filter(({ y }) => y !== null).map((one) => ({ ...one, n: 1 })));
      this.all.push(...points);
      if (this.all.length > 1000) {
        if (!this.isThin) [this.isThin, this.means] = [true, raw()];
        this.all = thin(this.all);
      }
      this.means = thinMeans(this.means);
      const end = this.part && points.length ? points[0].x <= this.part.to : false;
      if (end) this.part.all.push(...points);
    }

    zoomTo(news, to) {
      this.part = { to, all: news.points.map(point), means: (news.means ?? []).map(mean) };
    }

    best() {
      return best(this.all, this.goal);
    }

    last() {
      return this.all.findLast(({ y }) => y !== null) ?? null;
    }

    // What is drawn: the points as measured, and smoothed where a weight is given. `axis`: "x" or "t".
    drawn(axis, isLog, weight) {
      const { all, means } = this.part ?? this;
      const place = (one) => ({ x: one[axis], y: isLog && one.y <= 0 ? null : one.y, step: one.x });
      const shown = (points) => (this.sparse ? joined(points.map(place)) : points.map(place));
      return { raw: shown(all), smoothed: weight ? shown(smooth(means.length ? means : all, weight)) : [] };
    }
  }

  Object.assign(window.Graphs, { Curve });
})();
