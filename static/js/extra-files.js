// The extra files of a training ([data-extra-files]): every choice adds to the ones before, each can be taken out, and
// too much is said at once instead of after the upload.
(() => {
  const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte"];
  const language = document.documentElement.lang;
  const chosen = new WeakMap(); // input -> files so far: choosing again would drop them
  const words = (text, values) => text.replace(/\{(\w+)\}/g, (all, key) => values[key] ?? all);

  function size(bytes) {
    const power = Math.min(Math.floor(Math.log2(bytes || 1) / 10), UNITS.length - 1);
    const style = { style: "unit", unit: UNITS[power], unitDisplay: power ? "short" : "long", maximumFractionDigits: 1 };
    return new Intl.NumberFormat(language, style).format(bytes / 1024 ** power);
  }

  const total = (files) => files.reduce((sum, file) => sum + file.size, 0);
  const isOver = (part) => total([...part.querySelector("input").files]) > Number(part.dataset.limit);

  function put(input, files) {
    const transfer = new DataTransfer();
    for (const file of files) transfer.items.add(file);
    input.files = transfer.files;
    chosen.set(input, files);
    show(input.closest("[data-extra-files]"));
  }

  function add(input) {
    const fresh = [...input.files];
    const names = new Set(fresh.map((file) => file.name)); // the server takes a name once: the later one counts
    put(input, [...(chosen.get(input) || []).filter((file) => !names.has(file.name)), ...fresh]);
  }

  function show(part) {
    const files = [...part.querySelector("input").files];
    const list = part.querySelector("[data-extra-list]");
    const line = part.querySelector("[data-extra-sum]");
    list.replaceChildren(...files.map((file, place) => row(part, file, place)));
    list.hidden = !files.length;
    line.textContent = files.length ? words(isOver(part) ? line.dataset.over : line.dataset.words, { size: size(total(files)) }) : "";
    part.classList.toggle("is-over", isOver(part));
  }

  function row(part, file, place) {
    const item = part.querySelector("[data-extra-row]").content.firstElementChild.cloneNode(true);
    const button = item.querySelector("button");
    item.querySelector(".name").textContent = file.name;
    item.querySelector(".extra-size").textContent = size(file.size);
    button.ariaLabel = words(button.dataset.extraRemove, { name: file.name });
    button.value = place;
    return item;
  }

  document.addEventListener("input", (event) => { // the live check is sent no files: it has nothing to say of them
    if (event.target.matches?.("[data-extra-files] input[type=file]")) event.stopPropagation();
  }, true);

  document.addEventListener("change", (event) => {
    if (event.target.matches?.("[data-extra-files] input[type=file]")) add(event.target);
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-extra-remove]");
    if (!button) return;
    const part = button.closest("[data-extra-files]");
    const input = part.querySelector("input");
    put(input, [...input.files].filter((_file, place) => place !== Number(button.value)));
    const left = part.querySelectorAll("[data-extra-remove]");
    (left[Math.min(Number(button.value), left.length - 1)] || input).focus();
  });

  // What the server would refuse after minutes of upload is not sent.
  document.addEventListener("submit", (event) => {
    const part = event.target.querySelector("[data-extra-files]");
    if (!part || !isOver(part)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    part.scrollIntoView({ block: "center" });
    (part.querySelector("[data-extra-remove]") || part.querySelector("input")).focus({ preventScroll: true });
  }, true);

  const start = () => { for (const part of document.querySelectorAll("[data-extra-files]")) add(part.querySelector("input")); };
  start();
  addEventListener("pageshow", start); // files that the browser kept over a reload or a way back
})();
