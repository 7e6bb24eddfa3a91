// A select[data-searchable] with many options gets a search above it: all words must stand in an option; the first one
// that fits is chosen. Hears "labels:shown" when selects came anew.
(() => {
  const FEW = 12;
  const plain = (text) => text.normalize("NFC").toLowerCase();

  function filter(select, text) {
    const wanted = plain(text).split(/\s+/).filter(Boolean);
    const fits = (option) => wanted.every((word) => plain(option.textContent).includes(word));
    for (const option of select.options) option.hidden = option.disabled = !fits(option);
    for (const group of select.querySelectorAll("optgroup:not([data-unfit])")) {
      group.hidden = [...group.children].every((option) => option.hidden);
    }
    const usable = [...select.options].filter((one) => !one.hidden && !one.parentElement.disabled);
    if (wanted.length && usable.length && !usable.includes(select.selectedOptions[0])) {
      select.value = usable[0].value;
      select.dispatchEvent(new Event("change", { bubbles: true }));
    }
    select.classList.toggle("is-invalid", !usable.length);
  }

  function dress() {
    for (const select of document.querySelectorAll("select[data-searchable]:not([data-dressed])")) {
      select.dataset.dressed = "";
      if (select.options.length <= FEW) continue;
      const search = document.createElement("input");
      search.type = "search";
      search.className = "form-control form-control-sm";
      search.placeholder = search.ariaLabel = `${select.dataset.searchWord}: ${select.options.length}`;
      search.addEventListener("input", () => filter(select, search.value));
      select.before(search);
    }
  }

  document.addEventListener("labels:shown", dress);
  dress();
})();
