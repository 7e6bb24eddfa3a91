// The training form with scripts: line numbers beside the JSON, jumps to the field of an error, stepping of numbers,
// sliders for log scales. Nothing here is needed to start a training.
(() => {
  const form = document.getElementById("train");
  if (!form) return;

  const words = () => new URLSearchParams([...new FormData(form)].filter(([, value]) => typeof value === "string")).toString();
  const part = (event, selector) => event.target instanceof Element && event.target.closest(selector);

  // --- what was typed while an answer was on its way is newer than the answer ---
  let sent = "";
  document.addEventListener("htmx:beforeRequest", () => { sent = words(); });
  document.addEventListener("htmx:oobBeforeSwap", (event) => {
    if (event.detail.target?.id !== "train-params") return;
    if (words() !== sent) event.detail.shouldSwap = false;
    else keepFolds();
  });
  document.addEventListener("htmx:oobAfterSwap", openFolds); // before htmx gives the focus back: it may lie in a fold
  document.addEventListener("htmx:configRequest", (event) => { // what was typed into: the server looks at no more than it must
    const typed = event.detail.triggeringEvent?.target?.name;
    if (!event.detail.path.endsWith("/check/")) return;
    if (typed) event.detail.parameters.set("typed", typed);
    const shown = [...form.querySelectorAll(".field-errors:not(:empty)")].map((list) => list.id.slice("error-".length));
    event.detail.parameters.set("shown", shown.join(" "));
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target?.id === "train-form") keepFolds();
  });

  // --- logged in again in another window: the form goes on with the new token ---
  document.addEventListener("new-token", (event) => {
    form.elements.namedItem("csrfmiddlewaretoken").value = event.detail.token;
    form.querySelector(".train-fields").dispatchEvent(new Event("input"));
  });

  // --- once it is started, nothing asks about it any more: a late check would bring its draft back ---
  let started = false;
  document.addEventListener("submit", (event) => {
    if (event.target !== form || event.defaultPrevented || "download" in (event.submitter?.dataset || {})) return;
    started = true;
    for (const asking of form.querySelectorAll(".htmx-request")) htmx.trigger(asking, "htmx:abort");
  });
  document.addEventListener("htmx:confirm", (event) => {
    if (started && form.contains(event.target)) event.preventDefault();
  });
  addEventListener("pageshow", () => { started = false; }); // back from the next page

  // --- folds stay as they were when the form comes anew ---
  let folds = new Map();
  const foldKey = (fold) => fold.dataset.fold || fold.className;
  function keepFolds() {
    folds = new Map([...form.querySelectorAll("details")].map((fold) => [foldKey(fold), fold.open]));
  }
  function openFolds() {
    for (const fold of form.querySelectorAll("details")) if (folds.get(foldKey(fold)) && fold.className !== "param-more") fold.open = true;
  }
  document.addEventListener("htmx:afterSettle", () => {
    openFolds();
    folds = new Map();
    dress();
    say();
  });

  // --- who cannot see it hears what a check found, where that changed: the card itself comes anew each time, and no
  // screen reader tells a place that was not there before ---
  const FIRST = 3; // complaints
  const verdict = () => {
    const card = form.querySelector("#train-checks .card-body");
    const found = [...card.querySelectorAll(".alert-title, [data-field]")].slice(0, 1 + FIRST);
    return (found.length ? found : [...card.querySelectorAll(".ready")]).map((one) => one.textContent.trim()).join(" ");
  };
  let heard = verdict();
  function say() {
    if (verdict() === heard) return;
    heard = verdict();
    document.getElementById("train-said").textContent = heard;
  }

  // --- Enter checks; only the button starts ---
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !part(event, "input:not([type=file])") || event.isComposing) return;
    event.preventDefault();
    event.target.dispatchEvent(new Event("input", { bubbles: true }));
  });

  // --- an error leads to its field, out of whatever fold it lies in ---
  document.addEventListener("click", (event) => {
    const link = part(event, "a[data-field]");
    if (!link) return;
    const field = document.getElementById(`id_${link.dataset.field}`) || form.elements.namedItem(link.dataset.field);
    const goal = field instanceof Element ? field : document.getElementById(`error-${link.dataset.field}`);
    if (!goal) return;
    event.preventDefault();
    for (let fold = goal.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    goal.scrollIntoView({ block: "center" });
    goal.focus({ preventScroll: true });
    const line = /^\D*(\d+)/.exec(link.textContent);
    if (goal.id === "id_params_json" && line) toLine(goal, Number(line[1]));
  });

  function toLine(area, number) {
    const lines = area.value.split("\n");
    const start = lines.slice(0, number - 1).reduce((sum, line) => sum + line.length + 1, 0);
    area.setSelectionRange(start, start + (lines[number - 1] || "").length);
  }

  // --- the JSON text is as high as it is long, its numbers beside it ---
  form.addEventListener("input", (event) => {
    if (event.target.id === "id_params_json") number(event.target);
  });

  function number(area) {
    const count = area.value.split("\n").length;
    area.rows = count + 1;
    const list = document.getElementById("json-lines");
    while (list.children.length > count) list.lastElementChild.remove();
    while (list.children.length < count) {
      const item = document.createElement("li");
      item.textContent = list.children.length + 1;
      list.append(item);
    }
  }

  // --- who types a value where "nothing" was chosen means the value ---
  form.addEventListener("input", (event) => {
    const mode = part(event, ".param-input > :first-child")?.parentElement.querySelector("select.param-mode");
    if (mode && mode !== event.target && event.target.value !== "") mode.value = "";
  }, true);

  // --- a setting that differs from its default, or from the model this form came from, says so ---
  const alike = (one, other) => one === other || (one.trim() !== "" && other.trim() !== "" && Number(one) === Number(other));
  form.addEventListener("input", (event) => {
    const field = part(event, ".param");
    const input = field?.querySelector(".param-input > :first-child");
    if (!input) return;
    const nothing = field.querySelector("select.param-mode")?.value === "null";
    const text = nothing ? "null" : input.value;
    const reset = field.querySelector(".param-reset");
    if (reset) reset.hidden = alike(text, field.dataset.default);
    const origin = field.querySelector(".param-origin");
    if (!origin) return;
    origin.hidden = alike(text, field.dataset.origin);
    field.classList.toggle("param-differs", !origin.hidden);
  });

  // --- numbers: arrow keys step them, on a log scale by 1, 2, 5; a slider where both ends are known ---
  form.addEventListener("keydown", (event) => {
    const input = part(event, "input[data-number]");
    if (!input || !["ArrowUp", "ArrowDown"].includes(event.key)) return;
    const next = stepped(input, event.key === "ArrowUp" ? 1 : -1);
    if (next === null) return;
    event.preventDefault();
    put(input, next);
  });

  function stepped(input, way) {
    const value = Number(input.value);
    if (input.value.trim() === "" || !Number.isFinite(value)) return null;
    const low = "low" in input.dataset ? Number(input.dataset.low) : -Infinity;
    const high = "high" in input.dataset ? Number(input.dataset.high) : Infinity;
    const step = Number(input.dataset.step);
    let next = value + way;
    if ("log" in input.dataset && value > 0) next = series(value, way);
    else if (step > 0) next = (way > 0 ? Math.floor(value / step) + 1 : Math.ceil(value / step) - 1) * step;
    else if (input.dataset.number === "number") {
      const size = 10 ** Math.floor(Math.log10(Math.abs(value) || 1));
      next = value + way * (Math.abs(value) > size || way > 0 ? size : size / 10);
    }
    return Math.min(Math.max(next, low), high);
  }

  function series(value, way) {
    const power = Math.floor(Math.log10(value) + 1e-9);
    const steps = [1, 2, 5, 10, 20].map((step) => step * 10 ** power);
    if (way > 0) return steps.find((step) => step > value * 1.0001);
    return [...steps.map((step) => step / 10), ...steps].filter((step) => step < value * 0.9999).pop();
  }

  const short = (value) => String(Number(value.toPrecision(6)));

  function put(input, value) {
    input.value = input.dataset.number === "integer" ? String(Math.round(value)) : short(value);
    input.dispatchEvent(new Event("input", { bubbles: true }));
  }

  function dress() {
    for (const input of form.querySelectorAll("input[data-log][data-high]:not([data-dressed])")) {
      input.dataset.dressed = "";
      const high = Number(input.dataset.high);
      const low = Number(input.dataset.low) > 0 ? Number(input.dataset.low) : high * 1e-6;
      const slider = Object.assign(document.createElement("input"), { type: "range", min: 0, max: 600, tabIndex: -1 });
      slider.className = "form-range param-slider";
      slider.ariaHidden = "true";
      const show = () => {
        const value = Number(input.value);
        if (value > 0) slider.value = 600 * Math.log(value / low) / Math.log(high / low);
      };
      slider.addEventListener("input", (event) => {
        event.stopPropagation();
        put(input, Number((low * (high / low) ** (slider.value / 600)).toPrecision(2)));
      });
      input.addEventListener("input", show);
      show();
      input.closest(".param-input").after(slider);
    }
  }

  // --- a batch asks once; the answer counts for that many trainings ---
  document.addEventListener("click", (event) => {
    const button = part(event, "button[data-confirm][data-trainings]");
    const field = form.querySelector("[name=confirmed]");
    if (button && field) field.value = button.dataset.trainings;
  });

  dress();
})();
