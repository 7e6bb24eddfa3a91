// <button data-confirm="question" data-confirm-yes="verb" data-confirm-no="verb"> asks before it does what it does. Its
// yes is red, but for data-confirm-calm: nothing is lost by it.
// The click is held back and repeated after a yes, so it serves forms, links and hx-post alike.
(() => {
  const dialog = document.getElementById("confirm");
  if (!dialog) return;
  const [no, yes] = dialog.querySelectorAll("button");
  const confirmed = new WeakSet();
  let asked = null;

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-confirm]");
    if (!button || confirmed.delete(button)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    asked = button;
    dialog.querySelector("[data-confirm-text]").textContent = button.dataset.confirm;
    no.textContent = button.dataset.confirmNo || no.dataset.default;
    yes.textContent = button.dataset.confirmYes || yes.dataset.default;
    const calm = "confirmCalm" in button.dataset;
    yes.classList.toggle("btn-primary", calm);
    yes.classList.toggle("btn-danger", !calm);
    dialog.returnValue = "no";
    dialog.showModal();
  }, true);

  dialog.addEventListener("close", () => {
    const button = asked;
    asked = null;
    if (dialog.returnValue !== "yes" || !button?.isConnected) return;
    confirmed.add(button);
    button.click();
  });
})();
