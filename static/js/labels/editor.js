// Shapes are chosen in the picture or in the list, moved as a whole or by a corner, and deleted: pointer and keys.
(() => {
  const labels = window.Labels;
  if (!labels) return;
  const { svg } = labels;
  const STILL = 4; // pixels of the screen: less is a press, not a drag
  const PAUSE = 600; // ms after the last arrow key
  const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const panel = () => document.getElementById("label-panel");
  if (!("editable" in panel().dataset)) return;
  let shapes = [];
  let chosen = null;
  let corner = null;
  let pressed = null; // a press that may become a choice
  let drag = null;
  let unsaved = null; // the shape that arrow keys moved, and the timer that saves it

  const shapeOf = (id) => shapes.find((one) => one.id === id);

  function show() {
    labels.draw(shapes, chosen, corner);
    const shape = shapeOf(chosen);
    const radio = document.getElementById(`label-${chosen}`);
    for (const one of panel().querySelectorAll("[data-label-row] input")) one.checked = one === radio;
    for (const row of panel().querySelectorAll("[data-label-row]")) row.classList.toggle("is-chosen", Number(row.dataset.labelRow) === chosen);
    const acts = panel().querySelector("[data-label-acts]");
    if (!acts) return;
    acts.querySelector("[data-label-none]").hidden = Boolean(shape);
    for (const one of acts.querySelectorAll("[data-for-training]")) one.hidden = one.dataset.forTraining !== shape?.training;
    for (const one of acts.querySelectorAll("button, select, input[type=search]")) one.disabled = !shape;
    const select = acts.querySelector("select");
    for (const group of select?.querySelectorAll("optgroup") ?? []) {
      const fits = group.dataset.training === shape?.training;
      group.hidden = group.disabled = !fits;
      group.toggleAttribute("data-unfit", !fits);
    }
    if (select && shape) select.value = shape.type;
  }

  function choose(id, n = null) {
    if (id === chosen && n === corner) return;
    flush();
    chosen = shapeOf(id)?.fixed ? null : id;
    corner = n;
    show();
    reveal(panel().querySelector("tr.is-chosen"));
  }

  // in the list alone: the picture stays where it is
  function reveal(row) {
    const list = panel().querySelector(".label-list");
    if (!row || !list) return;
    const [inside, around] = [row.getBoundingClientRect(), list.getBoundingClientRect()];
    if (inside.top < around.top) list.scrollTop -= around.top - inside.top;
    if (inside.bottom > around.bottom) list.scrollTop += inside.bottom - around.bottom;
  }

  function save(shape) {
    return labels.send({ act: "move", label: shape.id, points: JSON.stringify(shape.points) });
  }

  function flush() {
    if (!unsaved) return;
    const { shape, timer } = unsaved;
    clearTimeout(timer);
    unsaved = null;
    save(shape);
  }

  function reshape(shape, points) {
    shape.points = points;
    labels.update(shape);
  }

  // --- pointer ---
  svg.addEventListener("pointerdown", (event) => {
    if (event.button || !event.isPrimary) return;
    const id = Number(event.target.closest("g[data-id]")?.dataset.id) || null;
    pressed = { id, x: event.clientX, y: event.clientY };
    const shape = shapeOf(chosen);
    if (!shape || id !== chosen) return; // the picture is moved
    event.stopImmediatePropagation();
    flush();
    const n = event.target.dataset.n === undefined ? null : nearestCorner(shape, labels.place(event));
    drag = { shape, points: shape.points, n, from: labels.place(event) };
    svg.setPointerCapture(event.pointerId);
  }, true);
  svg.addEventListener("touchstart", (event) => drag && event.preventDefault(), { passive: false }); // the page stays
  svg.addEventListener("mousedown", (event) => event.preventDefault()); // focus follows the choice
  svg.addEventListener("pointermove", (event) => {
    if (!drag) return;
    if (!drag.goes && Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y) < STILL) return;
    drag.goes = true;
    const [x, y] = labels.place(event);
    const start = { ...drag.shape, points: drag.points };
    reshape(drag.shape, drag.n === null ? labels.moved(start, x - drag.from[0], y - drag.from[1]) : labels.withCorner(start, drag.n, [x, y]));
  });

  function release(event) {
    const { was, press } = { was: drag, press: pressed };
    drag = pressed = null;
    if (was?.goes) {
      if (event.type === "pointercancel") reshape(was.shape, was.points);
      else save(was.shape);
      show();
      return labels.focus(was.shape.id, was.n);
    }
    if (!press || event.type === "pointercancel") return;
    if (Math.hypot(event.clientX - press.x, event.clientY - press.y) >= STILL) return;
    choose(press.id, was?.n ?? null);
    if (press.id) labels.focus(press.id, was?.n ?? undefined);
    else if (svg.contains(document.activeElement)) document.activeElement.blur();
  }

  for (const end of ["pointerup", "pointercancel"]) svg.addEventListener(end, release, true);

  // many corners lie over each other
  function nearestCorner(shape, [x, y]) {
    const far = labels.corners(shape).map((one) => Math.hypot(one[0] - x, one[1] - y));
    return far.indexOf(Math.min(...far));
  }

  // on an edge of the chosen polygon: one more corner there
  svg.addEventListener("dblclick", (event) => {
    const shape = shapeOf(chosen);
    if (shape?.kind !== "polygon" || svg.classList.contains("is-drawing")) return;
    const at = labels.place(event);
    const [off, n] = nearestEdge(shape.points, at);
    if (off > 2 * labels.RADIUS * labels.scale() || shape.points.some((one) => Math.hypot(one[0] - at[0], one[1] - at[1]) < labels.RADIUS * labels.scale())) return;
    shape.points = shape.points.toSpliced(n + 1, 0, at);
    corner = n + 1;
    show();
    save(shape);
  });

  function nearestEdge(points, [x, y]) {
    const all = points.map(([ax, ay], n) => {
      const [bx, by] = points[(n + 1) % points.length];
      const long = (bx - ax) ** 2 + (by - ay) ** 2;
      const share = long ? Math.min(Math.max(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / long, 0), 1) : 0;
      return [Math.hypot(x - ax - share * (bx - ax), y - ay - share * (by - ay)), n];
    });
    return all.reduce((best, one) => (one[0] < best[0] ? one : best));
  }

  // --- keys ---
  function step(shape, [x, y], by) {
    const at = corner === null ? null : labels.corners(shape)[corner];
    reshape(shape, at ? labels.withCorner(shape, corner, [at[0] + x * by, at[1] + y * by]) : labels.moved(shape, x * by, y * by));
    clearTimeout(unsaved?.timer);
    unsaved = { shape, timer: setTimeout(flush, PAUSE) };
  }

  function turn(shape, by) {
    const count = labels.corners(shape).length;
    const next = corner === null ? (by > 0 ? 0 : count - 1) : (corner + by + count) % count;
    choose(shape.id, next);
    labels.focus(shape.id, next);
  }

  function remove(shape) {
    if (corner !== null && shape.kind === "polygon" && shape.points.length > 3) {
      unsaved = clearTimeout(unsaved?.timer) ?? null;
      shape.points = shape.points.toSpliced(corner, 1);
      corner = Math.min(corner, shape.points.length - 1);
      show();
      return save(shape);
    }
    flush();
    return labels.send({ act: "delete", label: shape.id });
  }

  function leave(shape) {
    const was = corner;
    choose(was === null ? null : shape.id);
    if (was === null) document.activeElement.blur();
    else labels.focus(shape.id);
  }

  svg.addEventListener("keydown", (event) => {
    const shape = shapeOf(chosen);
    if (!shape || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in STEPS) step(shape, STEPS[event.key], event.shiftKey ? 10 : 1);
    else if (event.key === "PageDown" || event.key === "PageUp") turn(shape, event.key === "PageDown" ? 1 : -1);
    else if ((event.key === "Enter" || event.key === " ") && corner === null) turn(shape, 1);
    else if (event.key === "Delete" || event.key === "Backspace") remove(shape);
    else if (event.key === "Escape") leave(shape);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  svg.addEventListener("focusin", (event) => {
    const group = event.target.closest("g[data-id]");
    if (!group || drag) return;
    const n = event.target.dataset.n;
    choose(Number(group.dataset.id), n === undefined ? null : Number(n));
  });
  svg.addEventListener("focusout", (event) => {
    if (event.target.isConnected && !svg.contains(event.relatedTarget)) flush();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "z" || !(event.ctrlKey || event.metaKey) || event.shiftKey) return;
    if (event.target.closest("input:not([type=radio]), textarea, select, dialog")) return;
    event.preventDefault();
    flush();
    labels.send({ act: "undo" });
  });

  // --- the panel ---
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-label-row] input")) choose(Number(event.target.value));
  });
  document.addEventListener("labels:flush", flush);
  document.addEventListener("labels:shown", (event) => {
    const fresh = JSON.parse(panel().dataset.shapes);
    for (const one of [unsaved?.shape, drag?.shape]) {
      const same = event.detail.done && one && fresh.find((other) => other.id === one.id);
      if (same) same.points = one.points; // it moved on while the server answered
      if (same && drag?.shape === one) drag.shape = same;
      if (same && unsaved?.shape === one) unsaved.shape = same;
    }
    if (!event.detail.done) {
      clearTimeout(unsaved?.timer);
      unsaved = null;
    }
    shapes = fresh;
    const isNew = event.detail.done && event.detail.fields.act === "add";
    if (isNew) [chosen, corner] = [Number(panel().dataset.chosen), null];
    if (!shapeOf(chosen)) chosen = corner = null;
    if (corner !== null && corner >= labels.corners(shapeOf(chosen)).length) corner = null;
    show();
    if (isNew) labels.focus(chosen);
  });
  addEventListener("pagehide", flush);

  shapes = JSON.parse(panel().dataset.shapes);
  show();
})();
