// The card around a chart: its title and buttons, its legend, the enlarged view, and what is downloaded of it.
(() => {
  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }

  function icon(page, name) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
    svg.setAttribute("class", "icon");
    svg.setAttribute("aria-hidden", "true");
    use.setAttribute("href", `${page.words.icons}#${name}`);
    svg.append(use);
    return svg;
  }

  function iconButton(page, name, word, act) {
    const button = make("button", { type: "button", class: "btn btn-ghost btn-icon", title: word, "aria-label": word }, icon(page, name));
    button.addEventListener("click", act);
    return button;
  }

  // Gives a chart its card: `card`, and the buttons that it changes later.
  function dressCard(own, csv) {
    const { page } = own;
    const { words } = page;
    own.log = make("input", { type: "checkbox", class: "form-check-input" });
    own.log.checked = own.isLog;
    own.log.addEventListener("change", () => page.view.toggle("log", own.name, own.log.checked));
    own.unzoom = iconButton(page, "zoom-reset", words.unzoom, () => window.Graphs.resetZoom(own));
    own.unzoom.hidden = true;
    own.enlarge = iconButton(page, "maximize", words.enlarge, () => enlarge(own));
    const picture = iconButton(page, "photo-down", words.picture, () => downloadPicture(own));
    const numbers = make("a", { class: "btn btn-ghost", href: csv, download: "", title: words.numbers, "aria-label": `${own.title}, CSV` }, icon(page, "download"), "CSV");
    const log = make("label", { class: "form-check chart-log" }, own.log, make("span", { class: "form-check-label" }, words.log));
    own.tools = make("div", { class: "chart-tools" }, log, own.unzoom, own.enlarge, picture, numbers);
    own.body = make("div", { class: "card-body" }, own.legend, own.box);
    own.card = make("article", { class: "card chart-card" },
      make("div", { class: "card-header" }, make("h3", { class: "card-title" }, own.title), own.tools), own.body);
  }

  function addToLegend(own, curve) {
    if (own.page.hasLegend) return; // the page names the curves once for all charts
    const button = make("button", { type: "button", "aria-pressed": String(!own.isHidden(curve)) },
      make("i", { class: `swatch series-${curve.look.colour}` }), curve.look.label);
    button.addEventListener("click", () => own.page.view.toggle("hide", curve.key, !own.isHidden(curve)));
    button.dataset.curve = curve.key;
    own.legend.append(button);
  }

  function refreshLegend(own) {
    for (const button of own.legend.querySelectorAll("[data-curve]")) {
      button.setAttribute("aria-pressed", String(!own.page.view.get("hide").includes(button.dataset.curve)));
    }
    own.log.checked = own.isLog;
  }

  // --- enlarged -----------------------------------------------------------------------------------------------------
  // The chart itself moves into the dialog, with the page's own controls, and comes back: it stays live.
  function enlarge(own) {
    const { words } = own.page;
    const bounds = ["min", "max"].map((bound) => {
      const input = make("input", { type: "number", step: "any", class: "form-control", "aria-label": bound === "min" ? words.startAt : words.endAt });
      input.addEventListener("change", () => { // what is typed stays as it is typed
        window.Graphs.zoomBetween(own, ...bounds.map((one) => (one.value === "" ? null : Number(one.value))));
      });
      return input;
    });
    const close = make("button", { class: "btn" }, words.close);
    const part = make("label", { class: "chart-part" }, make("span", {}, own.axisWord), bounds[0], "–", bounds[1]);
    const foot = make("form", { method: "dialog", class: "dialog-buttons" }, part, close);
    const dialog = make("dialog", { class: "dialog chart-dialog", "aria-label": own.title }, make("h2", {}, own.title));
    if (own.page.hasLegend) { // the page's own lies behind the dialog
      const names = [...own.curves.values()].filter((curve) => !own.isHidden(curve)).map((curve) =>
        make("span", {}, make("i", { class: `swatch series-${curve.look.colour} dash-${curve.look.dash}` }), ` ${curve.look.label}`));
      dialog.append(make("div", { class: "chart-legend chart-names" }, ...names));
    }
    const homes = [own.tools, own.page.toolbar, own.body].filter(Boolean).map((element) => {
      const mark = document.createComment("");
      element.replaceWith(mark);
      dialog.append(element);
      return [element, mark];
    });
    own.onZoom = () => {
      const { min, max } = own.chart.options.scales.x;
      [min, max].forEach((value, n) => { bounds[n].value = value === undefined ? "" : Number(value.toPrecision(6)); });
    };
    own.onZoom();
    own.enlarge.hidden = true;
    dialog.append(foot);
    document.body.append(dialog);
    dialog.addEventListener("close", () => {
      for (const [element, mark] of homes) mark.replaceWith(element);
      own.enlarge.hidden = false;
      own.onZoom = null;
      dialog.remove();
      own.chart.resize();
      own.enlarge.focus();
    });
    dialog.showModal();
    own.chart.resize();
  }

  // --- downloads ----------------------------------------------------------------------------------------------------
  function downloadPicture(own) {
    const scale = window.devicePixelRatio || 1;
    const { canvas } = own;
    const { css, surface } = window.Graphs;
    const text = getComputedStyle(own.card).color;
    const shown = [...own.curves.values()].filter((curve) => !own.isHidden(curve));
    const sheet = document.createElement("canvas");
    const context = sheet.getContext("2d");
    const font = `${13 * scale}px ${getComputedStyle(document.body).fontFamily}`;
    const [margin, line] = [16 * scale, 20 * scale];
    context.font = font;
    const rows = [[]];
    let room = canvas.width;
    for (const curve of shown) { // as many names a line as fit
      const width = Math.min(canvas.width, context.measureText(curve.look.label).width + 44 * scale);
      if (room < width && rows.at(-1).length) {
        rows.push([]);
        room = canvas.width;
      }
      rows.at(-1).push({ curve, at: canvas.width - room, width });
      room -= width;
    }
    sheet.width = canvas.width + 2 * margin;
    sheet.height = canvas.height + 3 * margin + line * (rows.length + 1);
    context.fillStyle = surface(own);
    context.fillRect(0, 0, sheet.width, sheet.height);
    context.fillStyle = text;
    context.font = `600 ${15 * scale}px ${getComputedStyle(document.body).fontFamily}`;
    context.fillText(own.title, margin, margin + 14 * scale, sheet.width - 2 * margin);
    context.font = font;
    rows.forEach((row, n) => {
      const y = margin + line * (n + 1) + 16 * scale;
      for (const { curve, at, width } of row) {
        context.fillStyle = css(`--series-${curve.look.colour}`);
        context.fillRect(margin + at, y - 6 * scale, 16 * scale, 4 * scale);
        context.fillStyle = text;
        context.fillText(curve.look.label, margin + at + 22 * scale, y, width - 26 * scale);
      }
    });
    context.drawImage(canvas, margin, sheet.height - margin - canvas.height);
    const link = make("a", { href: sheet.toDataURL("image/png"), download: `${own.title.replaceAll(/[\\/:*?"<>|\s]+/g, "-")}.png` });
    document.body.append(link);
    link.click();
    link.remove();
  }

  Object.assign(window.Graphs, { make, iconButton, dressCard, addToLegend, refreshLegend });
})();
