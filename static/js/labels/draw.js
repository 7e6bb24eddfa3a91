// Drawing a new box (drag) or polygon (press by press). What is drawn stays until the server has it.
(() => {
  const labels = window.Labels;
  const button = document.querySelector("[data-draw]");
  if (!labels || !button) return;
  const { svg, make, place, written, scale } = labels;
  const select = document.getElementById("draw-class");
  const finishing = document.querySelector("[data-draw-finish]");
  const hint = document.querySelector("[data-draw-hint]");
  const layer = make("g", { class: "truth shape-draft" });
  svg.append(layer);
  let points = null; // null: nobody draws
  let pulls = false; // a box is being dragged
  let isSent = false; // the server has not answered yet: a second press is none

  const kind = () => (select.selectedOptions[0]?.parentElement.dataset.training === "SEG" ? "polygon" : "rectangle");
  const far = (one, other, least) => Math.hypot(one[0] - other[0], one[1] - other[1]) > least * scale();

  function isShape() {
    if (!points || points.length < 2) return false;
    if (kind() === "polygon") return points.length > 2;
    const [left, top, right, bottom] = labels.bounds(points);
    return Math.min(right - left, bottom - top) > 2 * scale();
  }

  function show(pointer) {
    svg.classList.toggle("is-drawing", points !== null);
    button.setAttribute("aria-pressed", String(points !== null));
    hint.textContent = points ? hint.dataset[kind()] : "";
    finishing.hidden = pulls || !isShape();
    if (!points?.length) return layer.replaceChildren();
    const all = kind() === "polygon" ? [...points, ...(pointer ? [pointer] : [])] : labels.corners({ kind: "rectangle", points });
    const marks = kind() === "polygon" ? points.map(([cx, cy]) => make("circle", { class: "shape-handle", cx, cy, r: labels.RADIUS * scale() })) : [];
    layer.replaceChildren(make("polygon", { class: "shape", points: written(all) }), ...marks);
  }

  function stop() {
    points = null;
    pulls = false;
    show();
  }

  function finish() {
    if (!isShape() || isSent) return;
    isSent = true;
    labels.send({ act: "add", type: select.value, points: JSON.stringify(points) });
  }

  function press(event) {
    if (points === null || event.button || !event.isPrimary) return;
    event.preventDefault();
    event.stopImmediatePropagation(); // neither moves the picture nor chooses a shape
    const at = place(event);
    if (kind() === "rectangle") {
      points = [at, at];
      pulls = true;
      svg.setPointerCapture(event.pointerId);
    } else if (points.length > 2 && !far(points[0], at, 1.5 * labels.RADIUS)) {
      return finish();
    } else if (!points.length || far(points.at(-1), at, 2)) {
      points.push(at);
    }
    show();
  }

  function pull(event) {
    if (pulls) points = [points[0], place(event)];
    if (points?.length) show(event.pointerType === "touch" ? null : place(event));
  }

  function release(event) {
    if (!pulls) return;
    event.stopImmediatePropagation();
    pulls = false;
    if (event.type === "pointercancel" || !isShape()) points = [];
    show();
    finish();
  }

  svg.addEventListener("pointerdown", press, true);
  svg.addEventListener("pointermove", pull);
  for (const end of ["pointerup", "pointercancel"]) svg.addEventListener(end, release, true);
  button.addEventListener("click", () => {
    if (points !== null) return stop();
    document.dispatchEvent(new CustomEvent("labels:flush"));
    points = [];
    show();
  });
  finishing.addEventListener("click", finish);
  select.addEventListener("change", () => {
    if (points !== null) points = [];
    show();
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, dialog")) return;
    if (event.key.toLowerCase() === "d") return button.click();
    if (points === null) return;
    if (event.key === "Escape") stop();
    else if (event.key === "Enter" && event.target.closest("button") === null) finish();
    else if (event.key === "Backspace") points.pop();
    else return;
    event.preventDefault();
    event.stopImmediatePropagation();
    show();
  }, true);
  document.addEventListener("labels:shown", (event) => {
    const { fields, done } = event.detail;
    if (fields.act === "add" || !done) isSent = false; // what is refused takes along what waits behind it
    if (fields.act === "add" && done) stop();
  });
})();
