// [data-label-toggle] shows and hides the shapes of one label; kept while the window is open.
(() => {
  const KEPT = "labels-hidden";
  const hidden = new Set(JSON.parse(sessionStorage.getItem(KEPT) || "[]"));

  function show() {
    for (const group of document.querySelectorAll("svg[data-labels] g[data-key]")) {
      group.classList.toggle("is-hidden", hidden.has(group.dataset.key));
    }
    for (const button of document.querySelectorAll("[data-label-toggle]")) {
      button.setAttribute("aria-pressed", String(!hidden.has(button.dataset.labelToggle)));
    }
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-label-toggle]");
    if (!button) return;
    if (!hidden.delete(button.dataset.labelToggle)) hidden.add(button.dataset.labelToggle);
    sessionStorage.setItem(KEPT, JSON.stringify([...hidden]));
    show();
  });
  for (const kind of ["labels:drawn", "labels:shown"]) document.addEventListener(kind, show);
  show();
})();
