// Review of labels by keys: [data-review-key] is pressed or ticked by its key; a digit rejects the label with that
// number ([data-review-row]) or takes that back. The shape of a rejected label is drawn faint.
(() => {
  const REJECT = "-";
  const rows = () => document.querySelectorAll("[data-review-row]");

  function show(row) {
    const shape = document.querySelector(`[data-shape="${row.dataset.reviewRow}"]`);
    shape?.classList.toggle("is-rejected", row.value === REJECT);
  }

  function toggle(row) {
    if (row.value === REJECT) row.value = row.dataset.before;
    else {
      row.dataset.before = row.value;
      row.value = REJECT;
    }
    show(row);
  }

  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-review-row]")) show(event.target);
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (event.target.closest("input:not([type=radio]), textarea, select, [contenteditable], dialog")) return;
    const key = event.key.toLowerCase();
    const row = [...rows()].find((one) => one.dataset.reviewRow === key);
    if (row) return toggle(row);
    document.querySelector(`[data-review-key="${CSS.escape(key)}"]`)?.click();
  });
  for (const row of rows()) {
    row.dataset.before = row.value === REJECT ? row.options[0].value : row.value;
    show(row);
  }
})();
