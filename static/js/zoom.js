// <svg data-zoom viewBox>: the wheel, two fingers, + and - and [data-zoom-by] buttons zoom, dragging moves, 0 shows all
// again. Each time the svg hears "zoomed".
(() => {
  const svg = document.querySelector("svg[data-zoom]");
  if (!svg) return;
  const MOST = 40; // times larger than it fits
  const whole = svg.viewBox.baseVal;
  const width = whole.width;
  const height = whole.height;
  let view = { x: 0, y: 0, width, height };

  function show() {
    view.x = Math.min(Math.max(view.x, 0), width - view.width);
    view.y = Math.min(Math.max(view.y, 0), height - view.height);
    svg.setAttribute("viewBox", `${view.x} ${view.y} ${view.width} ${view.height}`);
    svg.classList.toggle("is-zoomed", view.width < width);
    svg.dispatchEvent(new CustomEvent("zoomed"));
  }

  // where the pointer is, in pixels of the image
  function place(event) {
    const matrix = svg.getScreenCTM().inverse();
    return new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix);
  }

  function zoom(factor, at) {
    const size = Math.min(Math.max(view.width / factor, width / MOST), width);
    const share = size / view.width;
    view = {
      x: at.x - (at.x - view.x) * share,
      y: at.y - (at.y - view.y) * share,
      width: size,
      height: size * (height / width),
    };
    show();
  }

  const middle = () => ({ x: view.x + view.width / 2, y: view.y + view.height / 2 });

  function by(factor) {
    if (factor) return zoom(factor, middle());
    view = { x: 0, y: 0, width, height };
    show();
  }

  svg.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      zoom(event.deltaY < 0 ? 1.25 : 0.8, place(event));
    },
    { passive: false },
  );

  let drag = null;
  const fingers = new Map();
  const apart = () => {
    const [one, other] = [...fingers.values()];
    return Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
  };
  const between = () => {
    const [one, other] = [...fingers.values()].map(place);
    return { x: (one.x + other.x) / 2, y: (one.y + other.y) / 2 };
  };

  svg.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    if (event.pointerType === "touch") fingers.set(event.pointerId, event);
    if (fingers.size === 2) drag = null;
    else if (view.width < width) drag = place(event);
    if (drag || fingers.size === 2) svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener("pointermove", (event) => {
    if (fingers.size === 2 && fingers.has(event.pointerId)) {
      const before = apart();
      fingers.set(event.pointerId, event);
      if (before) zoom(apart() / before, between());
      return;
    }
    if (!drag) return;
    const now = place(event);
    view.x += drag.x - now.x;
    view.y += drag.y - now.y;
    show();
  });
  for (const end of ["pointerup", "pointercancel"]) {
    svg.addEventListener(end, (event) => {
      fingers.delete(event.pointerId);
      drag = null;
    });
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-zoom-by]");
    if (button) by(Number(button.dataset.zoomBy));
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select, [contenteditable], dialog")) return;
    const factor = { "+": 1.5, "=": 1.5, "-": 1 / 1.5, 0: 0 }[event.key];
    if (factor !== undefined) by(factor);
  });
})();
