// The controls above a page's charts: smoothing, what lies along x, which charts are shown.
(() => {
  const { make } = window.Graphs;
  const MANY = 4; // charts, from which on they can be searched

  function toolbar(page) {
    const { view, words } = page;
    const on = make("input", { type: "checkbox", class: "form-check-input", "data-chart-smooth": "" });
    const weight = make("input", { type: "range", class: "form-range", min: "0.05", max: "0.99", step: "0.01", "aria-label": words.weight });
    const shown = make("output", { class: "chart-weight" });
    on.addEventListener("change", () => view.set("smooth", on.checked));
    weight.addEventListener("input", () => view.set("weight", Number(weight.value)));
    const axes = ["step", "time"].map((name) => {
      const radio = make("input", { type: "radio", class: "btn-check", name: `chart-x-${page.id}`, value: name, id: `chart-x-${page.id}-${name}` });
      radio.addEventListener("change", () => view.set("x", name));
      return [radio, make("label", { class: "btn", for: radio.id }, words[name])];
    });
    const search = make("input", { type: "search", class: "form-control", placeholder: words.search, "aria-label": words.search });
    search.addEventListener("input", () => page.search(search.value));
    search.hidden = true;
    const bar = make("div", { class: "chart-toolbar", role: "group", "aria-label": words.controls },
      make("div", { class: "chart-smoothing" }, make("label", { class: "form-check" }, on, make("span", { class: "form-check-label" }, words.smooth)), weight, shown),
      make("div", { class: "chart-axis" }, make("span", {}, words.axis), make("div", { class: "btn-group" }, ...axes.flat())),
      search);

    function show() {
      on.checked = view.get("smooth");
      weight.value = view.get("weight");
      weight.disabled = !on.checked;
      shown.textContent = on.checked ? view.get("weight").toFixed(2) : "";
      for (const [radio] of axes) radio.checked = radio.value === view.get("x");
      search.hidden = page.charts.size < MANY && !search.value;
    }
    view.onChange(show);
    show();
    bar.refresh = show;
    return bar;
  }

  Object.assign(window.Graphs, { toolbar });
})();
