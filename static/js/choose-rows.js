// A form[data-choose-rows] whose tick boxes stand in a table: counts them, ticks all, and keeps buttons waiting for
// as many as they need (data-needs). Without scripts the buttons always work; the next page says what is missing.
(() => {
  const form = document.querySelector("[data-choose-rows]");
  if (!form) return;
  const all = document.querySelector("[data-choose-all]");
  const boxes = () => [...form.elements].filter((element) => element.type === "checkbox");
  const number = new Intl.NumberFormat(document.documentElement.lang);

  function show() {
    const ticked = boxes().filter((box) => box.checked);
    const count = form.querySelector("[data-chosen-count]");
    count.textContent = ticked.length ? form.dataset.words.replace("{n}", number.format(ticked.length)) : "";
    form.classList.toggle("has-chosen", ticked.length > 0);
    for (const button of form.querySelectorAll("[data-needs]")) button.disabled = ticked.length < Number(button.dataset.needs);
    if (!all) return;
    all.checked = ticked.length > 0 && ticked.length === boxes().length;
    all.indeterminate = ticked.length > 0 && !all.checked;
  }

  document.addEventListener("change", (event) => {
    if (event.target === all) for (const box of boxes()) box.checked = all.checked;
    if (event.target === all || event.target.form === form) show();
  });
  show();
  addEventListener("pageshow", show); // a browser puts ticks back after the page was shown
})();
