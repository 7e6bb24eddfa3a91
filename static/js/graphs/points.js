// Numbers and points of graphs, without any drawing: Graphs.num3, duration, thin, smooth, joined. See docs/graphs.md.
window.Graphs = {};
(() => {
  const MOST_POINTS = 1000; // a curve

  function num3(value) { // as `num3` in trainportal/templatetags/portal.py
    if (value === null || value === undefined || Number.isNaN(value)) return "—";
    const rounded = Number(value.toPrecision(3));
    if (Math.abs(rounded) >= 1000 && Math.abs(rounded) < 1e15) return rounded.toLocaleString("en");
    if (rounded !== 0 && Math.abs(rounded) < 1e-4) return String(rounded.toExponential()).replace(/e-(\d)$/, "e-0$1");
    return String(rounded);
  }

  const whole = (value) => (Number.isInteger(value) ? value.toLocaleString("en") : num3(value)); // a step: exact

  function duration(seconds) { // 0:05, 12:30, 1:02:03
    const rest = Math.max(0, Math.round(seconds));
    const [h, m, s] = [Math.floor(rest / 3600), Math.floor((rest % 3600) / 60), rest % 60];
    const two = (number) => String(number).padStart(2, "0");
    return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
  }

  // Halves a long curve and keeps each bucket's lowest, highest and a gap, so that spikes survive.
  function halved(points) {
    const kept = [];
    const size = points.some((point) => point.y === null) ? 6 : 4;
    for (let at = 0; at < points.length; at += size) {
      const bucket = points.slice(at, at + size);
      const known = bucket.filter((point) => point.y !== null);
      const low = known.reduce((a, b) => (b.y < a.y ? b : a), known[0]);
      const high = known.reduce((a, b) => (b.y > a.y ? b : a), known[0]);
      const gap = bucket.find((point) => point.y === null);
      const marks = new Set([low, high, gap].filter(Boolean));
      kept.push(...bucket.filter((point) => marks.has(point)));
    }
    return kept;
  }

  function thin(points) {
    let kept = points;
    while (kept.length > MOST_POINTS) kept = halved(kept);
    if (kept !== points && kept.at(-1) !== points.at(-1)) kept.push(points.at(-1));
    return kept;
  }

  // Means of neighbours, pair by pair: what a smoothed curve is made of once there are too many points.
  function thinMeans(means) {
    let kept = means;
    while (kept.length > MOST_POINTS) {
      kept = kept.flatMap((a, n) => {
        if (n % 2) return [];
        const b = kept[n + 1] ?? a;
        const count = a.n + b.n;
        const mean = (key) => (a[key] * a.n + b[key] * b.n) / count;
        return [{ x: mean("x"), t: mean("t"), y: mean("y"), n: b === a ? a.n : count }];
      });
    }
    return kept;
  }

  // Exponential moving average, its start corrected (else the first value would weigh too much). Gaps stay gaps.
  function smooth(points, weight) {
    let last = 0;
    let count = 0;
    return points.map((point) => {
      if (point.y === null) return point;
      last = last * weight + (1 - weight) * point.y;
      count += 1;
      return { ...point, y: last / (1 - weight ** count) };
    });
  }

  // A curve with values only now and then is drawn through them; where it misses its own rhythm there is a gap.
  function joined(points) {
    const known = points.filter((point) => point.y !== null);
    const steps = known.slice(1).map((point, n) => point.x - known[n].x).sort((a, b) => a - b);
    const usual = steps[Math.floor(steps.length / 2)] ?? 0;
    return known.flatMap((point, n) => {
      const before = known[n - 1];
      const missed = before && usual > 0 && point.x - before.x > 3 * usual;
      return missed ? [{ x: (before.x + point.x) / 2, y: null }, point] : [point];
    });
  }

  // The best point of a curve: the first of equal ones.
  function best(points, goal) {
    if (!goal) return null; // what is neither better nor worse, as a learning rate
    const better = goal === "min" ? (a, b) => b.y < a.y : (a, b) => b.y > a.y;
    const known = points.filter((point) => point.y !== null);
    return known.reduce((a, b) => (better(a, b) ? b : a), known[0]) ?? null;
  }

  Object.assign(window.Graphs, { num3, whole, duration, thin, thinMeans, smooth, joined, best });
})();
