// Lists of datasets that may be long (fieldset[data-picker]): a search, what is chosen as chips, all shown or none.
// And what an answer that brings the form anew would lose: the words of a search, what was unfolded, focus.
(() => {
  const SEARCH = "[data-picker-search]";
  const pickers = () => document.querySelectorAll("[data-picker]");
  const rows = (picker) => [...picker.querySelectorAll(".choice")];
  const box = (row) => row.querySelector("input");
  const plain = (text) => text.normalize("NFC").toLowerCase(); // a Mac takes Hangul apart
  const nameOf = (input) => input.ariaLabel || input.closest(".choice").querySelector(".name").textContent;
  const textOf = (row) => plain(`${nameOf(box(row))} ${box(row).dataset.more || ""}`);
  const words = (text, values) => text.replace(/\{(\w+)\}/g, (all, key) => values[key] ?? all);
  const number = new Intl.NumberFormat(document.documentElement.lang);

  function filter(picker) {
    const search = picker.querySelector(SEARCH);
    if (!search) return;
    const wanted = plain(search.value).split(/\s+/).filter(Boolean);
    let found = 0;
    for (const row of rows(picker)) {
      const text = wanted.length ? textOf(row) : "";
      row.hidden = !wanted.every((word) => text.includes(word));
      if (!row.hidden) found += 1;
    }
    const bare = picker.querySelector(".picker-others");
    if (bare) {
      const hits = wanted.length ? bare.querySelectorAll(".choice:not([hidden])").length : 0;
      bare.hidden = wanted.length > 0 && !hits;
      if (hits && found === hits) bare.open = true; // what was looked for lies only there
    }
    picker.querySelector("[data-picker-none]").hidden = found > 0;
    const status = picker.querySelector("[data-picker-found]");
    status.textContent = wanted.length ? words(status.dataset.words, { n: number.format(found) }) : "";
  }

  function sum(picker) {
    const chosen = rows(picker).map(box).filter((input) => input.checked);
    const images = chosen.reduce((total, input) => total + Number(input.dataset.labelled), 0);
    const line = picker.querySelector("[data-picker-sum]");
    const text = chosen.length ? line.dataset.words : line.dataset.none;
    line.textContent = words(text, { n: number.format(chosen.length), images: number.format(images) });
    const list = picker.querySelector("[data-picked]");
    list?.replaceChildren(...chosen.map((input) => chip(picker, input)));
  }

  function chip(picker, input) {
    const item = picker.querySelector("[data-chip]").content.firstElementChild.cloneNode(true);
    const button = item.querySelector("button");
    const name = nameOf(input);
    button.value = input.value;
    button.title = name;
    button.ariaLabel = words(picker.dataset.remove, { name });
    button.classList.toggle("is-bare", input.dataset.labelled === "0");
    item.querySelector(".name").textContent = input.closest(".choice").querySelector(".name").textContent;
    return item;
  }

  function choose(picker, inputs, checked) {
    const changed = inputs.filter((input) => input.checked !== checked);
    for (const input of changed) input.checked = checked;
    if (changed.length) changed[0].dispatchEvent(new Event("input", { bubbles: true })); // one check for all of them
    sum(picker);
  }

  function remove(picker, button) {
    const place = [...picker.querySelectorAll("[data-unpick]")].indexOf(button);
    choose(picker, rows(picker).map(box).filter((input) => input.value === button.value), false);
    const left = picker.querySelectorAll("[data-unpick]");
    (left[Math.min(place, left.length - 1)] || picker.querySelector(SEARCH)).focus();
  }

  function clear(picker) {
    const search = picker.querySelector(SEARCH);
    search.value = "";
    filter(picker);
    search.focus();
  }

  // Words in a search are no part of the form: they are neither sent nor checked.
  for (const kind of ["input", "change"]) {
    document.addEventListener(kind, (event) => {
      if (!(event.target instanceof Element)) return;
      const picker = event.target.closest("[data-picker]");
      if (!picker) return;
      if (!event.target.matches(SEARCH)) return sum(picker);
      event.stopPropagation();
      filter(picker);
    }, true);
  }

  document.addEventListener("keydown", (event) => {
    if (!(event.target instanceof Element) || !event.target.matches(SEARCH) || event.isComposing) return;
    if (event.key === "Enter") event.preventDefault();
    if (event.key === "Escape" && event.target.value) {
      event.preventDefault();
      clear(event.target.closest("[data-picker]"));
    }
    if (event.key === "Enter" || event.key === "Escape") event.stopPropagation();
  }, true);

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-picker] button");
    if (!button) return;
    const picker = button.closest("[data-picker]");
    const shown = rows(picker).filter((row) => row.checkVisibility()).map(box);
    if ("pickerAll" in button.dataset) choose(picker, shown, true);
    if ("pickerClearAll" in button.dataset) choose(picker, rows(picker).map(box), false);
    if ("pickerClear" in button.dataset) clear(picker);
    if ("unpick" in button.dataset) remove(picker, button);
  });

  // --- the form comes anew ---
  let kept = null;
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target?.id !== "train-form") return;
    kept = {
      focus: document.activeElement?.id,
      folds: [...event.detail.target.querySelectorAll("details[data-fold]")].filter((fold) => fold.open),
      searches: new Map([...document.querySelectorAll(SEARCH)].map((one) => [one.id, one.value])),
    };
  });
  document.addEventListener("htmx:afterSwap", () => {
    if (!kept || !document.getElementById("train-form")) return;
    const { focus, folds, searches } = kept;
    kept = null;
    for (const fold of folds) document.querySelector(`details[data-fold="${fold.dataset.fold}"]`)?.setAttribute("open", "");
    for (const search of document.querySelectorAll(SEARCH)) search.value = searches.get(search.id) || "";
    start();
    if (focus && document.activeElement === document.body) document.getElementById(focus)?.focus({ preventScroll: true });
  });

  function start() {
    for (const picker of pickers()) {
      filter(picker);
      sum(picker);
    }
  }

  start();
  addEventListener("pageshow", start); // a browser puts ticks back after the page was shown
})();
