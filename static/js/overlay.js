// Over images: G shows and hides the labels people gave, P the predictions; arrows follow rel=prev and rel=next.
(() => {
  const KEYS = { g: "truth", p: "prediction" };
  const root = document.documentElement;
  const hidden = new Set((sessionStorage.getItem("overlay-hidden") || "").split(" ").filter(Boolean));

  function show() {
    for (const layer of Object.values(KEYS)) {
      root.classList.toggle(`hide-${layer}`, hidden.has(layer));
      for (const button of document.querySelectorAll(`[data-overlay-toggle="${layer}"]`)) {
        button.setAttribute("aria-pressed", String(!hidden.has(layer)));
      }
    }
  }

  function toggle(layer) {
    if (!hidden.delete(layer)) hidden.add(layer);
    sessionStorage.setItem("overlay-hidden", [...hidden].join(" "));
    show();
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-overlay-toggle]");
    if (button) toggle(button.dataset.overlayToggle);
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select, [contenteditable], dialog")) return;
    const layer = KEYS[event.key.toLowerCase()];
    if (layer) toggle(layer);
    const relation = { ArrowLeft: "prev", ArrowRight: "next" }[event.key];
    if (relation) document.querySelector(`a[rel~="${relation}"][href]`)?.click();
  });
  document.addEventListener("htmx:load", show);
  show();
})();
