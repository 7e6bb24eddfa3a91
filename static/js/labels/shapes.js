// The shapes over a picture (svg[data-labels]), drawn as the panel beside it has them. All in pixels of the image.
window.Labels = (() => {
  const svg = document.querySelector("svg[data-labels]");
  if (!svg) return null;
  const layer = svg.querySelector("g.truth");
  const width = Number(svg.dataset.width);
  const height = Number(svg.dataset.height);
  const LONG = 30; // characters over the picture
  const TEXT = 13; // pixels of the screen, as the next
  const RADIUS = matchMedia("(pointer: coarse)").matches ? 9 : 6;
  const MANY = 60; // corners: smaller handles

  const round = (value) => Math.round(value * 100) / 100;
  const within = ([x, y]) => [round(Math.min(Math.max(x, 0), width)), round(Math.min(Math.max(y, 0), height))];
  const scale = () => 1 / (svg.getScreenCTM()?.a || 1); // pixels of the image in one of the screen
  const written = (points) => points.map((point) => point.map(round).join(",")).join(" ");

  function make(name, attributes = {}, ...children) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  }

  // where the pointer is, inside the image
  function place(event) {
    const { x, y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    return within([x, y]);
  }

  function bounds(points) {
    const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
    return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
  }

  // a rectangle is kept by two corners, and drawn with four
  function corners({ kind, points }) {
    if (kind !== "rectangle") return points;
    const [left, top, right, bottom] = bounds(points);
    return [[left, top], [right, top], [right, bottom], [left, bottom]];
  }

  // points with one corner elsewhere; the opposite corner of a rectangle stays
  function withCorner(shape, n, to) {
    if (shape.kind !== "rectangle") return shape.points.map((point, at) => (at === n ? within(to) : point));
    const [left, top, right, bottom] = bounds([corners(shape)[(n + 2) % 4], within(to)]);
    return [[left, top], [right, bottom]];
  }

  // points moved as one, as far as the image goes
  function moved({ points }, dx, dy) {
    const [left, top, right, bottom] = bounds(points);
    const x = Math.min(Math.max(dx, -left), width - right);
    const y = Math.min(Math.max(dy, -top), height - bottom);
    return points.map((point) => [round(point[0] + x), round(point[1] + y)]);
  }

  const groupOf = (id) => layer.querySelector(`g[data-id="${id}"]`);

  function area(shape) {
    const [left, top, right, bottom] = bounds(shape.points);
    return (right - left) * (bottom - top);
  }

  // put what moved where it is now, without drawing anything anew
  function update(shape) {
    const group = groupOf(shape.id);
    const all = corners(shape);
    const [left, top] = bounds(all);
    group.querySelector("polygon").setAttribute("points", written(all));
    const text = group.querySelector("text");
    text.setAttribute("x", left);
    text.setAttribute("y", Math.max(top, 1.2 * TEXT * scale()));
    for (const handle of group.querySelectorAll("circle")) {
      const [x, y] = all[Number(handle.dataset.n)];
      handle.setAttribute("cx", x);
      handle.setAttribute("cy", y);
    }
  }

  function handles(shape, corner) {
    const all = corners(shape);
    return all.map((_point, n) => make("circle", {
      class: "shape-handle", "data-n": n, tabindex: n === (corner ?? 0) ? 0 : -1, role: "button",
      "aria-label": svg.dataset.corner.replace("{label}", shape.text).replace("{n}", n + 1).replace("{count}", all.length),
    }));
  }

  function drawn(shape, chosen, corner) {
    const isChosen = shape.id === chosen;
    const classes = ["shape", `label-${shape.colour}`, shape.generated && "is-generated", isChosen && "is-chosen"];
    const polygon = make("polygon", { class: classes.filter(Boolean).join(" "), "aria-label": shape.text });
    if (!shape.fixed) for (const [key, value] of [["tabindex", 0], ["role", "button"], ["aria-pressed", isChosen]]) polygon.setAttribute(key, value);
    const title = make("title");
    title.textContent = shape.text;
    polygon.append(title);
    const text = make("text", { class: "shape-text", dy: "-0.25em" });
    text.textContent = shape.text.length > LONG ? `${shape.text.slice(0, LONG - 1)}…` : shape.text;
    const group = make("g", { "data-id": shape.id, "data-key": shape.key }, polygon, text);
    if (isChosen && !shape.fixed) group.append(...handles(shape, corner));
    return group;
  }

  // all anew, small shapes over large ones; focus stays on the same shape and corner
  function draw(shapes, chosen, corner) {
    const focused = document.activeElement?.closest("svg[data-labels] g[data-id]");
    const [id, n] = [focused?.dataset.id, document.activeElement?.dataset.n];
    layer.replaceChildren(...[...shapes].sort((a, b) => area(b) - area(a)).map((one) => drawn(one, chosen, corner)));
    shapes.forEach(update);
    rescale();
    document.dispatchEvent(new CustomEvent("labels:drawn"));
    if (focused) focus(Number(id), n);
  }

  function focus(id, n) {
    const group = groupOf(id);
    (group?.querySelector(`circle[data-n="${n}"]`) || group?.querySelector("polygon[tabindex]"))?.focus({ preventScroll: true });
  }

  function rescale() {
    layer.setAttribute("font-size", TEXT * scale());
    const handles = svg.querySelectorAll("circle");
    const radius = RADIUS * scale() * (handles.length > MANY ? 0.6 : 1);
    for (const handle of handles) handle.setAttribute("r", radius);
  }

  svg.addEventListener("zoomed", rescale);
  addEventListener("resize", rescale);
  rescale();
  return { svg, layer, RADIUS, make, place, within, written, scale, bounds, corners, withCorner, moved, update, draw, focus, rescale };
})();
